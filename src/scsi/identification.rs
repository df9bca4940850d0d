//! The Device Identification VPD page: the names of a logical unit, and of the target port that the
//! command came through (SPC-5 7.7.6).

use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

use super::bytes::{Reader, Truncated};
use super::cdb::Cdb;

/// The page's number.
const PAGE_CODE: u8 = 0x83;

/// Bytes of the page asked for. LIO, whose two SCSI name strings make its page one of the longest,
/// has no room for more than 1,024.
///
/// Before SPC-3 the field was one byte, and the one before it reserved: who knows only that one
/// takes this as 252, and not as nothing, which it would be with 1,024.
pub const ALLOCATION_LENGTH: u16 = 0x03fc;

/// INQUIRY for the page.
#[must_use]
pub const fn cdb() -> Cdb {
    let [high, low] = ALLOCATION_LENGTH.to_be_bytes();
    Cdb::six([Cdb::INQUIRY, 0x01, PAGE_CODE, high, low, 0])
}

/// Why what came is not the page.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A field did not come.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// It is another page, or none: old devices give standard INQUIRY data, whatever is asked for.
    #[error("PAGE CODE is {0:#04x}, not 0x83")]
    PageCode(u8),
    /// The page goes on behind what came.
    #[error("the page has {expected} bytes, only {length} bytes came")]
    Cut {
        /// Bytes that it has, by its PAGE LENGTH.
        expected: usize,
        /// Bytes at hand.
        length: usize,
    },
    /// PERIPHERAL QUALIFIER is 011b: there is no logical unit (SPC-5 6.7.2).
    #[error("no logical unit is there (PERIPHERAL QUALIFIER is 3)")]
    NoLogicalUnit,
}

/// What a designator names (SPC-5 7.7.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Association {
    /// The logical unit.
    LogicalUnit,
    /// The target port that the command came through.
    TargetPort,
    /// The target device that has the logical unit.
    TargetDevice,
    /// The reserved code.
    Reserved,
}

/// A designation descriptor (SPC-5 7.7.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Designator {
    /// PROTOCOL IDENTIFIER, where PIV says that it is one.
    pub protocol: Option<u8>,
    /// CODE SET: 1 binary, 2 ASCII, 3 UTF-8.
    pub code_set: u8,
    /// What it names.
    pub association: Association,
    /// DESIGNATOR TYPE.
    pub designator_type: u8,
    /// DESIGNATOR.
    pub identifier: Vec<u8>,
}

/// The kinds of names that are told apart, by DESIGNATOR TYPE (SPC-5 7.7.6.1).
mod designator_type {
    pub(super) const T10_VENDOR_ID: u8 = 0x1;
    pub(super) const EUI_64: u8 = 0x2;
    pub(super) const NAA: u8 = 0x3;
    pub(super) const RELATIVE_TARGET_PORT: u8 = 0x4;
    pub(super) const MD5: u8 = 0x7;
    pub(super) const SCSI_NAME_STRING: u8 = 0x8;
    pub(super) const UUID: u8 = 0xa;
}

/// A name that nothing else has, as far as whoever gave it has kept the rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// DESIGNATOR TYPE.
    pub designator_type: u8,
    /// The name, without what strings are padded with.
    pub identifier: Vec<u8>,
}

impl fmt::Display for Name {
    /// As SCSI name strings are (SPC-5 4.3.2), and the others in their manner.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(&self.identifier);
        let text = self.identifier.escape_ascii();
        match self.designator_type {
            designator_type::NAA => write!(f, "naa.{digits}"),
            designator_type::EUI_64 => write!(f, "eui.{digits}"),
            designator_type::SCSI_NAME_STRING => write!(f, "{text}"),
            designator_type::T10_VENDOR_ID => write!(f, "t10.{text}"),
            designator_type::UUID => write!(f, "uuid.{digits}"),
            designator_type::MD5 => write!(f, "md5.{digits}"),
            other => write!(f, "{other}.{digits}"),
        }
    }
}

impl Designator {
    /// The name that it is, worldwide; `None` for numbers, groups and what vendors call a name, and
    /// for what is not as its type says: devices that know no name leave zeros.
    #[must_use]
    pub fn name(&self) -> Option<Name> {
        let bytes = &self.identifier[..];
        let has_content = bytes.iter().any(|&byte| byte != 0);
        let (identifier, is_name) = match self.designator_type {
            // SPC-5 7.7.6.6: the first four bits say who has given it.
            designator_type::NAA => {
                let length = match bytes.first().map(|byte| byte >> 4) {
                    Some(2 | 3 | 5) => 8,
                    Some(6) => 16,
                    _ => 0,
                };
                (bytes, length != 0 && bytes.len() == length)
            }
            designator_type::EUI_64 => (bytes, matches!(bytes.len(), 8 | 12 | 16)),
            // SPC-5 7.7.6.9: ended by NULs.
            designator_type::SCSI_NAME_STRING => {
                let name = before_padding(bytes, &[0]);
                (name, !name.is_empty())
            }
            // SPC-5 7.7.6.4: the vendor in eight bytes, then what tells its units apart.
            designator_type::T10_VENDOR_ID => {
                let name = before_padding(bytes, b"\0 ");
                (name, name.len() > 8)
            }
            designator_type::MD5 => (bytes, bytes.len() == 16),
            // SPC-5 7.7.6.11.
            designator_type::UUID => (bytes, bytes.len() == 18 && bytes[0] == 0x10),
            _ => (bytes, false),
        };
        (has_content && is_name).then(|| Name {
            designator_type: self.designator_type,
            identifier: identifier.to_vec(),
        })
    }
}

/// `bytes` without those of `padding` at their end.
fn before_padding<'a>(bytes: &'a [u8], padding: &[u8]) -> &'a [u8] {
    let end = bytes.iter().rposition(|byte| !padding.contains(byte));
    bytes.get(..end.map_or(0, |end| end + 1)).unwrap_or(bytes)
}

/// The page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identification {
    /// Its designation descriptors, as they came.
    pub designators: Vec<Designator>,
}

impl Identification {
    /// Reads the `data` that came. What stands behind the page does not belong to it.
    ///
    /// # Errors
    /// [`Malformed`]: it is not this page, or not all of it.
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let peripheral = reader.u8("PERIPHERAL QUALIFIER")?;
        let page_code = reader.u8("PAGE CODE")?;
        if page_code != PAGE_CODE {
            return Err(Malformed::PageCode(page_code));
        }
        let page_length = usize::from(reader.u16("PAGE LENGTH")?);
        if peripheral >> 5 == 0b011 {
            return Err(Malformed::NoLogicalUnit);
        }
        let expected = reader.offset() + page_length;
        let Some(page) = data.get(..expected) else {
            return Err(Malformed::Cut {
                expected,
                length: data.len(),
            });
        };
        let mut reader = Reader::new(page);
        reader.bytes("PAGE LENGTH", 4)?;
        let mut designators = Vec::new();
        while !reader.rest().is_empty() {
            designators.push(designator(&mut reader)?);
        }
        Ok(Self { designators })
    }

    /// The names of the logical unit. By its MD5 identifier a unit is known only where it has no
    /// other name, which is what it is for (SPC-5 7.7.6.8).
    #[must_use]
    pub fn logical_unit(&self) -> BTreeSet<Name> {
        let mut names = self.names(Association::LogicalUnit);
        let is_md5 = |name: &Name| name.designator_type == designator_type::MD5;
        if !names.iter().all(is_md5) {
            names.retain(|name| !is_md5(name));
        }
        names
    }

    /// The names of the target port that the command came through.
    #[must_use]
    pub fn target_port(&self) -> BTreeSet<Name> {
        self.names(Association::TargetPort)
    }

    /// The number of the target port that the command came through, by which full status tells
    /// registrations apart.
    #[must_use]
    pub fn relative_target_port(&self) -> Option<u16> {
        self.designators.iter().find_map(|designator| {
            let is_number = designator.association == Association::TargetPort
                && designator.designator_type == designator_type::RELATIVE_TARGET_PORT;
            match (is_number, &designator.identifier[..]) {
                // 0 is reserved (SPC-5 7.7.6.7).
                (true, &[_, _, 0, 0]) => None,
                (true, &[_, _, high, low]) => Some(u16::from_be_bytes([high, low])),
                _ => None,
            }
        })
    }

    /// Whether this and `other` are the same logical unit; `None` if their names do not tell.
    ///
    /// NAA, EUI-64, SCSI name string and UUID decide: of each of these kinds that both have they
    /// must share one, for a logical unit has the same names through all ports. A T10 vendor ID
    /// decides only where neither has any of those, as there are devices that have the same one for
    /// all their units; it can deny, but not prove, where only one of them has a better name. The
    /// last is the MD5 identifier.
    #[must_use]
    pub fn is_same_logical_unit(&self, other: &Self) -> Option<bool> {
        const STRONG: [u8; 4] = [
            designator_type::NAA,
            designator_type::EUI_64,
            designator_type::SCSI_NAME_STRING,
            designator_type::UUID,
        ];
        let (ours, theirs) = (self.logical_unit(), other.logical_unit());
        let compared = |kind: u8| {
            let of_kind = |name: &&Name| name.designator_type == kind;
            let both =
                ours.iter().any(|name| of_kind(&name)) && theirs.iter().any(|name| of_kind(&name));
            both.then(|| ours.intersection(&theirs).any(|name| of_kind(&name)))
        };
        let strong: Vec<bool> = STRONG.into_iter().filter_map(compared).collect();
        if !strong.is_empty() {
            return Some(strong.into_iter().all(|is_shared| is_shared));
        }
        let has_strong = |names: &BTreeSet<Name>| {
            names
                .iter()
                .any(|name| STRONG.contains(&name.designator_type))
        };
        let proves_nothing = has_strong(&ours) || has_strong(&theirs);
        compared(designator_type::T10_VENDOR_ID)
            .or_else(|| compared(designator_type::MD5))
            .filter(|is_shared| !(*is_shared && proves_nothing))
    }

    fn names(&self, association: Association) -> BTreeSet<Name> {
        let of_it = |designator: &&Designator| designator.association == association;
        let designators = self.designators.iter().filter(of_it);
        designators.filter_map(Designator::name).collect()
    }
}

/// Takes a designation descriptor (SPC-5 7.7.6.1).
fn designator(reader: &mut Reader<'_>) -> Result<Designator, Truncated> {
    let codes = reader.u8("CODE SET")?;
    let types = reader.u8("DESIGNATOR TYPE")?;
    reader.u8("the reserved byte of a designation descriptor")?;
    let length = reader.u8("DESIGNATOR LENGTH")?;
    let identifier = reader.bytes("DESIGNATOR", length.into())?;
    Ok(Designator {
        protocol: (types & 0x80 != 0).then_some(codes >> 4),
        code_set: codes & 0x0f,
        association: match types >> 4 & 0x03 {
            0 => Association::LogicalUnit,
            1 => Association::TargetPort,
            2 => Association::TargetDevice,
            _ => Association::Reserved,
        },
        designator_type: types & 0x0f,
        identifier: identifier.to_vec(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What LIO says through a tcm_loop port (Linux 6.1): NAA, T10 vendor ID, relative target port,
    /// target port group, logical unit group, names of the target port and of the target device.
    const LIO: &[u8] = b"\x00\x83\x00\x90\
        \x01\x03\x00\x10\x60\x01\x40\x50\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\
        \x02\x01\x00\x20LIO-ORG FILEIO:0000000000000010\0\
        \x61\x94\x00\x04\x00\x00\x00\x02\
        \x61\x95\x00\x04\x00\x00\x00\x00\
        \x01\x06\x00\x04\x00\x00\x00\x00\
        \x63\x98\x00\x20naa.6001405000000002,t,0x0001\0\0\0\
        \x63\xa8\x00\x18naa.6001405000000002\0\0\0\0";

    fn page(designators: &[u8]) -> Vec<u8> {
        let length = u8::try_from(designators.len()).unwrap();
        [&[0x00, 0x83, 0x00, length], designators].concat()
    }

    fn identification(designators: &[u8]) -> Identification {
        Identification::parse(&page(designators)).unwrap()
    }

    fn names(names: &BTreeSet<Name>) -> Vec<String> {
        names.iter().map(Name::to_string).collect()
    }

    #[test]
    fn the_command() {
        assert_eq!(cdb().as_bytes(), [0x12, 0x01, 0x83, 0x03, 0xfc, 0x00]);
        assert_eq!(cdb().name(), "inquiry");
    }

    #[test]
    fn lio() {
        let mut data = LIO.to_vec();
        let page = Identification::parse(&data).unwrap();
        assert_eq!(page.designators.len(), 7);
        assert_eq!(
            page.designators[0],
            Designator {
                protocol: None,
                code_set: 1,
                association: Association::LogicalUnit,
                designator_type: 3,
                identifier: data[8..24].to_vec(),
            }
        );
        assert_eq!(page.designators[2].protocol, Some(6));
        assert_eq!(page.designators[6].association, Association::TargetDevice);
        assert_eq!(
            names(&page.logical_unit()),
            [
                "t10.LIO-ORG FILEIO:0000000000000010",
                "naa.60014050000000000000010000000000"
            ]
        );
        assert_eq!(
            names(&page.target_port()),
            ["naa.6001405000000002,t,0x0001"]
        );
        assert_eq!(page.relative_target_port(), Some(2));
        // Through the other port of the same unit.
        let other: Vec<u8> = data[..68]
            .iter()
            .copied()
            .chain(
                data[68..]
                    .iter()
                    .map(|&byte| if byte == b'2' { b'1' } else { byte }),
            )
            .collect();
        let other = Identification::parse(&other).unwrap();
        assert_ne!(other, page);
        assert_eq!(page.is_same_logical_unit(&other), Some(true));
        // Cut anywhere it is refused; what comes behind it is not looked at.
        for end in 0..data.len() {
            let error = Identification::parse(&data[..end]).unwrap_err();
            match (end, &error) {
                (0..4, Malformed::Truncated(_)) => {}
                (_, Malformed::Cut { length, .. }) => assert_eq!(*length, end),
                _ => panic!("{end}: {error}"),
            }
        }
        data.extend([0xff; 100]);
        assert_eq!(Identification::parse(&data), Ok(page));
    }

    #[test]
    fn a_designator_cut_anywhere_is_refused() {
        let whole = b"\x01\x03\x00\x08\x50\x01\x02\x03\x04\x05\x06\x07";
        for end in 1..whole.len() {
            let error = Identification::parse(&page(&whole[..end])).unwrap_err();
            assert!(matches!(error, Malformed::Truncated(_)), "{end}: {error}");
        }
        let behind = [&whole[..], &[0x01]].concat();
        assert!(Identification::parse(&page(&behind)).is_err());
    }

    #[test]
    fn another_page_is_refused() {
        assert_eq!(
            Identification::parse(b"\x00\x80\x00\x00"),
            Err(Malformed::PageCode(0x80))
        );
        // Standard INQUIRY data.
        assert_eq!(
            Identification::parse(b"\x00\x00\x06\x02\x1f\x00\x00\x02LIO-ORG "),
            Err(Malformed::PageCode(0x00))
        );
        for qualifier in [0x60, 0x7f] {
            assert_eq!(
                Identification::parse(&[qualifier, 0x83, 0, 0]),
                Err(Malformed::NoLogicalUnit)
            );
        }
        assert_eq!(
            Malformed::Cut {
                expected: 1100,
                length: 1020
            }
            .to_string(),
            "the page has 1100 bytes, only 1020 bytes came"
        );
    }

    #[test]
    fn what_is_odd_but_legal_is_taken() {
        assert_eq!(identification(b"").designators, []);
        // No content, a reserved association, a reserved type, a qualifier for "not connected".
        let page = identification(b"\x01\x03\x00\x00\x01\x33\x00\x01\x50\x01\x0f\x00\x01\x50");
        assert_eq!(page.designators.len(), 3);
        assert_eq!(page.designators[1].association, Association::Reserved);
        assert_eq!(names(&page.logical_unit()), [""; 0]);
        assert_eq!(page.is_same_logical_unit(&page), None);
        assert!(Identification::parse(b"\x20\x83\x00\x00").is_ok());
    }

    #[test]
    fn names_are_as_their_type_says() {
        let name = |designator_type: u8, identifier: &[u8]| {
            let length = u8::try_from(identifier.len()).unwrap();
            let header = [0x01, designator_type, 0, length];
            let page = identification(&[&header, identifier].concat());
            names(&page.logical_unit()).pop()
        };
        let some = |name: &str| Some(name.to_owned());
        let naa_5 = b"\x50\x01\x02\x03\x04\x05\x06\x07";
        let naa_6 = b"\x60\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f";
        assert_eq!(name(3, naa_5), some("naa.5001020304050607"));
        for (first, length) in [(0x20, 8), (0x30, 8), (0x50, 8), (0x60, 16)] {
            let mut bytes = [1; 17];
            bytes[0] = first;
            for end in 0..=17 {
                assert_eq!(name(3, &bytes[..end]).is_some(), end == length, "{end}");
            }
        }
        for first in [0x00, 0x10, 0x40, 0x70, 0xf0] {
            assert_eq!(name(3, &[first; 8]), None);
            assert_eq!(name(3, &[first; 16]), None);
        }
        for end in 0..=16 {
            let is_name = matches!(end, 8 | 12 | 16);
            assert_eq!(name(2, &naa_6[..end]).is_some(), is_name, "{end}");
        }
        assert_eq!(name(2, naa_5), some("eui.5001020304050607"));
        assert_eq!(name(2, &[0; 8]), None);
        assert_eq!(name(8, b"iqn.a\0\0\0"), some("iqn.a"));
        assert_eq!(name(8, b"\0\0\0\0"), None);
        assert_eq!(name(1, b"ACME    disk 7  "), some("t10.ACME    disk 7"));
        assert_eq!(name(1, b"ACME    "), None);
        assert_eq!(name(1, b"ACME    \0\0\0\0"), None);
        assert_eq!(name(1, b"ACME"), None);
        let uuid = b"\x10\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
        assert_eq!(
            name(10, uuid),
            some("uuid.10000102030405060708090a0b0c0d0e0f10")
        );
        assert_eq!(name(10, &uuid[..17]), None);
        assert_eq!(name(7, naa_6), some("md5.600102030405060708090a0b0c0d0e0f"));
        for none in [0x0, 0x4, 0x5, 0x6, 0x9, 0xb, 0xf] {
            assert_eq!(name(none, naa_5), None);
        }
        // Names of something else.
        assert_eq!(name(0x13, naa_5), None);
        assert_eq!(name(0x23, naa_5), None);
    }

    const NAA_A: &[u8] = b"\x01\x03\x00\x08\x50\x00\x00\x00\x00\x00\x00\x0a";
    const NAA_B: &[u8] = b"\x01\x03\x00\x08\x50\x00\x00\x00\x00\x00\x00\x0b";
    const EUI_A: &[u8] = b"\x01\x02\x00\x08\x00\x00\x00\x00\x00\x00\x00\x0a";
    const EUI_B: &[u8] = b"\x01\x02\x00\x08\x00\x00\x00\x00\x00\x00\x00\x0b";
    const T10_A: &[u8] = b"\x02\x01\x00\x0aACME    xa";
    const T10_B: &[u8] = b"\x02\x01\x00\x0aACME    xb";
    const MD5_A: &[u8] = b"\x01\x07\x00\x10aaaaaaaaaaaaaaaa";
    const MD5_B: &[u8] = b"\x01\x07\x00\x10bbbbbbbbbbbbbbbb";
    const VENDOR: &[u8] = b"\x02\x00\x00\x04same";
    const GROUP: &[u8] = b"\x01\x06\x00\x04\x00\x00\x00\x01";

    #[test]
    fn the_same_logical_unit() {
        for (one, other, expected) in [
            (&[NAA_A][..], &[NAA_A][..], Some(true)),
            (&[NAA_A], &[NAA_B], Some(false)),
            // One shared name is enough where there are several of a kind.
            (&[NAA_A, NAA_B], &[NAA_B], Some(true)),
            // Two kinds that contradict each other.
            (&[NAA_A, EUI_A], &[NAA_A, EUI_B], Some(false)),
            (&[NAA_A, EUI_A], &[NAA_A, EUI_A], Some(true)),
            (&[NAA_A, EUI_A], &[EUI_A], Some(true)),
            // The weaker one has no say beside a better one.
            (&[NAA_A, T10_A], &[NAA_B, T10_A], Some(false)),
            (&[NAA_A, T10_A], &[NAA_A, T10_B], Some(true)),
            (&[T10_A], &[T10_A], Some(true)),
            (&[T10_A], &[T10_B], Some(false)),
            // It denies, but proves nothing.
            (&[NAA_A, T10_A], &[T10_A], None),
            (&[T10_A], &[EUI_A, T10_A], None),
            (&[NAA_A, T10_A], &[T10_B], Some(false)),
            (&[NAA_A, T10_A], &[EUI_A, T10_A], None),
            (&[NAA_A], &[EUI_A], None),
            (&[NAA_A], &[T10_A], None),
            (&[MD5_A], &[MD5_A], Some(true)),
            (&[MD5_A], &[MD5_B], Some(false)),
            (&[MD5_A, T10_A], &[MD5_A], None),
            (&[MD5_A, T10_A], &[MD5_B, T10_A], Some(true)),
            (&[VENDOR, GROUP], &[VENDOR, GROUP], None),
            (&[], &[], None),
        ] {
            let [one, other] = [one, other].map(|page| identification(&page.concat()));
            assert_eq!(
                one.is_same_logical_unit(&other),
                expected,
                "{one:?} {other:?}"
            );
            assert_eq!(
                other.is_same_logical_unit(&one),
                expected,
                "{one:?} {other:?}"
            );
        }
    }

    #[test]
    fn the_relative_target_port() {
        let number = |designators: &[u8]| identification(designators).relative_target_port();
        assert_eq!(number(b"\x01\x14\x00\x04\xff\xff\x12\x34"), Some(0x1234));
        assert_eq!(number(b"\x01\x14\x00\x04\x00\x00\x00\x00"), None);
        // Of something else, a group, another length.
        assert_eq!(number(b"\x01\x04\x00\x04\x00\x00\x00\x01"), None);
        assert_eq!(number(b"\x01\x15\x00\x04\x00\x00\x00\x01"), None);
        assert_eq!(number(b"\x01\x14\x00\x02\x00\x01"), None);
        assert_eq!(number(b""), None);
    }
}
