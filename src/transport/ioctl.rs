//! The ioctls of Linux that carry commands: the only unsafe code of the library.
//!
//! `SgIoHdr` is `struct sg_io_hdr` of `<scsi/sg.h>`, which block and sg nodes take; `SgIoV4` is
//! `struct sg_io_v4` of `<linux/bsg.h>`, which bsg nodes take; `PassthruCmd` is
//! `struct nvme_passthru_cmd` of `<linux/nvme_ioctl.h>`, which NVMe nodes take; `DmIoctl` is
//! `struct dm_ioctl` of `<linux/dm-ioctl.h>`, which the device mapper's control node takes.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use super::{Command, Completion, Data, DriverStatus, HostStatus};
use crate::nvme::status::NvmeStatus;
use crate::nvme::{self, Direction, Queue};
use crate::scsi::status::ScsiStatus;

/// `SG_IO` of `<scsi/sg.h>`.
const SG_IO: libc::Ioctl = 0x2285;
/// `SG_SET_RESERVED_SIZE` of `<scsi/sg.h>`.
const SG_SET_RESERVED_SIZE: libc::Ioctl = 0x2275;
/// `NVME_IOCTL_ID`: the number of a node's namespace.
const NVME_IOCTL_ID: libc::Ioctl = libc::_IO(b'N' as u32, 0x40);
/// `NVME_IOCTL_ADMIN_CMD`.
const NVME_IOCTL_ADMIN_CMD: libc::Ioctl = libc::_IOWR::<PassthruCmd>(b'N' as u32, 0x41);
/// `NVME_IOCTL_IO_CMD`.
const NVME_IOCTL_IO_CMD: libc::Ioctl = libc::_IOWR::<PassthruCmd>(b'N' as u32, 0x43);
/// `DM_DEV_STATUS`.
const DM_DEV_STATUS: libc::Ioctl = libc::_IOWR::<DmIoctl>(0xfd, 7);
/// `DM_TABLE_STATUS`.
const DM_TABLE_STATUS: libc::Ioctl = libc::_IOWR::<DmIoctl>(0xfd, 12);
/// `DM_BUFFER_FULL_FLAG`: there is more than there was room for.
const DM_BUFFER_FULL_FLAG: u32 = 1 << 8;
/// `DM_NOFLUSH_FLAG`: asking for a status does not make a target write anything.
const DM_NOFLUSH_FLAG: u32 = 1 << 11;
/// Bytes of room for the status of a table. A path takes about twenty.
const DM_ROOM: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];
/// Bytes of room for sense data. Fixed format sense takes 18, the longest useful descriptors more.
const SENSE_LENGTH: u8 = 64;

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
    assert!(offset_of!(SgIoHdr, dxferp) == 16);
    assert!(offset_of!(SgIoHdr, cmdp) == 24);
    assert!(offset_of!(SgIoHdr, sbp) == 32);
    assert!(offset_of!(SgIoHdr, timeout) == 40);
    assert!(offset_of!(SgIoHdr, usr_ptr) == 56);
    assert!(offset_of!(SgIoHdr, status) == 64);
    assert!(offset_of!(SgIoHdr, host_status) == 68);
    assert!(offset_of!(SgIoHdr, resid) == 72);
    assert!(offset_of!(SgIoHdr, info) == 80);
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
    assert!(offset_of!(SgIoV4, response) == 48);
    assert!(offset_of!(SgIoV4, dout_xferp) == 72);
    assert!(offset_of!(SgIoV4, usr_ptr) == 96);
    assert!(offset_of!(SgIoV4, device_status) == 116);
    assert!(offset_of!(SgIoV4, dout_resid) == 140);
};

/// `struct nvme_passthru_cmd`; addresses are 64 bits wide on every machine.
#[repr(C)]
#[derive(Debug, Default)]
struct PassthruCmd {
    opcode: u8,
    flags: u8,
    rsvd1: u16,
    nsid: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    addr: u64,
    metadata_len: u32,
    data_len: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_ms: u32,
    result: u32,
}

const _: () = {
    assert!(size_of::<PassthruCmd>() == 72);
    assert!(offset_of!(PassthruCmd, nsid) == 4);
    assert!(offset_of!(PassthruCmd, addr) == 24);
    assert!(offset_of!(PassthruCmd, data_len) == 36);
    assert!(offset_of!(PassthruCmd, cdw10) == 40);
    assert!(offset_of!(PassthruCmd, timeout_ms) == 64);
    assert!(offset_of!(PassthruCmd, result) == 68);
};

/// `struct dm_ioctl`, of which only the layout is used: [`DmBuffer`] has the bytes.
#[allow(dead_code)]
#[repr(C)]
struct DmIoctl {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event_nr: u32,
    padding: u32,
    dev: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    data: [u8; 7],
}

const _: () = {
    assert!(size_of::<DmIoctl>() == 312);
    assert!(offset_of!(DmIoctl, data_size) == 12);
    assert!(offset_of!(DmIoctl, open_count) == 24);
    assert!(offset_of!(DmIoctl, flags) == 28);
    assert!(offset_of!(DmIoctl, dev) == 40);
    assert!(offset_of!(DmIoctl, uuid) == 176);
    assert!(offset_of!(DmIoctl, data) == 305);
};

/// `struct dm_target_spec`, likewise. The target's parameters come after it, ended by a NUL.
#[allow(dead_code)]
#[repr(C)]
struct DmTargetSpec {
    sector_start: u64,
    length: u64,
    status: i32,
    next: u32,
    target_type: [u8; 16],
}

const _: () = {
    assert!(size_of::<DmTargetSpec>() == 40);
    assert!(offset_of!(DmTargetSpec, next) == 20);
};

/// A [`DmIoctl`], and room behind it for what the device mapper has to say. `data_size` is its
/// length, for nothing but [`DmBuffer::new`] writes there before the request.
#[derive(Debug)]
struct DmBuffer(Vec<u8>);

impl DmBuffer {
    /// A request about the device with this number, with so many bytes of room.
    fn new(number: libc::dev_t, room: usize) -> io::Result<Self> {
        let length = size_of::<DmIoctl>() + room;
        let mut buffer = Self(vec![0; length]);
        // Version 4.0.0: no later one is needed.
        buffer.put(offset_of!(DmIoctl, version), &4_u32.to_ne_bytes());
        let length = u32::try_from(length).map_err(too_long)?;
        buffer.put(offset_of!(DmIoctl, data_size), &length.to_ne_bytes());
        let start = u32::try_from(size_of::<DmIoctl>()).map_err(too_long)?;
        buffer.put(offset_of!(DmIoctl, data_start), &start.to_ne_bytes());
        let flags = DM_NOFLUSH_FLAG.to_ne_bytes();
        buffer.put(offset_of!(DmIoctl, flags), &flags);
        buffer.put(offset_of!(DmIoctl, dev), &number.to_ne_bytes());
        Ok(buffer)
    }

    fn put(&mut self, offset: usize, value: &[u8]) {
        self.0[offset..][..value.len()].copy_from_slice(value);
    }

    /// The number at this offset.
    fn u32(&self, offset: usize) -> Option<u32> {
        let bytes = self.0.get(offset..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    }

    /// The targets, a line for each as `dmsetup status` has it; `None` if what came makes no sense.
    fn targets(&self) -> Option<String> {
        let size = usize::try_from(self.u32(offset_of!(DmIoctl, data_size))?).ok()?;
        let start = usize::try_from(self.u32(offset_of!(DmIoctl, data_start))?).ok()?;
        let data = self.0.get(..size)?.get(start..)?;
        let mut lines = Vec::new();
        let mut at = 0;
        for _ in 0..self.u32(offset_of!(DmIoctl, target_count))? {
            let (spec, rest) = data
                .get(at..)?
                .split_at_checked(size_of::<DmTargetSpec>())?;
            let number = |offset: usize| Some(*spec.get(offset..)?.first_chunk()?);
            let sector_start = u64::from_ne_bytes(number(offset_of!(DmTargetSpec, sector_start))?);
            let length = u64::from_ne_bytes(number(offset_of!(DmTargetSpec, length))?);
            let target_type = spec.get(offset_of!(DmTargetSpec, target_type)..)?;
            let target_type = CStr::from_bytes_until_nul(target_type).ok()?;
            let parameters = CStr::from_bytes_until_nul(rest).ok()?;
            lines.push(format!(
                "{sector_start} {length} {} {}",
                target_type.to_string_lossy(),
                parameters.to_string_lossy()
            ));
            // Counted from the first of them; it has to lead on.
            let next = spec.get(offset_of!(DmTargetSpec, next)..)?.first_chunk()?;
            let next = usize::try_from(u32::from_ne_bytes(*next)).ok()?;
            at = Some(next).filter(|&next| next > at)?;
        }
        Some(lines.join("\n"))
    }
}

/// The status of the table of the device-mapper device with this number, a line for each target as
/// `dmsetup status` has it. `control` is the device mapper's control node.
pub(crate) fn dm_table_status(control: BorrowedFd<'_>, number: libc::dev_t) -> io::Result<String> {
    for room in DM_ROOM {
        let mut buffer = DmBuffer::new(number, room)?;
        let request = Request::Dm(DmRequest::TableStatus, &mut buffer);
        // SAFETY: there is no address in the structure.
        unsafe { ioctl(control, request) }?;
        let flags = buffer.u32(offset_of!(DmIoctl, flags)).unwrap_or_default();
        if flags & DM_BUFFER_FULL_FLAG == 0 {
            return buffer
                .targets()
                .ok_or_else(|| io::ErrorKind::InvalidData.into());
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// How often the device-mapper device with this number is open. `control` is the device mapper's
/// control node.
pub(crate) fn dm_open_count(control: BorrowedFd<'_>, number: libc::dev_t) -> io::Result<u32> {
    let mut buffer = DmBuffer::new(number, 0)?;
    let request = Request::Dm(DmRequest::DevStatus, &mut buffer);
    // SAFETY: there is no address in the structure.
    unsafe { ioctl(control, request) }?;
    // (It is signed, and -1 for nothing that can be opened.)
    buffer
        .u32(offset_of!(DmIoctl, open_count))
        .filter(|&count| i32::try_from(count).is_ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Makes the buffer that the sg driver has for an open sg node as large as this: commands that move
/// more get another each time. The driver may leave it smaller.
pub(super) fn sg_reserve(device: BorrowedFd<'_>, size: c_int) -> io::Result<()> {
    let mut size = size;
    // SAFETY: there is no address in an int.
    unsafe { ioctl(device, Request::SgReserve(&mut size)) }.map(drop)
}

/// Sends `command` through a block or sg node, and waits for its end.
pub(super) fn sg_io_v3(device: BorrowedFd<'_>, mut command: Command<'_>) -> io::Result<Completion> {
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
    // SAFETY: command, data and sense data are borrowed by this function, mutably where the kernel
    // writes, and each is as long as the length beside it.
    unsafe { ioctl(device, Request::SgIoV3(&mut header)) }?;
    let sense_length = usize::from(header.sb_len_wr).min(sense.len());
    Ok(Completion {
        status: ScsiStatus(header.status),
        host_status: HostStatus(header.host_status.into()),
        driver_status: DriverStatus(header.driver_status.into()),
        sense: sense[..sense_length].to_vec(),
        residual: header.resid.into(),
        duration: Duration::from_millis(header.duration.into()),
        ..Completion::default()
    })
}

/// Sends `command` through a bsg node, and waits for its end.
pub(super) fn sg_io_v4(device: BorrowedFd<'_>, mut command: Command<'_>) -> io::Result<Completion> {
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
    // SAFETY: command, data and sense data are borrowed by this function, mutably where the kernel
    // writes, and each is as long as the length beside it.
    unsafe { ioctl(device, Request::SgIoV4(&mut header)) }?;
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
        ..Completion::default()
    })
}

/// The number of the namespace that an NVMe node leads to.
pub(super) fn nvme_namespace(device: BorrowedFd<'_>) -> io::Result<u32> {
    // SAFETY: there is no structure, so there is no address in it.
    let namespace = unsafe { ioctl(device, Request::NvmeNamespace) }?;
    u32::try_from(namespace).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Sends an NVMe command with its data, and waits for its end.
pub(super) fn nvme_passthrough(
    device: BorrowedFd<'_>,
    command: &nvme::Command,
    mut data: Data<'_>,
    timeout: Duration,
) -> io::Result<NvmeStatus> {
    // What the controller reads and writes follows from the command, not from the length beside it.
    let direction = match data {
        Data::None => Direction::None,
        Data::In(_) => Direction::In,
        Data::Out(_) => Direction::Out,
    };
    if direction != command.direction() || data.len() != command.data_length() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut passthru = PassthruCmd {
        opcode: command.opcode(),
        nsid: command.nsid(),
        data_len: u32::try_from(data.len()).map_err(too_long)?,
        cdw10: command.cdw10(),
        cdw11: command.cdw11(),
        timeout_ms: milliseconds(timeout),
        ..PassthruCmd::default()
    };
    match &mut data {
        Data::None => {}
        Data::In(buffer) => passthru.addr = address(buffer.as_mut_ptr()),
        Data::Out(list) => passthru.addr = address(list.as_ptr()),
    }
    let request = Request::NvmePassthrough(command.queue(), &mut passthru);
    // SAFETY: the data is borrowed by this function, mutably where the controller writes, and is as
    // long as the command has it, which was compared above.
    let status = unsafe { ioctl(device, request) }?;
    u16::try_from(status)
        .map(NvmeStatus)
        .map_err(|_| io::ErrorKind::InvalidData.into())
}

/// A request, with the structure that it takes.
#[derive(Debug)]
enum Request<'a> {
    /// SG_IO for block and sg nodes.
    SgIoV3(&'a mut SgIoHdr),
    /// SG_IO for bsg nodes.
    SgIoV4(&'a mut SgIoV4),
    /// SG_SET_RESERVED_SIZE, in bytes.
    SgReserve(&'a mut c_int),
    /// NVME_IOCTL_ID, which takes nothing.
    NvmeNamespace,
    /// NVME_IOCTL_ADMIN_CMD or NVME_IOCTL_IO_CMD.
    NvmePassthrough(Queue, &'a mut PassthruCmd),
    /// One of the device mapper's.
    Dm(DmRequest, &'a mut DmBuffer),
}

/// What the device mapper is asked for.
#[derive(Clone, Copy, Debug)]
enum DmRequest {
    /// DM_DEV_STATUS.
    DevStatus,
    /// DM_TABLE_STATUS.
    TableStatus,
}

/// The ioctl.
///
/// # Safety
/// With each address in the structure there is a length (of the command, of the data, of the sense
/// data). So many bytes at the address must be readable, and writable where the kernel writes
/// there (sense data, data in), until this returns. With an NVMe command the length of the data has
/// to be what the controller makes of the command.
unsafe fn ioctl(device: BorrowedFd<'_>, request: Request<'_>) -> io::Result<c_int> {
    let (number, argument): (libc::Ioctl, *mut c_void) = match request {
        Request::SgIoV3(header) => (SG_IO, ptr::from_mut(header).cast()),
        Request::SgIoV4(header) => (SG_IO, ptr::from_mut(header).cast()),
        Request::SgReserve(size) => (SG_SET_RESERVED_SIZE, ptr::from_mut(size).cast()),
        Request::NvmeNamespace => (NVME_IOCTL_ID, ptr::null_mut()),
        Request::NvmePassthrough(Queue::Admin, passthru) => {
            (NVME_IOCTL_ADMIN_CMD, ptr::from_mut(passthru).cast())
        }
        Request::NvmePassthrough(Queue::Io, passthru) => {
            (NVME_IOCTL_IO_CMD, ptr::from_mut(passthru).cast())
        }
        Request::Dm(DmRequest::DevStatus, buffer) => (DM_DEV_STATUS, buffer.0.as_mut_ptr().cast()),
        Request::Dm(DmRequest::TableStatus, buffer) => {
            (DM_TABLE_STATUS, buffer.0.as_mut_ptr().cast())
        }
    };
    // SAFETY: `argument` is an exclusive borrow of a whole structure of the kind that the request
    // takes; the layouts are asserted above. SG_IO tells its two kinds apart by their first word,
    // 'S' or 'Q'; the NVMe requests have the size of theirs in their number; SG_SET_RESERVED_SIZE
    // reads an int; NVME_IOCTL_ID looks at no argument; the device mapper's requests read and write
    // no more bytes than the structure says that it has with what is behind it, which is as many as
    // the buffer has, and need no alignment. A driver that does not know a request
    // refuses it without looking at the argument. The kernel writes the structure's output fields,
    // and what the caller has promised to be writable, and keeps no pointer after it has returned.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), number, argument) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The address as the kernel takes it in a 64-bit field.
fn address(pointer: *const u8) -> u64 {
    // A pointer is at most 64 bits wide on every machine that Linux runs on.
    pointer.expose_provenance() as u64
}

/// A time as the kernel counts it, rounded up: 0 would be the kernel's own default, which is longer
/// than any of these. What does not fit is the longest time there is, 49 days.
fn milliseconds(timeout: Duration) -> u32 {
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000).max(1);
    u32::try_from(milliseconds).unwrap_or(u32::MAX)
}

fn too_long(_: std::num::TryFromIntError) -> io::Error {
    io::ErrorKind::InvalidInput.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn no_timeout_is_the_default_of_the_kernel() {
        for (timeout, expected) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_micros(999), 1),
            (Duration::from_millis(1), 1),
            (Duration::from_micros(1001), 2),
            (Duration::from_secs(60), 60_000),
            (Duration::from_millis(4_294_967_295), u32::MAX),
            (Duration::from_millis(4_294_967_296), u32::MAX),
            (Duration::MAX, u32::MAX),
        ] {
            assert_eq!(milliseconds(timeout), expected, "{timeout:?}");
        }
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn the_numbers_of_the_requests() {
        assert_eq!(NVME_IOCTL_ID, 0x4e40);
        assert_eq!(NVME_IOCTL_ADMIN_CMD, 0xc048_4e41_u32 as libc::Ioctl);
        assert_eq!(NVME_IOCTL_IO_CMD, 0xc048_4e43_u32 as libc::Ioctl);
        assert_eq!(DM_DEV_STATUS, 0xc138_fd07_u32 as libc::Ioctl);
        assert_eq!(DM_TABLE_STATUS, 0xc138_fd0c_u32 as libc::Ioctl);
    }

    #[test]
    fn a_request_to_the_device_mapper() {
        let buffer = DmBuffer::new(0x0123_4567_89ab_cdef, 8).unwrap();
        let mut expected = vec![0; 320];
        for (offset, number) in [(0, 4_u32), (12, 320), (16, 312), (28, 0x800)] {
            expected[offset..offset + 4].copy_from_slice(&number.to_ne_bytes());
        }
        expected[40..48].copy_from_slice(&0x0123_4567_89ab_cdef_u64.to_ne_bytes());
        assert_eq!(buffer.0, expected);
    }

    /// What the device mapper answers, with these targets.
    fn answer(targets: &[(u64, u64, &[u8], &[u8])]) -> DmBuffer {
        let mut buffer = DmBuffer::new(0, 0).unwrap();
        let mut data = Vec::new();
        for &(start, length, target_type, parameters) in targets {
            data.extend(start.to_ne_bytes());
            data.extend(length.to_ne_bytes());
            data.extend([0; 4]);
            let at = data.len();
            data.extend([0; 4]);
            let mut name = target_type.to_vec();
            name.resize(16, 0);
            data.extend(name);
            data.extend(parameters);
            data.push(0);
            data.resize(data.len().next_multiple_of(8), 0);
            let next = u32::try_from(data.len()).unwrap();
            data[at..at + 4].copy_from_slice(&next.to_ne_bytes());
        }
        buffer.0.extend(data);
        let size = u32::try_from(buffer.0.len()).unwrap();
        buffer.put(12, &size.to_ne_bytes());
        let count = u32::try_from(targets.len()).unwrap();
        buffer.put(20, &count.to_ne_bytes());
        buffer
    }

    #[test]
    fn the_targets_of_a_table() {
        let multipath = &(
            0,
            2048,
            &b"multipath"[..],
            &b"2 1 0 0 1 1 E 0 1 0 8:0 A 0 "[..],
        );
        let linear = &(2048, 8, &b"linear"[..], &b""[..]);
        for (targets, expected) in [
            (vec![], ""),
            (
                vec![*multipath],
                "0 2048 multipath 2 1 0 0 1 1 E 0 1 0 8:0 A 0 ",
            ),
            (
                vec![*multipath, *linear],
                "0 2048 multipath 2 1 0 0 1 1 E 0 1 0 8:0 A 0 \n2048 8 linear ",
            ),
        ] {
            assert_eq!(answer(&targets).targets().as_deref(), Some(expected));
        }
        // Cut anywhere, within what belongs to a target.
        let whole = answer(&[*multipath]);
        let end = 312 + 40 + multipath.3.len() + 1;
        for cut in 0..whole.0.len() {
            let mut buffer = DmBuffer(whole.0[..cut].to_vec());
            assert_eq!(buffer.targets(), None, "{cut}");
            if cut > 312 {
                let size = u32::try_from(cut).unwrap();
                buffer.put(12, &size.to_ne_bytes());
                assert_eq!(buffer.targets().is_some(), cut >= end, "{cut}");
            }
        }
    }

    #[test]
    fn targets_that_make_no_sense() {
        let linear = (0, 8, &b"linear"[..], &b"8:0 0"[..]);
        for (offset, number) in [
            // data_size, data_start, target_count.
            (12, u32::MAX),
            (16, u32::MAX),
            (16, 400),
            (20, u32::MAX),
            // The next target is the same one again, or nowhere.
            (312 + 20, 0),
            (312 + 20, u32::MAX),
        ] {
            let mut buffer = answer(&[linear, linear]);
            buffer.put(offset, &number.to_ne_bytes());
            assert_eq!(buffer.targets(), None, "{offset} {number}");
        }
        // A name without an end.
        let long = (0, 8, &[b'x'; 16][..], &b""[..]);
        assert_eq!(answer(&[long]).targets(), None);
    }

    #[test]
    fn other_nodes_do_not_know_the_device_mappers_requests() {
        let null = File::open("/dev/null").unwrap();
        let status = dm_table_status(null.as_fd(), 0).unwrap_err();
        assert_eq!(status.raw_os_error(), Some(libc::ENOTTY));
        let count = dm_open_count(null.as_fd(), 0).unwrap_err();
        assert_eq!(count.raw_os_error(), Some(libc::ENOTTY));
    }
}
