//! SCSI itself: command descriptor blocks, statuses, sense data, standard INQUIRY data and the
//! names of logical units.
//!
//! Pure functions over bytes; nothing here does I/O or knows of PERSISTENT RESERVE.

pub use bytes::Truncated;

pub mod asc;
pub(crate) mod bytes;
pub mod cdb;
pub mod identification;
pub mod inquiry;
pub mod sense;
pub mod status;
