//! The documents of `--json`, each of them held against the schema that the program prints.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::common::{
    Answer, DISK_LINES, INQUIRY, MORE_KEYS, READ_FULL_STATUS, READ_KEYS, READ_RESERVATION,
    REPORT_CAPABILITIES, RO, RW, Ran, Scene, bytes, check_condition, driver, errno, good, host,
    sense, sg_persist, status, with_data,
};
use sg_persist::pr::transport_id::TransportId;

/// What no logical unit has.
const TWO_RESERVATIONS: &str = "00000015 00000020 \
     0000000000abc123 00000000 00 05 0000 0000000000abc123 00000000 00 01 0000";

/// No registrations.
const NO_KEYS: &str = "00000015 00000000";
/// Three registrations; two of the keys are no doubles.
const KEYS: &str = "00000015 00000018 0000000000abc123 0020000000000001 fedcba9876543211";
/// No reservation.
const NO_RESERVATION: &str = "00000015 00000000";
/// A reservation of type 5, held by 0xabc123.
const RESERVATION: &str = "00000015 00000010 0000000000abc123 00000000 00 05 0000";
/// A reservation of type 7.
const ALL_REGISTRANTS: &str = "00000015 00000010 0000000000000000 00000000 00 07 0000";
/// REGISTER without any parameter.
const REGISTER: &str = "5f000000000000001800";
/// Twenty-four bytes of a parameter list without anything in them.
const NOTHING: &str = "000000000000000000000000000000000000000000000000";
/// The TransportID of `sas,5000c50005b32001`.
const SAS: &str = "060000005000c50005b32001000000000000000000000000";

/// The schema as the program prints it.
fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let ran = sg_persist("--json-schema").run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        serde_json::from_str(&ran.stdout).unwrap()
    })
}

pub(crate) fn is_valid(document: &Value) -> bool {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| jsonschema::validator_for(schema()).unwrap());
    validator.is_valid(document)
}

/// The one document that `text` is.
#[track_caller]
fn one_document(text: &str) -> Value {
    assert!(text.ends_with('\n'), "{text:?}");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    let document = serde_json::from_str(text).unwrap();
    assert!(is_valid(&document), "{text}");
    document
}

/// The document that a run wrote on stdout.
#[track_caller]
fn document_of(ran: &Ran) -> Value {
    let document = one_document(&ran.stdout);
    if let Some(exit_status) = document.get("exit_status") {
        assert_eq!(exit_status["i"], ran.status);
    }
    document
}

/// Runs, and gives the exit status and the document.
#[track_caller]
fn run(scene: Scene) -> (u8, Value) {
    let ran = scene.run();
    let document = document_of(&ran);
    (ran.status, document)
}

/// Runs what must go well, and gives the document.
#[track_caller]
fn succeeds(scene: Scene) -> Value {
    let (status, document) = run(scene);
    assert_eq!(status, 0, "{document:#}");
    assert_eq!(document["outcome"]["message"], Value::Null);
    assert_eq!(
        document["exit_status"],
        json!({"i": 0, "meaning": "No errors"})
    );
    document
}

/// The parameter data of a command without INQUIRY.
#[track_caller]
fn parameter_data(letter: &str, cdb: &str, data: &str) -> Value {
    let document =
        succeeds(sg_persist(&format!("-j -n -{letter} /dev/sda")).reads(cdb, good(data)));
    assert_eq!(document["command"]["name"], "PERSISTENT RESERVE IN");
    assert_eq!(document["command"]["cdb"], cdb);
    document["parameter_data"].clone()
}

/// READ FULL STATUS of one registration with this TransportID.
fn registration(id: &[u8]) -> String {
    format!(
        "00000015 {:08x} 0000000000abc123 00000000 00 00 00000000 0001 {:08x} {}",
        24 + id.len(),
        id.len(),
        hex::encode(id)
    )
}

/// An iSCSI TransportID of these bytes behind its length field.
fn iscsi(format: u8, name: &[u8]) -> Vec<u8> {
    let length = u16::try_from(name.len()).unwrap().to_be_bytes();
    [&[format << 6 | 5, 0], &length[..], name].concat()
}

mod parameter_data {
    use super::*;

    #[test]
    fn keys_are_strings_and_whole() {
        assert_eq!(
            parameter_data("k", READ_KEYS, KEYS),
            json!({
                "pr_generation": 0x15,
                "reservation_keys": ["0xabc123", "0x20000000000001", "0xfedcba9876543211"],
            })
        );
        assert_eq!(
            parameter_data("k", READ_KEYS, "ffffffff 00000000"),
            json!({"pr_generation": u32::MAX, "reservation_keys": []})
        );
    }

    #[test]
    fn no_reservation() {
        assert_eq!(
            parameter_data("r", READ_RESERVATION, NO_RESERVATION),
            json!({"pr_generation": 0x15, "reservation": null})
        );
    }

    #[test]
    fn every_type_of_reservation() {
        let names = [
            None,
            Some("Write Exclusive"),
            None,
            Some("Exclusive Access"),
            None,
            Some("Write Exclusive, registrants only"),
            Some("Exclusive Access, registrants only"),
            Some("Write Exclusive, all registrants"),
            Some("Exclusive Access, all registrants"),
        ];
        for code in 0..16 {
            let name = names.get(code).copied().flatten();
            let data = format!("00000015 00000010 0000000000abc123 00000000 00 0{code:x} 0000");
            assert_eq!(
                parameter_data("r", READ_RESERVATION, &data)["reservation"],
                json!({
                    "reservation_key": "0xabc123",
                    "scope": {"i": 0, "meaning": "LU_SCOPE"},
                    "reservation_type": {"i": code, "meaning": name},
                })
            );
        }
    }

    #[test]
    fn all_registrants_hold_with_key_0() {
        let data = parameter_data("r", READ_RESERVATION, ALL_REGISTRANTS);
        assert_eq!(data["reservation"]["reservation_key"], "0x0");
        assert_eq!(data["reservation"]["reservation_type"]["i"], 7);
    }

    #[test]
    fn a_scope_without_a_name() {
        let data = "00000015 00000010 0000000000abc123 00000000 00 23 0000";
        assert_eq!(
            parameter_data("r", READ_RESERVATION, data)["reservation"]["scope"],
            json!({"i": 2, "meaning": null})
        );
    }

    #[test]
    fn capabilities_bit_by_bit() {
        let none = json!({
            "replace_lost_reservation_capable": false,
            "compatible_reservation_handling": false,
            "specify_initiator_ports_capable": false,
            "all_target_ports_capable": false,
            "persist_through_power_loss_capable": false,
            "persist_through_power_loss_active": false,
            "allow_commands": 0,
            "reservation_types": null,
        });
        for (bits, member, value) in [
            ("00 00 0000", "allow_commands", json!(0)),
            (
                "80 00 0000",
                "replace_lost_reservation_capable",
                json!(true),
            ),
            ("10 00 0000", "compatible_reservation_handling", json!(true)),
            ("08 00 0000", "specify_initiator_ports_capable", json!(true)),
            ("04 00 0000", "all_target_ports_capable", json!(true)),
            (
                "01 00 0000",
                "persist_through_power_loss_capable",
                json!(true),
            ),
            (
                "00 01 0000",
                "persist_through_power_loss_active",
                json!(true),
            ),
            ("00 50 0000", "allow_commands", json!(5)),
            // Without TMV the mask says nothing.
            ("00 00 ffff", "reservation_types", json!(null)),
            ("00 80 0000", "reservation_types", json!([])),
            (
                "00 80 0801",
                "reservation_types",
                json!([
                    {"i": 3, "meaning": "Exclusive Access"},
                    {"i": 8, "meaning": "Exclusive Access, all registrants"},
                ]),
            ),
        ] {
            let mut expected = none.clone();
            expected[member] = value;
            let data = format!("0008 {bits} 0000");
            assert_eq!(
                parameter_data("c", REPORT_CAPABILITIES, &data),
                expected,
                "{bits}"
            );
        }
        let all = parameter_data("c", REPORT_CAPABILITIES, "0008 9d f1 ffff 0000");
        let types = all["reservation_types"].as_array().unwrap();
        let codes: Vec<u64> = types.iter().map(|t| t["i"].as_u64().unwrap()).collect();
        assert_eq!(codes, [1, 3, 5, 6, 7, 8]);
        assert_eq!(all["allow_commands"], 7);
    }

    #[test]
    fn full_status() {
        let name = hex::encode("iqn.2005-03.org.open-iscsi:abc\0\0");
        let data = format!(
            "00000015 00000084
             0000000000abc123 00000000 01 05 00000000 0001 00000018 {SAS}
             fedcba9876543211 00000000 02 27 00000000 1234 00000024 05 00 0020 {name}
             0000000000000001 00000000 03 18 00000000 0002 00000000"
        );
        assert_eq!(
            parameter_data("s", READ_FULL_STATUS, &data),
            json!({
                "pr_generation": 0x15,
                "full_status_descriptors": [
                    {
                        "reservation_key": "0xabc123",
                        "all_target_ports": false,
                        "relative_target_port": 1,
                        "reservation_holder": true,
                        "scope": {"i": 0, "meaning": "LU_SCOPE"},
                        "reservation_type": {
                            "i": 5,
                            "meaning": "Write Exclusive, registrants only",
                        },
                        "transport_id": {
                            "protocol": {"i": 6, "meaning": "SAS"},
                            "argument": "sas,5000c50005b32001",
                            "hex": SAS,
                        },
                        "host_identifier": null,
                    },
                    {
                        "reservation_key": "0xfedcba9876543211",
                        "all_target_ports": true,
                        "relative_target_port": null,
                        "reservation_holder": false,
                        "scope": null,
                        "reservation_type": null,
                        "transport_id": {
                            "protocol": {"i": 5, "meaning": "iSCSI"},
                            "argument": "iqn.2005-03.org.open-iscsi:abc",
                            "hex": format!("05000020{name}"),
                        },
                        "host_identifier": null,
                    },
                    {
                        "reservation_key": "0x1",
                        "all_target_ports": true,
                        "relative_target_port": null,
                        "reservation_holder": true,
                        "scope": {"i": 1, "meaning": null},
                        "reservation_type": {
                            "i": 8,
                            "meaning": "Exclusive Access, all registrants",
                        },
                        "transport_id": null,
                        "host_identifier": null,
                    },
                ],
            })
        );
        assert_eq!(
            parameter_data("s", READ_FULL_STATUS, NO_KEYS),
            json!({"pr_generation": 0x15, "full_status_descriptors": []})
        );
    }

    #[test]
    fn hosts_of_nvme_have_an_identifier_in_place_of_a_transport_id() {
        for (id, text) in [
            (
                "cb004e564d650010 aaaaaaaa000040008000000000000001",
                "aaaaaaaa-0000-4000-8000-000000000001",
            ),
            (
                "cb004e564d650008 0102030405060780 0000000000000000",
                "0x8007060504030201",
            ),
        ] {
            let id = registration(&bytes(id));
            let data = parameter_data("s", READ_FULL_STATUS, &id);
            let descriptor = &data["full_status_descriptors"][0];
            assert_eq!(descriptor["host_identifier"], text);
            assert_eq!(descriptor["transport_id"], Value::Null);
        }
    }

    /// What the document says of a TransportID of these bytes.
    #[track_caller]
    fn transport_id(bytes: &[u8]) -> Value {
        let data = parameter_data("s", READ_FULL_STATUS, &registration(bytes));
        let id = data["full_status_descriptors"][0]["transport_id"].clone();
        assert_eq!(id["hex"], hex::encode(bytes));
        id
    }

    #[test]
    fn initiators_of_every_protocol() {
        let names = [
            "FCP",
            "SPI",
            "SSA",
            "IEEE 1394",
            "SRP",
            "iSCSI",
            "SAS",
            "ADT",
            "ATA",
            "UAS",
            "SOP",
            "PCIe",
        ];
        for protocol in 0..16_u8 {
            let mut bytes = vec![protocol];
            bytes.extend(1..24);
            if protocol == 5 {
                bytes = iscsi(0, b"iqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
            }
            let name = match protocol {
                15 => Some("none"),
                _ => names.get(usize::from(protocol)).copied(),
            };
            assert_eq!(
                transport_id(&bytes)["protocol"],
                json!({"i": protocol, "meaning": name})
            );
        }
    }

    #[test]
    fn the_argument_is_readable_where_that_says_all() {
        let rest = |first: &str| {
            let mut id = crate::common::bytes(first);
            id.resize(24, 0);
            id
        };
        for (bytes, argument) in [
            (
                rest("00 000000 00000000 1122334455667788"),
                "fcp,1122334455667788",
            ),
            (rest("01 00 0102 0000 0304"), "spi,258,772"),
            (
                rest("03 000000 00000000 1122334455667788"),
                "sbp,1122334455667788",
            ),
            (
                rest("04 000000 00000000 1122334455667788 99aabbccddeeff01"),
                "srp,112233445566778899aabbccddeeff01",
            ),
            (rest("06 000000 1122334455667788"), "sas,1122334455667788"),
            (rest("0a 00 1234"), "sop,1234"),
            (iscsi(1, b"iqn.a,i,0x23d000000\0"), "iqn.a,i,0x23d000000"),
            (
                rest("46 000000 1122334455667788"),
                "46,00,00,00,11,22,33,44,55,66,77,88,00,00,00,00,00,00,00,00,00,00,00,00",
            ),
        ] {
            assert_eq!(transport_id(&bytes)["argument"], argument);
        }
    }

    #[test]
    fn any_bytes_may_stand_in_a_name() {
        for name in [
            &b"iqn.\x1b[31m\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"[..],
            b"iqn.\xc2\x9b31m \"\\\n\x7f\x00\x00\x00\x00\x00\x00",
            b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0\x80\x81\x82\x83",
            b"",
            b"iqn.short\0",
        ] {
            for format in 0..4 {
                let id = transport_id(&iscsi(format, name));
                let argument = id["argument"].as_str().unwrap();
                assert!(argument.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }

    #[test]
    fn the_argument_is_taken_back() {
        for bytes in (0..16_u8)
            .filter(|protocol| *protocol != 5)
            .map(|protocol| {
                let mut bytes = vec![protocol | 0x40];
                bytes.extend(100..123);
                bytes
            })
            .chain([
                iscsi(0, b"iqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                iscsi(1, b"eui.02004567a425678d,i,0x123456789abc\0\0\0"),
                iscsi(0, b"iqn.\x1b[31m\xff\0\0\0\0\0\0\0\0\0\0"),
                crate::common::bytes(SAS),
            ])
        {
            let argument = transport_id(&bytes)["argument"].clone();
            let line = format!(
                "-j --dry-run -o -G -X {} /dev/sda",
                argument.as_str().unwrap()
            );
            let document = succeeds(sg_persist(&line));
            let sent = &document["command"]["parameter_list"]["transport_ids"][0];
            assert_eq!(sent["hex"], hex::encode(&bytes));
            assert_eq!(sent["argument"], argument);
        }
    }

    #[test]
    fn inquiry() {
        let document = succeeds(
            sg_persist("-j -k /dev/sda")
                .opens(RO)
                .inquires()
                .sends(READ_KEYS, good(NO_KEYS)),
        );
        assert_eq!(
            document["inquiry"],
            json!({
                "vendor": "LIO-ORG",
                "product": "d0",
                "revision": "4.0",
                "peripheral_device_type": {"i": 0, "meaning": "disk"},
            })
        );
    }

    #[test]
    fn inquiry_of_any_bytes() {
        let document = succeeds(
            sg_persist("-j -k /dev/sda")
                .opens(RO)
                .sends(
                    INQUIRY,
                    with_data(
                        b"\x15\0\0\0\x1f\0\0\0\xc2\x9b31m\x7f  \x1b[31m\"\\\xff\x80\x07\t\n\0xxx4.0 ",
                    ),
                )
                .sends(READ_KEYS, good(NO_KEYS)),
        );
        assert_eq!(
            document["inquiry"],
            json!({
                "vendor": "\u{9b}31m\u{7f}",
                "product": "\u{1b}[31m\"\\\u{fffd}\u{fffd}\u{7}",
                "revision": "4.0",
                "peripheral_device_type": {"i": 21, "meaning": null},
            })
        );
    }

    #[test]
    fn a_device_that_says_little_of_itself() {
        let document = succeeds(
            sg_persist("-j -k /dev/sda")
                .opens(RO)
                .sends(INQUIRY, good("01 80 02 02 1f"))
                .sends(READ_KEYS, good(NO_KEYS)),
        );
        assert_eq!(document["inquiry"]["vendor"], "");
        assert_eq!(document["inquiry"]["peripheral_device_type"]["i"], 1);
    }

    #[test]
    fn a_list_that_is_read_again_with_more_room() {
        let mut list = "00000015 00002000".to_owned();
        list += &"0000000000abc123".repeat(1024);
        let document = succeeds(
            sg_persist("-j -n -k /dev/sda")
                .opens(RO)
                .sends(READ_KEYS, good(&list[..]))
                .sends(MORE_KEYS, good(&list[..])),
        );
        assert_eq!(document["command"]["cdb"], MORE_KEYS);
        let keys = &document["parameter_data"]["reservation_keys"];
        assert_eq!(keys.as_array().unwrap().len(), 1024);
        assert_eq!(document["outcome"]["residual"], 65_024 - 8200);
    }

    #[test]
    fn hex_changes_nothing() {
        let plain = succeeds(sg_persist("-j=-l -n -k /dev/sda").reads(READ_KEYS, good(KEYS)));
        let hex = succeeds(sg_persist("-j=-l -n -k -HHH /dev/sda").reads(READ_KEYS, good(KEYS)));
        assert_eq!(plain, hex);
    }
}

mod changes {
    use super::*;

    /// The command in the document about a change of these options that succeeds.
    #[track_caller]
    fn command(words: &str, cdb: &str, list: &str) -> Value {
        let line = format!("-j -n -o {words} /dev/sda");
        let document = succeeds(sg_persist(&line).changes(cdb, list, good("")));
        assert_eq!(document["parameter_data"], Value::Null);
        assert_eq!(document["answer"], Value::Null);
        // What is shown is what would be sent.
        let shown = succeeds(sg_persist(&format!("--dry-run {line}")));
        assert_eq!(shown["command"], document["command"]);
        assert_eq!(shown["outcome"]["scsi_status"], Value::Null);
        document["command"].clone()
    }

    #[test]
    fn every_service_action_and_field() {
        for (words, code, name, byte_2, flags) in [
            ("-G", 0, "REGISTER", 0x00, 0),
            ("-R", 1, "RESERVE", 0x03, 0),
            ("-L", 2, "RELEASE", 0x08, 0),
            ("-C", 3, "CLEAR", 0x00, 4),
            ("-P", 4, "PREEMPT", 0x05, 0),
            ("-A", 5, "PREEMPT AND ABORT", 0x0f, 0),
            ("-I", 6, "REGISTER AND IGNORE EXISTING KEY", 0x00, 5),
            ("-z", 8, "REPLACE LOST RESERVATION", 0x00, 1),
        ] {
            let alltgpt = if flags & 4 == 0 { "" } else { "-Y" };
            let aptpl = if flags & 1 == 0 { "" } else { "-Z" };
            let words =
                format!("{words} -T {byte_2:x} -K abc123 -S fedcba9876543211 {alltgpt} {aptpl}");
            let cdb = format!("5f{code:02x}{byte_2:02x}00000000001800");
            let list = format!("0000000000abc123fedcba987654321100000000{flags:02x}000000");
            let meaning = match byte_2 {
                3 => Some("Exclusive Access"),
                5 => Some("Write Exclusive, registrants only"),
                8 => Some("Exclusive Access, all registrants"),
                _ => None,
            };
            assert_eq!(
                command(&words, &cdb, &list),
                json!({
                    "name": "PERSISTENT RESERVE OUT",
                    "cdb": cdb,
                    "service_action": {"i": code, "meaning": name},
                    "scope": {"i": 0, "meaning": "LU_SCOPE"},
                    "reservation_type": {"i": byte_2, "meaning": meaning},
                    "parameter_list": {
                        "hex": list,
                        "reservation_key": "0xabc123",
                        "service_action_reservation_key": "0xfedcba9876543211",
                        "activate_persist_through_power_loss": flags & 1 != 0,
                        "all_target_ports": flags & 4 != 0,
                        "specify_initiator_ports": false,
                        "unregister": null,
                        "relative_target_port": null,
                        "transport_ids": [],
                    },
                })
            );
        }
    }

    #[test]
    fn transport_ids() {
        let spi = "010001020000030400000000000000000000000000000000";
        let list = format!("{}0800000000000030{SAS}{spi}", "0".repeat(40));
        let scene = |dry: &str| {
            sg_persist(&format!("-j {dry} -n -o -G -X file=ids /dev/sda"))
                .file("ids", "sas,5000c50005b32001\nspi,258,772\n")
        };
        let document = succeeds(scene("").changes("5f000000000000004c00", &list, good("")));
        let parameter_list = &document["command"]["parameter_list"];
        assert_eq!(parameter_list["hex"], list);
        assert_eq!(parameter_list["specify_initiator_ports"], true);
        assert_eq!(
            parameter_list["transport_ids"],
            json!([
                {
                    "protocol": {"i": 6, "meaning": "SAS"},
                    "argument": "sas,5000c50005b32001",
                    "hex": SAS,
                },
                {
                    "protocol": {"i": 1, "meaning": "SPI"},
                    "argument": "spi,258,772",
                    "hex": spi,
                },
            ])
        );
        assert_eq!(succeeds(scene("--dry-run"))["command"], document["command"]);
    }

    #[test]
    fn register_and_move() {
        // -Y has no field in this list.
        let list = format!("0000000000000abc0000000000000123 0003fedc 00000018{SAS}");
        let command = command(
            "-M -K abc -S 123 -Q fedc -U -Z -Y -T 3 -X sas,5000c50005b32001",
            "5f070300000000003000",
            &list,
        );
        assert_eq!(
            command["parameter_list"],
            json!({
                "hex": list.replace(' ', ""),
                "reservation_key": "0xabc",
                "service_action_reservation_key": "0x123",
                "activate_persist_through_power_loss": true,
                "all_target_ports": null,
                "specify_initiator_ports": null,
                "unregister": true,
                "relative_target_port": 0xfedc,
                "transport_ids": [{
                    "protocol": {"i": 6, "meaning": "SAS"},
                    "argument": "sas,5000c50005b32001",
                    "hex": SAS,
                }],
            })
        );
        assert_eq!(command["reservation_type"]["i"], 3);
    }

    #[test]
    fn a_read_is_shown_as_well() {
        let document = succeeds(sg_persist("-j --dry-run -r -l 18 /dev/sda"));
        assert_eq!(
            document["command"],
            json!({
                "name": "PERSISTENT RESERVE IN",
                "cdb": "5e010000000000001800",
                "service_action": {"i": 1, "meaning": "READ RESERVATION"},
                "scope": null,
                "reservation_type": null,
                "parameter_list": null,
            })
        );
        assert_eq!(document["inquiry"], Value::Null);
    }

    #[test]
    fn inquiry_comes_with_a_change_too() {
        let document = succeeds(
            sg_persist("-j -o -G /dev/sda")
                .opens(RO)
                .inquires()
                .opens(RW)
                .sends_out(REGISTER, NOTHING, good("")),
        );
        assert_eq!(document["inquiry"]["vendor"], "LIO-ORG");
        assert_eq!(
            document["outcome"],
            json!({
                "message": null,
                "os_error": null,
                "scsi_status": {"i": 0, "meaning": "GOOD"},
                "host_status": {"i": 0, "meaning": "DID_OK"},
                "driver_status": {"i": 0, "meaning": "DRIVER_OK"},
                "residual": 0,
                "sense": null,
                "unit_attentions": [],
            })
        );
    }

    /// A verified CLEAR of 0xabc123, which the keys `after` it follow.
    fn clear(after: Answer) -> Scene {
        sg_persist("-j -n -o -C -K abc123 --verify /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, good("00000015 00000008 0000000000abc123"))
            .sends(READ_RESERVATION, good("00000015 00000000"))
            .sends_out(
                "5f030000000000001800",
                "0000000000abc123 0000000000000000 00000000 00000000",
                good(""),
            )
            .sends(READ_KEYS, after)
    }

    #[test]
    fn what_is_verified() {
        let document = succeeds(
            clear(good("00000016 00000000")).sends(READ_RESERVATION, good("00000016 00000000")),
        );
        assert_eq!(document["command"]["name"], "PERSISTENT RESERVE OUT");
        assert_eq!(document["parameter_data"], Value::Null);
    }

    #[test]
    fn what_is_not_there() {
        let (status, document) = run(clear(good("00000016 00000008 0000000000abc123"))
            .sends(READ_RESERVATION, good("00000016 00000000")));
        assert_eq!(status, 37);
        assert_eq!(document["command"]["service_action"]["meaning"], "CLEAR");
        let message = document["outcome"]["message"].as_str().unwrap();
        assert!(message.starts_with("sg_persist: accepted, but the effect is not there\n"));
    }

    #[test]
    fn a_reading_that_fails_before_a_verified_change() {
        let (code, document) = run(sg_persist("-j -n -o -C --verify /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, status(0x08)));
        assert_eq!(code, 26);
        // The command that failed, which has no parameter list.
        assert_eq!(document["command"]["cdb"], READ_KEYS);
        assert_eq!(document["command"]["parameter_list"], Value::Null);
        assert_eq!(document["outcome"]["scsi_status"]["meaning"], "BUSY");
    }
}

mod questions {
    use super::*;

    #[track_caller]
    fn asks(question: &str, cdb: &str, data: &str, code: u8, answer: Value) {
        let line = format!("-j {question} /dev/sda");
        let (status, document) = run(sg_persist(&line).reads(cdb, good(data)));
        assert_eq!(
            (status, &document["answer"]),
            (code, &answer),
            "{question}: {document:#}"
        );
        assert_eq!(document["parameter_data"], Value::Null);
        assert_eq!(document["outcome"]["message"], Value::Null);
        assert_eq!(document["command"]["cdb"], cdb);
    }

    #[test]
    fn yes_and_no() {
        let yes = json!(true);
        let no = json!(false);
        for (question, cdb, data, code, answer) in [
            ("--has-key=fedcba9876543211", READ_KEYS, KEYS, 0, &yes),
            // The next double.
            ("--has-key=fedcba9876543210", READ_KEYS, KEYS, 36, &no),
            ("--reserved", READ_RESERVATION, RESERVATION, 0, &yes),
            ("--reserved=5", READ_RESERVATION, RESERVATION, 0, &yes),
            ("--reserved=6", READ_RESERVATION, RESERVATION, 36, &no),
            ("--reserved", READ_RESERVATION, NO_RESERVATION, 36, &no),
            ("--holder-is=abc123", READ_RESERVATION, RESERVATION, 0, &yes),
            ("--holder-is=1", READ_RESERVATION, RESERVATION, 36, &no),
        ] {
            asks(question, cdb, data, code, answer.clone());
        }
    }

    #[test]
    fn a_reservation_that_all_registrants_hold() {
        let (code, document) = run(sg_persist("-j --holder-is=abc123 /dev/sda")
            .opens(RO)
            .sends(READ_RESERVATION, good(ALL_REGISTRANTS))
            .sends(READ_KEYS, good(KEYS)));
        assert_eq!((code, &document["answer"]), (0, &json!(true)));
        assert_eq!(document["command"]["cdb"], READ_KEYS);
    }

    #[test]
    fn what_cannot_be_told_is_no_answer() {
        for answer in [status(0x18), errno(libc::EIO), good("00000015"), host(1)] {
            let (code, document) =
                run(sg_persist("-j --has-key=1 /dev/sda").reads(READ_KEYS, answer));
            assert!(![0, 36].contains(&code));
            assert_eq!(document["answer"], Value::Null);
            assert_ne!(document["outcome"]["message"], Value::Null);
        }
        let mut scene = sg_persist("-j --holder-is=abc123 /dev/sda").opens(RO);
        for generation in 1..6 {
            let data = format!("{:08x} 00000000", generation + 1000);
            scene = scene
                .sends(READ_RESERVATION, good(ALL_REGISTRANTS))
                .sends(READ_KEYS, good(&data));
        }
        let (code, document) = run(scene);
        assert_eq!((code, &document["answer"]), (99, &Value::Null));
    }
}

mod outcome {
    use super::*;

    /// The status and the outcome of READ KEYS that ends with `answer`.
    #[track_caller]
    fn outcome(answer: Answer) -> (u8, Value) {
        let (status, document) = run(sg_persist("-j -n -k /dev/sda").reads(READ_KEYS, answer));
        assert_eq!(document["parameter_data"], Value::Null);
        assert_eq!(document["inquiry"], Value::Null);
        assert_eq!(document["command"]["cdb"], READ_KEYS);
        (status, document["outcome"].clone())
    }

    #[test]
    fn sense_data_in_fixed_format() {
        let (status, outcome) = outcome(sense(5, 0x24, 0x00));
        assert_eq!(status, 5);
        assert_eq!(
            outcome,
            json!({
                "message": "PR in (Read keys): CHECK CONDITION",
                "os_error": null,
                "scsi_status": {"i": 2, "meaning": "CHECK CONDITION"},
                "host_status": {"i": 0, "meaning": "DID_OK"},
                "driver_status": {"i": 8, "meaning": "DRIVER_SENSE"},
                "residual": 8192,
                "sense": {
                    "format": "fixed",
                    "deferred": false,
                    "sense_key": {"i": 5, "meaning": "Illegal Request"},
                    "additional_sense_code": 0x24,
                    "additional_sense_code_qualifier": 0,
                    "additional_sense": "Invalid field in cdb",
                    "hex": "700005000000000a00000000240000000000",
                },
                "unit_attentions": [],
            })
        );
    }

    #[test]
    fn sense_data_in_descriptor_format() {
        let (status, outcome) = outcome(check_condition("73 0b 10 80 00000000"));
        assert_eq!(status, 40);
        assert_eq!(
            outcome["sense"],
            json!({
                "format": "descriptor",
                "deferred": true,
                "sense_key": {"i": 11, "meaning": "Aborted Command"},
                "additional_sense_code": 0x10,
                "additional_sense_code_qualifier": 0x80,
                "additional_sense": null,
                "hex": "730b108000000000",
            })
        );
    }

    #[test]
    fn every_sense_key() {
        for key in 0..16 {
            let (status, document) =
                run(sg_persist("-j -n -k /dev/sda").reads(READ_KEYS, sense(key, 0, 0)));
            // Without data these two are no answer either.
            let expected = [97, 97, 2, 3, 3, 5, 6, 7, 3, 98, 10, 11, 98, 98, 14, 98];
            assert_eq!(status, expected[usize::from(key)]);
            assert_eq!(document["outcome"]["sense"]["sense_key"]["i"], key);
        }
    }

    #[test]
    fn sense_data_that_makes_no_sense() {
        for hex in ["70", "7000", "7f 06 29 00", "00 00 00 00 00 00 00 00"] {
            let (status, outcome) = outcome(check_condition(hex));
            assert_eq!(status, 98);
            assert_eq!(
                outcome["sense"],
                json!({
                    "format": null,
                    "deferred": false,
                    "sense_key": null,
                    "additional_sense_code": null,
                    "additional_sense_code_qualifier": null,
                    "additional_sense": null,
                    "hex": hex.replace(' ', ""),
                })
            );
        }
        let (status, outcome) = outcome(check_condition(""));
        assert_eq!((status, &outcome["sense"]), (98, &Value::Null));
    }

    #[test]
    fn scsi_statuses() {
        for (byte, code, name) in [
            (0x04, 25, Some("CONDITION MET")),
            (0x08, 26, Some("BUSY")),
            (0x18, 24, Some("RESERVATION CONFLICT")),
            (0x28, 27, Some("TASK SET FULL")),
            (0x30, 28, Some("ACA ACTIVE")),
            (0x40, 29, Some("TASK ABORTED")),
            (0x66, 99, None),
        ] {
            let (status, outcome) = outcome(status(byte));
            assert_eq!(status, code);
            assert_eq!(outcome["scsi_status"], json!({"i": byte, "meaning": name}));
            assert_eq!(outcome["sense"], Value::Null);
        }
    }

    #[test]
    fn transport_errors() {
        let (status, told) = outcome(host(0x03));
        assert_eq!(status, 35);
        assert_eq!(
            told["host_status"],
            json!({"i": 3, "meaning": "DID_TIME_OUT"})
        );
        assert_eq!(told["message"], "PR in (Read keys): transport error");
        let (status, told) = outcome(host(0x15));
        assert_eq!(status, 35);
        assert_eq!(told["host_status"], json!({"i": 0x15, "meaning": null}));
        let (status, told) = outcome(driver(0x06));
        assert_eq!(status, 35);
        assert_eq!(
            told["driver_status"],
            json!({"i": 6, "meaning": "DRIVER_TIMEOUT"})
        );
        let (status, told) = outcome(driver(0xffff_ffff));
        assert_eq!(status, 35);
        assert_eq!(
            told["driver_status"],
            json!({"i": 0xffff_ffff_u32, "meaning": null})
        );
    }

    #[test]
    fn errors_of_the_operating_system() {
        for (number, code, text) in [
            (libc::EIO, 55, "Input/output error"),
            (libc::ETIMEDOUT, 50, "Connection timed out"),
            (libc::ENXIO, 2, "No such device or address"),
        ] {
            let (status, outcome) = outcome(errno(number));
            assert_eq!(status, code);
            assert_eq!(
                outcome,
                json!({
                    "message": format!("PR in (Read keys): {text}"),
                    "os_error": {"i": number, "meaning": text},
                    "scsi_status": null,
                    "host_status": null,
                    "driver_status": null,
                    "residual": null,
                    "sense": null,
                    "unit_attentions": [],
                })
            );
        }
    }

    #[test]
    fn malformed_answers() {
        for (data, message) in [
            ("00000015", "the response is too short"),
            (
                "00000015 00000010 0000000000abc123",
                "the response takes 24 bytes",
            ),
            (
                "00000015 00000004 00000000",
                "is no multiple of the 8 bytes",
            ),
        ] {
            let (status, outcome) = outcome(good(data));
            assert_eq!(status, 97);
            assert!(outcome["message"].as_str().unwrap().contains(message));
            assert_eq!(outcome["scsi_status"]["meaning"], "GOOD");
        }
        for residual in [-1, 8193] {
            let (status, outcome) = outcome(good(NO_KEYS).residual(residual));
            assert_eq!((status, &outcome["residual"]), (97, &json!(residual)));
        }
    }

    #[test]
    fn a_recovered_error_is_no_failure_and_told() {
        let answer = sense(1, 0x17, 1).and_data(NO_KEYS);
        let document = succeeds(sg_persist("-j -n -k /dev/sda").reads(READ_KEYS, answer));
        assert_eq!(document["outcome"]["sense"]["sense_key"]["i"], 1);
        assert_eq!(document["parameter_data"]["pr_generation"], 0x15);
    }

    #[test]
    fn a_change_that_is_refused() {
        let (code, document) = run(sg_persist("-j -n -o -G -K abc /dev/sda")
            .changes(
                REGISTER,
                "0000000000000abc 0000000000000000 00000000 00000000",
                status(0x18),
            )
            .sends(READ_KEYS, host(3)));
        assert_eq!(code, 24);
        assert_eq!(
            document["exit_status"],
            json!({"i": 24, "meaning": "Reservation conflict"})
        );
        assert_eq!(
            document["command"]["parameter_list"]["reservation_key"],
            "0xabc"
        );
        let id = "-j -n -o -M -X sas,0000000000000001 /dev/sda";
        let list = "0000000000000000 0000000000000000 00000000 00000018
                    06000000 0000000000000001 000000000000000000000000";
        let (code, document) =
            run(sg_persist(id).changes("5f070000000000003000", list, sense(5, 0x26, 4)));
        assert_eq!(code, 5);
        assert_eq!(
            document["outcome"]["sense"]["additional_sense"],
            "Invalid release of persistent reservation"
        );
    }

    /// The outcome where the device was not opened.
    fn not_opened(message: &str, number: i32, text: &str) -> Value {
        json!({
            "message": message,
            "os_error": {"i": number, "meaning": text},
            "scsi_status": null,
            "host_status": null,
            "driver_status": null,
            "residual": null,
            "sense": null,
            "unit_attentions": [],
        })
    }

    #[test]
    fn a_device_that_cannot_be_opened() {
        let (status, document) =
            run(sg_persist("-j -n -k /dev/sda").fails_to_open(RO, libc::ENOENT));
        assert_eq!(status, 52);
        assert_eq!(document["command"], Value::Null);
        assert_eq!(
            document["outcome"],
            not_opened(
                "sg_persist: error opening file /dev/sda (ro): No such file or directory",
                2,
                "No such file or directory"
            )
        );
    }

    #[test]
    fn a_device_that_cannot_be_opened_for_the_change() {
        let (status, document) = run(sg_persist("-j -o -G /dev/sda")
            .opens(RO)
            .inquires()
            .fails_to_open(RW, libc::EACCES));
        assert_eq!(status, 63);
        assert_eq!(document["command"], Value::Null);
        assert_eq!(document["inquiry"]["vendor"], "LIO-ORG");
        assert_eq!(
            document["outcome"],
            not_opened(
                "sg_persist: error opening file /dev/sda (rw): Permission denied",
                13,
                "Permission denied"
            )
        );
    }

    #[test]
    fn a_device_that_cannot_be_opened_again() {
        let (status, document) = run(sg_persist("-j -k /dev/sda")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, errno(libc::EPERM))
            .fails_to_open(RW, libc::EROFS));
        assert_eq!(status, 80);
        assert_eq!(document["command"]["cdb"], READ_KEYS);
        assert_eq!(document["outcome"]["os_error"]["i"], libc::EROFS);
        assert_eq!(document["outcome"]["scsi_status"], Value::Null);
    }

    #[test]
    fn inquiry_that_fails() {
        for (answer, code) in [
            (sense(2, 4, 1), 2),
            (errno(libc::ENOTTY), 75),
            (good("000006"), 97),
            (host(1), 35),
            (good("").residual(37), 97),
        ] {
            let (status, document) = run(sg_persist("-j -k /dev/sda")
                .opens(RO)
                .sends(INQUIRY, answer));
            assert_eq!(status, code);
            assert_eq!(document["inquiry"], Value::Null);
            assert_eq!(document["command"], Value::Null);
            assert_eq!(
                document["outcome"]["message"],
                "sg_persist: SCSI INQUIRY failed on /dev/sda"
            );
        }
    }

    #[test]
    fn unit_attentions_are_noted() {
        let document = succeeds(
            sg_persist("-j -k --ua-retries=3 /dev/sda")
                .opens(RO)
                .sends(INQUIRY, sense(6, 0x29, 0))
                .inquires()
                .sends(READ_KEYS, check_condition("72 06 2a 05 00000000"))
                .sends(READ_KEYS, sense(6, 0x2a, 3))
                .sends(READ_KEYS, good(NO_KEYS)),
        );
        assert_eq!(document["outcome"]["sense"], Value::Null);
        assert_eq!(document["outcome"]["scsi_status"]["meaning"], "GOOD");
        let attentions = document["outcome"]["unit_attentions"].as_array().unwrap();
        let told: Vec<_> = attentions
            .iter()
            .map(|sense| (&sense["format"], &sense["additional_sense"]))
            .collect();
        assert_eq!(
            told,
            [
                (
                    &json!("fixed"),
                    &json!("Power on, reset, or bus device reset occurred")
                ),
                (&json!("descriptor"), &json!("Registrations preempted")),
                (&json!("fixed"), &json!("Reservations preempted")),
            ]
        );
    }

    #[test]
    fn one_unit_attention_too_many() {
        let (code, document) = run(sg_persist("-j -n -o -G --ua-retries=1 /dev/sda")
            .opens(RW)
            .sends_out(REGISTER, NOTHING, sense(6, 0x29, 0))
            .sends_out(REGISTER, NOTHING, sense(6, 0x2a, 5)));
        assert_eq!(code, 6);
        let outcome = &document["outcome"];
        assert_eq!(outcome["unit_attentions"].as_array().unwrap().len(), 1);
        assert_eq!(outcome["unit_attentions"][0]["additional_sense_code"], 0x29);
        assert_eq!(outcome["sense"]["additional_sense_code"], 0x2a);
        assert_eq!(outcome["sense"]["additional_sense_code_qualifier"], 5);
    }

    #[test]
    fn names_of_any_bytes() {
        let device = b"/dev/\xff\x9b\xc2\x9b\x1b";
        let (status, document) = run(sg_persist("-j -n -k")
            .word(device)
            .device_of_bytes(device)
            .fails_to_open(RO, libc::ENOENT));
        assert_eq!(status, 52);
        assert_eq!(document["device"], "/dev/\u{fffd}\u{fffd}\u{9b}\u{1b}");
        assert_eq!(document["utility_invoked"]["argv"][4], document["device"]);
    }
}

/// What the letters behind `--json=` do, and where the document goes.
mod options {
    use super::*;

    /// The text about READ KEYS without registrations.
    #[track_caller]
    fn text(json: &str) -> String {
        let ran = sg_persist(&format!("{json} -n -k /dev/sda"))
            .reads(READ_KEYS, good(NO_KEYS))
            .run();
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        document_of(&ran);
        ran.stdout
    }

    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// The document in [`text`], indented by four blanks.
    fn pretty(argument: &str) -> String {
        format!(
            r#"{{
    "json_format_version": [
        1,
        1
    ],
    "utility_invoked": {{
        "name": "sg_persist",
        "version": "{VERSION}",
        "argv": [
            "sg_persist",
            "{argument}",
            "-n",
            "-k",
            "/dev/sda"
        ]
    }},
    "device": "/dev/sda",
    "inquiry": null,
    "command": {{
        "name": "PERSISTENT RESERVE IN",
        "cdb": "5e000000000000200000",
        "service_action": {{
            "i": 0,
            "meaning": "READ KEYS"
        }},
        "scope": null,
        "reservation_type": null,
        "parameter_list": null
    }},
    "parameter_data": {{
        "pr_generation": 21,
        "reservation_keys": []
    }},
    "answer": null,
    "outcome": {{
        "message": null,
        "os_error": null,
        "scsi_status": {{
            "i": 0,
            "meaning": "GOOD"
        }},
        "host_status": {{
            "i": 0,
            "meaning": "DID_OK"
        }},
        "driver_status": {{
            "i": 0,
            "meaning": "DRIVER_OK"
        }},
        "residual": 8184,
        "sense": null,
        "unit_attentions": []
    }},
    "exit_status": {{
        "i": 0,
        "meaning": "No errors"
    }}
}}
"#
        )
    }

    #[test]
    fn indentation() {
        for argument in ["-j", "--json", "--json=", "-j=4", "--json=84", "--json=-pp"] {
            assert_eq!(text(argument), pretty(argument), "{argument}");
        }
        assert_eq!(text("--json=2"), pretty("--json=2").replace("    ", "  "));
        assert_eq!(text("--json=0"), pretty("--json=0").replace("    ", "  "));
        assert_eq!(text("-j=8"), pretty("-j=8").replace("    ", "        "));
        // No blanks are left out where each value has its line.
        assert_eq!(text("-j=k"), pretty("-j=k"));
    }

    #[test]
    fn one_line() {
        let line = r#"{"device": "/dev/sda", "inquiry": null, "command": {"name": "PERSISTENT RESERVE IN", "cdb": "5e000000000000200000", "service_action": {"i": 0, "meaning": "READ KEYS"}, "scope": null, "reservation_type": null, "parameter_list": null}, "parameter_data": {"pr_generation": 21, "reservation_keys": []}, "answer": null, "outcome": {"message": null, "os_error": null, "scsi_status": {"i": 0, "meaning": "GOOD"}, "host_status": {"i": 0, "meaning": "DID_OK"}, "driver_status": {"i": 0, "meaning": "DRIVER_OK"}, "residual": 8184, "sense": null, "unit_attentions": []}}
"#;
        assert_eq!(text("--json=-p-l-e"), line);
        assert_eq!(text("--json=~p!l-e-k"), line);
    }

    #[test]
    fn packed() {
        let whole = format!(
            r#"{{"json_format_version":[1,1],"utility_invoked":{{"name":"sg_persist","version":"{VERSION}","argv":["sg_persist","--json=k-p","-n","-k","/dev/sda"]}},"device":"/dev/sda","inquiry":null,"command":{{"name":"PERSISTENT RESERVE IN","cdb":"5e000000000000200000","service_action":{{"i":0,"meaning":"READ KEYS"}},"scope":null,"reservation_type":null,"parameter_list":null}},"parameter_data":{{"pr_generation":21,"reservation_keys":[]}},"answer":null,"outcome":{{"message":null,"os_error":null,"scsi_status":{{"i":0,"meaning":"GOOD"}},"host_status":{{"i":0,"meaning":"DID_OK"}},"driver_status":{{"i":0,"meaning":"DRIVER_OK"}},"residual":8184,"sense":null,"unit_attentions":[]}},"exit_status":{{"i":0,"meaning":"No errors"}}}}
"#
        );
        assert_eq!(text("--json=k-p"), whole);
    }

    #[test]
    fn blanks_in_strings_are_no_layout() {
        for (letters, keys) in [
            (
                "-p",
                r#""reservation_keys": ["0xabc123", "0x20000000000001", "#,
            ),
            (
                "k-p",
                r#""reservation_keys":["0xabc123","0x20000000000001","#,
            ),
        ] {
            let ran = sg_persist(&format!("--json={letters} -n -k /dev/sda"))
                .reads(READ_KEYS, good(KEYS))
                .run();
            document_of(&ran);
            assert!(ran.stdout.contains(keys));
            assert!(ran.stdout.contains(r#""PERSISTENT RESERVE IN""#));
            assert_eq!(ran.stdout.lines().count(), 1);
        }
    }

    #[test]
    fn what_comes_first_and_last() {
        for (letters, lead_in, exit_status) in [
            ("", true, true),
            ("-l", false, true),
            ("-e", true, false),
            ("-l-e", false, false),
            ("-l-ele", true, true),
        ] {
            let document: Value =
                serde_json::from_str(&text(&format!("--json={letters}"))).unwrap();
            assert_eq!(document.get("json_format_version").is_some(), lead_in);
            assert_eq!(document.get("utility_invoked").is_some(), lead_in);
            assert_eq!(document.get("exit_status").is_some(), exit_status);
        }
    }

    #[test]
    fn unknown_letters_are_refused() {
        for letters in ["x", "4,2", "-", "P"] {
            let ran = sg_persist(&format!("--json={letters} -n -k /dev/sda"));
            if letters == "-" {
                // Nothing is turned off.
                ran.reads(READ_KEYS, good(NO_KEYS)).run();
                continue;
            }
            let ran = ran.run();
            assert_eq!((ran.status, &ran.stdout[..]), (1, ""));
            assert!(ran.stderr.starts_with("bad argument to '--json'"));
        }
    }

    #[test]
    fn a_command_line_that_asks_for_nothing_gets_no_document() {
        for (line, code) in [
            ("-j", 1),
            ("-j -n -k --nonsense /dev/sda", 1),
            ("-j -K xyz /dev/sda", 1),
            ("-j -i -o /dev/sda", 31),
            ("-j -o /dev/sda", 31),
            ("-j /dev/sda /dev/sdb", 1),
            ("-J out -k -r /dev/sda", 31),
        ] {
            let ran = sg_persist(line).run();
            assert_eq!((ran.status, &ran.stdout[..]), (code, ""), "{line}");
            assert_ne!(ran.stderr, "");
            assert_eq!(ran.written, []);
            ran.touched_nothing();
        }
    }

    /// What the devices in a scene do.
    type Says = fn(Scene) -> Scene;

    /// Command lines and what devices say to them.
    fn scenes() -> Vec<(&'static str, Says)> {
        vec![
            ("-k /dev/sda", |scene| {
                scene.opens(RO).inquires().sends(READ_KEYS, good(KEYS))
            }),
            ("-n -r -H /dev/sda", |scene| {
                scene.reads(READ_RESERVATION, good(RESERVATION))
            }),
            ("/dev/sda", |scene| {
                scene.opens(RO).inquires().sends(READ_KEYS, status(0x18))
            }),
            ("-vvv -k /dev/sda", |scene| {
                scene
                    .opens(RO)
                    .inquires()
                    .sends(READ_KEYS, sense(5, 0x20, 0))
            }),
            ("-k /dev/sda", |scene| {
                scene
                    .opens(RO)
                    .sends(INQUIRY, errno(libc::EPERM))
                    .fails_to_open(RW, libc::EACCES)
            }),
            ("-k /dev/sda -y", |scene| {
                scene.opens(RO).sends(INQUIRY, errno(libc::EPERM))
            }),
            ("-n -k -HH /dev/sda", |scene| {
                scene.reads(READ_KEYS, good("00000015 00000010 00"))
            }),
            ("-n -o -R /dev/sda", |scene| {
                scene.changes("5f010000000000001800", NOTHING, good(""))
            }),
            (
                "-v -n -o -G -X sas,5000c50005b32001 /dev/sda --dry-run -vv",
                |scene| scene,
            ),
            ("--has-key=1 /dev/sda", |scene| {
                scene.reads(READ_KEYS, good(KEYS))
            }),
            ("-n -k /dev/sda", |scene| {
                scene.fails_to_open(RO, libc::ENOENT)
            }),
            ("-n -k --ua-retries=1 -v /dev/sda", |scene| {
                scene
                    .reads(READ_KEYS, sense(6, 0x29, 0))
                    .sends(READ_KEYS, good(NO_KEYS))
            }),
        ]
    }

    #[test]
    fn a_document_takes_the_place_of_plain_text() {
        for (line, says) in scenes() {
            let plain = says(sg_persist(line)).run();
            let json = says(sg_persist(&format!("--json {line}"))).run();
            assert_eq!(json.stderr, plain.stderr, "{line}");
            assert_eq!(json.status, plain.status, "{line}");
            assert_eq!(json.trace, plain.trace, "{line}");
            let document = document_of(&json);
            assert_eq!(document["utility_invoked"].get("plain_text_output"), None);

            let with_text = says(sg_persist(&format!("--json=o {line}"))).run();
            assert_eq!(with_text.stderr, plain.stderr, "{line}");
            let document = document_of(&with_text);
            let lines = document["utility_invoked"]["plain_text_output"].clone();
            assert_eq!(
                lines,
                json!(plain.stdout.lines().collect::<Vec<_>>()),
                "{line}"
            );
        }
    }

    #[test]
    fn plain_text_is_part_of_it_where_it_is_wanted() {
        let ran = sg_persist("--json=o -k /dev/sda")
            .opens(RO)
            .inquires()
            .sends(READ_KEYS, good(KEYS))
            .run();
        let mut expected: Vec<_> = DISK_LINES.lines().collect();
        expected.extend([
            "  PR generation=0x15, 3 registered reservation keys follow:",
            "    0xabc123",
            "    0x20000000000001",
            "    0xfedcba9876543211",
        ]);
        assert_eq!(
            document_of(&ran)["utility_invoked"]["plain_text_output"],
            json!(expected)
        );
    }

    #[test]
    fn a_file() {
        for (line, says) in scenes() {
            let plain = says(sg_persist(line)).run();
            for words in ["--js-file=out", "-J out", "-j --js-file out"] {
                let ran = says(sg_persist(&format!("{words} {line}"))).run();
                assert_eq!(
                    (ran.status, &ran.stdout[..], &ran.stderr),
                    (plain.status, "", &plain.stderr)
                );
                let [(path, text)] = &ran.written[..] else {
                    panic!("{:?}", ran.written);
                };
                assert_eq!(path, Path::new("out"));
                let document = one_document(std::str::from_utf8(text).unwrap());
                assert_eq!(document["exit_status"]["i"], ran.status);
            }
        }
    }

    #[test]
    fn a_file_in_another_layout() {
        let ran = sg_persist("-j=-pk-l-e -n -k -J out /dev/sda")
            .reads(READ_KEYS, good(NO_KEYS))
            .run();
        ran.is(0, "", "");
        assert!(ran.written[0].1.starts_with(br#"{"device":"/dev/sda","#));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_before_anything_is_sent() {
        for line in [
            "-n -k",
            "-n -o -P -K 1 -S 2 -T 5",
            "--has-key=1",
            "-o -C --dry-run",
        ] {
            let ran = sg_persist(&format!("{line} --js-file=/unwritable /dev/sda")).run();
            ran.is(
                63,
                "",
                "sg_persist: cannot write /unwritable: Permission denied\n",
            );
            assert_eq!(ran.written, []);
            ran.touched_nothing();
        }
    }

    const PREEMPT: &str = "5f040500000000001800";
    const PREEMPT_LIST: &str = "0000000000000001 0000000000000002 0000000000000000";

    #[test]
    fn a_change_keeps_its_status_where_the_file_cannot_be_written() {
        let preempt = |answer| {
            sg_persist("-n -o -P -K 1 -S 2 -T 5 -J /full /dev/sda")
                .changes(PREEMPT, PREEMPT_LIST, answer)
                .run()
        };
        preempt(good("")).is(
            0,
            "",
            "sg_persist: cannot write /full: No space left on device\nThe change itself was made\n",
        );
        preempt(status(0x08)).is(
            26,
            "",
            "\
PR out (Preempt): Busy
sg_persist failed: Busy
sg_persist: cannot write /full: No space left on device
",
        );
    }

    #[test]
    fn an_answer_whose_file_cannot_be_written_is_a_failure() {
        let lost = "sg_persist: cannot write /full: No space left on device\n";
        let read = |answer| {
            sg_persist("-n -k -J /full /dev/sda")
                .reads(READ_KEYS, answer)
                .run()
        };
        read(good(NO_KEYS)).is(78, "", lost);
        let ran = read(status(0x18));
        assert_eq!((ran.status, &ran.stdout[..]), (24, ""));
        assert!(ran.stderr.ends_with(lost), "{}", ran.stderr);
        // Neither yes nor no.
        for key in ["1", "abc123"] {
            sg_persist(&format!("--has-key={key} -J /full /dev/sda"))
                .reads(READ_KEYS, good(KEYS))
                .run()
                .is(78, "", lost);
        }
        sg_persist("-o -C --dry-run -J /full /dev/sda")
            .run()
            .is(78, "", lost);
    }

    #[test]
    fn a_change_keeps_its_status_where_standard_output_cannot_be_written() {
        let preempt = |errno, answer| {
            sg_persist("-j -n -o -P -K 1 -S 2 -T 5 /dev/sda")
                .changes(PREEMPT, PREEMPT_LIST, answer)
                .stdout_fails(errno)
                .run()
        };
        preempt(libc::ENOSPC, good("")).is(
            0,
            "",
            "\
sg_persist: cannot write the output: No space left on device
The change itself was made
",
        );
        preempt(libc::EPIPE, good("")).is(0, "", "");
        assert_eq!(preempt(libc::ENOSPC, status(0x08)).status, 26);
        assert_eq!(preempt(libc::EPIPE, host(3)).status, 35);
    }

    #[test]
    fn standard_output_that_cannot_be_written() {
        let ran = sg_persist("-j -n -k /dev/sda")
            .reads(READ_KEYS, good(NO_KEYS))
            .stdout_fails(libc::ENOSPC)
            .run();
        ran.is(
            78,
            "",
            "sg_persist: cannot write the output: No space left on device\n",
        );
    }

    #[test]
    fn a_terminal_gets_the_same() {
        let scene = || sg_persist("-j -n -k /dev/sda").reads(READ_KEYS, good(KEYS));
        assert_eq!(scene().on_terminals().run().stdout, scene().run().stdout);
    }
}

/// The schema itself.
mod schema {
    use super::*;

    /// Documents in which each member is something else than null at least once.
    fn documents() -> Vec<Value> {
        let capabilities = "0008 9d f1 ffff 0000";
        let full_status = format!(
            "00000015 00000030 0000000000abc123 00000000 01 05 00000000 0001 00000018 {SAS}"
        );
        let list = format!("0000000000000000 0000000000000000 00000000 00000018 {SAS}");
        let host = bytes("cb004e564d650010 000102030405060708090a0b0c0d0e0f");
        let scenes = [
            sg_persist("-j=o -k /dev/sda")
                .opens(RO)
                .inquires()
                .sends(READ_KEYS, good(KEYS)),
            sg_persist("-j -n -r /dev/sda").reads(READ_RESERVATION, good(RESERVATION)),
            sg_persist("-j -n -r /dev/sda").reads(READ_RESERVATION, good(NO_RESERVATION)),
            sg_persist("-j -n -c /dev/sda").reads(REPORT_CAPABILITIES, good(capabilities)),
            sg_persist("-j -n -s /dev/sda").reads(READ_FULL_STATUS, good(&full_status)),
            sg_persist("-j -n -s /dev/sda").reads(READ_FULL_STATUS, good(&registration(&host))),
            sg_persist("-j --reserved /dev/sda").reads(READ_RESERVATION, good(RESERVATION)),
            sg_persist("-j -n -o -G --ua-retries=1 /dev/sda")
                .opens(RW)
                .sends_out(REGISTER, NOTHING, sense(6, 0x29, 0))
                .sends_out(REGISTER, NOTHING, sense(5, 0x26, 0)),
            sg_persist("-j -n -o -M -T 3 -X sas,5000c50005b32001 /dev/sda").changes(
                "5f070300000000003000",
                &list,
                good(""),
            ),
            sg_persist("-j -n -k /dev/sda").fails_to_open(RO, libc::ENOENT),
            sg_persist("-j -n -o -G /dev/sda")
                .changes(REGISTER, NOTHING, status(0x18))
                .sends(READ_KEYS, good(NO_KEYS))
                .sends(READ_RESERVATION, good(NO_RESERVATION))
                .sends(READ_FULL_STATUS, good(NO_KEYS)),
            sg_persist("-j --overview /dev/sda")
                .own_ports(&[TransportId::sas(0x5000_c500_05b3_2001)])
                .opens(RO)
                .sends(INQUIRY, sense(6, 0x29, 0))
                .inquires()
                .sends(REPORT_CAPABILITIES, good(capabilities))
                .sends(READ_KEYS, good("00000015 00000008 0000000000abc123"))
                .sends(READ_RESERVATION, good(RESERVATION))
                .sends(READ_FULL_STATUS, good(&full_status)),
            sg_persist("-j --overview /dev/sda")
                .opens(RO)
                .inquires()
                .sends(REPORT_CAPABILITIES, sense(5, 0x24, 0))
                .sends(READ_KEYS, good(KEYS))
                .sends(READ_RESERVATION, good(NO_RESERVATION))
                .sends(READ_FULL_STATUS, sense(5, 0x20, 0)),
            sg_persist("-j --overview /dev/sda")
                .opens(RO)
                .inquires()
                .sends(REPORT_CAPABILITIES, good(capabilities))
                .sends(READ_KEYS, good("00000015 00000008 0000000000abc123"))
                .sends(READ_RESERVATION, good(NO_RESERVATION))
                .sends(READ_FULL_STATUS, good(&registration(&host))),
            sg_persist("-j --overview /dev/sda")
                .opens(RO)
                .inquires()
                .sends(REPORT_CAPABILITIES, sense(5, 0x24, 0))
                .sends(READ_KEYS, good(KEYS))
                .sends(READ_RESERVATION, good(TWO_RESERVATIONS))
                .sends(READ_FULL_STATUS, sense(5, 0x20, 0)),
            sg_persist("-j --overview /dev/sda").fails_to_open(RO, libc::ENOENT),
        ];
        let maps = crate::multipath::documents();
        let maps = maps.iter().map(|text| serde_json::from_str(text).unwrap());
        let scenes = scenes.into_iter().map(|scene| run(scene).1);
        scenes.chain(maps).collect()
    }

    #[test]
    fn it_is_a_schema() {
        assert_eq!(
            schema()["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert!(jsonschema::meta::is_valid(schema()));
        let ran = sg_persist("--json-schema").run();
        assert_eq!(ran.stdout, include_str!("../../src/render/schema.json"));
        assert!(ran.stdout.is_ascii() && ran.stdout.ends_with("}\n"));
    }

    /// Calls `visit` for every schema in `node` that describes an object by its members.
    fn each_object<'a>(node: &'a Value, visit: &mut dyn FnMut(&'a Value)) {
        match node {
            Value::Object(members) => {
                if node["type"] == "object"
                    && node.get("properties").is_some()
                    && node.get("title").is_some()
                {
                    visit(node);
                }
                members.values().for_each(|value| each_object(value, visit));
            }
            Value::Array(values) => values.iter().for_each(|value| each_object(value, visit)),
            _ => {}
        }
    }

    #[test]
    fn every_object_is_closed_and_every_member_described() {
        let may_be_absent = [
            "json_format_version",
            "utility_invoked",
            "exit_status",
            "explanation",
            "paths",
            "overview",
            "plain_text_output",
        ];
        let mut objects = 0;
        each_object(schema(), &mut |object| {
            objects += 1;
            assert_eq!(object["additionalProperties"], false, "{object:#}");
            assert!(object["description"].is_string(), "{object:#}");
            let required = object["required"].as_array().unwrap();
            for (name, member) in object["properties"].as_object().unwrap() {
                assert!(member["description"].is_string(), "{name}");
                assert_ne!(
                    required.contains(&json!(name)),
                    may_be_absent.contains(&&name[..]),
                    "{name}"
                );
            }
            for name in required {
                let name = name.as_str().unwrap();
                assert!(object["properties"].get(name).is_some(), "{name}");
            }
        });
        assert!(objects > 20, "{objects}");
    }

    #[test]
    fn every_definition_is_used() {
        let text = schema().to_string();
        for (name, definition) in schema()["$defs"].as_object().unwrap() {
            assert!(text.contains(&format!("\"#/$defs/{name}\"")), "{name}");
            assert!(definition["title"].is_string(), "{name}");
            assert!(definition["description"].is_string(), "{name}");
        }
    }

    /// The paths of all members that `node` describes.
    fn described(node: &Value, path: &str, paths: &mut BTreeSet<String>) {
        if let Some(reference) = node["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            described(schema().pointer(pointer).unwrap(), path, paths);
        }
        for alternatives in ["anyOf", "oneOf"] {
            for alternative in node[alternatives].as_array().into_iter().flatten() {
                described(alternative, path, paths);
            }
        }
        for (name, member) in node["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}/{name}");
            described(member, &path, paths);
            paths.insert(path);
        }
        if let Some(items) = node.get("items") {
            described(items, path, paths);
        }
    }

    /// The paths of all members of `document` that are not null.
    fn members(document: &Value, path: &str, paths: &mut BTreeSet<String>) {
        match document {
            Value::Object(object) => {
                for (name, member) in object {
                    let path = format!("{path}/{name}");
                    members(member, &path, paths);
                    if !member.is_null() {
                        paths.insert(path);
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| members(value, path, paths)),
            _ => {}
        }
    }

    #[test]
    fn members_of_documents_are_those_of_the_schema() {
        let (mut expected, mut found) = (BTreeSet::new(), BTreeSet::new());
        described(&schema()["$defs"]["document"], "", &mut expected);
        for document in documents() {
            members(&document, "", &mut found);
        }
        assert_eq!(found, expected);
        assert!(found.contains("/parameter_data/full_status_descriptors/transport_id/protocol/i"));
    }

    /// The pointers to `document` and all values in it.
    fn pointers(document: &Value, pointer: &str, all: &mut Vec<String>) {
        all.push(pointer.to_owned());
        match document {
            Value::Object(object) => {
                for (name, member) in object {
                    pointers(member, &format!("{pointer}/{name}"), all);
                }
            }
            Value::Array(values) => {
                for (position, value) in values.iter().enumerate() {
                    pointers(value, &format!("{pointer}/{position}"), all);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn whatever_differs_is_no_document() {
        let may_be_absent = [
            "/exit_status",
            "/explanation",
            "/paths",
            "/overview",
            "/utility_invoked/plain_text_output",
        ];
        for document in documents() {
            let mut all = Vec::new();
            pointers(&document, "", &mut all);
            for pointer in all {
                let mut other = document.clone();
                *other.pointer_mut(&pointer).unwrap() = json!({"x": 1});
                assert!(!is_valid(&other), "{pointer} of another type");
                *other.pointer_mut(&pointer).unwrap() = json!(-0.5);
                assert!(!is_valid(&other), "{pointer} of another type");

                let mut other = document.clone();
                if let Some(object) = other.pointer_mut(&pointer).unwrap().as_object_mut() {
                    object.insert("another".to_owned(), Value::Null);
                    assert!(!is_valid(&other), "{pointer} with one more member");
                }

                let mut other = document.clone();
                let Some((parent, name)) = pointer.rsplit_once('/') else {
                    continue;
                };
                if let Some(object) = other.pointer_mut(parent).unwrap().as_object_mut() {
                    object.remove(name);
                    let allowed = may_be_absent.contains(&&pointer[..]);
                    assert_eq!(is_valid(&other), allowed, "without {pointer}");
                }
            }
        }
    }

    #[test]
    fn keys_and_bytes_have_one_form() {
        let document = run(sg_persist("-j -n -k /dev/sda").reads(READ_KEYS, good(KEYS))).1;
        for key in [
            json!("abc123"),
            json!("0xABC"),
            json!("0x"),
            json!("0x11111111111111111"),
            json!(123),
        ] {
            let mut other = document.clone();
            other["parameter_data"]["reservation_keys"][0] = key;
            assert!(!is_valid(&other));
        }
        for cdb in ["5E000000000000200000", "5e", "5f000000000000200000", ""] {
            let mut other = document.clone();
            other["command"]["cdb"] = json!(cdb);
            assert!(!is_valid(&other));
        }
        for (code, name) in [(0, "READ RESERVATION"), (4, "READ KEYS"), (1, "READ KEYS")] {
            let mut other = document.clone();
            other["command"]["service_action"] = json!({"i": code, "meaning": name});
            assert!(!is_valid(&other));
        }
    }
}

/// The program as a process.
mod process {
    use super::*;

    fn sg_persist(words: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sg_persist"));
        command.env_clear().args(words).output().unwrap()
    }

    #[test]
    fn the_schema_is_printed() {
        let output = sg_persist(&["--json-schema"]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            serde_json::from_slice::<Value>(&output.stdout).unwrap(),
            *schema()
        );
    }

    #[test]
    fn the_exit_status_is_that_of_the_process() {
        for (words, code) in [
            (&["-j", "-n", "-k", "/dev/null"][..], 75),
            (&["--json=-pk", "/dev/null"], 75),
            (&["-j", "-k", "/dev/null/none"], 70),
            (&["-j", "-n", "-o", "-G", "--dry-run", "/none"], 0),
        ] {
            let output = sg_persist(words);
            assert_eq!(output.status.code(), Some(code));
            let document = one_document(std::str::from_utf8(&output.stdout).unwrap());
            assert_eq!(document["exit_status"]["i"], code);
        }
    }

    #[test]
    fn the_file_is_written() {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = directory.join(format!("json-{}", std::process::id()));
        std::fs::write(&path, "x".repeat(10_000)).unwrap();
        let file = format!("--js-file={}", path.display());
        let output = sg_persist(&[&file, "-o", "-C", "--dry-run", "/dev/null"]);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stdout, b"");
        let document = one_document(&text);
        assert_eq!(document["command"]["service_action"]["meaning"], "CLEAR");

        let missing = format!("--js-file={}/none/file", path.display());
        let output = sg_persist(&[&missing, "-o", "-C", "--dry-run", "/dev/null"]);
        assert_eq!(output.status.code(), Some(52));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!(
                "sg_persist: cannot write {}/none/file: No such file or directory\n",
                path.display()
            )
        );
    }

    #[test]
    fn a_file_may_be_an_open_stream() {
        let words = ["-o", "-C", "--dry-run", "/dev/null"];
        let output = sg_persist(&[&["--js-file=/dev/stdout"], &words[..]].concat());
        assert_eq!(output.status.code(), Some(0));
        one_document(std::str::from_utf8(&output.stdout).unwrap());
        let output = sg_persist(&[&["-J", "/dev/full"], &words[..]].concat());
        assert_eq!(output.status.code(), Some(78));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "sg_persist: cannot write /dev/full: No space left on device\n"
        );
    }
}
