//! TransportIDs: how the SCSI transports name an initiator port (SPC-5 7.6.4).
//!
//! A [`TransportId`] is its bytes, with a typed view of them beside: what a
//! user typed goes out as it is, and what a device returned is kept whatever
//! it holds. Nothing here reads beyond the bytes at hand.

use std::fmt::Write as _;

use thiserror::Error;

/// Bytes of every TransportID but the longer iSCSI ones.
pub const MINIMUM_LENGTH: usize = 24;
/// Bytes of the longest: iSCSI's, with a name and an ISID.
pub const MAXIMUM_LENGTH: usize = 4 + MAXIMUM_NAME_FIELD;
/// The largest ADDITIONAL LENGTH that [`TransportId::iscsi`] gives a name: 223 bytes, the longest
/// name of RFC 7143, with the separator, an ISID and a NUL.
const MAXIMUM_NAME_FIELD: usize = 244;
/// What marks the TransportID that stands for the host of an NVMe registration.
const NVME_TAG: &[u8; 4] = b"NVMe";
/// The FORMAT CODE of that TransportID.
const NVME_FORMAT: u8 = 3;
/// What comes between the name of an iSCSI initiator and its ISID.
const ISID_SEPARATOR: &[u8] = b",i,0x";
/// How the names of iSCSI nodes begin (RFC 7143 4.2.7).
const NAME_TYPES: [&[u8]; 4] = [b"iqn.", b"eui.", b"naa.", b"IQN."];

/// Whether a text has the shape of an iSCSI name.
#[must_use]
pub(crate) fn is_iscsi_name(text: &[u8]) -> bool {
    NAME_TYPES.iter().any(|start| text.starts_with(start))
}

/// The transport that a TransportID belongs to (SPC-5 7.6.1).
///
/// Values nobody has assigned survive.
#[doc(alias = "PROTOCOL IDENTIFIER")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolIdentifier(pub u8);

impl ProtocolIdentifier {
    /// Fibre Channel.
    pub const FCP: Self = Self(0x0);
    /// Parallel SCSI.
    pub const SPI: Self = Self(0x1);
    /// SSA.
    pub const SSA: Self = Self(0x2);
    /// IEEE 1394, by the Serial Bus Protocol.
    #[doc(alias = "SBP")]
    pub const IEEE_1394: Self = Self(0x3);
    /// Remote direct memory access.
    pub const SRP: Self = Self(0x4);
    /// Internet SCSI.
    pub const ISCSI: Self = Self(0x5);
    /// Serial Attached SCSI.
    pub const SAS: Self = Self(0x6);
    /// Automation/Drive Interface.
    pub const ADT: Self = Self(0x7);
    /// AT Attachment.
    pub const ATA: Self = Self(0x8);
    /// USB Attached SCSI.
    pub const UAS: Self = Self(0x9);
    /// SCSI over PCI Express.
    pub const SOP: Self = Self(0xa);
    /// PCI Express.
    pub const PCIE: Self = Self(0xb);
    /// No specific protocol.
    pub const NONE: Self = Self(0xf);

    /// The short name in use for the transport; none if it is not assigned.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::FCP => Some("FCP"),
            Self::SPI => Some("SPI"),
            Self::SSA => Some("SSA"),
            Self::IEEE_1394 => Some("IEEE 1394"),
            Self::SRP => Some("SRP"),
            Self::ISCSI => Some("iSCSI"),
            Self::SAS => Some("SAS"),
            Self::ADT => Some("ADT"),
            Self::ATA => Some("ATA"),
            Self::UAS => Some("UAS"),
            Self::SOP => Some("SOP"),
            Self::PCIE => Some("PCIe"),
            Self::NONE => Some("none"),
            _ => None,
        }
    }
}

/// Why bytes or a name do not make a TransportID.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidTransportId {
    /// Not the size that the protocol fixes.
    #[error("a TransportID of this protocol takes {MINIMUM_LENGTH} bytes, {given} given")]
    Size {
        /// Bytes given.
        given: usize,
    },
    /// An iSCSI TransportID whose length field does not agree with its bytes.
    #[error("the iSCSI TransportID claims {claimed} bytes, {given} given")]
    Length {
        /// Bytes of the TransportID according to its ADDITIONAL LENGTH.
        claimed: usize,
        /// Bytes given.
        given: usize,
    },
    /// An iSCSI TransportID of a size that SPC-5 7.6.4 rules out.
    #[error(
        "an iSCSI TransportID takes at least {MINIMUM_LENGTH} bytes in multiples of 4, not {given}"
    )]
    Alignment {
        /// Bytes given.
        given: usize,
    },
    /// A name that needs too large an ADDITIONAL LENGTH.
    #[error("iSCSI name too long, alen={additional_length}")]
    NameLength {
        /// What the field would have to hold.
        additional_length: usize,
    },
    /// A name that the NUL in it would end early.
    #[error("iSCSI name holds a NUL byte")]
    NulInName,
}

/// What a TransportID says, where its protocol and format are understood
/// (SPC-5 7.6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Initiator<'a> {
    /// Fibre Channel.
    Fcp {
        /// N_PORT NAME, a world wide name.
        n_port_name: u64,
    },
    /// Parallel SCSI.
    Spi {
        /// SCSI ADDRESS of the initiator.
        scsi_address: u16,
        /// RELATIVE TARGET PORT IDENTIFIER, of the target port it talks to.
        relative_port: u16,
    },
    /// IEEE 1394.
    Sbp {
        /// EUI-64 NAME.
        eui64: u64,
    },
    /// RDMA.
    Srp {
        /// INITIATOR PORT IDENTIFIER.
        initiator_port: [u8; 16],
    },
    /// iSCSI, format 0: an initiator, whichever of its ports.
    Iscsi {
        /// The iSCSI name, up to its NUL.
        name: &'a [u8],
    },
    /// iSCSI, format 1: one port of an initiator.
    IscsiPort {
        /// The iSCSI name, `,i,0x` and the ISID in hex, up to the NUL.
        name: &'a [u8],
    },
    /// SAS.
    Sas {
        /// SAS ADDRESS.
        address: u64,
    },
    /// SCSI over PCIe.
    Sop {
        /// ROUTING ID, bus, device and function.
        routing_id: u16,
    },
    /// A host of an NVM subsystem.
    NvmeHost {
        /// Its host identifier, 8 or 16 bytes.
        identifier: &'a [u8],
    },
    /// Another protocol or format, or the field did not come whole.
    Other,
}

/// One TransportID, or the part of a response that should hold one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportId(Vec<u8>);

impl TransportId {
    /// Takes the bytes of exactly one TransportID.
    ///
    /// # Errors
    ///
    /// Not 24 bytes; for iSCSI, not as many as its length field says, fewer
    /// than 24, or not a multiple of 4 (SPC-5 7.6.4).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidTransportId> {
        let given = bytes.len();
        let id = Self(bytes.to_vec());
        match id.claimed_length() {
            Some(claimed) if claimed != given => {
                return Err(InvalidTransportId::Length { claimed, given });
            }
            Some(_) if given < MINIMUM_LENGTH || !given.is_multiple_of(4) => {
                return Err(InvalidTransportId::Alignment { given });
            }
            None if given != MINIMUM_LENGTH => return Err(InvalidTransportId::Size { given }),
            _ => {}
        }
        Ok(id)
    }

    /// Completes bytes that a user typed: to 24 with zeros; for iSCSI to the
    /// length that its length field names, if that is more.
    ///
    /// A length field that names fewer bytes than 24, or an odd number, goes
    /// out as it was typed: it is the device server's to refuse.
    ///
    /// # Errors
    ///
    /// More than 24 bytes; for iSCSI, a length field that reaches beyond the
    /// bytes given (or 24).
    pub fn from_typed(bytes: &[u8]) -> Result<Self, InvalidTransportId> {
        let given = bytes.len();
        let mut padded = bytes.to_vec();
        padded.resize(given.max(MINIMUM_LENGTH), 0);
        let mut id = Self(padded);
        match id.claimed_length() {
            Some(claimed) if claimed > id.0.len() => {
                return Err(InvalidTransportId::Length { claimed, given });
            }
            Some(claimed) => id.0.truncate(claimed.max(MINIMUM_LENGTH)),
            None if given > MINIMUM_LENGTH => return Err(InvalidTransportId::Size { given }),
            None => {}
        }
        Ok(id)
    }

    /// Keeps what came in the frame of a full status descriptor, as it came.
    #[must_use]
    pub fn received(frame: &[u8]) -> Self {
        Self(frame.to_vec())
    }

    /// A Fibre Channel port, by its world wide name.
    #[must_use]
    pub fn fcp(n_port_name: u64) -> Self {
        Self::with(ProtocolIdentifier::FCP, 8, &n_port_name.to_be_bytes())
    }

    /// A parallel SCSI initiator, by its address and the target's port.
    #[must_use]
    pub fn spi(scsi_address: u16, relative_port: u16) -> Self {
        let [a, b] = scsi_address.to_be_bytes();
        let [c, d] = relative_port.to_be_bytes();
        Self::with(ProtocolIdentifier::SPI, 2, &[a, b, 0, 0, c, d])
    }

    /// An IEEE 1394 node, by its EUI-64.
    #[must_use]
    pub fn sbp(eui64: u64) -> Self {
        Self::with(ProtocolIdentifier::IEEE_1394, 8, &eui64.to_be_bytes())
    }

    /// An RDMA initiator port, by its identifier.
    #[must_use]
    pub fn srp(initiator_port: [u8; 16]) -> Self {
        Self::with(ProtocolIdentifier::SRP, 8, &initiator_port)
    }

    /// A SAS port, by its address.
    #[must_use]
    pub fn sas(address: u64) -> Self {
        Self::with(ProtocolIdentifier::SAS, 4, &address.to_be_bytes())
    }

    /// A SCSI over PCIe port, by its routing identifier.
    #[must_use]
    pub fn sop(routing_id: u16) -> Self {
        Self::with(ProtocolIdentifier::SOP, 2, &routing_id.to_be_bytes())
    }

    /// The host of an NVMe registration, by its identifier of 8 or 16 bytes; `None` for one of
    /// another length.
    ///
    /// SPC-5 has no TransportID for it. This one has the protocol of PCI Express, for which there
    /// is none either, a format code that no standard assigns, and a tag: byte 0 is CBh, bytes 2
    /// to 5 are `NVMe`, byte 7 is the length of the identifier, which stands from byte 8 on.
    #[must_use]
    pub fn nvme_host(identifier: &[u8]) -> Option<Self> {
        let length = match identifier.len() {
            8 => 8,
            16 => 16,
            _ => return None,
        };
        let field = [&[0, length][..], identifier].concat();
        let mut id = Self::with(ProtocolIdentifier::PCIE, 6, &field);
        id.0[0] |= NVME_FORMAT << 6;
        id.0[2..6].copy_from_slice(NVME_TAG);
        Some(id)
    }

    /// An iSCSI initiator by its name, or one of its ports if the name
    /// holds `,i,0x` before an ISID.
    ///
    /// # Errors
    ///
    /// A name of more than 243 bytes, or with a NUL in it.
    pub fn iscsi(name: &[u8]) -> Result<Self, InvalidTransportId> {
        if name.contains(&0) {
            return Err(InvalidTransportId::NulInName);
        }
        // The name ends with at least one NUL and takes at least 20 bytes.
        let additional_length = (name.len() + 1).next_multiple_of(4).max(20);
        let Some(field) = u16::try_from(additional_length)
            .ok()
            .filter(|&length| usize::from(length) <= MAXIMUM_NAME_FIELD)
        else {
            return Err(InvalidTransportId::NameLength { additional_length });
        };
        let names_a_port = name
            .windows(ISID_SEPARATOR.len())
            .any(|part| part == ISID_SEPARATOR);
        let format = u8::from(names_a_port);
        let mut bytes = vec![format << 6 | ProtocolIdentifier::ISCSI.0, 0];
        bytes.extend_from_slice(&field.to_be_bytes());
        bytes.extend_from_slice(name);
        bytes.resize(4 + additional_length, 0);
        Ok(Self(bytes))
    }

    /// 24 bytes, zero but for the protocol and `field` at its offset.
    fn with(protocol: ProtocolIdentifier, offset: usize, field: &[u8]) -> Self {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(field);
        bytes.resize(MINIMUM_LENGTH, 0);
        bytes[0] = protocol.0;
        Self(bytes)
    }

    /// The bytes, as they go into a parameter list or came out of a response.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The transport; [`ProtocolIdentifier::NONE`] if not one byte came.
    #[must_use]
    pub fn protocol(&self) -> ProtocolIdentifier {
        self.0.first().map_or(ProtocolIdentifier::NONE, |byte| {
            ProtocolIdentifier(byte & 0x0f)
        })
    }

    /// The variant of the protocol's TransportID, 0 to 3.
    #[doc(alias = "TPID FORMAT")]
    #[doc(alias = "FORMAT CODE")]
    #[must_use]
    pub fn format(&self) -> u8 {
        self.0.first().map_or(0, |byte| byte >> 6)
    }

    /// What the TransportID says.
    ///
    /// Protocols that know one format are read by it whatever the format
    /// field holds; [`TransportId::format`] tells. A SOP or iSCSI format that
    /// is not assigned is [`Initiator::Other`], and so are bytes that are not a whole TransportID.
    #[must_use]
    pub fn initiator(&self) -> Initiator<'_> {
        if !self.is_whole() {
            return Initiator::Other;
        }
        let number = |offset| self.field(offset).map(u64::from_be_bytes);
        let short = |offset| self.field(offset).map(u16::from_be_bytes);
        let meaning = match (self.protocol(), self.format()) {
            (ProtocolIdentifier::FCP, _) => {
                number(8).map(|n_port_name| Initiator::Fcp { n_port_name })
            }
            (ProtocolIdentifier::SPI, _) => {
                short(2)
                    .zip(short(6))
                    .map(|(scsi_address, relative_port)| Initiator::Spi {
                        scsi_address,
                        relative_port,
                    })
            }
            (ProtocolIdentifier::IEEE_1394, _) => number(8).map(|eui64| Initiator::Sbp { eui64 }),
            (ProtocolIdentifier::SRP, _) => self
                .field(8)
                .map(|initiator_port| Initiator::Srp { initiator_port }),
            (ProtocolIdentifier::ISCSI, 0) => {
                self.iscsi_name().map(|name| Initiator::Iscsi { name })
            }
            (ProtocolIdentifier::ISCSI, 1) => {
                self.iscsi_name().map(|name| Initiator::IscsiPort { name })
            }
            (ProtocolIdentifier::SAS, _) => number(4).map(|address| Initiator::Sas { address }),
            (ProtocolIdentifier::SOP, 0) => {
                short(2).map(|routing_id| Initiator::Sop { routing_id })
            }
            (ProtocolIdentifier::PCIE, NVME_FORMAT) => self
                .nvme_identifier()
                .map(|identifier| Initiator::NvmeHost { identifier }),
            _ => None,
        };
        meaning.unwrap_or(Initiator::Other)
    }

    /// Whether this and `other` name the same initiator port.
    ///
    /// What identifies the port is compared (SPC-5 7.6.4), not reserved bytes and padding. iSCSI
    /// names are compared without regard to case (RFC 7143 4.2.7), ISIDs as numbers. Where one of
    /// the two has no ISID (format 0), it means all ports of the initiator, and the name decides.
    /// A TransportID that is not understood is nobody's.
    #[must_use]
    pub fn is_same_port(&self, other: &Self) -> bool {
        let (one, another) = (self.initiator(), other.initiator());
        if self.protocol() == ProtocolIdentifier::ISCSI {
            return match (iscsi_port(one), iscsi_port(another)) {
                (Some((name, isid)), Some((other_name, other_isid))) => {
                    name.eq_ignore_ascii_case(other_name)
                        && (isid.is_none() || other_isid.is_none() || isid == other_isid)
                }
                _ => false,
            };
        }
        one == another && one != Initiator::Other
    }

    /// Whether one whole TransportID stands at the start of the bytes.
    ///
    /// It takes 24 bytes, or for iSCSI its length field and as many bytes as that says: more may
    /// follow. Device servers do send short iSCSI names without the padding to 24 that the standard
    /// asks for; such a one ends where the bytes do.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let received = self.0.len();
        match self.claimed_length() {
            Some(claimed) if received < MINIMUM_LENGTH => claimed == received,
            Some(claimed) => claimed <= received,
            None => received >= MINIMUM_LENGTH,
        }
    }

    /// A text that `--transport-id` takes back: the symbolic form where there
    /// is one that says all the bytes do, else the bytes in hex.
    ///
    /// Only the first TransportID counts if more bytes came. The padding of
    /// an iSCSI name may differ when the text is read back. No bytes, no text.
    #[must_use]
    pub fn to_argument(&self) -> String {
        self.to_symbolic()
            .unwrap_or_else(|| hex_list(self.own_bytes()))
    }

    fn to_symbolic(&self) -> Option<String> {
        let (text, same) = match self.initiator() {
            Initiator::Fcp { n_port_name } => {
                (format!("fcp,{n_port_name:016x}"), Self::fcp(n_port_name))
            }
            Initiator::Spi {
                scsi_address,
                relative_port,
            } => (
                format!("spi,{scsi_address},{relative_port}"),
                Self::spi(scsi_address, relative_port),
            ),
            Initiator::Sbp { eui64 } => (format!("sbp,{eui64:016x}"), Self::sbp(eui64)),
            Initiator::Srp { initiator_port } => (
                format!("srp,{:032x}", u128::from_be_bytes(initiator_port)),
                Self::srp(initiator_port),
            ),
            Initiator::Sas { address } => (format!("sas,{address:016x}"), Self::sas(address)),
            Initiator::Sop { routing_id } => {
                (format!("sop,{routing_id:04x}"), Self::sop(routing_id))
            }
            Initiator::Iscsi { name } | Initiator::IscsiPort { name } => {
                // Blanks end a typed name, other characters do not survive a terminal.
                let typeable = is_iscsi_name(name) && name.iter().all(u8::is_ascii_graphic);
                let text = String::from_utf8(name.to_vec()).ok()?;
                (typeable.then_some(text)?, Self::iscsi(name).ok()?)
            }
            // A name from another world: nothing takes it but as bytes.
            Initiator::NvmeHost { .. } | Initiator::Other => return None,
        };
        (self.content() == same.content()).then_some(text)
    }

    /// What tells this TransportID from others: its bytes, for iSCSI without
    /// the padding and the length that counts it.
    fn content(&self) -> (&[u8], &[u8]) {
        let bytes = self.own_bytes();
        if self.protocol() != ProtocolIdentifier::ISCSI {
            return (bytes, &[]);
        }
        let (fixed, name) = bytes.split_at(bytes.len().min(4));
        let end = name
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        (&fixed[..fixed.len().min(2)], &name[..end])
    }

    /// The bytes of the first TransportID, as far as they came.
    fn own_bytes(&self) -> &[u8] {
        let length = self
            .claimed_length()
            .map_or(MINIMUM_LENGTH, |claimed| claimed.max(MINIMUM_LENGTH));
        &self.0[..length.min(self.0.len())]
    }

    /// What the length field of an iSCSI TransportID makes of its length. One
    /// too short to hold the field counts as claiming the field itself.
    fn claimed_length(&self) -> Option<usize> {
        (self.protocol() == ProtocolIdentifier::ISCSI).then(|| {
            self.field(2)
                .map_or(4, |field| 4 + usize::from(u16::from_be_bytes(field)))
        })
    }

    /// The host identifier of [`TransportId::nvme_host`], if that is what the bytes are.
    fn nvme_identifier(&self) -> Option<&[u8]> {
        let length = match self.field(6)? {
            [0, length @ (8 | 16)] => usize::from(length),
            _ => return None,
        };
        let (identifier, rest) = self.0.get(8..MINIMUM_LENGTH)?.split_at(length);
        let is_one = self.field(0) == Some([NVME_FORMAT << 6 | ProtocolIdentifier::PCIE.0, 0])
            && self.field(2) == Some(*NVME_TAG)
            && self.0.len() == MINIMUM_LENGTH
            && rest.iter().all(|&byte| byte == 0);
        is_one.then_some(identifier)
    }

    /// The first of the TransportIDs at the start of `bytes`, and what follows it; `None` where
    /// none is whole.
    pub(super) fn take(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let length = match bytes {
            [first, _, high, low, ..] if first & 0x0f == ProtocolIdentifier::ISCSI.0 => {
                4 + usize::from(u16::from_be_bytes([*high, *low]))
            }
            _ => MINIMUM_LENGTH,
        };
        let (own, rest) = bytes.split_at_checked(length)?;
        Some((Self(own.to_vec()), rest))
    }

    /// ISCSI NAME: ended by its length field, its first NUL or the last byte
    /// at hand.
    fn iscsi_name(&self) -> Option<&[u8]> {
        let length = usize::from(u16::from_be_bytes(self.field(2)?));
        let name = self.0.get(4..)?;
        let name = &name[..length.min(name.len())];
        name.split(|&byte| byte == 0).next()
    }

    fn field<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..)?.first_chunk().copied()
    }
}

/// Two digits a byte, commas between.
fn hex_list(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (position, byte) in bytes.iter().enumerate() {
        let comma = if position == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{byte:02x}");
    }
    text
}

/// The ISID of a port, as it is to be compared.
#[derive(PartialEq, Eq)]
enum Isid<'a> {
    /// Six bytes.
    Number(u64),
    /// Something else stands in its place.
    Odd(&'a [u8]),
}

/// The name of an iSCSI initiator, and the ISID if it is one port of it; `None` if there is no
/// name, or the initiator is not iSCSI.
fn iscsi_port(initiator: Initiator<'_>) -> Option<(&[u8], Option<Isid<'_>>)> {
    let (Initiator::Iscsi { name } | Initiator::IscsiPort { name }) = initiator else {
        return None;
    };
    let separator = name
        .windows(ISID_SEPARATOR.len())
        .position(|part| part.eq_ignore_ascii_case(ISID_SEPARATOR));
    let (name, isid) = match separator {
        Some(end) => (&name[..end], Some(&name[end + ISID_SEPARATOR.len()..])),
        None => (name, None),
    };
    let isid = isid.map(|isid| hex_number(isid).map_or(Isid::Odd(isid), Isid::Number));
    (!name.is_empty()).then_some((name, isid))
}

/// A number of hex digits and nothing else.
pub(crate) fn hex_number(digits: &[u8]) -> Option<u64> {
    let only_digits = digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| only_digits)?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SAS: [u8; 24] = [
        0x06, 0, 0, 0, 0x50, 0x00, 0xc5, 0x01, 0x05, 0xb3, 0x20, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0,
    ];
    const FCP: [u8; 24] = [
        0x00, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x02, 0x23, 0x04, 0x25, 0x06, 0x27, 0x08, 0, 0, 0, 0, 0,
        0, 0, 0,
    ];
    const SPI: [u8; 24] = [
        0x01, 0, 0x0a, 0x0b, 0, 0, 0x0c, 0x0d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    const SBP: [u8; 24] = [
        0x03, 0, 0, 0, 0, 0, 0, 0, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0, 0, 0, 0, 0,
        0, 0, 0,
    ];
    const SRP: [u8; 24] = [
        0x04, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a,
        0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50,
    ];
    const SOP: [u8; 24] = [
        0x0a, 0, 0x0e, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    const ISCSI: &[u8; 36] = b"\x05\0\0\x20iqn.2005-03.org.open-iscsi:abc\0\0";
    const ISCSI_PORT: &[u8; 52] = b"\x45\0\0\x30iqn.2005-03.org.open-iscsi:abc,i,0x00023d000001\0";

    fn samples() -> Vec<Vec<u8>> {
        [&SAS, &FCP, &SPI, &SBP, &SRP, &SOP]
            .map(|id| id.to_vec())
            .into_iter()
            .chain([ISCSI.to_vec(), ISCSI_PORT.to_vec()])
            .collect()
    }

    #[test]
    fn the_host_of_an_nvme_registration() {
        let long: [u8; 16] = std::array::from_fn(|i| 0xa0 + u8::try_from(i).unwrap());
        let id = TransportId::nvme_host(&long).unwrap();
        assert_eq!(
            hex::encode(id.as_bytes()),
            "cb004e564d650010a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
        );
        assert_eq!(id.protocol(), ProtocolIdentifier::PCIE);
        assert_eq!(id.format(), 3);
        assert_eq!(id.initiator(), Initiator::NvmeHost { identifier: &long });
        assert!(id.is_whole());
        let short = TransportId::nvme_host(&long[..8]).unwrap();
        assert_eq!(
            hex::encode(short.as_bytes()),
            "cb004e564d650008a0a1a2a3a4a5a6a70000000000000000"
        );
        let identifier = &long[..8];
        assert_eq!(short.initiator(), Initiator::NvmeHost { identifier });
        assert_eq!(TransportId::nvme_host(&long[..7]), None);
        assert_eq!(TransportId::nvme_host(&[]), None);
    }

    #[test]
    fn nothing_else_is_the_host_of_an_nvme_registration() {
        for id in [
            TransportId::nvme_host(&[7; 16]).unwrap(),
            TransportId::nvme_host(&[7; 8]).unwrap(),
        ] {
            for offset in 0..MINIMUM_LENGTH {
                let mut bytes = id.as_bytes().to_vec();
                bytes[offset] ^= 0x10;
                let other = TransportId::received(&bytes);
                let identifier = matches!(other.initiator(), Initiator::NvmeHost { .. });
                let is_identifiers = (8..8 + usize::from(id.as_bytes()[7])).contains(&offset);
                // 10h more than 16 is no length, 10h more than 8 neither.
                assert_eq!(identifier, is_identifiers, "{offset}");
            }
            for end in 0..MINIMUM_LENGTH {
                let cut = TransportId::received(&id.as_bytes()[..end]);
                assert_eq!(cut.initiator(), Initiator::Other);
            }
            let long = [id.as_bytes(), &[0]].concat();
            assert_eq!(TransportId::received(&long).initiator(), Initiator::Other);
        }
    }

    #[test]
    fn constructors_give_the_wire_format() {
        assert_eq!(TransportId::sas(0x5000_c501_05b3_2002).as_bytes(), SAS);
        assert_eq!(TransportId::fcp(0x2102_2304_2506_2708).as_bytes(), FCP);
        assert_eq!(TransportId::spi(0x0a0b, 0x0c0d).as_bytes(), SPI);
        assert_eq!(TransportId::sbp(0x3132_3334_3536_3738).as_bytes(), SBP);
        let port = *b"ABCDEFGHIJKLMNOP";
        assert_eq!(TransportId::srp(port).as_bytes(), SRP);
        assert_eq!(TransportId::sop(0x0e0f).as_bytes(), SOP);
        let name = b"iqn.2005-03.org.open-iscsi:abc";
        assert_eq!(TransportId::iscsi(name).unwrap().as_bytes(), ISCSI);
        let port = b"iqn.2005-03.org.open-iscsi:abc,i,0x00023d000001";
        assert_eq!(TransportId::iscsi(port).unwrap().as_bytes(), ISCSI_PORT);
    }

    #[test]
    fn iscsi_names_are_padded() {
        for (name, length) in [(1, 20), (19, 20), (20, 24), (23, 24), (24, 28), (243, 244)] {
            let id = TransportId::iscsi(&vec![b'n'; name]).unwrap();
            let bytes = id.as_bytes();
            assert_eq!(bytes.len(), 4 + length);
            assert_eq!(usize::from(bytes[3]), length);
            assert!(bytes[4..4 + name].iter().all(|&byte| byte == b'n'));
            assert!(bytes[4 + name..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn iscsi_names_that_cannot_be_sent() {
        for (name, additional_length) in [(244, 248), (247, 248), (248, 252), (70_000, 70_004)] {
            assert_eq!(
                TransportId::iscsi(&vec![b'n'; name]),
                Err(InvalidTransportId::NameLength { additional_length })
            );
        }
        assert_eq!(
            TransportId::iscsi(b"iqn.a\0b"),
            Err(InvalidTransportId::NulInName)
        );
    }

    #[test]
    fn only_lower_case_isid_marks_a_port() {
        assert_eq!(TransportId::iscsi(b"iqn.x,i,0x1").unwrap().format(), 1);
        assert_eq!(TransportId::iscsi(b"iqn.x,i,0X1").unwrap().format(), 0);
        assert_eq!(TransportId::iscsi(b"iqn.x,i,").unwrap().format(), 0);
    }

    #[test]
    fn exact_bytes_and_every_prefix() {
        for sample in samples() {
            assert_eq!(TransportId::from_bytes(&sample).unwrap().as_bytes(), sample);
            for end in 0..sample.len() {
                assert!(TransportId::from_bytes(&sample[..end]).is_err());
            }
            let longer = [&sample[..], &[0; 4]].concat();
            assert!(TransportId::from_bytes(&longer).is_err());
        }
    }

    #[test]
    fn exact_iscsi_lengths() {
        let error = |bytes: &[u8]| TransportId::from_bytes(bytes).unwrap_err();
        assert_eq!(
            error(b"\x05\0\0\x10iqn.a\0\0\0\0\0\0\0\0\0\0\0"),
            InvalidTransportId::Alignment { given: 20 }
        );
        assert_eq!(
            error(b"\x05\0\0\x15iqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            InvalidTransportId::Alignment { given: 25 }
        );
        assert_eq!(
            error(b"\x05\0\x01\0iqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            InvalidTransportId::Length {
                claimed: 260,
                given: 24
            }
        );
        assert_eq!(error(&[6; 25]), InvalidTransportId::Size { given: 25 });
    }

    #[test]
    fn typed_bytes_are_completed() {
        for sample in [SAS, FCP, SPI, SBP, SRP, SOP] {
            for end in 1..=sample.len() {
                let mut expected = [0; 24];
                expected[..end].copy_from_slice(&sample[..end]);
                let id = TransportId::from_typed(&sample[..end]).unwrap();
                assert_eq!(id.as_bytes(), expected);
            }
        }
        let iscsi = TransportId::from_typed(ISCSI).unwrap();
        assert_eq!(iscsi.as_bytes(), ISCSI);
    }

    #[test]
    fn typed_iscsi_is_as_long_as_it_says() {
        let typed = |bytes: &[u8]| TransportId::from_typed(bytes).map(|id| id.0);
        assert_eq!(
            typed(b"\x05\0\0\x04ABC\0").unwrap(),
            b"\x05\0\0\x04ABC\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        );
        // 5 bytes given count as 24.
        assert_eq!(
            typed(b"\x05\0\0\x14A").unwrap(),
            b"\x05\0\0\x14A\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        );
        let longer = [ISCSI, &b"more"[..]].concat();
        assert_eq!(typed(&longer).unwrap(), ISCSI);
        let unaligned = b"\x05\0\0\x15ABCDEFGHIJKLMNOPQRST\0";
        assert_eq!(typed(unaligned).unwrap(), unaligned);
    }

    #[test]
    fn typed_iscsi_must_not_claim_more_than_was_given() {
        for (end, given) in [(5, 5), (24, 24), (35, 35)] {
            assert_eq!(
                TransportId::from_typed(&ISCSI[..end]),
                Err(InvalidTransportId::Length { claimed: 36, given })
            );
        }
        assert_eq!(
            TransportId::from_typed(&[0x05, 0, 0xff, 0xff]),
            Err(InvalidTransportId::Length {
                claimed: 65_539,
                given: 4
            })
        );
        assert_eq!(
            TransportId::from_typed(&[0x16; 25]),
            Err(InvalidTransportId::Size { given: 25 })
        );
    }

    #[test]
    fn protocol_and_format() {
        for (byte, protocol, format) in [
            (0x00, ProtocolIdentifier::FCP, 0),
            (0x45, ProtocolIdentifier::ISCSI, 1),
            (0x86, ProtocolIdentifier::SAS, 2),
            (0xff, ProtocolIdentifier::NONE, 3),
            (0x3c, ProtocolIdentifier(0xc), 0),
        ] {
            let id = TransportId::received(&[byte]);
            assert_eq!((id.protocol(), id.format()), (protocol, format));
        }
        let nothing = TransportId::received(&[]);
        assert_eq!(nothing.protocol(), ProtocolIdentifier::NONE);
        assert_eq!(nothing.format(), 0);
    }

    #[test]
    fn protocol_names() {
        let names: Vec<_> = (0..=15).map(|id| ProtocolIdentifier(id).name()).collect();
        let expected = [
            "FCP",
            "SPI",
            "SSA",
            "IEEE 1394",
            "SRP",
            "iSCSI",
            "SAS",
            "ADT",
            "ATA",
            "UAS",
            "SOP",
            "PCIe",
            "",
            "",
            "",
            "none",
        ];
        assert_eq!(
            names,
            expected.map(|name| Some(name).filter(|name| !name.is_empty()))
        );
        assert_eq!(ProtocolIdentifier(0x10).name(), None);
    }

    #[test]
    fn meanings() {
        let n_port_name = 0x2102_2304_2506_2708;
        let eui64 = 0x3132_3334_3536_3738;
        let address = 0x5000_c501_05b3_2002;
        let initiator_port = *b"ABCDEFGHIJKLMNOP";
        let name = &b"iqn.2005-03.org.open-iscsi:abc"[..];
        let port = &b"iqn.2005-03.org.open-iscsi:abc,i,0x00023d000001"[..];
        for (bytes, meaning) in [
            (&FCP[..], Initiator::Fcp { n_port_name }),
            (
                &SPI,
                Initiator::Spi {
                    scsi_address: 0x0a0b,
                    relative_port: 0x0c0d,
                },
            ),
            (&SBP, Initiator::Sbp { eui64 }),
            (&SRP, Initiator::Srp { initiator_port }),
            (&SAS, Initiator::Sas { address }),
            (&SOP, Initiator::Sop { routing_id: 0x0e0f }),
            (ISCSI, Initiator::Iscsi { name }),
            (ISCSI_PORT, Initiator::IscsiPort { name: port }),
        ] {
            assert_eq!(TransportId::received(bytes).initiator(), meaning);
        }
    }

    #[test]
    fn a_part_of_a_transport_id_means_nothing() {
        for sample in samples() {
            for end in 0..sample.len() {
                let id = TransportId::received(&sample[..end]);
                assert_eq!(id.initiator(), Initiator::Other);
            }
        }
    }

    #[test]
    fn iscsi_names_end_at_length_nul_and_bytes() {
        let name = |bytes: &[u8]| match TransportId::received(bytes).initiator() {
            Initiator::Iscsi { name } => name.to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name(b"\x05\0\0\x14iqn.a\0hidden\0\0\0\0\0\0\0\0"), b"iqn.a");
        assert_eq!(name(b"\x05\0\0\x03abc"), b"abc");
        assert_eq!(name(b"\x05\0\0\x03abcdefghijklmnopqrst"), b"abc");
        assert_eq!(name(b"\x05\0\0\0abcdefghijklmnopqrst"), b"");
    }

    #[test]
    fn formats_nobody_assigned() {
        let mut iscsi = *ISCSI;
        let mut sop = SOP;
        for format in [2, 3] {
            iscsi[0] = format << 6 | 0x05;
            assert_eq!(TransportId::received(&iscsi).initiator(), Initiator::Other);
        }
        for format in 1..=3 {
            sop[0] = format << 6 | 0x0a;
            assert_eq!(TransportId::received(&sop).initiator(), Initiator::Other);
        }
        for protocol in [0x02, 0x07, 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f] {
            let id = TransportId::received(&[protocol; 24]);
            assert_eq!(id.initiator(), Initiator::Other);
        }
    }

    #[test]
    fn frames() {
        for sample in samples() {
            assert!(TransportId::received(&sample).is_whole());
            for end in 0..sample.len() {
                assert!(!TransportId::received(&sample[..end]).is_whole());
            }
            let two = [&sample[..], &SAS].concat();
            assert!(TransportId::received(&two).is_whole());
        }
    }

    #[test]
    fn frames_of_iscsi() {
        let fits = |bytes: &[u8]| TransportId::received(bytes).is_whole();
        assert!(fits(b"\x05\0\0\x14iqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        assert!(!fits(b"\x05\0\0\x15iqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        assert!(fits(b"\x05\0\0\x10iqn.a\0\0\0\0\0\0\0\0\0\0\0"));
        assert!(fits(b"\x05\0\0\x08iqn.abc\0"));
        assert!(!fits(b"\x05\0\0\x09iqn.abc\0"));
        assert!(!fits(b"\x05\0\0\x07iqn.abc\0"));
        assert!(!fits(b"\x05\0\0"));
        assert!(!fits(b"\x85\0\xff\xffiqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    }

    #[test]
    fn arguments() {
        let text = |bytes: &[u8]| TransportId::received(bytes).to_argument();
        assert_eq!(text(&SAS), "sas,5000c50105b32002");
        assert_eq!(text(&FCP), "fcp,2102230425062708");
        assert_eq!(text(&SPI), "spi,2571,3085");
        assert_eq!(text(&SBP), "sbp,3132333435363738");
        assert_eq!(text(&SRP), "srp,4142434445464748494a4b4c4d4e4f50");
        assert_eq!(text(&SOP), "sop,0e0f");
        assert_eq!(text(ISCSI), "iqn.2005-03.org.open-iscsi:abc");
        assert_eq!(
            text(ISCSI_PORT),
            "iqn.2005-03.org.open-iscsi:abc,i,0x00023d000001"
        );
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn arguments_leave_nothing_out() {
        let text = |bytes: &[u8]| TransportId::received(bytes).to_argument();
        // Every byte that the symbolic form does not hold makes it hex.
        for offset in [1, 2, 3, 12, 23] {
            let mut sas = SAS;
            sas[offset] = 0x9a;
            let hex: Vec<_> = sas.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(text(&sas), hex.join(","));
        }
        let mut sas = SAS;
        sas[0] = 0x46;
        assert!(text(&sas).starts_with("46,00,"));
        assert!(text(&SAS[..12]).starts_with("06,00,"));
        let mut reserved = *ISCSI;
        reserved[1] = 1;
        assert!(text(&reserved).starts_with("05,01,00,20,69,"));
        for name in [
            b"iqn.a\0b",
            b"iqn.a b",
            b"iqn.\x1b[m",
            b"nothing",
            b"iqn.\xff\xff\xff",
        ] {
            let mut odd = *ISCSI;
            odd[4..].fill(0);
            odd[4..4 + name.len()].copy_from_slice(name);
            assert!(text(&odd).starts_with("05,00,00,20,"), "{name:?}");
        }
        // Format 0 with an ISID would come back as format 1.
        let mut port = *ISCSI_PORT;
        port[0] = 0x05;
        assert!(text(&port).starts_with("05,00,00,30,"));
    }

    #[test]
    fn arguments_ignore_padding_and_what_follows() {
        let text = |bytes: &[u8]| TransportId::received(bytes).to_argument();
        assert_eq!(text(&[SAS, FCP].concat()), "sas,5000c50105b32002");
        let generous = b"\x05\0\0\x20iqn.a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(text(generous), "iqn.a");
        assert_eq!(text(b"\x05\0\0\x08iqn.y\0\0\0"), "iqn.y");
    }

    #[test]
    fn any_bytes_are_read_in_bounds() {
        for first in 0..=255 {
            for length in 0..=52 {
                for fill in [0x00, 0x2c, 0xff] {
                    let mut bytes = vec![fill; length];
                    bytes.iter_mut().take(1).for_each(|byte| *byte = first);
                    let id = TransportId::received(&bytes);
                    assert_eq!(id.as_bytes(), bytes);
                    if id.is_whole() {
                        let iscsi = id.protocol() == ProtocolIdentifier::ISCSI;
                        assert!(length >= if iscsi { 4 } else { 24 });
                        assert_ne!(id.to_argument(), "");
                    }
                    if length < 4 {
                        assert_eq!(id.initiator(), Initiator::Other);
                    }
                }
            }
        }
    }

    #[test]
    fn ports_are_the_same_by_what_identifies_them() {
        let sas = TransportId::received(&SAS);
        let mut reserved = SAS;
        reserved[23] = 1;
        assert!(sas.is_same_port(&TransportId::received(&reserved)));
        let mut another = SAS;
        another[11] = 3;
        assert!(!sas.is_same_port(&TransportId::received(&another)));
        assert!(!sas.is_same_port(&TransportId::received(&FCP)));
        let iscsi = |name: &[u8]| TransportId::iscsi(name).unwrap();
        let port = iscsi(b"iqn.2026-01.lab:a,i,0x00023d000001");
        assert!(port.is_same_port(&iscsi(b"IQN.2026-01.lab:a,i,0x23D000001")));
        assert!(port.is_same_port(&iscsi(b"iqn.2026-01.lab:a")));
        assert!(!port.is_same_port(&iscsi(b"iqn.2026-01.lab:a,i,0x00023d000002")));
        assert!(!port.is_same_port(&iscsi(b"iqn.2026-01.lab:b")));
        let other = TransportId::received(&[0x0f; 24]);
        assert!(!other.is_same_port(&other));
    }
}
