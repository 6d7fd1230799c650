//! One statement on one connection, to its end.

use std::time::Duration;

use futures_timer::Delay;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};

use super::super::StoreError;
use super::error::{must_reconnect, try_again};

/// A statement that is a transaction of its own.
pub(super) struct Statement {
    pub(super) kind: Kind,
    pub(super) text: &'static str,
    pub(super) arguments: PgArguments,
}

/// What is wanted of its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rows,
    Count,
}

pub(super) enum Answer {
    Done(Done),
    Failed(sqlx::Error),
    /// There was none; it may still happen.
    TooLate,
}

#[derive(Default)]
pub(super) struct Done {
    pub(super) rows: Vec<PgRow>,
    pub(super) changed: u64,
}

impl Statement {
    /// Runs in a task of its own: whoever drops the future leaves no connection in the middle of an answer, and no place
    /// in the pool that is never given back.
    pub(super) async fn run(
        self,
        mut connection: PoolConnection<Postgres>,
        timeout: Duration,
    ) -> Result<Answer, StoreError> {
        let task = tokio::spawn(async move {
            let answer = tokio::time::timeout(timeout, self.tries(&mut connection)).await;
            let answer = match answer {
                Ok(Ok(done)) => Answer::Done(done),
                Ok(Err(error)) => Answer::Failed(error),
                Err(_) => Answer::TooLate,
            };
            match &answer {
                Answer::Done(_) => {}
                Answer::Failed(error) if !must_reconnect(error) => {}
                Answer::Failed(_) | Answer::TooLate => connection.close_on_drop(),
            }
            answer
        });
        // A task that was not run to its end may have written.
        task.await.map_err(StoreError::unknown_outcome)
    }

    /// A serialization failure or a deadlock says that nothing happened, so the same statement is tried again.
    async fn tries(&self, connection: &mut PgConnection) -> Result<Done, sqlx::Error> {
        const TRIES: u32 = 10;
        for failures in 0..TRIES {
            match self.once(connection).await {
                Err(error) if try_again(&error) => Delay::new(Duration::from_millis(1 << failures)).await,
                answer => return answer,
            }
        }
        self.once(connection).await
    }

    /// Waits for the end of the transaction: the count of rows comes before the commit.
    async fn once(&self, connection: &mut PgConnection) -> Result<Done, sqlx::Error> {
        let query = sqlx::query_with(self.text, self.arguments.clone());
        match self.kind {
            Kind::Rows => Ok(Done { rows: query.fetch_all(connection).await?, changed: 0 }),
            Kind::Count => {
                Ok(Done { changed: query.execute(connection).await?.rows_affected(), rows: Vec::new() })
            }
        }
    }
}
