//! What is said of what ended a run.

use std::borrow::Cow;

use super::console::Console;
use super::maps;
use crate::cli::usage;
use crate::error::{Error, Sent};
use crate::exit::ExitStatus;
use crate::multipath::unit::MapError;
use crate::pr::prin::{
    AMPLE_ALLOCATION_LENGTH, DEFAULT_ALLOCATION_LENGTH, Malformed, ServiceAction,
};
use crate::pr::prout;
use crate::render::visible;
use crate::scsi::sense::{Sense, SenseKey};
use crate::transport::CommandError;

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
        Error::Map { source, .. } => {
            if let MapError::Path { source, .. }
            | MapError::Foreign { source, .. }
            | MapError::NoPath {
                source: Some(source),
                ..
            } = &**source
            {
                report(source, verbosity, console, InquiryFailure::OnStderr);
            }
            say(&error.to_string());
            for line in maps::reports(source.paths()) {
                say(&format!("  {line}"));
            }
            return;
        }
        Error::NoIdentity { source, .. } => {
            report(source, verbosity, console, InquiryFailure::OnStderr);
            say(&error.to_string());
            return;
        }
        Error::Deadline { .. }
        | Error::NamedTwice { .. }
        | Error::Topology { .. }
        | Error::NoMap { .. }
        | Error::Worker { .. }
        | Error::OtherUnit { .. }
        | Error::Identification(_)
        | Error::Open { .. }
        | Error::Output { .. }
        | Error::Unsteady
        | Error::NotVerified(_)
        | Error::Disturbed(_)
        | Error::Unread(_)
        | Error::Unanswered(_)
        | Error::Inquiry { .. }
        | Error::InquiryData { .. } => {
            say(&error.to_string());
            if let Some(advice) = error.advice() {
                say(advice);
            }
            return;
        }
        Error::Command { command, source } => {
            let reason = refusal_text(*command, source).map(Cow::Borrowed);
            let reason = reason.or_else(|| match verbosity {
                0 => status.text(),
                _ => status.long_text().map(Cow::Owned),
            });
            say(&format!("{command}: {}", reason.unwrap_or_default()));
        }
        Error::Malformed {
            action,
            source,
            given,
        } => {
            if let Malformed::CapabilitiesLength { .. } = source {
                say("Unexpected response for PRIN Report Capabilities");
            }
            say(&error.to_string());
            if let Some(advice) = advice(*action, source, *given) {
                say(&advice);
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

/// Why the device server refuses a command, where the original has words for it that differ from
/// those for the exit status.
fn refusal_text(command: Sent, source: &CommandError) -> Option<&'static str> {
    let CommandError::Sense {
        sense:
            Some(Sense {
                key: SenseKey::ILLEGAL_REQUEST,
                deferred: false,
                asc,
                ascq,
                ..
            }),
        ..
    } = source
    else {
        return None;
    };
    Some(match (asc, ascq, command) {
        // Invalid command operation code.
        (0x20, 0x00, _) => "command not supported",
        // Invalid field in parameter list.
        (0x26, 0x00, Sent::In(_)) => return None,
        (0x26, 0x00, Sent::Out(prout::ServiceAction::RegisterAndMove)) => {
            "bad field in parameter list"
        }
        (0x26, 0x00, Sent::Out(_)) => "bad field parameter list",
        // Logical block address out of range.
        (0x21, 0x00, _) => return None,
        (_, _, Sent::In(_)) => {
            "bad field in cdb or parameter list (perhaps unsupported service action)"
        }
        (_, _, Sent::Out(_)) => "bad field in cdb (perhaps unsupported service action)",
    })
}

/// What to do about an answer to `action` that is cut, if anything can be done. `given` is the room
/// that a user asked for.
fn advice(action: ServiceAction, source: &Malformed, given: Option<u16>) -> Option<String> {
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
