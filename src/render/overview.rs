//! One logical unit at a glance, for a person: who is registered, what is reserved, what the
//! device supports.
//!
//! No line takes more than [`COLUMNS`] columns. Programs read the JSON document or the plain
//! answers; the form of this one may change.

use std::fmt::Write as _;

use super::DeviceText;
use super::failure::attention;
use super::transport_id::host_identifier;
use crate::host_ports::is_own;
use crate::pr::effect::Registrants;
use crate::pr::nexus::Standing;
use crate::pr::prin::{Capabilities, FullStatusDescriptor, Reservation, TargetPorts};
use crate::pr::snapshot::{NoAnswer, Snapshot};
use crate::pr::transport_id::{Initiator, TransportId};
use crate::pr::{ReservationKey, ReservationType, Scope};
use crate::scsi::inquiry::StandardInquiry;
use crate::scsi::sense::Sense;

/// The most columns that a line takes.
pub const COLUMNS: usize = 100;

/// Columns before the text of the paragraphs: the longest heading and two blanks.
const INDENT: usize = 13;
/// Columns of a row before the key: two marks with blanks round them.
const MARKS: usize = 5;
/// Characters of an initiator that are shown whole: any iSCSI name with its ISID, and some more.
const LONGEST_INITIATOR: usize = 260;
/// What is kept of either end of a longer one.
const KEPT: usize = 100;

const HOLDER_MARK: &str = "*";
const OWN_MARK: &str = ">";
/// Bold green.
const HOLDER_COLOUR: &str = "\x1b[1;32m";
/// Bold cyan.
const OWN_COLOUR: &str = "\x1b[1;36m";
const NO_COLOUR: &str = "\x1b[0m";

/// The six types, in the order of their codes.
const TYPES: [ReservationType; 6] = [
    ReservationType::WRITE_EXCLUSIVE,
    ReservationType::EXCLUSIVE_ACCESS,
    ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
    ReservationType::EXCLUSIVE_ACCESS_REGISTRANTS_ONLY,
    ReservationType::WRITE_EXCLUSIVE_ALL_REGISTRANTS,
    ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS,
];

/// What a logical unit told of itself.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// The device as the user named it, fit to be printed.
    pub device: &'a str,
    /// Who made it.
    pub inquiry: &'a StandardInquiry,
    /// What registers with it.
    pub registrants: Registrants,
    /// Registrations and reservation.
    pub snapshot: &'a Snapshot,
    /// What it supports, or why it does not tell.
    pub capabilities: &'a Result<Capabilities, NoAnswer>,
    /// The unit attentions that were in the way.
    pub unit_attentions: &'a [Sense],
    /// The initiator ports through which this host reaches the device; empty where they are not
    /// known.
    pub own: &'a [TransportId],
    /// The paths, where the device is a multipath map.
    pub paths: &'a [PathRow],
}

/// A path of a multipath map.
#[derive(Clone, Debug)]
pub struct PathRow {
    /// Its name, and what the kernel says of it.
    pub name: String,
    /// Whether its nexus is registered, or why it was not asked.
    pub standing: Result<Standing, String>,
}

/// How a unit is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours for the holder's registrations and this host's.
    pub colour: bool,
    /// How text from the device is shown. Control characters would break the table: they are
    /// shown as dots in either case.
    pub shown: DeviceText,
}

/// The whole table, whole lines of [`COLUMNS`] columns at the most.
#[must_use]
pub fn table(unit: &Unit<'_>, style: Style) -> String {
    let snapshot = unit.snapshot;
    let rows = rows(unit);
    let mut out = String::new();
    paragraph(&mut out, "Device", unit.device);
    paragraph(&mut out, "Unit", &identity(unit.inquiry, style.shown));
    paragraph(
        &mut out,
        "Generation",
        &format!("{:#x}", snapshot.keys.generation),
    );
    match &snapshot.reservation {
        Ok(_) if marked_otherwise(snapshot).is_some() => paragraph(
            &mut out,
            "Reservation",
            "Not known: the device contradicts itself.",
        ),
        Ok(read) => match &read.reservation {
            Some(held) => {
                paragraph(&mut out, "Reservation", &access(held, unit.registrants));
                paragraph(&mut out, "", &holder(held, snapshot));
            }
            None => paragraph(
                &mut out,
                "Reservation",
                "None: every node may read and write.",
            ),
        },
        Err(reason) => {
            let text = format!(
                "Not known, there may be one: the device gave no usable answer to READ RESERVATION ({reason})."
            );
            paragraph(&mut out, "Reservation", &text);
        }
    }
    for path in unit.paths {
        paragraph(
            &mut out,
            "Path",
            &format!("{}: {}", path.name, standing(path)),
        );
    }
    paragraph(&mut out, "Supports", &supports(unit.capabilities));
    for sense in unit.unit_attentions {
        paragraph(&mut out, "Attention", &attention(sense));
    }
    for contradiction in [contradiction(snapshot), marked_otherwise(snapshot)]
        .into_iter()
        .flatten()
    {
        paragraph(&mut out, "Warning", &contradiction);
    }
    out.push('\n');
    paragraph_at(&mut out, 0, "", &count(snapshot, rows.len()));
    if !rows.is_empty() {
        out += &registrations(&rows, style.colour);
        out += &legend(&rows, unit, style.colour);
    }
    out
}

/// Whether a path is registered.
fn standing(path: &PathRow) -> String {
    match &path.standing {
        Ok(Standing::NotRegistered) => "not registered.".to_owned(),
        Ok(Standing::Registered(keys)) => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!("registered with {}.", keys.join(", "))
        }
        Ok(Standing::Unknown(reason)) => {
            format!("whether it is registered is not known: {reason}.")
        }
        Err(why) => format!("not asked: {why}."),
    }
}

/// How the two lists of registrations contradict each other.
fn contradiction(snapshot: &Snapshot) -> Option<String> {
    let full_status = snapshot.full_status.as_ref().ok()?;
    if full_status.lists(&snapshot.keys) {
        return None;
    }
    let described = full_status.descriptors.iter();
    let described = described.map(|descriptor| descriptor.reservation_key);
    let [keys, described] = [
        list_of(snapshot.keys.keys.iter().copied()),
        list_of(described),
    ];
    Some(format!(
        "The device contradicts itself: at the same generation READ KEYS lists {keys}, READ FULL \
         STATUS {described}. Which of them is right is not known."
    ))
}

/// How the holders' marks contradict what is told of the reservation.
pub(super) fn marked_otherwise(snapshot: &Snapshot) -> Option<String> {
    let full_status = snapshot.full_status.as_ref().ok()?;
    let read = snapshot.reservation.as_ref().ok()?;
    let kind = |scope: Scope, held: ReservationType| match scope {
        Scope::LU_SCOPE => format!("one of type {}", held.code()),
        scope => format!("one of type {}, scope {:#x}", held.code(), scope.code()),
    };
    let (scope, marked) = full_status.marked_otherwise(read)?;
    let told = read.reservation.map_or_else(
        || "no reservation".to_owned(),
        |held| kind(held.scope, held.reservation_type),
    );
    let marked = kind(scope, marked);
    Some(format!(
        "The device contradicts itself: at the same generation READ RESERVATION tells of {told}, \
         READ FULL STATUS marks a holder of {marked}. Which of them is right is not known."
    ))
}

/// Keys in the order of their numbers, at most so many of them.
fn list_of(keys: impl Iterator<Item = ReservationKey>) -> String {
    /// More than these tell no more.
    const MOST: usize = 16;
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    let mut texts: Vec<String> = keys.iter().take(MOST).map(ToString::to_string).collect();
    if keys.is_empty() {
        texts.push("no keys".to_owned());
    }
    if let Some(more @ 1..) = keys.len().checked_sub(MOST) {
        texts.push(format!("{more} more"));
    }
    texts.join(", ")
}

/// Vendor, product and revision without the blanks that fill the fields, and the device's type.
fn identity(inquiry: &StandardInquiry, shown: DeviceText) -> String {
    let mut words: Vec<String> = [&inquiry.vendor, &inquiry.product, &inquiry.revision]
        .map(|field| {
            String::from_utf8_lossy(&shown.show(field))
                .trim()
                .to_owned()
        })
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    words.push(match inquiry.peripheral_device_type.name() {
        Some(name) => format!("({name})"),
        None => format!("(device type {:#x})", inquiry.peripheral_device_type.0),
    });
    words.join(" ")
}

/// The reservation's type, and who may do what because of it.
fn access(held: &Reservation, registrants: Registrants) -> String {
    let key = held.reservation_key;
    let code = held.reservation_type.code();
    // A node has as many nexuses as it has paths, and each of them is registered by itself.
    let (one, registered) = match registrants {
        Registrants::Nexuses => ("nexus", "registered nexuses"),
        Registrants::Hosts => ("host", "registered hosts"),
    };
    let who = match held.reservation_type {
        ReservationType::WRITE_EXCLUSIVE => format!(
            "every node may read, only the one {one} that holds it, with key {key}, may write."
        ),
        ReservationType::EXCLUSIVE_ACCESS => {
            format!("only the one {one} that holds it, with key {key}, may read or write.")
        }
        ReservationType::WRITE_EXCLUSIVE_REGISTRANTS_ONLY
        | ReservationType::WRITE_EXCLUSIVE_ALL_REGISTRANTS => {
            format!("every node may read, only {registered} may write.")
        }
        ReservationType::EXCLUSIVE_ACCESS_REGISTRANTS_ONLY
        | ReservationType::EXCLUSIVE_ACCESS_ALL_REGISTRANTS => {
            format!("only {registered} may read or write.")
        }
        _ => "what nodes may do is not known.".to_owned(),
    };
    let name = match (held.reservation_type.name(), code) {
        (Some(name), _) => format!("{name} (type {code})"),
        (None, 0 | 2 | 4) => format!("Type {code}, which is obsolete"),
        (None, _) => format!("Type {code:#x}, which no standard defines"),
    };
    let scope = match held.scope {
        Scope::LU_SCOPE => String::new(),
        scope => match scope.code() {
            code @ (1 | 2) => format!(", with scope {code}, obsolete: a part of the unit"),
            code => format!(", with scope {code:#x}, which no standard defines"),
        },
    };
    if scope.is_empty() {
        format!("{name}: {who}")
    } else {
        format!("{name}{scope}. On what it covers: {who}")
    }
}

/// Who holds the reservation.
fn holder(held: &Reservation, snapshot: &Snapshot) -> String {
    let key = held.reservation_key;
    let registered = match &snapshot.full_status {
        Ok(data) => data.descriptors.len(),
        Err(_) => snapshot.keys.keys.len(),
    };
    if held.reservation_type.is_held_by_all() {
        let mut text = match registered {
            0 => "Every registration holds it, yet there is none.".to_owned(),
            _ => "Every registration holds it.".to_owned(),
        };
        if key.0 != 0 {
            text += &format!(" (The device names key {key}, which means nothing for this type.)");
        }
        return text;
    }
    if key.0 == 0 && !snapshot.keys.keys.contains(&key) {
        return "The device does not say who holds it.".to_owned();
    }
    let Ok(full_status) = &snapshot.full_status else {
        return match snapshot.keys.keys.iter().filter(|&&k| k == key).count() {
            0 => format!("Its holder has key {key}, with which none is registered."),
            1 => format!("The registration with key {key} holds it."),
            count => format!("Only one of the {count} registrations with key {key} holds it."),
        };
    };
    let descriptors = &full_status.descriptors;
    let with_key = descriptors
        .iter()
        .filter(|data| data.reservation_key == key);
    let holders = with_key.clone().filter(|data| data.held.is_some());
    let mut text = match (holders.count(), with_key.count()) {
        (_, 0) => format!("Its holder has key {key}, with which none is registered."),
        (0, _) => format!("Its holder has key {key}, but no registration of it is marked so."),
        (1, 1) => format!("The registration with key {key} holds it."),
        (1, count) => format!("Only one of the {count} registrations with key {key} holds it."),
        (some, count) if some == count => {
            format!("The {count} registrations with key {key} hold it.")
        }
        (some, count) => format!("{some} of the {count} registrations with key {key} hold it."),
    };
    let others = descriptors
        .iter()
        .filter(|data| data.held.is_some() && data.reservation_key != key)
        .count();
    if others > 0 {
        text += &format!(" The device marks {others} with other keys as holding it.");
    }
    text
}

/// What the device supports.
fn supports(capabilities: &Result<Capabilities, NoAnswer>) -> String {
    let data = match capabilities {
        Ok(data) => data,
        Err(reason) => {
            return format!("The device does not tell (REPORT CAPABILITIES: {reason}).");
        }
    };
    let types = data.type_mask.map(|mask| {
        let types = TYPES.into_iter().filter(|&known| mask.supports(known));
        types
            .map(|known| known.code().to_string())
            .collect::<Vec<_>>()
            .join(" ")
    });
    let types = match types.as_deref() {
        None => "types not told",
        Some("") => "none of the types",
        Some(types) => &format!("types {types}"),
    };
    let power = match (
        data.persist_through_power_loss_capable,
        data.persist_through_power_loss_active,
    ) {
        (true, true) => "yes, active",
        (true, false) => "yes, not active",
        (false, true) => "no, yet active",
        (false, false) => "no",
    };
    let answer = |yes| if yes { "yes" } else { "no" };
    format!(
        "{types}; persist through power loss: {power}; all target ports: {}; specify initiator \
         ports: {}; replace lost reservation: {}",
        answer(data.all_target_ports_capable),
        answer(data.specify_initiator_ports_capable),
        answer(data.replace_lost_reservation_capable),
    )
}

/// How many registrations there are, and what is not known of them.
fn count(snapshot: &Snapshot, count: usize) -> String {
    let mut text = match count {
        0 => "No registrations.".to_owned(),
        1 => "1 registration:".to_owned(),
        count => format!("{count} registrations:"),
    };
    let keys = snapshot.keys.keys.len();
    match &snapshot.full_status {
        Err(reason) if count > 0 => {
            text.pop();
            text += &format!(
                ". The device does not tell to whom the keys belong (READ FULL STATUS: {reason}):"
            );
        }
        Ok(_) if keys != count => {
            text.pop();
            text += &format!(", by READ FULL STATUS; READ KEYS lists {keys}:");
        }
        _ => {}
    }
    text
}

/// One registration, as it is shown.
struct Row {
    is_holder: bool,
    is_own: bool,
    key: ReservationKey,
    /// Target port and initiator, where the device tells.
    nexus: Option<(String, String)>,
}

fn rows(unit: &Unit<'_>) -> Vec<Row> {
    let snapshot = unit.snapshot;
    if let Ok(data) = &snapshot.full_status {
        return data
            .descriptors
            .iter()
            .map(|descriptor| row(descriptor, unit.own))
            .collect();
    }
    let keys = &snapshot.keys.keys;
    let held = snapshot.reservation.as_ref().ok();
    let held = held.and_then(|read| read.reservation);
    let all_hold = held.is_some_and(|held| held.reservation_type.is_held_by_all());
    // A key that is registered twice does not tell which of the two holds the reservation.
    let holder = held
        .map(|held| held.reservation_key)
        .filter(|holder| keys.iter().filter(|&key| key == holder).count() == 1);
    let row = |&key| Row {
        is_holder: all_hold || holder == Some(key),
        is_own: false,
        key,
        nexus: None,
    };
    keys.iter().map(row).collect()
}

fn row(descriptor: &FullStatusDescriptor, own: &[TransportId]) -> Row {
    let port = match descriptor.target_ports {
        TargetPorts::All => "all".to_owned(),
        TargetPorts::Relative(port) => port.to_string(),
    };
    let id = descriptor.transport_id.as_ref();
    let initiator = id.map_or_else(
        || "not told by the device".to_owned(),
        |id| match id.initiator() {
            Initiator::NvmeHost { identifier } => format!("host {}", host_identifier(identifier)),
            _ if !id.is_whole() => shortened(&format!("identifier {}", hex::encode(id.as_bytes()))),
            _ => shortened(&id.to_argument()),
        },
    );
    Row {
        is_holder: descriptor.held.is_some(),
        is_own: id.is_some_and(|id| is_own(own, id)),
        key: descriptor.reservation_key,
        nexus: Some((port, initiator)),
    }
}

/// `text` without its middle, if it is longer than any initiator's name.
fn shortened(text: &str) -> String {
    let length = text.chars().count();
    if length <= LONGEST_INITIATOR {
        return text.to_owned();
    }
    let start: String = text.chars().take(KEPT).collect();
    let end: String = text.chars().skip(length - KEPT).collect();
    format!("{start}[{} more characters]{end}", length - 2 * KEPT)
}

/// Heading and rows. Initiators that do not fit go on in the lines below.
fn registrations(rows: &[Row], colour: bool) -> String {
    const KEY: &str = "KEY";
    const PORT: &str = "TARGET PORT";
    let keys = rows.iter().map(|row| shown_key(row.key).len());
    let key_width = keys.max().unwrap_or_default().max(KEY.len());
    let has_nexus = rows.iter().any(|row| row.nexus.is_some());
    let heading = if has_nexus {
        format!("{KEY:key_width$}  {PORT}  INITIATOR")
    } else {
        KEY.to_owned()
    };
    let mut out = format!("{:MARKS$}{heading}\n", "");
    let port_width = PORT.len();
    let before_initiator = MARKS + key_width + 2 + port_width + 2;
    for row in rows {
        let (holder, own) = (colour && row.is_holder, colour && row.is_own);
        let mark = |set, mark| if set { mark } else { " " };
        let key = shown_key(row.key);
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            " {} {} {}",
            coloured(mark(row.is_holder, HOLDER_MARK), HOLDER_COLOUR, holder),
            coloured(mark(row.is_own, OWN_MARK), OWN_COLOUR, own),
            coloured(&key, HOLDER_COLOUR, holder),
        );
        let Some((port, initiator)) = &row.nexus else {
            out.push('\n');
            continue;
        };
        let after_key = key_width - key.len() + 2;
        let _ = write!(out, "{:after_key$}{port:port_width$}  ", "");
        let lines = wrapped(initiator, COLUMNS - before_initiator);
        for (number, line) in lines.iter().enumerate() {
            let indent = if number == 0 { 0 } else { before_initiator };
            let line = coloured(line, OWN_COLOUR, own);
            let _ = writeln!(out, "{:indent$}{line}", "");
        }
    }
    out
}

/// The key, with the text that it is if it is one: cluster products register such.
fn shown_key(key: ReservationKey) -> String {
    match key.as_text() {
        Some(text) => format!("{key} \"{text}\""),
        None => key.to_string(),
    }
}

fn coloured(text: &str, colour: &str, on: bool) -> String {
    if on {
        format!("{colour}{text}{NO_COLOUR}")
    } else {
        text.to_owned()
    }
}

/// What the marks mean, and whether there would be marks for this host.
fn legend(rows: &[Row], unit: &Unit<'_>, colour: bool) -> String {
    let mut parts = Vec::new();
    if rows.iter().any(|row| row.is_holder) {
        let mark = coloured(HOLDER_MARK, HOLDER_COLOUR, colour);
        let is_known =
            unit.snapshot.reservation.is_ok() && marked_otherwise(unit.snapshot).is_none();
        let holds = match is_known {
            true => "holds the reservation",
            false => "marked as holding the reservation",
        };
        parts.push(format!("{mark} {holds}"));
    }
    if let Ok(data) = &unit.snapshot.full_status {
        let mark = coloured(OWN_MARK, OWN_COLOUR, colour);
        let is_told = |data: &FullStatusDescriptor| data.transport_id.is_some();
        let found = if rows.iter().any(|row| row.is_own) {
            ""
        } else if unit.own.is_empty() || !data.descriptors.iter().all(is_told) {
            ": not known"
        } else {
            ": none"
        };
        parts.push(format!("{mark} this host's own{found}"));
    }
    if parts.is_empty() {
        return String::new();
    }
    format!(" {}\n", parts.join("   "))
}

/// Adds `text` behind its `heading`.
fn paragraph(out: &mut String, heading: &str, text: &str) {
    paragraph_at(out, INDENT, heading, text);
}

/// Adds `text`, with `indent` columns before each line, the `heading` in those of the first.
fn paragraph_at(out: &mut String, indent: usize, heading: &str, text: &str) {
    let mut heading = heading;
    for line in wrapped(text, COLUMNS - indent) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{heading:indent$}{line}");
        heading = "";
    }
}

/// `text` in lines of `width` columns at the most, cut between words where that is possible; at
/// least one line. Control characters become dots.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let needed: usize = word.chars().map(columns).sum();
        if used > 0 && used + 1 + needed > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        for character in word.chars() {
            if used + columns(character) > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            used += columns(character);
            line.push(if character.is_control() {
                '.'
            } else {
                character
            });
        }
    }
    lines.push(line);
    lines
}

/// The most columns that a terminal gives a character.
const fn columns(character: char) -> usize {
    if character.is_ascii() { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::pr::prin::{Malformed, ReadFullStatus, ReadKeys, ReadReservation};

    const PLAIN: Style = Style {
        colour: false,
        shown: DeviceText::Printable,
    };
    const HOST1: &str = "iqn.2026-01.lab:host1,i,0x00023d000001";
    const HOST2: &str = "iqn.2026-01.lab:host2,i,0x00023d000002";
    /// How the table begins.
    const HEAD: &str = "\
Device       /dev/sda
Unit         LIO-ORG FILEIO 4.0 (disk)
Generation   0x15
";
    /// How it goes on with the capabilities of [`State::new`].
    const SUPPORTS: &str = "\
Supports     types 1 3 5 6 7 8; persist through power loss: yes, active; all target ports: yes;
             specify initiator ports: yes; replace lost reservation: no

";

    /// What a snapshot refers to.
    struct State {
        inquiry: StandardInquiry,
        registrants: Registrants,
        snapshot: Snapshot,
        capabilities: Result<Capabilities, NoAnswer>,
        unit_attentions: Vec<Sense>,
        own: Vec<TransportId>,
    }

    fn iscsi(name: &str) -> TransportId {
        TransportId::iscsi(name.as_bytes()).unwrap()
    }

    impl State {
        /// Nothing registered.
        fn new() -> Self {
            let inquiry = b"\x00\x00\x06\x02\x1f\x00\x00\x00LIO-ORG FILEIO          4.0 ";
            Self {
                inquiry: StandardInquiry::parse(inquiry).unwrap(),
                registrants: Registrants::Nexuses,
                snapshot: Snapshot {
                    keys: ReadKeys {
                        generation: 0x15,
                        keys: Vec::new(),
                    },
                    reservation: Ok(ReadReservation {
                        generation: 0x15,
                        reservation: None,
                    }),
                    full_status: Ok(ReadFullStatus {
                        generation: 0x15,
                        descriptors: Vec::new(),
                    }),
                },
                capabilities: Ok(Capabilities::parse(&[0, 8, 0x0d, 0x81, 0xea, 1, 0, 0]).unwrap()),
                unit_attentions: Vec::new(),
                own: Vec::new(),
            }
        }

        /// Keys 0xabc123 and 0x123abc, of two initiators.
        fn two() -> Self {
            let mut state = Self::new();
            state.register(0xabc123, TargetPorts::Relative(1), Some(iscsi(HOST1)));
            state.register(0x123abc, TargetPorts::All, Some(iscsi(HOST2)));
            state
        }

        fn register(&mut self, key: u64, target_ports: TargetPorts, id: Option<TransportId>) {
            self.snapshot.keys.keys.push(ReservationKey(key));
            if let Ok(data) = &mut self.snapshot.full_status {
                data.descriptors.push(FullStatusDescriptor {
                    reservation_key: ReservationKey(key),
                    target_ports,
                    held: None,
                    transport_id: id,
                });
            }
        }

        /// A reservation, held by the registrations at these places.
        fn reserve(&mut self, key: u64, scope_type: u8, holders: &[usize]) {
            let scope = Scope::from_high_bits(scope_type);
            let reservation_type = ReservationType::from_low_bits(scope_type);
            self.set_reservation(Some(Reservation {
                reservation_key: ReservationKey(key),
                scope,
                reservation_type,
            }));
            if let Ok(data) = &mut self.snapshot.full_status {
                for &holder in holders {
                    data.descriptors[holder].held = Some((scope, reservation_type));
                }
            }
        }

        fn set_reservation(&mut self, reservation: Option<Reservation>) {
            self.snapshot.reservation = Ok(ReadReservation {
                generation: 0x15,
                reservation,
            });
        }

        fn unit<'a>(&'a self, device: &'a str) -> Unit<'a> {
            Unit {
                device,
                inquiry: &self.inquiry,
                registrants: self.registrants,
                snapshot: &self.snapshot,
                capabilities: &self.capabilities,
                unit_attentions: &self.unit_attentions,
                own: &self.own,
                paths: &[],
            }
        }

        fn show(&self, style: Style) -> String {
            table(&self.unit("/dev/sda"), style)
        }

        /// The lines of the reservation.
        fn reservation_text(&self) -> String {
            let text = self.show(PLAIN);
            let (_, text) = text.split_once("\nReservation  ").unwrap();
            text.split_once("\nSupports").unwrap().0.to_owned()
        }
    }

    #[test]
    fn nothing_registered() {
        assert_eq!(
            State::new().show(PLAIN),
            format!(
                "{HEAD}Reservation  None: every node may read and write.\n{SUPPORTS}\
                 No registrations.\n"
            )
        );
    }

    #[test]
    fn two_registered_and_no_reservation() {
        assert_eq!(
            State::two().show(PLAIN),
            format!(
                "{HEAD}Reservation  None: every node may read and write.\n{SUPPORTS}\
2 registrations:
     KEY       TARGET PORT  INITIATOR
     0xabc123  1            iqn.2026-01.lab:host1,i,0x00023d000001
     0x123abc  all          iqn.2026-01.lab:host2,i,0x00023d000002
 > this host's own: not known
"
            )
        );
    }

    #[test]
    fn marks_for_the_holder_and_for_this_host() {
        let mut state = State::two();
        state.reserve(0xabc123, 3, &[0]);
        state.own = vec![iscsi("iqn.2026-01.lab:host2")];
        assert_eq!(
            state.show(PLAIN),
            format!(
                "{HEAD}\
Reservation  Exclusive Access (type 3): only the one nexus that holds it, with key 0xabc123, may
             read or write.
             The registration with key 0xabc123 holds it.
{SUPPORTS}\
2 registrations:
     KEY       TARGET PORT  INITIATOR
 *   0xabc123  1            iqn.2026-01.lab:host1,i,0x00023d000001
   > 0x123abc  all          iqn.2026-01.lab:host2,i,0x00023d000002
 * holds the reservation   > this host's own
"
            )
        );
    }

    #[test]
    fn a_key_that_is_text_has_it_beside_it() {
        let mut state = State::new();
        state.register(
            0x4150_4752_3030_3031,
            TargetPorts::Relative(1),
            Some(iscsi(HOST1)),
        );
        state.register(0xabc123, TargetPorts::All, Some(iscsi(HOST2)));
        let text = state.show(PLAIN);
        let (_, rows) = text.split_once("registrations:\n").unwrap();
        assert_eq!(
            rows,
            "     KEY                            TARGET PORT  INITIATOR
     0x4150475230303031 \"APGR0001\"  1            iqn.2026-01.lab:host1,i,0x00023d000001
     0xabc123                       all          iqn.2026-01.lab:host2,i,0x00023d000002
 > this host's own: not known
"
        );
    }

    #[test]
    fn colour_for_the_marked_alone() {
        let mut state = State::two();
        state.reserve(0xabc123, 1, &[0]);
        state.own = vec![iscsi(HOST2)];
        let style = Style {
            colour: true,
            ..PLAIN
        };
        let text = state.show(style);
        let (_, rows) = text.split_once("INITIATOR\n").unwrap();
        assert_eq!(
            rows,
            " \x1b[1;32m*\x1b[0m   \x1b[1;32m0xabc123\x1b[0m  1            iqn.2026-01.lab:host1,i,0x00023d000001
   \x1b[1;36m>\x1b[0m 0x123abc  all          \x1b[1;36miqn.2026-01.lab:host2,i,0x00023d000002\x1b[0m
 \x1b[1;32m*\x1b[0m holds the reservation   \x1b[1;36m>\x1b[0m this host's own
"
        );
        assert!(!state.show(PLAIN).contains('\x1b'));
    }

    #[test]
    fn the_legend_tells_why_there_is_no_mark() {
        let legend = |state: &State| state.show(PLAIN).lines().last().unwrap().to_owned();
        let mut state = State::two();
        state.own = vec![iscsi("iqn.2026-01.lab:host3")];
        assert_eq!(legend(&state), " > this host's own: none");
        state.register(7, TargetPorts::Relative(0x1234), None);
        assert_eq!(legend(&state), " > this host's own: not known");
        assert!(
            state
                .show(PLAIN)
                .contains("\n     0x7       4660         not told by the device\n")
        );
        state.own = vec![iscsi("iqn.2026-01.lab:host1")];
        assert_eq!(legend(&state), " > this host's own");
    }

    #[test]
    fn each_type_in_words() {
        for (code, words) in [
            (
                1,
                "Write Exclusive (type 1): every node may read, only the one nexus that holds it, with\n             \
                 key 0xabc123, may write.\n             The registration with key 0xabc123 holds it.",
            ),
            (
                3,
                "Exclusive Access (type 3): only the one nexus that holds it, with key 0xabc123, may\n             \
                 read or write.\n             The registration with key 0xabc123 holds it.",
            ),
            (
                5,
                "Write Exclusive, registrants only (type 5): every node may read, only registered\n             \
                 nexuses may write.\n             The registration with key 0xabc123 holds it.",
            ),
            (
                6,
                "Exclusive Access, registrants only (type 6): only registered nexuses may read or write.\n             \
                 The registration with key 0xabc123 holds it.",
            ),
        ] {
            let mut state = State::two();
            state.reserve(0xabc123, code, &[0]);
            assert_eq!(state.reservation_text(), words);
        }
    }

    #[test]
    fn all_registrants_hold_types_7_and_8() {
        for (code, words) in [
            (
                7,
                "Write Exclusive, all registrants (type 7): every node may read, only registered nexuses\n             \
                 may write.\n             Every registration holds it.",
            ),
            (
                8,
                "Exclusive Access, all registrants (type 8): only registered nexuses may read or write.\n             \
                 Every registration holds it.",
            ),
        ] {
            let mut state = State::two();
            state.reserve(0, code, &[0, 1]);
            assert_eq!(state.reservation_text(), words);
            let text = state.show(PLAIN);
            assert!(text.contains("\n *   0xabc123  1 "), "{text}");
            assert!(text.contains("\n *   0x123abc  all "), "{text}");
        }
        let mut state = State::two();
        state.reserve(0xabc, 8, &[0, 1]);
        assert!(state.reservation_text().ends_with(
            "Every registration holds it. (The device names key 0xabc, which means nothing for this\n             type.)"
        ));
        let mut state = State::new();
        state.reserve(0, 7, &[]);
        assert!(
            state
                .reservation_text()
                .ends_with("Every registration holds it, yet there is none.")
        );
    }

    #[test]
    fn types_and_scopes_that_are_not_known() {
        for (scope_type, words) in [
            (
                0x04,
                "Type 4, which is obsolete: what nodes may do is not known.",
            ),
            (
                0x0b,
                "Type 0xb, which no standard defines: what nodes may do is not known.",
            ),
            (
                0x26,
                "Exclusive Access, registrants only (type 6), with scope 2, obsolete: a part of the\n             \
                 unit. On what it covers: only registered nexuses may read or write.",
            ),
            (
                0xf6,
                "Exclusive Access, registrants only (type 6), with scope 0xf, which no standard defines.\n             \
                 On what it covers: only registered nexuses may read or write.",
            ),
        ] {
            let mut state = State::two();
            state.reserve(0x123abc, scope_type, &[1]);
            assert_eq!(
                state.reservation_text(),
                format!("{words}\n             The registration with key 0x123abc holds it.")
            );
        }
    }

    #[test]
    fn a_mark_where_none_should_be_is_told() {
        let mut state = State::two();
        state.reserve(0xabc123, 6, &[0, 1]);
        assert!(state.reservation_text().ends_with(
            "The registration with key 0xabc123 holds it. The device marks 1 with other keys as\n             \
             holding it."
        ));
    }

    #[test]
    fn a_key_of_several_registrations() {
        let holder = |holders: &[usize], key| {
            let mut state = State::two();
            state.register(0xabc123, TargetPorts::Relative(2), Some(iscsi(HOST1)));
            state.reserve(key, 5, holders);
            state
                .reservation_text()
                .lines()
                .last()
                .unwrap()
                .trim()
                .to_owned()
        };
        assert_eq!(
            holder(&[2], 0xabc123),
            "Only one of the 2 registrations with key 0xabc123 holds it."
        );
        assert_eq!(
            holder(&[0, 2], 0xabc123),
            "The 2 registrations with key 0xabc123 hold it."
        );
        assert_eq!(
            holder(&[], 0xabc123),
            "Its holder has key 0xabc123, but no registration of it is marked so."
        );
        assert_eq!(
            holder(&[], 0xdef),
            "Its holder has key 0xdef, with which none is registered."
        );
        let mut state = State::two();
        for _ in 0..2 {
            state.register(0xabc123, TargetPorts::Relative(2), Some(iscsi(HOST1)));
        }
        state.reserve(0xabc123, 5, &[0, 3]);
        assert!(
            state
                .reservation_text()
                .ends_with("2 of the 3 registrations with key 0xabc123 hold it.")
        );
    }

    #[test]
    fn without_full_status_the_keys_alone() {
        let mut state = State::two();
        state.snapshot.full_status = Err(NoAnswer::Unsupported);
        state.own = vec![iscsi(HOST1)];
        state.reserve(0x123abc, 5, &[]);
        assert_eq!(
            state.show(PLAIN),
            format!(
                "{HEAD}\
Reservation  Write Exclusive, registrants only (type 5): every node may read, only registered
             nexuses may write.
             The registration with key 0x123abc holds it.
{SUPPORTS}\
2 registrations. The device does not tell to whom the keys belong (READ FULL STATUS: not supported):
     KEY
     0xabc123
 *   0x123abc
 * holds the reservation
"
            )
        );
        state.set_reservation(None);
        assert!(state.show(PLAIN).ends_with("     0x123abc\n"));
        state.snapshot.keys.keys.clear();
        assert!(state.show(PLAIN).ends_with("\n\nNo registrations.\n"));
    }

    #[test]
    fn without_full_status_a_key_of_two_marks_none() {
        let mut state = State::two();
        state.snapshot.full_status = Err(NoAnswer::Unsupported);
        state.snapshot.keys.keys.push(ReservationKey(0xabc123));
        state.reserve(0xabc123, 5, &[]);
        let text = state.show(PLAIN);
        assert!(text.contains("Only one of the 2 registrations with key 0xabc123 holds it."));
        assert!(!text.contains('*'), "{text}");
        state.set_reservation(None);
        state.reserve(0xdef, 5, &[]);
        let text = state.show(PLAIN);
        assert!(text.contains("Its holder has key 0xdef, with which none is registered."));
        state.set_reservation(None);
        state.reserve(0, 8, &[]);
        assert_eq!(state.show(PLAIN).matches("\n *   0x").count(), 3);
    }

    #[test]
    fn lists_that_differ_are_told() {
        let mut state = State::two();
        state.snapshot.keys.keys.pop();
        let text = state.show(PLAIN);
        assert!(text.contains("\n2 registrations, by READ FULL STATUS; READ KEYS lists 1:\n"));
        assert!(
            text.contains(
                "\nWarning      The device contradicts itself: at the same generation READ KEYS lists 0xabc123, READ\n             \
                 FULL STATUS 0x123abc, 0xabc123. Which of them is right is not known.\n"
            ),
            "{text}"
        );
        // As a target that swaps the bytes of a key in one of the two.
        let mut state = State::two();
        state.snapshot.keys.keys[0] = ReservationKey(0x23c1_ab00_0000_0000);
        let text = state.show(PLAIN);
        assert!(
            text.contains("READ KEYS lists 0x123abc,\n             0x23c1ab0000000000, READ"),
            "{text}"
        );
        let mut state = State::two();
        state.snapshot.keys.keys.clear();
        assert!(state.show(PLAIN).contains("READ KEYS lists no keys, READ"));
        assert!(!State::two().show(PLAIN).contains("Warning"));
    }

    #[test]
    fn registrations_for_all_ports_may_be_several_keys() {
        let mut state = State::new();
        state.register(0xabc123, TargetPorts::All, Some(iscsi(HOST1)));
        state.snapshot.keys.keys.push(ReservationKey(0xabc123));
        let text = state.show(PLAIN);
        assert!(
            text.contains("\n1 registration, by READ FULL STATUS; READ KEYS lists 2:\n"),
            "{text}"
        );
        assert!(!text.contains("Warning"), "{text}");
    }

    #[test]
    fn lists_of_keys_have_an_end() {
        let keys = |count| list_of((1..=count).map(ReservationKey));
        assert_eq!(keys(3), "0x1, 0x2, 0x3");
        assert!(keys(16).ends_with(", 0x10"));
        assert!(keys(19).ends_with(", 0x10, 3 more"));
    }

    #[test]
    fn unit_attentions_that_were_read_past() {
        let mut state = State::new();
        state
            .unit_attentions
            .extend(Sense::parse(&[0x72, 6, 0x2a, 5, 0, 0, 0, 0]));
        assert!(
            state.show(PLAIN).contains(
                "\nAttention    A unit attention was pending and has been cleared by this: Registrations preempted\n             \
                 (2a/05).\n"
            ),
            "{}", state.show(PLAIN)
        );
    }

    #[test]
    fn hosts_hold_the_reservations_of_nvme() {
        let mut state = State::two();
        state.registrants = Registrants::Hosts;
        state.reserve(0xabc123, 1, &[0]);
        assert!(state.reservation_text().starts_with(
            "Write Exclusive (type 1): every node may read, only the one host that holds it, with\n"
        ));
        state.reserve(0xabc123, 6, &[0]);
        assert!(
            state
                .reservation_text()
                .contains("only registered hosts may read or write.")
        );
    }

    #[test]
    fn identifiers_in_place_of_a_transport_id() {
        let mut state = State::new();
        let id = TransportId::received(&[0x06, 0, 0, 0, 0xaa, 0x11, 0xbb, 0x22]);
        state.register(1, TargetPorts::Relative(1), Some(id));
        let text = state.show(PLAIN);
        assert!(
            text.contains("\n     0x1  1            identifier 06000000aa11bb22\n"),
            "{text}"
        );
    }

    #[test]
    fn without_full_status_that_is_whole() {
        let mut state = State::two();
        state.snapshot.full_status = Err(Malformed::Unwritten.into());
        state.capabilities = Err(Malformed::CapabilitiesLength { length: 7 }.into());
        let text = state.show(PLAIN);
        assert!(
            text.contains(
                "\n2 registrations. The device does not tell to whom the keys belong (READ FULL STATUS: the device\n\
                 reported success but did not transfer the response):\n"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "\nSupports     The device does not tell (REPORT CAPABILITIES: LENGTH is 7, the capabilities alone take\n             \
                 8 bytes).\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn capabilities() {
        let supports = |bytes: Option<[u8; 4]>| {
            let data = bytes.map(|[a, b, c, d]| [0, 8, a, b, c, d, 0, 0]);
            let data = data.map(|data| Capabilities::parse(&data).unwrap());
            super::supports(&data.ok_or(NoAnswer::Unsupported))
        };
        assert_eq!(
            supports(None),
            "The device does not tell (REPORT CAPABILITIES: not supported)."
        );
        for (bytes, text) in [
            (
                [0x81, 0x00, 0xea, 1],
                "types not told; persist through power loss: yes, not active; all target ports: no; \
                 specify initiator ports: no; replace lost reservation: yes",
            ),
            (
                [0x04, 0x81, 0x2a, 0],
                "types 1 3 5; persist through power loss: no, yet active; all target ports: yes; \
                 specify initiator ports: no; replace lost reservation: no",
            ),
            (
                [0x08, 0x80, 0, 0],
                "none of the types; persist through power loss: no; all target ports: no; \
                 specify initiator ports: yes; replace lost reservation: no",
            ),
            (
                [0x01, 0x81, 0xc0, 1],
                "types 6 7 8; persist through power loss: yes, active; all target ports: no; \
                 specify initiator ports: no; replace lost reservation: no",
            ),
        ] {
            assert_eq!(supports(Some(bytes)), text);
        }
    }

    #[test]
    fn missing_capabilities_in_the_table() {
        let mut state = State::new();
        state.capabilities = Err(NoAnswer::Unsupported);
        assert!(state.show(PLAIN).contains(
            "\nSupports     The device does not tell (REPORT CAPABILITIES: not supported).\n"
        ));
    }

    #[test]
    fn long_names_go_on_in_the_next_line() {
        let mut state = State::new();
        let name = format!("iqn.2026-01.lab:{}-end,i,0x00023d000001", "x".repeat(203));
        state.register(u64::MAX, TargetPorts::Relative(1), Some(iscsi(&name)));
        state.register(
            1,
            TargetPorts::Relative(2),
            Some(TransportId::sas(0x5000_c501_05b3_2002)),
        );
        let text = state.show(PLAIN);
        let (_, rows) = text.split_once("INITIATOR\n").unwrap();
        let x = |count| "x".repeat(count);
        let blanks = " ".repeat(38);
        assert_eq!(
            rows,
            format!(
                "     0xffffffffffffffff  1            iqn.2026-01.lab:{}\n{blanks}{}\n{blanks}{}\n{blanks}{}-end,i,0x00023d000001\n     \
                 0x1                 2            sas,5000c50105b32002\n > this host's own: not known\n",
                x(46),
                x(62),
                x(62),
                x(33),
            )
        );
    }

    #[test]
    fn what_is_longer_than_any_name_is_cut_and_says_so() {
        assert_eq!(shortened(&"a".repeat(260)), "a".repeat(260));
        assert_eq!(
            shortened(&format!(
                "{}{}{}",
                "a".repeat(100),
                "b".repeat(61),
                "c".repeat(100)
            )),
            format!("{}[61 more characters]{}", "a".repeat(100), "c".repeat(100))
        );
    }

    #[test]
    fn control_characters_never_come_through() {
        let mut state = State::new();
        state.inquiry.vendor = b"a\x1b[2J\n\xff".to_vec();
        state.inquiry.product = Vec::new();
        state.register(
            1,
            TargetPorts::All,
            Some(TransportId::received(
                b"\x05\0\0\x14iqn.\x1b[31mxxxxxxxxxxx",
            )),
        );
        let text = state.show(PLAIN);
        assert!(
            text.contains("\nUnit         a.[2J.. 4.0 (disk)\n"),
            "{text}"
        );
        assert!(text.contains("  all          05,00,00,14,69,71,6e,2e,1b,5b,33,31,6d,"));
        let raw = state.show(Style {
            shown: DeviceText::Raw,
            ..PLAIN
        });
        assert!(
            raw.contains("\nUnit         a.[2J.\u{fffd} 4.0 (disk)\n"),
            "{raw}"
        );
    }

    #[test]
    fn inquiry_without_strings() {
        let mut state = State::new();
        state.inquiry = StandardInquiry::parse(&[0x15; 4]).unwrap();
        assert!(
            state
                .show(PLAIN)
                .contains("\nUnit         (device type 0x15)\n")
        );
    }

    /// The same numbers each time, without much of an order.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            self.0 >> 33
        }

        fn byte(&mut self) -> u8 {
            self.next().to_le_bytes()[0]
        }

        fn bytes(&mut self, limit: u64) -> Vec<u8> {
            let length = self.next() % (limit + 1);
            (0..length).map(|_| self.byte()).collect()
        }

        fn id(&mut self) -> TransportId {
            let mut bytes = [self.bytes(600), vec![self.byte()]].concat();
            let printable = self.next().is_multiple_of(2);
            for byte in bytes.iter_mut().skip(4) {
                *byte = if printable { b'!' + *byte % 94 } else { *byte };
            }
            match self.next() % 3 {
                0 => TransportId::received(&bytes),
                1 => {
                    let name: String = bytes
                        .iter()
                        .skip(4)
                        .take(239)
                        .map(|byte| char::from(b'a' + byte % 26))
                        .collect();
                    iscsi(&format!("iqn.{name}"))
                }
                _ => TransportId::received(&[&[0x45, 0, 2, 0x40], &bytes[..]].concat()),
            }
        }
    }

    #[test]
    fn never_more_than_100_columns() {
        let mut numbers = Numbers(1);
        for round in 0..60 {
            let mut state = State::new();
            state.inquiry.vendor = numbers.bytes(8);
            state.inquiry.product = numbers.bytes(16);
            state.inquiry.revision = numbers.bytes(4);
            let count = if round == 0 {
                1000
            } else {
                numbers.next() % 12
            };
            for _ in 0..count {
                let key = numbers.next() << (numbers.next() % 34);
                let id = (!numbers.next().is_multiple_of(4)).then(|| numbers.id());
                state.register(
                    key,
                    TargetPorts::Relative(u16::from(numbers.byte()) * 257),
                    id.clone(),
                );
                if numbers.next().is_multiple_of(3) {
                    state.own.extend(id);
                }
            }
            for _ in 0..numbers.next() % 3 {
                let holders: Vec<_> = (0..state.snapshot.keys.keys.len()).step_by(2).collect();
                let key = numbers.next() << 20;
                state.reserve(key, numbers.byte(), &holders);
            }
            state.snapshot.keys.generation = u32::from(numbers.byte());
            if numbers.next().is_multiple_of(4) {
                state.snapshot.full_status = Err(NoAnswer::Unsupported);
            }
            let device = format!("/dev/{}", "\u{4e2d}é x/".repeat(round));
            for (colour, shown) in [(false, DeviceText::Printable), (true, DeviceText::Raw)] {
                let text = table(&state.unit(&device), Style { colour, shown });
                assert!(text.ends_with('\n'));
                let text = [HOLDER_COLOUR, OWN_COLOUR, NO_COLOUR]
                    .iter()
                    .fold(text, |text, colour| text.replace(colour, ""));
                for line in text.lines() {
                    assert!(
                        line.chars().map(columns).sum::<usize>() <= COLUMNS,
                        "{line}"
                    );
                    assert!(!line.contains(char::is_control), "{line:?}");
                    assert_eq!(line.trim_end(), line);
                }
                let keys = state.snapshot.keys.keys.iter();
                assert!(keys.clone().all(|key| text.contains(&format!(" {key}"))));
            }
        }
    }

    #[test]
    fn lines_are_cut_between_words_or_anywhere() {
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("ab cd ef", 5), ["ab cd", "ef"]);
        assert_eq!(wrapped("ab cdefghijk l", 5), ["ab", "cdefg", "hijk", "l"]);
        assert_eq!(wrapped("a\tb\u{7f}\u{9b}", 9), ["a.b.."]);
        assert_eq!(
            wrapped("\u{4e2d}\u{4e2d}\u{4e2d}", 5),
            ["\u{4e2d}\u{4e2d}", "\u{4e2d}"]
        );
    }
}
