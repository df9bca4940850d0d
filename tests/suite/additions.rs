//! The options that the original does not have: questions, retries, verified changes, what is
//! shown and not sent, the overview, completions.

use crate::common::{
    Answer, INQUIRY, LESS_FULL_STATUS, READ_FULL_STATUS, READ_KEYS, READ_RESERVATION,
    REPORT_CAPABILITIES, RO, RW, Scene, check_condition, errno, good, host, sense, sg_persist,
    status,
};

const NO_KEYS: &str = "00000002 00000000";
const TWO_KEYS: &str = "00000002 00000010 0000000000abc123 0000000000123abc";
const NO_RESERVATION: &str = "00000002 00000000";
const HELD: &str = "00000002 00000010 0000000000abc123 00000000 00 05 0000";
const HELD_BY_ALL: &str = "00000002 00000010 0000000000000000 00000000 00 07 0000";
const REGISTER: &str = "5f000000000000001800";
const REGISTER_LIST: &str = "0000000000000000 0000000000abc123 0000000000000000";

/// A question is answered by the status alone.
#[track_caller]
fn answers(scene: Scene, expected: u8) {
    scene.run().is(expected, "", "");
}

mod questions {
    use super::*;

    #[test]
    fn has_key_compares_numbers() {
        for (key, expected) in [("ABC123", 0), ("0x0000123abc", 0), ("abc12", 36), ("0", 36)] {
            let scene = sg_persist(&format!("--has-key={key} /dev/sda"));
            answers(scene.reads(READ_KEYS, good(TWO_KEYS)), expected);
        }
    }

    #[test]
    fn has_key_without_any() {
        answers(
            sg_persist("--has-key 1 /dev/sda").reads(READ_KEYS, good(NO_KEYS)),
            36,
        );
    }

    #[test]
    fn a_question_that_cannot_be_answered_is_neither_yes_nor_no() {
        let ask = || sg_persist("--has-key=abc123 /dev/sda");
        assert_eq!(ask().reads(READ_KEYS, host(1)).run().status, 35);
        assert_eq!(
            ask().reads(READ_KEYS, good(&TWO_KEYS[..30])).run().status,
            97
        );
        let mut scene = ask().opens(RO);
        for _ in 0..17 {
            scene = scene.sends(READ_KEYS, sense(6, 0x29, 0));
        }
        assert_eq!(scene.run().status, 6);
        let opened = ask().fails_to_open(RO, 2).run();
        assert_eq!((opened.status, &opened.stdout[..]), (52, ""));
        assert!(opened.stderr.contains("No such file or directory"));
    }

    #[test]
    fn holder_is() {
        let ask = |key: &str, data| {
            sg_persist(&format!("--holder-is={key} /dev/sda")).reads(READ_RESERVATION, good(data))
        };
        answers(ask("abc123", HELD), 0);
        answers(ask("123abc", HELD), 36);
        answers(ask("abc123", NO_RESERVATION), 36);
    }

    #[test]
    fn every_registrant_holds_a_reservation_of_all_registrants() {
        let ask = |key: &str| {
            sg_persist(&format!("--holder-is={key} /dev/sda"))
                .reads(READ_RESERVATION, good(HELD_BY_ALL))
                .sends(READ_KEYS, good(TWO_KEYS))
        };
        answers(ask("123abc"), 0);
        answers(ask("abc123"), 0);
        answers(ask("0"), 36);
    }

    #[test]
    fn holder_is_reads_again_what_changed_in_between() {
        let newer = TWO_KEYS.replacen('2', "3", 1);
        let held = HELD_BY_ALL.replacen('2', "3", 1);
        let scene = sg_persist("--holder-is=abc123 /dev/sda")
            .reads(READ_RESERVATION, good(HELD_BY_ALL))
            .sends(READ_KEYS, good(&newer))
            .sends(READ_RESERVATION, good(&held))
            .sends(READ_KEYS, good(&newer));
        answers(scene, 0);
    }

    #[test]
    fn holder_is_gives_up_where_it_never_settles() {
        let newer = TWO_KEYS.replacen('2', "3", 1);
        let mut scene = sg_persist("--holder-is=abc123 /dev/sda").opens(RO);
        for _ in 0..5 {
            scene = scene
                .sends(READ_RESERVATION, good(HELD_BY_ALL))
                .sends(READ_KEYS, good(&newer));
        }
        scene.run().is(
            99,
            "",
            "sg_persist: the registrations kept changing while they were read; try again\n",
        );
    }

    #[test]
    fn reserved() {
        let ask = |option: &str, data| {
            sg_persist(&format!("{option} /dev/sda")).reads(READ_RESERVATION, good(data))
        };
        answers(ask("--reserved", HELD), 0);
        answers(ask("--reserved=5", HELD), 0);
        answers(ask("--reserved=3", HELD), 36);
        answers(ask("--reserved", NO_RESERVATION), 36);
        answers(ask("--reserved=7", HELD_BY_ALL), 0);
    }

    #[test]
    fn questions_go_alone() {
        for line in [
            "--has-key=1 --reserved",
            "--has-key=1 -k",
            "--reserved -o -C",
            "--overview --holder-is=1",
            "--has-key=1 --verify",
        ] {
            let ran = sg_persist(&format!("{line} /dev/sda")).run();
            assert_eq!((ran.status, &ran.stdout[..]), (31, ""), "{line}");
            ran.touched_nothing();
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for line in [
            "--has-key=xyz",
            "--holder-is=",
            "--reserved=10",
            "--reserved=x",
        ] {
            let ran = sg_persist(&format!("{line} /dev/sda")).run();
            assert_eq!(ran.status, 1, "{line}");
            assert!(ran.stderr.starts_with("bad argument to '--"), "{line}");
            ran.touched_nothing();
        }
    }
}

mod retries {
    use super::*;

    #[test]
    fn a_unit_attention_is_tried_again_as_often_as_asked() {
        sg_persist("-n -k --ua-retries=2 /dev/sda")
            .opens(RO)
            .sends(READ_KEYS, sense(6, 0x29, 0))
            .sends(READ_KEYS, sense(6, 0x2a, 5))
            .sends(READ_KEYS, good(NO_KEYS))
            .run()
            .is(
                0,
                "  PR generation=0x2, there are NO registered reservation keys\n",
                "",
            );
    }

    #[test]
    fn the_last_unit_attention_counts() {
        let ran = sg_persist("-n -k --ua-retries=1 /dev/sda")
            .opens(RO)
            .sends(READ_KEYS, sense(6, 0x29, 0))
            .sends(READ_KEYS, sense(6, 0x2a, 5))
            .run();
        ran.is(
            6,
            "",
            "\
Persistent reservation in:
Fixed format, current; Sense key: Unit Attention
Additional sense: Registrations preempted
PR in (Read keys): Unit attention
sg_persist failed: Unit attention
Another node has removed this node's registration, perhaps to fence it: look at the keys and the reservation before registering again
",
        );
    }

    #[test]
    fn a_retry_is_told_with_v() {
        let ran = sg_persist("-n -o -G -S abc123 -v --ua-retries=1 /dev/sda")
            .opens(RW)
            .sends_out(REGISTER, REGISTER_LIST, sense(6, 0x29, 0))
            .sends_out(REGISTER, REGISTER_LIST, good(""))
            .run();
        assert_eq!(ran.status, 0);
        assert!(ran.stderr.contains("Sense key: Unit Attention\n"));
        assert!(ran.stderr.contains("it is sent again\n"));
    }

    const REGISTER_IGNORE: &str = "5f060000000000001800";
    const LOOK: &str =
        "Not sent again after this unit attention: look at the keys and the reservation first\n";

    /// The node was fenced: its registration must not come back by itself.
    #[test]
    fn a_preempted_registration_is_not_put_back() {
        let preempted = || check_condition("700006000000000a000000002a0500000000");
        let ran = sg_persist("-n -o -I -S abc123 --ua-retries=1 /dev/sda")
            .changes(REGISTER_IGNORE, REGISTER_LIST, preempted())
            .run();
        ran.is(
            6,
            "",
            &format!(
                "\
Persistent reservation out:
Fixed format, current; Sense key: Unit Attention
Additional sense: Registrations preempted
{LOOK}PR out (Register and ignore existing key): Unit attention
sg_persist failed: Unit attention
Another node has removed this node's registration, perhaps to fence it: look at the keys and the reservation before registering again
"
            ),
        );
        // Without the option nothing is said of sending it again.
        let ran = sg_persist("-n -o -I -S abc123 /dev/sda")
            .changes(REGISTER_IGNORE, REGISTER_LIST, preempted())
            .run();
        assert_eq!(ran.status, 6);
        assert!(!ran.stderr.contains("sent again"), "{}", ran.stderr);
    }

    #[test]
    fn a_change_ends_at_what_its_sender_has_to_know() {
        // Reservations preempted, released; data of the unit changed; the medium, the commands of
        // others; what nobody knows.
        for (asc, ascq) in [
            (0x2a, 0x00),
            (0x2a, 0x03),
            (0x2a, 0x04),
            (0x3f, 0x03),
            (0x3f, 0x05),
            (0x3f, 0x0e),
            (0x28, 0x00),
            (0x2f, 0x00),
            (0x29, 0x80),
            (0x00, 0x00),
        ] {
            let ran = sg_persist("-n -o -G -S abc123 --ua-retries=9 /dev/sda")
                .changes(REGISTER, REGISTER_LIST, sense(6, asc, ascq))
                .run();
            assert_eq!((ran.status, &ran.stdout[..]), (6, ""), "{asc:x}/{ascq:x}");
            assert!(ran.stderr.contains(LOOK), "{}", ran.stderr);
            assert_eq!(ran.pauses, [0; 0]);

            // Whoever reads looks.
            sg_persist("-n -k --ua-retries=9 /dev/sda")
                .reads(READ_KEYS, sense(6, asc, ascq))
                .sends(READ_KEYS, good(NO_KEYS))
                .run()
                .status_is(0);
        }
    }

    #[test]
    fn a_change_goes_past_what_concerns_no_registration() {
        let mut scene = sg_persist("-n -o -G -S abc123 --ua-retries=5 /dev/sda").opens(RW);
        for (asc, ascq) in [
            (0x29, 0x00),
            (0x29, 0x07),
            (0x2a, 0x01),
            (0x2a, 0x06),
            (0x38, 0x07),
        ] {
            scene = scene.sends_out(REGISTER, REGISTER_LIST, sense(6, asc, ascq));
        }
        let ran = scene.sends_out(REGISTER, REGISTER_LIST, good("")).run();
        ran.is(0, "", "");
        assert_eq!(ran.pauses, [10, 20, 40, 80, 160]);

        // A reset, and what the device forgot beside it.
        let lost = check_condition("700006000000000a00000000290000810000");
        let ran = sg_persist("-n -o -G -S abc123 --ua-retries=5 /dev/sda")
            .changes(REGISTER, REGISTER_LIST, lost)
            .run();
        assert_eq!(ran.status, 6);
    }

    #[test]
    fn it_ends_where_the_timeout_would_have_passed() {
        // 10 + 20 + ... + 640 ms, then a second each.
        let mut scene = sg_persist("-n -k --timeout=5 --ua-retries=4294967295 /dev/sda")
            .within_seconds(5)
            .opens(RO);
        for _ in 0..11 {
            scene = scene.sends(READ_KEYS, sense(6, 0x29, 0));
        }
        let ran = scene.run();
        assert_eq!((ran.status, &ran.stdout[..]), (6, ""));
        assert_eq!(
            ran.pauses,
            [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]
        );
        let told = "Not sent again: --timeout has passed since it was first sent\n";
        assert!(ran.stderr.contains(told), "{}", ran.stderr);

        // The time at the device counts as well.
        let ran = sg_persist("-n -k --timeout=5 --ua-retries=9 /dev/sda")
            .within_seconds(5)
            .reads(READ_KEYS, sense(6, 0x29, 0).after(4985))
            .sends(READ_KEYS, sense(6, 0x29, 0).after(1))
            .run();
        assert_eq!((ran.status, &ran.pauses[..]), (6, &[10][..]));
    }

    #[test]
    fn nothing_else_is_tried_again() {
        for answer in [
            status(0x08),
            status(0x18),
            status(0x28),
            sense(2, 4, 1),
            host(3),
            // A deferred error of that key.
            check_condition("73062900 00000000"),
        ] {
            let ran = sg_persist("-n -k --ua-retries=9 /dev/sda")
                .reads(READ_KEYS, answer)
                .run();
            assert_ne!(ran.status, 0);
        }
    }

    #[test]
    fn the_environment_says_how_often() {
        let environment = |scene: Scene, text: &str| scene.ua_retries(text);
        environment(sg_persist("-n -k /dev/sda"), "1")
            .opens(RO)
            .sends(READ_KEYS, sense(6, 0x29, 0))
            .sends(READ_KEYS, good(NO_KEYS))
            .run();
        // The option says it closer.
        let ran = environment(sg_persist("-n -k --ua-retries=0 /dev/sda"), "1")
            .reads(READ_KEYS, sense(6, 0x29, 0))
            .run();
        assert_eq!(ran.status, 6);
        // Set to nothing is as good as not set.
        environment(sg_persist("-n -k /dev/sda"), "")
            .reads(READ_KEYS, good(NO_KEYS))
            .run()
            .status_is(0);
        let ran = environment(sg_persist("-n -k /dev/sda"), "")
            .reads(READ_KEYS, sense(6, 0x29, 0))
            .run();
        assert_eq!(ran.status, 6);
        let ran = environment(sg_persist("-n -k /dev/sda"), "many").run();
        ran.is(1, "", "SG_PERSIST_UA_RETRIES is not a decimal number\n");
        ran.touched_nothing();
    }

    #[test]
    fn the_number_is_understood_whole() {
        for number in ["x", "-1", "+1", "1x", "", "0x1", "4294967296"] {
            let ran = sg_persist(&format!("--ua-retries={number} /dev/sda")).run();
            assert_eq!(ran.status, 1, "{number}");
        }
    }
}

mod verified {
    use super::*;

    const BEFORE: &str = "00000002 00000008 0000000000123abc";
    const AFTER: &str = "00000003 00000010 0000000000123abc 0000000000abc123";

    fn register(before: &str, after: &str) -> Scene {
        let none = |keys: &str| format!("{} 00000000", &keys[..8]);
        sg_persist("-n -o -G -S abc123 --verify /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, good(before))
            .sends(READ_RESERVATION, good(&none(before)))
            .sends_out(REGISTER, REGISTER_LIST, good(""))
            .sends(READ_KEYS, good(after))
            .sends(READ_RESERVATION, good(&none(after)))
    }

    #[test]
    fn an_effect_that_is_there() {
        register(BEFORE, AFTER).run().is(0, "", "");
    }

    #[test]
    fn an_effect_that_is_not_there() {
        let ran = register(BEFORE, &BEFORE.replacen('2', "3", 1)).run();
        assert_eq!((ran.status, &ran.stdout[..]), (37, ""));
        assert!(
            ran.stderr
                .starts_with("sg_persist: accepted, but the effect is not there\n"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("0xabc123"), "{}", ran.stderr);
    }

    #[test]
    fn an_effect_that_others_hide() {
        let ran = register(BEFORE, &BEFORE.replacen('2', "9", 1)).run();
        assert_eq!((ran.status, &ran.stdout[..]), (38, ""));
        assert!(
            ran.stderr.contains("could not be verified"),
            "{}",
            ran.stderr
        );
    }

    /// The reads before a change would take the unit attention away that is meant for the change.
    #[test]
    fn what_a_change_may_not_follow_is_not_read_past_before_it() {
        let preempted = || sense(6, 0x2a, 0x05);
        let none = "00000002 00000000";
        let ran = sg_persist("-n -o -G -S abc123 --verify --ua-retries=9 /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, preempted())
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (6, ""));
        assert!(ran.stderr.contains("Not sent again "), "{}", ran.stderr);
        let ran = sg_persist("-n -o -G -S abc123 --verify --ua-retries=9 /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, good(BEFORE))
            .sends(READ_RESERVATION, preempted())
            .run();
        assert_eq!(ran.status, 6);
        // A reset is nothing to look at, and afterwards the reads are the look.
        sg_persist("-n -o -G -S abc123 --verify --ua-retries=9 /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, sense(6, 0x29, 0))
            .sends(READ_KEYS, good(BEFORE))
            .sends(READ_RESERVATION, good(none))
            .sends_out(REGISTER, REGISTER_LIST, good(""))
            .sends(READ_KEYS, preempted())
            .sends(READ_KEYS, good(AFTER))
            .sends(READ_RESERVATION, good("00000003 00000000"))
            .run()
            .is(0, "", "");
    }

    #[test]
    fn a_command_that_failed_is_not_verified() {
        let ran = sg_persist("-n -o -G -S abc123 --verify /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, good(BEFORE))
            .sends(READ_RESERVATION, good("00000002 00000000"))
            .sends_out(REGISTER, REGISTER_LIST, status(0x18))
            // Why that is.
            .sends(READ_KEYS, status(0x18))
            .run();
        assert_eq!(ran.status, 24);
    }

    #[test]
    fn an_accepted_change_that_cannot_be_read_back_is_not_a_failed_one() {
        let ran = sg_persist("-n -o -G -S abc123 --verify /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, good(BEFORE))
            .sends(READ_RESERVATION, good("00000002 00000000"))
            .sends_out(REGISTER, REGISTER_LIST, good(""))
            .sends(READ_KEYS, status(0x08))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (38, ""));
        assert!(ran.stderr.contains("accepted, but"), "{}", ran.stderr);
    }

    #[test]
    fn reading_has_no_effect_to_verify() {
        let ran = sg_persist("-k --verify /dev/sda").run();
        ran.is(
            31,
            "",
            "--verify needs --out: only a change has an effect to read back\n",
        );
        ran.touched_nothing();
    }
}

/// What `--verify` makes of changes that a device accepts.
mod verified_evidence {
    use sg_persist::pr::transport_id::TransportId;

    use super::*;

    const NOBODY: &str = "00000000";
    const HELD_BY_A: &str = "00000010 000000000000000a 00000000 00 05 0000";
    const HELD_BY_B: &str = "00000010 000000000000000b 00000000 00 05 0000";
    const HELD_BY_ALL: &str = "00000010 0000000000000000 00000000 00 07 0000";
    const NONE: &str = "00000000";
    const A: &str = "00000008 000000000000000a";
    const B: &str = "00000008 000000000000000b";
    const A_A: &str = "00000010 000000000000000a 000000000000000a";
    const A_B: &str = "00000010 000000000000000a 000000000000000b";
    const REGISTER_LIST: &str = "0000000000000000 000000000000000a 0000000000000000";

    /// A change: options, command, parameter list.
    type Change<'a> = (&'a str, &'a str, &'a str);

    const REGISTER_A: Change<'_> = ("-G -S a", "5f000000000000001800", REGISTER_LIST);
    const REGISTER_A_AGAIN: Change<'_> = (
        "-G -K a -S a",
        "5f000000000000001800",
        "000000000000000a 000000000000000a 0000000000000000",
    );
    const IGNORE_A: Change<'_> = ("-I -S a", "5f060000000000001800", REGISTER_LIST);
    const IGNORE_0: Change<'_> = (
        "-I -S 0",
        "5f060000000000001800",
        "0000000000000000 0000000000000000 0000000000000000",
    );
    const MOVE_A_TO_B: Change<'_> = (
        "-M -K a -S b -Q 2 -X sas,5000c50000000002",
        "5f070000000000003000",
        "000000000000000a 000000000000000b 00 00 0002 00000018 \
         06000000 5000c50000000002 000000000000000000000000",
    );
    const PREEMPT_A: Change<'_> = (
        "-P -K a -S a -T 5",
        "5f040500000000001800",
        "000000000000000a 000000000000000a 0000000000000000",
    );
    const PREEMPT_0: Change<'_> = (
        "-P -K a -S 0 -T 5",
        "5f040500000000001800",
        "000000000000000a 0000000000000000 0000000000000000",
    );
    const PREEMPT_B: Change<'_> = (
        "-P -K a -S b -T 5",
        "5f040500000000001800",
        "000000000000000a 000000000000000b 0000000000000000",
    );
    const REPLACE: Change<'_> = (
        "-z -S a -T 5",
        "5f080500000000001800",
        "0000000000000000 000000000000000a 0000000000000000",
    );
    const RELEASE_A: Change<'_> = (
        "-L -K a -T 5",
        "5f020500000000001800",
        "000000000000000a 0000000000000000 0000000000000000",
    );
    const RESERVE_A: Change<'_> = (
        "-R -K a -T 5",
        "5f010500000000001800",
        "000000000000000a 0000000000000000 0000000000000000",
    );
    const CLEAR_A: Change<'_> = (
        "-C -K a",
        "5f030000000000001800",
        "000000000000000a 0000000000000000 0000000000000000",
    );

    /// Keys and reservation at a generation, both without their first four bytes.
    type Shown<'a> = (u8, &'a str, &'a str);

    fn shows(scene: Scene, (generation, keys, reservation): Shown<'_>) -> Scene {
        scene
            .sends(READ_KEYS, good(&format!("000000{generation:02x} {keys}")))
            .sends(
                READ_RESERVATION,
                good(&format!("000000{generation:02x} {reservation}")),
            )
    }

    fn verifies((options, cdb, list): Change<'_>, before: Shown<'_>, after: Shown<'_>) -> Scene {
        let scene = sg_persist(&format!("-n -o {options} --verify /dev/sda")).opens(RW);
        shows(shows(scene, before).sends_out(cdb, list, good("")), after)
    }

    /// Nothing but a message that says so much.
    #[track_caller]
    fn is_told(scene: Scene, status: u8, parts: &[&str]) {
        let ran = scene.run();
        assert_eq!((ran.status, &ran.stdout[..]), (status, ""), "{ran:#?}");
        for part in parts {
            assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
        }
    }

    /// Two reservations are no answer about one. What has to do with none is judged all the same.
    #[test]
    fn a_reservation_that_is_not_told() {
        const TWO: &str = "00000020 000000000000000a 00000000 00 05 0000 \
                           000000000000000b 00000000 00 05 0000";
        let not_told = "the response lists 2 reservations, a logical unit has one at most";
        for (before, after) in [(TWO, TWO), (TWO, NOBODY), (NOBODY, TWO), (TWO, HELD_BY_B)] {
            verifies(REGISTER_A, (7, B, before), (8, A_B, after))
                .run()
                .is(0, "", "");
            is_told(
                verifies(REGISTER_A, (7, B, before), (8, B, after)),
                37,
                &["expected at least 1 registration with key 0xa, found none"],
            );
        }
        for (change, before, after) in [
            (RESERVE_A, (7, A_B, TWO), (7, A_B, HELD_BY_A)),
            (RESERVE_A, (7, A_B, NOBODY), (7, A_B, TWO)),
            (RELEASE_A, (7, A_B, TWO), (7, A_B, NOBODY)),
            (CLEAR_A, (7, A_B, NOBODY), (8, NONE, TWO)),
            (PREEMPT_B, (7, A_B, TWO), (8, A, HELD_BY_A)),
            (PREEMPT_0, (7, A_B, TWO), (8, A, TWO)),
            (IGNORE_A, (7, B, TWO), (8, A_B, TWO)),
            (IGNORE_0, (7, A_B, TWO), (8, B, NOBODY)),
            (REGISTER_A_AGAIN, (7, A, TWO), (8, A, NOBODY)),
            (REPLACE, (7, NONE, TWO), (8, A, HELD_BY_A)),
        ] {
            is_told(
                verifies(change, before, after),
                38,
                &[
                    "the device does not tell enough\nexpected the reservation ",
                    not_told,
                ],
            );
        }
        // What is plain without it is said besides.
        is_told(
            verifies(PREEMPT_B, (7, A_B, TWO), (8, A_B, TWO)),
            38,
            &[
                "expected the reservation before the command to be told, found no answer: the response",
                "expected the reservation after the command to be told, found no answer: the response",
                "expected no registration with key 0xb, found 1\n",
            ],
        );
    }

    #[track_caller]
    fn nothing_happened(change: Change<'_>, keys: &str, reservation: &str, status: u8) {
        let same = (7, keys, reservation);
        is_told(verifies(change, same, same), status, &["accepted, but"]);
    }

    #[test]
    fn what_was_there_before_is_no_effect() {
        // fence_scsi's command on the second path: the first one has the key.
        nothing_happened(IGNORE_A, A, NOBODY, 38);
        nothing_happened(IGNORE_A, A_B, HELD_BY_A, 38);
        nothing_happened(REGISTER_A_AGAIN, A, NOBODY, 38);
        nothing_happened(IGNORE_0, B, NOBODY, 38);
        nothing_happened(PREEMPT_A, A, NOBODY, 38);
        nothing_happened(PREEMPT_A, A, HELD_BY_A, 38);
        nothing_happened(PREEMPT_A, A_B, HELD_BY_B, 38);
        nothing_happened(PREEMPT_B, A, NOBODY, 38);
        nothing_happened(PREEMPT_0, A, HELD_BY_A, 38);
        nothing_happened(PREEMPT_0, A_B, HELD_BY_B, 38);
        nothing_happened(REPLACE, A, HELD_BY_A, 38);
        nothing_happened(CLEAR_A, NONE, NOBODY, 38);
    }

    #[test]
    fn what_is_not_there_is_no_effect() {
        nothing_happened(REGISTER_A, A, NOBODY, 38);
        nothing_happened(REGISTER_A, B, NOBODY, 37);
        nothing_happened(IGNORE_A, B, NOBODY, 37);
        nothing_happened(PREEMPT_B, A_B, HELD_BY_B, 37);
        nothing_happened(CLEAR_A, A_B, HELD_BY_B, 37);
        nothing_happened(REPLACE, A_B, HELD_BY_A, 37);
        nothing_happened(RESERVE_A, A_B, NOBODY, 37);
        nothing_happened(RELEASE_A, A_B, HELD_BY_A, 37);
        // The holder may be the other nexus with this key, and then this is a release by one that
        // holds nothing.
        nothing_happened(RELEASE_A, A_A, HELD_BY_A, 38);
    }

    #[test]
    fn the_message_names_the_generation() {
        is_told(
            verifies(IGNORE_A, (7, A, NOBODY), (7, A, NOBODY)),
            38,
            &["PRGENERATION", "0x7"],
        );
    }

    #[test]
    fn the_generation_moved() {
        for (change, keys, reservation) in [
            (IGNORE_A, A, NOBODY),
            (REGISTER_A_AGAIN, A, HELD_BY_A),
            (IGNORE_0, B, NOBODY),
            (PREEMPT_A, A, HELD_BY_A),
            (PREEMPT_B, A, NOBODY),
            (REPLACE, A, HELD_BY_A),
        ] {
            let scene = verifies(change, (7, keys, reservation), (8, keys, reservation));
            scene.run().is(0, "", "");
        }
    }

    #[test]
    fn the_generation_moved_by_others_too() {
        is_told(
            verifies(IGNORE_A, (7, A, NOBODY), (9, A_B, NOBODY)),
            38,
            &["0x7", "0x9"],
        );
    }

    #[test]
    fn the_difference_is_seen() {
        for (change, before, after) in [
            (IGNORE_A, (B, NOBODY), (A_B, NOBODY)),
            (IGNORE_A, (A, NOBODY), (A_A, NOBODY)),
            (IGNORE_0, (A_B, NOBODY), (B, NOBODY)),
            (PREEMPT_B, (A_B, HELD_BY_B), (A, HELD_BY_A)),
            (PREEMPT_0, (A_B, HELD_BY_ALL), (A, HELD_BY_A)),
            (CLEAR_A, (A_B, HELD_BY_B), (NONE, NOBODY)),
        ] {
            // A device server that forgets to count has done it all the same.
            for generation in [7, 8] {
                let before = (7, before.0, before.1);
                let after = (generation, after.0, after.1);
                verifies(change, before, after).run().is(0, "", "");
            }
        }
    }

    #[test]
    fn a_preempt_of_ourselves_that_leaves_us() {
        is_told(
            verifies(PREEMPT_A, (7, A, NOBODY), (8, A, NOBODY)),
            38,
            &["expected no registration with key 0xa, found 1"],
        );
    }

    #[test]
    fn a_preempt_of_nobody_s_registrations() {
        is_told(
            verifies(PREEMPT_0, (7, A_B, HELD_BY_B), (8, A_B, HELD_BY_B)),
            38,
            &["expected no registration with key 0xb, found 1"],
        );
    }

    #[test]
    fn a_lost_reservation_is_replaced_and_prior_keys_are_left() {
        is_told(
            verifies(REPLACE, (7, B, HELD_BY_B), (8, A_B, HELD_BY_A)),
            37,
            &["expected no registration with key 0xb, found 1"],
        );
    }

    /// READ FULL STATUS at a generation: each registration's key, holder bit, relative target port
    /// and SAS address.
    fn full(generation: u8, nexuses: &[(u64, bool, u16, u64)]) -> String {
        let mut text = format!("000000{generation:02x} {:08x}", 48 * nexuses.len());
        for (key, holds, port, address) in nexuses {
            let holds = if *holds { "01 05" } else { "00 00" };
            text += &format!(
                "{key:016x} 00000000 {holds} 00000000 {port:04x} 00000018 \
                 06000000 {address:016x} 000000000000000000000000"
            );
        }
        text
    }

    const US: u64 = 0x5000_c500_0000_0001;
    const THEM: u64 = 0x5000_c500_0000_0002;

    /// The same, where READ FULL STATUS is asked for.
    fn looks_closer(
        (options, cdb, list): Change<'_>,
        before: Shown<'_>,
        full_before: &[(u64, bool, u16, u64)],
        after: Shown<'_>,
        full_after: &[(u64, bool, u16, u64)],
    ) -> Scene {
        let scene = sg_persist(&format!("-n -o {options} --verify /dev/sda")).opens(RW);
        let scene = shows(scene, before)
            .sends(READ_FULL_STATUS, good(&full(before.0, full_before)))
            .sends_out(cdb, list, good(""));
        shows(scene, after).sends(READ_FULL_STATUS, good(&full(after.0, full_after)))
    }

    #[test]
    fn nothing_moved() {
        let nexuses = [(0xa, false, 1, US), (0xb, true, 2, THEM)];
        let same = (7, A_B, HELD_BY_B);
        let scene = looks_closer(MOVE_A_TO_B, same, &nexuses, same, &nexuses);
        is_told(scene, 38, &["before the command, found", "held by key 0xb"]);
        // A target that counts what it refuses.
        let counted = (8, A_B, HELD_BY_B);
        let scene = looks_closer(MOVE_A_TO_B, same, &nexuses, counted, &nexuses);
        is_told(scene, 38, &["before the command, found", "held by key 0xb"]);
        let held = [(0xa, true, 1, US), (0xb, false, 2, THEM)];
        let same = (7, A_B, HELD_BY_A);
        let scene = looks_closer(MOVE_A_TO_B, same, &held, same, &held);
        is_told(
            scene,
            37,
            &["reservation \"Write Exclusive, registrants only\" held by key 0xb, found"],
        );
    }

    #[test]
    fn moved_to_the_one_that_was_named() {
        let before = [(0xa, true, 1, US)];
        let to = |address| [(0xa, false, 1, US), (0xb, true, 2, address)];
        let moved = |address| {
            looks_closer(
                MOVE_A_TO_B,
                (7, A, HELD_BY_A),
                &before,
                (8, A_B, HELD_BY_B),
                &to(address),
            )
        };
        moved(THEM).run().is(0, "", "");
        is_told(moved(3), 38, &["sas,5000c50000000002"]);
    }

    const SPEC_I_PT: Change<'_> = (
        "-G -S a -X sas,5000c50000000002",
        "5f000000000000003400",
        "0000000000000000 000000000000000a 00000000 08 000000 00000018 \
         06000000 5000c50000000002 000000000000000000000000",
    );

    #[test]
    fn the_initiators_named_are_registered() {
        looks_closer(
            SPEC_I_PT,
            (7, NONE, NOBODY),
            &[],
            (8, A_A, NOBODY),
            &[(0xa, false, 1, US), (0xa, false, 1, THEM)],
        )
        .run()
        .is(0, "", "");
    }

    #[test]
    fn none_of_the_initiators_named_is_registered() {
        let scene = looks_closer(
            SPEC_I_PT,
            (7, NONE, NOBODY),
            &[],
            (8, A, NOBODY),
            &[(0xa, false, 1, US)],
        );
        is_told(scene, 38, &["sas,5000c50000000002", "found none"]);
        // Without full status their number tells.
        let unsupported = |after: &str| {
            let scene = sg_persist(&format!("-n -o {} --verify /dev/sda", SPEC_I_PT.0)).opens(RW);
            let scene = shows(scene, (7, NONE, NOBODY))
                .sends(READ_FULL_STATUS, sense(5, 0x24, 0))
                .sends(LESS_FULL_STATUS, sense(5, 0x24, 0))
                .sends_out(SPEC_I_PT.1, SPEC_I_PT.2, good(""));
            shows(scene, (8, after, NOBODY))
                .sends(READ_FULL_STATUS, sense(5, 0x24, 0))
                .sends(LESS_FULL_STATUS, sense(5, 0x24, 0))
        };
        is_told(
            unsupported(A),
            38,
            &["expected at least 2 registrations with key 0xa, found 1"],
        );
        unsupported(A_A).run().is(0, "", "");
    }

    #[test]
    fn this_host_has_the_key() {
        let registers = |generation, nexuses: &[(u64, bool, u16, u64)]| {
            let same = (7, A, NOBODY);
            let scene = looks_closer(IGNORE_A, same, nexuses, (generation, A, NOBODY), nexuses);
            scene.own_ports(&[TransportId::sas(US)])
        };
        registers(8, &[(0xa, false, 1, US)]).run().is(0, "", "");
        // Other changes were counted, too.
        registers(12, &[(0xa, false, 1, US)]).run().is(0, "", "");
        // It may have it through another path alone.
        is_told(registers(7, &[(0xa, false, 1, US)]), 38, &["PRGENERATION"]);
        is_told(
            registers(8, &[(0xa, false, 1, THEM)]),
            37,
            &[
                "expected this host to have a registration with key 0xa, found only registrations of other hosts",
            ],
        );
        is_told(
            registers(9, &[(0xa, false, 1, THEM)]),
            38,
            &[
                "expected this host to have a registration with key 0xa, found only registrations of other hosts",
            ],
        );
        // A gateway to another fabric has the registrations under names of its own.
        let scene = looks_closer(
            IGNORE_A,
            (7, A, NOBODY),
            &[(0xa, false, 1, THEM)],
            (8, A, NOBODY),
            &[(0xa, false, 1, THEM)],
        );
        scene.own_ports(&[TransportId::fcp(US)]).run().is(0, "", "");
    }

    #[test]
    fn this_host_holds_the_reservation() {
        let reserves = |holder: [bool; 2]| {
            let nexuses = [(0xa, holder[0], 1, US), (0xa, holder[1], 1, THEM)];
            let none = [(0xa, false, 1, US), (0xa, false, 1, THEM)];
            let before = (7, A_A, NOBODY);
            let after = (7, A_A, HELD_BY_A);
            let scene = looks_closer(RESERVE_A, before, &none, after, &nexuses);
            scene.own_ports(&[TransportId::sas(US)])
        };
        reserves([true, false]).run().is(0, "", "");
        is_told(
            reserves([false, true]),
            37,
            &["expected this host to hold the reservation, found another host holding it"],
        );
    }

    #[test]
    fn a_release_by_one_that_does_not_hold() {
        let nexuses = [(0xa, false, 1, US), (0xa, true, 1, THEM)];
        let same = (7, A_A, HELD_BY_A);
        let scene = looks_closer(RELEASE_A, same, &nexuses, same, &nexuses);
        is_told(
            scene.own_ports(&[TransportId::sas(US)]),
            38,
            &["expected no reservation held by key 0xa, found"],
        );
    }

    #[test]
    fn full_status_that_contradicts_the_keys_is_not_used() {
        let scene = sg_persist("-n -o -G -S a --verify /dev/sda")
            .own_ports(&[TransportId::sas(US)])
            .opens(RW);
        let swapped = |generation| good(&full(generation, &[(0x0a << 56, false, 1, US)]));
        let mut scene = shows(scene, (7, NONE, NOBODY))
            .sends(READ_FULL_STATUS, good(&full(7, &[])))
            .sends_out(REGISTER_A.1, REGISTER_A.2, good(""));
        // It may be a change that is not counted: once more, and then no more.
        for _ in 0..5 {
            scene = shows(scene, (8, A, NOBODY)).sends(READ_FULL_STATUS, swapped(8));
        }
        scene.run().is(0, "", "");
    }

    const APTPL: Change<'_> = (
        "-G -S a -Z",
        "5f000000000000001800",
        "0000000000000000 000000000000000a 00000000 01 000000",
    );

    fn persists(before: Shown<'_>, capabilities: crate::common::Answer, after: Shown<'_>) -> Scene {
        let scene = sg_persist("-n -o -G -S a -Z --verify /dev/sda").opens(RW);
        let scene = shows(scene, before)
            .sends_out(APTPL.1, APTPL.2, good(""))
            .sends(REPORT_CAPABILITIES, capabilities);
        shows(scene, after)
    }

    #[test]
    fn registrations_persist_through_a_power_loss() {
        let active = || good("0008 01 81 ea01 0000");
        let inactive = || good("0008 01 80 ea01 0000");
        persists((7, NONE, NOBODY), active(), (8, A, NOBODY))
            .run()
            .is(0, "", "");
        is_told(
            persists((7, NONE, NOBODY), inactive(), (8, A, NOBODY)),
            37,
            &["PTPL_A"],
        );
        // Others may have registered without it, or unregistered.
        is_told(
            persists((7, NONE, NOBODY), inactive(), (9, A_B, NOBODY)),
            38,
            &["PTPL_A"],
        );
        is_told(
            persists((7, B, NOBODY), inactive(), (8, A, NOBODY)),
            38,
            &["PTPL_A"],
        );
        is_told(
            persists((7, NONE, NOBODY), sense(5, 0x24, 0), (8, A, NOBODY)),
            38,
            &["PTPL_A", "not reported"],
        );
    }

    #[test]
    fn registered_through_all_target_ports() {
        const ALL: Change<'_> = (
            "-G -S a -Y",
            "5f000000000000001800",
            "0000000000000000 000000000000000a 00000000 04 000000",
        );
        let registered = |keys, nexuses: &[(u64, bool, u16, u64)]| {
            looks_closer(ALL, (7, NONE, NOBODY), &[], (8, keys, NOBODY), nexuses)
        };
        registered(A_A, &[(0xa, false, 1, US), (0xa, false, 2, US)])
            .run()
            .is(0, "", "");
        is_told(registered(A, &[(0xa, false, 1, US)]), 38, &["ALL_TG_PT"]);
    }
}

mod shown_and_not_sent {
    use super::*;

    #[test]
    fn a_change() {
        let ran = sg_persist("-o -R -T 3 -K abc123 --dry-run /dev/sda").run();
        ran.is(
            0,
            "\
Not sent: PERSISTENT RESERVE OUT, Reserve
  CDB, 10 bytes:
    5f 01 03 00 00 00 00 00  18 00
    Scope: LU_SCOPE
    Type: 3 (Exclusive Access)
  Parameter list, 24 bytes:
    00 00 00 00 00 ab c1 23  00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00
    Reservation key: 0xabc123
    Service action reservation key: 0x0
    Specify initiator ports (SPEC_I_PT): 0
    All target ports (ALL_TG_PT): 0
    Activate persist through power loss (APTPL): 0
",
            "",
        );
        ran.touched_nothing();
    }

    #[test]
    fn a_question_to_the_device() {
        let ran = sg_persist("-s -l 40 --dry-run /dev/sda").run();
        ran.is(
            0,
            "\
Not sent: PERSISTENT RESERVE IN, Read full status
  CDB, 10 bytes:
    5e 03 00 00 00 00 00 fe  00 00
  Allocation length: 65024 bytes
",
            "",
        );
        ran.touched_nothing();
    }

    #[test]
    fn mistakes_are_mistakes_all_the_same() {
        let ran = sg_persist("-o -M --dry-run /dev/sda").run();
        assert_eq!(ran.status, 31);
        let ran = sg_persist("-o -C --dry-run --verify /dev/sda").run();
        assert_eq!(ran.status, 31);
    }
}

/// What becomes of a command that needs another one to be believed.
mod believed {
    use sg_persist::transport::NodeKind;

    use super::*;

    /// What a buffer is filled with is none of the device's bytes, however few are said to have come;
    /// a byte that is like it may be one.
    #[test]
    fn bytes_that_nobody_wrote_are_not_shown() {
        let reads = |action: u8, answer: &dyn Fn() -> Answer, again: bool| {
            let (option, cdb) = match action {
                0 => ("-k", READ_KEYS),
                1 => ("-r", READ_RESERVATION),
                _ => ("-c", REPORT_CAPABILITIES),
            };
            let mut scene = sg_persist(&format!("-n {option} -H /dev/sda")).reads(cdb, answer());
            if again {
                scene = scene.sends(cdb, answer());
            }
            let ran = scene.run();
            assert_eq!(ran.status, 97, "{ran:#?}");
            ran
        };
        let short = "the response is too short";
        let unwritten = "the device reported success but did not transfer the response";
        for (action, data, came, shown, says) in [
            (0, "", 1, "", unwritten),
            (1, "", 2, "", unwritten),
            (0, "", 3, "", unwritten),
            (1, "00", 3, " 00     00 00 00\n", short),
            (1, "00000015 00", 7, " 00     00 00 00 15 00 00 00\n", short),
            (
                2,
                "0009 04 81 00",
                8,
                " 00     00 09 04 81 00 00 00 00\n",
                "takes 9 bytes",
            ),
            // These it wrote.
            (1, "6a2a", 2, " 00     6a 2a\n", short),
            (0, "00 2a ed", 3, " 00     00 2a ed\n", short),
        ] {
            let answer = || good(data).residual(8192 - came);
            let ran = reads(action, &answer, true);
            assert_eq!(
                ran.stdout.trim_end_matches([' ', '\n']),
                shown.trim_end(),
                "{data} {came}"
            );
            assert!(ran.stderr.contains(says), "{data} {came} {ran:#?}");
        }
        // More than three are no coincidence, and are not asked for again.
        let ran = reads(1, &|| good("00").residual(8192 - 5), false);
        assert_eq!(ran.stdout.trim_end(), " 00     00 00 00 00 00");
    }

    /// INQUIRY is sent to see whether the sg driver's buffer was written. That it fails says nothing of
    /// the room for READ FULL STATUS: with less, some targets write behind their buffer.
    #[test]
    fn what_becomes_of_inquiry_is_no_reason_to_ask_for_less() {
        for (answer, status) in [
            (errno(libc::EIO), 55),
            (errno(libc::EINVAL), 72),
            (sense(5, 0x24, 0), 5),
        ] {
            let ran = sg_persist("-n -s /dev/sg0")
                .device("/dev/sg0")
                .node(NodeKind::Sg, None)
                .opens(RO)
                .sends(READ_FULL_STATUS, good(&"00".repeat(8)).residual(0))
                .sends(INQUIRY, answer)
                .run();
            assert_eq!(ran.status, status, "{ran:#?}");
        }
    }
}

mod overview {
    use super::*;

    const CAPABILITIES: &str = "0008 0d 81 ea 01 0000";
    const FULL: &str = "00000002 00000060 \
        0000000000abc123 00000000 01 05 00000000 0001 00000018 \
        060000006001405000001001000000000000000000000000 \
        0000000000123abc 00000000 00 00 00000000 0002 00000018 \
        060000006001405000001002000000000000000000000000";
    const SAS: &str = "060000006001405000001001000000000000000000000000";

    #[test]
    fn one_consistent_look() {
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(HELD))
            .sends(READ_FULL_STATUS, good(FULL))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        for part in [
            "/dev/sda",
            "LIO-ORG d0 4.0",
            "0xabc123",
            "0x123abc",
            "sas,6001405000001001",
            "Write Exclusive, registrants only",
        ] {
            assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
        }
        assert!(ran.stdout.lines().all(|line| line.len() <= 100));
        assert!(!ran.stdout.contains('\x1b'));
    }

    #[test]
    fn what_changes_in_between_is_read_again() {
        let newer = |data: &str| data.replacen('2', "3", 1);
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(&newer(HELD)))
            .sends(READ_FULL_STATUS, good(&newer(FULL)))
            .sends(READ_KEYS, good(&newer(TWO_KEYS)))
            .sends(READ_RESERVATION, good(&newer(HELD)))
            .sends(READ_FULL_STATUS, good(&newer(FULL)))
            .run();
        assert_eq!(ran.status, 0);
        assert!(ran.stdout.contains("0x3"), "{}", ran.stdout);
    }

    #[test]
    fn what_the_device_does_not_support_is_left_out() {
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, sense(5, 0x24, 0))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(HELD))
            .sends(READ_FULL_STATUS, sense(5, 0x24, 0))
            .sends(LESS_FULL_STATUS, sense(5, 0x24, 0))
            .run();
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("0x123abc"), "{}", ran.stdout);
    }

    #[test]
    fn a_failure_is_no_overview() {
        sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, host(1))
            .run()
            .is(
                35,
                "",
                "Persistent reservation in: transport: Host_status=0x01 [DID_NO_CONNECT]\n\n\
                 sg_persist: no overview of /dev/sda:\n\
                 PR in (Read keys): Transport error\n\
                 sg_persist failed: Transport error\n",
            );
    }

    #[test]
    fn a_device_without_identity_is_not_asked() {
        // Nobody looks for it on standard output here.
        sg_persist("--overview /dev/sda")
            .opens(RO)
            .sends(INQUIRY, host(1))
            .run()
            .is(
                35,
                "",
                "inquiry: transport: Host_status=0x01 [DID_NO_CONNECT]\n\n\
                 sg_persist: no overview of /dev/sda:\n\
                 sg_persist: SCSI INQUIRY failed on /dev/sda\n",
            );
    }

    #[test]
    fn one_that_fails_does_not_keep_the_others_from_their_tables() {
        let ran = sg_persist("--overview /dev/sda /dev/sdb /dev/sdc")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, status(0x18))
            .device("/dev/sdb")
            .fails_to_open(RO, libc::ENXIO)
            .device("/dev/sdc")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(HELD))
            .sends(READ_FULL_STATUS, good(FULL))
            .run();
        assert_eq!(ran.status, 39, "{}", ran.stderr);
        let list = "Device    Generation  Keys  Reservation       Status\n\
                    /dev/sda  -           -     -                 24 Reservation conflict\n\
                    /dev/sdb  -           -     -                 56 No such device or address\n\
                    /dev/sdc  0x2         2     0xabc123, type 5  0\n\n";
        assert!(
            ran.stdout
                .starts_with(&format!("{list}Device       /dev/sdc\n")),
            "{}",
            ran.stdout
        );
        assert_eq!(
            ran.stderr,
            "sg_persist: no overview of /dev/sda:\n\
             PR in (Read keys): Reservation conflict\n\
             sg_persist failed: Reservation conflict\n\
             sg_persist: no overview of /dev/sdb:\n\
             sg_persist: error opening file (ro): /dev/sdb: No such device or address\n"
        );
        // Each device is closed before the next one is opened.
        let touched = ran
            .trace
            .iter()
            .filter(|line| !line.starts_with(['1', '5']));
        let touched: Vec<_> = touched.collect();
        assert_eq!(touched, ["open ro", "close", "open ro", "open ro", "close"]);
    }

    #[test]
    fn unit_attentions_are_read_past_and_told() {
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .sends(INQUIRY, sense(6, 0x29, 0))
            .inquires()
            .sends(REPORT_CAPABILITIES, sense(6, 0x3f, 0x0e))
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, sense(6, 0x2a, 5))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(HELD))
            .sends(READ_FULL_STATUS, good(FULL))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        for text in [
            "cleared by this: Power on, reset, or bus\n             device reset occurred (29/00).\n",
            "Attention    A unit attention was pending and has been cleared by this: Reported luns data has\n             changed (3f/0e).\n",
            "Registrations preempted\n             (2a/05).\n",
        ] {
            assert!(ran.stdout.contains(text), "{}", ran.stdout);
        }
    }

    #[test]
    fn a_unit_attention_that_does_not_end_does() {
        let mut scene = sg_persist("--overview /dev/sda").opens(RO);
        for _ in 0..17 {
            scene = scene.sends(INQUIRY, sense(6, 0x29, 0));
        }
        let ran = scene.run();
        assert_eq!((ran.status, &ran.stdout[..]), (6, ""));
    }

    #[test]
    fn answers_that_are_not_whole_are_left_out() {
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            // Nine bytes: odd, and more than came.
            .sends(REPORT_CAPABILITIES, good("0009 1d90ea01 0000"))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(HELD))
            .sends(READ_FULL_STATUS, good("00000015 00000018 00"))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        for text in [
            "(REPORT CAPABILITIES: the response takes 9",
            "(READ FULL STATUS: the response\ntakes 32 bytes, only 9 came):\n",
            " *   0xabc123\n",
        ] {
            assert!(ran.stdout.contains(text), "{}", ran.stdout);
        }
    }

    /// Two descriptors: which of them is right, if either is, nobody knows.
    #[test]
    fn a_reservation_that_is_not_told_costs_the_rest_of_the_table_nothing() {
        let two = "00000002 00000020 0000000000abc123 00000000 00 05 0000 \
                   0000000000123abc 00000000 00 05 0000";
        let ran = sg_persist("--overview /dev/sda /dev/sdb")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(two))
            .sends(READ_FULL_STATUS, good(FULL))
            .device("/dev/sdb")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(HELD))
            .sends(READ_FULL_STATUS, good(FULL))
            .run();
        assert_eq!(ran.status, 39, "{}", ran.stderr);
        assert_eq!(
            ran.stderr,
            "sg_persist: the overview of /dev/sda lacks the reservation:\n\
             PR in (Read reservation): the response lists 2 reservations, a logical unit has one at \
             most\n\
             sg_persist failed: Malformed SCSI command response\n"
        );
        let (list, tables) = ran.stdout.split_once("\n\nDevice ").unwrap();
        let line =
            "/dev/sda  0x2         2     not known         97 Malformed SCSI command response\n";
        assert!(list.contains(line), "{list}");
        let (first, second) = tables.split_once("\n\nDevice ").unwrap();
        for text in [
            "Reservation  Not known, there may be one: the device gave no usable answer to READ RESERVATION (the\n             response lists 2 reservations, a logical unit has one at most).\n",
            "Supports     types 1 3 5 6 7 8;",
            "2 registrations:\n",
            " *   0xabc123  1            sas,6001405000001001\n",
            "     0x123abc  2            sas,6001405000001002\n",
            " * marked as holding the reservation ",
        ] {
            assert!(first.contains(text), "{text}\n{first}");
        }
        assert!(second.contains(" * holds the reservation "), "{second}");
    }

    /// Keys alone, and a reservation that came in part: no key may pass for the holder's.
    #[test]
    fn keys_without_reservation_and_full_status() {
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good("00000002 00000010 0000000000abc123"))
            .sends(READ_FULL_STATUS, sense(5, 0x24, 0))
            .sends(LESS_FULL_STATUS, sense(5, 0x24, 0))
            .run();
        assert_eq!(ran.status, 97, "{}", ran.stderr);
        assert!(
            ran.stdout
                .ends_with("     KEY\n     0xabc123\n     0x123abc\n"),
            "{}",
            ran.stdout
        );
        // Refused, it is no malformed answer, and an overview ends with it.
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, sense(5, 0x24, 0))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (5, ""));
    }

    #[test]
    fn a_registration_for_all_target_ports_may_be_several_keys() {
        let full_status = format!(
            "00000002 00000030 0000000000abc123 00000000 03 05 00000000 0000 00000018 {SAS}"
        );
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(
                READ_KEYS,
                good("00000002 00000010 0000000000abc123 0000000000abc123"),
            )
            .sends(READ_RESERVATION, good(HELD))
            .sends(READ_FULL_STATUS, good(&full_status))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(
            ran.stdout
                .contains("1 registration, by READ FULL STATUS; READ KEYS lists 2:")
        );
    }

    #[test]
    fn lists_that_contradict_each_other_to_the_end_are_shown_so() {
        // A target that swaps the bytes of a key in one of the two.
        let swapped = "00000002 00000008 23c1ab0000000000";
        let full_status = format!(
            "00000002 00000030 0000000000abc123 00000000 01 05 00000000 0001 00000018 {SAS}"
        );
        let mut scene = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES));
        for _ in 0..5 {
            scene = scene
                .sends(READ_KEYS, good(swapped))
                .sends(READ_RESERVATION, good(HELD))
                .sends(READ_FULL_STATUS, good(&full_status));
        }
        let ran = scene.run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(
            ran.stdout
                .contains("Warning      The device contradicts itself"),
            "{}",
            ran.stdout
        );
    }

    /// A RESERVE is not counted: one between READ RESERVATION and READ FULL STATUS shows by the marks.
    #[test]
    fn a_reservation_made_in_between_is_read_again() {
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(NO_RESERVATION))
            .sends(READ_FULL_STATUS, good(FULL))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(HELD))
            .sends(READ_FULL_STATUS, good(FULL))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(!ran.stdout.contains("Warning"), "{}", ran.stdout);
        assert!(!ran.stdout.contains("None"), "{}", ran.stdout);
    }

    /// "Every node may write" beside a holder's mark would mislead.
    #[test]
    fn marks_that_contradict_the_reservation_to_the_end_are_shown_so() {
        for (reservation, says) in [
            (NO_RESERVATION, "READ RESERVATION tells of no reservation"),
            (HELD_BY_ALL, "READ RESERVATION tells of one of type 7"),
        ] {
            let mut scene = sg_persist("--overview /dev/sda")
                .opens(RO)
                .inquires()
                .sends(REPORT_CAPABILITIES, good(CAPABILITIES));
            for _ in 0..5 {
                scene = scene
                    .sends(READ_KEYS, good(TWO_KEYS))
                    .sends(READ_RESERVATION, good(reservation))
                    .sends(READ_FULL_STATUS, good(FULL));
            }
            let ran = scene.run();
            assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
            let unfolded = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            let expected = format!(
                "Warning The device contradicts itself: at the same generation {says}, READ FULL \
                 STATUS marks a holder of one of type 5. Which of them is right is not known."
            );
            assert!(unfolded.contains(&expected), "{}", ran.stdout);
            assert!(
                !unfolded.contains("every node may read and write"),
                "{}",
                ran.stdout
            );
            assert!(
                ran.stdout.contains(" * marked as holding the reservation "),
                "{}",
                ran.stdout
            );
        }
    }

    #[test]
    fn identifiers_that_are_no_transport_id() {
        let full_status = "00000003 00000028 0000000000001234 00000000 03 05 00000000 0000 \
                           00000010 06000000aa11bb22cc33dd44ee55ff66";
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .inquires()
            .sends(REPORT_CAPABILITIES, good(CAPABILITIES))
            .sends(READ_KEYS, good("00000003 00000008 0000000000001234"))
            .sends(
                READ_RESERVATION,
                good("00000003 00000010 0000000000001234 00000000 00 05 0000"),
            )
            .sends(READ_FULL_STATUS, good(full_status))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(
            ran.stdout.contains(
                " *   0x1234  all          identifier 06000000aa11bb22cc33dd44ee55ff66\n"
            ),
            "{}",
            ran.stdout
        );
    }
}

mod about_itself {
    use super::*;

    #[test]
    fn completions_know_every_option() {
        for (shell, start) in [
            ("bash", "_sg_persist()"),
            ("zsh", "#compdef sg_persist"),
            ("fish", "complete -c sg_persist"),
        ] {
            let ran = sg_persist(&format!("--completion={shell}")).run();
            assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
            assert!(ran.stdout.contains(start), "{shell}");
            for option in sg_persist::cli::options::Opt::all() {
                let name = option.long_names().next().unwrap();
                assert!(ran.stdout.contains(name), "{shell}: {name}");
            }
        }
        let ran = sg_persist("--completion=csh").run();
        assert_eq!(ran.status, 1);
    }

    #[test]
    fn hyphens_in_new_names_may_be_underscores() {
        for (hyphens, underscores) in [
            ("--dry-run -n -k /dev/sda", "--dry_run -n -k /dev/sda"),
            ("--json-schema", "--json_schema"),
        ] {
            let expected = sg_persist(hyphens).run();
            assert_eq!(expected.status, 0, "{}", expected.stderr);
            let ran = sg_persist(underscores).run();
            ran.is(0, &expected.stdout, &expected.stderr);
        }
        for word in ["--has_key=zz", "--holder_is=zz", "--ua_retries=zz"] {
            let ran = sg_persist(&format!("{word} /dev/sda")).run();
            let name = word.trim_end_matches("=zz").replace('_', "-");
            let message = format!("bad argument to '{name}'");
            assert!(ran.stderr.starts_with(&message), "{}", ran.stderr);
        }
        sg_persist("--dry_run=1 /dev/sda").run().is_with_usage(
            1,
            "sg_persist: option '--dry_run' doesn't allow an argument\n",
        );
    }

    #[test]
    fn completions_show_help_and_values() {
        let fish = sg_persist("--completion=fish").run().stdout;
        for line in [
            "complete -c sg_persist -s C -l clear -d 'remove the reservation and all registrations'\n",
            "complete -c sg_persist -s J -l js-file -d 'write the JSON to FILE' -r -F\n",
            "complete -c sg_persist -s T -l prout-type -d 'reservation type (hex, default 0)' -r\n",
        ] {
            assert!(fish.contains(line), "{fish}");
        }
        let zsh = sg_persist("--completion=zsh").run().stdout;
        let line = "'*--has-key=[exit status 0 if KEY is registered, 36 if not]:KEY:_default'";
        assert!(zsh.contains(line), "{zsh}");
    }

    #[test]
    fn new_options_cannot_be_cut_short_to_old_ones() {
        // --u is --unreg, --d is --device, --o is --out, --c is --clear, --res is --reserve.
        let ran = sg_persist("-n --o --res --pro 1 --d /dev/sda")
            .opens(RW)
            .sends_out(
                "5f010100000000001800",
                "0000000000000000 0000000000000000 0000000000000000",
                good(""),
            )
            .run();
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }
}
