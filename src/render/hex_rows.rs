//! Bytes as rows of two-digit hexadecimal numbers, sixteen to a row.
//!
//! Each row has the shape `00 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff`
//! and ends with a newline. The functions differ in what stands before and
//! after the numbers. No bytes, no rows: the string is then empty.

use std::fmt::Write as _;

/// Bytes in a full row.
const ROW: usize = 16;
/// Columns the numbers of a full row take, with the gap in their middle.
const FULL_WIDTH: usize = 48;
/// The column in which the numbers start after an offset.
const OFFSET_WIDTH: usize = 8;

/// Rows of numbers alone, without trailing blanks.
#[must_use]
pub fn plain(bytes: &[u8]) -> String {
    lead_in("", bytes)
}

/// Rows that start with the offset of their first byte (` 1f0    00 …`),
/// without trailing blanks.
#[must_use]
pub fn offsets(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (row, offset) in rows(bytes) {
        push_offset(&mut text, offset);
        push_line(&mut text, &numbers(row));
    }
    text
}

/// As [`offsets`], followed by the row's characters. Bytes outside
/// 20h to 7Eh appear as `.`, and a short row ends with its last character.
#[must_use]
pub fn offsets_ascii(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (row, offset) in rows(bytes) {
        push_offset(&mut text, offset);
        let line = format!("{:FULL_WIDTH$}    {}", numbers(row), characters(row));
        push_line(&mut text, &line);
    }
    text
}

/// Rows that start with `prefix`, without trailing blanks.
#[must_use]
pub fn lead_in(prefix: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    for (row, _) in rows(bytes) {
        text.push_str(prefix);
        push_line(&mut text, &numbers(row));
    }
    text
}

/// As [`lead_in`], followed by the row's characters (as in
/// [`offsets_ascii`]), padded with blanks to sixteen.
#[must_use]
pub fn lead_in_ascii(prefix: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    for (row, _) in rows(bytes) {
        text.push_str(prefix);
        let line = format!("{:FULL_WIDTH$}    {:ROW$}", numbers(row), characters(row));
        push_line(&mut text, &line);
    }
    text
}

/// The rows of `bytes`, each with the offset of its first byte.
fn rows(bytes: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    bytes.chunks(ROW).zip((0..).step_by(ROW))
}

/// The numbers of one row.
fn numbers(row: &[u8]) -> String {
    let mut text = String::new();
    for (position, byte) in row.iter().enumerate() {
        let gap = match position {
            0 => "",
            8 => "  ",
            _ => " ",
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "{gap}{byte:02x}");
    }
    text
}

/// The characters of one row; what cannot be printed becomes a dot.
fn characters(row: &[u8]) -> String {
    row.iter()
        .map(|&byte| match byte {
            0x20..=0x7e => char::from(byte),
            _ => '.',
        })
        .collect()
}

fn push_offset(text: &mut String, offset: usize) {
    let number = format!(" {offset:02x}");
    // Writing to a String cannot fail.
    let _ = write!(text, "{number:OFFSET_WIDTH$}");
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7, 8, 9, 15, 16 and 17 bytes are the first so many of these.
    const BYTES: [u8; 17] = [
        0x00, 0x1f, 0x20, 0x41, 0x7e, 0x7f, 0x80, 0xff, 0x68, 0x65, 0x78, 0x0a, 0x72, 0x6f, 0x77,
        0x73, 0xc3,
    ];

    /// Three hundred bytes, of which the last row holds twelve.
    fn three_hundred() -> Vec<u8> {
        (0..=255u8).chain(0x41..=0x6c).collect()
    }

    #[test]
    fn nothing_gives_no_rows() {
        assert_eq!(plain(&[]), "");
        assert_eq!(offsets(&[]), "");
        assert_eq!(offsets_ascii(&[]), "");
        assert_eq!(lead_in("  ", &[]), "");
        assert_eq!(lead_in_ascii("  ", &[]), "");
    }

    #[test]
    fn plain_rows() {
        for (length, expected) in [
            (1, "00\n"),
            (7, "00 1f 20 41 7e 7f 80\n"),
            (8, "00 1f 20 41 7e 7f 80 ff\n"),
            (9, "00 1f 20 41 7e 7f 80 ff  68\n"),
            (15, "00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77\n"),
            (16, "00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73\n"),
            (17, "00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73\nc3\n"),
        ] {
            assert_eq!(plain(&BYTES[..length]), expected);
        }
    }

    #[test]
    fn offset_rows() {
        for (length, expected) in [
            (1, " 00     00\n"),
            (7, " 00     00 1f 20 41 7e 7f 80\n"),
            (8, " 00     00 1f 20 41 7e 7f 80 ff\n"),
            (9, " 00     00 1f 20 41 7e 7f 80 ff  68\n"),
            (
                15,
                " 00     00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77\n",
            ),
            (
                16,
                " 00     00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73\n",
            ),
            (
                17,
                " 00     00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73\n 10     c3\n",
            ),
        ] {
            assert_eq!(offsets(&BYTES[..length]), expected);
        }
    }

    #[test]
    fn offset_rows_with_characters() {
        for (length, expected) in [
            (
                1,
                " 00     00                                                  .\n",
            ),
            (
                7,
                " 00     00 1f 20 41 7e 7f 80                                .. A~..\n",
            ),
            (
                8,
                " 00     00 1f 20 41 7e 7f 80 ff                             .. A~...\n",
            ),
            (
                9,
                " 00     00 1f 20 41 7e 7f 80 ff  68                         .. A~...h\n",
            ),
            (
                15,
                " 00     00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77       .. A~...hex.row\n",
            ),
            (
                16,
                " 00     00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73    .. A~...hex.rows\n",
            ),
            (
                17,
                " 00     00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73    .. A~...hex.rows\n \
                 10     c3                                                  .\n",
            ),
        ] {
            assert_eq!(offsets_ascii(&BYTES[..length]), expected);
        }
    }

    #[test]
    fn lead_in_rows() {
        for (length, expected) in [
            (1, "  >00\n"),
            (7, "  >00 1f 20 41 7e 7f 80\n"),
            (8, "  >00 1f 20 41 7e 7f 80 ff\n"),
            (9, "  >00 1f 20 41 7e 7f 80 ff  68\n"),
            (15, "  >00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77\n"),
            (16, "  >00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73\n"),
            (
                17,
                "  >00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73\n  >c3\n",
            ),
        ] {
            assert_eq!(lead_in("  >", &BYTES[..length]), expected);
        }
    }

    #[test]
    fn lead_in_rows_with_characters() {
        for (length, expected) in [
            (
                1,
                "  00                                                  .               \n",
            ),
            (
                7,
                "  00 1f 20 41 7e 7f 80                                .. A~..         \n",
            ),
            (
                8,
                "  00 1f 20 41 7e 7f 80 ff                             .. A~...        \n",
            ),
            (
                9,
                "  00 1f 20 41 7e 7f 80 ff  68                         .. A~...h       \n",
            ),
            (
                15,
                "  00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77       .. A~...hex.row \n",
            ),
            (
                16,
                "  00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73    .. A~...hex.rows\n",
            ),
            (
                17,
                "  00 1f 20 41 7e 7f 80 ff  68 65 78 0a 72 6f 77 73    .. A~...hex.rows\n  \
                 c3                                                  .               \n",
            ),
        ] {
            assert_eq!(lead_in_ascii("  ", &BYTES[..length]), expected);
        }
    }

    #[test]
    fn three_hundred_bytes() {
        let bytes = three_hundred();
        let numbers = "61 62 63 64 65 66 67 68  69 6a 6b 6c";
        let last = |text: String| text.lines().last().map(str::to_owned);
        assert_eq!(last(plain(&bytes)), Some(numbers.to_owned()));
        assert_eq!(last(offsets(&bytes)), Some(format!(" 120    {numbers}")));
        assert_eq!(
            last(offsets_ascii(&bytes)),
            Some(format!(" 120    {numbers}                abcdefghijkl"))
        );
        assert_eq!(
            last(lead_in("    ", &bytes)),
            Some(format!("    {numbers}"))
        );
        assert_eq!(
            last(lead_in_ascii("    ", &bytes)),
            Some(format!("    {numbers}                abcdefghijkl    "))
        );
        assert_eq!(plain(&bytes).lines().count(), 19);
    }

    #[test]
    fn long_offsets_keep_the_columns() {
        let text = offsets(&[0xfe; 0x2000]);
        assert_eq!(
            text.lines().last(),
            Some(" 1ff0   fe fe fe fe fe fe fe fe  fe fe fe fe fe fe fe fe")
        );
    }
}
