//! The clock of a program that waits for an answer to change: what an NVMe controller reports of
//! reservations cuts the wait short.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use sg_persist::clock::{Clock, SystemClock};

/// The kernel's own events (`<linux/netlink.h>`, NETLINK_KOBJECT_UEVENT), not udev's.
const KERNEL: u32 = 1;
/// What an asynchronous event of a controller has in its event (drivers/nvme/host/core.c).
const ASYNCHRONOUS_EVENT: &[u8] = b"NVME_AEN=";
/// However much news there is, nothing is asked more often than this.
const LEAST: Duration = Duration::from_millis(100);

/// The machine's clock, with an ear for news.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    clock: SystemClock,
    /// From the first wait on; none where there are no events to be had.
    events: OnceLock<Option<OwnedFd>>,
}

impl Clock for Listening {
    fn now(&self) -> Duration {
        self.clock.now()
    }

    fn wait(&self, time: Duration) {
        self.clock.wait(time);
    }

    fn wait_for_news(&self, time: Duration) {
        let until = self.now() + time;
        self.wait(time.min(LEAST));
        let Some(events) = self.events.get_or_init(open) else {
            self.wait(until.saturating_sub(self.now()));
            return;
        };
        loop {
            let left = until.saturating_sub(self.now());
            let milliseconds = left.as_micros().div_ceil(1000);
            let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
            let mut asked = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
            match poll(&mut asked, timeout) {
                Ok(0) => return,
                // However many other events there are, they do not hold anybody up.
                Ok(_) if is_news(events) || left.is_zero() => return,
                Ok(_) => {}
                Err(_) => {
                    self.wait(until.saturating_sub(self.now()));
                    return;
                }
            }
        }
    }
}

fn open() -> Option<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let protocol = SockProtocol::NetlinkKObjectUEvent;
    let events = socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol).ok()?;
    bind(events.as_raw_fd(), &NetlinkAddr::new(0, KERNEL)).ok()?;
    Some(events)
}

/// Whether one of the events that wait is one of an NVMe controller. Events that got lost may have
/// been.
fn is_news(events: &OwnedFd) -> bool {
    let mut event = [0; 8192];
    let mut found = false;
    loop {
        match recv(events.as_raw_fd(), &mut event, MsgFlags::empty()) {
            Ok(length) => found |= tells(&event[..length]),
            Err(nix::errno::Errno::ENOBUFS) => found = true,
            Err(_) => return found,
        }
    }
}

/// Whether an event is one of an NVMe controller: strings that end with NUL.
fn tells(event: &[u8]) -> bool {
    let mut strings = event.split(|&byte| byte == 0);
    strings.any(|string| string.starts_with(ASYNCHRONOUS_EVENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_the_events_of_controllers() {
        let event =
            b"change@/devices/virtual/nvme-fabrics/ctl/nvme0\0ACTION=change\0NVME_AEN=0x10206\0";
        assert!(tells(event));
        for other in [
            &b""[..],
            b"add@/block/sda\0ACTION=add\0",
            b"change@/x\0XNVME_AEN=1\0",
        ] {
            assert!(!tells(other));
        }
    }

    #[test]
    fn without_news_the_time_passes() {
        let clock = Listening::default();
        let before = clock.now();
        clock.wait_for_news(Duration::from_millis(120));
        assert!(clock.now() - before >= Duration::from_millis(120));
    }
}
