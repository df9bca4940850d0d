//! NVM Express: the commands about reservations and what comes back of them (NVM Express Base and
//! NVM Command Set specifications).
//!
//! Pure functions over bytes. Numbers are little-endian; identifiers of hosts are bytes.

use std::fmt;

pub mod identify;
pub mod reservation;
pub mod status;

/// What a buffer for data in has to be filled with before the command is sent: controllers do not
/// tell how much they wrote, so what was not written must show.
pub(crate) const UNWRITTEN: u8 = 0xff;

/// Which of a controller's queues a command goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// The Admin Submission Queue.
    Admin,
    /// One of the I/O Submission Queues.
    Io,
}

/// A command; its dwords 12 to 15 are 0, and its data goes beside it.
///
/// Only this module makes them: a controller writes as much data as a command makes it write,
/// whatever room there is, so the fields and the length of the data have to fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    name: &'static str,
    queue: Queue,
    opcode: u8,
    nsid: u32,
    cdw10: u32,
    cdw11: u32,
    data_length: usize,
}

/// Where the data of a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// There is none.
    None,
    /// To the controller.
    Out,
    /// From the controller.
    In,
    /// Both ways; no command of this program is such.
    Both,
}

impl Command {
    /// What the specification calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Where it goes.
    #[must_use]
    pub const fn queue(&self) -> Queue {
        self.queue
    }

    /// The OPC field.
    #[must_use]
    pub const fn opcode(&self) -> u8 {
        self.opcode
    }

    /// The NSID field: the namespace that it is about; 0 for a command that is about none.
    #[must_use]
    pub const fn nsid(&self) -> u32 {
        self.nsid
    }

    /// Command Dword 10.
    #[must_use]
    pub const fn cdw10(&self) -> u32 {
        self.cdw10
    }

    /// Command Dword 11.
    #[must_use]
    pub const fn cdw11(&self) -> u32 {
        self.cdw11
    }

    /// Bytes of its data.
    #[must_use]
    pub const fn data_length(&self) -> usize {
        self.data_length
    }

    /// Where its data goes, by the lowest bits of the opcode.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match self.opcode & 3 {
            0b00 => Direction::None,
            0b01 => Direction::Out,
            0b10 => Direction::In,
            _ => Direction::Both,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            queue,
            opcode,
            nsid,
            cdw10,
            cdw11,
            data_length: _,
        } = self;
        let queue = match queue {
            Queue::Admin => "Admin",
            Queue::Io => "I/O",
        };
        write!(
            f,
            "NVMe {queue} command {name}: opcode={opcode:#04x} nsid={nsid} cdw10={cdw10:#x} \
             cdw11={cdw11:#x}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_with_every_field() {
        let command = Command {
            name: "Reservation Register",
            queue: Queue::Io,
            opcode: 0x0d,
            nsid: 3,
            cdw10: 0x8000_0002,
            cdw11: 4,
            data_length: 16,
        };
        assert_eq!(command.direction(), Direction::Out);
        assert_eq!(
            command.to_string(),
            "NVMe I/O command Reservation Register: opcode=0x0d nsid=3 cdw10=0x80000002 cdw11=0x4"
        );
    }
}
