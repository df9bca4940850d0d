//! How devices are opened, and what is said when they cannot be.

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
