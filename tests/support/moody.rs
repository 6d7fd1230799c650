//! A signer that fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use grantor::jose::Algorithm;
use grantor::keys::JwtSigner;
use grantor::signing::{Claims, TokenSigner, Unsigned};
use grantor::{BackendError, async_trait};

/// Signs, and fails while its switch is on.
pub struct Moody(JwtSigner, Arc<AtomicBool>);

impl Moody {
    /// The signer and its switch, which is off.
    pub fn new(signer: JwtSigner) -> (Self, Arc<AtomicBool>) {
        let fails = Arc::new(AtomicBool::new(false));
        (Self(signer, Arc::clone(&fails)), fails)
    }
}

#[async_trait]
impl TokenSigner for Moody {
    async fn sign(&self, what: &Unsigned, now: DateTime<Utc>) -> Result<String, BackendError> {
        match self.1.load(Ordering::SeqCst) {
            true => Err(BackendError::transient("the HSM is away")),
            false => self.0.sign(what, now).await,
        }
    }

    async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Claims>, BackendError> {
        self.0.verify(token, now).await
    }

    async fn jwks(&self, now: DateTime<Utc>) -> Result<Vec<u8>, BackendError> {
        self.0.jwks(now).await
    }

    fn algorithms(&self) -> Vec<Algorithm> {
        self.0.algorithms()
    }
}
