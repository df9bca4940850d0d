//! Showing answers and failures, in the original's words.

pub mod diagnostic;
pub mod dry_run;
pub mod explain;
pub mod failure;
pub mod hex;
pub mod hex_rows;
pub mod json;
pub mod line;
pub mod overview;
pub mod sense;
pub mod summary;
pub mod text;
pub mod transport_id;

/// How text from a device is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceText {
    /// Byte for byte, for programs.
    Raw,
    /// Without control characters and without bytes beyond ASCII, which a terminal could take for
    /// commands.
    Printable,
}

impl DeviceText {
    /// `bytes` as they are shown.
    #[must_use]
    pub fn show(self, bytes: &[u8]) -> Vec<u8> {
        let printable = |&byte: &u8| match byte {
            0x20..=0x7e => byte,
            _ => b'.',
        };
        match self {
            Self::Raw => bytes.to_vec(),
            Self::Printable => bytes.iter().map(printable).collect(),
        }
    }
}

/// `text` without control characters but newlines, for a terminal.
#[must_use]
pub fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => c,
        _ if c.is_control() => '.',
        _ => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        let text = b"a\x1b[2J\n\x7f\x80\xff~ ";
        assert_eq!(DeviceText::Printable.show(text), b"a.[2J....~ ");
        assert_eq!(DeviceText::Raw.show(text), text);
    }
}
