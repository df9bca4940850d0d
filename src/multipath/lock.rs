//! A lock for each map, so that two runs on one do not undo each other's work.
//!
//! It is advisory, and only runs of this program on this machine know of it: nothing that must hold
//! depends on it. Where there is no lock to be had, one goes on without.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::BlockNumber;

/// Where the locks are. It belongs to root, or to everybody, as in Debian: then others may have put
/// something else there.
pub const DIRECTORY: &str = "/run/lock";

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// The lock. It is open again when this is dropped, or when the process ends; the file stays, for
/// whoever waits for it has it open.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

/// What came of the attempt to lock a map.
#[derive(Debug)]
pub enum Acquired {
    /// It is locked.
    Held(Lock),
    /// Another run has had it all the time.
    Busy,
    /// There is no lock: the file cannot be made or is not one.
    Unavailable(io::Error),
}

/// Locks the map with this number in `directory`, for a program [`DIRECTORY`], if that can be done
/// `within` this time.
#[must_use]
pub fn acquire(directory: &Path, map: BlockNumber, within: Duration) -> Acquired {
    let start = Instant::now();
    let mut file = match open(&directory.join(format!("sg_persist.{map}"))) {
        Ok(file) => file,
        Err(error) => return Acquired::Unavailable(error),
    };
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => return Acquired::Held(Lock { _file: file }),
            Err((file, Errno::EAGAIN | Errno::EINTR)) => file,
            Err((_, error)) => return Acquired::Unavailable(error.into()),
        };
        let left = within.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Acquired::Busy;
        }
        thread::sleep(left.min(PAUSE));
    }
}

/// Opens the file, or makes it. It is neither read nor written, so that whatever it is stays as it
/// is; a link is not followed, and a pipe does not make this wait.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a file"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A directory, gone when dropped.
    struct Directory(PathBuf);

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    impl Directory {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("sg_persist-lock-{}-{count}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir(&directory).unwrap();
            Self(directory)
        }

        fn file(&self) -> PathBuf {
            self.0.join("sg_persist.253:0")
        }

        fn acquire(&self, minor: u64, milliseconds: u64) -> Acquired {
            let map = BlockNumber { major: 253, minor };
            acquire(&self.0, map, Duration::from_millis(milliseconds))
        }
    }

    #[test]
    fn one_at_a_time() {
        let directory = Directory::new();
        let Acquired::Held(lock) = directory.acquire(0, 0) else {
            panic!("not locked");
        };
        let start = Instant::now();
        assert!(matches!(directory.acquire(0, 0), Acquired::Busy));
        assert!(matches!(directory.acquire(0, 60), Acquired::Busy));
        assert!(start.elapsed() >= Duration::from_millis(60));
        assert!(matches!(directory.acquire(1, 0), Acquired::Held(_)));
        drop(lock);
        assert!(matches!(directory.acquire(0, 0), Acquired::Held(_)));
        let mode = fs::metadata(directory.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn whoever_waits_gets_it() {
        let directory = Directory::new();
        let Acquired::Held(lock) = directory.acquire(0, 0) else {
            panic!("not locked");
        };
        thread::scope(|scope| {
            let waiting = scope.spawn(|| directory.acquire(0, 60_000));
            thread::sleep(Duration::from_millis(50));
            drop(lock);
            assert!(matches!(waiting.join().unwrap(), Acquired::Held(_)));
        });
    }

    #[test]
    fn what_others_put_there_is_left_alone() {
        let directory = Directory::new();
        let other = directory.0.join("other");
        symlink(&other, directory.file()).unwrap();
        assert!(matches!(
            directory.acquire(0, 0),
            Acquired::Unavailable(error) if error.raw_os_error() == Some(libc::ELOOP)
        ));
        assert!(!other.exists());
        fs::remove_file(directory.file()).unwrap();

        fs::create_dir(directory.file()).unwrap();
        assert!(matches!(directory.acquire(0, 0), Acquired::Unavailable(_)));
        fs::remove_dir(directory.file()).unwrap();

        nix::unistd::mkfifo(&directory.file(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(directory.acquire(0, 0), Acquired::Unavailable(_)));
        fs::remove_file(directory.file()).unwrap();

        fs::write(directory.file(), "precious").unwrap();
        assert!(matches!(directory.acquire(0, 0), Acquired::Held(_)));
        assert_eq!(fs::read(directory.file()).unwrap(), b"precious");
    }

    #[test]
    fn without_a_directory_there_is_no_lock() {
        let map = BlockNumber { major: 1, minor: 2 };
        let missing = Path::new("/nonexistent/lock");
        assert!(matches!(
            acquire(missing, map, Duration::from_secs(60)),
            Acquired::Unavailable(_)
        ));
    }
}
