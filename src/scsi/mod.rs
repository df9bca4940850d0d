//! SCSI itself: command descriptor blocks, statuses, sense data, standard INQUIRY data.
//!
//! Pure functions over bytes; nothing here does I/O or knows of PERSISTENT RESERVE.

pub mod asc;
pub mod bytes;
pub mod cdb;
pub mod device_identification;
pub mod inquiry;
pub mod sense;
pub mod status;
