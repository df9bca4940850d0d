//! How a command ends that NVMe commands were sent for.

use std::fmt;
use std::io;

use crate::nvme::status::{Meaning, NvmeStatus, descriptor_format};
use crate::scsi::sense::SenseKey;
use crate::scsi::status::ScsiStatus;
use crate::transport::{Completion, Data, HostStatus, Shortcoming, Translation, os_error_text};

/// The host status for a command that was not sent, since nothing leads to the namespace.
const DID_NO_CONNECT: HostStatus = HostStatus(0x01);
/// The host status for a command of which nobody knows what became of it.
const DID_TRANSPORT_DISRUPTED: HostStatus = HostStatus(0x0e);

pub(super) const INVALID_OPERATION_CODE: (u8, u8) = (0x20, 0x00);
pub(super) const PARAMETER_LIST_LENGTH_ERROR: (u8, u8) = (0x1a, 0x00);
pub(super) const INVALID_FIELD_IN_CDB: (u8, u8) = (0x24, 0x00);
pub(super) const INVALID_FIELD_IN_PARAMETER_LIST: (u8, u8) = (0x26, 0x00);
pub(super) const INVALID_RELEASE: (u8, u8) = (0x26, 0x04);

/// Why a command was not carried out.
#[derive(Debug)]
pub(super) enum End {
    /// The kernel did not take an NVMe command.
    Os(io::Error),
    /// An NVMe command ended so.
    Nvme(&'static str, NvmeStatus),
    /// No path leads to the namespace, so an NVMe command was not sent.
    NoPath(String),
    /// Nobody knows what became of it.
    Lost(String),
    /// Status RESERVATION CONFLICT.
    Conflict,
    /// The same, since the registration that was there a moment ago is not any more.
    Removed,
    /// CHECK CONDITION with ILLEGAL REQUEST and this additional sense code, for this reason.
    Refused((u8, u8), String),
    /// What came back contradicts itself.
    Malformed(String),
    /// A change was accepted, and for this reason it is not all that was asked for.
    Short(Shortcoming, String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os(error) => f.write_str(&os_error_text(error)),
            Self::Nvme(name, status) => write!(f, "{name} ended with {status}"),
            Self::Conflict => f.write_str("reservation conflict"),
            Self::Removed => f.write_str(
                "this host was registered and is not any more: another host may have preempted it. \
                 Look at the keys and the reservation first",
            ),
            Self::NoPath(reason)
            | Self::Lost(reason)
            | Self::Refused(_, reason)
            | Self::Malformed(reason)
            | Self::Short(_, reason) => f.write_str(reason),
        }
    }
}

impl End {
    /// Whether an NVMe command ended with `status`, whatever the controller advises about it.
    pub(super) fn is(&self, status: NvmeStatus) -> bool {
        matches!(self, Self::Nvme(_, ended) if ended.code() == status)
    }
}

pub(super) fn refused<T>(code: (u8, u8), reason: impl Into<String>) -> Result<T, End> {
    Err(End::Refused(code, reason.into()))
}

pub(super) fn malformed(reason: impl ToString) -> End {
    End::Malformed(reason.to_string())
}

/// What the command's sender gets to see. Data in is as much of the answer as there is `room` for
/// in the command, and in the buffer; an answer that does not fit the command comes beside it.
pub(super) fn completion(
    answer: Result<Vec<u8>, End>,
    data: Data<'_>,
    room: Option<usize>,
) -> io::Result<Completion> {
    let requested = data.len();
    let mut moved = 0;
    let mut completion = Completion::default();
    let translation = &mut completion.translation;
    let end = match answer {
        Ok(answer) => {
            moved = requested;
            if let Data::In(buffer) = data {
                moved = answer.len().min(buffer.len());
                moved = room.map_or(moved, |room| moved.min(room));
                buffer[..moved].copy_from_slice(&answer[..moved]);
                translation.whole_answer = room.map(|_| answer);
            }
            None
        }
        Err(end) => Some(end),
    };
    match end {
        None => {}
        Some(End::Os(error)) => return Err(error),
        Some(End::Conflict) => completion.status = ScsiStatus::RESERVATION_CONFLICT,
        Some(End::Removed) => {
            translation.reason = Some(End::Removed.to_string());
            completion.status = ScsiStatus::RESERVATION_CONFLICT;
        }
        Some(End::Malformed(reason)) => {
            *translation = Translation {
                reason: Some(reason),
                malformed: true,
                ..Translation::default()
            };
        }
        Some(End::Short(shortcoming, reason)) => {
            moved = requested;
            translation.reason = Some(reason);
            translation.shortcoming = Some(shortcoming);
        }
        Some(End::NoPath(reason)) => {
            translation.reason = Some(reason);
            completion.host_status = DID_NO_CONNECT;
        }
        Some(End::Lost(reason)) => {
            translation.reason = Some(reason);
            completion.host_status = DID_TRANSPORT_DISRUPTED;
        }
        Some(End::Refused((asc, ascq), reason)) => {
            translation.reason = Some(reason);
            completion.status = ScsiStatus::CHECK_CONDITION;
            completion.sense = descriptor_format(SenseKey::ILLEGAL_REQUEST, asc, ascq, 0).to_vec();
        }
        Some(End::Nvme(name, status)) => {
            translation.reason = Some(End::Nvme(name, status).to_string());
            match status.meaning() {
                // Success is no reason to end, so it is no success either.
                Meaning::Good => translation.malformed = true,
                Meaning::ReservationConflict => {
                    translation.reason = None;
                    completion.status = ScsiStatus::RESERVATION_CONFLICT;
                }
                Meaning::TaskAborted => completion.status = ScsiStatus::TASK_ABORTED,
                Meaning::Lost => completion.host_status = DID_TRANSPORT_DISRUPTED,
                Meaning::CheckCondition(key, asc, ascq) => {
                    completion.status = ScsiStatus::CHECK_CONDITION;
                    completion.sense = status.sense(key, asc, ascq);
                }
            }
        }
    }
    let residual = requested - moved;
    completion.residual = i64::try_from(residual).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(completion)
}

/// How the kernel, or the controller, refuses to move as many bytes.
pub(super) fn is_too_long(end: &End) -> bool {
    match end {
        End::Os(error) => matches!(
            error.raw_os_error(),
            Some(libc::EINVAL | libc::ENOMEM | libc::E2BIG)
        ),
        end => end.is(NvmeStatus::INVALID_FIELD),
    }
}
