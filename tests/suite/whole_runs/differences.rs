//! What differs from the original on purpose: each test bears the name that the manual gives the
//! difference under DIFFERENCES.

use super::answers::{FULL_STATUS_TEXT, full_status};
use super::*;
use crate::common::controller::Controller;

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
fn transport_ids(scene: crate::common::Scene, ids: &str) {
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
fn refused(scene: crate::common::Scene, message: &str) {
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
    sg_persist("--version")
        .run()
        .is(0, concat!("version: ", env!("CARGO_PKG_VERSION"), "\n"), "");
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
                sg_persist_words(&["-n", "-o", "-G", DEVICE, &format!("-{letter}"), value]).run();
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
    assert!(
        ran.stdout.starts_with(
            "  PR generation=0x1, 1024 registered reservation keys follow:\n    0x0\n"
        )
    );
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
            ran.stderr
                .starts_with("PR in (Read keys): the response takes 1744 bytes, only 1024 came\n"),
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
        let mut scene = sg_persist(&format!("{line} /dev/sda")).reads(cdb, good("00").residual(0));
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
    const TOLD: &str = "The sense data is about an earlier command; this one was not carried out\n";
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
fn a_multipath_map_is_all_its_paths() {
    crate::multipath::registers_both_paths();
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
    // Nobody is registered, at generation 5.
    let mut report = vec![0; 24];
    report[0] = 5;
    let controller = Controller {
        extended: false,
        ..Controller::reporting(report)
    };
    let mut unit = controller.unit();
    let keys = unit.read_keys().unwrap();
    assert_eq!((keys.generation, keys.keys.len()), (5, 0));
}
