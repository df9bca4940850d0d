//! SCSI devices: the Linux SG_IO ioctl, and the opening of all kinds of device nodes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::nvme::{NoPath, Nvme};
use super::translation::Translator;
use super::{Access, Command, Completion, Node, NodeKind, Open, Transport, ioctl};

/// The major number of sg nodes, of `<linux/major.h>`.
const SCSI_GENERIC_MAJOR: u64 = 21;

/// The major number of block devices whose driver has none of its own, of `<linux/major.h>`:
/// NVMe namespaces, and partitions of anything.
const BLOCK_EXT_MAJOR: u64 = 259;

/// Bytes of the buffer that the sg driver has for an open node, unless it is told otherwise
/// (`SG_DEF_RESERVED_SIZE` of `<scsi/sg.h>`).
const SG_DEFAULT_BUFFER: usize = 32_768;

/// Bytes of one with room for the longest answer to any command of ours.
const SG_AMPLE_BUFFER: i32 = 65_536;

/// A device node that takes SG_IO.
#[derive(Debug)]
pub struct SgIo {
    file: File,
    node: Node,
    /// Whether the sg driver has been asked for a larger buffer.
    has_ample_buffer: bool,
}

/// Opens device nodes of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Kernel;

impl Open for Kernel {
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>> {
        let file = open_file(device, access)?;
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
}

/// Opens `device` without waiting for it to become ready (O_NONBLOCK), and not for programs that
/// this one might start (O_CLOEXEC).
fn open_file(device: &Path, access: Access) -> io::Result<File> {
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
    let (kind, bsg_major) = if metadata.file_type().is_block_device() {
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
    Ok(Node { kind, bsg_major })
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

impl SgIo {
    /// Opens `device`, whatever it is, for SCSI commands.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(device: &Path, access: Access) -> io::Result<Self> {
        let file = open_file(device, access)?;
        let node = node(&file)?;
        Ok(Self::new(file, node))
    }

    const fn new(file: File, node: Node) -> Self {
        Self {
            file,
            node,
            has_ample_buffer: false,
        }
    }

    /// Makes the sg driver move data of `length` bytes through the one buffer that it keeps for this
    /// node, in which it shows what a command did not write. Where it will not, the command is sent
    /// all the same.
    fn keep_buffer(&mut self, length: usize) {
        if length > SG_DEFAULT_BUFFER && !self.has_ample_buffer {
            self.has_ample_buffer = true;
            let _ = ioctl::sg_reserve(self.file.as_fd(), SG_AMPLE_BUFFER);
        }
    }
}

impl Transport for SgIo {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        if self.node.kind == NodeKind::Sg {
            self.keep_buffer(command.data.len());
        }
        match self.node.kind {
            NodeKind::Bsg => ioctl::sg_io_v4(self.file.as_fd(), command),
            _ => ioctl::sg_io_v3(self.file.as_fd(), command),
        }
    }

    fn node(&self) -> Node {
        self.node
    }

    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        if self.node.kind != NodeKind::Sg {
            return None;
        }
        parse_version(&fs::read_to_string("/sys/module/sg/version").ok()?)
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

/// Three numbers with dots between them.
fn parse_version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text.trim().splitn(3, '.').map(|number| number.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::super::Data;
    use super::*;

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
    fn versions_have_three_numbers() {
        assert_eq!(parse_version("3.5.36\n"), Some([3, 5, 36]));
        assert_eq!(parse_version("3.5"), None);
        assert_eq!(parse_version("3.5.x"), None);
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
    fn a_file_takes_no_command() {
        let mut device = SgIo::open(Path::new("/dev/null"), Access::ReadOnly).unwrap();
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
