//! The argument of `--transport-id`: one TransportID, or a file of them.
//!
//! - `-`: lines from standard input; `file=NAME` or `FILE=NAME`: from a file.
//! - Symbolic: `sas,H16`, `fcp,H16`, `sbp,H16` (sixteen hex digits),
//!   `srp,H32`, `sop,H4` (one to four), `spi,ADDRESS,PORT` (decimal), each
//!   prefix also in capitals; or an iSCSI name (`iqn.`, `eui.`, `naa.`,
//!   `IQN.`), which names a port if it holds `,i,0x`.
//! - Hex: numbers up to ff with commas or blanks between.
//!
//! In a file each line holds one TransportID, with blanks or tabs around it
//! and a `#` comment after it. Empty and comment lines are skipped, a carriage
//! return at the end of a line is dropped.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::pr::transport_id::{InvalidTransportId, TransportId, is_iscsi_name};

/// Bytes of TransportIDs that fit into a parameter list: its length is a
/// 16-bit number, and 28 bytes precede them (SPC-5, PERSISTENT RESERVE OUT).
const MAXIMUM_TOTAL: usize = 0xffff - 28;

/// Bytes of text that are read: five times what the longest list takes in hex. Without a limit,
/// input without an end would be read until there is no memory left.
pub const MAXIMUM_TEXT: usize = 1 << 20;

/// Where `--transport-id` may read its lines from.
///
/// Of a text longer than [`MAXIMUM_TEXT`] nothing is used, so no more of it need be read than shows
/// that: see [`read_text`].
pub trait Input {
    /// Standard input, to its end.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn stdin(&mut self) -> io::Result<Vec<u8>>;

    /// The whole of the file `path`.
    ///
    /// # Errors
    ///
    /// It cannot be opened or read.
    fn file(&mut self, path: &Path) -> io::Result<Vec<u8>>;
}

/// What `reader` holds, to its end or one byte beyond [`MAXIMUM_TEXT`].
///
/// # Errors
///
/// It cannot be read.
pub fn read_text(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    reader
        .take(MAXIMUM_TEXT as u64 + 1)
        .read_to_end(&mut text)?;
    Ok(text)
}

/// What one `--transport-id` gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// In the order given. Never empty.
    pub ids: Vec<TransportId>,
}

/// Why an argument of `--transport-id` was refused: one line, or two where the
/// text failed both as a symbolic form and as hex.
#[derive(Debug, Error)]
pub enum TransportIdsError {
    /// A character that has no place there.
    #[error("{symbolic}\n{}", place.syntax_error(*position))]
    Character {
        /// Why it is not a symbolic form.
        symbolic: SymbolicError,
        /// Where the text stood.
        place: Place,
        /// Of the character, counted from 1.
        position: usize,
    },
    /// A separator where a number should be.
    #[error("{symbolic}\n{}", place.missing_number(*position))]
    Number {
        /// Why it is not a symbolic form.
        symbolic: SymbolicError,
        /// Where the text stood.
        place: Place,
        /// Where the number should be, counted from 1.
        position: usize,
    },
    /// A number that is no byte.
    #[error("{symbolic}\n{}", place.large_number(*position))]
    Byte {
        /// Why it is not a symbolic form.
        symbolic: SymbolicError,
        /// Where the text stood.
        place: Place,
        /// Of the number, counted from 1.
        position: usize,
    },
    /// Hex that makes no TransportID.
    #[error("{}", place.invalid(source))]
    Invalid {
        /// Where the text stood.
        place: Place,
        /// What is wrong with it.
        source: InvalidTransportId,
    },
    /// More than a parameter list holds.
    #[error("{}: array length exceeded", place.prefix())]
    TooMany {
        /// Where the first one too many stood.
        place: Place,
    },
    /// A file that cannot be opened.
    #[error("decode_file_tids: unable to open {}", path.display())]
    Open {
        /// Its name.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A directory, or an input that cannot be read.
    #[error("decode_file_tids: unable to read {}: {source}", path.display())]
    Read {
        /// Its name.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// More text than any list of TransportIDs takes.
    #[error("decode_file_tids: {} holds more than {MAXIMUM_TEXT} bytes", path.display())]
    TooLong {
        /// The file's name.
        path: PathBuf,
    },
    /// A file of comments and empty lines alone.
    #[error("decode_file_tids: no TransportID in {}", path.display())]
    Nothing {
        /// Its name.
        path: PathBuf,
    },
}

/// Why a text is not a symbolic TransportID.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SymbolicError {
    /// It starts like no symbolic form.
    #[error("unable to parse symbolic TransportID: {0}")]
    Unknown(String),
    /// The prefix is known, what follows is malformed.
    #[error("badly formed symbolic {protocol} TransportID: {text}")]
    Malformed {
        /// As in the prefix.
        protocol: &'static str,
        /// What follows the prefix.
        text: String,
    },
    /// A name that cannot be sent.
    #[error(transparent)]
    Name(#[from] InvalidTransportId),
}

/// Where a text stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is the argument itself.
    Argument,
    /// It is a line of a file.
    Line {
        /// Of the line, counted from 1.
        number: usize,
        /// Blanks and tabs before the text.
        indent: usize,
    },
}

impl Place {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Argument => "build_transportid",
            Self::Line { .. } => "decode_file_tids",
        }
    }

    fn syntax_error(self, position: usize) -> String {
        let prefix = self.prefix();
        match self {
            Self::Argument => format!("{prefix}: error at pos {position}"),
            Self::Line { number, .. } => {
                format!("{prefix}: syntax error at line {number}, pos {position}")
            }
        }
    }

    fn missing_number(self, position: usize) -> String {
        let prefix = self.prefix();
        match self {
            Self::Argument => format!("{prefix}: error at pos {position}"),
            Self::Line { number, .. } => {
                format!("{prefix}: error in line {number}, at pos {position}")
            }
        }
    }

    fn large_number(self, position: usize) -> String {
        let prefix = self.prefix();
        match self {
            Self::Argument => {
                format!("{prefix}: hex number larger than 0xff at pos {position}")
            }
            Self::Line { number, .. } => {
                format!("{prefix}: hex number larger than 0xff in line {number}, pos {position}")
            }
        }
    }

    fn invalid(self, error: &InvalidTransportId) -> String {
        let prefix = self.prefix();
        match self {
            Self::Argument => format!("{prefix}: {error}"),
            Self::Line { number, .. } => format!("{prefix}: in line {number}: {error}"),
        }
    }

    /// The position that messages give for an offset into the text.
    const fn position(self, offset: usize) -> usize {
        match self {
            Self::Argument => offset + 1,
            Self::Line { indent, .. } => indent + offset + 1,
        }
    }

    /// Whether `rest` may follow a symbolic form: blanks, in a line a comment.
    fn may_end_with(self, rest: &[u8]) -> bool {
        match &rest[blanks(rest)..] {
            [] => true,
            [b'#', ..] => matches!(self, Self::Line { .. }),
            _ => false,
        }
    }
}

/// Reads the argument of one `--transport-id`.
///
/// # Errors
///
/// It cannot be understood whole, a file cannot be read or names no
/// TransportID, or there are more than a parameter list holds.
pub fn parse(argument: &OsStr, input: &mut dyn Input) -> Result<Parsed, TransportIdsError> {
    let text = argument.as_bytes();
    let file = text
        .strip_prefix(b"file=")
        .or_else(|| text.strip_prefix(b"FILE="));
    let ids = if text == b"-" {
        let path = PathBuf::from("stdin");
        match input.stdin() {
            Ok(lines) => parse_lines(&lines, path)?,
            Err(source) => return Err(TransportIdsError::Read { path, source }),
        }
    } else if let Some(name) = file {
        let path = PathBuf::from(OsStr::from_bytes(name));
        match input.file(&path) {
            Ok(lines) => parse_lines(&lines, path)?,
            // A directory can be opened, but not read.
            Err(source) if source.kind() == io::ErrorKind::IsADirectory => {
                return Err(TransportIdsError::Read { path, source });
            }
            Err(source) => return Err(TransportIdsError::Open { path, source }),
        }
    } else {
        let place = Place::Argument;
        let id = parse_one(text, place)?;
        if id.as_bytes().len() > MAXIMUM_TOTAL {
            return Err(TransportIdsError::TooMany { place });
        }
        vec![id]
    };
    Ok(Parsed { ids })
}

fn parse_lines(lines: &[u8], path: PathBuf) -> Result<Vec<TransportId>, TransportIdsError> {
    if lines.len() > MAXIMUM_TEXT {
        return Err(TransportIdsError::TooLong { path });
    }
    let mut ids = Vec::new();
    let mut total = 0;
    for (line, number) in lines.split(|&byte| byte == b'\n').zip(1..) {
        let mut text = line;
        while let Some(shorter) = text.strip_suffix(b"\r") {
            text = shorter;
        }
        let indent = blanks(text);
        let text = &text[indent..];
        if matches!(text, [] | [b'#', ..]) {
            continue;
        }
        let place = Place::Line { number, indent };
        let id = parse_one(text, place)?;
        total += id.as_bytes().len();
        if total > MAXIMUM_TOTAL {
            return Err(TransportIdsError::TooMany { place });
        }
        ids.push(id);
    }
    if ids.is_empty() {
        return Err(TransportIdsError::Nothing { path });
    }
    Ok(ids)
}

fn parse_one(text: &[u8], place: Place) -> Result<TransportId, TransportIdsError> {
    parse_symbolic(text, place).or_else(|symbolic| parse_hex(text, place, symbolic))
}

fn parse_symbolic(text: &[u8], place: Place) -> Result<TransportId, SymbolicError> {
    if is_iscsi_name(text) {
        let end = text.iter().position(|byte| b" \t".contains(byte));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        if !place.may_end_with(rest) {
            return Err(malformed("iSCSI", text));
        }
        return Ok(TransportId::iscsi(name)?);
    }
    let Some((prefix, value)) = text.split_at_checked(4) else {
        return Err(SymbolicError::Unknown(lossy(text)));
    };
    let (protocol, parsed) = match prefix {
        b"sas," | b"SAS," => (
            "SAS",
            number(value).map(|(id, rest)| (TransportId::sas(id), rest)),
        ),
        b"fcp," | b"FCP," => (
            "FCP",
            number(value).map(|(id, rest)| (TransportId::fcp(id), rest)),
        ),
        b"sbp," | b"SBP," => (
            "SBP",
            number(value).map(|(id, rest)| (TransportId::sbp(id), rest)),
        ),
        b"spi," | b"SPI," => ("SPI", parse_spi(value)),
        b"srp," | b"SRP," => ("SRP", parse_srp(value)),
        b"sop," | b"SOP," => ("SOP", parse_sop(value)),
        _ => return Err(SymbolicError::Unknown(lossy(text))),
    };
    match parsed {
        Some((id, rest)) if place.may_end_with(rest) => Ok(id),
        _ => Err(malformed(protocol, value)),
    }
}

/// Exactly sixteen hex digits, and what follows them.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_at(hex_digits(text));
    let value = (digits.len() == 16).then(|| hex_value(digits))?;
    Some((u64::try_from(value).ok()?, rest))
}

fn parse_srp(text: &[u8]) -> Option<(TransportId, &[u8])> {
    let (digits, rest) = text.split_at(hex_digits(text));
    let value = (digits.len() == 32).then(|| hex_value(digits))?;
    Some((TransportId::srp(value.to_be_bytes()), rest))
}

fn parse_sop(text: &[u8]) -> Option<(TransportId, &[u8])> {
    let (digits, rest) = text.split_at(hex_digits(text));
    let value = (1..=4).contains(&digits.len()).then(|| hex_value(digits))?;
    Some((TransportId::sop(u16::try_from(value).ok()?), rest))
}

fn parse_spi(text: &[u8]) -> Option<(TransportId, &[u8])> {
    let (address, rest) = decimal(text)?;
    let (port, rest) = decimal(rest.strip_prefix(b",")?)?;
    Some((TransportId::spi(address, port), rest))
}

/// A decimal number of 16 bits, and what follows it. Blanks may precede it.
fn decimal(text: &[u8]) -> Option<(u16, &[u8])> {
    let text = text.trim_ascii_start();
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let value = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((value, rest))
}

/// Hex numbers, each one byte, with separators between.
fn parse_hex(
    text: &[u8],
    place: Place,
    symbolic: SymbolicError,
) -> Result<TransportId, TransportIdsError> {
    let in_line = matches!(place, Place::Line { .. });
    let list = match text.iter().position(|&byte| byte == b'#') {
        Some(comment) if in_line => &text[..comment],
        _ => text,
    };
    let separator = |byte: &u8| matches!(byte, b' ' | b',') || (*byte == b'\t' && in_line);
    if let Some(offset) = list
        .iter()
        .position(|byte| !separator(byte) && !byte.is_ascii_hexdigit())
    {
        let position = place.position(offset);
        return Err(TransportIdsError::Character {
            symbolic,
            place,
            position,
        });
    }
    let mut bytes = Vec::new();
    // Where the next number is looked for.
    let mut start = 0;
    while start < list.len() {
        let skipped = if start == 0 {
            blanks(list)
        } else {
            list[start..]
                .iter()
                .take_while(|byte| separator(byte))
                .count()
        };
        let (digits, rest) = {
            let rest = &list[start + skipped..];
            rest.split_at(hex_digits(rest))
        };
        if digits.is_empty() {
            break;
        }
        let significant = &digits[digits.iter().take_while(|&&digit| digit == b'0').count()..];
        let Some(byte) = byte(significant) else {
            // In an argument the place counts from the separator before it.
            let offset = if in_line { start + skipped } else { start };
            let position = place.position(offset);
            return Err(TransportIdsError::Byte {
                symbolic,
                place,
                position,
            });
        };
        bytes.push(byte);
        start = list.len() - rest.len() + usize::from(!rest.is_empty());
    }
    // A line may end with separators, an argument with a number alone.
    let ended = in_line || list.last().is_some_and(u8::is_ascii_hexdigit);
    if bytes.is_empty() || !ended {
        let position = place.position(start);
        return Err(TransportIdsError::Number {
            symbolic,
            place,
            position,
        });
    }
    TransportId::from_typed(&bytes).map_err(|source| TransportIdsError::Invalid { place, source })
}

/// The value of up to two hex digits.
fn byte(digits: &[u8]) -> Option<u8> {
    (digits.len() <= 2)
        .then(|| hex_value(digits))
        .and_then(|value| u8::try_from(value).ok())
}

/// The value of up to 32 hex digits.
fn hex_value(digits: &[u8]) -> u128 {
    digits
        .iter()
        .filter_map(|&digit| char::from(digit).to_digit(16))
        .fold(0, |value, digit| value << 4 | u128::from(digit))
}

/// How many hex digits the text starts with.
fn hex_digits(text: &[u8]) -> usize {
    text.iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count()
}

/// How many blanks and tabs the text starts with.
fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| b" \t".contains(byte)).count()
}

fn malformed(protocol: &'static str, text: &[u8]) -> SymbolicError {
    SymbolicError::Malformed {
        protocol,
        text: lossy(text),
    }
}

/// A text as messages show it: up to a NUL, which is what makes it wrong then.
fn lossy(text: &[u8]) -> String {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Standard input and files by name; nothing else may be read.
    #[derive(Default)]
    struct Texts {
        stdin: Option<Vec<u8>>,
        files: Vec<(&'static str, Vec<u8>)>,
    }

    impl Input for Texts {
        fn stdin(&mut self) -> io::Result<Vec<u8>> {
            self.stdin.take().ok_or_else(|| io::Error::other("closed"))
        }

        fn file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
            if path == Path::new("/") {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            self.files
                .iter()
                .find(|(name, _)| Path::new(name) == path)
                .map(|(_, text)| text.clone())
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    fn hex(id: &TransportId) -> String {
        id.as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn parse_bytes(argument: &[u8]) -> Result<Parsed, TransportIdsError> {
        parse(OsStr::from_bytes(argument), &mut Texts::default())
    }

    /// The one TransportID that an argument gives, in hex, without the zeros
    /// that fill it up.
    fn one(argument: &str) -> String {
        let ids = parse_bytes(argument.as_bytes()).unwrap().ids;
        assert_eq!(ids.len(), 1, "{argument}");
        let text = hex(&ids[0]);
        assert_eq!(text.len(), 48, "{argument}");
        text.trim_end_matches("00").to_owned()
    }

    fn refused(argument: &str) -> String {
        parse_bytes(argument.as_bytes()).unwrap_err().to_string()
    }

    fn parse_file(text: &[u8]) -> Result<Parsed, TransportIdsError> {
        let mut input = Texts {
            files: vec![("T", text.to_vec())],
            ..Texts::default()
        };
        parse(OsStr::new("file=T"), &mut input)
    }

    /// The TransportIDs of a file, as [`one`] gives them.
    fn file(text: &str) -> Vec<String> {
        let ids = parse_file(text.as_bytes()).unwrap().ids;
        ids.iter()
            .map(|id| hex(id).trim_end_matches("00").to_owned())
            .collect()
    }

    fn file_refused(text: &[u8]) -> String {
        parse_file(text).unwrap_err().to_string()
    }

    #[test]
    fn symbolic_forms() {
        for (argument, expected) in [
            ("sas,5000c50005b32001", "060000005000c50005b32001"),
            ("SAS,5000C50005B32001", "060000005000c50005b32001"),
            ("fcp,2000000011223344", "00000000000000002000000011223344"),
            ("FCP,20000000112233A4", "000000000000000020000000112233a4"),
            ("sbp,0011223344556677", "03000000000000000011223344556677"),
            ("SBP,0011223344556677", "03000000000000000011223344556677"),
            ("spi,7,1", "0100000700000001"),
            ("SPI,258,772", "0100010200000304"),
            ("iqn.a", "0500001469716e2e61"),
            ("iqn.", "0500001469716e2e"),
            ("iqn.x,i,0x1", "4500001469716e2e782c692c307831"),
            ("iqn.x,i,0X1", "0500001469716e2e782c692c305831"),
        ] {
            assert_eq!(one(argument), expected, "{argument}");
        }
    }

    #[test]
    fn longer_iscsi_names() {
        for (argument, expected) in [
            (
                "iqn.2005-03.org.open-iscsi:abc",
                &b"\x05\0\0\x20iqn.2005-03.org.open-iscsi:abc\0\0"[..],
            ),
            (
                "iqn.2005-03.org.open-iscsi:abc,i,0x00023d000001",
                b"\x45\0\0\x30iqn.2005-03.org.open-iscsi:abc,i,0x00023d000001\0",
            ),
        ] {
            let ids = parse_bytes(argument.as_bytes()).unwrap().ids;
            assert_eq!(ids[0].as_bytes(), expected);
        }
        let name = format!("iqn.{}", "a".repeat(239));
        let ids = parse_bytes(name.as_bytes()).unwrap().ids;
        assert_eq!(ids[0].as_bytes().len(), 248);
        assert_eq!(
            refused(&format!("{name}a")),
            "iSCSI name too long, alen=248\nbuild_transportid: error at pos 1"
        );
    }

    #[test]
    fn iscsi_names_are_bytes() {
        let ids = parse_bytes(b"iqn.\xff\x1b").unwrap().ids;
        assert_eq!(&ids[0].as_bytes()[..10], b"\x05\0\0\x14iqn.\xff\x1b");
    }

    #[test]
    fn every_prefix_of_a_symbolic_form() {
        for whole in [
            "sas,5000c50005b32001",
            "fcp,5000c50005b32001",
            "sbp,5000c50005b32001",
            "srp,00112233445566778899aabbccddeeff",
        ] {
            assert!(parse_bytes(whole.as_bytes()).is_ok());
            for end in 0..whole.len() {
                // `f` and `fc` are hex.
                let is_hex =
                    !whole[..end].is_empty() && hex_digits(&whole.as_bytes()[..end]) == end;
                let parsed = parse_bytes(&whole.as_bytes()[..end]);
                assert_eq!(parsed.is_ok(), is_hex, "{}", &whole[..end]);
            }
        }
    }

    #[test]
    fn refused_symbolic_forms_give_two_lines() {
        for (argument, expected) in [
            (
                "Sas,5000c50005b32001",
                "unable to parse symbolic TransportID: Sas,5000c50005b32001\n\
                 build_transportid: error at pos 1",
            ),
            (
                "sas,5000c50005b3200",
                "badly formed symbolic SAS TransportID: 5000c50005b3200\n\
                 build_transportid: error at pos 1",
            ),
            (
                "sas,5000c50005b320011",
                "badly formed symbolic SAS TransportID: 5000c50005b320011\n\
                 build_transportid: error at pos 1",
            ),
            (
                "sas,0x5000c50005b3200",
                "badly formed symbolic SAS TransportID: 0x5000c50005b3200\n\
                 build_transportid: error at pos 1",
            ),
            (
                "sas, 5000c50005b32001",
                "badly formed symbolic SAS TransportID:  5000c50005b32001\n\
                 build_transportid: error at pos 1",
            ),
            (
                "sas,",
                "badly formed symbolic SAS TransportID: \nbuild_transportid: error at pos 1",
            ),
            (
                "sas",
                "unable to parse symbolic TransportID: sas\nbuild_transportid: error at pos 1",
            ),
            (
                "SPI,0x7,1",
                "badly formed symbolic SPI TransportID: 0x7,1\nbuild_transportid: error at pos 1",
            ),
            (
                "spi,7",
                "badly formed symbolic SPI TransportID: 7\nbuild_transportid: error at pos 1",
            ),
            (
                "spi,1 ,2",
                "badly formed symbolic SPI TransportID: 1 ,2\nbuild_transportid: error at pos 1",
            ),
            (
                "fcp,zz",
                "badly formed symbolic FCP TransportID: zz\nbuild_transportid: error at pos 3",
            ),
            (
                "SBP,0011223344556677aa",
                "badly formed symbolic SBP TransportID: 0011223344556677aa\n\
                 build_transportid: error at pos 1",
            ),
            (
                "sop,",
                "badly formed symbolic SOP TransportID: \nbuild_transportid: error at pos 1",
            ),
            (
                "SOP,0x12",
                "badly formed symbolic SOP TransportID: 0x12\nbuild_transportid: error at pos 1",
            ),
            (
                "srp,00",
                "badly formed symbolic SRP TransportID: 00\nbuild_transportid: error at pos 1",
            ),
            (
                "iqn",
                "unable to parse symbolic TransportID: iqn\nbuild_transportid: error at pos 1",
            ),
            (
                "pcie,1",
                "unable to parse symbolic TransportID: pcie,1\nbuild_transportid: error at pos 1",
            ),
            (
                "File=x",
                "unable to parse symbolic TransportID: File=x\nbuild_transportid: error at pos 2",
            ),
        ] {
            assert_eq!(refused(argument), expected, "{argument}");
        }
    }

    #[test]
    fn spi_numbers_have_sixteen_bits_and_no_sign() {
        assert_eq!(one("spi, 65535,\t9"), "0100ffff00000009");
        for argument in [
            "spi,65536,1",
            "spi,1,70000",
            "spi,-1,1",
            "spi,+9,1",
            "spi,1,",
        ] {
            let value = &argument[4..];
            let expected = format!(
                "badly formed symbolic SPI TransportID: {value}\nbuild_transportid: error at pos 1"
            );
            assert_eq!(refused(argument), expected);
        }
    }

    #[test]
    fn hex_lists() {
        for (argument, expected) in [
            (
                "06,00,00,00,50,00,c5,00,05,b3,20,01",
                "060000005000c50005b32001",
            ),
            ("6,0,0,0,50,0,c5,0,5,b3,20,1", "060000005000c50005b32001"),
            (
                "06 00 00 00 50 00 C5 00 05 B3 20 01",
                "060000005000c50005b32001",
            ),
            ("06,0,0 0,50", "0600000050"),
            ("006,0000000ff", "06ff"),
            ("a", "0a"),
            ("05,00,00,04,41,42,43,00", "05000004414243"),
            (
                "06,00,00,00,50,00,c5,00,05,b3,20,01,11,11,11,11,11,11,11,11,11,11,11,22",
                "060000005000c50005b320011111111111111111111111 22",
            ),
        ] {
            assert_eq!(one(argument), expected.replace(' ', ""), "{argument}");
        }
    }

    #[test]
    fn refused_hex_lists_give_two_lines() {
        for (argument, second_line) in [
            ("0x6,0x0", "build_transportid: error at pos 2"),
            ("06,", "build_transportid: error at pos 4"),
            ("06 ", "build_transportid: error at pos 4"),
            ("06, 01, ", "build_transportid: error at pos 8"),
            ("", "build_transportid: error at pos 1"),
            (" ", "build_transportid: error at pos 1"),
            ("6g", "build_transportid: error at pos 2"),
            ("06,0g", "build_transportid: error at pos 5"),
            ("06;07", "build_transportid: error at pos 3"),
            ("06\t07", "build_transportid: error at pos 3"),
            ("06 # c", "build_transportid: error at pos 4"),
            ("+6", "build_transportid: error at pos 1"),
            ("06,-1", "build_transportid: error at pos 4"),
            (",06", "build_transportid: error at pos 1"),
            (", 06", "build_transportid: error at pos 1"),
            (
                "06,100",
                "build_transportid: hex number larger than 0xff at pos 4",
            ),
            (
                "06  100",
                "build_transportid: hex number larger than 0xff at pos 4",
            ),
            (
                "ffffffffffffffff",
                "build_transportid: hex number larger than 0xff at pos 1",
            ),
        ] {
            assert_eq!(
                refused(argument),
                format!("unable to parse symbolic TransportID: {argument}\n{second_line}")
            );
        }
    }

    #[test]
    fn difference_srp_takes_thirty_two_digits() {
        let port = "00112233445566778899aabbccddeeff";
        for prefix in ["srp,", "SRP,"] {
            assert_eq!(
                one(&format!("{prefix}{port}")),
                format!("0400000000000000{port}")
            );
        }
        for digits in ["0011223344556677", &port[..31], &format!("{port}0")] {
            assert_eq!(
                refused(&format!("srp,{digits}")),
                format!(
                    "badly formed symbolic SRP TransportID: {digits}\n\
                     build_transportid: error at pos 1"
                )
            );
        }
    }

    #[test]
    fn difference_sop_works() {
        for (argument, expected) in [
            ("sop,1234", "0a001234"),
            ("SOP,f3", "0a0000f3"),
            ("sop,a", "0a00000a"),
        ] {
            assert_eq!(one(argument), expected);
        }
        assert!(refused("sop,12345").starts_with("badly formed symbolic SOP"));
    }

    #[test]
    fn difference_all_types_of_iscsi_names() {
        for (argument, expected) in [
            ("IQN.a", "0500001449514e2e61"),
            ("eui.0123", "050000146575692e30313233"),
            ("naa.45,i,0x1", "450000146e61612e34352c692c307831"),
        ] {
            assert_eq!(one(argument), expected);
        }
        assert_eq!(
            refused("Iqn.a"),
            "unable to parse symbolic TransportID: Iqn.a\nbuild_transportid: error at pos 1"
        );
    }

    #[test]
    fn difference_trailing_text_is_refused() {
        for (argument, first_line) in [
            (
                "sas,5000c50005b32001zz",
                "badly formed symbolic SAS TransportID: 5000c50005b32001zz",
            ),
            (
                "sas,5000c50005b32001 # c",
                "badly formed symbolic SAS TransportID: 5000c50005b32001 # c",
            ),
            ("spi,7,1,2", "badly formed symbolic SPI TransportID: 7,1,2"),
            ("sop,1x", "badly formed symbolic SOP TransportID: 1x"),
            (
                "iqn.x y,i,0x00023d000001",
                "badly formed symbolic iSCSI TransportID: iqn.x y,i,0x00023d000001",
            ),
            (
                "iqn.x,i,0x1 # c",
                "badly formed symbolic iSCSI TransportID: iqn.x,i,0x1 # c",
            ),
        ] {
            assert_eq!(
                refused(argument),
                format!("{first_line}\nbuild_transportid: error at pos 1")
            );
        }
        assert_eq!(one("sas,5000c50005b32001 \t"), "060000005000c50005b32001");
        assert_eq!(one("iqn.a "), "0500001469716e2e61");
    }

    #[test]
    fn difference_runs_of_separators_are_one() {
        for argument in ["06, 00,01", "06  00 01", "06,,00 ,01", "  06 , , 0,1"] {
            assert_eq!(one(argument), "060001", "{argument}");
        }
    }

    #[test]
    fn difference_large_numbers_do_not_wrap() {
        assert_eq!(
            refused("6,100000006"),
            "unable to parse symbolic TransportID: 6,100000006\n\
             build_transportid: hex number larger than 0xff at pos 3"
        );
    }

    #[test]
    fn difference_hex_beyond_24_bytes_is_refused() {
        assert_eq!(
            refused(&format!("06{}", ",aa".repeat(24))),
            "build_transportid: a TransportID of this protocol takes 24 bytes, 25 given"
        );
        assert_eq!(
            file_refused(format!("06{}\n", " aa".repeat(30)).as_bytes()),
            "decode_file_tids: in line 1: a TransportID of this protocol takes 24 bytes, 31 given"
        );
    }

    #[test]
    fn difference_iscsi_hex_must_hold_what_it_claims() {
        assert_eq!(
            refused("05,00,ff,ff"),
            "build_transportid: the iSCSI TransportID claims 65539 bytes, 4 given"
        );
        assert_eq!(
            file_refused(b"\n06 00 00 00 50 00 c5 00\n05 b3 20 01\n"),
            "decode_file_tids: in line 3: the iSCSI TransportID claims 8197 bytes, 4 given"
        );
    }

    #[test]
    fn difference_only_a_hyphen_alone_is_standard_input() {
        let mut input = Texts {
            stdin: Some(b"sas,5000c50005b32001\n".to_vec()),
            ..Texts::default()
        };
        for argument in ["-foo", "--"] {
            assert_eq!(
                parse(OsStr::new(argument), &mut input)
                    .unwrap_err()
                    .to_string(),
                format!(
                    "unable to parse symbolic TransportID: {argument}\n\
                     build_transportid: error at pos 1"
                )
            );
        }
        let ids = parse(OsStr::new("-"), &mut input).unwrap().ids;
        assert_eq!(ids, [TransportId::sas(0x5000_c500_05b3_2001)]);
    }

    #[test]
    fn standard_input_that_cannot_be_read() {
        assert_eq!(
            refused("-"),
            "decode_file_tids: unable to read stdin: closed"
        );
    }

    #[test]
    fn file_names() {
        let mut input = Texts {
            files: vec![("-", b"sas,5000c50005b32001".to_vec())],
            ..Texts::default()
        };
        for argument in ["file=-", "FILE=-"] {
            let ids = parse(OsStr::new(argument), &mut input).unwrap().ids;
            assert_eq!(ids, [TransportId::sas(0x5000_c500_05b3_2001)]);
        }
        assert_eq!(
            refused("file=nosuch"),
            "decode_file_tids: unable to open nosuch"
        );
        assert_eq!(refused("FILE="), "decode_file_tids: unable to open ");
        let not_utf8 = parse_bytes(b"file=\xff").unwrap_err().to_string();
        assert_eq!(not_utf8, "decode_file_tids: unable to open \u{fffd}");
    }

    #[test]
    fn lines_of_every_kind() {
        assert_eq!(
            file(
                "# comment\n\n   \t\n   # indented\n  \tsas,5000c50005b32001   # trailing\n\n\
                 iqn.a # comment\nfcp,2000000011223344\t\nspi,7,1#c\nsbp,0011223344556677#c\n\
                 06 00\t00 00 50 00 c5 00  05 b3 ,, 20 01 , \n07 01 # c\nsop,12"
            ),
            [
                "060000005000c50005b32001",
                "0500001469716e2e61",
                "00000000000000002000000011223344",
                "0100000700000001",
                "03000000000000000011223344556677",
                "060000005000c50005b32001",
                "0701",
                "0a000012",
            ]
        );
    }

    #[test]
    fn refused_lines() {
        for (text, expected) in [
            (
                "sas,5000c50005b32001\nsas,zz\n",
                "badly formed symbolic SAS TransportID: zz\n\
                 decode_file_tids: syntax error at line 2, pos 1",
            ),
            (
                "  sas,zz  # c\n",
                "badly formed symbolic SAS TransportID: zz  # c\n\
                 decode_file_tids: syntax error at line 1, pos 3",
            ),
            (
                ",06 00\n",
                "unable to parse symbolic TransportID: ,06 00\n\
                 decode_file_tids: error in line 1, at pos 1",
            ),
            (
                "  , 06\n",
                "unable to parse symbolic TransportID: , 06\n\
                 decode_file_tids: error in line 1, at pos 3",
            ),
            (
                "06 00 zz\n",
                "unable to parse symbolic TransportID: 06 00 zz\n\
                 decode_file_tids: syntax error at line 1, pos 7",
            ),
            (
                "06-00-00\n",
                "unable to parse symbolic TransportID: 06-00-00\n\
                 decode_file_tids: syntax error at line 1, pos 3",
            ),
            (
                "06  100\n",
                "unable to parse symbolic TransportID: 06  100\n\
                 decode_file_tids: hex number larger than 0xff in line 1, pos 5",
            ),
            (
                "\n  06 ,100 # c\n",
                "unable to parse symbolic TransportID: 06 ,100 # c\n\
                 decode_file_tids: hex number larger than 0xff in line 2, pos 7",
            ),
            (
                "0x06 00\n",
                "unable to parse symbolic TransportID: 0x06 00\n\
                 decode_file_tids: syntax error at line 1, pos 2",
            ),
        ] {
            assert_eq!(file_refused(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(
            file_refused(format!("iqn.{}\n", "a".repeat(240)).as_bytes()),
            "iSCSI name too long, alen=248\ndecode_file_tids: syntax error at line 1, pos 1"
        );
    }

    #[test]
    fn difference_trailing_text_in_a_line_is_a_comment_or_refused() {
        assert_eq!(
            file_refused(b"iqn.a b\n"),
            "badly formed symbolic iSCSI TransportID: iqn.a b\n\
             decode_file_tids: syntax error at line 1, pos 1"
        );
        assert_eq!(
            file_refused(b"sas,5000c50005b32001 x # c\n"),
            "badly formed symbolic SAS TransportID: 5000c50005b32001 x # c\n\
             decode_file_tids: syntax error at line 1, pos 1"
        );
    }

    #[test]
    fn difference_carriage_returns_are_stripped() {
        assert_eq!(
            file("sas,5000c50005b32001\r\n06 01\r\niqn.a\r\n\r\n# c\r\niqn.b # c\r\r"),
            [
                "060000005000c50005b32001",
                "0601",
                "0500001469716e2e61",
                "0500001469716e2e62",
            ]
        );
        assert!(file_refused(b"06\r01\n").ends_with("syntax error at line 1, pos 3"));
    }

    #[test]
    fn difference_nul_ends_nothing() {
        assert_eq!(
            file_refused(b"sas,5000c50005b32001\0\n"),
            "badly formed symbolic SAS TransportID: 5000c50005b32001\n\
             decode_file_tids: syntax error at line 1, pos 1"
        );
        assert_eq!(
            file_refused(b"iqn.a\0b\n"),
            "iSCSI name holds a NUL byte\ndecode_file_tids: syntax error at line 1, pos 1"
        );
    }

    #[test]
    fn difference_a_comment_may_touch_hex() {
        assert_eq!(file("06 00 50# c\n8#zz\n"), ["060050", "08"]);
    }

    #[test]
    fn difference_a_file_without_transport_ids_is_an_error() {
        for text in ["", "\n", "# a\n#b\n", " \t\r\n"] {
            assert_eq!(
                file_refused(text.as_bytes()),
                "decode_file_tids: no TransportID in T"
            );
        }
        let mut input = Texts {
            stdin: Some(Vec::new()),
            ..Texts::default()
        };
        assert_eq!(
            parse(OsStr::new("-"), &mut input).unwrap_err().to_string(),
            "decode_file_tids: no TransportID in stdin"
        );
        let directory = refused("file=/");
        assert!(directory.starts_with("decode_file_tids: unable to read /: "));
    }

    #[test]
    fn difference_as_many_as_a_parameter_list_holds() {
        // 65507 bytes of 24 each.
        let line = "sas,5000c50005b32001\n";
        assert_eq!(file(&line.repeat(2729)).len(), 2729);
        assert_eq!(
            file_refused(line.repeat(2730).as_bytes()),
            "decode_file_tids: array length exceeded"
        );
        let longest = |length: usize| {
            let [high, low] = u16::try_from(length - 4).unwrap().to_be_bytes();
            format!("5,0,{high:x},{low:x}{}", ",1".repeat(length - 4))
        };
        let ids = parse_bytes(longest(65_507).as_bytes()).unwrap().ids;
        assert_eq!(ids[0].as_bytes().len(), 65_507);
        assert_eq!(
            refused(&longest(65_508)),
            "build_transportid: array length exceeded"
        );
    }

    #[test]
    fn difference_comment_lines_are_not_counted() {
        let text = format!("{}sas,5000c50005b32001\n", "#\n".repeat(600));
        assert_eq!(file(&text), ["060000005000c50005b32001"]);
    }

    #[test]
    fn difference_long_lines_are_not_split() {
        let text = format!("06{}01 # {}\n", " ".repeat(2000), "c".repeat(2000));
        assert_eq!(file(&text), ["0601"]);
    }

    #[test]
    fn arguments_come_back_as_they_were_shown() {
        for text in [
            "fcp,2102230425062708",
            "spi,2571,3085",
            "sbp,3132333435363738",
            "srp,4142434445464748494a4b4c4d4e4f50",
            "iqn.2005-03.org.open-iscsi:abc",
            "IQN.2005-03.org.open-iscsi:abc,i,0x00023d000001",
            "eui.02004567a425678d",
            "naa.52004567ba64678d",
            "sas,5000c50105b32002",
            "sop,0e0f",
            "07,01,02,03,04,05,06,07,08,09,0a,0b,0c,0d,0e,0f,10,11,12,13,14,15,16,17",
        ] {
            let ids = parse_bytes(text.as_bytes()).unwrap().ids;
            assert_eq!(ids[0].to_argument(), text);
        }
    }

    #[test]
    fn whatever_was_shown_comes_back_as_the_same_bytes() {
        for first in 0..=255 {
            for fill in [0x00, 0x04, 0x2c, 0x61] {
                for length in 1..=24 {
                    let mut typed = vec![fill; length];
                    typed[0] = first;
                    let Ok(id) = TransportId::from_typed(&typed) else {
                        continue;
                    };
                    let again = parse_bytes(id.to_argument().as_bytes()).unwrap().ids;
                    assert_eq!(again, [id]);
                }
            }
        }
    }
}
