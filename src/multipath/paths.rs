//! The paths of a map, each with commands of its own, side by side.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pr::transport_id::TransportId;
use crate::transport::remote::{Nodes, OwnedData, Reply, Request};
use crate::transport::{Access, Command, Completion, Data, Node, Transport};

/// How long one waits before looking whether a signal has come.
const SLICE: Duration = Duration::from_millis(50);

/// The paths of one logical unit. Clones are the same paths.
#[derive(Clone)]
pub struct Paths(Arc<Mutex<Inner>>);

struct Inner {
    nodes: Box<dyn Nodes>,
    members: Vec<Member>,
    /// When nobody waits for anything any more.
    deadline: Option<Duration>,
    /// Whether a signal has come that is to end the program.
    stop: Option<Arc<AtomicBool>>,
}

/// What leads to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathNode {
    /// The path's name, for people.
    pub name: String,
    /// The device node.
    pub device: PathBuf,
    /// The major and the minor number that the node must have: names are used again for other disks.
    pub block: Option<(u64, u64)>,
}

struct Member {
    node: PathNode,
    access: Access,
    /// What the node is, while it is open.
    open: Option<(Node, Option<[u32; 3]>)>,
    /// Whether it is opened for writing too where the kernel asks for that.
    reopens: bool,
    doing: Doing,
    /// How long whoever waits for a command on it alone does so.
    patience: Option<Duration>,
    /// What is to be done when the node is free, or open.
    queued: Option<Request>,
    /// How the last request ended, where somebody wants to know.
    ended: Option<Ended>,
}

impl Member {
    const fn new(node: PathNode) -> Self {
        Self {
            node,
            access: Access::ReadOnly,
            open: None,
            reopens: true,
            doing: Doing::Nothing,
            patience: None,
            queued: None,
            ended: None,
        }
    }

    /// What the node is; unknown while it is not open.
    fn node(&self) -> Node {
        self.open.map(|(node, _)| node).unwrap_or_default()
    }
}

/// How a command on a path ended: with a completion and the data in, or the error and what was sent.
#[derive(Debug)]
pub struct Ended {
    /// The completion.
    pub result: io::Result<Completion>,
    /// Data in.
    pub data: Vec<u8>,
    /// [`Transport::sent`], after an error.
    pub sent: Vec<String>,
    /// This host's name, where that was asked for.
    pub host: Option<TransportId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// It is being opened, for what is queued.
    Opening,
    /// A command that somebody waits for.
    Command,
    /// Something that nobody waits for any more.
    Abandoned,
}

impl std::fmt::Debug for Paths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self
            .lock()
            .members
            .iter()
            .map(|one| one.node.name.clone())
            .collect();
        f.debug_tuple("Paths").field(&names).finish()
    }
}

impl Paths {
    /// The paths that `nodes` lead to by these device nodes; none is open yet.
    #[must_use]
    pub fn new(nodes: Box<dyn Nodes>, paths: impl IntoIterator<Item = PathNode>) -> Self {
        let members = paths.into_iter().map(Member::new);
        Self(Arc::new(Mutex::new(Inner {
            nodes,
            members: members.collect(),
            deadline: None,
            stop: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many paths there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the path `index`.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        self.lock().members[index].node.name.clone()
    }

    /// One more path, with the next index.
    pub fn push(&self, node: PathNode) -> usize {
        let mut inner = self.lock();
        inner.members.push(Member::new(node));
        inner.members.len() - 1
    }

    /// Whether the path `index` is still doing what nobody waits for any more.
    #[must_use]
    pub fn is_busy(&self, index: usize) -> bool {
        self.lock().members[index].doing != Doing::Nothing
    }

    /// The time since some moment in the past that stays the same.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.lock().nodes.now()
    }

    /// Sends a command over the path `index`, which is opened first where it is not open. It waits
    /// until the path is free.
    ///
    /// # Errors
    /// There is no way to the paths.
    pub fn begin(&self, index: usize, command: &Command<'_>) -> io::Result<()> {
        let data = match &command.data {
            Data::None => OwnedData::None,
            Data::In(room) => OwnedData::In(room.to_vec()),
            Data::Out(list) => OwnedData::Out(list.to_vec()),
        };
        if self.is_over() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.lock().start(
            index,
            Request::Execute {
                cdb: command.cdb,
                data,
                timeout: command.timeout,
            },
        )
    }

    /// Which of the paths `wanted` has ended what was begun on it first, if one has within this time,
    /// and before the deadline.
    ///
    /// # Errors
    /// There is no way to the paths any more.
    pub fn next(
        &self,
        wanted: &[usize],
        within: Option<Duration>,
    ) -> io::Result<Option<(usize, Ended)>> {
        let mut inner = self.lock();
        let until = within.map(|within| inner.nodes.now() + within);
        let was_stopped = inner.is_stopped();
        loop {
            for &index in wanted {
                if let Some(ended) = inner.members[index].ended.take() {
                    return Ok(Some((index, ended)));
                }
            }
            let earliest = [until, inner.deadline].into_iter().flatten().min();
            let left = earliest.map(|until| until.saturating_sub(inner.nodes.now()));
            let slice = match inner.stop.is_some() && !was_stopped {
                true => Some(left.map_or(SLICE, |left| left.min(SLICE))),
                false => left,
            };
            let Some((number, reply)) = inner.nodes.next(slice)? else {
                let is_over = left.is_some_and(|left| Some(left) == slice);
                if is_over || !was_stopped && inner.is_stopped() {
                    return Ok(None);
                }
                continue;
            };
            inner.receive(number, reply)?;
        }
    }

    /// From now on nothing is begun, and nobody waits for anything, after this time of
    /// [`Paths::now`]: what would take longer ends with an error of the kind
    /// [`io::ErrorKind::TimedOut`].
    pub fn set_deadline(&self, deadline: Duration) {
        self.lock().deadline = Some(deadline);
    }

    /// From now on, once `stop` is set, nobody waits for the answer to a command any more that was
    /// sent before.
    pub fn stop_by(&self, stop: Arc<AtomicBool>) {
        self.lock().stop = Some(stop);
    }

    /// Whether a signal has come that is to end the program.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.lock().is_stopped()
    }

    /// Whether that time is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let inner = self.lock();
        inner
            .deadline
            .is_some_and(|deadline| inner.nodes.now() >= deadline)
    }

    /// Opens the path `index`, and waits until it is open.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(&self, index: usize, access: Access) -> io::Result<Node> {
        {
            let mut inner = self.lock();
            let member = &mut inner.members[index];
            member.access = access;
            member.reopens = false;
            member.doing = Doing::Command;
            let request = open(member);
            inner.nodes.begin(number(index)?, request)?;
        }
        match self.next(&[index], None)? {
            Some((_, ended)) => ended.result.map(|_| self.lock().members[index].node()),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Nobody waits any more for what the path `index` is doing.
    pub fn abandon(&self, index: usize) {
        let mut inner = self.lock();
        let member = &mut inner.members[index];
        member.ended = None;
        member.queued = None;
        if member.doing != Doing::Nothing {
            member.doing = Doing::Abandoned;
        }
    }

    /// From now on a command over the path `index` alone that takes longer than `patience` ends with
    /// an error of the kind [`io::ErrorKind::TimedOut`], and goes on: [`Paths::next`] has its end.
    pub fn set_patience(&self, index: usize, patience: Option<Duration>) {
        self.lock().members[index].patience = patience;
    }

    /// A transport over the path `index` alone.
    #[must_use]
    pub fn transport(&self, index: usize) -> OnePath {
        OnePath {
            paths: self.clone(),
            index,
            sent: Vec::new(),
        }
    }
}

impl Inner {
    fn is_stopped(&self) -> bool {
        let stop = self.stop.as_ref();
        stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    fn start(&mut self, index: usize, request: Request) -> io::Result<()> {
        let member = &mut self.members[index];
        member.ended = None;
        if member.doing != Doing::Nothing {
            member.queued = Some(request);
            return Ok(());
        }
        let number = number(index)?;
        if member.open.is_none() {
            member.queued = Some(request);
            member.doing = Doing::Opening;
            return self.nodes.begin(number, open(member));
        }
        member.doing = Doing::Command;
        self.nodes.begin(number, request)
    }

    /// Takes a reply, and goes on with what waits for it.
    fn receive(&mut self, number: u32, reply: Reply) -> io::Result<()> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(member) = self.members.get_mut(index) else {
            return Ok(());
        };
        let was_doing = std::mem::replace(&mut member.doing, Doing::Nothing);
        let failed = |error| Ended {
            result: Err(error),
            data: Vec::new(),
            sent: Vec::new(),
            host: None,
        };
        let ended = match reply {
            Reply::Opened {
                node,
                sg_driver_version,
            } => {
                let expected = member.node.block;
                if expected.is_none() || node.block == expected {
                    member.open = Some((node, sg_driver_version));
                    // Somebody waits for this alone.
                    (was_doing == Doing::Command).then(|| Ended {
                        result: Ok(Completion::default()),
                        data: Vec::new(),
                        sent: Vec::new(),
                        host: None,
                    })
                } else {
                    // Another disk has the name by now.
                    self.nodes.begin(number, Request::Close)?;
                    Some(failed(io::Error::from_raw_os_error(libc::ENODEV)))
                }
            }
            Reply::Executed { completion, data } => Some(Ended {
                result: Ok(completion),
                data,
                sent: Vec::new(),
                host: None,
            }),
            Reply::Host { host, sent } => Some(Ended {
                result: Ok(Completion::default()),
                data: Vec::new(),
                sent,
                host,
            }),
            Reply::Failed { error, sent } => Some(Ended {
                sent,
                ..failed(error)
            }),
        };
        match (was_doing, ended) {
            (Doing::Opening, Some(ended)) => {
                member.queued = None;
                member.ended = Some(ended);
                return Ok(());
            }
            (Doing::Command, Some(ended)) => member.ended = Some(ended),
            _ => {}
        }
        match member.queued.take() {
            Some(request) => self.start(index, request),
            None => Ok(()),
        }
    }
}

fn number(index: usize) -> io::Result<u32> {
    u32::try_from(index).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn open(member: &Member) -> Request {
    Request::Open {
        device: member.node.device.clone(),
        access: member.access,
    }
}

/// One path of a map.
#[derive(Debug)]
pub struct OnePath {
    paths: Paths,
    index: usize,
    sent: Vec<String>,
}

impl OnePath {
    fn wait(&mut self) -> io::Result<Ended> {
        let patience = self.paths.lock().members[self.index].patience;
        match self.paths.next(&[self.index], patience)? {
            Some((_, ended)) => Ok(ended),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Has the node opened for writing too, where the kernel asks for that. Returns whether it is
    /// worth another try.
    fn reopen(&self) -> io::Result<bool> {
        let mut inner = self.paths.lock();
        let member = &mut inner.members[self.index];
        if member.access == Access::ReadWrite || !member.reopens {
            return Ok(false);
        }
        member.access = Access::ReadWrite;
        member.open = None;
        Ok(true)
    }
}

impl Transport for OnePath {
    fn execute(&mut self, mut command: Command<'_>) -> io::Result<Completion> {
        loop {
            self.paths.begin(self.index, &command)?;
            let ended = self.wait()?;
            let is_refused = matches!(
                &ended.result,
                Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES))
            );
            if is_refused && self.reopen()? {
                continue;
            }
            self.sent = ended.sent;
            if let Data::In(room) = &mut command.data {
                let length = room.len().min(ended.data.len());
                room[..length].copy_from_slice(&ended.data[..length]);
            }
            return ended.result;
        }
    }

    fn node(&self) -> Node {
        self.paths.lock().members[self.index].node()
    }

    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        self.paths.lock().members[self.index].open?.1
    }

    fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
    }

    fn host(&mut self, timeout: Duration) -> Option<TransportId> {
        let request = Request::Host { timeout };
        self.paths.lock().start(self.index, request).ok()?;
        let ended = self.wait().ok()?;
        self.sent = ended.sent;
        ended.host
    }
}
