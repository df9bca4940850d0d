//! The process that answers.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Carriers, Nodes, Reply, Request, StartThread, message};

/// Bytes of replies that are read at once.
const BUFFER: usize = 16 * 1024;

/// The way to a worker.
pub struct Remote {
    shared: Arc<Shared>,
}

/// What groups of nodes have in common.
struct Shared {
    requests: Mutex<Box<dyn Write + Send>>,
    boxes: Mutex<Boxes>,
}

/// Where replies go.
#[derive(Default)]
struct Boxes {
    /// By the number that a node has for the worker: its group, and its number there.
    nodes: BTreeMap<u32, (Arc<Letterbox>, u32)>,
    /// The highest number given so far.
    last: u32,
    /// Why there are no more replies.
    end: Option<String>,
}

/// The replies to one group.
#[derive(Default)]
struct Letterbox {
    letters: Mutex<Letters>,
    arrived: Condvar,
}

#[derive(Default)]
struct Letters {
    replies: VecDeque<(u32, Reply)>,
    /// Why there are no more.
    end: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

impl Remote {
    /// Talks to a worker that reads `requests` and writes `replies`, which a thread of its own takes.
    ///
    /// # Errors
    /// What the operating system says where no thread can be started.
    pub fn new(
        requests: impl Write + Send + 'static,
        replies: impl Read + Send + 'static,
        start_thread: StartThread,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            requests: Mutex::new(Box::new(requests)),
            boxes: Mutex::default(),
        });
        let for_thread = Arc::clone(&shared);
        start_thread(Box::new(move || for_thread.distribute(replies)))?;
        Ok(Self { shared })
    }
}

impl Shared {
    /// Puts each reply where it belongs, until there are no more.
    fn distribute(&self, replies: impl Read) {
        let mut replies = BufReader::with_capacity(BUFFER, replies);
        let end = loop {
            let message = match message::read(&mut replies) {
                Ok(Some(message)) => message,
                Ok(None) => break "the process that sends commands has ended".to_owned(),
                Err(error) => break error.to_string(),
            };
            let (number, body) = message;
            let reply = match message::parse_reply(&body) {
                Ok(reply) => reply,
                Err(error) => break error.to_string(),
            };
            let place = lock(&self.boxes).nodes.get(&number).cloned();
            if let Some((letterbox, number)) = place {
                lock(&letterbox.letters).replies.push_back((number, reply));
                letterbox.arrived.notify_all();
            }
        };
        let mut boxes = lock(&self.boxes);
        for (letterbox, _) in boxes.nodes.values() {
            lock(&letterbox.letters).end = Some(end.clone());
            letterbox.arrived.notify_all();
        }
        boxes.end = Some(end);
    }

    fn send(&self, number: u32, request: &Request) -> io::Result<()> {
        let message = message::request(number, request)?;
        lock(&self.requests).write_all(&message)
    }
}

impl Carriers for Remote {
    fn group(&self) -> io::Result<Box<dyn Nodes>> {
        Ok(Box::new(Group {
            shared: Arc::clone(&self.shared),
            letterbox: Arc::default(),
            numbers: BTreeMap::new(),
            since: Instant::now(),
        }))
    }
}

/// A group of nodes at the worker.
struct Group {
    shared: Arc<Shared>,
    letterbox: Arc<Letterbox>,
    /// By the number that a node has here: that for the worker.
    numbers: BTreeMap<u32, u32>,
    since: Instant,
}

impl Group {
    /// The number for the worker.
    fn number(&mut self, number: u32) -> io::Result<u32> {
        if let Some(&known) = self.numbers.get(&number) {
            return Ok(known);
        }
        let mut boxes = lock(&self.shared.boxes);
        if let Some(end) = &boxes.end {
            return Err(io::Error::other(end.clone()));
        }
        boxes.last += 1;
        let given = boxes.last;
        let place = (Arc::clone(&self.letterbox), number);
        boxes.nodes.insert(given, place);
        self.numbers.insert(number, given);
        Ok(given)
    }
}

impl Nodes for Group {
    fn begin(&mut self, number: u32, request: Request) -> io::Result<()> {
        if request == Request::Close {
            // What it is still doing is nobody's reply, and the next one is another node.
            let Some(given) = self.numbers.remove(&number) else {
                return Ok(());
            };
            lock(&self.shared.boxes).nodes.remove(&given);
            return self.shared.send(given, &request);
        }
        let given = self.number(number)?;
        self.shared.send(given, &request)
    }

    fn next(&mut self, within: Option<Duration>) -> io::Result<Option<(u32, Reply)>> {
        let until = within.and_then(|within| Instant::now().checked_add(within));
        let mut letters = lock(&self.letterbox.letters);
        loop {
            if let Some(reply) = letters.replies.pop_front() {
                return Ok(Some(reply));
            }
            if let Some(end) = &letters.end {
                return Err(io::Error::other(end.clone()));
            }
            letters = match until {
                None => self
                    .letterbox
                    .arrived
                    .wait(letters)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    let (letters, _) = self
                        .letterbox
                        .arrived
                        .wait_timeout(letters, left)
                        .unwrap_or_else(PoisonError::into_inner);
                    letters
                }
            };
        }
    }

    fn now(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let numbers: Vec<u32> = self.numbers.keys().copied().collect();
        for number in numbers {
            let _ = self.begin(number, Request::Close);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::thread;

    use super::super::worker::serve;
    use super::super::{OwnedData, Request, Task};
    use super::*;
    use crate::scsi::inquiry;
    use crate::transport::{Access, Command, Completion, Data, Node, NodeKind, Open, Transport};

    /// A device whose INQUIRY data is all of the last letter of its name; `slow` takes its time,
    /// and `none` is not there.
    #[derive(Clone)]
    struct Devices;

    struct Device(u8, bool);

    impl Open for Devices {
        fn open(&self, device: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
            let name = device.to_str().unwrap();
            if name == "none" {
                return Err(io::Error::from_raw_os_error(libc::ENXIO));
            }
            Ok(Box::new(Device(
                *name.as_bytes().last().unwrap(),
                name == "slow",
            )))
        }
    }

    impl Transport for Device {
        fn execute(&mut self, mut command: Command<'_>) -> io::Result<Completion> {
            if self.1 {
                thread::sleep(Duration::from_millis(200));
            }
            if let Data::In(room) = &mut command.data {
                room[1..].fill(self.0);
            }
            Ok(Completion {
                residual: 1,
                ..Completion::default()
            })
        }

        fn node(&self) -> Node {
            Node {
                kind: NodeKind::Block,
                ..Node::default()
            }
        }
    }

    fn start(task: Task) -> io::Result<()> {
        thread::Builder::new().spawn(task).map(drop)
    }

    fn remote() -> Remote {
        let (here, there) = UnixStream::pair().unwrap();
        let worker = there.try_clone().unwrap();
        thread::spawn(move || serve(worker, there, Devices, start));
        Remote::new(here.try_clone().unwrap(), here, start).unwrap()
    }

    fn open(name: &str) -> Request {
        Request::Open {
            device: name.into(),
            access: Access::ReadOnly,
        }
    }

    fn inquiry() -> Request {
        Request::Execute {
            cdb: inquiry::cdb(),
            data: OwnedData::In(vec![9; 3]),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_slow_node_keeps_no_other_waiting() {
        let remote = remote();
        let mut group = remote.group().unwrap();
        for (number, name) in [(0, "slow"), (1, "b"), (2, "none")] {
            group.begin(number, open(name)).unwrap();
            let (from, reply) = group.next(None).unwrap().unwrap();
            assert_eq!(from, number);
            match (name, reply) {
                ("none", Reply::Failed { error, .. }) => {
                    assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
                }
                (_, Reply::Opened { node, .. }) => assert_eq!(node.kind, NodeKind::Block),
                (_, reply) => panic!("{reply:?}"),
            }
        }
        group.begin(0, inquiry()).unwrap();
        group.begin(1, inquiry()).unwrap();
        let (from, reply) = group.next(None).unwrap().unwrap();
        assert_eq!(from, 1);
        let Reply::Executed { completion, data } = reply else {
            panic!("{reply:?}");
        };
        assert_eq!((completion.residual, &data[..]), (1, &b"\x09bb"[..]));
        assert!(group.next(Some(Duration::ZERO)).unwrap().is_none());
        let (from, _) = group.next(None).unwrap().unwrap();
        assert_eq!(from, 0);
    }

    #[test]
    fn groups_know_nothing_of_each_other() {
        let remote = remote();
        let mut one = remote.group().unwrap();
        let mut other = remote.group().unwrap();
        one.begin(0, open("x")).unwrap();
        other.begin(0, open("y")).unwrap();
        one.next(None).unwrap().unwrap();
        other.next(None).unwrap().unwrap();
        other.begin(0, inquiry()).unwrap();
        let (_, reply) = other.next(None).unwrap().unwrap();
        assert!(matches!(reply, Reply::Executed { data, .. } if data == b"\x09yy"));
        assert!(one.next(Some(Duration::from_millis(1))).unwrap().is_none());
    }

    #[test]
    fn what_a_closed_node_still_says_is_not_heard() {
        let remote = remote();
        let mut group = remote.group().unwrap();
        group.begin(0, open("slow")).unwrap();
        group.next(None).unwrap().unwrap();
        group.begin(0, inquiry()).unwrap();
        group.begin(0, Request::Close).unwrap();
        group.begin(0, open("c")).unwrap();
        let (_, reply) = group.next(None).unwrap().unwrap();
        assert!(matches!(reply, Reply::Opened { .. }));
        assert!(
            group
                .next(Some(Duration::from_millis(300)))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_worker_that_is_gone_is_an_error() {
        let (here, there) = UnixStream::pair().unwrap();
        let remote = Remote::new(here.try_clone().unwrap(), here, start).unwrap();
        let mut group = remote.group().unwrap();
        group.begin(0, open("x")).unwrap();
        drop(there);
        assert!(group.next(None).is_err());
        assert!(group.next(Some(Duration::ZERO)).is_err());
        let mut late = remote.group().unwrap();
        assert!(late.begin(0, open("x")).is_err());
    }
}
