//! The writer: a thread that takes all waiting writes, and writes them in one transaction.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::super::BackendError;
use super::super::sql::Lane;
use super::log::{LONG, LogKeeper};
use super::queue::{MOST_AT_ONCE, Queue, Ticket};
use super::transaction::{self, Change, Outcome};
use crate::base::time::in_time;

/// How the thread connects, and how many writes may wait for it.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) path: PathBuf,
    /// How long a write waits for its turn, and how long its transaction waits for those of other processes.
    pub(super) wait: Duration,
    pub(super) most_waiting: usize,
}

/// The handle of the writer thread. The thread belongs to no async runtime, so it completes a write that has
/// begun even if the caller's future or runtime is dropped.
pub(super) struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    state: Mutex<State>,
    /// Notified when a write waits, or the writer is closed.
    something: Condvar,
}

struct State {
    queue: Queue<Waiting>,
    thread: Thread,
    /// Dropped once the thread has ended.
    until_ended: Vec<oneshot::Sender<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    /// Writing; it will check for more afterwards.
    Busy,
    /// Waiting; it has to be woken.
    Idle,
    /// Writing the remaining writes; it ends after that.
    Closing,
    Ended,
    /// The thread has panicked.
    Failed,
}

impl Thread {
    /// The error for a new write; `None` while the thread accepts writes.
    fn refusal(self) -> Option<BackendError> {
        match self {
            Self::Busy | Self::Idle => None,
            Self::Closing | Self::Ended => Some(BackendError::transient("the store is closed")),
            Self::Failed => Some(BackendError::permanent("the writer of the file has failed: open it again")),
        }
    }

    fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

struct Waiting {
    change: Change,
    answer: oneshot::Sender<Outcome>,
}

impl Writer {
    /// Starts the thread, and the one for checkpoints.
    pub(super) fn start(
        settings: Settings,
        connection: Connection,
        for_log: Connection,
    ) -> Result<Self, BackendError> {
        let log = LogKeeper::start(for_log, LONG)?;
        Self::on_thread(settings, move |shared| shared.write_all(connection, log))
    }

    fn on_thread(
        settings: Settings,
        work: impl FnOnce(&Shared) + Send + 'static,
    ) -> Result<Self, BackendError> {
        let queue = Queue::new(settings.most_waiting, MOST_AT_ONCE);
        let state = State { queue, thread: Thread::Busy, until_ended: Vec::new() };
        let shared = Arc::new(Shared { settings, state: Mutex::new(state), something: Condvar::new() });
        let of_thread = Ending(Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("grantor-sqlite".to_owned());
        thread.spawn(move || work(&of_thread.0)).map_err(BackendError::transient)?;
        Ok(Self { shared })
    }

    /// Writes a change, together with the others that wait, and returns how many rows it changed. Returns
    /// after the flush.
    ///
    /// If the future is dropped while the change waits, it is not written; later, it may or may not be
    /// written.
    pub(super) async fn write(&self, lane: Lane, change: Change) -> Outcome {
        let (answer, mut heard) = oneshot::channel();
        let mut place = self.shared.enter(lane, Waiting { change, answer })?;
        let outcome = match in_time(&mut heard, self.shared.settings.wait).await {
            Some(outcome) => outcome,
            None if place.withdraw() => {
                return Err(BackendError::transient("a write waited too long for its turn").into());
            }
            // It is being written, which takes no longer than SQLite's own timeout.
            None => heard.await,
        };
        place.ticket = None;
        outcome
            .unwrap_or_else(|_| Err(BackendError::unknown_outcome("the writer of the file has ended").into()))
    }

    /// Writes everything that waits, and closes the file. Later writes are refused.
    pub(super) async fn close(&self) {
        let (ended, until_ended) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if state.thread.is_over() {
                return;
            }
            state.thread = Thread::Closing;
            state.until_ended.push(ended);
        }
        self.shared.something.notify_one();
        // Nothing is ever sent: the channel closes when the sender is dropped.
        let _ = until_ended.await;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if !state.thread.is_over() {
            state.thread = Thread::Closing;
        }
        drop(state);
        self.shared.something.notify_one();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("path", &self.shared.settings.path).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, lane: Lane, waiting: Waiting) -> Result<Place<'_>, BackendError> {
        let mut state = self.lock();
        if let Some(refusal) = state.thread.refusal() {
            return Err(refusal);
        }
        let entered = state.queue.enter(lane, waiting);
        let ticket = entered.map_err(|_| BackendError::transient("too many writes wait"))?;
        let wakes = std::mem::replace(&mut state.thread, Thread::Busy) == Thread::Idle;
        drop(state);
        if wakes {
            self.something.notify_one();
        }
        Ok(Place { shared: self, ticket: Some(ticket) })
    }

    /// The main loop of the thread.
    fn write_all(&self, mut connection: Connection, mut log: LogKeeper) {
        while let Some(batch) = self.next_batch() {
            let (changes, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.change, waiting.answer)).unzip();
            let outcomes = transaction::run(&connection, &changes);
            let rows = outcomes.iter().flatten().sum();
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // The caller may have been dropped.
                let _ = answer.send(outcome);
            }
            // A transaction that can neither be committed nor rolled back ends with its connection.
            if !connection.is_autocommit() {
                match self.connect_again() {
                    Some(next) => connection = next,
                    None => return,
                }
            }
            log.written(rows, &connection);
        }
    }

    /// Retries until it succeeds; `None` if the store is closed before that.
    fn connect_again(&self) -> Option<Connection> {
        loop {
            match self.settings.connect() {
                Ok(connection) => return Some(connection),
                Err(_) if self.lock().thread == Thread::Closing => return None,
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Waits for the next batch; `None` if nothing waits and the store is closed.
    fn next_batch(&self) -> Option<Vec<Waiting>> {
        let mut state = self.lock();
        loop {
            let batch = state.queue.next_batch();
            match state.thread {
                _ if !batch.is_empty() => return Some(batch),
                Thread::Closing | Thread::Ended | Thread::Failed => return None,
                Thread::Busy | Thread::Idle => state.thread = Thread::Idle,
            }
            state = self.something.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Settings {
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        // SQLite takes an `i32` of milliseconds.
        connection.busy_timeout(self.wait.min(Duration::from_secs(1_000_000)))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // The `LogKeeper` runs the checkpoints instead.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    }
}

/// A place in the queue. Dropping it withdraws the write if it still waits.
struct Place<'a> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
}

impl Place<'_> {
    /// Withdraws the write; `false` if it no longer waits.
    fn withdraw(&mut self) -> bool {
        let Some(ticket) = self.ticket.take() else { return false };
        let mut state = self.shared.lock();
        let withdrawn = state.queue.withdraw(ticket);
        drop(state);
        withdrawn.is_some()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Held by the thread, so that no one waits for it after it ends, even by a panic.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.thread = if std::thread::panicking() { Thread::Failed } else { Thread::Ended };
        let over = state.thread;
        let mut left = Vec::new();
        while !state.queue.is_empty() {
            left.extend(state.queue.next_batch());
        }
        let until_ended = std::mem::take(&mut state.until_ended);
        drop(state);
        for waiting in left {
            if let Some(refusal) = over.refusal() {
                let _ = waiting.answer.send(Err(refusal.into()));
            }
        }
        drop(until_ended);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{CommitError, sql::Value};
    use super::*;

    fn settings(path: impl Into<PathBuf>) -> Settings {
        Settings { path: path.into(), wait: Duration::from_secs(60), most_waiting: 10 }
    }

    fn insert(number: i64) -> Change {
        Change::new("INSERT INTO t VALUES ($1)", &[Value::Integer(number)])
    }

    #[tokio::test]
    async fn after_a_panic_a_write_that_waits_and_each_later_one_hear_a_permanent_error() {
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let panics = move |_: &Shared| {
            let _ = begun.recv();
            panic!("a bug");
        };
        let writer = Writer::on_thread(settings("none.db"), panics).unwrap();
        let waits = writer.write(Lane::Request, insert(1));
        let (waited, ()) = tokio::join!(waits, async { drop(begin) });
        writer.close().await;
        for outcome in [waited, writer.write(Lane::Revocation, insert(2)).await] {
            assert!(
                matches!(&outcome, Err(CommitError::Store(error)) if error.is_permanent()),
                "{outcome:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_writer_that_cannot_connect_again_ends_when_it_is_closed() {
        let connection = Connection::open_in_memory().unwrap();
        // A transaction that stays open, like one that can neither be committed nor rolled back.
        connection.execute_batch("CREATE TABLE t (number INTEGER); BEGIN").unwrap();
        let for_log = Connection::open_in_memory().unwrap();
        let writer = Writer::start(settings("/dev/null/none.db"), connection, for_log).unwrap();
        writer.write(Lane::Request, insert(1)).await.unwrap();
        let closed = async { in_time(std::pin::pin!(writer.close()), Duration::from_secs(60)).await };
        let (waited, closed) = tokio::join!(writer.write(Lane::Request, insert(2)), closed);
        assert_eq!(closed, Some(()));
        let not_begun = |error: &BackendError| !error.is_permanent() && !error.is_unknown_outcome();
        assert!(matches!(&waited, Err(CommitError::Store(error)) if not_begun(error)), "{waited:?}");
    }

    #[tokio::test]
    async fn a_writer_connects_again_as_soon_as_it_can() {
        let path = |name: &str| {
            std::env::temp_dir().join(format!("grantor-writer-{}-{name}.db", std::process::id()))
        };
        let (made, missing) = (path("made"), path("missing"));
        let tables = "CREATE TABLE t (number INTEGER)";
        Connection::open(&made).unwrap().execute_batch(tables).unwrap();
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(tables).unwrap();
        // A transaction that stays open, like one that can neither be committed nor rolled back.
        connection.execute_batch("BEGIN").unwrap();
        let for_log = Connection::open_in_memory().unwrap();
        let writer = Writer::start(settings(&missing), connection, for_log).unwrap();
        writer.write(Lane::Request, insert(1)).await.unwrap();
        let appears = async {
            // Some attempts fail before that.
            tokio::time::sleep(Duration::from_millis(100)).await;
            std::fs::rename(&made, &missing).unwrap();
        };
        let (written, ()) = tokio::join!(writer.write(Lane::Request, insert(2)), appears);
        writer.close().await;
        let found = Connection::open(&missing).unwrap();
        let found = found.query_row("SELECT number FROM t", (), |row| row.get::<_, i64>(0));
        std::fs::remove_file(&missing).unwrap();
        assert!(matches!(written, Ok(1)), "{written:?}");
        assert_eq!(found, Ok(2));
    }

    #[tokio::test]
    async fn a_write_that_waits_too_long_is_withdrawn() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let wait = Duration::from_millis(20);
        let writes_nothing = move |_: &Shared| {
            let _ = ended.recv();
        };
        let writer = Writer::on_thread(Settings { wait, ..settings("none.db") }, writes_nothing).unwrap();
        let outcome = writer.write(Lane::Request, insert(1)).await;
        let not_begun = |error: &BackendError| !error.is_permanent() && !error.is_unknown_outcome();
        assert!(matches!(&outcome, Err(CommitError::Store(error)) if not_begun(error)), "{outcome:?}");
        assert!(writer.shared.lock().queue.is_empty());
        drop(end);
    }

    #[test]
    fn a_writer_that_is_dropped_ends_its_thread() {
        let (ended, has_ended) = std::sync::mpsc::channel();
        let work = move |shared: &Shared| {
            assert!(shared.next_batch().is_none());
            ended.send(()).unwrap();
        };
        drop(Writer::on_thread(settings("none.db"), work).unwrap());
        assert_eq!(has_ended.recv_timeout(Duration::from_secs(60)), Ok(()));
    }
}
