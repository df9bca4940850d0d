//! Whether each path of a multipath map is registered.

use std::borrow::Cow;
use std::ffi::OsString;
use std::time::Duration;

use super::device::Channel;
use super::maps::{OpenMap, described};
use super::session::Session;
use crate::error::Error;
use crate::logical_unit::{Exchange as _, LogicalUnit};
use crate::multipath::unit::PathChange;
use crate::pr::ReservationKey;
use crate::pr::effect::Registrants;
use crate::pr::nexus::{Nexus, Standing};
use crate::pr::prin::{ReadFullStatus, ReadKeys};
use crate::pr::snapshot::NoAnswer;

/// How long a path may be silent that is asked where it leads to.
const PATIENCE: Duration = Duration::from_secs(1);

/// One path of a map.
#[derive(Debug)]
pub(super) struct PathStanding {
    /// Its name, and what sysfs says of it.
    pub(super) name: String,
    /// Whether its nexus is registered, or why it was not asked.
    pub(super) standing: Result<Standing, String>,
}

/// The paths of the map `open`, each judged by the keys and the full status of the logical unit.
pub(super) fn of(
    session: &Session<'_, '_>,
    open: &OpenMap,
    registrants: Registrants,
    keys: &ReadKeys,
    full_status: &Result<ReadFullStatus, NoAnswer>,
) -> Vec<PathStanding> {
    let mut all: Vec<PathStanding> = open
        .order
        .iter()
        .map(|&index| {
            let path = &open.map.paths[index];
            let ports = (session.path_ports)(&path.node);
            open.paths.set_patience(index, Some(PATIENCE));
            let channel = Channel::over(
                session,
                Cow::Owned(OsString::from(&path.name)),
                Box::new(open.paths.transport(index)),
                open.paths.clone(),
            );
            let mut unit = LogicalUnit::over(channel);
            // A path that does not say where it leads to is not said to be registered.
            unit.exchange_mut().begin_optional();
            let target_port = unit.relative_target_port();
            unit.exchange_mut().end_optional(true);
            let nexus = Nexus {
                registrants,
                ports: &ports.ports,
                target_port,
            };
            PathStanding {
                name: described(path),
                standing: Ok(Standing::new(keys, full_status, nexus)),
            }
        })
        .collect();
    all.extend(open.untried.iter().map(|report| PathStanding {
        name: report.name.clone(),
        standing: Err(match &report.change {
            PathChange::Unreached(why) => why.clone(),
            other => other.to_string(),
        }),
    }));
    all
}

/// Whether all paths that can be asked are registered, with this key if one is given. Where some are
/// and some are not, stderr says which are not.
pub(super) fn are_registered(
    session: &Session<'_, '_>,
    map: &str,
    paths: &[PathStanding],
    key: Option<ReservationKey>,
) -> Result<bool, Error> {
    let mut missing = Vec::new();
    let mut asked = 0;
    for path in paths {
        let Ok(standing) = &path.standing else {
            continue;
        };
        asked += 1;
        if !standing.is_registered(key).map_err(Error::Unanswered)? {
            missing.push(&path.name);
        }
    }
    if !missing.is_empty() && missing.len() < asked {
        for name in &missing {
            session.say(&format!(
                "sg_persist: path {name} of {map} is not registered so\n"
            ));
        }
    }
    Ok(asked > 0 && missing.is_empty())
}
