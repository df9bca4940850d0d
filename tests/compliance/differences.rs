//! Where ours is to differ from the original, and what it must do there.
//!
//! Most differences are told by asking the original another question: the
//! case is rewritten so that the original does what ours must do (an
//! argument that ours refuses is replaced by one that both refuse, say), and ours,
//! given the unchanged case, must agree with that in every byte. What
//! cannot be asked is checked by a rule of its own. Nothing is excused in general.

use crate::case::{Access, Answer, Case, Command, Device, End, Event, Outcome, Trigger, format};
use crate::compare::{Stream, abridged, report, streams};
use crate::double::{Double, Program};
use crate::options::{Argument, Options};
use crate::reading::{Ended, Reading};
use crate::{old, tids};
use std::io;

/// Runs cases in both programs.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) double: &'a Double,
    pub(crate) original: &'a Program,
    pub(crate) against: &'a Program,
    /// The program compared with is the older original.
    pub(crate) old: bool,
}

/// What came out of a case.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Names of the differences that were found and are on purpose.
    pub(crate) explained: Vec<&'static str>,
    /// Where the programs disagree without a reason.
    pub(crate) streams: Vec<Stream>,
    pub(crate) expected: Outcome,
    pub(crate) found: Outcome,
}

impl Verdict {
    /// The case and both sides.
    pub(crate) fn text(&self, case: &Case) -> String {
        let mut text = format(case, None);
        if self.streams.is_empty() {
            text.push_str("  agrees\n");
        }
        if !self.explained.is_empty() {
            text.push_str(&format!("  on purpose: {}\n", self.explained.join("; ")));
        }
        text.push_str(&report(&self.expected, &self.found));
        text
    }

    /// What makes two disagreements look alike: streams, ends, first lines that differ.
    pub(crate) fn kind(&self) -> String {
        let first = |expected: &[u8], found: &[u8]| -> String {
            let line = |line: &[u8]| -> String {
                let letters = line.iter().filter(|byte| byte.is_ascii_alphabetic());
                letters.take(24).map(|&byte| char::from(byte)).collect()
            };
            let mut found = found.split(|&byte| byte == b'\n');
            let expected = expected.split(|&byte| byte == b'\n');
            for expected in expected {
                let found = found.next();
                if found != Some(expected) {
                    return format!("{}/{}", line(expected), line(found.unwrap_or_default()));
                }
            }
            String::new()
        };
        format!(
            "{:?} {:?} {:?} {} {} {:?}",
            self.streams,
            self.expected.end,
            self.found.end,
            first(&self.expected.stdout, &self.found.stdout),
            first(&self.expected.stderr, &self.found.stderr),
            self.explained,
        )
    }
}

/// Stands for a usage text, which is each program's own.
const USAGE: &[u8] = b"[usage]\n";

/// Takes out what is each program's own: the wording of the usage text and the version.
pub(crate) fn without_own_words(outcome: &mut Outcome) {
    for stream in [&mut outcome.stdout, &mut outcome.stderr] {
        if let Some(at) = find(stream, b"Usage: sg_persist").filter(|&at| starts_line(stream, at)) {
            stream.truncate(at);
            stream.extend_from_slice(USAGE);
        }
        for start in [&b"version: "[..], b"version_string="] {
            let Some(at) = find(stream, start).filter(|&at| starts_line(stream, at)) else {
                continue;
            };
            let from = at + start.len();
            let rest = stream.get(from..).unwrap_or_default();
            let length = rest
                .iter()
                .position(|&byte| byte == b'\n')
                .unwrap_or(rest.len());
            if length > 0 {
                stream.splice(from..from + length, *b"[own]");
            }
        }
    }
}

fn starts_line(text: &[u8], at: usize) -> bool {
    at == 0 || text.get(at - 1) == Some(&b'\n')
}

pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
}

/// Keeps the lines for which `keep` holds.
pub(crate) fn retain_lines(text: &mut Vec<u8>, mut keep: impl FnMut(&[u8]) -> bool) {
    *text = lines(text)
        .filter(|line| keep(line))
        .flatten()
        .copied()
        .collect();
}

impl Judge<'_> {
    fn run(&self, program: &Program, case: &Case) -> io::Result<Outcome> {
        let mut outcome = self.double.run(program, case)?;
        without_own_words(&mut outcome);
        Ok(outcome)
    }

    /// What the original does, without the words that are its own.
    pub(crate) fn original(&self, case: &Case) -> io::Result<Outcome> {
        self.run(self.original, case)
    }

    /// Runs a case in both programs. With `recorded`, the original must also do what it did then.
    pub(crate) fn judge(&self, case: &Case, recorded: Option<&Outcome>) -> io::Result<Verdict> {
        let original = self.original(case)?;
        if let Some(recorded) = recorded {
            let original = abridged(original.clone());
            let streams = streams(recorded, &original);
            if !streams.is_empty() {
                return Ok(Verdict {
                    explained: vec!["the original does not do what was recorded"],
                    streams,
                    expected: recorded.clone(),
                    found: original,
                });
            }
        }
        let found = self.run(self.against, case)?;
        if self.old {
            return old::judge(self, case, original, found);
        }
        let mut expectation = Expectation {
            judge: self,
            given: case.clone(),
            case: case.clone(),
            options: read(case),
            outcome: original,
            explained: Vec::new(),
            refused: false,
            ids: Vec::new(),
            transport: Vec::new(),
            names: Vec::new(),
            reading: None,
        };
        // The original against itself has no differences on purpose.
        if !matches!(self.against, Program::Unpacked { .. }) {
            expectation.ask()?;
            expectation.change(&found);
        }
        let streams = streams(&expectation.outcome, &found);
        Ok(Verdict {
            explained: expectation.explained,
            streams,
            expected: expectation.outcome,
            found,
        })
    }
}

/// The command line of a case.
pub(crate) fn read(case: &Case) -> Options {
    let posix = case.env.iter().any(|(name, _)| name == "POSIXLY_CORRECT");
    Options::read(&case.argv, posix)
}

/// What ours must do, made step by step from what the original does.
struct Expectation<'a> {
    judge: &'a Judge<'a>,
    given: Case,
    /// The case as rewritten so far.
    case: Case,
    options: Options,
    outcome: Outcome,
    explained: Vec<&'static str>,
    /// A TransportID is refused that the original takes.
    refused: bool,
    /// More TransportIDs than the original can take.
    ids: Vec<Vec<u8>>,
    /// What the original says of a host status that was then taken away.
    transport: Vec<u8>,
    /// Marks in TransportIDs and the long names for which they stand.
    names: Vec<(String, Vec<u8>)>,
    /// How an answer is read.
    reading: Option<Reading>,
}

impl Expectation<'_> {
    fn explain(&mut self, name: &'static str) {
        if !self.explained.contains(&name) {
            self.explained.push(name);
        }
    }

    fn verbosity(&self) -> usize {
        self.options.count(b'v')
    }

    fn is_prin(&self) -> bool {
        !self.options.has(b'o')
    }

    /// Goes on with another case, if the original does something else with it.
    fn rewrite(&mut self, name: &'static str, change: impl FnOnce(&mut Case)) -> io::Result<()> {
        let before = self.case.clone();
        change(&mut self.case);
        if self.case == before {
            return Ok(());
        }
        let outcome = self.judge.original(&self.case)?;
        if outcome != self.outcome {
            self.explain(name);
            self.outcome = outcome;
        }
        self.options = read(&self.case);
        Ok(())
    }

    /// Asks the original about rewritten cases until it does what ours must.
    fn ask(&mut self) -> io::Result<()> {
        self.numbers()?;
        self.transport_ids()?;
        // An argument that is refused is refused for PR OUT too.
        if self.options.has(b'o')
            && !ends_with_line(&self.outcome.stderr, b"'--maxlen'", b"'--alloc-length'")
        {
            let lengths: Vec<Argument> = self
                .options
                .given
                .iter()
                .filter(|given| given.letter == b'l' || given.letter == b'm')
                .filter_map(|given| given.argument.clone())
                .collect();
            self.rewrite("allocation length concerns PR IN alone", |case| {
                for length in &lengths {
                    length.replace(&mut case.argv, b"2000");
                }
            })?;
        }
        if self.is_prin() && self.options.count(b'y') == 0 {
            self.rewrite("PR IN opens read-only", |case| {
                let name = "SG_PERSIST_IN_RDONLY";
                if !case.env.iter().any(|(known, _)| known == name) {
                    case.env.push((name.to_owned(), b"1".to_vec()));
                }
            })?;
        }
        self.conflicts()?;
        self.survived()?;
        self.forced_open()?;
        self.capabilities_length()?;
        self.long_names()?;
        if self.case.argv != self.given.argv {
            // The dump of the command line shows what was given.
            self.dump_of();
        }
        Ok(())
    }

    /// Changes what cannot be asked.
    fn change(&mut self, found: &Outcome) {
        self.quiet_hex(found);
        self.longer_list(found);
        self.own_texts();
        self.rooms();
        self.one_open();
        self.forced_message();
        self.refused_read_only(found);
        self.raw_sense();
        self.unit_code_behind_the_sense();
        self.in_progress();
        self.newer_texts();
        self.conflict_texts();
        for (mark, name) in std::mem::take(&mut self.names) {
            self.outcome.stdout = replace(&self.outcome.stdout, mark.as_bytes(), &name);
        }
        self.cut_designation(found);
        self.response(found);
        self.sense_shown(found);
        self.advice(found);
        self.sense_line(found);
        self.not_utf8();
        self.forms();
        self.nearest(found);
    }

    /// Words that are no UTF-8 are shown with U+FFFD in messages.
    fn not_utf8(&mut self) {
        let words = [
            &b"Unexpected extra argument: "[..],
            b"sg_persist: error opening file ",
            b"open ",
            b"scsi_pt_open_flags: ",
        ];
        let mut dump = false;
        let mut shown = Vec::new();
        for line in lines(&self.outcome.stderr) {
            dump &= !line.starts_with(b"^^vv^^vv");
            let ours = dump
                || words.iter().any(|word| line.starts_with(word))
                || find(line, b"option").is_some()
                || find(line, b"TransportID").is_some();
            match ours {
                true => shown.extend_from_slice(String::from_utf8_lossy(line).as_bytes()),
                false => shown.extend_from_slice(line),
            }
            dump |= line == b"invocation_arguments:\n";
        }
        if shown != self.outcome.stderr {
            self.explain("text that is no UTF-8 is shown replaced");
            self.outcome.stderr = shown;
        }
    }

    /// The original describes a device designation beyond the end of the sense data.
    fn cut_designation(&mut self, found: &Outcome) {
        const START: &[u8] = b"Descriptor type: Device designation\n";
        let cut = self
            .case
            .answers
            .iter()
            .any(|answer| answer.sense.contains(&0x0e));
        let part = |text: &[u8]| {
            let from = find(text, START)? + START.len();
            let rest = &text[from..];
            let to = [&b"\nPR "[..], b"\n Raw sense data", b"\nsg_persist failed"]
                .iter()
                .filter_map(|end| find(rest, end))
                .min()
                .map_or(rest.len(), |newline| newline + 1);
            Some(from..from + to)
        };
        let ranges = (part(&self.outcome.stderr), part(&found.stderr));
        let (true, (Some(expected), Some(came))) = (cut, ranges) else {
            return;
        };
        let came = found.stderr[came].to_vec();
        if self.outcome.stderr[expected.clone()] != came {
            self.explain("a device designation is described as far as it came");
            self.outcome.stderr.splice(expected, came);
        }
    }

    /// Sense data that ours shows without -v too, of a deferred error with a line more at the end.
    fn sense_shown(&mut self, found: &Outcome) {
        let Some(command) = last_command(&self.outcome) else {
            return;
        };
        let answer = answer_to(&self.case, command);
        let reached = answer.errno == 0 && answer.host == 0 && matches!(answer.driver & 0xf, 0 | 8);
        let deferred = reached && is_deferred(&answer);
        let beside_change = command.cdb.first() == Some(&0x5f) && self.outcome.end == End::Exit(0);
        if !deferred && !beside_change {
            return;
        }
        let mut came = &found.stderr[..];
        if deferred {
            let Some(before) = came.strip_suffix(ABOUT_ANOTHER.as_bytes()) else {
                return;
            };
            came = before;
        }
        // What is more is in one piece, and is sense data.
        let expected = &self.outcome.stderr[..];
        let expected = expected
            .strip_suffix(ABOUT_ANOTHER.as_bytes())
            .unwrap_or(expected);
        let head = lines(expected)
            .zip(lines(came))
            .take_while(|(one, other)| one == other)
            .map(|(line, _)| line.len())
            .sum::<usize>();
        let tail = expected.len() - head;
        let Some(more) = came
            .len()
            .checked_sub(tail)
            .filter(|&end| came[end..] == expected[head..])
            .and_then(|end| came.get(head..end))
        else {
            return;
        };
        let told = self.verbosity() == 0 && find(more, b"; Sense key: ").is_some();
        if (more.is_empty() || told) && self.outcome.stderr != found.stderr {
            self.explain(match deferred {
                true => "a deferred error is told of",
                false => "sense data beside a change is shown",
            });
            self.outcome.stderr = found.stderr.clone();
        }
    }

    /// Behind a refusal of the kernel ours may say, in one line more, what is needed, or that a
    /// change may have been made.
    fn advice(&mut self, found: &Outcome) {
        let of_change =
            last_command(&self.outcome).is_some_and(|command| command.cdb.first() == Some(&0x5f));
        let why = match self.outcome.end {
            End::Exit(51 | 63) => "advice behind a missing permission",
            End::Exit(54 | 69) if of_change => "a change that may have been made is told of",
            _ => return,
        };
        if self.outcome.end != found.end {
            return;
        }
        if let Some(more) = found.stderr.strip_prefix(&self.outcome.stderr[..])
            && lines(more).count() == 1
            && more.ends_with(b"\n")
        {
            self.explain(why);
            self.outcome.stderr = found.stderr.clone();
        }
    }

    /// Behind a failure that came with sense data ours has it in a line, where it is not shown
    /// anyway, and may say in one more what helps.
    fn sense_line(&mut self, found: &Outcome) {
        let failed = !matches!(self.outcome.end, End::Exit(0));
        let Some(command) = last_command(&self.outcome).filter(|_| failed) else {
            return;
        };
        let answer = answer_to(&self.case, command);
        let reached = answer.errno == 0 && answer.host == 0 && matches!(answer.driver & 0xf, 0 | 8);
        if !reached || !ending_has_sense(&answer) || is_deferred(&answer) {
            return;
        }
        // No sense and a recovered error are no failure; what is has another reason.
        let Some((key @ 2.., asc, ascq)) = sense_codes(&answer.sense) else {
            return;
        };
        let Some(more) = found.stderr.strip_prefix(&self.outcome.stderr[..]) else {
            return;
        };
        let shown = self.verbosity() > 0 || matches!(key, 3 | 4 | 6 | 8 | 9 | 0xc | 0xd | 0xf);
        let line = format!("Sense data {key:x}/{asc:02x}/{ascq:02x}: ");
        let mut more = lines(more);
        let sense = shown
            || more
                .next()
                .is_some_and(|more| more.starts_with(line.as_bytes()));
        let has_advice = matches!(
            (key, asc, ascq),
            (2, 4, 0x0a..=0x0c)
                | (5, 0x25, 0)
                | (5, 0x26, 4)
                | (5, 0x55, 2 | 4)
                | (6, 0x2a, 3..=5)
                | (0xb, 8, 0)
        );
        if sense && more.count() == usize::from(has_advice) && found.stderr.ends_with(b"\n") {
            self.explain("sense data of a failure has a line");
            self.outcome.stderr = found.stderr.clone();
        } else {
            self.outcome.stderr.extend_from_slice(line.as_bytes());
        }
    }

    fn dump_of(&mut self) {
        let start = b"invocation_arguments:\n";
        if !self
            .case
            .env
            .iter()
            .any(|(name, _)| name == "SG3_UTILS_INVOCATION")
        {
            return;
        }
        let Some(from) = find(&self.outcome.stderr, start).map(|at| at + start.len()) else {
            return;
        };
        let rest = self.outcome.stderr.get(from..).unwrap_or_default();
        let Some(to) = find(rest, b"^^vv^^vv").map(|at| from + at) else {
            return;
        };
        let mut dump = Vec::new();
        for word in std::iter::once(&self.given.program).chain(&self.given.argv) {
            dump.extend_from_slice(b"  ");
            dump.extend_from_slice(word);
            dump.push(b'\n');
        }
        self.outcome.stderr.splice(from..to, dump);
    }

    /// Numbers are understood whole or refused.
    fn numbers(&mut self) -> io::Result<()> {
        let replaced: Vec<(Argument, Vec<u8>)> = self
            .options
            .given
            .iter()
            .filter_map(|given| {
                let argument = given.argument.clone()?;
                let text = number(given.letter, &argument.text)?;
                Some((argument, text))
            })
            .collect();
        self.rewrite("numbers are understood whole or refused", |case| {
            for (argument, text) in &replaced {
                argument.replace(&mut case.argv, text);
            }
        })
    }

    /// TransportIDs and their files.
    fn transport_ids(&mut self) -> io::Result<()> {
        let arguments: Vec<Argument> = self
            .options
            .given
            .iter()
            .filter(|given| given.letter == b'X')
            .filter_map(|given| given.argument.clone())
            .collect();
        let mut last: Option<Vec<u8>> = None;
        for (index, argument) in arguments.iter().enumerate().rev() {
            let text = &argument.text[..];
            let name = text
                .strip_prefix(b"file=")
                .or_else(|| text.strip_prefix(b"FILE="));
            let content = match name {
                Some(name) => self
                    .case
                    .files
                    .iter()
                    .find(|(known, _)| known.as_bytes() == name),
                None => None,
            };
            let reading = match (content, name) {
                (Some((_, content)), _) => tids::file(content),
                // A directory, say, or a file that is not there.
                (None, Some(b"." | b"/")) => tids::file(b""),
                (None, Some(_)) => continue,
                _ if text == b"-" => {
                    // Whoever reads standard input first reads all of it.
                    let first =
                        arguments.iter().position(|other| other.text == b"-") == Some(index);
                    let content = self.case.stdin.clone().unwrap_or_default();
                    tids::file(if first { &content } else { b"" })
                }
                _ if text.starts_with(b"-") => tids::Reading {
                    cause: Some("only - alone is standard input"),
                    ids: None,
                },
                _ => tids::one(text),
            };
            if reading.ids.is_some()
                && let Some(last) = last.as_ref().filter(|last| *last != b"-")
            {
                self.rewrite("a repeated --transport-id leaves nothing behind", |case| {
                    argument.replace(&mut case.argv, last);
                })?;
                continue;
            }
            if reading.ids.is_some() {
                last.get_or_insert_with(|| text.to_vec());
            }
            let Some(cause) = reading.cause else { continue };
            match reading.ids {
                None => {
                    self.refused = true;
                    self.rewrite(cause, |case| argument.replace(&mut case.argv, b"zz"))?;
                }
                Some(ids) => {
                    let mut content = Vec::new();
                    for id in ids.iter().take(31) {
                        let bytes: Vec<String> =
                            id.iter().map(|byte| format!("{byte:02x}")).collect();
                        content.extend_from_slice(bytes.join(",").as_bytes());
                        content.push(b'\n');
                    }
                    let file = format!(".ids{index}");
                    let word = format!("file={file}");
                    if index + 1 == arguments.len() {
                        last = Some(word.clone().into_bytes());
                    }
                    self.rewrite(cause, |case| {
                        case.files.push((file, content));
                        argument.replace(&mut case.argv, word.as_bytes());
                    })?;
                    if ids.len() > 31 {
                        self.ids = ids;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts all TransportIDs where the original could take only the first 31.
    fn longer_list(&mut self, found: &Outcome) {
        let ids = std::mem::take(&mut self.ids);
        if ids.is_empty() {
            return;
        }
        // More is told of more of them.
        if self.verbosity() > 0 && found.stderr.len() >= self.outcome.stderr.len() {
            self.outcome.stderr = found.stderr.clone();
        }
        if self.verbosity() > 2 && found.stdout.len() > self.outcome.stdout.len() {
            self.outcome.stdout = found.stdout.clone();
        }
        for event in &mut self.outcome.events {
            let Event::Command(command) = event else {
                continue;
            };
            if command.cdb.first() != Some(&0x5f) {
                continue;
            }
            let count: usize = ids.iter().map(Vec::len).sum();
            let count = u32::try_from(count).unwrap_or_default();
            command.data_out.truncate(24);
            command.data_out.extend(count.to_be_bytes());
            command.data_out.extend(ids.iter().flatten());
            command.length = u32::try_from(command.data_out.len()).unwrap_or_default();
            let length = command.length.to_be_bytes();
            command.cdb.splice(5..9, length);
        }
    }

    /// Valid hex is no failed symbolic form. Of a refusal that the original does not
    /// know, the last line counts.
    fn quiet_hex(&mut self, found: &Outcome) {
        const MESSAGE: &[u8] = b"unable to parse symbolic TransportID: ";
        const REFUSAL: &[u8] = b"bad argument to '--transport-id'\n";
        let before = self.outcome.stderr.len();
        let given: Vec<Vec<u8>> = self
            .options
            .given
            .iter()
            .filter(|given| given.letter == b'X')
            .filter_map(|given| given.argument.clone())
            .map(|argument| argument.text)
            .collect();
        retain_lines(&mut self.outcome.stderr, |line| {
            let Some(text) = line
                .strip_suffix(b"\n")
                .and_then(|line| line.strip_prefix(MESSAGE))
            else {
                return true;
            };
            let typed = given.iter().any(|argument| argument == text);
            let reading = if typed {
                tids::one(text)
            } else {
                tids::file(text)
            };
            reading.ids.is_none()
        });
        if self.outcome.stderr.len() != before {
            self.explain("valid hex TransportIDs draw no complaint");
        }
        if self.refused && self.outcome.stderr.ends_with(REFUSAL) && found.stderr.ends_with(REFUSAL)
        {
            self.outcome.stderr = found.stderr.clone();
        }
    }

    /// A key that is refused is told what form it should have.
    fn forms(&mut self) {
        for name in ["param-rk", "param-sark"] {
            let line = format!("bad argument to '--{name}'\n");
            if let Some(before) = self.outcome.stderr.strip_suffix(line.as_bytes()) {
                let ours = format!("bad argument to '--{name}' (up to 16 hexadecimal digits)\n");
                let stderr = [before, ours.as_bytes()].concat();
                self.explain("the form of a key is told");
                self.outcome.stderr = stderr;
            }
        }
    }

    /// Behind the name of an option that is none the nearest is named, and not all of them.
    fn nearest(&mut self, found: &Outcome) {
        let Some(before) = self.outcome.stderr.strip_suffix(USAGE) else {
            return;
        };
        let last = lines(before).last().unwrap_or_default();
        if find(last, b": unrecognized option '--").is_none() {
            return;
        }
        let mut stderr = before.to_vec();
        let hint = found.stderr.get(before.len()..).unwrap_or_default();
        let list = b"'sg_persist -h' and '-hh' list the options\n";
        let is_hint = hint.strip_suffix(list).is_some_and(|named| {
            named.is_empty() || named.starts_with(b"Did you mean '--") && named.ends_with(b"'? ")
        });
        stderr.extend_from_slice(match is_hint {
            true => hint,
            false => list,
        });
        self.explain("the nearest option is named instead of all");
        self.outcome.stderr = stderr;
    }

    /// Help, version and the status of mistaken command lines.
    fn own_texts(&mut self) {
        if self.outcome.end != End::Exit(0) {
            return;
        }
        let stderr = self.outcome.stderr.clone();
        if let Some(before) = stderr.strip_suffix(USAGE) {
            let mut prefix = self.case.program.clone();
            prefix.extend_from_slice(b": ");
            let last = lines(before).last().unwrap_or_default();
            if self.options.mistake && last.starts_with(&prefix) {
                if !last.ends_with(b": invalid option -- '?'\n") {
                    self.explain("mistaken options end with status 1");
                    self.outcome.end = End::Exit(1);
                }
            } else if self.options.has(b'h') {
                self.explain("help and version go to stdout");
                self.outcome.stderr = before.to_vec();
                self.outcome.stdout.extend_from_slice(USAGE);
            }
        } else if self.options.has(b'V')
            && let Some(before) = stderr.strip_suffix(b"version: [own]\n")
        {
            self.explain("help and version go to stdout");
            self.outcome.stderr = before.to_vec();
            self.outcome.stdout.extend_from_slice(b"version: [own]\n");
        }
    }
}

fn ends_with_line(text: &[u8], one: &[u8], other: &[u8]) -> bool {
    lines(text)
        .last()
        .is_some_and(|line| find(line, one).is_some() || find(line, other).is_some())
}

/// What to put in the place of a number so that the original says what ours must; `None`: nothing.
fn number(letter: u8, text: &[u8]) -> Option<Vec<u8>> {
    if !matches!(letter, b'K' | b'S' | b'Q' | b'T' | b'l') {
        return None;
    }
    let refused = || Some(b"zz".to_vec());
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let start = text
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |at| at + 1);
    let trimmed = text.get(start..end).unwrap_or_default();
    let digits = trimmed
        .strip_prefix(b"0x")
        .or_else(|| trimmed.strip_prefix(b"0X"))
        .unwrap_or(trimmed);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return refused();
    }
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    let digits = std::str::from_utf8(digits.get(zeros..).unwrap_or_default()).unwrap_or_default();
    if digits.len() > 16 {
        return refused();
    }
    let value = u64::from_str_radix(digits, 16).unwrap_or_default();
    match letter {
        b'T' if value > 0xf => refused(),
        b'Q' if value > 0xffff => Some(b"10000".to_vec()),
        b'l' if value > 0x2000 => Some(b"2001".to_vec()),
        // Leading zeros beyond what the original's scan was made for.
        _ => None,
    }
}

/// Why the original takes for a success what is none.
fn missed(category: i32) -> &'static str {
    match category {
        98 => "a deferred error is no success",
        _ => "driver status and unknown SCSI status are failures",
    }
}

/// How a command ended, as ours must see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The response counts.
    Response,
    /// The original reports success, ours this category.
    Missed(i32),
    /// Both report a failure.
    Failure,
}

/// The status byte without its reserved bits.
pub(crate) fn status(answer: &Answer) -> u8 {
    answer.status & 0x7e
}

pub(crate) fn ending(answer: &Answer) -> Ending {
    if answer.errno != 0 || answer.host != 0 {
        return Ending::Failure;
    }
    let driver = answer.driver & 0x0f;
    // The original does not look at the suggestion in the high bits.
    let suggestion_only = driver == 0 && answer.driver != 0;
    if suggestion_only || driver != 0 && driver != 8 {
        return Ending::Missed(35);
    }
    if driver == 8 || matches!(status(answer), 0x02 | 0x22) {
        let sense = &answer.sense;
        let key = match sense.first().map(|code| code & 0x7f) {
            Some(0x70 | 0x71) if sense.len() > 2 => Some(sense[2] & 0x0f),
            Some(0x72 | 0x73) if sense.len() > 2 => Some(sense[1] & 0x0f),
            _ => None,
        };
        return match key {
            // Of a deferred error the key says nothing of this command.
            Some(0 | 1 | 5) if is_deferred(answer) => Ending::Missed(98),
            Some(0 | 1) if matches!(status(answer), 0x02 | 0x22) => Ending::Response,
            // The original does not look at the status then.
            Some(0 | 1) => match by_status(answer) {
                Ending::Failure => Ending::Missed(category(answer)),
                ending => ending,
            },
            _ => Ending::Failure,
        };
    }
    by_status(answer)
}

/// As which failure ours sees a status that is not GOOD.
fn category(answer: &Answer) -> i32 {
    match status(answer) {
        0x18 => 24,
        0x04 => 25,
        0x08 => 26,
        0x28 => 27,
        0x30 => 28,
        0x40 => 29,
        // Reserved bits alone, too.
        _ => 99,
    }
}

/// How a command ended that no sense data came with.
fn by_status(answer: &Answer) -> Ending {
    // The original compares the byte as it is where it knows the status, and masks it where not.
    match category(answer) {
        _ if answer.status == 0 => Ending::Response,
        99 => Ending::Missed(99),
        _ if answer.status == status(answer) => Ending::Failure,
        category => Ending::Missed(category),
    }
}

/// Whether sense data that counts is about an earlier command.
fn is_deferred(answer: &Answer) -> bool {
    let counts = answer.driver & 0x0f == 8 || matches!(status(answer), 0x02 | 0x22);
    let code = answer.sense.first().map(|code| code & 0x7f);
    counts && answer.sense.len() > 2 && matches!(code, Some(0x71 | 0x73))
}

/// Sense key, additional sense code and qualifier of sense data about the command itself.
fn sense_codes(sense: &[u8]) -> Option<(u8, u8, u8)> {
    let byte = |at: usize| sense.get(at).copied().unwrap_or_default();
    if sense.len() < 3 {
        return None;
    }
    match sense[0] & 0x7f {
        0x70 => {
            // What lies behind the length that the sense data gives is not said.
            let end = sense
                .get(7)
                .map_or(sense.len(), |&more| usize::from(more) + 8);
            let within = |at: usize| if at < end { byte(at) } else { 0 };
            Some((within(2) & 0xf, within(12), within(13)))
        }
        0x72 => Some((byte(1) & 0xf, byte(2), byte(3))),
        _ => None,
    }
}

/// What ours says last after a deferred error.
const ABOUT_ANOTHER: &str =
    "The sense data is about an earlier command; this one was not carried out\n";

const SHORT: [(i32, &str); 10] = [
    (24, "Reservation conflict"),
    (25, "Condition met"),
    (26, "Busy"),
    (27, "Task set full"),
    (28, "ACA aactive"),
    (29, "Task aborted"),
    (35, "Transport error"),
    (97, "Malformed SCSI command response"),
    (98, "Some other sense error"),
    (99, "Some other error"),
];

impl Expectation<'_> {
    /// The differences in judging the device's responses.
    fn response(&mut self, found: &Outcome) {
        let Some(command) = last_command(&self.outcome).cloned() else {
            return;
        };
        let opcode = command.cdb.first().copied().unwrap_or_default();
        let action = if opcode == 0x12 {
            0
        } else {
            command.cdb[1] & 0x1f
        };
        // A failed INQUIRY that the original takes for a success.
        let inquiry = self.case.answer(0x12, 0, 1);
        if !self.options.has(b'n')
            && let Ending::Missed(category) = ending(&inquiry)
        {
            self.missed_inquiry(category, found);
            return;
        }
        if opcode == 0x12 {
            return;
        }
        if !self.options.has(b'n')
            && status(&inquiry) != 0
            && inquiry.data.len() < 4
            && ending(&inquiry) == Ending::Response
        {
            self.missed_inquiry(97, found);
            return;
        }
        if !self.options.has(b'n') && inquiry.resid.is_some_and(|resid| resid < 0) {
            self.missed_inquiry(97, found);
            return;
        }
        if let Some(reading) = self.reading.take() {
            self.rooms_told(&reading, found);
            self.reading = Some(reading);
        }
        let answer = self.case.answer(opcode, action, 1);
        // Zeros that came with sense data may be a buffer that nobody wrote to.
        let sense = answer.driver & 0xf == 8 || matches!(status(&answer), 0x02 | 0x22);
        if opcode == 0x5e
            && sense
            && ending(&answer) == Ending::Response
            && answer.data.iter().all(|&byte| byte == 0)
        {
            self.explain("zeros beside sense data are no answer");
            self.failure(&command, 97, found);
            return;
        }
        match ending(&answer) {
            Ending::Missed(category) => {
                self.explain(missed(category));
                self.failure(&command, category, found);
            }
            Ending::Response | Ending::Failure => {
                if let Some(reading) = self.reading.take() {
                    self.prin_response(&command, &reading, found);
                }
            }
        }
    }

    /// The commands that ours sends in the place of the original's one.
    fn rooms(&mut self) {
        let Some(command) = last_command(&self.outcome).cloned() else {
            return;
        };
        if command.cdb.first() != Some(&0x5e) {
            return;
        }
        let given = self.options.has(b'l') || self.options.has(b'm');
        let length = usize::try_from(command.length).unwrap_or_default();
        let action = command.cdb[1] & 0x1f;
        let reading = Reading::of(&self.given, action, given.then_some(length));
        let as_sent = |room: usize| {
            let mut sent = command.clone();
            sent.length = u32::try_from(room).unwrap_or_default();
            let length = u16::try_from(room).unwrap_or_default().to_be_bytes();
            sent.cdb.splice(7..9, length);
            sent
        };
        let sent: Vec<Command> = reading.rooms.iter().copied().map(as_sent).collect();
        self.reading = Some(reading);
        if sent == [command.clone()] {
            return;
        }
        self.explain(match (sent.len(), action) {
            (1, _) => "full status has ample room",
            (_, 3) if sent[0].length > sent[1].length => {
                "full status has less room where it is refused"
            }
            _ => "a list that may be cut is read again",
        });
        // A command that was refused on one descriptor is sent on another as it was.
        for event in &mut self.outcome.events {
            if let Event::Command(other) = event
                && other.cdb == command.cdb
            {
                other.cdb.clone_from(&sent[0].cdb);
                other.length = sent[0].length;
            }
        }
        let more = sent[1..].iter().cloned().map(Event::Command);
        self.outcome.events.extend(more);
        // What is said of the first is said of its room.
        let cdb = |command: &Command| {
            let bytes: Vec<String> = command
                .cdb
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("[{}]", bytes.join(" "))
        };
        let (old, new) = (cdb(&command), cdb(&sent[0]));
        let mut stderr = replace(&self.outcome.stderr, old.as_bytes(), new.as_bytes());
        stderr = self.short_transfers(&stderr, &command, &sent[0]);
        self.outcome.stderr = stderr;
    }

    /// What is said of the commands that ours sends in the place of the original's one.
    fn rooms_told(&mut self, reading: &Reading, found: &Outcome) {
        if let Some(sent) = last_command(&self.outcome).cloned()
            && sent.cdb.first() == Some(&0x5e)
            && reading.rooms.len() == 1
        {
            self.untold_transfer(&sent, found);
        }
        let mut stderr = self.outcome.stderr.clone();
        // At -vvvv a response is shown as long as it is said to be.
        let is_row = |line: &[u8]| {
            let hex = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b' ';
            // A row of one or two bytes is shorter than that.
            let row = line.trim_ascii_end();
            !row.is_empty() && row.iter().take(8).all(hex) || find(line, b": response").is_some()
        };
        let without_rows = |text: &[u8]| {
            let mut text = text.to_vec();
            retain_lines(&mut text, |line| !is_row(line));
            text
        };
        if self.verbosity() >= 3 && without_rows(&stderr) == without_rows(&found.stderr) {
            stderr.clone_from(&found.stderr);
        }
        // What is said of one command is said of each.
        if reading.rooms.len() > 1 {
            let mut rest = lines(&found.stderr);
            let kept = lines(&stderr).all(|line| rest.any(|other| other == line));
            let repeated = self.verbosity() > 0
                || lines(&found.stderr).all(|line| lines(&stderr).any(|other| other == line));
            if kept && repeated {
                stderr.clone_from(&found.stderr);
            }
        }
        self.outcome.stderr = stderr;
    }

    /// What `stderr` says of how much of the room was used, for the room that ours has.
    fn short_transfers(&self, stderr: &[u8], original: &Command, sent: &Command) -> Vec<u8> {
        const START: &str = "    Persistent reservation in: pass-through requested ";
        let line =
            |room: u32, got: u32| format!("{START}{room} bytes (data-in), got {got} bytes\n");
        let answer = self.given.answer(0x5e, sent.cdb[1] & 0x1f, 1);
        let got = |room: u32| match answer.resid {
            Some(resid) => Some(room.saturating_sub(u32::try_from(resid).ok()?)),
            None => Some(room.min(u32::try_from(answer.data.len()).ok()?)),
        };
        let (Some(before), Some(after)) = (got(original.length), got(sent.length)) else {
            return stderr.to_vec();
        };
        let told = line(sent.length, after);
        replace(
            stderr,
            line(original.length, before).as_bytes(),
            told.as_bytes(),
        )
    }

    /// Where all of a small room was used, or nothing came, there was nothing to tell of it; of the
    /// room that ours has there is.
    fn untold_transfer(&mut self, sent: &Command, found: &Outcome) {
        const PART: &[u8] = b": pass-through requested ";
        let ours = format!("requested {} bytes (data-in)", sent.length);
        let is_told =
            |line: &&[u8]| find(line, PART).is_some() && find(line, ours.as_bytes()).is_some();
        let Some(told) = lines(&found.stderr).find(is_told) else {
            return;
        };
        if find(&self.outcome.stderr, told).is_some() {
            return;
        }
        let before = lines(&found.stderr)
            .take_while(|line| *line != told)
            .last()
            .unwrap_or_default();
        let mut all: Vec<&[u8]> = lines(&self.outcome.stderr).collect();
        if let Some(at) = all.iter().rposition(|line| *line == before) {
            all.insert(at + 1, told);
            self.outcome.stderr = all.concat();
        }
    }

    /// Where the original crashes or does not end, what it does before the response still counts.
    fn survived(&mut self) -> io::Result<()> {
        if matches!(self.outcome.end, End::Exit(_)) || !self.is_prin() {
            return Ok(());
        }
        self.rewrite("the original does not survive the response", |case| {
            for answer in &mut case.answers {
                if matches!(answer.to, Trigger::Command(0x5e, _)) {
                    answer.data = vec![0; 8];
                }
            }
        })
    }

    /// With -yy the one open is for writing, so a refusal to write comes at once.
    fn forced_open(&mut self) -> io::Result<()> {
        if !self.is_prin() || self.options.count(b'y') < 2 || self.options.has(b'n') {
            return Ok(());
        }
        self.rewrite("one descriptor serves INQUIRY and command", |case| {
            let only = |trigger, access| trigger == Trigger::Open(Some(access));
            case.answers
                .retain(|answer| !only(answer.to, Access::ReadOnly));
        })?;
        // The original's words for a refused open are those of its second one.
        let refused = self
            .outcome
            .events
            .iter()
            .any(|event| matches!(event, Event::Open { flags, .. } if flags & 2 == 0))
            && self.judge_open_refused();
        if refused {
            // No INQUIRY has a host status then.
            self.transport.clear();
            self.rewrite("one descriptor serves INQUIRY and command", |case| {
                if !case.argv.iter().any(|word| word == b"-n") {
                    case.argv.insert(0, b"-n".to_vec());
                }
            })?;
        }
        Ok(())
    }

    /// Whether an open for writing fails.
    fn judge_open_refused(&self) -> bool {
        matches!(
            self.case.device,
            Device::Directory | Device::Missing | Device::Socket
        ) || self.case.open_errno(Access::ReadWrite, 1) != 0
    }

    /// RESERVATION CONFLICT counts, whatever the host status.
    fn conflicts(&mut self) -> io::Result<()> {
        let stderr = self.outcome.stderr.clone();
        let before = self.explained.len();
        self.rewrite("RESERVATION CONFLICT with a host status", |case| {
            for answer in &mut case.answers {
                if answer.host != 0 && status(answer) == 0x18 {
                    answer.host = 0;
                    answer.driver = 0;
                }
            }
        })?;
        if self.explained.len() > before
            && let Some(at) = find(&stderr, b": transport: Host_status=")
        {
            let from = lines_before(&stderr, at);
            let rest = stderr.get(from..).unwrap_or_default();
            let length = find(rest, b"\n\n").map_or(rest.len(), |end| end + 2);
            self.transport = rest.get(..length).unwrap_or_default().to_vec();
        }
        Ok(())
    }

    /// The host status is told all the same.
    fn conflict_texts(&mut self) {
        if self.transport.is_empty() {
            return;
        }
        let stderr = &self.outcome.stderr;
        let at = lines(stderr)
            .scan(0, |at, line| {
                let start = *at;
                *at += line.len();
                Some((start, line))
            })
            .find(|(_, line)| line.starts_with(b"PR "))
            .map_or(stderr.len(), |(at, _)| at);
        let text = std::mem::take(&mut self.transport);
        if find(stderr, &text).is_some() {
            return;
        }
        self.outcome.stderr.splice(at..at, text);
    }

    /// Two additional sense codes that 1.49 knows and 1.48 does not.
    fn newer_texts(&mut self) {
        for (old, new) in [
            (
                "ASC=38, ASCQ=09 (hex)\n",
                "Additional sense: Depopulation restoration interrupted\n",
            ),
            (
                "ASC=67, ASCQ=0e (hex)\n",
                "Additional sense: Feature not enabled\n",
            ),
        ] {
            let text = replace(&self.outcome.stderr, old.as_bytes(), new.as_bytes());
            if text != self.outcome.stderr {
                self.explain("additional sense codes as of 1.49");
                self.outcome.stderr = text;
            }
        }
    }

    /// A category of its own, as 1.49 has it, for devices that are becoming ready.
    fn in_progress(&mut self) {
        const SHORT: &str = "Device not ready, something in progress";
        if self.outcome.end != End::Exit(2) {
            return;
        }
        let Some(command) = last_command(&self.outcome) else {
            return;
        };
        let sense = answer_to(&self.case, command).sense;
        let pair = match sense[..] {
            [0x70 | 0x71 | 0xf0 | 0xf1, _, key, .., a, b]
                if sense.len() == 14 && key & 0x0f == 2 =>
            {
                (a, b)
            }
            [0x70 | 0x71 | 0xf0 | 0xf1, _, key, ..] if sense.len() > 14 && key & 0x0f == 2 => {
                (sense[12], sense[13])
            }
            [0x72 | 0x73, key, a, b, ..] if key & 0x0f == 2 => (a, b),
            _ => return,
        };
        if pair.0 != 4 || !matches!(pair.1, 4 | 5 | 6 | 0x14 | 0x1b | 0x1d | 0x24 | 0x25) {
            return;
        }
        self.explain("a device that is becoming ready has category 16, as in 1.49");
        self.outcome.end = End::Exit(16);
        let mut stderr = Vec::new();
        for line in lines(&self.outcome.stderr) {
            let told = line.starts_with(b"PR ") || line.starts_with(b"sg_persist failed: ");
            match find(line, b"Device not ready").filter(|_| told) {
                Some(at) => {
                    stderr.extend_from_slice(line.get(..at).unwrap_or_default());
                    stderr.extend_from_slice(SHORT.as_bytes());
                    stderr.push(b'\n');
                }
                None => stderr.extend_from_slice(line),
            }
        }
        self.outcome.stderr = stderr;
    }

    /// Goes on with other response data. What is dumped on stderr stays what came.
    fn rewrite_data(
        &mut self,
        name: &'static str,
        change: impl FnOnce(&mut Case),
    ) -> io::Result<()> {
        let mut stderr = self.outcome.stderr.clone();
        let before = self.explained.len();
        self.rewrite(name, change)?;
        if self.explained.len() > before && self.verbosity() > 2 {
            let now: Vec<&[u8]> = lines(&self.outcome.stderr).collect();
            retain_lines(&mut stderr, |line| {
                let told =
                    line.starts_with(b"PR in ") || line.starts_with(b"Unexpected response for ");
                !told || now.contains(&line)
            });
            self.outcome.stderr = stderr;
        }
        Ok(())
    }

    /// REPORT CAPABILITIES data may be longer than the eight bytes that are known.
    fn capabilities_length(&mut self) -> io::Result<()> {
        if !self.options.has(b'c') {
            return Ok(());
        }
        let mut told = None;
        self.rewrite_data(
            "REPORT CAPABILITIES data of more than eight bytes",
            |case| {
                for answer in &mut case.answers {
                    let asked = matches!(answer.to, Trigger::Command(0x5e, None | Some(2)));
                    if !asked || answer.data.len() < 8 {
                        continue;
                    }
                    let length = u16::from_be_bytes([answer.data[0], answer.data[1]]);
                    if length > 8 && usize::from(length) <= answer.data.len() {
                        answer.data[..2].copy_from_slice(&[0, 8]);
                        let [high, low] = length.to_be_bytes();
                        told = Some([answer.data[2], high, low]);
                    }
                }
            },
        )?;
        // With -H the bytes are shown as they came.
        if let Some([third, high, low]) = told.filter(|_| self.options.has(b'H')) {
            let from = format!(" 00     00 08 {third:02x}");
            let to = format!(" 00     {high:02x} {low:02x} {third:02x}");
            self.outcome.stdout = replace(&self.outcome.stdout, from.as_bytes(), to.as_bytes());
        }
        Ok(())
    }

    /// The one open of -yy is told as that for INQUIRY, but for its access.
    fn forced_message(&mut self) {
        const START: &[u8] = b"sg_persist: error opening file ";
        if !self.is_prin() || self.options.count(b'y') < 2 || self.given_no_inquiry() {
            return;
        }
        let Some(Event::Open { path, .. }) = self.outcome.events.first() else {
            return;
        };
        let told = [START, b"(rw): ", path, b": "].concat();
        let first = [START, b"(ro): ", path, b": "].concat();
        let second = [START, path, b" (rw): "].concat();
        let stderr = replace(&self.outcome.stderr, &first, &told);
        self.outcome.stderr = replace(&stderr, &second, &told);
    }

    fn given_no_inquiry(&self) -> bool {
        read(&self.given).has(b'n')
    }

    /// One descriptor serves INQUIRY and command where both want the same access.
    fn one_open(&mut self) {
        let forced = self.options.count(b'y') >= 2;
        if !self.is_prin() && self.options.count(b'y') != 1 {
            return;
        }
        let opens: Vec<usize> = (0..self.outcome.events.len())
            .filter(|&at| matches!(self.outcome.events[at], Event::Open { .. }))
            .collect();
        if opens.is_empty() {
            return;
        }
        if self.is_prin() && forced && !self.options.has(b'n') {
            self.explain("one descriptor serves INQUIRY and command");
            for event in &mut self.outcome.events {
                match event {
                    Event::Open { flags, .. } => *flags |= 2,
                    Event::Command(command) => command.on = Access::ReadWrite,
                }
            }
            let stderr = replace(&self.outcome.stderr, b"flags=0x800\n", b"flags=0x802\n");
            self.outcome.stderr = replace(&stderr, b", 0x800) failed: ", b", 0x802) failed: ");
        }
        if let [_, second] = opens[..] {
            self.explain("one descriptor serves INQUIRY and command");
            self.outcome.events.remove(second);
            let mut seen = 0;
            retain_lines(&mut self.outcome.stderr, |line| {
                if line.starts_with(b"open ") && find(line, b" with flags=0x80").is_some() {
                    seen += 1;
                    return seen != 2;
                }
                true
            });
        }
    }

    /// A command that the kernel does not let through on a read-only descriptor.
    fn refused_read_only(&mut self, found: &Outcome) {
        let asked = self
            .given
            .env
            .iter()
            .any(|(name, _)| name == "SG_PERSIST_IN_RDONLY");
        if asked || self.options.count(b'y') > 0 || !self.is_prin() {
            return;
        }
        let Some(command) = last_command(&self.outcome).cloned() else {
            return;
        };
        let answer = answer_to(&self.case, &command);
        if !matches!(answer.errno, 1 | 13) || command.on == Access::ReadWrite {
            return;
        }
        self.explain("a refused read-only descriptor is opened again read-write");
        let again = Command {
            on: Access::ReadWrite,
            ..command
        };
        let Some(Event::Open { flags, path }) = self.outcome.events.first().cloned() else {
            return;
        };
        self.outcome.events.push(Event::Open {
            flags: flags | 2,
            path: path.clone(),
        });
        if self.judge_open_refused() {
            // The second open says why it cannot be.
            let errno = match self.case.open_errno(Access::ReadWrite, 1) {
                0 => 21,
                errno => errno,
            };
            self.outcome.end = End::Exit(50 + errno);
            let told = [b"sg_persist: error opening file ", &path[..], b" (rw): "].concat();
            if find(&found.stderr, &told).is_some() {
                self.outcome.stderr = found.stderr.clone();
            }
            if find(&self.outcome.stdout, b"SCSI INQUIRY failed").is_some() {
                self.outcome.stdout.clear();
            }
            return;
        }
        self.outcome.events.push(Event::Command(again));
        // With -v the command is told again, and nothing is left out.
        if self.verbosity() > 0 {
            let mut rest = lines(&found.stderr);
            if lines(&self.outcome.stderr).all(|line| rest.any(|other| other == line)) {
                self.outcome.stderr = found.stderr.clone();
            }
        }
    }

    /// The dump of sense data ends where the sense data ends.
    fn raw_sense(&mut self) {
        const START: &[u8] = b" Raw sense data (in hex), sb_len=";
        let commands: Vec<Command> = self
            .outcome
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Command(command) => Some(command.clone()),
                Event::Open { .. } => None,
            })
            .collect();
        // Each dump is of the next command with sense data.
        let mut senses = commands
            .iter()
            .map(|command| answer_to(&self.case, command))
            .filter(|answer| {
                answer.errno == 0
                    && answer.host == 0
                    && (answer.driver & 0xf == 8 || matches!(status(answer), 0x02 | 0x22))
            })
            .map(|answer| answer.sense.into_iter().take(64).collect::<Vec<u8>>())
            .collect::<Vec<_>>()
            .into_iter();
        let mut at = 0;
        while let Some(line) = self
            .outcome
            .stderr
            .get(at..)
            .and_then(|rest| find(rest, START))
        {
            let line = at + line;
            let Some(sense) = senses.next() else { return };
            let rest = self.outcome.stderr.get(line..).unwrap_or_default();
            let from = line + lines(rest).next().map_or(0, <[u8]>::len);
            at = from;
            let calculated = sense.get(7).map_or(0, |&byte| usize::from(byte) + 8);
            let known = sense
                .first()
                .is_some_and(|code| (0x70..=0x73).contains(code));
            if !known || calculated <= sense.len() {
                continue;
            }
            let rest = self.outcome.stderr.get(from..).unwrap_or_default();
            let rows: usize = lines(rest)
                .take(calculated.div_ceil(16))
                .map(<[u8]>::len)
                .sum();
            let mut shown = Vec::new();
            for row in sense.chunks(16) {
                let mut text = "        ".to_owned();
                for (index, byte) in row.iter().enumerate() {
                    text.push_str(match index {
                        0 => "",
                        8 => "  ",
                        _ => " ",
                    });
                    text.push_str(&format!("{byte:02x}"));
                }
                shown.extend_from_slice(text.as_bytes());
                shown.push(b'\n');
            }
            self.outcome.stderr.splice(from..from + rows, shown);
            self.explain("sense data is dumped as far as it came");
        }
    }

    /// Byte 14 of sense data in fixed format whose length says that it ends with byte 13.
    fn unit_code_behind_the_sense(&mut self) {
        let Some(command) = last_command(&self.outcome) else {
            return;
        };
        let code = match answer_to(&self.case, command).sense[..] {
            [
                0x70 | 0x71 | 0xf0 | 0xf1,
                _,
                _,
                _,
                _,
                _,
                _,
                6,
                _,
                _,
                _,
                _,
                _,
                _,
                code,
                ..,
            ] => code,
            _ => return,
        };
        let line = format!("  Field replaceable unit code: {code}\n");
        let shown = replace(&self.outcome.stderr, line.as_bytes(), b"");
        if shown != self.outcome.stderr {
            self.explain("nothing behind the sense data is told of");
            self.outcome.stderr = shown;
        }
    }

    /// A failed INQUIRY ends the run.
    fn missed_inquiry(&mut self, category: i32, found: &Outcome) {
        let inquiry = self.case.answer(0x12, 0, 1);
        let residual = inquiry.resid.filter(|_| category == 97);
        self.explain(if residual.is_some() {
            "a negative residual of INQUIRY is a failure"
        } else if category == 97 {
            "no answer without a whole response"
        } else {
            missed(category)
        });
        let device = match self.outcome.events.first() {
            Some(Event::Open { path, .. }) => String::from_utf8_lossy(path).into_owned(),
            _ => String::new(),
        };
        self.outcome.end = End::Exit(category);
        // What -vvv shows of the TransportIDs comes before the two lines about the device.
        let stdout = &mut self.outcome.stdout;
        let before = match find(stdout, b"  Peripheral device type: ") {
            Some(at) => lines_before(stdout, at.saturating_sub(1)),
            None => find(stdout, b"sg_persist: SCSI INQUIRY failed").unwrap_or(0),
        };
        stdout.truncate(before);
        let failed = format!("sg_persist: SCSI INQUIRY failed on {device}\n");
        self.outcome.stdout.extend_from_slice(failed.as_bytes());
        self.outcome.events.truncate(2);
        if self.verbosity() < 3 {
            // Up to the end of the INQUIRY's own messages the streams agree.
            let stderr = &self.outcome.stderr;
            let common = find(stderr, b"ersistent reservation")
                .map_or(stderr.len(), |at| lines_before(stderr, at));
            self.outcome.stderr.truncate(common);
            let mut opens = 0;
            retain_lines(&mut self.outcome.stderr, |line| {
                opens += usize::from(line.starts_with(b"open "));
                opens < 2
            });
            retain_lines(&mut self.outcome.stderr, |line| {
                !line.starts_with(b"PR ")
                    && !line.starts_with(b"sg_persist failed")
                    && !line.starts_with(b"sg_persist: error opening file ")
                    && !line.starts_with(b"Unexpected response for ")
                    && (category > 29 || find(line, b": scsi status: ").is_none())
            });
            if inquiry.driver & 0x0f == 0 && inquiry.driver != 0 && inquiry.host == 0 {
                // The original says nothing of a suggestion.
                let text = format!(
                    "inquiry: transport: Driver_status=0x{:02x} [DRIVER_OK]\n\n",
                    inquiry.driver
                );
                self.outcome.stderr.extend_from_slice(text.as_bytes());
            }
            if category == 97 && residual.is_none() && self.verbosity() > 0 {
                let text = format!(
                    "sg_ll_inquiry_com: got too few bytes ({})\n",
                    inquiry.data.len()
                );
                self.outcome.stderr.extend_from_slice(text.as_bytes());
            }
            if let Some(resid) = residual {
                let text =
                    format!("inquiry resid ({resid}) should never exceed requested len=36\n");
                self.outcome.stderr.extend_from_slice(text.as_bytes());
            }
        } else {
            self.outcome.stderr = found.stderr.clone();
        }
    }

    /// Ours must end like this, with nothing decoded.
    fn failure(&mut self, command: &Command, category: i32, found: &Outcome) {
        self.outcome.end = End::Exit(category);
        if command.cdb.first() == Some(&0x5e) {
            self.outcome.stdout = preamble(&self.outcome.stdout);
            self.shown_all_the_same(command, category, found);
        }
        let short = SHORT
            .iter()
            .find(|(known, _)| *known == category)
            .map_or("", |(_, text)| text);
        let (direction, name) = names(command);
        // Of a response that is not whole, ours says what is wrong with it.
        let told = if category == 97 { "" } else { short };
        let line = format!("PR {direction} ({name}): {told}");
        // What was said before the verdict stays; of ours, more may stand in between.
        retain_lines(&mut self.outcome.stderr, |line| {
            !line.starts_with(b"PR ")
                && !line.starts_with(b"sg_persist failed")
                && !line.starts_with(b"Unexpected response for ")
                && (category > 29 || find(line, b": scsi status: ").is_none())
                && find(line, b"pass-through requested").is_none()
        });
        let before = &self.outcome.stderr;
        let all: Vec<&[u8]> = lines(before).collect();
        let mut rest = lines(&found.stderr);
        let kept = self.verbosity() >= 3 || all.iter().all(|line| rest.any(|other| other == *line));
        let text = String::from_utf8_lossy(&found.stderr);
        let text = text.strip_suffix(ABOUT_ANOTHER).unwrap_or(&text);
        let failed = format!("sg_persist failed: {short}");
        let ended = self.verbosity() > 0 || text.lines().last() == Some(&failed);
        let told = text.lines().any(|found| found.starts_with(&line));
        if kept && ended && told && text.ends_with('\n') {
            self.outcome.stderr = found.stderr.clone();
        } else {
            self.outcome
                .stderr
                .extend_from_slice(format!("{line}…\n").as_bytes());
            if self.verbosity() == 0 {
                self.outcome
                    .stderr
                    .extend_from_slice(format!("{failed}\n").as_bytes());
            }
        }
    }

    /// With -H the bytes of a response that is not whole are shown, and nothing else.
    fn shown_all_the_same(&mut self, command: &Command, category: i32, found: &Outcome) {
        if category != 97
            || !self.options.has(b'H')
            || !found.stdout.starts_with(&self.outcome.stdout)
        {
            return;
        }
        let shown = found
            .stdout
            .get(self.outcome.stdout.len()..)
            .unwrap_or_default();
        let asked = usize::try_from(command.length).unwrap_or_default();
        let mut data = answer_to(&self.given, command).data;
        let mut padded = data.clone();
        padded.resize(asked, 0);
        data.truncate(asked);
        if only_hex(shown, &data) || only_hex(shown, &padded) {
            self.outcome.stdout = found.stdout.clone();
        }
    }

    /// The response to PR IN counts if it is whole.
    fn prin_response(&mut self, command: &Command, reading: &Reading, found: &Outcome) {
        let action = command.cdb[1] & 0x1f;
        let data = match &reading.end {
            Ended::Whole(data) => data,
            Ended::Malformed => {
                self.explain("no answer without a whole response");
                return self.failure(command, 97, found);
            }
            Ended::Failed => {
                let last = u32::try_from(reading.rooms.len()).unwrap_or(u32::MAX);
                let answer = |nth| self.given.answer(0x5e, action, nth);
                if answer(1) == answer(last) {
                    return;
                }
                // Nothing is shown of what came before.
                self.outcome.stdout = preamble(&self.outcome.stdout);
                if found.end != End::Exit(0) {
                    self.outcome.end = found.end;
                    self.outcome.stderr = found.stderr.clone();
                }
                return;
            }
        };
        if action == 3 {
            self.real_lengths(data);
        }
        let odd = action == 3 && descriptors(data).iter().any(|(_, id)| !whole_id(id));
        if reading.rooms.len() == 1 && data.len() <= 8192 && !odd {
            return;
        }
        // The original saw less of it, or decodes what is none.
        self.explain(match odd {
            true => "an identifier in place of a TransportID is shown in hex",
            false => "a list longer than the default length is read again",
        });
        self.outcome.end = End::Exit(0);
        if action == 1 || action == 2 {
            return;
        }
        let keys: Vec<u64> = keys(action, data);
        let shown: Vec<u64> = String::from_utf8_lossy(&found.stdout)
            .lines()
            .filter_map(|line| {
                line.strip_prefix("    Key=0x")
                    .or_else(|| line.strip_prefix("    0x"))
            })
            .filter_map(|key| u64::from_str_radix(key, 16).ok())
            .collect();
        let names =
            |(_, id): &(usize, &[u8])| whole_id(id) || find(&found.stdout, &rows(id)).is_some();
        let named = action != 3 || descriptors(data).iter().all(names);
        if keys == shown && named || self.options.has(b'H') {
            self.outcome.stdout = found.stdout.clone();
        }
        // What is said of a command is said of each.
        let nothing = found.stderr.is_empty();
        if self.verbosity() > 0 || nothing || ending_has_sense(&self.given.answer(0x5e, action, 1))
        {
            self.outcome.stderr = found.stderr.clone();
        }
    }

    /// The number in `[length=N]` is the descriptor's own.
    fn real_lengths(&mut self, data: &[u8]) {
        const TOLD: &[u8] = b"[length=1024]";
        for length in descriptors(data).iter().map(|(_, id)| id.len()) {
            if length == 0 || (length >= 24 && length % 4 == 0) {
                continue;
            }
            if let Some(at) = find(&self.outcome.stdout, TOLD) {
                let real = format!("[length={length}]");
                self.outcome
                    .stdout
                    .splice(at..at + TOLD.len(), real.into_bytes());
                self.explain("the length told of a TransportID is its own");
            }
        }
    }

    /// A name that fills more than the original's 1023 characters is shown in full.
    fn long_names(&mut self) -> io::Result<()> {
        let mut marks = Vec::new();
        let mut case = self.case.clone();
        for answer in &mut case.answers {
            if !matches!(answer.to, Trigger::Command(0x5e, None | Some(3))) {
                continue;
            }
            let data = answer.data.clone();
            for (at, id) in descriptors(&data) {
                if id.len() < 900 || id[0] & 0x0f != 5 {
                    continue;
                }
                let limit = usize::from(u16::from_be_bytes([id[2], id[3]])).min(id.len() - 4);
                let name = id[4..4 + limit]
                    .iter()
                    .copied()
                    .take_while(|&byte| byte != 0);
                let name: Vec<u8> = name.collect();
                if name.len() < 900 {
                    continue;
                }
                let mark = format!("[name {}]", marks.len());
                let end = at + 4 + mark.len();
                answer.data[at + 4..end].copy_from_slice(mark.as_bytes());
                answer.data[end] = 0;
                marks.push((mark, name));
            }
        }
        if marks.is_empty() || !self.options.has(b's') || self.options.has(b'H') {
            return Ok(());
        }
        self.names = marks;
        self.rewrite_data("TransportIDs are shown in full", |rewritten| {
            *rewritten = case
        })
    }
}

/// Where the line of this place starts.
fn lines_before(text: &[u8], at: usize) -> usize {
    text.get(..at)
        .unwrap_or_default()
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1)
}

/// Opcode of the last command and the response to it.
pub(crate) fn last_command_answer(case: &Case, outcome: &Outcome) -> Option<(u8, Answer)> {
    let command = last_command(outcome)?;
    Some((*command.cdb.first()?, answer_to(case, command)))
}

/// The first response to a command.
fn answer_to(case: &Case, command: &Command) -> Answer {
    match command.cdb[..] {
        [0x12, ..] => case.answer(0x12, 0, 1),
        [opcode, action, ..] => case.answer(opcode, action & 0x1f, 1),
        _ => Answer::good(Trigger::Command(0, None)),
    }
}

pub(crate) fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, from) {
        replaced.extend_from_slice(rest.get(..at).unwrap_or_default());
        replaced.extend_from_slice(to);
        rest = rest.get(at + from.len()..).unwrap_or_default();
    }
    replaced.extend_from_slice(rest);
    replaced
}

/// The last command that was sent.
fn last_command(outcome: &Outcome) -> Option<&Command> {
    outcome.events.iter().rev().find_map(|event| match event {
        Event::Command(command) => Some(command),
        Event::Open { .. } => None,
    })
}

/// What stands on stdout before the answer to PR IN: TransportIDs of the command
/// line and INQUIRY.
fn preamble(stdout: &[u8]) -> Vec<u8> {
    const TYPE: &[u8] = b"  Peripheral device type: ";
    let all: Vec<&[u8]> = lines(stdout).collect();
    let kept = match all.iter().position(|line| line.starts_with(TYPE)) {
        Some(at) => at + 1,
        None => all
            .iter()
            .take_while(|line| line.starts_with(b"      "))
            .count(),
    };
    all.iter()
        .take(kept)
        .flat_map(|line| line.iter().copied())
        .collect()
}

/// The words for a command in the line that tells its failure.
fn names(command: &Command) -> (&'static str, &'static str) {
    let action = command
        .cdb
        .get(1)
        .map_or(0, |byte| usize::from(byte & 0x1f));
    if command.cdb.first() == Some(&0x5e) {
        let names = [
            "Read keys",
            "Read reservation",
            "Report capabilities",
            "Read full status",
        ];
        return ("in", names.get(action).copied().unwrap_or_default());
    }
    let names = [
        "Register",
        "Reserve",
        "Release",
        "Clear",
        "Preempt",
        "Preempt and abort",
        "Register and ignore existing key",
        "register and move",
        "Replace lost reservation",
    ];
    ("out", names.get(action).copied().unwrap_or_default())
}

/// The rows in which bytes that are no TransportID are shown.
fn rows(id: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    for row in id.chunks(16) {
        let halves: Vec<String> = row
            .chunks(8)
            .map(|half| {
                let bytes: Vec<String> = half.iter().map(|byte| format!("{byte:02x}")).collect();
                bytes.join(" ")
            })
            .collect();
        text += &format!("      {}\n", halves.join("  "));
    }
    text.into_bytes()
}

/// Whether sense data came with an answer, which is told of.
fn ending_has_sense(answer: &Answer) -> bool {
    answer.status != 0 || answer.driver & 0xf == 8
}

/// Whether a response holds all that it says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Yes,
    /// The whole has this length in bytes.
    Cut(usize),
    Malformed,
}

impl Whole {
    pub(crate) fn of(action: u8, data: &[u8]) -> Whole {
        let [a, b, _, _, length @ ..] = data else {
            return Whole::Malformed;
        };
        let Some(length) = length.first_chunk::<4>() else {
            return Whole::Malformed;
        };
        if action == 2 {
            let length = usize::from(u16::from_be_bytes([*a, *b]));
            return if length < 8 {
                Whole::Malformed
            } else if length > data.len() {
                Whole::Cut(length)
            } else {
                Whole::Yes
            };
        }
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX - 8);
        let unit = match action {
            0 => 8,
            1 => 16,
            _ => 1,
        };
        if length + 8 > data.len() {
            return Whole::Cut(length + 8);
        }
        // There is one reservation at the most.
        if length % unit != 0 || action == 1 && length > 16 {
            return Whole::Malformed;
        }
        if action == 3 {
            let descriptors = descriptors(data);
            let covered: usize = descriptors.iter().map(|(_, id)| id.len() + 24).sum();
            if covered != length {
                return Whole::Malformed;
            }
        }
        Whole::Yes
    }
}

/// Whether a descriptor's TransportID holds its fields; one that is absent does.
fn whole_id(id: &[u8]) -> bool {
    match *id {
        [] => true,
        [first, _, high, low, ..] if first & 0x0f == 5 => {
            let length = usize::from(u16::from_be_bytes([high, low])) + 4;
            length == id.len() || length < id.len() && id.len() >= 24
        }
        _ => id.len() >= 24,
    }
}

/// The whole full status descriptors: where the TransportID starts, and its bytes.
fn descriptors(data: &[u8]) -> Vec<(usize, &[u8])> {
    let mut found = Vec::new();
    let length = data
        .get(4..8)
        .and_then(|bytes| bytes.first_chunk::<4>())
        .map_or(0, |bytes| {
            usize::try_from(u32::from_be_bytes(*bytes)).unwrap_or_default()
        });
    let end = length.saturating_add(8).min(data.len());
    let mut at = 8;
    while at + 24 <= end {
        let Some(size) = data
            .get(at + 20..at + 24)
            .and_then(|bytes| bytes.first_chunk::<4>())
        else {
            break;
        };
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX / 2);
        let Some(id) = data.get(at + 24..end).and_then(|rest| rest.get(..size)) else {
            break;
        };
        found.push((at + 24, id));
        at += 24 + size;
    }
    found
}

/// The keys that a whole response of READ KEYS or READ FULL STATUS lists.
fn keys(action: u8, data: &[u8]) -> Vec<u64> {
    let key = |bytes: &[u8]| {
        bytes
            .first_chunk::<8>()
            .map_or(0, |bytes| u64::from_be_bytes(*bytes))
    };
    if action == 0 {
        let length = data.get(4..8).map_or(0, |bytes| {
            usize::try_from(key(&[&[0; 4], bytes].concat())).unwrap_or_default()
        });
        return data
            .get(8..8 + length)
            .unwrap_or_default()
            .chunks(8)
            .map(key)
            .collect();
    }
    descriptors(data)
        .iter()
        .map(|(at, _)| key(data.get(at - 24..).unwrap_or_default()))
        .collect()
}

/// Whether a text is a dump of a part of these bytes and at most one line of words.
fn only_hex(text: &[u8], data: &[u8]) -> bool {
    let mut words = 0;
    let mut shown = Vec::new();
    for line in String::from_utf8_lossy(text).lines() {
        if line.contains("eneration") || line.contains("ength") {
            words += 1;
            continue;
        }
        let tokens: Vec<&str> = line.split_whitespace().collect();
        // With offsets, the first word of a line is one.
        let tokens = if line.starts_with(' ') {
            tokens.get(1..).unwrap_or_default()
        } else {
            &tokens[..]
        };
        for token in tokens {
            match u8::from_str_radix(token, 16) {
                Ok(byte) if token.len() == 2 => shown.push(byte),
                _ => return false,
            }
        }
    }
    words <= 2
        && (data.starts_with(&shown) || data.get(8..).is_some_and(|rest| rest.starts_with(&shown)))
}
