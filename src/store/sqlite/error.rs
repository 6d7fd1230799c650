//! What SQLite's result codes mean for a request.

use super::super::{BackendError, CommitError};

/// Result codes, <https://sqlite.org/rescode.html>.
pub(super) mod code {
    #[cfg(test)]
    pub(in super::super) use rusqlite::ffi::SQLITE_IOERR_FSYNC as IOERR_FSYNC;
    pub(in super::super) use rusqlite::ffi::{
        SQLITE_BUSY as BUSY, SQLITE_CANTOPEN as CANTOPEN, SQLITE_CONSTRAINT as CONSTRAINT,
        SQLITE_CONSTRAINT_PRIMARYKEY as CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE as CONSTRAINT_UNIQUE,
        SQLITE_CORRUPT as CORRUPT, SQLITE_ERROR as ERROR, SQLITE_FULL as FULL, SQLITE_IOERR as IOERR,
        SQLITE_IOERR_SHMSIZE as IOERR_SHMSIZE, SQLITE_MISMATCH as MISMATCH, SQLITE_NOTADB as NOTADB,
        SQLITE_PROTOCOL as PROTOCOL, SQLITE_READONLY as READONLY, SQLITE_TOOBIG as TOOBIG,
    };
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
pub(super) mod tests {
    use std::borrow::Cow;
    use std::error::Error;
    use std::fmt;

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// An error of SQLite that has only a result code.
    #[derive(Debug)]
    struct Coded(i32);

    impl fmt::Display for Coded {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "result code {}", self.0)
        }
    }

    impl Error for Coded {}

    impl DatabaseError for Coded {
        fn message(&self) -> &str {
            "a result code"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.to_string().into())
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    pub(in super::super) fn coded(code: i32) -> sqlx::Error {
        sqlx::Error::Database(Box::new(Coded(code)))
    }

    #[test]
    fn a_full_disk_has_two_codes() {
        for (code, expected) in
            [(code::FULL, true), (code::IOERR_SHMSIZE, true), (code::IOERR_FSYNC, false), (code::BUSY, false)]
        {
            assert_eq!(is_full(&coded(code)), expected, "{code}");
        }
        assert!(!is_full(&sqlx::Error::PoolTimedOut));
    }

    #[test]
    fn a_read_may_be_tried_again_unless_the_file_is_wrong() {
        for (code, is_permanent) in [
            (code::ERROR, true),
            (code::CORRUPT, true),
            (code::NOTADB, true),
            (code::BUSY, false),
            (code::IOERR_FSYNC, false),
            (code::CANTOPEN, false),
        ] {
            let error = read_error(coded(code));
            assert!(error.is_permanent() == is_permanent && !error.is_unknown_outcome(), "{code}: {error:?}");
        }
        assert!(!read_error(sqlx::Error::PoolTimedOut).is_permanent());
    }

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
