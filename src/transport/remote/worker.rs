//! The process in the ioctl.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{OwnedData, Reply, Request, StartThread, message};
use crate::transport::{Closed, Command, Data, Open, Transport};

/// What one thread is asked to do, one after the other: of which node, and what. Closing a node is the
/// end of its work on that node, and it is free for another one.
#[derive(Default)]
struct Queue {
    requests: Mutex<VecDeque<(u32, Request)>>,
    more: Condvar,
}

/// What the threads share.
struct Shared<W, D> {
    output: Mutex<W>,
    devices: D,
    /// The threads that have no node.
    idle: Mutex<Vec<Arc<Queue>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    fn push(&self, number: u32, request: Request) {
        lock(&self.requests).push_back((number, request));
        self.more.notify_one();
    }

    fn next(&self) -> (u32, Request) {
        let mut requests = lock(&self.requests);
        loop {
            match requests.pop_front() {
                Some(request) => return request,
                None => {
                    let waited = self.more.wait(requests);
                    requests = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// Does what the requests in `input` ask for, each node in a thread of its own, and replies into
/// `output`, until `input` ends: nobody wants to know any more then, and what has been begun is left
/// to itself.
///
/// # Errors
/// `input` cannot be read, or is garbled.
pub fn serve<D, W>(
    mut input: impl Read,
    output: W,
    devices: D,
    start_thread: StartThread,
) -> io::Result<()>
where
    D: Open + Send + Sync + 'static,
    W: Write + Send + 'static,
{
    let shared = Arc::new(Shared {
        output: Mutex::new(output),
        devices,
        idle: Mutex::default(),
    });
    let mut nodes: BTreeMap<u32, Arc<Queue>> = BTreeMap::new();
    while let Some((number, body)) = message::read(&mut input)? {
        let request = message::parse_request(&body)?;
        if request == Request::Close {
            if let Some(queue) = nodes.remove(&number) {
                queue.push(number, request);
            }
            continue;
        }
        if let Some(queue) = nodes.get(&number) {
            queue.push(number, request);
            continue;
        }
        let idle = lock(&shared.idle).pop();
        let queue = idle.map_or_else(|| start(&shared, start_thread), Ok);
        match queue {
            Ok(queue) => {
                queue.push(number, request);
                nodes.insert(number, queue);
            }
            Err(error) => shared.reply(number, &failed(error)),
        }
    }
    Ok(())
}

/// Starts a thread.
fn start<W, D>(shared: &Arc<Shared<W, D>>, start_thread: StartThread) -> io::Result<Arc<Queue>>
where
    D: Open + Send + Sync + 'static,
    W: Write + Send + 'static,
{
    let queue = Arc::new(Queue::default());
    let (for_thread, shared) = (Arc::clone(&queue), Arc::clone(shared));
    start_thread(Box::new(move || shared.attend(&for_thread)))?;
    Ok(queue)
}

impl<W: Write, D: Open> Shared<W, D> {
    /// One node after the other.
    fn attend(&self, queue: &Arc<Queue>) {
        let mut transport: Box<dyn Transport> = Box::new(Closed);
        loop {
            let (number, request) = queue.next();
            if request == Request::Close {
                transport = Box::new(Closed);
                lock(&self.idle).push(Arc::clone(queue));
                continue;
            }
            let ended = carry_out(request, &mut transport, &self.devices);
            self.reply(number, &ended);
        }
    }

    /// Sends a reply. Where nobody takes it, nobody is there any more.
    fn reply(&self, number: u32, reply: &Reply) {
        let Ok(message) = message::reply(number, reply) else {
            return;
        };
        let mut output = lock(&self.output);
        let _ = output.write_all(&message).and_then(|()| output.flush());
    }
}

fn carry_out(request: Request, transport: &mut Box<dyn Transport>, devices: &impl Open) -> Reply {
    match request {
        Request::Open { device, access } => {
            // Some devices can be opened once at a time.
            *transport = Box::new(Closed);
            match devices.open(Path::new(&device), access) {
                Ok(opened) => *transport = opened,
                Err(error) => return failed(error),
            }
            Reply::Opened {
                node: transport.node(),
                sg_driver_version: transport.sg_driver_version(),
            }
        }
        Request::Execute { cdb, data, timeout } => {
            let mut room = Vec::new();
            let data = match &data {
                OwnedData::None => Data::None,
                OwnedData::In(filling) => {
                    room.clone_from(filling);
                    Data::In(&mut room)
                }
                OwnedData::Out(list) => Data::Out(list),
            };
            match transport.execute(Command { cdb, data, timeout }) {
                Ok(completion) => Reply::Executed {
                    completion,
                    data: room,
                },
                Err(error) => Reply::Failed {
                    error,
                    sent: transport.sent(),
                },
            }
        }
        Request::Host { timeout } => Reply::Host {
            host: transport.host(timeout),
            sent: transport.sent(),
        },
        Request::Close => failed(io::ErrorKind::InvalidInput.into()),
    }
}

fn failed(error: io::Error) -> Reply {
    Reply::Failed {
        error,
        sent: Vec::new(),
    }
}
