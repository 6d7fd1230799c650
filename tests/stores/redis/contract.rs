//! The contract suites, as a user would run them.

use grantor::store::RedisStore;

use crate::contract::keeps_every_contract;
use crate::servers::redis::{RedisCluster, RedisServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_keeps_every_contract() {
    let server = RedisServer::start();
    keeps_every_contract(RedisStore::connect(&server.url()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_every_contract() {
    let cluster = RedisCluster::start();
    keeps_every_contract(RedisStore::connect(&cluster.url()).await.unwrap()).await;
}
