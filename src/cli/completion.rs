//! The scripts with which shells complete command lines.

use clap::{Command, ValueHint};
use clap_complete::{generate, shells};

use super::arguments::{self, OPERANDS};
use super::options::{Opt, Value};

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

/// All options, each with its help and the kind of value that it takes.
fn described() -> Command {
    let options = Opt::all().map(|option| {
        let hint = match option {
            Opt::Device | Opt::JsFile | Opt::DevicesFrom => ValueHint::FilePath,
            _ => ValueHint::Unknown,
        };
        let arg = arguments::arg(option, std::iter::once(option.name()));
        let arg = match option.value() {
            Value::Required(name) | Value::Optional(name) => arg.value_name(name),
            Value::None => arg,
        };
        arg.help(summary(option)).value_hint(hint)
    });
    let command = arguments::command(options, false).no_binary_name(false);
    command.mut_arg(OPERANDS, |arg| arg.value_hint(ValueHint::FilePath))
}

/// The first line of an option's help.
fn summary(option: Opt) -> &'static str {
    let first = option.help().lines().next().unwrap_or_default();
    first.trim_end_matches([':', ';'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_stand_alone() {
        for option in Opt::all() {
            assert!(!summary(option).is_empty(), "{option:?}");
        }
        assert_eq!(
            summary(Opt::TransportId),
            "TransportIDs of other initiator ports"
        );
        assert_eq!(summary(Opt::JsFile), "write the JSON to FILE");
    }
}
