//! [`CrossOrigin`]: which browser programs may call an API, and which parts of its responses they may read.

use std::borrow::Cow;

use super::Guard;
use crate::base::origin;
use crate::error::{Reason, Refusal};
use crate::http::{AddedHeaders, Method, Request, Response, cors};

/// Which browser programs may send requests to a resource, by the `Origin` field of the browser.
///
/// By default those of the resource's own origin; requests from outside a browser have no `Origin` and are
/// allowed. Another origin gets 403 before anything else is checked, which also stops DNS rebinding against a
/// server on this machine or in this network (the Model Context Protocol requires that check). Preflights of
/// allowed origins are answered here: a browser sends them without a token, so they must not reach the guard.
///
/// A guarded resource uses no cookies, so preflights allow every requested header.
///
/// ```
/// # use grantor::resource::{CrossOrigin, Guard};
/// # fn cross_origin(guard: &Guard) -> Result<CrossOrigin, Box<dyn std::error::Error>> {
/// Ok(guard.cross_origin().allow("https://app.example")?.allow("http://localhost:6274")?)
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CrossOrigin {
    guard: Guard,
    /// `None` is any origin.
    allowed: Option<Vec<String>>,
    exposed: Cow<'static, str>,
}

impl Guard {
    /// Which browser programs may call this resource: those of its own origin, until others are allowed.
    pub fn cross_origin(&self) -> CrossOrigin {
        CrossOrigin {
            guard: self.clone(),
            allowed: Some(origin::normalized(self.resource().as_str()).into_iter().collect()),
            exposed: Cow::Borrowed(EXPOSED),
        }
    }
}

/// The readable fields of a response: those for tokens, and the session of the Model Context Protocol.
const EXPOSED: &str = "www-authenticate, retry-after, dpop-nonce, mcp-session-id, mcp-protocol-version";

impl CrossOrigin {
    /// The header fields of a request that [`check`](Self::check) reads.
    pub const READ: &'static [&'static str] =
        &["origin", "access-control-request-method", "access-control-request-headers"];

    /// Allows this origin, too: a scheme, a host and an optional port, as in `https://app.example`.
    ///
    /// # Errors
    /// The text is not an origin.
    pub fn allow(mut self, origin: &str) -> Result<Self, OriginError> {
        let has_more = origin::written(origin) != origin.trim_end_matches('/');
        let found = origin::normalized(origin).filter(|_| !has_more);
        let found = found.ok_or_else(|| OriginError(origin.to_owned()))?;
        if let Some(allowed) = &mut self.allowed {
            allowed.push(found);
        }
        Ok(self)
    }

    /// Allows every origin. Only for an API on the public Internet: pages of any site may then call it with
    /// tokens that they have.
    pub fn allow_any(mut self) -> Self {
        self.allowed = None;
        self
    }

    /// Lets programs read this response field, too.
    pub fn expose(mut self, name: &str) -> Self {
        self.exposed = Cow::Owned(format!("{}, {name}", self.exposed));
        self
    }

    /// Checks the origin of a request.
    ///
    /// # Errors
    /// The response to send: 204 to a preflight, 403 to an origin that is not allowed.
    pub fn check(&self, request: &Request) -> Result<AddedHeaders, Response> {
        let origin = match request.headers.one("origin") {
            Ok(None) => return Ok(AddedHeaders::new([VARY])),
            Ok(Some(origin)) => self.shown_to(origin),
            Err(_) => None,
        };
        let Some(origin) = origin else {
            self.guard.record(&Reason::OriginNotAllowed.into(), None);
            return Err(Refusal::from(Reason::OriginNotAllowed).into_response().with(VARY.0, VARY.1));
        };
        let asked = request.headers.one("access-control-request-method").ok().flatten();
        if let Some(method) = asked.filter(|_| request.method == Method::Options) {
            let method = if cors::is_list_of_names(method) { method.to_owned() } else { String::new() };
            return Err(cors::preflight(&request.headers, method, origin).with(VARY.0, VARY.1));
        }
        Ok(AddedHeaders::new([
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", self.exposed.clone()),
            VARY,
        ]))
    }

    /// The value of `Access-Control-Allow-Origin`, if the origin is allowed.
    fn shown_to(&self, origin: &str) -> Option<Cow<'static, str>> {
        match &self.allowed {
            None => Some(Cow::Borrowed("*")),
            Some(allowed) => {
                let own = allowed.iter().find(|own| *own == origin);
                own.map(|own| Cow::Owned(own.clone()))
            }
        }
    }
}

/// No cache may answer a request from one origin with the response to another, or to none.
const VARY: (&str, Cow<'static, str>) = ("vary", Cow::Borrowed("origin"));

/// A text that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin: write a scheme, a host and perhaps a port, as in https://app.example")]
pub struct OriginError(String);
