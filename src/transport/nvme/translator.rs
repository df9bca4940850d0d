//! A device server in front of an NVMe namespace: it takes INQUIRY, PERSISTENT RESERVE IN and OUT,
//! sends NVMe commands in their place, and answers as a SCSI device would.
//!
//! | PERSISTENT RESERVE | NVMe |
//! |---|---|
//! | READ KEYS, READ RESERVATION, READ FULL STATUS | Reservation Report |
//! | REPORT CAPABILITIES | Identify Namespace, and Reservation Report for what is active |
//! | REGISTER | Reservation Register: register, replace or unregister, as the two keys say |
//! | REGISTER AND IGNORE EXISTING KEY | Reservation Register: register; after a conflict replace with IEKEY; unregister with IEKEY |
//! | RESERVE | Reservation Acquire: acquire |
//! | PREEMPT, PREEMPT AND ABORT | Reservation Acquire: preempt, preempt and abort |
//! | RELEASE, CLEAR | Reservation Release: release, clear |
//! | REGISTER AND MOVE, REPLACE LOST RESERVATION, SPEC_I_PT | none: refused, nothing is sent |

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Passthrough;
use super::answers::{
    nvme_type, read_full_status, read_keys, read_reservation, scsi_type, standard_inquiry,
};
use super::ending::{
    End, INVALID_FIELD_IN_CDB, INVALID_FIELD_IN_PARAMETER_LIST, INVALID_OPERATION_CODE,
    INVALID_RELEASE, PARAMETER_LIST_LENGTH_ERROR, completion, is_too_long, malformed, refused,
};
use crate::nvme::identify::{
    IdentifyController, IdentifyNamespace, ReservationCapabilities, Structure, get_host_identifier,
    identify,
};
use crate::nvme::reservation::{
    self, Acquire, AcquireAction, Form, MOST_ROOM, PersistThroughPowerLoss, Register,
    RegisterAction, Registrant, Release, ReleaseAction, ReservationReport, SPARE_ROOM,
};
use crate::nvme::status::{Meaning, NvmeStatus};
use crate::nvme::{self, UNWRITTEN};
use crate::pr::ReservationKey;
use crate::pr::prin::{self, Capabilities};
use crate::pr::prout::{self, InvalidOut, PersistentReserveOut};
use crate::pr::transport_id::TransportId;
use crate::scsi::cdb::Cdb;
use crate::transport::{
    Command, Completion, Data, Node, NodeKind, Shortcoming, Transport, os_error_text,
};

/// Bytes of room for a report, before it is known how long it is.
const REPORT_ROOM: usize = 4096;
/// How often a report that did not fit is read again.
const MORE_TRIES: usize = 4;
/// Speaks for the namespace, or the controller, behind an NVMe node.
#[derive(Debug)]
pub struct Translator<P> {
    passthrough: P,
    node: Node,
    /// The name of a namespace's node, for people who took the controller's.
    example: String,
    timeout: Duration,
    sent: Vec<String>,
    controller: Option<IdentifyController>,
    capabilities: Option<ReservationCapabilities>,
}

impl<P: Passthrough> Transport for Translator<P> {
    fn execute(&mut self, command: Command<'_>) -> io::Result<Completion> {
        let started = Instant::now();
        self.timeout = command.timeout;
        self.sent.clear();
        let answer = self.answer(&command.cdb, &command.data);
        let room = allocation_length(&command.cdb);
        let mut completion = completion(answer, command.data, room)?;
        completion.duration = started.elapsed();
        completion.translation.sent = self.sent();
        Ok(completion)
    }

    fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
    }

    fn node(&self) -> Node {
        self.node
    }

    fn host(&mut self, timeout: Duration) -> Option<TransportId> {
        self.timeout = timeout;
        self.sent.clear();
        let identifier = self.own_identifier().ok()?;
        // A host without an identifier is another one on each controller.
        let is_named = identifier.iter().any(|&byte| byte != 0);
        is_named
            .then(|| TransportId::nvme_host(&identifier))
            .flatten()
    }
}

/// The room that a PERSISTENT RESERVE IN command has for its answer, in bytes; `None` for other
/// commands.
fn allocation_length(cdb: &Cdb) -> Option<usize> {
    match *cdb.as_bytes() {
        [Cdb::PERSISTENT_RESERVE_IN, _, _, _, _, _, _, high, low, _] => {
            Some(u16::from_be_bytes([high, low]).into())
        }
        _ => None,
    }
}

impl<P: Passthrough> Translator<P> {
    /// Sends commands through `passthrough`, which leads to the `node` called `device`.
    pub fn new(passthrough: P, node: Node, device: &Path) -> Self {
        Self {
            passthrough,
            node,
            example: format!("{}n1", device.display()),
            timeout: Duration::ZERO,
            sent: Vec::new(),
            controller: None,
            capabilities: None,
        }
    }

    /// The parameter data with which the device server answers.
    fn answer(&mut self, cdb: &Cdb, data: &Data<'_>) -> Result<Vec<u8>, End> {
        match (cdb.operation_code(), data) {
            (Cdb::INQUIRY, _) => self.inquiry(cdb),
            (Cdb::PERSISTENT_RESERVE_IN, _) => self.prin(cdb),
            (Cdb::PERSISTENT_RESERVE_OUT, Data::Out(list)) => {
                self.prout(cdb, list).map(|()| Vec::new())
            }
            (Cdb::PERSISTENT_RESERVE_OUT, _) => self.prout(cdb, &[]).map(|()| Vec::new()),
            _ => refused(INVALID_OPERATION_CODE, "NVMe has no such command"),
        }
    }

    /// Standard INQUIRY data (SPC-5 6.7), made of Identify Controller.
    fn inquiry(&mut self, cdb: &Cdb) -> Result<Vec<u8>, End> {
        let &[_, evpd, page, high, low, _] = cdb.as_bytes() else {
            return refused(INVALID_FIELD_IN_CDB, "the INQUIRY command has 6 bytes");
        };
        if evpd & 1 == 1 || page != 0 {
            return refused(INVALID_FIELD_IN_CDB, "there is standard INQUIRY data only");
        }
        let is_namespace = self.namespace().is_some();
        let mut data = standard_inquiry(self.controller()?, is_namespace);
        data.truncate(usize::from(u16::from_be_bytes([high, low])));
        Ok(data)
    }

    fn namespace(&self) -> Option<u32> {
        match self.node.kind {
            NodeKind::NvmeBlock { namespace } | NodeKind::NvmeGeneric { namespace } => {
                Some(namespace)
            }
            _ => None,
        }
    }

    /// The namespace, of a controller that has reservations.
    fn reservations(&mut self) -> Result<u32, End> {
        let Some(namespace) = self.namespace() else {
            let example = &self.example;
            return refused(
                INVALID_OPERATION_CODE,
                format!(
                    "an NVMe controller has no reservations, its namespaces have: take a \
                     namespace's node, such as {example}"
                ),
            );
        };
        if !self.controller()?.supports_reservations() {
            return refused(
                INVALID_OPERATION_CODE,
                "the NVMe controller does not support reservations (bit 5 of ONCS is 0)",
            );
        }
        Ok(namespace)
    }

    /// The whole answer, whatever room the command has for it.
    fn prin(&mut self, cdb: &Cdb) -> Result<Vec<u8>, End> {
        let &[_, action, _, _, _, _, _, _, _, _] = cdb.as_bytes() else {
            return refused(INVALID_FIELD_IN_CDB, "the command has 10 bytes");
        };
        let Some(action) = prin::ServiceAction::from_code(action & 0x1f) else {
            return refused(
                INVALID_FIELD_IN_CDB,
                "PERSISTENT RESERVE IN has no such service action",
            );
        };
        let namespace = self.reservations()?;
        Ok(match action {
            prin::ServiceAction::ReadKeys => read_keys(&self.report(namespace)?),
            prin::ServiceAction::ReadReservation => read_reservation(&self.report(namespace)?)?,
            prin::ServiceAction::ReportCapabilities => self.report_capabilities(namespace)?,
            prin::ServiceAction::ReadFullStatus => read_full_status(&self.report(namespace)?)?,
        })
    }

    fn report_capabilities(&mut self, namespace: u32) -> Result<Vec<u8>, End> {
        let capabilities = self.capabilities(namespace)?;
        let persists = capabilities.persist_through_power_loss();
        let active = persists && self.report(namespace)?.persist_through_power_loss == 1;
        let types = reservation::ReservationType::ALL.into_iter();
        let types = types.filter(|&known| capabilities.supports(known));
        let data = Capabilities {
            // A registration is the host's, through whichever controller it was made.
            all_target_ports_capable: true,
            persist_through_power_loss_capable: persists,
            persist_through_power_loss_active: active,
            type_mask: Some(types.map(scsi_type).collect()),
            ..Capabilities::default()
        };
        Ok(data.emit())
    }

    fn prout(&mut self, cdb: &Cdb, list: &[u8]) -> Result<(), End> {
        let out = PersistentReserveOut::parse(cdb, list).or_else(|error| {
            let code = match error {
                InvalidOut::Command | InvalidOut::ServiceAction(_) => INVALID_FIELD_IN_CDB,
                InvalidOut::ListLength(_) => PARAMETER_LIST_LENGTH_ERROR,
                InvalidOut::TransportIds => INVALID_FIELD_IN_PARAMETER_LIST,
            };
            refused(code, error.to_string())
        })?;
        if out.specifies_initiator_ports() {
            return refused(
                INVALID_FIELD_IN_PARAMETER_LIST,
                "NVMe hosts register themselves only: no TransportIDs can be given",
            );
        }
        match out.action {
            prout::ServiceAction::Register => {
                let namespace = self.reservations()?;
                self.register(namespace, &out)
            }
            prout::ServiceAction::RegisterAndIgnoreExistingKey => {
                let namespace = self.reservations()?;
                self.register_and_ignore(namespace, &out)
            }
            prout::ServiceAction::Reserve => self.acquire(AcquireAction::Acquire, &out),
            prout::ServiceAction::Preempt => self.acquire(AcquireAction::Preempt, &out),
            prout::ServiceAction::PreemptAndAbort => {
                self.acquire(AcquireAction::PreemptAndAbort, &out)
            }
            prout::ServiceAction::Release => {
                let action = ReleaseAction::Release(nvme_type(&out)?);
                let ended = self.release(action, &out);
                match ended {
                    // The type is one that there is; so it is not that of the reservation.
                    Err(end) if end.is(NvmeStatus::INVALID_FIELD) => refused(
                        INVALID_RELEASE,
                        "the reservation is not of this type (Reservation Release ended with \
                         NVMe status 0x2)",
                    ),
                    ended => ended,
                }
            }
            prout::ServiceAction::Clear => self.release(ReleaseAction::Clear, &out),
            prout::ServiceAction::RegisterAndMove => refused(
                INVALID_FIELD_IN_CDB,
                "NVMe has nothing like REGISTER AND MOVE",
            ),
            prout::ServiceAction::ReplaceLostReservation => refused(
                INVALID_FIELD_IN_CDB,
                "NVMe has nothing like REPLACE LOST RESERVATION",
            ),
        }
    }

    /// REGISTER: the two keys tell which of the three register actions it is.
    fn register(&mut self, namespace: u32, out: &PersistentReserveOut) -> Result<(), End> {
        let (current_key, new_key) = (out.reservation_key, out.service_action_reservation_key);
        let action = match (current_key, new_key) {
            (ReservationKey::NONE, ReservationKey::NONE) => {
                let persist_through_power_loss = match out.activate_persist_through_power_loss {
                    true => self.persist(namespace, out)?,
                    false => PersistThroughPowerLoss::NoChange,
                };
                // Whoever is not registered asks for what is the case.
                return match self.registration(namespace)? {
                    Registration::Made => Err(End::Conflict),
                    missing => missing.suffices(persist_through_power_loss),
                };
            }
            (ReservationKey::NONE, _) => RegisterAction::Register,
            (_, ReservationKey::NONE) => RegisterAction::Unregister,
            _ => RegisterAction::Replace,
        };
        let persist_through_power_loss = self.persist(namespace, out)?;
        self.send_register(
            namespace,
            Register {
                action,
                ignore_existing_key: false,
                persist_through_power_loss,
                current_key,
                new_key,
            },
        )
    }

    /// REGISTER AND IGNORE EXISTING KEY. NVMe can replace or remove any key, but only where there
    /// is one. Where it goes between two commands the host is not registered again: who removed it
    /// may have fenced this host.
    fn register_and_ignore(
        &mut self,
        namespace: u32,
        out: &PersistentReserveOut,
    ) -> Result<(), End> {
        let persist_through_power_loss = self.persist(namespace, out)?;
        let command = |action, ignore_existing_key| Register {
            action,
            ignore_existing_key,
            persist_through_power_loss,
            current_key: ReservationKey::NONE,
            new_key: out.service_action_reservation_key,
        };
        if out.service_action_reservation_key == ReservationKey::NONE {
            let ended = self.send_register(namespace, command(RegisterAction::Unregister, true));
            return match ended {
                Err(end) if end.is(NvmeStatus::RESERVATION_CONFLICT) => {
                    match self.registration(namespace) {
                        Ok(missing @ Registration::Missing { .. }) => {
                            missing.suffices(persist_through_power_loss)
                        }
                        _ => Err(end),
                    }
                }
                ended => ended,
            };
        }
        let ended = self.send_register(namespace, command(RegisterAction::Register, false));
        match ended {
            // The host has another key.
            Err(end) if end.is(NvmeStatus::RESERVATION_CONFLICT) => {}
            ended => return ended,
        }
        match self.send_register(namespace, command(RegisterAction::Replace, true)) {
            Err(end) if end.is(NvmeStatus::RESERVATION_CONFLICT) => Err(End::Removed),
            ended => ended,
        }
    }

    /// What APTPL makes of the namespace's persisting through a power loss. It is the namespace's,
    /// for the registrations of all hosts: one that says nothing of it, or unregisters, leaves it
    /// as it is.
    fn persist(
        &mut self,
        namespace: u32,
        out: &PersistentReserveOut,
    ) -> Result<PersistThroughPowerLoss, End> {
        let capable = self.capabilities(namespace)?.persist_through_power_loss();
        match (out.activate_persist_through_power_loss, capable) {
            (true, true) => Ok(PersistThroughPowerLoss::Activate),
            (false, _) => Ok(PersistThroughPowerLoss::NoChange),
            (true, false) => refused(
                INVALID_FIELD_IN_PARAMETER_LIST,
                "the namespace cannot keep registrations through a power loss (bit 0 of RESCAP \
                 is 0)",
            ),
        }
    }

    /// Sends the command. Where it is to activate persisting through a power loss, makes sure that
    /// it did: a host that registers the key that it has is told that it is done, and nothing is.
    /// The key is put in its own place then, which is not nothing.
    fn send_register(&mut self, namespace: u32, register: Register) -> Result<(), End> {
        let mut register = register;
        let mut again = false;
        let unknown = |end: End| {
            End::Short(
                Shortcoming::Unknown,
                format!(
                    "whether registrations and reservation persist through a power loss is not \
                     known: {end}"
                ),
            )
        };
        loop {
            let (command, list) = register.emit(namespace);
            let ended = self.send(&command, Data::Out(&list));
            match again {
                false => ended?,
                true => ended.map_err(unknown)?,
            }
            if register.persist_through_power_loss != PersistThroughPowerLoss::Activate {
                return Ok(());
            }
            let report = self.report(namespace).map_err(unknown)?;
            if report.persist_through_power_loss == 1 {
                return Ok(());
            }
            if register.action != RegisterAction::Register {
                return Err(End::Short(
                    Shortcoming::NotThere,
                    format!(
                        "the keys are as asked for, but registrations and reservation do not \
                         persist through a power loss (PTPLS is {})",
                        report.persist_through_power_loss
                    ),
                ));
            }
            register = Register {
                action: RegisterAction::Replace,
                current_key: register.new_key,
                ..register
            };
            again = true;
        }
    }

    fn acquire(&mut self, action: AcquireAction, out: &PersistentReserveOut) -> Result<(), End> {
        let acquire = Acquire {
            action,
            reservation_type: nvme_type(out)?,
            current_key: out.reservation_key,
            preempt_key: match action {
                AcquireAction::Acquire => ReservationKey::NONE,
                _ => out.service_action_reservation_key,
            },
        };
        let namespace = self.reservations()?;
        let (command, list) = acquire.emit(namespace);
        let ended = self.send(&command, Data::Out(&list));
        let of_all_registrants =
            action != AcquireAction::Acquire && acquire.preempt_key == ReservationKey::NONE;
        match ended {
            Err(end)
                if of_all_registrants
                    && end.is(NvmeStatus::INVALID_FIELD)
                    && self.is_not_held_by_all(namespace) =>
            {
                refused(
                    INVALID_FIELD_IN_PARAMETER_LIST,
                    "key 0 preempts all registrants of a reservation that they hold, and there is \
                     none of theirs (Reservation Acquire ended with NVMe status 0x2)",
                )
            }
            ended => ended,
        }
    }

    /// Whether there is surely no reservation that all registrants hold.
    fn is_not_held_by_all(&mut self, namespace: u32) -> bool {
        self.report(namespace).is_ok_and(|report| {
            let held = reservation::ReservationType::from_code(report.reservation_type);
            report.reservation_type == 0 || held.is_some_and(|held| !held.is_held_by_all())
        })
    }

    fn release(&mut self, action: ReleaseAction, out: &PersistentReserveOut) -> Result<(), End> {
        let release = Release {
            action,
            current_key: out.reservation_key,
        };
        let (command, list) = release.emit(self.reservations()?);
        self.send(&command, Data::Out(&list))
    }

    /// This host's registration, through any of its controllers.
    fn registration(&mut self, namespace: u32) -> Result<Registration, End> {
        let report = self.report(namespace)?;
        let identifier = self.host_identifier(report.form)?;
        // A host without an identifier is another one on each controller.
        let anonymous = identifier.iter().all(|&byte| byte == 0);
        let own_controller = self.controller()?.controller_id;
        let is_own = |registrant: &Registrant| {
            registrant.host_identifier == identifier
                && (!anonymous || registrant.controller_id == own_controller)
        };
        Ok(match report.registrants.iter().any(is_own) {
            true => Registration::Made,
            false => Registration::Missing {
                persist_through_power_loss: report.persist_through_power_loss,
            },
        })
    }

    /// This host's identifier, as reports of this `form` have it.
    fn host_identifier(&mut self, form: Form) -> Result<Vec<u8>, End> {
        let command = get_host_identifier(form);
        let identifier = self.read(&command)?;
        self.confirm(&command, &identifier, identifier.len(), identifier.len())?;
        Ok(identifier)
    }

    /// This host's identifier, as the report of this namespace has it.
    fn own_identifier(&mut self) -> Result<Vec<u8>, End> {
        let namespace = self.reservations()?;
        let form = self.report(namespace)?.form;
        self.host_identifier(form)
    }

    /// The whole reservation report, in the form that the controller has.
    fn report(&mut self, namespace: u32) -> Result<ReservationReport, End> {
        let extended = self.controller()?.supports_extended_host_identifier();
        // A controller that supports both has the form of the host identifier that was set.
        let [first, second] = match extended {
            true => [Form::Extended, Form::Short],
            false => [Form::Short, Form::Extended],
        };
        let wrong_form = |end: &End| {
            end.is(NvmeStatus::HOST_IDENTIFIER_INCONSISTENT_FORMAT)
                || end.is(NvmeStatus::INVALID_FIELD)
        };
        match self.report_in(first, namespace) {
            Err(end) if wrong_form(&end) => match self.report_in(second, namespace) {
                Err(other) if wrong_form(&other) => Err(end),
                report => report,
            },
            report => report,
        }
    }

    fn report_in(&mut self, form: Form, namespace: u32) -> Result<ReservationReport, End> {
        let mut room = REPORT_ROOM;
        let mut more_tries = MORE_TRIES;
        // Why more room is asked for.
        let mut reason = String::new();
        loop {
            let command = reservation::report(namespace, form, room);
            let buffer = match self.read(&command) {
                Err(end) if room > REPORT_ROOM && is_too_long(&end) => {
                    return Err(malformed(format!(
                        "{reason}; no command for {} bytes is taken",
                        command.data_length()
                    )));
                }
                read => read?,
            };
            let (needed, registered) =
                ReservationReport::needed(&buffer, form).map_err(malformed)?;
            if needed + SPARE_ROOM <= buffer.len() {
                let report = ReservationReport::parse(&buffer, form).map_err(malformed)?;
                self.confirm(&command, &buffer, needed, needed)?;
                return Ok(report);
            }
            let takes = format!(
                "the reservation report names {registered} registered controllers and takes \
                 {needed} bytes"
            );
            if needed <= buffer.len() {
                // Others may have found no room any more, and not be counted.
                reason = format!(
                    "{takes}, for which there were {}, so it may be cut",
                    buffer.len()
                );
                if buffer.len() >= MOST_ROOM {
                    return Err(malformed(reason));
                }
                room = buffer.len() * 2;
            } else if more_tries > 0 {
                reason = takes;
                room = needed + SPARE_ROOM;
                more_tries -= 1;
            } else {
                return Err(malformed(format!(
                    "the reservation report kept growing while it was read: it takes {needed} \
                     bytes now, for {registered} registered controllers"
                )));
            }
        }
    }

    fn controller(&mut self) -> Result<&IdentifyController, End> {
        let controller = match self.controller.take() {
            Some(controller) => controller,
            None => {
                let data = self.identify(Structure::Controller, IdentifyController::USED)?;
                IdentifyController::parse(&data).map_err(malformed)?
            }
        };
        Ok(self.controller.insert(controller))
    }

    fn capabilities(&mut self, namespace: u32) -> Result<ReservationCapabilities, End> {
        let capabilities = match self.capabilities {
            Some(capabilities) => capabilities,
            None => {
                let data =
                    self.identify(Structure::Namespace(namespace), IdentifyNamespace::USED)?;
                let parsed = IdentifyNamespace::parse(&data).map_err(malformed)?;
                parsed.reservation_capabilities
            }
        };
        self.capabilities = Some(capabilities);
        match capabilities.any() {
            true => Ok(capabilities),
            false => refused(
                INVALID_OPERATION_CODE,
                "the NVMe namespace does not support reservations (RESCAP is 0)",
            ),
        }
    }

    /// Identify data of which the first `used` bytes are looked at.
    fn identify(&mut self, structure: Structure, used: usize) -> Result<Vec<u8>, End> {
        let command = identify(structure);
        let data = self.read(&command)?;
        self.confirm(&command, &data, used, data.len())?;
        match data.iter().any(|&byte| byte != 0) {
            true => Ok(data),
            false => Err(malformed(format!(
                "{} brought nothing but zeros",
                command.name()
            ))),
        }
    }

    /// Sends a command with data in. What is not written is [`UNWRITTEN`].
    fn read(&mut self, command: &nvme::Command) -> Result<Vec<u8>, End> {
        let mut data = vec![UNWRITTEN; command.data_length()];
        self.send(command, Data::In(&mut data))?;
        Ok(data)
    }

    /// Makes sure that the first `used` bytes of what [`Translator::read`] gave were written. The
    /// kernel does not say how many bytes came, but they come in order: where the last of the first
    /// `written` may never have been written, the same is read over something else.
    fn confirm(
        &mut self,
        command: &nvme::Command,
        data: &[u8],
        used: usize,
        written: usize,
    ) -> Result<(), End> {
        if data.get(..written).and_then(<[u8]>::last) != Some(&UNWRITTEN) {
            return Ok(());
        }
        let mut again = vec![!UNWRITTEN; data.len()];
        self.send(command, Data::In(&mut again))?;
        match again.get(..used) == data.get(..used) {
            true => Ok(()),
            false => Err(malformed(format!(
                "the data of {} came in part only, or changed while it was read",
                command.name()
            ))),
        }
    }

    /// Sends one command; every status but success is an end.
    fn send(&mut self, command: &nvme::Command, data: Data<'_>) -> Result<(), End> {
        let shown = match &data {
            Data::Out(list) => format!("{command} data={}", hex::encode(list)),
            _ => command.to_string(),
        };
        let result = self.passthrough.send(command, data, self.timeout);
        let end = match &result {
            Ok(status) => format!("{:#06x} {}", status.0, status.name()),
            Err(error) => match error.raw_os_error() {
                Some(number) => format!("{} (errno={number})", os_error_text(error)),
                None => os_error_text(error),
            },
        };
        self.sent.push(format!("{shown}: {end}"));
        let status = result.map_err(|error| match error.raw_os_error() {
            Some(libc::EINTR) => End::Lost(format!(
                "the kernel gave {} up: it took too long, or the controller was reset",
                command.name()
            )),
            Some(libc::EAGAIN) => End::NoPath(format!(
                "no path to the namespace is usable now, so {} was not sent",
                command.name()
            )),
            _ => End::Os(error),
        })?;
        match status.meaning() {
            Meaning::Good => Ok(()),
            _ => Err(End::Nvme(command.name(), status)),
        }
    }
}

/// Whether this host is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registration {
    Made,
    Missing {
        /// PTPLS of the report that does not list it.
        persist_through_power_loss: u8,
    },
}

impl Registration {
    /// What becomes of a command to unregister, for which there is nothing to do but, it may be, to
    /// activate persisting through a power loss.
    fn suffices(self, asked: PersistThroughPowerLoss) -> Result<(), End> {
        match self {
            Self::Missing {
                persist_through_power_loss,
            } if asked == PersistThroughPowerLoss::Activate && persist_through_power_loss != 1 => {
                Err(End::Short(
                    Shortcoming::NotThere,
                    format!(
                        "this host is not registered, so nothing was changed, and registrations \
                         and reservation do not persist through a power loss (PTPLS is \
                         {persist_through_power_loss})"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}
