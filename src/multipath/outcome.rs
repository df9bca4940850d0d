//! What the end of one command on one path means for the others.
//!
//! Decided here for all operations, by one question: was the command carried out? Where nobody can
//! tell, [`Class::Unknown`] says so, and whoever sent a change has to look what became of it.

use std::io;

use crate::scsi::sense::{Sense, SenseKey};
use crate::scsi::status::ScsiStatus;
use crate::transport::CommandError;

/// What a command on one path came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It was carried out.
    Done,
    /// It was not, since the device server had something to report first; the same path again.
    Attention,
    /// It was not: a reservation, or the lack of a registration. The operation decides.
    Conflict,
    /// It was not, and would not be through any other path either: the logical unit says no, or
    /// this machine does.
    Refused,
    /// It was not; another path may do.
    NotOnThisPath,
    /// It may have been.
    Unknown,
    /// What came back is no answer to it. A question has none through this path; a change may have
    /// been carried out.
    NoAnswer,
}

/// What a command came to that ended with `error`; one that ended without is [`Class::Done`].
#[must_use]
pub fn class(error: &CommandError) -> Class {
    match error {
        CommandError::Os(error) => ioctl_class(error),
        // The device server may have had it: even DID_NO_CONNECT is how some drivers end the commands
        // that are on their way when a device goes.
        CommandError::Transport { .. } => Class::Unknown,
        CommandError::Status { status, .. } => status_class(*status),
        CommandError::Sense {
            sense: Some(sense), ..
        } => sense_class(sense),
        // CHECK CONDITION for a reason that nobody can read.
        CommandError::Sense { sense: None, .. } => Class::Unknown,
        CommandError::Malformed(_) | CommandError::Residual { .. } => Class::NoAnswer,
        // Accepted, and not as a whole: what is there has to be read.
        CommandError::NotThere(_) | CommandError::Unverified(_) => Class::Unknown,
    }
}

/// What the failure to open a path's node means. No command has been sent, so nothing is unknown:
/// the question is whether the path is to blame, or this process, for which every path is as bad.
#[must_use]
pub fn open_class(error: &io::Error) -> Class {
    match error.raw_os_error() {
        // Gone, offline, or not there for this process; sd_open has EIO and ENOMEDIUM for a device
        // that went offline, or has nothing in it, while it was opened. A suspended map has EAGAIN.
        Some(
            libc::ENXIO | libc::ENODEV | libc::ENOENT | libc::EIO | libc::ENOMEDIUM | libc::EAGAIN,
        ) => Class::NotOnThisPath,
        // No permission, no file descriptors, no memory, a medium that cannot be written.
        _ => Class::Refused,
    }
}

/// What an errno of SG_IO on a block node means (drivers/scsi/scsi_ioctl.c, drivers/scsi/sd.c).
fn ioctl_class(error: &io::Error) -> Class {
    match error.raw_os_error() {
        // The device is offline or gone, which block nodes tell before they send anything; sg nodes
        // have ENODEV for a device that goes while they wait, but no path is opened by those. EAGAIN
        // is that of a suspended map, or of an NVMe namespace without a path.
        Some(libc::ENODEV | libc::ENXIO | libc::EAGAIN | libc::ENOMEDIUM) => Class::NotOnThisPath,
        // The kernel refused the request itself. The path may be as good as ever, so that to go on
        // without it would leave it out in silence.
        Some(
            libc::EPERM
            | libc::EACCES
            | libc::EROFS
            | libc::ENOTTY
            | libc::EOPNOTSUPP
            | libc::EINVAL
            | libc::ENOMEM
            | libc::EBADF,
        ) => Class::Refused,
        // Nothing that comes from this program's own checks is sent.
        None if error.kind() == io::ErrorKind::InvalidInput => Class::Refused,
        // EINTR: it is on its way, and nobody waits for it any more. EFAULT: the answer could not be
        // copied. EIO: a block node has it for more data than a command can move, other drivers for
        // anything.
        _ => Class::Unknown,
    }
}

/// What a status without sense data means (SAM-6 5.3.1).
fn status_class(status: ScsiStatus) -> Class {
    match status.without_vendor_bits() {
        ScsiStatus::RESERVATION_CONFLICT => Class::Conflict,
        // The command did not get into the task set: no room, no time (after all the patience of the
        // midlayer, which sends it again by itself), or an auto contingent allegiance in the way,
        // which belongs to the nexus that it was established for.
        ScsiStatus::BUSY | ScsiStatus::TASK_SET_FULL | ScsiStatus::ACA_ACTIVE => {
            Class::NotOnThisPath
        }
        // TASK ABORTED: it was in the task set when another nexus had it aborted, and nobody says
        // how far it had come. The others say nothing that a command of ours could have asked for.
        _ => Class::Unknown,
    }
}

/// What sense data means.
fn sense_class(sense: &Sense) -> Class {
    // It is about an earlier command. This one should not have been carried out then (SPC-5 4.4.5),
    // but old kernels hand on sense data with status GOOD as well.
    if sense.deferred {
        return Class::Unknown;
    }
    match (sense.key, sense.asc, sense.ascq) {
        (SenseKey::UNIT_ATTENTION, ..) => Class::Attention,
        (SenseKey::NOT_READY, ..) => Class::NotOnThisPath,
        // LOGICAL UNIT NOT SUPPORTED: not through this port.
        (SenseKey::ILLEGAL_REQUEST, 0x25, 0x00) => Class::NotOnThisPath,
        (SenseKey::ILLEGAL_REQUEST | SenseKey::DATA_PROTECT, ..) => Class::Refused,
        _ => Class::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::sense::SenseFormat;
    use crate::transport::{DriverStatus, HostStatus};

    fn sense(key: SenseKey, asc: u8, ascq: u8, deferred: bool) -> CommandError {
        CommandError::Sense {
            sense: Some(Sense {
                key,
                asc,
                ascq,
                deferred,
                format: SenseFormat::Fixed,
            }),
            reason: None,
        }
    }

    fn os(number: i32) -> CommandError {
        CommandError::Os(io::Error::from_raw_os_error(number))
    }

    #[test]
    fn attention() {
        for (asc, ascq) in [(0x29, 0x00), (0x2a, 0x03), (0x3f, 0x0e), (0x00, 0x00)] {
            let error = sense(SenseKey::UNIT_ATTENTION, asc, ascq, false);
            assert_eq!(class(&error), Class::Attention);
        }
    }

    #[test]
    fn conflict() {
        for status in [0x18, 0x19, 0x98, 0x99] {
            let error = CommandError::Status {
                status: ScsiStatus(status),
                reason: None,
            };
            assert_eq!(class(&error), Class::Conflict);
        }
    }

    #[test]
    fn refused() {
        for (asc, ascq) in [
            (0x20, 0x00),
            (0x24, 0x00),
            (0x25, 0x01),
            (0x26, 0x00),
            (0x26, 0x04),
            (0x55, 0x04),
        ] {
            let error = sense(SenseKey::ILLEGAL_REQUEST, asc, ascq, false);
            assert_eq!(class(&error), Class::Refused);
        }
        let error = sense(SenseKey::DATA_PROTECT, 0x27, 0x00, false);
        assert_eq!(class(&error), Class::Refused);
        for number in [
            libc::EPERM,
            libc::EACCES,
            libc::EROFS,
            libc::ENOTTY,
            libc::EOPNOTSUPP,
            libc::EINVAL,
            libc::ENOMEM,
            libc::EBADF,
        ] {
            assert_eq!(class(&os(number)), Class::Refused);
        }
        let error = CommandError::Os(io::ErrorKind::InvalidInput.into());
        assert_eq!(class(&error), Class::Refused);
    }

    #[test]
    fn not_on_this_path() {
        for (asc, ascq) in [(0x04, 0x0a), (0x04, 0x0b), (0x04, 0x0c), (0x3a, 0x00)] {
            let error = sense(SenseKey::NOT_READY, asc, ascq, false);
            assert_eq!(class(&error), Class::NotOnThisPath);
        }
        let error = sense(SenseKey::ILLEGAL_REQUEST, 0x25, 0x00, false);
        assert_eq!(class(&error), Class::NotOnThisPath);
        for number in [libc::ENODEV, libc::ENXIO, libc::EAGAIN, libc::ENOMEDIUM] {
            assert_eq!(class(&os(number)), Class::NotOnThisPath);
        }
        for status in [0x08, 0x28, 0x30, 0x09, 0xa8] {
            let error = CommandError::Status {
                status: ScsiStatus(status),
                reason: None,
            };
            assert_eq!(class(&error), Class::NotOnThisPath);
        }
    }

    #[test]
    fn unknown() {
        for host in 0..=0xff {
            for driver in [0x00, 0x06, 0x08] {
                let error = CommandError::Transport {
                    host_status: HostStatus(host),
                    driver_status: DriverStatus(driver),
                    reason: None,
                };
                assert_eq!(class(&error), Class::Unknown, "{host:#x} {driver:#x}");
            }
        }
        for number in [
            libc::EINTR,
            libc::EIO,
            libc::EFAULT,
            libc::ETIMEDOUT,
            libc::EREMOTEIO,
            4711,
        ] {
            assert_eq!(class(&os(number)), Class::Unknown);
        }
        let error = CommandError::Os(io::ErrorKind::InvalidData.into());
        assert_eq!(class(&error), Class::Unknown);
        // CONDITION MET, INTERMEDIATE, TASK ABORTED, reserved ones, and nothing but vendor bits.
        for status in [0x04, 0x10, 0x14, 0x40, 0x3e, 0x01, 0x80] {
            let error = CommandError::Status {
                status: ScsiStatus(status),
                reason: None,
            };
            assert_eq!(class(&error), Class::Unknown);
        }
        for key in (0..=15).map(SenseKey) {
            let known = [
                SenseKey::NOT_READY,
                SenseKey::ILLEGAL_REQUEST,
                SenseKey::UNIT_ATTENTION,
                SenseKey::DATA_PROTECT,
            ];
            let error = sense(key, 0x44, 0x00, false);
            assert_eq!(class(&error) == Class::Unknown, !known.contains(&key));
            // About an earlier command.
            assert_eq!(class(&sense(key, 0x44, 0x00, true)), Class::Unknown);
        }
        assert_eq!(
            class(&CommandError::Sense {
                sense: None,
                reason: None
            }),
            Class::Unknown
        );
        assert_eq!(
            class(&CommandError::NotThere(String::new())),
            Class::Unknown
        );
        assert_eq!(
            class(&CommandError::Unverified(String::new())),
            Class::Unknown
        );
    }

    #[test]
    fn no_answer() {
        assert_eq!(
            class(&CommandError::Malformed(String::new())),
            Class::NoAnswer
        );
        let residual = CommandError::Residual {
            residual: -1,
            requested: 24,
        };
        assert_eq!(class(&residual), Class::NoAnswer);
    }

    #[test]
    fn opening() {
        let opened = |number| open_class(&io::Error::from_raw_os_error(number));
        for number in [
            libc::ENXIO,
            libc::ENODEV,
            libc::ENOENT,
            libc::EIO,
            libc::ENOMEDIUM,
            libc::EAGAIN,
        ] {
            assert_eq!(opened(number), Class::NotOnThisPath);
        }
        for number in [
            libc::EACCES,
            libc::EPERM,
            libc::EROFS,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOMEM,
            libc::EINTR,
            libc::EBUSY,
            libc::ELOOP,
            4711,
        ] {
            assert_eq!(opened(number), Class::Refused);
        }
        assert_eq!(open_class(&io::Error::other("no number")), Class::Refused);
    }
}
