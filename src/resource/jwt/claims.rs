//! The claims of an access token as any issuer may write them (RFC 9068 section 2.2).

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::details::AuthorizationDetails;
use crate::error::Reason;
use crate::grant::Actor;
use crate::resource::audience::Audience;
use crate::resource::requirement::CLOCK_SKEW;
use crate::scope::Scope;
use crate::signing::{Claims, SubjectType};
use crate::target::ResourceId;

#[derive(Deserialize)]
pub(super) struct Wire {
    pub(super) iss: String,
    pub(super) aud: Audience,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    pub(super) cnf: Option<IgnoredAny>,
    sub: String,
    client_id: String,
    jti: String,
    sub_type: Option<SubjectType>,
    #[serde(default)]
    scope: Scope,
    auth_time: Option<i64>,
    acr: Option<String>,
    /// One that cannot be read makes the token unreadable: it must not pass as the subject's own.
    act: Option<Actor>,
    #[serde(default)]
    authorization_details: AuthorizationDetails,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// From when until when a token is good, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
}

/// How long a token is good past its `exp`, in seconds, for clocks that differ.
pub(crate) const EXPIRY_LEEWAY: i64 = 10;

impl Validity {
    pub(super) fn check(self, now: DateTime<Utc>) -> Result<(), Reason> {
        let now = now.timestamp();
        if self.exp.saturating_add(EXPIRY_LEEWAY) <= now {
            return Err(Reason::TokenExpired);
        }
        let ahead = now.saturating_add(CLOCK_SKEW);
        match self.iat > ahead || self.nbf.is_some_and(|nbf| nbf > ahead) {
            true => Err(Reason::TokenTooEarly),
            false => Ok(()),
        }
    }
}

impl Wire {
    pub(super) fn validity(&self) -> Validity {
        Validity { exp: self.exp, iat: self.iat, nbf: self.nbf }
    }

    /// The claims for this resource, if they say in whose name the token acts.
    pub(super) fn into_claims(self, resource: &ResourceId, untyped: bool) -> Option<Claims> {
        if self.sub.is_empty() || self.client_id.is_empty() {
            return None;
        }
        let guessed = if self.sub == self.client_id { SubjectType::Client } else { SubjectType::User };
        Some(Claims {
            sub_type: self.sub_type.or(untyped.then_some(guessed))?,
            iss: self.iss,
            sub: self.sub,
            aud: resource.as_str().to_owned(),
            client_id: self.client_id,
            iat: self.iat,
            exp: self.exp,
            jti: self.jti,
            scope: self.scope,
            auth_time: self.auth_time,
            acr: self.acr,
            act: self.act,
            authorization_details: self.authorization_details,
            extra: self.extra,
        })
    }
}
