//! [`Request`] and [`Response`]: plain structs, so that any framework fits.
//!
//! An adapter copies the relevant parts of a request in and the response out; it decides nothing.

pub(crate) mod cors;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

mod added_headers;
pub(crate) mod bearer;
mod certificate;
pub mod form;
mod method;
mod parameters;
mod refusal;

use crate::error::Reason;
pub use added_headers::AddedHeaders;
pub use certificate::Certificate;
pub use method::{Method, MethodName};
pub use parameters::Parameters;

/// The longest form that [`Request::as_get`] makes a query of, in bytes.
const MAX_QUERY: usize = 16 * 1024;

/// The longest request body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// The parts of an HTTP request that OAuth reads.
///
/// The host selects the endpoint by the method that it calls. No endpoint reads the `Host` field: every URL
/// of the server comes from its configuration.
///
/// ```
/// use grantor::http::Request;
/// let request = Request::post_form("grant_type=client_credentials").header("authorization", "Basic YTpi");
/// ```
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The query string without its `?`, still encoded.
    pub query: Option<String>,
    /// The header fields; an adapter needs to copy only those in [`Headers::READ`].
    pub headers: Headers,
    /// The body, at most [`MAX_BODY`] bytes; a longer one is answered with 413.
    pub body: Vec<u8>,
    /// The address of the peer, for the limits on wrong secrets, registrations and devices. Trusted: pass the
    /// address of the connection, or one that your own proxy vouches for, never a header that the client can
    /// set. Without it no limit by address applies, and few others do: user codes by browser session,
    /// registrations in a day, and fetches at once.
    pub peer: Option<IpAddr>,
    /// The path of the request, as the client sent it. Only a guard reads it, and only if the request has a
    /// `DPoP` field: together with the origin of its resource, it is the URL that the proof must name.
    pub path: Option<String>,
    /// The client certificate of the connection, if the client proved one. Trusted: see [`Certificate`].
    pub certificate: Option<Certificate>,
}

impl Request {
    /// A request with only a method.
    #[must_use]
    pub fn new(method: Method) -> Self {
        let (query, headers, body) = (None, Headers::default(), Vec::new());
        Self { method, query, headers, body, peer: None, path: None, certificate: None }
    }

    /// A `GET` with this query string.
    #[must_use]
    pub fn get(query: impl Into<String>) -> Self {
        Self { query: Some(query.into()), ..Self::new(Method::Get) }
    }

    /// A `POST` of this form body, with its content type.
    #[must_use]
    pub fn post_form(body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new(Method::Post);
        request.body = body.into();
        request.header("content-type", FORM)
    }

    /// A `POST` or a `PUT` of this JSON body, with its content type.
    #[must_use]
    pub fn json(method: Method, body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new(method);
        request.body = body.into();
        request.header("content-type", "application/json")
    }

    /// A redirect (303) of a posted request to the same request by `GET` at this path of yours: for an
    /// authorization or logout request, which a client may post (RFC 6749 section 3.1, OpenID Connect Core
    /// section 3.1.2.1). Your pages can then carry it along as a query, and browsers send the `SameSite=Lax`
    /// cookies of your session with it, which they do not send with a form of another site. 400 if the body is
    /// no form, 413 if it is too long for a URL.
    pub fn as_get(&self, path: &str) -> Response {
        let problem = |status, sentence| {
            let html =
                format!("<!doctype html><html lang=\"en\"><title>{sentence}</title><p>{sentence}</p></html>");
            Response::page(status, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'", html)
        };
        match std::str::from_utf8(&self.body) {
            _ if self.body.len() > MAX_QUERY => problem(413, "The request is too long."),
            Ok(form) if form.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Response::empty(303).with("location", format!("{path}?{form}"))
            }
            Ok(_) | Err(_) => problem(400, "This is not a form."),
        }
    }

    /// Adds a header field, for example `authorization`. Names are case-insensitive (RFC 9110 section 5.1).
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Names the peer's address, see [`Request::peer`].
    #[must_use]
    pub fn from_peer(mut self, peer: IpAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Names the path, see [`Request::path`].
    #[must_use]
    pub fn at_path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets the client certificate, see [`Request::certificate`].
    #[must_use]
    pub fn with_certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// The body, if its content type is JSON (RFC 7591 section 3.1).
    pub(crate) fn json_body(&self) -> Result<&[u8], Reason> {
        match self.content_type()?.eq_ignore_ascii_case("application/json") {
            true => Ok(&self.body),
            false => Err(Reason::RegistrationNotJson),
        }
    }

    /// The body of a `POST`, if its content type is a form (RFC 6749 appendix B).
    pub(crate) fn posted_form(&self) -> Result<&[u8], Reason> {
        if self.method != Method::Post {
            return Err(Reason::MethodWrong);
        }
        match self.content_type()?.eq_ignore_ascii_case(FORM) {
            true => Ok(&self.body),
            false => Err(Reason::ContentTypeWrong),
        }
    }

    /// The media type without its parameters.
    fn content_type(&self) -> Result<&str, Reason> {
        let kind = self.headers.one("content-type")?.unwrap_or_default();
        Ok(kind.split(';').next().unwrap_or_default().trim())
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Header fields, in order; names are kept in lower case.
#[derive(Default)]
pub struct Headers(Vec<(Cow<'static, str>, String)>);

impl Headers {
    /// The fields that any endpoint reads.
    pub const READ: &'static [&'static str] = &["authorization", "content-type", "dpop"];

    /// Also read to detect a request for a signed introspection response (RFC 9701): an adapter may leave it
    /// out unless a value contains `jwt`.
    pub const READ_OF_SIGNED_ANSWERS: &'static [&'static str] = &["accept"];

    /// Also read if the method is `OPTIONS`: the fields of a preflight.
    pub const READ_OF_A_PREFLIGHT: &'static [&'static str] =
        &["access-control-request-method", "access-control-request-headers"];

    /// Also read if a browser requests a page: an adapter may leave it out unless a value of `accept`
    /// contains `text/html`. Only the pages of the feature `dev_pages` read it, and refuse a request without
    /// it.
    pub const READ_OF_A_PAGE: &'static [&'static str] = &["host"];

    /// Adds a field. Names are case-insensitive (RFC 9110 section 5.1).
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let mut name = name.into();
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name.to_mut().make_ascii_lowercase();
        }
        self.0.push((name, value.into()));
    }

    /// The values of every field with this name, in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let hits = self.0.iter().filter(move |(n, _)| n == name);
        hits.map(|(_, value)| value.as_str())
    }

    /// The only value of this field; two are an error.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Reason> {
        let mut hits = self.0.iter().filter(|(n, _)| n == name);
        match (hits.next(), hits.next()) {
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
            _ => Err(Reason::HeaderRepeated),
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(n, _)| n)).finish()
    }
}

/// One HTTP response, ready to be sent.
#[derive(Clone)]
#[must_use]
#[non_exhaustive]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields; names in lower case.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body; it may hold tokens, so `Debug` shows only the error in it.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of the field with this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let hit = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        hit.map(|(_, value)| value.as_ref())
    }

    /// An empty response.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// JSON that no cache keeps (RFC 6749 section 5.1).
    pub(crate) fn secret_json(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: vec![JSON, NOSNIFF, NO_STORE, NO_CACHE], body }
    }

    /// A value as JSON that no cache keeps; 500 if it cannot be written as JSON.
    pub(crate) fn secret_json_of(status: u16, body: &impl Serialize) -> Self {
        serde_json::to_vec(body).map_or_else(|_| Self::empty(500), |json| Self::secret_json(status, json))
    }

    /// A signed JWT that no cache keeps.
    pub(crate) fn secret_jwt(token: String) -> Self {
        Self::secret(200, "application/jwt", token.into_bytes())
    }

    /// A body of another media type that no cache keeps.
    pub(crate) fn secret(status: u16, media_type: &'static str, body: Vec<u8>) -> Self {
        let kind = ("content-type", Cow::Borrowed(media_type));
        Self { status, headers: vec![kind, NOSNIFF, NO_STORE, NO_CACHE], body }
    }

    /// JSON that a cache may keep for `max_age` seconds.
    pub(crate) fn public_json(body: Vec<u8>, max_age: u32) -> Self {
        let cache = format!("public, max-age={max_age}");
        Self { status: 200, headers: vec![JSON, NOSNIFF, ("cache-control", cache.into())], body }
    }

    /// A page that no cache keeps and no frame shows.
    pub(crate) fn page(status: u16, csp: impl Into<Cow<'static, str>>, html: String) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type", Cow::Borrowed("text/html; charset=utf-8")),
                ("content-security-policy", csp.into()),
                ("x-frame-options", Cow::Borrowed("DENY")),
                NOSNIFF,
                ("referrer-policy", Cow::Borrowed("no-referrer")),
                NO_STORE,
                NO_CACHE,
            ],
            body: html.into_bytes(),
        }
    }

    /// Without any field of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

pub(crate) const JSON: (&str, Cow<'static, str>) = ("content-type", Cow::Borrowed("application/json"));
const NOSNIFF: (&str, Cow<'static, str>) = ("x-content-type-options", Cow::Borrowed("nosniff"));
pub(crate) const NO_STORE: (&str, Cow<'static, str>) = ("cache-control", Cow::Borrowed("no-store"));
pub(crate) const NO_CACHE: (&str, Cow<'static, str>) = ("pragma", Cow::Borrowed("no-cache"));

/// Shows the status, and of an error its challenge and its code, so that a failing test says why. Nothing
/// else: other fields and members may hold secrets.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[derive(Deserialize)]
        struct Body {
            error: Option<String>,
            error_description: Option<String>,
        }
        let mut shown = f.debug_struct("Response");
        shown.field("status", &self.status);
        if self.status >= 400 {
            let body = serde_json::from_slice::<Body>(&self.body).ok();
            let body = body.filter(|_| self.header("content-type") == Some("application/json"));
            let (error, description) = body.map_or((None, None), |body| (body.error, body.error_description));
            let challenge = self.header("www-authenticate");
            let fields = [
                ("www_authenticate", challenge),
                ("error", error.as_deref()),
                ("error_description", description.as_deref()),
            ];
            for (name, value) in fields {
                if let Some(value) = value {
                    shown.field(name, &value);
                }
            }
        }
        shown.finish_non_exhaustive()
    }
}

/// Text escaped for HTML, between tags or in a quoted attribute.
pub(crate) fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_error_says_why_and_nothing_else() {
        let refused = crate::error::Refusal::from(Reason::ClientUnknown).into_response();
        let shown = format!("{refused:?}");
        for part in
            ["status: 401", "www_authenticate: \"Basic", "error: \"invalid_client\"", "error_description"]
        {
            assert!(shown.contains(part), "{shown}");
        }
        let more = br#"{"error":"invalid_grant","error_description":"no","access_token":"s3cret"}"#;
        let shown = format!("{:?}", Response::secret_json(400, more.to_vec()));
        let expected = r#"Response { status: 400, error: "invalid_grant", error_description: "no", .. }"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn no_printed_response_has_a_secret() {
        let secret = r#"{"error":"s3cret","error_description":"s3cret","access_token":"s3cret"}"#;
        let page = r#"{"error":["s3cret"],"more":"s3cret"}"#;
        for response in [
            Response::secret_json(200, secret.into()),
            Response::secret_json(302, secret.into()),
            Response::secret_json(400, page.into()),
            Response::secret_json(400, br#""s3cret""#.to_vec()),
            Response::page(400, "", secret.to_owned()),
            Response::secret(400, "application/jwt", secret.into()),
            Response::empty(200).with("www-authenticate", "s3cret"),
        ] {
            let response =
                response.with("set-cookie", "s3cret").with("location", "s3cret").with("dpop-nonce", "s3cret");
            assert!(!format!("{response:?}").contains("s3cret"), "{response:?}");
        }
    }

    #[test]
    fn the_case_of_a_field_name_does_not_matter() {
        for name in ["authorization", "Authorization", "AUTHORIZATION"] {
            let request = Request::get("").header(name, "Bearer a").header(name.to_owned(), "Bearer b");
            assert_eq!(request.headers.all("authorization").collect::<Vec<_>>(), ["Bearer a", "Bearer b"]);
            assert_eq!(request.headers.one("authorization"), Err(Reason::HeaderRepeated));
        }
        assert_eq!(Response::empty(200).with("retry-after", "1").header("Retry-After"), Some("1"));
    }
}
