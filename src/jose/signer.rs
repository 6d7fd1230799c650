//! [`Signer`]: signs, in this process or in a vault.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Algorithm, Jwk};

/// Signs tokens. A [`SigningKey`](super::SigningKey) is one; a host may put a KMS or an HSM behind it.
///
/// This crate makes the message, but claims in it come from clients and users: sign the bytes as they are,
/// and do not interpret them. The result is trusted: with a wrong key or wrong bytes, every resource server
/// refuses the tokens. Anyone else who can use the signer can impersonate any user.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The public key to publish, with a `kid`. It must always be the same: if a key changes under its `kid`,
    /// its tokens cannot be verified.
    fn key(&self) -> &Jwk;

    /// The algorithm of every signature.
    fn algorithm(&self) -> Algorithm;

    /// The signature in the format of RFC 7518: for ES256 two numbers of 32 bytes each, not DER.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Like [`sign`](Self::sign), if no waiting is needed. `None`, the default, makes the caller use `sign`.
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
    /// The signer returned something that is not a signature of its algorithm, such as DER for ES256.
    #[error("the signer returned a malformed signature")]
    Malformed,
    /// The claims are not a JSON object.
    #[error("the claims cannot be written as a JSON object")]
    Claims,
}

impl SignError {
    /// A temporary failure.
    pub fn transient(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Transient(source.into())
    }

    /// A permanent failure.
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
