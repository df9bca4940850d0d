//! What a logical unit tells of its registrations and its reservation at one time.

use thiserror::Error;

use super::prin::{Malformed, ReadFullStatus, ReadKeys, ReadReservation};

/// The registrations and the reservation at one PRGENERATION.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The keys of all registrations.
    pub keys: ReadKeys,
    /// The reservation held, if any, or what makes the answer about it none.
    pub reservation: Result<ReadReservation, Malformed>,
    /// Every registration with its nexus, or why there is no telling.
    pub full_status: Result<ReadFullStatus, NoAnswer>,
}

/// Why there is no answer to a question that a device server need not answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// It does not support the service action.
    #[error("not supported")]
    Unsupported,
    /// What came back is not a whole answer.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}
