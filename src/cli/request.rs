//! What is asked for.

use std::ffi::OsString;
use std::time::Duration;

use super::completion::Shell;
use crate::pr::prout::{PersistentReserveOut, TransportIds};
use crate::pr::{ReservationKey, ReservationType, prin};

/// The environment variables that count; most of them by their mere existence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `POSIXLY_CORRECT`: options end at the first operand.
    pub posixly_correct: bool,
    /// `SG_PERSIST_IN_RDONLY`: PERSISTENT RESERVE IN is to open the device read-only.
    pub in_readonly: bool,
    /// `SG3_UTILS_INVOCATION`: the command line is to be shown before anything else.
    pub show_invocation: bool,
    /// `NO_COLOR`: nothing is to be coloured.
    pub no_color: bool,
    /// `SG_PERSIST_UA_RETRIES`: how often a command is sent again after a unit attention.
    pub ua_retries: Option<OsString>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To explain the options; `more` of them with `-hh`.
    Help {
        /// Whether `-h` was given more than once.
        more: bool,
    },
    /// To print the version.
    Version,
    /// To print the JSON Schema of the documents that `--json` gives.
    JsonSchema,
    /// To print the script with which a shell completes command lines.
    Completion(Shell),
    /// To send commands.
    Task(Box<Task>),
}

/// A command for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The device's name as typed.
    pub device: OsString,
    /// Further devices; `--overview` alone takes them.
    pub more_devices: Vec<OsString>,
    /// Several devices, each of which it is done to; `device` is the first.
    pub units: Option<Units>,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// How often `-H` was given.
    pub hex: u8,
    /// Whether INQUIRY comes first.
    pub inquiry: bool,
    /// How the device is to be opened.
    pub access: AccessPolicy,
    /// How long each command may take.
    pub timeout: Duration,
    /// How long the whole run may take.
    pub deadline: Option<Duration>,
    /// The TransportIDs given, also with commands that do not send them.
    pub transport_ids: TransportIds,
    /// How many options for PERSISTENT RESERVE OUT were given, of those that have parameters.
    pub parameters_given: usize,
    /// How often a command is sent again after a unit attention.
    pub ua_retries: u32,
    /// What a multipath map is.
    pub paths: PathPolicy,
    /// Whether registering a map fails where one of its paths cannot be reached.
    pub every_path: bool,
    /// How long a question is asked again whose answer is no.
    pub wait: Option<Duration>,
    /// Whether a reservation conflict is explained.
    pub explain: bool,
    /// Whether the answer is to be JSON, and where to.
    pub json: Option<JsonOptions>,
    /// The command.
    pub operation: Operation,
}

/// Several devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    /// Their names as typed.
    pub names: Vec<OsString>,
    /// How many of them at the same time.
    pub parallel: usize,
    /// Whether the first one has to be done before the others are begun.
    pub first_decides: bool,
}

/// How JSON is written, after the habit of the sg3_utils.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonOptions {
    /// One line for each value, instead of one for all.
    pub pretty: bool,
    /// Blanks for each level of indentation.
    pub indent: usize,
    /// No blanks at all in the one line.
    pub packed: bool,
    /// The format's version, the program and its arguments come first.
    pub lead_in: bool,
    /// The exit status is part of it.
    pub exit_status: bool,
    /// The lines of plain text are part of it.
    pub plain_text: bool,
    /// The file that it goes to instead of standard output.
    pub file: Option<OsString>,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self {
            pretty: true,
            indent: 4,
            packed: false,
            lead_in: true,
            exit_status: true,
            plain_text: false,
            file: None,
        }
    }
}

/// How the device is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// Read-only, and that is that.
    ReadOnly,
    /// Read-only, or read-write where the kernel refuses the command otherwise.
    ReadOnlyIfAllowed,
    /// Read-write.
    ReadWrite,
}

/// What the device is taken for where multipath maps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathPolicy {
    /// A map, or a device that stands on one alone, is all its paths; a path is itself.
    #[default]
    ByDevice,
    /// A path is all paths of its map, too.
    All,
    /// A map is a node like any other: each command goes over one of its paths.
    One,
}

/// The command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// PERSISTENT RESERVE IN.
    In {
        /// What to read.
        action: prin::ServiceAction,
        /// Bytes of room for the answer, if anybody said so.
        allocation_length: Option<u16>,
    },
    /// PERSISTENT RESERVE OUT.
    Out {
        /// The command.
        out: PersistentReserveOut,
        /// Whether its effect is read back.
        verify: bool,
    },
    /// The command, shown and not sent.
    DryRun(Box<Operation>),
    /// A question that the exit status answers.
    Question(Question),
    /// REGISTER of the key over the paths of a map that lack it, in the form of this command.
    Repair(PersistentReserveOut),
    /// Everything about logical units, for a person.
    Overview,
}

impl Operation {
    /// Whether it is sent to change registrations or the reservation.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self, Self::Out { .. } | Self::Repair(_))
    }
}

/// A question that the exit status answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is this key registered?
    HasKey(ReservationKey),
    /// Do the registrations with this key hold the reservation?
    HolderIs(ReservationKey),
    /// Is there a reservation, of this type if one is given?
    Reserved(Option<ReservationType>),
    /// Is this nexus registered, with this key if one is given?
    Registered(Option<ReservationKey>),
}
