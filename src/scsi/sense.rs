//! Sense data: why a command ended with CHECK CONDITION (SPC-5 4.4).

use std::fmt;

use super::asc;

/// The SENSE KEY field (SPC-5 4.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SenseKey(pub u8);

impl SenseKey {
    /// Nothing to report.
    pub const NO_SENSE: Self = Self(0x0);
    /// The command succeeded after the device server recovered from an error.
    pub const RECOVERED_ERROR: Self = Self(0x1);
    /// The logical unit is not accessible.
    pub const NOT_READY: Self = Self(0x2);
    /// A flaw in the medium or in the recorded data.
    pub const MEDIUM_ERROR: Self = Self(0x3);
    /// A failure the device server could not recover from.
    pub const HARDWARE_ERROR: Self = Self(0x4);
    /// Something in the CDB or the parameter list is wrong or not supported.
    pub const ILLEGAL_REQUEST: Self = Self(0x5);
    /// Something changed that every nexus has to know of, such as a preempted registration.
    pub const UNIT_ATTENTION: Self = Self(0x6);
    /// The medium is protected against the command.
    pub const DATA_PROTECT: Self = Self(0x7);
    /// Blank or not blank medium where the other was expected.
    pub const BLANK_CHECK: Self = Self(0x8);
    /// Left to vendors.
    pub const VENDOR_SPECIFIC: Self = Self(0x9);
    /// A third-party copy ended early.
    pub const COPY_ABORTED: Self = Self(0xa);
    /// The device server aborted the command.
    pub const ABORTED_COMMAND: Self = Self(0xb);
    /// Obsolete.
    pub const EQUAL: Self = Self(0xc);
    /// Data is left over that did not fit on the medium.
    pub const VOLUME_OVERFLOW: Self = Self(0xd);
    /// The data did not match the medium.
    pub const MISCOMPARE: Self = Self(0xe);
    /// Completion sense data of a command that succeeded.
    pub const COMPLETED: Self = Self(0xf);

    /// The name of the sense key; `None` for numbers that do not fit its four bits.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NO_SENSE => "No Sense",
            Self::RECOVERED_ERROR => "Recovered Error",
            Self::NOT_READY => "Not Ready",
            Self::MEDIUM_ERROR => "Medium Error",
            Self::HARDWARE_ERROR => "Hardware Error",
            Self::ILLEGAL_REQUEST => "Illegal Request",
            Self::UNIT_ATTENTION => "Unit Attention",
            Self::DATA_PROTECT => "Data Protect",
            Self::BLANK_CHECK => "Blank Check",
            Self::VENDOR_SPECIFIC => "Vendor specific(9)",
            Self::COPY_ABORTED => "Copy Aborted",
            Self::ABORTED_COMMAND => "Aborted Command",
            Self::EQUAL => "Equal",
            Self::VOLUME_OVERFLOW => "Volume Overflow",
            Self::MISCOMPARE => "Miscompare",
            Self::COMPLETED => "Completed",
            Self(_) => return None,
        })
    }
}

/// How sense data is laid out (SPC-5 4.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenseFormat {
    /// Fields at fixed offsets (SPC-5 4.4.3).
    Fixed,
    /// A header and a list of descriptors (SPC-5 4.4.2).
    Descriptor,
}

/// What both formats of sense data have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sense {
    /// What kind of thing happened.
    pub key: SenseKey,
    /// What happened; 0 where the sense data ends before it.
    #[doc(alias = "ADDITIONAL SENSE CODE")]
    pub asc: u8,
    /// What happened, in detail; 0 where the sense data ends before it.
    #[doc(alias = "ADDITIONAL SENSE CODE QUALIFIER")]
    pub ascq: u8,
    /// Whether it concerns an earlier command (response codes 71h and 73h, SPC-5 4.4.5).
    pub deferred: bool,
    /// Where the fields were found.
    pub format: SenseFormat,
}

impl fmt::Display for Sense {
    /// In words, with the numbers behind them: `Unit Attention, Registrations preempted (sense key
    /// 6h, ASC 2Ah, ASCQ 05h)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.deferred {
            f.write_str("of an earlier command: ")?;
        }
        f.write_str(self.key.name().unwrap_or("unknown sense key"))?;
        if let Some(text) = asc::text(self.asc, self.ascq) {
            write!(f, ", {text}")?;
        }
        let Self { asc, ascq, .. } = self;
        let key = self.key.0;
        write!(f, " (sense key {key:X}h, ASC {asc:02X}h, ASCQ {ascq:02X}h)")
    }
}

impl Sense {
    /// Reads sense data as it came from the device.
    ///
    /// `None` if there is too little of it to hold a sense key (three bytes), or if
    /// the RESPONSE CODE is none of 70h to 73h.
    #[must_use]
    pub fn parse(sense: &[u8]) -> Option<Self> {
        if sense.len() < 3 {
            return None;
        }
        Self::parse_header(sense)
    }

    /// Whether it says INVALID FIELD IN CDB: a service action that is not known, or an allocation
    /// length that is not liked.
    #[must_use]
    pub const fn is_invalid_field_in_cdb(&self) -> bool {
        matches!(
            (self.deferred, self.key, self.asc, self.ascq),
            (false, SenseKey::ILLEGAL_REQUEST, 0x24, 0x00)
        )
    }

    /// Whether it is the unit attention RESERVATIONS RELEASED.
    #[must_use]
    pub const fn is_reservations_released(&self) -> bool {
        matches!(
            (self.deferred, self.key, self.asc, self.ascq),
            (false, SenseKey::UNIT_ATTENTION, 0x2a, 0x04)
        )
    }

    /// Whether it is a unit attention for a nexus whose registration another one removed: RESERVATIONS
    /// PREEMPTED (by CLEAR) or REGISTRATIONS PREEMPTED (SPC-5 5.13.11).
    #[must_use]
    pub const fn is_registrations_lost(&self) -> bool {
        matches!(
            (self.deferred, self.key, self.asc, self.ascq),
            (false, SenseKey::UNIT_ATTENTION, 0x2a, 0x03 | 0x05)
        )
    }

    /// As [`Sense::parse`], but of any length: what did not come is 0.
    pub(crate) fn parse_header(sense: &[u8]) -> Option<Self> {
        let (format, deferred) = match response_code(sense)? {
            0x70 => (SenseFormat::Fixed, false),
            0x71 => (SenseFormat::Fixed, true),
            0x72 => (SenseFormat::Descriptor, false),
            0x73 => (SenseFormat::Descriptor, true),
            _ => return None,
        };
        let (fields, [key, asc, ascq]) = match format {
            SenseFormat::Fixed => (within_additional_length(sense), [2, 12, 13]),
            SenseFormat::Descriptor => (sense, [1, 2, 3]),
        };
        let field = |offset: usize| fields.get(offset).copied().unwrap_or_default();
        Some(Self {
            key: SenseKey(field(key) & 0x0f),
            asc: field(asc),
            ascq: field(ascq),
            deferred,
            format,
        })
    }
}

/// The RESPONSE CODE field, if anything came (SPC-5 4.4.1).
pub(crate) fn response_code(sense: &[u8]) -> Option<u8> {
    sense.first().map(|byte| byte & 0x7f)
}

/// The part of `sense` that its ADDITIONAL SENSE LENGTH field covers: the device
/// server has said nothing in the bytes after that (SPC-5 4.4.3). Sense data that
/// ends before that field is taken as it is.
pub(crate) fn within_additional_length(sense: &[u8]) -> &[u8] {
    let covered = match sense.get(7) {
        Some(&length) => usize::from(length) + 8,
        None => sense.len(),
    };
    sense.get(..covered).unwrap_or(sense)
}

/// The SENSE KEY SPECIFIC field: three bytes whose meaning follows from the sense
/// key (SPC-5 4.4.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenseKeySpecific {
    /// ILLEGAL REQUEST: the field in error.
    FieldPointer {
        /// In the CDB rather than in the parameter list.
        command: bool,
        /// Its first byte.
        byte: u16,
        /// Its leftmost bit, if that was given.
        bit: Option<u8>,
    },
    /// RECOVERED ERROR, MEDIUM ERROR, HARDWARE ERROR: how often it was tried again.
    ActualRetryCount(u16),
    /// NO SENSE, NOT READY: how much is done, in parts of 65 536.
    ProgressIndication(u16),
    /// COPY ABORTED: the field in error.
    SegmentPointer {
        /// In a segment descriptor rather than anywhere in the parameter list.
        segment_descriptor: bool,
        /// Its first byte.
        byte: u16,
        /// Its leftmost bit, if that was given.
        bit: Option<u8>,
    },
    /// UNIT ATTENTION: whether unit attention conditions were lost.
    UnitAttentionConditionQueue {
        /// The OVERFLOW bit.
        overflow: bool,
    },
    /// The standard defines nothing for this sense key.
    Undefined(SenseKey),
}

impl SenseKeySpecific {
    /// The field of `sense`, in either format, if the device server has set it (its SKSV bit).
    #[must_use]
    pub fn find(sense: &[u8]) -> Option<Self> {
        let header = Sense::parse(sense)?;
        let covered = within_additional_length(sense);
        let field = match header.format {
            SenseFormat::Fixed => covered.get(15..18)?,
            SenseFormat::Descriptor => {
                let mut list = covered.get(8..)?;
                loop {
                    // SPC-5 4.4.2.4: type 02h, at least six bytes, two of them reserved.
                    let [descriptor_type, length, rest @ ..] = list else {
                        return None;
                    };
                    let descriptor = rest.get(..usize::from(*length)).unwrap_or(rest);
                    if *descriptor_type == 0x02 {
                        break descriptor.get(2..5)?;
                    }
                    list = &rest[descriptor.len()..];
                }
            }
        };
        let field = *field.first_chunk::<3>()?;
        (field[0] & 0x80 != 0).then(|| Self::parse(header.key, field))
    }

    /// Reads the field as it belongs to `key`. The SKSV bit is not looked at.
    #[must_use]
    pub const fn parse(key: SenseKey, [flags, high, low]: [u8; 3]) -> Self {
        let number = u16::from_be_bytes([high, low]);
        let bit = if flags & 0x08 == 0 {
            None
        } else {
            Some(flags & 0x07)
        };
        match key {
            SenseKey::ILLEGAL_REQUEST => Self::FieldPointer {
                command: flags & 0x40 != 0,
                byte: number,
                bit,
            },
            SenseKey::RECOVERED_ERROR | SenseKey::MEDIUM_ERROR | SenseKey::HARDWARE_ERROR => {
                Self::ActualRetryCount(number)
            }
            SenseKey::NO_SENSE | SenseKey::NOT_READY => Self::ProgressIndication(number),
            SenseKey::COPY_ABORTED => Self::SegmentPointer {
                segment_descriptor: flags & 0x20 != 0,
                byte: number,
                bit,
            },
            SenseKey::UNIT_ATTENTION => Self::UnitAttentionConditionQueue {
                overflow: flags & 0x01 != 0,
            },
            _ => Self::Undefined(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INVALID RELEASE OF PERSISTENT RESERVATION, with a field pointer.
    const FIXED: [u8; 18] = [
        0xf0, 0x01, 0xe5, 0x11, 0x22, 0x33, 0x44, 0x0a, 0x55, 0x66, 0x77, 0x88, 0x26, 0x04, 0x99,
        0xcf, 0x12, 0x34,
    ];
    /// RESERVATIONS PREEMPTED, with a field replaceable unit.
    const DESCRIPTOR: [u8; 12] = [
        0x72, 0xf6, 0x2a, 0x03, 0x80, 0x11, 0x22, 0x04, 0x03, 0x02, 0x00, 0x07,
    ];

    fn sense(key: SenseKey, asc: u8, ascq: u8, deferred: bool, format: SenseFormat) -> Sense {
        Sense {
            key,
            asc,
            ascq,
            deferred,
            format,
        }
    }

    #[test]
    fn fixed_format_cut_anywhere() {
        for end in 0..=FIXED.len() {
            let (asc, ascq) = match end {
                0..=12 => (0, 0),
                13 => (0x26, 0),
                _ => (0x26, 0x04),
            };
            let key = SenseKey::ILLEGAL_REQUEST;
            let whole = sense(key, asc, ascq, false, SenseFormat::Fixed);
            let expected = (end >= 3).then_some(whole);
            assert_eq!(Sense::parse(&FIXED[..end]), expected, "{end} bytes");
        }
    }

    #[test]
    fn descriptor_format_cut_anywhere() {
        for end in 0..=DESCRIPTOR.len() {
            let ascq = if end > 3 { 0x03 } else { 0 };
            let key = SenseKey::UNIT_ATTENTION;
            let whole = sense(key, 0x2a, ascq, false, SenseFormat::Descriptor);
            let expected = (end >= 3).then_some(whole);
            assert_eq!(Sense::parse(&DESCRIPTOR[..end]), expected, "{end} bytes");
        }
    }

    #[test]
    fn fixed_format_ends_with_the_additional_sense_length() {
        for (length, asc, ascq) in [
            (0, 0, 0),
            (4, 0, 0),
            (5, 0x26, 0),
            (6, 0x26, 0x04),
            (0xff, 0x26, 0x04),
        ] {
            let mut bytes = FIXED;
            bytes[7] = length;
            let found = Sense::parse(&bytes).map(|sense| (sense.asc, sense.ascq));
            assert_eq!(found, Some((asc, ascq)), "additional sense length {length}");
        }
    }

    #[test]
    fn deferred_errors() {
        let mut bytes = FIXED;
        bytes[0] = 0x71;
        let key = SenseKey::ILLEGAL_REQUEST;
        let expected = sense(key, 0x26, 0x04, true, SenseFormat::Fixed);
        assert_eq!(Sense::parse(&bytes), Some(expected));

        let mut bytes = DESCRIPTOR;
        bytes[0] = 0xf3;
        let key = SenseKey::UNIT_ATTENTION;
        let expected = sense(key, 0x2a, 0x03, true, SenseFormat::Descriptor);
        assert_eq!(Sense::parse(&bytes), Some(expected));
    }

    #[test]
    fn other_response_codes_are_not_sense_data() {
        for code in (0x00..=0x6f).chain(0x74..=0x7f) {
            let mut bytes = FIXED;
            bytes[0] = code;
            assert_eq!(Sense::parse(&bytes), None);
        }
    }

    #[test]
    fn every_sense_key_has_a_name() {
        for (key, name) in [
            (0x0, "No Sense"),
            (0x1, "Recovered Error"),
            (0x2, "Not Ready"),
            (0x3, "Medium Error"),
            (0x4, "Hardware Error"),
            (0x5, "Illegal Request"),
            (0x6, "Unit Attention"),
            (0x7, "Data Protect"),
            (0x8, "Blank Check"),
            (0x9, "Vendor specific(9)"),
            (0xa, "Copy Aborted"),
            (0xb, "Aborted Command"),
            (0xc, "Equal"),
            (0xd, "Volume Overflow"),
            (0xe, "Miscompare"),
            (0xf, "Completed"),
        ] {
            assert_eq!(SenseKey(key).name(), Some(name));
        }
        assert_eq!(SenseKey(0x10).name(), None);
    }

    #[test]
    fn sense_key_specific_field() {
        use SenseKeySpecific as Field;
        let parse = |key, bytes| Field::parse(SenseKey(key), bytes);
        for (command, bit, flags) in [
            (true, Some(7), 0xcf),
            (true, None, 0xf7),
            (false, Some(2), 0xba),
            (false, None, 0x80),
        ] {
            let byte = 0x1234;
            let expected = Field::FieldPointer { command, byte, bit };
            assert_eq!(parse(5, [flags, 0x12, 0x34]), expected);
        }
        for (segment_descriptor, bit, flags) in [
            (true, Some(5), 0xad),
            (true, None, 0xf7),
            (false, Some(2), 0xda),
            (false, None, 0x80),
        ] {
            let expected = Field::SegmentPointer {
                segment_descriptor,
                byte: 0x1234,
                bit,
            };
            assert_eq!(parse(0xa, [flags, 0x12, 0x34]), expected);
        }
        for key in [1, 3, 4] {
            let expected = Field::ActualRetryCount(0x1234);
            assert_eq!(parse(key, [0xff, 0x12, 0x34]), expected);
        }
        for key in [0, 2] {
            let expected = Field::ProgressIndication(0x1234);
            assert_eq!(parse(key, [0xff, 0x12, 0x34]), expected);
        }
        for (overflow, flags) in [(true, 0x81), (false, 0xfe)] {
            let expected = Field::UnitAttentionConditionQueue { overflow };
            assert_eq!(parse(6, [flags, 0x12, 0x34]), expected);
        }
        for key in [7, 8, 9, 0xb, 0xc, 0xd, 0xe, 0xf] {
            let expected = Field::Undefined(SenseKey(key));
            assert_eq!(parse(key, [0xff, 0x12, 0x34]), expected);
        }
    }

    #[test]
    fn the_sense_key_specific_field_is_found() {
        use SenseKeySpecific as Field;
        let pointer = |byte| Field::FieldPointer {
            command: true,
            byte,
            bit: Some(7),
        };
        assert_eq!(Field::find(&FIXED), Some(pointer(0x1234)));
        for end in 0..FIXED.len() {
            assert_eq!(Field::find(&FIXED[..end]), None, "{end} bytes");
        }
        // Not set; not covered by the additional sense length.
        let mut bytes = FIXED;
        bytes[15] = 0x4f;
        assert_eq!(Field::find(&bytes), None);
        let mut bytes = FIXED;
        bytes[7] = 9;
        assert_eq!(Field::find(&bytes), None);

        assert_eq!(Field::find(&DESCRIPTOR), None);
        let bytes = [
            0x72, 5, 0x26, 0, 0, 0, 0, 12, 3, 2, 0, 7, 2, 6, 0, 0, 0xcf, 0x56, 0x78, 0,
        ];
        assert_eq!(Field::find(&bytes), Some(pointer(0x5678)));
        for end in 0..19 {
            assert_eq!(Field::find(&bytes[..end]), None, "{end} bytes");
        }
    }
}
