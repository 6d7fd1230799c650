//! What SQLite's result codes mean for a request.

use super::super::{BackendError, CommitError};

/// Result codes, <https://sqlite.org/rescode.html>.
pub(super) mod code {
    pub(in super::super) const ERROR: i32 = 1;
    pub(in super::super) const BUSY: i32 = 5;
    pub(in super::super) const READONLY: i32 = 8;
    pub(in super::super) const IOERR: i32 = 10;
    pub(in super::super) const IOERR_SHMSIZE: i32 = 10 | 19 << 8;
    pub(in super::super) const CORRUPT: i32 = 11;
    pub(in super::super) const FULL: i32 = 13;
    pub(in super::super) const CANTOPEN: i32 = 14;
    pub(in super::super) const TOOBIG: i32 = 18;
    pub(in super::super) const CONSTRAINT: i32 = 19;
    pub(in super::super) const MISMATCH: i32 = 20;
    pub(in super::super) const NOTADB: i32 = 26;
}

/// The primary result code; `None` where it was not SQLite that failed.
pub(super) fn code_of(error: &sqlx::Error) -> Option<i32> {
    Some(extended_code_of(error)? & 0xff)
}

fn extended_code_of(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Whether there is no room on the disk; on a full one, the file `…-shm` is the first that cannot grow.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    code_of(error) == Some(code::FULL) || extended_code_of(error) == Some(code::IOERR_SHMSIZE)
}

pub(super) fn read_error(error: sqlx::Error) -> BackendError {
    match code_of(&error) {
        Some(code) if no_retry_helps(code) => BackendError::permanent(error),
        _ => BackendError::transient(error),
    }
}

/// A full disk and a file that turned read-only are transient: nothing was written, and it goes on without a restart as
/// soon as somebody has mended them. After an I/O error the log may or may not have reached the disk.
pub(super) fn write_error(error: sqlx::Error) -> CommitError {
    CommitError::Store(match code_of(&error) {
        Some(code::CONSTRAINT) if is_unique(&error) => return CommitError::Conflict,
        Some(code::IOERR) | None => BackendError::unknown_outcome(error),
        Some(code) if no_retry_helps(code) => BackendError::permanent(error),
        Some(_) => BackendError::transient(error),
    })
}

/// A missing table, a damaged file, a value of the wrong type: somebody else has been here.
fn no_retry_helps(code: i32) -> bool {
    [code::ERROR, code::CORRUPT, code::TOOBIG, code::CONSTRAINT, code::MISMATCH, code::NOTADB].contains(&code)
}

fn is_unique(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite itself says of a write under these settings.
    async fn refused(settings: &'static str, write: &'static str) -> CommitError {
        use sqlx::Connection as _;
        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql("CREATE TABLE t (a BLOB UNIQUE) STRICT").execute(&mut connection).await.unwrap();
        sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
        write_error(sqlx::raw_sql(write).execute(&mut connection).await.unwrap_err())
    }

    #[tokio::test]
    async fn nothing_happened_where_a_write_was_refused() {
        const INSERT: &str = "INSERT INTO t VALUES (randomblob(1000000))";
        for settings in ["PRAGMA max_page_count = 4", "PRAGMA query_only = ON"] {
            let error = refused(settings, INSERT).await;
            let transient = |e: &BackendError| !e.is_permanent() && !e.is_unknown_outcome();
            assert!(matches!(&error, CommitError::Store(e) if transient(e)), "{settings}: {error:?}");
        }
        for (settings, write) in [("DROP TABLE t", INSERT), ("SELECT 1", "INSERT INTO t VALUES (1)")] {
            let error = refused(settings, write).await;
            assert!(matches!(&error, CommitError::Store(e) if e.is_permanent()), "{write}: {error:?}");
        }
        let twice = refused("INSERT INTO t VALUES (x'00')", "INSERT INTO t VALUES (x'00')").await;
        assert!(matches!(twice, CommitError::Conflict), "{twice:?}");
    }

    #[test]
    fn a_write_that_was_not_answered_may_have_happened() {
        for error in [sqlx::Error::WorkerCrashed, sqlx::Error::Protocol("broken".to_owned())] {
            let error = write_error(error);
            assert!(matches!(&error, CommitError::Store(e) if e.is_unknown_outcome()), "{error:?}");
        }
    }
}
