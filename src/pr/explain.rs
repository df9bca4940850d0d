//! Why a PERSISTENT RESERVE OUT ended with RESERVATION CONFLICT: which of the standard's rules it has
//! hit (SPC-5 5.13.7 to 5.13.11), by what is registered and reserved now.
//!
//! What is read after the command need not be what was there when it came. So a reason is what the
//! standard makes of the state as it was seen; where that gives none, that is said.

use std::collections::BTreeSet;

use super::ReservationKey;
use super::nexus::{Nexus, Standing, Unknown};
use super::prin::{FullStatusDescriptor, Reservation, TargetPorts};
use super::prout::{PersistentReserveOut, ServiceAction};
use super::snapshot::Snapshot;
use super::transport_id::TransportId;

/// A registration's nexus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The initiator port, or host; `None` where the device does not tell.
    pub initiator: Option<TransportId>,
    /// Its target port.
    pub target_ports: TargetPorts,
}

/// Why a command was refused, or what is to be known beside that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This nexus is not registered.
    NotRegistered,
    /// No registration has the reservation key that was given.
    NoSuchKey {
        /// The key.
        key: ReservationKey,
        /// Those that there are.
        registered: BTreeSet<ReservationKey>,
    },
    /// No reservation key was given, and the command takes that of the nexus.
    NoKeyGiven,
    /// This nexus is registered with another key than the one given.
    OtherKey {
        /// Its key; several, if it is not known which of several nexuses it is.
        own: BTreeSet<ReservationKey>,
        /// The one given.
        given: ReservationKey,
    },
    /// The key that was given is registered, but by others.
    KeyOfOthers {
        /// The key.
        key: ReservationKey,
        /// Who they are; empty where the device does not tell.
        owners: Vec<Owner>,
    },
    /// The key that was given is registered; whether by this nexus is not known.
    KeyOfSomebody {
        /// The key.
        key: ReservationKey,
        /// Who has it; empty where the device does not tell.
        owners: Vec<Owner>,
        /// Why it is not known.
        unknown: Unknown,
    },
    /// REGISTER without a reservation key, and this nexus is registered.
    AlreadyRegistered {
        /// With which key.
        own: BTreeSet<ReservationKey>,
    },
    /// REGISTER without a reservation key, which is refused to a registered nexus alone; whether
    /// this one is cannot be seen.
    PerhapsRegistered {
        /// The keys that there are.
        registered: BTreeSet<ReservationKey>,
        /// Why it is not known.
        unknown: Unknown,
    },
    /// There is a reservation that the command would have to replace.
    Held {
        /// The reservation.
        reservation: Reservation,
        /// Who holds it; empty where the device does not tell, and where all registrants do.
        holders: Vec<Owner>,
    },
    /// No registration has the key that was to be preempted.
    NobodyToPreempt {
        /// The key.
        key: ReservationKey,
    },
    /// REGISTER AND MOVE, and there is no reservation to move, or another nexus holds it.
    NotTheHolder {
        /// The reservation, if there is one.
        reservation: Option<Reservation>,
    },
    /// What was seen is no reason.
    NothingSeen,
}

/// Why `out`, sent through `nexus`, conflicts with what `snapshot` shows. At least one reason.
#[must_use]
pub fn reasons(snapshot: &Snapshot, out: &PersistentReserveOut, nexus: Nexus<'_>) -> Vec<Reason> {
    let standing = Standing::new(&snapshot.keys, &snapshot.full_status, nexus);
    let registered = registered(snapshot);
    let given = out.reservation_key;
    let mut reasons = Vec::new();
    let is_register = out.action == ServiceAction::Register;
    match (standing, out.action) {
        (_, ServiceAction::RegisterAndIgnoreExistingKey) => {}
        (Standing::Registered(own), _) if is_register && given == ReservationKey::NONE => {
            reasons.push(Reason::AlreadyRegistered { own });
        }
        (Standing::Unknown(unknown), _) if is_register && given == ReservationKey::NONE => {
            reasons.push(Reason::PerhapsRegistered {
                registered,
                unknown,
            });
        }
        (Standing::NotRegistered, _) if is_register && given == ReservationKey::NONE => {}
        (_, _) if given == ReservationKey::NONE => reasons.push(Reason::NoKeyGiven),
        (standing, _) => {
            let owners = || owners(snapshot, |descriptor| descriptor.reservation_key == given);
            let is_there = registered.contains(&given);
            let others_or_nobody = |registered| match is_there {
                true => Reason::KeyOfOthers {
                    key: given,
                    owners: owners(),
                },
                false => Reason::NoSuchKey {
                    key: given,
                    registered,
                },
            };
            match standing {
                Standing::Registered(own) if own.contains(&given) => {}
                Standing::Registered(own) => {
                    reasons.push(Reason::OtherKey { own, given });
                    reasons.push(others_or_nobody(registered));
                }
                Standing::NotRegistered => {
                    if !registered.is_empty() {
                        reasons.push(Reason::NotRegistered);
                    }
                    reasons.push(others_or_nobody(registered));
                }
                Standing::Unknown(_) if !is_there => reasons.push(others_or_nobody(registered)),
                Standing::Unknown(unknown) => {
                    reasons.extend(beyond_registration(snapshot, out));
                    reasons.push(Reason::KeyOfSomebody {
                        key: given,
                        owners: owners(),
                        unknown,
                    });
                    return reasons;
                }
            }
            if reasons.is_empty() {
                reasons.extend(beyond_registration(snapshot, out));
            }
        }
    }
    if reasons.is_empty() {
        reasons.push(Reason::NothingSeen);
    }
    reasons
}

/// What refuses the command of a nexus that is registered with the key given.
fn beyond_registration(snapshot: &Snapshot, out: &PersistentReserveOut) -> Option<Reason> {
    let held = snapshot.reservation.as_ref().ok()?.reservation;
    // Of several nexuses with one key, one holds the reservation, and the others do not.
    let keys = snapshot.keys.keys.iter();
    let is_only = keys.filter(|&&key| key == out.reservation_key).count() == 1;
    let holds = |held: Reservation| {
        held.reservation_type.is_held_by_all()
            || held.reservation_key == out.reservation_key && is_only
    };
    match out.action {
        ServiceAction::Reserve => {
            let reservation = held.filter(|held| {
                !holds(*held)
                    || (held.reservation_type, held.scope) != (out.reservation_type, out.scope)
            })?;
            let holders = match reservation.reservation_type.is_held_by_all() {
                true => Vec::new(),
                false => owners(snapshot, |descriptor| descriptor.held.is_some()),
            };
            Some(Reason::Held {
                reservation,
                holders,
            })
        }
        ServiceAction::Preempt | ServiceAction::PreemptAndAbort => {
            let key = out.service_action_reservation_key;
            let is_there = key == ReservationKey::NONE || registered(snapshot).contains(&key);
            (!is_there).then_some(Reason::NobodyToPreempt { key })
        }
        ServiceAction::RegisterAndMove => match held {
            Some(held) if holds(held) => None,
            reservation => Some(Reason::NotTheHolder { reservation }),
        },
        _ => None,
    }
}

/// The keys that there are. Where keys and full status are at odds, what one of them has is not said
/// to be nobody's.
fn registered(snapshot: &Snapshot) -> BTreeSet<ReservationKey> {
    let descriptors = snapshot
        .full_status
        .iter()
        .flat_map(|data| &data.descriptors);
    let described = descriptors.map(|descriptor| descriptor.reservation_key);
    snapshot
        .keys
        .keys
        .iter()
        .copied()
        .chain(described)
        .collect()
}

/// The nexuses of the registrations that are `wanted`.
fn owners(snapshot: &Snapshot, wanted: impl Fn(&FullStatusDescriptor) -> bool) -> Vec<Owner> {
    let Ok(data) = &snapshot.full_status else {
        return Vec::new();
    };
    let wanted = data.descriptors.iter().filter(|one| wanted(one));
    let owner = |descriptor: &FullStatusDescriptor| Owner {
        initiator: descriptor.transport_id.clone(),
        target_ports: descriptor.target_ports,
    };
    wanted.map(owner).collect()
}

impl Reason {
    /// The reason's name in documents for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotRegistered => "not_registered",
            Self::NoSuchKey { .. } => "no_such_key",
            Self::NoKeyGiven => "no_key_given",
            Self::OtherKey { .. } => "other_key",
            Self::KeyOfOthers { .. } => "key_of_others",
            Self::KeyOfSomebody { .. } => "key_of_somebody",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::PerhapsRegistered { .. } => "perhaps_registered",
            Self::Held { .. } => "held",
            Self::NobodyToPreempt { .. } => "nobody_to_preempt",
            Self::NotTheHolder { .. } => "not_the_holder",
            Self::NothingSeen => "nothing_seen",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::pr::effect::Registrants;
    use crate::pr::prin::{ReadFullStatus, ReadKeys, ReadReservation};
    use crate::pr::snapshot::NoAnswer;
    use crate::pr::{ReservationType, Scope};

    const ONE: TargetPorts = TargetPorts::Relative(1);

    fn key(key: u64) -> ReservationKey {
        ReservationKey(key)
    }

    fn set(keys: &[u64]) -> BTreeSet<ReservationKey> {
        keys.iter().copied().map(ReservationKey).collect()
    }

    /// Each key with the FCP port that registered it, and the reservation.
    fn snapshot(registered: &[(u64, u64)], held: Option<(u64, u8)>) -> Snapshot {
        let reservation = held.map(|(holder, code)| Reservation {
            reservation_key: key(holder),
            scope: Scope::LU_SCOPE,
            reservation_type: ReservationType::from_low_bits(code),
        });
        let descriptor = |&(one, port): &(u64, u64)| FullStatusDescriptor {
            reservation_key: key(one),
            target_ports: ONE,
            held: reservation
                .filter(|held| held.reservation_key == key(one))
                .map(|held| (held.scope, held.reservation_type)),
            transport_id: Some(TransportId::fcp(port)),
        };
        Snapshot {
            keys: ReadKeys {
                generation: 1,
                keys: registered.iter().map(|&(one, _)| key(one)).collect(),
            },
            reservation: Ok(ReadReservation {
                generation: 1,
                reservation,
            }),
            full_status: Ok(ReadFullStatus {
                generation: 1,
                descriptors: registered.iter().map(descriptor).collect(),
            }),
        }
    }

    fn out(action: ServiceAction, rk: u64, sark: u64) -> PersistentReserveOut {
        PersistentReserveOut {
            reservation_key: key(rk),
            service_action_reservation_key: key(sark),
            reservation_type: ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
            ..PersistentReserveOut::new(action)
        }
    }

    fn by(snapshot: &Snapshot, out: &PersistentReserveOut, ports: &[TransportId]) -> Vec<Reason> {
        let nexus = Nexus {
            registrants: Registrants::Nexuses,
            ports,
            target_port: Some(1),
        };
        reasons(snapshot, out, nexus)
    }

    fn owner(port: u64) -> Vec<Owner> {
        vec![Owner {
            initiator: Some(TransportId::fcp(port)),
            target_ports: ONE,
        }]
    }

    /// What one of two lists at odds has is not said to be nobody's.
    #[test]
    fn a_key_that_full_status_alone_has() {
        let mut seen = snapshot(&[(1, 0xa), (2, 0xb)], None);
        seen.keys.keys.pop();
        let somebody = Reason::KeyOfSomebody {
            key: key(2),
            owners: owner(0xb),
            unknown: Unknown::Contradiction,
        };
        let ports = [TransportId::fcp(0xb)];
        let clear = out(ServiceAction::Clear, 2, 0);
        assert_eq!(by(&seen, &clear, &ports), [somebody]);
        let preempt = out(ServiceAction::Preempt, 1, 2);
        let reasons = by(&seen, &preempt, &ports);
        assert!(!reasons.contains(&Reason::NobodyToPreempt { key: key(2) }));
        assert_eq!(reasons.len(), 1, "{reasons:?}");
    }

    #[test]
    fn a_key_that_nobody_has() {
        let seen = snapshot(&[(1, 0xa), (2, 0xb)], None);
        let clear = out(ServiceAction::Clear, 0x5eed, 0);
        let nobody = Reason::NoSuchKey {
            key: key(0x5eed),
            registered: set(&[1, 2]),
        };
        assert_eq!(by(&seen, &clear, &[]), std::slice::from_ref(&nobody));
        assert_eq!(
            by(&seen, &clear, &[TransportId::fcp(0xc)]),
            [Reason::NotRegistered, nobody.clone()]
        );
        assert_eq!(
            by(&seen, &clear, &[TransportId::fcp(0xb)]),
            [
                Reason::OtherKey {
                    own: set(&[2]),
                    given: key(0x5eed)
                },
                nobody
            ]
        );
        assert_eq!(
            by(&seen, &out(ServiceAction::Clear, 0, 0), &[]),
            [Reason::NoKeyGiven]
        );
    }

    #[test]
    fn a_key_of_others() {
        let seen = snapshot(&[(1, 0xa), (2, 0xb)], None);
        let reserve = out(ServiceAction::Reserve, 1, 0);
        let others = Reason::KeyOfOthers {
            key: key(1),
            owners: owner(0xa),
        };
        assert_eq!(
            by(&seen, &reserve, &[TransportId::fcp(0xc)]),
            [Reason::NotRegistered, others.clone()]
        );
        assert_eq!(
            by(&seen, &reserve, &[TransportId::fcp(0xb)]),
            [
                Reason::OtherKey {
                    own: set(&[2]),
                    given: key(1)
                },
                others
            ]
        );
        assert_eq!(
            by(&seen, &reserve, &[]),
            [Reason::KeyOfSomebody {
                key: key(1),
                owners: owner(0xa),
                unknown: Unknown::NoPorts
            }]
        );
        // What it has to be by what is there: the state has changed, or is not of this kind.
        assert_eq!(
            by(&seen, &reserve, &[TransportId::fcp(0xa)]),
            [Reason::NothingSeen]
        );
    }

    #[test]
    fn register_without_the_present_key() {
        let seen = snapshot(&[(0xb, 0xa)], None);
        let register = out(ServiceAction::Register, 0, 0xb);
        assert_eq!(
            by(&seen, &register, &[TransportId::fcp(0xa)]),
            [Reason::AlreadyRegistered { own: set(&[0xb]) }]
        );
        assert_eq!(
            by(&seen, &register, &[]),
            [Reason::PerhapsRegistered {
                registered: set(&[0xb]),
                unknown: Unknown::NoPorts
            }]
        );
        assert_eq!(
            by(&seen, &register, &[TransportId::fcp(0xc)]),
            [Reason::NothingSeen]
        );
        let ignore = out(ServiceAction::RegisterAndIgnoreExistingKey, 0, 0xb);
        assert_eq!(by(&seen, &ignore, &[]), [Reason::NothingSeen]);
    }

    #[test]
    fn a_reservation_in_the_way() {
        let seen = snapshot(&[(1, 0xa), (2, 0xb)], Some((1, 3)));
        let held = Reason::Held {
            reservation: seen.reservation.as_ref().unwrap().reservation.unwrap(),
            holders: owner(0xa),
        };
        let reserve = out(ServiceAction::Reserve, 2, 0);
        assert_eq!(
            by(&seen, &reserve, &[TransportId::fcp(0xb)]),
            std::slice::from_ref(&held)
        );
        // By ourselves, with another type.
        let reserve = out(ServiceAction::Reserve, 1, 0);
        assert_eq!(by(&seen, &reserve, &[TransportId::fcp(0xa)]), [held]);
        let reserve = PersistentReserveOut {
            reservation_type: ReservationType::EXCLUSIVE_ACCESS,
            ..reserve
        };
        assert_eq!(
            by(&seen, &reserve, &[TransportId::fcp(0xa)]),
            [Reason::NothingSeen]
        );
    }

    /// A host that registers each of its paths with the same key reserves through one of them.
    #[test]
    fn a_reservation_of_another_nexus_with_the_same_key() {
        let mut seen = snapshot(&[(1, 0xa), (1, 0xb)], Some((1, 5)));
        if let Ok(data) = &mut seen.full_status {
            data.descriptors[1].held = None;
        }
        let reserve = out(ServiceAction::Reserve, 1, 0);
        assert_eq!(
            by(&seen, &reserve, &[TransportId::fcp(0xb)]),
            [Reason::Held {
                reservation: seen.reservation.as_ref().unwrap().reservation.unwrap(),
                holders: owner(0xa),
            }]
        );
    }

    #[test]
    fn a_key_that_nobody_has_is_not_preempted() {
        let seen = snapshot(&[(1, 0xa)], None);
        let preempt = out(ServiceAction::PreemptAndAbort, 1, 7);
        assert_eq!(
            by(&seen, &preempt, &[TransportId::fcp(0xa)]),
            [Reason::NobodyToPreempt { key: key(7) }]
        );
        assert_eq!(by(&seen, &preempt, &[]).len(), 2);
        let moves = out(ServiceAction::RegisterAndMove, 1, 7);
        assert_eq!(
            by(&seen, &moves, &[TransportId::fcp(0xa)]),
            [Reason::NotTheHolder { reservation: None }]
        );
    }

    #[test]
    fn without_full_status_the_keys_tell_what_they_can() {
        let mut seen = snapshot(&[(1, 0xa)], None);
        seen.full_status = Err(NoAnswer::Unsupported);
        let port = [TransportId::fcp(0xa)];
        let unknown = Unknown::NoFullStatus(NoAnswer::Unsupported);
        assert_eq!(
            by(&seen, &out(ServiceAction::Clear, 1, 0), &port),
            [Reason::KeyOfSomebody {
                key: key(1),
                owners: Vec::new(),
                unknown
            }]
        );
        assert_eq!(
            by(&seen, &out(ServiceAction::Clear, 2, 0), &port),
            [Reason::NoSuchKey {
                key: key(2),
                registered: set(&[1])
            }]
        );
    }
}
