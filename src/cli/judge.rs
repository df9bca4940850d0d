//! How a command line is understood: which request the words make, or why they make none.
//!
//! The checks stand in the original's order, since the first one that fails ends the run.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::arguments::{Arguments, GivenOption};
use super::completion::Shell;
use super::devices;
use super::number::{self, NotANumber};
use super::options::Opt;
use super::request::{
    AccessPolicy, Environment, JsonOptions, Operation, PathPolicy, Question, Request, Task, Units,
};
use super::transport_ids::{self, Input};
use super::usage_error::{
    MAXIMUM_ALLOCATION_LENGTH, MAXIMUM_PARALLEL, MAXIMUM_TIMEOUT, UsageError,
};
use crate::pr::prout::{PersistentReserveOut, TransportIds};
use crate::pr::{DEFAULT_TIMEOUT, ReservationKey, ReservationType, Scope, prin, prout};

/// How many devices at the same time, where nobody says.
const DEFAULT_PARALLEL: usize = 64;

/// Judges a command line. `-X` may read files and standard input through `input`.
///
/// The first result is lines for standard error, to be printed before the request is acted upon.
///
/// # Errors
///
/// The first thing in the original's order that is not understood, or that contradicts another;
/// the lines are to be printed all the same.
pub fn judge(
    arguments: &Arguments,
    environment: &Environment,
    input: &mut dyn Input,
) -> (Vec<&'static str>, Result<Request, UsageError>) {
    let mut notes = Vec::new();
    let request = request(arguments, environment, input, &mut notes);
    (notes, request)
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
    deadline: Option<Duration>,
    json: Option<JsonOptions>,
    json_schema: bool,
    questions: Vec<Question>,
    ua_retries: Option<u32>,
    wait: Option<Duration>,
    verify: bool,
    all_paths: bool,
    one_path: bool,
    every_path: bool,
    repair: bool,
    explain: bool,
    dry_run: bool,
    overview: bool,
    each: bool,
    devices_listed: Option<Vec<OsString>>,
    parallel: Option<usize>,
    first_decides: bool,
    completion: Option<Shell>,
}

impl Values {
    /// Takes the options in their order; the first wrong value ends it.
    fn take(options: &[GivenOption], input: &mut dyn Input) -> Result<Self, UsageError> {
        let mut values = Self::default();
        for GivenOption { option, value } in options {
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
            Opt::ParamRk => self.reservation_key = ReservationKey(hex64(value, option)?),
            Opt::ParamSark => {
                self.service_action_reservation_key = ReservationKey(hex64(value, option)?);
            }
            Opt::ProutType => self.reservation_type = reservation_type(value, option)?,
            Opt::RelativeTargetPort => self.relative_target_port = relative_target_port(value)?,
            Opt::AllocLength => self.allocation_length = Some(alloc_length(value)?),
            Opt::Maxlen => self.allocation_length = Some(maxlen(value)?),
            Opt::TransportId => self.transport_ids = transport_ids(value, input)?,
            Opt::Timeout => self.timeout = Some(timeout(value)?),
            Opt::Deadline => self.deadline = Some(seconds(value).ok_or(UsageError::Value(option))?),
            Opt::Json => self.json.get_or_insert_default().take(value)?,
            Opt::JsFile => self.json.get_or_insert_default().file = Some(value.to_owned()),
            Opt::JsonSchema => self.json_schema = true,
            Opt::HasKey => {
                let key = ReservationKey(hex64(value, option)?);
                self.questions.push(Question::HasKey(key));
            }
            Opt::HolderIs => {
                let key = ReservationKey(hex64(value, option)?);
                self.questions.push(Question::HolderIs(key));
            }
            Opt::Reserved => {
                let given = (!value.is_empty()).then(|| reservation_type(value, option));
                self.questions.push(Question::Reserved(given.transpose()?));
            }
            Opt::Registered => {
                let given = (!value.is_empty()).then(|| hex64(value, option));
                let key = given.transpose()?.map(ReservationKey);
                self.questions.push(Question::Registered(key));
            }
            Opt::Wait => self.wait = Some(wait(value)?),
            Opt::Explain => self.explain = true,
            Opt::UaRetries => {
                self.ua_retries = Some(decimal(value).ok_or(UsageError::Value(option))?)
            }
            Opt::Verify => self.verify = true,
            Opt::AllPaths => self.all_paths = true,
            Opt::OnePath => self.one_path = true,
            Opt::EveryPath => self.every_path = true,
            Opt::Repair => self.repair = true,
            Opt::DryRun => self.dry_run = true,
            Opt::Overview => self.overview = true,
            Opt::Each => self.each = true,
            Opt::DevicesFrom => {
                let listed = devices::listed(value, input)?;
                self.devices_listed.get_or_insert_default().extend(listed);
            }
            Opt::Parallel => self.parallel = Some(parallel(value)?),
            Opt::FirstDecides => self.first_decides = true,
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

    fn access(&self, environment: &Environment) -> AccessPolicy {
        match (self.readonly, self.prout) {
            (2.., _) | (0, true) => AccessPolicy::ReadWrite,
            (1, _) => AccessPolicy::ReadOnly,
            (0, false) if environment.in_readonly => AccessPolicy::ReadOnly,
            (0, false) => AccessPolicy::ReadOnlyIfAllowed,
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
        return Err(UsageError::Word(complaint.clone()));
    }
    let mut operands = arguments.operands.iter();
    let device = values.device.take().or_else(|| operands.next().cloned());
    let mut more_devices: Vec<OsString> = operands.cloned().collect();
    if !values.overview && !values.each && !more_devices.is_empty() {
        return Err(UsageError::ExtraArguments(more_devices));
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
    let is_several = values.each || values.devices_listed.is_some();
    let mut names: Vec<OsString> = Vec::new();
    if is_several {
        names.extend(device.clone());
        names.append(&mut more_devices);
        names.extend(values.devices_listed.take().unwrap_or_default());
    }
    let device = names.first().cloned().or(device);
    let device = device.ok_or(UsageError::NoDevice)?;
    let access = values.access(environment);
    // Set to nothing is as good as not set.
    let variable = environment.ua_retries.as_ref();
    let variable = variable.filter(|text| !text.is_empty());
    let ua_retries = match (values.ua_retries, variable) {
        (Some(given), _) => given,
        (None, Some(text)) => decimal(text).ok_or(UsageError::UaRetriesVariable)?,
        (None, None) => 0,
    };
    let operation = operation(&values, notes)?;
    let units = match is_several {
        true => Some(units(&values, names, &operation)?),
        false if values.parallel.is_some() => return Err(UsageError::OneDevice(Opt::Parallel)),
        false if values.first_decides => return Err(UsageError::OneDevice(Opt::FirstDecides)),
        false => None,
    };
    let paths = match (values.all_paths, values.one_path) {
        (true, true) => return Err(UsageError::AllPathsAndOnePath),
        (true, false) => PathPolicy::All,
        // The path that has come back is what a rule of udev knows.
        (false, false) if values.repair => PathPolicy::All,
        (false, true) => PathPolicy::One,
        (false, false) => PathPolicy::ByDevice,
    };
    Ok(Request::Task(Box::new(Task {
        device,
        more_devices,
        units,
        verbosity: values.verbosity,
        hex: values.hex,
        inquiry: !values.no_inquiry,
        access,
        timeout: values.timeout.unwrap_or(DEFAULT_TIMEOUT),
        deadline: values.deadline,
        transport_ids: values.transport_ids,
        parameters_given: values.parameters_given,
        ua_retries,
        wait: values.wait,
        explain: values.explain,
        json: values.json,
        paths,
        every_path: values.every_path,
        operation,
    })))
}

/// The devices called `names`.
fn units(
    values: &Values,
    names: Vec<OsString>,
    operation: &Operation,
) -> Result<Units, UsageError> {
    if values.first_decides && !matches!(operation, Operation::Out { .. }) {
        return Err(UsageError::FirstDecidesWithoutOut);
    }
    Ok(Units {
        names,
        parallel: values.parallel.unwrap_or(DEFAULT_PARALLEL),
        first_decides: values.first_decides,
    })
}

/// The one thing that the options ask for.
fn operation(values: &Values, notes: &mut Vec<&'static str>) -> Result<Operation, UsageError> {
    if values.overview || values.repair || !values.questions.is_empty() {
        return alone(values);
    }
    if values.wait.is_some() {
        return Err(UsageError::WaitWithoutQuestion);
    }
    let operation = command(values, notes)?;
    if values.explain && !matches!(operation, Operation::Out { .. }) {
        return Err(UsageError::ExplainWithoutOut);
    }
    if values.verify && !matches!(operation, Operation::Out { .. }) {
        return Err(UsageError::VerifyWithoutOut);
    }
    if values.dry_run && values.verify {
        return Err(UsageError::DryRunAndVerify);
    }
    Ok(match values.dry_run {
        true => Operation::DryRun(Box::new(operation)),
        false => operation,
    })
}

/// What takes no service action: the overview, and the questions.
fn alone(values: &Values) -> Result<Operation, UsageError> {
    let asked = values.questions.len() + usize::from(values.overview) + usize::from(values.repair);
    let actions = values.prin_actions.len() + values.prout_actions.len();
    let changes = values.prout || values.verify || values.explain || values.dry_run;
    if asked > 1 || actions > 0 || changes {
        return Err(UsageError::NotAlone);
    }
    if values.wait.is_some() && values.questions.is_empty() {
        return Err(UsageError::WaitWithoutQuestion);
    }
    if values.repair {
        if values.reservation_key == ReservationKey::NONE {
            return Err(UsageError::RepairWithoutKey);
        }
        let out = persistent_reserve_out(values, prout::ServiceAction::Register);
        return Ok(Operation::Repair(out));
    }
    match values.questions.first() {
        Some(question) => Ok(Operation::Question(*question)),
        None => Ok(Operation::Overview),
    }
}

/// The one command that the options ask for.
fn command(values: &Values, notes: &mut Vec<&'static str>) -> Result<Operation, UsageError> {
    if values.prin && values.prout {
        return Err(UsageError::InAndOut);
    }
    if values.prout {
        let ([action], []) = (&values.prout_actions[..], &values.prin_actions[..]) else {
            return Err(UsageError::NotOneServiceAction);
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
        return Err(UsageError::OutMissing);
    }
    let action = match values.prin_actions[..] {
        [] => {
            notes.push(">> No service action given; assume Persistent Reserve In command");
            notes.push(">> with Read Keys service action");
            prin::ServiceAction::ReadKeys
        }
        [action] => action,
        _ => return Err(UsageError::ManyServiceActions),
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
        return Err(UsageError::RegisterMoveMissing);
    }
    if moves && values.transport_ids.as_slice().len() != 1 {
        return Err(UsageError::NotOneTransportId);
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

/// The value of `option`, a hexadecimal number of at most 64 bits.
fn hex64(value: &OsStr, option: Opt) -> Result<u64, UsageError> {
    number::hex64(value.as_bytes()).ok_or(UsageError::Value(option))
}

fn reservation_type(value: &OsStr, option: Opt) -> Result<ReservationType, UsageError> {
    match u8::try_from(hex64(value, option)?) {
        Ok(code @ 0..=0xf) => Ok(ReservationType::from_low_bits(code)),
        _ => Err(UsageError::Value(option)),
    }
}

/// A whole decimal number.
fn decimal(value: &OsStr) -> Option<u32> {
    let text = value.to_str()?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
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
                _ => return Err(UsageError::Value(Opt::Json)),
            }
            on = true;
        }
        Ok(())
    }
}

fn shell(value: &OsStr) -> Result<Shell, UsageError> {
    let shell = value.to_str().and_then(Shell::from_name);
    shell.ok_or(UsageError::Value(Opt::Completion))
}

fn relative_target_port(value: &OsStr) -> Result<u16, UsageError> {
    u16::try_from(hex64(value, Opt::RelativeTargetPort)?)
        .map_err(|_| UsageError::RelativeTargetPort)
}

fn transport_ids(value: &OsStr, input: &mut dyn Input) -> Result<TransportIds, UsageError> {
    let parsed = transport_ids::parse(value, input).map_err(UsageError::TransportIds)?;
    TransportIds::try_from(parsed.ids).map_err(UsageError::TransportIdsLength)
}

/// A whole number of seconds, decimal; not 0, which the kernel would take for its own default.
fn timeout(value: &OsStr) -> Result<Duration, UsageError> {
    match decimal(value) {
        Some(seconds @ 1..=MAXIMUM_TIMEOUT) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(UsageError::Value(Opt::Timeout)),
    }
}

/// Seconds with or without a fraction, decimal: more than nothing, and less than what `--timeout`
/// takes at most.
fn seconds(value: &OsStr) -> Option<Duration> {
    let text = value.to_str()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let seconds: u32 = whole.parse().ok()?;
    // Nobody means less than a nanosecond.
    let nanoseconds = format!("{fraction:0<9}")[..9].parse().ok()?;
    let time = Duration::new(seconds.into(), nanoseconds);
    (!time.is_zero() && seconds < MAXIMUM_TIMEOUT).then_some(time)
}

/// A whole number of seconds, decimal.
fn wait(value: &OsStr) -> Result<Duration, UsageError> {
    match decimal(value) {
        Some(seconds @ 0..=MAXIMUM_TIMEOUT) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(UsageError::Value(Opt::Wait)),
    }
}

/// How many devices at the same time.
fn parallel(value: &OsStr) -> Result<usize, UsageError> {
    match decimal(value) {
        Some(number @ 1..=MAXIMUM_PARALLEL) => usize::try_from(number).ok(),
        _ => None,
    }
    .ok_or(UsageError::Value(Opt::Parallel))
}

fn alloc_length(value: &OsStr) -> Result<u16, UsageError> {
    match u16::try_from(hex64(value, Opt::AllocLength)?) {
        Ok(length @ 0..=MAXIMUM_ALLOCATION_LENGTH) => Ok(length),
        _ => Err(UsageError::AllocationLength(Opt::AllocLength)),
    }
}

fn maxlen(value: &OsStr) -> Result<u16, UsageError> {
    match number::maxlen(value.as_bytes()).map(u16::try_from) {
        Ok(Ok(length @ 0..=MAXIMUM_ALLOCATION_LENGTH)) => Ok(length),
        Ok(_) => Err(UsageError::AllocationLength(Opt::Maxlen)),
        Err(NotANumber::Malformed) => Err(UsageError::Value(Opt::Maxlen)),
        Err(NotANumber::UnknownMultiplier) => Err(UsageError::Multiplier),
    }
}
