//! Whether a client is served, and the data of a self-registered one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::base::secret::Masked;

/// Whether a client is served. One that is not is treated as unregistered at every endpoint; its access
/// tokens stay valid until they expire or its grants are
/// [revoked](crate::AuthorizationServer::revoke_client).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientState {
    /// Served.
    #[default]
    Active,
    /// Disabled by the host; only the host can undo that.
    Disabled,
    /// It is being deleted: first this state, then its grants end, then its record is removed. An interrupted
    /// deletion continues at the next attempt, and the client never comes back.
    Ending,
}

impl ClientState {
    pub(super) fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

/// The data of a self-registered client (RFC 7591 and 7592).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SelfRegistration {
    /// The digest of its registration access token; `None` if it may not manage itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Digest>,
    /// Its generated secret, under a pad derived from its registration access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Masked>,
    /// When the registration expires.
    #[serde(skip_serializing_if = "Option::is_none", with = "chrono::serde::ts_seconds_option")]
    pub(crate) expires: Option<DateTime<Utc>>,
    /// The software statement, which is returned unmodified (RFC 7591 section 3.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) software_statement: Option<String>,
}
