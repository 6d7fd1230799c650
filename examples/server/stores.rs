//! `--store`: opens the stores at an address.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use grantor::keys::{KeyStore, MemoryKeyStore};
use grantor::store::{PostgresOptions, PostgresStore, RedisOptions, RedisStore, SqliteOptions, SqliteStore};
use grantor::{MemoryRegistry, MemoryStore, Registrar, ReplayGuard, TokenStore};

/// The stores of this server.
pub(crate) struct Stores {
    pub(crate) grants: Arc<dyn TokenStore>,
    /// The applications that developers register; those of the configuration file are not stored.
    pub(crate) clients: Arc<dyn Registrar>,
    /// The single-use values that have been used.
    pub(crate) replays: Arc<dyn ReplayGuard>,
    /// Where the signing keys are, unless `[keys]` names a file.
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) connections: Connections,
}

/// The connections of the stores.
pub(crate) enum Connections {
    None,
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
    Redis(RedisStore),
}

impl Connections {
    /// Waits a short time for pending work, then closes the store: the last process that closes a SQLite file
    /// leaves no log next to it.
    pub(crate) async fn close(&self) {
        let closed = async {
            match self {
                Self::None => {}
                Self::Sqlite(store) => store.close().await,
                Self::Postgres(store) => store.close().await,
                Self::Redis(store) => store.close().await,
            }
        };
        let _ = tokio::time::timeout(CLOSING, closed).await;
    }
}

/// A database that does not respond must not keep the process from ending.
const CLOSING: Duration = Duration::from_secs(5);

/// The supported addresses, for people.
pub(crate) const KNOWN: &str = "memory, sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE, redis://HOST, \
    redis-cluster://HOST:PORT,HOST:PORT";

/// How long a write waits for replicas; after that, its outcome is unknown.
const REPLICATION: Duration = Duration::from_millis(500);

/// What is wrong with an address, as far as this can be seen without opening it.
pub(crate) fn mistake(address: &str) -> Option<String> {
    match address.split(':').next().unwrap_or_default() {
        "memory" if address == "memory" => None,
        "memory" => Some("store: memory stands alone".to_owned()),
        "sqlite" => SqliteOptions::new(address).check().map_err(one_line).err(),
        "postgres" | "postgresql" => PostgresOptions::new(address).check().map_err(one_line).err(),
        "redis" | "rediss" | "redis-cluster" | "rediss-cluster" => {
            redis(address).and_then(|(options, url)| options.check(url).map_err(one_line)).err()
        }
        _ => {
            // Its other parts may be a password.
            let scheme = address.split([':', '/', '?', '@']).next().unwrap_or_default();
            Some(format!("store: {scheme:?} is unknown; the known stores are {KNOWN}"))
        }
    }
}

/// Whether nodes on several machines can share the store at this address.
pub(crate) fn is_shared(address: &str) -> bool {
    !matches!(address.split(':').next(), Some("memory" | "sqlite"))
}

impl Stores {
    /// # Errors
    /// One line that says what is wrong and what to do. It does not contain the password.
    pub(crate) async fn open(address: &str) -> Result<Self, String> {
        if let Some(mistake) = mistake(address) {
            return Err(mistake);
        }
        match address.split(':').next().unwrap_or_default() {
            "memory" => Ok(Self::memory()),
            "sqlite" => {
                let store = SqliteStore::open(address).await.map_err(one_line)?;
                Ok(Self::of(store, Connections::Sqlite))
            }
            "postgres" | "postgresql" => {
                let store = PostgresStore::connect(address).await.map_err(one_line)?;
                Ok(Self::of(store, Connections::Postgres))
            }
            _ => {
                let (options, url) = redis(address)?;
                let store = options.connect(url).await.map_err(one_line)?;
                Ok(Self::of(store, Connections::Redis))
            }
        }
    }

    /// Everything in this process.
    pub(crate) fn memory() -> Self {
        let store = Arc::new(MemoryStore::new());
        Self {
            grants: store.clone(),
            clients: Arc::new(MemoryRegistry::default()),
            replays: store,
            keys: Arc::new(MemoryKeyStore::new()),
            connections: Connections::None,
        }
    }

    /// One database for everything.
    fn of<S>(store: S, connections: fn(S) -> Connections) -> Self
    where
        S: TokenStore + Registrar + ReplayGuard + KeyStore + Clone + 'static,
    {
        Self {
            grants: Arc::new(store.clone()),
            clients: Arc::new(store.clone()),
            replays: Arc::new(store.clone()),
            keys: Arc::new(store.clone()),
            connections: connections(store),
        }
    }
}

/// The options in an address of Redis, and its URL. `?wait_replicas=1` at the end of the address makes each
/// write wait for that many replicas.
fn redis(address: &str) -> Result<(RedisOptions, &str), String> {
    let (url, replicas) = match address.split_once("?wait_replicas=") {
        None => (address, 0),
        Some((url, replicas)) => {
            (url, replicas.parse().map_err(|_| "store: wait_replicas must be a number".to_owned())?)
        }
    };
    Ok((RedisStore::options().wait_replicas(replicas, REPLICATION), url))
}

fn one_line(error: impl Display) -> String {
    format!("store: {error}")
}
