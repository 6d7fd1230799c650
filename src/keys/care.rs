//! Manual key operations: an early rotation, the replacement of a leaked key, the import of a key. Pure, like
//! the rest of the ring.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ring::{End, Entry, KeyRing, KeyStage, Replaced};
use super::schedule::{KeySchedule, later};
use crate::error::Fault;
use crate::jose::{Algorithm, Jwk, Signer as _, SigningKey};

/// Why keys were not changed or exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyChangeError {
    /// The host provides its keys, and rotates them itself.
    #[error("these keys do not rotate by themselves: change them at their source")]
    NotRotating,
    /// No key has this `kid`. Nothing was changed.
    #[error("there is no key with this kid")]
    Unknown,
    /// Keys of this algorithm are not configured here.
    #[error("{0} is not one of the algorithms of these keys")]
    Unwanted(Algorithm),
    /// The key, or another one with its `kid`, was replaced before. Nothing was changed.
    #[error("this key, or another one with its kid, was replaced: a leaked key cannot be imported again")]
    Replaced,
    /// Another key is already announced.
    #[error("a successor is already announced: replace it first, or wait until it signs")]
    Announced,
    /// The store failed, and the change may not have happened. Try again.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// How many replaced keys a ring remembers.
const MAX_REPLACED: usize = 64;

impl KeyRing {
    /// Begins an early rotation: a successor of the signing key is announced now, and signs once it has been
    /// announced for [`announce`](KeySchedule::announce), so that verifiers know it by then. `None` if one is
    /// announced already.
    ///
    /// # Errors
    /// `fresh`, which makes a key, failed.
    pub fn rotate<E>(
        &self,
        algorithm: Algorithm,
        now: DateTime<Utc>,
        schedule: &KeySchedule,
        fresh: impl FnOnce(Algorithm) -> Result<SigningKey, E>,
    ) -> Result<Option<Self>, E> {
        if self.announced(algorithm, now) {
            return Ok(None);
        }
        Ok(Some(self.followed_by(Arc::new(fresh(algorithm)?), now, schedule)))
    }

    /// Removes a key that must no longer be trusted. If it was the signing key, the announced successor signs
    /// at once, or else a fresh key. `None` if there is no such key. The ring remembers the last 64 keys that
    /// were replaced, for [`import`](Self::import).
    ///
    /// # Errors
    /// `fresh`, which makes a key, failed.
    pub fn replace<E>(
        &self,
        kid: &str,
        now: DateTime<Utc>,
        fresh: impl FnOnce(Algorithm) -> Result<SigningKey, E>,
    ) -> Result<Option<Self>, E> {
        let Some(at) = self.entries.iter().position(|entry| entry.is_named(kid)) else { return Ok(None) };
        let mut entries = self.entries.clone();
        let gone = entries.remove(at);
        let mut replaced = self.replaced.clone();
        replaced.push(Replaced { kid: gone.kid(), thumbprint: gone.key.key().thumbprint() });
        replaced.drain(..replaced.len().saturating_sub(MAX_REPLACED));
        let algorithm = gone.key.algorithm();
        let of_algorithm = |entry: &&mut Entry| entry.key.algorithm() == algorithm;
        let signing = |entry: &&mut Entry| of_algorithm(entry) && entry.stage(now) == KeyStage::Signing;
        let announced = |entry: &&mut Entry| of_algorithm(entry) && entry.stage(now) == KeyStage::Announced;
        let has_successor = entries.iter_mut().any(|entry| announced(&entry));
        match entries.iter_mut().find(signing) {
            // Its announced successor was removed, so it continues to sign.
            Some(signing) if !has_successor => signing.end = None,
            Some(_) => {}
            // The removed key had already stopped signing.
            None if matches!(gone.stage(now), KeyStage::Published | KeyStage::Gone) => {}
            None => match entries.iter_mut().find(announced) {
                Some(successor) => successor.signs = now,
                None => {
                    let key = Arc::new(fresh(algorithm)?);
                    entries.push(Entry { key, announced: now, signs: now, end: None });
                }
            },
        }
        Ok(Some(Self { entries, replaced }))
    }

    /// Adds an imported key, under its own `kid`. The first key of its algorithm signs at once, because
    /// verifiers know it from the previous server; any other is announced as in [`rotate`](Self::rotate).
    /// `None` if the ring already has this `kid`.
    ///
    /// # Errors
    /// [`KeyChangeError::Replaced`] if the key, or another one with its `kid`, was replaced;
    /// [`KeyChangeError::Announced`] if another successor is announced.
    pub fn import(
        &self,
        key: impl Into<Arc<SigningKey>>,
        now: DateTime<Utc>,
        schedule: &KeySchedule,
    ) -> Result<Option<Self>, KeyChangeError> {
        let key: Arc<SigningKey> = key.into();
        if key.key().kid().is_some_and(|kid| self.entries.iter().any(|entry| entry.is_named(kid))) {
            return Ok(None);
        }
        if self.replaced.iter().any(|replaced| replaced.matches(key.key())) {
            return Err(KeyChangeError::Replaced);
        }
        if self.announced(key.algorithm(), now) {
            return Err(KeyChangeError::Announced);
        }
        Ok(Some(self.followed_by(key, now, schedule)))
    }

    /// Whether a key of this algorithm is announced and does not sign yet.
    fn announced(&self, algorithm: Algorithm, now: DateTime<Utc>) -> bool {
        let mut of_algorithm = self.entries.iter().filter(|entry| entry.key.algorithm() == algorithm);
        of_algorithm.any(|entry| entry.stage(now) == KeyStage::Announced)
    }

    fn followed_by(&self, key: Arc<SigningKey>, now: DateTime<Utc>, schedule: &KeySchedule) -> Self {
        let mut entries = self.entries.clone();
        let last = entries.iter_mut().find(|e| e.key.algorithm() == key.algorithm() && e.end.is_none());
        let signs = last.map_or(now, |last| {
            let signs = later(now, schedule.announce);
            last.end = Some(End::at(signs, schedule.retire));
            signs
        });
        entries.push(Entry { key, announced: now, signs, end: None });
        Self { entries, replaced: self.replaced.clone() }
    }
}

impl Entry {
    fn is_named(&self, kid: &str) -> bool {
        self.key.key().kid() == Some(kid)
    }
}

impl Replaced {
    fn matches(&self, key: &Jwk) -> bool {
        key.kid() == Some(self.kid.as_str()) || key.thumbprint() == self.thumbprint
    }
}
