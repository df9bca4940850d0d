//! What all steps of a run share, and what has happened in it so far.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::time::Duration;

use super::console::Console;
use super::tally::Progress;
use crate::cli::request::Task;
use crate::clock::Clock;
use crate::host_ports::PathPorts;
use crate::multipath::Maps;
use crate::multipath::unit::PathReport;
use crate::pr::prin::ParameterData;
use crate::pr::transport_id::TransportId;
use crate::render::json::UnitShape;
use crate::render::summary::Row;
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::StandardInquiry;
use crate::transport::{Completion, Open};

/// What all steps of a run share.
pub(super) struct Session<'a, 'c> {
    pub(super) task: &'a Task,
    /// The devices; `None` where they are to be opened in another process.
    pub(super) devices: Option<&'a dyn Open>,
    pub(super) clock: &'a dyn Clock,
    pub(super) console: &'a Console<'c>,
    /// Prints whole lines on standard error.
    pub(super) print: &'a dyn Fn(&str),
    /// Whether `-vvvv` has told what it tells once.
    pub(super) introduced: Cell<bool>,
    pub(super) record: RefCell<Record>,
    /// Whether nothing is to be coloured.
    pub(super) no_color: bool,
    /// This host's own initiator ports, for a device.
    pub(super) own_ports: &'a dyn Fn(&Path) -> Vec<TransportId>,
    /// When the run has to end, by the clock.
    pub(super) deadline: Option<Duration>,
    /// Where it is kept how far the run is, if it is one of several.
    pub(super) progress: Option<Progress<'a>>,
    /// Multipath maps.
    pub(super) maps: &'a dyn Maps,
    /// Those through which the commands to this very device go.
    pub(super) path_ports: &'a dyn Fn(&Path) -> PathPorts,
}

/// How the command went that the run is about, kept while others are sent beside it.
pub(super) struct Aside {
    cdb: Option<Cdb>,
    completion: Option<Completion>,
    os_error: Option<(i32, String)>,
    unit_attentions: usize,
}

impl Session<'_, '_> {
    /// What is said of how commands end is kept back from now on.
    pub(super) fn hold_back(&self) {
        self.record.borrow_mut().held_back.push(Vec::new());
    }

    /// Says `text` in whole lines on standard error; with what is kept back, where something is.
    pub(super) fn say(&self, text: &str) {
        match self.record.borrow_mut().held_back.last_mut() {
            Some(held_back) if self.task.verbosity == 0 => held_back.extend(text.as_bytes()),
            _ => (self.print)(text),
        }
    }

    /// Says what was kept back since the [`Session::hold_back`] that belongs to it, unless it
    /// `is_dropped`.
    pub(super) fn release(&self, is_dropped: bool) {
        let held_back = &mut self.record.borrow_mut().held_back;
        if let (Some(told), false) = (held_back.pop(), is_dropped) {
            match held_back.last_mut() {
                Some(outer) => outer.extend(told),
                None => self.console.err_from_device(&told),
            }
        }
    }

    /// What is sent from now on reads, and is not what the run is about.
    pub(super) fn begin_aside(&self) -> Aside {
        let mut record = self.record.borrow_mut();
        record.is_aside = true;
        Aside {
            cdb: record.cdb,
            completion: record.completion.clone(),
            os_error: record.os_error.clone(),
            unit_attentions: record.unit_attentions.len(),
        }
    }

    /// That has ended. The unit attentions that were read past in between come back.
    pub(super) fn end_aside(&self, before: Aside) -> Vec<Vec<u8>> {
        let mut record = self.record.borrow_mut();
        record.is_aside = false;
        record.cdb = before.cdb;
        record.completion = before.completion;
        record.os_error = before.os_error;
        let new = record.unit_attentions.get(before.unit_attentions..);
        new.unwrap_or_default().to_vec()
    }
}

/// What has happened so far, for a document at the end.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) inquiry: Option<StandardInquiry>,
    /// The last command other than INQUIRY.
    pub(super) cdb: Option<Cdb>,
    /// How the last command of all ended.
    pub(super) completion: Option<Completion>,
    pub(super) os_error: Option<(i32, String)>,
    pub(super) unit_attentions: Vec<Vec<u8>>,
    pub(super) parameter_data: Option<ParameterData>,
    pub(super) answer: Option<bool>,
    /// What an overview has told so far, where a document is wanted.
    pub(super) overviews: Vec<UnitShape>,
    /// A line for each of them, in short.
    pub(super) rows: Vec<Row>,
    /// What became of a change on each path of a multipath map.
    pub(super) paths: Vec<PathReport>,
    /// Why the command was refused, where that was looked for.
    pub(super) explanation: Option<Explanation>,
    /// Whether how the run ended has been said already.
    pub(super) is_reported: bool,
    /// Whether what is sent now reads, beside what the run is about.
    pub(super) is_aside: bool,
    /// Whether the change that was asked for has been sent, and what follows comes after it.
    pub(super) change_was_sent: bool,
    /// What is said of how commands end, kept back while they may fail without harm: for each part
    /// of which that is so, the innermost last.
    pub(super) held_back: Vec<Vec<u8>>,
}

/// Why a command was refused, or that it could not be found out.
#[derive(Debug)]
pub(super) struct Explanation {
    /// Each with the rule's name.
    pub(super) lines: Vec<(&'static str, String)>,
}
