//! The program killed at random moments: whatever it was at, it was done or it was not.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use libc::{SIGINT, SIGKILL};

use crate::history::{Event, explain};
use crate::model::{Action, NODES, Outcome};
use crate::program::end;
use crate::race::{self, Task, begin, choose};
use crate::random::Random;
use crate::signal;

/// How much longer it may take until there was one of each kind.
const MORE: Duration = Duration::from_secs(90);

/// `kill PROGRAM SECONDS DEVICE1 DEVICE2 [SEED]`. True where the device server was always in a state that the commands
/// explain, each of them carried out as a whole or not at all.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    let task = Task::parse(arguments)?;
    let program = &task.program;
    let mut random = Random::new(task.seed);
    let (empty, habits) = begin(program)?;
    let mut states = BTreeSet::from([empty]);

    // How long a command takes here, from its start to its end.
    let began = Instant::now();
    for _ in 0..10 {
        program.run(0, Action::ReadKeys)?;
    }
    let mut usual = began.elapsed() / 10;

    // Killed with SIGKILL, with SIGINT, at the device by their own account, ended before the signal; carried out though
    // killed, not carried out.
    let (mut killed, mut interrupted, mut at_device, mut ended, mut done, mut undone) =
        (0, 0, 0, 0, 0, 0);
    let began = Instant::now();
    // Some things are rare: a command that is carried out while its program does not come to its end.
    let enough = |counts: [u32; 5]| counts.iter().all(|&count| count > 0);
    while began.elapsed() < task.time
        || (began.elapsed() < task.time + MORE
            && !enough([killed, interrupted, ended, done, undone]))
    {
        let node = random.choose(&[0, 1]);
        let key = states.first().and_then(|state| state.key(node));
        let action = choose(&mut random, node, key);
        if matches!(action, Action::ReadKeys | Action::ReadReservation) {
            continue;
        }
        let start = Instant::now();
        let child = program.start(node, action)?;
        // Most of a short command's time is its beginning; what it is about comes towards the end.
        let part = if random.percent(30) {
            random.below(130)
        } else {
            70 + random.below(50)
        };
        thread::sleep(
            (usual * u32::try_from(part).unwrap_or_default() / 100).saturating_sub(start.elapsed()),
        );
        let signal = random.choose(&[SIGINT, SIGKILL]);
        signal::send(&child, signal)?;
        let result = end(child, action)?;
        let expected = format!(
            "sg_persist: SIGINT while a command (Persistent reservation out) was at {}; its outcome is unknown: read the \
             keys and the reservation to see\n",
            program.devices[node]
        );
        let made = format!(
            "sg_persist: SIGINT after the change at {} was made\n",
            program.devices[node]
        );
        let told = result.signal == Some(SIGINT) && result.stderr == made;
        match result.signal {
            None => ended += 1,
            Some(_) if told => interrupted += 1,
            Some(SIGINT) if result.stderr == expected => {
                interrupted += 1;
                at_device += 1;
            }
            // Not one word, or it was already about to end and had said how its command had.
            Some(signal) if result.stderr.is_empty() || result.stderr.starts_with("PR out (") => {
                match signal {
                    SIGKILL => killed += 1,
                    _ => interrupted += 1,
                }
            }
            other => {
                return Err(io::Error::other(format!(
                    "signal {other:?}: {}",
                    result.stderr
                )));
            }
        }
        let was_killed = result.signal.is_some();
        // How fast the machine is changes. Three of four are to be killed, shortly before they would have ended.
        usual = if was_killed {
            usual * 101 / 100
        } else {
            usual * 97 / 100
        };
        let mut events = vec![Event {
            node,
            action,
            outcome: match told {
                true => Outcome::Done,
                false => result.outcome,
            },
            start,
            end: Instant::now(),
        }];
        // A command that the program does not wait for any more may still be under way; it takes far less than this.
        thread::sleep(Duration::from_millis(5));
        for action in [Action::ReadKeys, Action::ReadReservation] {
            for node in 0..NODES {
                let start = Instant::now();
                let outcome = program.run(node, action)?;
                events.push(Event {
                    node,
                    action,
                    outcome,
                    start,
                    end: Instant::now(),
                });
            }
        }
        let before = states.clone();
        states = explain(&states, std::slice::from_ref(&events), habits);
        if states.is_empty() {
            writeln!(io::stdout(), "seed {}: nothing explains this", task.seed)?;
            for state in &before {
                writeln!(io::stdout(), "  before: {state:x?}")?;
            }
            race::show(&events, began)?;
            return Ok(false);
        }
        if was_killed {
            // Where the command would have changed nothing there is nothing to tell the two apart by.
            if states.is_disjoint(&before) {
                done += 1;
            } else {
                undone += 1;
            }
        }
        let unknown = was_killed && !told;
        if events.iter().any(|event| event.outcome == Outcome::Unknown) != unknown {
            return Err(io::Error::other("an outcome without an end"));
        }
    }
    writeln!(
        io::stdout(),
        "seed {}: {} commands, {killed} killed with SIGKILL, {interrupted} with SIGINT ({at_device} of them at the \
         device), {ended} ended before; of the killed {done} were carried out and {undone} changed nothing",
        task.seed,
        killed + interrupted + ended,
    )?;
    Ok(true)
}
