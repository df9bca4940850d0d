//! A world in which whole runs take place: devices that follow a script, captured output.
//!
//! ```ignore
//! let ran = sg_persist("-n -k /dev/sda")
//!     .opens(RO)
//!     .sends(READ_KEYS, good("00000015 00000008 0000000000abc123"))
//!     .run();
//! ran.is(0, "  PR generation=0x15, 1 registered reservation key follows:\n    0xabc123\n", "");
//! ```
//!
//! Everything that the program does to a device must be in the script, in its order, and
//! everything in the script must be done; whatever else it does fails the test.
#![allow(dead_code, reason = "no test program needs all of it")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use sg_persist::cli::request::Environment;
use sg_persist::cli::transport_ids::Input;
use sg_persist::clock::Clock;
use sg_persist::host_ports::PathPorts;
use sg_persist::output::{Draft, Output};
use sg_persist::pr::transport_id::TransportId;
use sg_persist::run::{World, run};
pub(crate) use sg_persist::transport::Access::{self, ReadOnly as RO, ReadWrite as RW};
use sg_persist::transport::{
    Command, Completion, Data, DriverStatus, HostStatus, Node, NodeKind, Open, Transport,
};

/// The device that is opened unless a script says otherwise.
pub(crate) const DEVICE: &str = "/dev/sda";

/// INQUIRY as it is sent.
pub(crate) const INQUIRY: &str = "120000002400";
/// READ KEYS as it is sent unless a length is asked for.
pub(crate) const READ_KEYS: &str = "5e000000000000200000";
/// READ RESERVATION, likewise.
pub(crate) const READ_RESERVATION: &str = "5e010000000000200000";
/// REPORT CAPABILITIES, likewise.
pub(crate) const REPORT_CAPABILITIES: &str = "5e020000000000200000";
/// READ FULL STATUS, likewise: with ample room.
pub(crate) const READ_FULL_STATUS: &str = "5e030000000000fe0000";
/// READ FULL STATUS where so much room is refused.
pub(crate) const LESS_FULL_STATUS: &str = "5e030000000000200000";
/// READ KEYS where the first room was not enough, or may not have been.
pub(crate) const MORE_KEYS: &str = "5e000000000000fe0000";
/// READ KEYS where the second was not, either.
pub(crate) const MOST_KEYS: &str = "5e000000000000ffff00";
/// READ RESERVATION, likewise.
pub(crate) const MORE_RESERVATION: &str = "5e010000000000fe0000";

/// INQUIRY data of a disk of the Linux target.
pub(crate) const DISK: &[u8] = b"\x00\x00\x06\x02\x1f\x00\x00\x02LIO-ORG d0              4.0 ";
/// What is shown of [`DISK`].
pub(crate) const DISK_LINES: &str =
    "  LIO-ORG   d0                4.0 \n  Peripheral device type: disk\n";

/// How a device answers one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    data: Vec<u8>,
    errno: Option<i32>,
    residual: Option<i64>,
    completion: Completion,
}

/// GOOD, with the data in that `hex` spells; blanks may stand anywhere in it.
#[track_caller]
pub(crate) fn good(hex: &str) -> Answer {
    with_data(&bytes(hex))
}

/// GOOD, with `data`.
pub(crate) fn with_data(data: &[u8]) -> Answer {
    Answer {
        data: data.to_vec(),
        ..Answer::default()
    }
}

/// Another status than GOOD, and nothing else.
pub(crate) fn status(status: u8) -> Answer {
    let mut answer = Answer::default();
    answer.completion.status.0 = status;
    answer
}

/// CHECK CONDITION with the sense data that `hex` spells.
#[track_caller]
pub(crate) fn check_condition(hex: &str) -> Answer {
    let mut answer = status(0x02);
    answer.completion.driver_status = DriverStatus::SENSE;
    answer.completion.sense = bytes(hex);
    answer
}

/// CHECK CONDITION with sense data in fixed format of 18 bytes.
pub(crate) fn sense(key: u8, asc: u8, ascq: u8) -> Answer {
    check_condition(&format!(
        "7000{key:02x}00000000 0a00000000 {asc:02x}{ascq:02x} 00000000"
    ))
}

/// A host status, and nothing else.
pub(crate) fn host(status: u32) -> Answer {
    let mut answer = Answer::default();
    answer.completion.host_status = HostStatus(status);
    answer
}

/// A driver status, and nothing else.
pub(crate) fn driver(status: u32) -> Answer {
    let mut answer = Answer::default();
    answer.completion.driver_status = DriverStatus(status);
    answer
}

/// The kernel does not take the command.
pub(crate) fn errno(errno: i32) -> Answer {
    Answer {
        errno: Some(errno),
        ..Answer::default()
    }
}

impl Answer {
    /// The same with data in, so that a failure and an answer come together.
    #[track_caller]
    pub(crate) fn and_data(mut self, hex: &str) -> Self {
        self.data = bytes(hex);
        self
    }

    /// The same with this residual, whatever moved.
    pub(crate) fn residual(mut self, residual: i64) -> Self {
        self.residual = Some(residual);
        self
    }

    /// The same with this SCSI status.
    pub(crate) fn and_status(mut self, status: u8) -> Self {
        self.completion.status.0 = status;
        self
    }

    /// The same with this host status.
    pub(crate) fn and_host(mut self, status: u32) -> Self {
        self.completion.host_status = HostStatus(status);
        self
    }

    /// The same after so many milliseconds.
    pub(crate) fn after(mut self, milliseconds: u64) -> Self {
        self.completion.duration = Duration::from_millis(milliseconds);
        self
    }
}

/// The bytes that hex digits spell.
#[track_caller]
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_ascii_whitespace().collect();
    hex::decode(digits).expect("a test spells its bytes in pairs of hex digits")
}

/// What a script expects next.
#[derive(Debug)]
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
}

/// The script, and what became of it.
#[derive(Debug, Default)]
struct Stage {
    script: VecDeque<Step>,
    trace: Vec<String>,
    /// Since the run began.
    now: Duration,
    pauses: Vec<u128>,
    /// Whether a device is open. A tape, for one, lets itself be opened once at a time.
    is_open: bool,
    node: Node,
    sg_driver_version: Option<[u32; 3]>,
    timeout: Option<Duration>,
}

/// A run to come.
#[derive(Debug)]
pub(crate) struct Scene {
    argv: Vec<OsString>,
    environment: Environment,
    device: OsString,
    stage: Stage,
    stdin: Option<Vec<u8>>,
    files: Vec<(String, Vec<u8>)>,
    terminals: (bool, bool),
    stdout_error: Option<i32>,
    own_ports: Vec<TransportId>,
    path_ports: PathPorts,
}

/// A file's name, and what was written to it.
type WrittenFile = (PathBuf, Vec<u8>);

/// The files that were written. /unwritable cannot be, and /full takes nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Rc<RefCell<Vec<WrittenFile>>>);

impl Output for Written {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn Draft>> {
        if path == Path::new("/unwritable") {
            return Err(io::Error::from_raw_os_error(libc::EACCES));
        }
        Ok(Box::new(WrittenDraft(path.to_owned(), self.clone())))
    }
}

struct WrittenDraft(PathBuf, Written);

impl Draft for WrittenDraft {
    fn publish(self: Box<Self>, bytes: &[u8]) -> io::Result<()> {
        let Self(path, Written(files)) = *self;
        if path == Path::new("/full") {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        files.borrow_mut().push((path, bytes.to_vec()));
        Ok(())
    }
}

/// `sg_persist` with the words of `line`, which blanks part.
pub(crate) fn sg_persist(line: &str) -> Scene {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    sg_persist_words(&words)
}

/// `sg_persist` with `words`, in which anything may stand.
pub(crate) fn sg_persist_words(words: &[&str]) -> Scene {
    let argv = std::iter::once(&"sg_persist").chain(words);
    Scene {
        argv: argv.map(OsString::from).collect(),
        environment: Environment::default(),
        device: DEVICE.into(),
        stage: Stage::default(),
        stdin: None,
        files: Vec::new(),
        terminals: (false, false),
        stdout_error: None,
        own_ports: Vec::new(),
        path_ports: PathPorts::default(),
    }
}

impl Scene {
    /// The name under which the program is called.
    pub(crate) fn called(mut self, name: &str) -> Self {
        self.argv[0] = name.into();
        self
    }

    /// One word more, of any bytes.
    pub(crate) fn word(mut self, word: &[u8]) -> Self {
        self.argv.push(OsString::from_vec(word.to_vec()));
        self
    }

    /// Another device than [`DEVICE`] is opened.
    pub(crate) fn device(self, device: &str) -> Self {
        self.device_of_bytes(device.as_bytes())
    }

    /// Another device, whose name may be of any bytes, is opened.
    pub(crate) fn device_of_bytes(mut self, device: &[u8]) -> Self {
        self.device = OsString::from_vec(device.to_vec());
        self
    }

    /// `SG_PERSIST_IN_RDONLY` is set.
    pub(crate) fn in_readonly(mut self) -> Self {
        self.environment.in_readonly = true;
        self
    }

    /// `SG_PERSIST_UA_RETRIES` is set to this.
    pub(crate) fn ua_retries(mut self, text: &str) -> Self {
        self.environment.ua_retries = Some(text.into());
        self
    }

    /// `POSIXLY_CORRECT` is set.
    pub(crate) fn posixly_correct(mut self) -> Self {
        self.environment.posixly_correct = true;
        self
    }

    /// `SG3_UTILS_INVOCATION` is set.
    pub(crate) fn show_invocation(mut self) -> Self {
        self.environment.show_invocation = true;
        self
    }

    /// What standard input holds. Without it, it cannot be read.
    pub(crate) fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = Some(text.as_ref().to_vec());
        self
    }

    /// A file that exists. No others do.
    pub(crate) fn file(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.push((name.to_owned(), text.as_ref().to_vec()));
        self
    }

    /// Standard output and standard error are terminals.
    pub(crate) fn on_terminals(mut self) -> Self {
        self.terminals = (true, true);
        self
    }

    /// Standard output takes nothing: each write ends with this error number.
    pub(crate) fn stdout_fails(mut self, errno: i32) -> Self {
        self.stdout_error = Some(errno);
        self
    }

    /// This host's initiator ports are known to be these. Without it, none is known.
    pub(crate) fn own_ports(mut self, ports: &[TransportId]) -> Self {
        self.own_ports = ports.to_vec();
        self
    }

    /// The commands to the device go through one of these. Without it, none is known.
    pub(crate) fn path_ports(mut self, ports: &[TransportId], is_one_path: bool) -> Self {
        self.path_ports = PathPorts {
            ports: ports.to_vec(),
            is_one_path,
        };
        self
    }

    /// What the node turns out to be; otherwise a block device.
    pub(crate) fn node(mut self, kind: NodeKind, bsg_major: Option<u64>) -> Self {
        self.stage.node = Node { kind, bsg_major };
        self
    }

    /// The version of the sg driver behind the node.
    pub(crate) fn sg_driver_version(mut self, version: [u32; 3]) -> Self {
        self.stage.sg_driver_version = Some(version);
        self
    }

    /// Each command may take this long, instead of a minute.
    pub(crate) fn within_seconds(mut self, seconds: u64) -> Self {
        self.stage.timeout = Some(Duration::from_secs(seconds));
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
        self.stage.script.push_back(Step::Open {
            device,
            access,
            result,
        });
        self
    }

    /// A command with data in, or none, is sent.
    pub(crate) fn sends(mut self, cdb: &str, answer: Answer) -> Self {
        self.stage.script.push_back(Step::Command {
            cdb: cdb.to_owned(),
            data_out: None,
            answer: Box::new(answer),
        });
        self
    }

    /// A command with data out is sent.
    pub(crate) fn sends_out(mut self, cdb: &str, data_out: &str, answer: Answer) -> Self {
        self.stage.script.push_back(Step::Command {
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

    /// Runs the program, and ends the script.
    #[track_caller]
    pub(crate) fn run(self) -> Ran {
        let stage = Rc::new(RefCell::new(self.stage));
        let mut input = Texts {
            stdin: self.stdin,
            files: self.files,
        };
        let mut stdout = Sink::new(self.stdout_error);
        let mut stderr = Sink::new(None);
        let mut output = Written::default();
        let status = run(World {
            argv: &self.argv,
            environment: self.environment,
            input: &mut input,
            devices: &Devices(Rc::clone(&stage)),
            clock: &StageClock(Rc::clone(&stage)),
            output: &mut output,
            own_ports: &|_| self.own_ports.clone(),
            path_ports: &|_| self.path_ports.clone(),
            stdout: &mut stdout,
            stdout_is_terminal: &|| self.terminals.0,
            stderr: &mut stderr,
            stderr_is_terminal: &|| self.terminals.1,
        });
        let stage = stage.take();
        assert!(
            stage.script.is_empty(),
            "never came to it: {:#?}\nstatus {}\nstdout {}\nstderr {}",
            stage.script,
            status.code(),
            String::from_utf8_lossy(&stdout.text),
            String::from_utf8_lossy(&stderr.text),
        );
        Ran {
            status: status.code(),
            stdout: String::from_utf8_lossy(&stdout.text).into_owned(),
            stderr: String::from_utf8_lossy(&stderr.text).into_owned(),
            stdout_bytes: stdout.text,
            written: output.0.take(),
            trace: stage.trace,
            pauses: stage.pauses,
        }
    }
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit status.
    pub(crate) status: u8,
    /// Standard output. Bytes that are no text are replaced.
    pub(crate) stdout: String,
    /// Standard error, likewise.
    pub(crate) stderr: String,
    /// Standard output, byte for byte.
    pub(crate) stdout_bytes: Vec<u8>,
    /// The files that were written.
    pub(crate) written: Vec<WrittenFile>,
    /// What was done to devices: `open ro`, a command's hex, `close`.
    pub(crate) trace: Vec<String>,
    /// Milliseconds that were waited between commands.
    pub(crate) pauses: Vec<u128>,
}

impl Ran {
    /// All that a caller sees of it.
    #[track_caller]
    pub(crate) fn is(&self, status: u8, stdout: &str, stderr: &str) {
        assert_eq!(
            (self.status, &self.stdout[..], &self.stderr[..]),
            (status, stdout, stderr),
            "\n--- stdout:\n{}--- stderr:\n{}",
            self.stdout,
            self.stderr
        );
    }

    /// All that a caller sees of it, where the usage text follows on stderr, or behind a name that is
    /// near none where it is.
    #[track_caller]
    pub(crate) fn is_with_usage(&self, status: u8, stderr: &str) {
        let usage = match stderr.contains("unrecognized option") {
            true => "'sg_persist -h' and '-hh' list the options\n".to_owned(),
            false => sg_persist::cli::usage::usage(),
        };
        self.is(status, "", &format!("{stderr}{usage}"));
    }

    /// How it ended.
    #[track_caller]
    pub(crate) fn status_is(&self, status: u8) {
        assert_eq!(self.status, status, "{self:#?}");
    }

    /// No device was opened.
    #[track_caller]
    pub(crate) fn touched_nothing(&self) {
        assert_eq!(self.trace, [""; 0]);
    }
}

/// Time passes while commands are at the device and while one waits.
struct StageClock(Rc<RefCell<Stage>>);

impl Clock for StageClock {
    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn wait(&self, time: Duration) {
        let mut stage = self.0.borrow_mut();
        stage.now += time;
        stage.pauses.push(time.as_millis());
    }
}

struct Devices(Rc<RefCell<Stage>>);

impl Open for Devices {
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>> {
        let mut stage = self.0.borrow_mut();
        let words = match access {
            RO => "open ro",
            RW => "open rw",
        };
        stage.trace.push(words.to_owned());
        assert!(!stage.is_open, "two descriptors at once: {:?}", stage.trace);
        match stage.script.pop_front() {
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
        stage.is_open = true;
        Ok(Box::new(Replay(Rc::clone(&self.0))))
    }
}

/// An open device.
struct Replay(Rc<RefCell<Stage>>);

impl Drop for Replay {
    fn drop(&mut self) {
        // A panic may be on its way through a borrow.
        if let Ok(mut stage) = self.0.try_borrow_mut() {
            stage.trace.push("close".to_owned());
            stage.is_open = false;
        }
    }
}

impl Transport for Replay {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        let mut stage = self.0.borrow_mut();
        let sent = hex::encode(command.cdb.as_bytes());
        stage.trace.push(sent.clone());
        let timeout = stage.timeout.unwrap_or(Duration::from_secs(60));
        assert_eq!(command.timeout, timeout, "{sent}");
        let (cdb, data_out, answer) = match stage.script.pop_front() {
            Some(Step::Command {
                cdb,
                data_out,
                answer,
            }) => (cdb, data_out, answer),
            other => panic!("{sent} was sent, but {other:#?} was to come"),
        };
        assert_eq!(sent, cdb, "another command");
        let mut completion = answer.completion;
        stage.now += completion.duration;
        match (command.data, data_out) {
            (Data::In(buffer), None) => {
                let length = buffer.len();
                assert_eq!(length, allocation_length(command.cdb.as_bytes()), "{cdb}");
                let moved = answer.data.len().min(length);
                buffer[..moved].copy_from_slice(&answer.data[..moved]);
                let rest = i64::try_from(length - moved).expect("a test's data fits 64 bits");
                completion.residual = answer.residual.unwrap_or(rest);
            }
            (Data::Out(list), Some(expected)) => {
                assert_eq!(hex::encode(list), expected, "another parameter list");
                assert_eq!(
                    list.len(),
                    allocation_length(command.cdb.as_bytes()),
                    "{cdb}"
                );
                completion.residual = answer.residual.unwrap_or_default();
            }
            (data, expected) => panic!("{cdb}: {data:?} instead of {expected:?}"),
        }
        match answer.errno {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(completion),
        }
    }

    fn node(&self) -> Node {
        let node = self.0.borrow().node;
        match node.kind {
            NodeKind::Other => Node {
                kind: NodeKind::Block,
                ..node
            },
            _ => node,
        }
    }

    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        self.0.borrow().sg_driver_version
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

/// Standard input and files.
struct Texts {
    stdin: Option<Vec<u8>>,
    files: Vec<(String, Vec<u8>)>,
}

impl Input for Texts {
    fn stdin(&mut self) -> io::Result<Vec<u8>> {
        self.stdin.take().ok_or_else(|| io::Error::other("closed"))
    }

    fn file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("/") {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        let mut files = self.files.iter();
        let found = files.find(|(name, _)| Path::new(name) == path);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }
}

/// A standard stream.
struct Sink {
    text: Vec<u8>,
    error: Option<i32>,
}

impl Sink {
    fn new(error: Option<i32>) -> Self {
        Self {
            text: Vec::new(),
            error,
        }
    }
}

impl Write for Sink {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match self.error {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => self.text.write(text),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
