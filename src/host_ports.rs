//! The initiator ports of this host, as sysfs tells of them.
//!
//! Only names are read; no device is touched. What cannot be told is left out: a port that is
//! missing here is not known, not foreign.
//!
//! | transport of the device | ports |
//! |---|---|
//! | iSCSI | each `class/iscsi_session/sessionN`: `initiatorname` and `isid`, or the name that `class/iscsi_host/hostN` has |
//! | Fibre Channel | each `class/fc_host/hostN`: `port_name` |
//! | SAS | each `class/sas_phy/phy-H:P`, but not those of expanders: `sas_address` |
//! | NVMe over Fabrics | `hostid` of each controller that leads to the namespace |
//!
//! Nothing is told of SRP (the initiator extension is not in sysfs), of the loopback fabric (its
//! nexus is known to configfs alone), nor of the buses without names: USB, virtio, parallel SCSI,
//! NVMe over PCI Express.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::pr::transport_id::{TransportId, hex_number, is_iscsi_name};

mod path;

pub use path::{PathPorts, path_ports};

/// Where sysfs is mounted.
pub const SYSFS: &str = "/sys";

/// The largest attribute: a page.
const ATTRIBUTE_LENGTH: u64 = 4096;
/// The entries of a directory that are looked at: more sessions than hosts have.
const ENTRIES: usize = 4096;
/// How many devices may stand on each other: a logical volume on a map on paths, and some more.
const DEPTH: u8 = 8;

/// The number of a device node, by which sysfs knows the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceNumber {
    /// Of a block device: a disk, a partition, or what is mapped onto them.
    Block {
        /// Which driver.
        major: u64,
        /// Which of its devices.
        minor: u64,
    },
    /// Of a character device, such as `/dev/sgN` or `/dev/bsg/H:C:T:L`.
    Character {
        /// Which driver.
        major: u64,
        /// Which of its devices.
        minor: u64,
    },
}

impl DeviceNumber {
    /// The number of the node that `metadata` is of; `None` if it is not a device node.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let number = metadata.rdev();
        let major = nix::sys::stat::major(number);
        let minor = nix::sys::stat::minor(number);
        let file_type = metadata.file_type();
        if file_type.is_block_device() {
            Some(Self::Block { major, minor })
        } else if file_type.is_char_device() {
            Some(Self::Character { major, minor })
        } else {
            None
        }
    }

    /// The link to the device's directory.
    fn link(self, sysfs: &Path) -> PathBuf {
        let (kind, major, minor) = match self {
            Self::Block { major, minor } => ("block", major, minor),
            Self::Character { major, minor } => ("char", major, minor),
        };
        sysfs.join(format!("dev/{kind}/{major}:{minor}"))
    }
}

/// The initiator ports of this host on the transport that leads to the device whose node `metadata`
/// is of, as [`own_ports`] has them; none where it is no device node.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let ports = sg_persist::host_ports::of(&std::fs::metadata("/dev/sda")?);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn of(metadata: &Metadata) -> Vec<TransportId> {
    let number = DeviceNumber::of(metadata);
    number.map_or_else(Vec::new, |number| own_ports(Path::new(SYSFS), number))
}

/// The initiator ports of this host on the transport that leads to the device `number`, by the
/// directory tree `sysfs` (for a program: [`SYSFS`]). In no order, each at least once.
///
/// All ports, not only the one on the way to this device: what another path to the same logical
/// unit has registered is this host's, too. A device that stands on others, as a multipath map
/// stands on its paths, has the ports of all their transports. An iSCSI session whose ISID is not
/// told gives the name of the initiator alone, by which [`is_own`] knows all ports of it.
///
/// The list is empty where sysfs does not tell. That is no error: it decides about nothing but a
/// mark in a table.
#[must_use]
pub fn own_ports(sysfs: &Path, number: DeviceNumber) -> Vec<TransportId> {
    let class = sysfs.join("class");
    let mut found = Found::default();
    if let Ok(device) = number.link(sysfs).canonicalize() {
        collect(&class, &device, DEPTH, &mut BTreeSet::new(), &mut found);
    }
    let ports = found.fabrics.into_iter();
    let ports = ports.flat_map(|fabric| fabric.ports(&class));
    ports.chain(found.nvme_hosts).collect()
}

/// A transport whose ports have names in sysfs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fabric {
    Iscsi,
    FibreChannel,
    Sas,
}

/// What leads to a device.
#[derive(Default)]
struct Found {
    fabrics: Vec<Fabric>,
    nvme_hosts: Vec<TransportId>,
}

/// Adds the transports that lead to `device`, a directory without links in its name.
fn collect(
    class: &Path,
    device: &Path,
    depth: u8,
    seen: &mut BTreeSet<PathBuf>,
    found: &mut Found,
) {
    // Devices that share what is below them make many ways to it; one is enough.
    if depth == 0 || seen.len() >= ENTRIES || !seen.insert(device.to_owned()) {
        return;
    }
    let known = &mut found.fabrics;
    if let Some(fabric) = Fabric::of(class, device).filter(|fabric| !known.contains(fabric)) {
        known.push(fabric);
    }
    found.nvme_hosts.extend(nvme_hosts(device));
    let below = device.join("slaves");
    for name in entries(&below) {
        if let Ok(device) = below.join(name).canonicalize() {
            collect(class, &device, depth - 1, seen, found);
        }
    }
}

impl Fabric {
    /// The transport of the SCSI host that `device` hangs on.
    fn of(class: &Path, device: &Path) -> Option<Self> {
        let names: Vec<&str> = device
            .components()
            .filter_map(|component| component.as_os_str().to_str())
            .collect();
        // The last one: the host of a virtual Fibre Channel port hangs on that of the real one.
        let place = names.iter().rposition(|name| is_numbered(name, "host"))?;
        let below = names.get(place + 1)?;
        if is_numbered(below, "session") {
            Some(Self::Iscsi)
        } else if below.starts_with("port-") {
            Some(Self::Sas)
        } else {
            let host = class.join("fc_host").join(names[place]);
            host.is_dir().then_some(Self::FibreChannel)
        }
    }

    /// All ports of this host.
    fn ports(self, class: &Path) -> Vec<TransportId> {
        match self {
            Self::Iscsi => entries(&class.join("iscsi_session"))
                .filter_map(|session| iscsi(class, &session))
                .collect(),
            Self::FibreChannel => entries(&class.join("fc_host"))
                .filter_map(|host| {
                    world_wide_name(&class.join("fc_host").join(host).join("port_name"))
                })
                .map(TransportId::fcp)
                .collect(),
            // phy-H:P is on host H, phy-H:E:P on an expander.
            Self::Sas => entries(&class.join("sas_phy"))
                .filter(|phy| phy.matches(':').count() == 1)
                .filter_map(|phy| {
                    world_wide_name(&class.join("sas_phy").join(phy).join("sas_address"))
                })
                .map(TransportId::sas)
                .collect(),
        }
    }
}

/// What this host is called on the controllers that lead to an NVMe namespace. A namespace hangs on
/// its controller; with the kernel's own multipathing on the subsystem, with links to the
/// controllers beside it.
fn nvme_hosts(device: &Path) -> Vec<TransportId> {
    let named = |directory: &Path, word| {
        let name = directory.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| is_numbered(name, word))
    };
    let mut controllers = Vec::new();
    for directory in device.ancestors() {
        if named(directory, "nvme") {
            controllers.push(directory.to_owned());
        } else if named(directory, "nvme-subsys") {
            let names = entries(directory).filter(|name| is_numbered(name, "nvme"));
            controllers.extend(names.map(|name| directory.join(name)));
        }
    }
    let identifier = |controller: PathBuf| {
        let uuid = attribute(&controller.join("hostid"))?;
        let digits: Vec<u8> = uuid.into_iter().filter(|&byte| byte != b'-').collect();
        let identifier: [u8; 16] = hex::decode(digits).ok()?.try_into().ok()?;
        TransportId::nvme_host(&identifier)
    };
    controllers.into_iter().filter_map(identifier).collect()
}

/// The port of a session; the initiator where the session does not tell its ISID, as those of the
/// kernel's software initiator do not.
fn iscsi(class: &Path, session: &str) -> Option<TransportId> {
    let session = class.join("iscsi_session").join(session);
    let name_in = |directory: PathBuf| {
        attribute(&directory.join("initiatorname")).filter(|name| is_iscsi_name(name))
    };
    // Adapters that speak iSCSI themselves may keep the name with the host.
    let name = name_in(session.clone()).or_else(|| {
        let session = session.canonicalize().ok()?;
        let mut names = session.iter().filter_map(|name| name.to_str());
        let host = names.rfind(|name| is_numbered(name, "host"))?;
        name_in(class.join("iscsi_host").join(host))
    })?;
    let port = number(&session.join("isid"))
        .filter(|isid| isid >> 48 == 0)
        .map(|isid| [&name[..], format!(",i,0x{isid:012x}").as_bytes()].concat());
    TransportId::iscsi(&port.unwrap_or(name)).ok()
}

/// Whether `name` is `word` and a number.
fn is_numbered(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// The names in a directory; none if there is no such directory.
pub(crate) fn entries(directory: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .take(ENTRIES)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// What an attribute holds, without the white space around it.
pub(crate) fn attribute(path: &Path) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    let file = File::open(path).ok()?;
    file.take(ATTRIBUTE_LENGTH).read_to_end(&mut value).ok()?;
    Some(value.trim_ascii().to_vec())
}

/// An attribute of hex digits, with or without `0x`.
fn number(path: &Path) -> Option<u64> {
    let value = attribute(path)?;
    hex_number(value.strip_prefix(b"0x").unwrap_or(&value))
}

/// A name of eight bytes, in hex. None has all bits alike: drivers that know no name leave such.
fn world_wide_name(path: &Path) -> Option<u64> {
    number(path).filter(|&name| name != 0 && name != u64::MAX)
}

/// Whether `id`, as a device server gives it, is one of the initiator ports `own` of this host, by
/// [`TransportId::is_same_port`].
#[must_use]
pub fn is_own(own: &[TransportId], id: &TransportId) -> bool {
    own.iter().any(|own| own.is_same_port(id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

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
            let name = format!("sg_persist-own_ports-{}-{count}", std::process::id());
            let root = std::env::temp_dir().join(name);
            fs::create_dir(&root).unwrap();
            Self(root)
        }

        fn directory(&self, path: &str) {
            fs::create_dir_all(self.0.join(path)).unwrap();
        }

        fn file(&self, path: &str, content: impl AsRef<[u8]>) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn link(&self, path: &str, target: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(self.0.join(target), path).unwrap();
        }

        /// The disk with this number, at this place below `devices`.
        fn disk(&self, number: &str, place: &str) {
            self.directory(&format!("devices/{place}"));
            self.link(&format!("dev/block/{number}"), &format!("devices/{place}"));
        }

        /// A session, at its place below the host of the same number less one.
        fn session(&self, number: u8, name: &str) {
            let place = format!(
                "devices/platform/host{}/session{number}/iscsi_session/session{number}",
                number - 1
            );
            self.file(&format!("{place}/initiatorname"), format!("{name}\n"));
            let link = format!("class/iscsi_session/session{number}");
            if !self.0.join(&link).exists() {
                self.link(&link, &place);
            }
        }

        fn of(&self, major: u64, minor: u64) -> Vec<String> {
            sorted(&own_ports(&self.0, DeviceNumber::Block { major, minor }))
        }
    }

    fn sorted(ids: &[TransportId]) -> Vec<String> {
        let mut arguments: Vec<_> = ids.iter().map(TransportId::to_argument).collect();
        arguments.sort();
        arguments
    }

    const HOST: &str = "11111111-2222-4333-8444-55555555aaaa";

    fn nvme_host(last: &str) -> String {
        let first = last.chars().next().unwrap();
        let id = format!("11111111222243338444{}{first}{last}", "5".repeat(8));
        let id = TransportId::nvme_host(&hex::decode(id).unwrap()).unwrap();
        id.to_argument()
    }

    #[test]
    fn the_host_of_an_nvme_namespace() {
        let sysfs = Sysfs::new();
        let place = "virtual/nvme-fabrics/ctl/nvme0";
        sysfs.disk("259:1", &format!("{place}/nvme0n1"));
        sysfs.disk("259:2", &format!("{place}/nvme0n1/nvme0n1p1"));
        sysfs.file(&format!("devices/{place}/hostid"), format!("{HOST}\n"));
        sysfs.link("dev/char/243:0", &format!("devices/{place}/ng0n1"));
        sysfs.directory(&format!("devices/{place}/ng0n1"));
        for minor in [1, 2] {
            assert_eq!(sysfs.of(259, minor), [nvme_host("aaa")]);
        }
        let generic = DeviceNumber::Character {
            major: 243,
            minor: 0,
        };
        assert_eq!(sorted(&own_ports(&sysfs.0, generic)), [nvme_host("aaa")]);
        let own = own_ports(&sysfs.0, generic);
        let id = TransportId::nvme_host(&hex::decode(HOST.replace('-', "")).unwrap()).unwrap();
        assert!(is_own(&own, &id));
        let other = TransportId::nvme_host(&[0x11; 16]).unwrap();
        assert!(!is_own(&own, &other));
    }

    #[test]
    fn the_hosts_of_a_namespace_with_several_controllers() {
        let sysfs = Sysfs::new();
        let place = "virtual/nvme-subsystem/nvme-subsys0";
        sysfs.disk("259:1", &format!("{place}/nvme0n1"));
        for (controller, last) in [(0, 'a'), (1, 'b'), (2, ' ')] {
            let directory = format!("devices/virtual/nvme-fabrics/ctl/nvme{controller}");
            let host = format!("11111111-2222-4333-8444-55555555{last}{last}{last}{last}\n");
            sysfs.file(&format!("{directory}/hostid"), host);
            sysfs.link(&format!("devices/{place}/nvme{controller}"), &directory);
        }
        assert_eq!(sysfs.of(259, 1), [nvme_host("aaa"), nvme_host("bbb")]);
        // A controller on PCI Express has no such attribute.
        sysfs.disk("259:3", "pci0000:00/0000:00:04.0/nvme/nvme7/nvme7n1");
        assert_eq!(sysfs.of(259, 3), [""; 0]);
    }

    const DISK_OF_SESSION: &str = "platform/host0/session1/target0:0:0/0:0:0:0/block/sda";

    #[test]
    fn sessions_of_the_software_initiator_tell_the_name_alone() {
        let sysfs = Sysfs::new();
        sysfs.disk("8:0", DISK_OF_SESSION);
        sysfs.disk("8:1", &format!("{DISK_OF_SESSION}/sda1"));
        sysfs.session(1, "iqn.2026-01.lab:host1");
        sysfs.file("class/iscsi_host/host0/initiatorname", "(null)\n");
        sysfs.file("class/fc_host/host9/port_name", "0x1111111111111112\n");
        assert_eq!(sysfs.of(8, 0), ["iqn.2026-01.lab:host1"]);
        assert_eq!(sysfs.of(8, 1), ["iqn.2026-01.lab:host1"]);
        assert_eq!(sysfs.of(8, 2), [""; 0]);
    }

    #[test]
    fn all_sessions_are_this_hosts() {
        let sysfs = Sysfs::new();
        sysfs.disk("8:0", DISK_OF_SESSION);
        sysfs.session(1, "iqn.2026-01.lab:host1");
        sysfs.session(2, "iqn.2026-01.lab:host2");
        assert_eq!(
            sysfs.of(8, 0),
            ["iqn.2026-01.lab:host1", "iqn.2026-01.lab:host2"]
        );
    }

    #[test]
    fn character_devices() {
        let sysfs = Sysfs::new();
        sysfs.session(7, "iqn.2026-01.lab:host7");
        let unit = "devices/platform/host6/session7/target6:0:0/6:0:0:0";
        for (number, place) in [("21:0", "scsi_generic/sg0"), ("248:5", "bsg/6:0:0:0")] {
            sysfs.directory(&format!("{unit}/{place}"));
            sysfs.link(&format!("dev/char/{number}"), &format!("{unit}/{place}"));
        }
        for (major, minor) in [(21, 0), (248, 5)] {
            let number = DeviceNumber::Character { major, minor };
            let own = own_ports(&sysfs.0, number);
            assert_eq!(sorted(&own), ["iqn.2026-01.lab:host7"]);
            assert_eq!(sysfs.of(major, minor), [""; 0]);
        }
    }

    #[test]
    fn a_session_that_tells_its_isid() {
        let sysfs = Sysfs::new();
        sysfs.disk("8:0", DISK_OF_SESSION);
        sysfs.session(1, "iqn.2026-01.lab:host1");
        for (isid, expected) in [
            ("00023d000001\n", "iqn.2026-01.lab:host1,i,0x00023d000001"),
            ("0x40000137ABCD", "iqn.2026-01.lab:host1,i,0x40000137abcd"),
            ("1000000000000", "iqn.2026-01.lab:host1"),
            ("<NULL>\n", "iqn.2026-01.lab:host1"),
            ("", "iqn.2026-01.lab:host1"),
            ("+1", "iqn.2026-01.lab:host1"),
        ] {
            sysfs.file("class/iscsi_session/session1/isid", isid);
            assert_eq!(sysfs.of(8, 0), [expected], "{isid}");
        }
    }

    #[test]
    fn the_name_that_the_iscsi_host_has() {
        let sysfs = Sysfs::new();
        sysfs.disk("8:0", DISK_OF_SESSION);
        sysfs.file(
            "class/iscsi_host/host0/initiatorname",
            "eui.0123456789ABCDEF\n",
        );
        sysfs.file(
            "class/iscsi_host/host1/initiatorname",
            "eui.1111111111111111\n",
        );
        assert_eq!(sysfs.of(8, 0), [""; 0]);
        sysfs.session(1, "(null)");
        assert_eq!(sysfs.of(8, 0), ["eui.0123456789ABCDEF"]);
        sysfs.session(1, "naa.50000000000000ab");
        assert_eq!(sysfs.of(8, 0), ["naa.50000000000000ab"]);
    }

    #[test]
    fn fibre_channel() {
        let sysfs = Sysfs::new();
        let disk = "host12/rport-12:0-3/target12:0:3/12:0:3:1/block/sdah";
        sysfs.disk("65:240", &format!("pci0000:00/0000:00:03.0/{disk}"));
        sysfs.file("class/fc_host/host12/port_name", "0x2102230425062708\n");
        assert_eq!(sysfs.of(65, 240), ["fcp,2102230425062708"]);
        sysfs.file("class/fc_host/host1/port_name", "0x1111111111111112\n");
        assert_eq!(
            sysfs.of(65, 240),
            ["fcp,1111111111111112", "fcp,2102230425062708"]
        );
    }

    #[test]
    fn a_fibre_channel_host_does_not_speak_for_others() {
        let sysfs = Sysfs::new();
        sysfs.file("class/fc_host/host1/port_name", "0x1111111111111112\n");
        sysfs.disk(
            "8:32",
            "tcm_loop_0/tcm_loop_adapter_0/host2/target2:0:1/2:0:1:0/block/sdc",
        );
        sysfs.disk("8:48", "virtual/block/loop0");
        assert_eq!(sysfs.of(8, 32), [""; 0]);
        assert_eq!(sysfs.of(8, 48), [""; 0]);
    }

    #[test]
    fn a_virtual_fibre_channel_port_hangs_on_a_real_one() {
        let sysfs = Sysfs::new();
        let disk = "vport-2:0-0/host4/rport-4:0-3/target4:0:3/4:0:3:1/block/sda";
        sysfs.disk("8:0", &format!("pci0000:00/0000:00:03.0/host2/{disk}"));
        sysfs.file("class/fc_host/host4/port_name", "0x5002230425062708\n");
        assert_eq!(sysfs.of(8, 0), ["fcp,5002230425062708"]);
    }

    #[test]
    fn the_ports_of_one_path() {
        let sysfs = Sysfs::new();
        let of = |major, minor| {
            let found = path_ports(&sysfs.0, DeviceNumber::Block { major, minor });
            let ports: Vec<String> = found.ports.iter().map(TransportId::to_argument).collect();
            (ports, found.is_one_path)
        };
        // Two ports of Fibre Channel, a disk through each, and a map on both.
        for (host, number, name) in [
            (5, "8:0", "0x2102230425062708"),
            (6, "8:16", "0x2102230425062709"),
        ] {
            let place = format!("pci/host{host}/rport-{host}:0-3/target{host}:0:3/{host}:0:3:1");
            sysfs.disk(number, &format!("{place}/block/disk{host}"));
            sysfs.file(&format!("class/fc_host/host{host}/port_name"), name);
        }
        assert_eq!(of(8, 0), (vec!["fcp,2102230425062708".to_owned()], true));
        assert_eq!(of(8, 16), (vec!["fcp,2102230425062709".to_owned()], true));
        sysfs.disk("253:0", "virtual/block/dm-0");
        for (slave, number) in [("a", "8:0"), ("b", "8:16")] {
            sysfs.link(
                &format!("devices/virtual/block/dm-0/slaves/{slave}"),
                &format!("dev/block/{number}"),
            );
        }
        let (ports, is_one_path) = of(253, 0);
        assert_eq!((ports.len(), is_one_path), (2, false));
        // One port that is not known beside one that is: a command may go through it.
        sysfs.disk("8:64", "pci/host7/target7:0:0/7:0:0:0/block/sde");
        sysfs.link("devices/virtual/block/dm-0/slaves/e", "dev/block/8:64");
        assert_eq!(of(253, 0), (vec![], false));
        // Nor one that has just gone.
        sysfs.disk("253:1", "virtual/block/dm-1");
        sysfs.link("devices/virtual/block/dm-1/slaves/a", "dev/block/8:0");
        assert_eq!(of(253, 1), (vec!["fcp,2102230425062708".to_owned()], true));
        sysfs.link("devices/virtual/block/dm-1/slaves/f", "dev/block/8:80");
        assert_eq!(of(253, 1), (vec![], false));

        // iSCSI: the session that the disk hangs on.
        sysfs.disk("8:32", DISK_OF_SESSION);
        sysfs.session(1, "iqn.2026-01.lab:host1");
        sysfs.session(2, "iqn.2026-01.lab:host1");
        assert_eq!(of(8, 32), (vec!["iqn.2026-01.lab:host1".to_owned()], true));
        sysfs.file("class/iscsi_session/session1/isid", "23d000001");
        assert_eq!(
            of(8, 32).0,
            ["iqn.2026-01.lab:host1,i,0x00023d000001".to_owned()]
        );

        // SAS: the phys of its host; a wide port has one address.
        sysfs.disk(
            "8:48",
            "pci/host1/port-1:0/end_device-1:0/target1:0:0/1:0:0:0/block/sdd",
        );
        for (phy, address, rate) in [
            ("phy-1:0", "0x5000c50105b32002", "12.0 Gbit"),
            ("phy-1:1", "0x5000c50105b32002", "12.0 Gbit"),
            ("phy-1:2", "0x5000c50105b32003", "Unknown"),
            ("phy-2:0", "0x5000c50105b32004", "12.0 Gbit"),
        ] {
            sysfs.file(&format!("class/sas_phy/{phy}/sas_address"), address);
            sysfs.file(&format!("class/sas_phy/{phy}/negotiated_linkrate"), rate);
        }
        assert_eq!(of(8, 48), (vec!["sas,5000c50105b32002".to_owned()], true));
        assert_eq!(of(9, 9), (vec![], true));
    }

    #[test]
    fn the_phys_of_sas_hosts_but_not_of_expanders() {
        let sysfs = Sysfs::new();
        let below = "port-1:0/expander-1:0/port-1:0:2/end_device-1:0:2/target1:0:2/1:0:2:0";
        sysfs.disk("8:16", &format!("pci0000:00/host1/{below}/block/sdb"));
        for (phy, address) in [
            ("phy-1:0", "0x5000c50105b32002\n"),
            ("phy-1:1", "0x5000c50105b32003\n"),
            ("phy-2:0", "0x5000c50105b32004\n"),
            ("phy-1:0:2", "0x5000c50105b32005\n"),
            ("phy-1:2", "0x0000000000000000\n"),
        ] {
            sysfs.file(&format!("class/sas_phy/{phy}/sas_address"), address);
        }
        assert_eq!(
            sysfs.of(8, 16),
            [
                "sas,5000c50105b32002",
                "sas,5000c50105b32003",
                "sas,5000c50105b32004"
            ]
        );
    }

    #[test]
    fn a_map_has_the_ports_of_its_paths() {
        let sysfs = Sysfs::new();
        sysfs.disk("8:0", DISK_OF_SESSION);
        sysfs.disk(
            "8:16",
            "pci0000:00/host5/rport-5:0-3/target5:0:3/5:0:3:1/block/sdb",
        );
        sysfs.session(1, "iqn.2026-01.lab:host1");
        sysfs.file("class/fc_host/host5/port_name", "0x2102230425062708\n");
        sysfs.disk("253:0", "virtual/block/dm-0");
        sysfs.disk("253:1", "virtual/block/dm-1");
        for (slave, number) in [("sda", "8:0"), ("sdb", "8:16")] {
            sysfs.link(
                &format!("devices/virtual/block/dm-0/slaves/{slave}"),
                &format!("dev/block/{number}"),
            );
        }
        // A map on the map, and, as no kernel has it, on itself.
        for slave in ["dm-0", "dm-1"] {
            sysfs.link(
                &format!("devices/virtual/block/dm-1/slaves/{slave}"),
                &format!("devices/virtual/block/{slave}"),
            );
        }
        for minor in [0, 1] {
            assert_eq!(
                sysfs.of(253, minor),
                ["fcp,2102230425062708", "iqn.2026-01.lab:host1"]
            );
        }
    }

    #[test]
    fn odd_content_names_no_port() {
        let sysfs = Sysfs::new();
        sysfs.disk("8:0", DISK_OF_SESSION);
        sysfs.disk("8:16", "pci0000:00/host12/rport-12:0-3/block/sdb");
        sysfs.disk("8:32", "pci0000:00/host13/port-13:0/block/sdc");
        sysfs.disk("8:48", "host/hostess/host0x/session1/block/sdd");
        sysfs.disk("8:64", "host12");
        sysfs.disk("8:80", "host14/session1");
        for content in [
            b"".to_vec(),
            b"0x".to_vec(),
            b"\0\xff\x1b[31m".to_vec(),
            vec![b'f'; 17],
            [b"iqn.".to_vec(), vec![b'x'; 240]].concat(),
            [b"iqn.".to_vec(), vec![b'x'; 100_000]].concat(),
            b"iqn.a\0b".to_vec(),
            b"-1".to_vec(),
            b"0x0".to_vec(),
            b"0xffffffffffffffff\n".to_vec(),
        ] {
            sysfs.file("class/iscsi_session/session1/initiatorname", &content);
            sysfs.file("class/fc_host/host12/port_name", &content);
            sysfs.file("class/sas_phy/phy-13:0/sas_address", &content);
            for minor in [0, 16, 32, 48, 64, 80] {
                assert_eq!(sysfs.of(8, minor), [""; 0], "{minor} {content:?}");
            }
        }
        for path in [
            "iscsi_session/session1/initiatorname",
            "fc_host/host12/port_name",
        ] {
            fs::remove_file(sysfs.0.join("class").join(path)).unwrap();
            sysfs.directory(&format!("class/{path}"));
        }
        assert_eq!(sysfs.of(8, 0), [""; 0]);
        assert_eq!(sysfs.of(8, 16), [""; 0]);
    }

    #[test]
    fn device_numbers() {
        let null = fs::metadata("/dev/null").unwrap();
        assert_eq!(
            DeviceNumber::of(&null),
            Some(DeviceNumber::Character { major: 1, minor: 3 })
        );
        assert_eq!(DeviceNumber::of(&fs::metadata("/").unwrap()), None);
        let block = DeviceNumber::Block {
            major: 259,
            minor: 1_048_575,
        };
        assert_eq!(
            block.link(Path::new("/s")),
            Path::new("/s/dev/block/259:1048575")
        );
    }

    fn iscsi_id(name: &str) -> TransportId {
        TransportId::iscsi(name.as_bytes()).unwrap()
    }

    #[test]
    fn iscsi_ports_are_compared_by_name_and_isid() {
        let port = iscsi_id("iqn.2026-01.lab:a,i,0x00023d00000a");
        let same = [
            "iqn.2026-01.lab:a,i,0x00023d00000a",
            "iqn.2026-01.lab:a,i,0x00023D00000A",
            "IQN.2026-01.lab:A,I,0X23d00000a",
            "iqn.2026-01.lab:a",
        ];
        let others = [
            "iqn.2026-01.lab:a,i,0x00023d00000b",
            "iqn.2026-01.lab:a,i,0x",
            "iqn.2026-01.lab:a,i,0x00023d00000aq",
            "iqn.2026-01.lab:ab,i,0x00023d00000a",
            "iqn.2026-01.lab:",
            ",i,0x00023d00000a",
            "",
        ];
        for name in same {
            assert!(
                is_own(std::slice::from_ref(&port), &iscsi_id(name)),
                "{name}"
            );
        }
        for name in others {
            assert!(
                !is_own(std::slice::from_ref(&port), &iscsi_id(name)),
                "{name}"
            );
        }
        let initiator = [iscsi_id("iqn.2026-01.lab:a")];
        assert!(is_own(&initiator, &port));
        assert!(is_own(&initiator, &iscsi_id("iqn.2026-01.lab:a,i,0xodd")));
        assert!(!is_own(
            &initiator,
            &iscsi_id("iqn.2026-01.lab:b,i,0x00023d00000a")
        ));
    }

    #[test]
    fn padding_does_not_count() {
        let own = [iscsi_id("iqn.2026-01.lab:a,i,0x00023d00000a")];
        let received = |tail: &[u8]| {
            let name = b"iqn.2026-01.lab:a,i,0x00023d00000a";
            let length = u8::try_from(name.len() + tail.len()).unwrap();
            TransportId::received(&[&[0x45, 0, 0, length], &name[..], tail].concat())
        };
        for tail in [&b""[..], b"\0", b"\0\0", b"\0\0\0\0\0\0", b"\0rest"] {
            assert!(is_own(&own, &received(tail)), "{tail:?}");
        }
        assert!(!is_own(&own, &received(b"1")));
    }

    #[test]
    fn other_ports_are_compared_by_their_identifier() {
        let own = [
            TransportId::sas(0x5000_c501_05b3_2002),
            TransportId::fcp(0x2102_2304_2506_2708),
            TransportId::srp([7; 16]),
        ];
        for id in &own {
            assert!(is_own(&own, id));
            assert!(!is_own(&[], id));
        }
        let mut reserved = own[0].as_bytes().to_vec();
        reserved[23] = 0xff;
        assert!(is_own(&own, &TransportId::received(&reserved)));
        for id in [
            TransportId::sas(0x2102_2304_2506_2708),
            TransportId::fcp(0x5000_c501_05b3_2002),
            TransportId::srp([8; 16]),
            TransportId::sbp(0x2102_2304_2506_2708),
            iscsi_id("iqn.2026-01.lab:a"),
        ] {
            assert!(!is_own(&own, &id), "{id:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_nobodys() {
        for bytes in [&[0x0f; 24][..], &[0x85; 24], &[6, 0], &[5], &[]] {
            let id = TransportId::received(bytes);
            assert!(!is_own(std::slice::from_ref(&id), &id), "{bytes:?}");
        }
    }
}
