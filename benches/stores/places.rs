//! The stores, each on its own database.

use std::path::PathBuf;
use std::sync::Arc;

use grantor::TokenStore;
use grantor::store::{PostgresStore, RedisStore, SqliteStore};

use crate::servers::postgres::Postgres;
use crate::servers::redis::{RedisCluster, RedisServer};
use crate::servers::watched::fresh_directory;

pub const NAMES: [&str; 4] = ["sqlite", "postgres", "redis", "redis-cluster"];

pub enum Place {
    Sqlite(PathBuf),
    Postgres(Postgres),
    Redis(RedisServer),
    Cluster(RedisCluster),
}

impl Place {
    pub fn start(name: &str) -> Self {
        match name {
            "sqlite" => Self::Sqlite(fresh_directory("bench")),
            "postgres" => Self::Postgres(Postgres::start()),
            "redis" => Self::Redis(RedisServer::start()),
            "redis-cluster" => Self::Cluster(RedisCluster::start()),
            other => panic!("{other}: one of {NAMES:?}"),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite (WAL, synchronous=FULL)",
            Self::Postgres(_) => "postgres (fsync)",
            Self::Redis(_) => "redis (appendfsync everysec)",
            Self::Cluster(_) => "redis-cluster (3 masters, 3 replicas, appendfsync everysec)",
        }
    }

    pub fn is_redis(&self) -> bool {
        matches!(self, Self::Redis(_) | Self::Cluster(_))
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite:{}", directory.join("grants.db").display()),
            Self::Postgres(server) => server.url(),
            Self::Redis(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }

    pub async fn open(&self) -> Arc<dyn TokenStore> {
        let url = self.url();
        match self {
            Self::Sqlite(_) => Arc::new(SqliteStore::open(&url).await.unwrap()),
            Self::Postgres(_) => Arc::new(PostgresStore::connect(&url).await.unwrap()),
            Self::Redis(_) | Self::Cluster(_) => Arc::new(RedisStore::connect(&url).await.unwrap()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Sqlite(directory) = self {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}
