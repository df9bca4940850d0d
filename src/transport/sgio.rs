//! The Linux SG_IO ioctl: the only unsafe code of the program.
//!
//! `SgIoHdr` is `struct sg_io_hdr` of `<scsi/sg.h>`, which block and sg nodes take; `SgIoV4` is
//! `struct sg_io_v4` of `<linux/bsg.h>`, which bsg nodes take.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::ptr;
use std::time::Duration;

use super::{
    Access, Command, Completion, Data, DriverStatus, HostStatus, Node, NodeKind, Open, Transport,
};
use crate::scsi::status::ScsiStatus;

/// `SG_IO` of `<scsi/sg.h>`.
const SG_IO: u16 = 0x2285;
/// Bytes of room for sense data. Fixed format sense takes 18, the longest useful descriptors more.
const SENSE_LENGTH: u8 = 64;
/// The major number of sg nodes, of `<linux/major.h>`.
const SCSI_GENERIC_MAJOR: u64 = 21;

const SG_DXFER_NONE: i32 = -1;
const SG_DXFER_TO_DEV: i32 = -2;
const SG_DXFER_FROM_DEV: i32 = -3;

/// `struct sg_io_hdr`.
#[repr(C)]
#[derive(Debug)]
struct SgIoHdr {
    interface_id: i32,
    dxfer_direction: i32,
    cmd_len: u8,
    mx_sb_len: u8,
    iovec_count: u16,
    dxfer_len: u32,
    dxferp: *mut c_void,
    cmdp: *const u8,
    sbp: *mut u8,
    timeout: u32,
    flags: u32,
    pack_id: i32,
    // What C leaves between the fields is named, so that no byte of it goes out as it was.
    #[cfg(target_pointer_width = "64")]
    padding_before_usr_ptr: u32,
    usr_ptr: *mut c_void,
    status: u8,
    masked_status: u8,
    msg_status: u8,
    sb_len_wr: u8,
    host_status: u16,
    driver_status: u16,
    resid: i32,
    duration: u32,
    info: u32,
    #[cfg(target_pointer_width = "64")]
    padding_at_the_end: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<SgIoHdr>() == 88);
    assert!(std::mem::offset_of!(SgIoHdr, dxferp) == 16);
    assert!(std::mem::offset_of!(SgIoHdr, cmdp) == 24);
    assert!(std::mem::offset_of!(SgIoHdr, sbp) == 32);
    assert!(std::mem::offset_of!(SgIoHdr, timeout) == 40);
    assert!(std::mem::offset_of!(SgIoHdr, usr_ptr) == 56);
    assert!(std::mem::offset_of!(SgIoHdr, status) == 64);
    assert!(std::mem::offset_of!(SgIoHdr, host_status) == 68);
    assert!(std::mem::offset_of!(SgIoHdr, resid) == 72);
    assert!(std::mem::offset_of!(SgIoHdr, info) == 80);
};

/// `struct sg_io_v4`; pointers are 64 bits wide on every machine.
#[repr(C)]
#[derive(Debug, Default)]
struct SgIoV4 {
    guard: i32,
    protocol: u32,
    subprotocol: u32,
    request_len: u32,
    request: u64,
    request_tag: u64,
    request_attr: u32,
    request_priority: u32,
    request_extra: u32,
    max_response_len: u32,
    response: u64,
    dout_iovec_count: u32,
    dout_xfer_len: u32,
    din_iovec_count: u32,
    din_xfer_len: u32,
    dout_xferp: u64,
    din_xferp: u64,
    timeout: u32,
    flags: u32,
    usr_ptr: u64,
    spare_in: u32,
    driver_status: u32,
    transport_status: u32,
    device_status: u32,
    retry_delay: u32,
    info: u32,
    duration: u32,
    response_len: u32,
    din_resid: i32,
    dout_resid: i32,
    generated_tag: u64,
    spare_out: u32,
    padding: u32,
}

const _: () = {
    assert!(size_of::<SgIoV4>() == 160);
    assert!(std::mem::offset_of!(SgIoV4, response) == 48);
    assert!(std::mem::offset_of!(SgIoV4, dout_xferp) == 72);
    assert!(std::mem::offset_of!(SgIoV4, usr_ptr) == 96);
    assert!(std::mem::offset_of!(SgIoV4, device_status) == 116);
    assert!(std::mem::offset_of!(SgIoV4, dout_resid) == 140);
};

/// A device node that takes SG_IO.
#[derive(Debug)]
pub struct SgIo {
    file: File,
    node: Node,
}

/// Opens device nodes of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Kernel;

impl Open for Kernel {
    fn open(&self, device: &Path, access: Access) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(SgIo::open(device, access)?))
    }
}

impl SgIo {
    /// Opens `device` without waiting for it to become ready (O_NONBLOCK), and not for programs
    /// that this one might start (O_CLOEXEC).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(device: &Path, access: Access) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::ReadWrite)
            .custom_flags(libc::O_NONBLOCK)
            .open(device)?;
        let metadata = file.metadata()?;
        let major = nix::sys::stat::major(metadata.rdev());
        let (kind, bsg_major) = if metadata.file_type().is_block_device() {
            (NodeKind::Block, None)
        } else if !metadata.file_type().is_char_device() {
            (NodeKind::Other, None)
        } else if major == SCSI_GENERIC_MAJOR {
            (NodeKind::Sg, None)
        } else {
            let bsg = bsg_major();
            let kind = if bsg == Some(major) {
                NodeKind::Bsg
            } else {
                NodeKind::Character
            };
            (kind, bsg)
        };
        Ok(Self {
            file,
            node: Node { kind, bsg_major },
        })
    }

    fn execute_v3(&self, mut command: Command<'_>) -> io::Result<Completion> {
        let mut sense = [0; SENSE_LENGTH as usize];
        let length = u32::try_from(command.data.len()).map_err(too_long)?;
        let (direction, data) = match &mut command.data {
            data if data.is_empty() => (SG_DXFER_NONE, ptr::null_mut()),
            Data::None => (SG_DXFER_NONE, ptr::null_mut()),
            Data::In(buffer) => (SG_DXFER_FROM_DEV, buffer.as_mut_ptr()),
            Data::Out(list) => (SG_DXFER_TO_DEV, list.as_ptr().cast_mut()),
        };
        let cdb = command.cdb.as_bytes();
        let mut header = SgIoHdr {
            interface_id: i32::from(b'S'),
            dxfer_direction: direction,
            cmd_len: u8::try_from(cdb.len()).map_err(too_long)?,
            mx_sb_len: SENSE_LENGTH,
            iovec_count: 0,
            dxfer_len: length,
            dxferp: data.cast(),
            cmdp: cdb.as_ptr(),
            sbp: sense.as_mut_ptr(),
            timeout: milliseconds(command.timeout),
            flags: 0,
            pack_id: 0,
            #[cfg(target_pointer_width = "64")]
            padding_before_usr_ptr: 0,
            usr_ptr: ptr::null_mut(),
            status: 0,
            masked_status: 0,
            msg_status: 0,
            sb_len_wr: 0,
            host_status: 0,
            driver_status: 0,
            resid: 0,
            duration: 0,
            info: 0,
            #[cfg(target_pointer_width = "64")]
            padding_at_the_end: 0,
        };
        sg_io(self.file.as_fd(), ptr::from_mut(&mut header).cast())?;
        let sense_length = usize::from(header.sb_len_wr).min(sense.len());
        Ok(Completion {
            status: ScsiStatus(header.status),
            host_status: HostStatus(header.host_status.into()),
            driver_status: DriverStatus(header.driver_status.into()),
            sense: sense[..sense_length].to_vec(),
            residual: header.resid.into(),
            duration: Duration::from_millis(header.duration.into()),
        })
    }

    fn execute_v4(&self, mut command: Command<'_>) -> io::Result<Completion> {
        let mut sense = [0_u8; SENSE_LENGTH as usize];
        let length = u32::try_from(command.data.len()).map_err(too_long)?;
        let cdb = command.cdb.as_bytes();
        let mut header = SgIoV4 {
            guard: i32::from(b'Q'),
            request_len: u32::try_from(cdb.len()).map_err(too_long)?,
            request: address(cdb.as_ptr()),
            max_response_len: SENSE_LENGTH.into(),
            response: address(sense.as_mut_ptr()),
            timeout: milliseconds(command.timeout),
            ..SgIoV4::default()
        };
        match &mut command.data {
            data if data.is_empty() => {}
            Data::None => {}
            Data::In(buffer) => {
                header.din_xfer_len = length;
                header.din_xferp = address(buffer.as_mut_ptr());
            }
            Data::Out(list) => {
                header.dout_xfer_len = length;
                header.dout_xferp = address(list.as_ptr());
            }
        }
        sg_io(self.file.as_fd(), ptr::from_mut(&mut header).cast())?;
        let sense_length = usize::try_from(header.response_len).map_err(too_long)?;
        Ok(Completion {
            // A status that does not fit a byte is none of SAM-6's.
            status: ScsiStatus(u8::try_from(header.device_status).unwrap_or(u8::MAX)),
            host_status: HostStatus(header.transport_status),
            driver_status: DriverStatus(header.driver_status),
            sense: sense[..sense_length.min(sense.len())].to_vec(),
            residual: match command.data {
                Data::Out(_) => header.dout_resid.into(),
                _ => header.din_resid.into(),
            },
            duration: Duration::from_millis(header.duration.into()),
        })
    }
}

impl Transport for SgIo {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        match self.node.kind {
            NodeKind::Bsg => self.execute_v4(command),
            _ => self.execute_v3(command),
        }
    }

    fn node(&self) -> Node {
        self.node
    }

    fn sg_driver_version(&self) -> Option<[u32; 3]> {
        if self.node.kind != NodeKind::Sg {
            return None;
        }
        parse_version(&fs::read_to_string("/sys/module/sg/version").ok()?)
    }
}

/// The ioctl.
///
/// `header` is a live, exclusively borrowed `SgIoHdr` or `SgIoV4`, filled by one of the two
/// functions above, which are the only callers.
fn sg_io(device: BorrowedFd<'_>, header: *mut c_void) -> io::Result<()> {
    // SAFETY: SG_IO takes a pointer to one of two structures and tells them apart by their first
    // word, 'S' or 'Q'. `header` points at a whole one that has this word; their layouts are
    // asserted above. The kernel reads the command and the data out, and writes the header's
    // output fields, the sense data and the data in. Each pointer in the header comes from a
    // borrow that its caller holds until after this call (command and data in `Command`, sense on
    // the stack), is at least as long as the length beside it, and was borrowed mutably where the
    // kernel writes. The kernel keeps none of them after the ioctl has returned.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), SG_IO.into(), header) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The address as the kernel takes it in a 64-bit field.
fn address(pointer: *const u8) -> u64 {
    // A pointer is at most 64 bits wide on every machine that Linux runs on.
    pointer.expose_provenance() as u64
}

fn milliseconds(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)
}

fn too_long(_: std::num::TryFromIntError) -> io::Error {
    io::ErrorKind::InvalidInput.into()
}

/// The major number of bsg nodes. The kernel chooses it when it starts.
fn bsg_major() -> Option<u64> {
    parse_bsg_major(&fs::read_to_string("/proc/devices").ok()?)
}

fn parse_bsg_major(devices: &str) -> Option<u64> {
    let characters = devices.split("Block devices:").next()?;
    characters.lines().find_map(|line| {
        let (major, name) = line.trim_start().split_once(' ')?;
        (name == "bsg").then(|| major.parse().ok())?
    })
}

/// Three numbers with dots between them.
fn parse_version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text.trim().splitn(3, '.').map(|number| number.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DEVICES: &str =
        "Character devices:\n  1 mem\n 21 sg\n248 bsg\n\nBlock devices:\n259 blkext\n  8 bsg\n";

    #[test]
    fn the_bsg_major_is_that_of_the_character_devices() {
        assert_eq!(parse_bsg_major(DEVICES), Some(248));
        assert_eq!(
            parse_bsg_major("Character devices:\n\nBlock devices:\n  8 bsg\n"),
            None
        );
        assert_eq!(parse_bsg_major(""), None);
    }

    #[test]
    fn versions_have_three_numbers() {
        assert_eq!(parse_version("3.5.36\n"), Some([3, 5, 36]));
        assert_eq!(parse_version("3.5"), None);
        assert_eq!(parse_version("3.5.x"), None);
    }

    #[test]
    fn a_file_takes_no_command() {
        let mut device = SgIo::open(Path::new("/dev/null"), Access::ReadOnly).unwrap();
        assert_eq!(device.node().kind, NodeKind::Character);
        let error = device
            .execute(Command {
                cdb: crate::scsi::inquiry::cdb(),
                data: Data::In(&mut [0; 36]),
                timeout: Duration::from_secs(60),
            })
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }
}
