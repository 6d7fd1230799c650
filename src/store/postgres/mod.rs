//! [`PostgresStore`]: a database server, for any number of nodes.

mod connections;
mod error;
mod inserts;
mod open;
mod schema;
mod statement;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow, Postgres};

use super::sql::grants::INSERT;
use super::sql::{Ending, Engine, Lane, SqlStore, Value, again, arguments, ending_error, unreadable};
use super::{BackendError, CommitError, OpenError};
use connections::Connections;
use error::read_error;
use inserts::Inserts;
pub use open::PostgresOptions;
use statement::{Answer, Kind};

/// Everything in a PostgreSQL database, or in one with the same protocol.
///
/// READ COMMITTED, the default of the server, is enough, because every change is one conditional statement.
/// A statement that a distributed database refuses with a serialization failure is retried. A confirmed write
/// is as durable as the server's `synchronous_commit`: leave it `on`, and have a synchronous standby, or a
/// fail-over may lose writes.
///
/// New grants that wait together share one statement and one flush, each with its own outcome, so throughput
/// grows with the number of callers.
///
/// After an outage of the server, the next call connects again; nothing has to be restarted. PostgreSQL
/// cannot store a text with a NUL character, or index one of more than 2600 bytes: such a subject is refused.
/// It needs a tokio runtime.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use grantor::AuthorizationServer;
/// use grantor::store::PostgresStore;
///
/// let store = PostgresStore::connect("postgres://login@db.example/login").await?;
/// let server = AuthorizationServer::builder("https://login.example").backend(store).build()?;
/// # Ok(())
/// # }
/// ```
pub type PostgresStore = SqlStore<PostgresEngine>;

impl PostgresStore {
    /// Connects, and creates the tables if they are missing. The address is
    /// `postgres://user:password@host:port/database?sslmode=verify-full`; without `sslmode`, TLS is used if
    /// the server supports it, and its certificate is not checked.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        PostgresOptions::new(url).connect().await
    }

    /// Waits for the calls that have begun, and closes the connections. Later calls fail, including those of
    /// clones and of other spaces of this store. Nothing is lost without it.
    pub async fn close(&self) {
        self.engine.inserts.close().await;
        self.engine.connections.pool.close().await;
    }

    /// The statements that create the tables: the first one for an empty database, and each further one
    /// migrates to the next version. Each records its version in the table `grantor_schema`. Use them to
    /// migrate by hand; see [`without_migration`](PostgresOptions::without_migration).
    #[must_use]
    pub const fn schema() -> &'static [&'static str] {
        schema::MIGRATIONS
    }
}

/// The connections to one database.
#[derive(Debug)]
pub struct PostgresEngine {
    connections: Arc<Connections>,
    inserts: Arc<Inserts>,
    place: Option<Box<[Box<str>]>>,
}

#[async_trait]
impl Engine for PostgresEngine {
    type Row = PgRow;

    /// Skips locked rows, so that the sweeps of several nodes do not wait for each other.
    const PURGE_GRANTS: &'static str = "WITH gone AS MATERIALIZED (SELECT id FROM grantor_grants \
         WHERE space = $1 AND expires < $2 LIMIT $3 FOR UPDATE SKIP LOCKED) \
         DELETE FROM grantor_grants USING gone WHERE grantor_grants.space = $1 AND grantor_grants.id = gone.id";
    const PURGE_REPLAYS: &'static str = "WITH gone AS MATERIALIZED (SELECT id FROM grantor_replays \
         WHERE space = $1 AND until <= $2 LIMIT $3 FOR UPDATE SKIP LOCKED) \
         DELETE FROM grantor_replays USING gone WHERE grantor_replays.space = $1 AND grantor_replays.id = gone.id";

    async fn rows(&self, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<PgRow>, BackendError> {
        let arguments = arguments::<Postgres>(values).map_err(unreadable)?;
        match self.connections.run(Kind::Rows, statement, arguments).await? {
            Answer::Done(done) => Ok(done.rows),
            Answer::Failed(error) => Err(read_error(error)),
            Answer::TooLate => Err(BackendError::transient("PostgreSQL did not answer in time")),
        }
    }

    async fn change(
        &self,
        _: Lane,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, CommitError> {
        if statement == INSERT {
            return self.inserts.insert(values).await;
        }
        let arguments = arguments::<Postgres>(values).map_err(unreadable)?;
        Ok(self.connections.write(Kind::Count, statement, arguments).await?.changed)
    }

    fn place(&self) -> Option<&[Box<str>]> {
        self.place.as_deref()
    }

    /// Uses a single statement, so all grants have the same outcome.
    async fn end_all(&self, rows: &[Ending<'_>]) -> Vec<Result<(), CommitError>> {
        let outcome = self.end_together(rows).await;
        let each = |_: &Ending<'_>| match &outcome {
            Ok(()) => Ok(()),
            Err(error) => Err(again(error).into()),
        };
        rows.iter().map(each).collect()
    }
}

/// Locks in the order of the ids, so that two of these statements seldom deadlock; if they do, one is
/// retried.
const END_ALL: &str = "UPDATE grantor_grants SET version = grantor_grants.version + 1, body = next.body, expires = next.expires, \
     subject = next.subject, user_code = NULL \
     FROM (SELECT * FROM unnest($2::bytea[], $3::text[], $4::bigint[], $5::text[]) \
           AS given (id, body, expires, subject) ORDER BY id) AS next \
     WHERE grantor_grants.space = $1 AND grantor_grants.id = next.id";

fn endings(rows: &[Ending<'_>]) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(rows.first().map_or("", |row| row.space))?;
    arguments.add(rows.iter().map(|row| row.id.to_vec()).collect::<Vec<_>>())?;
    arguments.add(rows.iter().map(|row| row.body.as_str()).collect::<Vec<_>>())?;
    arguments.add(rows.iter().map(|row| row.expires).collect::<Vec<_>>())?;
    arguments.add(rows.iter().map(|row| row.subject.as_str()).collect::<Vec<_>>())?;
    Ok(arguments)
}

impl PostgresEngine {
    fn over(connections: Connections, place: Option<Box<[Box<str>]>>) -> Self {
        let connections = Arc::new(connections);
        Self { inserts: Inserts::over(Arc::clone(&connections)), connections, place }
    }

    async fn end_together(&self, rows: &[Ending<'_>]) -> Result<(), BackendError> {
        let arguments = endings(rows).map_err(unreadable)?;
        self.connections.write(Kind::Count, END_ALL, arguments).await.map(drop).map_err(ending_error)
    }
}
