//! Device-mapper multipath: a map and the paths that it stands on.
//!
//! A command that is sent to a map goes through one of its paths, nobody knows which, while
//! registrations belong to each of them. So commands go through the paths themselves, and here is
//! what has to be known for that: [`topology`] finds the paths in sysfs, [`control`] asks the device
//! mapper for what sysfs does not tell, [`table`] reads its answer, [`identity`] tells which devices lead to
//! one logical unit, [`outcome`] says what the end of
//! a command on one path means for the others, and [`lock`] keeps two runs from undoing each other's
//! work. [`paths`] carries commands over them side by side, [`any_path`] reads over whichever
//! answers, and [`mod@unit`] is the map as a whole, to which changes are made.

use std::cmp::Reverse;
use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use crate::host_ports::DeviceNumber;
pub use access::Maps;
pub use outcome::{Class, class, open_class};
pub use topology::{TopologyError, map_above, map_below, node_of};

mod access;
pub mod any_path;
pub mod control;
pub mod identity;
pub mod lock;
pub mod outcome;
pub mod paths;
mod preempt;
mod register;
mod reserve;
pub mod table;
pub mod topology;
pub mod unit;

/// The number of a block device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockNumber {
    /// Which driver.
    pub major: u64,
    /// Which of its devices.
    pub minor: u64,
}

impl BlockNumber {
    /// What no disk has: the number of a path that is gone, where nothing tells what it was.
    pub const NONE: Self = Self { major: 0, minor: 0 };

    /// The number of the block device whose node `metadata` is of; `None` if it is of none.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let number = metadata.rdev();
        metadata.file_type().is_block_device().then(|| Self {
            major: nix::sys::stat::major(number),
            minor: nix::sys::stat::minor(number),
        })
    }

    /// Reads `MAJOR:MINOR`, as sysfs and the device mapper write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once(':')?;
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        };
        Some(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

impl fmt::Display for BlockNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl From<BlockNumber> for DeviceNumber {
    fn from(BlockNumber { major, minor }: BlockNumber) -> Self {
        Self::Block { major, minor }
    }
}

/// A map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Its name for the device mapper, such as `mpatha`.
    pub name: String,
    /// Its number.
    pub number: BlockNumber,
    /// Whether it is suspended: what is sent to the map itself waits then, or is refused.
    pub suspended: bool,
    /// Its paths, in the order of its table where that is known, else of their names. At least one.
    pub paths: Vec<MapPath>,
}

/// A path of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapPath {
    /// Its name in sysfs, such as `sda`.
    pub name: String,
    /// Its number; [`BlockNumber::NONE`] where it is gone and nothing tells.
    pub number: BlockNumber,
    /// The node to open it by. Whoever does so has to compare the number of what was opened.
    pub node: PathBuf,
    /// What the kernel makes of the device.
    pub state: PathState,
    /// What the target port says about itself, if the kernel asks it (`scsi_dh_alua`). It is what
    /// the kernel saw last.
    pub access: Option<AccessState>,
    /// Whether the target port says that it is the preferred one.
    pub is_preferred: bool,
    /// What the device mapper makes of it, where it may be asked.
    pub dm: Option<DmPath>,
    /// What commands it takes.
    pub kind: PathKind,
    /// Whether the device was deleted while the map still has it. Its name may be another disk's by
    /// now, so it is not to be opened.
    pub is_gone: bool,
}

/// A path in the table of its map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmPath {
    /// Its priority group, from 1.
    pub group: u32,
    /// Its place in that, from 0.
    pub order: u32,
    /// Whether the device mapper sends nothing to it, for it has failed.
    pub is_failed: bool,
}

/// What commands a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Those of SCSI.
    Scsi,
    /// Those of NVM Express: registrations belong to the host then, not to the path.
    Nvme,
    /// Neither.
    Other,
}

/// The attribute `state` of a SCSI device (`sdev_states` in drivers/scsi/scsi_sysfs.c). The states
/// of NVMe controllers (drivers/nvme/host/sysfs.c) stand beside those that mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathState {
    /// Commands are sent. NVMe: `live`.
    Running,
    /// Given up, by error recovery or by hand. NVMe: `dead`.
    Offline,
    /// The transport has given up the port.
    TransportOffline,
    /// Commands wait until the transport is there again, or gives up. NVMe: `connecting` and
    /// `resetting`.
    Blocked,
    /// The same, for a device that is not all there yet.
    CreatedBlocked,
    /// Commands wait until something in the kernel lets them go on.
    Quiesce,
    /// It is being deleted. NVMe: `deleting`.
    Cancel,
    /// It has been deleted.
    Deleted,
    /// It is not all there yet. NVMe: `new`.
    Created,
    /// The kernel does not tell, or in words that are not known.
    Unknown,
}

impl PathState {
    /// Reads the kernel's word.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "running" | "live" => Self::Running,
            "offline" | "dead" => Self::Offline,
            "transport-offline" => Self::TransportOffline,
            "blocked" | "connecting" | "resetting" => Self::Blocked,
            "created-blocked" => Self::CreatedBlocked,
            "quiesce" => Self::Quiesce,
            "cancel" | "deleting" | "deleting (no IO)" => Self::Cancel,
            "deleted" => Self::Deleted,
            "created" | "new" => Self::Created,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for PathState {
    /// The kernel's word for a SCSI device.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Offline => "offline",
            Self::TransportOffline => "transport-offline",
            Self::Blocked => "blocked",
            Self::CreatedBlocked => "created-blocked",
            Self::Quiesce => "quiesce",
            Self::Cancel => "cancel",
            Self::Deleted => "deleted",
            Self::Created => "created",
            Self::Unknown => "unknown",
        })
    }
}

/// The asymmetric access state of a target port (SPC-5 5.18.2), as the attribute `access_state` has
/// it (`sdev_access_states` in drivers/scsi/scsi_sysfs.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessState {
    /// The best way to the logical unit.
    Optimized,
    /// As able, but slower.
    NonOptimized,
    /// Depends on the logical block.
    LbaDependent,
    /// Takes few commands, PERSISTENT RESERVE among them.
    Standby,
    /// Takes fewer.
    Unavailable,
    /// Not to be reached.
    Offline,
    /// On the way from one state to another.
    Transitioning,
}

impl AccessState {
    const ALL: [Self; 7] = [
        Self::Optimized,
        Self::NonOptimized,
        Self::LbaDependent,
        Self::Standby,
        Self::Unavailable,
        Self::Offline,
        Self::Transitioning,
    ];

    /// Reads the kernel's words.
    #[must_use]
    pub fn from_words(words: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.words() == words)
    }

    /// The kernel's words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Optimized => "active/optimized",
            Self::NonOptimized => "active/non-optimized",
            Self::LbaDependent => "lba-dependent",
            Self::Standby => "standby",
            Self::Unavailable => "unavailable",
            Self::Offline => "offline",
            Self::Transitioning => "transitioning",
        }
    }
}

impl fmt::Display for AccessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Whether commands are sent through `path` at all. Not through one that the kernel answers for
/// itself, or that is not there any more.
#[must_use]
pub fn is_tried(path: &MapPath) -> bool {
    !path.is_gone && state_rank(path.state).is_some()
}

/// The paths that commands are sent through, as indices into `paths`: the one to begin with first.
///
/// Those that run come before all others, and last those whose commands would wait in the kernel.
/// Within these the device mapper's word counts more than that of the target port, for it has had
/// commands fail; then come group and place in the table, and at last the name.
#[must_use]
pub fn by_rank(paths: &[MapPath]) -> Vec<usize> {
    let mut ranked: Vec<_> = paths
        .iter()
        .enumerate()
        .filter(|(_, path)| is_tried(path))
        .map(|(index, path)| {
            let is_failed = path.dm.is_some_and(|dm| dm.is_failed);
            let place = path.dm.map_or((u32::MAX, 0), |dm| (dm.group, dm.order));
            let key = (
                state_rank(path.state),
                is_failed,
                access_rank(path.access),
                Reverse(path.is_preferred),
                place,
                name_rank(&path.name),
            );
            (key, index)
        })
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, index)| index).collect()
}

/// `None` for a state in which the kernel sends no command.
const fn state_rank(state: PathState) -> Option<u8> {
    match state {
        PathState::Running => Some(0),
        PathState::Unknown => Some(1),
        PathState::Created => Some(2),
        PathState::Blocked | PathState::CreatedBlocked | PathState::Quiesce => Some(3),
        PathState::Offline
        | PathState::TransportOffline
        | PathState::Cancel
        | PathState::Deleted => None,
    }
}

/// Without a state there is nothing against the path; a standby port takes fewer commands.
const fn access_rank(access: Option<AccessState>) -> u8 {
    match access {
        Some(AccessState::Optimized) => 0,
        Some(AccessState::NonOptimized) => 1,
        Some(AccessState::LbaDependent) => 2,
        None => 3,
        Some(AccessState::Standby) => 4,
        Some(AccessState::Transitioning) => 5,
        Some(AccessState::Unavailable) => 6,
        Some(AccessState::Offline) => 7,
    }
}

/// The order of names: `sdz` before `sdaa`.
const fn name_rank(name: &str) -> (usize, &str) {
    (name.len(), name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn path(name: &str) -> MapPath {
        MapPath {
            name: name.to_owned(),
            number: BlockNumber { major: 8, minor: 0 },
            node: PathBuf::from("/dev").join(name),
            state: PathState::Running,
            access: None,
            is_preferred: false,
            dm: None,
            kind: PathKind::Scsi,
            is_gone: false,
        }
    }

    fn ranked(paths: &[MapPath]) -> Vec<&str> {
        let names = by_rank(paths).into_iter();
        names.map(|index| &paths[index].name[..]).collect()
    }

    #[test]
    fn numbers() {
        let number = BlockNumber {
            major: 253,
            minor: 1_048_575,
        };
        assert_eq!(BlockNumber::parse("253:1048575"), Some(number));
        assert_eq!(number.to_string(), "253:1048575");
        for text in [
            "", ":", "8", "8:", ":0", "8:0:1", "a:0", "8:b", "-8:0", "+8:0", " 8:0",
        ] {
            assert_eq!(BlockNumber::parse(text), None, "{text}");
        }
        assert_eq!(
            DeviceNumber::from(number),
            DeviceNumber::Block {
                major: 253,
                minor: 1_048_575
            }
        );
        for no_block_device in ["/dev/null", "/"] {
            let metadata = fs::metadata(no_block_device).unwrap();
            assert_eq!(BlockNumber::of(&metadata), None);
        }
    }

    #[test]
    fn states_are_the_words_of_the_kernel() {
        for word in [
            "running",
            "offline",
            "transport-offline",
            "blocked",
            "created-blocked",
            "quiesce",
            "cancel",
            "deleted",
            "created",
        ] {
            assert_eq!(PathState::from_word(word).to_string(), word);
        }
        for word in ["", "Running", "running ", "unknown", "frozen"] {
            assert_eq!(PathState::from_word(word), PathState::Unknown);
        }
        for (word, state) in [
            ("live", PathState::Running),
            ("connecting", PathState::Blocked),
            ("resetting", PathState::Blocked),
            ("deleting", PathState::Cancel),
            ("deleting (no IO)", PathState::Cancel),
            ("dead", PathState::Offline),
            ("new", PathState::Created),
        ] {
            assert_eq!(PathState::from_word(word), state);
        }
        for words in [
            "active/optimized",
            "active/non-optimized",
            "standby",
            "unavailable",
            "lba-dependent",
            "offline",
            "transitioning",
        ] {
            assert_eq!(
                AccessState::from_words(words).map(|state| state.to_string()),
                Some(words.to_owned())
            );
        }
        assert_eq!(AccessState::from_words(""), None);
        assert_eq!(AccessState::from_words("active"), None);
    }

    #[test]
    fn what_is_tried() {
        for (state, expected) in [
            (PathState::Running, true),
            (PathState::Unknown, true),
            (PathState::Created, true),
            (PathState::Blocked, true),
            (PathState::CreatedBlocked, true),
            (PathState::Quiesce, true),
            (PathState::Offline, false),
            (PathState::TransportOffline, false),
            (PathState::Cancel, false),
            (PathState::Deleted, false),
        ] {
            let mut path = path("sda");
            path.state = state;
            assert_eq!(is_tried(&path), expected, "{state}");
            assert_eq!(by_rank(&[path.clone()]).is_empty(), !expected);
            path.is_gone = true;
            assert!(!is_tried(&path));
            assert!(by_rank(&[path]).is_empty());
        }
    }

    #[test]
    fn running_before_all() {
        let states = [
            PathState::Blocked,
            PathState::Unknown,
            PathState::Offline,
            PathState::Created,
            PathState::Running,
        ];
        let mut paths: Vec<_> = ["sda", "sdb", "sdc", "sdd", "sde"].map(path).into();
        for (path, state) in paths.iter_mut().zip(states) {
            path.state = state;
        }
        // Whatever the others have for them.
        paths[0].access = Some(AccessState::Optimized);
        paths[4].access = Some(AccessState::Unavailable);
        assert_eq!(ranked(&paths), ["sde", "sdb", "sdd", "sda"]);
    }

    #[test]
    fn failed_paths_come_later() {
        let dm = |group, order, is_failed| {
            Some(DmPath {
                group,
                order,
                is_failed,
            })
        };
        let mut paths = ["sda", "sdb", "sdc", "sdd"].map(path);
        paths[0].dm = dm(1, 0, true);
        paths[0].access = Some(AccessState::Optimized);
        paths[1].dm = dm(2, 1, false);
        paths[2].dm = dm(2, 0, false);
        paths[3].dm = dm(1, 1, false);
        assert_eq!(ranked(&paths), ["sdd", "sdc", "sdb", "sda"]);
        // One that is not in the table yet.
        paths[3].dm = None;
        assert_eq!(ranked(&paths), ["sdc", "sdb", "sdd", "sda"]);
    }

    #[test]
    fn access_states_in_order() {
        let order = [
            Some(AccessState::Optimized),
            Some(AccessState::NonOptimized),
            Some(AccessState::LbaDependent),
            None,
            Some(AccessState::Standby),
            Some(AccessState::Transitioning),
            Some(AccessState::Unavailable),
            Some(AccessState::Offline),
        ];
        let mut paths: Vec<_> = order
            .into_iter()
            .rev()
            .map(|access| MapPath {
                access,
                ..path("sda")
            })
            .collect();
        let ranked: Vec<_> = by_rank(&paths)
            .into_iter()
            .map(|index| paths[index].access)
            .collect();
        assert_eq!(ranked, order);
        // Among equals the preferred one.
        paths[3].access = Some(AccessState::Optimized);
        paths[3].is_preferred = true;
        assert_eq!(by_rank(&paths)[..2], [3, 7]);
    }

    #[test]
    fn names_in_the_order_of_the_kernel() {
        let paths = ["sdaa", "sdb", "sdz", "sda"].map(path);
        assert_eq!(ranked(&paths), ["sda", "sdb", "sdz", "sdaa"]);
    }
}
