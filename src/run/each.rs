//! The same done to each of several devices, at the same time, and what came of it.

use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::announced::{Announced, Ended};
use super::console::Console;
use super::report::InquiryFailure;
use super::session::{Record, Session};
use super::tally::{Beside, Progress, Tally};
use super::told::in_words;
use super::{Done, document, status, twice};
use crate::cli::request::{Operation, Task, Units};
use crate::clock::Clock;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::host_ports::PathPorts;
use crate::multipath::lock::Lock;
use crate::multipath::{BlockNumber, Map, Maps, TopologyError};
use crate::pr::transport_id::TransportId;
use crate::transport::remote::Nodes;
use crate::transport::{CommandError, os_error_text};

/// A device that takes longer than this makes room for another one.
const SLOW: Duration = Duration::from_secs(1);

/// The most devices at the same time, those included that are slow.
const MOST: usize = 1024;

/// What all devices have in common.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) maps: &'a dyn Maps,
    pub(super) own_ports: &'a (dyn Fn(&Path) -> Vec<TransportId> + Sync),
    pub(super) path_ports: &'a (dyn Fn(&Path) -> PathPorts + Sync),
    pub(super) no_color: bool,
    /// Whether standard output and standard error are terminals.
    pub(super) terminals: (bool, bool),
}

/// Maps whose changes let a signal end the program at once: what became of each device is said then.
struct Unwatched<'a>(&'a dyn Maps);

impl Maps for Unwatched<'_> {
    fn number(&self, device: &Path) -> Option<BlockNumber> {
        self.0.number(device)
    }

    fn identities(&self, device: &Path) -> Vec<String> {
        self.0.identities(device)
    }

    fn below(&self, device: BlockNumber) -> Result<Option<Map>, TopologyError> {
        self.0.below(device)
    }

    fn above(&self, path: BlockNumber) -> Result<Option<Map>, TopologyError> {
        self.0.above(path)
    }

    fn lock(&self, number: BlockNumber, within: Duration) -> Option<Lock> {
        self.0.lock(number, within)
    }

    fn watch_signals(&self) -> Option<Arc<AtomicBool>> {
        None
    }

    fn nodes(&self) -> io::Result<Box<dyn Nodes>> {
        self.0.nodes()
    }
}

/// What came of devices, and is not shown yet.
#[derive(Default)]
struct Results {
    ended: Mutex<Vec<Ended>>,
    more: Condvar,
}

impl Results {
    fn add(&self, ended: Ended) {
        let mut all = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(ended);
        self.more.notify_one();
    }

    /// Those that have come, or come soon.
    fn wait(&self) -> Vec<Ended> {
        let all = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .more
            .wait_timeout_while(all, SLOW, |all| all.is_empty());
        let (mut all, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut all)
    }
}

/// The devices of a run, and how far it is.
struct Crew<'a> {
    ground: Ground<'a>,
    task: &'a Task,
    units: &'a Units,
    tally: &'a Tally,
    /// When the run has to end.
    deadline: Option<Duration>,
    /// The device that comes next, and the one before which it ends.
    next: AtomicUsize,
    end: usize,
    /// How many threads there are, and how many there may be.
    threads: AtomicUsize,
    most: AtomicUsize,
}

/// Does what `task` asks for to each of `units`, and shows it in the form asked for.
///
/// # Errors
/// Nothing was sent to any of them.
pub(super) fn each(
    ground: Ground<'_>,
    task: &Task,
    units: &Units,
    beside: &dyn Beside,
    announced: &mut Announced<'_, '_>,
) -> Result<Done, Error> {
    let is_change = task.operation.is_change();
    let is_sent = !matches!(task.operation, Operation::DryRun(_));
    if is_change && let Some(devices) = twice::named_twice(ground.maps, &units.names) {
        return Err(Error::NamedTwice { devices });
    }
    let most = beside.most();
    if is_sent {
        // Started once, and for all of them.
        ground.maps.nodes().map_err(worker(task))?;
    }
    let tally = Tally::new(units.names.clone(), is_change);
    beside.begin(&tally);
    announced.begin(&tally);
    let all = units.names.len();
    let first = if units.first_decides { 1 } else { all };
    let mut crew = Crew {
        ground,
        task,
        units,
        tally: &tally,
        deadline: task.deadline.map(|deadline| ground.clock.now() + deadline),
        next: AtomicUsize::new(0),
        end: 0,
        threads: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    };
    crew.carry_out(0..first, most, beside, announced)
        .map_err(worker(task))?;
    let decided = announced.status();
    let left = match decided {
        _ if first == all => None,
        // What became of the first one is told, whatever keeps the others from being begun.
        ExitStatus::SUCCESS => crew
            .carry_out(first..all, most, beside, announced)
            .err()
            .map(|source| {
                let why = os_error_text(&source);
                let words = format!("not sent: no thread could be started: {why}");
                (ExitStatus::from(&worker(task)(source)), words)
            }),
        _ => {
            let first = units.names.first().map(OsString::as_os_str);
            let first = first.unwrap_or_default().to_string_lossy();
            let words = format!("not sent: it was not done on {first}");
            Some((decided, words))
        }
    };
    if let Some((status, words)) = left {
        for index in first..all {
            tally.end(index, status);
            announced.take(not_sent(task, units, index, (status, &words)));
        }
    }
    announced.finish();
    Ok(match announced.status() {
        ExitStatus::SUCCESS => Done::Yes,
        ExitStatus::FALSE => Done::No,
        status => Done::Otherwise(status),
    })
}

fn worker(task: &Task) -> impl Fn(io::Error) -> Error {
    let device = task.device.clone();
    move |source| Error::Worker {
        device: device.clone(),
        source,
    }
}

impl Crew<'_> {
    /// Does it to the devices of this range, `most` at the same time at the most.
    ///
    /// # Errors
    /// No thread could be started, and nothing was sent.
    fn carry_out(
        &mut self,
        range: Range<usize>,
        most: usize,
        beside: &dyn Beside,
        announced: &mut Announced<'_, '_>,
    ) -> io::Result<()> {
        let mut left = range.len();
        self.next = AtomicUsize::new(range.start);
        self.end = range.end;
        self.threads = AtomicUsize::new(0);
        let most = most.min(MOST);
        let parallel = self.units.parallel.min(most).max(1);
        self.most = AtomicUsize::new(parallel);
        let crew = &*self;
        let results = Results::default();
        let mut outcome = Ok(());
        beside.threads(&|| crew.work(&results), &mut |start| {
            let start = || {
                // Counted before it can leave.
                crew.threads.fetch_add(1, Ordering::Relaxed);
                let started = start();
                if started.is_err() {
                    crew.threads.fetch_sub(1, Ordering::Relaxed);
                }
                started
            };
            outcome = start();
            if outcome.is_err() {
                return;
            }
            for _ in 1..parallel.min(left) {
                // Fewer do as well.
                if start().is_err() {
                    break;
                }
            }
            let mut looked = Instant::now();
            while left > 0 {
                for one in results.wait() {
                    left -= 1;
                    announced.take(one);
                }
                if looked.elapsed() < SLOW {
                    continue;
                }
                looked = Instant::now();
                let allowed = (parallel + crew.tally.slow(SLOW)).min(most).max(1);
                crew.most.store(allowed, Ordering::Relaxed);
                while crew.threads.load(Ordering::Relaxed) < allowed
                    && crew.next.load(Ordering::Relaxed) < crew.end
                    && start().is_ok()
                {}
            }
        });
        outcome
    }

    /// Does it to one device after the other.
    fn work(&self, results: &Results) {
        let leave = |threads: usize| {
            let most = self.most.load(Ordering::Relaxed);
            (threads > most).then(|| threads - 1)
        };
        let order = Ordering::Relaxed;
        while self.threads.fetch_update(order, order, leave).is_err() {
            let index = self.next.fetch_add(1, order);
            if index >= self.end {
                self.threads.fetch_sub(1, order);
                return;
            }
            self.tally.begin(index);
            let ended = self.one(index);
            self.tally.end(index, ended.status);
            results.add(ended);
        }
    }

    /// Does it to the device `index`.
    fn one(&self, index: usize) -> Ended {
        let name = &self.units.names[index];
        let task = of(self.task, name);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (out_is_terminal, err_is_terminal) = self.ground.terminals;
        let (out_is_terminal, err_is_terminal) = (|| out_is_terminal, || err_is_terminal);
        let console = Console::new(
            (&mut stdout, &out_is_terminal),
            (&mut stderr, &err_is_terminal),
        );
        let maps = Unwatched(self.ground.maps);
        let session = Session {
            task: &task,
            devices: None,
            clock: self.ground.clock,
            console: &console,
            print: &|text| console.err(text.as_bytes()),
            introduced: Cell::new(false),
            record: RefCell::new(Record::default()),
            no_color: self.ground.no_color,
            own_ports: self.ground.own_ports,
            deadline: self.deadline,
            progress: Some(Progress {
                tally: self.tally,
                index,
            }),
            maps: &maps,
            path_ports: self.ground.path_ports,
        };
        let ended = super::attempt(&session, InquiryFailure::OnStderr);
        let status = status(&ended);
        let error = ended.as_ref().err();
        let words = match (&ended, &task.operation) {
            (
                Err(Error::Command {
                    command,
                    source: CommandError::Status { .. },
                }),
                _,
            ) => format!("{command}: {}", status.text().unwrap_or_default()),
            (Err(error), _) => in_words(error),
            (Ok(Done::Yes), Operation::Question(_)) => "yes".to_owned(),
            (Ok(Done::No), _) => "no".to_owned(),
            (Ok(_), _) => "done".to_owned(),
        };
        // Writing to memory does not fail.
        let _ = console.finish();
        let row = session.record.borrow_mut().rows.pop();
        let json = task.json.as_ref();
        let document = json
            .map(|json| document::document(&session, json, None, b"", status, error))
            .map(Box::new);
        drop(session);
        Ended {
            index,
            status,
            words: words.trim_start_matches("sg_persist: ").to_owned(),
            stdout,
            stderr,
            row,
            document,
        }
    }
}

/// The task for the device called `name` alone.
fn of(task: &Task, name: &OsStr) -> Task {
    Task {
        device: name.to_owned(),
        units: None,
        ..task.clone()
    }
}

/// A device to which nothing was sent, for the reason given in words.
fn not_sent(
    task: &Task,
    units: &Units,
    index: usize,
    (status, words): (ExitStatus, &str),
) -> Ended {
    let words = words.to_owned();
    let task = of(task, &units.names[index]);
    let json = task.json.as_ref();
    let document =
        json.map(|json| Box::new(document::not_sent(&task, json, words.clone(), status)));
    Ended {
        index,
        status,
        words,
        stdout: Vec::new(),
        stderr: Vec::new(),
        row: None,
        document,
    }
}
