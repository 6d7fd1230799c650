//! What a failure says: nothing happened, nothing will, or no one knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grantor::client::ClientPage;
use grantor::store::{CommitError, Filter, Page, Record, RedisStore, Tombstone, Write};
use grantor::{BackendError, Clock as _, MemoryStore, Registrar as _, TokenStore};

use crate::behaviour;
use crate::servers::proxy::{Cut, Proxy};
use crate::servers::redis::{RedisCluster, RedisServer, wait_until};
use crate::support::Fixture;

const SOON: Duration = Duration::from_millis(300);

/// A store that gives up early, a server of ours on it, and a grant.
async fn with_a_grant(server: &RedisServer) -> (RedisStore, Fixture, Record) {
    with_a_grant_at(&server.url()).await
}

async fn with_a_grant_at(url: &str) -> (RedisStore, Fixture, Record) {
    let store = RedisStore::options().response_timeout(SOON).connect(url).await.unwrap();
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), store.clone(), |builder| builder);
    fixture.code("conf", "read").await;
    let mut records = store.list(&Filter::default(), Page::first(1)).await.unwrap().records;
    (store, fixture, records.remove(0))
}

/// The end of the grant, as a write.
fn end(record: &Record, fixture: &Fixture) -> Write {
    let now = fixture.clock.now();
    Write::replace(record.version(), record.grant().clone().revoke(now), now)
}

async fn failed(store: &RedisStore, write: &Write) -> BackendError {
    match store.commit(write).await {
        Err(CommitError::Store(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn is_transient(error: &BackendError) -> bool {
    !error.is_permanent() && !error.is_unknown_outcome()
}

#[tokio::test]
async fn what_a_server_refuses_for_now_did_not_happen() {
    let server = RedisServer::start();
    let (store, fixture, record) = with_a_grant(&server).await;
    let write = end(&record, &fixture);
    for (refuse, allow, code) in [
        (["maxmemory", "1"], ["maxmemory", "0"], "OOM"),
        (["min-replicas-to-write", "1"], ["min-replicas-to-write", "0"], "NOREPLICAS"),
    ] {
        server.cli(&["CONFIG", "SET", refuse[0], refuse[1]]);
        let error = failed(&store, &write).await;
        assert!(is_transient(&error) && error.to_string().contains(code), "{error}");
        server.cli(&["CONFIG", "SET", allow[0], allow[1]]);
        assert_eq!(store.load(write.id()).await.unwrap().unwrap().version(), record.version());
    }

    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = failed(&store, &write).await;
    assert!(is_transient(&error) && error.to_string().contains("READONLY"), "{error}");
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    let _ = store.commit(&write).await.unwrap();
}

#[tokio::test]
async fn a_refusal_that_passes_in_time_is_not_seen_at_all() {
    let server = RedisServer::start();
    let (store, fixture, record) = with_a_grant(&server).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let write = end(&record, &fixture);
    let (committed, ()) = tokio::join!(store.commit(&write), async {
        tokio::time::sleep(SOON / 3).await;
        server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    });
    let _ = committed.unwrap();
}

#[tokio::test]
async fn what_no_retry_mends_is_permanent() {
    let server = RedisServer::start();
    let (store, fixture, record) = with_a_grant(&server).await;
    let key = format!("grantor::g:{{{}}}", record.grant().id());
    assert_eq!(server.cli(&["EXISTS", &key]), "1");
    for spoil in [&["SET", &key, "no record"][..], &["DEL", &key], &["LPUSH", &key, "no record"]] {
        server.cli(spoil);
        if spoil[0] == "DEL" {
            continue;
        }
        assert!(failed(&store, &end(&record, &fixture)).await.is_permanent());
        assert!(store.load(record.grant().id()).await.unwrap_err().is_permanent());
    }
}

#[tokio::test]
async fn a_write_that_is_not_answered_may_have_happened_and_is_not_sent_again() {
    let server = RedisServer::start();
    let (store, fixture, record) = with_a_grant(&server).await;
    let write = end(&record, &fixture);
    server.freeze(true);
    // A read that is not answered did nothing.
    assert!(is_transient(&store.load(write.id()).await.unwrap_err()));
    server.freeze(false);
    store.load(write.id()).await.unwrap();

    server.freeze(true);
    // The server is back while a second attempt could still be made.
    let (error, ()) = tokio::join!(failed(&store, &write), async {
        tokio::time::sleep(SOON * 3 / 2).await;
        server.freeze(false);
    });
    assert!(error.is_unknown_outcome(), "{error}");

    // It had arrived, once: the version is the next one, and a second try is a conflict.
    let stored = store.load(write.id()).await.unwrap().unwrap();
    assert_eq!(stored.version(), record.version() + 1);
    assert!(matches!(store.commit(&write).await, Err(CommitError::Conflict)));
}

#[tokio::test]
async fn a_write_whose_connection_is_cut_is_not_sent_again() {
    let (single, cluster) = (RedisServer::start(), RedisCluster::start());
    for url in [single.url(), cluster.url()] {
        let (store, fixture, record) = with_a_grant_at(&url).await;
        let key = format!("grantor::g:{{{}}}", record.grant().id());
        let server = if url == single.url() { &single } else { &cluster.nodes[cluster.master_of(&key)] };
        // The server has read the write, and has not begun with it, when the connection goes.
        server.cli(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        let write = end(&record, &fixture);
        let (error, ()) = tokio::join!(failed(&store, &write), async {
            tokio::time::sleep(SOON / 3).await;
            server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            server.cli(&["CLIENT", "UNPAUSE"]);
        });
        assert!(error.is_unknown_outcome(), "{url}: {error}");
        tokio::time::sleep(SOON).await;
        let stored = store.load(write.id()).await.unwrap().unwrap();
        assert_eq!(stored.version(), record.version(), "{url}");
        let _ = store.commit(&write).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_grant_whose_indexes_are_uncertain_is_not_confirmed() {
    let (single, cluster) = (RedisServer::start(), RedisCluster::start());
    for url in [single.url(), cluster.url()] {
        let (store, fixture, _) = with_a_grant_at(&url).await;
        // The index of all grants cannot take an entry; the grants themselves can.
        for part in 0..16 {
            let key = format!("grantor::a:{{{part:x}}}");
            let node = if url == single.url() { &single } else { &cluster.nodes[cluster.master_of(&key)] };
            node.cli(&["DEL", &key]);
            node.cli(&["SET", &key, "no index"]);
        }
        let ask = fixture.token("robot", &[("grant_type", "client_credentials")]).await;
        if url == single.url() {
            // One step, which was refused as a whole.
            assert_eq!(ask.error(), (500, "server_error".to_owned()));
            assert_eq!(single.cli(&["--scan", "--pattern", "grantor::g:*"]).lines().count(), 1);
        } else {
            // The grant may be there.
            assert_eq!(ask.error(), (503, "temporarily_unavailable".to_owned()));
        }
        drop(store);
    }
}

#[tokio::test]
async fn a_write_that_its_replica_does_not_have_may_be_lost() {
    let master = RedisServer::start();
    let replica = RedisServer::with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    wait_until("a replica", || master.cli(&["INFO", "replication"]).contains("state=online"));
    let options = RedisStore::options().wait_replicas(1, SOON);
    let store = options.response_timeout(SOON).connect(&master.url()).await.unwrap();
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), store.clone(), |builder| builder);
    fixture.code("conf", "read").await;
    let record = store.list(&Filter::default(), Page::first(1)).await.unwrap().records.remove(0);

    replica.freeze(true);
    let error = failed(&store, &end(&record, &fixture)).await;
    assert!(error.is_unknown_outcome() && error.to_string().contains("reached 0 of 1 replicas"), "{error}");
    replica.freeze(false);
    let answer = fixture.token("robot", &[("grant_type", "client_credentials")]).await;
    assert_eq!(answer.status(), 200, "{:?}", answer.json());
}

#[tokio::test]
async fn a_killed_server_is_found_again_without_a_restart() {
    let mut server = RedisServer::start();
    let (store, _, record) = with_a_grant(&server).await;
    // The new connection is replaced like the first one.
    for _ in 0..2 {
        server.kill();
        assert!(is_transient(&store.load(record.grant().id()).await.unwrap_err()));
        assert!(is_transient(&store.load(record.grant().id()).await.unwrap_err()));
        server.restart();
        let back = Instant::now();
        let mut refused = 0;
        while store.load(record.grant().id()).await.is_err() {
            refused += 1;
            assert!(refused < 10, "the store does not come back");
        }
        println!("back after {:?}, and {refused} more refusals", back.elapsed());
        assert_eq!(store.load(record.grant().id()).await.unwrap().unwrap().version(), record.version());
    }
}

#[tokio::test]
async fn an_end_that_was_lost_once_is_uncertain_although_it_is_refused_later() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port).await;
    let (store, fixture, record) = with_a_grant_at(&format!("redis://127.0.0.1:{}", proxy.port)).await;
    let end = Tombstone::of(record.grant().clone(), fixture.clock.now());
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(is_transient(&store.end(&end).await.unwrap_err()));
    proxy.arm(0, Cut::BeforeRequest);
    let error = store.end(&end).await.unwrap_err();
    assert!(proxy.disarm() && error.is_unknown_outcome() && error.to_string().contains("OOM"), "{error}");
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    let _ = store.end(&end).await.unwrap();
}

#[tokio::test]
async fn a_client_that_cannot_be_read_for_now_does_not_count_as_damaged() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port).await;
    let options = RedisStore::options().response_timeout(SOON);
    let store = options.connect(&format!("redis://127.0.0.1:{}", proxy.port)).await.unwrap();
    store.insert(behaviour::client("app")).await.unwrap();
    assert_eq!(store.clients(&ClientPage::first(1)).await.unwrap().next, None, "the page is the last one");
    // The index can be read, and the clients cannot.
    proxy.refuse(b"\r\nGET\r\n");
    let error = store.clients(&ClientPage::first(1)).await.unwrap_err();
    assert!(is_transient(&error), "{error}");
}
