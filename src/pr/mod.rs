//! PERSISTENT RESERVE IN and OUT: commands, parameter data, parameter lists (SPC-5 6.16, 6.17).
//!
//! Pure functions over bytes. [`prin`] is what a device server returns, [`prout`] what it is sent,
//! [`transport_id`] the names of initiator ports that occur in both. [`retry`] says when a command
//! may be sent again, [`effect`] what a change must have done.

use std::fmt;
use std::time::Duration;

pub mod effect;
pub mod explain;
pub mod nexus;
pub mod prin;
pub mod prout;
pub mod retry;
pub(crate) mod room;
pub mod snapshot;
pub mod transport_id;

/// How long a command may take where nobody says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A RESERVATION KEY: the eight bytes under which an I_T nexus is registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReservationKey(pub u64);

impl ReservationKey {
    /// The key that no registration has.
    pub const NONE: Self = Self(0);

    /// The text that the key is: eight printable characters of ASCII, or fewer with NULs behind them.
    ///
    /// ```
    /// use sg_persist::pr::ReservationKey;
    /// let text = ReservationKey(0x4150475230303031).as_text();
    /// assert_eq!(text.as_deref(), Some("APGR0001"));
    /// assert_eq!(ReservationKey(0xabc123).as_text(), None);
    /// ```
    #[must_use]
    pub fn as_text(self) -> Option<String> {
        let bytes = self.0.to_be_bytes();
        let length = bytes.iter().rposition(|&byte| byte != 0)? + 1;
        let text = str::from_utf8(&bytes[..length]).ok()?;
        let is_text = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        // A character alone, or a blank to begin with, is rather a number.
        (is_text && length > 1 && !text.starts_with(' ')).then(|| text.to_owned())
    }
}

impl fmt::Display for ReservationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A persistent reservation TYPE (SPC-5, persistent reservation type codes), four bits. Codes that no standard defines are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReservationType(u8);

impl ReservationType {
    /// Any nexus may read, the holder may write.
    pub const WRITE_EXCLUSIVE: Self = Self(1);
    /// The holder alone may read and write.
    pub const EXCLUSIVE_ACCESS: Self = Self(3);
    /// Any nexus may read, registered ones may write.
    pub const WRITE_EXCLUSIVE_REGISTRANTS_ONLY: Self = Self(5);
    /// Registered nexuses alone may read and write.
    pub const EXCLUSIVE_ACCESS_REGISTRANTS_ONLY: Self = Self(6);
    /// As 5, and every registered nexus is a holder.
    pub const WRITE_EXCLUSIVE_ALL_REGISTRANTS: Self = Self(7);
    /// As 6, and every registered nexus is a holder.
    pub const EXCLUSIVE_ACCESS_ALL_REGISTRANTS: Self = Self(8);

    /// The type in the low four bits of `bits`; the others are not part of it.
    #[must_use]
    pub const fn from_low_bits(bits: u8) -> Self {
        Self(bits & 0x0f)
    }

    /// The code, 0 to 15.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The type's name in the standard; `None` for obsolete and reserved codes.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::WRITE_EXCLUSIVE => "Write Exclusive",
            Self::EXCLUSIVE_ACCESS => "Exclusive Access",
            Self::WRITE_EXCLUSIVE_REGISTRANTS_ONLY => "Write Exclusive, registrants only",
            Self::EXCLUSIVE_ACCESS_REGISTRANTS_ONLY => "Exclusive Access, registrants only",
            Self::WRITE_EXCLUSIVE_ALL_REGISTRANTS => "Write Exclusive, all registrants",
            Self::EXCLUSIVE_ACCESS_ALL_REGISTRANTS => "Exclusive Access, all registrants",
            _ => return None,
        })
    }

    /// Whether every registrant holds a reservation of this type.
    #[must_use]
    pub const fn is_held_by_all(self) -> bool {
        matches!(
            self,
            Self::WRITE_EXCLUSIVE_ALL_REGISTRANTS | Self::EXCLUSIVE_ACCESS_ALL_REGISTRANTS
        )
    }
}

/// The SCOPE of a persistent reservation (SPC-5, persistent reservation scopes), four bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope(u8);

impl Scope {
    /// The whole logical unit: the only scope that is not obsolete.
    pub const LU_SCOPE: Self = Self(0);

    /// The scope in the high four bits of `bits`.
    #[must_use]
    pub const fn from_high_bits(bits: u8) -> Self {
        Self(bits >> 4)
    }

    /// The code, 0 to 15.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_and_type_share_a_byte() {
        assert_eq!(Scope::from_high_bits(0x27).code(), 2);
        assert_eq!(ReservationType::from_low_bits(0x27).code(), 7);
    }

    #[test]
    fn keys_that_are_text() {
        for (key, text) in [
            (0x4150_4752_3030_3031, Some("APGR0001")),
            (0x6e6f_6465_3100_0000, Some("node1")),
            (0x6e6f_6465_2231_7e7e, Some("node\"1~~")),
            (0x6e6f_0064_6531_0000, None),
            (0x006e_6f64_6531_3233, None),
            (0x6e6f_6465_311b_0000, None),
            (0x6e6f_6465_317f_0000, None),
            (0x80_6f64_6531_3131, None),
            (0x2061_6263_6465_6667, None),
            (0x5000_0000_0000_0000, None),
            (u64::MAX, None),
            (0, None),
        ] {
            assert_eq!(ReservationKey(key).as_text().as_deref(), text, "{key:x}");
        }
    }

    #[test]
    fn keys_are_shown_without_padding() {
        assert_eq!(ReservationKey(0).to_string(), "0x0");
        assert_eq!(ReservationKey(0xabc_0123).to_string(), "0xabc0123");
        assert_eq!(ReservationKey(u64::MAX).to_string(), "0xffffffffffffffff");
    }
}
