//! Command lines as they are typed: words with a newline, a NUL or a blank between. A device that
//! does its work answers.
#![no_main]

#[path = "../../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no target needs all of it")]
mod common;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use common::anything::Anything;
use common::world::Texts;
use common::{Scene, checks, with_data};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let words = text.split(|byte| matches!(byte, b'\0' | b'\n' | b' '));
    let words: Vec<_> = words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    let inquiry = b"\x00\x00\x06\x02\x1f\x00\x00\x02LIO-ORG d0              4.0 ";
    let keys = b"\0\0\0\x15\0\0\0\x08\0\0\0\0\x0a\xbc\x01\x23";
    let length = text.len();
    let scene = Scene {
        texts: Texts {
            everywhere: Some(b"sas,5000c50005b32001\n# comment\niqn.a\n".to_vec()),
            ..Texts::default()
        },
        terminals: (length % 2 == 1, length % 3 == 1),
        ..Scene::of(words)
    };
    let device = Anything {
        answers: [&inquiry[..], keys].map(with_data).to_vec(),
        ..Anything::default()
    };
    checks::play(&scene, &device);
});
