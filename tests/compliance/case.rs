//! Cases of the compliance suite and their text form. Parsing and formatting
//! only: this file stands alone, so that any other test may include it.
//!
//! A file holds many cases. Lines that start with `#` and empty lines are
//! skipped. A case is a run of `key: value` lines:
//!
//! ```text
//! case: two-keys                     starts a case; the name is free text
//! program: /usr/bin/sg_persist       argv[0], when not plain `sg_persist`
//! argv: -n -K " 5" DEV               words; see quoting below
//! env: SG_PERSIST_IN_RDONLY=         one variable a line (nothing else is set)
//! stdin: "sas,5000c50005b32001\n"    standard input (empty without this line)
//! file: T "06,00,00\n"               a file in the working directory
//! device: missing                    what DEV is, when not a regular file
//! answer: 5e00 #2 data=00000002      response to the second READ KEYS
//! answer: open-rdwr errno=d          open for writing refused (EACCES)
//! exit: 24                           or `signal 11` or `timeout`
//! stdout:                            the text follows, each line behind a `|`
//! |  PR generation=0x2
//! stderr:
//! open: rdonly|nonblock DEV          what the program did, in order
//! command: cdb=5e000000000000200000 in=8192 sense=64 timeout=60000 on=rdonly
//! ```
//!
//! The lines from `exit` on are what was recorded; a case may lack them all. A long text is recorded
//! by its first lines, the length of the rest and a hash of it.
//! The program runs in a directory of its own in which the device is called
//! `DEV`, so that this name stands unchanged in messages.
//!
//! *Quoting.* A word of printable ASCII without blank, `"` and `\` stands as it
//! is. Any other is put between `"` with the escapes `\n`, `\t`, `\r`, `\"`, `\\` and
//! `\xNN`. In text lines behind `|` only `\t`, `\r`, `\\` and `\xNN` occur and
//! the line feed is implied; a last line that ends in a single `\` has none.
//!
//! *Answers.* `OPCODE` or `OPCODE SERVICE-ACTION` in hex (`12`, `5e`, `5f03`), or
//! `open`, `open-rdonly`, `open-rdwr`; then `#N` to answer only the N-th of its kind,
//! counted from 1 over the same opcode and service action (or access mode).
//! The first that matches is taken. Fields, all optional, numbers in hex:
//! `data` (sent to the caller up to its length), `resid` (decimal; when absent what the data
//! leaves of the length asked for), `status`, `host`, `driver`, `sense`, `errno` (the
//! call fails and nothing else happens). A command without an answer gets
//! ENOTTY, but for INQUIRY, which gets [`STANDARD_INQUIRY`].

use std::fmt::Write as _;

/// The response to an INQUIRY that no answer covers: a disk.
pub(crate) const STANDARD_INQUIRY: [u8; 36] =
    *b"\x00\x00\x05\x02\x1f\x00\x00\x02ACME    Shared Disk     1.0 ";

/// ENOTTY: what a file that is no SCSI device says.
const ENOTTY: i32 = 25;

/// One command line, its surroundings and the device's responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) program: Vec<u8>,
    pub(crate) argv: Vec<Vec<u8>>,
    pub(crate) env: Vec<(String, Vec<u8>)>,
    pub(crate) stdin: Option<Vec<u8>>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) device: Device,
    pub(crate) answers: Vec<Answer>,
}

/// What stands under the name `DEV`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    File,
    Missing,
    Directory,
    /// Opening it fails with ENXIO.
    Socket,
    Fifo,
    /// A link to `/dev/null`: a character device.
    Null,
}

const DEVICES: [(&str, Device); 6] = [
    ("file", Device::File),
    ("missing", Device::Missing),
    ("directory", Device::Directory),
    ("socket", Device::Socket),
    ("fifo", Device::Fifo),
    ("null", Device::Null),
];

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// An open of the device, of one access mode or of either.
    Open(Option<Access>),
    /// A command, of one service action or of any.
    Command(u8, Option<u8>),
}

/// Access mode of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

impl Access {
    /// The word in the text form.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Access::ReadOnly => "rdonly",
            Access::ReadWrite => "rdwr",
        }
    }
}

/// A scripted response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) to: Trigger,
    /// Only the n-th of its kind, from 1.
    pub(crate) nth: Option<u32>,
    pub(crate) data: Vec<u8>,
    pub(crate) resid: Option<i32>,
    pub(crate) status: u8,
    pub(crate) host: u16,
    pub(crate) driver: u16,
    pub(crate) sense: Vec<u8>,
    pub(crate) errno: i32,
}

impl Answer {
    /// GOOD without data.
    pub(crate) fn good(to: Trigger) -> Self {
        Answer {
            to,
            nth: None,
            data: Vec::new(),
            resid: None,
            status: 0,
            host: 0,
            driver: 0,
            sense: Vec::new(),
            errno: 0,
        }
    }
}

impl Case {
    /// A case without arguments on a regular file.
    pub(crate) fn new(name: &str) -> Self {
        Case {
            name: name.to_owned(),
            program: b"sg_persist".to_vec(),
            argv: Vec::new(),
            env: Vec::new(),
            stdin: None,
            files: Vec::new(),
            device: Device::File,
            answers: Vec::new(),
        }
    }

    /// The response to a command which is the `nth` (from 1) of its opcode and service action.
    pub(crate) fn answer(&self, opcode: u8, service_action: u8, nth: u32) -> Answer {
        let matches = |answer: &&Answer| match answer.to {
            Trigger::Command(code, action) => {
                code == opcode
                    && action.is_none_or(|action| action == service_action)
                    && answer.nth.is_none_or(|n| n == nth)
            }
            Trigger::Open(_) => false,
        };
        if let Some(answer) = self.answers.iter().find(matches) {
            return answer.clone();
        }
        let mut answer = Answer::good(Trigger::Command(opcode, None));
        if opcode == 0x12 {
            answer.data = STANDARD_INQUIRY.to_vec();
        } else {
            answer.errno = ENOTTY;
        }
        answer
    }

    /// The errno (0: none) of an open which is the `nth` (from 1) of its access mode.
    pub(crate) fn open_errno(&self, access: Access, nth: u32) -> i32 {
        let matches = |answer: &&Answer| match answer.to {
            Trigger::Open(mode) => {
                mode.is_none_or(|mode| mode == access) && answer.nth.is_none_or(|n| n == nth)
            }
            Trigger::Command(..) => false,
        };
        self.answers
            .iter()
            .find(matches)
            .map_or(0, |answer| answer.errno)
    }
}

/// What a program did with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) events: Vec<Event>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exit(i32),
    Signal(i32),
    /// Stopped: it took too long or wrote too much.
    Timeout,
}

/// Something the device saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A non-blocking open; flags without O_LARGEFILE and O_CLOEXEC.
    Open {
        flags: u32,
        path: Vec<u8>,
    },
    Command(Command),
}

/// A command as it reached the system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) cdb: Vec<u8>,
    pub(crate) direction: Direction,
    /// Length of the data buffer in bytes.
    pub(crate) length: u32,
    /// What was sent to the device.
    pub(crate) data_out: Vec<u8>,
    /// Length of the sense buffer in bytes.
    pub(crate) sense_length: u8,
    /// Milliseconds.
    pub(crate) timeout: u32,
    pub(crate) flags: u32,
    /// Access mode of the descriptor it was sent on.
    pub(crate) on: Access,
}

/// Direction of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    None,
    In,
    Out,
    /// Some other value of the header's field.
    Other(i32),
}

/// Writes a word so that [`words`] reads it again.
pub(crate) fn quote(word: &[u8]) -> String {
    let plain = |byte: &u8| (0x21..0x7f).contains(byte) && !matches!(byte, b'"' | b'\\');
    if !word.is_empty() && word.iter().all(plain) {
        return escape(word, false);
    }
    format!("\"{}\"", escape(word, true))
}

fn escape(bytes: &[u8], quoted: bool) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\\' => text.push_str("\\\\"),
            b'"' if quoted => text.push_str("\\\""),
            0x20..0x7f => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'r') => bytes.push(b'\r'),
            Some(b'"') => bytes.push(b'"'),
            Some(b'\\') => bytes.push(b'\\'),
            Some(b'x') => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(number(&digits)?);
            }
            _ => return Err(format!("bad escape in {text}")),
        }
    }
    Ok(bytes)
}

fn number(text: &str) -> Result<u8, String> {
    u8::from_str_radix(text, 16).map_err(|_| format!("not a hex byte: {text}"))
}

/// Splits a line into words.
pub(crate) fn words(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut found = Vec::new();
    let mut rest = line.trim_start_matches(' ');
    while !rest.is_empty() {
        let end = if let Some(quoted) = rest.strip_prefix('"') {
            let mut escaped = false;
            let close = quoted
                .bytes()
                .position(|byte| {
                    let closes = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    closes
                })
                .ok_or_else(|| format!("no closing quote: {line}"))?;
            found.push(unescape(quoted.get(..close).unwrap_or_default())?);
            close + 2
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            found.push(rest.get(..end).unwrap_or_default().as_bytes().to_vec());
            end
        };
        rest = rest.get(end..).unwrap_or_default().trim_start_matches(' ');
    }
    Ok(found)
}

/// Writes a case, and what was recorded of it if given.
pub(crate) fn format(case: &Case, recorded: Option<&Outcome>) -> String {
    let mut text = format!("case: {}\n", case.name);
    if case.program != b"sg_persist" {
        let _ = writeln!(text, "program: {}", quote(&case.program));
    }
    let argv: Vec<String> = case.argv.iter().map(|word| quote(word)).collect();
    let _ = writeln!(text, "argv: {}", argv.join(" "));
    for (name, value) in &case.env {
        let _ = writeln!(text, "env: {name}={}", escape(value, false));
    }
    if let Some(stdin) = &case.stdin {
        let _ = writeln!(text, "stdin: {}", quote(stdin));
    }
    for (name, content) in &case.files {
        let _ = writeln!(text, "file: {name} {}", quote(content));
    }
    if case.device != Device::File {
        let word = DEVICES.iter().find(|(_, device)| *device == case.device);
        let _ = writeln!(text, "device: {}", word.map_or("", |(word, _)| word));
    }
    for answer in &case.answers {
        let _ = writeln!(text, "answer: {}", format_answer(answer));
    }
    if let Some(outcome) = recorded {
        text.push_str(&format_outcome(outcome));
    }
    text
}

fn format_answer(answer: &Answer) -> String {
    let mut text = match answer.to {
        Trigger::Open(None) => "open".to_owned(),
        Trigger::Open(Some(access)) => format!("open-{}", access.word()),
        Trigger::Command(opcode, None) => format!("{opcode:02x}"),
        Trigger::Command(opcode, Some(action)) => format!("{opcode:02x}{action:02x}"),
    };
    if let Some(nth) = answer.nth {
        let _ = write!(text, " #{nth}");
    }
    if !answer.data.is_empty() {
        let _ = write!(text, " data={}", hex::encode(&answer.data));
    }
    if let Some(resid) = answer.resid {
        let _ = write!(text, " resid={resid}");
    }
    for (name, value) in [
        ("status", u16::from(answer.status)),
        ("host", answer.host),
        ("driver", answer.driver),
    ] {
        if value != 0 {
            let _ = write!(text, " {name}={value:02x}");
        }
    }
    if !answer.sense.is_empty() {
        let _ = write!(text, " sense={}", hex::encode(&answer.sense));
    }
    if answer.errno != 0 {
        let _ = write!(text, " errno={:x}", answer.errno);
    }
    text
}

/// Writes what a program did.
pub(crate) fn format_outcome(outcome: &Outcome) -> String {
    let mut text = match outcome.end {
        End::Exit(status) => format!("exit: {status}\n"),
        End::Signal(signal) => format!("exit: signal {signal}\n"),
        End::Timeout => "exit: timeout\n".to_owned(),
    };
    text.push_str("stdout:\n");
    text.push_str(&format_lines(&outcome.stdout));
    text.push_str("stderr:\n");
    text.push_str(&format_lines(&outcome.stderr));
    for event in &outcome.events {
        text.push_str(&format_event(event));
        text.push('\n');
    }
    text
}

fn format_lines(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                let _ = writeln!(text, "|{}", escape(line, false));
            }
            None => {
                let _ = writeln!(text, "|{}\\", escape(line, false));
            }
        }
    }
    text
}

const OPEN_FLAGS: [(u32, &str); 10] = [
    (0o100, "creat"),
    (0o200, "excl"),
    (0o400, "noctty"),
    (0o1000, "trunc"),
    (0o2000, "append"),
    (0o4000, "nonblock"),
    (0o10000, "dsync"),
    (0o40000, "direct"),
    (0o200_000, "directory"),
    (0o400_000, "nofollow"),
];

/// Writes one event.
pub(crate) fn format_event(event: &Event) -> String {
    match event {
        Event::Open { flags, path } => {
            let mut text = match flags & 3 {
                0 => "open: rdonly".to_owned(),
                1 => "open: wronly".to_owned(),
                _ => "open: rdwr".to_owned(),
            };
            for (bit, name) in OPEN_FLAGS {
                if flags & bit != 0 {
                    let _ = write!(text, "|{name}");
                }
            }
            let _ = write!(text, " {}", quote(path));
            text
        }
        Event::Command(command) => {
            let mut text = format!("command: cdb={}", hex::encode(&command.cdb));
            let _ = match command.direction {
                Direction::None => write!(text, " none={}", command.length),
                Direction::In => write!(text, " in={}", command.length),
                Direction::Out => write!(text, " out={}", command.length),
                Direction::Other(value) => write!(text, " direction{value}={}", command.length),
            };
            if !command.data_out.is_empty() {
                let _ = write!(text, " data={}", hex::encode(&command.data_out));
            }
            let _ = write!(
                text,
                " sense={} timeout={}",
                command.sense_length, command.timeout
            );
            if command.flags != 0 {
                let _ = write!(text, " flags={:x}", command.flags);
            }
            let _ = write!(text, " on={}", command.on.word());
            text
        }
    }
}

/// Reads a file of cases; the message of an error names the line.
pub(crate) fn parse(text: &str) -> Result<Vec<(Case, Option<Outcome>)>, String> {
    let mut cases: Vec<(Case, Option<Outcome>)> = Vec::new();
    let mut stream = 0;
    for (index, line) in text.lines().enumerate() {
        parse_line(line, &mut cases, &mut stream)
            .map_err(|message| format!("line {}: {message}", index + 1))?;
    }
    Ok(cases)
}

fn parse_line(
    line: &str,
    cases: &mut Vec<(Case, Option<Outcome>)>,
    stream: &mut u8,
) -> Result<(), String> {
    if let Some(name) = line.strip_prefix("case: ") {
        cases.push((Case::new(name), None));
        return Ok(());
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    let (case, recorded) = cases.last_mut().ok_or("no case yet")?;
    if let Some(text) = line.strip_prefix('|') {
        let outcome = recorded.as_mut().ok_or("text without exit")?;
        let into = if *stream == 1 {
            &mut outcome.stdout
        } else {
            &mut outcome.stderr
        };
        let escapes = text.bytes().rev().take_while(|&byte| byte == b'\\').count();
        if escapes % 2 == 1 {
            let cut = text.get(..text.len() - 1).unwrap_or_default();
            into.extend(unescape(cut)?);
        } else {
            into.extend(unescape(text)?);
            into.push(b'\n');
        }
        return Ok(());
    }
    let (key, value) = line.split_once(':').ok_or("neither key nor text")?;
    let value = value.strip_prefix(' ').unwrap_or(value);
    let one_word = || -> Result<Vec<u8>, String> {
        words(value)?
            .into_iter()
            .next()
            .ok_or_else(|| "a word is missing".to_owned())
    };
    match key {
        "program" => case.program = one_word()?,
        "argv" => case.argv = words(value)?,
        "env" => {
            let (name, content) = value.split_once('=').ok_or("no = in env")?;
            case.env.push((name.to_owned(), unescape(content)?));
        }
        "stdin" => case.stdin = Some(one_word()?),
        "file" => match &words(value)?[..] {
            [name, content] => {
                let name = String::from_utf8_lossy(name).into_owned();
                case.files.push((name, content.clone()));
            }
            _ => return Err("file: takes a name and the content".to_owned()),
        },
        "device" => {
            let known = DEVICES.iter().find(|(word, _)| *word == value);
            case.device = known.ok_or("unknown kind of device")?.1;
        }
        "answer" => case.answers.push(parse_answer(value)?),
        "exit" => {
            let end = if value == "timeout" {
                End::Timeout
            } else if let Some(signal) = value.strip_prefix("signal ") {
                End::Signal(decimal(signal)?)
            } else {
                End::Exit(decimal(value)?)
            };
            *recorded = Some(Outcome {
                end,
                stdout: Vec::new(),
                stderr: Vec::new(),
                events: Vec::new(),
            });
        }
        "stdout" => *stream = 1,
        "stderr" => *stream = 2,
        "open" | "command" => {
            let outcome = recorded.as_mut().ok_or("event without exit")?;
            outcome.events.push(if key == "open" {
                parse_open(value)?
            } else {
                Event::Command(parse_command(value)?)
            });
        }
        _ => return Err(format!("unknown key {key}")),
    }
    Ok(())
}

fn decimal<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|error| format!("{error}: {text}"))
}

fn parse_answer(value: &str) -> Result<Answer, String> {
    let mut fields = value.split(' ').filter(|field| !field.is_empty());
    let trigger = fields.next().ok_or("empty answer")?;
    let to = match trigger {
        "open" => Trigger::Open(None),
        "open-rdonly" => Trigger::Open(Some(Access::ReadOnly)),
        "open-rdwr" => Trigger::Open(Some(Access::ReadWrite)),
        _ => match bytes(trigger)?[..] {
            [opcode] => Trigger::Command(opcode, None),
            [opcode, action] => Trigger::Command(opcode, Some(action)),
            _ => return Err(format!("not an opcode: {trigger}")),
        },
    };
    let mut answer = Answer::good(to);
    for field in fields {
        if let Some(nth) = field.strip_prefix('#') {
            answer.nth = Some(decimal(nth)?);
            continue;
        }
        let (name, value) = field.split_once('=').ok_or("a field without =")?;
        let wide = || u16::from_str_radix(value, 16).map_err(|_| format!("bad number: {value}"));
        match name {
            "data" => answer.data = bytes(value)?,
            "sense" => answer.sense = bytes(value)?,
            "resid" => answer.resid = Some(decimal(value)?),
            "status" => answer.status = number(value)?,
            "host" => answer.host = wide()?,
            "driver" => answer.driver = wide()?,
            "errno" => answer.errno = i32::from(wide()?),
            _ => return Err(format!("unknown field {name}")),
        }
    }
    Ok(answer)
}

fn parse_open(value: &str) -> Result<Event, String> {
    let (mode, path) = value.split_once(' ').ok_or("open without a name")?;
    let mut flags = 0;
    for word in mode.split('|') {
        flags |= match word {
            "rdonly" => 0,
            "wronly" => 1,
            "rdwr" => 2,
            _ => {
                OPEN_FLAGS
                    .iter()
                    .find(|(_, name)| *name == word)
                    .ok_or("unknown flag")?
                    .0
            }
        };
    }
    let path = words(path)?.into_iter().next().unwrap_or_default();
    Ok(Event::Open { flags, path })
}

fn parse_command(value: &str) -> Result<Command, String> {
    let mut command = Command {
        cdb: Vec::new(),
        direction: Direction::None,
        length: 0,
        data_out: Vec::new(),
        sense_length: 0,
        timeout: 0,
        flags: 0,
        on: Access::ReadOnly,
    };
    for field in value.split(' ') {
        let (name, value) = field.split_once('=').ok_or("a field without =")?;
        match name {
            "cdb" => command.cdb = bytes(value)?,
            "none" => (command.direction, command.length) = (Direction::None, decimal(value)?),
            "in" => (command.direction, command.length) = (Direction::In, decimal(value)?),
            "out" => (command.direction, command.length) = (Direction::Out, decimal(value)?),
            "data" => command.data_out = bytes(value)?,
            "sense" => command.sense_length = decimal(value)?,
            "timeout" => command.timeout = decimal(value)?,
            "flags" => {
                command.flags = u32::from_str_radix(value, 16).map_err(|_| "bad flags")?;
            }
            "on" if value == "rdwr" => command.on = Access::ReadWrite,
            "on" => command.on = Access::ReadOnly,
            _ => match name.strip_prefix("direction") {
                Some(number) => {
                    command.direction = Direction::Other(decimal(number)?);
                    command.length = decimal(value)?;
                }
                None => return Err(format!("unknown field {name}")),
            },
        }
    }
    Ok(command)
}
