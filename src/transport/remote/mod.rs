//! Device nodes in another process.
//!
//! The kernel keeps a process that is in an ioctl until the command has ended, whatever its timeout
//! was: a path that died, a session that recovers, a target that does not answer an abort take
//! minutes, and a process with one thread in there is not even reaped after SIGKILL. So where a
//! device may keep others waiting (the paths of a map, one of many devices, a run that has to end in
//! time), the process that answers is not the one in the ioctl: a [`worker`] opens the nodes, sends
//! each its commands one after the other, and [`Remote`] talks to it in messages. Nobody has to
//! wait for the worker's end.
//!
//! [`Nodes`] is what the rest of the library sees of it, and what tests put in its place.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::{Access, Completion, Node};
use crate::pr::transport_id::TransportId;
use crate::scsi::cdb::Cdb;

mod client;
mod message;
pub mod worker;

pub use client::Remote;

/// What a node is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To be opened, or opened again.
    Open {
        /// The path of the device node.
        device: PathBuf,
        /// How.
        access: Access,
    },
    /// To carry a command to the device server. The reply is [`Reply::Executed`] or
    /// [`Reply::Failed`].
    Execute {
        /// The command descriptor block.
        cdb: Cdb,
        /// What moves beside it.
        data: OwnedData,
        /// When the kernel gives it up.
        timeout: Duration,
    },
    /// To tell this host's name, as [`super::Transport::host`].
    Host {
        /// How long each command for it may take.
        timeout: Duration,
    },
    /// To be closed. There is no reply.
    Close,
}

/// What moves besides a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedData {
    /// Nothing.
    None,
    /// Data in, over these bytes.
    In(Vec<u8>),
    /// Data out.
    Out(Vec<u8>),
}

/// How a request ended.
#[derive(Debug)]
pub enum Reply {
    /// The node is open.
    Opened {
        /// What it is.
        node: Node,
        /// [`super::Transport::sg_driver_version`].
        sg_driver_version: Option<[u32; 3]>,
    },
    /// The command has ended.
    Executed {
        /// How.
        completion: Completion,
        /// Data in: the bytes of the request as they are now.
        data: Vec<u8>,
    },
    /// This host's name, if there is one.
    Host {
        /// The name.
        host: Option<TransportId>,
        /// [`super::Transport::sent`].
        sent: Vec<String>,
    },
    /// It did not come to that.
    Failed {
        /// What the operating system said.
        error: io::Error,
        /// [`super::Transport::sent`].
        sent: Vec<String>,
    },
}

/// Some device nodes, told apart by small numbers, each of which does one thing at a time while the
/// others do something else.
pub trait Nodes: Send {
    /// Has the node `number` do something. It must not be doing anything else, unless this is
    /// [`Request::Close`].
    ///
    /// # Errors
    /// There is no way to the nodes.
    fn begin(&mut self, number: u32, request: Request) -> io::Result<()>;

    /// The next reply to come within this time, with the number of the node that it is of; `None`
    /// when none came. Without a limit it waits for as long as it takes.
    ///
    /// # Errors
    /// There is no way to the nodes any more: what they were doing may have been done.
    fn next(&mut self, within: Option<Duration>) -> io::Result<Option<(u32, Reply)>>;

    /// The time since some moment in the past that stays the same.
    fn now(&self) -> Duration;
}

/// What a thread does.
pub type Task = Box<dyn FnOnce() + Send>;

/// Starts a thread. The program has a way of its own, which costs less than the standard library's.
pub type StartThread = fn(Task) -> io::Result<()>;

/// Makes groups of nodes, each for somebody who knows of no others.
pub trait Carriers: Sync {
    /// A new group.
    ///
    /// # Errors
    /// What the operating system says.
    fn group(&self) -> io::Result<Box<dyn Nodes>>;
}
