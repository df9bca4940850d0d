//! The initiator ports through which the commands to one device node go.

use std::collections::BTreeSet;
use std::path::Path;

use super::{DEPTH, DeviceNumber, ENTRIES, Fabric, attribute, entries, is_numbered, iscsi};
use super::{nvme_hosts, world_wide_name};
use crate::pr::transport_id::TransportId;

/// The initiator ports through which the commands to one device node may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathPorts {
    /// Each of them once; empty where they are not known. With several, which of them a command
    /// takes is not known.
    pub ports: Vec<TransportId>,
    /// Whether the node is that of one path. One that stands on several, as a multipath map does,
    /// leads to as many target ports.
    pub is_one_path: bool,
}

impl PathPorts {
    /// Those of several nodes, where a command may go through any of them. None is known where those
    /// of one node are not.
    #[must_use]
    pub fn of_several(nodes: &[Self]) -> Self {
        let mut all = Self::default();
        let mut is_known = true;
        for node in nodes {
            is_known &= !node.ports.is_empty();
            for port in &node.ports {
                if !all.ports.contains(port) {
                    all.ports.push(port.clone());
                }
            }
        }
        if !is_known {
            all.ports.clear();
        }
        all
    }
}

/// The initiator ports that lead to the device `number`, by the directory tree `sysfs`: of all that
/// [`own_ports`](super::own_ports) gives, those of this very node.
#[must_use]
pub fn path_ports(sysfs: &Path, number: DeviceNumber) -> PathPorts {
    let class = sysfs.join("class");
    let mut found = PathPorts {
        ports: Vec::new(),
        is_one_path: true,
    };
    if let Ok(device) = number.link(sysfs).canonicalize()
        && !collect(&class, &device, DEPTH, &mut BTreeSet::new(), &mut found)
    {
        // Some are not all: a command may go through one that is not among them.
        found.ports.clear();
    }
    found
}

/// Adds the ports that lead to `device`, a directory without links in its name, and tells whether
/// each way to it has one.
fn collect(
    class: &Path,
    device: &Path,
    depth: u8,
    seen: &mut BTreeSet<std::path::PathBuf>,
    found: &mut PathPorts,
) -> bool {
    if seen.contains(device) {
        found.is_one_path = false;
        return true;
    }
    if depth == 0 || seen.len() >= ENTRIES {
        found.is_one_path = false;
        return false;
    }
    seen.insert(device.to_owned());
    let here: Vec<TransportId> = ports(class, device)
        .into_iter()
        .chain(nvme_hosts(device))
        .collect();
    let mut is_known = !here.is_empty();
    for port in here {
        if !found.ports.contains(&port) {
            found.ports.push(port);
        }
    }
    let below = device.join("slaves");
    let names: Vec<String> = entries(&below).collect();
    if names.len() > 1 {
        found.is_one_path = false;
    }
    if !names.is_empty() {
        is_known = true;
    }
    for name in names {
        is_known &= match below.join(name).canonicalize() {
            Ok(device) => collect(class, &device, depth - 1, seen, found),
            Err(_) => {
                found.is_one_path = false;
                false
            }
        };
    }
    is_known
}

/// The ports of the SCSI host that `device` hangs on, or of its session.
fn ports(class: &Path, device: &Path) -> Vec<TransportId> {
    let names: Vec<&str> = device.iter().filter_map(|name| name.to_str()).collect();
    let host = names.iter().rfind(|name| is_numbered(name, "host"));
    let (Some(fabric), Some(host)) = (Fabric::of(class, device), host) else {
        return Vec::new();
    };
    match fabric {
        Fabric::Iscsi => {
            let session = names.iter().rfind(|name| is_numbered(name, "session"));
            let port = session.and_then(|session| iscsi(class, session));
            port.into_iter().collect()
        }
        Fabric::FibreChannel => {
            let name = class.join("fc_host").join(host).join("port_name");
            world_wide_name(&name)
                .map(TransportId::fcp)
                .into_iter()
                .collect()
        }
        Fabric::Sas => {
            let start = host.replacen("host", "phy-", 1) + ":";
            entries(&class.join("sas_phy"))
                .filter(|phy| phy.starts_with(&start) && phy.matches(':').count() == 1)
                .filter(|phy| is_in_use(&class.join("sas_phy").join(phy)))
                .filter_map(|phy| {
                    world_wide_name(&class.join("sas_phy").join(phy).join("sas_address"))
                })
                .map(TransportId::sas)
                .collect()
        }
    }
}

/// Whether a phy may carry commands: one that says that nothing is plugged in carries none.
fn is_in_use(phy: &Path) -> bool {
    let rate = attribute(&phy.join("negotiated_linkrate"));
    rate.is_none_or(|rate| rate != b"Unknown" && rate != b"Phy disabled")
}
