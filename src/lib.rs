//! SCSI PERSISTENT RESERVE IN and OUT: the library of the command `sg_persist`.
//!
//! For other programs, [`logical_unit`] is the way in: it opens a logical unit, asks and changes,
//! and gives values and errors, without printing anything. What the values are is in [`pr`]. The
//! command itself reads and changes through it.
//!
//! For the command itself the story of one run is in [`run`]. It needs
//!
//! - [`cli`]: the command line, parsed and judged;
//! - [`pr`]: the commands, their parameter data and parameter lists, and on [`scsi`]: what all
//!   SCSI commands share, with [`nvme`] beside them: the same of NVM Express; all three are pure
//!   functions over bytes;
//! - [`multipath`]: the paths of a device-mapper multipath map;
//! - [`host_ports`]: this host's initiator ports;
//! - [`transport`]: the way to the device server and back;
//! - [`render`]: answers and failures in words;
//! - [`output`]: files to write; [`clock`]: time;
//! - [`error`] and [`exit`]: what can end a run, and the exit status for it.
//!
//! Each of them uses those that stand after it at the most, but for `exit`, which knows all
//! errors. No function of this library prints, ends the process or panics on what a device, a
//! file or a command line holds.

pub mod cli;
pub mod clock;
pub mod error;
pub mod exit;
pub mod host_ports;
pub mod logical_unit;
pub mod multipath;
pub mod nvme;
pub mod output;
pub mod pr;
pub mod render;
pub mod run;
pub mod scsi;
pub mod transport;
