//! Many devices: one process of ours beside a process for each device, one after the other and 64 at a time.
//!
//! What starts the others is this program, which does nothing else: a shell's loop and `xargs -P 64` take longer.

use crate::case::{Answer, Trigger};
use crate::time::{Start, enter};
use crate::{COMMANDS, Root, double};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::time::{Duration, Instant};

/// What a command takes at the device.
const COMMAND: Duration = Duration::from_millis(2);
/// What one takes at a device that is silent.
const SILENCE: Duration = Duration::from_secs(2);
/// So many processes at the same time.
const PARALLEL: usize = 64;
const COUNTS: [usize; 4] = [1, 10, 100, 1000];
/// How many of the devices are silent, in the last table.
const SILENT: usize = 10;

const CHANGES: [(&str, &[&str]); 3] = [
    ("register", &["-n", "-o", "-I", "-S", "abc123"]),
    ("read keys", &["-n", "-k"]),
    (
        "preempt and abort",
        &["-n", "-o", "-A", "-T", "5", "-K", "abc123", "-S", "123abc"],
    ),
];

/// A way to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One process for all devices.
    One,
    /// A process for each, one after the other.
    Loop,
    /// The same, [`PARALLEL`] at the same time.
    Side,
}

/// `many ROUNDS`, as tables.
pub(crate) fn run(roots: &[Root], rounds: &str, out: &mut dyn Write) -> io::Result<bool> {
    let rounds: usize = rounds.parse().map_err(io::Error::other)?;
    let mut folders = Vec::new();
    for root in roots {
        prepare(root)?;
        folders.push(File::open(&root.folder)?);
    }
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    let mut case = COMMANDS[1].case(&[]);
    for action in [4, 5] {
        case.answers
            .push(Answer::good(Trigger::Command(0x5f, Some(action))));
    }
    double::answer_after(case, COMMAND, SILENCE)?;

    let ways = ways(roots);
    let names = ways.iter().map(|&(root, way)| match way {
        Way::One => format!("{}, one process", roots[root].name),
        Way::Loop => format!("{}, a loop", roots[root].name),
        Way::Side => format!("{}, {PARALLEL} at a time", roots[root].name),
    });
    let names: Vec<String> = names.collect();
    crate::head(out, "milliseconds", names.iter().map(String::as_str))?;
    for (what, words) in CHANGES {
        for count in COUNTS {
            let mut taken = vec![Vec::new(); ways.len()];
            // The longest take seconds: they vary little.
            let rounds = if count == 1000 {
                rounds.div_ceil(4)
            } else {
                rounds
            };
            for _ in 0..rounds {
                for (&(root, way), taken) in ways.iter().zip(&mut taken) {
                    enter(&folders[root])?;
                    let begin = Instant::now();
                    carry_out(way, words, count, &nothing)?;
                    taken.push(begin.elapsed());
                }
            }
            let medians = taken.iter_mut().map(|taken| {
                taken.sort_unstable();
                let median = taken[taken.len() / 2];
                format!("{:.1}", median.as_secs_f64() * 1000.0)
            });
            let medians: Vec<String> = medians.collect();
            writeln!(out, "| {what}, {count} | {} |", medians.join(" | "))?;
        }
    }
    writeln!(out)?;
    let ours = ways.iter().filter(|&&(_, way)| way == Way::One);
    for &(root, _) in ours {
        enter(&folders[root])?;
        last(roots[root].name, &nothing, out)?;
    }
    Ok(true)
}

/// What is measured: our programs in each way, and the newest of the originals.
fn ways(roots: &[Root]) -> Vec<(usize, Way)> {
    let mut ways = Vec::new();
    for (index, root) in roots.iter().enumerate() {
        if root.ours {
            ways.push((index, Way::One));
        }
    }
    for (index, root) in roots.iter().enumerate() {
        if root.name == "1.48" {
            ways.push((index, Way::Loop));
            ways.push((index, Way::Side));
        } else if root.ours {
            ways.push((index, Way::Side));
        }
    }
    ways
}

/// Files for devices, and a list of each number of them.
fn prepare(root: &Root) -> io::Result<()> {
    let units = root.folder.join("units");
    fs::create_dir_all(&units)?;
    for number in 0..1000 {
        fs::write(units.join(number.to_string()), b"")?;
    }
    for number in 0..SILENT {
        fs::write(units.join(format!("silent{number}")), b"")?;
    }
    for count in COUNTS {
        let list: String = (0..count)
            .map(|number| format!("/units/{number}\n"))
            .collect();
        fs::write(units.join(format!("list{count}")), list)?;
    }
    let silent = (0..SILENT).map(|number| format!("/units/silent{number}\n"));
    let others = (SILENT..1000).map(|number| format!("/units/{number}\n"));
    let list: String = silent.chain(others).collect();
    fs::write(units.join("partly"), list)
}

fn carry_out(way: Way, words: &[&str], count: usize, nothing: &File) -> io::Result<()> {
    let start = |device: &str| {
        let words = [&["sg_persist"], words, &[device]].concat();
        Start::new(&words, nothing, nothing)?.start()
    };
    match way {
        Way::One => good(waitpid(
            start(&format!("--devices-from=/units/list{count}"))?,
            None,
        )?),
        Way::Loop => {
            for number in 0..count {
                good(waitpid(start(&format!("/units/{number}"))?, None)?)?;
            }
            Ok(())
        }
        Way::Side => {
            let mut running = 0;
            for number in 0..count {
                if running == PARALLEL {
                    good(waitpid(None::<Pid>, None)?)?;
                    running -= 1;
                }
                start(&format!("/units/{number}"))?;
                running += 1;
            }
            for _ in 0..running {
                good(waitpid(None::<Pid>, None)?)?;
            }
            Ok(())
        }
    }
}

fn good(status: WaitStatus) -> io::Result<()> {
    match status {
        WaitStatus::Exited(_, 0) => Ok(()),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// When the devices that answer have their lines, where some are silent, and the memory of both processes.
fn last(name: &str, nothing: &File, out: &mut dyn Write) -> io::Result<()> {
    for (list, answering) in [("list1000", 1000), ("partly", 1000 - SILENT)] {
        let (read_end, write_end) = nix::unistd::pipe()?;
        let list = format!("--devices-from=/units/{list}");
        let words = [&["sg_persist"], CHANGES[0].1, &[&list[..]]].concat();
        let begin = Instant::now();
        let write_end = File::from(write_end);
        let pid = Start::new(&words, nothing, &write_end)?.start()?;
        drop(write_end);
        let mut lines = BufReader::new(File::from(read_end)).lines();
        let mut memory = 0;
        for number in 0..answering {
            lines.next().transpose()?;
            // Towards the end all of it is in use.
            if number == answering - PARALLEL {
                memory = resident(pid.as_raw()).unwrap_or_default();
            }
        }
        let milliseconds = begin.elapsed().as_secs_f64() * 1000.0;
        for line in lines {
            line?;
        }
        good(waitpid(pid, None)?)?;
        writeln!(
            out,
            "- {name}: the last of {answering} devices that answer, of 1000, has its line after {milliseconds:.1} ms; \
             both processes take {memory} KiB, {:.1} KiB for each device.",
            f64::from(memory) / 1000.0
        )?;
    }
    Ok(())
}

/// The most memory that a process and those that it started had resident, in KiB.
fn resident(pid: i32) -> io::Result<u32> {
    let of = |pid: &str| -> io::Result<u32> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        Ok(number.unwrap_or_default())
    };
    let mut sum = of(&pid.to_string())?;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = fs::read_to_string(thread?.path().join("children"))?;
        for child in children.split_whitespace() {
            sum += of(child)?;
        }
    }
    Ok(sum)
}
