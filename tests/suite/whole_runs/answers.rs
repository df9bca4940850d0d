//! PERSISTENT RESERVE IN: the four answers.

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
