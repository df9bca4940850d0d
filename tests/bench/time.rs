//! How long runs take: all commands of all programs in turn, in another order in each round.

use crate::trace::FILE;
use crate::{COMMANDS, Root, double};
use nix::fcntl::OFlag;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Rounds that are not counted: what comes first finds nothing in memory.
const WARM_UP: usize = 3;

/// `time DEVICE answers|nothing ROUNDS UNIT`, as a table. With "nothing" the commands never come to the device.
pub(crate) fn run(roots: &[Root], arguments: &[String], out: &mut dyn Write) -> io::Result<bool> {
    let [device, answer, rounds, unit] = arguments else {
        return Err(io::Error::other("time DEVICE answers|nothing ROUNDS UNIT"));
    };
    let rounds: usize = rounds.parse().map_err(io::Error::other)?;
    let mut folders = Vec::new();
    for root in roots {
        folders.push(File::open(&root.folder)?);
    }
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    let (read_end, write_end) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let mut read_end = File::from(read_end);
    if answer == "nothing" {
        double::answer_nothing()?;
    }

    // Nanoseconds of each round for each command of each program.
    let mut taken = vec![vec![Vec::new(); COMMANDS.len()]; roots.len()];
    for round in 0..WARM_UP + rounds {
        let mut order: Vec<(usize, usize)> = (0..roots.len())
            .flat_map(|root| (0..COMMANDS.len()).map(move |command| (root, command)))
            .collect();
        order.sort_by_key(|place| {
            let mut hasher = DefaultHasher::new();
            (round, place).hash(&mut hasher);
            hasher.finish()
        });
        for (root, command) in order {
            // Whoever may change the root gets out of it by a folder that is open.
            nix::unistd::fchdir(&folders[root])?;
            std::os::unix::fs::chroot(".")?;
            let words = COMMANDS[command].words();
            let words = words
                .iter()
                .map(|&word| if word == "DEV" { device } else { word });
            let mut start = Command::new(FILE);
            start.arg0("sg_persist").args(words).env_clear();
            start.stdin(Stdio::from(nothing.try_clone()?));
            start.stdout(Stdio::from(write_end.try_clone()?));
            start.stderr(Stdio::from(write_end.try_clone()?));
            let before = Instant::now();
            let status = start.spawn()?.wait()?;
            let nanoseconds = before.elapsed().as_nanos();
            let mut said = Vec::new();
            match read_end.read_to_end(&mut said) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            if !status.success() {
                return Err(io::Error::other(format!(
                    "{} {}: {status}: {}",
                    roots[root].name,
                    COMMANDS[command].line,
                    String::from_utf8_lossy(&said)
                )));
            }
            if round >= WARM_UP {
                taken[root][command].push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
            }
        }
    }
    table(roots, &taken, unit, out)?;
    Ok(true)
}

fn table(
    roots: &[Root],
    taken: &[Vec<Vec<u32>>],
    unit: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    crate::head(out, "", COMMANDS.iter().map(|command| command.line))?;
    for (root, times) in roots.iter().zip(taken) {
        for (other, others) in roots.iter().zip(taken).filter(|_| root.ours) {
            if other.ours {
                continue;
            }
            write!(out, "| {} ÷ {} |", root.name, other.name)?;
            for (time, other) in times.iter().zip(others) {
                let ratios = time
                    .iter()
                    .zip(other)
                    .map(|(&a, &b)| f64::from(a) / f64::from(b));
                write!(out, " {:.2} |", median(ratios.collect()))?;
            }
            writeln!(out)?;
        }
    }
    for (root, times) in roots.iter().zip(taken) {
        write!(out, "| {}, {unit} |", root.name)?;
        for time in times {
            let median = median(time.iter().map(|&time| f64::from(time)).collect());
            write!(out, " {:.0} |", median / 1000.0)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
