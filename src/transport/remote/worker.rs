//! The process in the ioctl.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::{OwnedData, Reply, Request, message};
use crate::transport::{Closed, Command, Data, Open, Transport};

/// Bytes of a thread's stack. What is not used of it becomes no memory.
const STACK: usize = 256 * 1024;

/// Does what the requests in `input` ask for, each node in a thread of its own, and replies into
/// `output`, until `input` ends: nobody wants to know any more then, and what has been begun is left
/// to itself.
///
/// # Errors
/// `input` cannot be read, or is garbled.
pub fn serve<D, W>(mut input: impl Read, output: W, devices: D) -> io::Result<()>
where
    D: Open + Clone + Send + 'static,
    W: Write + Send + 'static,
{
    let output = Arc::new(Mutex::new(output));
    let mut nodes: HashMap<u32, Sender<Request>> = HashMap::new();
    while let Some((number, body)) = message::read(&mut input)? {
        let request = message::parse_request(&body)?;
        if request == Request::Close {
            // Its thread ends when it has done what it is doing.
            nodes.remove(&number);
            continue;
        }
        let sender = match nodes.get(&number) {
            Some(sender) => sender,
            None => match start(number, &output, &devices) {
                Ok(sender) => nodes.entry(number).or_insert(sender),
                Err(error) => {
                    reply(&output, number, &failed(error));
                    continue;
                }
            },
        };
        // A thread lives as long as it is listed here.
        let _ = sender.send(request);
    }
    Ok(())
}

/// Starts the thread of the node `number`.
fn start<D, W>(number: u32, output: &Arc<Mutex<W>>, devices: &D) -> io::Result<Sender<Request>>
where
    D: Open + Clone + Send + 'static,
    W: Write + Send + 'static,
{
    let (sender, requests) = channel();
    let (output, devices) = (Arc::clone(output), devices.clone());
    thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || attend(number, &requests, &output, &devices))?;
    Ok(sender)
}

/// One node, from its first request to the last.
fn attend(
    number: u32,
    requests: &Receiver<Request>,
    output: &Mutex<impl Write>,
    devices: &impl Open,
) {
    let mut transport: Box<dyn Transport> = Box::new(Closed);
    while let Ok(request) = requests.recv() {
        let ended = carry_out(request, &mut transport, devices);
        reply(output, number, &ended);
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

/// Sends a reply. Where nobody takes it, nobody is there any more.
fn reply(output: &Mutex<impl Write>, number: u32, reply: &Reply) {
    let Ok(message) = message::reply(number, reply) else {
        return;
    };
    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = output.write_all(&message).and_then(|()| output.flush());
}
