//! A device, and one command after the other for it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::maps::{self, OpenMap};
use super::session::Session;
use super::trace::Tracer;
use crate::cli::request::{AccessPolicy, Operation, Task};
use crate::error::{Error, Interrupted, Sent};
use crate::host_ports::PathPorts;
use crate::logical_unit::{ChangeError, Exchange, InquiryError, LogicalUnit, QueryError};
use crate::multipath::Map;
use crate::multipath::paths::Paths;
use crate::pr::effect::Registrants;
use crate::pr::retry::{Refusal, Tries};
use crate::pr::transport_id::TransportId;
use crate::render::{diagnostic, text};
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::{self, StandardInquiry};
use crate::transport::{
    Access, Command, CommandError, Completion, Data, Moved, NodeKind, Transport, os_error_text,
};

/// How many unit attentions an overview or a question reads past with each command: more than a
/// device server keeps for one nexus.
const READING_RETRIES: u32 = 16;

/// How many unit attentions a command is sent again after where there are several paths: each has its
/// own.
const MAP_RETRIES: u32 = 5;

/// The logical unit behind an open device.
pub(super) type Device<'a, 'c> = LogicalUnit<Channel<'a, 'c>>;

/// An open device: commands are sent again where the task allows it, recorded, and told of.
pub(super) struct Channel<'a, 'c> {
    session: &'a Session<'a, 'c>,
    name: Cow<'a, OsStr>,
    access: Access,
    transport: Tracer<'a>,
    /// The map that the device was taken for.
    map: Option<OpenMap>,
    /// What the commands travel over, where that is another process.
    paths: Option<Paths>,
    /// The nodes of the map's paths, over any of which a command goes.
    ways: Vec<PathBuf>,
    /// Whether it is a map, or one of the paths of one.
    is_of_map: bool,
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
        if let Some(map) = maps::by_name(session, name)? {
            return Self::open_map(session, name, map);
        }
        let verbosity = session.task.verbosity;
        if verbosity >= 2 {
            let device = device.display();
            (session.print)(&format!("open {device} with flags={flags:#x}\n"));
        }
        let mut paths = None;
        let opened = match session.devices {
            Some(devices) => devices.open(device, access),
            None => maps::open_elsewhere(session, name, access).map(|(path, opened)| {
                paths = Some(opened);
                Box::new(path) as Box<dyn Transport>
            }),
        };
        let transport = opened.map_err(|source| {
            if source.kind() == io::ErrorKind::TimedOut && source.raw_os_error().is_none() {
                return Error::Deadline {
                    device: name.to_owned(),
                    at: Interrupted::Opening,
                };
            }
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
        if let Some(map) = maps::by_node(session, name, transport.node())? {
            return Self::open_map(session, name, map);
        }
        Ok(Self {
            session,
            name: Cow::Borrowed(name),
            access,
            transport: Tracer::new(transport, verbosity, session.print, &session.introduced),
            map: None,
            paths,
            ways: Vec::new(),
            is_of_map: false,
        })
    }

    /// Opens the paths of the map that the device called `name` is taken for.
    fn open_map(session: &'a Session<'a, 'c>, name: &'a OsStr, map: Map) -> Result<Self, Error> {
        let (transport, open) = maps::open(session, name, map)?;
        let paths = open.paths().clone();
        let channel = Self::over(session, Cow::Borrowed(name), Box::new(transport), paths);
        Ok(Self {
            ways: open
                .map
                .paths
                .iter()
                .map(|path| path.node.clone())
                .collect(),
            map: Some(open),
            ..channel
        })
    }

    /// A path of a map, called `name`, at the end of `transport`.
    pub(super) fn over(
        session: &'a Session<'a, 'c>,
        name: Cow<'a, OsStr>,
        transport: Box<dyn Transport>,
        paths: Paths,
    ) -> Self {
        let verbosity = session.task.verbosity;
        Self {
            session,
            name,
            // What opens it opens it again where that is needed.
            access: Access::ReadWrite,
            transport: Tracer::new(transport, verbosity, session.print, &session.introduced),
            map: None,
            paths: Some(paths),
            ways: Vec::new(),
            is_of_map: true,
        }
    }

    /// The map that it was taken for, once.
    pub(super) fn take_map(&mut self) -> Option<OpenMap> {
        self.map.take()
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
        // Each path of a map has its own, so that a change over the next one is a change again.
        let is_change = matches!(self.session.task.operation, Operation::Out { .. })
            && !self.session.record.borrow().change_was_sent
            || self.is_of_map && matches!(data, Data::Out(_));
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
            _ if self.is_of_map => MAP_RETRIES.max(ua_retries),
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
                    self.session.say(not_again(refusal));
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
        let is_over = |paths: &Option<Paths>| paths.as_ref().is_some_and(Paths::is_over);
        let is_change = matches!(data, Data::Out(_));
        let device = &self.session.task.device;
        let interrupted = |at| Error::Deadline {
            device: device.clone(),
            at,
        };
        if is_over(&self.paths) {
            return Err(interrupted(Interrupted::BeforeSending(cdb.name())));
        }
        let result = self.send(cdb, data.reborrow());
        let timed_out = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        if result.as_ref().is_err_and(timed_out) && is_over(&self.paths) {
            let is_verifying = self.session.record.borrow().change_was_sent;
            return Err(interrupted(match (is_change, is_verifying) {
                (true, _) => Interrupted::Changing(cdb.name()),
                (false, true) => Interrupted::Verifying,
                (false, false) => Interrupted::Reading(cdb.name()),
            }));
        }
        let refused = result
            .as_ref()
            .is_err_and(|error| matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)));
        let may_reopen = self.access == Access::ReadOnly
            && self.session.task.access == AccessPolicy::ReadOnlyIfAllowed;
        if !(refused && may_reopen) {
            return Ok(result);
        }
        self.transport.close();
        let Cow::Borrowed(name) = self.name else {
            return Ok(result);
        };
        *self = Self::open(self.session, name, Access::ReadWrite, false)?;
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
        if let (true, Some(progress)) = (is_change, self.session.progress) {
            progress.changes();
        }
        let moved = self.command(cdb, data)?;
        if is_change {
            self.session.record.borrow_mut().change_was_sent = true;
        }
        moved.map_err(|source| match Sent::of(cdb) {
            Some(command) => Error::Command { command, source },
            // Nothing else is sent but INQUIRY.
            None => {
                // Where the target port is asked for, no answer will do.
                if let CommandError::Residual { residual, .. } = source
                    && cdb == inquiry::cdb()
                {
                    (self.session.print)(&format!(
                        "inquiry resid ({residual}) should never exceed requested len={requested}\n"
                    ));
                }
                Error::Inquiry {
                    device: self.name.clone().into_owned(),
                    source,
                }
            }
        })
    }

    fn command_error(error: &Error) -> Option<&CommandError> {
        command_error(error)
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

/// What the failure of a command was, if that is what the error is about.
pub(super) fn command_error(error: &Error) -> Option<&CommandError> {
    match error {
        Error::Inquiry { source, .. } | Error::Command { source, .. } => Some(source),
        _ => None,
    }
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
        let mut ports = (channel.session.own_ports)(Path::new(&channel.name));
        ports.extend(channel.transport.host(channel.session.task.timeout));
        ports
    }

    /// The initiator ports, or the host's name, through which commands to this device go.
    pub(super) fn path_ports(&mut self) -> PathPorts {
        let channel = self.exchange_mut();
        let of = channel.session.path_ports;
        // One path may have been named for the whole map.
        let mut path = match &channel.ways[..] {
            [] => of(Path::new(&channel.name)),
            [one] => of(one),
            several => {
                let each: Vec<_> = several.iter().map(|node| of(node)).collect();
                PathPorts::of_several(&each)
            }
        };
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
            InquiryError::Command(error) => error,
            InquiryError::Identification(source) => Error::Identification(source),
            InquiryError::Truncated(source) => {
                if session.task.verbosity > 0 {
                    let length = source.length;
                    (session.print)(&format!(
                        "sg_ll_inquiry_com: got too few bytes ({length})\n"
                    ));
                }
                Error::InquiryData {
                    device: self.exchange().name.clone().into_owned(),
                    source,
                }
            }
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
            QueryError::Malformed { action, source } => Self::Malformed {
                action,
                source,
                given: None,
            },
            QueryError::Unsteady => Self::Unsteady,
        }
    }
}

impl From<ChangeError<Error>> for Error {
    fn from(error: ChangeError<Error>) -> Self {
        match error {
            ChangeError::Before(error) => error.into(),
            ChangeError::Change(error) => error,
            ChangeError::After(error) => Self::Unread(Box::new(error.into())),
            ChangeError::Disturbed(disturbed) => Self::Disturbed(disturbed),
            ChangeError::Mismatch(mismatch) => Self::NotVerified(mismatch),
        }
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
    let error = completion.check().err()?;
    error.is_unit_attention().then(|| completion.sense.clone())
}

/// What a command moved that was to move so many bytes, or why it was not carried out.
fn moved_by(result: io::Result<Completion>, length: usize) -> Result<Moved, CommandError> {
    result.map_err(CommandError::Os)?.moved(length)
}
