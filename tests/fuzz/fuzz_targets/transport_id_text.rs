//! TransportIDs as text: an argument, or the lines of a file.
#![no_main]

#[path = "../../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no target needs all of it")]
mod common;

use common::checks;
use libfuzzer_sys::fuzz_target;
use sg_persist::pr::transport_id::TransportId;

fn check(ids: &[TransportId], text: &[u8]) {
    assert!(!ids.is_empty());
    let bytes: usize = ids.iter().map(|id| id.as_bytes().len()).sum();
    assert!(bytes <= 0xffff - 28);
    assert!(bytes <= 24 * (text.len() + 1));
    for id in ids {
        let shown = id.to_argument();
        let again = checks::read_back(shown.as_bytes()).expect("what is shown can be typed");
        assert!(again.len() == 1 && checks::same(&again[0], id), "{shown}");
    }
}

fuzz_target!(|text: &[u8]| {
    if let Some(ids) = checks::read_back(text) {
        assert_eq!(ids.len(), 1);
        check(&ids, text);
        // A line may be what an argument is.
        if !text.contains(&b'\n') && !text.contains(&b'#') {
            let line = text.trim_ascii_start();
            let same = checks::read_file(line);
            assert!(same.as_ref() == Some(&ids) || line != text || text.contains(&b'\r'));
        }
    }
    if let Some(ids) = checks::read_file(text) {
        let lines = text.split(|&byte| byte == b'\n').count();
        assert!(ids.len() <= lines);
        check(&ids, text);
    }
});
