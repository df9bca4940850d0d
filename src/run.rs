//! The story of one run: understand what is asked for, open the device, send the commands, show
//! what came back.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use crate::cli::arguments::Arguments;
use crate::cli::request::{
    self, DEFAULT_ALLOCATION_LENGTH, Environment, Judgement, Opening, Operation, Request, Task,
};
use crate::cli::transport_ids::Input;
use crate::cli::usage;
use crate::error::{Error, Family};
use crate::exit::ExitStatus;
use crate::pr::prin::{self, Malformed, ParameterData};
use crate::pr::prout::{PersistentReserveOut, ServiceAction};
use crate::render::{DeviceText, diagnostic, hex, text, transport_id};
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::{self, StandardInquiry};
use crate::transport::trace::Tracer;
use crate::transport::{
    Access, Command, CommandError, Completion, Data, Open, Transport, os_error_text,
};

/// Everything outside the program that a run touches.
pub struct World<'a> {
    /// The command line, the program's name first.
    pub argv: &'a [OsString],
    /// The environment variables that count.
    pub environment: Environment,
    /// Standard input and the files that `-X` names.
    pub input: &'a mut dyn Input,
    /// The devices.
    pub devices: &'a dyn Open,
    /// Standard output.
    pub stdout: &'a mut dyn Write,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Standard error.
    pub stderr: &'a mut dyn Write,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("argv", &self.argv)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// Runs the program and tells with which status it ends.
pub fn run(world: World<'_>) -> ExitStatus {
    let console = Console::new(
        (world.stdout, world.stdout_is_terminal),
        (world.stderr, world.stderr_is_terminal),
    );
    let words = world.argv.get(1..).unwrap_or_default();
    if world.environment.show_invocation {
        console.err(invocation(world.argv).as_bytes());
    }
    let arguments = Arguments::parse(words, world.environment.posixly_correct);
    let Judgement { notes, request } = request::judge(&arguments, world.environment, world.input);
    for note in notes {
        console.err(format!("{note}\n").as_bytes());
    }
    let mut verbosity = 0;
    let result = match request {
        Ok(Request::Help { more: false }) => console.out(usage::USAGE.as_bytes()),
        Ok(Request::Help { more: true }) => console.out(usage::MORE_USAGE.as_bytes()),
        Ok(Request::Version) => console.out(usage::version().as_bytes()),
        Ok(Request::Task(ref task)) => {
            verbosity = task.verbosity;
            Job {
                task,
                devices: world.devices,
                console: &console,
                print: &|text| console.err(text.as_bytes()),
                introduced: Cell::new(false),
            }
            .run()
        }
        Err(error) => {
            if arguments.complaint.as_ref() == Some(&error.message) {
                let program = world
                    .argv
                    .first()
                    .map_or_else(|| "sg_persist".into(), |name| name.to_string_lossy());
                console.err(format!("{program}: ").as_bytes());
            }
            Err(error.into())
        }
    };
    let status = match &result {
        Ok(()) => ExitStatus::SUCCESS,
        Err(error) => {
            report(error, verbosity, &console);
            error.into()
        }
    };
    match console.finish() {
        Ok(()) => status,
        // Nobody reads the answer any more, and nobody needs to be told.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => (&error).into(),
        Err(error) => {
            let error = Error::Output(error);
            console.err(format!("{error}\n").as_bytes());
            (&error).into()
        }
    }
}

/// What SG3_UTILS_INVOCATION asks for.
fn invocation(argv: &[OsString]) -> String {
    let mut text = format!(
        "{}\nutility_given=sg_persist: \nversion_string={}\ninvocation_arguments:\n",
        "v".repeat(60),
        env!("CARGO_PKG_VERSION")
    );
    for word in argv {
        text += &format!("  {}\n", word.to_string_lossy());
    }
    text + &"^^vv".repeat(15) + "\n"
}

/// Says on stderr what ended the run.
fn report(error: &Error, verbosity: u8, console: &Console<'_>) {
    let status = ExitStatus::from(error);
    let say = |line: &str| console.err(format!("{line}\n").as_bytes());
    match error {
        Error::Usage(usage) => {
            say(&usage.message);
            if usage.show_usage {
                console.err(usage::USAGE.as_bytes());
            }
            return;
        }
        Error::Open { .. } | Error::Output(_) => {
            say(&error.to_string());
            if let Some(advice) = error.advice() {
                say(advice);
            }
            return;
        }
        // The original says so on stdout, and scripts look for it there.
        Error::Inquiry { .. } | Error::InquiryData { .. } => {
            let mut line = format!("{error}\n");
            if console.stdout_is_terminal {
                line = visible(&line);
            }
            console.put(line.as_bytes());
            if let Some(advice) = error.advice() {
                say(advice);
            }
            return;
        }
        Error::Command {
            command, family, ..
        } => say(&format!(
            "{command}: {}",
            failure_text(status, *family, verbosity)
        )),
        Error::Malformed { source, advice, .. } => {
            if let Malformed::CapabilitiesLength { .. } = source {
                say("Unexpected response for PRIN Report Capabilities");
            }
            say(&error.to_string());
            if let Some(advice) = advice {
                say(advice);
            }
        }
    }
    if let (0, Some(text)) = (verbosity, status.text()) {
        say(&format!("sg_persist failed: {text}"));
    }
    if let Some(advice) = error.advice() {
        say(advice);
    }
}

/// Why a command failed, in the words that the original has for the exit status.
fn failure_text(status: ExitStatus, family: Family, verbosity: u8) -> String {
    match (status, family) {
        (ExitStatus::INVALID_OPCODE, _) => "command not supported".to_owned(),
        (ExitStatus::ILLEGAL_REQUEST, Family::In) => {
            "bad field in cdb or parameter list (perhaps unsupported service action)".to_owned()
        }
        (ExitStatus::ILLEGAL_REQUEST, _) => {
            "bad field in cdb (perhaps unsupported service action)".to_owned()
        }
        (ExitStatus::INVALID_PARAMETER, Family::Out) => "bad field parameter list".to_owned(),
        (ExitStatus::INVALID_PARAMETER, Family::Move) => "bad field in parameter list".to_owned(),
        _ if verbosity == 0 => status.text().unwrap_or_default().into_owned(),
        _ => status.long_text().unwrap_or_default(),
    }
}

/// One command for one device.
struct Job<'a, 'c> {
    task: &'a Task,
    devices: &'a dyn Open,
    console: &'a Console<'c>,
    /// Prints whole lines on standard error.
    print: &'a dyn Fn(&str),
    /// Whether `-vvvv` has told what it tells once.
    introduced: Cell<bool>,
}

impl Job<'_, '_> {
    fn run(&self) -> Result<(), Error> {
        self.announce()?;
        match &self.task.operation {
            Operation::In {
                action,
                allocation_length,
            } => self.read(*action, *allocation_length),
            Operation::Out(out) => self.change(out),
        }
    }

    /// What `-vvv` shows of the options for PERSISTENT RESERVE OUT.
    fn announce(&self) -> Result<(), Error> {
        let Task {
            verbosity: 3..,
            transport_ids,
            parameters_given,
            ..
        } = self.task
        else {
            return Ok(());
        };
        (self.print)(&format!("Number of PROUT parameters: {parameters_given}\n"));
        let transport_ids = transport_ids.as_slice();
        if !transport_ids.is_empty() {
            (self.print)(&format!(
                "number of tranport-ids decoded from command line (or stdin): {}\n",
                transport_ids.len()
            ));
            (self.print)("  Decode given transport-ids:\n");
        }
        for id in transport_ids {
            let shown = self.console.device_text();
            let block = transport_id::block("      ", id.as_bytes(), shown);
            self.console.out(&block)?;
        }
        Ok(())
    }

    /// PERSISTENT RESERVE IN.
    fn read(&self, action: prin::ServiceAction, given: Option<u16>) -> Result<(), Error> {
        let access = match self.task.opening {
            Opening::ReadWrite => Access::ReadWrite,
            _ => Access::ReadOnly,
        };
        let mut device = Device::open(self, access, self.task.inquiry)?;
        if self.task.inquiry {
            self.inquire(&mut device)?;
        }
        let (data, parsed) = self.read_whole(&mut device, action, given)?;
        match (parsed, self.task.hex) {
            (Ok(answer), 0) => self.console.out(&text::answer(
                &answer,
                self.task.verbosity,
                self.console.device_text(),
            )),
            (Ok(_), count) => self
                .console
                .out(hex::answer(action, count, &data).as_bytes()),
            (Err(source), count) => {
                if count > 0 {
                    self.console.out(hex::came(count, &data).as_bytes())?;
                }
                let room = given.unwrap_or(DEFAULT_ALLOCATION_LENGTH);
                Err(Error::Malformed {
                    command: format!("PR in ({})", action.name()),
                    advice: advice(&source, given.is_some(), room),
                    source,
                })
            }
        }
    }

    /// Reads until the answer is whole: a list longer than the room for it is read again with
    /// the room that it needs, and once more if it has grown meanwhile. A `given` room is left
    /// as it is.
    fn read_whole(
        &self,
        device: &mut Device<'_, '_>,
        action: prin::ServiceAction,
        given: Option<u16>,
    ) -> Result<(Vec<u8>, Result<ParameterData, Malformed>), Error> {
        let mut room = given.unwrap_or(DEFAULT_ALLOCATION_LENGTH);
        let mut tries_left = if given.is_some() { 0 } else { 2 };
        loop {
            let data = self.read_once(device, action, room)?;
            let parsed = action.parse(&data);
            let needed = parsed.as_ref().err().and_then(Malformed::needed);
            match needed.map(u16::try_from) {
                Some(Ok(needed)) if needed > room && tries_left > 0 => {
                    room = needed;
                    tries_left -= 1;
                }
                _ => return Ok((data, parsed)),
            }
        }
    }

    fn read_once(
        &self,
        device: &mut Device<'_, '_>,
        action: prin::ServiceAction,
        room: u16,
    ) -> Result<Vec<u8>, Error> {
        let cdb = action.cdb(room);
        // Some targets write more than they were asked for; let that stay in our memory.
        let mut buffer = vec![0; usize::from(room.max(DEFAULT_ALLOCATION_LENGTH))];
        let requested = usize::from(room);
        let result = device.execute(cdb, Data::In(&mut buffer[..requested]));
        let result = self.completed(cdb, Some(requested), result?);
        let (transferred, is_good) = result
            .and_then(|completion| {
                let is_good = !completion.has_sense();
                Ok((completion.transferred(requested)?, is_good))
            })
            .map_err(|source| Error::Command {
                command: format!("PR in ({})", action.name()),
                family: Family::In,
                source,
            })?;
        buffer.truncate(transferred);
        if is_good {
            (self.print)(&diagnostic::response(cdb, &buffer, self.task.verbosity));
        }
        Ok(buffer)
    }

    /// PERSISTENT RESERVE OUT.
    fn change(&self, out: &PersistentReserveOut) -> Result<(), Error> {
        let access = match self.task.opening {
            Opening::ReadWrite => Access::ReadWrite,
            _ => Access::ReadOnly,
        };
        let mut device = if self.task.inquiry {
            let mut device = Device::open(self, Access::ReadOnly, true)?;
            self.inquire(&mut device)?;
            match access {
                Access::ReadOnly => device,
                Access::ReadWrite => {
                    drop(device);
                    Device::open(self, access, false)?
                }
            }
        } else {
            Device::open(self, access, false)?
        };
        let (family, command, success) = match out.action {
            ServiceAction::RegisterAndMove => (
                Family::Move,
                "PR out (register and move)".to_owned(),
                "PR out (register and move): command successful".to_owned(),
            ),
            action => (
                Family::Out,
                format!("PR out ({})", action.name()),
                format!("PR out: command ({}) successful", action.name()),
            ),
        };
        let (cdb, list) = out.emit();
        let result = device.execute(cdb, Data::Out(&list))?;
        self.completed(cdb, None, result)
            // A device that took less than it was sent and is content has done it all the same;
            // one that took less than nothing, or more, has not.
            .and_then(|completion| completion.transferred(list.len()))
            .map_err(|source| Error::Command {
                command,
                family,
                source,
            })?;
        if self.task.verbosity > 0 {
            (self.print)(&format!("{success}\n"));
        }
        Ok(())
    }

    /// INQUIRY, and the two lines about the device.
    fn inquire(&self, device: &mut Device<'_, '_>) -> Result<(), Error> {
        let cdb = inquiry::cdb();
        let mut buffer = [0; inquiry::ALLOCATION_LENGTH as usize];
        let requested = buffer.len();
        let result = device.execute(cdb, Data::In(&mut buffer))?;
        let transferred = self
            .completed(cdb, Some(requested), result)
            .and_then(|completion| completion.transferred(requested))
            .map_err(|source| {
                if let CommandError::Residual { residual, .. } = source {
                    (self.print)(&format!(
                        "inquiry resid ({residual}) should never exceed requested len={requested}\n"
                    ));
                }
                Error::Inquiry {
                    device: self.task.device.clone(),
                    source,
                }
            })?;
        let inquiry = StandardInquiry::parse(&buffer[..transferred]).map_err(|source| {
            if self.task.verbosity > 0 {
                (self.print)(&format!(
                    "sg_ll_inquiry_com: got too few bytes ({transferred})\n"
                ));
            }
            Error::InquiryData {
                device: self.task.device.clone(),
                source,
            }
        })?;
        self.console
            .out(&text::inquiry(&inquiry, self.console.device_text()))
    }

    /// Tells how a command went, and whether it was carried out.
    fn completed(
        &self,
        cdb: Cdb,
        requested: Option<usize>,
        result: io::Result<Completion>,
    ) -> Result<Completion, CommandError> {
        let told = diagnostic::outcome(cdb, requested, &result, self.task.verbosity);
        self.console.err_from_device(&told);
        let completion = result.map_err(CommandError::Os)?;
        completion.check()?;
        Ok(completion)
    }
}

/// What to do about an answer that is cut, if anything can be done.
fn advice(source: &Malformed, given: bool, room: u16) -> Option<String> {
    let needed = source.needed()?;
    if needed > u64::from(u16::MAX) {
        return Some(format!(
            "No command can ask for more than {} bytes, so the whole list cannot be read",
            u16::MAX
        ));
    }
    if needed <= u64::from(room) {
        return None;
    }
    Some(match given {
        true if needed <= u64::from(DEFAULT_ALLOCATION_LENGTH) => format!(
            "Ask for all of it with --alloc-length={needed:x} or --maxlen={needed}, or leave the option out"
        ),
        true => "Leave out --alloc-length and --maxlen to have all of it read".to_owned(),
        false => "The list kept growing while it was read; try again".to_owned(),
    })
}

/// An open device, and how to open it otherwise.
struct Device<'a, 'c> {
    job: &'a Job<'a, 'c>,
    access: Access,
    transport: Tracer<'a>,
}

impl<'a, 'c> Device<'a, 'c> {
    fn open(job: &'a Job<'a, 'c>, access: Access, for_inquiry: bool) -> Result<Self, Error> {
        let device = Path::new(&job.task.device);
        let flags = libc::O_NONBLOCK
            | match access {
                Access::ReadOnly => libc::O_RDONLY,
                Access::ReadWrite => libc::O_RDWR,
            };
        let verbosity = job.task.verbosity;
        if verbosity >= 2 {
            let device = device.display();
            (job.print)(&format!("open {device} with flags={flags:#x}\n"));
        }
        let opened = job.devices.open(device, access);
        let transport = opened.map_err(|source| {
            if verbosity >= 2 {
                let (device, reason) = (device.display(), os_error_text(&source));
                (job.print)(&format!(
                    "scsi_pt_open_flags: open({device}, {flags:#x}) failed: {reason}\n"
                ));
            }
            Error::Open {
                device: job.task.device.clone(),
                access,
                for_inquiry,
                source,
            }
        })?;
        Ok(Self {
            job,
            access,
            transport: Tracer::new(transport, verbosity, job.print, &job.introduced),
        })
    }

    /// Sends a command. Where the kernel refuses it on a read-only descriptor that was tried only
    /// in the hope that it would do, the device is opened read-write.
    ///
    /// The outer error says that the device could not be opened again, the inner one is about the
    /// command.
    fn execute(&mut self, cdb: Cdb, mut data: Data<'_>) -> Result<io::Result<Completion>, Error> {
        let result = self.send(cdb, data.reborrow());
        let refused = result
            .as_ref()
            .is_err_and(|error| matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)));
        let may_reopen =
            self.access == Access::ReadOnly && self.job.task.opening == Opening::ReadOnlyIfAllowed;
        if !(refused && may_reopen) {
            return Ok(result);
        }
        *self = Self::open(self.job, Access::ReadWrite, false)?;
        Ok(self.send(cdb, data))
    }

    fn send(&mut self, cdb: Cdb, data: Data<'_>) -> io::Result<Completion> {
        self.transport.execute(Command {
            cdb,
            data,
            timeout: self.job.task.timeout,
        })
    }
}

/// `text` without control characters but newlines.
fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => c,
        _ if c.is_control() => '.',
        _ => c,
    };
    text.chars().map(shown).collect()
}

/// Standard output and standard error.
///
/// Output is kept until the end and written at once; a person at a terminal sees it before any
/// message that comes after it.
struct Console<'a> {
    streams: RefCell<Streams<'a>>,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

struct Streams<'a> {
    kept: Vec<u8>,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl<'a> Console<'a> {
    fn new(
        (stdout, stdout_is_terminal): (&'a mut dyn Write, bool),
        (stderr, stderr_is_terminal): (&'a mut dyn Write, bool),
    ) -> Self {
        let streams = Streams {
            kept: Vec::new(),
            stdout,
            stderr,
            failed: None,
        };
        Self {
            streams: RefCell::new(streams),
            stdout_is_terminal,
            stderr_is_terminal,
        }
    }

    /// How text from a device may appear on standard output.
    fn device_text(&self) -> DeviceText {
        if self.stdout_is_terminal {
            DeviceText::Printable
        } else {
            DeviceText::Raw
        }
    }

    /// Keeps `text` for standard output.
    fn put(&self, text: &[u8]) {
        self.streams.borrow_mut().kept.extend(text);
    }

    /// The same, as the last step of something that could fail.
    fn out(&self, text: &[u8]) -> Result<(), Error> {
        self.put(text);
        Ok(())
    }

    /// Writes whole lines to standard error. On a terminal no control character of what a person
    /// or a file named gets through.
    fn err(&self, text: &[u8]) {
        if !self.stderr_is_terminal {
            return self.err_as_is(text);
        }
        self.err_as_is(visible(&String::from_utf8_lossy(text)).as_bytes());
    }

    /// The same for lines with text from a device in them.
    fn err_from_device(&self, text: &[u8]) {
        if !self.stderr_is_terminal {
            return self.err_as_is(text);
        }
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let (line, newline) = match line.strip_suffix(b"\n") {
                Some(line) => (line, &b"\n"[..]),
                None => (line, &b""[..]),
            };
            self.err_as_is(&[&DeviceText::Printable.show(line), newline].concat());
        }
    }

    /// Where writing fails there is nobody left to tell.
    fn err_as_is(&self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let mut streams = self.streams.borrow_mut();
        if self.stdout_is_terminal {
            streams.flush();
        }
        let _ = streams.stderr.write_all(text);
    }

    /// Writes what was kept. The first error that occurred on standard output comes back.
    fn finish(&self) -> io::Result<()> {
        let mut streams = self.streams.borrow_mut();
        streams.flush();
        streams.failed.take().map_or(Ok(()), Err)
    }
}

impl Streams<'_> {
    fn flush(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let written = match kept.is_empty() {
            true => Ok(()),
            false => self
                .stdout
                .write_all(&kept)
                .and_then(|()| self.stdout.flush()),
        };
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}
