//! How long runs take: all commands of all programs in turn, in another order in each round.

#![allow(unsafe_code)]

use crate::case::{Answer, Case, Trigger};
use crate::trace::FILE;
use crate::{COMMANDS, Root, double};
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{CString, c_char};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;
use std::time::Instant;

/// Rounds that are not counted: what comes first finds nothing in memory.
const WARM_UP: usize = 3;
/// After so many rounds all programs are written anew. Where in memory a file happens to lie makes a tenth of the time.
const PLACEMENT: usize = 25;

/// `time DEVICE answers|silent ROUNDS UNIT`, as a table. In place of a device that is silent this process answers.
pub(crate) fn run(roots: &[Root], arguments: &[String], out: &mut dyn Write) -> io::Result<bool> {
    let [device, answer, rounds, unit] = arguments else {
        return Err(io::Error::other("time DEVICE answers|silent ROUNDS UNIT"));
    };
    let rounds: usize = rounds.parse().map_err(io::Error::other)?;
    let mut folders = Vec::new();
    for root in roots {
        folders.push(File::open(&root.folder)?);
    }
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    let (read_end, write_end) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let (mut read_end, write_end) = (File::from(read_end), File::from(write_end));
    if answer == "silent" {
        double::answer(device_with_two_of_each())?;
    }

    // Nanoseconds of each round for each command of each program.
    let mut taken = vec![vec![Vec::new(); COMMANDS.len()]; roots.len()];
    for round in 0..WARM_UP + rounds {
        if round % PLACEMENT == WARM_UP {
            for folder in &folders {
                enter(folder)?;
                write_anew(Path::new("/usr"))?;
            }
        }
        let mut order: Vec<(usize, usize)> = (0..roots.len())
            .flat_map(|root| (0..COMMANDS.len()).map(move |command| (root, command)))
            .collect();
        order.sort_by_key(|place| {
            let mut hasher = DefaultHasher::new();
            (round, place).hash(&mut hasher);
            hasher.finish()
        });
        for (root, command) in order {
            enter(&folders[root])?;
            let words: Vec<&str> = std::iter::once("sg_persist")
                .chain(COMMANDS[command].words())
                .map(|word| if word == "DEV" { device } else { word })
                .collect();
            let start = Start::new(&words, &nothing, &write_end)?;
            let before = Instant::now();
            let status = waitpid(start.start()?, None)?;
            let nanoseconds = before.elapsed().as_nanos();
            let mut said = Vec::new();
            match read_end.read_to_end(&mut said) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            if !matches!(status, WaitStatus::Exited(_, 0)) {
                return Err(io::Error::other(format!(
                    "{} {}: {status:?}: {}",
                    roots[root].name,
                    COMMANDS[command].line,
                    String::from_utf8_lossy(&said)
                )));
            }
            if round >= WARM_UP {
                taken[root][command].push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
            }
        }
    }
    table(roots, &taken, unit, out)?;
    Ok(true)
}

/// A device that answers each of the commands in full.
fn device_with_two_of_each() -> Case {
    let mut case = COMMANDS[1].case(&[]);
    case.answers = COMMANDS
        .iter()
        .zip([None, Some((0x5e, 0)), Some((0x5e, 3)), Some((0x5f, 6))])
        .filter_map(|(line, command)| {
            let (opcode, action) = command?;
            let mut answer = Answer::good(Trigger::Command(opcode, Some(action)));
            if opcode == 0x5e {
                answer.data = line.data();
            }
            Some(answer)
        })
        .collect();
    case
}

/// Makes `folder` the root. Whoever may change the root gets out of it by a folder that is open.
pub(crate) fn enter(folder: &File) -> io::Result<()> {
    nix::unistd::fchdir(folder)?;
    std::os::unix::fs::chroot(".")
}

/// Replaces every file below `folder` by a copy of it.
fn write_anew(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            write_anew(&path)?;
        } else if kind.is_file() {
            let copy = folder.join(".copy");
            fs::copy(&path, &copy)?;
            fs::rename(&copy, &path)?;
        }
    }
    Ok(())
}

/// A program about to be started.
pub(crate) struct Start {
    _words: Vec<CString>,
    /// Pointers to them, with a null pointer behind.
    argv: Vec<*const c_char>,
    file: CString,
    /// Standard input, output and error.
    streams: [i32; 3],
}

impl Start {
    pub(crate) fn new(words: &[&str], input: &File, output: &File) -> io::Result<Self> {
        let words: Result<Vec<CString>, _> = words.iter().map(|&word| CString::new(word)).collect();
        let words = words?;
        let ends = std::iter::once(ptr::null());
        Ok(Self {
            argv: words.iter().map(|word| word.as_ptr()).chain(ends).collect(),
            _words: words,
            file: CString::new(FILE)?,
            streams: [input.as_raw_fd(), output.as_raw_fd(), output.as_raw_fd()],
        })
    }

    /// Starts it as `vfork` does, with no environment. (The standard library asks for the handler of every signal in between,
    /// which takes a good part of the time that a small program takes.)
    pub(crate) fn start(&self) -> io::Result<Pid> {
        const NOT_EXECUTED: isize = 127;
        let mut stack = [0; 16 * 1024];
        let none: [*const c_char; 1] = [ptr::null()];
        let child = Box::new(|| {
            for (number, &stream) in (0..).zip(&self.streams) {
                // SAFETY: it takes any two numbers.
                unsafe { libc::dup2(stream, number) };
            }
            // SAFETY: a string, and two arrays of pointers to strings with a null pointer at the end; all of them live until
            // this process goes on, which is after this call.
            unsafe { libc::execve(self.file.as_ptr(), self.argv.as_ptr(), none.as_ptr()) };
            NOT_EXECUTED
        });
        let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
        // SAFETY: the child has a stack of its own and this process's memory, calls nothing but dup2 and execve, and this
        // process waits for its end or execve.
        let pid = unsafe { nix::sched::clone(child, &mut stack, flags, Some(libc::SIGCHLD)) };
        Ok(pid?)
    }
}

fn table(
    roots: &[Root],
    taken: &[Vec<Vec<u32>>],
    unit: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    crate::head(out, "", COMMANDS.iter().map(|command| command.line))?;
    for (root, times) in roots.iter().zip(taken) {
        for (other, others) in roots.iter().zip(taken).filter(|_| root.ours) {
            if other.ours {
                continue;
            }
            write!(out, "| {} ÷ {} |", root.name, other.name)?;
            for (time, other) in times.iter().zip(others) {
                let ratios = time
                    .iter()
                    .zip(other)
                    .map(|(&a, &b)| f64::from(a) / f64::from(b));
                write!(out, " {:.2} |", median(ratios.collect()))?;
            }
            writeln!(out)?;
        }
    }
    for (root, times) in roots.iter().zip(taken) {
        write!(out, "| {}, {unit} |", root.name)?;
        for time in times {
            let median = median(time.iter().map(|&time| f64::from(time)).collect());
            write!(out, " {:.0} |", median / 1000.0)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
