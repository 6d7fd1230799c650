//! [`MemoryStore`]: grants in memory, lost when the process ends. Sharded, bounded, and self-purging.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockWriteGuard};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{BackendError, TokenStore, Tombstone, UserCodeDigest, Write};
use super::{CommitError, Committed, Filter, Listing, Page, Record, ReplayGuard, ReplayKey, StoreIdentity};
use crate::base::secret::Fingerprint;
use crate::grant::{GrantId, SessionId};

/// The number of shards: with a million grants, each shard has about a thousand, and no lock is held for
/// long.
const SHARDS: usize = 1024;

/// Grants in memory. For a single process whose tokens may end with it, for tests, and as a model for other
/// stores.
///
/// A shard drops expired grants whenever it has doubled since the last time, so memory follows the number of
/// live grants even without [`purge`](TokenStore::purge). Only user codes and sessions have an index: a page
/// of any other listing walks through the grants until it is full.
pub struct MemoryStore {
    shards: Box<[RwLock<Shard>]>,
    /// Allocated at its first use: with many tenants, most need none.
    beside: OnceLock<Box<Beside>>,
    /// The maximum number of grants in a shard.
    limit: usize,
    /// The shard where the next purge continues.
    next_purge: AtomicUsize,
}

/// What is kept beside the grants.
struct Beside {
    /// The grant that waits under each user code. Lock it while holding a shard's lock, never the other way
    /// round.
    waiting: Mutex<HashMap<UserCodeDigest, GrantId>>,
    /// The grants that began in each session. Lock it while holding a shard's lock, never the other way
    /// round.
    sessions: Mutex<HashMap<SessionId, BTreeSet<GrantId>>>,
    replays: Box<[RwLock<Replays>]>,
}

struct Shard {
    rows: HashSet<Row, BuildHasherDefault<IdHasher>>,
    /// The number of grants at which the shard purges itself.
    purge_at: usize,
    /// No grant in it expires earlier, so a purge before then can skip the shard.
    soonest: DateTime<Utc>,
}

/// When each key expires, in microseconds. Half of a key is enough to distinguish keys, and takes less
/// memory.
type Replays = HashMap<Fingerprint, i64>;

impl Default for Shard {
    fn default() -> Self {
        Self { rows: HashSet::default(), purge_at: PURGE_FROM, soonest: DateTime::<Utc>::MAX_UTC }
    }
}

/// A record that is hashed by its id, so the id is stored only once, within the record.
struct Row(Record);

impl Borrow<GrantId> for Row {
    fn borrow(&self) -> &GrantId {
        self.0.grant().id_ref()
    }
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, to: &mut H) {
        self.0.grant().id_ref().hash(to);
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.0.grant().id_ref() == other.0.grant().id_ref()
    }
}
impl Eq for Row {}

/// A grant id is already random, so its bytes serve as the hash.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*last);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The minimum number of grants before a shard purges itself.
const PURGE_FROM: usize = 16;

impl MemoryStore {
    /// A store for at most four million grants, about 800 megabytes.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(4_000_000)
    }

    /// A store for about `limit` live grants; beyond that, a new one is refused with a transient error, which
    /// the client sees as 503.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self::sharded(SHARDS, limit)
    }

    /// A store for at most sixty thousand grants under one lock. It takes almost no memory while it is empty,
    /// for a server with many [tenants](crate::tenants).
    #[must_use]
    pub fn small() -> Self {
        Self::sharded(1, 60_000)
    }

    fn sharded(shards: usize, limit: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| RwLock::default()).collect(),
            beside: OnceLock::new(),
            limit: limit.div_ceil(shards).max(1),
            next_purge: AtomicUsize::new(0),
        }
    }

    /// The part beside the grants, allocated if there is none yet.
    fn beside(&self) -> &Beside {
        self.beside.get_or_init(|| {
            let shards = REPLAY_SHARDS.min(self.shards.len());
            Box::new(Beside {
                waiting: Mutex::default(),
                sessions: Mutex::default(),
                replays: (0..shards).map(|_| RwLock::default()).collect(),
            })
        })
    }

    /// How many grants it holds, including expired ones that were not purged yet.
    #[must_use]
    pub fn len(&self) -> usize {
        let lengths = self.shards.iter().map(|s| s.read().unwrap_or_else(PoisonError::into_inner).rows.len());
        lengths.sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, id: GrantId) -> Option<Record> {
        let shard = self.shards[self.shard_of(id)].read().unwrap_or_else(PoisonError::into_inner);
        shard.rows.get(&id).map(|row| row.0.clone())
    }

    /// The shard of an id, by its first bits, so that the shards are in the order of the ids. The last eight
    /// bytes are the hash within a shard.
    fn shard_of(&self, id: GrantId) -> usize {
        let [first, second, ..] = id.as_bytes();
        (usize::from(u16::from_be_bytes([*first, *second])) * self.shards.len()) >> 16
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<UserCodeDigest, GrantId>> {
        self.beside().waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, BTreeSet<GrantId>>> {
        self.beside().sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a grant from one user code to another; `false` if another grant has the new one.
    fn moved(&self, id: GrantId, from: Option<UserCodeDigest>, to: Option<UserCodeDigest>) -> bool {
        if from == to {
            return true;
        }
        let mut waiting = self.waiting();
        if to.is_some_and(|to| waiting.contains_key(&to)) {
            return false;
        }
        from.map(|from| waiting.remove(&from));
        waiting.extend(to.map(|to| (to, id)));
        true
    }

    /// Moves a grant from one session to another.
    fn changed_session(&self, id: GrantId, from: Option<SessionId>, to: Option<SessionId>) {
        if from == to {
            return;
        }
        let mut sessions = self.sessions();
        if let Some(from) = from {
            let is_last =
                sessions.get_mut(&from).is_some_and(|grants| grants.remove(&id) && grants.is_empty());
            if is_last {
                sessions.remove(&from);
            }
        }
        if let Some(to) = to {
            sessions.entry(to).or_default().insert(id);
        }
    }

    /// The grants of a session after an id.
    fn of_session(&self, session: SessionId, after: Option<GrantId>) -> Vec<GrantId> {
        let sessions = self.sessions();
        let grants = sessions.get(&session).into_iter().flatten();
        grants.copied().filter(|id| after.is_none_or(|after| after < *id)).collect()
    }

    /// Frees the user codes of removed records, and removes these from their sessions.
    fn freed(&self, gone: &[Row]) {
        for row in gone {
            let grant = row.0.grant();
            self.moved(grant.id(), grant.user_code(), None);
            self.changed_session(grant.id(), grant.session(), None);
        }
    }

    fn shard_mut(&self, at: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[at].write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version, the user code and the session of a record.
fn keys(row: &Row) -> (u64, Option<UserCodeDigest>, Option<SessionId>) {
    let Row(record) = row;
    (record.version(), record.grant().user_code(), record.grant().session())
}

/// Removed rows are returned to the caller, which frees them after the lock is released.
impl Shard {
    /// Removes expired rows, if the shard is full or has doubled since the last time.
    fn make_room(&mut self, now: DateTime<Utc>, limit: usize) -> Vec<Row> {
        match self.rows.len() < self.purge_at.min(limit) {
            true => Vec::new(),
            false => self.take(|expires| expires <= now, usize::MAX),
        }
    }

    fn purge(&mut self, before: DateTime<Utc>, limit: usize) -> Vec<Row> {
        let gone = self.take(|expires| expires < before, limit);
        if self.rows.len() * 4 < self.rows.capacity() {
            self.rows.shrink_to(self.rows.len() * 2);
        }
        gone
    }

    fn take(&mut self, is_over: impl Fn(DateTime<Utc>) -> bool, limit: usize) -> Vec<Row> {
        let mut gone = Vec::new();
        if is_over(self.soonest) {
            let mut soonest = DateTime::<Utc>::MAX_UTC;
            let expired = self.rows.extract_if(|row| {
                let expires = row.0.grant().expires();
                let over = is_over(expires);
                if !over {
                    soonest = soonest.min(expires);
                }
                over
            });
            gone.extend(expired.take(limit));
            // The earliest expiry is only known if all rows were visited.
            if gone.len() < limit {
                self.soonest = soonest;
            }
        }
        self.purge_at = (self.rows.len() * 2).max(PURGE_FROM);
        gone
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        Ok(self.find(id))
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        let id = write.id();
        // Declared before the lock, so that it is freed after the lock is released.
        let mut _gone = Vec::new();
        let mut shard = self.shard_mut(self.shard_of(id));
        let before = shard.rows.get(&id).map(keys);
        if before.map(|(version, ..)| version) != write.expect() {
            return Err(CommitError::Conflict);
        }
        if before.is_none() {
            _gone = shard.make_room(write.at(), self.limit);
            self.freed(&_gone);
            if shard.rows.len() >= self.limit {
                return Err(BackendError::transient("the memory store is full").into());
            }
        }
        let user_code = before.and_then(|(_, user_code, _)| user_code);
        if !self.moved(id, user_code, write.next().grant().user_code()) {
            return Err(CommitError::Conflict);
        }
        let session = before.and_then(|(.., session)| session);
        self.changed_session(id, session, write.next().grant().session());
        shard.soonest = shard.soonest.min(write.next().grant().expires());
        let before = shard.rows.replace(Row(write.next().clone()));
        drop(shard);
        drop(before);
        Ok(write.committed())
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        let id = tombstone.id();
        let mut shard = self.shard_mut(self.shard_of(id));
        let before = shard.rows.get(&id).map(keys);
        let Some((version, user_code, session)) = before else { return Ok(tombstone.committed()) };
        self.moved(id, user_code, None);
        self.changed_session(id, session, tombstone.grant().session());
        shard.soonest = shard.soonest.min(tombstone.grant().expires());
        let before = shard.rows.replace(Row(tombstone.record(version)));
        drop(shard);
        drop(before);
        Ok(tombstone.committed())
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        let id = self.waiting().get(code).copied();
        let found = id.and_then(|id| self.find(id));
        // The user may have answered in the meantime.
        Ok(found.filter(|record| record.index().user_code.as_ref() == Some(code)))
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let wanted = |record: &Record| {
            let grant = record.grant();
            page.after.is_none_or(|after| after < grant.id()) && filter.matches(grant)
        };
        if let Some(session) = filter.session {
            let ids = self.of_session(session, page.after).into_iter();
            let found = ids.filter_map(|id| self.find(id)).filter(wanted);
            return Ok(Listing::of(found.take(page.limit as usize + 1).collect(), page));
        }
        let mut records: Vec<Record> = Vec::new();
        for shard in &self.shards[page.after.map_or(0, |after| self.shard_of(after))..] {
            let sorted = records.len();
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            records.extend(shard.rows.iter().map(|row| &row.0).filter(|r| wanted(r)).cloned());
            drop(shard);
            records[sorted..].sort_unstable_by_key(|record| record.grant().id());
            if records.len() > page.limit as usize {
                break;
            }
        }
        records.truncate(page.limit as usize + 1);
        Ok(Listing::of(records, page))
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        let limit = limit as usize;
        let mut gone = 0;
        for _ in 0..self.shards.len() {
            if gone == limit {
                break;
            }
            let at = self.next_purge.load(Ordering::Relaxed) % self.shards.len();
            let mut shard = self.shard_mut(at);
            let purged = shard.purge(before, limit - gone);
            self.freed(&purged);
            drop(shard);
            gone += purged.len();
            if gone < limit {
                self.next_purge.store(at + 1, Ordering::Relaxed);
            }
        }
        Ok(gone as u64)
    }

    fn try_load(&self, id: GrantId) -> Option<Option<Record>> {
        Some(self.find(id))
    }

    fn identity(&self) -> Option<StoreIdentity> {
        Some(StoreIdentity::at(&*self.shards))
    }
}

/// Keys are digests, so their first byte spreads them.
const REPLAY_SHARDS: usize = 256;

/// How many unexpired keys a shard of the replay guard holds: four million in total.
const REPLAY_KEYS: usize = 16 * 1024;

#[async_trait]
impl ReplayGuard for MemoryStore {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        let replays = &self.beside().replays;
        let shard = &replays[usize::from(key.as_bytes()[0]) % replays.len()];
        let (key, now) = (key.fingerprint(), now.timestamp_micros());
        let mut keys = shard.write().unwrap_or_else(PoisonError::into_inner);
        if keys.get(&key).is_some_and(|until| now < *until) {
            return Ok(false);
        }
        if keys.len() == keys.capacity() || keys.len() >= REPLAY_KEYS {
            keys.retain(|_, until| now < *until);
        }
        if keys.len() >= REPLAY_KEYS {
            return Err(BackendError::transient("the replay guard is full"));
        }
        keys.insert(key, until.timestamp_micros());
        Ok(true)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("grants", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_store_at_rest_has_room_for_grants_alone() {
        let store = MemoryStore::small();
        assert!(store.is_empty() && store.beside.get().is_none());
        assert!(size_of::<MemoryStore>() <= 48, "{}", size_of::<MemoryStore>());
        assert_eq!(store.beside().replays.len(), 1);
        assert_eq!(MemoryStore::new().beside().replays.len(), REPLAY_SHARDS);
    }

    /// A shard with this many grants, of which those after the first `kept` expire early; after a purge.
    fn purged(grants: usize, kept: usize) -> Shard {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let mut shard = Shard::default();
        for number in 0..grants {
            let id = GrantId::new((number as u128).to_le_bytes());
            let until = if number < kept { 100 } else { 10 };
            let body = format!(
                r#"{{"v":1,"client":"c","subject":{{"user":"u"}},"created":0,"ends":0,
                    "stage":{{"ended":{{"at":0,"until":{until}}}}}}}"#
            );
            shard.rows.replace(Row(Record::decode(id, 0, &body).unwrap()));
            shard.soonest = shard.soonest.min(at(until));
        }
        // The first purge stops early, and says nothing of what is left.
        let gone = [1, usize::MAX].map(|limit| shard.purge(at(11), limit).len());
        assert_eq!((gone, shard.rows.len()), ([1, grants - kept - 1], kept));
        assert_eq!(shard.soonest, at(100), "until then there is nothing to purge");
        shard
    }

    #[test]
    fn a_shard_purges_itself_when_it_has_doubled() {
        for (kept, expected) in [(100, 200), (9, 18), (8, PURGE_FROM), (1, PURGE_FROM)] {
            assert_eq!(purged(200, kept).purge_at, expected, "{kept}");
        }
    }

    #[test]
    fn a_purge_that_leaves_less_than_a_quarter_gives_memory_back() {
        let capacity = |kept| purged(1_000, kept).rows.capacity();
        // A third of the places is in use, and then hardly any.
        assert!(capacity(400) > 900, "{}", capacity(400));
        assert!((20..100).contains(&capacity(10)), "{}", capacity(10));
    }
}
