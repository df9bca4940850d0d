//! Carrying a command to a device server and its completion back.
//!
//! [`Transport`] is the one place where programs and tests differ. [`LinuxDevices`] opens device
//! nodes: SCSI devices take SG_IO, and in front of NVMe namespaces [`nvme::translator`] speaks for
//! the device server. [`Completion`] is how a command ended, [`CommandError`] why it failed.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::pr::transport_id::TransportId;
use crate::scsi::cdb::Cdb;
pub use completion::{
    CommandError, Completion, DriverStatus, HostStatus, Moved, Shortcoming, Translation,
};
pub(crate) use ioctl::{dm_open_count, dm_table_status};
pub use node::{LinuxDevices, Node, NodeKind};
pub use os_error::os_error_text;

#[doc(hidden)]
pub mod buffer;
mod completion;
mod ioctl;
pub(crate) mod node;
pub mod nvme;
mod os_error;
#[doc(hidden)]
pub mod remote;
mod sgio;

/// How a device is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// O_RDONLY.
    ReadOnly,
    /// O_RDWR.
    ReadWrite,
}

/// What moves besides the command itself.
#[derive(Debug)]
pub enum Data<'a> {
    /// Nothing.
    None,
    /// At most as many bytes as the buffer has, from the device server.
    In(&'a mut [u8]),
    /// All of the bytes, to the device server.
    Out(&'a [u8]),
}

impl Data<'_> {
    /// The same data, for one of several attempts.
    pub fn reborrow(&mut self) -> Data<'_> {
        match self {
            Self::None => Data::None,
            Self::In(buffer) => Data::In(buffer),
            Self::Out(list) => Data::Out(list),
        }
    }

    /// Bytes of room, or to send.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::In(buffer) => buffer.len(),
            Self::Out(list) => list.len(),
        }
    }

    /// Whether nothing moves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A command on its way.
#[derive(Debug)]
pub struct Command<'a> {
    /// The command descriptor block.
    pub cdb: Cdb,
    /// Data in or out.
    pub data: Data<'a>,
    /// When to give it up.
    pub timeout: Duration,
}

/// A way to a device server.
pub trait Transport {
    /// Sends `command` once and waits for its end. Data in is in the command's buffer then.
    ///
    /// # Errors
    /// What the operating system says when the command could not be sent.
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion>;

    /// The node that leads there.
    fn node(&self) -> Node;

    /// What was sent for a command that [`Transport::execute`] ended with an error, as in
    /// [`Translation::sent`], or for [`Transport::host`]; empty where a command is sent as it is.
    fn sent(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The version of the sg driver, major, minor and patch level; `None` for other nodes.
    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        None
    }

    /// The name that full status has for this host, where the device itself can be asked for it:
    /// each command for it may take `timeout`. `None` where it cannot, or does not tell.
    fn host(&mut self, timeout: Duration) -> Option<TransportId> {
        let _ = timeout;
        None
    }
}

/// What is left of a device that has been closed: it takes no command.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Closed;

impl Transport for Closed {
    fn execute(&mut self, _: Command<'_>) -> io::Result<Completion> {
        Err(io::Error::from_raw_os_error(libc::EBADF))
    }

    fn node(&self) -> Node {
        Node::default()
    }
}

/// A way to open devices.
pub trait Open {
    /// Opens `device`.
    ///
    /// # Errors
    /// What the operating system says when it cannot be opened.
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_takes_no_command() {
        let error = Closed
            .execute(Command {
                cdb: crate::scsi::inquiry::cdb(),
                data: Data::In(&mut [0; 36]),
                timeout: Duration::from_secs(60),
            })
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert_eq!(Closed.node().kind, NodeKind::Other);
    }
}
