//! Which nexus the commands of this run go through.

use super::device::Device;
use crate::host_ports::{PathPorts, is_own};
use crate::pr::effect::Registrants;
use crate::pr::nexus::{Nexus, Standing};
use crate::pr::prin::{ReadFullStatus, ReadKeys, TargetPorts};
use crate::pr::snapshot::NoAnswer;

/// This run's nexus, as far as it is known.
pub(super) struct OwnNexus {
    registrants: Registrants,
    path: PathPorts,
    target_port: Option<u16>,
}

impl OwnNexus {
    /// The nexus through which `device` is reached. The target port is asked for only where it makes
    /// a difference to what `full_status` tells.
    pub(super) fn of(
        device: &mut Device<'_, '_>,
        full_status: &Result<ReadFullStatus, NoAnswer>,
    ) -> Self {
        let registrants = device.registrants();
        let path = device.path_ports();
        let depends = full_status.as_ref().is_ok_and(|data| {
            data.descriptors.iter().any(|descriptor| {
                let id = descriptor.transport_id.as_ref();
                matches!(descriptor.target_ports, TargetPorts::Relative(_))
                    && id.is_some_and(|id| is_own(&path.ports, id))
            })
        });
        // A node of several paths leads to several target ports, whichever of them answers.
        let asks = registrants == Registrants::Nexuses && path.is_one_path && depends;
        Self {
            registrants,
            target_port: asks.then(|| device.relative_target_port()).flatten(),
            path,
        }
    }

    /// The same for the standard's rules.
    pub(super) fn nexus(&self) -> Nexus<'_> {
        Nexus {
            registrants: self.registrants,
            ports: &self.path.ports,
            target_port: self.target_port,
        }
    }
}

/// Whether the nexus through which `device` is reached is registered, by the answers given.
pub(super) fn standing(
    device: &mut Device<'_, '_>,
    keys: &ReadKeys,
    full_status: &Result<ReadFullStatus, NoAnswer>,
) -> Standing {
    let own = OwnNexus::of(device, full_status);
    Standing::new(keys, full_status, own.nexus())
}
