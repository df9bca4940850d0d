//! What people had to work out by themselves: why a command failed, whether a registration is this
//! nexus' own, when the answer becomes yes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{INQUIRY, READ_KEYS, RO, check_condition, good, sense, sg_persist};

const REGISTER: &str = "5f000000000000001800";
const REGISTER_LIST: &str = "0000000000000000 0000000000abc123 0000000000000000";
const RELEASE: &str = "5f020500000000001800";
const RELEASE_LIST: &str = "0000000000abc123 0000000000000000 0000000000000000";

mod sense_data {
    use super::*;

    /// What the original says, and behind it what the device server says and what helps.
    #[test]
    fn an_array_full_of_registrations() {
        sg_persist("-n -o -G -S abc123 /dev/sda")
            .changes(REGISTER, REGISTER_LIST, sense(5, 0x55, 4))
            .run()
            .is(
                5,
                "",
                "\
PR out (Register): bad field in cdb (perhaps unsupported service action)
sg_persist failed: Illegal request
Sense data 5/55/04: Illegal Request, Insufficient registration resources
The device has no room for another registration: unregister what is not needed any more (--read-full-status shows whose it is), or raise the array's limit
",
            );
    }

    #[test]
    fn a_release_of_another_type() {
        let ran = sg_persist("-n -o -L -T 5 -K abc123 /dev/sda")
            .changes(RELEASE, RELEASE_LIST, sense(5, 0x26, 4))
            .run();
        ran.is(
            5,
            "",
            "\
PR out (Release): bad field in cdb (perhaps unsupported service action)
sg_persist failed: Illegal request
Sense data 5/26/04: Illegal Request, Invalid release of persistent reservation
The reservation has another type or scope: --read-reservation shows its type, which --prout-type must give
",
        );
    }

    #[test]
    fn a_helper_that_is_gone() {
        let ran = sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, sense(0xb, 8, 0))
            .run();
        ran.is(
            11,
            "",
            "\
PR in (Read keys): Aborted command
sg_persist failed: Aborted command
Sense data b/08/00: Aborted Command, Logical unit communication failure
What passes commands on to the device did not answer; in a virtual machine, check that the host's helper (qemu-pr-helper) is running
",
        );
    }

    #[test]
    fn inquiry_fails_as_well() {
        let ran = sg_persist("-k /dev/sda")
            .opens(RO)
            .sends(INQUIRY, sense(5, 0x25, 0))
            .run();
        ran.is(
            5,
            "sg_persist: SCSI INQUIRY failed on /dev/sda\n",
            "\
Sense data 5/25/00: Illegal Request, Logical unit not supported
There is no such LUN for this host (any more): check what the array presents to it, and rescan
",
        );
    }

    /// What has been said in words is not said again.
    #[test]
    fn words_come_once() {
        for (options, answer) in [
            ("-nv", sense(5, 0x24, 0)),
            ("-n", sense(4, 0x44, 0)),
            ("-n", sense(6, 0x29, 0)),
            // A deferred error.
            (
                "-n",
                check_condition("71000200 0000000a 00000000 040c0000 0000"),
            ),
        ] {
            let ran = sg_persist(&format!("{options} -k /dev/sda"))
                .reads(READ_KEYS, answer)
                .run();
            assert!(ran.stderr.contains("Sense key: "), "{}", ran.stderr);
            assert!(!ran.stderr.contains("Sense data "), "{}", ran.stderr);
            assert!(!ran.stderr.contains("This path"), "{}", ran.stderr);
        }
        // What to do about it is no repetition.
        let ran = sg_persist("-nv -k /dev/sda")
            .reads(READ_KEYS, sense(2, 4, 0x0c))
            .run();
        assert!(ran.stderr.ends_with("This path is unavailable (ALUA): use another path to the device (multipath -ll lists them)\n"));
    }

    /// A recovered error is none, and a success says nothing.
    #[test]
    fn a_success_is_silent() {
        sg_persist("-n -o -G -S abc123 /dev/sda")
            .changes(REGISTER, REGISTER_LIST, good(""))
            .run()
            .is(0, "", "");
    }

    #[test]
    fn an_overview_that_fails() {
        let ran = sg_persist("--overview /dev/sda")
            .opens(RO)
            .sends(INQUIRY, sense(2, 4, 0x0b))
            .run();
        ran.is(
            12,
            "",
            "\
sg_persist: no overview of /dev/sda:
sg_persist: SCSI INQUIRY failed on /dev/sda
Sense data 2/04/0b: Not Ready, Logical unit not accessible, target port in standby state
This path is in standby (ALUA): use another path to the device (multipath -ll lists them)
",
        );
    }
}
