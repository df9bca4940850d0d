//! What a device server says of a failure, in a line for everybody, and what can be done about it.

use crate::scsi::asc;
use crate::scsi::sense::{Sense, SenseKey};

/// Sense key, additional sense code and qualifier: as numbers, by which documents of vendors list
/// them, and in words.
#[must_use]
pub fn sense_line(sense: &Sense) -> String {
    let Sense { key, asc, ascq, .. } = *sense;
    let name = key.name().unwrap_or("invalid");
    let text = asc::text(asc, ascq).unwrap_or_else(|| match (asc, ascq) {
        (0x80.., _) | (_, 0x80..) => "vendor specific".to_owned(),
        _ => "no text is known for it".to_owned(),
    });
    format!(
        "Sense data {:x}/{asc:02x}/{ascq:02x}: {name}, {text}",
        key.0
    )
}

/// A unit attention that was read past.
#[must_use]
pub fn attention(sense: &Sense) -> String {
    let text = asc::text(sense.asc, sense.ascq);
    let text = text.unwrap_or_else(|| "no text is known for it".to_owned());
    format!(
        "A unit attention was pending and has been cleared by this: {text} ({:02x}/{:02x}).",
        sense.asc, sense.ascq
    )
}

/// What to do about it, where storage people know.
#[must_use]
pub const fn advice(sense: &Sense) -> Option<&'static str> {
    if sense.deferred {
        return None;
    }
    Some(match (sense.key, sense.asc, sense.ascq) {
        (SenseKey::NOT_READY, 0x04, 0x0a) => {
            "The path is changing its state (ALUA, ANA): try again in a few seconds, or use another path"
        }
        (SenseKey::NOT_READY, 0x04, 0x0b) => {
            "This path is in standby (ALUA): use another path to the device (multipath -ll lists \
             them)"
        }
        (SenseKey::NOT_READY, 0x04, 0x0c) => {
            "This path is unavailable (ALUA, ANA): use another path to the device (multipath -ll lists \
             them)"
        }
        (SenseKey::ILLEGAL_REQUEST, 0x25, 0x00) => {
            "There is no such LUN for this host (any more): check what the array presents to it, \
             and rescan"
        }
        (SenseKey::ILLEGAL_REQUEST, 0x26, 0x04) => {
            "The reservation has another type or scope: --read-reservation shows its type, which \
             --prout-type must give"
        }
        (SenseKey::ILLEGAL_REQUEST, 0x55, 0x02) => {
            "The device has no room for another reservation: look for what can go, or for a limit \
             that the array lets you raise"
        }
        (SenseKey::ILLEGAL_REQUEST, 0x55, 0x04) => {
            "The device has no room for another registration: unregister what is not needed any \
             more (--read-full-status shows whose it is), or raise the array's limit"
        }
        (SenseKey::UNIT_ATTENTION, 0x2a, 0x03) => {
            "Another node has cleared or preempted this node's registration or reservation: look at \
             the keys and the reservation before going on"
        }
        (SenseKey::UNIT_ATTENTION, 0x2a, 0x04) => {
            "The reservation has been released: look at the keys and the reservation before going on"
        }
        (SenseKey::UNIT_ATTENTION, 0x2a, 0x05) => {
            "Another node has removed this node's registration, perhaps to fence it: look at the \
             keys and the reservation before registering again"
        }
        (SenseKey::ABORTED_COMMAND, 0x08, 0x00) => {
            "What passes commands on to the device did not answer; in a virtual machine, check \
             that the host's helper (qemu-pr-helper) is running"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::sense::SenseFormat;

    fn sense(key: u8, asc: u8, ascq: u8) -> Sense {
        Sense {
            key: SenseKey(key),
            asc,
            ascq,
            deferred: false,
            format: SenseFormat::Fixed,
        }
    }

    #[test]
    fn numbers_and_words() {
        for (key, asc, ascq, line) in [
            (
                5,
                0x55,
                0x04,
                "Sense data 5/55/04: Illegal Request, Insufficient registration resources",
            ),
            (
                2,
                0x04,
                0x0c,
                "Sense data 2/04/0c: Not Ready, Logical unit not accessible, target port in \
                 unavailable state",
            ),
            (
                0xb,
                0,
                0,
                "Sense data b/00/00: Aborted Command, No additional sense information",
            ),
            (
                5,
                0x80,
                1,
                "Sense data 5/80/01: Illegal Request, vendor specific",
            ),
            (
                5,
                0x24,
                0x81,
                "Sense data 5/24/81: Illegal Request, vendor specific",
            ),
            (
                5,
                0x7f,
                0x10,
                "Sense data 5/7f/10: Illegal Request, no text is known for it",
            ),
        ] {
            assert_eq!(sense_line(&sense(key, asc, ascq)), line);
        }
    }

    #[test]
    fn advice_is_for_the_sense_key_that_it_belongs_to() {
        let known = [
            (0x02, 0x04, 0x0a),
            (0x02, 0x04, 0x0b),
            (0x02, 0x04, 0x0c),
            (0x05, 0x25, 0x00),
            (0x05, 0x26, 0x04),
            (0x05, 0x55, 0x02),
            (0x05, 0x55, 0x04),
            (0x06, 0x2a, 0x03),
            (0x06, 0x2a, 0x04),
            (0x06, 0x2a, 0x05),
            (0x0b, 0x08, 0x00),
        ];
        for key in 0..16 {
            for code in 0..=u16::MAX {
                let [asc, ascq] = code.to_be_bytes();
                let mut sense = sense(key, asc, ascq);
                let found = advice(&sense);
                assert_eq!(found.is_some(), known.contains(&(key, asc, ascq)));
                assert!(found.is_none_or(|text| text.is_ascii() && !text.contains('\n')));
                sense.deferred = true;
                assert_eq!(advice(&sense), None);
            }
        }
    }
}
