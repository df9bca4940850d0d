//! Several logical units at a glance: a line for each.

use super::overview::marked_otherwise;
use crate::pr::prin::Reservation;
use crate::pr::snapshot::Snapshot;

/// One logical unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The device as the user named it, fit to be printed.
    pub device: String,
    /// What it told, if it told anything.
    pub told: Option<Told>,
    /// The exit status, and its meaning where it is none of success.
    pub status: String,
}

/// What a logical unit told, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// PRGENERATION.
    generation: u32,
    /// How many registrations there are.
    registrations: usize,
    /// The reservation.
    reservation: String,
}

impl Told {
    /// What `snapshot` has.
    #[must_use]
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            generation: snapshot.keys.generation,
            registrations: snapshot.keys.keys.len(),
            reservation: match &snapshot.reservation {
                // The device contradicts itself.
                Ok(_) if marked_otherwise(snapshot).is_some() => "not known".to_owned(),
                Ok(read) => read.reservation.map_or("none".to_owned(), reservation),
                Err(_) => "not known".to_owned(),
            },
        }
    }
}

/// Who holds it, and its type.
fn reservation(held: Reservation) -> String {
    let kind = held.reservation_type;
    let code = kind.code();
    match kind.is_held_by_all() {
        true => format!("all registrants, type {code:x}"),
        false => format!("{}, type {code:x}", held.reservation_key),
    }
}

/// The status of a row: its number, and its meaning, if there is one.
#[must_use]
pub fn status(code: u8, meaning: Option<&str>) -> String {
    meaning.map_or(code.to_string(), |meaning| format!("{code} {meaning}"))
}

/// A line for each, and one above that says what is in them.
#[must_use]
pub fn summary(rows: &[Row]) -> String {
    let head = ["Device", "Generation", "Keys", "Reservation", "Status"].map(str::to_owned);
    let line = |row: &Row| {
        let told = row.told.as_ref();
        let or_nothing = |text: Option<String>| text.unwrap_or("-".to_owned());
        [
            row.device.clone(),
            or_nothing(told.map(|told| format!("{:#x}", told.generation))),
            or_nothing(told.map(|told| told.registrations.to_string())),
            or_nothing(told.map(|told| told.reservation.clone())),
            row.status.clone(),
        ]
    };
    let lines: Vec<[String; 5]> = std::iter::once(head).chain(rows.iter().map(line)).collect();
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: [usize; 4] = [0, 1, 2, 3].map(width);
    let mut text = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(widths) {
            text += &format!("{cell:width$}  ");
        }
        text += &line[4];
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each() {
        let rows = [
            Row {
                device: "/dev/sda".to_owned(),
                told: Some(Told {
                    generation: 0x2f,
                    registrations: 3,
                    reservation: "0xabc123, type 5".to_owned(),
                }),
                status: status(0, None),
            },
            Row {
                device: "/dev/mapper/mpathb".to_owned(),
                told: None,
                status: status(24, Some("Reservation conflict")),
            },
        ];
        assert_eq!(
            summary(&rows),
            "Device              Generation  Keys  Reservation       Status\n\
             /dev/sda            0x2f        3     0xabc123, type 5  0\n\
             /dev/mapper/mpathb  -           -     -                 24 Reservation conflict\n"
        );
    }
}
