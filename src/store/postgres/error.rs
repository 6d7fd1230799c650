//! What PostgreSQL's error codes mean for a request.

use std::borrow::Cow;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::super::{BackendError, CommitError};

/// SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) mod code {
    pub(in super::super) const UNKNOWN_RESOLUTION: &str = "08007";
    pub(in super::super) const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub(in super::super) const UNIQUE_VIOLATION: &str = "23505";
    pub(in super::super) const READ_ONLY: &str = "25006";
    pub(in super::super) const NO_SUCH_STATEMENT: &str = "26000";
    pub(in super::super) const WRONG_USER: &str = "28000";
    pub(in super::super) const WRONG_PASSWORD: &str = "28P01";
    pub(in super::super) const NO_DATABASE: &str = "3D000";
    pub(in super::super) const SERIALIZATION: &str = "40001";
    pub(in super::super) const UNKNOWN_COMPLETION: &str = "40003";
    pub(in super::super) const DEADLOCK: &str = "40P01";
    pub(in super::super) const NO_PRIVILEGE: &str = "42501";
    pub(in super::super) const DUPLICATE_OBJECT: &str = "42710";
    pub(in super::super) const NO_TABLE: &str = "42P01";
    pub(in super::super) const DUPLICATE_TABLE: &str = "42P07";
    pub(in super::super) const DISK_FULL: &str = "53100";

    /// The server has no connection left, is shutting down, has crashed, or is starting: it will answer soon.
    pub(in super::super) const AWAY: [&str; 4] = ["53300", "57P01", "57P02", "57P03"];
}

/// The code; `None` if the error is not from the server.
pub(super) fn code_of(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}

pub(super) fn read_error(error: sqlx::Error) -> BackendError {
    match no_retry_helps(&error) {
        true => BackendError::permanent(error),
        false => BackendError::transient(error),
    }
}

/// An error that ends the statement ends its transaction, so nothing happened. An error that ends the
/// connection may have come after the commit, and so may a lack of reply.
pub(super) fn write_error(error: sqlx::Error) -> CommitError {
    CommitError::Store(match code_of(&error).as_deref() {
        Some(code::UNIQUE_VIOLATION) => return CommitError::Conflict,
        None | Some(code::UNKNOWN_COMPLETION | code::UNKNOWN_RESOLUTION) => {
            BackendError::unknown_outcome(error)
        }
        Some(_) if ends_connection(&error) => BackendError::unknown_outcome(error),
        Some(_) if no_retry_helps(&error) => BackendError::permanent(error),
        Some(_) => BackendError::transient(error),
    })
}

pub(super) fn try_again(error: &sqlx::Error) -> bool {
    matches!(code_of(error).as_deref(), Some(code::SERIALIZATION | code::DEADLOCK))
}

/// Whether the error is due to a fail-over: the server is now read-only, or does not know a statement that
/// was prepared on its predecessor.
pub(super) fn must_reconnect(error: &sqlx::Error) -> bool {
    match code_of(error).as_deref() {
        None | Some(code::READ_ONLY | code::NO_SUCH_STATEMENT | code::FEATURE_NOT_SUPPORTED) => true,
        Some(_) => ends_connection(error),
    }
}

fn ends_connection(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    error.is_none_or(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

/// Class 42 is a missing table or permission, 22 a text that cannot be stored, and 54 one that is too long. A
/// column that cannot be read was written by another program.
fn no_retry_helps(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => true,
        error => {
            code_of(error).is_some_and(|code| ["22", "42", "54"].iter().any(|class| code.starts_with(class)))
        }
    }
}
