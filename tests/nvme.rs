//! NVMe namespaces behind the same command lines: what goes to the controller, byte by byte, and
//! whole runs of two hosts on a model of a namespace.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[allow(unused_imports, reason = "other programs need more of it")]
mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use common::{Written, bytes};
use sg_persist::cli::request::Environment;
use sg_persist::cli::transport_ids::Input;
use sg_persist::clock::SystemClock;
use sg_persist::host_ports::PathPorts;
use sg_persist::nvme::status::NvmeStatus;
use sg_persist::nvme::{self, Direction, Queue};
use sg_persist::run::{World, run};
use sg_persist::transport::nvme::translator::Translator;
use sg_persist::transport::nvme::{NoPath, Passthrough};
use sg_persist::transport::{Access, Data, Node, NodeKind, Open, Transport};

const INQUIRY_LINES: &str = "  NVMe      Model number of   evis\n  Peripheral device type: disk\n";
/// A namespace's block node.
const BLOCK: NodeKind = NodeKind::NvmeBlock { namespace: 3 };

/// Identify Controller: with reservations, and with host identifiers of 128 bits or 64.
fn controller(reservations: bool, extended: bool) -> Vec<u8> {
    let mut data = vec![0; 4096];
    data[24..64].copy_from_slice(b"Model number of forty characters in all!");
    data[64..72].copy_from_slice(b"1.devis ");
    data[78..80].copy_from_slice(&[0x34, 0x12]);
    data[96] = u8::from(extended);
    data[516] = 1;
    data[520] = u8::from(reservations) << 5;
    data
}

/// Identify Namespace with this RESCAP.
fn namespace(capabilities: u8) -> Vec<u8> {
    let mut data = vec![0; 4096];
    data[0] = 1;
    data[31] = capabilities;
    data
}

/// How a run has ended.
#[derive(Debug)]
struct Ran {
    status: u8,
    stdout: String,
    stderr: String,
}

impl Ran {
    #[track_caller]
    fn is(&self, status: u8, stdout: &str, stderr: &str) -> &Self {
        let found = (self.status, &self.stdout[..], &self.stderr[..]);
        assert_eq!(found, (status, stdout, stderr), "{self:#?}");
        self
    }
}

struct NoInput;

impl Input for NoInput {
    fn stdin(&mut self) -> io::Result<Vec<u8>> {
        Err(io::Error::other("closed"))
    }

    fn file(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Runs `sg_persist` with the words of `line` on devices that `open` opens.
fn sg_persist(open: &dyn Open, line: &str) -> Ran {
    let words = std::iter::once("sg_persist").chain(line.split_ascii_whitespace());
    let argv: Vec<OsString> = words.map(OsString::from).collect();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let status = run(World {
        argv: &argv,
        environment: Environment::default(),
        input: &mut NoInput,
        devices: open,
        clock: &SystemClock::default(),
        output: &mut Written::default(),
        own_ports: &|_| Vec::new(),
        path_ports: &|_| PathPorts::default(),
        stdout: &mut stdout,
        stdout_is_terminal: &|| false,
        stderr: &mut stderr,
        stderr_is_terminal: &|| false,
    });
    Ran {
        status: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// One command that has to come next.
#[derive(Clone, Debug)]
struct Step {
    /// Queue, opcode, namespace, dwords 10 and 11.
    command: (Queue, u8, u32, u32, u32),
    /// Its data out, in hex.
    data_out: String,
    answer: Result<(u16, Vec<u8>), i32>,
}

/// A controller that answers by a script and objects to anything else.
#[derive(Clone, Debug)]
struct Scripted {
    steps: Rc<RefCell<VecDeque<Step>>>,
    kind: NodeKind,
}

impl Scripted {
    fn new() -> Self {
        Self {
            steps: Rc::default(),
            kind: BLOCK,
        }
    }

    fn step(
        self,
        command: (Queue, u8, u32, u32, u32),
        data_out: &str,
        answer: Result<(u16, Vec<u8>), i32>,
    ) -> Self {
        let data_out = hex::encode(bytes(data_out));
        self.steps.borrow_mut().push_back(Step {
            command,
            data_out,
            answer,
        });
        self
    }

    /// Identify Controller, answered with this.
    fn identifies(self, data: Vec<u8>) -> Self {
        self.step((Queue::Admin, 6, 0, 1, 0), "", Ok((0, data)))
    }

    /// Identify Controller, answered by one with reservations and host identifiers of 128 bits.
    fn able(self) -> Self {
        self.identifies(controller(true, true))
    }

    /// Identify Namespace with these reservation capabilities.
    fn has(self, capabilities: u8) -> Self {
        self.step(
            (Queue::Admin, 6, 3, 0, 0),
            "",
            Ok((0, namespace(capabilities))),
        )
    }

    /// Reservation Report with room for so many bytes, answered with what the hex spells.
    fn reports(self, extended: u32, room: u32, status: u16, data: &str) -> Self {
        let command = (Queue::Io, 0x0e, 3, room / 4 - 1, extended);
        self.step(command, "", Ok((status, bytes(data))))
    }

    /// Reservation Report in the extended form.
    fn reports_long(self, data: &str) -> Self {
        self.reports(1, 4096, 0, data)
    }

    /// A command with data out.
    fn takes(self, opcode: u8, cdw10: u32, data_out: &str, status: u16) -> Self {
        let command = (Queue::Io, opcode, 3, cdw10, 0);
        self.step(command, data_out, Ok((status, Vec::new())))
    }

    /// Get Features for the host identifier, of 128 or 64 bits.
    fn tells_host(self, extended: u32, identifier: &str) -> Self {
        let command = (Queue::Admin, 0x0a, 0, 0x81, extended);
        self.step(command, "", Ok((0, bytes(identifier))))
    }

    /// Runs the program without INQUIRY, and ends the script.
    #[track_caller]
    fn runs(&self, line: &str) -> Ran {
        let ran = sg_persist(self, &format!("-n {line} /dev/nvme0n3"));
        let left = self.steps.borrow();
        assert!(left.is_empty(), "never came to it: {left:#?}\n{ran:#?}");
        ran
    }
}

impl Open for Scripted {
    fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
        let node = Node {
            kind: self.kind,
            bsg_major: None,
        };
        Ok(Box::new(Translator::new(self.clone(), node, device)))
    }
}

impl Passthrough for Scripted {
    fn send(
        &mut self,
        command: &nvme::Command,
        data: Data<'_>,
        timeout: Duration,
    ) -> io::Result<NvmeStatus> {
        assert_eq!(timeout, Duration::from_secs(60));
        assert_eq!(data.len(), command.data_length());
        let step = self.steps.borrow_mut().pop_front();
        let step = step.unwrap_or_else(|| panic!("{command} was sent and nothing was to come"));
        let fields = (
            command.queue(),
            command.opcode(),
            command.nsid(),
            command.cdw10(),
            command.cdw11(),
        );
        assert_eq!(fields, step.command, "{command}");
        let (status, answer) = step.answer.map_err(io::Error::from_raw_os_error)?;
        match data {
            Data::In(buffer) => {
                assert_eq!(command.direction(), Direction::In);
                assert_eq!(step.data_out, "");
                let length = answer.len().min(buffer.len());
                buffer[..length].copy_from_slice(&answer[..length]);
            }
            Data::Out(list) => {
                assert_eq!(command.direction(), Direction::Out);
                assert_eq!(hex::encode(list), step.data_out);
            }
            Data::None => panic!("{command} without data"),
        }
        Ok(NvmeStatus(status))
    }
}

/// The report of Linux's target about two hosts, one of which holds a reservation of type 3: Write
/// Exclusive for registrants only.
const TWO_HOSTS: &str = "
    02000000 03 0200 0000 00 000000000000 00000000000000000000000000000000
    00000000000000000000000000000000 00000000000000000000000000000000
    ffff 01 0000000000 23c1ab0000000000 aaaaaaaa000040008000000000000001
    00000000000000000000000000000000 00000000000000000000000000000000
    ffff 00 0000000000 bc3a120000000000 bbbbbbbb000040008000000000000002
    00000000000000000000000000000000 00000000000000000000000000000000";

/// A report in the extended form: generation 7, a reservation of `held` (0: none), and these
/// controllers, statuses and keys.
fn long_report(held: u8, registrants: &[(u16, u8, u64)]) -> String {
    let count = u16::try_from(registrants.len()).unwrap();
    let mut data = vec![7, 0, 0, 0, held];
    data.extend(count.to_le_bytes());
    data.resize(64, 0);
    for &(controller, status, key) in registrants {
        let end = data.len() + 64;
        data.extend(controller.to_le_bytes());
        data.extend([status, 0, 0, 0, 0, 0]);
        data.extend(key.to_le_bytes());
        data.extend([0xaa; 16]);
        data.resize(end, 0);
    }
    hex::encode(data)
}

/// A report in the short form, of two hosts.
const TWO_HOSTS_SHORT: &str = "
    09000000 06 0200 0000 01 0000000000000000000000000000
    0100 01 0000000000 0102030405060780 23c1ab0000000000
    0200 01 0000000000 1112131415161790 bc3a120000000000";

mod reading {
    use super::*;

    #[test]
    fn keys() {
        let ran = Scripted::new().able().reports_long(TWO_HOSTS).runs("-k");
        ran.is(
            0,
            "  PR generation=0x2, 2 registered reservation keys follow:\n    0xabc123\n    0x123abc\n",
            "",
        );
        let ran = Scripted::new()
            .able()
            .reports_long(&long_report(0, &[]))
            .runs("-k");
        ran.is(
            0,
            "  PR generation=0x7, there are NO registered reservation keys\n",
            "",
        );
    }

    #[test]
    fn the_reservation() {
        let ran = Scripted::new().able().reports_long(TWO_HOSTS).runs("-r");
        ran.is(
            0,
            "  PR generation=0x2, Reservation follows:\n    Key=0xabc123\n    \
             scope: LU_SCOPE,  type: Write Exclusive, registrants only\n",
            "",
        );
        let none = long_report(0, &[(1, 0, 5)]);
        let ran = Scripted::new().able().reports_long(&none).runs("-r");
        ran.is(0, "  PR generation=0x7, there is NO reservation held\n", "");
    }

    #[test]
    fn each_type_has_its_counterpart() {
        for (nvme, scsi, key) in [
            (1, "Write Exclusive", "0x5"),
            (2, "Exclusive Access", "0x5"),
            (3, "Write Exclusive, registrants only", "0x5"),
            (4, "Exclusive Access, registrants only", "0x5"),
            (5, "Write Exclusive, all registrants", "0x0"),
            (6, "Exclusive Access, all registrants", "0x0"),
        ] {
            let report = long_report(nvme, &[(1, 0, 4), (2, 1, 5)]);
            let ran = Scripted::new().able().reports_long(&report).runs("-r");
            let expected = format!(
                "  PR generation=0x7, Reservation follows:\n    Key={key}\n    \
                 scope: LU_SCOPE,  type: {scsi}\n"
            );
            ran.is(0, &expected, "");
        }
    }

    #[test]
    fn full_status() {
        let ran = Scripted::new().able().reports_long(TWO_HOSTS).runs("-s");
        ran.is(
            0,
            "  PR generation=0x2
    Key=0xabc123
      All target ports bit set
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        NVMe host identifier: aaaaaaaa-0000-4000-8000-000000000001
    Key=0x123abc
      All target ports bit set
      not reservation holder
      Transport Id of initiator:
        NVMe host identifier: bbbbbbbb-0000-4000-8000-000000000002
",
            "",
        );
    }

    #[test]
    fn all_registrants_are_holders_and_host_identifiers_may_have_64_bits() {
        let ran = Scripted::new()
            .identifies(controller(true, false))
            .reports(0, 4096, 0, TWO_HOSTS_SHORT)
            .runs("-s");
        ran.is(
            0,
            "  PR generation=0x9
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Exclusive Access, all registrants
      Transport Id of initiator:
        NVMe host identifier: 0x8007060504030201
    Key=0x123abc
      All target ports bit clear
      Relative port address: 0x2
      << Reservation holder >>
      scope: LU_SCOPE,  type: Exclusive Access, all registrants
      Transport Id of initiator:
        NVMe host identifier: 0x9017161514131211
",
            "",
        );
    }

    #[test]
    fn hex_shows_the_parameter_data() {
        let ran = Scripted::new().able().reports_long(TWO_HOSTS).runs("-r -H");
        ran.is(
            0,
            "  PR generation=0x2, Additional length=16\n \
             00     00 00 00 00 00 ab c1 23  00 00 00 00 00 05 00 00\n",
            "",
        );
    }

    #[test]
    fn a_list_longer_than_its_room_is_cut_there() {
        let ran = Scripted::new()
            .able()
            .reports_long(TWO_HOSTS)
            .runs("-k -l 10");
        assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
        assert!(
            ran.stderr
                .contains("the response takes 24 bytes, only 16 came"),
            "{ran:?}"
        );
    }

    /// As the program has it beside the buffer: the beginning in the buffer, all of it beside.
    #[test]
    fn the_whole_answer_comes_beside_what_the_command_has_room_for() {
        use sg_persist::pr::prin::ServiceAction;
        use sg_persist::transport::Command;

        let scripted = Scripted::new()
            .able()
            .reports_long(TWO_HOSTS)
            .reports_long(TWO_HOSTS)
            .reports_long(TWO_HOSTS)
            .reports_long(TWO_HOSTS);
        let mut transport = scripted
            .open(Path::new("/dev/nvme0n3"), Access::ReadOnly)
            .unwrap();
        let whole = bytes("00000002 00000010 0000000000abc123 0000000000123abc");
        // Room in the command, room in the buffer, and what comes.
        for (room, length, came) in [(24, 24, 24), (23, 23, 23), (8, 24, 8), (24, 10, 10)] {
            let mut buffer = vec![0xee; length];
            let completion = transport
                .execute(Command {
                    cdb: ServiceAction::ReadKeys.cdb(room),
                    data: Data::In(&mut buffer),
                    timeout: Duration::from_secs(60),
                })
                .unwrap();
            assert!(completion.check().is_ok());
            assert_eq!(completion.transferred(length).unwrap(), came);
            assert_eq!(buffer[..came], whole[..came]);
            assert!(buffer[came..].iter().all(|&byte| byte == 0xee));
            let found = completion.translation.whole_answer;
            assert_eq!(found.as_ref(), Some(&whole), "{room} {length}");
        }
    }

    /// Only the form of SCSI ends at 65535 bytes: 8190 keys, 1365 full status descriptors.
    #[test]
    fn answers_longer_than_scsi_can_ask_for_are_whole() {
        use sg_persist::logical_unit::LogicalUnit;

        // 1354 descriptors end so near the room of the first attempt that others would be asked again.
        for count in [1354, 1365, 1366, 8190, 8191, 65535_u16] {
            let registrants: Vec<_> = (0..count)
                .map(|number| (number, 0, 0x1_0000 + u64::from(number)))
                .collect();
            let report = bytes(&long_report(0, &registrants));
            let scripted = || {
                let room = u32::try_from(64 + 64 * (usize::from(count) + 1)).unwrap();
                let command = |room: u32| (Queue::Io, 0x0e, 3, room / 4 - 1, 1);
                Scripted::new()
                    .able()
                    .step(command(4096), "", Ok((0, report[..4096].to_vec())))
                    .step(command(room), "", Ok((0, report.clone())))
            };
            let last = format!("\n    0x{:x}\n", 0x1_0000 + u32::from(count) - 1);
            let ran = scripted().runs("-k");
            assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
            assert_eq!(ran.stdout.lines().count(), usize::from(count) + 1);
            assert!(ran.stdout.ends_with(&last));
            let ran = scripted().runs(&format!("--has-key={}", &last.trim()[2..]));
            ran.is(0, "", "");
            let ran = scripted().runs("-s");
            assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
            assert_eq!(ran.stdout.matches("    Key=0x").count(), usize::from(count));
            // A room that was asked for is kept to.
            let ran = scripted().runs("-k -l 10");
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
            let unit = || {
                let opened = scripted().open(Path::new("/dev/nvme0n3"), Access::ReadOnly);
                LogicalUnit::new(opened.unwrap())
            };
            let found = unit().read_keys().unwrap();
            assert_eq!(found.keys.len(), usize::from(count));
            let found = unit().read_full_status().unwrap();
            assert_eq!(found.descriptors.len(), usize::from(count));
        }
    }

    #[test]
    fn reports_longer_than_one_buffer_are_read_whole() {
        let registrants: Vec<_> = (0..200)
            .map(|key| (key, 0, 0x1000 + u64::from(key)))
            .collect();
        let whole = long_report(0, &registrants);
        // One more came in between the first and the second.
        let fewer = long_report(0, &registrants[..199]);
        let ran = Scripted::new()
            .able()
            .reports_long(&fewer)
            .reports(1, 64 + 200 * 64, 0, &whole)
            .reports(1, 2 * (64 + 200 * 64), 0, &whole)
            .runs("-k");
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert_eq!(ran.stdout.lines().count(), 201);
        assert!(ran.stdout.ends_with("\n    0x10c7\n"));
    }

    #[test]
    fn a_report_that_keeps_growing_is_no_answer() {
        let mut scripted = Scripted::new().able();
        let mut room = 4096;
        for count in [100, 102, 104, 106, 108] {
            let registrants: Vec<_> = (1..=count).map(|key| (key, 0, u64::from(key))).collect();
            scripted = scripted.reports(1, room, 0, &long_report(0, &registrants));
            room = 64 + 64 * u32::from(count + 1);
        }
        scripted.runs("-k").is(
            97,
            "",
            "Persistent reservation in: the reservation report kept growing while it was read: it \
             takes 6976 bytes now, for 108 registered controllers
PR in (Read keys): Malformed SCSI command response
sg_persist failed: Malformed SCSI command response
",
        );
    }

    #[test]
    fn a_report_too_long_for_the_kernel_is_no_answer() {
        let long = "07000000 00 ffff 0000 00 00";
        let command = (Queue::Io, 0x0e, 3, (64 + 65536 * 64) / 4 - 1, 1);
        let ran = Scripted::new()
            .able()
            .reports_long(long)
            .step(command, "", Err(libc::EINVAL))
            .runs("-k");
        assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
        assert!(
            ran.stderr.starts_with(
                "Persistent reservation in: the reservation report names 65535 registered \
                 controllers and takes 4194304 bytes; no command for 4194368 bytes is taken\n"
            ),
            "{ran:?}"
        );
    }

    /// The report of `all` controllers, of which a controller counts as many as fit.
    fn shortened(scripted: Scripted, all: u16, rooms: &[u32]) -> Scripted {
        rooms.iter().fold(scripted, |scripted, &room| {
            let fit = u16::try_from((room - 64) / 64).unwrap();
            let registrants: Vec<_> = (1..=all.min(fit))
                .map(|key| (key, 0, u64::from(key)))
                .collect();
            scripted.reports(1, room, 0, &long_report(0, &registrants))
        })
    }

    #[test]
    fn a_report_that_fills_its_room_is_read_with_more() {
        // 63 registered controllers fill the room exactly.
        for (all, rooms) in [
            (62, &[4096][..]),
            (63, &[4096, 8192]),
            (64, &[4096, 8192]),
            (300, &[4096, 8192, 16384, 32768]),
        ] {
            let ran = shortened(Scripted::new().able(), all, rooms).runs("-k");
            assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
            assert_eq!(ran.stdout.lines().count(), usize::from(all) + 1);
        }
        // In the short form a descriptor takes less than the room that has to be left.
        let mut fills = bytes("07000000 00 a700");
        fills.resize(24, 0);
        (1..=167_u8).for_each(|key| {
            fills.extend([1, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0, 0, 0, 0, 0, 0, 1]);
            fills.extend(u64::from(key).to_le_bytes());
        });
        assert_eq!(fills.len(), 4032);
        for (count, rooms) in [(167_u8, &[4096][..]), (168, &[4096, 8192])] {
            let mut report = fills.clone();
            report[5] = count;
            (167..count).for_each(|key| {
                report.extend([1, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0, 0, 0, 0, 0, 0, 1]);
                report.extend(u64::from(key).to_le_bytes());
            });
            let scripted = Scripted::new().identifies(controller(true, false));
            let ran = rooms
                .iter()
                .fold(scripted, |scripted, &room| {
                    scripted.reports(0, room, 0, &hex::encode(&report))
                })
                .runs("-k");
            assert_eq!(ran.status, 0);
        }
    }

    #[test]
    fn a_report_that_may_be_cut_is_no_answer() {
        let refused = [
            Err(libc::EINVAL),
            Err(libc::ENOMEM),
            Err(libc::E2BIG),
            Ok((0x4002, Vec::new())),
        ];
        for refusal in refused {
            for option in [
                "-k",
                "-r",
                "-s",
                "--has-key=1",
                "--has-key=ffff",
                "--reserved",
            ] {
                let ran = shortened(Scripted::new().able(), 1000, &[4096, 8192])
                    .step((Queue::Io, 0x0e, 3, 4095, 1), "", refusal.clone())
                    .runs(option);
                assert_eq!((ran.status, &ran.stdout[..]), (97, ""), "{ran:?}");
                assert!(
                    ran.stderr.starts_with(
                        "Persistent reservation in: the reservation report names 127 registered \
                         controllers and takes 8192 bytes, for which there were 8192, so it may be \
                         cut; no command for 16384 bytes is taken\n"
                    ),
                    "{ran:?}"
                );
            }
        }
        // More registered controllers than can be counted.
        let mut rooms: Vec<u32> = (12..=22).map(|power| 1 << power).collect();
        let last = 4_194_368;
        let counted = |count: u16| {
            let registrants: Vec<_> = (0..count).map(|key| (key, 0, 1)).collect();
            long_report(0, &registrants)
        };
        let fills = counted(65535);
        rooms.pop();
        let ran = shortened(Scripted::new().able(), 65535, &rooms)
            .reports(1, 1 << 22, 0, &fills)
            .reports(1, last, 0, &fills)
            .runs("--reserved");
        ran.is(36, "", "");
    }

    #[test]
    fn what_was_not_written_is_no_report() {
        let all = hex::encode([0xff; 64]);
        for report in ["", all.as_str()] {
            let ran = Scripted::new().able().reports_long(report).runs("-k");
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
            assert!(ran.stderr.contains("no reservation report came\n"));
        }
        // A report cut short by the controller or by a network.
        let whole = bytes(TWO_HOSTS);
        for end in 64..whole.len() {
            let cut = hex::encode(&whole[..end]);
            let mut scripted = Scripted::new().able().reports_long(&cut);
            // More came of the last one than its ffff: only another look tells whether all of it did.
            if end > 130 {
                scripted = scripted.reports_long(&cut);
            }
            let ran = scripted.runs("-k");
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""), "{end}");
            let reason = match end {
                ..=130 => "is missing in the reservation report\n",
                _ => {
                    "the data of Reservation Report came in part only, or changed while it was read\n"
                }
            };
            assert!(ran.stderr.contains(reason), "{end} {ran:?}");
        }
        let zeros = format!("{}{}", &hex::encode(&whole)[..256], "00".repeat(64));
        let ran = Scripted::new().able().reports_long(&zeros).runs("-k");
        assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
        assert!(
            ran.stderr
                .contains("registered controller 2 is missing in the reservation report")
        );
    }

    #[test]
    fn the_last_byte_may_have_all_bits_set() {
        let report = TWO_HOSTS_SHORT.replace("bc3a120000000000", "bc3a1200000000ff");
        let ran = Scripted::new()
            .identifies(controller(true, false))
            .reports(0, 4096, 0, &report)
            .reports(0, 4096, 0, &report)
            .runs("-k");
        ran.is(
            0,
            "  PR generation=0x9, 2 registered reservation keys follow:\n    0xabc123\n    \
             0xff00000000123abc\n",
            "",
        );
        let ran = Scripted::new()
            .identifies(controller(true, false))
            .reports(0, 4096, 0, &report)
            .reports(0, 4096, 0x4006, "")
            .runs("-k");
        assert_eq!((ran.status, &ran.stdout[..]), (3, ""));
    }

    #[test]
    fn the_form_is_the_one_that_the_controller_has() {
        for status in [0x6018, 0x4002] {
            let ran = Scripted::new()
                .able()
                .reports(1, 4096, status, "")
                .reports(0, 4096, 0, TWO_HOSTS_SHORT)
                .runs("--has-key=abc123");
            ran.is(0, "", "");
            let ran = Scripted::new()
                .identifies(controller(true, false))
                .reports(0, 4096, status, "")
                .reports(1, 4096, 0, TWO_HOSTS)
                .runs("--has-key=abc123");
            ran.is(0, "", "");
        }
        Scripted::new()
            .able()
            .reports(1, 4096, 0x4018, "")
            .reports(0, 4096, 0x4018, "")
            .runs("-k")
            .is(
                5,
                "",
                "Persistent reservation in: Reservation Report ended with NVMe status 0x18 (Host \
                 identifier inconsistent format)
PR in (Read keys): bad field in cdb or parameter list (perhaps unsupported service action)
sg_persist failed: Illegal request
",
            );
    }

    /// The one whose entries are gone may be the very host that is to be fenced.
    #[test]
    fn a_reservation_of_a_holder_that_is_not_listed_is_told() {
        for (nvme, scsi, name) in [
            (1, 1, "Write Exclusive"),
            (2, 3, "Exclusive Access"),
            (3, 5, "Write Exclusive, registrants only"),
            (4, 6, "Exclusive Access, registrants only"),
            (5, 7, "Write Exclusive, all registrants"),
            (6, 8, "Exclusive Access, all registrants"),
        ] {
            let listed = match nvme {
                5 | 6 => &[][..],
                _ => &[(1, 0, 5)],
            };
            let report = long_report(nvme, listed);
            let runs = |line: &str| Scripted::new().able().reports_long(&report).runs(line);
            let reservation = format!(
                "  PR generation=0x7, Reservation follows:\n    Key=0x0\n    \
                 scope: LU_SCOPE,  type: {name}\n"
            );
            runs("-r").is(0, &reservation, "");
            runs("--reserved").is(0, "", "");
            runs(&format!("--reserved={scsi}")).is(0, "", "");
            runs("--reserved=2").is(36, "", "");
            runs("--has-key=6").is(36, "", "");
            assert_eq!(runs("-k").status, 0);
            if listed.is_empty() {
                runs("-s").is(0, "  PR generation=0x7\n  No full status descriptors\n", "");
                continue;
            }
            runs("--has-key=5").is(0, "", "");
            for key in [0, 5, 6] {
                runs(&format!("--holder-is={key}")).is(36, "", "");
            }
            let status = runs("-s");
            assert_eq!((status.status, &status.stderr[..]), (0, ""));
            assert!(status.stdout.contains("    Key=0x5\n"), "{status:?}");
            assert!(status.stdout.contains("      not reservation holder\n"));
        }
    }

    #[test]
    fn contradictions_are_no_answers() {
        let several = "the reservation report names several holders of a reservation that has one";
        for (held, registrants, reason) in [
            (
                0,
                &[(1, 1, 5)][..],
                "the reservation report names a holder and no reservation",
            ),
            (1, &[(1, 1, 5), (2, 1, 6)], several),
            (
                9,
                &[(1, 1, 5)],
                "the reservation report names reservation type 0x9, which is not defined",
            ),
        ] {
            let report = long_report(held, registrants);
            let runs = |line: &str| Scripted::new().able().reports_long(&report).runs(line);
            for (option, name) in [
                ("-r", "Read reservation"),
                ("-s", "Read full status"),
                ("--reserved", "Read reservation"),
                ("--holder-is=5", "Read reservation"),
            ] {
                if (option, reason) == ("-s", several) {
                    continue;
                }
                let expected = format!(
                    "Persistent reservation in: {reason}
PR in ({name}): Malformed SCSI command response
sg_persist failed: Malformed SCSI command response
"
                );
                runs(option).is(97, "", &expected);
            }
            // The keys are there all the same.
            assert_eq!(runs("-k").status, 0);
            runs("--has-key=5").is(0, "", "");
            runs("--has-key=7").is(36, "", "");
        }
        // Full status tells of each host by itself.
        let report = long_report(1, &[(1, 1, 5), (2, 1, 6)]);
        let ran = Scripted::new().able().reports_long(&report).runs("-s");
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert_eq!(ran.stdout.matches("<< Reservation holder >>").count(), 2);
        // One host through two controllers is one holder.
        let report = long_report(1, &[(1, 1, 5), (2, 1, 5)]);
        let ran = Scripted::new()
            .able()
            .reports_long(&report)
            .runs("--holder-is=5");
        ran.is(0, "", "");
    }

    #[test]
    fn capabilities() {
        let ran = Scripted::new().able().has(0xfe).runs("-c");
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        for line in [
            "Specify Initiator Ports Capable(SIP_C): 0",
            "All Target Ports Capable(ATP_C): 1",
            "Persist Through Power Loss Capable(PTPL_C): 0",
            "Persist Through Power Loss Active(PTPL_A): 0",
            "Type Mask Valid(TMV): 1",
        ] {
            assert!(ran.stdout.contains(line), "{line}\n{}", ran.stdout);
        }
        let types = |text: &str| {
            text.lines()
                .filter(|line| line.starts_with("      "))
                .count()
        };
        assert_eq!(types(&ran.stdout), 6);
        assert_eq!(ran.stdout.matches(": 1\n").count(), 8);
        // PTPL, Exclusive Access, and Write Exclusive for all registrants.
        for (active, shown) in [(1, 1), (0, 0), (2, 0)] {
            let report = format!("07000000 00 0000 0000 {active:02x} {}", "00".repeat(54));
            let ran = Scripted::new()
                .able()
                .has(0x25)
                .reports_long(&report)
                .runs("-c");
            assert_eq!(ran.status, 0, "{ran:?}");
            for line in [
                "Power Loss Capable(PTPL_C): 1\n",
                &format!("Power Loss Active(PTPL_A): {shown}\n"),
                "      Write Exclusive, all registrants: 1\n",
                "      Exclusive Access, registrants only: 0\n",
                "      Write Exclusive, registrants only: 0\n",
                "      Exclusive Access: 1\n",
                "      Write Exclusive: 0\n",
                "      Exclusive Access, all registrants: 0\n",
            ] {
                assert!(ran.stdout.contains(line), "{line}{}", ran.stdout);
            }
        }
    }

    #[test]
    fn inquiry_is_made_of_identify_controller() {
        let scripted = Scripted::new().able().reports_long(TWO_HOSTS);
        let ran = sg_persist(&scripted, "-k /dev/nvme0n3");
        assert_eq!(ran.status, 0);
        assert!(ran.stdout.starts_with(INQUIRY_LINES), "{ran:?}");
        let mut short = controller(true, true);
        short[64..72].copy_from_slice(b"7       ");
        let scripted = Scripted::new().identifies(short).reports_long(TWO_HOSTS);
        let ran = sg_persist(&scripted, "-k /dev/nvme0n3");
        assert!(
            ran.stdout
                .starts_with("  NVMe      Model number of   7   \n"),
            "{ran:?}"
        );
    }

    #[test]
    fn identify_data_of_zeros_is_none() {
        let scripted = Scripted::new().identifies(vec![0; 4096]);
        let ran = sg_persist(&scripted, "-k /dev/nvme0n3");
        ran.is(
            97,
            "sg_persist: SCSI INQUIRY failed on /dev/nvme0n3\n",
            "inquiry: Identify Controller brought nothing but zeros\n",
        );
    }

    /// A buffer that was not written, or not as far as it counts, must not tell that there are no
    /// reservations, or all kinds of them.
    #[test]
    fn what_was_not_written_is_no_identify_data() {
        let in_part = |name: &str| {
            format!(
                "Persistent reservation in: the data of {name} came in part only, or changed while \
                 it was read
PR in (Report capabilities): Malformed SCSI command response
sg_persist failed: Malformed SCSI command response
"
            )
        };
        for end in [0, 1, 72, 97, 520, 521] {
            let cut = controller(true, true)[..end].to_vec();
            let ran = Scripted::new()
                .identifies(cut.clone())
                .identifies(cut)
                .runs("-c");
            ran.is(97, "", &in_part("Identify Controller"));
        }
        let command = (Queue::Admin, 6, 3, 0, 0);
        for end in [0, 1, 31] {
            let cut = namespace(0xff)[..end].to_vec();
            let ran = Scripted::new()
                .able()
                .step(command, "", Ok((0, cut.clone())))
                .step(command, "", Ok((0, cut)))
                .runs("-c");
            ran.is(97, "", &in_part("Identify Namespace"));
        }
        // What is not looked at may be missing.
        let ran = Scripted::new()
            .identifies(controller(true, true)[..522].to_vec())
            .identifies(controller(true, true)[..522].to_vec())
            .step(command, "", Ok((0, namespace(0xfe)[..32].to_vec())))
            .step(command, "", Ok((0, namespace(0xfe)[..32].to_vec())))
            .runs("-c");
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        // Vendors may fill the rest as they like.
        let mut full = controller(true, true);
        full[3072..].fill(0xff);
        let ran = Scripted::new()
            .identifies(full.clone())
            .identifies(full)
            .reports_long(TWO_HOSTS)
            .runs("--has-key=abc123");
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
    }
}

mod changing {
    use super::*;

    const A: &str = "0a00000000000000";
    const B: &str = "0b00000000000000";
    const NONE: &str = "0000000000000000";

    /// A namespace that supports all but persisting through a power loss.
    fn able() -> Scripted {
        Scripted::new().able()
    }

    #[test]
    fn register_is_one_of_three_actions() {
        for (options, action, keys) in [
            ("-o -G -S b", 0, [NONE, B]),
            ("-o -G -K a -S b", 2, [A, B]),
            ("-o -G -K a", 1, [A, NONE]),
            ("-o -G -K a -S a", 2, [A, A]),
            // A type and "all target ports" are accepted.
            ("-o -G -S b -T 5 -Y", 0, [NONE, B]),
        ] {
            let ran = able()
                .has(0xfe)
                .takes(0x0d, action, &keys.concat(), 0)
                .runs(options);
            ran.is(0, "", "");
            let ran = able()
                .has(0xfe)
                .takes(0x0d, action, &keys.concat(), 0x4083)
                .runs(options);
            ran.is(
                24,
                "",
                "PR out (Register): Reservation conflict\nsg_persist failed: Reservation conflict\n",
            );
        }
    }

    #[test]
    fn persisting_is_changed_where_the_namespace_can_persist() {
        // Only where that is asked for: what persists is the namespace's, not this host's.
        for (options, action, keys) in [
            ("-G -S b", 0, [NONE, B]),
            ("-G -K a -S b", 2, [A, B]),
            ("-G -K a", 1, [A, NONE]),
            ("-I -S b", 0, [NONE, B]),
            ("-I", 1 << 3 | 1, [NONE, NONE]),
        ] {
            let keys = keys.concat();
            let scripted = able().has(0xff).takes(0x0d, action, &keys, 0);
            scripted.runs(&format!("-o {options}")).is(0, "", "");
            let scripted = able()
                .has(0xff)
                .takes(0x0d, 3 << 30 | action, &keys, 0)
                .reports_long(PERSISTS);
            scripted.runs(&format!("-o {options} -Z")).is(0, "", "");
        }
        // Nothing is sent where it cannot.
        for (options, name) in [
            ("-o -G -S b -Z", "Register"),
            ("-o -I -S b -Z", "Register and ignore existing key"),
        ] {
            let ran = able().has(0xfe).runs(options);
            let expected = format!(
                "Persistent reservation out: the namespace cannot keep registrations through a \
                 power loss (bit 0 of RESCAP is 0)
PR out ({name}): bad field parameter list
sg_persist failed: Illegal request, Invalid field in parameter list
"
            );
            ran.is(19, "", &expected);
        }
    }

    /// Reports of one host, which persist through a power loss and which do not.
    const PERSISTS: &str = "
        07000000 00 0100 0000 01 000000000000 00000000000000000000000000000000
        00000000000000000000000000000000 00000000000000000000000000000000
        0100 00 0000000000 0b00000000000000 aaaaaaaa000040008000000000000001
        00000000000000000000000000000000 00000000000000000000000000000000";
    const ENDS: &str = "
        07000000 00 0100 0000 00 000000000000 00000000000000000000000000000000
        00000000000000000000000000000000 00000000000000000000000000000000
        0100 00 0000000000 0b00000000000000 aaaaaaaa000040008000000000000001
        00000000000000000000000000000000 00000000000000000000000000000000";

    /// A host that registers its key again is told that it is done, and nothing is.
    #[test]
    fn persisting_is_there_afterwards_or_the_change_has_failed() {
        let (first, again) = ([NONE, B].concat(), [B, B].concat());
        for (option, name) in [
            ("-G", "Register"),
            ("-I", "Register and ignore existing key"),
        ] {
            let once = || {
                able()
                    .has(0xff)
                    .takes(0x0d, 3 << 30, &first, 0)
                    .reports_long(ENDS)
            };
            let line = format!("-o {option} -S b -Z");
            let replace = 3 << 30 | 2;
            let ran = once()
                .takes(0x0d, replace, &again, 0)
                .reports_long(PERSISTS)
                .runs(&line);
            ran.is(0, "", "");
            let ran = once()
                .takes(0x0d, replace, &again, 0)
                .reports_long(ENDS)
                .runs(&line);
            let expected = format!(
                "Persistent reservation out: the keys are as asked for, but registrations and \
                 reservation do not persist through a power loss (PTPLS is 0)
PR out ({name}): Accepted, but the effect is not there
sg_persist failed: Accepted, but the effect is not there
"
            );
            ran.is(37, "", &expected);
            // The key went in, and what came after it is not known.
            let unknown = format!(
                "PR out ({name}): Accepted, but the effect could not be verified
sg_persist failed: Accepted, but the effect could not be verified
"
            );
            for (status, told) in [
                (
                    0x4083,
                    "Reservation Register ended with NVMe status 0x83 (Reservation conflict)",
                ),
                (
                    0x0370,
                    "Reservation Register ended with NVMe status 0x370 (Host pathing error)",
                ),
            ] {
                let ran = once().takes(0x0d, replace, &again, status).runs(&line);
                let expected = format!(
                    "Persistent reservation out: whether registrations and reservation persist \
                     through a power loss is not known: {told}\n{unknown}"
                );
                ran.is(38, "", &expected);
            }
            let ran = able()
                .has(0xff)
                .takes(0x0d, 3 << 30, &first, 0)
                .step((Queue::Io, 0x0e, 3, 1023, 1), "", Err(libc::EINTR))
                .runs(&line);
            let expected = format!(
                "Persistent reservation out: whether registrations and reservation persist through \
                 a power loss is not known: the kernel gave Reservation Report up: it took too \
                 long, or the controller was reset\n{unknown}"
            );
            ran.is(38, "", &expected);
        }
        // Replacing a key and unregistering are never nothing: they are not sent again.
        for (options, action, keys) in [
            ("-G -K a -S b", 2, [A, B]),
            ("-G -K a", 1, [A, NONE]),
            ("-I", 1 << 3 | 1, [NONE, NONE]),
        ] {
            let ran = able()
                .has(0xff)
                .takes(0x0d, 3 << 30 | action, &keys.concat(), 0)
                .reports_long(ENDS)
                .runs(&format!("-o {options} -Z"));
            assert_eq!((ran.status, &ran.stdout[..]), (37, ""), "{ran:?}");
        }
        // Nor is unregistering where nobody is registered: there is nothing to send it with.
        let stranger = "cccccccc000040008000000000000003";
        let told = "this host is not registered, so nothing was changed, and registrations and \
                    reservation do not persist through a power loss (PTPLS is 0)";
        for (report, status) in [(ENDS, 37), (PERSISTS, 0)] {
            let no_key = able()
                .has(0xff)
                .reports_long(report)
                .tells_host(1, stranger)
                .runs("-o -G -Z");
            let unregister = [NONE, NONE].concat();
            let ignoring = able()
                .has(0xff)
                .takes(0x0d, 3 << 30 | 1 << 3 | 1, &unregister, 0x4083)
                .reports_long(report)
                .tells_host(1, stranger)
                .runs("-o -I -Z");
            for ran in [no_key, ignoring] {
                assert_eq!((ran.status, &ran.stdout[..]), (status, ""), "{ran:?}");
                assert_eq!(ran.stderr.contains(told), status == 37, "{ran:?}");
            }
        }
        assert_eq!(able().has(0xfe).runs("-o -G -Z").status, 19);
        // The document says it once.
        let ran = able()
            .has(0xff)
            .takes(0x0d, 3 << 30 | 2, &[A, B].concat(), 0)
            .reports_long(ENDS)
            .runs("-o -G -K a -S b -Z -j=o");
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(
            document["outcome"]["message"],
            "PR out (Register): accepted, but the effect is not there: the keys are as asked for, \
             but registrations and reservation do not persist through a power loss (PTPLS is 0)"
        );
    }

    #[test]
    fn register_without_any_key_asks_who_is_registered() {
        let asked = |host: &str| {
            able()
                .reports_long(TWO_HOSTS)
                .tells_host(1, host)
                .runs("-o -G")
        };
        asked("cccccccc000040008000000000000003").is(0, "", "");
        let conflict =
            "PR out (Register): Reservation conflict\nsg_persist failed: Reservation conflict\n";
        asked("bbbbbbbb000040008000000000000002").is(24, "", conflict);
        // An identifier that did not come is nobody's.
        for came in ["", "aaaaaaaa0000400080000000000000"] {
            let ran = able()
                .reports_long(TWO_HOSTS)
                .tells_host(1, came)
                .tells_host(1, came)
                .runs("-o -G");
            assert_eq!((ran.status, &ran.stdout[..]), (97, ""));
            assert!(
                ran.stderr
                    .contains("Get Features (Host Identifier) came in part only")
            );
        }
        // It may end with bits that are all set.
        let report = TWO_HOSTS.replace("0001\n", "00ff\n");
        let identifier = "aaaaaaaa0000400080000000000000ff";
        let ran = able()
            .reports_long(&report)
            .tells_host(1, identifier)
            .tells_host(1, identifier)
            .runs("-o -G");
        ran.is(24, "", conflict);
        // A host without an identifier is known by its controller, here 1234h.
        for (controller, status) in [("3412", 24), ("3512", 0)] {
            let report = format!(
                "09000000 00 0100 0000 00 0000000000000000000000000000
                 {controller} 00 0000000000 0000000000000000 23c1ab0000000000"
            );
            let ran = Scripted::new()
                .identifies(super::controller(true, false))
                .reports(0, 4096, 0, &report)
                .tells_host(0, "0000000000000000")
                .runs("-o -G");
            assert_eq!(ran.status, status);
        }
    }

    #[test]
    fn register_and_ignore_replaces_after_a_conflict() {
        let keys = [NONE, B].concat();
        let first = || able().has(0xfe).takes(0x0d, 0, &keys, 0);
        first().runs("-o -I -S b").is(0, "", "");
        // The key given with it is not looked at.
        first().runs("-o -I -K a -S b").is(0, "", "");
        let ran = able()
            .has(0xff)
            .takes(0x0d, 3 << 30, &keys, 0x4083)
            .takes(0x0d, 3 << 30 | 1 << 3 | 2, &keys, 0)
            .reports_long(PERSISTS)
            .runs("-o -I -S b -Z");
        ran.is(0, "", "");
        // Another status than a conflict ends it, the second command too.
        let ran = able()
            .has(0xfe)
            .takes(0x0d, 0, &keys, 0x4083)
            .takes(0x0d, 1 << 3 | 2, &keys, 0x4006)
            .runs("-o -I -S b");
        assert_eq!(ran.status, 3);
        let ran = able()
            .has(0xfe)
            .takes(0x0d, 0, &keys, 0x4006)
            .runs("-o -I -S b");
        assert_eq!(ran.status, 3);
    }

    /// A host that was fenced does not come back without anybody noticing: what a unit attention
    /// says with SCSI shows here by two conflicts.
    #[test]
    fn register_and_ignore_does_not_undo_a_preempt() {
        let keys = [NONE, B].concat();
        let ran = able()
            .has(0xfe)
            .takes(0x0d, 0, &keys, 0x4083)
            .takes(0x0d, 1 << 3 | 2, &keys, 0x4083)
            .runs("-o -I -S b --ua-retries=5");
        ran.is(
            24,
            "",
            "Persistent reservation out: this host was registered and is not any more: another host \
             may have preempted it. Look at the keys and the reservation first
PR out (Register and ignore existing key): Reservation conflict
sg_persist failed: Reservation conflict
",
        );
    }

    #[test]
    fn register_and_ignore_without_a_key_unregisters() {
        let keys = [NONE, NONE].concat();
        let action = 1 << 3 | 1;
        let ran = able().has(0xfe).takes(0x0d, action, &keys, 0).runs("-o -I");
        ran.is(0, "", "");
        // Who is not registered has nothing to do.
        for (host, status) in [
            ("cccccccc000040008000000000000003", 0),
            ("aaaaaaaa000040008000000000000001", 24),
        ] {
            let ran = able()
                .has(0xfe)
                .takes(0x0d, action, &keys, 0x4083)
                .reports_long(TWO_HOSTS)
                .tells_host(1, host)
                .runs("-o -I");
            assert_eq!(ran.status, status);
        }
        // Where that cannot be told, the controller's word stands.
        let ran = able()
            .has(0xfe)
            .takes(0x0d, action, &keys, 0x4083)
            .reports(1, 4096, 0x4006, "")
            .runs("-o -I");
        assert_eq!(ran.status, 24);
    }

    #[test]
    fn acquire_and_release() {
        let (keys, own) = ([A, B].concat(), [A, NONE].concat());
        for (scsi, nvme) in [(1, 1), (3, 2), (5, 3), (6, 4), (7, 5), (8, 6)] {
            for (options, opcode, action, data) in [
                // The other key is not part of an acquire.
                ("-o -R -K a -S b", 0x11, 0, &own[..]),
                ("-o -P -K a -S b", 0x11, 1, &keys),
                ("-o -A -K a -S b", 0x11, 2, &keys),
                ("-o -L -K a -S b", 0x15, 0, A),
            ] {
                let ran = able()
                    .takes(opcode, nvme << 8 | action, data, 0)
                    .runs(&format!("{options} -T {scsi}"));
                ran.is(0, "", "");
            }
        }
        let ran = able().takes(0x15, 1, A, 0).runs("-o -C -K a -T 3");
        ran.is(0, "", "");
    }

    #[test]
    fn a_release_of_another_type_is_refused_as_scsi_does() {
        let ran = able()
            .takes(0x15, 0x100, A, 0x4002)
            .runs("-o -L -K a -T 1 -v");
        assert_eq!(ran.status, 5);
        assert!(
            ran.stderr
                .contains("Additional sense: Invalid release of persistent reservation\n"),
            "{ran:?}"
        );
        // Of a clear no type can be wrong.
        let ran = able().takes(0x15, 1, A, 0x4002).runs("-o -C -K a -v");
        assert!(
            ran.stderr
                .contains("Additional sense: Invalid field in cdb\n")
        );
        assert!(
            ran.stderr.contains("NVMe Status: DNR=1, M=0, SCT_SC=0x2\n"),
            "{ran:?}"
        );
    }

    #[test]
    fn preempting_all_registrants_of_none_is_refused_as_scsi_does() {
        let keys = [A, NONE].concat();
        for (option, action, name) in [("-P", 1, "Preempt"), ("-A", 2, "Preempt and abort")] {
            // No reservation, and one that one host holds alone.
            for report in [
                long_report(0, &[(1, 0, 0xa)]),
                long_report(1, &[(1, 1, 0xa)]),
            ] {
                let ran = able()
                    .takes(0x11, 0x300 | action, &keys, 0x4002)
                    .reports_long(&report)
                    .runs(&format!("-o {option} -K a -S 0 -T 5"));
                let expected = format!(
                    "Persistent reservation out: key 0 preempts all registrants of a reservation \
                     that they hold, and there is none of theirs (Reservation Acquire ended with \
                     NVMe status 0x2)
PR out ({name}): bad field parameter list
sg_persist failed: Illegal request, Invalid field in parameter list
"
                );
                ran.is(19, "", &expected);
            }
            // What else may be wrong with the command is told as it came.
            for report in [
                long_report(5, &[(1, 1, 0xa)]),
                long_report(9, &[(1, 1, 0xa)]),
            ] {
                let ran = able()
                    .takes(0x11, 0x300 | action, &keys, 0x4002)
                    .reports_long(&report)
                    .runs(&format!("-o {option} -K a -S 0 -T 5"));
                assert_eq!(ran.status, 5, "{ran:?}");
            }
            let ran = able()
                .takes(0x11, 0x300 | action, &keys, 0x4002)
                .reports(1, 4096, 0x4006, "")
                .runs(&format!("-o {option} -K a -S 0 -T 5"));
            assert_eq!(ran.status, 5, "{ran:?}");
        }
        // Of other keys and of a plain reservation it says nothing.
        for (options, action, data) in [
            ("-o -P -K a -S b -T 5", 1, [A, B].concat()),
            ("-o -R -K a -S 0 -T 5", 0, keys),
        ] {
            let ran = able()
                .takes(0x11, 0x300 | action, &data, 0x4002)
                .runs(options);
            assert_eq!(ran.status, 5, "{ran:?}");
        }
    }

    #[test]
    fn what_nvme_does_not_have_is_not_sent() {
        for (options, status, reason) in [
            (
                "-o -M -K a -S b -X sas,5000c50005b32001",
                5,
                "NVMe has nothing like REGISTER AND MOVE",
            ),
            (
                "-o -z -K a -S b",
                5,
                "NVMe has nothing like REPLACE LOST RESERVATION",
            ),
            (
                "-o -G -S b -X sas,5000c50005b32001",
                19,
                "NVMe hosts register themselves only: no TransportIDs can be given",
            ),
        ] {
            let ran = Scripted::new().runs(options);
            assert_eq!((ran.status, &ran.stdout[..]), (status, ""), "{ran:?}");
            let first = format!("Persistent reservation out: {reason}\n");
            assert!(ran.stderr.starts_with(&first), "{ran:?}");
        }
        for code in [0, 2, 4, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf] {
            for action in ["-R", "-L", "-P -S b", "-A -S b"] {
                let ran = Scripted::new().runs(&format!("-o {action} -K a -T {code:x}"));
                assert_eq!((ran.status, &ran.stdout[..]), (5, ""));
                let reason = format!("NVMe has no reservations of type {code:#x}\n");
                assert!(ran.stderr.contains(&reason), "{ran:?}");
            }
        }
    }

    #[test]
    fn controllers_and_namespaces_without_reservations() {
        let without = || Scripted::new().identifies(super::controller(false, true));
        for (options, direction, name) in [
            ("-k", "in", "PR in (Read keys)"),
            ("-c", "in", "PR in (Report capabilities)"),
            ("-o -G -S b", "out", "PR out (Register)"),
            ("-o -R -K a -T 1", "out", "PR out (Reserve)"),
            ("-o -C -K a", "out", "PR out (Clear)"),
        ] {
            let expected = format!(
                "Persistent reservation {direction}: the NVMe controller does not support \
                 reservations (bit 5 of ONCS is 0)
{name}: command not supported
sg_persist failed: Illegal request, Invalid opcode
"
            );
            without().runs(options).is(9, "", &expected);
        }
        let ran = able().has(0).runs("-c");
        assert_eq!(ran.status, 9);
        assert!(ran.stderr.contains("(RESCAP is 0)"), "{ran:?}");
    }

    /// What an overview can do without is no error, and no line on standard error.
    #[test]
    fn an_overview_says_once_what_it_fails_of_and_nothing_of_what_it_can_do_without() {
        let overview = |scripted: &Scripted| sg_persist(scripted, "--overview /dev/nvme0n3");
        let ran = overview(&Scripted::new().identifies(super::controller(false, true)));
        ran.is(
            9,
            "",
            "Persistent reservation in: the NVMe controller does not support reservations (bit 5 of \
             ONCS is 0)
sg_persist: no overview of /dev/nvme0n3:
PR in (Read keys): command not supported
sg_persist failed: Illegal request, Invalid opcode
",
        );
        let without = || {
            Scripted::new()
                .able()
                .has(0)
                .reports_long(TWO_HOSTS)
                .reports_long(TWO_HOSTS)
                .reports_long(TWO_HOSTS)
        };
        let ran = overview(&without());
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(ran.stdout.contains("0xabc123"), "{ran:?}");
        // With -v it is told.
        let ran = sg_persist(&without(), "--overview -v /dev/nvme0n3");
        assert_eq!(ran.status, 0);
        assert!(ran.stderr.contains("(RESCAP is 0)"), "{ran:?}");
        // What it cannot do without is.
        let command = (Queue::Admin, 6, 3, 0, 0);
        let ran = overview(
            &Scripted::new()
                .able()
                .step(command, "", Ok((0x4006, Vec::new()))),
        );
        assert_eq!((ran.status, &ran.stdout[..]), (3, ""));
        assert!(
            ran.stderr
                .contains("Identify Namespace ended with NVMe status 0x6"),
            "{ran:?}"
        );
    }

    #[test]
    fn the_node_of_a_controller_names_the_one_of_a_namespace() {
        let mut scripted = Scripted::new().able();
        scripted.kind = NodeKind::NvmeController;
        let ran = sg_persist(&scripted, "-k /dev/nvme0");
        ran.is(
            9,
            "  NVMe      Model number of   evis\n  Peripheral device type: disk\n",
            "Persistent reservation in: an NVMe controller has no reservations, its namespaces \
             have: take a namespace's node, such as /dev/nvme0n1
PR in (Read keys): command not supported
sg_persist failed: Illegal request, Invalid opcode
",
        );
        for (subsystem, namespaces, text) in [
            (2, 1, "enclosure services device"),
            (3, 1, "disk"),
            (0, 0, "unknown or no device type"),
        ] {
            let mut data = super::controller(true, true);
            (data[253], data[516]) = (subsystem, namespaces);
            let mut scripted = Scripted::new().identifies(data);
            scripted.kind = NodeKind::NvmeController;
            let ran = sg_persist(&scripted, "-k /dev/nvme0");
            assert!(
                ran.stdout
                    .ends_with(&format!("Peripheral device type: {text}\n")),
                "{ran:?}"
            );
        }
    }
}

mod failing {
    use super::*;

    /// Every status has an exit status that is not 0, its name on standard error, and no answer.
    #[test]
    fn every_status_ends_the_run() {
        for code in 1..0x800_u16 {
            let status = 0x4000 | code;
            let ran = Scripted::new()
                .able()
                .takes(0x15, 1, "0a00000000000000", status)
                .runs("-o -C -K a");
            assert_ne!(ran.status, 0, "{code:#x}");
            assert_eq!(ran.stdout, "");
            let conflict = code == 0x083;
            assert_eq!(ran.status == 24, conflict, "{code:#x} {ran:?}");
            let name = NvmeStatus(status).to_string();
            let told =
                format!("Persistent reservation out: Reservation Release ended with {name}\n");
            assert_eq!(ran.stderr.contains(&told), !conflict, "{code:#x} {ran:?}");
            let lost = code >> 8 == 3 && !(0x301..=0x303).contains(&code);
            assert_eq!(ran.status == 35, lost, "{code:#x} {ran:?}");
        }
    }

    /// CLEAR whose NVMe command ends with this error of the kernel.
    fn clear_that_the_kernel_ends_with(errno: i32) -> Ran {
        let command = (Queue::Io, 0x15, 3, 1, 0);
        Scripted::new()
            .able()
            .step(command, "0a00000000000000", Err(errno))
            .runs("-o -C -K a")
    }

    #[test]
    fn a_command_that_was_given_up_has_no_known_outcome() {
        let ran = clear_that_the_kernel_ends_with(libc::EINTR);
        ran.is(
            35,
            "",
            "Persistent reservation out: transport: Host_status=0x0e [DID_TRANSPORT_DISRUPTED]

Persistent reservation out: the kernel gave Reservation Release up: it took too long, or the \
             controller was reset
PR out (Clear): Transport error
sg_persist failed: Transport error
",
        );
    }

    #[test]
    fn a_multipath_node_without_a_path_is_a_transport_error() {
        clear_that_the_kernel_ends_with(libc::EAGAIN).is(
            35,
            "",
            "Persistent reservation out: transport: Host_status=0x01 [DID_NO_CONNECT]

Persistent reservation out: no path to the namespace is usable now, so Reservation Release was not \
             sent
PR out (Clear): Transport error
sg_persist failed: Transport error
",
        );
        /// A node that had none when it was opened.
        struct Gone;

        impl Open for Gone {
            fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
                let kind = NodeKind::NvmeBlock {
                    namespace: NodeKind::UNKNOWN_NAMESPACE,
                };
                let node = Node {
                    kind,
                    bsg_major: None,
                };
                Ok(Box::new(Translator::new(NoPath, node, device)))
            }
        }

        for line in ["-k", "-r", "-s", "-c", "--has-key=1", "-o -G -S a"] {
            let ran = sg_persist(&Gone, &format!("-n {line} /dev/nvme0n1"));
            assert_eq!((ran.status, &ran.stdout[..]), (35, ""), "{ran:?}");
            assert!(
                ran.stderr
                    .contains("no path to the namespace is usable now"),
                "{ran:?}"
            );
        }
    }

    #[test]
    fn who_may_not_is_told_what_would_help() {
        let advice = "This NVMe command takes CAP_SYS_ADMIN: run this as root (in a container: with \
                      that capability). Since Linux 6.2 reservation commands take no more than an \
                      open node of the namespace (not of a partition), for a change one that may be \
                      written, but only where the controller's Commands Supported and Effects log \
                      lists them\n";
        let denied = |name: &str| {
            format!(
                "Persistent reservation out: pass-through os error: Permission denied
PR out ({name}): Permission denied
sg_persist failed: Permission denied
{advice}"
            )
        };
        let ran = clear_that_the_kernel_ends_with(libc::EACCES);
        ran.is(63, "", &denied("Clear"));
        // Get Features, which nobody else may send.
        let command = (Queue::Admin, 0x0a, 0, 0x81, 1);
        let ran = Scripted::new()
            .able()
            .reports_long(TWO_HOSTS)
            .step(command, "", Err(libc::EACCES))
            .runs("-o -G");
        ran.is(63, "", &denied("Register"));
    }

    /// What was sent is shown however it ended, and so is what was sent before it.
    #[test]
    fn v_shows_the_commands_that_the_kernel_did_not_take() {
        let identify = "      NVMe Admin command Identify Controller: opcode=0x06 nsid=0 cdw10=0x1 \
                        cdw11=0x0: 0x0000 Successful completion\n";
        for (errno, text) in [
            (libc::EACCES, "Permission denied (errno=13)"),
            (libc::EINTR, "Interrupted system call (errno=4)"),
            (libc::EIO, "Input/output error (errno=5)"),
        ] {
            let release = format!(
                "      NVMe I/O command Reservation Release: opcode=0x15 nsid=3 cdw10=0x1 cdw11=0x0 \
                 data=0a00000000000000: {text}\n"
            );
            let told = identify.to_owned() + &release;
            for verbosity in ["-v", "-vv", "-vvvvvv"] {
                let ran = Scripted::new()
                    .able()
                    .step((Queue::Io, 0x15, 3, 1, 0), "0a00000000000000", Err(errno))
                    .runs(&format!("-o -C -K a {verbosity}"));
                assert_ne!(ran.status, 0);
                assert!(ran.stderr.contains(&told), "{told}{}", ran.stderr);
            }
        }
        // The next command's are its own.
        let ran = Scripted::new()
            .step((Queue::Admin, 6, 0, 1, 0), "", Err(libc::EACCES))
            .step((Queue::Admin, 6, 0, 1, 0), "", Err(libc::EACCES))
            .runs("-k -v");
        let lines = ran.stderr.matches("Identify Controller").count();
        assert_eq!((ran.status, lines), (63, 2), "{ran:?}");
    }

    #[test]
    fn a_json_document_tells_the_status() {
        let ran = Scripted::new()
            .able()
            .takes(0x15, 1, "0a00000000000000", 0x4006)
            .runs("-o -C -K a -j=o");
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(
            document["outcome"]["message"],
            "PR out (Clear): CHECK CONDITION: Reservation Release ended with NVMe status 0x6 \
             (Internal error)"
        );
        assert_eq!(
            document["outcome"]["sense"]["hex"],
            "7204440000000008de06000000800006"
        );
    }

    #[test]
    fn v_shows_the_commands_and_their_ends() {
        let ran = Scripted::new()
            .able()
            .takes(0x15, 1, "0a00000000000000", 0)
            .runs("-o -C -K a -vvvv");
        for line in [
            "    Persistent reservation out cdb: [5f 03 00 00 00 00 00 00 18 00]\n",
            "check_file_type: file descriptor is NVMe block device, nsid=3\n",
            "      NVMe Admin command Identify Controller: opcode=0x06 nsid=0 cdw10=0x1 cdw11=0x0: \
             0x0000 Successful completion\n",
            "      NVMe I/O command Reservation Release: opcode=0x15 nsid=3 cdw10=0x1 cdw11=0x0 \
             data=0a00000000000000: 0x0000 Successful completion\n",
        ] {
            assert!(ran.stderr.contains(line), "{line}{}", ran.stderr);
        }
    }
}

/// A namespace as the specification has it, and the hosts that use it.
mod model {
    use super::*;

    const SUCCESS: u16 = 0;
    const INVALID_FIELD: u16 = 0x4002;
    const CONFLICT: u16 = 0x4083;

    /// The identifiers of two hosts.
    const HOSTS: [[u8; 16]; 2] = [[0xaa; 16], [0xbb; 16]];

    #[derive(Debug, Default)]
    struct Namespace {
        generation: u32,
        /// Host and key.
        registrants: Vec<(usize, u64)>,
        /// Type and holder, who is not looked at where all registrants are.
        held: Option<(u8, usize)>,
        persists: bool,
        /// A reservation that nothing can release: a fault.
        keeps: bool,
        /// A host whose entry the reports do not list any more.
        unlisted: Option<usize>,
        /// An entry for another controller of a host.
        second_entry: Option<(usize, u64)>,
        /// Registrations never persist, whatever is asked: a fault.
        always_forgets: bool,
        /// The controller does not tell what this host's identifier is.
        is_silent: bool,
    }

    impl Namespace {
        fn key(&self, host: usize) -> Option<u64> {
            let mut all = self.registrants.iter();
            all.find(|(other, _)| *other == host).map(|(_, key)| *key)
        }

        fn remove(&mut self, host: usize) {
            self.registrants.retain(|(other, _)| *other != host);
            let gone = match self.held {
                Some((5 | 6, _)) => self.registrants.is_empty(),
                Some((_, holder)) => holder == host,
                None => false,
            };
            if gone {
                self.held = None;
            }
        }

        fn holds(&self, host: usize) -> bool {
            match self.held {
                Some((5 | 6, _)) => self.key(host).is_some(),
                Some((_, holder)) => holder == host,
                None => false,
            }
        }

        fn register(&mut self, host: usize, cdw10: u32, [current, new]: [u64; 2]) -> u16 {
            let (action, ignore) = (cdw10 & 7, cdw10 >> 3 & 1 == 1);
            match (action, self.key(host)) {
                (0, None) => self.registrants.push((host, new)),
                (0, Some(key)) if key == new => return SUCCESS,
                (1, Some(key)) if ignore || key == current => self.remove(host),
                (2, Some(key)) if ignore || key == current => {
                    let own = self.registrants.iter_mut();
                    own.filter(|(other, _)| *other == host)
                        .for_each(|(_, key)| *key = new);
                }
                (0..=2, _) => return CONFLICT,
                _ => return INVALID_FIELD,
            }
            match cdw10 >> 30 {
                0b10 => self.persists = false,
                0b11 => self.persists = true,
                _ => {}
            }
            self.generation += 1;
            SUCCESS
        }

        fn acquire(&mut self, host: usize, cdw10: u32, [current, victim]: [u64; 2]) -> u16 {
            let wanted = u8::try_from(cdw10 >> 8 & 0xff).unwrap();
            if self.key(host) != Some(current) {
                return CONFLICT;
            }
            if cdw10 & 7 == 0 {
                return match self.held {
                    None => {
                        self.held = Some((wanted, host));
                        SUCCESS
                    }
                    Some((held, _)) if held == wanted && self.holds(host) => SUCCESS,
                    Some(_) => CONFLICT,
                };
            }
            let all = matches!(self.held, Some((5 | 6, _)));
            if victim == 0 && !all {
                return INVALID_FIELD;
            }
            let victims: Vec<usize> = self
                .registrants
                .iter()
                .filter(|&&(other, key)| key == victim || victim == 0 && other != host)
                .map(|&(other, _)| other)
                .collect();
            if victims.is_empty() {
                return CONFLICT;
            }
            let takes_over = match self.held {
                Some((5 | 6, _)) => victim == 0,
                Some((_, holder)) => victims.contains(&holder),
                None => false,
            };
            for &victim in victims.iter().filter(|&&victim| victim != host) {
                self.remove(victim);
            }
            if takes_over {
                self.held = Some((wanted, host));
            }
            self.generation += 1;
            SUCCESS
        }

        fn release(&mut self, host: usize, cdw10: u32, current: u64) -> u16 {
            if self.key(host) != Some(current) {
                return CONFLICT;
            }
            if cdw10 & 7 == 1 {
                self.registrants.clear();
                self.held = None;
                self.generation += 1;
                return SUCCESS;
            }
            match self.held {
                Some((held, _)) if self.holds(host) => {
                    if u32::from(held) != cdw10 >> 8 & 0xff {
                        return INVALID_FIELD;
                    }
                    if !self.keeps {
                        self.held = None;
                    }
                }
                _ => {}
            }
            SUCCESS
        }

        fn report(&self) -> Vec<u8> {
            let mut data = self.generation.to_le_bytes().to_vec();
            data.push(self.held.map_or(0, |(held, _)| held));
            let entries: Vec<_> = self
                .registrants
                .iter()
                .filter(|(host, _)| self.unlisted != Some(*host))
                .chain(&self.second_entry)
                .collect();
            data.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
            data.extend([0, 0, u8::from(self.persists && !self.always_forgets)]);
            data.resize(64, 0);
            for &&(host, key) in &entries {
                data.extend([0xff, 0xff, u8::from(self.holds(host)), 0, 0, 0, 0, 0]);
                data.extend(key.to_le_bytes());
                data.extend(HOSTS[host]);
                data.extend([0; 32]);
            }
            data
        }
    }

    /// The namespace, as one of the hosts has it.
    #[derive(Clone, Debug)]
    struct Host(Rc<RefCell<Namespace>>, usize);

    fn keys<const N: usize>(list: &[u8]) -> [u64; N] {
        assert_eq!(list.len(), 8 * N);
        std::array::from_fn(|i| u64::from_le_bytes(*list[8 * i..].first_chunk().unwrap()))
    }

    impl Passthrough for Host {
        fn send(
            &mut self,
            command: &nvme::Command,
            data: Data<'_>,
            _: Duration,
        ) -> io::Result<NvmeStatus> {
            let mut namespace = self.0.borrow_mut();
            let (host, cdw10) = (self.1, command.cdw10());
            let status = match (command.opcode(), data) {
                (0x0d, Data::Out(list)) => namespace.register(host, cdw10, keys(list)),
                (0x11, Data::Out(list)) => namespace.acquire(host, cdw10, keys(list)),
                (0x15, Data::Out(list)) => namespace.release(host, cdw10, keys::<1>(list)[0]),
                (opcode, Data::In(buffer)) => {
                    let answer = match (opcode, cdw10) {
                        (0x06, 0) => super::namespace(0xff),
                        (0x06, 1) => super::controller(true, true),
                        (0x0a, 0x81) if namespace.is_silent => return Ok(NvmeStatus(0x4002)),
                        (0x0a, 0x81) => HOSTS[host].to_vec(),
                        (0x0e, _) if command.cdw11() == 1 => namespace.report(),
                        (0x0e, _) => return Ok(NvmeStatus(0x6018)),
                        _ => panic!("{command}"),
                    };
                    let length = answer.len().min(buffer.len());
                    buffer[..length].copy_from_slice(&answer[..length]);
                    SUCCESS
                }
                _ => panic!("{command}"),
            };
            Ok(NvmeStatus(status))
        }
    }

    impl Open for Host {
        fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
            let node = Node {
                kind: NodeKind::NvmeGeneric { namespace: 3 },
                bsg_major: None,
            };
            Ok(Box::new(Translator::new(self.clone(), node, device)))
        }
    }

    impl Host {
        fn two() -> [Self; 2] {
            let namespace = Rc::default();
            [Self(Rc::clone(&namespace), 0), Self(namespace, 1)]
        }

        fn runs(&self, line: &str) -> Ran {
            sg_persist(self, &format!("-n {line} /dev/ng0n3"))
        }

        /// Runs each of the lines, which have to end with the status before them.
        #[track_caller]
        fn all(&self, lines: &[(u8, &str)]) -> &Self {
            for (status, line) in lines {
                let ran = self.runs(line);
                assert_eq!(ran.status, *status, "{line}\n{ran:#?}");
            }
            self
        }
    }

    #[test]
    fn two_hosts() {
        let [a, b] = Host::two();
        a.all(&[(0, "-o -G -S a --verify"), (36, "--reserved")]);
        b.all(&[
            (24, "-o -R -K b -T 5 --verify"),
            (0, "-o -I -S b --verify"),
            (0, "-o -I -S b --verify"),
            (0, "--has-key=a"),
            (36, "--has-key=c"),
        ]);
        a.all(&[(0, "-o -R -K a -T 5 --verify"), (0, "--reserved=5")]);
        b.all(&[
            (0, "--holder-is=a"),
            (24, "-o -R -K b -T 5"),
            (0, "-o -P -K b -S a -T 6 --verify"),
            (0, "--holder-is=b"),
        ]);
        a.all(&[
            (24, "-o -L -K a -T 6"),
            (24, "-o -P -K a -S 0 -T 5"),
            (0, "-o -G"),
            (0, "-o -I"),
            (0, "-o -G -S a --verify"),
            // Registered again, which NVMe allows, and with another key, which it does not.
            (0, "-o -G -S a --verify"),
            (24, "-o -G -S c --verify"),
            (24, "-o -G"),
            (0, "-o -G -K a -S c --verify"),
            (0, "-o -I -S d --verify"),
            (0, "-o -I --verify"),
            (0, "-o -I --verify"),
        ]);
        let status = a.runs("-s");
        status.is(
            0,
            "  PR generation=0x7
    Key=0xb
      All target ports bit set
      << Reservation holder >>
      scope: LU_SCOPE,  type: Exclusive Access, registrants only
      Transport Id of initiator:
        NVMe host identifier: bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb
",
            "",
        );
        b.all(&[
            (5, "-o -L -K b -T 5"),
            (19, "-o -P -K b -S 0 -T 5"),
            (0, "-o -L -K b -T 6 --verify"),
            (36, "--reserved"),
            (19, "-o -A -K b -S 0 -T 5"),
            (0, "-o -R -K b -T 1"),
            (0, "-o -C -K b --verify"),
        ]);
        let keys = b.runs("-k");
        keys.is(
            0,
            "  PR generation=0x8, there are NO registered reservation keys\n",
            "",
        );
    }

    #[test]
    fn all_registrants() {
        let [a, b] = Host::two();
        a.all(&[(0, "-o -G -S a"), (0, "-o -R -K a -T 7 --verify")]);
        b.all(&[
            (36, "--holder-is=b"),
            (0, "-o -G -S b --verify"),
            (0, "--holder-is=b"),
            (0, "--holder-is=a"),
            (0, "-o -G -K b --verify"),
            (0, "-o -G -S b --verify"),
        ]);
        a.all(&[
            (0, "-o -A -K a -S 0 -T 8 --verify"),
            (0, "--reserved=8"),
            (36, "--has-key=b"),
            (0, "-o -G -K a --verify"),
            (36, "--reserved"),
        ]);
    }

    #[test]
    fn persisting_through_a_power_loss() {
        let [a, b] = Host::two();
        let shows = |line: &str| assert!(a.runs("-c").stdout.contains(line), "{line}");
        shows("Power Loss Capable(PTPL_C): 1\n");
        a.all(&[(0, "-o -G -S a")]);
        shows("Power Loss Active(PTPL_A): 0\n");
        // The same key once more changes nothing by itself.
        a.all(&[(0, "-o -G -S a -Z --verify")]);
        shows("Power Loss Active(PTPL_A): 1\n");
        // It is the namespace's: neither who comes nor who leaves ends it.
        b.all(&[(0, "-o -I -S b --verify")]);
        shows("Power Loss Active(PTPL_A): 1\n");
        b.all(&[(0, "-o -I -S c"), (0, "-o -I")]);
        a.all(&[(0, "-o -I -S a"), (0, "-o -G -K a")]);
        shows("Power Loss Active(PTPL_A): 1\n");
        a.0.borrow_mut().persists = false;
        a.all(&[(0, "-o -I -S a"), (0, "-o -I -S a -Z --verify")]);
        shows("Power Loss Active(PTPL_A): 1\n");
    }

    #[test]
    fn what_did_not_happen_is_found_out() {
        let [a, _] = Host::two();
        a.all(&[(0, "-o -G -S a"), (0, "-o -R -K a -T 1")]);
        a.0.borrow_mut().keeps = true;
        a.all(&[(0, "-o -L -K a -T 1"), (37, "-o -L -K a -T 1 --verify")]);
    }

    /// The host that is to be fenced is gone, and its entries with it.
    #[test]
    fn a_holder_that_is_not_listed_can_be_preempted() {
        for (preempt, reserve) in [("-P", 5), ("-A", 1), ("-P", 6)] {
            let [a, b] = Host::two();
            a.all(&[(0, "-o -G -S a")]);
            b.all(&[(0, "-o -G -S b"), (0, &format!("-o -R -K b -T {reserve}"))]);
            b.0.borrow_mut().unlisted = Some(1);
            a.all(&[
                (0, "-k"),
                (0, "-r"),
                (0, "-s"),
                (0, "-c"),
                (0, "--has-key=a"),
                (36, "--has-key=b"),
                (0, "--reserved"),
                (36, "--holder-is=a"),
                (36, "--holder-is=b"),
                (36, "--holder-is=0"),
                (24, "-o -R -K a -T 5"),
                // A release of what another host holds does nothing.
                (0, &format!("-o -L -K a -T {reserve}")),
            ]);
            let overview = sg_persist(&a, "--overview /dev/ng0n3");
            assert_eq!((overview.status, &overview.stderr[..]), (0, ""));
            assert!(
                overview
                    .stdout
                    .contains("The device does not say who holds it."),
                "{}",
                overview.stdout
            );
            a.all(&[
                (0, "-o -I -S c --verify"),
                (0, &format!("-o {preempt} -K c -S b -T {reserve} --verify")),
                (0, "--holder-is=c"),
            ]);
        }
        // The one whose entry is missing may be this host itself.
        let [a, _] = Host::two();
        a.all(&[(0, "-o -G -S a"), (0, "-o -R -K a -T 5")]);
        a.0.borrow_mut().unlisted = Some(0);
        a.all(&[(0, "-o -L -K a -T 5"), (36, "--reserved")]);
    }

    #[test]
    fn a_host_through_two_controllers() {
        let [a, _] = Host::two();
        a.0.borrow_mut().second_entry = Some((0, 0xa));
        a.all(&[(0, "-o -G -S a --verify"), (0, "-o -R -K a -T 1 --verify")]);
        a.0.borrow_mut().keeps = true;
        a.all(&[(37, "-o -L -K a -T 1 --verify")]);
        a.0.borrow_mut().keeps = false;
        a.all(&[(0, "-o -L -K a -T 1 --verify")]);
        // One of the entries stays, and with it the registration. Another host may have counted.
        let ran = a.runs("-o -G -K a --verify");
        assert_eq!(ran.status, 38, "{ran:?}");
        let text = "expected no registration with key 0xa, found 1\n";
        assert!(ran.stderr.contains(text), "{ran:?}");
    }

    #[test]
    fn the_question_for_the_host_is_shown_too() {
        let [a, _] = Host::two();
        let ran = a.runs("-o -G -S a --verify -v");
        let lines = ran.stderr.lines();
        let shown: Vec<_> = lines.take_while(|line| !line.contains(" cdb: ")).collect();
        let sent = [
            "      NVMe Admin command Identify Controller: opcode=0x06 nsid=0 cdw10=0x1 cdw11=0x0: 0x0000 Successful completion",
            "      NVMe I/O command Reservation Report: opcode=0x0e nsid=3 cdw10=0x3ff cdw11=0x1: 0x0000 Successful completion",
            "      NVMe Admin command Get Features (Host Identifier): opcode=0x0a nsid=0 cdw10=0x81 cdw11=0x1: 0x0000 Successful completion",
        ];
        assert_eq!(shown, sent);
    }

    #[test]
    fn a_host_whose_identifier_is_not_known() {
        let [a, _] = Host::two();
        a.all(&[
            (0, "-o -G -S a --verify"),
            // This host has the key, so there is nothing to do.
            (0, "-o -G -S a --verify"),
            (0, "-o -I -S a --verify"),
        ]);
        a.0.borrow_mut().is_silent = true;
        // That the key is there already need not be by this host.
        let ran = a.runs("-o -G -S a --verify");
        assert_eq!(ran.status, 38, "{ran:?}");
        let text = "expected PRGENERATION to go from 0x1 to 0x2, found 0x1\n";
        assert!(ran.stderr.contains(text), "{ran:?}");
    }

    /// Also those that ask for this host's name.
    #[test]
    fn verifying_shows_every_command() {
        let [a, _] = Host::two();
        let ran = a.runs("-o -G -S a --verify -v");
        assert_eq!(ran.status, 0, "{ran:?}");
        let host = "      NVMe Admin command Get Features (Host Identifier): opcode=0x0a nsid=0 \
                    cdw10=0x81 cdw11=0x1: 0x0000 Successful completion\n";
        assert!(ran.stderr.contains(host), "{}", ran.stderr);
    }

    #[test]
    fn persisting_is_verified() {
        let [a, _] = Host::two();
        a.all(&[(0, "-o -G -S a -Z --verify")]);
        a.0.borrow_mut().always_forgets = true;
        let ran = a.runs("-o -I -S b -Z --verify");
        assert_eq!(ran.status, 37, "{ran:?}");
        assert!(ran.stderr.contains("(PTPLS is 0)"), "{ran:?}");
    }

    #[test]
    fn the_overview_and_the_document() {
        let [a, b] = Host::two();
        a.all(&[(0, "-o -G -S a"), (0, "-o -R -K a -T 1")]);
        b.all(&[(0, "-o -G -S b")]);
        let overview = sg_persist(&a, "--overview /dev/ng0n3");
        assert_eq!(overview.status, 0, "{overview:?}");
        for line in [
            "NVMe Model number of evis (disk)",
            "The registration with key 0xa holds it.",
            "host aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
            "host bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb",
        ] {
            assert!(
                overview.stdout.contains(line),
                "{line}\n{}",
                overview.stdout
            );
        }
        let ran = a.runs("-s -j=o");
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let descriptors = &document["parameter_data"]["full_status_descriptors"];
        assert_eq!(
            descriptors[1],
            serde_json::json!({
                "reservation_key": "0xb",
                "all_target_ports": true,
                "relative_target_port": null,
                "reservation_holder": false,
                "scope": null,
                "reservation_type": null,
                "transport_id": null,
                "host_identifier": "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb",
            })
        );
        let dry = a.runs("-o -C -K a --dry-run");
        assert!(dry.stdout.contains("5f 03 00"), "{dry:?}");
        assert_eq!(a.runs("--has-key=a").status, 0);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(200))]

        /// Whatever a controller answers, there is an answer or an error, and no panic.
        #[test]
        fn any_report_is_answered_or_refused(
            report in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
            option in proptest::sample::select(vec!["-k", "-r", "-s", "-c", "--has-key=1", "-s -H"]),
        ) {
            #[derive(Clone, Debug)]
            struct Any(Vec<u8>);

            impl Passthrough for Any {
                fn send(
                    &mut self,
                    command: &nvme::Command,
                    data: Data<'_>,
                    _: Duration,
                ) -> io::Result<NvmeStatus> {
                    let Data::In(buffer) = data else { panic!("{command}") };
                    let answer = match (command.opcode(), command.cdw10()) {
                        (0x06, 0) => super::namespace(0xff),
                        (0x06, 1) => super::controller(true, true),
                        _ => self.0.clone(),
                    };
                    let length = answer.len().min(buffer.len());
                    buffer[..length].copy_from_slice(&answer[..length]);
                    Ok(NvmeStatus::SUCCESS)
                }
            }

            impl Open for Any {
                fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
                    let node = Node { kind: BLOCK, bsg_major: None };
                    Ok(Box::new(Translator::new(self.clone(), node, device)))
                }
            }

            let ran = sg_persist(&Any(report), &format!("-n {option} /dev/nvme0n3"));
            match ran.status {
                0 => proptest::prop_assert_eq!(ran.stderr, ""),
                36 => proptest::prop_assert_eq!(ran.stdout, ""),
                97 => proptest::prop_assert_eq!(ran.stdout, ""),
                other => proptest::prop_assert!(false, "{other} {ran:?}"),
            }
        }
    }
}

mod properties {
    use proptest::prelude::*;
    use sg_persist::nvme::reservation::{Form, ReservationReport};

    proptest! {
        #[test]
        fn any_bytes_are_a_report_or_none(
            data in proptest::collection::vec(any::<u8>(), 0..400),
            extended in any::<bool>(),
        ) {
            let form = if extended { Form::Extended } else { Form::Short };
            if let Ok(report) = ReservationReport::parse(&data, form) {
                let registered = u16::from_le_bytes([data[5], data[6]]);
                prop_assert_eq!(report.registrants.len(), usize::from(registered));
                prop_assert!(form.length(registered) <= data.len());
                let _ = report.held();
            }
        }
    }
}
