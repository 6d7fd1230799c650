//! What is wrong with a server is one clear error at start.

use std::time::Duration;

use grantor::Registrar as _;
use grantor::store::{RedisOptions, RedisStore};

use crate::behaviour;
use crate::servers::redis::{RedisServer, wait_until};

/// The error of opening; it says what to do, on one line, and shows no password.
async fn refused(options: RedisOptions, url: &str) -> String {
    let error = options.connect(url).await.unwrap_err().to_string();
    assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
    error
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_refused() {
    for (url, expected) in [
        ("127.0.0.1:6379", "the Redis URL is wrong"),
        ("http://127.0.0.1", "the Redis URL is wrong"),
        ("redis-cluster://", "it names no node"),
        ("redis://:hunter2@127.0.0.1:1", "no Redis server answers at 127.0.0.1:1"),
        ("redis-cluster://:hunter2@127.0.0.1:1,127.0.0.1:2", "no Redis server answers at 127.0.0.1:2"),
    ] {
        let error = refused(RedisStore::options(), url).await;
        assert!(error.contains(expected), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_wanted() {
    let server = RedisServer::start();
    for scheme in ["rediss", "rediss-cluster"] {
        let error =
            refused(RedisStore::options(), &format!("{scheme}://:hunter2@127.0.0.1:{}", server.port)).await;
        assert!(error.contains("no Redis server answers at 127.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_or_wrong_password_is_refused() {
    let server = RedisServer::with(&["--requirepass", "s3cret"]);
    let url = |password| format!("redis://:{password}@127.0.0.1:{}", server.port);
    for url in [server.url(), url("hunter2")] {
        let error = refused(RedisStore::options(), &url).await;
        assert!(error.contains("correct the user name and the password in the URL"), "{error}");
    }
    RedisStore::connect(&url("s3cret")).await.unwrap();
}

// A connection ends in a task of its own, which a test that waits must not keep out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_closed_has_answered_what_was_asked_and_takes_no_more() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    behaviour::a_closed_store_takes_no_more(&store, store.close()).await;
    // The one that asks.
    wait_until("the connections are closed", || server.cli(&["CLIENT", "LIST"]).lines().count() == 1);
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let server = RedisServer::with(&["--maxmemory-policy", "allkeys-lru"]);
    let error = refused(RedisStore::options(), &server.url()).await;
    assert!(
        error.contains("maxmemory-policy allkeys-lru") && error.contains("set maxmemory-policy noeviction")
    );
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    RedisStore::connect(&server.url()).await.unwrap();
}

#[tokio::test]
async fn a_cluster_and_a_single_server_are_not_taken_for_each_other() {
    let single = RedisServer::start();
    let error = refused(RedisStore::options(), &format!("redis-cluster://127.0.0.1:{}", single.port)).await;
    assert!(error.contains("is not part of a cluster: write redis://"), "{error}");
    let member = RedisServer::with(&["--cluster-enabled", "yes"]);
    let error = refused(RedisStore::options(), &member.url()).await;
    assert!(error.contains("is part of a cluster: write redis-cluster://"), "{error}");
}

#[tokio::test]
async fn a_replica_is_refused() {
    let master = RedisServer::start();
    let replica = RedisServer::with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    let error = refused(RedisStore::options(), &replica.url()).await;
    assert!(error.contains("is a replica, which takes no writes: name its master"), "{error}");
}

#[tokio::test]
async fn a_server_with_too_few_replicas_is_refused() {
    let master = RedisServer::start();
    let waiting = || RedisStore::options().wait_replicas(1, Duration::from_millis(200));
    let error = refused(waiting(), &master.url()).await;
    assert!(error.contains("writes are to wait for 1 replicas, and") && error.contains("has 0"), "{error}");
    let minimum = || RedisStore::options().min_replicas_to_write(1);
    let error = refused(minimum(), &master.url()).await;
    assert!(error.contains("min-replicas-to-write of") && error.contains("is 0: set it to 1"), "{error}");

    let _replica = RedisServer::with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    wait_until("a replica", || master.cli(&["INFO", "replication"]).contains("state=online"));
    master.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    waiting().min_replicas_to_write(1).connect(&master.url()).await.unwrap();
}

#[tokio::test]
async fn records_of_a_later_version_are_refused_and_left_alone() {
    let server = RedisServer::start();
    RedisStore::connect(&server.url()).await.unwrap();
    assert_eq!(server.cli(&["GET", "grantor:format"]), "1");
    server.cli(&["SET", "grantor:format", "2"]);
    let error = refused(RedisStore::options(), &server.url()).await;
    assert!(error.contains("format 2") && error.contains("upgrade grantor"), "{error}");
    assert_eq!(server.cli(&["KEYS", "*"]), "grantor:format");
    RedisStore::options().prefix("another").connect(&server.url()).await.unwrap();
}

#[tokio::test]
async fn the_longest_timeout_is_no_timeout() {
    let server = RedisServer::start();
    let options = RedisStore::options().response_timeout(Duration::MAX);
    let store = options.connect(&server.url()).await.unwrap();
    store.insert(behaviour::client("app")).await.unwrap();
}
