//! [`DiscoveredKeys`]: the key set of an issuer, found by its issuer identifier alone.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::JwtVerifier;
use crate::error::Refusal;
use crate::outbound::Outbound;
use crate::resource::{Discovery, GuardBuilder};
use crate::store::BackendError;
use crate::trust::{FetchedKeys, KeySource, TrustedKeys};

/// The key set at the `jwks_uri` that an issuer publishes (RFC 8414), cached as by [`FetchedKeys`]. If the
/// issuer moves it, the new URL is used once the metadata are fetched again.
#[derive(Debug)]
pub struct DiscoveredKeys {
    discovery: Discovery,
    /// The last published URL, and the keys there.
    current: Mutex<Option<(String, Arc<FetchedKeys>)>>,
}

impl DiscoveredKeys {
    /// The keys of the issuer of this discovery.
    #[must_use]
    pub fn new(discovery: Discovery) -> Self {
        Self { discovery, current: Mutex::new(None) }
    }

    fn at(&self, url: &str) -> Arc<FetchedKeys> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((known, keys)) if known == url => Arc::clone(keys),
            Some(_) | None => {
                let keys = Arc::new(FetchedKeys::new(url, Arc::clone(self.discovery.outbound())));
                *current = Some((url.to_owned(), Arc::clone(&keys)));
                keys
            }
        }
    }
}

#[async_trait]
impl KeySource for DiscoveredKeys {
    async fn keys(&self, unknown_kid: bool, now: DateTime<Utc>) -> Result<TrustedKeys, BackendError> {
        let published = self.discovery.published(now).await.map_err(Refusal::into_backend_error)?;
        let url = published.jwks_uri.as_deref();
        let url = url.ok_or_else(|| published.unusable("no jwks_uri").into_backend_error())?;
        self.at(url).keys(unknown_kid, now).await
    }
}

impl GuardBuilder {
    /// Accepts the access tokens that this issuer signs, with its published keys: found by discovery (RFC
    /// 8414), fetched and cached. A revoked token passes until it expires.
    pub fn issuer(self, issuer: impl Into<String>, outbound: impl Outbound + 'static) -> Self {
        let discovery = Discovery::new(issuer, outbound);
        self.verifier(JwtVerifier::new(discovery.issuer().to_owned(), DiscoveredKeys::new(discovery)))
    }
}
