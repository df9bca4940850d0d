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
//! [`pr`] are the commands, their parameter data and parameter lists, and [`scsi`] what all SCSI
//! commands share, with [`nvme`] beside them: the same of NVM Express. All three are pure functions
//! over bytes. [`host_ports`] has this host's initiator ports, [`transport`] is the way to the device
//! server and back; [`multipath`] makes one logical unit of the paths of a map.
//!
//! The feature `cli`, which is on unless it is turned off, is the command itself. Its story of one
//! run is in `run`. It needs
//!
//! - `cli`: the command line, parsed and judged;
//! - [`multipath`], [`logical_unit`], [`pr`], [`scsi`], [`nvme`], [`host_ports`], [`transport`];
//! - `render`: answers and failures in words;
//! - `output`: files to write; `clock`: time;
//! - `error` and `exit`: what can end a run, and the exit status for it.
//!
//! Each of them uses those that stand after it at the most, but for `exit`, which knows all
//! errors. None of this is for other programs: it is public for the command and for the tests, and
//! may change at any time. No function of this library prints, ends the process or panics on what a
//! device, a file or a command line holds.

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
