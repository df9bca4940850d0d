//! Command lines as they are typed: words with a newline, a NUL or a blank between. A device that
//! does its work answers.
#![no_main]

#[path = "../../common/checks.rs"]
mod checks;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use checks::{Answer, Scene};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let words = text.split(|byte| matches!(byte, b'\0' | b'\n' | b' '));
    let words: Vec<_> = words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    let inquiry = b"\x00\x00\x06\x02\x1f\x00\x00\x02LIO-ORG d0              4.0 ";
    let keys = b"\0\0\0\x15\0\0\0\x08\0\0\0\0\x0a\xbc\x01\x23";
    let length = text.len();
    checks::play(&Scene {
        words,
        text: Some(b"sas,5000c50005b32001\n# comment\niqn.a\n".to_vec()),
        answers: [&inquiry[..], keys]
            .map(|data| Answer {
                data: data.to_vec(),
                ..Answer::default()
            })
            .to_vec(),
        stdout_is_terminal: length % 2 == 1,
        stderr_is_terminal: length % 3 == 1,
        ..Scene::default()
    });
});
