//! A command that is shown instead of being sent.

use std::fmt::Write;

use super::{DeviceText, transport_id};
use crate::pr::prin;
use crate::pr::prout::{PersistentReserveOut, ServiceAction};
use crate::pr::{ReservationType, Scope};
use crate::render::hex_rows;
use crate::scsi::cdb::Cdb;

/// PERSISTENT RESERVE IN.
#[must_use]
pub fn prin(action: prin::ServiceAction, cdb: Cdb) -> String {
    let [.., high, low, _] = cdb.as_bytes() else {
        return String::new();
    };
    let room = u16::from_be_bytes([*high, *low]);
    format!(
        "Not sent: PERSISTENT RESERVE IN, {}\n  CDB, {} bytes:\n{}  Allocation length: {room} bytes\n",
        action.name(),
        cdb.as_bytes().len(),
        hex_rows::lead_in("    ", cdb.as_bytes()),
    )
}

/// PERSISTENT RESERVE OUT with its parameter list.
#[must_use]
pub fn prout(out: &PersistentReserveOut, cdb: Cdb, list: &[u8], shown: DeviceText) -> String {
    let mut text = format!(
        "Not sent: PERSISTENT RESERVE OUT, {}\n  CDB, {} bytes:\n{}",
        out.action.name(),
        cdb.as_bytes().len(),
        hex_rows::lead_in("    ", cdb.as_bytes()),
    );
    let scope = match out.scope {
        Scope::LU_SCOPE => "LU_SCOPE".to_owned(),
        other => other.code().to_string(),
    };
    let mut line = |name: &str, value: String| {
        // Writing to memory cannot fail.
        let _ = writeln!(text, "    {name}: {value}");
    };
    line("Scope", scope);
    line("Type", reservation_type(out.reservation_type));
    let _ = write!(
        text,
        "  Parameter list, {} bytes:\n{}",
        list.len(),
        hex_rows::lead_in("    ", list)
    );
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "    {name}: {value}");
    };
    let bit = |set: bool| u8::from(set).to_string();
    line("Reservation key", out.reservation_key.to_string());
    line(
        "Service action reservation key",
        out.service_action_reservation_key.to_string(),
    );
    let persist = bit(out.activate_persist_through_power_loss);
    if out.action == ServiceAction::RegisterAndMove {
        line("Unregister (UNREG)", bit(out.unregister));
        line("Activate persist through power loss (APTPL)", persist);
        line(
            "Relative target port",
            format!("{:#x}", out.relative_target_port),
        );
    } else {
        line(
            "Specify initiator ports (SPEC_I_PT)",
            bit(out.specifies_initiator_ports()),
        );
        line("All target ports (ALL_TG_PT)", bit(out.all_target_ports));
        line("Activate persist through power loss (APTPL)", persist);
    }
    for id in out.transport_ids.as_slice() {
        let block = transport_id::block("    ", id.as_bytes(), shown);
        text += &String::from_utf8_lossy(&block);
    }
    text
}

fn reservation_type(reservation_type: ReservationType) -> String {
    let code = reservation_type.code();
    match reservation_type.name() {
        Some(name) => format!("{code:x} ({name})"),
        None => format!("{code:x}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::pr::ReservationKey;
    use crate::pr::prout::TransportIds;
    use crate::pr::transport_id::TransportId;

    fn out(action: ServiceAction) -> PersistentReserveOut {
        PersistentReserveOut {
            action,
            scope: Scope::LU_SCOPE,
            reservation_type: ReservationType::EXCLUSIVE_ACCESS,
            reservation_key: ReservationKey(0xabc123),
            service_action_reservation_key: ReservationKey(0x123abc),
            activate_persist_through_power_loss: true,
            all_target_ports: false,
            unregister: true,
            relative_target_port: 0x12,
            transport_ids: TransportIds::try_from(vec![TransportId::sas(1)]).unwrap(),
        }
    }

    #[test]
    fn a_register() {
        let out = out(ServiceAction::Register);
        let (cdb, list) = out.emit();
        assert_eq!(
            prout(&out, cdb, &list, DeviceText::Raw),
            "\
Not sent: PERSISTENT RESERVE OUT, Register
  CDB, 10 bytes:
    5f 00 03 00 00 00 00 00  34 00
    Scope: LU_SCOPE
    Type: 3 (Exclusive Access)
  Parameter list, 52 bytes:
    00 00 00 00 00 ab c1 23  00 00 00 00 00 12 3a bc
    00 00 00 00 09 00 00 00  00 00 00 18 06 00 00 00
    00 00 00 00 00 00 00 01  00 00 00 00 00 00 00 00
    00 00 00 00
    Reservation key: 0xabc123
    Service action reservation key: 0x123abc
    Specify initiator ports (SPEC_I_PT): 1
    All target ports (ALL_TG_PT): 0
    Activate persist through power loss (APTPL): 1
    Transport Id of initiator:
      SAS address: 0x1
"
        );
    }

    #[test]
    fn a_move_has_fields_of_its_own() {
        let out = out(ServiceAction::RegisterAndMove);
        let (cdb, list) = out.emit();
        let text = prout(&out, cdb, &list, DeviceText::Raw);
        assert!(text.contains(
            "    Unregister (UNREG): 1\n    Activate persist through power loss (APTPL): 1\n    Relative target port: 0x12\n"
        ));
        assert!(!text.contains("SPEC_I_PT"));
    }

    #[test]
    fn a_read() {
        let action = prin::ServiceAction::ReadKeys;
        assert_eq!(
            prin(action, action.cdb(8192)),
            "Not sent: PERSISTENT RESERVE IN, Read keys\n  CDB, 10 bytes:\n    5e 00 00 00 00 00 00 20  00 00\n  Allocation length: 8192 bytes\n"
        );
    }
}
