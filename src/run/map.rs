//! Changes made to a multipath map, by all its paths.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use super::device::{Channel, Device, command_error};
use super::explain;
use super::maps::{OpenMap, path_node, untried};
use super::session::Session;
use crate::error::{Error, Interrupted};
use crate::logical_unit::{Exchange as _, InquiryError, LogicalUnit, QueryError};
use crate::multipath::outcome::{Class, class};
use crate::multipath::paths::Paths;
use crate::multipath::unit::{Changed, MapError, MapUnit, Member, PathChange, PathReport};
use crate::multipath::{Map, by_rank};
use crate::pr::ReservationKey;
use crate::pr::effect::{Disturbed, Doubt, Mismatch};
use crate::pr::prout::{PersistentReserveOut, ServiceAction, TransportIds};
use crate::scsi::identification::Identification;
use crate::scsi::sense::Sense;
use crate::transport::CommandError;

/// How long a path may be silent while the others are registered.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a path may be silent before another one carries a command that one is enough for.
const SILENCE_OF_ONE: Duration = Duration::from_secs(1);
/// How long another run that changes the same map is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How many unit attentions are read on a path before it is changed: more than one keeps.
const ATTENTIONS: usize = 16;
/// How often paths that come while a map is changed are taken in.
const ROUNDS: usize = 3;

/// The unit that changes are made to, while it is put together.
struct Assembly<'a, 'c> {
    session: &'a Session<'a, 'c>,
    /// As typed.
    name: &'a OsStr,
    map: Map,
    paths: Paths,
    unit: MapUnit<Channel<'a, 'c>>,
    /// What the paths say that they lead to.
    identity: Option<(String, Identification)>,
    /// The paths that could not be reached.
    unreached: Vec<PathReport>,
    /// A path that was told that its registration is gone, and how.
    lost: Option<(String, Error)>,
    /// The numbers of all paths seen.
    seen: BTreeSet<(u64, u64)>,
}

/// How long to wait for the lock: no longer than until the run has to end.
fn lock_patience(session: &Session<'_, '_>) -> Duration {
    let left = session
        .deadline
        .map(|deadline| deadline.saturating_sub(session.clock.now()));
    left.map_or(LOCK_PATIENCE, |left| left.min(LOCK_PATIENCE))
}

/// Makes the change `out` to the map behind `device`. With `verify` its effect is read back.
pub(super) fn change<'a, 'c>(
    session: &'a Session<'a, 'c>,
    name: &'a OsStr,
    device: Device<'a, 'c>,
    open: OpenMap,
    out: &PersistentReserveOut,
    verify: bool,
) -> Result<(), Error> {
    let _lock = session.maps.lock(open.map.number, lock_patience(session));
    let mut assembly = Assembly::new(session, name, device, open)?;
    let carried_out = assembly.carry_out(out);
    if let Err(error) = &carried_out {
        explain::look(session, &mut assembly.unit.any, out, error);
    }
    {
        // What was read beside it is not what was asked for, and one path's end is not the map's.
        let mut record = session.record.borrow_mut();
        record.cdb = Some(out.emit().0);
        record.completion = None;
        record.os_error = None;
    }
    let mut changed = carried_out?;
    for _ in 0..ROUNDS {
        if !assembly.take_in_new_paths(out, &mut changed)? {
            break;
        }
    }
    assembly.tell(&changed);
    if verify {
        assembly.verify(out, &changed)?;
    }
    Ok(())
}

/// Registers the key of `out` over the paths of the map behind `device` that lack it, if another has
/// it.
pub(super) fn repair<'a, 'c>(
    session: &'a Session<'a, 'c>,
    name: &'a OsStr,
    device: Device<'a, 'c>,
    open: OpenMap,
    out: &PersistentReserveOut,
) -> Result<(), Error> {
    let _lock = session.maps.lock(open.map.number, lock_patience(session));
    let mut assembly = Assembly::new(session, name, device, open)?;
    let repaired = assembly.unit.repair(out, out.reservation_key);
    let repaired = repaired.map_err(|source| assembly.error(source))?;
    assembly.tell(&repaired);
    Ok(())
}

impl<'a, 'c> Assembly<'a, 'c> {
    /// Opens the usable paths of the map behind `device`, and makes sure that they lead to one
    /// logical unit.
    fn new(
        session: &'a Session<'a, 'c>,
        name: &'a OsStr,
        mut device: Device<'a, 'c>,
        open: OpenMap,
    ) -> Result<Self, Error> {
        if let Some(stop) = session.maps.watch_signals() {
            open.paths.stop_by(stop);
        }
        let own_ports = device.own_ports();
        let numbers = open.map.paths.iter();
        let numbers = numbers.map(|path| (path.number.major, path.number.minor));
        let mut assembly = Self {
            session,
            name,
            seen: numbers.collect(),
            map: open.map,
            paths: open.paths.clone(),
            unit: MapUnit {
                members: Vec::new(),
                any: device,
                own_ports,
                paths: Some(open.paths),
                silence: session.task.timeout,
            },
            identity: None,
            lost: None,
            unreached: open.untried,
        };
        assembly.add_all(&open.order)?;
        // Somebody has fenced this node. It does not come back without having looked at that.
        match assembly.lost.take() {
            None => Ok(assembly),
            Some((path, source)) => Err(assembly.error(MapError::Path {
                path,
                source,
                paths: Vec::new(),
            })),
        }
    }

    fn error(&self, source: MapError<Error>) -> Error {
        let paths = source.paths().iter().chain(&self.unreached).cloned();
        self.session.record.borrow_mut().paths = paths.collect();
        Error::Map {
            device: self.name.to_owned(),
            source: Box::new(source),
        }
    }

    /// Makes the paths `order` members. One that is silent is left out, unless all are.
    fn add_all(&mut self, order: &[usize]) -> Result<(), Error> {
        let patience = match self.changes_every_path() {
            true => SILENCE,
            false => SILENCE_OF_ONE,
        };
        let mut silent = Vec::new();
        for &index in order {
            self.add(index, patience)?;
            if self.paths.is_busy(index) {
                silent.push(index);
            }
        }
        let until = self.paths.now() + self.whole_patience();
        while self.unit.members.is_empty() && !silent.is_empty() {
            let left = until.saturating_sub(self.paths.now());
            let Ok(Some((index, _))) = self.paths.next(&silent, Some(left)) else {
                break;
            };
            silent.retain(|&one| one != index);
            let name = self.paths.name(index);
            self.unreached.retain(|report| report.name != name);
            self.add(index, self.whole_patience())?;
        }
        match self.unit.members.is_empty() && self.paths.is_over() {
            true => Err(Error::Deadline {
                device: self.name.to_owned(),
                at: Interrupted::BeforeSending("Persistent reservation out"),
            }),
            false => Ok(()),
        }
    }

    /// How long a command may take at the most: the kernel gives it up before.
    fn whole_patience(&self) -> Duration {
        let timeout = self.session.task.timeout;
        timeout.saturating_add(Duration::from_secs(1))
    }

    /// Makes the path `index` a member, if it can be reached and leads to the same logical unit as
    /// the others. What is asked first has to be answered within `patience`.
    fn add(&mut self, index: usize, patience: Duration) -> Result<(), Error> {
        let name = self.paths.name(index);
        self.paths.set_patience(index, Some(patience));
        let transport = self.paths.transport(index);
        let channel = Channel::over(
            self.session,
            Cow::Owned(OsString::from(&name)),
            Box::new(transport),
            self.paths.clone(),
        );
        let mut unit = LogicalUnit::over(channel);
        let not_here = |error: &Error| {
            let class = command_error(error).map(class);
            matches!(class, Some(Class::NotOnThisPath | Class::Unknown))
        };
        let is_lost = |error: &Error| {
            let sense = command_error(error).and_then(CommandError::sense);
            sense.is_some_and(Sense::is_registrations_lost)
        };
        // What happened before is told now, and not to a change: a unit attention waits on each path.
        for _ in 0..ATTENTIONS {
            unit.exchange_mut().begin_optional();
            let read = unit.read_keys().map_err(Error::from);
            let is_lost = read.as_ref().is_err_and(is_lost);
            // It ends the run, and is told once.
            let is_told = is_lost && self.lost.is_none();
            unit.exchange_mut().end_optional(!is_told);
            let Err(error) = read else {
                break;
            };
            if not_here(&error) {
                self.leave_out(name, error.to_string());
                return Ok(());
            }
            if !command_error(&error).is_some_and(CommandError::is_unit_attention) {
                break;
            }
            if is_lost {
                self.lost.get_or_insert((name.clone(), error));
            }
        }
        let identification = match unit.identification() {
            Ok(identification) => identification,
            Err(error) => {
                let error = match error {
                    InquiryError::Command(error) => error,
                    InquiryError::Truncated(source) => Error::InquiryData {
                        device: OsString::from(&name),
                        source,
                    },
                    InquiryError::Identification(source) => Error::Identification(source),
                };
                if not_here(&error) {
                    self.leave_out(name, error.to_string());
                    return Ok(());
                }
                return Err(Error::NoIdentity {
                    device: self.name.to_owned(),
                    path: name,
                    source: Box::new(error),
                });
            }
        };
        match &self.identity {
            None => self.identity = Some((name.clone(), identification.clone())),
            Some((first, known)) => {
                let is_same = known.is_same_logical_unit(&identification);
                if is_same != Some(true) {
                    return Err(Error::OtherUnit {
                        device: self.name.to_owned(),
                        paths: [first.clone(), name],
                        is_told: is_same.is_some(),
                    });
                }
            }
        }
        if !self.changes_every_path() {
            self.paths.set_patience(index, Some(self.whole_patience()));
        }
        self.unit.members.push(Member {
            index,
            name,
            unit,
            target_port: identification.relative_target_port(),
        });
        Ok(())
    }

    fn leave_out(&mut self, name: String, why: String) {
        self.unreached.push(PathReport {
            name,
            change: PathChange::Unreached(why),
        });
    }

    fn changes_every_path(&self) -> bool {
        use crate::cli::request::Operation;
        match &self.session.task.operation {
            Operation::Out { out, .. } => matches!(
                out.action,
                ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey
            ),
            Operation::Repair(_) => true,
            _ => false,
        }
    }

    /// Makes the change by the members.
    fn carry_out(&mut self, out: &PersistentReserveOut) -> Result<Changed, Error> {
        use crate::multipath::unit::NotOnMaps;

        let every_path = self.session.task.every_path;
        let none = out.service_action_reservation_key == ReservationKey::NONE;
        if self.unit.members.is_empty()
            || every_path && self.changes_every_path() && !none && !self.unreached.is_empty()
        {
            return Err(self.error(MapError::NoPath {
                source: None,
                paths: self.unreached.clone(),
            }));
        }
        let unreached = !self.unreached.is_empty();
        let unit = &mut self.unit;
        let result = match out.action {
            ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey if none => {
                unit.unregister(out, unreached)
            }
            ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey => {
                unit.register(out, every_path, unreached)
            }
            ServiceAction::Reserve => unit.reserve(out),
            ServiceAction::Release => unit.release(out),
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort => unit.preempt(out),
            ServiceAction::Clear => unit.clear(out),
            ServiceAction::RegisterAndMove | ServiceAction::ReplaceLostReservation => {
                Err(MapError::NotOnMaps(NotOnMaps::OneNexus))
            }
        };
        result.map_err(|source| self.error(source))
    }

    /// Registers the paths that the map has got since it was opened. Returns whether there were any.
    fn take_in_new_paths(
        &mut self,
        out: &PersistentReserveOut,
        changed: &mut Changed,
    ) -> Result<bool, Error> {
        if !self.changes_every_path() {
            return Ok(false);
        }
        let Ok(Some(now)) = self.session.maps.below(self.map.number) else {
            return Ok(false);
        };
        let known = self.unit.members.len();
        let usable = by_rank(&now.paths);
        let mut is_new = false;
        for (place, path) in now.paths.iter().enumerate() {
            if !self.seen.insert((path.number.major, path.number.minor)) {
                continue;
            }
            is_new = true;
            let index = self.paths.push(path_node(path));
            match usable.contains(&place) {
                true => self.add(index, SILENCE)?,
                false => self.unreached.push(untried(path)),
            }
        }
        if self.unit.members.len() > known {
            // The new ones alone: the others have the change.
            let old = self.unit.members.drain(..known).collect::<Vec<_>>();
            let more = self.carry_out(out);
            self.unit.members.splice(0..0, old);
            changed.paths.extend(more?.paths);
            let witness = self.unit.members[..known].iter().position(|member| {
                let mut reports = changed.paths.iter();
                reports.any(|report| report.name == member.name && report.change.is_there())
            });
            if let Some(witness) = witness {
                let all = self.unit.keep_if_registered(witness, known, out);
                all.map_err(|source| self.error(source))?;
            }
        }
        Ok(is_new)
    }

    /// Says on stderr which paths were not reached, and what else there is to say.
    fn tell(&self, changed: &Changed) {
        let map = &self.map.name;
        let paths = changed.paths.iter().chain(&self.unreached).cloned();
        self.session.record.borrow_mut().paths = paths.collect();
        for report in changed.paths.iter().chain(&self.unreached) {
            let (name, state) = (&report.name, &report.change);
            let line = match state {
                // What one path is enough for needs no other.
                PathChange::Unreached(why) if self.changes_every_path() => {
                    format!("sg_persist: path {name} of {map} was not reached: {why}\n")
                }
                PathChange::Unknown(why) if self.changes_every_path() => format!(
                    "sg_persist: path {name} of {map}: what became of it there is not known: {why}\n"
                ),
                _ if self.session.task.verbosity > 0 => {
                    format!("    {map}: path {name}: {state}\n")
                }
                _ => continue,
            };
            (self.session.print)(&line);
        }
        for note in &changed.notes {
            (self.session.print)(&format!("sg_persist: {map}: {note}\n"));
        }
    }

    /// Reads back what the change must have led to.
    fn verify(&mut self, out: &PersistentReserveOut, changed: &Changed) -> Result<(), Error> {
        let new = out.service_action_reservation_key;
        let missing =
            |expected: String, found: &str| Err(Error::NotVerified(Mismatch::of(expected, found)));
        let doubtful = |expected: String, found: &str| {
            Err(Error::Disturbed(Disturbed::of(
                Doubt::Uncounted,
                expected,
                found,
            )))
        };
        let unread = |error: QueryError<Error>| Error::Unread(Box::new(error.into()));
        let any = &mut self.unit.any;
        match out.action {
            ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey
                if new == ReservationKey::NONE =>
            {
                let key = out.reservation_key;
                let keys = any.read_keys().map_err(unread)?.keys;
                if out.action == ServiceAction::RegisterAndIgnoreExistingKey && !keys.is_empty() {
                    let expected = "no registration of this host".to_owned();
                    return match self.unit.is_registered_anywhere(None) {
                        Some(false) => Ok(()),
                        Some(true) => missing(expected, "one"),
                        None => doubtful(expected, "some, and whose they are is not told"),
                    };
                }
                match keys.iter().filter(|&&one| one == key).count() {
                    0 => Ok(()),
                    left => doubtful(
                        format!("no registration with key {key}"),
                        &format!("{left}, which other nodes may have made"),
                    ),
                }
            }
            ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey => {
                let same = PersistentReserveOut {
                    reservation_key: new,
                    action: ServiceAction::Register,
                    transport_ids: TransportIds::default(),
                    ..out.clone()
                };
                for member in &mut self.unit.members {
                    let is_done = changed
                        .paths
                        .iter()
                        .any(|report| report.name == member.name && report.change.is_there());
                    if !is_done {
                        continue;
                    }
                    // Only the nexus that has a key can replace it by itself.
                    let Err(error) = member.unit.change(&same) else {
                        continue;
                    };
                    let failure = command_error(&error);
                    if failure.is_some_and(CommandError::is_conflict) {
                        let expected = format!("key {new} on path {}", member.name);
                        return missing(expected, "another one, or none");
                    }
                    return Err(Error::Unread(Box::new(error)));
                }
                let unknown = changed
                    .paths
                    .iter()
                    .find(|report| matches!(report.change, PathChange::Unknown(_)));
                match unknown {
                    None => Ok(()),
                    Some(report) => Err(Error::Disturbed(Disturbed::of(
                        Doubt::NotTold,
                        format!("key {new} on path {}", report.name),
                        "no answer",
                    ))),
                }
            }
            ServiceAction::Reserve => {
                let held = any.read_reservation().map_err(unread)?.reservation;
                let kind = out.reservation_type;
                let key = out.reservation_key;
                let expected = format!("a reservation of type {:#x} with key {key}", kind.code());
                match held {
                    Some(held)
                        if held.reservation_type == kind
                            && (held.reservation_key == key || kind.is_held_by_all()) =>
                    {
                        Ok(())
                    }
                    Some(_) => missing(expected, "another one"),
                    None => missing(expected, "none"),
                }
            }
            ServiceAction::Release => match any.read_reservation().map_err(unread)?.reservation {
                Some(held) if held.reservation_key == out.reservation_key => doubtful(
                    format!("no reservation with key {}", held.reservation_key),
                    "one, which another node with the same key may hold",
                ),
                _ => Ok(()),
            },
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort => {
                let keys = any.read_keys().map_err(unread)?.keys;
                match new != out.reservation_key && keys.contains(&new) {
                    true => missing(format!("no registration with key {new}"), "one"),
                    false => Ok(()),
                }
            }
            ServiceAction::Clear => match any.read_keys().map_err(unread)?.keys.len() {
                0 => Ok(()),
                left => doubtful(
                    "no registrations".to_owned(),
                    &format!("{left}, which other nodes may have made since"),
                ),
            },
            ServiceAction::RegisterAndMove | ServiceAction::ReplaceLostReservation => Ok(()),
        }
    }
}
