//! Counts and reservations in words.

use crate::pr::prin::Reservation;
use crate::pr::{ReservationType, Scope};

pub(super) fn amount(count: usize) -> String {
    match count {
        0 => "none".to_owned(),
        _ => count.to_string(),
    }
}

pub(super) fn number(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// A reservation's type by name, and its scope where it is not the usual one.
pub(super) fn kind(scope: Scope, reservation_type: ReservationType) -> String {
    let mut text = match reservation_type.name() {
        Some(name) => format!("\"{name}\""),
        None => format!("of type {:#x}", reservation_type.code()),
    };
    if scope != Scope::LU_SCOPE {
        text += &format!(" of scope {:#x}", scope.code());
    }
    text
}

pub(super) fn reservation_text(reservation: Option<Reservation>) -> String {
    let Some(held) = reservation else {
        return "no reservation".to_owned();
    };
    let kind = kind(held.scope, held.reservation_type);
    if held.reservation_type.is_held_by_all() {
        return format!("reservation {kind}");
    }
    format!("reservation {kind} held by key {}", held.reservation_key)
}
