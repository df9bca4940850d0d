//! A logical unit and its persistent reservations, for programs.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use sg_persist::pr::prout::{PersistentReserveOut, ServiceAction};
//! use sg_persist::pr::{ReservationKey, ReservationType};
//! use sg_persist::transport::Access;
//! use sg_persist::unit::LogicalUnit;
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

use std::io;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use crate::pr::DEFAULT_TIMEOUT;
use crate::pr::prin::{
    self, Capabilities, Malformed, ReadFullStatus, ReadKeys, ReadReservation, ServiceAction,
};
use crate::pr::prout::PersistentReserveOut;
use crate::scsi::bytes::Truncated;
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::{self, StandardInquiry};
use crate::transport::sgio::Kernel;
use crate::transport::{Access, Command, CommandError, Data, Open as _, Transport};

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The command was not carried out.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// What came back is not a whole answer.
    #[error("malformed response: {0}")]
    Malformed(#[from] Malformed),
    /// What came back of INQUIRY is not even its beginning.
    #[error("malformed response: {0}")]
    Truncated(#[from] Truncated),
}

/// An open logical unit.
pub struct LogicalUnit {
    transport: Box<dyn Transport>,
    timeout: Duration,
}

impl std::fmt::Debug for LogicalUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogicalUnit")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl LogicalUnit {
    /// Opens the device node `device` of a SCSI device or an NVMe namespace. Reading takes
    /// [`Access::ReadOnly`], on a SCSI device where the process has CAP_SYS_RAWIO; changing takes
    /// [`Access::ReadWrite`].
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(device: &Path, access: Access) -> io::Result<Self> {
        Ok(Self::new(Kernel.open(device, access)?))
    }

    /// A logical unit at the end of `transport`.
    #[must_use]
    pub fn new(transport: Box<dyn Transport>) -> Self {
        Self {
            transport,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Lets each further command take so long; a minute otherwise.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Standard INQUIRY data (SPC-5, INQUIRY command).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn inquiry(&mut self) -> Result<StandardInquiry, QueryError> {
        let data = self.read(inquiry::cdb(), inquiry::ALLOCATION_LENGTH.into())?;
        Ok(StandardInquiry::parse(&data)?)
    }

    /// The keys of all registrations (SPC-5 6.16.2).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn read_keys(&mut self) -> Result<ReadKeys, QueryError> {
        self.query(ServiceAction::ReadKeys, ReadKeys::parse)
    }

    /// The reservation held, if any (SPC-5 6.16.3).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn read_reservation(&mut self) -> Result<ReadReservation, QueryError> {
        self.query(ServiceAction::ReadReservation, ReadReservation::parse)
    }

    /// What the device server supports (SPC-5 6.16.4).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn report_capabilities(&mut self) -> Result<Capabilities, QueryError> {
        self.query(ServiceAction::ReportCapabilities, Capabilities::parse)
    }

    /// Every registration with its nexus (SPC-5 6.16.5).
    ///
    /// # Errors
    /// [`QueryError`].
    pub fn read_full_status(&mut self) -> Result<ReadFullStatus, QueryError> {
        self.query(ServiceAction::ReadFullStatus, ReadFullStatus::parse)
    }

    /// Sends PERSISTENT RESERVE OUT (SPC-5 6.17).
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Transport`] and a time-out leave it open whether the
    /// change was made.
    pub fn change(&mut self, out: &PersistentReserveOut) -> Result<(), CommandError> {
        let (cdb, list) = out.emit();
        let completion = self
            .transport
            .execute(Command {
                cdb,
                data: Data::Out(&list),
                timeout: self.timeout,
            })
            .map_err(CommandError::Os)?;
        completion.check()?;
        completion.transferred(list.len()).map(drop)
    }

    fn query<T>(
        &mut self,
        action: ServiceAction,
        parse: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, QueryError> {
        let read = |room| self.read(action.cdb(room), room);
        let (_, parsed) = prin::read_whole(
            prin::DEFAULT_ALLOCATION_LENGTH,
            prin::MORE_TRIES,
            read,
            parse,
        )?;
        Ok(parsed?)
    }

    fn read(&mut self, cdb: Cdb, room: u16) -> Result<Vec<u8>, QueryError> {
        // Some targets write more than they were asked for; let that stay in our memory.
        let mut buffer = vec![0; usize::from(room.max(prin::DEFAULT_ALLOCATION_LENGTH))];
        let room = usize::from(room);
        let mut completion = self
            .transport
            .execute(Command {
                cdb,
                data: Data::In(&mut buffer[..room]),
                timeout: self.timeout,
            })
            .map_err(CommandError::Os)?;
        completion.check()?;
        buffer.truncate(completion.transferred(room)?);
        if completion.has_sense() {
            prin::beside_sense(&buffer)?;
        }
        let whole = completion.translation.whole_answer.take();
        // What no command of SCSI can ask for; for anything less there is another attempt.
        Ok(whole
            .filter(|whole| whole.len() > u16::MAX.into())
            .unwrap_or(buffer))
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
        assert!(matches!(cut, Err(QueryError::Malformed(_))));
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
