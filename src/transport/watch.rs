//! Watching over a command while it is at the device.
//!
//! The ioctl does not return before the command has ended. A thread beside it tells a person at a
//! terminal what is being waited for, and says, when a signal is about to end the program, that
//! nobody knows what became of the command.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, raise};
use nix::unistd::write;

use super::{Access, Command, Completion, Data, Node, Open, Transport};

/// The signals with which people and service managers end a program.
const SIGNALS: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// Whether the program was told to ignore `signal` (nohup): that must end nothing, but can be waited
/// for like the others, for a signal that is blocked is not ignored. Asked only when one has come.
/// `None` where there is no /proc to tell.
fn is_ignored(signal: Signal) -> Option<bool> {
    let status = BufReader::new(File::open("/proc/self/status").ok()?);
    let ignored = ignored_signals(status)?;
    Some(ignored >> (signal as u32 - 1) & 1 == 1)
}

/// The mask of ignored signals in `/proc/PID/status`, the lowest bit for signal 1.
fn ignored_signals(status: impl BufRead) -> Option<u64> {
    let mut lines = status.lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("SigIgn:"))?;
    u64::from_str_radix(line["SigIgn:".len()..].trim(), 16).ok()
}

/// What watching needs of the system.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// Starts a thread that does this, with the signal mask of the one that asks. It ends with the
    /// process; a small stack is enough, for it does not do more than to put a line together.
    pub start: fn(Box<dyn FnOnce() + Send>) -> io::Result<()>,
    /// Waits for one of these signals, which every thread has blocked, and takes it. `None` where
    /// none came in this time, if there is one.
    pub wait: fn(&SigSet, Option<Duration>) -> Option<Signal>,
}

/// How long a command may take before a person is told, and how often from then on.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opens devices and watches over the commands sent to them.
#[derive(Debug)]
pub struct Watched<O> {
    inner: O,
    /// Whether standard error is a terminal that can take a line back.
    terminal: bool,
    thread: Thread,
}

impl<O> Watched<O> {
    /// Watches what `inner` opens; `terminal` says whether standard error is one that can take a
    /// line back.
    pub const fn new(inner: O, terminal: bool, thread: Thread) -> Self {
        Self {
            inner,
            terminal,
            thread,
        }
    }
}

impl<O: Open> Open for Watched<O> {
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(Watch {
            inner: ManuallyDrop::new(self.inner.open(device, access)?),
            device: device.to_owned(),
            terminal: self.terminal,
            thread: self.thread,
            state: None,
        }))
    }
}

/// The command at the device, if there is one.
#[derive(Debug)]
struct AtDevice {
    name: &'static str,
    changes: bool,
    /// When it was sent; only where that can be shown.
    since: Option<Instant>,
    timeout: Duration,
    /// Whether a line about it stands on the terminal.
    shown: bool,
}

#[derive(Debug)]
struct Shared {
    device: PathBuf,
    at_device: Mutex<Option<AtDevice>>,
}

struct Watch {
    /// Stays open until the process ends, which is soon: the kernel closes it then.
    inner: ManuallyDrop<Box<dyn Transport>>,
    device: PathBuf,
    terminal: bool,
    thread: Thread,
    state: Option<Arc<Shared>>,
}

impl Transport for Watch {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        let changes = matches!(command.data, Data::Out(_));
        // Reading that is cut short has no outcome to be unknown: scripts are spared the thread.
        if !changes && !self.terminal {
            return self.inner.execute(command);
        }
        if self.state.is_none() {
            // A machine so short of resources that no thread can start still has its say: the
            // command goes out unwatched.
            self.state = Shared::watch(&self.device, self.terminal, self.thread).ok();
        }
        let Some(state) = self.state.clone() else {
            return self.inner.execute(command);
        };
        *state.at_device() = Some(AtDevice {
            name: command.cdb.name(),
            changes,
            since: self.terminal.then(Instant::now),
            timeout: command.timeout,
            shown: false,
        });
        let result = self.inner.execute(command);
        if state
            .at_device()
            .take()
            .is_some_and(|command| command.shown)
        {
            Shared::say("\r\x1b[K");
        }
        result
    }

    fn node(&self) -> Node {
        self.inner.node()
    }

    fn sent(&mut self) -> Vec<String> {
        self.inner.sent()
    }

    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        self.inner.sg_driver_version()
    }
}

impl Shared {
    /// Starts the thread. From then on the signals come to it.
    fn watch(device: &Path, terminal: bool, thread: Thread) -> io::Result<Arc<Self>> {
        let shared = Arc::new(Self {
            device: device.to_owned(),
            at_device: Mutex::new(None),
        });
        let signals: SigSet = SIGNALS.into_iter().collect();
        // The new thread starts with this thread's mask: no moment is left unwatched.
        signals.thread_block()?;
        let for_thread = Arc::clone(&shared);
        let patience = terminal.then_some(PATIENCE);
        let task = move || loop {
            match (thread.wait)(&signals, patience) {
                Some(signal) => for_thread.end(signal),
                None => for_thread.show_progress(),
            }
        };
        match (thread.start)(Box::new(task)) {
            Ok(()) => Ok(shared),
            Err(error) => {
                signals.thread_unblock()?;
                Err(error)
            }
        }
    }

    fn at_device(&self) -> MutexGuard<'_, Option<AtDevice>> {
        self.at_device
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn say(text: &str) {
        // Past the lock of standard error, which the main thread holds. Where writing fails there
        // is nobody else to tell.
        let _ = write(io::stderr(), text.as_bytes());
    }

    /// Tells a person what is being waited for.
    fn show_progress(&self) {
        let mut at_device = self.at_device();
        let Some(command) = at_device.as_mut() else {
            return;
        };
        let waited = command
            .since
            .map_or(Duration::ZERO, |since| since.elapsed());
        if waited < PATIENCE {
            return;
        }
        command.shown = true;
        let left = command.timeout.saturating_sub(waited).as_secs();
        Self::say(&format!(
            "\r\x1b[Ksg_persist: {} is waiting for {}, at most {left} s more",
            command.name,
            self.device.display()
        ));
    }

    /// Ends the program by the signal that came, as if nobody had looked at it first.
    fn end(&self, signal: Signal) {
        let ignored = is_ignored(signal);
        if ignored == Some(true) {
            return;
        }
        // Kept to the end: once it is said that the outcome is unknown, the main thread must not go
        // on to tell it.
        let at_device = self.at_device();
        // Where it may be ignored after all, it takes its course without a word.
        if let (Some(command), Some(false)) = (at_device.as_ref(), ignored) {
            let clear = if command.shown { "\r\x1b[K" } else { "" };
            let device = self.device.display();
            let outcome = match command.changes {
                true => "its outcome is unknown: read the keys and the reservation to see",
                false => "there is no answer",
            };
            Self::say(&format!(
                "{clear}sg_persist: {signal} while a command ({}) was at {device}; {outcome}\n",
                command.name
            ));
        }
        let signals: SigSet = SIGNALS.into_iter().collect();
        let _ = signals.thread_unblock();
        let _ = raise(signal);
        drop(at_device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "Name:\tsh\nSigBlk:\t0000000000000004\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored_signals(status.as_bytes()), Some(0x1001));
        assert_eq!(ignored_signals(&b"Name:\tsh\n"[..]), None);
        assert_eq!(ignored_signals(&b"SigIgn:\txyz\n"[..]), None);
    }
}
