//! One consistent look at everything about each of some logical units.

use std::ffi::OsStr;
use std::path::Path;

use super::Done;
use super::device::Device;
use super::report::{InquiryFailure, report};
use super::session::Session;
use super::standings::{self, PathStanding};
use super::told;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::pr::prin::ServiceAction;
use crate::render::DeviceText;
use crate::render::json::UnitShape;
use crate::render::line;
use crate::render::overview::{PathRow, Style, Unit, table};
use crate::render::summary::{Row, Told, status, summary};
use crate::scsi::sense::Sense;
use crate::transport::Access;

/// A table for each device, and for several a list of all before them. One that fails does not keep
/// the others from theirs; a reservation that is not told is a failure, too.
pub(super) fn overview(session: &Session<'_, '_>, access: Access) -> Done {
    let mut statuses = Vec::new();
    let mut tables = Vec::new();
    let devices = std::iter::once(&session.task.device).chain(&session.task.more_devices);
    let fails = |line: &str, error: &Error| {
        session.console.err(line.as_bytes());
        let (verbosity, console) = (session.task.verbosity, session.console);
        report(error, verbosity, console, InquiryFailure::OnStderr);
        told::tell(session, error);
    };
    for name in devices {
        match of(session, name, access) {
            Ok((text, told, missing)) => {
                tables.push(text);
                let status = missing
                    .as_ref()
                    .map_or(ExitStatus::SUCCESS, ExitStatus::from);
                statuses.push(status);
                add_row(session, name, Some(told), status);
                if let Some(error) = missing {
                    let device = name.to_string_lossy();
                    let line =
                        format!("sg_persist: the overview of {device} lacks the reservation:\n");
                    fails(&line, &error);
                }
            }
            Err(error) => {
                statuses.push(ExitStatus::from(&error));
                add_row(session, name, None, ExitStatus::from(&error));
                let device = name.to_string_lossy();
                if session.task.json.is_some() {
                    let message = told::in_words(&error);
                    let status = ExitStatus::from(&error);
                    let meaning = status.text().unwrap_or_default();
                    let mut record = session.record.borrow_mut();
                    let shape = UnitShape::failed(
                        device.clone().into_owned(),
                        message,
                        (status.code(), &meaning),
                        &record.unit_attentions,
                    );
                    record.overviews.push(shape);
                }
                fails(&format!("sg_persist: no overview of {device}:\n"), &error);
            }
        }
    }
    let mut text = tables.join("\n");
    if statuses.len() > 1 {
        let head = summary(&session.record.borrow().rows);
        text = match tables.is_empty() {
            true => head,
            false => [head, text].join("\n"),
        };
    }
    session.console.put(text.as_bytes());
    match ExitStatus::of_all(statuses) {
        ExitStatus::SUCCESS => Done::Yes,
        status => Done::Otherwise(status),
    }
}

/// The line for the device called `name` in a list of several.
fn add_row(session: &Session<'_, '_>, name: &OsStr, told: Option<Told>, ended: ExitStatus) {
    let row = Row {
        device: line::name(name),
        told,
        status: status(ended.code(), ended.text().as_deref()),
    };
    session.record.borrow_mut().rows.push(row);
}

/// The table for the device called `name`, and what kept the reservation out of it, if anything:
/// nobody may take a table without one for a device without one.
fn of(
    session: &Session<'_, '_>,
    name: &OsStr,
    access: Access,
) -> Result<(String, Told, Option<Error>), Error> {
    session.record.borrow_mut().unit_attentions.clear();
    let mut device = Device::open(session, name, access, true)?;
    let inquiry = device.identify()?;
    let capabilities = device.capabilities_if_any()?;
    let snapshot = device.snapshot()?;
    let own = (session.own_ports)(Path::new(name));
    let paths: Vec<PathRow> = match device.exchange_mut().take_map() {
        None => Vec::new(),
        Some(map) => {
            let registrants = device.registrants();
            let (keys, full_status) = (&snapshot.keys, &snapshot.full_status);
            let paths = standings::of(session, &map, registrants, keys, full_status);
            let row = |path: PathStanding| PathRow {
                name: path.name,
                standing: path.standing,
            };
            paths.into_iter().map(row).collect()
        }
    };
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
        paths: &paths,
    };
    let reservation = snapshot.reservation.as_ref().err().cloned();
    let missing = reservation.map(|source| Error::Malformed {
        action: ServiceAction::ReadReservation,
        source,
        given: None,
    });
    if session.task.json.is_some() {
        let status = missing
            .as_ref()
            .map_or(ExitStatus::SUCCESS, ExitStatus::from);
        let meaning = status.text().unwrap_or("No errors".into());
        let mut record = session.record.borrow_mut();
        let attentions = &record.unit_attentions;
        let shape = UnitShape::told(device_name, &unit, attentions, (status.code(), &meaning));
        record.overviews.push(shape);
    }
    let style = Style {
        colour: !session.no_color && session.console.stdout_is_terminal(),
        shown: DeviceText::Printable,
    };
    Ok((table(&unit, style), Told::new(&snapshot), missing))
}
