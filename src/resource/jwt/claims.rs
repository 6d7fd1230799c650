//! The required claims of a signed access token, from any issuer (RFC 9068 section 2.2).

use chrono::{DateTime, Utc};

use crate::error::Reason;
use crate::resource::audience::Audience;
use crate::resource::token_claims::TokenClaims;
use crate::trust::times::{CLOCK_SKEW, EXPIRY_LEEWAY};

/// The period in which a token is valid, in seconds since 1970.
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

/// The claims that every check needs.
pub(super) struct Required<'a> {
    pub(super) iss: &'a str,
    pub(super) aud: &'a Audience,
    pub(super) validity: Validity,
}

/// Returns the claims that every check needs; `None` if one is missing.
pub(super) fn required(claims: &TokenClaims) -> Option<Required<'_>> {
    claims.sub.as_ref()?;
    let [exp, iat] = [claims.exp?.seconds(), claims.iat?.seconds()];
    let validity = Validity { exp, iat, nbf: claims.nbf.map(|nbf| nbf.seconds()) };
    Some(Required { iss: claims.iss.as_deref()?, aud: claims.aud.as_ref()?, validity })
}

/// Whether its claims show that it is another kind of token. Only the header can show that it is an access
/// token.
pub(super) fn is_of_another_kind(claims: &TokenClaims) -> bool {
    match claims.extra.get("typ") {
        Some(typ) => !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("bearer")),
        None => OF_OTHER_TOKENS.iter().any(|name| claims.extra.contains_key(*name)),
    }
}

/// Claims of ID tokens and of logout tokens (OpenID Connect Core section 2, Back-Channel Logout section 2.4).
const OF_OTHER_TOKENS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];
