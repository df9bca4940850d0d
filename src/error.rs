//! Everything that can end a run, with what was asked, of which device, and what came back.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;

use thiserror::Error;

use crate::cli::usage_error::UsageError;
use crate::pr::nexus::Unknown;
use crate::pr::prin::Malformed;
use crate::scsi::bytes::Truncated;
use crate::scsi::sense::Sense;
use crate::transport::{Access, CommandError, os_error_text};

/// What ended a run.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line asks for nothing that can be done; no device was opened.
    #[error("{0}")]
    Usage(#[from] UsageError),
    /// The device could not be opened.
    #[error("{}", open_text(device, *access, *for_inquiry, source))]
    Open {
        /// Its name as typed.
        device: OsString,
        /// How it was to be opened.
        access: Access,
        /// Whether INQUIRY was to be sent first.
        for_inquiry: bool,
        /// What the operating system said.
        source: io::Error,
    },
    /// INQUIRY failed, so the command itself was not sent.
    #[error("sg_persist: SCSI INQUIRY failed on {}", device.to_string_lossy())]
    Inquiry {
        /// The device's name as typed.
        device: OsString,
        /// Why.
        source: CommandError,
    },
    /// INQUIRY brought nothing to go by, so the command itself was not sent.
    #[error("sg_persist: SCSI INQUIRY failed on {}", device.to_string_lossy())]
    InquiryData {
        /// The device's name as typed.
        device: OsString,
        /// What did not come.
        source: Truncated,
    },
    /// The command was not carried out.
    #[error("{command}: {source}")]
    Command {
        /// The command in words, as messages begin: `PR in (Read keys)`.
        command: String,
        /// Whether it was REGISTER AND MOVE, PERSISTENT RESERVE OUT or IN.
        family: Family,
        /// Why.
        source: CommandError,
    },
    /// The device server's answer is no answer.
    #[error("{command}: {source}")]
    Malformed {
        /// The command in words.
        command: String,
        /// What is wrong with it.
        source: Malformed,
        /// What could be done.
        advice: Option<String>,
    },
    /// The registrations changed each time between two commands whose answers belong together.
    #[error("sg_persist: the registrations kept changing while they were read; try again")]
    Unsteady,
    /// A change that the device server reported as done is not there.
    #[error("sg_persist: accepted, but the effect is not there\n{0}")]
    NotVerified(String),
    /// Whether a change that the device server reported as done is there, or came by this command,
    /// cannot be told.
    #[error("sg_persist: accepted, but the effect could not be verified\n{0}")]
    Disturbed(String),
    /// A question has no answer: the device, or the way to it, does not tell.
    #[error("sg_persist: it cannot be told: {0}")]
    Unanswered(#[source] Unknown),
    /// The answer could not be written.
    #[error("sg_persist: cannot write {}: {}", output_text(file.as_ref()), os_error_text(source))]
    Output {
        /// The file's name as typed; `None` for standard output.
        file: Option<OsString>,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// What could be done about it or what it means, where its own words do not say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        let forbidden =
            |source: &io::Error| matches!(source.raw_os_error(), Some(libc::EPERM | libc::EACCES));
        match self {
            Self::Command {
                source: CommandError::Sense(Some(Sense { deferred: true, .. })),
                ..
            }
            | Self::Inquiry {
                source: CommandError::Sense(Some(Sense { deferred: true, .. })),
                ..
            } => Some("The sense data is about an earlier command; this one was not carried out"),
            // The sg driver says so when it gives up waiting for a command, which it has sent.
            Self::Command {
                family: Family::Out | Family::Move,
                source: CommandError::Os(source),
                ..
            } if matches!(source.raw_os_error(), Some(libc::EINTR | libc::ENODEV)) => Some(
                "Whether the change was made is not known: read the keys and the reservation to see",
            ),
            Self::Open { source, .. } if forbidden(source) => Some(
                "Opening it takes permission to read and write the device node (and in a container \
                 also its device cgroup): run this as root, or as a user who has it",
            ),
            // SCSI commands are refused with EPERM, NVMe commands with EACCES.
            Self::Command {
                source: CommandError::Os(source),
                ..
            }
            | Self::Inquiry {
                source: CommandError::Os(source),
                ..
            } if source.raw_os_error() == Some(libc::EACCES) => Some(
                "This NVMe command takes CAP_SYS_ADMIN: run this as root (in a container: with that \
                 capability). Since Linux 6.2 reservation commands take no more than an open node of \
                 the namespace (not of a partition), for a change one that may be written, but only \
                 where the controller's Commands Supported and Effects log lists them",
            ),
            Self::Command {
                source: CommandError::Os(source),
                ..
            }
            | Self::Inquiry {
                source: CommandError::Os(source),
                ..
            } if forbidden(source) => Some(
                "The kernel keeps this command for those with CAP_SYS_RAWIO: run this as root (in a \
                 container: with that capability), or use the device's /dev/sgN where it may be \
                 written",
            ),
            _ => None,
        }
    }
}

/// Which of the commands failed; some messages differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// PERSISTENT RESERVE IN.
    In,
    /// PERSISTENT RESERVE OUT.
    Out,
    /// PERSISTENT RESERVE OUT with REGISTER AND MOVE.
    Move,
}

fn output_text(file: Option<&OsString>) -> Cow<'_, str> {
    file.map_or("the output".into(), |file| file.to_string_lossy())
}

fn open_text(device: &OsString, access: Access, for_inquiry: bool, source: &io::Error) -> String {
    let device = device.to_string_lossy();
    let reason = os_error_text(source);
    let access = match access {
        Access::ReadOnly => "ro",
        Access::ReadWrite => "rw",
    };
    if for_inquiry {
        format!("sg_persist: error opening file ({access}): {device}: {reason}")
    } else {
        format!("sg_persist: error opening file {device} ({access}): {reason}")
    }
}
