//! A TransportID as lines of text.

use super::DeviceText;
use crate::pr::transport_id::{Initiator, MINIMUM_LENGTH, ProtocolIdentifier, TransportId};
use crate::render::hex_rows;

/// The lines that describe the TransportID at the start of `id_bytes`.
///
/// `lead_in` stands before every line. Each line ends with a newline. iSCSI
/// names are given up to their NUL, as `shown` has it; raw ones need not be UTF-8. Bytes that are not
/// a whole TransportID are given in hex, all of them: some device servers put an identifier of their
/// own in its place.
#[must_use]
pub fn block(lead_in: &str, id_bytes: &[u8], shown: DeviceText) -> Vec<u8> {
    let id = TransportId::received(id_bytes);
    let mut block = Block {
        lead_in,
        shown,
        text: Vec::new(),
    };
    let length = id_bytes.len();
    if length >= MINIMUM_LENGTH && length.is_multiple_of(4) {
        block.line("Transport Id of initiator:");
    } else {
        block.line(&format!(
            "Transport Id short or not multiple of 4 [length={length}]:"
        ));
    }
    block.describe(&id);
    block.text
}

/// A host identifier of NVMe: 16 bytes as a UUID, in which form hosts keep it; 8 bytes, the lowest
/// first, as a number.
#[must_use]
pub fn host_identifier(identifier: &[u8]) -> String {
    if let Ok(number) = <[u8; 8]>::try_from(identifier) {
        return format!("{:#018x}", u64::from_le_bytes(number));
    }
    let parts = [(0, 4), (4, 6), (6, 8), (8, 10), (10, identifier.len())];
    let digits = parts.map(|(start, end)| hex::encode(part(identifier, start, end)));
    digits.join("-")
}

struct Block<'a> {
    lead_in: &'a str,
    shown: DeviceText,
    text: Vec<u8>,
}

impl Block<'_> {
    fn describe(&mut self, id: &TransportId) {
        let bytes = id.as_bytes();
        if !id.is_whole() {
            return self.rows(bytes);
        }
        match id.protocol() {
            ProtocolIdentifier::FCP => {
                self.line("  FCP-2 World Wide Name:");
                self.unexpected_format(id);
                self.rows(part(bytes, 8, 16));
            }
            ProtocolIdentifier::SPI => {
                let Initiator::Spi {
                    scsi_address,
                    relative_port,
                } = id.initiator()
                else {
                    return self.rows(bytes);
                };
                self.line(&format!(
                    "  Parallel SCSI initiator SCSI address: {scsi_address:#x}"
                ));
                self.unexpected_format(id);
                self.line(&format!(
                    "  relative port number (of corresponding target): {relative_port:#x}"
                ));
            }
            ProtocolIdentifier::SSA => self.undefined("SSA (transport id not defined)", id),
            ProtocolIdentifier::IEEE_1394 => {
                self.line("  IEEE 1394 EUI-64 name:");
                self.unexpected_format(id);
                self.rows(part(bytes, 8, 16));
            }
            ProtocolIdentifier::SRP => {
                self.line("  RDMA initiator port identifier:");
                self.unexpected_format(id);
                self.rows(part(bytes, 8, 24));
            }
            ProtocolIdentifier::ISCSI => self.iscsi(id),
            ProtocolIdentifier::SAS => {
                let Initiator::Sas { address } = id.initiator() else {
                    return self.rows(bytes);
                };
                self.line(&format!("  SAS address: {address:#x}"));
                self.unexpected_format(id);
            }
            ProtocolIdentifier::ADT => self.undefined("ADT", id),
            ProtocolIdentifier::ATA => self.undefined("ATAPI", id),
            ProtocolIdentifier::UAS => self.undefined("UAS", id),
            ProtocolIdentifier::SOP => self.sop(id),
            ProtocolIdentifier::PCIE => match id.initiator() {
                Initiator::NvmeHost { identifier } => {
                    self.line(&format!(
                        "  NVMe host identifier: {}",
                        host_identifier(identifier)
                    ));
                }
                _ => self.undefined("PCIE", id),
            },
            ProtocolIdentifier::NONE => self.line("  No specified protocol"),
            ProtocolIdentifier(other) => {
                let format = id.format();
                self.line(&format!(
                    "  unknown protocol id={other:#x}  TPID format={format}"
                ));
                self.rows(part(bytes, 0, MINIMUM_LENGTH));
            }
        }
    }

    fn iscsi(&mut self, id: &TransportId) {
        let words = match id.format() {
            0 => "  iSCSI name: ",
            1 => "  iSCSI world wide unique port id: ",
            format => {
                self.line(&format!("  iSCSI   [Unexpected TPID format: {format}]"));
                let bytes = id.as_bytes();
                let claimed = match bytes {
                    [_, _, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
                    _ => bytes.len(),
                };
                let rows = hex_rows::lead_in_ascii(self.lead_in, part(bytes, 0, claimed));
                self.text.extend_from_slice(rows.as_bytes());
                return;
            }
        };
        let (Initiator::Iscsi { name } | Initiator::IscsiPort { name }) = id.initiator() else {
            return self.rows(id.as_bytes());
        };
        self.text.extend_from_slice(self.lead_in.as_bytes());
        self.text.extend_from_slice(words.as_bytes());
        self.text.extend(self.shown.show(name));
        self.text.push(b'\n');
    }

    fn sop(&mut self, id: &TransportId) {
        match (id.initiator(), id.format()) {
            (Initiator::Sop { routing_id }, _) => {
                self.line(&format!("  SOP Routing ID: {routing_id:#x}"));
            }
            (_, format) => {
                self.line(&format!("  SOP   [Unexpected TPID format: {format}]"));
                self.rows(part(id.as_bytes(), 0, MINIMUM_LENGTH));
            }
        }
    }

    /// A protocol for which SPC-5 defines no TransportID.
    fn undefined(&mut self, name: &str, id: &TransportId) {
        self.line(&format!("  {name}:"));
        self.line(&format!("  TPID format: {}", id.format()));
        self.rows(part(id.as_bytes(), 0, MINIMUM_LENGTH));
    }

    fn unexpected_format(&mut self, id: &TransportId) {
        let format = id.format();
        if format != 0 {
            self.line(&format!("  [Unexpected TPID format: {format}]"));
        }
    }

    fn line(&mut self, line: &str) {
        self.text.extend_from_slice(self.lead_in.as_bytes());
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
    }

    fn rows(&mut self, bytes: &[u8]) {
        let rows = hex_rows::lead_in(self.lead_in, bytes);
        self.text.extend_from_slice(rows.as_bytes());
    }
}

/// The bytes from `start` to before `end` that are at hand.
fn part(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    let end = end.min(bytes.len());
    &bytes[start.min(end)..end]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const LEAD_IN: &str = "      ";
    /// What follows byte 0 in the samples.
    const REST: [u8; 23] = [
        0x0a, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
        0x18, 0x19, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25,
    ];

    fn text(id_bytes: &[u8]) -> String {
        String::from_utf8(block(LEAD_IN, id_bytes, DeviceText::Raw)).unwrap()
    }

    /// The lines after the heading of a sample with this byte 0.
    fn lines(first: u8) -> String {
        let id = [&[first][..], &REST].concat();
        text(&id)
            .strip_prefix("      Transport Id of initiator:\n")
            .unwrap()
            .to_owned()
    }

    /// The sample with this byte 0 in hex, in two rows.
    fn rows(first: u8) -> String {
        format!(
            "      {first:02x} 0a 0a 0b 0c 0d 0e 0f  10 11 12 13 14 15 16 17\n      \
             18 19 20 21 22 23 24 25\n"
        )
    }

    #[test]
    fn whole_block() {
        assert_eq!(
            text(&[&[0x06][..], &REST].concat()),
            "      Transport Id of initiator:\n        SAS address: 0xc0d0e0f10111213\n"
        );
        assert_eq!(
            block("> ", &[0x0f; 24], DeviceText::Raw),
            b"> Transport Id of initiator:\n>   No specified protocol\n"
        );
    }

    #[test]
    fn one_format_protocols() {
        for (id, first_line, others) in [
            (
                0,
                "        FCP-2 World Wide Name:\n",
                "      10 11 12 13 14 15 16 17\n",
            ),
            (
                1,
                "        Parallel SCSI initiator SCSI address: 0xa0b\n",
                "        relative port number (of corresponding target): 0xe0f\n",
            ),
            (
                3,
                "        IEEE 1394 EUI-64 name:\n",
                "      10 11 12 13 14 15 16 17\n",
            ),
            (
                4,
                "        RDMA initiator port identifier:\n",
                "      10 11 12 13 14 15 16 17  18 19 20 21 22 23 24 25\n",
            ),
            (6, "        SAS address: 0xc0d0e0f10111213\n", ""),
        ] {
            assert_eq!(lines(id), format!("{first_line}{others}"));
            for format in 1..=3 {
                let unexpected = format!("        [Unexpected TPID format: {format}]\n");
                assert_eq!(
                    lines(format << 6 | id),
                    format!("{first_line}{unexpected}{others}")
                );
            }
        }
    }

    #[test]
    fn protocols_without_a_defined_transport_id() {
        for (id, name) in [
            (2, "SSA (transport id not defined)"),
            (7, "ADT"),
            (8, "ATAPI"),
            (9, "UAS"),
            (0xb, "PCIE"),
        ] {
            for format in 0..=3 {
                let first = format << 6 | id;
                let rows = rows(first);
                assert_eq!(
                    lines(first),
                    format!("        {name}:\n        TPID format: {format}\n{rows}")
                );
            }
        }
    }

    #[test]
    fn other_protocols() {
        for format in 0..=3 {
            for id in 0xc..=0xe {
                let first = format << 6 | id;
                let rows = rows(first);
                assert_eq!(
                    lines(first),
                    format!("        unknown protocol id={id:#x}  TPID format={format}\n{rows}")
                );
            }
            assert_eq!(lines(format << 6 | 0xf), "        No specified protocol\n");
        }
    }

    #[test]
    fn sop() {
        assert_eq!(lines(0x0a), "        SOP Routing ID: 0xa0b\n");
        for format in 1..=3 {
            let first = format << 6 | 0xa;
            let rows = rows(first);
            assert_eq!(
                lines(first),
                format!("        SOP   [Unexpected TPID format: {format}]\n{rows}")
            );
        }
    }

    #[test]
    fn iscsi() {
        assert_eq!(
            text(b"\x05\0\0\x24iqn.1993-08.org.debian:01:abcdef\0\0\0\0"),
            "      Transport Id of initiator:\n        iSCSI name: iqn.1993-08.org.debian:01:abcdef\n"
        );
        assert_eq!(
            text(b"\x45\0\0\x28iqn.2026-01.lab:hosta,i,0x00023d000001\0\0"),
            "      Transport Id of initiator:\n        \
             iSCSI world wide unique port id: iqn.2026-01.lab:hosta,i,0x00023d000001\n"
        );
        assert_eq!(
            text(&[
                0x05, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                20
            ]),
            "      Transport Id of initiator:\n        iSCSI name: \n"
        );
    }

    #[test]
    fn iscsi_unexpected_format_in_hex_and_characters() {
        for (format, first) in [(2, 0x85), (3, 0xc5)] {
            let id = [
                &[first, 0, 0, 0x14][..],
                b"iqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0beyond",
            ]
            .concat();
            assert_eq!(
                text(&id[..28]),
                format!(
                    "      Transport Id of initiator:\n        \
                     iSCSI   [Unexpected TPID format: {format}]\n      \
                     {first:02x} 00 00 14 69 71 6e 2e  61 00 00 00 00 00 00 00    ....iqn.a.......\n      \
                     00 00 00 00 00 00 00 00                             ........        \n"
                )
            );
        }
    }

    #[test]
    fn iscsi_names_are_raw_bytes_up_to_nul() {
        assert_eq!(
            block(
                "",
                b"\x05\0\0\x14iqn.\x1b[31m\xff\x01\ty\0hidden",
                DeviceText::Raw
            ),
            b"Transport Id of initiator:\n  iSCSI name: iqn.\x1b[31m\xff\x01\ty\n"
        );
        assert_eq!(
            block("", b"\x05\0\0\x14AAAAAAAAAAAAAAAAAAAABBBB", DeviceText::Raw),
            b"Transport Id of initiator:\n  iSCSI name: AAAAAAAAAAAAAAAAAAAA\n"
        );
    }

    #[test]
    fn difference_the_real_length_is_told() {
        let id = [&[0x06][..], &REST, &[0, 0]].concat();
        assert_eq!(
            text(&id),
            "      Transport Id short or not multiple of 4 [length=26]:\n        \
             SAS address: 0xc0d0e0f10111213\n"
        );
        assert_eq!(
            text(&id[..12]),
            "      Transport Id short or not multiple of 4 [length=12]:\n      \
             06 0a 0a 0b 0c 0d 0e 0f  10 11 12 13\n"
        );
        assert_eq!(
            text(&[0x02, 0x0a, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f]),
            "      Transport Id short or not multiple of 4 [length=8]:\n      \
             02 0a 0a 0b 0c 0d 0e 0f\n"
        );
    }

    #[test]
    fn difference_long_names_are_whole() {
        let name = "x".repeat(1204);
        let id = [b"\x05\0\x04\xb8", name.as_bytes(), &[0; 4]].concat();
        assert_eq!(
            text(&id),
            format!("      Transport Id of initiator:\n        iSCSI name: {name}\n")
        );
    }

    #[test]
    fn difference_nothing_beyond_the_bytes_is_shown() {
        assert_eq!(
            block("", b"\x85\0\xff\xffAAAAAAAAAAAAAAAAAAAA", DeviceText::Raw),
            b"Transport Id of initiator:\n\
              85 00 ff ff 41 41 41 41  41 41 41 41 41 41 41 41\n\
              41 41 41 41 41 41 41 41\n"
        );
        assert_eq!(
            block("", b"\x05\0\xff\xffAAAA", DeviceText::Raw),
            b"Transport Id short or not multiple of 4 [length=8]:\n05 00 ff ff 41 41 41 41\n"
        );
        assert_eq!(
            block("", b"\x85\0\0\x14AAAAAAAAAAAAAAAAAAAA", DeviceText::Raw),
            b"Transport Id of initiator:\n  iSCSI   [Unexpected TPID format: 2]\n\
              85 00 00 14 41 41 41 41  41 41 41 41 41 41 41 41    ....AAAAAAAAAAAA\n\
              41 41 41 41 41 41 41 41                             AAAAAAAA        \n"
        );
    }

    #[test]
    fn difference_an_identifier_of_another_kind_is_shown_in_hex() {
        for first in 0..=255 {
            let id = [&[first][..], &REST].concat();
            for end in 1..24 {
                // A whole iSCSI name without the padding is one.
                if first & 0xf == 5 && end == 4 + 0x0a0b {
                    continue;
                }
                let mut rows = String::new();
                for row in id[..end].chunks(16) {
                    let halves: Vec<String> = row
                        .chunks(8)
                        .map(|half| {
                            let bytes: Vec<String> =
                                half.iter().map(|byte| format!("{byte:02x}")).collect();
                            bytes.join(" ")
                        })
                        .collect();
                    rows += &format!("      {}\n", halves.join("  "));
                }
                assert_eq!(
                    text(&id[..end]),
                    format!(
                        "      Transport Id short or not multiple of 4 [length={end}]:\n{rows}"
                    )
                );
            }
        }
        assert_eq!(
            text(&[]),
            "      Transport Id short or not multiple of 4 [length=0]:\n"
        );
    }

    #[test]
    fn any_bytes_give_lines() {
        for first in 0..=255 {
            for length in 0..=40 {
                for fill in [0x00, 0x41, 0xff] {
                    let mut id = vec![fill; length];
                    id.iter_mut().take(1).for_each(|byte| *byte = first);
                    let text = block(LEAD_IN, &id, DeviceText::Raw);
                    assert!(text.ends_with(b"\n"));
                    assert!(text.len() < 300 + 4 * length);
                    for line in text.split_inclusive(|&byte| byte == b'\n') {
                        assert!(line.starts_with(LEAD_IN.as_bytes()));
                    }
                }
            }
        }
    }
}
