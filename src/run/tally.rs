//! How far a run on several devices is: for a person who waits, and for the last words when a signal
//! ends it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::exit::ExitStatus;
use crate::render::line::name;

/// How many devices that are waited for are named.
const NAMED: usize = 2;

/// How far each of several devices is.
#[derive(Debug)]
pub struct Tally {
    names: Vec<OsString>,
    /// Whether the devices are changed.
    is_change: bool,
    state: Mutex<State>,
}

/// What changes of it. Who holds it keeps everything from being begun.
#[derive(Debug)]
pub struct State {
    stages: Vec<Stage>,
    /// Whether a line about it stands on the terminal.
    pub is_shown: bool,
    /// Whether something else is being written.
    pub is_writing: bool,
}

/// How far one device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has been done.
    Waiting,
    /// Something is being done, and nothing has been changed, since then.
    Begun(Instant),
    /// A change was sent.
    Changing(Instant),
    /// It is over, with this status.
    Ended(ExitStatus),
}

/// The place of one device in a tally.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress<'a> {
    pub(super) tally: &'a Tally,
    pub(super) index: usize,
}

impl Progress<'_> {
    /// A change is about to be sent.
    pub(super) fn changes(self) {
        self.tally.set(self.index, Stage::Changing(Instant::now()));
    }
}

impl Tally {
    pub(super) fn new(names: Vec<OsString>, is_change: bool) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                stages: vec![Stage::Waiting; names.len()],
                is_shown: false,
                is_writing: false,
            }),
            names,
            is_change,
        })
    }

    /// Its state. As long as somebody has it nothing is sent that is not on its way yet.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the devices are changed, by what the command line asks for.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        self.is_change
    }

    fn set(&self, index: usize, stage: Stage) {
        if let Some(one) = self.state().stages.get_mut(index) {
            *one = stage;
        }
    }

    pub(super) fn begin(&self, index: usize) {
        self.set(index, Stage::Begun(Instant::now()));
    }

    pub(super) fn end(&self, index: usize, status: ExitStatus) {
        self.set(index, Stage::Ended(status));
    }

    /// How many devices have been busy for longer than `time`.
    pub(super) fn slow(&self, time: Duration) -> usize {
        let stages = &self.state().stages;
        let is_slow = |stage: &&Stage| match stage {
            Stage::Begun(since) | Stage::Changing(since) => since.elapsed() >= time,
            _ => false,
        };
        stages.iter().filter(is_slow).count()
    }

    /// A line that says how far it is; nothing where there is nothing to wait for.
    #[must_use]
    pub fn line(&self, state: &State) -> Option<String> {
        let ended = |is_good: bool| {
            let stages = state.stages.iter();
            let is_one = |stage: &&Stage| match stage {
                Stage::Ended(status) => is_told(*status) == is_good,
                _ => false,
            };
            stages.filter(is_one).count()
        };
        let busy: Vec<&OsString> = self
            .names
            .iter()
            .zip(&state.stages)
            .filter(|(_, stage)| matches!(stage, Stage::Begun(_) | Stage::Changing(_)))
            .map(|(name, _)| name)
            .collect();
        if busy.is_empty() {
            return None;
        }
        let (done, failed, all) = (ended(true), ended(false), self.names.len());
        let mut line = format!("sg_persist: {done} of {all} done");
        if failed > 0 {
            let _ = write!(line, ", {failed} failed");
        }
        let named: Vec<String> = busy.iter().take(NAMED).map(|one| name(one)).collect();
        let _ = write!(line, ", waiting for {}", named.join(", "));
        if busy.len() > NAMED {
            let _ = write!(line, " and {} more", busy.len() - NAMED);
        }
        Some(line)
    }

    /// What became of each device, where the run ends now by `signal`: a line for each.
    #[must_use]
    pub fn last_words(&self, state: &State, signal: &str) -> String {
        let mut words = format!("sg_persist: {signal}; nothing more was sent\n");
        for (name, stage) in self.names.iter().zip(&state.stages) {
            let _ = writeln!(words, "{}: {}", self::name(name), self.outcome(*stage));
        }
        words
    }

    fn outcome(&self, stage: Stage) -> String {
        match stage {
            Stage::Waiting => "not sent".to_owned(),
            Stage::Begun(_) if self.is_change => "not sent".to_owned(),
            Stage::Begun(_) => "there is no answer".to_owned(),
            Stage::Changing(_) => {
                "its outcome is unknown: read the keys and the reservation to see".to_owned()
            }
            Stage::Ended(ExitStatus::SUCCESS) => "done".to_owned(),
            Stage::Ended(ExitStatus::FALSE) => "done: the answer is no".to_owned(),
            Stage::Ended(status) => {
                let text = status.text().unwrap_or_default();
                format!("failed: {text} (status {})", status.code())
            }
        }
    }
}

/// Whether a device that ended with `status` did what was asked of it.
fn is_told(status: ExitStatus) -> bool {
    matches!(status, ExitStatus::SUCCESS | ExitStatus::FALSE)
}

/// Starts one more thread.
pub type StartOne<'a> = dyn Fn() -> io::Result<()> + 'a;

/// What runs beside a run on several devices.
pub trait Beside {
    /// How many devices the machine lets this process have at the same time.
    fn most(&self) -> usize;

    /// Runs `work` in threads, one for each time that `meanwhile` calls what it is given, and returns
    /// when `meanwhile` and all of them have ended.
    fn threads(&self, work: &(dyn Fn() + Sync), meanwhile: &mut dyn FnMut(&StartOne<'_>));

    /// It begins: from now on `tally` says how far it is.
    fn begin(&self, tally: &Arc<Tally>);

    /// Something is about to be written.
    fn pause(&self, tally: &Tally);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(is_change: bool) -> Arc<Tally> {
        let names = ["a", "b", "c\n", "d", "e"].map(OsString::from);
        let tally = Tally::new(names.to_vec(), is_change);
        for index in 0..4 {
            tally.begin(index);
        }
        tally.end(0, ExitStatus::SUCCESS);
        tally.end(1, ExitStatus::RESERVATION_CONFLICT);
        if is_change {
            let tally = &*tally;
            Progress { tally, index: 2 }.changes();
        }
        tally
    }

    #[test]
    fn a_person_sees_how_far_it_is() {
        let tally = tally(true);
        let line = tally.line(&tally.state());
        assert_eq!(
            line.as_deref(),
            Some("sg_persist: 1 of 5 done, 1 failed, waiting for c., d")
        );
        tally.begin(4);
        tally.end(1, ExitStatus::FALSE);
        let line = tally.line(&tally.state());
        assert_eq!(
            line.as_deref(),
            Some("sg_persist: 2 of 5 done, waiting for c., d and 1 more")
        );
        for index in 0..5 {
            tally.end(index, ExitStatus::SUCCESS);
        }
        assert_eq!(tally.line(&tally.state()), None);
        assert_eq!(tally.slow(Duration::ZERO), 0);
    }

    #[test]
    fn the_last_words_are_about_each_device() {
        let words = |is_change| {
            let tally = tally(is_change);
            let state = tally.state();
            tally.last_words(&state, "SIGTERM")
        };
        assert_eq!(
            words(true),
            "sg_persist: SIGTERM; nothing more was sent\n\
             a: done\n\
             b: failed: Reservation conflict (status 24)\n\
             c.: its outcome is unknown: read the keys and the reservation to see\n\
             d: not sent\n\
             e: not sent\n"
        );
        assert!(
            words(false).ends_with("c.: there is no answer\nd: there is no answer\ne: not sent\n")
        );
    }

    #[test]
    fn what_is_busy_for_long_is_counted() {
        let tally = tally(true);
        assert_eq!(tally.slow(Duration::ZERO), 2);
        assert_eq!(tally.slow(Duration::from_secs(60)), 0);
    }
}
