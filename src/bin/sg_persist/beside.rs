//! What runs beside a run on several devices: a thread that tells a person at a terminal how far it is,
//! and that says, when a signal is about to end the program, what is known of each device.

#![allow(unsafe_code)]

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nix::poll::PollTimeout;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use sg_persist::run::{Beside, StartOne, Tally};

use crate::thread;
use crate::watch::{CLEAR, ENDING, LAST_PATIENCE, LOSING, PATIENCE, say};

/// File descriptors that a device takes at the most, in this process or in the one that sends commands:
/// its node, and files in sysfs.
const DESCRIPTORS: u64 = 4;
/// File descriptors that are not for devices.
const OTHER_DESCRIPTORS: u64 = 16;

/// The thread, once it is needed.
#[derive(Debug)]
pub(crate) struct Watching {
    /// Whether standard error is a terminal that can take a line back.
    terminal: bool,
}

impl Watching {
    pub(crate) const fn new(terminal: bool) -> Self {
        Self { terminal }
    }
}

impl Beside for Watching {
    fn most(&self) -> usize {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
            return 1;
        };
        // The process that sends commands inherits it.
        let raised = soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
        let limit = if raised { hard } else { soft };
        let most = limit.saturating_sub(OTHER_DESCRIPTORS) / DESCRIPTORS;
        usize::try_from(most).unwrap_or(usize::MAX).max(1)
    }

    fn threads(&self, work: &(dyn Fn() + Sync), meanwhile: &mut dyn FnMut(&StartOne<'_>)) {
        let running = Running::default();
        // SAFETY: it is the same reference. It is used until the threads have ended, which `running`
        // waits for before this function returns, in whatever way.
        let work =
            unsafe { mem::transmute::<&(dyn Fn() + Sync), &'static (dyn Fn() + Sync)>(work) };
        meanwhile(&|| {
            let one = running.one();
            // Where there can be no thread, `one` goes with its task.
            thread::start_roomy(Box::new(move || {
                work();
                drop(one);
            }))
        });
    }

    fn begin(&self, tally: &Arc<Tally>) {
        let mut waiting: SigSet = ENDING.into_iter().collect();
        // A device that has been changed has a line to be told, whether anybody reads it or not.
        if tally.is_change() {
            waiting.extend(LOSING);
        }
        // All threads that are started from now on let them wait, too.
        let Ok(before) = waiting.thread_swap_mask(SigmaskHow::SIG_BLOCK) else {
            return;
        };
        // Those that waited before are to wait: whoever started this program wants that.
        let ending = ENDING.into_iter();
        let signals: SigSet = ending.filter(|&one| !before.contains(one)).collect();
        let patience = self.terminal.then_some(PATIENCE);
        let for_thread = Arc::clone(tally);
        let started = thread::start(Box::new(move || {
            loop {
                match thread::wait(&signals, patience) {
                    Some(signal) => end(&for_thread, signal, signals),
                    None => show(&for_thread),
                }
            }
        }));
        if started.is_err() {
            // A signal is to end the program, all the same.
            let _ = signals.thread_unblock();
        }
    }

    fn pause(&self, tally: &Tally) {
        let mut state = tally.state();
        state.is_writing = true;
        if std::mem::take(&mut state.is_shown) {
            say(CLEAR, PollTimeout::ZERO);
        }
    }
}

/// How many threads are at work. Its end is theirs.
#[derive(Default)]
struct Running(Arc<(Mutex<usize>, Condvar)>);

/// One of them.
struct One(Arc<(Mutex<usize>, Condvar)>);

impl Running {
    fn one(&self) -> One {
        *count(&self.0.0) += 1;
        One(Arc::clone(&self.0))
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let mut running = count(&self.0.0);
        *running -= 1;
        self.0.1.notify_all();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (running, fewer) = &*self.0;
        let waited = fewer.wait_while(count(running), |running| *running > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

fn count(running: &Mutex<usize>) -> MutexGuard<'_, usize> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells a person how far it is.
fn show(tally: &Tally) {
    let mut state = tally.state();
    if state.is_writing {
        return;
    }
    if let Some(line) = tally.line(&state) {
        state.is_shown |= say(&format!("{CLEAR}{line}"), PollTimeout::ZERO);
    }
}

/// Ends the program by the signal that came.
fn end(tally: &Tally, signal: Signal, signals: SigSet) {
    if thread::is_ignored(signal) {
        return;
    }
    // Kept to the end: nothing is sent any more.
    let state = tally.state();
    let clear = if state.is_shown { CLEAR } else { "" };
    let words = tally.last_words(&state, signal.as_str());
    say(&format!("{clear}{words}"), LAST_PATIENCE.into());
    let _ = signals.thread_unblock();
    let _ = raise(signal);
    drop(state);
}
