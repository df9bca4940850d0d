//! Requests and replies as bytes, in the words of one version of this program: a worker is started
//! from the same file as the process that talks to it.
//!
//! A message is its length (32 bits, that of what follows), the number of the node (32 bits) and
//! the request or reply. Numbers are little-endian.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use super::{OwnedData, Reply, Request};
use crate::pr::transport_id::TransportId;
use crate::scsi::cdb::Cdb;
use crate::scsi::status::ScsiStatus;
use crate::transport::{
    Access, Completion, DriverStatus, HostStatus, Node, NodeKind, Shortcoming, Translation,
};

/// The longest message, in bytes: room for the longest answer of 16-bit lengths, and for what may
/// have been sent in place of a command.
const LONGEST: u32 = 16 * 1024 * 1024;

/// Room for nearly every message: the room for an answer of the usual length, and what goes with it.
const USUAL: usize = 8192 + 512;

/// What cannot be read as a message.
fn garbled() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "garbled message between processes",
    )
}

/// The next message: the number of the node and the rest. `None` at the end of the stream.
///
/// # Errors
/// What reading said; that the stream ended within a message.
pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<(u32, Vec<u8>)>> {
    let mut length = [0; 4];
    // An end before the first byte is one between messages.
    let first = loop {
        match stream.read(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[first..])?;
    let length = u32::from_le_bytes(length);
    if !(4..=LONGEST).contains(&length) {
        return Err(garbled());
    }
    let mut node = [0; 4];
    stream.read_exact(&mut node)?;
    let rest = u64::from(length - 4);
    // As much at once as most messages have.
    let mut body = Vec::with_capacity(usize::try_from(rest).unwrap_or(USUAL).min(USUAL));
    if stream.take(rest).read_to_end(&mut body)? as u64 != rest {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((u32::from_le_bytes(node), body)))
}

/// Builds one message.
struct Writer(Vec<u8>);

impl Writer {
    fn new(node: u32, tag: u8) -> Self {
        let mut message = vec![0; 4];
        message.extend(node.to_le_bytes());
        message.push(tag);
        Self(message)
    }

    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn time(&mut self, time: Duration) {
        self.number(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    fn optional(&mut self, number: Option<u64>) {
        self.byte(number.is_some().into());
        self.number(number.unwrap_or_default());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    /// The same, with nothing behind it: memory is taken once.
    fn last(&mut self, bytes: &[u8]) {
        self.0.reserve_exact(8 + bytes.len());
        self.bytes(bytes);
    }

    fn lines(&mut self, lines: &[String]) {
        self.number(lines.len() as u64);
        for line in lines {
            self.bytes(line.as_bytes());
        }
    }

    fn finish(mut self) -> io::Result<Vec<u8>> {
        let length = u32::try_from(self.0.len() - 4).map_err(|_| garbled())?;
        if length > LONGEST {
            return Err(garbled());
        }
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        Ok(self.0)
    }
}

/// Reads one message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn time(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_nanos)
    }

    fn optional(&mut self) -> Option<Option<u64>> {
        let is_there = self.flag()?;
        let number = self.number()?;
        Some(is_there.then_some(number))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn lines(&mut self) -> Option<Vec<String>> {
        let count = usize::try_from(self.number()?).ok()?;
        // Each has its length in front of it.
        if count > self.0.len() / 8 {
            return None;
        }
        (0..count).map(|_| self.text()).collect()
    }
}

/// The message that has the node `number` do this.
pub(super) fn request(number: u32, request: &Request) -> io::Result<Vec<u8>> {
    match request {
        Request::Open { device, access } => {
            let mut message = Writer::new(number, 0);
            message.byte((*access == Access::ReadWrite).into());
            message.bytes(device.as_os_str().as_bytes());
            message
        }
        Request::Execute { cdb, data, timeout } => {
            let mut message = Writer::new(number, 1);
            message.time(*timeout);
            message.bytes(cdb.as_bytes());
            let (direction, data) = match data {
                OwnedData::None => (0, &[][..]),
                OwnedData::In(room) => (1, &room[..]),
                OwnedData::Out(list) => (2, &list[..]),
            };
            message.byte(direction);
            message.last(data);
            message
        }
        Request::Host { timeout } => {
            let mut message = Writer::new(number, 2);
            message.time(*timeout);
            message
        }
        Request::Close => Writer::new(number, 3),
    }
    .finish()
}

/// What a message without its length and number has a node do.
///
/// # Errors
/// It is none.
pub(super) fn parse_request(body: &[u8]) -> io::Result<Request> {
    whole(body, parsed_request)
}

/// What `parse` reads from all of `body`.
fn whole<T>(body: &[u8], parse: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> io::Result<T> {
    let mut reader = Reader(body);
    let parsed = parse(&mut reader).filter(|_| reader.0.is_empty());
    parsed.ok_or_else(garbled)
}

fn parsed_request(reader: &mut Reader<'_>) -> Option<Request> {
    Some(match reader.byte()? {
        0 => Request::Open {
            access: match reader.flag()? {
                false => Access::ReadOnly,
                true => Access::ReadWrite,
            },
            device: OsString::from_vec(reader.bytes()?.to_vec()).into(),
        },
        1 => {
            let timeout = reader.time()?;
            let cdb = match *reader.bytes()? {
                [a, b, c, d, e, f] => Cdb::six([a, b, c, d, e, f]),
                [a, b, c, d, e, f, g, h, i, j] => Cdb::ten([a, b, c, d, e, f, g, h, i, j]),
                _ => return None,
            };
            let direction = reader.byte()?;
            let data = reader.bytes()?;
            let data = match direction {
                0 if data.is_empty() => OwnedData::None,
                1 => OwnedData::In(data.to_vec()),
                2 => OwnedData::Out(data.to_vec()),
                _ => return None,
            };
            Request::Execute { cdb, data, timeout }
        }
        2 => Request::Host {
            timeout: reader.time()?,
        },
        3 => Request::Close,
        _ => return None,
    })
}

/// The message that the node `number` replies with.
pub(super) fn reply(number: u32, reply: &Reply) -> io::Result<Vec<u8>> {
    match reply {
        Reply::Opened {
            node,
            sg_driver_version,
        } => {
            let mut message = Writer::new(number, 0);
            let (kind, namespace) = match node.kind {
                NodeKind::Sg => (0, 0),
                NodeKind::Bsg => (1, 0),
                NodeKind::Block => (2, 0),
                NodeKind::NvmeController => (3, 0),
                NodeKind::NvmeBlock { namespace } => (4, namespace),
                NodeKind::NvmeGeneric { namespace } => (5, namespace),
                NodeKind::Character => (6, 0),
                NodeKind::Other => (7, 0),
            };
            message.byte(kind);
            message.number(namespace.into());
            message.optional(node.bsg_major);
            let (major, minor) = node.block.unzip();
            message.optional(major);
            message.optional(minor);
            message.byte(sg_driver_version.is_some().into());
            for part in sg_driver_version.unwrap_or_default() {
                message.number(part.into());
            }
            message
        }
        Reply::Executed { completion, data } => {
            let mut message = Writer::new(number, 1);
            let Completion {
                status,
                host_status,
                driver_status,
                sense,
                residual,
                duration,
                translation,
            } = completion;
            message.byte(status.0);
            message.number(host_status.0.into());
            message.number(driver_status.0.into());
            message.bytes(sense);
            message.number(u64::from_le_bytes(residual.to_le_bytes()));
            message.time(*duration);
            let Translation {
                sent,
                reason,
                malformed,
                whole_answer,
                shortcoming,
            } = translation;
            message.lines(sent);
            message.lines(reason.as_slice());
            message.byte((*malformed).into());
            message.byte(whole_answer.is_some().into());
            message.bytes(whole_answer.as_deref().unwrap_or_default());
            message.byte(match shortcoming {
                None => 0,
                Some(Shortcoming::NotThere) => 1,
                Some(Shortcoming::Unknown) => 2,
            });
            message.last(data);
            message
        }
        Reply::Host { host, sent } => {
            let mut message = Writer::new(number, 2);
            message.bytes(host.as_ref().map_or(&[], TransportId::as_bytes));
            message.lines(sent);
            message
        }
        Reply::Failed { error, sent } => {
            let mut message = Writer::new(number, 3);
            let errno = error.raw_os_error();
            message.optional(errno.and_then(|errno| errno.try_into().ok()));
            message.bytes(error.to_string().as_bytes());
            message.lines(sent);
            message
        }
    }
    .finish()
}

/// The reply in a message without its length and number.
///
/// # Errors
/// It is none.
pub(super) fn parse_reply(body: &[u8]) -> io::Result<Reply> {
    whole(body, parsed_reply)
}

fn parsed_reply(reader: &mut Reader<'_>) -> Option<Reply> {
    Some(match reader.byte()? {
        0 => {
            let kind = reader.byte()?;
            let namespace = reader.small()?;
            let kind = match kind {
                0 => NodeKind::Sg,
                1 => NodeKind::Bsg,
                2 => NodeKind::Block,
                3 => NodeKind::NvmeController,
                4 => NodeKind::NvmeBlock { namespace },
                5 => NodeKind::NvmeGeneric { namespace },
                6 => NodeKind::Character,
                7 => NodeKind::Other,
                _ => return None,
            };
            let bsg_major = reader.optional()?;
            let block = reader.optional()?.zip(reader.optional()?);
            let has_version = reader.flag()?;
            let version = [reader.small()?, reader.small()?, reader.small()?];
            Reply::Opened {
                node: Node {
                    kind,
                    bsg_major,
                    block,
                },
                sg_driver_version: has_version.then_some(version),
            }
        }
        1 => {
            let status = ScsiStatus(reader.byte()?);
            let host_status = HostStatus(reader.small()?);
            let driver_status = DriverStatus(reader.small()?);
            let sense = reader.bytes()?.to_vec();
            let residual = i64::from_le_bytes(reader.number()?.to_le_bytes());
            let duration = reader.time()?;
            let sent = reader.lines()?;
            let reason = reader.lines()?.pop();
            let malformed = reader.flag()?;
            let is_whole = reader.flag()?;
            let answer = reader.bytes()?.to_vec();
            let shortcoming = match reader.byte()? {
                0 => None,
                1 => Some(Shortcoming::NotThere),
                2 => Some(Shortcoming::Unknown),
                _ => return None,
            };
            Reply::Executed {
                completion: Completion {
                    status,
                    host_status,
                    driver_status,
                    sense,
                    residual,
                    duration,
                    translation: Translation {
                        sent,
                        reason,
                        malformed,
                        whole_answer: is_whole.then_some(answer),
                        shortcoming,
                    },
                },
                data: reader.bytes()?.to_vec(),
            }
        }
        2 => {
            let name = reader.bytes()?;
            Reply::Host {
                host: match name {
                    [] => None,
                    name => Some(TransportId::received(name)),
                },
                sent: reader.lines()?,
            }
        }
        3 => {
            let errno = reader.optional()?;
            let text = reader.text()?;
            let error = match errno {
                Some(errno) => io::Error::from_raw_os_error(errno.try_into().ok()?),
                None => io::Error::other(text),
            };
            Reply::Failed {
                error,
                sent: reader.lines()?,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn requests() -> Vec<Request> {
        let timeout = Duration::from_millis(1500);
        let execute = |cdb, data| Request::Execute { cdb, data, timeout };
        vec![
            Request::Open {
                device: "/dev/disk/by-path/\u{e4} b".into(),
                access: Access::ReadWrite,
            },
            Request::Open {
                device: "".into(),
                access: Access::ReadOnly,
            },
            execute(crate::scsi::inquiry::cdb(), OwnedData::In(vec![7; 36])),
            execute(Cdb::ten([0x5f; 10]), OwnedData::Out(vec![1; 24])),
            execute(Cdb::ten([0; 10]), OwnedData::None),
            Request::Host { timeout },
            Request::Close,
        ]
    }

    fn replies() -> Vec<Reply> {
        let kinds = [
            NodeKind::Sg,
            NodeKind::Bsg,
            NodeKind::Block,
            NodeKind::NvmeController,
            NodeKind::NvmeBlock { namespace: 1 },
            NodeKind::NvmeGeneric { namespace: 2 },
            NodeKind::Character,
            NodeKind::Other,
        ];
        let opened = kinds.into_iter().map(|kind| Reply::Opened {
            node: Node {
                kind,
                bsg_major: Some(248),
                block: Some((8, 16)),
            },
            sg_driver_version: Some([3, 5, 36]),
        });
        let executed = [
            None,
            Some(Shortcoming::NotThere),
            Some(Shortcoming::Unknown),
        ]
        .into_iter()
        .map(|shortcoming| Reply::Executed {
            completion: Completion {
                status: ScsiStatus::CHECK_CONDITION,
                host_status: HostStatus(3),
                driver_status: DriverStatus(8),
                sense: vec![0x70, 0, 6],
                residual: -8,
                duration: Duration::from_millis(3),
                translation: Translation {
                    sent: vec!["one".to_owned(), String::new()],
                    reason: Some("why".to_owned()),
                    malformed: true,
                    whole_answer: Some(vec![1, 2, 3]),
                    shortcoming,
                },
            },
            data: vec![9; 5],
        });
        let host = |host| Reply::Host {
            host,
            sent: vec!["sent".to_owned()],
        };
        let failed = |error| Reply::Failed {
            error,
            sent: Vec::new(),
        };
        let others = [
            Reply::Opened {
                node: Node::default(),
                sg_driver_version: None,
            },
            Reply::Executed {
                completion: Completion::default(),
                data: Vec::new(),
            },
            host(None),
            host(Some(TransportId::sas(5))),
            failed(io::Error::from_raw_os_error(libc::ENODEV)),
            failed(io::Error::other("no device")),
        ];
        opened.chain(executed).chain(others).collect()
    }

    #[test]
    fn requests_come_as_they_were_sent() {
        for one in requests() {
            let message = request(5, &one).unwrap();
            let mut stream = &message[..];
            let (number, body) = read(&mut stream).unwrap().unwrap();
            assert_eq!(number, 5);
            assert_eq!(parse_request(&body).unwrap(), one);
            assert!(read(&mut stream).unwrap().is_none());
            for end in 0..body.len() {
                assert!(parse_request(&body[..end]).is_err(), "{one:?} {end}");
            }
            assert!(parse_request(&[&body[..], &[0]].concat()).is_err());
            for end in 1..message.len() {
                assert!(read(&mut &message[..end]).is_err(), "{one:?} {end}");
            }
        }
    }

    #[test]
    fn replies_come_as_they_were_sent() {
        for one in replies() {
            let message = reply(u32::MAX, &one).unwrap();
            let (number, body) = read(&mut &message[..]).unwrap().unwrap();
            assert_eq!(number, u32::MAX);
            let parsed = parse_reply(&body).unwrap();
            assert_eq!(format!("{parsed:?}"), format!("{one:?}"));
            for end in 0..body.len() {
                assert!(parse_reply(&body[..end]).is_err(), "{one:?} {end}");
            }
            assert!(parse_reply(&[&body[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        assert!(read(&mut &[][..]).unwrap().is_none());
        // Too short for the number of a node; longer than any message.
        assert!(read(&mut &[3, 0, 0, 0, 1, 2, 3][..]).is_err());
        assert!(read(&mut &[0xff; 64][..]).is_err());
        for tag in 0..=255 {
            // Nothing is made of what only begins like a message.
            let parsed = parse_request(&[tag]);
            assert_eq!(parsed.is_ok(), tag == 3, "{tag}");
            assert!(parse_reply(&[tag]).is_err());
        }
        // More lines than there is room for.
        let mut lines = vec![2, 0, 0, 0, 0, 0, 0, 0, 0];
        lines.extend(u64::MAX.to_le_bytes());
        assert!(parse_reply(&lines).is_err());
    }
}
