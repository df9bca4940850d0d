//! Which logical unit a device leads to, as far as sysfs tells: by which names two devices show that
//! they are one.
//!
//! Nothing is opened and no device is asked. What has no name in common may be the same all the same.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use super::BlockNumber;
use crate::host_ports::{attribute, entries};

/// How many devices may stand on each other.
const DEPTH: u8 = 8;

/// The names of what the device node with this `metadata` leads to, by the directory tree `sysfs`: its
/// number, the numbers of all that it stands on, and the kernel's names of their logical units. A node
/// that is no device has a name, too.
#[must_use]
pub fn identities(sysfs: &Path, metadata: &Metadata) -> Vec<String> {
    let number = metadata.rdev();
    let number = format!("{}:{}", major(number), minor(number));
    let mut names = BTreeSet::new();
    if metadata.file_type().is_block_device() {
        names.insert(format!("block {number}"));
        if let Ok(directory) = sysfs.join("dev/block").join(&number).canonicalize() {
            block(&directory, &mut names, DEPTH);
        }
    } else if metadata.file_type().is_char_device() {
        names.insert(format!("character {number}"));
        if let Ok(directory) = sysfs.join("dev/char").join(&number).canonicalize() {
            character(sysfs, &directory, &mut names);
        }
    } else {
        names.insert(format!("file {} {}", metadata.dev(), metadata.ino()));
    }
    names.into_iter().collect()
}

/// A block device: itself, the disk that it is a partition of, and all that it stands on.
fn block(directory: &Path, names: &mut BTreeSet<String>, depth: u8) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let disk = directory
        .parent()
        .filter(|_| directory.join("partition").exists())
        .unwrap_or(directory);
    if let Some(number) = text(&disk.join("dev"))
        .as_deref()
        .and_then(BlockNumber::parse)
    {
        names.insert(format!("block {number}"));
    }
    unit(disk, names);
    let slaves = disk.join("slaves");
    for slave in entries(&slaves) {
        if let Ok(slave) = slaves.join(slave).canonicalize() {
            block(&slave, names, depth);
        }
    }
}

/// A node of the sg or the bsg driver, or the generic one of an NVMe namespace: the disk beside it.
fn character(sysfs: &Path, directory: &Path, names: &mut BTreeSet<String>) {
    unit(directory, names);
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let mut beside: Vec<PathBuf> = Vec::new();
    match name.strip_prefix("ng") {
        Some(rest) => beside.push(sysfs.join("class/block").join(format!("nvme{rest}"))),
        None => {
            let disks = directory.join("device/block");
            beside.extend(entries(&disks).map(|disk| disks.join(disk)));
        }
    }
    for disk in beside {
        if let Ok(disk) = disk.canonicalize() {
            block(&disk, names, DEPTH);
        }
    }
}

/// What the kernel had from the logical unit when it was scanned.
fn unit(directory: &Path, names: &mut BTreeSet<String>) {
    // An NVMe namespace has it itself.
    let wwid = text(&directory.join("device/wwid")).or_else(|| text(&directory.join("wwid")));
    names.extend(wwid.map(|wwid| format!("unit {wwid}")));
}

/// What an attribute says, unless that is nothing.
fn text(path: &Path) -> Option<String> {
    let value = attribute(path)?;
    let value = String::from_utf8_lossy(&value).into_owned();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A directory tree, removed at the end.
    struct Tree(PathBuf);

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    impl Tree {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("sg_persist-identity-{}-{count}", std::process::id());
            let root = std::env::temp_dir().join(name);
            fs::create_dir(&root).unwrap();
            Self(root)
        }

        fn file(&self, path: &str, content: &str) -> &Self {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{content}\n")).unwrap();
            self
        }

        fn link(&self, path: &str, target: &str) -> &Self {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(self.0.join(target), path).unwrap();
            self
        }

        fn block(&self, place: &str) -> Vec<String> {
            let mut names = BTreeSet::new();
            block(&self.0.join(place), &mut names, DEPTH);
            names.into_iter().collect()
        }

        fn character(&self, place: &str) -> Vec<String> {
            let mut names = BTreeSet::new();
            character(&self.0, &self.0.join(place), &mut names);
            names.into_iter().collect()
        }
    }

    #[test]
    fn a_map_is_its_paths_and_a_partition_its_disk() {
        let tree = Tree::new();
        tree.file("sda/dev", "8:0")
            .file("sda/device/wwid", "naa.6001405")
            .file("sda/sda1/partition", "1")
            .file("sda/sda1/dev", "8:1")
            .file("sdb/dev", "8:16")
            .file("sdb/device/wwid", "naa.6001405")
            .file("dm-0/dev", "253:0")
            .link("dm-0/slaves/sda", "sda")
            .link("dm-0/slaves/sdb", "sdb")
            .file("dm-1/dev", "253:1")
            .link("dm-1/slaves/dm-0", "dm-0");
        let all = [
            "block 253:0",
            "block 253:1",
            "block 8:0",
            "block 8:16",
            "unit naa.6001405",
        ];
        assert_eq!(tree.block("dm-1"), all);
        assert_eq!(tree.block("sda/sda1"), ["block 8:0", "unit naa.6001405"]);
        assert_eq!(tree.block("sdb"), ["block 8:16", "unit naa.6001405"]);
    }

    #[test]
    fn a_generic_node_is_the_disk_beside_it() {
        let tree = Tree::new();
        tree.file("sg0/device/block/sda/dev", "8:0")
            .file("sg0/device/wwid", "")
            .file("ng0n1/dev", "243:0")
            .file("nvme/dev", "259:0")
            .file("nvme/wwid", "eui.0011")
            .link("class/block/nvme0n1", "nvme");
        assert_eq!(tree.character("sg0"), ["block 8:0"]);
        assert_eq!(tree.character("ng0n1"), ["block 259:0", "unit eui.0011"]);
    }

    #[test]
    fn what_is_no_device_has_its_place() {
        let of = |path: &str| identities(Path::new("/sys"), &fs::metadata(path).unwrap());
        assert_eq!(of("/dev/null"), ["character 1:3"]);
        assert_eq!(of("/tmp").len(), 1);
        assert_eq!(of("/tmp"), of("/tmp/."));
    }

    #[test]
    fn devices_that_stand_on_each_other_in_a_circle_end() {
        let tree = Tree::new();
        tree.file("dm-0/dev", "253:0")
            .link("dm-0/slaves/dm-0", "dm-0");
        assert_eq!(tree.block("dm-0"), ["block 253:0"]);
    }
}
