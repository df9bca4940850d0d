//! What is registered and reserved at one time.

use std::collections::BTreeSet;

use crate::pr::ReservationKey;
use crate::pr::prin::{
    FullStatusDescriptor, Malformed, ReadFullStatus, ReadKeys, ReadReservation, Reservation,
};
use crate::pr::transport_id::{Initiator, ProtocolIdentifier, TransportId};

/// The registrations and the reservation of a logical unit at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// Counts the changes to the registrations.
    #[doc(alias = "PRGENERATION")]
    pub generation: u32,
    /// One key for each registration, in any order.
    pub keys: Vec<ReservationKey>,
    /// The reservation held, if any, or what makes the answer about it none.
    pub reservation: Result<Option<Reservation>, Malformed>,
    /// The same registrations with their nexuses, where the device server tells them. One
    /// descriptor may stand for several registrations (ALL_TG_PT).
    pub full_status: Option<Vec<FullStatusDescriptor>>,
    /// Whether registrations persist through a power loss, where the device server was asked and
    /// tells.
    #[doc(alias = "PTPL_A")]
    pub persists: Option<bool>,
}

impl State {
    /// The state that two answers describe. READ KEYS is to be sent first: another nexus may
    /// unregister between the two without being counted, and then a holder would be seen that is
    /// not among the keys.
    ///
    /// `None` when PRGENERATION differs, so that they do not describe the same state. A malformed
    /// answer to READ RESERVATION has none.
    #[must_use]
    pub fn new(keys: &ReadKeys, reservation: Result<ReadReservation, Malformed>) -> Option<Self> {
        let differs = |read: &ReadReservation| read.generation != keys.generation;
        if reservation.as_ref().is_ok_and(differs) {
            return None;
        }
        Some(Self {
            generation: keys.generation,
            keys: keys.keys.clone(),
            reservation: reservation.map(|read| read.reservation),
            full_status: None,
            persists: None,
        })
    }

    /// Adds what READ FULL STATUS tells. `false`: it is of another generation or lists other
    /// keys, so that it does not describe this state, and is left out.
    pub fn add_full_status(&mut self, full_status: ReadFullStatus) -> bool {
        let described = full_status.descriptors.iter();
        let described: BTreeSet<_> = described.map(|nexus| nexus.reservation_key).collect();
        let keys: BTreeSet<_> = self.keys.iter().copied().collect();
        let fits = full_status.generation == self.generation && described == keys;
        if fits {
            self.full_status = Some(full_status.descriptors);
        }
        fits
    }

    /// A key for each registration: of the entries of one host, one.
    pub(super) fn registrations(&self, registrants: Registrants) -> Keys {
        match (registrants, &self.full_status) {
            (Registrants::Hosts, Some(entries)) => {
                let mut seen = BTreeSet::new();
                let mut keys = Vec::new();
                for entry in entries {
                    let key = entry.reservation_key;
                    let host = name(entry).map(TransportId::as_bytes);
                    if host.is_none_or(|host| seen.insert((key, host))) {
                        keys.push(key);
                    }
                }
                Keys::new(&keys)
            }
            _ => Keys::new(&self.keys),
        }
    }
}

/// The initiator port or host of a registration, if it has a name. An NVMe host whose identifier
/// is 0 has none: it is another host on each controller.
pub(super) fn name(registration: &FullStatusDescriptor) -> Option<&TransportId> {
    let id = registration.transport_id.as_ref()?;
    match id.initiator() {
        Initiator::NvmeHost { identifier } if identifier.iter().all(|&byte| byte == 0) => None,
        _ => Some(id),
    }
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

/// Who sent the command, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// What registers with the device.
    pub registrants: Registrants,
    /// The initiator ports of this host, or its host identifier; empty where they are not known.
    /// Which of the ports the command went through is not known.
    pub ports: &'a [TransportId],
}

impl Sender<'_> {
    /// Whether `id` is one of this host's.
    pub(super) fn has(&self, id: &TransportId) -> bool {
        self.ports.iter().any(|port| port.is_same_port(id))
    }

    /// Whether this host has a port of this protocol.
    pub(super) fn speaks(&self, protocol: ProtocolIdentifier) -> bool {
        self.ports.iter().any(|port| port.protocol() == protocol)
    }
}

/// The reservation, if one nexus alone holds it.
pub(super) fn single(reservation: Option<Reservation>) -> Option<Reservation> {
    reservation.filter(|held| !held.reservation_type.is_held_by_all())
}

/// The reservation, if all registered nexuses hold it.
pub(super) fn shared(reservation: Option<Reservation>) -> Option<Reservation> {
    reservation.filter(|held| held.reservation_type.is_held_by_all())
}

/// Keys, one for each registration, sorted.
#[derive(Clone, Debug)]
pub(super) struct Keys(pub(super) Vec<ReservationKey>);

impl Keys {
    pub(super) fn new(keys: &[ReservationKey]) -> Self {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        Self(keys)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&self, key: ReservationKey) -> usize {
        let from = self.0.partition_point(|&other| other < key);
        let to = self.0.partition_point(|&other| other <= key);
        to - from
    }

    pub(super) fn has(&self, key: ReservationKey) -> bool {
        self.0.binary_search(&key).is_ok()
    }

    /// With `count` more of `key`.
    pub(super) fn plus(&self, key: ReservationKey, count: usize) -> Self {
        let mut keys = self.0.clone();
        keys.extend(std::iter::repeat_n(key, count));
        Self::new(&keys)
    }

    /// With one of `key` less, if there is one.
    pub(super) fn minus_one(&self, key: ReservationKey) -> Self {
        let mut keys = self.0.clone();
        if let Ok(index) = keys.binary_search(&key) {
            keys.remove(index);
        }
        Self(keys)
    }

    pub(super) fn without(&self, key: ReservationKey) -> Self {
        let mut keys = self.0.clone();
        keys.retain(|&other| other != key);
        Self(keys)
    }

    /// Each key once, with its count.
    pub(super) fn counted(&self) -> impl Iterator<Item = (ReservationKey, usize)> {
        let same = self.0.chunk_by(|a, b| a == b);
        same.filter_map(|same| Some((*same.first()?, same.len())))
    }

    /// Whether no key occurs more often than in `bound`.
    pub(super) fn is_within(&self, bound: &Self) -> bool {
        self.counted().all(|(key, count)| count <= bound.count(key))
    }
}
