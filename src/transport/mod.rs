//! Carrying a command to a device server and its completion back.
//!
//! [`Transport`] is the one place where programs and tests differ: [`sgio`] is the kernel's way to
//! SCSI devices, [`nvme`] that to NVMe namespaces, where [`translation`] speaks for the device
//! server; [`trace`] prints what passes through it.

use std::io;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use crate::pr::transport_id::TransportId;
use crate::scsi::cdb::Cdb;
use crate::scsi::sense::{Sense, SenseKey};
use crate::scsi::status::ScsiStatus;
pub use os_error::os_error_text;

pub mod buffer;
mod ioctl;
pub mod nvme;
mod os_error;
pub mod own_ports;
pub mod sgio;
pub mod trace;
pub mod translation;

/// How a device is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// O_RDONLY.
    ReadOnly,
    /// O_RDWR.
    ReadWrite,
}

/// What moves besides the command itself.
#[derive(Debug)]
pub enum Data<'a> {
    /// Nothing.
    None,
    /// At most as many bytes as the buffer has, from the device server.
    In(&'a mut [u8]),
    /// All of the bytes, to the device server.
    Out(&'a [u8]),
}

impl Data<'_> {
    /// The same data, for one of several attempts.
    pub fn reborrow(&mut self) -> Data<'_> {
        match self {
            Self::None => Data::None,
            Self::In(buffer) => Data::In(buffer),
            Self::Out(list) => Data::Out(list),
        }
    }

    /// Bytes of room, or to send.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::In(buffer) => buffer.len(),
            Self::Out(list) => list.len(),
        }
    }

    /// Whether nothing moves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A command on its way.
#[derive(Debug)]
pub struct Command<'a> {
    /// The command descriptor block.
    pub cdb: Cdb,
    /// Data in or out.
    pub data: Data<'a>,
    /// When to give it up.
    pub timeout: Duration,
}

/// How the Linux SCSI midlayer fared with a command (`DID_…` of `<scsi/scsi_status.h>`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostStatus(pub u32);

impl HostStatus {
    /// The constant's name; `None` for a number that has none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x00 => "DID_OK",
            0x01 => "DID_NO_CONNECT",
            0x02 => "DID_BUS_BUSY",
            0x03 => "DID_TIME_OUT",
            0x04 => "DID_BAD_TARGET",
            0x05 => "DID_ABORT",
            0x06 => "DID_PARITY",
            0x07 => "DID_ERROR",
            0x08 => "DID_RESET",
            0x09 => "DID_BAD_INTR",
            0x0a => "DID_PASSTHROUGH",
            0x0b => "DID_SOFT_ERROR",
            0x0c => "DID_IMM_RETRY",
            0x0d => "DID_REQUEUE",
            0x0e => "DID_TRANSPORT_DISRUPTED",
            0x0f => "DID_TRANSPORT_FAILFAST",
            0x10 => "DID_TARGET_FAILURE",
            0x11 => "DID_NEXUS_FAILURE (reservation conflict)",
            0x12 => "DID_ALLOC_FAILURE",
            0x13 => "DID_MEDIUM_ERROR",
            0x14 => "DID_TRANSPORT_MARGINAL",
            _ => return None,
        })
    }
}

/// How a low-level driver fared with a command (`DRIVER_…` of `<scsi/sg.h>`). Kernels since 5.13
/// use no other than 0 and [`DriverStatus::SENSE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverStatus(pub u32);

impl DriverStatus {
    /// Sense data came.
    pub const SENSE: Self = Self(0x08);

    /// The status without the suggestion that old kernels put in the high bits.
    #[must_use]
    pub const fn without_suggestion(self) -> Self {
        Self(self.0 & 0x0f)
    }

    /// The constant's name; `None` for a number that has none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.without_suggestion().0 {
            0x00 => "DRIVER_OK",
            0x01 => "DRIVER_BUSY",
            0x02 => "DRIVER_SOFT",
            0x03 => "DRIVER_MEDIA",
            0x04 => "DRIVER_ERROR",
            0x05 => "DRIVER_INVALID",
            0x06 => "DRIVER_TIMEOUT",
            0x07 => "DRIVER_HARD",
            0x08 => "DRIVER_SENSE",
            _ => return None,
        })
    }
}

/// What came back of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The device server's status.
    pub status: ScsiStatus,
    /// The midlayer's.
    pub host_status: HostStatus,
    /// The driver's.
    pub driver_status: DriverStatus,
    /// Sense data, as many bytes as came.
    pub sense: Vec<u8>,
    /// Bytes that were to move and did not.
    pub residual: i64,
    /// How long the command took, in the unit of milliseconds.
    pub duration: Duration,
    /// What a transport adds that speaks another language with the device.
    pub translation: Translation,
}

/// What is to be known of a command that was carried out by other commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// The commands that were sent, and how they ended: a line for each.
    pub sent: Vec<String>,
    /// Why the command ended as it did, in words, where the status does not tell.
    pub reason: Option<String>,
    /// What came back of them contradicts itself, so that there is no answer; the reason tells how.
    pub malformed: bool,
    /// The whole parameter data of PERSISTENT RESERVE IN, however much of it the command has room
    /// for; the buffer has its beginning.
    pub whole_answer: Option<Vec<u8>>,
    /// What a change lacks that was accepted; the reason tells what it is.
    pub shortcoming: Option<Shortcoming>,
}

/// What a command that was carried out moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Bytes of data.
    pub transferred: usize,
    /// Whether sense data came with it.
    pub has_sense: bool,
    /// [`Translation::whole_answer`].
    pub whole_answer: Option<Vec<u8>>,
}

/// Why a change that was accepted is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcoming {
    /// Part of what was asked for is not there.
    NotThere,
    /// Whether all of it is there could not be told.
    Unknown,
}

/// Why a command did not do what it should.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The kernel did not take it; with EINTR or ENODEV, it may have, and has given up waiting.
    #[error("{}", os_error_text(.0))]
    Os(io::Error),
    /// It did not reach the device server, or the answer got lost.
    #[error("transport error")]
    Transport(HostStatus, DriverStatus),
    /// The device server refused it without sense data.
    #[error("SCSI status {:#04x}", .0.0)]
    Status(ScsiStatus),
    /// The device server refused it with this sense data; `None` when it made no sense.
    #[error("CHECK CONDITION")]
    Sense(Option<Sense>),
    /// What came back contradicts itself.
    #[error("malformed response: {0}")]
    Malformed(String),
    /// It was accepted, but part of its effect is not there.
    #[error("accepted, but the effect is not there: {0}")]
    NotThere(String),
    /// It was accepted, but nobody knows whether all of its effect is there.
    #[error("accepted, but the effect could not be verified: {0}")]
    Unverified(String),
    /// More bytes are said to be missing than were asked for, or fewer than none.
    #[error("the residual is {residual} of {requested} bytes")]
    Residual {
        /// Bytes said not to have moved.
        residual: i64,
        /// Bytes that were to move.
        requested: usize,
    },
}

impl Completion {
    /// Whether sense data belongs to this completion.
    #[must_use]
    pub fn has_sense(&self) -> bool {
        self.driver_status.without_suggestion() == DriverStatus::SENSE || self.status.has_sense()
    }

    /// The transport's own complaint, if it has one.
    #[must_use]
    pub fn transport_failed(&self) -> bool {
        let suggestion_only = self.driver_status != DriverStatus(0)
            && self.driver_status.without_suggestion() == DriverStatus(0);
        let driver_failed = suggestion_only
            || !matches!(
                self.driver_status.without_suggestion(),
                DriverStatus(0) | DriverStatus::SENSE
            );
        self.host_status != HostStatus(0) || driver_failed
    }

    /// Whether the command was carried out: every one of the statuses says so, or the device
    /// server's leaves it to sense data, which has nothing worse to tell than a recovered error.
    /// Deferred sense data is about
    /// an earlier command, and this one was not carried out (SPC-5, "Deferred errors").
    ///
    /// # Errors
    /// [`CommandError`]: the first of them that does not.
    pub fn check(&self) -> Result<(), CommandError> {
        if self.translation.malformed {
            let reason = self.translation.reason.clone();
            return Err(CommandError::Malformed(reason.unwrap_or_default()));
        }
        if let Some(shortcoming) = self.translation.shortcoming {
            let reason = self.translation.reason.clone().unwrap_or_default();
            return Err(match shortcoming {
                Shortcoming::NotThere => CommandError::NotThere(reason),
                Shortcoming::Unknown => CommandError::Unverified(reason),
            });
        }
        let status = self.status.without_vendor_bits();
        if self.transport_failed() {
            // The midlayer maps a reservation conflict to DID_NEXUS_FAILURE on some paths and
            // keeps the status, which says more.
            return Err(match status {
                ScsiStatus::RESERVATION_CONFLICT => CommandError::Status(status),
                _ => CommandError::Transport(self.host_status, self.driver_status),
            });
        }
        if self.has_sense() {
            return match Sense::parse(&self.sense) {
                Some(Sense {
                    key: SenseKey::NO_SENSE | SenseKey::RECOVERED_ERROR,
                    deferred: false,
                    ..
                }) => match self.status.has_sense() {
                    true => Ok(()),
                    // Sense data may come with any status, and takes nothing back that one says.
                    false => self.check_status(),
                },
                sense => Err(CommandError::Sense(sense)),
            };
        }
        self.check_status()
    }

    /// Whether the status alone says that the command was carried out.
    fn check_status(&self) -> Result<(), CommandError> {
        match (self.status, self.status.without_vendor_bits()) {
            (ScsiStatus::GOOD, _) => Ok(()),
            // Nothing but vendor bits is no status of any standard.
            (raw, ScsiStatus::GOOD) => Err(CommandError::Status(raw)),
            (_, status) => Err(CommandError::Status(status)),
        }
    }

    /// What moved of the `requested` bytes, if the command was carried out.
    ///
    /// # Errors
    /// Those of [`Completion::check`] and [`Completion::transferred`]: a device that took less of a
    /// parameter list than it was sent and is content has done it all the same; one that took less
    /// than nothing, or more, has not.
    pub fn moved(self, requested: usize) -> Result<Moved, CommandError> {
        self.check()?;
        Ok(Moved {
            transferred: self.transferred(requested)?,
            has_sense: self.has_sense(),
            whole_answer: self.translation.whole_answer,
        })
    }

    /// How many of the `requested` bytes moved.
    ///
    /// # Errors
    /// [`CommandError::Residual`] when the residual is not between 0 and `requested`.
    pub fn transferred(&self, requested: usize) -> Result<usize, CommandError> {
        usize::try_from(self.residual)
            .ok()
            .and_then(|residual| requested.checked_sub(residual))
            .ok_or(CommandError::Residual {
                residual: self.residual,
                requested,
            })
    }
}

/// What a device node turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeKind {
    /// `/dev/sgN`.
    Sg,
    /// `/dev/bsg/H:C:T:L`.
    Bsg,
    /// A block device.
    Block,
    /// `/dev/nvmeX`: an NVMe controller.
    NvmeController,
    /// `/dev/nvmeXnY`, or a partition on it.
    NvmeBlock {
        /// The namespace's number in its subsystem; [`NodeKind::UNKNOWN_NAMESPACE`] where no path
        /// to it was usable when the node was opened.
        namespace: u32,
    },
    /// `/dev/ngXnY`.
    NvmeGeneric {
        /// Likewise.
        namespace: u32,
    },
    /// Another character device.
    Character,
    /// Something else, such as a file.
    #[default]
    Other,
}

impl NodeKind {
    /// The number that no namespace has (NVM Express Base, NSID).
    pub const UNKNOWN_NAMESPACE: u32 = 0;

    /// Whether it takes NVMe commands.
    #[must_use]
    pub const fn is_nvme(self) -> bool {
        matches!(
            self,
            Self::NvmeController | Self::NvmeBlock { .. } | Self::NvmeGeneric { .. }
        )
    }
}

/// What is known of the node that commands go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its kind.
    pub kind: NodeKind,
    /// The major number of bsg nodes, where it had to be looked up.
    pub bsg_major: Option<u64>,
}

/// A way to a device server.
pub trait Transport {
    /// Sends `command` once and waits for its end. Data in is in the command's buffer then.
    ///
    /// # Errors
    /// What the operating system says when the command could not be sent.
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion>;

    /// The node that leads there.
    fn node(&self) -> Node;

    /// What was sent for a command that [`Transport::execute`] ended with an error, as in
    /// [`Translation::sent`], or for [`Transport::host`]; empty where a command is sent as it is.
    fn sent(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The version of the sg driver, major, minor and patch level; `None` for other nodes.
    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        None
    }

    /// The name that full status has for this host, where the device itself can be asked for it:
    /// each command for it may take `timeout`. `None` where it cannot, or does not tell.
    fn host(&mut self, timeout: Duration) -> Option<TransportId> {
        let _ = timeout;
        None
    }
}

/// What is left of a device that has been closed: it takes no command.
#[derive(Clone, Copy, Debug)]
pub struct Closed;

impl Transport for Closed {
    fn execute(&mut self, _: Command<'_>) -> io::Result<Completion> {
        Err(io::Error::from_raw_os_error(libc::EBADF))
    }

    fn node(&self) -> Node {
        Node::default()
    }
}

/// A way to open devices.
pub trait Open {
    /// Opens `device`.
    ///
    /// # Errors
    /// What the operating system says when it cannot be opened.
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn completion(status: u8, host: u32, driver: u32, sense: &[u8]) -> Completion {
        Completion {
            status: ScsiStatus(status),
            host_status: HostStatus(host),
            driver_status: DriverStatus(driver),
            sense: sense.to_vec(),
            ..Completion::default()
        }
    }

    fn fixed(key: u8) -> Vec<u8> {
        vec![0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    #[test]
    fn good_is_good() {
        assert!(completion(0, 0, 0, &[]).check().is_ok());
    }

    /// Kernels before 5.13 report sense data with whatever status it came.
    #[test]
    fn sense_data_makes_no_success_of_a_status_that_refuses() {
        for key in [0, 1] {
            for status in 1..=255 {
                let checked = completion(status, 0, 8, &fixed(key)).check();
                match status & 0x7e {
                    0x02 | 0x22 => assert!(checked.is_ok(), "{status:#x}"),
                    0 => assert!(
                        matches!(checked, Err(CommandError::Status(ScsiStatus(raw))) if raw == status)
                    ),
                    refusal => assert!(
                        matches!(checked, Err(CommandError::Status(ScsiStatus(code))) if code == refusal)
                    ),
                }
            }
            assert!(completion(0, 0, 8, &fixed(key)).check().is_ok());
        }
        // What the sense data holds against it says more.
        let checked = completion(0x18, 0, 8, &fixed(6)).check();
        assert!(matches!(checked, Err(CommandError::Sense(Some(_)))));
    }

    #[test]
    fn every_status_but_good_is_an_error() {
        for status in 1..=255 {
            assert!(completion(status, 0, 0, &[]).check().is_err(), "{status}");
        }
    }

    #[test]
    fn every_host_status_but_zero_is_an_error() {
        for host in 1..=0xffff {
            assert!(matches!(
                completion(0, host, 0, &fixed(1)).check(),
                Err(CommandError::Transport(..))
            ));
        }
    }

    #[test]
    fn every_driver_status_but_zero_and_sense_is_an_error() {
        for driver in 1..=0xff {
            let checked = completion(0, 0, driver, &fixed(5)).check();
            assert_eq!(
                matches!(checked, Err(CommandError::Sense(Some(_)))),
                driver & 0xf == 8
            );
            assert!(checked.is_err());
        }
    }

    #[test]
    fn a_reservation_conflict_wins_over_the_host_status() {
        assert!(matches!(
            completion(0x18, 0x11, 0, &[]).check(),
            Err(CommandError::Status(ScsiStatus::RESERVATION_CONFLICT))
        ));
    }

    #[test]
    fn no_sense_and_recovered_error_are_success() {
        assert!(completion(2, 0, 8, &fixed(0)).check().is_ok());
        assert!(completion(2, 0, 8, &fixed(1)).check().is_ok());
        for key in 2..16 {
            assert!(completion(2, 0, 8, &fixed(key)).check().is_err());
        }
        assert!(matches!(
            completion(2, 0, 0, &[]).check(),
            Err(CommandError::Sense(None))
        ));
    }

    #[test]
    fn a_deferred_error_is_no_success() {
        for key in 0..16 {
            let mut fixed = fixed(key);
            fixed[0] = 0x71;
            let descriptor = [0x73, key, 0, 0, 0, 0, 0, 0];
            for sense in [&fixed[..], &descriptor] {
                for (status, driver) in [(2, 8), (2, 0), (0, 8)] {
                    let checked = completion(status, 0, driver, sense).check();
                    assert!(
                        matches!(checked, Err(CommandError::Sense(Some(_)))),
                        "{key} {checked:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_no_success() {
        let mut contradiction = completion(0, 0, 0, &[]);
        contradiction.translation.reason = Some("why".to_owned());
        assert!(contradiction.check().is_ok());
        contradiction.translation.malformed = true;
        let Err(CommandError::Malformed(reason)) = contradiction.check() else {
            panic!("{contradiction:?}");
        };
        assert_eq!(reason, "why");
    }

    #[test]
    fn what_is_closed_takes_no_command() {
        let error = Closed
            .execute(Command {
                cdb: crate::scsi::inquiry::cdb(),
                data: Data::In(&mut [0; 36]),
                timeout: Duration::from_secs(60),
            })
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert_eq!(Closed.node().kind, NodeKind::Other);
    }

    #[test]
    fn a_change_that_is_not_whole_is_no_success() {
        let mut partly = completion(0, 0, 0, &[]);
        partly.translation.reason = Some("why".to_owned());
        partly.translation.shortcoming = Some(Shortcoming::NotThere);
        assert!(matches!(partly.check(), Err(CommandError::NotThere(why)) if why == "why"));
        partly.translation.shortcoming = Some(Shortcoming::Unknown);
        assert!(matches!(partly.check(), Err(CommandError::Unverified(why)) if why == "why"));
    }

    #[test]
    fn residuals() {
        let moved = |residual, requested| {
            let completion = Completion {
                residual,
                ..Completion::default()
            };
            completion.transferred(requested).ok()
        };
        assert_eq!(moved(0, 36), Some(36));
        assert_eq!(moved(36, 36), Some(0));
        assert_eq!(moved(37, 36), None);
        assert_eq!(moved(-1, 36), None);
    }
}
