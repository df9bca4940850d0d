//! PERSISTENT RESERVE IN: four service actions and their parameter data (SPC-5 6.16).
//!
//! The parsers take the bytes that came, and nothing else. They either give the whole answer or
//! say in [`Malformed`] why there is none: half a list of keys is not a list of keys.

use std::ops::Range;

use thiserror::Error;

use super::transport_id::{self, TransportId};
use super::{ReservationKey, ReservationType, Scope};
use crate::scsi::bytes::{Reader, Truncated};
use crate::scsi::cdb::Cdb;

/// Bytes of the header that READ KEYS, READ RESERVATION and READ FULL STATUS begin with.
pub(crate) const HEADER_LENGTH: usize = 8;

/// What is asked of the device server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceAction {
    /// The keys of all registrations (SPC-5 6.16.2).
    ReadKeys,
    /// The reservation held, if any (SPC-5 6.16.3).
    ReadReservation,
    /// What the device server supports (SPC-5 6.16.4).
    ReportCapabilities,
    /// Every registration with its nexus (SPC-5 6.16.5).
    ReadFullStatus,
}

impl ServiceAction {
    /// The code in byte 1 of the command.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::ReadKeys => 0,
            Self::ReadReservation => 1,
            Self::ReportCapabilities => 2,
            Self::ReadFullStatus => 3,
        }
    }

    /// The service action with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::ReadKeys,
            1 => Self::ReadReservation,
            2 => Self::ReportCapabilities,
            3 => Self::ReadFullStatus,
            _ => return None,
        })
    }

    /// The service action's name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadKeys => "Read keys",
            Self::ReadReservation => "Read reservation",
            Self::ReportCapabilities => "Report capabilities",
            Self::ReadFullStatus => "Read full status",
        }
    }

    /// The command with room for `allocation_length` bytes of parameter data.
    #[must_use]
    pub const fn cdb(self, allocation_length: u16) -> Cdb {
        let [high, low] = allocation_length.to_be_bytes();
        Cdb::ten([
            Cdb::PERSISTENT_RESERVE_IN,
            self.code(),
            0,
            0,
            0,
            0,
            0,
            high,
            low,
            0,
        ])
    }

    /// Bytes of the whole parameter data by its own word; `None` where the field that tells did not
    /// come.
    #[must_use]
    pub fn claimed(self, data: &[u8]) -> Option<u64> {
        match self {
            Self::ReportCapabilities => Reader::new(data).u16("LENGTH").ok().map(u64::from),
            _ => Header::parse(data).ok().map(|header| header.claimed()),
        }
    }

    /// The bytes of the field that tells how long the parameter data is.
    #[must_use]
    pub(crate) const fn length_field(self) -> Range<usize> {
        match self {
            Self::ReportCapabilities => 0..2,
            _ => 4..HEADER_LENGTH,
        }
    }

    /// Whether parameter data that takes `claimed` bytes by its own word was not cut by the device
    /// server to fit into `room` bytes. Some device servers stop where the next element does not
    /// fit and name the length of what they wrote: the list is whole only where the largest element
    /// would have had its place behind it.
    #[must_use]
    pub(crate) const fn proves_whole(self, claimed: u64, room: u16) -> bool {
        let room = room as u64;
        match self {
            Self::ReportCapabilities => true,
            Self::ReadKeys => claimed + ReadKeys::ELEMENT as u64 <= room,
            // There is one reservation at the most (SPC-5 5.13.7): nothing comes behind it.
            Self::ReadReservation => {
                let one = (HEADER_LENGTH + ReadReservation::ELEMENT as usize) as u64;
                let whole = if claimed < one { one } else { claimed };
                whole <= room
            }
            Self::ReadFullStatus => claimed + FullStatusDescriptor::LARGEST <= room,
        }
    }

    /// Reads the parameter data that came in answer to this service action.
    ///
    /// # Errors
    /// [`Malformed`] when it is not a whole, well-formed answer.
    pub fn parse(self, data: &[u8]) -> Result<ParameterData, Malformed> {
        Ok(match self {
            Self::ReadKeys => ParameterData::Keys(ReadKeys::parse(data)?),
            Self::ReadReservation => ParameterData::Reservation(ReadReservation::parse(data)?),
            Self::ReportCapabilities => ParameterData::Capabilities(Capabilities::parse(data)?),
            Self::ReadFullStatus => ParameterData::FullStatus(ReadFullStatus::parse(data)?),
        })
    }
}

/// An answer to one of the service actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterData {
    /// To READ KEYS.
    Keys(ReadKeys),
    /// To READ RESERVATION.
    Reservation(ReadReservation),
    /// To REPORT CAPABILITIES.
    Capabilities(Capabilities),
    /// To READ FULL STATUS.
    FullStatus(ReadFullStatus),
}

/// Why parameter data is not an answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It ends inside its fixed part.
    #[error("the response is too short: {0}")]
    Short(#[from] Truncated),
    /// There is more of it than came.
    #[error("the response takes {needed} bytes, only {received} came")]
    Cut {
        /// Bytes that the device server has, by its own word.
        needed: u64,
        /// Bytes that came.
        received: usize,
    },
    /// The list does not hold a whole number of its elements.
    #[error(
        "ADDITIONAL LENGTH {additional_length} is no multiple of the {element} bytes of an element"
    )]
    PartialElement {
        /// Bytes of list.
        additional_length: u32,
        /// Bytes of one element.
        element: u32,
    },
    /// A full status descriptor does not end inside the list.
    #[error("descriptor {number} at byte {offset} does not fit the list: {overrun}")]
    Descriptor {
        /// Which one, counted from 1.
        number: usize,
        /// Its first byte, counted from the start of the parameter data.
        offset: usize,
        /// What does not fit.
        overrun: Truncated,
    },
    /// The answer ends so near the end of the room for it that the device server may have cut it.
    #[error(
        "the response takes {claimed} of {room} bytes of room, so the device may have left out what \
         did not fit"
    )]
    Unproven {
        /// Bytes that it takes, by its own word.
        claimed: u64,
        /// Bytes of room.
        room: u16,
    },
    /// The status tells of success, and nobody wrote into the buffer, or not as far as the answer
    /// goes by its own word.
    #[error("the device reported success but did not transfer the response")]
    Unwritten,
    /// More than one reservation, which SPC-5 rules out (5.13.7).
    #[error("the response lists {0} reservations, a logical unit has one at most")]
    SeveralReservations(usize),
    /// Sense data came and nothing but zeros with it: no list, or no data at all, nobody can tell.
    #[error("sense data came, and {0} zero bytes that need not be an answer")]
    ZerosBesideSense(usize),
    /// What the parameter data would be made of contradicts itself, in these words.
    #[error("{0}")]
    Contradictory(String),
    /// REPORT CAPABILITIES names a length that its fields do not fit in.
    #[error("LENGTH is {length}, the capabilities alone take 8 bytes")]
    CapabilitiesLength {
        /// The LENGTH field, in bytes.
        length: u16,
    },
}

impl Malformed {
    /// The allocation length, in bytes, with which the whole response would come; `None` when it
    /// is malformed in another way.
    #[must_use]
    pub fn needed(&self) -> Option<u64> {
        match self {
            Self::Cut { needed, .. } => Some(*needed),
            _ => None,
        }
    }
}

/// Whether `data` that came along with sense data can be an answer. Kernels and targets report the
/// residual of a CHECK CONDITION as they like; a buffer that nobody wrote to must not count.
///
/// # Errors
/// [`Malformed::ZerosBesideSense`] when it holds nothing but zeros.
pub(crate) fn beside_sense(data: &[u8]) -> Result<(), Malformed> {
    match data.iter().any(|&byte| byte != 0) {
        true => Ok(()),
        false => Err(Malformed::ZerosBesideSense(data.len())),
    }
}

/// Bytes of room for an answer, before it is known how long it is; but see
/// [`AMPLE_ALLOCATION_LENGTH`].
pub const DEFAULT_ALLOCATION_LENGTH: u16 = 8192;

/// Bytes of room for a long answer: the largest multiple of 512 that fits the field.
///
/// READ FULL STATUS starts with it. Linux's target (6.1 to 7.3 at the least) writes up to 32 bytes
/// behind a buffer that is too small for all descriptors, and takes the machine down where that is
/// the end of a page: it is never asked for a list that may not fit. Behind these bytes there is
/// room in the same page. The kernel lets the device write straight into a buffer of this length; one
/// of 65,535 bytes is a copy, filled with zeros, in which it does not show that nothing was written.
pub const AMPLE_ALLOCATION_LENGTH: u16 = 65_024;

/// The header that three of the service actions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Counts the changes to the registrations.
    #[doc(alias = "PRGENERATION")]
    pub generation: u32,
    /// Bytes of list that follow.
    pub additional_length: u32,
}

impl Header {
    /// Reads the first eight bytes of `data`.
    ///
    /// # Errors
    /// [`Truncated`] when fewer came.
    pub fn parse(data: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(data);
        Ok(Self {
            generation: reader.u32("PRGENERATION")?,
            additional_length: reader.u32("ADDITIONAL LENGTH")?,
        })
    }

    /// Bytes of the whole parameter data.
    #[must_use]
    pub const fn claimed(self) -> u64 {
        HEADER_LENGTH as u64 + self.additional_length as u64
    }

    /// The header of a list of `length` bytes.
    fn emit(generation: u32, length: usize) -> Vec<u8> {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        [generation.to_be_bytes(), length.to_be_bytes()].concat()
    }
}

/// The header and the whole list after it, which must hold elements of `element` bytes.
fn list(data: &[u8], element: u32) -> Result<(Header, &[u8]), Malformed> {
    let header = Header::parse(data)?;
    let additional_length = header.additional_length;
    let list = usize::try_from(additional_length)
        .ok()
        .and_then(|length| data.get(HEADER_LENGTH..HEADER_LENGTH.checked_add(length)?))
        .ok_or_else(|| Malformed::Cut {
            needed: header.claimed(),
            received: data.len(),
        })?;
    if additional_length % element != 0 {
        return Err(Malformed::PartialElement {
            additional_length,
            element,
        });
    }
    Ok((header, list))
}

/// The parameter data of READ KEYS (SPC-5 6.16.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadKeys {
    /// Counts the changes to the registrations.
    #[doc(alias = "PRGENERATION")]
    pub generation: u32,
    /// One key for each registration, in the device server's order.
    pub keys: Vec<ReservationKey>,
}

impl ReadKeys {
    /// Bytes of a key.
    const ELEMENT: u32 = 8;

    /// Reads the whole of `data`.
    ///
    /// # Errors
    /// [`Malformed`] when the list is cut or does not hold whole keys.
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        let (header, list) = list(data, Self::ELEMENT)?;
        let mut reader = Reader::new(list);
        let keys = std::iter::from_fn(|| reader.u64("RESERVATION KEY").ok());
        Ok(Self {
            generation: header.generation,
            keys: keys.map(ReservationKey).collect(),
        })
    }

    /// The bytes that [`ReadKeys::parse`] reads.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut data = Header::emit(self.generation, self.keys.len() * 8);
        data.extend(self.keys.iter().flat_map(|key| key.0.to_be_bytes()));
        data
    }
}

/// A reservation: who holds it, on what, in which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The holder's key; 0 for the two types that all registrants hold.
    pub reservation_key: ReservationKey,
    /// What is reserved.
    pub scope: Scope,
    /// Who may do what.
    #[doc(alias = "TYPE")]
    pub reservation_type: ReservationType,
}

impl Reservation {
    /// Reads a reservation descriptor.
    fn parse(descriptor: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(descriptor);
        let reservation_key = ReservationKey(reader.u64("RESERVATION KEY")?);
        reader.bytes("obsolete scope-specific address", 4)?;
        reader.u8("reserved")?;
        let scope_type = reader.u8("SCOPE and TYPE")?;
        Ok(Self {
            reservation_key,
            scope: Scope::from_high_bits(scope_type),
            reservation_type: ReservationType::from_low_bits(scope_type),
        })
    }
}

/// The parameter data of READ RESERVATION (SPC-5 6.16.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReservation {
    /// Counts the changes to the registrations.
    #[doc(alias = "PRGENERATION")]
    pub generation: u32,
    /// The reservation held, if any.
    pub reservation: Option<Reservation>,
}

impl ReadReservation {
    /// Bytes of a reservation descriptor.
    const ELEMENT: u32 = 16;

    /// Reads the whole of `data`.
    ///
    /// # Errors
    /// [`Malformed`] when the list is cut, does not hold whole descriptors of 16 bytes, or holds more
    /// than one: one of several must not pass for all.
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        let (header, list) = list(data, Self::ELEMENT)?;
        let count = list.len() / Self::ELEMENT as usize;
        if count > 1 {
            return Err(Malformed::SeveralReservations(count));
        }
        let reservation = match list {
            [] => None,
            descriptor => Some(Reservation::parse(descriptor)?),
        };
        Ok(Self {
            generation: header.generation,
            reservation,
        })
    }

    /// The bytes that [`ReadReservation::parse`] reads.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let length = self.reservation.map_or(0, |_| Self::ELEMENT as usize);
        let mut data = Header::emit(self.generation, length);
        if let Some(reservation) = self.reservation {
            data.extend(reservation.reservation_key.0.to_be_bytes());
            data.extend([0; 5]);
            data.push(reservation.scope.code() << 4 | reservation.reservation_type.code());
            data.extend([0; 2]);
        }
        data
    }
}

/// The parameter data of REPORT CAPABILITIES (SPC-5 6.16.4), all eight bytes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// REPLACE LOST RESERVATION is supported.
    #[doc(alias = "RLR_C")]
    pub replace_lost_reservation_capable: bool,
    /// RESERVE and RELEASE get along with persistent reservations.
    #[doc(alias = "CRH")]
    pub compatible_reservation_handling: bool,
    /// TransportIDs may be sent along with REGISTER.
    #[doc(alias = "SIP_C")]
    pub specify_initiator_ports_capable: bool,
    /// A registration may hold for all target ports.
    #[doc(alias = "ATP_C")]
    pub all_target_ports_capable: bool,
    /// Registrations may persist through a power loss.
    #[doc(alias = "PTPL_C")]
    pub persist_through_power_loss_capable: bool,
    /// Which types are supported, where the device server says so.
    pub type_mask: Option<TypeMask>,
    /// Which commands are allowed in spite of a reservation; 0 to 7, a table of the standard.
    pub allow_commands: u8,
    /// Registrations persist through a power loss now.
    #[doc(alias = "PTPL_A")]
    pub persist_through_power_loss_active: bool,
}

/// The supported types of REPORT CAPABILITIES.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeMask {
    /// Byte 4, then byte 5.
    bits: [u8; 2],
}

impl TypeMask {
    /// The six types, in the order in which the mask lists them from its highest bit.
    pub const TYPES: [ReservationType; 6] = [
        ReservationType::WRITE_EXCLUSIVE_ALL_REGISTRANTS,
        ReservationType::EXCLUSIVE_ACCESS_REGISTRANTS_ONLY,
        ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
        ReservationType::EXCLUSIVE_ACCESS,
        ReservationType::WRITE_EXCLUSIVE,
        ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS,
    ];

    /// The byte and the bit of a type; `None` for a type that has none.
    const fn position(reservation_type: ReservationType) -> Option<(usize, u8)> {
        Some(match reservation_type {
            ReservationType::WRITE_EXCLUSIVE_ALL_REGISTRANTS => (0, 7),
            ReservationType::EXCLUSIVE_ACCESS_REGISTRANTS_ONLY => (0, 6),
            ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY => (0, 5),
            ReservationType::EXCLUSIVE_ACCESS => (0, 3),
            ReservationType::WRITE_EXCLUSIVE => (0, 1),
            ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS => (1, 0),
            _ => return None,
        })
    }

    /// Whether `reservation_type` is supported; `false` for a type that has no bit.
    #[must_use]
    pub const fn supports(self, reservation_type: ReservationType) -> bool {
        match Self::position(reservation_type) {
            Some((byte, bit)) => self.bits[byte] >> bit & 1 == 1,
            None => false,
        }
    }
}

impl FromIterator<ReservationType> for TypeMask {
    /// The mask in which these types are supported.
    fn from_iter<I: IntoIterator<Item = ReservationType>>(types: I) -> Self {
        let mut mask = Self::default();
        for (byte, bit) in types.into_iter().filter_map(Self::position) {
            mask.bits[byte] |= 1 << bit;
        }
        mask
    }
}

impl Capabilities {
    /// Bytes of the parameter data.
    pub const LENGTH: u16 = 8;

    /// Reads the whole of `data`. More than eight bytes are allowed: a later standard may add fields.
    ///
    /// # Errors
    /// [`Malformed`] when LENGTH is less than eight, or that many bytes did not come.
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let length = reader.u16("LENGTH")?;
        if length < Self::LENGTH {
            return Err(Malformed::CapabilitiesLength { length });
        }
        let [b2, b3, b4, b5] = reader.u32("capabilities and type mask")?.to_be_bytes();
        reader.u16("reserved")?;
        if data.len() < usize::from(length) {
            return Err(Malformed::Cut {
                needed: length.into(),
                received: data.len(),
            });
        }
        let bit = |byte: u8, bit: u8| byte >> bit & 1 == 1;
        Ok(Self {
            replace_lost_reservation_capable: bit(b2, 7),
            compatible_reservation_handling: bit(b2, 4),
            specify_initiator_ports_capable: bit(b2, 3),
            all_target_ports_capable: bit(b2, 2),
            persist_through_power_loss_capable: bit(b2, 0),
            type_mask: bit(b3, 7).then_some(TypeMask { bits: [b4, b5] }),
            allow_commands: b3 >> 4 & 7,
            persist_through_power_loss_active: bit(b3, 0),
        })
    }

    /// The bytes that [`Capabilities::parse`] reads.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let bit = |set: bool, bit: u8| u8::from(set) << bit;
        let [b4, b5] = self.type_mask.unwrap_or_default().bits;
        let [high, low] = Self::LENGTH.to_be_bytes();
        vec![
            high,
            low,
            bit(self.replace_lost_reservation_capable, 7)
                | bit(self.compatible_reservation_handling, 4)
                | bit(self.specify_initiator_ports_capable, 3)
                | bit(self.all_target_ports_capable, 2)
                | bit(self.persist_through_power_loss_capable, 0),
            bit(self.type_mask.is_some(), 7)
                | (self.allow_commands & 7) << 4
                | bit(self.persist_through_power_loss_active, 0),
            b4,
            b5,
            0,
            0,
        ]
    }
}

/// One registration, as READ FULL STATUS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullStatusDescriptor {
    /// The key of this registration.
    pub reservation_key: ReservationKey,
    /// The target port of the nexus, or all of them.
    pub target_ports: TargetPorts,
    /// The reservation that this nexus holds.
    #[doc(alias = "R_HOLDER")]
    pub held: Option<(Scope, ReservationType)>,
    /// The initiator port of the nexus; some device servers leave it out, some name it in another
    /// form ([`TransportId::is_whole`] tells).
    pub transport_id: Option<TransportId>,
}

/// The target ports through which a registration holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetPorts {
    /// Every port of the target.
    #[doc(alias = "ALL_TG_PT")]
    All,
    /// The one with this number.
    #[doc(alias = "RELATIVE TARGET PORT IDENTIFIER")]
    Relative(u16),
}

/// The parameter data of READ FULL STATUS (SPC-5 6.16.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFullStatus {
    /// Counts the changes to the registrations.
    #[doc(alias = "PRGENERATION")]
    pub generation: u32,
    /// One descriptor for each registration.
    pub descriptors: Vec<FullStatusDescriptor>,
}

impl ReadFullStatus {
    /// Reads the whole of `data`.
    ///
    /// # Errors
    /// [`Malformed`] when the list is cut, or a descriptor does not end within it.
    pub fn parse(data: &[u8]) -> Result<Self, Malformed> {
        let (header, list) = list(data, 1)?;
        let whole = data.get(..HEADER_LENGTH + list.len());
        let mut reader = Reader::new(whole.unwrap_or_default());
        reader.bytes("header", HEADER_LENGTH)?;
        let mut descriptors = Vec::new();
        while !reader.rest().is_empty() {
            let offset = reader.offset();
            let descriptor = FullStatusDescriptor::take(&mut reader).map_err(|overrun| {
                Malformed::Descriptor {
                    number: descriptors.len() + 1,
                    offset,
                    overrun,
                }
            })?;
            descriptors.push(descriptor);
        }
        Ok(Self {
            generation: header.generation,
            descriptors,
        })
    }

    /// Whether these are the registrations that `keys` lists. A descriptor with ALL_TG_PT stands for
    /// one of them or, on some device servers, for one through each target port.
    #[must_use]
    pub fn lists(&self, keys: &ReadKeys) -> bool {
        let mut listed: Vec<ReservationKey> = keys.keys.clone();
        listed.sort_unstable();
        let mut described: Vec<(ReservationKey, TargetPorts)> = self
            .descriptors
            .iter()
            .map(|descriptor| (descriptor.reservation_key, descriptor.target_ports))
            .collect();
        described.sort_unstable_by_key(|&(key, _)| key);
        let mut listed = listed.chunk_by(|a, b| a == b);
        let alike = described.chunk_by(|(a, _), (b, _)| a == b).all(|same| {
            let all = same.iter().any(|&(_, ports)| ports == TargetPorts::All);
            listed.next().is_some_and(|keys| {
                keys.first() == same.first().map(|(key, _)| key)
                    && (keys.len() == same.len() || all && keys.len() > same.len())
            })
        });
        alike && listed.next().is_none()
    }

    /// Scope and type of a reservation that a registration is marked as holding, and that `read` does
    /// not tell of. That none is marked contradicts nothing: the holder need not be listed.
    #[must_use]
    pub fn marked_otherwise(&self, read: &ReadReservation) -> Option<(Scope, ReservationType)> {
        let told = read
            .reservation
            .map(|held| (held.scope, held.reservation_type));
        let mut marked = self.descriptors.iter().filter_map(|one| one.held);
        marked.find(|&held| told != Some(held))
    }

    /// The bytes that [`ReadFullStatus::parse`] reads.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut list = Vec::new();
        for descriptor in &self.descriptors {
            descriptor.emit(&mut list);
        }
        let mut data = Header::emit(self.generation, list.len());
        data.append(&mut list);
        data
    }
}

impl FullStatusDescriptor {
    const ALL_TG_PT: u8 = 0x02;
    const R_HOLDER: u8 = 0x01;
    /// Bytes before the TransportID.
    const FIXED: usize = 24;
    /// Bytes of the largest: with the longest TransportID.
    const LARGEST: u64 = (Self::FIXED + transport_id::MAXIMUM_LENGTH) as u64;

    /// Takes one descriptor: [`FullStatusDescriptor::FIXED`] bytes and the TransportID, whose length
    /// is in the last four. What stands in its place need not be a TransportID of SPC-5: some device
    /// servers put an identifier of 8 or 16 bytes there.
    fn take(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let reservation_key = ReservationKey(reader.u64("RESERVATION KEY")?);
        reader.bytes("reserved", 4)?;
        let flags = reader.u8("ALL_TG_PT and R_HOLDER")?;
        let scope_type = reader.u8("SCOPE and TYPE")?;
        reader.bytes("reserved", 4)?;
        let relative_target_port = reader.u16("RELATIVE TARGET PORT IDENTIFIER")?;
        let length = reader.u32("ADDITIONAL DESCRIPTOR LENGTH")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let frame = reader.bytes("TRANSPORTID", length)?;
        let transport_id = (!frame.is_empty()).then(|| TransportId::received(frame));
        Ok(Self {
            reservation_key,
            target_ports: if flags & Self::ALL_TG_PT == 0 {
                TargetPorts::Relative(relative_target_port)
            } else {
                TargetPorts::All
            },
            held: (flags & Self::R_HOLDER != 0).then_some((
                Scope::from_high_bits(scope_type),
                ReservationType::from_low_bits(scope_type),
            )),
            transport_id,
        })
    }

    fn emit(&self, list: &mut Vec<u8>) {
        let (all, port) = match self.target_ports {
            TargetPorts::All => (Self::ALL_TG_PT, 0),
            TargetPorts::Relative(port) => (0, port),
        };
        let (holder, scope, reservation_type) = match self.held {
            Some((scope, reservation_type)) => (Self::R_HOLDER, scope, reservation_type),
            None => (0, Scope::default(), ReservationType::default()),
        };
        let id = self
            .transport_id
            .as_ref()
            .map_or(&[][..], TransportId::as_bytes);
        list.extend(self.reservation_key.0.to_be_bytes());
        list.extend([0; 4]);
        list.push(all | holder);
        list.push(scope.code() << 4 | reservation_type.code());
        list.extend([0; 4]);
        list.extend(port.to_be_bytes());
        list.extend(u32::try_from(id.len()).unwrap_or(u32::MAX).to_be_bytes());
        list.extend(id);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TWO_KEYS: [u8; 24] = [
        0, 0, 0, 0x15, 0, 0, 0, 16, // header
        0, 0, 0, 0, 0, 0xab, 0xc1, 0x23, // first key
        0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10, // second key
    ];

    fn keys(keys: &[u64]) -> Vec<ReservationKey> {
        keys.iter().copied().map(ReservationKey).collect()
    }

    #[test]
    fn the_commands() {
        assert_eq!(
            ServiceAction::ReadKeys.cdb(8192).as_bytes(),
            [0x5e, 0, 0, 0, 0, 0, 0, 0x20, 0, 0]
        );
        assert_eq!(
            ServiceAction::ReadReservation.cdb(0x1234).as_bytes(),
            [0x5e, 1, 0, 0, 0, 0, 0, 0x12, 0x34, 0]
        );
        assert_eq!(
            ServiceAction::ReportCapabilities.cdb(8).as_bytes(),
            [0x5e, 2, 0, 0, 0, 0, 0, 0, 8, 0]
        );
        assert_eq!(
            ServiceAction::ReadFullStatus.cdb(0xffff).as_bytes(),
            [0x5e, 3, 0, 0, 0, 0, 0, 0xff, 0xff, 0]
        );
    }

    #[test]
    fn read_keys() {
        let read = ReadKeys {
            generation: 0x15,
            keys: keys(&[0xab_c123, 0xfedc_ba98_7654_3210]),
        };
        assert_eq!(ReadKeys::parse(&TWO_KEYS), Ok(read.clone()));
        assert_eq!(read.emit(), TWO_KEYS);
    }

    #[test]
    fn read_keys_cut_anywhere_is_no_answer() {
        for end in 0..TWO_KEYS.len() {
            match ReadKeys::parse(&TWO_KEYS[..end]).unwrap_err() {
                Malformed::Short(_) => assert!(end < 8),
                cut => {
                    assert!(end >= 8);
                    let expected = Malformed::Cut {
                        needed: 24,
                        received: end,
                    };
                    assert_eq!(cut, expected);
                    assert_eq!(cut.needed(), Some(24));
                }
            }
        }
    }

    #[test]
    fn zeros_beside_sense_data_are_no_answer() {
        assert_eq!(beside_sense(&[0; 8]), Err(Malformed::ZerosBesideSense(8)));
        assert_eq!(beside_sense(&[]), Err(Malformed::ZerosBesideSense(0)));
        assert_eq!(beside_sense(&TWO_KEYS), Ok(()));
    }

    #[test]
    fn bytes_behind_the_list_are_not_part_of_it() {
        let mut data = TWO_KEYS;
        data[7] = 8;
        assert_eq!(ReadKeys::parse(&data).unwrap().keys, keys(&[0xab_c123]));
        data[7] = 0;
        assert_eq!(ReadKeys::parse(&data).unwrap().keys, []);
    }

    #[test]
    fn keys_come_in_whole_eights() {
        for length in [1, 7, 9, 15] {
            let mut data = TWO_KEYS;
            data[7] = length;
            assert_eq!(
                ReadKeys::parse(&data),
                Err(Malformed::PartialElement {
                    additional_length: length.into(),
                    element: 8
                })
            );
        }
    }

    #[test]
    fn lengths_beyond_all_bounds_are_cut_lists() {
        for length in [0x7fff_ffff_u32, 0x8000_0000, 0xffff_ffff] {
            let mut data = TWO_KEYS;
            data[4..8].copy_from_slice(&length.to_be_bytes());
            let error = ReadKeys::parse(&data).unwrap_err();
            assert_eq!(error.needed(), Some(8 + u64::from(length)));
            assert!(ReadFullStatus::parse(&data).unwrap_err().needed().is_some());
        }
    }

    const RESERVED: [u8; 24] = [
        0, 0, 0, 2, 0, 0, 0, 16, // header
        1, 2, 3, 4, 5, 6, 7, 8, // key
        9, 9, 9, 9, 9, 0x28, 9, 9, // scope 2, type 8
    ];

    #[test]
    fn read_reservation() {
        let read = ReadReservation::parse(&RESERVED).unwrap();
        assert_eq!(read.generation, 2);
        assert_eq!(
            read.reservation,
            Some(Reservation {
                reservation_key: ReservationKey(0x0102_0304_0506_0708),
                scope: Scope::from_high_bits(0x20),
                reservation_type: ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS,
            })
        );
        let mut zeroed = RESERVED;
        for obsolete in [16, 17, 18, 19, 20, 22, 23] {
            zeroed[obsolete] = 0;
        }
        assert_eq!(read.emit(), zeroed);
    }

    #[test]
    fn read_reservation_cut_anywhere_is_no_answer() {
        for end in 0..RESERVED.len() {
            assert!(ReadReservation::parse(&RESERVED[..end]).is_err(), "{end}");
        }
        let mut data = RESERVED;
        data[7] = 8;
        assert_eq!(
            ReadReservation::parse(&data),
            Err(Malformed::PartialElement {
                additional_length: 8,
                element: 16
            })
        );
        data[7] = 0;
        assert_eq!(ReadReservation::parse(&data).unwrap().reservation, None);
    }

    #[test]
    fn one_of_several_reservations_is_no_answer() {
        let mut data = [&RESERVED[..], &RESERVED[8..]].concat();
        data[7] = 32;
        assert_eq!(
            ReadReservation::parse(&data),
            Err(Malformed::SeveralReservations(2))
        );
    }

    #[test]
    fn lists_are_whole_where_one_more_element_had_room() {
        let keys = ServiceAction::ReadKeys;
        assert!(keys.proves_whole(8184, 8192));
        assert!(!keys.proves_whole(8192, 8192));
        assert!(!keys.proves_whole(8200, 8192));
        let reservation = ServiceAction::ReadReservation;
        assert!(reservation.proves_whole(8, 24));
        assert!(!reservation.proves_whole(8, 23));
        assert!(reservation.proves_whole(24, 24));
        assert!(!reservation.proves_whole(40, 39));
        let full_status = ServiceAction::ReadFullStatus;
        // 24 bytes and the longest iSCSI name with its ISID.
        assert!(full_status.proves_whole(8192 - 272, 8192));
        assert!(!full_status.proves_whole(8192 - 271, 8192));
        assert!(ServiceAction::ReportCapabilities.proves_whole(8, 8));
    }

    #[test]
    fn what_data_says_of_its_length() {
        assert_eq!(ServiceAction::ReadKeys.claimed(&TWO_KEYS), Some(24));
        assert_eq!(ServiceAction::ReadKeys.claimed(&TWO_KEYS[..7]), None);
        let most = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            ServiceAction::ReadFullStatus.claimed(&most),
            Some(0x1_0000_0007)
        );
        let capabilities = ServiceAction::ReportCapabilities;
        assert_eq!(capabilities.claimed(&[0x12, 0x34]), Some(0x1234));
        assert_eq!(capabilities.claimed(&[0x12]), None);
    }

    #[test]
    fn capabilities_bit_by_bit() {
        type Field = fn(&Capabilities) -> bool;
        let fields: [(usize, u8, Field); 7] = [
            (2, 0x80, |c| c.replace_lost_reservation_capable),
            (2, 0x10, |c| c.compatible_reservation_handling),
            (2, 0x08, |c| c.specify_initiator_ports_capable),
            (2, 0x04, |c| c.all_target_ports_capable),
            (2, 0x01, |c| c.persist_through_power_loss_capable),
            (3, 0x80, |c| c.type_mask.is_some()),
            (3, 0x01, |c| c.persist_through_power_loss_active),
        ];
        for (byte, bit, field) in fields {
            let mut data = [0, 8, 0, 0, 0, 0, 0, 0];
            assert!(!field(&Capabilities::parse(&data).unwrap()));
            data[byte] = bit;
            let capabilities = Capabilities::parse(&data).unwrap();
            assert!(field(&capabilities));
            assert_eq!(fields.iter().filter(|f| f.2(&capabilities)).count(), 1);
            assert_eq!(capabilities.emit(), data);
        }
        let data = [0, 8, 0, 0x50, 0, 0, 0, 0];
        assert_eq!(Capabilities::parse(&data).unwrap().allow_commands, 5);
    }

    #[test]
    fn the_type_mask_bit_by_bit() {
        let bits = [
            (4, 0x80),
            (4, 0x40),
            (4, 0x20),
            (4, 0x08),
            (4, 0x02),
            (5, 1),
        ];
        for (reservation_type, (byte, bit)) in TypeMask::TYPES.into_iter().zip(bits) {
            let mut data = [0, 8, 0, 0x80, 0, 0, 0, 0];
            data[byte] = bit;
            let capabilities = Capabilities::parse(&data).unwrap();
            let mask = capabilities.type_mask.unwrap();
            for other in TypeMask::TYPES {
                assert_eq!(mask.supports(other), other == reservation_type);
            }
            assert_eq!(capabilities.emit(), data);
        }
        let all = TypeMask { bits: [0xff; 2] };
        assert!(!all.supports(ReservationType::from_low_bits(0)));
    }

    #[test]
    fn capabilities_cut_anywhere_are_no_answer() {
        let data = [0, 8, 0x1d, 0x90, 0xea, 1, 0, 0];
        for end in 0..data.len() {
            assert!(Capabilities::parse(&data[..end]).is_err(), "{end}");
        }
        assert!(Capabilities::parse(&data).is_ok());
        assert_eq!(
            Capabilities::parse(&[0, 7, 0x1d, 0x90, 0xea, 1, 0, 0]),
            Err(Malformed::CapabilitiesLength { length: 7 })
        );
        let longer = [0, 10, 0x1d, 0x90, 0xea, 1, 0, 0, 7, 7];
        assert_eq!(Capabilities::parse(&longer), Capabilities::parse(&data));
        assert_eq!(
            Capabilities::parse(&longer[..9]),
            Err(Malformed::Cut {
                needed: 10,
                received: 9
            })
        );
    }

    const FULL: [u8; 80] = [
        0, 0, 0, 7, 0, 0, 0, 72, // header
        1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, // key, reserved
        1, 0x15, 0, 0, 0, 0, 0x12, 0x34, 0, 0, 0, 24, // holder, scope 1, type 5, port, length
        6, 0, 0, 0, 0x50, 0, 0xc5, 0, 0x5b, 0x32, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0x12, 0x3a, 0xbc, 0, 0, 0, 0, // key, reserved
        2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // all target ports, no TransportID
    ];

    #[test]
    fn read_full_status() {
        let read = ReadFullStatus::parse(&FULL).unwrap();
        assert_eq!(read.generation, 7);
        assert_eq!(
            read.descriptors,
            [
                FullStatusDescriptor {
                    reservation_key: ReservationKey(0x0102_0304_0506_0708),
                    target_ports: TargetPorts::Relative(0x1234),
                    held: Some((
                        Scope::from_high_bits(0x10),
                        ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY
                    )),
                    transport_id: Some(TransportId::received(&FULL[32..56])),
                },
                FullStatusDescriptor {
                    reservation_key: ReservationKey(0x12_3abc),
                    target_ports: TargetPorts::All,
                    held: None,
                    transport_id: None,
                },
            ]
        );
        assert_eq!(read.emit(), FULL);
    }

    #[test]
    fn full_status_and_keys_of_the_same_registrations() {
        let one = TargetPorts::Relative(1);
        let all = TargetPorts::All;
        for (described, listed, alike) in [
            (&[][..], &[][..], true),
            (&[(1, one), (2, one)], &[2, 1], true),
            (&[(1, one), (1, one)], &[1, 1], true),
            (&[(1, one)], &[1, 1], false),
            (&[(1, one), (1, one)], &[1], false),
            (&[(1, one)], &[2], false),
            (&[(1, one)], &[], false),
            (&[], &[1], false),
            (&[(1, one)], &[1, 2], false),
            (&[(0x0100, one)], &[0x0001], false),
            // One for the nexus or one for each of its target ports.
            (&[(1, all)], &[1], true),
            (&[(1, all)], &[1, 1], true),
            (&[(1, all), (1, one)], &[1, 1, 1], true),
            (&[(1, all), (1, all)], &[1], false),
            (&[(1, all), (2, one)], &[1, 1, 2, 2], false),
        ] {
            let descriptor = |&(key, target_ports): &(u64, TargetPorts)| FullStatusDescriptor {
                reservation_key: ReservationKey(key),
                target_ports,
                held: None,
                transport_id: None,
            };
            let full_status = ReadFullStatus {
                generation: 1,
                descriptors: described.iter().map(descriptor).collect(),
            };
            let keys = ReadKeys {
                generation: 1,
                keys: keys(listed),
            };
            assert_eq!(full_status.lists(&keys), alike, "{described:?} {listed:?}");
        }
    }

    #[test]
    fn full_status_cut_anywhere_is_no_answer() {
        for end in 0..FULL.len() {
            assert!(ReadFullStatus::parse(&FULL[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn full_status_descriptors_end_where_the_list_ends() {
        for length in 0..72 {
            let mut data = FULL;
            data[7] = length;
            let read = ReadFullStatus::parse(&data);
            match length {
                0 => assert_eq!(read.unwrap().descriptors.len(), 0),
                48 => assert_eq!(read.unwrap().descriptors.len(), 1),
                _ => assert!(
                    matches!(read, Err(Malformed::Descriptor { .. })),
                    "{length}"
                ),
            }
        }
    }

    #[test]
    fn what_is_missing_of_a_descriptor_is_counted_from_the_start() {
        let mut data = FULL;
        data[28..32].copy_from_slice(&73_u32.to_be_bytes());
        assert_eq!(
            ReadFullStatus::parse(&data).unwrap_err().to_string(),
            "descriptor 1 at byte 8 does not fit the list: TRANSPORTID takes bytes 32 to 104, only 80 \
             bytes came"
        );
    }

    #[test]
    fn identifiers_of_any_length_stand_for_a_transport_id() {
        // As the disks of Hyper-V and OpenHCL have them: one of 8 bytes, one of 16.
        for length in [1, 8, 16, 20, 23] {
            let mut data = FULL[..32 + usize::from(length)].to_vec();
            data[7] = 24 + length;
            data[31] = length;
            let read = ReadFullStatus::parse(&data).unwrap();
            let [descriptor] = &read.descriptors[..] else {
                panic!("{read:?}");
            };
            let id = descriptor.transport_id.as_ref().unwrap();
            assert_eq!(id.as_bytes(), &FULL[32..32 + usize::from(length)]);
            assert!(!id.is_whole());
            assert_eq!(read.emit(), data);
        }
    }

    #[test]
    fn a_descriptor_that_loops_or_overruns_is_no_answer() {
        // 48 bytes of the list are behind the fixed part of the first descriptor.
        for length in [0xffff_ffe8_u32, 0xffff_ffff, 0x8000_0000, 73, 49] {
            let mut data = FULL;
            data[28..32].copy_from_slice(&length.to_be_bytes());
            assert!(
                matches!(
                    ReadFullStatus::parse(&data),
                    Err(Malformed::Descriptor {
                        number: 1,
                        offset: 8,
                        ..
                    })
                ),
                "{length}"
            );
        }
    }
}
