//! Standard output and standard error.

use std::cell::RefCell;
use std::io::{self, Write};

use crate::render::{DeviceText, visible};

/// Standard output and standard error.
///
/// Output is kept until the end and written at once; a person at a terminal sees it before any
/// message that comes after it.
pub(super) struct Console<'a> {
    streams: RefCell<Streams<'a>>,
    stdout_is_terminal: &'a dyn Fn() -> bool,
    stderr_is_terminal: &'a dyn Fn() -> bool,
}

struct Streams<'a> {
    kept: Vec<u8>,
    /// Plain text that is not to be shown, since the answer is another form.
    hidden: Option<Vec<u8>>,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl<'a> Console<'a> {
    pub(super) fn new(
        (stdout, stdout_is_terminal): (&'a mut dyn Write, &'a dyn Fn() -> bool),
        (stderr, stderr_is_terminal): (&'a mut dyn Write, &'a dyn Fn() -> bool),
    ) -> Self {
        let streams = Streams {
            kept: Vec::new(),
            hidden: None,
            stdout,
            stderr,
            failed: None,
        };
        Self {
            streams: RefCell::new(streams),
            stdout_is_terminal,
            stderr_is_terminal,
        }
    }

    pub(super) fn stdout_is_terminal(&self) -> bool {
        (self.stdout_is_terminal)()
    }

    /// How text from a device may appear on standard output.
    pub(super) fn device_text(&self) -> DeviceText {
        if self.stdout_is_terminal() {
            DeviceText::Printable
        } else {
            DeviceText::Raw
        }
    }

    /// Keeps `text` for standard output.
    pub(super) fn put(&self, text: &[u8]) {
        let mut streams = self.streams.borrow_mut();
        let streams = &mut *streams;
        streams
            .hidden
            .as_mut()
            .unwrap_or(&mut streams.kept)
            .extend(text);
    }

    /// Keeps plain text from now on from standard output.
    pub(super) fn hide(&self) {
        self.streams.borrow_mut().hidden = Some(Vec::new());
    }

    /// What was hidden; nothing is from now on.
    pub(super) fn hidden(&self) -> Vec<u8> {
        self.streams.borrow_mut().hidden.take().unwrap_or_default()
    }

    /// Writes whole lines to standard error. On a terminal no control character of what a person
    /// or a file named gets through.
    pub(super) fn err(&self, text: &[u8]) {
        if text.is_empty() || !(self.stderr_is_terminal)() {
            return self.err_as_is(text);
        }
        self.err_as_is(visible(&String::from_utf8_lossy(text)).as_bytes());
    }

    /// The same for lines with text from a device in them.
    pub(super) fn err_from_device(&self, text: &[u8]) {
        if text.is_empty() || !(self.stderr_is_terminal)() {
            return self.err_as_is(text);
        }
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let (line, newline) = match line.strip_suffix(b"\n") {
                Some(line) => (line, &b"\n"[..]),
                None => (line, &b""[..]),
            };
            self.err_as_is(&[&DeviceText::Printable.show(line), newline].concat());
        }
    }

    /// Where writing fails there is nobody left to tell.
    fn err_as_is(&self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let mut streams = self.streams.borrow_mut();
        if self.stdout_is_terminal() {
            streams.flush();
        }
        let _ = streams.stderr.write_all(text);
    }

    /// Writes what was kept so far.
    pub(super) fn flush(&self) {
        self.streams.borrow_mut().flush();
    }

    /// Writes what was kept. The first error that occurred on standard output comes back.
    pub(super) fn finish(&self) -> io::Result<()> {
        let mut streams = self.streams.borrow_mut();
        streams.flush();
        streams.failed.take().map_or(Ok(()), Err)
    }
}

impl Streams<'_> {
    fn flush(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let written = match kept.is_empty() {
            true => Ok(()),
            false => self
                .stdout
                .write_all(&kept)
                .and_then(|()| self.stdout.flush()),
        };
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}
