//! Watching over a command while it is at the device.
//!
//! The ioctl does not return before the command has ended. A thread beside it tells a person at a
//! terminal what is being waited for, and says, when a signal is about to end the program, what is
//! known of the change that was asked for. There is one such thread, however many devices there
//! are: a signal goes to one thread alone, and that one has to know.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::unistd::write;
use sg_persist::pr::transport_id::TransportId;
use sg_persist::render::visible;
use sg_persist::transport::{
    Access, Closed, Command, Completion, Data, Node, NodeKind, Open, Transport,
};

use crate::thread;

/// The signals with which people, service managers and batch systems end a program, and the one by
/// which an alarm does that was set before the program was started.
pub(crate) const ENDING: [Signal; 8] = [
    Signal::SIGALRM,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGXCPU,
];

/// The signals that stop a program and can be made to wait (job control).
///
/// The sg driver waits for a command in such a way that a stop of the process, in any of its
/// threads, ends the wait, and the command is sent once more when the process continues. A change
/// must not be, so these signals wait until it has ended. Nothing can be done about SIGSTOP, the
/// cgroup freezer, suspending the machine and debuggers; the first of them shows afterwards by the
/// SIGCONT that waits, too.
const STOPPING: [Signal; 3] = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];

/// The signals for output that cannot be written: nobody reads it, or the file would be longer than
/// files may be. A change has a status to tell once it has been sent: these wait from then on, so
/// that writing ends with an error and not the program.
pub(crate) const LOSING: [Signal; 2] = [Signal::SIGPIPE, Signal::SIGXFSZ];

/// How long a command may take before a person is told, and how often from then on.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// How long the last words wait for somebody to read them, in milliseconds.
pub(crate) const LAST_PATIENCE: u16 = 1000;

/// Puts the cursor where the line begins, and clears it.
pub(crate) const CLEAR: &str = "\r\x1b[K";

/// Opens devices, one after the other, and watches over the commands sent to them.
#[derive(Debug)]
pub(crate) struct Watched<O> {
    inner: O,
    process: &'static Process,
}

/// What there is once in a process, until its end.
struct Process {
    /// Whether standard error is a terminal that can take a line back.
    terminal: bool,
    /// From the first command on that needs it.
    watcher: RefCell<Option<Arc<Watcher>>>,
    /// What nobody uses any more. It is closed when the next device is opened: a tape, for one, lets
    /// itself be opened once at a time. The end of the process, which comes soon, closes the last
    /// one for nothing.
    unused: RefCell<Box<dyn Transport>>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process")
            .field("terminal", &self.terminal)
            .field("watcher", &self.watcher)
            .finish_non_exhaustive()
    }
}

impl<O> Watched<O> {
    /// Watches what `inner` opens; `terminal` says whether standard error is one that can take a
    /// line back.
    pub(crate) fn new(inner: O, terminal: bool) -> Self {
        Self {
            inner,
            process: Box::leak(Box::new(Process {
                terminal,
                watcher: RefCell::new(None),
                unused: RefCell::new(Box::new(Closed)),
            })),
        }
    }
}

impl<O: Open> Open for Watched<O> {
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>> {
        self.process.unused.replace(Box::new(Closed));
        Ok(Box::new(Watch {
            inner: self.inner.open(device, access)?,
            device: device.into(),
            process: self.process,
        }))
    }
}

impl Process {
    /// Sees to it that a command is watched. For a change, signals that stop the process, and the
    /// one that has it continue, wait from now on; the mask that lets them through again comes
    /// back. Those that tell of lost output are not among these.
    fn prepare(&self, changes: bool) -> Option<SigSet> {
        let mut watcher = self.watcher.borrow_mut();
        if !changes && watcher.is_some() {
            return None;
        }
        let mut all: SigSet = ENDING.into_iter().chain(STOPPING).chain(LOSING).collect();
        all.add(Signal::SIGCONT);
        let mut mask = all.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok()?;
        // A machine so short of resources that no thread can start still has its say: the command
        // goes out unwatched.
        let watched = match watcher.as_ref() {
            Some(_) => true,
            // The new thread starts with this thread's mask: no moment is left unwatched, and no
            // stop gets in through it, ever.
            None => match Watcher::start(&mask, self.terminal) {
                Ok(started) => {
                    mask.extend(&started.signals);
                    *watcher = Some(started);
                    true
                }
                Err(_) => false,
            },
        };
        if changes {
            mask.extend(LOSING);
        }
        if !(changes && watched) {
            let mut now = mask;
            if changes {
                now.extend(STOPPING);
                now.add(Signal::SIGCONT);
            }
            let _ = now.thread_set_mask();
        }
        changes.then_some(mask)
    }
}

/// An open device.
struct Watch {
    inner: Box<dyn Transport>,
    device: Arc<Path>,
    process: &'static Process,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let inner = mem::replace(&mut self.inner, Box::new(Closed));
        self.process.unused.replace(inner);
    }
}

// Whatever is not passed on is not known to the program.
#[deny(clippy::missing_trait_methods)]
impl Transport for Watch {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        let changes = matches!(command.data, Data::Out(_));
        // Reading that is cut short has no outcome to be unknown: scripts are spared the thread.
        // Once there is one, it is to know of all commands.
        let process = self.process;
        if !changes && !process.terminal && process.watcher.borrow().is_none() {
            return self.inner.execute(command);
        }
        let after = process.prepare(changes);
        let watcher = process.watcher.borrow().clone();
        if let Some(watcher) = &watcher {
            watcher.state().at_device = Some(AtDevice {
                name: command.cdb.name(),
                device: Arc::clone(&self.device),
                changes,
                since: process.terminal.then(Instant::now),
                timeout: command.timeout,
                shown: false,
            });
        }
        let (name, length) = (command.cdb.name(), command.data.len());
        let result = self.inner.execute(command);
        let succeeded = succeeded(&result, length);
        if let Some(watcher) = &watcher {
            watcher.state().end(succeeded);
        }
        if let Some(mask) = after {
            if !succeeded && self.node().kind == NodeKind::Sg && was_continued() {
                let twice = format!(
                    "sg_persist: the program was stopped while a command ({name}) was at {}, and \
                     the kernel may have sent it twice: read the keys and the reservation to see\n",
                    shown(&self.device)
                );
                say(&twice, PollTimeout::NONE);
            }
            // A stop that came meanwhile takes effect here.
            let _ = mask.thread_set_mask();
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

    fn host(&mut self, timeout: Duration) -> Option<TransportId> {
        self.inner.host(timeout)
    }
}

/// Whether a command with so many bytes of data was carried out, by all that came back of it.
fn succeeded(result: &io::Result<Completion>, length: usize) -> bool {
    result.as_ref().is_ok_and(|completion| {
        completion.check().is_ok() && completion.transferred(length).is_ok()
    })
}

/// Whether SIGCONT came since it has to wait.
fn was_continued() -> bool {
    let signals = SigSet::from_iter([Signal::SIGCONT]);
    thread::wait(&signals, Some(Duration::ZERO)).is_some()
}

/// The command at the device.
#[derive(Debug)]
struct AtDevice {
    name: &'static str,
    device: Arc<Path>,
    changes: bool,
    /// When it was sent; only where that can be shown.
    since: Option<Instant>,
    timeout: Duration,
    /// Whether a line about it stands on the terminal.
    shown: bool,
}

/// How far the run has come.
#[derive(Debug, Default)]
struct State {
    at_device: Option<AtDevice>,
    /// The device that has made a change, by its own account.
    changed: Option<Arc<Path>>,
}

/// The thread, and what it has to know.
#[derive(Debug)]
struct Watcher {
    /// The signals that come to it: those of [`ENDING`] that were not blocked before.
    signals: SigSet,
    state: Mutex<State>,
}

impl Watcher {
    /// Starts the thread. From then on the signals come to it, but for those that were in `blocked`
    /// before: whoever started this program wants them to wait.
    fn start(blocked: &SigSet, terminal: bool) -> io::Result<Arc<Self>> {
        let ending = ENDING.into_iter();
        let watcher = Arc::new(Self {
            signals: ending.filter(|&one| !blocked.contains(one)).collect(),
            state: Mutex::default(),
        });
        let for_thread = Arc::clone(&watcher);
        let patience = terminal.then_some(PATIENCE);
        thread::start(Box::new(move || {
            loop {
                match thread::wait(&for_thread.signals, patience) {
                    Some(signal) => for_thread.end(signal),
                    None => for_thread.show_progress(),
                }
            }
        }))?;
        Ok(watcher)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a person what is being waited for.
    fn show_progress(&self) {
        let mut state = self.state();
        let Some(command) = state.at_device.as_mut() else {
            return;
        };
        let waited = command
            .since
            .map_or(Duration::ZERO, |since| since.elapsed());
        if waited >= PATIENCE {
            command.shown |= say(&command.progress(waited), PollTimeout::ZERO);
        }
    }

    /// Ends the program by the signal that came, as if nobody had looked at it first.
    fn end(&self, signal: Signal) {
        // It can be waited for all the same, for what is blocked is not ignored.
        if thread::is_ignored(signal) {
            return;
        }
        // Kept to the end: once it is said that the outcome is unknown, the main thread must not go
        // on to tell it.
        let state = self.state();
        say(&state.last_words(signal), LAST_PATIENCE.into());
        let _ = self.signals.thread_unblock();
        let _ = raise(signal);
        drop(state);
    }
}

/// Writes past the lock of standard error, which the main thread holds, and tells whether anything
/// was written. A pipe that is full or a terminal that was told to wait (Ctrl-S) is given so much
/// time: a signal has to end the program, whether anybody reads or not.
pub(crate) fn say(text: &str, patience: PollTimeout) -> bool {
    if text.is_empty() {
        return false;
    }
    let stderr = io::stderr();
    let mut asked = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    let takes_nothing = matches!(poll(&mut asked, patience), Ok(0));
    // Where writing fails there is nobody else to tell.
    !takes_nothing && write(&stderr, text.as_bytes()).is_ok()
}

/// A device's name without what could take a terminal over.
fn shown(device: &Path) -> String {
    visible(&device.to_string_lossy()).replace('\n', ".")
}

impl AtDevice {
    /// The line that a person sees after so long. It says how long it has been, and not how long it
    /// will be: a command is not always over when its time is, for the kernel aborts it then, and
    /// resets what does not let itself be aborted.
    fn progress(&self, waited: Duration) -> String {
        format!(
            "{CLEAR}sg_persist: waiting {} s for {} ({}, timeout {} s)",
            waited.as_secs(),
            shown(&self.device),
            self.name,
            self.timeout.as_secs()
        )
    }
}

impl State {
    /// The command at the device has ended.
    fn end(&mut self, succeeded: bool) {
        let Some(command) = self.at_device.take() else {
            return;
        };
        if command.shown {
            say(CLEAR, PollTimeout::ZERO);
        }
        if command.changes && succeeded {
            self.changed = Some(command.device);
        }
    }

    /// What there is to say when `signal` ends the program now: a line, or nothing.
    fn last_words(&self, signal: Signal) -> String {
        let Some(command) = &self.at_device else {
            return self.changed.as_ref().map_or_else(String::new, |device| {
                let device = shown(device);
                format!("sg_persist: {signal} after the change at {device} was made\n")
            });
        };
        let clear = if command.shown { CLEAR } else { "" };
        let outcome = match (command.changes, &self.changed) {
            (true, _) => "its outcome is unknown: read the keys and the reservation to see",
            // Nothing is read after a change but to compare.
            (false, Some(_)) => "the change was made, but it was not verified",
            (false, None) => "there is no answer",
        };
        format!(
            "{clear}sg_persist: {signal} while a command ({}) was at {}; {outcome}\n",
            command.name,
            shown(&command.device),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_device(device: &str) -> AtDevice {
        AtDevice {
            name: "Persistent reservation in",
            device: Path::new(device).into(),
            changes: false,
            since: None,
            timeout: Duration::from_secs(20),
            shown: true,
        }
    }

    #[test]
    fn the_line_counts_on_past_the_timeout() {
        let line = |seconds| at_device("/dev/sda").progress(Duration::from_millis(seconds));
        assert_eq!(
            line(1999),
            "\r\x1b[Ksg_persist: waiting 1 s for /dev/sda (Persistent reservation in, timeout 20 s)"
        );
        assert_eq!(
            line(25_000),
            "\r\x1b[Ksg_persist: waiting 25 s for /dev/sda (Persistent reservation in, timeout 20 s)"
        );
    }

    #[test]
    fn a_device_s_name_takes_no_terminal_over() {
        let hostile = "/dev/\x1b]0;x\x07\n\u{9b}2J\u{e4}";
        assert_eq!(
            at_device(hostile).progress(Duration::from_secs(2)),
            "\r\x1b[Ksg_persist: waiting 2 s for /dev/.]0;x...2J\u{e4} (Persistent reservation in, timeout 20 s)"
        );
        let state = State {
            at_device: Some(at_device(hostile)),
            changed: None,
        };
        assert_eq!(
            state.last_words(Signal::SIGINT),
            "\r\x1b[Ksg_persist: SIGINT while a command (Persistent reservation in) was at \
             /dev/.]0;x...2J\u{e4}; there is no answer\n"
        );
    }
}
