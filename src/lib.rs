//! SCSI PERSISTENT RESERVE IN and OUT: the library of the command `sg_persist`.
//!
//! For other programs, [`logical_unit`] is the way in: it opens a logical unit, asks and changes,
//! and gives values and errors, without printing anything. What the values are is in [`pr`]. The
//! command itself reads and changes through it.
//!
//! ```toml
//! [dependencies]
//! sg_persist = { version = "0.1", default-features = false }
//! ```
//!
//! Each module uses only those that stand after it:
//!
//! - `run`: the story of one run of the command;
//! - `exit`: exit statuses;
//! - `error`: what can end a run;
//! - [`multipath`]: the paths of a map, made into one logical unit;
//! - [`logical_unit`]: one logical unit, asked and changed;
//! - `render`: answers and failures in words;
//! - [`transport`]: the way to the device server and back;
//! - [`host_ports`]: this host's initiator ports;
//! - [`nvme`]: commands and data of NVM Express, pure functions over bytes;
//! - `cli`: the command line, parsed and judged;
//! - [`pr`]: PERSISTENT RESERVE IN and OUT, their parameter data and lists, pure functions over bytes;
//! - [`scsi`]: what all SCSI commands share, likewise;
//! - `output`: files to write;
//! - `clock`: time.
//!
//! Those without a link belong to the command, which is the feature `cli`: on unless it is turned off,
//! public for the command and for the tests, and free to change at any time. No function of this
//! library prints, ends the process or panics on what a device, a file or a command line holds.

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod clock;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod error;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod exit;
pub mod host_ports;
pub mod logical_unit;
#[doc(hidden)]
pub mod multipath;
pub mod nvme;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod output;
pub mod pr;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod render;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod run;
pub mod scsi;
pub mod transport;
