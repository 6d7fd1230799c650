//! [`NaiveStore`]: the negative control. It checks the version first, and writes in a second step.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::task::yield_now;
use crate::grant::GrantId;
use crate::store::{BackendError, TokenStore, Tombstone, UserCodeDigest, Write};
use crate::store::{CommitError, Committed, Filter, Listing, Page, Record, ReplayGuard, ReplayKey};

/// A store with the most common mistake: `SELECT version`, a comparison, and then an `UPDATE` with only the
/// id in its condition. It works for a single task; of two concurrent tasks, both win.
///
/// It is the negative control of the [suite](super::Suite), and must fail every race. Never use it for
/// tokens.
#[derive(Debug, Default)]
pub struct NaiveStore {
    rows: Mutex<BTreeMap<GrantId, Record>>,
    seen: Mutex<BTreeMap<ReplayKey, DateTime<Utc>>>,
}

impl NaiveStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl NaiveStore {
    fn condition_holds(&self, write: &Write) -> bool {
        let rows = lock(&self.rows);
        let code = write.next().index().user_code;
        let holds_it =
            |(id, record): (&GrantId, &Record)| *id != write.id() && record.index().user_code == code;
        let is_taken = code.is_some() && rows.iter().any(holds_it);
        !is_taken && rows.get(&write.id()).map(Record::version) == write.expect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl TokenStore for NaiveStore {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        Ok(lock(&self.rows).get(&id).cloned())
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        if !self.condition_holds(write) {
            return Err(CommitError::Conflict);
        }
        // Stands for the round trip to a database.
        yield_now().await;
        lock(&self.rows).insert(write.id(), write.next().clone());
        Ok(write.committed())
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        let found = self.load(tombstone.id()).await?;
        yield_now().await;
        if let Some(record) = found {
            lock(&self.rows).insert(tombstone.id(), tombstone.record(record.version()));
        }
        Ok(tombstone.committed())
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        let rows = lock(&self.rows);
        Ok(rows.values().find(|record| record.index().user_code.as_ref() == Some(code)).cloned())
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let rows = lock(&self.rows);
        let behind = |id: &GrantId| page.after.is_none_or(|after| after < *id);
        let wanted = rows.iter().filter(|(id, record)| behind(id) && filter.matches(record.grant()));
        let records = wanted.map(|(_, record)| record.clone()).take(page.limit as usize + 1).collect();
        Ok(Listing::of(records, page))
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        let mut gone = 0;
        lock(&self.rows).retain(|_, record| {
            let goes = gone < u64::from(limit) && record.grant().expires() < before;
            gone += u64::from(goes);
            !goes
        });
        Ok(gone)
    }
}

#[async_trait]
impl ReplayGuard for NaiveStore {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        if lock(&self.seen).get(key).is_some_and(|until| now < *until) {
            return Ok(false);
        }
        yield_now().await;
        lock(&self.seen).insert(*key, until);
        Ok(true)
    }
}
