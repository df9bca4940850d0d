//! The device mapper's control node, which tells what sysfs does not: groups and failures of paths,
//! and how often a map is open.
//!
//! Only root may ask it, and a container may not have it. Whoever gets no answer knows less; nothing
//! that has to be right depends on it.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::path::Path;

use super::BlockNumber;
use crate::transport;

/// Where it is.
pub const CONTROL: &str = "/dev/mapper/control";

/// The open control node.
#[derive(Debug)]
pub struct Control(File);

impl Control {
    /// Opens `node`, for a program [`CONTROL`]; `None` if it is not there, or not for this user.
    #[must_use]
    pub fn open(node: &Path) -> Option<Self> {
        let node = OpenOptions::new().read(true).write(true).open(node).ok()?;
        Some(Self(node))
    }

    /// The status of the table of a device, a line for each target as `dmsetup status` has it.
    /// Asking makes no target write anything, and works while the device is suspended.
    #[must_use]
    pub fn table_status(&self, device: BlockNumber) -> Option<String> {
        transport::dm_table_status(self.0.as_fd(), encoded(device)?).ok()
    }

    /// How often a device is open, other devices that stand on it counted as one each.
    #[must_use]
    pub fn open_count(&self, device: BlockNumber) -> Option<u32> {
        transport::dm_open_count(self.0.as_fd(), encoded(device)?).ok()
    }
}

/// The number as the kernel puts it into one (`huge_encode_dev` of `<linux/kdev_t.h>`): 12 bits of
/// major number, 20 of minor; `None` if it has more.
fn encoded(BlockNumber { major, minor }: BlockNumber) -> Option<libc::dev_t> {
    let fits = major < 1 << 12 && minor < 1 << 20;
    fits.then_some((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_the_kernel_has_them() {
        for (major, minor, expected) in [
            (253, 0, Some(0xfd00)),
            (253, 255, Some(0xfdff)),
            (253, 256, Some(0x10_fd00)),
            (0xfff, 0xf_ffff, Some(0xffff_ffff)),
            (0x1000, 0, None),
            (0, 0x10_0000, None),
            (u64::MAX, u64::MAX, None),
        ] {
            assert_eq!(encoded(BlockNumber { major, minor }), expected);
        }
    }

    #[test]
    fn whoever_may_not_ask_gets_no_answer() {
        let missing = Path::new("/nonexistent/mapper/control");
        assert!(Control::open(missing).is_none());
        // A node of something else.
        let control = Control::open(Path::new("/dev/null")).unwrap();
        let map = BlockNumber {
            major: 253,
            minor: 0,
        };
        assert_eq!(control.table_status(map), None);
        assert_eq!(control.open_count(map), None);
    }
}
