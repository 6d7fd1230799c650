//! New rows: those that wait together share one statement, and so one flush to the disk.
//!
//! While fewer than [`MOST_ON_THEIR_WAY`] statements are on their way, a row is sent at once. The others wait
//! for the next reply and then go together, so throughput grows with the number of callers, and a single caller
//! waits for nobody. Each row has its own condition and its own outcome.
//!
//! A statement that a caller has begun runs where its future is polled, or in a task of its own once that is
//! dropped. A host that keeps such a future and does not poll it holds up the rows behind it.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::super::sql::grants::INSERT;
use super::super::sql::{Columns as _, Value, again, arguments, unreadable};
use super::super::{BackendError, CommitError};
use super::connections::Connections;
use super::statement::{Kind, ToItsEnd};

/// More would split what waits into smaller statements; with one, the database would wait for this process
/// between two of them.
const MOST_ON_THEIR_WAY: usize = 2;

/// The most rows of a statement, so that nobody waits long for a reply.
const MOST_AT_ONCE: usize = 256;

/// Beyond this, a row is refused at once.
const MOST_WAITING: usize = 4096;

/// In the order of [`INSERT`]. Rows that conflict are not returned.
const INSERT_ALL: &str = "INSERT INTO grantor_grants (space, id, version, body, expires, client, subject, user_code, session) \
     SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bytea[], $9::bytea[]) \
     ON CONFLICT DO NOTHING RETURNING space, id";

/// How many rows were inserted, 0 or 1.
type Outcome = Result<u64, CommitError>;

pub(super) struct Inserts {
    connections: Arc<Connections>,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    on_their_way: usize,
    waiting: VecDeque<Waiting>,
    is_closed: bool,
    /// Dropped once nothing waits and nothing is on its way.
    until_empty: Vec<oneshot::Sender<()>>,
}

struct Waiting {
    row: Row,
    answer: oneshot::Sender<Outcome>,
}

impl Inserts {
    pub(super) fn over(connections: Arc<Connections>) -> Arc<Self> {
        Arc::new(Self { connections, line: Mutex::default() })
    }

    /// Inserts a row, given the values of [`INSERT`]. If the future is dropped while the row waits, it is not
    /// sent; afterwards, it is inserted or not.
    pub(super) async fn insert(self: &Arc<Self>, values: &[Value<'_>]) -> Outcome {
        if let Some(answer) = self.enter(values)? {
            let ended = || BackendError::unknown_outcome("the runtime has ended");
            return answer.await.unwrap_or_else(|_| Err(ended().into()));
        }
        let place = Place { inserts: Arc::clone(self), runtime: Handle::current() };
        let arguments = arguments::<Postgres>(values).map_err(unreadable)?;
        ToItsEnd::of(place.send_one(arguments)).await
    }

    /// Where the outcome of a row that has to wait comes from; `None` if it may be sent at once.
    fn enter(&self, values: &[Value<'_>]) -> Result<Option<oneshot::Receiver<Outcome>>, BackendError> {
        let mut line = self.line();
        if line.is_closed {
            return Err(BackendError::transient("the store is closed"));
        }
        if line.on_their_way < MOST_ON_THEIR_WAY {
            line.on_their_way += 1;
            return Ok(None);
        }
        if line.waiting.len() >= MOST_WAITING {
            return Err(BackendError::transient("too many writes wait"));
        }
        let row = Row::of(values).ok_or_else(|| BackendError::permanent("a row has other columns"))?;
        let (answer, heard) = oneshot::channel();
        line.waiting.push_back(Waiting { row, answer });
        Ok(Some(heard))
    }

    /// The rows of the next statement. If none waits, one statement fewer is on its way.
    fn next(&self) -> Vec<Waiting> {
        let mut line = self.line();
        // The row of a caller that has gone away is not sent.
        line.waiting.retain(|waiting| !waiting.answer.is_closed());
        let count = line.waiting.len().min(MOST_AT_ONCE);
        if count == 0 {
            line.on_their_way -= 1;
        }
        if line.on_their_way == 0 {
            line.until_empty.clear();
        }
        line.waiting.drain(..count).collect()
    }

    /// Waits for the rows that have come, and takes no more.
    pub(super) async fn close(&self) {
        let until_empty = {
            let mut line = self.line();
            line.is_closed = true;
            if line.on_their_way == 0 {
                return;
            }
            let (empty, until_empty) = oneshot::channel();
            line.until_empty.push(empty);
            until_empty
        };
        // Nothing is sent: the sender is dropped.
        let _ = until_empty.await;
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inserts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inserts(..)")
    }
}

/// The right to send one statement, which passes to the rows that wait when it is dropped.
struct Place {
    inserts: Arc<Inserts>,
    runtime: Handle,
}

impl Place {
    async fn send_one(self, arguments: PgArguments) -> Outcome {
        Ok(self.inserts.connections.write(Kind::Count, INSERT, arguments).await?.changed)
    }

    async fn send(self, batch: Vec<Waiting>) {
        let (rows, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|next| (next.row, next.answer)).unzip();
        let outcomes = self.inserts.connections.insert_all(&rows).await;
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // The caller may have gone away.
            let _ = answer.send(outcome);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let batch = self.inserts.next();
        if !batch.is_empty() {
            let (inserts, runtime) = (Arc::clone(&self.inserts), self.runtime.clone());
            let place = Self { inserts, runtime };
            self.runtime.spawn(place.send(batch));
        }
    }
}

impl Connections {
    async fn insert_one(&self, row: &Row) -> Outcome {
        let arguments = arguments::<Postgres>(&row.values()).map_err(unreadable)?;
        Ok(self.write(Kind::Count, INSERT, arguments).await?.changed)
    }

    /// Inserts the rows by one statement. If the database refuses it for one of the rows, each is tried alone,
    /// so that only that one fails.
    async fn insert_all(&self, rows: &[Row]) -> Vec<Outcome> {
        if let [one] = rows {
            return vec![self.insert_one(one).await];
        }
        let error = match self.insert_together(rows).await {
            Ok(inserted) => return inserted,
            Err(error) => error,
        };
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            outcomes.push(match &error {
                CommitError::Store(error) if !error.is_permanent() => Err(again(error).into()),
                CommitError::Store(_) | CommitError::Conflict => self.insert_one(row).await,
            });
        }
        outcomes
    }

    async fn insert_together(&self, rows: &[Row]) -> Result<Vec<Outcome>, CommitError> {
        let arguments = all_arguments(rows).map_err(unreadable)?;
        let inserted = self.write(Kind::Rows, INSERT_ALL, arguments).await?.rows;
        let mut inserted = inserted.iter().map(key).collect::<Result<HashSet<_>, _>>()?;
        // Of two rows with the same id, the first one was inserted.
        let changed = |row: &Row| u64::from(inserted.remove(&(row.space.clone(), row.id.clone())));
        Ok(rows.iter().map(changed).map(Ok).collect())
    }
}

fn key(row: &PgRow) -> Result<(String, Vec<u8>), BackendError> {
    Ok((row.text(0)?, row.bytes(1)?))
}

/// A row of `grantor_grants`.
struct Row {
    space: String,
    id: Vec<u8>,
    version: i64,
    body: String,
    expires: i64,
    client: String,
    subject: String,
    user_code: Option<Vec<u8>>,
    session: Option<Vec<u8>>,
}

impl Row {
    /// The row from the values of [`INSERT`].
    fn of(values: &[Value<'_>]) -> Option<Self> {
        use Value::{Bytes, Integer, MaybeBytes, Text};
        let &[
            Text(space),
            Bytes(id),
            Integer(version),
            Text(body),
            Integer(expires),
            Text(client),
            Text(subject),
            MaybeBytes(user_code),
            MaybeBytes(session),
        ] = values
        else {
            return None;
        };
        Some(Self {
            space: space.to_owned(),
            id: id.to_vec(),
            version,
            body: body.to_owned(),
            expires,
            client: client.to_owned(),
            subject: subject.to_owned(),
            user_code: user_code.map(<[u8]>::to_vec),
            session: session.map(<[u8]>::to_vec),
        })
    }

    /// The values of [`INSERT`].
    fn values(&self) -> [Value<'_>; 9] {
        [
            Value::Text(&self.space),
            Value::Bytes(&self.id),
            Value::Integer(self.version),
            Value::Text(&self.body),
            Value::Integer(self.expires),
            Value::Text(&self.client),
            Value::Text(&self.subject),
            Value::MaybeBytes(self.user_code.as_deref()),
            Value::MaybeBytes(self.session.as_deref()),
        ]
    }
}

/// A list for each column.
fn all_arguments(rows: &[Row]) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(rows.iter().map(|row| &*row.space).collect::<Vec<&str>>())?;
    arguments.add(rows.iter().map(|row| &*row.id).collect::<Vec<&[u8]>>())?;
    arguments.add(rows.iter().map(|row| row.version).collect::<Vec<i64>>())?;
    arguments.add(rows.iter().map(|row| &*row.body).collect::<Vec<&str>>())?;
    arguments.add(rows.iter().map(|row| row.expires).collect::<Vec<i64>>())?;
    arguments.add(rows.iter().map(|row| &*row.client).collect::<Vec<&str>>())?;
    arguments.add(rows.iter().map(|row| &*row.subject).collect::<Vec<&str>>())?;
    arguments.add(rows.iter().map(|row| row.user_code.as_deref()).collect::<Vec<Option<&[u8]>>>())?;
    arguments.add(rows.iter().map(|row| row.session.as_deref()).collect::<Vec<Option<&[u8]>>>())?;
    Ok(arguments)
}
