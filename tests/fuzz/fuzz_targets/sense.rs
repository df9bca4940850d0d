//! Sense data, its meaning and its text, and the texts of additional sense codes.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sg_persist::pr::prin::ServiceAction;
use sg_persist::render::diagnostic;
use sg_persist::scsi::sense::Sense;
use sg_persist::scsi::status::ScsiStatus;
use sg_persist::render::sense;
use sg_persist::scsi::asc;
use sg_persist::transport::Completion;

fuzz_target!(|data: &[u8]| {
    let text = sense::describe(data, true);
    assert_eq!(text.last(), Some(&b'\n'));
    assert!(text.len() <= 1024 + 100 * data.len(), "{}", text.len());
    let parsed = Sense::parse(data);
    let known = data.len() >= 3 && matches!(data[0] & 0x7f, 0x70..=0x73);
    assert_eq!(parsed.is_some(), known);
    if let Some(sense) = parsed {
        assert!(sense.key.name().is_some());
    }
    let completion = Completion {
        status: ScsiStatus::CHECK_CONDITION,
        sense: data.to_vec(),
        duration: Duration::ZERO,
        ..Completion::default()
    };
    assert!(completion.check().is_err() || parsed.is_some_and(|sense| sense.key.0 <= 1));
    if let [asc, ascq] = *data {
        assert!(asc::text(asc, ascq).is_none_or(|text| !text.contains('{')));
    }
    let level = data.last().map_or(0, |byte| byte & 7);
    let cdb = ServiceAction::ReadKeys.cdb(8192);
    let told = diagnostic::outcome(cdb, Some(8192), &Ok(completion), level);
    assert!(told.len() <= text.len() + 200);
});
