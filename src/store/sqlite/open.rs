//! Opens a file.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::task::spawn_blocking;

use super::super::{BackendError, OpenError};
use super::error::{code, code_of, is_busy, is_full};
use super::schema::{self, VERSION};
use super::writer::{Settings, Writer};
use super::{SqliteEngine, SqliteStore};
use crate::base::private_file::private;
use crate::base::system::{Delay, stopwatch};

/// How to open a [`SqliteStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteOptions {
    address: String,
    readers: u32,
    busy_timeout: Duration,
    most_waiting: usize,
    migrates: bool,
}

impl SqliteOptions {
    /// The options for a path, optionally after `sqlite:`.
    pub fn new(address: impl Into<String>) -> Self {
        let (readers, busy_timeout, most_waiting) = (4, Duration::from_secs(2), 1024);
        Self { address: address.into(), readers, busy_timeout, most_waiting, migrates: true }
    }

    /// How many reads run concurrently, each on its own thread; 4, and at least one.
    pub fn readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// How long a call waits for its turn among the writers of this and other processes; 2 s. Keep it below
    /// [`store_deadline`](crate::Policy::store_deadline), or requests are answered before the outcome is
    /// known.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How many writes may wait for their turn; 1024, and at least one. Another write is refused at once with
    /// a transient error; its request gets a 503 with `Retry-After`. Ends of grants and slices of sweeps have
    /// separate queues of the same length.
    pub fn most_waiting(mut self, writes: usize) -> Self {
        self.most_waiting = writes.max(1);
        self
    }

    /// Never creates or changes a table. The file must exist, with the tables of exactly this version,
    /// created by the statements of [`SqliteStore::schema`].
    pub fn without_migration(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// Checks that the address names a file, without touching it.
    ///
    /// # Errors
    /// [`OpenError::Address`], with what to write instead.
    pub fn check(&self) -> Result<(), OpenError> {
        path(&self.address).map(drop)
    }

    /// Opens the file, and creates it and its tables if they are missing. On Unix a new file has mode 0600,
    /// and so have the files that SQLite puts beside it; an existing one keeps its mode.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub async fn open(self) -> Result<SqliteStore, OpenError> {
        let path = path(&self.address)?;
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        if directory.is_some_and(|directory| !directory.is_dir()) {
            return Err(OpenError::NoDirectory(path.display().to_string()));
        }
        if !self.migrates && !path.exists() {
            return Err(OpenError::NoFile(path.display().to_string()));
        }
        if self.migrates {
            create(&path);
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(self.migrates)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(self.busy_timeout)
            .disable_statement_logging();
        let readers = SqlitePoolOptions::new()
            .max_connections(self.readers)
            .acquire_timeout(self.busy_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            // A connection to a file does not break.
            .test_before_acquire(false)
            .connect_lazy_with(options.clone().pragma("query_only", "ON"));
        // The WAL mode is stored in the file, and setting it again takes a lock. So only the first connection
        // sets it.
        let first = options.journal_mode(SqliteJournalMode::Wal);
        let mut first = connected(&first).await.map_err(|error| open_error(&path, error))?;
        let found = match self.migrates {
            true => schema::migrate(&mut first).await.map(|found| (found, VERSION)),
            false => schema::version(&mut first).await.map(|found| (found, found)),
        };
        let (found, now) = found.map_err(|error| open_error(&path, error))?;
        let (place, known) = (path.display().to_string(), VERSION);
        if found > known {
            return Err(OpenError::Newer { place, found, known });
        }
        if now < known {
            return Err(OpenError::Outdated { place, found, known });
        }
        // The file exists now. By its real path, it is one file under all its names.
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        let names = ["sqlite".into(), real.to_string_lossy().into()];
        let settings = Settings { path, wait: self.busy_timeout, most_waiting: self.most_waiting };
        let failed = |source| OpenError::Failed { place, source };
        let writer = started(settings).await.map_err(|error| failed(error.into()))?;
        // Closed only now, because the log exists as long as any connection is open.
        let _ = first.close().await;
        Ok(SqliteStore::new(SqliteEngine { writer, readers, place: names }))
    }
}

fn path(address: &str) -> Result<PathBuf, OpenError> {
    let wrong = |why: &str| Err(OpenError::Address(format!("{why}: give a path, or sqlite:PATH")));
    let path = match address.split_once(':') {
        Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
        Some((scheme, rest)) if rest.starts_with("//") => {
            return wrong(&format!("{scheme:?} is not SQLite"));
        }
        _ => address,
    };
    match path {
        "" => wrong("it names no file"),
        ":memory:" => Err(OpenError::Address("a database in memory is MemoryStore".to_owned())),
        path if path.ends_with('/') => wrong("it names a directory"),
        path => Ok(PathBuf::from(path)),
    }
}

/// Creates a missing file that only its owner may read, because it will hold the signing keys. If it cannot be
/// created, SQLite says why.
fn create(path: &Path) {
    // Closing a file ends the locks that this process has on it, so nobody may have opened it yet.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    drop(private(OpenOptions::new().write(true).create_new(true)).open(path));
}

/// Switching a new file to WAL takes a lock that SQLite does not wait for, so processes that start at the
/// same time have to retry.
async fn connected(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let is_busy = |error: &sqlx::Error| code_of(error) == Some(code::BUSY);
    while_busy(|| options.connect(), |outcome| outcome.as_ref().is_err_and(is_busy)).await
}

/// Opens the connections of the writer. Retried, because another process may be closing the file.
async fn started(settings: Settings) -> Result<Writer, BackendError> {
    let connect = || {
        let settings = settings.clone();
        spawn_blocking(move || Ok((settings.connect()?, settings.connect()?)))
    };
    let outcome = while_busy(connect, |outcome| matches!(outcome, Ok(Err(error)) if is_busy(error))).await;
    let (writer, log) = outcome.map_err(BackendError::transient)?.map_err(BackendError::transient)?;
    Writer::start(settings, writer, log)
}

async fn while_busy<F: Future>(attempt: impl Fn() -> F, is_busy: impl Fn(&F::Output) -> bool) -> F::Output {
    let until = stopwatch() + Duration::from_secs(10);
    loop {
        let outcome = attempt().await;
        if !is_busy(&outcome) || stopwatch() >= until {
            return outcome;
        }
        Delay::new(Duration::from_millis(20)).await;
    }
}

fn open_error(path: &Path, error: sqlx::Error) -> OpenError {
    let place = path.display().to_string();
    match code_of(&error) {
        Some(code::READONLY) => OpenError::ReadOnly(place),
        Some(code::CANTOPEN) => OpenError::ReadOnly(place),
        _ if is_full(&error) => OpenError::Full(place),
        Some(code::NOTADB) => OpenError::NotADatabase(place),
        _ => OpenError::Failed { place, source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::error::tests::coded;
    use super::*;

    #[test]
    fn an_address_is_a_path_unless_it_names_another_database_or_no_file() {
        for (address, expected) in [
            ("grants.db", "grants.db"),
            ("sqlite:grants.db", "grants.db"),
            ("sqlite://grants.db", "grants.db"),
            ("sqlite:a:b.db", "a:b.db"),
            ("of:tenant:7.db", "of:tenant:7.db"),
            ("/var//of:tenant//7.db", "/var//of:tenant//7.db"),
        ] {
            assert_eq!(path(address).unwrap(), Path::new(expected), "{address}");
            assert!(SqliteOptions::new(address).check().is_ok(), "{address}");
        }
        for (address, expected) in [
            ("", "it names no file"),
            ("sqlite:", "it names no file"),
            ("sqlite::memory:", "a database in memory is MemoryStore"),
            ("/var/lib/", "it names a directory"),
            ("mysql://host/grants", "\"mysql\" is not SQLite"),
        ] {
            let error = SqliteOptions::new(address).check().unwrap_err().to_string();
            assert!(error.contains(expected), "{address}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_by_its_code() {
        let error = |code| open_error(Path::new("grants.db"), coded(code));
        assert!(matches!(error(code::READONLY), OpenError::ReadOnly(_)));
        assert!(matches!(error(code::CANTOPEN), OpenError::ReadOnly(_)));
        assert!(matches!(error(code::FULL), OpenError::Full(_)));
        assert!(matches!(error(code::NOTADB), OpenError::NotADatabase(_)));
        assert!(matches!(error(code::CORRUPT), OpenError::Failed { .. }));
    }

    #[tokio::test]
    async fn what_is_busy_is_tried_again_and_nothing_else_is() {
        for busy in 0..3 {
            let attempts = Cell::new(0);
            let attempt = || async { attempts.replace(attempts.get() + 1) };
            assert_eq!(while_busy(attempt, |number| *number < busy).await, busy);
            assert_eq!(attempts.get(), busy + 1);
        }
    }

    #[tokio::test]
    async fn a_file_that_another_process_has_locked_is_waited_for() {
        let file = std::env::temp_dir().join(format!("grantor-open-{}.db", std::process::id()));
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let mut other = options.connect().await.unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        let unlocks = async {
            // Some attempts fail before that.
            Delay::new(Duration::from_millis(100)).await;
            sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        };
        let first = options.busy_timeout(Duration::from_millis(1)).journal_mode(SqliteJournalMode::Wal);
        let (opened, _) = tokio::join!(connected(&first), unlocks);
        std::fs::remove_file(&file).unwrap();
        opened.unwrap();
    }
}
