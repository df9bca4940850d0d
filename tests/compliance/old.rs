//! Where sg3-utils 1.46 is known to differ from 1.48. Each rule turns what 1.48
//! does into what 1.46 must do.

use crate::case::{Case, Device, End, Outcome, Trigger};
use crate::compare::streams;
use crate::differences::{
    Judge, Verdict, find, last_command_answer, lines, read, replace, retain_lines,
};
use std::io;

/// Texts on stderr of 1.48 and of 1.46.
const TEXTS: [(&str, &[u8], &[u8]); 5] = [
    (
        "1.46 does not know DID_TRANSPORT_MARGINAL",
        b"Host_status=0x14 [DID_TRANSPORT_MARGINAL]",
        b"Host_status=0x14 is invalid",
    ),
    (
        "1.46 says 'got  got'",
        b" bytes (data-in), got ",
        b" bytes (data-in), got  got ",
    ),
    (
        "1.46 calls the length of sense data embedded",
        b", calculated_len=",
        b", embedded_len=",
    ),
    (
        "1.46 calls a malformed response otherwise",
        b"Malformed SCSI command response",
        b"Malformed SCSI command",
    ),
    (
        "1.46 words the success of register and move otherwise",
        b"PR out (register and move): command successful",
        b"PR out: 'register and move' command successful",
    ),
];

const NOT_READY: (&[u8], &[u8]) = (b"Device not ready", b"Device not ready, type: sense key");
const BAD_FIELD: &[u8] = b"bad field in cdb or parameter list (perhaps unsupported service action)";

/// Judges 1.46 (`found`) by 1.48 (`expected`).
pub(crate) fn judge(
    judge: &Judge<'_>,
    case: &Case,
    mut expected: Outcome,
    found: Outcome,
) -> io::Result<Verdict> {
    let mut explained = Vec::new();
    host_status(judge, case, &mut expected, &mut explained)?;
    for (name, new, old) in TEXTS {
        let text = replace(&expected.stderr, new, old);
        if text != expected.stderr {
            explained.push(name);
            expected.stderr = text;
        }
    }
    dropped_lines(&mut expected, &mut explained);
    categories(case, &mut expected, &mut explained);
    let mut found = found;
    both(case, &mut expected, &mut found, &mut explained);
    cut_sense(&mut expected, &found, &mut explained);
    let streams = streams(&expected, &found);
    Ok(Verdict {
        explained,
        streams,
        expected,
        found,
    })
}

/// A failed transport passes for a success.
fn host_status(
    judge: &Judge<'_>,
    case: &Case,
    expected: &mut Outcome,
    explained: &mut Vec<&'static str>,
) -> io::Result<()> {
    let mut without = case.clone();
    for answer in &mut without.answers {
        if answer.host != 0 && answer.errno == 0 {
            answer.host = 0;
            answer.driver = 0;
            answer.status = 0;
            if matches!(answer.to, Trigger::Command(0x12, _)) && answer.data.len() < 4 {
                // 1.46 does not ask how much of the INQUIRY data came.
                answer.data = vec![0; 36];
            }
        }
    }
    if without == *case {
        return Ok(());
    }
    let success = judge.original(&without)?;
    if success == *expected {
        return Ok(());
    }
    explained.push("1.46 takes a failed transport for a success");
    // The text about the transport, in which the driver status is always named.
    let mut text = Vec::new();
    let mut rest = &expected.stderr[..];
    if let Some(at) = find(rest, b": transport: Host_status=") {
        let from = rest[..at]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        rest = &rest[from..];
        let length = find(rest, b"\n\n").map_or(rest.len(), |end| end + 2);
        text.extend_from_slice(&rest[..length]);
        if find(&text, b"Driver_status=").is_none() {
            text.truncate(text.len().saturating_sub(1));
            text.extend_from_slice(b"Driver_status=0x00 [DRIVER_OK]\n\n");
        }
    }
    *expected = success;
    let inquiry = text.starts_with(b"inquiry:");
    // It stands behind the command and its duration.
    let stderr = &expected.stderr;
    let at = lines(stderr)
        .scan(0, |at, line| {
            *at += line.len();
            Some((*at, line))
        })
        .take_while(|(_, line)| !inquiry || find(line, b"ersistent reservation").is_none())
        .filter(|(_, line)| {
            find(line, b" cdb: ").is_some()
                || line.starts_with(b"      duration=")
                || line.starts_with(b"warning>>>")
                || line.starts_with(b">> ")
                || line.starts_with(b"  with Read")
        })
        .map(|(at, _)| at)
        .last()
        .unwrap_or_default();
    expected.stderr.splice(at..at, text);
    Ok(())
}

/// What 1.46 does not print.
fn dropped_lines(expected: &mut Outcome, explained: &mut Vec<&'static str>) {
    let before = expected.stderr.len();
    let mut dump = false;
    let kept = lines(&expected.stderr).filter(|line| {
        dump |= line.starts_with(b"vvvvvvvvvvvvvvvv");
        let dumped = dump;
        dump &= !line.starts_with(b"^^vv^^vv");
        !dumped && !line.starts_with(b"Number of PROUT parameters: ")
    });
    expected.stderr = kept.flatten().copied().collect();
    if expected.stderr.len() != before {
        explained.push("1.46 neither dumps the command line nor counts parameters");
    }
}

/// Categories that 1.46 does not have, and the words for the others.
fn categories(case: &Case, expected: &mut Outcome, explained: &mut Vec<&'static str>) {
    let quiet = read(case).count(b'v') == 0;
    let new = expected.end;
    let ending = |expected: &mut Outcome, told: &[u8], failed: &[u8]| {
        let mut stderr = Vec::new();
        for line in lines(&expected.stderr) {
            if let Some(at) = find(line, b"): ").filter(|_| line.starts_with(b"PR ")) {
                stderr.extend_from_slice(&line[..at + 3]);
                stderr.extend_from_slice(told);
                stderr.push(b'\n');
            } else if line.starts_with(b"sg_persist failed: ") {
                stderr.extend_from_slice(b"sg_persist failed: ");
                stderr.extend_from_slice(failed);
                stderr.push(b'\n');
            } else {
                stderr.extend_from_slice(line);
            }
        }
        expected.stderr = stderr;
    };
    match new {
        End::Exit(12 | 13) => {
            expected.end = End::Exit(2);
            let told = if quiet { NOT_READY.0 } else { NOT_READY.1 };
            ending(expected, told, NOT_READY.0);
            explained.push("1.46 has one category for devices that are not ready");
        }
        End::Exit(19) => {
            expected.end = End::Exit(5);
            ending(expected, BAD_FIELD, b"Illegal request");
            explained.push("1.46 has no category for a bad parameter list");
        }
        End::Exit(5)
            if last_command_answer(case, expected).is_some_and(|(opcode, _)| opcode == 0x5f) =>
        {
            ending(expected, BAD_FIELD, b"Illegal request");
            explained.push("1.46 words an illegal PR OUT otherwise");
        }
        _ => {}
    }
}

/// Lines that are left out on both sides.
fn both(
    case: &Case,
    expected: &mut Outcome,
    found: &mut Outcome,
    explained: &mut Vec<&'static str>,
) {
    let mut leave = |name, which: &dyn Fn(&[u8]) -> bool, stdout: bool| {
        let mut changed = false;
        for outcome in [&mut *expected, &mut *found] {
            let stream = if stdout {
                &mut outcome.stdout
            } else {
                &mut outcome.stderr
            };
            let before = stream.len();
            retain_lines(stream, |line| !which(line));
            changed |= stream.len() != before;
        }
        if changed {
            explained.push(name);
        }
    };
    leave(
        "1.46 looks up the driver numbers at the first open",
        &|line| line.starts_with(b"found sg_"),
        false,
    );
    let character =
        case.device == Device::Null || case.argv.iter().any(|word| word.starts_with(b"/dev/"));
    if character {
        leave(
            "1.46 does not tell character devices",
            &|line| line.starts_with(b"check_file_type: "),
            false,
        );
    }
    let answers = || case.answers.iter();
    if answers().any(|answer| answer.sense.starts_with(&[0x72]) && answer.sense.contains(&0x0c)) {
        leave(
            "1.46 has no empty line in forwarded sense data",
            &|line| line == b"\n",
            false,
        );
    }
    let overrun = |sense: &[u8]| {
        sense
            .get(7)
            .is_some_and(|&more| usize::from(more) + 8 > sense.len())
    };
    let length = |stderr: &[u8]| find(stderr, b" Raw sense data").unwrap_or(stderr.len());
    let dumped = answers().any(|answer| overrun(&answer.sense));
    let beyond = |data: &[u8]| {
        let told = data.get(4..8).and_then(<[u8]>::first_chunk::<4>);
        told.is_some_and(|told| u32::from_be_bytes(*told) > 8184)
    };
    if answers().any(|answer| beyond(&answer.data)) {
        leave(
            "both decode memory beyond the response",
            &|line| line.starts_with(b"    ") || line.starts_with(b" "),
            true,
        );
        if matches!((expected.end, found.end), (End::Signal(_), End::Signal(_))) {
            expected.stdout.clone_from(&found.stdout);
        }
    }
    if dumped && length(&expected.stderr) < expected.stderr.len() {
        // And 1.46 cuts what it says at 512 characters.
        for outcome in [&mut *expected, &mut *found] {
            outcome.stderr.truncate(length(&outcome.stderr));
        }
        explained.push("both dump memory beyond the sense data");
    }
}

/// 1.46 has room for 512 characters of sense text.
fn cut_sense(expected: &mut Outcome, found: &Outcome, explained: &mut Vec<&'static str>) {
    let stderr = &expected.stderr;
    let Some(from) = find(stderr, b" format, ") else {
        return;
    };
    let Some(length) = find(&stderr[from..], b"\nPR ").map(|length| length + 1) else {
        return;
    };
    for room in 480..512.min(length) {
        let mut cut = stderr.clone();
        cut.drain(from + room..from + length);
        if cut == found.stderr {
            expected.stderr = cut;
            explained.push("1.46 cuts sense data texts at 512 characters");
            return;
        }
    }
}
