//! The exit statuses of sg3_utils(8). No other file knows their numbers.

use std::borrow::Cow;
use std::io;

use crate::cli::usage_error::UsageErrorKind;
use crate::error::Error;
use crate::logical_unit::QueryError;
use crate::multipath::unit::MapError;
use crate::scsi::sense::{Sense, SenseKey};
use crate::scsi::status::ScsiStatus;
use crate::transport::{CommandError, os_error_text};

/// The status with which the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitStatus(u8);

impl ExitStatus {
    /// Done.
    pub const SUCCESS: Self = Self(0);
    /// The command line is not understood.
    pub const SYNTAX_ERROR: Self = Self(1);
    /// Sense key NOT READY, and ENXIO, which the kernel gives for a device that is offline.
    pub const NOT_READY: Self = Self(2);
    /// Sense keys MEDIUM ERROR, HARDWARE ERROR and BLANK CHECK.
    pub const MEDIUM_HARD: Self = Self(3);
    /// Sense key ILLEGAL REQUEST, where no other status says more.
    pub const ILLEGAL_REQUEST: Self = Self(5);
    /// Sense key UNIT ATTENTION.
    pub const UNIT_ATTENTION: Self = Self(6);
    /// Sense key DATA PROTECT.
    pub const DATA_PROTECT: Self = Self(7);
    /// The device server does not know the command.
    pub const INVALID_OPCODE: Self = Self(9);
    /// Sense key COPY ABORTED.
    pub const COPY_ABORTED: Self = Self(10);
    /// Sense key ABORTED COMMAND.
    pub const ABORTED_COMMAND: Self = Self(11);
    /// Not ready: the target port is in the standby state.
    pub const STANDBY: Self = Self(12);
    /// Not ready: the target port is in the unavailable state.
    pub const UNAVAILABLE: Self = Self(13);
    /// Sense key MISCOMPARE.
    pub const MISCOMPARE: Self = Self(14);
    /// Not ready: something is in progress.
    pub const IN_PROGRESS: Self = Self(16);
    /// The device server does not like a field of the parameter list.
    pub const INVALID_PARAMETER: Self = Self(19);
    /// A logical block address is out of range.
    pub const LBA_OUT_OF_RANGE: Self = Self(22);
    /// Status RESERVATION CONFLICT.
    pub const RESERVATION_CONFLICT: Self = Self(24);
    /// Status CONDITION MET.
    pub const CONDITION_MET: Self = Self(25);
    /// Status BUSY.
    pub const BUSY: Self = Self(26);
    /// Status TASK SET FULL.
    pub const TASK_SET_FULL: Self = Self(27);
    /// Status ACA ACTIVE.
    pub const ACA_ACTIVE: Self = Self(28);
    /// Status TASK ABORTED.
    pub const TASK_ABORTED: Self = Self(29);
    /// Options contradict each other.
    pub const CONTRADICTION: Self = Self(31);
    /// The time that the run was given is over.
    pub const TIMEOUT: Self = Self(33);
    /// The command did not reach the device server, or its answer did not come back.
    pub const TRANSPORT: Self = Self(35);
    /// No error, and the answer is no.
    pub const FALSE: Self = Self(36);
    /// The device server reported a change as done, and it is not there.
    pub const NOT_VERIFIED: Self = Self(37);
    /// Whether a change that was reported as done is there cannot be told.
    pub const UNVERIFIABLE: Self = Self(38);
    /// It did not end in the same way on all of several devices.
    pub const NOT_ALIKE: Self = Self(39);
    /// Sense key ABORTED COMMAND, for protection information.
    pub const PROTECTION: Self = Self(40);
    /// An error of the operating system whose number does not fit.
    pub const OS_ERROR: Self = Self(50);
    /// The answer is not what the standard prescribes.
    pub const MALFORMED: Self = Self(97);
    /// Sense data that fits nothing else.
    pub const SENSE: Self = Self(98);
    /// Something else.
    pub const OTHER: Self = Self(99);

    /// Errors of the operating system with larger numbers all become [`Self::OS_ERROR`].
    const LAST_ERRNO: u8 = 46;

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The status of a run on several devices, by what each ended with: theirs, if they are all alike;
    /// that the answer is no, if it is no for some and yes for the others.
    #[must_use]
    pub fn of_all(each: impl IntoIterator<Item = Self>) -> Self {
        let mut each = each.into_iter();
        let first = each.next().unwrap_or(Self::SUCCESS);
        each.fold(first, |all, one| match (all, one) {
            _ if all == one => all,
            (Self::SUCCESS, Self::FALSE) | (Self::FALSE, Self::SUCCESS) => Self::FALSE,
            _ => Self::NOT_ALIKE,
        })
    }

    /// The status in words, as the last line on stderr gives it; `None` for success.
    #[must_use]
    pub fn text(self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::SUCCESS => return None,
            Self::SYNTAX_ERROR => "Syntax error",
            Self::NOT_READY => "Device not ready",
            Self::MEDIUM_HARD => "Medium or hardware error",
            Self::ILLEGAL_REQUEST => "Illegal request",
            Self::UNIT_ATTENTION => "Unit attention",
            Self::DATA_PROTECT => "Data protect",
            Self::INVALID_OPCODE => "Illegal request, Invalid opcode",
            Self::COPY_ABORTED => "Copy aborted",
            Self::ABORTED_COMMAND => "Aborted command",
            Self::STANDBY => "Device not ready, standby",
            Self::UNAVAILABLE => "Device not ready, unavailable",
            Self::MISCOMPARE => "Miscompare",
            Self::IN_PROGRESS => "Device not ready, something in progress",
            Self::INVALID_PARAMETER => "Illegal request, Invalid field in parameter list",
            Self::LBA_OUT_OF_RANGE => "LBA out of range",
            Self::RESERVATION_CONFLICT => "Reservation conflict",
            Self::CONDITION_MET => "Condition met",
            Self::BUSY => "Busy",
            Self::TASK_SET_FULL => "Task set full",
            Self::ACA_ACTIVE => "ACA aactive",
            Self::TASK_ABORTED => "Task aborted",
            Self::CONTRADICTION => "CL options contradict",
            Self::TIMEOUT => "Timeout",
            Self::TRANSPORT => "Transport error",
            Self::FALSE => "No error, and the answer is no",
            Self::NOT_VERIFIED => "Accepted, but the effect is not there",
            Self::UNVERIFIABLE => "Accepted, but the effect could not be verified",
            Self::NOT_ALIKE => "Not the same on all devices",
            Self::PROTECTION => "Aborted command, protection error",
            Self::OS_ERROR => "An OS error occurred",
            Self::MALFORMED => "Malformed SCSI command response",
            Self::SENSE => "Some other sense error",
            Self(code) => {
                return Some(match code.checked_sub(Self::OS_ERROR.0) {
                    Some(errno @ 1..=Self::LAST_ERRNO) => {
                        Cow::Owned(os_error_text(&io::Error::from_raw_os_error(errno.into())))
                    }
                    _ => Cow::Borrowed("Some other error"),
                });
            }
        }))
    }

    /// What `-v` adds to [`ExitStatus::text`].
    const fn origin(self) -> Option<&'static str> {
        Some(match self {
            Self::SYNTAX_ERROR => "command line options (usually)",
            Self::NOT_READY
            | Self::ILLEGAL_REQUEST
            | Self::UNIT_ATTENTION
            | Self::DATA_PROTECT
            | Self::INVALID_OPCODE
            | Self::COPY_ABORTED
            | Self::ABORTED_COMMAND
            | Self::MISCOMPARE
            | Self::MEDIUM_HARD => match self {
                Self::ILLEGAL_REQUEST => "type: sense key, apart from Invalid opcode",
                Self::MEDIUM_HARD => "type: sense key (plus blank check for tape)",
                Self::DATA_PROTECT => "type: sense key; write protected media?",
                Self::INVALID_OPCODE => "type: sense key + asc,ascq",
                Self::ABORTED_COMMAND => {
                    "type: sense key, other than protection related (asc=0x10)"
                }
                _ => "type: sense key",
            },
            Self::STANDBY => "type: sense key + asc,ascq=0x4,0xb",
            Self::UNAVAILABLE => "type: sense key + asc,ascq=0x4,0xc",
            Self::INVALID_PARAMETER => "type: sense key + asc,ascq=0x26,0",
            Self::RESERVATION_CONFLICT
            | Self::CONDITION_MET
            | Self::BUSY
            | Self::TASK_SET_FULL
            | Self::ACA_ACTIVE
            | Self::TASK_ABORTED => "type: SCSI status",
            Self::TRANSPORT => "driver or interconnect error",
            Self::OS_ERROR => "(errno > 46 or negative)",
            Self::MALFORMED => "trouble building or decoding command or its response",
            Self::SENSE => "try '-v' option for more information",
            Self::OTHER => "possible transport of driver issue",
            _ => return None,
        })
    }

    /// The status in words, with what it is derived from; at most 79 characters, as the original
    /// has it.
    #[must_use]
    pub fn long_text(self) -> Option<String> {
        let text = self.text()?;
        let is_errno = self.0 > Self::OS_ERROR.0 && self.0 - Self::OS_ERROR.0 <= Self::LAST_ERRNO;
        let mut long = match self.origin() {
            Some(origin) => format!("{text}, {origin}"),
            None if is_errno => format!("OS error: {text}"),
            None => text.into_owned(),
        };
        long.truncate(79);
        Some(long)
    }
}

impl From<&io::Error> for ExitStatus {
    fn from(error: &io::Error) -> Self {
        match error.raw_os_error().map(u8::try_from) {
            Some(Ok(errno @ 1..=Self::LAST_ERRNO)) => Self(Self::OS_ERROR.0 + errno),
            _ => Self::OS_ERROR,
        }
    }
}

impl From<&Sense> for ExitStatus {
    fn from(sense: &Sense) -> Self {
        // Of a deferred error the key is about an earlier command. This one has not succeeded, and
        // nothing is known to be wrong with it.
        if let (true, SenseKey::NO_SENSE | SenseKey::RECOVERED_ERROR | SenseKey::ILLEGAL_REQUEST) =
            (sense.deferred, sense.key)
        {
            return Self::SENSE;
        }
        match (sense.key, sense.asc, sense.ascq) {
            (SenseKey::NO_SENSE | SenseKey::RECOVERED_ERROR, ..) => Self::SUCCESS,
            (SenseKey::NOT_READY, 0x04, 0x0b) => Self::STANDBY,
            (SenseKey::NOT_READY, 0x04, 0x0c) => Self::UNAVAILABLE,
            (SenseKey::NOT_READY, 0x04, 0x04 | 0x05 | 0x06 | 0x14 | 0x1b | 0x1d | 0x24 | 0x25) => {
                Self::IN_PROGRESS
            }
            (SenseKey::NOT_READY, ..) => Self::NOT_READY,
            (SenseKey::MEDIUM_ERROR | SenseKey::HARDWARE_ERROR | SenseKey::BLANK_CHECK, ..) => {
                Self::MEDIUM_HARD
            }
            (SenseKey::ILLEGAL_REQUEST, 0x20, 0x00) => Self::INVALID_OPCODE,
            (SenseKey::ILLEGAL_REQUEST, 0x21, 0x00) => Self::LBA_OUT_OF_RANGE,
            (SenseKey::ILLEGAL_REQUEST, 0x26, 0x00) => Self::INVALID_PARAMETER,
            (SenseKey::ILLEGAL_REQUEST, ..) => Self::ILLEGAL_REQUEST,
            (SenseKey::UNIT_ATTENTION, ..) => Self::UNIT_ATTENTION,
            (SenseKey::DATA_PROTECT, ..) => Self::DATA_PROTECT,
            (SenseKey::COPY_ABORTED, ..) => Self::COPY_ABORTED,
            (SenseKey::ABORTED_COMMAND, 0x10, _) => Self::PROTECTION,
            (SenseKey::ABORTED_COMMAND, ..) => Self::ABORTED_COMMAND,
            (SenseKey::MISCOMPARE, ..) => Self::MISCOMPARE,
            _ => Self::SENSE,
        }
    }
}

impl From<&CommandError> for ExitStatus {
    fn from(error: &CommandError) -> Self {
        match error {
            CommandError::Os(error) if error.raw_os_error() == Some(libc::ENXIO) => Self::NOT_READY,
            CommandError::Os(error) => error.into(),
            CommandError::Transport { .. } => Self::TRANSPORT,
            CommandError::Sense {
                sense: Some(sense), ..
            } => sense.into(),
            CommandError::Sense { sense: None, .. } => Self::SENSE,
            CommandError::Status { status, .. } => match *status {
                ScsiStatus::RESERVATION_CONFLICT => Self::RESERVATION_CONFLICT,
                ScsiStatus::CONDITION_MET => Self::CONDITION_MET,
                ScsiStatus::BUSY => Self::BUSY,
                ScsiStatus::TASK_SET_FULL => Self::TASK_SET_FULL,
                ScsiStatus::ACA_ACTIVE => Self::ACA_ACTIVE,
                ScsiStatus::TASK_ABORTED => Self::TASK_ABORTED,
                _ => Self::OTHER,
            },
            CommandError::NotThere(_) => Self::NOT_VERIFIED,
            CommandError::Unverified(_) => Self::UNVERIFIABLE,
            CommandError::Malformed(_) | CommandError::Residual { .. } => Self::MALFORMED,
        }
    }
}

impl From<&Error> for ExitStatus {
    fn from(error: &Error) -> Self {
        match error {
            Error::Usage(error) => match error.kind() {
                UsageErrorKind::Syntax => Self::SYNTAX_ERROR,
                UsageErrorKind::Contradiction => Self::CONTRADICTION,
                UsageErrorKind::Question => Self::SUCCESS,
            },
            Error::Open { source, .. } | Error::Output { source, .. } => source.into(),
            Error::Inquiry { source, .. } | Error::Command { source, .. } => source.into(),
            Error::Unsteady => Self::OTHER,
            Error::Topology { .. } | Error::NoMap { .. } | Error::NamedTwice { .. } => {
                Self::CONTRADICTION
            }
            Error::Worker { source, .. } => source.into(),
            Error::Deadline { .. } => Self::TIMEOUT,
            Error::NoIdentity { source, .. } => (&**source).into(),
            Error::OtherUnit { .. } | Error::Identification(_) => Self::MALFORMED,
            Error::Map { source, .. } => match &**source {
                MapError::Path { source, .. }
                | MapError::Foreign { source, .. }
                | MapError::NoPath {
                    source: Some(source),
                    ..
                } => source.into(),
                MapError::NoPath { source: None, .. } => Self::TRANSPORT,
                MapError::Stopped { .. } => Self::OTHER,
                MapError::NotRegistered { .. } => Self::RESERVATION_CONFLICT,
                MapError::Unknown { .. } | MapError::Left { .. } => Self::UNVERIFIABLE,
                MapError::StillHeld { .. } => Self::NOT_VERIFIED,
                MapError::NotOnMaps(_) => Self::CONTRADICTION,
                MapError::Query(QueryError::Command(source)) => source.into(),
                MapError::Query(QueryError::Unsteady) => Self::OTHER,
                MapError::Query(QueryError::Malformed { .. }) => Self::MALFORMED,
                MapError::Lost(source) => source.into(),
            },
            Error::NotVerified(_) => Self::NOT_VERIFIED,
            Error::Disturbed(_) | Error::Unread(_) | Error::Unanswered(_) => Self::UNVERIFIABLE,
            Error::InquiryData { .. } | Error::Malformed { .. } => Self::MALFORMED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::sense::SenseFormat;

    fn code(key: u8, asc: u8, ascq: u8, deferred: bool) -> u8 {
        ExitStatus::from(&Sense {
            key: SenseKey(key),
            asc,
            ascq,
            deferred,
            format: SenseFormat::Fixed,
        })
        .code()
    }

    fn sense(key: u8, asc: u8, ascq: u8) -> u8 {
        code(key, asc, ascq, false)
    }

    #[test]
    fn several_devices_have_one_status() {
        for (each, all) in [
            (&[0][..], 0),
            (&[0, 0, 0], 0),
            (&[24, 24], 24),
            (&[36, 36], 36),
            (&[0, 36, 0], 36),
            (&[36, 0], 36),
            (&[0, 24], 39),
            (&[24, 0, 24], 39),
            (&[36, 35], 39),
            (&[0, 36, 35], 39),
            (&[2, 35], 39),
            (&[39, 0], 39),
        ] {
            let given = each.iter().map(|&code| ExitStatus(code));
            assert_eq!(ExitStatus::of_all(given), ExitStatus(all), "{each:?}");
        }
    }

    #[test]
    fn no_deferred_error_is_a_success_or_an_illegal_request() {
        let codes: Vec<u8> = (0..16).map(|key| code(key, 0, 0, true)).collect();
        assert_eq!(
            codes,
            [98, 98, 2, 3, 3, 98, 6, 7, 3, 98, 10, 11, 98, 98, 14, 98]
        );
        for asc in [0x20, 0x21, 0x24, 0x26] {
            assert_eq!(code(5, asc, 0, true), 98);
        }
    }

    #[test]
    fn sense_keys() {
        let codes: Vec<u8> = (0..16).map(|key| sense(key, 0, 0)).collect();
        assert_eq!(
            codes,
            [0, 0, 2, 3, 3, 5, 6, 7, 3, 98, 10, 11, 98, 98, 14, 98]
        );
    }

    #[test]
    fn additional_sense_codes_that_say_more() {
        for (key, asc, ascq, code) in [
            (2, 4, 0x0b, 12),
            (2, 4, 0x0c, 13),
            (2, 4, 4, 16),
            (2, 4, 0x25, 16),
            (2, 4, 1, 2),
            (5, 0x20, 0, 9),
            (5, 0x20, 1, 5),
            (5, 0x21, 0, 22),
            (5, 0x26, 0, 19),
            (5, 0x26, 2, 5),
            (5, 0x24, 0, 5),
            (0xb, 0x10, 3, 40),
        ] {
            assert_eq!(sense(key, asc, ascq), code, "{key:x}/{asc:02x}/{ascq:02x}");
        }
    }

    #[test]
    fn error_numbers_of_the_operating_system() {
        for (errno, code) in [(1, 51), (2, 52), (25, 75), (46, 96), (47, 50), (110, 50)] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(ExitStatus::from(&error).code(), code);
        }
        assert_eq!(
            ExitStatus(52).text().as_deref(),
            Some("No such file or directory")
        );
        assert_eq!(
            ExitStatus(52).long_text().as_deref(),
            Some("OS error: No such file or directory")
        );
    }

    #[test]
    fn every_status_but_success_has_a_text() {
        for code in 1..=255 {
            assert!(ExitStatus(code).text().is_some());
            assert!(
                ExitStatus(code)
                    .long_text()
                    .is_some_and(|text| text.len() <= 79)
            );
        }
        assert_eq!(ExitStatus::SUCCESS.text(), None);
    }
}
