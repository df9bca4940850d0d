//! What programs that call `sg_persist` rely on: their command lines, and the expressions with
//! which they read the answers. Nobody will change these programs for us.

use regex::{Regex, RegexBuilder};

use crate::common::{
    Answer, DEVICE, DISK_LINES, LESS_FULL_STATUS, MORE_KEYS, READ_FULL_STATUS, READ_KEYS,
    READ_RESERVATION, REPORT_CAPABILITIES, RO, RW, Ran, Scene, driver, errno, good, host, sense,
    sg_persist, sg_persist_words, status,
};
use sg_persist::transport::buffer::{Buffer, Filling};

const NO_KEYS: &str = "00000015 00000000";
const ONE_KEY: &str = "00000015 00000008 0000000012345678";
const TWO_KEYS: &str = "00000015 00000010 0000000000abc123 fedcba9876543210";
const NO_RESERVATION: &str = NO_KEYS;

/// READ RESERVATION of a holder with `key` and `type`, each in hex.
fn reservation(key: &str, r#type: &str) -> String {
    format!("00000015 00000010 {key:0>16} 00000000 00 {type:0>2} 0000")
}

/// READ FULL STATUS of two SAS ports, of which the first one is a holder.
fn full_status() -> String {
    let sas = "060000005000c50005b32001000000000000000000000000";
    format!(
        "00000015 00000060
         0000000000abc123 00000000 01 05 00000000 0001 00000018 {sas}
         fedcba9876543210 00000000 00 00 00000000 0002 00000018 {sas}"
    )
}

/// The run that a line asks for, with DEV for the device.
fn run_of(line: &str) -> Scene {
    sg_persist(&line.replace("DEV", DEVICE))
}

/// Reads with `line`, which leaves INQUIRY out.
#[track_caller]
fn read(line: &str, cdb: &str, data: &str) -> String {
    let ran = run_of(line).reads(cdb, good(data)).run();
    assert_eq!((ran.status, &ran.stderr[..]), (0, ""), "{line}");
    ran.stdout
}

/// Changes with `line`, which leaves INQUIRY out, and says nothing.
#[track_caller]
fn change(line: &str, action: &str, list: &str) {
    run_of(line)
        .changes(&format!("5f{action}00000000001800"), list, good(""))
        .run()
        .is(0, "", "");
}

/// A parameter list of two keys in hex and a byte of flags.
fn list(reservation_key: &str, service_action_reservation_key: &str, flags: &str) -> String {
    format!("{reservation_key:0>16}{service_action_reservation_key:0>16}00000000{flags}000000")
}

fn regex(expression: &str) -> Regex {
    Regex::new(expression).unwrap()
}

/// What the first group of `expression` finds on each line that it matches.
fn on_lines(expression: &Regex, text: &str) -> Vec<String> {
    let lines = text.split_inclusive('\n');
    lines
        .filter_map(|line| expression.captures(line))
        .map(|found| found[1].to_owned())
        .collect()
}

mod fence_scsi {
    use super::*;

    #[test]
    fn version() {
        let ran = run_of("-V").run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(regex(r"^version: \S+\n$").is_match(&ran.stdout));
    }

    #[test]
    fn registers() {
        change(
            "-n -o -I -S 3a5d0001 -d DEV",
            "0600",
            &list("0", "3a5d0001", "00"),
        );
        change(
            "-n -o -I -S 3a5d0001 -d DEV -Z",
            "0600",
            &list("0", "3a5d0001", "01"),
        );
    }

    #[test]
    fn reserves() {
        change(
            "-n -o -R -T 5 -K 3a5d0001 -d DEV",
            "0105",
            &list("3a5d0001", "0", "00"),
        );
    }

    #[test]
    fn preempts() {
        change(
            "-n -o -A -T 5 -K 3a5d0001 -S 3a5d0002 -d DEV",
            "0505",
            &list("3a5d0001", "3a5d0002", "00"),
        );
        change(
            "-n -o -P -T 5 -K 3a5d0001 -S 3a5d0002 -d DEV",
            "0405",
            &list("3a5d0001", "3a5d0002", "00"),
        );
    }

    #[test]
    fn reads_keys() {
        let key = regex(r"\s+0x(\S+)\s*");
        for line in ["-n -i -k -d DEV", "-n -i -y -k -d DEV"] {
            let shown = read(line, READ_KEYS, TWO_KEYS);
            assert_eq!(on_lines(&key, &shown), ["abc123", "fedcba9876543210"]);
            let shown = read(line, READ_KEYS, NO_KEYS);
            assert!(on_lines(&key, &shown).is_empty() && !key.is_match(&shown));
        }
    }

    #[test]
    fn reads_the_holder() {
        let key = RegexBuilder::new(r"\s+key=0x(\S+)\s+")
            .case_insensitive(true)
            .build()
            .unwrap();
        for line in ["-n -i -r -d DEV", "-n -i -y -r -d DEV"] {
            let shown = read(line, READ_RESERVATION, &reservation("3a5d0001", "5"));
            assert_eq!(&key.captures(&shown).unwrap()[1], "3a5d0001");
            assert_eq!(on_lines(&key, &shown), ["3a5d0001"]);
            let shown = read(line, READ_RESERVATION, NO_RESERVATION);
            assert!(!key.is_match(&shown));
        }
    }

    #[test]
    fn sees_failures_by_the_status() {
        for answer in [status(0x18), sense(5, 0x24, 0), host(1), errno(libc::EIO)] {
            let ran = run_of("-n -o -R -T 5 -K 1 -d DEV")
                .changes("5f010500000000001800", &list("1", "0", "00"), answer)
                .run();
            assert_ne!(ran.status, 0);
            assert_eq!(ran.stdout, "");
        }
    }
}

mod fence_scsi_of_2010 {
    use super::*;

    /// What is left of each line that the expression was removed from.
    fn rest(expression: &str, text: &str) -> Vec<String> {
        let expression = RegexBuilder::new(expression)
            .case_insensitive(true)
            .build()
            .unwrap();
        let lines = text.lines().filter(|line| expression.is_match(line));
        lines
            .map(|line| expression.replace(line, "").into_owned())
            .collect()
    }

    #[test]
    fn nothing_follows_a_key() {
        let shown = read("-n -i -k -d DEV", READ_KEYS, TWO_KEYS);
        assert_eq!(rest(r"^\s+0x", &shown), ["abc123", "fedcba9876543210"]);
        let shown = read(
            "-n -i -r -d DEV",
            READ_RESERVATION,
            &reservation("abc123", "5"),
        );
        assert_eq!(rest(r"^\s+key=0x", &shown), ["abc123"]);
    }

    #[test]
    fn releases() {
        change(
            "-n -o -L -T 5 -K 3a5d0001 -d DEV",
            "0205",
            &list("3a5d0001", "0", "00"),
        );
    }
}

mod kubevirt {
    use super::*;

    fn read_keys(data: &str) -> String {
        let ran = run_of("-i -k DEV")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, good(data))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        ran.stdout
    }

    #[test]
    fn reads_keys() {
        assert!(read_keys(NO_KEYS).contains("there are NO registered reservation keys"));
        assert!(
            read_keys(ONE_KEY).contains("1 registered reservation key follows:\n    0x12345678\n")
        );
    }

    #[test]
    fn registers_and_looks_for_the_disk() {
        let ran = run_of("-o -G  --param-sark=12345678 DEV")
            .opens(RO)
            .inquires()
            .changes(
                "5f000000000000001800",
                &list("0", "12345678", "00"),
                good(""),
            )
            .run();
        ran.is(0, DISK_LINES, "");
        assert!(ran.stdout.contains("Peripheral device type: disk"));
    }
}

mod tp_libvirt {
    use super::*;

    #[test]
    fn registers_and_unregisters_with_a_type() {
        let verbose =
            |cdb: &str| format!("    Persistent reservation out cdb: [{cdb}]\nPR out: command (");
        let ran = run_of("--no-inquiry -v --out --register-ignore --param-sark 123aaa DEV")
            .changes("5f060000000000001800", &list("0", "123aaa", "00"), good(""))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (0, ""));
        assert!(
            ran.stderr
                .starts_with(&verbose("5f 06 00 00 00 00 00 00 18 00"))
        );
        let ran = run_of("--no-inquiry -v --out --register --param-rk 123aaa --prout-type 5 DEV")
            .changes("5f000500000000001800", &list("123aaa", "0", "00"), good(""))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (0, ""));
        assert!(
            ran.stderr
                .starts_with(&verbose("5f 00 05 00 00 00 00 00 18 00"))
        );
    }

    #[test]
    fn stops_where_the_first_command_fails() {
        let ran = run_of("--no-inquiry -v --out --register-ignore --param-sark 123aaa DEV")
            .changes(
                "5f060000000000001800",
                &list("0", "123aaa", "00"),
                status(0x18),
            )
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (24, ""));
    }
}

mod opensvc {
    use super::*;

    fn set(line: &str) -> Scene {
        run_of(line).in_readonly()
    }

    /// What follows `start` on the lines that begin with exactly that.
    fn after<'a>(start: &str, text: &'a str) -> Vec<&'a str> {
        text.lines()
            .filter_map(|line| line.strip_prefix(start))
            .collect()
    }

    #[test]
    fn reads_keys() {
        let ran = set("-n --in --read-keys DEV")
            .reads(READ_KEYS, good(TWO_KEYS))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert_eq!(after("    0x", &ran.stdout), ["abc123", "fedcba9876543210"]);
    }

    #[test]
    fn reads_the_reservation() {
        let ran = set("-n --in --read-reservation DEV")
            .reads(READ_RESERVATION, good(&reservation("abc123", "5")))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert_eq!(after("    Key=0x", &ran.stdout), ["abc123"]);
    }

    #[test]
    fn changes() {
        for (line, action, list) in [
            (
                "-n --out --register-ignore --param-sark 0xabc123 DEV",
                "0600",
                list("0", "abc123", "00"),
            ),
            (
                "-n --out --register-ignore --param-rk 0xabc123 DEV",
                "0600",
                list("abc123", "0", "00"),
            ),
            (
                "-n --out --preempt-abort --param-sark 0xabc123 --param-rk 0x123abc --prout-type 5 DEV",
                "0505",
                list("123abc", "abc123", "00"),
            ),
        ] {
            set(line)
                .changes(&format!("5f{action}00000000001800"), &list, good(""))
                .run()
                .is(0, "", "");
        }
    }

    #[test]
    fn tries_again_on_status_6() {
        let ran = set("-n --in --read-keys DEV")
            .reads(READ_KEYS, sense(6, 0x29, 0))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (6, ""));
        let ran = set("-n --out --register-ignore --param-sark 0xabc123 DEV")
            .changes(
                "5f060000000000001800",
                &list("0", "abc123", "00"),
                sense(6, 0x2a, 3),
            )
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (6, ""));
    }
}

mod open_ebackup {
    use super::*;

    #[test]
    fn reads_the_reservation() {
        let shown = read("-i -n -r -d DEV", READ_RESERVATION, NO_RESERVATION);
        assert!(shown.contains("there is NO reservation held"));
        let shown = read(
            "-i -n -r -d DEV",
            READ_RESERVATION,
            &reservation("bb8", "5"),
        );
        assert!(shown.contains("Key=0xbb8"));
        assert!(shown.contains("scope: LU_SCOPE,  type: Write Exclusive, registrants only"));
    }

    #[test]
    fn sees_what_is_not_supported() {
        let ran = run_of("-i -n -r -d DEV")
            .reads(READ_RESERVATION, sense(5, 0x20, 0))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (9, ""));
        assert!(ran.stderr.contains("command not supported"));
    }

    #[test]
    fn registers_and_unregisters() {
        change("-n -o -I -S 0xBB8 -d DEV", "0600", &list("0", "bb8", "00"));
        change(
            "-n -o -I -K 0xbb8 -S 0 -d DEV",
            "0600",
            &list("bb8", "0", "00"),
        );
    }
}

mod actiontech {
    use super::*;

    fn holder() -> Regex {
        regex(r"Key\s*=\s*(0x[0-9a-fA-F]+)\s.*type\s*[:=]\s*(.*)")
    }

    #[test]
    fn reads_the_reservation() {
        let shown = read(
            "-n -i -r -d DEV",
            READ_RESERVATION,
            &reservation("abc123", "6"),
        );
        let found = holder().captures(&shown).unwrap();
        assert_eq!(&found[1], "0xabc123");
        assert_eq!(&found[2], "Exclusive Access, registrants only");
        let shown = read("-n -i -r -d DEV", READ_RESERVATION, NO_RESERVATION);
        assert!(!holder().is_match(&shown));
    }

    #[test]
    fn sees_obsolete_types() {
        for r#type in ["0", "2", "4", "9", "a", "f"] {
            let shown = read(
                "-n -i -r -d DEV",
                READ_RESERVATION,
                &reservation("abc123", r#type),
            );
            let found = holder().captures(&shown).unwrap();
            assert!(found[2].starts_with("obsolete"), "{shown}");
        }
    }

    #[test]
    fn reads_keys() {
        let key = regex(r"\s+([0-9a-fxA-FX]*)$");
        let shown = read("-n -i -k -d DEV", READ_KEYS, TWO_KEYS);
        let keys: Vec<_> = shown
            .lines()
            .filter_map(|line| key.captures(line))
            .map(|found| found[1].to_owned())
            .collect();
        assert_eq!(keys, ["0xabc123", "0xfedcba9876543210"]);
        let shown = read("-n -i -k -d DEV", READ_KEYS, NO_KEYS);
        assert!(!shown.lines().any(|line| key.is_match(line)));
    }

    #[test]
    fn changes() {
        change(
            "-n -o -R -S 0x0 -T 6 -K 0xabc123 -d DEV",
            "0106",
            &list("abc123", "0", "00"),
        );
        change(
            "-n -o -C -K 0xabc123 -d DEV",
            "0300",
            &list("abc123", "0", "00"),
        );
        change(
            "-n -o -G -S 0x0 -K 0xabc123 -d DEV",
            "0000",
            &list("abc123", "0", "00"),
        );
    }
}

mod scale_computing {
    use super::*;

    /// `sscanf(text, " PR generation=%x", &generation)`.
    fn sscanf(text: &str) -> Option<u32> {
        let text = text.trim_ascii_start().strip_prefix("PR")?;
        let text = text.trim_ascii_start().strip_prefix("generation=")?;
        let text = text.trim_ascii_start();
        let digits = text
            .strip_prefix("0x")
            .or(text.strip_prefix("0X"))
            .unwrap_or(text);
        let end = digits.find(|c: char| !c.is_ascii_hexdigit());
        let digits = &digits[..end.unwrap_or(digits.len())];
        u32::from_str_radix(digits, 16).ok()
    }

    #[test]
    fn reads_keys_with_grep_and_awk() {
        let ran = run_of("--in --read-full-status DEV")
            .opens(RO)
            .inquires()
            .sends(READ_FULL_STATUS, good(&full_status()))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        let keys = ran.stdout.lines().filter(|line| line.contains("Key"));
        let keys: Vec<_> = keys.map(|line| line.split('=').nth(1).unwrap()).collect();
        assert_eq!(keys, ["0xabc123", "0xfedcba9876543210"]);
    }

    #[test]
    fn reads_the_generation() {
        for (line, cdb, data) in [
            ("-n --in --read-keys DEV", READ_KEYS, NO_KEYS.to_owned()),
            ("-n --in --read-keys DEV", READ_KEYS, TWO_KEYS.to_owned()),
            (
                "-n --in --read-reservation DEV",
                READ_RESERVATION,
                NO_RESERVATION.to_owned(),
            ),
            (
                "-n --in --read-reservation DEV",
                READ_RESERVATION,
                reservation("1", "5"),
            ),
            (
                "-n --in --read-full-status DEV",
                READ_FULL_STATUS,
                full_status(),
            ),
        ] {
            let shown = read(line, cdb, &data);
            assert_eq!(sscanf(&shown), Some(0x15), "{shown}");
        }
        // With the lines about the device before it, one line has it.
        let ran = run_of("--in --read-full-status DEV")
            .opens(RO)
            .inquires()
            .sends(READ_FULL_STATUS, good(&full_status()))
            .run();
        let found: Vec<_> = ran.stdout.lines().filter_map(sscanf).collect();
        assert_eq!(found, [0x15]);
    }

    #[test]
    fn takes_any_text_on_stderr_for_a_result() {
        run_of("--out --register-ignore --param-sark=0xabc123 DEV")
            .opens(RO)
            .inquires()
            .changes("5f060000000000001800", &list("0", "abc123", "00"), good(""))
            .run()
            .is(0, DISK_LINES, "");
    }
}

/// What follows from all of them.
mod rules {
    use super::*;

    /// Answers to each of the four service actions, none of them empty.
    fn questions() -> [(&'static str, &'static str, String); 4] {
        [
            ("-k", READ_KEYS, TWO_KEYS.to_owned()),
            ("-r", READ_RESERVATION, reservation("abc123", "5")),
            (
                "-c",
                REPORT_CAPABILITIES,
                "0008 1d 90 ea 01 0000".to_owned(),
            ),
            ("-s", READ_FULL_STATUS, full_status()),
        ]
    }

    #[test]
    fn rule_1_a_key_stands_alone_on_its_line() {
        let blank_0x = regex(r"\s0x");
        let key = regex(r"^    0x(0|[1-9a-f][0-9a-f]*)$");
        for data in [
            NO_KEYS.to_owned(),
            ONE_KEY.to_owned(),
            TWO_KEYS.to_owned(),
            "ffffffff 00000018 0000000000000000 000000000000000a ffffffffffffffff".to_owned(),
        ] {
            let shown = read("-n -k DEV", READ_KEYS, &data);
            let mut lines = shown.lines();
            assert!(!blank_0x.is_match(lines.next().unwrap()));
            assert!(lines.all(|line| key.is_match(line)), "{shown}");
        }
    }

    #[test]
    fn rule_2_the_generation_comes_first_and_stderr_is_empty() {
        for (letter, cdb, data) in questions() {
            let shown = read(&format!("-n {letter} DEV"), cdb, &data);
            assert_eq!(
                shown.starts_with("  PR generation=0x15"),
                letter != "-c",
                "{shown}"
            );
        }
        for (line, notes) in [("-n DEV", 2), ("-n -i DEV", 2), ("-n -k DEV", 0)] {
            let ran = run_of(line).reads(READ_KEYS, good(TWO_KEYS)).run();
            assert_eq!((ran.status, ran.stderr.lines().count()), (0, notes));
            assert!(ran.stderr.lines().all(|line| line.starts_with(">> ")));
        }
        let ran = run_of("-n -o -R DEV")
            .changes("5f010000000000001800", &list("0", "0", "00"), good(""))
            .run();
        ran.is(
            0,
            "",
            "warning>>> --prout-type probably needs to be given\n",
        );
    }

    /// Room for an answer that a device or a driver refuses is no failure where there is an answer in
    /// less of it.
    #[test]
    fn rule_2_stderr_is_empty_after_a_second_attempt() {
        let told = "Persistent reservation in: pass-through os error: Input/output error\n";
        let refused = || errno(libc::EIO);
        let keys = |count: usize| {
            let keys: String = (0..count).map(|key| format!("{key:016x}")).collect();
            format!("00000001 {:08x} {keys}", count * 8)
        };
        run_of("-n -k -m 24 DEV")
            .reads("5e000000000000001800", good(&keys(2)))
            .sends(MORE_KEYS, refused())
            .sends(READ_KEYS, good(&keys(2)))
            .run()
            .is(
                0,
                "  PR generation=0x1, 2 registered reservation keys follow:\n    0x0\n    0x1\n",
                "",
            );
        run_of("--has-key=3fe DEV")
            .reads(READ_KEYS, good(&keys(1023)))
            .sends(MORE_KEYS, refused())
            .sends("5e000000000000400000", good(&keys(1023)))
            .run()
            .is(0, "", "");
        // Nor with what an overview can do without.
        let ran = run_of("--overview DEV")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good("0008 1d90ea01 0000"))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(&reservation("abc123", "5")))
            .sends(READ_FULL_STATUS, refused())
            .sends(LESS_FULL_STATUS, good(&full_status()))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        // What ends the run is told.
        run_of("-n -s DEV")
            .reads(READ_FULL_STATUS, refused())
            .sends(LESS_FULL_STATUS, refused())
            .run()
            .is(
                55,
                "",
                &format!(
                    "{told}PR in (Read full status): Input/output error\n\
                     sg_persist failed: Input/output error\n"
                ),
            );
        let ran = run_of("-n -k DEV")
            .reads(READ_KEYS, good(&keys(1023)))
            .sends(MORE_KEYS, sense(3, 0x11, 0))
            .run();
        assert_eq!(ran.status, 3);
        assert!(ran.stderr.contains("Medium Error"), "{}", ran.stderr);
        // With -v everything is.
        let ran = run_of("-n -s -v DEV")
            .reads(READ_FULL_STATUS, refused())
            .sends(LESS_FULL_STATUS, good(&full_status()))
            .run();
        assert_eq!((ran.status, ran.stderr.matches(told).count()), (0, 1));
    }

    #[test]
    fn rule_3_blanks_and_capitals() {
        let shown = read("-n -r DEV", READ_RESERVATION, &reservation("abc123", "5"));
        assert!(shown.contains("LU_SCOPE,  type: "));
        assert!(shown.contains("    Key=0xabc123\n"));
        assert!(read("-n -r DEV", READ_RESERVATION, NO_RESERVATION).contains(" NO "));
        assert!(read("-n -k DEV", READ_KEYS, NO_KEYS).contains(" NO "));
        let shown = read("-n -s DEV", READ_FULL_STATUS, &full_status());
        assert!(shown.contains("    Key=0xabc123\n") && shown.contains("LU_SCOPE,  type: "));
    }

    /// Everything that a caller could take for an answer.
    fn resembles_an_answer(text: &str) -> bool {
        [
            r"(?i)key",
            r"0x",
            r"PR generation",
            r"\bNO\b",
            r"LU_SCOPE",
            r"(?i)follows?:",
            r"capabilities",
            r"(?i)descriptors?",
            r"type\s*[:=]",
        ]
        .iter()
        .any(|expression| regex(expression).is_match(text))
    }

    #[test]
    fn rule_4_no_failure_resembles_an_answer() {
        let failures: Vec<(Answer, Option<u8>)> = vec![
            (status(0x18), Some(24)),
            (sense(6, 0x29, 0), Some(6)),
            (status(0x02), None),
            (status(0x08), None),
            (status(0x28), None),
            (status(0x40), None),
            (status(0x42), None),
            (sense(2, 4, 1), None),
            (sense(3, 0x11, 0), None),
            (sense(5, 0x24, 0), None),
            (sense(0xb, 0, 0), None),
            (host(1), None),
            (host(3), None),
            (host(0x11).and_status(0x18), Some(24)),
            (driver(6), None),
            (errno(libc::EIO), None),
            (errno(libc::ENXIO), None),
            (errno(libc::ENOTTY), None),
            (good("").residual(-1), None),
        ];
        // INVALID FIELD IN CDB and EIO may mean that so much room cannot be had.
        let refuses_room = |number| matches!(number, 9 | 15);
        for (number, (answer, code)) in failures.into_iter().enumerate() {
            for (letter, cdb, data) in questions() {
                let mut scene =
                    run_of(&format!("-n {letter} DEV")).reads(cdb, answer.clone().and_data(&data));
                // It may have asked for too much.
                if cdb == READ_FULL_STATUS && refuses_room(number) {
                    scene = scene.sends(LESS_FULL_STATUS, answer.clone().and_data(&data));
                }
                let ran = scene.run();
                assert_ne!(ran.status, 0, "{ran:?}");
                assert!(code.is_none_or(|code| code == ran.status), "{ran:?}");
                assert_eq!(ran.stdout, "", "{ran:?}");
            }
        }
        assert!(resembles_an_answer(&read("-n -k DEV", READ_KEYS, NO_KEYS)));
    }

    #[test]
    fn rule_4_no_part_of_an_answer_resembles_one() {
        for (letter, cdb, data) in questions() {
            let data = crate::common::bytes(&data);
            for end in 0..data.len() {
                let answer = || crate::common::with_data(&data[..end]);
                let mut scene = run_of(&format!("-n {letter} DEV")).reads(cdb, answer());
                // Where the last bytes look as if nobody had written them, it is asked once more.
                let mut buffer = Buffer::new(end, Filling::First);
                buffer.room().copy_from_slice(&data[..end]);
                if buffer.may_end_unwritten(end) {
                    scene = scene.sends(cdb, answer());
                }
                let ran = scene.run();
                assert_eq!((ran.status, &ran.stdout[..]), (97, ""), "{letter} {end}");
            }
            let ran = run_of(&format!("-n {letter} DEV"))
                .reads(cdb, crate::common::with_data(&data))
                .run();
            assert!(
                ran.status == 0 && resembles_an_answer(&ran.stdout),
                "{ran:?}"
            );
        }
    }

    #[test]
    fn rule_4_mistakes_send_nothing_and_print_nothing() {
        for line in [
            "-n -k",
            "-n -k DEV DEV",
            "-n -k -r DEV",
            "-n -G DEV",
            "-n -o DEV",
            "-n -i -o -G DEV",
            "-n -o -G -K zz DEV",
            "-n -o -G -X zz DEV",
            "-n -k --nosuch DEV",
            "-n -k -x DEV",
            "-n -k DEV -K",
        ] {
            let ran: Ran = run_of(line).run();
            assert_ne!(ran.status, 0, "{line}");
            assert_eq!(ran.stdout, "", "{line}");
            assert_ne!(ran.stderr, "", "{line}");
            ran.touched_nothing();
        }
    }

    #[test]
    fn rule_5_spellings() {
        for line in [
            "-nk DEV",
            "-nkd DEV",
            "-nkdDEV",
            "-n -k -d DEV",
            "--no-inquiry --read-keys --device=DEV",
            "--no-inquiry --read-keys --device DEV",
            "--no_inquiry --read_keys DEV",
            "--no --in --read-k DEV",
            "DEV -kn",
        ] {
            let shown = read(line, READ_KEYS, TWO_KEYS);
            assert!(
                shown.starts_with("  PR generation=0x15, 2 registered"),
                "{line}"
            );
        }
        for key in [
            "abc123", "ABC123", "0xabc123", "0XABC123", "0xAbC123", "00abc123",
        ] {
            for line in [
                format!("-n -o -G -S {key} DEV"),
                format!("-noGS{key} DEV"),
                format!("-n --out --register --param-sark={key} DEV"),
                format!("-n --out --register --param_sark {key} -d DEV"),
                format!("-n --ou --register --param-s {key} DEV"),
            ] {
                change(&line, "0000", &list("0", "abc123", "00"));
            }
        }
    }

    #[test]
    fn rule_6_version_ends_with_0() {
        assert_eq!(run_of("-V").run().status, 0);
        assert_eq!(run_of("--version").run().status, 0);
    }

    #[test]
    fn rule_7_unregistering() {
        for line in [
            "-n --out --register --param-rk=abc123 DEV",
            "-n --out --register --param-rk=abc123 --param-sark=0 DEV",
        ] {
            change(line, "0000", &list("abc123", "0", "00"));
        }
        change("-n -o -I -S 0 DEV", "0600", &list("0", "0", "00"));
        change(
            "-n -o -G -K abc123 -T 5 DEV",
            "0005",
            &list("abc123", "0", "00"),
        );
    }

    #[test]
    fn rule_8_a_change_without_n_shows_the_device() {
        let ran = sg_persist_words(&["--out", "--register", DEVICE])
            .opens(RO)
            .inquires()
            .opens(RW)
            .sends_out("5f000000000000001800", &list("0", "0", "00"), good(""))
            .run();
        ran.is(0, DISK_LINES, "");
    }

    #[test]
    fn rule_9_key_0_is_a_holder() {
        for (r#type, words) in [
            ("7", "Write Exclusive, all registrants"),
            ("8", "Exclusive Access, all registrants"),
        ] {
            let shown = read("-n -r DEV", READ_RESERVATION, &reservation("0", r#type));
            assert_eq!(
                shown,
                format!(
                    "  PR generation=0x15, Reservation follows:
    Key=0x0
    scope: LU_SCOPE,  type: {words}
"
                )
            );
        }
    }
}
