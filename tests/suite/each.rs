//! Whole runs on several devices: what each of them gets, in which order it is told, and with which status
//! the run ends.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sg_persist::cli::request::Environment;
use sg_persist::clock::{Clock, SystemClock};
use sg_persist::host_ports::PathPorts;
use sg_persist::multipath::lock::Lock;
use sg_persist::multipath::{BlockNumber, Map, Maps, TopologyError};
use sg_persist::run::{Beside, StartOne, Tally, World, run};
use sg_persist::transport::remote::{Nodes, Reply, Request};
use sg_persist::transport::{Access, Open, Transport};

use crate::common::target::{Fault, Nexus, PathTo, Stage, Wire};
use crate::common::world::{Texts, Written};
use crate::json::is_valid;

const US: Nexus = (0x5000_c500_0000_0001, 1);
const THEM: Nexus = (0x5000_c500_0000_0002, 1);

/// Logical units that do not know of each other: `/dev/a/sda` is the first.
struct Scene {
    stages: Vec<Arc<Mutex<Stage>>>,
    texts: Texts,
    /// Names of one logical unit.
    same: Vec<[&'static str; 2]>,
    no_worker: bool,
    most: usize,
    /// How many threads can be started.
    threads: AtomicUsize,
    /// The most groups of nodes that there were at the same time.
    groups: Arc<Mutex<(usize, usize)>>,
    began: Mutex<Option<Arc<Tally>>>,
}

struct Ran {
    status: u8,
    stdout: String,
    stderr: String,
    written: Vec<(std::path::PathBuf, Vec<u8>)>,
}

impl Ran {
    #[track_caller]
    fn is(&self, status: u8, stdout: &str, stderr: &str) -> &Self {
        assert_eq!(
            (self.status, &self.stdout[..], &self.stderr[..]),
            (status, stdout, stderr)
        );
        self
    }

    /// The lines of standard output, sorted: those of changes come as they end.
    #[track_caller]
    fn lines(&self, status: u8, lines: &[&str]) -> &Self {
        let mut found: Vec<&str> = self.stdout.lines().collect();
        found.sort_by_key(|line| line.split('\t').nth(1).map(str::to_owned));
        assert_eq!(
            (self.status, &found[..]),
            (status, lines),
            "{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        let document = serde_json::from_str(&self.stdout).unwrap();
        assert!(is_valid(&document), "{document:#}");
        document
    }
}

impl Scene {
    fn new(units: usize) -> Self {
        let stage = |_| {
            let mut stage = Stage {
                paths: vec![PathTo {
                    nexus: US,
                    fault: None,
                }],
                ..Stage::default()
            };
            stage.unit.has_full_status = true;
            Arc::new(Mutex::new(stage))
        };
        Self {
            stages: (0..units).map(stage).collect(),
            texts: Texts::default(),
            same: Vec::new(),
            no_worker: false,
            most: usize::MAX,
            threads: AtomicUsize::new(usize::MAX),
            groups: Arc::default(),
            began: Mutex::default(),
        }
    }

    fn stage(&self, unit: usize) -> std::sync::MutexGuard<'_, Stage> {
        self.stages[unit].lock().unwrap()
    }

    fn fault(self, unit: usize, fault: Fault) -> Self {
        self.stage(unit).paths[0].fault = Some(fault);
        self
    }

    /// Each unit has this registration.
    fn registered(self, nexus: Nexus, key: u64) -> Self {
        for unit in 0..self.stages.len() {
            self.stage(unit).unit.keys.insert(nexus, key);
        }
        self
    }

    fn only(self, unit: usize, nexus: Nexus, key: u64) -> Self {
        self.stage(unit).unit.keys.insert(nexus, key);
        self
    }

    fn file(mut self, name: &str, text: &[u8]) -> Self {
        self.texts.files.push((name.to_owned(), text.to_vec()));
        self
    }

    fn stdin(mut self, text: &[u8]) -> Self {
        self.texts.stdin = Some(text.to_vec());
        self
    }

    fn keys(&self, unit: usize) -> Vec<(Nexus, u64)> {
        let stage = self.stage(unit);
        let keys = stage.unit.keys.iter();
        keys.map(|(&nexus, &key)| (nexus, key)).collect()
    }

    fn sent(&self, unit: usize) -> usize {
        self.stage(unit).sent.len()
    }

    #[track_caller]
    fn nothing_was_sent(&self) {
        for unit in 0..self.stages.len() {
            assert_eq!(self.sent(unit), 0, "{unit}");
        }
    }

    fn run(&self, line: &str) -> Ran {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.run_words(&words)
    }

    fn run_words(&self, words: &[&str]) -> Ran {
        let argv: Vec<OsString> = std::iter::once(&"sg_persist")
            .chain(words)
            .map(Into::into)
            .collect();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut output = Written::default();
        let status = run(World {
            argv: &argv,
            environment: Environment::default(),
            input: &mut self.texts.clone(),
            devices: &Nowhere,
            clock: &SystemClock::default() as &dyn Clock,
            output: &mut output,
            own_ports: &|_| Vec::new(),
            path_ports: &|_| PathPorts::default(),
            maps: self,
            stdout: &mut stdout,
            stdout_is_terminal: &|| false,
            stderr: &mut stderr,
            stderr_is_terminal: &|| false,
            beside: &Noted(self),
        });
        Ran {
            status: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            written: output.0.take(),
        }
    }
}

/// Keeps the tally.
struct Noted<'a>(&'a Scene);

impl Beside for Noted<'_> {
    fn most(&self) -> usize {
        self.0.most
    }

    fn threads(&self, work: &(dyn Fn() + Sync), meanwhile: &mut dyn FnMut(&StartOne<'_>)) {
        std::thread::scope(|scope| {
            meanwhile(&|| {
                let order = Ordering::Relaxed;
                let fewer = |left: usize| left.checked_sub(1);
                if self.0.threads.fetch_update(order, order, fewer).is_err() {
                    return Err(io::Error::from_raw_os_error(libc::EAGAIN));
                }
                std::thread::Builder::new()
                    .spawn_scoped(scope, work)
                    .map(drop)
            });
        });
    }

    fn begin(&self, tally: &Arc<Tally>) {
        *self.0.began.lock().unwrap() = Some(Arc::clone(tally));
    }

    fn pause(&self, _: &Tally) {}
}

/// Nothing is opened in this process.
struct Nowhere;

impl Open for Nowhere {
    fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
        panic!("{} is opened here", device.display());
    }
}

impl Maps for Scene {
    fn number(&self, _: &Path) -> Option<BlockNumber> {
        None
    }

    fn identities(&self, device: &Path) -> Vec<String> {
        let is_it = |names: &[&str; 2]| names.iter().any(|name| Path::new(name) == device);
        let same = self.same.iter().filter(|names| is_it(names));
        same.map(|names| names.join(" ")).collect()
    }

    fn below(&self, _: BlockNumber) -> Result<Option<Map>, TopologyError> {
        Ok(None)
    }

    fn above(&self, _: BlockNumber) -> Result<Option<Map>, TopologyError> {
        Ok(None)
    }

    fn lock(&self, _: BlockNumber, _: Duration) -> Option<Lock> {
        None
    }

    fn watch_signals(&self) -> Option<Arc<AtomicBool>> {
        panic!("a signal is not kept from ending the run");
    }

    fn nodes(&self) -> io::Result<Box<dyn Nodes>> {
        if self.no_worker {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        Ok(Box::new(Group {
            stages: self.stages.clone(),
            wire: None,
            groups: Arc::clone(&self.groups),
            dead: false,
        }))
    }
}

/// The nodes of one unit, which one is told when it is opened.
struct Group {
    stages: Vec<Arc<Mutex<Stage>>>,
    wire: Option<Wire>,
    groups: Arc<Mutex<(usize, usize)>>,
    dead: bool,
}

/// The unit that `/dev/N/sda` is a path of.
fn unit_of(device: &Path) -> usize {
    let folder = device.parent().unwrap().file_name().unwrap();
    folder.to_str().unwrap().parse().unwrap()
}

impl Nodes for Group {
    fn begin(&mut self, number: u32, request: Request) -> io::Result<()> {
        if let (None, Request::Open { device, .. }) = (&self.wire, &request) {
            let stage = &self.stages[unit_of(device)];
            self.wire = Some(Wire::new(stage));
            self.dead = matches!(
                stage.lock().unwrap().paths[0].fault,
                Some(Fault::Slow(time)) if time > Duration::from_secs(60)
            );
            let mut groups = self.groups.lock().unwrap();
            groups.0 += 1;
            groups.1 = groups.1.max(groups.0);
        }
        match &mut self.wire {
            Some(wire) => wire.begin(number, request),
            None => Ok(()),
        }
    }

    fn next(&mut self, within: Option<Duration>) -> io::Result<Option<(u32, Reply)>> {
        // The others have their turn, so that several are open at the same time.
        std::thread::sleep(Duration::from_millis(1));
        let wire = self.wire.as_mut().unwrap();
        match within {
            // By its own clock, an hour passes at once.
            Some(_) if self.dead => wire.next(within),
            _ => wire.next(None),
        }
    }

    fn now(&self) -> Duration {
        self.wire.as_ref().map_or(Duration::ZERO, Wire::now)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.wire.is_some() {
            self.groups.lock().unwrap().0 -= 1;
        }
    }
}

const THREE: &str = "/dev/0/sda /dev/1/sda /dev/2/sda";

mod words {
    use super::*;

    #[test]
    fn without_an_option_that_says_so_there_is_one_device() {
        let scene = Scene::new(2);
        let ran = scene.run("-n -k /dev/0/sda /dev/1/sda");
        assert_eq!(ran.status, 1);
        let line = "Unexpected extra argument: /dev/1/sda\n";
        assert!(ran.stderr.starts_with(line), "{}", ran.stderr);
        let ran = scene.run("--devices-from=/list -n -k /dev/0/sda /dev/1/sda");
        assert_eq!(ran.status, 1);
        scene.nothing_was_sent();
    }

    #[test]
    fn all_words_and_all_lines_are_devices() {
        let list = b"# disks\n\n  /dev/1/sda\t\r\n/dev/2/sda";
        let scene = Scene::new(4).file("/list", list).stdin(b"/dev/3/sda\n");
        let line = "--each -o -I -S abc -n -d /dev/0/sda --devices-from=/list --devices-from=-";
        scene.run(line).lines(
            0,
            &[
                "0\t/dev/0/sda\tdone",
                "0\t/dev/1/sda\tdone",
                "0\t/dev/2/sda\tdone",
                "0\t/dev/3/sda\tdone",
            ],
        );
        for unit in 0..4 {
            assert_eq!(scene.keys(unit), [(US, 0xabc)]);
        }
    }

    #[test]
    fn a_list_that_is_none_ends_the_run_before_anything_is_sent() {
        let scene = Scene::new(1)
            .file("/empty", b"\n# none\n")
            .file("/bad", b"/dev/0/sda\n/dev/\0/sda\n")
            .file("/long", &vec![b'x'; (1 << 20) + 1]);
        for (file, message) in [
            ("/empty", "/empty names no device\n"),
            (
                "/bad",
                "/bad, line 2: a NUL byte cannot be part of a name\n",
            ),
            ("/long", "/long is longer than 1048576 bytes\n"),
            (
                "/none",
                "cannot read /none: No such file or directory (os error 2)\n",
            ),
        ] {
            let ran = scene.run(&format!("--devices-from={file} -o -C -K 1 /dev/0/sda"));
            ran.is(1, "", &format!("--devices-from: {message}"));
        }
        scene.nothing_was_sent();
    }

    #[test]
    fn what_is_for_several_devices_needs_several() {
        let scene = Scene::new(1);
        for (line, status, message) in [
            (
                "--parallel=2 -n -k /dev/0/sda",
                31,
                "--parallel needs several devices: --each or --devices-from\n",
            ),
            (
                "--first-decides -n -o -C -K 1 /dev/0/sda",
                31,
                "--first-decides needs several devices: --each or --devices-from\n",
            ),
            (
                "--each --first-decides -n -k /dev/0/sda",
                31,
                "--first-decides needs --out: only a change can be decided by the first device\n",
            ),
            (
                "--each --parallel=0 -n -k /dev/0/sda",
                1,
                "bad argument to '--parallel' (1 to 1024)\n",
            ),
            (
                "--each --parallel=1025 -n -k /dev/0/sda",
                1,
                "bad argument to '--parallel' (1 to 1024)\n",
            ),
        ] {
            scene.run(line).is(status, "", message);
        }
        assert_eq!(scene.run("--each -n -k").status, 1);
        scene.nothing_was_sent();
    }

    #[test]
    fn a_file_that_cannot_be_written_ends_it_before_anything_is_sent() {
        let scene = Scene::new(3);
        let ran = scene.run(&format!("--each -J /unwritable -o -I -S 1 -n {THREE}"));
        assert_eq!(ran.status, 63);
        scene.nothing_was_sent();
    }

    #[test]
    fn without_the_other_process_nothing_is_sent() {
        let scene = Scene {
            no_worker: true,
            ..Scene::new(3)
        };
        let ran = scene.run(&format!("--each -o -I -S 1 -n {THREE}"));
        assert_eq!((ran.status, &ran.stdout[..]), (61, ""));
        scene.nothing_was_sent();
    }
}

mod twice {
    use super::*;

    #[test]
    fn one_unit_is_not_changed_twice() {
        let mut scene = Scene::new(3);
        scene.same.push(["/dev/0/sda", "/dev/2/sda"]);
        let message =
            "sg_persist: /dev/0/sda and /dev/2/sda are one logical unit; nothing was sent\n";
        let ran = scene.run(&format!("--each -o -I -S abc -n {THREE}"));
        ran.is(31, "", message);
        let ran = scene.run(&format!("--each -o -I -S abc -n --verify -j {THREE}"));
        ran.is(31, "", message);
        let ran = scene.run("--each -o -I -S abc -n /dev/1/sda /dev/1/sda");
        ran.is(
            31,
            "",
            "sg_persist: /dev/1/sda and /dev/1/sda are one logical unit; nothing was sent\n",
        );
        scene.nothing_was_sent();
    }

    #[test]
    fn it_may_be_asked_twice() {
        let mut scene = Scene::new(3);
        scene.same.push(["/dev/0/sda", "/dev/2/sda"]);
        assert_eq!(scene.run(&format!("--each -n -k {THREE}")).status, 0);
        let ran = scene.run(&format!("--each --dry-run -o -C -K 1 {THREE}"));
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }
}

mod order {
    use super::*;

    #[test]
    fn answers_are_whole_and_in_the_order_given() {
        let scene = Scene::new(3).only(1, US, 0xabc);
        let none = "  PR generation=0x0, there are NO registered reservation keys\n";
        let one = "  PR generation=0x0, 1 registered reservation key follows:\n    0xabc\n";
        let ran = scene.run("--each -n -k /dev/2/sda /dev/1/sda /dev/0/sda");
        ran.is(
            0,
            &format!("/dev/2/sda:\n{none}/dev/1/sda:\n{one}/dev/0/sda:\n{none}"),
            "",
        );
    }

    #[test]
    fn what_fails_is_told_of_its_device_and_the_others_have_their_answers() {
        let scene = Scene::new(3).fault(1, Fault::Sense(5, 0x20, 0));
        let ran = scene.run(&format!("--each -n -k {THREE}"));
        let none = "  PR generation=0x0, there are NO registered reservation keys\n";
        ran.is(
            39,
            &format!("/dev/0/sda:\n{none}/dev/2/sda:\n{none}"),
            "/dev/1/sda: PR in (Read keys): command not supported\n\
             /dev/1/sda: sg_persist failed: Illegal request, Invalid opcode\n\
             /dev/1/sda: Sense data 5/20/00: Illegal Request, Invalid command operation code\n",
        );
    }

    #[test]
    fn inquiry_is_shown_with_the_answers_it_belongs_to() {
        let ran = Scene::new(1).run("--each -k /dev/0/sda");
        let text = "/dev/0/sda:\n  VENDOR    PRODUCT           0001\n  Peripheral device type: disk\n  PR ";
        assert!(ran.stdout.starts_with(text), "{}", ran.stdout);
        let ran = Scene::new(1).run("--each -o -I -S 1 /dev/0/sda");
        ran.is(0, "0\t/dev/0/sda\tdone\n", "");
    }

    #[test]
    fn a_dry_run_shows_each_and_opens_none() {
        let scene = Scene::new(2);
        let ran = scene.run("--each --dry-run -o -C -K 1 /dev/0/sda /dev/1/sda");
        assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
        assert!(ran.stdout.starts_with("/dev/0/sda:\n"), "{}", ran.stdout);
        assert!(ran.stdout.contains("\n/dev/1/sda:\n"), "{}", ran.stdout);
        scene.nothing_was_sent();
    }

    #[test]
    fn an_overview_begins_with_a_line_for_each() {
        let scene = Scene::new(3)
            .only(0, THEM, 0xdef)
            .fault(1, Fault::Errno(libc::ENXIO));
        scene.stage(0).unit.holder = Some((Some(THEM), 5));
        scene.stage(2).unit.keys.insert(US, 1);
        scene.stage(2).unit.holder = Some((None, 7));
        let ran = scene.run(&format!("--each --overview {THREE}"));
        assert_eq!(ran.status, 39, "{}", ran.stderr);
        let lines: Vec<&str> = ran.stdout.lines().take(6).collect();
        assert_eq!(
            lines,
            [
                "Device      Generation  Keys  Reservation              Status",
                "/dev/0/sda  0x0         1     0xdef, type 5            0",
                "/dev/1/sda  -           -     -                        56 No such device or address",
                "/dev/2/sda  0x0         1     all registrants, type 7  0",
                "",
                "Device       /dev/0/sda",
            ]
        );
        assert!(
            ran.stdout.contains("\n\nDevice       /dev/2/sda\n"),
            "{}",
            ran.stdout
        );
        assert!(
            ran.stderr
                .contains("/dev/1/sda: sg_persist: no overview of /dev/1/sda:\n")
        );
    }
}

mod status {
    use super::*;

    /// What each unit has, and with which status the run ends that registers, and the one that asks.
    #[test]
    fn it_is_that_of_all() {
        let busy = Fault::Sense(2, 4, 1);
        for (faults, change, question) in [
            ([None, None, None], 0, 36),
            ([Some(busy), Some(busy), Some(busy)], 2, 2),
            ([Some(busy), None, None], 39, 39),
            (
                [Some(busy), Some(Fault::Sense(5, 0x20, 0)), Some(busy)],
                39,
                39,
            ),
        ] {
            let scene = Scene::new(3);
            for (unit, fault) in faults.into_iter().enumerate() {
                scene.stage(unit).paths[0].fault = fault;
            }
            let ran = scene.run(&format!("--each -n --has-key=abc {THREE}"));
            assert_eq!(ran.status, question, "{faults:?}");
            let ran = scene.run(&format!("--each -n -o -I -S 123 {THREE}"));
            assert_eq!(ran.status, change, "{faults:?}");
        }
    }

    #[test]
    fn a_question_has_an_answer_for_each() {
        let scene = Scene::new(3).only(1, US, 0xabc);
        scene.run(&format!("--each --has-key=abc {THREE}")).lines(
            36,
            &[
                "36\t/dev/0/sda\tno",
                "0\t/dev/1/sda\tyes",
                "36\t/dev/2/sda\tno",
            ],
        );
        let ran = scene.run("--each --has-key=abc /dev/1/sda");
        ran.is(0, "0\t/dev/1/sda\tyes\n", "");
    }

    #[test]
    fn failures_have_a_line_of_words() {
        let scene = Scene::new(3)
            .registered(US, 1)
            .only(2, US, 2)
            .fault(0, Fault::Errno(libc::ENOENT));
        let ran = scene.run(&format!("--each -n -o -R -T 5 -K 1 {THREE}"));
        ran.lines(
            39,
            &[
                "52\t/dev/0/sda\terror opening file /dev/0/sda (rw): No such file or directory",
                "0\t/dev/1/sda\tdone",
                "24\t/dev/2/sda\tPR out (Reserve): Reservation conflict",
            ],
        );
        assert!(
            ran.stderr
                .contains("/dev/2/sda: PR out (Reserve): Reservation conflict\n")
        );
    }

    #[test]
    fn each_change_is_verified_and_explained() {
        let scene = Scene::new(2)
            .registered(US, 1)
            .only(1, US, 2)
            .registered(THEM, 3);
        let ran = scene.run("--each -n -o -R -T 5 -K 1 --verify /dev/0/sda /dev/1/sda");
        assert_eq!(ran.status, 39, "{}", ran.stderr);
        assert!(ran.stderr.contains("/dev/1/sda: Why: "), "{}", ran.stderr);
    }
}

mod first {
    use super::*;

    const PREEMPT: &str = "--each --first-decides -n -o -A -T 5 -K abc -S def";

    #[test]
    fn where_it_is_done_the_others_follow() {
        let scene = Scene::new(3).registered(US, 0xabc).registered(THEM, 0xdef);
        scene.run(&format!("{PREEMPT} {THREE}")).lines(
            0,
            &[
                "0\t/dev/0/sda\tdone",
                "0\t/dev/1/sda\tdone",
                "0\t/dev/2/sda\tdone",
            ],
        );
        for unit in 0..3 {
            assert_eq!(scene.keys(unit), [(US, 0xabc)]);
        }
    }

    /// It is told that it was done on the first, whatever keeps the others from being begun.
    #[test]
    fn where_the_others_cannot_be_begun_the_first_is_told() {
        for form in ["", "-j "] {
            let mut scene = Scene::new(3).registered(US, 0xabc).registered(THEM, 0xdef);
            scene.threads = AtomicUsize::new(1);
            let ran = scene.run(&format!("{form}{PREEMPT} {THREE}"));
            assert_eq!(scene.keys(0), [(US, 0xabc)]);
            assert_eq!((scene.sent(1), scene.sent(2)), (0, 0));
            if form.is_empty() {
                let words =
                    "not sent: no thread could be started: Resource temporarily unavailable";
                ran.lines(
                    39,
                    &[
                        "0\t/dev/0/sda\tdone",
                        &format!("61\t/dev/1/sda\t{words}"),
                        &format!("61\t/dev/2/sda\t{words}"),
                    ],
                );
            } else {
                let document = ran.json();
                assert_eq!(document["exit_status"]["i"], 39);
                assert_eq!(document["devices"][0]["exit_status"]["i"], 0);
            }
        }
    }

    /// The other node was faster: nothing is changed anywhere else, and it is all the same everywhere.
    #[test]
    fn where_it_is_not_nothing_is_sent_to_the_others() {
        let scene = Scene::new(3).registered(US, 0xabc).registered(THEM, 0xdef);
        scene.stage(0).unit.keys.remove(&US);
        let line = format!("{PREEMPT} {THREE}");
        scene.run(&line).lines(
            24,
            &[
                "24\t/dev/0/sda\tPR out (Preempt and abort): Reservation conflict",
                "24\t/dev/1/sda\tnot sent: it was not done on /dev/0/sda",
                "24\t/dev/2/sda\tnot sent: it was not done on /dev/0/sda",
            ],
        );
        assert_eq!((scene.sent(1), scene.sent(2)), (0, 0));
        let document = scene.run(&format!("-j {line}")).json();
        assert_eq!(document["exit_status"]["i"], 24);
        let last = &document["devices"][2];
        assert_eq!(last["exit_status"]["i"], 24);
        assert_eq!(
            last["outcome"]["message"],
            "not sent: it was not done on /dev/0/sda"
        );
    }
}

mod time {
    use super::*;

    #[test]
    fn one_that_never_answers_costs_the_others_nothing() {
        let scene = Scene::new(3).fault(1, Fault::Slow(Duration::from_secs(3600)));
        let ran = scene.run(&format!("--each --deadline=2 -n -o -I -S 1 {THREE}"));
        ran.lines(
            39,
            &[
                "0\t/dev/0/sda\tdone",
                &format!(
                    "33\t/dev/1/sda\t{}",
                    ran.stdout
                        .lines()
                        .find(|line| line.starts_with("33"))
                        .unwrap()
                        .rsplit('\t')
                        .next()
                        .unwrap()
                ),
                "0\t/dev/2/sda\tdone",
            ],
        );
        assert!(ran.stdout.contains("unknown"), "{}", ran.stdout);
    }

    #[test]
    fn not_more_than_allowed_are_busy_at_the_same_time() {
        for (words, most, expected) in [
            ("--parallel=3", usize::MAX, 3),
            ("", 2, 2),
            ("--parallel=1", 5, 1),
        ] {
            let mut scene = Scene::new(12);
            scene.most = most;
            let devices: Vec<String> = (0..12).map(|unit| format!("/dev/{unit}/sda")).collect();
            let ran = scene.run(&format!(
                "--each {words} -n -o -I -S 1 {}",
                devices.join(" ")
            ));
            assert_eq!(ran.status, 0, "{}", ran.stderr);
            let (now, highest) = *scene.groups.lock().unwrap();
            assert_eq!(now, 0);
            assert!(highest <= expected, "{highest} {words}");
        }
    }

    #[test]
    fn a_thousand_units_each_have_their_change() {
        let scene = Scene::new(1000);
        let list: String = (0..1000).map(|unit| format!("/dev/{unit}/sda\n")).collect();
        let scene = scene.stdin(list.as_bytes());
        let ran = scene.run("--devices-from=- -n -o -I -S abc");
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert_eq!(ran.stdout.lines().count(), 1000);
        for unit in 0..1000 {
            assert_eq!(scene.keys(unit), [(US, 0xabc)]);
        }
    }
}

mod document {
    use super::*;

    #[test]
    fn it_has_an_entry_for_each_in_the_order_given() {
        let scene = Scene::new(3)
            .only(1, US, 0xabc)
            .fault(2, Fault::Errno(libc::ENOENT));
        let document = scene
            .run("--each -j -n -k /dev/2/sda /dev/1/sda /dev/0/sda")
            .json();
        let devices = document["devices"].as_array().unwrap();
        let names: Vec<&Value> = devices.iter().map(|one| &one["device"]).collect();
        assert_eq!(names, ["/dev/2/sda", "/dev/1/sda", "/dev/0/sda"]);
        assert_eq!(
            devices[1]["parameter_data"]["reservation_keys"],
            json!(["0xabc"])
        );
        assert_eq!(devices[0]["exit_status"]["i"], 52);
        assert_eq!(document["exit_status"]["i"], 39);
        assert_eq!(document["utility_invoked"]["argv"][1], "--each");
        assert!(devices[0].get("utility_invoked").is_none());
    }

    #[test]
    fn every_kind_of_run_gives_a_document() {
        for line in [
            "-n -r",
            "-c",
            "-s",
            "--has-key=1",
            "--overview",
            "-o -I -S 1",
            "-o -C -K 9 --verify",
            "--dry-run -o -C -K 1",
            "-n -k --json=o",
            "-o -I -S 1 --json=o",
            "--overview --json=o",
            "-n -k --json=-l-e",
        ] {
            let scene = Scene::new(2).fault(1, Fault::Sense(5, 0x20, 0));
            let ran = scene.run(&format!("--each -j {line} /dev/0/sda /dev/1/sda"));
            let document = ran.json();
            assert_eq!(document["devices"].as_array().unwrap().len(), 2, "{line}");
        }
    }

    #[test]
    fn lines_come_as_the_devices_end() {
        let scene = Scene::new(3);
        let ran = scene.run(&format!("--each --json=-p -n -k {THREE}"));
        let documents: Vec<Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(documents.len(), 3);
        let mut names = Vec::new();
        for document in &documents {
            assert!(is_valid(document), "{document:#}");
            names.push(document["device"].as_str().unwrap());
        }
        names.sort_unstable();
        assert_eq!(names.join(" "), THREE);
    }

    #[test]
    fn it_goes_to_a_file() {
        for (letters, lines) in [("", 1), ("-p", 3)] {
            let scene = Scene::new(3);
            let ran = scene.run(&format!("--each --json=k{letters} -J /out -n -k {THREE}"));
            ran.is(0, "", "");
            let text = String::from_utf8(ran.written[0].1.clone()).unwrap();
            if lines == 3 {
                assert_eq!(text.lines().count(), lines);
            } else {
                let document: Value = serde_json::from_str(&text).unwrap();
                assert!(is_valid(&document), "{document:#}");
            }
        }
    }
}
