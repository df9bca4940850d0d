//! Reserving and releasing a map.

use super::unit::{Changed, Ended, MapError, MapUnit, Note, Once, PathChange};
use crate::logical_unit::Exchange;
use crate::pr::ReservationType;
use crate::pr::prin::Reservation;
use crate::pr::prout::PersistentReserveOut;

/// Whether a reservation of this type lets the one nexus that holds it write, and no other.
const fn is_for_one_nexus(reservation_type: ReservationType) -> bool {
    matches!(
        reservation_type,
        ReservationType::WRITE_EXCLUSIVE | ReservationType::EXCLUSIVE_ACCESS
    )
}

impl<E: Exchange> MapUnit<E>
where
    E::Error: std::fmt::Display,
{
    /// RESERVE `out`, by the first path that can.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn reserve(&mut self, out: &PersistentReserveOut) -> Result<Changed, MapError<E::Error>> {
        let asked = Reservation {
            reservation_key: match out.reservation_type.is_held_by_all() {
                true => crate::pr::ReservationKey::NONE,
                false => out.reservation_key,
            },
            scope: out.scope,
            reservation_type: out.reservation_type,
        };
        let before = self.any.read_reservation().ok();
        let before = before.map(|data| data.reservation);
        let ended = self.once(out, |unit| {
            let now = unit.any.read_reservation()?.reservation;
            Ok(match now {
                None => Ok(false),
                Some(held) if held == asked => match unit.is_held_here(&held) {
                    Some(true) => Ok(true),
                    // Another node has the same key.
                    Some(false) => Ok(false),
                    None if before == Some(None) => Ok(true),
                    None => Err("it was reserved with this key before, by somebody".to_owned()),
                },
                Some(_) => Ok(false),
            })
        })?;
        let mut notes = Vec::new();
        if is_for_one_nexus(out.reservation_type) && self.members.len() > 1 {
            notes.push(Note::OnePathAlone(self.members.len()));
        }
        match ended {
            Once::Done(paths) => Ok(Changed { paths, notes }),
            Once::Conflict {
                place,
                source,
                paths,
            } => {
                let held = self.any.read_reservation()?.reservation;
                let is_ours = held
                    .is_some_and(|held| held == asked && self.is_held_here(&held) == Some(true));
                // One's own reservation conflicts where it is held by a path that is out of reach.
                if is_ours {
                    notes.push(Note::HeldOutOfReach);
                    return Ok(Changed { paths, notes });
                }
                Err(self.refused(place, source, paths))
            }
        }
    }

    /// Whether `held` is held by this host; `None` where that is not known.
    pub(super) fn is_held_here(&mut self, held: &Reservation) -> Option<bool> {
        let full_status = self.full_status()?;
        self.is_held_by_own(held, &full_status)
    }

    /// RELEASE `out` over every path: the one that holds the reservation alone releases it, the
    /// others say GOOD and do nothing.
    ///
    /// # Errors
    /// [`MapError`]; [`MapError::StillHeld`] where the holder is out of reach.
    pub fn release(&mut self, out: &PersistentReserveOut) -> Result<Changed, MapError<E::Error>> {
        let mut paths = Vec::new();
        let mut conflict = None;
        let mut last = None;
        let mut is_done = false;
        for place in 0..self.members.len() {
            if self.is_stopped() {
                return Err(MapError::Stopped { paths });
            }
            match self.members[place].send(out) {
                Ended::Done => {
                    is_done = true;
                    paths.push(self.report(place, PathChange::Done));
                }
                Ended::Conflict(error) => {
                    paths.push(self.report(place, PathChange::Unreached(error.to_string())));
                    conflict.get_or_insert((place, error));
                }
                Ended::NotOnThisPath(error) => {
                    paths.push(self.report(place, PathChange::Unreached(error.to_string())));
                    last = Some(error);
                }
                Ended::Unknown(error) => {
                    paths.push(self.report(place, PathChange::Unknown(error.to_string())));
                    last = Some(error);
                }
                Ended::Refused(source) => {
                    return Err(self.refused(place, source, paths));
                }
            }
        }
        if !is_done {
            return Err(match conflict {
                Some((place, source)) => self.refused(place, source, paths),
                None => MapError::NoPath {
                    source: last,
                    paths,
                },
            });
        }
        match self.any.read_reservation()?.reservation {
            Some(held) if held.reservation_key == out.reservation_key => {
                match self.is_held_here(&held) {
                    // Another host has the same key, and its reservation is none of ours.
                    Some(false) => Ok(Changed::by(paths)),
                    Some(true) | None => Err(MapError::StillHeld {
                        key: held.reservation_key,
                        paths,
                    }),
                }
            }
            _ => Ok(Changed::by(paths)),
        }
    }
}
