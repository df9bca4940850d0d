//! Questions that the exit status answers.

use super::device::Device;
use super::nexus::standing;
use super::session::Session;
use super::standings;
use crate::cli::request::Question;
use crate::error::Error;
use crate::pr::ReservationKey;
use crate::pr::nexus::Standing;
use crate::pr::prin::Reservation;
use crate::transport::Access;

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
            let held = device.read_reservation()?.reservation;
            let matches =
                |held: Reservation| wanted.is_none_or(|wanted| wanted == held.reservation_type);
            Ok(held.is_some_and(matches))
        }
        Question::Registered(key) => {
            let (keys, full_status) = device.registrations()?;
            if let Some(map) = device.exchange_mut().take_map() {
                let registrants = device.registrants();
                let paths = standings::of(session, &map, registrants, &keys, &full_status);
                return standings::are_registered(session, &map.map.name, &paths, key);
            }
            let standing = standing(&mut device, &keys, &full_status);
            if let (1.., Standing::Registered(keys)) = (session.task.verbosity, &standing) {
                let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                let keys = keys.join(", ");
                (session.print)(&format!("Registered with key {keys}\n"));
            }
            standing.is_registered(key).map_err(Error::Unanswered)
        }
        Question::HolderIs(key) => Ok(device.of_one_generation(|device| {
            let data = device.read_reservation()?;
            let Some(held) = data.reservation else {
                return Ok(Some(false));
            };
            if !held.reservation_type.is_held_by_all() {
                // Key 0 is nobody's: the holder is not told.
                return Ok(Some(
                    held.reservation_key == key && key != ReservationKey::NONE,
                ));
            }
            let keys = device.read_keys()?;
            let agree = keys.generation == data.generation;
            Ok(agree.then(|| keys.keys.contains(&key)))
        })?),
    }
}
