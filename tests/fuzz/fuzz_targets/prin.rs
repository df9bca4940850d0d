//! The four decoders of PERSISTENT RESERVE IN, and what is shown of their answers. The first byte
//! says which one, and how it is shown; the rest is the parameter data.
#![no_main]

#[path = "../../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no target needs all of it")]
mod common;

use common::checks;
use libfuzzer_sys::fuzz_target;
use sg_persist::pr::prin::{ParameterData, ServiceAction};
use sg_persist::render::{DeviceText, hex, text};

const ACTIONS: [ServiceAction; 4] = [
    ServiceAction::ReadKeys,
    ServiceAction::ReadReservation,
    ServiceAction::ReportCapabilities,
    ServiceAction::ReadFullStatus,
];

fuzz_target!(|input: &[u8]| {
    let Some((&first, data)) = input.split_first() else {
        return;
    };
    let action = ACTIONS[usize::from(first & 3)];
    let count = first >> 2 & 7;
    let parsed = action.parse(data);
    assert_eq!(parsed.is_ok(), checks::is_whole(action.code(), data));
    assert!(hex::came(count, data).len() <= 5 * data.len() + 16);
    let answer = match parsed {
        Ok(answer) => answer,
        Err(error) => {
            assert!(error.to_string().len() < 300);
            assert!(
                error
                    .needed()
                    .is_none_or(|needed| needed > data.len() as u64)
            );
            return;
        }
    };
    let again = match &answer {
        ParameterData::Keys(keys) => keys.emit(),
        ParameterData::Reservation(reservation) => reservation.emit(),
        ParameterData::Capabilities(capabilities) => capabilities.emit(),
        ParameterData::FullStatus(status) => status.emit(),
    };
    assert_eq!(action.parse(&again).as_ref(), Ok(&answer));
    for end in [again.len() - 1, again.len() / 2, 7] {
        assert!(action.parse(&again[..end]).is_err());
    }
    let shown = text::answer(&answer, count, DeviceText::Printable);
    assert!(shown.len() <= 2048 + 16 * data.len());
    assert!(shown.iter().all(|byte| matches!(byte, b'\n' | 0x20..=0x7e)));
    let raw = text::answer(&answer, count, DeviceText::Raw);
    assert_eq!(raw.len(), shown.len());
    assert!(hex::answer(action, count, data).len() <= 100 + 5 * data.len());
});
