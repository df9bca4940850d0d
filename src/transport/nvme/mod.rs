//! NVMe nodes: the passthrough ioctls of `<linux/nvme_ioctl.h>`, and the [`translator`] that speaks for
//! a device server behind them.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{Data, ioctl};
use crate::nvme::Command;
use crate::nvme::status::NvmeStatus;

mod answers;
mod ending;
pub mod translator;

/// A way to an NVMe controller.
pub trait Passthrough {
    /// Sends `command` once and waits for its end. `data` has the length and the direction of the
    /// command's data; data in is in it then.
    ///
    /// # Errors
    /// What the operating system says when the command could not be sent, or was given up.
    fn send(
        &mut self,
        command: &Command,
        data: Data<'_>,
        timeout: Duration,
    ) -> io::Result<NvmeStatus>;
}

/// A multipath node that had no usable path when it was opened. The kernel did not even say which
/// namespace it leads to, so no command is sent until it is opened again.
#[derive(Clone, Copy, Debug)]
pub struct NoPath;

impl Passthrough for NoPath {
    /// Never sends anything: EAGAIN, as the kernel answers without a path.
    fn send(&mut self, _: &Command, _: Data<'_>, _: Duration) -> io::Result<NvmeStatus> {
        Err(io::Error::from_raw_os_error(libc::EAGAIN))
    }
}

/// An open node of a controller or a namespace.
#[derive(Debug)]
pub(crate) struct Nvme {
    file: File,
}

impl Nvme {
    /// Sends commands through `file`.
    #[must_use]
    pub(crate) const fn new(file: File) -> Self {
        Self { file }
    }
}

impl Passthrough for Nvme {
    fn send(
        &mut self,
        command: &Command,
        data: Data<'_>,
        timeout: Duration,
    ) -> io::Result<NvmeStatus> {
        ioctl::nvme_passthrough(self.file.as_fd(), command, data, timeout)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::nvme::identify::{Structure, identify};

    /// A node that takes none of these requests.
    fn null() -> Nvme {
        Nvme::new(File::open("/dev/null").unwrap())
    }

    #[test]
    fn a_node_of_another_kind_takes_no_command() {
        let error = null()
            .send(
                &identify(Structure::Controller),
                Data::In(&mut [0; 4096]),
                Duration::from_secs(1),
            )
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }

    #[test]
    fn data_has_to_fit_the_command() {
        let command = identify(Structure::Controller);
        let send = |data| null().send(&command, data, Duration::from_secs(1));
        for error in [
            send(Data::In(&mut [0; 4095])),
            send(Data::In(&mut [0; 4097])),
            send(Data::Out(&[0; 4096])),
            send(Data::None),
        ] {
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
