//! INQUIRY and its standard data (SPC-5 6.7).

use super::bytes::{Reader, Truncated};
use super::cdb::Cdb;

/// Bytes of standard INQUIRY data asked for: the part that every SCSI-2 device has.
pub const ALLOCATION_LENGTH: u8 = 36;

/// INQUIRY for standard data, [`ALLOCATION_LENGTH`] bytes of it.
#[must_use]
pub const fn cdb() -> Cdb {
    Cdb::six([Cdb::INQUIRY, 0, 0, 0, ALLOCATION_LENGTH, 0])
}

/// The PERIPHERAL DEVICE TYPE of standard INQUIRY data, five bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeripheralDeviceType(pub u8);

impl PeripheralDeviceType {
    /// The type's name; `None` for a reserved code.
    // Whoever calls it would have a table of its own, to be relocated in every run.
    #[inline(never)]
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x00 => "disk",
            0x01 => "tape",
            0x02 => "printer",
            0x03 => "processor",
            0x04 => "write once optical disk",
            0x05 => "cd/dvd",
            0x06 => "scanner",
            0x07 => "optical memory device",
            0x08 => "medium changer",
            0x09 => "communications",
            0x0a => "graphics [0xa]",
            0x0b => "graphics [0xb]",
            0x0c => "storage array controller",
            0x0d => "enclosure services device",
            0x0e => "simplified direct access device",
            0x0f => "optical card reader/writer device",
            0x10 => "bridge controller commands",
            0x11 => "object based storage",
            0x12 => "automation/driver interface",
            0x13 => "security manager device",
            0x14 => "host managed zoned block",
            0x1e => "well known logical unit",
            0x1f => "unknown or no device type",
            _ => return None,
        })
    }
}

/// Standard INQUIRY data, as far as this program shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardInquiry {
    /// What kind of device it is.
    pub peripheral_device_type: PeripheralDeviceType,
    /// T10 VENDOR IDENTIFICATION: up to 8 bytes, ended by the first NUL.
    pub vendor: Vec<u8>,
    /// PRODUCT IDENTIFICATION: up to 16 bytes, ended by the first NUL.
    pub product: Vec<u8>,
    /// PRODUCT REVISION LEVEL: up to 4 bytes, ended by the first NUL.
    pub revision: Vec<u8>,
}

impl StandardInquiry {
    /// Reads the `data` that came.
    ///
    /// SCSI-1 devices return as few as 5 bytes; identification that did not
    /// come is empty.
    ///
    /// # Errors
    /// [`Truncated`] when not even the first four bytes came.
    pub fn parse(data: &[u8]) -> Result<Self, Truncated> {
        let first = Reader::new(data).bytes("standard INQUIRY data", 4)?[0];
        let text = |start: usize, end: usize| {
            let field = data.get(start..end.min(data.len())).unwrap_or_default();
            field.iter().copied().take_while(|&b| b != 0).collect()
        };
        Ok(Self {
            peripheral_device_type: PeripheralDeviceType(first & 0x1f),
            vendor: text(8, 16),
            product: text(16, 32),
            revision: text(32, 36),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIO: &[u8; 36] = b"\x60\x00\x06\x02\x1f\x01\x02\x03LIO-ORG d0\0 garbage     4.0 ";

    #[test]
    fn the_command_asks_for_36_bytes() {
        assert_eq!(cdb().as_bytes(), [0x12, 0, 0, 0, 0x24, 0]);
    }

    #[test]
    fn strings_end_at_the_first_nul_and_keep_their_blanks() {
        let inquiry = StandardInquiry::parse(LIO).unwrap();
        assert_eq!(inquiry.peripheral_device_type.0, 0);
        assert_eq!(inquiry.vendor, b"LIO-ORG ");
        assert_eq!(inquiry.product, b"d0");
        assert_eq!(inquiry.revision, b"4.0 ");
    }

    #[test]
    fn cut_anywhere() {
        for end in 0..LIO.len() {
            match StandardInquiry::parse(&LIO[..end]) {
                Err(error) => assert!(end < 4, "{error}"),
                Ok(inquiry) => {
                    assert!(end >= 4);
                    assert_eq!(inquiry.vendor.len(), end.saturating_sub(8).min(8));
                    assert_eq!(inquiry.product.len(), end.saturating_sub(16).min(2));
                    assert_eq!(inquiry.revision.len(), end.saturating_sub(32));
                }
            }
        }
    }

    #[test]
    fn the_qualifier_is_not_part_of_the_type() {
        let mut data = *LIO;
        data[0] = 0x7f;
        let inquiry = StandardInquiry::parse(&data).unwrap();
        assert_eq!(
            inquiry.peripheral_device_type.name(),
            Some("unknown or no device type")
        );
        assert_eq!(PeripheralDeviceType(0x15).name(), None);
    }
}
