//! What holds of everything: decoders, texts, numbers, completions, and whole runs with whatever
//! command line, files and device.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use sg_persist::cli::number::{hex64, maxlen};
use sg_persist::cli::request::Environment;
use sg_persist::pr::prin::{
    Capabilities, FullStatusDescriptor, ReadFullStatus, ReadKeys, ReadReservation, Reservation,
    ServiceAction, TargetPorts,
};
use sg_persist::pr::transport_id::TransportId;
use sg_persist::pr::{ReservationKey, ReservationType, Scope};
use sg_persist::render::sense;
use sg_persist::render::{DeviceText, hex, text, transport_id};
use sg_persist::scsi::inquiry::StandardInquiry;
use sg_persist::scsi::sense::Sense;
use sg_persist::scsi::status::ScsiStatus;
use sg_persist::transport::{Completion, DriverStatus, HostStatus};

use crate::common::anything::Anything;
use crate::common::checks::{self, WORDS};
use crate::common::world::Texts;
use crate::common::{Answer, Scene, with_data};

const ACTIONS: [ServiceAction; 4] = [
    ServiceAction::ReadKeys,
    ServiceAction::ReadReservation,
    ServiceAction::ReportCapabilities,
    ServiceAction::ReadFullStatus,
];

fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=longest)
}

fn key() -> impl Strategy<Value = ReservationKey> {
    any::<u64>().prop_map(ReservationKey)
}

fn scope_and_type() -> impl Strategy<Value = (Scope, ReservationType)> {
    any::<u8>().prop_map(|byte| {
        (
            Scope::from_high_bits(byte),
            ReservationType::from_low_bits(byte),
        )
    })
}

fn iscsi_name() -> impl Strategy<Value = TransportId> {
    let start = select(vec!["iqn.", "eui.", "naa.", "IQN.", "iqn", ""]);
    let isid = select(vec!["", ",i,0x00023d000001", ",i,0x", ",i,0X1"]);
    (start, vec(1..=0xff_u8, 0..220), isid).prop_map(|(start, name, isid)| {
        TransportId::iscsi(&[start.as_bytes(), &name, isid.as_bytes()].concat()).unwrap()
    })
}

/// One of every protocol, those without a TransportID of their own and every format among them.
fn transport_ids() -> impl Strategy<Value = TransportId> {
    let typeable = "[!-~]{0,200}"
        .prop_map(|name| TransportId::iscsi(format!("iqn.{name}").as_bytes()).unwrap());
    let formats = (0_u8..=0xff, vec(any::<u8>(), 23)).prop_filter_map("iSCSI", |(first, rest)| {
        TransportId::from_bytes(&[&[first][..], &rest].concat()).ok()
    });
    prop_oneof![
        any::<u64>().prop_map(TransportId::fcp),
        (any::<u16>(), any::<u16>()).prop_map(|(address, port)| TransportId::spi(address, port)),
        any::<u64>().prop_map(TransportId::sbp),
        any::<[u8; 16]>().prop_map(TransportId::srp),
        any::<u64>().prop_map(TransportId::sas),
        any::<u16>().prop_map(TransportId::sop),
        iscsi_name(),
        typeable,
        formats,
    ]
}

fn read_keys() -> impl Strategy<Value = ReadKeys> {
    let fields = (any::<u32>(), vec(key(), 0..40));
    fields.prop_map(|(generation, keys)| ReadKeys { generation, keys })
}

fn read_reservation() -> impl Strategy<Value = ReadReservation> {
    let held = (key(), scope_and_type()).prop_map(|(reservation_key, (scope, kind))| Reservation {
        reservation_key,
        scope,
        reservation_type: kind,
    });
    (any::<u32>(), option::of(held)).prop_map(|(generation, reservation)| ReadReservation {
        generation,
        reservation,
    })
}

fn read_full_status() -> impl Strategy<Value = ReadFullStatus> {
    let target_ports = prop_oneof![
        Just(TargetPorts::All),
        any::<u16>().prop_map(TargetPorts::Relative),
    ];
    let fields = (
        key(),
        target_ports,
        option::of(scope_and_type()),
        option::of(transport_ids()),
    );
    let descriptor = fields.prop_map(|(reservation_key, target_ports, held, transport_id)| {
        FullStatusDescriptor {
            reservation_key,
            target_ports,
            held,
            transport_id,
        }
    });
    (any::<u32>(), vec(descriptor, 0..6)).prop_map(|(generation, descriptors)| ReadFullStatus {
        generation,
        descriptors,
    })
}

/// The parameter data of REPORT CAPABILITIES with every defined bit, and none of the others.
fn capabilities() -> impl Strategy<Value = [u8; 8]> {
    any::<[u8; 4]>().prop_map(|[b2, b3, b4, b5]| {
        let mask = if b3 & 0x80 == 0 { 0 } else { 0xff };
        [0, 8, b2 & 0x9d, b3 & 0xf1, b4 & mask, b5 & mask, 0, 0]
    })
}

/// A whole answer to some service action.
fn whole_answer() -> impl Strategy<Value = (ServiceAction, Vec<u8>)> {
    prop_oneof![
        read_keys().prop_map(|data| (ServiceAction::ReadKeys, data.emit())),
        read_reservation().prop_map(|data| (ServiceAction::ReadReservation, data.emit())),
        capabilities().prop_map(|data| (ServiceAction::ReportCapabilities, data.to_vec())),
        read_full_status().prop_map(|data| (ServiceAction::ReadFullStatus, data.emit())),
    ]
}

/// Something that looks like an answer: a header, and a list that may be as long as that says.
fn answer_like() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0..200_u32, any::<u32>()];
    prop_oneof![
        bytes(64),
        whole_answer().prop_map(|(_, data)| data),
        (any::<u32>(), length, bytes(200)).prop_map(|(generation, length, list)| {
            [
                &generation.to_be_bytes()[..],
                &length.to_be_bytes()[..],
                &list,
            ]
            .concat()
        }),
        (whole_answer(), any::<(usize, u8)>()).prop_map(|((_, mut data), (place, byte))| {
            let place = place % data.len();
            data[place] = byte;
            data
        }),
    ]
}

fn sense() -> impl Strategy<Value = Vec<u8>> {
    let real = (0x6f..=0x74_u8, bytes(80)).prop_map(|(code, mut sense)| {
        sense.iter_mut().take(1).for_each(|byte| *byte = code);
        sense
    });
    prop_oneof![Just(Vec::new()), bytes(20), real]
}

/// A number that is mostly 0.
fn mostly_zero(other: impl Strategy<Value = u32> + 'static) -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0), 1 => other]
}

fn answer(data: impl Strategy<Value = Vec<u8>> + 'static) -> impl Strategy<Value = Answer> {
    let status = prop_oneof![6 => Just(0), 2 => Just(2), 1 => Just(0x18), 1 => any::<u8>()];
    let driver = prop_oneof![1 => Just(8), 1 => any::<u32>()];
    let residual = prop_oneof![6 => Just(0), 2 => -2..=64_i64, 1 => any::<i64>()];
    let refused = prop_oneof![8 => Just(None), 1 => (1..140).prop_map(Some), 1 => Just(Some(1))];
    (
        refused,
        status,
        mostly_zero(any::<u32>()),
        mostly_zero(driver),
        residual,
        sense(),
        data,
    )
        .prop_map(
            |(errno, status, host_status, driver_status, residual, sense, data)| Answer {
                data,
                errno,
                residual: Some(residual),
                completion: Completion {
                    status: ScsiStatus(status),
                    host_status: HostStatus(host_status),
                    driver_status: DriverStatus(driver_status),
                    sense,
                    ..Completion::default()
                },
            },
        )
}

fn word() -> impl Strategy<Value = OsString> {
    prop_oneof![
        8 => select(&WORDS[..]).prop_map(<[u8]>::to_vec),
        1 => vec(1..=0xff_u8, 0..20),
        1 => "-{1,2}[a-zA-Z_?-]{0,12}(=[0-9a-fx+]{0,6})?".prop_map(String::into_bytes),
    ]
    .prop_map(OsString::from_vec)
}

/// A command line that asks for something, with anything besides.
fn words() -> impl Strategy<Value = Vec<OsString>> {
    let reads = select(vec![
        "-k", "-r", "-s", "-c", "-nk", "-nr", "-ns", "-nc", "-nkH", "-nsHH", "-nvvvs",
    ]);
    let changes = select(vec![
        "-oG", "-noI", "-noR", "-oL", "-noC", "-noPv", "-onA", "-onzvv",
    ]);
    // What the original does not have.
    let additions = select(vec![
        "--has-key=12ab",
        "--holder-is=12ab",
        "--reserved",
        "--overview",
        "--overview /dev/sdb",
        "-onG --verify",
        "-oI -S12ab --verify --ua-retries=2",
        "-noI -S12ab -Z --verify",
        "-noG -S12ab -Y --verify",
        "-noC -K12ab --verify",
        "-nk --ua-retries=3",
        "-k --json",
        "-oG --dry-run",
    ]);
    let command = prop_oneof![2 => reads, 1 => changes, 1 => additions];
    prop_oneof![
        vec(word(), 0..8),
        (command, vec(word(), 0..2)).prop_map(|(command, others)| {
            let first = command.split(' ').chain(["/dev/sda"]).map(OsString::from);
            first.chain(others).collect()
        }),
    ]
}

/// A run in which anything can happen.
fn scene() -> impl Strategy<Value = (Scene, Anything)> {
    let environment =
        any::<[bool; 3]>().prop_map(|[posixly_correct, in_readonly, show]| Environment {
            posixly_correct,
            in_readonly,
            show_invocation: show,
            ..Environment::default()
        });
    let line = select(vec![
        "sas,5000c50005b32001",
        "iqn.a\t# c",
        "06 00,01",
        "#",
        "zz",
        "\r",
    ]);
    let lines = vec(line, 0..40).prop_map(|lines| lines.join("\n").into_bytes());
    let stdout_error = prop_oneof![8 => Just(None), 1 => Just(Some(28)), 1 => Just(Some(32))];
    (
        words(),
        environment,
        option::of(prop_oneof![lines, bytes(100)]),
        vec(prop_oneof![6 => Just(0), 1 => 1..140], 0..3),
        vec(answer(answer_like()), 0..5),
        any::<(bool, bool)>(),
        stdout_error,
    )
        .prop_map(
            |(words, environment, everywhere, opens, answers, terminals, stdout_error)| {
                let scene = Scene {
                    environment,
                    texts: Texts {
                        everywhere,
                        ..Texts::default()
                    },
                    terminals,
                    stdout_error,
                    ..Scene::of(words)
                };
                (scene, Anything { opens, answers })
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn keys_come_back(data in read_keys()) {
        prop_assert_eq!(ReadKeys::parse(&data.emit()), Ok(data));
    }

    #[test]
    fn reservations_come_back(data in read_reservation()) {
        prop_assert_eq!(ReadReservation::parse(&data.emit()), Ok(data));
    }

    #[test]
    fn capabilities_come_back(data in capabilities()) {
        let parsed = Capabilities::parse(&data).unwrap();
        prop_assert_eq!(parsed.emit(), data);
        prop_assert_eq!(Capabilities::parse(&parsed.emit()), Ok(parsed));
    }

    #[test]
    fn full_status_comes_back(data in read_full_status()) {
        prop_assert_eq!(ReadFullStatus::parse(&data.emit()), Ok(data));
    }

    #[test]
    fn no_part_of_an_answer_is_an_answer((action, data) in whole_answer()) {
        prop_assert!(action.parse(&data).is_ok());
        for end in 0..data.len() {
            let error = action.parse(&data[..end]).unwrap_err();
            // Whoever asks for more bytes than came is told for how many.
            prop_assert!(error.needed().is_none_or(|needed| needed > end as u64));
        }
    }

    #[test]
    fn what_follows_an_answer_is_not_part_of_it(
        (action, data) in whole_answer(),
        more in bytes(20),
    ) {
        let longer = [&data[..], &more].concat();
        prop_assert_eq!(action.parse(&longer), action.parse(&data));
    }

    #[test]
    fn any_bytes_are_an_answer_or_none(
        action in select(&ACTIONS[..]),
        data in answer_like(),
        count in 0..5_u8,
    ) {
        let parsed = action.parse(&data);
        prop_assert_eq!(parsed.is_ok(), checks::is_whole(action.code(), &data));
        prop_assert!(hex::came(count, &data).len() <= 16 + 5 * data.len());
        let Ok(answer) = parsed else {
            return Ok(());
        };
        prop_assert!(hex::answer(action, count, &data).len() <= 100 + 5 * data.len());
        let shown = text::answer(&answer, count, DeviceText::Printable);
        prop_assert!(shown.len() <= 2048 + 16 * data.len());
        prop_assert!(shown.iter().all(|byte| matches!(byte, b'\n' | 0x20..=0x7e)));
        prop_assert_eq!(text::answer(&answer, count, DeviceText::Raw).len(), shown.len());
    }

    #[test]
    fn transport_ids_come_back(id in transport_ids()) {
        let exact = TransportId::from_bytes(id.as_bytes());
        prop_assert_eq!(exact.as_ref(), Ok(&id));
        let typed = TransportId::from_typed(id.as_bytes());
        prop_assert_eq!(typed.as_ref(), Ok(&id));
        for end in 0..id.as_bytes().len() {
            prop_assert!(TransportId::from_bytes(&id.as_bytes()[..end]).is_err());
            prop_assert!(!TransportId::received(&id.as_bytes()[..end]).is_whole());
        }
    }

    #[test]
    fn transport_ids_come_back_from_their_text(ids in vec(transport_ids(), 1..5)) {
        for id in &ids {
            let text = id.to_argument();
            let again = checks::read_back(text.as_bytes()).unwrap();
            prop_assert!(again.len() == 1 && checks::same(&again[0], id), "{}", text);
        }
        let lines: String = ids.iter().map(|id| format!(" {} # c\r\n", id.to_argument())).collect();
        let again = checks::read_file(lines.as_bytes()).unwrap();
        prop_assert_eq!(again.len(), ids.len());
        for (again, id) in again.iter().zip(&ids) {
            prop_assert!(checks::same(again, id));
        }
    }

    #[test]
    fn any_text_is_some_transport_ids_or_none(text in bytes(100), words in ".{0,60}") {
        for text in [&text[..], words.as_bytes()] {
            let read = [checks::read_back(text), checks::read_file(text)];
            for ids in read.into_iter().flatten() {
                prop_assert!(!ids.is_empty());
                for id in ids {
                    prop_assert!(id.as_bytes().len() >= 24);
                    let again = checks::read_back(id.to_argument().as_bytes()).unwrap();
                    prop_assert!(again.len() == 1 && checks::same(&again[0], &id));
                }
            }
        }
    }

    #[test]
    fn any_bytes_make_a_block_of_lines(frame in bytes(100)) {
        let block = transport_id::block("> ", &frame, DeviceText::Printable);
        prop_assert!(block.len() <= 300 + 6 * frame.len());
        prop_assert_eq!(block.last(), Some(&b'\n'));
        let lines = block.split_inclusive(|&byte| byte == b'\n');
        prop_assert!(lines.into_iter().all(|line| line.starts_with(b"> ")));
        prop_assert!(block.iter().all(|byte| matches!(byte, b'\n' | 0x20..=0x7e)));
    }

    #[test]
    fn any_inquiry_data_is_two_lines(data in bytes(40)) {
        let parsed = StandardInquiry::parse(&data);
        prop_assert_eq!(parsed.is_ok(), data.len() >= 4);
        if let Ok(inquiry) = parsed {
            let shown = text::inquiry(&inquiry, DeviceText::Printable);
            prop_assert_eq!(shown.iter().filter(|&&byte| byte == b'\n').count(), 2);
            prop_assert!(shown.len() <= 128);
        }
    }

    #[test]
    fn any_sense_data_has_words(sense in sense()) {
        let words = sense::describe(&sense, true);
        prop_assert_eq!(words.last(), Some(&b'\n'));
        prop_assert!(words.len() <= 1024 + 100 * sense.len());
        let known = sense.len() >= 3 && matches!(sense[0] & 0x7f, 0x70..=0x73);
        prop_assert_eq!(Sense::parse(&sense).is_some(), known);
    }

    #[test]
    fn success_needs_every_status(answer in answer(Just(Vec::new()))) {
        let completion = answer.completion(0);
        prop_assert_eq!(completion.check().is_ok(), checks::carried_out(&completion));
        for requested in [0, 36, 8192] {
            let moved = i64::try_from(requested).unwrap().checked_sub(completion.residual);
            let expected = moved
                .and_then(|moved| usize::try_from(moved).ok())
                .filter(|&moved| moved <= requested);
            prop_assert_eq!(completion.transferred(requested).ok(), expected);
        }
    }

    #[test]
    fn hexadecimal_numbers_come_back(number in any::<u64>(), zeros in 0..30_usize) {
        let zeros = "0".repeat(zeros);
        for text in [
            format!("{zeros}{number:x}"),
            format!("0x{zeros}{number:X}"),
            format!(" \t0X{zeros}{number:x} "),
        ] {
            prop_assert_eq!(hex64(text.as_bytes()), Some(number));
            prop_assert_eq!(hex64(format!("{text}g").as_bytes()), None);
            prop_assert_eq!(hex64(format!("-{text}").as_bytes()), None);
        }
        prop_assert_eq!(hex64(format!("1{number:016x}").as_bytes()), None);
    }

    #[test]
    fn lengths_come_back(number in 0..0x7fff_ffff_i32, text in "[0-9xXhHkKmMgGbBcCwWiI+# ,-]{0,30}") {
        prop_assert_eq!(maxlen(number.to_string().as_bytes()), Ok(number));
        prop_assert_eq!(maxlen(format!("0x{number:x}").as_bytes()), Ok(number));
        prop_assert_eq!(maxlen(format!("{number:x}h").as_bytes()), Ok(number));
        prop_assert_eq!(maxlen(format!("{number}+0").as_bytes()), Ok(number));
        // Anything else is a number or none.
        let _ = maxlen(text.as_bytes());
    }

    #[test]
    fn no_run_misleads((scene, device) in scene()) {
        checks::play(&scene, &device);
    }

    #[test]
    fn a_whole_answer_is_shown((action, data) in whole_answer(), hex in 0..4_usize) {
        let letter = ["k", "r", "c", "s"][usize::from(action.code())];
        let words = [format!("-n{letter}{}", "H".repeat(hex)), "/dev/sda".to_owned()];
        let device = Anything {
            answers: vec![with_data(&data)],
            ..Anything::default()
        };
        prop_assert_eq!(checks::play(&Scene::of(words.map(OsString::from)), &device), 0);
    }
}
