//! [`Tombstone`]: what remains of a grant that has ended.

use chrono::{DateTime, Utc};

use super::{Damaged, Index, Record};
use crate::base::Parties;
use crate::grant::{Grant, GrantId};

/// What remains of a grant that has ended: enough to recognise and refuse the tokens that it issued.
///
/// It can be computed from any version of the grant, even an old one, because it depends on nothing that a
/// later version can change. So it is written without a condition: see
/// [`TokenStore::end`](super::TokenStore::end).
#[derive(Clone, Debug)]
#[must_use]
pub struct Tombstone {
    grant: Grant,
    at: DateTime<Utc>,
}

impl Tombstone {
    /// Ends a grant, from any version of it.
    pub fn of(grant: Grant, at: DateTime<Utc>) -> Self {
        Self { grant: grant.revoke(at), at }
    }

    /// Ends a grant and its session. No later logout finds it.
    pub(crate) fn of_session(grant: Grant, at: DateTime<Utc>) -> Self {
        Self { grant: grant.revoke(at).without_session(), at }
    }

    /// The denial of a grant that waited for its user. Its device learns of the denial, and the grant has no
    /// other use.
    pub(crate) fn denial(denied: Grant, at: DateTime<Utc>) -> Self {
        Self { grant: denied, at }
    }

    /// Ends a grant whose body cannot be read. Only the columns beside the body are known.
    pub fn of_damaged(damaged: &Damaged, at: DateTime<Utc>) -> Self {
        let Damaged { id, client, subject, session, expires, .. } = damaged;
        let parties = Parties { client: client.clone(), subject: subject.clone() };
        let until = (*expires).max(at);
        Self { grant: Grant::ended(*id, parties, *session, at, until), at }
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

    /// The record that replaces one of version `before`. Its version is later, so that every write that was
    /// decided on an earlier version conflicts.
    #[must_use]
    pub fn record(&self, before: u64) -> Record {
        Record::new(self.grant.clone(), before.saturating_add(1))
    }

    /// The grant as it is after the write.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// When the end was decided.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }
}
