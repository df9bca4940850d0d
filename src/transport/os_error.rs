//! The operating system's errors in words.

use std::io;

/// Number and text of each error of Linux, as the GNU C library words them. Other C libraries have
/// other words, and scripts know these.
const TEXTS: &str = include_str!("os_errors.txt");

/// The words for `error`, without its number.
#[must_use]
pub fn os_error_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => number_text(number),
        None => error.to_string(),
    }
}

fn number_text(number: i32) -> String {
    let mut lines = TEXTS.lines();
    let text = lines.find_map(|line| {
        let (listed, text) = line.split_once(' ')?;
        (listed.parse() == Ok(number)).then(|| text.to_owned())
    });
    text.unwrap_or_else(|| format!("Unknown error {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the C library that this is linked with says, where it is the one whose words count.
    #[test]
    #[cfg(target_env = "gnu")]
    fn every_text_is_that_of_the_c_library() {
        for number in 1..200 {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(
                format!("{} (os error {number})", os_error_text(&error)),
                error.to_string()
            );
        }
    }

    #[test]
    fn errors_without_a_number_have_words_as_well() {
        assert_eq!(os_error_text(&io::Error::other("closed")), "closed");
        let ioctl = io::Error::from_raw_os_error(libc::ENOTTY);
        assert_eq!(os_error_text(&ioctl), "Inappropriate ioctl for device");
        let unknown = io::Error::from_raw_os_error(4711);
        assert_eq!(os_error_text(&unknown), "Unknown error 4711");
    }
}
