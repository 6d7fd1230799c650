//! [`OpenError`]: why a store could not be opened, and what to do.

use std::error::Error;

/// Why a store could not be opened: one line that ends in what to do. It contains no password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address cannot be understood.
    #[error("the address of the store is wrong: {0}")]
    Address(String),
    /// The directory of the file does not exist.
    #[error("{0}: its directory does not exist: create it, or name another file")]
    NoDirectory(String),
    /// The server has no such database.
    #[error("{0}: there is no such database: create it, or name another one")]
    NoDatabase(String),
    /// Another kind of file is at this path.
    #[error("{0}: not an SQLite database: name another file, or restore it from a backup")]
    NotADatabase(String),
    /// It can be read, but not written.
    #[error("{0}: cannot be written: let this user write to it and, if it is a file, to its directory")]
    ReadOnly(String),
    /// No space is left.
    #[error("{0}: no space is left: free some, and start again")]
    Full(String),
    /// The user name or the password is wrong.
    #[error("{0}: the user name or password was rejected: correct it in the address")]
    Refused(String),
    /// The tables are missing, and may not be created.
    #[error("{0}: the tables cannot be created: let this user create them, or create them as another user")]
    Forbidden(String),
    /// A later version of this crate has changed the schema.
    #[error(
        "{place}: the schema has version {found}, and this version of grantor knows {known}: upgrade grantor"
    )]
    Newer {
        /// Which database.
        place: String,
        /// The version there.
        found: i64,
        /// The version here.
        known: i64,
    },
    /// The file does not exist, and this program may not create it.
    #[error(
        "{0}: there is no such file: make it with the statements of SqliteStore::schema, or let grantor make it"
    )]
    NoFile(String),
    /// The tables are missing or of an earlier version, and this program may not change them.
    #[error(
        "{place}: the schema has version {found}, and this version of grantor needs {known}: \
         apply the statements of schema() that follow, or let grantor do it"
    )]
    Outdated {
        /// Which database.
        place: String,
        /// The version there; 0 without tables.
        found: i64,
        /// The version here.
        known: i64,
    },
    /// The migration succeeded, but the schema does not have the expected version.
    #[error(
        "{place}: the schema has version {found} after its migration to {known}: let this user write to grantor_schema"
    )]
    Incomplete {
        /// Which database.
        place: String,
        /// The version there.
        found: i64,
        /// The version here.
        known: i64,
    },
    /// The database does not answer.
    #[error("{place}: cannot be reached: {source}: start it, or correct the address")]
    Unreachable {
        /// Which database.
        place: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server is older than the statements of this crate.
    #[error("{place}: the server has version {version}: {needed} or later is needed")]
    TooOld {
        /// Which database.
        place: String,
        /// Its version.
        version: String,
        /// The first version that works.
        needed: u32,
    },
    /// The database refused a statement of the migration.
    #[error("{place}: cannot be prepared: {source}")]
    Failed {
        /// Which database.
        place: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}
