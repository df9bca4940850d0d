//! Two nodes that register, reserve, preempt, release and clear at random, and a model that has to explain it all.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::history::{Event, explain};
use crate::model::{Action, Habits, NODES, Node, Outcome, State, TYPES};
use crate::program::Program;
use crate::random::Random;

/// The keys that the nodes take turns with. Each node has its own: a key says whose it is.
pub(crate) const KEYS: [[u64; 2]; NODES] = [[0xa1, 0xa2], [0xb1, 0xb2]];
/// Commands of a node between two looks at the state.
const BURST: usize = 4;

/// What is to be done, common to the races and the kills.
pub(crate) struct Task {
    pub(crate) program: Program,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

impl Task {
    /// `PROGRAM SECONDS DEVICE1 DEVICE2 [SEED]`.
    pub(crate) fn parse(arguments: &[String]) -> io::Result<Self> {
        let (path, seconds, devices, seed) = match arguments {
            [path, seconds, one, two] => (path, seconds, [one, two], None),
            [path, seconds, one, two, seed] => (path, seconds, [one, two], Some(seed)),
            _ => return Err(io::Error::other("PROGRAM SECONDS DEVICE1 DEVICE2 [SEED]")),
        };
        Ok(Self {
            program: Program {
                path: path.clone(),
                devices: devices.map(String::clone).to_vec(),
            },
            time: Duration::from_secs(seconds.parse().map_err(io::Error::other)?),
            seed: seed.map_or_else(
                || Ok(Random::seed()),
                |seed| seed.parse().map_err(io::Error::other),
            )?,
        })
    }
}

/// Brings the device server into the empty state, and finds out what it does where the standard's word is not kept.
pub(crate) fn begin(program: &Program) -> io::Result<(State, Habits)> {
    let generation = |node| match settled(program, node, Action::ReadKeys)? {
        Outcome::Keys(generation, _) => Ok(generation),
        other => Err(io::Error::other(format!("READ KEYS: {other:x?}"))),
    };
    let done = |node, action| match settled(program, node, action)? {
        Outcome::Done => Ok(()),
        other => Err(io::Error::other(format!("{action:x?}: {other:x?}"))),
    };
    let [[here, _], [there, _]] = KEYS;
    done(0, Action::RegisterIgnore(here))?;
    done(0, Action::Clear(here))?;
    generation(1)?;
    done(0, Action::Register(0, here))?;
    let before = generation(0)?;
    done(0, Action::Register(here, 0))?;
    let unregister_counts = generation(0)? != before;

    done(0, Action::Register(0, here))?;
    done(1, Action::Register(0, there))?;
    done(0, Action::Reserve(here, 7))?;
    done(1, Action::Preempt(there, here, 5))?;
    let held = settled(program, 1, Action::ReadReservation)?;
    let maker_is_preempted = matches!(held, Outcome::Reservation(_, Some((_, 5))));
    done(1, Action::Clear(there))?;
    // The first node is told that it was preempted.
    let after = generation(0)?;
    let habits = Habits {
        unregister_counts,
        maker_is_preempted,
    };
    Ok((State::empty(after), habits))
}

/// The outcome behind unit attentions of the past.
fn settled(program: &Program, node: Node, action: Action) -> io::Result<Outcome> {
    for _ in 0..3 {
        match program.run(node, action)? {
            Outcome::Attention => {}
            other => return Ok(other),
        }
    }
    Ok(Outcome::Attention)
}

/// A command that a node might give, which believes to be registered with `key`. Most are sensible.
pub(crate) fn choose(random: &mut Random, node: Node, key: Option<u64>) -> Action {
    let mut said = key.unwrap_or_else(|| random.choose(&KEYS[node]));
    if random.percent(10) {
        said = random.choose(&[KEYS[node][0], KEYS[node][1], KEYS[1 - node][0], 0x77, 0]);
    }
    let kind = random.choose(&TYPES);
    let wanted = random.choose(&KEYS[node]);
    // Not oneself: what becomes of one's own registration then is not the same in all of the standard's cases.
    let victim = match random.below(10) {
        0 => 0,
        1 => 0x77,
        _ => random.choose(&KEYS[1 - node]),
    };
    let registers = if key.is_none() { 60 } else { 10 };
    if random.percent(registers) {
        return match random.below(3) {
            0 => Action::RegisterIgnore(wanted),
            _ => Action::Register(key.unwrap_or(0), wanted),
        };
    }
    match random.below(20) {
        0..6 => Action::Reserve(said, kind),
        6..9 => Action::Release(said, kind),
        9..12 => Action::Preempt(said, victim, kind),
        12 => Action::Clear(said),
        13 => Action::Register(said, 0),
        14 => Action::RegisterIgnore(0),
        15..18 => Action::ReadReservation,
        _ => Action::ReadKeys,
    }
}

/// Which key the node believes to be registered with after a command.
pub(crate) fn believe(key: Option<u64>, action: Action, outcome: &Outcome) -> Option<u64> {
    match (action, outcome) {
        (Action::Register(_, wanted) | Action::RegisterIgnore(wanted), Outcome::Done) => {
            (wanted != 0).then_some(wanted)
        }
        (Action::Clear(_), Outcome::Done) => None,
        // Whoever is told of something, or is refused, may well have lost the registration.
        (_, Outcome::Attention) => None,
        _ => key,
    }
}

/// Runs one command and notes what came of it and when.
fn observe(program: &Program, node: Node, action: Action) -> io::Result<Event> {
    let start = Instant::now();
    let outcome = program.run(node, action)?;
    Ok(Event {
        node,
        action,
        outcome,
        start,
        end: Instant::now(),
    })
}

/// What each node does while the other one does, too.
fn burst(program: &Program, node: Node, mut key: Option<u64>, seed: u64) -> io::Result<Vec<Event>> {
    let mut random = Random::new(seed);
    let mut events = Vec::new();
    for _ in 0..BURST {
        let action = choose(&mut random, node, key);
        let event = observe(program, node, action)?;
        key = believe(key, action, &event.outcome);
        events.push(event);
    }
    Ok(events)
}

/// `race PROGRAM SECONDS DEVICE1 DEVICE2 [SEED]`. True where the model explains everything.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    let task = Task::parse(arguments)?;
    let program = &task.program;
    let mut random = Random::new(task.seed);
    let (empty, habits) = begin(program)?;
    let mut states = BTreeSet::from([empty]);
    let mut log: Vec<Event> = Vec::new();
    let mut rounds = 0;
    let began = Instant::now();
    while began.elapsed() < task.time {
        // Both nodes at once in most rounds, one command after the other in the others; then a look at the outcome.
        let mut actors = if rounds % 4 == 3 {
            alternate(program, &states, &mut random)?
        } else {
            at_once(program, &states, &mut random)?
        };
        rounds += 1;
        let mut after = explain(&states, &actors, habits);
        if !after.is_empty() {
            let mut looks = Vec::new();
            for action in [Action::ReadKeys, Action::ReadReservation] {
                for node in 0..NODES {
                    looks.push(observe(program, node, action)?);
                }
            }
            after = explain(&after, std::slice::from_ref(&looks), habits);
            actors.push(looks);
        }
        let log_before = log.len();
        log.extend(actors.into_iter().flatten());
        if after.is_empty() {
            writeln!(
                io::stdout(),
                "seed {}, round {rounds}: nothing explains this",
                task.seed
            )?;
            for state in &states {
                writeln!(io::stdout(), "  before: {state:x?}")?;
            }
            show(&log[log_before..], began)?;
            return Ok(false);
        }
        states = after;
    }
    log.sort_by_key(|event| event.start);
    let count =
        |wanted: fn(&Outcome) -> bool| log.iter().filter(|event| wanted(&event.outcome)).count();
    let held = exclusive(&log);
    writeln!(
        io::stdout(),
        "seed {}: {} commands in {rounds} rounds, {} of them changes carried out, {} conflicts, {} unit attentions, \
         {} otherwise refused; {} exclusive reservations",
        task.seed,
        log.len(),
        count(|outcome| *outcome == Outcome::Done),
        count(|outcome| *outcome == Outcome::Conflict),
        count(|outcome| *outcome == Outcome::Attention),
        count(|outcome| matches!(outcome, Outcome::Illegal | Outcome::NotRegistered)),
        held.len(),
    )?;
    Ok(!overlap(&held, &log, began)?)
}

fn at_once(
    program: &Program,
    states: &BTreeSet<State>,
    random: &mut Random,
) -> io::Result<Vec<Vec<Event>>> {
    let seeds = [random.below(u64::MAX), random.below(u64::MAX)];
    thread::scope(|scope| {
        let threads: Vec<_> = (0..NODES)
            .map(|node| {
                let key = states.first().and_then(|state| state.key(node));
                scope.spawn(move || burst(program, node, key, seeds[node]))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .map_err(|_| io::Error::other("a thread panicked"))?
            })
            .collect()
    })
}

fn alternate(
    program: &Program,
    states: &BTreeSet<State>,
    random: &mut Random,
) -> io::Result<Vec<Vec<Event>>> {
    let mut keys: Vec<_> = (0..NODES)
        .map(|node| states.first().and_then(|state| state.key(node)))
        .collect();
    let mut events = Vec::new();
    for _ in 0..BURST * NODES {
        let node = random.choose(&[0, 1]);
        let action = choose(random, node, keys[node]);
        let event = observe(program, node, action)?;
        keys[node] = believe(keys[node], action, &event.outcome);
        events.push(event);
    }
    Ok(vec![events])
}

pub(crate) fn show(events: &[Event], began: Instant) -> io::Result<()> {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| event.start);
    for event in events {
        let at = |time: Instant| time.duration_since(began).as_micros();
        writeln!(
            io::stdout(),
            "  {:>10} to {:>10}  node {}  {:x?} -> {:x?}",
            at(event.start),
            at(event.end),
            event.node + 1,
            event.action,
            event.outcome
        )?;
    }
    Ok(())
}

/// A time in which a node surely held an exclusive reservation, without any model: from the moment it was told so until
/// the next command that might end it was begun.
struct Held {
    node: Node,
    from: Instant,
    until: Instant,
}

/// All such times. `log` is in the order of the starts.
fn exclusive(log: &[Event]) -> Vec<Held> {
    let mut held = Vec::new();
    for (index, event) in log.iter().enumerate() {
        let (Action::Reserve(_, 1..=6), Outcome::Done) = (event.action, &event.outcome) else {
            continue;
        };
        let ends = |other: &&Event| {
            let harmless = matches!(
                other.action,
                Action::ReadKeys | Action::ReadReservation | Action::Reserve(..)
            );
            !harmless && other.end > event.start
        };
        // Those that were begun earlier are few: nothing takes longer than a round.
        let from = index.saturating_sub(4 * BURST);
        let until = log[from..]
            .iter()
            .filter(ends)
            .map(|other| other.start)
            .min();
        let until = until.unwrap_or(event.end);
        if until > event.end {
            held.push(Held {
                node: event.node,
                from: event.end,
                until,
            });
        }
    }
    held
}

/// Whether two nodes held one at a time, or a look in between saw the other one's.
fn overlap(held: &[Held], log: &[Event], began: Instant) -> io::Result<bool> {
    for (index, one) in held.iter().enumerate() {
        let clash = held[index + 1..]
            .iter()
            .take_while(|two| two.from < one.until)
            .any(|two| two.node != one.node && one.from < two.until);
        let inside = |event: &&Event| event.start > one.from && event.end < one.until;
        let strange = |event: &&Event| match event.outcome {
            Outcome::Reservation(_, held) => {
                held.is_none_or(|(key, _)| !KEYS[one.node].contains(&key))
            }
            _ => false,
        };
        let strange: Vec<Event> = log.iter().filter(inside).filter(strange).cloned().collect();
        if clash || !strange.is_empty() {
            writeln!(io::stdout(), "two nodes with an exclusive reservation:")?;
            show(&strange, began)?;
            return Ok(true);
        }
    }
    Ok(false)
}
