//! Numbers as typed.

/// A hexadecimal number of up to 64 bits: blanks around it, `0x` before it and any number of
/// leading zeros are allowed, anything else is not. `None` when `text` is no such number.
#[must_use]
pub fn hex64(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let digits = text
        .strip_prefix(b"0x")
        .or_else(|| text.strip_prefix(b"0X"))
        .unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(number.checked_mul(16)? | u64::from(value))
    })
}

/// The number that `--maxlen` was given.
///
/// Decimal, or hexadecimal with `0x` before or `h` behind it; decimal with a multiplier behind it
/// (`c`, `w`, `b`, `k`, `kB`, `m`, `mB`, `g`, `gB`); a product with `x`; a sum with `+`. The grammar
/// is that of all the sg3_utils, with its limits: what follows a blank, a comma, `#` or `-` is
/// not read, and numbers wrap at 32 bits.
///
/// # Errors
/// [`NotANumber`], with whether it was the multiplier that was not known.
pub fn maxlen(text: &[u8]) -> Result<i32, NotANumber> {
    operand(text, NESTED)
}

/// How many products and sums a number may hold.
const NESTED: u8 = 64;

/// A number that may hold `nested` products and sums.
fn operand(text: &[u8], nested: u8) -> Result<i32, NotANumber> {
    let nested = nested.checked_sub(1).ok_or(NotANumber::Malformed)?;
    let start = text.iter().position(|byte| !b" \t".contains(byte));
    let text = &text[start.ok_or(NotANumber::Malformed)?..];
    let number = match text.iter().position(|byte| b" \t,#-".contains(byte)) {
        Some(end) => &text[..end.min(15)],
        None => text,
    };
    match term(number, nested)? {
        -1 => Err(NotANumber::Malformed),
        value => Ok(value),
    }
}

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotANumber {
    /// It has no such form.
    Malformed,
    /// The letter behind it is no multiplier.
    UnknownMultiplier,
}

/// A number and what is multiplied with it or added to it.
fn term(text: &[u8], nested: u8) -> Result<i32, NotANumber> {
    if text.is_empty() {
        return Err(NotANumber::Malformed);
    }
    if let Some(hex) = text
        .strip_prefix(b"0x")
        .or_else(|| text.strip_prefix(b"0X"))
    {
        let (value, rest) = leading(hex, 16).ok_or(NotANumber::Malformed)?;
        return match rest.first() {
            None => Ok(value),
            Some(b'+') => sum(value, text, nested),
            Some(b'x' | b'X') => product(value, text, nested),
            Some(_) => Err(NotANumber::Malformed),
        };
    }
    if text.ends_with(b"h") || text.ends_with(b"H") {
        let (value, _) = leading(text, 16).ok_or(NotANumber::Malformed)?;
        return Ok(value);
    }
    let (value, rest) = leading(text, 10).ok_or(NotANumber::Malformed)?;
    let second = rest.get(1).map(u8::to_ascii_lowercase);
    let binary = || rest.get(2).is_some_and(|b| b.eq_ignore_ascii_case(&b'b'));
    let unit = |power: u32| match second {
        None => Ok(value.wrapping_mul(1024_i32.wrapping_pow(power))),
        Some(b'b' | b'd') => Ok(value.wrapping_mul(1000_i32.wrapping_pow(power))),
        Some(b'i') if binary() => Ok(value.wrapping_mul(1024_i32.wrapping_pow(power))),
        Some(_) => Err(NotANumber::Malformed),
    };
    match rest.first().map(u8::to_ascii_lowercase) {
        None | Some(b'c') => Ok(value),
        Some(b'w') => Ok(value.wrapping_mul(2)),
        Some(b'b') => Ok(value.wrapping_mul(512)),
        Some(b'k') => unit(1),
        Some(b'm') => unit(2),
        Some(b'g') => unit(3),
        Some(b'x') => product(value, text, nested),
        Some(b'+') => sum(value, text, nested),
        Some(_) => Err(NotANumber::UnknownMultiplier),
    }
}

/// `value` times what stands behind the first `x` of `text`, or behind the first `X` if it has none.
fn product(value: i32, text: &[u8], nested: u8) -> Result<i32, NotANumber> {
    let body = if text.len() > 2 && text[0] == b'0' && text[1].eq_ignore_ascii_case(&b'x') {
        &text[2..]
    } else {
        text
    };
    let behind = |sign| {
        let at = body.iter().position(|&byte| byte == sign)?;
        Some(&body[at + 1..])
    };
    let factor = behind(b'x').or_else(|| behind(b'X'));
    let factor = operand(factor.unwrap_or_default(), nested)?;
    Ok(value.wrapping_mul(factor))
}

/// `value` plus what stands behind the first `+` of `text`.
fn sum(value: i32, text: &[u8], nested: u8) -> Result<i32, NotANumber> {
    let addend = text.splitn(2, |&byte| byte == b'+').nth(1);
    let addend = operand(addend.unwrap_or_default(), nested)?;
    Ok(value.wrapping_add(addend))
}

/// The digits at the front of `text`, at 32 bits of what fits 64, and what follows them. White
/// space and a plus sign may stand before them, and `0x` before hexadecimal ones.
fn leading(text: &[u8], radix: u32) -> Option<(i32, &[u8])> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let text = match text {
        [b'0', b'x' | b'X', rest @ ..]
            if radix == 16 && rest.first().is_some_and(u8::is_ascii_hexdigit) =>
        {
            rest
        }
        _ => text,
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(radix);
    let end = text.iter().position(|byte| digit(byte).is_none());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    if digits.is_empty() {
        return None;
    }
    let limit = if radix == 10 {
        i64::MAX.unsigned_abs()
    } else {
        u64::MAX
    };
    let value = digits
        .iter()
        .filter_map(digit)
        .fold(0_u64, |number, digit| {
            number
                .saturating_mul(radix.into())
                .saturating_add(digit.into())
                .min(limit)
        });
    let [.., a, b, c, d] = value.to_be_bytes();
    Some((i32::from_be_bytes([a, b, c, d]), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_numbers_are_understood_whole() {
        for (text, value) in [
            ("abc", 0xabc),
            ("0xABC", 0xabc),
            ("0Xabc", 0xabc),
            (" 5\t", 5),
            ("0", 0),
            ("ffffffffffffffff", u64::MAX),
            ("0000000000000000000ffffffffffffffff", u64::MAX),
        ] {
            assert_eq!(hex64(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn hexadecimal_numbers_have_nothing_behind_them_and_fit() {
        for text in [
            "",
            " ",
            "0x",
            "0xg",
            "xyz",
            "x5",
            "12xyz",
            "1,2",
            "1 2",
            "-1",
            "+5",
            "--5",
            "=5",
            "10000000000000000",
            "1ffffffffffffffff",
            "0x 5",
            "0x0x5",
            "DEV",
        ] {
            assert_eq!(hex64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn maxlen_numbers() {
        for (text, value) in [
            ("16", 16),
            ("010", 10),
            (" \t16", 16),
            ("4-4", 4),
            ("4,5", 4),
            ("4#5", 4),
            ("4 5", 4),
            ("0x10", 16),
            ("0X1f", 31),
            ("10h", 16),
            ("4+4h", 4),
            ("4c", 4),
            ("4czz", 4),
            ("4w", 8),
            ("4b", 2048),
            ("4k", 4096),
            ("4K", 4096),
            ("4kiB", 4096),
            ("4kB", 4000),
            ("4kD", 4000),
            ("1m", 1 << 20),
            ("1mB", 1_000_000),
            ("1g", 1 << 30),
            ("1gB", 1_000_000_000),
            ("4x4", 16),
            ("0x4X2", 8),
            ("3+1k", 1027),
            ("2x2+2", 8),
            ("+10", 10),
            ("0x+5", 5),
            ("+5h", 5),
            ("+0x10", 0),
            ("\n16", 16),
            ("0X0x2288", 0x2288),
            ("+0x1d8fh", 0x1d8f),
            ("3++10", 13),
            ("0x5x+5", 25),
            ("4294967296", 0),
            ("2147483648", i32::MIN),
        ] {
            assert_eq!(maxlen(text.as_bytes()), Ok(value), "{text}");
        }
    }

    #[test]
    fn maxlen_takes_many_operands_and_not_any_number_of_them() {
        assert_eq!(maxlen(("1x".repeat(60) + "2").as_bytes()), Ok(2));
        for endless in ["1x", "1+", "0x1x"] {
            let text = endless.repeat(100_000) + "1";
            assert_eq!(maxlen(text.as_bytes()), Err(NotANumber::Malformed));
        }
    }

    #[test]
    fn maxlen_refuses() {
        for text in [
            "",
            " ",
            "-5",
            "zzh",
            "0x10h",
            "0x",
            "4x",
            "4ki",
            "4kx",
            "4k+1",
            "8589934591",
            "++5",
            "0x+",
            "+h",
        ] {
            assert_eq!(
                maxlen(text.as_bytes()),
                Err(NotANumber::Malformed),
                "{text}"
            );
        }
        for text in ["4z", "16\n", "4q"] {
            assert_eq!(
                maxlen(text.as_bytes()),
                Err(NotANumber::UnknownMultiplier),
                "{text}"
            );
        }
    }
}
