//! The contract of a store: a versioned map, without OAuth rules.
//!
//! A store loads one grant, and writes one grant *if its version has not changed since the read*. It enforces
//! no rule of the protocol, so it cannot get one wrong. [`contract`] is the test suite for stores; run it on
//! your own.

mod committed;
pub mod contract;
mod identity;
mod listing;
mod memory;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod open;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tombstone;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

#[cfg(feature = "redis")]
pub use self::redis::{RedisOpenError, RedisOptions, RedisStore};
pub use committed::Committed;
pub(crate) use committed::WriteName;
pub use identity::StoreIdentity;
pub use listing::{Damaged, Filter, Listing, Page};
pub use memory::MemoryStore;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use open::OpenError;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use sql::SqlStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStore};
pub use tombstone::Tombstone;

pub use crate::base::{ReplayKey, UserCodeDigest};
use crate::client::ClientId;
pub use crate::error::{BackendError, CommitError};
use crate::grant::{Grant, GrantId, SessionId, Subject};

/// Keeps grants.
///
/// This crate makes everything that a store gets, except client and subject identifiers, which hosts and
/// clients choose: bind them as parameters, never paste them into a query. What a store returns is trusted: a
/// stale or forged record makes spent codes and revoked tokens valid again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `TokenStore`, so it cannot keep grants",
    note = "if it still has to be opened or connected, like `SqliteStore::open(…)`, add `.await?`"
)]
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// The latest committed record. A stale result costs a conflict, or shows a revoked token as live while
    /// it is stale.
    ///
    /// # Errors
    /// The record cannot be read: the request gets 503 or 500 ([`BackendError`]), never `invalid_grant`.
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError>;

    /// One conditional write: if [`Write::expect`] is `None`, the id must be vacant; if it is `Some(v)`, the
    /// id must still hold version `v`. The condition and the write are one atomic step. Confirming a write
    /// that did not happen, or whose condition did not hold, lets a code be redeemed twice.
    ///
    /// A user code is a second key ([`Index::user_code`]): an insert whose user code another record has
    /// conflicts, too, and changes nothing. A record has its user code from its insert on, never gets a
    /// different one, and gives it up in a write that [reindexes](Write::reindexes), or when it is purged;
    /// then the code is free. An expired record may hold its code until it is purged. Two records with the
    /// same user code let a user approve another device's request.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] if the condition did not hold; the caller loads and decides again. If the
    /// write may have happened, [`BackendError::unknown_outcome`]: what a client then lost, it may ask for
    /// again.
    async fn commit(&self, write: &Write) -> Result<Committed, CommitError>;

    /// Ends a grant, whatever its version: the record under this id becomes the
    /// [tombstone's](Tombstone::record), in one atomic step without a condition. It never conflicts and never
    /// loses to a [`commit`](Self::commit), however many there are: the version grows, so that each commit
    /// that was decided before conflicts. A grant that has ended stays ended when it is ended once more. If
    /// the id is vacant, nothing is written, and that is a success as well.
    ///
    /// A store that ends a grant by a `load` and a `commit` loses to a client that refreshes in a loop.
    /// Confirming an end that did not happen leaves a thief with a live token.
    ///
    /// # Errors
    /// The grant has not ended, or the store does not know ([`BackendError::unknown_outcome`]).
    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError>;

    /// Ends several grants, for example all of a user: the outcome of each, in order. If one fails, the
    /// others still end. A missing outcome counts as a failure.
    ///
    /// By default they end one after the other; override this if the store can do it with one round trip or
    /// one flush.
    async fn end_all(&self, tombstones: &[Tombstone]) -> Vec<Result<Committed, BackendError>> {
        let mut outcomes = Vec::with_capacity(tombstones.len());
        for tombstone in tombstones {
            outcomes.push(self.end(tombstone).await);
        }
        outcomes
    }

    /// The record whose [`Index::user_code`] this is, as [`load`](Self::load) has it. Users can guess these,
    /// so it must cost only an index lookup. A stale result costs a conflict.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError>;

    /// The grants of a subject, a client or a session in the order of their ids, a page at a time. A record
    /// that exists from the first page to the last is on one of them. A missing record survives a revoke-all.
    ///
    /// An empty page is not necessarily the last one: only [`Listing::next`] says whether another one
    /// follows. It is greater than [`Page::after`]; a listing that does not advance is an error. A record
    /// whose body cannot be read is on the page by its columns ([`Listing::damaged`]), and does not hide the
    /// others.
    ///
    /// # Errors
    /// The page cannot be read.
    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError>;

    /// Removes records that expired before `before`, at most `limit` of them, never under a long lock, and
    /// returns how many. Removing an unexpired record loses a session. It reads no body, so a damaged one
    /// cannot stop it.
    ///
    /// # Errors
    /// Some records may have been removed nevertheless; the next sweep continues.
    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError>;

    /// Like [`load`](Self::load), if the answer is available without waiting. The outer `None`, the default,
    /// makes the caller use `load`.
    fn try_load(&self, id: GrantId) -> Option<Option<Record>> {
        let _ = id;
        None
    }

    /// Which grants this store reads and writes, so that two tenants cannot share them by mistake
    /// ([`TenantMap::insert`](crate::tenants::TenantMap::insert)); a wrapper asks the store inside. It
    /// never changes, and is read when tenants come and go, not for requests.
    ///
    /// With `None`, the default, or with different identities for the same grants, nothing notices tenants
    /// that share a store: a code or token of one is then valid at the other. With one identity for different
    /// grants, a tenant is refused that is in order.
    fn identity(&self) -> Option<StoreIdentity> {
        None
    }
}

/// Remembers single-use identifiers, such as the `jti` of a client assertion or of a DPoP proof.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `ReplayGuard`, so it cannot remember single-use identifiers",
    note = "if it still has to be opened or connected, like `SqliteStore::open(…)`, add `.await?`"
)]
#[async_trait]
pub trait ReplayGuard: Send + Sync {
    /// `true` the first time that `key` is seen; a key is remembered until its `until` has passed.
    ///
    /// A wrong `true` lets an assertion be replayed; a wrong `false` only makes the client retry. The key is
    /// a digest of fixed length; the caller bounds `until`, and `now` is its clock.
    ///
    /// # Errors
    /// The identifier cannot be remembered: the request gets 503, and nothing passes unremembered.
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError>;
}

/// A grant and its version, as the store has them. Cheap to clone: clones share one grant.
#[derive(Clone, Debug)]
pub struct Record(Arc<Row>);

#[derive(Debug)]
struct Row {
    version: u64,
    grant: Grant,
}

impl Record {
    /// A record from its parts.
    #[must_use]
    pub fn new(grant: Grant, version: u64) -> Self {
        Self(Arc::new(Row { version, grant }))
    }

    /// A record from the columns of a database: the primary key, the version and the body.
    ///
    /// # Errors
    /// This version cannot read the body; the error is permanent.
    pub fn decode(id: GrantId, version: u64, body: &str) -> Result<Self, BackendError> {
        let grant = Grant::decode(id, body).map_err(BackendError::permanent)?;
        Ok(Self::new(grant, version))
    }

    /// The grant.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.0.grant
    }

    /// The version that a conditional write has to name.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// The grant alone, moved out if this is the only handle.
    #[must_use]
    pub fn into_grant(self) -> Grant {
        match Arc::try_unwrap(self.0) {
            Ok(row) => row.grant,
            Err(shared) => shared.grant.clone(),
        }
    }

    /// The columns beside the body.
    #[must_use]
    pub fn index(&self) -> Index<'_> {
        Index::of(self.grant())
    }
}

/// Plain columns beside the encoded body, so that listing, revoke-all and purging are ordinary queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Index<'a> {
    /// The client of the grant.
    pub client: &'a ClientId,
    /// The subject; while the grant waits for its user, the client.
    pub subject: &'a Subject,
    /// From when on the record can be purged.
    pub expires: DateTime<Utc>,
    /// The user code, for a grant that waits for its user. Unique among the records that have one.
    pub user_code: Option<UserCodeDigest>,
    /// The session of the host in which it began; most have none. A record that left its session, for example
    /// by [`end`](TokenStore::end), may stay in the index, because a listing checks the grant itself.
    pub session: Option<SessionId>,
}

impl<'a> Index<'a> {
    pub(crate) fn of(grant: &'a Grant) -> Self {
        Self {
            client: grant.client(),
            subject: grant.subject(),
            expires: grant.expires(),
            user_code: grant.user_code(),
            session: grant.session(),
        }
    }

    /// The subject as one text, [`Subject::key`].
    #[must_use]
    pub fn subject_key(&self) -> String {
        self.subject.key()
    }
}

/// One conditional write.
#[derive(Debug)]
#[must_use]
pub struct Write {
    next: Record,
    expect: Option<u64>,
    reindexes: bool,
    at: DateTime<Utc>,
}

impl Write {
    /// Writes a grant whose id must be vacant.
    pub fn insert(grant: Grant, at: DateTime<Utc>) -> Self {
        Self { next: Record::new(grant, 0), expect: None, reindexes: true, at }
    }

    /// Writes a grant that must still have this version, under the same client, subject, user code and
    /// session.
    pub fn replace(version: u64, grant: Grant, at: DateTime<Utc>) -> Self {
        let next = Record::new(grant, version.saturating_add(1));
        Self { next, expect: Some(version), reindexes: false, at }
    }

    /// Writes a grant that must still have this version, under another subject, user code or session.
    pub fn reindex(version: u64, grant: Grant, at: DateTime<Utc>) -> Self {
        Self { reindexes: true, ..Self::replace(version, grant, at) }
    }

    /// The primary key.
    #[must_use]
    pub fn id(&self) -> GrantId {
        self.next.grant().id()
    }

    /// The version that must be there now; `None` if the id must be vacant.
    #[must_use]
    pub fn expect(&self) -> Option<u64> {
        self.expect
    }

    /// The record as it is after the write: its version, its index columns and its grant.
    #[must_use]
    pub fn next(&self) -> &Record {
        &self.next
    }

    /// Whether client, subject, user code or session are new or may have changed; `expires` changes with any
    /// write. For a store whose indexes are separate from its records.
    #[must_use]
    pub fn reindexes(&self) -> bool {
        self.reindexes
    }

    /// The encoded body of the grant.
    #[must_use]
    pub fn body(&self) -> String {
        self.next.grant().encode()
    }

    /// Whether the body can be read back as the same grant. Everything in it was limited when it was parsed,
    /// so this is checked only if it contains details, to which the host's own code can add.
    pub(crate) fn can_be_read(&self) -> bool {
        let grant = self.next.grant();
        grant.details().is_empty()
            || Grant::decode(grant.id(), &self.body()).is_ok_and(|read| read.details() == grant.details())
    }

    /// When the write was decided; a store without its own clock uses this to find expired records.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }
}

#[async_trait]
impl<T: TokenStore + ?Sized> TokenStore for Arc<T> {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        (**self).load(id).await
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        (**self).commit(write).await
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        (**self).end(tombstone).await
    }

    async fn end_all(&self, tombstones: &[Tombstone]) -> Vec<Result<Committed, BackendError>> {
        (**self).end_all(tombstones).await
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        (**self).find_by_user_code(code).await
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        (**self).list(filter, page).await
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        (**self).purge(before, limit).await
    }

    fn try_load(&self, id: GrantId) -> Option<Option<Record>> {
        (**self).try_load(id)
    }

    fn identity(&self) -> Option<StoreIdentity> {
        (**self).identity()
    }
}

#[async_trait]
impl<T: ReplayGuard + ?Sized> ReplayGuard for Arc<T> {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        (**self).first_use(key, until, now).await
    }
}
