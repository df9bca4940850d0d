//! What people had to work out by themselves: why a command failed, whether a registration is this
//! nexus' own, when the answer becomes yes.

use crate::common::{
    INQUIRY, READ_FULL_STATUS, READ_KEYS, READ_RESERVATION, RO, RW, Scene, check_condition, errno,
    good, host, sense, sg_persist, status,
};
use sg_persist::pr::transport_id::TransportId;

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
        assert!(ran.stderr.ends_with("This path is unavailable (ALUA, ANA): use another path to the device (multipath -ll lists them)\n"));
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

/// The VPD page with the target port's number.
const DEVICE_IDENTIFICATION: &str = "12018303fc00";
const TARGET_PORT_1: &str = "00830014 01030008 6001020304050607 61940004 00000001";
const TARGET_PORT_2: &str = "00830014 01030008 6001020304050607 61940004 00000002";
const NO_KEYS: &str = "00000002 00000000";
const KEY_B: &str = "00000002 00000008 000000000000000b";
const TWO_KEYS: &str = "00000002 00000010 000000000000000b 000000000000000c";
const NO_RESERVATION: &str = "00000002 00000000";
/// Type 5, of key c.
const HELD: &str = "00000002 00000010 000000000000000c 00000000 00 05 0000";
const CONFLICT: u8 = 0x18;

/// The FCP port that is this host's in these tests.
fn own() -> TransportId {
    TransportId::fcp(0xa)
}

/// Full status: key, target port and FCP port of each registration.
fn full_status(registered: &[(u64, u16, u64)]) -> String {
    let mut text = format!("00000002 {:08x}", registered.len() * 48);
    for (key, target_port, port) in registered {
        text += &format!(
            "{key:016x} 00000000 00 00 00000000 {target_port:04x} 00000018 \
             00000000 00000000 {port:016x} 0000000000000000"
        );
    }
    text
}

mod registered {
    use super::*;

    fn ask(line: &str) -> Scene {
        sg_persist(&format!("{line} /dev/sda")).opens(RO)
    }

    /// With two keys: b of the port 0xa through target port 1, c of another.
    fn two(line: &str) -> Scene {
        ask(line)
            .path_ports(&[own()], true)
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(
                READ_FULL_STATUS,
                good(&full_status(&[(0xb, 1, 0xa), (0xc, 1, 0xb)])),
            )
    }

    #[test]
    fn this_nexus_is_registered() {
        for (line, code) in [
            ("--registered", 0),
            ("--registered=b", 0),
            ("--registered=0x000B", 0),
            // Somebody has it, but not this nexus.
            ("--registered=c", 36),
            ("--registered=d", 36),
        ] {
            two(line)
                .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_1))
                .run()
                .is(code, "", "");
        }
        // The same initiator port through the other target port is another nexus.
        two("--registered")
            .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_2))
            .run()
            .is(36, "", "");
    }

    #[test]
    fn its_key_is_told_with_v() {
        let ran = two("--registered=c -v")
            .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_1))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (36, ""));
        assert!(
            ran.stderr.contains("Registered with key 0xb\n"),
            "{}",
            ran.stderr
        );
    }

    /// What makes no difference is not asked for.
    #[test]
    fn nobody_or_others() {
        ask("--registered")
            .sends(READ_KEYS, good(NO_KEYS))
            .run()
            .is(36, "", "");
        ask("--registered")
            .path_ports(&[own()], true)
            .sends(READ_KEYS, good(KEY_B))
            .sends(READ_FULL_STATUS, good(&full_status(&[(0xb, 1, 0xc)])))
            .run()
            .is(36, "", "");
    }

    #[test]
    fn what_is_not_told_is_neither_yes_nor_no() {
        // The target port.
        two("--registered")
            .sends(DEVICE_IDENTIFICATION, sense(5, 0x24, 0))
            .run()
            .is(
                38,
                "",
                "sg_persist: it cannot be told: this host's initiator port is registered, but which target port this path goes to is not known\n",
            );
        // The initiator port.
        ask("--registered")
            .sends(READ_KEYS, good(KEY_B))
            .sends(READ_FULL_STATUS, good(&full_status(&[(0xb, 1, 0xa)])))
            .run()
            .is(
                38,
                "",
                "sg_persist: it cannot be told: this host's initiator port on the way to the device is not known\n",
            );
        // Full status.
        ask("--registered")
            .path_ports(&[own()], true)
            .sends(READ_KEYS, good(KEY_B))
            .sends(READ_FULL_STATUS, sense(5, 0x20, 0))
            .run()
            .is(
                38,
                "",
                "sg_persist: it cannot be told: the device does not tell whose the registrations are (READ FULL STATUS: not supported)\n",
            );
        // Which of the two is right.
        ask("--registered")
            .path_ports(&[own()], true)
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_FULL_STATUS, good(&full_status(&[(0xb, 1, 0xa)])))
            .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_1))
            .run()
            .is(
                38,
                "",
                "sg_persist: it cannot be told: READ KEYS and READ FULL STATUS list other registrations than each other\n",
            );
    }

    /// On a node of several paths each of them counts, and their target ports are not known.
    #[test]
    fn a_map_is_all_none_or_not_known() {
        let map = |registered: &[(u64, u16, u64)]| {
            let mut keys = format!("00000002 {:08x}", registered.len() * 8);
            for (key, ..) in registered {
                keys += &format!("{key:016x}");
            }
            ask("--registered")
                .path_ports(&[own(), TransportId::fcp(0xb)], false)
                .sends(READ_KEYS, good(&keys))
                .sends(READ_FULL_STATUS, good(&full_status(registered)))
                .run()
                .status
        };
        assert_eq!(map(&[(0xb, 1, 0xc)]), 36);
        assert_eq!(map(&[(0xb, 1, 0xa), (0xb, 1, 0xb)]), 38);
        assert_eq!(map(&[(0xb, 1, 0xa)]), 38);
    }

    #[test]
    fn a_device_that_fails() {
        assert_eq!(
            ask("--registered").sends(READ_KEYS, host(1)).run().status,
            35
        );
        let ran = sg_persist("--registered=xyz /dev/sda").run();
        ran.is(
            1,
            "",
            "bad argument to '--registered' (up to 16 hexadecimal digits)\n",
        );
        assert_eq!(
            sg_persist("--registered --out -C /dev/sda").run().status,
            31
        );
    }

    /// Bytes that the device has left zero name nobody, and no target port.
    #[test]
    fn what_the_device_leaves_zero() {
        ask("--registered")
            .path_ports(&[own()], true)
            .sends(READ_KEYS, good(KEY_B))
            .sends(READ_FULL_STATUS, good(&full_status(&[(0xb, 1, 0)])))
            .run()
            .is(
                38,
                "",
                "sg_persist: it cannot be told: the device does not name the initiator of each registration\n",
            );
        ask("--registered")
            .path_ports(&[own()], true)
            .sends(READ_KEYS, good(KEY_B))
            .sends(READ_FULL_STATUS, good(&full_status(&[(0xb, 0, 0xa)])))
            .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_1))
            .run()
            .is(
                38,
                "",
                "sg_persist: it cannot be told: this host's initiator port is registered, but the device does not tell for which target port\n",
            );
    }

    /// The device names the initiator of a session, and no session.
    #[test]
    fn a_session_that_the_device_does_not_tell() {
        let session = b"iqn.2026-01.lab:a,i,0x00023d000001";
        let name = hex::encode(b"iqn.2026-01.lab:a\0\0\0");
        let list = format!(
            "00000002 00000030 000000000000000b 00000000 00 00 00000000 0001 00000018 \
             05000014 {name}"
        );
        ask("--registered")
            .path_ports(&[TransportId::iscsi(session).unwrap()], true)
            .sends(READ_KEYS, good(KEY_B))
            .sends(READ_FULL_STATUS, good(&list))
            .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_1))
            .run()
            .is(
                38,
                "",
                "sg_persist: it cannot be told: this host's iSCSI initiator is registered, but the device does not tell for which session\n",
            );
    }

    /// What comes of the question for the target port is no failure of the run.
    #[test]
    fn a_target_port_that_is_not_told_for_odd_reasons() {
        for answer in [
            host(1),
            status(0x18),
            errno(libc::EIO),
            good("").residual(5000),
            good(""),
            good("0083ffff"),
            sense(6, 0x29, 0).and_host(1),
        ] {
            let ran = two("--registered")
                .sends(DEVICE_IDENTIFICATION, answer)
                .run();
            ran.is(
                38,
                "",
                "sg_persist: it cannot be told: this host's initiator port is registered, but which target port this path goes to is not known\n",
            );
        }
    }

    #[test]
    fn in_a_document() {
        let ran = two("--registered --json")
            .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_1))
            .run();
        assert_eq!(ran.status, 0);
        assert!(ran.stdout.contains("\"answer\": true"), "{}", ran.stdout);
    }
}

mod questions {
    use super::*;

    /// They change nothing: what was pending is of no matter to the answer.
    #[test]
    fn unit_attentions_are_read_past() {
        let mut scene = sg_persist("--has-key=b /dev/sda").opens(RO);
        for _ in 0..16 {
            scene = scene.sends(READ_KEYS, sense(6, 0x2a, 5));
        }
        scene.sends(READ_KEYS, good(KEY_B)).run().is(0, "", "");

        let ran = sg_persist("--reserved -v /dev/sda")
            .reads(READ_RESERVATION, sense(6, 0x29, 0))
            .sends(READ_RESERVATION, good(NO_RESERVATION))
            .run();
        assert_eq!((ran.status, &ran.stdout[..]), (36, ""));
        assert!(
            ran.stderr
                .contains("Power on, reset, or bus device reset occurred")
        );
        assert!(ran.stderr.contains("it is sent again\n"));
        // Reading as such goes on as it was.
        let ran = sg_persist("-n -k /dev/sda")
            .reads(READ_KEYS, sense(6, 0x29, 0))
            .run();
        assert_eq!(ran.status, 6);
    }

    #[test]
    fn waiting_ends_with_yes() {
        let ran = sg_persist("--has-key=b --wait=60 /dev/sda")
            .reads(READ_KEYS, good(NO_KEYS))
            .reads(READ_KEYS, good(NO_KEYS))
            .reads(READ_KEYS, good(KEY_B))
            .run();
        ran.is(0, "", "");
        assert_eq!(ran.pauses, [100, 200]);
    }

    #[test]
    fn waiting_ends_with_the_time() {
        let mut scene = sg_persist("--reserved --wait=20 /dev/sda");
        for _ in 0..10 {
            scene = scene.reads(READ_RESERVATION, good(NO_RESERVATION));
        }
        let ran = scene.run();
        ran.is(36, "", "");
        assert_eq!(
            ran.pauses,
            [100, 200, 400, 800, 1600, 3200, 5000, 5000, 3700]
        );

        // Time at the device counts as well.
        let ran = sg_persist("--reserved --wait=1 /dev/sda")
            .reads(READ_RESERVATION, good(NO_RESERVATION).after(950))
            .reads(READ_RESERVATION, good(NO_RESERVATION))
            .run();
        ran.is(36, "", "");
        assert_eq!(ran.pauses, [50]);

        let ran = sg_persist("--reserved --wait=0 /dev/sda")
            .reads(READ_RESERVATION, good(NO_RESERVATION))
            .run();
        ran.is(36, "", "");
        assert_eq!(ran.pauses, [0; 0]);
    }

    /// A path that fails over answers later; what is said in between is not said.
    #[test]
    fn what_may_pass_is_waited_out() {
        sg_persist("--reserved --wait=9 /dev/sda")
            .reads(READ_RESERVATION, host(1))
            .reads(READ_RESERVATION, sense(2, 4, 0x0a))
            .reads(READ_RESERVATION, status(0x08))
            .reads(READ_RESERVATION, good(HELD))
            .run()
            .is(0, "", "");
        // The last time it is told.
        sg_persist("--reserved --wait=0 /dev/sda")
            .reads(READ_RESERVATION, host(1))
            .run()
            .is(
                35,
                "",
                "\
Persistent reservation in: transport: Host_status=0x01 [DID_NO_CONNECT]

PR in (Read reservation): Transport error
sg_persist failed: Transport error
",
            );
    }

    #[test]
    fn unit_attentions_without_end_are_waited_out_silently() {
        let mut scene = sg_persist("--reserved --wait=9 --timeout=1 /dev/sda")
            .within_seconds(1)
            .opens(RO);
        for _ in 0..7 {
            scene = scene.sends(READ_RESERVATION, sense(6, 0x29, 0));
        }
        scene
            .reads(READ_RESERVATION, good(HELD))
            .run()
            .is(0, "", "");
    }

    #[test]
    fn what_does_not_pass_ends_it() {
        for (answer, code) in [
            (sense(5, 0x20, 0), 9),
            (sense(5, 0x24, 0), 5),
            (errno(libc::EPERM), 51),
            (good("00000002"), 97),
        ] {
            let ran = sg_persist("-y --reserved --wait=9 /dev/sda")
                .reads(READ_RESERVATION, answer)
                .run();
            assert_eq!((ran.status, ran.pauses.len()), (code, 0), "{}", ran.stderr);
        }
        let ran = sg_persist("--reserved --wait=9 /dev/sda")
            .fails_to_open(RO, libc::ENOENT)
            .run();
        assert_eq!((ran.status, ran.pauses.len()), (52, 0));
    }

    #[test]
    fn waiting_is_told_with_v() {
        let ran = sg_persist("-v --reserved --wait=9 /dev/sda")
            .reads(READ_RESERVATION, good(NO_RESERVATION))
            .reads(READ_RESERVATION, good(HELD))
            .run();
        assert!(
            ran.stderr
                .contains("The answer is no; asking again in 100 ms\n"),
            "{}",
            ran.stderr
        );
    }

    #[test]
    fn waiting_takes_a_question() {
        for line in [
            "--wait=1 -k",
            "--wait=1 -o -C",
            "--wait=1 --overview",
            "--wait=1 --repair -K 1",
            "--wait=1",
        ] {
            let ran = sg_persist(&format!("{line} /dev/sda")).run();
            ran.is(
                31,
                "",
                "--wait needs a question: --has-key, --holder-is, --reserved or --registered\n",
            );
            ran.touched_nothing();
        }
        sg_persist("--wait=1.5 --reserved /dev/sda").run().is(
            1,
            "",
            "bad argument to '--wait' (0 to 4294967 seconds)\n",
        );
    }
}

mod conflicts {
    use super::*;

    const CLEAR: &str = "5f030000000000001800";
    const CLEAR_LIST: &str = "0000000000005eed 0000000000000000 0000000000000000";
    const REGISTER_B: &str = "0000000000000000 000000000000000b 0000000000000000";
    const RESERVE: &str = "5f010500000000001800";
    const LIST_B: &str = "000000000000000b 0000000000000000 0000000000000000";

    /// Keys, reservation and full status, as they are read after the conflict.
    fn looks(scene: Scene, keys: &str, held: &str, registered: &[(u64, u16, u64)]) -> Scene {
        scene
            .sends(READ_KEYS, good(keys))
            .sends(READ_RESERVATION, good(held))
            .sends(READ_FULL_STATUS, good(&full_status(registered)))
    }

    #[test]
    fn a_key_that_nobody_has() {
        let scene = sg_persist("-n -o -C -K 5eed --verify /dev/sda")
            .opens(RW)
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(NO_RESERVATION))
            .sends_out(CLEAR, CLEAR_LIST, status(CONFLICT));
        looks(
            scene,
            TWO_KEYS,
            NO_RESERVATION,
            &[(0xb, 1, 0xb), (0xc, 1, 0xc)],
        )
        .run()
        .is(
            24,
            "",
            "\
PR out (Clear): Reservation conflict
sg_persist failed: Reservation conflict
Why: no registration has key 0x5eed; registered are 0xb, 0xc
",
        );
    }

    #[test]
    fn a_registration_that_is_there() {
        let scene = || {
            sg_persist("-n -o -G -S b --verify /dev/sda")
                .opens(RW)
                .sends(READ_KEYS, good(KEY_B))
                .sends(READ_RESERVATION, good(NO_RESERVATION))
        };
        looks(
            scene().sends_out(REGISTER, REGISTER_B, status(CONFLICT)),
            KEY_B,
            NO_RESERVATION,
            &[(0xb, 1, 0xa)],
        )
        .run()
        .is(
            24,
            "",
            "\
PR out (Register): Reservation conflict
sg_persist failed: Reservation conflict
Why: a REGISTER without --param-rk is refused where this nexus is already registered; the only one registered is 0xb. Give its present key with --param-rk, or use --register-ignore (which key it has is not known: this host's initiator port on the way to the device is not known)
",
        );
        // Where the port is known, it is this nexus' own.
        looks(
            scene().sends_out(REGISTER, REGISTER_B, status(CONFLICT)),
            KEY_B,
            NO_RESERVATION,
            &[(0xb, 1, 0xa)],
        )
        .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_1))
        .path_ports(&[own()], true)
        .run()
        .is(
            24,
            "",
            "\
PR out (Register): Reservation conflict
sg_persist failed: Reservation conflict
Why: this nexus is already registered, with key 0xb: give the present key with --param-rk, or use --register-ignore
",
        );
    }

    fn reserve(line: &str) -> Scene {
        sg_persist(&format!("-n -o -R -T 5 -K b {line} /dev/sda")).changes(
            RESERVE,
            LIST_B,
            status(CONFLICT),
        )
    }

    #[test]
    fn a_reservation_of_another() {
        let registered = [(0xb, 1, 0xa), (0xc, 1, 0xc)];
        looks(reserve("--explain"), TWO_KEYS, HELD, &registered)
            .sends(DEVICE_IDENTIFICATION, good(TARGET_PORT_1))
            .path_ports(&[own()], true)
            .run()
            .is(
                24,
                "",
                "\
PR out (Reserve): Reservation conflict
sg_persist failed: Reservation conflict
Why: there is a reservation already: type 5, Write Exclusive, registrants only, held with key 0xc
",
            );
    }

    #[test]
    fn a_key_of_another() {
        looks(
            reserve("--explain"),
            KEY_B,
            NO_RESERVATION,
            &[(0xb, 1, 0xc)],
        )
        .path_ports(&[own()], true)
        .run()
        .is(
            24,
            "",
            "\
PR out (Reserve): Reservation conflict
sg_persist failed: Reservation conflict
Why: this nexus is not registered
Why: key 0xb is registered by fcp,000000000000000c (target port 1)
",
        );
    }

    /// Nothing is read that was not asked for.
    #[test]
    fn without_the_option_nothing_is_read() {
        reserve("").run().is(
            24,
            "",
            "PR out (Reserve): Reservation conflict\nsg_persist failed: Reservation conflict\n",
        );
        // Neither is it where something else went wrong.
        let ran = sg_persist("-n -o -R -T 5 -K b --explain /dev/sda")
            .changes(RESERVE, LIST_B, status(0x08))
            .run();
        assert_eq!(ran.status, 26);
    }

    #[test]
    fn what_cannot_be_read_changes_no_status() {
        for (answer, why) in [
            (
                sense(2, 4, 0x0c),
                "PR in (Read keys): CHECK CONDITION (Sense data 2/04/0c: Not Ready, Logical unit not accessible, target port in unavailable state)",
            ),
            (status(CONFLICT), "PR in (Read keys): SCSI status 0x18"),
        ] {
            reserve("--explain").sends(READ_KEYS, answer).run().is(
                24,
                "",
                &format!(
                    "PR out (Reserve): Reservation conflict\nsg_persist failed: Reservation conflict\nWhy: not known, since it could not be read: {why}\n"
                ),
            );
        }
    }

    /// What is read past would have been told to the next command.
    #[test]
    fn a_unit_attention_read_past_is_told() {
        let scene = reserve("--explain").sends(READ_KEYS, sense(6, 0x2a, 5));
        let ran = looks(scene, NO_KEYS, NO_RESERVATION, &[]).run();
        ran.is(
            24,
            "",
            "\
PR out (Reserve): Reservation conflict
sg_persist failed: Reservation conflict
Why: no registration has key 0xb; nothing is registered
Why: A unit attention was pending and has been cleared by this: Registrations preempted (2a/05).
",
        );
    }

    #[test]
    fn a_document_has_the_reasons() {
        let ran = looks(reserve("--json"), NO_KEYS, NO_RESERVATION, &[]).run();
        assert_eq!(ran.status, 24);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let explanation = &document["explanation"];
        assert_eq!(
            explanation,
            &serde_json::json!([{
                "reason": "no_such_key",
                "text": "no registration has key 0xb; nothing is registered"
            }])
        );
        // What is read beside it is not what the document is about.
        assert_eq!(document["command"]["cdb"], RESERVE);
        assert_eq!(document["outcome"]["scsi_status"]["i"], 0x18);
    }

    #[test]
    fn it_is_a_change_that_is_explained() {
        for line in ["--explain -k", "--explain"] {
            let ran = sg_persist(&format!("{line} /dev/sda")).run();
            assert_eq!(ran.status, 31);
            assert!(ran.stderr.ends_with(
                "--explain needs --out: it is a change whose reservation conflict is explained\n"
            ));
        }
    }
}

mod mistakes {
    use super::*;

    #[test]
    fn the_nearest_option_is_named() {
        for (word, hint) in [
            ("--all-tg-pt", "Did you mean '--param-alltgpt'? "),
            ("--raed-keys=1", "Did you mean '--read-keys'? "),
            ("--nosuch", ""),
        ] {
            let ran = sg_persist(&format!("{word} /dev/sda")).run();
            ran.is(
                1,
                "",
                &format!(
                    "sg_persist: unrecognized option '{word}'\n{hint}'sg_persist -h' and '-hh' list the options\n"
                ),
            );
            ran.touched_nothing();
        }
    }

    #[test]
    fn a_key_that_is_text_is_refused_with_the_form() {
        for (line, option) in [
            ("-o -G -S APGR0001", "param-sark"),
            ("-o -G -K 11112222333344445", "param-rk"),
            ("--has-key=APGR0001", "has-key"),
        ] {
            let ran = sg_persist(&format!("{line} /dev/sda")).run();
            ran.is(
                1,
                "",
                &format!("bad argument to '--{option}' (up to 16 hexadecimal digits)\n"),
            );
            ran.touched_nothing();
        }
    }
}

mod overviews {
    use super::*;
    use crate::common::{DISK, REPORT_CAPABILITIES, with_data};
    use serde_json::{Value, json};

    /// One document for all devices; each has its own status.
    #[test]
    fn of_several_devices_in_one_document() {
        let ran = sg_persist("--overview --json=k /dev/sda /dev/sdb")
            .own_ports(&[own()])
            .opens(RO)
            .sends(INQUIRY, with_data(DISK))
            .sends(REPORT_CAPABILITIES, sense(5, 0x24, 0))
            .sends(READ_KEYS, sense(6, 0x2a, 3))
            .sends(READ_KEYS, good(TWO_KEYS))
            .sends(READ_RESERVATION, good(HELD))
            .sends(
                READ_FULL_STATUS,
                good(&full_status(&[(0xb, 1, 0xc), (0xc, 1, 0xa)])),
            )
            .device("/dev/sdb")
            .fails_to_open(RO, libc::ENOENT)
            .run();
        assert_eq!(ran.status, 39);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(document["json_format_version"], json!([1, 1]));
        assert_eq!(document["exit_status"]["i"], 39);
        assert!(document["outcome"]["message"].is_string());
        let units = document["overview"].as_array().unwrap();
        assert_eq!(units.len(), 2);
        assert_eq!(units[0]["device"], "/dev/sda");
        assert_eq!(units[0]["reservation_keys"], json!(["0xb", "0xc"]));
        assert_eq!(units[0]["reservation"]["reservation_type"]["i"], 5);
        assert_eq!(units[0]["own_descriptors"], json!([1]));
        assert_eq!(units[0]["capabilities"], Value::Null);
        assert_eq!(units[0]["capabilities_message"], "not supported");
        assert_eq!(
            units[0]["unit_attentions"][0]["additional_sense_code"],
            0x2a
        );
        assert_eq!(units[0]["status"]["i"], 0);
        assert_eq!(units[1]["device"], "/dev/sdb");
        assert_eq!(
            units[1]["message"],
            "sg_persist: error opening file (ro): /dev/sdb: No such file or directory"
        );
        assert_eq!(units[1]["status"]["i"], 52);
    }
}
