//! The response for an active token (RFC 7662 section 2.2).

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::base::numeric_date::NumericDate;
use crate::base::{ResourceId, strict_json};
use crate::error::Reason;
use crate::resource::token_claims::{TokenClaims, WireScope};
use crate::signing::Claims;
use crate::trust::times::CLOCK_SKEW;

/// The members as any server may write them; only `active` is required.
#[derive(Deserialize)]
pub(super) struct Active {
    #[serde(rename = "active")]
    _active: IgnoredAny,
    token_type: Option<String>,
    token_use: Option<String>,
    #[serde(flatten)]
    claims: TokenClaims,
}

#[derive(Deserialize)]
struct Whether {
    active: bool,
}

impl Active {
    /// The outer `None` is a malformed response; the inner one means that the token is not active.
    pub(super) fn read(json: &[u8]) -> Option<Option<Self>> {
        let json = std::str::from_utf8(json).ok()?;
        let Whether { active } = strict_json::read(json).ok()?;
        if !active {
            return Some(None);
        }
        let read: Self = serde_json::from_str(json).ok()?;
        // RFC 7662 section 2.2: the scope is a string.
        let is_list = matches!(read.claims.scope, Some(WireScope::List(_)));
        (!is_list).then_some(Some(read))
    }

    pub(super) fn expires(&self) -> Option<DateTime<Utc>> {
        self.claims.exp.and_then(NumericDate::moment)
    }

    /// The checks that hold at any resource.
    pub(super) fn check(&self, issuer: Option<&str>, now: DateTime<Utc>) -> Result<(), Reason> {
        let claims = &self.claims;
        if claims.iss.is_some() && issuer.is_some() && claims.iss.as_deref() != issuer {
            return Err(Reason::TokenIssuerWrong);
        }
        if self.expires().is_some_and(|end| end <= now) {
            return Err(Reason::TokenExpired);
        }
        if claims.nbf.is_some_and(|nbf| nbf.seconds() > now.timestamp().saturating_add(CLOCK_SKEW)) {
            return Err(Reason::TokenTooEarly);
        }
        let is = |said: &Option<String>, names: &[&str]| {
            said.as_ref().is_none_or(|said| names.iter().any(|name| said.eq_ignore_ascii_case(name)))
        };
        // Some servers name the kind of the token; a refresh token must not pass as an access token.
        if !is(&self.token_use, &["access_token", "access"]) {
            return Err(Reason::TokenInactive);
        }
        let is_dpop = claims.confirmation()?.is_some_and(|key| key.jkt().is_some());
        let types: &[&str] = if is_dpop { &["dpop", "access_token"] } else { &["bearer", "access_token"] };
        match is(&self.token_type, types) {
            true => Ok(()),
            false => Err(Reason::TokenBound),
        }
    }

    /// Whether the token is for this resource, if the response has an audience.
    pub(super) fn is_for(&self, resource: &ResourceId) -> Option<bool> {
        self.claims.aud.as_ref().map(|audience| audience.names(resource.as_str()))
    }

    /// The response as the claims of a signed token, if it has a subject. `until` replaces a missing expiry.
    pub(super) fn claims(
        &self,
        resource: &ResourceId,
        untyped: bool,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<Claims> {
        let mut claims = self.claims.clone();
        if untyped {
            claims.sub = claims.sub.filter(|sub| !sub.is_empty());
            claims.sub_type = claims.sub_type.or_else(|| Some(claims.guessed_subject()));
            claims.sub = claims.sub.or_else(|| claims.client_id.clone());
        }
        claims.iss.get_or_insert_default();
        claims.jti.get_or_insert_default();
        claims.iat.get_or_insert_with(|| NumericDate::of(now));
        claims.exp.get_or_insert_with(|| NumericDate::of(until));
        claims.complete(resource)
    }
}
