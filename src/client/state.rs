//! Whether a client is served, and what is kept of one that registered itself.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::base::secret::Masked;

/// Whether a client is served. One that is not is answered, at every endpoint, as if it were not registered; the
/// access tokens that it has stay valid until they expire or its grants are
/// [revoked](crate::AuthorizationServer::revoke_client).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientState {
    /// Yes.
    #[default]
    Active,
    /// No, by the host's word; only the host can take that back.
    Disabled,
    /// It is being deleted: first this, then its grants, then its record. A deletion that broke off goes on at the
    /// next attempt, and the client never comes back.
    Ending,
}

impl ClientState {
    pub(super) fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

/// What is kept of a client that registered itself (RFC 7591 and 7592).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SelfRegistration {
    /// Of its registration access token; none where it may not manage itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Digest>,
    /// Its generated secret, under a pad that its registration access token makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Masked>,
    /// When the registration runs out.
    #[serde(skip_serializing_if = "Option::is_none", with = "chrono::serde::ts_seconds_option")]
    pub(crate) expires: Option<DateTime<Utc>>,
    /// The software statement, which is returned as it came (RFC 7591 section 3.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) software_statement: Option<String>,
}
