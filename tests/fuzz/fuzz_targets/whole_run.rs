//! Whole runs: words that mean something and others, and a device that answers anything.
#![no_main]

#[path = "../../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "no target needs all of it")]
mod common;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use common::anything::Anything;
use common::checks::{self, WORDS};
use common::world::Texts;
use common::{Answer, Scene};
use libfuzzer_sys::fuzz_target;
use sg_persist::cli::request::Environment;
use sg_persist::scsi::status::ScsiStatus;
use sg_persist::transport::{DriverStatus, HostStatus};

/// Takes a scene apart from bytes; where they end, all is 0 and empty.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        byte
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn short(&mut self) -> &'a [u8] {
        let length = self.byte();
        self.take(length.into())
    }

    fn word(&mut self) -> OsString {
        let first = self.byte();
        let known = WORDS.get(usize::from(first)).copied();
        let word = known.unwrap_or_else(|| self.take(usize::from(first & 0x3f)));
        let word = word.iter().copied().filter(|&byte| byte != 0);
        OsString::from_vec(word.collect())
    }

    /// An error number, or mostly none.
    fn error(&mut self) -> i32 {
        match self.byte() {
            byte @ 1..=20 => byte.into(),
            _ => 0,
        }
    }

    fn answer(&mut self) -> Answer {
        let kind = self.byte();
        let mut answer = Answer::default().residual(0);
        if kind & 0x01 != 0 {
            answer.completion.status = ScsiStatus(self.byte());
        }
        if kind & 0x02 != 0 {
            answer.completion.host_status = HostStatus(self.byte().into());
        }
        if kind & 0x04 != 0 {
            answer.completion.driver_status = DriverStatus(self.byte().into());
        }
        if kind & 0x08 != 0 {
            answer.completion.sense = self.short().to_vec();
        }
        if kind & 0x10 != 0 {
            let high = i64::from(i8::from_be_bytes([self.byte()]));
            answer.residual = Some(high << 8 | i64::from(self.byte()));
        }
        if kind & 0x20 != 0 {
            answer.errno = Some(self.error()).filter(|&error| error != 0);
        }
        if kind & 0x40 != 0 {
            answer.data = self.short().to_vec();
        }
        if kind & 0x80 != 0 {
            // The same over and over: long lists from few bytes.
            let times = self.byte();
            answer.data.extend(self.short().repeat(times.into()));
        }
        answer
    }
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    let flags = bytes.byte();
    let more = bytes.byte();
    let words: Vec<OsString> = (0..more & 0x0f).map(|_| bytes.word()).collect();
    let scene = Scene {
        environment: Environment {
            posixly_correct: flags & 0x01 != 0,
            in_readonly: flags & 0x02 != 0,
            show_invocation: flags & 0x04 != 0,
            ..Environment::default()
        },
        texts: Texts {
            everywhere: (flags & 0x08 != 0).then(|| bytes.short().to_vec()),
            ..Texts::default()
        },
        terminals: (flags & 0x10 != 0, flags & 0x20 != 0),
        stdout_error: match flags >> 6 {
            1 => Some(28),
            2 => Some(32),
            _ => None,
        },
        ..Scene::of(words)
    };
    let device = Anything {
        opens: (0..more >> 6).map(|_| bytes.error()).collect(),
        answers: (0..more >> 4 & 3 | 1).map(|_| bytes.answer()).collect(),
    };
    checks::play(&scene, &device);
});
