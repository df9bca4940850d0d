//! Why a command line is not acted upon.

use std::ffi::OsString;
use std::io;

use thiserror::Error;

use super::getopt::Complaint;
use super::nearest::nearest;
use super::options::Opt;
use super::transport_ids::{MAXIMUM_TEXT, TransportIdsError};
use crate::pr::{prin, prout};

/// The largest allocation length that `--alloc-length` and `--maxlen` take, in bytes: the one that
/// is used without them.
pub(super) const MAXIMUM_ALLOCATION_LENGTH: u16 = prin::DEFAULT_ALLOCATION_LENGTH;

/// The longest time that `--timeout` takes, in seconds: the kernel counts milliseconds in 32 bits.
pub(super) const MAXIMUM_TIMEOUT: u32 = u32::MAX / 1000;

/// The most devices that `--parallel` takes.
pub(super) const MAXIMUM_PARALLEL: u32 = 1024;

/// A command line that asks for nothing that can be done. It shows as one or more lines, without
/// the last newline.
#[derive(Debug, Error)]
pub enum UsageError {
    /// A word is no option, or an option lacks its value or has one too many.
    #[error("{0}")]
    Word(Complaint),
    /// Words after the device.
    #[error("{}", extra_arguments(.0))]
    ExtraArguments(Vec<OsString>),
    /// No device is named.
    #[error("No device name given")]
    NoDevice,
    /// The file of `--devices-from` cannot be read.
    #[error("--devices-from: cannot read {}: {source}", file.to_string_lossy())]
    DevicesUnread {
        /// Its name as typed.
        file: OsString,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file of `--devices-from` is longer than [`MAXIMUM_TEXT`].
    #[error("--devices-from: {} is longer than {MAXIMUM_TEXT} bytes", .0.to_string_lossy())]
    DevicesLength(OsString),
    /// A line of it cannot be the name of a device.
    #[error("--devices-from: {}, line {line}: a NUL byte cannot be part of a name", file.to_string_lossy())]
    DevicesLine {
        /// The file's name as typed.
        file: OsString,
        /// The line, from 1.
        line: usize,
    },
    /// It names no device.
    #[error("--devices-from: {} names no device", .0.to_string_lossy())]
    DevicesNone(OsString),
    /// The value of an option is not understood.
    #[error("bad argument to '--{}'{}", .0.name(), expected(*.0))]
    Value(Opt),
    /// A letter behind the number given to `--maxlen` is no multiplier.
    #[error("unrecognized multiplier\nbad argument to '--maxlen'")]
    Multiplier,
    /// An allocation length above the largest.
    #[error("'--{}' argument exceeds maximum value ({MAXIMUM_ALLOCATION_LENGTH})", .0.name())]
    AllocationLength(Opt),
    /// A relative target port identifier that does not fit into 16 bits.
    #[error("argument to '--relative-target-port' 0 to ffff inclusive")]
    RelativeTargetPort,
    /// The TransportIDs are not understood.
    #[error("{0}\nbad argument to '--transport-id'")]
    TransportIds(#[source] TransportIdsError),
    /// The TransportIDs do not fit into a parameter list.
    #[error("{0}\nbad argument to '--transport-id'")]
    TransportIdsLength(#[source] prout::TooLong),
    /// The environment variable `SG_PERSIST_UA_RETRIES` holds no number.
    #[error("SG_PERSIST_UA_RETRIES is not a decimal number")]
    UaRetriesVariable,
    /// Both directions.
    #[error("choose '--in' _or_ '--out' (not both)")]
    InAndOut,
    /// Several service actions, and no `--out`.
    #[error("Too many service actions given; choose one only")]
    ManyServiceActions,
    /// `--out` with no service action of PERSISTENT RESERVE OUT, or with more than one.
    #[error(
        ">> For Persistent Reserve Out one and only one appropriate\n\
         >> service action must be chosen (e.g. '--register')"
    )]
    NotOneServiceAction,
    /// A service action of PERSISTENT RESERVE OUT without `--out`.
    #[error(
        ">> When a service action for Persistent Reserve Out is chosen the\n\
         >> '--out' option must be given (as a safeguard)"
    )]
    OutMissing,
    /// An option for REGISTER AND MOVE with another service action.
    #[error("--unreg or --relative-target-port only useful with --register-move")]
    RegisterMoveMissing,
    /// REGISTER AND MOVE with no TransportID, or with more than one.
    #[error("with --register-move one (and only one) --transport-id should be given")]
    NotOneTransportId,
    /// `--verify` with a command that reads.
    #[error("--verify needs --out: only a change has an effect to read back")]
    VerifyWithoutOut,
    /// `--explain` with a command that reads.
    #[error("--explain needs --out: it is a change whose reservation conflict is explained")]
    ExplainWithoutOut,
    /// `--wait` without a question.
    #[error("--wait needs a question: --has-key, --holder-is, --reserved or --registered")]
    WaitWithoutQuestion,
    /// `--dry-run` with `--verify`.
    #[error("choose '--dry-run' _or_ '--verify' (not both)")]
    DryRunAndVerify,
    /// `--repair` without a key.
    #[error("--repair needs the key that this node has: --param-rk")]
    RepairWithoutKey,
    /// An option for several devices without any that allows them.
    #[error("--{} needs several devices: --each or --devices-from", .0.name())]
    OneDevice(Opt),
    /// `--first-decides` with what is no change.
    #[error("--first-decides needs --out: only a change can be decided by the first device")]
    FirstDecidesWithoutOut,
    /// `--all-paths` with `--one-path`.
    #[error("choose '--all-paths' _or_ '--one-path' (not both)")]
    AllPathsAndOnePath,
    /// `--overview` or a question beside something else to do.
    #[error(
        "--has-key, --holder-is, --reserved, --registered and --overview cannot be combined with one \
         another, or with --out, --verify, --explain, --dry-run or a service action"
    )]
    NotAlone,
}

/// Kinds of [`UsageError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageErrorKind {
    /// Something is not understood.
    Syntax,
    /// Each option is understood, but they contradict each other.
    Contradiction,
    /// `-?`, which is no option but a question.
    Question,
}

impl UsageError {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> UsageErrorKind {
        match self {
            Self::Word(Complaint::UnknownLetter(b'?')) => UsageErrorKind::Question,
            Self::Word(_)
            | Self::ExtraArguments(_)
            | Self::NoDevice
            | Self::DevicesUnread { .. }
            | Self::DevicesLength(_)
            | Self::DevicesLine { .. }
            | Self::DevicesNone(_)
            | Self::Value(_)
            | Self::Multiplier
            | Self::AllocationLength(_)
            | Self::RelativeTargetPort
            | Self::TransportIds(_)
            | Self::TransportIdsLength(_)
            | Self::UaRetriesVariable => UsageErrorKind::Syntax,
            Self::InAndOut
            | Self::ManyServiceActions
            | Self::NotOneServiceAction
            | Self::OutMissing
            | Self::RegisterMoveMissing
            | Self::NotOneTransportId
            | Self::VerifyWithoutOut
            | Self::AllPathsAndOnePath
            | Self::RepairWithoutKey
            | Self::OneDevice(_)
            | Self::FirstDecidesWithoutOut
            | Self::ExplainWithoutOut
            | Self::WaitWithoutQuestion
            | Self::DryRunAndVerify
            | Self::NotAlone => UsageErrorKind::Contradiction,
        }
    }

    /// What helps more than a summary of the options, for a line behind the message.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let Self::Word(Complaint::UnknownName(word)) = self else {
            return None;
        };
        let name = word.split(|&byte| byte == b'=').next().unwrap_or_default();
        let list = "'sg_persist -h' and '-hh' list the options";
        Some(match nearest(name) {
            Some(option) => format!("Did you mean '--{}'? {list}", option.name()),
            None => list.to_owned(),
        })
    }

    /// Whether a summary of the options follows the message.
    #[must_use]
    pub fn shows_usage(&self) -> bool {
        self.hint().is_none()
            && matches!(
                self,
                Self::Word(_)
                    | Self::ExtraArguments(_)
                    | Self::NoDevice
                    | Self::InAndOut
                    | Self::ManyServiceActions
                    | Self::RegisterMoveMissing
                    | Self::NotOneTransportId
            )
    }
}

fn extra_arguments(words: &[OsString]) -> String {
    let line = |word: &OsString| format!("Unexpected extra argument: {}", word.to_string_lossy());
    let lines: Vec<String> = words.iter().map(line).collect();
    lines.join("\n")
}

/// What the value of one of our own options should look like.
fn expected(option: Opt) -> String {
    match option {
        Opt::Completion => " (bash, zsh or fish)".to_owned(),
        Opt::Json => " (any of 2, 4, 8, e, k, l, o, p; '-' before one turns it off)".to_owned(),
        Opt::Parallel => format!(" (1 to {MAXIMUM_PARALLEL})"),
        Opt::Timeout => format!(" (1 to {MAXIMUM_TIMEOUT} seconds)"),
        Opt::HasKey | Opt::HolderIs | Opt::ParamRk | Opt::ParamSark | Opt::Registered => {
            " (up to 16 hexadecimal digits)".to_owned()
        }
        Opt::Wait => format!(" (0 to {MAXIMUM_TIMEOUT} seconds)"),
        Opt::UaRetries => " (a decimal number)".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_mark_alone_is_a_question() {
        let kind = |complaint| UsageError::Word(complaint).kind();
        assert_eq!(
            kind(Complaint::UnknownLetter(b'?')),
            UsageErrorKind::Question
        );
        for complaint in [
            Complaint::UnknownLetter(b'x'),
            Complaint::LetterWithoutValue(b'?'),
            Complaint::UnknownName(b"?".to_vec()),
        ] {
            assert_eq!(kind(complaint), UsageErrorKind::Syntax);
        }
    }

    #[test]
    fn values_of_our_own_options_are_explained() {
        for (option, message) in [
            (
                Opt::ParamRk,
                "bad argument to '--param-rk' (up to 16 hexadecimal digits)",
            ),
            (
                Opt::Timeout,
                "bad argument to '--timeout' (1 to 4294967 seconds)",
            ),
            (
                Opt::UaRetries,
                "bad argument to '--ua-retries' (a decimal number)",
            ),
        ] {
            assert_eq!(UsageError::Value(option).to_string(), message);
        }
    }
}
