//! Races for one pushed request (RFC 9126) on every store: 64 users say yes at a time, and one code leaves.

use std::sync::Arc;

use grantor::store::{PostgresStore, RedisStore, SqliteStore};
use grantor::{MemoryStore, TokenStore};

use crate::folder::Folder;
use crate::servers::postgres::Postgres;
use crate::servers::redis::{RedisCluster, RedisServer};
use crate::support::Fixture;
use crate::support::pushing::one_has_a_code;

async fn on(store: impl TokenStore + 'static) {
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), store, |builder| builder);
    one_has_a_code(&fixture, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_approvals_of_one_request_one_has_a_code_on_sqlite() {
    let folder = Folder::new();
    on(SqliteStore::open(&folder.file("pushed.db")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_approvals_of_one_request_one_has_a_code_on_postgres() {
    let server = Postgres::start();
    on(PostgresStore::connect(&server.database()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_approvals_of_one_request_one_has_a_code_on_redis() {
    let server = RedisServer::start();
    on(RedisStore::connect(&server.url()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_approvals_of_one_request_one_has_a_code_on_a_redis_cluster() {
    let cluster = RedisCluster::start();
    on(RedisStore::connect(&cluster.url()).await.unwrap()).await;
}
