//! What controllers and namespaces tell about themselves: Identify and Get Features (NVM Express
//! Base, Identify command, Get Features command).

use super::reservation::{Form, ReservationType};
use super::{Command, Queue};
use crate::scsi::bytes::{Reader, Truncated};

/// Bytes that Identify returns.
pub const IDENTIFY_LENGTH: usize = 4096;

/// The Controller or Namespace Structure field of Identify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// CNS 00h: the namespace.
    Namespace(u32),
    /// CNS 01h: the controller that gets the command.
    Controller,
}

/// Identify, which returns [`IDENTIFY_LENGTH`] bytes.
#[must_use]
pub const fn identify(structure: Structure) -> Command {
    let (name, nsid, cns) = match structure {
        Structure::Namespace(nsid) => ("Identify Namespace", nsid, 0),
        Structure::Controller => ("Identify Controller", 0, 1),
    };
    Command {
        name,
        queue: Queue::Admin,
        opcode: 0x06,
        nsid,
        cdw10: cns,
        cdw11: 0,
        data_length: IDENTIFY_LENGTH,
    }
}

/// Get Features for the current Host Identifier, in the `form` in which a reservation report has
/// it; it returns [`Form::identifier_length`] bytes.
#[must_use]
pub const fn get_host_identifier(form: Form) -> Command {
    Command {
        name: "Get Features (Host Identifier)",
        queue: Queue::Admin,
        opcode: 0x0a,
        nsid: 0,
        cdw10: 0x81,
        // EXHID
        cdw11: match form {
            Form::Extended => 1,
            Form::Short => 0,
        },
        data_length: form.identifier_length(),
    }
}

/// The fields of the Identify Controller data structure that this program looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentifyController {
    /// ASCII, filled with blanks.
    #[doc(alias = "MN")]
    pub model_number: [u8; 40],
    /// ASCII, filled with blanks.
    #[doc(alias = "FR")]
    pub firmware_revision: [u8; 8],
    /// The controller's number in its subsystem.
    #[doc(alias = "CNTLID")]
    pub controller_id: u16,
    /// Controller Attributes.
    #[doc(alias = "CTRATT")]
    pub attributes: u32,
    /// NVM Subsystem Report, of NVMe-MI.
    #[doc(alias = "NVMSR")]
    pub subsystem_report: u8,
    /// The largest number that a namespace can have.
    #[doc(alias = "NN")]
    pub namespaces: u32,
    /// Optional NVM Command Support.
    #[doc(alias = "ONCS")]
    pub optional_commands: u16,
}

impl IdentifyController {
    /// Bytes that are looked at.
    pub(crate) const USED: usize = 522;

    /// Reads the first 522 of the [`IDENTIFY_LENGTH`] bytes.
    ///
    /// # Errors
    /// [`Truncated`] when fewer came.
    pub fn parse(data: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(data);
        reader.bytes("VID to SN", 24)?;
        let mut model_number = [0; 40];
        model_number.copy_from_slice(reader.bytes("MN", 40)?);
        let mut firmware_revision = [0; 8];
        firmware_revision.copy_from_slice(reader.bytes("FR", 8)?);
        reader.bytes("RAB to MDTS", 6)?;
        let controller_id = reader.u16_le("CNTLID")?;
        reader.bytes("VER to OAES", 16)?;
        let attributes = reader.u32_le("CTRATT")?;
        reader.bytes("bytes 100 to 252", 153)?;
        let subsystem_report = reader.u8("NVMSR")?;
        reader.bytes("bytes 254 to 515", 262)?;
        Ok(Self {
            model_number,
            firmware_revision,
            controller_id,
            attributes,
            subsystem_report,
            namespaces: reader.u32_le("NN")?,
            optional_commands: reader.u16_le("ONCS")?,
        })
    }

    /// Whether it takes the four reservation commands (ONCS, bit 5).
    #[must_use]
    pub const fn supports_reservations(&self) -> bool {
        self.optional_commands >> 5 & 1 == 1
    }

    /// Whether hosts may have identifiers of 128 bits (CTRATT, bit 0). One that does not know them
    /// does not know the Extended Data Structure bit either, and ignores it.
    #[must_use]
    pub const fn supports_extended_host_identifier(&self) -> bool {
        self.attributes & 1 == 1
    }
}

/// The fields of the Identify Namespace data structure that this program looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentifyNamespace {
    /// What reservations it supports.
    #[doc(alias = "RESCAP")]
    pub reservation_capabilities: ReservationCapabilities,
}

impl IdentifyNamespace {
    /// Bytes that are looked at.
    pub(crate) const USED: usize = 32;

    /// Reads the first 32 of the [`IDENTIFY_LENGTH`] bytes.
    ///
    /// # Errors
    /// [`Truncated`] when fewer came.
    pub fn parse(data: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(data);
        reader.bytes("NSZE to NMIC", 31)?;
        Ok(Self {
            reservation_capabilities: ReservationCapabilities(reader.u8("RESCAP")?),
        })
    }
}

/// Reservation Capabilities of a namespace.
#[doc(alias = "RESCAP")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservationCapabilities(pub u8);

impl ReservationCapabilities {
    /// Whether the namespace has reservations at all.
    #[must_use]
    pub const fn any(self) -> bool {
        self.0 != 0
    }

    /// Whether reservations can be kept through a power loss.
    #[must_use]
    pub const fn persist_through_power_loss(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether reservations can be of this type.
    #[must_use]
    pub const fn supports(self, reservation_type: ReservationType) -> bool {
        self.0 >> reservation_type.code() & 1 == 1
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Direction;
    use super::*;

    /// Every field that is read has a value of its own; what is between them has all bits set.
    fn controller() -> Vec<u8> {
        let mut data = vec![0xff; IDENTIFY_LENGTH];
        data[24..64].copy_from_slice(b"Model number of forty characters in all!");
        data[64..72].copy_from_slice(b"Firmware");
        data[78..80].copy_from_slice(&[0x34, 0x12]);
        data[96..100].copy_from_slice(&[0x81, 0x72, 0x63, 0x54]);
        data[253] = 0x02;
        data[516..520].copy_from_slice(&[4, 3, 2, 1]);
        data[520..522].copy_from_slice(&[0x20, 0x01]);
        data
    }

    #[test]
    fn the_controller() {
        let data = controller();
        let parsed = IdentifyController::parse(&data).unwrap();
        assert_eq!(
            parsed,
            IdentifyController {
                model_number: *b"Model number of forty characters in all!",
                firmware_revision: *b"Firmware",
                controller_id: 0x1234,
                attributes: 0x5463_7281,
                subsystem_report: 2,
                namespaces: 0x0102_0304,
                optional_commands: 0x0120,
            }
        );
        assert!(parsed.supports_reservations());
        assert!(parsed.supports_extended_host_identifier());
        for end in 0..data.len() {
            let parsed = IdentifyController::parse(&data[..end]);
            assert_eq!(parsed.is_ok(), end >= IdentifyController::USED, "{end}");
        }
    }

    #[test]
    fn one_bit_each_tells() {
        let mut parsed = IdentifyController::parse(&controller()).unwrap();
        for bit in 0..16 {
            parsed.optional_commands = 1 << bit;
            assert_eq!(parsed.supports_reservations(), bit == 5);
        }
        for bit in 0..32 {
            parsed.attributes = 1 << bit;
            assert_eq!(parsed.supports_extended_host_identifier(), bit == 0);
        }
    }

    #[test]
    fn the_namespace() {
        let mut data = vec![0xff; IDENTIFY_LENGTH];
        data[31] = 0x5a;
        let parsed = IdentifyNamespace::parse(&data).unwrap();
        assert_eq!(
            parsed.reservation_capabilities,
            ReservationCapabilities(0x5a)
        );
        for end in 0..data.len() {
            let parsed = IdentifyNamespace::parse(&data[..end]);
            assert_eq!(parsed.is_ok(), end >= IdentifyNamespace::USED);
        }
    }

    #[test]
    fn each_capability_has_its_bit() {
        assert!(!ReservationCapabilities(0).any());
        for bit in 0..8 {
            let capabilities = ReservationCapabilities(1 << bit);
            assert!(capabilities.any());
            assert_eq!(capabilities.persist_through_power_loss(), bit == 0);
            for reservation_type in ReservationType::ALL {
                assert_eq!(
                    capabilities.supports(reservation_type),
                    bit == reservation_type.code()
                );
            }
        }
    }

    #[test]
    fn the_commands() {
        let fields = |command: Command| {
            assert_eq!(command.queue(), Queue::Admin);
            assert_eq!(command.direction(), Direction::In);
            let (cdw10, cdw11) = (command.cdw10(), command.cdw11());
            (
                command.opcode(),
                command.nsid(),
                cdw10,
                cdw11,
                command.data_length(),
            )
        };
        assert_eq!(
            fields(identify(Structure::Namespace(7))),
            (6, 7, 0, 0, 4096)
        );
        assert_eq!(fields(identify(Structure::Controller)), (6, 0, 1, 0, 4096));
        let get = |form| fields(get_host_identifier(form));
        assert_eq!(get(Form::Extended), (0x0a, 0, 0x81, 1, 16));
        assert_eq!(get(Form::Short), (0x0a, 0, 0x81, 0, 8));
    }
}
