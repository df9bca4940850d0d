//! What an overview tells of one logical unit, in a document.

use serde::Serialize;

use super::{
    CapabilitiesShape, Code, FullStatusShape, Inquiry, ParameterDataShape, ReservationShape,
    SenseShape, key,
};
use crate::host_ports::is_own;
use crate::pr::prin::{FullStatusDescriptor, ParameterData};
use crate::render::overview::Unit;

/// One logical unit: what it told, or why there is no overview of it.
#[derive(Serialize)]
pub struct UnitShape {
    device: String,
    message: Option<String>,
    inquiry: Option<Inquiry>,
    pr_generation: Option<u32>,
    reservation_keys: Option<Vec<String>>,
    reservation: Option<ReservationShape>,
    reservation_message: Option<String>,
    full_status_descriptors: Option<Vec<FullStatusShape>>,
    full_status_message: Option<String>,
    /// Places in the list of descriptors, from 0.
    own_descriptors: Option<Vec<usize>>,
    capabilities: Option<CapabilitiesShape>,
    capabilities_message: Option<String>,
    unit_attentions: Vec<SenseShape>,
    status: Code,
}

impl std::fmt::Debug for UnitShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnitShape")
            .field("device", &self.device)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl UnitShape {
    /// A logical unit that told what it was asked, past these unit attentions, with the exit status of
    /// such an overview, and its meaning.
    #[must_use]
    pub fn told(
        device: String,
        unit: &Unit<'_>,
        unit_attentions: &[Vec<u8>],
        (status, meaning): (u8, &str),
    ) -> Self {
        let snapshot = unit.snapshot;
        let reservation = match &snapshot.reservation {
            Ok(held) => match ParameterDataShape::new(&ParameterData::Reservation(held.clone())) {
                ParameterDataShape::Reservation { reservation, .. } => reservation,
                _ => None,
            },
            Err(_) => None,
        };
        let full_status = snapshot.full_status.as_ref();
        let descriptors = full_status.map(|data| &data.descriptors);
        let is_own = |descriptor: &FullStatusDescriptor| {
            let id = descriptor.transport_id.as_ref();
            id.is_some_and(|id| is_own(unit.own, id))
        };
        let own = descriptors.ok().filter(|_| !unit.own.is_empty());
        let own = own.map(|descriptors| {
            let own = descriptors
                .iter()
                .enumerate()
                .filter(|(_, one)| is_own(one));
            own.map(|(place, _)| place).collect()
        });
        let no_capabilities = unit.capabilities.as_ref().err();
        Self {
            device,
            message: None,
            inquiry: Some(Inquiry::new(unit.inquiry)),
            pr_generation: Some(snapshot.keys.generation),
            reservation_keys: Some(snapshot.keys.keys.iter().copied().map(key).collect()),
            reservation,
            reservation_message: snapshot.reservation.as_ref().err().map(ToString::to_string),
            full_status_descriptors: descriptors
                .ok()
                .map(|list| list.iter().map(FullStatusShape::new).collect()),
            full_status_message: descriptors.err().map(ToString::to_string),
            own_descriptors: own,
            capabilities: unit.capabilities.as_ref().ok().map(CapabilitiesShape::new),
            capabilities_message: no_capabilities.map(ToString::to_string),
            unit_attentions: senses(unit_attentions),
            status: Code::new(status, Some(meaning)),
        }
    }

    /// A logical unit of which there is no overview: why, in words and as an exit status of its own,
    /// with its meaning.
    #[must_use]
    pub fn failed(
        device: String,
        message: String,
        (status, meaning): (u8, &str),
        unit_attentions: &[Vec<u8>],
    ) -> Self {
        Self {
            device,
            message: Some(message),
            inquiry: None,
            pr_generation: None,
            reservation_keys: None,
            reservation: None,
            reservation_message: None,
            full_status_descriptors: None,
            full_status_message: None,
            own_descriptors: None,
            capabilities: None,
            capabilities_message: None,
            unit_attentions: senses(unit_attentions),
            status: Code::new(status, Some(meaning)),
        }
    }
}

fn senses(unit_attentions: &[Vec<u8>]) -> Vec<SenseShape> {
    let senses = unit_attentions.iter();
    senses.map(|sense| SenseShape::new(sense)).collect()
}
