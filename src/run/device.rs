//! A device, and one command after the other for it.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::console::Console;
use super::explain::Explanation;
use super::trace::Tracer;
use crate::cli::request::{AccessPolicy, Operation, Task};
use crate::clock::Clock;
use crate::error::{Error, Family};
use crate::host_ports::PathPorts;
use crate::logical_unit::{Exchange, LogicalUnit, QueryError};
use crate::pr::effect::Registrants;
use crate::pr::prin::{self, Malformed, ParameterData};
use crate::pr::prout;
use crate::pr::retry::{Refusal, Tries};
use crate::pr::transport_id::TransportId;
use crate::render::json::UnitShape;
use crate::render::{diagnostic, text};
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::{self, StandardInquiry};
use crate::scsi::sense::{Sense, SenseKey};
use crate::transport::{
    Access, Command, CommandError, Completion, Data, Moved, NodeKind, Open, Transport,
    os_error_text,
};

/// How many unit attentions an overview or a question reads past with each command: more than a
/// device server keeps for one nexus.
const READING_RETRIES: u32 = 16;

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
    /// Why the command was refused, where that was looked for.
    pub(super) explanation: Option<Explanation>,
    /// Whether how the run ended has been said already.
    pub(super) is_reported: bool,
    /// Whether what is sent now reads, beside what the run is about.
    is_aside: bool,
    /// Whether the change that was asked for has been sent, and what follows comes after it.
    pub(super) change_was_sent: bool,
    /// What is said of how commands end, kept back while they may fail without harm: for each part
    /// of which that is so, the innermost last.
    held_back: Vec<Vec<u8>>,
}

/// The logical unit behind an open device.
pub(super) type Device<'a, 'c> = LogicalUnit<Channel<'a, 'c>>;

/// An open device: commands are sent again where the task allows it, recorded, and told of.
pub(super) struct Channel<'a, 'c> {
    session: &'a Session<'a, 'c>,
    name: &'a OsStr,
    access: Access,
    transport: Tracer<'a>,
}

impl<'a, 'c> Channel<'a, 'c> {
    /// Opens the device called `name`.
    fn open(
        session: &'a Session<'a, 'c>,
        name: &'a OsStr,
        access: Access,
        for_inquiry: bool,
    ) -> Result<Self, Error> {
        let device = Path::new(name);
        let flags = libc::O_NONBLOCK
            | match access {
                Access::ReadOnly => libc::O_RDONLY,
                Access::ReadWrite => libc::O_RDWR,
            };
        let verbosity = session.task.verbosity;
        if verbosity >= 2 {
            let device = device.display();
            (session.print)(&format!("open {device} with flags={flags:#x}\n"));
        }
        let opened = session.devices.open(device, access);
        let transport = opened.map_err(|source| {
            if verbosity >= 2 {
                let (device, reason) = (device.display(), os_error_text(&source));
                (session.print)(&format!(
                    "scsi_pt_open_flags: open({device}, {flags:#x}) failed: {reason}\n"
                ));
            }
            Error::Open {
                device: name.to_owned(),
                access,
                for_inquiry,
                source,
            }
        })?;
        Ok(Self {
            session,
            name,
            access,
            transport: Tracer::new(transport, verbosity, session.print, &session.introduced),
        })
    }

    /// Sends a command and tells how it went. After a unit attention it is sent again as often as
    /// the task allows, where that is right ([`Tries`]). Where the kernel refuses it on a read-only
    /// descriptor that was tried only in the hope that it would do, the device is opened read-write.
    ///
    /// The outer error says that the device could not be opened again, the inner one is about the
    /// command.
    fn command(
        &mut self,
        cdb: Cdb,
        mut data: Data<'_>,
    ) -> Result<Result<Moved, CommandError>, Error> {
        let requested = match data {
            Data::In(ref buffer) => Some(buffer.len()),
            _ => None,
        };
        let length = data.len();
        if cdb.operation_code() != Cdb::INQUIRY {
            self.session.record.borrow_mut().cdb = Some(cdb);
        }
        // What is read before a change takes away the unit attention that is meant for the change.
        let is_change = matches!(self.session.task.operation, Operation::Out { .. })
            && !self.session.record.borrow().change_was_sent;
        let Task {
            ua_retries,
            timeout,
            verbosity: level,
            ..
        } = *self.session.task;
        let ua_retries = match self.session.task.operation {
            // It changes nothing: whatever happened before, it shows what is now.
            Operation::Overview | Operation::Question(_) => READING_RETRIES.max(ua_retries),
            _ if self.session.record.borrow().is_aside => READING_RETRIES.max(ua_retries),
            _ => ua_retries,
        };
        let mut tries = Tries::new(ua_retries, timeout);
        let clock = self.session.clock;
        let since = (ua_retries > 0).then(|| clock.now());
        loop {
            let result = self.send_somehow(cdb, data.reborrow())?;
            self.record(&result);
            let attention = unit_attention(&result).filter(|_| ua_retries > 0);
            let elapsed = since.map_or(Duration::ZERO, |since| clock.now().saturating_sub(since));
            let again = attention.map(|sense| (tries.again(&sense, is_change, elapsed), sense));
            if !matches!(again, Some((Ok(_), _))) || level > 0 {
                let told = diagnostic::outcome(cdb, requested, &result, level);
                match self.session.record.borrow_mut().held_back.last_mut() {
                    Some(held_back) if level == 0 => held_back.extend(told),
                    _ => self.session.console.err_from_device(&told),
                }
            }
            let (pause, sense) = match again {
                Some((Ok(pause), sense)) => (pause, sense),
                Some((Err(refusal), _)) => {
                    let told = not_again(refusal);
                    match self.session.record.borrow_mut().held_back.last_mut() {
                        Some(held_back) if level == 0 => held_back.extend(told.as_bytes()),
                        _ => (self.session.print)(told),
                    }
                    return Ok(moved_by(result, length));
                }
                None => return Ok(moved_by(result, length)),
            };
            if level > 0 {
                (self.session.print)(
                    "A unit attention says that it was not done; it is sent again\n",
                );
            }
            self.session.record.borrow_mut().unit_attentions.push(sense);
            clock.wait(pause);
        }
    }

    fn send_somehow(
        &mut self,
        cdb: Cdb,
        mut data: Data<'_>,
    ) -> Result<io::Result<Completion>, Error> {
        let result = self.send(cdb, data.reborrow());
        let refused = result
            .as_ref()
            .is_err_and(|error| matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)));
        let may_reopen = self.access == Access::ReadOnly
            && self.session.task.access == AccessPolicy::ReadOnlyIfAllowed;
        if !(refused && may_reopen) {
            return Ok(result);
        }
        self.transport.close();
        *self = Self::open(self.session, self.name, Access::ReadWrite, false)?;
        Ok(self.send(cdb, data))
    }

    fn send(&mut self, cdb: Cdb, data: Data<'_>) -> io::Result<Completion> {
        self.transport.execute(Command {
            cdb,
            data,
            timeout: self.session.task.timeout,
        })
    }

    fn record(&self, result: &io::Result<Completion>) {
        let mut record = self.session.record.borrow_mut();
        match result {
            Ok(completion) => {
                record.completion = Some(completion.clone());
                record.os_error = None;
            }
            Err(error) => {
                let number = error.raw_os_error().unwrap_or_default();
                record.completion = None;
                record.os_error = Some((number, os_error_text(error)));
            }
        }
    }
}

impl Exchange for Channel<'_, '_> {
    type Error = Error;

    fn exchange(&mut self, cdb: Cdb, data: Data<'_>) -> Result<Moved, Error> {
        let requested = data.len();
        let is_change = matches!(data, Data::Out(_));
        let moved = self.command(cdb, data)?;
        if is_change {
            self.session.record.borrow_mut().change_was_sent = true;
        }
        moved.map_err(|source| {
            let code = cdb.as_bytes().get(1).copied().unwrap_or_default() & 0x1f;
            match cdb.operation_code() {
                Cdb::INQUIRY => {
                    // Where the target port is asked for, no answer will do.
                    if let CommandError::Residual { residual, .. } = source
                        && cdb == inquiry::cdb()
                    {
                        (self.session.print)(&format!(
                            "inquiry resid ({residual}) should never exceed requested len={requested}\n"
                        ));
                    }
                    Error::Inquiry {
                        device: self.name.to_owned(),
                        source,
                    }
                }
                Cdb::PERSISTENT_RESERVE_OUT => Error::Command {
                    command: format!("PR out ({})", name(prout::ServiceAction::from_code(code).map(prout::ServiceAction::name))),
                    family: match prout::ServiceAction::from_code(code) {
                        Some(prout::ServiceAction::RegisterAndMove) => Family::Move,
                        _ => Family::Out,
                    },
                    source,
                },
                _ => Error::Command {
                    command: format!("PR in ({})", name(prin::ServiceAction::from_code(code).map(prin::ServiceAction::name))),
                    family: Family::In,
                    source,
                },
            }
        })
    }

    fn command_error(error: &Error) -> Option<&CommandError> {
        match error {
            Error::Inquiry { source, .. } | Error::Command { source, .. } => Some(source),
            _ => None,
        }
    }

    fn received(&mut self, cdb: Cdb, data: &[u8]) {
        let level = self.session.task.verbosity;
        (self.session.print)(&diagnostic::response(cdb, data, level));
    }

    fn begin_optional(&mut self) {
        self.session.hold_back();
    }

    fn end_optional(&mut self, is_missing: bool) {
        self.session.release(is_missing);
    }

    fn registrants(&self) -> Registrants {
        Registrants::of(self.transport.node().kind.is_nvme())
    }

    fn keeps_unwritten(&self) -> bool {
        self.transport.node().kind != NodeKind::Sg
    }
}

/// A service action's name; all that are sent have one.
fn name(name: Option<&'static str>) -> &'static str {
    name.unwrap_or("unknown")
}

impl<'a, 'c> Device<'a, 'c> {
    /// Opens the device called `name`.
    pub(super) fn open(
        session: &'a Session<'a, 'c>,
        name: &'a OsStr,
        access: Access,
        for_inquiry: bool,
    ) -> Result<Self, Error> {
        Channel::open(session, name, access, for_inquiry).map(Self::over)
    }

    /// This host's initiator ports, or its name, as far as they are known.
    pub(super) fn own_ports(&mut self) -> Vec<TransportId> {
        let channel = self.exchange_mut();
        let mut ports = (channel.session.own_ports)(Path::new(channel.name));
        ports.extend(channel.transport.host(channel.session.task.timeout));
        ports
    }

    /// The initiator ports, or the host's name, through which commands to this device go.
    pub(super) fn path_ports(&mut self) -> PathPorts {
        let channel = self.exchange_mut();
        let mut path = (channel.session.path_ports)(Path::new(channel.name));
        if let Some(host) = channel.transport.host(channel.session.task.timeout)
            && !path.ports.iter().any(|port| port.is_same_port(&host))
        {
            path.ports.push(host);
        }
        path
    }

    /// INQUIRY for standard data, recorded.
    pub(super) fn identify(&mut self) -> Result<StandardInquiry, Error> {
        let inquiry = self.inquiry();
        let session = self.exchange().session;
        let inquiry = inquiry.map_err(|error| match error {
            QueryError::Truncated(source) => {
                if session.task.verbosity > 0 {
                    let length = source.length;
                    (session.print)(&format!(
                        "sg_ll_inquiry_com: got too few bytes ({length})\n"
                    ));
                }
                Error::InquiryData {
                    device: self.exchange().name.to_owned(),
                    source,
                }
            }
            error => error.into(),
        })?;
        session.record.borrow_mut().inquiry = Some(inquiry.clone());
        Ok(inquiry)
    }

    /// INQUIRY, and the two lines about the device.
    pub(super) fn show_inquiry(&mut self) -> Result<(), Error> {
        let inquiry = self.identify()?;
        let console = self.exchange().session.console;
        console.put(&text::inquiry(&inquiry, console.device_text()));
        Ok(())
    }
}

impl From<QueryError<Error>> for Error {
    fn from(error: QueryError<Error>) -> Self {
        match error {
            QueryError::Command(error) => error,
            QueryError::Malformed { action, source } => malformed(action, source, None),
            // INQUIRY alone ends so, and Device::identify takes it.
            QueryError::Truncated(source) => {
                malformed(prin::ServiceAction::ReadKeys, source.into(), None)
            }
            QueryError::Unsteady => Self::Unsteady,
        }
    }
}

/// The error about an answer that is none. `given` is the room that was asked for.
pub(super) fn malformed(
    action: prin::ServiceAction,
    source: Malformed,
    given: Option<u16>,
) -> Error {
    Error::Malformed {
        command: format!("PR in ({})", action.name()),
        advice: super::report::advice(action, &source, given),
        source,
    }
}

/// Why a command is not sent again, in words; nothing where that is plain.
const fn not_again(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoneLeft => "",
        Refusal::ToBeLookedAt => {
            "Not sent again after this unit attention: look at the keys and the reservation first\n"
        }
        Refusal::NoTimeLeft => "Not sent again: --timeout has passed since it was first sent\n",
    }
}

/// The sense data of a unit attention, if that is how a command ended.
fn unit_attention(result: &io::Result<Completion>) -> Option<Vec<u8>> {
    let completion = result.as_ref().ok()?;
    match completion.check() {
        Err(CommandError::Sense(Some(Sense {
            key: SenseKey::UNIT_ATTENTION,
            deferred: false,
            ..
        }))) => Some(completion.sense.clone()),
        _ => None,
    }
}

/// What a command moved that was to move so many bytes, or why it was not carried out.
fn moved_by(result: io::Result<Completion>, length: usize) -> Result<Moved, CommandError> {
    result.map_err(CommandError::Os)?.moved(length)
}
