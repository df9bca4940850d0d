//! The exact counts that no change may raise unnoticed, and the promises that hold whatever is recorded.

use crate::{ARTEFACT, Bench, COMMANDS, GROWTH, Line, Root, grouped};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// How much above the record is let pass, in percent: compilers and C libraries differ.
const INSTRUCTIONS: u64 = 7;
/// The same of page faults. Of the release artefact that many more come when order.ld no longer fits it: run order.
const FAULTS: u64 = 10;
/// The same of memory, which depends on what the kernel maps beside what is asked for.
const MEMORY: u64 = 20;
/// The most system calls that reading keys may take, where they come at once.
const CALLS: u64 = 20;

const HEAD: &str = "\
# What a run of ours takes at most, on the scripted device with an empty environment. Written by tests/bench/run record.
# program, command line, instructions (valgrind's processor), system calls, page faults, KiB of memory
";

/// What is recorded of one command line of one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    instructions: u64,
    /// Of several runs the most, which is recorded.
    calls: u64,
    /// The fewest, which are compared with the record: where all runs are the same, the comparison is exact.
    fewest: u64,
    faults: u64,
    memory: u64,
}

/// The counts by program and command line.
type Record = BTreeMap<(String, String), Counts>;

fn lines() -> impl Iterator<Item = &'static Line> {
    // The first of the growth is among the commands.
    COMMANDS.iter().chain(GROWTH.iter().skip(1))
}

/// Measures ours; what is promised in any case and does not hold is told.
fn measure(roots: &[Root], out: &mut dyn Write) -> io::Result<(Record, bool)> {
    let bench = Bench::new()?;
    let mut record = Record::new();
    let mut kept = true;
    for line in lines() {
        // Of the original's memory, for comparison.
        let mut least = u64::MAX;
        for root in roots {
            let Some((figures, fewest)) = bench.calls(root, line)? else {
                continue;
            };
            if !root.ours {
                least = least.min(figures.memory);
                continue;
            }
            let name = line.name();
            let short_list = name == "-n -k DEV, 2 keys";
            let mut promise = |held: bool, text: String| {
                if !held {
                    kept = false;
                    return writeln!(out, "{} {name}: {text}", root.name);
                }
                Ok(())
            };
            promise(
                figures.writes == 1,
                format!("standard output written {} times, not once", figures.writes),
            )?;
            // A plain build, with its functions where the linker left them, takes about as much.
            promise(
                root.name != ARTEFACT || figures.memory < least,
                format!("{} KiB resident, the original {least}", figures.memory),
            )?;
            if short_list {
                promise(
                    figures.calls <= CALLS,
                    format!("{} system calls, more than {CALLS}", figures.calls),
                )?;
            }
            let counts = Counts {
                instructions: bench.emulated(root, line)?.unwrap_or_default(),
                calls: figures.calls,
                fewest,
                faults: figures.faults,
                memory: figures.memory,
            };
            record.insert((root.name.to_owned(), name), counts);
        }
    }
    Ok((record, kept))
}

/// Writes the counts down.
pub(crate) fn record(roots: &[Root], file: &Path) -> io::Result<bool> {
    let (record, kept) = measure(roots, &mut io::stdout())?;
    let mut text = HEAD.to_owned();
    for ((program, line), counts) in &record {
        text.push_str(&format!(
            "{program}; {line}; {}; {}; {}; {}\n",
            counts.instructions, counts.calls, counts.faults, counts.memory
        ));
    }
    fs::write(file, text)?;
    Ok(kept)
}

fn parse(text: &str) -> Option<Record> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split("; ").collect();
            let [program, line, instructions, calls, faults, memory] = fields[..] else {
                return None;
            };
            let calls = calls.parse().ok()?;
            let counts = Counts {
                instructions: instructions.parse().ok()?,
                calls,
                fewest: calls,
                faults: faults.parse().ok()?,
                memory: memory.parse().ok()?,
            };
            Some(((program.to_owned(), line.to_owned()), counts))
        })
        .collect()
}

/// Measures and compares with what was recorded.
pub(crate) fn check(roots: &[Root], file: &Path, out: &mut dyn Write) -> io::Result<bool> {
    let recorded = parse(&fs::read_to_string(file)?)
        .ok_or_else(|| io::Error::other(format!("{}: not a record", file.display())))?;
    let (found, mut passed) = measure(roots, out)?;
    let mut lower = 0;
    for ((program, line), counts) in &found {
        let Some(before) = recorded.get(&(program.clone(), line.clone())) else {
            passed = false;
            writeln!(out, "{program} {line}: not in the record")?;
            continue;
        };
        for (what, now, then, margin) in [
            (
                "instructions",
                counts.instructions,
                before.instructions,
                INSTRUCTIONS,
            ),
            ("system calls", counts.fewest, before.calls, 0),
            ("page faults", counts.faults, before.faults, FAULTS),
            ("KiB of memory", counts.memory, before.memory, MEMORY),
        ] {
            if now > then + then * margin / 100 {
                passed = false;
                let (now, then) = (grouped(now), grouped(then));
                writeln!(
                    out,
                    "{program} {line}: {now} {what}, recorded {then}, margin {margin} %"
                )?;
            } else if now < then - then * margin / 100 {
                lower += 1;
            }
        }
    }
    if !passed {
        writeln!(
            out,
            "If a rise is worth what it brings: tests/bench/run record, and say why in the commit."
        )?;
    }
    if lower > 0 {
        writeln!(
            out,
            "{lower} counts are well below the record: tests/bench/run record keeps them there."
        )?;
    }
    writeln!(out, "{} command lines counted", found.len())?;
    Ok(passed)
}
