//! What is said of what ended a run.

use super::console::Console;
use crate::cli::usage;
use crate::error::{Error, Family};
use crate::exit::ExitStatus;
use crate::pr::prin::{
    AMPLE_ALLOCATION_LENGTH, DEFAULT_ALLOCATION_LENGTH, Malformed, ServiceAction,
};
use crate::render::visible;

/// Where it is said that INQUIRY failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InquiryFailure {
    /// The original says so there, and scripts look for it there.
    OnStdout,
    /// Where no script of the original's can look, as everything else.
    OnStderr,
}

/// Says on stderr what ended the run.
pub(super) fn report(
    error: &Error,
    verbosity: u8,
    console: &Console<'_>,
    inquiry_failure: InquiryFailure,
) {
    let status = ExitStatus::from(error);
    let say = |line: &str| console.err(format!("{line}\n").as_bytes());
    match error {
        Error::Usage(usage) => {
            say(&usage.to_string());
            if let Some(hint) = usage.hint() {
                say(&hint);
            }
            if usage.shows_usage() {
                console.err(usage::usage().as_bytes());
            }
            return;
        }
        Error::Inquiry { .. } | Error::InquiryData { .. }
            if inquiry_failure == InquiryFailure::OnStdout =>
        {
            let mut line = format!("{error}\n");
            if console.stdout_is_terminal() {
                line = visible(&line);
            }
            console.put(line.as_bytes());
            if let Some(advice) = error.advice() {
                say(advice);
            }
            return;
        }
        Error::Open { .. }
        | Error::Output { .. }
        | Error::Unsteady
        | Error::NotVerified(_)
        | Error::Disturbed(_)
        | Error::Unanswered(_)
        | Error::Inquiry { .. }
        | Error::InquiryData { .. } => {
            say(&error.to_string());
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

/// What to do about an answer to `action` that is cut, if anything can be done. `given` is the room
/// that a user asked for.
pub(super) fn advice(
    action: ServiceAction,
    source: &Malformed,
    given: Option<u16>,
) -> Option<String> {
    let needed = source.needed()?;
    let room = given.unwrap_or(DEFAULT_ALLOCATION_LENGTH);
    let given = given.is_some();
    let most = match action {
        ServiceAction::ReadFullStatus => AMPLE_ALLOCATION_LENGTH,
        _ => u16::MAX,
    };
    if needed > u64::from(most) {
        return Some(match given {
            true => {
                "Leave out --alloc-length and --maxlen; a list as long as that can be read from an \
                     NVMe namespace alone"
                    .to_owned()
            }
            false if needed <= u64::from(u16::MAX) => format!(
                "READ FULL STATUS is sent with room for {most} bytes at most, so the whole list cannot \
                 be read"
            ),
            false => format!(
                "No command can ask for more than {} bytes, so the whole list cannot be read",
                u16::MAX
            ),
        });
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
