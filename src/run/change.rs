//! PERSISTENT RESERVE OUT: sent, sent and read back, or shown and not sent.

use super::device::{Device, Session};
use super::question::ATTEMPTS;
use crate::cli::request::Operation;
use crate::error::{Error, Family};
use crate::pr::effect::{self, Registrants, Sender, State, Verdict};
use crate::pr::prin::{self, Capabilities, ReadFullStatus};
use crate::pr::prout::{PersistentReserveOut, ServiceAction};
use crate::render::dry_run as shown;
use crate::transport::Access;

/// Sends the command. With `verify` its effect is read back.
pub(super) fn change(
    session: &Session<'_, '_>,
    access: Access,
    out: &PersistentReserveOut,
    verify: bool,
) -> Result<(), Error> {
    let name = &session.task.device;
    let mut device = if session.task.inquiry {
        let mut device = Device::open(session, name, Access::ReadOnly, true)?;
        device.show_inquiry()?;
        match access {
            Access::ReadOnly => device,
            Access::ReadWrite => {
                drop(device);
                Device::open(session, name, access, false)?
            }
        }
    } else {
        Device::open(session, name, access, false)?
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
    let own_ports = match verify {
        true => device.own_ports(),
        false => Vec::new(),
    };
    let sender = Sender {
        registrants: device.registrants(),
        ports: &own_ports,
    };
    let before = match verify {
        true => Some(state(&mut device, out, sender)?),
        false => None,
    };
    let (cdb, list) = out.emit();
    let result = device.change(cdb, &list)?;
    result.map_err(|source| Error::Command {
        command,
        family,
        source,
    })?;
    if session.task.verbosity > 0 {
        (session.print)(&format!("{success}\n"));
    }
    let Some(before) = before else {
        return Ok(());
    };
    // What is read to compare is not what was asked for, nor how it ended.
    let completion = session.record.borrow().completion.clone();
    let after = state_after(&mut device, out, sender);
    {
        let mut record = session.record.borrow_mut();
        record.cdb = Some(cdb);
        record.completion = completion;
        record.os_error = None;
    }
    let after = after.map_err(|error| Error::Disturbed(error.to_string()))?;
    match effect::check(&before, out, &after, sender) {
        Verdict::Holds => Ok(()),
        Verdict::Disturbed(doubt) => Err(Error::Disturbed(doubt.to_string())),
        Verdict::Mismatch(mismatch) => Err(Error::NotVerified(mismatch.to_string())),
    }
}

/// What is registered and reserved at one moment; with the nexuses, where the command cannot be
/// judged as well without them.
fn state(
    device: &mut Device<'_, '_>,
    out: &PersistentReserveOut,
    sender: Sender<'_>,
) -> Result<State, Error> {
    let names_nexuses = sender.registrants == Registrants::Hosts
        || !sender.ports.is_empty()
        || !out.transport_ids.as_slice().is_empty()
        || out.all_target_ports;
    let mut without_nexuses = None;
    for _ in 0..ATTEMPTS {
        let keys = device.read_keys()?;
        let reservation = device.read_reservation()?;
        let Some(mut state) = State::new(&keys, &reservation) else {
            continue;
        };
        if !names_nexuses {
            return Ok(state);
        }
        let told =
            device.read_optional(prin::ServiceAction::ReadFullStatus, ReadFullStatus::parse)?;
        let fits = told.map(|told| state.add_full_status(told));
        if fits != Some(false) {
            return Ok(state);
        }
        without_nexuses = Some(state);
    }
    without_nexuses.ok_or(Error::Unsteady)
}

/// The state that the command has left. What others do to PTPL_A later is counted when it is read
/// first.
fn state_after(
    device: &mut Device<'_, '_>,
    out: &PersistentReserveOut,
    sender: Sender<'_>,
) -> Result<State, Error> {
    let capabilities = match out.activate_persist_through_power_loss {
        true => {
            device.read_optional(prin::ServiceAction::ReportCapabilities, Capabilities::parse)?
        }
        false => None,
    };
    let mut state = state(device, out, sender)?;
    state.persists = capabilities.map(|told| told.persist_through_power_loss_active);
    Ok(state)
}

/// Shows the command and sends nothing.
pub(super) fn dry_run(session: &Session<'_, '_>, operation: &Operation) {
    let text = match operation {
        Operation::In {
            action,
            allocation_length,
        } => {
            let cdb = action.cdb(allocation_length.unwrap_or(prin::DEFAULT_ALLOCATION_LENGTH));
            session.record.borrow_mut().cdb = Some(cdb);
            shown::prin(*action, cdb)
        }
        Operation::Out { out, .. } => {
            let (cdb, list) = out.emit();
            session.record.borrow_mut().cdb = Some(cdb);
            shown::prout(out, cdb, &list, session.console.device_text())
        }
        Operation::DryRun(_) | Operation::Question(_) | Operation::Overview => String::new(),
    };
    session.console.put(text.as_bytes());
}
