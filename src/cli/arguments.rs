//! The command line as typed, in the order in which it was typed.
//!
//! clap parses it. Three things in which getopt_long(3), whose rules users and scripts know,
//! does otherwise are settled here: `-K=5` means the value `=5`; the first wrong word counts, and
//! values before it are judged first; with POSIXLY_CORRECT options end at the first operand.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};

use super::getopt::Complaint;
use super::options::{self, Opt, Resolved, Value};

/// clap's name for the words that are neither options nor values.
pub(super) const OPERANDS: &str = "operands";

/// One option as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenOption {
    /// The option, however it was spelled.
    pub option: Opt,
    /// Its value; empty for an option that takes none.
    pub value: OsString,
}

/// A command line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The options in their order, up to the first word that is wrong.
    pub options: Vec<GivenOption>,
    /// The other words in their order.
    pub operands: Vec<OsString>,
    /// What is wrong with the first word that is.
    pub complaint: Option<Complaint>,
}

impl Arguments {
    /// Takes `words` apart: the arguments without the name of the program. `options_first` says
    /// that options end at the first operand (POSIXLY_CORRECT).
    #[must_use]
    pub fn parse(words: &[OsString], options_first: bool) -> Self {
        if let Some(arguments) = Self::try_parse(words, options_first) {
            return arguments;
        }
        // The wrong word is the one after the longest beginning that parses: what comes before it
        // is whole, for it would not be looked at as an option otherwise. Each beginning up to
        // there parses, but for those that end with an option whose value is the next word; then
        // the one without that option does.
        let parses = |end: usize| Self::try_parse(&words[..end], options_first).is_some();
        let mut lengths = 0..words.len();
        while !lengths.is_empty() {
            let middle = lengths.start + lengths.len() / 2;
            if parses(middle + 1) || parses(middle) {
                lengths.start = middle + 1;
            } else {
                lengths.end = middle;
            }
        }
        let wrong = lengths.start.saturating_sub(1);
        let mut arguments = Self::try_parse(&words[..wrong], options_first).unwrap_or_default();
        arguments.complaint = words
            .get(wrong)
            .map(|word| Complaint::about(word.as_bytes()));
        arguments
    }

    fn try_parse(words: &[OsString], options_first: bool) -> Option<Self> {
        let typed = Typed::new(words);
        let options: Vec<Opt> = typed.options().collect();
        Self::try_parse_with(&options, &typed, words, options_first)
    }

    /// Takes `words` apart where clap knows these options, by their letters and by the names typed.
    fn try_parse_with(
        options: &[Opt],
        typed: &Typed,
        words: &[OsString],
        options_first: bool,
    ) -> Option<Self> {
        let args = options
            .iter()
            .map(|&option| arg(option, typed.names(option)));
        let matches = command(args, options_first)
            .try_get_matches_from(words.iter().map(|word| guard_equals_signs(word)))
            .ok()?;
        let mut found: Vec<(usize, GivenOption)> = Vec::new();
        for &option in options {
            let Some(indices) = matches.indices_of(option.name()) else {
                continue;
            };
            let values = matches.get_raw(option.name()).into_iter().flatten();
            let given = values.map(|value| GivenOption {
                option,
                value: unguard(value),
            });
            found.extend(indices.zip(given));
        }
        found.sort_unstable_by_key(|&(index, _)| index);
        let operands = matches.get_raw(OPERANDS).into_iter().flatten();
        Some(Self {
            options: found.into_iter().map(|(_, given)| given).collect(),
            operands: operands.map(unguard).collect(),
            complaint: None,
        })
    }
}

/// The options that words may mean, as far as their form tells.
///
/// clap is told of these alone, and of no other name for them than the ones typed: an option takes
/// it far longer to set up than to find. What the words mean does not depend on the others: a word
/// that could mean one of them would have it here.
struct Typed {
    /// The letters that stand in a word with one hyphen.
    letters: [bool; 128],
    /// The options whose long name or an abbreviation of it stands in a word with two hyphens, each
    /// with that part of its name. What is ambiguous or means nothing is left out.
    names: Vec<(Opt, &'static str)>,
}

impl Typed {
    fn new(words: &[OsString]) -> Self {
        let mut letters = [false; 128];
        let mut names = Vec::new();
        for word in words {
            match word.as_bytes() {
                b"--" => {}
                [b'-', b'-', long @ ..] => {
                    let typed = long.split(|&byte| byte == b'=').next().unwrap_or_default();
                    if let Resolved::Option(name, option) = options::resolve(typed) {
                        let name = name.get(..typed.len()).unwrap_or(name);
                        if !names.contains(&(option, name)) {
                            names.push((option, name));
                        }
                    }
                }
                [b'-', cluster @ ..] => {
                    for &byte in cluster {
                        if let Some(letter) = letters.get_mut(usize::from(byte)) {
                            *letter = true;
                        }
                    }
                }
                _ => {}
            }
        }
        Self { letters, names }
    }

    /// The options.
    fn options(&self) -> impl Iterator<Item = Opt> {
        let has_letter = |letter| self.letters.get(letter as usize) == Some(&true);
        Opt::all().filter(move |&option| {
            option.letter().is_some_and(has_letter) || self.names(option).next().is_some()
        })
    }

    /// The names and abbreviations of an option that stand in the words.
    fn names(&self, option: Opt) -> impl Iterator<Item = &'static str> {
        let names = self.names.iter();
        names.filter_map(move |&(other, name)| (other == option).then_some(name))
    }
}

/// A command line that has these options.
pub(super) fn command(options: impl Iterator<Item = Arg>, options_first: bool) -> Command {
    Command::new("sg_persist")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(options)
        .arg(
            Arg::new(OPERANDS)
                .num_args(0..)
                .action(ArgAction::Append)
                .value_parser(ValueParser::os_string())
                .trailing_var_arg(options_first),
        )
}

/// An option as clap knows it, by its letter and these long names. Its id is the name that it goes
/// by.
///
/// Flags carry the value that they have when given, and none by default: clap would parse and
/// store a default for each of them in every run.
pub(super) fn arg(option: Opt, mut names: impl Iterator<Item = &'static str>) -> Arg {
    let arg = Arg::new(option.name())
        .short(option.letter())
        .long(names.next())
        .aliases(names)
        .action(ArgAction::Append)
        .value_parser(ValueParser::os_string());
    match option.value() {
        Value::Required(_) => arg.num_args(1).allow_hyphen_values(true),
        Value::Optional(_) => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(""),
        Value::None => arg.num_args(0).default_missing_value(""),
    }
}

/// Puts a NUL, which no argument can hold, before the equals signs of a cluster of short options:
/// clap would take `-K=5` for the value `5`.
fn guard_equals_signs(word: &OsStr) -> OsString {
    let bytes = word.as_bytes();
    let cluster = bytes.starts_with(b"-") && !bytes.starts_with(b"--");
    if !cluster || !bytes.contains(&b'=') {
        return word.to_owned();
    }
    let mut guarded = Vec::with_capacity(bytes.len() + 1);
    for (at, &byte) in bytes.iter().enumerate() {
        // -j alone may have a value behind an equals sign.
        if byte == b'=' && bytes[at - 1] != b'j' {
            guarded.push(0);
        }
        guarded.push(byte);
    }
    OsString::from_vec(guarded)
}

/// Takes the NULs out again.
fn unguard(value: &OsStr) -> OsString {
    let bytes = value.as_bytes().iter().copied();
    OsString::from_vec(bytes.filter(|&byte| byte != 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Arguments {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Arguments::parse(&words, false)
    }

    /// The options as `K123 n`, the operands, the complaint.
    fn shown(arguments: &Arguments) -> (String, String, Option<String>) {
        let options: Vec<String> = arguments
            .options
            .iter()
            .map(|o| {
                let letter = o.option.letter().unwrap_or('?');
                format!("{letter}{}", o.value.to_string_lossy())
            })
            .collect();
        let operands: Vec<_> = arguments
            .operands
            .iter()
            .map(|o| o.to_string_lossy())
            .collect();
        (
            options.join(" "),
            operands.join(" "),
            arguments.complaint.as_ref().map(ToString::to_string),
        )
    }

    #[track_caller]
    fn check(line: &str, options: &str, operands: &str, complaint: Option<&str>) {
        let arguments = parse(line);
        assert_eq!(
            shown(&arguments),
            (
                options.to_owned(),
                operands.to_owned(),
                complaint.map(str::to_owned)
            ),
            "{line}"
        );
    }

    #[test]
    fn clusters_and_values() {
        check("-nikd DEV", "n i k dDEV", "", None);
        check("-nikdDEV", "n i k dDEV", "", None);
        check("-no -GK123 -S abc DEV", "n o G K123 Sabc", "DEV", None);
        check("--param-rk=5 --param-sark 6", "K5 S6", "", None);
        check("-K -1 -X - -d -- DEV", "K-1 X- d--", "DEV", None);
        check("-K -n -X --out", "K-n X--out", "", None);
    }

    #[test]
    fn an_equals_sign_after_a_letter_is_part_of_the_value() {
        check("-K=5", "K=5", "", None);
        check("-nK==5", "n K==5", "", None);
        check("-X -K=5", "X-K=5", "", None);
        check("-- -K=5", "", "-K=5", None);
        check("-n=5", "", "", Some("invalid option -- '='"));
        check("-nj=2 -Kj=5 -jn -j DEV", "n j2 Kj=5 j n j", "DEV", None);
        check("--json --json=4 DEV", "j j4", "DEV", None);
    }

    #[test]
    fn spellings() {
        check(
            "--no_inquiry --read-s --u --alloc 10",
            "n s U l10",
            "",
            None,
        );
        check("--preempt --preempt_ --pro 5", "P A T5", "", None);
        check("--t=a --tr b --ti 5", "Xa Xb ?5", "", None);
        check("--param-unreg --unreg", "U U", "", None);
    }

    #[test]
    fn the_order_is_kept() {
        check("-v -K 1 -vv DEV -K 2 -y", "v K1 v v K2 y", "DEV", None);
    }

    #[test]
    fn operands_anywhere() {
        check("DEV -n -k - -r", "n k r", "DEV -", None);
        check("-- -n", "", "-n", None);
    }

    #[test]
    fn options_may_end_at_the_first_operand() {
        for (line, options, operands) in [
            ("DEV -n -k", "", "DEV -n -k"),
            ("DEV --out -KDEV -x", "", "DEV --out -KDEV -x"),
            ("-A -S 0 -n --out -dDEV", "A S0 n o dDEV", ""),
            ("-K5 --tr 00 -S 0x2 -n DEV -k", "K5 X00 S0x2 n", "DEV -k"),
            ("-n -- -k DEV", "n", "-k DEV"),
            ("-n - -k", "n", "- -k"),
            ("DEV -- -k", "", "DEV -- -k"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let arguments = Arguments::parse(&words, true);
            assert_eq!(
                shown(&arguments),
                (options.to_owned(), operands.to_owned(), None),
                "{line}"
            );
        }
    }

    #[test]
    fn the_first_wrong_word_counts() {
        check(
            "-K zz --foo -x",
            "Kzz",
            "",
            Some("unrecognized option '--foo'"),
        );
        check("-n -kx --foo", "n", "", Some("invalid option -- 'x'"));
        check("-n -K", "n", "", Some("option requires an argument -- 'K'"));
        check("-K", "", "", Some("option requires an argument -- 'K'"));
        check("-x", "", "", Some("invalid option -- 'x'"));
        check("-x -K", "", "", Some("invalid option -- 'x'"));
        check(
            "-K 1 -S 2 -T 3 -x -K",
            "K1 S2 T3",
            "",
            Some("invalid option -- 'x'"),
        );
        check("-K -K -K -x", "K-K K-x", "", None);
        check(
            "-K -K -K -x -y -q -n",
            "K-K K-x y",
            "",
            Some("invalid option -- 'q'"),
        );
        check(
            "--rep",
            "",
            "",
            Some(
                "option '--rep' is ambiguous; possibilities: '--replace-lost' '--report-capabilities' '--report_capabilities'",
            ),
        );
    }

    #[test]
    fn the_options_that_cannot_be_meant_make_no_difference() {
        let mut words: Vec<&str> = "-n -nk -K -K5 -kx -j -j=2 -d/dev/x - -- --= --=5 -T=- -vvv \
             --n --no_inquiry --re --read-k --param-rk --param-rk=1 --pro 5 --c --d --o --res --t --u --ti --json \
             --json=4 --rep --foo --foo=-K DEV -\u{e9} --\u{e9} \u{e9} -=x -X--out"
            .split(' ')
            .collect();
        words.extend([
            "",
            "-",
            "--param-sark",
            "-S",
            "--preempt",
            "--verify",
            "-o",
            "-?",
        ]);
        let mut lines: Vec<Vec<&str>> = vec![vec![]];
        for &one in &words {
            lines.push(vec![one]);
            lines.extend(words.iter().map(|&other| vec![one, other]));
            lines.push(vec!["-n", "-K", one, "--pro", one, "DEV"]);
        }
        // Every beginning of every name.
        let beginnings: Vec<String> = Opt::all()
            .flat_map(Opt::long_names)
            .flat_map(|name| (1..=name.len()).map(|end| format!("--{}", &name[..end])))
            .collect();
        lines.extend(beginnings.iter().map(|word| vec![&**word, "5"]));
        for line in lines {
            let words: Vec<OsString> = line.iter().map(OsString::from).collect();
            for options_first in [false, true] {
                // Every option, by its whole names too.
                let mut typed = Typed::new(&words);
                for option in Opt::all() {
                    for name in option.long_names() {
                        if !typed.names.contains(&(option, name)) {
                            typed.names.push((option, name));
                        }
                    }
                }
                let options: Vec<Opt> = Opt::all().collect();
                assert_eq!(
                    Arguments::try_parse(&words, options_first),
                    Arguments::try_parse_with(&options, &typed, &words, options_first),
                    "{line:?}"
                );
            }
        }
    }

    #[test]
    fn clap_is_told_of_the_options_that_can_be_meant() {
        for (line, options) in [
            ("DEV", ""),
            ("-nk DEV", "kn"),
            ("-K -n --out=5 -- ", "Kno"),
            ("--pre", ""),
            ("--preempt --preempt_ --t=1", "APX"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let mut letters: Vec<char> = Typed::new(&words)
                .options()
                .filter_map(Opt::letter)
                .collect();
            letters.sort_unstable();
            assert_eq!(letters.into_iter().collect::<String>(), options, "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let words = [
            OsString::from_vec(b"-d\xff\xfe".to_vec()),
            OsString::from_vec(b"\xff".to_vec()),
        ];
        let arguments = Arguments::parse(&words, false);
        assert_eq!(arguments.options[0].value.as_bytes(), b"\xff\xfe");
        assert_eq!(arguments.operands[0].as_bytes(), b"\xff");
    }
}
