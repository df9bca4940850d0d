//! What must be true after a PERSISTENT RESERVE OUT that ended with GOOD (SPC-5 5.13, 6.17).
//!
//! [`check`] compares the state that was read before the command with the one read after it. It
//! knows neither which of the nexuses with a key sent the command, nor what other nexuses did in
//! between, and finds fault with a device server only where neither can be the reason.
//!
//! PRGENERATION tells most of what the others did, but not all:
//!
//! - RESERVE and RELEASE are not counted, by the standard;
//! - some device servers do not count a REGISTER that removes a registration;
//! - whatever adds or replaces a registration, or removes those of other nexuses, is counted.
//!
//! So while PRGENERATION moves no further than the command itself must move it, other nexuses can
//! only have unregistered, reserved and released: no registration can have come from them, ours
//! cannot have gone by them, and a reservation that is ours alone cannot have changed by them.

use std::fmt;

use thiserror::Error;

use super::prin::{ReadKeys, ReadReservation, Reservation};
use super::prout::{PersistentReserveOut, ServiceAction};
use super::{ReservationKey, ReservationType, Scope};

/// The registrations and the reservation of a logical unit at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Counts the changes to the registrations.
    #[doc(alias = "PRGENERATION")]
    pub generation: u32,
    /// One key for each registration, in any order.
    pub keys: Vec<ReservationKey>,
    /// The reservation.
    pub reservation: Option<Reservation>,
}

impl State {
    /// The state that two answers describe. READ KEYS is to be sent first: another nexus may
    /// unregister between the two without being counted, and then a holder would be seen that is
    /// not among the keys.
    ///
    /// `None` when PRGENERATION differs, so that they do not describe the same state.
    #[must_use]
    pub fn new(keys: &ReadKeys, reservation: &ReadReservation) -> Option<Self> {
        if keys.generation != reservation.generation {
            return None;
        }
        Some(Self {
            generation: keys.generation,
            keys: keys.keys.clone(),
            reservation: reservation.reservation,
        })
    }
}

/// What two states tell about a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that the command must have done is there.
    Holds,
    /// Something is not there, but other nexuses can have undone it.
    Disturbed(Disturbed),
    /// Something is not there, and the device server is the only one to blame.
    Mismatch(Mismatch),
}

/// What is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registrants {
    /// Each nexus by itself, as with SCSI.
    Nexuses,
    /// A host, with NVMe: through all its controllers at once, which are listed one by one. It may
    /// register the key that it has once more.
    Hosts,
}

impl Registrants {
    /// Those of an NVMe namespace, or of a SCSI logical unit.
    #[must_use]
    pub const fn of(is_nvme: bool) -> Self {
        match is_nvme {
            true => Self::Hosts,
            false => Self::Nexuses,
        }
    }
}

/// The state that was read is not the one that the command must have left. As text: one line for
/// each difference.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", lines(differences))]
pub struct Mismatch {
    /// The expectations that do not hold; at least one.
    pub differences: Vec<Difference>,
}

/// It cannot be told whether the command had its effect. As text: a line with the reason, and one
/// for each difference.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}\n{}", self.reason(), lines(differences))]
pub struct Disturbed {
    /// PRGENERATION before the command.
    pub before: u32,
    /// PRGENERATION after it.
    pub after: u32,
    /// Whether PRGENERATION went further than the command alone must have moved it; otherwise
    /// what others may have done is not counted.
    pub counted: bool,
    /// The expectations that do not hold; at least one.
    pub differences: Vec<Difference>,
}

impl Disturbed {
    fn reason(&self) -> String {
        let Self { before, after, .. } = self;
        match self.counted {
            true => format!(
                "could not be told: PRGENERATION went from {before:#x} to {after:#x}, others may have made changes too"
            ),
            false => "could not be told: others may have unregistered, reserved or released, \
                      which PRGENERATION need not count"
                .to_owned(),
        }
    }
}

/// An expectation that does not hold, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What must be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

fn lines(differences: &[Difference]) -> String {
    let lines: Vec<_> = differences.iter().map(Difference::to_string).collect();
    lines.join("\n")
}

/// Compares the states read before and after `out`, which the device server ended with GOOD.
#[must_use]
pub fn check(
    before: &State,
    out: &PersistentReserveOut,
    after: &State,
    registrants: Registrants,
) -> Verdict {
    let view = View {
        out,
        registrants,
        before: Keys::new(&before.keys),
        held_before: before.reservation,
        after: Keys::new(&after.keys),
        held_after: after.reservation,
    };
    let moved = after.generation.wrapping_sub(before.generation);
    let counted = moved > least_count(out);
    let mut differences = view.missing_effects();
    // What others did besides is not this command's concern.
    if differences.is_empty() && counted {
        return Verdict::Holds;
    }
    let outcomes = view.outcomes();
    let explained = outcomes.iter().any(|outcome| view.may_follow(outcome));
    if differences.is_empty() {
        if explained {
            return Verdict::Holds;
        }
        differences = view.unexplained(&outcomes);
    }
    if counted || explained {
        return Verdict::Disturbed(Disturbed {
            before: before.generation,
            after: after.generation,
            counted,
            differences,
        });
    }
    Verdict::Mismatch(Mismatch { differences })
}

/// By how much every device server in use moves PRGENERATION for this command, at the least.
fn least_count(out: &PersistentReserveOut) -> u32 {
    match out.action {
        ServiceAction::Reserve | ServiceAction::Release => 0,
        ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey => {
            u32::from(out.service_action_reservation_key != NO_KEY)
        }
        ServiceAction::Clear
        | ServiceAction::Preempt
        | ServiceAction::PreemptAndAbort
        | ServiceAction::RegisterAndMove
        | ServiceAction::ReplaceLostReservation => 1,
    }
}

const NO_KEY: ReservationKey = ReservationKey(0);

/// Whether all registered nexuses hold a reservation of this type.
fn is_shared(reservation_type: ReservationType) -> bool {
    matches!(
        reservation_type,
        ReservationType::WRITE_EXCLUSIVE_ALL_REGISTRANTS
            | ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS
    )
}

/// The reservation, if one nexus alone holds it.
fn single(reservation: Option<Reservation>) -> Option<Reservation> {
    reservation.filter(|held| !is_shared(held.reservation_type))
}

/// The reservation, if all registered nexuses hold it.
fn shared(reservation: Option<Reservation>) -> Option<Reservation> {
    reservation.filter(|held| is_shared(held.reservation_type))
}

/// Keys, one for each registration, sorted.
#[derive(Clone, Debug)]
struct Keys(Vec<ReservationKey>);

impl Keys {
    fn new(keys: &[ReservationKey]) -> Self {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        Self(keys)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn count(&self, key: ReservationKey) -> usize {
        let from = self.0.partition_point(|&other| other < key);
        let to = self.0.partition_point(|&other| other <= key);
        to - from
    }

    fn has(&self, key: ReservationKey) -> bool {
        self.0.binary_search(&key).is_ok()
    }

    /// With `count` more of `key`.
    fn plus(&self, key: ReservationKey, count: usize) -> Self {
        let mut keys = self.0.clone();
        keys.extend(std::iter::repeat_n(key, count));
        Self::new(&keys)
    }

    /// With one of `key` less, if there is one.
    fn minus_one(&self, key: ReservationKey) -> Self {
        let mut keys = self.0.clone();
        if let Ok(index) = keys.binary_search(&key) {
            keys.remove(index);
        }
        Self(keys)
    }

    fn without(&self, key: ReservationKey) -> Self {
        let mut keys = self.0.clone();
        keys.retain(|&other| other != key);
        Self(keys)
    }

    /// Each key once, with its count.
    fn counted(&self) -> impl Iterator<Item = (ReservationKey, usize)> {
        let same = self.0.chunk_by(|a, b| a == b);
        same.filter_map(|same| Some((*same.first()?, same.len())))
    }

    /// Whether no key occurs more often than in `bound`.
    fn is_within(&self, bound: &Self) -> bool {
        self.counted().all(|(key, count)| count <= bound.count(key))
    }
}

/// Whose the reservation is, from where our nexus stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Ours alone.
    Ours(Scope, ReservationType),
    /// That of all registrants.
    Everybodys(Scope, ReservationType),
    /// Another nexus', or there is none.
    NotOurs(Option<Reservation>),
}

/// A state to which the command can have led, before other nexuses acted on it.
#[derive(Clone, Debug)]
struct Outcome {
    /// The keys of the other nexuses.
    others: Keys,
    /// The key of our nexus.
    own: Option<ReservationKey>,
    standing: Standing,
    /// Other nexuses can have released the reservation and made another.
    unsettled: bool,
}

/// The command with both states.
struct View<'a> {
    out: &'a PersistentReserveOut,
    registrants: Registrants,
    before: Keys,
    held_before: Option<Reservation>,
    after: Keys,
    held_after: Option<Reservation>,
}

impl View<'_> {
    /// The expectations about the command's own effect that do not hold.
    ///
    /// They are put so that other nexuses that do more of the same do not break them: "at most
    /// one left", not "one left".
    fn missing_effects(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        match self.out.action {
            ServiceAction::Register => self.expect_register(&mut found),
            // Which key it replaced or removed, if any, nobody knows.
            ServiceAction::RegisterAndIgnoreExistingKey => {
                if self.new_key() != NO_KEY {
                    self.at_least(1, self.new_key(), &mut found);
                }
            }
            ServiceAction::Reserve => {
                self.at_least(1, self.own_key(), &mut found);
                self.reserved_for(self.own_key(), &mut found);
            }
            ServiceAction::Release => self.expect_release(&mut found),
            ServiceAction::Clear => {
                if !self.after.is_empty() {
                    found.push(Difference {
                        expected: "no registrations".to_owned(),
                        found: number(self.after.0.len(), "registration"),
                    });
                }
                self.no_reservation(&mut found);
            }
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort => {
                self.expect_preempt(&mut found);
            }
            ServiceAction::RegisterAndMove => self.expect_move(&mut found),
            ServiceAction::ReplaceLostReservation => {
                self.at_least(1, self.new_key(), &mut found);
                self.reserved_for(self.new_key(), &mut found);
            }
        }
        found
    }

    fn expect_register(&self, found: &mut Vec<Difference>) {
        let (old, new) = (self.own_key(), self.new_key());
        let held = single(self.held_before).filter(|held| held.reservation_key == old);
        // With a second registration under the same key, that one may be the holder.
        let held_by_us = held.filter(|_| old != NO_KEY && self.before.count(old) == 1);
        if old != NO_KEY && old != new {
            self.at_most(self.before.count(old).saturating_sub(1), old, found);
        }
        if new == NO_KEY {
            if old != NO_KEY && self.after.is_empty() {
                self.no_reservation(found);
            } else if let Some(held) = held_by_us {
                self.not_held_by(held.reservation_key, found);
            }
            return;
        }
        let again = old == NO_KEY && self.before.has(new) && self.may_register_again();
        let grows = usize::from(old != new && !again);
        let least = self.before.count(new) + grows;
        // Of those that had the key before, any may have gone; with our own unchanged, too.
        self.at_least(if grows == 0 { 1 } else { least }, new, found);
        if let Some(held) = held_by_us {
            let reservation_key = new;
            let expected = Reservation {
                reservation_key,
                ..held
            };
            self.reserved(expected, found);
        }
    }

    fn expect_release(&self, found: &mut Vec<Difference>) {
        let key = self.own_key();
        self.at_least(1, key, found);
        let Some(held) = self.held_before.filter(|held| self.names(held)) else {
            return;
        };
        if is_shared(held.reservation_type) {
            if self.held_after.is_some_and(|held| self.names(&held)) {
                self.differs(
                    format!("no reservation {}", kind(held.scope, held.reservation_type)),
                    found,
                );
            }
        } else if held.reservation_key == key && self.before.count(key) == 1 {
            self.not_held_by(key, found);
        }
    }

    fn expect_preempt(&self, found: &mut Vec<Difference>) {
        let (own, victim) = (self.own_key(), self.new_key());
        if victim == NO_KEY {
            // Only a reservation of all registrants can be preempted so.
            if shared(self.held_before).is_some() {
                for (key, _) in self.after.counted().filter(|&(key, _)| key != own) {
                    self.at_most(0, key, found);
                }
                self.at_most(self.most_of_our_own(), own, found);
                self.at_least(1, own, found);
                self.reserved_for(own, found);
            }
            return;
        }
        let takes_over =
            single(self.held_before).is_some_and(|held| held.reservation_key == victim);
        if victim == own {
            // Whether our registration goes too is left open, unless the reservation becomes ours.
            self.at_most(self.most_of_our_own(), own, found);
        } else {
            self.at_most(0, victim, found);
        }
        if victim != own || takes_over {
            self.at_least(1, own, found);
        }
        if takes_over {
            self.reserved_for(own, found);
        }
    }

    fn expect_move(&self, found: &mut Vec<Difference>) {
        let (own, new) = (self.own_key(), self.new_key());
        self.at_least(1, new, found);
        if self.out.unregister && own != new {
            self.at_most(self.before.count(own).saturating_sub(1), own, found);
        } else if !self.out.unregister {
            self.at_least(1, own, found);
        }
        if let Some(held) = single(self.held_before).filter(|held| held.reservation_key == own) {
            let reservation_key = new;
            let expected = Reservation {
                reservation_key,
                ..held
            };
            self.reserved(expected, found);
        }
    }

    /// Whether a nexus that is registered may register its key as if it were not.
    fn may_register_again(&self) -> bool {
        self.registrants == Registrants::Hosts
    }

    /// How many registrations with its own key our nexus can have: a host has one through each of
    /// its controllers.
    fn most_of_our_own(&self) -> usize {
        match self.registrants {
            Registrants::Nexuses => 1,
            Registrants::Hosts => self.before.count(self.own_key()).max(1),
        }
    }

    fn own_key(&self) -> ReservationKey {
        self.out.reservation_key
    }

    fn new_key(&self) -> ReservationKey {
        self.out.service_action_reservation_key
    }

    /// Whether `held` is of the scope and type that the command names.
    fn names(&self, held: &Reservation) -> bool {
        (held.scope, held.reservation_type) == (self.out.scope, self.out.reservation_type)
    }

    fn at_least(&self, least: usize, key: ReservationKey, found: &mut Vec<Difference>) {
        let count = self.after.count(key);
        if count < least {
            found.push(Difference {
                expected: format!("at least {} with key {key}", number(least, "registration")),
                found: amount(count),
            });
        }
    }

    fn at_most(&self, most: usize, key: ReservationKey, found: &mut Vec<Difference>) {
        let count = self.after.count(key);
        if count > most {
            let expected = match most {
                0 => format!("no registration with key {key}"),
                _ => format!("at most {} with key {key}", number(most, "registration")),
            };
            found.push(Difference {
                expected,
                found: amount(count),
            });
        }
    }

    /// The reservation of the scope and type that the command names.
    fn reserved_for(&self, key: ReservationKey, found: &mut Vec<Difference>) {
        let expected = Reservation {
            reservation_key: key,
            scope: self.out.scope,
            reservation_type: self.out.reservation_type,
        };
        self.reserved(expected, found);
    }

    fn reserved(&self, expected: Reservation, found: &mut Vec<Difference>) {
        let matches = if is_shared(expected.reservation_type) {
            self.is_shared_as(expected.scope, expected.reservation_type)
        } else {
            self.held_after == Some(expected)
        };
        if !matches {
            self.differs(reservation_text(Some(expected)), found);
        }
    }

    fn no_reservation(&self, found: &mut Vec<Difference>) {
        if self.held_after.is_some() {
            self.differs(reservation_text(None), found);
        }
    }

    fn not_held_by(&self, key: ReservationKey, found: &mut Vec<Difference>) {
        if single(self.held_after).is_some_and(|held| held.reservation_key == key) {
            self.differs(format!("no reservation held by key {key}"), found);
        }
    }

    fn differs(&self, expected: String, found: &mut Vec<Difference>) {
        found.push(Difference {
            expected,
            found: reservation_text(self.held_after),
        });
    }

    /// Whether all registrants hold a reservation of this kind now. Its key should read 0; some
    /// device servers give that of a registrant.
    fn is_shared_as(&self, scope: Scope, reservation_type: ReservationType) -> bool {
        self.held_after.is_some_and(|held| {
            (held.scope, held.reservation_type) == (scope, reservation_type)
                && is_shared(reservation_type)
                && !self.after.is_empty()
                && (held.reservation_key == NO_KEY || self.after.has(held.reservation_key))
        })
    }

    /// To what the command can have led, whichever nexus sent it.
    fn outcomes(&self) -> Vec<Outcome> {
        let unregistered = None;
        let senders = match self.out.action {
            ServiceAction::Register if self.own_key() == NO_KEY => {
                let again = Some(self.new_key());
                let again = again.filter(|&key| self.may_register_again() && self.before.has(key));
                [unregistered].into_iter().chain(again.map(Some)).collect()
            }
            // Of the registered nexuses the holder alone makes a difference: that another key was
            // replaced looks as if it had been removed by its own nexus.
            ServiceAction::RegisterAndIgnoreExistingKey => {
                let holder = single(self.held_before).map(|held| held.reservation_key);
                let holder = holder.filter(|&key| self.before.has(key));
                [unregistered].into_iter().chain(holder.map(Some)).collect()
            }
            _ => vec![Some(self.own_key())],
        };
        let mut outcomes = Vec::new();
        for sender in senders {
            let others = match sender {
                Some(key) => self.before.minus_one(key),
                None => self.before.clone(),
            };
            for standing in self.standings(sender, &others) {
                self.apply(sender, &others, standing, &mut outcomes);
            }
        }
        outcomes
    }

    /// Where our nexus can have stood before the command.
    fn standings(&self, sender: Option<ReservationKey>, others: &Keys) -> Vec<Standing> {
        let Some(held) = self.held_before else {
            return vec![Standing::NotOurs(None)];
        };
        let Reservation {
            reservation_key,
            scope,
            reservation_type,
        } = held;
        if is_shared(reservation_type) {
            return vec![Standing::Everybodys(scope, reservation_type)];
        }
        let mut standings = Vec::new();
        // Key 0 is nobody's: the holder is not told, and may be any nexus.
        if sender == Some(reservation_key) || reservation_key == NO_KEY {
            standings.push(Standing::Ours(scope, reservation_type));
        }
        if sender != Some(reservation_key) || others.has(reservation_key) {
            standings.push(Standing::NotOurs(Some(held)));
        }
        standings
    }

    /// Adds to what the command leads from one standing.
    fn apply(
        &self,
        sender: Option<ReservationKey>,
        others: &Keys,
        standing: Standing,
        outcomes: &mut Vec<Outcome>,
    ) {
        let new = self.new_key();
        let mut add = |others: &Keys, own, standing, unsettled| {
            let others = others.clone();
            outcomes.push(Outcome {
                others,
                own,
                standing,
                unsettled,
            });
        };
        let some_others = !others.is_empty();
        let named = match is_shared(self.out.reservation_type) {
            true => Standing::Everybodys(self.out.scope, self.out.reservation_type),
            false => Standing::Ours(self.out.scope, self.out.reservation_type),
        };
        let given_up = match standing {
            Standing::Ours(..) => Standing::NotOurs(None),
            _ => standing,
        };
        match self.out.action {
            ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey => {
                if new == NO_KEY {
                    add(others, None, given_up, some_others);
                } else {
                    let more = others.plus(new, self.added_nexuses());
                    add(&more, Some(new), standing, some_others);
                }
            }
            ServiceAction::Reserve => add(others, sender, named, some_others),
            ServiceAction::Release => {
                let (held, is_named) = match standing {
                    Standing::Ours(..) | Standing::Everybodys(..) => (true, standing == named),
                    Standing::NotOurs(_) => (false, false),
                };
                if held {
                    add(others, sender, Standing::NotOurs(None), some_others);
                }
                // SPC-5 refuses to release by another type; one that does not may do either.
                if !is_named {
                    add(others, sender, standing, some_others);
                }
            }
            ServiceAction::Clear => add(&Keys(Vec::new()), None, Standing::NotOurs(None), false),
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort => {
                // Another nexus may have released, or reserved, just before.
                let unsettled = some_others && !matches!(standing, Standing::Ours(..));
                let ours_besides = |key| match sender == Some(key) {
                    true => self.most_of_our_own() - 1,
                    false => 0,
                };
                let (remaining, takes_over, may_take_over) = if new == NO_KEY {
                    let takes_over = matches!(standing, Standing::Everybodys(..));
                    let ours = Keys(Vec::new()).plus(self.own_key(), ours_besides(self.own_key()));
                    (ours, takes_over, takes_over || unsettled)
                } else {
                    let is_victims = match standing {
                        Standing::Ours(..) => sender == Some(new),
                        Standing::Everybodys(..) => false,
                        Standing::NotOurs(held) => {
                            held.is_some_and(|held| held.reservation_key == new)
                        }
                    };
                    let is_anybodys = matches!(
                        standing,
                        Standing::NotOurs(Some(held)) if held.reservation_key == NO_KEY
                    );
                    let may_take_over = is_victims || is_anybodys || unsettled && others.has(new);
                    let remaining = others.without(new).plus(new, ours_besides(new));
                    (remaining, is_victims && !unsettled, may_take_over)
                };
                if !takes_over {
                    // SPC-5 refuses key 0 where no reservation is that of all registrants.
                    let kept = if new == NO_KEY { others } else { &remaining };
                    add(kept, sender, standing, unsettled);
                    if sender == Some(new) {
                        add(kept, None, given_up, unsettled);
                    }
                }
                if may_take_over {
                    add(&remaining, sender, named, !remaining.is_empty());
                }
            }
            ServiceAction::RegisterAndMove => {
                let own = sender.filter(|_| !self.out.unregister);
                let moved = match standing {
                    Standing::Ours(scope, reservation_type) => {
                        Standing::NotOurs(Some(Reservation {
                            reservation_key: new,
                            scope,
                            reservation_type,
                        }))
                    }
                    _ => standing,
                };
                add(&others.plus(new, 1), own, moved, true);
            }
            // What becomes of registrations that were lost is not for us to say.
            ServiceAction::ReplaceLostReservation => {
                let others = self.after.minus_one(new);
                add(&others, Some(new), named, !others.is_empty());
            }
        }
    }

    /// How many registrations the command can have added besides that of our nexus, at the most.
    fn added_nexuses(&self) -> usize {
        if self.out.all_target_ports || self.registrants == Registrants::Hosts {
            // One for each target port, and how many there are we do not know.
            return self.after.count(self.new_key());
        }
        self.out.transport_ids.as_slice().len()
    }

    /// Whether the state found is `outcome`, or what other nexuses can have made of it by
    /// unregistering, reserving and releasing.
    fn may_follow(&self, outcome: &Outcome) -> bool {
        let bound = match outcome.own {
            Some(own) => outcome.others.plus(own, 1),
            None => outcome.others.clone(),
        };
        if outcome.own.is_some_and(|own| !self.after.has(own)) || !self.after.is_within(&bound) {
            return false;
        }
        match outcome.standing {
            Standing::Ours(scope, reservation_type) => {
                let expected = outcome.own.map(|reservation_key| Reservation {
                    reservation_key,
                    scope,
                    reservation_type,
                });
                self.held_after == expected
            }
            _ if outcome.unsettled && self.may_be_others(outcome.own) => true,
            Standing::Everybodys(scope, reservation_type) => {
                if self.after.is_empty() {
                    return self.held_after.is_none();
                }
                self.is_shared_as(scope, reservation_type)
            }
            Standing::NotOurs(held) => {
                // A holder that is not registered should not be; if it was so before, let it.
                let is_odd = |held: Reservation| {
                    self.held_before == Some(held) && !self.before.has(held.reservation_key)
                };
                self.held_after == held && held.is_none_or(is_odd)
            }
        }
    }

    /// Whether nexuses other than ours can have left the reservation as it is.
    fn may_be_others(&self, own: Option<ReservationKey>) -> bool {
        let Some(held) = self.held_after else {
            return true;
        };
        if is_shared(held.reservation_type) {
            return self.is_shared_as(held.scope, held.reservation_type);
        }
        let ours = usize::from(own == Some(held.reservation_key));
        self.after.count(held.reservation_key) > ours
    }

    /// What is wrong with a state that has all of the command's effects and still cannot follow.
    fn unexplained(&self, outcomes: &[Outcome]) -> Vec<Difference> {
        let mut found = Vec::new();
        for (key, _) in self.after.counted() {
            let most = outcomes
                .iter()
                .map(|outcome| outcome.others.count(key) + usize::from(outcome.own == Some(key)));
            self.at_most(most.max().unwrap_or(0), key, &mut found);
        }
        if found.is_empty() {
            let mut expected: Vec<String> = Vec::new();
            for outcome in outcomes {
                let reservation = match outcome.standing {
                    Standing::Ours(scope, reservation_type) => {
                        outcome.own.map(|reservation_key| Reservation {
                            reservation_key,
                            scope,
                            reservation_type,
                        })
                    }
                    Standing::Everybodys(scope, reservation_type) => Some(Reservation {
                        reservation_key: NO_KEY,
                        scope,
                        reservation_type,
                    }),
                    Standing::NotOurs(held) => held,
                };
                let text = reservation_text(reservation);
                if !expected.contains(&text) {
                    expected.push(text);
                }
            }
            self.differs(expected.join(" or "), &mut found);
        }
        found
    }
}

fn amount(count: usize) -> String {
    match count {
        0 => "none".to_owned(),
        _ => count.to_string(),
    }
}

fn number(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// A reservation's type by name, and its scope where it is not the usual one.
fn kind(scope: Scope, reservation_type: ReservationType) -> String {
    let mut text = match reservation_type.name() {
        Some(name) => format!("\"{name}\""),
        None => format!("of type {:#x}", reservation_type.code()),
    };
    if scope != Scope::LU_SCOPE {
        text += &format!(" of scope {:#x}", scope.code());
    }
    text
}

fn reservation_text(reservation: Option<Reservation>) -> String {
    let Some(held) = reservation else {
        return "no reservation".to_owned();
    };
    let kind = kind(held.scope, held.reservation_type);
    if is_shared(held.reservation_type) {
        return format!("reservation {kind}");
    }
    format!("reservation {kind} held by key {}", held.reservation_key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::transport_id::TransportId;
    use super::*;

    const NONE: u64 = 0;
    const A: u64 = 0xa;
    const B: u64 = 0xb;
    const C: u64 = 0xc;

    const WE: u8 = 1;
    const EA: u8 = 3;
    const WE_RO: u8 = 5;
    const EA_RO: u8 = 6;
    const WE_AR: u8 = 7;
    const EA_AR: u8 = 8;
    const TYPES: [u8; 6] = [WE, EA, WE_RO, EA_RO, WE_AR, EA_AR];

    fn held(key: u64, reservation_type: u8) -> Option<Reservation> {
        Some(Reservation {
            reservation_key: ReservationKey(key),
            scope: Scope::LU_SCOPE,
            reservation_type: ReservationType::from_low_bits(reservation_type),
        })
    }

    /// A state at generation 0x10 plus `moved`.
    fn state(moved: u32, keys: &[u64], reservation: Option<Reservation>) -> State {
        State {
            generation: 0x10 + moved,
            keys: keys.iter().copied().map(ReservationKey).collect(),
            reservation,
        }
    }

    fn out(
        action: ServiceAction,
        own: u64,
        new: u64,
        reservation_type: u8,
    ) -> PersistentReserveOut {
        PersistentReserveOut {
            action,
            scope: Scope::LU_SCOPE,
            reservation_type: ReservationType::from_low_bits(reservation_type),
            reservation_key: ReservationKey(own),
            service_action_reservation_key: ReservationKey(new),
            activate_persist_through_power_loss: false,
            all_target_ports: false,
            unregister: false,
            relative_target_port: 0,
            transport_ids: Default::default(),
        }
    }

    /// The states around one command.
    struct Case(State, PersistentReserveOut, Registrants);

    impl Case {
        fn new(
            keys: &[u64],
            reservation: Option<Reservation>,
            action: ServiceAction,
            (own, new, reservation_type): (u64, u64, u8),
        ) -> Self {
            let out = out(action, own, new, reservation_type);
            Self(state(0, keys, reservation), out, Nexuses)
        }

        fn by_a_host(mut self) -> Self {
            self.2 = Hosts;
            self
        }

        fn check(&self, moved: u32, keys: &[u64], reservation: Option<Reservation>) -> Verdict {
            check(&self.0, &self.1, &state(moved, keys, reservation), self.2)
        }

        #[track_caller]
        fn holds(&self, moved: u32, keys: &[u64], reservation: Option<Reservation>) -> &Self {
            let verdict = self.check(moved, keys, reservation);
            assert_eq!(verdict, Verdict::Holds);
            self
        }

        #[track_caller]
        fn fails(
            &self,
            moved: u32,
            keys: &[u64],
            reservation: Option<Reservation>,
            text: &str,
        ) -> &Self {
            match self.check(moved, keys, reservation) {
                Verdict::Mismatch(mismatch) => assert_eq!(mismatch.to_string(), text),
                other => panic!("{other:?}"),
            }
            self
        }

        #[track_caller]
        fn disturbed(&self, moved: u32, keys: &[u64], reservation: Option<Reservation>) -> &Self {
            match self.check(moved, keys, reservation) {
                Verdict::Disturbed(disturbed) => assert!(!disturbed.differences.is_empty()),
                other => panic!("{other:?}"),
            }
            self
        }
    }

    use Registrants::{Hosts, Nexuses};
    use ServiceAction::{
        Clear, Preempt, PreemptAndAbort, Register, RegisterAndIgnoreExistingKey, RegisterAndMove,
        Release, ReplaceLostReservation, Reserve,
    };

    #[test]
    fn a_state_is_of_one_generation_and_has_one_reservation() {
        let keys = ReadKeys {
            generation: 7,
            keys: vec![ReservationKey(A), ReservationKey(B)],
        };
        let reservation = held(B, WE).unwrap();
        let mut reservations = ReadReservation {
            generation: 7,
            reservation: Some(reservation),
        };
        let expected = State {
            generation: 7,
            keys: keys.keys.clone(),
            reservation: Some(reservation),
        };
        assert_eq!(State::new(&keys, &reservations), Some(expected));
        reservations.reservation = None;
        assert_eq!(State::new(&keys, &reservations).unwrap().reservation, None);
        reservations.generation = 8;
        assert_eq!(State::new(&keys, &reservations), None);
    }

    #[test]
    fn register_adds_a_registration() {
        Case::new(&[B], held(B, EA), Register, (NONE, A, 0))
            .holds(1, &[A, B], held(B, EA))
            .holds(1, &[B, A], held(B, EA))
            // The others leave, or come.
            .holds(1, &[A], None)
            .holds(2, &[A, B, C], held(C, WE))
            .fails(
                1,
                &[B],
                held(B, EA),
                "expected at least 1 registration with key 0xa, found none",
            )
            .fails(
                0,
                &[B],
                held(B, EA),
                "expected at least 1 registration with key 0xa, found none",
            )
            .fails(
                1,
                &[A, B, C],
                held(B, EA),
                "expected no registration with key 0xc, found 1",
            )
            .fails(
                1,
                &[A, A, B],
                held(B, EA),
                "expected at most 1 registration with key 0xa, found 2",
            )
            .fails(
                1,
                &[A, B],
                held(A, EA),
                "expected reservation \"Exclusive Access\" held by key 0xb, \
                 found reservation \"Exclusive Access\" held by key 0xa",
            )
            .disturbed(2, &[B], held(B, EA));
    }

    #[test]
    fn register_of_a_key_that_others_have_too() {
        Case::new(&[A, A], None, Register, (NONE, A, 0))
            .holds(1, &[A, A, A], None)
            // One of the others may have unregistered.
            .disturbed(1, &[A, A], None)
            .fails(
                1,
                &[],
                None,
                "expected at least 3 registrations with key 0xa, found none",
            );
    }

    #[test]
    fn register_replaces_a_registration() {
        Case::new(&[A, C], held(A, WE), Register, (A, B, 0))
            .holds(1, &[B, C], held(B, WE))
            .fails(
                1,
                &[A, B, C],
                held(B, WE),
                "expected no registration with key 0xa, found 1",
            )
            .fails(
                1,
                &[B, C],
                held(A, WE),
                "expected reservation \"Write Exclusive\" held by key 0xb, \
                 found reservation \"Write Exclusive\" held by key 0xa",
            )
            .fails(
                1,
                &[A, C],
                held(A, WE),
                "expected no registration with key 0xa, found 1\n\
                 expected at least 1 registration with key 0xb, found none\n\
                 expected reservation \"Write Exclusive\" held by key 0xb, \
                 found reservation \"Write Exclusive\" held by key 0xa",
            )
            .disturbed(2, &[A, C], held(A, WE));
        // Which of two nexuses is the holder, the key does not tell.
        Case::new(&[A, A], held(A, WE), Register, (A, B, 0))
            .holds(1, &[A, B], held(A, WE))
            .holds(1, &[A, B], held(B, WE))
            .fails(
                1,
                &[A, B],
                held(B, EA),
                "expected reservation \"Write Exclusive\" held by key 0xb \
                 or reservation \"Write Exclusive\" held by key 0xa, \
                 found reservation \"Exclusive Access\" held by key 0xb",
            );
        Case::new(&[A, C], held(C, WE), Register, (A, A, 0))
            .holds(1, &[A, C], held(C, WE))
            .fails(
                1,
                &[C],
                held(C, WE),
                "expected at least 1 registration with key 0xa, found none",
            );
    }

    #[test]
    fn register_leaves_a_reservation_of_all_registrants() {
        Case::new(&[B], held(NONE, WE_AR), Register, (NONE, A, 0))
            .holds(1, &[A, B], held(NONE, WE_AR))
            .holds(1, &[A, B], held(A, WE_AR))
            .holds(1, &[A, B], held(B, WE_AR))
            .fails(
                1,
                &[A, B],
                held(C, WE_AR),
                "expected reservation \"Write Exclusive, all registrants\", \
                 found reservation \"Write Exclusive, all registrants\"",
            );
    }

    #[test]
    fn register_with_key_zero_unregisters() {
        for moved in [0, 1] {
            Case::new(&[A, B], held(A, WE_RO), Register, (A, NONE, 0))
                .holds(moved, &[B], None)
                .holds(moved, &[], None)
                .holds(moved, &[B], held(B, EA));
        }
        Case::new(&[A, B], held(A, WE_RO), Register, (A, NONE, 0))
            .fails(
                0,
                &[A, B],
                held(A, WE_RO),
                "expected no registration with key 0xa, found 1\n\
                 expected no reservation held by key 0xa, \
                 found reservation \"Write Exclusive, registrants only\" held by key 0xa",
            )
            .fails(
                0,
                &[B],
                held(A, WE_RO),
                "expected no reservation held by key 0xa, \
                 found reservation \"Write Exclusive, registrants only\" held by key 0xa",
            )
            .fails(
                0,
                &[B, C],
                None,
                "expected no registration with key 0xc, found 1",
            )
            // Where this is not counted, someone else was: C came, or A came again.
            .holds(1, &[B, C], None)
            .disturbed(1, &[A, B], None);
    }

    #[test]
    fn unregister_with_a_key_that_others_have_too() {
        Case::new(&[A, A], held(A, WE), Register, (A, NONE, 0))
            .holds(1, &[A], held(A, WE))
            .holds(1, &[A], None)
            .holds(0, &[], None)
            .fails(
                0,
                &[A, A],
                held(A, WE),
                "expected at most 1 registration with key 0xa, found 2",
            );
    }

    #[test]
    fn unregister_of_the_last_registrant_releases() {
        for kind in [WE_AR, EA_AR] {
            let name = held(NONE, kind).unwrap().reservation_type.name().unwrap();
            Case::new(&[A], held(NONE, kind), Register, (A, NONE, 0))
                .holds(0, &[], None)
                .fails(
                    0,
                    &[],
                    held(NONE, kind),
                    &format!("expected no reservation, found reservation \"{name}\""),
                );
            Case::new(&[A, B], held(NONE, kind), Register, (A, NONE, 0))
                .holds(0, &[B], held(NONE, kind))
                .holds(0, &[B], held(B, kind))
                // B may have released it.
                .holds(0, &[B], None);
        }
    }

    #[test]
    fn unregister_when_not_registered() {
        for action in [Register, RegisterAndIgnoreExistingKey] {
            Case::new(&[B], held(B, WE), action, (NONE, NONE, 0))
                .holds(0, &[B], held(B, WE))
                .holds(1, &[B], held(B, WE))
                .fails(
                    0,
                    &[B, C],
                    held(B, WE),
                    "expected no registration with key 0xc, found 1",
                );
        }
    }

    #[test]
    fn register_and_ignore_existing_key() {
        Case::new(
            &[A, C],
            held(A, WE),
            RegisterAndIgnoreExistingKey,
            (C, B, 0),
        )
        // Whichever key was replaced, if any.
        .holds(1, &[A, B, C], held(A, WE))
        .holds(1, &[A, B], held(A, WE))
        .holds(1, &[B, C], held(B, WE))
        .holds(1, &[B, C], None)
        .fails(
            1,
            &[A, C],
            held(A, WE),
            "expected at least 1 registration with key 0xb, found none",
        )
        .fails(
            1,
            &[A, B, B, C],
            held(A, WE),
            "expected at most 1 registration with key 0xb, found 2",
        )
        .fails(
            1,
            &[A, B, C],
            held(B, WE),
            "expected reservation \"Write Exclusive\" held by key 0xa or \
                 reservation \"Write Exclusive\" held by key 0xb, \
                 found reservation \"Write Exclusive\" held by key 0xb",
        )
        .disturbed(2, &[A, C], held(A, WE));
    }

    #[test]
    fn unregister_ignoring_the_existing_key() {
        Case::new(
            &[A, B],
            held(A, WE),
            RegisterAndIgnoreExistingKey,
            (C, NONE, 0),
        )
        .holds(0, &[A, B], held(A, WE))
        .holds(0, &[B], None)
        .holds(1, &[A], held(A, WE))
        .fails(
            0,
            &[B],
            held(A, WE),
            "expected reservation \"Write Exclusive\" held by key 0xa or no reservation, \
                 found reservation \"Write Exclusive\" held by key 0xa",
        )
        .fails(
            0,
            &[A, B, C],
            held(A, WE),
            "expected no registration with key 0xc, found 1",
        );
    }

    #[test]
    fn reserve() {
        Case::new(&[A, B], None, Reserve, (A, NONE, EA_RO))
            .holds(0, &[A, B], held(A, EA_RO))
            .holds(0, &[A], held(A, EA_RO))
            .holds(9, &[A], held(A, EA_RO))
            .fails(
                0,
                &[A, B],
                None,
                "expected reservation \"Exclusive Access, registrants only\" held by key 0xa, \
                 found no reservation",
            )
            .fails(
                0,
                &[A, B],
                held(B, EA_RO),
                "expected reservation \"Exclusive Access, registrants only\" held by key 0xa, \
                 found reservation \"Exclusive Access, registrants only\" held by key 0xb",
            )
            .fails(
                0,
                &[A, B],
                held(A, WE),
                "expected reservation \"Exclusive Access, registrants only\" held by key 0xa, \
                 found reservation \"Write Exclusive\" held by key 0xa",
            )
            .fails(
                0,
                &[B],
                held(A, EA_RO),
                "expected at least 1 registration with key 0xa, found none",
            )
            .disturbed(1, &[A, B], None)
            .disturbed(1, &[B], held(B, EA_RO));
        // Held already, or released by its holder just before.
        Case::new(&[A], held(A, WE), Reserve, (A, NONE, WE)).holds(0, &[A], held(A, WE));
        Case::new(&[A, B], held(B, WE), Reserve, (A, NONE, EA)).holds(0, &[A, B], held(A, EA));
    }

    #[test]
    fn reserve_for_all_registrants() {
        Case::new(&[A, B], None, Reserve, (A, NONE, EA_AR))
            .holds(0, &[A, B], held(NONE, EA_AR))
            .holds(0, &[A, B], held(A, EA_AR))
            .holds(0, &[A, B], held(B, EA_AR))
            // B may have released it: it is B's as well.
            .disturbed(0, &[A, B], None)
            .disturbed(0, &[A, B], held(NONE, WE_AR))
            .fails(
                0,
                &[A, B],
                held(A, WE),
                "expected reservation \"Exclusive Access, all registrants\", \
                 found reservation \"Write Exclusive\" held by key 0xa",
            )
            .fails(
                0,
                &[A, B],
                held(C, EA_AR),
                "expected reservation \"Exclusive Access, all registrants\", \
                 found reservation \"Exclusive Access, all registrants\"",
            );
        Case::new(&[A], None, Reserve, (A, NONE, EA_AR)).fails(
            0,
            &[A],
            None,
            "expected reservation \"Exclusive Access, all registrants\", found no reservation",
        );
    }

    #[test]
    fn scopes_and_types_without_a_name() {
        let mut case = Case::new(&[A], None, Reserve, (A, NONE, 0xf));
        case.1.scope = Scope::from_high_bits(0x20);
        case.fails(
            0,
            &[A],
            held(A, 0xf),
            "expected reservation of type 0xf of scope 0x2 held by key 0xa, \
             found reservation of type 0xf held by key 0xa",
        );
    }

    #[test]
    fn release() {
        Case::new(&[A, B], held(A, WE), Release, (A, NONE, WE))
            .holds(0, &[A, B], None)
            .holds(0, &[A, B], held(B, WE))
            .fails(
                0,
                &[A, B],
                held(A, WE),
                "expected no reservation held by key 0xa, \
                 found reservation \"Write Exclusive\" held by key 0xa",
            )
            .fails(
                0,
                &[B],
                None,
                "expected at least 1 registration with key 0xa, found none",
            )
            .disturbed(1, &[A, B], held(A, WE));
    }

    #[test]
    fn release_of_what_is_not_ours_changes_nothing() {
        Case::new(&[A, B], held(B, WE), Release, (A, NONE, WE))
            .holds(0, &[A, B], held(B, WE))
            .holds(0, &[A, B], None)
            .fails(
                0,
                &[A, B],
                held(A, WE),
                "expected reservation \"Write Exclusive\" held by key 0xb, \
                 found reservation \"Write Exclusive\" held by key 0xa",
            );
        Case::new(&[A], None, Release, (A, NONE, WE))
            .holds(0, &[A], None)
            .fails(
                0,
                &[A],
                held(A, WE),
                "expected no reservation, found reservation \"Write Exclusive\" held by key 0xa",
            );
        // The holder may be the other nexus with this key.
        Case::new(&[A, A], held(A, WE), Release, (A, NONE, WE))
            .holds(0, &[A, A], held(A, WE))
            .holds(0, &[A, A], None);
        // By another type than the reservation has: the standard refuses it.
        Case::new(&[A], held(A, WE), Release, (A, NONE, EA))
            .holds(0, &[A], held(A, WE))
            .holds(0, &[A], None);
    }

    #[test]
    fn release_for_all_registrants() {
        let held_by_all = held(NONE, WE_AR);
        Case::new(&[A, B], held_by_all, Release, (A, NONE, WE_AR))
            .holds(0, &[A, B], None)
            .holds(0, &[A, B], held(B, EA))
            // B may have reserved again.
            .disturbed(0, &[A, B], held_by_all);
        Case::new(&[A], held_by_all, Release, (A, NONE, WE_AR))
            .holds(0, &[A], None)
            .fails(
                0,
                &[A],
                held_by_all,
                "expected no reservation \"Write Exclusive, all registrants\", \
                 found reservation \"Write Exclusive, all registrants\"",
            );
    }

    #[test]
    fn clear() {
        Case::new(&[A, B], held(B, WE), Clear, (A, NONE, 0))
            .holds(1, &[], None)
            .fails(
                1,
                &[B],
                None,
                "expected no registrations, found 1 registration",
            )
            .fails(
                0,
                &[A, B],
                None,
                "expected no registrations, found 2 registrations",
            )
            .fails(
                1,
                &[],
                held(B, WE),
                "expected no reservation, found reservation \"Write Exclusive\" held by key 0xb",
            )
            .disturbed(2, &[B], None);
    }

    #[test]
    fn preempt_of_registrations() {
        for action in [Preempt, PreemptAndAbort] {
            Case::new(&[A, B, B, C], held(C, WE), action, (A, B, EA))
                .holds(1, &[A, C], held(C, WE))
                .holds(1, &[A], None)
                .fails(
                    1,
                    &[A, B, C],
                    held(C, WE),
                    "expected no registration with key 0xb, found 1",
                )
                .fails(
                    1,
                    &[C],
                    held(C, WE),
                    "expected at least 1 registration with key 0xa, found none",
                )
                .fails(
                    1,
                    &[A, C],
                    held(A, WE),
                    "expected reservation \"Write Exclusive\" held by key 0xc or \
                     reservation \"Exclusive Access\" held by key 0xa, \
                     found reservation \"Write Exclusive\" held by key 0xa",
                )
                .disturbed(2, &[A, B, C], held(C, WE));
        }
    }

    #[test]
    fn preempt_of_the_reservation() {
        for action in [Preempt, PreemptAndAbort] {
            let text = "expected reservation \"Exclusive Access\" held by key 0xa, found ";
            Case::new(&[A, B, C], held(B, WE), action, (A, B, EA))
                .holds(1, &[A, C], held(A, EA))
                .fails(
                    1,
                    &[A, C],
                    held(B, WE),
                    &format!("{text}reservation \"Write Exclusive\" held by key 0xb"),
                )
                .fails(
                    1,
                    &[A, C],
                    held(A, WE),
                    &format!("{text}reservation \"Write Exclusive\" held by key 0xa"),
                )
                // B may have released it before, and then there was none to take over.
                .disturbed(1, &[A, C], None)
                .disturbed(2, &[A, B, C], held(B, WE));
            Case::new(&[A, B], held(B, WE), action, (A, B, EA_AR))
                .holds(1, &[A], held(NONE, EA_AR))
                .holds(1, &[A], held(A, EA_AR));
        }
    }

    #[test]
    fn preempt_of_ourselves() {
        Case::new(&[A, A, B], held(B, WE), Preempt, (A, A, EA))
            .holds(1, &[A, B], held(B, WE))
            .holds(1, &[B], held(B, WE))
            .fails(
                1,
                &[A, A, B],
                held(B, WE),
                "expected at most 1 registration with key 0xa, found 2",
            );
        Case::new(&[A, B], held(A, WE), Preempt, (A, A, EA))
            .holds(1, &[A, B], held(A, EA))
            .fails(
                1,
                &[B],
                None,
                "expected at least 1 registration with key 0xa, found none\n\
                 expected reservation \"Exclusive Access\" held by key 0xa, found no reservation",
            )
            .fails(
                1,
                &[A, B],
                held(A, WE),
                "expected reservation \"Exclusive Access\" held by key 0xa, \
                 found reservation \"Write Exclusive\" held by key 0xa",
            );
    }

    #[test]
    fn preempt_of_all_registrants() {
        Case::new(&[A, B, C], held(NONE, WE_AR), Preempt, (A, NONE, EA))
            .holds(1, &[A], held(A, EA))
            .fails(
                1,
                &[A, B],
                held(A, EA),
                "expected no registration with key 0xb, found 1",
            )
            .fails(
                1,
                &[A],
                held(NONE, WE_AR),
                "expected reservation \"Exclusive Access\" held by key 0xa, \
                 found reservation \"Write Exclusive, all registrants\"",
            )
            .fails(
                1,
                &[A],
                None,
                "expected reservation \"Exclusive Access\" held by key 0xa, found no reservation",
            )
            .disturbed(2, &[A, B], held(A, EA));
        Case::new(&[A, A], held(NONE, WE_AR), Preempt, (A, NONE, EA))
            .holds(1, &[A], held(A, EA))
            .fails(
                1,
                &[A, A],
                held(A, EA),
                "expected at most 1 registration with key 0xa, found 2",
            );
        // A key: its registrations alone go, and the reservation stays.
        Case::new(&[A, B, C], held(NONE, WE_AR), Preempt, (A, B, EA))
            .holds(1, &[A, C], held(NONE, WE_AR))
            .fails(
                1,
                &[A, B, C],
                held(NONE, WE_AR),
                "expected no registration with key 0xb, found 1",
            );
    }

    #[test]
    fn preempt_of_key_zero_without_all_registrants_is_not_judged() {
        Case::new(&[A, B], held(B, WE), Preempt, (A, NONE, EA)).holds(1, &[A, B], held(B, WE));
    }

    #[test]
    fn register_and_move() {
        Case::new(&[A, C], held(A, WE), RegisterAndMove, (A, B, 0))
            .holds(1, &[A, B, C], held(B, WE))
            // B was registered with another key.
            .holds(1, &[A, B], held(B, WE))
            .fails(
                1,
                &[A, C],
                held(A, WE),
                "expected at least 1 registration with key 0xb, found none\n\
                 expected reservation \"Write Exclusive\" held by key 0xb, \
                 found reservation \"Write Exclusive\" held by key 0xa",
            )
            .fails(
                1,
                &[A, B, C],
                held(A, WE),
                "expected reservation \"Write Exclusive\" held by key 0xb, \
                 found reservation \"Write Exclusive\" held by key 0xa",
            )
            .fails(
                1,
                &[B, C],
                held(B, WE),
                "expected at least 1 registration with key 0xa, found none",
            )
            // Its new holder may have released it.
            .disturbed(1, &[A, B, C], None)
            .disturbed(2, &[A, C], held(A, WE));
    }

    #[test]
    fn register_and_move_unregisters() {
        let mut case = Case::new(&[A, C], held(A, WE), RegisterAndMove, (A, B, 0));
        case.1.unregister = true;
        case.holds(1, &[B, C], held(B, WE)).fails(
            1,
            &[A, B, C],
            held(B, WE),
            "expected no registration with key 0xa, found 1",
        );
    }

    #[test]
    fn replace_lost_reservation() {
        Case::new(&[B], held(B, WE), ReplaceLostReservation, (NONE, A, EA))
            .holds(1, &[A], held(A, EA))
            .holds(1, &[A, B], held(A, EA))
            .fails(
                1,
                &[B],
                held(B, WE),
                "expected at least 1 registration with key 0xa, found none\n\
                 expected reservation \"Exclusive Access\" held by key 0xa, \
                 found reservation \"Write Exclusive\" held by key 0xb",
            )
            .disturbed(2, &[B], held(B, WE));
    }

    #[test]
    fn register_with_specified_initiator_ports() {
        let mut case = Case::new(&[B], held(B, WE), Register, (NONE, A, 0));
        let ids = vec![TransportId::sas(1), TransportId::sas(2)];
        case.1.transport_ids = ids.try_into().unwrap();
        case.holds(1, &[A, A, A, B], held(B, WE))
            .holds(3, &[A, A, A, B], held(B, WE))
            .holds(1, &[A, B], held(B, WE))
            .fails(
                1,
                &[A, A, A, A, B],
                held(B, WE),
                "expected at most 3 registrations with key 0xa, found 4",
            )
            .fails(
                1,
                &[B],
                held(B, WE),
                "expected at least 1 registration with key 0xa, found none",
            );
    }

    #[test]
    fn register_for_all_target_ports() {
        let mut case = Case::new(&[B], held(B, WE), Register, (NONE, A, 0));
        case.1.all_target_ports = true;
        case.holds(1, &[A, A, A, A, A, B], held(B, WE))
            .holds(1, &[A, B], held(B, WE))
            .fails(
                1,
                &[A, B, B],
                held(B, WE),
                "expected at most 1 registration with key 0xb, found 2",
            )
            .fails(
                1,
                &[B],
                held(B, WE),
                "expected at least 1 registration with key 0xa, found none",
            );
        let mut case = Case::new(&[A, A, B], held(A, WE), Register, (A, NONE, 0));
        case.1.all_target_ports = true;
        case.holds(0, &[B], None);
    }

    #[test]
    fn a_holder_that_never_was_registered_is_let_be() {
        Case::new(&[B], held(C, WE), Register, (NONE, A, 0)).holds(1, &[A, B], held(C, WE));
        Case::new(&[], held(C, WE), Register, (NONE, A, 0)).holds(1, &[A], held(C, WE));
    }

    #[test]
    fn a_host_may_register_its_key_again() {
        let again = || Case::new(&[A, B], held(B, WE), Register, (NONE, A, 0));
        again()
            .by_a_host()
            .holds(0, &[A, B], held(B, WE))
            .holds(1, &[A, B], held(B, WE))
            .holds(1, &[A, A, B], held(B, WE));
        again().disturbed(1, &[A, B], held(B, WE));
        // It has to be there all the same, and nothing else may have changed.
        again().by_a_host().fails(
            1,
            &[B],
            held(B, WE),
            "expected at least 1 registration with key 0xa, found none",
        );
        let holder = Case::new(&[A], held(A, WE), Register, (NONE, A, 0)).by_a_host();
        holder.holds(1, &[A], held(A, WE));
        let new = Case::new(&[B], None, Register, (NONE, A, 0)).by_a_host();
        new.fails(
            1,
            &[B],
            None,
            "expected at least 1 registration with key 0xa, found none",
        );
    }

    #[test]
    fn a_host_registers_through_all_its_controllers() {
        Case::new(&[], None, Register, (NONE, A, 0))
            .by_a_host()
            .holds(1, &[A, A], None);
        Case::new(&[A, A], held(A, WE), Register, (A, B, 0))
            .by_a_host()
            .holds(1, &[B, B], held(B, WE));
        Case::new(&[A, A], held(A, WE), Register, (A, NONE, 0))
            .by_a_host()
            .holds(1, &[], None);
        Case::new(&[A, A, B], held(NONE, WE_AR), Preempt, (A, NONE, EA))
            .by_a_host()
            .holds(1, &[A, A], held(A, EA));
        Case::new(&[A, A, B], held(A, WE), Preempt, (A, A, EA))
            .by_a_host()
            .holds(1, &[A, A, B], held(A, EA));
    }

    #[test]
    fn generations_wrap_and_start_anew() {
        let mut before = state(0, &[], None);
        let mut after = state(0, &[], None);
        let register = out(Register, NONE, A, 0);
        (before.generation, after.generation) = (u32::MAX, 0);
        assert!(matches!(
            check(&before, &register, &after, Nexuses),
            Verdict::Mismatch(_)
        ));
        before.generation = 9;
        assert!(matches!(
            check(&before, &register, &after, Nexuses),
            Verdict::Disturbed(_)
        ));
    }

    #[test]
    fn the_reason_of_a_disturbance() {
        let case = Case::new(&[], None, Register, (NONE, A, 0));
        let text = |verdict| match verdict {
            Verdict::Disturbed(disturbed) => disturbed.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            text(case.check(3, &[], None)),
            "could not be told: PRGENERATION went from 0x10 to 0x13, others may have made changes too\n\
             expected at least 1 registration with key 0xa, found none"
        );
        let case = Case::new(&[A, A], None, Register, (NONE, A, 0));
        assert_eq!(
            text(case.check(1, &[A, A], None)),
            "could not be told: others may have unregistered, reserved or released, \
             which PRGENERATION need not count\n\
             expected at least 3 registrations with key 0xa, found 2"
        );
    }

    #[test]
    fn many_registrations() {
        let keys: Vec<u64> = (1..=8190).collect();
        Case::new(&keys, held(1, WE), Preempt, (8190, 1, EA))
            .holds(1, &keys[1..], held(8190, EA))
            .fails(
                1,
                &keys,
                held(8190, EA),
                "expected no registration with key 0x1, found 1",
            );
    }

    /// A device server, straight from the standard, and all that it can come to.
    mod model {
        use std::collections::{BTreeMap, BTreeSet};

        use super::*;

        const NEXUSES: usize = 3;
        const US: usize = 0;

        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        enum Holder {
            Nobody,
            Nexus(usize, u8),
            All(u8),
        }

        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        struct Server {
            /// 0: not registered.
            keys: [u64; NEXUSES],
            holder: Holder,
        }

        /// What READ KEYS and READ RESERVATION show of it.
        type Shown = (Vec<u64>, Option<(u64, u8)>);

        impl Server {
            fn shown(&self) -> Shown {
                let mut keys = self.keys.to_vec();
                keys.retain(|&key| key != 0);
                keys.sort_unstable();
                let reservation = match self.holder {
                    Holder::Nobody => None,
                    Holder::Nexus(nexus, kind) => Some((self.keys[nexus], kind)),
                    Holder::All(kind) => Some((0, kind)),
                };
                (keys, reservation)
            }

            fn unregister(&mut self, nexus: usize) {
                self.keys[nexus] = 0;
                match self.holder {
                    Holder::Nexus(holder, _) if holder == nexus => self.holder = Holder::Nobody,
                    Holder::All(_) if self.keys == [0; NEXUSES] => self.holder = Holder::Nobody,
                    _ => {}
                }
            }

            fn holds(&self, nexus: usize) -> bool {
                match self.holder {
                    Holder::Nobody => false,
                    Holder::Nexus(holder, _) => holder == nexus,
                    Holder::All(_) => self.keys[nexus] != 0,
                }
            }

            fn kind(&self) -> Option<u8> {
                match self.holder {
                    Holder::Nobody => None,
                    Holder::Nexus(_, kind) | Holder::All(kind) => Some(kind),
                }
            }

            /// What a command that ends with GOOD leads to; nothing if it ends otherwise. Where
            /// the standard leaves a choice, or does not name the nexus moved to, there are more.
            fn execute(self, from: usize, out: &PersistentReserveOut) -> Vec<Self> {
                let own = out.reservation_key.0;
                let new = out.service_action_reservation_key.0;
                let kind = out.reservation_type.code();
                let made = match kind {
                    WE_AR | EA_AR => Holder::All(kind),
                    _ => Holder::Nexus(from, kind),
                };
                let ignores = out.action == RegisterAndIgnoreExistingKey;
                let registers = out.action == Register || ignores;
                if !ignores && own != self.keys[from] || !registers && own == 0 {
                    return vec![];
                }
                let mut next = self;
                match out.action {
                    Register | RegisterAndIgnoreExistingKey if new == 0 => next.unregister(from),
                    Register | RegisterAndIgnoreExistingKey => next.keys[from] = new,
                    Reserve => match self.holder {
                        Holder::Nobody => next.holder = made,
                        _ if self.holds(from) && self.kind() == Some(kind) => {}
                        _ => return vec![],
                    },
                    Release if self.holds(from) => {
                        next.holder = Holder::Nobody;
                        // The standard refuses this; where it is not refused, either may be.
                        if self.kind() != Some(kind) {
                            return vec![self, next];
                        }
                    }
                    Release => {}
                    Clear => {
                        next = Self {
                            keys: [0; NEXUSES],
                            holder: Holder::Nobody,
                        };
                    }
                    Preempt | PreemptAndAbort => return self.preempt(from, new, made),
                    RegisterAndMove => {
                        let Holder::Nexus(holder, kind) = self.holder else {
                            return vec![];
                        };
                        if holder != from || new == 0 {
                            return vec![];
                        }
                        let others = (0..NEXUSES).filter(|&to| to != from);
                        return others
                            .map(|to| {
                                let mut next = self;
                                next.keys[to] = new;
                                next.holder = Holder::Nexus(to, kind);
                                if out.unregister {
                                    next.unregister(from);
                                }
                                next
                            })
                            .collect();
                    }
                    ReplaceLostReservation => return vec![],
                }
                vec![next]
            }

            fn preempt(self, from: usize, victim: u64, made: Holder) -> Vec<Self> {
                let mut next = self;
                if victim == 0 {
                    let Holder::All(_) = self.holder else {
                        return vec![];
                    };
                    next.keys = [0; NEXUSES];
                    next.keys[from] = self.keys[from];
                    next.holder = made;
                    return vec![next];
                }
                if !self.keys.contains(&victim) {
                    return vec![];
                }
                let victims = |with_us: bool| {
                    (0..NEXUSES)
                        .filter(move |&nexus| self.keys[nexus] == victim)
                        .filter(move |&nexus| with_us || nexus != from)
                };
                if let Holder::Nexus(holder, _) = self.holder {
                    if self.keys[holder] == victim {
                        victims(false).for_each(|nexus| next.unregister(nexus));
                        next.holder = made;
                        return vec![next];
                    }
                }
                [false, true]
                    .map(|with_us| {
                        let mut next = self;
                        victims(with_us).for_each(|nexus| next.unregister(nexus));
                        next
                    })
                    .to_vec()
            }
        }

        fn commands() -> Vec<PersistentReserveOut> {
            let keys = [NONE, A, B];
            let mut all = Vec::new();
            for own in keys {
                for new in keys {
                    for action in [Register, RegisterAndIgnoreExistingKey] {
                        all.push(out(action, own, new, 0));
                    }
                    for unregister in [false, true] {
                        let mut moved = out(RegisterAndMove, own, new, 0);
                        moved.unregister = unregister;
                        all.push(moved);
                    }
                    all.extend(TYPES.map(|kind| out(Preempt, own, new, kind)));
                }
                for action in [Reserve, Release] {
                    all.extend(TYPES.map(|kind| out(action, own, NONE, kind)));
                }
                all.push(out(Clear, own, NONE, 0));
            }
            all
        }

        /// Every state that commands lead to.
        fn reachable(commands: &[PersistentReserveOut]) -> BTreeSet<Server> {
            let start = Server {
                keys: [0; NEXUSES],
                holder: Holder::Nobody,
            };
            closure(start, |server| {
                let mut next = Vec::new();
                for nexus in 0..NEXUSES {
                    for out in commands {
                        next.extend(server.execute(nexus, out));
                    }
                }
                next
            })
        }

        fn closure(start: Server, next: impl Fn(Server) -> Vec<Server>) -> BTreeSet<Server> {
            let mut seen = BTreeSet::from([start]);
            let mut open = vec![start];
            while let Some(server) = open.pop() {
                for server in next(server) {
                    if seen.insert(server) {
                        open.push(server);
                    }
                }
            }
            seen
        }

        /// What the other nexuses can do without being counted.
        fn unseen(server: Server) -> Vec<Server> {
            let mut next = Vec::new();
            for nexus in (0..NEXUSES).filter(|&nexus| nexus != US) {
                let own = server.keys[nexus];
                next.extend(server.execute(nexus, &out(Register, own, NONE, 0)));
                for kind in TYPES {
                    next.extend(server.execute(nexus, &out(Reserve, own, NONE, kind)));
                    next.extend(server.execute(nexus, &out(Release, own, NONE, kind)));
                }
            }
            next
        }

        /// States as they could be shown, right and wrong ones: up to four registrations, one of
        /// them under a key unheard of.
        fn showable() -> Vec<Shown> {
            let mut lists = vec![vec![]];
            for length in 0..4 {
                let longer = lists.iter().filter(|list| list.len() == length);
                let longer = longer.flat_map(|list: &Vec<u64>| {
                    let least = list.last().copied().unwrap_or(A);
                    let keys = [A, B, C]
                        .into_iter()
                        .filter(move |&key| key >= least && !(key == C && least == C));
                    keys.map(|key| [&list[..], &[key]].concat())
                });
                let longer: Vec<_> = longer.collect();
                lists.extend(longer);
            }
            let single = [WE, EA, WE_RO, EA_RO].map(|kind| [A, B, C].map(|key| Some((key, kind))));
            let mut reservations = single.concat();
            reservations.extend([None, Some((0, WE_AR)), Some((0, EA_AR))]);
            let each = |list: &Vec<u64>| {
                let list = list.clone();
                let each = reservations.clone().into_iter();
                each.map(move |reservation| (list.clone(), reservation))
            };
            lists.iter().flat_map(each).collect()
        }

        fn shown_state(moved: u32, (keys, reservation): &Shown) -> State {
            state(
                moved,
                keys,
                reservation.and_then(|(key, kind)| held(key, kind)),
            )
        }

        #[test]
        fn every_transition_holds_and_what_nobody_can_have_done_does_not() {
            let commands = commands();
            let servers = reachable(&commands);
            let unseen: BTreeMap<_, _> = servers
                .iter()
                .map(|&server| (server, closure(server, self::unseen)))
                .collect();
            let mut views: BTreeMap<Shown, Vec<Server>> = BTreeMap::new();
            for server in &servers {
                views.entry(server.shown()).or_default().push(*server);
            }
            let showable = showable();
            let (mut holding, mut refused, mut open) = (0, 0, 0);
            for (view, servers) in &views {
                let before = shown_state(0, view);
                // A and B are interchangeable: it is enough if A is ours.
                for out in commands.iter().filter(|out| out.reservation_key.0 != B) {
                    let alone: BTreeSet<Shown> = servers
                        .iter()
                        .flat_map(|server| server.execute(US, out))
                        .map(|server| server.shown())
                        .collect();
                    let earlier: BTreeSet<_> =
                        servers.iter().flat_map(|server| &unseen[server]).collect();
                    let later: BTreeSet<_> = earlier
                        .iter()
                        .flat_map(|server| server.execute(US, out))
                        .collect();
                    let explained: BTreeSet<Shown> = later
                        .iter()
                        .flat_map(|server| &unseen[server])
                        .map(Server::shown)
                        .collect();
                    if alone.is_empty() {
                        continue;
                    }
                    let least = least_count(out);
                    for after in &alone {
                        for moved in least..=2 {
                            let verdict = check(
                                &before,
                                out,
                                &shown_state(moved, after),
                                Registrants::Nexuses,
                            );
                            assert_eq!(verdict, Verdict::Holds, "{before:?} {out:?} {after:?}");
                            holding += 1;
                        }
                    }
                    for after in &showable {
                        let is_explained = explained.contains(after);
                        // The model has no nexus left that could make another registration.
                        if view.0.len() == NEXUSES && !is_explained {
                            continue;
                        }
                        let verdict = check(
                            &before,
                            out,
                            &shown_state(least, after),
                            Registrants::Nexuses,
                        );
                        let is_mismatch = matches!(verdict, Verdict::Mismatch(_));
                        let context = || format!("{before:?} {out:?} {after:?} {verdict:?}");
                        assert_eq!(is_mismatch, !is_explained, "{}", context());
                        if is_explained {
                            open += 1;
                        } else {
                            refused += 1;
                        }
                    }
                }
            }
            // The numbers guard against a model that has become empty.
            assert_eq!(
                (servers.len(), holding, open, refused),
                (295, 6_738, 27_004, 344_669)
            );
        }
    }
}
