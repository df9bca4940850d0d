//! Reservation reports of NVMe controllers, in both forms, and what a device server makes of them.
//! The first byte says which form and which question; the rest is the report.
#![no_main]

use std::io;
use std::path::Path;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sg_persist::logical_unit::LogicalUnit;
use sg_persist::nvme::Command;
use sg_persist::nvme::reservation::{Form, ReservationReport};
use sg_persist::nvme::status::NvmeStatus;
use sg_persist::transport::nvme::Passthrough;
use sg_persist::transport::nvme::translator::Translator;
use sg_persist::transport::{Data, Node, NodeKind};

/// A controller with this report and nothing else to say.
struct Controller {
    extended: bool,
    report: Vec<u8>,
}

impl Passthrough for Controller {
    fn send(&mut self, command: &Command, data: Data<'_>, _: Duration) -> io::Result<NvmeStatus> {
        let Data::In(buffer) = data else {
            panic!("{command}");
        };
        match command.opcode() {
            0x06 => {
                buffer.fill(0);
                // RESCAP, CTRATT and ONCS.
                buffer[31] = 0xff;
                buffer[96] = u8::from(self.extended);
                buffer[520] = 1 << 5;
            }
            0x0e => {
                assert_eq!(command.cdw11(), u32::from(self.extended));
                let length = self.report.len().min(buffer.len());
                buffer[..length].copy_from_slice(&self.report[..length]);
            }
            _ => panic!("{command}"),
        }
        Ok(NvmeStatus::SUCCESS)
    }
}

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

    let node = Node {
        kind: NodeKind::NvmeBlock { namespace: 1 },
        bsg_major: None,
    };
    let controller = Controller {
        extended,
        report: report.to_vec(),
    };
    let translator = Translator::new(controller, node, Path::new("/dev/nvme0n1"));
    let mut unit = LogicalUnit::new(Box::new(translator));
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
