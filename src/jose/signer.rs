//! [`Signer`]: whatever can sign, here or in a vault.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Algorithm, Jwk};

/// Signs tokens. A [`SigningKey`](super::SigningKey) is one; a host may put a KMS or an HSM behind it.
///
/// The message is made by this crate, but claims within it come from clients and users: sign its bytes as
/// they are, and do not read them. What a signer returns is trusted: the wrong key or the wrong bytes make
/// tokens that every resource server refuses, and anyone else who can ask the signer for a signature can be
/// any user.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The public key, as it is published, with a `kid`. Always the same one: a signer whose key changes
    /// under its `kid` makes tokens that cannot be verified.
    fn key(&self) -> &Jwk;

    /// The algorithm of every signature.
    fn algorithm(&self) -> Algorithm;

    /// The signature as RFC 7518 writes it: for ES256 the two numbers, 32 bytes each, and no DER.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// The same as [`sign`](Self::sign) at once, where no waiting is needed. `None`, which is the default,
    /// sends the caller to `sign`.
    fn sign_now(&self, message: &[u8]) -> Option<Result<Vec<u8>, SignError>> {
        let _ = message;
        None
    }
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The signer cannot be reached or is busy; a retry may work.
    #[error("the signer failed temporarily: {0}")]
    Transient(#[source] Box<dyn Error + Send + Sync>),
    /// The signer will not sign, and no retry will help.
    #[error("the signer is broken: {0}")]
    Permanent(#[source] Box<dyn Error + Send + Sync>),
    /// The signer returned what is no signature of its algorithm, say DER for ES256.
    #[error("the signer returned a malformed signature")]
    Malformed,
    /// The claims are not a JSON object.
    #[error("the claims cannot be written as a JSON object")]
    Claims,
}

impl SignError {
    /// A failure that may pass.
    pub fn transient(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Transient(source.into())
    }

    /// A failure that stays.
    pub fn permanent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Permanent(source.into())
    }
}

#[async_trait]
impl<T: Signer + ?Sized> Signer for Arc<T> {
    fn key(&self) -> &Jwk {
        (**self).key()
    }

    fn algorithm(&self) -> Algorithm {
        (**self).algorithm()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        (**self).sign(message).await
    }

    fn sign_now(&self, message: &[u8]) -> Option<Result<Vec<u8>, SignError>> {
        (**self).sign_now(message)
    }
}
