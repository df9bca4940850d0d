//! A SCSI device whose answers are written down in a file: the user space half of the kernel's TCMU
//! (`<linux/target_core_user.h>`, Documentation/target/tcmu-design.rst).
#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::rules::{Answer, Rules, hex};

// Offsets in `struct tcmu_mailbox`.
const CMDR_OFF: usize = 4;
const CMDR_SIZE: usize = 8;
const CMD_HEAD: usize = 12;
const CMD_TAIL: usize = 64;
// Offsets in `struct tcmu_cmd_entry`: the header, the request, the response in the same place.
const UFLAGS: usize = 7;
const IOV_COUNT: usize = 8;
const CDB_OFF: usize = 24;
const IOV: usize = 48;
const IOV_SIZE: usize = 16;
const SCSI_STATUS: usize = 8;
const READ_LEN: usize = 12;
const SENSE: usize = 16;
const SENSE_SIZE: usize = 96;

const OP_MASK: u32 = 7;
const OP_CMD: u32 = 1;
const UFLAG_READ_LEN: u8 = 2;

const BLOCKS: u32 = 0x8000;

/// Memory shared with the kernel.
struct Area {
    base: NonNull<u8>,
    size: usize,
}

impl Area {
    fn map(uio: &File, size: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours, and it is never unmapped.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                protection,
                libc::MAP_SHARED,
                uio.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { base, size })
    }

    /// The address of `length` bytes, all inside the area.
    fn at(&self, offset: usize, length: usize) -> io::Result<NonNull<u8>> {
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > self.size) {
            return Err(io::Error::other("the kernel points outside of the area"));
        }
        // SAFETY: `offset` was just found to be inside the mapping.
        Ok(unsafe { self.base.add(offset) })
    }

    fn read(&self, offset: usize, length: usize) -> io::Result<Vec<u8>> {
        let source = self.at(offset, length)?;
        let mut bytes = vec![0; length];
        // SAFETY: `source` has `length` readable bytes, `bytes` as many of its own. The kernel does not write what it has
        // handed over by moving the head, which was read (Acquire) before.
        unsafe { ptr::copy_nonoverlapping(source.as_ptr(), bytes.as_mut_ptr(), length) };
        Ok(bytes)
    }

    fn write(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let target = self.at(offset, bytes.len())?;
        // SAFETY: `target` has room for all of `bytes`, which are not in the area. The kernel does not look before the
        // tail has moved, which happens (Release) after.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// A word that both sides may change at any time.
    fn word(&self, offset: usize) -> io::Result<&AtomicU32> {
        let word = self.at(offset, 4)?.cast();
        if !word.is_aligned() {
            return Err(io::Error::other("a word that is not aligned"));
        }
        // SAFETY: four aligned bytes inside the mapping, which lasts as long as the process; this process accesses them
        // through atomics alone.
        Ok(unsafe { AtomicU32::from_ptr(word.as_ptr()) })
    }

    fn number(&self, offset: usize) -> io::Result<usize> {
        to_size(self.word(offset)?.load(Ordering::Acquire).into())
    }
}

fn to_size(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}

/// `tcmu NUMBER RULES LOG`: answers for /dev/uioNUMBER by the file RULES, which is read anew for each command, and adds a
/// line to LOG for each: the command and the data out, in hexadecimal. Prints "ready" when it is; runs until it is killed.
pub(crate) fn run(arguments: &[String]) -> io::Result<()> {
    let [number, rules, log] = arguments else {
        return Err(io::Error::other("tcmu NUMBER RULES LOG"));
    };
    let mut uio = OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("/dev/uio{number}"))?;
    let size = fs::read_to_string(format!("/sys/class/uio/uio{number}/maps/map0/size"))?;
    let size =
        u64::from_str_radix(size.trim().trim_start_matches("0x"), 16).map_err(io::Error::other)?;
    let mut device = Device {
        area: Area::map(&uio, to_size(size)?)?,
        file: rules.into(),
        log: log.into(),
        rules: Rules::default(),
    };
    writeln!(io::stdout(), "ready")?;
    loop {
        device.work(&mut uio)?;
        // Blocks until the kernel has queued something.
        uio.read_exact(&mut [0; 4])?;
    }
}

struct Device {
    area: Area,
    file: PathBuf,
    log: PathBuf,
    rules: Rules,
}

impl Device {
    /// Answers what is queued.
    fn work(&mut self, uio: &mut File) -> io::Result<()> {
        let ring = self.area.number(CMDR_OFF)?;
        let ring_size = self.area.number(CMDR_SIZE)?;
        loop {
            let tail = self.area.number(CMD_TAIL)?;
            if tail == self.area.number(CMD_HEAD)? {
                return Ok(());
            }
            let entry = ring + tail;
            let length_and_op = self.area.word(entry)?.load(Ordering::Acquire);
            // Anything else is padding, or the news that a command was aborted.
            if length_and_op & OP_MASK == OP_CMD {
                self.command(entry)?;
            }
            let next = (tail + to_size((length_and_op & !OP_MASK).into())?) % ring_size;
            let next = u32::try_from(next).map_err(io::Error::other)?;
            self.area.word(CMD_TAIL)?.store(next, Ordering::Release);
            uio.write_all(&[0; 4])?;
        }
    }

    fn command(&mut self, entry: usize) -> io::Result<()> {
        let cdb_at = to_size(self.long(entry + CDB_OFF)?)?;
        let first = self.area.read(cdb_at, 1)?[0];
        let cdb = self.area.read(cdb_at, cdb_length(first))?;
        let mut parts = Vec::new();
        for number in 0..self.area.number(entry + IOV_COUNT)? {
            let iov = entry + IOV + number * IOV_SIZE;
            parts.push((to_size(self.long(iov)?)?, to_size(self.long(iov + 8)?)?));
        }
        self.note(&cdb, &parts)?;

        self.rules
            .update(&fs::read_to_string(&self.file).unwrap_or_default())
            .map_err(io::Error::other)?;
        let answer = self.rules.answer(&cdb);
        let answer = answer.unwrap_or_else(|| disk(&cdb));
        match answer.wait {
            Some(time) => thread::sleep(time),
            None => loop {
                thread::park();
            },
        }

        // The allocation length is the room for data in.
        let mut rest = &answer.data[..];
        if !writes(first) {
            for (offset, length) in parts {
                let (part, after) = rest.split_at(length.min(rest.len()));
                self.area.write(offset, part)?;
                // What earlier commands left there is not to be taken for this one's: READ_LEN 0 is no length to the
                // kernel, it then takes the whole of the room.
                self.area
                    .write(offset + part.len(), &vec![0; length - part.len()])?;
                rest = after;
            }
        }
        let came = answer.data.len() - rest.len();
        let status = u8::try_from(answer.status).map_err(io::Error::other)?;
        let mut sense = answer.sense;
        sense.resize(SENSE_SIZE, 0);
        self.area.write(entry + SCSI_STATUS, &[status, 0, 0, 0])?;
        let came = u32::try_from(came).map_err(io::Error::other)?;
        self.area.write(entry + READ_LEN, &came.to_ne_bytes())?;
        self.area.write(entry + SENSE, &sense)?;
        if !writes(first) {
            self.area.write(entry + UFLAGS, &[UFLAG_READ_LEN])?;
        }
        Ok(())
    }

    fn long(&self, offset: usize) -> io::Result<u64> {
        let bytes = self.area.read(offset, 8)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn note(&self, cdb: &[u8], parts: &[(usize, usize)]) -> io::Result<()> {
        let mut line = hex(cdb);
        if writes(cdb[0]) {
            for &(offset, length) in parts {
                line += " ";
                line += &hex(&self.area.read(offset, length.min(64))?);
            }
        }
        let mut log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.log)?;
        writeln!(log, "{line}")
    }
}

fn cdb_length(operation_code: u8) -> usize {
    match operation_code >> 5 {
        0 => 6,
        1 | 2 => 10,
        4 => 16,
        _ => 12,
    }
}

/// Whether the command moves data out, of those that are expected.
fn writes(operation_code: u8) -> bool {
    matches!(operation_code, 0x0a | 0x15 | 0x2a | 0x55 | 0x5f | 0x8a)
}

/// What the device answers where no rule does: it is a disk of 16 MiB that is all zeros and knows no reservations.
fn disk(cdb: &[u8]) -> Answer {
    let good = |data: Vec<u8>| Answer {
        data,
        ..Answer::default()
    };
    let refused = |code: u8| Answer {
        status: 2,
        sense: vec![0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, 0, 0, 0, 0, 0],
        ..Answer::default()
    };
    let mut answer = match cdb[0] {
        // TEST UNIT READY, START STOP UNIT, SYNCHRONIZE CACHE
        0x00 | 0x1b | 0x35 => good(Vec::new()),
        // INQUIRY
        0x12 if cdb[1] & 1 == 0 => {
            let text = b"LAB     SCRIPTED DISK   1.0 ";
            good([&[0, 0, 6, 2, 31, 0, 0, 2], &text[..]].concat())
        }
        // READ CAPACITY (10) and (16)
        0x25 => good([(BLOCKS - 1).to_be_bytes(), 512_u32.to_be_bytes()].concat()),
        0x9e => {
            let mut data = vec![0; 32];
            data[4..8].copy_from_slice(&(BLOCKS - 1).to_be_bytes());
            data[8..12].copy_from_slice(&512_u32.to_be_bytes());
            good(data)
        }
        // READ and WRITE, in their forms for small disks
        0x08 | 0x28 | 0x88 => good(vec![0; 1 << 20]),
        0x0a | 0x2a | 0x8a => good(Vec::new()),
        0x12 | 0x1a | 0x5a => refused(0x24),
        _ => refused(0x20),
    };
    answer.wait = Some(std::time::Duration::ZERO);
    answer
}
