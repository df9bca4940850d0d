//! What another program does with the library: two nodes of a cluster that share a disk, one of which fences the other.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use sg_persist::host_ports;
use sg_persist::logical_unit::{ChangeError, LogicalUnit};
use sg_persist::pr::prout::{PersistentReserveOut, ServiceAction};
use sg_persist::pr::transport_id::TransportId;
use sg_persist::pr::{ReservationKey, ReservationType};
use sg_persist::transport::Access;

/// A node of the cluster: its way to the disk, its key, its ports.
struct Node {
    unit: LogicalUnit,
    key: ReservationKey,
    ports: Vec<TransportId>,
}

impl Node {
    fn new(mut unit: LogicalUnit, device: &str, key: u64) -> io::Result<Self> {
        unit.set_timeout(Duration::from_secs(10));
        unit.set_unit_attention_retries(3);
        let mut node = Self {
            unit,
            key: ReservationKey(key),
            ports: host_ports::of(&fs::metadata(device)?),
        };
        // Whatever happened to the way before is no news.
        node.unit.read_keys().map_err(io::Error::other)?;
        node.unit.take_unit_attentions();
        Ok(node)
    }

    fn register(&mut self) -> Result<(), ChangeError> {
        let register = PersistentReserveOut {
            service_action_reservation_key: self.key,
            ..PersistentReserveOut::new(ServiceAction::RegisterAndIgnoreExistingKey)
        };
        self.unit.change_verified(&register, &self.ports)
    }

    fn reserve(&mut self) -> Result<(), ChangeError> {
        self.with_reservation(ServiceAction::Reserve, ReservationKey::NONE)
    }

    fn preempt(&mut self, other: ReservationKey) -> Result<(), ChangeError> {
        self.with_reservation(ServiceAction::Preempt, other)
    }

    fn with_reservation(
        &mut self,
        action: ServiceAction,
        other: ReservationKey,
    ) -> Result<(), ChangeError> {
        let out = PersistentReserveOut {
            reservation_key: self.key,
            service_action_reservation_key: other,
            reservation_type: ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
            ..PersistentReserveOut::new(action)
        };
        self.unit.change_verified(&out, &self.ports)
    }

    fn clear(&mut self) -> Result<(), ChangeError> {
        let clear = PersistentReserveOut {
            reservation_key: self.key,
            ..PersistentReserveOut::new(ServiceAction::Clear)
        };
        self.unit.change_verified(&clear, &self.ports)
    }

    /// What became of a change that may be refused, in words.
    fn told(&self, ended: Result<(), ChangeError>) -> String {
        let key = self.key;
        match ended {
            Ok(()) => format!("{key}: done"),
            Err(ChangeError::Change(error)) if error.outcome_unknown() => {
                format!("{key}: perhaps done: {error}")
            }
            Err(ChangeError::Change(error)) if error.is_conflict() => {
                format!("{key}: conflict: {error}")
            }
            Err(error) => format!("{key}: {error}"),
        }
    }

    /// What is registered and reserved, in words.
    fn looked_at(&mut self) -> io::Result<String> {
        let snapshot = self.unit.snapshot().map_err(io::Error::other)?;
        let keys: Vec<_> = snapshot.keys.keys.iter().map(ToString::to_string).collect();
        let held = match snapshot.reservation.map_err(io::Error::other)?.reservation {
            Some(held) => format!("held by {}", held.reservation_key),
            None => "not reserved".to_owned(),
        };
        let nexuses = snapshot.full_status.map_err(io::Error::other)?.descriptors;
        let count = nexuses.len();
        Ok(format!("{} ({count} nexuses), {held}", keys.join(" ")))
    }
}

/// `DEVICE1 DEVICE2`: two nodes for the same logical unit, on which nothing is registered.
pub(crate) fn run(arguments: &[String]) -> io::Result<()> {
    let [first, second] = arguments else {
        return Err(io::Error::other("DEVICE1 DEVICE2"));
    };
    let mut stdout = io::stdout();
    let mut say = |line: String| writeln!(stdout, "{line}");

    // One has the device open already, as who was handed a descriptor has.
    let file = File::options().read(true).write(true).open(first)?;
    let mut one = Node::new(LogicalUnit::from_fd(file)?, first, 0xabc_123)?;
    let unit = LogicalUnit::open(Path::new(second), Access::ReadWrite)?;
    let mut two = Node::new(unit, second, 0x123_abc)?;

    let ended = one.register();
    say(one.told(ended))?;
    // A thread of its own, for devices that take their time.
    let two = thread::spawn(move || {
        let ended = two.register();
        (two, ended)
    });
    let (mut two, ended) = two
        .join()
        .map_err(|_| io::Error::other("the thread panicked"))?;
    say(two.told(ended))?;
    let ended = one.reserve();
    say(one.told(ended))?;
    let ended = two.reserve();
    say(two.told(ended))?;
    say(one.looked_at()?)?;

    let ended = two.preempt(one.key);
    say(two.told(ended))?;
    // It has to know that it is out: no change is sent again before it has looked.
    let ended = one.reserve();
    say(one.told(ended))?;
    say(one.looked_at()?)?;
    let ended = one.reserve();
    say(one.told(ended))?;

    let ended = two.clear();
    say(two.told(ended))?;
    say(two.looked_at()?)
}
