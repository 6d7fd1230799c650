//! [`SealedSecrets`]: client secrets that the host can open again.

use std::fmt;
use std::sync::Arc;

use crate::base::SecretText;
use crate::error::BackendError;

/// Seals the secrets of clients, and opens them again.
///
/// A MAC is made with the secret itself (`client_secret_jwt`, OpenID Connect Core section 9), so its digest is not enough. Everywhere
/// else this crate keeps digests alone: give a server this trait only for clients that can do nothing better, and prefer
/// `private_key_jwt`. Seal with authenticated encryption, under a key that is not where clients are kept: a thief who has both can act
/// as every such client.
pub trait SealedSecrets: Send + Sync + fmt::Debug {
    /// The secret as it is kept.
    ///
    /// # Errors
    /// It cannot be sealed now.
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError>;

    /// The secret again. The text comes from your registry. With a wrong secret its client is refused.
    ///
    /// # Errors
    /// It cannot be opened now; the request is answered with 503 or 500.
    fn open(&self, sealed: &str) -> Result<SecretText, BackendError>;
}

impl<T: SealedSecrets + ?Sized> SealedSecrets for Arc<T> {
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError> {
        (**self).seal(secret)
    }

    fn open(&self, sealed: &str) -> Result<SecretText, BackendError> {
        (**self).open(sealed)
    }
}

/// The shortest secret for a MAC, in bytes: as long as the hash of HS256 (RFC 7518 section 3.2).
pub(crate) const MIN_MAC_SECRET: usize = 32;

/// Why a secret was not sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedSecretError {
    /// RFC 7518 section 3.2.
    #[error("a secret for client_secret_jwt has at least {MIN_MAC_SECRET} bytes")]
    TooShort,
    /// The host did not seal it.
    #[error(transparent)]
    Failed(#[from] BackendError),
}
