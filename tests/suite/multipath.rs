//! Whole runs on multipath maps: what becomes of the logical unit, whatever happens to the paths.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::target::{self, Fault, Nexus, PathTo, Stage, Wire};
use crate::common::world::Alone;
use sg_persist::cli::request::Environment;
use sg_persist::cli::transport_ids::Input;
use sg_persist::clock::Clock;
use sg_persist::host_ports::PathPorts;
use sg_persist::multipath::Maps;
use sg_persist::multipath::lock::Lock;
use sg_persist::multipath::{BlockNumber, Map, MapPath, PathKind, PathState, TopologyError};
use sg_persist::output::FileSystem;
use sg_persist::pr::transport_id::TransportId;
use sg_persist::run::{World, run};
use sg_persist::transport::remote::Nodes;
use sg_persist::transport::{Access, Closed, Node, NodeKind, Open, Transport};

/// Our initiator port, and that of another node.
const US: u64 = 0x5000_c500_0000_0001;
const THEM: u64 = 0x5000_c500_0000_0002;

/// Our nexuses over the first and the second target port, and those of the other node.
const US_1: Nexus = (US, 1);
const US_2: Nexus = (US, 2);
const THEM_1: Nexus = (THEM, 1);
const THEM_2: Nexus = (THEM, 2);

const MAP: &str = "/dev/mapper/mpatha";

/// Two nodes with two paths each to one logical unit. On this one the paths are sda and sdb, and
/// mpatha is the map over them.
struct Scene {
    stage: Arc<Mutex<Stage>>,
    /// What sysfs says of the paths, each time that it is asked: the last of them again and again.
    told: Mutex<Vec<Vec<MapPath>>>,
    asked: AtomicUsize,
    /// How long the lock was waited for.
    locked_within: Mutex<Duration>,
    own: Vec<TransportId>,
    groups: AtomicUsize,
    /// Set by a signal.
    stop: Arc<AtomicBool>,
    /// When the last run was over.
    ended: Mutex<Duration>,
}

fn path(index: usize) -> MapPath {
    let name = format!("sd{}", char::from(b'a' + u8::try_from(index).unwrap()));
    MapPath {
        node: format!("/dev/{name}").into(),
        name,
        number: BlockNumber {
            major: 8,
            minor: 16 * index as u64,
        },
        state: PathState::Running,
        access: None,
        is_preferred: false,
        dm: None,
        kind: PathKind::Scsi,
        is_gone: false,
    }
}

struct Ran {
    status: u8,
    stdout: String,
    stderr: String,
    /// The service actions sent, each with the path: "a:00" is REGISTER over sda; INQUIRY and what
    /// reads is left out.
    changes: Vec<String>,
}

impl Ran {
    #[track_caller]
    fn is(&self, status: u8, stdout: &str, stderr: &[&str]) -> &Self {
        assert_eq!(
            (self.status, &self.stdout[..]),
            (status, stdout),
            "{}",
            self.stderr
        );
        for part in stderr {
            assert!(self.stderr.contains(part), "{part}\n---\n{}", self.stderr);
        }
        if stderr.is_empty() {
            assert_eq!(self.stderr, "");
        }
        self
    }

    #[track_caller]
    fn sent(&self, changes: &[&str]) -> &Self {
        assert_eq!(self.changes, changes, "{}", self.stderr);
        self
    }
}

impl Scene {
    fn new() -> Self {
        Self::of(&[US_1, US_2])
    }

    fn of(nexuses: &[Nexus]) -> Self {
        let paths = nexuses.iter().map(|&nexus| PathTo { nexus, fault: None });
        let mut stage = Stage {
            paths: paths.collect(),
            ..Stage::default()
        };
        stage.unit.has_full_status = true;
        Self {
            stage: Arc::new(Mutex::new(stage)),
            told: Mutex::new(vec![(0..nexuses.len()).map(path).collect()]),
            asked: AtomicUsize::new(0),
            locked_within: Mutex::default(),
            own: vec![TransportId::sas(US)],
            groups: AtomicUsize::new(0),
            stop: Arc::default(),
            ended: Mutex::default(),
        }
    }

    fn stage(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.stage.lock().unwrap()
    }

    fn fault(self, path: usize, fault: Fault) -> Self {
        self.stage().paths[path].fault = Some(fault);
        self
    }

    fn state(self, path: usize, state: PathState) -> Self {
        for told in self.told.lock().unwrap().iter_mut() {
            told[path].state = state;
        }
        self
    }

    fn registered(self, keys: &[(Nexus, u64)]) -> Self {
        self.stage().unit.keys.extend(keys.iter().copied());
        self
    }

    fn held(self, holder: Nexus, kind: u8) -> Self {
        self.stage().unit.holder = Some((Some(holder), kind));
        self
    }

    fn held_by_all(self, kind: u8) -> Self {
        self.stage().unit.holder = Some((None, kind));
        self
    }

    fn without_full_status(self) -> Self {
        self.stage().unit.has_full_status = false;
        self
    }

    fn event(self, event: impl FnMut(usize, &[u8], &mut Stage) + Send + 'static) -> Self {
        self.stage().event = Some(Box::new(event));
        self
    }

    #[track_caller]
    fn has(&self, keys: &[(Nexus, u64)]) -> &Self {
        let found: Vec<(Nexus, u64)> = self
            .stage()
            .unit
            .keys
            .iter()
            .map(|(&nexus, &key)| (nexus, key))
            .collect();
        assert_eq!(found, keys);
        self
    }

    #[track_caller]
    fn is_held_by(&self, holder: Option<(Nexus, u8)>) -> &Self {
        let expected = holder.map(|(nexus, kind)| (Some(nexus), kind));
        assert_eq!(self.stage().unit.holder, expected);
        self
    }

    fn run(&self, words: &str) -> Ran {
        let mut stdout = Vec::new();
        let ran = self.run_into(words, &mut stdout);
        Ran {
            stdout: String::from_utf8(stdout).unwrap(),
            ..ran
        }
    }

    /// With this standard output, which is no part of what is returned.
    fn run_into(&self, words: &str, stdout: &mut dyn io::Write) -> Ran {
        self.stage().sent.clear();
        let argv: Vec<OsString> = std::iter::once("sg_persist")
            .chain(words.split_whitespace())
            .map(Into::into)
            .collect();
        let mut stderr = Vec::new();
        let clock = Still(Mutex::new(Duration::ZERO));
        let status = run(World {
            argv: &argv,
            environment: Environment::default(),
            input: &mut Nothing,
            devices: self,
            clock: &clock,
            output: &mut FileSystem,
            own_ports: &|_| self.own.clone(),
            path_ports: &|_| PathPorts {
                ports: self.own.clone(),
                is_one_path: true,
            },
            maps: self,
            stdout,
            stdout_is_terminal: &|| false,
            stderr: &mut stderr,
            stderr_is_terminal: &|| false,
            beside: &Alone,
        });
        *self.ended.lock().unwrap() = clock.now();
        let changes = self
            .stage()
            .sent
            .iter()
            .filter(|(_, bytes)| bytes[0] == 0x5f)
            .map(|(path, bytes)| {
                let letter = char::from(b'a' + u8::try_from(*path).unwrap());
                format!("{letter}:{:02x}", bytes[1])
            })
            .collect();
        Ran {
            status: status.code(),
            stdout: String::new(),
            stderr: String::from_utf8(stderr).unwrap(),
            changes,
        }
    }
}

struct Nothing;

impl Input for Nothing {
    fn stdin(&mut self) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn file(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

struct Still(Mutex<Duration>);

impl Clock for Still {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wait(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

/// The map's own node, which takes no command, and those of the paths.
impl Open for Scene {
    fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
        assert_ne!(device, Path::new(MAP), "the map itself was opened");
        Ok(Box::new(Numbered))
    }
}

/// `/dev/dm-1`, by another name.
struct Numbered;

impl Transport for Numbered {
    fn execute(
        &mut self,
        _: sg_persist::transport::Command<'_>,
    ) -> io::Result<sg_persist::transport::Completion> {
        Closed.execute(sg_persist::transport::Command {
            cdb: sg_persist::scsi::inquiry::cdb(),
            data: sg_persist::transport::Data::None,
            timeout: Duration::ZERO,
        })
    }

    fn node(&self) -> Node {
        Node {
            kind: NodeKind::Block,
            block: Some((253, 1)),
            ..Node::default()
        }
    }
}

impl Maps for Scene {
    fn number(&self, device: &Path) -> Option<BlockNumber> {
        let name = device.to_str().unwrap();
        let path = name
            .strip_prefix("/dev/sd")
            .map(|_| target::path_of(device));
        Some(match path {
            None => BlockNumber {
                major: 253,
                minor: 1,
            },
            Some(path) => BlockNumber {
                major: 8,
                minor: 16 * path as u64,
            },
        })
    }

    fn identities(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }

    fn below(&self, device: BlockNumber) -> Result<Option<Map>, TopologyError> {
        if device.major != 253 {
            return Ok(None);
        }
        let told = self.told.lock().unwrap();
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Map {
            name: "mpatha".to_owned(),
            number: device,
            suspended: false,
            paths: told[asked.min(told.len() - 1)].clone(),
        }))
    }

    fn above(&self, _: BlockNumber) -> Result<Option<Map>, TopologyError> {
        self.below(BlockNumber {
            major: 253,
            minor: 1,
        })
    }

    fn lock(&self, _: BlockNumber, within: Duration) -> Option<Lock> {
        *self.locked_within.lock().unwrap() = within;
        None
    }

    fn watch_signals(&self) -> Option<Arc<AtomicBool>> {
        Some(Arc::clone(&self.stop))
    }

    fn nodes(&self) -> io::Result<Box<dyn Nodes>> {
        self.groups.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Wire::new(&self.stage)))
    }
}

const K: u64 = 0xabc;
const J: u64 = 0xdef;

const KEYS: &str = "  PR generation=0x0, 1 registered reservation key follows:\n    0xdef\n\n";

fn keys(text: &str) -> String {
    text.trim_end_matches('\n').to_owned() + "\n"
}

// A. Finding and choosing paths.

#[test]
fn a_path_that_is_offline_is_not_asked() {
    let scene = Scene::new()
        .registered(&[(THEM_1, J)])
        .state(0, PathState::Offline)
        .fault(0, Fault::Errno(libc::ENODEV));
    for _ in 0..3 {
        scene
            .run("-n -k /dev/mapper/mpatha")
            .is(0, &keys(KEYS), &[]);
    }
}

#[test]
fn a_path_that_died_unseen_is_passed_over() {
    for fault in [
        Fault::Errno(libc::ENODEV),
        Fault::Errno(libc::ENXIO),
        Fault::Sense(2, 4, 0x0b),
        Fault::Sense(2, 4, 0x0c),
        Fault::Sense(5, 0x25, 0),
        Fault::OtherNumber,
    ] {
        let scene = Scene::new().registered(&[(THEM_1, J)]).fault(0, fault);
        let ran = scene.run("-n -k /dev/mapper/mpatha");
        ran.is(0, &keys(KEYS), &[]);
    }
}

#[test]
fn a_silent_path_is_waited_for_a_second() {
    let scene = Scene::new()
        .registered(&[(THEM_1, J)])
        .fault(0, Fault::Slow(Duration::from_secs(120)));
    scene
        .run("-n -k /dev/mapper/mpatha")
        .is(0, &keys(KEYS), &[]);
    scene.run("--has-key=def /dev/mapper/mpatha").is(0, "", &[]);
}

#[test]
fn where_all_paths_are_silent_the_first_answer_counts() {
    let scene = Scene::new()
        .registered(&[(THEM_1, J)])
        .fault(0, Fault::Slow(Duration::from_secs(9)))
        .fault(1, Fault::Slow(Duration::from_secs(5)));
    scene
        .run("-n -k /dev/mapper/mpatha")
        .is(0, &keys(KEYS), &[]);
}

#[test]
fn no_path_is_a_transport_error() {
    let scene = Scene::new()
        .state(0, PathState::Offline)
        .fault(1, Fault::Errno(libc::ENODEV));
    scene
        .run("-n -k /dev/mapper/mpatha")
        .is(35, "", &["PR in (Read keys)"]);
    for words in ["-n -o -C -K abc", "-n -o -G -S abc", "-n -o -I -S abc"] {
        let ran = scene.run(&format!("{words} {MAP}"));
        ran.is(35, "", &["sda", "offline", "sdb"]).sent(&[]);
    }
}

#[test]
fn where_no_path_is_ready_that_is_the_answer() {
    let scene = Scene::new()
        .fault(0, Fault::Sense(2, 4, 0x0c))
        .fault(1, Fault::Sense(2, 4, 0x0c));
    assert_eq!(scene.run("-n -k /dev/mapper/mpatha").status, 13);
}

#[test]
fn an_answer_that_makes_no_sense_is_not_hidden_by_another_path() {
    let scene = Scene::new()
        .registered(&[(THEM_1, J)])
        .fault(0, Fault::Short);
    assert_eq!(scene.run("-n -k /dev/mapper/mpatha").status, 97);
}

#[test]
fn a_device_by_another_name_is_its_map_too() {
    let scene = Scene::new().registered(&[(THEM_1, J)]);
    scene.run("-n -k /dev/vg/lv").is(0, &keys(KEYS), &[]);
    assert_eq!(scene.groups.load(Ordering::Relaxed), 1);
    scene
        .run("--all-paths -n -o -G -S abc /dev/sdb")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K), (THEM_1, J)]);
}

#[test]
fn paths_of_different_units_are_refused() {
    for (fault, words) in [
        (Fault::OtherUnit, "lead to different logical units"),
        (Fault::NoIdentity, "does not tell which"),
    ] {
        let scene = Scene::new()
            .registered(&[(US_1, K), (US_2, K)])
            .fault(1, fault);
        for change in ["-C -K abc", "-G -S def -K abc", "-P -K abc -S def -T 5"] {
            let ran = scene.run(&format!("-n -o {change} {MAP}"));
            assert!(ran.stderr.contains(words), "{} {}", ran.status, ran.stderr);
            assert!(ran.status == 97 || ran.status == 5, "{}", ran.status);
            ran.sent(&[]);
        }
    }
}

#[test]
fn a_path_that_comes_while_it_is_registered_is_taken_in() {
    let scene = Scene::of(&[US_1, US_2]);
    *scene.told.lock().unwrap() = vec![vec![path(0)], vec![path(0), path(1)]];
    scene
        .run("-n -o -G -S abc /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K)]);
}

// B. Registering.

/// The node of the map is not even opened.
pub(crate) fn registers_both_paths() {
    let scene = Scene::new();
    scene
        .run("-n -o -G -S abc /dev/mapper/mpatha")
        .is(0, "", &[])
        // And whether the first one is registered still.
        .sent(&["a:00", "b:00", "a:00"]);
    scene.has(&[(US_1, K), (US_2, K)]);
}

#[test]
fn a_map_is_registered_by_all_its_paths() {
    for action in ["-G", "-I"] {
        let scene = Scene::of(&[US_1, US_2, (US, 3), (US, 4)]);
        scene
            .run(&format!("-n -o {action} -S abc {MAP}"))
            .is(0, "", &[]);
        scene.has(&[(US_1, K), (US_2, K), ((US, 3), K), ((US, 4), K)]);
        // Once more: nothing is lost by it.
        scene.run(&format!("-n -o -I -S abc {MAP}")).is(0, "", &[]);
        scene.run(&format!("-n -o -G -S abc {MAP}")).is(0, "", &[]);
        scene.has(&[(US_1, K), (US_2, K), ((US, 3), K), ((US, 4), K)]);
    }
}

#[test]
fn a_path_that_has_the_key_already_is_fine() {
    let scene = Scene::new().registered(&[(US_2, K)]);
    scene
        .run("-n -o -G -S abc /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K)]);
}

#[test]
fn a_path_with_another_key_undoes_it() {
    let scene = Scene::new().registered(&[(US_2, J)]);
    let ran = scene.run("-n -o -G -S abc /dev/mapper/mpatha");
    ran.is(24, "", &["path sdb", "0xdef"]);
    scene.has(&[(US_2, J)]);
    scene
        .run("-n -o -I -S abc /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K)]);
}

#[test]
fn a_key_that_is_replaced_comes_back() {
    let scene = Scene::new()
        .registered(&[(US_1, J), (US_2, J)])
        .fault(1, Fault::SenseOut(5, 0x26, 0));
    let ran = scene.run("-n -o -G -K def -S abc /dev/mapper/mpatha");
    assert_eq!(ran.status, 19, "{}", ran.stderr);
    scene.has(&[(US_1, J), (US_2, J)]);
    let scene = Scene::new().registered(&[(US_1, J), (US_2, J)]);
    scene
        .run("-n -o -G -K def -S abc /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K)]);
}

#[test]
fn a_dead_path_keeps_the_others_registered() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K)])
        .fault(1, Fault::Errno(libc::ENODEV));
    let ran = scene.run("-n -o -I -S abc /dev/mapper/mpatha");
    ran.is(0, "", &["path sdb of mpatha was not reached"]);
    scene.has(&[(US_1, K), (US_2, K)]);
}

#[test]
fn every_path_takes_every_path() {
    for fault in [Fault::Errno(libc::ENODEV), Fault::Sense(2, 4, 0x0c)] {
        let scene = Scene::new().fault(1, fault);
        let ran = scene.run("-n -o -G -S abc --every-path /dev/mapper/mpatha");
        ran.is(35, "", &["sdb"]);
        scene.has(&[]);
    }
}

#[test]
fn a_path_that_dies_meanwhile() {
    let dies = |fault| {
        Scene::new().event(move |path, cdb, stage| {
            if path == 1 && cdb[0] == 0x5f {
                stage.paths[1].fault = Some(fault);
            }
        })
    };
    let scene = dies(Fault::Errno(libc::ENODEV));
    let ran = scene.run("-n -o -G -S abc /dev/mapper/mpatha");
    ran.is(0, "", &["path sdb of mpatha was not reached"]);
    scene.has(&[(US_1, K)]);
    let scene = dies(Fault::Errno(libc::ENODEV));
    let ran = scene.run("-n -o -G -S abc --every-path /dev/mapper/mpatha");
    assert_ne!(ran.status, 0);
    scene.has(&[]);
    // It may have got there.
    let scene = dies(Fault::CommandLost);
    let ran = scene.run("-n -o -G -S abc /dev/mapper/mpatha");
    ran.is(
        0,
        "",
        &["path sdb of mpatha: what became of it there is not known"],
    );
    scene.has(&[(US_1, K)]);
}

#[test]
fn an_answer_that_was_lost_once_is_asked_after() {
    let scene = Scene::new().event(|path, cdb, stage| {
        let first = stage.paths[1].fault.is_none();
        if path == 1 && cdb[0] == 0x5f {
            stage.paths[1].fault = first.then_some(Fault::AnswerLost);
        }
    });
    scene
        .run("-n -o -G -S abc /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K)]);
}

#[test]
fn a_slow_path_is_waited_for_at_the_end() {
    let scene = Scene::of(&[US_1, US_2, (US, 3)]).event(|path, cdb, stage| {
        let slow = Fault::Slow(Duration::from_secs(20));
        stage.paths[path].fault = (path == 1 && cdb[0] == 0x5f).then_some(slow);
    });
    scene
        .run("-n -o -G -S abc /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K), ((US, 3), K)]);
}

#[test]
fn unregistering_leaves_nothing() {
    for words in ["-G -K abc", "-I -S 0"] {
        let scene = Scene::new()
            .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
            .held(US_1, 5);
        scene.run(&format!("-n -o {words} {MAP}")).is(0, "", &[]);
        scene.has(&[(THEM_1, J)]).is_held_by(None);
    }
}

#[test]
fn a_dead_path_is_unregistered_by_the_last_one() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
        .fault(1, Fault::Errno(libc::ENODEV));
    scene
        .run("-n -o -G -K abc /dev/mapper/mpatha")
        .is(0, "", &["sdb"]);
    scene.has(&[(THEM_1, J)]);
    // Not where another node has the key as well, or where it is not told who does.
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, K)])
        .fault(1, Fault::Errno(libc::ENODEV));
    assert_eq!(scene.run("-n -o -G -K abc /dev/mapper/mpatha").status, 38);
    scene.has(&[(US_2, K), (THEM_1, K)]);
    let scene = Scene::new()
        .without_full_status()
        .registered(&[(US_1, K), (US_2, K)])
        .fault(1, Fault::Errno(libc::ENODEV));
    assert_eq!(scene.run("-n -o -G -K abc /dev/mapper/mpatha").status, 38);
    scene.has(&[(US_2, K)]);
}

#[test]
fn registrations_are_unregistered_only_where_they_are_ours() {
    let scene = Scene::new().registered(&[(THEM_1, K)]);
    let ran = scene.run("-n -o -G -K abc /dev/mapper/mpatha");
    assert_eq!(ran.status, 24);
    scene.has(&[(THEM_1, K)]);
}

// C. Reserving.

#[test]
fn any_path_reserves() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K)])
        .held(US_1, 5);
    // Already held by the first path: another path alone would conflict.
    scene
        .run("-n -o -R -K abc -T 5 /dev/mapper/mpatha")
        .is(0, "", &[]);
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K)])
        .held(US_2, 5);
    scene
        .run("-n -o -R -K abc -T 5 /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.is_held_by(Some((US_2, 5)));
    // A path that is just back is not registered.
    let scene = Scene::new().registered(&[(US_2, K)]);
    scene
        .run("-n -o -R -K abc -T 5 /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.is_held_by(Some((US_2, 5)));
}

#[test]
fn a_reservation_of_our_own_dead_path_is_ours() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
        .held(US_1, 5)
        .fault(0, Fault::Errno(libc::ENODEV));
    let ran = scene.run("-n -o -R -K abc -T 5 /dev/mapper/mpatha");
    ran.is(0, "", &["held by this host already"]);
    // Not with another type, not by another node with the same key, not without evidence.
    assert_eq!(
        scene.run("-n -o -R -K abc -T 6 /dev/mapper/mpatha").status,
        24
    );
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, K)])
        .held(THEM_1, 5);
    assert_eq!(
        scene.run("-n -o -R -K abc -T 5 /dev/mapper/mpatha").status,
        24
    );
    let scene = Scene::new()
        .without_full_status()
        .registered(&[(US_1, K), (US_2, K)])
        .held(US_1, 5)
        .fault(0, Fault::Errno(libc::ENODEV));
    assert_eq!(
        scene.run("-n -o -R -K abc -T 5 /dev/mapper/mpatha").status,
        24
    );
}

#[test]
fn a_lost_reserve_is_settled() {
    for (fault, holder) in [(Fault::AnswerLost, US_1), (Fault::CommandLost, US_2)] {
        let scene = Scene::new()
            .registered(&[(US_1, K), (US_2, K)])
            .fault(0, fault);
        scene
            .run("-n -o -R -K abc -T 5 /dev/mapper/mpatha")
            .is(0, "", &[]);
        scene.is_held_by(Some((holder, 5)));
    }
}

#[test]
fn one_path_alone_is_warned_of() {
    let scene = Scene::new().registered(&[(US_1, K), (US_2, K)]);
    let ran = scene.run("-n -o -R -K abc -T 1 /dev/mapper/mpatha");
    ran.is(0, "", &["lets the one path that holds it write"]);
}

// D. Releasing.

#[test]
fn the_holder_is_among_the_paths_that_release() {
    for holder in [US_1, US_2] {
        let scene = Scene::new()
            .registered(&[(US_1, K), (US_2, K)])
            .held(holder, 5);
        scene
            .run("-n -o -L -K abc -T 5 /dev/mapper/mpatha")
            .is(0, "", &[]);
        scene.is_held_by(None);
    }
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K)])
        .held_by_all(7);
    scene
        .run("-n -o -L -K abc -T 7 /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.is_held_by(None);
}

#[test]
fn a_holder_out_of_reach_keeps_it() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
        .held(US_1, 5)
        .fault(0, Fault::Errno(libc::ENODEV));
    let ran = scene.run("-n -o -L -K abc -T 5 /dev/mapper/mpatha");
    ran.is(37, "", &["still held with key 0xabc"]);
    scene.has(&[(US_1, K), (US_2, K), (THEM_1, J)]);
}

#[test]
fn what_others_hold_is_left_alone() {
    // With their own key, and with ours.
    for key in [J, K] {
        let scene = Scene::new()
            .registered(&[(US_1, K), (US_2, K), (THEM_1, key)])
            .held(THEM_1, 5);
        scene
            .run("-n -o -L -K abc -T 5 /dev/mapper/mpatha")
            .is(0, "", &[]);
        scene.is_held_by(Some((THEM_1, 5)));
    }
}

#[test]
fn the_wrong_type_is_refused() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K)])
        .held(US_1, 5);
    let ran = scene.run("-n -o -L -K abc -T 6 /dev/mapper/mpatha");
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    ran.sent(&["a:02"]);
    scene.is_held_by(Some((US_1, 5)));
}

// E. Preempting and clearing.

fn fence(scene: Scene) -> Scene {
    scene
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J), (THEM_2, J)])
        .held(THEM_1, 5)
}

#[test]
fn a_fence_goes_over_the_first_path_that_can() {
    for fault in [
        Fault::Errno(libc::ENODEV),
        Fault::Sense(2, 4, 0x0c),
        Fault::SenseOut(2, 4, 0x0c),
        Fault::CommandLost,
    ] {
        let scene = fence(Scene::new()).fault(0, fault);
        let ran = scene.run("-n -o -A -K abc -S def -T 5 /dev/mapper/mpatha");
        assert_eq!(ran.status, 0, "{fault:?} {}", ran.stderr);
        scene
            .has(&[(US_1, K), (US_2, K)])
            .is_held_by(Some((US_2, 5)));
    }
    // A path that is just back is not registered.
    let scene = fence(Scene::new());
    scene.stage().unit.keys.remove(&US_1);
    let ran = scene.run("-n -o -A -K abc -S def -T 5 /dev/mapper/mpatha");
    ran.is(0, "", &[]).sent(&["a:05", "b:05"]);
    scene.has(&[(US_2, K)]).is_held_by(Some((US_2, 5)));
}

/// Whoever fences has little time: a silent path is not waited for where another one answers.
#[test]
fn a_silent_path_holds_no_change_up() {
    for state in [PathState::Running, PathState::Blocked] {
        for words in [
            "-n -o -P -K abc -S def -T 5",
            "-n -o -A -K abc -S def -T 5",
            "-n -o -L -K abc -T 5",
            "-n -o -C -K abc",
            "-n -o -I -S abc",
        ] {
            let scene = fence(Scene::new())
                .state(0, state)
                .fault(0, Fault::Slow(Duration::from_secs(120)));
            let ran = scene.run(&format!("--deadline=5 {words} {MAP}"));
            assert!(
                matches!(ran.status, 0),
                "{words}: {} {}",
                ran.status,
                ran.stderr
            );
        }
    }
    // Where none answers at once, there is no hurry.
    let scene = fence(Scene::new())
        .fault(0, Fault::Slow(Duration::from_secs(9)))
        .fault(1, Fault::Slow(Duration::from_secs(7)));
    scene
        .run("-n -o -A -K abc -S def -T 5 /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K)]);
}

#[test]
fn a_fence_whose_answer_is_lost() {
    let scene = fence(Scene::new()).fault(0, Fault::AnswerLost);
    scene
        .run("-n -o -P -K abc -S def -T 5 /dev/mapper/mpatha")
        .is(0, "", &[])
        .sent(&["a:04"]);
    scene.has(&[(US_1, K), (US_2, K)]);
    let scene = fence(Scene::new()).fault(0, Fault::AnswerLost);
    scene
        .run("-n -o -A -K abc -S def -T 5 /dev/mapper/mpatha")
        .is(38, "", &["whether its commands were aborted"])
        .sent(&["a:05"]);
}

/// The first path's command is carried out after the second one's turn has come.
#[test]
fn a_fence_that_was_late_is_done() {
    let scene = fence(Scene::new())
        .fault(0, Fault::CommandLost)
        .event(|path, cdb, stage| {
            if path == 1 && cdb[0] == 0x5f {
                stage.unit.keys.retain(|_, &mut key| key != J);
                stage.unit.holder = Some((Some(US_1), 5));
            }
        });
    let ran = scene.run("-n -o -P -K abc -S def -T 5 /dev/mapper/mpatha");
    ran.is(0, "", &[]).sent(&["a:04", "b:04"]);
}

#[test]
fn whoever_was_fenced_does_not_fence() {
    let scene = Scene::new()
        .registered(&[(THEM_1, J), (THEM_2, J)])
        .held(THEM_1, 5);
    let ran = scene.run("-n -o -A -K abc -S def -T 5 /dev/mapper/mpatha");
    assert_eq!(ran.status, 24);
    ran.sent(&["a:05", "b:05"]);
    scene.has(&[(THEM_1, J), (THEM_2, J)]);
}

#[test]
fn a_victim_that_is_not_there_is_a_conflict() {
    let scene = Scene::new().registered(&[(US_1, K), (US_2, K)]);
    let ran = scene.run("-n -o -P -K abc -S def -T 5 /dev/mapper/mpatha");
    assert_eq!(ran.status, 24);
}

#[test]
fn the_own_key_is_not_preempted_on_a_living_map() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
        .held(US_1, 5);
    let ran = scene.run("-n -o -P -K abc -S abc -T 5 /dev/mapper/mpatha");
    ran.is(0, "", &["nothing was sent"]).sent(&[]);
    scene.has(&[(US_1, K), (US_2, K), (THEM_1, J)]);
    // It would take paths away: with a registration left of a path that is gone, without evidence,
    // with all registrants.
    let scene = Scene::of(&[US_1, US_2]).registered(&[(US_1, K), (US_2, K), ((US, 3), K)]);
    let ran = scene.run("-n -o -P -K abc -S abc -T 5 /dev/mapper/mpatha");
    assert_eq!(ran.status, 31, "{}", ran.stderr);
    ran.sent(&[]);
    let scene = Scene::new()
        .without_full_status()
        .registered(&[(US_1, K), (US_2, K)]);
    let ran = scene.run("-n -o -P -K abc -S abc -T 5 /dev/mapper/mpatha");
    assert_eq!(ran.status, 31, "{}", ran.stderr);
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
        .held_by_all(7);
    let ran = scene.run("-n -o -P -K abc -S 0 -T 7 /dev/mapper/mpatha");
    assert_eq!(ran.status, 31, "{}", ran.stderr);
}

#[test]
fn a_lost_clear_is_settled() {
    for fault in [Fault::AnswerLost, Fault::CommandLost] {
        let scene = fence(Scene::new()).fault(0, fault);
        scene
            .run("-n -o -C -K abc /dev/mapper/mpatha")
            .is(0, "", &[]);
        scene.has(&[]);
    }
}

#[test]
fn what_is_about_one_nexus_is_refused() {
    let scene = fence(Scene::new());
    for words in ["-M -K abc -S 1 -X sas,0000000000000005", "-z -K abc -S 1"] {
        let ran = scene.run(&format!("-n -o {words} {MAP}"));
        assert_eq!(ran.status, 31, "{}", ran.stderr);
        ran.sent(&[]);
    }
}

// F. Unit attentions.

#[test]
fn a_unit_attention_on_each_path_costs_nothing() {
    let scene = Scene::new().registered(&[(THEM_1, J)]);
    for nexus in [US_1, US_2] {
        scene
            .stage()
            .unit
            .attentions
            .insert(nexus, vec![(0x29, 0), (0x2a, 3)]);
    }
    scene
        .run("-n -k /dev/mapper/mpatha")
        .is(0, &keys(KEYS), &[]);
    for nexus in [US_1, US_2] {
        scene.stage().unit.attentions.insert(nexus, vec![(0x29, 0)]);
    }
    scene
        .run("-n -o -G -S abc /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K), (THEM_1, J)]);
}

#[test]
fn a_node_that_was_fenced_meanwhile_does_not_come_back_unseen() {
    let scene = Scene::new().registered(&[(THEM_1, J)]);
    for nexus in [US_1, US_2] {
        scene.stage().unit.attentions.insert(nexus, vec![(0x2a, 5)]);
    }
    let ran = scene.run("-n -o -I -S abc /dev/mapper/mpatha");
    ran.is(6, "", &["Registrations preempted"]);
    assert_eq!(
        ran.stderr.matches("look at the keys").count(),
        1,
        "{}",
        ran.stderr
    );
    scene.has(&[(THEM_1, J)]);
}

#[test]
fn what_another_node_released_is_not_in_the_way() {
    let scene = Scene::new().registered(&[(US_1, K), (US_2, K), (THEM_1, J)]);
    for nexus in [US_1, US_2] {
        scene.stage().unit.attentions.insert(nexus, vec![(0x2a, 4)]);
    }
    scene
        .run("-n -o -R -K abc -T 5 /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.is_held_by(Some((US_1, 5)));
}

/// A node without a registration does not get one by a command that says that it has one.
#[test]
fn whoever_was_fenced_does_not_change_its_key() {
    let scene = Scene::new().registered(&[(THEM_1, J)]);
    scene
        .run("-n -o -G -K abc -S 123 /dev/mapper/mpatha")
        .is(24, "", &["conflict"]);
    scene.has(&[(THEM_1, J)]);
    // One path that is registered is enough for the others to be taken in.
    let scene = scene.registered(&[(US_2, K)]);
    scene
        .run("-n -o -G -K abc -S 123 /dev/mapper/mpatha")
        .is(0, "", &[]);
    scene.has(&[(US_1, 0x123), (US_2, 0x123), (THEM_1, J)]);
}

/// Fenced after its first path was registered, and before the last one was.
#[test]
fn whoever_is_fenced_while_it_registers_is_out() {
    for command in ["-G -S abc", "-I -S abc", "-G -K 123 -S abc"] {
        let scene = Scene::new().registered(&[(THEM_1, J)]);
        let before: &[(Nexus, u64)] = match command.contains("123") {
            true => &[(US_1, 0x123), (US_2, 0x123)],
            false => &[],
        };
        let mut is_fenced = false;
        let scene = scene.registered(before).event(move |path, cdb, stage| {
            // Once the first path has the key, and the second one is asked to take it.
            if path == 1 && cdb[0] == 0x5f && !is_fenced {
                is_fenced = true;
                stage.unit.keys.retain(|_, &mut key| key == J);
            }
        });
        let ran = scene.run(&format!("-n -o {command} {MAP}"));
        assert_eq!(ran.status, 24, "{command}: {}", ran.stderr);
        scene.has(&[(THEM_1, J)]);
    }
}

/// A key is changed while a path is dead. Whoever fences by the new key means that path as well.
#[test]
fn the_old_key_does_not_stay_on_a_dead_path() {
    for words in ["-G -K abc -S 123", "-I -S 123"] {
        for held in [None, Some(US_1), Some(THEM_1)] {
            let scene = Scene::new()
                .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
                .state(0, PathState::Offline);
            scene.stage().unit.holder = held.map(|holder| (Some(holder), 5));
            scene.run(&format!("-n -o {words} {MAP}")).is(
                0,
                "",
                &["path sda of mpatha was not reached: offline"],
            );
            scene.has(&[(US_2, 0x123), (THEM_1, J)]);
            let holder = held.map(|holder| if holder == US_1 { US_2 } else { holder });
            scene.is_held_by(holder.map(|holder| (holder, 5)));
        }
    }
    // Another node has the same key: what is ours cannot be removed without it.
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, K)])
        .state(0, PathState::Offline);
    scene
        .run("-n -o -G -K abc -S 123 /dev/mapper/mpatha")
        .is(38, "", &["0xabc"]);
    scene.has(&[(US_1, K), (US_2, 0x123), (THEM_1, K)]);
    // Nobody says whose it is.
    for (held, status) in [(None, 38), (Some(US_1), 37)] {
        let scene = Scene::new()
            .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
            .state(0, PathState::Offline)
            .without_full_status();
        scene.stage().unit.holder = held.map(|holder| (Some(holder), 5));
        scene
            .run("-n -o -G -K abc -S 123 /dev/mapper/mpatha")
            .is(status, "", &["0xabc"]);
        scene.has(&[(US_1, K), (US_2, 0x123), (THEM_1, J)]);
    }
}

// An end in time.

#[test]
fn a_deadline_ends_a_run_whatever_the_device_does() {
    let never = Fault::Slow(Duration::from_secs(100_000));
    for device in ["/dev/sda", MAP] {
        let scene = Scene::new()
            .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
            .fault(0, never)
            .fault(1, never);
        let run = |words: &str| scene.run(&format!("--deadline=2.5 -n {words} {device}"));
        run("-k").is(
            33,
            "",
            &[
                "the deadline has passed while a command (Persistent reservation in) was at the \
               device; there is no answer",
            ],
        );
        run("-o -C -K abc").is(33, "", &["the deadline has passed"]);
    }
    let scene = Scene::new().registered(&[(US_1, K)]).fault(0, never);
    scene.run("--deadline=2 -n -o -C -K abc /dev/sda").is(
        33,
        "",
        &["while a command (Persistent reservation out) was at the device; its outcome is unknown"],
    );
}

#[test]
fn what_ends_before_the_deadline_is_as_without() {
    let scene = Scene::new().registered(&[(THEM_1, J)]);
    scene
        .run("--deadline=2 -n -k /dev/sda")
        .is(0, &keys(KEYS), &[]);
    scene
        .run("--deadline=2 -n -k /dev/mapper/mpatha")
        .is(0, &keys(KEYS), &[]);
    scene
        .run("--deadline=0.25 -n -o -G -S abc /dev/sda")
        .is(0, "", &[]);
    scene.has(&[(US_1, K), (THEM_1, J)]);
    let scene = Scene::new().fault(0, Fault::Errno(libc::ENXIO));
    assert_eq!(scene.run("--deadline=2 -n -k /dev/sda").status, 56);
}

#[test]
fn deadlines_are_numbers() {
    for wrong in ["0", "0.0", "-1", "1e3", ".5", "5.", "1.2.3", "x", "4294968"] {
        let scene = Scene::new();
        let ran = scene.run(&format!("--deadline={wrong} -n -k /dev/sda"));
        assert_eq!(ran.status, 1, "{wrong}");
    }
}

// A signal.

/// Runs the program; the signal comes while a change is on its way over this path.
fn stopped_at(scene: Scene, at: usize, words: &str) -> (Scene, Ran) {
    let stop = Arc::clone(&scene.stop);
    let scene = scene.event(move |path, cdb, _| {
        if path == at && cdb[0] == 0x5f {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let ran = scene.run(&format!("-n -o {words} {MAP}"));
    (scene, ran)
}

#[test]
fn a_signal_takes_back_what_was_begun() {
    let four = || Scene::of(&[US_1, US_2, (US, 3), (US, 4)]);
    let (scene, ran) = stopped_at(four(), 1, "-G -S abc");
    ran.sent(&["a:00", "b:00", "b:00", "a:00"]);
    assert!(
        ran.stderr.contains("path sda: done, and undone"),
        "{}",
        ran.stderr
    );
    scene.has(&[]);
    // The last one was done already.
    let (scene, ran) = stopped_at(Scene::new(), 1, "-G -S abc");
    ran.is(0, "", &[]);
    scene.has(&[(US_1, K), (US_2, K)]);
    // Nobody waits for a path that does not answer.
    let never = Fault::Slow(Duration::from_secs(100_000));
    let scene = Scene::new();
    let stop = Arc::clone(&scene.stop);
    let scene = scene.event(move |path, cdb, stage| {
        if path == 1 && cdb[0] == 0x5f {
            stage.paths[1].fault = Some(never);
            stop.store(true, Ordering::Relaxed);
        }
    });
    let ran = scene.run("-n -o -G -S abc /dev/mapper/mpatha");
    assert_ne!(ran.status, 0);
    assert!(
        ran.stderr.contains("its outcome is not known"),
        "{}",
        ran.stderr
    );
    // What reached the second path is not known, what was done on the first is undone.
    scene.has(&[(US_2, K)]);
}

#[test]
fn after_a_signal_no_other_path_is_tried() {
    let scene = fence(Scene::new()).fault(0, Fault::Errno(libc::ENODEV));
    scene.stop.store(true, Ordering::Relaxed);
    let ran = scene.run("-n -o -A -K abc -S def -T 5 /dev/mapper/mpatha");
    ran.sent(&[]);
    assert!(ran.stderr.contains("ended by a signal"), "{}", ran.stderr);
}

// A path that has come back.

#[test]
fn a_path_that_is_back_gets_the_key_of_the_others() {
    for device in [MAP, "/dev/sda", "/dev/sdb"] {
        let scene = Scene::new().registered(&[(US_1, K), (THEM_1, J)]);
        scene
            .run(&format!("--repair -K abc {device}"))
            .is(0, "", &[]);
        scene.has(&[(US_1, K), (US_2, K), (THEM_1, J)]);
        // Again: there is nothing left to do.
        scene
            .run(&format!("--repair -K abc {device}"))
            .is(0, "", &[]);
        scene.has(&[(US_1, K), (US_2, K), (THEM_1, J)]);
    }
}

#[test]
fn a_repair_whose_answer_cannot_be_written_was_made() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let scene = Scene::new().registered(&[(US_1, K), (THEM_1, J)]);
    let ran = scene.run_into("--repair -K abc -j /dev/sdb", &mut Full);
    assert_eq!(
        (ran.status, &*ran.stderr),
        (
            0,
            "\
sg_persist: cannot write the output: No space left on device
The change itself was made
"
        )
    );
    scene.has(&[(US_1, K), (US_2, K), (THEM_1, J)]);
}

#[test]
fn a_node_without_a_registration_is_not_repaired() {
    let scene = Scene::new().registered(&[(THEM_1, K)]);
    scene.run("--repair -K abc /dev/sdb").is(
        24,
        "",
        &["no path of the map is registered with key 0xabc"],
    );
    scene.has(&[(THEM_1, K)]);
    // Fenced in the meantime: what was registered goes again.
    let scene = Scene::new()
        .registered(&[(US_1, K)])
        .event(|path, bytes, stage| {
            let registers = path == 1 && bytes[0] == 0x5f;
            if registers
                && stage
                    .sent
                    .iter()
                    .any(|(path, sent)| *path == 1 && sent[0] == 0x5f)
            {
                stage.unit.keys.clear();
            }
        });
    assert_eq!(scene.run("--repair -K abc /dev/sdb").status, 24);
    scene.has(&[]);
    // Another key is not replaced.
    let scene = Scene::new().registered(&[(US_1, K), (US_2, J)]);
    assert_eq!(scene.run("--repair -K abc /dev/mapper/mpatha").status, 24);
    scene.has(&[(US_1, K), (US_2, J)]);
}

#[test]
fn what_cannot_be_repaired() {
    for (words, status) in [
        ("--repair /dev/sda", 31),
        ("--repair -K abc -o -G /dev/sda", 31),
        ("--repair -K abc -k /dev/sda", 31),
        ("--repair --one-path -K abc /dev/sda", 31),
    ] {
        let scene = Scene::new().registered(&[(US_1, K)]);
        assert_eq!(scene.run(words).status, status, "{words}");
        scene.has(&[(US_1, K)]);
    }
}

// What is told of the paths.

#[test]
fn the_overview_has_the_paths() {
    let scene = Scene::of(&[US_1, US_2, (US, 3)])
        .registered(&[(US_1, K), (THEM_1, J)])
        .held(US_1, 5)
        .state(2, PathState::Offline);
    let ran = scene.run("--overview /dev/mapper/mpatha");
    assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
    for line in [
        "Path         sda (running): registered with 0xabc.",
        "Path         sdb (running): not registered.",
        "Path         sdc: not asked: offline.",
    ] {
        assert!(ran.stdout.contains(line), "{line}\n{}", ran.stdout);
    }
}

#[test]
fn whether_a_map_is_registered() {
    let ask = |scene: Scene, status, stderr: &[&str]| {
        scene
            .run("--registered=abc /dev/mapper/mpatha")
            .is(status, "", stderr);
    };
    ask(Scene::new().registered(&[(US_1, K), (US_2, K)]), 0, &[]);
    ask(Scene::new().registered(&[(THEM_1, K)]), 36, &[]);
    ask(
        Scene::new().registered(&[(US_1, K), (US_2, J)]),
        36,
        &["path sdb (running) of mpatha is not registered so"],
    );
    // A path that cannot be asked is none that lacks the key.
    let scene = Scene::new().registered(&[(US_1, K)]);
    ask(scene.state(1, PathState::Offline), 0, &[]);
    ask(
        Scene::new()
            .without_full_status()
            .registered(&[(US_1, K), (US_2, K)]),
        38,
        &["it cannot be told"],
    );
}

/// One path that is named for the map is not the nexus that was refused.
#[test]
fn a_conflict_on_another_path_than_the_one_named() {
    for words in [
        format!("-n -o -G -K abc -S fed --explain {MAP}"),
        "--all-paths -n -o -G -K abc -S fed --explain /dev/sda".to_owned(),
    ] {
        let scene = Scene::new().registered(&[(US_1, K)]);
        scene.stage().paths[0].fault = Some(Fault::SenseOut(2, 4, 0x0c));
        let ran = scene.run(&words);
        assert!(
            ran.stderr.contains("Why: key 0xabc is registered by "),
            "{}",
            ran.stderr
        );
        assert!(
            !ran.stderr.contains("nothing that is registered"),
            "{}",
            ran.stderr
        );
    }
}

/// What was missing before the answer was yes is not said.
#[test]
fn a_map_that_is_waited_for() {
    let until = |asked: usize| {
        let mut left = asked;
        Scene::new()
            .registered(&[(US_1, K)])
            .event(move |_, cdb, stage| {
                if cdb[..2] == [0x5e, 0] {
                    left = left.saturating_sub(1);
                    if left == 0 {
                        stage.unit.keys.insert(US_2, K);
                    }
                }
            })
    };
    let words = format!("--registered=abc --wait=2 {MAP}");
    until(3).run(&words).is(0, "", &[]);
    let line = "sg_persist: path sdb (running) of mpatha is not registered so\n";
    assert_eq!(until(usize::MAX).run(&words).stderr, line);
}

/// A pause does not outlast the deadline.
#[test]
fn a_wait_with_a_deadline() {
    for device in [MAP, "/dev/sda"] {
        let scene = Scene::new();
        let ran = scene.run(&format!("--reserved --wait=60 --deadline=2.5 {device}"));
        assert_eq!(ran.status, 33, "{}", ran.stderr);
        assert_eq!(*scene.ended.lock().unwrap(), Duration::from_millis(2500));
    }
}

#[test]
fn a_conflict_on_a_map_is_explained() {
    let why = |scene: Scene, words: &str, why: &str| {
        let ran = scene.run(&format!("-n -o {words} {MAP}"));
        assert_eq!(ran.status, 24, "{}", ran.stderr);
        assert!(ran.stderr.contains("Why: "), "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{why}\n{}", ran.stderr);
    };
    why(Scene::new(), "-C -K abc", "0xabc");
    why(
        Scene::new().registered(&[(US_1, K), (US_2, K)]),
        "-P -K abc -S def -T 5",
        "0xdef",
    );
    why(
        Scene::new()
            .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
            .held(THEM_1, 5),
        "-R -K abc -T 5",
        "0xdef",
    );
}

// What another node does meanwhile, and what comes late.

#[test]
fn a_late_answer_is_not_taken_for_the_next_one() {
    // The keys as they were before come when nobody waits for them any more, and the path that was
    // used meanwhile dies.
    let mut is_first = true;
    let scene = Scene::new()
        .without_full_status()
        .registered(&[(US_1, K), (US_2, K)])
        .event(move |path, cdb, stage| {
            if path == 0 {
                let first = std::mem::replace(&mut is_first, false);
                stage.paths[0].fault = first.then_some(Fault::Slow(Duration::from_secs(9)));
            } else if cdb[0] == 0x5e && !stage.unit.keys.contains_key(&US_2) {
                stage.paths[1].fault = Some(Fault::Errno(libc::ENODEV));
            }
        });
    let ran = scene.run("-n -o -G -K abc /dev/mapper/mpatha");
    ran.is(38, "", &["; 1 more registration(s) with key 0xabc"]);
    scene.has(&[(US_1, K)]);
}

#[test]
fn a_key_that_is_gone_from_all_paths_is_not_replaced() {
    for scene in [Scene::new(), Scene::of(&[US_1])] {
        let scene = scene.registered(&[(THEM_1, J)]);
        let ran = scene.run("-n -o -G -K abc -S 123 /dev/mapper/mpatha");
        assert_eq!(ran.status, 24, "{}", ran.stderr);
        scene.has(&[(THEM_1, J)]);
    }
    // It is on one path, or the new one is: the other path was out of reach.
    for key in [K, 0x123] {
        for nexus in [US_1, US_2] {
            let scene = Scene::new().registered(&[(nexus, key)]);
            let ran = scene.run("-n -o -G -K abc -S 123 /dev/mapper/mpatha");
            ran.is(0, "", &[]);
            scene.has(&[(US_1, 0x123), (US_2, 0x123)]);
        }
    }
}

/// Another node preempts ours with the key `victim` when the change is on its way over the second
/// path.
fn preempted(scene: Scene, victim: u64, attends: bool) -> Scene {
    let mut is_done = false;
    scene.event(move |path, cdb, stage| {
        if path == 1 && cdb[0] == 0x5f && !std::mem::replace(&mut is_done, true) {
            for nexus in [US_1, US_2] {
                if stage.unit.keys.get(&nexus) == Some(&victim) {
                    stage.unit.keys.remove(&nexus);
                    if attends {
                        stage
                            .unit
                            .attentions
                            .entry(nexus)
                            .or_default()
                            .push((0x2a, 5));
                    }
                }
            }
        }
    })
}

#[test]
fn whoever_is_fenced_while_it_registers_stays_out() {
    for attends in [false, true] {
        for action in ["-G", "-I"] {
            for before in [&[][..], &[(US_1, K), (US_2, K)], &[(US_1, K)], &[(US_2, K)]] {
                let scene = Scene::new().registered(&[(THEM_1, J)]).registered(before);
                let scene = preempted(scene, K, attends);
                let ran = scene.run(&format!("-n -o {action} -S abc {MAP}"));
                assert_ne!(ran.status, 0, "{action} {before:?} {attends}");
                scene.has(&[(THEM_1, J)]);
            }
        }
    }
}

#[test]
fn a_fenced_path_is_not_registered_again_by_taking_back() {
    let scene = Scene::of(&[US_1, US_2, (US, 3)])
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
        .fault(2, Fault::SenseOut(5, 0x26, 0))
        .event(|path, cdb, stage| {
            if path == 2 && cdb[0] == 0x5f {
                stage.unit.keys.retain(|_, &mut key| key != K);
            }
        });
    let ran = scene.run("-n -o -G -S abc /dev/mapper/mpatha");
    assert_ne!(ran.status, 0);
    scene.has(&[(THEM_1, J)]);
}

#[test]
fn a_path_that_comes_after_a_fence_is_not_registered() {
    let scene = Scene::new()
        .registered(&[(THEM_1, J)])
        .event(|path, cdb, stage| {
            if path == 1 && cdb[0] == 0x5e {
                stage.unit.keys.remove(&US_1);
            }
        });
    *scene.told.lock().unwrap() = vec![vec![path(0)], vec![path(0), path(1)]];
    let ran = scene.run("-n -o -G -S abc /dev/mapper/mpatha");
    assert_ne!(ran.status, 0);
    scene.has(&[(THEM_1, J)]);
}

const NAMED: &str = "-n -o -G -S abc -X sas,5000c50000000003";

#[test]
fn initiator_ports_are_named_where_the_command_gets_through() {
    let lists = |scene: &Scene| -> Vec<(usize, usize)> {
        let stage = scene.stage();
        let sent = stage.sent.iter();
        sent.filter(|(_, bytes)| bytes[..2] == [0x5f, 0])
            .map(|(path, bytes)| (*path, bytes.len()))
            .collect()
    };
    let scene = Scene::new().event(|path, cdb, stage| {
        if path == 0 && cdb[0] == 0x5f {
            stage.paths[0].fault = Some(Fault::Errno(libc::ENODEV));
        }
    });
    scene.run(&format!("{NAMED} {MAP}"));
    assert_eq!(lists(&scene)[1], (1, 10 + 24 + 28));
    // The path has the key already: what was named is not registered by that.
    let scene = Scene::new().registered(&[(US_1, K)]);
    let ran = scene.run(&format!("{NAMED} {MAP}"));
    assert_eq!(ran.status, 24, "{}", ran.stderr);
    scene.has(&[(US_1, K)]);
}

#[test]
fn what_all_registrants_hold_is_not_released_by_one_that_goes() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
        .held_by_all(7)
        .fault(1, Fault::Errno(libc::ENODEV));
    scene
        .run("-n -o -G -K abc /dev/mapper/mpatha")
        .is(0, "", &["sdb"]);
    scene.has(&[(THEM_1, J)]);
    assert_eq!(scene.stage().unit.holder, Some((None, 7)));
}

#[test]
fn what_is_left_of_an_unknown_key_is_told() {
    let scene = Scene::new()
        .without_full_status()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, J)])
        .fault(1, Fault::Errno(libc::ENODEV));
    let ran = scene.run("-n -o -I -S 0 /dev/mapper/mpatha");
    ran.is(38, "", &["1 more registration(s) with key 0xabc"]);
    scene.has(&[(US_2, K), (THEM_1, J)]);
}

#[test]
fn a_lost_reserve_is_not_settled_by_another_node_with_the_same_key() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K), (THEM_1, K)])
        .fault(0, Fault::CommandLost)
        .event(|path, cdb, stage| {
            if path == 0 && cdb[0] == 0x5f {
                stage.unit.holder = Some((Some(THEM_1), 5));
            }
        });
    let ran = scene.run("-n -o -R -K abc -T 5 /dev/mapper/mpatha");
    assert_eq!(ran.status, 24, "{}", ran.stderr);
}

#[test]
fn the_own_key_is_not_preempted_on_paths_that_are_away() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K)])
        .state(1, PathState::Offline);
    let ran = scene.run("-n -o -P -K abc -S abc -T 5 /dev/mapper/mpatha");
    assert_eq!(ran.status, 31, "{}", ran.stderr);
    scene.has(&[(US_1, K), (US_2, K)]);
}

#[test]
fn a_registration_of_our_other_port_is_another_paths() {
    let other: Nexus = (US + 8, 1);
    let mut scene = Scene::of(&[US_1, other, (US, 3)])
        .registered(&[(other, K)])
        .fault(2, Fault::SenseOut(5, 0x26, 0));
    scene.own = vec![TransportId::sas(US), TransportId::sas(US + 8)];
    let ran = scene.run("-n -o -I -S abc /dev/mapper/mpatha");
    assert_ne!(ran.status, 0);
    // What the first path had is not known.
    assert!(
        ran.stderr.contains("path sda: done, and not undone"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_deadline_is_that_of_the_lock_too() {
    let scene = Scene::new();
    scene.run("--deadline=2.5 -n -o -G -S abc /dev/mapper/mpatha");
    assert_eq!(
        *scene.locked_within.lock().unwrap(),
        Duration::from_millis(2500)
    );
}

#[test]
fn unregistering_whatever_key_is_verified_by_what_is_seen() {
    let run = |scene: &Scene| scene.run("--verify -n -o -I -S 0 /dev/mapper/mpatha");
    // Another run of ours registers it again.
    let again = |scene: Scene| {
        scene
            .registered(&[(US_1, K), (US_2, K)])
            .event(|path, cdb, stage| {
                if path == 1 && cdb[0] == 0x5f {
                    stage.unit.keys.insert(US_1, K);
                }
            })
    };
    let scene = again(Scene::new());
    assert_eq!(run(&scene).status, 37);
    let scene = again(Scene::new().without_full_status());
    assert_eq!(run(&scene).status, 38);
    let scene = Scene::new().registered(&[(US_1, K), (US_2, K), (THEM_1, J)]);
    assert_eq!(run(&scene).status, 0);
    scene.has(&[(THEM_1, J)]);
}

#[test]
fn what_became_of_a_silent_path_is_not_verified() {
    let scene = Scene::new().event(|path, cdb, stage| {
        if path == 1 && cdb[0] == 0x5f {
            stage.paths[1].fault = Some(Fault::CommandLost);
        }
    });
    let ran = scene.run("-n -o -G -S abc --verify /dev/mapper/mpatha");
    assert_eq!(ran.status, 38, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("key 0xabc on path sdb"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_lost_preempt_of_nobody_is_not_done() {
    let scene = Scene::new()
        .registered(&[(US_1, K), (US_2, K)])
        .fault(0, Fault::CommandLost);
    let ran = scene.run("-n -o -P -K abc -S def -T 5 /dev/mapper/mpatha");
    assert_eq!(ran.status, 38, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("nobody has the key 0xdef"),
        "{}",
        ran.stderr
    );
}

// Documents.

/// Some about changes to maps.
pub(crate) fn documents() -> Vec<String> {
    let dead = || Scene::new().fault(1, Fault::Errno(libc::ENODEV));
    [
        dead().run("-j -n -o -G -S abc /dev/mapper/mpatha"),
        Scene::new()
            .registered(&[(US_2, J)])
            .run("-j -n -o -G -S abc /dev/mapper/mpatha"),
    ]
    .map(|ran| ran.stdout)
    .into()
}

#[test]
fn documents_name_the_paths() {
    let [done, refused] = documents()
        .iter()
        .map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let outcomes = |document: &serde_json::Value| {
        let paths = document["paths"].as_array().unwrap().iter();
        paths
            .map(|path| format!("{} {}", path["name"], path["outcome"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&done), [r#""sda" "done""#, r#""sdb" "unreached""#]);
    assert_eq!(outcomes(&refused), [r#""sda" "undone""#]);
}
