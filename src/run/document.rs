//! The JSON document about a run on one device.

use std::ffi::OsString;

use super::session::Session;
use crate::cli::request::{JsonOptions, Operation, Task};
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::multipath::unit::PathReport;
use crate::pr::prout::PersistentReserveOut;
use crate::render::json::{Document, Layout, Parts, PathShape};
use crate::transport::{CommandError, Completion, os_error_text};

/// The document: what was asked for, what came back, how the run ends. `plain` is the plain text
/// that it stands for, and `argv` what comes first in it, if that is wanted.
pub(super) fn document(
    session: &Session<'_, '_>,
    options: &JsonOptions,
    argv: Option<&[OsString]>,
    plain: &[u8],
    status: ExitStatus,
    error: Option<&Error>,
) -> Document {
    let mut record = session.record.borrow_mut();
    let overviews = std::mem::take(&mut record.overviews);
    let record = &*record;
    let out = out(&session.task.operation);
    let emitted = out.map(PersistentReserveOut::emit);
    let list = emitted.as_ref().map(|(_, list)| list.as_slice());
    // Where the device could not be opened, what went well before is not the outcome.
    let (completion, os_error) = match error {
        Some(Error::Open { source, .. }) => {
            let number = source.raw_os_error().unwrap_or_default();
            (None, Some((number, os_error_text(source))))
        }
        _ => (record.completion.as_ref(), record.os_error.clone()),
    };
    let (completion, os_error) = match session.task.operation {
        // Each device has its own.
        Operation::Overview => (None, None),
        _ => (completion, os_error),
    };
    let is_overview = session.task.operation == Operation::Overview;
    let all_told = status == ExitStatus::SUCCESS;
    let meaning = status.text().unwrap_or("No errors".into()).into_owned();
    Document::new(Parts {
        argv: argv.filter(|_| options.lead_in).map(words),
        plain_text: options.plain_text.then_some(plain),
        device: session.task.device.to_string_lossy().into_owned(),
        inquiry: record.inquiry.as_ref().filter(|_| !is_overview),
        command: record.cdb.filter(|_| !is_overview),
        parameter_list: out.zip(list),
        parameter_data: record.parameter_data.as_ref(),
        answer: record.answer,
        completion,
        os_error,
        unit_attentions: match is_overview {
            true => &[],
            false => &record.unit_attentions,
        },
        overview: is_overview.then_some(overviews),
        paths: (!record.paths.is_empty()).then(|| {
            let shape = |report: &PathReport| PathShape {
                name: report.name.clone(),
                outcome: report.change.name(),
                message: report.change.reason().map(str::to_owned),
            };
            record.paths.iter().map(shape).collect()
        }),
        explanation: record.explanation.as_ref().map(|found| &found.lines[..]),
        message: match error {
            Some(error) => Some(message(error, completion)),
            None if is_overview && !all_told => {
                Some("sg_persist: not every device gave an overview".to_owned())
            }
            None => None,
        },
        exit_status: options.exit_status.then(|| (status.code(), meaning)),
    })
}

/// The document about a device to which nothing was sent, for this reason.
pub(super) fn not_sent(
    task: &Task,
    options: &JsonOptions,
    message: String,
    status: ExitStatus,
) -> Document {
    let meaning = status.text().unwrap_or_default().into_owned();
    Document::new(Parts {
        argv: None,
        plain_text: None,
        device: task.device.to_string_lossy().into_owned(),
        inquiry: None,
        command: None,
        parameter_list: None,
        parameter_data: None,
        answer: None,
        completion: None,
        os_error: None,
        unit_attentions: &[],
        overview: None,
        paths: None,
        explanation: None,
        message: Some(message),
        exit_status: options.exit_status.then(|| (status.code(), meaning)),
    })
}

/// The words of the command line, as a document has them.
pub(super) fn words(argv: &[OsString]) -> Vec<String> {
    let words = argv.iter().map(|word| word.to_string_lossy().into_owned());
    words.collect()
}

/// How documents are laid out.
pub(super) const fn layout(options: &JsonOptions) -> Layout {
    match (options.pretty, options.packed) {
        (true, _) => Layout::Pretty(options.indent),
        (false, true) => Layout::Packed,
        (false, false) => Layout::Line,
    }
}

/// What went wrong, in words.
fn message(error: &Error, completion: Option<&Completion>) -> String {
    let reason = completion.and_then(|completion| completion.translation.reason.as_deref());
    match (error, reason) {
        // These name the reason themselves.
        (_, None)
        | (
            Error::Command {
                source:
                    CommandError::Malformed(_) | CommandError::NotThere(_) | CommandError::Unverified(_),
                ..
            },
            _,
        ) => error.to_string(),
        (error, Some(reason)) => format!("{error}: {reason}"),
    }
}

/// The PERSISTENT RESERVE OUT command that was asked for, if it was one.
fn out(operation: &Operation) -> Option<&PersistentReserveOut> {
    match operation {
        Operation::Out { out, .. } => Some(out),
        Operation::DryRun(operation) => out(operation),
        _ => None,
    }
}
