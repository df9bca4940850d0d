//! What must be true after a PERSISTENT RESERVE OUT that ended with GOOD (SPC-5 5.13, 6.17).
//!
//! [`check`] compares the state that was read before the command with the one read after it. It
//! does not know which of the nexuses with a key sent the command, nor what other nexuses did in
//! between, and finds fault with a device server only where neither can be the reason.
//!
//! # What others can have done
//!
//! PRGENERATION tells most of it, but not all:
//!
//! - RESERVE and RELEASE are not counted, by the standard;
//! - some device servers do not count a REGISTER that removes a registration;
//! - whatever adds or replaces a registration, or removes those of other nexuses, is counted.
//!
//! So while PRGENERATION moves no further than the command itself must move it, other nexuses can
//! only have unregistered, reserved and released: no registration can have come from them, ours
//! cannot have gone by them, and a reservation that is ours alone cannot have changed by them.
//!
//! # What [`Verdict::Holds`] claims
//!
//! (Where READ RESERVATION has no answer, it is claimed of the REGISTER of a nexus that was not
//! registered alone: such a nexus holds nothing.)
//!
//! That the state named below is there, and that the command has led to it: either the state
//! before the command was another one, or PRGENERATION moved by the one that the command counts.
//! What was there before is no effect while PRGENERATION stands still; nor is it one where
//! PRGENERATION moved further, since all of that may be the work of others.
//!
//! | service action | what is there now | where it was there before |
//! |---|---|---|
//! | REGISTER, REGISTER AND IGNORE EXISTING KEY | one more registration with the new key (with a key replaced: at least one, and one less with the old key); a reservation that was this nexus' has the new key | PRGENERATION |
//! | the same, with this host's ports and full status known | besides, one of this host's ports has the new key | PRGENERATION, by however much; NVMe: nothing more, the host itself is registered |
//! | the same with SPEC_I_PT | besides, every initiator port named has the new key; without full status, as many more registrations | PRGENERATION |
//! | the same with ALL_TG_PT | besides, full status has ALL_TG_PT or several target ports for it, or two registrations more came | PRGENERATION |
//! | the same with APTPL | besides, PTPL_A is set; no device is asked whether it was before | PRGENERATION |
//! | the same with key 0 | one registration less with the old key, and no reservation that it held; with no key given, fewer registrations than before | PRGENERATION, no registration at all, or (NVMe) none of this host |
//! | RESERVE | a reservation of this scope and type that the key holds (by full status: this host, where its ports are known) | nothing more: the standard counts no RESERVE, and one repeated changes nothing |
//! | RELEASE | no reservation that the key holds, or that all registrants did hold | nothing more, likewise |
//! | CLEAR | no registration, no reservation | PRGENERATION |
//! | PREEMPT, PREEMPT AND ABORT | no registration with the key preempted; ours; the reservation ours if it was preempted. Whether commands were aborted is not asked | PRGENERATION, and no holder that is not listed |
//! | the same with key 0 | our registration alone, and the reservation ours | never, without a reservation of all registrants |
//! | the same with our own key | no registration with it, unless the reservation was to become ours | PRGENERATION |
//! | REGISTER AND MOVE | the new key registered (by full status: for the port named) and holding the reservation; ours there, or gone, as asked | PRGENERATION, and the reservation was ours |
//! | REPLACE LOST RESERVATION | the new registration alone, and the reservation its | PRGENERATION |

mod expected;
mod outcomes;
mod state;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;

use thiserror::Error;

use super::ReservationKey;
use super::prin::{FullStatusDescriptor, Reservation};
use super::prout::{PersistentReserveOut, ServiceAction};

use state::Keys;
pub use state::{Registrants, Sender, State};

/// What two states tell about a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that the command must have done is there, and came by it (see the module's table).
    Holds,
    /// Something is not there, but other nexuses can have undone it; or it is there, but need not
    /// have come by the command.
    Disturbed(Disturbed),
    /// Something is not there, and the device server is the only one to blame.
    Mismatch(Mismatch),
}

/// The state that was read is not the one that the command must have left. As text: one line for
/// each difference.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", lines(differences))]
#[non_exhaustive]
pub struct Mismatch {
    /// The expectations that do not hold; at least one.
    pub differences: Vec<Difference>,
}

/// It cannot be told whether the command had its effect. As text: a line with the reason, and one
/// for each difference.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{doubt}\n{}", lines(differences))]
#[non_exhaustive]
pub struct Disturbed {
    /// Why it cannot be told.
    pub doubt: Doubt,
    /// The expectations that do not hold; at least one.
    pub differences: Vec<Difference>,
}

/// Why it cannot be told whether a command had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Doubt {
    /// PRGENERATION went further than the command alone must have moved it.
    #[error(
        "PRGENERATION went from {before:#x} to {after:#x}, so others may have made changes too"
    )]
    Counted {
        /// PRGENERATION before the command.
        before: u32,
        /// PRGENERATION after it.
        after: u32,
    },
    /// What others may have done is not counted.
    #[error(
        "others may have unregistered, reserved or released, which PRGENERATION need not count"
    )]
    Uncounted,
    /// The state was like this before, and PRGENERATION does not show that anything was done.
    #[error("the device was in this state before, and PRGENERATION does not show a change")]
    Unchanged,
    /// The state was like this before, and PRGENERATION went further than the command moves it.
    #[error("the device was in this state before, and PRGENERATION shows changes by others")]
    Hidden,
    /// The standard refuses the command, or leaves open what it does.
    #[error("the standard does not say what a device that accepts this must do")]
    LeftOpen,
    /// The device does not tell what has to be known.
    #[error("the device does not tell enough")]
    NotTold,
}

impl Mismatch {
    /// One difference.
    #[cfg(feature = "cli")]
    pub(crate) fn of(expected: String, found: &str) -> Self {
        Self {
            differences: vec![Difference::new(expected, found)],
        }
    }
}

impl Disturbed {
    /// One difference, and why it proves nothing.
    #[cfg(feature = "cli")]
    pub(crate) fn of(doubt: Doubt, expected: String, found: &str) -> Self {
        Self {
            doubt,
            differences: vec![Difference::new(expected, found)],
        }
    }
}

/// An expectation that does not hold, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// What must be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Difference {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            found: found.into(),
        }
    }
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
///
/// `sender` is who sent it. Whatever the states lack (an answer about the reservation, full status,
/// [`State::persists`]) is not known; where the command cannot be judged without it, the verdict is
/// a doubt.
#[must_use]
pub fn check(
    before: &State,
    out: &PersistentReserveOut,
    after: &State,
    sender: Sender<'_>,
) -> Verdict {
    let doubtful = |doubt, differences| Verdict::Disturbed(Disturbed { doubt, differences });
    let mut not_told = reservations_not_told(before, out, after);
    let hosts_are_told = before.full_status.is_some() && after.full_status.is_some();
    if sender.registrants == Registrants::Hosts && !hosts_are_told {
        let difference = Difference::new("a list of the registered hosts", "none");
        not_told.insert(0, difference);
        return doubtful(Doubt::NotTold, not_told);
    }
    let view = View::new(before, out, after, sender);
    if !not_told.is_empty() {
        // Whether others are the reason for what is missing cannot be told without it either.
        not_told.extend(view.missing_effects());
        return doubtful(Doubt::NotTold, not_told);
    }
    let moved = after.generation.wrapping_sub(before.generation);
    let counted = moved > least_count(out);
    let by_others = match counted {
        true => Doubt::Counted {
            before: before.generation,
            after: after.generation,
        },
        false => Doubt::Uncounted,
    };
    let outcomes = view.outcomes();
    let explained = outcomes.iter().any(|outcome| view.may_follow(outcome));

    let mut missing = view.missing_effects();
    let registered_elsewhere = view.not_registered_by_this_host();
    let held_elsewhere = view.not_held_by_this_host();
    if !missing.is_empty() || registered_elsewhere.is_some() || held_elsewhere.is_some() {
        let by_others_here = registered_elsewhere.is_none()
            && (held_elsewhere.is_none() || view.may_have_come_late());
        let excused = counted || explained && by_others_here;
        missing.extend(registered_elsewhere);
        missing.extend(held_elsewhere);
        return match excused {
            true => doubtful(by_others, missing),
            false => Verdict::Mismatch(Mismatch {
                differences: missing,
            }),
        };
    }
    if !counted && !explained {
        let differences = view.unexplained(&outcomes);
        return Verdict::Mismatch(Mismatch { differences });
    }

    // All is there that must be. Did it come by the command?
    let idle = View::new(before, out, before, sender);
    let is_new = !idle.missing_effects().is_empty()
        || idle.not_registered_by_this_host().is_some()
        || idle.not_held_by_this_host().is_some()
        || idle.left_open().is_some() && view.left_open().is_none()
        || view.has_replaced();
    if !is_new {
        if let Some(difference) = view.not_allowed() {
            return doubtful(Doubt::LeftOpen, vec![difference]);
        }
        if let Some(difference) = view.victim_may_hold() {
            return doubtful(Doubt::NotTold, vec![difference]);
        }
        let count = standard_count(out);
        let by_generation = moved == count && explained || count == 0;
        let by_host = view.is_certain() || moved > 0 && view.this_host_registered();
        if !by_generation && !by_host {
            let doubt = match moved {
                0 => Doubt::Unchanged,
                _ => Doubt::Hidden,
            };
            let expected = before.generation.wrapping_add(count);
            let difference = Difference::new(
                format!(
                    "PRGENERATION to go from {:#x} to {expected:#x}",
                    before.generation
                ),
                format!("{:#x}", after.generation),
            );
            return doubtful(doubt, vec![difference]);
        }
    }
    if let Some(difference) = view.left_open() {
        return doubtful(Doubt::LeftOpen, vec![difference]);
    }
    if let Some(difference) = view.not_for_all_target_ports() {
        return doubtful(Doubt::NotTold, vec![difference]);
    }
    match view.asked_to_persist().then_some(after.persists) {
        None | Some(Some(true)) => Verdict::Holds,
        Some(persists) => {
            let found = persists.map_or("nothing: it is not reported", |_| "0");
            let difference = vec![Difference::new(
                "PTPL_A 1 (persistent through power loss)",
                found,
            )];
            match persists {
                None => doubtful(Doubt::NotTold, difference),
                // Who registers or unregisters may have set it anew.
                Some(_) if counted || view.others_left() => doubtful(by_others, difference),
                Some(_) => Verdict::Mismatch(Mismatch {
                    differences: difference,
                }),
            }
        }
    }
}

/// The answers about the reservation that are none, where the command cannot be judged without them.
/// A nexus that was not registered holds nothing: what it registers has to do with no reservation.
fn reservations_not_told(
    before: &State,
    out: &PersistentReserveOut,
    after: &State,
) -> Vec<Difference> {
    let is_first_registration = out.action == ServiceAction::Register
        && out.reservation_key == ReservationKey::NONE
        && out.service_action_reservation_key != ReservationKey::NONE;
    if is_first_registration {
        return Vec::new();
    }
    let answers = [
        ("before", &before.reservation),
        ("after", &after.reservation),
    ];
    let none = answers.into_iter().filter_map(|(when, answer)| {
        let reason = answer.as_ref().err()?;
        Some(Difference::new(
            format!("the reservation {when} the command to be told"),
            format!("no answer: {reason}"),
        ))
    });
    none.collect()
}

/// By how much every device server in use moves PRGENERATION for this command, at the least.
fn least_count(out: &PersistentReserveOut) -> u32 {
    match out.action {
        ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey => {
            u32::from(out.service_action_reservation_key != ReservationKey::NONE)
        }
        _ => standard_count(out),
    }
}

/// By how much this command moves PRGENERATION by the standard (SPC-5 6.16.2).
fn standard_count(out: &PersistentReserveOut) -> u32 {
    match out.action {
        ServiceAction::Reserve | ServiceAction::Release => 0,
        ServiceAction::Register
        | ServiceAction::RegisterAndIgnoreExistingKey
        | ServiceAction::Clear
        | ServiceAction::Preempt
        | ServiceAction::PreemptAndAbort
        | ServiceAction::RegisterAndMove
        | ServiceAction::ReplaceLostReservation => 1,
    }
}

/// The command with both states.
struct View<'a> {
    out: &'a PersistentReserveOut,
    sender: Sender<'a>,
    /// Whether both answers about the reservation are some. Otherwise none is looked at.
    reservations_are_told: bool,
    before: Keys,
    held_before: Option<Reservation>,
    told_before: Option<&'a [FullStatusDescriptor]>,
    after: Keys,
    held_after: Option<Reservation>,
    told_after: Option<&'a [FullStatusDescriptor]>,
}

impl<'a> View<'a> {
    fn new(
        before: &'a State,
        out: &'a PersistentReserveOut,
        after: &'a State,
        sender: Sender<'a>,
    ) -> Self {
        let reservations_are_told = before.reservation.is_ok() && after.reservation.is_ok();
        let held = |state: &State| {
            let answer = state.reservation.as_ref().ok();
            answer.copied().flatten().filter(|_| reservations_are_told)
        };
        Self {
            out,
            sender,
            reservations_are_told,
            before: before.registrations(sender.registrants),
            held_before: held(before),
            told_before: before.full_status.as_deref(),
            after: after.registrations(sender.registrants),
            held_after: held(after),
            told_after: after.full_status.as_deref(),
        }
    }

    fn own_key(&self) -> ReservationKey {
        self.out.reservation_key
    }

    fn new_key(&self) -> ReservationKey {
        self.out.service_action_reservation_key
    }

    /// The nexus' registration under the new key, or its removal.
    fn registers(&self) -> bool {
        matches!(
            self.out.action,
            ServiceAction::Register | ServiceAction::RegisterAndIgnoreExistingKey
        )
    }

    /// The reservation, if one nexus alone held it, and by this nexus' key.
    fn held_by_our_key(&self) -> Option<Reservation> {
        state::single(self.held_before).filter(|held| held.reservation_key == self.own_key())
    }
}
