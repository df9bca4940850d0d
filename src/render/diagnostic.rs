//! What is said on stderr of how a command went.

use std::io;

use crate::render::hex_rows;
use crate::render::sense;
use crate::scsi::cdb::Cdb;
use crate::scsi::sense::{Sense, SenseKey};
use crate::scsi::status::ScsiStatus;
use crate::transport::{Completion, os_error_text};

/// Bytes of a response that `-vvv` shows; `-vvvv` shows all.
const SHOWN_AT_LEVEL_3: usize = 256;

/// The lines about a command that has ended: what the transport, the status or the sense data
/// have to say, at the verbosity `level`. `requested` is the length of its data in, in bytes;
/// `None` for a command with data out.
#[must_use]
pub fn outcome(
    cdb: Cdb,
    requested: Option<usize>,
    result: &io::Result<Completion>,
    level: u8,
) -> Vec<u8> {
    let name = cdb.name();
    let mut text = ending(name, requested, result, level);
    if let Ok(completion) = result
        && let Some(reason) = &completion.translation.reason
    {
        text.extend(format!("{name}: {reason}\n").into_bytes());
    }
    text
}

fn ending(
    name: &str,
    requested: Option<usize>,
    result: &io::Result<Completion>,
    level: u8,
) -> Vec<u8> {
    match result {
        Err(error) => os_error(name, error, level).into_bytes(),
        Ok(completion) if completion.transport_failed() => transport(name, completion).into_bytes(),
        Ok(completion) if completion.has_sense() => sense(name, requested, completion, level),
        Ok(completion) => status(name, requested, completion, level).into_bytes(),
    }
}

fn os_error(name: &str, error: &io::Error, level: u8) -> String {
    let mut text = String::new();
    // A device that is gone is told by the line about the command itself.
    let gone = error.raw_os_error() == Some(libc::ENXIO);
    if !gone || level >= 1 {
        text += &format!("{name}: pass-through os error: {}\n", os_error_text(error));
    }
    if gone && level >= 3 {
        text += "map ENXIO to SG_LIB_CAT_NOT_READY\n";
    }
    text
}

fn transport(name: &str, completion: &Completion) -> String {
    let mut text = format!("{name}: transport: ");
    let host = completion.host_status;
    if host.0 != 0 {
        text += &match host.name() {
            Some(name) => format!("Host_status=0x{:02x} [{name}]\n", host.0),
            None => format!("Host_status=0x{:02x} is invalid\n", host.0),
        };
    }
    let driver = completion.driver_status;
    if driver.0 != 0 {
        let name = driver.name().unwrap_or("invalid");
        text += &format!("Driver_status=0x{:02x} [{name}]\n", driver.0);
    }
    text + "\n"
}

/// Whether sense data is shown to everybody, as the original does, where the exit status alone does
/// not tell what to do.
#[must_use]
pub fn is_noteworthy(sense: &Sense, is_change: bool) -> bool {
    match sense.key {
        // About another command than the one that the status is about.
        _ if sense.deferred => true,
        SenseKey::NO_SENSE => is_change,
        SenseKey::NOT_READY
        | SenseKey::ILLEGAL_REQUEST
        | SenseKey::DATA_PROTECT
        | SenseKey::COPY_ABORTED
        | SenseKey::ABORTED_COMMAND
        | SenseKey::MISCOMPARE => false,
        _ => true,
    }
}

fn sense(name: &str, requested: Option<usize>, completion: &Completion, level: u8) -> Vec<u8> {
    let sense = Sense::parse(&completion.sense);
    let is_quiet = |sense| !is_noteworthy(sense, requested.is_none());
    if level == 0 && sense.as_ref().is_some_and(is_quiet) {
        return Vec::new();
    }
    let mut text = format!("{name}:\n").into_bytes();
    text.extend(sense::describe(&completion.sense, level >= 2));
    let always = matches!(
        sense.map(|sense| sense.key),
        Some(
            SenseKey::MEDIUM_ERROR
                | SenseKey::HARDWARE_ERROR
                | SenseKey::BLANK_CHECK
                | SenseKey::RECOVERED_ERROR
        )
    );
    // A residual larger than what was asked for means that nothing came.
    let residual = usize::try_from(completion.residual).unwrap_or_default();
    if let (Some(requested), 1..) = (requested, residual) {
        let transferred = requested.saturating_sub(residual);
        if transferred < requested && (always || level >= 3 || transferred > 0) {
            text.extend(short_transfer(name, requested, transferred).into_bytes());
        }
    }
    text
}

fn status(name: &str, requested: Option<usize>, completion: &Completion, level: u8) -> String {
    match completion.status.without_vendor_bits() {
        ScsiStatus::CONDITION_MET
        | ScsiStatus::BUSY
        | ScsiStatus::RESERVATION_CONFLICT
        | ScsiStatus::TASK_SET_FULL
        | ScsiStatus::ACA_ACTIVE
        | ScsiStatus::TASK_ABORTED => String::new(),
        ScsiStatus::GOOD if completion.status == ScsiStatus::GOOD => {
            match requested.map(|requested| (requested, completion.transferred(requested))) {
                Some((requested, Ok(transferred))) if level >= 2 && transferred != requested => {
                    short_transfer(name, requested, transferred)
                }
                _ => String::new(),
            }
        }
        ScsiStatus::INTERMEDIATE => format!("{name}: scsi status: Intermediate (obsolete)\n"),
        ScsiStatus::INTERMEDIATE_CONDITION_MET => {
            format!("{name}: scsi status: Intermediate-Condition Met (obsolete)\n")
        }
        _ => format!(
            "{name}: scsi status: Unknown status [{:#x}]\n",
            completion.status.0
        ),
    }
}

fn short_transfer(name: &str, requested: usize, transferred: usize) -> String {
    format!(
        "    {name}: pass-through requested {requested} bytes (data-in), got {transferred} bytes\n"
    )
}

/// The bytes that a command brought, for `-vvv` and more.
#[must_use]
pub fn response(cdb: Cdb, data: &[u8], level: u8) -> String {
    if level < 3 || data.is_empty() {
        return String::new();
    }
    let name = cdb.name();
    if level >= 4 {
        return format!("    {name}: response:\n{}", hex_rows::offsets_ascii(data));
    }
    let shown = &data[..data.len().min(SHOWN_AT_LEVEL_3)];
    let first = if shown.len() < data.len() {
        format!(", first {SHOWN_AT_LEVEL_3} bytes")
    } else {
        String::new()
    };
    format!("    {name}: response{first}:\n{}", hex_rows::plain(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pr::prin::ServiceAction;
    use crate::transport::{DriverStatus, HostStatus};

    fn told(completion: Completion, level: u8) -> String {
        let cdb = ServiceAction::ReadKeys.cdb(8192);
        let told = outcome(cdb, Some(8192), &Ok(completion), level);
        String::from_utf8_lossy(&told).into_owned()
    }

    #[test]
    fn transport_errors_end_with_an_empty_line() {
        let completion = Completion {
            host_status: HostStatus(1),
            driver_status: DriverStatus(6),
            ..Completion::default()
        };
        assert_eq!(
            told(completion, 0),
            "Persistent reservation in: transport: Host_status=0x01 [DID_NO_CONNECT]\nDriver_status=0x06 [DRIVER_TIMEOUT]\n\n"
        );
        let completion = Completion {
            host_status: HostStatus(0x33),
            ..Completion::default()
        };
        assert_eq!(
            told(completion, 0),
            "Persistent reservation in: transport: Host_status=0x33 is invalid\n\n"
        );
    }

    #[test]
    fn an_unknown_status_is_named() {
        let completion = Completion {
            status: ScsiStatus(0x42),
            ..Completion::default()
        };
        assert_eq!(
            told(completion, 0),
            "Persistent reservation in: scsi status: Unknown status [0x42]\n"
        );
    }

    #[test]
    fn unit_attentions_are_told_and_illegal_requests_are_not() {
        let completion = |key| Completion {
            status: ScsiStatus::CHECK_CONDITION,
            sense: vec![
                0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0,
            ],
            residual: 8192,
            ..Completion::default()
        };
        assert_eq!(
            told(completion(6), 0),
            "Persistent reservation in:\nFixed format, current; Sense key: Unit Attention\nAdditional sense: Power on, reset, or bus device reset occurred\n"
        );
        assert_eq!(told(completion(5), 0), "");
        assert!(told(completion(5), 1).contains("Illegal Request"));
    }

    #[test]
    fn a_device_that_is_gone() {
        let gone = || Err(io::Error::from_raw_os_error(libc::ENXIO));
        let cdb = ServiceAction::ReadKeys.cdb(8192);
        assert_eq!(outcome(cdb, Some(8192), &gone(), 0), b"");
        assert_eq!(
            outcome(cdb, Some(8192), &gone(), 1),
            b"Persistent reservation in: pass-through os error: No such device or address\n"
        );
    }

    #[test]
    fn responses_at_three_and_four() {
        let cdb = ServiceAction::ReadKeys.cdb(8192);
        assert_eq!(response(cdb, &[1], 2), "");
        assert_eq!(response(cdb, &[], 4), "");
        assert_eq!(
            response(cdb, &[1], 3),
            "    Persistent reservation in: response:\n01\n"
        );
        assert!(response(cdb, &[1; 257], 3).contains("response, first 256 bytes:\n01 "));
        assert_eq!(response(cdb, &[1; 257], 3).lines().count(), 17);
        assert_eq!(response(cdb, &[1; 257], 4).lines().count(), 18);
    }
}
