//! A map as the unit that changes are made to: its paths, what became of a change on each, and
//! which registrations are this host's.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::outcome::{Class, class};
use super::paths::Paths;
use crate::logical_unit::{Exchange, LogicalUnit, QueryError};
use crate::pr::ReservationKey;
use crate::pr::prin::{FullStatusDescriptor, ReadFullStatus, Reservation, TargetPorts};
use crate::pr::prout::{PersistentReserveOut, ServiceAction};
use crate::pr::transport_id::TransportId;
use crate::scsi::sense::Sense;
use crate::transport::CommandError;

/// How often a command is sent over the same path again after a unit attention that says that the
/// reservation was released, or after any where it does nothing without the key.
const ATTENTIONS: usize = 5;

/// One usable path of a map: an I_T nexus.
#[derive(Debug)]
pub struct Member<E> {
    /// Its index among the [`Paths`].
    pub index: usize,
    /// Its name, for people.
    pub name: String,
    /// The way to the logical unit over this path alone.
    pub unit: LogicalUnit<E>,
    /// The relative target port identifier of the port that it leads to (SPC-5 7.7.6.7), if known.
    pub target_port: Option<u16>,
}

/// A logical unit by all its paths.
#[derive(Debug)]
pub struct MapUnit<E> {
    /// The usable paths, the best first.
    pub members: Vec<Member<E>>,
    /// For reading, over whichever path answers.
    pub any: LogicalUnit<E>,
    /// This host's initiator ports, as far as they are known.
    pub own_ports: Vec<TransportId>,
    /// What the commands travel over, for answers that come late.
    pub paths: Option<Paths>,
    /// How long a path may be silent while others wait for it to be registered.
    pub silence: Duration,
}

/// What became of a change on one path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathChange {
    /// It was made there.
    #[error("done")]
    Done,
    /// There was nothing left to do: it was so before.
    #[error("it was so before")]
    AlreadySo,
    /// It was made and taken back.
    #[error("done, and undone")]
    Undone,
    /// It was made and could not be taken back, for this reason.
    #[error("done, and not undone: {0}")]
    NotUndone(String),
    /// It was made and cannot be taken back, since nobody knows what was there before.
    #[error("done, and not undone, since it is not known which key was there before")]
    Kept,
    /// The command did not get there, for this reason.
    #[error("not reached: {0}")]
    Unreached(String),
    /// Nobody knows what became of it, for this reason.
    #[error("its outcome is not known: {0}")]
    Unknown(String),
}

impl PathChange {
    /// Whether the path certainly has what was asked for: from this change, or from before.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        matches!(self, Self::Done | Self::AlreadySo)
    }

    /// Its name in documents for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadySo => "already_so",
            Self::Undone => "undone",
            Self::NotUndone(_) => "not_undone",
            Self::Kept => "kept",
            Self::Unreached(_) => "unreached",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Why, where it has a reason.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::NotUndone(why) | Self::Unreached(why) | Self::Unknown(why) => Some(why),
            Self::Done | Self::AlreadySo | Self::Undone | Self::Kept => None,
        }
    }
}

/// A path, and what became of a change there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathReport {
    /// The path's name.
    pub name: String,
    /// What became of it.
    pub change: PathChange,
}

/// A change that was made, and what there is to say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The paths that took part, in the order in which they did.
    pub paths: Vec<PathReport>,
    /// What else there is to say.
    pub notes: Vec<Note>,
}

impl Changed {
    /// A change made on these paths, of which there is nothing else to say.
    #[must_use]
    pub const fn by(paths: Vec<PathReport>) -> Self {
        Self {
            paths,
            notes: Vec::new(),
        }
    }
}

/// Something to say of a change that was made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Note {
    /// The reservation was held by this host before, over a path that is out of reach.
    #[error(
        "the reservation is held by this host already, through a path that cannot be reached now"
    )]
    HeldOutOfReach,
    /// Of several paths, a reservation of this type lets one alone write.
    #[error(
        "a reservation of this type lets the one path that holds it write, and no other of the {0} \
         usable paths"
    )]
    OnePathAlone(usize),
    /// A preempt of the own key that had nothing to do.
    #[error(
        "nothing was sent: the key is registered over paths of this map alone, all of which can be reached"
    )]
    NothingToTakeOver,
}

/// Why a change was not made, or not all of it.
#[derive(Debug, Error)]
pub enum MapError<E> {
    /// A path refused it.
    #[error("path {path}: {source}")]
    Path {
        /// The path's name.
        path: String,
        /// What it said.
        source: E,
        /// What became of it on the paths.
        paths: Vec<PathReport>,
    },
    /// A path is registered with a key that is neither the old nor the new one.
    #[error("path {path} is registered with another key{}", found(key.as_ref()))]
    Foreign {
        /// The path's name.
        path: String,
        /// What it said.
        source: E,
        /// The key, if that is told.
        key: Option<ReservationKey>,
        /// What became of it on the paths.
        paths: Vec<PathReport>,
    },
    /// No path has the key, or none has it any more: this node may have been fenced.
    #[error("no path of the map is registered with key {key}; nothing is registered for it")]
    NotRegistered {
        /// The key.
        key: ReservationKey,
        /// What became of it on the paths.
        paths: Vec<PathReport>,
    },
    /// No path carried it.
    #[error("no path carried the command")]
    NoPath {
        /// What the last path that was tried said.
        source: Option<E>,
        /// What became of it on the paths.
        paths: Vec<PathReport>,
    },
    /// The answer was lost, and reading over other paths does not tell.
    #[error(
        "the answer was lost on path {path}, and whether the change was made is not known: {why}"
    )]
    Unknown {
        /// The path's name.
        path: String,
        /// Why it cannot be told.
        why: String,
        /// What became of it on the paths.
        paths: Vec<PathReport>,
    },
    /// The commands were accepted, and the reservation is there still.
    #[error(
        "accepted, but the reservation is still held with key {key}: its holder is not among the \
         paths that could be reached"
    )]
    StillHeld {
        /// The key.
        key: ReservationKey,
        /// What became of it on the paths.
        paths: Vec<PathReport>,
    },
    /// Registrations with the key are left, and they may be this host's.
    #[error(
        "done on the paths that could be reached; {left} more registration(s) with key {key} \
         are left, and {why}"
    )]
    Left {
        /// How many.
        left: usize,
        /// The key.
        key: ReservationKey,
        /// Why it is not known whose they are, or what they are.
        why: &'static str,
        /// What became of it on the paths.
        paths: Vec<PathReport>,
    },
    /// A signal has come that ends the program.
    #[error("ended by a signal before all of it was done")]
    Stopped {
        /// What became of it on the paths.
        paths: Vec<PathReport>,
    },
    /// It is not done on maps.
    #[error("{0}")]
    NotOnMaps(NotOnMaps),
    /// Something that has to be known first could not be read.
    #[error(transparent)]
    Query(QueryError<E>),
    /// There is no way to the paths any more.
    #[error("the paths: {0}")]
    Lost(io::Error),
}

impl<E> MapError<E> {
    /// What became of it on the paths that took part.
    #[must_use]
    pub fn paths(&self) -> &[PathReport] {
        match self {
            Self::Path { paths, .. }
            | Self::Foreign { paths, .. }
            | Self::NotRegistered { paths, .. }
            | Self::NoPath { paths, .. }
            | Self::Unknown { paths, .. }
            | Self::StillHeld { paths, .. }
            | Self::Left { paths, .. }
            | Self::Stopped { paths } => paths,
            Self::NotOnMaps(_) | Self::Query(_) | Self::Lost(_) => &[],
        }
    }
}

impl<E> From<QueryError<E>> for MapError<E> {
    fn from(error: QueryError<E>) -> Self {
        Self::Query(error)
    }
}

/// What is not done on maps, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotOnMaps {
    /// REGISTER AND MOVE and REPLACE LOST RESERVATION are about one nexus.
    #[error(
        "this is about one I_T nexus, and a map has several: name the path (or use --one-path)"
    )]
    OneNexus,
    /// PREEMPT of the own key unregisters the other paths of the map.
    #[error(
        "preempting the map's own key would unregister its other paths while they are in use: \
         register the map again instead, or name a path"
    )]
    TakesItsOwnPaths,
    /// Whether it would is not known.
    #[error(
        "preempting the map's own key may unregister its other paths, and the target does not tell \
         which registrations are theirs: name a path"
    )]
    MayTakeItsOwnPaths,
}

fn found(key: Option<&ReservationKey>) -> String {
    key.map_or_else(String::new, |key| format!(" ({key})"))
}

/// How one command on one path ended.
#[derive(Debug)]
pub(super) enum Ended<E> {
    Done,
    Conflict(E),
    /// The logical unit will not have it, or there is something to be looked at first.
    Refused(E),
    NotOnThisPath(E),
    Unknown(E),
}

impl<E: Exchange> Member<E> {
    /// Sends `out` over this path. What ends it is told in words where it ends the whole change.
    pub(super) fn send(&mut self, out: &PersistentReserveOut) -> Ended<E::Error> {
        let mut attentions = ATTENTIONS;
        loop {
            self.unit.exchange_mut().begin_optional();
            let result = self.unit.change(out);
            // It changes nothing unless this nexus has the key: whoever lost it does not get it back.
            let has_key = out.action == ServiceAction::Register
                && out.reservation_key != ReservationKey::NONE;
            let is_released = |error: &E::Error| {
                let sense = E::command_error(error).and_then(CommandError::sense);
                sense.is_some_and(Sense::is_reservations_released)
            };
            let ended = match result {
                Ok(()) => Ended::Done,
                // Another path of this map has released it, or somebody else.
                Err(error)
                    if attentions > 0
                        && (is_released(&error)
                            || has_key
                                && E::command_error(&error).map(class)
                                    == Some(Class::Attention)) =>
                {
                    self.unit.exchange_mut().end_optional(true);
                    attentions -= 1;
                    continue;
                }
                Err(error) => match E::command_error(&error).map(class) {
                    Some(Class::Conflict) => Ended::Conflict(error),
                    Some(Class::NotOnThisPath) => Ended::NotOnThisPath(error),
                    // What makes no sense may have been carried out, too.
                    Some(Class::Unknown | Class::NoAnswer) => Ended::Unknown(error),
                    _ => Ended::Refused(error),
                },
            };
            let is_told = matches!(ended, Ended::Done | Ended::Refused(_));
            self.unit.exchange_mut().end_optional(!is_told);
            return ended;
        }
    }

    /// REGISTER of `to` in the place of `from`.
    pub(super) fn register(
        &mut self,
        out: &PersistentReserveOut,
        from: ReservationKey,
        to: ReservationKey,
    ) -> Ended<E::Error> {
        self.send(&PersistentReserveOut {
            action: ServiceAction::Register,
            reservation_key: from,
            service_action_reservation_key: to,
            transport_ids: Default::default(),
            ..out.clone()
        })
    }

    /// Whether the registration was removed by another node, and that is what this says.
    pub(super) fn is_lost(error: &E::Error) -> bool {
        let sense = E::command_error(error).and_then(CommandError::sense);
        sense.is_some_and(Sense::is_registrations_lost)
    }

    /// Whether the last command timed out on the way here and may still end.
    pub(super) fn is_silent(error: &E::Error) -> bool {
        matches!(
            E::command_error(error),
            Some(CommandError::Os(error)) if error.kind() == io::ErrorKind::TimedOut
        )
    }
}

impl<E: Exchange> MapUnit<E>
where
    E::Error: std::fmt::Display,
{
    /// Whether a signal has come that is to end the program: nothing new is begun then.
    pub(super) fn is_stopped(&self) -> bool {
        self.paths.as_ref().is_some_and(Paths::is_stopped)
    }

    /// Full status, where the device server tells it.
    pub(super) fn full_status(&mut self) -> Option<ReadFullStatus> {
        self.any.read_full_status().ok()
    }

    /// Whether `descriptor` is a registration of this host; `None` where that is not known.
    pub(super) fn is_own(&self, descriptor: &FullStatusDescriptor) -> Option<bool> {
        let id = descriptor.transport_id.as_ref()?;
        if self.own_ports.is_empty() {
            return None;
        }
        Some(self.own_ports.iter().any(|own| own.is_same_port(id)))
    }

    /// Whether this host has a registration, with the key `with` if one is given; `None` where that
    /// is not known.
    pub fn is_registered_anywhere(&mut self, with: Option<ReservationKey>) -> Option<bool> {
        let full_status = self.full_status()?;
        let wanted = full_status
            .descriptors
            .iter()
            .filter(|one| with.is_none_or(|key| one.reservation_key == key));
        let own = wanted.map(|one| self.is_own(one)).collect::<Vec<_>>();
        match own.contains(&Some(true)) {
            true => Some(true),
            false => own.iter().all(Option::is_some).then_some(false),
        }
    }

    /// The key that the nexus of the member `place` is registered with, by `full_status`; the outer
    /// `None` where that is not known.
    pub(super) fn key_of(
        &self,
        place: usize,
        full_status: &ReadFullStatus,
    ) -> Option<Option<ReservationKey>> {
        let port = self.members[place].target_port?;
        if self.own_ports.is_empty() {
            return None;
        }
        let at_port = |descriptor: &&FullStatusDescriptor| match descriptor.target_ports {
            TargetPorts::All => true,
            TargetPorts::Relative(relative) => relative == port,
        };
        // Over several initiator ports: whose a registration is is not known.
        let is_shared = self
            .members
            .iter()
            .enumerate()
            .any(|(other, member)| other != place && member.target_port == Some(port));
        let mut own = None;
        for descriptor in full_status.descriptors.iter().filter(at_port) {
            match (self.is_own(descriptor)?, own) {
                (false, _) => {}
                (true, None) if is_shared => return None,
                (true, None) => own = Some(descriptor.reservation_key),
                // Several initiator ports of this host use that target port: which one is this
                // path's is not known.
                (true, Some(_)) => return None,
            }
        }
        Some(own)
    }

    /// The holder of `reservation`: whether it is this host; `None` where that is not known.
    pub(super) fn is_held_by_own(
        &self,
        reservation: &Reservation,
        full_status: &ReadFullStatus,
    ) -> Option<bool> {
        let mut holders = full_status.descriptors.iter().filter(|descriptor| {
            descriptor.held.is_some() && descriptor.reservation_key == reservation.reservation_key
        });
        let holder = holders.next()?;
        match holders.next() {
            None => self.is_own(holder),
            Some(_) => None,
        }
    }

    /// The change was refused on the path `place`.
    pub(super) fn refused(
        &self,
        place: usize,
        source: E::Error,
        paths: Vec<PathReport>,
    ) -> MapError<E::Error> {
        MapError::Path {
            path: self.members[place].name.clone(),
            source,
            paths,
        }
    }

    /// The path's report.
    pub(super) fn report(&self, place: usize, change: PathChange) -> PathReport {
        PathReport {
            name: self.members[place].name.clone(),
            change,
        }
    }

    /// Sends `out` over one path after the other until one carries it. Where an answer is lost,
    /// `is_done` reads over the other paths whether it was carried out: yes, no, or why that cannot
    /// be told.
    pub(super) fn once(
        &mut self,
        out: &PersistentReserveOut,
        mut is_done: impl FnMut(&mut Self) -> Result<Result<bool, String>, MapError<E::Error>>,
    ) -> Result<Once<E::Error>, MapError<E::Error>> {
        let mut paths = Vec::new();
        let mut conflict = None;
        let mut last = None;
        let mut lost = None;
        for place in 0..self.members.len() {
            if self.is_stopped() {
                return Err(MapError::Stopped { paths });
            }
            match self.members[place].send(out) {
                Ended::Done => {
                    paths.push(self.report(place, PathChange::Done));
                    return Ok(Once::Done(paths));
                }
                // A path that is just back is not registered; another one may be.
                Ended::Conflict(error) => {
                    paths.push(self.report(place, PathChange::Unreached(error.to_string())));
                    conflict.get_or_insert((place, error));
                }
                Ended::Refused(source) => {
                    return Err(self.refused(place, source, paths));
                }
                Ended::NotOnThisPath(error) => {
                    paths.push(self.report(place, PathChange::Unreached(error.to_string())));
                    last = Some(error);
                }
                Ended::Unknown(error) => {
                    let why = error.to_string();
                    let path = self.members[place].name.clone();
                    match is_done(self) {
                        Ok(Ok(true)) => {
                            paths.push(self.report(place, PathChange::Done));
                            return Ok(Once::Done(paths));
                        }
                        Ok(Ok(false)) => {
                            paths.push(self.report(place, PathChange::Unknown(why)));
                            lost = Some(path);
                            last = Some(error);
                        }
                        Ok(Err(reason)) => {
                            paths.push(self.report(place, PathChange::Unknown(why)));
                            return Err(MapError::Unknown {
                                path,
                                why: reason,
                                paths,
                            });
                        }
                        Err(error) => {
                            paths.push(self.report(place, PathChange::Unknown(why)));
                            return Err(MapError::Unknown {
                                path,
                                why: error.to_string(),
                                paths,
                            });
                        }
                    }
                }
            }
        }
        // A command that got lost on one path may have been carried out since, and have made a
        // conflict of what came over the next.
        if let (Some(_), Some(path)) = (&conflict, lost) {
            match is_done(self) {
                Ok(Ok(true)) => return Ok(Once::Done(paths)),
                Ok(Ok(false)) => {}
                Ok(Err(why)) => return Err(MapError::Unknown { path, why, paths }),
                Err(error) => {
                    let why = error.to_string();
                    return Err(MapError::Unknown { path, why, paths });
                }
            }
        }
        match conflict {
            Some((place, source)) => Ok(Once::Conflict {
                place,
                source,
                paths,
            }),
            None => Err(MapError::NoPath {
                source: last,
                paths,
            }),
        }
    }
}

/// How a command ended that was to be carried by one path.
#[derive(Debug)]
pub(super) enum Once<E> {
    /// The last of these paths carried it.
    Done(Vec<PathReport>),
    /// Every path that could be reached said RESERVATION CONFLICT, this one first.
    Conflict {
        place: usize,
        source: E,
        paths: Vec<PathReport>,
    },
}
