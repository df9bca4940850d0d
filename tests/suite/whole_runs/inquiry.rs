//! The two lines about the device, and what comes of a device that does not tell.

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
