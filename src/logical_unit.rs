//! A logical unit and its persistent reservations, for programs.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use sg_persist::pr::prout::{PersistentReserveOut, ServiceAction};
//! use sg_persist::pr::{ReservationKey, ReservationType};
//! use sg_persist::transport::Access;
//! use sg_persist::logical_unit::LogicalUnit;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut unit = LogicalUnit::open(Path::new("/dev/sda"), Access::ReadWrite)?;
//! let key = ReservationKey(0xabc123);
//! unit.change(&PersistentReserveOut {
//!     service_action_reservation_key: key,
//!     ..PersistentReserveOut::new(ServiceAction::RegisterAndIgnoreExistingKey)
//! })?;
//! unit.change(&PersistentReserveOut {
//!     reservation_key: key,
//!     reservation_type: ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
//!     ..PersistentReserveOut::new(ServiceAction::Reserve)
//! })?;
//! for key in unit.read_keys()?.keys {
//!     println!("{key}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Tests need no device: [`LogicalUnit::new`] takes any [`Transport`].
//!
//! The command `sg_persist` stands on the same [`LogicalUnit`]: what is an answer and when it is
//! whole is decided here, how a command is carried there and back by an [`Exchange`].

use std::io;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use crate::pr::DEFAULT_TIMEOUT;
use crate::pr::effect::{Registrants, Sender, State};
use crate::pr::prin::{
    self, Capabilities, HEADER_LENGTH, Malformed, ReadFullStatus, ReadKeys, ReadReservation,
    ServiceAction,
};
use crate::pr::prout::PersistentReserveOut;
use crate::pr::room::Room;
use crate::pr::snapshot::{NoAnswer, Snapshot};
use crate::scsi::bytes::Truncated;
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::{self, StandardInquiry};
use crate::scsi::sense::SenseKey;
use crate::transport::buffer::{Buffer, Filling, NO_COINCIDENCE, Received};
use crate::transport::{
    Access, Command, CommandError, Data, LinuxDevices, Moved, NodeKind, Open as _, Transport,
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
    /// What came back of INQUIRY is not even its beginning.
    #[error("malformed response: {0}")]
    Truncated(#[from] Truncated),
    /// The registrations changed each time between two commands whose answers belong together.
    #[error("the registrations kept changing while they were read")]
    Unsteady,
}

/// Commands through a [`Transport`], each sent once.
pub struct Direct {
    transport: Box<dyn Transport>,
    timeout: Duration,
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Exchange for Direct {
    type Error = CommandError;

    fn exchange(&mut self, cdb: Cdb, data: Data<'_>) -> Result<Moved, CommandError> {
        let length = data.len();
        let timeout = self.timeout;
        let completion = self.transport.execute(Command { cdb, data, timeout });
        completion.map_err(CommandError::Os)?.moved(length)
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
        Ok(Self::new(LinuxDevices.open(device, access)?))
    }

    /// A logical unit at the end of `transport`.
    #[must_use]
    pub fn new(transport: Box<dyn Transport>) -> Self {
        Self::over(Direct {
            transport,
            timeout: DEFAULT_TIMEOUT,
        })
    }

    /// Lets each further command take so long; a minute otherwise.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.exchange.timeout = timeout;
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
    /// [`QueryError`].
    pub fn inquiry(&mut self) -> Result<StandardInquiry, QueryError<E::Error>> {
        let room = usize::from(inquiry::ALLOCATION_LENGTH);
        let (buffer, moved) = self
            .fill(inquiry::cdb(), room, Filling::First)
            .map_err(QueryError::Command)?;
        // A few bytes may look unwritten by chance; they are too few anyway.
        let came = match moved.transferred {
            came @ NO_COINCIDENCE.. if buffer.is_unwritten(0, came) => 0,
            came => came,
        };
        Ok(StandardInquiry::parse(&buffer.into_data(came))?)
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
    /// [`QueryError`]; that there is no full status to be had is none.
    pub fn snapshot(&mut self) -> Result<Snapshot, QueryError<E::Error>> {
        let mut last = None;
        let steady = self.of_one_generation(|unit| {
            let keys = unit.read_keys()?;
            let reservation = unit.read_reservation()?;
            let full_status = unit.if_any(Self::read_full_status)?;
            let mut agree = reservation.generation == keys.generation;
            let mut alike = true;
            if let Ok(full_status) = &full_status {
                agree &= full_status.generation == keys.generation;
                // Device servers that do not count every change are caught by what they list.
                alike = full_status.lists(&keys);
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
    /// [`QueryError`].
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
            let Some(mut state) = State::new(&keys, &unit.read_reservation()?) else {
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
    pub fn state_after(
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

    /// The answer that `read` gets, or why there is none to be had.
    fn if_any<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, QueryError<E::Error>>,
    ) -> Result<Result<T, NoAnswer>, QueryError<E::Error>> {
        let is_unsupported = |error: &E::Error| {
            matches!(
                E::command_error(error),
                Some(CommandError::Sense(Some(sense)))
                    if sense.key == SenseKey::ILLEGAL_REQUEST && !sense.deferred
            )
        };
        self.exchange.begin_optional();
        let answer = match read(self) {
            Ok(answer) => Ok(Ok(answer)),
            Err(QueryError::Malformed { source, .. }) => Ok(Err(source.into())),
            Err(QueryError::Command(error)) if is_unsupported(&error) => {
                Ok(Err(NoAnswer::Unsupported))
            }
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
    pub fn of_one_generation<T>(
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
    /// The exchange's. [`CommandError::Transport`], a time-out, and [`CommandError::Os`] with EINTR or
    /// ENODEV leave it open whether the change was made; [`CommandError::NotThere`] and
    /// [`CommandError::Unverified`] say that it was, though not all of it.
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
    pub fn read_whole<T>(
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
            let too_much = can_shrink
                && attempt
                    .as_ref()
                    .err()
                    .and_then(E::command_error)
                    .is_some_and(refuses_room);
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
                (Err(error), _) => return Err(error),
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
    fn read_once(&mut self, action: ServiceAction, room: u16) -> Result<Attempt, E::Error> {
        let left = self.left;
        let attempt = self.read_as_it_comes(action, room)?;
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
        )?;
        let left = self.left;
        if left != begun {
            let attempt = self.read_as_it_comes(action, room)?;
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
        let (buffer, moved) = loop {
            let (mut buffer, moved) = self.fill(cdb, room.into(), filling)?;
            let came = moved.transferred;
            // What a transport has made itself needs no such question.
            let unwritten = match moved.whole_answer {
                Some(_) => None,
                None => Self::unwritten(action, &mut buffer, came),
            };
            // What looks like an end that nobody wrote may be one that was: over another filling it
            // shows.
            if unwritten == Some(Unwritten::End) && filling == Filling::First {
                filling = Filling::Second;
                continue;
            }
            if unwritten.is_some() {
                return Ok(Attempt {
                    data: Vec::new().into(),
                    fault: Some(match moved.has_sense {
                        true => Malformed::ZerosBesideSense(came),
                        false => Malformed::Unwritten,
                    }),
                    is_whole: false,
                });
            }
            break (buffer, moved);
        };
        let data = buffer.into_data(moved.transferred);
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
        let claimed = action.claimed(&buffer.room()[..came]);
        let end = claimed.and_then(|claimed| usize::try_from(claimed).ok());
        let last = end.filter(|&end| end <= came)?.checked_sub(1)?;
        let unwritten = buffer.is_unwritten(last, last + 1);
        unwritten.then_some(Unwritten::End)
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

/// What nobody wrote of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unwritten {
    /// All of it, or its length at the least.
    All,
    /// Its last bytes, by its own word.
    End,
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
        CommandError::Sense(Some(sense)) => sense.is_invalid_field_in_cdb(),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
        assert!(matches!(
            refused,
            Err(QueryError::Command(CommandError::Status(
                ScsiStatus::RESERVATION_CONFLICT
            )))
        ));
        assert!(matches!(
            unit(vec![0; 3], 0).inquiry(),
            Err(QueryError::Truncated(_))
        ));
    }

    #[test]
    fn changes_are_done_or_errors() {
        let clear = PersistentReserveOut::new(prout::ServiceAction::Clear);
        assert!(unit(Vec::new(), 0).change(&clear).is_ok());
        assert!(unit(Vec::new(), 0x18).change(&clear).is_err());
    }
}
