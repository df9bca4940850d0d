//! TransportIDs as they come from a device, and as text and back.
#![no_main]

#[path = "../../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no target needs all of it")]
mod common;

use common::checks;
use libfuzzer_sys::fuzz_target;
use sg_persist::pr::transport_id::TransportId;
use sg_persist::render::{DeviceText, transport_id};

/// The most that fits into a parameter list.
const MAXIMUM: usize = 0xffff - 28;

fuzz_target!(|bytes: &[u8]| {
    let received = TransportId::received(bytes);
    let shown = transport_id::block("  ", bytes, DeviceText::Printable);
    assert!(shown.len() <= 300 + 6 * bytes.len());
    for line in shown.split_inclusive(|&byte| byte == b'\n') {
        assert!(line.starts_with(b"  ") && line.ends_with(b"\n"));
        assert!(
            line[..line.len() - 1]
                .iter()
                .all(|byte| matches!(byte, 0x20..=0x7e))
        );
    }
    let text = received.to_argument();
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(text.len() <= 50 + 3 * bytes.len());
    if let Ok(exact) = TransportId::from_bytes(bytes) {
        assert_eq!(exact.as_bytes(), bytes);
        assert!(exact.is_whole());
    }
    let typed = TransportId::from_typed(bytes);
    if let Ok(typed) = &typed {
        assert!(typed.as_bytes().len() <= bytes.len().max(24));
        assert!(typed.is_whole());
    }
    for id in [Ok(received), typed].into_iter().flatten() {
        if !id.is_whole() || id.as_bytes().len() > MAXIMUM {
            continue;
        }
        let text = id.to_argument();
        let again = checks::read_back(text.as_bytes()).expect("what is shown can be typed");
        assert_eq!(again.len(), 1);
        let whole = checks::read_back(again[0].to_argument().as_bytes());
        assert_eq!(whole, Some(again.clone()));
        // Behind a received one may stand more, and a short one is filled up.
        let exact = TransportId::from_bytes(id.as_bytes()).is_ok();
        assert!(!exact || checks::same(&again[0], &id), "{text}");
    }
});
