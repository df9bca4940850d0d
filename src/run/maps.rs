//! What a run knows of multipath maps, and how it gets to their paths.

use std::ffi::OsStr;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use super::session::Session;
use crate::cli::request::PathPolicy;
use crate::error::Error;
use crate::multipath::any_path::AnyPath;
use crate::multipath::paths::{OnePath, PathNode, Paths};
use crate::multipath::unit::{PathChange, PathReport};
use crate::multipath::{BlockNumber, Map, MapPath, by_rank};
use crate::transport::{Access, Node};

/// The major numbers of SCSI disks, and that of NVMe namespaces and partitions, of
/// `<linux/major.h>`: no map has one of them.
const DISKS: [RangeInclusive<u64>; 4] = [8..=8, 65..=71, 128..=135, 259..=259];

/// An open map.
pub(super) struct OpenMap {
    pub(super) map: Map,
    pub(super) paths: Paths,
    /// The places of the usable paths among `paths`, the best first.
    pub(super) order: Vec<usize>,
    /// Why the others are not usable.
    pub(super) untried: Vec<PathReport>,
}

impl OpenMap {
    /// Its paths.
    pub(super) const fn paths(&self) -> &Paths {
        &self.paths
    }
}

/// The map that the device called `name` is to be taken for, if it can be told without opening it.
pub(super) fn by_name(session: &Session<'_, '_>, name: &OsStr) -> Result<Option<Map>, Error> {
    let policy = session.task.paths;
    let may_be_map = {
        let name = name.as_encoded_bytes();
        let has = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
        has(b"/mapper/") || has(b"/dm-")
    };
    // To open a map for writing has udev look at it again. Other nodes are opened first, and asked
    // what they are then.
    if policy == PathPolicy::One || policy == PathPolicy::ByDevice && !may_be_map {
        return Ok(None);
    }
    let Some(number) = session.maps.number(Path::new(name)) else {
        return Ok(None);
    };
    find(session, name, number)
}

/// The map that the open `node` of the device called `name` is to be taken for.
pub(super) fn by_node(
    session: &Session<'_, '_>,
    name: &OsStr,
    node: Node,
) -> Result<Option<Map>, Error> {
    let Some((major, minor)) = node.block else {
        return Ok(None);
    };
    let is_disk = DISKS.iter().any(|disks| disks.contains(&major));
    if session.task.paths != PathPolicy::ByDevice || is_disk {
        return Ok(None);
    }
    find(session, name, BlockNumber { major, minor })
}

fn find(
    session: &Session<'_, '_>,
    name: &OsStr,
    number: BlockNumber,
) -> Result<Option<Map>, Error> {
    let found = match session.maps.below(number) {
        Ok(None) if session.task.paths == PathPolicy::All => session.maps.above(number),
        found => found,
    };
    found.map_err(|source| Error::Topology {
        device: name.to_owned(),
        source,
    })
}

/// Opens the paths of `map`: the transport that reads over whichever of them answers, and the map.
pub(super) fn open(
    session: &Session<'_, '_>,
    name: &OsStr,
    map: Map,
) -> Result<(AnyPath, OpenMap), Error> {
    let nodes = session.maps.nodes().map_err(|source| Error::Worker {
        device: name.to_owned(),
        source,
    })?;
    let paths = Paths::new(nodes, map.paths.iter().map(path_node));
    limit(session, &paths);
    let order = by_rank(&map.paths);
    let untried: Vec<PathReport> = (0..map.paths.len())
        .filter(|index| !order.contains(index))
        .map(|index| untried(&map.paths[index]))
        .collect();
    if session.task.verbosity > 0 {
        for path in &map.paths {
            (session.print)(&format!("    {}: path {}\n", map.name, described(path)));
        }
    }
    let lines = untried.iter().map(|one| match &one.change {
        PathChange::Unreached(why) => format!("{}: {why}", one.name),
        _ => one.name.clone(),
    });
    let transport = AnyPath::new(paths.clone(), &map.name, order.clone(), lines.collect());
    let open = OpenMap {
        map,
        paths,
        order,
        untried,
    };
    Ok((transport, open))
}

/// Has nothing wait for the paths after the run's deadline, if there is one.
fn limit(session: &Session<'_, '_>, paths: &Paths) {
    if let Some(deadline) = session.deadline {
        let left = deadline.saturating_sub(session.clock.now());
        paths.set_deadline(paths.now() + left);
    }
}

/// Opens the device called `name` in the process that sends commands: nobody has to wait for it
/// longer than the deadline allows.
pub(super) fn open_elsewhere(
    session: &Session<'_, '_>,
    name: &OsStr,
    access: Access,
) -> io::Result<(OnePath, Paths)> {
    let paths = Paths::new(
        session.maps.nodes()?,
        [PathNode {
            name: name.to_string_lossy().into_owned(),
            device: name.into(),
            block: None,
        }],
    );
    limit(session, &paths);
    paths.open(0, access)?;
    Ok((paths.transport(0), paths))
}

pub(super) fn path_node(path: &MapPath) -> PathNode {
    PathNode {
        name: path.name.clone(),
        device: path.node.clone(),
        block: Some((path.number.major, path.number.minor)),
    }
}

/// The path, and what sysfs says of it.
pub(super) fn described(path: &MapPath) -> String {
    let mut text = format!("{} ({}", path.name, path.state);
    if let Some(access) = path.access {
        text += &format!(", {access}");
    }
    if path.dm.is_some_and(|dm| dm.is_failed) {
        text += ", failed";
    }
    text + ")"
}

pub(super) fn untried(path: &MapPath) -> PathReport {
    let why = match path.is_gone {
        true => "it is gone".to_owned(),
        false => path.state.to_string(),
    };
    PathReport {
        name: path.name.clone(),
        change: PathChange::Unreached(why),
    }
}

/// What a path that carried no command ended with, for a message.
pub(super) fn reports(paths: &[PathReport]) -> Vec<String> {
    let line = |report: &PathReport| format!("path {}: {}", report.name, report.change);
    paths.iter().map(line).collect()
}
