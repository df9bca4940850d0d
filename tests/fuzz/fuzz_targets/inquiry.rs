//! Standard INQUIRY data, and what is shown of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sg_persist::render::{DeviceText, text};
use sg_persist::scsi::inquiry::StandardInquiry;

fuzz_target!(|data: &[u8]| {
    let parsed = StandardInquiry::parse(data);
    assert_eq!(parsed.is_ok(), data.len() >= 4);
    let Ok(inquiry) = parsed else {
        return;
    };
    for (field, start, end) in [
        (&inquiry.vendor, 8, 16),
        (&inquiry.product, 16, 32),
        (&inquiry.revision, 32, 36),
    ] {
        let came = data.get(start..end.min(data.len())).unwrap_or_default();
        assert!(came.starts_with(field));
        assert!(!field.contains(&0));
    }
    let shown = text::inquiry(&inquiry, DeviceText::Printable);
    assert!(shown.len() <= 128);
    assert!(shown.iter().all(|byte| matches!(byte, b'\n' | 0x20..=0x7e)));
    assert_eq!(shown.iter().filter(|&&byte| byte == b'\n').count(), 2);
});
