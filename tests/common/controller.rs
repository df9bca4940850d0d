//! NVMe controllers: how they describe themselves, and one that answers anything.

use std::io;
use std::path::Path;
use std::time::Duration;

use sg_persist::logical_unit::LogicalUnit;
use sg_persist::nvme::Command;
use sg_persist::nvme::status::NvmeStatus;
use sg_persist::transport::nvme::Passthrough;
use sg_persist::transport::nvme::translator::Translator;
use sg_persist::transport::{Access, Data, Node, NodeKind, Open, Transport};

/// Identify Controller: with reservations, and with host identifiers of 128 bits or 64.
pub(crate) fn controller(reservations: bool, extended: bool) -> Vec<u8> {
    let mut data = vec![0; 4096];
    data[24..64].copy_from_slice(b"Model number of forty characters in all!");
    data[64..72].copy_from_slice(b"1.devis ");
    data[78..80].copy_from_slice(&[0x34, 0x12]);
    data[96] = u8::from(extended);
    data[516] = 1;
    data[520] = u8::from(reservations) << 5;
    data
}

/// Identify Namespace with this RESCAP.
pub(crate) fn namespace(capabilities: u8) -> Vec<u8> {
    let mut data = vec![0; 4096];
    data[0] = 1;
    data[31] = capabilities;
    data
}

/// A controller that describes itself, and has a Reservation Report or a status for all else.
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    /// Whether its host identifiers have 128 bits.
    pub(crate) extended: bool,
    /// How every command ends that is not about what it is.
    pub(crate) status: Option<u16>,
    /// Where no status says so, the answer to Reservation Report. No other command may come.
    pub(crate) report: Vec<u8>,
}

impl Controller {
    /// A controller with this Reservation Report in the extended form.
    pub(crate) fn reporting(report: Vec<u8>) -> Self {
        Self {
            extended: true,
            status: None,
            report,
        }
    }

    /// A controller that ends every command with this status.
    pub(crate) fn ending(status: u16) -> Self {
        Self {
            status: Some(status),
            ..Self::reporting(Vec::new())
        }
    }

    fn translator(&self, device: &Path) -> Translator<Self> {
        let node = Node {
            kind: NodeKind::NvmeBlock { namespace: 3 },
            bsg_major: None,
            ..Node::default()
        };
        Translator::new(self.clone(), node, device)
    }

    /// Its namespace, as other programs have it.
    pub(crate) fn unit(&self) -> LogicalUnit {
        LogicalUnit::new(Box::new(self.translator(Path::new("/dev/nvme0n3"))))
    }
}

impl Open for Controller {
    fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(self.translator(device)))
    }
}

impl Passthrough for Controller {
    fn send(&mut self, command: &Command, data: Data<'_>, _: Duration) -> io::Result<NvmeStatus> {
        let answer = match (command.opcode(), command.cdw10(), self.status) {
            (0x06, 0, _) => &namespace(0xff),
            (0x06, 1, _) => &controller(true, self.extended),
            (_, _, Some(status)) => return Ok(NvmeStatus(status)),
            (0x0e, _, None) => {
                assert_eq!(command.cdw11(), u32::from(self.extended));
                &self.report
            }
            _ => panic!("{command}"),
        };
        let Data::In(buffer) = data else {
            panic!("{command}")
        };
        fill(buffer, answer);
        Ok(NvmeStatus::SUCCESS)
    }
}

/// Writes as much of an answer as there is room for.
pub(crate) fn fill(buffer: &mut [u8], answer: &[u8]) {
    let length = answer.len().min(buffer.len());
    buffer[..length].copy_from_slice(&answer[..length]);
}
