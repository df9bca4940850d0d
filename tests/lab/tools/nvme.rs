//! An NVMe subsystem over TCP whose answers are written down in a file: what no real target would say, to Linux's own
//! host (NVMe/TCP transport specification; NVMe over Fabrics; NVMe base specification).
//!
//! It has one namespace, and a controller for each host that connects. A command without a rule is answered as by a
//! disk of 16 MiB that has reservations, but nobody registered; changes to them succeed and change nothing.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::rules::{Rules, hex};

// PDU types.
const IC_REQ: u8 = 0;
const IC_RESP: u8 = 1;
const COMMAND: u8 = 4;
const RESPONSE: u8 = 5;
const DATA_FROM_HOST: u8 = 6;
const DATA_TO_HOST: u8 = 7;
const READY_TO_TRANSFER: u8 = 9;

/// C2HData: the last of the command's data.
const DATA_LAST: u8 = 4;

const HEADER: usize = 8;
const COMMAND_SIZE: usize = 64;
/// What may come with a command, in its capsule.
const IN_CAPSULE: usize = 8192;
const PAGE: usize = 4096;
const BLOCK: usize = 512;
const BLOCKS: usize = 0x8000;

const INVALID_OPCODE: u16 = 0x4001;
const INVALID_FIELD: u16 = 0x4002;

/// What all connections share.
struct Subsystem {
    port: u16,
    file: PathBuf,
    log: PathBuf,
    state: Mutex<State>,
}

struct State {
    rules: Rules,
    blocks: Vec<u8>,
    controllers: u16,
}

/// `nvme PORT RULES LOG`: a subsystem at 127.0.0.1:PORT, of the name `lab:PORT`. It answers by the file RULES, which is
/// read anew for each command, and adds a line to LOG for each that a host's user may have sent: the bytes that patterns
/// are compared with, and the data out, in hexadecimal. Prints "ready" when it is; runs until it is killed.
///
/// Patterns see: the opcode; the last byte of the host's identifier; Command Dwords 10 and 11, most significant byte first.
pub(crate) fn run(arguments: &[String]) -> io::Result<()> {
    let [port, rules, log] = arguments else {
        return Err(io::Error::other("nvme PORT RULES LOG"));
    };
    let port = port.parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let subsystem = Arc::new(Subsystem {
        port,
        file: rules.into(),
        log: log.into(),
        state: Mutex::new(State {
            rules: Rules::default(),
            blocks: vec![0; BLOCKS * BLOCK],
            controllers: 0,
        }),
    });
    writeln!(io::stdout(), "ready")?;
    loop {
        let (stream, _) = listener.accept()?;
        let queue = Queue {
            subsystem: Arc::clone(&subsystem),
            stream,
            host: [0; 16],
            controller: 0,
            configuration: 0,
            waiting: HashMap::new(),
        };
        thread::spawn(move || {
            if let Err(error) = queue.serve() {
                // Hosts hang up without a word.
                if error.kind() != io::ErrorKind::UnexpectedEof {
                    let _ = writeln!(io::stderr(), "nvme: {error}");
                }
            }
        });
    }
}

/// A connection: the admin queue of a controller, or one of its I/O queues.
struct Queue {
    subsystem: Arc<Subsystem>,
    stream: TcpStream,
    host: [u8; 16],
    controller: u16,
    /// The property CC.
    configuration: u32,
    /// Commands whose data out is on its way, by their identifier.
    waiting: HashMap<u16, (Command, Vec<u8>)>,
}

/// A submission queue entry.
#[derive(Clone, Copy)]
struct Command([u8; COMMAND_SIZE]);

impl Command {
    fn byte(&self, at: usize) -> u8 {
        self.0[at]
    }

    fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn word(&self, at: usize) -> u32 {
        u32::from(self.half(at)) | u32::from(self.half(at + 2)) << 16
    }

    fn opcode(&self) -> u8 {
        self.byte(0)
    }

    fn identifier(&self) -> u16 {
        self.half(2)
    }

    /// How many bytes of data, in or out: the length in the SGL descriptor.
    fn length(&self) -> usize {
        size(self.word(32))
    }

    /// Whether the opcode says that data goes out to the controller (for Fabrics commands their type says it).
    fn writes(&self) -> bool {
        let direction = if self.opcode() == FABRICS {
            self.byte(4)
        } else {
            self.opcode()
        };
        direction & 3 == 1
    }
}

const FABRICS: u8 = 0x7f;

/// What a command is answered with: data in, then the completion's Dwords 0 and 1 and its status.
#[derive(Default)]
struct Completion {
    data: Vec<u8>,
    result: u64,
    status: u16,
}

impl Completion {
    fn data(data: Vec<u8>) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }

    fn result(result: u64) -> Self {
        Self {
            result,
            ..Self::default()
        }
    }

    fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }
}

impl Queue {
    fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        loop {
            let mut header = [0; HEADER];
            self.stream.read_exact(&mut header)?;
            let total = size(u32::from_le_bytes([
                header[4], header[5], header[6], header[7],
            ]));
            let length = total.checked_sub(HEADER);
            let length = length.filter(|&length| length <= (1 << 24));
            let mut rest = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
            self.stream.read_exact(&mut rest)?;
            match header[0] {
                IC_REQ => {
                    // Version 0, no digests, no padding; data from the host in parts of at most 16 MiB.
                    let mut answer = vec![0; 120];
                    answer[4..8].copy_from_slice(&(1_u32 << 24).to_le_bytes());
                    self.send(IC_RESP, 0, 128, &answer)?;
                }
                COMMAND => {
                    let (command, data) =
                        rest.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
                    let command = Command(*command);
                    if command.writes() && data.len() < command.length() {
                        self.ask_for_data(&command)?;
                        self.waiting
                            .insert(command.identifier(), (command, Vec::new()));
                    } else if !self.carry_out(&command, data)? {
                        return Ok(());
                    }
                }
                DATA_FROM_HOST => {
                    let identifier = u16::from_le_bytes([rest[0], rest[1]]);
                    let (command, mut data) = self
                        .waiting
                        .remove(&identifier)
                        .ok_or(io::ErrorKind::InvalidData)?;
                    data.extend_from_slice(&rest[24 - HEADER..]);
                    if data.len() < command.length() {
                        self.waiting.insert(identifier, (command, data));
                    } else if !self.carry_out(&command, &data)? {
                        return Ok(());
                    }
                }
                other => return Err(io::Error::other(format!("PDU of type {other}"))),
            }
        }
    }

    /// A PDU: `fields` and data follow the common header, `header` is the length of what is before the data.
    fn send(&mut self, kind: u8, flags: u8, header: u8, rest: &[u8]) -> io::Result<()> {
        let total = u32::try_from(HEADER + rest.len()).map_err(io::Error::other)?;
        let data_at = if kind == DATA_TO_HOST { header } else { 0 };
        let mut bytes = vec![kind, flags, header, data_at];
        bytes.extend(total.to_le_bytes());
        bytes.extend(rest);
        self.stream.write_all(&bytes)
    }

    fn ask_for_data(&mut self, command: &Command) -> io::Result<()> {
        let mut fields = command.identifier().to_le_bytes().to_vec();
        fields.extend([0; 6]);
        fields.extend(command.word(32).to_le_bytes());
        fields.extend([0; 4]);
        self.send(READY_TO_TRANSFER, 0, 24, &fields)
    }

    fn complete(&mut self, command: &Command, completion: &Completion) -> io::Result<()> {
        let identifier = command.identifier().to_le_bytes();
        let length = completion.data.len().min(command.length());
        let data = &completion.data[..length];
        if !data.is_empty() {
            let mut fields = identifier.to_vec();
            fields.extend([0; 6]);
            let length = u32::try_from(length).map_err(io::Error::other)?;
            fields.extend(length.to_le_bytes());
            fields.extend([0; 4]);
            fields.extend(data);
            self.send(DATA_TO_HOST, DATA_LAST, 24, &fields)?;
        }
        let mut entry = completion.result.to_le_bytes().to_vec();
        entry.extend([0; 4]);
        entry.extend(identifier);
        // Bit 0 is the phase, which means nothing here.
        entry.extend((completion.status << 1).to_le_bytes());
        self.send(RESPONSE, 0, 24, &entry)
    }

    /// Carries a command out; `false` where the connection is to end for it.
    fn carry_out(&mut self, command: &Command, data: &[u8]) -> io::Result<bool> {
        match command.opcode() {
            FABRICS => {
                let completion = self.fabrics(command, data)?;
                self.complete(command, &completion)?;
                return Ok(true);
            }
            // Asynchronous Event Request: there are no events.
            0x0c if self.configuration != 0 => return Ok(true),
            // Keep Alive
            0x18 => {
                self.complete(command, &Completion::default())?;
                return Ok(true);
            }
            _ => {}
        }
        let mut seen = vec![command.opcode(), self.host[15]];
        seen.extend(command.word(40).to_be_bytes());
        seen.extend(command.word(44).to_be_bytes());
        let ruled = self.ruled(&seen, data)?;
        let mut completion = self.usual(command, data);
        if let Some(answer) = ruled {
            if answer.disconnect {
                return Ok(false);
            }
            let Some(time) = answer.wait else {
                return Ok(true);
            };
            thread::sleep(time);
            completion.status = answer.status;
            if answer.has_data {
                completion.data = answer.data;
            }
            for (at, bytes) in answer.patches {
                let end = at + bytes.len();
                if completion.data.len() < end {
                    completion.data.resize(end, 0);
                }
                completion.data[at..end].copy_from_slice(&bytes);
            }
            if completion.status != 0 && !answer.has_data {
                completion.data.clear();
            }
        }
        self.complete(command, &completion)?;
        Ok(true)
    }

    /// Writes the command down and looks for a rule.
    fn ruled(&self, seen: &[u8], data: &[u8]) -> io::Result<Option<crate::rules::Answer>> {
        let mut state = self
            .subsystem
            .state
            .lock()
            .map_err(|_| io::ErrorKind::Other)?;
        let mut line = hex(seen);
        if !data.is_empty() {
            line += " ";
            line += &hex(&data[..data.len().min(64)]);
        }
        let mut log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.subsystem.log)?;
        writeln!(log, "{line}")?;
        let text = fs::read_to_string(&self.subsystem.file).unwrap_or_default();
        state.rules.update(&text).map_err(io::Error::other)?;
        Ok(state.rules.answer(seen))
    }

    fn fabrics(&mut self, command: &Command, data: &[u8]) -> io::Result<Completion> {
        Ok(match command.byte(4) {
            // Property Set: Controller Configuration is all there is to set.
            0 => {
                self.configuration = command.word(48);
                Completion::default()
            }
            // Connect
            1 => {
                let host = data.first_chunk().ok_or(io::ErrorKind::InvalidData)?;
                self.host = *host;
                if command.half(42) == 0 {
                    let mut state = self
                        .subsystem
                        .state
                        .lock()
                        .map_err(|_| io::ErrorKind::Other)?;
                    state.controllers += 1;
                    self.controller = state.controllers;
                } else {
                    self.controller = u16::from_le_bytes([data[16], data[17]]);
                }
                Completion::result(self.controller.into())
            }
            // Property Get
            4 => match command.word(44) {
                // Controller Capabilities: 128 entries, contiguous queues, 7.5 s to be ready, the NVM command set
                0 => Completion::result(1 << 37 | 0x0f << 24 | 1 << 16 | 127),
                // Version
                8 => Completion::result(0x0001_0400),
                0x14 => Completion::result(self.configuration.into()),
                // Controller Status: ready as soon as enabled, shut down as soon as told
                0x1c => {
                    let ready = self.configuration & 1;
                    let down = if self.configuration >> 14 & 3 == 0 {
                        0
                    } else {
                        2 << 2
                    };
                    Completion::result((ready | down).into())
                }
                _ => Completion::status(INVALID_FIELD),
            },
            _ => Completion::status(INVALID_FIELD),
        })
    }

    /// What is answered where no rule says otherwise. Admin and I/O commands are told apart by the property CC: only
    /// the admin queue has it set.
    fn usual(&self, command: &Command, data: &[u8]) -> Completion {
        if self.configuration == 0 {
            return self.block_device(command, data);
        }
        match command.opcode() {
            // Get Log Page: all zeros
            0x02 => Completion::data(vec![0; command.length()]),
            0x06 => self.identify(command),
            // Abort: it was not
            0x08 => Completion::result(1),
            // Set Features, Get Features; the Number of Queues is one of each
            0x09 | 0x0a if command.byte(40) == 0x81 => Completion::data(self.host.to_vec()),
            0x09 | 0x0a => Completion::default(),
            _ => Completion::status(INVALID_OPCODE),
        }
    }

    fn block_device(&self, command: &Command, data: &[u8]) -> Completion {
        match command.opcode() {
            // Flush, Write Zeroes, Dataset Management, the reservation commands that change something
            0x00 | 0x08 | 0x09 | 0x0d | 0x11 | 0x15 => Completion::default(),
            // Reservation Report: generation 0, nobody
            0x0e => Completion::data(vec![0; PAGE.min(command.length())]),
            opcode @ (0x01 | 0x02) => {
                let Ok(mut state) = self.subsystem.state.lock() else {
                    return Completion::status(6);
                };
                let first = size(command.word(40)) * BLOCK;
                let end = first + (usize::from(command.half(48)) + 1) * BLOCK;
                let Some(blocks) = state.blocks.get_mut(first..end) else {
                    return Completion::status(0x4080);
                };
                if opcode == 0x01 && data.len() == blocks.len() {
                    blocks.copy_from_slice(data);
                    Completion::default()
                } else {
                    Completion::data(blocks.to_vec())
                }
            }
            _ => Completion::status(INVALID_OPCODE),
        }
    }

    fn identify(&self, command: &Command) -> Completion {
        let mut data = vec![0; PAGE];
        let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
        let namespace = command.word(4);
        match command.byte(40) {
            // Namespace: size, capacity, utilization; shared; all reservations but PTPL; blocks of 512 bytes
            0 if namespace == 1 || namespace == u32::MAX => {
                for at in [0, 8, 16] {
                    put(at, &(BLOCKS as u64).to_le_bytes());
                }
                put(30, &[1, 0xfe]);
                put(130, &[9]);
            }
            // Controller
            1 => {
                put(4, format!("{:<20}", self.subsystem.port).as_bytes());
                put(24, format!("{:<40}", "SCRIPTED NAMESPACE").as_bytes());
                put(64, b"FW1.0042");
                // Several controllers; its number; version 1.4; host identifiers of 128 bits; an I/O controller
                put(76, &[2]);
                put(78, &self.controller.to_le_bytes());
                put(80, &0x0001_0400_u32.to_le_bytes());
                put(96, &1_u32.to_le_bytes());
                put(111, &[1]);
                // Keep alive in steps of 0.1 s; sizes of queue entries; outstanding commands; one namespace
                put(320, &1_u16.to_le_bytes());
                put(512, &[0x66, 0x44]);
                put(514, &128_u16.to_le_bytes());
                put(516, &1_u32.to_le_bytes());
                // Reservations; SGLs
                put(520, &(1_u16 << 5).to_le_bytes());
                put(536, &1_u32.to_le_bytes());
                put(768, format!("lab:{}", self.subsystem.port).as_bytes());
                // Capsules, in 16 bytes
                let capsule = u32::try_from((COMMAND_SIZE + IN_CAPSULE) / 16).unwrap_or(u32::MAX);
                put(1792, &capsule.to_le_bytes());
                put(1796, &1_u32.to_le_bytes());
            }
            // Active namespaces after the one named
            2 if namespace == 0 => put(0, &1_u32.to_le_bytes()),
            // The namespace's UUID
            3 if namespace == 1 => {
                put(0, &[3, 16]);
                put(4, &0x1ab0_0000_0000_4000_u64.to_be_bytes());
                put(
                    12,
                    &(0x8000 << 48 | u64::from(self.subsystem.port)).to_be_bytes(),
                );
            }
            // What the NVM command set adds: nothing
            2 | 5 | 6 => {}
            _ => return Completion::status(INVALID_FIELD),
        }
        Completion::data(data)
    }
}

fn size(number: u32) -> usize {
    number as usize
}
