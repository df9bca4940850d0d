//! Standard output and standard error.

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
