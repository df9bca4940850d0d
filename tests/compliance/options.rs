//! The command line as getopt_long reads it: what the suite needs to know of a
//! case to say which difference may apply, and to write it down in another way.

/// Long options in table order: name, letter. The order decides the wording of
/// ambiguity messages only; here it serves for abbreviations.
const LONG: [(&str, u8); 53] = [
    ("alloc-length", b'l'),
    ("alloc_length", b'l'),
    ("clear", b'C'),
    ("device", b'd'),
    ("help", b'h'),
    ("hex", b'H'),
    ("in", b'i'),
    ("maxlen", b'm'),
    ("no-inquiry", b'n'),
    ("no_inquiry", b'n'),
    ("out", b'o'),
    ("param-alltgpt", b'Y'),
    ("param_alltgpt", b'Y'),
    ("param-aptpl", b'Z'),
    ("param_aptpl", b'Z'),
    ("param-rk", b'K'),
    ("param_rk", b'K'),
    ("param-sark", b'S'),
    ("param_sark", b'S'),
    ("param-unreg", b'U'),
    ("param_unreg", b'U'),
    ("preempt", b'P'),
    ("preempt-abort", b'A'),
    ("preempt_abort", b'A'),
    ("prout-type", b'T'),
    ("prout_type", b'T'),
    ("read-full-status", b's'),
    ("read_full_status", b's'),
    ("read-keys", b'k'),
    ("read_keys", b'k'),
    ("readonly", b'y'),
    ("read-reservation", b'r'),
    ("read_reservation", b'r'),
    ("read-status", b's'),
    ("read_status", b's'),
    ("register", b'G'),
    ("register-ignore", b'I'),
    ("register_ignore", b'I'),
    ("register-move", b'M'),
    ("register_move", b'M'),
    ("release", b'L'),
    ("relative-target-port", b'Q'),
    ("relative_target_port", b'Q'),
    ("replace-lost", b'z'),
    ("replace_lost", b'z'),
    ("report-capabilities", b'c'),
    ("report_capabilities", b'c'),
    ("reserve", b'R'),
    ("transport-id", b'X'),
    ("transport_id", b'X'),
    ("unreg", b'U'),
    ("verbose", b'v'),
    ("version", b'V'),
];

/// Letters of options that take an argument.
pub(crate) const WITH_ARGUMENT: &[u8] = b"dKlmQSTX";
/// Letters of options that do not.
pub(crate) const FLAGS: &[u8] = b"AcCGhHiIkLMnoPrRsUvVyYzZ";

/// The long names of a letter.
pub(crate) fn long_names(letter: u8) -> Vec<&'static str> {
    LONG.iter()
        .filter(|(_, known)| *known == letter)
        .map(|(name, _)| *name)
        .collect()
}

/// What a word of the command line may be short for; `None`: nothing or several things.
pub(crate) fn expand(name: &str) -> Option<u8> {
    if let Some((_, letter)) = LONG.iter().find(|(known, _)| *known == name) {
        return Some(*letter);
    }
    let mut letters = LONG
        .iter()
        .filter(|(known, _)| known.starts_with(name))
        .map(|(_, l)| *l);
    let first = letters.next()?;
    letters.all(|letter| letter == first).then_some(first)
}

/// One option as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) letter: u8,
    pub(crate) argument: Option<Argument>,
}

/// An option's argument and where it stands: the word, and the byte in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) text: Vec<u8>,
    pub(crate) word: usize,
    pub(crate) offset: usize,
}

/// A command line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// In order, up to a mistake.
    pub(crate) given: Vec<Given>,
    pub(crate) operands: Vec<Vec<u8>>,
    /// Unknown, ambiguous or incomplete option.
    pub(crate) mistake: bool,
}

impl Options {
    /// Reads a command line; `posix` stops at the first operand.
    pub(crate) fn read(argv: &[Vec<u8>], posix: bool) -> Options {
        let mut options = Options {
            given: Vec::new(),
            operands: Vec::new(),
            mistake: false,
        };
        let mut at = 0;
        while let Some(word) = argv.get(at) {
            let rest = || argv.iter().skip(at + 1).cloned();
            if word == b"--" {
                options.operands.extend(rest());
                break;
            }
            let next = if word.starts_with(b"--") {
                options.long(argv, at)
            } else if word.len() > 1 && word.starts_with(b"-") {
                options.cluster(argv, at)
            } else {
                options.operands.push(word.clone());
                if posix {
                    options.operands.extend(rest());
                    break;
                }
                Some(at + 1)
            };
            match next {
                Some(next) => at = next,
                None => {
                    options.mistake = true;
                    break;
                }
            }
        }
        options
    }

    /// Takes an option with its argument from `word` at `offset`.
    fn take(&mut self, letter: u8, argv: &[Vec<u8>], word: usize, offset: usize) -> Option<usize> {
        let text = argv.get(word)?.get(offset..)?.to_vec();
        self.given.push(Given {
            letter,
            argument: Some(Argument { text, word, offset }),
        });
        Some(word + 1)
    }

    /// Reads `--name` or `--name=value`; the number of the next word comes back.
    fn long(&mut self, argv: &[Vec<u8>], at: usize) -> Option<usize> {
        let word = argv.get(at)?;
        let equals = word.iter().position(|&byte| byte == b'=');
        let name = std::str::from_utf8(word.get(2..equals.unwrap_or(word.len()))?).ok()?;
        let letter = expand(name)?;
        match (WITH_ARGUMENT.contains(&letter), equals) {
            (true, Some(equals)) => self.take(letter, argv, at, equals + 1),
            (true, None) => self.take(letter, argv, at + 1, 0),
            (false, Some(_)) => None,
            (false, None) => {
                self.given.push(Given {
                    letter,
                    argument: None,
                });
                Some(at + 1)
            }
        }
    }

    /// Reads `-abc`; the number of the next word comes back.
    fn cluster(&mut self, argv: &[Vec<u8>], at: usize) -> Option<usize> {
        let word = argv.get(at)?;
        for (offset, &letter) in word.iter().enumerate().skip(1) {
            if WITH_ARGUMENT.contains(&letter) {
                return if offset + 1 < word.len() {
                    self.take(letter, argv, at, offset + 1)
                } else {
                    self.take(letter, argv, at + 1, 0)
                };
            }
            if !FLAGS.contains(&letter) {
                return None;
            }
            self.given.push(Given {
                letter,
                argument: None,
            });
        }
        Some(at + 1)
    }

    /// How often an option is given.
    pub(crate) fn count(&self, letter: u8) -> usize {
        self.given
            .iter()
            .filter(|given| given.letter == letter)
            .count()
    }

    /// Whether an option is given.
    pub(crate) fn has(&self, letter: u8) -> bool {
        self.count(letter) > 0
    }
}

impl Argument {
    /// Puts another text in the place of this argument.
    pub(crate) fn replace(&self, argv: &mut [Vec<u8>], text: &[u8]) {
        if let Some(word) = argv.get_mut(self.word) {
            word.truncate(self.offset);
            word.extend_from_slice(text);
        }
    }
}
