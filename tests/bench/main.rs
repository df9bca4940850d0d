//! What a run costs: our program and the original in the same run, in time and in exact counts.
//!
//! `tests/bench/run` sets up what this needs and starts it:
//!
//! ```text
//! bench ROOTS check FILE                              exact counts of ours against those of FILE
//! bench ROOTS record FILE                             writes them down
//! bench ROOTS tables                                  exact counts of all programs, for people
//! bench ROOTS order LIBRARY...                        order.ld; see order.rs
//! bench ROOTS time DEVICE answers|silent ROUNDS UNIT  times and their ratios, for people
//! bench ROOTS many ROUNDS                             many devices: times, and memory, for people
//! bench trace ...                                     see trace.rs
//! ```
//!
//! ROOTS holds a folder for each program, in which it is /usr/bin/sg_persist: 1.46, 1.48 (Debian's, each with its own
//! C library), plain (`cargo build --release`), musl (the release artefact, tests/packages/program; may be missing).

#[allow(
    dead_code,
    reason = "shared with the compliance suite, which uses more of it"
)]
#[path = "../compliance/case.rs"]
mod case;
#[allow(
    dead_code,
    reason = "shared with the compliance suite, which uses more of it"
)]
#[path = "../compliance/double.rs"]
mod double;

mod guard;
mod many;
mod order;
mod time;
mod trace;

use case::{Answer, Case, End, Outcome, Trigger};
use double::{Double, Program};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use trace::{Counted, FILE, Figures};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let out = &mut io::stdout().lock();
    let result = match words[..] {
        ["trace", ..] => return trace::run(&arguments[1..]).map_or_else(failed, ExitCode::from),
        [roots, "check", file] => {
            Root::all(roots).and_then(|roots| guard::check(&roots, Path::new(file), out))
        }
        [roots, "record", file] => {
            Root::all(roots).and_then(|roots| guard::record(&roots, Path::new(file)))
        }
        [roots, "order", ref libraries @ ..] => {
            Root::all(roots).and_then(|roots| order::write(&roots, libraries, out))
        }
        [roots, "tables"] => Root::all(roots).and_then(|roots| tables(&roots, out)),
        [roots, "time", ..] => {
            Root::all(roots).and_then(|roots| time::run(&roots, &arguments[2..], out))
        }
        [roots, "many", rounds] => {
            Root::all(roots).and_then(|roots| many::run(&roots, rounds, out))
        }
        _ => Err(io::Error::other(
            "ROOTS check|record|tables|order|many|time ...",
        )),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(error),
    }
}

fn failed(error: io::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "bench: {error}");
    ExitCode::from(99)
}

/// What is released, among the programs.
pub(crate) const ARTEFACT: &str = "musl";

/// One of the programs.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) name: &'static str,
    pub(crate) folder: PathBuf,
    pub(crate) ours: bool,
}

impl Root {
    fn all(folder: &str) -> io::Result<Vec<Root>> {
        let mut found = Vec::new();
        for (name, ours, needed) in [
            ("1.46", false, true),
            ("1.48", false, true),
            ("plain", true, true),
            (ARTEFACT, true, false),
        ] {
            let folder = Path::new(folder).join(name);
            if folder.exists() || needed {
                let folder = folder.canonicalize()?;
                found.push(Root { name, folder, ours });
            }
        }
        Ok(found)
    }
}

/// How often what is not quite the same each time is measured.
const RUNS: usize = 9;

/// A command line and what the device answers to it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) line: &'static str,
    answer: Data,
}

#[derive(Debug)]
enum Data {
    Nothing,
    Keys(u32),
    Initiators(u32),
}

/// The commands that are run most. (Registering a key that is registered already is no conflict with `-I`.)
pub(crate) const COMMANDS: [Line; 4] = [
    Line {
        line: "-V",
        answer: Data::Nothing,
    },
    Line {
        line: "-n -k DEV",
        answer: Data::Keys(2),
    },
    Line {
        line: "-s DEV",
        answer: Data::Initiators(2),
    },
    Line {
        line: "-o -I -S abc123 DEV",
        answer: Data::Nothing,
    },
];

/// The same with more and more data.
pub(crate) const GROWTH: [Line; 6] = [
    Line {
        line: "-n -k DEV",
        answer: Data::Keys(2),
    },
    Line {
        line: "-n -k DEV",
        answer: Data::Keys(1000),
    },
    Line {
        line: "-n -k DEV",
        answer: Data::Keys(8000),
    },
    Line {
        line: "-n -s DEV",
        answer: Data::Initiators(1),
    },
    Line {
        line: "-n -s DEV",
        answer: Data::Initiators(100),
    },
    Line {
        line: "-n -s DEV",
        answer: Data::Initiators(1000),
    },
];

/// Keys are as long as those of clusters, and no two are the same.
fn key(number: u32) -> u64 {
    0x6b9e_4c21_0000_0000 | u64::from(number)
}

impl Line {
    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.line.split(' ').collect()
    }

    /// A name for the record and the tables.
    pub(crate) fn name(&self) -> String {
        match self.answer {
            Data::Nothing => self.line.to_owned(),
            Data::Keys(count) => format!("{}, {count} keys", self.line),
            Data::Initiators(1) => format!("{}, 1 initiator", self.line),
            Data::Initiators(count) => format!("{}, {count} initiators", self.line),
        }
    }

    fn items(&self) -> u32 {
        match self.answer {
            Data::Nothing => 0,
            Data::Keys(count) | Data::Initiators(count) => count,
        }
    }

    /// The device's response: parameter data of READ KEYS or READ FULL STATUS.
    fn data(&self) -> Vec<u8> {
        let mut items = Vec::new();
        for number in 0..self.items() {
            items.extend(key(number).to_be_bytes());
            if let Data::Initiators(_) = self.answer {
                // Reserved; no holder; reserved; relative target port 1; 24 bytes of TransportID: SAS.
                items.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 24]);
                items.extend([6, 0, 0, 0]);
                items.extend((0x5000_c500_0000_0000 | u64::from(number)).to_be_bytes());
                items.extend([0; 12]);
            }
        }
        let length = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let mut data = 7_u32.to_be_bytes().to_vec();
        data.extend(length.to_be_bytes());
        data.extend(items);
        data
    }

    fn case(&self, before: &[&str]) -> Case {
        let mut case = Case::new(&self.name());
        case.argv = before
            .iter()
            .copied()
            .chain(self.words())
            .map(|word| word.into())
            .collect();
        for (opcode, action) in [(0x5e, 0), (0x5e, 3), (0x5f, 6)] {
            let mut answer = Answer::good(Trigger::Command(opcode, Some(action)));
            if opcode == 0x5e {
                answer.data = self.data();
            }
            case.answers.push(answer);
        }
        case
    }

    /// Whether all that the device has is in the output.
    fn is_whole(&self, outcome: &Outcome) -> bool {
        let text = String::from_utf8_lossy(&outcome.stdout);
        outcome.end == End::Exit(0)
            && self
                .items()
                .checked_sub(1)
                .is_none_or(|last| text.contains(&format!("{:x}", key(last))))
    }

    /// The original has room for some data only. Anything else that is not whole is an error.
    fn cannot<T>(&self, root: &Root, outcome: &Outcome) -> io::Result<Option<T>> {
        if !root.ours && self.items() > 2 {
            return Ok(None);
        }
        Err(io::Error::other(format!(
            "{} {}: not the answer that was to come\n{}",
            root.name,
            self.name(),
            case::format_outcome(outcome)
        )))
    }
}

/// Runs programs on the scripted device.
#[derive(Debug)]
pub(crate) struct Bench {
    double: Double,
    figures: PathBuf,
}

impl Bench {
    pub(crate) fn new() -> io::Result<Bench> {
        let name = |what| std::env::temp_dir().join(format!("bench-{}{what}", std::process::id()));
        Ok(Bench {
            double: Double::new(name(""), Duration::from_secs(120))?,
            figures: name(".figures"),
        })
    }

    /// Counts by tracing; nothing where the program cannot answer whole.
    fn trace(&self, root: &Root, line: &Line, counted: Counted) -> io::Result<Option<Figures>> {
        let folder = root.folder.display().to_string();
        let figures = self.figures.display().to_string();
        let bench = Program::Plain(std::env::current_exe()?);
        let case = line.case(&["trace", counted.word(), &figures, &folder]);
        let outcome = self.double.run(&bench, &case)?;
        if !line.is_whole(&outcome) {
            return line.cannot(root, &outcome);
        }
        Figures::parse(&fs::read_to_string(&self.figures)?).map(Some)
    }

    /// System calls, faults and memory, of several runs: the most calls and writes; the medians of the others, which the
    /// kernel counts roughly. Besides, the fewest calls: with a second thread they are not the same each time.
    pub(crate) fn calls(&self, root: &Root, line: &Line) -> io::Result<Option<(Figures, u64)>> {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            match self.trace(root, line, Counted::Calls)? {
                Some(figures) => runs.push(figures),
                None => return Ok(None),
            }
        }
        let sorted = |of: fn(&Figures) -> u64| {
            let mut values: Vec<u64> = runs.iter().map(of).collect();
            values.sort_unstable();
            values
        };
        let calls = sorted(|run| run.calls);
        let figures = Figures {
            instructions: 0,
            calls: calls[RUNS - 1],
            writes: sorted(|run| run.writes)[RUNS - 1],
            faults: sorted(|run| run.faults)[RUNS / 2],
            memory: sorted(|run| run.memory)[RUNS / 2],
        };
        Ok(Some((figures, calls[0])))
    }

    /// User instructions on the processor that valgrind emulates, which is the same on all machines; nothing where the
    /// program cannot answer whole. What is linked dynamically is started by its own loader and gets a library of
    /// valgrind's: its counts are for comparison with each other alone.
    pub(crate) fn emulated(&self, root: &Root, line: &Line) -> io::Result<Option<u64>> {
        let Some(profile) = self.callgrind(root, line)? else {
            return Ok(None);
        };
        profile
            .lines()
            .find_map(|line| line.strip_prefix("totals: ")?.parse().ok())
            .map(Some)
            .ok_or_else(|| io::Error::other("callgrind's file has no totals"))
    }

    /// What callgrind writes down of a run.
    pub(crate) fn callgrind(&self, root: &Root, line: &Line) -> io::Result<Option<String>> {
        let below = |path| root.folder.join(path).display().to_string();
        let file = below(FILE.trim_start_matches('/'));
        let figures = format!("--callgrind-out-file={}", self.figures.display());
        let libraries = below("usr/lib/x86_64-linux-gnu");
        let loader = format!("{libraries}/ld-linux-x86-64.so.2");
        let mut words = vec!["--quiet", "--tool=callgrind", "--demangle=no", &figures];
        if !root.ours {
            words.extend([&*loader, "--library-path", &libraries]);
        }
        words.push(&file);
        let case = line.case(&words);
        let valgrind = Program::Plain("/usr/bin/valgrind".into());
        let outcome = self.double.run(&valgrind, &case)?;
        if !line.is_whole(&outcome) {
            return line.cannot(root, &outcome);
        }
        fs::read_to_string(&self.figures).map(Some)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.figures);
    }
}

/// The first two lines of a table.
pub(crate) fn head<'a>(
    out: &mut dyn Write,
    first: &str,
    columns: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    let columns: Vec<&str> = columns.collect();
    writeln!(out, "| {first} | {} |", columns.join(" | "))?;
    writeln!(out, "|---|{}", "---:|".repeat(columns.len()))
}

/// Writes the exact counts of all programs.
fn tables(roots: &[Root], out: &mut dyn Write) -> io::Result<bool> {
    let bench = Bench::new()?;
    head(out, "", roots.iter().map(|root| root.name))?;
    for line in &COMMANDS {
        let mut rows = [
            ("instructions in user mode", Vec::new()),
            ("system calls", Vec::new()),
            ("writes to standard output", Vec::new()),
            ("page faults", Vec::new()),
            ("most memory resident, KiB", Vec::new()),
        ];
        for root in roots {
            let (calls, _) = bench.calls(root, line)?.unwrap_or_default();
            let steps = bench
                .trace(root, line, Counted::Instructions)?
                .unwrap_or_default();
            let figures = [
                steps.instructions,
                calls.calls,
                calls.writes,
                calls.faults,
                calls.memory,
            ];
            for ((_, row), figure) in rows.iter_mut().zip(figures) {
                row.push(grouped(figure));
            }
        }
        for (what, row) in rows {
            writeln!(out, "| `{}`: {what} | {} |", line.line, row.join(" | "))?;
        }
    }
    writeln!(out)?;
    head(
        out,
        "instructions in user mode for each one more",
        roots.iter().map(|root| root.name),
    )?;
    for pair in GROWTH.windows(2) {
        let [few, many] = pair else { continue };
        if few.line != many.line {
            continue;
        }
        let more = u64::from(many.items() - few.items());
        let bytes = u64::try_from(many.data().len() - few.data().len()).unwrap_or_default() / more;
        let mut row = Vec::new();
        for root in roots {
            let few = bench.emulated(root, few)?;
            let many = bench.emulated(root, many)?;
            row.push(few.zip(many).map_or("cannot".to_owned(), |(few, many)| {
                grouped(many.saturating_sub(few) / more)
            }));
        }
        let (few, row) = (few.items(), row.join(" | "));
        writeln!(
            out,
            "| `{}`, {few} to {} ({bytes} bytes each) | {row} |",
            many.line,
            many.items()
        )?;
    }
    Ok(true)
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
