//! Whole runs: a command line and what a device says, against all that comes of it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::{
    Answer, DEVICE, DISK, DISK_LINES, INQUIRY, MORE_KEYS, MORE_RESERVATION, MOST_KEYS,
    READ_FULL_STATUS, READ_KEYS, READ_RESERVATION, REPORT_CAPABILITIES, RO, RW, bytes,
    check_condition, driver, errno, good, host, sense, sg_persist, sg_persist_words, status,
    with_data,
};

/// No registrations.
const NO_KEYS: &str = "00000015 00000000";
/// Two registrations.
const TWO_KEYS: &str = "00000015 00000010 0000000000abc123 fedcba9876543210";
/// What is shown of [`TWO_KEYS`].
const TWO_KEYS_TEXT: &str = "  PR generation=0x15, 2 registered reservation keys follow:
    0xabc123
    0xfedcba9876543210
";
/// REGISTER without any parameter.
const REGISTER: &str = "5f000000000000001800";
/// Twenty-four bytes of a parameter list without anything in them.
const NOTHING: &str = "000000000000000000000000000000000000000000000000";
/// The TransportID of `sas,5000c50005b32001`.
const SAS: &str = "060000005000c50005b32001000000000000000000000000";

/// Which command line is understood, and what is said of the others. The checks come in the
/// order in which they stand here.
mod checks {
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
    const MOVE_ONE: &str =
        "with --register-move one (and only one) --transport-id should be given\n";

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
            let mut scene =
                sg_persist(&format!("-n -k {line} /dev/sda")).reads(cdb, good(TWO_KEYS));
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
}

/// How devices are opened, and what is said when they cannot be.
mod opens {
    use super::*;

    #[test]
    fn reading_uses_one_descriptor_for_inquiry_and_command() {
        let ran = sg_persist("-k /dev/sda")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, good(TWO_KEYS))
            .run();
        ran.is(0, &format!("{DISK_LINES}{TWO_KEYS_TEXT}"), "");
        assert_eq!(ran.trace, ["open ro", INQUIRY, READ_KEYS, "close"]);
    }

    #[test]
    fn changing_inquires_read_only_and_changes_read_write() {
        let ran = sg_persist("-o -G /dev/sda")
            .opens(RO)
            .inquires()
            .changes(REGISTER, NOTHING, good(""))
            .run();
        ran.is(0, DISK_LINES, "");
        assert_eq!(
            ran.trace,
            ["open ro", INQUIRY, "close", "open rw", REGISTER, "close"]
        );
    }

    #[test]
    fn the_states_of_readonly() {
        for (line, access) in [
            ("-n -k", RO),
            ("-n -k -y", RO),
            ("-n -k -yy", RW),
            ("-n -k -yyy", RW),
        ] {
            sg_persist(line)
                .word(DEVICE.as_bytes())
                .opens(access)
                .sends(READ_KEYS, good(TWO_KEYS))
                .run()
                .is(0, TWO_KEYS_TEXT, "");
        }
        for (line, access) in [("-n -oG", RW), ("-n -oGy", RO), ("-n -oGyy", RW)] {
            sg_persist(line)
                .word(DEVICE.as_bytes())
                .in_readonly()
                .opens(access)
                .sends_out(REGISTER, NOTHING, good(""))
                .run()
                .is(0, "", "");
        }
        for (line, access) in [("-n -k", RO), ("-n -k -yy", RW)] {
            sg_persist(line)
                .word(DEVICE.as_bytes())
                .in_readonly()
                .opens(access)
                .sends(READ_KEYS, good(TWO_KEYS))
                .run()
                .is(0, TWO_KEYS_TEXT, "");
        }
    }

    #[test]
    fn readonly_twice_inquires_on_the_same_descriptor() {
        let ran = sg_persist("-k -yy /dev/sda")
            .opens(RW)
            .inquires()
            .sends(READ_KEYS, good(TWO_KEYS))
            .run();
        ran.is(0, &format!("{DISK_LINES}{TWO_KEYS_TEXT}"), "");
    }

    #[test]
    fn a_refused_read_only_descriptor_is_opened_again_read_write() {
        for refusal in [libc::EPERM, libc::EACCES] {
            sg_persist("-n -k /dev/sda")
                .opens(RO)
                .sends(READ_KEYS, errno(refusal))
                .opens(RW)
                .sends(READ_KEYS, good(TWO_KEYS))
                .run()
                .is(0, TWO_KEYS_TEXT, "");
        }
        sg_persist("-k /dev/sda")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, errno(libc::EPERM))
            .opens(RW)
            .sends(READ_KEYS, good(TWO_KEYS))
            .run()
            .is(0, &format!("{DISK_LINES}{TWO_KEYS_TEXT}"), "");
    }

    #[test]
    fn a_refusal_stays_one_where_read_only_was_asked_for() {
        let refused = "\
Persistent reservation in: pass-through os error: Operation not permitted
PR in (Read keys): Operation not permitted
sg_persist failed: Operation not permitted
The kernel keeps this command for those with CAP_SYS_RAWIO: run this as root (in a container: with that capability), or use the device's /dev/sgN where it may be written
";
        sg_persist("-n -k -y /dev/sda")
            .reads(READ_KEYS, errno(libc::EPERM))
            .run()
            .is(51, "", refused);
        sg_persist("-n -k /dev/sda")
            .in_readonly()
            .reads(READ_KEYS, errno(libc::EPERM))
            .run()
            .is(51, "", refused);
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, errno(libc::EPERM))
            .opens(RW)
            .sends(READ_KEYS, errno(libc::EPERM))
            .run()
            .is(51, "", refused);
    }

    #[test]
    fn other_errors_are_not_tried_again() {
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, errno(libc::EINVAL))
            .run()
            .is(
                72,
                "",
                "\
Persistent reservation in: pass-through os error: Invalid argument
PR in (Read keys): Invalid argument
sg_persist failed: Invalid argument
",
            );
    }

    #[test]
    fn a_device_that_cannot_be_opened() {
        for (number, code, text) in [
            (libc::ENOENT, 52, "No such file or directory"),
            (libc::ENXIO, 56, "No such device or address"),
            (libc::ENOTDIR, 70, "Not a directory"),
            (libc::EISDIR, 71, "Is a directory"),
            (libc::EROFS, 80, "Read-only file system"),
            (libc::ENAMETOOLONG, 86, "File name too long"),
            (libc::ENOMEDIUM, 50, "No medium found"),
        ] {
            sg_persist("-k /dev/sda")
                .fails_to_open(RO, number)
                .run()
                .is(
                    code,
                    "",
                    &format!("sg_persist: error opening file (ro): /dev/sda: {text}\n"),
                );
            sg_persist("-n -k /dev/sda")
                .fails_to_open(RO, number)
                .run()
                .is(
                    code,
                    "",
                    &format!("sg_persist: error opening file /dev/sda (ro): {text}\n"),
                );
            sg_persist("-o -G /dev/sda")
                .opens(RO)
                .inquires()
                .fails_to_open(RW, number)
                .run()
                .is(
                    code,
                    DISK_LINES,
                    &format!("sg_persist: error opening file /dev/sda (rw): {text}\n"),
                );
        }
    }

    #[test]
    fn a_device_that_cannot_be_opened_again() {
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, errno(libc::EPERM))
            .fails_to_open(RW, libc::EROFS)
            .run()
            .is(
                80,
                "",
                "sg_persist: error opening file /dev/sda (rw): Read-only file system\n",
            );
    }
}

/// The two lines about the device, and what comes of a device that does not tell.
mod inquiry {
    use super::*;

    const FAILED: &str = "sg_persist: SCSI INQUIRY failed on /dev/sda\n";

    #[test]
    fn strings_are_shown_as_they_came() {
        let data = b"\x7f\x80\x06\x02\x1f\x01\x02\x03v\xffnd\0or+Product\tLine  \0.2 \x003";
        let ran = sg_persist("-k /dev/sda")
            .opens(RO)
            .sends(INQUIRY, with_data(data))
            .sends(READ_KEYS, good(NO_KEYS))
            .run();
        assert_eq!(
            ran.stdout_bytes,
            b"  v\xffnd  Product\tLine    2 \n  Peripheral device type: unknown or no device type\n  PR generation=0x15, there are NO registered reservation keys\n"
        );
    }

    #[test]
    fn a_short_answer_is_shown_as_far_as_it_came() {
        sg_persist("-k -H /dev/sda")
            .opens(RO)
            .sends(INQUIRY, with_data(&DISK[..18]))
            .sends(READ_KEYS, good(NO_KEYS))
            .run()
            .is(
                0,
                "  LIO-ORG   d0  \n  Peripheral device type: disk\n  PR generation=0x15, Additional length=0\nAdditional length=0\n",
                "",
            );
    }

    #[test]
    fn a_failure_is_told_on_stdout_and_ends_the_run() {
        for (answer, code, stderr) in [
            (
                errno(libc::ENOTTY),
                75,
                "inquiry: pass-through os error: Inappropriate ioctl for device\n",
            ),
            (errno(libc::ENXIO), 2, ""),
            (
                host(1),
                35,
                "inquiry: transport: Host_status=0x01 [DID_NO_CONNECT]\n\n",
            ),
            (status(0x08), 26, ""),
            (status(0x18), 24, ""),
            (
                sense(2, 4, 1),
                2,
                "Sense data 2/04/01: Not Ready, Logical unit is in process of becoming ready\n",
            ),
            (
                sense(6, 0x29, 0),
                6,
                "inquiry:\nFixed format, current; Sense key: Unit Attention\nAdditional sense: Power on, reset, or bus device reset occurred\n",
            ),
            (with_data(&DISK[..3]), 97, ""),
            (
                good("").residual(37),
                97,
                "inquiry resid (37) should never exceed requested len=36\n",
            ),
        ] {
            sg_persist("-k /dev/sda")
                .opens(RO)
                .sends(INQUIRY, answer)
                .run()
                .is(code, FAILED, stderr);
        }
    }

    #[test]
    fn verbose_tells_of_too_few_bytes() {
        sg_persist("-k -v /dev/sda")
            .opens(RO)
            .sends(INQUIRY, with_data(&DISK[..3]))
            .run()
            .is(
                97,
                FAILED,
                "    inquiry cdb: [12 00 00 00 24 00]\nsg_ll_inquiry_com: got too few bytes (3)\n",
            );
    }

    #[test]
    fn a_recovered_error_is_success() {
        sg_persist("-k /dev/sda")
            .opens(RO)
            .sends(INQUIRY, sense(1, 0x17, 1).and_data(&hex::encode(DISK)))
            .sends(READ_KEYS, good(TWO_KEYS))
            .run()
            .is(
                0,
                &format!("{DISK_LINES}{TWO_KEYS_TEXT}"),
                "inquiry:
Fixed format, current; Sense key: Recovered Error
Additional sense: Recovered data with retries
",
            );
    }
}

/// PERSISTENT RESERVE IN: the four answers.
mod answers {
    use super::*;

    fn read(line: &str, cdb: &str, data: &str) -> String {
        let ran = sg_persist(line)
            .word(DEVICE.as_bytes())
            .reads(cdb, good(data))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        ran.stdout
    }

    #[test]
    fn read_keys_of_none_one_and_two() {
        assert_eq!(
            read("-n -k", READ_KEYS, "fffffffe 00000000"),
            "  PR generation=0xfffffffe, there are NO registered reservation keys\n"
        );
        assert_eq!(
            read("-n -k", READ_KEYS, "00000001 00000008 0000000000000000"),
            "  PR generation=0x1, 1 registered reservation key follows:\n    0x0\n"
        );
        assert_eq!(read("-n -k", READ_KEYS, TWO_KEYS), TWO_KEYS_TEXT);
    }

    #[test]
    fn bytes_behind_the_list_are_no_part_of_it() {
        assert_eq!(
            read("-n -k", READ_KEYS, &format!("{TWO_KEYS} 1122334455667788")),
            TWO_KEYS_TEXT
        );
    }

    #[test]
    fn read_reservation() {
        assert_eq!(
            read("-n -r", READ_RESERVATION, NO_KEYS),
            "  PR generation=0x15, there is NO reservation held\n"
        );
        assert_eq!(
            read(
                "-n -r",
                READ_RESERVATION,
                "00000015 00000010 0000000000abc123 11223344 55 03 6677"
            ),
            "  PR generation=0x15, Reservation follows:
    Key=0xabc123
    scope: LU_SCOPE,  type: Exclusive Access
"
        );
    }

    #[test]
    fn every_type_and_scope_has_its_words() {
        for (byte, words) in [
            ("00", "scope: LU_SCOPE,  type: obsolete [0]"),
            ("01", "scope: LU_SCOPE,  type: Write Exclusive"),
            ("02", "scope: LU_SCOPE,  type: obsolete [2]"),
            ("03", "scope: LU_SCOPE,  type: Exclusive Access"),
            ("04", "scope: LU_SCOPE,  type: obsolete [4]"),
            (
                "05",
                "scope: LU_SCOPE,  type: Write Exclusive, registrants only",
            ),
            (
                "06",
                "scope: LU_SCOPE,  type: Exclusive Access, registrants only",
            ),
            (
                "07",
                "scope: LU_SCOPE,  type: Write Exclusive, all registrants",
            ),
            (
                "08",
                "scope: LU_SCOPE,  type: Exclusive Access, all registrants",
            ),
            ("09", "scope: LU_SCOPE,  type: obsolete [9]"),
            ("0a", "scope: LU_SCOPE,  type: obsolete [0xa]"),
            ("0f", "scope: LU_SCOPE,  type: obsolete [0xf]"),
            ("15", "scope: 1  type: Write Exclusive, registrants only"),
            ("f3", "scope: 15  type: Exclusive Access"),
        ] {
            let data = format!("00000015 00000010 0000000000000000 00000000 00 {byte} 0000");
            assert_eq!(
                read("-n -r", READ_RESERVATION, &data),
                format!("  PR generation=0x15, Reservation follows:\n    Key=0x0\n    {words}\n")
            );
        }
    }

    #[test]
    fn report_capabilities() {
        assert_eq!(
            read("-n -c", REPORT_CAPABILITIES, "0008 1d 90 ea 01 0000"),
            "\
Report capabilities response:
  Replace Lost Reservation Capable(RLR_C): 0
  Compatible Reservation Handling(CRH): 1
  Specify Initiator Ports Capable(SIP_C): 1
  All Target Ports Capable(ATP_C): 1
  Persist Through Power Loss Capable(PTPL_C): 1
  Type Mask Valid(TMV): 1
  Allow Commands: 1
  Persist Through Power Loss Active(PTPL_A): 0
    Support indicated in Type mask:
      Write Exclusive, all registrants: 1
      Exclusive Access, registrants only: 1
      Write Exclusive, registrants only: 1
      Exclusive Access: 1
      Write Exclusive: 1
      Exclusive Access, all registrants: 1
"
        );
        assert_eq!(
            read("-n -c", REPORT_CAPABILITIES, "0008 80 51 aa 00 0000"),
            "\
Report capabilities response:
  Replace Lost Reservation Capable(RLR_C): 1
  Compatible Reservation Handling(CRH): 0
  Specify Initiator Ports Capable(SIP_C): 0
  All Target Ports Capable(ATP_C): 0
  Persist Through Power Loss Capable(PTPL_C): 0
  Type Mask Valid(TMV): 0
  Allow Commands: 5
  Persist Through Power Loss Active(PTPL_A): 1
"
        );
    }

    /// Two registrations: a SAS port that holds the reservation, and an iSCSI node.
    pub(super) fn full_status() -> String {
        let name = hex::encode("iqn.2005-03.org.open-iscsi:abc\0\0");
        let list = format!(
            "0000000000abc123 00000000 01 05 00000000 0001 00000018 {SAS}
             0000000000123abc 00000000 02 27 00000000 1234 00000024 05 00 0020 {name}"
        );
        format!("00000015 0000006c {list}")
    }

    pub(super) const FULL_STATUS_TEXT: &str = "  PR generation=0x15
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        SAS address: 0x5000c50005b32001
    Key=0x123abc
      All target ports bit set
      not reservation holder
      Transport Id of initiator:
        iSCSI name: iqn.2005-03.org.open-iscsi:abc
";

    #[test]
    fn read_full_status() {
        assert_eq!(
            read("-n -s", READ_FULL_STATUS, &full_status()),
            FULL_STATUS_TEXT
        );
        assert_eq!(
            read("-n -s", READ_FULL_STATUS, NO_KEYS),
            "  PR generation=0x15\n  No full status descriptors\n"
        );
    }

    #[test]
    fn a_registration_without_a_transport_id_and_an_odd_scope() {
        assert_eq!(
            read(
                "-n -s",
                READ_FULL_STATUS,
                "00000015 00000018 0000000000abc123 00000000 03 18 00000000 0001 00000000"
            ),
            "  PR generation=0x15
    Key=0xabc123
      All target ports bit set
      << Reservation holder >>
      scope: 1  type: Exclusive Access, all registrants
"
        );
    }

    #[test]
    fn verbose_says_what_no_descriptors_mean() {
        let ran = sg_persist("-n -s -v /dev/sda")
            .reads(READ_FULL_STATUS, good(NO_KEYS))
            .run();
        ran.is(
            0,
            "  PR generation=0x15\n  No full status descriptors\n  So there are no registered IT nexuses\n",
            "    Persistent reservation in cdb: [5e 03 00 00 00 00 00 fe 00 00]\n",
        );
    }

    #[test]
    fn initiators_of_every_protocol() {
        let rest = "11 2233 44556677 8899aabbccddeeff 0123456789abcdef";
        for (first, lines) in [
            (
                "00",
                "        FCP-2 World Wide Name:\n      88 99 aa bb cc dd ee ff\n",
            ),
            (
                "40",
                "        FCP-2 World Wide Name:\n        [Unexpected TPID format: 1]\n      88 99 aa bb cc dd ee ff\n",
            ),
            (
                "01",
                "        Parallel SCSI initiator SCSI address: 0x2233\n        relative port number (of corresponding target): 0x6677\n",
            ),
            (
                "02",
                "        SSA (transport id not defined):\n        TPID format: 0\n      02 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff\n      01 23 45 67 89 ab cd ef\n",
            ),
            (
                "03",
                "        IEEE 1394 EUI-64 name:\n      88 99 aa bb cc dd ee ff\n",
            ),
            (
                "04",
                "        RDMA initiator port identifier:\n      88 99 aa bb cc dd ee ff  01 23 45 67 89 ab cd ef\n",
            ),
            ("06", "        SAS address: 0x445566778899aabb\n"),
            (
                "47",
                "        ADT:\n        TPID format: 1\n      47 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff\n      01 23 45 67 89 ab cd ef\n",
            ),
            (
                "08",
                "        ATAPI:\n        TPID format: 0\n      08 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff\n      01 23 45 67 89 ab cd ef\n",
            ),
            (
                "09",
                "        UAS:\n        TPID format: 0\n      09 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff\n      01 23 45 67 89 ab cd ef\n",
            ),
            ("0a", "        SOP Routing ID: 0x2233\n"),
            (
                "8a",
                "        SOP   [Unexpected TPID format: 2]\n      8a 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff\n      01 23 45 67 89 ab cd ef\n",
            ),
            (
                "0b",
                "        PCIE:\n        TPID format: 0\n      0b 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff\n      01 23 45 67 89 ab cd ef\n",
            ),
            ("0f", "        No specified protocol\n"),
            (
                "cd",
                "        unknown protocol id=0xd  TPID format=3\n      cd 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff\n      01 23 45 67 89 ab cd ef\n",
            ),
        ] {
            let data = format!(
                "00000015 00000030 0000000000abc123 00000000 00 00 00000000 0001 00000018 {first} {rest}"
            );
            assert_eq!(
                read("-n -s", READ_FULL_STATUS, &data),
                format!(
                    "  PR generation=0x15
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      not reservation holder
      Transport Id of initiator:
{lines}"
                ),
                "{first}"
            );
        }
    }

    #[test]
    fn hex_once() {
        let shown = "  PR generation=0x15, Additional length=16
 00     00 00 00 00 00 ab c1 23  fe dc ba 98 76 54 32 10
";
        assert_eq!(read("-n -k -H", READ_KEYS, TWO_KEYS), shown);
        assert_eq!(
            read("-n -r -H", READ_RESERVATION, NO_KEYS),
            "  PR generation=0x15, Additional length=0\nAdditional length=0\n"
        );
    }

    #[test]
    fn hex_twice() {
        assert_eq!(
            read("-n -k -HH", READ_KEYS, TWO_KEYS),
            " 00     00 00 00 15 00 00 00 10  00 00 00 00 00 ab c1 23
 10     fe dc ba 98 76 54 32 10
"
        );
    }

    #[test]
    fn hex_three_times_and_more() {
        for line in ["-n -s -HHH", "-n -s -HHHH", "-n -s -H --hex --hex"] {
            assert_eq!(
                read(line, READ_FULL_STATUS, &full_status()),
                "00 00 00 15 00 00 00 6c  00 00 00 00 00 ab c1 23
00 00 00 00 01 05 00 00  00 00 00 01 00 00 00 18
06 00 00 00 50 00 c5 00  05 b3 20 01 00 00 00 00
00 00 00 00 00 00 00 00  00 00 00 00 00 12 3a bc
00 00 00 00 02 27 00 00  00 00 12 34 00 00 00 24
05 00 00 20 69 71 6e 2e  32 30 30 35 2d 30 33 2e
6f 72 67 2e 6f 70 65 6e  2d 69 73 63 73 69 3a 61
62 63 00 00
"
            );
        }
    }

    #[test]
    fn hex_of_capabilities_is_the_same_however_often() {
        for line in ["-n -c -H", "-n -c -HH", "-n -c -HHH"] {
            assert_eq!(
                read(line, REPORT_CAPABILITIES, "0008 1d 90 ea 01 0000 7777"),
                " 00     00 08 1d 90 ea 01 00 00\n"
            );
        }
    }

    #[test]
    fn hex_shows_offsets_of_three_digits() {
        let mut data = "00000015 00000200".to_owned();
        for key in 0..64 {
            data += &format!("{key:016x}");
        }
        let shown = read("-n -k -HH", READ_KEYS, &data);
        assert!(shown.contains("\n f0     00 00 00 00 00 00 00 1d  00 00 00 00 00 00 00 1e\n"));
        assert!(shown.contains("\n 100    00 00 00 00 00 00 00 1f  00 00 00 00 00 00 00 20\n"));
        assert!(shown.ends_with("\n 200    00 00 00 00 00 00 00 3f\n"));
    }

    #[test]
    fn a_thousand_keys_fit_the_room_that_is_asked_for() {
        let keys: String = (0..1022).map(|key| format!("{key:016x}")).collect();
        let shown = read("-n -k", READ_KEYS, &format!("00000001 00001ff0 {keys}"));
        assert!(shown.starts_with(
            "  PR generation=0x1, 1022 registered reservation keys follow:\n    0x0\n    0x1\n"
        ));
        assert!(shown.ends_with("    0x3fd\n"));
        assert_eq!(shown.lines().count(), 1023);
    }

    #[test]
    fn a_recovered_error_with_a_whole_answer_is_an_answer() {
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, sense(1, 0x17, 1).and_data(TWO_KEYS))
            .run()
            .is(
                0,
                TWO_KEYS_TEXT,
                "Persistent reservation in:
Fixed format, current; Sense key: Recovered Error
Additional sense: Recovered data with retries
    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 24 bytes
",
            );
    }
}

/// PERSISTENT RESERVE OUT: the bytes of nine service actions.
mod changes {
    use super::*;

    #[test]
    fn every_service_action_and_field() {
        for (words, cdb, list) in [
            (
                "--register --param-sark=abc123",
                "5f000000000000001800",
                "0000000000000000 0000000000abc123 00000000 00 000000",
            ),
            (
                "--register -K abc123 -S 123abc -Y -Z",
                "5f000000000000001800",
                "0000000000abc123 0000000000123abc 00000000 05 000000",
            ),
            (
                "--reserve --param-rk=abc123 --prout-type=3",
                "5f010300000000001800",
                "0000000000abc123 0000000000000000 00000000 00 000000",
            ),
            (
                "--release --param-rk=abc123 --prout-type=8",
                "5f020800000000001800",
                "0000000000abc123 0000000000000000 00000000 00 000000",
            ),
            (
                "--clear --param-rk=abc123",
                "5f030000000000001800",
                "0000000000abc123 0000000000000000 00000000 00 000000",
            ),
            (
                "--preempt -K abc123 -S 123abc -T 5",
                "5f040500000000001800",
                "0000000000abc123 0000000000123abc 00000000 00 000000",
            ),
            (
                "--preempt-abort -K abc123 -S 123abc -T f",
                "5f050f00000000001800",
                "0000000000abc123 0000000000123abc 00000000 00 000000",
            ),
            (
                "--register-ignore -S 123abc --param-alltgpt",
                "5f060000000000001800",
                "0000000000000000 0000000000123abc 00000000 04 000000",
            ),
            (
                "--replace-lost --param-aptpl",
                "5f080000000000001800",
                "0000000000000000 0000000000000000 00000000 01 000000",
            ),
        ] {
            sg_persist(&format!("-n --out {words} /dev/sda"))
                .changes(cdb, list, good(""))
                .run()
                .is(0, "", "");
        }
    }

    #[test]
    fn register_and_move() {
        sg_persist("-n -o -M -K abc -S 123 -Q 1 -X sas,5000c50005b32001 /dev/sda")
            .changes(
                "5f070000000000003000",
                &format!("0000000000000abc 0000000000000123 00 00 0001 00000018 {SAS}"),
                good(""),
            )
            .run()
            .is(0, "", "");
        sg_persist("-n -o -M -Q 0xfedc -U -Z -Y -T 3 -X sas,5000c50005b32001 /dev/sda")
            .changes(
                "5f070300000000003000",
                &format!("0000000000000000 0000000000000000 00 03 fedc 00000018 {SAS}"),
                good(""),
            )
            .run()
            .is(0, "", "");
    }

    #[test]
    fn a_type_is_sent_with_every_service_action() {
        sg_persist("-n -o -G -T 5 /dev/sda")
            .changes("5f000500000000001800", NOTHING, good(""))
            .run()
            .is(0, "", "");
    }

    #[test]
    fn transport_ids_follow_the_list_of_any_service_action() {
        for (letter, code) in [("G", "00"), ("C", "03"), ("I", "06")] {
            sg_persist(&format!("-n -o -{letter} -X file=ids /dev/sda"))
                .file("ids", "sas,5000c50005b32001\nspi,258,772\n")
                .changes(
                    &format!("5f{code}0000000000004c00"),
                    &format!(
                        "0000000000000000 0000000000000000 00000000 08 000000 00000030 {SAS}
                         010001020000030400000000000000000000000000000000"
                    ),
                    good(""),
                )
                .run()
                .is(0, "", "");
        }
    }

    #[test]
    fn a_residual_of_a_change_means_nothing() {
        sg_persist("-n -o -G /dev/sda")
            .changes(REGISTER, NOTHING, good("").residual(24))
            .run()
            .is(0, "", "");
    }

    #[test]
    fn no_sense_and_recovered_error_are_success() {
        for key in [0, 1] {
            let ran = sg_persist("-n -o -G /dev/sda")
                .changes(REGISTER, NOTHING, sense(key, 0, 0))
                .run();
            assert_eq!((ran.status, &ran.stdout[..]), (0, ""));
        }
    }
}

/// TransportIDs in every form that is typed.
mod transport_ids {
    use super::*;

    /// REGISTER sends these TransportIDs.
    #[track_caller]
    fn sends(argument: &str, file: Option<&str>, ids: &str) {
        let ids: String = ids.split_ascii_whitespace().collect();
        let length = ids.len() / 2;
        let total = 28 + length;
        let scene = sg_persist_words(&["-n", "-o", "-G", "-X", argument, DEVICE]);
        let scene = match (argument, file) {
            ("-", Some(text)) => scene.stdin(text),
            (_, Some(text)) => scene.file("ids", text),
            _ => scene,
        };
        scene
            .changes(
                &format!("5f00000000000000{total:02x}00"),
                &format!("{}08000000{length:08x}{ids}", "0".repeat(40)),
                good(""),
            )
            .run()
            .is(0, "", "");
    }

    #[test]
    fn symbolic_forms() {
        for (argument, id) in [
            ("sas,5000c50005b32001", SAS),
            ("SAS,5000C50005B32001", SAS),
            (
                "fcp,2000000011223344",
                "00000000 00000000 2000000011223344 0000000000000000",
            ),
            (
                "SBP,0011223344556677",
                "03000000 00000000 0011223344556677 0000000000000000",
            ),
            (
                "spi,258,772",
                "01000102 00000304 0000000000000000 0000000000000000",
            ),
            (
                "srp,0102030405060708090a0b0c0d0e0f10",
                "04000000 00000000 0102030405060708 090a0b0c0d0e0f10",
            ),
            (
                "sop,0e0f",
                "0a000e0f 00000000 0000000000000000 0000000000000000",
            ),
            (
                "iqn.abc",
                "05000014 69716e2e616263 00000000000000000000000000",
            ),
            (
                "iqn.a,i,0x23",
                "45000014 69716e2e612c692c30783233 0000000000000000",
            ),
        ] {
            sends(argument, None, id);
        }
    }

    #[test]
    fn an_iscsi_name_takes_as_much_as_it_needs() {
        let name = "iqn.2005-03.org.open-iscsi:abc";
        let id = format!("05000020{}0000", hex::encode(name));
        sends(name, None, &id);
        // A name of twenty bytes needs a twenty-first for its NUL.
        let id = format!("05000018{}00000000", hex::encode("iqn.0123456789012345"));
        sends("iqn.0123456789012345", None, &id);
    }

    #[test]
    fn hex_bytes() {
        let id = "06000000 5000c50005b32001 000000000000000000000000";
        sends("06,00,00,00,50,00,c5,00,05,b3,20,01", None, id);
        sends("6 0 0 0 50 0 c5 0 5 b3 20 1", None, id);
        sends(
            "06,00,00,00,50,00,c5,00,05,b3,20,01,00,00,00,00,00,00,00,00,00,00,00,00",
            None,
            id,
        );
        sends(
            "5,0,0,1c,69,71,6e,2e,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,10,11,12,13,14,15,16,17,18",
            None,
            "0500001c 69716e2e 0102030405060708 090a0b0c0d0e0f10 1112131415161718",
        );
    }

    #[test]
    fn lines_of_a_file_and_of_standard_input() {
        let text = "# nodes\n\n  sas,5000c50005b32001   # the first\n07 01,02\n";
        let ids = format!("{SAS} 070102000000000000000000000000000000000000000000");
        sends("file=ids", Some(text), &ids);
        sends("FILE=ids", Some(text), &ids);
        sends("-", Some(text), &ids);
    }

    #[test]
    fn what_is_refused() {
        let bad = "bad argument to '--transport-id'\n";
        for (argument, message) in [
            (
                "sas,5000c50005b3200",
                "badly formed symbolic SAS TransportID: 5000c50005b3200\nbuild_transportid: error at pos 1\n",
            ),
            (
                "fcp,1",
                "badly formed symbolic FCP TransportID: 1\nbuild_transportid: error at pos 3\n",
            ),
            (
                "spi,1",
                "badly formed symbolic SPI TransportID: 1\nbuild_transportid: error at pos 1\n",
            ),
            (
                "Sas,5000c50005b32001",
                "unable to parse symbolic TransportID: Sas,5000c50005b32001\nbuild_transportid: error at pos 1\n",
            ),
            (
                "06,100",
                "unable to parse symbolic TransportID: 06,100\nbuild_transportid: hex number larger than 0xff at pos 4\n",
            ),
            (
                "",
                "unable to parse symbolic TransportID: \nbuild_transportid: error at pos 1\n",
            ),
            ("file=none", "decode_file_tids: unable to open none\n"),
        ] {
            let ran = sg_persist_words(&["-n", "-o", "-G", "-X", argument, DEVICE]).run();
            ran.is(1, "", &format!("{message}{bad}"));
            ran.touched_nothing();
        }
        sg_persist("-n -o -G -X file=ids /dev/sda")
            .file("ids", "sas,5000c50005b32001\n06 zz\n")
            .run()
            .is(
                1,
                "",
                &format!(
                    "unable to parse symbolic TransportID: 06 zz\ndecode_file_tids: syntax error at line 2, pos 4\n{bad}"
                ),
            );
    }

    #[test]
    fn they_are_tolerated_where_nothing_is_changed() {
        sg_persist("-n -k -X sas,5000c50005b32001 /dev/sda")
            .reads(READ_KEYS, good(TWO_KEYS))
            .run()
            .is(0, TWO_KEYS_TEXT, "");
    }
}

/// Every class of failure: the line about the command, the last line, the status.
mod failures {
    use super::*;

    /// READ KEYS and RESERVE fail in the same way, before them what the transport says.
    #[track_caller]
    fn both(answer: &Answer, code: u8, told: &str, text: &str) {
        both_and_more(answer, code, told, text, "");
    }

    /// The same with lines `more` behind the original's.
    #[track_caller]
    fn both_and_more(answer: &Answer, code: u8, told: &str, text: &str, more: &str) {
        let stderr = |command: &str, name: &str| {
            let told = told.replace("CMD", command);
            let told = told.replace(
                "DIR",
                if name.starts_with("PR in") {
                    "in"
                } else {
                    "out"
                },
            );
            format!("{told}{name}: {text}\nsg_persist failed: {text}\n{more}")
        };
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, answer.clone().and_data(TWO_KEYS))
            .run()
            .is(
                code,
                "",
                &stderr("Persistent reservation in", "PR in (Read keys)"),
            );
        sg_persist("-n -o -R -T 1 /dev/sda")
            .changes("5f010100000000001800", NOTHING, answer.clone())
            .run()
            .is(
                code,
                "",
                &stderr("Persistent reservation out", "PR out (Reserve)"),
            );
    }

    #[test]
    fn scsi_statuses() {
        for (byte, code, text) in [
            (0x18, 24, "Reservation conflict"),
            (0x04, 25, "Condition met"),
            (0x08, 26, "Busy"),
            (0x28, 27, "Task set full"),
            (0x30, 28, "ACA aactive"),
            (0x40, 29, "Task aborted"),
        ] {
            both(&status(byte), code, "", text);
            // Bits 0 and 7 once were the vendor's.
            both(&status(byte | 0x81), code, "", text);
        }
    }

    #[test]
    fn sense_keys_that_need_no_words() {
        for (answer, code, text, more) in [
            (
                sense(2, 0x3a, 0),
                2,
                "Device not ready",
                "Sense data 2/3a/00: Not Ready, Medium not present\n",
            ),
            (
                sense(2, 4, 0x0b),
                12,
                "Device not ready, standby",
                "Sense data 2/04/0b: Not Ready, Logical unit not accessible, target port in standby \
                 state\nThis path is in standby (ALUA): use another path to the device (multipath -ll \
                 lists them)\n",
            ),
            (
                sense(2, 4, 0x0c),
                13,
                "Device not ready, unavailable",
                "Sense data 2/04/0c: Not Ready, Logical unit not accessible, target port in \
                 unavailable state\nThis path is unavailable (ALUA, ANA): use another path to the device \
                 (multipath -ll lists them)\n",
            ),
            (
                sense(2, 4, 4),
                16,
                "Device not ready, something in progress",
                "Sense data 2/04/04: Not Ready, Logical unit not ready, format in progress\n",
            ),
            (
                sense(5, 0x21, 0),
                22,
                "LBA out of range",
                "Sense data 5/21/00: Illegal Request, Logical block address out of range\n",
            ),
            (
                sense(7, 0x27, 0),
                7,
                "Data protect",
                "Sense data 7/27/00: Data Protect, Write protected\n",
            ),
            (
                sense(0xa, 0, 0),
                10,
                "Copy aborted",
                "Sense data a/00/00: Copy Aborted, No additional sense information\n",
            ),
            (
                sense(0xb, 0x4b, 0),
                11,
                "Aborted command",
                "Sense data b/4b/00: Aborted Command, Data phase error\n",
            ),
            (
                sense(0xe, 0x1d, 0),
                14,
                "Miscompare",
                "Sense data e/1d/00: Miscompare, Miscompare during verify operation\n",
            ),
        ] {
            both_and_more(&answer, code, "", text, more);
        }
    }

    #[test]
    fn a_check_condition_without_sense_data() {
        let mut stderr = "Persistent reservation out:\n >>> sense buffer empty\n".to_owned();
        stderr +=
            "PR out (Reserve): Some other sense error\nsg_persist failed: Some other sense error\n";
        sg_persist("-n -o -R -T 1 /dev/sda")
            .changes("5f010100000000001800", NOTHING, status(0x02))
            .run()
            .is(98, "", &stderr);
    }

    #[test]
    fn sense_keys_that_are_explained() {
        for (key, asc, code, sense_text, text) in [
            (
                3,
                0x11,
                3,
                "Medium Error\nAdditional sense: Unrecovered read error",
                "Medium or hardware error",
            ),
            (
                4,
                0x44,
                3,
                "Hardware Error\nAdditional sense: Internal target failure",
                "Medium or hardware error",
            ),
            (
                6,
                0x2a,
                6,
                "Unit Attention\nAdditional sense: Parameters changed",
                "Unit attention",
            ),
            (
                9,
                0x80,
                98,
                "Vendor specific(9)\nvendor specific ASC=80, ASCQ=00 (hex)",
                "Some other sense error",
            ),
        ] {
            sg_persist("-n -o -R -T 1 /dev/sda")
                .changes("5f010100000000001800", NOTHING, sense(key, asc, 0))
                .run()
                .is(
                    code,
                    "",
                    &format!(
                        "Persistent reservation out:\nFixed format, current; Sense key: {sense_text}\nPR out (Reserve): {text}\nsg_persist failed: {text}\n"
                    ),
                );
        }
    }

    #[test]
    fn a_protection_error() {
        both_and_more(
            &sense(0xb, 0x10, 1),
            40,
            "",
            "Aborted command, protection error",
            "Sense data b/10/01: Aborted Command, Logical block guard check failed\n",
        );
    }

    #[test]
    fn illegal_requests_have_words_of_their_own() {
        for (answer, code, read, change, moved, last, words) in [
            (
                sense(5, 0x20, 0),
                9,
                "command not supported",
                "command not supported",
                "command not supported",
                "Illegal request, Invalid opcode",
                "5/20/00: Illegal Request, Invalid command operation code",
            ),
            (
                sense(5, 0x24, 0),
                5,
                "bad field in cdb or parameter list (perhaps unsupported service action)",
                "bad field in cdb (perhaps unsupported service action)",
                "bad field in cdb (perhaps unsupported service action)",
                "Illegal request",
                "5/24/00: Illegal Request, Invalid field in cdb",
            ),
            (
                sense(5, 0x26, 0),
                19,
                "Illegal request, Invalid field in parameter list",
                "bad field parameter list",
                "bad field in parameter list",
                "Illegal request, Invalid field in parameter list",
                "5/26/00: Illegal Request, Invalid field in parameter list",
            ),
        ] {
            let last = format!("sg_persist failed: {last}\nSense data {words}\n");
            sg_persist("-n -c /dev/sda")
                .reads(REPORT_CAPABILITIES, answer.clone())
                .run()
                .is(
                    code,
                    "",
                    &format!("PR in (Report capabilities): {read}\n{last}"),
                );
            sg_persist("-n -o -z /dev/sda")
                .changes("5f080000000000001800", NOTHING, answer.clone())
                .run()
                .is(
                    code,
                    "",
                    &format!("PR out (Replace lost reservation): {change}\n{last}"),
                );
            sg_persist("-n -o -M -X sas,5000c50005b32001 /dev/sda")
                .changes(
                    "5f070000000000003000",
                    &format!("{} 00000018 {SAS}", &NOTHING[..40]),
                    answer,
                )
                .run()
                .is(
                    code,
                    "",
                    &format!("PR out (register and move): {moved}\n{last}"),
                );
        }
    }

    #[test]
    fn every_service_action_is_named() {
        for (letter, cdb, name) in [
            ("k", READ_KEYS, "Read keys"),
            ("r", READ_RESERVATION, "Read reservation"),
            ("c", REPORT_CAPABILITIES, "Report capabilities"),
            ("s", READ_FULL_STATUS, "Read full status"),
        ] {
            sg_persist(&format!("-n -{letter} /dev/sda"))
                .reads(cdb, status(0x08))
                .run()
                .is(
                    26,
                    "",
                    &format!("PR in ({name}): Busy\nsg_persist failed: Busy\n"),
                );
        }
        for (letter, code, name) in [
            ("G", "00", "Register"),
            ("R", "01", "Reserve"),
            ("L", "02", "Release"),
            ("C", "03", "Clear"),
            ("P", "04", "Preempt"),
            ("A", "05", "Preempt and abort"),
            ("I", "06", "Register and ignore existing key"),
            ("z", "08", "Replace lost reservation"),
        ] {
            sg_persist(&format!("-n -o -{letter} -T 1 /dev/sda"))
                .changes(&format!("5f{code}0100000000001800"), NOTHING, status(0x18))
                .run()
                .is(
                    24,
                    "",
                    &format!(
                        "PR out ({name}): Reservation conflict\nsg_persist failed: Reservation conflict\n"
                    ),
                );
        }
    }

    #[test]
    fn errors_of_the_operating_system() {
        for (number, code, text) in [
            (libc::ENOTTY, 75, "Inappropriate ioctl for device"),
            (libc::EIO, 55, "Input/output error"),
        ] {
            let told = format!("CMD: pass-through os error: {text}\n");
            both(&errno(number), code, &told, text);
        }
        both(
            &errno(libc::ETIMEDOUT),
            50,
            "CMD: pass-through os error: Connection timed out\n",
            "An OS error occurred",
        );
        // The original says nothing of a device that has gone.
        both(&errno(libc::ENXIO), 2, "", "Device not ready");
    }

    #[test]
    fn host_statuses() {
        for (number, told) in [
            (0x01, "0x01 [DID_NO_CONNECT]"),
            (0x03, "0x03 [DID_TIME_OUT]"),
            (0x0e, "0x0e [DID_TRANSPORT_DISRUPTED]"),
            (0x11, "0x11 [DID_NEXUS_FAILURE (reservation conflict)]"),
            (0x14, "0x14 [DID_TRANSPORT_MARGINAL]"),
            (0x15, "0x15 is invalid"),
        ] {
            both(
                &host(number),
                35,
                &format!("CMD: transport: Host_status={told}\n\n"),
                "Transport error",
            );
        }
    }

    #[test]
    fn a_host_status_hides_sense_data() {
        let host = sense(6, 0x29, 0).and_host(0x07);
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, host)
            .run()
            .is(
                35,
                "",
                "\
Persistent reservation in: transport: Host_status=0x07 [DID_ERROR]
Driver_status=0x08 [DRIVER_SENSE]

PR in (Read keys): Transport error
sg_persist failed: Transport error
",
            );
    }

    #[test]
    fn verbose_has_long_words_and_no_last_line() {
        for (answer, code, told, text) in [
            (
                status(0x18),
                24,
                "",
                "Reservation conflict, type: SCSI status",
            ),
            (
                sense(2, 0x3a, 0),
                2,
                "Persistent reservation in:\nFixed format, current; Sense key: Not Ready\nAdditional sense: Medium not present\n",
                "Device not ready, type: sense key",
            ),
            (
                errno(libc::ENOTTY),
                75,
                "Persistent reservation in: pass-through os error: Inappropriate ioctl for device\n",
                "OS error: Inappropriate ioctl for device",
            ),
            (
                errno(libc::ENXIO),
                2,
                "Persistent reservation in: pass-through os error: No such device or address\n",
                "Device not ready, type: sense key",
            ),
            (
                host(1),
                35,
                "Persistent reservation in: transport: Host_status=0x01 [DID_NO_CONNECT]\n\n",
                "Transport error, driver or interconnect error",
            ),
        ] {
            sg_persist("-n -k -v /dev/sda").reads(READ_KEYS, answer).run().is(
                code,
                "",
                &format!(
                    "    Persistent reservation in cdb: [5e 00 00 00 00 00 00 20 00 00]\n{told}PR in (Read keys): {text}\n"
                ),
            );
        }
    }

    #[test]
    fn what_came_with_a_failure_is_counted_but_not_shown() {
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, sense(6, 0x29, 0).and_data(TWO_KEYS))
            .run()
            .is(
                6,
                "",
                "\
Persistent reservation in:
Fixed format, current; Sense key: Unit Attention
Additional sense: Power on, reset, or bus device reset occurred
    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 24 bytes
PR in (Read keys): Unit attention
sg_persist failed: Unit attention
",
            );
    }

    #[test]
    fn a_unit_attention_is_not_tried_again() {
        sg_persist("-n -o -R -T 1 /dev/sda")
            .changes("5f010100000000001800", NOTHING, sense(6, 0x2a, 3))
            .run()
            .is(
                6,
                "",
                "\
Persistent reservation out:
Fixed format, current; Sense key: Unit Attention
Additional sense: Reservations preempted
PR out (Reserve): Unit attention
sg_persist failed: Unit attention
Another node has cleared or preempted this node's registration or reservation: look at the keys and the reservation before going on
",
            );
    }
}

/// What each `-v` adds.
mod verbose {
    use super::*;
    use sg_persist::transport::NodeKind;

    const CDB: &str = "    Persistent reservation in cdb: [5e 00 00 00 00 00 00 20 00 00]\n";

    #[test]
    fn once_shows_the_commands() {
        sg_persist("-k -v /dev/sda")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, good(NO_KEYS))
            .run()
            .is(
                0,
                &format!(
                    "{DISK_LINES}  PR generation=0x15, there are NO registered reservation keys\n"
                ),
                &format!("    inquiry cdb: [12 00 00 00 24 00]\n{CDB}"),
            );
        sg_persist("-n -v -o -G -S 1 /dev/sda")
            .changes(REGISTER, "0000000000000000 0000000000000001 0000000000000000", good(""))
            .run()
            .is(
                0,
                "",
                "    Persistent reservation out cdb: [5f 00 00 00 00 00 00 00 18 00]\nPR out: command (Register) successful\n",
            );
    }

    #[test]
    fn twice_shows_opens_lists_and_what_is_missing() {
        sg_persist("-n -k -vv /dev/sda").reads(READ_KEYS, good(NO_KEYS)).run().is(
            0,
            "  PR generation=0x15, there are NO registered reservation keys\n",
            &format!(
                "open /dev/sda with flags=0x800\n{CDB}    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 8 bytes\n"
            ),
        );
        sg_persist("-n -vv -o -M -X sas,5000c50005b32001 -S 41 /dev/sda")
            .changes(
                "5f070000000000003000",
                &format!("0000000000000000 0000000000000041 00000000 00000018 {SAS}"),
                good(""),
            )
            .run()
            .is(
                0,
                "",
                "\
open /dev/sda with flags=0x802
    Persistent reservation out cdb: [5f 07 00 00 00 00 00 00 30 00]
    Persistent reservation out parameters:
 00     00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 41    ...............A
 10     00 00 00 00 00 00 00 18  06 00 00 00 50 00 c5 00    ............P...
 20     05 b3 20 01 00 00 00 00  00 00 00 00 00 00 00 00    .. .............
PR out (register and move): command successful
",
            );
    }

    #[test]
    fn twice_shows_failed_opens_and_ioctls() {
        sg_persist("-n -k -vv /dev/sda")
            .fails_to_open(RO, libc::ENOENT)
            .run()
            .is(
                52,
                "",
                "\
open /dev/sda with flags=0x800
scsi_pt_open_flags: open(/dev/sda, 0x800) failed: No such file or directory
sg_persist: error opening file /dev/sda (ro): No such file or directory
",
            );
        sg_persist("-n -k -vv /dev/sda")
            .reads(READ_KEYS, errno(libc::ENOTTY))
            .run()
            .is(
                75,
                "",
                &format!(
                    "open /dev/sda with flags=0x800
{CDB}ioctl(SG_IO v3) failed: Inappropriate ioctl for device (errno=25)
Persistent reservation in: pass-through os error: Inappropriate ioctl for device
PR in (Read keys): OS error: Inappropriate ioctl for device
"
                ),
            );
    }

    #[test]
    fn three_times_shows_the_parameters_and_the_answer() {
        let answer = good(TWO_KEYS).after(7);
        sg_persist("-n -k -vvv -K 1 -Z -Z -X sas,5000c50005b32001 /dev/sda")
            .reads(READ_KEYS, answer)
            .run()
            .is(
                0,
                &format!(
                    "      Transport Id of initiator:\n        SAS address: 0x5000c50005b32001\n{TWO_KEYS_TEXT}"
                ),
                &format!(
                    "Number of PROUT parameters: 4
number of tranport-ids decoded from command line (or stdin): 1
  Decode given transport-ids:
open /dev/sda with flags=0x800
{CDB}      duration=7 ms
    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 24 bytes
    Persistent reservation in: response:
00 00 00 15 00 00 00 10  00 00 00 00 00 ab c1 23
fe dc ba 98 76 54 32 10
"
                ),
            );
    }

    #[test]
    fn three_times_tells_what_becomes_of_a_device_that_has_gone() {
        sg_persist("-n -k -vvv /dev/sda")
            .reads(READ_KEYS, errno(libc::ENXIO))
            .run()
            .is(
                2,
                "",
                &format!(
                    "Number of PROUT parameters: 0
open /dev/sda with flags=0x800
{CDB}ioctl(SG_IO v3) failed: No such device or address (errno=6)
Persistent reservation in: pass-through os error: No such device or address
map ENXIO to SG_LIB_CAT_NOT_READY
PR in (Read keys): Device not ready, type: sense key
"
                ),
            );
    }

    #[test]
    fn four_times_shows_the_node_and_the_characters() {
        sg_persist("-n -k -vvvv /dev/sda")
            .reads(READ_KEYS, good(TWO_KEYS))
            .run()
            .is(
                0,
                TWO_KEYS_TEXT,
                &format!(
                    "Number of PROUT parameters: 0
open /dev/sda with flags=0x800
{CDB}check_file_type: file descriptor is block device
      duration=0 ms
    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 24 bytes
    Persistent reservation in: response:
 00     00 00 00 15 00 00 00 10  00 00 00 00 00 ab c1 23    ...............#
 10     fe dc ba 98 76 54 32 10                             ....vT2.
"
                ),
            );
    }

    #[test]
    fn six_times_shows_the_interface() {
        let ran = sg_persist("-n -k -vvvvvv /dev/sda")
            .node(NodeKind::Sg, None)
            .sg_driver_version([3, 5, 36])
            .reads(READ_KEYS, status(0x18))
            .run();
        ran.is(
            24,
            "",
            &format!(
                "Number of PROUT parameters: 0
open /dev/sda with flags=0x800
{CDB}check_file_type: file descriptor is sg device
set_pt_file_handle: sg driver version 3.05.36 so choose v3
do_scsi_pt:  is_nvme=0, is_sg=1, is_bsg=0
      duration=0 ms
PR in (Read keys): Reservation conflict, type: SCSI status
"
            ),
        );
    }

    #[test]
    fn bsg_nodes_take_the_other_interface() {
        let ran = sg_persist("-n -k -vvvv /dev/sda")
            .node(NodeKind::Bsg, Some(249))
            .reads(READ_KEYS, errno(libc::EINVAL))
            .run();
        ran.is(
            72,
            "",
            &format!(
                "Number of PROUT parameters: 0
open /dev/sda with flags=0x800
{CDB}found sg_bsg_major=249
check_file_type: file descriptor is bsg device
ioctl(SG_IO v4) failed: Invalid argument (errno=22)
Persistent reservation in: pass-through os error: Invalid argument
PR in (Read keys): OS error: Invalid argument
"
            ),
        );
    }

    #[test]
    fn long_answers_are_cut_at_three_and_whole_at_four() {
        let keys: String = (0..64).map(|key| format!("{key:016x}")).collect();
        let data = format!("00000015 00000200 {keys}");
        let three = sg_persist("-n -k -vvv /dev/sda")
            .reads(READ_KEYS, good(&data))
            .run();
        let (_, shown) = three
            .stderr
            .split_once("response, first 256 bytes:\n")
            .unwrap();
        assert_eq!(shown.lines().count(), 16);
        let four = sg_persist("-n -k -vvvv /dev/sda")
            .reads(READ_KEYS, good(&data))
            .run();
        let (_, shown) = four.stderr.split_once("response:\n").unwrap();
        assert_eq!(shown.lines().count(), 33);
        assert_eq!(three.stdout, four.stdout);
    }

    #[test]
    fn sense_data_is_shown_raw_at_two() {
        sg_persist("-n -k -vv /dev/sda")
            .reads(
                READ_KEYS,
                check_condition("700005000000000a00000000240000cf0001"),
            )
            .run()
            .is(
                5,
                "",
                &format!(
                    "open /dev/sda with flags=0x800
{CDB}Persistent reservation in:
Fixed format, current; Sense key: Illegal Request
Additional sense: Invalid field in cdb
  Sense Key Specific: Error in Command: byte 1 bit 7
 Raw sense data (in hex), sb_len=18, calculated_len=18
        70 00 05 00 00 00 00 0a  00 00 00 00 24 00 00 cf
        00 01
PR in (Read keys): bad field in cdb or parameter list (perhaps unsupported service action)
"
                ),
            );
    }
}

/// Standard output and standard error.
mod output {
    use super::*;

    #[test]
    fn nothing_from_a_device_is_changed_in_a_pipe() {
        let name = hex::encode(b"iqn.\x1b[31mevil\0\0\0\0\0\0\0");
        let ran = sg_persist("-n -s /dev/sda")
            .reads(
                READ_FULL_STATUS,
                good(&format!(
                    "00000015 00000030 0000000000abc123 00000000 02 00 00000000 0000 00000018 05000014 {name}"
                )),
            )
            .run();
        assert!(
            ran.stdout
                .ends_with("        iSCSI name: iqn.\x1b[31mevil\n")
        );
    }

    #[test]
    fn output_before_an_error_is_still_written() {
        sg_persist("-k /dev/sda")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, status(0x18))
            .run()
            .is(
                24,
                DISK_LINES,
                "PR in (Read keys): Reservation conflict\nsg_persist failed: Reservation conflict\n",
            );
    }

    #[test]
    fn a_failure_counts_more_than_output_that_is_lost() {
        let ran = sg_persist("-k /dev/sda")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, status(0x18))
            .stdout_fails(libc::ENOSPC)
            .run();
        ran.is(
            24,
            "",
            "PR in (Read keys): Reservation conflict
sg_persist failed: Reservation conflict
sg_persist: cannot write the output: No space left on device
",
        );
    }
}

/// The program as a process, without a device.
mod processes {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output, Stdio};

    fn program() -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sg_persist"));
        for name in [
            "POSIXLY_CORRECT",
            "SG_PERSIST_IN_RDONLY",
            "SG3_UTILS_INVOCATION",
        ] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn is(output: &Output, code: i32, stdout: &str, stderr: &str) {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            (
                output.status.code(),
                &text(&output.stdout)[..],
                &text(&output.stderr)[..]
            ),
            (Some(code), stdout, stderr)
        );
    }

    #[test]
    fn what_is_no_device() {
        let run = |words: &[&str]| program().args(words).output().unwrap();
        is(
            &run(&["-k", "/no/such"]),
            52,
            "",
            "sg_persist: error opening file (ro): /no/such: No such file or directory\n",
        );
        is(
            &run(&["-k", "/dev/null"]),
            75,
            "sg_persist: SCSI INQUIRY failed on /dev/null\n",
            "inquiry: pass-through os error: Inappropriate ioctl for device\n",
        );
        is(
            &run(&["-n", "-k", "/dev/null"]),
            75,
            "",
            "Persistent reservation in: pass-through os error: Inappropriate ioctl for device
PR in (Read keys): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device
",
        );
        is(
            &run(&["-n", "-o", "-G", "/dev/null"]),
            75,
            "",
            "Persistent reservation out: pass-through os error: Inappropriate ioctl for device
PR out (Register): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device
",
        );
        is(
            &run(&["-n", "-o", "-G", "/"]),
            71,
            "",
            "sg_persist: error opening file / (rw): Is a directory\n",
        );
        is(
            &run(&["-n", "-k", "/"]),
            75,
            "",
            "Persistent reservation in: pass-through os error: Inappropriate ioctl for device
PR in (Read keys): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device
",
        );
    }

    #[test]
    fn the_environment_counts() {
        let with = |name: &str, words: &[&str]| {
            let mut command = program();
            command.env(name, "").args(words);
            let output = command.output().unwrap();
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let words = ["-n", "-k", "-vv", "/dev/null", "-yy"];
        assert!(
            with("POSIXLY_CORRECT", &["/dev/null", "-k"])
                .starts_with("Unexpected extra argument: -k\n")
        );
        assert!(with("SG3_UTILS_INVOCATION", &words).contains("\ninvocation_arguments:\n  "));
        // Other differences that it makes are not to be seen without a device.
        assert!(with("SG_PERSIST_IN_RDONLY", &words).contains("flags=0x802\n"));
        assert!(with("SG_PERSIST_IN_RDONLY", &words[..4]).contains("flags=0x800\n"));
    }

    #[test]
    fn transport_ids_are_read_from_files_and_standard_input() {
        let file = tempfile("transport_ids", b"sas,zz\n");
        let expected = "badly formed symbolic SAS TransportID: zz
decode_file_tids: syntax error at line 1, pos 1
bad argument to '--transport-id'
";
        let mut command = program();
        command.arg("-X").arg(format!("file={}", file.display()));
        is(&command.output().unwrap(), 1, "", expected);
        let mut command = program();
        command.args(["-X", "-"]).stdin(File::open(&file).unwrap());
        is(&command.output().unwrap(), 1, "", expected);
        std::fs::remove_file(file).unwrap();
    }

    /// Without a limit this would take all memory there is.
    #[test]
    fn input_without_end_is_refused() {
        let refused = |path: &str| {
            format!(
                "decode_file_tids: {path} holds more than 1048576 bytes\n\
                 bad argument to '--transport-id'\n"
            )
        };
        let words = ["-o", "-G", "-X"];
        let mut command = program();
        command.args(words).args(["file=/dev/zero", "/dev/null"]);
        is(&command.output().unwrap(), 1, "", &refused("/dev/zero"));
        let mut command = program();
        command.args(words).args(["-", "/dev/null"]);
        command.stdin(File::open("/dev/zero").unwrap());
        is(&command.output().unwrap(), 1, "", &refused("stdin"));
    }

    #[test]
    fn standard_streams_that_cannot_be_looked_at_are_told() {
        let mut command = std::process::Command::new("/bin/sh");
        let program = env!("CARGO_BIN_EXE_sg_persist");
        // Fewer descriptors than there are streams.
        command.args(["-c", "ulimit -n 2 && exec \"$0\" -V", program]);
        is(
            &command.output().unwrap(),
            72,
            "",
            "sg_persist: cannot make sure of the standard streams: Invalid argument\n",
        );
    }

    #[test]
    fn a_full_device_is_told() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = program().arg("-V").stdout(full).output().unwrap();
        is(
            &output,
            78,
            "",
            "sg_persist: cannot write the output: No space left on device\n",
        );
    }

    #[test]
    fn a_closed_pipe_is_not() {
        let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(reader);
        let writer = std::os::fd::OwnedFd::from(writer);
        let output = program().arg("-V").stdout(writer).output().unwrap();
        // As any filter's writer, and as the original.
        assert_eq!(output.status.signal(), Some(libc::SIGPIPE));
        assert!(output.stderr.is_empty());
    }
}

/// A file with `text` that no other test uses.
fn tempfile(name: &str, text: &[u8]) -> std::path::PathBuf {
    let directory = std::env::temp_dir();
    let path = directory.join(format!("sg_persist-{name}-{}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

/// What differs from the original on purpose: each test bears the name that the manual gives the
/// difference under DIFFERENCES.
mod differences {
    use super::answers::{FULL_STATUS_TEXT, full_status};
    use super::*;

    fn short(additional: &str) -> String {
        format!("{additional}\nsg_persist failed: Malformed SCSI command response\n")
    }

    /// Whatever else happens, the answer is refused with status 97, and nothing is shown.
    #[track_caller]
    fn malformed(line: &str, cdb: &str, answer: Answer, message: &str) {
        sg_persist(line)
            .word(DEVICE.as_bytes())
            .reads(cdb, answer)
            .run()
            .is(97, "", &short(message));
    }

    /// The bytes of TransportIDs that REGISTER sends.
    #[track_caller]
    fn transport_ids(scene: common::Scene, ids: &str) {
        let ids: String = ids.split_ascii_whitespace().collect();
        let length = ids.len() / 2;
        let total = 28 + length;
        scene
            .word(b"-noG")
            .word(DEVICE.as_bytes())
            .changes(
                &format!("5f00000000000000{total:04x}00").replacen("00", "", 1),
                &format!("{}08000000{length:08x}{ids}", "0".repeat(40)),
                good(""),
            )
            .run()
            .is(0, "", "");
    }

    #[track_caller]
    fn refused(scene: common::Scene, message: &str) {
        let ran = scene.word(b"-noG").word(DEVICE.as_bytes()).run();
        ran.is(
            1,
            "",
            &format!("{message}\nbad argument to '--transport-id'\n"),
        );
        ran.touched_nothing();
    }

    // The command line.

    #[test]
    fn a_mistaken_option_is_status_1() {
        for (line, message) in [
            ("-x", "invalid option -- 'x'"),
            ("--nosuch", "unrecognized option '--nosuch'"),
            (
                "--rep",
                "option '--rep' is ambiguous; possibilities: '--replace-lost' '--report-capabilities' '--report_capabilities'",
            ),
            ("-K", "option requires an argument -- 'K'"),
            ("--out=1", "option '--out' doesn't allow an argument"),
        ] {
            let ran = sg_persist(&format!("-n -o -G /dev/sda {line}")).run();
            ran.is_with_usage(1, &format!("sg_persist: {message}\n"));
            ran.touched_nothing();
        }
    }

    #[test]
    fn the_nearest_option_is_named() {
        sg_persist("-n -o -G --all-tg-pt /dev/sda").run().is(
            1,
            "",
            "\
sg_persist: unrecognized option '--all-tg-pt'
Did you mean '--param-alltgpt'? 'sg_persist -h' and '-hh' list the options
",
        );
    }

    #[test]
    fn help_and_version_go_to_stdout() {
        sg_persist("-h")
            .run()
            .is(0, &sg_persist::cli::usage::usage(), "");
        sg_persist("--help --help")
            .run()
            .is(0, &sg_persist::cli::usage::more_usage(), "");
        sg_persist("--version").run().is(
            0,
            concat!("version: ", env!("CARGO_PKG_VERSION"), "\n"),
            "",
        );
    }

    #[test]
    fn numbers_are_understood_whole_or_refused() {
        for (letter, name) in [
            ("K", "param-rk"),
            ("S", "param-sark"),
            ("T", "prout-type"),
            ("Q", "relative-target-port"),
            ("l", "alloc-length"),
        ] {
            for value in [
                "12xyz",
                "1,2",
                "1 2",
                "-1",
                "+5",
                "0x",
                "0x 5",
                "",
                "10000000000000000",
                "1ffffffffffffffff",
                "/dev/sda",
            ] {
                let ran =
                    sg_persist_words(&["-n", "-o", "-G", DEVICE, &format!("-{letter}"), value])
                        .run();
                let form = match letter {
                    "K" | "S" => " (up to 16 hexadecimal digits)",
                    _ => "",
                };
                ran.is(1, "", &format!("bad argument to '--{name}'{form}\n"));
                ran.touched_nothing();
            }
        }
    }

    #[test]
    fn a_type_beyond_f_is_refused() {
        for value in ["10", "15", "ffffffff", "100000001"] {
            sg_persist(&format!("-n -o -R -T {value} /dev/sda"))
                .run()
                .is(1, "", "bad argument to '--prout-type'\n");
        }
        sg_persist("-n -o -R -T f /dev/sda")
            .changes("5f010f00000000001800", NOTHING, good(""))
            .run()
            .is(0, "", "");
    }

    #[test]
    fn lengths_concern_reading_alone() {
        for line in ["-l 0", "-l 8", "--maxlen=20", "-l 2000"] {
            sg_persist(&format!("-n -o -G {line} /dev/sda"))
                .changes(REGISTER, NOTHING, good(""))
                .run()
                .is(0, "", "");
        }
    }

    #[test]
    fn the_invocation_names_our_version() {
        let ran = sg_persist("-V").show_invocation().run();
        let version = env!("CARGO_PKG_VERSION");
        assert!(
            ran.stderr
                .contains(&format!("\nversion_string={version}\n"))
        );
        assert_eq!(ran.stdout, format!("version: {version}\n"));
    }

    #[test]
    fn text_that_is_not_utf8_is_shown_replaced() {
        sg_persist("-n -k")
            .word(b"/dev/\xff")
            .device_of_bytes(b"/dev/\xff")
            .fails_to_open(RO, libc::ENOENT)
            .run()
            .is(
                52,
                "",
                "sg_persist: error opening file /dev/\u{fffd} (ro): No such file or directory\n",
            );
        sg_persist("-n -k /dev/sda")
            .word(b"\xe4")
            .run()
            .is_with_usage(1, "Unexpected extra argument: \u{fffd}\n");
    }

    // TransportIDs.

    #[test]
    fn srp_takes_32_digits() {
        transport_ids(
            sg_persist("-X srp,00112233445566778899AABBCCDDEEFF"),
            "04000000 00000000 0011223344556677 8899aabbccddeeff",
        );
        refused(
            sg_persist("-X SRP,0011223344556677"),
            "badly formed symbolic SRP TransportID: 0011223344556677\nbuild_transportid: error at pos 1",
        );
    }

    #[test]
    fn sop_works() {
        transport_ids(
            sg_persist("-X SOP,12"),
            "0a000012 00000000 0000000000000000 0000000000000000",
        );
        refused(
            sg_persist("-X sop,12345"),
            "badly formed symbolic SOP TransportID: 12345\nbuild_transportid: error at pos 1",
        );
    }

    #[test]
    fn every_kind_of_iscsi_name_is_known() {
        for name in [
            "eui.02004567a425678d",
            "naa.52004567ba64678d",
            "IQN.2001-04.com.x",
        ] {
            let mut id = format!("05000018{}", hex::encode(name));
            while id.len() < 56 {
                id += "00";
            }
            if name.len() < 20 {
                id = id.replacen("05000018", "05000014", 1)[..48].to_owned();
            }
            transport_ids(sg_persist("-X").word(name.as_bytes()), &id);
        }
    }

    #[test]
    fn iscsi_names_may_have_243_bytes() {
        let name = format!("iqn.{}", "a".repeat(239));
        let id = format!("050000f4{}00", hex::encode(&name));
        transport_ids(sg_persist("-X").word(name.as_bytes()), &id);
        let name = format!("{name}b");
        refused(
            sg_persist("-X").word(name.as_bytes()),
            "iSCSI name too long, alen=248\nbuild_transportid: error at pos 1",
        );
    }

    #[test]
    fn spi_numbers_have_16_bits() {
        transport_ids(
            sg_persist("-X spi,65535,258"),
            "0100ffff 00000102 0000000000000000 0000000000000000",
        );
        for value in ["65536,1", "-1,1", "1,65536", "+1,1"] {
            refused(
                sg_persist(&format!("-X spi,{value}")),
                &format!(
                    "badly formed symbolic SPI TransportID: {value}\nbuild_transportid: error at pos 1"
                ),
            );
        }
    }

    #[test]
    fn a_hex_transport_id_is_whole_or_refused() {
        refused(
            sg_persist("-X 05,00,ff,ff"),
            "build_transportid: the iSCSI TransportID claims 65539 bytes, 4 given",
        );
        let long = format!("06{}", ",11".repeat(24));
        refused(
            sg_persist("-X").word(long.as_bytes()),
            "build_transportid: a TransportID of this protocol takes 24 bytes, 25 given",
        );
        refused(
            sg_persist("-X file=ids").file("ids", "06 00 00 00 50 00 c5 00\n05 b3 20 01\n"),
            "decode_file_tids: in line 2: the iSCSI TransportID claims 8197 bytes, 4 given",
        );
    }

    #[test]
    fn hex_draws_no_complaint() {
        transport_ids(
            sg_persist("-X 7,1"),
            "07010000 00000000 0000000000000000 0000000000000000",
        );
        transport_ids(
            sg_persist("-X file=ids").file("ids", "7 1\n"),
            "07010000 00000000 0000000000000000 0000000000000000",
        );
    }

    #[test]
    fn several_separators_are_one() {
        transport_ids(
            sg_persist_words(&["-X", "06, 00,  01 ,,02"]),
            "06000102 00000000 0000000000000000 0000000000000000",
        );
    }

    #[test]
    fn nothing_follows_a_symbolic_form() {
        refused(
            sg_persist_words(&["-X", "sas,5000c50005b32001 # node1"]),
            "badly formed symbolic SAS TransportID: 5000c50005b32001 # node1\nbuild_transportid: error at pos 1",
        );
        refused(
            sg_persist("-X fcp,2000000011223344zz"),
            "badly formed symbolic FCP TransportID: 2000000011223344zz\nbuild_transportid: error at pos 3",
        );
        refused(
            sg_persist("-X file=ids").file("ids", "sas,5000c50005b32001 node1\n"),
            "badly formed symbolic SAS TransportID: 5000c50005b32001 node1\ndecode_file_tids: syntax error at line 1, pos 1",
        );
        refused(
            sg_persist_words(&["-X", "iqn.a b"]),
            "badly formed symbolic iSCSI TransportID: iqn.a b\nbuild_transportid: error at pos 1",
        );
        transport_ids(
            sg_persist("-X file=ids").file("ids", "sas,5000c50005b32001# node1\n"),
            SAS,
        );
    }

    #[test]
    fn a_comment_may_touch_a_number() {
        transport_ids(
            sg_persist("-X file=ids").file("ids", "07 50# c\n"),
            "07500000 00000000 0000000000000000 0000000000000000",
        );
    }

    #[test]
    fn lines_may_end_with_carriage_returns() {
        transport_ids(
            sg_persist("-X -").stdin("iqn.a\r\n\r\n# c\r\n07 50\r\n"),
            "05000014 69716e2e61000000000000000000000000000000
             07500000 00000000 0000000000000000 0000000000000000",
        );
    }

    #[test]
    fn lines_of_any_length_are_read_whole() {
        let text = format!("07{}50 # {}\n", " ".repeat(2000), "c".repeat(2000));
        transport_ids(
            sg_persist("-X file=ids").file("ids", text),
            "07500000 00000000 0000000000000000 0000000000000000",
        );
        let text = format!("{}07 50\n", "# a comment\n".repeat(600));
        transport_ids(
            sg_persist("-X file=ids").file("ids", text),
            "07500000 00000000 0000000000000000 0000000000000000",
        );
    }

    #[test]
    fn a_file_may_name_as_many_as_a_command_carries() {
        transport_ids(
            sg_persist("-X file=ids").file("ids", "sas,5000c50005b32001\n".repeat(32)),
            &SAS.repeat(32),
        );
        transport_ids(
            sg_persist("-X file=ids").file("ids", "sas,5000c50005b32001\n".repeat(2729)),
            &SAS.repeat(2729),
        );
        refused(
            sg_persist("-X file=ids").file("ids", "sas,5000c50005b32001\n".repeat(2730)),
            "decode_file_tids: array length exceeded",
        );
    }

    #[test]
    fn a_file_beyond_a_mebibyte_is_refused() {
        // A comment of such length is none that a person wrote.
        let text = |length: usize| {
            let id = "07 50\n#";
            format!("{id}{}", "c".repeat(length - id.len()))
        };
        transport_ids(
            sg_persist("-X file=ids").file("ids", text(1_048_576)),
            "07500000 00000000 0000000000000000 0000000000000000",
        );
        refused(
            sg_persist("-X file=ids").file("ids", text(1_048_577)),
            "decode_file_tids: ids holds more than 1048576 bytes",
        );
    }

    #[test]
    fn a_file_without_transport_ids_is_refused() {
        for text in ["", "\n", "# nothing\n"] {
            refused(
                sg_persist("-X file=ids").file("ids", text),
                "decode_file_tids: no TransportID in ids",
            );
            refused(
                sg_persist("-X -").stdin(text),
                "decode_file_tids: no TransportID in stdin",
            );
        }
        refused(
            sg_persist("-X file=/"),
            "decode_file_tids: unable to read /: Is a directory (os error 21)",
        );
    }

    #[test]
    fn a_nul_is_refused() {
        refused(
            sg_persist("-X file=ids").file("ids", "iqn.a\0b\n"),
            "iSCSI name holds a NUL byte\ndecode_file_tids: syntax error at line 1, pos 1",
        );
        refused(
            sg_persist("-X file=ids").file("ids", "07 50\0\n"),
            "unable to parse symbolic TransportID: 07 50\ndecode_file_tids: syntax error at line 1, pos 6",
        );
    }

    #[test]
    fn only_a_hyphen_alone_is_standard_input() {
        refused(
            sg_persist("-X -foo").stdin("sas,5000c50005b32001\n"),
            "unable to parse symbolic TransportID: -foo\nbuild_transportid: error at pos 1",
        );
    }

    #[test]
    fn the_last_transport_id_leaves_nothing_of_earlier_ones() {
        transport_ids(
            sg_persist("-X iqn.2005-03.org.open-iscsi:abc -X 05,00,00,14 -X 07,50"),
            "07500000 00000000 0000000000000000 0000000000000000",
        );
    }

    // Answers.

    #[test]
    fn a_list_cut_by_alloc_length_is_status_97_and_shows_no_key() {
        let two = "PR in (Read keys): the response takes 24 bytes, only 16 came
Ask for all of it with --alloc-length=18 or --maxlen=24, or leave the option out";
        malformed("-n -k -l 10", "5e000000000000001000", good(TWO_KEYS), two);
        malformed("-n -k -m 16", "5e000000000000001000", good(TWO_KEYS), two);
        let keys: String = (0..1024).map(|key| format!("{key:016x}")).collect();
        malformed(
            "-n -k -l 2000",
            READ_KEYS,
            good(&format!("00000015 00002000 {keys}")),
            "PR in (Read keys): the response takes 8200 bytes, only 8192 came
Leave out --alloc-length and --maxlen to have all of it read",
        );
    }

    #[test]
    fn a_list_that_did_not_come_whole_is_status_97_and_shows_no_key() {
        malformed(
            "-n -k",
            READ_KEYS,
            good("00000015 00000010 0000000000abc123"),
            "PR in (Read keys): the response takes 24 bytes, only 16 came",
        );
        malformed(
            "-n -k",
            READ_KEYS,
            good(TWO_KEYS).residual(8192 - 8),
            "PR in (Read keys): the response takes 24 bytes, only 8 came",
        );
        malformed(
            "-n -k",
            READ_KEYS,
            good("00000015 fffffff8"),
            "PR in (Read keys): the response takes 4294967296 bytes, only 8 came
No command can ask for more than 65535 bytes, so the whole list cannot be read",
        );
        malformed(
            "-n -s",
            READ_FULL_STATUS,
            good("00000015 80000000"),
            "PR in (Read full status): the response takes 2147483656 bytes, only 8 came
No command can ask for more than 65535 bytes, so the whole list cannot be read",
        );
    }

    #[test]
    fn a_response_without_its_fixed_part_is_status_97() {
        for (letter, cdb, name) in [
            ("k", READ_KEYS, "Read keys"),
            ("r", READ_RESERVATION, "Read reservation"),
            ("s", READ_FULL_STATUS, "Read full status"),
        ] {
            for (data, field, came) in [
                ("", "PRGENERATION", 0),
                ("000000", "PRGENERATION", 3),
                ("00000015", "ADDITIONAL LENGTH", 4),
                ("00000015000000", "ADDITIONAL LENGTH", 7),
            ] {
                let ran = sg_persist(&format!("-n -{letter} /dev/sda"))
                    .reads(cdb, good(data))
                    .run();
                assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
                let first = ran.stderr.lines().next().unwrap();
                assert!(
                    first.starts_with(&format!("PR in ({name}): the response is too short: "))
                        && first.contains(field)
                        && first.contains(&came.to_string()),
                    "{first}"
                );
            }
        }
        let ran = sg_persist("-n -k -l 0 /dev/sda")
            .reads("5e000000000000000000", good(""))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
    }

    #[test]
    fn recovered_without_data_is_status_97() {
        for key in [0, 1] {
            let ran = sg_persist("-n -k /dev/sda")
                .reads(READ_KEYS, sense(key, 0, 0))
                .run();
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
        }
    }

    #[test]
    fn a_residual_that_cannot_be_is_status_97() {
        for residual in [-1, 8193] {
            let ran = sg_persist("-n -k /dev/sda")
                .reads(READ_KEYS, good(TWO_KEYS).residual(residual))
                .run();
            ran.is(
                97,
                "",
                "PR in (Read keys): Malformed SCSI command response\nsg_persist failed: Malformed SCSI command response\n",
            );
        }
        sg_persist("-k /dev/sda")
            .opens(RO)
            .sends(INQUIRY, with_data(DISK).residual(-1))
            .run()
            .is(
                97,
                "sg_persist: SCSI INQUIRY failed on /dev/sda\n",
                "inquiry resid (-1) should never exceed requested len=36\n",
            );
    }

    #[test]
    fn a_list_of_partial_elements_is_status_97() {
        malformed(
            "-n -k",
            READ_KEYS,
            good("00000015 0000000c 0000000000abc123 00000000"),
            "PR in (Read keys): ADDITIONAL LENGTH 12 is no multiple of the 8 bytes of an element",
        );
        malformed(
            "-n -r",
            READ_RESERVATION,
            good("00000015 00000008 0000000000abc123"),
            "PR in (Read reservation): ADDITIONAL LENGTH 8 is no multiple of the 16 bytes of an element",
        );
    }

    #[test]
    fn a_descriptor_that_does_not_fit_is_status_97() {
        for list in [
            // A fixed part of 20 bytes.
            "00000014 0000000000abc123 00000000 01 05 00000000 0001".to_owned() + "0000",
            // A TransportID that claims one byte more than there are.
            format!("00000030 0000000000abc123 00000000 01 05 00000000 0001 00000019 {SAS}"),
            // One that would lead back to itself.
            "00000018 0000000000abc123 00000000 01 05 00000000 0001 ffffffe8".to_owned(),
            // A second descriptor of four bytes.
            "0000001c 0000000000abc123 00000000 01 05 00000000 0001 00000000 00000000".to_owned(),
        ] {
            let ran = sg_persist("-n -s /dev/sda")
                .reads(READ_FULL_STATUS, good(&format!("00000015 {list}")))
                .run();
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""), "{list}");
            assert!(
                ran.stderr
                    .starts_with("PR in (Read full status): descriptor "),
                "{}",
                ran.stderr
            );
        }
    }

    #[test]
    fn the_length_of_capabilities_is_read_whole() {
        for data in ["0007 1d90ea01 0000", "0000 1d90ea01 0000"] {
            let ran = sg_persist("-n -c /dev/sda")
                .reads(REPORT_CAPABILITIES, good(data))
                .run();
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
            assert!(
                ran.stderr
                    .starts_with("Unexpected response for PRIN Report Capabilities\n"),
                "{}",
                ran.stderr
            );
        }
        // More than eight bytes are no reason to refuse the eight that are understood.
        for data in ["0009 1d90ea01 0000 77", "000a 1d90ea01 0000 7777 88"] {
            let ran = sg_persist("-n -c /dev/sda")
                .reads(REPORT_CAPABILITIES, good(data))
                .run();
            assert!(
                ran.status == 0 && ran.stdout.starts_with("Report capabilities response:\n"),
                "{ran:?}"
            );
        }
        for data in ["000a 1d90ea01 0000 77", "0108 1d90ea01 0000"] {
            let ran = sg_persist("-n -c /dev/sda")
                .reads(REPORT_CAPABILITIES, good(data))
                .run();
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
        }
        let ran = sg_persist("-n -c -l 6 /dev/sda")
            .reads("5e020000000000000600", good("0008 1d90ea01 0000"))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
    }

    #[test]
    fn a_list_longer_than_8192_bytes_is_read_again() {
        let keys: String = (0..1024).map(|key| format!("{key:016x}")).collect();
        let data = format!("00000001 00002000 {keys}");
        let ran = sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, good(&data))
            .sends(MORE_KEYS, good(&data))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(ran.stdout.starts_with(
            "  PR generation=0x1, 1024 registered reservation keys follow:\n    0x0\n"
        ));
        assert!(ran.stdout.ends_with("    0x3ff\n"));
        assert_eq!(ran.stdout.lines().count(), 1025);
    }

    /// So many keys, in as many bytes as they take but with this ADDITIONAL LENGTH.
    fn keys_claiming(count: usize, additional_length: usize) -> String {
        let keys: String = (0..count).map(|key| format!("{key:016x}")).collect();
        format!("00000001 {additional_length:08x} {keys}")
    }

    #[test]
    fn a_list_that_fills_its_room_is_read_again() {
        // LIO before 5.13 stops where the room is full, and names the length of what it wrote.
        let ran = sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, good(&keys_claiming(1023, 8184)))
            .sends(MORE_KEYS, good(&keys_claiming(1500, 12_000)))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(
            ran.stdout
                .contains(" 1500 registered reservation keys follow:\n")
        );
        // So it does with all that a command can ask for.
        let ran = sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, good(&keys_claiming(1023, 8184)))
            .sends(MORE_KEYS, good(&keys_claiming(8127, 65_016)))
            .sends(MOST_KEYS, good(&keys_claiming(8190, 65_520)))
            .run();
        ran.is(
            97,
            "",
            &short(
                "PR in (Read keys): the response takes 65528 of 65535 bytes of room, so the device may have left out what did not fit",
            ),
        );
    }

    #[test]
    fn a_list_that_overshoots_its_room_has_an_end() {
        // tgt names eight bytes more than there is room for, whatever the room.
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, good(&keys_claiming(1023, 8192)))
            .sends(MORE_KEYS, good(&keys_claiming(8127, 65_024)))
            .sends(MOST_KEYS, good(&keys_claiming(8190, 65_528)))
            .run()
            .is(
                97,
                "",
                &short(
                    "PR in (Read keys): the response takes 65536 bytes, only 65528 came\n\
                     No command can ask for more than 65535 bytes, so the whole list cannot be read",
                ),
            );
    }

    #[test]
    fn a_room_that_was_asked_for_shows_no_part_of_a_list() {
        // 126 of 217 keys, named as all.
        for line in ["-n -k -m 1024 /dev/sda", "-n -k -l 400 /dev/sda"] {
            let ran = sg_persist(line)
                .reads("5e000000000000040000", good(&keys_claiming(127, 1016)))
                .sends(MORE_KEYS, good(&keys_claiming(217, 1736)))
                .run();
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
            assert!(
                ran.stderr.starts_with(
                    "PR in (Read keys): the response takes 1744 bytes, only 1024 came\n"
                ),
                "{}",
                ran.stderr
            );
        }
        // The list fits: it is shown.
        let ran = sg_persist("-n -k -m 1024 /dev/sda")
            .reads("5e000000000000040000", good(&keys_claiming(127, 1016)))
            .sends(MORE_KEYS, good(&keys_claiming(127, 1016)))
            .run();
        assert_eq!((ran.status, ran.stdout.lines().count()), (0, 128));
        // "None" in room for no more than that is no answer yet.
        let held = "00000015 00000010 0000000000abc123 00000000 00 05 0000";
        let ran = sg_persist("-n -r -m 8 /dev/sda")
            .reads("5e010000000000000800", good("00000015 00000000"))
            .sends(MORE_RESERVATION, good(held))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
        sg_persist("-n -r -m 8 /dev/sda")
            .reads("5e010000000000000800", good("00000015 00000000"))
            .sends(MORE_RESERVATION, good("00000015 00000000"))
            .run()
            .is(
                0,
                "  PR generation=0x15, there is NO reservation held\n",
                "",
            );
    }

    #[test]
    fn full_status_has_ample_room_whatever_was_asked_for() {
        let whole = full_status();
        let ran = sg_persist("-n -s -m 1k /dev/sda")
            .reads(READ_FULL_STATUS, good(&whole))
            .run();
        ran.is(0, FULL_STATUS_TEXT, "");
        // What does not fit what was asked for is not shown.
        let ran = sg_persist("-n -s -m 40 /dev/sda")
            .reads(READ_FULL_STATUS, good(&whole))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
        // Where so much is refused, what was asked for; and more, as long as it may be cut.
        let ran = sg_persist("-n -s -m 1k /dev/sda")
            .reads(READ_FULL_STATUS, sense(5, 0x24, 0))
            .sends("5e030000000000040000", good(&whole))
            .run();
        ran.is(0, FULL_STATUS_TEXT, "");
        for refused in [libc::EIO, libc::EINVAL, libc::E2BIG] {
            sg_persist("-n -s /dev/sda")
                .reads(READ_FULL_STATUS, errno(refused))
                .sends("5e030000000000200000", good(&whole))
                .run()
                .is(0, FULL_STATUS_TEXT, "");
        }
        // A host that is short of memory is no reason to ask a target for too little.
        let ran = sg_persist("-n -s /dev/sda")
            .reads(READ_FULL_STATUS, errno(libc::ENOMEM))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (62, ""));
        let one = "0000000000abc123 00000000 00 00 00000000 0001 00000000";
        let list = |count: usize| format!("00000015 {:08x} {}", count * 24, one.repeat(count));
        let ran = sg_persist("-n -s /dev/sda")
            .reads(READ_FULL_STATUS, sense(5, 0x24, 0))
            .sends("5e030000000000200000", good(&list(341)))
            .sends("5e030000000000400000", good(&list(400)))
            .run();
        assert_eq!((ran.status, ran.stdout.matches("Key=").count()), (0, 400));
        // A list that ends near the end of the ample room may be cut; more is never asked for.
        let ran = sg_persist("-n -s /dev/sda")
            .reads(READ_FULL_STATUS, good(&list(2700)))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
        assert!(
            ran.stderr.contains("takes 64808 of 65024 bytes of room"),
            "{}",
            ran.stderr
        );
        let ran = sg_persist("-n -s /dev/sda")
            .reads(READ_FULL_STATUS, good(&list(2697)))
            .run();
        assert_eq!((ran.status, ran.stdout.matches("Key=").count()), (0, 2697));
    }

    #[test]
    fn a_buffer_that_nobody_wrote_is_no_answer() {
        const SAYS: &str = "the device reported success but did not transfer the response";
        for (line, cdb, name) in [
            ("-n -k", READ_KEYS, "Read keys"),
            ("-n -r", READ_RESERVATION, "Read reservation"),
            ("-n -c", REPORT_CAPABILITIES, "Report capabilities"),
            ("-n -s", READ_FULL_STATUS, "Read full status"),
            ("--has-key=1", READ_KEYS, "Read keys"),
            ("--holder-is=1", READ_RESERVATION, "Read reservation"),
            ("--reserved", READ_RESERVATION, "Read reservation"),
            ("-n -k -H", READ_KEYS, "Read keys"),
            ("-n -k -m 16", "5e000000000000001000", "Read keys"),
        ] {
            sg_persist(&format!("{line} /dev/sda"))
                .reads(cdb, good("").residual(0))
                .run()
                .is(97, "", &short(&format!("PR in ({name}): {SAYS}")));
            // Some bytes of its beginning are no beginning.
            let mut scene =
                sg_persist(&format!("{line} /dev/sda")).reads(cdb, good("00").residual(0));
            if cdb == REPORT_CAPABILITIES {
                // By half of the length that came it takes 225 bytes: does it?
                scene = scene.sends(cdb, good("00").residual(0));
            }
            let ran = scene.run();
            assert_eq!(ran.status, 97, "{line}");
            assert!(!ran.stdout.contains("NO"), "{}", ran.stdout);
        }
        // Neither is a part of it.
        for end in 8..24 {
            let data = &bytes(TWO_KEYS)[..end];
            let mut scene =
                sg_persist("-n -k /dev/sda").reads(READ_KEYS, with_data(data).residual(8192 - 24));
            if end <= 20 {
                scene = scene.sends(READ_KEYS, with_data(data).residual(8192 - 24));
                scene
                    .run()
                    .is(97, "", &short(&format!("PR in (Read keys): {SAYS}")));
            }
        }
        // The device itself: nothing is asked of one that does not say what it is.
        let ran = sg_persist("-k /dev/sda")
            .opens(RO)
            .sends(INQUIRY, good("").residual(0))
            .run();
        ran.is(97, "sg_persist: SCSI INQUIRY failed on /dev/sda\n", "");
        // One byte that is the buffer's own by chance did come.
        let ran = sg_persist("-k -v /dev/sda")
            .opens(RO)
            .sends(INQUIRY, good("6a"))
            .run();
        let text = "got too few bytes (1)\n";
        assert!(ran.stderr.ends_with(text), "{}", ran.stderr);
    }

    /// The sg driver moves data through a buffer of its own. What a device did not write of it is what
    /// the command before left there, or zeros.
    #[test]
    fn what_the_sg_driver_makes_of_no_data_is_no_answer() {
        use sg_persist::transport::NodeKind;

        let sg = |line: &str| {
            sg_persist(&format!("{line} /dev/sg0"))
                .device("/dev/sg0")
                .node(NodeKind::Sg, None)
                .opens(RO)
        };
        const SAYS: &str = "the device reported success but did not transfer the response";
        let left = || with_data(&DISK[..8]).residual(0);
        for (line, cdb, name) in [
            ("-n -k", READ_KEYS, "Read keys"),
            ("-n -r", READ_RESERVATION, "Read reservation"),
            ("-n -s", READ_FULL_STATUS, "Read full status"),
            ("--has-key=1", READ_KEYS, "Read keys"),
            ("--holder-is=1", READ_RESERVATION, "Read reservation"),
            ("--reserved", READ_RESERVATION, "Read reservation"),
            ("-n -k -H", READ_KEYS, "Read keys"),
        ] {
            // Zeros are what an answer could be, too. Behind INQUIRY it shows.
            sg(line)
                .sends(cdb, good(&"00".repeat(8)).residual(0))
                .inquires()
                .sends(cdb, left())
                .run()
                .is(97, "", &short(&format!("PR in ({name}): {SAYS}")));
        }
        // Nothing registered since the device was switched on.
        sg("-n -k")
            .sends(READ_KEYS, good("00000000 00000000"))
            .inquires()
            .sends(READ_KEYS, good("00000000 00000000"))
            .run()
            .is(
                0,
                "  PR generation=0x0, there are NO registered reservation keys\n",
                "",
            );
        // Registered in between.
        sg("-n -k")
            .sends(READ_KEYS, good("00000000 00000000"))
            .inquires()
            .sends(READ_KEYS, good("00000001 00000008 0000000000abc123"))
            .run()
            .is(
                0,
                "  PR generation=0x1, 1 registered reservation key follows:\n    0xabc123\n",
                "",
            );
        // Where it cannot be found out.
        sg("-n -k")
            .sends(READ_KEYS, good("00000000 00000000"))
            .sends(INQUIRY, good(&"00".repeat(36)))
            .run()
            .is(97, "", &short(&format!("PR in (Read keys): {SAYS}")));
        sg("-n -k")
            .sends(READ_KEYS, good("00000000 00000000"))
            .sends(INQUIRY, host(1))
            .run()
            .status_is(35);
        // What the keys were is not what the reservation is: key 1, type 7.
        let keys = "00000015 00000010 0000000000000001 0000000000070000";
        let all = "00000015 00000010 0000000000000000 00000000 00 07 0000";
        sg("--holder-is=1")
            .sends(READ_RESERVATION, good(all))
            .sends(READ_KEYS, good(all).residual(0))
            .inquires()
            .sends(READ_KEYS, left())
            .run()
            .is(97, "", &short(&format!("PR in (Read keys): {SAYS}")));
        // As many bytes of keys as of the reservation.
        sg("--holder-is=1")
            .sends(READ_RESERVATION, good(all))
            .sends(READ_KEYS, good(keys))
            .inquires()
            .sends(READ_KEYS, good(keys))
            .run()
            .is(0, "", "");
        // Anything else is an answer at once.
        sg("-n -k").sends(READ_KEYS, good(keys)).run().status_is(0);
        sg("-k")
            .inquires()
            .sends(READ_KEYS, good("00000001 00000000"))
            .run()
            .status_is(0);
    }

    #[test]
    fn several_reservations_are_not_one() {
        let two = "00000015 00000020 0000000000abc123 00000000 00 01 0000 0000000000def456 00000000 00 03 0000";
        for line in [
            "-n -r",
            "--reserved",
            "--holder-is=abc123",
            "--holder-is=def456",
        ] {
            sg_persist(&format!("{line} /dev/sda"))
                .reads(READ_RESERVATION, good(two))
                .run()
                .is(
                    97,
                    "",
                    &short(
                        "PR in (Read reservation): the response lists 2 reservations, a logical unit has one at most",
                    ),
                );
        }
    }

    #[test]
    fn an_identifier_in_place_of_a_transport_id_is_shown() {
        // As the disks of Hyper-V and OpenHCL have it.
        let data = "000000030000002800000000000012340000000003050000000000000000001006000000aa11bb22cc33dd44ee55ff66";
        sg_persist("-n -s /dev/sda")
            .reads(READ_FULL_STATUS, good(data))
            .run()
            .is(
                0,
                "  PR generation=0x3
    Key=0x1234
      All target ports bit set
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id short or not multiple of 4 [length=16]:
      06 00 00 00 aa 11 bb 22  cc 33 dd 44 ee 55 ff 66
",
                "",
            );
    }

    #[test]
    fn hex_shows_only_what_came() {
        let cut = "00000015 00000010 0000000000abc123";
        for (line, shown) in [
            (
                "-n -k -H",
                " 00     00 00 00 15 00 00 00 10  00 00 00 00 00 ab c1 23\n",
            ),
            (
                "-n -k -HH",
                " 00     00 00 00 15 00 00 00 10  00 00 00 00 00 ab c1 23\n",
            ),
            (
                "-n -k -HHH",
                "00 00 00 15 00 00 00 10  00 00 00 00 00 ab c1 23\n",
            ),
        ] {
            sg_persist(line)
                .word(DEVICE.as_bytes())
                .reads(READ_KEYS, good(cut))
                .run()
                .is(
                    97,
                    shown,
                    &short("PR in (Read keys): the response takes 24 bytes, only 16 came"),
                );
        }
    }

    #[test]
    fn the_length_of_an_odd_transport_id_is_its_own() {
        let ran = sg_persist("-n -s /dev/sda")
            .reads(
                READ_FULL_STATUS,
                good(&format!(
                    "00000015 00000031 0000000000abc123 00000000 02 00 00000000 0000 00000019 {SAS} 77"
                )),
            )
            .run();
        ran.is(
            0,
            "  PR generation=0x15
    Key=0xabc123
      All target ports bit set
      not reservation holder
      Transport Id short or not multiple of 4 [length=25]:
        SAS address: 0x5000c50005b32001
",
            "",
        );
    }

    #[test]
    fn a_transport_id_of_any_length_is_shown_whole() {
        let name = format!("iqn.{}", "x".repeat(2000));
        let padded = format!("{}00000000", hex::encode(&name));
        let ran = sg_persist("-n -s /dev/sda")
            .reads(
                READ_FULL_STATUS,
                good(&format!(
                    "00000015 000007f4 0000000000abc123 00000000 02 00 00000000 0000 000007dc 050007d8 {padded}"
                )),
            )
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(
            ran.stdout
                .ends_with(&format!("        iSCSI name: {name}\n"))
        );
    }

    #[test]
    fn zeros_beside_sense_data_are_no_answer() {
        let ran = sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, sense(1, 0x17, 0).and_data("00000000 00000000"))
            .run();
        ran.is(
            97,
            "",
            "\
Persistent reservation in:
Fixed format, current; Sense key: Recovered Error
Additional sense: Recovered data with no error correction applied
    Persistent reservation in: pass-through requested 8192 bytes (data-in), got 8 bytes
PR in (Read keys): sense data came, and 8 zero bytes that need not be an answer
sg_persist failed: Malformed SCSI command response
",
        );
    }

    // Failures.

    #[test]
    fn a_reservation_conflict_is_status_24_whatever_the_host_says() {
        let answer = status(0x18).and_host(0x11);
        sg_persist("-n -o -R -T 1 /dev/sda")
            .changes("5f010100000000001800", NOTHING, answer)
            .run()
            .is(
                24,
                "",
                "\
Persistent reservation out: transport: Host_status=0x11 [DID_NEXUS_FAILURE (reservation conflict)]

PR out (Reserve): Reservation conflict
sg_persist failed: Reservation conflict
",
            );
    }

    #[test]
    fn a_driver_status_is_a_failure() {
        for (number, told) in [(0x06, "0x06 [DRIVER_TIMEOUT]"), (0x09, "0x09 [invalid]")] {
            sg_persist("-n -k /dev/sda")
                .reads(READ_KEYS, driver(number).and_data(TWO_KEYS))
                .run()
                .is(
                    35,
                    "",
                    &format!(
                        "Persistent reservation in: transport: Driver_status={told}

PR in (Read keys): Transport error
sg_persist failed: Transport error
"
                    ),
                );
        }
    }

    #[test]
    fn an_unknown_scsi_status_is_a_failure() {
        for (byte, told) in [
            (0x42, "Unknown status [0x42]"),
            (0x10, "Intermediate (obsolete)"),
            (0x14, "Intermediate-Condition Met (obsolete)"),
            (0x80, "Unknown status [0x80]"),
        ] {
            sg_persist("-n -k /dev/sda")
                .reads(READ_KEYS, status(byte).and_data(TWO_KEYS))
                .run()
                .is(
                    99,
                    "",
                    &format!(
                        "Persistent reservation in: scsi status: {told}
PR in (Read keys): Some other error
sg_persist failed: Some other error
"
                    ),
                );
        }
    }

    /// Sense data of both formats with this key, about an earlier command.
    fn deferred(key: u8) -> [Answer; 2] {
        let fixed = format!("7100{key:02x}00000000 0a00000000 1100 00000000");
        let descriptor = format!("73{key:02x}1100 00000000");
        [fixed, descriptor].map(|sense| check_condition(&sense))
    }

    /// Kernels before 5.13 report sense data with whatever status it came.
    #[test]
    fn a_status_that_refuses_is_a_failure_whatever_sense_data_comes_with_it() {
        let mut refused = check_condition("700000000000000a00000000000000000000");
        refused = refused.and_status(0x18);
        sg_persist("-n -o -R -K a -T 1 /dev/sda")
            .changes(
                "5f010100000000001800",
                "000000000000000a 0000000000000000 0000000000000000",
                refused,
            )
            .run()
            .is(
                24,
                "",
                "\
Persistent reservation out:
Fixed format, current; Sense key: No Sense
Additional sense: No additional sense information
PR out (Reserve): Reservation conflict
sg_persist failed: Reservation conflict
",
            );
        sg_persist("-n -k /dev/sda")
            .reads(
                READ_KEYS,
                sense(1, 0x17, 0).and_status(0x08).and_data(TWO_KEYS),
            )
            .run()
            .status_is(26);
    }

    #[test]
    fn a_deferred_error_is_no_success() {
        const TOLD: &str =
            "The sense data is about an earlier command; this one was not carried out\n";
        // The key says nothing of this command, neither that it succeeded nor that it is illegal.
        for key in [0, 1, 5] {
            for answer in deferred(key) {
                let ran = sg_persist("-n -o -G /dev/sda")
                    .changes(REGISTER, NOTHING, answer.clone())
                    .run();
                assert_eq!((ran.status, &ran.stdout[..]), (98, ""));
                assert!(ran.stderr.contains(" format, <<<deferred>>>; Sense key: "));
                assert!(ran.stderr.contains(
                    "PR out (Register): Some other sense error\n\
                     sg_persist failed: Some other sense error\n"
                ));
                assert!(ran.stderr.ends_with(TOLD), "{}", ran.stderr);

                let ran = sg_persist("-n -k /dev/sda")
                    .reads(READ_KEYS, answer.clone().and_data(TWO_KEYS))
                    .run();
                assert_eq!((ran.status, &ran.stdout[..]), (98, ""));
                assert!(ran.stderr.ends_with(TOLD), "{}", ran.stderr);

                let disk = hex::encode(DISK);
                let ran = sg_persist("-o -G /dev/sda")
                    .opens(RO)
                    .sends(INQUIRY, answer.and_data(&disk))
                    .run();
                assert_eq!(ran.status, 98);
                assert_eq!(ran.stdout, "sg_persist: SCSI INQUIRY failed on /dev/sda\n");
                assert!(ran.stderr.ends_with(TOLD), "{}", ran.stderr);
            }
        }
        // What is wrong with the device is as wrong as ever.
        for (key, status) in [(2, 2), (3, 3), (4, 3), (6, 6), (0xb, 11)] {
            for answer in deferred(key) {
                let ran = sg_persist("-n -o -G /dev/sda")
                    .changes(REGISTER, NOTHING, answer)
                    .run();
                assert_eq!((ran.status, &ran.stdout[..]), (status, ""));
                assert!(ran.stderr.contains("<<<deferred>>>"), "{}", ran.stderr);
                assert!(ran.stderr.ends_with(TOLD), "{}", ran.stderr);
            }
        }
    }

    #[test]
    fn sense_data_beside_a_change_is_shown() {
        let change = |answer| {
            sg_persist("-n -o -G /dev/sda")
                .changes(REGISTER, NOTHING, answer)
                .run()
        };
        change(sense(0, 0, 0)).is(
            0,
            "",
            "\
Persistent reservation out:
Fixed format, current; Sense key: No Sense
Additional sense: No additional sense information
",
        );
        change(sense(1, 0x17, 1)).is(
            0,
            "",
            "\
Persistent reservation out:
Fixed format, current; Sense key: Recovered Error
Additional sense: Recovered data with retries
",
        );
        // Beside an answer it says nothing that the answer does not.
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, sense(0, 0, 0).and_data(TWO_KEYS))
            .run()
            .is(
                0,
                "  PR generation=0x15, 2 registered reservation keys follow:\n    0xabc123\n    0xfedcba9876543210\n",
                "",
            );
    }

    #[test]
    fn sense_data_is_dumped_as_far_as_it_came() {
        let ran = sg_persist("-n -k -vv /dev/sda")
            .reads(READ_KEYS, check_condition("70000500000000ff000000002400"))
            .run();
        let (_, dump) = ran.stderr.split_once(" Raw sense data").unwrap();
        assert_eq!(
            dump,
            " (in hex), sb_len=14, calculated_len=263
        70 00 05 00 00 00 00 ff  00 00 00 00 24 00
PR in (Read keys): bad field in cdb or parameter list (perhaps unsupported service action)
"
        );
    }

    #[test]
    fn the_sense_data_of_a_failure_has_a_line() {
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, sense(5, 0x55, 4))
            .run()
            .is(
                5,
                "",
                "\
PR in (Read keys): bad field in cdb or parameter list (perhaps unsupported service action)
sg_persist failed: Illegal request
Sense data 5/55/04: Illegal Request, Insufficient registration resources
The device has no room for another registration: unregister what is not needed any more (--read-full-status shows whose it is), or raise the array's limit
",
            );
    }

    #[test]
    fn who_may_not_is_told_what_would_help() {
        let refused = "sg_persist: error opening file /dev/sda (ro): Permission denied
Opening it takes permission to read and write the device node (and in a container also its device cgroup): run this as root, or as a user who has it
";
        sg_persist("-n -k /dev/sda")
            .fails_to_open(RO, libc::EACCES)
            .run()
            .is(63, "", refused);
        sg_persist("-n -o -G /dev/sda")
            .changes(REGISTER, NOTHING, errno(libc::EPERM))
            .run()
            .is(
                51,
                "",
                "Persistent reservation out: pass-through os error: Operation not permitted
PR out (Register): Operation not permitted
sg_persist failed: Operation not permitted
The kernel keeps this command for those with CAP_SYS_RAWIO: run this as root (in a container: with that capability), or use the device's /dev/sgN where it may be written
",
            );
        sg_persist("-o -G /dev/sda")
            .opens(RO)
            .sends(INQUIRY, errno(libc::EPERM))
            .run()
            .is(
                51,
                "sg_persist: SCSI INQUIRY failed on /dev/sda\n",
                "inquiry: pass-through os error: Operation not permitted
The kernel keeps this command for those with CAP_SYS_RAWIO: run this as root (in a container: with that capability), or use the device's /dev/sgN where it may be written
",
            );
    }

    /// The sg driver gives up waiting when the device goes or a signal comes; the command is on its
    /// way by then.
    #[test]
    fn a_change_that_may_have_been_made_is_told_of() {
        const OPEN: &str =
            "Whether the change was made is not known: read the keys and the reservation to see\n";
        for (number, code, text) in [
            (libc::ENODEV, 69, "No such device"),
            (libc::EINTR, 54, "Interrupted system call"),
        ] {
            sg_persist("-n -o -G /dev/sda")
                .changes(REGISTER, NOTHING, errno(number))
                .run()
                .is(
                    code,
                    "",
                    &format!(
                        "Persistent reservation out: pass-through os error: {text}
PR out (Register): {text}
sg_persist failed: {text}
{OPEN}"
                    ),
                );
            let read = sg_persist("-n -k /dev/sda")
                .reads(READ_KEYS, errno(number))
                .run();
            read.status_is(code);
            assert!(!read.stderr.contains(OPEN), "{}", read.stderr);
        }
        // The kernel did not take it.
        let busy = sg_persist("-n -o -G /dev/sda")
            .changes(REGISTER, NOTHING, errno(libc::EBUSY))
            .run();
        assert!(!busy.stderr.contains(OPEN), "{}", busy.stderr);
    }

    // Devices and streams.

    #[test]
    fn reading_opens_once_and_read_only() {
        let ran = sg_persist("-k /dev/sda")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, good(TWO_KEYS))
            .run();
        assert_eq!(ran.trace, ["open ro", INQUIRY, READ_KEYS, "close"]);
        let ran = sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, errno(libc::EPERM))
            .opens(RW)
            .sends(READ_KEYS, good(TWO_KEYS))
            .run();
        ran.is(0, TWO_KEYS_TEXT, "");
        assert_eq!(
            ran.trace,
            ["open ro", READ_KEYS, "close", "open rw", READ_KEYS, "close"]
        );
        let ran = sg_persist("-k -yy /dev/sda")
            .opens(RW)
            .inquires()
            .sends(READ_KEYS, good(TWO_KEYS))
            .run();
        assert_eq!(ran.trace, ["open rw", INQUIRY, READ_KEYS, "close"]);
    }

    #[test]
    fn changing_read_only_opens_once() {
        let ran = sg_persist("-y -o -G /dev/sda")
            .opens(RO)
            .inquires()
            .sends_out(REGISTER, NOTHING, good(""))
            .run();
        ran.is(0, DISK_LINES, "");
        assert_eq!(ran.trace, ["open ro", INQUIRY, REGISTER, "close"]);
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        let name = hex::encode(b"iqn.\x1b[31m\x9b\x7f~\0\0\0\0\0\0\0\0");
        let mut disk = DISK.to_vec();
        disk[8..16].copy_from_slice(b"ev\x1b]l\xc3\x07 ");
        sg_persist("-s /dev/sda")
            .on_terminals()
            .opens(RO)
            .sends(INQUIRY, with_data(&disk))
            .sends(
                READ_FULL_STATUS,
                good(&format!(
                    "00000015 00000030 0000000000abc123 00000000 02 00 00000000 0000 00000018 05000014 {name}"
                )),
            )
            .run()
            .is(
                0,
                "  ev.]l..   d0                4.0 
  Peripheral device type: disk
  PR generation=0x15
    Key=0xabc123
      All target ports bit set
      not reservation holder
      Transport Id of initiator:
        iSCSI name: iqn..[31m..~
",
                "",
            );
        sg_persist("-n -k")
            .word(b"/dev/\x1b[2J")
            .device("/dev/\x1b[2J")
            .on_terminals()
            .fails_to_open(RO, libc::ENOENT)
            .run()
            .is(
                52,
                "",
                "sg_persist: error opening file /dev/.[2J (ro): No such file or directory\n",
            );
    }

    #[test]
    fn output_that_cannot_be_written_is_a_failure() {
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, good(TWO_KEYS))
            .stdout_fails(libc::ENOSPC)
            .run()
            .is(
                78,
                "",
                "sg_persist: cannot write the output: No space left on device\n",
            );
        sg_persist("-V").stdout_fails(libc::EIO).run().is(
            55,
            "",
            "sg_persist: cannot write the output: Input/output error\n",
        );
        // What the device said counts for more, and that a change was made is no failure.
        sg_persist("-n -k /dev/sda -H")
            .reads(READ_KEYS, good(&TWO_KEYS[..30]))
            .stdout_fails(libc::ENOSPC)
            .run()
            .status_is(97);
        let clear = |answer| {
            sg_persist("-o -C /dev/sda")
                .opens(RO)
                .inquires()
                .changes("5f030000000000001800", &"00".repeat(24), answer)
                .stdout_fails(libc::ENOSPC)
                .run()
        };
        clear(good("")).is(
            0,
            "",
            "\
sg_persist: cannot write the output: No space left on device
The change itself was made
",
        );
        clear(status(0x18)).status_is(24);
    }

    #[test]
    fn a_closed_pipe_ends_the_run_quietly() {
        sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, good(TWO_KEYS))
            .stdout_fails(libc::EPIPE)
            .run()
            .is(82, "", "");
    }

    #[test]
    fn closed_streams_are_never_the_device() {
        use std::os::unix::process::CommandExt;

        let file = tempfile("closed_streams", b"data");
        for words in ["-o -G -vvv", "-k -yy -vvv", "-k --nosuch"] {
            let mut command = std::process::Command::new("/bin/sh");
            let program = env!("CARGO_BIN_EXE_sg_persist");
            // The shell closes the streams, then becomes the program.
            let line = format!("exec \"$0\" {words} \"$1\" <&- >&- 2>&-");
            command.args(["-c", &line, program]).arg(&file).arg0("sh");
            let status = command.status().unwrap();
            assert!(!status.success());
            assert_eq!(std::fs::read(&file).unwrap(), b"data");
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn nvme_namespaces_have_reservations() {
        use sg_persist::nvme::{self, status::NvmeStatus};
        use sg_persist::transport::nvme::Passthrough;
        use sg_persist::transport::nvme::translator::Translator;
        use sg_persist::transport::{Data, Node, NodeKind};

        /// Supports reservations, and has a report of nobody at generation 5.
        struct Empty;

        impl Passthrough for Empty {
            fn send(
                &mut self,
                command: &nvme::Command,
                data: Data<'_>,
                _: std::time::Duration,
            ) -> std::io::Result<NvmeStatus> {
                let Data::In(buffer) = data else {
                    panic!("{command}")
                };
                buffer.fill(0);
                match command.opcode() {
                    0x06 => buffer[520] = 1 << 5,
                    0x0e => buffer[0] = 5,
                    _ => panic!("{command}"),
                }
                Ok(NvmeStatus::SUCCESS)
            }
        }

        let node = Node {
            kind: NodeKind::NvmeGeneric { namespace: 1 },
            bsg_major: None,
        };
        let translator = Translator::new(Empty, node, "/dev/ng0n1".as_ref());
        let mut unit = sg_persist::logical_unit::LogicalUnit::new(Box::new(translator));
        let keys = unit.read_keys().unwrap();
        assert_eq!((keys.generation, keys.keys.len()), (5, 0));
    }
}
