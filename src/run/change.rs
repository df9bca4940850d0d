//! PERSISTENT RESERVE OUT: sent, sent and read back, or shown and not sent.

use super::device::Device;
use super::explain;
use super::map;
use super::session::Session;
use crate::cli::request::Operation;
use crate::error::Error;
use crate::pr::effect::Sender;
use crate::pr::prout::{PersistentReserveOut, ServiceAction};
use crate::pr::room::Room;
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
    let success = match out.action {
        ServiceAction::RegisterAndMove => {
            "PR out (register and move): command successful".to_owned()
        }
        action => format!("PR out: command ({}) successful", action.name()),
    };
    if let Some(map) = device.exchange_mut().take_map() {
        return map::change(session, name, device, map, out, verify);
    }
    let own_ports = match verify {
        true => device.own_ports(),
        false => Vec::new(),
    };
    let sender = Sender {
        registrants: device.registrants(),
        ports: &own_ports,
    };
    let before = match verify {
        true => Some(device.state(out, sender)?),
        false => None,
    };
    if let Err(error) = device.change(out) {
        if session.task.explain || session.task.json.is_some() || verify {
            explain::look(session, &mut device, out, &error);
        }
        return Err(error);
    }
    if session.task.verbosity > 0 {
        (session.print)(&format!("{success}\n"));
    }
    let Some(before) = before else {
        return Ok(());
    };
    // What is read to compare is not what was asked for, nor how it ended.
    let completion = session.record.borrow().completion.clone();
    let verified = device.verify(&before, out, sender);
    let mut record = session.record.borrow_mut();
    record.cdb = Some(out.emit().0);
    record.completion = completion;
    record.os_error = None;
    Ok(verified?)
}

/// Registers the key of `out` over the paths of a map that lack it.
pub(super) fn repair(session: &Session<'_, '_>, out: &PersistentReserveOut) -> Result<(), Error> {
    let name = &session.task.device;
    let mut device = Device::open(session, name, Access::ReadOnly, false)?;
    match device.exchange_mut().take_map() {
        Some(map) => map::repair(session, name, device, map, out),
        None => Err(Error::NoMap {
            device: name.clone(),
        }),
    }
}

/// Shows the command and sends nothing.
pub(super) fn dry_run(session: &Session<'_, '_>, operation: &Operation) {
    let text = match operation {
        Operation::In {
            action,
            allocation_length,
        } => {
            let cdb = action.cdb(Room::new(*action, *allocation_length).bytes());
            session.record.borrow_mut().cdb = Some(cdb);
            shown::prin(*action, cdb)
        }
        Operation::Out { out, .. } => {
            let (cdb, list) = out.emit();
            session.record.borrow_mut().cdb = Some(cdb);
            shown::prout(out, cdb, &list, session.console.device_text())
        }
        Operation::DryRun(_)
        | Operation::Question(_)
        | Operation::Repair(_)
        | Operation::Overview => String::new(),
    };
    session.console.put(text.as_bytes());
}
