//! Strict parsing of `application/x-www-form-urlencoded` (RFC 6749 section 3.1 and appendix B).
//!
//! A lenient parser turns bad UTF-8 into U+FFFD and keeps the last of two values; an attacker can use either
//! to get one value past a check and another one used. This parser refuses both.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};

use super::MAX_BODY;
use crate::error::{Reason, Refusal};

/// The longest name or value of a parameter, in bytes, after decoding.
pub const MAX_PARAMETER: usize = 8 * 1024;
/// The most parameters of a form.
pub const MAX_PARAMETERS: usize = 64;

/// Why a form cannot be read. It contains no input, so it is safe to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// More than [`MAX_BODY`], [`MAX_PARAMETERS`] or [`MAX_PARAMETER`].
    #[error("the form is too large: at most 64 KiB, 64 parameters, and 8 KiB for each of them")]
    TooLarge,
    /// A broken escape, or text that is not UTF-8.
    #[error("the form has a broken escape, or text that is not UTF-8")]
    Malformed,
    /// A parameter is repeated (RFC 6749 section 3.1).
    #[error("a parameter of the form is repeated")]
    Repeated,
}

impl From<FormError> for Reason {
    fn from(error: FormError) -> Self {
        match error {
            FormError::TooLarge => Self::FormTooLarge,
            FormError::Malformed => Self::FormMalformed,
            FormError::Repeated => Self::ParameterRepeated,
        }
    }
}

impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        Reason::from(error).into()
    }
}

/// Parameters that may be repeated: RFC 8707 section 2, RFC 8693 section 2.1.
const REPEATABLE: &[&str] = &["resource", "audience"];

/// The decoded parameters of a query or a body, borrowed from it where nothing was encoded.
#[derive(Clone)]
pub struct Form<'a> {
    pairs: Vec<Pair<'a>>,
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

impl<'a> Form<'a> {
    /// Decodes a form. Fails on one that is too large, on a broken escape, and on text that is not UTF-8.
    ///
    /// # Errors
    /// [`FormError::TooLarge`] or [`FormError::Malformed`].
    pub fn parse(input: &'a [u8]) -> Result<Self, FormError> {
        if input.len() > MAX_BODY {
            return Err(FormError::TooLarge);
        }
        let mut rest = str::from_utf8(input).map_err(|_| FormError::Malformed)?;
        let mut pairs = Vec::with_capacity(8);
        while !rest.is_empty() {
            let written = Written::first(rest);
            rest = written.rest;
            if written.is_empty {
                continue;
            }
            if pairs.len() == MAX_PARAMETERS {
                return Err(FormError::TooLarge);
            }
            pairs.push((written.decode(written.name)?, written.decode(written.value)?));
        }
        Ok(Self { pairs })
    }

    /// A form of these decoded parameters.
    ///
    /// # Errors
    /// [`Reason::FormTooLarge`]
    pub(crate) fn of(pairs: Vec<(String, String)>) -> Result<Form<'static>, Reason> {
        let is_long = |(name, value): &(String, String)| name.len().max(value.len()) > MAX_PARAMETER;
        if pairs.len() > MAX_PARAMETERS || pairs.iter().any(is_long) {
            return Err(Reason::FormTooLarge);
        }
        let pairs = pairs.into_iter().map(|(name, value)| (Cow::Owned(name), Cow::Owned(value)));
        Ok(Form { pairs: pairs.collect() })
    }

    /// The value of a parameter; an empty one counts as absent (RFC 6749 section 3.1).
    ///
    /// # Errors
    /// [`FormError::Repeated`] if it is repeated.
    pub fn one(&self, name: &str) -> Result<Option<&str>, FormError> {
        let mut hits = self.pairs.iter().filter(|(n, _)| n == name);
        match (hits.next(), hits.next()) {
            (first, None) => Ok(first.map(|(_, v)| v.as_ref()).filter(|v| !v.is_empty())),
            _ => Err(FormError::Repeated),
        }
    }

    /// Every non-empty value of a parameter that may repeat.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        let hits = self.pairs.iter().filter(move |(n, _)| n == name);
        hits.map(|(_, v)| v.as_ref()).filter(|v| !v.is_empty())
    }

    /// Every parameter that has a value, in the order of the form.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        pairs.filter(|(_, value)| !value.is_empty())
    }

    /// The parameters with a value, except those with these names, as an owned form.
    pub(crate) fn owned_without(&self, names: &[&str]) -> Form<'static> {
        let kept = self.iter().filter(|(name, _)| !names.contains(name));
        let owned = |(name, value): (&str, &str)| (Cow::Owned(name.to_owned()), Cow::Owned(value.to_owned()));
        Form { pairs: kept.map(owned).collect() }
    }

    pub(super) fn push(&mut self, name: &'static str, value: String) {
        self.pairs.push((Cow::Borrowed(name), Cow::Owned(value)));
    }

    /// Refuses any repeated parameter, known or not, except those that may repeat.
    ///
    /// # Errors
    /// [`FormError::Repeated`].
    pub fn check_repeats(&self) -> Result<(), FormError> {
        for (at, (name, _)) in self.pairs.iter().enumerate() {
            let earlier = &self.pairs[..at];
            if earlier.iter().any(|(n, _)| n == name) && !REPEATABLE.contains(&name.as_ref()) {
                return Err(FormError::Repeated);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.pairs.iter().map(|(n, _)| n)).finish()
    }
}

/// An encoded parameter, found in one pass.
struct Written<'a> {
    name: &'a str,
    value: &'a str,
    is_encoded: bool,
    /// Whether there is nothing before its `&`.
    is_empty: bool,
    /// What follows its `&`.
    rest: &'a str,
}

impl<'a> Written<'a> {
    /// Finds the first parameter. `&`, `=`, `%` and `+` are never part of another character, so splitting
    /// valid UTF-8 there gives valid UTF-8.
    fn first(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let special = memchr3(b'&', b'%', b'+', bytes).unwrap_or(bytes.len());
        let is_encoded = bytes.get(special).is_some_and(|byte| *byte != b'&');
        let end = memchr(b'&', &bytes[special..]).map_or(bytes.len(), |after| special + after);
        let (piece, rest) = (&text[..end], text.get(end + 1..).unwrap_or_default());
        // A name is short: a plain loop is done before a search has begun.
        let equals = piece.bytes().position(|byte| byte == b'=');
        let (name, value) = equals.map_or((piece, ""), |at| (&piece[..at], &piece[at + 1..]));
        Self { name, value, is_encoded, is_empty: piece.is_empty(), rest }
    }

    fn decode(&self, part: &'a str) -> Result<Cow<'a, str>, FormError> {
        match self.is_encoded {
            true => decode(part),
            false if part.len() > MAX_PARAMETER => Err(FormError::TooLarge),
            false => Ok(Cow::Borrowed(part)),
        }
    }
}

/// Decodes one name or value: `+` is a space, `%XX` is a byte, and the result must be UTF-8.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, FormError> {
    let raw = text.as_bytes();
    if raw.len() > MAX_PARAMETER && decoded_length(raw) > MAX_PARAMETER {
        return Err(FormError::TooLarge);
    }
    let Some(first) = memchr2(b'%', b'+', raw) else { return Ok(Cow::Borrowed(text)) };
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(&raw[..first]);
    let mut rest = raw[first..].iter();
    while let Some(&byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(FormError::Malformed),
            },
            plain => plain,
        });
    }
    let text = String::from_utf8(out).map_err(|_| FormError::Malformed)?;
    Ok(Cow::Owned(text))
}

/// The length after decoding, where three bytes of an escape become one.
fn decoded_length(raw: &[u8]) -> usize {
    let escapes = raw.iter().filter(|b| **b == b'%').count();
    raw.len().saturating_sub(2 * escapes)
}

fn hex(digit: &u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_urlencoded_writes_is_read_back() {
        let pairs = [("a", "x y+z%&="), ("b", "é\u{1F511}"), ("c", "")];
        let text = serde_urlencoded::to_string(pairs).unwrap();
        let form = Form::parse(text.as_bytes()).unwrap();
        assert_eq!(form.one("a"), Ok(Some("x y+z%&=")));
        assert_eq!(form.one("b"), Ok(Some("é\u{1F511}")));
        assert_eq!(form.one("c"), Ok(None));
    }

    #[test]
    fn a_repeat_is_refused_unless_the_name_may_repeat() {
        let form = Form::parse(b"a=1&a=2&resource=x&resource=y").unwrap();
        assert_eq!(form.one("a"), Err(FormError::Repeated));
        assert_eq!(form.check_repeats(), Err(FormError::Repeated));
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["x", "y"]);
        let form = Form::parse(b"resource=x&resource=y").unwrap();
        assert_eq!(form.check_repeats(), Ok(()));
    }

    #[test]
    fn broken_escapes_and_bad_utf8_are_refused() {
        for bad in ["a=%", "a=%4", "a=%G1", "%ZZ=1", "a=%FF", "a=%C3"] {
            assert_eq!(Form::parse(bad.as_bytes()).err(), Some(FormError::Malformed), "{bad}");
        }
    }

    #[test]
    fn what_an_attacker_can_multiply_has_a_cap() {
        let many = "a=1&".repeat(MAX_PARAMETERS + 1);
        assert_eq!(Form::parse(many.as_bytes()).err(), Some(FormError::TooLarge));
        let long = format!("a={}", "x".repeat(MAX_PARAMETER + 1));
        assert_eq!(Form::parse(long.as_bytes()).err(), Some(FormError::TooLarge));
        let escaped = |n| format!("a={}", "%20".repeat(n));
        assert!(Form::parse(escaped(MAX_PARAMETER).as_bytes()).is_ok());
        assert_eq!(Form::parse(escaped(MAX_PARAMETER + 1).as_bytes()).err(), Some(FormError::TooLarge));
    }
}
