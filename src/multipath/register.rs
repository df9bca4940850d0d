//! Registering and unregistering a map: on every path that can be reached, or as it was before.

use std::collections::BTreeSet;
use std::time::Duration;

use super::unit::{Changed, Ended, MapError, MapUnit, Member, PathChange, PathReport};
use crate::logical_unit::Exchange;
use crate::pr::prout::{PersistentReserveOut, ServiceAction};
use crate::pr::{ReservationKey, ReservationType, Scope};

/// What became of registering one path, and what taking it back needs.
#[derive(Debug)]
enum Step<E> {
    /// It was registered in this run; before, it had this key, or nobody knows.
    Made(Option<ReservationKey>),
    /// It had the key already.
    AlreadySo,
    /// It has neither the old nor the new key: a path that never was registered, or a host that was
    /// fenced.
    Lacks(E),
    /// The command did not get there.
    Unreached(E),
    /// Nobody knows what became of it.
    Unknown(E),
}

impl<E> Step<E> {
    /// Whether the path has the key.
    const fn is_there(&self) -> bool {
        matches!(self, Self::Made(_) | Self::AlreadySo)
    }
}

/// Why the other paths are not registered any more.
enum Cause<E> {
    Refused(E),
    Foreign(E),
    Dead(E),
    /// The first one to be registered is registered no more: this host was fenced meanwhile.
    Fenced(ReservationKey),
    /// A signal has come, before this path's turn.
    Stopped,
    /// Another node removed this one's registrations meanwhile, and this path says so.
    Lost(E),
}

/// The first path that has the new key.
fn first_there<E>(steps: &[(usize, Step<E>)]) -> Option<usize> {
    let mut there = steps.iter().filter(|(_, step)| step.is_there());
    there.next().map(|(place, _)| *place)
}

/// The keys that paths had before, by what was said or seen.
fn old_keys<E>(out: &PersistentReserveOut, steps: &[(usize, Step<E>)]) -> BTreeSet<ReservationKey> {
    let seen = steps.iter().filter_map(|(_, step)| match step {
        Step::Made(prior) => *prior,
        _ => None,
    });
    let said = match out.action {
        ServiceAction::Register => Some(out.reservation_key),
        _ => None,
    };
    let new = out.service_action_reservation_key;
    let is_old = |key: &ReservationKey| *key != ReservationKey::NONE && *key != new;
    seen.chain(said).filter(is_old).collect()
}

/// RELEASE of a reservation with the key `key`.
fn release(
    key: ReservationKey,
    scope: Scope,
    reservation_type: ReservationType,
) -> PersistentReserveOut {
    PersistentReserveOut {
        reservation_key: key,
        scope,
        reservation_type,
        ..PersistentReserveOut::new(ServiceAction::Release)
    }
}

impl<E: Exchange> MapUnit<E>
where
    E::Error: std::fmt::Display,
{
    /// REGISTER or REGISTER AND IGNORE EXISTING KEY `out`, with a new key, over every path. With
    /// `every_path` one that cannot be reached is a failure. `unreached` says whether the map has
    /// paths that are not among the members: the old key is removed from them where it is certain that
    /// it is this host's, for whoever fences it by the new key means all of it.
    ///
    /// # Errors
    /// [`MapError`]: what was done is taken back then, as far as it is known what was there before.
    /// [`MapError::Left`] and [`MapError::StillHeld`] where it was done, and the old key is left.
    pub fn register(
        &mut self,
        out: &PersistentReserveOut,
        every_path: bool,
        unreached: bool,
    ) -> Result<Changed, MapError<E::Error>> {
        let ignores = out.action == ServiceAction::RegisterAndIgnoreExistingKey;
        let before = match ignores {
            true => self.full_status(),
            false => None,
        };
        let mut steps: Vec<(usize, Step<E::Error>)> = Vec::new();
        let mut cause = None;
        for place in 0..self.members.len() {
            if self.is_stopped() {
                cause = Some((place, Cause::Stopped));
                break;
            }
            // The others are registered by name where the first one's command names them.
            let mut command = out.clone();
            if steps.iter().any(|(_, step)| step.is_there()) && out.specifies_initiator_ports() {
                command.transport_ids = Default::default();
            }
            let prior = match &before {
                Some(full_status) => self.key_of(place, full_status),
                None => None,
            };
            let step = match ignores {
                true => self.register_and_ignore(place, &command, prior),
                false => self.register_new(place, &command),
            };
            match step {
                Ok(step) => steps.push((place, step)),
                Err(found) => {
                    let found = match found {
                        Cause::Refused(error) if Member::<E>::is_lost(&error) => Cause::Lost(error),
                        other => other,
                    };
                    cause = Some((place, found));
                    break;
                }
            }
        }
        let first = steps.iter().position(|(_, step)| step.is_there());
        if cause.is_none() && !self.is_stopped() {
            self.hear_late(&mut steps, out);
        }
        if cause.is_none() && !self.is_stopped() {
            cause = self.register_lacking(&mut steps, out);
        }
        if cause.is_none() && self.is_stopped() && steps.iter().any(|(_, step)| !step.is_there()) {
            cause = Some((self.members.len() - 1, Cause::Stopped));
        }
        if cause.is_none() && every_path {
            let missing = steps
                .iter()
                .position(|(_, step)| matches!(step, Step::Unreached(_) | Step::Unknown(_)));
            if let Some(missing) = missing {
                let (place, step) = steps.remove(missing);
                if let Step::Unreached(error) | Step::Unknown(error) = step {
                    cause = Some((place, Cause::Dead(error)));
                }
            }
        }
        // Whoever has removed its registration meanwhile means those that came after it as well.
        let first = first.or_else(|| steps.iter().position(|(_, step)| step.is_there()));
        let several = steps.iter().filter(|(_, step)| step.is_there()).count() > 1;
        if let Some((place, _)) = first.and_then(|first| steps.get(first))
            && cause.is_none()
            && several
            && self.lacks(*place, out, out.service_action_reservation_key)
        {
            cause = Some((*place, Cause::Fenced(out.service_action_reservation_key)));
        }
        if let Some((place, cause)) = cause {
            return Err(self.take_back(out, steps, place, cause));
        }
        if first_there(&steps).is_none() {
            let paths = self.reports(&steps);
            let last = steps.pop().and_then(|(_, step)| match step {
                Step::Unreached(error) | Step::Unknown(error) => Some(error),
                Step::Made(_) | Step::AlreadySo | Step::Lacks(_) => None,
            });
            return Err(MapError::NoPath {
                source: last,
                paths,
            });
        }
        let paths = self.reports(&steps);
        let is_left_out = |(_, step): &(usize, Step<E::Error>)| !step.is_there();
        match first_there(&steps) {
            Some(place) if unreached || steps.iter().any(is_left_out) => {
                for key in old_keys(out, &steps) {
                    self.remove_old(place, out, key, &paths)?;
                }
            }
            _ => {}
        }
        Ok(Changed::by(paths))
    }

    /// Removes what this host has left of the key `old` on paths that cannot be reached, over the
    /// path `place`, which has the new key.
    fn remove_old(
        &mut self,
        place: usize,
        out: &PersistentReserveOut,
        old: ReservationKey,
        paths: &[PathReport],
    ) -> Result<(), MapError<E::Error>> {
        if !self.any.read_keys()?.keys.contains(&old) {
            return Ok(());
        }
        let _ = self.remove_left_over(place, out.service_action_reservation_key, old);
        // Where it cannot be told whose it is, the reservation is what to look at first.
        let held = self.any.read_reservation()?.reservation;
        if let Some(held) = held.filter(|held| held.reservation_key == old)
            && self.is_held_here(&held) != Some(false)
        {
            return Err(MapError::StillHeld {
                key: old,
                paths: paths.to_vec(),
            });
        }
        self.left_over(Some(old), paths.to_vec()).map(|_| ())
    }

    /// Unregisters the members from `new` on, which were registered last, where the member `witness`
    /// has lost the new key of `out` meanwhile: this host was fenced.
    ///
    /// # Errors
    /// [`MapError::NotRegistered`] then.
    pub fn keep_if_registered(
        &mut self,
        witness: usize,
        new: usize,
        out: &PersistentReserveOut,
    ) -> Result<(), MapError<E::Error>> {
        let key = out.service_action_reservation_key;
        if key == ReservationKey::NONE || !self.lacks(witness, out, key) {
            return Ok(());
        }
        let mut paths = Vec::new();
        for place in new..self.members.len() {
            let state = self.undo(place, out, key, ReservationKey::NONE);
            paths.push(self.report(place, state));
        }
        Err(MapError::NotRegistered { key, paths })
    }

    /// Whether the member `place` certainly is not registered with `key`.
    fn lacks(&mut self, place: usize, out: &PersistentReserveOut, key: ReservationKey) -> bool {
        matches!(
            self.members[place].register(out, key, key),
            Ended::Conflict(_)
        )
    }

    fn reports(&self, steps: &[(usize, Step<E::Error>)]) -> Vec<PathReport> {
        let report = |(place, step): &(usize, Step<E::Error>)| {
            let state = match step {
                Step::Made(_) => PathChange::Done,
                Step::AlreadySo => PathChange::AlreadySo,
                Step::Lacks(error) | Step::Unreached(error) => {
                    PathChange::Unreached(error.to_string())
                }
                Step::Unknown(error) => PathChange::Unknown(error.to_string()),
            };
            self.report(*place, state)
        };
        steps.iter().map(report).collect()
    }

    /// REGISTER over one path.
    fn register_new(
        &mut self,
        place: usize,
        out: &PersistentReserveOut,
    ) -> Result<Step<E::Error>, Cause<E::Error>> {
        let (old, new) = (out.reservation_key, out.service_action_reservation_key);
        let member = &mut self.members[place];
        match member.send(out) {
            Ended::Done => return Ok(Step::Made(Some(old))),
            Ended::NotOnThisPath(error) => return Ok(Step::Unreached(error)),
            Ended::Unknown(error) => return Ok(Step::Unknown(error)),
            Ended::Refused(error) => return Err(Cause::Refused(error)),
            // To have the key already is not to have registered the initiator ports that are named.
            Ended::Conflict(error) if out.specifies_initiator_ports() => {
                return Err(Cause::Refused(error));
            }
            Ended::Conflict(_) => {}
        }
        // GOOD exactly where this nexus has the key: another run or a daemon was faster, or the
        // device server has one registration for several paths.
        match member.register(out, new, new) {
            Ended::Done => Ok(Step::AlreadySo),
            Ended::NotOnThisPath(error) => Ok(Step::Unreached(error)),
            Ended::Unknown(error) => Ok(Step::Unknown(error)),
            Ended::Refused(error) => Err(Cause::Refused(error)),
            Ended::Conflict(error) if old == ReservationKey::NONE => Err(Cause::Foreign(error)),
            Ended::Conflict(error) => Ok(Step::Lacks(error)),
        }
    }

    /// Registers the paths that never were registered with the old key, if another one was: where
    /// none is, this host was fenced, and stays out.
    fn register_lacking(
        &mut self,
        steps: &mut Vec<(usize, Step<E::Error>)>,
        out: &PersistentReserveOut,
    ) -> Option<(usize, Cause<E::Error>)> {
        let new = out.service_action_reservation_key;
        let may = steps.iter().any(|(_, step)| step.is_there());
        for index in 0..steps.len() {
            let place = steps[index].0;
            if !matches!(steps[index].1, Step::Lacks(_)) {
                continue;
            }
            if !may {
                return match steps.remove(index) {
                    (_, Step::Lacks(error)) => Some((place, Cause::Refused(error))),
                    _ => None,
                };
            }
            steps[index].1 = match self.members[place].register(out, ReservationKey::NONE, new) {
                Ended::Done => Step::Made(Some(ReservationKey::NONE)),
                Ended::NotOnThisPath(error) => Step::Unreached(error),
                Ended::Unknown(error) => Step::Unknown(error),
                Ended::Refused(error) => return Some((place, Cause::Refused(error))),
                Ended::Conflict(error) => return Some((place, Cause::Foreign(error))),
            };
        }
        None
    }

    /// REGISTER AND IGNORE EXISTING KEY over one path, which had the key `prior`, if that is known.
    fn register_and_ignore(
        &mut self,
        place: usize,
        out: &PersistentReserveOut,
        prior: Option<Option<ReservationKey>>,
    ) -> Result<Step<E::Error>, Cause<E::Error>> {
        let prior = prior.map(|key| key.unwrap_or(ReservationKey::NONE));
        match self.members[place].send(out) {
            Ended::Done if prior == Some(out.service_action_reservation_key) => Ok(Step::AlreadySo),
            Ended::Done => Ok(Step::Made(prior)),
            Ended::NotOnThisPath(error) => Ok(Step::Unreached(error)),
            Ended::Unknown(error) => Ok(Step::Unknown(error)),
            Ended::Refused(error) | Ended::Conflict(error) => Err(Cause::Refused(error)),
        }
    }

    /// Registers `key` over the paths that are not registered, such as one that has come back, if
    /// another path of this map has it, before and after: a node that was fenced stays out. Of `out`
    /// its APTPL bit counts.
    ///
    /// # Errors
    /// [`MapError`]; [`MapError::NotRegistered`] where no path has the key.
    pub fn repair(
        &mut self,
        out: &PersistentReserveOut,
        key: ReservationKey,
    ) -> Result<Changed, MapError<E::Error>> {
        let mut paths = Vec::new();
        let mut has = Vec::new();
        let mut lacks = Vec::new();
        for place in 0..self.members.len() {
            match self.members[place].register(out, key, key) {
                Ended::Done => has.push(place),
                Ended::Conflict(_) => lacks.push(place),
                Ended::NotOnThisPath(error) => {
                    paths.push(self.report(place, PathChange::Unreached(error.to_string())));
                }
                Ended::Unknown(error) => {
                    paths.push(self.report(place, PathChange::Unknown(error.to_string())));
                }
                Ended::Refused(source) => {
                    return Err(self.refused(place, source, paths));
                }
            }
        }
        let Some(&witness) = has.first() else {
            return Err(MapError::NotRegistered { key, paths });
        };
        paths.extend(
            has.iter()
                .map(|&place| self.report(place, PathChange::AlreadySo)),
        );
        let mut made = Vec::new();
        let mut failure = None;
        for place in lacks {
            match self.members[place].register(out, ReservationKey::NONE, key) {
                Ended::Done => made.push(place),
                Ended::NotOnThisPath(error) => {
                    paths.push(self.report(place, PathChange::Unreached(error.to_string())));
                }
                Ended::Unknown(error) => {
                    made.push(place);
                    paths.push(self.report(place, PathChange::Unknown(error.to_string())));
                }
                Ended::Conflict(error) => failure = Some((place, Cause::Foreign(error))),
                Ended::Refused(error) => failure = Some((place, Cause::Refused(error))),
            }
        }
        // Whoever has removed this node's registrations meanwhile means the new ones as well.
        if !made.is_empty() && self.lacks(witness, out, key) {
            for &place in &made {
                let state = self.undo(place, out, key, ReservationKey::NONE);
                paths.push(self.report(place, state));
            }
            return Err(MapError::NotRegistered { key, paths });
        }
        paths.extend(
            made.iter()
                .map(|&place| self.report(place, PathChange::Done)),
        );
        match failure {
            None => Ok(Changed::by(paths)),
            // The paths that were repaired stay so: they have what this host has.
            Some((place, cause)) => Err(self.cause_error(place, cause, paths)),
        }
    }

    /// Waits for the paths that were silent, and asks those whose answer was lost whether they have
    /// the key.
    fn hear_late(&mut self, steps: &mut [(usize, Step<E::Error>)], out: &PersistentReserveOut) {
        let new = out.service_action_reservation_key;
        let until = self.paths.as_ref().map(|paths| paths.now() + self.silence);
        for (place, step) in steps {
            let Step::Unknown(error) = &*step else {
                continue;
            };
            if let Some(paths) = &self.paths
                && Member::<E>::is_silent(error)
            {
                let left = until.map_or(Duration::ZERO, |until| until.saturating_sub(paths.now()));
                match paths.next(&[self.members[*place].index], Some(left)) {
                    // It has answered, whatever it was: now it can be asked.
                    Ok(Some(_)) => {}
                    _ => continue,
                }
                let left = until.map(|until| until.saturating_sub(paths.now()));
                paths.set_patience(self.members[*place].index, left);
            }
            let member = &mut self.members[*place];
            match member.register(out, new, new) {
                Ended::Done => *step = Step::Made(None),
                Ended::Conflict(_) => match member.send(out) {
                    Ended::Done => *step = Step::Made(Some(out.reservation_key)),
                    Ended::NotOnThisPath(error) => *step = Step::Unreached(error),
                    Ended::Conflict(error) | Ended::Refused(error) | Ended::Unknown(error) => {
                        *step = Step::Unknown(error);
                    }
                },
                Ended::NotOnThisPath(error) | Ended::Refused(error) | Ended::Unknown(error) => {
                    *step = Step::Unknown(error);
                }
            }
        }
    }

    /// Brings the paths back to the keys that they had, the last one first, and says why. Where
    /// another node has removed registrations meanwhile, none of them is made again.
    fn take_back(
        &mut self,
        out: &PersistentReserveOut,
        steps: Vec<(usize, Step<E::Error>)>,
        place: usize,
        cause: Cause<E::Error>,
    ) -> MapError<E::Error> {
        let new = out.service_action_reservation_key;
        let is_fenced = matches!(cause, Cause::Fenced(_) | Cause::Lost(_));
        let ignores = out.action == ServiceAction::RegisterAndIgnoreExistingKey;
        // One that has lost its key by now does not get it back.
        let mut kept = Vec::new();
        for (place, step) in &steps {
            if matches!(step, Step::AlreadySo)
                && let Ended::Done = self.members[*place].register(out, new, new)
            {
                kept.push(*place);
            }
        }
        let named = match out.specifies_initiator_ports() {
            true => steps.iter().position(|(_, step)| step.is_there()),
            false => None,
        };
        let mut reports = Vec::new();
        for (index, (place, step)) in steps.iter().enumerate().rev() {
            let state = match step {
                Step::Made(Some(prior)) if named == Some(index) => {
                    let prior = match is_fenced {
                        true => ReservationKey::NONE,
                        false => *prior,
                    };
                    match self.undo(*place, out, new, prior) {
                        PathChange::Undone => PathChange::NotUndone(
                            "the initiator ports that were named stay registered".to_owned(),
                        ),
                        other => other,
                    }
                }
                // The key that it had before was removed as well, or was to be.
                Step::Made(_) if is_fenced => self.undo(*place, out, new, ReservationKey::NONE),
                Step::AlreadySo if is_fenced && ignores => {
                    kept.retain(|one| one != place);
                    self.undo(*place, out, new, ReservationKey::NONE)
                }
                Step::Made(Some(prior)) => self.undo(*place, out, new, *prior),
                Step::Made(None) => PathChange::Kept,
                Step::AlreadySo => PathChange::AlreadySo,
                Step::Lacks(error) | Step::Unreached(error) => {
                    PathChange::Unreached(error.to_string())
                }
                Step::Unknown(error) => PathChange::Unknown(error.to_string()),
            };
            reports.push(self.report(*place, state));
        }
        reports.reverse();
        // A path that was registered before keeps its key, also where it shares its registration with
        // one that was taken back.
        for place in kept {
            if !is_fenced && self.lacks(place, out, new) {
                let _ = self.members[place].register(out, ReservationKey::NONE, new);
            }
        }
        self.cause_error(place, cause, reports)
    }

    /// Brings one path, which has got the key `new`, back to the key `prior`.
    fn undo(
        &mut self,
        place: usize,
        out: &PersistentReserveOut,
        new: ReservationKey,
        prior: ReservationKey,
    ) -> PathChange {
        match self.members[place].register(out, new, prior) {
            // A conflict: the path shares its registration with one taken back before.
            Ended::Done | Ended::Conflict(_) => PathChange::Undone,
            Ended::Refused(error) | Ended::NotOnThisPath(error) | Ended::Unknown(error) => {
                PathChange::NotUndone(error.to_string())
            }
        }
    }

    /// Why the path `place` ended it, with what became of it on the others.
    fn cause_error(
        &mut self,
        place: usize,
        cause: Cause<E::Error>,
        reports: Vec<PathReport>,
    ) -> MapError<E::Error> {
        let path = self.members[place].name.clone();
        match cause {
            Cause::Stopped => MapError::Stopped { paths: reports },
            Cause::Fenced(key) => MapError::NotRegistered {
                key,
                paths: reports,
            },
            Cause::Foreign(source) => {
                let key = self
                    .full_status()
                    .and_then(|full_status| self.key_of(place, &full_status))
                    .flatten();
                MapError::Foreign {
                    path,
                    source,
                    key,
                    paths: reports,
                }
            }
            Cause::Refused(source) | Cause::Dead(source) | Cause::Lost(source) => MapError::Path {
                path,
                source,
                paths: reports,
            },
        }
    }

    /// REGISTER or REGISTER AND IGNORE EXISTING KEY `out` with key 0, over every path; `unreached`
    /// says whether the map has paths that are not among the members.
    ///
    /// A reservation with that key is released first: as long as it stands, paths that are
    /// unregistered could not write. Registrations of this host that are left over, on a path that
    /// cannot be reached, are removed by the last one to go.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn unregister(
        &mut self,
        out: &PersistentReserveOut,
        unreached: bool,
    ) -> Result<Changed, MapError<E::Error>> {
        let ignores = out.action == ServiceAction::RegisterAndIgnoreExistingKey;
        let mut unreached = unreached;
        let key = match ignores {
            // The key that this map has is not said; where full status tells, it is known.
            true => self.own_key(),
            false => Some(out.reservation_key),
        };
        if let Some(key) = key {
            let held = self.any.read_reservation()?.reservation;
            if let Some(held) = held.filter(|held| held.reservation_key == key) {
                let release = release(key, held.scope, held.reservation_type);
                for place in 0..self.members.len() {
                    if let Ended::Refused(source) = self.members[place].send(&release) {
                        return Err(self.refused(place, source, Vec::new()));
                    }
                }
            }
        }
        // Then it is the one that goes.
        let before = match key {
            None => self.any.read_keys()?.keys,
            Some(_) => Vec::new(),
        };
        let mut paths = Vec::new();
        let mut conflict = None;
        let mut last_error = None;
        let mut is_done = false;
        let count = self.members.len();
        for place in 0..count {
            if self.is_stopped() {
                return Err(MapError::Stopped { paths });
            }
            if place + 1 == count
                && (unreached || !paths.is_empty() && !is_done)
                && let Some(key) = key
            {
                let held = self.remove_left_over(place, key, key);
                if let Some((scope, reservation_type)) = held {
                    let _ = self.members[place].send(&release(key, scope, reservation_type));
                }
            }
            match self.members[place].send(out) {
                Ended::Done => {
                    is_done = true;
                    paths.push(self.report(place, PathChange::Done));
                }
                Ended::Conflict(error) => {
                    paths.push(self.report(place, PathChange::AlreadySo));
                    conflict.get_or_insert((place, error));
                }
                Ended::NotOnThisPath(error) => {
                    unreached = true;
                    paths.push(self.report(place, PathChange::Unreached(error.to_string())));
                    last_error = Some(error);
                }
                Ended::Unknown(error) => {
                    unreached = true;
                    paths.push(self.report(place, PathChange::Unknown(error.to_string())));
                    last_error = Some(error);
                }
                Ended::Refused(source) => {
                    return Err(self.refused(place, source, paths));
                }
            }
        }
        match (is_done, conflict) {
            (true, _) => {}
            (false, Some((place, source))) => {
                return Err(self.refused(place, source, paths));
            }
            (false, None) => {
                return Err(MapError::NoPath {
                    source: last_error,
                    paths,
                });
            }
        }
        if !unreached {
            return Ok(Changed::by(paths));
        }
        let key = match key {
            Some(key) => Some(key),
            None => {
                let after = self.any.read_keys()?.keys;
                let count =
                    |keys: &[ReservationKey], key| keys.iter().filter(|&&one| one == key).count();
                let gone = |key: &ReservationKey| {
                    let left = count(&after, *key);
                    left > 0 && left < count(&before, *key)
                };
                before.iter().copied().find(gone)
            }
        };
        self.left_over(key, paths)
    }

    /// What is left of `key` after all paths that could be reached were unregistered.
    fn left_over(
        &mut self,
        key: Option<ReservationKey>,
        paths: Vec<PathReport>,
    ) -> Result<Changed, MapError<E::Error>> {
        let Some(key) = key else {
            return Ok(Changed::by(paths));
        };
        let left = self.any.read_keys()?;
        let left = left.keys.iter().filter(|&&one| one == key).count();
        if left == 0 {
            return Ok(Changed::by(paths));
        }
        let why = match self.is_registered_anywhere(Some(key)) {
            // Other hosts use the same key; all that is this host's is gone.
            Some(false) => {
                return Ok(Changed::by(paths));
            }
            Some(true) => "they are this host's, on paths that cannot be reached",
            None => "whether they are this host's, on paths that cannot be reached, is not told",
        };
        Err(MapError::Left {
            left,
            key,
            why,
            paths,
        })
    }

    /// The one key that all of this host's registrations have, if that is known.
    fn own_key(&mut self) -> Option<ReservationKey> {
        let full_status = self.full_status()?;
        let mut key = None;
        for one in &full_status.descriptors {
            if self.is_own(one)? {
                match key {
                    Some(known) if known != one.reservation_key => return None,
                    _ => key = Some(one.reservation_key),
                }
            }
        }
        key
    }

    /// Has the path `place`, which is registered with the key `own`, preempt what is left of `key` on
    /// paths that cannot be reached: if it is certain that all of it is this host's. Returns the
    /// reservation that has come to it by that.
    fn remove_left_over(
        &mut self,
        place: usize,
        own: ReservationKey,
        key: ReservationKey,
    ) -> Option<(Scope, ReservationType)> {
        let full_status = self.full_status()?;
        let with_key = full_status.descriptors.iter();
        let with_key: Vec<_> = with_key.filter(|one| one.reservation_key == key).collect();
        let all_own = with_key.iter().all(|one| self.is_own(one) == Some(true));
        // One of them is that path's.
        let remaining = usize::from(own == key);
        if with_key.len() <= remaining || !all_own {
            return None;
        }
        // What all registrants hold is that of the others still.
        let held = with_key.iter().find_map(|one| one.held);
        let held = held.filter(|(_, kind)| !kind.is_held_by_all());
        let preempt = PersistentReserveOut {
            reservation_key: own,
            service_action_reservation_key: key,
            reservation_type: held.map(|(_, held)| held).unwrap_or_default(),
            ..PersistentReserveOut::new(ServiceAction::Preempt)
        };
        // What is left all the same is counted afterwards.
        match self.members[place].send(&preempt) {
            Ended::Done => held,
            _ => None,
        }
    }
}
