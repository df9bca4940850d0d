//! Which command line is understood, and what is said of the others. The checks come in the
//! order in which they stand here.

use super::*;

const BOTH: &str = "choose '--in' _or_ '--out' (not both)\n";
const ONE_OUT: &str = ">> For Persistent Reserve Out one and only one appropriate
>> service action must be chosen (e.g. '--register')
";
const NEEDS_OUT: &str = ">> When a service action for Persistent Reserve Out is chosen the
>> '--out' option must be given (as a safeguard)
";
const ONE_IN: &str = "Too many service actions given; choose one only\n";
const MOVE_ONLY: &str = "--unreg or --relative-target-port only useful with --register-move\n";
const MOVE_ONE: &str = "with --register-move one (and only one) --transport-id should be given\n";

#[test]
fn the_invocation_is_shown_before_anything_else() {
    let ran = sg_persist("--foo")
        .called("/bin/sgp")
        .show_invocation()
        .run();
    let version = env!("CARGO_PKG_VERSION");
    ran.is_with_usage(
        1,
        &format!(
            "\
vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
utility_given=sg_persist: 
version_string={version}
invocation_arguments:
  /bin/sgp
  --foo
^^vv^^vv^^vv^^vv^^vv^^vv^^vv^^vv^^vv^^vv^^vv^^vv^^vv^^vv^^vv
/bin/sgp: unrecognized option '--foo'
"
        ),
    );
}

#[test]
fn options_are_judged_from_left_to_right() {
    sg_persist("-K zz -x").run().is(
        1,
        "",
        "bad argument to '--param-rk' (up to 16 hexadecimal digits)\n",
    );
    sg_persist("-x -K zz")
        .run()
        .is_with_usage(1, "sg_persist: invalid option -- 'x'\n");
    sg_persist("-S zz -K zz").run().is(
        1,
        "",
        "bad argument to '--param-sark' (up to 16 hexadecimal digits)\n",
    );
    sg_persist("-T g -h")
        .run()
        .is(1, "", "bad argument to '--prout-type'\n");
}

#[test]
fn operands_come_before_help_and_version() {
    sg_persist("/dev/sda -h /dev/sdb /dev/sdc")
        .run()
        .is_with_usage(
            1,
            "Unexpected extra argument: /dev/sdb\nUnexpected extra argument: /dev/sdc\n",
        );
    sg_persist("-V -d /dev/sda /dev/sdb")
        .run()
        .is_with_usage(1, "Unexpected extra argument: /dev/sdb\n");
}

#[test]
fn help_comes_before_version_and_needs_no_device() {
    sg_persist("-V -h -i -o")
        .run()
        .is(0, &sg_persist::cli::usage::usage(), "");
    sg_persist("-h -V -h")
        .run()
        .is(0, &sg_persist::cli::usage::more_usage(), "");
    sg_persist("-hhh")
        .run()
        .is(0, &sg_persist::cli::usage::more_usage(), "");
}

#[test]
fn version_with_verbose_says_that_there_is_no_debug_mode() {
    let version = concat!("version: ", env!("CARGO_PKG_VERSION"), "\n");
    sg_persist("-V -i -o").run().is(0, version, "");
    sg_persist("-vV").run().is(
        0,
        version,
        "Not in DEBUG mode, so '-vV' has no special action\n",
    );
}

#[test]
fn a_device_must_be_named() {
    sg_persist("-i -o")
        .run()
        .is_with_usage(1, "No device name given\n");
    sg_persist("")
        .run()
        .is_with_usage(1, "No device name given\n");
}

#[test]
fn in_and_out_exclude_each_other() {
    sg_persist("-i -o -k -r /dev/sda")
        .run()
        .is_with_usage(31, BOTH);
}

#[test]
fn out_takes_exactly_one_service_action_and_none_of_in() {
    for line in ["-o", "-o -G -R", "-o -G -G", "-o -k", "-o -G -k", "-o -U"] {
        let ran = sg_persist(line).word(DEVICE.as_bytes()).run();
        ran.is(31, "", ONE_OUT);
        ran.touched_nothing();
    }
}

#[test]
fn a_change_needs_out() {
    for line in ["-G", "-n -A -K 1", "-i -C", "-k -r -M", "-z -U"] {
        let ran = sg_persist(line).word(DEVICE.as_bytes()).run();
        ran.is(31, "", NEEDS_OUT);
        ran.touched_nothing();
    }
}

#[test]
fn read_keys_is_assumed_and_said_so() {
    for line in ["-n", "-n -i", "-n -K 1 -Z -Y -T 5"] {
        sg_persist(line)
            .word(DEVICE.as_bytes())
            .reads(READ_KEYS, good(NO_KEYS))
            .run()
            .is(
                0,
                "  PR generation=0x15, there are NO registered reservation keys\n",
                "\
>> No service action given; assume Persistent Reserve In command
>> with Read Keys service action
",
            );
    }
}

#[test]
fn in_takes_one_service_action() {
    for line in ["-k -r", "-k -k", "-i -c -s"] {
        sg_persist(line)
            .word(DEVICE.as_bytes())
            .run()
            .is_with_usage(31, ONE_IN);
    }
}

#[test]
fn two_options_belong_to_register_and_move() {
    for line in ["-o -G -U", "-o -G -Q 1", "-k --unreg", "-k -Q ffff"] {
        sg_persist(line)
            .word(DEVICE.as_bytes())
            .run()
            .is_with_usage(31, MOVE_ONLY);
    }
    sg_persist("-n -k -Q 0 /dev/sda")
        .reads(READ_KEYS, good(TWO_KEYS))
        .run()
        .is(0, TWO_KEYS_TEXT, "");
}

#[test]
fn register_and_move_takes_one_transport_id() {
    sg_persist("-o -M /dev/sda")
        .run()
        .is_with_usage(31, MOVE_ONE);
    sg_persist("-o -M -X file=two /dev/sda")
        .file("two", "fcp,0000000000000001\nfcp,0000000000000002\n")
        .run()
        .is_with_usage(31, MOVE_ONE);
}

#[test]
fn a_missing_type_is_only_warned_about() {
    let warning = "warning>>> --prout-type probably needs to be given\n";
    for (letter, code) in [("R", "01"), ("L", "02"), ("P", "04"), ("A", "05")] {
        sg_persist(&format!("-n -o -{letter} /dev/sda"))
            .changes(&format!("5f{code}0000000000001800"), NOTHING, good(""))
            .run()
            .is(0, "", warning);
    }
    for (letter, code) in [("G", "00"), ("C", "03"), ("I", "06"), ("z", "08")] {
        sg_persist(&format!("-n -o -{letter} /dev/sda"))
            .changes(&format!("5f{code}0000000000001800"), NOTHING, good(""))
            .run()
            .is(0, "", "");
    }
}

#[test]
fn the_name_of_the_program_precedes_what_getopt_says() {
    for (line, message) in [
        ("-n -kx", "invalid option -- 'x'"),
        ("-K", "option requires an argument -- 'K'"),
        ("--foo=1", "unrecognized option '--foo=1'"),
        ("--param-r", "option '--param-rk' requires an argument"),
        ("--in=5", "option '--in' doesn't allow an argument"),
        (
            "--he",
            "option '--he' is ambiguous; possibilities: '--help' '--hex'",
        ),
    ] {
        sg_persist(line)
            .called("/usr/bin/sg_persist")
            .run()
            .is_with_usage(1, &format!("/usr/bin/sg_persist: {message}\n"));
    }
}

#[test]
fn a_question_mark_is_answered_and_no_error() {
    sg_persist("-?")
        .run()
        .is_with_usage(0, "sg_persist: invalid option -- '?'\n");
}

#[test]
fn every_abbreviation_that_names_one_option_is_understood() {
    for (line, cdb) in [
        ("--no --read-k --dev /dev/sda", READ_KEYS),
        ("--no_ --read_r --d=/dev/sda", READ_RESERVATION),
        ("--n --repo /dev/sda", REPORT_CAPABILITIES),
        ("--n --read-s /dev/sda", READ_FULL_STATUS),
        ("--n --in --read-f /dev/sda", READ_FULL_STATUS),
    ] {
        sg_persist(line).reads(cdb, status(0x18)).run();
    }
}

#[test]
fn clusters_and_words_in_any_order() {
    for line in [
        "-nikd /dev/sda",
        "-nikd/dev/sda",
        "/dev/sda -n -k",
        "-nkK123 /dev/sda",
        "-n -k -d /dev/sdz -d /dev/sda",
        "-n -k -- /dev/sda",
    ] {
        sg_persist(line)
            .reads(READ_KEYS, good(TWO_KEYS))
            .run()
            .is(0, TWO_KEYS_TEXT, "");
    }
}

#[test]
fn an_equals_sign_after_a_letter_is_part_of_the_value() {
    sg_persist("-n -o -G -K=5 /dev/sda").run().is(
        1,
        "",
        "bad argument to '--param-rk' (up to 16 hexadecimal digits)\n",
    );
    sg_persist("-n -o -G --param-rk=5 /dev/sda")
        .changes(
            REGISTER,
            &format!("0000000000000005{}", &NOTHING[16..]),
            good(""),
        )
        .run()
        .is(0, "", "");
}

#[test]
fn posixly_correct_ends_the_options_at_the_device() {
    sg_persist("/dev/sda -n -k")
        .posixly_correct()
        .run()
        .is_with_usage(
            1,
            "Unexpected extra argument: -n\nUnexpected extra argument: -k\n",
        );
}

#[test]
fn a_hyphen_alone_is_a_device() {
    sg_persist("-n -k -")
        .device("-")
        .fails_to_open(RO, libc::ENOENT)
        .run()
        .is(
            52,
            "",
            "sg_persist: error opening file - (ro): No such file or directory\n",
        );
}

#[test]
fn a_device_of_any_bytes_is_opened_as_it_was_named() {
    sg_persist("-n -k")
        .word(b"")
        .device("")
        .fails_to_open(RO, libc::ENOENT)
        .run()
        .is(
            52,
            "",
            "sg_persist: error opening file  (ro): No such file or directory\n",
        );
}

#[test]
fn numbers_may_have_blanks_around_them_and_a_prefix() {
    let list = format!("0000000000000abc00000000000000ff{}", &NOTHING[32..]);
    for (rk, sark) in [
        ("abc", "ff"),
        (" 0xABC ", "0Xff"),
        ("\tabc\n", "000000000000000000ff"),
    ] {
        sg_persist_words(&["-n", "-o", "-G", "-K", rk, "-S", sark, DEVICE])
            .changes(REGISTER, &list, good(""))
            .run()
            .is(0, "", "");
    }
}

#[test]
fn keys_have_64_bits() {
    let list = format!("fedcba9876543210ffffffffffffffff{}", &NOTHING[32..]);
    sg_persist("-n -o -G -K fedcba9876543210 -S ffffffffffffffff /dev/sda")
        .changes(REGISTER, &list, good(""))
        .run()
        .is(0, "", "");
}

#[test]
fn numbers_out_of_range_are_told_their_range() {
    for (line, message) in [
        (
            "-Q 10000",
            "argument to '--relative-target-port' 0 to ffff inclusive\n",
        ),
        (
            "-l 2001",
            "'--alloc-length' argument exceeds maximum value (8192)\n",
        ),
        (
            "-m 8193",
            "'--maxlen' argument exceeds maximum value (8192)\n",
        ),
        ("-m 8589934591", "bad argument to '--maxlen'\n"),
        (
            "-m 4q",
            "unrecognized multiplier\nbad argument to '--maxlen'\n",
        ),
        ("-m -5", "bad argument to '--maxlen'\n"),
        ("-l zz", "bad argument to '--alloc-length'\n"),
        ("-Q zz", "bad argument to '--relative-target-port'\n"),
    ] {
        sg_persist(line).run().is(1, "", message);
    }
}

#[test]
fn the_last_length_counts_whichever_option_gave_it() {
    for (line, cdb) in [
        ("-l 18 -m 8k", "5e000000000000200000"),
        ("-m 8k -l 18", "5e000000000000001800"),
        ("-m 0x10+8", "5e000000000000001800"),
        ("-m 18h", "5e000000000000001800"),
        ("-m 3x8,9", "5e000000000000001800"),
        ("-l 2000", "5e000000000000200000"),
    ] {
        let mut scene = sg_persist(&format!("-n -k {line} /dev/sda")).reads(cdb, good(TWO_KEYS));
        // They fill 24 bytes: with more room it shows that they are all.
        if cdb == "5e000000000000001800" {
            scene = scene.sends(MORE_KEYS, good(TWO_KEYS));
        }
        scene.run().is(0, TWO_KEYS_TEXT, "");
    }
}

#[test]
fn a_command_may_take_another_time() {
    sg_persist("-k --timeout=5 /dev/sda")
        .within_seconds(5)
        .opens(RO)
        .inquires()
        .sends(READ_KEYS, good(TWO_KEYS))
        .run()
        .is(0, &format!("{DISK_LINES}{TWO_KEYS_TEXT}"), "");
    sg_persist("-n -o -G --ti 4294967 /dev/sda")
        .within_seconds(4_294_967)
        .changes(REGISTER, NOTHING, good(""))
        .run()
        .is(0, "", "");
    for value in ["0", "4294968", "", "-1", "+1", "1.5", "0x5", "5s", " 5"] {
        let ran = sg_persist_words(&["-n", "-k", DEVICE, "--timeout", value]).run();
        ran.is(
            1,
            "",
            "bad argument to '--timeout' (1 to 4294967 seconds)\n",
        );
        ran.touched_nothing();
    }
    // What stood for an option of old still does.
    let ran = sg_persist("-n -k --t 5 --t= /dev/sda").run();
    assert!(ran.stderr.ends_with("bad argument to '--transport-id'\n"));
}
