//! [`ClientMacs`]: tokens with a MAC by the client's own secret (OpenID Connect Core section 10.1).

use std::fmt;

use crate::base::SecretText;
use crate::error::BackendError;
use crate::signing::Unsigned;

/// Makes and reads tokens with a MAC. Its only implementation needs the feature `openid`.
pub(crate) trait ClientMacs: Send + Sync + fmt::Debug {
    /// A JWS with a MAC; the key is the octets of the secret.
    ///
    /// # Errors
    /// The claims cannot be signed.
    fn sign(&self, what: &Unsigned, secret: &SecretText) -> Result<String, BackendError>;

    /// The client that a token of this `typ` with a MAC claims to be for (`aud`). It is unverified, and only
    /// says whose secrets to try.
    fn claimed_client(&self, token: &str, typ: &'static str) -> Option<String>;

    /// The claims, as the text of a JSON object, of a token of this `typ` whose MAC one of these secrets
    /// made; `None` for any other text.
    fn verify(&self, token: &str, typ: &'static str, secrets: &[SecretText]) -> Option<String>;
}
