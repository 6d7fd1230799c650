//! HMAC-SHA-256 over a token (`HS256`, RFC 7518 section 3.2): for a secret that a client and its server
//! share.
//!
//! This is a separate reader, so that a public key can never be used as a secret: [`Jws`] has no symmetric
//! algorithm, and this reader has no other.

use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::crypto::HmacSha256;
use super::jws::{Jws, JwsError, Parts, is_typ};

/// The algorithm.
pub(crate) const HS256: &str = "HS256";

/// A well-formed token whose MAC has not been checked.
pub(crate) struct MacText<'a>(Parts<'a>);

impl<'a> MacText<'a> {
    /// Reads a token as strictly as [`Jws::parse`].
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn parse(text: &'a str) -> Result<Self, JwsError> {
        let parts = Jws::parts(text)?;
        match parts.algorithm.as_deref() {
            Some(HS256) => Ok(Self(parts)),
            Some(_) | None => Err(JwsError::Algorithm),
        }
    }

    /// Whether the header has no `typ`, or one of these.
    pub(crate) fn is_of(&self, types: &[&str]) -> bool {
        self.0.typ.as_deref().is_none_or(|typ| types.iter().any(|known| is_typ(typ, known)))
    }

    /// Whether the MAC was made with this secret, in constant time.
    pub(crate) fn is_made_with(&self, secret: &[u8]) -> bool {
        HmacSha256::new(secret).mac(self.0.message.as_bytes()).ct_eq(&self.0.signature).into()
    }

    /// The claims. Do not use them before [`is_made_with`](Self::is_made_with) has returned `true`.
    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Result<T, JwsError> {
        serde_json::from_str(&self.0.payload).map_err(|_| JwsError::Claims)
    }
}
