//! The program killed at random moments while it changes a multipath map: no state comes of it that a whole command would
//! not lead through, and the same command, given again, brings it to its end.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libc::{SIGKILL, SIGTERM};

use crate::model::{Action, Outcome};
use crate::program::{Program, end};
use crate::random::Random;
use crate::signal;

/// The keys that each node takes turns with.
const KEYS: [[u64; 2]; 2] = [[0xa1, 0xa2], [0xb1, 0xb2]];
/// Paths of each node.
const PATHS: u32 = 2;
/// WRITE EXCLUSIVE - REGISTRANTS ONLY: whoever is registered may write.
const KIND: u8 = 5;
/// How long what was begun may go on after its program was killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is registered with which key, by node and path, and which node holds the reservation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    keys: BTreeMap<(usize, u32), u64>,
    holder: Option<usize>,
}

impl State {
    /// The one key of a node, on all its paths.
    fn key(&self, node: usize) -> Option<u64> {
        self.keys.get(&(node, 0)).copied()
    }

    fn set(&mut self, node: usize, key: u64) {
        for path in 0..PATHS {
            match key {
                0 => self.keys.remove(&(node, path)),
                _ => self.keys.insert((node, path), key),
            };
        }
        if key == 0 && self.holder == Some(node) {
            self.holder = None;
        }
    }

    /// What the command leads to if it is carried out; `None` where it is refused.
    fn after(&self, node: usize, action: Action) -> Option<Self> {
        let own = self.key(node);
        let mut state = self.clone();
        match action {
            Action::RegisterIgnore(key) => state.set(node, key),
            Action::Register(said, key) => {
                if own.unwrap_or(0) != said {
                    return None;
                }
                state.set(node, key);
            }
            Action::Reserve(..) => match (own, self.holder) {
                (Some(_), None) => state.holder = Some(node),
                (Some(_), Some(holder)) if holder == node => {}
                _ => return None,
            },
            Action::Release(..) => {
                own?;
                if self.holder == Some(node) {
                    state.holder = None;
                }
            }
            Action::Preempt(_, victim, _) => {
                own?;
                if self.key(1 - node) != Some(victim) {
                    return None;
                }
                let was_holder = self.holder == Some(1 - node);
                state.set(1 - node, 0);
                if was_holder {
                    state.holder = Some(node);
                }
            }
            Action::Clear(_) | Action::ReadKeys | Action::ReadReservation => {}
        }
        Some(state)
    }

    /// Whether a command of `node` that has come half the way from `before` to `after` may leave this.
    fn is_between(&self, node: usize, before: &Self, after: &Self) -> bool {
        let at = |state: &Self, place| state.keys.get(&place).copied();
        let own = (0..PATHS).map(|path| (node, path)).all(|place| {
            let now = at(self, place);
            now == at(before, place) || now == at(after, place)
        });
        // The other node's are changed by one command, or not at all.
        let of_other = |state: &Self| -> Vec<_> {
            (0..PATHS).map(|path| at(state, (1 - node, path))).collect()
        };
        let other = of_other(self);
        own && (other == of_other(before) || other == of_other(after))
            && (self.holder == before.holder || self.holder == after.holder)
            // A reservation does not pass to a node whose fence has not been done.
            && (self.holder == before.holder || self.holder.is_none() || other == of_other(after))
    }
}

/// `kill-maps PROGRAM SECONDS WITNESS MAP1 PATH1A PATH1B MAP2 PATH2A PATH2B`: the paths' target ports have the relative
/// identifiers 1 to 4; WITNESS is a path of neither map.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    let [
        path,
        seconds,
        witness,
        map1,
        path1a,
        path1b,
        map2,
        path2a,
        path2b,
    ] = arguments
    else {
        return Err(io::Error::other(
            "PROGRAM SECONDS WITNESS MAP1 PATH PATH MAP2 PATH PATH",
        ));
    };
    let time = Duration::from_secs(seconds.parse().map_err(io::Error::other)?);
    let program = Program {
        path: path.clone(),
        devices: vec![map1.clone(), map2.clone()],
    };
    let target = Target {
        program: path,
        witness,
        paths: [path1a, path1b, path2a, path2b],
    };
    let seed = Random::seed();
    let mut random = Random::new(seed);
    let mut state = target.state()?;
    // How many commands a run sends, for each kind of change.
    let mut usual = HashMap::new();
    // Of each signal: came too late, changed nothing, was carried out whole, left half of it.
    let mut figures = [[0_u32; 4]; 2];
    let mut refused = 0_u32;
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < time {
        count += 1;
        let node = random.choose(&[0, 1]);
        let action = choose(&mut random, node, &state);
        let after = state.after(node, action);
        let wrong = |what: &str, found: &State| {
            io::Error::other(format!(
                "seed {seed}: {what}: node {node}: {action:x?}\n  before: {state:x?}\n  found: {found:x?}"
            ))
        };
        let signal = random.choose(&[SIGKILL, SIGTERM]);
        // So many commands to the paths later: the changes come towards the end.
        let before = target.sent(node)?;
        let length = usual.get(&std::mem::discriminant(&action)).copied();
        let length = length.unwrap_or(8);
        let wanted = match random.percent(15) {
            true => random.below(length + 1),
            false => length.saturating_sub(random.below(5)),
        };
        let mut child = program.start(node, action)?;
        let mut has_ended = false;
        while !has_ended && target.sent(node)? < before + wanted {
            thread::sleep(Duration::from_micros(300));
            has_ended = child.try_wait()?.is_some();
        }
        if !has_ended {
            signal::send(&child, signal)?;
        }
        let result = end(child, action)?;
        target.settle()?;
        let found = target.state()?;
        let figures = &mut figures[usize::from(signal == SIGTERM)];
        let goal = match &after {
            Some(after) => after,
            None => {
                refused += 1;
                &state
            }
        };
        match result.signal {
            None => {
                figures[0] += 1;
                let expected = if after.is_some() {
                    Outcome::Done
                } else {
                    Outcome::Conflict
                };
                let is_right = matches!(
                    (&result.outcome, &expected),
                    (Outcome::Done, Outcome::Done)
                        | (
                            Outcome::Conflict | Outcome::NotRegistered,
                            Outcome::Conflict
                        )
                );
                if !is_right || found != *goal {
                    return Err(wrong(&format!("not killed: {result:?}"), &found));
                }
            }
            Some(_) if found == state => figures[1] += 1,
            Some(_) if found == *goal => figures[2] += 1,
            Some(SIGKILL) if found.is_between(node, &state, goal) => figures[3] += 1,
            // What can be asked to end does so with all of it done, or nothing, or it says otherwise. Registrations that
            // were given up are not made again.
            Some(_)
                if found.is_between(node, &state, goal)
                    && (result.stderr.contains("is not known")
                        || unregisters(action)
                            && result.stderr.contains("before all of it was done")) =>
            {
                figures[3] += 1;
            }
            Some(_) => return Err(wrong(&format!("killed: {result:?}"), &found)),
        }
        // The same command again.
        let before = target.sent(node)?;
        let outcome = program.run(node, action)?;
        usual.insert(std::mem::discriminant(&action), target.sent(node)? - before);
        let now = target.state()?;
        let is_right = match (&outcome, &after) {
            (Outcome::Done, Some(_)) => true,
            // It was there before.
            (Outcome::Conflict | Outcome::NotRegistered, Some(after)) => found == *after,
            (Outcome::Conflict | Outcome::NotRegistered, None) => true,
            _ => false,
        };
        if !is_right || now != *goal {
            return Err(wrong(&format!("again, from {found:x?}: {outcome:?}"), &now));
        }
        // The node is told what was done to it before its next command.
        target.drain()?;
        state = now;
    }
    let [killed, ended] = figures;
    let words = |[late, before, after, half]: [u32; 4]| {
        format!(
            "{late} too late, {before} changed nothing, {after} were carried out, {half} came half the way"
        )
    };
    writeln!(
        io::stdout(),
        "seed {seed}: {count} commands; SIGKILL: {}; SIGTERM: {}; {refused} were to be refused; each was given again and \
         came to its end",
        words(killed),
        words(ended),
    )?;
    Ok(true)
}

const fn unregisters(action: Action) -> bool {
    matches!(action, Action::Register(_, 0) | Action::RegisterIgnore(0))
}

fn choose(random: &mut Random, node: usize, state: &State) -> Action {
    let wanted = random.choose(&KEYS[node]);
    let Some(key) = state.key(node) else {
        return match random.below(6) {
            0 => Action::RegisterIgnore(wanted),
            // What a node does that does not know that it was fenced.
            1 => Action::Register(wanted, KEYS[node][0] ^ KEYS[node][1] ^ wanted),
            2 => Action::Reserve(wanted, KIND),
            _ => Action::Register(0, wanted),
        };
    };
    match random.below(12) {
        0..3 => Action::RegisterIgnore(wanted),
        3..6 => Action::Register(key, wanted),
        6 => Action::Register(key, 0),
        7 => Action::RegisterIgnore(0),
        8 | 9 => Action::Reserve(key, KIND),
        10 => Action::Release(key, KIND),
        _ => match state.key(1 - node) {
            Some(victim) => Action::Preempt(key, victim, KIND),
            None => Action::Reserve(key, KIND),
        },
    }
}

struct Target<'a> {
    program: &'a str,
    witness: &'a str,
    paths: [&'a String; 4],
}

impl Target<'_> {
    fn state(&self) -> io::Result<State> {
        let output = Command::new(self.program)
            .args(["-n", "--in", "--read-full-status", self.witness])
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!("the witness: {output:?}")));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let number = |text: &str| {
            u64::from_str_radix(text.trim_start_matches("0x"), 16).map_err(io::Error::other)
        };
        let mut state = State::default();
        let (mut key, mut port) = (0, 0);
        for line in text.lines().map(str::trim) {
            if let Some(found) = line.strip_prefix("Key=") {
                key = number(found)?;
            } else if let Some(found) = line.strip_prefix("Relative port address: ") {
                port = u32::try_from(number(found)?).map_err(io::Error::other)?;
                let place = port.checked_sub(1).ok_or(io::ErrorKind::InvalidData)?;
                let node = usize::try_from(place / PATHS).map_err(io::Error::other)?;
                state.keys.insert((node, place % PATHS), key);
            } else if line.starts_with("<< Reservation holder") {
                state.holder = usize::try_from((port - 1) / PATHS).ok();
            }
        }
        Ok(state)
    }

    /// How many commands have been sent over the paths of a node so far.
    fn sent(&self, node: usize) -> io::Result<u64> {
        let mut sum = 0;
        for path in &self.paths[2 * node..2 * node + 2] {
            let name = path.trim_start_matches("/dev/");
            let count = fs::read_to_string(format!("/sys/block/{name}/device/iorequest_cnt"))?;
            let digits = count.trim().trim_start_matches("0x");
            sum += u64::from_str_radix(digits, 16).map_err(io::Error::other)?;
        }
        Ok(sum)
    }

    /// Waits until nothing is under way any more that a killed program has begun.
    fn settle(&self) -> io::Result<()> {
        let began = Instant::now();
        while is_worker_there()? {
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other("a process in the ioctl is left"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Takes the unit attentions that wait on the paths.
    fn drain(&self) -> io::Result<()> {
        for path in self.paths {
            for _ in 0..4 {
                let status = Command::new(self.program)
                    .args(["-n", "--in", "--read-keys", path])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()?;
                if status.code() != Some(6) {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn is_worker_there() -> io::Result<bool> {
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let line = fs::read(format!("/proc/{}/cmdline", name.display())).unwrap_or_default();
        if line.starts_with(b"[sg_persist worker]") {
            return Ok(true);
        }
    }
    Ok(false)
}
