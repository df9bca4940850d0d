//! PERSISTENT RESERVE OUT: nine service actions and their two parameter lists (SPC-5 6.17).

use thiserror::Error;

use super::transport_id::TransportId;
use super::{ReservationKey, ReservationType, Scope};
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
