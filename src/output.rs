//! Files to write: made sure of before a run does anything, and replaced whole at its end.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::major;
use nix::unistd::linkat;

/// The major number of tapes, of `<linux/major.h>`.
const SCSI_TAPE_MAJOR: u64 = 9;

/// The major number of sg nodes, of `<linux/major.h>`.
const SCSI_GENERIC_MAJOR: u64 = 21;

/// Where files are written.
pub trait Output {
    /// Makes sure that the file `path` can be written. What it holds stays until
    /// [`Draft::publish`]; a draft that is dropped leaves everything as it was.
    ///
    /// # Errors
    /// What the operating system says when it cannot be written.
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn Draft>>;
}

/// A file that is yet to be written.
pub trait Draft {
    /// Makes the file hold `bytes` and nothing else.
    ///
    /// # Errors
    /// What the operating system says when it cannot be written.
    fn publish(self: Box<Self>, bytes: &[u8]) -> io::Result<()>;
}

/// The files of this machine.
///
/// A regular file is replaced by a new one of the same owner and mode, so that its readers see the
/// old content or the new. Where that is impossible (the directory takes no new file, the owner
/// cannot be kept, the file has several names) it is written over. Terminals, pipes and the like
/// are written to, but no disk or tape; so is an open descriptor (`/dev/stdout`), behind what is there already.
#[derive(Clone, Copy, Debug)]
pub struct FileSystem;

impl Output for FileSystem {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn Draft>> {
        let (place, is_descriptor) = follow(path);
        // Not even opened: a tape would be rewound by that.
        if fs::metadata(path).is_ok_and(|there| is_storage(there.mode(), there.rdev())) {
            return Err(io::Error::other("it is a disk or a tape"));
        }
        if is_descriptor {
            let file = OpenOptions::new().append(true).open(path)?;
            return Ok(Box::new(Stream(file)));
        }
        // Neither created nor cut by this. The kernel follows the links, since it knows which of them
        // somebody else may have laid as a trap (fs.protected_symlinks).
        let existing = match OpenOptions::new().write(true).open(path) {
            Ok(file) if !file.metadata()?.is_file() => return Ok(Box::new(Stream(file))),
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound && names_a_file(&place) => None,
            Err(error) => return Err(error),
        };
        let Some(existing) = existing else {
            let successor = Successor::create(place)?;
            return Ok(Box::new(Regular {
                existing: None,
                successor: Some(successor),
            }));
        };
        Ok(Box::new(Regular {
            successor: Successor::of(&existing, place).ok(),
            existing: Some(existing),
        }))
    }
}

/// The file that `path` names once the links at its end are followed, and whether that stands for
/// an open descriptor of a process. There need not be such a file.
fn follow(path: &Path) -> (PathBuf, bool) {
    let mut place = path.to_owned();
    // As many as the kernel follows.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&place) else {
            break;
        };
        let directory = directory_of(&place);
        // What such a link leads to is more than its text.
        if fs::canonicalize(directory).is_ok_and(|directory| directory.starts_with("/proc")) {
            return (place, true);
        }
        place = directory.join(target);
    }
    (place, false)
}

/// Whether a node of this mode and number leads to what keeps data or takes commands: a block device,
/// a tape or an sg node, which takes a command out of what is written to it.
fn is_storage(mode: u32, number: u64) -> bool {
    match mode & libc::S_IFMT {
        libc::S_IFBLK => true,
        libc::S_IFCHR => [SCSI_TAPE_MAJOR, SCSI_GENERIC_MAJOR].contains(&major(number)),
        _ => false,
    }
}

/// Whether a new file could have the last part of `path` for its name.
fn names_a_file(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    path.file_name()
        .is_some_and(|name| bytes.ends_with(name.as_bytes()))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// What can only be written to: a terminal, a pipe, an open descriptor.
struct Stream(File);

impl Draft for Stream {
    fn publish(mut self: Box<Self>, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// A regular file, which may not be there yet.
struct Regular {
    /// The file that is there, open for writing.
    existing: Option<File>,
    /// The one to take its place.
    successor: Option<Successor>,
}

impl Draft for Regular {
    fn publish(self: Box<Self>, bytes: &[u8]) -> io::Result<()> {
        let Self {
            existing,
            successor,
        } = *self;
        let replaced = match successor {
            Some(mut successor) => {
                successor.write(bytes)?;
                successor.take_over()
            }
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        match (replaced, existing) {
            // In a directory with the sticky bit, for example.
            (Err(_), Some(mut existing)) => {
                existing.set_len(0)?;
                existing.write_all(bytes)
            }
            (replaced, _) => replaced,
        }
    }
}

/// A new file for the directory of the one whose place it is to take.
struct Successor {
    file: File,
    /// Its name, if it has one. It is removed if it does not take over.
    name: Option<PathBuf>,
    place: PathBuf,
}

impl Successor {
    /// An empty file, as the process makes its files. Where the file system can, it has no name
    /// yet, and nothing is left of it if a signal ends the process.
    fn create(place: PathBuf) -> io::Result<Self> {
        let directory = directory_of(&place);
        let mut options = OpenOptions::new();
        let options = options.write(true).mode(0o666);
        let nameless = options
            .clone()
            .custom_flags(libc::O_TMPFILE)
            .open(directory);
        if let Some(file) = nameless.ok().filter(|file| link_to(file).exists()) {
            return Ok(Self {
                file,
                name: None,
                place,
            });
        }
        let (name, file) = named(directory, |name| {
            options.clone().create_new(true).open(name)
        })?;
        Ok(Self {
            file,
            name: Some(name),
            place,
        })
    }

    /// The same with the owner and the mode of `existing`.
    fn of(existing: &File, place: PathBuf) -> io::Result<Self> {
        let old = existing.metadata()?;
        let there = fs::symlink_metadata(&place)?;
        let is_there = (there.dev(), there.ino()) == (old.dev(), old.ino());
        if old.nlink() > 1 || !is_there {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let successor = Self::create(place)?;
        let new = successor.file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(&successor.file, Some(old.uid()), Some(old.gid()))?;
        }
        if new.mode() != old.mode() {
            let mode = Permissions::from_mode(old.mode() & 0o7777);
            successor.file.set_permissions(mode)?;
        }
        Ok(successor)
    }

    /// Writes `bytes` through to where they stay: some file systems say only then that there was
    /// no room.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()
    }

    fn take_over(mut self) -> io::Result<()> {
        if self.name.is_none() {
            let link = link_to(&self.file);
            let give = |name: &Path| -> io::Result<()> {
                let follow = AtFlags::AT_SYMLINK_FOLLOW;
                Ok(linkat(AT_FDCWD, &link, AT_FDCWD, name, follow)?)
            };
            let (name, ()) = named(directory_of(&self.place), give)?;
            self.name = Some(name);
        }
        if let Some(name) = &self.name {
            fs::rename(name, &self.place)?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = fs::remove_file(name);
        }
    }
}

/// Where the kernel shows an open file.
fn link_to(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Does something with a name in `directory` that must not be in use, and gives the name back.
fn named<T>(
    directory: &Path,
    mut make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    let process = std::process::id();
    // A name may be left from a process that was killed, or be in use on another host.
    let mut number = 0;
    loop {
        let name = directory.join(format!(".sg_persist-{process}-{number}"));
        match make(&name) {
            Ok(made) => return Ok((name, made)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// An empty directory, removed at the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let name = format!("sg_persist-output-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
            let mut names: Vec<String> = entries
                .map(|entry| name(entry).into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::set_permissions(&self.0, Permissions::from_mode(0o755)).unwrap();
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn create(path: &Path) -> io::Result<Box<dyn Draft>> {
        FileSystem.create(path)
    }

    #[track_caller]
    fn write(path: &Path, bytes: &[u8]) {
        create(path).unwrap().publish(bytes).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_new_file_appears_whole() {
        let directory = Directory::new("new");
        let path = directory.path("a");
        let draft = create(&path).unwrap();
        assert!(!path.exists());
        draft.publish(b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(directory.names(), ["a"]);
        // As any program makes one.
        File::create(directory.path("b")).unwrap();
        assert_eq!(mode(&path), mode(&directory.path("b")));
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let directory = Directory::new("dropped");
        drop(create(&directory.path("a")).unwrap());
        assert!(directory.names().is_empty());
        fs::write(directory.path("a"), b"old").unwrap();
        drop(create(&directory.path("a")).unwrap());
        assert_eq!(directory.names(), ["a"]);
        assert_eq!(fs::read(directory.path("a")).unwrap(), b"old");
    }

    #[test]
    fn a_file_is_replaced_and_its_readers_keep_the_old_one() {
        let directory = Directory::new("replaced");
        let path = directory.path("a");
        fs::write(&path, b"old content").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let reader = File::open(&path).unwrap();
        let draft = create(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old content");
        draft.publish(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(io::read_to_string(reader).unwrap(), "old content");
        assert_eq!(mode(&path), 0o640);
        assert_eq!(directory.names(), ["a"]);
    }

    #[test]
    fn links_stay_links() {
        let directory = Directory::new("links");
        fs::write(directory.path("a"), b"old").unwrap();
        symlink("a", directory.path("b")).unwrap();
        symlink(directory.path("b"), directory.path("c")).unwrap();
        write(&directory.path("c"), b"new");
        assert_eq!(fs::read(directory.path("a")).unwrap(), b"new");
        assert_eq!(fs::read_link(directory.path("b")).unwrap(), Path::new("a"));
        // One that leads to no file yet.
        symlink("e", directory.path("d")).unwrap();
        write(&directory.path("d"), b"new");
        assert_eq!(fs::read(directory.path("e")).unwrap(), b"new");
        // One that leads to itself.
        symlink("f", directory.path("f")).unwrap();
        let error = create(&directory.path("f")).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert_eq!(directory.names(), ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn a_file_with_two_names_keeps_both() {
        let directory = Directory::new("names");
        fs::write(directory.path("a"), b"old content").unwrap();
        fs::hard_link(directory.path("a"), directory.path("b")).unwrap();
        write(&directory.path("a"), b"new");
        assert_eq!(fs::read(directory.path("b")).unwrap(), b"new");
        assert_eq!(directory.names(), ["a", "b"]);
    }

    #[test]
    fn where_no_new_file_can_be_made_the_old_one_is_written_over() {
        // A directory of a kernel's own, which has its files and takes no others, even from root.
        let path = Path::new("/proc/self/comm");
        let draft = create(path).unwrap();
        draft.publish(b"overwritten").unwrap();
        let comm = fs::read(path).unwrap();
        assert_eq!(comm, b"overwritten\n");
        let error = create(Path::new("/proc/self/nosuch")).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn names_in_use_are_passed_by() {
        let directory = Directory::new("in-use");
        let first = format!(".sg_persist-{}-0", std::process::id());
        fs::write(directory.path(&first), b"another's").unwrap();
        write(&directory.path("a"), b"new");
        assert_eq!(fs::read(directory.path("a")).unwrap(), b"new");
        assert_eq!(fs::read(directory.path(&first)).unwrap(), b"another's");
        assert_eq!(directory.names(), [&first[..], "a"]);

        let mut tried = 0;
        let (name, number) = named(Path::new("/d"), |_| {
            tried += 1;
            match tried {
                1..=3 => Err(io::ErrorKind::AlreadyExists.into()),
                _ => Ok(tried),
            }
        })
        .unwrap();
        assert_eq!(number, 4);
        assert!(name.to_str().unwrap().ends_with("-3"));
        let mut tried = 0;
        let error = named(Path::new("/d"), |_| -> io::Result<()> {
            tried += 1;
            Err(io::ErrorKind::AlreadyExists.into())
        });
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(tried, 1001);
    }

    /// As on file systems that know no files without a name.
    #[test]
    fn a_successor_with_a_name_takes_over_or_goes() {
        let directory = Directory::new("named");
        let successor = || {
            let (name, file) = named(&directory.0, |name| File::create_new(name)).unwrap();
            Successor {
                file,
                name: Some(name),
                place: directory.path("a"),
            }
        };
        let dropped = successor();
        assert_eq!(directory.names().len(), 1);
        drop(dropped);
        assert!(directory.names().is_empty());
        let mut used = successor();
        used.write(b"new").unwrap();
        used.take_over().unwrap();
        assert_eq!(directory.names(), ["a"]);
        assert_eq!(fs::read(directory.path("a")).unwrap(), b"new");
    }

    #[test]
    fn what_cannot_be_written_is_told_at_once() {
        for (path, errno) in [
            ("/nosuch/a", libc::ENOENT),
            ("/dev/null/a", libc::ENOTDIR),
            ("/", libc::EISDIR),
            ("", libc::ENOENT),
            ("/tmp/nosuch/", libc::ENOENT),
            ("/tmp/nosuch/.", libc::ENOENT),
            ("/tmp/nosuch/..", libc::ENOENT),
        ] {
            let error = create(Path::new(path)).err().unwrap();
            assert_eq!(error.raw_os_error(), Some(errno), "{path}");
        }
    }

    #[test]
    fn devices_are_written_to() {
        write(Path::new("/dev/null"), b"text");
        let full = create(Path::new("/dev/full")).unwrap();
        let error = full.publish(b"text").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }

    #[test]
    fn nothing_is_written_to_a_disk_or_a_tape() {
        use nix::sys::stat::makedev;

        for (kind, major, refused) in [
            (libc::S_IFBLK, 8, true),
            (libc::S_IFBLK, 259, true),
            (libc::S_IFCHR, 21, true),
            (libc::S_IFCHR, 9, true),
            // /dev/null, a terminal.
            (libc::S_IFCHR, 1, false),
            (libc::S_IFCHR, 4, false),
            (libc::S_IFIFO, 0, false),
            (libc::S_IFREG, 9, false),
        ] {
            assert_eq!(
                is_storage(kind | 0o660, makedev(major, 3)),
                refused,
                "{kind:o} {major}"
            );
        }
    }

    #[test]
    fn a_descriptor_is_written_behind_what_is_there() {
        use std::os::fd::AsRawFd;

        let directory = Directory::new("descriptor");
        let path = directory.path("log");
        fs::write(&path, b"first\n").unwrap();
        let log = OpenOptions::new().append(true).open(&path).unwrap();
        let number = log.as_raw_fd();
        for place in [
            format!("/dev/fd/{number}"),
            format!("/proc/self/fd/{number}"),
        ] {
            write(Path::new(&place), b"more\n");
        }
        assert_eq!(fs::read(&path).unwrap(), b"first\nmore\nmore\n");
        assert_eq!(directory.names(), ["log"]);
    }
}
