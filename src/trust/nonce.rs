//! Nonces of a server for proofs (RFC 9449 section 8): a keyed hash over the time. Nothing is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq as _;

use crate::base::{Digest, Secret};

/// The period of nonces, in seconds. A nonce is valid until the end of the following period.
const PERIOD: i64 = 300;

/// The domain separator of the hash.
const NONCE: &str = "grantor:dpop-nonce:v1";

/// The length of a nonce, in bytes.
const BYTES: usize = 16;

/// The nonces that are derived from one key.
pub(crate) struct Nonces {
    key: Secret,
}

impl Nonces {
    pub(crate) fn new(key: Secret) -> Self {
        Self { key }
    }

    /// The current nonce of this server.
    pub(crate) fn current(&self, server: &str, now: DateTime<Utc>) -> String {
        self.of(server, now.timestamp().div_euclid(PERIOD))
    }

    /// Whether it is a nonce of this server, of this period or an adjacent one: the clocks of two nodes may
    /// differ.
    pub(crate) fn is_fresh(&self, server: &str, nonce: &str, now: DateTime<Utc>) -> bool {
        let period = now.timestamp().div_euclid(PERIOD);
        let is_of = |period| self.of(server, period).as_bytes().ct_eq(nonce.as_bytes());
        (is_of(period) | is_of(period - 1) | is_of(period + 1)).into()
    }

    fn of(&self, server: &str, period: i64) -> String {
        let server = Digest::of(NONCE, server.as_bytes());
        let mac = self.key.mac(NONCE, &[server.expose(), &period.to_be_bytes()]);
        URL_SAFE_NO_PAD.encode(&mac.expose()[..BYTES])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap_or_default()
    }

    #[test]
    fn a_nonce_is_of_one_server_one_key_and_two_periods() {
        let nonces = Nonces::new(Secret::new([1; 32]));
        let nonce = nonces.current("https://as.example", at(3000));
        for seconds in [3000, 3299, 3300, 3599, 2999] {
            assert!(nonces.is_fresh("https://as.example", &nonce, at(seconds)), "{seconds}");
        }
        for seconds in [3600, 9000, 2699] {
            assert!(!nonces.is_fresh("https://as.example", &nonce, at(seconds)), "{seconds}");
        }
        assert!(!nonces.is_fresh("https://api.example", &nonce, at(3000)));
        let others = Nonces::new(Secret::new([2; 32]));
        assert!(!others.is_fresh("https://as.example", &nonce, at(3000)));
        assert!(!nonces.is_fresh("https://as.example", "", at(3000)));
        assert_ne!(nonce, nonces.current("https://as.example", at(3300)));
    }
}
