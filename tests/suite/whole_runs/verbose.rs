//! What each `-v` adds.

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
