//! The claims of an access token as any issuer may write them (RFC 9068 section 2.2).

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::leniency::{Leniencies, WireScope};
use crate::base::numeric_date::NumericDate;
use crate::base::{AuthorizationDetails, Confirmation, ResourceId};
use crate::error::Reason;
use crate::grant::Actor;
use crate::resource::audience::Audience;
use crate::signing::{Claims, SubjectType};
use crate::trust::times::{CLOCK_SKEW, EXPIRY_LEEWAY};

#[derive(Deserialize)]
pub(super) struct AccessTokenBody {
    pub(super) iss: String,
    pub(super) aud: Audience,
    exp: NumericDate,
    iat: NumericDate,
    nbf: Option<NumericDate>,
    /// As it was sent: one that cannot be read must not count as none.
    pub(super) cnf: Option<Value>,
    sub: String,
    client_id: Option<String>,
    jti: Option<String>,
    sub_type: Option<SubjectType>,
    scope: Option<WireScope>,
    auth_time: Option<NumericDate>,
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

impl AccessTokenBody {
    pub(super) fn validity(&self) -> Validity {
        let nbf = self.nbf.map(NumericDate::seconds);
        Validity { exp: self.exp.seconds(), iat: self.iat.seconds(), nbf }
    }

    /// Whether it says of itself that it is another kind of token. Only a header can say that it is an access token.
    pub(super) fn is_of_another_kind(&self) -> bool {
        match self.extra.get("typ") {
            Some(typ) => !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("bearer")),
            None => OF_OTHER_TOKENS.iter().any(|name| self.extra.contains_key(*name)),
        }
    }

    /// The claims for this resource, if they say in whose name the token acts.
    pub(super) fn into_claims(
        self,
        cnf: Option<Confirmation>,
        resource: &ResourceId,
        lenient: Leniencies,
    ) -> Option<Claims> {
        let client_id = lenient.client_id(self.client_id, &self.extra)?;
        if self.sub.is_empty() || client_id.is_empty() {
            return None;
        }
        let guessed = if self.sub == client_id { SubjectType::Client } else { SubjectType::User };
        Some(Claims {
            sub_type: self.sub_type.or(lenient.untyped_subjects.then_some(guessed))?,
            iss: self.iss,
            sub: self.sub,
            aud: resource.as_str().to_owned(),
            client_id,
            iat: self.iat.seconds(),
            exp: self.exp.seconds(),
            jti: self.jti.or_else(|| lenient.missing_jti.then(String::new))?,
            scope: lenient.scope(self.scope, &self.extra)?,
            auth_time: self.auth_time.map(NumericDate::seconds),
            acr: self.acr,
            act: self.act,
            authorization_details: self.authorization_details,
            cnf,
            extra: self.extra,
        })
    }
}

/// Claims of ID tokens and of logout tokens (OpenID Connect Core section 2, Back-Channel Logout section 2.4).
const OF_OTHER_TOKENS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];
