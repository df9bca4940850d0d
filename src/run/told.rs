//! What is said behind the original's words of a failure.

use super::session::Session;
use crate::error::Error;
use crate::render::diagnostic::is_noteworthy;
use crate::render::failure::{advice, sense_line};
use crate::scsi::sense::Sense;
use crate::transport::CommandError;

/// Says on stderr what the device server gave for a reason, where that has not been said in words
/// already, and what to do about it.
pub(super) fn tell(session: &Session<'_, '_>, error: &Error) {
    let Some(sense) = sense_of(error) else {
        return;
    };
    let shown = session.task.verbosity > 0 || is_noteworthy(&sense, false);
    // What the controller gave has been said, and the sense data is made from it.
    let record = session.record.borrow();
    let completion = record.completion.as_ref();
    let translated = completion.is_some_and(|completion| completion.translation.reason.is_some());
    if !shown && !translated {
        (session.print)(&format!("{}\n", sense_line(&sense)));
    }
    if let Some(advice) = advice(&sense) {
        (session.print)(&format!("{advice}\n"));
    }
}

/// The error in words, with what the device server gave for a reason.
pub(super) fn in_words(error: &Error) -> String {
    match (sense_of(error), error) {
        (Some(sense), _) => format!("{error} ({})", sense_line(&sense)),
        (None, Error::Inquiry { source, .. }) => format!("{error}: {source}"),
        (None, _) => error.to_string(),
    }
}

/// The sense data with which a command failed.
pub(super) const fn sense_of(error: &Error) -> Option<Sense> {
    match error {
        Error::Inquiry {
            source: CommandError::Sense { sense, .. },
            ..
        }
        | Error::Command {
            source: CommandError::Sense { sense, .. },
            ..
        } => *sense,
        _ => None,
    }
}
