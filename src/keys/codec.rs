//! The ring as versioned JSON. It holds private keys: anyone who reads it can sign any token.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ring::{End, Entry, KeyRing, Replaced};
use crate::base::SecretText;
use crate::jose::{Algorithm, KeyError, Signer as _, SigningKey};

/// The version that is written.
const VERSION: u32 = 1;

/// Why stored keys cannot be read. The error contains none of their content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingDecodeError {
    /// Not the JSON of a ring.
    #[error("the stored keys are not a key ring")]
    NotJson,
    /// Written by a later version of this crate.
    #[error("the keys were written in format {0}, but this version reads format {VERSION}: upgrade grantor")]
    Version(u32),
    /// A key has an unknown algorithm.
    #[error("a stored key has an unknown algorithm")]
    Algorithm,
    /// A key cannot be read.
    #[error("a stored key cannot be read: {0}")]
    Key(#[from] KeyError),
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct Body {
    v: u32,
    keys: Vec<Row>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<Replaced>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    alg: String,
    kid: String,
    announced: DateTime<Utc>,
    signs: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stops: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<DateTime<Utc>>,
    pkcs8: String,
}

impl KeyRing {
    /// The JSON for a [`KeyStore`](super::KeyStore), private keys included: keep it like a password.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn encode(&self) -> Result<SecretText, KeyError> {
        let rows = self.entries.iter().map(|entry| {
            Ok(Row {
                alg: entry.key.algorithm().as_str().to_owned(),
                kid: entry.kid(),
                announced: entry.announced,
                signs: entry.signs,
                stops: entry.end.map(|end| end.stops),
                gone: entry.end.map(|end| end.gone),
                pkcs8: STANDARD.encode(entry.key.to_pkcs8()?.reveal()),
            })
        });
        let keys = rows.collect::<Result<_, KeyError>>()?;
        let body = Body { v: VERSION, keys, replaced: self.replaced.clone() };
        let json = serde_json::to_string(&body).map_err(|_| KeyError::Library)?;
        Ok(SecretText::new(json))
    }

    /// Reads what [`encode`](Self::encode) wrote, and parses each key once.
    ///
    /// # Errors
    /// The JSON is not a ring, or was written by a later version.
    pub fn decode(json: &str) -> Result<Self, KeyRingDecodeError> {
        let Version { v } = serde_json::from_str(json).map_err(|_| KeyRingDecodeError::NotJson)?;
        if v != VERSION {
            return Err(KeyRingDecodeError::Version(v));
        }
        let body: Body = serde_json::from_str(json).map_err(|_| KeyRingDecodeError::NotJson)?;
        let entries = body.keys.into_iter().map(|row| {
            let algorithm = Algorithm::parse(&row.alg).ok_or(KeyRingDecodeError::Algorithm)?;
            let pkcs8 = STANDARD.decode(&row.pkcs8).map_err(|_| KeyError::Malformed)?;
            let end = row.stops.zip(row.gone).map(|(stops, gone)| End { stops, gone });
            let key = Arc::new(SigningKey::from_pkcs8(algorithm, &pkcs8)?.with_kid(row.kid));
            Ok(Entry { key, announced: row.announced, signs: row.signs, end })
        });
        let entries = entries.collect::<Result<_, KeyRingDecodeError>>()?;
        Ok(Self { entries, replaced: body.replaced })
    }
}
