//! What SQLite's result codes mean for a request.

use super::super::{BackendError, CommitError};

/// Result codes, <https://sqlite.org/rescode.html>.
pub(super) mod code {
    pub(in super::super) const ERROR: i32 = 1;
    pub(in super::super) const BUSY: i32 = 5;
    pub(in super::super) const READONLY: i32 = 8;
    pub(in super::super) const IOERR: i32 = 10;
    #[cfg(test)]
    pub(in super::super) const IOERR_FSYNC: i32 = 10 | 4 << 8;
    pub(in super::super) const IOERR_SHMSIZE: i32 = 10 | 19 << 8;
    pub(in super::super) const CORRUPT: i32 = 11;
    pub(in super::super) const FULL: i32 = 13;
    pub(in super::super) const CANTOPEN: i32 = 14;
    pub(in super::super) const PROTOCOL: i32 = 15;
    pub(in super::super) const TOOBIG: i32 = 18;
    pub(in super::super) const CONSTRAINT: i32 = 19;
    pub(in super::super) const CONSTRAINT_PRIMARYKEY: i32 = 19 | 6 << 8;
    pub(in super::super) const CONSTRAINT_UNIQUE: i32 = 19 | 8 << 8;
    pub(in super::super) const MISMATCH: i32 = 20;
    pub(in super::super) const NOTADB: i32 = 26;
}

/// The primary result code; `None` if the error is not from SQLite.
pub(super) fn code_of(error: &sqlx::Error) -> Option<i32> {
    extended_code_of(error).map(primary)
}

fn extended_code_of(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// The extended result code of a failed write.
fn extended_code_of_write(error: &rusqlite::Error) -> Option<i32> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<rusqlite::ffi::Error>().map(|error| error.extended_code)
}

fn primary(extended_code: i32) -> i32 {
    extended_code & 0xff
}

/// Whether the disk is full. On a full disk, the file `…-shm` is the first that cannot grow.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    code_of(error) == Some(code::FULL) || extended_code_of(error) == Some(code::IOERR_SHMSIZE)
}

pub(super) fn read_error(error: sqlx::Error) -> BackendError {
    match code_of(&error) {
        Some(code) if no_retry_helps(code) => BackendError::permanent(error),
        _ => BackendError::transient(error),
    }
}

/// A full disk and a file that became read-only are transient: nothing was written, and writes succeed again
/// without a restart once that is fixed. After an I/O error, the log may or may not have reached the disk.
pub(super) fn write_error(error: rusqlite::Error) -> CommitError {
    if is_conflict(&error) {
        return CommitError::Conflict;
    }
    CommitError::Store(match extended_code_of_write(&error).map(primary) {
        Some(code::IOERR) => BackendError::unknown_outcome(error),
        _ => not_begun(error),
    })
}

/// The error of a statement whose transaction was not committed: nothing was written.
pub(super) fn not_begun(error: rusqlite::Error) -> BackendError {
    match extended_code_of_write(&error).map(primary) {
        Some(code) if !no_retry_helps(code) => BackendError::transient(error),
        _ => BackendError::permanent(error),
    }
}

/// Whether a unique key was violated.
pub(super) fn is_conflict(error: &rusqlite::Error) -> bool {
    let code = extended_code_of_write(error);
    code == Some(code::CONSTRAINT_UNIQUE) || code == Some(code::CONSTRAINT_PRIMARYKEY)
}

/// Whether another connection holds a lock.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(extended_code_of_write(error).map(primary), Some(code::BUSY | code::PROTOCOL))
}

/// A missing table, a damaged file or a value of the wrong type: another program has changed the file.
fn no_retry_helps(code: i32) -> bool {
    [code::ERROR, code::CORRUPT, code::TOOBIG, code::CONSTRAINT, code::MISMATCH, code::NOTADB].contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error that SQLite itself returns for a write under these settings.
    fn refused(settings: &'static str, write: &'static str) -> CommitError {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a BLOB UNIQUE) STRICT").unwrap();
        connection.execute_batch(settings).unwrap();
        write_error(connection.execute(write, ()).unwrap_err())
    }

    #[test]
    fn nothing_happened_where_a_write_was_refused() {
        const INSERT: &str = "INSERT INTO t VALUES (randomblob(1000000))";
        for settings in ["PRAGMA max_page_count = 4", "PRAGMA query_only = ON"] {
            let error = refused(settings, INSERT);
            let transient = |e: &BackendError| !e.is_permanent() && !e.is_unknown_outcome();
            assert!(matches!(&error, CommitError::Store(e) if transient(e)), "{settings}: {error:?}");
        }
        for (settings, write) in [("DROP TABLE t", INSERT), ("SELECT 1", "INSERT INTO t VALUES (1)")] {
            let error = refused(settings, write);
            assert!(matches!(&error, CommitError::Store(e) if e.is_permanent()), "{write}: {error:?}");
        }
        let twice = refused("INSERT INTO t VALUES (x'00')", "INSERT INTO t VALUES (x'00')");
        assert!(matches!(twice, CommitError::Conflict), "{twice:?}");
    }

    #[test]
    fn an_i_o_error_is_no_proof_that_nothing_happened() {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code::IOERR_FSYNC), None);
        let error = write_error(error);
        assert!(matches!(&error, CommitError::Store(e) if e.is_unknown_outcome()), "{error:?}");
    }
}
