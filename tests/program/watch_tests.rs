//! What watches over the commands of the program: what it says when a signal comes, what it keeps waiting, what it keeps
//! open.
//!
//! Signals are for whole processes: most of the tests start this file's program once more, for the one test that plays
//! the part of `sg_persist`, and send them to it.

use std::cell::Cell;
use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as Program, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use sg_persist::pr::prin;
use sg_persist::pr::prout::{PersistentReserveOut, ServiceAction};
use sg_persist::pr::transport_id::TransportId;
use sg_persist::scsi::inquiry;
use sg_persist::scsi::status::ScsiStatus;
use sg_persist::transport::{Access, Command, Completion, Data, Node, NodeKind, Open, Transport};

use crate::watch::Watched;

/// What the child is to play.
const SCENE: &str = "SG_PERSIST_WATCH_SCENE";
/// How long the slow command of the scene takes, in milliseconds.
const SLOWNESS: &str = "SG_PERSIST_WATCH_SLOWNESS";
/// Longer than any machine takes to send a signal, which is to end the command before that.
const ENDED_BY_A_SIGNAL: u64 = 60_000;

/// Longer than a machine takes as a rule, of a command that is to come to its end; on a terminal
/// shorter than a person is left without news.
fn comes_to_its_end(scene: &str) -> u64 {
    match scene.contains("terminal") {
        true => 900,
        false => 2_000,
    }
}
const ALL: [Signal; 14] = [
    Signal::SIGALRM,
    Signal::SIGCONT,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGPIPE,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
];
/// Those that end a program.
const ENDING: [Signal; 8] = [
    Signal::SIGALRM,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGXCPU,
];
const TIMEOUT: Duration = Duration::from_secs(20);

/// Devices that take their time, and tell on standard output how far they have come.
#[derive(Clone, Default)]
struct Devices {
    /// How long each command takes.
    time: Rc<Cell<Duration>>,
    status: Rc<Cell<ScsiStatus>>,
    kind: Rc<Cell<NodeKind>>,
    /// How many are open now, and how many have been at most.
    open: Rc<Cell<usize>>,
    most: Rc<Cell<usize>>,
}

/// What an NVMe controller calls this host: 0x1122334455667788.
const HOST: [u8; 8] = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];

struct Device(Devices);

impl Open for Devices {
    fn open(&self, _: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
        self.open.set(self.open.get() + 1);
        self.most.set(self.most.get().max(self.open.get()));
        Ok(Box::new(Device(self.clone())))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

impl Transport for Device {
    fn execute(&mut self, _: Command<'_>) -> io::Result<Completion> {
        let time = self.0.time.get();
        if !time.is_zero() {
            tell("sent\n");
            std::thread::sleep(time);
            tell("answered\n");
        }
        Ok(Completion {
            status: self.0.status.get(),
            ..Completion::default()
        })
    }

    fn node(&self) -> Node {
        Node {
            kind: self.0.kind.get(),
            bsg_major: None,
            ..Node::default()
        }
    }

    fn sent(&mut self) -> Vec<String> {
        vec!["Reservation Report".to_owned()]
    }

    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        Some([3, 5, 36])
    }

    fn host(&mut self, timeout: Duration) -> Option<TransportId> {
        assert_eq!(timeout, TIMEOUT);
        TransportId::nvme_host(&HOST)
    }
}

fn tell(text: &str) {
    io::stdout().write_all(text.as_bytes()).unwrap();
    io::stdout().flush().unwrap();
}

fn open(devices: &dyn Open) -> Box<dyn Transport> {
    devices
        .open(Path::new("/dev/sda"), Access::ReadWrite)
        .unwrap()
}

fn inquire(device: &mut dyn Transport) {
    let completion = device.execute(Command {
        cdb: inquiry::cdb(),
        data: Data::In(&mut [0; 36]),
        timeout: TIMEOUT,
    });
    completion.unwrap();
}

fn read(device: &mut dyn Transport) {
    let completion = device.execute(Command {
        cdb: prin::ServiceAction::ReadKeys.cdb(8192),
        data: Data::In(&mut [0; 8192]),
        timeout: TIMEOUT,
    });
    completion.unwrap();
}

fn change(device: &mut dyn Transport) {
    let (cdb, list) = PersistentReserveOut::new(ServiceAction::Clear).emit();
    let completion = device.execute(Command {
        cdb,
        data: Data::Out(&list),
        timeout: TIMEOUT,
    });
    completion.unwrap();
}

/// What a device tells besides the answers to commands is told through the watch as well.
#[test]
fn a_watched_device_is_the_device() {
    let mut device = open(&Watched::new(Devices::default(), false));
    assert_eq!(device.host(TIMEOUT), TransportId::nvme_host(&HOST));
    assert_eq!(device.sent(), ["Reservation Report"]);
    assert_eq!(device.sg_driver_version(), Some([3, 5, 36]));
}

/// The threads of this process.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Has this process make do with so much of `resource`; more can be had back.
fn limit(resource: libc::__rlimit_resource_t, most: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: most,
        rlim_max: hard_limit(resource),
    };
    // SAFETY: it reads the two numbers.
    assert_eq!(unsafe { libc::setrlimit(resource, &limit) }, 0);
}

fn hard_limit(resource: libc::__rlimit_resource_t) -> libc::rlim_t {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: it writes the two numbers.
    assert_eq!(unsafe { libc::getrlimit(resource, &mut limit) }, 0);
    limit.rlim_max
}

/// Writes to standard error, which is a pipe, until it takes no more.
fn fill_stderr() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    let stderr = io::stderr();
    fcntl(&stderr, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while nix::unistd::write(&stderr, &[b'.'; 4096]).is_ok() {}
    fcntl(&stderr, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
}

/// Writes to a pipe that nobody reads.
fn write_to_nobody() -> nix::Result<usize> {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    nix::unistd::write(writer, b"answer")
}

/// Has `signal` do what it does in a program that says nothing about it.
fn default_action(signal: Signal) {
    // SAFETY: no handler of anybody's goes or comes by it.
    let before = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
    before.unwrap();
}

/// The child's part; in any other process it does nothing.
#[test]
fn play() {
    let Ok(scene) = env::var(SCENE) else {
        return;
    };
    let (scene, blocked) = match scene.strip_suffix(", blocked") {
        Some(scene) => (scene, true),
        None => (&scene[..], false),
    };
    // A shell has its background jobs ignore SIGINT and SIGQUIT.
    ENDING.into_iter().for_each(default_action);
    if !blocked {
        // The test's own threads keep them blocked: this one stands for the program.
        ALL.into_iter()
            .collect::<SigSet>()
            .thread_unblock()
            .unwrap();
    }
    let devices = Devices::default();
    let slowness = env::var(SLOWNESS).ok().and_then(|text| text.parse().ok());
    let slowness = Duration::from_millis(slowness.unwrap_or_default());
    let slow = || devices.time.set(slowness);
    let quick = || devices.time.set(Duration::ZERO);
    match scene {
        "inquiry and change" | "inquiry and change on a terminal" => {
            let watched = Watched::new(devices.clone(), scene.ends_with("terminal"));
            let mut device = open(&watched);
            inquire(&mut *device);
            drop(device);
            let mut device = open(&watched);
            slow();
            change(&mut *device);
        }
        "change and verification" | "refused change and reading" => {
            if scene.starts_with("refused") {
                devices.status.set(ScsiStatus::RESERVATION_CONFLICT);
            }
            let mut device = open(&Watched::new(devices.clone(), false));
            read(&mut *device);
            change(&mut *device);
            slow();
            read(&mut *device);
        }
        "change and a reader that takes its time" => {
            let mut device = open(&Watched::new(devices.clone(), false));
            change(&mut *device);
            tell("sent\n");
            std::thread::sleep(slowness);
        }
        "refused change" | "refused change at an sg node" => {
            devices.status.set(ScsiStatus::RESERVATION_CONFLICT);
            if scene.ends_with("sg node") {
                devices.kind.set(NodeKind::Sg);
            }
            let mut device = open(&Watched::new(devices.clone(), false));
            slow();
            change(&mut *device);
        }
        "reading on a terminal" => {
            let mut device = open(&Watched::new(devices.clone(), true));
            slow();
            read(&mut *device);
        }
        "reading on a terminal and change" => {
            let mut device = open(&Watched::new(devices.clone(), true));
            read(&mut *device);
            slow();
            change(&mut *device);
        }
        "change, and nobody reads what is said" => {
            fill_stderr();
            let mut device = open(&Watched::new(devices.clone(), false));
            slow();
            change(&mut *device);
        }
        "reading on a terminal that takes nothing" => {
            fill_stderr();
            let mut device = open(&Watched::new(devices.clone(), true));
            devices.time.set(Duration::from_millis(2500));
            read(&mut *device);
        }
        "two changes" => {
            let mut device = open(&Watched::new(devices.clone(), false));
            change(&mut *device);
            slow();
            change(&mut *device);
        }
        "change without a descriptor to spare" => {
            let mut device = open(&Watched::new(devices.clone(), false));
            limit(libc::RLIMIT_NOFILE, 32);
            let files: Vec<_> = (0..)
                .map_while(|_| fs::File::open("/dev/null").ok())
                .collect();
            slow();
            change(&mut *device);
            drop(files);
        }
        "change and output that is lost" | "refused change and output that is lost" => {
            if scene.starts_with("refused") {
                devices.status.set(ScsiStatus::RESERVATION_CONFLICT);
            }
            // The standard library has had it ignored.
            default_action(Signal::SIGPIPE);
            let mut device = open(&Watched::new(devices.clone(), false));
            change(&mut *device);
            assert_eq!(write_to_nobody(), Err(nix::errno::Errno::EPIPE));
            let name = format!("sg_persist-watch-{}", std::process::id());
            let path = env::temp_dir().join(name);
            let mut file = fs::File::create(&path).unwrap();
            fs::remove_file(path).unwrap();
            limit(libc::RLIMIT_FSIZE, 0);
            let error = file.write(b"answer").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
            limit(libc::RLIMIT_FSIZE, libc::RLIM_INFINITY);
        }
        "reading and output that is lost" | "reading on a terminal and output that is lost" => {
            default_action(Signal::SIGPIPE);
            let terminal = scene.contains("terminal");
            let mut device = open(&Watched::new(devices.clone(), terminal));
            read(&mut *device);
            let _ = write_to_nobody();
        }
        "many devices" => {
            let before = threads();
            let watched = Watched::new(devices.clone(), true);
            for _ in 0..40 {
                let mut device = open(&watched);
                inquire(&mut *device);
                change(&mut *device);
            }
            tell(&format!(
                "{} thread, {} device\n",
                threads() - before,
                devices.most.get()
            ));
            // Those that were blocked before are blocked, and no others than those that are watched.
            let mask = SigSet::thread_get_mask().unwrap();
            for signal in ALL {
                let waits = ENDING.contains(&signal)
                    || [Signal::SIGPIPE, Signal::SIGXFSZ].contains(&signal);
                assert_eq!(mask.contains(signal), waits, "{signal}");
            }
        }
        other => panic!("{other}"),
    }
    quick();
    tell("over\n");
}

/// A process that plays a scene.
struct Child {
    pid: Pid,
    stdout: std::process::ChildStdout,
    stderr: std::process::ChildStderr,
}

impl Child {
    /// Starts it, and waits until its slow command is under way, which a signal is to end.
    fn at_device(scene: &str) -> Self {
        Self::at_device_for(scene, ENDED_BY_A_SIGNAL)
    }

    /// The same with a command that takes so many milliseconds.
    fn at_device_for(scene: &str, slowness: u64) -> Self {
        let mut child = Self::start_with(scene, slowness);
        child.read_until("sent\n");
        // The word comes shortly before the wait.
        std::thread::sleep(Duration::from_millis(100));
        child
    }

    fn start(scene: &str) -> Self {
        Self::start_with(scene, 0)
    }

    fn start_with(scene: &str, slowness: u64) -> Self {
        let mut program = Program::new(env::current_exe().unwrap());
        program
            .args([
                "--exact",
                "watch_tests::play",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(SCENE, scene)
            .env(SLOWNESS, slowness.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group whose leader has its parent elsewhere in the session can be stopped.
            .process_group(0);
        let all: SigSet = ALL.into_iter().collect();
        // SAFETY: between fork and exec it changes the signal mask, and touches nothing else.
        unsafe { program.pre_exec(move || Ok(all.thread_block()?)) };
        #[expect(
            clippy::zombie_processes,
            reason = "waitpid waits for it, for stops, too"
        )]
        let mut child = program.spawn().unwrap();
        Self {
            pid: Pid::from_raw(child.id().try_into().unwrap()),
            stdout: child.stdout.take().unwrap(),
            stderr: child.stderr.take().unwrap(),
        }
    }

    /// Reads standard output up to `end`.
    #[track_caller]
    fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(end.as_bytes()) {
            assert_eq!(
                self.stdout.read(&mut byte).unwrap(),
                1,
                "{}",
                String::from_utf8_lossy(&text)
            );
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }

    fn send(&self, signal: Signal) -> &Self {
        kill(self.pid, signal).unwrap();
        self
    }

    fn wait(&self) -> WaitStatus {
        waitpid(self.pid, Some(WaitPidFlag::WUNTRACED)).unwrap()
    }

    /// How it ends within so much time; it is killed where it does not.
    fn wait_for(&self, most: Duration) -> WaitStatus {
        let began = std::time::Instant::now();
        while began.elapsed() < most {
            let status = waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).unwrap();
            if status != WaitStatus::StillAlive {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.send(Signal::SIGKILL).wait()
    }

    fn stderr(mut self) -> String {
        let mut text = String::new();
        self.stderr.read_to_string(&mut text).unwrap();
        text
    }

    /// It ends by `signal`, with `last_words`.
    #[track_caller]
    fn ends_by(self, signal: Signal, last_words: &str) {
        assert_eq!(
            self.wait(),
            WaitStatus::Signaled(self.pid, signal, false),
            "{last_words}"
        );
        assert_eq!(self.stderr(), last_words);
    }

    /// It comes to its end, and says nothing.
    #[track_caller]
    fn comes_to_its_end(self) {
        assert_eq!(self.wait(), WaitStatus::Exited(self.pid, 0));
        assert_eq!(self.stderr(), "");
    }
}

#[test]
fn a_change_that_comes_after_inquiry_has_an_unknown_outcome() {
    let all = ENDING.map(|signal| ("inquiry and change", signal));
    let others = [
        "inquiry and change on a terminal",
        "reading on a terminal and change",
        "two changes",
        "change without a descriptor to spare",
    ];
    let others = others.map(|scene| [(scene, Signal::SIGINT), (scene, Signal::SIGTERM)]);
    for (scene, signal) in all.into_iter().chain(others.into_iter().flatten()) {
        let child = Child::at_device(scene);
        child.send(signal);
        child.ends_by(
            signal,
            &format!(
                "sg_persist: {signal} while a command (Persistent reservation out) was at /dev/sda; its outcome is \
                 unknown: read the keys and the reservation to see\n"
            ),
        );
    }
}

#[test]
fn a_change_that_is_being_verified_was_made() {
    let child = Child::at_device("change and verification");
    child.send(Signal::SIGTERM);
    child.ends_by(
        Signal::SIGTERM,
        "sg_persist: SIGTERM while a command (Persistent reservation in) was at /dev/sda; the change was made, but it \
         was not verified\n",
    );
}

#[test]
fn a_change_that_nobody_was_told_of_was_made() {
    let child = Child::at_device("change and a reader that takes its time");
    child.send(Signal::SIGTERM);
    child.ends_by(
        Signal::SIGTERM,
        "sg_persist: SIGTERM after the change at /dev/sda was made\n",
    );
}

#[test]
fn what_was_refused_was_not_made() {
    let child = Child::at_device("refused change and reading");
    child.send(Signal::SIGTERM);
    child.ends_by(
        Signal::SIGTERM,
        "sg_persist: SIGTERM while a command (Persistent reservation in) was at /dev/sda; there is no answer\n",
    );
}

#[test]
fn a_change_is_not_stopped() {
    for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        for scene in [
            "inquiry and change",
            "reading on a terminal and change",
            "two changes",
        ] {
            let mut child = Child::at_device_for(scene, comes_to_its_end(scene));
            child.send(signal);
            // The stop is not lost: it comes when the device has answered.
            assert_eq!(child.wait(), WaitStatus::Stopped(child.pid, signal));
            let began = std::time::Instant::now();
            child.read_until("answered\n");
            assert!(began.elapsed() < Duration::from_millis(450), "{scene}");
            child.send(Signal::SIGCONT);
            child.comes_to_its_end();
        }
    }
}

#[test]
fn a_change_that_the_kernel_may_have_sent_twice() {
    for (scene, stopped, message) in [
        (
            "refused change at an sg node",
            true,
            "sg_persist: the program was stopped while a command (Persistent reservation out) was at /dev/sda, and the \
             kernel may have sent it twice: read the keys and the reservation to see\n",
        ),
        ("refused change at an sg node", false, ""),
        ("refused change", true, ""),
        ("inquiry and change", true, ""),
    ] {
        let mut child = Child::at_device_for(scene, comes_to_its_end(scene));
        if stopped {
            child.send(Signal::SIGSTOP);
            assert_eq!(
                child.wait(),
                WaitStatus::Stopped(child.pid, Signal::SIGSTOP)
            );
            child.send(Signal::SIGCONT);
        }
        child.read_until("over\n");
        assert_eq!(child.wait(), WaitStatus::Exited(child.pid, 0));
        assert_eq!(child.stderr(), message, "{scene}");
    }
}

#[test]
fn reading_is_stopped() {
    let mut child = Child::at_device_for("reading on a terminal", 900);
    let began = std::time::Instant::now();
    child.send(Signal::SIGTSTP);
    assert_eq!(
        child.wait(),
        WaitStatus::Stopped(child.pid, Signal::SIGTSTP)
    );
    assert!(began.elapsed() < Duration::from_millis(750));
    child.send(Signal::SIGCONT);
    child.read_until("answered\n");
    assert_eq!(child.wait(), WaitStatus::Exited(child.pid, 0));
}

#[test]
fn what_the_parent_has_blocked_stays_blocked() {
    for scene in [
        "inquiry and change, blocked",
        "inquiry and change on a terminal, blocked",
    ] {
        let child = Child::at_device_for(scene, comes_to_its_end(scene));
        for signal in ALL {
            child.send(signal);
        }
        child.comes_to_its_end();
    }
}

#[test]
fn many_devices_take_one_thread_and_one_descriptor() {
    let mut child = Child::start("many devices");
    child.read_until("1 thread, 1 device\n");
    child.comes_to_its_end();
}

#[test]
fn what_is_not_used_any_more_is_closed_before_another_is_opened() {
    let devices = Devices::default();
    let watched = Watched::new(devices.clone(), false);
    for _ in 0..3 {
        let mut device = open(&watched);
        inquire(&mut *device);
    }
    // The last one is left to the end of the process.
    assert_eq!((devices.open.get(), devices.most.get()), (1, 1));
}

#[test]
fn what_is_watched_tells_all_that_the_device_tells() {
    let devices = Devices::default();
    devices.kind.set(NodeKind::NvmeBlock { namespace: 3 });
    let mut device = open(&Watched::new(devices, false));
    assert_eq!(device.node().kind, NodeKind::NvmeBlock { namespace: 3 });
    assert_eq!(device.sent(), ["Reservation Report"]);
    assert_eq!(device.sg_driver_version(), Some([3, 5, 36]));
    assert_eq!(device.host(TIMEOUT), TransportId::nvme_host(&HOST));
    assert!(device.host(TIMEOUT).is_some());
}

#[test]
fn a_change_keeps_its_status_where_its_output_is_lost() {
    for scene in [
        "change and output that is lost",
        "refused change and output that is lost",
    ] {
        Child::start(scene).comes_to_its_end();
    }
}

#[test]
fn reading_ends_where_nobody_reads_on() {
    for scene in [
        "reading and output that is lost",
        "reading on a terminal and output that is lost",
    ] {
        Child::start(scene).ends_by(Signal::SIGPIPE, "");
    }
}

#[test]
fn a_signal_ends_a_change_that_nobody_hears_of() {
    let child = Child::at_device("change, and nobody reads what is said");
    child.send(Signal::SIGTERM);
    assert_eq!(
        child.wait_for(Duration::from_secs(5)),
        WaitStatus::Signaled(child.pid, Signal::SIGTERM, false)
    );
}

#[test]
fn a_terminal_that_takes_nothing_holds_nothing_up() {
    let ended = |signal: Option<Signal>| {
        let child = Child::at_device("reading on a terminal that takes nothing");
        std::thread::sleep(Duration::from_millis(1500));
        if let Some(signal) = signal {
            child.send(signal);
        }
        (child.pid, child.wait_for(Duration::from_secs(5)))
    };
    let (pid, status) = ended(Some(Signal::SIGTERM));
    assert_eq!(status, WaitStatus::Signaled(pid, Signal::SIGTERM, false));
    let (pid, status) = ended(None);
    assert_eq!(status, WaitStatus::Exited(pid, 0));
}
