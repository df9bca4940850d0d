//! PERSISTENT RESERVE OUT: the bytes of nine service actions.

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
