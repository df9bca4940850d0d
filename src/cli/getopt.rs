//! What getopt_long(3) says of a word that it does not take.
//!
//! Scripts were written against these messages, and people know them. [`super::arguments`] finds
//! the word; what is wrong with it follows from the word alone.

use super::options::{self, Opt, Resolved, Value};

/// Lossless for what people type, readable for the rest.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The message about `word`, without the name of the program before it.
#[must_use]
pub fn complaint(word: &[u8]) -> String {
    match word.strip_prefix(b"--") {
        Some(long) => long_complaint(long),
        None => short_complaint(word.get(1..).unwrap_or_default()),
    }
}

fn long_complaint(long: &[u8]) -> String {
    let name = long.split(|&byte| byte == b'=').next().unwrap_or_default();
    match options::resolve(name) {
        Resolved::Unknown => format!("unrecognized option '--{}'", text(long)),
        Resolved::Ambiguous(names) => {
            let names: Vec<String> = names.iter().map(|name| format!(" '--{name}'")).collect();
            let possibilities = names.concat();
            format!(
                "option '--{}' is ambiguous; possibilities:{possibilities}",
                text(long)
            )
        }
        Resolved::Option(name, option) if option.value() == Value::Required => {
            format!("option '--{name}' requires an argument")
        }
        Resolved::Option(name, _) => format!("option '--{name}' doesn't allow an argument"),
    }
}

/// The first letter of a cluster that is no option; else the last one, which lacks its value.
fn short_complaint(cluster: &[u8]) -> String {
    let unknown = |&&letter: &&u8| Opt::from_letter(letter.into()).is_none();
    let letter = |byte: &u8| text(std::slice::from_ref(byte));
    match cluster.iter().find(unknown) {
        Some(byte) => format!("invalid option -- '{}'", letter(byte)),
        None => {
            let last = cluster.last().map(letter).unwrap_or_default();
            format!("option requires an argument -- '{last}'")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages() {
        for (word, message) in [
            ("-x", "invalid option -- 'x'"),
            ("-nkx", "invalid option -- 'x'"),
            ("-?", "invalid option -- '?'"),
            ("-nK", "option requires an argument -- 'K'"),
            ("--foo=1", "unrecognized option '--foo=1'"),
            ("--param-r", "option '--param-rk' requires an argument"),
            ("--in=5", "option '--in' doesn't allow an argument"),
            ("--i=5", "option '--in' doesn't allow an argument"),
            (
                "--h=1",
                "option '--h=1' is ambiguous; possibilities: '--help' '--hex'",
            ),
        ] {
            assert_eq!(complaint(word.as_bytes()), message, "{word}");
        }
    }
}
