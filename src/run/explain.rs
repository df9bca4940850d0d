//! What a reservation conflict came from, looked for once the command has failed.

use super::device::{Device, command_error};
use super::nexus::OwnNexus;
use super::report::{InquiryFailure, report};
use super::session::{Explanation, Session};
use super::told::in_words;
use crate::error::Error;
use crate::multipath::unit::MapError;
use crate::pr::effect::Registrants;
use crate::pr::explain::{Reason, reasons};
use crate::pr::prout::PersistentReserveOut;
use crate::render::explain::line;
use crate::render::failure::attention;
use crate::scsi::sense::Sense;
use crate::transport::CommandError;

/// Reads what is registered and reserved, and keeps in the record what it explains. Only commands
/// that read are sent, and none of them changes how the run ends.
pub(super) fn look(
    session: &Session<'_, '_>,
    device: &mut Device<'_, '_>,
    out: &PersistentReserveOut,
    error: &Error,
) {
    if !is_conflict(error) {
        return;
    }
    // First what is known: what follows may take its time, and may be interrupted.
    let verbosity = session.task.verbosity;
    report(error, verbosity, session.console, InquiryFailure::OnStdout);
    session.record.borrow_mut().is_reported = true;
    if verbosity > 0 {
        (session.print)("Reading the registrations and the reservation to explain the conflict\n");
    }
    let before = session.begin_aside();
    let read = device.snapshot().map_err(Error::from).map(|snapshot| {
        let own = OwnNexus::of(device, &snapshot.full_status);
        reasons(&snapshot, out, own.nexus())
    });
    let attentions = session.end_aside(before);
    let registrants = device.registrants();
    let mut lines = match read {
        Ok(reasons) => in_lines(&reasons, registrants),
        Err(error) => vec![(
            "not_known",
            format!(
                "not known, since it could not be read: {}",
                in_words(&error)
            ),
        )],
    };
    let attentions = attentions.iter().filter_map(|sense| Sense::parse(sense));
    lines.extend(attentions.map(|sense| ("unit_attention", attention(&sense))));
    session.record.borrow_mut().explanation = Some(Explanation { lines });
}

/// Whether the command was refused for a reservation or the lack of a registration; that of a map on
/// one path at least.
fn is_conflict(error: &Error) -> bool {
    match error {
        Error::Map { source, .. } => match &**source {
            MapError::Path { source, .. } => is_conflict(source),
            // A path with another key is named with it.
            _ => false,
        },
        error => command_error(error).is_some_and(CommandError::is_conflict),
    }
}

fn in_lines(reasons: &[Reason], registrants: Registrants) -> Vec<(&'static str, String)> {
    let in_line = |reason: &Reason| (reason.name(), line(reason, registrants));
    reasons.iter().map(in_line).collect()
}

/// Says on stderr what was found.
pub(super) fn tell(session: &Session<'_, '_>) {
    let record = session.record.borrow();
    for (_, line) in record.explanation.iter().flat_map(|found| &found.lines) {
        session
            .console
            .err_from_device(format!("Why: {line}\n").as_bytes());
    }
}
