//! PERSISTENT RESERVE OUT: nine service actions and their two parameter lists (SPC-5 6.17).

use thiserror::Error;

use super::transport_id::TransportId;
use super::{ReservationKey, ReservationType, Scope};
use crate::scsi::bytes::Reader;
use crate::scsi::cdb::Cdb;

/// What the device server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceAction {
    /// Register a key, replace it, or unregister (SPC-5 5.13.7).
    Register,
    /// Create a reservation.
    Reserve,
    /// Give up a reservation.
    Release,
    /// Remove the reservation and all registrations.
    Clear,
    /// Remove the registrations with a key, and take over their reservation.
    Preempt,
    /// The same, and abort the commands of the nexuses removed.
    PreemptAndAbort,
    /// Register whatever key was registered before.
    RegisterAndIgnoreExistingKey,
    /// Register another nexus and move the reservation to it.
    RegisterAndMove,
    /// Make a reservation that was lost known to be replaced.
    ReplaceLostReservation,
}

impl ServiceAction {
    /// The code in byte 1 of the command.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Register => 0,
            Self::Reserve => 1,
            Self::Release => 2,
            Self::Clear => 3,
            Self::Preempt => 4,
            Self::PreemptAndAbort => 5,
            Self::RegisterAndIgnoreExistingKey => 6,
            Self::RegisterAndMove => 7,
            Self::ReplaceLostReservation => 8,
        }
    }

    /// The service action with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Register,
            1 => Self::Reserve,
            2 => Self::Release,
            3 => Self::Clear,
            4 => Self::Preempt,
            5 => Self::PreemptAndAbort,
            6 => Self::RegisterAndIgnoreExistingKey,
            7 => Self::RegisterAndMove,
            8 => Self::ReplaceLostReservation,
            _ => return None,
        })
    }

    /// The service action's name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "Register",
            Self::Reserve => "Reserve",
            Self::Release => "Release",
            Self::Clear => "Clear",
            Self::Preempt => "Preempt",
            Self::PreemptAndAbort => "Preempt and abort",
            Self::RegisterAndIgnoreExistingKey => "Register and ignore existing key",
            Self::RegisterAndMove => "register and move",
            Self::ReplaceLostReservation => "Replace lost reservation",
        }
    }

    /// Whether the standard gives the TYPE field a meaning for this service action.
    #[must_use]
    pub const fn needs_type(self) -> bool {
        matches!(
            self,
            Self::Reserve | Self::Release | Self::Preempt | Self::PreemptAndAbort
        )
    }
}

/// TransportIDs that fit one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportIds(Vec<TransportId>);

/// The parameter list would not fit the command's 16-bit length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the parameter list would take {0} bytes, the command has room for 65535")]
pub struct TooLong(pub usize);

impl TransportIds {
    /// Bytes before the first TransportID in the longer of the two parameter lists.
    const BEFORE: usize = 28;

    /// Reads TransportIDs one after the other, up to the last of `bytes`.
    fn parse(mut bytes: &[u8]) -> Result<Self, InvalidOut> {
        let mut ids = Vec::new();
        while !bytes.is_empty() {
            let (id, rest) = TransportId::take(bytes).ok_or(InvalidOut::TransportIds)?;
            ids.push(id);
            bytes = rest;
        }
        Self::try_from(ids).map_err(|_| InvalidOut::TransportIds)
    }

    /// The TransportIDs one after the other.
    fn bytes(&self) -> Vec<u8> {
        let ids = self.0.iter();
        ids.flat_map(TransportId::as_bytes).copied().collect()
    }

    /// The TransportIDs.
    #[must_use]
    pub fn as_slice(&self) -> &[TransportId] {
        &self.0
    }
}

impl TryFrom<Vec<TransportId>> for TransportIds {
    type Error = TooLong;

    fn try_from(ids: Vec<TransportId>) -> Result<Self, TooLong> {
        let ids = Self(ids);
        let length = Self::BEFORE + ids.bytes().len();
        match u16::try_from(length) {
            Ok(_) => Ok(ids),
            Err(_) => Err(TooLong(length)),
        }
    }
}

/// A PERSISTENT RESERVE OUT command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersistentReserveOut {
    /// What to do.
    pub action: ServiceAction,
    /// What a reservation is to cover.
    pub scope: Scope,
    /// The TYPE field; it is sent with every service action.
    pub reservation_type: ReservationType,
    /// The key under which this nexus is registered.
    pub reservation_key: ReservationKey,
    /// The key to register, or that of the registrations to preempt.
    pub service_action_reservation_key: ReservationKey,
    /// Registrations are to persist through a power loss.
    #[doc(alias = "APTPL")]
    pub activate_persist_through_power_loss: bool,
    /// The registration is to hold for all target ports. REGISTER AND MOVE has no such field.
    #[doc(alias = "ALL_TG_PT")]
    pub all_target_ports: bool,
    /// REGISTER AND MOVE is to unregister this nexus.
    #[doc(alias = "UNREG")]
    pub unregister: bool,
    /// REGISTER AND MOVE: the target port of the nexus to move to.
    #[doc(alias = "RELATIVE TARGET PORT IDENTIFIER")]
    pub relative_target_port: u16,
    /// Other initiator ports: to register (SPEC_I_PT), or the one to move to.
    pub transport_ids: TransportIds,
}

/// Why bytes are no PERSISTENT RESERVE OUT command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidOut {
    /// It is another command.
    #[error("it is not a PERSISTENT RESERVE OUT command")]
    Command,
    /// The SERVICE ACTION is reserved.
    #[error("service action {0:#x} is not defined")]
    ServiceAction(u8),
    /// The PARAMETER LIST LENGTH is not that of the list, or the list is too short for its fields.
    #[error("the parameter list has {0} bytes, which cannot be")]
    ListLength(usize),
    /// The TransportIDs are not as long as the list says.
    #[error("the TransportIDs do not fit the parameter list")]
    TransportIds,
}

impl PersistentReserveOut {
    /// `action` with every field 0, and no TransportIDs.
    #[must_use]
    pub fn new(action: ServiceAction) -> Self {
        Self {
            action,
            scope: Scope::LU_SCOPE,
            reservation_type: ReservationType::default(),
            reservation_key: ReservationKey::default(),
            service_action_reservation_key: ReservationKey::default(),
            activate_persist_through_power_loss: false,
            all_target_ports: false,
            unregister: false,
            relative_target_port: 0,
            transport_ids: TransportIds::default(),
        }
    }

    /// The command and its parameter list.
    #[must_use]
    pub fn emit(&self) -> (Cdb, Vec<u8>) {
        let list = match self.action {
            ServiceAction::RegisterAndMove => self.register_and_move_list(),
            _ => self.basic_list(),
        };
        // TransportIds sees to it that the list is not longer.
        let length = u16::try_from(list.len()).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        let cdb = Cdb::ten([
            Cdb::PERSISTENT_RESERVE_OUT,
            self.action.code(),
            self.scope.code() << 4 | self.reservation_type.code(),
            0,
            0,
            0,
            0,
            high,
            low,
            0,
        ]);
        (cdb, list)
    }

    /// Reads the command `cdb` and its parameter `list`, as a device server does.
    ///
    /// # Errors
    /// [`InvalidOut`].
    pub fn parse(cdb: &Cdb, list: &[u8]) -> Result<Self, InvalidOut> {
        let &[
            Cdb::PERSISTENT_RESERVE_OUT,
            action,
            scope_type,
            _,
            _,
            l3,
            l2,
            l1,
            l0,
            _,
        ] = cdb.as_bytes()
        else {
            return Err(InvalidOut::Command);
        };
        let code = action & 0x1f;
        let action = ServiceAction::from_code(code).ok_or(InvalidOut::ServiceAction(code))?;
        let invalid_length = |_| InvalidOut::ListLength(list.len());
        if usize::try_from(u32::from_be_bytes([l3, l2, l1, l0])) != Ok(list.len()) {
            return Err(InvalidOut::ListLength(list.len()));
        }
        let mut reader = Reader::new(list);
        let reservation_key = reader.u64("RESERVATION KEY").map_err(invalid_length)?;
        let service_action_reservation_key = reader
            .u64("SERVICE ACTION RESERVATION KEY")
            .map_err(invalid_length)?;
        let fixed = reader
            .bytes("flags and RELATIVE TARGET PORT IDENTIFIER", 4)
            .map_err(invalid_length)?;
        let last = reader
            .bytes("flags or TRANSPORTID LENGTH", 4)
            .map_err(invalid_length)?;
        let bit = |byte: u8, bit: u8| byte >> bit & 1 == 1;
        let mut out = Self {
            scope: Scope::from_high_bits(scope_type),
            reservation_type: ReservationType::from_low_bits(scope_type),
            reservation_key: ReservationKey(reservation_key),
            service_action_reservation_key: ReservationKey(service_action_reservation_key),
            ..Self::new(action)
        };
        let ids = if action == ServiceAction::RegisterAndMove {
            out.unregister = bit(fixed[1], 1);
            out.activate_persist_through_power_loss = bit(fixed[1], 0);
            out.relative_target_port = u16::from_be_bytes([fixed[2], fixed[3]]);
            Some([last[0], last[1], last[2], last[3]])
        } else {
            let flags = last[0];
            out.all_target_ports = bit(flags, 2);
            out.activate_persist_through_power_loss = bit(flags, 0);
            match bit(flags, 3) {
                true => Some(
                    reader
                        .u32("TRANSPORTID PARAMETER DATA LENGTH")
                        .map_err(invalid_length)?
                        .to_be_bytes(),
                ),
                false => None,
            }
        };
        let rest = reader.rest();
        let Some(length) = ids else {
            return match rest {
                [] => Ok(out),
                _ => Err(InvalidOut::ListLength(list.len())),
            };
        };
        if usize::try_from(u32::from_be_bytes(length)) != Ok(rest.len()) || rest.is_empty() {
            return Err(InvalidOut::TransportIds);
        }
        out.transport_ids = TransportIds::parse(rest)?;
        Ok(out)
    }

    /// Whether the SPEC_I_PT bit is set: TransportIDs follow a list that has the bit.
    #[doc(alias = "SPEC_I_PT")]
    #[must_use]
    pub fn specifies_initiator_ports(&self) -> bool {
        self.action != ServiceAction::RegisterAndMove && !self.transport_ids.0.is_empty()
    }

    fn keys(&self) -> Vec<u8> {
        [
            self.reservation_key.0.to_be_bytes(),
            self.service_action_reservation_key.0.to_be_bytes(),
        ]
        .concat()
    }

    /// The TransportIDs one after the other, their length in four bytes before them.
    fn transport_id_list(&self) -> Vec<u8> {
        let ids = self.transport_ids.bytes();
        let length = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &ids].concat()
    }

    /// The list of all service actions but REGISTER AND MOVE (SPC-5 6.17.3).
    fn basic_list(&self) -> Vec<u8> {
        let specify_initiator_ports = self.specifies_initiator_ports();
        let mut list = self.keys();
        list.extend([0; 4]);
        list.push(
            u8::from(specify_initiator_ports) << 3
                | u8::from(self.all_target_ports) << 2
                | u8::from(self.activate_persist_through_power_loss),
        );
        list.extend([0; 3]);
        if specify_initiator_ports {
            list.extend(self.transport_id_list());
        }
        list
    }

    /// The list of REGISTER AND MOVE (SPC-5 6.17.4).
    fn register_and_move_list(&self) -> Vec<u8> {
        let mut list = self.keys();
        list.push(0);
        list.push(
            u8::from(self.unregister) << 1 | u8::from(self.activate_persist_through_power_loss),
        );
        list.extend(self.relative_target_port.to_be_bytes());
        list.extend(self.transport_id_list());
        list
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn out(action: ServiceAction) -> PersistentReserveOut {
        PersistentReserveOut {
            action,
            scope: Scope::LU_SCOPE,
            reservation_type: ReservationType::default(),
            reservation_key: ReservationKey(0x0102_0304_0506_0708),
            service_action_reservation_key: ReservationKey(0x1112_1314_1516_1718),
            activate_persist_through_power_loss: false,
            all_target_ports: false,
            unregister: false,
            relative_target_port: 0,
            transport_ids: TransportIds::default(),
        }
    }

    const KEYS: &str = "01020304050607081112131415161718";
    const SAS: &str = "060000005000c50005b32001000000000000000000000000";

    #[test]
    fn every_service_action_has_its_code_and_the_type() {
        let actions = [
            ServiceAction::Register,
            ServiceAction::Reserve,
            ServiceAction::Release,
            ServiceAction::Clear,
            ServiceAction::Preempt,
            ServiceAction::PreemptAndAbort,
            ServiceAction::RegisterAndIgnoreExistingKey,
            ServiceAction::RegisterAndMove,
            ServiceAction::ReplaceLostReservation,
        ];
        for (code, action) in (0..).zip(actions) {
            let mut out = out(action);
            out.reservation_type = ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS;
            let (cdb, list) = out.emit();
            assert_eq!(cdb.as_bytes(), [0x5f, code, 8, 0, 0, 0, 0, 0, 24, 0]);
            assert_eq!(hex::encode(list), format!("{KEYS}0000000000000000"));
        }
    }

    #[test]
    fn the_flags_of_the_basic_list() {
        let mut all = out(ServiceAction::Register);
        all.all_target_ports = true;
        let (_, list) = all.emit();
        assert_eq!(hex::encode(list), format!("{KEYS}0000000004000000"));
        let mut persist = out(ServiceAction::Register);
        persist.activate_persist_through_power_loss = true;
        let (_, list) = persist.emit();
        assert_eq!(hex::encode(list), format!("{KEYS}0000000001000000"));
    }

    fn parsed(cdb: &[u8; 10], list: &str) -> Result<PersistentReserveOut, InvalidOut> {
        PersistentReserveOut::parse(&Cdb::ten(*cdb), &hex::decode(list).unwrap())
    }

    #[test]
    fn what_a_device_server_reads() {
        let mut expected = out(ServiceAction::PreemptAndAbort);
        expected.scope = Scope::from_high_bits(0x20);
        expected.reservation_type = ReservationType::EXCLUSIVE_ACCESS;
        expected.all_target_ports = true;
        let cdb = [0x5f, 0xe5, 0x23, 0, 0, 0, 0, 0, 24, 0];
        let list = format!("{KEYS}0000000004000000");
        assert_eq!(parsed(&cdb, &list), Ok(expected));
        let mut expected = out(ServiceAction::Register);
        expected.activate_persist_through_power_loss = true;
        expected.transport_ids = TransportIds(vec![
            TransportId::sas(0x5000_c500_05b3_2001),
            TransportId::iscsi(b"iqn.2026-01.lab:a-long-enough-name").unwrap(),
        ]);
        let iscsi =
            "0500002469716e2e323032362d30312e6c61623a612d6c6f6e672d656e6f7567682d6e616d650000";
        let cdb = [0x5f, 0, 0, 0, 0, 0, 0, 0, 92, 0];
        let list = format!("{KEYS}000000000900000000000040{SAS}{iscsi}");
        assert_eq!(parsed(&cdb, &list), Ok(expected));
        let mut expected = out(ServiceAction::RegisterAndMove);
        expected.unregister = true;
        expected.relative_target_port = 0x1234;
        expected.transport_ids = TransportIds(vec![TransportId::sas(0x5000_c500_05b3_2001)]);
        let cdb = [0x5f, 7, 0, 0, 0, 0, 0, 0, 48, 0];
        let list = format!("{KEYS}0002123400000018{SAS}");
        assert_eq!(parsed(&cdb, &list), Ok(expected));
    }

    #[test]
    fn lists_cut_anywhere_are_refused() {
        for (action, list) in [
            (0, format!("{KEYS}0000000001000000")),
            (0, format!("{KEYS}000000000800000000000018{SAS}")),
            (7, format!("{KEYS}0002123400000018{SAS}")),
        ] {
            let list = hex::decode(list).unwrap();
            for end in 0..=list.len() {
                let length = u8::try_from(end).unwrap();
                let cdb = Cdb::ten([0x5f, action, 0, 0, 0, 0, 0, 0, length, 0]);
                let parsed = PersistentReserveOut::parse(&cdb, &list[..end]);
                assert_eq!(parsed.is_ok(), end == list.len(), "{action} {end}");
            }
            let cdb = Cdb::ten([0x5f, action, 0, 0, 0, 0, 0, 0, 23, 0]);
            assert_eq!(
                PersistentReserveOut::parse(&cdb, &list),
                Err(InvalidOut::ListLength(list.len()))
            );
        }
    }

    #[test]
    fn what_is_no_such_command() {
        let list = format!("{KEYS}0000000001000000");
        for code in 9..32 {
            assert_eq!(
                parsed(&[0x5f, code, 0, 0, 0, 0, 0, 0, 24, 0], &list),
                Err(InvalidOut::ServiceAction(code))
            );
        }
        assert_eq!(
            parsed(&[0x5e, 0, 0, 0, 0, 0, 0, 0, 24, 0], &list),
            Err(InvalidOut::Command)
        );
        // More than the list, no TransportIDs, and half of one.
        assert_eq!(
            parsed(&[0x5f, 0, 0, 0, 0, 0, 0, 0, 25, 0], &format!("{list}00")),
            Err(InvalidOut::ListLength(25))
        );
        let list = format!("{KEYS}000000000800000000000000");
        assert_eq!(
            parsed(&[0x5f, 0, 0, 0, 0, 0, 0, 0, 28, 0], &list),
            Err(InvalidOut::TransportIds)
        );
        let list = format!("{KEYS}00000000080000000000001a{SAS}0600");
        assert_eq!(
            parsed(&[0x5f, 0, 0, 0, 0, 0, 0, 0, 54, 0], &list),
            Err(InvalidOut::TransportIds)
        );
    }

    #[test]
    fn codes_are_read_back() {
        for code in 0..32 {
            let action = ServiceAction::from_code(code);
            assert_eq!(action.map(ServiceAction::code), (code < 9).then_some(code));
        }
    }

    #[test]
    fn transport_ids_set_spec_i_pt_and_their_length() {
        let mut register = out(ServiceAction::Register);
        register.transport_ids = TransportIds(vec![
            TransportId::sas(0x5000_c500_05b3_2001),
            TransportId::spi(1, 2),
        ]);
        let (cdb, list) = register.emit();
        assert_eq!(cdb.as_bytes(), [0x5f, 0, 0, 0, 0, 0, 0, 0, 76, 0]);
        let spi = "010000010000000200000000000000000000000000000000";
        assert_eq!(
            hex::encode(list),
            format!("{KEYS}000000000800000000000030{SAS}{spi}")
        );
    }

    #[test]
    fn register_and_move() {
        let mut moved = out(ServiceAction::RegisterAndMove);
        moved.transport_ids = TransportIds(vec![TransportId::sas(0x5000_c500_05b3_2001)]);
        moved.relative_target_port = 0x1234;
        moved.unregister = true;
        moved.all_target_ports = true; // which has no place in this list
        let (cdb, list) = moved.emit();
        assert_eq!(cdb.as_bytes(), [0x5f, 7, 0, 0, 0, 0, 0, 0, 48, 0]);
        assert_eq!(hex::encode(list), format!("{KEYS}0002123400000018{SAS}"));
        moved.unregister = false;
        moved.activate_persist_through_power_loss = true;
        let (_, list) = moved.emit();
        assert_eq!(hex::encode(list), format!("{KEYS}0001123400000018{SAS}"));
    }

    #[test]
    fn a_list_beyond_16_bits_is_refused() {
        let mut ids = vec![TransportId::sas(1); 2729];
        let mut register = out(ServiceAction::Register);
        register.transport_ids = TransportIds::try_from(ids.clone()).unwrap();
        assert_eq!(register.emit().1.len(), 65_524);
        ids.push(TransportId::sas(1));
        assert_eq!(TransportIds::try_from(ids), Err(TooLong(65_548)));
    }
}
