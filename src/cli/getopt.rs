//! What getopt_long(3) says of a word that it does not take.
//!
//! Scripts were written against these messages, and people know them. [`super::arguments`] finds
//! the word; what is wrong with it follows from the word alone.

use std::fmt;

use super::options::{self, Opt, Resolved, Value};

/// What is wrong with a word. It shows as getopt_long(3) words it, without the name of the program
/// before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// A letter that is no option.
    UnknownLetter(u8),
    /// A letter whose value is missing.
    LetterWithoutValue(u8),
    /// A long name that is no option, with its value if it has one.
    UnknownName(Vec<u8>),
    /// An abbreviation that could be several options.
    Ambiguous {
        /// What was typed, with the value if there is one.
        typed: Vec<u8>,
        /// The names that it could be.
        possibilities: Vec<&'static str>,
    },
    /// A long name whose value is missing.
    NameWithoutValue(&'static str),
    /// A long name with a value that it does not take.
    NameWithValue(&'static str),
}

impl Complaint {
    /// What is wrong with `word`, an option that does not parse.
    #[must_use]
    pub fn about(word: &[u8]) -> Self {
        match word.strip_prefix(b"--") {
            Some(long) => Self::about_name(long),
            None => Self::about_letters(word.get(1..).unwrap_or_default()),
        }
    }

    fn about_name(long: &[u8]) -> Self {
        let name = long.split(|&byte| byte == b'=').next().unwrap_or_default();
        match options::resolve(name) {
            Resolved::Unknown => Self::UnknownName(long.to_vec()),
            Resolved::Ambiguous(possibilities) => Self::Ambiguous {
                typed: long.to_vec(),
                possibilities,
            },
            Resolved::Option(name, option) => match option.value() {
                Value::Required(_) => Self::NameWithoutValue(name),
                Value::None | Value::Optional(_) => Self::NameWithValue(name),
            },
        }
    }

    /// The first letter of a cluster that is no option; else the last one, which lacks its value.
    fn about_letters(cluster: &[u8]) -> Self {
        let unknown = |&&letter: &&u8| Opt::from_letter(letter.into()).is_none();
        match (cluster.iter().find(unknown), cluster.last()) {
            (Some(&letter), _) => Self::UnknownLetter(letter),
            (None, Some(&letter)) => Self::LetterWithoutValue(letter),
            // A lone hyphen is an operand, and no option at all.
            (None, None) => Self::UnknownLetter(b'-'),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Lossless for what people type, readable for the rest.
        let text = String::from_utf8_lossy;
        match self {
            Self::UnknownLetter(letter) => write!(f, "invalid option -- '{}'", text(&[*letter])),
            Self::LetterWithoutValue(letter) => {
                write!(f, "option requires an argument -- '{}'", text(&[*letter]))
            }
            Self::UnknownName(typed) => write!(f, "unrecognized option '--{}'", text(typed)),
            Self::Ambiguous {
                typed,
                possibilities,
            } => {
                let typed = text(typed);
                write!(f, "option '--{typed}' is ambiguous; possibilities:")?;
                possibilities
                    .iter()
                    .try_for_each(|name| write!(f, " '--{name}'"))
            }
            Self::NameWithoutValue(name) => write!(f, "option '--{name}' requires an argument"),
            Self::NameWithValue(name) => write!(f, "option '--{name}' doesn't allow an argument"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages() {
        for (word, message) in [
            ("-x", "invalid option -- 'x'"),
            ("-nkx", "invalid option -- 'x'"),
            ("-?", "invalid option -- '?'"),
            ("-nK", "option requires an argument -- 'K'"),
            ("--foo=1", "unrecognized option '--foo=1'"),
            ("--param-r", "option '--param-rk' requires an argument"),
            ("--in=5", "option '--in' doesn't allow an argument"),
            ("--i=5", "option '--in' doesn't allow an argument"),
            (
                "--h=1",
                "option '--h=1' is ambiguous; possibilities: '--help' '--hex'",
            ),
        ] {
            let complaint = Complaint::about(word.as_bytes());
            assert_eq!(complaint.to_string(), message, "{word}");
        }
    }
}
