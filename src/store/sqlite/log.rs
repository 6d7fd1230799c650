//! The write-ahead log goes back to the file on a thread of its own, so that no write waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::super::BackendError;

/// Has the log written back now and then. SQLite would do it itself, in the write that makes the log too long: pages all over
/// the file and two flushes, while everything that wants to write waits.
pub(super) struct LogKeeper {
    /// Rows since the log was last written back.
    rows: u64,
    /// The thread hears it if it is idle; `None` at the end.
    wake: Option<SyncSender<()>>,
    is_long: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The log is written back after so many rows: a page is then written once for many of them.
const ROWS: u64 = 500;

/// In pages. A longer log has to begin again, which it can only do while nobody writes to it.
const LONG: i64 = 16_000;

impl LogKeeper {
    pub(super) fn start(connection: Connection) -> Result<Self, BackendError> {
        let (wake, woken) = sync_channel(0);
        let is_long = Arc::new(AtomicBool::new(false));
        let found_long = Arc::clone(&is_long);
        let thread = std::thread::Builder::new().name("grantor-sqlite-log".to_owned());
        let thread = thread.spawn(move || {
            while woken.recv().is_ok() {
                if write_back(&connection).is_some_and(|log| log.pages > LONG && log.written_back < log.pages)
                {
                    found_long.store(true, Ordering::Release);
                }
            }
        });
        let thread = thread.map_err(BackendError::transient)?;
        Ok(Self { rows: 0, wake: Some(wake), is_long, thread: Some(thread) })
    }

    /// After a transaction of so many rows on this connection, which is the only one of this process that writes.
    pub(super) fn written(&mut self, rows: u64, connection: &Connection) {
        self.rows += rows;
        if self.rows >= ROWS && self.wake.as_ref().is_some_and(|wake| wake.try_send(()).is_ok()) {
            self.rows = 0;
        }
        if self.is_long.swap(false, Ordering::Acquire) {
            // Little is left to do, and nobody adds to it meanwhile. So the next write begins at the start of the log.
            write_back(connection);
        }
    }
}

impl Drop for LogKeeper {
    /// Waits for the thread, so that the file is closed afterwards.
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How long the log is, and how much of it is in the file.
struct Log {
    pages: i64,
    written_back: i64,
}

/// Waits for nobody, and leaves what others still read. `None` if it failed: it is done another time.
fn write_back(connection: &Connection) -> Option<Log> {
    let log = |row: &rusqlite::Row<'_>| Ok(Log { pages: row.get(1)?, written_back: row.get(2)? });
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), log).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct File(std::path::PathBuf);

    impl File {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("grantor-log-{}-{name}.db", std::process::id())))
        }

        fn connect(&self) -> Connection {
            let connection = Connection::open(&self.0).unwrap();
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").unwrap();
            connection
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    const FILL: &str = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
         SELECT randomblob(2000) FROM n";

    #[test]
    fn a_long_log_begins_again() {
        let file = File::new("long");
        let writer = file.connect();
        let mut keeper = LogKeeper::start(file.connect()).unwrap();
        writer.execute_batch("CREATE TABLE t (a BLOB)").unwrap();
        writer.execute(FILL, ()).unwrap();
        keeper.is_long.store(true, Ordering::Release);
        keeper.written(1, &writer);
        writer.execute("INSERT INTO t VALUES (x'00')", ()).unwrap();
        let log = write_back(&writer).unwrap();
        assert!(log.pages < 10 && log.written_back == log.pages, "{} pages", log.pages);
    }

    #[test]
    fn the_log_is_written_back_after_many_rows_and_not_by_the_writer() {
        let file = File::new("back");
        let writer = file.connect();
        let mut keeper = LogKeeper::start(file.connect()).unwrap();
        writer.execute_batch("CREATE TABLE t (a BLOB)").unwrap();
        writer.execute(FILL, ()).unwrap();
        keeper.written(ROWS - 1, &writer);
        assert_eq!(keeper.rows, ROWS - 1, "too few");
        // As soon as the thread waits, it hears it.
        while keeper.rows > 0 {
            keeper.written(1, &writer);
        }
        drop(keeper);
        writer.execute("INSERT INTO t VALUES (x'00')", ()).unwrap();
        assert!(
            write_back(&writer).unwrap().pages < 10,
            "all was written back before, so the log began again"
        );
    }
}
