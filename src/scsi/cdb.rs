//! Command descriptor blocks.

/// A command descriptor block of 6, 10, 12 or 16 bytes (SPC-5 4.2).
#[doc(alias = "command descriptor block")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cdb {
    bytes: [u8; 16],
    length: u8,
}

impl Cdb {
    /// INQUIRY (SPC-5 6.7).
    pub const INQUIRY: u8 = 0x12;
    /// PERSISTENT RESERVE IN (SPC-5 6.16).
    pub const PERSISTENT_RESERVE_IN: u8 = 0x5e;
    /// PERSISTENT RESERVE OUT (SPC-5 6.17).
    pub const PERSISTENT_RESERVE_OUT: u8 = 0x5f;

    /// A six-byte block.
    #[must_use]
    pub const fn six(b: [u8; 6]) -> Self {
        let mut bytes = [0; 16];
        let mut i = 0;
        while i < b.len() {
            bytes[i] = b[i];
            i += 1;
        }
        Self { bytes, length: 6 }
    }

    /// A ten-byte block.
    #[must_use]
    pub const fn ten(b: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        let mut i = 0;
        while i < b.len() {
            bytes[i] = b[i];
            i += 1;
        }
        Self { bytes, length: 10 }
    }

    /// The block as it goes to the device server.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The OPERATION CODE.
    #[must_use]
    pub const fn operation_code(&self) -> u8 {
        self.bytes[0]
    }

    /// The command's name in messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.operation_code() {
            Self::INQUIRY => "inquiry",
            Self::PERSISTENT_RESERVE_IN => "Persistent reservation in",
            Self::PERSISTENT_RESERVE_OUT => "Persistent reservation out",
            _ => "command",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_bytes_and_length() {
        assert_eq!(
            Cdb::six([0x12, 1, 2, 3, 4, 5]).as_bytes(),
            [0x12, 1, 2, 3, 4, 5]
        );
        let ten = [0x5e, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(Cdb::ten(ten).as_bytes(), ten);
        assert_eq!(Cdb::ten(ten).operation_code(), 0x5e);
    }
}
