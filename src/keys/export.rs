//! Takes a private key out of [`Keys`].

use std::sync::Arc;

use super::care::KeyChangeError;
use super::change::broken;
use super::driver::{Keys, Source, in_time};
use super::ring::KeyRing;
use crate::error::Fault;
use crate::jose::SigningKey;

impl Keys {
    /// A private key of the ring, for a backup of its own or another program:
    /// [`to_pkcs8`](SigningKey::to_pkcs8) makes its bytes, and [`SigningKey::from_pkcs8`] and
    /// [`with_kid`](SigningKey::with_kid) make the key again. It is read from the store, and nothing changes
    /// here.
    ///
    /// Whoever has the key can make tokens for any user, and no audit shows where it went.
    ///
    /// # Errors
    /// [`Unknown`](KeyChangeError::Unknown) if there is no such key; the host provides the keys itself; or
    /// the store failed.
    pub async fn export(&self, kid: &str) -> Result<Arc<SigningKey>, KeyChangeError> {
        let Source::Ring(rotating) = &self.0 else { return Err(KeyChangeError::NotRotating) };
        let record = in_time(rotating.store.load()).await?.map_err(Fault::from)?;
        let record = record.ok_or(KeyChangeError::Unknown)?;
        let ring = KeyRing::decode(record.body().reveal()).map_err(broken)?;
        ring.key(kid).map(Arc::clone).ok_or(KeyChangeError::Unknown)
    }
}
