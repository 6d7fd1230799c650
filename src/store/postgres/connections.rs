//! The connections to one database.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgPool};

use super::super::{BackendError, CommitError};
use super::error::write_error;
use super::statement::{Answer, Done, Kind, Statement};

#[derive(Debug)]
pub(super) struct Connections {
    pub(super) pool: PgPool,
    /// The time limit of a statement with all its retries, once it has a connection.
    pub(super) timeout: Duration,
    /// The statement that begins a transaction, if each statement needs its own.
    pub(super) begin: Option<Arc<str>>,
}

impl Connections {
    pub(super) async fn run(
        &self,
        kind: Kind,
        text: &'static str,
        arguments: PgArguments,
    ) -> Result<Answer, BackendError> {
        let connection = self.pool.acquire().await.map_err(BackendError::transient)?;
        let begin = self.begin.clone();
        Ok(Statement { kind, text, arguments, begin }.run(connection, self.timeout).await)
    }

    /// Runs a statement that changes rows.
    pub(super) async fn write(
        &self,
        kind: Kind,
        text: &'static str,
        arguments: PgArguments,
    ) -> Result<Done, CommitError> {
        match self.run(kind, text, arguments).await? {
            Answer::Done(done) => Ok(done),
            Answer::Failed(error) => Err(write_error(error)),
            Answer::TooLate => Err(BackendError::unknown_outcome("PostgreSQL did not answer in time").into()),
        }
    }
}
