//! Whole runs: words that mean something and others, and a device that answers anything.
#![no_main]

#[path = "../../common/checks.rs"]
mod checks;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use checks::{Answer, Scene, WORDS};
use libfuzzer_sys::fuzz_target;
use sg_persist::cli::request::Environment;

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
        let mut answer = Answer::default();
        if kind & 0x01 != 0 {
            answer.status = self.byte();
        }
        if kind & 0x02 != 0 {
            answer.host_status = self.byte().into();
        }
        if kind & 0x04 != 0 {
            answer.driver_status = self.byte().into();
        }
        if kind & 0x08 != 0 {
            answer.sense = self.short().to_vec();
        }
        if kind & 0x10 != 0 {
            let high = i64::from(i8::from_be_bytes([self.byte()]));
            answer.residual = high << 8 | i64::from(self.byte());
        }
        if kind & 0x20 != 0 {
            answer.refused = Some(self.error()).filter(|&error| error != 0);
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
    let scene = Scene {
        words: (0..more & 0x0f).map(|_| bytes.word()).collect(),
        environment: Environment {
            posixly_correct: flags & 0x01 != 0,
            in_readonly: flags & 0x02 != 0,
            show_invocation: flags & 0x04 != 0,
            ..Environment::default()
        },
        text: (flags & 0x08 != 0).then(|| bytes.short().to_vec()),
        opens: (0..more >> 6).map(|_| bytes.error()).collect(),
        stdout_is_terminal: flags & 0x10 != 0,
        stderr_is_terminal: flags & 0x20 != 0,
        stdout_error: match flags >> 6 {
            1 => Some(28),
            2 => Some(32),
            _ => None,
        },
        answers: (0..more >> 4 & 3 | 1).map(|_| bytes.answer()).collect(),
    };
    checks::play(&scene);
});
