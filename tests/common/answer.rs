//! How a device answers a command: in scripts and in whatever is made up.

use std::time::Duration;

use sg_persist::transport::{Completion, DriverStatus, HostStatus};

use super::bytes;

/// How a device answers one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// As much of it as there is room for is written, whatever the residual says.
    pub(crate) data: Vec<u8>,
    /// The error number with which the kernel refuses the command.
    pub(crate) errno: Option<i32>,
    /// What the device says was left over; `None`: what was.
    pub(crate) residual: Option<i64>,
    /// The rest of what the device says.
    pub(crate) completion: Completion,
}

/// GOOD, with the data in that `hex` spells; blanks may stand anywhere in it.
#[track_caller]
pub(crate) fn good(hex: &str) -> Answer {
    with_data(&bytes(hex))
}

/// GOOD, with `data`.
pub(crate) fn with_data(data: &[u8]) -> Answer {
    Answer {
        data: data.to_vec(),
        ..Answer::default()
    }
}

/// Another status than GOOD, and nothing else.
pub(crate) fn status(status: u8) -> Answer {
    let mut answer = Answer::default();
    answer.completion.status.0 = status;
    answer
}

/// CHECK CONDITION with the sense data that `hex` spells.
#[track_caller]
pub(crate) fn check_condition(hex: &str) -> Answer {
    let mut answer = status(0x02);
    answer.completion.driver_status = DriverStatus::SENSE;
    answer.completion.sense = bytes(hex);
    answer
}

/// CHECK CONDITION with sense data in fixed format of 18 bytes.
pub(crate) fn sense(key: u8, asc: u8, ascq: u8) -> Answer {
    check_condition(&format!(
        "7000{key:02x}00000000 0a00000000 {asc:02x}{ascq:02x} 00000000"
    ))
}

/// A host status, and nothing else.
pub(crate) fn host(status: u32) -> Answer {
    let mut answer = Answer::default();
    answer.completion.host_status = HostStatus(status);
    answer
}

/// A driver status, and nothing else.
pub(crate) fn driver(status: u32) -> Answer {
    let mut answer = Answer::default();
    answer.completion.driver_status = DriverStatus(status);
    answer
}

/// The kernel does not take the command.
pub(crate) fn errno(errno: i32) -> Answer {
    Answer {
        errno: Some(errno),
        ..Answer::default()
    }
}

impl Answer {
    /// The same with data in, so that a failure and an answer come together.
    #[track_caller]
    pub(crate) fn and_data(mut self, hex: &str) -> Self {
        self.data = bytes(hex);
        self
    }

    /// The same with this residual, whatever moved.
    pub(crate) fn residual(mut self, residual: i64) -> Self {
        self.residual = Some(residual);
        self
    }

    /// The same with this SCSI status.
    pub(crate) fn and_status(mut self, status: u8) -> Self {
        self.completion.status.0 = status;
        self
    }

    /// The same with this host status.
    pub(crate) fn and_host(mut self, status: u32) -> Self {
        self.completion.host_status = HostStatus(status);
        self
    }

    /// The same after so many milliseconds.
    pub(crate) fn after(mut self, milliseconds: u64) -> Self {
        self.completion.duration = Duration::from_millis(milliseconds);
        self
    }

    /// Writes the data to a buffer. Returns how much of it had room.
    pub(crate) fn write(&self, buffer: &mut [u8]) -> usize {
        let length = self.data.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.data[..length]);
        length
    }

    /// What the device says where so many bytes were left over.
    pub(crate) fn completion(&self, left: usize) -> Completion {
        let left = || i64::try_from(left).expect("a test's data fits 64 bits");
        Completion {
            residual: self.residual.unwrap_or_else(left),
            ..self.completion.clone()
        }
    }
}
