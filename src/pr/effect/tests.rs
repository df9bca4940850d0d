#![allow(clippy::unwrap_used)]

use super::*;
use crate::pr::prin::{Malformed, ReadFullStatus, ReadKeys, ReadReservation, TargetPorts};
use crate::pr::transport_id::TransportId;
use crate::pr::{ReservationType, Scope};

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
        reservation: Ok(reservation),
        full_status: None,
        persists: None,
    }
}

/// A registration of a nexus or a host.
fn nexus(key: u64, initiator: TransportId) -> FullStatusDescriptor {
    FullStatusDescriptor {
        reservation_key: ReservationKey(key),
        target_ports: TargetPorts::Relative(1),
        held: None,
        transport_id: Some(initiator),
    }
}

fn out(action: ServiceAction, own: u64, new: u64, reservation_type: u8) -> PersistentReserveOut {
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

/// Nobody knows which nexus.
const SOMEBODY: Sender<'_> = Sender {
    registrants: Registrants::Nexuses,
    ports: &[],
};

/// The states around one command.
struct Case(State, PersistentReserveOut);

impl Case {
    fn new(
        keys: &[u64],
        reservation: Option<Reservation>,
        action: ServiceAction,
        (own, new, reservation_type): (u64, u64, u8),
    ) -> Self {
        let out = out(action, own, new, reservation_type);
        Self(state(0, keys, reservation), out)
    }

    fn check(&self, moved: u32, keys: &[u64], reservation: Option<Reservation>) -> Verdict {
        check(&self.0, &self.1, &state(moved, keys, reservation), SOMEBODY)
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
        reservation: Ok(Some(reservation)),
        full_status: None,
        persists: None,
    };
    let state = |reservations: &ReadReservation| State::new(&keys, Ok(reservations.clone()));
    assert_eq!(state(&reservations), Some(expected));
    reservations.reservation = None;
    assert_eq!(state(&reservations).unwrap().reservation, Ok(None));
    reservations.generation = 8;
    assert_eq!(state(&reservations), None);
    let not_told = State::new(&keys, Err(Malformed::SeveralReservations(2))).unwrap();
    assert_eq!(
        (not_told.keys, not_told.reservation),
        (keys.keys, Err(Malformed::SeveralReservations(2)))
    );
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
            .disturbed(0, &[B], held(B, WE))
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
    .disturbed(0, &[A, B], held(A, WE))
    .holds(1, &[A, B], held(A, WE))
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
        .disturbed(0, &[A, A], held(A, WE))
        .holds(0, &[A, A], None);
    // By another type than the reservation has: the standard refuses it.
    Case::new(&[A], held(A, WE), Release, (A, NONE, EA))
        .disturbed(0, &[A], held(A, WE))
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
        // Ours may have to go, too.
        .disturbed(1, &[A, B], held(B, WE))
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
    Case::new(&[A, B], held(B, WE), Preempt, (A, NONE, EA))
        .disturbed(0, &[A, B], held(B, WE))
        .disturbed(1, &[A, B], held(B, WE))
        // B may have reserved for all, just before.
        .holds(1, &[A], held(A, EA));
    Case::new(&[A], held(A, EA), Preempt, (A, NONE, EA)).disturbed(1, &[A], held(A, EA));
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
        .fails(
            1,
            &[A, B],
            held(A, EA),
            "expected no registration with key 0xb, found 1",
        )
        .fails(
            1,
            &[B],
            held(B, WE),
            "expected no registration with key 0xb, found 1\n\
             expected at least 1 registration with key 0xa, found none\n\
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
        // They may have unregistered.
        .disturbed(1, &[A, B], held(B, WE))
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
            "expected at least 3 registrations with key 0xa, found none",
        );
}

#[test]
fn register_for_all_target_ports() {
    let mut case = Case::new(&[B], held(B, WE), Register, (NONE, A, 0));
    case.1.all_target_ports = true;
    case.holds(1, &[A, A, A, A, A, B], held(B, WE))
        // Through one of the ports.
        .disturbed(1, &[A, B], held(B, WE))
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

/// Hosts of an NVM subsystem: entries of key and host before and after a command, and this host.
struct Hosts<'a> {
    before: &'a [(u64, u8)],
    held_before: Option<Reservation>,
    out: PersistentReserveOut,
    known: Option<u8>,
}

fn host(number: u8) -> TransportId {
    TransportId::nvme_host(&[number; 16]).unwrap()
}

fn host_state(moved: u32, entries: &[(u64, u8)], reservation: Option<Reservation>) -> State {
    let keys: Vec<u64> = entries.iter().map(|entry| entry.0).collect();
    let entries = entries.iter();
    State {
        full_status: Some(
            entries
                .map(|&(key, number)| nexus(key, host(number)))
                .collect(),
        ),
        ..state(moved, &keys, reservation)
    }
}

impl<'a> Hosts<'a> {
    fn new(
        before: &'a [(u64, u8)],
        held_before: Option<Reservation>,
        action: ServiceAction,
        (own, new, reservation_type): (u64, u64, u8),
    ) -> Self {
        Self {
            before,
            held_before,
            out: out(action, own, new, reservation_type),
            known: None,
        }
    }

    fn known(mut self, number: u8) -> Self {
        self.known = Some(number);
        self
    }

    /// Status of `--verify`, in short, and the text.
    fn check(&self, moved: u32, after: &[(u64, u8)], held: Option<Reservation>) -> (u8, String) {
        let ports: Vec<_> = self.known.into_iter().map(host).collect();
        let sender = Sender {
            registrants: Registrants::Hosts,
            ports: &ports,
        };
        let before = host_state(0, self.before, self.held_before);
        match check(&before, &self.out, &host_state(moved, after, held), sender) {
            Verdict::Holds => (0, String::new()),
            Verdict::Mismatch(mismatch) => (37, mismatch.to_string()),
            Verdict::Disturbed(disturbed) => (38, disturbed.to_string()),
        }
    }

    #[track_caller]
    fn ends(
        &self,
        status: u8,
        moved: u32,
        after: &[(u64, u8)],
        held: Option<Reservation>,
    ) -> &Self {
        let (found, text) = self.check(moved, after, held);
        assert_eq!(found, status, "{text}");
        self
    }
}

/// A reservation of all registrants is anybody's to release, one that is to be preempted its
/// holder's, and nothing counts that.
#[test]
fn others_may_have_released_what_is_not_this_hosts_alone() {
    let ours = TransportId::sas(0x5000);
    let theirs = || TransportId::sas(0x5001);
    let sender = Sender {
        registrants: Registrants::Nexuses,
        ports: std::slice::from_ref(&ours),
    };
    let told = |moved, reservation: Option<Reservation>, holder_is_other| {
        let mut other = nexus(B, theirs());
        other.held = reservation
            .filter(|_| holder_is_other)
            .map(|held| (held.scope, held.reservation_type));
        State {
            full_status: Some(vec![nexus(A, ours.clone()), other]),
            ..state(moved, &[A, B], reservation)
        }
    };
    let theirs_alone = |moved| told(moved, held(B, WE), true);
    let reserve = |kind| {
        let out = out(Reserve, A, NONE, kind);
        check(&told(0, None, false), &out, &theirs_alone(0), sender)
    };
    for kind in [WE_AR, EA_AR] {
        assert!(matches!(reserve(kind), Verdict::Disturbed(_)), "{kind}");
        // Our key held it, and the reservation became that of all.
        let preempt = out(Preempt, A, A, kind);
        let before = told(0, held(A, WE), false);
        let verdict = check(&before, &preempt, &theirs_alone(1), sender);
        assert!(matches!(verdict, Verdict::Disturbed(_)), "{kind}");
    }
    // The holder released it before it was preempted, and somebody else reserved since.
    for (victim, before, after) in [(A, held(A, WE), held(B, WE)), (C, held(C, WE), held(B, EA))] {
        let preempt = out(Preempt, A, victim, WE);
        let mut before = told(0, before, false);
        before.keys.push(ReservationKey(victim));
        let verdict = check(&before, &preempt, &told(1, after, true), sender);
        assert!(matches!(verdict, Verdict::Disturbed(_)), "{verdict:?}");
    }
    // What is this host's alone, nobody else can have taken.
    for kind in [WE, EA, WE_RO, EA_RO] {
        assert!(matches!(reserve(kind), Verdict::Mismatch(_)), "{kind}");
    }
}

#[test]
fn a_host_may_register_its_key_again() {
    let two = [(A, 1), (B, 2)];
    let again = || Hosts::new(&two, held(B, WE), Register, (NONE, A, 0));
    // Which of the hosts it was is not known, and nothing shows it.
    again()
        .ends(38, 0, &two, held(B, WE))
        .ends(0, 1, &two, held(B, WE))
        .ends(0, 1, &[(A, 1), (A, 3), (B, 2)], held(B, WE))
        .ends(37, 1, &[(B, 2)], held(B, WE));
    // This host is registered: that is all there is to do.
    again()
        .known(1)
        .ends(0, 0, &two, held(B, WE))
        .ends(0, 1, &two, held(B, WE));
    // Another one is.
    again()
        .known(3)
        .ends(37, 0, &two, held(B, WE))
        .ends(37, 1, &two, held(B, WE))
        .ends(0, 1, &[(A, 1), (A, 3), (B, 2)], held(B, WE));
    Hosts::new(&[(B, 2)], None, Register, (NONE, A, 0)).ends(37, 1, &[(B, 2)], None);
}

#[test]
fn a_host_is_listed_for_each_of_its_controllers() {
    let twice = [(A, 1), (A, 1)];
    Hosts::new(&[], None, Register, (NONE, A, 0)).ends(0, 1, &twice, None);
    Hosts::new(&twice, held(A, WE), Register, (A, B, 0))
        .ends(0, 1, &[(B, 1), (B, 1)], held(B, WE))
        .ends(37, 1, &[(A, 1), (B, 1)], held(B, WE));
    Hosts::new(&twice, held(A, WE), Register, (A, NONE, 0))
        .ends(0, 0, &[], None)
        .ends(0, 1, &[], None)
        // One of the entries is left, and so is the registration.
        .ends(37, 0, &[(A, 1)], None)
        .ends(38, 1, &[(A, 1)], None);
    Hosts::new(&twice, held(A, WE), Release, (A, NONE, WE))
        .ends(0, 0, &twice, None)
        .ends(37, 0, &twice, held(A, WE));
    let three = [(A, 1), (A, 1), (B, 2)];
    Hosts::new(&three, held(NONE, WE_AR), Preempt, (A, NONE, EA))
        .ends(0, 1, &twice, held(A, EA))
        .ends(37, 1, &three, held(A, EA));
    Hosts::new(&three, held(A, WE), Preempt, (A, A, EA)).ends(0, 1, &three, held(A, EA));
    // Two hosts with one key stay two.
    let two = [(A, 1), (A, 2)];
    Hosts::new(&two, held(A, WE), Release, (A, NONE, WE)).ends(38, 0, &two, held(A, WE));
    Hosts::new(&two, None, Register, (A, NONE, 0)).ends(0, 0, &[(A, 2)], None);
    // So do hosts without an identifier, one on each controller; and they are nobody's.
    let two = [(A, 0), (A, 0)];
    Hosts::new(&two, None, Register, (A, NONE, 0)).ends(0, 0, &[(A, 0)], None);
    Hosts::new(&two, None, Register, (NONE, A, 0))
        .known(0)
        .ends(38, 0, &two, None)
        .ends(0, 1, &two, None);
}

/// A dead host's entries may have gone from the list, with the reservation still its own: whether
/// it was preempted shows by nothing but the reservation.
#[test]
fn a_holder_that_is_not_listed_may_be_the_one_preempted() {
    for action in [Preempt, PreemptAndAbort] {
        let preempt = Hosts::new(&[(A, 1)], held(NONE, WE), action, (A, B, WE));
        preempt.ends(38, 1, &[(A, 1)], held(NONE, WE));
        preempt.ends(0, 1, &[(A, 1)], held(A, WE));
        // One that is listed is not the holder.
        let listed = &[(A, 1), (B, 2)];
        let preempt = Hosts::new(listed, held(NONE, WE), action, (A, B, WE));
        preempt.ends(0, 1, &[(A, 1)], held(NONE, WE));
    }
}

#[test]
fn a_host_that_is_not_registered_any_more() {
    let unregister = || {
        Hosts::new(
            &[(B, 2)],
            None,
            RegisterAndIgnoreExistingKey,
            (NONE, NONE, 0),
        )
    };
    unregister().ends(38, 0, &[(B, 2)], None);
    unregister().known(1).ends(0, 0, &[(B, 2)], None);
    unregister().known(2).ends(38, 0, &[(B, 2)], None);
}

#[test]
fn hosts_that_are_not_told_are_not_judged() {
    let sender = Sender {
        registrants: Registrants::Hosts,
        ports: &[],
    };
    let verdict = check(
        &state(0, &[], None),
        &out(Register, NONE, A, 0),
        &state(1, &[A, A], None),
        sender,
    );
    let Verdict::Disturbed(disturbed) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(
        disturbed.to_string(),
        "the device does not tell enough\nexpected a list of the registered hosts, found none"
    );
}

#[test]
fn full_status_is_of_the_same_registrations() {
    let told = |generation, keys: &[u64]| ReadFullStatus {
        generation,
        descriptors: keys
            .iter()
            .map(|&key| nexus(key, TransportId::sas(1)))
            .collect(),
    };
    let fits = |told: ReadFullStatus| {
        let mut state = state(0, &[A, A, B], None);
        let fits = state.add_full_status(told);
        assert_eq!(state.full_status.is_some(), fits);
        fits
    };
    assert!(fits(told(0x10, &[B, A, A])));
    // One descriptor for all target ports.
    assert!(fits(told(0x10, &[A, B])));
    assert!(!fits(told(0x11, &[A, A, B])));
    assert!(!fits(told(0x10, &[A, A])));
    assert!(!fits(told(0x10, &[A, B, C])));
}

/// Whatever is there, before and after: without an answer about the reservation nothing holds but the
/// registration of who had none, and nobody is to blame for what may have to do with it.
#[test]
fn a_reservation_that_is_not_told_is_not_judged() {
    let not_told = || Err(Malformed::SeveralReservations(2));
    let keys: [&[u64]; 5] = [&[], &[A], &[B], &[A, B], &[A, A]];
    let reservations = [None, held(A, WE), held(B, EA_RO), held(NONE, WE_AR)];
    let commands = TYPES.into_iter().flat_map(|kind| {
        [
            out(Register, NONE, A, kind),
            out(Register, A, B, kind),
            out(Register, A, NONE, kind),
            out(RegisterAndIgnoreExistingKey, NONE, A, kind),
            out(RegisterAndIgnoreExistingKey, NONE, NONE, kind),
            out(Reserve, A, NONE, kind),
            out(Release, A, NONE, kind),
            out(Clear, A, NONE, kind),
            out(Preempt, A, B, kind),
            out(Preempt, A, A, kind),
            out(PreemptAndAbort, A, NONE, kind),
            out(RegisterAndMove, A, B, kind),
            out(ReplaceLostReservation, NONE, A, kind),
        ]
    });
    for command in commands {
        let is_first = command.action == Register && command.reservation_key.0 == NONE;
        for (before, after) in keys.iter().flat_map(|a| keys.iter().map(move |b| (a, b))) {
            for (held, moved) in reservations
                .into_iter()
                .flat_map(|held| [(held, 0), (held, 1)])
            {
                let told = (state(0, before, held), state(moved, after, held));
                let mut untold = told.clone();
                for which in 1..=3 {
                    if which & 1 > 0 {
                        untold.0.reservation = not_told();
                    }
                    if which & 2 > 0 {
                        untold.1.reservation = not_told();
                    }
                    let verdict = check(&untold.0, &command, &untold.1, SOMEBODY);
                    match (&verdict, is_first) {
                        (Verdict::Disturbed(Disturbed { doubt, .. }), false) => {
                            assert_eq!(*doubt, Doubt::NotTold, "{command:?} {untold:?}");
                        }
                        (_, true) => {
                            let without = (state(0, before, None), state(moved, after, None));
                            let without = check(&without.0, &command, &without.1, SOMEBODY);
                            assert_eq!(verdict, without, "{command:?} {untold:?}");
                        }
                        _ => panic!("{verdict:?} {command:?} {untold:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn generations_wrap_and_start_anew() {
    let mut before = state(0, &[], None);
    let mut after = state(0, &[], None);
    let register = out(Register, NONE, A, 0);
    (before.generation, after.generation) = (u32::MAX, 0);
    assert!(matches!(
        check(&before, &register, &after, SOMEBODY),
        Verdict::Mismatch(_)
    ));
    before.generation = 9;
    assert!(matches!(
        check(&before, &register, &after, SOMEBODY),
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
        "PRGENERATION went from 0x10 to 0x13, so others may have made changes too\n\
         expected at least 1 registration with key 0xa, found none"
    );
    let case = Case::new(&[A, A], None, Register, (NONE, A, 0));
    assert_eq!(
        text(case.check(1, &[A, A], None)),
        "others may have unregistered, reserved or released, \
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
            if let Holder::Nexus(holder, _) = self.holder
                && self.keys[holder] == victim
            {
                victims(false).for_each(|nexus| next.unregister(nexus));
                next.holder = made;
                return vec![next];
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

    fn registers(out: &PersistentReserveOut) -> bool {
        matches!(out.action, Register | RegisterAndIgnoreExistingKey)
    }

    /// Whether the command preempts our own key, and no reservation becomes ours.
    fn preempts_itself(out: &PersistentReserveOut, view: &Shown) -> bool {
        let held_by_a = matches!(view.1, Some((A, WE | EA | WE_RO | EA_RO)));
        matches!(out.action, Preempt | PreemptAndAbort)
            && out.reservation_key == out.service_action_reservation_key
            && !held_by_a
    }

    /// Whether the reservation that a RELEASE is about is still there: another nexus with this key
    /// holds it, or it is of another type.
    fn releases_nothing(out: &PersistentReserveOut, view: &Shown, after: &Shown) -> bool {
        let is_held = matches!(view.1, Some((A, _) | (0, _)));
        out.action == Release && is_held && after.1 == view.1
    }

    /// A device server that accepts everything and does nothing.
    #[test]
    fn nothing_done_never_holds_unless_nothing_is_to_be_done() {
        let mut commands = commands();
        commands.extend([NONE, A, B].map(|key| out(ReplaceLostReservation, NONE, key, WE)));
        commands.extend(TYPES.map(|kind| out(ReplaceLostReservation, NONE, A, kind)));
        let servers = reachable(&self::commands());
        let mut views: BTreeMap<Shown, Vec<Server>> = BTreeMap::new();
        for server in &servers {
            views.entry(server.shown()).or_default().push(*server);
        }
        let (mut doing_nothing, mut idle) = (0, 0);
        for (view, servers) in &views {
            let state = shown_state(0, view);
            for out in &commands {
                let verdict = check(&state, out, &state, SOMEBODY);
                let from_us = servers.iter().flat_map(|server| server.execute(US, out));
                let may_stay = from_us.into_iter().any(|next| next.shown() == *view);
                let unregisters = registers(out) && out.service_action_reservation_key.0 == 0;
                let nothing_to_do =
                    may_stay && (standard_count(out) == 0 || unregisters && view.0.is_empty());
                if verdict == Verdict::Holds {
                    assert!(nothing_to_do, "{view:?} {out:?}");
                    doing_nothing += 1;
                } else {
                    idle += 1;
                }
            }
        }
        // The numbers guard against a model that has become empty.
        assert_eq!((doing_nothing, idle), (292, 10_196));
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
        let (mut holding, mut doubted, mut refused, mut open) = (0, 0, 0, 0);
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
                let count = standard_count(out);
                let unregisters = registers(out) && out.service_action_reservation_key.0 == 0;
                for after in &alone {
                    let open = preempts_itself(out, view) && after.0.contains(&A)
                        || releases_nothing(out, view, after);
                    let seen = after != view;
                    // A nexus that takes the place of ours under the same key may look as if
                    // another one had gone.
                    let alike = out.unregister && out.service_action_reservation_key.0 == A;
                    let certain = count == 0 || unregisters && after.0.is_empty();
                    for moved in least..=2 {
                        let after = shown_state(moved, after);
                        let verdict = check(&before, out, &after, SOMEBODY);
                        let context = format!("{before:?} {out:?} {after:?} {verdict:?}");
                        let holds = verdict == Verdict::Holds;
                        let is_doubt = matches!(verdict, Verdict::Disturbed(_));
                        if open || !(certain || seen || moved == 1) {
                            assert!(is_doubt, "{context}");
                            doubted += 1;
                        } else if certain || moved == 1 || !alike {
                            assert!(holds, "{context}");
                            holding += 1;
                        }
                    }
                }
                for after in &showable {
                    let is_explained = explained.contains(after);
                    // The model has no nexus left that could make another registration.
                    if view.0.len() == NEXUSES && !is_explained {
                        continue;
                    }
                    let verdict = check(&before, out, &shown_state(least, after), SOMEBODY);
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
            (servers.len(), holding, doubted, open, refused),
            (295, 5_236, 1_478, 27_004, 344_669)
        );
    }

    /// The state with its nexuses.
    fn told_state(moved: u32, server: &Server) -> State {
        let registered = (0..NEXUSES).filter(|&nexus| server.keys[nexus] != 0);
        let described = registered.map(|number| FullStatusDescriptor {
            held: server
                .kind()
                .filter(|_| server.holds(number))
                .map(|kind| (Scope::LU_SCOPE, ReservationType::from_low_bits(kind))),
            ..nexus(server.keys[number], port(number))
        });
        State {
            full_status: Some(described.collect()),
            ..shown_state(moved, &server.shown())
        }
    }

    fn port(nexus: usize) -> TransportId {
        TransportId::sas([0x5000, 0x5001, 0x5002][nexus])
    }

    /// Full status names the nexuses and our port is known: whatever others do before and after the
    /// command without being counted, the device server is not to blame for it.
    #[test]
    fn a_device_server_that_is_right_is_not_called_wrong_by_its_nexuses() {
        let commands = commands();
        let ours = [port(US)];
        let sender = Sender {
            registrants: Registrants::Nexuses,
            ports: &ours,
        };
        let mut judged = 0;
        // Each of them takes its time, and all of them a minute.
        for server in reachable(&commands).into_iter().step_by(7) {
            let before = told_state(0, &server);
            let earlier = closure(server, unseen);
            for out in &commands {
                let middle: BTreeSet<_> = earlier
                    .iter()
                    .flat_map(|server| server.execute(US, out))
                    .collect();
                let after: BTreeSet<_> = middle
                    .iter()
                    .flat_map(|&server| closure(server, unseen))
                    .collect();
                for after in &after {
                    for moved in least_count(out)..=standard_count(out) {
                        let verdict = check(&before, out, &told_state(moved, after), sender);
                        let is_mismatch = matches!(verdict, Verdict::Mismatch(_));
                        assert!(!is_mismatch, "{server:?} {out:?} {after:?} {verdict:?}");
                        judged += 1;
                    }
                }
            }
        }
        // The number guards against a model that has become empty.
        assert_eq!(judged, 22_916);
    }
}
