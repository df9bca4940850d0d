//! What NVMe tells, as the parameter data of SCSI.

use super::ending::{End, INVALID_FIELD_IN_CDB, malformed, refused};
use crate::nvme::identify::IdentifyController;
use crate::nvme::reservation::{self, Registrant, ReservationReport};
use crate::pr::prin::{
    FullStatusDescriptor, ReadFullStatus, ReadKeys, ReadReservation, Reservation, TargetPorts,
};
use crate::pr::prout::PersistentReserveOut;
use crate::pr::transport_id::TransportId;
use crate::pr::{ReservationKey, ReservationType, Scope};

/// The type of the reservation that `out` is about, where it is one that NVMe has.
pub(super) fn nvme_type(out: &PersistentReserveOut) -> Result<reservation::ReservationType, End> {
    if out.scope != Scope::LU_SCOPE {
        let scope = out.scope.code();
        return refused(
            INVALID_FIELD_IN_CDB,
            format!("a reservation is of a whole namespace, not of scope {scope:#x}"),
        );
    }
    let mut types = reservation::ReservationType::ALL.into_iter();
    let same = types.find(|&known| scsi_type(known) == out.reservation_type);
    same.map_or_else(
        || {
            let code = out.reservation_type.code();
            refused(
                INVALID_FIELD_IN_CDB,
                format!("NVMe has no reservations of type {code:#x}"),
            )
        },
        Ok,
    )
}

/// The type as SCSI counts it.
pub(super) const fn scsi_type(reservation_type: reservation::ReservationType) -> ReservationType {
    use reservation::ReservationType as Nvme;
    match reservation_type {
        Nvme::WriteExclusive => ReservationType::WRITE_EXCLUSIVE,
        Nvme::ExclusiveAccess => ReservationType::EXCLUSIVE_ACCESS,
        Nvme::WriteExclusiveRegistrantsOnly => ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
        Nvme::ExclusiveAccessRegistrantsOnly => ReservationType::EXCLUSIVE_ACCESS_REGISTRANTS_ONLY,
        Nvme::WriteExclusiveAllRegistrants => ReservationType::WRITE_EXCLUSIVE_ALL_REGISTRANTS,
        Nvme::ExclusiveAccessAllRegistrants => ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS,
    }
}

pub(super) fn read_keys(report: &ReservationReport) -> Vec<u8> {
    let keys = ReadKeys {
        generation: report.generation,
        keys: report.registrants.iter().map(|one| one.key).collect(),
    };
    keys.emit()
}

pub(super) fn read_reservation(report: &ReservationReport) -> Result<Vec<u8>, End> {
    let held = report.held().map_err(malformed)?;
    let reservation = held.map(|held| Reservation {
        // For the types that all registrants hold, SCSI has key 0; nobody has it, so it serves for
        // a holder that is not listed as well.
        reservation_key: held.key.unwrap_or(ReservationKey::NONE),
        scope: Scope::LU_SCOPE,
        reservation_type: scsi_type(held.reservation_type),
    });
    let data = ReadReservation {
        generation: report.generation,
        reservation,
    };
    Ok(data.emit())
}

pub(super) fn read_full_status(report: &ReservationReport) -> Result<Vec<u8>, End> {
    let held = report.held_type().map_err(malformed)?;
    let descriptor = |registrant: &Registrant| {
        let by_this = held
            .filter(|held| held.is_held_by_all() || registrant.is_holder())
            .map(|held| (Scope::LU_SCOPE, scsi_type(held)));
        FullStatusDescriptor {
            reservation_key: registrant.key,
            target_ports: match registrant.controller_id {
                Registrant::DYNAMIC => TargetPorts::All,
                controller => TargetPorts::Relative(controller),
            },
            held: by_this,
            transport_id: TransportId::nvme_host(&registrant.host_identifier),
        }
    };
    let data = ReadFullStatus {
        generation: report.generation,
        descriptors: report.registrants.iter().map(descriptor).collect(),
    };
    Ok(data.emit())
}

/// Standard INQUIRY data: 36 bytes.
pub(super) fn standard_inquiry(controller: &IdentifyController, is_namespace: bool) -> Vec<u8> {
    /// NVMESD and NVMEE of NVMSR.
    const STORAGE_DEVICE: u8 = 1;
    const ENCLOSURE: u8 = 2;
    let subsystem = controller.subsystem_report & (STORAGE_DEVICE | ENCLOSURE);
    let device_type = if is_namespace {
        0x00
    } else if subsystem == ENCLOSURE {
        0x0d
    } else if controller.namespaces == 0 {
        0x1f
    } else {
        0x00
    };
    // SPC-5, response data format 2, 31 bytes after byte 4.
    let mut data = vec![device_type, 0, 0x07, 2, 31, 0, 0, 2];
    data.extend(b"NVMe    ");
    data.extend(&controller.model_number[..16]);
    data.extend(revision(&controller.firmware_revision));
    data
}

/// The last four characters of the firmware revision before the blanks that fill it.
pub(super) fn revision(firmware: &[u8; 8]) -> [u8; 4] {
    let text = firmware.trim_ascii_end();
    let last = text.get(text.len().saturating_sub(4)..).unwrap_or(text);
    let mut revision = [b' '; 4];
    revision[..last.len()].copy_from_slice(last);
    revision
}
