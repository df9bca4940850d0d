//! Whether this nexus is registered, by what full status tells.

use std::collections::BTreeSet;

use thiserror::Error;

use super::ReservationKey;
use super::effect::Registrants;
use super::prin::{FullStatusDescriptor, ReadFullStatus, ReadKeys, TargetPorts};
use super::snapshot::NoAnswer;
use super::transport_id::{Initiator, ProtocolIdentifier, TransportId};

/// The TPID FORMAT of an iSCSI TransportID with an ISID.
const WITH_ISID: u8 = 1;

/// What is known of the I_T nexus through which commands go; of the host, with NVMe.
#[derive(Clone, Copy, Debug)]
pub struct Nexus<'a> {
    /// What registers with the device.
    pub registrants: Registrants,
    /// The initiator ports through which a command may go, each once; or the host's identifier.
    pub ports: &'a [TransportId],
    /// The relative target port identifier of the target port.
    pub target_port: Option<u16>,
}

/// Whether a nexus is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not.
    NotRegistered,
    /// It is: with this key; with several if a command may go through several nexuses, of which
    /// each is registered.
    Registered(BTreeSet<ReservationKey>),
    /// That cannot be told.
    Unknown(Unknown),
}

/// Why it cannot be told whether a nexus is registered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unknown {
    /// There is no full status.
    #[error("the device does not tell whose the registrations are (READ FULL STATUS: {0})")]
    NoFullStatus(NoAnswer),
    /// Full status and keys are at odds.
    #[error("READ KEYS and READ FULL STATUS list other registrations than each other")]
    Contradiction,
    /// This host's ports are not known.
    #[error("this host's initiator port on the way to the device is not known")]
    NoPorts,
    /// A registration has no initiator that could be compared.
    #[error("the device does not name the initiator of each registration")]
    Unnamed,
    /// The ISID of the session is not known, and its initiator has registrations.
    #[error(
        "this host's iSCSI initiator is registered, but the system does not tell the ISID of this \
         session"
    )]
    NoIsid,
    /// The initiator has a registration of which the ISID is not told.
    #[error(
        "this host's iSCSI initiator is registered, but the device does not tell for which session"
    )]
    RegisteredWithoutIsid,
    /// The target port is not known, and the host is registered for some.
    #[error(
        "this host's initiator port is registered, but which target port this path goes to is not \
         known"
    )]
    NoTargetPort,
    /// The initiator port has a registration of which the target port is not told.
    #[error(
        "this host's initiator port is registered, but the device does not tell for which target \
         port"
    )]
    RegisteredWithoutTargetPort,
    /// Some of the nexuses are registered.
    #[error(
        "of the initiator ports that commands may go through some are registered, others are not"
    )]
    Some,
    /// It has the key asked for, and another one.
    #[error("of the registrations in question some have another key")]
    SeveralKeys,
}

impl Unknown {
    /// Whether the same question may have an answer later, though nothing but registrations changes.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        !matches!(self, Self::NoFullStatus(_) | Self::NoPorts)
    }
}

impl Standing {
    /// What keys and full status tell of `nexus`.
    #[must_use]
    pub fn new(
        keys: &ReadKeys,
        full_status: &Result<ReadFullStatus, NoAnswer>,
        nexus: Nexus<'_>,
    ) -> Self {
        match full_status {
            _ if keys.keys.is_empty() => match full_status {
                Ok(data) if !data.descriptors.is_empty() => Self::Unknown(Unknown::Contradiction),
                _ => Self::NotRegistered,
            },
            Err(reason) => Self::Unknown(Unknown::NoFullStatus(reason.clone())),
            Ok(data) if !data.lists(keys) => Self::Unknown(Unknown::Contradiction),
            Ok(data) => Self::by_descriptors(&data.descriptors, nexus),
        }
    }

    fn by_descriptors(descriptors: &[FullStatusDescriptor], nexus: Nexus<'_>) -> Self {
        if nexus.ports.is_empty() {
            return Self::Unknown(Unknown::NoPorts);
        }
        let is_nameless = |descriptor: &FullStatusDescriptor| {
            let id = descriptor.transport_id.as_ref();
            id.is_none_or(|id| match id.initiator() {
                Initiator::Other
                | Initiator::Fcp { n_port_name: 0 }
                | Initiator::Sas { address: 0 }
                | Initiator::Sbp { eui64: 0 } => true,
                Initiator::Srp { initiator_port } => initiator_port == [0; 16],
                Initiator::NvmeHost { identifier } => identifier.iter().all(|&byte| byte == 0),
                Initiator::Iscsi { name } | Initiator::IscsiPort { name } => name.is_empty(),
                _ => false,
            })
        };
        let mut keys = BTreeSet::new();
        let mut registered = 0;
        let mut doubt = None;
        for port in nexus.ports {
            let its = descriptors.iter().filter(|descriptor| {
                let id = descriptor.transport_id.as_ref();
                id.is_some_and(|id| port.is_same_port(id))
            });
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                its.partition(|descriptor| match descriptor.target_ports {
                    _ if nexus.registrants == Registrants::Hosts => true,
                    TargetPorts::All => true,
                    TargetPorts::Relative(number) => nexus.target_port == Some(number),
                });
            if here.is_empty() {
                // 0 is reserved (SPC-5 7.7.6.7), and no target port's number.
                let is_numbered = |descriptor: &&FullStatusDescriptor| {
                    descriptor.target_ports != TargetPorts::Relative(0)
                };
                if !elsewhere.iter().all(is_numbered) {
                    doubt = doubt.or(Some(Unknown::RegisteredWithoutTargetPort));
                } else if nexus.target_port.is_none() && !elsewhere.is_empty() {
                    doubt = doubt.or(Some(Unknown::NoTargetPort));
                }
                continue;
            }
            registered += 1;
            let is_told = |descriptor: &&FullStatusDescriptor| {
                descriptor.transport_id.as_ref().is_some_and(is_exact)
            };
            if !is_exact(port) {
                doubt = doubt.or(Some(Unknown::NoIsid));
            } else if !here.iter().all(is_told) {
                doubt = doubt.or(Some(Unknown::RegisteredWithoutIsid));
            }
            keys.extend(here.iter().map(|descriptor| descriptor.reservation_key));
        }
        if let Some(doubt) = doubt {
            return Self::Unknown(doubt);
        }
        match registered {
            0 if descriptors.iter().any(is_nameless) => Self::Unknown(Unknown::Unnamed),
            0 => Self::NotRegistered,
            some if some == nexus.ports.len() => Self::Registered(keys),
            _ => Self::Unknown(Unknown::Some),
        }
    }

    /// Whether the nexus is registered, with `key` if one is given.
    ///
    /// # Errors
    /// [`Unknown`]: that cannot be told.
    pub fn is_registered(&self, key: Option<ReservationKey>) -> Result<bool, Unknown> {
        match (self, key) {
            (Self::NotRegistered, _) => Ok(false),
            (Self::Registered(_), None) => Ok(true),
            (Self::Registered(keys), Some(key)) => match (keys.contains(&key), keys.len()) {
                (false, _) => Ok(false),
                (true, 1) => Ok(true),
                (true, _) => Err(Unknown::SeveralKeys),
            },
            (Self::Unknown(reason), _) => Err(reason.clone()),
        }
    }
}

/// Whether `id` names one port, and not all of an initiator: an iSCSI session whose ISID is not told
/// cannot be known from an earlier one of the same initiator.
fn is_exact(id: &TransportId) -> bool {
    id.protocol() != ProtocolIdentifier::ISCSI || id.format() == WITH_ISID
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn registered(
        key: u64,
        target_ports: TargetPorts,
        id: Option<TransportId>,
    ) -> FullStatusDescriptor {
        FullStatusDescriptor {
            reservation_key: ReservationKey(key),
            target_ports,
            held: None,
            transport_id: id,
        }
    }

    fn standing(
        descriptors: &[FullStatusDescriptor],
        ports: &[TransportId],
        target_port: Option<u16>,
    ) -> Standing {
        let keys = ReadKeys {
            generation: 1,
            keys: descriptors.iter().map(|one| one.reservation_key).collect(),
        };
        let full_status = Ok(ReadFullStatus {
            generation: 1,
            descriptors: descriptors.to_vec(),
        });
        let nexus = Nexus {
            registrants: Registrants::Nexuses,
            ports,
            target_port,
        };
        Standing::new(&keys, &full_status, nexus)
    }

    fn with(keys: &[u64]) -> Standing {
        Standing::Registered(keys.iter().copied().map(ReservationKey).collect())
    }

    const ONE: TargetPorts = TargetPorts::Relative(1);
    const TWO: TargetPorts = TargetPorts::Relative(2);

    #[test]
    fn the_nexus_is_the_pair_of_both_ports() {
        let [a, b] = [TransportId::fcp(0xa), TransportId::fcp(0xb)];
        let list = [
            registered(1, ONE, Some(a.clone())),
            registered(2, TWO, Some(b.clone())),
        ];
        let of = |port: &TransportId, number| standing(&list, std::slice::from_ref(port), number);
        assert_eq!(of(&a, Some(1)), with(&[1]));
        // The same initiator port, through the other target port.
        assert_eq!(of(&a, Some(2)), Standing::NotRegistered);
        assert_eq!(of(&b, Some(2)), with(&[2]));
        assert_eq!(of(&a, None), Standing::Unknown(Unknown::NoTargetPort));
        assert_eq!(of(&TransportId::fcp(0xc), None), Standing::NotRegistered);
        assert_eq!(of(&TransportId::sas(0xa), Some(1)), Standing::NotRegistered);
        // All target ports.
        let all = [registered(3, TargetPorts::All, Some(a.clone()))];
        assert_eq!(standing(&all, std::slice::from_ref(&a), None), with(&[3]));
        assert_eq!(standing(&all, &[a], Some(9)), with(&[3]));
    }

    #[test]
    fn several_ports_agree_or_nothing_is_claimed() {
        let ports = [TransportId::fcp(0xa), TransportId::fcp(0xb)];
        let [a, b] = ports.clone().map(|id| registered(1, ONE, Some(id)));
        let other = registered(2, ONE, Some(ports[1].clone()));
        assert_eq!(standing(&[a.clone(), b], &ports, Some(1)), with(&[1]));
        assert_eq!(
            standing(std::slice::from_ref(&a), &ports, Some(1)),
            Standing::Unknown(Unknown::Some)
        );
        let two = standing(&[a, other], &ports, Some(1));
        assert_eq!(two, with(&[1, 2]));
        assert_eq!(two.is_registered(None), Ok(true));
        assert_eq!(two.is_registered(Some(ReservationKey(3))), Ok(false));
        assert_eq!(
            two.is_registered(Some(ReservationKey(1))),
            Err(Unknown::SeveralKeys)
        );
    }

    #[test]
    fn what_is_not_told_is_not_claimed() {
        let a = [TransportId::fcp(0xa)];
        let nameless = registered(1, ONE, None);
        assert_eq!(
            standing(std::slice::from_ref(&nameless), &a, Some(1)),
            Standing::Unknown(Unknown::Unnamed)
        );
        let own = registered(1, ONE, Some(a[0].clone()));
        assert_eq!(standing(&[nameless, own.clone()], &a, Some(1)), with(&[1]));
        assert_eq!(
            standing(&[own], &[], Some(1)),
            Standing::Unknown(Unknown::NoPorts)
        );
        assert_eq!(standing(&[], &[], None), Standing::NotRegistered);
    }

    /// Names of zeros name nobody, and target port 0 is none.
    #[test]
    fn what_is_left_zero_is_not_told() {
        let a = [TransportId::fcp(0xa)];
        for nobody in [
            TransportId::fcp(0),
            TransportId::sas(0),
            TransportId::sbp(0),
            TransportId::srp([0; 16]),
            TransportId::received(&[
                0x05, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ]),
        ] {
            assert_eq!(
                standing(&[registered(1, ONE, Some(nobody))], &a, Some(1)),
                Standing::Unknown(Unknown::Unnamed)
            );
        }
        let zero = TargetPorts::Relative(0);
        let nowhere = registered(1, zero, Some(a[0].clone()));
        for target_port in [None, Some(1)] {
            assert_eq!(
                standing(std::slice::from_ref(&nowhere), &a, target_port),
                Standing::Unknown(Unknown::RegisteredWithoutTargetPort)
            );
        }
        let here = registered(2, ONE, Some(a[0].clone()));
        assert_eq!(standing(&[nowhere, here], &a, Some(1)), with(&[2]));
    }

    /// The device may name the initiator alone, of whatever session.
    #[test]
    fn a_registration_without_its_session() {
        let name = |text: &str| TransportId::iscsi(text.as_bytes()).unwrap();
        let list = [registered(1, ONE, Some(name("iqn.2026-01.lab:a")))];
        let session = [name("iqn.2026-01.lab:a,i,0x00023d000001")];
        assert_eq!(
            standing(&list, &session, Some(1)),
            Standing::Unknown(Unknown::RegisteredWithoutIsid)
        );
        assert_eq!(standing(&list, &session, Some(2)), Standing::NotRegistered);
    }

    /// A registration of an earlier session of the same initiator is not this session's.
    #[test]
    fn an_initiator_without_its_session() {
        let name = |text: &str| TransportId::iscsi(text.as_bytes()).unwrap();
        let session = name("iqn.2026-01.lab:a,i,0x00023d000001");
        let list = [registered(1, ONE, Some(session.clone()))];
        let initiator = [name("iqn.2026-01.lab:a")];
        assert_eq!(
            standing(&list, &initiator, Some(1)),
            Standing::Unknown(Unknown::NoIsid)
        );
        assert_eq!(
            standing(&list, &initiator, Some(2)),
            Standing::NotRegistered
        );
        assert_eq!(
            standing(&list, &[name("iqn.2026-01.lab:b")], Some(1)),
            Standing::NotRegistered
        );
        assert_eq!(standing(&list, &[session], Some(1)), with(&[1]));
        let later = [name("iqn.2026-01.lab:a,i,0x00023d000002")];
        assert_eq!(standing(&list, &later, Some(1)), Standing::NotRegistered);
    }

    #[test]
    fn a_host_of_nvme_is_registered_through_all_controllers() {
        let host = TransportId::nvme_host(&[7; 16]).unwrap();
        let keys = ReadKeys {
            generation: 1,
            keys: vec![ReservationKey(1)],
        };
        let list = |id: &[u8]| {
            Ok(ReadFullStatus {
                generation: 1,
                descriptors: vec![registered(1, ONE, TransportId::nvme_host(id))],
            })
        };
        let nexus = Nexus {
            registrants: Registrants::Hosts,
            ports: &[host],
            target_port: None,
        };
        assert_eq!(Standing::new(&keys, &list(&[7; 16]), nexus), with(&[1]));
        assert_eq!(
            Standing::new(&keys, &list(&[8; 16]), nexus),
            Standing::NotRegistered
        );
        assert_eq!(
            Standing::new(&keys, &list(&[0; 16]), nexus),
            Standing::Unknown(Unknown::Unnamed)
        );
    }

    #[test]
    fn lists_at_odds() {
        let keys = ReadKeys {
            generation: 1,
            keys: vec![ReservationKey(1)],
        };
        let id = TransportId::fcp(0xa);
        let nexus = Nexus {
            registrants: Registrants::Nexuses,
            ports: std::slice::from_ref(&id),
            target_port: Some(1),
        };
        let full_status = Ok(ReadFullStatus {
            generation: 1,
            descriptors: vec![registered(2, ONE, Some(id.clone()))],
        });
        assert_eq!(
            Standing::new(&keys, &full_status, nexus),
            Standing::Unknown(Unknown::Contradiction)
        );
        let none = Err(NoAnswer::Unsupported);
        assert_eq!(
            Standing::new(&keys, &none, nexus),
            Standing::Unknown(Unknown::NoFullStatus(NoAnswer::Unsupported))
        );
        let nobody = ReadKeys {
            generation: 1,
            keys: vec![],
        };
        assert_eq!(
            Standing::new(&nobody, &none, nexus),
            Standing::NotRegistered
        );
    }
}
