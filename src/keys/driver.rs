//! [`Keys`]: drives the ring with its store and its schedule.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::ring::KeyRing;
use super::schedule::KeySchedule;
use super::store::{KeyRecord, KeyStore};
use super::view::{KeyView, KeysError};
use crate::base::system::unblock;
use crate::base::{Digest, time};
use crate::error::{BackendError, CommitError, Fault, MAX_CONFLICT_RETRIES};
use crate::jose::{Algorithm, Jwk, KeyError, Signer, SigningKey};

/// The keys of a server. Cheap to clone: clones share one cache.
///
/// Ask it for the [`current`](Self::current) keys at each use; it reads its store once a minute, and rotates
/// when a rotation is due. Because `now` is a parameter, a test can run two years of rotations in
/// milliseconds.
#[derive(Clone)]
pub struct Keys(pub(super) Source);

#[derive(Clone)]
pub(super) enum Source {
    Ring(Arc<Rotating>),
    Brought(Arc<KeyView>),
}

pub(super) struct Rotating {
    pub(super) store: Arc<dyn KeyStore>,
    pub(super) schedule: KeySchedule,
    pub(super) algorithms: Vec<Algorithm>,
    cache: RwLock<Option<Arc<Cached>>>,
    /// How often the cache was filled: a ring that was read before the last time may be out of date.
    fills: AtomicU64,
    /// Only one task at a time reads the store; the others use the cache.
    refreshing: AtomicBool,
}

/// The ring as it is in the store.
#[derive(Clone)]
pub(super) struct StoredRing {
    pub(super) ring: KeyRing,
    /// The digest of the body: a cell that was emptied and filled again may have the same version.
    pub(super) body: Digest,
    /// `None` while the cell is vacant.
    pub(super) version: Option<u64>,
}

pub(super) struct Cached {
    stored: StoredRing,
    view: Arc<KeyView>,
    made: DateTime<Utc>,
    /// When the ring itself changes next.
    changes: Option<DateTime<Utc>>,
    /// When the store is read again.
    again: DateTime<Utc>,
}

impl Keys {
    /// How long a node uses the ring that it read, in seconds.
    pub const CACHE_SECONDS: i64 = 60;

    /// Keys of these algorithms that rotate automatically.
    ///
    /// # Errors
    /// No algorithm, or an inconsistent schedule.
    pub fn rotating(
        store: impl KeyStore + 'static,
        schedule: KeySchedule,
        algorithms: &[Algorithm],
    ) -> Result<Self, KeysError> {
        schedule.validate()?;
        if algorithms.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self(Source::Ring(Arc::new(Rotating {
            store: Arc::new(store),
            schedule,
            algorithms: algorithms.to_vec(),
            cache: RwLock::new(None),
            fills: AtomicU64::new(0),
            refreshing: AtomicBool::new(false),
        }))))
    }

    /// Keys that the host provides and rotates itself. The first signer of an algorithm signs; all are
    /// published, including the next and the previous ones.
    ///
    /// # Errors
    /// No signer, a key without a unique `kid`, or one with another algorithm.
    pub fn from_signers(signers: Vec<Arc<dyn Signer>>) -> Result<Self, KeysError> {
        Self::from_signers_and(signers, Vec::new())
    }

    /// Like [`from_signers`](Self::from_signers), and also publishes these keys, which do not sign here.
    ///
    /// # Errors
    /// As for [`from_signers`](Self::from_signers).
    pub fn from_signers_and(signers: Vec<Arc<dyn Signer>>, published: Vec<Jwk>) -> Result<Self, KeysError> {
        Ok(Self(Source::Brought(Arc::new(KeyView::of_signers(signers, published)?))))
    }

    /// The schedule, if the keys rotate automatically.
    #[must_use]
    pub fn schedule(&self) -> Option<&KeySchedule> {
        match &self.0 {
            Source::Ring(rotating) => Some(&rotating.schedule),
            Source::Brought(_) => None,
        }
    }

    /// The algorithms that it signs with.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        match &self.0 {
            Source::Ring(rotating) => rotating.algorithms.clone(),
            Source::Brought(view) => view.algorithms().collect(),
        }
    }

    /// The current keys. Call it once before the server listens, so that the first request does not have to
    /// wait for a key to be generated.
    ///
    /// If the store fails, the keys that were read last continue to sign, and the store is read again a
    /// little later. Dropping the future loses nothing.
    ///
    /// # Errors
    /// No key was ever read, because the store failed or other nodes kept writing.
    pub async fn current(&self, now: DateTime<Utc>) -> Result<Arc<KeyView>, Fault> {
        if let Some(view) = self.current_now(now) {
            return Ok(view);
        }
        match &self.0 {
            Source::Ring(rotating) => rotating.refreshed(now).await,
            Source::Brought(view) => Ok(Arc::clone(view)),
        }
    }

    /// The current keys, if they are available without reading the store.
    #[must_use]
    pub fn current_now(&self, now: DateTime<Utc>) -> Option<Arc<KeyView>> {
        match &self.0 {
            Source::Ring(rotating) => rotating.cached(now),
            Source::Brought(view) => Some(Arc::clone(view)),
        }
    }
}

/// How many seconds the store is not read after a failure.
const RETRY_SECONDS: i64 = 5;

impl Rotating {
    fn cached(&self, now: DateTime<Utc>) -> Option<Arc<KeyView>> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let cached = cache.as_ref()?;
        cached.is_right(now).then(|| Arc::clone(&cached.view))
    }

    async fn refreshed(&self, now: DateTime<Utc>) -> Result<Arc<KeyView>, Fault> {
        let fills = self.fills();
        let last = self.cache.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(last) = last else {
            let first = self.ask(None, now).await?;
            return self.keep(first, fills, now);
        };
        let Some(_turn) = Turn::take(&self.refreshing) else {
            return last.view_at(now, &self.algorithms);
        };
        let fresh = match self.ask(Some(&last), now).await {
            Ok(fresh) => fresh,
            Err(fault) => self.go_on_with(last.stored.clone(), now, fault)?,
        };
        self.keep(fresh, fills, now)
    }

    /// Reads the ring from the store, after writing a rotation that was due.
    async fn ask(&self, last: Option<&Cached>, now: DateTime<Utc>) -> Result<Cached, Fault> {
        let again = now + TimeDelta::seconds(Keys::CACHE_SECONDS);
        for _ in 0..MAX_CONFLICT_RETRIES {
            let record = in_time(self.store.load()).await??;
            let version = record.as_ref().map(KeyRecord::version);
            let (ring, body) = match &record {
                None => (KeyRing::new(), digest("")),
                Some(record) => self.decoded(record.body().reveal(), last)?,
            };
            let stored = StoredRing { ring, body, version };
            let Some(next) = self.step(&stored.ring, now).await.map_err(BackendError::permanent)? else {
                return Cached::new(stored, &self.algorithms, now, again);
            };
            let text = next.encode().map_err(BackendError::permanent)?;
            let fault = match in_time(self.store.commit(version, text.reveal())).await {
                Ok(Ok(version)) => {
                    let body = digest(text.reveal());
                    let stored = StoredRing { ring: next, body, version: Some(version) };
                    return Cached::new(stored, &self.algorithms, now, again);
                }
                // The store has a different ring now, perhaps from an earlier write of this node.
                Ok(Err(CommitError::Conflict)) => continue,
                Ok(Err(CommitError::Store(error))) if error.is_unknown_outcome() => continue,
                Ok(Err(CommitError::Store(error))) => error.into(),
                Err(fault) => fault,
            };
            return self.go_on_with(stored, now, fault);
        }
        Err(Fault::Contended)
    }

    /// Decodes a ring; reuses the one that was read last if nothing has changed.
    fn decoded(&self, text: &str, last: Option<&Cached>) -> Result<(KeyRing, Digest), BackendError> {
        let body = digest(text);
        match last {
            Some(last) if last.stored.body == body => Ok((last.stored.ring.clone(), body)),
            _ => Ok((KeyRing::decode(text).map_err(BackendError::permanent)?, body)),
        }
    }

    /// After a fault of the store: continues with a ring that can sign, and reads the store again a little
    /// later.
    fn go_on_with(&self, stored: StoredRing, now: DateTime<Utc>, fault: Fault) -> Result<Cached, Fault> {
        let again = now + TimeDelta::seconds(RETRY_SECONDS);
        let cached = Cached::new(stored, &self.algorithms, now, again)?;
        if cached.view.can_sign(&self.algorithms) { Ok(cached) } else { Err(fault) }
    }

    /// Making an RSA key takes a while, so it is done off the async threads.
    async fn step(&self, ring: &KeyRing, now: DateTime<Utc>) -> Result<Option<KeyRing>, KeyError> {
        if !ring.is_due(now, &self.schedule, &self.algorithms) {
            return Ok(None);
        }
        let (ring, schedule, algorithms) = (ring.clone(), self.schedule, self.algorithms.clone());
        unblock(move || ring.step(now, &schedule, &algorithms, SigningKey::generate)).await
    }

    /// Call it before reading the store, for [`keep`](Self::keep).
    pub(super) fn fills(&self) -> u64 {
        self.fills.load(Ordering::Acquire)
    }

    /// Caches what was read or written, unless the cache was filled in the meantime with the same version or
    /// a later one. Versions are compared only then: in a cell that was emptied they start again.
    pub(super) fn keep(&self, fresh: Cached, fills: u64, now: DateTime<Utc>) -> Result<Arc<KeyView>, Fault> {
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        match &*cache {
            Some(kept) if self.fills() != fills && fresh.stored.version <= kept.stored.version => {
                kept.view_at(now, &self.algorithms)
            }
            _ => {
                self.fills.fetch_add(1, Ordering::AcqRel);
                Ok(Arc::clone(&cache.insert(Arc::new(fresh)).view))
            }
        }
    }
}

pub(super) fn digest(body: &str) -> Digest {
    Digest::of("grantor:key-ring:v1", body.as_bytes())
}

/// A store that hangs counts as failed. A result that is ready at once needs no timer.
pub(super) async fn in_time<T>(call: impl Future<Output = T> + Unpin) -> Result<T, Fault> {
    time::in_time(call, DEADLINE).await.ok_or(Fault::Deadline)
}

/// How long the store may take for one call.
const DEADLINE: Duration = Duration::from_secs(2);

impl Cached {
    pub(super) fn new(
        stored: StoredRing,
        algorithms: &[Algorithm],
        now: DateTime<Utc>,
        again: DateTime<Utc>,
    ) -> Result<Self, Fault> {
        let view = KeyView::of_ring(&stored.ring, now, algorithms).map_err(BackendError::permanent)?;
        let changes = stored.ring.next_change(now);
        Ok(Self { stored, view: Arc::new(view), made: now, changes, again })
    }

    /// Whether the cache is fresh and its view is that of `now`.
    fn is_right(&self, now: DateTime<Utc>) -> bool {
        self.is_view_of(now) && now < self.again
    }

    /// Requests may arrive out of the order of their `now`, so a slightly earlier time is also accepted.
    fn is_view_of(&self, now: DateTime<Utc>) -> bool {
        let earliest = self.made - TimeDelta::seconds(Keys::CACHE_SECONDS);
        earliest <= now && self.changes.is_none_or(|change| now < change)
    }

    /// The view of the cached ring at another time.
    fn view_at(&self, now: DateTime<Utc>, algorithms: &[Algorithm]) -> Result<Arc<KeyView>, Fault> {
        if self.is_view_of(now) {
            return Ok(Arc::clone(&self.view));
        }
        let view = KeyView::of_ring(&self.stored.ring, now, algorithms).map_err(BackendError::permanent)?;
        Ok(Arc::new(view))
    }
}

/// The right to read the store; released when the task ends or is dropped.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(flag: &'a AtomicBool) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then_some(Self(flag))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Ring(rotating) => f
                .debug_struct("Keys")
                .field("schedule", &rotating.schedule)
                .field("algorithms", &rotating.algorithms)
                .finish_non_exhaustive(),
            Source::Brought(view) => f.debug_tuple("Keys").field(view).finish(),
        }
    }
}
