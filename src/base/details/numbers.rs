//! Exact numbers: what is stored, shown and sent is exactly the number that was requested.
//!
//! JSON numbers have no limit, but a value in memory has 64 bits. So a number that these cannot represent
//! exactly is refused on input, before a user sees a different one.

/// Whether each number of a JSON text is represented exactly. The text is parsed as JSON elsewhere.
pub(super) fn survive(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let found = &rest[at..];
        rest = match found.strip_prefix('"') {
            Some(text) => after_text(text),
            None => {
                let end = found.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
                let (number, rest) = found.split_at(end.unwrap_or(found.len()));
                if !survives(number) {
                    return false;
                }
                rest
            }
        };
    }
    true
}

/// The byte after the end of a text.
fn after_text(mut text: &str) -> &str {
    while let Some(at) = text.find(['"', '\\']) {
        let skipped = if text[at..].starts_with('"') { 1 } else { 2 };
        let rest = text.get(at + skipped..).unwrap_or_default();
        if skipped == 1 {
            return rest;
        }
        text = rest;
    }
    ""
}

fn survives(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    // The number survives if the shortest decimal form of its double is the same number.
    let kept: Option<f64> = number.parse().ok().filter(|kept: &f64| kept.is_finite());
    kept.is_some_and(|kept| {
        Decimal::of(number).is_some_and(|asked| Some(asked) == Decimal::of(&format!("{kept:e}")))
    })
}

/// A number as `0.digits × 10^exponent`, without zeros at either end of the digits.
#[derive(PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(number: &str) -> Option<Self> {
        let (is_negative, number) = match number.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, number),
        };
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - digits.len()).ok()?;
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), exponent: 0 });
        }
        let point = i64::try_from(whole.len()).ok()?;
        let exponent = exponent.parse::<i64>().ok()?.checked_add(point)?.checked_sub(leading)?;
        Some(Self { is_negative, digits: digits.to_owned(), exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_64_bits_hold_survives() {
        for good in [
            "0",
            "-0",
            "0.0",
            "12.50",
            "1e2",
            "1E+2",
            "123456789.123456",
            "0.30000000000000004",
            "-0.1",
            "5e-324",
            "18446744073709551615",
            "-9223372036854775808",
            "1e22",
            "100000000000000000000",
        ] {
            assert!(survives(good), "{good}");
        }
        for bad in [
            "0.1000000000000000055",
            "12345678901234567.25",
            "18446744073709551617",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "9007199254740993.0",
        ] {
            assert!(!survives(bad), "{bad}");
        }
    }

    #[test]
    fn digits_of_a_text_are_no_number() {
        assert!(survive(r#"[{"type":"1e999","a\"1e999\\":["1e999\\\"1e999"],"b":1.5}]"#));
        assert!(!survive(r#"[{"type":"a","b":[{"c":[1e999]}]}]"#));
        assert!(!survive(r#"[{"type":"\\","b":1e999}]"#));
        assert!(survive("\"\\"));
        assert!(survive("\"\\\u{e9}1e999"));
    }
}
