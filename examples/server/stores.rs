//! `--store`: from an address to everything that is kept there.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use grantor::keys::{KeyStore, MemoryKeyStore};
use grantor::store::{PostgresStore, RedisStore, SqliteStore};
use grantor::{MemoryRegistry, MemoryStore, Registrar, ReplayGuard, TokenStore};

/// What this server keeps.
pub(crate) struct Stores {
    pub(crate) grants: Arc<dyn TokenStore>,
    /// The applications that developers register; those of the configuration file stay there.
    pub(crate) clients: Arc<dyn Registrar>,
    /// What works once and has been used.
    pub(crate) replays: Arc<dyn ReplayGuard>,
    /// Where the signing keys are, unless `[keys]` names a file.
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) connections: Connections,
}

/// What all of it goes through.
pub(crate) enum Connections {
    None,
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
    Redis(RedisStore),
}

impl Connections {
    /// Waits for what has begun, but not long, and closes the store: the last process that closes a file of
    /// SQLite leaves no log beside it.
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

/// A database that does not answer does not keep the process from ending.
const CLOSING: Duration = Duration::from_secs(5);

/// The addresses that there are, for people.
pub(crate) const KNOWN: &str = "memory, sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE, redis://HOST, \
    redis-cluster://HOST:PORT,HOST:PORT";

/// A write that waits for replicas waits no longer; then its outcome is unknown.
const REPLICATION: Duration = Duration::from_millis(500);

/// What is wrong with an address, as far as that shows without opening it.
pub(crate) fn mistake(address: &str) -> Option<String> {
    let scheme = address.split(':').next().unwrap_or_default();
    match scheme {
        "memory" | "sqlite" | "postgres" | "postgresql" | "redis" | "rediss" | "redis-cluster"
        | "rediss-cluster" => None,
        _ => Some(format!("store: {scheme:?} is unknown; this server has {KNOWN}")),
    }
}

impl Stores {
    /// # Errors
    /// One line that says what is wrong and what to do. It repeats no password.
    pub(crate) async fn open(address: &str) -> Result<Self, String> {
        if let Some(mistake) = mistake(address) {
            return Err(mistake);
        }
        match address.split(':').next().unwrap_or_default() {
            "memory" => {
                let store = Arc::new(MemoryStore::new());
                Ok(Self {
                    grants: store.clone(),
                    clients: Arc::new(MemoryRegistry::default()),
                    replays: store,
                    keys: Arc::new(MemoryKeyStore::new()),
                    connections: Connections::None,
                })
            }
            "sqlite" => {
                let store = SqliteStore::open(address).await.map_err(one_line)?;
                Ok(Self::of(store, Connections::Sqlite))
            }
            "postgres" | "postgresql" => {
                let store = PostgresStore::connect(address).await.map_err(one_line)?;
                Ok(Self::of(store, Connections::Postgres))
            }
            _ => Ok(Self::of(redis(address).await?, Connections::Redis)),
        }
    }

    /// One database for all of it.
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

/// `?wait_replicas=1` behind the address makes each write wait for that many replicas.
async fn redis(address: &str) -> Result<RedisStore, String> {
    let (address, replicas) = match address.split_once("?wait_replicas=") {
        None => (address, 0),
        Some((address, replicas)) => {
            (address, replicas.parse().map_err(|_| "store: wait_replicas takes a number".to_owned())?)
        }
    };
    let options = RedisStore::options().wait_replicas(replicas, REPLICATION);
    options.connect(address).await.map_err(one_line)
}

fn one_line(error: impl Display) -> String {
    format!("store: {error}")
}
