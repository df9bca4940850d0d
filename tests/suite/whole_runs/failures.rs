//! Every class of failure: the line about the command, the last line, the status.

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
