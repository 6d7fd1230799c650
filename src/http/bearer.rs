//! The token of a request: the one `Authorization: Bearer` header (RFC 6750 section 2.1).

use super::Request;
use crate::error::Reason;

/// The token that a request presents, in the one place where it may stand.
///
/// A token in the query or in a form is not looked at (OAuth 2.1 section 5.1), but next to one in the header it
/// is an error (RFC 6750 section 2).
pub(crate) fn presented(request: &Request) -> Result<&str, Reason> {
    let mut headers = request.headers.all("authorization");
    let header = match (headers.next(), headers.next()) {
        (None, _) => return Err(Reason::TokenMissing),
        (Some(header), None) => header,
        (Some(_), Some(_)) => return Err(Reason::TokenMethodsMixed),
    };
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if in_query(request) || in_form(request) {
        return Err(Reason::TokenMethodsMixed);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Reason::TokenMissing);
    }
    let token = token.trim();
    match is_token(token) {
        true => Ok(token),
        false => Err(Reason::TokenMalformed),
    }
}

/// RFC 6750 section 2.1. Without a branch, so that the processor looks at many characters at once.
pub(crate) fn is_token(text: &str) -> bool {
    let is_alphanumeric = |b: u8| (b.wrapping_sub(b'0') < 10) | ((b | 0x20).wrapping_sub(b'a') < 26);
    let is_sign = |b: u8| b"-._~+/=".iter().fold(false, |any, sign| any | (b == *sign));
    !text.is_empty() & text.bytes().fold(true, |all, b| all & (is_alphanumeric(b) | is_sign(b)))
}

const PARAMETER: &[u8] = b"access_token=";

fn in_query(request: &Request) -> bool {
    let query = request.query.as_deref().unwrap_or_default();
    query.as_bytes().split(|b| *b == b'&').any(|pair| pair.starts_with(PARAMETER))
}

/// Of a body that the adapter has read; a guard that runs before the body came sees none.
fn in_form(request: &Request) -> bool {
    let form = request.posted_form().unwrap_or_default();
    form.split(|b| *b == b'&').any(|pair| pair.starts_with(PARAMETER))
}
