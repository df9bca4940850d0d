//! The same case in two programs, stream by stream.

use crate::case::{Case, End, Outcome, format_event};

/// Where two programs did not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    Exit,
    Stdout,
    Stderr,
    Wire,
}

impl Stream {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stream::Exit => "exit status",
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
            Stream::Wire => "commands",
        }
    }
}

/// The streams in which two outcomes differ.
pub(crate) fn streams(expected: &Outcome, found: &Outcome) -> Vec<Stream> {
    let mut differing = Vec::new();
    if expected.end != found.end {
        differing.push(Stream::Exit);
    }
    // What a program wrote before it was stopped is a matter of timing.
    let stopped = expected.end == End::Timeout && found.end == End::Timeout;
    if expected.stdout != found.stdout && !stopped {
        differing.push(Stream::Stdout);
    }
    if expected.stderr != found.stderr && !stopped {
        differing.push(Stream::Stderr);
    }
    if expected.events != found.events {
        differing.push(Stream::Wire);
    }
    differing
}

/// A stream of more lines than this is abridged, ...
const LONG: usize = 64;
/// ... to so many.
const KEPT: usize = 32;

/// An outcome as it is recorded: of a long stream the first lines, and of the rest how much there is
/// and a hash. The original shows its own memory where a response claims to be longer than it is:
/// that it does so, how far it gets and that it is the same each time is all there is to know.
pub(crate) fn abridged(mut outcome: Outcome) -> Outcome {
    for stream in [&mut outcome.stdout, &mut outcome.stderr] {
        let ends = stream
            .split_inclusive(|&byte| byte == b'\n')
            .scan(0, |end, line| {
                *end += line.len();
                Some(*end)
            });
        let ends: Vec<usize> = ends.collect();
        if ends.len() > LONG {
            let rest = stream.split_off(ends[KEPT - 1]);
            let told = format!(
                "[{} more lines, {} bytes, FNV-1a {:016x}]\n",
                ends.len() - KEPT,
                rest.len(),
                fnv_1a(&rest)
            );
            stream.extend_from_slice(told.as_bytes());
        }
    }
    outcome
}

/// The 64-bit hash of Fowler, Noll and Vo, which is the same with every release of the compiler.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Both sides of each stream that differs, for a person to read.
pub(crate) fn report(expected: &Outcome, found: &Outcome) -> String {
    let mut text = String::new();
    if expected.end != found.end {
        text.push_str(&format!(
            "  exit: expected {:?}, found {:?}\n",
            expected.end, found.end
        ));
    }
    let wire =
        |outcome: &Outcome| -> Vec<String> { outcome.events.iter().map(format_event).collect() };
    for (name, expected, found) in [
        ("stdout", lines(&expected.stdout), lines(&found.stdout)),
        ("stderr", lines(&expected.stderr), lines(&found.stderr)),
        ("commands", wire(expected), wire(found)),
    ] {
        if expected != found {
            text.push_str(&format!("  {name}:\n"));
            text.push_str(&difference(&expected, &found));
        }
    }
    text
}

fn lines(bytes: &[u8]) -> Vec<String> {
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| match line.strip_suffix(b"\n") {
            Some(line) => line.escape_ascii().to_string(),
            None => format!("{}[no line end]", line.escape_ascii()),
        })
        .collect()
}

/// Lines of the first with `-`, of the second with `+`, without equal heads and tails.
fn difference(expected: &[String], found: &[String]) -> String {
    let same = expected
        .iter()
        .zip(found)
        .take_while(|(a, b)| a == b)
        .count();
    let (expected, found) = (&expected[same..], &found[same..]);
    let tail = expected
        .iter()
        .rev()
        .zip(found.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let mut text = String::new();
    if same > 0 {
        text.push_str(&format!("    ({same} equal lines)\n"));
    }
    for (sign, side) in [('-', expected), ('+', found)] {
        let shown = &side[..side.len() - tail];
        for line in shown.iter().take(12) {
            let cut: String = line.chars().take(200).collect();
            text.push_str(&format!("    {sign}{cut}\n"));
        }
        if shown.len() > 12 {
            text.push_str(&format!("    {sign}… {} more\n", shown.len() - 12));
        }
    }
    if tail > 0 {
        text.push_str(&format!("    ({tail} equal lines)\n"));
    }
    text
}

/// Makes a case smaller as long as `disagrees` holds.
pub(crate) fn shrink(case: &Case, mut disagrees: impl FnMut(&Case) -> bool) -> Case {
    let mut best = case.clone();
    let mut budget = 600;
    loop {
        let mut progress = false;
        for smaller in smaller(&best) {
            if budget == 0 {
                return best;
            }
            budget -= 1;
            if disagrees(&smaller) {
                best = smaller;
                progress = true;
                break;
            }
        }
        if !progress {
            return best;
        }
    }
}

/// Every way to take one thing away from a case, big steps first.
fn smaller(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    let mut add = |change: &dyn Fn(&mut Case)| {
        let mut copy = case.clone();
        change(&mut copy);
        if copy != *case {
            found.push(copy);
        }
    };
    for index in 0..case.argv.len() {
        add(&|copy| drop(copy.argv.remove(index)));
    }
    for index in 0..case.answers.len() {
        add(&|copy| drop(copy.answers.remove(index)));
    }
    for index in 0..case.env.len() {
        add(&|copy| drop(copy.env.remove(index)));
    }
    for index in 0..case.files.len() {
        add(&|copy| drop(copy.files.remove(index)));
    }
    add(&|copy| copy.stdin = None);
    add(&|copy| copy.program = b"sg_persist".to_vec());
    add(&|copy| copy.device = crate::case::Device::File);
    for index in 0..case.argv.len() {
        let word = &case.argv[index];
        // A cluster without one of its letters.
        if word.len() > 2 && word.starts_with(b"-") && !word.starts_with(b"--") {
            for at in 1..word.len() {
                add(&|copy| {
                    copy.argv[index].remove(at);
                });
            }
        } else if word.len() > 3 && !word.starts_with(b"-") {
            add(&|copy| copy.argv[index].truncate(word.len() / 2));
            add(&|copy| copy.argv[index].truncate(word.len() - 1));
        }
    }
    for index in 0..case.answers.len() {
        let answer = &case.answers[index];
        add(&|copy| copy.answers[index].nth = None);
        add(&|copy| copy.answers[index].resid = None);
        add(&|copy| copy.answers[index].host = 0);
        add(&|copy| copy.answers[index].driver = 0);
        add(&|copy| copy.answers[index].status = 0);
        add(&|copy| copy.answers[index].sense.clear());
        add(&|copy| copy.answers[index].errno = 0);
        for (length, sense) in [(answer.data.len(), false), (answer.sense.len(), true)] {
            for keep in [
                length / 2,
                length.saturating_sub(8),
                length.saturating_sub(1),
            ] {
                add(&|copy| bytes(copy, index, sense).truncate(keep));
            }
            let step = length.div_ceil(24).max(1);
            for from in (0..length).step_by(step) {
                add(&|copy| {
                    let bytes = bytes(copy, index, sense);
                    let to = (from + step).min(bytes.len());
                    bytes[from..to].fill(0);
                });
            }
        }
    }
    for index in 0..case.files.len() {
        let length = case.files[index].1.len();
        add(&|copy| copy.files[index].1.truncate(length / 2));
        add(&|copy| copy.files[index].1.truncate(length.saturating_sub(1)));
    }
    if let Some(stdin) = &case.stdin {
        let length = stdin.len();
        for keep in [length / 2, length.saturating_sub(1)] {
            add(&|copy| {
                if let Some(stdin) = &mut copy.stdin {
                    stdin.truncate(keep);
                }
            });
        }
    }
    found
}

fn bytes(case: &mut Case, index: usize, sense: bool) -> &mut Vec<u8> {
    let answer = &mut case.answers[index];
    if sense {
        &mut answer.sense
    } else {
        &mut answer.data
    }
}
