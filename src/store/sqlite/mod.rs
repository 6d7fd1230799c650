//! [`SqliteStore`]: one file, for one machine.

mod error;
mod open;
#[cfg(test)]
mod plans;
mod schema;

use async_trait::async_trait;
use sqlx::Connection as _;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};

use super::sql::grants::END;
use super::sql::{Ending, Engine, SqlStore, Value, arguments, unreadable};
use super::{BackendError, CommitError, OpenError};
use error::{read_error, write_error};
pub use open::SqliteOptions;

/// Everything in one SQLite file, which several processes of one machine may share. SQLite itself is built in.
///
/// The file is in WAL mode with `synchronous=FULL`: what was confirmed survives a power cut. Beside it stand `…-wal`
/// and `…-shm`, which belong to it. One write is made at a time, each with its own flush to the disk; reads
/// never wait. Network file systems, whose locks cannot be relied on, are no place for it. It needs a tokio runtime.
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
    /// Opens the file, and creates it and its tables if they are missing. The address is a path, as it is or after
    /// `sqlite:`.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub async fn open(address: &str) -> Result<Self, OpenError> {
        SqliteOptions::new(address).open().await
    }
}

/// The connections to one file.
#[derive(Debug)]
pub struct SqliteEngine {
    /// One connection: SQLite has one writer anyway, and here they wait in a queue that is fair.
    writer: SqlitePool,
    readers: SqlitePool,
}

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
        let mut connection = connection(&self.readers).await?;
        let query = sqlx::query_with(statement, arguments::<Sqlite>(values).map_err(unreadable)?);
        query.fetch_all(&mut *connection).await.map_err(read_error)
    }

    /// Dropped midway, it has happened or it has not: the statement runs on a thread of SQLite's own, to its end.
    async fn change(&self, statement: &'static str, values: &[Value<'_>]) -> Result<u64, CommitError> {
        let mut connection = connection(&self.writer).await?;
        let query = sqlx::query_with(statement, arguments::<Sqlite>(values).map_err(unreadable)?);
        let done = query.execute(&mut *connection).await.map_err(write_error)?;
        Ok(done.rows_affected())
    }

    /// Dropped midway, none of it has happened, or all of it.
    async fn end_all(&self, rows: &[Ending<'_>]) -> Result<(), CommitError> {
        let mut connection = connection(&self.writer).await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(read_error)?;
        for row in rows {
            let values = [
                Value::Text(row.space),
                Value::Bytes(&row.id),
                Value::Text(&row.body),
                Value::Integer(row.expires),
                Value::Text(&row.subject),
            ];
            let query = sqlx::query_with(END, arguments::<Sqlite>(&values).map_err(unreadable)?);
            query.execute(&mut *transaction).await.map_err(read_error)?;
        }
        transaction.commit().await.map_err(write_error)
    }
}

async fn connection(pool: &SqlitePool) -> Result<PoolConnection<Sqlite>, BackendError> {
    pool.acquire().await.map_err(BackendError::transient)
}
