//! [`TokenStore`] on Redis.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use redis::Value;

use super::answer::{list, record, text, unexpected};
use super::index::{self, Due, Entry, Index};
use super::scripts::{CLAIM, Call, PUT, RELEASE, RETIRE, command};
use super::{RedisStore, names, time_to_live};
use crate::grant::GrantId;
use crate::store::{CommitError, Committed, Filter, Listing, Page, Record, StoreError, TokenStore};
use crate::store::{UserCodeDigest, Write};

/// The most records on a page, however many are asked for.
const LONGEST_PAGE: u32 = 1000;

/// A page is looked for in so many slices of an index; then the caller has to ask again.
const SLICES: usize = 8;

/// So many grants are purged at a time.
const PURGED_AT_ONCE: usize = 100;

#[async_trait]
impl TokenStore for RedisStore {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, StoreError> {
        let answer = self.server.read(command("GET", self.names.grant(id))).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        let (version, body) = record(&answer)?;
        Record::decode(id, version, body).map(Some)
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        self.claim_user_code(write).await?;
        let replaced = match self.server.is_single {
            true => self.put_with_indexes(write).await?,
            false => self.put_beside_indexes(write).await?,
        };
        // Where nobody purges, those who insert do a little of it.
        let before = index::overdue(write.at());
        join_all(replaced.overdue.iter().map(|due| self.look(due, before))).await;
        if write.next().index().user_code.is_none() {
            self.release_user_code(write.id(), &replaced.user_code).await;
        }
        Ok(write.committed())
    }

    async fn commit_all(&self, writes: &[Write]) -> Vec<Result<Committed, CommitError>> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for slice in writes.chunks(PURGED_AT_ONCE) {
            outcomes.extend(join_all(slice.iter().map(|write| self.commit(write))).await);
        }
        outcomes
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, StoreError> {
        let answer = self.server.read(command("GET", self.names.user_code(&names::text(code)))).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        let id = text(&answer)?.parse().map_err(StoreError::permanent)?;
        let record = self.load(id).await?;
        // A claim may outlive the grant's need of it.
        Ok(record.filter(|record| record.index().user_code.as_ref() == Some(code)))
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, StoreError> {
        let limit = page.limit.clamp(1, LONGEST_PAGE);
        let slice = limit as usize + 1;
        let index = Index::of_filter(filter);
        let mut records = Vec::new();
        let mut position = page.after;
        for _ in 0..SLICES {
            let ids = index::ids(&self.server, &self.names, index, position, slice).await?;
            let loaded = join_all(ids.iter().map(|id| self.load(*id))).await;
            for record in loaded {
                records.extend(record?.filter(|record| filter.matches(record.grant())));
            }
            position = ids.last().copied().or(position);
            if records.len() > limit as usize {
                return Ok(Listing::of(records, Page { limit, ..page }));
            }
            if ids.len() < slice {
                return Ok(Listing { records, next: None });
            }
        }
        Ok(Listing { records, next: position })
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let limit = limit as usize;
        let mut gone = 0;
        for part in index::due_parts() {
            while gone < limit {
                let slice = (limit - gone).min(PURGED_AT_ONCE);
                let due = index::due(&self.server, &self.names, part, before, slice).await?;
                let looks = join_all(due.iter().map(|due| self.look(due, before))).await;
                for removed in looks {
                    gone += usize::from(removed?);
                }
                if due.len() < slice {
                    break;
                }
            }
        }
        Ok(gone as u64)
    }
}

impl RedisStore {
    /// On a single server, all in one step.
    async fn put_with_indexes(&self, write: &Write) -> Result<Replaced, CommitError> {
        if !write.reindexes() && !write.next().grant().is_ended() {
            return self.put(write, &[], &[]).await;
        }
        let entry = Entry::of(write);
        let keys = entry.keys(&self.names);
        match write.reindexes() {
            true => self.put(write, &keys, &[&entry.look[..], &entry.enter].concat()).await,
            // A purge looks at it earlier than it would.
            false => self.put(write, &keys[..1], &entry.look).await,
        }
    }

    /// In a cluster, the indexes by calls of their own.
    async fn put_beside_indexes(&self, write: &Write) -> Result<Replaced, CommitError> {
        let entered = async || Entry::of(write).enter_apart(&self.server, &self.names).await;
        match (write.expect(), write.reindexes()) {
            // Nothing was issued under a new id, and nothing is until both are confirmed: they may go side by side.
            (None, _) => {
                let (entered, put) = join(entered(), self.put(write, &[], &[])).await;
                let replaced = put?;
                let overdue = entered.map_err(|error| StoreError::unknown_outcome(error.to_string()))?;
                Ok(Replaced { overdue, ..replaced })
            }
            // The grant is there already: once it has changed, the indexes have to know.
            (Some(_), true) => {
                entered().await.map_err(not_written)?;
                self.put(write, &[], &[]).await
            }
            // The time of the purge is a mere hint, and the record expires anyway.
            (Some(_), false) if write.next().grant().is_ended() => {
                join(index::end(&self.server, &self.names, write), self.put(write, &[], &[])).await.1
            }
            (Some(_), false) => self.put(write, &[], &[]).await,
        }
    }

    /// The conditional write. With it go the keys of the due times and of indexes, and what is entered there.
    async fn put(&self, write: &Write, more: &[String], entry: &[Vec<u8>]) -> Result<Replaced, CommitError> {
        let (record, at) = (write.next(), write.at());
        let index = record.index();
        let code = index.user_code.as_ref().map(names::text).unwrap_or_default();
        let expires = index.expires.timestamp_millis();
        let value = format!("{} {expires} {code}\n{}", record.version(), write.body());
        let expect = write.expect().map(|version| version.to_string()).unwrap_or_default();
        let life = time_to_live(index.expires, at);
        let grant = self.names.grant(write.id());
        let keys: Vec<&str> = [&grant].into_iter().chain(more).map(String::as_str).collect();
        let record = [expect.as_bytes(), value.as_bytes(), life.as_bytes()];
        let arguments: Vec<&[u8]> = record.into_iter().chain(entry.iter().map(Vec::as_slice)).collect();
        match self.server.write(Call::script(&PUT, &keys, &arguments)).await? {
            Value::Nil => Err(CommitError::Conflict),
            answer => Ok(Replaced::parse(answer)?),
        }
    }

    /// Before a grant with a user code is written, so that no two have the same.
    async fn claim_user_code(&self, write: &Write) -> Result<(), CommitError> {
        let index = write.next().index();
        let Some(code) = index.user_code.filter(|_| write.reindexes()) else { return Ok(()) };
        let (id, life) = (write.id().to_string(), time_to_live(index.expires, write.at()));
        let arguments = [id.as_bytes(), life.as_bytes()];
        let claim = Call::script(&CLAIM, &[&self.names.user_code(&names::text(&code))], &arguments);
        match self.server.settle(claim).await.map_err(not_written)? {
            Value::Int(1) => Ok(()),
            Value::Int(0) => Err(CommitError::Conflict),
            answer => Err(unexpected(&answer).into()),
        }
    }

    /// After its grant went on without it, or went. What fails here expires by itself.
    async fn release_user_code(&self, id: GrantId, code: &str) {
        if code.is_empty() {
            return;
        }
        let (key, id) = (self.names.user_code(code), id.to_string());
        let _ = self.server.settle(Call::script(&RELEASE, &[&key], &[id.as_bytes()])).await;
    }

    /// What a purge does with a grant that was due; whether it went.
    async fn look(&self, due: &Due, before: DateTime<Utc>) -> Result<bool, StoreError> {
        let is_single = self.server.is_single;
        let mut keys = vec![self.names.grant(due.id)];
        if is_single {
            keys.extend(due.all_keys(&self.names));
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let ([from, to], member) = (index::entries_of(due.id), due.member());
        let before = before.timestamp_millis().to_string();
        let retire = Call::script(&RETIRE, &keys, &[before.as_bytes(), &member, &from, &to]);
        let answer = self.server.settle(retire).await?;
        let found = text(&answer)?;
        if let Some(code) = found.strip_prefix("gone ") {
            self.release_user_code(due.id, code).await;
        } else if found != "missing" {
            let expires = found.parse().ok().and_then(DateTime::from_timestamp_millis);
            let expires = expires.ok_or_else(|| unexpected(&answer))?;
            if !is_single {
                index::look_at(&self.server, &self.names, due, expires).await?;
            }
            return Ok(false);
        }
        if !is_single {
            index::leave(&self.server, &self.names, due).await?;
        }
        Ok(found != "missing")
    }
}

/// What a conditional write found.
struct Replaced {
    /// Of the record that was there; empty if it had none.
    user_code: String,
    /// Some grants at which a purge should have looked long ago.
    overdue: Vec<Due>,
}

impl Replaced {
    fn parse(answer: Value) -> Result<Self, StoreError> {
        let mut answer = list(answer)?.into_iter();
        let user_code =
            String::from_utf8(answer.next().unwrap_or_default()).map_err(StoreError::permanent)?;
        Ok(Self { user_code, overdue: index::dues(answer)? })
    }
}

/// The error of a step before the record's own write: whatever became of the step, the record is as it was.
fn not_written(error: StoreError) -> StoreError {
    match error.is_unknown_outcome() {
        true => StoreError::transient(error.to_string()),
        false => error,
    }
}
