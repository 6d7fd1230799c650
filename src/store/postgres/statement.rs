//! Runs one statement on one connection to its end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::runtime::Handle;

use super::error::{must_reconnect, try_again};
use crate::base::system::Delay;

/// A statement that is its own transaction.
pub(super) struct Statement {
    pub(super) kind: Kind,
    pub(super) text: &'static str,
    pub(super) arguments: PgArguments,
    /// The statement that begins its transaction, if a pooler could switch the connection between two
    /// messages.
    pub(super) begin: Option<Arc<str>>,
}

/// The expected result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rows,
    Count,
}

pub(super) enum Answer {
    Done(Done),
    Failed(sqlx::Error),
    /// There was no reply in time; the statement may still take effect.
    TooLate,
}

#[derive(Default)]
pub(super) struct Done {
    pub(super) rows: Vec<PgRow>,
    pub(super) changed: u64,
}

impl Statement {
    /// Runs to its end even if the future is dropped, so that no connection is left in the middle of a reply,
    /// and each one returns to the pool.
    pub(super) async fn run(self, connection: PoolConnection<Postgres>, timeout: Duration) -> Answer {
        ToItsEnd::of(self.answer(connection, timeout)).await
    }

    async fn answer(self, mut connection: PoolConnection<Postgres>, timeout: Duration) -> Answer {
        let answer = match tokio::time::timeout(timeout, self.tries(&mut connection)).await {
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
    }

    /// After a serialization failure or a deadlock nothing has happened, so the statement is retried.
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

    async fn once(&self, connection: &mut PgConnection) -> Result<Done, sqlx::Error> {
        let Some(begin) = &self.begin else { return self.done(connection).await };
        let mut transaction = connection.begin_with(AssertSqlSafe(Arc::clone(begin))).await?;
        match self.done(&mut transaction).await {
            Ok(done) => transaction.commit().await.map(|()| done),
            Err(error) => transaction.rollback().await.and(Err(error)),
        }
    }

    /// Waits for the end of the statement's own transaction, if there is one, because the row count arrives
    /// before the commit.
    async fn done(&self, connection: &mut PgConnection) -> Result<Done, sqlx::Error> {
        let query = sqlx::query_with(self.text, self.arguments.clone()).persistent(self.begin.is_none());
        match self.kind {
            Kind::Rows => Ok(Done { rows: query.fetch_all(connection).await?, changed: 0 }),
            Kind::Count => {
                Ok(Done { changed: query.execute(connection).await?.rows_affected(), rows: Vec::new() })
            }
        }
    }
}

/// A future that runs where it is awaited, and continues in a separate task when it is dropped. Starting in a
/// task would cost two switches, a third of the time of a short statement.
pub(super) struct ToItsEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    future: Option<Pin<Box<F>>>,
    runtime: Handle,
}

impl<F: Future<Output: Send> + Send + 'static> ToItsEnd<F> {
    pub(super) fn of(future: F) -> Self {
        Self { future: Some(Box::pin(future)), runtime: Handle::current() }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for ToItsEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        let output = ready!(future.as_mut().poll(context));
        self.future = None;
        Poll::Ready(output)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToItsEnd<F> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.runtime.spawn(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[tokio::test]
    async fn a_future_that_is_dropped_runs_to_its_end() {
        let (ends, has_ended) = tokio::sync::oneshot::channel();
        let mut future = Box::pin(ToItsEnd::of(async move {
            tokio::task::yield_now().await;
            let _ = ends.send(());
        }));
        // It has begun, and waits.
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(future);
        let ended = tokio::time::timeout(Duration::from_secs(60), has_ended).await;
        assert_eq!(ended.unwrap(), Ok(()));
    }
}
