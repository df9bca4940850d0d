//! Answers in hexadecimal: `-H`, `-HH`, `-HHH`.

use crate::pr::prin::{HEADER_LENGTH, Header, ServiceAction};
use crate::render::hex_rows;

/// The bytes of a whole answer to `action`, as `-H` given `count` times shows them.
#[must_use]
pub fn answer(action: ServiceAction, count: u8, data: &[u8]) -> String {
    let Ok(header) = Header::parse(data) else {
        return came(count, data);
    };
    if action == ServiceAction::ReportCapabilities {
        return hex_rows::offsets(&data[..HEADER_LENGTH]);
    }
    let length = header.additional_length;
    let end = usize::try_from(length).map_or(data.len(), |l| l.saturating_add(HEADER_LENGTH));
    let whole = &data[..end.min(data.len())];
    if count >= 2 {
        return came(count, whole);
    }
    let mut text = format!(
        "  PR generation={:#x}, Additional length={length}\n",
        header.generation
    );
    if length == 0 {
        // The original says it twice, and scripts may count lines.
        text += "Additional length=0\n";
    }
    text + &hex_rows::offsets(&whole[HEADER_LENGTH..])
}

/// Bytes that came and are not a whole answer.
#[must_use]
pub fn came(count: u8, data: &[u8]) -> String {
    match count {
        0..=2 => hex_rows::offsets(data),
        _ => hex_rows::plain(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 20] = [
        0, 0, 0, 0x15, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9,
    ];

    #[test]
    fn the_list_and_nothing_behind_it() {
        let keys = ServiceAction::ReadKeys;
        assert_eq!(
            answer(keys, 1, &KEY),
            "  PR generation=0x15, Additional length=8\n 00     01 02 03 04 05 06 07 08\n"
        );
        assert_eq!(
            answer(keys, 2, &KEY),
            " 00     00 00 00 15 00 00 00 08  01 02 03 04 05 06 07 08\n"
        );
        assert_eq!(
            answer(keys, 3, &KEY),
            "00 00 00 15 00 00 00 08  01 02 03 04 05 06 07 08\n"
        );
    }

    #[test]
    fn hex_of_an_empty_list_says_so_twice() {
        assert_eq!(
            answer(ServiceAction::ReadKeys, 1, &[0; 8]),
            "  PR generation=0x0, Additional length=0\nAdditional length=0\n"
        );
    }

    #[test]
    fn capabilities_are_eight_bytes_in_every_form() {
        let data = [0, 8, 0x1d, 0x90, 0xea, 1, 0, 0, 7, 7];
        for count in 1..5 {
            assert_eq!(
                answer(ServiceAction::ReportCapabilities, count, &data),
                " 00     00 08 1d 90 ea 01 00 00\n"
            );
        }
    }
}
