//! [`Tombstone`]: what stays of a grant that has ended.

use chrono::{DateTime, Utc};

use super::{Damaged, Index, Record};
use crate::grant::{Grant, GrantId};

/// What stays of a grant that has ended: enough to recognise what it issued and to refuse it.
///
/// It is computed from any version of the grant, however old, because the end of a grant depends on nothing
/// that a later version can change. So it is written without a condition, see
/// [`TokenStore::end`](super::TokenStore::end).
#[derive(Clone, Debug)]
#[must_use]
pub struct Tombstone {
    grant: Grant,
    at: DateTime<Utc>,
}

impl Tombstone {
    /// Ends a grant, of which any version was read.
    pub fn of(grant: Grant, at: DateTime<Utc>) -> Self {
        Self { grant: grant.revoke(at), at }
    }

    /// Ends a grant together with the session that it began in, of which no client has to be told later.
    pub(crate) fn of_session(grant: Grant, at: DateTime<Utc>) -> Self {
        Self { grant: grant.revoke(at).without_session(), at }
    }

    /// The denial of a grant that waited for its user. Its device is told so, and nothing else can come of
    /// it.
    pub(crate) fn denial(denied: Grant, at: DateTime<Utc>) -> Self {
        Self { grant: denied, at }
    }

    /// Ends a grant whose body cannot be read. What is known of it are the columns beside the body.
    pub fn of_damaged(damaged: &Damaged, at: DateTime<Utc>) -> Self {
        let Damaged { id, client, subject, expires, .. } = damaged;
        let until = (*expires).max(at);
        Self { grant: Grant::ended(*id, client.clone(), subject.clone(), at, until), at }
    }

    /// The primary key.
    #[must_use]
    pub fn id(&self) -> GrantId {
        self.grant.id()
    }

    /// The columns beside the body. None has a user code.
    #[must_use]
    pub fn index(&self) -> Index<'_> {
        Index::of(&self.grant)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> String {
        self.grant.encode()
    }

    /// The record that replaces one of version `before`. Its version is a later one, so that every write that
    /// was decided on an earlier one conflicts.
    #[must_use]
    pub fn record(&self, before: u64) -> Record {
        Record::new(self.grant.clone(), before.saturating_add(1))
    }

    /// The grant as it is after the write.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// When it was decided.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }
}
