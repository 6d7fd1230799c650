//! Pairwise subject identifiers (OpenID Connect Core section 8.1).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The minimum length of the secret for pairwise identifiers, in bytes.
pub const MIN_PAIRWISE_SECRET: usize = 32;

/// HMAC-SHA-256 under one key.
pub(crate) trait Hmac: Send + Sync {
    fn mac(&self, message: &[u8]) -> [u8; 32];
}

/// Derives the identifiers of users for the clients of a sector.
#[derive(Clone)]
pub(crate) struct PairwiseKey(pub(super) Arc<dyn Hmac>);

const DOMAIN: &[u8] = b"grantor:pairwise-sub:v1";

impl PairwiseKey {
    /// The HMAC of the sector and the user, each preceded by its length in eight bytes, as 43 characters of
    /// base64url.
    pub(crate) fn sub(&self, sector: &str, user: &str) -> Arc<str> {
        let mut message = DOMAIN.to_vec();
        for part in [sector, user] {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(self.0.mac(&message)).into()
    }
}

impl fmt::Debug for PairwiseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairwiseKey(..)")
    }
}
