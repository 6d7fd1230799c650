//! A key, clocks, and a replay guard that forgets.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use grantor::jose::{Algorithm, JwkSet, Signer as _, SigningKey};
use grantor::store::ReplayKey;
use grantor::{BackendError, Clock, ReplayGuard, async_trait};

pub const ISSUER: &str = "https://as.example";
pub const NOW: i64 = 1_800_000_000;

pub struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        moment(NOW)
    }
}

/// A clock that advances this many seconds whenever it is read, so that what is stored expires.
pub struct Ticking(pub i64);

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        static SECONDS: AtomicI64 = AtomicI64::new(NOW);
        moment(SECONDS.fetch_add(self.0, Ordering::Relaxed))
    }
}

pub fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("a time")
}

/// Forgets, so that every input is judged alike.
pub struct Forgetful;

#[async_trait]
impl ReplayGuard for Forgetful {
    async fn first_use(
        &self,
        _: &ReplayKey,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        Ok(true)
    }
}

/// The key of the client, or of the server.
pub fn key() -> &'static Arc<SigningKey> {
    static KEY: OnceLock<Arc<SigningKey>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(SigningKey::generate(Algorithm::EdDsa).expect("a key")))
}

/// Its public half.
pub fn public_keys() -> JwkSet {
    JwkSet::new([key().key().clone()]).expect("a key set")
}

/// This header and this payload under a right signature.
pub fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = key().sign_now(message.as_bytes()).expect("a key of this process").expect("a signature");
    format!("{message}.{}", base64url(&signature))
}

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn sha256(text: &str) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).to_vec()
}
