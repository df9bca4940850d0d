//! The program under test, run for one command.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use crate::model::{Action, Node, Outcome};

/// The program and the device of each node.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: String,
    pub(crate) devices: Vec<String>,
}

/// What was printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
    pub(crate) stderr: String,
}

impl Program {
    /// Runs the command to its end.
    pub(crate) fn run(&self, node: Node, action: Action) -> io::Result<Outcome> {
        Ok(end(self.start(node, action)?, action)?.outcome)
    }

    pub(crate) fn start(&self, node: Node, action: Action) -> io::Result<Child> {
        let mut command = Command::new(&self.path);
        command.arg("-n");
        let key = |name: &str, key: u64| format!("--param-{name}={key:x}");
        match action {
            Action::ReadKeys => command.args(["--in", "--read-keys"]),
            Action::ReadReservation => command.args(["--in", "--read-reservation"]),
            Action::Register(said, wanted) => command
                .args(["--out", "--register"])
                .args([key("rk", said), key("sark", wanted)]),
            Action::RegisterIgnore(wanted) => command
                .args(["--out", "--register-ignore"])
                .arg(key("sark", wanted)),
            Action::Reserve(said, kind) => command
                .args(["--out", "--reserve"])
                .args([key("rk", said), format!("--prout-type={kind}")]),
            Action::Release(said, kind) => command
                .args(["--out", "--release"])
                .args([key("rk", said), format!("--prout-type={kind}")]),
            Action::Clear(said) => command.args(["--out", "--clear"]).arg(key("rk", said)),
            Action::Preempt(said, victim, kind) => command.args(["--out", "--preempt"]).args([
                key("rk", said),
                key("sark", victim),
                format!("--prout-type={kind}"),
            ]),
        };
        command
            .arg(&self.devices[node])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// Waits for the program's end.
pub(crate) fn end(mut child: Child, action: Action) -> io::Result<Ended> {
    // What it prints in these races fits the pipes' buffers, so one may be read after the other.
    let mut stdout = String::new();
    let mut stderr = String::new();
    if let Some(pipe) = &mut child.stdout {
        pipe.read_to_string(&mut stdout)?;
    }
    if let Some(pipe) = &mut child.stderr {
        pipe.read_to_string(&mut stderr)?;
    }
    let status = child.wait()?;
    let outcome = match status.code() {
        None => Outcome::Unknown,
        Some(0) => {
            answer(action, &stdout).ok_or_else(|| unexpected(action, 0, &stdout, &stderr))?
        }
        // Whatever failed has no answer on standard output.
        Some(24) if stdout.is_empty() => Outcome::Conflict,
        Some(2) if stdout.is_empty() => Outcome::NotRegistered,
        Some(6) if stdout.is_empty() => Outcome::Attention,
        Some(5 | 19) if stdout.is_empty() => Outcome::Illegal,
        Some(code) => return Err(unexpected(action, code, &stdout, &stderr)),
    };
    Ok(Ended {
        outcome,
        signal: status.signal(),
        stderr,
    })
}

fn unexpected(action: Action, code: i32, stdout: &str, stderr: &str) -> io::Error {
    io::Error::other(format!("{action:x?}: status {code}\n{stdout}{stderr}"))
}

/// Understands what is printed for success, all of it.
fn answer(action: Action, stdout: &str) -> Option<Outcome> {
    let mut lines = stdout.lines();
    let number = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let generation = |text| number(text).and_then(|number| u32::try_from(number).ok());
    match action {
        Action::ReadKeys => {
            let (first, rest) = lines
                .next()?
                .strip_prefix("  PR generation=")?
                .split_once(", ")?;
            let mut keys: Vec<u64> = lines
                .map(|line| number(line.strip_prefix("    ")?))
                .collect::<Option<_>>()?;
            let announced = match rest {
                "there are NO registered reservation keys" => 0,
                "1 registered reservation key follows:" => 1,
                _ => rest
                    .strip_suffix(" registered reservation keys follow:")?
                    .parse()
                    .ok()?,
            };
            keys.sort_unstable();
            (announced == keys.len()).then_some(Outcome::Keys(generation(first)?, keys))
        }
        Action::ReadReservation => {
            let (first, rest) = lines
                .next()?
                .strip_prefix("  PR generation=")?
                .split_once(", ")?;
            let generation = generation(first)?;
            if rest == "there is NO reservation held" {
                return lines
                    .next()
                    .is_none()
                    .then_some(Outcome::Reservation(generation, None));
            }
            (rest == "Reservation follows:").then_some(())?;
            let key = number(lines.next()?.strip_prefix("    Key=")?)?;
            let kind = match lines.next()?.strip_prefix("    scope: LU_SCOPE,  type: ")? {
                "Write Exclusive" => 1,
                "Exclusive Access" => 3,
                "Write Exclusive, registrants only" => 5,
                "Exclusive Access, registrants only" => 6,
                "Write Exclusive, all registrants" => 7,
                "Exclusive Access, all registrants" => 8,
                _ => return None,
            };
            lines.next().is_none().then_some(())?;
            Some(Outcome::Reservation(generation, Some((key, kind))))
        }
        _ => stdout.is_empty().then_some(Outcome::Done),
    }
}
