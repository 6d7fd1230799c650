//! The token of a request, from its only `Authorization` header, with the scheme `Bearer` (RFC 6750 section
//! 2.1) or `DPoP` (RFC 9449 section 7.1).

use super::Request;
use crate::error::Reason;

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    Dpop,
}

/// A presented token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) token: &'a str,
}

/// The bearer token that a request presents.
pub(crate) fn presented(request: &Request) -> Result<&str, Reason> {
    presented_by(request, &[Scheme::Bearer]).map(|presented| presented.token)
}

/// The token that a request presents with one of these schemes, in the only allowed place.
///
/// A token in the query or in a form is ignored (OAuth 2.1 section 5.1), but together with one in the header
/// it is an error (RFC 6750 section 2).
pub(crate) fn presented_by<'a>(request: &'a Request, schemes: &[Scheme]) -> Result<Presented<'a>, Reason> {
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
    // So an adapter copies a field that is not text.
    if header.is_empty() {
        return Err(Reason::TokenMalformed);
    }
    let known = schemes.iter().find(|known| known.as_str().eq_ignore_ascii_case(scheme));
    let scheme = *known.ok_or(Reason::TokenMissing)?;
    let token = token.trim();
    match is_token(token) {
        true => Ok(Presented { scheme, token }),
        false => Err(Reason::TokenMalformed),
    }
}

impl Scheme {
    /// Both schemes.
    pub(crate) const ALL: &'static [Self] = &[Self::Bearer, Self::Dpop];

    /// Its name in the header and in challenges.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    /// The scheme of a request, with or without a valid token.
    pub(crate) fn of(request: &Request) -> Self {
        let header = request.headers.all("authorization").next().unwrap_or_default();
        let scheme = header.split(' ').next().unwrap_or_default();
        match scheme.eq_ignore_ascii_case(Self::Dpop.as_str()) {
            true => Self::Dpop,
            false => Self::Bearer,
        }
    }
}

/// Whether a text is a token (RFC 6750 section 2.1). Has no branches, so the compiler can vectorise it.
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

/// Whether the form has a token. A guard that runs before the adapter has read the body does not see it.
fn in_form(request: &Request) -> bool {
    let form = request.posted_form().unwrap_or_default();
    form.split(|b| *b == b'&').any(|pair| pair.starts_with(PARAMETER))
}
