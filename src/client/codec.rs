//! A client as versioned JSON, for files and databases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Client, ClientErrors, ClientId, ClientMetadata, ClientSecret, ClientState, SelfRegistration};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    v: u32,
    client_id: ClientId,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "chrono::serde::ts_seconds_option")]
    client_id_issued_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<ClientSecret>,
    #[serde(default, skip_serializing_if = "is_zero")]
    revision: u64,
    #[serde(default, skip_serializing_if = "ClientState::is_active")]
    state: ClientState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    self_registration: Option<Box<SelfRegistration>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    metadata: ClientMetadata,
}

fn is_zero(revision: &u64) -> bool {
    *revision == 0
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

impl Client {
    /// The client as JSON, with digests instead of secrets, and with the secrets that the host
    /// [sealed](super::SealedSecrets).
    #[must_use]
    pub fn encode(&self) -> serde_json::Value {
        let body = Body {
            v: VERSION,
            client_id: self.id().clone(),
            client_id_issued_at: self.issued,
            secrets: self.secrets.clone(),
            revision: self.revision,
            state: self.state,
            self_registration: self.self_registration.clone(),
            owner: self.owner.clone(),
            metadata: self.metadata.clone(),
        };
        serde_json::to_value(body).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote, in this version or an earlier one, and checks it again.
    ///
    /// # Errors
    /// A body that is damaged, was written by a later version, or violates the current rules. A redirect URI
    /// from before may have parameters of the response in its query.
    pub fn decode(body: &serde_json::Value) -> Result<Self, ClientDecodeError> {
        let Version { v } = Version::deserialize(body)?;
        if v != VERSION {
            return Err(ClientDecodeError::Version(v));
        }
        let body = Body::deserialize(body)?;
        let builder = Client::builder(body.client_id.as_str()).metadata(body.metadata);
        let builder = builder.secrets(body.secrets).issued(body.client_id_issued_at);
        let builder = builder.revision(body.revision).state(body.state).owned_by(body.owner);
        Ok(builder.self_registration(body.self_registration).stored().build()?)
    }
}

/// Why a stored client could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientDecodeError {
    /// Written by a later version of this crate.
    #[error("the client was written in format {0}, but this version reads format {VERSION}: upgrade grantor")]
    Version(u32),
    /// Not what this crate writes.
    #[error("the stored client is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// Its parts are inconsistent.
    #[error("the stored client is not valid: {0}")]
    Invalid(#[from] ClientErrors),
}
