//! Multipath maps of this machine, and the process that sends commands to their paths.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, send};
use sg_persist::host_ports::SYSFS;
use sg_persist::multipath::Maps;
use sg_persist::multipath::control::{CONTROL, Control};
use sg_persist::multipath::identity::identities;
use sg_persist::multipath::lock::{self, Acquired, Lock};
use sg_persist::multipath::{BlockNumber, Map, TopologyError, map_above, map_below};
use sg_persist::transport::LinuxDevices;
use sg_persist::transport::remote::{Carriers, Nodes, Remote, worker};

use crate::stop::Stop;
use crate::thread;

/// What the worker is called: no command line of a user begins so.
const WORKER: &str = "[sg_persist worker]";

/// The maps of this machine.
#[derive(Debug, Default)]
pub(crate) struct LinuxMaps {
    /// Started where somebody needs it.
    worker: OnceLock<Remote>,
    /// Held while it is started.
    starting: Mutex<()>,
    /// The device mapper, if it may be asked.
    control: OnceLock<Option<Control>>,
    /// From the first change to a map on.
    stop: OnceLock<Option<Stop>>,
}

impl LinuxMaps {
    /// Ends the program by the signal that has come while a map was changed, if one has.
    pub(crate) fn end_by_signal(&self) {
        if let Some(Some(stop)) = self.stop.get() {
            stop.end();
        }
    }

    fn table(&self, map: BlockNumber) -> Option<String> {
        let control = self
            .control
            .get_or_init(|| Control::open(Path::new(CONTROL)));
        control.as_ref()?.table_status(map)
    }
}

impl Maps for LinuxMaps {
    fn number(&self, device: &Path) -> Option<BlockNumber> {
        BlockNumber::of(&fs::metadata(device).ok()?)
    }

    fn identities(&self, device: &Path) -> Vec<String> {
        let metadata = fs::metadata(device).ok();
        metadata.map_or_else(Vec::new, |metadata| identities(Path::new(SYSFS), &metadata))
    }

    fn below(&self, device: BlockNumber) -> Result<Option<Map>, TopologyError> {
        map_below(Path::new(SYSFS), device, &|map| self.table(map))
    }

    fn above(&self, path: BlockNumber) -> Result<Option<Map>, TopologyError> {
        map_above(Path::new(SYSFS), path, &|map| self.table(map))
    }

    fn lock(&self, number: BlockNumber, within: Duration) -> Option<Lock> {
        match lock::acquire(Path::new(lock::DIRECTORY), number, within) {
            Acquired::Held(lock) => Some(lock),
            Acquired::Busy | Acquired::Unavailable(_) => None,
        }
    }

    fn watch_signals(&self) -> Option<Arc<AtomicBool>> {
        let stop = self.stop.get_or_init(|| Stop::start().ok());
        stop.as_ref().map(Stop::flag)
    }

    fn nodes(&self) -> io::Result<Box<dyn Nodes>> {
        if let Some(worker) = self.worker.get() {
            return worker.group();
        }
        let _alone = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = self.worker.get() {
            return worker.group();
        }
        let started = start()?;
        self.worker.get_or_init(|| started).group()
    }
}

/// Starts this program once more, as the process in the ioctl. It is in a process group of its own:
/// what a terminal sends to this one does not end it, and nobody waits for it.
fn start() -> io::Result<Remote> {
    let (here, there) = UnixStream::pair()?;
    let replies = OwnedFd::from(there.try_clone()?);
    Command::new("/proc/self/exe")
        .arg0(WORKER)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(there)))
        .stdout(Stdio::from(replies))
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    Remote::new(Requests(here.try_clone()?), here, thread::start_roomy)
}

/// Where the requests go. A worker that is gone is an error, and no signal.
struct Requests(UnixStream);

impl Write for Requests {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether this process was started as a worker. If so, it is one until nobody needs it any more.
pub(crate) fn serve(argv: &[OsString]) -> bool {
    if argv != [WORKER] {
        return false;
    }
    let _ = worker::serve(
        io::stdin().lock(),
        io::stdout(),
        LinuxDevices,
        thread::start_roomy,
    );
    true
}
