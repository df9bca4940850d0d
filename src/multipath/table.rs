//! The status of a multipath map's table, as the device mapper tells it (`multipath_status` in
//! drivers/md/dm-mpath.c; Documentation/admin-guide/device-mapper has no more than an example).
//!
//! ```text
//! START LENGTH multipath  2 QUEUE_IO PG_INITS  HANDLER_ARGUMENTS ...  GROUPS NEXT_GROUP
//!   for each group:       A|E|D  SELECTOR_ARGUMENTS ...  PATHS ARGUMENTS_OF_EACH
//!     for each path:        MAJOR:MINOR A|F FAILURES ...
//! ```
//!
//! Whoever cannot read it knows less, and is in no error: nothing but the order of paths depends on
//! it, and whether a map without a name of multipath's making is one.

use super::{BlockNumber, DmPath};

/// The paths of a table, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The number of each, and where it is.
    pub paths: Vec<(BlockNumber, DmPath)>,
}

impl Status {
    /// What the table says of the path with this number.
    #[must_use]
    pub fn path(&self, number: BlockNumber) -> Option<DmPath> {
        let mut paths = self.paths.iter();
        paths.find_map(|(listed, path)| (*listed == number).then_some(*path))
    }

    /// Reads what follows the word `multipath`; `None` if it is not as the kernel writes it.
    #[must_use]
    pub fn parse(parameters: &str) -> Option<Self> {
        let mut words = parameters.split_ascii_whitespace();
        let words = &mut words;
        skip_arguments(words)?;
        skip_arguments(words)?;
        let groups = number(words)?;
        // The group that is next: one of them, or 0 where there is none.
        if number(words)? > groups {
            return None;
        }
        let mut paths = Vec::new();
        for group in 1..=groups {
            if !matches!(words.next()?, "A" | "E" | "D") {
                return None;
            }
            skip_arguments(words)?;
            let count = number(words)?;
            let arguments = number(words)?;
            for order in 0..count {
                let listed = BlockNumber::parse(words.next()?)?;
                let is_failed = match words.next()? {
                    "A" => false,
                    "F" => true,
                    _ => return None,
                };
                number(words)?;
                skip(words, arguments)?;
                let path = DmPath {
                    group,
                    order,
                    is_failed,
                };
                paths.push((listed, path));
            }
        }
        words.next().is_none().then_some(Self { paths })
    }
}

/// What follows the word `multipath` in the `status` of a table with one target, a line for each as
/// `dmsetup status` has it; `None` if that is another target, or not the only one.
#[must_use]
pub fn multipath_parameters(status: &str) -> Option<&str> {
    let line = status.trim_ascii();
    if line.contains('\n') {
        return None;
    }
    let (start, rest) = line.split_once(' ')?;
    let (length, rest) = rest.split_once(' ')?;
    let (target, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_number = |word: &str| word.parse::<u64>().is_ok();
    (is_number(start) && is_number(length) && target == "multipath").then_some(parameters)
}

/// Takes a number.
fn number<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<u32> {
    words.next()?.parse().ok()
}

/// Passes over a count and as many words.
fn skip_arguments<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<()> {
    let count = number(words)?;
    skip(words, count)
}

/// Passes over so many words.
fn skip<'a>(words: &mut impl Iterator<Item = &'a str>, count: u32) -> Option<()> {
    for _ in 0..count {
        words.next()?;
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    type Listed = (u64, u64, u32, u32, bool);

    fn parsed(parameters: &str) -> Option<Vec<Listed>> {
        let paths = Status::parse(parameters)?.paths.into_iter();
        let listed = paths.map(|(number, path)| {
            let BlockNumber { major, minor } = number;
            (major, minor, path.group, path.order, path.is_failed)
        });
        Some(listed.collect())
    }

    const ROUND_ROBIN: &str = "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 F 3";

    #[test]
    fn one_group() {
        assert_eq!(
            parsed(ROUND_ROBIN),
            Some(vec![(8, 0, 1, 0, false), (8, 16, 1, 1, true)])
        );
        // The last word is there with less of it, too.
        let words: Vec<&str> = ROUND_ROBIN.split(' ').collect();
        for end in 0..words.len() {
            assert_eq!(parsed(&words[..end].join(" ")), None, "{end}");
        }
        assert_eq!(parsed(&format!("{ROUND_ROBIN} 0")), None);
        let status = Status::parse(ROUND_ROBIN).unwrap();
        let number = |minor| BlockNumber { major: 8, minor };
        assert_eq!(status.path(number(16)), Some(status.paths[1].1));
        assert_eq!(status.path(number(32)), None);
    }

    #[test]
    fn groups_and_arguments() {
        // Selectors with words of their own for each path: service-time has two, queue-length one.
        assert_eq!(
            parsed(
                "2 0 1 0 3 2 E 0 1 2 8:0 A 0 0 1 A 0 2 1 65:160 F 1 7 259:3 A 0 0 D 0 1 0 8:32 A 0"
            ),
            Some(vec![
                (8, 0, 1, 0, false),
                (65, 160, 2, 0, true),
                (259, 3, 2, 1, false),
                (8, 32, 3, 0, false)
            ])
        );
        // Arguments of a selector as a whole, of a handler, and other features.
        assert_eq!(
            parsed("3 1 0 x 1 alua 1 1 A 2 128 32 1 3 8:0 A 0 1 2 3"),
            Some(vec![(8, 0, 1, 0, false)])
        );
        assert_eq!(
            parsed("0 0 1 1 A 0 1 0 8:0 A 0"),
            Some(vec![(8, 0, 1, 0, false)])
        );
    }

    #[test]
    fn without_paths() {
        assert_eq!(parsed("2 0 0 0 0 0"), Some(vec![]));
        assert_eq!(parsed("2 0 0 0 1 1 E 0 0 0"), Some(vec![]));
    }

    #[test]
    fn what_is_odd_is_not_known() {
        for odd in [
            "",
            "x",
            "2 1 0 0 1 2 E 0 1 0 8:0 A 0",
            "2 1 0 0 1 1 X 0 1 0 8:0 A 0",
            "2 1 0 0 1 1 E 0 1 0 8:0 X 0",
            "2 1 0 0 1 1 E 0 1 0 sda A 0",
            "2 1 0 0 1 1 E 0 1 0 8:0 A x",
            "2 1 0 0 1 1 E 0 1 0 8:0 A -1",
            "2 1 0 0 -1 1 E 0 1 0 8:0 A 0",
            "2 1 0 0 4294967295 1 E 0 4294967295 0 8:0 A 0",
            "4294967295 1 0",
            "4294967296 1 0",
            // The table itself, not its status.
            "0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1",
        ] {
            assert_eq!(parsed(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_table_has_one_target() {
        let parameters = multipath_parameters("0 2097152 multipath 2 1 0 0 1 1\n");
        assert_eq!(parameters, Some("2 1 0 0 1 1"));
        assert_eq!(multipath_parameters("0 8 multipath"), Some(""));
        assert_eq!(multipath_parameters("0 8 multipath "), Some(""));
        for other in [
            "",
            "0",
            "0 8",
            "0 8 linear",
            "0 8 linear multipath",
            "0 8 multipathy 2 1",
            "x 8 multipath 2 1",
            "0 8 multipath 2 1\n8 8 multipath 2 1",
            "0 8 multipath 2 1\n8 8 linear",
        ] {
            assert_eq!(multipath_parameters(other), None, "{other}");
        }
    }
}
