//! [`SealedSecrets`]: client secrets that the host can open again.

use std::fmt;
use std::sync::Arc;

use crate::base::SecretText;
use crate::error::BackendError;

/// Seals the secrets of clients, and opens them again.
///
/// A MAC is made with the secret itself (`client_secret_jwt`, and `id_token`s by HS256, OpenID Connect Core
/// sections 9 and 10.1), so its digest is not enough. Everywhere else this crate keeps only digests: give a
/// server this trait only for clients that cannot do better, and prefer `private_key_jwt` and RS256. Seal
/// with authenticated encryption, under a key that is not stored with the clients: a thief with both can
/// impersonate every such client.
pub trait SealedSecrets: Send + Sync + fmt::Debug {
    /// The sealed secret, for storage. This is also called for the generated secret of a client that
    /// registers itself for HS256.
    ///
    /// # Errors
    /// It cannot be sealed now; a registration gets 503 or 500.
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError>;

    /// Opens a sealed secret, which comes from your registry. The server compares it with the registered
    /// digests of its client: a wrong result is never used, and the request gets 500.
    ///
    /// # Errors
    /// It cannot be opened now; the request gets 503 or 500.
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

/// Why a secret could not be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedSecretError {
    /// RFC 7518 section 3.2.
    #[error("a secret for client_secret_jwt or HS256 has at least {MIN_MAC_SECRET} bytes")]
    TooShort,
    /// The host could not seal it.
    #[error(transparent)]
    Failed(#[from] BackendError),
}
