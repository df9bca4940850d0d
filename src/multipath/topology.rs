//! The paths of a map, as sysfs has them.
//!
//! | what | where |
//! |---|---|
//! | is it a map | `dm/uuid` begins with `mpath-`; if it is empty, the table's target is `multipath` |
//! | what a device stands on, what stands on it | the links in `slaves`, `holders` |
//! | name of a map, whether it is suspended | `dm/name`, `dm/suspended` |
//! | state of a path | `device/state`, `device/access_state`, `device/preferred_path` |
//!
//! Any user may read all of it, and no device is touched. Of what it tells only numbers can be relied
//! on: a name is given to another disk as soon as the one that had it is gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::table::{self, Status};
use super::{AccessState, BlockNumber, Map, MapPath, PathKind, PathState, name_rank};
use crate::host_ports::{attribute, entries};

/// Where device nodes are.
const DEV: &str = "/dev";

/// How many devices may stand on each other: a file system's encryption on a logical volume on a
/// partition of a map, and some more.
const DEPTH: u8 = 8;

/// Asks the device mapper for the status of a table, a line for each target as `dmsetup status` has
/// it; `None` where it may not be asked, or does not know the device.
pub type Table<'a> = &'a dyn Fn(BlockNumber) -> Option<String>;

/// Why the paths of a device cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopologyError {
    /// It stands on several things, and one of them at least is a map.
    #[error("{device} stands on {}, which are not one logical unit", .on.join(", "))]
    NotOneLogicalUnit {
        /// Its name in sysfs.
        device: String,
        /// The names of what it stands on.
        on: Vec<String>,
    },
    /// The map has no path at all.
    #[error("the multipath map {map} has no path")]
    NoPath {
        /// The name of the map.
        map: String,
    },
    /// Several maps have this path.
    #[error("{path} is a path of several multipath maps: {}", .maps.join(", "))]
    SeveralMaps {
        /// Its name in sysfs.
        path: String,
        /// The names of the maps.
        maps: Vec<String>,
    },
    /// More devices stand on each other than anybody builds.
    #[error("too many devices stand on each other below {device}")]
    TooDeep {
        /// The name in sysfs of the one at which it was given up.
        device: String,
    },
    /// Sysfs has no such device, so that nobody can tell whether it stands on others.
    #[error("sysfs does not have the block device {number}, so its paths are not known")]
    NotInSysfs {
        /// Its number.
        number: BlockNumber,
    },
}

/// The map that `device` is, or that it stands on alone, by the directory tree `sysfs`: a partition,
/// a logical volume, an encrypted device. `Ok(None)` if there is none.
///
/// Who stands on several devices that all stand on one map stands on that map alone, as a logical
/// volume of a thin pool does.
///
/// # Errors
/// [`TopologyError`]: the device has to do with a map, and its paths cannot be told, or it is not one
/// logical unit; or sysfs does not know it. A disk that sysfs does not know is a disk all the same.
pub fn map_below(
    sysfs: &Path,
    device: BlockNumber,
    table: Table<'_>,
) -> Result<Option<Map>, TopologyError> {
    let Some(directory) = directory_of(sysfs, device) else {
        return match is_disk(device) {
            true => Ok(None),
            false => Err(TopologyError::NotInSysfs { number: device }),
        };
    };
    below(&directory, table, DEPTH)?
        .map(|map| read_map(&map, table))
        .transpose()
}

/// The map that `path`, a disk or a partition of it, is a path of, by the directory tree `sysfs`.
/// `Ok(None)` if there is none.
///
/// # Errors
/// [`TopologyError`]: there are several, or it is not to be told what paths the map has.
pub fn map_above(
    sysfs: &Path,
    path: BlockNumber,
    table: Table<'_>,
) -> Result<Option<Map>, TopologyError> {
    let Some(directory) = directory_of(sysfs, path) else {
        return Ok(None);
    };
    let disk = disk_of(&directory);
    let holders = disk.join("holders");
    let mut maps = BTreeSet::new();
    for name in entries(&holders) {
        if let Ok(holder) = holders.join(name).canonicalize()
            && is_map(&holder, table)
        {
            maps.insert(holder);
        }
    }
    if maps.len() > 1 {
        return Err(TopologyError::SeveralMaps {
            path: name_of(disk),
            maps: maps.iter().map(|map| map_name(map)).collect(),
        });
    }
    maps.first().map(|map| read_map(map, table)).transpose()
}

/// What the kernel had from the path's logical unit when it was scanned: a name of it. Paths of one
/// logical unit have the same; a logical unit that has changed behind a path is not noticed.
#[must_use]
pub fn wwid(sysfs: &Path, path: BlockNumber) -> Option<String> {
    let directory = directory_of(sysfs, path)?;
    // An NVMe namespace has it itself.
    word(&directory.join("device/wwid"))
        .or_else(|| word(&directory.join("wwid")))
        .filter(|wwid| !wwid.is_empty())
}

/// The node of the block device that is called `name` in sysfs, below the directory `dev`:
/// `/dev/NAME`, if that has its `number`, else `/dev/block/MAJOR:MINOR`.
#[must_use]
pub fn node_of(dev: &Path, name: &str, number: BlockNumber) -> PathBuf {
    let number_at = |node: &Path| BlockNumber::of(&fs::metadata(node).ok()?);
    choose_node(dev, name, number, number_at)
}

fn choose_node(
    dev: &Path,
    name: &str,
    number: BlockNumber,
    number_at: impl Fn(&Path) -> Option<BlockNumber>,
) -> PathBuf {
    // Sysfs cannot have a slash in a name.
    let by_name = dev.join(name.replace('!', "/"));
    if number_at(&by_name) == Some(number) {
        by_name
    } else {
        dev.join(format!("block/{number}"))
    }
}

/// The directory of a device, without links in its name.
fn directory_of(sysfs: &Path, number: BlockNumber) -> Option<PathBuf> {
    let link = sysfs.join(format!("dev/block/{number}"));
    link.canonicalize().ok()
}

/// The disk that a partition is on; other devices are their own.
fn disk_of(directory: &Path) -> &Path {
    let is_partition = directory.join("partition").exists();
    directory
        .parent()
        .filter(|_| is_partition)
        .unwrap_or(directory)
}

/// The map that the device with this directory is or stands on alone.
fn below(directory: &Path, table: Table<'_>, depth: u8) -> Result<Option<PathBuf>, TopologyError> {
    let Some(depth) = depth.checked_sub(1) else {
        let device = name_of(directory);
        return Err(TopologyError::TooDeep { device });
    };
    let directory = disk_of(directory);
    if is_map(directory, table) {
        return Ok(Some(directory.to_owned()));
    }
    let slaves = directory.join("slaves");
    let names = sorted_entries(&slaves);
    let mut maps = BTreeSet::new();
    let mut has_others = false;
    for name in &names {
        let map = match slaves.join(name).canonicalize() {
            Ok(slave) => below(&slave, table, depth)?,
            Err(_) => None,
        };
        match map {
            Some(map) => {
                maps.insert(map);
            }
            None => has_others = true,
        }
    }
    match maps.pop_first() {
        None => Ok(None),
        map if maps.is_empty() && !has_others => Ok(map),
        Some(_) => Err(TopologyError::NotOneLogicalUnit {
            device: name_of(directory),
            on: names,
        }),
    }
}

/// Whether the device is a multipath map: by the name that multipath gives all of its maps; by what
/// it does if it has none, for those made by hand.
fn is_map(directory: &Path, table: Table<'_>) -> bool {
    match attribute(&directory.join("dm/uuid")) {
        None => false,
        Some(uuid) if uuid.is_empty() => number_in(directory)
            .and_then(table)
            .is_some_and(|status| table::multipath_parameters(&status).is_some()),
        Some(uuid) => uuid.starts_with(b"mpath-"),
    }
}

/// Reads the map with this directory.
fn read_map(directory: &Path, table: Table<'_>) -> Result<Map, TopologyError> {
    let number = number_in(directory).unwrap_or(BlockNumber::NONE);
    let status = table(number);
    let status = status
        .as_deref()
        .and_then(table::multipath_parameters)
        .and_then(Status::parse)
        .unwrap_or_default();
    let names = sorted_entries(&directory.join("slaves"));
    let mut paths: Vec<_> = names
        .into_iter()
        .map(|name| read_path(directory, name, &status))
        .collect();
    // (Stable: those that the table does not have stay in the order of their names, at the end.)
    paths.sort_by_key(|path| path.dm.map_or((u32::MAX, 0), |dm| (dm.group, dm.order)));
    let name = map_name(directory);
    if paths.is_empty() {
        return Err(TopologyError::NoPath { map: name });
    }
    Ok(Map {
        name,
        number,
        suspended: word(&directory.join("dm/suspended")).as_deref() == Some("1"),
        paths,
    })
}

/// Reads the path with this name of the map with the directory `map`.
fn read_path(map: &Path, name: String, status: &Status) -> MapPath {
    let directory = map.join("slaves").join(&name).canonicalize().ok();
    let directory = directory.filter(|directory| is_held_by(directory, map));
    let Some((directory, number)) = directory.and_then(|directory| {
        let number = number_in(&directory)?;
        Some((directory, number))
    }) else {
        let number = number_of_scsi_disk(&name).unwrap_or(BlockNumber::NONE);
        return MapPath {
            node: Path::new(DEV).join(format!("block/{number}")),
            number,
            state: PathState::Deleted,
            access: None,
            is_preferred: false,
            dm: status.path(number),
            kind: kind_by_name(&name),
            is_gone: true,
            name,
        };
    };
    let device = disk_of(&directory).join("device");
    let state = word(&device.join("state"))
        .map_or(PathState::Unknown, |state| PathState::from_word(&state));
    let access = word(&device.join("access_state"));
    MapPath {
        node: node_of(Path::new(DEV), &name, number),
        number,
        state,
        access: access.and_then(|words| AccessState::from_words(&words)),
        is_preferred: word(&device.join("preferred_path")).as_deref() == Some("1"),
        dm: status.path(number),
        kind: kind_of(&device, &name),
        is_gone: false,
        name,
    }
}

/// Whether `map` is one of those that hold the device, as it is of its paths: what has the name of
/// one that was deleted is another device, and does not know the map. Both links come and go together
/// (`bd_link_disk_holder` in block/holder.c).
fn is_held_by(directory: &Path, map: &Path) -> bool {
    let holders = directory.join("holders");
    !holders.is_dir() || holders.join(name_of(map)).symlink_metadata().is_ok()
}

/// What commands the device takes, by the bus that it hangs on; where sysfs does not tell that any
/// more, by its name.
fn kind_of(device: &Path, name: &str) -> PathKind {
    match device.join("subsystem").canonicalize() {
        Ok(subsystem) => match &name_of(&subsystem)[..] {
            "scsi" => PathKind::Scsi,
            "nvme" | "nvme-subsystem" => PathKind::Nvme,
            _ => PathKind::Other,
        },
        Err(_) => kind_by_name(name),
    }
}

/// What commands the device with this name takes.
fn kind_by_name(name: &str) -> PathKind {
    if name.starts_with("sd") {
        PathKind::Scsi
    } else if name.starts_with("nvme") {
        PathKind::Nvme
    } else {
        PathKind::Other
    }
}

/// Whether the number is that of a disk of which partitions are the only ones beside it, by
/// `<linux/major.h>`: SCSI disks and CD drives, and the number that NVMe namespaces share with
/// partitions.
const fn is_disk(BlockNumber { major, .. }: BlockNumber) -> bool {
    matches!(major, 8 | 11 | 65..=71 | 128..=135 | 259)
}

/// The number of the SCSI disk with this name (`sd_probe`, `sd_major` and `sd_format_disk_name` in
/// drivers/scsi/sd.c).
fn number_of_scsi_disk(name: &str) -> Option<BlockNumber> {
    let letters = name.strip_prefix("sd").filter(|letters| {
        !letters.is_empty() && letters.bytes().all(|letter| letter.is_ascii_lowercase())
    })?;
    // a to z, then aa: digits without a zero.
    let count = letters.bytes().try_fold(0_u64, |count, letter| {
        let digit = u64::from(letter - b'a') + 1;
        count.checked_mul(26)?.checked_add(digit)
    })?;
    let index = count - 1;
    // 20 bits of minor number.
    if index > 0xf_ffff {
        return None;
    }
    let major = match (index & 0xf0) >> 4 {
        0 => 8,
        block @ 1..=7 => 64 + block,
        block => 120 + block,
    };
    let minor = (index & 0x0f) << 4 | (index & 0xf_ff00);
    Some(BlockNumber { major, minor })
}

/// The number in a device's directory.
fn number_in(directory: &Path) -> Option<BlockNumber> {
    BlockNumber::parse(&word(&directory.join("dev"))?)
}

/// The name of a map, as the device mapper has it; sysfs's own if it has none.
fn map_name(directory: &Path) -> String {
    word(&directory.join("dm/name"))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| name_of(directory))
}

/// The last part of a path.
fn name_of(directory: &Path) -> String {
    let name = directory.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What an attribute holds, in words.
fn word(path: &Path) -> Option<String> {
    let value = attribute(path)?;
    Some(String::from_utf8_lossy(&value).into_owned())
}

/// The names in a directory, in the order in which the kernel gives them.
fn sorted_entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = entries(directory).collect();
    names.sort_by(|one, other| name_rank(one).cmp(&name_rank(other)));
    names
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::multipath::DmPath;

    /// A directory tree like sysfs, gone when dropped.
    struct Sysfs(PathBuf);

    impl Drop for Sysfs {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    impl Sysfs {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("sg_persist-topology-{}-{count}", std::process::id());
            let root = std::env::temp_dir().join(name);
            fs::create_dir(&root).unwrap();
            Self(root)
        }

        fn file(&self, path: &str, content: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{content}\n")).unwrap();
        }

        fn link(&self, path: &str, target: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(self.0.join(target), path).unwrap();
        }

        /// A block device with its place below `devices`.
        fn block(&self, number: &str, place: &str) {
            let place = format!("devices/{place}");
            self.file(&format!("{place}/dev"), number);
            fs::create_dir_all(self.0.join(&place).join("holders")).unwrap();
            self.link(&format!("dev/block/{number}"), &place);
        }

        /// A SCSI disk on this target.
        fn disk(&self, name: &str, number: &str, target: u8) {
            let scsi = format!("host0/0:0:{target}:0");
            self.block(number, &format!("{scsi}/block/{name}"));
            self.link(
                &format!("devices/{scsi}/block/{name}/device"),
                &format!("devices/{scsi}"),
            );
            self.link(&format!("devices/{scsi}/subsystem"), "bus/scsi");
            fs::create_dir_all(self.0.join("bus/scsi")).unwrap();
            self.scsi(target, "state", "running");
        }

        fn scsi(&self, target: u8, attribute: &str, value: &str) {
            self.file(&format!("devices/host0/0:0:{target}:0/{attribute}"), value);
        }

        /// A device of the device mapper.
        fn dm(&self, minor: u8, name: &str, uuid: &str) {
            let place = format!("virtual/block/dm-{minor}");
            self.block(&format!("253:{minor}"), &place);
            self.file(&format!("devices/{place}/dm/name"), name);
            self.file(&format!("devices/{place}/dm/uuid"), uuid);
            self.file(&format!("devices/{place}/dm/suspended"), "0");
        }

        /// Puts the device-mapper device on what has its place below `devices`.
        fn on(&self, minor: u8, place: &str) {
            let name = place.rsplit('/').next().unwrap();
            let dm = format!("devices/virtual/block/dm-{minor}");
            self.link(&format!("{dm}/slaves/{name}"), &format!("devices/{place}"));
            self.link(&format!("devices/{place}/holders/dm-{minor}"), &dm);
        }

        /// A map of two paths.
        fn map() -> Self {
            let sysfs = Self::new();
            sysfs.disk("sda", "8:0", 0);
            sysfs.disk("sdb", "8:16", 1);
            sysfs.dm(0, "mpatha", "mpath-36001405");
            sysfs.on(0, SDA);
            sysfs.on(0, SDB);
            sysfs
        }

        fn below(&self, major: u64, minor: u64) -> Result<Option<Map>, TopologyError> {
            map_below(&self.0, BlockNumber { major, minor }, &|_| None)
        }

        fn above(&self, major: u64, minor: u64) -> Result<Option<Map>, TopologyError> {
            map_above(&self.0, BlockNumber { major, minor }, &|_| None)
        }
    }

    const SDA: &str = "host0/0:0:0:0/block/sda";
    const SDB: &str = "host0/0:0:1:0/block/sdb";
    const SDC: &str = "host0/0:0:2:0/block/sdc";
    const DM_0: &str = "virtual/block/dm-0";
    const DM_1: &str = "virtual/block/dm-1";
    const DM_2: &str = "virtual/block/dm-2";

    fn names(map: &Map) -> Vec<&str> {
        map.paths.iter().map(|path| &path.name[..]).collect()
    }

    fn name(map: Result<Option<Map>, TopologyError>) -> Option<String> {
        map.unwrap().map(|map| map.name)
    }

    #[test]
    fn a_map() {
        let sysfs = Sysfs::map();
        sysfs.scsi(0, "access_state", "active/optimized");
        sysfs.scsi(0, "preferred_path", "1");
        sysfs.scsi(1, "state", "transport-offline");
        let map = sysfs.below(253, 0).unwrap().unwrap();
        let path = MapPath {
            name: "sda".to_owned(),
            number: BlockNumber { major: 8, minor: 0 },
            node: map.paths[0].node.clone(),
            state: PathState::Running,
            access: Some(AccessState::Optimized),
            is_preferred: true,
            dm: None,
            kind: PathKind::Scsi,
            is_gone: false,
        };
        let other = MapPath {
            name: "sdb".to_owned(),
            number: BlockNumber {
                major: 8,
                minor: 16,
            },
            node: map.paths[1].node.clone(),
            state: PathState::TransportOffline,
            access: None,
            is_preferred: false,
            ..path
        };
        let expected = Map {
            name: "mpatha".to_owned(),
            number: BlockNumber {
                major: 253,
                minor: 0,
            },
            suspended: false,
            paths: vec![path, other],
        };
        assert_eq!(map, expected);
        sysfs.file("devices/virtual/block/dm-0/dm/suspended", "1");
        assert!(sysfs.below(253, 0).unwrap().unwrap().suspended);
    }

    #[test]
    fn what_is_no_map() {
        let sysfs = Sysfs::new();
        sysfs.disk("sda", "8:0", 0);
        sysfs.disk("sdb", "8:16", 1);
        sysfs.disk("sdc", "8:32", 2);
        sysfs.dm(0, "vg-lv", "LVM-abc");
        sysfs.on(0, SDA);
        sysfs.dm(1, "mirror", "LVM-def");
        sysfs.on(1, SDA);
        sysfs.on(1, SDB);
        sysfs.dm(2, "empty", "LVM-ghi");
        for (major, minor) in [(8, 0), (8, 16), (253, 0), (253, 1), (253, 2)] {
            assert_eq!(sysfs.below(major, minor), Ok(None));
            assert_eq!(sysfs.above(major, minor), Ok(None));
        }
    }

    #[test]
    fn what_sysfs_does_not_have() {
        let sysfs = Sysfs::new();
        // A disk is a disk, whether sysfs is there or not.
        for major in [8, 11, 65, 71, 128, 135, 259] {
            assert_eq!(sysfs.below(major, 0), Ok(None));
        }
        // Of others nobody knows what they stand on.
        for major in [9, 253, 254] {
            assert_eq!(
                sysfs.below(major, 0),
                Err(TopologyError::NotInSysfs {
                    number: BlockNumber { major, minor: 0 }
                })
            );
            assert_eq!(sysfs.above(major, 0), Ok(None));
        }
    }

    #[test]
    fn what_stands_on_a_map_alone() {
        let sysfs = Sysfs::map();
        sysfs.dm(1, "mpatha-part1", "part1-mpath-36001405");
        sysfs.on(1, DM_0);
        sysfs.dm(2, "vg-lv", "LVM-abc");
        sysfs.on(2, DM_1);
        sysfs.dm(3, "crypt", "CRYPT-LUKS2-abc");
        sysfs.on(3, DM_2);
        // Made by hand, without a uuid.
        sysfs.dm(4, "linear", "");
        sysfs.on(4, "virtual/block/dm-3");
        for minor in 0..=4 {
            let map = sysfs.below(253, minor).unwrap().unwrap();
            assert_eq!(map.name, "mpatha");
            assert_eq!(map.number.minor, 0);
            assert_eq!(names(&map), ["sda", "sdb"]);
        }
        // A partition that the kernel itself has made on it.
        sysfs.block("259:7", "virtual/block/dm-0/dm-0p1");
        sysfs.file("devices/virtual/block/dm-0/dm-0p1/partition", "1");
        assert_eq!(name(sysfs.below(259, 7)).as_deref(), Some("mpatha"));
    }

    #[test]
    fn several_ways_to_one_map() {
        let sysfs = Sysfs::map();
        sysfs.dm(1, "pool_tmeta", "LVM-tmeta");
        sysfs.on(1, DM_0);
        sysfs.dm(2, "pool_tdata", "LVM-tdata");
        sysfs.on(2, DM_0);
        sysfs.dm(3, "pool", "LVM-pool");
        sysfs.on(3, DM_1);
        sysfs.on(3, DM_2);
        assert_eq!(name(sysfs.below(253, 3)).as_deref(), Some("mpatha"));
    }

    #[test]
    fn what_is_not_one_logical_unit() {
        let sysfs = Sysfs::map();
        sysfs.disk("sdc", "8:32", 2);
        sysfs.dm(1, "mpathb", "mpath-36001406");
        sysfs.on(1, SDC);
        // On two maps.
        sysfs.dm(2, "vg-lv", "LVM-abc");
        sysfs.on(2, DM_0);
        sysfs.on(2, DM_1);
        let error = sysfs.below(253, 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "dm-2 stands on dm-0, dm-1, which are not one logical unit"
        );
        // On that.
        sysfs.dm(3, "crypt", "CRYPT-abc");
        sysfs.on(3, DM_2);
        assert_eq!(sysfs.below(253, 3), Err(error));
        // On a map and a disk.
        sysfs.dm(4, "raid", "LVM-def");
        sysfs.on(4, DM_0);
        sysfs.disk("sdd", "8:48", 3);
        sysfs.on(4, "host0/0:0:3:0/block/sdd");
        assert_eq!(
            sysfs.below(253, 4),
            Err(TopologyError::NotOneLogicalUnit {
                device: "dm-4".to_owned(),
                on: vec!["sdd".to_owned(), "dm-0".to_owned()],
            })
        );
    }

    #[test]
    fn a_map_without_paths() {
        let sysfs = Sysfs::new();
        sysfs.dm(0, "mpatha", "mpath-36001405");
        let error = TopologyError::NoPath {
            map: "mpatha".to_owned(),
        };
        assert_eq!(sysfs.below(253, 0), Err(error.clone()));
        sysfs.dm(1, "mpatha-part1", "part1-mpath-36001405");
        sysfs.on(1, DM_0);
        assert_eq!(sysfs.below(253, 1), Err(error));
    }

    #[test]
    fn a_circle_ends() {
        let sysfs = Sysfs::new();
        sysfs.dm(0, "a", "LVM-a");
        sysfs.dm(1, "b", "LVM-b");
        sysfs.on(0, DM_1);
        sysfs.on(1, DM_0);
        assert!(matches!(
            sysfs.below(253, 0),
            Err(TopologyError::TooDeep { .. })
        ));
    }

    #[test]
    fn the_map_of_a_path() {
        let sysfs = Sysfs::map();
        sysfs.block("8:1", "host0/0:0:0:0/block/sda/sda1");
        sysfs.file("devices/host0/0:0:0:0/block/sda/sda1/partition", "1");
        for (major, minor) in [(8, 0), (8, 16), (8, 1)] {
            let map = sysfs.above(major, minor).unwrap().unwrap();
            assert_eq!(map, sysfs.below(253, 0).unwrap().unwrap());
        }
        // What stands on the map is none of the path's.
        sysfs.dm(1, "mpatha-part1", "part1-mpath-36001405");
        sysfs.on(1, DM_0);
        assert_eq!(sysfs.above(253, 0), Ok(None));
        // Another device on the disk is no map.
        sysfs.dm(2, "vg-lv", "LVM-abc");
        sysfs.on(2, SDA);
        assert_eq!(name(sysfs.above(8, 0)).as_deref(), Some("mpatha"));
        sysfs.dm(3, "mpathb", "mpath-36001406");
        sysfs.on(3, SDA);
        assert_eq!(
            sysfs.above(8, 0).unwrap_err().to_string(),
            "sda is a path of several multipath maps: mpatha, mpathb"
        );
    }

    const STATUS: &str = "0 2048 multipath 2 1 0 0 2 1 E 0 1 0 8:16 A 0 E 0 1 0 8:0 F 2";

    #[test]
    fn the_table_gives_the_order() {
        let sysfs = Sysfs::map();
        let asked = |number: BlockNumber| {
            assert_eq!(number.to_string(), "253:0");
            Some(STATUS.to_owned())
        };
        let number = BlockNumber {
            major: 253,
            minor: 0,
        };
        let map = map_below(&sysfs.0, number, &asked).unwrap().unwrap();
        assert_eq!(names(&map), ["sdb", "sda"]);
        assert_eq!(
            map.paths[1].dm,
            Some(DmPath {
                group: 2,
                order: 0,
                is_failed: true
            })
        );
        // One that the table does not have yet, or not any more.
        sysfs.disk("sdc", "8:32", 2);
        sysfs.on(0, SDC);
        let map = map_below(&sysfs.0, number, &asked).unwrap().unwrap();
        assert_eq!(names(&map), ["sdb", "sda", "sdc"]);
        assert_eq!(map.paths[2].dm, None);
        // What cannot be read is not known.
        for status in ["", "0 2048 linear 8:0 0", "0 2048 multipath 2 1 0 x"] {
            let map = map_below(&sysfs.0, number, &|_| Some(status.to_owned()));
            let map = map.unwrap().unwrap();
            assert_eq!(names(&map), ["sda", "sdb", "sdc"]);
            assert!(map.paths.iter().all(|path| path.dm.is_none()));
        }
    }

    #[test]
    fn a_map_made_by_hand_is_known_by_its_table() {
        let sysfs = Sysfs::new();
        sysfs.disk("sda", "8:0", 0);
        sysfs.disk("sdb", "8:16", 1);
        sysfs.dm(0, "mp0", "");
        sysfs.on(0, SDA);
        sysfs.on(0, SDB);
        assert_eq!(sysfs.below(253, 0), Ok(None));
        assert_eq!(sysfs.above(8, 0), Ok(None));
        let number = |major, minor| BlockNumber { major, minor };
        let multipath: Table<'_> = &|_| Some(STATUS.to_owned());
        let mirror: Table<'_> = &|_| Some("0 2048 raid raid1 2 AA".to_owned());
        for (table, expected) in [(multipath, Some("mp0")), (mirror, None)] {
            let below = map_below(&sysfs.0, number(253, 0), table);
            assert_eq!(name(below).as_deref(), expected);
            let above = map_above(&sysfs.0, number(8, 16), table);
            assert_eq!(name(above).as_deref(), expected);
        }
        // A name that is another program's needs no asking.
        sysfs.file("devices/virtual/block/dm-0/dm/uuid", "LVM-abc");
        assert_eq!(map_below(&sysfs.0, number(253, 0), multipath), Ok(None));
    }

    #[test]
    fn a_path_that_is_gone() {
        let sysfs = Sysfs::map();
        fs::remove_dir_all(sysfs.0.join("devices").join(SDA)).unwrap();
        let number = BlockNumber {
            major: 253,
            minor: 0,
        };
        let map = map_below(&sysfs.0, number, &|_| Some(STATUS.to_owned()));
        let map = map.unwrap().unwrap();
        assert_eq!(names(&map), ["sdb", "sda"]);
        let gone = &map.paths[1];
        assert!(gone.is_gone);
        assert_eq!(gone.kind, PathKind::Scsi);
        assert_eq!(gone.state, PathState::Deleted);
        assert_eq!(gone.number, BlockNumber { major: 8, minor: 0 });
        assert!(gone.dm.is_some_and(|dm| dm.is_failed));
        assert!(!map.paths[0].is_gone);
        assert_eq!(super::super::by_rank(&map.paths), [0]);
        // Its name and place have been given to another disk, which no map holds.
        sysfs.file(&format!("devices/{SDA}/dev"), "8:0");
        fs::create_dir(sysfs.0.join("devices").join(SDA).join("holders")).unwrap();
        let map = sysfs.below(253, 0).unwrap().unwrap();
        assert!(map.paths[0].is_gone);
        // All of them.
        fs::remove_dir_all(sysfs.0.join("devices/host0")).unwrap();
        let map = sysfs.below(253, 0).unwrap().unwrap();
        assert!(map.paths.iter().all(|path| path.is_gone));
        assert_eq!(super::super::by_rank(&map.paths), [0; 0]);
    }

    #[test]
    fn kinds_of_paths() {
        let sysfs = Sysfs::map();
        for (number, name, subsystem) in [
            ("259:0", "nvme0n1", "class/nvme"),
            ("252:0", "vda", "bus/virtio"),
        ] {
            let place = format!("pci/{name}x/{name}");
            sysfs.block(number, &place);
            sysfs.link(
                &format!("devices/{place}/device"),
                &format!("devices/pci/{name}x"),
            );
            sysfs.link(&format!("devices/pci/{name}x/subsystem"), subsystem);
            fs::create_dir_all(sysfs.0.join(subsystem)).unwrap();
            sysfs.on(0, &place);
        }
        sysfs.file("devices/pci/nvme0n1x/state", "live");
        assert_eq!(kind_by_name("nvme0n1"), PathKind::Nvme);
        assert_eq!(kind_by_name("vda"), PathKind::Other);
        let map = sysfs.below(253, 0).unwrap().unwrap();
        let kinds: Vec<_> = map
            .paths
            .iter()
            .map(|path| (path.kind, path.state))
            .collect();
        assert_eq!(
            kinds,
            [
                (PathKind::Scsi, PathState::Running),
                (PathKind::Scsi, PathState::Running),
                (PathKind::Other, PathState::Unknown),
                (PathKind::Nvme, PathState::Running),
            ]
        );
    }

    #[test]
    fn the_name_that_the_kernel_knows() {
        let sysfs = Sysfs::map();
        sysfs.scsi(0, "wwid", "naa.6001405");
        sysfs.scsi(1, "wwid", "");
        let of = |major, minor| wwid(&sysfs.0, BlockNumber { major, minor });
        assert_eq!(of(8, 0).as_deref(), Some("naa.6001405"));
        assert_eq!(of(8, 16), None);
        assert_eq!(of(8, 32), None);
        sysfs.block("259:0", "pci/nvme0/nvme0n1");
        sysfs.file("devices/pci/nvme0/nvme0n1/wwid", "eui.0011");
        assert_eq!(of(259, 0).as_deref(), Some("eui.0011"));
    }

    #[test]
    fn nodes() {
        let number = BlockNumber { major: 8, minor: 0 };
        let other = BlockNumber { major: 8, minor: 1 };
        let dev = Path::new("/dev");
        for (name, there, expected) in [
            ("sda", Some(number), "/dev/sda"),
            ("sda", Some(other), "/dev/block/8:0"),
            ("sda", None, "/dev/block/8:0"),
            ("cciss!c0d0", Some(number), "/dev/cciss/c0d0"),
        ] {
            let node = choose_node(dev, name, number, |_| there);
            assert_eq!(node, Path::new(expected));
        }
        // A character device is no block device.
        let null = BlockNumber { major: 1, minor: 3 };
        assert_eq!(node_of(dev, "null", null), Path::new("/dev/block/1:3"));
    }

    #[test]
    fn numbers_of_scsi_disks() {
        for (name, major, minor) in [
            ("sda", 8, 0),
            ("sdp", 8, 240),
            ("sdq", 65, 0),
            ("sdz", 65, 144),
            ("sdaa", 65, 160),
            ("sddx", 71, 240),
            ("sddy", 128, 0),
            ("sdiv", 135, 240),
            ("sdiw", 8, 256),
        ] {
            assert_eq!(
                number_of_scsi_disk(name),
                Some(BlockNumber { major, minor }),
                "{name}"
            );
        }
        for name in [
            "",
            "sd",
            "sda1",
            "sdA",
            "vda",
            "dm-0",
            "sdzzzzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(number_of_scsi_disk(name), None);
        }
    }
}
