//! Signals that are to end the program, while there is something to take back first.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};

use crate::thread;
use crate::watch::ENDING;

/// A thread to which these signals come.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Whether one has come.
    has_come: Arc<AtomicBool>,
    /// Which.
    number: Arc<AtomicI32>,
}

impl Stop {
    /// Has the signals wait from now on, but for those that whoever started this program wants to
    /// wait or to be ignored.
    ///
    /// # Errors
    /// There can be no thread: the signals end the program as before.
    pub(crate) fn start() -> io::Result<Self> {
        let all: SigSet = ENDING.into_iter().collect();
        let before = all.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let ours: SigSet = ENDING
            .into_iter()
            .filter(|&one| !before.contains(one))
            .collect();
        let stop = Self {
            has_come: Arc::default(),
            number: Arc::default(),
        };
        let (has_come, number) = (Arc::clone(&stop.has_come), Arc::clone(&stop.number));
        let started = thread::start(Box::new(move || {
            loop {
                if let Some(signal) = thread::wait(&ours, None)
                    && !thread::is_ignored(signal)
                {
                    number.store(signal as i32, Ordering::Relaxed);
                    has_come.store(true, Ordering::Release);
                    return;
                }
            }
        }));
        if started.is_err() {
            let _ = before.thread_set_mask();
        }
        started.map(|()| stop)
    }

    /// Set when one has come.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_come)
    }

    /// Ends the program by the signal that has come, if one has.
    pub(crate) fn end(&self) {
        if !self.has_come.load(Ordering::Acquire) {
            return;
        }
        if let Ok(signal) = Signal::try_from(self.number.load(Ordering::Relaxed)) {
            let _ = SigSet::from_iter([signal]).thread_unblock();
            let _ = raise(signal);
        }
    }
}
