//! The devices that a file lists for `--devices-from`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::transport_ids::{Input, MAXIMUM_TEXT};
use super::usage_error::UsageError;

/// The names in `file`, or in standard input if that is `-`: one per line, without the blanks around
/// it. Empty lines, and those that begin with `#`, are passed over.
///
/// # Errors
/// The file cannot be read, is too long, names no device, or names one that no device can have.
pub(super) fn listed(file: &OsStr, input: &mut dyn Input) -> Result<Vec<OsString>, UsageError> {
    let file = file.to_owned();
    let text = match file.to_str() {
        Some("-") => input.stdin(),
        _ => input.file(Path::new(&file)),
    };
    let text = match text {
        Ok(text) if text.len() > MAXIMUM_TEXT => return Err(UsageError::DevicesLength(file)),
        Ok(text) => text,
        Err(source) => return Err(UsageError::DevicesUnread { file, source }),
    };
    let mut names = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let name = line.trim_ascii();
        if name.is_empty() || name.starts_with(b"#") {
            continue;
        }
        if name.contains(&0) {
            let line = index + 1;
            return Err(UsageError::DevicesLine { file, line });
        }
        names.push(OsString::from_vec(name.to_vec()));
    }
    match names.is_empty() {
        true => Err(UsageError::DevicesNone(file)),
        false => Ok(names),
    }
}
