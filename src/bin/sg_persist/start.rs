//! The beginning of the process: C's `main`, without what the standard library does before its own.
//!
//! The standard library prepares for things that this program does not need (a word on stack
//! overflow, writing on to closed pipes) with as many system calls as the rest of a run takes. The
//! one thing of it that counts is done here: the standard streams are open.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{BorrowedFd, IntoRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;
use sg_persist::transport::os_error_text;

/// The C library calls this with the words of the command line and the variables of the environment,
/// each with a null pointer behind them.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    let words: Vec<OsString> = strings(argv).map(OsStr::to_owned).collect();
    // Nobody changes a variable: the lock that the standard library has for them is not needed.
    let variable = |name: &str| {
        strings(envp).find_map(|variable| {
            let value = variable.as_bytes().strip_prefix(name.as_bytes())?;
            Some(OsStr::from_bytes(value.strip_prefix(b"=")?))
        })
    };
    let status = match open_standard_streams() {
        Ok([_, stdout, stderr]) => super::run_here(&words, &variable, stdout, stderr),
        Err(error) => {
            let reason = os_error_text(&error);
            let line = format!("sg_persist: cannot make sure of the standard streams: {reason}\n");
            // Nothing else has been opened: if standard error is closed, nobody is told.
            // SAFETY: nobody closes it.
            let _ = write(unsafe { BorrowedFd::borrow_raw(2) }, line.as_bytes());
            (&error).into()
        }
    };
    // Nothing waits in a buffer of the C library, and nothing is to be called at the end.
    // SAFETY: it ends the process, and takes any number.
    unsafe { libc::_exit(status.code().into()) }
}

/// The strings that an array of `main` points to.
fn strings(array: *const *const c_char) -> impl Iterator<Item = &'static OsStr> {
    (0..).map_while(move |index| {
        let place = array.wrapping_add(index);
        // SAFETY: `array` is C's array of pointers to strings; nothing behind the null pointer at
        // its end is read.
        let string = unsafe { *place };
        if string.is_null() {
            return None;
        }
        // SAFETY: it points to a string that ends with NUL, that nobody changes, and that is there
        // until the process ends.
        let string = unsafe { CStr::from_ptr(string) };
        Some(OsStr::from_bytes(string.to_bytes()))
    })
}

/// A standard stream, without the buffer and the lock that the standard library has for it: what is
/// written is whole already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream(BorrowedFd<'static>);

impl Stream {
    pub(crate) fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The standard streams. In the place of each that is closed /dev/null is opened: otherwise the
/// device would be opened there, and written what is meant for people.
fn open_standard_streams() -> io::Result<[Stream; 3]> {
    let streams = [0, 1, 2].map(|number: RawFd| {
        // SAFETY: nothing is done with a stream before it is open, but to ask whether it is; once
        // it is, nobody closes it.
        Stream(unsafe { BorrowedFd::borrow_raw(number) })
    });
    let mut asked = streams.map(|stream| PollFd::new(stream.0, PollFlags::empty()));
    poll(&mut asked, PollTimeout::ZERO)?;
    for stream in asked {
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
    Ok(streams)
}
