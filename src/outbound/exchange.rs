//! The request and the response.

use std::fmt;
use std::time::Duration;

use crate::base::SecretText;

/// Who chose a URL, and so how much it is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChosenBy {
    /// The host's configuration, the host's own client, or a server that the host names.
    Host,
    /// A client with an [owner](crate::Client::owner), whom the host knows: only public addresses are
    /// reachable.
    Developer,
    /// A client that registered itself or has a metadata document, so it may be anyone's: only public
    /// addresses are reachable. Anyone can have any number of such clients, so their requests must not hold
    /// up others.
    Client,
}

/// One request: a `GET`, or a `POST` of a form.
///
/// ```
/// use std::time::Duration;
/// use grantor::outbound::{ChosenBy, OutboundRequest};
///
/// let asked = OutboundRequest::get("https://client.example/id.json", ChosenBy::Client)
///     .header("accept", "application/json")
///     .limits(5 * 1024, Duration::from_secs(3));
/// assert_eq!(asked.max_bytes(), 5120);
/// ```
#[must_use]
pub struct OutboundRequest {
    url: String,
    chosen_by: ChosenBy,
    headers: Vec<(&'static str, SecretText)>,
    form: Option<SecretText>,
    max_bytes: usize,
    deadline: Duration,
}

impl OutboundRequest {
    /// The time limit, unless [`limits`](Self::limits) sets another one.
    pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

    /// A `GET` of this URL; a response of at most 64 KiB within 3 s.
    pub fn get(url: impl Into<String>, chosen_by: ChosenBy) -> Self {
        Self {
            url: url.into(),
            chosen_by,
            headers: Vec::new(),
            form: None,
            max_bytes: 64 * 1024,
            deadline: Self::DEADLINE,
        }
    }

    /// A `POST` of this form, encoded already (`application/x-www-form-urlencoded`).
    pub fn post(url: impl Into<String>, chosen_by: ChosenBy, form: impl Into<String>) -> Self {
        Self { form: Some(SecretText::new(form)), ..Self::get(url, chosen_by) }
    }

    /// Adds a header field; its name in lower case.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, SecretText::new(value)));
        self
    }

    /// The size limit for the body of the response, and the time limit for everything, including DNS.
    pub fn limits(mut self, max_bytes: usize, deadline: Duration) -> Self {
        (self.max_bytes, self.deadline) = (max_bytes, deadline);
        self
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who chose the URL.
    #[must_use]
    pub fn chosen_by(&self) -> ChosenBy {
        self.chosen_by
    }

    /// The header fields, without the `Content-Type` of a form. A value may be a secret: do not log it.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.reveal()))
    }

    /// The form of a `POST`, none for a `GET`. It may hold a token: do not log it.
    #[must_use]
    pub fn form(&self) -> Option<&str> {
        self.form.as_ref().map(SecretText::reveal)
    }

    /// The size limit for the body of the response.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The time limit.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }
}

impl fmt::Debug for OutboundRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = if self.form.is_some() { "POST" } else { "GET" };
        f.debug_struct("OutboundRequest")
            .field("method", &method)
            .field("chosen_by", &self.chosen_by)
            .finish_non_exhaustive()
    }
}

/// A response: the status, the body, the content type, and how long it is fresh.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct OutboundResponse {
    status: u16,
    body: Vec<u8>,
    content_type: Option<String>,
    no_store: bool,
    max_age: Option<u64>,
    age: u64,
}

impl OutboundResponse {
    /// A response without header fields.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), content_type: None, no_store: false, max_age: None, age: 0 }
    }

    /// Reads a header field: `Content-Type`, `Cache-Control` and `Age` are used, any other is ignored. Pass
    /// all fields of the response.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case("content-type") {
            let essence = value.split(';').next().unwrap_or_default().trim();
            self.content_type = Some(essence.to_ascii_lowercase());
        } else if name.eq_ignore_ascii_case("cache-control") {
            value.split(',').for_each(|directive| self.directive(directive.trim()));
        } else if name.eq_ignore_ascii_case("age") {
            self.age = seconds(value).unwrap_or(0);
        }
        self
    }

    /// RFC 9111 section 5.2.2; of two values, the stricter one applies.
    fn directive(&mut self, text: &str) {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if name.eq_ignore_ascii_case("no-store") {
            self.no_store = true;
        } else if name.eq_ignore_ascii_case("no-cache") {
            self.max_age = Some(0);
        } else if name.eq_ignore_ascii_case("max-age") {
            // A malformed value means not fresh (RFC 9111 section 4.2.1).
            let said = seconds(value.trim_matches('"')).unwrap_or(0);
            self.max_age = Some(self.max_age.map_or(said, |other| other.min(said)));
        }
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The media type in lower case, without parameters.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Whether it must not be kept (`no-store`).
    #[must_use]
    pub fn is_no_store(&self) -> bool {
        self.no_store
    }

    /// For how many more seconds it is fresh, if known: `max-age` minus `Age`.
    #[must_use]
    pub fn fresh_for(&self) -> Option<u64> {
        match self.no_store {
            true => Some(0),
            false => self.max_age.map(|seconds| seconds.saturating_sub(self.age)),
        }
    }
}

/// RFC 9111 section 1.2.2: a number that overflows counts as a large one.
fn seconds(text: &str) -> Option<u64> {
    let digits = Some(text.trim()).filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()))?;
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// Omits the body, which may contain personal data.
impl fmt::Debug for OutboundResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundResponse")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(headers: &[(&str, &str)]) -> Option<u64> {
        let bare = OutboundResponse::new(200, "");
        headers.iter().fold(bare, |response, (name, value)| response.header(name, value)).fresh_for()
    }

    #[test]
    fn how_long_an_answer_is_good_is_read_from_its_header() {
        for (headers, expected) in [
            (&[][..], None),
            (&[("Cache-Control", "public, max-age=300")][..], Some(300)),
            (&[("cache-control", "Max-Age=\"300\"")][..], Some(300)),
            (&[("cache-control", "max-age=300"), ("age", "120")][..], Some(180)),
            (&[("cache-control", "max-age=300"), ("age", "500")][..], Some(0)),
            (&[("cache-control", "max-age=300"), ("cache-control", "max-age=30")][..], Some(30)),
            (&[("cache-control", "max-age=300, no-store")][..], Some(0)),
            (&[("cache-control", "no-cache, max-age=300")][..], Some(0)),
            (&[("cache-control", "max-age=soon")][..], Some(0)),
            (&[("cache-control", "max-age=99999999999999999999999")][..], Some(u64::MAX)),
            (&[("cache-control", "s-maxage=9, public")][..], None),
            (&[("expires", "Thu, 01 Jan 2099 00:00:00 GMT")][..], None),
        ] {
            assert_eq!(fresh(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_media_type_has_one_spelling_and_no_parameters() {
        let response =
            OutboundResponse::new(200, "").header("Content-Type", "Application/JSON; charset=utf-8");
        assert_eq!(response.content_type(), Some("application/json"));
    }

    #[test]
    fn neither_prints_what_it_carries() {
        let request = OutboundRequest::post("https://as.example/?a=s3cret", ChosenBy::Host, "token=s3cret")
            .header("authorization", "Bearer s3cret");
        let response = OutboundResponse::new(200, "s3cret");
        assert!(!format!("{request:?} {response:?}").contains("s3cret"));
    }
}
