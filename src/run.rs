//! The story of one run: understand what is asked for, open the device, send the commands, show
//! what came back.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use crate::cli::arguments::Arguments;
use crate::cli::completion;
use crate::cli::judge::judge;
use crate::cli::request::{AccessPolicy, Environment, Operation, Request, Task, Units};
use crate::cli::transport_ids::Input;
use crate::cli::usage;
use crate::cli::usage_error::{UsageError, UsageErrorKind};
use crate::clock::Clock;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::host_ports::PathPorts;
use crate::multipath::Maps;
use crate::output::{Draft, Output};
use crate::pr::prin::{self, ParameterData};
use crate::pr::transport_id::TransportId;
use crate::render::{DeviceText, hex, json, text, transport_id};
use crate::transport::{Access, Open};

mod announced;
mod change;
mod console;
mod device;
mod document;
mod each;
mod explain;
mod map;
mod maps;
mod nexus;
mod overview;
mod question;
mod report;
mod session;
mod standings;
mod tally;
mod told;
mod trace;
mod twice;
mod wait;

use announced::Announced;
use console::Console;
use device::Device;
use each::Ground;
use report::{InquiryFailure, report};
use session::{Record, Session};
pub use tally::{Beside, StartOne, State, Tally};

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
    /// Time.
    pub clock: &'a dyn Clock,
    /// Files to write.
    pub output: &'a mut dyn Output,
    /// This host's own initiator ports, for a device.
    pub own_ports: &'a (dyn Fn(&Path) -> Vec<TransportId> + Sync),
    /// Multipath maps, and the way to their paths.
    pub maps: &'a dyn Maps,
    /// Those of them through which the commands to this very device go.
    pub path_ports: &'a (dyn Fn(&Path) -> PathPorts + Sync),
    /// Standard output.
    pub stdout: &'a mut dyn Write,
    /// Whether standard output is a terminal; asked where it matters only.
    pub stdout_is_terminal: &'a dyn Fn() -> bool,
    /// Standard error.
    pub stderr: &'a mut dyn Write,
    /// Whether standard error is a terminal; asked where it matters only.
    pub stderr_is_terminal: &'a dyn Fn() -> bool,
    /// What runs beside a run on several devices.
    pub beside: &'a dyn Beside,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("argv", &self.argv)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// What a run that went well has to say by its exit status.
#[derive(Debug)]
enum Done {
    /// It is done, or the answer is yes.
    Yes,
    /// The answer is no.
    No,
    /// It could not be done for some devices, of which all has been said.
    Otherwise(ExitStatus),
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
    let (notes, request) = judge(&arguments, &world.environment, world.input);
    for note in notes {
        console.err(format!("{note}\n").as_bytes());
    }
    let mut is_change = false;
    let (ended, written) = match request {
        Ok(Request::Task(task)) => {
            is_change = task.operation.is_change();
            match &task.units {
                Some(units) => {
                    let ground = Ground {
                        clock: world.clock,
                        maps: world.maps,
                        own_ports: world.own_ports,
                        path_ports: world.path_ports,
                        no_color: world.environment.no_color,
                        terminals: (console.stdout_is_terminal(), (world.stderr_is_terminal)()),
                    };
                    let beside = world.beside;
                    let names = &units.names;
                    let announced = Announced::new(&console, beside, &task, names, world.argv);
                    let subject = (&*task, units);
                    perform_each(ground, subject, beside, announced, &console, world.output)
                }
                None => {
                    let session = Session {
                        task: &task,
                        devices: task.deadline.is_none().then_some(world.devices),
                        clock: world.clock,
                        console: &console,
                        print: &|text| console.err(text.as_bytes()),
                        introduced: Cell::new(false),
                        record: RefCell::new(Record::default()),
                        no_color: world.environment.no_color,
                        own_ports: world.own_ports,
                        maps: world.maps,
                        deadline: task.deadline.map(|deadline| world.clock.now() + deadline),
                        progress: None,
                        path_ports: world.path_ports,
                    };
                    perform(&session, world.argv, world.output)
                }
            }
        }
        Ok(request) => {
            console.put(information(&request).as_bytes());
            (Ok(Done::Yes), Ok(()))
        }
        Err(error) => {
            if let UsageError::Word(_) = error {
                let program = world
                    .argv
                    .first()
                    .map_or_else(|| "sg_persist".into(), |name| name.to_string_lossy());
                console.err(format!("{program}: ").as_bytes());
            }
            let is_question = error.kind() == UsageErrorKind::Question;
            let error = Error::from(error);
            report(&error, 0, &console, InquiryFailure::OnStdout);
            match is_question {
                true => (Ok(Done::Yes), Ok(())),
                false => (Err(error), Ok(())),
            }
        }
    };
    let shown = console
        .finish()
        .map_err(|source| Error::Output { file: None, source });
    match shown.and(written) {
        Ok(()) => status(&ended),
        Err(error) => lost(&error, &ended, is_change, &console),
    }
}

/// The status of a run that has ended so.
fn status(ended: &Result<Done, Error>) -> ExitStatus {
    match ended {
        Ok(Done::Yes) => ExitStatus::SUCCESS,
        Ok(Done::No) => ExitStatus::FALSE,
        Ok(Done::Otherwise(status)) => *status,
        Err(error) => error.into(),
    }
}

/// The status of a run that has `ended` so and whose output could not be written. What
/// went wrong at the device counts for more, and so does that a change was made.
fn lost(
    error: &Error,
    ended: &Result<Done, Error>,
    is_change: bool,
    console: &Console<'_>,
) -> ExitStatus {
    // Nobody reads the answer any more, and nobody needs to be told.
    let is_unread = matches!(
        error,
        Error::Output { source, .. } if source.kind() == io::ErrorKind::BrokenPipe
    );
    if !is_unread {
        report(error, 0, console, InquiryFailure::OnStdout);
    }
    match ended {
        Ok(Done::Yes) if is_change => {
            if !is_unread {
                console.err(b"The change itself was made\n");
            }
            ExitStatus::SUCCESS
        }
        Ok(Done::Yes | Done::No) => error.into(),
        Ok(Done::Otherwise(_)) | Err(_) => status(ended),
    }
}

/// What the program tells about itself.
fn information(request: &Request) -> String {
    match request {
        Request::Help { more: false } => usage::usage(),
        Request::Help { more: true } => usage::more_usage(),
        Request::Version => usage::version(),
        Request::JsonSchema => json::SCHEMA.to_owned(),
        Request::Completion(shell) => completion::script(*shell),
        Request::Task(_) => String::new(),
    }
}

/// Carries a task out, and shows its outcome in the form asked for. The second result tells
/// whether a file for it could be written; where it is plain from the start that it cannot, nothing
/// is carried out.
fn perform(
    session: &Session<'_, '_>,
    argv: &[OsString],
    output: &mut dyn Output,
) -> (Result<Done, Error>, Result<(), Error>) {
    let (task, console) = (session.task, session.console);
    let draft = match draft(task, output) {
        Ok(draft) => draft,
        Err(error) => {
            report(&error, task.verbosity, console, InquiryFailure::OnStdout);
            return (Err(error), Ok(()));
        }
    };
    if task.json.is_some() {
        console.hide();
    }
    let ended = attempt(session, InquiryFailure::OnStdout);
    let Some(options) = &task.json else {
        return (ended, Ok(()));
    };
    let plain = console.hidden();
    let error = ended.as_ref().err();
    let document = document::document(session, options, Some(argv), &plain, status(&ended), error);
    let text = document.text(document::layout(options));
    match draft {
        Some(draft) => {
            let written = draft.publish(text.as_bytes());
            (ended, written.map_err(|source| not_written(task, source)))
        }
        None => {
            console.put(text.as_bytes());
            (ended, Ok(()))
        }
    }
}

/// The same for a task on several devices.
fn perform_each(
    ground: Ground<'_>,
    (task, units): (&Task, &Units),
    beside: &dyn Beside,
    mut announced: Announced<'_, '_>,
    console: &Console<'_>,
    output: &mut dyn Output,
) -> (Result<Done, Error>, Result<(), Error>) {
    let ended = draft(task, output).and_then(|draft| {
        let done = each::each(ground, task, units, beside, &mut announced)?;
        Ok((done, draft))
    });
    match ended {
        Ok((done, None)) => (Ok(done), Ok(())),
        Ok((done, Some(draft))) => {
            let written = draft.publish(announced.into_written().as_bytes());
            (
                Ok(done),
                written.map_err(|source| not_written(task, source)),
            )
        }
        Err(error) => {
            report(&error, task.verbosity, console, InquiryFailure::OnStdout);
            (Err(error), Ok(()))
        }
    }
}

/// The file for the document, if there is to be one.
fn draft(task: &Task, output: &mut dyn Output) -> Result<Option<Box<dyn Draft>>, Error> {
    let file = task.json.as_ref().and_then(|json| json.file.as_ref());
    let draft = file.map(|file| output.create(Path::new(file)));
    draft
        .transpose()
        .map_err(|source| not_written(task, source))
}

fn not_written(task: &Task, source: io::Error) -> Error {
    Error::Output {
        file: task.json.as_ref().and_then(|json| json.file.clone()),
        source,
    }
}

/// Does what the task asks for, and says why it failed, if it did.
fn attempt(session: &Session<'_, '_>, inquiry_failure: InquiryFailure) -> Result<Done, Error> {
    let ended = carry_out(session);
    if let Err(error) = &ended {
        if !session.record.borrow().is_reported {
            let verbosity = session.task.verbosity;
            report(error, verbosity, session.console, inquiry_failure);
            told::tell(session, error);
        }
        explain::tell(session);
    }
    ended
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

/// Does what the task asks for.
fn carry_out(session: &Session<'_, '_>) -> Result<Done, Error> {
    announce(session);
    let access = match session.task.access {
        AccessPolicy::ReadWrite => Access::ReadWrite,
        _ => Access::ReadOnly,
    };
    match &session.task.operation {
        Operation::In {
            action,
            allocation_length,
        } => read(session, access, *action, *allocation_length)?,
        Operation::Out { out, verify } => change::change(session, access, out, *verify)?,
        Operation::Repair(out) => change::repair(session, out)?,
        Operation::DryRun(operation) => change::dry_run(session, operation),
        Operation::Overview => return Ok(overview::overview(session, access)),
        Operation::Question(question) => {
            let answer = match session.task.wait {
                Some(within) => wait::ask(session, access, *question, within)?,
                None => question::ask(session, access, *question)?,
            };
            session.record.borrow_mut().answer = Some(answer);
            return Ok(if answer { Done::Yes } else { Done::No });
        }
    }
    Ok(Done::Yes)
}

/// What `-vvv` shows of the options for PERSISTENT RESERVE OUT.
fn announce(session: &Session<'_, '_>) {
    let Task {
        verbosity: 3..,
        transport_ids,
        parameters_given,
        ..
    } = session.task
    else {
        return;
    };
    (session.print)(&format!("Number of PROUT parameters: {parameters_given}\n"));
    let transport_ids = transport_ids.as_slice();
    if !transport_ids.is_empty() {
        (session.print)(&format!(
            "number of tranport-ids decoded from command line (or stdin): {}\n",
            transport_ids.len()
        ));
        (session.print)("  Decode given transport-ids:\n");
    }
    for id in transport_ids {
        let shown = session.console.device_text();
        let block = transport_id::block("      ", id.as_bytes(), shown);
        session.console.put(&block);
    }
}

/// PERSISTENT RESERVE IN.
fn read(
    session: &Session<'_, '_>,
    access: Access,
    action: prin::ServiceAction,
    given: Option<u16>,
) -> Result<(), Error> {
    let task = session.task;
    let console = session.console;
    let mut device = Device::open(session, &task.device, access, task.inquiry)?;
    if task.inquiry {
        device.show_inquiry()?;
    }
    let (data, parsed) = device.read_whole(action, given, |data| action.parse(data))?;
    match (parsed, task.hex) {
        (Ok(answer), count) => {
            if count == 0 {
                let shown = match answer {
                    ParameterData::FullStatus(_) => console.device_text(),
                    // There is no text from the device in it.
                    _ => DeviceText::Raw,
                };
                console.put(&text::answer(&answer, task.verbosity, shown));
            } else {
                console.put(hex::answer(action, count, &data).as_bytes());
            }
            session.record.borrow_mut().parameter_data = Some(answer);
            Ok(())
        }
        (Err(source), count) => {
            if count > 0 {
                console.put(hex::came(count, &data).as_bytes());
            }
            Err(Error::Malformed {
                action,
                source,
                given,
            })
        }
    }
}
