//! The connections to one database.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgPool};

use super::super::BackendError;
use super::statement::{Answer, Kind, Statement};

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
}
