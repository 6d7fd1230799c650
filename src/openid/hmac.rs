//! HMAC-SHA-256 for pairwise subject identifiers.

use std::sync::Arc;

use super::pairwise::{Hmac, MIN_PAIRWISE_SECRET, PairwiseKey};
use crate::jose::HmacSha256;

impl Hmac for HmacSha256 {
    fn mac(&self, message: &[u8]) -> [u8; 32] {
        self.mac(message)
    }
}

impl PairwiseKey {
    /// `None` if the secret is too short.
    pub(crate) fn of(secret: &[u8]) -> Option<Self> {
        let is_long = secret.len() >= MIN_PAIRWISE_SECRET;
        is_long.then(|| Self(Arc::new(HmacSha256::new(secret))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python:
    /// `hmac.new(secret, b"grantor:pairwise-sub:v1" + len8(sector) + sector + len8(user) + user, "sha256")`.
    #[test]
    fn the_identifiers_of_today_are_those_of_tomorrow() {
        let key = PairwiseKey::of(b"0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(&*key.sub("app.example", "alice"), "ATukPmTyNLpjbXdmaR41hrMoaCZbLk6dSo1VS6kSiqk");
        assert_eq!(&*key.sub("other.example", "alice"), "_ThP2qOg9CjaZEKNMmy0S2PWlwSN5oCu_GjkQWqgcok");
        assert_ne!(key.sub("a", "bc"), key.sub("ab", "c"));
        assert!(PairwiseKey::of(&[7; 31]).is_none());
    }
}
