//! The session of the host that a grant began in, and the name that each client knows it by.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::base::secret::Digest;
use crate::base::{ClientId, Secret, SessionId, after};
use crate::client::Client;

/// The session that a grant began in, for the logout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// A client that wants to be told of the logout keeps a session of its own, longer than its tokens live.
    /// The record of the grant stays as long, or the client could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "chrono::serde::ts_seconds_option")]
    pub(crate) kept_until: Option<DateTime<Utc>>,
}

/// How sessions of the host are named to clients, and how clients hear of their end.
#[derive(Clone, Debug)]
pub(crate) struct SessionRules {
    /// Makes the names of sessions, and the tokens of logout questions.
    key: Arc<Secret>,
    /// How long a session of a client can last.
    longest: Duration,
    /// Whether clients can be told directly.
    pub(crate) back_channel: bool,
    /// Whether clients can be told by frames in the host's page.
    pub(crate) front_channel: bool,
}

/// A `sid` has this many bytes.
const SID_BYTES: usize = 16;

impl SessionRules {
    /// The secret is the host's, of at least 32 bytes.
    pub(crate) fn new(secret: &[u8], longest: Duration) -> Self {
        let key = Arc::new(Secret::new(*Digest::of("grantor:sessions:v1", secret).expose()));
        Self { key, longest, back_channel: false, front_channel: false }
    }

    /// What a grant of this client remembers of the session that it began in.
    pub(crate) fn begin(&self, id: SessionId, client: &Client, now: DateTime<Utc>) -> Box<Session> {
        let until = after(now, self.longest).timestamp();
        let kept_until = DateTime::from_timestamp(until, 0).filter(|_| self.tells(client));
        Box::new(Session { id, kept_until })
    }

    /// Whether this client hears of a logout.
    fn tells(&self, client: &Client) -> bool {
        let metadata = client.metadata();
        (self.back_channel && metadata.backchannel_logout_uri.is_some())
            || (self.front_channel && metadata.frontchannel_logout_uri.is_some())
    }

    /// The `sid` of a session for one client: no two clients know it by the same name, and none can tell the
    /// host's own.
    pub(crate) fn sid(&self, session: SessionId, client: &ClientId) -> String {
        let mac = self.mac("grantor:sid:v1", &[session.as_bytes(), client.as_str().as_bytes()]);
        URL_SAFE_NO_PAD.encode(&mac.expose()[..SID_BYTES])
    }

    /// See [`Secret::mac`].
    pub(crate) fn mac(&self, tag: &'static str, parts: &[&[u8]]) -> Digest {
        self.key.mac(tag, parts)
    }
}
