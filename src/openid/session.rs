//! The session of the host in which a grant began, and its name for each client.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::base::secret::Digest;
use crate::base::{ClientId, Secret, SessionId, after};
use crate::client::Client;

/// The session in which a grant began, for the logout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// A client with a logout URI has its own session, which outlives its tokens. The record of the grant is
    /// kept for that long, so that the client can be notified; `None` also if another record of the same
    /// session is.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "chrono::serde::ts_seconds_option")]
    pub(crate) kept_until: Option<DateTime<Utc>>,
}

/// How clients see the host's sessions, and how they are notified of their end.
#[derive(Clone, Debug)]
pub(crate) struct SessionRules {
    /// The key for the names of sessions, and for the tokens of logout questions.
    key: Arc<Secret>,
    /// How long a session of a client can last.
    longest: Duration,
    /// Whether clients can be notified directly.
    pub(crate) back_channel: bool,
    /// Whether clients can be notified by frames in the host's page.
    pub(crate) front_channel: bool,
}

/// The length of a `sid`, in bytes.
const SID_BYTES: usize = 16;

impl SessionRules {
    /// `secret` is the host's, and has at least 32 bytes.
    pub(crate) fn new(secret: &[u8], longest: Duration) -> Self {
        let key = Arc::new(Secret::new(*Digest::of("grantor:sessions:v1", secret).expose()));
        Self { key, longest, back_channel: false, front_channel: false }
    }

    /// The session data of a new grant of this client.
    pub(crate) fn begin(&self, id: SessionId, client: &Client, now: DateTime<Utc>) -> Box<Session> {
        let until = after(now, self.longest).timestamp();
        let kept_until = DateTime::from_timestamp(until, 0).filter(|_| self.tells(client));
        Box::new(Session { id, kept_until })
    }

    /// Whether this client is notified of a logout.
    fn tells(&self, client: &Client) -> bool {
        let metadata = client.metadata();
        (self.back_channel && metadata.backchannel_logout_uri.is_some())
            || (self.front_channel && metadata.frontchannel_logout_uri.is_some())
    }

    /// The `sid` of a session for one client. Each client gets a different one, and none of them reveals the
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
