//! What the targets of signed texts share: a key, a clock that stands still, and a replay guard that forgets.

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use grantor::store::ReplayKey;
use grantor::{BackendError, Clock, ReplayGuard, async_trait};

pub const ISSUER: &str = "https://as.example";
pub const NOW: i64 = 1_800_000_000;

pub struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).expect("a time")
    }
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

/// The key of the client.
pub fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::EdDsa).expect("a key"))
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

/// Nothing here waits.
pub fn now_or_never<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("fixed keys and a store in memory never wait"),
    }
}
