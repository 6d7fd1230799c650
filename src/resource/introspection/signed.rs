//! Signed introspection responses (RFC 9701), as a resource server checks them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{AnswerReader, Introspection};
use crate::base::numeric_date::NumericDate;
use crate::error::Reason;
use crate::jose::Jws;
use crate::resource::Audience;
use crate::trust::times::CLOCK_SKEW;
use crate::trust::{KeySource, SignatureMissing, signed_claims};

impl Introspection {
    /// Requests signed responses (RFC 9701) and accepts no others: they can be kept as evidence, and an
    /// attacker on the connection cannot change them.
    ///
    /// A response is accepted if one of these keys signed it, its `iss` is [`issuer`](Self::issuer), which
    /// must be set, its `aud` is `client`, the client id of this resource server, and its `iat` is at most a
    /// minute old. Otherwise the result is 503.
    #[must_use]
    pub fn signed(mut self, client: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        self.reader = Some(Box::new(SignedAnswers { client: client.into(), keys: Box::new(keys) }));
        self
    }
}

struct SignedAnswers {
    client: String,
    keys: Box<dyn KeySource>,
}

const MEDIA_TYPE: &str = "application/token-introspection+jwt";

const TYPE: &str = "token-introspection+jwt";

/// The maximum age of a response, in seconds.
const OLDEST: i64 = 60;

#[derive(Deserialize)]
struct Body {
    iss: String,
    aud: Audience,
    iat: NumericDate,
    token_introspection: Map<String, Value>,
}

#[async_trait]
impl AnswerReader for SignedAnswers {
    fn media_type(&self) -> &'static str {
        MEDIA_TYPE
    }

    async fn read(&self, body: &[u8], issuer: Option<&str>, now: DateTime<Utc>) -> Result<Vec<u8>, Reason> {
        let text = std::str::from_utf8(body).map_err(|_| Reason::IssuerUnavailable)?;
        let jws = Jws::parse(text).map_err(|_| Reason::IssuerUnavailable)?;
        if !jws.has_typ(TYPE) {
            return Err(Reason::IssuerUnavailable);
        }
        let signed = signed_claims::<Body>(&*self.keys, &jws, now).await;
        let answer = signed.map_err(|missing| match missing {
            SignatureMissing::NoKey
            | SignatureMissing::Wrong
            | SignatureMissing::Claims
            | SignatureMissing::KeysUnavailable => Reason::IssuerUnavailable,
        })?;
        let answer = answer.claims;
        let age = now.timestamp() - answer.iat.seconds();
        let is_ours = issuer == Some(answer.iss.as_str()) && answer.aud.names(&self.client);
        match is_ours && (-CLOCK_SKEW..=OLDEST).contains(&age) {
            true => serde_json::to_vec(&answer.token_introspection).map_err(|_| Reason::IssuerUnavailable),
            false => Err(Reason::IssuerUnavailable),
        }
    }
}
