//! One consistent look at everything about each of some logical units.

use std::ffi::OsStr;
use std::path::Path;

use super::Done;
use super::device::{Device, Session};
use super::report::{InquiryFailure, report};
use super::told;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::render::DeviceText;
use crate::render::json::UnitShape;
use crate::render::overview::{Style, Unit, table};
use crate::scsi::sense::Sense;
use crate::transport::Access;

/// A table for each device. One that fails does not keep the others from theirs; the status is that
/// of the first failure.
pub(super) fn overview(session: &Session<'_, '_>, access: Access) -> Done {
    let mut done = Done::Yes;
    let devices = std::iter::once(&session.task.device).chain(&session.task.more_devices);
    let mut shown = false;
    for name in devices {
        match of(session, name, access) {
            Ok(text) => {
                if shown {
                    session.console.put(b"\n");
                }
                session.console.put(text.as_bytes());
                shown = true;
            }
            Err(error) => {
                let device = name.to_string_lossy();
                let line = format!("sg_persist: no overview of {device}:\n");
                session.console.err(line.as_bytes());
                let (verbosity, console) = (session.task.verbosity, session.console);
                report(&error, verbosity, console, InquiryFailure::OnStderr);
                told::tell(session, &error);
                if session.task.json.is_some() {
                    let (device, status) = (device.into_owned(), ExitStatus::from(&error));
                    let mut record = session.record.borrow_mut();
                    let message = told::in_words(&error);
                    let attentions = &record.unit_attentions;
                    let shape = UnitShape::failed(device, message, status, attentions);
                    record.overviews.push(shape);
                }
                if done == Done::Yes {
                    done = Done::Partly(ExitStatus::from(&error));
                }
            }
        }
    }
    done
}

/// The table for the device called `name`.
fn of(session: &Session<'_, '_>, name: &OsStr, access: Access) -> Result<String, Error> {
    session.record.borrow_mut().unit_attentions.clear();
    let mut device = Device::open(session, name, access, true)?;
    let inquiry = device.identify()?;
    let capabilities = device.capabilities_if_any()?;
    let snapshot = device.snapshot()?;
    let own = (session.own_ports)(Path::new(name));
    let attentions: Vec<Sense> = {
        let attentions = &session.record.borrow().unit_attentions;
        let attentions = attentions.iter();
        attentions.filter_map(|sense| Sense::parse(sense)).collect()
    };
    let device_name = name.to_string_lossy().into_owned();
    let name = DeviceText::Printable.show(name.as_encoded_bytes());
    let unit = Unit {
        device: &String::from_utf8_lossy(&name),
        inquiry: &inquiry,
        registrants: device.registrants(),
        snapshot: &snapshot,
        capabilities: &capabilities,
        unit_attentions: &attentions,
        own: &own,
    };
    if session.task.json.is_some() {
        let mut record = session.record.borrow_mut();
        let shape = UnitShape::told(device_name, &unit, &record.unit_attentions);
        record.overviews.push(shape);
    }
    let style = Style {
        colour: !session.no_color && session.console.stdout_is_terminal(),
        shown: DeviceText::Printable,
    };
    Ok(table(&unit, style))
}
