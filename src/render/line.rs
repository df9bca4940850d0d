//! One device among several: its name, and lines that begin with it.

use std::ffi::OsStr;

use super::visible;

/// A device's name as part of a line: without control characters, which would be taken for the end of
/// the line or of the name.
#[must_use]
pub fn name(name: &OsStr) -> String {
    one_line(&visible(&name.to_string_lossy()), ".")
}

/// How one device ended: its status, its name and what there is to say, parted by tabs.
#[must_use]
pub fn outcome(status: u8, device: &OsStr, words: &str) -> String {
    let words = visible(&one_line(words.trim_end(), "; "));
    format!("{status}\t{}\t{words}\n", name(device))
}

/// `text` with the device's name before each line.
#[must_use]
pub fn labelled(device: &OsStr, text: &[u8]) -> Vec<u8> {
    let label = format!("{}: ", name(device));
    let mut labelled = Vec::new();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if line != b"\n" {
            labelled.extend(label.as_bytes());
            labelled.extend(line);
        }
    }
    if labelled.last().is_some_and(|&byte| byte != b'\n') {
        labelled.push(b'\n');
    }
    labelled
}

fn one_line(text: &str, between: &str) -> String {
    text.replace('\n', between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_no_line_and_no_field() {
        assert_eq!(name(OsStr::new("/dev/a\tb\nc\x1b[2J")), "/dev/a.b.c.[2J");
        assert_eq!(
            outcome(24, OsStr::new("/dev/a\tb"), "one\ntwo\tthree\n"),
            "24\t/dev/a.b\tone; two.three\n"
        );
    }

    #[test]
    fn each_line_has_its_device() {
        let of = |text: &[u8]| String::from_utf8(labelled(OsStr::new("a"), text));
        assert_eq!(of(b"one\n\ntwo\n").as_deref(), Ok("a: one\na: two\n"));
        assert_eq!(of(b"one").as_deref(), Ok("a: one\n"));
        assert_eq!(of(b"").as_deref(), Ok(""));
    }
}
