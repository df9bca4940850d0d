//! Numbers to choose by: the same ones for the same seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// Marsaglia's xorshift.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    /// A number that is another one each time.
    pub(crate) fn seed() -> u64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        now.as_secs().wrapping_mul(1000) + u64::from(now.subsec_millis())
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of 0 to `end - 1`; `end` is at least 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    /// One of them; there is at least one.
    pub(crate) fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        let length = from.len() as u64;
        // The remainder of a length is an index again.
        from[usize::try_from(self.below(length)).unwrap_or_default()]
    }

    /// Yes in so many of a hundred times.
    pub(crate) fn percent(&mut self, times: u64) -> bool {
        self.below(100) < times
    }
}
