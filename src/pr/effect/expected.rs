//! What must be there after a command, and is not.

use std::collections::BTreeSet;

use super::state::{Registrants, name, shared, single};
use super::words::{amount, kind, number, reservation_text};
use super::{Difference, View};
use crate::pr::prin::{FullStatusDescriptor, Reservation, TargetPorts};
use crate::pr::prout::ServiceAction;
use crate::pr::transport_id::TransportId;
use crate::pr::{ReservationKey, ReservationType, Scope};

impl View<'_> {
    /// The expectations about the command's own effect that the state found does not meet.
    ///
    /// They are put so that other nexuses that do more of the same do not break them: "at most
    /// one left", not "one left".
    pub(super) fn missing_effects(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        match self.out.action {
            ServiceAction::Register => self.expect_register(&mut found),
            // Which key it replaced or removed, if any, nobody knows.
            ServiceAction::RegisterAndIgnoreExistingKey => {
                if self.new_key() != ReservationKey::NONE {
                    self.at_least(1 + self.uncertain_ports(), self.new_key(), &mut found);
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
                self.alone(self.new_key(), &mut found);
                self.reserved_for(self.new_key(), &mut found);
            }
        }
        self.expect_named_ports(&mut found);
        found
    }

    fn expect_register(&self, found: &mut Vec<Difference>) {
        let (old, new) = (self.own_key(), self.new_key());
        let held = single(self.held_before).filter(|held| held.reservation_key == old);
        // With a second registration under the same key, that one may be the holder.
        let held_by_us =
            held.filter(|_| old != ReservationKey::NONE && self.before.count(old) == 1);
        if old != ReservationKey::NONE && old != new {
            self.at_most(self.before.count(old).saturating_sub(1), old, found);
        }
        if new == ReservationKey::NONE {
            if old != ReservationKey::NONE && self.after.is_empty() {
                self.no_reservation(found);
            } else if let Some(held) = held_by_us {
                self.not_held_by(held.reservation_key, found);
            }
            return;
        }
        let grows = usize::from(old != new && !self.may_be_again());
        let least = self.before.count(new) + grows;
        // Of those that had the key before, any may have gone; with our own unchanged, too.
        let least = if grows == 0 { 1 } else { least };
        self.at_least(least + self.uncertain_ports(), new, found);
        if let Some(held) = held_by_us {
            let reservation_key = new;
            let expected = Reservation {
                reservation_key,
                ..held
            };
            self.reserved(expected, found);
        }
    }

    /// What the key holds has to go, also where another nexus with the same key may be the holder:
    /// then this one released nothing.
    fn expect_release(&self, found: &mut Vec<Difference>) {
        let key = self.own_key();
        self.at_least(1, key, found);
        let Some(held) = self.held_before else {
            return;
        };
        if held.reservation_type.is_held_by_all() {
            let kept = |after: Reservation| {
                (after.scope, after.reservation_type) == (held.scope, held.reservation_type)
            };
            if self.held_after.is_some_and(kept) {
                let kind = kind(held.scope, held.reservation_type);
                self.differs(format!("no reservation {kind}"), found);
            }
        } else if held.reservation_key == key {
            self.not_held_by(key, found);
        }
    }

    fn expect_preempt(&self, found: &mut Vec<Difference>) {
        let (own, victim) = (self.own_key(), self.new_key());
        if victim == ReservationKey::NONE {
            self.alone(own, found);
            self.reserved_for(own, found);
            return;
        }
        let takes_over = self.takes_over();
        if victim == own {
            // Whether our registration goes too is left open, unless the reservation becomes ours.
            self.at_most(1, own, found);
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
        match self.out.unregister {
            false if own == new => self.at_least(2, new, found),
            false => {
                self.at_least(1, new, found);
                self.at_least(1, own, found);
            }
            true => {
                self.at_least(1, new, found);
                if own != new {
                    self.at_most(self.before.count(own).saturating_sub(1), own, found);
                }
            }
        }
        if let Some(held) = self.held_by_our_key() {
            let reservation_key = new;
            let expected = Reservation {
                reservation_key,
                ..held
            };
            self.reserved(expected, found);
        } else if single(self.held_after).is_none_or(|held| held.reservation_key != new) {
            self.differs(format!("a reservation held by key {new}"), found);
        }
    }

    /// Whether this nexus takes over the reservation that the preempted key holds.
    fn takes_over(&self) -> bool {
        single(self.held_before).is_some_and(|held| held.reservation_key == self.new_key())
    }

    /// Whether a host that is registered may have registered its key once more.
    pub(super) fn may_be_again(&self) -> bool {
        self.sender.registrants == Registrants::Hosts
            && self.own_key() == ReservationKey::NONE
            && self.before.has(self.new_key())
            && self.this_host_has(self.new_key(), self.told_before) != Some(false)
    }

    /// How many initiator ports the command names whose registrations are not told one by one.
    fn uncertain_ports(&self) -> usize {
        let ids = self.out.transport_ids.as_slice().iter();
        match self.ports_are_told() {
            true => 0,
            false => ids
                .map(TransportId::as_bytes)
                .collect::<BTreeSet<_>>()
                .len(),
        }
    }

    /// Whether full status names the initiator ports.
    fn ports_are_told(&self) -> bool {
        self.told_after
            .is_some_and(|all| all.iter().all(|nexus| nexus.transport_id.is_some()))
    }

    /// Each initiator port that the command names has the new key; the one that a reservation is
    /// moved to holds it.
    fn expect_named_ports(&self, found: &mut Vec<Difference>) {
        let Some(nexuses) = self.told_after.filter(|_| self.ports_are_told()) else {
            return;
        };
        let moves = self.out.action == ServiceAction::RegisterAndMove;
        if !moves && !self.registers() {
            return;
        }
        let key = self.new_key();
        for id in self.out.transport_ids.as_slice() {
            let is_named = |nexus: &&FullStatusDescriptor| {
                let port = nexus.transport_id.as_ref();
                nexus.reservation_key == key && port.is_some_and(|port| id.is_same_port(port))
            };
            let mut named = nexuses.iter().filter(is_named).peekable();
            let name = id.to_argument();
            if named.peek().is_none() {
                let expected = format!("a registration of {name} with key {key}");
                found.push(Difference::new(expected, "none"));
            } else if moves
                && single(self.held_after).is_some()
                && nexuses.iter().any(|nexus| nexus.held.is_some())
                && !named.any(|nexus| nexus.held.is_some())
            {
                let expected = format!("{name} to hold the reservation");
                found.push(Difference::new(expected, "another nexus holding it"));
            }
        }
    }

    /// Whether the reservation becomes that of this nexus, if no other releases it first.
    fn becomes_ours(&self) -> bool {
        match self.out.action {
            ServiceAction::Reserve | ServiceAction::ReplaceLostReservation => true,
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort => {
                self.new_key() == ReservationKey::NONE || self.takes_over()
            }
            _ => false,
        }
    }

    /// The registration of this host that the state found lacks, where its ports and the nexuses
    /// are known. Which of them are this host's, others do not change.
    pub(super) fn not_registered_by_this_host(&self) -> Option<Difference> {
        let (own, new) = (self.own_key(), self.new_key());
        let key = match self.out.action {
            ServiceAction::Register
            | ServiceAction::RegisterAndIgnoreExistingKey
            | ServiceAction::ReplaceLostReservation => {
                Some(new).filter(|&key| key != ReservationKey::NONE)
            }
            ServiceAction::Reserve | ServiceAction::Release => Some(own),
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort => {
                Some(own).filter(|&own| own != new || self.becomes_ours())
            }
            ServiceAction::RegisterAndMove => Some(own).filter(|_| !self.out.unregister),
            ServiceAction::Clear => None,
        };
        // What nobody has is missed in another place.
        let key = key.filter(|&key| self.after.has(key))?;
        let is_elsewhere = self.this_host_has(key, self.told_after) == Some(false);
        is_elsewhere.then(|| {
            let expected = format!("this host to have a registration with key {key}");
            Difference::new(expected, "only registrations of other hosts")
        })
    }

    /// Another holder of the reservation that this host must have, likewise. What all registrants
    /// are to hold, others can release and reserve for themselves.
    pub(super) fn not_held_by_this_host(&self) -> Option<Difference> {
        let alone = self.becomes_ours() && !self.out.reservation_type.is_held_by_all();
        let is_elsewhere = alone && self.holder_is_ours(self.told_after) == Some(false);
        is_elsewhere.then(|| {
            let expected = "this host to hold the reservation";
            Difference::new(expected, "another host holding it")
        })
    }

    /// Whether others can have kept this nexus from taking over the reservation, without being
    /// counted: the holder that was preempted may have released it just before.
    pub(super) fn may_have_come_late(&self) -> bool {
        let preempts = matches!(
            self.out.action,
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort
        );
        preempts && self.new_key() != ReservationKey::NONE
    }

    /// Whether one of this host's ports has the key, by what is `told`; `None` if that is not
    /// known.
    fn this_host_has(
        &self,
        key: ReservationKey,
        told: Option<&[FullStatusDescriptor]>,
    ) -> Option<bool> {
        self.any_is_ours(told?.iter().filter(|nexus| nexus.reservation_key == key))
    }

    /// Whether this host holds the reservation that one nexus holds alone; `None` if that is not
    /// known.
    fn holder_is_ours(&self, told: Option<&[FullStatusDescriptor]>) -> Option<bool> {
        let single = |held: &(Scope, ReservationType)| !held.1.is_held_by_all();
        let holds = |nexus: &&FullStatusDescriptor| nexus.held.as_ref().is_some_and(single);
        let mut holders = told?.iter().filter(holds).peekable();
        holders.peek()?;
        self.any_is_ours(holders)
    }

    fn any_is_ours<'n>(
        &self,
        nexuses: impl Iterator<Item = &'n FullStatusDescriptor>,
    ) -> Option<bool> {
        if self.sender.ports.is_empty() {
            return None;
        }
        let mut known = true;
        for nexus in nexuses {
            match name(nexus) {
                Some(id) if self.sender.has(id) => return Some(true),
                // Behind a gateway, the device knows none of our ports by the names that we know.
                Some(id) => known &= self.sender.speaks(id.protocol()),
                None => known = false,
            }
        }
        known.then_some(false)
    }

    /// Whether this host is seen to be registered with the key that the command registers.
    pub(super) fn this_host_registered(&self) -> bool {
        self.registers()
            && self.new_key() != ReservationKey::NONE
            && self.this_host_has(self.new_key(), self.told_after) == Some(true)
    }

    /// Whether a registration has come or gone where it is not known which one the command replaced
    /// or removed, so that none is missing without it.
    pub(super) fn has_replaced(&self) -> bool {
        let replaces = matches!(
            self.out.action,
            ServiceAction::RegisterAndIgnoreExistingKey | ServiceAction::RegisterAndMove
        );
        replaces
            && match self.new_key() {
                ReservationKey::NONE => self.gone() > 0,
                new => self.after.count(new) > self.before.count(new),
            }
    }

    /// Whether the state found shows by itself that the nexus is registered, or is not, as the
    /// command asked for.
    pub(super) fn is_certain(&self) -> bool {
        if !self.registers() {
            return false;
        }
        let is_host = self.sender.registrants == Registrants::Hosts;
        let names_no_key = self.own_key() == ReservationKey::NONE
            || self.out.action == ServiceAction::RegisterAndIgnoreExistingKey;
        match self.new_key() {
            ReservationKey::NONE => {
                let ours = self.told_after.and_then(|all| self.any_is_ours(all.iter()));
                let nobody = self.after.is_empty() || is_host && ours == Some(false);
                nobody && names_no_key
            }
            _ => is_host && self.this_host_registered(),
        }
    }

    /// What had to be there before, since a device server refuses the command otherwise. Others
    /// may have made it so without being counted, but then the effect is seen.
    pub(super) fn not_allowed(&self) -> Option<Difference> {
        let wanted = match self.out.action {
            ServiceAction::RegisterAndMove if self.held_by_our_key().is_none() => {
                format!("a reservation held by key {}", self.own_key())
            }
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort
                if self.new_key() == ReservationKey::NONE && shared(self.held_before).is_none() =>
            {
                "a reservation of all registrants".to_owned()
            }
            _ => return None,
        };
        let found = reservation_text(self.held_before);
        Some(Difference::new(
            format!("{wanted} before the command"),
            found,
        ))
    }

    /// What became of a registration that was not listed and was to be preempted, where a holder that
    /// is not listed either is left: it may be the same.
    pub(super) fn victim_may_hold(&self) -> Option<Difference> {
        let preempts = matches!(
            self.out.action,
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort
        );
        let victim = self.new_key();
        let is_open = preempts
            && victim != ReservationKey::NONE
            && !self.before.has(victim)
            && single(self.held_after)
                .is_some_and(|held| held.reservation_key == ReservationKey::NONE);
        is_open.then(|| {
            Difference::new(
                "a holder of the reservation that is listed",
                reservation_text(self.held_after),
            )
        })
    }

    /// Our own registration, left by a PREEMPT of our own key: one reading of the standard removes
    /// it too.
    pub(super) fn left_open(&self) -> Option<Difference> {
        let preempts = matches!(
            self.out.action,
            ServiceAction::Preempt | ServiceAction::PreemptAndAbort
        );
        let own = self.own_key();
        if !preempts || own != self.new_key() || self.takes_over() {
            return None;
        }
        let mut found = Vec::new();
        self.at_most(0, own, &mut found);
        found.pop()
    }

    /// Nothing shows that a registration holds for all target ports, as the command asked for.
    pub(super) fn not_for_all_target_ports(&self) -> Option<Difference> {
        let key = self.new_key();
        let asked = self.registers() && self.out.all_target_ports && key != ReservationKey::NONE;
        if !asked || self.sender.registrants == Registrants::Hosts {
            return None;
        }
        let nexuses: Vec<_> = self.told_after.unwrap_or_default().iter().collect();
        let nexuses = || nexuses.iter().filter(|nexus| nexus.reservation_key == key);
        let is_for_all = nexuses().any(|nexus| nexus.target_ports == TargetPorts::All);
        let through_another = |nexus: &FullStatusDescriptor| {
            nexuses().any(|other| {
                other.target_ports != nexus.target_ports && other.transport_id == nexus.transport_id
            })
        };
        let through_several = nexuses().any(|nexus| through_another(nexus))
            || self.after.count(key) >= self.before.count(key) + 2;
        if is_for_all || through_several {
            return None;
        }
        let expected = format!("ALL_TG_PT, or key {key} through several target ports");
        Some(Difference::new(expected, "neither"))
    }

    /// Whether registrations are to persist through a power loss.
    pub(super) fn asked_to_persist(&self) -> bool {
        let registers = self.registers() || self.out.action == ServiceAction::RegisterAndMove;
        registers && self.out.activate_persist_through_power_loss
    }

    /// Whether registrations have gone that this command cannot have removed.
    pub(super) fn others_left(&self) -> bool {
        let ignores = self.out.action == ServiceAction::RegisterAndIgnoreExistingKey;
        self.gone() > usize::from(ignores || self.own_key() != ReservationKey::NONE)
    }

    /// How many registrations that were there before are not there any more.
    fn gone(&self) -> usize {
        let counts = self.before.counted();
        counts
            .map(|(key, count)| count.saturating_sub(self.after.count(key)))
            .sum()
    }

    /// Nobody is registered but with this key, and once.
    fn alone(&self, key: ReservationKey, found: &mut Vec<Difference>) {
        for (other, _) in self.after.counted().filter(|&(other, _)| other != key) {
            self.at_most(0, other, found);
        }
        self.at_most(1, key, found);
        self.at_least(1, key, found);
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

    pub(super) fn at_most(&self, most: usize, key: ReservationKey, found: &mut Vec<Difference>) {
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
        let matches = if expected.reservation_type.is_held_by_all() {
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
        if self.reservations_are_told {
            found.push(Difference {
                expected,
                found: reservation_text(self.held_after),
            });
        }
    }

    /// Whether all registrants hold a reservation of this kind now. Its key should read 0; some
    /// device servers give that of a registrant.
    pub(super) fn is_shared_as(&self, scope: Scope, reservation_type: ReservationType) -> bool {
        self.held_after.is_some_and(|held| {
            (held.scope, held.reservation_type) == (scope, reservation_type)
                && reservation_type.is_held_by_all()
                && !self.after.is_empty()
                && (held.reservation_key == ReservationKey::NONE
                    || self.after.has(held.reservation_key))
        })
    }
}
