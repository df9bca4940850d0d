//! Why a command was refused, in words: a line for each reason.

use std::collections::BTreeSet;

use super::transport_id::host_identifier;
use crate::pr::ReservationKey;
use crate::pr::effect::Registrants;
use crate::pr::explain::{Owner, Reason};
use crate::pr::prin::{Reservation, TargetPorts};
use crate::pr::transport_id::Initiator;

/// More than these tell no more.
const MOST: usize = 8;

/// The reason in one line, without its newline.
#[must_use]
pub fn line(reason: &Reason, registrants: Registrants) -> String {
    let this = match registrants {
        Registrants::Nexuses => "this nexus",
        Registrants::Hosts => "this host",
    };
    match reason {
        Reason::NotRegistered => format!("{this} is not registered"),
        Reason::NoSuchKey { key, registered } => {
            format!("no registration has key {key}; {}", there_are(registered))
        }
        Reason::NoKeyGiven => {
            format!(
                "the command takes the key with which {this} is registered: give it with --param-rk"
            )
        }
        Reason::OtherKey { own, given } => {
            format!("{this} is registered with {}, not with {given}", keys(own))
        }
        Reason::KeyOfOthers { key, owners } => {
            format!("key {key} is registered by {}", listed(owners))
        }
        Reason::KeyOfSomebody {
            key,
            owners,
            unknown,
        } => {
            let by = match owners.is_empty() {
                true => String::new(),
                false => format!(" by {}", listed(owners)),
            };
            format!("key {key} is registered{by}; whether {this} has it is not known: {unknown}")
        }
        Reason::AlreadyRegistered { own } => format!(
            "{this} is already registered, with {}: give the present key with --param-rk, or use \
             --register-ignore",
            keys(own)
        ),
        Reason::PerhapsRegistered {
            registered,
            unknown,
        } => format!(
            "a REGISTER without --param-rk is refused where {this} is already registered; {}. Give \
             its present key with --param-rk, or use --register-ignore (which key it has is not \
             known: {unknown})",
            there_are(registered)
        ),
        Reason::Held {
            reservation,
            holders,
        } => format!(
            "there is a reservation already: {}",
            held(reservation, holders)
        ),
        Reason::NobodyToPreempt { key } => {
            format!("no registration has key {key}, so there is nobody to preempt")
        }
        Reason::NotTheHolder { reservation: None } => {
            "there is no reservation that could be moved".to_owned()
        }
        Reason::NotTheHolder {
            reservation: Some(reservation),
        } => format!(
            "the reservation to be moved is not held with the key given: {}",
            held(reservation, &[])
        ),
        Reason::NothingSeen => {
            "nothing that is registered or reserved now explains it: others may have changed it \
             since, or a reservation of the older kind (RESERVE) may be held"
                .to_owned()
        }
    }
}

/// Which keys there are.
fn there_are(registered: &BTreeSet<ReservationKey>) -> String {
    match registered.len() {
        0 => "nothing is registered".to_owned(),
        1 => format!("the only one registered is {}", all(registered)),
        _ => format!("registered are {}", all(registered)),
    }
}

/// The keys of one nexus, or of several that it may be.
fn keys(keys: &BTreeSet<ReservationKey>) -> String {
    match keys.len() {
        1 => format!("key {}", all(keys)),
        _ => format!("one of the keys {}", all(keys)),
    }
}

fn all(keys: &BTreeSet<ReservationKey>) -> String {
    some(keys.iter().map(ToString::to_string).collect())
}

/// As many of `texts` as anybody reads.
fn some(mut texts: Vec<String>) -> String {
    if let Some(more @ 1..) = texts.len().checked_sub(MOST) {
        texts.truncate(MOST);
        texts.push(format!("{more} more"));
    }
    texts.join(", ")
}

fn listed(owners: &[Owner]) -> String {
    match owners.is_empty() {
        true => "others".to_owned(),
        false => some(owners.iter().map(owner).collect()),
    }
}

fn owner(owner: &Owner) -> String {
    let port = match owner.target_ports {
        TargetPorts::All => "all target ports".to_owned(),
        TargetPorts::Relative(port) => format!("target port {port}"),
    };
    let Some(id) = &owner.initiator else {
        return format!("an initiator that is not named ({port})");
    };
    match id.initiator() {
        Initiator::NvmeHost { identifier } => format!("host {}", host_identifier(identifier)),
        _ if !id.is_whole() => format!("identifier {} ({port})", hex::encode(id.as_bytes())),
        _ => {
            // The device has made it up, and a line is to stay one.
            let visible = |c: char| if c.is_control() { '.' } else { c };
            let argument: String = id.to_argument().chars().map(visible).collect();
            format!("{argument} ({port})")
        }
    }
}

fn held(reservation: &Reservation, holders: &[Owner]) -> String {
    let code = reservation.reservation_type.code();
    let kind = match reservation.reservation_type.name() {
        Some(name) => format!("type {code}, {name}"),
        None => format!("type {code:#x}"),
    };
    if reservation.reservation_type.is_held_by_all() {
        return format!("{kind}, held by every registrant");
    }
    let by = match holders.is_empty() {
        true => String::new(),
        false => format!(", {}", listed(holders)),
    };
    format!("{kind}, held with key {}{by}", reservation.reservation_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pr::nexus::Unknown;
    use crate::pr::transport_id::TransportId;
    use crate::pr::{ReservationType, Scope};

    fn words(reason: &Reason) -> String {
        line(reason, Registrants::Nexuses)
    }

    #[test]
    fn each_reason_in_words() {
        let set = |keys: &[u64]| keys.iter().copied().map(ReservationKey).collect();
        let owners = vec![Owner {
            initiator: Some(TransportId::fcp(0xa)),
            target_ports: TargetPorts::Relative(1),
        }];
        let key = ReservationKey(0x5eed);
        let reservation = Reservation {
            reservation_key: ReservationKey(1),
            scope: Scope::LU_SCOPE,
            reservation_type: ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
        };
        for (reason, expected) in [
            (Reason::NotRegistered, "this nexus is not registered"),
            (
                Reason::NoSuchKey {
                    key,
                    registered: set(&[]),
                },
                "no registration has key 0x5eed; nothing is registered",
            ),
            (
                Reason::NoSuchKey {
                    key,
                    registered: set(&[2, 1]),
                },
                "no registration has key 0x5eed; registered are 0x1, 0x2",
            ),
            (
                Reason::OtherKey {
                    own: set(&[1]),
                    given: key,
                },
                "this nexus is registered with key 0x1, not with 0x5eed",
            ),
            (
                Reason::KeyOfOthers {
                    key,
                    owners: owners.clone(),
                },
                "key 0x5eed is registered by fcp,000000000000000a (target port 1)",
            ),
            (
                Reason::KeyOfSomebody {
                    key,
                    owners: vec![],
                    unknown: Unknown::NoPorts,
                },
                "key 0x5eed is registered; whether this nexus has it is not known: this host's \
                 initiator port on the way to the device is not known",
            ),
            (
                Reason::AlreadyRegistered { own: set(&[0xb]) },
                "this nexus is already registered, with key 0xb: give the present key with \
                 --param-rk, or use --register-ignore",
            ),
            (
                Reason::PerhapsRegistered {
                    registered: set(&[0xb]),
                    unknown: Unknown::NoPorts,
                },
                "a REGISTER without --param-rk is refused where this nexus is already registered; \
                 the only one registered is 0xb. Give its present key with --param-rk, or use \
                 --register-ignore (which key it has is not known: this host's initiator port on \
                 the way to the device is not known)",
            ),
            (
                Reason::Held {
                    reservation,
                    holders: owners,
                },
                "there is a reservation already: type 5, Write Exclusive, registrants only, held \
                 with key 0x1, fcp,000000000000000a (target port 1)",
            ),
            (
                Reason::NobodyToPreempt { key },
                "no registration has key 0x5eed, so there is nobody to preempt",
            ),
        ] {
            assert_eq!(words(&reason), expected);
        }
        let many = Reason::NoSuchKey {
            key,
            registered: (1..=20).map(ReservationKey).collect(),
        };
        assert!(words(&many).ends_with("0x7, 0x8, 12 more"));
    }
}
