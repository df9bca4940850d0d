//! To what a command can have led, and what other nexuses can have made of it.

use super::state::{Keys, single};
use super::words::reservation_text;
use super::{Difference, View};
use crate::pr::prin::Reservation;
use crate::pr::prout::ServiceAction;
use crate::pr::{ReservationKey, ReservationType, Scope};

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
pub(super) struct Outcome {
    /// The keys of the other nexuses.
    others: Keys,
    /// The key of our nexus.
    own: Option<ReservationKey>,
    standing: Standing,
    /// Other nexuses can have released the reservation and made another.
    unsettled: bool,
}

impl View<'_> {
    /// To what the command can have led, whichever nexus sent it.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let unregistered = None;
        let senders = match self.out.action {
            ServiceAction::Register if self.own_key() == ReservationKey::NONE => {
                let again = Some(self.new_key());
                let again = again.filter(|_| self.may_be_again());
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
        if reservation_type.is_held_by_all() {
            return vec![Standing::Everybodys(scope, reservation_type)];
        }
        let mut standings = Vec::new();
        // Key 0 is nobody's: the holder is not told, and may be any nexus.
        if sender == Some(reservation_key) || reservation_key == ReservationKey::NONE {
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
        let named = match self.out.reservation_type.is_held_by_all() {
            true => Standing::Everybodys(self.out.scope, self.out.reservation_type),
            false => Standing::Ours(self.out.scope, self.out.reservation_type),
        };
        let given_up = match standing {
            Standing::Ours(..) => Standing::NotOurs(None),
            _ => standing,
        };
        match self.out.action {
            ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey => {
                if new == ReservationKey::NONE {
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
                let (remaining, takes_over, may_take_over) = if new == ReservationKey::NONE {
                    let takes_over = matches!(standing, Standing::Everybodys(..));
                    (Keys(Vec::new()), takes_over, takes_over || unsettled)
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
                        Standing::NotOurs(Some(held)) if held.reservation_key == ReservationKey::NONE
                    );
                    let may_take_over = is_victims || is_anybodys || unsettled && others.has(new);
                    (others.without(new), is_victims && !unsettled, may_take_over)
                };
                if !takes_over {
                    // SPC-5 refuses key 0 where no reservation is that of all registrants.
                    let kept = if new == ReservationKey::NONE {
                        others
                    } else {
                        &remaining
                    };
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
            // Whatever was registered is removed, or was lost.
            ServiceAction::ReplaceLostReservation => {
                add(&Keys(Vec::new()), Some(new), named, false);
            }
        }
    }

    /// How many registrations the command can have added besides that of our nexus, at the most.
    fn added_nexuses(&self) -> usize {
        if self.out.all_target_ports {
            // One for each target port, and how many there are we do not know.
            return self.after.count(self.new_key());
        }
        self.out.transport_ids.as_slice().len()
    }

    /// Whether the state found is `outcome`, or what other nexuses can have made of it by
    /// unregistering, reserving and releasing.
    pub(super) fn may_follow(&self, outcome: &Outcome) -> bool {
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
        if held.reservation_type.is_held_by_all() {
            return self.is_shared_as(held.scope, held.reservation_type);
        }
        let ours = usize::from(own == Some(held.reservation_key));
        self.after.count(held.reservation_key) > ours
    }

    /// What is wrong with a state that has all of the command's effects and still cannot follow.
    pub(super) fn unexplained(&self, outcomes: &[Outcome]) -> Vec<Difference> {
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
                        reservation_key: ReservationKey::NONE,
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
            found.push(Difference {
                expected: expected.join(" or "),
                found: reservation_text(self.held_after),
            });
        }
        found
    }
}
