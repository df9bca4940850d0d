//! Answers as text, line by line what the original prints: scripts parse it.

use std::io::Write;

use super::{DeviceText, transport_id};
use crate::pr::prin::{
    Capabilities, FullStatusDescriptor, ParameterData, ReadFullStatus, ReadKeys, ReadReservation,
    TargetPorts, TypeMask,
};
use crate::pr::{ReservationType, Scope};
use crate::scsi::inquiry::StandardInquiry;

/// Appends formatted text. Writing to memory cannot fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {
        let _ = write!($out, $($format)*);
    };
}

/// The two lines about the device.
#[must_use]
pub fn inquiry(inquiry: &StandardInquiry, shown: DeviceText) -> Vec<u8> {
    let mut out = b"  ".to_vec();
    out.extend(shown.show(&inquiry.vendor));
    out.extend(b"  ");
    out.extend(shown.show(&inquiry.product));
    out.extend(b"  ");
    out.extend(shown.show(&inquiry.revision));
    let device_type = inquiry.peripheral_device_type;
    match device_type.name() {
        Some(name) => {
            put!(out, "\n  Peripheral device type: {name}\n");
        }
        None => {
            put!(out, "\n  Peripheral device type: {:#x}\n", device_type.0);
        }
    }
    out
}

/// The answer to PERSISTENT RESERVE IN. With `verbosity` one line more where there is nothing.
#[must_use]
pub fn answer(data: &ParameterData, verbosity: u8, shown: DeviceText) -> Vec<u8> {
    match data {
        ParameterData::Keys(data) => keys(data),
        ParameterData::Reservation(data) => reservation(data),
        ParameterData::Capabilities(data) => capabilities(data),
        ParameterData::FullStatus(data) => full_status(data, verbosity, shown),
    }
}

/// Puts `number` as `{:#x}` does, for lists of thousands in a quarter of the instructions.
fn put_hex(out: &mut Vec<u8>, number: u64) {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    out.extend_from_slice(b"0x");
    out.extend((0..digits).rev().map(|place| {
        let [digit, ..] = (number >> (4 * place) & 0xf).to_le_bytes();
        match digit {
            0..=9 => b'0' + digit,
            _ => b'a' - 10 + digit,
        }
    }));
}

fn keys(data: &ReadKeys) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + 24 * data.keys.len());
    put!(out, "  PR generation={:#x}, ", data.generation);
    match data.keys.len() {
        0 => {
            put!(out, "there are NO registered reservation keys\n");
        }
        1 => {
            put!(out, "1 registered reservation key follows:\n");
        }
        count => {
            put!(out, "{count} registered reservation keys follow:\n");
        }
    }
    for key in &data.keys {
        out.extend_from_slice(b"    ");
        put_hex(&mut out, key.0);
        out.push(b'\n');
    }
    out
}

fn reservation(data: &ReadReservation) -> Vec<u8> {
    let mut out = Vec::new();
    put!(out, "  PR generation={:#x}, ", data.generation);
    match data.reservation {
        None => {
            put!(out, "there is NO reservation held\n");
        }
        Some(held) => {
            put!(
                out,
                "Reservation follows:\n    Key={}\n",
                held.reservation_key
            );
            put!(
                out,
                "    {}\n",
                scope_and_type(held.scope, held.reservation_type)
            );
        }
    }
    out
}

fn scope_and_type(scope: Scope, reservation_type: ReservationType) -> String {
    let name = match (reservation_type.name(), reservation_type.code()) {
        (Some(name), _) => name.to_owned(),
        (None, code @ 0..=9) => format!("obsolete [{code}]"),
        (None, code) => format!("obsolete [{code:#x}]"),
    };
    match scope {
        Scope::LU_SCOPE => format!("scope: LU_SCOPE,  type: {name}"),
        _ => format!("scope: {}  type: {name}", scope.code()),
    }
}

fn capabilities(data: &Capabilities) -> Vec<u8> {
    let mut out = b"Report capabilities response:\n".to_vec();
    for (name, value) in [
        (
            "Replace Lost Reservation Capable(RLR_C)",
            data.replace_lost_reservation_capable.into(),
        ),
        (
            "Compatible Reservation Handling(CRH)",
            data.compatible_reservation_handling.into(),
        ),
        (
            "Specify Initiator Ports Capable(SIP_C)",
            data.specify_initiator_ports_capable.into(),
        ),
        (
            "All Target Ports Capable(ATP_C)",
            data.all_target_ports_capable.into(),
        ),
        (
            "Persist Through Power Loss Capable(PTPL_C)",
            data.persist_through_power_loss_capable.into(),
        ),
        ("Type Mask Valid(TMV)", data.type_mask.is_some().into()),
        ("Allow Commands", data.allow_commands),
        (
            "Persist Through Power Loss Active(PTPL_A)",
            data.persist_through_power_loss_active.into(),
        ),
    ] {
        put!(out, "  {name}: {value}\n");
    }
    if let Some(mask) = data.type_mask {
        put!(out, "    Support indicated in Type mask:\n");
        for reservation_type in TypeMask::TYPES {
            let name = reservation_type.name().unwrap_or_default();
            let supported = u8::from(mask.supports(reservation_type));
            put!(out, "      {name}: {supported}\n");
        }
    }
    out
}

fn full_status(data: &ReadFullStatus, verbosity: u8, shown: DeviceText) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + 256 * data.descriptors.len());
    put!(out, "  PR generation={:#x}\n", data.generation);
    if data.descriptors.is_empty() {
        put!(out, "  No full status descriptors\n");
        if verbosity > 0 {
            put!(out, "  So there are no registered IT nexuses\n");
        }
    }
    for descriptor in &data.descriptors {
        full_status_descriptor(&mut out, descriptor, shown);
    }
    out
}

fn full_status_descriptor(out: &mut Vec<u8>, descriptor: &FullStatusDescriptor, shown: DeviceText) {
    put!(out, "    Key={}\n", descriptor.reservation_key);
    match descriptor.target_ports {
        TargetPorts::All => {
            put!(out, "      All target ports bit set\n");
        }
        TargetPorts::Relative(port) => {
            put!(
                out,
                "      All target ports bit clear\n      Relative port address: {port:#x}\n"
            );
        }
    }
    match descriptor.held {
        Some((scope, reservation_type)) => {
            put!(
                out,
                "      << Reservation holder >>\n      {}\n",
                scope_and_type(scope, reservation_type)
            );
        }
        None => {
            put!(out, "      not reservation holder\n");
        }
    }
    if let Some(id) = &descriptor.transport_id {
        out.extend(transport_id::block("      ", id.as_bytes(), shown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pr::ReservationKey;
    use crate::pr::prin::{Reservation, ServiceAction};
    use crate::pr::transport_id::TransportId;

    fn text(out: Vec<u8>) -> String {
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn numbers_are_put_as_they_are_formatted() {
        let mut numbers = vec![0, u64::MAX];
        for place in 0..16 {
            let one = 1 << (4 * place);
            numbers.extend([
                one,
                9 * one,
                10 * one,
                15 * one,
                0x0123_4567_89ab_cdef / one,
            ]);
        }
        for number in numbers {
            let mut out = Vec::new();
            put_hex(&mut out, number);
            assert_eq!(text(out), format!("{number:#x}"));
        }
    }

    #[test]
    fn inquiry_keeps_blanks() {
        let data = b"\x00\x00\x06\x02\x1f\x00\x00\x00LIO-ORG d0              4.0 ";
        let parsed = StandardInquiry::parse(data).map(|data| inquiry(&data, DeviceText::Raw));
        assert_eq!(
            parsed.map(text).as_deref(),
            Ok("  LIO-ORG   d0                4.0 \n  Peripheral device type: disk\n")
        );
    }

    #[test]
    fn reserved_device_types_are_numbers() {
        let parsed = StandardInquiry::parse(&[0x15; 4]).map(|data| inquiry(&data, DeviceText::Raw));
        assert_eq!(
            parsed.map(text).as_deref(),
            Ok("      \n  Peripheral device type: 0x15\n")
        );
    }

    #[test]
    fn keys_none_one_and_two() {
        let show = |list: &[u64]| {
            text(keys(&ReadKeys {
                generation: 0x15,
                keys: list.iter().copied().map(ReservationKey).collect(),
            }))
        };
        assert_eq!(
            show(&[]),
            "  PR generation=0x15, there are NO registered reservation keys\n"
        );
        assert_eq!(
            show(&[0xabc123]),
            "  PR generation=0x15, 1 registered reservation key follows:\n    0xabc123\n"
        );
        assert_eq!(
            show(&[0, u64::MAX]),
            "  PR generation=0x15, 2 registered reservation keys follow:\n    0x0\n    0xffffffffffffffff\n"
        );
    }

    #[test]
    fn a_reservation_and_none() {
        let mut data = ReadReservation {
            generation: 2,
            reservation: None,
        };
        assert_eq!(
            text(reservation(&data)),
            "  PR generation=0x2, there is NO reservation held\n"
        );
        data.reservation = Some(Reservation {
            reservation_key: ReservationKey(0xabc123),
            scope: Scope::LU_SCOPE,
            reservation_type: ReservationType::EXCLUSIVE_ACCESS,
        });
        assert_eq!(
            text(reservation(&data)),
            "  PR generation=0x2, Reservation follows:\n    Key=0xabc123\n    scope: LU_SCOPE,  type: Exclusive Access\n"
        );
    }

    #[test]
    fn types_without_a_name_and_other_scopes() {
        let shown = |scope: u8, code| {
            scope_and_type(
                Scope::from_high_bits(scope << 4),
                ReservationType::from_low_bits(code),
            )
        };
        assert_eq!(shown(0, 0), "scope: LU_SCOPE,  type: obsolete [0]");
        assert_eq!(shown(0, 9), "scope: LU_SCOPE,  type: obsolete [9]");
        assert_eq!(shown(15, 15), "scope: 15  type: obsolete [0xf]");
    }

    #[test]
    fn all_capabilities() {
        let parsed = ServiceAction::ReportCapabilities.parse(&[0, 8, 0x9d, 0xd1, 0xea, 1, 0, 0]);
        let shown = parsed.map(|data| text(answer(&data, 0, DeviceText::Raw)));
        assert_eq!(
            shown.as_deref(),
            Ok("\
Report capabilities response:
  Replace Lost Reservation Capable(RLR_C): 1
  Compatible Reservation Handling(CRH): 1
  Specify Initiator Ports Capable(SIP_C): 1
  All Target Ports Capable(ATP_C): 1
  Persist Through Power Loss Capable(PTPL_C): 1
  Type Mask Valid(TMV): 1
  Allow Commands: 5
  Persist Through Power Loss Active(PTPL_A): 1
    Support indicated in Type mask:
      Write Exclusive, all registrants: 1
      Exclusive Access, registrants only: 1
      Write Exclusive, registrants only: 1
      Exclusive Access: 1
      Write Exclusive: 1
      Exclusive Access, all registrants: 1
")
        );
    }

    #[test]
    fn full_status_of_two() {
        let data = ReadFullStatus {
            generation: 0x15,
            descriptors: vec![
                FullStatusDescriptor {
                    reservation_key: ReservationKey(0xabc123),
                    target_ports: TargetPorts::Relative(1),
                    held: Some((
                        Scope::LU_SCOPE,
                        ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
                    )),
                    transport_id: Some(TransportId::sas(0x5000_c500_05b3_2001)),
                },
                FullStatusDescriptor {
                    reservation_key: ReservationKey(0x123abc),
                    target_ports: TargetPorts::All,
                    held: None,
                    transport_id: None,
                },
            ],
        };
        assert_eq!(
            text(full_status(&data, 0, DeviceText::Raw)),
            "  PR generation=0x15
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        SAS address: 0x5000c50005b32001
    Key=0x123abc
      All target ports bit set
      not reservation holder
"
        );
    }

    #[test]
    fn full_status_of_none() {
        let data = ReadFullStatus {
            generation: 0,
            descriptors: Vec::new(),
        };
        assert_eq!(
            text(full_status(&data, 0, DeviceText::Raw)),
            "  PR generation=0x0\n  No full status descriptors\n"
        );
        assert_eq!(
            text(full_status(&data, 1, DeviceText::Raw)),
            "  PR generation=0x0\n  No full status descriptors\n  So there are no registered IT nexuses\n"
        );
    }
}
