//! A logical unit and its persistent reservations, for programs.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use sg_persist::host_ports;
//! use sg_persist::logical_unit::{ChangeError, LogicalUnit};
//! use sg_persist::pr::prout::{PersistentReserveOut, ServiceAction};
//! use sg_persist::pr::{ReservationKey, ReservationType};
//! use sg_persist::transport::Access;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = Path::new("/dev/sda");
//! let mut unit = LogicalUnit::open(disk, Access::ReadWrite)?;
//! unit.set_unit_attention_retries(3);
//!
//! let key = ReservationKey(0xabc123);
//! unit.change(&PersistentReserveOut {
//!     service_action_reservation_key: key,
//!     ..PersistentReserveOut::new(ServiceAction::RegisterAndIgnoreExistingKey)
//! })?;
//!
//! let reserve = PersistentReserveOut {
//!     reservation_key: key,
//!     reservation_type: ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
//!     ..PersistentReserveOut::new(ServiceAction::Reserve)
//! };
//! match unit.change_verified(&reserve, &host_ports::of(&disk.metadata()?)) {
//!     Ok(()) => println!("reserved"),
//!     Err(ChangeError::Change(error)) if error.is_conflict() => println!("another has it"),
//!     Err(ChangeError::Change(error)) if error.outcome_unknown() => println!("look: {error}"),
//!     Err(error) => return Err(error.into()),
//! }
//!
//! for key in unit.snapshot()?.keys.keys {
//!     println!("{key}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A unit is [`Send`]: it may go to a thread that has nothing else to do than to wait for a device.
//! A call returns once the command has ended, and the kernel may take longer for that than the
//! timeout says.
//!
//! Tests need no device: [`LogicalUnit::new`] takes any [`Transport`].
//!
//! The command `sg_persist` stands on the same [`LogicalUnit`]: what is an answer and when it is
//! whole is decided here, how a command is carried there and back by an [`Exchange`].

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::pr::DEFAULT_TIMEOUT;
use crate::pr::effect::{self, Disturbed, Mismatch, Registrants, Sender, State, Verdict};
use crate::pr::prin::{
    self, Capabilities, HEADER_LENGTH, Malformed, ReadFullStatus, ReadKeys, ReadReservation,
    ServiceAction,
};
use crate::pr::prout::PersistentReserveOut;
use crate::pr::retry::Tries;
use crate::pr::room::Room;
use crate::pr::snapshot::{NoAnswer, Snapshot};
use crate::pr::transport_id::TransportId;
use crate::scsi::bytes::Truncated;
use crate::scsi::cdb::Cdb;
use crate::scsi::identification::{self, Identification};
use crate::scsi::inquiry::{self, StandardInquiry};
use crate::scsi::sense::{Sense, SenseKey};
use crate::transport::buffer::{Buffer, Filling, NO_COINCIDENCE, Received};
use crate::transport::node::open_file;
use crate::transport::{
    Access, Command, CommandError, Data, LinuxDevices, Moved, NodeKind, Transport,
};

mod nexus;

/// How often answers that belong together are read again where the registrations changed between
/// them.
const ATTEMPTS: usize = 5;

/// How a list of nothing begins where nothing has ever changed; and a buffer that nobody wrote.
const NOTHING: [u8; HEADER_LENGTH] = [0; HEADER_LENGTH];

/// One command to the logical unit, and its end.
pub trait Exchange {
    /// Why a command was not carried out.
    type Error;

    /// Sends the command and waits for its end. Data in is in the buffer then.
    ///
    /// # Errors
    /// Whatever kept it from being carried out.
    fn exchange(&mut self, cdb: Cdb, data: Data<'_>) -> Result<Moved, Self::Error>;

    /// What the command's failure was, if it came so far.
    fn command_error(error: &Self::Error) -> Option<&CommandError>;

    /// Takes note of the `data` that an exchange brought and that no sense data came with.
    fn received(&mut self, _cdb: Cdb, _data: &[u8]) {}

    /// What follows, up to the [`Exchange::end_optional`] that belongs to it, may fail without harm:
    /// the device server need not know it, or it is tried again in another way. One such part may be
    /// within another.
    fn begin_optional(&mut self) {}

    /// There is an answer, or an error; or the answer is missing (`is_missing`), which is none.
    fn end_optional(&mut self, _is_missing: bool) {}

    /// What registers with the logical unit.
    fn registrants(&self) -> Registrants;

    /// Whether what nobody writes of a buffer stays as it was. Where the driver moves data through a
    /// buffer of its own ([`NodeKind::Sg`]), it becomes what the command before left there, or zeros.
    fn keeps_unwritten(&self) -> bool {
        true
    }
}

/// Why a question has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError<E = CommandError> {
    /// The command was not carried out.
    #[error(transparent)]
    Command(E),
    /// What came back is not a whole answer.
    #[error("malformed response to {}: {source}", action.name())]
    Malformed {
        /// What was asked for.
        action: ServiceAction,
        /// What is wrong with it.
        source: Malformed,
    },
    /// The registrations changed each time between two commands whose answers belong together.
    #[error("the registrations kept changing while they were read")]
    Unsteady,
}

/// Why there is no standard INQUIRY data.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InquiryError<E = CommandError> {
    /// The command was not carried out.
    #[error(transparent)]
    Command(E),
    /// What came back is not even its beginning.
    #[error("malformed response to INQUIRY: {0}")]
    Truncated(#[from] Truncated),
    /// What came back is no Device Identification VPD page.
    #[error("malformed response to INQUIRY: {0}")]
    Identification(#[source] identification::Malformed),
}

/// Why a change is not known to have had its effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChangeError<E = CommandError> {
    /// What was there before could not be read, to compare with. The change was not sent.
    #[error("nothing was changed, what is there cannot be read: {0}")]
    Before(#[source] QueryError<E>),
    /// The command was not carried out; [`CommandError::outcome_unknown`] tells whether the change
    /// may have been made all the same.
    #[error(transparent)]
    Change(E),
    /// It was accepted, but what is there now could not be read.
    #[error("accepted, but what is there now cannot be read: {0}")]
    After(#[source] QueryError<E>),
    /// It was accepted, but whether it had its effect cannot be told.
    #[error("accepted, but the effect could not be verified: {0}")]
    Disturbed(#[source] Disturbed),
    /// It was accepted, but the effect is not there, and others cannot be the reason.
    #[error("accepted, but the effect is not there: {0}")]
    Mismatch(#[source] Mismatch),
}

/// Commands through a [`Transport`]. Each is sent once, but for what
/// [`LogicalUnit::set_unit_attention_retries`] allows.
pub struct Direct<T: ?Sized = dyn Transport + Send> {
    timeout: Duration,
    /// How often a command may be sent again.
    retries: u32,
    /// The unit attentions after which one was.
    unit_attentions: Vec<Sense>,
    /// Whether what is read now is read for a change that follows.
    precedes_change: bool,
    transport: Box<T>,
}

impl<T: ?Sized> std::fmt::Debug for Direct<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct")
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

impl<T: Transport + ?Sized> Direct<T> {
    /// Through `transport`.
    #[must_use]
    pub const fn new(transport: Box<T>) -> Self {
        Self {
            timeout: DEFAULT_TIMEOUT,
            retries: 0,
            unit_attentions: Vec::new(),
            precedes_change: false,
            transport,
        }
    }
}

impl<T: Transport + ?Sized> Exchange for Direct<T> {
    type Error = CommandError;

    fn exchange(&mut self, cdb: Cdb, mut data: Data<'_>) -> Result<Moved, CommandError> {
        let length = data.len();
        let timeout = self.timeout;
        let is_change = self.precedes_change || matches!(data, Data::Out(_));
        let mut tries = Tries::new(self.retries, timeout);
        let started = Instant::now();
        loop {
            let completion = self.transport.execute(Command {
                cdb,
                data: data.reborrow(),
                timeout,
            });
            let completion = completion.map_err(CommandError::Os)?;
            let sense = match completion.check() {
                Err(CommandError::Sense {
                    sense: Some(sense), ..
                }) => sense,
                _ => return completion.moved(length),
            };
            // Refuses whatever is no unit attention, too.
            match tries.again(&completion.sense, is_change, started.elapsed()) {
                Ok(pause) => thread::sleep(pause),
                Err(_) => return completion.moved(length),
            }
            self.unit_attentions.push(sense);
        }
    }

    fn command_error(error: &CommandError) -> Option<&CommandError> {
        Some(error)
    }

    fn registrants(&self) -> Registrants {
        Registrants::of(self.transport.node().kind.is_nvme())
    }

    fn keeps_unwritten(&self) -> bool {
        self.transport.node().kind != NodeKind::Sg
    }
}

/// A logical unit.
#[derive(Debug)]
pub struct LogicalUnit<E = Direct> {
    exchange: E,
    /// How the data of the last command begins, zeros before there was one.
    left: [u8; HEADER_LENGTH],
}

impl LogicalUnit {
    /// Opens the device node `device` of a SCSI device or an NVMe namespace. Reading takes
    /// [`Access::ReadOnly`], on a SCSI device where the process has CAP_SYS_RAWIO; changing takes
    /// [`Access::ReadWrite`].
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(device: &Path, access: Access) -> io::Result<Self> {
        Self::from_fd(open_file(device, access)?)
    }

    /// The logical unit behind the device node that `fd` (a [`File`], say) has open. What may be sent
    /// depends on how it was opened, as with [`LogicalUnit::open`]; with O_NONBLOCK, opening does not
    /// wait for the device.
    ///
    /// # Errors
    /// What the operating system says when it is asked what the node is.
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self::new(LinuxDevices.through(File::from(fd.into()))?))
    }

    /// A logical unit at the end of `transport`. For one that is not [`Send`] there is
    /// `LogicalUnit::over(Direct::new(transport))`.
    #[must_use]
    pub const fn new(transport: Box<dyn Transport + Send>) -> Self {
        Self::over(Direct::new(transport))
    }
}

impl<T: Transport + ?Sized> LogicalUnit<Direct<T>> {
    /// Lets each further command take so long; a minute otherwise.
    pub const fn set_timeout(&mut self, timeout: Duration) {
        self.exchange.timeout = timeout;
    }

    /// Lets each further command be sent again up to so many times (0 otherwise), within the timeout,
    /// where it ended with a unit attention: one that reads after any of them, one that changes only
    /// where whoever sends it need not look at the registrations first
    /// ([`may_be_sent_again`](crate::pr::retry::may_be_sent_again)). After any other the error comes
    /// back, and [`CommandError::is_unit_attention`] tells.
    ///
    /// The device server reports each of them once: what a command that reads has passed over is
    /// in [`LogicalUnit::take_unit_attentions`], and is to be looked at before a change that relies on
    /// one's registration.
    pub const fn set_unit_attention_retries(&mut self, retries: u32) {
        self.exchange.retries = retries;
    }

    /// The unit attentions after which a command was sent again, the oldest first, since they were
    /// last taken.
    pub fn take_unit_attentions(&mut self) -> Vec<Sense> {
        std::mem::take(&mut self.exchange.unit_attentions)
    }

    /// Sends PERSISTENT RESERVE OUT and compares what is registered and reserved before and after
    /// it: `Ok` where the effect is there and came by this command
    /// ([`effect`] has what that is for each service action).
    ///
    /// `ports` are this host's initiator ports, of
    /// [`host_ports::of`](crate::host_ports::of), by which it is known that a registration is this
    /// host's own; with none, the keys have to do. An NVMe controller is asked for the host's
    /// identifier besides.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn change_verified(
        &mut self,
        out: &PersistentReserveOut,
        ports: &[TransportId],
    ) -> Result<(), ChangeError> {
        let mut ports = ports.to_vec();
        ports.extend(self.exchange.transport.host(self.exchange.timeout));
        let sender = Sender {
            registrants: self.registrants(),
            ports: &ports,
        };
        self.exchange.precedes_change = true;
        let before = self.state(out, sender);
        self.exchange.precedes_change = false;
        let before = before.map_err(ChangeError::Before)?;
        self.change(out).map_err(ChangeError::Change)?;
        self.verify(&before, out, sender)
    }
}

impl<E: Exchange> LogicalUnit<E> {
    /// A logical unit to which `exchange` leads.
    #[must_use]
    pub const fn over(exchange: E) -> Self {
        Self {
            exchange,
            left: NOTHING,
        }
    }

    /// The way to it.
    #[must_use]
    pub const fn exchange(&self) -> &E {
        &self.exchange
    }

    /// The way to it, to change something about it.
    pub const fn exchange_mut(&mut self) -> &mut E {
        &mut self.exchange
    }

    /// What registers with it.
    #[must_use]
    pub fn registrants(&self) -> Registrants {
        self.exchange.registrants()
    }

    /// Standard INQUIRY data (SPC-5, INQUIRY command).
    ///
    /// # Errors
    /// [`InquiryError`].
    pub fn inquiry(&mut self) -> Result<StandardInquiry, InquiryError<E::Error>> {
        let room = usize::from(inquiry::ALLOCATION_LENGTH);
        let (buffer, moved) = self
            .fill(inquiry::cdb(), room, Filling::First)
            .map_err(InquiryError::Command)?;
        // A few bytes may look unwritten by chance; they are too few anyway.
        let came = match moved.transferred {
            came @ NO_COINCIDENCE.. if buffer.is_unwritten(0, came) => 0,
            came => came,
        };
        Ok(StandardInquiry::parse(&buffer.into_data(came, came))?)
    }

    /// The Device Identification VPD page (SPC-5 7.7.6).
    ///
    /// # Errors
    /// [`InquiryError`].
    pub fn identification(&mut self) -> Result<Identification, InquiryError<E::Error>> {
        let room = usize::from(identification::ALLOCATION_LENGTH);
        let (buffer, moved) = self
            .fill(identification::cdb(), room, Filling::First)
            .map_err(InquiryError::Command)?;
        let came = match moved.transferred {
            came @ NO_COINCIDENCE.. if buffer.is_unwritten(0, came) => 0,
            came => came,
        };
        Identification::parse(&buffer.into_data(came, came)).map_err(InquiryError::Identification)
    }

    /// The keys of all registrations (SPC-5 6.16.2).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn read_keys(&mut self) -> Result<ReadKeys, QueryError<E::Error>> {
        self.query(ServiceAction::ReadKeys, ReadKeys::parse)
    }

    /// The reservation held, if any (SPC-5 6.16.3).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn read_reservation(&mut self) -> Result<ReadReservation, QueryError<E::Error>> {
        self.query(ServiceAction::ReadReservation, ReadReservation::parse)
    }

    /// What the device server supports (SPC-5 6.16.4).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn report_capabilities(&mut self) -> Result<Capabilities, QueryError<E::Error>> {
        self.query(ServiceAction::ReportCapabilities, Capabilities::parse)
    }

    /// Every registration with its nexus (SPC-5 6.16.5).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn read_full_status(&mut self) -> Result<ReadFullStatus, QueryError<E::Error>> {
        self.query(ServiceAction::ReadFullStatus, ReadFullStatus::parse)
    }

    /// Keys, reservation and full status of one and the same PRGENERATION.
    ///
    /// READ KEYS is sent first: another nexus may unregister without being counted, and then a
    /// holder would be seen that is not among the keys.
    ///
    /// # Errors
    /// [`QueryError`]; that there is no full status to be had is none, nor is a malformed answer to
    /// READ RESERVATION.
    pub fn snapshot(&mut self) -> Result<Snapshot, QueryError<E::Error>> {
        let mut last = None;
        let steady = self.of_one_generation(|unit| {
            let keys = unit.read_keys()?;
            let reservation = unit.unless_malformed(Self::read_reservation)?;
            let full_status = unit.if_any(Self::read_full_status)?;
            let mut agree = match &reservation {
                Ok(reservation) => reservation.generation == keys.generation,
                Err(_) => true,
            };
            let mut alike = true;
            if let Ok(full_status) = &full_status {
                agree &= full_status.generation == keys.generation;
                // Device servers that do not count every change are caught by what they list; RESERVE
                // and RELEASE, which none counts, by the holders' marks.
                alike = full_status.lists(&keys)
                    && reservation
                        .as_ref()
                        .map_or(true, |read| full_status.marked_otherwise(read).is_none());
            }
            let snapshot = Snapshot {
                keys,
                reservation,
                full_status,
            };
            if agree && alike {
                return Ok(Some(snapshot));
            }
            last = agree.then_some(snapshot);
            Ok(None)
        });
        match (steady, last) {
            // Two answers that contradict each other to the end are what there is to tell.
            (Err(QueryError::Unsteady), Some(snapshot)) => Ok(snapshot),
            (steady, _) => steady,
        }
    }

    /// What the device server supports, or why it does not tell.
    ///
    /// # Errors
    /// [`QueryError`]; that there is no answer to be had is none.
    pub fn capabilities_if_any(
        &mut self,
    ) -> Result<Result<Capabilities, NoAnswer>, QueryError<E::Error>> {
        self.if_any(Self::report_capabilities)
    }

    /// What is registered and reserved at one moment, to judge the command `out` of `sender` by; with
    /// the nexuses, where it cannot be judged as well without them and the device server tells.
    ///
    /// # Errors
    /// [`QueryError`]; a malformed answer to READ RESERVATION, or READ FULL STATUS, is none.
    pub fn state(
        &mut self,
        out: &PersistentReserveOut,
        sender: Sender<'_>,
    ) -> Result<State, QueryError<E::Error>> {
        let names_nexuses = sender.registrants == Registrants::Hosts
            || !sender.ports.is_empty()
            || !out.transport_ids.as_slice().is_empty()
            || out.all_target_ports;
        let mut without_nexuses = None;
        let steady = self.of_one_generation(|unit| {
            let keys = unit.read_keys()?;
            let reservation = unit.unless_malformed(Self::read_reservation)?;
            let Some(mut state) = State::new(&keys, reservation) else {
                return Ok(None);
            };
            if !names_nexuses {
                return Ok(Some(state));
            }
            if let Ok(full_status) = unit.if_any(Self::read_full_status)?
                && !state.add_full_status(full_status)
            {
                without_nexuses = Some(state);
                return Ok(None);
            }
            Ok(Some(state))
        });
        match (steady, without_nexuses) {
            // Full status never fitted: it is done without.
            (Err(QueryError::Unsteady), Some(state)) => Ok(state),
            (steady, _) => steady,
        }
    }

    /// The state that the command `out` of `sender` has left. What others do to PTPL_A later is
    /// counted when it is read first.
    ///
    /// # Errors
    /// [`QueryError`].
    fn state_after(
        &mut self,
        out: &PersistentReserveOut,
        sender: Sender<'_>,
    ) -> Result<State, QueryError<E::Error>> {
        let capabilities = match out.activate_persist_through_power_loss {
            true => self.capabilities_if_any()?.ok(),
            false => None,
        };
        let mut state = self.state(out, sender)?;
        state.persists = capabilities.map(|told| told.persist_through_power_loss_active);
        Ok(state)
    }

    /// Reads what the command `out` of `sender`, which the device server ended with GOOD, has left,
    /// and compares it with what [`LogicalUnit::state`] found `before`.
    ///
    /// # Errors
    /// [`ChangeError`], but for those of a change that was not carried out.
    pub fn verify(
        &mut self,
        before: &State,
        out: &PersistentReserveOut,
        sender: Sender<'_>,
    ) -> Result<(), ChangeError<E::Error>> {
        let after = self.state_after(out, sender).map_err(ChangeError::After)?;
        match effect::check(before, out, &after, sender) {
            Verdict::Holds => Ok(()),
            Verdict::Disturbed(disturbed) => Err(ChangeError::Disturbed(disturbed)),
            Verdict::Mismatch(mismatch) => Err(ChangeError::Mismatch(mismatch)),
        }
    }

    /// The answer that `read` gets, or why there is none to be had.
    fn if_any<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, QueryError<E::Error>>,
    ) -> Result<Result<T, NoAnswer>, QueryError<E::Error>> {
        let is_unsupported = |error: &E::Error| {
            let sense = E::command_error(error).and_then(CommandError::sense);
            sense.is_some_and(|sense| sense.key == SenseKey::ILLEGAL_REQUEST && !sense.deferred)
        };
        self.exchange.begin_optional();
        let answer = match self.unless_malformed(read) {
            Ok(answer) => Ok(answer.map_err(NoAnswer::from)),
            Err(QueryError::Command(error)) if is_unsupported(&error) => {
                Ok(Err(NoAnswer::Unsupported))
            }
            Err(error) => Err(error),
        };
        self.exchange.end_optional(matches!(answer, Ok(Err(_))));
        answer
    }

    /// The answer that `read` gets, or what makes it none.
    fn unless_malformed<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, QueryError<E::Error>>,
    ) -> Result<Result<T, Malformed>, QueryError<E::Error>> {
        self.exchange.begin_optional();
        let answer = match read(self) {
            Ok(answer) => Ok(Ok(answer)),
            Err(QueryError::Malformed { source, .. }) => Ok(Err(source)),
            Err(QueryError::Command(error)) => match E::command_error(&error) {
                Some(CommandError::Malformed(reason)) => {
                    Ok(Err(Malformed::Contradictory(reason.clone())))
                }
                _ => Err(QueryError::Command(error)),
            },
            Err(error) => Err(error),
        };
        self.exchange.end_optional(matches!(answer, Ok(Err(_))));
        answer
    }

    /// Asks again until `read` finds that its answers are of one PRGENERATION, which is when it
    /// gives something.
    ///
    /// # Errors
    /// The first error of `read`; [`QueryError::Unsteady`] where it gave nothing too often.
    pub(crate) fn of_one_generation<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<Option<T>, QueryError<E::Error>>,
    ) -> Result<T, QueryError<E::Error>> {
        for _ in 0..ATTEMPTS {
            if let Some(answer) = read(self)? {
                return Ok(answer);
            }
        }
        Err(QueryError::Unsteady)
    }

    /// Sends PERSISTENT RESERVE OUT (SPC-5 6.17).
    ///
    /// # Errors
    /// The exchange's. [`CommandError::outcome_unknown`] tells whether the change may have been made
    /// all the same; [`CommandError::NotThere`] and [`CommandError::Unverified`] say that it was,
    /// though not all of it.
    pub fn change(&mut self, out: &PersistentReserveOut) -> Result<(), E::Error> {
        let (cdb, list) = out.emit();
        if let Some(&left) = list.first_chunk() {
            self.left = left;
        }
        self.exchange.exchange(cdb, Data::Out(&list)).map(drop)
    }

    /// The whole answer to `action`, as `parse` reads it.
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn query<T>(
        &mut self,
        action: ServiceAction,
        parse: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, QueryError<E::Error>> {
        let (_, parsed) = self
            .read_whole(action, None, parse)
            .map_err(QueryError::Command)?;
        parsed.map_err(|source| QueryError::Malformed { action, source })
    }

    /// Reads the answer to `action` until it is proven whole, in as much room as it takes; one that
    /// takes more than the `given` bytes is cut to them. The bytes come back, and what `parse` made
    /// of them. Where nothing was transferred there are none.
    ///
    /// # Errors
    /// The exchange's.
    pub(crate) fn read_whole<T>(
        &mut self,
        action: ServiceAction,
        given: Option<u16>,
        parse: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<(Received, Result<T, Malformed>), E::Error> {
        let mut room = Room::new(action, given);
        let mut unproven = None;
        let mut answer = loop {
            let can_shrink = room.can_shrink();
            if can_shrink {
                self.exchange.begin_optional();
            }
            let attempt = self.read_once(action, room.bytes());
            let too_much = match &attempt {
                Err(Failed::Command(error)) if can_shrink => {
                    E::command_error(error).is_some_and(refuses_room)
                }
                _ => false,
            };
            let shrinks = too_much && room.shrink();
            let is_missing = shrinks || too_much && unproven.is_some();
            if can_shrink {
                self.exchange.end_optional(is_missing);
            }
            let mut answer = match (attempt, unproven.take()) {
                (Ok(answer), _) => answer,
                (Err(_), earlier) if shrinks => {
                    unproven = earlier;
                    continue;
                }
                (Err(_), Some(earlier)) if too_much => break earlier,
                (Err(Failed::Command(error) | Failed::Inquiry(error)), _) => return Err(error),
            };
            let claimed = match action.claimed(&answer.data) {
                Some(claimed) if !answer.is_whole && answer.fault.is_none() => claimed,
                _ => break answer,
            };
            // More than any command can ask for, or than anybody wants to see: it stays cut.
            let most = given.unwrap_or(u16::MAX);
            if claimed > u64::from(most) || action.proves_whole(claimed, room.bytes()) {
                break answer;
            }
            answer.fault = Some(Malformed::Unproven {
                claimed,
                room: room.bytes(),
            });
            if !room.grow() {
                break answer;
            }
            unproven = Some(answer);
        };
        if let Some(given) = given {
            answer.data.truncate(given.into());
        }
        let parsed = match (answer.fault, parse(&answer.data)) {
            // What the list says of itself tells more.
            (Some(Malformed::Unproven { .. }), Err(cut @ Malformed::Cut { .. })) => Err(cut),
            (Some(fault), _) => Err(fault),
            (None, parsed) => parsed,
        };
        Ok((answer.data, parsed))
    }

    /// One PERSISTENT RESERVE IN. Where an answer begins like what would be found in a buffer that
    /// nobody wrote, INQUIRY data, like which none begins, is put there, and it is asked for again.
    fn read_once(&mut self, action: ServiceAction, room: u16) -> Result<Attempt, Failed<E::Error>> {
        let left = self.left;
        let attempt = self
            .read_as_it_comes(action, room)
            .map_err(Failed::Command)?;
        let begins = attempt.data.first_chunk();
        let may_be_left = begins.is_some_and(|&begins| begins == left || begins == NOTHING)
            && attempt.fault.is_none()
            && !self.exchange.keeps_unwritten();
        if !may_be_left {
            return Ok(attempt);
        }
        let begun = self.left;
        self.fill(
            inquiry::cdb(),
            inquiry::ALLOCATION_LENGTH.into(),
            Filling::First,
        )
        .map_err(Failed::Inquiry)?;
        let left = self.left;
        if left != begun {
            let attempt = self
                .read_as_it_comes(action, room)
                .map_err(Failed::Command)?;
            if attempt.data.first_chunk() != Some(&left) {
                return Ok(attempt);
            }
        }
        Ok(Attempt {
            data: Vec::new().into(),
            fault: Some(Malformed::Unwritten),
            is_whole: false,
        })
    }

    /// One PERSISTENT RESERVE IN; once more where its end may not have been written.
    fn read_as_it_comes(&mut self, action: ServiceAction, room: u16) -> Result<Attempt, E::Error> {
        let cdb = action.cdb(room);
        let mut filling = Filling::First;
        let (buffer, moved, sure) = loop {
            let (mut buffer, moved) = self.fill(cdb, room.into(), filling)?;
            let came = moved.transferred;
            // What a transport has made itself needs no such question.
            let unwritten = match moved.whole_answer {
                Some(_) => None,
                None => Self::unwritten(action, &mut buffer, came),
            };
            // What looks like an end that nobody wrote may be one that was: over another filling it
            // shows.
            let is_open = matches!(unwritten, Some(Unwritten::End | Unwritten::Rest));
            if is_open && filling == Filling::First {
                filling = Filling::Second;
                continue;
            }
            let is_part = unwritten == Some(Unwritten::Rest) && !buffer.is_unwritten(0, came);
            if unwritten.is_some() && !is_part {
                return Ok(Attempt {
                    data: Vec::new().into(),
                    fault: Some(match moved.has_sense {
                        true => Malformed::ZerosBesideSense(came),
                        false => Malformed::Unwritten,
                    }),
                    is_whole: false,
                });
            }
            // Over two fillings nothing looks unwritten by chance, nor does it matter behind a list.
            let sure = match (filling, &moved.whole_answer) {
                (Filling::Second, _) => 0,
                (Filling::First, Some(_)) => came,
                (Filling::First, None) => Self::end(action, &mut buffer, came).unwrap_or(came),
            };
            break (buffer, moved, sure);
        };
        let data = buffer.into_data(moved.transferred, sure);
        let mut fault = None;
        if moved.has_sense {
            fault = prin::beside_sense(&data).err();
        } else {
            self.exchange.received(cdb, &data);
        }
        let is_whole = moved.whole_answer.is_some();
        Ok(Attempt {
            data: moved.whole_answer.map_or(data, Received::from),
            fault,
            is_whole,
        })
    }

    /// What nobody wrote of the answer to `action`, of which so many bytes are said to have come.
    fn unwritten(action: ServiceAction, buffer: &mut Buffer, came: usize) -> Option<Unwritten> {
        let length = action.length_field();
        if came >= NO_COINCIDENCE && buffer.is_unwritten(0, came)
            || came >= length.end && buffer.is_unwritten(length.start, length.end)
        {
            return Some(Unwritten::All);
        }
        let Some(end) = Self::end(action, buffer, came) else {
            return buffer.may_end_unwritten(came).then_some(Unwritten::Rest);
        };
        let last = end.checked_sub(1)?;
        let unwritten = buffer.is_unwritten(last, last + 1);
        unwritten.then_some(Unwritten::End)
    }

    /// Where the answer to `action` ends by its own word, if that is within the bytes that came.
    fn end(action: ServiceAction, buffer: &mut Buffer, came: usize) -> Option<usize> {
        let claimed = action.claimed(&buffer.room()[..came])?;
        usize::try_from(claimed).ok().filter(|&end| end <= came)
    }

    /// Sends a command with data in, over this `filling` of its buffer.
    fn fill(
        &mut self,
        cdb: Cdb,
        room: usize,
        filling: Filling,
    ) -> Result<(Buffer, Moved), E::Error> {
        let mut buffer = Buffer::new(room, filling);
        let moved = self.exchange.exchange(cdb, Data::In(buffer.room()))?;
        if let Some(&left) = buffer.room().first_chunk() {
            self.left = left;
        }
        Ok((buffer, moved))
    }
}

/// What one attempt to read an answer brought.
struct Attempt {
    data: Received,
    /// What makes it no answer, whatever it says.
    fault: Option<Malformed>,
    /// Whether it is known to be whole, whatever it says of its length.
    is_whole: bool,
}

/// Which command of an attempt failed, and why.
enum Failed<E> {
    /// The PERSISTENT RESERVE IN.
    Command(E),
    /// The INQUIRY that was to show whether it brought anything: that says nothing of the room.
    Inquiry(E),
}

/// What nobody wrote of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unwritten {
    /// All of it, or its length at the least.
    All,
    /// Its last bytes, by its own word.
    End,
    /// A few bytes at the end of what is no whole answer in any case.
    Rest,
}

/// Whether a command may have been refused since it asked for too much: by the device server, or by
/// a driver that moves no more at once. A host that is short of memory (ENOMEM) is not a reason to
/// ask for less: that would send READ FULL STATUS with room that may be too small.
fn refuses_room(error: &CommandError) -> bool {
    match error {
        CommandError::Os(error) => matches!(
            error.raw_os_error(),
            Some(libc::EINVAL | libc::EIO | libc::E2BIG)
        ),
        CommandError::Sense {
            sense: Some(sense), ..
        } => sense.is_invalid_field_in_cdb(),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::pr::ReservationKey;
    use crate::pr::prout;
    use crate::scsi::status::ScsiStatus;
    use crate::transport::{Completion, Node};

    /// Answers every command with the first so many of its bytes, and this status.
    struct Canned(Vec<u8>, u8, Vec<Vec<u8>>);

    impl Transport for Canned {
        fn execute(&mut self, mut command: Command<'_>) -> io::Result<Completion> {
            self.2.push(command.cdb.as_bytes().to_vec());
            let mut residual = 0;
            if let Data::In(buffer) = &mut command.data {
                let length = buffer.len().min(self.0.len());
                buffer[..length].copy_from_slice(&self.0[..length]);
                residual = i64::try_from(buffer.len() - length).unwrap();
            }
            Ok(Completion {
                status: ScsiStatus(self.1),
                residual,
                ..Completion::default()
            })
        }

        fn node(&self) -> Node {
            Node::default()
        }
    }

    fn unit(data: Vec<u8>, status: u8) -> LogicalUnit {
        LogicalUnit::new(Box::new(Canned(data, status, Vec::new())))
    }

    #[test]
    fn answers_are_values() {
        let keys = ReadKeys {
            generation: 7,
            keys: (0..5000).map(ReservationKey).collect(),
        };
        // Longer than the room of the first attempt.
        assert_eq!(unit(keys.emit(), 0).read_keys().unwrap(), keys);
        let inquiry = unit(b"\0\0\x06\x02\x1f\0\0\0VENDOR  ".to_vec(), 0);
        assert_eq!({ inquiry }.inquiry().unwrap().vendor, b"VENDOR  ");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let cut = unit(vec![0; 7], 0).read_reservation();
        assert!(matches!(cut, Err(QueryError::Malformed { .. })));
        let refused = unit(vec![0; 64], 0x18).read_keys();
        assert!(matches!(refused, Err(QueryError::Command(error)) if error.is_conflict()));
        assert!(matches!(
            unit(vec![0; 3], 0).inquiry(),
            Err(InquiryError::Truncated(_))
        ));
    }

    #[test]
    fn changes_are_done_or_errors() {
        let clear = PersistentReserveOut::new(prout::ServiceAction::Clear);
        assert!(unit(Vec::new(), 0).change(&clear).is_ok());
        assert!(unit(Vec::new(), 0x18).change(&clear).is_err());
    }

    #[test]
    fn a_unit_may_go_to_another_thread() {
        const fn is_send<T: Send>() {}
        const { is_send::<LogicalUnit>() }
    }

    #[test]
    fn an_open_descriptor_is_as_good_as_a_name() {
        let null = File::open("/dev/null").unwrap();
        let refused = LogicalUnit::from_fd(null).unwrap().read_keys();
        assert!(matches!(
            refused,
            Err(QueryError::Command(CommandError::Os(error)))
                if error.raw_os_error() == Some(libc::ENOTTY)
        ));
    }

    /// Answers each command with the next of these, and notes the operation codes. Where none is
    /// left there is no device any more.
    struct Scripted(VecDeque<(Vec<u8>, Completion)>, Arc<Mutex<Vec<u8>>>);

    impl Transport for Scripted {
        fn execute(&mut self, mut command: Command<'_>) -> io::Result<Completion> {
            let code = command.cdb.operation_code();
            self.1.lock().unwrap().push(code);
            let (data, mut completion) = self
                .0
                .pop_front()
                .ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?;
            if let Data::In(buffer) = &mut command.data {
                buffer[..data.len()].copy_from_slice(&data);
                completion.residual = i64::try_from(buffer.len() - data.len()).unwrap();
            }
            Ok(completion)
        }

        fn node(&self) -> Node {
            Node::default()
        }
    }

    type Sent = Arc<Mutex<Vec<u8>>>;

    fn scripted(answers: Vec<(Vec<u8>, Completion)>) -> (LogicalUnit, Sent) {
        let sent = Sent::default();
        let transport = Scripted(answers.into(), Arc::clone(&sent));
        (LogicalUnit::new(Box::new(transport)), sent)
    }

    fn good() -> (Vec<u8>, Completion) {
        (Vec::new(), Completion::default())
    }

    fn unit_attention(asc: u8, ascq: u8) -> (Vec<u8>, Completion) {
        let completion = Completion {
            status: ScsiStatus::CHECK_CONDITION,
            sense: vec![0x72, 6, asc, ascq, 0, 0, 0, 0],
            ..Completion::default()
        };
        (Vec::new(), completion)
    }

    fn keys(generation: u32, keys: &[u64]) -> (Vec<u8>, Completion) {
        let keys = keys.iter().copied().map(ReservationKey).collect();
        (ReadKeys { generation, keys }.emit(), Completion::default())
    }

    fn unreserved(generation: u32) -> (Vec<u8>, Completion) {
        let reservation = ReadReservation {
            generation,
            reservation: None,
        };
        (reservation.emit(), Completion::default())
    }

    fn register() -> PersistentReserveOut {
        PersistentReserveOut {
            service_action_reservation_key: ReservationKey(0xabc),
            ..PersistentReserveOut::new(prout::ServiceAction::Register)
        }
    }

    const IN: u8 = Cdb::PERSISTENT_RESERVE_IN;
    const OUT: u8 = Cdb::PERSISTENT_RESERVE_OUT;

    #[test]
    fn commands_are_sent_once_where_nobody_says_otherwise() {
        let (mut unit, sent) = scripted(vec![unit_attention(0x29, 0), good()]);
        assert!(unit.change(&register()).unwrap_err().is_unit_attention());
        assert_eq!(*sent.lock().unwrap(), [OUT]);
        assert!(unit.take_unit_attentions().is_empty());
    }

    #[test]
    fn a_change_is_sent_again_after_what_concerns_no_registration() {
        let (mut unit, sent) = scripted(vec![unit_attention(0x29, 0), good()]);
        unit.set_unit_attention_retries(1);
        unit.change(&register()).unwrap();
        assert_eq!(*sent.lock().unwrap(), [OUT, OUT]);
        let passed = unit.take_unit_attentions();
        assert_eq!((passed.len(), passed[0].asc), (1, 0x29));
        assert!(unit.take_unit_attentions().is_empty());
    }

    #[test]
    fn no_change_follows_a_preemption_that_nobody_looked_at() {
        let preempted = || unit_attention(0x2a, 0x05);
        let (mut unit, sent) = scripted(vec![preempted(), preempted(), keys(1, &[])]);
        unit.set_unit_attention_retries(3);
        assert!(unit.change(&register()).unwrap_err().is_unit_attention());
        assert_eq!(*sent.lock().unwrap(), [OUT]);
        // Whoever reads has it told.
        assert!(unit.read_keys().unwrap().keys.is_empty());
        assert_eq!(unit.take_unit_attentions().len(), 1);

        // What is read to compare with is part of the change.
        let (mut unit, sent) = scripted(vec![preempted()]);
        unit.set_unit_attention_retries(3);
        let refused = unit.change_verified(&register(), &[]);
        assert!(matches!(
            refused,
            Err(ChangeError::Before(QueryError::Command(error))) if error.is_unit_attention()
        ));
        assert_eq!(*sent.lock().unwrap(), [IN]);
    }

    #[test]
    fn changes_are_verified() {
        let run = |after: Vec<(Vec<u8>, Completion)>| {
            let before = vec![keys(1, &[]), unreserved(1), good()];
            let (mut unit, sent) = scripted(before.into_iter().chain(after).collect());
            let ended = unit.change_verified(&register(), &[]);
            let sent = sent.lock().unwrap().clone();
            assert_eq!(sent[..3], [IN, IN, OUT]);
            ended
        };
        run(vec![keys(2, &[0xabc]), unreserved(2)]).unwrap();
        let missing = run(vec![keys(1, &[]), unreserved(1)]);
        assert!(matches!(missing, Err(ChangeError::Mismatch(_))));
        let disturbed = run(vec![keys(7, &[]), unreserved(7)]);
        assert!(matches!(disturbed, Err(ChangeError::Disturbed(_))));
        let unread = run(Vec::new());
        let text = unread.as_ref().unwrap_err().to_string();
        assert!(matches!(unread, Err(ChangeError::After(_))));
        assert_eq!(
            text,
            "accepted, but what is there now cannot be read: \
             the kernel did not carry it out: No such device"
        );
    }

    #[test]
    fn a_change_that_is_refused_is_not_compared() {
        let conflict = Completion {
            status: ScsiStatus::RESERVATION_CONFLICT,
            ..Completion::default()
        };
        let (mut unit, sent) = scripted(vec![keys(1, &[]), unreserved(1), (Vec::new(), conflict)]);
        let refused = unit.change_verified(&register(), &[]);
        assert!(matches!(refused, Err(ChangeError::Change(error)) if error.is_conflict()));
        assert_eq!(*sent.lock().unwrap(), [IN, IN, OUT]);
    }
}
