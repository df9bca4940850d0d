//! What all steps of a run share, and what has happened in it so far.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::time::Duration;

use super::console::Console;
use crate::cli::request::Task;
use crate::clock::Clock;
use crate::multipath::Maps;
use crate::pr::prin::ParameterData;
use crate::pr::transport_id::TransportId;
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::StandardInquiry;
use crate::transport::{Completion, Open};

/// What all steps of a run share.
pub(super) struct Session<'a, 'c> {
    pub(super) task: &'a Task,
    pub(super) devices: &'a dyn Open,
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
    /// Multipath maps.
    pub(super) maps: &'a dyn Maps,
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
    /// Whether the change that was asked for has been sent, and what follows comes after it.
    pub(super) change_was_sent: bool,
    /// What is said of how commands end, kept back while they may fail without harm: for each part
    /// of which that is so, the innermost last.
    pub(super) held_back: Vec<Vec<u8>>,
}
