//! Shared by the stores on SQLite and PostgreSQL: the tables, and one conditional statement for each change.

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

/// Grants, clients, single-use identifiers and signing keys in one database, for any number of nodes. Cheap
/// to clone: clones share one connection pool.
///
/// It is a [`TokenStore`](super::TokenStore), a [`ReplayGuard`](super::ReplayGuard), a
/// [`Registrar`](crate::Registrar) and, with feature `jwt`, a `KeyStore`. It caches nothing, so a deletion by
/// one node takes effect on all nodes at once. Every change is one conditional statement. Times are whole
/// seconds.
///
/// The database is trusted like the process: anyone who can write to it can issue tokens for any user. It
/// holds digests instead of tokens, codes and secrets; **the signing keys are stored unencrypted**, in the
/// table `grantor_keys`.
pub struct SqlStore<E> {
    pub(super) engine: Arc<E>,
    space: Arc<str>,
}

/// The differences between the databases.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// A row of a result.
    type Row: Columns;

    /// Deletes at most `$3` grants of the space `$1` that expired before `$2`.
    const PURGE_GRANTS: &'static str;
    /// Deletes at most `$3` single-use identifiers of the space `$1` that have expired at `$2`.
    const PURGE_REPLAYS: &'static str;

    /// Runs a query. It changes nothing, so a failure is either transient or permanent.
    async fn rows(
        &self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Self::Row>, BackendError>;

    /// Runs one statement that changes rows, in its own durable transaction, and returns how many rows it
    /// changed. A violated unique key is a [`CommitError::Conflict`].
    async fn change(
        &self,
        lane: Lane,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, CommitError>;

    /// The names of the database in a [`StoreIdentity`](super::StoreIdentity), the space excepted; `None` if
    /// the database does not say.
    fn place(&self) -> Option<&[Box<str>]>;

    /// Ends several grants without a condition. Returns the outcome of each, in order.
    async fn end_all(&self, rows: &[Ending<'_>]) -> Vec<Result<(), CommitError>>;
}

impl<E> SqlStore<E> {
    pub(super) fn new(engine: E) -> Self {
        Self { engine: Arc::new(engine), space: Arc::from("") }
    }

    /// The same database for another issuer. The records of one space do not exist in any other, not even
    /// under the same id. The first space of a store is the empty text. The host chooses the name; it is
    /// trusted.
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
