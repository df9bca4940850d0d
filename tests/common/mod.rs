//! A world in which whole runs take place, and three devices for it: one that follows a script,
//! one that answers anything, and a model that keeps keys and a reservation.
//!
//! ```ignore
//! let ran = sg_persist("-n -k /dev/sda")
//!     .opens(RO)
//!     .sends(READ_KEYS, good("00000015 00000008 0000000000abc123"))
//!     .run();
//! ran.is(0, "  PR generation=0x15, 1 registered reservation key follows:\n    0xabc123\n", "");
//! ```
//!
//! Everything that the program does to a device must be in the script, in its order, and
//! everything in the script must be done; whatever else it does fails the test.

pub(crate) mod answer;
pub(crate) mod anything;
pub(crate) mod checks;
pub(crate) mod controller;
pub(crate) mod model;
pub(crate) mod scene;
pub(crate) mod script;
pub(crate) mod target;
pub(crate) mod world;

pub(crate) use answer::{
    Answer, check_condition, driver, errno, good, host, sense, status, with_data,
};
pub(crate) use scene::{Ran, Scene, sg_persist, sg_persist_words};
pub(crate) use sg_persist::transport::Access::{ReadOnly as RO, ReadWrite as RW};

/// The device that is opened unless a script says otherwise.
pub(crate) const DEVICE: &str = "/dev/sda";

/// INQUIRY as it is sent.
pub(crate) const INQUIRY: &str = "120000002400";
/// READ KEYS as it is sent unless a length is asked for.
pub(crate) const READ_KEYS: &str = "5e000000000000200000";
/// READ RESERVATION, likewise.
pub(crate) const READ_RESERVATION: &str = "5e010000000000200000";
/// REPORT CAPABILITIES, likewise.
pub(crate) const REPORT_CAPABILITIES: &str = "5e020000000000200000";
/// READ FULL STATUS, likewise: with ample room.
pub(crate) const READ_FULL_STATUS: &str = "5e030000000000fe0000";
/// READ FULL STATUS where so much room is refused.
pub(crate) const LESS_FULL_STATUS: &str = "5e030000000000200000";
/// READ KEYS where the first room was not enough, or may not have been.
pub(crate) const MORE_KEYS: &str = "5e000000000000fe0000";
/// READ KEYS where the second was not, either.
pub(crate) const MOST_KEYS: &str = "5e000000000000ffff00";
/// READ RESERVATION, likewise.
pub(crate) const MORE_RESERVATION: &str = "5e010000000000fe0000";

/// INQUIRY data of a disk of the Linux target.
pub(crate) const DISK: &[u8] = b"\x00\x00\x06\x02\x1f\x00\x00\x02LIO-ORG d0              4.0 ";
/// What is shown of [`DISK`].
pub(crate) const DISK_LINES: &str =
    "  LIO-ORG   d0                4.0 \n  Peripheral device type: disk\n";

/// The bytes that hex digits spell.
#[track_caller]
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_ascii_whitespace().collect();
    hex::decode(digits).expect("a test spells its bytes in pairs of hex digits")
}
