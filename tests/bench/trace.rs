//! One run, traced: every system call or every instruction of it counted, its page faults and its memory.
//!
//! The scripted device starts this program, and this program starts the one to be measured, with another root folder:
//! so the kernel loads the interpreter that the file names, as it does for what is installed.

#![allow(unsafe_code)]

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where the program stands below each root.
pub(crate) const FILE: &str = "/usr/bin/sg_persist";

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// In user mode; an iteration of a repeated string instruction is one.
    pub(crate) instructions: u64,
    /// System calls, `execve` and `exit_group` included. Those of the first thread: how far another one comes before the
    /// end, is a matter of the moment.
    pub(crate) calls: u64,
    /// Writes to standard output.
    pub(crate) writes: u64,
    /// Page faults without I/O, after `execve`.
    pub(crate) faults: u64,
    /// Most memory resident at a time, in KiB.
    pub(crate) memory: u64,
}

impl Figures {
    fn text(&self) -> String {
        format!(
            "{} {} {} {} {}\n",
            self.instructions, self.calls, self.writes, self.faults, self.memory
        )
    }

    /// Reads what [`run`] has written.
    pub(crate) fn parse(text: &str) -> io::Result<Figures> {
        let numbers: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        match numbers.map_err(io::Error::other)?[..] {
            [instructions, calls, writes, faults, memory] => Ok(Figures {
                instructions,
                calls,
                writes,
                faults,
                memory,
            }),
            _ => Err(io::Error::other("the traced run has no figures")),
        }
    }
}

/// What is counted; the other of the two figures is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    Calls,
    Instructions,
}

impl Counted {
    /// The word for it on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Counted::Calls => "calls",
            Counted::Instructions => "instructions",
        }
    }
}

/// `trace calls|instructions FIGURES ROOT ARGUMENT...`: runs the program below ROOT, writes its figures to the file
/// FIGURES. Returns the program's exit status.
pub(crate) fn run(arguments: &[String]) -> io::Result<u8> {
    let [counted, figures, root, arguments @ ..] = arguments else {
        return Err(io::Error::other("trace WHAT FIGURES ROOT ARGUMENT..."));
    };
    let counted = [Counted::Calls, Counted::Instructions]
        .into_iter()
        .find(|known| known.word() == counted)
        .ok_or_else(|| io::Error::other("calls or instructions"))?;
    let mut out = File::create(figures)?;
    // The working folder stays where it is, outside of the root: the device is found there.
    std::os::unix::fs::chroot(root)?;
    let mut command = Command::new(FILE);
    command.arg0("sg_persist").args(arguments).env_clear();
    // SAFETY: between fork and exec nothing is called but ptrace(2).
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(io::Error::from)) };
    let child = command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let (figures, status) = follow(pid, counted)?;
    out.write_all(figures.text().as_bytes())?;
    Ok(status)
}

/// Follows a program that has called `execve` to its end.
fn follow(leader: Pid, counted: Counted) -> io::Result<(Figures, u8)> {
    use ptrace::Options;
    let all = Some(WaitPidFlag::__WALL);
    waitpid(leader, all)?;
    ptrace::setoptions(
        leader,
        Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXIT
            | Options::PTRACE_O_EXITKILL,
    )?;
    let go_on = |pid, signal| {
        let done = match counted {
            Counted::Calls => ptrace::syscall(pid, signal),
            Counted::Instructions => ptrace::step(pid, signal),
        };
        // A thread may have been killed by the end of another.
        match done {
            Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
            Err(error) => Err(error),
        }
    };
    let mut figures = Figures::default();
    if counted == Counted::Calls {
        figures.calls = 1;
    }
    let before = faults(leader)?;
    // Threads within a system call.
    let mut inside = BTreeSet::new();
    go_on(leader, None)?;
    loop {
        match waitpid(None, all)? {
            WaitStatus::PtraceSyscall(pid) => {
                if !inside.remove(&pid) {
                    inside.insert(pid);
                    figures.calls += u64::from(pid == leader);
                    figures.writes += u64::from(is_output(pid)?);
                }
                go_on(pid, None)?;
            }
            WaitStatus::PtraceEvent(pid, _, event) => {
                if pid == leader && event == libc::PTRACE_EVENT_EXIT {
                    figures.faults = faults(pid)?.saturating_sub(before);
                    figures.memory = memory(pid)?;
                }
                go_on(pid, None)?;
            }
            WaitStatus::Stopped(pid, Signal::SIGTRAP) => {
                if counted == Counted::Instructions {
                    figures.instructions += 1;
                }
                go_on(pid, None)?;
            }
            // How a new thread begins.
            WaitStatus::Stopped(pid, Signal::SIGSTOP) => go_on(pid, None)?,
            WaitStatus::Stopped(pid, signal) => go_on(pid, Some(signal))?,
            WaitStatus::Exited(pid, status) if pid == leader => {
                return Ok((figures, u8::try_from(status).unwrap_or(u8::MAX)));
            }
            WaitStatus::Signaled(pid, signal, _) if pid == leader => {
                return Err(io::Error::other(format!("ended by {signal}")));
            }
            _ => {}
        }
    }
}

/// Whether the system call that begins writes to standard output.
fn is_output(pid: Pid) -> io::Result<bool> {
    const WRITE: u64 = 1;
    const WRITEV: u64 = 20;
    let registers = ptrace::getregs(pid)?;
    Ok(matches!(registers.orig_rax, WRITE | WRITEV) && registers.rdi == 1)
}

fn faults(pid: Pid) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold blanks. The tenth field is the eighth after it.
    text.rsplit_once(')')
        .and_then(|(_, fields)| fields.split_whitespace().nth(7)?.parse().ok())
        .ok_or_else(|| io::Error::other("/proc/PID/stat"))
}

fn memory(pid: Pid) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    text.lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .ok_or_else(|| io::Error::other("/proc/PID/status"))
}
