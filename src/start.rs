//! The beginning of the process: C's `main`, without what the standard library does before its own.
//!
//! The standard library prepares for things that this program does not need (a word on stack
//! overflow, writing on to closed pipes) with as many system calls as the rest of a run takes. The
//! one thing of it that counts is done here: the standard streams are open.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The C library calls this with the words of the command line and a null pointer behind them, and
/// ends the process with the status that comes back.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: c_int, argv: *const *const c_char) -> c_int {
    let status = match open_standard_streams() {
        Ok(()) => super::run_here(&words(argv)),
        Err(error) => (&error).into(),
    };
    status.code().into()
}

/// The words of the command line.
fn words(argv: *const *const c_char) -> Vec<OsString> {
    let mut words = Vec::new();
    for index in 0.. {
        let place = argv.wrapping_add(index);
        // SAFETY: `argv` is C's array of pointers to strings; nothing behind the null pointer at
        // its end is read.
        let word = unsafe { *place };
        if word.is_null() {
            break;
        }
        // SAFETY: it points to a string that ends with NUL, and that nobody changes.
        let word = unsafe { CStr::from_ptr(word) };
        words.push(OsStr::from_bytes(word.to_bytes()).to_owned());
    }
    words
}

/// Opens /dev/null in the place of each standard stream that is closed: otherwise the device would
/// be opened there, and written what is meant for people.
fn open_standard_streams() -> io::Result<()> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let mut streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]
        .map(|stream| PollFd::new(stream, PollFlags::empty()));
    poll(&mut streams, PollTimeout::ZERO)?;
    for stream in streams {
        if stream
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLNVAL))
        {
            // The lowest number that is free is this stream's.
            let null = OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/null")?;
            let _ = null.into_raw_fd();
        }
    }
    Ok(())
}
