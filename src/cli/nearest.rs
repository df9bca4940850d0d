//! Which option was meant by a name that is none.

use super::options::Opt;

/// The most characters of a name that are compared: more than any option has.
const LONGEST: usize = 64;

/// The option whose name is nearest to `typed`, a long name without its hyphens and value; `None`
/// where none is near.
///
/// A name in which it stands counts as nearer than any that is spelled alike: people forget `param`,
/// and where the hyphens are.
#[must_use]
pub fn nearest(typed: &[u8]) -> Option<Opt> {
    let typed = letters(typed);
    if typed.len() < 3 || typed.len() > LONGEST {
        return None;
    }
    Opt::all()
        .filter_map(|option| {
            let name = letters(option.name().as_bytes());
            let distance = match contains(&name, &typed) {
                // Of several that hold it the shortest leaves the least out.
                true => (0, name.len() - typed.len()),
                false => (distance(&typed, &name), 0),
            };
            let near = distance.0 <= typed.len().min(name.len()) / 3;
            near.then_some((distance, option))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, option)| option)
}

/// The name without hyphens and underscores, in lower case.
fn letters(name: &[u8]) -> Vec<u8> {
    let kept = name.iter().filter(|byte| !b"-_".contains(byte));
    kept.map(u8::to_ascii_lowercase).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// How many letters have to be put in, left out, replaced or swapped with their neighbour.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, against) in other.iter().enumerate() {
            let mut least = (last[column] + usize::from(letter != against))
                .min(last[column + 1] + 1)
                .min(next[column] + 1);
            let swapped = row > 0
                && column > 0
                && Some(letter) == other.get(column - 1)
                && one.get(row - 1) == Some(against);
            if swapped {
                least = least.min(before_last[column - 1] + 1);
            }
            next.push(least);
        }
        before_last = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        for (typed, option) in [
            ("all-tg-pt", Opt::ParamAlltgpt),
            ("alltgpt", Opt::ParamAlltgpt),
            ("aptpl", Opt::ParamAptpl),
            ("sark", Opt::ParamSark),
            ("read-key", Opt::ReadKeys),
            ("raed-keys", Opt::ReadKeys),
            ("registr", Opt::Register),
            ("type", Opt::ProutType),
            ("verfy", Opt::Verify),
            ("Verify", Opt::Verify),
            ("preemptabort", Opt::PreemptAbort),
            ("preempt-and-abort", Opt::PreemptAbort),
            ("register-and-move", Opt::RegisterMove),
            ("full-status", Opt::ReadFullStatus),
            ("capabilities", Opt::ReportCapabilities),
            ("has_keys", Opt::HasKey),
        ] {
            assert_eq!(nearest(typed.as_bytes()), Some(option), "{typed}");
        }
    }

    #[test]
    fn what_is_near_nothing() {
        for typed in [
            "",
            "x",
            "zz",
            "nosuch",
            "foo",
            "--",
            "\u{e9}\u{e9}\u{e9}",
            &"x".repeat(100_000),
        ] {
            assert_eq!(nearest(typed.as_bytes()), None, "{typed}");
        }
    }
}
