//! Authorization responses that are signed (JWT Secured Authorization Response Mode, JARM).
//!
//! The content of a response is decided before it is signed, and it cannot be sent unsigned: in a signed
//! mode, only [`AwaitResponseSignature::with_signature`] makes a [`Response`].

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::redirect::Return;
use crate::error::{BackendError, Reason};
use crate::http::Response;
use crate::signing::Unsigned;

/// A response to the client through the browser.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum Finished {
    /// Ready.
    Ready(Response),
    /// The response as a whole has to be signed.
    Sign(Box<AwaitResponseSignature>),
}

/// Waits for the signature over an authorization response.
pub struct AwaitResponseSignature {
    to: Return,
    claims: Map<String, Value>,
    unproven: Option<Reason>,
}

/// How long a response is valid, in seconds (JARM section 2.1 recommends ten minutes at most).
const LIFETIME: i64 = 120;

/// JARM defines no `typ` of its own. The response has no `sub`, so it cannot pass as an `id_token`.
const TYPE: &str = "JWT";

impl AwaitResponseSignature {
    /// JARM section 2.1: all parameters become claims, string values stay strings, and no parameter is
    /// outside the JWT.
    pub(super) fn new(
        to: Return,
        fields: Vec<(&'static str, String)>,
        unproven: Option<Reason>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), Value::from(&*to.issuer));
        if let Some((client, _)) = &to.signed_for {
            claims.insert("aud".to_owned(), Value::from(client.as_str()));
        }
        let exp = now + TimeDelta::seconds(LIFETIME);
        claims.insert("exp".to_owned(), exp.timestamp().into());
        claims.extend(fields.into_iter().map(|(name, value)| {
            let number = (name == "expires_in").then(|| value.parse::<u64>().ok()).flatten();
            (name.to_owned(), number.map_or(Value::String(value), Value::from))
        }));
        if let Some(state) = &to.state {
            claims.insert("state".to_owned(), Value::from(state.as_str()));
        }
        Self { to, claims, unproven }
    }

    /// What has to be signed.
    ///
    /// # Errors
    /// The client's algorithm is not known, which cannot happen after the checks.
    pub fn unsigned(&self) -> Result<Unsigned, BackendError> {
        let signed_for = self.to.signed_for.as_ref();
        let (_, algorithm) =
            signed_for.ok_or_else(|| BackendError::permanent("authorization responses are not signed"))?;
        Unsigned::new(TYPE, &self.claims, Some(*algorithm))
    }

    /// Takes the signed JWT.
    pub fn with_signature(self, text: &str) -> Response {
        self.to.send(&[("response", text)], self.unproven)
    }
}

/// Without the code and the tokens in it.
impl fmt::Debug for AwaitResponseSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitResponseSignature").field("to", &self.to.uri).finish_non_exhaustive()
    }
}
