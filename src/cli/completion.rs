//! The scripts with which shells complete command lines.

use clap::{Command, ValueHint};
use clap_complete::{generate, shells};

use super::arguments::{self, OPERANDS};
use super::options::Opt;
use super::usage;

/// The shells for which there is a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// The shell called `name`: `bash`, `zsh` or `fish`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }
}

/// The script with which `shell` completes command lines of this program.
#[must_use]
pub fn script(shell: Shell) -> String {
    let mut command = described();
    let mut script = Vec::new();
    let name = "sg_persist";
    match shell {
        Shell::Bash => generate(shells::Bash, &mut command, name, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut command, name, &mut script),
        Shell::Fish => generate(shells::Fish, &mut command, name, &mut script),
    }
    String::from_utf8_lossy(&script).into_owned()
}

/// All options, each with its help line and the kind of value that it takes.
fn described() -> Command {
    let mut command = arguments::command(Opt::all(), false).no_binary_name(false);
    for option in Opt::all() {
        let hint = match option {
            Opt::Device | Opt::JsFile => ValueHint::FilePath,
            _ => ValueHint::Unknown,
        };
        let help = usage::summary(option);
        command = command.mut_arg(option.name(), |arg| arg.help(help).value_hint(hint));
    }
    command.mut_arg(OPERANDS, |arg| arg.value_hint(ValueHint::FilePath))
}
