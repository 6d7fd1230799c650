//! Requests of browser programs from other origins (Fetch standard, section 3.3): what they may send and
//! read.

use std::borrow::Cow;

use super::{Headers, Response};

/// The readable response fields besides the body and the CORS-safelisted ones.
pub(crate) const EXPOSED: &str = "www-authenticate, retry-after, dpop-nonce";

const REQUEST_HEADERS: &str = "access-control-request-headers";

/// The request fields that are allowed if the preflight names none. `Authorization` must be named: `*` does
/// not cover it.
const DEFAULT: &str = "authorization, content-type, dpop, mcp-protocol-version";

/// The longest list of names in a preflight, in bytes; a longer one gets the default.
const MAX_NAMES: usize = 1024;

/// The response to a preflight. It allows all requested fields: only for endpoints that use no cookies.
pub(crate) fn preflight(
    asked: &Headers,
    methods: impl Into<Cow<'static, str>>,
    origin: impl Into<Cow<'static, str>>,
) -> Response {
    let names = asked.one(REQUEST_HEADERS).ok().flatten().filter(|names| is_list_of_names(names));
    let allowed = names.map_or(Cow::Borrowed(DEFAULT), |names| Cow::Owned(names.to_owned()));
    Response::empty(204)
        .with("access-control-allow-origin", origin)
        .with("access-control-allow-methods", methods)
        .with("access-control-allow-headers", allowed)
        .with("access-control-max-age", "600")
        .with("vary", REQUEST_HEADERS)
}

/// Lets programs of this origin, or of any (`*`), read a response.
pub(crate) fn share(response: Response, origin: impl Into<Cow<'static, str>>) -> Response {
    response.with("access-control-allow-origin", origin).with("access-control-expose-headers", EXPOSED)
}

/// Names of fields, as a browser lists them (RFC 9110 section 5.6.2).
pub(crate) fn is_list_of_names(text: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let names = || text.split(',').map(|name| name.trim_matches(' '));
    text.len() <= MAX_NAMES && names().all(|name| !name.is_empty() && name.bytes().all(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_list_of_names_has_no_white_space_but_spaces() {
        for good in ["dpop", "authorization, content-type", "GET,PUT", " x , y "] {
            assert!(is_list_of_names(good), "{good:?}");
        }
        for bad in ["", " ", "a,", ",a", "a b", "a: b", "a\r\n", "\nb", "a,\u{b}b", "\u{a0}a", "a\u{2028}"] {
            assert!(!is_list_of_names(bad), "{bad:?}");
        }
    }
}
