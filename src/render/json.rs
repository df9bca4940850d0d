//! The JSON document of `--json`.
//!
//! One shape for every command, whatever came of it; `schema.json` beside this file describes it,
//! and the program prints that too. Keys are strings: programs that read numbers as doubles lose
//! those above 2^53. The shapes stand apart from the types that they show, so that those can
//! change and the document does not.

mod overview;

pub use overview::UnitShape;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use crate::pr::prin::{
    Capabilities, FullStatusDescriptor, ParameterData, ReadFullStatus, TargetPorts, TypeMask,
};
use crate::pr::prout::{PersistentReserveOut, ServiceAction};
use crate::pr::transport_id::{Initiator, TransportId};
use crate::pr::{ReservationKey, ReservationType, Scope};
use crate::render::transport_id::host_identifier;
use crate::scsi::asc;
use crate::scsi::cdb::Cdb;
use crate::scsi::inquiry::StandardInquiry;
use crate::scsi::sense::{Sense, SenseFormat};
use crate::transport::Completion;

/// The JSON Schema of the document.
pub const SCHEMA: &str = include_str!("schema.json");

/// How the document is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A line for each value, with so many blanks for each level.
    Pretty(usize),
    /// One line, with a blank behind each comma and colon.
    Line,
    /// One line without blanks.
    Packed,
}

/// What a document tells.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The program's arguments, its name first; `None` leaves out what comes first.
    pub argv: Option<Vec<String>>,
    /// The lines of plain text, if they are wanted.
    pub plain_text: Option<&'a [u8]>,
    /// The device as typed.
    pub device: String,
    /// What INQUIRY brought.
    pub inquiry: Option<&'a StandardInquiry>,
    /// The last command that was sent or shown, INQUIRY apart.
    pub command: Option<Cdb>,
    /// What it was made of and its parameter list, if it is PERSISTENT RESERVE OUT.
    pub parameter_list: Option<(&'a PersistentReserveOut, &'a [u8])>,
    /// Its answer.
    pub parameter_data: Option<&'a ParameterData>,
    /// The answer to a question.
    pub answer: Option<bool>,
    /// How the last command ended, if one was sent and did.
    pub completion: Option<&'a Completion>,
    /// The operating system's error, if it did not open the device or take the last command.
    pub os_error: Option<(i32, String)>,
    /// The unit attentions after which commands were sent again.
    pub unit_attentions: &'a [Vec<u8>],
    /// What an overview tells, for each device.
    pub overview: Option<Vec<UnitShape>>,
    /// What became of a change on each path of a multipath map.
    pub paths: Option<Vec<PathShape>>,
    /// Why a change was refused: each reason's name, and words.
    pub explanation: Option<&'a [(&'static str, String)]>,
    /// What went wrong, in words.
    pub message: Option<String>,
    /// The exit status and its meaning, if they are wanted.
    pub exit_status: Option<(u8, String)>,
}

/// What a document about several devices tells besides the documents about each.
#[derive(Debug)]
pub struct ManyParts<'a> {
    /// The program's arguments, its name first; `None` leaves out what comes first.
    pub argv: Option<Vec<String>>,
    /// The lines of plain text, if they are wanted.
    pub plain_text: Option<&'a [u8]>,
    /// The exit status and its meaning, if they are wanted.
    pub exit_status: Option<(u8, String)>,
}

impl Document {
    /// It in text, ending with a newline.
    #[must_use]
    pub fn text(&self, layout: Layout) -> String {
        text(self, layout)
    }
}

/// The document about several devices, of which `devices` are those about each, ending with a newline.
#[must_use]
pub fn many(parts: &ManyParts<'_>, devices: &[Document], layout: Layout) -> String {
    text(
        &Many {
            json_format_version: version(parts.argv.as_ref()),
            utility_invoked: utility(parts.argv.as_deref(), parts.plain_text),
            devices,
            exit_status: exit_status(parts.exit_status.as_ref()),
        },
        layout,
    )
}

fn text(document: &impl Serialize, layout: Layout) -> String {
    let indent = match layout {
        Layout::Pretty(width) => " ".repeat(width),
        _ => String::new(),
    };
    let mut text = match layout {
        Layout::Pretty(_) => write(document, PrettyFormatter::with_indent(indent.as_bytes())),
        Layout::Line => write(document, LineFormatter),
        Layout::Packed => write(document, CompactFormatter),
    };
    text = ascii(&text);
    text.push('\n');
    text
}

/// The document with everything beyond printable ASCII escaped. JSON wants that only below U+0020; a
/// terminal acts on other control characters as well, and takes bytes of UTF-8 for such where it
/// expects another encoding.
fn ascii(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if c < '\u{7f}' {
            shown.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            shown += &format!("\\u{unit:04x}");
        }
    }
    shown
}

fn write(document: &impl Serialize, formatter: impl Formatter) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, formatter);
    // Writing to memory cannot fail, and no map in the document has keys that are no strings.
    let _ = document.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// One line with blanks that help a reader.
struct LineFormatter;

impl Formatter for LineFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[derive(Serialize)]
struct Many<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    json_format_version: Option<[u8; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utility_invoked: Option<Utility>,
    devices: &'a [Document],
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_status: Option<Code>,
}

/// What is told of one run on one device.
#[derive(Serialize)]
pub struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    json_format_version: Option<[u8; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utility_invoked: Option<Utility>,
    device: String,
    inquiry: Option<Inquiry>,
    command: Option<CommandShape>,
    parameter_data: Option<ParameterDataShape>,
    answer: Option<bool>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: Option<Vec<PathShape>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Vec<ReasonShape>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overview: Option<Vec<UnitShape>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_status: Option<Code>,
}

#[derive(Serialize)]
struct Utility {
    name: &'static str,
    version: &'static str,
    argv: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain_text_output: Option<Vec<String>>,
}

/// What became of a change on one path of a multipath map.
#[derive(Debug, Serialize)]
pub struct PathShape {
    /// The path's name.
    pub name: String,
    /// The name of what became of it.
    pub outcome: &'static str,
    /// Why, where it has a reason.
    pub message: Option<String>,
}

/// Why a change was refused.
#[derive(Serialize)]
struct ReasonShape {
    reason: &'static str,
    text: String,
}

/// A code and what it means.
#[derive(Serialize)]
struct Code {
    i: u32,
    meaning: Option<String>,
}

impl Code {
    fn new(i: impl Into<u32>, meaning: Option<&str>) -> Self {
        Self {
            i: i.into(),
            meaning: meaning.map(str::to_owned),
        }
    }
}

#[derive(Serialize)]
struct Inquiry {
    vendor: String,
    product: String,
    revision: String,
    peripheral_device_type: Code,
}

#[derive(Serialize)]
struct CommandShape {
    name: &'static str,
    cdb: String,
    service_action: Code,
    scope: Option<Code>,
    reservation_type: Option<Code>,
    parameter_list: Option<ParameterList>,
}

#[derive(Serialize)]
struct ParameterList {
    hex: String,
    reservation_key: String,
    service_action_reservation_key: String,
    activate_persist_through_power_loss: bool,
    // REGISTER AND MOVE has the last two of these fields, all other lists have the first two.
    all_target_ports: Option<bool>,
    specify_initiator_ports: Option<bool>,
    unregister: Option<bool>,
    relative_target_port: Option<u16>,
    transport_ids: Vec<TransportIdShape>,
}

#[derive(Serialize)]
struct TransportIdShape {
    // Without both where a device server has put an identifier of its own in the TransportID's place.
    protocol: Option<Code>,
    argument: Option<String>,
    hex: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ParameterDataShape {
    Keys {
        pr_generation: u32,
        reservation_keys: Vec<String>,
    },
    Reservation {
        pr_generation: u32,
        reservation: Option<ReservationShape>,
    },
    Capabilities(CapabilitiesShape),
    FullStatus {
        pr_generation: u32,
        full_status_descriptors: Vec<FullStatusShape>,
    },
}

#[derive(Serialize)]
struct ReservationShape {
    reservation_key: String,
    scope: Code,
    reservation_type: Code,
}

#[derive(Serialize)]
struct CapabilitiesShape {
    replace_lost_reservation_capable: bool,
    compatible_reservation_handling: bool,
    specify_initiator_ports_capable: bool,
    all_target_ports_capable: bool,
    persist_through_power_loss_capable: bool,
    persist_through_power_loss_active: bool,
    allow_commands: u8,
    /// The codes of the types supported; none where the device does not say.
    reservation_types: Option<Vec<Code>>,
}

#[derive(Serialize)]
struct FullStatusShape {
    reservation_key: String,
    all_target_ports: bool,
    relative_target_port: Option<u16>,
    reservation_holder: bool,
    scope: Option<Code>,
    reservation_type: Option<Code>,
    transport_id: Option<TransportIdShape>,
    /// In its place with NVMe.
    host_identifier: Option<String>,
}

#[derive(Serialize)]
struct Outcome {
    message: Option<String>,
    os_error: Option<Code>,
    scsi_status: Option<Code>,
    host_status: Option<Code>,
    driver_status: Option<Code>,
    residual: Option<i64>,
    sense: Option<SenseShape>,
    unit_attentions: Vec<SenseShape>,
}

#[derive(Serialize)]
struct SenseShape {
    format: Option<&'static str>,
    deferred: bool,
    sense_key: Option<Code>,
    additional_sense_code: Option<u8>,
    additional_sense_code_qualifier: Option<u8>,
    additional_sense: Option<String>,
    hex: String,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// The format's version, where the words are given.
fn version(argv: Option<&Vec<String>>) -> Option<[u8; 2]> {
    argv.map(|_| [1, 1])
}

fn utility(argv: Option<&[String]>, plain_text: Option<&[u8]>) -> Option<Utility> {
    Some(Utility {
        name: "sg_persist",
        version: env!("CARGO_PKG_VERSION"),
        argv: argv?.to_vec(),
        plain_text_output: plain_text.map(|text| {
            let lines = String::from_utf8_lossy(text);
            lines.lines().map(str::to_owned).collect()
        }),
    })
}

fn exit_status(status: Option<&(u8, String)>) -> Option<Code> {
    status.map(|(code, meaning)| Code::new(*code, Some(meaning)))
}

impl Document {
    /// What these parts tell.
    #[must_use]
    pub fn new(parts: Parts<'_>) -> Self {
        Self {
            json_format_version: version(parts.argv.as_ref()),
            utility_invoked: utility(parts.argv.as_deref(), parts.plain_text),
            outcome: Outcome::new(&parts),
            device: parts.device,
            inquiry: parts.inquiry.map(Inquiry::new),
            command: parts
                .command
                .map(|cdb| CommandShape::new(cdb, parts.parameter_list)),
            parameter_data: parts.parameter_data.map(ParameterDataShape::new),
            answer: parts.answer,
            overview: parts.overview,
            paths: parts.paths,
            explanation: parts.explanation.map(|reasons| {
                let shape = |(reason, text): &(&'static str, String)| ReasonShape {
                    reason,
                    text: text.clone(),
                };
                reasons.iter().map(shape).collect()
            }),
            exit_status: exit_status(parts.exit_status.as_ref()),
        }
    }
}

impl Inquiry {
    fn new(inquiry: &StandardInquiry) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let device_type = inquiry.peripheral_device_type;
        Self {
            vendor: text(&inquiry.vendor),
            product: text(&inquiry.product),
            revision: text(&inquiry.revision),
            peripheral_device_type: Code::new(device_type.0, device_type.name()),
        }
    }
}

/// The names of the service actions in the standard.
fn service_action(cdb: Cdb) -> Code {
    let code = cdb.as_bytes().get(1).copied().unwrap_or_default() & 0x1f;
    let name = match (cdb.operation_code(), code) {
        (Cdb::PERSISTENT_RESERVE_IN, 0) => "READ KEYS",
        (Cdb::PERSISTENT_RESERVE_IN, 1) => "READ RESERVATION",
        (Cdb::PERSISTENT_RESERVE_IN, 2) => "REPORT CAPABILITIES",
        (Cdb::PERSISTENT_RESERVE_IN, 3) => "READ FULL STATUS",
        (Cdb::PERSISTENT_RESERVE_OUT, 0) => "REGISTER",
        (Cdb::PERSISTENT_RESERVE_OUT, 1) => "RESERVE",
        (Cdb::PERSISTENT_RESERVE_OUT, 2) => "RELEASE",
        (Cdb::PERSISTENT_RESERVE_OUT, 3) => "CLEAR",
        (Cdb::PERSISTENT_RESERVE_OUT, 4) => "PREEMPT",
        (Cdb::PERSISTENT_RESERVE_OUT, 5) => "PREEMPT AND ABORT",
        (Cdb::PERSISTENT_RESERVE_OUT, 6) => "REGISTER AND IGNORE EXISTING KEY",
        (Cdb::PERSISTENT_RESERVE_OUT, 7) => "REGISTER AND MOVE",
        (Cdb::PERSISTENT_RESERVE_OUT, 8) => "REPLACE LOST RESERVATION",
        _ => return Code::new(code, None),
    };
    Code::new(code, Some(name))
}

impl CommandShape {
    fn new(cdb: Cdb, out: Option<(&PersistentReserveOut, &[u8])>) -> Self {
        // What is read to verify a change has no parameter list.
        let (name, out) = match cdb.operation_code() {
            Cdb::PERSISTENT_RESERVE_OUT => ("PERSISTENT RESERVE OUT", out),
            _ => ("PERSISTENT RESERVE IN", None),
        };
        Self {
            name,
            cdb: hex::encode(cdb.as_bytes()),
            service_action: service_action(cdb),
            scope: out.map(|(out, _)| scope(out.scope)),
            reservation_type: out.map(|(out, _)| reservation_type(out.reservation_type)),
            parameter_list: out.map(|(out, list)| ParameterList::new(out, list)),
        }
    }
}

impl ParameterList {
    fn new(out: &PersistentReserveOut, list: &[u8]) -> Self {
        let ids = out.transport_ids.as_slice();
        let moves = out.action == ServiceAction::RegisterAndMove;
        Self {
            hex: hex::encode(list),
            reservation_key: key(out.reservation_key),
            service_action_reservation_key: key(out.service_action_reservation_key),
            activate_persist_through_power_loss: out.activate_persist_through_power_loss,
            all_target_ports: (!moves).then_some(out.all_target_ports),
            specify_initiator_ports: (!moves).then_some(out.specifies_initiator_ports()),
            unregister: moves.then_some(out.unregister),
            relative_target_port: moves.then_some(out.relative_target_port),
            transport_ids: ids.iter().map(TransportIdShape::new).collect(),
        }
    }
}

impl TransportIdShape {
    fn new(id: &TransportId) -> Self {
        let protocol = id.protocol();
        Self {
            protocol: id
                .is_whole()
                .then(|| Code::new(protocol.0, protocol.name())),
            argument: id.is_whole().then(|| id.to_argument()),
            hex: hex::encode(id.as_bytes()),
        }
    }
}

fn key(key: ReservationKey) -> String {
    key.to_string()
}

fn scope(scope: Scope) -> Code {
    let name = (scope == Scope::LU_SCOPE).then_some("LU_SCOPE");
    Code::new(scope.code(), name)
}

fn reservation_type(reservation_type: ReservationType) -> Code {
    Code::new(reservation_type.code(), reservation_type.name())
}

impl ParameterDataShape {
    fn new(data: &ParameterData) -> Self {
        match data {
            ParameterData::Keys(data) => Self::Keys {
                pr_generation: data.generation,
                reservation_keys: data.keys.iter().copied().map(key).collect(),
            },
            ParameterData::Reservation(data) => Self::Reservation {
                pr_generation: data.generation,
                reservation: data.reservation.map(|held| ReservationShape {
                    reservation_key: key(held.reservation_key),
                    scope: scope(held.scope),
                    reservation_type: reservation_type(held.reservation_type),
                }),
            },
            ParameterData::Capabilities(data) => Self::Capabilities(CapabilitiesShape::new(data)),
            ParameterData::FullStatus(ReadFullStatus {
                generation,
                descriptors,
            }) => Self::FullStatus {
                pr_generation: *generation,
                full_status_descriptors: descriptors.iter().map(FullStatusShape::new).collect(),
            },
        }
    }
}

impl CapabilitiesShape {
    fn new(data: &Capabilities) -> Self {
        let types = |mask: TypeMask| {
            let types = TypeMask::TYPES.into_iter();
            let mut types: Vec<_> = types.filter(|&t| mask.supports(t)).collect();
            types.sort_by_key(|t| t.code());
            types.into_iter().map(reservation_type).collect()
        };
        Self {
            replace_lost_reservation_capable: data.replace_lost_reservation_capable,
            compatible_reservation_handling: data.compatible_reservation_handling,
            specify_initiator_ports_capable: data.specify_initiator_ports_capable,
            all_target_ports_capable: data.all_target_ports_capable,
            persist_through_power_loss_capable: data.persist_through_power_loss_capable,
            persist_through_power_loss_active: data.persist_through_power_loss_active,
            allow_commands: data.allow_commands,
            reservation_types: data.type_mask.map(types),
        }
    }
}

impl FullStatusShape {
    fn new(descriptor: &FullStatusDescriptor) -> Self {
        let held = descriptor.held;
        let id = descriptor.transport_id.as_ref();
        let host = match id.map(TransportId::initiator) {
            Some(Initiator::NvmeHost { identifier }) => Some(host_identifier(identifier)),
            _ => None,
        };
        Self {
            reservation_key: key(descriptor.reservation_key),
            all_target_ports: descriptor.target_ports == TargetPorts::All,
            relative_target_port: match descriptor.target_ports {
                TargetPorts::All => None,
                TargetPorts::Relative(port) => Some(port),
            },
            reservation_holder: held.is_some(),
            scope: held.map(|(held, _)| scope(held)),
            reservation_type: held.map(|(_, held)| reservation_type(held)),
            transport_id: id.filter(|_| host.is_none()).map(TransportIdShape::new),
            host_identifier: host,
        }
    }
}

impl Outcome {
    fn new(parts: &Parts<'_>) -> Self {
        let completion = parts.completion;
        let sense = completion.filter(|completion| !completion.sense.is_empty());
        Self {
            message: parts.message.clone(),
            os_error: parts.os_error.as_ref().map(|(errno, text)| Code {
                i: u32::try_from(*errno).unwrap_or_default(),
                meaning: Some(text.clone()),
            }),
            scsi_status: completion.map(|c| Code::new(c.status.0, c.status.name())),
            host_status: completion.map(|c| Code::new(c.host_status.0, c.host_status.name())),
            driver_status: completion.map(|c| Code::new(c.driver_status.0, c.driver_status.name())),
            residual: completion.map(|completion| completion.residual),
            sense: sense.map(|completion| SenseShape::new(&completion.sense)),
            unit_attentions: parts
                .unit_attentions
                .iter()
                .map(|sense| SenseShape::new(sense))
                .collect(),
        }
    }
}

impl SenseShape {
    fn new(bytes: &[u8]) -> Self {
        let sense = Sense::parse(bytes);
        let sense = sense.as_ref();
        Self {
            format: sense.map(|sense| match sense.format {
                SenseFormat::Fixed => "fixed",
                SenseFormat::Descriptor => "descriptor",
            }),
            deferred: sense.is_some_and(|sense| sense.deferred),
            sense_key: sense.map(|sense| Code::new(sense.key.0, sense.key.name())),
            additional_sense_code: sense.map(|sense| sense.asc),
            additional_sense_code_qualifier: sense.map(|sense| sense.ascq),
            additional_sense: sense.and_then(|sense| asc::text(sense.asc, sense.ascq)),
            hex: hex::encode(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_beyond_ascii_reaches_a_terminal() {
        let text = "\"~\u{7f}\u{9b}2J \u{fffd}\u{202e}\u{1f4be}\"";
        let shown = r#""~\u007f\u009b2J \ufffd\u202e\ud83d\udcbe""#;
        assert_eq!(ascii(text), shown);
        let read: Result<String, _> = serde_json::from_str(shown);
        assert_eq!(read.ok().as_deref(), Some(text.trim_matches('"')));
    }
}
