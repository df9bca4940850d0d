//! What the scripted device answers to which command: the rules' text and what it means.
//!
//! A rule is a line: a pattern, then words. Empty lines and those that begin with `#` mean nothing.
//!
//! ```text
//! PATTERN[@N[+]] [data BYTES] [keys N] [full N] [extended N] [regular N] [generation HEX] [length HEX] [at N BYTES] [take N]
//!                [status HEX] [sense BYTES] [wait MS] [disconnect]
//! ```
//!
//! PATTERN is the beginning of a command descriptor block in hexadecimal (for NVMe see the tool), `.` stands for any digit. `@2` takes the second
//! command that the pattern matches since the rules were last changed, `@2+` that and all after it. The first rule that
//! takes a command answers it.
//!
//! BYTES are words of hexadecimal digits, `00*16` is sixteen times 00. `keys` makes parameter data of READ KEYS with as
//! many keys (1, 2, ...), `full` of READ FULL STATUS with as many descriptors of 48 bytes; `generation` and `length` set
//! the first two fields of the header to other values. `extended` makes the data structure of an NVMe Reservation Report
//! with as many registered controllers (keys 1, 2, ...), `regular` that with host identifiers of 64 bits. `at` puts bytes
//! into the data, where the rule makes none into that of the device's usual answer (NVMe alone). At most `take` bytes
//! come. `sense` without `status` is CHECK CONDITION. `wait` is how long the device takes, `wait forever` is what it
//! says. `disconnect` ends the connection in place of an answer (NVMe alone).

use std::mem;
use std::time::Duration;

/// What a command is answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Data in; the allocation length may cut it further.
    pub(crate) data: Vec<u8>,
    /// Whether the rule makes data at all, be it none.
    pub(crate) has_data: bool,
    /// What is put into the usual data.
    pub(crate) patches: Vec<(usize, Vec<u8>)>,
    /// The SCSI status, or the NVMe status field without its phase.
    pub(crate) status: u16,
    /// Sense data; none where empty.
    pub(crate) sense: Vec<u8>,
    /// How long the answer takes; `None` is for ever.
    pub(crate) wait: Option<Duration>,
    /// No answer, but the end of the connection.
    pub(crate) disconnect: bool,
}

/// The rules, and how often each pattern has matched.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    text: String,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    pattern: Vec<u8>,
    first: u64,
    last: u64,
    answer: Answer,
    matched: u64,
}

impl Rules {
    /// Takes the rules' text; the counting starts afresh if it is another one than before.
    pub(crate) fn update(&mut self, text: &str) -> Result<(), String> {
        if text == self.text {
            return Ok(());
        }
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.rules = lines
            .map(|line| rule(line).map_err(|problem| format!("{line}: {problem}")))
            .collect::<Result<_, _>>()?;
        text.clone_into(&mut self.text);
        Ok(())
    }

    /// The answer to a command, if a rule has one.
    pub(crate) fn answer(&mut self, cdb: &[u8]) -> Option<Answer> {
        let cdb = hex(cdb).into_bytes();
        let mut found = None;
        for rule in &mut self.rules {
            if !rule.matches(&cdb) {
                continue;
            }
            rule.matched += 1;
            if found.is_none() && (rule.first..=rule.last).contains(&rule.matched) {
                found = Some(rule.answer.clone());
            }
        }
        found
    }
}

impl Rule {
    fn matches(&self, cdb: &[u8]) -> bool {
        let mut digits = self.pattern.iter().zip(cdb);
        cdb.len() >= self.pattern.len()
            && digits.all(|(&wanted, &came)| wanted == b'.' || wanted == came)
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rule(line: &str) -> Result<Rule, String> {
    let mut words = line.split_whitespace().peekable();
    let pattern = words.next().unwrap_or_default();
    let (pattern, occurrence) = pattern.split_once('@').unwrap_or((pattern, "1+"));
    let from = occurrence.strip_suffix('+');
    let first = number(from.unwrap_or(occurrence), 10)?;
    let mut answer = Answer {
        wait: Some(Duration::ZERO),
        ..Answer::default()
    };
    let mut take = usize::MAX;
    while let Some(word) = words.next() {
        let mut value = || words.next_if(|_| true).ok_or("a value is missing");
        answer.has_data |= matches!(word, "data" | "keys" | "full" | "extended" | "regular");
        match word {
            "keys" => {
                let count = number(value()?, 10)?;
                let keys = (1..=count).flat_map(u64::to_be_bytes);
                answer.data = list(keys.collect())?;
            }
            "full" => {
                let count = number(value()?, 10)?;
                answer.data = list((1..=count).flat_map(descriptor).collect())?;
            }
            "extended" | "regular" => {
                let count = u16::try_from(number(value()?, 10)?).map_err(|_| "too many")?;
                answer.data = report(count, word == "extended");
            }
            "at" => {
                let at = size(value()?)?;
                let mut bytes = Vec::new();
                while let Some(part) = words.next_if(|word| is_bytes(word)) {
                    add_bytes(&mut bytes, part)?;
                }
                answer.patches.push((at, bytes));
            }
            "disconnect" => answer.disconnect = true,
            "generation" => header_field(&mut answer.data, 0, value()?)?,
            "length" => header_field(&mut answer.data, 4, value()?)?,
            "take" => take = size(value()?)?,
            "status" => {
                answer.status = u16::try_from(number(value()?, 16)?).map_err(|_| "no status")?;
            }
            "wait" => {
                answer.wait = match value()? {
                    "forever" => None,
                    time => Some(Duration::from_millis(number(time, 10)?)),
                }
            }
            "data" | "sense" => {
                let mut bytes = Vec::new();
                while let Some(part) = words.next_if(|word| is_bytes(word)) {
                    add_bytes(&mut bytes, part)?;
                }
                if word == "data" {
                    answer.data = bytes;
                } else {
                    answer.sense = bytes;
                    answer.status = 2;
                }
            }
            _ => return Err(format!("what is {word}?")),
        }
    }
    if answer.has_data {
        for (at, bytes) in mem::take(&mut answer.patches) {
            let end = answer.data.len().max(at + bytes.len());
            answer.data.resize(end, 0);
            answer.data[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }
    answer.data.truncate(take);
    Ok(Rule {
        pattern: pattern.bytes().collect(),
        first,
        last: if from.is_some() { u64::MAX } else { first },
        answer,
        matched: 0,
    })
}

/// Parameter data with PRGENERATION 7.
fn list(elements: Vec<u8>) -> Result<Vec<u8>, String> {
    let length = u32::try_from(elements.len()).map_err(|_| "too many")?;
    Ok([&[0, 0, 0, 7], &length.to_be_bytes()[..], &elements].concat())
}

/// A full status descriptor with the TransportID of a SAS port.
fn descriptor(key: u64) -> Vec<u8> {
    let mut bytes = key.to_be_bytes().to_vec();
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 24]);
    bytes.extend([6, 0, 0, 0]);
    bytes.extend((0x5000_0000_0000_0000 + key).to_be_bytes());
    bytes.extend([0; 12]);
    bytes
}

/// The data structure of an NVMe Reservation Report: generation 7, no reservation, PTPLS 0; each controller is any of its
/// host's (FFFFh).
fn report(count: u16, extended: bool) -> Vec<u8> {
    let mut data = vec![7, 0, 0, 0, 0];
    data.extend(count.to_le_bytes());
    data.resize(if extended { 64 } else { 24 }, 0);
    for key in 1..=u64::from(count) {
        data.extend([0xff, 0xff, 0, 0, 0, 0, 0, 0]);
        if extended {
            data.extend(key.to_le_bytes());
            data.extend(
                (0x1ab0_0000_0000_4000_8000_0000_0000_0000 + u128::from(key)).to_be_bytes(),
            );
            data.extend([0; 32]);
        } else {
            data.extend((0x1ab0_0000_0000_0000 + key).to_le_bytes());
            data.extend(key.to_le_bytes());
        }
    }
    data
}

fn header_field(data: &mut [u8], offset: usize, value: &str) -> Result<(), String> {
    let value = u32::try_from(number(value, 16)?).map_err(|_| "more than 32 bits")?;
    let field = data.get_mut(offset..offset + 4).ok_or("no header")?;
    field.copy_from_slice(&value.to_be_bytes());
    Ok(())
}

fn number(text: &str, radix: u32) -> Result<u64, String> {
    u64::from_str_radix(text, radix).map_err(|_| format!("{text} is no number"))
}

fn size(text: &str) -> Result<usize, String> {
    usize::try_from(number(text, 10)?).map_err(|_| "too much".to_owned())
}

fn is_bytes(word: &str) -> bool {
    let digits = word.split_once('*').map_or(word, |(digits, _)| digits);
    !digits.is_empty()
        && digits.len().is_multiple_of(2)
        && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn add_bytes(bytes: &mut Vec<u8>, word: &str) -> Result<(), String> {
    let (digits, count) = match word.split_once('*') {
        Some((digits, count)) => (digits, size(count)?),
        None => (word, 1),
    };
    let part = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|error| error.to_string()))
        .collect::<Result<Vec<u8>, _>>()?;
    bytes.extend(part.repeat(count));
    Ok(())
}
