//! Reservation reports of NVMe controllers, in both forms, and what a device server makes of them.
//! The first byte says which form and which question; the rest is the report.
#![no_main]

#[path = "../../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no target needs all of it")]
mod common;

use common::controller::Controller;
use libfuzzer_sys::fuzz_target;
use sg_persist::nvme::reservation::{Form, ReservationReport};

fuzz_target!(|input: &[u8]| {
    let Some((&first, report)) = input.split_first() else {
        return;
    };
    let extended = first & 1 == 1;
    let (form, header, descriptor) = match extended {
        true => (Form::Extended, 64, 64),
        false => (Form::Short, 24, 24),
    };
    let parsed = ReservationReport::parse(report, form);
    let registered = match report {
        [_, _, _, _, _, low, high, ..] => usize::from(u16::from_le_bytes([*low, *high])),
        _ => 0,
    };
    let needed = header + registered * descriptor;
    assert!(parsed.is_err() || needed <= report.len());
    if let Ok(parsed) = &parsed {
        assert_eq!(parsed.registrants.len(), registered);
    }

    let controller = Controller {
        extended,
        ..Controller::reporting(report.to_vec())
    };
    let mut unit = controller.unit();
    match first >> 1 & 3 {
        0 => {
            if let Ok(keys) = unit.read_keys() {
                assert!(report.len() < 7 || keys.keys.len() == registered);
            }
        }
        1 => {
            if let Ok(data) = unit.read_reservation() {
                let held = report.get(4).is_some_and(|&held| held != 0);
                assert!(report.len() < 5 || data.reservation.is_some() == held);
            }
        }
        2 => {
            if let Ok(status) = unit.read_full_status() {
                assert!(report.len() < 7 || status.descriptors.len() == registered);
                assert!(
                    status
                        .descriptors
                        .iter()
                        .all(|one| one.transport_id.is_some())
                );
            }
        }
        _ => {
            if let Ok(capabilities) = unit.report_capabilities() {
                let active = capabilities.persist_through_power_loss_active;
                assert_eq!(active, report.get(9) == Some(&1));
            }
        }
    }
});
