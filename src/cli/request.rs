//! What is asked for: the command line, judged.
//!
//! The checks stand in the original's order, since the first one that fails ends the run.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use thiserror::Error;

use super::arguments::{Arguments, Occurrence};
use super::completion::Shell;
use super::number::{self, NotANumber};
use super::options::Opt;
use super::transport_ids::{self, Input};
use crate::pr::prout::{PersistentReserveOut, TransportIds};
use crate::pr::{DEFAULT_TIMEOUT, ReservationKey, ReservationType, Scope, prin, prout};

/// The largest allocation length that `--alloc-length` and `--maxlen` take, in bytes: the one that
/// is used without them.
const MAXIMUM_ALLOCATION_LENGTH: u16 = prin::DEFAULT_ALLOCATION_LENGTH;

/// The longest time that `--timeout` takes: the kernel counts milliseconds in 32 bits.
const MAXIMUM_TIMEOUT: u32 = u32::MAX / 1000;

/// The environment variables that count; most of them by their mere existence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `POSIXLY_CORRECT`: options end at the first operand.
    pub posixly_correct: bool,
    /// `SG_PERSIST_IN_RDONLY`: PERSISTENT RESERVE IN is to open the device read-only.
    pub in_readonly: bool,
    /// `SG3_UTILS_INVOCATION`: the command line is to be shown before anything else.
    pub show_invocation: bool,
    /// `NO_COLOR`: nothing is to be coloured.
    pub no_color: bool,
    /// `SG_PERSIST_UA_RETRIES`: how often a command is sent again after a unit attention.
    pub ua_retries: Option<OsString>,
}

/// A command line that asks for nothing that can be done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct UsageError {
    /// One or more lines, without the last newline.
    pub message: String,
    /// Whether a summary of the options helps.
    pub show_usage: bool,
    /// What kind of error it is.
    pub kind: UsageErrorKind,
}

/// Kinds of [`UsageError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageErrorKind {
    /// Something is not understood.
    Syntax,
    /// Each option is understood, but they contradict each other.
    Contradiction,
    /// `-?`, which is no option but a question.
    Question,
}

impl UsageError {
    fn syntax(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            show_usage: false,
            kind: UsageErrorKind::Syntax,
        }
    }

    fn contradiction(message: impl Into<String>) -> Self {
        Self {
            kind: UsageErrorKind::Contradiction,
            ..Self::syntax(message)
        }
    }

    fn with_usage(self) -> Self {
        Self {
            show_usage: true,
            ..self
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To explain the options; `more` of them with `-hh`.
    Help {
        /// Whether `-h` was given more than once.
        more: bool,
    },
    /// To print the version.
    Version,
    /// To print the JSON Schema of the documents that `--json` gives.
    JsonSchema,
    /// To print the script with which a shell completes command lines.
    Completion(Shell),
    /// To send commands.
    Task(Box<Task>),
}

/// A command for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The device's name as typed.
    pub device: OsString,
    /// Further devices; `--overview` alone takes them.
    pub more_devices: Vec<OsString>,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// How often `-H` was given.
    pub hex: u8,
    /// Whether INQUIRY comes first.
    pub inquiry: bool,
    /// How the device is to be opened.
    pub opening: Opening,
    /// How long each command may take.
    pub timeout: Duration,
    /// The TransportIDs given, also with commands that do not send them.
    pub transport_ids: TransportIds,
    /// How many options for PERSISTENT RESERVE OUT were given, of those that have parameters.
    pub parameters_given: usize,
    /// How often a command is sent again after a unit attention.
    pub ua_retries: u32,
    /// Whether the answer is to be JSON, and where to.
    pub json: Option<JsonOptions>,
    /// The command.
    pub operation: Operation,
}

/// How JSON is written, after the habit of the sg3_utils.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonOptions {
    /// One line for each value, instead of one for all.
    pub pretty: bool,
    /// Blanks for each level of indentation.
    pub indent: usize,
    /// No blanks at all in the one line.
    pub packed: bool,
    /// The format's version, the program and its arguments come first.
    pub lead_in: bool,
    /// The exit status is part of it.
    pub exit_status: bool,
    /// The lines of plain text are part of it.
    pub plain_text: bool,
    /// The file that it goes to instead of standard output.
    pub file: Option<OsString>,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self {
            pretty: true,
            indent: 4,
            packed: false,
            lead_in: true,
            exit_status: true,
            plain_text: false,
            file: None,
        }
    }
}

/// How the device is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Read-only, and that is that.
    ReadOnly,
    /// Read-only, or read-write where the kernel refuses the command otherwise.
    ReadOnlyIfAllowed,
    /// Read-write.
    ReadWrite,
}

/// The command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// PERSISTENT RESERVE IN.
    In {
        /// What to read.
        action: prin::ServiceAction,
        /// Bytes of room for the answer, if anybody said so.
        allocation_length: Option<u16>,
    },
    /// PERSISTENT RESERVE OUT.
    Out {
        /// The command.
        out: PersistentReserveOut,
        /// Whether its effect is read back.
        verify: bool,
    },
    /// The command, shown and not sent.
    DryRun(Box<Operation>),
    /// A question that the exit status answers.
    Question(Question),
    /// Everything about logical units, for a person.
    Overview,
}

/// A question that the exit status answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is this key registered?
    HasKey(ReservationKey),
    /// Do the registrations with this key hold the reservation?
    HolderIs(ReservationKey),
    /// Is there a reservation, of this type if one is given?
    Reserved(Option<ReservationType>),
}

/// A request, or why there is none, and the lines to print before either is acted upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Lines for stderr.
    pub notes: Vec<&'static str>,
    /// What is asked for.
    pub request: Result<Request, UsageError>,
}

/// Judges a command line. `-X` may read files and standard input through `input`.
pub fn judge(arguments: &Arguments, environment: &Environment, input: &mut dyn Input) -> Judgement {
    let mut notes = Vec::new();
    let request = request(arguments, environment, input, &mut notes);
    Judgement { notes, request }
}

/// The options, counted and with their values understood.
#[derive(Debug, Default)]
struct Values {
    device: Option<OsString>,
    help: usize,
    version: bool,
    verbosity: u8,
    hex: u8,
    no_inquiry: bool,
    readonly: usize,
    prin: bool,
    prout: bool,
    prin_actions: Vec<prin::ServiceAction>,
    prout_actions: Vec<prout::ServiceAction>,
    allocation_length: Option<u16>,
    reservation_key: ReservationKey,
    service_action_reservation_key: ReservationKey,
    reservation_type: ReservationType,
    relative_target_port: u16,
    transport_ids: TransportIds,
    activate_persist_through_power_loss: bool,
    all_target_ports: bool,
    unregister: bool,
    parameters_given: usize,
    timeout: Option<Duration>,
    json: Option<JsonOptions>,
    json_schema: bool,
    questions: Vec<Question>,
    ua_retries: Option<u32>,
    verify: bool,
    dry_run: bool,
    overview: bool,
    completion: Option<Shell>,
}

impl Values {
    /// Takes the options in their order; the first wrong value ends it.
    fn take(options: &[Occurrence], input: &mut dyn Input) -> Result<Self, UsageError> {
        let mut values = Self::default();
        for Occurrence { option, value } in options {
            values.take_one(*option, value, input)?;
        }
        Ok(values)
    }

    fn take_one(
        &mut self,
        option: Opt,
        value: &OsStr,
        input: &mut dyn Input,
    ) -> Result<(), UsageError> {
        match option {
            Opt::PreemptAbort => self
                .prout_actions
                .push(prout::ServiceAction::PreemptAndAbort),
            Opt::Clear => self.prout_actions.push(prout::ServiceAction::Clear),
            Opt::Register => self.prout_actions.push(prout::ServiceAction::Register),
            Opt::RegisterIgnore => self
                .prout_actions
                .push(prout::ServiceAction::RegisterAndIgnoreExistingKey),
            Opt::Release => self.prout_actions.push(prout::ServiceAction::Release),
            Opt::RegisterMove => self
                .prout_actions
                .push(prout::ServiceAction::RegisterAndMove),
            Opt::Preempt => self.prout_actions.push(prout::ServiceAction::Preempt),
            Opt::Reserve => self.prout_actions.push(prout::ServiceAction::Reserve),
            Opt::ReplaceLost => self
                .prout_actions
                .push(prout::ServiceAction::ReplaceLostReservation),
            Opt::ReportCapabilities => self
                .prin_actions
                .push(prin::ServiceAction::ReportCapabilities),
            Opt::ReadKeys => self.prin_actions.push(prin::ServiceAction::ReadKeys),
            Opt::ReadReservation => self.prin_actions.push(prin::ServiceAction::ReadReservation),
            Opt::ReadFullStatus => self.prin_actions.push(prin::ServiceAction::ReadFullStatus),
            Opt::Device => self.device = Some(value.to_owned()),
            Opt::Help => self.help += 1,
            Opt::Hex => self.hex = self.hex.saturating_add(1),
            Opt::In => self.prin = true,
            Opt::Out => self.prout = true,
            Opt::NoInquiry => self.no_inquiry = true,
            Opt::Verbose => self.verbosity = self.verbosity.saturating_add(1),
            Opt::Version => self.version = true,
            Opt::Readonly => self.readonly += 1,
            Opt::ParamUnreg => self.unregister = true,
            Opt::ParamAlltgpt => self.all_target_ports = true,
            Opt::ParamAptpl => self.activate_persist_through_power_loss = true,
            Opt::ParamRk => self.reservation_key = ReservationKey(hex64(value, "param-rk")?),
            Opt::ParamSark => {
                self.service_action_reservation_key = ReservationKey(hex64(value, "param-sark")?);
            }
            Opt::ProutType => self.reservation_type = reservation_type(value, "prout-type")?,
            Opt::RelativeTargetPort => self.relative_target_port = relative_target_port(value)?,
            Opt::AllocLength => self.allocation_length = Some(alloc_length(value)?),
            Opt::Maxlen => self.allocation_length = Some(maxlen(value)?),
            Opt::TransportId => self.transport_ids = transport_ids(value, input)?,
            Opt::Timeout => self.timeout = Some(timeout(value)?),
            Opt::Json => self.json.get_or_insert_default().take(value)?,
            Opt::JsFile => self.json.get_or_insert_default().file = Some(value.to_owned()),
            Opt::JsonSchema => self.json_schema = true,
            Opt::HasKey => {
                let key = ReservationKey(hex64(value, "has-key")?);
                self.questions.push(Question::HasKey(key));
            }
            Opt::HolderIs => {
                let key = ReservationKey(hex64(value, "holder-is")?);
                self.questions.push(Question::HolderIs(key));
            }
            Opt::Reserved => {
                let given = (!value.is_empty()).then(|| reservation_type(value, "reserved"));
                self.questions.push(Question::Reserved(given.transpose()?));
            }
            Opt::UaRetries => self.ua_retries = Some(ua_retries(value)?),
            Opt::Verify => self.verify = true,
            Opt::DryRun => self.dry_run = true,
            Opt::Overview => self.overview = true,
            Opt::Completion => self.completion = Some(shell(value)?),
        }
        let is_parameter = matches!(
            option,
            Opt::ParamRk
                | Opt::ParamSark
                | Opt::ProutType
                | Opt::RelativeTargetPort
                | Opt::TransportId
                | Opt::ParamAlltgpt
                | Opt::ParamAptpl
        );
        self.parameters_given += usize::from(is_parameter);
        Ok(())
    }

    fn opening(&self, environment: &Environment) -> Opening {
        match (self.readonly, self.prout) {
            (2.., _) | (0, true) => Opening::ReadWrite,
            (1, _) => Opening::ReadOnly,
            (0, false) if environment.in_readonly => Opening::ReadOnly,
            (0, false) => Opening::ReadOnlyIfAllowed,
        }
    }
}

fn request(
    arguments: &Arguments,
    environment: &Environment,
    input: &mut dyn Input,
    notes: &mut Vec<&'static str>,
) -> Result<Request, UsageError> {
    let mut values = Values::take(&arguments.options, input)?;
    if let Some(complaint) = &arguments.complaint {
        let error = UsageError::syntax(complaint).with_usage();
        let question = complaint == "invalid option -- '?'";
        return Err(UsageError {
            kind: if question {
                UsageErrorKind::Question
            } else {
                error.kind
            },
            ..error
        });
    }
    let mut operands = arguments.operands.iter();
    let device = values.device.take().or_else(|| operands.next().cloned());
    let more_devices: Vec<OsString> = operands.cloned().collect();
    if !values.overview && !more_devices.is_empty() {
        let extra: Vec<String> = more_devices
            .iter()
            .map(|word| format!("Unexpected extra argument: {}", word.to_string_lossy()))
            .collect();
        return Err(UsageError::syntax(extra.join("\n")).with_usage());
    }
    if values.help > 0 {
        return Ok(Request::Help {
            more: values.help > 1,
        });
    }
    if values.version {
        if values.verbosity > 0 {
            notes.push("Not in DEBUG mode, so '-vV' has no special action");
        }
        return Ok(Request::Version);
    }
    if values.json_schema {
        return Ok(Request::JsonSchema);
    }
    if let Some(shell) = values.completion {
        return Ok(Request::Completion(shell));
    }
    let device = device.ok_or_else(|| UsageError::syntax("No device name given").with_usage())?;
    let opening = values.opening(environment);
    // Set to nothing is as good as not set.
    let variable = environment.ua_retries.as_ref();
    let variable = variable.filter(|text| !text.is_empty());
    let ua_retries = match (values.ua_retries, variable) {
        (Some(given), _) => given,
        (None, Some(text)) => decimal(text).ok_or_else(|| {
            UsageError::syntax("SG_PERSIST_UA_RETRIES is set to something that is no number")
        })?,
        (None, None) => 0,
    };
    let operation = operation(&values, notes)?;
    Ok(Request::Task(Box::new(Task {
        device,
        more_devices,
        verbosity: values.verbosity,
        hex: values.hex,
        inquiry: !values.no_inquiry,
        opening,
        timeout: values.timeout.unwrap_or(DEFAULT_TIMEOUT),
        transport_ids: values.transport_ids,
        parameters_given: values.parameters_given,
        ua_retries,
        json: values.json,
        operation,
    })))
}

/// The one thing that the options ask for.
fn operation(values: &Values, notes: &mut Vec<&'static str>) -> Result<Operation, UsageError> {
    if values.overview || !values.questions.is_empty() {
        return alone(values);
    }
    let operation = command(values, notes)?;
    if values.verify && !matches!(operation, Operation::Out { .. }) {
        let message = "--verify needs --out: only a change has an effect to read back";
        return Err(UsageError::contradiction(message));
    }
    if values.dry_run && values.verify {
        let message = "choose '--dry-run' _or_ '--verify' (not both)";
        return Err(UsageError::contradiction(message));
    }
    Ok(match values.dry_run {
        true => Operation::DryRun(Box::new(operation)),
        false => operation,
    })
}

/// What takes no service action: the overview, and the questions.
fn alone(values: &Values) -> Result<Operation, UsageError> {
    let asked = values.questions.len() + usize::from(values.overview);
    let actions = values.prin_actions.len() + values.prout_actions.len();
    if asked > 1 || actions > 0 || values.prout || values.verify || values.dry_run {
        return Err(UsageError::contradiction(
            "--has-key, --holder-is, --reserved and --overview each go without another one of \
             them, and without a service action",
        ));
    }
    if values.overview && values.json.is_some() {
        return Err(UsageError::contradiction(
            "--overview is for people: for JSON ask for --read-keys, --read-reservation or \
             --read-full-status",
        ));
    }
    match values.questions.first() {
        Some(question) => Ok(Operation::Question(*question)),
        None => Ok(Operation::Overview),
    }
}

/// The one command that the options ask for.
fn command(values: &Values, notes: &mut Vec<&'static str>) -> Result<Operation, UsageError> {
    if values.prin && values.prout {
        let message = "choose '--in' _or_ '--out' (not both)";
        return Err(UsageError::contradiction(message).with_usage());
    }
    if values.prout {
        let ([action], []) = (&values.prout_actions[..], &values.prin_actions[..]) else {
            return Err(UsageError::contradiction(
                ">> For Persistent Reserve Out one and only one appropriate\n\
                 >> service action must be chosen (e.g. '--register')",
            ));
        };
        check_move(values, Some(*action))?;
        if action.needs_type() && values.reservation_type == ReservationType::default() {
            notes.push("warning>>> --prout-type probably needs to be given");
        }
        return Ok(Operation::Out {
            out: persistent_reserve_out(values, *action),
            verify: values.verify,
        });
    }
    if !values.prout_actions.is_empty() {
        return Err(UsageError::contradiction(
            ">> When a service action for Persistent Reserve Out is chosen the\n\
             >> '--out' option must be given (as a safeguard)",
        ));
    }
    let action = match values.prin_actions[..] {
        [] => {
            notes.push(">> No service action given; assume Persistent Reserve In command");
            notes.push(">> with Read Keys service action");
            prin::ServiceAction::ReadKeys
        }
        [action] => action,
        _ => {
            let message = "Too many service actions given; choose one only";
            return Err(UsageError::contradiction(message).with_usage());
        }
    };
    check_move(values, None)?;
    Ok(Operation::In {
        action,
        allocation_length: values.allocation_length,
    })
}

/// REGISTER AND MOVE needs one TransportID, and has two options that nothing else has.
fn check_move(values: &Values, action: Option<prout::ServiceAction>) -> Result<(), UsageError> {
    let moves = action == Some(prout::ServiceAction::RegisterAndMove);
    if !moves && (values.unregister || values.relative_target_port != 0) {
        let message = "--unreg or --relative-target-port only useful with --register-move";
        return Err(UsageError::contradiction(message).with_usage());
    }
    if moves && values.transport_ids.as_slice().len() != 1 {
        let message = "with --register-move one (and only one) --transport-id should be given";
        return Err(UsageError::contradiction(message).with_usage());
    }
    Ok(())
}

fn persistent_reserve_out(values: &Values, action: prout::ServiceAction) -> PersistentReserveOut {
    PersistentReserveOut {
        action,
        scope: Scope::LU_SCOPE,
        reservation_type: values.reservation_type,
        reservation_key: values.reservation_key,
        service_action_reservation_key: values.service_action_reservation_key,
        activate_persist_through_power_loss: values.activate_persist_through_power_loss,
        all_target_ports: values.all_target_ports,
        unregister: values.unregister,
        relative_target_port: values.relative_target_port,
        transport_ids: values.transport_ids.clone(),
    }
}

fn bad_argument(option: &str) -> String {
    format!("bad argument to '--{option}'")
}

fn hex64(value: &OsStr, option: &str) -> Result<u64, UsageError> {
    number::hex64(value.as_bytes()).ok_or_else(|| UsageError::syntax(bad_argument(option)))
}

fn reservation_type(value: &OsStr, option: &str) -> Result<ReservationType, UsageError> {
    match u8::try_from(hex64(value, option)?) {
        Ok(code @ 0..=0xf) => Ok(ReservationType::from_low_bits(code)),
        _ => Err(UsageError::syntax(bad_argument(option))),
    }
}

/// A whole decimal number.
fn decimal(value: &OsStr) -> Option<u32> {
    let text = value.to_str()?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn ua_retries(value: &OsStr) -> Result<u32, UsageError> {
    decimal(value).ok_or_else(|| {
        UsageError::syntax(format!("{} (a decimal number)", bad_argument("ua-retries")))
    })
}

fn shell(value: &OsStr) -> Result<Shell, UsageError> {
    let shell = value.to_str().and_then(Shell::from_name);
    shell.ok_or_else(|| {
        let bad = bad_argument("completion");
        UsageError::syntax(format!("{bad} (bash, zsh or fish)"))
    })
}

impl JsonOptions {
    /// Takes the letters behind `--json=`.
    fn take(&mut self, letters: &OsStr) -> Result<(), UsageError> {
        let mut on = true;
        for letter in letters.as_bytes() {
            match letter {
                b'-' | b'~' | b'!' => {
                    on = !on;
                    continue;
                }
                b'0' | b'2' => self.indent = 2,
                b'4' => self.indent = 4,
                b'8' => self.indent = 8,
                b'e' => self.exit_status = on,
                b'k' => self.packed = on,
                b'l' => self.lead_in = on,
                b'o' => self.plain_text = on,
                b'p' => self.pretty = on,
                _ => {
                    return Err(UsageError::syntax(format!(
                        "{} (any of 2, 4, 8, e, k, l, o, p; '-' before one turns it off)",
                        bad_argument("json")
                    )));
                }
            }
            on = true;
        }
        Ok(())
    }
}

fn relative_target_port(value: &OsStr) -> Result<u16, UsageError> {
    u16::try_from(hex64(value, "relative-target-port")?)
        .map_err(|_| UsageError::syntax("argument to '--relative-target-port' 0 to ffff inclusive"))
}

fn transport_ids(value: &OsStr, input: &mut dyn Input) -> Result<TransportIds, UsageError> {
    let wrong =
        |error: String| UsageError::syntax(format!("{error}\n{}", bad_argument("transport-id")));
    let parsed = transport_ids::parse(value, input).map_err(|error| wrong(error.to_string()))?;
    TransportIds::try_from(parsed.ids).map_err(|error| wrong(error.to_string()))
}

/// A whole number of seconds, decimal; not 0, which the kernel would take for its own default.
fn timeout(value: &OsStr) -> Result<Duration, UsageError> {
    let seconds = decimal(value);
    match seconds {
        Some(seconds @ 1..=MAXIMUM_TIMEOUT) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(UsageError::syntax(format!(
            "{} (1 to {MAXIMUM_TIMEOUT} seconds)",
            bad_argument("timeout")
        ))),
    }
}

fn exceeds_maximum(option: &str) -> UsageError {
    UsageError::syntax(format!(
        "'--{option}' argument exceeds maximum value ({MAXIMUM_ALLOCATION_LENGTH})"
    ))
}

fn alloc_length(value: &OsStr) -> Result<u16, UsageError> {
    match u16::try_from(hex64(value, "alloc-length")?) {
        Ok(length @ 0..=MAXIMUM_ALLOCATION_LENGTH) => Ok(length),
        _ => Err(exceeds_maximum("alloc-length")),
    }
}

fn maxlen(value: &OsStr) -> Result<u16, UsageError> {
    match number::maxlen(value.as_bytes()).map(u16::try_from) {
        Ok(Ok(length @ 0..=MAXIMUM_ALLOCATION_LENGTH)) => Ok(length),
        Ok(_) => Err(exceeds_maximum("maxlen")),
        Err(NotANumber::Malformed) => Err(UsageError::syntax(bad_argument("maxlen"))),
        Err(NotANumber::UnknownMultiplier) => Err(UsageError::syntax(format!(
            "unrecognized multiplier\n{}",
            bad_argument("maxlen")
        ))),
    }
}
