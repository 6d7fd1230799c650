//! What the stores on SQLite and PostgreSQL have in common: the tables, and one conditional statement for
//! each change.

mod batch;
pub(super) mod clients;
pub(super) mod grants;
#[cfg(feature = "jwt")]
mod keys;
mod lane;
pub(super) mod replay;
mod value;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{BackendError, CommitError};
#[cfg(feature = "postgres")]
pub(super) use batch::ending_error;
pub(super) use batch::{Ending, again};
pub(super) use lane::Lane;
pub(super) use value::Columns;
pub(super) use value::{Value, arguments, unreadable};

/// Grants, clients, one-time identifiers and signing keys in one database, for as many nodes as reach it. A
/// cheap handle: clones share one pool of connections.
///
/// It is a [`TokenStore`](super::TokenStore), a [`ReplayGuard`](super::ReplayGuard), a
/// [`Registrar`](crate::Registrar) and, with feature `jwt`, a `KeyStore`. It caches nothing: what one node
/// has deleted is gone for all of them at once. Every change is one conditional statement. Times are whole
/// seconds.
///
/// The database is trusted like the process: anyone who can write to it can issue tokens for any user. It
/// holds digests instead of tokens, codes and secrets; **the signing keys are stored unencrypted**, in the
/// table `grantor_keys`.
pub struct SqlStore<E> {
    pub(super) engine: Arc<E>,
    space: Arc<str>,
}

/// What differs between the databases.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// A row of an answer.
    type Row: Columns;

    /// Deletes at most `$3` grants of the space `$1` that expired before `$2`.
    const PURGE_GRANTS: &'static str;
    /// Deletes at most `$3` one-time identifiers of the space `$1` that count no more at `$2`.
    const PURGE_REPLAYS: &'static str;

    /// Reads. It changed nothing, so a failure is transient or permanent.
    async fn rows(
        &self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Self::Row>, BackendError>;

    /// One statement that changes rows, by itself and durably; how many. A second row under a unique key is a
    /// [`CommitError::Conflict`].
    async fn change(
        &self,
        lane: Lane,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, CommitError>;

    /// Ends several grants without a condition; the outcome of each, in their order.
    async fn end_all(&self, rows: &[Ending<'_>]) -> Vec<Result<(), CommitError>>;
}

impl<E> SqlStore<E> {
    pub(super) fn new(engine: E) -> Self {
        Self { engine: Arc::new(engine), space: Arc::from("") }
    }

    /// The same database for another issuer. What one space holds does not exist for any other, not even
    /// under the same id; the space that a store begins with is the empty text. The name is the host's to
    /// choose, and trusted.
    #[must_use]
    pub fn space(&self, name: impl Into<Arc<str>>) -> Self {
        Self { engine: Arc::clone(&self.engine), space: name.into() }
    }
}

impl<E> Clone for SqlStore<E> {
    fn clone(&self) -> Self {
        self.space(Arc::clone(&self.space))
    }
}

impl<E> fmt::Debug for SqlStore<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("space", &self.space).finish_non_exhaustive()
    }
}
