//! The stores that every proof runs on.

use std::sync::Arc;

use grantor::keys::KeyStore;
use grantor::store::{PostgresOptions, PostgresStore, RedisStore, SqliteStore};
use grantor::{Registrar, ReplayGuard, TokenStore};

use crate::folder::Folder;
use crate::servers::pgbouncer::PgBouncer;
use crate::servers::postgres::Postgres;
use crate::servers::redis::{RedisCluster, RedisServer};

/// All that a store is asked for while requests come in.
pub trait Everything: TokenStore + ReplayGuard + Registrar {}

impl<T: TokenStore + ReplayGuard + Registrar> Everything for T {}

pub type AnyStore = Arc<dyn Everything>;

/// A database of our own, which goes with this value.
pub enum Place {
    Sqlite(Folder),
    Postgres(Postgres),
    /// By way of a PgBouncer in the mode `transaction`.
    Pooled(Postgres, PgBouncer),
    Redis(RedisServer),
    Cluster(RedisCluster),
}

impl Place {
    pub fn sqlite() -> Self {
        Self::Sqlite(Folder::new())
    }

    pub fn postgres() -> Self {
        Self::Postgres(Postgres::start())
    }

    pub fn pooled() -> Self {
        let server = Postgres::start();
        let pooler = PgBouncer::before(&server);
        Self::Pooled(server, pooler)
    }

    pub fn redis() -> Self {
        Self::Redis(RedisServer::with(&["--appendfsync", "always"]))
    }

    pub fn cluster() -> Self {
        Self::Cluster(RedisCluster::with(&["--appendfsync", "always"]))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
            Self::Pooled(..) => "pgbouncer",
            Self::Redis(_) => "redis",
            Self::Cluster(_) => "redis-cluster",
        }
    }

    /// Where its only server listens.
    pub fn port(&self) -> u16 {
        match self {
            Self::Postgres(server) => server.port,
            Self::Redis(server) => server.port,
            Self::Sqlite(_) | Self::Pooled(..) | Self::Cluster(_) => {
                panic!("{} has not one server", self.name())
            }
        }
    }

    /// The same by way of another port.
    pub fn url_by(&self, port: u16) -> String {
        self.url().replace(&format!(":{}", self.port()), &format!(":{port}"))
    }

    /// As `examples/server --store` takes it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.file("grants.db")),
            Self::Postgres(server) => server.url(),
            Self::Pooled(server, pooler) => format!("{POOLED}{}", pooler.url_of(&server.url())),
            Self::Redis(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }
}

/// Opens the store at this address with only two connections, where it has a pool.
pub async fn open_small(url: &str) -> AnyStore {
    match url.split(':').next() {
        Some("postgres") => Arc::new(PostgresOptions::new(url).connections(2).connect().await.unwrap()),
        _ => open(url).await,
    }
}

/// Before the URL of a server that is reached by a pooler of transactions.
const POOLED: &str = "pooled:";

/// Opens the store at this address, as one node of many.
pub async fn open(url: &str) -> AnyStore {
    if let Some(url) = url.strip_prefix(POOLED) {
        let options = PostgresOptions::new(url).transaction_pooling(true);
        return Arc::new(options.connect().await.unwrap());
    }
    match url.split(':').next() {
        Some("sqlite") => Arc::new(SqliteStore::open(url).await.unwrap()),
        Some("postgres") => Arc::new(PostgresStore::connect(url).await.unwrap()),
        _ => Arc::new(RedisStore::connect(url).await.unwrap()),
    }
}

/// The signing keys of the nodes of this store.
pub async fn open_keys(url: &str) -> Arc<dyn KeyStore> {
    match url.split(':').next() {
        Some("sqlite") => Arc::new(SqliteStore::open(url).await.unwrap()),
        Some("postgres") => Arc::new(PostgresStore::connect(url).await.unwrap()),
        _ => Arc::new(RedisStore::connect(url).await.unwrap()),
    }
}
