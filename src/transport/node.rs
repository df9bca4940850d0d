//! Device nodes: what they are, and the opening of all kinds of them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::nvme::translator::Translator;
use super::nvme::{NoPath, Nvme};
use super::sgio::SgIo;
use super::{Access, Open, Transport, ioctl};

/// The major number of sg nodes, of `<linux/major.h>`.
const SCSI_GENERIC_MAJOR: u64 = 21;

/// The major number of block devices whose driver has none of its own, of `<linux/major.h>`:
/// NVMe namespaces, and partitions of anything.
const BLOCK_EXT_MAJOR: u64 = 259;

/// What a device node turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeKind {
    /// `/dev/sgN`.
    Sg,
    /// `/dev/bsg/H:C:T:L`.
    Bsg,
    /// A block device.
    Block,
    /// `/dev/nvmeX`: an NVMe controller.
    NvmeController,
    /// `/dev/nvmeXnY`, or a partition on it.
    NvmeBlock {
        /// The namespace's number in its subsystem; [`NodeKind::UNKNOWN_NAMESPACE`] where no path
        /// to it was usable when the node was opened.
        namespace: u32,
    },
    /// `/dev/ngXnY`.
    NvmeGeneric {
        /// Likewise.
        namespace: u32,
    },
    /// Another character device.
    Character,
    /// Something else, such as a file.
    #[default]
    Other,
}

impl NodeKind {
    /// The number that no namespace has (NVM Express Base, NSID).
    pub const UNKNOWN_NAMESPACE: u32 = 0;

    /// Whether it takes NVMe commands.
    #[must_use]
    pub const fn is_nvme(self) -> bool {
        matches!(
            self,
            Self::NvmeController | Self::NvmeBlock { .. } | Self::NvmeGeneric { .. }
        )
    }
}

/// What is known of the node that commands go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its kind.
    pub kind: NodeKind,
    /// The major number of bsg nodes, where it had to be looked up.
    pub bsg_major: Option<u64>,
    /// The major and the minor number of a block device.
    pub block: Option<(u64, u64)>,
}

/// Opens device nodes of this machine.
#[derive(Clone, Copy, Debug)]
pub struct LinuxDevices;

impl LinuxDevices {
    /// A way through the device node that `file` has open: what may be sent depends on how it was
    /// opened, as with [`Open::open`].
    ///
    /// # Errors
    /// What the operating system says when it is asked what the node is.
    pub fn through(self, file: File) -> io::Result<Box<dyn Transport + Send>> {
        // The name is but for people who took a controller's node.
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let device = fs::read_link(link).unwrap_or_else(|_| "/dev/nvmeX".into());
        transport(file, &device)
    }
}

impl Open for LinuxDevices {
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>> {
        let file = open_file(device, access)?;
        Ok(transport(file, device)?)
    }
}

/// The way through the open node called `device`.
fn transport(file: File, device: &Path) -> io::Result<Box<dyn Transport + Send>> {
    let node = node(&file)?;
    Ok(match node.kind {
        NodeKind::NvmeBlock {
            namespace: NodeKind::UNKNOWN_NAMESPACE,
        }
        | NodeKind::NvmeGeneric {
            namespace: NodeKind::UNKNOWN_NAMESPACE,
        } => Box::new(Translator::new(NoPath, node, device)),
        kind if kind.is_nvme() => Box::new(Translator::new(Nvme::new(file), node, device)),
        _ => Box::new(SgIo::new(file, node)),
    })
}

/// Opens `device` without waiting for it to become ready (O_NONBLOCK), and not for programs that
/// this one might start (O_CLOEXEC).
pub(crate) fn open_file(device: &Path, access: Access) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(access == Access::ReadWrite)
        .custom_flags(libc::O_NONBLOCK)
        .open(device)
}

/// What the open `file` is.
fn node(file: &File) -> io::Result<Node> {
    let metadata = file.metadata()?;
    let major = nix::sys::stat::major(metadata.rdev());
    let mut numbers = None;
    let (kind, bsg_major) = if metadata.file_type().is_block_device() {
        numbers = Some((major, nix::sys::stat::minor(metadata.rdev())));
        let namespace = match major {
            BLOCK_EXT_MAJOR => namespace(ioctl::nvme_namespace(file.as_fd())).ok(),
            _ => None,
        };
        (block(namespace), None)
    } else if !metadata.file_type().is_char_device() {
        (NodeKind::Other, None)
    } else if major == SCSI_GENERIC_MAJOR {
        (NodeKind::Sg, None)
    } else {
        // The kernel chooses these numbers when it starts.
        let devices = fs::read_to_string("/proc/devices").unwrap_or_default();
        let is = |name| character_major(&devices, name) == Some(major);
        let kind = if is("bsg") {
            NodeKind::Bsg
        } else if is("nvme-generic") {
            let namespace = namespace(ioctl::nvme_namespace(file.as_fd()))?;
            NodeKind::NvmeGeneric { namespace }
        } else if is("nvme") {
            NodeKind::NvmeController
        } else {
            NodeKind::Character
        };
        (kind, character_major(&devices, "bsg"))
    };
    Ok(Node {
        kind,
        bsg_major,
        block: numbers,
    })
}

fn block(namespace: Option<u32>) -> NodeKind {
    namespace.map_or(NodeKind::Block, |namespace| NodeKind::NvmeBlock {
        namespace,
    })
}

/// The namespace, by the answer to NVME_IOCTL_ID. A multipath node without a usable path refuses
/// every request with EAGAIN, this one too; drivers of other devices have other errors.
fn namespace(answer: io::Result<u32>) -> io::Result<u32> {
    match answer {
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Ok(NodeKind::UNKNOWN_NAMESPACE),
        answer => answer,
    }
}

/// The major number of the character devices called `name`, by what `/proc/devices` holds.
fn character_major(devices: &str, name: &str) -> Option<u64> {
    let characters = devices.split("Block devices:").next()?;
    characters.lines().find_map(|line| {
        let (major, listed) = line.trim_start().split_once(' ')?;
        (listed == name).then(|| major.parse().ok())?
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transport::{Command, Data};

    const DEVICES: &str = "Character devices:\n  1 mem\n 21 sg\n243 nvme-generic\n244 nvme\n248 bsg\n\n\
         Block devices:\n259 blkext\n  8 bsg\n  9 nvme\n";

    #[test]
    fn majors_are_those_of_the_character_devices() {
        let major = |name| character_major(DEVICES, name);
        assert_eq!(major("bsg"), Some(248));
        assert_eq!(major("nvme"), Some(244));
        assert_eq!(major("nvme-generic"), Some(243));
        assert_eq!(major("blkext"), None);
        let none = "Character devices:\n\nBlock devices:\n  8 bsg\n";
        assert_eq!(character_major(none, "bsg"), None);
        assert_eq!(character_major("", "bsg"), None);
    }

    #[test]
    fn a_node_without_a_path_is_an_nvme_node_all_the_same() {
        let asked = |answer: Result<u32, i32>| {
            block(namespace(answer.map_err(io::Error::from_raw_os_error)).ok())
        };
        assert_eq!(asked(Ok(3)), NodeKind::NvmeBlock { namespace: 3 });
        assert_eq!(
            asked(Err(libc::EAGAIN)),
            NodeKind::NvmeBlock { namespace: 0 }
        );
        // Other block drivers that share the major number.
        for errno in [libc::ENOTTY, libc::EINVAL, libc::EPERM] {
            assert_eq!(asked(Err(errno)), NodeKind::Block);
        }
    }

    #[test]
    fn an_open_node_is_what_it_would_be_by_its_name() {
        let device = LinuxDevices.through(File::open("/dev/null").unwrap());
        assert_eq!(device.unwrap().node().kind, NodeKind::Character);
    }

    #[test]
    fn a_file_takes_no_command() {
        let mut device = LinuxDevices
            .open(Path::new("/dev/null"), Access::ReadOnly)
            .unwrap();
        assert_eq!(device.node().kind, NodeKind::Character);
        let error = device
            .execute(Command {
                cdb: crate::scsi::inquiry::cdb(),
                data: Data::In(&mut [0; 36]),
                timeout: Duration::from_secs(60),
            })
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }
}
