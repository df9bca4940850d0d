//! The device, played below the system call. Any program, static or dynamic, is
//! started from a thread with a seccomp filter that hands `ioctl(SG_IO)` and
//! non-blocking opens to this process, which reads the caller's header, records
//! the command and writes the scripted response into the caller's memory. No
//! root and no device are needed.
//!
//! All `unsafe` of the suite is here. Numbers and layouts are those of x86-64
//! (`<scsi/sg.h>`, `<linux/seccomp.h>`).

#![allow(unsafe_code)]

use crate::case::{Access, Answer, Case, Command, Device, Direction, End, Event, Outcome};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A program that loops is stopped after this time.
pub(crate) const TIME_LIMIT: Duration = Duration::from_millis(2000);
/// A program that writes without end is stopped after this many bytes.
const OUTPUT_LIMIT: usize = 1 << 20;
/// What every command is said to have taken, in milliseconds.
const DURATION: u32 = 7;

pub(crate) const SG_IO: u32 = 0x2285;
const SG_GET_VERSION_NUM: u32 = 0x2282;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// How to start a program.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// A file that is executed as it is.
    Plain(PathBuf),
    /// A file of an unpacked Debian release, started by that release's loader.
    Unpacked {
        loader: PathBuf,
        libraries: OsString,
        file: PathBuf,
    },
}

impl Program {
    /// `sg_persist` under the directory of an unpacked release.
    pub(crate) fn unpacked(root: &Path) -> io::Result<Program> {
        let root = root.canonicalize()?;
        let folders = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
        let loader = folders
            .iter()
            .map(|folder| root.join(folder).join("ld-linux-x86-64.so.2"))
            .find(|path| path.exists())
            .ok_or_else(|| io::Error::other(format!("no loader under {}", root.display())))?;
        let folders: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
        let libraries = std::env::join_paths(folders).map_err(io::Error::other)?;
        Ok(Program::Unpacked {
            loader,
            libraries,
            file: root.join("usr/bin/sg_persist"),
        })
    }

    fn command(&self, argv0: &[u8]) -> std::process::Command {
        let argv0 = OsStr::from_bytes(argv0);
        match self {
            Program::Plain(path) => {
                let mut command = std::process::Command::new(path);
                command.arg0(argv0);
                command
            }
            Program::Unpacked {
                loader,
                libraries,
                file,
            } => {
                let mut command = std::process::Command::new(loader);
                command.arg("--library-path").arg(libraries);
                command.arg("--argv0").arg(argv0).arg(file);
                command
            }
        }
    }
}

/// Runs programs one after the other against scripted devices.
#[derive(Debug)]
pub(crate) struct Double {
    jobs: Sender<(Program, Case, Stdio)>,
    outcomes: Receiver<io::Result<Outcome>>,
    directory: PathBuf,
}

/// What the two threads share: the running case and what was seen of it.
#[derive(Debug, Default)]
struct State {
    case: Option<Case>,
    seen: Vec<(u8, u8)>,
    opened: Vec<Access>,
    events: Vec<Event>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Double {
    /// Starts the threads; programs run in a new directory of this name, each no longer than `limit`.
    pub(crate) fn new(directory: PathBuf, limit: Duration) -> io::Result<Double> {
        let state = Arc::new(Mutex::new(State::default()));
        let (job_sender, jobs) = channel::<(Program, Case, Stdio)>();
        let (outcome_sender, outcomes) = channel();
        let (listener_sender, listener_receiver) = channel();

        let runner_state = Arc::clone(&state);
        let runner_directory = directory.clone();
        std::thread::spawn(move || {
            let listener = install_filter();
            let installed = listener.is_ok();
            if listener_sender.send(listener).is_err() || !installed {
                return;
            }
            for (program, case, stdin) in jobs {
                let outcome = run(
                    &program,
                    case,
                    stdin,
                    &runner_directory,
                    limit,
                    &runner_state,
                );
                if outcome_sender.send(outcome).is_err() {
                    return;
                }
            }
        });

        let listener = listener_receiver.recv().map_err(io::Error::other)??;
        std::thread::spawn(move || serve(&listener, &state, Memory::Long));
        Ok(Double {
            jobs: job_sender,
            outcomes,
            directory,
        })
    }

    /// Runs one case.
    pub(crate) fn run(&self, program: &Program, case: &Case) -> io::Result<Outcome> {
        let stdin = prepare(&self.directory, case)?;
        self.jobs
            .send((program.clone(), case.clone(), stdin))
            .map_err(io::Error::other)?;
        self.outcomes.recv().map_err(io::Error::other)?
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Puts the case's files into an empty directory; what standard input is, is returned.
fn prepare(directory: &Path, case: &Case) -> io::Result<Stdio> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    let device = directory.join("DEV");
    match case.device {
        Device::File => fs::write(&device, b"")?,
        Device::Missing => {}
        Device::Directory => fs::create_dir(&device)?,
        Device::Socket => drop(std::os::unix::net::UnixListener::bind(&device)?),
        Device::Fifo => make_fifo(&device)?,
        Device::Null => std::os::unix::fs::symlink("/dev/null", &device)?,
    }
    for (name, content) in &case.files {
        fs::write(directory.join(name), content)?;
    }
    match &case.stdin {
        None => Ok(Stdio::null()),
        Some(content) => {
            let path = directory.join(".stdin");
            fs::write(&path, content)?;
            Ok(fs::File::open(&path)?.into())
        }
    }
}

fn make_fifo(path: &Path) -> io::Result<()> {
    let name = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `name` is a NUL-terminated string that outlives the call.
    let made = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
    if made == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn run(
    program: &Program,
    case: Case,
    stdin: Stdio,
    directory: &Path,
    limit: Duration,
    state: &Mutex<State>,
) -> io::Result<Outcome> {
    let mut command = program.command(&case.program);
    command.env_clear().current_dir(directory);
    for (name, value) in &case.env {
        command.env(name, OsStr::from_bytes(value));
    }
    command.args(case.argv.iter().map(|word| OsStr::from_bytes(word)));
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    *lock(state) = State {
        case: Some(case),
        ..State::default()
    };

    let mut child = command.spawn()?;
    let collected = collect(&mut child, limit);
    // A child that is gone, or about to be, is not harmed by this.
    if !matches!(collected, Ok((_, _, true))) {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let (stdout, stderr, complete) = collected?;
    let end = match (complete, status.code(), status.signal()) {
        (false, _, _) => End::Timeout,
        (true, Some(code), _) => End::Exit(code),
        (true, None, signal) => End::Signal(signal.unwrap_or_default()),
    };
    let events = std::mem::take(&mut lock(state).events);
    Ok(Outcome {
        end,
        stdout,
        stderr,
        events,
    })
}

/// Reads both streams to their ends and waits for the child. The last value
/// is false if it had to be given up.
fn collect(child: &mut Child, limit: Duration) -> io::Result<(Vec<u8>, Vec<u8>, bool)> {
    let deadline = Instant::now() + limit;
    let missing = || io::Error::other("no pipe");
    let mut stdout = child.stdout.take().ok_or_else(missing)?;
    let mut stderr = child.stderr.take().ok_or_else(missing)?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut fds = [stdout.as_raw_fd(), stderr.as_raw_fd()].map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let mut buffer = vec![0; 1 << 16];
    while fds.iter().any(|fd| fd.fd >= 0) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || out.len() > OUTPUT_LIMIT || err.len() > OUTPUT_LIMIT {
            out.truncate(4096);
            err.truncate(4096);
            return Ok((out, err, false));
        }
        let milliseconds = i32::try_from(left.as_millis()).unwrap_or(i32::MAX).max(1);
        // SAFETY: `fds` is a valid array of two pollfd during the call.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), 2, milliseconds) };
        if ready < 0 {
            return Err(io::Error::last_os_error());
        }
        for (index, fd) in fds.iter_mut().enumerate() {
            if fd.fd < 0 || fd.revents == 0 {
                continue;
            }
            let (count, into) = if index == 0 {
                (stdout.read(&mut buffer)?, &mut out)
            } else {
                (stderr.read(&mut buffer)?, &mut err)
            };
            if count == 0 {
                fd.fd = -1;
            }
            into.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
    }
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            return Ok((out, err, false));
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    Ok((out, err, true))
}

// Instructions of a filter, offsets in struct seccomp_data (low halves of the 64-bit arguments), system calls, results.
const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENT_1: u32 = 24;
const ARGUMENT_2: u32 = 32;
const IOCTL: u32 = 16;
const OPEN: u32 = 2;
const OPENAT: u32 = 257;
const NONBLOCK: u32 = 0o4000;
const NOTIFY: u32 = 0x7fc0_0000;
const ALLOW: u32 = 0x7fff_0000;

const fn step(code: u16, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// From now on commands get the answers of `case`, in this thread and in all that it starts, each as if it were the first.
#[allow(dead_code, reason = "the benchmark's")]
pub(crate) fn answer(case: Case) -> io::Result<()> {
    let listener = install_filter()?;
    let state = Mutex::new(State {
        case: Some(case),
        ..State::default()
    });
    std::thread::spawn(move || serve(&listener, &state, Memory::Short));
    Ok(())
}

/// The same, and each command takes `time`; one to a file whose name begins with `silent` takes `long`.
#[allow(dead_code, reason = "the benchmark's")]
pub(crate) fn answer_after(case: Case, time: Duration, long: Duration) -> io::Result<()> {
    let listener = Arc::new(install_filter()?);
    let state = Mutex::new(State {
        case: Some(case),
        ..State::default()
    });
    let queue = |time: Duration| {
        let (sender, responses) = channel::<(Instant, libc::seccomp_notif_resp)>();
        let listener = Arc::clone(&listener);
        std::thread::spawn(move || {
            // They come in the order in which they are due.
            for (since, response) in responses {
                std::thread::sleep(time.saturating_sub(since.elapsed()));
                let_go(&listener, response);
            }
        });
        sender
    };
    let delayed = Delayed {
        all: queue(time),
        silent: queue(long),
    };
    let listener = Arc::clone(&listener);
    std::thread::spawn(move || serve(&listener, &state, Memory::Late(delayed)));
    Ok(())
}

/// Responses to commands that take their time, with the time at which they came.
#[derive(Debug)]
struct Delayed {
    all: Sender<(Instant, libc::seccomp_notif_resp)>,
    silent: Sender<(Instant, libc::seccomp_notif_resp)>,
}

impl Delayed {
    fn send(&self, notice: &libc::seccomp_notif, response: libc::seccomp_notif_resp) {
        let link = format!("/proc/{}/fd/{}", notice.pid, notice.data.args[0]);
        let file = fs::read_link(link).unwrap_or_default();
        let name = file.file_name().unwrap_or_default();
        let queue = match name.as_bytes().starts_with(b"silent") {
            true => &self.silent,
            false => &self.all,
        };
        let _ = queue.send((Instant::now(), response));
    }
}

/// Whether what was seen is kept, and when commands have their answers.
#[derive(Debug)]
enum Memory {
    Long,
    Short,
    /// It is not kept.
    Late(Delayed),
}

/// Makes this thread, and all it starts, ask before the system calls of interest.
fn install_filter() -> io::Result<OwnedFd> {
    let mut program = [
        step(LOAD, ARCH, 0, 0),
        step(EQUAL, AUDIT_ARCH_X86_64, 0, 11),
        step(LOAD, NUMBER, 0, 0),
        step(EQUAL, IOCTL, 0, 3),
        step(LOAD, ARGUMENT_1, 0, 0),
        step(EQUAL, SG_IO, 8, 0),
        step(EQUAL, SG_GET_VERSION_NUM, 7, 6),
        step(EQUAL, OPEN, 0, 2),
        step(LOAD, ARGUMENT_1, 0, 0),
        step(ANY_BIT, NONBLOCK, 4, 3),
        step(EQUAL, OPENAT, 0, 2),
        step(LOAD, ARGUMENT_2, 0, 0),
        step(ANY_BIT, NONBLOCK, 1, 0),
        step(RETURN, ALLOW, 0, 0),
        step(RETURN, NOTIFY, 0, 0),
    ];
    let descriptor = install(&mut program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    let descriptor = RawFd::try_from(descriptor).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Installs a filter; the result is what the system call gave.
fn install(program: &mut [libc::sock_filter], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = libc::sock_fprog {
        len: length,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: PR_SET_NO_NEW_PRIVS takes four plain numbers and touches no memory.
    let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `filter` and the instructions it points at outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const filter,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

// ioctl numbers of the listener: '!' with sizes 80, 24 and 8.
const NOTIF_RECV: libc::c_ulong = 0xc050_2100;
const NOTIF_SEND: libc::c_ulong = 0xc018_2101;
const NOTIF_ID_VALID: libc::c_ulong = 0x4008_2102;

/// What the caller gets instead of its system call.
enum Reply {
    Value(i64),
    Errno(i32),
    Continue,
}

/// Answers system calls until the listener breaks.
fn serve(listener: &OwnedFd, state: &Mutex<State>, memory: Memory) {
    let fd = listener.as_raw_fd();
    loop {
        // SAFETY: all fields are integers, for which zero is a value.
        let mut notice: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request takes a zeroed struct seccomp_notif, which `notice` is.
        let received = unsafe { libc::ioctl(fd, NOTIF_RECV, &raw mut notice) };
        if received < 0 {
            match io::Error::last_os_error().raw_os_error() {
                // The caller was killed in between.
                Some(libc::ENOENT | libc::EINTR) => continue,
                _ => return,
            }
        }
        let mut state = lock(state);
        // SAFETY: the request takes a pointer to the 64-bit id.
        let valid = unsafe { libc::ioctl(fd, NOTIF_ID_VALID, &raw const notice.id) };
        if valid < 0 {
            continue;
        }
        let reply = handle(&notice, &mut state);
        if !matches!(memory, Memory::Long) {
            state.seen.clear();
            state.opened.clear();
            state.events.clear();
        }
        let (val, error, flags) = match reply {
            Reply::Value(value) => (value, 0, 0),
            Reply::Errno(errno) => (0, -errno, 0),
            Reply::Continue => (0, 0, 1),
        };
        let response = libc::seccomp_notif_resp {
            id: notice.id,
            val,
            error,
            flags,
        };
        match &memory {
            Memory::Late(delayed) if notice.data.nr == 16 && low(notice.data.args[1]) == SG_IO => {
                delayed.send(&notice, response);
            }
            _ => let_go(listener, response),
        }
    }
}

/// Lets the caller go on.
fn let_go(listener: &OwnedFd, mut response: libc::seccomp_notif_resp) {
    // SAFETY: the request takes a struct seccomp_notif_resp; a caller that died meanwhile is an error
    // of no interest.
    unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_SEND, &raw mut response) };
}

fn low(argument: u64) -> u32 {
    u32::try_from(argument & 0xffff_ffff).unwrap_or_default()
}

fn handle(notice: &libc::seccomp_notif, state: &mut State) -> Reply {
    let pid = i32::try_from(notice.pid).unwrap_or_default();
    let args = notice.data.args;
    match notice.data.nr {
        16 if low(args[1]) == SG_GET_VERSION_NUM => {
            // What Linux has called itself for the last twenty years: 3.5.36.
            match write_memory(pid, args[2], &30536_u32.to_le_bytes()) {
                Ok(()) => Reply::Value(0),
                Err(_) => Reply::Errno(libc::EFAULT),
            }
        }
        16 => match command(pid, args[0], args[2], state) {
            Ok(reply) => reply,
            Err(_) => Reply::Errno(libc::EFAULT),
        },
        2 => open(pid, args[0], low(args[1]), state),
        _ => open(pid, args[1], low(args[2]), state),
    }
}

fn open(pid: i32, path: u64, flags: u32, state: &mut State) -> Reply {
    const LARGE_FILE: u32 = 0o100_000;
    const CLOEXEC: u32 = 0o2_000_000;
    let path = read_string(pid, path);
    let access = if flags & 3 == 0 {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    state.events.push(Event::Open {
        flags: flags & !(LARGE_FILE | CLOEXEC),
        path,
    });
    state.opened.push(access);
    let nth = state.opened.iter().filter(|&&mode| mode == access).count();
    let errno = state.case.as_ref().map_or(0, |case| {
        case.open_errno(access, u32::try_from(nth).unwrap_or_default())
    });
    if errno == 0 {
        Reply::Continue
    } else {
        Reply::Errno(errno)
    }
}

/// The fields of a version 3 struct sg_io_hdr that a caller sets.
const HEADER: usize = 88;

fn field<const N: usize>(header: &[u8; HEADER], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

fn command(pid: i32, fd: u64, address: u64, state: &mut State) -> io::Result<Reply> {
    let mut header = [0; HEADER];
    read_memory(pid, address, &mut header)?;
    if i32::from_le_bytes(field(&header, 0)) != i32::from(b'S') {
        return Ok(Reply::Errno(libc::EINVAL));
    }
    let direction = match i32::from_le_bytes(field(&header, 4)) {
        -1 => Direction::None,
        -2 => Direction::Out,
        -3 => Direction::In,
        other => Direction::Other(other),
    };
    let sense_length = header[9];
    let length = u32::from_le_bytes(field(&header, 12));
    let data_address = u64::from_le_bytes(field(&header, 16));
    let mut cdb = vec![0; usize::from(header[8])];
    read_memory(pid, u64::from_le_bytes(field(&header, 24)), &mut cdb)?;
    let mut data_out = Vec::new();
    if direction == Direction::Out {
        data_out = vec![0; usize::try_from(length).unwrap_or_default()];
        read_memory(pid, data_address, &mut data_out)?;
    }
    let opcode = cdb.first().copied().unwrap_or_default();
    let action = if opcode == 0x12 {
        0
    } else {
        cdb.get(1).copied().unwrap_or_default() & 0x1f
    };
    state.seen.push((opcode, action));
    let nth = state
        .seen
        .iter()
        .filter(|&&seen| seen == (opcode, action))
        .count();
    let nth = u32::try_from(nth).unwrap_or_default();
    let answer = state
        .case
        .as_ref()
        .map(|case| case.answer(opcode, action, nth));
    state.events.push(Event::Command(Command {
        cdb,
        direction,
        length,
        data_out,
        sense_length,
        timeout: u32::from_le_bytes(field(&header, 40)),
        flags: u32::from_le_bytes(field(&header, 44)),
        on: access_of(pid, fd),
    }));
    let Some(answer) = answer else {
        return Ok(Reply::Errno(libc::ENOTTY));
    };
    if answer.errno != 0 {
        return Ok(Reply::Errno(answer.errno));
    }
    let length = if direction == Direction::In {
        length
    } else {
        0
    };
    respond(pid, &mut header, &answer, length, data_address)?;
    write_memory(pid, address, &header)?;
    Ok(Reply::Value(0))
}

/// Writes data and sense into the caller's buffers and the results into its header.
fn respond(
    pid: i32,
    header: &mut [u8; HEADER],
    answer: &Answer,
    room: u32,
    data_address: u64,
) -> io::Result<()> {
    let count = answer
        .data
        .len()
        .min(usize::try_from(room).unwrap_or_default());
    write_memory(
        pid,
        data_address,
        answer.data.get(..count).unwrap_or_default(),
    )?;
    let sense_length = answer.sense.len().min(usize::from(header[9]));
    let sense_address = u64::from_le_bytes(field(header, 32));
    write_memory(
        pid,
        sense_address,
        answer.sense.get(..sense_length).unwrap_or_default(),
    )?;
    // Data sent to the device is taken whole unless the case says otherwise.
    let rest = i64::from(room) - i64::try_from(count).unwrap_or_default();
    let resid = answer
        .resid
        .unwrap_or_else(|| i32::try_from(rest).unwrap_or_default());
    let failed = answer.status != 0 || answer.host != 0 || answer.driver != 0;
    header[64] = answer.status;
    header[65] = (answer.status & 0x3e) >> 1;
    header[66] = 0;
    header[67] = u8::try_from(sense_length).unwrap_or_default();
    header[68..70].copy_from_slice(&answer.host.to_le_bytes());
    header[70..72].copy_from_slice(&answer.driver.to_le_bytes());
    header[72..76].copy_from_slice(&resid.to_le_bytes());
    header[76..80].copy_from_slice(&DURATION.to_le_bytes());
    header[80..84].copy_from_slice(&u32::from(failed).to_le_bytes());
    Ok(())
}

/// The access mode of another process's descriptor.
fn access_of(pid: i32, fd: u64) -> Access {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", low(fd))).unwrap_or_default();
    let flags = info
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())
        .unwrap_or_default();
    if flags & 3 == 0 {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    }
}

fn read_string(pid: i32, mut address: u64) -> Vec<u8> {
    let mut text = Vec::new();
    let mut byte = [0];
    while text.len() < 4096 && read_memory(pid, address, &mut byte).is_ok() && byte[0] != 0 {
        text.push(byte[0]);
        address += 1;
    }
    text
}

fn remote(address: u64, length: usize) -> io::Result<libc::iovec> {
    let address = usize::try_from(address).map_err(io::Error::other)?;
    Ok(libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address),
        iov_len: length,
    })
}

fn whole(moved: libc::ssize_t, length: usize) -> io::Result<()> {
    match usize::try_from(moved) {
        Ok(moved) if moved == length => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn read_memory(pid: i32, address: u64, into: &mut [u8]) -> io::Result<()> {
    if into.is_empty() {
        return Ok(());
    }
    let here = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let there = remote(address, into.len())?;
    // SAFETY: `here` describes `into`, which is writable; the other side is
    // another process's memory, whose validity the kernel checks.
    let moved = unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) };
    whole(moved, into.len())
}

fn write_memory(pid: i32, address: u64, from: &[u8]) -> io::Result<()> {
    if from.is_empty() {
        return Ok(());
    }
    let here = libc::iovec {
        iov_base: from.as_ptr().cast_mut().cast(),
        iov_len: from.len(),
    };
    let there = remote(address, from.len())?;
    // SAFETY: `here` describes `from`, which the call only reads; the other
    // side is another process's memory, whose validity the kernel checks.
    let moved = unsafe { libc::process_vm_writev(pid, &raw const here, 1, &raw const there, 1, 0) };
    whole(moved, from.len())
}
