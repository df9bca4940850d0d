//! The texts of additional sense codes, from T10's list of them.

/// One line each: ADDITIONAL SENSE CODE, its qualifier or a range of them, the text.
/// The ranges come first and win over single lines.
const LIST: &str = include_str!("asc.txt");

/// Stands in a text where the qualifier belongs.
const PLACEHOLDER: &str = "{ascq}";

/// What ADDITIONAL SENSE CODE `asc` with ADDITIONAL SENSE CODE QUALIFIER `ascq`
/// means (SPC-5 4.4.6), or `None` where T10 has assigned nothing.
///
/// ```
/// use sg_persist::scsi::asc::text;
/// assert_eq!(text(0x26, 0x04).as_deref(), Some("Invalid release of persistent reservation"));
/// assert_eq!(text(0x80, 0x00), None);
/// ```
#[must_use]
pub fn text(asc: u8, ascq: u8) -> Option<String> {
    // Most runs need no text and the others one: a search through the list costs
    // less than a table of pointers, which the loader would fill at every start.
    LIST.lines()
        .filter_map(Entry::parse)
        .find(|entry| entry.asc == asc && (entry.first..=entry.last).contains(&ascq))
        .map(|entry| entry.text.replace(PLACEHOLDER, &format!("0x{ascq:x}")))
}

/// One line of the list.
struct Entry {
    asc: u8,
    first: u8,
    last: u8,
    text: &'static str,
}

impl Entry {
    fn parse(line: &'static str) -> Option<Self> {
        let hex = |number| u8::from_str_radix(number, 16).ok();
        let (asc, rest) = line.split_once(' ')?;
        let (ascq, text) = rest.split_once(' ')?;
        let (first, last) = ascq.split_once('-').unwrap_or((ascq, ascq));
        Some(Self {
            asc: hex(asc)?,
            first: hex(first)?,
            last: hex(last)?,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_understood() {
        assert_eq!(LIST.lines().filter_map(Entry::parse).count(), 770);
        assert_eq!(LIST.lines().count(), 770);
    }

    #[test]
    fn every_line_of_the_list_is_found() {
        for entry in LIST.lines().filter_map(Entry::parse) {
            for ascq in [entry.first, entry.last] {
                let expected = entry.text.replace("{ascq}", &format!("0x{ascq:x}"));
                let found = text(entry.asc, ascq);
                let in_a_range = matches!(entry.asc, 0x40..=0x42 | 0x4d | 0x70);
                assert!(found == Some(expected) || in_a_range);
            }
        }
    }

    #[test]
    fn single_codes() {
        for (asc, ascq, expected) in [
            (0x00, 0x00, "No additional sense information"),
            (0x00, 0x16, "operation in progress"),
            (0x20, 0x00, "Invalid command operation code"),
            (0x24, 0x00, "Invalid field in cdb"),
            (0x26, 0x04, "Invalid release of persistent reservation"),
            (0x2a, 0x03, "Reservations preempted"),
            (0x2a, 0x05, "Registrations preempted"),
            (0x55, 0x04, "Insufficient registration resources"),
        ] {
            assert_eq!(text(asc, ascq).as_deref(), Some(expected));
        }
    }

    #[test]
    fn ranges_show_the_qualifier() {
        for (asc, ascq, expected) in [
            (0x40, 0x01, "Ram failure [0x1]"),
            (0x40, 0x7f, "Ram failure [0x7f]"),
            (0x40, 0x80, "Diagnostic failure on component [0x80]"),
            (0x40, 0xff, "Diagnostic failure on component [0xff]"),
            (0x41, 0x01, "Data path failure [0x1]"),
            (0x42, 0xfe, "Power-on or self-test failure [0xfe]"),
            (0x4d, 0x00, "Tagged overlapped commands [0x0]"),
            (
                0x70,
                0x2a,
                "Decompression exception short algorithm id of 0x2a",
            ),
        ] {
            assert_eq!(text(asc, ascq).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_not_assigned_has_no_text() {
        for (asc, ascq) in [(0x00, 0x08), (0x24, 0x80), (0x7f, 0x10), (0x80, 0x00)] {
            assert_eq!(text(asc, ascq), None);
        }
    }
}
