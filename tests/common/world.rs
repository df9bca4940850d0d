//! What a run has around it besides devices: files, standard streams, time.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sg_persist::cli::transport_ids::Input;
use sg_persist::clock::Clock;
use sg_persist::multipath::Maps;
use sg_persist::multipath::lock::Lock;
use sg_persist::multipath::{BlockNumber, Map, TopologyError};
use sg_persist::output::{Draft, Output};
use sg_persist::run::{Beside, StartOne, Tally};
use sg_persist::transport::remote::Nodes;

/// Standard input and files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    /// What standard input holds. Without it, it cannot be read.
    pub(crate) stdin: Option<Vec<u8>>,
    /// The files that exist.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What standard input and every other file hold.
    pub(crate) everywhere: Option<Vec<u8>>,
}

impl Input for Texts {
    fn stdin(&mut self) -> io::Result<Vec<u8>> {
        let text = self.stdin.take().or_else(|| self.everywhere.clone());
        text.ok_or_else(|| io::Error::other("closed"))
    }

    fn file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("/") {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        let mut files = self.files.iter();
        let found = files.find(|(name, _)| Path::new(name) == path);
        found
            .map(|(_, text)| text.clone())
            .or_else(|| self.everywhere.clone())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }
}

/// A machine without multipath maps, which cannot start another process.
pub(crate) struct NoMaps;

impl Maps for NoMaps {
    fn number(&self, _: &Path) -> Option<BlockNumber> {
        None
    }

    fn identities(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }

    fn below(&self, _: BlockNumber) -> Result<Option<Map>, TopologyError> {
        Ok(None)
    }

    fn above(&self, _: BlockNumber) -> Result<Option<Map>, TopologyError> {
        Ok(None)
    }

    fn lock(&self, _: BlockNumber, _: Duration) -> Option<Lock> {
        None
    }

    fn watch_signals(&self) -> Option<Arc<AtomicBool>> {
        None
    }

    fn nodes(&self) -> io::Result<Box<dyn Nodes>> {
        Err(io::Error::from_raw_os_error(libc::EAGAIN))
    }
}

/// Nothing beside a run on several devices.
pub(crate) struct Alone;

impl Beside for Alone {
    fn most(&self) -> usize {
        usize::MAX
    }

    fn threads(&self, work: &(dyn Fn() + Sync), meanwhile: &mut dyn FnMut(&StartOne<'_>)) {
        std::thread::scope(|scope| {
            meanwhile(&|| {
                std::thread::Builder::new()
                    .spawn_scoped(scope, work)
                    .map(drop)
            });
        });
    }

    fn begin(&self, _: &Arc<Tally>) {}

    fn pause(&self, _: &Tally) {}
}

/// A file's name, and what was written to it.
pub(crate) type WrittenFile = (PathBuf, Vec<u8>);

/// The files that were written. /unwritable cannot be, and /full takes nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(pub(crate) Rc<RefCell<Vec<WrittenFile>>>);

impl Output for Written {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn Draft>> {
        if path == Path::new("/unwritable") {
            return Err(io::Error::from_raw_os_error(libc::EACCES));
        }
        Ok(Box::new(WrittenDraft(path.to_owned(), self.clone())))
    }
}

struct WrittenDraft(PathBuf, Written);

impl Draft for WrittenDraft {
    fn publish(self: Box<Self>, bytes: &[u8]) -> io::Result<()> {
        let Self(path, Written(files)) = *self;
        if path == Path::new("/full") {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        files.borrow_mut().push((path, bytes.to_vec()));
        Ok(())
    }
}

/// Time passes while commands are at the device and while one waits.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    /// Since the run began.
    now: Mutex<Duration>,
    /// Milliseconds that were waited between commands.
    pub(crate) pauses: Mutex<Vec<u128>>,
}

impl Passing {
    pub(crate) fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }
}

impl Clock for Passing {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn wait(&self, time: Duration) {
        self.pass(time);
        self.pauses.lock().unwrap().push(time.as_millis());
    }
}

/// A standard stream.
pub(crate) struct Sink {
    pub(crate) text: Vec<u8>,
    error: Option<i32>,
}

impl Sink {
    /// With an error number, each write ends with it.
    pub(crate) fn new(error: Option<i32>) -> Self {
        Self {
            text: Vec::new(),
            error,
        }
    }
}

impl Write for Sink {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match self.error {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => self.text.write(text),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
