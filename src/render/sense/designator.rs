//! The name of a logical unit, target port or target device, as in the Device
//! Identification VPD page (SPC-5 7.7.6).

use std::io::{self, Write};

use super::field;
use crate::render::hex_rows;

/// What rows of bytes start with.
const LEAD_IN: &str = "  ";

/// The CODE SET field (SPC-5 7.7.6.1).
#[derive(Clone, Copy, PartialEq, Eq)]
struct CodeSet(u8);

impl CodeSet {
    const BINARY: Self = Self(1);
    const ASCII: Self = Self(2);
    const UTF_8: Self = Self(3);
}

/// The ASSOCIATION field (SPC-5 7.7.6.1).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Association(u8);

impl Association {
    const LOGICAL_UNIT: Self = Self(0);
    const TARGET_PORT: Self = Self(1);
    const TARGET_DEVICE: Self = Self(2);
}

/// A designation descriptor without its length.
struct Designator<'a> {
    protocol: u8,
    protocol_valid: bool,
    code_set: CodeSet,
    association: Association,
    designator_type: u8,
    bytes: &'a [u8],
}

/// Describes a designation descriptor (SPC-5 7.7.6.1): its first four bytes and what
/// comes after them, of which only as much as its length says belongs to it.
pub(super) fn designator(out: &mut Vec<u8>, header: [u8; 4], rest: &[u8]) -> io::Result<()> {
    let [codes, types, _, length] = header;
    let Some(bytes) = rest.get(..usize::from(length)) else {
        return writeln!(
            out,
            "  designator too long: says it is {length} bytes, but given {} bytes",
            rest.len()
        );
    };
    let designator = Designator {
        protocol: codes >> 4,
        protocol_valid: types & 0x80 != 0,
        code_set: CodeSet(codes & 0x0f),
        association: Association(types >> 4 & 0x03),
        designator_type: types & 0x0f,
        bytes,
    };
    designator.header(out)?;
    designator.name(out)
}

impl Designator<'_> {
    /// What kind of name it is, and of what.
    fn header(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.association {
            Association::LOGICAL_UNIT => writeln!(out, "    Addressed logical unit:")?,
            Association::TARGET_PORT => writeln!(out, "    Target port:")?,
            Association::TARGET_DEVICE => {
                writeln!(out, "    Target device that contains addressed lu:")?;
            }
            Association(other) => writeln!(out, "    Reserved [0x{other:x}]:")?,
        }
        write!(out, "      designator type: ")?;
        match self.designator_type {
            0x0 => write!(out, "Vendor specific [0x0]")?,
            0x1 => write!(out, "T10 vendor identification")?,
            0x2 => write!(out, "EUI-64 based")?,
            0x3 => write!(out, "NAA")?,
            0x4 => write!(out, "Relative target port")?,
            0x5 => write!(out, "Target port group")?,
            0x6 => write!(out, "Logical unit group")?,
            0x7 => write!(out, "MD5 logical unit identifier")?,
            0x8 => write!(out, "SCSI name string")?,
            0x9 => write!(out, "Protocol specific port identifier")?,
            0xa => write!(out, "UUID identifier")?,
            other => write!(out, "Reserved [0x{other:x}]")?,
        }
        write!(out, ",  code set: ")?;
        match self.code_set {
            CodeSet::BINARY => writeln!(out, "Binary")?,
            CodeSet::ASCII => writeln!(out, "ASCII")?,
            CodeSet::UTF_8 => writeln!(out, "UTF-8")?,
            CodeSet(other) => writeln!(out, "Reserved [0x{other:x}]")?,
        }
        let of_the_target = matches!(
            self.association,
            Association::TARGET_PORT | Association::TARGET_DEVICE
        );
        if self.protocol_valid && of_the_target {
            writeln!(out, "       transport: {}", protocol_name(self.protocol))?;
        }
        Ok(())
    }

    /// The name itself.
    fn name(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.designator_type {
            0x0 => self.vendor_specific(out),
            0x1 => self.t10_vendor_id(out),
            0x2 => self.eui_64(out),
            0x3 => self.naa(out),
            0x4 => self.relative_target_port(out),
            0x5 => self.target_port_group(out),
            0x6 => self.logical_unit_group(out),
            0x7 => self.md5(out),
            0x8 => self.scsi_name_string(out),
            0x9 => self.protocol_specific(out),
            0xa => self.uuid(out),
            other => {
                writeln!(out, "        reserved designator=0x{other:x}")?;
                self.rows(out)
            }
        }
    }

    /// A vendor specific designator (SPC-5 7.7.6.3).
    fn vendor_specific(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let may_be_text = matches!(self.code_set, CodeSet::BINARY | CodeSet::ASCII);
        if may_be_text && matches!(self.bytes, [0x20..=0x7e, ..]) {
            write!(out, "        vendor specific: ")?;
            text(out, self.bytes)
        } else {
            writeln!(out, "        vendor specific:")?;
            self.rows_with_characters(out)
        }
    }

    /// A T10 vendor ID based designator (SPC-5 7.7.6.4).
    fn t10_vendor_id(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let (vendor, rest) = self.bytes.split_at(self.bytes.len().min(8));
        write!(out, "        vendor id: ")?;
        text(out, vendor)?;
        if rest.is_empty() {
            return Ok(());
        }
        write!(out, "        vendor specific: ")?;
        if self.is_text() {
            text(out, rest)
        } else {
            number(out, rest)
        }
    }

    /// An EUI-64 based designator (SPC-5 7.7.6.5).
    fn eui_64(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.bytes.len() {
            8 | 12 | 16 => self.number(out),
            length => {
                writeln!(
                    out,
                    "        << expect 8, 12 and 16 byte EUI, got {length} >>"
                )?;
                self.rows(out)
            }
        }
    }

    /// An NAA designator (SPC-5 7.7.6.6).
    fn naa(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let length = self.bytes.len();
        let naa = self.bytes.first().copied().unwrap_or_default() >> 4;
        if self.code_set != CodeSet::BINARY {
            let code_set = self.code_set.0;
            writeln!(out, "        << unexpected code set {code_set} for NAA >>")?;
            return self.rows(out);
        }
        match (naa, length) {
            (2 | 3 | 5, 8) | (6, 16) => return self.number(out),
            (2 | 3 | 5 | 6, _) => writeln!(
                out,
                "        << unexpected NAA {naa} identifier length: 0x{length:x} >>"
            )?,
            _ => writeln!(out, "        << unexpected NAA [0x{naa:x}] >>")?,
        }
        self.rows(out)
    }

    /// A relative target port designator (SPC-5 7.7.6.7).
    fn relative_target_port(&self, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(port) = self.number_in_four(Association::TARGET_PORT) {
            return writeln!(out, "        Relative target port: 0x{port:x}");
        }
        writeln!(
            out,
            "        << expected binary code_set, target port association, length 4 >>"
        )?;
        self.rows_without_lead_in(out)
    }

    /// A target port group designator (SPC-5 7.7.6.8).
    fn target_port_group(&self, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(group) = self.number_in_four(Association::TARGET_PORT) {
            return writeln!(out, "        Target port group: 0x{group:x}");
        }
        writeln!(
            out,
            "        << expected binary code_set, target port association, length 4 >>"
        )?;
        self.rows(out)
    }

    /// A logical unit group designator (SPC-5 7.7.6.9).
    fn logical_unit_group(&self, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(group) = self.number_in_four(Association::LOGICAL_UNIT) {
            return writeln!(out, "        Logical unit group: 0x{group:x}");
        }
        writeln!(
            out,
            "        << expected binary code_set, logical unit association, length 4 >>"
        )?;
        self.rows(out)
    }

    /// An MD5 logical unit identifier (SPC-5 7.7.6.10).
    fn md5(&self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.code_set == CodeSet::BINARY && self.association == Association::LOGICAL_UNIT {
            writeln!(out, "        MD5 logical unit identifier:")?;
            return self.rows(out);
        }
        writeln!(
            out,
            "        << expected binary code_set, logical unit association >>"
        )?;
        self.rows_without_lead_in(out)
    }

    /// A SCSI name string (SPC-5 7.7.6.11).
    fn scsi_name_string(&self, out: &mut Vec<u8>) -> io::Result<()> {
        if !self.is_text() {
            writeln!(out, "        << expected UTF-8 code_set >>")?;
            return self.rows_with_characters(out);
        }
        write!(out, "        SCSI name string:\n        ")?;
        text(out, self.bytes)
    }

    /// A protocol specific port identifier (SPC-5 7.7.6.12).
    fn protocol_specific(&self, out: &mut Vec<u8>) -> io::Result<()> {
        if !self.protocol_valid {
            writeln!(
                out,
                "         >>>> Protocol specific port identifier expects protocol"
            )?;
            writeln!(out, "            identifier to be valid and it is not")?;
        }
        match (self.protocol, self.bytes) {
            (0x9, [address, _, interface, ..]) => {
                writeln!(out, "        USB device address: 0x{:x}", address & 0x7f)?;
                writeln!(out, "        USB interface number: 0x{interface:x}")
            }
            (0xa, [bus, function, ..]) => {
                writeln!(out, "        PCIe routing ID, bus number: 0x{bus:x}")?;
                writeln!(out, "            function number: 0x{function:x}")?;
                writeln!(
                    out,
                    "            [or device number: 0x{:x}, function number: 0x{:x}]",
                    function >> 3,
                    function & 0x07
                )
            }
            (0x9 | 0xa, short) => {
                let length = short.len();
                writeln!(
                    out,
                    "        << Protocol specific port identifier too short: {length} >>"
                )?;
                self.rows(out)
            }
            (other, _) => {
                let name = protocol_name(other);
                writeln!(out, "        >>>> unexpected protocol identifier: {name}")?;
                writeln!(out, "             with Protocol specific port identifier")
            }
        }
    }

    /// A UUID (SPC-5 7.7.6.13).
    fn uuid(&self, out: &mut Vec<u8>) -> io::Result<()> {
        /// UUID TYPE: assigned by the device, not by a network address.
        const LOCALLY_ASSIGNED: u8 = 1;
        if self.code_set != CodeSet::BINARY {
            writeln!(out, "        << expected binary code_set >>")?;
            return self.rows_with_characters(out);
        }
        let (&[uuid_type, _, ref uuid @ ..], 18) = (self.bytes, self.bytes.len()) else {
            return self.unexpected_uuid(out);
        };
        if uuid_type >> 4 != LOCALLY_ASSIGNED {
            return self.unexpected_uuid(out);
        }
        write!(out, "        Locally assigned UUID: ")?;
        for (position, byte) in uuid.iter().enumerate() {
            let dash = if matches!(position, 4 | 6 | 8 | 10) {
                "-"
            } else {
                ""
            };
            write!(out, "{dash}{byte:02x}")?;
        }
        writeln!(out)
    }

    fn unexpected_uuid(&self, out: &mut Vec<u8>) -> io::Result<()> {
        writeln!(
            out,
            "        << expected locally assigned UUID, 16 bytes long >>"
        )?;
        self.rows_with_characters(out)
    }

    /// Whether the code set is one of characters.
    fn is_text(&self) -> bool {
        matches!(self.code_set, CodeSet::ASCII | CodeSet::UTF_8)
    }

    /// The number at the end of a four-byte binary designator that belongs to `association`.
    fn number_in_four(&self, association: Association) -> Option<u16> {
        let expected = self.code_set == CodeSet::BINARY
            && self.association == association
            && self.bytes.len() == 4;
        expected
            .then(|| field(self.bytes, 2).map(u16::from_be_bytes))
            .flatten()
    }

    fn number(&self, out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "        ")?;
        number(out, self.bytes)
    }

    fn rows(&self, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(hex_rows::lead_in(LEAD_IN, self.bytes).as_bytes())
    }

    fn rows_without_lead_in(&self, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(hex_rows::plain(self.bytes).as_bytes())
    }

    fn rows_with_characters(&self, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(hex_rows::lead_in_ascii(LEAD_IN, self.bytes).as_bytes())
    }
}

/// `bytes` as one hexadecimal number, and the end of the line.
fn number(out: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    write!(out, "0x")?;
    for byte in bytes {
        write!(out, "{byte:02x}")?;
    }
    writeln!(out)
}

/// `bytes` up to the first NUL as they are, and the end of the line.
fn text(out: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    let end = bytes.iter().position(|&byte| byte == 0);
    out.write_all(&bytes[..end.unwrap_or(bytes.len())])?;
    writeln!(out)
}

/// The name of a PROTOCOL IDENTIFIER (SPC-5 7.6.1).
fn protocol_name(protocol: u8) -> String {
    match protocol {
        0x0 => "Fibre Channel Protocol for SCSI (FCP-5)",
        0x1 => "SCSI Parallel Interface (SPI-5)",
        0x2 => "Serial Storage Architecture SCSI-3 Protocol (SSA-S3P)",
        0x3 => "Serial Bus Protocol for IEEE 1394 (SBP-3)",
        0x4 => "SCSI RDMA Protocol (SRP)",
        0x5 => "Internet SCSI (iSCSI)",
        0x6 => "Serial Attached SCSI Protocol (SPL-4)",
        0x7 => "Automation/Drive Interface Transport (ADT-2)",
        0x8 => "AT Attachment Interface (ACS-2)",
        0x9 => "USB Attached SCSI (UAS-2)",
        0xa => "SCSI over PCI Express (SOP)",
        0xb => "PCIe",
        0xf => "No specific protocol",
        other => return format!("Ox{other:x}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bytes_of(d: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let (header, rest) = d.split_first_chunk().unwrap();
        designator(&mut out, *header, rest).unwrap();
        out
    }

    /// The lines after the one that names type and code set.
    fn name(codes: u8, types: u8, bytes: &[u8]) -> String {
        let length = u8::try_from(bytes.len()).unwrap();
        let mut d = vec![codes, types, 0xff, length];
        d.extend_from_slice(bytes);
        let text = String::from_utf8(bytes_of(&d)).unwrap();
        text.splitn(3, '\n').last().unwrap().to_owned()
    }

    #[test]
    fn header_lines() {
        for (codes, types, expected) in [
            (
                0x51,
                0x82,
                "    Addressed logical unit:\n      designator type: EUI-64 based,  code set: Binary\n",
            ),
            (
                0x52,
                0x93,
                "    Target port:\n      designator type: NAA,  code set: ASCII\n       \
                 transport: Internet SCSI (iSCSI)\n",
            ),
            (
                0x63,
                0xab,
                "    Target device that contains addressed lu:\n      \
                 designator type: Reserved [0xb],  code set: UTF-8\n       \
                 transport: Serial Attached SCSI Protocol (SPL-4)\n",
            ),
            (
                0x64,
                0xb7,
                "    Reserved [0x3]:\n      \
                 designator type: MD5 logical unit identifier,  code set: Reserved [0x4]\n",
            ),
            (
                0x50,
                0x10,
                "    Target port:\n      \
                 designator type: Vendor specific [0x0],  code set: Reserved [0x0]\n",
            ),
        ] {
            let text = String::from_utf8(bytes_of(&[codes, types, 0, 0])).unwrap();
            assert!(text.starts_with(expected), "{text}");
        }
        for (designator_type, expected) in [
            (0x1, "T10 vendor identification"),
            (0x4, "Relative target port"),
            (0x5, "Target port group"),
            (0x6, "Logical unit group"),
            (0x8, "SCSI name string"),
            (0x9, "Protocol specific port identifier"),
            (0xa, "UUID identifier"),
        ] {
            let text = String::from_utf8(bytes_of(&[0x01, designator_type, 0, 0])).unwrap();
            assert!(text.contains(&format!("designator type: {expected},  code set")));
        }
    }

    #[test]
    fn protocols() {
        for (protocol, expected) in [
            (0x0, "Fibre Channel Protocol for SCSI (FCP-5)"),
            (0x1, "SCSI Parallel Interface (SPI-5)"),
            (0x2, "Serial Storage Architecture SCSI-3 Protocol (SSA-S3P)"),
            (0x3, "Serial Bus Protocol for IEEE 1394 (SBP-3)"),
            (0x4, "SCSI RDMA Protocol (SRP)"),
            (0x5, "Internet SCSI (iSCSI)"),
            (0x6, "Serial Attached SCSI Protocol (SPL-4)"),
            (0x7, "Automation/Drive Interface Transport (ADT-2)"),
            (0x8, "AT Attachment Interface (ACS-2)"),
            (0x9, "USB Attached SCSI (UAS-2)"),
            (0xa, "SCSI over PCI Express (SOP)"),
            (0xb, "PCIe"),
            (0xc, "Oxc"),
            (0xf, "No specific protocol"),
        ] {
            assert_eq!(protocol_name(protocol), expected);
        }
    }

    #[test]
    fn the_length_is_checked() {
        assert_eq!(
            bytes_of(b"\x01\x02\0\x08\x11\x22\x33\x44\x55\x66\x77"),
            b"  designator too long: says it is 8 bytes, but given 7 bytes\n"
        );
        // What comes after it does not belong to it.
        let text = bytes_of(b"\x01\x02\0\x08\x11\x22\x33\x44\x55\x66\x77\x88\x99");
        assert!(text.ends_with(b"Binary\n        0x1122334455667788\n"));
    }

    #[test]
    fn vendor_specific_designator() {
        for codes in [0x01, 0x02] {
            assert_eq!(
                name(codes, 0x00, b"A\nb\0c"),
                "        vendor specific: A\nb\n"
            );
        }
        for (codes, bytes) in [(0x01, b"\x1fA"), (0x03, b"BA"), (0x00, b"~A")] {
            let rows = hex_rows::lead_in_ascii("  ", bytes);
            assert_eq!(
                name(codes, 0x00, bytes),
                format!("        vendor specific:\n{rows}")
            );
        }
    }

    #[test]
    fn t10_vendor_id_designator() {
        for (codes, bytes, expected) in [
            (0x02, &b"ACME"[..], "        vendor id: ACME\n"),
            (
                0x02,
                b"ACME    disk",
                "        vendor id: ACME    \n        vendor specific: disk\n",
            ),
            (
                0x03,
                b"ACME\0\0\0\0disk\0xy",
                "        vendor id: ACME\n        vendor specific: disk\n",
            ),
            (
                0x01,
                b"ACMEACME\x01\xab",
                "        vendor id: ACMEACME\n        vendor specific: 0x01ab\n",
            ),
        ] {
            assert_eq!(name(codes, 0x01, bytes), expected);
        }
        assert!(bytes_of(b"\x02\x01\0\x02\xc3\xff").ends_with(b"vendor id: \xc3\xff\n"));
    }

    #[test]
    fn eui_64_designator() {
        let bytes: Vec<u8> = (0x01..=0x11).collect();
        for (length, number) in [
            (8, "0x0102030405060708"),
            (12, "0x0102030405060708090a0b0c"),
            (16, "0x0102030405060708090a0b0c0d0e0f10"),
        ] {
            let expected = format!("        {number}\n");
            assert_eq!(name(0x01, 0x02, &bytes[..length]), expected);
        }
        for length in [0, 1, 7, 9, 11, 13, 15, 17] {
            let rows = hex_rows::lead_in("  ", &bytes[..length]);
            let complaint = format!("        << expect 8, 12 and 16 byte EUI, got {length} >>\n");
            assert_eq!(name(0x01, 0x02, &bytes[..length]), complaint + &rows);
        }
    }

    #[test]
    fn naa_designator() {
        let mut bytes: Vec<u8> = (0x01..=0x11).collect();
        for (naa, right) in [(2, 8), (3, 8), (5, 8), (6, 16)] {
            bytes[0] = naa << 4 | 0x01;
            for length in 1..=bytes.len() {
                let rows = hex_rows::lead_in("  ", &bytes[..length]);
                let expected = match length {
                    8 if right == 8 => format!("        0x{naa}102030405060708\n"),
                    16 if right == 16 => {
                        format!("        0x{naa}102030405060708090a0b0c0d0e0f10\n")
                    }
                    _ => format!(
                        "        << unexpected NAA {naa} identifier length: 0x{length:x} >>\n{rows}"
                    ),
                };
                assert_eq!(name(0x01, 0x03, &bytes[..length]), expected);
            }
        }
        assert_eq!(
            name(0x01, 0x03, b"\xf1\x02"),
            "        << unexpected NAA [0xf] >>\n  f1 02\n"
        );
        assert_eq!(
            name(0x01, 0x03, b""),
            "        << unexpected NAA [0x0] >>\n"
        );
        assert_eq!(
            name(0x02, 0x03, b"\x51\x02\x03\x04\x05\x06\x07\x08"),
            "        << unexpected code set 2 for NAA >>\n  51 02 03 04 05 06 07 08\n"
        );
    }

    #[test]
    fn ports_and_groups() {
        let number = b"\xff\xff\x12\x34";
        assert_eq!(
            name(0x01, 0x14, number),
            "        Relative target port: 0x1234\n"
        );
        assert_eq!(
            name(0x01, 0x15, number),
            "        Target port group: 0x1234\n"
        );
        assert_eq!(
            name(0x01, 0x06, number),
            "        Logical unit group: 0x1234\n"
        );

        let port = "        << expected binary code_set, target port association, length 4 >>\n";
        let unit = "        << expected binary code_set, logical unit association, length 4 >>\n";
        for (codes, types) in [(0x02, 0x10), (0x01, 0x00), (0x01, 0x20)] {
            let relative = name(codes, types | 0x04, number);
            assert_eq!(relative, format!("{port}ff ff 12 34\n"));
            let group = name(codes, types | 0x05, number);
            assert_eq!(group, format!("{port}  ff ff 12 34\n"));
        }
        for (codes, types) in [(0x02, 0x06), (0x01, 0x16), (0x01, 0x26)] {
            assert_eq!(name(codes, types, number), format!("{unit}  ff ff 12 34\n"));
        }
        for short in 0..4 {
            let rows = hex_rows::plain(&number[..short]);
            assert_eq!(name(0x01, 0x14, &number[..short]), format!("{port}{rows}"));
        }
    }

    #[test]
    fn md5_designator() {
        let row = "01 02";
        assert_eq!(
            name(0x01, 0x07, b"\x01\x02"),
            format!("        MD5 logical unit identifier:\n  {row}\n")
        );
        for (codes, types) in [(0x02, 0x07), (0x01, 0x17)] {
            assert_eq!(
                name(codes, types, b"\x01\x02"),
                format!(
                    "        << expected binary code_set, logical unit association >>\n{row}\n"
                )
            );
        }
    }

    #[test]
    fn scsi_name_string_designator() {
        for codes in [0x02, 0x03] {
            assert_eq!(
                name(codes, 0x08, b"iqn.1993-08.org:a\0\0\0"),
                "        SCSI name string:\n        iqn.1993-08.org:a\n"
            );
        }
        assert_eq!(
            name(0x01, 0x08, b""),
            "        << expected UTF-8 code_set >>\n"
        );
    }

    #[test]
    fn protocol_specific_designator() {
        let transport = "       transport: USB Attached SCSI (UAS-2)\n";
        assert_eq!(
            name(0x91, 0x99, b"\xff\x00\x0b\x00"),
            format!(
                "{transport}        USB device address: 0x7f\n        USB interface number: 0xb\n"
            )
        );
        assert_eq!(
            name(0xa1, 0x89, b"\x31\x32"),
            "        PCIe routing ID, bus number: 0x31\n            function number: 0x32\n            \
             [or device number: 0x6, function number: 0x2]\n"
        );
        assert_eq!(
            name(0x51, 0x09, b"\x01"),
            "         >>>> Protocol specific port identifier expects protocol\n            \
             identifier to be valid and it is not\n        \
             >>>> unexpected protocol identifier: Internet SCSI (iSCSI)\n             \
             with Protocol specific port identifier\n"
        );
        for (codes, needed) in [(0x91, 3), (0xa1, 2)] {
            for length in 0..needed {
                let bytes = [0x11; 3];
                let rows = hex_rows::lead_in("  ", &bytes[..length]);
                assert_eq!(
                    name(codes, 0x89, &bytes[..length]),
                    format!(
                        "        << Protocol specific port identifier too short: {length} >>\n{rows}"
                    )
                );
            }
        }
    }

    #[test]
    fn uuid_designator() {
        let uuid = b"\x1f\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
        assert_eq!(
            name(0x01, 0x0a, uuid),
            "        Locally assigned UUID: 01020304-0506-0708-090a-0b0c0d0e0f10\n"
        );
        let unexpected = "        << expected locally assigned UUID, 16 bytes long >>\n";
        for length in 0..uuid.len() {
            let rows = hex_rows::lead_in_ascii("  ", &uuid[..length]);
            let expected = format!("{unexpected}{rows}");
            assert_eq!(name(0x01, 0x0a, &uuid[..length]), expected);
        }
        let mut other = *uuid;
        other[0] = 0x20;
        assert!(name(0x01, 0x0a, &other).starts_with(unexpected));
        assert!(name(0x02, 0x0a, uuid).starts_with("        << expected binary code_set >>\n"));
    }
}
