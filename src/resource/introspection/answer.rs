//! What a server says of a token that is active (RFC 7662 section 2.2).

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::base::numeric_date::NumericDate;
use crate::base::{AuthorizationDetails, Confirmation, ResourceId, Scope};
use crate::error::Reason;
use crate::grant::Actor;
use crate::resource::audience::Audience;
use crate::signing::{Claims, SubjectType};
use crate::trust::times::CLOCK_SKEW;

/// The members as any server may write them; only `active` has to be there.
#[derive(Deserialize)]
pub(super) struct Active {
    #[serde(rename = "active")]
    _active: IgnoredAny,
    iss: Option<String>,
    sub: Option<String>,
    sub_type: Option<SubjectType>,
    aud: Option<Audience>,
    client_id: Option<String>,
    exp: Option<NumericDate>,
    iat: Option<NumericDate>,
    nbf: Option<NumericDate>,
    jti: Option<String>,
    scope: Option<Scope>,
    auth_time: Option<NumericDate>,
    acr: Option<String>,
    act: Option<Actor>,
    #[serde(default)]
    authorization_details: AuthorizationDetails,
    token_type: Option<String>,
    token_use: Option<String>,
    /// As it was sent: one that cannot be read must not count as none.
    cnf: Option<Value>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
struct Whether {
    active: bool,
}

impl Active {
    /// The outer `None` is no answer, the inner one that the token is not active.
    pub(super) fn read(json: &[u8]) -> Option<Option<Self>> {
        let Whether { active } = serde_json::from_slice(json).ok()?;
        if !active {
            return Some(None);
        }
        serde_json::from_slice(json).ok().map(Some)
    }

    pub(super) fn expires(&self) -> Option<DateTime<Utc>> {
        self.exp.and_then(NumericDate::moment)
    }

    /// What has to hold at any resource.
    pub(super) fn check(&self, issuer: Option<&str>, now: DateTime<Utc>) -> Result<(), Reason> {
        if self.iss.is_some() && issuer.is_some() && self.iss.as_deref() != issuer {
            return Err(Reason::TokenIssuerWrong);
        }
        if self.expires().is_some_and(|end| end <= now) {
            return Err(Reason::TokenExpired);
        }
        if self.nbf.is_some_and(|nbf| nbf.seconds() > now.timestamp().saturating_add(CLOCK_SKEW)) {
            return Err(Reason::TokenTooEarly);
        }
        let is = |said: &Option<String>, names: &[&str]| {
            said.as_ref().is_none_or(|said| names.iter().any(|name| said.eq_ignore_ascii_case(name)))
        };
        // Some servers say what kind of token it is, and a refresh token is no access token.
        if !is(&self.token_use, &["access_token", "access"]) {
            return Err(Reason::TokenInactive);
        }
        let is_dpop = self.confirmation()?.is_some_and(|key| key.jkt().is_some());
        let types: &[&str] = if is_dpop { &["dpop", "access_token"] } else { &["bearer", "access_token"] };
        match is(&self.token_type, types) {
            true => Ok(()),
            false => Err(Reason::TokenBound),
        }
    }

    /// The key that the token is bound to.
    fn confirmation(&self) -> Result<Option<Confirmation>, Reason> {
        let read = self.cnf.as_ref().map(Confirmation::deserialize).transpose();
        read.map_err(|_| Reason::TokenBound)
    }

    /// Whether it is for this resource, if the answer says for whom it is.
    pub(super) fn is_for(&self, resource: &ResourceId) -> Option<bool> {
        self.aud.as_ref().map(|audience| audience.names(resource.as_str()))
    }

    /// What it says as the claims of a signed token, if it says in whose name the token acts. Where it has no expiry, `until`
    /// stands for it.
    pub(super) fn claims(
        &self,
        resource: &ResourceId,
        untyped: bool,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<Claims> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let client_id = said(&self.client_id)?;
        let sub = said(&self.sub);
        let is_client = sub.as_ref().is_none_or(|sub| *sub == client_id);
        let guessed = if is_client { SubjectType::Client } else { SubjectType::User };
        let sub = sub.or_else(|| untyped.then(|| client_id.clone()))?;
        Some(Claims {
            iss: self.iss.clone().unwrap_or_default(),
            sub,
            sub_type: self.sub_type.or(untyped.then_some(guessed))?,
            aud: resource.as_str().to_owned(),
            client_id,
            iat: self.iat.map_or_else(|| now.timestamp(), NumericDate::seconds),
            exp: self.exp.map_or_else(|| until.timestamp(), NumericDate::seconds),
            jti: self.jti.clone().unwrap_or_default(),
            scope: self.scope.clone().unwrap_or_default(),
            auth_time: self.auth_time.map(NumericDate::seconds),
            acr: self.acr.clone(),
            act: self.act.clone(),
            authorization_details: self.authorization_details.clone(),
            cnf: self.confirmation().ok()?,
            extra: self.extra.clone(),
        })
    }
}
