//! Checkpoints the write-ahead log on a separate thread, so that no write waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::super::BackendError;

/// Runs checkpoints from time to time. SQLite would run one itself, in the write that makes the log too long:
/// it writes pages all over the file and flushes twice, while all other writes wait.
pub(super) struct LogKeeper {
    /// Rows that were written since the last checkpoint.
    rows: u64,
    /// Wakes the thread if it is idle; `None` during the drop.
    wake: Option<SyncSender<()>>,
    /// Set by the thread if the log is still long after a checkpoint.
    is_long: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A checkpoint runs after this number of rows, so that many changes of a page are written to the file at
/// once.
const ROWS: u64 = 500;

/// The maximum length of the log in pages. A longer log has to be truncated, which only works while no
/// connection writes to it.
pub(super) const LONG: i64 = 16_000;

/// How long the writer waits for reads that still use a long log. New reads do not need the log, so the wait
/// is short.
const FOR_READERS: Duration = Duration::from_millis(5);

impl LogKeeper {
    pub(super) fn start(connection: Connection, long: i64) -> Result<Self, BackendError> {
        let (wake, woken) = sync_channel(0);
        let is_long = Arc::new(AtomicBool::new(false));
        let found_long = Arc::clone(&is_long);
        let thread = std::thread::Builder::new().name("grantor-sqlite-log".to_owned());
        let thread = thread.spawn(move || {
            while woken.recv().is_ok() {
                if write_back(&connection, "PASSIVE").is_some_and(|pages| pages > long) {
                    found_long.store(true, Ordering::Release);
                }
            }
        });
        let thread = thread.map_err(BackendError::transient)?;
        Ok(Self { rows: 0, wake: Some(wake), is_long, thread: Some(thread) })
    }

    /// Call it after each transaction, with its number of rows and the only connection of this process that
    /// writes.
    pub(super) fn written(&mut self, rows: u64, connection: &Connection) {
        self.rows += rows;
        if self.is_long.swap(false, Ordering::Acquire) {
            begin_again(connection);
        } else if self.rows >= ROWS && self.wake.as_ref().is_some_and(|wake| wake.try_send(()).is_ok()) {
            self.rows = 0;
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

/// Truncates a log whose pages were mostly checkpointed just now. If a reader uses it for longer, a later
/// call does so.
fn begin_again(connection: &Connection) {
    let patience = connection.pragma_query_value(None, "busy_timeout", |row| row.get::<_, u32>(0));
    let Ok(patience) = patience else { return };
    if connection.busy_timeout(FOR_READERS).is_ok() {
        write_back(connection, "TRUNCATE");
    }
    let _ = connection.busy_timeout(Duration::from_millis(patience.into()));
}

/// Runs a checkpoint, and returns how many pages the log had; `None` if it failed, and a later call does it.
fn write_back(connection: &Connection, mode: &str) -> Option<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| row.get(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: u32 = 3_000;

    struct File(std::path::PathBuf);

    impl File {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("grantor-log-{}-{name}.db", std::process::id())))
        }

        fn connect(&self) -> Connection {
            let connection = Connection::open(&self.0).unwrap();
            connection.busy_timeout(Duration::from_millis(PATIENCE.into())).unwrap();
            let settings =
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF";
            connection.execute_batch(settings).unwrap();
            connection
        }

        /// The length of the log, in bytes.
        fn log(&self) -> u64 {
            std::fs::metadata(self.0.with_extension("db-wal")).unwrap().len()
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    const FILL: &str = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
         SELECT randomblob(2000) FROM n";

    /// Two overlapping readers, so that one is always reading, until this is dropped.
    struct Readers(Arc<AtomicBool>, Option<JoinHandle<()>>);

    impl Readers {
        fn start(file: &File) -> Self {
            let connections = [file.connect(), file.connect()];
            let ended = Arc::new(AtomicBool::new(false));
            let is_ended = Arc::clone(&ended);
            let thread = std::thread::spawn(move || {
                let mut turns = (0..2).cycle();
                while !is_ended.load(Ordering::Relaxed) {
                    let turn = turns.next().unwrap();
                    connections[turn].execute_batch("BEGIN; SELECT count(*) FROM t WHERE rowid = 1").unwrap();
                    if !connections[1 - turn].is_autocommit() {
                        connections[1 - turn].execute_batch("COMMIT").unwrap();
                    }
                }
            });
            Self(ended, Some(thread))
        }
    }

    impl Drop for Readers {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
            let _ = self.1.take().unwrap().join();
        }
    }

    #[test]
    fn under_constant_writes_and_reads_the_log_begins_again() {
        const LONG: i64 = 200;
        let file = File::new("long");
        let writer = file.connect();
        writer.execute_batch("CREATE TABLE t (a BLOB)").unwrap();
        let mut keeper = LogKeeper::start(file.connect(), LONG).unwrap();
        let readers = Readers::start(&file);
        for _ in 0..3 {
            let mut length = 0;
            while file.log() >= length {
                length = file.log();
                assert!(length < 200_000_000, "it only grows");
                writer.execute(FILL, ()).unwrap();
                keeper.written(ROWS, &writer);
            }
        }
        drop(readers);
        let patience = writer.pragma_query_value(None, "busy_timeout", |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(patience, PATIENCE, "as it was");
    }

    #[test]
    fn the_log_is_written_back_after_many_rows_and_not_by_the_writer() {
        let file = File::new("back");
        let writer = file.connect();
        let mut keeper = LogKeeper::start(file.connect(), LONG).unwrap();
        writer.execute_batch("CREATE TABLE t (a BLOB)").unwrap();
        writer.execute(FILL, ()).unwrap();
        keeper.written(ROWS - 1, &writer);
        assert_eq!(keeper.rows, ROWS - 1, "too few");
        // Once the thread is idle, the next call wakes it.
        while keeper.rows > 0 {
            keeper.written(1, &writer);
        }
        drop(keeper);
        writer.execute("INSERT INTO t VALUES (x'00')", ()).unwrap();
        let pages = write_back(&writer, "PASSIVE").unwrap();
        assert!(pages < 10, "all was written back before, so the log began again");
    }
}
