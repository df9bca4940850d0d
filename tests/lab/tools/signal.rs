//! Sending a signal; the standard library can send no other than SIGKILL.
#![allow(unsafe_code)]

use std::io;
use std::process::Child;

/// Sends `signal` to a child that nobody has waited for yet: the number is its own until then.
pub(crate) fn send(child: &Child, signal: i32) -> io::Result<()> {
    let process = i32::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: kill touches no memory of this process.
    let result = unsafe { libc::kill(process, signal) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
