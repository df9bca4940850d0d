//! Preempting and clearing over a map.

use super::unit::{Changed, MapError, MapUnit, NotOnMaps, Note, Once};
use crate::logical_unit::Exchange;
use crate::pr::ReservationKey;
use crate::pr::prout::{PersistentReserveOut, ServiceAction};

impl<E: Exchange> MapUnit<E>
where
    E::Error: std::fmt::Display,
{
    /// PREEMPT or PREEMPT AND ABORT `out`, by the first path that can. Nobody is registered for it: a
    /// host that was fenced itself must not fence.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn preempt(&mut self, out: &PersistentReserveOut) -> Result<Changed, MapError<E::Error>> {
        let victim = out.service_action_reservation_key;
        if victim == out.reservation_key || victim == ReservationKey::NONE {
            return self.take_over(out);
        }
        let aborts = out.action == ServiceAction::PreemptAndAbort;
        // That nobody has the key afterwards proves something only if somebody had it before.
        let was_there = match self.any.read_keys() {
            Ok(data) => data.keys.contains(&victim),
            Err(_) => false,
        };
        let ended = self.once(out, |unit| {
            let is_there = unit.any.read_keys()?.keys.contains(&victim);
            Ok(match (is_there, aborts) {
                (true, _) => Ok(false),
                (false, _) if !was_there => Err(format!(
                    "nobody has the key {victim}, and whether somebody had it before is not known"
                )),
                (false, false) => Ok(true),
                (false, true) => Err(format!(
                    "key {victim} is registered no more, but whether its commands were aborted is \
                     not told"
                )),
            })
        })?;
        self.concluded(ended)
    }

    /// CLEAR `out`, by the first path that can.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn clear(&mut self, out: &PersistentReserveOut) -> Result<Changed, MapError<E::Error>> {
        let ended = self.once(out, |unit| Ok(Ok(unit.any.read_keys()?.keys.is_empty())))?;
        self.concluded(ended)
    }

    fn concluded(&self, ended: Once<E::Error>) -> Result<Changed, MapError<E::Error>> {
        match ended {
            Once::Done(paths) => Ok(Changed::by(paths)),
            Once::Conflict {
                place,
                source,
                paths,
            } => Err(self.refused(place, source, paths)),
        }
    }

    /// A preempt of the map's own key, or of all registrants: it would unregister the other paths of
    /// this map. Where every registration with the key is a path's that can be reached, there is
    /// nothing to take over.
    fn take_over(&mut self, out: &PersistentReserveOut) -> Result<Changed, MapError<E::Error>> {
        let key = out.reservation_key;
        // A path that is away is registered still, maybe.
        let has_others = self.paths.as_ref().is_some_and(|paths| paths.len() > 1);
        if self.members.len() == 1 && !has_others {
            let ended = self.once(out, |_| {
                Ok(Err("it was a preempt of its own key".to_owned()))
            })?;
            return self.concluded(ended);
        }
        if out.service_action_reservation_key == ReservationKey::NONE {
            return Err(MapError::NotOnMaps(NotOnMaps::TakesItsOwnPaths));
        }
        let Some(full_status) = self.full_status() else {
            return Err(MapError::NotOnMaps(NotOnMaps::MayTakeItsOwnPaths));
        };
        let with_key = full_status.descriptors.iter();
        let with_key = with_key.filter(|one| one.reservation_key == key).count();
        let mut members = 0;
        for place in 0..self.members.len() {
            match self.key_of(place, &full_status) {
                Some(Some(has)) if has == key => members += 1,
                Some(_) => {}
                None => return Err(MapError::NotOnMaps(NotOnMaps::MayTakeItsOwnPaths)),
            }
        }
        let held = self.any.read_reservation()?.reservation;
        let is_right = held.is_none_or(|held| {
            held.reservation_key != key || held.reservation_type == out.reservation_type
        });
        match members > 0 && members == with_key && is_right {
            true => Ok(Changed {
                paths: Vec::new(),
                notes: vec![Note::NothingToTakeOver],
            }),
            false => Err(MapError::NotOnMaps(NotOnMaps::TakesItsOwnPaths)),
        }
    }
}
