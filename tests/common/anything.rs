//! A device that answers anything, and writes down what it was asked.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;

use sg_persist::transport::{Access, Command, Completion, Data, Node, NodeKind, Open, Transport};

use super::answer::{Answer, with_data};

/// A command that was sent, and how it went.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) cdb: Vec<u8>,
    pub(crate) node: usize,
    pub(crate) out: bool,
    pub(crate) result: Result<Completion, i32>,
    /// The buffer for data in, after the command.
    pub(crate) buffer: Vec<u8>,
    /// How much of it the device wrote.
    pub(crate) written: usize,
}

/// What was sent, in its order.
pub(crate) type Log = Rc<RefCell<Vec<Sent>>>;

/// A device with these answers, whatever it is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anything {
    /// The error numbers with which it cannot be opened, for each attempt; 0 lets it.
    pub(crate) opens: Vec<i32>,
    /// For each command; those after them are GOOD and bring what fits of nothing but zeros.
    pub(crate) answers: Vec<Answer>,
}

impl Anything {
    /// The device, which writes down what it is sent.
    pub(crate) fn logging(&self, log: &Log) -> impl Open {
        Device {
            device: self.clone(),
            opened: Cell::default(),
            is_open: Rc::default(),
            log: Rc::clone(log),
        }
    }
}

struct Device {
    device: Anything,
    opened: Cell<usize>,
    /// Whether a descriptor is open.
    is_open: Rc<Cell<bool>>,
    log: Log,
}

struct Descriptor {
    answers: Vec<Answer>,
    number: usize,
    is_open: Rc<Cell<bool>>,
    log: Log,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.is_open.set(false);
    }
}

impl Open for Device {
    fn open(&self, _: &Path, _: Access) -> io::Result<Box<dyn Transport>> {
        let number = self.opened.get();
        let error = self.device.opens.get(number).copied().unwrap_or_default();
        self.opened.set(number + 1);
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        assert!(!self.is_open.replace(true), "two descriptors at once");
        Ok(Box::new(Descriptor {
            answers: self.device.answers.clone(),
            number: number + 1,
            is_open: Rc::clone(&self.is_open),
            log: Rc::clone(&self.log),
        }))
    }
}

impl Transport for Descriptor {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        let mut log = self.log.borrow_mut();
        let zeros = || with_data(&[0; 0x1_0000]);
        let answer = self.answers.get(log.len()).cloned().unwrap_or_else(zeros);
        let answer = answer.after(1);
        let mut sent = Sent {
            cdb: command.cdb.as_bytes().to_vec(),
            node: self.number,
            out: matches!(command.data, Data::Out(_)),
            result: answer.errno.map_or_else(|| Ok(answer.completion(0)), Err),
            buffer: Vec::new(),
            written: 0,
        };
        if let (Data::In(buffer), None) = (command.data, answer.errno) {
            sent.written = answer.write(buffer);
            sent.buffer = buffer.to_vec();
            sent.result = Ok(answer.completion(buffer.len() - sent.written));
        }
        let result = match &sent.result {
            Ok(completion) => Ok(completion.clone()),
            Err(error) => Err(io::Error::from_raw_os_error(*error)),
        };
        log.push(sent);
        result
    }

    fn node(&self) -> Node {
        Node {
            kind: NodeKind::Block,
            bsg_major: None,
            ..Node::default()
        }
    }
}
