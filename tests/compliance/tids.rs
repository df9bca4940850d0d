//! What a TransportID argument is to mean where ours differs from the
//! original: a second reading of the grammar, independent of the program's.

/// A reading of one argument, or of a whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Why ours may differ; `None`: it must not.
    pub(crate) cause: Option<&'static str>,
    /// The TransportIDs to send; `None`: refused.
    pub(crate) ids: Option<Vec<Vec<u8>>>,
}

impl Reading {
    fn same(id: Option<Vec<u8>>) -> Reading {
        Reading {
            cause: None,
            ids: id.map(|id| vec![id]),
        }
    }

    fn other(cause: &'static str, id: Option<Vec<u8>>) -> Reading {
        Reading {
            cause: Some(cause),
            ids: id.map(|id| vec![id]),
        }
    }
}

/// Reads one TransportID, given on the command line or as a line of a file.
pub(crate) fn one(text: &[u8]) -> Reading {
    let Ok(text) = std::str::from_utf8(text) else {
        return Reading::same(None);
    };
    let lower = text
        .get(..4)
        .map(str::to_ascii_lowercase)
        .unwrap_or_default();
    let exact = text
        .get(..4)
        .is_some_and(|head| head == lower || head == lower.to_ascii_uppercase());
    let value = text.get(4..).unwrap_or_default();
    match lower.as_str() {
        "sas," if exact => digits(value, 0x06, 4),
        "fcp," if exact => digits(value, 0x00, 8),
        "sbp," if exact => digits(value, 0x03, 8),
        "spi," if exact => parallel(value),
        "srp," if exact => {
            let name = (value.len() == 32)
                .then(|| hex::decode(value).ok())
                .flatten();
            let id = name.map(|name| place(0x04, 8, &name));
            Reading::other("srp, and sop, work", id)
        }
        "sop," if exact => {
            let id = u16::from_str_radix(value, 16)
                .ok()
                .filter(|_| value.len() <= 4 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .map(|routing| place(0x0a, 2, &routing.to_be_bytes()));
            Reading::other("srp, and sop, work", id)
        }
        "iqn." if text.starts_with("iqn.") => {
            let name = text.trim_end_matches([' ', '\t']);
            if name.contains([' ', '\t']) {
                return Reading::other("text behind a TransportID refused", None);
            }
            match iscsi(name) {
                Some(id) if id.len() > 4 + 241 => {
                    Reading::other("iSCSI names of up to 243 bytes", Some(id))
                }
                id => Reading::same(id),
            }
        }
        "iqn." | "eui." | "naa." => {
            let id = if text.contains([' ', '\t']) {
                None
            } else {
                iscsi(text)
            };
            Reading::other("eui., naa. and IQN. names", id)
        }
        // Tabs separate in files only.
        _ if text.contains('\t') => Reading::same(None),
        _ => hexadecimal(text),
    }
}

fn place(first: u8, at: usize, value: &[u8]) -> Vec<u8> {
    let mut id = vec![0; 24];
    id[0] = first;
    id[at..at + value.len()].copy_from_slice(value);
    id
}

/// Sixteen hex digits and nothing else.
fn digits(value: &str, first: u8, at: usize) -> Reading {
    let count = value.bytes().take_while(u8::is_ascii_hexdigit).count();
    match hex::decode(value) {
        Ok(name) if name.len() == 8 => Reading::same(Some(place(first, at, &name))),
        _ if count == 16 => Reading::other("text behind a TransportID refused", None),
        _ => Reading::same(None),
    }
}

/// Two decimal numbers, with blanks before either.
fn parallel(value: &str) -> Reading {
    let mut numbers = Vec::new();
    let mut signed = false;
    let mut rest = value;
    for _ in 0..2 {
        rest = rest.trim_start_matches([' ', '\t']);
        let digits = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        let end = rest.len() - digits.len() + count;
        let number: i64 = rest
            .get(..end)
            .unwrap_or_default()
            .parse()
            .unwrap_or_default();
        if count == 0 {
            return Reading::same(None);
        }
        signed |= digits.len() < rest.len();
        numbers.push(number.to_be_bytes());
        rest = rest.get(end..).unwrap_or_default();
        if numbers.len() == 1 {
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => return Reading::same(None),
            }
        }
    }
    if !rest.is_empty() {
        return Reading::other("text behind a TransportID refused", None);
    }
    if signed || numbers.iter().any(|number| number[..6] != [0; 6]) {
        return Reading::other("spi, takes two numbers below 65536 without a sign", None);
    }
    let mut id = place(0x01, 2, &numbers[0][6..]);
    id[6..8].copy_from_slice(&numbers[1][6..]);
    Reading::same(Some(id))
}

fn iscsi(name: &str) -> Option<Vec<u8>> {
    let length = (name.len() + 1).max(20).next_multiple_of(4);
    let mut id = vec![if name.contains(",i,0x") { 0x45 } else { 0x05 }, 0];
    id.extend(u16::try_from(length).ok()?.to_be_bytes());
    id.extend(name.bytes());
    id.resize(4 + length, 0);
    (length <= 244).then_some(id)
}

fn hexadecimal(text: &str) -> Reading {
    // Blanks in front of the first byte do no harm.
    let text = text.trim_start_matches(' ');
    let separator = |c: char| matches!(c, ',' | ' ' | '\t');
    let tokens: Vec<&str> = text
        .split(separator)
        .filter(|token| !token.is_empty())
        .collect();
    let mut bytes = Vec::new();
    for token in &tokens {
        let significant = token.trim_start_matches('0');
        if significant.len() > 2 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Reading::same(None);
        }
        bytes.push(u8::from_str_radix(token, 16).unwrap_or_default());
    }
    if bytes.is_empty() || text.starts_with(separator) || text.ends_with(separator) {
        return Reading::same(None);
    }
    let runs = text.split(separator).count() != tokens.len();
    let cause = runs.then_some("runs of separators are one separator");
    if bytes.first().is_some_and(|byte| byte & 0x0f == 5) {
        let length = match bytes[..] {
            [_, _, high, low, ..] => usize::from(u16::from_be_bytes([high, low])) + 4,
            _ => 4,
        };
        if length > bytes.len().max(24) {
            return Reading::other("iSCSI length beyond the bytes given refused", None);
        }
        bytes.resize(length.max(24), 0);
        return Reading {
            cause,
            ids: Some(vec![bytes]),
        };
    }
    if bytes.len() > 24 {
        return Reading::other("TransportIDs longer than 24 bytes refused", None);
    }
    bytes.resize(24, 0);
    Reading {
        cause,
        ids: Some(vec![bytes]),
    }
}

/// Reads a file or standard input.
pub(crate) fn file(content: &[u8]) -> Reading {
    let mut cause = None;
    let mut ids = Vec::new();
    let mut refused = false;
    for line in content.split(|&byte| byte == b'\n') {
        if line.len() > 1020 {
            cause = Some("long lines are not split");
        }
        let mut line = line;
        if let Some(cut) = line.strip_suffix(b"\r") {
            cause = Some("carriage returns are stripped");
            line = cut;
        }
        let line = line.trim_ascii_start();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        // A comment behind a value needs a blank in front of it.
        let hash = line.iter().position(|&byte| byte == b'#');
        let (value, glued) = match hash {
            Some(at) => {
                let value = line.get(..at).unwrap_or_default();
                (value, !value.ends_with(b" ") && !value.ends_with(b"\t"))
            }
            None => (line, false),
        };
        let mut end = value.trim_ascii_end();
        // In files a trailing separator after hex bytes has always been fine, and so have tabs.
        let spaced: Vec<u8> = end
            .iter()
            .map(|&byte| if byte == b'\t' { b' ' } else { byte })
            .collect();
        if one(end).ids.is_none() {
            end = spaced.trim_ascii_end();
            while let Some(cut) = end.strip_suffix(b",") {
                end = cut.trim_ascii_end();
            }
        }
        let reading = one(end);
        if glued {
            cause = Some("comments glued to a value");
        }
        // Runs of separators have always been fine in files.
        if reading
            .cause
            .is_some_and(|cause| cause != "runs of separators are one separator")
        {
            cause = reading.cause;
        }
        match reading.ids {
            Some(more) => ids.extend(more),
            None => {
                refused = true;
                break;
            }
        }
    }
    if ids.is_empty() && !refused {
        return Reading {
            cause: Some("a file without TransportIDs refused"),
            ids: None,
        };
    }
    if ids.len() > 31 {
        cause = Some("more than 31 TransportIDs");
    }
    Reading {
        cause,
        ids: (!refused).then_some(ids),
    }
}
