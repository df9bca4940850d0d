//! The Device Identification VPD page (SPC-5 7.7.6): here, which target port a command has come to.

use super::cdb::Cdb;

/// Bytes of the page asked for: more than pages have. Old devices, which know one byte of the field,
/// see 252.
pub const ALLOCATION_LENGTH: u16 = 0x3fc;

/// The page.
const PAGE: u8 = 0x83;
/// Bytes of the page, and of each designation descriptor, before what their length counts.
const HEADER: usize = 4;
/// ASSOCIATION: the target port that received the command.
const TARGET_PORT: u8 = 1;
/// DESIGNATOR TYPE: relative target port identifier.
const RELATIVE_TARGET_PORT: u8 = 4;

/// INQUIRY for the page, [`ALLOCATION_LENGTH`] bytes of it.
#[must_use]
pub const fn cdb() -> Cdb {
    let [high, low] = ALLOCATION_LENGTH.to_be_bytes();
    Cdb::six([Cdb::INQUIRY, 1, PAGE, high, low, 0])
}

/// The relative target port identifier of the target port to which the command came, of the `data`
/// that did come of the page. `None` where it is not there, or where two contradict each other.
#[must_use]
pub fn relative_target_port(data: &[u8]) -> Option<u16> {
    let (&[_, PAGE, high, low], list) = data.split_first_chunk::<HEADER>()? else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let mut rest = list.get(..length).unwrap_or(list);
    let mut found = None;
    while let Some((&[_, kind, _, length], after)) = rest.split_first_chunk::<HEADER>() {
        let designator = after.get(..usize::from(length))?;
        rest = &after[designator.len()..];
        if (kind >> 4 & 3, kind & 0x0f) != (TARGET_PORT, RELATIVE_TARGET_PORT) {
            continue;
        }
        let &[_, _, high, low] = designator else {
            return None;
        };
        let port = u16::from_be_bytes([high, low]);
        if found.is_some_and(|found| found != port) {
            return None;
        }
        found = Some(port);
    }
    // Number 0 is reserved.
    found.filter(|&port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name of the logical unit, then what `more` spells.
    fn page(more: &[u8]) -> Vec<u8> {
        let name = [0x01, 0x03, 0, 8, 0x60, 1, 2, 3, 4, 5, 6, 7];
        let list = [&name[..], more].concat();
        let length = u8::try_from(list.len()).unwrap_or(u8::MAX);
        [&[0, 0x83, 0, length][..], &list].concat()
    }

    #[test]
    fn the_target_port_of_the_command() {
        let port = [0x61, 0x94, 0, 4, 0, 0, 1, 2];
        // A target port group stands beside it.
        let group = [0x61, 0x95, 0, 4, 0, 0, 0, 9];
        assert_eq!(relative_target_port(&page(&port)), Some(0x102));
        let both = [group, port].concat();
        assert_eq!(relative_target_port(&page(&both)), Some(0x102));
        let twice = [port, port].concat();
        assert_eq!(relative_target_port(&page(&twice)), Some(0x102));
    }

    #[test]
    fn what_is_not_told() {
        let other = [0x61, 0x94, 0, 4, 0, 0, 1, 2, 0x61, 0x94, 0, 4, 0, 0, 1, 3];
        // The unit's own, a short one, number 0, and what contradicts itself.
        for more in [
            &[][..],
            &[0x61, 0x84, 0, 4, 0, 0, 0, 1],
            &[0x61, 0x94, 0, 2, 0, 1],
            &[0x61, 0x94, 0, 4, 0, 0, 0, 0],
            &[0x61, 0x94, 0, 4, 0, 0, 0],
            &other,
        ] {
            assert_eq!(relative_target_port(&page(more)), None, "{more:02x?}");
        }
        let whole = page(&[0x61, 0x94, 0, 4, 0, 0, 0, 1]);
        for length in 0..whole.len() {
            assert_eq!(relative_target_port(&whole[..length]), None);
        }
        let mut wrong = whole.clone();
        wrong[1] = 0x80;
        assert_eq!(relative_target_port(&wrong), None);
        // What stands behind the page is not part of it.
        let mut short = whole;
        short[3] = 12;
        assert_eq!(relative_target_port(&short), None);
    }
}
