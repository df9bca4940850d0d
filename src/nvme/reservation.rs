//! Reservation Register, Acquire, Release and Report (NVM Express Base, reservation commands).

use thiserror::Error;

use super::{Command, Queue, UNWRITTEN};
use crate::pr::ReservationKey;
use crate::scsi::bytes::{Reader, Truncated};

/// A reservation type (RTYPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationType {
    /// Any host may read, the holder may write.
    WriteExclusive,
    /// The holder alone may read and write.
    ExclusiveAccess,
    /// Any host may read, registrants may write.
    WriteExclusiveRegistrantsOnly,
    /// Registrants alone may read and write.
    ExclusiveAccessRegistrantsOnly,
    /// As the type with registrants only, and every registrant is a holder.
    WriteExclusiveAllRegistrants,
    /// Likewise.
    ExclusiveAccessAllRegistrants,
}

impl ReservationType {
    /// All of them, by their codes.
    pub const ALL: [Self; 6] = [
        Self::WriteExclusive,
        Self::ExclusiveAccess,
        Self::WriteExclusiveRegistrantsOnly,
        Self::ExclusiveAccessRegistrantsOnly,
        Self::WriteExclusiveAllRegistrants,
        Self::ExclusiveAccessAllRegistrants,
    ];

    /// The code, 1 to 6.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::WriteExclusive => 1,
            Self::ExclusiveAccess => 2,
            Self::WriteExclusiveRegistrantsOnly => 3,
            Self::ExclusiveAccessRegistrantsOnly => 4,
            Self::WriteExclusiveAllRegistrants => 5,
            Self::ExclusiveAccessAllRegistrants => 6,
        }
    }

    /// The type with this code; `None` for 0, no reservation, and for reserved codes.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// Whether every registrant holds a reservation of this type.
    #[must_use]
    pub const fn is_held_by_all(self) -> bool {
        matches!(
            self,
            Self::WriteExclusiveAllRegistrants | Self::ExclusiveAccessAllRegistrants
        )
    }
}

/// What Reservation Register is to do (RREGA).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterAction {
    /// Register the new key.
    Register,
    /// End the registration.
    Unregister,
    /// Put the new key in the place of the current one.
    Replace,
}

/// What becomes of the namespace's persisting through a power loss (CPTPL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersistThroughPowerLoss {
    /// It stays as it is.
    NoChange,
    /// Registrations and reservation end with the power.
    Deactivate,
    /// They persist.
    Activate,
}

/// A Reservation Register command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// What to do.
    pub action: RegisterAction,
    /// The current key need not be the one under which the host is registered.
    #[doc(alias = "IEKEY")]
    pub ignore_existing_key: bool,
    /// What is to survive a power loss.
    #[doc(alias = "CPTPL")]
    pub persist_through_power_loss: PersistThroughPowerLoss,
    /// The key under which the host is registered.
    #[doc(alias = "CRKEY")]
    pub current_key: ReservationKey,
    /// The key to register.
    #[doc(alias = "NRKEY")]
    pub new_key: ReservationKey,
}

impl Register {
    /// The command about the namespace `nsid`, and its data.
    #[must_use]
    pub fn emit(&self, nsid: u32) -> (Command, Vec<u8>) {
        let action = match self.action {
            RegisterAction::Register => 0,
            RegisterAction::Unregister => 1,
            RegisterAction::Replace => 2,
        };
        let persist = match self.persist_through_power_loss {
            PersistThroughPowerLoss::NoChange => 0,
            PersistThroughPowerLoss::Deactivate => 0b10,
            PersistThroughPowerLoss::Activate => 0b11,
        };
        let cdw10 = action | u32::from(self.ignore_existing_key) << 3 | persist << 30;
        let keys = [self.current_key, self.new_key];
        change("Reservation Register", 0x0d, nsid, cdw10, &keys)
    }
}

/// What Reservation Acquire is to do (RACQA).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcquireAction {
    /// Make a reservation.
    Acquire,
    /// End the registrations with a key, and take over their reservation.
    Preempt,
    /// The same, and abort the commands of the hosts.
    PreemptAndAbort,
}

/// A Reservation Acquire command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquire {
    /// What to do.
    pub action: AcquireAction,
    /// The type of the reservation.
    #[doc(alias = "RTYPE")]
    pub reservation_type: ReservationType,
    /// The key under which the host is registered.
    #[doc(alias = "CRKEY")]
    pub current_key: ReservationKey,
    /// The key of the registrations to end.
    #[doc(alias = "PRKEY")]
    pub preempt_key: ReservationKey,
}

impl Acquire {
    /// The command about the namespace `nsid`, and its data.
    #[must_use]
    pub fn emit(&self, nsid: u32) -> (Command, Vec<u8>) {
        let action = match self.action {
            AcquireAction::Acquire => 0,
            AcquireAction::Preempt => 1,
            AcquireAction::PreemptAndAbort => 2,
        };
        let cdw10 = action | u32::from(self.reservation_type.code()) << 8;
        let keys = [self.current_key, self.preempt_key];
        change("Reservation Acquire", 0x11, nsid, cdw10, &keys)
    }
}

/// What Reservation Release is to do (RRELA).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseAction {
    /// Give up the reservation of this type.
    Release(ReservationType),
    /// End the reservation and all registrations.
    Clear,
}

/// A Reservation Release command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// What to do.
    pub action: ReleaseAction,
    /// The key under which the host is registered.
    #[doc(alias = "CRKEY")]
    pub current_key: ReservationKey,
}

impl Release {
    /// The command about the namespace `nsid`, and its data.
    #[must_use]
    pub fn emit(&self, nsid: u32) -> (Command, Vec<u8>) {
        let cdw10 = match self.action {
            ReleaseAction::Release(held) => u32::from(held.code()) << 8,
            ReleaseAction::Clear => 1,
        };
        let keys = [self.current_key];
        change("Reservation Release", 0x15, nsid, cdw10, &keys)
    }
}

/// One of the three commands that change something. Its data is the keys, and as long as they are.
fn change(
    name: &'static str,
    opcode: u8,
    nsid: u32,
    cdw10: u32,
    keys: &[ReservationKey],
) -> (Command, Vec<u8>) {
    let data: Vec<u8> = keys.iter().flat_map(|key| key.0.to_le_bytes()).collect();
    let command = Command {
        name,
        queue: Queue::Io,
        opcode,
        nsid,
        cdw10,
        cdw11: 0,
        data_length: data.len(),
    };
    (command, data)
}

/// The two forms of a reservation report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With host identifiers of 64 bits.
    Short,
    /// With host identifiers of 128 bits.
    #[doc(alias = "EDS")]
    Extended,
}

impl Form {
    /// Bytes before the first registered controller.
    const fn header_length(self) -> usize {
        match self {
            Self::Short => 24,
            Self::Extended => 64,
        }
    }

    /// Bytes of each registered controller.
    const fn descriptor_length(self) -> usize {
        match self {
            Self::Short => 24,
            Self::Extended => 64,
        }
    }

    /// Bytes of a host identifier.
    #[must_use]
    pub const fn identifier_length(self) -> usize {
        match self {
            Self::Short => 8,
            Self::Extended => 16,
        }
    }

    /// Bytes of a report about so many registered controllers.
    #[must_use]
    pub fn length(self, registered: u16) -> usize {
        self.header_length() + usize::from(registered) * self.descriptor_length()
    }
}

/// Bytes of room that have to be left behind a report that is known to be whole: those of the
/// largest descriptor. A controller may count only the registered controllers that fit.
pub(crate) const SPARE_ROOM: usize = 64;

/// The most bytes of room that make a difference: 65535 registered controllers in the extended form
/// take all but [`SPARE_ROOM`].
pub(crate) const MOST_ROOM: usize = 64 + 65535 * 64 + SPARE_ROOM;

/// Reservation Report for the namespace `nsid`, with room for `room` bytes, as a multiple of 4 not
/// less than 4 and not more than 4194368: [`Command::data_length`].
#[must_use]
pub fn report(nsid: u32, form: Form, room: usize) -> Command {
    let room = room.clamp(4, MOST_ROOM).next_multiple_of(4);
    let dwords = u32::try_from(room / 4).unwrap_or(1);
    Command {
        name: "Reservation Report",
        queue: Queue::Io,
        opcode: 0x0e,
        nsid,
        // NUMD counts from 0.
        cdw10: dwords.saturating_sub(1),
        cdw11: match form {
            Form::Short => 0,
            Form::Extended => 1,
        },
        data_length: room,
    }
}

/// One registered controller: a host's registration, as it is seen through that controller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registrant {
    /// The controller's number; [`Registrant::DYNAMIC`] for one that has none of its own.
    #[doc(alias = "CNTLID")]
    pub controller_id: u16,
    /// Reservation Status; its lowest bit says that the host holds the reservation.
    #[doc(alias = "RCSTS")]
    pub status: u8,
    /// The host's key.
    #[doc(alias = "RKEY")]
    pub key: ReservationKey,
    /// The host's identifier, 8 or 16 bytes.
    #[doc(alias = "HOSTID")]
    pub host_identifier: Vec<u8>,
}

impl Registrant {
    /// The controller belongs to the dynamic controller model.
    pub const DYNAMIC: u16 = 0xffff;

    /// Whether the host holds the reservation.
    #[must_use]
    pub const fn is_holder(&self) -> bool {
        self.status & 1 == 1
    }
}

/// A whole reservation report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReservationReport {
    /// Counts the changes to the registrations.
    #[doc(alias = "GEN")]
    pub generation: u32,
    /// The type of the reservation held, 0 for none; reserved codes survive.
    #[doc(alias = "RTYPE")]
    pub reservation_type: u8,
    /// The state of persisting through a power loss: 1 is active; reserved values survive.
    #[doc(alias = "PTPLS")]
    pub persist_through_power_loss: u8,
    /// The form in which it came.
    pub form: Form,
    /// The registered controllers, in the controller's order.
    pub registrants: Vec<Registrant>,
}

/// Why bytes are no reservation report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidReport {
    /// It ends inside its header.
    #[error("the reservation report is too short: {0}")]
    Short(#[from] Truncated),
    /// There is more of it than came.
    #[error(
        "the reservation report names {registered} registered controllers and takes {needed} \
         bytes, only {received} came"
    )]
    Cut {
        /// Registered controllers, by its own word.
        registered: u16,
        /// Bytes that they take.
        needed: usize,
        /// Bytes that came.
        received: usize,
    },
    /// Nothing was written where it should be.
    #[error("no reservation report came")]
    Nothing,
    /// Nothing was written where a registered controller should be.
    #[error("registered controller {0} is missing in the reservation report")]
    Missing(usize),
}

/// What a report says of the reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its type.
    pub reservation_type: ReservationType,
    /// The holder's key; `None` where all registrants hold it, or where the holder is not listed:
    /// a controller may have dropped the entries of a host that is gone.
    pub key: Option<ReservationKey>,
}

/// What a report says contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// The type is reserved.
    #[error("the reservation report names reservation type {0:#x}, which is not defined")]
    UnknownType(u8),
    /// A holder and no reservation.
    #[error("the reservation report names a holder and no reservation")]
    HolderOfNothing,
    /// Holders that are not the same.
    #[error("the reservation report names several holders of a reservation that has one")]
    SeveralHolders,
}

impl ReservationReport {
    /// How many bytes the report at the start of `data` takes, by its own word, and how many
    /// registered controllers it names.
    ///
    /// # Errors
    /// [`InvalidReport`] when its header is not there.
    pub fn needed(data: &[u8], form: Form) -> Result<(usize, u16), InvalidReport> {
        let (_, _, _, registered) = Self::header(data, form)?;
        Ok((form.length(registered), registered))
    }

    fn header(data: &[u8], form: Form) -> Result<(u32, u8, u8, u16), InvalidReport> {
        let mut reader = Reader::new(data);
        let header = reader.bytes("header", form.header_length())?;
        if header.iter().all(|&byte| byte == UNWRITTEN) {
            return Err(InvalidReport::Nothing);
        }
        let mut reader = Reader::new(header);
        let generation = reader.u32_le("GEN")?;
        let reservation_type = reader.u8("RTYPE")?;
        let registered = reader.u16_le("REGCTL")?;
        reader.bytes("reserved", 2)?;
        let persist = reader.u8("PTPLS")?;
        Ok((generation, reservation_type, persist, registered))
    }

    /// Reads the report at the start of `data`.
    ///
    /// # Errors
    /// [`InvalidReport`] when it is not there as a whole.
    pub fn parse(data: &[u8], form: Form) -> Result<Self, InvalidReport> {
        let (generation, reservation_type, persist, registered) = Self::header(data, form)?;
        let needed = form.length(registered);
        let list = data
            .get(form.header_length()..needed)
            .ok_or(InvalidReport::Cut {
                registered,
                needed,
                received: data.len(),
            })?;
        let descriptors = list.chunks_exact(form.descriptor_length());
        let registrants = descriptors
            .enumerate()
            .map(|(index, descriptor)| {
                Registrant::parse(descriptor, form)?.ok_or(InvalidReport::Missing(index + 1))
            })
            .collect::<Result<_, InvalidReport>>()?;
        Ok(Self {
            generation,
            reservation_type,
            persist_through_power_loss: persist,
            form,
            registrants,
        })
    }

    /// The type of the reservation held, if any, whoever holds it.
    ///
    /// # Errors
    /// [`Contradiction`], but for [`Contradiction::SeveralHolders`].
    pub fn held_type(&self) -> Result<Option<ReservationType>, Contradiction> {
        match ReservationType::from_code(self.reservation_type) {
            Some(known) => Ok(Some(known)),
            None if self.reservation_type != 0 => {
                Err(Contradiction::UnknownType(self.reservation_type))
            }
            None if self.registrants.iter().any(Registrant::is_holder) => {
                Err(Contradiction::HolderOfNothing)
            }
            None => Ok(None),
        }
    }

    /// The reservation held, if any.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn held(&self) -> Result<Option<Held>, Contradiction> {
        let Some(reservation_type) = self.held_type()? else {
            return Ok(None);
        };
        let mut holders = self.registrants.iter().filter(|one| one.is_holder());
        let holder = holders
            .next()
            .filter(|_| !reservation_type.is_held_by_all());
        let Some(holder) = holder else {
            return Ok(Some(Held {
                reservation_type,
                key: None,
            }));
        };
        // One host may be registered through several controllers.
        let same = |other: &Registrant| {
            (other.key, &other.host_identifier) == (holder.key, &holder.host_identifier)
        };
        if !holders.all(same) {
            return Err(Contradiction::SeveralHolders);
        }
        Ok(Some(Held {
            reservation_type,
            key: Some(holder.key),
        }))
    }
}

impl Registrant {
    /// Reads one descriptor; `None` where nothing was written.
    fn parse(descriptor: &[u8], form: Form) -> Result<Option<Self>, Truncated> {
        let alike = |value| descriptor.iter().all(|&byte| byte == value);
        if alike(0) || alike(UNWRITTEN) {
            return Ok(None);
        }
        let mut reader = Reader::new(descriptor);
        let controller_id = reader.u16_le("CNTLID")?;
        let status = reader.u8("RCSTS")?;
        reader.bytes("reserved", 5)?;
        let (key, host_identifier) = match form {
            Form::Short => {
                let host = reader.bytes("HOSTID", 8)?;
                (reader.u64_le("RKEY")?, host)
            }
            Form::Extended => (reader.u64_le("RKEY")?, reader.bytes("HOSTID", 16)?),
        };
        Ok(Some(Self {
            controller_id,
            status,
            key: ReservationKey(key),
            host_identifier: host_identifier.to_vec(),
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Direction;
    use super::*;

    const CURRENT: ReservationKey = ReservationKey(0x0102_0304_0506_0708);
    const OTHER: ReservationKey = ReservationKey(0x1112_1314_1516_1718);
    const KEYS: &str = "08070605040302011817161514131211";

    /// Opcode, namespace, dwords 10 and 11 of an I/O command.
    fn fields(command: Command, direction: Direction, length: usize) -> (u8, u32, u32, u32) {
        assert_eq!(command.queue(), Queue::Io);
        assert_eq!(command.direction(), direction);
        assert_eq!(command.data_length(), length);
        let (cdw10, cdw11) = (command.cdw10(), command.cdw11());
        (command.opcode(), command.nsid(), cdw10, cdw11)
    }

    #[test]
    fn register() {
        use PersistThroughPowerLoss::{Activate, Deactivate, NoChange};
        for (action, ignore, persist, cdw10) in [
            (RegisterAction::Register, false, NoChange, 0x0000_0000),
            (RegisterAction::Unregister, false, NoChange, 0x0000_0001),
            (RegisterAction::Replace, false, NoChange, 0x0000_0002),
            (RegisterAction::Register, true, NoChange, 0x0000_0008),
            (RegisterAction::Replace, true, Deactivate, 0x8000_000a),
            (RegisterAction::Register, false, Activate, 0xc000_0000),
        ] {
            let (command, data) = Register {
                action,
                ignore_existing_key: ignore,
                persist_through_power_loss: persist,
                current_key: CURRENT,
                new_key: OTHER,
            }
            .emit(0x0203_0405);
            assert_eq!(
                fields(command, Direction::Out, 16),
                (0x0d, 0x0203_0405, cdw10, 0)
            );
            assert_eq!(hex::encode(data), KEYS);
        }
    }

    #[test]
    fn acquire() {
        for (action, code) in [
            (AcquireAction::Acquire, 0),
            (AcquireAction::Preempt, 1),
            (AcquireAction::PreemptAndAbort, 2),
        ] {
            for (rtype, reservation_type) in (1..).zip(ReservationType::ALL) {
                let (command, data) = Acquire {
                    action,
                    reservation_type,
                    current_key: CURRENT,
                    preempt_key: OTHER,
                }
                .emit(7);
                assert_eq!(
                    fields(command, Direction::Out, 16),
                    (0x11, 7, rtype << 8 | code, 0)
                );
                assert_eq!(hex::encode(data), KEYS);
            }
        }
    }

    #[test]
    fn release() {
        let emitted = |action| {
            let current_key = CURRENT;
            let (command, data) = Release {
                action,
                current_key,
            }
            .emit(7);
            assert_eq!(hex::encode(data), KEYS[..16]);
            fields(command, Direction::Out, 8)
        };
        for (rtype, reservation_type) in (1..).zip(ReservationType::ALL) {
            let release = ReleaseAction::Release(reservation_type);
            assert_eq!(emitted(release), (0x15, 7, rtype << 8, 0));
        }
        assert_eq!(emitted(ReleaseAction::Clear), (0x15, 7, 1, 0));
    }

    #[test]
    fn the_room_for_a_report_is_in_the_command() {
        for (form, room, length, dwords) in [
            (Form::Extended, 4096, 4096, 1023),
            (Form::Short, 24, 24, 5),
            (Form::Short, 25, 28, 6),
            (Form::Short, 0, 4, 0),
            (Form::Extended, 4_194_304, 4_194_304, 1_048_575),
            (Form::Extended, 4_194_368, 4_194_368, 1_048_591),
            (Form::Extended, usize::MAX, 4_194_368, 1_048_591),
        ] {
            let extended = u32::from(form == Form::Extended);
            assert_eq!(
                fields(report(7, form, room), Direction::In, length),
                (0x0e, 7, dwords, extended)
            );
        }
        assert_eq!(Form::Extended.length(65535), 4_194_304);
    }

    #[test]
    fn types_have_their_codes() {
        for code in 0..=255 {
            let known = ReservationType::from_code(code);
            assert_eq!(
                known.map(ReservationType::code),
                (1..=6).contains(&code).then_some(code)
            );
            assert_eq!(
                known.is_some_and(ReservationType::is_held_by_all),
                code == 5 || code == 6
            );
        }
    }

    /// What Linux's target answers about two hosts.
    const EXTENDED: &str = "\
        0200000003020000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        ffff01000000000023c1ab0000000000aaaaaaaa000040008000000000000001\
        0000000000000000000000000000000000000000000000000000000000000000\
        ffff000000000000bc3a120000000000bbbbbbbb000040008000000000000002\
        0000000000000000000000000000000000000000000000000000000000000000";
    /// A report with a value of its own in every field, and all bits of what is reserved.
    const SHORT: &str = "\
        04030201060200ffff81ffffffffffffffffffffffffffff\
        0201fdffffffffff0102030405060708f8f7f6f5f4f3f2f1\
        0403feffffffffff11121314151617181817161514131211";

    fn bytes(digits: &str) -> Vec<u8> {
        hex::decode(digits.replace(' ', "")).unwrap()
    }

    fn registrant(controller_id: u16, status: u8, key: u64, host: &str) -> Registrant {
        Registrant {
            controller_id,
            status,
            key: ReservationKey(key),
            host_identifier: bytes(host),
        }
    }

    #[test]
    fn the_extended_report_has_the_key_before_the_host() {
        let report = ReservationReport::parse(&bytes(EXTENDED), Form::Extended).unwrap();
        assert_eq!(
            report,
            ReservationReport {
                generation: 2,
                reservation_type: 3,
                persist_through_power_loss: 0,
                form: Form::Extended,
                registrants: vec![
                    registrant(0xffff, 1, 0xab_c123, "aaaaaaaa000040008000000000000001"),
                    registrant(0xffff, 0, 0x12_3abc, "bbbbbbbb000040008000000000000002"),
                ],
            }
        );
        let held = report.held().unwrap().unwrap();
        assert_eq!(held.key, Some(ReservationKey(0xab_c123)));
        assert_eq!(
            held.reservation_type,
            ReservationType::WriteExclusiveRegistrantsOnly
        );
    }

    #[test]
    fn the_short_report_has_the_host_before_the_key() {
        let report = ReservationReport::parse(&bytes(SHORT), Form::Short).unwrap();
        assert_eq!(
            report,
            ReservationReport {
                generation: 0x0102_0304,
                reservation_type: 6,
                persist_through_power_loss: 0x81,
                form: Form::Short,
                registrants: vec![
                    registrant(0x0102, 0xfd, 0xf1f2_f3f4_f5f6_f7f8, "0102030405060708"),
                    registrant(0x0304, 0xfe, 0x1112_1314_1516_1718, "1112131415161718"),
                ],
            }
        );
        assert!(report.registrants[0].is_holder() && !report.registrants[1].is_holder());
        assert_eq!(report.held().unwrap().unwrap().key, None);
    }

    #[test]
    fn reports_cut_anywhere_are_none() {
        for (digits, form) in [(EXTENDED, Form::Extended), (SHORT, Form::Short)] {
            let whole = bytes(digits);
            assert_eq!(
                ReservationReport::needed(&whole, form),
                Ok((whole.len(), 2))
            );
            for end in 0..whole.len() {
                let error = ReservationReport::parse(&whole[..end], form).unwrap_err();
                let short = matches!(error, InvalidReport::Short(_));
                assert_eq!(short, end < form.length(0), "{end}");
                if !short {
                    let (registered, needed) = (2, whole.len());
                    let cut = InvalidReport::Cut {
                        registered,
                        needed,
                        received: end,
                    };
                    assert_eq!(error, cut);
                }
            }
            let longer = [&whole[..], &[0xee; 99]].concat();
            assert_eq!(
                ReservationReport::parse(&longer, form),
                ReservationReport::parse(&whole, form)
            );
        }
    }

    #[test]
    fn what_was_not_written_is_missed() {
        for (digits, form) in [(EXTENDED, Form::Extended), (SHORT, Form::Short)] {
            let whole = bytes(digits);
            for unwritten in [0, UNWRITTEN] {
                for number in [1, 2] {
                    let mut data = whole.clone();
                    let start = form.length(number - 1);
                    data[start..form.length(number)].fill(unwritten);
                    assert_eq!(
                        ReservationReport::parse(&data, form),
                        Err(InvalidReport::Missing(number.into()))
                    );
                }
            }
            let nothing = vec![UNWRITTEN; 4096];
            assert_eq!(
                ReservationReport::parse(&nothing, form),
                Err(InvalidReport::Nothing)
            );
            let empty = ReservationReport::parse(&[0; 64], form).unwrap();
            assert_eq!((empty.generation, empty.registrants.len()), (0, 0));
        }
    }

    #[test]
    fn contradictions() {
        let report = |reservation_type, holders: &[(u8, u64, &str)]| {
            let registrants = holders.iter();
            let registrants =
                registrants.map(|&(status, key, host)| registrant(1, status, key, host));
            ReservationReport {
                generation: 0,
                reservation_type,
                persist_through_power_loss: 0,
                form: Form::Short,
                registrants: registrants.collect(),
            }
            .held()
        };
        assert_eq!(report(0, &[]), Ok(None));
        assert_eq!(report(0, &[(0xfe, 5, "aa")]), Ok(None));
        assert_eq!(
            report(0, &[(1, 5, "aa")]),
            Err(Contradiction::HolderOfNothing)
        );
        for code in 7..=255 {
            assert_eq!(
                report(code, &[(1, 5, "aa")]),
                Err(Contradiction::UnknownType(code))
            );
        }
        for code in 1..=4 {
            // The type is known, and that nobody listed is the holder.
            for registrants in [&[][..], &[(0, 5, "aa")], &[(0, 5, "aa"), (0xfe, 6, "bb")]] {
                let held = report(code, registrants).unwrap().unwrap();
                assert_eq!((held.reservation_type.code(), held.key), (code, None));
            }
            for other in [(1, 6, "aa"), (1, 5, "bb")] {
                assert_eq!(
                    report(code, &[(1, 5, "aa"), other]),
                    Err(Contradiction::SeveralHolders)
                );
            }
            let twice = report(code, &[(1, 5, "aa"), (0, 7, "bb"), (1, 5, "aa")]);
            assert_eq!(twice.unwrap().unwrap().key, Some(ReservationKey(5)));
        }
        for code in 5..=6 {
            assert_eq!(report(code, &[]).unwrap().unwrap().key, None);
            // Some controllers mark all of them, some the one that made it.
            let held = report(code, &[(0, 5, "aa")]).unwrap().unwrap();
            assert_eq!(held.key, None);
        }
    }
}
