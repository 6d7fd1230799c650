//! [`SqliteStore`]: one file, for one machine.

mod error;
#[cfg(test)]
mod exhaustive;
mod log;
mod open;
#[cfg(test)]
mod plans;
mod queue;
mod schema;
mod transaction;
mod writer;

use async_trait::async_trait;
use futures_util::future::join_all;
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};

use super::sql::grants::END;
use super::sql::{Ending, Engine, Lane, SqlStore, Value, arguments, unreadable};
use super::{BackendError, CommitError, OpenError};
use error::read_error;
pub use open::SqliteOptions;
use transaction::Change;
use writer::Writer;

/// Everything in one SQLite file, which several processes of one machine may share. SQLite itself is built
/// in.
///
/// The file is in WAL mode with `synchronous=FULL`: what was confirmed survives a power cut. The files
/// `…-wal` and `…-shm` beside it belong to it. A thread of the store makes all writes. Writes that wait at
/// the same time share one transaction and one flush to the disk, each with its own condition and outcome, so
/// throughput grows with the number of callers. Reads never wait. Do not put the file on a network file
/// system, whose locks are unreliable. It needs a tokio runtime.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use grantor::AuthorizationServer;
/// use grantor::store::SqliteStore;
///
/// let store = SqliteStore::open("grants.db").await?;
/// let server = AuthorizationServer::builder("https://login.example").backend(store).build()?;
/// # Ok(())
/// # }
/// ```
pub type SqliteStore = SqlStore<SqliteEngine>;

impl SqliteStore {
    /// Opens the file, and creates it and its tables if they are missing. The address is a path, optionally
    /// after `sqlite:`.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub async fn open(address: &str) -> Result<Self, OpenError> {
        SqliteOptions::new(address).open().await
    }

    /// The statements that create the tables: the first one for an empty file, and each further one migrates
    /// to the next version. Each records its version in the table `grantor_schema`. Use them to migrate by
    /// hand; see [`without_migration`](SqliteOptions::without_migration).
    #[must_use]
    pub const fn schema() -> &'static [&'static str] {
        schema::MIGRATIONS
    }

    /// Waits for the writes that have begun or are queued, and closes the file. Later calls fail, including
    /// those of clones and of other spaces of this store. Without it nothing is lost: every confirmed write
    /// has been flushed.
    pub async fn close(&self) {
        self.engine.writer.close().await;
        self.engine.readers.close().await;
    }
}

/// The connections to one file.
#[derive(Debug)]
pub struct SqliteEngine {
    writer: Writer,
    readers: SqlitePool,
    place: [Box<str>; 2],
}

/// How many grants are ended in one batch, so that requests and other revocations get their turn in between.
const ENDED_AT_ONCE: usize = 64;

#[async_trait]
impl Engine for SqliteEngine {
    type Row = SqliteRow;

    const PURGE_GRANTS: &'static str = "DELETE FROM grantor_grants WHERE rowid IN \
         (SELECT rowid FROM grantor_grants WHERE space = $1 AND expires < $2 LIMIT $3)";
    const PURGE_REPLAYS: &'static str = "DELETE FROM grantor_replays WHERE (space, id) IN \
         (SELECT space, id FROM grantor_replays WHERE space = $1 AND until <= $2 LIMIT $3)";

    async fn rows(
        &self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<SqliteRow>, BackendError> {
        let mut connection = self.readers.acquire().await.map_err(BackendError::transient)?;
        let query = sqlx::query_with(statement, arguments::<Sqlite>(values).map_err(unreadable)?);
        query.fetch_all(&mut *connection).await.map_err(read_error)
    }

    async fn change(
        &self,
        lane: Lane,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, CommitError> {
        self.writer.write(lane, Change::new(statement, values)).await
    }

    fn place(&self) -> Option<&[Box<str>]> {
        Some(&self.place)
    }

    async fn end_all(&self, rows: &[Ending<'_>]) -> Vec<Result<(), CommitError>> {
        let mut outcomes = Vec::with_capacity(rows.len());
        for rows in rows.chunks(ENDED_AT_ONCE) {
            let ends =
                rows.iter().map(|row| self.writer.write(Lane::Revocation, Change::new(END, &row.values())));
            outcomes.extend(join_all(ends).await.into_iter().map(|outcome| outcome.map(drop)));
        }
        outcomes
    }
}
