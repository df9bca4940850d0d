//! How a command ended: the statuses of device server, midlayer and driver, and what they mean.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::os_error_text;
use crate::scsi::sense::{Sense, SenseKey};
use crate::scsi::status::ScsiStatus;

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
#[non_exhaustive]
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
///
/// As text: one line for a person, with the names of the standards and of the kernel, and their
/// numbers. A program asks with [`is_conflict`](Self::is_conflict),
/// [`is_unit_attention`](Self::is_unit_attention) and [`outcome_unknown`](Self::outcome_unknown).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The kernel did not take it; with EINTR or ENODEV, it may have, and has given up waiting.
    #[error("the kernel did not carry it out: {}", os_error_text(.0))]
    Os(#[source] io::Error),
    /// It did not reach the device server, or the answer got lost.
    #[error("transport error: {}{}", transport_text(*host_status, *driver_status), because(reason))]
    Transport {
        /// What the midlayer says.
        host_status: HostStatus,
        /// What the driver says.
        driver_status: DriverStatus,
        /// [`Translation::reason`].
        reason: Option<String>,
    },
    /// The device server refused it without sense data.
    #[error("SCSI status {}{}", status_text(*status), because(reason))]
    Status {
        /// The status, without the bits that once were vendor specific where that leaves any.
        status: ScsiStatus,
        /// [`Translation::reason`].
        reason: Option<String>,
    },
    /// The device server refused it with sense data.
    #[error("CHECK CONDITION: {}{}", sense_text(sense.as_ref()), because(reason))]
    Sense {
        /// What it says; `None` when it made no sense.
        sense: Option<Sense>,
        /// [`Translation::reason`].
        reason: Option<String>,
    },
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

impl CommandError {
    /// Whether the device server refused the command since a reservation of others, or the lack of a
    /// registration of one's own, forbids it: status RESERVATION CONFLICT (SPC-5 5.13), or what an
    /// NVMe controller has in its place.
    ///
    /// The host status DID_NEXUS_FAILURE alone is no proof: virtio reports other failures so, too.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Status {
                status: ScsiStatus::RESERVATION_CONFLICT,
                ..
            }
        )
    }

    /// The sense data that came with status CHECK CONDITION, where it makes sense.
    #[must_use]
    pub const fn sense(&self) -> Option<&Sense> {
        match self {
            Self::Sense { sense, .. } => sense.as_ref(),
            _ => None,
        }
    }

    /// Whether the device server, in place of carrying the command out, reports something that has
    /// happened (SAM-5, unit attention conditions): a reset, say, or that registrations were
    /// preempted. It does so once; [`retry`](crate::pr::retry) says when the command may follow.
    #[must_use]
    pub const fn is_unit_attention(&self) -> bool {
        matches!(
            self,
            Self::Sense {
                sense: Some(Sense {
                    key: SenseKey::UNIT_ATTENTION,
                    deferred: false,
                    ..
                }),
                ..
            }
        )
    }

    /// Whether a change that ended so may have been made all the same, in full or in part. Whoever
    /// sent it has to read the keys and the reservation before anything relies on either.
    ///
    /// `false` where it is known what became of it:
    ///
    /// | error | what became of the change |
    /// |---|---|
    /// | status RESERVATION CONFLICT, BUSY, TASK SET FULL, ACA ACTIVE | none: the command was not processed (SAM-6 5.3.1) |
    /// | sense key UNIT ATTENTION, NOT READY, ILLEGAL REQUEST, DATA PROTECT | none, likewise |
    /// | deferred sense data | none: it is about an earlier command, and this one was not processed (SPC-5 4.4.5) |
    /// | [`CommandError::Os`] with an error that Linux gives before it sends anything: EPERM, EACCES, ENXIO, ENOTTY, EBADF, ENOMEM, EAGAIN, EBUSY, EINVAL, E2BIG, ENOSYS, EOPNOTSUPP | none |
    /// | [`CommandError::NotThere`] | it was made, and this part of it is missing |
    ///
    /// `true` for everything else, for want of proof:
    ///
    /// - any transport error, a time-out above all: the command, or only its answer, got lost. Even
    ///   DID_NO_CONNECT is how some drivers end commands that are on their way when a device goes.
    ///   The kernel sends no command of this kind twice;
    /// - EINTR and ENODEV: the sg driver gives up waiting for a command that it has sent, and NVMe's
    ///   for one that it aborted; and every error that is not named above, such as EIO;
    /// - status TASK ABORTED, and sense key ABORTED COMMAND: it was ended from outside, at whatever
    ///   point; HARDWARE ERROR and MEDIUM ERROR, for registrations that are to persist are written;
    ///   every other sense key or status, and sense data that makes no sense;
    /// - [`CommandError::Malformed`] and [`CommandError::Residual`]: what was reported cannot be so;
    /// - [`CommandError::Unverified`]: accepted, but part of it may be missing.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Os(error) => !was_never_sent(error),
            Self::Status { status, .. } => !matches!(
                *status,
                ScsiStatus::RESERVATION_CONFLICT
                    | ScsiStatus::BUSY
                    | ScsiStatus::TASK_SET_FULL
                    | ScsiStatus::ACA_ACTIVE
            ),
            Self::Sense {
                sense: Some(sense), ..
            } => {
                !sense.deferred
                    && !matches!(
                        sense.key,
                        SenseKey::UNIT_ATTENTION
                            | SenseKey::NOT_READY
                            | SenseKey::ILLEGAL_REQUEST
                            | SenseKey::DATA_PROTECT
                    )
            }
            Self::NotThere(_) => false,
            Self::Transport { .. }
            | Self::Sense { sense: None, .. }
            | Self::Malformed(_)
            | Self::Unverified(_)
            | Self::Residual { .. } => true,
        }
    }

    /// Why, in words, where another language than SCSI is spoken with the device, and the status
    /// does not tell ([`Translation::reason`]).
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Transport { reason, .. }
            | Self::Status { reason, .. }
            | Self::Sense { reason, .. } => reason.as_deref(),
            Self::Malformed(reason) | Self::NotThere(reason) | Self::Unverified(reason) => {
                Some(reason)
            }
            Self::Os(_) | Self::Residual { .. } => None,
        }
    }
}

/// Whether the kernel gives this error before it sends a command, and never after that.
fn was_never_sent(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(number) => matches!(
            number,
            libc::EPERM
                | libc::EACCES
                | libc::ENXIO
                | libc::ENOTTY
                | libc::EBADF
                | libc::ENOMEM
                | libc::EAGAIN
                | libc::EBUSY
                | libc::EINVAL
                | libc::E2BIG
                | libc::ENOSYS
                | libc::EOPNOTSUPP
        ),
        // Data that does not fit its command.
        None => error.kind() == io::ErrorKind::InvalidInput,
    }
}

fn because(reason: &Option<String>) -> String {
    reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"))
}

fn transport_text(host: HostStatus, driver: DriverStatus) -> String {
    let named = |what, number, name: Option<_>| {
        format!(
            "{what} status {} ({number:#04x})",
            name.unwrap_or("unknown")
        )
    };
    let mut parts = Vec::new();
    if host != HostStatus(0) {
        parts.push(named("host", host.0, host.name()));
    }
    if driver != DriverStatus(0) || parts.is_empty() {
        parts.push(named("driver", driver.0, driver.name()));
    }
    parts.join(", ")
}

fn status_text(status: ScsiStatus) -> String {
    let name = status.name().unwrap_or("unknown");
    format!("{name} ({:#04x})", status.0)
}

fn sense_text(sense: Option<&Sense>) -> String {
    sense.map_or_else(|| "without usable sense data".to_owned(), Sense::to_string)
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
        let reason = || self.translation.reason.clone();
        if self.translation.malformed {
            return Err(CommandError::Malformed(reason().unwrap_or_default()));
        }
        if let Some(shortcoming) = self.translation.shortcoming {
            let reason = reason().unwrap_or_default();
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
                ScsiStatus::RESERVATION_CONFLICT => CommandError::Status {
                    status,
                    reason: reason(),
                },
                _ => CommandError::Transport {
                    host_status: self.host_status,
                    driver_status: self.driver_status,
                    reason: reason(),
                },
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
                sense => Err(CommandError::Sense {
                    sense,
                    reason: reason(),
                }),
            };
        }
        self.check_status()
    }

    /// Whether the status alone says that the command was carried out.
    fn check_status(&self) -> Result<(), CommandError> {
        let status = match (self.status, self.status.without_vendor_bits()) {
            (ScsiStatus::GOOD, _) => return Ok(()),
            // Nothing but vendor bits is no status of any standard.
            (raw, ScsiStatus::GOOD) => raw,
            (_, status) => status,
        };
        Err(CommandError::Status {
            status,
            reason: self.translation.reason.clone(),
        })
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
                        matches!(checked, Err(CommandError::Status { status: ScsiStatus(raw), .. }) if raw == status)
                    ),
                    refusal => assert!(
                        matches!(checked, Err(CommandError::Status { status: ScsiStatus(code), .. }) if code == refusal)
                    ),
                }
            }
            assert!(completion(0, 0, 8, &fixed(key)).check().is_ok());
        }
        // What the sense data holds against it says more.
        let checked = completion(0x18, 0, 8, &fixed(6)).check();
        assert!(matches!(
            checked,
            Err(CommandError::Sense { sense: Some(_), .. })
        ));
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
                Err(CommandError::Transport { .. })
            ));
        }
    }

    #[test]
    fn every_driver_status_but_zero_and_sense_is_an_error() {
        for driver in 1..=0xff {
            let checked = completion(0, 0, driver, &fixed(5)).check();
            assert_eq!(
                matches!(checked, Err(CommandError::Sense { sense: Some(_), .. })),
                driver & 0xf == 8
            );
            assert!(checked.is_err());
        }
    }

    #[test]
    fn a_reservation_conflict_wins_over_the_host_status() {
        assert!(matches!(
            completion(0x18, 0x11, 0, &[]).check(),
            Err(CommandError::Status {
                status: ScsiStatus::RESERVATION_CONFLICT,
                ..
            })
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
            Err(CommandError::Sense { sense: None, .. })
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
                        matches!(checked, Err(CommandError::Sense { sense: Some(_), .. })),
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

    fn error(completion: &Completion) -> CommandError {
        completion.check().unwrap_err()
    }

    fn sense(key: u8, asc: u8, ascq: u8) -> CommandError {
        error(&completion(2, 0, 8, &[0x72, key, asc, ascq, 0, 0, 0, 0]))
    }

    fn os(errno: i32) -> CommandError {
        CommandError::Os(io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn errors_in_words() {
        for (error, text) in [
            (
                sense(5, 0x26, 0x04),
                "CHECK CONDITION: Illegal Request, Invalid release of persistent reservation \
                 (sense key 5h, ASC 26h, ASCQ 04h)",
            ),
            (
                sense(6, 0x80, 0x01),
                "CHECK CONDITION: Unit Attention (sense key 6h, ASC 80h, ASCQ 01h)",
            ),
            (
                error(&completion(2, 0, 8, &[0x73, 4, 0x44, 0, 0, 0, 0, 0])),
                "CHECK CONDITION: of an earlier command: Hardware Error, Internal target failure \
                 (sense key 4h, ASC 44h, ASCQ 00h)",
            ),
            (
                error(&completion(2, 0, 0, &[])),
                "CHECK CONDITION: without usable sense data",
            ),
            (
                error(&completion(0x18, 0, 0, &[])),
                "SCSI status RESERVATION CONFLICT (0x18)",
            ),
            (
                error(&completion(0x42, 0, 0, &[])),
                "SCSI status unknown (0x42)",
            ),
            (
                error(&completion(0, 3, 0, &[])),
                "transport error: host status DID_TIME_OUT (0x03)",
            ),
            (
                error(&completion(0, 0x77, 6, &[])),
                "transport error: host status unknown (0x77), driver status DRIVER_TIMEOUT (0x06)",
            ),
            (
                os(libc::ENODEV),
                "the kernel did not carry it out: No such device",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn the_error_of_the_operating_system_is_the_source() {
        use std::error::Error as _;
        let source = os(libc::ENODEV);
        let source = source.source().unwrap();
        let source = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.raw_os_error(), Some(libc::ENODEV));
        assert!(sense(6, 0x29, 0).source().is_none());
    }

    #[test]
    fn the_reason_of_another_language_is_kept() {
        for mut ended in [
            completion(0x18, 0, 0, &[]),
            completion(0, 1, 0, &[]),
            completion(2, 0, 8, &fixed(5)),
            completion(0x28, 0, 0, &[]),
        ] {
            assert_eq!(error(&ended).reason(), None);
            ended.translation.reason = Some("why".to_owned());
            let error = error(&ended);
            assert_eq!(error.reason(), Some("why"));
            assert!(error.to_string().ends_with(": why"), "{error}");
        }
    }

    #[test]
    fn conflicts() {
        for status in 1..=255 {
            let is_conflict = error(&completion(status, 0, 0, &[])).is_conflict();
            assert_eq!(is_conflict, status & 0x7e == 0x18, "{status:#x}");
        }
        assert!(error(&completion(0x18, 0x11, 0, &[])).is_conflict());
        assert!(!error(&completion(0, 0x11, 0, &[])).is_conflict());
    }

    #[test]
    fn unit_attentions() {
        for key in 2..16 {
            assert_eq!(sense(key, 0x2a, 0x05).is_unit_attention(), key == 6);
            let deferred = error(&completion(2, 0, 8, &[0x73, key, 0x29, 0, 0, 0, 0, 0]));
            assert!(!deferred.is_unit_attention());
        }
    }

    #[test]
    fn outcomes_that_nobody_knows() {
        // By the status: whatever does not say that nothing was done.
        for status in 1..=255_u8 {
            let known = [0x18, 0x08, 0x28, 0x30].contains(&(status & 0x7e));
            let unknown = error(&completion(status, 0, 0, &[])).outcome_unknown();
            assert_eq!(unknown, !known, "{status:#x}");
        }
        // By the sense key; deferred sense data comes with a command that was not processed.
        for key in 2..16 {
            let known = [2, 5, 6, 7].contains(&key);
            assert_eq!(sense(key, 0, 0).outcome_unknown(), !known, "{key}");
            let deferred = error(&completion(2, 0, 8, &[0x73, key, 0, 0, 0, 0, 0, 0]));
            assert!(!deferred.outcome_unknown(), "{key}");
        }
        for host in 1..=0xff {
            assert!(error(&completion(0, host, 0, &[])).outcome_unknown());
        }
        for driver in [1, 2, 3, 4, 5, 6, 7, 0x10] {
            assert!(error(&completion(0, 0, driver, &[])).outcome_unknown());
        }
        for (errno, unknown) in [
            (libc::EINTR, true),
            (libc::ENODEV, true),
            (libc::EIO, true),
            (libc::ETIMEDOUT, true),
            (libc::EFAULT, true),
            (libc::EPERM, false),
            (libc::EACCES, false),
            (libc::ENXIO, false),
            (libc::ENOTTY, false),
            (libc::ENOMEM, false),
            (libc::EAGAIN, false),
        ] {
            assert_eq!(os(errno).outcome_unknown(), unknown, "{errno}");
        }
        let of = |kind: io::ErrorKind| CommandError::Os(kind.into()).outcome_unknown();
        assert!(!of(io::ErrorKind::InvalidInput));
        assert!(of(io::ErrorKind::Other));
        let why = || "why".to_owned();
        assert!(CommandError::Malformed(why()).outcome_unknown());
        assert!(CommandError::Unverified(why()).outcome_unknown());
        assert!(!CommandError::NotThere(why()).outcome_unknown());
        let residual = CommandError::Residual {
            residual: 9,
            requested: 8,
        };
        assert!(residual.outcome_unknown());
    }
}
