//! A device that follows a script, and the words in which scripts are written.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use sg_persist::nvme::status::NvmeStatus;
use sg_persist::nvme::{self, Direction, Queue};
use sg_persist::transport::nvme::translator::Translator;
use sg_persist::transport::nvme::{NoPath, Passthrough};
use sg_persist::transport::{Access, Command, Completion, Data, Node, NodeKind, Open, Transport};

use super::answer::{Answer, with_data};
use super::controller::fill;
use super::scene::{Ran, Scene};
use super::world::Passing;
use super::{DISK, INQUIRY, RO, RW, bytes};

/// What a script expects next.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a script has few steps")]
enum Step {
    Open {
        device: OsString,
        access: Access,
        result: Result<(), i32>,
    },
    Command {
        cdb: String,
        data_out: Option<String>,
        answer: Box<Answer>,
    },
    Nvme {
        command: NvmeFields,
        data_out: String,
        answer: NvmeAnswer,
    },
}

/// An NVMe command: its queue, opcode, namespace, dwords 10 and 11.
type NvmeFields = (Queue, u8, u32, u32, u32);
/// Its status and data in, or the kernel's error number.
type NvmeAnswer = Result<(u16, Vec<u8>), i32>;

/// The script, and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    trace: Vec<String>,
    /// Whether a device is open. A tape, for one, lets itself be opened once at a time.
    is_open: bool,
    node: Node,
    sg_driver_version: Option<[u32; 3]>,
    timeout: Option<Duration>,
}

impl Scene {
    /// What the node turns out to be; otherwise a block device.
    pub(crate) fn node(mut self, kind: NodeKind, bsg_major: Option<u64>) -> Self {
        self.script.node = Node {
            kind,
            bsg_major,
            ..Node::default()
        };
        self
    }

    /// The version of the sg driver behind the node.
    pub(crate) fn sg_driver_version(mut self, version: [u32; 3]) -> Self {
        self.script.sg_driver_version = Some(version);
        self
    }

    /// Each command may take this long, instead of a minute.
    pub(crate) fn within_seconds(mut self, seconds: u64) -> Self {
        self.script.timeout = Some(Duration::from_secs(seconds));
        self
    }

    /// The device is opened.
    pub(crate) fn opens(self, access: Access) -> Self {
        self.open(access, Ok(()))
    }

    /// The device is tried, and cannot be opened.
    pub(crate) fn fails_to_open(self, access: Access, errno: i32) -> Self {
        self.open(access, Err(errno))
    }

    fn open(mut self, access: Access, result: Result<(), i32>) -> Self {
        let device = self.device.clone();
        self.script.steps.push_back(Step::Open {
            device,
            access,
            result,
        });
        self
    }

    /// A command with data in, or none, is sent.
    pub(crate) fn sends(mut self, cdb: &str, answer: Answer) -> Self {
        self.script.steps.push_back(Step::Command {
            cdb: cdb.to_owned(),
            data_out: None,
            answer: Box::new(answer),
        });
        self
    }

    /// A command with data out is sent.
    pub(crate) fn sends_out(mut self, cdb: &str, data_out: &str, answer: Answer) -> Self {
        self.script.steps.push_back(Step::Command {
            cdb: cdb.to_owned(),
            data_out: Some(hex::encode(bytes(data_out))),
            answer: Box::new(answer),
        });
        self
    }

    /// INQUIRY is sent, and answered by [`DISK`].
    pub(crate) fn inquires(self) -> Self {
        self.sends(INQUIRY, with_data(DISK))
    }

    /// The device is opened read-only, and answers one PERSISTENT RESERVE IN.
    pub(crate) fn reads(self, cdb: &str, answer: Answer) -> Self {
        self.opens(RO).sends(cdb, answer)
    }

    /// The device is opened read-write, and takes one PERSISTENT RESERVE OUT.
    pub(crate) fn changes(self, cdb: &str, data_out: &str, answer: Answer) -> Self {
        self.opens(RW).sends_out(cdb, data_out, answer)
    }

    /// A command goes to the NVMe controller behind the node. Its nodes may be opened at any time.
    pub(crate) fn step(mut self, command: NvmeFields, data_out: &str, answer: NvmeAnswer) -> Self {
        self.script.steps.push_back(Step::Nvme {
            command,
            data_out: hex::encode(bytes(data_out)),
            answer,
        });
        self
    }

    /// The device, open, without the program.
    pub(crate) fn opened(self) -> Box<dyn Transport> {
        let device = Path::new(&self.device);
        Scripted::new(self.script).open(device, RO).unwrap()
    }

    /// Runs the program, and ends the script.
    #[track_caller]
    pub(crate) fn run(mut self) -> Ran {
        let scripted = Scripted::new(std::mem::take(&mut self.script));
        let ran = self.run_in_time(&scripted, &scripted.clock);
        let script = scripted.script.take();
        assert!(
            script.steps.is_empty(),
            "never came to it: {:#?}\n{ran:#?}",
            script.steps
        );
        Ran {
            trace: script.trace,
            ..ran
        }
    }
}

/// A script that is being followed.
#[derive(Clone)]
struct Scripted {
    script: Rc<RefCell<Script>>,
    clock: Rc<Passing>,
}

impl Scripted {
    fn new(script: Script) -> Self {
        Self {
            script: Rc::new(RefCell::new(script)),
            clock: Rc::default(),
        }
    }
}

impl Open for Scripted {
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>> {
        let node = self.script.borrow().node;
        match node.kind {
            NodeKind::NvmeBlock {
                namespace: NodeKind::UNKNOWN_NAMESPACE,
            } => return Ok(Box::new(Translator::new(NoPath, node, device))),
            kind if kind.is_nvme() => {
                return Ok(Box::new(Translator::new(self.clone(), node, device)));
            }
            _ => {}
        }
        let mut script = self.script.borrow_mut();
        let words = match access {
            RO => "open ro",
            RW => "open rw",
        };
        script.trace.push(words.to_owned());
        assert!(
            !script.is_open,
            "two descriptors at once: {:?}",
            script.trace
        );
        match script.steps.pop_front() {
            Some(Step::Open {
                device: expected_device,
                access: expected_access,
                result,
            }) => {
                assert_eq!(device, Path::new(&expected_device), "another device");
                assert_eq!(access, expected_access, "opened in another way");
                result.map_err(io::Error::from_raw_os_error)?;
            }
            other => panic!("{} {words}, but {other:#?} was to come", device.display()),
        }
        script.is_open = true;
        Ok(Box::new(Replay(self.clone())))
    }
}

/// An open device.
struct Replay(Scripted);

impl Drop for Replay {
    fn drop(&mut self) {
        // A panic may be on its way through a borrow.
        if let Ok(mut script) = self.0.script.try_borrow_mut() {
            script.trace.push("close".to_owned());
            script.is_open = false;
        }
    }
}

impl Transport for Replay {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        let mut script = self.0.script.borrow_mut();
        let sent = hex::encode(command.cdb.as_bytes());
        script.trace.push(sent.clone());
        let timeout = script.timeout.unwrap_or(Duration::from_secs(60));
        assert_eq!(command.timeout, timeout, "{sent}");
        let (cdb, data_out, answer) = match script.steps.pop_front() {
            Some(Step::Command {
                cdb,
                data_out,
                answer,
            }) => (cdb, data_out, answer),
            other => panic!("{sent} was sent, but {other:#?} was to come"),
        };
        assert_eq!(sent, cdb, "another command");
        self.0.clock.pass(answer.completion.duration);
        let left = match (command.data, data_out) {
            (Data::In(buffer), None) => {
                let length = buffer.len();
                assert_eq!(length, allocation_length(command.cdb.as_bytes()), "{cdb}");
                length - answer.write(buffer)
            }
            (Data::Out(list), Some(expected)) => {
                assert_eq!(hex::encode(list), expected, "another parameter list");
                assert_eq!(
                    list.len(),
                    allocation_length(command.cdb.as_bytes()),
                    "{cdb}"
                );
                0
            }
            (data, expected) => panic!("{cdb}: {data:?} instead of {expected:?}"),
        };
        match answer.errno {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(answer.completion(left)),
        }
    }

    fn node(&self) -> Node {
        let node = self.0.script.borrow().node;
        match node.kind {
            NodeKind::Other => Node {
                kind: NodeKind::Block,
                ..node
            },
            _ => node,
        }
    }

    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        self.0.script.borrow().sg_driver_version
    }
}

impl Passthrough for Scripted {
    fn send(
        &mut self,
        command: &nvme::Command,
        data: Data<'_>,
        timeout: Duration,
    ) -> io::Result<NvmeStatus> {
        assert_eq!(timeout, Duration::from_secs(60));
        assert_eq!(data.len(), command.data_length());
        let sent = (
            command.queue(),
            command.opcode(),
            command.nsid(),
            command.cdw10(),
            command.cdw11(),
        );
        let (expected, data_out, answer) = match self.script.borrow_mut().steps.pop_front() {
            Some(Step::Nvme {
                command,
                data_out,
                answer,
            }) => (command, data_out, answer),
            other => panic!("{command} was sent, but {other:#?} was to come"),
        };
        assert_eq!(sent, expected, "{command}");
        let (status, answer) = answer.map_err(io::Error::from_raw_os_error)?;
        match data {
            Data::In(buffer) => {
                assert_eq!(command.direction(), Direction::In);
                assert_eq!(data_out, "");
                fill(buffer, &answer);
            }
            Data::Out(list) => {
                assert_eq!(command.direction(), Direction::Out);
                assert_eq!(hex::encode(list), data_out);
            }
            Data::None => panic!("{command} without data"),
        }
        Ok(NvmeStatus(status))
    }
}

/// The length that a command names for its data, in bytes.
fn allocation_length(cdb: &[u8]) -> usize {
    match *cdb {
        [0x12, _, _, high, low, _] => u16::from_be_bytes([high, low]).into(),
        [0x5e | 0x5f, _, _, _, _, _, _, high, low, _] => u16::from_be_bytes([high, low]).into(),
        _ => panic!("no such command is ever sent: {cdb:02x?}"),
    }
}
