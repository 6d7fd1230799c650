//! Your own store, and the contract suite that tests it: `cargo run -p grantor --example own_store`.
//!
//! The `BTreeMap` here stands for a table in your database:
//!
//! ```sql
//! CREATE TABLE grants (
//!   id      BYTES(16) PRIMARY KEY,       -- GrantId::as_bytes, compared as bytes
//!   version BIGINT, body TEXT,           -- what `commit` writes; `body` is JSON
//!   subject_kind TEXT, subject TEXT,     -- for `list`: compared exactly, case and spaces too
//!   client  TEXT, expires TIMESTAMP,     -- for `list` and `purge`
//!   user_code BYTES(32) UNIQUE,          -- for `find_by_user_code`; mostly NULL
//!   session BYTES(16)                    -- for `list`; NULL without OpenID Connect
//! );
//! ```
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use grantor::store::contract::Suite;
use grantor::store::{
    CommitError, Committed, Damaged, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{BackendError, ClientId, GrantId, SessionId, Subject, TokenStore, async_trait};

/// One row of the table.
struct Row {
    version: u64,
    body: String,
    subject: Subject,
    client: ClientId,
    expires: DateTime<Utc>,
    user_code: Option<[u8; 32]>,
    session: Option<SessionId>,
}

#[derive(Default)]
struct OwnStore(Mutex<BTreeMap<GrantId, Row>>);

impl OwnStore {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<GrantId, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenStore for OwnStore {
    /// `SELECT version, body FROM grants WHERE id = $1`
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.rows().get(&id).map(|row| Record::decode(id, row.version, &row.body)).transpose()
    }

    /// `INSERT … ON CONFLICT DO NOTHING`, or `UPDATE … WHERE id = $1 AND version = $2`: if no row was
    /// changed, it is a conflict. It is a single statement, so no other write can come between the condition
    /// and the write.
    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        let mut rows = self.rows();
        if rows.get(&write.id()).map(|row| row.version) != write.expect() {
            return Err(CommitError::Conflict);
        }
        let (index, version, body) = (write.next().index(), write.next().version(), write.body());
        let (subject, client) = (index.subject.clone(), index.client.clone());
        let user_code = index.user_code.map(|code| *code.as_bytes());
        // In SQL, the `UNIQUE` constraint does this.
        let mut others = rows.iter().filter(|(id, _)| **id != write.id());
        if user_code.is_some() && others.any(|(_, row)| row.user_code == user_code) {
            return Err(CommitError::Conflict);
        }
        let (expires, session) = (index.expires, index.session);
        rows.insert(write.id(), Row { version, body, subject, client, expires, user_code, session });
        Ok(write.committed())
    }

    /// `UPDATE grants SET version = version + 1, body = $2, expires = $3, user_code = NULL, session = $4, …
    /// WHERE id = $1`: no condition on the version, so that no concurrent write can prevent it.
    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        if let Some(row) = self.rows().get_mut(&tombstone.id()) {
            let index = tombstone.index();
            row.version += 1;
            row.body = tombstone.body();
            (row.subject, row.client) = (index.subject.clone(), index.client.clone());
            (row.expires, row.user_code, row.session) = (index.expires, None, index.session);
        }
        Ok(tombstone.committed())
    }

    /// `SELECT id, version, body FROM grants WHERE user_code = $1`
    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        let rows = self.rows();
        let found = rows.iter().find(|(_, row)| row.user_code.as_ref() == Some(code.as_bytes()));
        found.map(|(id, row)| Record::decode(*id, row.version, &row.body)).transpose()
    }

    /// `SELECT … WHERE subject_kind = $1 AND subject = $2 AND client = $3 AND id > $4 ORDER BY id LIMIT $5 +
    /// 1`
    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let rows = self.rows();
        let wanted = rows.iter().filter(|(id, row)| {
            page.after.is_none_or(|after| after < **id)
                && filter.subject.as_ref().is_none_or(|subject| *subject == row.subject)
                && filter.client.as_ref().is_none_or(|client| *client == row.client)
                && filter.session.is_none_or(|session| row.session == Some(session))
        });
        // A body that cannot be read must not hide the others.
        let read = |(id, row): (&GrantId, &Row)| {
            let record = Record::decode(*id, row.version, &row.body);
            let damaged = |why| Damaged::new(*id, row.client.clone(), row.subject.clone(), row.expires, why);
            record.map_err(|why| damaged(why).in_session(row.session))
        };
        Ok(Listing::of_rows(wanted.take(page.limit as usize + 1).map(read), page))
    }

    /// `DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires < $1 LIMIT $2)`
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        let mut rows = self.rows();
        let expired = rows.iter().filter(|(_, row)| row.expires < before).map(|(id, _)| *id);
        let expired: Vec<GrantId> = expired.take(limit as usize).collect();
        Ok(expired.iter().filter(|id| rows.remove(*id).is_some()).count() as u64)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let suite = Suite::new(OwnStore::default()).tasks(16).rounds(50);
    let report = suite.spawn(|task| drop(tokio::spawn(task))).run().await?;
    println!("{report}");
    Ok(())
}
