//! The command `sg_persist`: hands the process's own world to the library.
#![no_main]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use sg_persist::cli::request::Environment;
use sg_persist::cli::transport_ids::{Input, read_text};
use sg_persist::exit::ExitStatus;
use sg_persist::host_ports::{self, DeviceNumber, PathPorts};
use sg_persist::output::FileSystem;
use sg_persist::pr::transport_id::TransportId;
use sg_persist::run::{World, run};
use sg_persist::transport::LinuxDevices;

mod beside;
mod maps;
mod memory;
mod news;
mod recycled;
mod start;
mod stop;
mod thread;
mod watch;

use beside::Watching;
use maps::LinuxMaps;
use news::Listening;
use start::Stream;
use watch::Watched;

#[global_allocator]
static MEMORY: memory::OneBlock = memory::OneBlock;

/// Standard input, and files to read.
struct Files;

impl Input for Files {
    fn stdin(&mut self) -> io::Result<Vec<u8>> {
        read_text(io::stdin().lock())
    }

    fn file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        read_text(File::open(path)?)
    }
}

/// This host's own initiator ports on the way to `device`, as far as sysfs knows them.
fn own_ports(device: &Path) -> Vec<TransportId> {
    fs::metadata(device).map_or_else(|_| Vec::new(), |metadata| host_ports::of(&metadata))
}

/// Those of them through which the commands to `device` go.
fn path_ports(device: &Path) -> PathPorts {
    let number = fs::metadata(device)
        .ok()
        .and_then(|metadata| DeviceNumber::of(&metadata));
    number.map_or_else(PathPorts::default, |number| {
        host_ports::path_ports(Path::new(host_ports::SYSFS), number)
    })
}

/// A run with this command line, its program's name first, and these environment variables, in the
/// process's own world.
fn run_here(
    argv: &[OsString],
    variable: &dyn Fn(&str) -> Option<&'static OsStr>,
    stdout: Stream,
    stderr: Stream,
) -> ExitStatus {
    if maps::serve(argv) {
        return ExitStatus::SUCCESS;
    }
    let is_set = |name| variable(name).is_some();
    // A line that cannot be taken back is not for passing news.
    let takes_lines_back = variable("TERM").is_some_and(|name| !name.is_empty() && name != "dumb");
    let shows_progress = takes_lines_back && stderr.is_terminal();
    let maps = LinuxMaps::default();
    let status = run(World {
        argv,
        environment: Environment {
            posixly_correct: is_set("POSIXLY_CORRECT"),
            in_readonly: is_set("SG_PERSIST_IN_RDONLY"),
            show_invocation: is_set("SG3_UTILS_INVOCATION"),
            no_color: variable("NO_COLOR").is_some_and(|value| !value.is_empty()),
            ua_retries: variable("SG_PERSIST_UA_RETRIES").map(OsStr::to_owned),
        },
        input: &mut Files,
        output: &mut FileSystem,
        own_ports: &own_ports,
        maps: &maps,
        path_ports: &path_ports,
        clock: &Listening::default(),
        devices: &Watched::new(LinuxDevices, shows_progress),
        stdout: &mut { stdout },
        stdout_is_terminal: &|| stdout.is_terminal(),
        stderr: &mut { stderr },
        stderr_is_terminal: &|| stderr.is_terminal(),
        beside: &Watching::new(shows_progress),
    });
    maps.end_by_signal();
    status
}
