//! The compliance suite: the same command lines and the same device responses
//! in the original program and in ours, compared byte by byte.
//!
//! ```text
//! tests/compliance/fetch                            once: the original, into target/originals
//! cargo test --test compliance                      the recorded cases and 5,000 generated ones
//! cargo test --test compliance -- --cases 100000 --seed 7
//! cargo test --test compliance -- --case 'argv: -n -k DEV\nanswer: 5e00 data=0000000100000000'
//! ```
//!
//! Options, each followed by its value but for `--record`:
//!
//! ```text
//! --ours FILE         the program under test (the one cargo has built)
//! --original DIR      unpacked 1.48 (target/originals/1.48)
//! --old DIR           unpacked 1.46 (target/originals/1.46, if it is there)
//! --cases N           generated cases (5000)
//! --seed N            of the generated cases (1)
//! --jobs N            threads (2)
//! --case TEXT|FILE    only this case, or the cases of this file, in full
//! --record            run the original on the recorded cases and write down what it does
//! ```
//!
//! Every disagreement must be one of the differences in `differences.rs`, which say
//! when they apply and what is to be found then. Any other is made as small
//! as it can be, written to `target/compliance/`, and fails the run.

mod case;
mod compare;
mod differences;
mod double;
mod generate;
mod old;
mod options;
mod reading;
mod tids;

use case::Case;
use differences::{Judge, Verdict};
use double::{Double, Program};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// This many disagreements are made small and shown; the others are counted.
const SHOWN: usize = 40;

fn main() -> ExitCode {
    let outcome = Arguments::read().and_then(|arguments| {
        if arguments.record {
            record(&arguments)
        } else {
            check(&arguments)
        }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "compliance: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The suite's own command line.
#[derive(Debug)]
struct Arguments {
    ours: PathBuf,
    original: PathBuf,
    old: Option<PathBuf>,
    cases: usize,
    seed: u64,
    jobs: usize,
    only: Option<String>,
    record: bool,
}

impl Arguments {
    fn read() -> io::Result<Arguments> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let old = root.join("target/originals/1.46");
        let mut read = Arguments {
            ours: option_env!("CARGO_BIN_EXE_sg_persist")
                .unwrap_or_default()
                .into(),
            original: root.join("target/originals/1.48"),
            old: old.exists().then_some(old),
            cases: 5000,
            seed: 1,
            jobs: 2,
            only: None,
            record: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--record" {
                read.record = true;
                continue;
            }
            let value = words.next().ok_or_else(|| {
                io::Error::other(format!("{word}: unknown, or its value is missing"))
            })?;
            let number = || {
                value
                    .parse()
                    .map_err(|_| io::Error::other(format!("{word} {value}")))
            };
            match word.as_str() {
                "--ours" => read.ours = value.into(),
                "--original" => read.original = value.into(),
                "--old" => read.old = Some(value.into()),
                "--cases" => read.cases = number()?,
                "--seed" => read.seed = value.parse().map_err(io::Error::other)?,
                "--jobs" => read.jobs = number()?.max(1),
                "--case" => read.only = Some(value),
                _ => return Err(io::Error::other(format!("unknown option {word}"))),
            }
        }
        Ok(read)
    }

    fn original(&self) -> io::Result<Program> {
        Program::unpacked(&self.original).map_err(|error| {
            let at = self.original.display();
            io::Error::other(format!("{at}: {error}; tests/compliance/fetch brings it"))
        })
    }

    fn ours(&self) -> io::Result<Program> {
        // A directory is an unpacked release too: the original against itself.
        if self.ours.is_dir() {
            return Program::unpacked(&self.ours);
        }
        Ok(Program::Plain(self.ours.canonicalize().map_err(
            |error| io::Error::other(format!("--ours {}: {error}", self.ours.display())),
        )?))
    }
}

/// The files of recorded cases in the order of their names.
fn recorded_files() -> io::Result<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compliance/recorded");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_cases(path: &Path) -> io::Result<Vec<(Case, Option<case::Outcome>)>> {
    let text = std::fs::read_to_string(path)?;
    case::parse(&text).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

fn work_directory(number: usize) -> PathBuf {
    std::env::temp_dir().join(format!("compliance-{}-{number}", std::process::id()))
}

/// Writes the original's outcomes into the recorded files.
fn record(arguments: &Arguments) -> io::Result<bool> {
    let original = arguments.original()?;
    let double = Double::new(work_directory(0), double::TIME_LIMIT)?;
    let mut total = 0;
    for path in recorded_files()? {
        let mut text = String::new();
        // What stands before the first case says what the file is about.
        for line in std::fs::read_to_string(&path)?
            .lines()
            .take_while(|line| line.starts_with('#'))
        {
            text.push_str(line);
            text.push('\n');
        }
        for (case, _) in read_cases(&path)? {
            let mut outcome = double.run(&original, &case)?;
            let again = double.run(&original, &case)?;
            if outcome != again {
                writeln!(
                    io::stdout(),
                    "left out, for it differs from time to time: {}",
                    case.name
                )?;
                continue;
            }
            differences::without_own_words(&mut outcome);
            text.push('\n');
            text.push_str(&case::format(&case, Some(&compare::abridged(outcome))));
            total += 1;
        }
        std::fs::write(&path, text.trim_start_matches('\n'))?;
    }
    writeln!(io::stdout(), "{total} cases recorded")?;
    Ok(true)
}

/// What is counted over a run.
#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    streams: BTreeMap<compare::Stream, usize>,
    differences: BTreeMap<&'static str, usize>,
    failed: usize,
    shown: usize,
    /// Kinds of disagreement shown so far.
    kinds: BTreeSet<String>,
    report: String,
}

/// One thing to run and how to judge it.
#[derive(Debug)]
struct Job {
    case: Case,
    recorded: Option<case::Outcome>,
    old: bool,
}

fn check(arguments: &Arguments) -> io::Result<bool> {
    let original = arguments.original()?;
    let ours = arguments.ours()?;
    let old = arguments
        .old
        .as_deref()
        .map(Program::unpacked)
        .transpose()?;
    let mut jobs = Vec::new();
    if let Some(text) = &arguments.only {
        let cases = if Path::new(text).is_file() {
            read_cases(Path::new(text))?
        } else {
            let text = text.replace("\\n", "\n");
            let text = if text.starts_with("case: ") {
                text
            } else {
                format!("case: given\n{text}")
            };
            case::parse(&text).map_err(io::Error::other)?
        };
        jobs.extend(cases.into_iter().map(|(case, recorded)| Job {
            case,
            recorded,
            old: false,
        }));
    } else {
        for path in recorded_files()? {
            for (case, recorded) in read_cases(&path)? {
                let recorded = Some(recorded.ok_or_else(|| {
                    io::Error::other(format!("{}: {} is not recorded", path.display(), case.name))
                })?);
                if old.is_some() {
                    jobs.push(Job {
                        case: case.clone(),
                        recorded: None,
                        old: true,
                    });
                }
                jobs.push(Job {
                    case,
                    recorded,
                    old: false,
                });
            }
        }
    }
    let recorded = jobs.len();
    let generated = if arguments.only.is_some() {
        0
    } else {
        arguments.cases
    };

    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    let started = std::time::Instant::now();
    let work = |number: usize| -> io::Result<()> {
        let double = Double::new(work_directory(number), double::TIME_LIMIT)?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let made;
            let job = if let Some(job) = jobs.get(index) {
                job
            } else if index < recorded + generated {
                let number = u64::try_from(index - recorded).unwrap_or_default();
                let case = generate::case(arguments.seed, number);
                made = Job {
                    case,
                    recorded: None,
                    old: false,
                };
                &made
            } else {
                return Ok(());
            };
            let against = if job.old {
                old.as_ref().unwrap_or(&ours)
            } else {
                &ours
            };
            let judge = Judge {
                double: &double,
                original: &original,
                against,
                old: job.old,
            };
            let verdict = judge.judge(&job.case, job.recorded.as_ref())?;
            count(&tally, &judge, job, &verdict, arguments)?;
        }
    };
    std::thread::scope(|scope| -> io::Result<()> {
        let workers: Vec<_> = (0..arguments.jobs)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_| io::Error::other("a worker failed"))??;
        }
        Ok(())
    })?;
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary(&tally, arguments, started.elapsed())
}

fn count(
    tally: &Mutex<Tally>,
    judge: &Judge<'_>,
    job: &Job,
    verdict: &Verdict,
    arguments: &Arguments,
) -> io::Result<()> {
    let lock = || tally.lock().unwrap_or_else(PoisonError::into_inner);
    let mut guard = lock();
    guard.cases += 1;
    for name in &verdict.explained {
        *guard.differences.entry(name).or_default() += 1;
    }
    if arguments.only.is_some() {
        guard.report.push_str(&verdict.text(&job.case));
    }
    if verdict.streams.is_empty() {
        return Ok(());
    }
    guard.failed += 1;
    for stream in &verdict.streams {
        *guard.streams.entry(*stream).or_default() += 1;
    }
    if guard.shown >= SHOWN || arguments.only.is_some() || !guard.kinds.insert(verdict.kind()) {
        return Ok(());
    }
    guard.shown += 1;
    let number = guard.shown;
    drop(guard);
    let shrunk = compare::shrink(&job.case, |case| {
        judge.judge(case, None).is_ok_and(|found| {
            found.streams == verdict.streams
                && found.expected.end == verdict.expected.end
                && found.found.end == verdict.found.end
        })
    });
    let found = judge.judge(&shrunk, None)?;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/compliance");
    std::fs::create_dir_all(&directory)?;
    let path = directory.join(format!("disagreement-{number}.txt"));
    std::fs::write(&path, case::format(&shrunk, None))?;
    let who = if job.old { " (1.46)" } else { "" };
    let text = format!(
        "\ndisagreement {number}{who}: {}\n{}  repeat: cargo test --test compliance -- --case {}\n",
        job.case.name,
        found.text(&shrunk),
        path.display()
    );
    let mut guard = lock();
    guard.report.push_str(&text);
    Ok(())
}

fn summary(tally: &Tally, arguments: &Arguments, time: std::time::Duration) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    write!(out, "{}", tally.report)?;
    writeln!(
        out,
        "\ncases: {} (seed {}) in {:.1} s",
        tally.cases,
        arguments.seed,
        time.as_secs_f64()
    )?;
    writeln!(out, "differences on purpose:")?;
    for (name, count) in &tally.differences {
        writeln!(out, "  {count:7} {name}")?;
    }
    writeln!(out, "disagreements by stream:")?;
    for (stream, count) in &tally.streams {
        writeln!(out, "  {count:7} {}", stream.name())?;
    }
    writeln!(
        out,
        "{} passed, {} failed",
        tally.cases - tally.failed,
        tally.failed
    )?;
    Ok(tally.failed == 0)
}
