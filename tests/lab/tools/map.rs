//! What this machine says of a multipath map and its paths: `lab-tools map NODE`.
//!
//! The map that the node is, stands on or is a path of, in one line; then a line for each path, in the
//! order in which commands go through them, and after `-` those through which none goes.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use sg_persist::host_ports::SYSFS;
use sg_persist::multipath::control::{CONTROL, Control};
use sg_persist::multipath::{self, BlockNumber, is_tried};

pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    let [node] = arguments else {
        return Err(io::Error::other("map NODE"));
    };
    let number = BlockNumber::of(&fs::metadata(node)?)
        .ok_or_else(|| io::Error::other("not a block device"))?;
    let control = Control::open(Path::new(CONTROL));
    let table = |number| control.as_ref()?.table_status(number);
    let sysfs = Path::new(SYSFS);
    let map = match multipath::map_below(sysfs, number, &table).map_err(io::Error::other)? {
        None => multipath::map_above(sysfs, number, &table).map_err(io::Error::other)?,
        map => map,
    };
    let mut out = io::stdout();
    let Some(map) = map else {
        writeln!(out, "no map")?;
        return Ok(true);
    };
    let open_count = control.and_then(|control| control.open_count(map.number));
    let suspended = if map.suspended { " suspended" } else { "" };
    writeln!(out, "{} open {open_count:?}{suspended}", map.name)?;
    let tried = multipath::by_rank(&map.paths).into_iter();
    let tried = tried.map(|index| ("+", &map.paths[index]));
    let left = map.paths.iter().filter(|path| !is_tried(path));
    for (mark, path) in tried.chain(left.map(|path| ("-", path))) {
        let node = path.node.display();
        let access = path.access.map_or("?", |access| access.words());
        let dm = path.dm.map(|dm| (dm.group, dm.order, dm.is_failed));
        let gone = if path.is_gone { " gone" } else { "" };
        let (number, kind, state) = (path.number, path.kind, path.state);
        writeln!(
            out,
            "{mark} {node} {number} {kind:?} {state}{gone} {access} {dm:?}"
        )?;
    }
    Ok(true)
}
