//! What `-h`, `-hh` and `-V` print.

use super::options::{Group, Opt, Value};

/// The version, with the form that the original gives it.
#[must_use]
pub fn version() -> String {
    format!("version: {}\n", env!("CARGO_PKG_VERSION"))
}

/// What `-h` prints, and what follows a message about a command line that is not understood.
#[must_use]
pub fn usage() -> String {
    let mut text = String::from(
        "Usage: sg_persist [OPTIONS] [DEVICE]\n\
         \n\
         Show or change the persistent reservations of a SCSI logical unit or NVMe namespace.\n",
    );
    show(&mut text, Group::Reading);
    show(&mut text, Group::Changing);
    show(&mut text, Group::General);
    text
}

/// What `-hh` prints.
#[must_use]
pub fn more_usage() -> String {
    let mut text = String::from("Usage: sg_persist [OPTIONS] [DEVICE]\n");
    show(&mut text, Group::LessCommon);
    show(&mut text, Group::Scripting);
    text + NOTES
}

/// What follows the options of `-hh`.
const NOTES: &str = "
Long names may be abbreviated, and written with underscores instead of hyphens.

Reservation types (--prout-type), and what a node that does not hold the reservation may do:
  1  Write Exclusive                       read
  3  Exclusive Access                      nothing
  5  Write Exclusive, registrants only     read; write if registered
  6  Exclusive Access, registrants only    read and write if registered
  7  Write Exclusive, all registrants      as 5; every registrant is a holder
  8  Exclusive Access, all registrants     as 6; every registrant is a holder

Exit status: 0 success, 1 and 31 invalid command line, 2 not ready, 5 and 9 not supported,
6 unit attention, 24 reservation conflict, 35 transport error, 50 + errno, 97 malformed response;
sg_persist(8) has the full list.
";

/// Where the help of an option starts in its line.
const HELP_COLUMN: usize = 30;

/// As many blanks.
const INDENT: &str = "                              ";

/// Adds a group: its heading, and each of its options.
fn show(text: &mut String, group: Group) {
    *text += match group {
        Group::Reading => "\nReading (PERSISTENT RESERVE IN; --in is optional):\n",
        Group::Changing => "\nChanging (PERSISTENT RESERVE OUT; --out is required):\n",
        Group::General => "\nGeneral:\n",
        Group::LessCommon => "\nLess common options (-h shows the others):\n",
        Group::Scripting => "\nScripting and verification:\n",
    };
    for option in Opt::all().filter(|option| option.group() == group) {
        show_option(text, option);
    }
}

/// Adds an option: its letter, name and value, then its help.
fn show_option(text: &mut String, option: Opt) {
    let start = text.len();
    match option.letter() {
        Some(letter) => {
            *text += "  -";
            text.push(letter);
            *text += ", --";
        }
        None => *text += "      --",
    }
    *text += option.name();
    let (before, value, after) = match option.value() {
        Value::None => ("", "", ""),
        Value::Optional(value) => ("[=", value, "]"),
        Value::Required(value) => ("=", value, ""),
    };
    text.extend([before, value, after]);
    let length = text.len() - start;
    if length < HELP_COLUMN - 1 {
        *text += INDENT.get(length..).unwrap_or_default();
    } else {
        text.extend(["\n", INDENT]);
    }
    let mut lines = option.help().lines();
    *text += lines.next().unwrap_or_default();
    // With underscores it is the same name.
    let mut others = option.long_names().skip(1);
    if let Some(other) = others.find(|name| !name.contains('_')) {
        text.extend([" (also --", other, ")"]);
    }
    *text += "\n";
    for line in lines {
        text.extend([INDENT, line, "\n"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_explained_once() {
        let both = [usage(), more_usage()].concat();
        for option in Opt::all() {
            let letter = option
                .letter()
                .map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
            let name = option.name();
            let shown = format!("  {letter}--{name}");
            let lines = both.lines().filter(|line| {
                line.strip_prefix(&shown)
                    .is_some_and(|rest| rest.starts_with([' ', '=', '[']) || rest.is_empty())
            });
            assert_eq!(lines.count(), 1, "{name}");
        }
    }

    #[test]
    fn every_long_name_is_explained() {
        let both = [usage(), more_usage()].concat();
        for name in Opt::all().flat_map(Opt::long_names) {
            let name = name.replace('_', "-");
            assert!(both.contains(&format!("--{name}")), "{name}");
        }
    }

    #[test]
    fn options_as_they_are_shown() {
        for (option, shown) in [
            (
                Opt::Clear,
                "  -C, --clear                 remove the reservation and all registrations\n",
            ),
            (
                Opt::ParamUnreg,
                "  -U, --param-unreg           with --register-move: unregister this I_T nexus \
                 (also --unreg)\n",
            ),
            (
                Opt::RelativeTargetPort,
                "  -Q, --relative-target-port=RTPI\n                              with \
                 --register-move: target port to move to (hex, at most ffff)\n",
            ),
            (
                Opt::Reserved,
                "      --reserved[=TYPE]       exit status 0 if there is a reservation (of TYPE), \
                 36 if not\n",
            ),
            (
                Opt::Preempt,
                "  -P, --preempt               remove all registrations with key SARK; if they \
                 hold the\n                              reservation, take it over with type \
                 TYPE\n",
            ),
        ] {
            let mut text = String::new();
            show_option(&mut text, option);
            assert_eq!(text, shown);
        }
    }

    #[test]
    fn help_starts_in_its_column() {
        assert_eq!(INDENT, " ".repeat(HELP_COLUMN));
    }

    #[test]
    fn lines_fit_a_terminal() {
        for line in usage().lines().chain(more_usage().lines()) {
            assert!(line.len() <= 100, "{line}");
        }
    }
}
