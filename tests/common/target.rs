//! A SCSI target with one logical unit, straight from the standard, the paths that lead to it, and
//! what can happen to each of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sg_persist::pr::prin::{
    Capabilities, FullStatusDescriptor, ReadFullStatus, ReadKeys, ReadReservation, Reservation,
    TargetPorts,
};
use sg_persist::pr::prout::{PersistentReserveOut, ServiceAction};
use sg_persist::pr::transport_id::TransportId;
use sg_persist::pr::{ReservationKey, ReservationType, Scope};
use sg_persist::scsi::cdb::Cdb;
use sg_persist::scsi::status::ScsiStatus;
use sg_persist::transport::remote::{Nodes, OwnedData, Reply, Request};
use sg_persist::transport::{Completion, HostStatus, Node, NodeKind};

/// An I_T nexus: the initiator port, and the relative target port identifier.
pub(crate) type Nexus = (u64, u16);

/// The logical unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    /// The key of each nexus that is registered.
    pub(crate) keys: BTreeMap<Nexus, u64>,
    /// The type of the reservation, and the nexus that holds it; `None` for all registrants.
    pub(crate) holder: Option<(Option<Nexus>, u8)>,
    pub(crate) generation: u32,
    /// Unit attentions that wait, for each nexus.
    pub(crate) attentions: BTreeMap<Nexus, Vec<(u8, u8)>>,
    /// Whether READ FULL STATUS is supported.
    pub(crate) has_full_status: bool,
}

/// How a command ends at the device server.
enum Status {
    Good(Vec<u8>),
    Conflict,
    Check(u8, u8, u8),
}

const INVALID_FIELD: Status = Status::Check(5, 0x24, 0);
const INVALID_RELEASE: Status = Status::Check(5, 0x26, 4);

impl Unit {
    fn is_all(kind: u8) -> bool {
        ReservationType::from_low_bits(kind).is_held_by_all()
    }

    fn holds(&self, nexus: Nexus) -> bool {
        match self.holder {
            None => false,
            Some((Some(holder), _)) => holder == nexus,
            Some((None, _)) => self.keys.contains_key(&nexus),
        }
    }

    fn unregister(&mut self, nexus: Nexus) {
        self.keys.remove(&nexus);
        match self.holder {
            Some((Some(holder), kind)) if holder == nexus => {
                self.holder = None;
                if matches!(kind, 5 | 6) {
                    self.attend(nexus, (0x2a, 4), |_| true);
                }
            }
            Some((None, _)) if self.keys.is_empty() => self.holder = None,
            _ => {}
        }
    }

    /// A unit attention for the registered nexuses but `from`.
    fn attend(&mut self, from: Nexus, code: (u8, u8), whom: impl Fn(u64) -> bool) {
        for (&nexus, &key) in &self.keys {
            if nexus != from && whom(key) {
                self.attentions.entry(nexus).or_default().push(code);
            }
        }
    }

    fn execute(&mut self, from: Nexus, cdb: &[u8], list: &[u8], name: &[u8]) -> Status {
        match cdb {
            [Cdb::INQUIRY, 1, 0x83, ..] => return Status::Good(page_83(name, from.1)),
            [Cdb::INQUIRY, ..] => {
                let mut data = b"\0\0\x06\x02\x1f\0\0\x02VENDOR  PRODUCT         0001".to_vec();
                data.truncate(36);
                return Status::Good(data);
            }
            _ => {}
        }
        if let Some(waiting) = self.attentions.get_mut(&from)
            && !waiting.is_empty()
        {
            let (asc, ascq) = waiting.remove(0);
            return Status::Check(6, asc, ascq);
        }
        match cdb {
            [Cdb::PERSISTENT_RESERVE_IN, action, ..] => self.read(action & 0x1f),
            [Cdb::PERSISTENT_RESERVE_OUT, ..] => {
                let cdb: [u8; 10] = cdb.try_into().unwrap();
                let out = PersistentReserveOut::parse(&Cdb::ten(cdb), list).unwrap();
                self.change(from, &out)
            }
            _ => Status::Check(5, 0x20, 0),
        }
    }

    fn read(&self, action: u8) -> Status {
        let scope = Scope::LU_SCOPE;
        Status::Good(match action {
            0 => ReadKeys {
                generation: self.generation,
                keys: self.keys.values().map(|&key| ReservationKey(key)).collect(),
            }
            .emit(),
            1 => ReadReservation {
                generation: self.generation,
                reservation: self.holder.map(|(holder, kind)| Reservation {
                    reservation_key: ReservationKey(holder.map_or(0, |holder| self.keys[&holder])),
                    scope,
                    reservation_type: ReservationType::from_low_bits(kind),
                }),
            }
            .emit(),
            2 => Capabilities::default().emit(),
            3 if self.has_full_status => ReadFullStatus {
                generation: self.generation,
                descriptors: self
                    .keys
                    .iter()
                    .map(|(&nexus, &key)| FullStatusDescriptor {
                        reservation_key: ReservationKey(key),
                        target_ports: TargetPorts::Relative(nexus.1),
                        held: self
                            .holder
                            .filter(|_| self.holds(nexus))
                            .map(|(_, kind)| (scope, ReservationType::from_low_bits(kind))),
                        transport_id: Some(TransportId::sas(nexus.0)),
                    })
                    .collect(),
            }
            .emit(),
            _ => return INVALID_FIELD,
        })
    }

    fn change(&mut self, from: Nexus, out: &PersistentReserveOut) -> Status {
        use ServiceAction as Action;
        let good = || Status::Good(Vec::new());
        let own = self.keys.get(&from).copied().unwrap_or_default();
        let given = out.reservation_key.0;
        let new = out.service_action_reservation_key.0;
        let kind = out.reservation_type.code();
        let ignores = out.action == Action::RegisterAndIgnoreExistingKey;
        let registers = ignores || out.action == Action::Register;
        if !ignores && given != own || !registers && own == 0 {
            return Status::Conflict;
        }
        let made = (!Self::is_all(kind)).then_some(from);
        match out.action {
            Action::Register | Action::RegisterAndIgnoreExistingKey => {
                self.generation += 1;
                match new {
                    0 => self.unregister(from),
                    _ => drop(self.keys.insert(from, new)),
                }
            }
            Action::Reserve => match self.holder {
                None => self.holder = Some((made, kind)),
                Some((_, held)) if held == kind && self.holds(from) => {}
                Some(_) => return Status::Conflict,
            },
            Action::Release => match self.holder {
                Some((_, held)) if self.holds(from) => {
                    if held != kind {
                        return INVALID_RELEASE;
                    }
                    self.holder = None;
                    self.attend(from, (0x2a, 4), |_| true);
                }
                _ => {}
            },
            Action::Clear => {
                self.generation += 1;
                self.attend(from, (0x2a, 3), |_| true);
                self.keys.clear();
                self.holder = None;
            }
            Action::Preempt | Action::PreemptAndAbort => {
                let all = matches!(self.holder, Some((None, _)));
                if !(self.keys.values().any(|&key| key == new) || new == 0 && all) {
                    return Status::Conflict;
                }
                self.generation += 1;
                let takes = match self.holder {
                    Some((Some(holder), _)) => self.keys[&holder] == new,
                    Some((None, _)) => new == 0,
                    None => false,
                };
                let victims: Vec<Nexus> = self
                    .keys
                    .iter()
                    .filter(|&(&nexus, &key)| nexus != from && (key == new || new == 0))
                    .map(|(&nexus, _)| nexus)
                    .collect();
                for victim in victims {
                    self.keys.remove(&victim);
                    self.attentions.entry(victim).or_default().push((0x2a, 5));
                }
                if takes {
                    self.holder = Some((made, kind));
                }
            }
            Action::RegisterAndMove | Action::ReplaceLostReservation => return INVALID_FIELD,
        }
        good()
    }
}

/// The Device Identification VPD page: a NAA designator of the logical unit, and the relative target
/// port identifier.
fn page_83(name: &[u8], port: u16) -> Vec<u8> {
    let mut list = vec![0x01, 0x03, 0, u8::try_from(name.len()).unwrap()];
    list.extend(name);
    let [high, low] = port.to_be_bytes();
    list.extend([0x61, 0x94, 0, 4, 0, 0, high, low]);
    let mut page = vec![0, 0x83, 0, u8::try_from(list.len()).unwrap()];
    page.extend(list);
    page
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its node cannot be opened, or takes no command: this error.
    Errno(i32),
    /// Every PERSISTENT RESERVE command ends with CHECK CONDITION and this sense.
    Sense(u8, u8, u8),
    /// PERSISTENT RESERVE OUT alone does.
    SenseOut(u8, u8, u8),
    /// Answers take this long.
    Slow(Duration),
    /// PERSISTENT RESERVE OUT gets there, and its answer is lost.
    AnswerLost,
    /// PERSISTENT RESERVE OUT does not get there, and nobody knows.
    CommandLost,
    /// The parameter data of PERSISTENT RESERVE IN is cut.
    Short,
    /// It leads to another logical unit.
    OtherUnit,
    /// It does not tell which logical unit it leads to.
    NoIdentity,
    /// Another disk has its name.
    OtherNumber,
}

/// One path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathTo {
    pub(crate) nexus: Nexus,
    pub(crate) fault: Option<Fault>,
}

/// Looks at each command before it is carried out, and may change what there is: the path, the
/// command, what it leads to.
pub(crate) type Event = Box<dyn FnMut(usize, &[u8], &mut Stage) + Send>;

/// The logical unit and the paths to it.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) unit: Unit,
    pub(crate) paths: Vec<PathTo>,
    /// Each command: the path, and the CDB with the parameter list.
    pub(crate) sent: Vec<(usize, Vec<u8>)>,
    pub(crate) event: Option<Event>,
}

/// The paths to a logical unit as nodes; time passes as it is waited for.
pub(crate) struct Wire {
    stage: Arc<Mutex<Stage>>,
    now: Duration,
    coming: Vec<(Duration, u32, Reply)>,
    /// By a node's number: its path.
    open: BTreeMap<u32, usize>,
}

impl Wire {
    pub(crate) fn new(stage: &Arc<Mutex<Stage>>) -> Self {
        Self {
            stage: Arc::clone(stage),
            now: Duration::ZERO,
            coming: Vec::new(),
            open: BTreeMap::new(),
        }
    }
}

fn failed(errno: i32) -> Reply {
    Reply::Failed {
        error: io::Error::from_raw_os_error(errno),
        sent: Vec::new(),
    }
}

/// The path that `/dev/sdX` is.
pub(crate) fn path_of(device: &std::path::Path) -> usize {
    let name = device.to_str().unwrap();
    usize::from(name.as_bytes()[name.len() - 1] - b'a')
}

impl Nodes for Wire {
    fn begin(&mut self, number: u32, request: Request) -> io::Result<()> {
        let mut stage = self.stage.lock().unwrap();
        let mut time = Duration::ZERO;
        let reply = match request {
            Request::Close => {
                self.open.remove(&number);
                self.coming.retain(|(_, from, _)| *from != number);
                return Ok(());
            }
            Request::Host { .. } => Reply::Host {
                host: None,
                sent: Vec::new(),
            },
            Request::Open { device, .. } => {
                let path = path_of(&device);
                self.open.insert(number, path);
                match stage.paths[path].fault {
                    Some(Fault::Errno(errno)) => failed(errno),
                    fault => Reply::Opened {
                        node: Node {
                            kind: NodeKind::Block,
                            block: Some(match fault {
                                Some(Fault::OtherNumber) => (65, 0),
                                _ => (8, 16 * path as u64),
                            }),
                            ..Node::default()
                        },
                        sg_driver_version: None,
                    },
                }
            }
            Request::Execute { cdb, data, .. } => {
                let path = self.open[&number];
                if let Some(mut event) = stage.event.take() {
                    event(path, cdb.as_bytes(), &mut stage);
                    stage.event.get_or_insert(event);
                }
                if let Some(Fault::Slow(slow)) = stage.paths[path].fault {
                    time = slow;
                }
                executed(&mut stage, path, cdb, data)
            }
        };
        self.coming.push((self.now + time, number, reply));
        Ok(())
    }

    fn next(&mut self, within: Option<Duration>) -> io::Result<Option<(u32, Reply)>> {
        let first = (0..self.coming.len()).min_by_key(|&index| self.coming[index].0);
        let due = first.map(|index| self.coming[index].0);
        let until = within.map(|within| self.now + within);
        match (first, due, until) {
            (Some(_), Some(due), Some(until)) if due > until => self.now = until,
            (Some(index), Some(due), _) => {
                self.now = self.now.max(due);
                let (_, number, reply) = self.coming.remove(index);
                return Ok(Some((number, reply)));
            }
            (_, _, Some(until)) => self.now = until,
            (_, _, None) => panic!("nothing is coming, and nobody stops waiting for it"),
        }
        Ok(None)
    }

    fn now(&self) -> Duration {
        self.now
    }
}

fn executed(stage: &mut Stage, path: usize, cdb: Cdb, data: OwnedData) -> Reply {
    let bytes = cdb.as_bytes();
    let (list, room) = match data {
        OwnedData::None => (Vec::new(), Vec::new()),
        OwnedData::In(room) => (Vec::new(), room),
        OwnedData::Out(list) => (list, Vec::new()),
    };
    stage.sent.push((path, [bytes, &list].concat()));
    let PathTo { nexus, fault } = stage.paths[path];
    let is_change = bytes[0] == Cdb::PERSISTENT_RESERVE_OUT;
    let is_pr = is_change || bytes[0] == Cdb::PERSISTENT_RESERVE_IN;
    let lost = || Reply::Executed {
        completion: Completion {
            host_status: HostStatus(0x0e),
            ..Completion::default()
        },
        data: Vec::new(),
    };
    let mut name = b"\x50\x01\x40\x5a\x0b\xc0\xd1\xe2".to_vec();
    let status = match fault {
        Some(Fault::Errno(errno)) => return failed(errno),
        Some(Fault::Sense(key, asc, ascq)) if is_pr => Status::Check(key, asc, ascq),
        Some(Fault::SenseOut(key, asc, ascq)) if is_change => Status::Check(key, asc, ascq),
        Some(Fault::CommandLost) if is_change => return lost(),
        Some(Fault::NoIdentity) if bytes[..3] == [0x12, 1, 0x83] => INVALID_FIELD,
        fault => {
            if fault == Some(Fault::OtherUnit) {
                name[7] ^= 1;
            }
            stage.unit.execute(nexus, bytes, &list, &name)
        }
    };
    if fault == Some(Fault::AnswerLost) && is_change {
        return lost();
    }
    let mut completion = Completion::default();
    let mut data = room;
    match status {
        Status::Good(mut answer) => {
            if fault == Some(Fault::Short) && is_pr {
                answer.truncate(5);
            }
            let length = answer.len().min(data.len());
            data[..length].copy_from_slice(&answer[..length]);
            completion.residual = i64::try_from(data.len() - length).unwrap();
        }
        Status::Conflict => completion.status = ScsiStatus::RESERVATION_CONFLICT,
        Status::Check(key, asc, ascq) => {
            completion.status = ScsiStatus::CHECK_CONDITION;
            completion.sense = vec![
                0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0,
            ];
            completion.residual = i64::try_from(data.len()).unwrap();
        }
    }
    Reply::Executed { completion, data }
}
