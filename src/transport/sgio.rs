//! SCSI devices: the Linux SG_IO ioctl.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;

use super::{Command, Completion, Node, NodeKind, Transport, ioctl};

/// Bytes of the buffer that the sg driver has for an open node, unless it is told otherwise
/// (`SG_DEF_RESERVED_SIZE` of `<scsi/sg.h>`).
const SG_DEFAULT_BUFFER: usize = 32_768;

/// Bytes of one with room for the longest answer to any command of ours.
const SG_AMPLE_BUFFER: i32 = 65_536;

/// A device node that takes SG_IO.
#[derive(Debug)]
pub(super) struct SgIo {
    file: File,
    node: Node,
    /// Whether the sg driver has been asked for a larger buffer.
    has_ample_buffer: bool,
}

impl SgIo {
    pub(super) const fn new(file: File, node: Node) -> Self {
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

/// Three numbers with dots between them.
fn parse_version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text.trim().splitn(3, '.').map(|number| number.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_three_numbers() {
        assert_eq!(parse_version("3.5.36\n"), Some([3, 5, 36]));
        assert_eq!(parse_version("3.5"), None);
        assert_eq!(parse_version("3.5.x"), None);
    }
}
