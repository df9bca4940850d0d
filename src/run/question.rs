//! Questions that the exit status answers.

use super::device::{Device, Session};
use crate::cli::request::Question;
use crate::error::Error;
use crate::pr::{ReservationKey, ReservationType};
use crate::transport::Access;

/// How often an answer that takes several commands is put together again when the registrations
/// changed between them.
pub(super) const ATTEMPTS: usize = 5;

/// Asks the device; `true` is yes.
pub(super) fn ask(
    session: &Session<'_, '_>,
    access: Access,
    question: Question,
) -> Result<bool, Error> {
    let mut device = Device::open(session, &session.task.device, access, false)?;
    match question {
        Question::HasKey(key) => Ok(device.read_keys()?.keys.contains(&key)),
        Question::Reserved(wanted) => {
            let data = device.read_reservation()?;
            let held = data.reservations.first();
            Ok(
                held.is_some_and(|held| {
                    wanted.is_none_or(|wanted| wanted == held.reservation_type)
                }),
            )
        }
        Question::HolderIs(key) => {
            for _ in 0..ATTEMPTS {
                let data = device.read_reservation()?;
                let Some(held) = data.reservations.first() else {
                    return Ok(false);
                };
                if !is_held_by_all(held.reservation_type) {
                    // Key 0 is nobody's: the holder is not told.
                    return Ok(held.reservation_key == key && key != ReservationKey(0));
                }
                let keys = device.read_keys()?;
                if keys.generation == data.generation {
                    return Ok(keys.keys.contains(&key));
                }
            }
            Err(Error::Unsteady)
        }
    }
}

/// Whether every registered nexus holds a reservation of this type.
fn is_held_by_all(reservation_type: ReservationType) -> bool {
    matches!(
        reservation_type,
        ReservationType::WRITE_EXCLUSIVE_ALL_REGISTRANTS
            | ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS
    )
}
