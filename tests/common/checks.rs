//! What must hold of every run, whatever the command line, the files and the device: the property
//! tests and the fuzz targets both ask it here.
//!
//! Nothing in here asks the library what an answer is: it is written down a second time, in as few
//! words as possible.
#![allow(dead_code, reason = "no program needs all of it")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use sg_persist::cli::arguments::Arguments;
use sg_persist::cli::judge::judge;
use sg_persist::cli::options::Opt;
use sg_persist::cli::request::{Environment, Operation, Request};
use sg_persist::cli::transport_ids::Input;
use sg_persist::cli::usage;
use sg_persist::clock::Clock;
use sg_persist::host_ports::PathPorts;
use sg_persist::output::{Draft, Output};
use sg_persist::pr::transport_id::TransportId;
use sg_persist::run::{World, run};
use sg_persist::scsi::status::ScsiStatus;
use sg_persist::transport::{
    Access, Command, Completion, Data, DriverStatus, HostStatus, Node, NodeKind, Open, Transport,
};

const INQUIRY: u8 = 0x12;
const PERSISTENT_RESERVE_IN: u8 = 0x5e;
const PERSISTENT_RESERVE_OUT: u8 = 0x5f;
const KEYS: u8 = 0;
const RESERVATION: u8 = 1;
const CAPABILITIES: u8 = 2;
const FULL_STATUS: u8 = 3;
const REGISTER: u8 = 0;
const RESERVE: u8 = 1;
const RELEASE: u8 = 2;
const REGISTER_AND_IGNORE: u8 = 6;
const ILLEGAL_REQUEST: u8 = 5;
const UNIT_ATTENTION: u8 = 6;
const EPERM: i32 = 1;
const EIO: i32 = 5;
const E2BIG: i32 = 7;
const EACCES: i32 = 13;
const EINVAL: i32 = 22;

/// Words that say something to the program; any others are as welcome.
pub(crate) const WORDS: [&[u8]; 74] = [
    b"-k",
    b"-r",
    b"-s",
    b"-c",
    b"-n",
    b"-i",
    b"-o",
    b"-G",
    b"-I",
    b"-R",
    b"-L",
    b"-C",
    b"-P",
    b"-A",
    b"-M",
    b"-z",
    b"-H",
    b"-HH",
    b"-HHH",
    b"-v",
    b"-vv",
    b"-vvv",
    b"-vvvv",
    b"-vvvvvv",
    b"-y",
    b"-yy",
    b"-K",
    b"-S",
    b"-T",
    b"-Q",
    b"-X",
    b"-l",
    b"-m",
    b"-d",
    b"-U",
    b"-Y",
    b"-Z",
    b"-h",
    b"-V",
    b"-?",
    b"--",
    b"-",
    b"--in",
    b"--out",
    b"--read-full-status",
    b"--transport-id=file=ids",
    b"--transport-id=-",
    b"--timeout=5",
    b"--alloc-length=",
    b"--maxlen=",
    b"--param-rk=0x12ab",
    b"--prout-type=5",
    b"--relative-target-port=1",
    b"--re",
    b"--no_inquiry",
    b"1f",
    b"8",
    b"0x2000",
    b"1k+8x2",
    b"iqn.2005-03.org.open-iscsi:abc,i,0x00023d000001",
    b"sas,5000c50005b32001",
    b"06,00,00,00,50",
    b"file=ids",
    b"/dev/sda",
    b"--overview",
    b"--verify",
    b"--has-key=12ab",
    b"--holder-is=12ab",
    b"--reserved",
    b"--reserved=5",
    b"--ua-retries=2",
    b"--json",
    b"--dry-run",
    b"/dev/sdb",
];

/// How a device takes one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The error number with which the kernel refuses it.
    pub(crate) refused: Option<i32>,
    pub(crate) status: u8,
    pub(crate) host_status: u32,
    pub(crate) driver_status: u32,
    pub(crate) residual: i64,
    pub(crate) sense: Vec<u8>,
    /// As much of it as there is room for is written, whatever the residual says.
    pub(crate) data: Vec<u8>,
}

impl Answer {
    pub(crate) fn completion(&self) -> Completion {
        Completion {
            status: ScsiStatus(self.status),
            host_status: HostStatus(self.host_status),
            driver_status: DriverStatus(self.driver_status),
            sense: self.sense.clone(),
            residual: self.residual,
            duration: Duration::from_millis(1),
            ..Completion::default()
        }
    }
}

/// Everything that a run meets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    /// Without the program's name.
    pub(crate) words: Vec<OsString>,
    pub(crate) environment: Environment,
    /// What standard input and every file hold; `None`: they cannot be read.
    pub(crate) text: Option<Vec<u8>>,
    /// The error numbers with which the device cannot be opened, for each attempt; 0 lets it.
    pub(crate) opens: Vec<i32>,
    /// For each command; those after them are GOOD and bring what fits of nothing but zeros.
    pub(crate) answers: Vec<Answer>,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr_is_terminal: bool,
    /// The error number with which standard output takes nothing.
    pub(crate) stdout_error: Option<i32>,
}

/// A command that was sent, and how it went.
#[derive(Debug)]
struct Sent {
    cdb: Vec<u8>,
    node: usize,
    out: bool,
    result: Result<Completion, i32>,
    /// The buffer for data in, after the command.
    buffer: Vec<u8>,
    /// How much of it the device wrote.
    written: usize,
}

impl Sent {
    fn operation_code(&self) -> u8 {
        self.cdb[0]
    }

    /// The kernel refuses it on descriptors that cannot write.
    fn forbidden(&self) -> bool {
        matches!(self.result, Err(EPERM | EACCES))
    }

    fn carried_out(&self) -> bool {
        self.result.as_ref().is_ok_and(|completion| {
            // No more and no less than was sent can have been left over of a parameter list.
            let sent = self.cdb.get(7..9).map_or(0, |length| {
                i64::from(u16::from_be_bytes([length[0], length[1]]))
            });
            let sensible = !self.out || (0..=sent).contains(&completion.residual);
            sensible && carried_out(completion)
        })
    }

    /// It was not carried out, and this sense key says why.
    fn failed_with(&self, key: u8) -> bool {
        self.result.as_ref().is_ok_and(|completion| {
            !carried_out(completion)
                && is_current(&completion.sense)
                && sense_key(&completion.sense) == Some(key)
        })
    }

    /// The room that PERSISTENT RESERVE IN has.
    fn room(&self) -> usize {
        usize::from(u16::from_be_bytes([self.cdb[7], self.cdb[8]]))
    }

    /// It may have been refused since it asks for more than can be had.
    fn asks_too_much(&self) -> bool {
        match &self.result {
            Err(error) => [EINVAL, EIO, E2BIG].contains(error),
            Ok(_) => self.failed_with(ILLEGAL_REQUEST),
        }
    }

    /// A unit attention says why it was not carried out, and that says nothing of registrations.
    fn may_be_repeated(&self) -> bool {
        let Ok(Completion { sense, .. }) = &self.result else {
            return false;
        };
        // Fixed format at 12, as far as the additional length reaches; descriptor format at 2.
        let code = match sense[0] & 0x7f {
            0x70 if sense.len() > 13 && sense[7] >= 6 => [sense[12], sense[13]],
            0x70 if sense.len() > 12 && sense[7] >= 5 => [sense[12], 0],
            0x72 if sense.len() > 3 => [sense[2], sense[3]],
            0x72 => [sense[2], 0],
            _ => return false,
        };
        matches!(
            code,
            [0x29, 0..=7] | [0x2a, 1 | 2 | 6 | 7 | 9 | 0x10] | [0x38, 7]
        )
    }

    /// The bytes that came, of a command that was carried out.
    fn came(&self) -> Option<&[u8]> {
        let completion = self.result.as_ref().ok().filter(|c| carried_out(c))?;
        let residual = usize::try_from(completion.residual).ok()?;
        Some(&self.buffer[..self.buffer.len().checked_sub(residual)?])
    }
}

type Log = Rc<RefCell<Vec<Sent>>>;

struct Device {
    answers: Vec<Answer>,
    opens: Vec<i32>,
    opened: RefCell<usize>,
    /// Whether a descriptor is open.
    is_open: Rc<Cell<bool>>,
    log: Log,
}

struct Descriptor {
    answers: Vec<Answer>,
    number: usize,
    is_open: Rc<Cell<bool>>,
    log: Log,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.is_open.set(false);
    }
}

impl Open for Device {
    fn open(&self, _: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
        let mut opened = self.opened.borrow_mut();
        let error = self.opens.get(*opened).copied().unwrap_or_default();
        *opened += 1;
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        assert!(!self.is_open.replace(true), "two descriptors at once");
        Ok(Box::new(Descriptor {
            answers: self.answers.clone(),
            number: *opened,
            is_open: Rc::clone(&self.is_open),
            log: Rc::clone(&self.log),
        }))
    }
}

impl Transport for Descriptor {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        let mut log = self.log.borrow_mut();
        let zeros = || Answer {
            data: vec![0; 0x1_0000],
            ..Answer::default()
        };
        let answer = self.answers.get(log.len()).cloned().unwrap_or_else(zeros);
        let mut sent = Sent {
            cdb: command.cdb.as_bytes().to_vec(),
            node: self.number,
            out: matches!(command.data, Data::Out(_)),
            result: answer
                .refused
                .map_or_else(|| Ok(answer.completion()), Result::Err),
            buffer: Vec::new(),
            written: 0,
        };
        if let (Data::In(buffer), None) = (command.data, answer.refused) {
            let length = answer.data.len().min(buffer.len());
            buffer[..length].copy_from_slice(&answer.data[..length]);
            sent.buffer = buffer.to_vec();
            sent.written = length;
        }
        let result = match &sent.result {
            Ok(completion) => Ok(completion.clone()),
            Err(error) => Err(io::Error::from_raw_os_error(*error)),
        };
        log.push(sent);
        result
    }

    fn node(&self) -> Node {
        Node {
            kind: NodeKind::Block,
            bsg_major: None,
        }
    }
}

struct Texts(Option<Vec<u8>>);

impl Texts {
    fn read(&self) -> io::Result<Vec<u8>> {
        self.0.clone().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Input for Texts {
    fn stdin(&mut self) -> io::Result<Vec<u8>> {
        self.read()
    }

    fn file(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        self.read()
    }
}

struct Stdout {
    text: Vec<u8>,
    error: Option<i32>,
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.error {
            Some(error) => Err(io::Error::from_raw_os_error(error)),
            None => self.text.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs the program in a scene and checks what must hold of every run. Returns its exit status.
pub(crate) fn play(scene: &Scene) -> u8 {
    let log = Log::default();
    let device = Device {
        answers: scene.answers.clone(),
        opens: scene.opens.clone(),
        opened: RefCell::default(),
        is_open: Rc::default(),
        log: Rc::clone(&log),
    };
    let name = OsString::from("sg_persist");
    let argv: Vec<OsString> = std::iter::once(name)
        .chain(scene.words.iter().cloned())
        .collect();
    let mut stdout = Stdout {
        text: Vec::new(),
        error: scene.stdout_error,
    };
    let mut stderr = Vec::new();
    let status = run(World {
        argv: &argv,
        environment: scene.environment.clone(),
        input: &mut Texts(scene.text.clone()),
        devices: &device,
        clock: &Standing,
        output: &mut Nowhere,
        // So that full status is looked at when a change is verified.
        own_ports: &|_| vec![TransportId::sas(1)],
        path_ports: &|_| PathPorts::default(),
        stdout: &mut stdout,
        stdout_is_terminal: &|| scene.stdout_is_terminal,
        stderr: &mut stderr,
        stderr_is_terminal: &|| scene.stderr_is_terminal,
    })
    .code();
    let sent = log.borrow();
    check_commands(scene, &sent);
    check_status(scene, &sent, status, &stdout.text);
    check_messages(scene, &sent, status, &stderr);
    check_terminals(scene, &stdout.text, &stderr);
    check_sizes(scene, &sent, &stdout.text, &stderr);
    status
}

/// Whether the command line has one of the options.
fn has(scene: &Scene, options: &[Opt]) -> bool {
    let arguments = Arguments::parse(&scene.words, scene.environment.posixly_correct);
    let mut given = arguments.options.iter();
    given.any(|given| options.contains(&given.option))
}

/// The room that was asked for, if any was.
fn given(scene: &Scene) -> Option<usize> {
    let arguments = Arguments::parse(&scene.words, scene.environment.posixly_correct);
    let mut texts = Texts(scene.text.clone());
    match judge(&arguments, &scene.environment, &mut texts).1 {
        Ok(Request::Task(task)) => match task.operation {
            Operation::In {
                allocation_length, ..
            } => allocation_length.map(usize::from),
            _ => None,
        },
        _ => None,
    }
}

/// The most commands that may be sent.
fn most_commands(scene: &Scene) -> usize {
    // What has to agree is read five times at most.
    let (devices, changes, reads) = if has(scene, &[Opt::Overview]) {
        (scene.words.len(), 0, 1 + 5 * 3)
    } else if has(scene, &[Opt::Verify]) {
        (1, 1, 2 * 5 * 3 + 1)
    } else if has(scene, &[Opt::HolderIs]) {
        (1, 0, 5 * 2)
    } else {
        (1, 0, 1)
    };
    // INQUIRY and six attempts to read, four of them over another filling, each once more where it
    // was forbidden; or the change.
    let once = 2 * (1 + changes + 10 * reads);
    // Once more for each unit attention: later answers are good.
    let retries = match has(scene, &[Opt::UaRetries, Opt::Overview]) {
        true => scene.answers.len(),
        false => 0,
    };
    devices * once + retries
}

/// What is sent, in which order.
fn check_commands(scene: &Scene, sent: &[Sent]) {
    assert!(
        sent.len() <= most_commands(scene),
        "{} commands",
        sent.len()
    );
    assert!(sent.is_empty() || !has(scene, &[Opt::DryRun]));
    let retries = has(scene, &[Opt::UaRetries, Opt::Overview]);
    let overview = has(scene, &[Opt::Overview]);
    let verify = has(scene, &[Opt::Verify]);
    for (number, command) in sent.iter().enumerate() {
        let following = &sent[number + 1..];
        let last = following.is_empty();
        let once_more = retries
            && command.failed_with(UNIT_ATTENTION)
            && following
                .first()
                .is_some_and(|next| next.cdb == command.cdb)
            // Before a change, not where its sender would have to look first.
            && (command.may_be_repeated() || !following.iter().any(|next| next.out));
        // An overview goes on with the next device.
        let another = overview
            && following
                .first()
                .is_some_and(|next| next.operation_code() == INQUIRY && next.node != command.node);
        match command.operation_code() {
            // A command follows only where the device told about itself, or the same again.
            INQUIRY => {
                assert_eq!(command.cdb, [INQUIRY, 0, 0, 0, 36, 0]);
                let told = command.came().is_some_and(|data| data.len() >= 4);
                let again = command.forbidden()
                    && following.first().is_some_and(|next| {
                        next.operation_code() == INQUIRY && next.node != command.node
                    });
                assert!(last || told || again || once_more || another);
            }
            // What was refused is not tried twice; what cannot be read whole is read again.
            PERSISTENT_RESERVE_IN => {
                let length = [command.cdb[7], command.cdb[8]];
                if command.result.is_ok() {
                    assert_eq!(
                        command.buffer.len(),
                        usize::from(u16::from_be_bytes(length))
                    );
                }
                // An overview, and what is verified, do without capabilities and full status where
                // there are none.
                let optional = (overview || verify)
                    && matches!(command.cdb[1], CAPABILITIES | FULL_STATUS)
                    && command.failed_with(ILLEGAL_REQUEST);
                // The same again with less room, where that may have been the reason.
                let less = command.asks_too_much()
                    && following.first().is_some_and(|next| {
                        next.cdb[..7] == command.cdb[..7] && next.room() != command.room()
                    });
                let goes_on = command.carried_out() || command.forbidden() || optional;
                assert!(last || goes_on || once_more || less || another);
            }
            // A change is asked for once, unless the kernel did not even take it.
            PERSISTENT_RESERVE_OUT => {
                assert!(command.out);
                let read_back = verify
                    && command.carried_out()
                    && following
                        .iter()
                        .all(|next| next.operation_code() == PERSISTENT_RESERVE_IN);
                let once_more = once_more && command.may_be_repeated();
                assert!(last || command.forbidden() || read_back || once_more);
            }
            other => panic!("operation code {other:#x}"),
        }
    }
}

/// A clock that stands still: nobody waits by it.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, _: Duration) {}
}

/// Writes no file.
struct Nowhere;

impl Output for Nowhere {
    fn create(&mut self, _: &Path) -> io::Result<Box<dyn Draft>> {
        Ok(Box::new(Self))
    }
}

impl Draft for Nowhere {
    fn publish(self: Box<Self>, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// An exit status of 0 if, and only if, what was asked for was done and is there in whole.
fn check_status(scene: &Scene, sent: &[Sent], status: u8, stdout: &[u8]) {
    let documents = [
        Opt::Completion,
        Opt::DryRun,
        Opt::JsFile,
        Opt::Json,
        Opt::JsonSchema,
    ];
    let questions = [Opt::HasKey, Opt::HolderIs, Opt::Reserved];
    let in_words = !has(scene, &documents);
    if has(scene, &questions) {
        return check_question(sent, status, in_words.then_some(stdout));
    }
    if has(scene, &[Opt::Overview]) {
        return check_overview(sent, status);
    }
    if has(scene, &[Opt::Verify]) {
        return check_verified(sent, status, in_words.then_some(stdout));
    }
    if !in_words {
        return;
    }
    if status != 0 {
        // A newline in a word comes back within the message about that word.
        if !scene
            .words
            .iter()
            .any(|word| word.as_bytes().contains(&b'\n'))
        {
            check_no_answer(sent, stdout);
        }
        let last = sent.last();
        let done = last.is_some_and(|last| match last.operation_code() {
            PERSISTENT_RESERVE_IN => whole_answer(last).is_some_and(|data| {
                let room = given(scene).unwrap_or(usize::from(u16::MAX));
                takes(last.cdb[1], data) <= room && proven(last)
            }),
            PERSISTENT_RESERVE_OUT => last.carried_out(),
            _ => false,
        });
        assert!(!done || scene.stdout_error.is_some(), "status {status}");
        return;
    }
    assert!(scene.stdout_error.is_none() || stdout.is_empty());
    let Some(last) = sent.last() else {
        let version = usage::version();
        let texts = [usage::usage(), usage::more_usage(), version];
        // `-?` is answered on standard error.
        let question = scene
            .words
            .iter()
            .any(|word| word.as_bytes().contains(&b'?'));
        let asked = stdout.is_empty() && question;
        assert!(asked || texts.iter().any(|text| text.as_bytes() == stdout));
        return;
    };
    match last.operation_code() {
        PERSISTENT_RESERVE_OUT => assert!(last.carried_out()),
        PERSISTENT_RESERVE_IN => {
            let data = whole_answer(last).expect("success needs a whole answer");
            assert!(proven(last));
            check_answer(last.cdb[1], data, stdout);
        }
        other => panic!("success after operation code {other:#x}"),
    }
}

/// Yes (0) and no (36) come from a whole answer, and are not on standard output.
fn check_question(sent: &[Sent], status: u8, stdout: Option<&[u8]>) {
    if let Some(stdout) = stdout {
        check_no_answer(sent, stdout);
    }
    match (status, sent) {
        // Help and the like.
        (0, []) => {}
        (0 | 36, sent) => {
            let answer = sent.last().and_then(whole_answer);
            assert!(answer.is_some(), "status {status}");
        }
        _ => {}
    }
}

/// Success ends with what was read last; there may be no full status.
fn check_overview(sent: &[Sent], status: u8) {
    if let (0, Some(last)) = (status, sent.last()) {
        assert!(last.operation_code() == PERSISTENT_RESERVE_IN);
        // Full status comes last; where there is none to be had, an overview does without.
        let missing =
            last.cdb[1] == FULL_STATUS && (last.failed_with(ILLEGAL_REQUEST) || last.carried_out());
        assert!(missing || whole_answer(last).is_some() && proven(last));
    }
}

/// Success is a change that was carried out, and read back afterwards; and something shows that it
/// was, but for what the standard does not count.
fn check_verified(sent: &[Sent], status: u8, stdout: Option<&[u8]>) {
    if let Some(stdout) = stdout {
        check_no_answer(sent, stdout);
    }
    if status != 0 || sent.is_empty() {
        return;
    }
    let change = sent
        .iter()
        .rposition(|command| command.operation_code() == PERSISTENT_RESERVE_OUT)
        .expect("success needs a change");
    let action = sent[change].cdb[1];
    assert!(sent[change].carried_out());
    let answers = |sent: &[Sent], action: u8| {
        let answers = sent
            .iter()
            .filter(|command| command.cdb[..2] == [PERSISTENT_RESERVE_IN, action])
            .filter_map(whole_answer)
            .map(|data| data[..8 + length(data)].to_vec());
        answers.collect::<BTreeSet<_>>()
    };
    let state = |sent| [KEYS, RESERVATION].map(|action| answers(sent, action));
    let (before, after) = (state(&sent[..change]), state(&sent[change..]));
    assert!(
        before
            .iter()
            .chain(&after)
            .all(|answers| !answers.is_empty())
    );
    let is_counted = !matches!(action, RESERVE | RELEASE);
    let registers = matches!(action, REGISTER | REGISTER_AND_IGNORE);
    let nobody = registers && after[0].iter().any(|keys| length(keys) == 0);
    assert!(
        !is_counted || before != after || nobody,
        "nothing shows that it was done"
    );
}

/// Nothing on standard output that looks like an answer. The device's own text, which is shown
/// before the command is sent, is not looked at: in a pipe it is shown byte for byte.
fn check_no_answer(sent: &[Sent], stdout: &[u8]) {
    let told = sent
        .iter()
        .filter(|command| command.operation_code() == INQUIRY)
        .filter_map(Sent::came)
        .any(|data| data.contains(&b'\n'));
    if told {
        return;
    }
    for line in stdout.split(|&byte| byte == b'\n') {
        let looks_like_one = line.starts_with(b"    0x")
            || line.starts_with(b"    Key=")
            || contains(line, b"PR generation=")
            || contains(line, b"Report capabilities response");
        assert!(!looks_like_one, "{}", String::from_utf8_lossy(line));
    }
}

/// The answer that was shown is the one that came.
fn check_answer(action: u8, data: &[u8], stdout: &[u8]) {
    let text = String::from_utf8_lossy(stdout);
    let generation = format!("  PR generation={:#x}", number(&data[..4]));
    // In hexadecimal there are no such lines.
    let decoded = text.contains(&generation) && !text.contains(", Additional length=");
    match action {
        0 if decoded => {
            let shown = text.lines().filter_map(|line| line.strip_prefix("    0x"));
            let keys: Vec<u64> = shown
                .map(|key| u64::from_str_radix(key, 16).expect("keys are hexadecimal numbers"))
                .collect();
            let list = &data[8..8 + length(data)];
            assert_eq!(keys, list.chunks(8).map(number).collect::<Vec<_>>());
        }
        1 if decoded => {
            let held = length(data) > 0;
            assert_eq!(text.contains("    Key=0x"), held);
            assert_eq!(text.contains("there is NO reservation held\n"), !held);
        }
        3 if decoded => {
            let shown = text.matches("    Key=0x").count();
            // Names are shown byte for byte in a pipe, newlines among them.
            assert!(shown >= descriptors(data).expect("a whole answer has them"));
        }
        _ => {}
    }
}

/// What was done, or answered, is not commented on, but for two hints about the command line and what
/// the device itself said beside it. What failed on the way there is nobody's business.
fn check_messages(scene: &Scene, sent: &[Sent], status: u8, stderr: &[u8]) {
    let told_more = sent.iter().any(|command| {
        command.carried_out()
            && command
                .result
                .as_ref()
                .is_ok_and(|completion| !completion.sense.is_empty())
    });
    let wanted = has(scene, &[Opt::Verbose]) || scene.environment.show_invocation;
    // A change that was made and could not be shown is told to be both.
    let lost = scene.stdout_error.is_some();
    if status != 0 || sent.is_empty() || told_more || wanted || lost {
        return;
    }
    for line in stderr.split(|&byte| byte == b'\n') {
        let is_hint = line.starts_with(b">> ") || line.starts_with(b"warning>>> ");
        assert!(
            line.is_empty() || is_hint,
            "{}",
            String::from_utf8_lossy(line)
        );
    }
}

/// On a terminal nothing but printable characters and newlines; and none beyond ASCII but those
/// that the user typed.
fn check_terminals(scene: &Scene, stdout: &[u8], stderr: &[u8]) {
    let ascii = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b'\n' | 0x20..=0x7e));
    let typed = scene.words.iter().all(|word| word.as_bytes().is_ascii())
        && scene.text.as_ref().is_none_or(|text| text.is_ascii());
    let printable = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap_or("\0");
        text.chars().all(|c| c == '\n' || !c.is_control()) && (!typed || ascii(bytes))
    };
    assert!(!scene.stdout_is_terminal || printable(stdout));
    assert!(!scene.stderr_is_terminal || printable(stderr));
}

/// What is printed is bounded by what came.
fn check_sizes(scene: &Scene, sent: &[Sent], stdout: &[u8], stderr: &[u8]) {
    let words: usize = scene.words.iter().map(|word| word.len() + 1).sum();
    let typed = words + scene.text.as_ref().map_or(0, Vec::len);
    let came: usize = sent.iter().map(|command| command.buffer.len()).sum();
    let sense: usize = sent
        .iter()
        .filter_map(|command| command.result.as_ref().ok())
        .map(|completion| completion.sense.len())
        .sum();
    let limit = 16_384 + 150 * typed + 16 * came;
    assert!(stdout.len() <= limit, "{} on stdout", stdout.len());
    let limit = limit + 100 * sense;
    assert!(stderr.len() <= limit, "{} on stderr", stderr.len());
}

/// Whether every part of a completion says that the command was carried out.
pub(crate) fn carried_out(completion: &Completion) -> bool {
    let driver = completion.driver_status.0;
    let status = completion.status.0;
    if completion.host_status.0 != 0 || !(driver == 0 || driver & 0xf == 8) {
        return false;
    }
    // CHECK CONDITION and COMMAND TERMINATED, with or without the bits once left to vendors.
    let leaves_it_to_sense_data = matches!(status & 0x7e, 0x02 | 0x22);
    if driver & 0xf == 8 || leaves_it_to_sense_data {
        return is_current(&completion.sense)
            && sense_key(&completion.sense).is_some_and(|key| key <= 1)
            && (status == 0 || leaves_it_to_sense_data);
    }
    status == 0
}

/// Whether it is about this command: 71h and 73h are deferred errors.
fn is_current(sense: &[u8]) -> bool {
    sense.first().is_some_and(|code| code & 0x7d == 0x70)
}

fn sense_key(sense: &[u8]) -> Option<u8> {
    match *sense {
        // The ADDITIONAL SENSE LENGTH never ends before the sense key.
        [code, _, key, ..] if matches!(code & 0x7f, 0x70 | 0x71) => Some(key & 0xf),
        [code, key, _, ..] if matches!(code & 0x7f, 0x72 | 0x73) => Some(key & 0xf),
        _ => None,
    }
}

/// The data in of PERSISTENT RESERVE IN, if it is an answer and came whole.
fn whole_answer(sent: &Sent) -> Option<&[u8]> {
    let data = sent.came()?;
    // Zeros that come with sense data may be a buffer that nobody wrote to.
    let completion = sent.result.as_ref().ok()?;
    let sense =
        completion.driver_status.0 & 0xf == 8 || matches!(completion.status.0 & 0x7e, 0x02 | 0x22);
    if sense && data.iter().all(|&byte| byte == 0) {
        return None;
    }
    // Nor does what nobody wrote belong to one.
    let written = &data[..data.len().min(sent.written)];
    is_whole(sent.cdb[1], written).then_some(data)
}

/// Bytes that an answer takes.
fn takes(action: u8, data: &[u8]) -> usize {
    match action {
        CAPABILITIES => usize::try_from(number(&data[..2])).unwrap_or(usize::MAX),
        _ => 8 + length(data),
    }
}

/// Whether one element more would have had room in a whole answer, so that it cannot be cut.
fn proven(sent: &Sent) -> bool {
    let takes = takes(sent.cdb[1], &sent.buffer);
    let room = sent.room();
    match sent.cdb[1] {
        0 => takes + 8 <= room,
        1 => takes.max(24) <= room,
        FULL_STATUS => takes + 24 + 248 <= room,
        _ => true,
    }
}

/// Whether `data` is a whole answer to the PERSISTENT RESERVE IN service action `action`.
pub(crate) fn is_whole(action: u8, data: &[u8]) -> bool {
    if data.len() < 8 {
        return false;
    }
    if action == 2 {
        let length = usize::try_from(number(&data[..2])).unwrap_or(usize::MAX);
        return (8..=data.len()).contains(&length);
    }
    if data.len() - 8 < length(data) {
        return false;
    }
    match action {
        0 => length(data).is_multiple_of(8),
        // There is one reservation at the most.
        1 => matches!(length(data), 0 | 16),
        _ => descriptors(data).is_some(),
    }
}

/// How many full status descriptors there are; `None` if they do not end where the list ends.
fn descriptors(data: &[u8]) -> Option<usize> {
    let mut list = data.get(8..)?.get(..length(data))?;
    let mut count = 0;
    while !list.is_empty() {
        let (fixed, rest) = list.split_at_checked(24)?;
        // What stands in a TransportID's place may be anything.
        let (_, rest) = rest.split_at_checked(usize::try_from(number(&fixed[20..])).ok()?)?;
        list = rest;
        count += 1;
    }
    Some(count)
}

/// ADDITIONAL LENGTH.
fn length(data: &[u8]) -> usize {
    usize::try_from(number(&data[4..8])).unwrap_or(usize::MAX)
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether two TransportIDs name the same port: their bytes, for iSCSI but for the zeros behind
/// the name and the length that counts them.
pub(crate) fn same(one: &TransportId, other: &TransportId) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let is_iscsi = |id: &[u8]| id.len() >= 4 && id[0] & 0xf == 5;
    let name = |id: &[u8]| {
        let end = id
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        id[4..end.max(4)].to_vec()
    };
    one == other
        || is_iscsi(one) && is_iscsi(other) && one[..2] == other[..2] && name(one) == name(other)
}

/// A text as `-X` takes it.
pub(crate) fn read_back(text: &[u8]) -> Option<Vec<TransportId>> {
    let argument = OsString::from_vec(text.to_vec());
    let parsed = sg_persist::cli::transport_ids::parse(&argument, &mut Texts(None));
    parsed.ok().map(|parsed| parsed.ids)
}

/// The lines of a file as `-X file=NAME` takes them.
pub(crate) fn read_file(lines: &[u8]) -> Option<Vec<TransportId>> {
    let mut input = Texts(Some(lines.to_vec()));
    let parsed = sg_persist::cli::transport_ids::parse("file=ids".as_ref(), &mut input);
    parsed.ok().map(|parsed| parsed.ids)
}
