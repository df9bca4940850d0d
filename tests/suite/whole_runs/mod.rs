//! Whole runs: a command line and what a device says, against all that comes of it.

use crate::common::{
    Answer, DEVICE, DISK, DISK_LINES, INQUIRY, MORE_KEYS, MORE_RESERVATION, MOST_KEYS,
    READ_FULL_STATUS, READ_KEYS, READ_RESERVATION, REPORT_CAPABILITIES, RO, RW, bytes,
    check_condition, driver, errno, good, host, sense, sg_persist, sg_persist_words, status,
    with_data,
};

mod answers;
mod changes;
mod checks;
mod differences;
mod failures;
mod inquiry;
mod opens;
mod output;
mod processes;
mod transport_ids;
mod verbose;

/// No registrations.
const NO_KEYS: &str = "00000015 00000000";
/// Two registrations.
const TWO_KEYS: &str = "00000015 00000010 0000000000abc123 fedcba9876543210";
/// What is shown of [`TWO_KEYS`].
const TWO_KEYS_TEXT: &str = "  PR generation=0x15, 2 registered reservation keys follow:
    0xabc123
    0xfedcba9876543210
";
/// REGISTER without any parameter.
const REGISTER: &str = "5f000000000000001800";
/// Twenty-four bytes of a parameter list without anything in them.
const NOTHING: &str = "000000000000000000000000000000000000000000000000";
/// The TransportID of `sas,5000c50005b32001`.
const SAS: &str = "060000005000c50005b32001000000000000000000000000";

/// A file with `text` that no other test uses.
fn tempfile(name: &str, text: &[u8]) -> std::path::PathBuf {
    let directory = std::env::temp_dir();
    let path = directory.join(format!("sg_persist-{name}-{}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}
