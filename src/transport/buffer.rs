//! Room for data in, filled so that it shows where nobody wrote.
//!
//! Kernels and devices report success, and no residual, for commands that brought nothing. In a
//! buffer of zeros that would be "no keys": a wrong answer that costs data.

/// What the first eight bytes are filled with. No parameter data begins so: whichever of them are
/// its length, they are a length that did not come.
const SEED: u64 = 0xb7e1_5162_8aed_2a6a;
/// By how much each eight bytes differ from those before, so that no list looks like it.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A buffer starts with a page: the kernel lets the device write into it, in place of a copy that is
/// full of zeros. Behind it, up to the end of its last page, all is ours: some targets write more
/// than they were asked for.
const PAGE: usize = 4096;
/// The fewest bytes that are ours from the start on.
const LEAST: usize = 8192;
/// From so many bytes on that nobody wrote it is no coincidence.
pub(crate) const NO_COINCIDENCE: usize = 4;

/// With what a buffer is filled: one of two patterns that differ in every bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// The usual one.
    First,
    /// Its complement, to tell an answer that looks like the first from none.
    Second,
}

impl Filling {
    /// The eight bytes from `8 * index` on.
    fn word(self, index: usize) -> [u8; 8] {
        let word = SEED.wrapping_add(STEP.wrapping_mul(index as u64));
        match self {
            Self::First => word,
            Self::Second => !word,
        }
        .to_le_bytes()
    }

    fn byte(self, offset: usize) -> u8 {
        self.word(offset / 8)[offset % 8]
    }
}

/// Room for the data in of one command.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    room: usize,
    filling: Filling,
}

impl Buffer {
    /// Room for `room` bytes.
    #[must_use]
    pub(crate) fn new(room: usize, filling: Filling) -> Self {
        let mut bytes = vec![0; PAGE + room.max(LEAST).next_multiple_of(PAGE)];
        let start = match bytes.as_ptr().align_offset(PAGE) {
            offset @ 0..PAGE => offset,
            _ => 0,
        };
        let mut words = bytes[start..start + room].chunks_exact_mut(8);
        // As filling.word() has them, but one made of the other.
        let mut number = SEED;
        let bits = match filling {
            Filling::First => 0,
            Filling::Second => u64::MAX,
        };
        for word in words.by_ref() {
            word.copy_from_slice(&(number ^ bits).to_le_bytes());
            number = number.wrapping_add(STEP);
        }
        let last = words.into_remainder();
        let word = filling.word(room / 8);
        last.copy_from_slice(&word[..last.len()]);
        Self {
            bytes,
            start,
            room,
            filling,
        }
    }

    /// The room, for a command.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.room]
    }

    /// The bytes from `from` to before `to` of the room; fewer where it ends before.
    fn part(&self, from: usize, to: usize) -> &[u8] {
        let to = to.min(self.room);
        &self.bytes[self.start + from.min(to)..self.start + to]
    }

    /// Whether nobody wrote into any of the bytes from `from` to before `to`; not so for none.
    #[must_use]
    pub(crate) fn is_unwritten(&self, from: usize, to: usize) -> bool {
        let part = self.part(from, to);
        let unwritten = |(offset, &byte)| byte == self.filling.byte(from + offset);
        !part.is_empty() && part.iter().enumerate().all(unwritten)
    }

    /// The first `length` bytes. Those at their end that nobody wrote become zeros: what they are
    /// filled with is nobody's business.
    #[must_use]
    pub(crate) fn into_data(mut self, length: usize) -> Received {
        let length = length.min(self.room);
        let data = self.part(0, length);
        let written = data
            .iter()
            .enumerate()
            .rposition(|(offset, &byte)| byte != self.filling.byte(offset));
        let written = written.map_or(0, |last| last + 1);
        let start = self.start;
        if length - written >= NO_COINCIDENCE {
            self.bytes[start + written..start + length].fill(0);
        }
        Received {
            bytes: self.bytes,
            start,
            length,
        }
    }
}

/// Data that a command brought.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Received {
    /// Nothing of it but its first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl From<Vec<u8>> for Received {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            start: 0,
            length: bytes.len(),
            bytes,
        }
    }
}

impl std::ops::Deref for Received {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_wrote_shows() {
        for filling in [Filling::First, Filling::Second] {
            for room in [0, 1, 7, 8, 9, 36, 8191, 8192, 65_024] {
                let mut buffer = Buffer::new(room, filling);
                assert_eq!(buffer.room().len(), room);
                assert_eq!(buffer.room().as_ptr().align_offset(PAGE), 0);
                assert_eq!(buffer.is_unwritten(0, room), room > 0);
                if room > 0 {
                    buffer.room()[room - 1] ^= 1;
                    assert!(!buffer.is_unwritten(0, room));
                    assert_eq!(buffer.is_unwritten(0, room - 1), room > 1);
                    assert!(!buffer.is_unwritten(room - 1, room));
                }
                assert!(!buffer.is_unwritten(room, room + 8));
            }
        }
    }

    #[test]
    fn the_fillings_differ_in_every_byte_and_bit() {
        let first = Buffer::new(256, Filling::First).into_data(256);
        assert_eq!(*first, [0; 256]);
        for offset in 0..65_536 {
            let (first, second) = (Filling::First.byte(offset), Filling::Second.byte(offset));
            assert_eq!(first, !second);
        }
    }

    #[test]
    fn a_buffer_that_nobody_wrote_is_no_parameter_data() {
        use crate::pr::prin::ServiceAction;
        for filling in [Filling::First, Filling::Second] {
            let mut buffer = Buffer::new(8192, filling);
            for action in [
                ServiceAction::ReadKeys,
                ServiceAction::ReadReservation,
                ServiceAction::ReadFullStatus,
                ServiceAction::ReportCapabilities,
            ] {
                assert!(action.parse(buffer.room()).is_err());
                assert!(action.claimed(buffer.room()) > Some(8192));
            }
        }
    }

    #[test]
    fn unwritten_ends_become_zeros() {
        let mut buffer = Buffer::new(64, Filling::First);
        buffer.room()[..3].copy_from_slice(&[1, 2, 3]);
        let mut data = buffer.into_data(40);
        assert_eq!(data[..3], [1, 2, 3]);
        assert_eq!(data[3..], [0; 37]);
        data.truncate(2);
        assert_eq!(*data, [1, 2]);
    }
}
