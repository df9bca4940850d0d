//! The sense data descriptors (SPC-5 4.4.2), each in its own lines.

use std::io::{self, Write};

use super::designator::designator;
use super::{
    field, field_pointer, overflow_flag, percentage, segment_pointer, unexpected_sense_key,
    write_sense,
};
use crate::nvme::status::NvmeStatus;
use crate::scsi::sense::{SenseKey, SenseKeySpecific};
use crate::scsi::status::ScsiStatus;

/// Whether a descriptor has been put into words; if not, its bytes are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Words,
    Bytes,
}

/// The descriptors in `list`; `key` says what SENSE KEY SPECIFIC fields mean.
pub(super) fn list(out: &mut Vec<u8>, key: SenseKey, mut list: &[u8]) -> io::Result<()> {
    while let [descriptor_type, rest @ ..] = list {
        let claimed = rest.first().map_or(1, |&length| usize::from(length) + 2);
        let (descriptor, others) = list.split_at(claimed.min(list.len()));
        write!(out, "  Descriptor type: ")?;
        let shown = one(out, key, *descriptor_type, descriptor)?;
        if shown == Shown::Bytes || descriptor.len() < 2 {
            bytes(out, descriptor)?;
        }
        list = others;
    }
    Ok(())
}

fn one(out: &mut Vec<u8>, key: SenseKey, descriptor_type: u8, d: &[u8]) -> io::Result<Shown> {
    match descriptor_type {
        0x00 => information(out, d),
        0x01 => command_specific_information(out, d),
        0x02 => sense_key_specific(out, key, d),
        0x03 => field_replaceable_unit(out, d),
        0x04 => stream_commands(out, d),
        0x05 => block_commands(out, d),
        0x06 => bytes_follow(out, "OSD object identification"),
        0x07 => bytes_follow(out, "OSD response integrity check value"),
        0x08 => bytes_follow(out, "OSD attribute identification"),
        0x09 => ata_status_return(out, d),
        0x0a => another_progress_indication(out, d),
        0x0b => user_data_segment_referral(out, d),
        0x0c => forwarded_sense_data(out, d),
        0x0d => direct_access_block_device(out, key, d),
        0x0e => device_designation(out, d),
        0x0f => microcode_activation(out, d),
        0xde => nvme_status(out, d),
        0x80.. => bytes_follow(out, &format!("Vendor specific [0x{descriptor_type:x}]")),
        _ => bytes_follow(out, &format!("Unknown [0x{descriptor_type:x}]")),
    }
}

/// The bytes of a descriptor after its type and length.
fn bytes(out: &mut Vec<u8>, descriptor: &[u8]) -> io::Result<()> {
    let Some(contents) = descriptor.get(2..) else {
        return writeln!(out, "    short descriptor");
    };
    for row in contents.chunks(24) {
        write!(out, "    ")?;
        for byte in row {
            write!(out, "{byte:02x} ")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn bytes_follow(out: &mut Vec<u8>, name: &str) -> io::Result<Shown> {
    writeln!(out, "{name}")?;
    Ok(Shown::Bytes)
}

fn too_short(out: &mut Vec<u8>) -> io::Result<Shown> {
    writeln!(out, "   >> descriptor too short")?;
    Ok(Shown::Bytes)
}

/// The information sense data descriptor (SPC-5 4.4.2.2).
fn information(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "Information: ")?;
    let (Some([flags]), Some(value)) = (field(d, 2), field(d, 4)) else {
        return too_short(out);
    };
    if flags & 0x80 == 0 {
        write!(out, "Valid=0 (-> vendor specific) ")?;
    }
    writeln!(out, "0x{:016x}", u64::from_be_bytes(value))?;
    Ok(Shown::Words)
}

/// The command-specific information sense data descriptor (SPC-5 4.4.2.3).
fn command_specific_information(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "Command specific: ")?;
    let Some(value) = field(d, 4) else {
        return too_short(out);
    };
    writeln!(out, "0x{:016x}", u64::from_be_bytes(value))?;
    Ok(Shown::Words)
}

/// The sense key specific sense data descriptor (SPC-5 4.4.2.4).
fn sense_key_specific(out: &mut Vec<u8>, key: SenseKey, d: &[u8]) -> io::Result<Shown> {
    /// The descriptor with its reserved byte.
    const SIZE: usize = 8;
    write!(out, "Sense key specific: ")?;
    match field(d, 4).filter(|_| d.len() >= SIZE) {
        Some(bytes) => sense_key_specific_field(out, SenseKeySpecific::parse(key, bytes)),
        None => sense_key_specific_cut(out, key, d),
    }
}

/// The SENSE KEY SPECIFIC field as descriptors show it.
fn sense_key_specific_field(out: &mut Vec<u8>, field: SenseKeySpecific) -> io::Result<Shown> {
    match field {
        SenseKeySpecific::FieldPointer { command, byte, bit } => {
            write!(out, "Field pointer:\n        ")?;
            field_pointer(out, command, byte, bit)?;
        }
        SenseKeySpecific::ActualRetryCount(count) => {
            writeln!(out, "Actual retry count: {count}")?;
        }
        SenseKeySpecific::ProgressIndication(progress) => {
            let (percent, hundredths) = percentage(progress);
            writeln!(out, "Progress indication: {percent}.{hundredths:02}%")?;
        }
        SenseKeySpecific::SegmentPointer {
            segment_descriptor,
            byte,
            bit,
        } => {
            write!(out, "Segment pointer:\n        ")?;
            segment_pointer(out, segment_descriptor, byte, bit)?;
        }
        SenseKeySpecific::UnitAttentionConditionQueue { overflow } => {
            write!(out, "Unit attention condition queue:\n        ")?;
            overflow_flag(out, overflow)?;
        }
        SenseKeySpecific::Undefined(key) => {
            unexpected_sense_key(out, "", key)?;
            return Ok(Shown::Bytes);
        }
    }
    Ok(Shown::Words)
}

/// A sense key specific descriptor that ends before the end of its field.
fn sense_key_specific_cut(out: &mut Vec<u8>, key: SenseKey, d: &[u8]) -> io::Result<Shown> {
    let flags = d.get(4).copied();
    match SenseKeySpecific::parse(key, [flags.unwrap_or_default(), 0, 0]) {
        SenseKeySpecific::FieldPointer { .. } => write!(out, "Field pointer: ")?,
        SenseKeySpecific::ActualRetryCount(_) => write!(out, "Actual retry count: ")?,
        SenseKeySpecific::ProgressIndication(_) => write!(out, "Progress indication: ")?,
        SenseKeySpecific::SegmentPointer { .. } => writeln!(out, "Segment pointer:")?,
        // The flag needs no more than the first byte of the field.
        whole @ SenseKeySpecific::UnitAttentionConditionQueue { .. } if flags.is_some() => {
            return sense_key_specific_field(out, whole);
        }
        SenseKeySpecific::UnitAttentionConditionQueue { .. } => {
            write!(out, "Unit attention condition queue: ")?;
        }
        undefined @ SenseKeySpecific::Undefined(_) => {
            return sense_key_specific_field(out, undefined);
        }
    }
    too_short(out)
}

/// The field replaceable unit sense data descriptor (SPC-5 4.4.2.5).
fn field_replaceable_unit(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "Field replaceable unit code: ")?;
    let Some(code) = d.get(3) else {
        return too_short(out);
    };
    writeln!(out, "0x{code:x}")?;
    Ok(Shown::Words)
}

/// The stream commands sense data descriptor (SSC-5).
fn stream_commands(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "Stream commands: ")?;
    let Some(flags) = d.get(3) else {
        return too_short(out);
    };
    for (mask, name) in [
        (0x80, "FILEMARK"),
        (0x40, "End Of Medium (EOM)"),
        (0x20, "Incorrect Length Indicator (ILI)"),
    ] {
        if flags & mask != 0 {
            write!(out, "{name}")?;
        }
    }
    writeln!(out)?;
    Ok(Shown::Words)
}

/// The block commands sense data descriptor (SBC-4).
fn block_commands(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "Block commands: ")?;
    let Some(flags) = d.get(3) else {
        return too_short(out);
    };
    let state = set_or_clear(flags & 0x20 != 0);
    writeln!(out, "Incorrect Length Indicator (ILI) {state}")?;
    Ok(Shown::Words)
}

/// The ATA status return sense data descriptor (SAT-4 12.2.2.6).
fn ata_status_return(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "ATA Status Return: ")?;
    // The bytes of the 48-bit registers come in pairs, the later one (7:0) is
    // the one that 28-bit commands have.
    let Some([flags, error, registers @ ..]) = field::<12>(d, 2) else {
        return too_short(out);
    };
    let [c1, c0, l3, l0, l4, l1, l5, l2, device, status] = registers;
    let extend = flags & 0x01 != 0;
    writeln!(out, "extend={} error=0x{error:x} ", u8::from(extend))?;
    let (count, address) = if extend {
        (
            u16::from_be_bytes([c1, c0]),
            format!("{l5:02x}{l4:02x}{l3:02x}{l2:02x}{l1:02x}{l0:02x}"),
        )
    } else {
        (u16::from(c0), format!("{l2:02x}{l1:02x}{l0:02x}"))
    };
    writeln!(
        out,
        "        count=0x{count:x} lba=0x{address} device=0x{device:x} status=0x{status:x}"
    )?;
    Ok(Shown::Words)
}

/// The another progress indication sense data descriptor (SPC-5 4.4.2.6).
fn another_progress_indication(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "Another progress indication: ")?;
    let (Some([key, asc, ascq]), Some(progress)) = (field(d, 2), field(d, 6)) else {
        return too_short(out);
    };
    let (percent, hundredths) = percentage(u16::from_be_bytes(progress));
    // The digits 02 do not belong there; they stay because this text has always had them.
    writeln!(out, "{percent}.02{hundredths}%")?;
    writeln!(
        out,
        "        [sense_key=0x{key:x} asc,ascq=0x{asc:x},0x{ascq:x}]"
    )?;
    Ok(Shown::Words)
}

/// The user data segment referral sense data descriptor (SBC-4 4.27.3).
fn user_data_segment_referral(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "User data segment referral: ")?;
    let (Some([flags, _]), Some(mut referrals)) = (field(d, 2), d.get(4..)) else {
        return too_short(out);
    };
    writeln!(out, "\n   Not all referrals: {}", flags & 0x01)?;
    let mut number = 1;
    // Fewer than four bytes do not make a header; they are padding.
    while referrals.len() > 4 {
        writeln!(out, "    Descriptor {number}")?;
        let Some(size) = user_data_segment(out, referrals)? else {
            writeln!(out, "      truncated descriptor, stop")?;
            break;
        };
        referrals = referrals.get(size..).unwrap_or_default();
        number += 1;
    }
    Ok(Shown::Words)
}

/// A user data segment referral descriptor at the start of `d`; returns its size, or
/// `None` if it ends early.
fn user_data_segment(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Option<usize>> {
    let (Some([count]), Some(first), Some(last)) = (field(d, 3), field(d, 4), field(d, 12)) else {
        return Ok(None);
    };
    let size = 20 + 4 * usize::from(u8::from_be_bytes([count]));
    let Some(groups) = d.get(20..size) else {
        return Ok(None);
    };
    writeln!(
        out,
        "      first uds LBA: 0x{:x}",
        u64::from_be_bytes(first)
    )?;
    writeln!(out, "      last uds LBA:  0x{:x}", u64::from_be_bytes(last))?;
    for group in groups.chunks_exact(4) {
        target_port_group(out, group)?;
    }
    Ok(Some(size))
}

/// A target port group and its asymmetric access state (SPC-5 5.15.2).
fn target_port_group(out: &mut Vec<u8>, d: &[u8]) -> io::Result<()> {
    let &[flags, _, high, low] = d else {
        return Ok(());
    };
    let group = u16::from_be_bytes([high, low]);
    let state = match flags & 0x0f {
        0x0 => "active/optimized",
        0x1 => "active/non optimized",
        0x2 => "standby",
        0x3 => "unavailable",
        0xe => "offline",
        0xf => "transitioning between states",
        other => return writeln!(out, "        tpg: {group}  state: unknown: 0x{other:x}"),
    };
    writeln!(out, "        tpg: {group}  state: {state}")
}

/// The forwarded sense data descriptor (SPC-5 4.4.2.7): sense data in sense data.
///
/// It may hold another such descriptor, but each is at least twelve bytes shorter than
/// the one around it, and the outermost has 257 at most, so the recursion is shallow.
fn forwarded_sense_data(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    writeln!(out, "Forwarded sense data")?;
    let (Some([flags, status]), Some(sense)) = (field(d, 2), d.get(4..)) else {
        return too_short(out);
    };
    writeln!(out, "    FSDT: {}", set_or_clear(flags & 0x80 != 0))?;
    write!(out, "    Sense data source: ")?;
    match flags & 0x0f {
        0 => writeln!(out, "Extended copy command source device")?,
        device @ 1..=7 => writeln!(
            out,
            "Extended copy command destination device {}",
            device - 1
        )?,
        other => writeln!(out, "unknown [{other}]")?,
    }
    let status = ScsiStatus(status).without_vendor_bits();
    writeln!(out, "    Forwarded status: {}", status_name(status))?;
    if !sense.is_empty() {
        writeln!(out, " vvvvvvvvvvvvvvvv")?;
        write_sense(out, sense, false)?;
        writeln!(out, "\n ^^^^^^^^^^^^^^^^")?;
    }
    Ok(Shown::Words)
}

fn status_name(status: ScsiStatus) -> String {
    match status {
        ScsiStatus::GOOD => "Good",
        ScsiStatus::CHECK_CONDITION => "Check Condition",
        ScsiStatus::CONDITION_MET => "Condition Met",
        ScsiStatus::BUSY => "Busy",
        ScsiStatus::INTERMEDIATE => "Intermediate (obsolete)",
        ScsiStatus::INTERMEDIATE_CONDITION_MET => "Intermediate-Condition Met (obsolete)",
        ScsiStatus::RESERVATION_CONFLICT => "Reservation Conflict",
        ScsiStatus::COMMAND_TERMINATED => "Command terminated (obsolete)",
        ScsiStatus::TASK_SET_FULL => "Task Set Full",
        ScsiStatus::ACA_ACTIVE => "ACA Active",
        ScsiStatus::TASK_ABORTED => "Task Aborted",
        ScsiStatus(other) => return format!("Unknown status [0x{other:x}]"),
    }
    .to_owned()
}

/// The direct-access block device sense data descriptor (SBC-4 4.18.5): what else
/// would take an information, a command-specific information, a sense key specific,
/// a field replaceable unit and a block commands descriptor.
fn direct_access_block_device(out: &mut Vec<u8>, key: SenseKey, d: &[u8]) -> io::Result<Shown> {
    /// The descriptor with the reserved bytes at its end.
    const SIZE: usize = 30;
    writeln!(out, "Direct-access block device")?;
    let (Some([flags, _, sks_flags, sks_high, sks_low, unit]), Some(information), Some(command)) =
        (field(d, 2), field(d, 8), field(d, 16))
    else {
        return too_short(out);
    };
    if d.len() < SIZE {
        return too_short(out);
    }
    let mut shown = Shown::Words;
    if flags & 0x20 != 0 {
        writeln!(out, "    ILI (incorrect length indication) set")?;
    }
    if sks_flags & 0x80 != 0 {
        write!(out, "    Sense key specific: ")?;
        let bytes = [sks_flags, sks_high, sks_low];
        shown = sense_key_specific_field(out, SenseKeySpecific::parse(key, bytes))?;
    }
    writeln!(out, "    Field replaceable unit code: 0x{unit:x}")?;
    if flags & 0x80 != 0 {
        let information = u64::from_be_bytes(information);
        writeln!(out, "    Information: 0x{information:016x}")?;
    }
    let command = u64::from_be_bytes(command);
    writeln!(out, "    Command specific: 0x{command:016x}")?;
    Ok(shown)
}

/// The device designation sense data descriptor (SPC-5 4.4.2.9).
fn device_designation(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    writeln!(out, "Device designation")?;
    write!(out, "    Usage reason: ")?;
    match d.get(3).copied().unwrap_or_default() {
        0 => writeln!(out, "Unknown")?,
        1 => writeln!(out, "resend this and further commands to:")?,
        2 => writeln!(out, "resend this command to:")?,
        3 => writeln!(out, "new subsidiary lu added to this administrative lu:")?,
        4 => writeln!(
            out,
            "administrative lu associated with a preferred binding:"
        )?,
        other => writeln!(out, "reserved[{other}]")?,
    }
    match d.get(4..).and_then(<[u8]>::split_first_chunk) {
        Some((header, rest)) => designator(out, *header, rest)?,
        // The length counts from where the designation descriptor starts.
        None => writeln!(
            out,
            "  designator desc too short: got length of {} want 4 or more",
            i64::try_from(d.len().max(2)).map_or(i64::MAX, |length| length - 4)
        )?,
    }
    Ok(Shown::Words)
}

/// The microcode activation sense data descriptor (SPC-5 4.4.2.10).
fn microcode_activation(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "Microcode activation ")?;
    let Some(seconds) = field(d, 6) else {
        return too_short(out);
    };
    match u16::from_be_bytes(seconds) {
        0 => writeln!(out, "time: unknown")?,
        seconds => writeln!(out, "time: {seconds} seconds")?,
    }
    Ok(Shown::Words)
}

/// A vendor specific descriptor with which a translator passes on the status that an
/// NVMe controller returned.
fn nvme_status(out: &mut Vec<u8>, d: &[u8]) -> io::Result<Shown> {
    write!(out, "NVMe Status: ")?;
    let Some([flags, high, low]) = field(d, 5) else {
        return too_short(out);
    };
    let status = u16::from_be_bytes([high, low]);
    writeln!(
        out,
        "DNR={}, M={}, SCT_SC=0x{status:x}",
        flags >> 7,
        flags >> 6 & 0x01
    )?;
    if status != 0 {
        writeln!(out, "    {}", NvmeStatus::listed_name(status))?;
    }
    Ok(Shown::Words)
}

const fn set_or_clear(bit: bool) -> &'static str {
    if bit { "set" } else { "clear" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The text of a list of descriptors without what is the same for all of them.
    fn text_for(key: SenseKey, descriptors: &[u8]) -> String {
        let mut out = Vec::new();
        list(&mut out, key, descriptors).unwrap();
        String::from_utf8(out)
            .unwrap()
            .replace("  Descriptor type: ", "")
    }

    fn text(descriptors: &[u8]) -> String {
        text_for(SenseKey::ILLEGAL_REQUEST, descriptors)
    }

    /// Every descriptor that ends before byte `size` must be called too short, and
    /// its bytes be shown.
    fn assert_too_short_below(size: usize, descriptor: &[u8]) {
        for end in 2..size {
            let text = text(&descriptor[..end]);
            let (_, bytes) = text
                .split_once("   >> descriptor too short\n")
                .unwrap_or_else(|| panic!("{end} bytes: {text}"));
            let shown = bytes.split_ascii_whitespace().count();
            assert_eq!(shown, end - 2, "{end} bytes");
        }
        assert!(!text(&descriptor[..size]).contains("too short"));
    }

    #[test]
    fn information_descriptor() {
        let valid = b"\x00\x0a\x80\0\x11\x22\x33\x44\x55\x66\x77\x88";
        assert_eq!(text(valid), "Information: 0x1122334455667788\n");
        let vendor = b"\x00\x0a\x7f\0\x01\x22\x33\x44\x55\x66\x77\x88";
        assert_eq!(
            text(vendor),
            "Information: Valid=0 (-> vendor specific) 0x0122334455667788\n"
        );
        assert_too_short_below(12, valid);
    }

    #[test]
    fn command_specific_descriptor() {
        let descriptor = b"\x01\x0a\0\0\x08\x77\x66\x55\x44\x33\x22\x11";
        assert_eq!(text(descriptor), "Command specific: 0x0877665544332211\n");
        assert_too_short_below(12, descriptor);
    }

    #[test]
    fn sense_key_specific_descriptor() {
        for (key, expected) in [
            (0x0, "Progress indication: 7.11%\n"),
            (0x1, "Actual retry count: 4660\n"),
            (0x2, "Progress indication: 7.11%\n"),
            (0x3, "Actual retry count: 4660\n"),
            (0x4, "Actual retry count: 4660\n"),
            (
                0x5,
                "Field pointer:\n        Error in Command: byte 4660 bit 7\n",
            ),
            (
                0x6,
                "Unit attention condition queue:\n        overflow flag is 1\n",
            ),
            (0x7, "Sense_key: 0x7 unexpected\n    00 00 ff 12 34 00 \n"),
            (
                0xa,
                "Segment pointer:\n        \
                 Relative to start of segment descriptor, byte 4660 bit 7\n",
            ),
        ] {
            let text = text_for(SenseKey(key), b"\x02\x06\0\0\xff\x12\x34\0");
            assert_eq!(text, format!("Sense key specific: {expected}"));
        }
    }

    #[test]
    fn sense_key_specific_descriptor_cut() {
        let descriptor = b"\x02\x06\0\0\xcf\x00\x01\0";
        assert_too_short_below(8, descriptor);
        for (key, expected) in [
            (
                0x0,
                "Progress indication:    >> descriptor too short\n    00 00 \n",
            ),
            (
                0x1,
                "Actual retry count:    >> descriptor too short\n    00 00 \n",
            ),
            (
                0x5,
                "Field pointer:    >> descriptor too short\n    00 00 \n",
            ),
            (
                0x6,
                "Unit attention condition queue:    >> descriptor too short\n    00 00 \n",
            ),
            (0x7, "Sense_key: 0x7 unexpected\n    00 00 \n"),
            (
                0xa,
                "Segment pointer:\n   >> descriptor too short\n    00 00 \n",
            ),
        ] {
            let text = text_for(SenseKey(key), &descriptor[..4]);
            assert_eq!(text, format!("Sense key specific: {expected}"));
        }
        assert_eq!(
            text_for(SenseKey::UNIT_ATTENTION, b"\x02\x03\0\0\x81"),
            "Sense key specific: Unit attention condition queue:\n        overflow flag is 1\n"
        );
    }

    #[test]
    fn small_descriptors() {
        for (descriptor, expected) in [
            (b"\x03\x02\x11\x0f", "Field replaceable unit code: 0xf\n"),
            (
                b"\x04\x02\x11\xff",
                "Stream commands: FILEMARKEnd Of Medium (EOM)Incorrect Length Indicator (ILI)\n",
            ),
            (b"\x04\x02\xff\x1f", "Stream commands: \n"),
            (
                b"\x05\x02\x11\x20",
                "Block commands: Incorrect Length Indicator (ILI) set\n",
            ),
            (
                b"\x05\x02\xff\xdf",
                "Block commands: Incorrect Length Indicator (ILI) clear\n",
            ),
        ] {
            assert_eq!(text(descriptor), expected);
            assert_too_short_below(4, descriptor);
        }
    }

    #[test]
    fn descriptors_shown_as_bytes() {
        for (descriptor_type, name) in [
            (0x06, "OSD object identification"),
            (0x07, "OSD response integrity check value"),
            (0x08, "OSD attribute identification"),
            (0x10, "Unknown [0x10]"),
            (0x7f, "Unknown [0x7f]"),
            (0x80, "Vendor specific [0x80]"),
            (0xff, "Vendor specific [0xff]"),
        ] {
            let text = text(&[descriptor_type, 2, 0xaa, 0x0b]);
            assert_eq!(text, format!("{name}\n    aa 0b \n"));
        }
    }

    #[test]
    fn bytes_stand_twenty_four_to_a_line() {
        let full = "aa ".repeat(24);
        for (length, expected) in [
            (0, String::new()),
            (24, format!("    {full}\n")),
            (25, format!("    {full}\n    aa \n")),
            (48, format!("    {full}\n    {full}\n")),
        ] {
            let mut descriptor = vec![0xaa; usize::from(length) + 2];
            descriptor[0] = 0x80;
            descriptor[1] = length;
            assert_eq!(
                text(&descriptor),
                format!("Vendor specific [0x80]\n{expected}")
            );
        }
    }

    #[test]
    fn descriptors_follow_one_another() {
        assert_eq!(
            text(b"\x03\x02\0\x07\x80\x01\xaa\x05\x02\0\x20"),
            "Field replaceable unit code: 0x7\n\
             Vendor specific [0x80]\n    aa \n\
             Block commands: Incorrect Length Indicator (ILI) set\n"
        );
        // One that claims more than there is ends where the list ends.
        assert_eq!(
            text(b"\x00\xff\x80\x00\x11\x22"),
            "Information:    >> descriptor too short\n    80 00 11 22 \n"
        );
        assert_eq!(
            text(b"\x03\x02\0\x07\x80"),
            "Field replaceable unit code: 0x7\nVendor specific [0x80]\n    short descriptor\n"
        );
    }

    #[test]
    fn ata_status_return_descriptor() {
        let extended = b"\x09\x0c\x01\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb";
        assert_eq!(
            text(extended),
            "ATA Status Return: extend=1 error=0x11 \n        \
             count=0x2233 lba=0x886644997755 device=0xaa status=0xbb\n"
        );
        let short = b"\x09\x0c\xfe\x11\x22\x33\x44\x05\x66\x07\x88\x09\xaa\xbb";
        assert_eq!(
            text(short),
            "ATA Status Return: extend=0 error=0x11 \n        \
             count=0x33 lba=0x090705 device=0xaa status=0xbb\n"
        );
        assert_too_short_below(14, extended);
    }

    #[test]
    fn another_progress_indication_has_a_stray_02() {
        let descriptor = b"\x0a\x06\x02\x04\x0a\xff\x80\x00";
        assert_eq!(
            text(descriptor),
            "Another progress indication: 50.020%\n        \
             [sense_key=0x2 asc,ascq=0x4,0xa]\n"
        );
        assert_too_short_below(8, descriptor);
    }

    #[test]
    fn user_data_segment_referral_descriptor() {
        let descriptor = b"\x0b\x36\x01\0\
            \xff\xff\xff\x02\0\0\0\0\0\0\x12\x34\0\0\0\0\0\0\x56\x78\
            \xf1\x22\x01\x02\xff\x22\xff\xff\
            \xff\xff\xff\x01\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\
            \x05\0\0\x07";
        let first = "User data segment referral: \n   Not all referrals: 1\n    \
             Descriptor 1\n      \
             first uds LBA: 0x1234\n      \
             last uds LBA:  0x5678\n        \
             tpg: 258  state: active/non optimized\n        \
             tpg: 65535  state: transitioning between states\n";
        let second = "    Descriptor 2\n      \
             first uds LBA: 0x100000002\n      \
             last uds LBA:  0x300000004\n        \
             tpg: 7  state: unknown: 0x5\n";
        let truncated = "      truncated descriptor, stop\n";
        assert_eq!(text(descriptor), format!("{first}{second}"));
        assert_too_short_below(4, descriptor);
        for end in 4..descriptor.len() {
            let found = text(&descriptor[..end]);
            let (head, _) = first.split_once("    Descriptor").unwrap();
            match end {
                4..=8 => assert_eq!(found, head, "{end} bytes"),
                9..=31 => assert_eq!(found, format!("{head}    Descriptor 1\n{truncated}")),
                32..=36 => assert_eq!(found, first, "{end} bytes"),
                _ => assert_eq!(found, format!("{first}    Descriptor 2\n{truncated}")),
            }
        }
    }

    #[test]
    fn asymmetric_access_states() {
        for (state, name) in [
            (0x0, "active/optimized"),
            (0x1, "active/non optimized"),
            (0x2, "standby"),
            (0x3, "unavailable"),
            (0xe, "offline"),
            (0xf, "transitioning between states"),
            (0x4, "unknown: 0x4"),
        ] {
            let mut out = Vec::new();
            target_port_group(&mut out, &[0xf0 | state, 0xff, 0x01, 0x00]).unwrap();
            let expected = format!("        tpg: 256  state: {name}\n");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn forwarded_sense_data_descriptor() {
        let descriptor = b"\x0c\x14\x82\x19\x70\0\x05\0\0\0\0\x0a\0\0\0\0\x24\0\0\0\0\0";
        assert_eq!(
            text(descriptor),
            "Forwarded sense data\n    \
             FSDT: set\n    \
             Sense data source: Extended copy command destination device 1\n    \
             Forwarded status: Reservation Conflict\n \
             vvvvvvvvvvvvvvvv\n\
             Fixed format, current; Sense key: Illegal Request\n\
             Additional sense: Invalid field in cdb\n\n \
             ^^^^^^^^^^^^^^^^\n"
        );
        assert_too_short_below(4, descriptor);
        assert_eq!(
            text(b"\x0c\x02\x78\x76"),
            "Forwarded sense data\n    FSDT: clear\n    Sense data source: unknown [8]\n    \
             Forwarded status: Unknown status [0x76]\n"
        );
        let source = text(b"\x0c\x02\xf0\x02");
        assert!(source.contains("Sense data source: Extended copy command source device\n"));
    }

    #[test]
    fn forwarded_statuses() {
        for (status, name) in [
            (0x00, "Good"),
            (0x02, "Check Condition"),
            (0x04, "Condition Met"),
            (0x08, "Busy"),
            (0x10, "Intermediate (obsolete)"),
            (0x14, "Intermediate-Condition Met (obsolete)"),
            (0x18, "Reservation Conflict"),
            (0x22, "Command terminated (obsolete)"),
            (0x28, "Task Set Full"),
            (0x30, "ACA Active"),
            (0x40, "Task Aborted"),
            (0xff, "Unknown status [0x7e]"),
        ] {
            let text = text(&[0x0c, 0x02, 0x00, status]);
            assert!(text.ends_with(&format!("    Forwarded status: {name}\n")));
        }
    }

    #[test]
    fn forwarded_sense_data_nests_as_deep_as_it_fits() {
        let mut sense = b"\x72\x05\x24\0\0\0\0\0".to_vec();
        let mut depth = 0;
        while let Ok(length) = u8::try_from(sense.len() + 4) {
            let mut outer = vec![
                0x72,
                0x05,
                0x24,
                0,
                0,
                0,
                0,
                length,
                0x0c,
                length - 2,
                0x80,
                2,
            ];
            outer.append(&mut sense);
            sense = outer;
            depth += 1;
        }
        assert_eq!(depth, 21);
        let text = text(&sense[8..]);
        assert_eq!(text.matches("Forwarded sense data\n").count(), depth);
        assert_eq!(text.matches(" ^^^^^^^^^^^^^^^^\n").count(), depth);
    }

    #[test]
    fn direct_access_block_device_descriptor() {
        let descriptor = b"\x0d\x1c\xa0\0\xcf\0\x01\x07\
            \x01\x22\x33\x44\x55\x66\x77\x88\x09\xaa\xbb\xcc\xdd\xee\xff\0\0\0\0\0\0\0";
        let unit_and_numbers = "    Field replaceable unit code: 0x7\n    \
             Information: 0x0122334455667788\n    \
             Command specific: 0x09aabbccddeeff00\n";
        assert_eq!(
            text(descriptor),
            format!(
                "Direct-access block device\n    \
                 ILI (incorrect length indication) set\n    \
                 Sense key specific: Field pointer:\n        \
                 Error in Command: byte 1 bit 7\n{unit_and_numbers}"
            )
        );
        assert_too_short_below(30, descriptor);

        let bytes: String = descriptor[2..]
            .iter()
            .map(|b| format!("{b:02x} "))
            .collect();
        let (first, second) = bytes.split_at(24 * 3);
        assert_eq!(
            text_for(SenseKey::DATA_PROTECT, descriptor),
            format!(
                "Direct-access block device\n    \
                 ILI (incorrect length indication) set\n    \
                 Sense key specific: Sense_key: 0x7 unexpected\n\
                 {unit_and_numbers}    {first}\n    {second}\n"
            )
        );

        let mut nothing_valid = *descriptor;
        nothing_valid[2] = 0x5f;
        nothing_valid[4] = 0x7f;
        assert_eq!(
            text(&nothing_valid),
            "Direct-access block device\n    \
             Field replaceable unit code: 0x7\n    \
             Command specific: 0x09aabbccddeeff00\n"
        );
    }

    #[test]
    fn device_designation_descriptor() {
        for (reason, expected) in [
            (0, "Unknown"),
            (1, "resend this and further commands to:"),
            (2, "resend this command to:"),
            (3, "new subsidiary lu added to this administrative lu:"),
            (4, "administrative lu associated with a preferred binding:"),
            (5, "reserved[5]"),
            (255, "reserved[255]"),
        ] {
            let descriptor = [0x0e, 0x08, 0xff, reason, 0x01, 0x02, 0x00, 0x02, 0xaa, 0x0b];
            assert_eq!(
                text(&descriptor),
                format!(
                    "Device designation\n    Usage reason: {expected}\n    \
                     Addressed logical unit:\n      \
                     designator type: EUI-64 based,  code set: Binary\n        \
                     << expect 8, 12 and 16 byte EUI, got 2 >>\n  aa 0b\n"
                )
            );
        }
    }

    #[test]
    fn device_designation_descriptor_cut_anywhere() {
        let descriptor = b"\x0e\x0e\0\x01\x01\x02\x00\x08\x11\x22\x33\x44\x55\x66\x77\x88";
        let short = |length: i32| {
            format!("  designator desc too short: got length of {length} want 4 or more\n")
        };
        for end in 1..descriptor.len() {
            let reason = if end > 3 {
                "resend this and further commands to:"
            } else {
                "Unknown"
            };
            let expected = match end {
                1 => short(-2) + "    short descriptor\n",
                2 => short(-2),
                3 => short(-1),
                4 => short(0),
                5 => short(1),
                6 => short(2),
                7 => short(3),
                _ => format!(
                    "  designator too long: says it is 8 bytes, but given {} bytes\n",
                    end - 8
                ),
            };
            let header = format!("Device designation\n    Usage reason: {reason}\n");
            assert_eq!(text(&descriptor[..end]), header + &expected);
        }
    }

    #[test]
    fn microcode_activation_descriptor() {
        let descriptor = b"\x0f\x06\x11\x22\x33\x44\x01\x02";
        assert_eq!(text(descriptor), "Microcode activation time: 258 seconds\n");
        assert_too_short_below(8, descriptor);
        assert_eq!(
            text(b"\x0f\x06\xff\xff\xff\xff\0\0"),
            "Microcode activation time: unknown\n"
        );
    }

    #[test]
    fn nvme_status_descriptor() {
        let descriptor = b"\xde\x06\x11\x22\x33\x80\x00\x83";
        assert_eq!(
            text(descriptor),
            "NVMe Status: DNR=1, M=0, SCT_SC=0x83\n    Reservation conflict\n"
        );
        assert_too_short_below(8, descriptor);
        for (flags, status, expected) in [
            (
                0x40,
                0x0002,
                "DNR=0, M=1, SCT_SC=0x2\n    Invalid field in command\n",
            ),
            (
                0x3f,
                0x4018,
                "DNR=0, M=0, SCT_SC=0x4018\n    Host identifier inconsistent format\n",
            ),
            (
                0xff,
                0xffff,
                "DNR=1, M=1, SCT_SC=0xffff\n    Reserved [0xffff]\n",
            ),
            (0x00, 0x0000, "DNR=0, M=0, SCT_SC=0x0\n"),
        ] {
            let [high, low] = u16::to_be_bytes(status);
            let text = text(&[0xde, 0x06, 0, 0, 0, flags, high, low]);
            assert_eq!(text, format!("NVMe Status: {expected}"));
        }
        // As a translator makes it.
        let sense = NvmeStatus(0x4286).sense(SenseKey::ILLEGAL_REQUEST, 0x20, 0x02);
        assert_eq!(
            text(&sense[8..]),
            "NVMe Status: DNR=1, M=0, SCT_SC=0x286\n    Access denied\n"
        );
    }
}
