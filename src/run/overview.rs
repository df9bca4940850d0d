//! One consistent look at everything about a logical unit.

use std::path::Path;

use super::device::{Device, Session};
use super::question::ATTEMPTS;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::pr::prin::{Capabilities, Malformed, ReadFullStatus, ServiceAction};
use crate::render::DeviceText;
use crate::render::overview::{Snapshot, Style, table};
use crate::transport::Access;

/// A table for each device. The first device that fails ends it.
pub(super) fn overview(session: &Session<'_, '_>, access: Access) -> Result<(), Error> {
    let devices = std::iter::once(&session.task.device).chain(&session.task.more_devices);
    for (number, name) in devices.enumerate() {
        if number > 0 {
            session.console.put(b"\n");
        }
        let mut device = Device::open(session, name, access, true)?;
        let inquiry = device.inquiry()?;
        let capabilities = device.read_optional(
            ServiceAction::ReportCapabilities,
            Capabilities::parse,
            is_unsupported,
        )?;
        let (keys, reservation, full_status) = snapshot(&mut device)?;
        let own = (session.own_ports)(Path::new(name));
        let device = DeviceText::Printable.show(name.as_encoded_bytes());
        let text = table(
            &Snapshot {
                device: &String::from_utf8_lossy(&device),
                inquiry: &inquiry,
                keys: &keys,
                reservation: &reservation,
                full_status: full_status.as_ref(),
                capabilities: capabilities.as_ref(),
                own: &own,
            },
            Style {
                colour: !session.no_color && session.console.stdout_is_terminal(),
                shown: DeviceText::Printable,
            },
        );
        session.console.put(text.as_bytes());
    }
    Ok(())
}

type Registrations = (
    crate::pr::prin::ReadKeys,
    crate::pr::prin::ReadReservation,
    Option<ReadFullStatus>,
);

/// Keys, reservation and full status of one and the same generation.
fn snapshot(device: &mut Device<'_, '_>) -> Result<Registrations, Error> {
    for _ in 0..ATTEMPTS {
        let keys = device.read_keys()?;
        let reservation = device.read_reservation()?;
        let full_status = device.read_optional(
            ServiceAction::ReadFullStatus,
            ReadFullStatus::parse,
            is_unsupported,
        )?;
        let agree = reservation.generation == keys.generation
            && full_status
                .as_ref()
                .is_none_or(|full| full.generation == keys.generation);
        // Device servers that do not count every change are caught by what they list.
        let alike = full_status
            .as_ref()
            .is_none_or(|full| full.descriptors.len() == keys.keys.len());
        if agree && alike {
            return Ok((keys, reservation, full_status));
        }
    }
    Err(Error::Unsteady)
}

/// Whether the device does not support what it was asked.
fn is_unsupported(error: &Error) -> bool {
    match error {
        Error::Command { .. } => matches!(
            ExitStatus::from(error),
            ExitStatus::ILLEGAL_REQUEST | ExitStatus::INVALID_OPCODE
        ),
        // Some targets answer with nothing but zeros.
        Error::Malformed {
            source: Malformed::CapabilitiesLength { length: 0 },
            ..
        } => true,
        _ => false,
    }
}
