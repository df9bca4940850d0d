//! Reading fields one after the other: big-endian ones, and the little-endian ones of NVM Express.

use thiserror::Error;

/// A field that did not come, or not whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} takes bytes {offset} to {}, only {length} bytes came", offset + size - 1)]
#[non_exhaustive]
pub struct Truncated {
    /// The field's name in the standard.
    pub field: &'static str,
    /// Where it starts, in bytes from the start of the data.
    pub offset: usize,
    /// Its size in bytes.
    pub size: usize,
    /// Bytes at hand.
    pub length: usize,
}

/// Takes fields from the front of some bytes.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// The offset of the next byte, counted from the start of the data.
    #[must_use]
    pub(crate) const fn offset(&self) -> usize {
        self.offset
    }

    /// The bytes not yet taken.
    #[must_use]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// Takes `size` bytes; `field` names them in the error.
    ///
    /// # Errors
    /// [`Truncated`] when fewer are left; nothing is taken then.
    pub(crate) fn bytes(
        &mut self,
        field: &'static str,
        size: usize,
    ) -> Result<&'a [u8], Truncated> {
        let taken = self.rest().get(..size).ok_or(Truncated {
            field,
            offset: self.offset,
            size,
            length: self.bytes.len(),
        })?;
        self.offset += size;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Truncated> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(field, N)?);
        Ok(array)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// [`Truncated`] when none is left.
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, Truncated> {
        self.array(field).map(u8::from_be_bytes)
    }

    /// Takes two bytes, the most significant first.
    ///
    /// # Errors
    /// [`Truncated`] when fewer are left.
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, Truncated> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Takes four bytes, the most significant first.
    ///
    /// # Errors
    /// [`Truncated`] when fewer are left.
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Truncated> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Takes eight bytes, the most significant first.
    ///
    /// # Errors
    /// [`Truncated`] when fewer are left.
    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, Truncated> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Takes two bytes, the least significant first.
    ///
    /// # Errors
    /// [`Truncated`] when fewer are left.
    pub(crate) fn u16_le(&mut self, field: &'static str) -> Result<u16, Truncated> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Takes four bytes, the least significant first.
    ///
    /// # Errors
    /// [`Truncated`] when fewer are left.
    pub(crate) fn u32_le(&mut self, field: &'static str) -> Result<u32, Truncated> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Takes eight bytes, the least significant first.
    ///
    /// # Errors
    /// [`Truncated`] when fewer are left.
    pub(crate) fn u64_le(&mut self, field: &'static str) -> Result<u64, Truncated> {
        self.array(field).map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 15] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn fields_are_big_endian_and_in_order() {
        let mut reader = Reader::new(&BYTES);
        assert_eq!(reader.u8("a"), Ok(0x01));
        assert_eq!(reader.u16("b"), Ok(0x0203));
        assert_eq!(reader.u32("c"), Ok(0x0405_0607));
        assert_eq!(reader.u64("d"), Ok(0x0809_0a0b_0c0d_0e0f));
        assert!(reader.rest().is_empty());
        assert_eq!(reader.offset(), 15);
    }

    #[test]
    fn fields_may_be_little_endian() {
        let mut reader = Reader::new(&BYTES[1..]);
        assert_eq!(reader.u16_le("b"), Ok(0x0302));
        assert_eq!(reader.u32_le("c"), Ok(0x0706_0504));
        assert_eq!(reader.u64_le("d"), Ok(0x0f0e_0d0c_0b0a_0908));
        assert!(reader.u16_le("e").is_err());
    }

    #[test]
    fn a_field_cut_anywhere_takes_nothing() {
        for end in 0..8 {
            let mut reader = Reader::new(&BYTES[..end]);
            let error = Truncated {
                field: "key",
                offset: 0,
                size: 8,
                length: end,
            };
            assert_eq!(reader.u64("key"), Err(error));
            assert_eq!(reader.rest().len(), end);
        }
    }

    #[test]
    fn the_error_says_what_was_missing() {
        let mut reader = Reader::new(&BYTES[..6]);
        assert_eq!(reader.u32("PRGENERATION"), Ok(0x0102_0304));
        assert_eq!(
            reader.u32("ADDITIONAL LENGTH").map_err(|e| e.to_string()),
            Err("ADDITIONAL LENGTH takes bytes 4 to 7, only 6 bytes came".to_owned())
        );
    }

    #[test]
    fn a_size_beyond_all_bounds_is_an_error() {
        let mut reader = Reader::new(&BYTES);
        assert!(reader.bytes("all", usize::MAX).is_err());
        assert_eq!(reader.bytes("none", 0), Ok(&[][..]));
    }
}
