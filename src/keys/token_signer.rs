//! [`JwtSigner`]: signs everything that the server signs, with these keys.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{KeyView, Keys, KeysError};
use crate::error::BackendError;
use crate::error::Fault;
use crate::jose::{Algorithm, Jws, SignError, encode_text};
use crate::signing::{ACCESS_TOKEN, Claims, TokenSigner, Unsigned};

/// Signs with keys of one or more algorithms, and verifies its own access tokens.
///
/// ```
/// use grantor::jose::Algorithm;
/// use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
/// use grantor::{AccessTokens, AuthorizationServer, MemoryRegistry, MemoryStore};
///
/// let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa])?;
/// let server = AuthorizationServer::builder("https://as.example")
///     .clients(MemoryRegistry::default())
///     .store(MemoryStore::new())
///     .token_signer(JwtSigner::new(keys)?)
///     .access_tokens(AccessTokens::Jwt)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JwtSigner {
    keys: Keys,
    algorithm: Algorithm,
}

impl JwtSigner {
    /// Signs with the first algorithm of the keys by default.
    ///
    /// # Errors
    /// The keys have no algorithm.
    pub fn new(keys: Keys) -> Result<Self, KeysError> {
        let first = keys.algorithms().first().copied();
        first.map(|algorithm| Self { keys, algorithm }).ok_or(KeysError::Empty)
    }

    /// Signs with this algorithm by default.
    ///
    /// # Errors
    /// The keys do not have this algorithm.
    pub fn with_algorithm(keys: Keys, algorithm: Algorithm) -> Result<Self, KeysError> {
        match keys.algorithms().contains(&algorithm) {
            true => Ok(Self { keys, algorithm }),
            false => Err(KeysError::Mismatch),
        }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The claims of a text that one of these keys signed as an access token.
    fn read(view: &KeyView, token: &str) -> Option<Claims> {
        let unverified = Jws::parse(token).ok().filter(|jws| jws.has_typ(ACCESS_TOKEN))?;
        let verified = unverified.verify(view.verifying_keys()).ok()?;
        verified.claims().ok()
    }
}

#[async_trait]
impl TokenSigner for JwtSigner {
    async fn sign(&self, what: &Unsigned, now: DateTime<Utc>) -> Result<String, BackendError> {
        let view = self.keys.current(now).await.map_err(unavailable)?;
        let signer = view.signer(what.algorithm.unwrap_or(self.algorithm)).ok_or_else(no_key)?;
        encode_text(what.typ, &what.claims, &**signer).await.map_err(|error| match error {
            SignError::Transient(_) => BackendError::transient(error),
            SignError::Permanent(_) | SignError::Malformed | SignError::Claims => {
                BackendError::permanent(error)
            }
        })
    }

    async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Claims>, BackendError> {
        let view = self.keys.current(now).await.map_err(unavailable)?;
        Ok(Self::read(&view, token))
    }

    async fn recognize(
        &self,
        token: &str,
        typ: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, BackendError> {
        let view = self.keys.current(now).await.map_err(unavailable)?;
        let Some(unverified) = Jws::parse(token).ok().filter(|jws| jws.has_typ(typ)) else { return Ok(None) };
        let verified = unverified.verify(view.verifying_keys()).ok();
        Ok(verified.map(|verified| verified.payload().to_owned()))
    }

    fn algorithms(&self) -> Vec<Algorithm> {
        let others = self.keys.algorithms().into_iter().filter(|other| *other != self.algorithm);
        std::iter::once(self.algorithm).chain(others).collect()
    }

    async fn jwks(&self, now: DateTime<Utc>) -> Result<Vec<u8>, BackendError> {
        let view = self.keys.current(now).await.map_err(unavailable)?;
        Ok(view.jwks_json().as_bytes().to_vec())
    }

    fn longest_lifetime(&self) -> Option<Duration> {
        self.keys.schedule().map(|schedule| schedule.retire)
    }
}

fn unavailable(fault: Fault) -> BackendError {
    match fault {
        Fault::Backend(error) => error,
        Fault::Deadline | Fault::Contended | Fault::Part { .. } | Fault::Remote(_) | Fault::KeySource(_) => {
            BackendError::transient(fault)
        }
    }
}

fn no_key() -> BackendError {
    BackendError::permanent("no key signs with this algorithm")
}
