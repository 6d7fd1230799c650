//! Stores that keep a grant as its body, as a database does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use grantor::store::{
    CommitError, Committed, Damaged, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{BackendError, ClientId, GrantId, SessionId, Subject, TokenStore, async_trait};

/// Wraps a store, and encodes and decodes the body of each record on the way, so that tests notice what the
/// encoding loses.
pub struct Decoding<T>(pub T);

fn reread(record: Record) -> Result<Record, BackendError> {
    Record::decode(record.grant().id(), record.version(), &record.grant().encode())
}

#[async_trait]
impl<T: TokenStore> TokenStore for Decoding<T> {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.0.load(id).await?.map(reread).transpose()
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        let read = Record::decode(write.id(), write.next().version(), &write.body())?;
        assert_eq!(read.grant(), write.next().grant(), "a body loses something");
        self.0.commit(write).await
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        let read = Record::decode(tombstone.id(), 0, &tombstone.body())?;
        assert_eq!(read.grant(), tombstone.grant(), "a body loses something");
        self.0.end(tombstone).await
    }

    async fn end_all(&self, tombstones: &[Tombstone]) -> Vec<Result<Committed, BackendError>> {
        self.0.end_all(tombstones).await
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        self.0.find_by_user_code(code).await?.map(reread).transpose()
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let mut listing = self.0.list(filter, page).await?;
        listing.records = listing.records.into_iter().map(reread).collect::<Result<_, _>>()?;
        Ok(listing)
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        self.0.purge(before, limit).await
    }

    fn try_load(&self, id: GrantId) -> Option<Option<Record>> {
        let found = self.0.try_load(id)?;
        // `load` reports bodies that cannot be decoded.
        found.map(reread).transpose().ok()
    }
}

/// A table of bodies and the indexed columns. A test may damage a body.
#[derive(Clone, Default)]
pub struct Bodies(Arc<Mutex<BTreeMap<GrantId, Row>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub version: u64,
    pub body: String,
    pub client: ClientId,
    pub subject: Subject,
    pub expires: DateTime<Utc>,
    pub user_code: Option<UserCodeDigest>,
    pub session: Option<SessionId>,
}

impl Bodies {
    pub fn rows(&self) -> MutexGuard<'_, BTreeMap<GrantId, Row>> {
        self.0.lock().unwrap()
    }

    /// Makes the body of every matching row unreadable.
    pub fn damage(&self, which: impl Fn(&Row) -> bool) {
        self.rows().values_mut().filter(|row| which(row)).for_each(|row| row.body = "{\"v\":1,".to_owned());
    }
}

impl Row {
    fn of(grant: &grantor::grant::Grant, version: u64, body: String) -> Self {
        let record = Record::new(grant.clone(), version);
        let index = record.index();
        Self {
            version,
            body,
            client: index.client.clone(),
            subject: index.subject.clone(),
            expires: index.expires,
            user_code: index.user_code,
            session: index.session,
        }
    }

    fn read(&self, id: GrantId) -> Result<Record, Damaged> {
        let damaged = |why| {
            let damaged = Damaged::new(id, self.client.clone(), self.subject.clone(), self.expires, why);
            damaged.in_session(self.session)
        };
        Record::decode(id, self.version, &self.body).map_err(damaged)
    }
}

#[async_trait]
impl TokenStore for Bodies {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.rows().get(&id).map(|row| Record::decode(id, row.version, &row.body)).transpose()
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        let mut rows = self.rows();
        if rows.get(&write.id()).map(|row| row.version) != write.expect() {
            return Err(CommitError::Conflict);
        }
        rows.insert(write.id(), Row::of(write.next().grant(), write.next().version(), write.body()));
        Ok(write.committed())
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        if let Some(row) = self.rows().get_mut(&tombstone.id()) {
            *row = Row::of(tombstone.grant(), row.version + 1, tombstone.body());
        }
        Ok(tombstone.committed())
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        let rows = self.rows();
        let found = rows.iter().find(|(_, row)| row.user_code.as_ref() == Some(code));
        found.map(|(id, row)| Record::decode(*id, row.version, &row.body)).transpose()
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let rows = self.rows();
        let wanted = rows.iter().filter(|(id, row)| {
            page.after.is_none_or(|after| after < **id)
                && filter.subject.as_ref().is_none_or(|subject| *subject == row.subject)
                && filter.client.as_ref().is_none_or(|client| *client == row.client)
                && filter.session.is_none_or(|session| row.session == Some(session))
        });
        Ok(Listing::of_rows(wanted.map(|(id, row)| row.read(*id)), page))
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        let mut rows = self.rows();
        let over = rows.iter().filter(|(_, row)| row.expires < before).map(|(id, _)| *id);
        let over: Vec<GrantId> = over.take(limit as usize).collect();
        over.iter().for_each(|id| drop(rows.remove(id)));
        Ok(over.len() as u64)
    }
}
