//! Reading over whichever path answers.

use std::io;
use std::time::Duration;

use super::outcome::{Class, class};
use super::paths::{Ended, Paths};
use crate::pr::transport_id::TransportId;
use crate::transport::{
    Command, CommandError, Completion, Data, HostStatus, Node, Transport, os_error_text,
};

/// How long a path may be silent before another one is asked as well.
pub const SILENCE: Duration = Duration::from_secs(1);

/// The host status where no path leads to the logical unit.
const DID_NO_CONNECT: HostStatus = HostStatus(0x01);

/// A logical unit, by all its paths: a command goes over the first one that carries it, and over the
/// next one as well where that is silent. For commands that change nothing, as one may be carried
/// out twice.
///
/// An answer that makes no sense is an answer: no other path is asked for a better one.
#[derive(Debug)]
pub struct AnyPath {
    paths: Paths,
    /// The map's name.
    name: String,
    /// The paths that are worth a try, the best first.
    order: Vec<usize>,
    /// What is known of the others.
    untried: Vec<String>,
    sent: Vec<String>,
}

impl AnyPath {
    /// The logical unit behind the map `name`, over `paths` in this `order`. Why the others are not
    /// in there is what `untried` says, a line for each.
    #[must_use]
    pub fn new(paths: Paths, name: &str, order: Vec<usize>, untried: Vec<String>) -> Self {
        Self {
            paths,
            name: name.to_owned(),
            order,
            untried,
            sent: Vec::new(),
        }
    }

    /// The path that the next command goes over first: the one that answered last.
    #[must_use]
    pub fn first(&self) -> Option<usize> {
        self.order.first().copied()
    }

    /// The paths, the one that the next command goes over first in front.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The path `index` is worth no try any more.
    pub fn leave_out(&mut self, index: usize, why: &str) {
        self.order.retain(|&known| known != index);
        self.untried
            .push(format!("{}: {why}", self.paths.name(index)));
    }

    /// What follows from no path having carried the command.
    fn nowhere(&self, failures: Vec<(usize, Ended)>, sent: Vec<String>) -> Completion {
        let mut lines = self.untried.clone();
        let mut told: Option<Completion> = None;
        for (index, ended) in failures {
            let name = self.paths.name(index);
            lines.push(match ended.result {
                Ok(completion) => {
                    let why = match completion.check() {
                        Err(error) => error.to_string(),
                        Ok(()) => "no answer".to_owned(),
                    };
                    told.get_or_insert(completion);
                    format!("{name}: {why}")
                }
                Err(error) => format!("{name}: {}", os_error_text(&error)),
            });
        }
        let mut completion = told.unwrap_or_else(|| Completion {
            host_status: DID_NO_CONNECT,
            ..Completion::default()
        });
        completion.translation.reason = Some(format!(
            "no path of {} carried the command ({})",
            self.name,
            match lines.is_empty() {
                true => "it has none".to_owned(),
                false => lines.join("; "),
            }
        ));
        completion.translation.sent = sent;
        completion
    }
}

/// What follows from how a command ended on one path.
fn class_of(ended: &Ended) -> Class {
    match &ended.result {
        Ok(completion) => completion
            .check()
            .map_or_else(|error| class(&error), |()| Class::Done),
        Err(error) => class(&CommandError::Os(copy(error))),
    }
}

/// The same error once more.
pub(super) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl Transport for AnyPath {
    fn execute(&mut self, mut command: Command<'_>) -> io::Result<Completion> {
        // A path that is still silent after another command is asked when there is no other.
        let (mut untried, busy): (Vec<_>, Vec<_>) = self
            .order
            .iter()
            .partition(|&&index| !self.paths.is_busy(index));
        untried.extend(busy);
        let mut untried = untried.into_iter().peekable();
        let mut waiting: Vec<usize> = Vec::new();
        let mut failures = Vec::new();
        let mut sent = Vec::new();
        let (index, ended) = loop {
            if waiting.is_empty() {
                let Some(next) = untried.next() else {
                    return Ok(self.nowhere(failures, sent));
                };
                self.paths.begin(next, &command)?;
                waiting.push(next);
            }
            let within = untried.peek().map(|_| SILENCE);
            let Some((index, ended)) = self.paths.next(&waiting, within)? else {
                if self.paths.is_over() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let name = self.paths.name(waiting[waiting.len() - 1]);
                if let Some(next) = untried.next() {
                    sent.push(format!(
                        "path {name} is silent: path {} as well",
                        self.paths.name(next)
                    ));
                    self.paths.begin(next, &command)?;
                    waiting.push(next);
                }
                continue;
            };
            waiting.retain(|&one| one != index);
            match class_of(&ended) {
                Class::NotOnThisPath | Class::Unknown => {
                    let why = match &ended.result {
                        Ok(completion) => completion
                            .check()
                            .err()
                            .map_or_else(String::new, |error| error.to_string()),
                        Err(error) => os_error_text(error),
                    };
                    sent.push(format!("path {}: {why}", self.paths.name(index)));
                    failures.push((index, ended));
                }
                _ => break (index, ended),
            }
        };
        for silent in waiting {
            self.paths.abandon(silent);
        }
        if let Some(place) = self.order.iter().position(|&one| one == index) {
            self.order[..=place].rotate_right(1);
        }
        sent.push(format!("path {}", self.paths.name(index)));
        if let Data::In(room) = &mut command.data {
            let length = room.len().min(ended.data.len());
            room[..length].copy_from_slice(&ended.data[..length]);
        }
        let mut completion = ended.result?;
        sent.append(&mut completion.translation.sent);
        completion.translation.sent = sent;
        Ok(completion)
    }

    fn node(&self) -> Node {
        self.first()
            .map(|index| self.paths.transport(index).node())
            .unwrap_or_default()
    }

    fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
    }

    fn host(&mut self, timeout: Duration) -> Option<TransportId> {
        let mut first = self.paths.transport(self.first()?);
        let host = first.host(timeout);
        self.sent = first.sent();
        host
    }
}
