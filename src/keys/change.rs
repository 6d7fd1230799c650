//! Manual changes of [`Keys`]: one conditional write, which is decided again if another node was first.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::care::KeyChangeError;
use super::driver::{Cached, Keys, Rotating, Source, StoredRing, digest, in_time};
use super::ring::KeyRing;
use super::view::KeyView;
use crate::base::system::unblock;
use crate::error::{BackendError, CommitError, Fault, MAX_CONFLICT_RETRIES};
use crate::jose::{Algorithm, Signer as _, SigningKey};

/// A manual change of the ring.
#[derive(Clone)]
enum Change {
    Rotate(Algorithm),
    Replace(String),
    Import(Arc<SigningKey>),
}

impl Keys {
    /// Begins an early rotation: a successor is announced now, and signs once it has been announced for
    /// [`announce`](super::KeySchedule::announce). If one is already announced, nothing changes, so two nodes
    /// that rotate at the same time rotate once. This is too slow for a key that has leaked:
    /// [`replace`](Self::replace) that.
    ///
    /// # Errors
    /// The keys do not have this algorithm, the host provides the keys itself, or the store failed.
    pub async fn rotate_now(
        &self,
        algorithm: Algorithm,
        now: DateTime<Utc>,
    ) -> Result<Arc<KeyView>, KeyChangeError> {
        let rotating = self.rotating_with(Some(algorithm))?;
        rotating.change(Change::Rotate(algorithm), now).await
    }

    /// Ends a key that has leaked. When this returns, this node no longer signs with the key, accepts its
    /// tokens or publishes it; the announced successor signs, or a fresh key. The other nodes follow when
    /// they next read the store, within [`CACHE_SECONDS`](Self::CACHE_SECONDS); a node that cannot reach the
    /// store continues with the old keys. **Verifiers trust the key for as long as they cache the old key
    /// set**, and may not know the new key yet. Every token that the key signed is lost, and clients get new
    /// ones with their refresh tokens.
    ///
    /// # Errors
    /// [`Unknown`](KeyChangeError::Unknown) if there is no such key, for example because another call has
    /// replaced it (this node then no longer signs with it either); the host provides the keys itself; or the
    /// store failed. After a failure, try again.
    pub async fn replace(&self, kid: &str, now: DateTime<Utc>) -> Result<Arc<KeyView>, KeyChangeError> {
        self.rotating_with(None)?.change(Change::Replace(kid.to_owned()), now).await
    }

    /// Imports a private key into the ring, under its own `kid`: read it by [`SigningKey::from_pem`] or
    /// [`SigningKey::from_jwk`]. In a ring without a key of its algorithm it signs at once; so import before
    /// the first call of [`current`](Self::current), and tokens of your previous server stay valid.
    /// Otherwise it is announced, and signs as the successor of the signing key. Nothing changes if the ring
    /// has a key with this `kid`. **Import a key once, not at each start**: the ring forgets an expired key,
    /// and would accept it again. It remembers the last 64 keys that were replaced, and refuses them;
    /// emptying the cell erases that memory.
    ///
    /// # Errors
    /// [`Replaced`](KeyChangeError::Replaced) if the key, or another one with its `kid`, was replaced;
    /// another successor is announced; the keys do not have the algorithm of the key; the host provides the
    /// keys itself; or the store failed.
    pub async fn import(&self, key: SigningKey, now: DateTime<Utc>) -> Result<Arc<KeyView>, KeyChangeError> {
        let rotating = self.rotating_with(Some(key.algorithm()))?;
        rotating.change(Change::Import(Arc::new(key)), now).await
    }

    fn rotating_with(&self, algorithm: Option<Algorithm>) -> Result<&Rotating, KeyChangeError> {
        let Source::Ring(rotating) = &self.0 else { return Err(KeyChangeError::NotRotating) };
        match algorithm.filter(|algorithm| !rotating.algorithms.contains(algorithm)) {
            Some(unwanted) => Err(KeyChangeError::Unwanted(unwanted)),
            None => Ok(rotating),
        }
    }
}

impl Rotating {
    /// Load, decide, write. After a lost race or a lost response it starts again.
    async fn change(&self, change: Change, now: DateTime<Utc>) -> Result<Arc<KeyView>, KeyChangeError> {
        let fills = self.fills();
        let mut begun = false;
        for _ in 0..MAX_CONFLICT_RETRIES {
            let record = in_time(self.store.load()).await?.map_err(Fault::from)?;
            let version = record.as_ref().map(super::KeyRecord::version);
            let text = record.as_ref().map_or("", |record| record.body().reveal());
            let ring = match &record {
                None => KeyRing::new(),
                Some(_) => KeyRing::decode(text).map_err(broken)?,
            };
            let Some(next) = self.changed(&ring, &change, now).await? else {
                if record.is_none() {
                    return Err(KeyChangeError::Unknown);
                }
                // If another node has replaced the key, this node must stop signing with it, too.
                let view = self.keep(self.cache_of(ring, text, version, now)?, fills, now)?;
                // Another node did the same first, or this node's own write succeeded unconfirmed.
                return match change {
                    Change::Replace(_) if !begun => Err(KeyChangeError::Unknown),
                    Change::Rotate(_) | Change::Replace(_) | Change::Import(_) => Ok(view),
                };
            };
            begun = true;
            let body = next.encode().map_err(broken)?;
            match in_time(self.store.commit(version, body.reveal())).await? {
                Ok(version) => {
                    let cached = self.cache_of(next, body.reveal(), Some(version), now)?;
                    return Ok(self.keep(cached, fills, now)?);
                }
                Err(CommitError::Conflict) => {}
                Err(CommitError::Store(error)) if error.is_unknown_outcome() => {}
                Err(CommitError::Store(error)) => return Err(Fault::from(error).into()),
            }
        }
        Err(Fault::Contended.into())
    }

    /// The cache entry for a ring. It expires at once if a rotation is still due, such as the first key of
    /// another algorithm.
    fn cache_of(
        &self,
        ring: KeyRing,
        text: &str,
        version: Option<u64>,
        now: DateTime<Utc>,
    ) -> Result<Cached, Fault> {
        let is_due = ring.is_due(now, &self.schedule, &self.algorithms);
        let again = if is_due { now } else { now + TimeDelta::seconds(Keys::CACHE_SECONDS) };
        let stored = StoredRing { ring, body: digest(text), version };
        Cached::new(stored, &self.algorithms, now, again)
    }

    /// Generating an RSA key takes a while, so it runs off the async threads.
    async fn changed(
        &self,
        ring: &KeyRing,
        change: &Change,
        now: DateTime<Utc>,
    ) -> Result<Option<KeyRing>, KeyChangeError> {
        let (ring, change, schedule) = (ring.clone(), change.clone(), self.schedule);
        let make = SigningKey::generate;
        unblock(move || match change {
            Change::Rotate(algorithm) => ring.rotate(algorithm, now, &schedule, make).map_err(broken),
            Change::Replace(kid) => ring.replace(&kid, now, make).map_err(broken),
            Change::Import(key) => ring.import(key, now, &schedule),
        })
        .await
    }
}

pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> KeyChangeError {
    Fault::from(BackendError::permanent(error)).into()
}
