//! Sense data in words, line by line.

mod descriptors;
mod designator;

use std::io::{self, Write};

use super::hex_rows;
use crate::scsi::asc;
use crate::scsi::sense::{
    Sense, SenseFormat, SenseKey, SenseKeySpecific, response_code, within_additional_length,
};

/// All that `sense` says, as lines of text; with `raw` its bytes in hexadecimal follow.
///
/// Any bytes will do: what is cut short, malformed or unknown is said to be so.
/// The text is not always UTF-8, as names given by the device appear in it unchanged.
#[must_use]
pub fn describe(sense: &[u8], raw: bool) -> Vec<u8> {
    let mut text = Vec::new();
    write_sense(&mut text, sense, raw).expect("a Vec takes whatever is written to it");
    text
}

fn write_sense(out: &mut Vec<u8>, sense: &[u8], raw: bool) -> io::Result<()> {
    let Some(response_code) = response_code(sense) else {
        return writeln!(out, " >>> sense buffer empty");
    };
    match Sense::parse_header(sense) {
        Some(header) => extended(out, header, sense)?,
        None if sense.len() < 4 => writeln!(out, "sense buffer too short (4 byte minimum)")?,
        None if response_code == 0x7f => {
            writeln!(out, "Vendor specific sense buffer, in hex:")?;
            // These rows are the raw bytes already.
            return out.write_all(hex_rows::plain(sense).as_bytes());
        }
        None => non_extended(out, sense)?,
    }
    if raw {
        raw_bytes(out, sense)?;
    }
    Ok(())
}

/// Sense data in fixed or descriptor format (SPC-5 4.4.2, 4.4.3).
fn extended(out: &mut Vec<u8>, header: Sense, sense: &[u8]) -> io::Result<()> {
    let format = match header.format {
        SenseFormat::Fixed => "Fixed",
        SenseFormat::Descriptor => "Descriptor",
    };
    let when = if header.deferred {
        "<<<deferred>>>"
    } else {
        "current"
    };
    let key = header.key.name().unwrap_or("invalid");
    writeln!(out, "{format} format, {when}; Sense key: {key}")?;
    match header.format {
        SenseFormat::Fixed => fixed_format(out, header, within_additional_length(sense)),
        SenseFormat::Descriptor => descriptor_format(out, header, sense),
    }
}

/// The ADDITIONAL SENSE CODE and ADDITIONAL SENSE CODE QUALIFIER fields.
fn additional_sense(out: &mut Vec<u8>, header: Sense) -> io::Result<()> {
    let Sense { asc, ascq, .. } = header;
    if let Some(text) = asc::text(asc, ascq) {
        writeln!(out, "Additional sense: {text}")
    } else if asc >= 0x80 {
        writeln!(out, "vendor specific ASC={asc:02x}, ASCQ={ascq:02x} (hex)")
    } else if ascq >= 0x80 {
        writeln!(
            out,
            "ASC={asc:02x}, vendor specific qualification ASCQ={ascq:02x} (hex)"
        )
    } else {
        writeln!(out, "ASC={asc:02x}, ASCQ={ascq:02x} (hex)")
    }
}

/// The SDAT_OVFL bit: there is more sense data than was transferred.
fn sense_data_overflow(out: &mut Vec<u8>, overflow: bool) -> io::Result<()> {
    if overflow {
        writeln!(out, "<<<Sense data overflow (SDAT_OVFL)>>>")?;
    }
    Ok(())
}

/// Descriptor format sense data after the first line (SPC-5 4.4.2.1).
fn descriptor_format(out: &mut Vec<u8>, header: Sense, sense: &[u8]) -> io::Result<()> {
    let list = within_additional_length(sense).get(8..).unwrap_or_default();
    sense_data_overflow(out, sense.get(4).is_some_and(|byte| byte & 0x80 != 0))?;
    additional_sense(out, header)?;
    descriptors::list(out, header.key, list)
}

/// Fixed format sense data after the first line (SPC-5 4.4.3).
fn fixed_format(out: &mut Vec<u8>, header: Sense, sense: &[u8]) -> io::Result<()> {
    let Some(&flags) = sense.get(2) else {
        return writeln!(
            out,
            " fixed descriptor length too short, len={}",
            sense.len()
        );
    };
    sense_data_overflow(out, flags & 0x10 != 0)?;
    if sense.len() > 12 {
        additional_sense(out, header)?;
        if (header.asc, header.ascq) == (0x00, 0x1d) {
            return ata_pass_through(out, header.key, sense);
        }
    }
    information_and_flags(out, sense, flags)?;
    if let Some(&code) = sense.get(14).filter(|&&code| code != 0) {
        writeln!(out, "  Field replaceable unit code: {code}")?;
    }
    match field::<3>(sense, 15) {
        Some(bytes @ [flags, ..]) if flags & 0x80 != 0 => {
            fixed_sense_key_specific(out, SenseKeySpecific::parse(header.key, bytes))
        }
        _ => Ok(()),
    }
}

/// The VALID bit, the INFORMATION field and the FILEMARK, EOM and ILI bits share a line.
fn information_and_flags(out: &mut Vec<u8>, sense: &[u8], flags: u8) -> io::Result<()> {
    let valid = sense.first().is_some_and(|byte| byte & 0x80 != 0);
    let information = field(sense, 3)
        .map(u32::from_be_bytes)
        .filter(|&information| valid || information != 0);
    if let Some(information) = information {
        let not_valid = if valid { "" } else { "Valid=0, " };
        write!(
            out,
            "  {not_valid}Info fld=0x{information:x} [{information}] "
        )?;
    }
    for (mask, name) in [(0x80, " FMK"), (0x40, " EOM"), (0x20, " ILI")] {
        if flags & mask != 0 {
            write!(out, "{name}")?;
        }
    }
    if valid || information.is_some() || flags & 0xe0 != 0 {
        writeln!(out)?;
    }
    Ok(())
}

/// The SENSE KEY SPECIFIC field as fixed format shows it.
fn fixed_sense_key_specific(out: &mut Vec<u8>, field: SenseKeySpecific) -> io::Result<()> {
    match field {
        SenseKeySpecific::FieldPointer { command, byte, bit } => {
            write!(out, "  Sense Key Specific: ")?;
            field_pointer(out, command, byte, bit)
        }
        SenseKeySpecific::ActualRetryCount(count) => {
            writeln!(out, "  Actual retry count: 0x{count:04x}")
        }
        SenseKeySpecific::ProgressIndication(progress) => {
            let (percent, hundredths) = percentage(progress);
            writeln!(out, "  Progress indication: {percent}.{hundredths:02}%")
        }
        SenseKeySpecific::SegmentPointer {
            segment_descriptor,
            byte,
            bit,
        } => {
            write!(out, "  Segment pointer: ")?;
            segment_pointer(out, segment_descriptor, byte, bit)
        }
        SenseKeySpecific::UnitAttentionConditionQueue { overflow } => {
            write!(out, "  Unit attention condition queue: ")?;
            overflow_flag(out, overflow)
        }
        SenseKeySpecific::Undefined(key) => unexpected_sense_key(out, "  ", key),
    }
}

fn field_pointer(out: &mut Vec<u8>, command: bool, byte: u16, bit: Option<u8>) -> io::Result<()> {
    let place = if command {
        "Command"
    } else {
        "Data parameters"
    };
    write!(out, "Error in {place}: ")?;
    byte_and_bit(out, byte, bit)
}

fn segment_pointer(
    out: &mut Vec<u8>,
    segment_descriptor: bool,
    byte: u16,
    bit: Option<u8>,
) -> io::Result<()> {
    let place = if segment_descriptor {
        "segment descriptor"
    } else {
        "parameter list"
    };
    write!(out, "Relative to start of {place}, ")?;
    byte_and_bit(out, byte, bit)
}

fn byte_and_bit(out: &mut Vec<u8>, byte: u16, bit: Option<u8>) -> io::Result<()> {
    write!(out, "byte {byte}")?;
    if let Some(bit) = bit {
        write!(out, " bit {bit}")?;
    }
    writeln!(out)
}

fn overflow_flag(out: &mut Vec<u8>, overflow: bool) -> io::Result<()> {
    writeln!(out, "overflow flag is {}", u8::from(overflow))
}

fn unexpected_sense_key(out: &mut Vec<u8>, indent: &str, key: SenseKey) -> io::Result<()> {
    writeln!(out, "{indent}Sense_key: 0x{:x} unexpected", key.0)
}

/// A PROGRESS INDICATION field, which counts up to 65 536, in whole percent and
/// hundredths of a percent.
fn percentage(progress: u16) -> (u32, u32) {
    let scaled = u32::from(progress) * 100;
    (scaled / 0x1_0000, scaled % 0x1_0000 / 656)
}

/// What an ATA device reported. It takes the place of the INFORMATION and
/// COMMAND-SPECIFIC INFORMATION fields of fixed format sense data (SAT-4 12.2.2.7).
fn ata_pass_through(out: &mut Vec<u8>, key: SenseKey, sense: &[u8]) -> io::Result<()> {
    let (Some(information), Some(command_specific)) = (field(sense, 3), field(sense, 8)) else {
        return Ok(());
    };
    let [error, status, device, count] = information;
    let [flags, low, mid, high] = command_specific;
    // A plus sign stands for bytes that did not fit and are not 0.
    let more = |mask| if flags & mask != 0 { '+' } else { ' ' };
    if key != SenseKey::RECOVERED_ERROR {
        writeln!(out, "  >> expected Sense key: Recovered Error ??")?;
    }
    writeln!(
        out,
        "  error=0x{error:x}, status=0x{status:x}, device=0x{device:x}, count(7:0)=0x{count:x}{}",
        more(0x40)
    )?;
    writeln!(
        out,
        "  extend={}, log_index=0x{:x}, lba_high,mid,low(7:0)=0x{high:x},0x{mid:x},0x{low:x}{}",
        flags >> 7,
        flags & 0x0f,
        more(0x20)
    )
}

/// Sense data as SCSI-1 had it; nothing that is made today sends it.
fn non_extended(out: &mut Vec<u8>, sense: &[u8]) -> io::Result<()> {
    let Some([code, high, mid, low]) = field(sense, 0) else {
        return Ok(());
    };
    let valid = code & 0x80 != 0;
    writeln!(out, "Probably uninitialized data.")?;
    writeln!(out, "  Try to view as SCSI-1 non-extended sense:")?;
    writeln!(
        out,
        "  AdValid={}  Error class={}  Error code={}",
        u8::from(valid),
        code >> 4 & 0x07,
        code & 0x0f
    )?;
    if valid {
        let address = u32::from_be_bytes([0, high & 0x1f, mid, low]);
        writeln!(out, "  lba=0x{address:x}")?;
    }
    writeln!(out)
}

/// The bytes of the sense data, as far as it says it goes and as they came.
fn raw_bytes(out: &mut Vec<u8>, sense: &[u8]) -> io::Result<()> {
    write!(out, " Raw sense data (in hex), sb_len={}", sense.len())?;
    let mut shown = sense;
    if let [0x70..=0x73, _, _, _, _, _, _, additional_length, ..] = sense {
        write!(
            out,
            ", calculated_len={}",
            usize::from(*additional_length) + 8
        )?;
        shown = within_additional_length(sense);
    }
    writeln!(out)?;
    out.write_all(hex_rows::lead_in("        ", shown).as_bytes())
}

/// The field of `N` bytes at `offset`, if all of it came.
fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words(sense: &[u8]) -> String {
        String::from_utf8(describe(sense, false)).unwrap()
    }

    fn with_raw(sense: &[u8]) -> String {
        String::from_utf8(describe(sense, true)).unwrap()
    }

    /// Fixed format with every field set.
    const FIXED: &[u8] =
        b"\xf0\x01\xf5\x11\x22\x33\x44\x0a\x55\x66\x77\x88\x26\x04\x07\xcf\x12\x34";

    #[test]
    fn fixed_format_with_every_field() {
        assert_eq!(
            words(FIXED),
            "Fixed format, current; Sense key: Illegal Request\n\
             <<<Sense data overflow (SDAT_OVFL)>>>\n\
             Additional sense: Invalid release of persistent reservation\n  \
             Info fld=0x11223344 [287454020]  FMK EOM ILI\n  \
             Field replaceable unit code: 7\n  \
             Sense Key Specific: Error in Command: byte 4660 bit 7\n"
        );
    }

    #[test]
    fn fixed_format_cut_anywhere() {
        const NO_SENSE: &str = "Fixed format, current; Sense key: No Sense\n";
        const HEADER: &str = "Fixed format, current; Sense key: Illegal Request\n\
                              <<<Sense data overflow (SDAT_OVFL)>>>\n";
        const LIST: &str = "Additional sense: Invalid field in parameter list\n";
        const RELEASE: &str = "Additional sense: Invalid release of persistent reservation\n";
        const FLAGS: &str = " FMK EOM ILI\n";
        const INFORMATION: &str = "  Info fld=0x11223344 [287454020]  FMK EOM ILI\n";
        const UNIT: &str = "  Field replaceable unit code: 7\n";
        for end in 0..FIXED.len() {
            let expected = match end {
                0 => " >>> sense buffer empty\n".to_owned(),
                1 | 2 => format!("{NO_SENSE} fixed descriptor length too short, len={end}\n"),
                3..=6 => format!("{HEADER}{FLAGS}"),
                7..=12 => format!("{HEADER}{INFORMATION}"),
                13 => format!("{HEADER}{LIST}{INFORMATION}"),
                14 => format!("{HEADER}{RELEASE}{INFORMATION}"),
                _ => format!("{HEADER}{RELEASE}{INFORMATION}{UNIT}"),
            };
            assert_eq!(words(&FIXED[..end]), expected, "{end} bytes");
        }
    }

    #[test]
    fn fixed_format_information_line() {
        for (valid, flags, information, expected) in [
            (0x70, 0x05, 0x00, ""),
            (0x70, 0x05, 0x0a, "  Valid=0, Info fld=0xa [10] \n"),
            (0xf0, 0x05, 0x00, "  Info fld=0x0 [0] \n"),
            (0xf0, 0x25, 0x0a, "  Info fld=0xa [10]  ILI\n"),
            (0x70, 0x45, 0x00, " EOM\n"),
            (0x70, 0xa5, 0x0a, "  Valid=0, Info fld=0xa [10]  FMK ILI\n"),
        ] {
            let sense = [valid, 0, flags, 0, 0, 0, information, 0];
            let header = "Fixed format, current; Sense key: Illegal Request\n";
            assert_eq!(words(&sense), format!("{header}{expected}"));
        }
        // VALID without the field it speaks of leaves an empty line.
        assert_eq!(
            words(b"\xf1\x00\x06\x00"),
            "Fixed format, <<<deferred>>>; Sense key: Unit Attention\n\n"
        );
    }

    #[test]
    fn fixed_format_sense_key_specific() {
        for (key, flags, expected) in [
            (0x0, 0x80, "  Progress indication: 7.11%\n"),
            (0x1, 0x80, "  Actual retry count: 0x1234\n"),
            (0x2, 0x80, "  Progress indication: 7.11%\n"),
            (0x3, 0x80, "  Actual retry count: 0x1234\n"),
            (0x4, 0x80, "  Actual retry count: 0x1234\n"),
            (
                0x5,
                0x80,
                "  Sense Key Specific: Error in Data parameters: byte 4660\n",
            ),
            (
                0x6,
                0x81,
                "  Unit attention condition queue: overflow flag is 1\n",
            ),
            (
                0x6,
                0x80,
                "  Unit attention condition queue: overflow flag is 0\n",
            ),
            (0x7, 0x80, "  Sense_key: 0x7 unexpected\n"),
            (
                0xa,
                0xa8,
                "  Segment pointer: Relative to start of segment descriptor, byte 4660 bit 0\n",
            ),
            (
                0xa,
                0x80,
                "  Segment pointer: Relative to start of parameter list, byte 4660\n",
            ),
            (0xf, 0xff, "  Sense_key: 0xf unexpected\n"),
            (0x5, 0x7f, ""),
        ] {
            let mut sense = *b"\x70\0\0\0\0\0\0\x0a\0\0\0\0\x24\0\0\0\x12\x34";
            sense[2] = key;
            sense[15] = flags;
            let text = words(&sense);
            let (_, last) = text.split_once("Invalid field in cdb\n").unwrap();
            assert_eq!(last, expected);
        }
    }

    #[test]
    fn fixed_format_ends_with_the_additional_sense_length() {
        let mut sense = FIXED.to_vec();
        sense[7] = 6;
        let text = words(&sense);
        assert!(text.contains("Additional sense: Invalid release of persistent reservation\n"));
        assert!(!text.contains("Field replaceable unit"));
        sense[7] = 4;
        assert!(!words(&sense).contains("Additional sense"));
    }

    #[test]
    fn ata_pass_through_information() {
        const REST: &str = "  error=0x11, status=0x22, device=0x33, count(7:0)=0x44+\n  \
                            extend=1, log_index=0xa, lba_high,mid,low(7:0)=0x88,0x77,0x66+\n";
        let sense = b"\xf0\0\x01\x11\x22\x33\x44\x0a\xea\x66\x77\x88\x00\x1d\x07\xff\x12\x34";
        assert_eq!(
            words(sense),
            format!(
                "Fixed format, current; Sense key: Recovered Error\n\
                 Additional sense: ATA pass through information available\n{REST}"
            )
        );
        let mut sense = *sense;
        sense[2] = 0x05;
        assert_eq!(
            words(&sense),
            format!(
                "Fixed format, current; Sense key: Illegal Request\n\
                 Additional sense: ATA pass through information available\n  \
                 >> expected Sense key: Recovered Error ??\n{REST}"
            )
        );
        sense[8] = 0x0a;
        let text = words(&sense);
        assert!(text.contains("count(7:0)=0x44 \n  extend=0,"));
        assert!(text.ends_with("0x88,0x77,0x66 \n"));
    }

    #[test]
    fn codes_that_are_not_assigned() {
        for (asc, ascq, expected) in [
            (0x85, 0x81, "vendor specific ASC=85, ASCQ=81 (hex)\n"),
            (
                0x24,
                0x85,
                "ASC=24, vendor specific qualification ASCQ=85 (hex)\n",
            ),
            (0x7f, 0x1a, "ASC=7f, ASCQ=1a (hex)\n"),
        ] {
            let header = "Descriptor format, current; Sense key: Illegal Request\n";
            let text = words(&[0x72, 0x05, asc, ascq]);
            assert_eq!(text, format!("{header}{expected}"));
        }
    }

    #[test]
    fn descriptor_format_cut_anywhere() {
        let sense = b"\x73\xf6\x2a\x03\x80\0\0\x04\x03\x02\0\x07";
        for end in 1..=sense.len() {
            let key = if end > 1 {
                "Unit Attention"
            } else {
                "No Sense"
            };
            let overflow = if end > 4 {
                "<<<Sense data overflow (SDAT_OVFL)>>>\n"
            } else {
                ""
            };
            let code = match end {
                1 | 2 => "No additional sense information",
                3 => "Parameters changed",
                _ => "Reservations preempted",
            };
            let descriptor = match end {
                0..=8 => "",
                9 => {
                    "Field replaceable unit code:    >> descriptor too short\n    short descriptor\n"
                }
                10 => "Field replaceable unit code:    >> descriptor too short\n",
                11 => "Field replaceable unit code:    >> descriptor too short\n    00 \n",
                _ => "Field replaceable unit code: 0x7\n",
            };
            let name = if end > 8 { "  Descriptor type: " } else { "" };
            assert_eq!(
                words(&sense[..end]),
                format!(
                    "Descriptor format, <<<deferred>>>; Sense key: {key}\n\
                     {overflow}Additional sense: {code}\n{name}{descriptor}"
                ),
                "{end} bytes"
            );
        }
    }

    #[test]
    fn descriptors_end_with_the_additional_sense_length() {
        let text = words(b"\x72\x05\x24\0\0\0\0\x04\x03\x02\0\x07\x80\x01\xaa");
        assert!(text.ends_with("Field replaceable unit code: 0x7\n"));
    }

    #[test]
    fn other_response_codes() {
        for sense in [&b"\x00\0\0"[..], b"\x7f\x01\x02", b"\x81\x12\x34"] {
            assert_eq!(words(sense), "sense buffer too short (4 byte minimum)\n");
        }
        assert_eq!(
            words(b"\x7f\x01\x02\x03\x04\x05"),
            "Vendor specific sense buffer, in hex:\n7f 01 02 03 04 05\n"
        );
        assert_eq!(
            words(b"\xf4\xff\x34\x56"),
            "Probably uninitialized data.\n  \
             Try to view as SCSI-1 non-extended sense:\n  \
             AdValid=1  Error class=7  Error code=4\n  \
             lba=0x1f3456\n\n"
        );
        assert_eq!(
            words(b"\x21\x12\x34\x56"),
            "Probably uninitialized data.\n  \
             Try to view as SCSI-1 non-extended sense:\n  \
             AdValid=0  Error class=2  Error code=1\n\n"
        );
    }

    #[test]
    fn raw_bytes_follow() {
        let text = with_raw(b"\x72\x05\x24\0\0\0\0\0");
        assert_eq!(
            text,
            "Descriptor format, current; Sense key: Illegal Request\n\
             Additional sense: Invalid field in cdb\n \
             Raw sense data (in hex), sb_len=8, calculated_len=8\n        \
             72 05 24 00 00 00 00 00\n"
        );
        let text = with_raw(b"\x70\x00");
        assert!(text.ends_with(" Raw sense data (in hex), sb_len=2\n        70 00\n"));
        // The length is worked out only where the first byte is the response code alone.
        let text = with_raw(b"\xf0\0\x05\0\0\0\0\x0a");
        assert!(
            text.ends_with("(in hex), sb_len=8\n        f0 00 05 00 00 00 00 0a\n"),
            "{text}"
        );
        assert_eq!(with_raw(b""), words(b""));
        assert_eq!(with_raw(b"\x7f\x01\x02\x03"), words(b"\x7f\x01\x02\x03"));
    }

    #[test]
    fn raw_bytes_are_those_that_came_and_no_more() {
        let text = with_raw(b"\x70\0\x05\0\0\0\0\x30\xaa");
        assert!(
            text.ends_with("sb_len=9, calculated_len=56\n        70 00 05 00 00 00 00 30  aa\n")
        );
        let text = with_raw(b"\x70\0\x05\0\0\0\0\x01\xaa\xbb");
        assert!(
            text.ends_with("sb_len=10, calculated_len=9\n        70 00 05 00 00 00 00 01  aa\n")
        );
    }

    #[test]
    fn any_bytes_make_whole_lines() {
        for code in 0..=0xff {
            for filler in [0x00, 0x0c, 0x0e, 0x41, 0xff] {
                let mut sense = [filler; 300];
                sense[0] = code;
                for end in [0, 1, 2, 3, 4, 7, 8, 9, 13, 18, 64, 252, 300] {
                    for raw in [false, true] {
                        assert_eq!(describe(&sense[..end], raw).last(), Some(&b'\n'));
                    }
                }
            }
        }
    }
}
