//! [`KeyRing`]: the life of signing keys, as a pure function of time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::schedule::{KeySchedule, later};
use crate::jose::{Algorithm, Jwk, Signer as _, SigningKey};

/// The keys of all algorithms, each with its times. It reads no clock and draws no randomness.
///
/// The keys of one algorithm form a chain: each begins to sign when its predecessor stops. A key without a
/// successor continues to sign. So exactly one key signs at any time, and a server that was down for months
/// continues with the newest key that it had announced.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    /// In the order of their creation.
    pub(super) entries: Vec<Entry>,
    /// The replaced keys, the latest last; they cannot be imported again.
    pub(super) replaced: Vec<Replaced>,
}

/// What the ring remembers of a replaced key. A leaked key is refused under any `kid`, and its `kid` is
/// refused for any key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Replaced {
    pub(super) kid: String,
    pub(super) thumbprint: String,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Arc<SigningKey>,
    /// Since when it is published.
    pub(super) announced: DateTime<Utc>,
    /// From when on it signs.
    pub(super) signs: DateTime<Utc>,
    /// Set when its successor is announced.
    pub(super) end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) stops: DateTime<Utc>,
    pub(super) gone: DateTime<Utc>,
}

/// The stage of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStage {
    /// Published, and does not sign yet.
    Announced,
    /// It signs.
    Signing,
    /// It no longer signs, but its tokens can still be verified.
    Published,
    /// Its last token has expired.
    Gone,
}

/// A key and its stage, for display.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyState {
    /// The public key.
    pub key: Jwk,
    /// Its signature algorithm.
    pub algorithm: Algorithm,
    /// Its current stage.
    pub stage: KeyStage,
    /// Since when it is published.
    pub announced: DateTime<Utc>,
    /// From when on it signs.
    pub signs: DateTime<Utc>,
    /// When it stops signing, if its successor is known.
    pub stops: Option<DateTime<Utc>>,
    /// Until when it is published, if its successor is known.
    pub gone: Option<DateTime<Utc>>,
}

impl KeyRing {
    /// A ring without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The ring to write now, or `None` if there is nothing to do:
    ///
    /// - an algorithm without a key gets one that signs at once;
    /// - a key whose time to sign will be over soon gets a successor, which signs after that time, and not
    ///   before it was announced for `announce`;
    /// - a key of an algorithm that is no longer configured stops when its time to sign is over;
    /// - a key that is gone is dropped.
    ///
    /// # Errors
    /// `fresh`, which makes a key, failed.
    pub fn step<E>(
        &self,
        now: DateTime<Utc>,
        schedule: &KeySchedule,
        algorithms: &[Algorithm],
        mut fresh: impl FnMut(Algorithm) -> Result<SigningKey, E>,
    ) -> Result<Option<Self>, E> {
        if !self.is_due(now, schedule, algorithms) {
            return Ok(None);
        }
        let mut entries: Vec<Entry> = self.entries.iter().filter(|e| !e.is_gone(now)).cloned().collect();
        for entry in &mut entries {
            if entry.is_over(now, schedule) && !algorithms.contains(&entry.key.algorithm()) {
                entry.end = Some(End::at(now, schedule.retire));
            }
        }
        for algorithm in wanted(algorithms) {
            let last = entries.iter_mut().find(|e| e.key.algorithm() == algorithm && e.end.is_none());
            let signs = match last {
                Some(last) if schedule.announces(last.signs) > now => continue,
                Some(last) => {
                    let signs = later(last.signs, schedule.sign).max(later(now, schedule.announce));
                    last.end = Some(End::at(signs, schedule.retire));
                    signs
                }
                None => now,
            };
            let key = Arc::new(fresh(algorithm)?);
            entries.push(Entry { key, announced: now, signs, end: None });
        }
        Ok(Some(Self { entries, replaced: self.replaced.clone() }))
    }

    /// Whether [`step`](Self::step) has something to do.
    #[must_use]
    pub fn is_due(&self, now: DateTime<Utc>, schedule: &KeySchedule, algorithms: &[Algorithm]) -> bool {
        let obsolete = |entry: &Entry| {
            let unwanted = !algorithms.contains(&entry.key.algorithm());
            entry.is_gone(now) || (unwanted && entry.is_over(now, schedule))
        };
        let lacking = |algorithm: Algorithm| {
            let last = self.entries.iter().find(|e| e.key.algorithm() == algorithm && e.end.is_none());
            last.is_none_or(|last| schedule.announces(last.signs) <= now)
        };
        self.entries.iter().any(obsolete) || wanted(algorithms).any(lacking)
    }

    /// The key that signs now.
    #[must_use]
    pub fn signing(&self, algorithm: Algorithm, now: DateTime<Utc>) -> Option<&Arc<SigningKey>> {
        let of_algorithm = || self.entries.iter().filter(|e| e.key.algorithm() == algorithm);
        let current = of_algorithm().find(|e| e.stage(now) == KeyStage::Signing);
        // The node that made the first key may have a clock that is ahead of this one's.
        let first = || of_algorithm().find(|e| e.stage(now) == KeyStage::Announced);
        current.or_else(first).map(|entry| &entry.key)
    }

    /// The key with this `kid`, in whatever stage.
    pub(super) fn key(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.entries.iter().find(|entry| entry.kid() == kid).map(|entry| &entry.key)
    }

    /// The public keys that verifiers need now, in the order of their creation: announced, signing, and those
    /// with tokens that may still be valid.
    pub fn published(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Jwk> {
        self.entries.iter().filter(move |e| !e.is_gone(now)).map(|e| e.key.key())
    }

    /// Every key and its stage.
    pub fn states(&self, now: DateTime<Utc>) -> impl Iterator<Item = KeyState> {
        self.entries.iter().map(move |entry| KeyState {
            key: entry.key.key().clone(),
            algorithm: entry.key.algorithm(),
            stage: entry.stage(now),
            announced: entry.announced,
            signs: entry.signs,
            stops: entry.end.map(|end| end.stops),
            gone: entry.end.map(|end| end.gone),
        })
    }

    /// The next time after `now` at which a key changes its stage.
    #[must_use]
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let moments = self.entries.iter().flat_map(|e| [Some(e.signs), e.end.map(|end| end.gone)]);
        moments.flatten().filter(|moment| now < *moment).min()
    }
}

impl Entry {
    pub(super) fn stage(&self, now: DateTime<Utc>) -> KeyStage {
        match self.end {
            Some(end) if end.gone <= now => KeyStage::Gone,
            Some(end) if end.stops <= now => KeyStage::Published,
            _ if self.signs <= now => KeyStage::Signing,
            _ => KeyStage::Announced,
        }
    }

    pub(super) fn kid(&self) -> String {
        let key = self.key.key();
        key.kid().map_or_else(|| key.thumbprint(), str::to_owned)
    }

    fn is_gone(&self, now: DateTime<Utc>) -> bool {
        self.stage(now) == KeyStage::Gone
    }

    /// Whether its time to sign is over and it has no successor.
    fn is_over(&self, now: DateTime<Utc>, schedule: &KeySchedule) -> bool {
        self.end.is_none() && later(self.signs, schedule.sign) <= now
    }
}

impl End {
    pub(super) fn at(stops: DateTime<Utc>, retire: Duration) -> Self {
        Self { stops, gone: later(stops, retire) }
    }
}

/// The algorithms, each once.
fn wanted(algorithms: &[Algorithm]) -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.iter().copied().filter(|algorithm| algorithms.contains(algorithm))
}
