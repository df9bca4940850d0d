//! A device, and one command after the other for it.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::console::Console;
use crate::cli::request::{Opening, Task};
use crate::error::{Error, Family};
use crate::pr::effect::Registrants;
use crate::pr::prin::{
    self, DEFAULT_ALLOCATION_LENGTH, Malformed, ParameterData, ReadKeys, ReadReservation,
};
use crate::pr::transport_id::TransportId;
use crate::render::{diagnostic, text};
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::{self, StandardInquiry};
use crate::scsi::sense::SenseKey;
use crate::transport::trace::Tracer;
use crate::transport::{
    Access, Command, CommandError, Completion, Data, Open, Transport, os_error_text,
};

/// What all steps of a run share.
pub(super) struct Session<'a, 'c> {
    pub(super) task: &'a Task,
    pub(super) devices: &'a dyn Open,
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
}

/// What a command that was carried out moved.
#[derive(Clone, Copy, Debug)]
struct Moved {
    /// Bytes of data in.
    transferred: usize,
    /// Whether no sense data came with it.
    good: bool,
}

/// An open device.
pub(super) struct Device<'a, 'c> {
    session: &'a Session<'a, 'c>,
    name: &'a OsStr,
    access: Access,
    transport: Tracer<'a>,
    /// Whether the command at hand may be one that the device does not support.
    is_optional: bool,
}

impl<'a, 'c> Device<'a, 'c> {
    /// Opens the device called `name`.
    pub(super) fn open(
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
            is_optional: false,
        })
    }

    /// Sends a command and tells how it went. After a unit attention it is sent again as often as
    /// the task allows. Where the kernel refuses it on a read-only descriptor that was tried only
    /// in the hope that it would do, the device is opened read-write.
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
        let mut retries = self.session.task.ua_retries;
        loop {
            let result = self.send_somehow(cdb, data.reborrow())?;
            self.record(&result);
            let attention = unit_attention(&result).filter(|_| retries > 0);
            let level = self.session.task.verbosity;
            let unsupported = self.is_optional && ended_with(&result, SenseKey::ILLEGAL_REQUEST);
            if attention.is_none() && !unsupported || level > 0 {
                let told = diagnostic::outcome(cdb, requested, &result, level);
                self.session.console.err_from_device(&told);
            }
            let Some(sense) = attention else {
                return Ok(moved(result, length));
            };
            if level > 0 {
                (self.session.print)(
                    "A unit attention says that it was not done; it is sent again\n",
                );
            }
            let mut record = self.session.record.borrow_mut();
            record.unit_attentions.push(sense);
            retries -= 1;
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
            && self.session.task.opening == Opening::ReadOnlyIfAllowed;
        if !(refused && may_reopen) {
            return Ok(result);
        }
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

    /// INQUIRY for standard data.
    pub(super) fn inquiry(&mut self) -> Result<StandardInquiry, Error> {
        let mut buffer = [0; inquiry::ALLOCATION_LENGTH as usize];
        let requested = buffer.len();
        let moved = self.command(inquiry::cdb(), Data::In(&mut buffer))?;
        let moved = moved.map_err(|source| {
            if let CommandError::Residual { residual, .. } = source {
                (self.session.print)(&format!(
                    "inquiry resid ({residual}) should never exceed requested len={requested}\n"
                ));
            }
            Error::Inquiry {
                device: self.name.to_owned(),
                source,
            }
        })?;
        let transferred = moved.transferred;
        let inquiry = StandardInquiry::parse(&buffer[..transferred]).map_err(|source| {
            if self.session.task.verbosity > 0 {
                (self.session.print)(&format!(
                    "sg_ll_inquiry_com: got too few bytes ({transferred})\n"
                ));
            }
            Error::InquiryData {
                device: self.name.to_owned(),
                source,
            }
        })?;
        self.session.record.borrow_mut().inquiry = Some(inquiry.clone());
        Ok(inquiry)
    }

    /// INQUIRY, and the two lines about the device.
    pub(super) fn show_inquiry(&mut self) -> Result<(), Error> {
        let inquiry = self.inquiry()?;
        let console = self.session.console;
        console.put(&text::inquiry(&inquiry, console.device_text()));
        Ok(())
    }

    /// PERSISTENT RESERVE IN until the answer is whole: one longer than the room for it is read
    /// again with the room that it needs, and once more if it has grown meanwhile. A `given` room
    /// is left as it is. The bytes come back as well, and why they are no answer.
    pub(super) fn read_whole<T>(
        &mut self,
        action: prin::ServiceAction,
        given: Option<u16>,
        parse: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<(Vec<u8>, Result<T, Malformed>), Error> {
        let room = given.unwrap_or(DEFAULT_ALLOCATION_LENGTH);
        let tries = if given.is_some() { 0 } else { prin::MORE_TRIES };
        prin::read_whole(room, tries, |room| self.read_once(action, room), parse)
    }

    /// The whole answer to `action`, as `parse` reads it.
    pub(super) fn read<T>(
        &mut self,
        action: prin::ServiceAction,
        parse: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        let (_, parsed) = self.read_whole(action, None, parse)?;
        parsed.map_err(|source| malformed(action, source, None))
    }

    /// The answer to `action`, which the device need not support; `None` where it does not, or
    /// what comes is no answer. Only `-v` tells of that.
    pub(super) fn read_optional<T>(
        &mut self,
        action: prin::ServiceAction,
        parse: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Error> {
        self.is_optional = true;
        let result = self.read(action, parse);
        self.is_optional = false;
        match result {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Malformed { .. }) => Ok(None),
            Err(Error::Command {
                source: CommandError::Sense(Some(sense)),
                ..
            }) if sense.key == SenseKey::ILLEGAL_REQUEST => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// READ KEYS.
    pub(super) fn read_keys(&mut self) -> Result<ReadKeys, Error> {
        self.read(prin::ServiceAction::ReadKeys, ReadKeys::parse)
    }

    /// READ RESERVATION.
    pub(super) fn read_reservation(&mut self) -> Result<ReadReservation, Error> {
        self.read(prin::ServiceAction::ReadReservation, ReadReservation::parse)
    }

    fn read_once(&mut self, action: prin::ServiceAction, room: u16) -> Result<Vec<u8>, Error> {
        let cdb = action.cdb(room);
        // Some targets write more than they were asked for; let that stay in our memory.
        let mut buffer = vec![0; usize::from(room.max(DEFAULT_ALLOCATION_LENGTH))];
        let moved = self.command(cdb, Data::In(&mut buffer[..usize::from(room)]))?;
        let moved = moved.map_err(|source| Error::Command {
            command: format!("PR in ({})", action.name()),
            family: Family::In,
            source,
        })?;
        buffer.truncate(moved.transferred);
        if moved.good {
            let level = self.session.task.verbosity;
            (self.session.print)(&diagnostic::response(cdb, &buffer, level));
        } else {
            prin::beside_sense(&buffer).map_err(|source| malformed(action, source, None))?;
        }
        Ok(buffer)
    }

    /// What registers with this device.
    pub(super) fn registrants(&self) -> Registrants {
        match self.transport.node().kind.is_nvme() {
            true => Registrants::Hosts,
            false => Registrants::Nexuses,
        }
    }

    /// This host's initiator ports, or its name, as far as they are known.
    pub(super) fn own_ports(&mut self) -> Vec<TransportId> {
        let mut ports = (self.session.own_ports)(Path::new(self.name));
        ports.extend(self.transport.host(self.session.task.timeout));
        ports
    }

    /// PERSISTENT RESERVE OUT.
    pub(super) fn change(
        &mut self,
        cdb: Cdb,
        list: &[u8],
    ) -> Result<Result<(), CommandError>, Error> {
        Ok(self.command(cdb, Data::Out(list))?.map(drop))
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
        advice: super::report::advice(
            &source,
            given.is_some(),
            given.unwrap_or(DEFAULT_ALLOCATION_LENGTH),
        ),
        source,
    }
}

/// Whether a command ended with sense data of this key.
fn ended_with(result: &io::Result<Completion>, key: SenseKey) -> bool {
    let ended = result.as_ref().map(Completion::check);
    matches!(ended, Ok(Err(CommandError::Sense(Some(sense)))) if sense.key == key)
}

/// The sense data of a unit attention, if that is how a command ended.
fn unit_attention(result: &io::Result<Completion>) -> Option<Vec<u8>> {
    let completion = result.as_ref().ok()?;
    match completion.check() {
        Err(CommandError::Sense(Some(sense))) if sense.key == SenseKey::UNIT_ATTENTION => {
            Some(completion.sense.clone())
        }
        _ => None,
    }
}

/// What moved of `length` bytes, or why it did not.
///
/// A device that took less of a parameter list than it was sent and is content has done it all the
/// same; one that took less than nothing, or more, has not.
fn moved(result: io::Result<Completion>, length: usize) -> Result<Moved, CommandError> {
    let completion = result.map_err(CommandError::Os)?;
    completion.check()?;
    Ok(Moved {
        transferred: completion.transferred(length)?,
        good: !completion.has_sense(),
    })
}
