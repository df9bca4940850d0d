//! A question that is asked until the answer is yes.

use std::time::Duration;

use super::question;
use super::session::Session;
use crate::cli::request::Question;
use crate::error::Error;
use crate::scsi::sense::SenseKey;
use crate::scsi::status::ScsiStatus;
use crate::transport::{Access, CommandError};

/// The pause before the question is asked for the second time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks until the answer is yes or `within` is over, at the last moment once more. The device is
/// opened anew each time, so that it is not held in between.
///
/// A failure that may pass is no answer, and the question is asked again; what counts is how it was
/// the last time.
pub(super) fn ask(
    session: &Session<'_, '_>,
    access: Access,
    question: Question,
    within: Duration,
) -> Result<bool, Error> {
    let since = session.clock.now();
    let mut pause = FIRST_PAUSE;
    loop {
        session.hold_back();
        let answer = question::ask(session, access, question);
        let elapsed = session.clock.now().saturating_sub(since);
        let left = within.saturating_sub(elapsed);
        let goes_on = match &answer {
            Ok(answer) => !answer,
            Err(error) => may_pass(error),
        };
        let is_last = !goes_on || left.is_zero();
        session.release(!is_last);
        if is_last {
            return answer;
        }
        // Where the run has to end earlier, it does not pause beyond that.
        let deadline = session.deadline.unwrap_or(Duration::MAX);
        let pausing = pause
            .min(left)
            .min(deadline.saturating_sub(since + elapsed));
        if session.task.verbosity > 0 {
            let what = match answer {
                Ok(_) => "The answer is no".to_owned(),
                Err(error) => error.to_string(),
            };
            let milliseconds = pausing.as_millis();
            (session.print)(&format!("{what}; asking again in {milliseconds} ms\n"));
        }
        session.clock.wait_for_news(pausing);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether a failure may be another one, or none, a moment later, though nobody does anything about
/// it.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Unanswered(reason) => reason.may_pass(),
        Error::Unsteady => true,
        Error::Command { source, .. } | Error::Inquiry { source, .. } => match source {
            CommandError::Transport { .. } => true,
            CommandError::Status { status, .. } => *status != ScsiStatus::CONDITION_MET,
            CommandError::Sense {
                sense: Some(sense), ..
            } => matches!(
                sense.key,
                SenseKey::NOT_READY | SenseKey::UNIT_ATTENTION | SenseKey::ABORTED_COMMAND
            ),
            // The device is offline.
            CommandError::Os(error) => error.raw_os_error() == Some(libc::ENXIO),
            _ => false,
        },
        _ => false,
    }
}
