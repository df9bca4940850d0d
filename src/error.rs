//! Everything that can end a run, with what was asked, of which device, and what came back.

use std::borrow::Cow;
use std::ffi::OsString;
use std::{fmt, io};

use thiserror::Error;

use crate::cli::usage_error::UsageError;
use crate::multipath::TopologyError;
use crate::multipath::unit::MapError;
use crate::pr::effect::{Disturbed, Mismatch};
use crate::pr::nexus::Unknown;
use crate::pr::prin::{self, Malformed};
use crate::pr::prout;
use crate::scsi::bytes::Truncated;
use crate::scsi::cdb::Cdb;
use crate::scsi::identification;
use crate::scsi::sense::Sense;
use crate::transport::{Access, CommandError, os_error_text};

/// What ended a run.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line asks for nothing that can be done; no device was opened.
    #[error("{0}")]
    Usage(#[from] UsageError),
    /// Two of several devices are one logical unit, which would be changed twice. Nothing was sent.
    #[error(
        "sg_persist: {} and {} are one logical unit; nothing was sent",
        devices[0].to_string_lossy(), devices[1].to_string_lossy()
    )]
    NamedTwice {
        /// Their names as typed.
        devices: [OsString; 2],
    },
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
    #[error("{command}: {}", failure_text(source))]
    Command {
        /// Which one.
        command: Sent,
        /// Why.
        source: CommandError,
    },
    /// The device server's answer is no answer.
    #[error("{}: {source}", Sent::In(*action))]
    Malformed {
        /// What was asked for.
        action: prin::ServiceAction,
        /// What is wrong with the answer.
        source: Malformed,
        /// The room that a user asked for, in bytes.
        given: Option<u16>,
    },
    /// The registrations changed each time between two commands whose answers belong together.
    #[error("sg_persist: the registrations kept changing while they were read; try again")]
    Unsteady,
    /// A change that the device server reported as done is not there.
    #[error("sg_persist: accepted, but the effect is not there\n{0}")]
    NotVerified(#[source] Mismatch),
    /// Whether a change that the device server reported as done is there, or came by this command,
    /// cannot be told.
    #[error("sg_persist: accepted, but the effect could not be verified\n{0}")]
    Disturbed(#[source] Disturbed),
    /// The same, since what is there now could not be read.
    #[error("sg_persist: accepted, but the effect could not be verified\n{0}")]
    Unread(#[source] Box<Error>),
    /// What a device stands on is not one logical unit.
    #[error("sg_persist: {}: {source}", device.to_string_lossy())]
    Topology {
        /// Its name as typed.
        device: OsString,
        /// Why.
        source: TopologyError,
    },
    /// What is no multipath map, and no path of one, cannot be repaired.
    #[error("sg_persist: {} is neither a multipath map nor a path of one", device.to_string_lossy())]
    NoMap {
        /// Its name as typed.
        device: OsString,
    },
    /// The process that sends commands to the paths of a map could not be started.
    #[error("sg_persist: cannot send commands to the paths of {}: {}", device.to_string_lossy(), os_error_text(source))]
    Worker {
        /// The map's name as typed.
        device: OsString,
        /// What the operating system said.
        source: io::Error,
    },
    /// Paths of one map that do not lead to one logical unit, or do not tell whether they do. Nothing
    /// was changed.
    #[error(
        "sg_persist: {}: paths {} and {} {}; nothing was changed",
        device.to_string_lossy(), paths[0], paths[1],
        if *is_told { "lead to different logical units" } else { "do not tell whether they lead to the same logical unit" }
    )]
    OtherUnit {
        /// The map's name as typed.
        device: OsString,
        /// The paths.
        paths: [String; 2],
        /// Whether they say so.
        is_told: bool,
    },
    /// A path of a map does not tell which logical unit it leads to. Nothing was changed.
    #[error(
        "sg_persist: {}: path {path} does not tell which logical unit it leads to; nothing was \
         changed",
        device.to_string_lossy()
    )]
    NoIdentity {
        /// The map's name as typed.
        device: OsString,
        /// The path.
        path: String,
        /// What it said.
        source: Box<Error>,
    },
    /// What came back of INQUIRY is no Device Identification VPD page.
    #[error("sg_persist: INQUIRY (Device Identification): malformed response: {0}")]
    Identification(identification::Malformed),
    /// The time that the run was given is over.
    #[error("sg_persist: {}: the deadline has passed {at}", device.to_string_lossy())]
    Deadline {
        /// The device's name as typed.
        device: OsString,
        /// What was going on.
        at: Interrupted,
    },
    /// A change was not made to a map, or not to all of it.
    #[error("sg_persist: {}: {source}", device.to_string_lossy())]
    Map {
        /// The map's name as typed.
        device: OsString,
        /// Why.
        source: Box<MapError<Error>>,
    },
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
                source:
                    CommandError::Sense {
                        sense: Some(Sense { deferred: true, .. }),
                        ..
                    },
                ..
            }
            | Self::Inquiry {
                source:
                    CommandError::Sense {
                        sense: Some(Sense { deferred: true, .. }),
                        ..
                    },
                ..
            } => Some("The sense data is about an earlier command; this one was not carried out"),
            // The sg driver says so when it gives up waiting for a command, which it has sent.
            Self::Command {
                command: Sent::Out(_),
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

/// What a run was doing when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Interrupted {
    /// The device was being opened.
    #[error("while it was opened; nothing was sent")]
    Opening,
    /// A command that reads was at the device.
    #[error("while a command ({0}) was at the device; there is no answer")]
    Reading(&'static str),
    /// A change was at the device.
    #[error(
        "while a command ({0}) was at the device; its outcome is unknown: read the keys and the \
         reservation to see"
    )]
    Changing(&'static str),
    /// The next command had yet to be sent.
    #[error("before a command ({0}) was sent")]
    BeforeSending(&'static str),
    /// The change has been made, and was being read back.
    #[error("after the change was made and before it was verified")]
    Verifying,
}

/// A command of the two families that this program is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// PERSISTENT RESERVE IN.
    In(prin::ServiceAction),
    /// PERSISTENT RESERVE OUT.
    Out(prout::ServiceAction),
}

impl Sent {
    /// The command with the block `cdb`; `None` for others, and for a service action that no
    /// standard has.
    #[must_use]
    pub fn of(cdb: Cdb) -> Option<Self> {
        let action = cdb.as_bytes().get(1)? & 0x1f;
        match cdb.operation_code() {
            Cdb::PERSISTENT_RESERVE_IN => prin::ServiceAction::from_code(action).map(Self::In),
            Cdb::PERSISTENT_RESERVE_OUT => prout::ServiceAction::from_code(action).map(Self::Out),
            _ => None,
        }
    }
}

impl fmt::Display for Sent {
    /// As messages begin: `PR in (Read keys)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(action) => write!(f, "PR in ({})", action.name()),
            Self::Out(action) => write!(f, "PR out ({})", action.name()),
        }
    }
}

/// Why a command was not carried out, as documents of format 1.0 have it.
fn failure_text(source: &CommandError) -> String {
    match source {
        CommandError::Os(error) => os_error_text(error),
        CommandError::Transport { .. } => "transport error".to_owned(),
        CommandError::Status { status, .. } => format!("SCSI status {:#04x}", status.0),
        CommandError::Sense { .. } => "CHECK CONDITION".to_owned(),
        source => source.to_string(),
    }
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
