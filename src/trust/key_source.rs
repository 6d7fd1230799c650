//! [`KeySource`]: where the public keys of an issuer come from.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::BackendError;
use crate::jose::{JwkSet, JwkSetError, VerifyingKey};

/// Provides the public keys of one issuer.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The currently trusted keys. A wrong key among them lets its owner forge tokens of this issuer.
    ///
    /// `unknown_kid` says that a token named an unknown key. Anyone can write such a token: limit how often
    /// it causes a fetch.
    ///
    /// # Errors
    /// The keys could not be fetched; the request gets 503.
    async fn keys(&self, unknown_kid: bool, now: DateTime<Utc>) -> Result<TrustedKeys, BackendError>;
}

#[async_trait]
impl<T: KeySource + ?Sized> KeySource for Arc<T> {
    async fn keys(&self, unknown_kid: bool, now: DateTime<Utc>) -> Result<TrustedKeys, BackendError> {
        (**self).keys(unknown_kid, now).await
    }
}

/// Public keys, parsed once; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys(Arc<[VerifyingKey]>);

impl TrustedKeys {
    /// The usable keys of a set.
    #[must_use]
    pub fn of(set: &JwkSet) -> Self {
        Self(set.verifying_keys().into())
    }

    /// Reads a key set (RFC 7517 section 5). A key that cannot be used is skipped; with a set without usable
    /// keys, no key is trusted.
    ///
    /// # Errors
    /// It is not a key set, or exceeds the limits.
    pub fn parse(json: &[u8]) -> Result<Self, JwkSetError> {
        let text = std::str::from_utf8(json).map_err(|_| JwkSetError::NotJson)?;
        Ok(Self::of(&JwkSet::parse(text)?))
    }

    /// Whether both are the same parsed set.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The keys.
    #[must_use]
    pub fn as_slice(&self) -> &[VerifyingKey] {
        &self.0
    }
}

/// Keys that never change.
#[derive(Clone, Debug)]
pub struct StaticKeys(TrustedKeys);

impl StaticKeys {
    pub(crate) fn of(keys: TrustedKeys) -> Self {
        Self(keys)
    }

    /// The keys of this set.
    #[must_use]
    pub fn new(set: &JwkSet) -> Self {
        Self(TrustedKeys::of(set))
    }
}

#[async_trait]
impl KeySource for StaticKeys {
    async fn keys(&self, _: bool, _: DateTime<Utc>) -> Result<TrustedKeys, BackendError> {
        Ok(self.0.clone())
    }
}
