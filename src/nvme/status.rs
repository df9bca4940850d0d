//! The status with which a controller ends a command (NVM Express Base, Status Field), and what it
//! means to a SCSI application client (NVM Express: SCSI Translation Reference, where that knows
//! the status).

use std::borrow::Cow;
use std::fmt;

use crate::scsi::sense::SenseKey;

/// Status code type and status code in hexadecimal, then the name: the generic, command specific and
/// media statuses.
const STATUSES: &str = include_str!("status.txt");

/// The Status Field without the phase tag, as the kernel returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NvmeStatus(pub u16);

/// What a status means in terms of SCSI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Status GOOD.
    Good,
    /// Status RESERVATION CONFLICT.
    ReservationConflict,
    /// Status TASK ABORTED: another host had the command aborted.
    TaskAborted,
    /// Status CHECK CONDITION with this sense key, additional sense code and qualifier.
    CheckCondition(SenseKey, u8, u8),
    /// The command did not get to the namespace, or nobody knows what became of it.
    Lost,
}

impl NvmeStatus {
    /// The command was carried out.
    pub const SUCCESS: Self = Self(0x000);
    /// A field of the command is not supported, or makes no sense.
    pub const INVALID_FIELD: Self = Self(0x002);
    /// Host identifiers of the other length are in use.
    pub const HOST_IDENTIFIER_INCONSISTENT_FORMAT: Self = Self(0x018);
    /// A reservation, or the lack of a registration, forbids the command.
    pub const RESERVATION_CONFLICT: Self = Self(0x083);

    /// Status Code Type and Status Code: the status without what advises about it.
    #[must_use]
    pub const fn code(self) -> Self {
        Self(self.0 & 0x7ff)
    }

    /// The controller has more to tell in its error log.
    #[doc(alias = "M")]
    #[must_use]
    pub const fn more(self) -> bool {
        self.0 >> 13 & 1 == 1
    }

    /// The same command would fail again.
    #[doc(alias = "DNR")]
    #[must_use]
    pub const fn do_not_retry(self) -> bool {
        self.0 >> 14 & 1 == 1
    }

    /// The status in words.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        let code = self.code().0;
        Cow::Borrowed(match code {
            0x300 => "Internal path error",
            0x301 => "Asymmetric access persistent loss",
            0x302 => "Asymmetric access inaccessible",
            0x303 => "Asymmetric access transition",
            0x360 => "Controller pathing error",
            0x370 => "Host pathing error",
            0x371 => "Command aborted by host",
            0x000..0x300 => match Self::listed_name(code) {
                name if name.starts_with("Reserved") => "Reserved",
                name => return Cow::Owned(name),
            },
            0x700.. => "Vendor specific",
            _ => "Reserved",
        })
    }

    /// The status field `status` in words, by the list of generic, command specific and media
    /// statuses.
    pub(crate) fn listed_name(status: u16) -> String {
        let number = format!("{:03x}", status & 0x3ff);
        STATUSES
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(listed, _)| *listed == number)
            .map_or_else(
                || format!("Reserved [0x{status:x}]"),
                |(_, name)| name.to_owned(),
            )
    }

    /// What it means in terms of SCSI.
    #[must_use]
    pub const fn meaning(self) -> Meaning {
        use Meaning::{CheckCondition, Good, Lost, ReservationConflict, TaskAborted};
        let (key, asc, ascq) = match self.code().0 {
            0x000 => return Good,
            0x083 => return ReservationConflict,
            0x01b => return TaskAborted,
            // Of the path's errors those about asymmetric access are known to come back at once.
            0x301 | 0x302 => (SenseKey::NOT_READY, 0x04, 0x0c),
            0x303 => (SenseKey::NOT_READY, 0x04, 0x0a),
            0x300..=0x3ff => return Lost,
            0x001 => (SenseKey::ILLEGAL_REQUEST, 0x20, 0x00),
            0x002
            | 0x00d..=0x014
            | 0x016
            | 0x018
            | 0x01a
            | 0x01e
            | 0x01f
            | 0x085..=0x087
            | 0x089
            | 0x180
            | 0x181 => (SenseKey::ILLEGAL_REQUEST, 0x24, 0x00),
            0x004 => (SenseKey::ABORTED_COMMAND, 0x4b, 0x00),
            0x005 => (SenseKey::ABORTED_COMMAND, 0x0b, 0x08),
            0x003 | 0x007..=0x00a | 0x019 | 0x021 | 0x022 => (SenseKey::ABORTED_COMMAND, 0, 0),
            0x006 => (SenseKey::HARDWARE_ERROR, 0x44, 0x00),
            0x00b => (SenseKey::ILLEGAL_REQUEST, 0x20, 0x09),
            0x00c => (SenseKey::ILLEGAL_REQUEST, 0x2c, 0x00),
            0x015 | 0x023 | 0x286 => (SenseKey::ILLEGAL_REQUEST, 0x20, 0x02),
            0x01c => (SenseKey::MEDIUM_ERROR, 0x31, 0x03),
            0x01d => (SenseKey::NOT_READY, 0x04, 0x1b),
            0x020 | 0x182 => (SenseKey::DATA_PROTECT, 0x27, 0x00),
            0x024 | 0x082 => (SenseKey::NOT_READY, 0x04, 0x00),
            0x080 => (SenseKey::ILLEGAL_REQUEST, 0x21, 0x00),
            0x081 => (SenseKey::MEDIUM_ERROR, 0, 0),
            0x084 => (SenseKey::NOT_READY, 0x04, 0x04),
            0x088 | 0x281 | 0x287 => (SenseKey::MEDIUM_ERROR, 0x11, 0x00),
            0x280 => (SenseKey::MEDIUM_ERROR, 0x03, 0x00),
            0x282 => (SenseKey::MEDIUM_ERROR, 0x10, 0x01),
            0x283 => (SenseKey::MEDIUM_ERROR, 0x10, 0x02),
            0x284 => (SenseKey::MEDIUM_ERROR, 0x10, 0x03),
            0x285 => (SenseKey::MISCOMPARE, 0x1d, 0x00),
            // What belongs to commands that this program does not send, what vendors define, and
            // what nobody has defined yet.
            _ => (SenseKey::VENDOR_SPECIFIC, 0, 0),
        };
        CheckCondition(key, asc, ascq)
    }

    /// Sense data in descriptor format for it, with the status in a vendor specific descriptor, as
    /// translators use to pass it on.
    #[must_use]
    pub fn sense(self, key: SenseKey, asc: u8, ascq: u8) -> Vec<u8> {
        let [high, low] = self.code().0.to_be_bytes();
        let flags = u8::from(self.do_not_retry()) << 7 | u8::from(self.more()) << 6;
        let descriptor = [0xde, 6, 0, 0, 0, flags, high, low];
        [&descriptor_format(key, asc, ascq, 8)[..], &descriptor].concat()
    }
}

impl fmt::Display for NvmeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NVMe status {:#x} ({})", self.code().0, self.name())
    }
}

/// The header of sense data in descriptor format (SPC-5 4.4.2), `length` bytes of descriptors
/// after it.
#[must_use]
pub const fn descriptor_format(key: SenseKey, asc: u8, ascq: u8, length: u8) -> [u8; 8] {
    [0x72, key.0, asc, ascq, 0, 0, 0, length]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scsi::sense::{Sense, SenseFormat};

    #[test]
    fn success_alone_is_good() {
        for code in 0..=0x7fff {
            let status = NvmeStatus(code);
            assert_eq!(
                status.meaning() == Meaning::Good,
                code & 0x7ff == 0,
                "{code:#x}"
            );
            assert_eq!(status.meaning(), status.code().meaning());
            if let Meaning::CheckCondition(key, ..) = status.meaning() {
                assert_ne!(key, SenseKey::NO_SENSE, "{code:#x}");
                assert_ne!(key, SenseKey::RECOVERED_ERROR, "{code:#x}");
                assert_ne!(key, SenseKey::UNIT_ATTENTION, "{code:#x}");
            }
        }
    }

    #[test]
    fn statuses_of_other_kinds_are_told_apart() {
        // 18h is a reservation conflict in SCSI and another thing here, and so is 83h of SCT 1.
        assert_ne!(NvmeStatus(0x018).meaning(), Meaning::ReservationConflict);
        assert_ne!(NvmeStatus(0x183).meaning(), Meaning::ReservationConflict);
        for code in 0..0x800 {
            let conflict = NvmeStatus(code).meaning() == Meaning::ReservationConflict;
            assert_eq!(conflict, code == 0x083, "{code:#x}");
            let aborted = NvmeStatus(code).meaning() == Meaning::TaskAborted;
            assert_eq!(aborted, code == 0x01b, "{code:#x}");
            let lost = NvmeStatus(code).meaning() == Meaning::Lost;
            assert_eq!(
                lost,
                code >> 8 == 3 && !(0x301..=0x303).contains(&code),
                "{code:#x}"
            );
        }
    }

    #[test]
    fn advice_is_not_part_of_the_code() {
        let status = NvmeStatus(0x6018);
        assert_eq!(
            status.code(),
            NvmeStatus::HOST_IDENTIFIER_INCONSISTENT_FORMAT
        );
        assert!(status.more() && status.do_not_retry());
        let status = NvmeStatus(0x4083);
        assert_eq!(status.code(), NvmeStatus::RESERVATION_CONFLICT);
        assert!(!status.more() && status.do_not_retry());
        assert!(NvmeStatus(0x2002).more());
        assert!(!NvmeStatus(0x1802).more() && !NvmeStatus(0x1802).do_not_retry());
    }

    #[test]
    fn sense_data_passes_the_status_on() {
        let sense = NvmeStatus(0x4286).sense(SenseKey::ILLEGAL_REQUEST, 0x20, 0x02);
        assert_eq!(
            sense,
            [
                0x72, 5, 0x20, 2, 0, 0, 0, 8, 0xde, 6, 0, 0, 0, 0x80, 0x02, 0x86
            ]
        );
        let parsed = Sense::parse(&sense);
        assert_eq!(
            parsed,
            Some(Sense {
                key: SenseKey::ILLEGAL_REQUEST,
                asc: 0x20,
                ascq: 0x02,
                deferred: false,
                format: SenseFormat::Descriptor,
            })
        );
        let more = NvmeStatus(0x2001).sense(SenseKey::ILLEGAL_REQUEST, 0x20, 0x00);
        assert_eq!(more[13..], [0x40, 0, 1]);
    }

    #[test]
    fn names() {
        for (code, name) in [
            (0x4002, "NVMe status 0x2 (Invalid field in command)"),
            (
                0x2018,
                "NVMe status 0x18 (Host identifier inconsistent format)",
            ),
            (0x371, "NVMe status 0x371 (Command aborted by host)"),
            (0x30f, "NVMe status 0x30f (Reserved)"),
            (0x7c1, "NVMe status 0x7c1 (Vendor specific)"),
            (0x05f, "NVMe status 0x5f (Reserved)"),
        ] {
            assert_eq!(NvmeStatus(code).to_string(), name);
        }
    }

    #[test]
    fn nvme_statuses_are_listed_once_and_in_order() {
        let numbers: Vec<u16> = STATUSES
            .lines()
            .map(|line| line.split_once(' ').unwrap().0)
            .map(|number| u16::from_str_radix(number, 16).unwrap())
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a < b));
        assert_eq!(numbers.len(), 104);
    }
}
