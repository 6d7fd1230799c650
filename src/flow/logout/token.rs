//! The logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use crate::client::Client;
use crate::error::BackendError;
use crate::issuance::Rules;
use crate::openid::LogoutNotice;
use crate::signing::Unsigned;

#[derive(Serialize)]
struct Body<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
    events: Events,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
}

/// The only event of a logout token.
struct Events;

impl Serialize for Events {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let nothing = serde_json::Map::new();
        to.collect_map([("http://schemas.openid.net/event/backchannel-logout", nothing)])
    }
}

/// How long a token is valid: the specification says two minutes at most.
const LIFETIME: TimeDelta = TimeDelta::minutes(2);

/// The token for one attempt to deliver a notice. It is signed like the client's `id_token`s.
pub(crate) fn logout_token(
    notice: &LogoutNotice,
    client: &Client,
    rules: &Rules,
    jti: &str,
    now: DateTime<Utc>,
) -> Result<Unsigned, BackendError> {
    let metadata = client.metadata();
    let typ = if metadata.logout_token_type_jwt == Some(true) { "JWT" } else { "logout+jwt" };
    let body = Body {
        iss: &rules.issuer,
        sub: &notice.sub,
        aud: client.id().as_str(),
        iat: now.timestamp(),
        exp: (now + LIFETIME).timestamp(),
        jti,
        events: Events,
        sid: notice.sid.as_deref(),
    };
    Unsigned::new(typ, &body, rules.id_token_algorithm(client).key())
}
