//! The options: one letter each, one or more long names.

/// The letters of all options; a colon follows those that take a value, as getopt(3) has it.
const LETTERS: &str = "AcCd:GHhiIkK:l:Lm:MnoPQ:rRsS:T:UvVX:yYzZ";

/// Every long name with its option's letter.
///
/// The order is that of the original's table. It shows in the message about an ambiguous
/// abbreviation, which lists the names that it could stand for.
pub const LONG_NAMES: [(&str, char); 53] = [
    ("alloc-length", 'l'),
    ("alloc_length", 'l'),
    ("clear", 'C'),
    ("device", 'd'),
    ("help", 'h'),
    ("hex", 'H'),
    ("in", 'i'),
    ("maxlen", 'm'),
    ("no-inquiry", 'n'),
    ("no_inquiry", 'n'),
    ("out", 'o'),
    ("param-alltgpt", 'Y'),
    ("param_alltgpt", 'Y'),
    ("param-aptpl", 'Z'),
    ("param_aptpl", 'Z'),
    ("param-rk", 'K'),
    ("param_rk", 'K'),
    ("param-sark", 'S'),
    ("param_sark", 'S'),
    ("param-unreg", 'U'),
    ("param_unreg", 'U'),
    ("preempt", 'P'),
    ("preempt-abort", 'A'),
    ("preempt_abort", 'A'),
    ("prout-type", 'T'),
    ("prout_type", 'T'),
    ("read-full-status", 's'),
    ("read_full_status", 's'),
    ("read-keys", 'k'),
    ("read_keys", 'k'),
    ("readonly", 'y'),
    ("read-reservation", 'r'),
    ("read_reservation", 'r'),
    ("read-status", 's'),
    ("read_status", 's'),
    ("register", 'G'),
    ("register-ignore", 'I'),
    ("register_ignore", 'I'),
    ("register-move", 'M'),
    ("register_move", 'M'),
    ("release", 'L'),
    ("relative-target-port", 'Q'),
    ("relative_target_port", 'Q'),
    ("replace-lost", 'z'),
    ("replace_lost", 'z'),
    ("report-capabilities", 'c'),
    ("report_capabilities", 'c'),
    ("reserve", 'R'),
    ("transport-id", 'X'),
    ("transport_id", 'X'),
    ("unreg", 'U'),
    ("verbose", 'v'),
    ("version", 'V'),
];

/// The letters of all options.
pub fn letters() -> impl Iterator<Item = char> {
    LETTERS.chars().filter(|&letter| letter != ':')
}

/// Whether `letter` is that of an option.
#[must_use]
pub fn is_option(letter: char) -> bool {
    letter != ':' && LETTERS.contains(letter)
}

/// Whether the option takes a value.
#[must_use]
pub fn takes_value(letter: char) -> bool {
    let mut rest = LETTERS.chars().skip_while(|&other| other != letter);
    rest.next().is_some() && rest.next() == Some(':')
}

/// The long names of an option, in the order of [`LONG_NAMES`].
pub fn long_names(letter: char) -> impl Iterator<Item = &'static str> {
    LONG_NAMES
        .into_iter()
        .filter(move |&(_, other)| other == letter)
        .map(|(name, _)| name)
}

/// What a long name as typed stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The name of an option, or an abbreviation of names of one option.
    Option(&'static str, char),
    /// An abbreviation of names of several options: the first one, then those of other options
    /// than the first one's.
    Ambiguous(Vec<&'static str>),
    /// Nothing.
    Unknown,
}

/// Looks up a long name without its hyphens and value.
#[must_use]
pub fn resolve(typed: &[u8]) -> Resolved {
    let exact = LONG_NAMES.iter().find(|(name, _)| name.as_bytes() == typed);
    if let Some(&(name, letter)) = exact {
        return Resolved::Option(name, letter);
    }
    let mut candidates = LONG_NAMES
        .into_iter()
        .filter(|(name, _)| name.as_bytes().starts_with(typed));
    let Some((first, letter)) = candidates.next() else {
        return Resolved::Unknown;
    };
    let others: Vec<_> = candidates.filter(|&(_, other)| other != letter).collect();
    if others.is_empty() {
        Resolved::Option(first, letter)
    } else {
        let others = others.into_iter().map(|(name, _)| name);
        Resolved::Ambiguous(std::iter::once(first).chain(others).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_long_names_belong_together() {
        for letter in letters() {
            assert_ne!(long_names(letter).count(), 0, "{letter}");
        }
        for (name, letter) in LONG_NAMES {
            assert!(is_option(letter), "{name}");
        }
        assert!(!is_option(':') && !is_option('x'));
        assert_eq!(letters().filter(|&l| takes_value(l)).count(), 8);
        assert!(takes_value('X') && !takes_value('Z') && !takes_value('?'));
    }

    #[test]
    fn every_hyphen_may_be_an_underscore() {
        for (name, letter) in LONG_NAMES {
            let other = name.replace('-', "_");
            assert!(LONG_NAMES.contains(&(&other, letter)), "{name}");
        }
    }

    #[test]
    fn abbreviations() {
        assert_eq!(resolve(b"he"), Resolved::Ambiguous(vec!["help", "hex"]));
        assert_eq!(resolve(b"hel"), Resolved::Option("help", 'h'));
        assert_eq!(resolve(b"preempt"), Resolved::Option("preempt", 'P'));
        assert_eq!(resolve(b"preempt-"), Resolved::Option("preempt-abort", 'A'));
        assert_eq!(resolve(b"param_r"), Resolved::Option("param_rk", 'K'));
        assert_eq!(resolve(b"param-rkk"), Resolved::Unknown);
        assert_eq!(
            resolve(b"rep"),
            Resolved::Ambiguous(vec![
                "replace-lost",
                "report-capabilities",
                "report_capabilities"
            ])
        );
        assert_eq!(
            resolve(b"read"),
            Resolved::Ambiguous(vec![
                "read-full-status",
                "read-keys",
                "read_keys",
                "readonly",
                "read-reservation",
                "read_reservation"
            ])
        );
    }
}
