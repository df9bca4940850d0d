//! The program's thread that waits for signals.

use std::fmt::Write;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, raise};

use crate::thread;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn threads_do_what_they_are_given() {
    let (done, results) = mpsc::channel();
    for number in 0..20 {
        let done = done.clone();
        thread::start(Box::new(move || {
            // What the program's thread does: a line is put together.
            let mut line = String::new();
            write!(line, "{number}: {:?}", std::time::Instant::now()).expect("room");
            done.send((number, line)).expect("somebody listens");
        }))
        .expect("a thread");
    }
    let mut numbers: Vec<i32> = (0..20)
        .map(|_| results.recv_timeout(PATIENCE).expect("a result").0)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

#[test]
fn a_thread_has_the_signal_mask_of_the_one_that_started_it() {
    let signals: SigSet = [Signal::SIGHUP, Signal::SIGUSR1].into_iter().collect();
    signals.thread_block().expect("a mask");
    let (done, results) = mpsc::channel();
    thread::start(Box::new(move || {
        let mask = SigSet::thread_get_mask().expect("a mask");
        done.send((mask.contains(Signal::SIGHUP), mask.contains(Signal::SIGINT)))
            .expect("somebody listens");
    }))
    .expect("a thread");
    assert_eq!(results.recv_timeout(PATIENCE), Ok((true, false)));
}

/// More than putting a line together takes, by far: some 30 KiB of frames.
#[test]
fn a_thread_has_room() {
    fn deep(levels: usize) -> usize {
        let frame = std::hint::black_box([levels; 128]);
        match levels {
            0 => frame.len(),
            _ => deep(levels - 1) + frame[0] - levels,
        }
    }
    let (done, results) = mpsc::channel();
    thread::start(Box::new(move || {
        done.send(deep(24)).expect("somebody listens");
    }))
    .expect("a thread");
    assert_eq!(results.recv_timeout(PATIENCE), Ok(128));
}

#[test]
fn waiting_takes_signals_one_by_one() {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGUSR2].into_iter().collect();
    signals.thread_block().expect("a mask");
    raise(Signal::SIGUSR2).expect("a signal");
    raise(Signal::SIGTERM).expect("a signal");
    let mut taken = [None, Some(PATIENCE)].map(|patience| thread::wait(&signals, patience));
    taken.sort_unstable();
    let mut sent = [Some(Signal::SIGTERM), Some(Signal::SIGUSR2)];
    sent.sort_unstable();
    assert_eq!(taken, sent);
    assert_eq!(thread::wait(&signals, Some(Duration::ZERO)), None);
}

#[test]
fn waiting_is_over_when_no_signal_comes() {
    let signals: SigSet = [Signal::SIGHUP].into_iter().collect();
    signals.thread_block().expect("a mask");
    let patience = Duration::from_millis(1100);
    let started = std::time::Instant::now();
    assert_eq!(thread::wait(&signals, Some(patience)), None);
    assert!(started.elapsed() >= patience, "{:?}", started.elapsed());
}

#[test]
fn ignored_signals_are_known() {
    assert!(!thread::is_ignored(Signal::SIGUSR2));
    assert!(!thread::is_ignored(Signal::SIGCONT));
    // The standard library has it ignored.
    assert!(thread::is_ignored(Signal::SIGPIPE));
}

#[test]
fn the_first_process_of_a_container_is_ended_by_nothing() {
    assert!(thread::does_nothing(libc::SIG_DFL, 1));
    assert!(!thread::does_nothing(libc::SIG_DFL, 2));
    for process in [1, 2] {
        assert!(thread::does_nothing(libc::SIG_IGN, process));
        // A handler's address.
        assert!(!thread::does_nothing(0x4000, process));
    }
}

#[test]
fn a_quiet_thread_takes_no_signal() {
    let mask = || SigSet::thread_get_mask().expect("a mask");
    let before = mask();
    let (done, results) = mpsc::channel();
    thread::start_roomy(Box::new(move || {
        let taken = crate::watch::ENDING
            .iter()
            .any(|&one| !mask().contains(one));
        done.send(taken).expect("somebody listens");
    }))
    .expect("a thread");
    assert_eq!(results.recv_timeout(PATIENCE), Ok(false));
    assert_eq!(mask(), before);
}
