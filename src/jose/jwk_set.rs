//! [`JwkSet`]: the public keys of an issuer (RFC 7517 section 5).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Jwk, VerifyingKey};

/// At most 64 public keys. Two keys may have the same `kid`, because a key is chosen by `kid` *and*
/// algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

/// Why a key set cannot be used. The error contains nothing of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkSetError {
    /// The text is longer than [`JwkSet::MAX_BYTES`].
    #[error("the key set is too long")]
    TooLong,
    /// It lists more than [`JwkSet::MAX_KEYS`] keys.
    #[error("the key set has too many keys")]
    TooManyKeys,
    /// It is not an object with an array `keys`.
    #[error("not a JSON Web Key Set")]
    NotJson,
}

impl JwkSet {
    /// The maximum number of keys in a set.
    pub const MAX_KEYS: usize = 64;
    /// The maximum length of a set as JSON, in bytes.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// A set of these keys.
    ///
    /// # Errors
    /// More than [`MAX_KEYS`](Self::MAX_KEYS).
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Result<Self, JwkSetError> {
        let keys: Vec<Jwk> = keys.into_iter().take(Self::MAX_KEYS + 1).collect();
        if keys.len() > Self::MAX_KEYS { Err(JwkSetError::TooManyKeys) } else { Ok(Self { keys }) }
    }

    /// Reads a set. As RFC 7517 section 5 requires, a key that cannot be used is skipped: one with an
    /// unsupported type or curve, for encryption, malformed, weak, or published with its private part.
    ///
    /// # Errors
    /// It is not a key set, or exceeds the limits.
    pub fn parse(json: &str) -> Result<Self, JwkSetError> {
        #[derive(Deserialize)]
        struct Json {
            keys: Vec<Value>,
        }
        if json.len() > Self::MAX_BYTES {
            return Err(JwkSetError::TooLong);
        }
        let Json { keys } = serde_json::from_str(json).map_err(|_| JwkSetError::NotJson)?;
        if keys.len() > Self::MAX_KEYS {
            return Err(JwkSetError::TooManyKeys);
        }
        let usable = keys.into_iter().filter_map(|key| Jwk::deserialize(key).ok());
        Ok(Self { keys: usable.collect() })
    }

    /// The keys, in their order.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The keys, parsed and ready to verify with. A key that the cryptographic library refuses is skipped.
    #[must_use]
    pub fn verifying_keys(&self) -> Vec<VerifyingKey> {
        self.keys.iter().filter_map(|key| VerifyingKey::from_jwk(key).ok()).collect()
    }
}
