//! Numbers as typed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sg_persist::cli::number::{hex64, maxlen};

/// The grammar of [`hex64`] once more.
fn expected(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let digits = digits.unwrap_or(text);
    // from_str_radix takes a plus sign.
    if digits.contains('+') {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    match (digits, significant) {
        ("", _) => None,
        (_, "") => Some(0),
        _ => u64::from_str_radix(significant, 16).ok(),
    }
}

fuzz_target!(|text: &[u8]| {
    assert_eq!(hex64(text), expected(text));
    let number = maxlen(text);
    let digits = text.len() <= 9 && !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if digits {
        let decimal = std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        assert_eq!(number.ok(), decimal);
    }
});
