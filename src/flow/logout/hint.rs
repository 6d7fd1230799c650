//! `id_token_hint`: an `id_token` that this server issued, even if it has expired.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::base::{ClientId, SessionId, Subject};
use crate::client::Client;
use crate::issuance::Rules;
use crate::openid::SessionRules;
use crate::trust::times::CLOCK_SKEW;

/// The claims of an `id_token` that was sent back. Its signature is valid; it proves who issued it, not who
/// sends it.
pub(crate) struct HintClaims {
    /// The client that it was issued to.
    pub(crate) client: ClientId,
    /// The user, as that client knows them.
    pub(crate) sub: String,
    /// The session, as that client knows it.
    pub(crate) sid: Option<String>,
}

/// Omits the user and the session.
impl fmt::Debug for HintClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HintClaims").field("client", &self.client).finish_non_exhaustive()
    }
}

/// How far the clocks of two nodes may differ, in seconds: each is off by [`CLOCK_SKEW`] at most.
pub(super) const SKEW: i64 = 2 * CLOCK_SKEW;

#[derive(Deserialize)]
struct Body {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    #[serde(default)]
    sid: Option<String>,
    /// A logout token is not an `id_token`, even for a client whose logout tokens have the same `typ`.
    #[serde(default)]
    events: Option<IgnoredAny>,
}

impl HintClaims {
    /// The `typ` of an `id_token`.
    pub(crate) const TYPE: &'static str = "JWT";

    /// Reads the claims of a token that this server has signed. It may have expired (RP-Initiated Logout
    /// section 2).
    pub(crate) fn read(claims: &str, rules: &Rules, now: DateTime<Utc>) -> Option<Self> {
        let Body { iss, sub, aud, iat, exp, sid, events } = serde_json::from_str(claims).ok()?;
        let is_ours = *iss == *rules.issuer && events.is_none() && iat <= exp;
        let was_issued = iat <= now.timestamp() + SKEW;
        (is_ours && was_issued).then(|| Self { client: ClientId::new(aud), sub, sid })
    }

    /// Whether it names this user, as its client knows them.
    pub(crate) fn is_about(&self, subject: &Subject, client: &Client, rules: &Rules) -> bool {
        match rules.sub_of(subject, client) {
            Ok(Some(sub)) => *sub == *self.sub,
            Ok(None) => subject.as_user() == Some(self.sub.as_str()),
            Err(_) => false,
        }
    }

    /// Whether it was issued in this session.
    pub(crate) fn is_of(&self, session: SessionId, rules: &SessionRules) -> bool {
        self.sid.as_deref() == Some(rules.sid(session, &self.client).as_str())
    }
}
