//! Signed introspection responses (RFC 9701), as a resource server checks them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{AnswerReader, Introspection, Unread};
use crate::base::numeric_date::NumericDate;
use crate::error::Refusal;
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

const NOT_SIGNED: &str = "it is not a signed response (RFC 9701)";

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

    async fn read(&self, body: &[u8], issuer: Option<&str>, now: DateTime<Utc>) -> Result<Vec<u8>, Unread> {
        let text = std::str::from_utf8(body).map_err(|_| Unread::Flaw(NOT_SIGNED))?;
        let jws = Jws::parse(text).map_err(|_| Unread::Flaw(NOT_SIGNED))?;
        if !jws.has_typ(TYPE) {
            return Err(Unread::Flaw(NOT_SIGNED));
        }
        let signed = signed_claims::<Body>(&*self.keys, &jws, now).await;
        let answer = signed.map_err(|missing| match missing {
            SignatureMissing::NoKey => Unread::Flaw("its signature is by an unknown key"),
            SignatureMissing::Wrong => Unread::Flaw("its signature is wrong"),
            SignatureMissing::Claims => Unread::Flaw("it lacks claims of RFC 9701"),
            SignatureMissing::KeysUnavailable(error) => Unread::Keys(Refusal::of_key_source(error)),
        })?;
        let answer = answer.claims;
        let age = now.timestamp() - answer.iat.seconds();
        let flaw = if issuer != Some(answer.iss.as_str()) {
            "it is by another issuer"
        } else if !answer.aud.names(&self.client) {
            "it is for another client"
        } else if !(-CLOCK_SKEW..=OLDEST).contains(&age) {
            "it is too old, or from the future"
        } else {
            return serde_json::to_vec(&answer.token_introspection).map_err(|_| Unread::Flaw(NOT_SIGNED));
        };
        Err(Unread::Flaw(flaw))
    }
}
