//! The manual page, the options, the help texts and the tests say the same.

use std::collections::BTreeSet;

use regex::Regex;
use sg_persist::cli::options::{Opt, Value};
use sg_persist::cli::usage::{more_usage, usage};
use sg_persist::exit::ExitStatus;
use sg_persist::nvme::status::NvmeStatus;
use sg_persist::pr::prout::{PersistentReserveOut, ServiceAction};

use crate::common::controller::Controller;

const PAGE: &str = include_str!("../../man/sg_persist.8");
const EXIT: &str = include_str!("../../src/exit.rs");
const MAIN: &str = include_str!("../../src/bin/sg_persist/main.rs");
const NVME_STATUSES: &str = include_str!("../../src/nvme/status.txt");
const DIFFERENCES: &str = include_str!("whole_runs/differences.rs");

type Names = BTreeSet<String>;

/// The lines of a section, without its heading.
fn section(name: &str) -> Vec<&'static str> {
    let heading = [format!(".SH {name}"), format!(".SH \"{name}\"")];
    let lines = PAGE
        .lines()
        .skip_while(|line| !heading.contains(&(*line).to_owned()));
    let lines: Vec<_> = lines
        .skip(1)
        .take_while(|line| !line.starts_with(".SH "))
        .collect();
    assert!(!lines.is_empty(), "no section {name}");
    lines
}

/// A line as it is read: without its macro, fonts, escapes and the blanks that part arguments.
fn plain(line: &str) -> String {
    let text = match line.strip_prefix('.') {
        Some(_) => line.split_once(' ').map_or("", |(_, text)| text),
        None => line,
    };
    // Macros of two fonts join their arguments; those of one keep the blanks between.
    let joins = Regex::new(r"^\.(BI|BR|IB|IR|RB|RI) ")
        .unwrap()
        .is_match(line);
    let argument = Regex::new(r#""([^"]*)"|([^\s"]+)"#).unwrap();
    let arguments: Vec<String> = argument
        .captures_iter(text)
        .map(|found| {
            found
                .get(1)
                .or_else(|| found.get(2))
                .unwrap()
                .as_str()
                .to_owned()
        })
        .collect();
    let joined = arguments.join(if joins { "" } else { " " });
    let fonts = Regex::new(r"\\f(\[[A-Z]*\]|[A-Z])").unwrap();
    fonts.replace_all(&joined, "").replace("\\-", "-")
}

/// What the items of a section are called.
fn items(name: &str) -> Vec<String> {
    let lines = section(name);
    let items = lines.windows(2).filter(|pair| pair[0] == ".TP");
    items.map(|pair| plain(pair[1])).collect()
}

/// An option as it is introduced: `-K`, `--param-rk` and `RK`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Introduced {
    letter: Option<char>,
    names: Names,
    value: Option<String>,
}

fn introduced(text: &str) -> Introduced {
    let mut found = Introduced {
        letter: None,
        names: Names::new(),
        value: None,
    };
    let (words, value) = match text.split_once('=') {
        Some((words, value)) => (words, Some(value.to_owned())),
        None => (text, None),
    };
    found.value = value;
    for word in words.split(", ") {
        match word.strip_prefix("--") {
            Some(name) => assert!(found.names.insert(name.to_owned()), "{text}"),
            None => {
                let letter = word.strip_prefix('-').unwrap_or_else(|| panic!("{text}"));
                found.letter = letter.chars().next();
                assert_eq!(letter.len(), 1, "{text}");
            }
        }
    }
    found
}

/// The options of the manual page, sorted.
fn manual_options() -> Vec<Introduced> {
    let items = items("OPTIONS");
    let options = items.iter().filter(|item| item.starts_with('-'));
    let mut options: Vec<_> = options.map(|item| introduced(item)).collect();
    options.sort();
    options
}

/// The long names of an option with their hyphens.
fn long_names(option: Opt) -> Names {
    let names = option.long_names().map(|name| name.replace('_', "-"));
    names.collect()
}

#[test]
fn the_manual_and_the_program_have_the_same_options() {
    let manual = manual_options();
    let shown: Vec<_> = manual.iter().map(|o| (o.letter, &o.names)).collect();
    let mut known: Vec<_> = Opt::all().map(|o| (o.letter(), long_names(o))).collect();
    known.sort();
    let known: Vec<_> = known
        .iter()
        .map(|(letter, names)| (*letter, names))
        .collect();
    assert_eq!(shown, known);
}

#[test]
fn an_option_is_shown_with_its_value_if_it_takes_one() {
    for shown in manual_options() {
        let name = shown.names.first().unwrap();
        let option = Opt::all()
            .find(|&option| long_names(option) == shown.names)
            .unwrap();
        let value = match option.value() {
            Value::None => None,
            Value::Optional(value) | Value::Required(value) => Some(value),
        };
        assert_eq!(shown.value.as_deref(), value, "--{name}");
    }
}

#[test]
fn the_help_texts_and_the_manual_have_the_same_options() {
    let line = Regex::new(r"(?m)^  (?:-(.), |    )--([a-z-]+)(?:\[?=([A-Z]+)\]?)?(?: |$)").unwrap();
    let help = [usage(), more_usage()].concat();
    let help: Vec<_> = line
        .captures_iter(&help)
        .map(|found| {
            let text = |group| found.get(group).map(|text| text.as_str().to_owned());
            (text(1), text(2).unwrap(), text(3))
        })
        .collect();
    let manual = manual_options();
    assert_eq!(help.len(), manual.len());
    for (letter, name, value) in help {
        let option = manual.iter().find(|option| option.names.contains(&name));
        let option = option.unwrap_or_else(|| panic!("--{name} is not in the manual"));
        assert_eq!(letter, option.letter.map(String::from), "--{name}");
        assert_eq!(value, option.value, "--{name}");
    }
}

#[test]
fn every_long_name_is_written_with_hyphens_or_underscores() {
    let manual: Names = manual_options().into_iter().flat_map(|o| o.names).collect();
    let known: Names = Opt::all().flat_map(long_names).collect();
    assert_eq!(manual, known);
}

#[test]
fn every_option_that_the_manual_mentions_exists() {
    let mentioned = Regex::new(r"--([a-z][a-z-]*)").unwrap();
    let page = PAGE.replace("\\-", "-");
    let names: Vec<&str> = Opt::all().flat_map(Opt::long_names).collect();
    let mut count = 0;
    for found in mentioned.captures_iter(&page) {
        assert!(names.contains(&&found[1]), "--{}", &found[1]);
        count += 1;
    }
    assert!(count > names.len() / 2);
}

/// The numbers of src/exit.rs but those of the operating system's errors.
fn exit_statuses() -> BTreeSet<u8> {
    let constant = Regex::new(r"pub const [A-Z_]+: Self = Self\((\d+)\);").unwrap();
    let statuses = constant.captures_iter(EXIT);
    statuses.map(|found| found[1].parse().unwrap()).collect()
}

#[test]
fn the_manual_and_the_program_have_the_same_exit_statuses() {
    let items = items("EXIT STATUS");
    let (ranges, single): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.contains(' '));
    let single: Vec<u8> = single.iter().map(|item| item.parse().unwrap()).collect();
    let known: Vec<u8> = exit_statuses().into_iter().collect();
    assert_eq!(single, known);
    assert_eq!(ranges, ["51 to 96"]);
    let last = Regex::new(r"const LAST_ERRNO: u8 = (\d+);").unwrap();
    let last: u8 = last.captures(EXIT).unwrap()[1].parse().unwrap();
    assert_eq!(50 + last, 96);
    for (errno, code) in [(1, 51), (i32::from(last), 96), (i32::from(last) + 1, 50)] {
        let error = std::io::Error::from_raw_os_error(errno);
        assert_eq!(sg_persist::exit::ExitStatus::from(&error).code(), code);
    }
}

/// The exit status after an NVMe command has ended with `status`.
fn nvme_exit_status(status: u16) -> u8 {
    let clear = PersistentReserveOut::new(ServiceAction::Clear);
    match Controller::ending(status).unit().change(&clear) {
        Ok(()) => 0,
        Err(error) => ExitStatus::from(&error).code(),
    }
}

#[test]
fn the_manual_and_the_program_have_the_same_exit_statuses_for_nvme() {
    let listed = NVME_STATUSES
        .lines()
        .map(|line| line.split(' ').next().unwrap());
    let listed = listed.map(|code| u16::from_str_radix(code, 16).unwrap());
    let paths = [0x300, 0x301, 0x302, 0x303, 0x360, 0x370, 0x371];
    let codes: Vec<u16> = listed.chain(paths).collect();
    let line = |&code: &u16| {
        let name = NvmeStatus(code).name().into_owned();
        format!("  {code:#05x}  {:>2}  {name}", nvme_exit_status(code))
    };
    let expected: Vec<String> = codes.iter().map(line).collect();
    let table: Vec<&str> = section("NVME STATUSES")
        .into_iter()
        .filter(|line| line.starts_with("  0x"))
        .collect();
    assert_eq!(table, expected, "{}", expected.join("\n"));
    for code in (0..0x800).filter(|code| !codes.contains(code)) {
        let expected = if code >> 8 == 3 { 35 } else { 98 };
        assert_eq!(nvme_exit_status(code), expected, "{code:#x}");
    }
}

/// The long table is for looking things up, and stands behind what is read.
#[test]
fn the_table_of_nvme_statuses_stands_behind_what_is_read() {
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix(".SH "));
    let headings: Vec<&str> = headings.map(|name| name.trim_matches('"')).collect();
    let place = |name| {
        headings
            .iter()
            .position(|&heading| heading == name)
            .unwrap()
    };
    assert!(place("NVME") < place("EXIT STATUS"));
    assert!(place("EXIT STATUS") < place("DIFFERENCES"));
    assert!(place("DIFFERENCES") < place("NVME STATUSES"));
}

#[test]
fn the_help_text_names_exit_statuses_that_exist() {
    let text = more_usage();
    let (_, text) = text.split_once("Exit status: ").unwrap();
    let number = Regex::new(r"\b\d+\b").unwrap();
    let known = exit_statuses();
    let mut named = 0;
    // The last digits are those of the manual's section.
    for found in number.find_iter(text.split("sg_persist(8)").next().unwrap()) {
        assert!(
            known.contains(&found.as_str().parse().unwrap()),
            "{found:?}"
        );
        named += 1;
    }
    assert!(named > 5);
}

#[test]
fn the_manual_and_the_program_have_the_same_environment() {
    let variable = Regex::new(r#"(?:is_set|variable)\("([A-Z0-9_]+)"\)"#).unwrap();
    let read: Names = variable
        .captures_iter(MAIN)
        .map(|found| found[1].to_owned())
        .collect();
    let manual: Names = items("ENVIRONMENT").into_iter().collect();
    assert_eq!(manual, read);
    // Nothing asks for one in another way.
    for (path, text) in sources("src".as_ref()) {
        assert!(!text.contains("env::var"), "{}", path.display());
    }
}

/// Every file of Rust below a folder of the package, with its text.
fn sources(folder: &std::path::Path) -> Vec<(std::path::PathBuf, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn every_difference_has_a_test_and_every_such_test_its_difference() {
    let labels: Vec<String> = items("DIFFERENCES")
        .iter()
        .map(|label| label.replace('-', "_"))
        .collect();
    let test = Regex::new(r"#\[test\]\s+fn ([a-z0-9_]+)\(\)").unwrap();
    let tests: Vec<String> = test
        .captures_iter(DIFFERENCES)
        .map(|found| found[1].to_owned())
        .collect();
    assert_eq!(labels, tests);
    let once: Names = labels.iter().cloned().collect();
    assert_eq!(once.len(), labels.len());
}

/// What is sent in the examples is what a user of the words means.
#[test]
fn every_example_is_a_command_line_that_is_understood() {
    use sg_persist::cli::arguments::Arguments;

    let mut count = 0;
    for line in section("EXAMPLES") {
        let line = line.replace("\\-", "-");
        let Some((node, words)) = line.split_once("# sg_persist ") else {
            continue;
        };
        assert!(["node1", "node2"].contains(&node), "{line}");
        let words: Vec<std::ffi::OsString> = words.split(' ').map(Into::into).collect();
        let arguments = Arguments::parse(&words, true);
        assert_eq!(arguments.complaint, None, "{line}");
        assert_eq!(arguments.operands, ["/dev/sda"], "{line}");
        count += 1;
    }
    assert!(count > 10);
}

/// What groff would take for a request, or show as another character.
#[test]
fn the_page_is_safe_for_groff() {
    let word = Regex::new(r#"[^\s."\\]-[^\s]|(^|[\s"])-"#).unwrap();
    let prose = Regex::new(r"[A-Za-z]-[a-z0-9]").unwrap();
    for line in PAGE.lines() {
        assert!(line.is_ascii() && line == line.trim_end(), "{line}");
        assert!(!line.starts_with('\''), "{line}");
        // A hyphen that is to be typed is escaped; one inside a word of prose is not.
        let typed = prose.replace_all(line, "");
        assert!(!word.is_match(&typed) || line.starts_with(".TH"), "{line}");
    }
    let heading = ".TH SG_PERSIST 8 ";
    let first = PAGE.lines().next().unwrap();
    assert!(first.starts_with(heading), "{first}");
    let version = format!("\"sg_persist {}\"", env!("CARGO_PKG_VERSION"));
    assert!(first.contains(&version), "{first}");
}
