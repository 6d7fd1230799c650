//! [`TokenStore`] on Redis.

use std::iter;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use redis::Value;
use serde::Deserialize;

use super::answer::{list, record, text, unexpected};
use super::index::{self, Due, Entry, Index};
use super::scripts::{CLAIM, Call, END, PUT, RELEASE, RETIRE, command};
use super::{LONGEST_PAGE, RedisStore, names, time_to_live};
use crate::client::ClientId;
use crate::grant::{GrantId, SessionId, Subject};
use crate::store::{
    BackendError, CommitError, Committed, Damaged, Filter, Listing, Page, Record, StoreIdentity,
};
use crate::store::{TokenStore, Tombstone, UserCodeDigest, Write};

/// How many slices of an index are searched for one page; after that, the caller has to continue.
const SLICES: usize = 8;

/// How many grants are purged at a time.
const PURGED_AT_ONCE: usize = 100;

#[async_trait]
impl TokenStore for RedisStore {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
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
        // If no one calls `purge`, each insert purges a little.
        let before = index::overdue(write.at());
        join_all(replaced.overdue.iter().map(|due| self.look(due, before))).await;
        if write.next().index().user_code.is_none() {
            self.release_user_code(write.id(), &replaced.user_code).await;
        }
        Ok(write.committed())
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        let index = tombstone.index();
        let due = Due::of(tombstone.id(), index);
        let code = match self.server.is_single {
            true => self.put_end(tombstone, &due).await?,
            // A failure here is ignored: the due time is only a hint, and the record expires anyway.
            false => {
                let looked = index::look_at(&self.server, &self.names, &due, index.expires);
                join(looked, self.put_end(tombstone, &due)).await.1?
            }
        };
        self.release_user_code(tombstone.id(), &code).await;
        Ok(tombstone.committed())
    }

    async fn end_all(&self, tombstones: &[Tombstone]) -> Vec<Result<Committed, BackendError>> {
        let mut outcomes = Vec::with_capacity(tombstones.len());
        for slice in tombstones.chunks(PURGED_AT_ONCE) {
            outcomes.extend(join_all(slice.iter().map(|tombstone| self.end(tombstone))).await);
        }
        outcomes
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        let answer = self.server.read(command("GET", self.names.user_code(&names::text(code)))).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        let id = text(&answer)?.parse().map_err(BackendError::permanent)?;
        let record = self.load(id).await?;
        // The claim of a user code may remain although the grant no longer waits.
        Ok(record.filter(|record| record.index().user_code.as_ref() == Some(code)))
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let limit = page.limit.clamp(1, LONGEST_PAGE);
        let slice = limit as usize + 1;
        let index = Index::of_filter(filter);
        let mut rows = Vec::new();
        let mut position = page.after;
        for _ in 0..SLICES {
            let ids = index::ids(&self.server, &self.names, index, position, slice).await?;
            for row in join_all(ids.iter().map(|id| self.listed(*id, filter))).await {
                rows.extend(row?);
            }
            position = ids.last().copied().or(position);
            if rows.len() > limit as usize {
                return Ok(Listing::of_rows(rows, Page { limit, ..page }));
            }
            if ids.len() < slice {
                position = None;
                break;
            }
        }
        let whole = Listing::of_rows(rows, Page { limit, ..page });
        Ok(Listing { next: position, ..whole })
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
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

    fn identity(&self) -> Option<StoreIdentity> {
        let place = self.server.place.iter().map(|name| &**name);
        Some(StoreIdentity::named(iter::once("redis").chain(place).chain([self.names.stem()])))
    }
}

impl RedisStore {
    /// A grant that an index names, if the filter matches it. If its body cannot be read, its owner is the
    /// one of the index.
    async fn listed(
        &self,
        id: GrantId,
        filter: &Filter,
    ) -> Result<Option<Result<Record, Damaged>>, BackendError> {
        let answer = self.server.read(command("GET", self.names.grant(id))).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        let read = record(&answer).and_then(|(version, body)| Record::decode(id, version, body));
        let why = match read {
            Ok(record) => return Ok(Some(record).filter(|record| filter.matches(record.grant())).map(Ok)),
            Err(error) => error,
        };
        let (head, body) = text(&answer).ok().and_then(|text| text.split_once('\n')).unwrap_or_default();
        let owner: Option<Owner> = serde_json::from_str(body).ok();
        let filtered = Owner {
            client: filter.client.clone().unwrap_or_else(|| ClientId::new("")),
            subject: filter.subject.clone().unwrap_or_else(|| Subject::user("")),
        };
        let Owner { client, subject } = owner.unwrap_or(filtered);
        let expires = head.split(' ').nth(1).and_then(|millis| millis.parse().ok());
        let expires = expires.and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH);
        let is_wanted = filter.subject.as_ref().is_none_or(|wanted| *wanted == subject)
            && filter.client.as_ref().is_none_or(|wanted| *wanted == client);
        let session = serde_json::from_str(body).ok().and_then(InSession::id).or(filter.session);
        Ok(is_wanted.then(|| Err(Damaged::new(id, client, subject, expires, why).in_session(session))))
    }

    /// Writes the end of a grant, and returns the user code of the old record. A repeated call ends it again,
    /// which changes nothing.
    async fn put_end(&self, tombstone: &Tombstone, due: &Due) -> Result<String, BackendError> {
        let (expires, at) = (tombstone.index().expires, tombstone.at());
        let rest = format!(" {} \n{}", expires.timestamp_millis(), tombstone.body());
        let (life, now) = (time_to_live(expires, at), at.timestamp_millis().to_string());
        let mut keys = vec![self.names.grant(tombstone.id())];
        let mut arguments = vec![rest.into_bytes(), life.into_bytes(), now.into_bytes()];
        if self.server.is_single {
            keys.extend(due.all_keys(&self.names).into_iter().take(1));
            arguments.extend(due.look(expires, at));
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        match self.server.settle(Call::script(&END, &keys, &arguments)).await? {
            Value::Nil => Ok(String::new()),
            answer => Ok(text(&answer)?.to_owned()),
        }
    }

    /// On a single server: the record and its indexes in one step.
    async fn put_with_indexes(&self, write: &Write) -> Result<Replaced, CommitError> {
        if !write.reindexes() {
            return self.put(write, &[], &[]).await;
        }
        let entry = Entry::of(write);
        self.put(write, &entry.keys(&self.names), &[&entry.look[..], &entry.enter].concat()).await
    }

    /// In a cluster: the record, and the indexes by separate calls.
    async fn put_beside_indexes(&self, write: &Write) -> Result<Replaced, CommitError> {
        let entered = async || Entry::of(write).enter_apart(&self.server, &self.names).await;
        match (write.expect(), write.reindexes()) {
            // Under a new id nothing was issued yet, and nothing is until both are confirmed, so both may run
            // concurrently.
            (None, _) => {
                let (entered, put) = join(entered(), self.put(write, &[], &[])).await;
                let replaced = put?;
                let overdue = entered.map_err(|error| BackendError::unknown_outcome(error.to_string()))?;
                Ok(Replaced { overdue, ..replaced })
            }
            // The grant exists already, so the indexes have to be up to date before it changes.
            (Some(_), true) => {
                entered().await.map_err(not_written)?;
                self.put(write, &[], &[]).await
            }
            (Some(_), false) => self.put(write, &[], &[]).await,
        }
    }

    /// The conditional write. `more` are the keys of the due times and the indexes, and `entry` is what to
    /// enter there.
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

    /// Claims the user code before its grant is written, so that no two grants have the same one.
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

    /// Releases the user code after its grant has given it up or was removed. If this fails, the claim
    /// expires by itself.
    async fn release_user_code(&self, id: GrantId, code: &str) {
        if code.is_empty() {
            return;
        }
        let (key, id) = (self.names.user_code(code), id.to_string());
        let _ = self.server.settle(Call::script(&RELEASE, &[&key], &[id.as_bytes()])).await;
    }

    /// Purges a grant that is due, if it has expired; returns whether it was removed.
    async fn look(&self, due: &Due, before: DateTime<Utc>) -> Result<bool, BackendError> {
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

/// The owner in a body of which the rest cannot be read.
#[derive(Deserialize)]
struct Owner {
    client: ClientId,
    subject: Subject,
}

/// The session in such a body.
#[derive(Deserialize)]
struct InSession {
    openid: Began,
}

#[derive(Deserialize)]
struct Began {
    session: Named,
}

#[derive(Deserialize)]
struct Named {
    id: SessionId,
}

impl InSession {
    fn id(self) -> Option<SessionId> {
        Some(self.openid.session.id)
    }
}

/// The result of a conditional write.
struct Replaced {
    /// The user code of the old record; empty if it had none.
    user_code: String,
    /// Some grants that are overdue for a purge.
    overdue: Vec<Due>,
}

impl Replaced {
    fn parse(answer: Value) -> Result<Self, BackendError> {
        let mut answer = list(answer)?.into_iter();
        let user_code =
            String::from_utf8(answer.next().unwrap_or_default()).map_err(BackendError::permanent)?;
        Ok(Self { user_code, overdue: index::dues(answer) })
    }
}

/// The error of a step before the write of the record. Even if the outcome of the step is unknown, the record
/// is unchanged.
fn not_written(error: BackendError) -> BackendError {
    match error.is_unknown_outcome() {
        true => BackendError::transient(error.to_string()),
        false => error,
    }
}
