//! A cluster that loses a master while it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use grantor::store::{Filter, Page, RedisStore};
use grantor::{ClientId, MemoryStore, TokenStore};

use crate::servers::redis::RedisCluster;
use crate::support::Fixture;

/// What traffic saw.
#[derive(Default)]
struct Seen {
    tokens: std::sync::Mutex<Vec<String>>,
    refused: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_that_was_answered_is_lost_when_writes_wait_for_a_replica() {
    let mut cluster = RedisCluster::start();
    let options = RedisStore::options().wait_replicas(1, Duration::from_millis(500));
    let store = options.connect(&cluster.url()).await.unwrap();
    let fixture = Fixture::on(MemoryStore::new().into(), store.clone(), |builder| builder);
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let traffic: Vec<_> = (0..8)
        .map(|_| {
            let (fixture, seen, stop) = (fixture.clone(), Arc::clone(&seen), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let answer = fixture.token("robot", &[("grant_type", "client_credentials")]).await;
                    match answer.status() {
                        200 => seen.tokens.lock().unwrap().push(answer.access_token()),
                        503 => drop(seen.refused.fetch_add(1, Ordering::SeqCst)),
                        other => panic!("{other}: {}", answer.json()),
                    }
                }
            })
        })
        .collect();

    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = seen.tokens.lock().unwrap().len();
    let master = cluster.master_of("grantor::a:{3}");
    let killed = Instant::now();
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.fail_over(master);
        cluster
    });
    let mut cluster = cluster.await.unwrap();
    println!("failed over in {:?}", killed.elapsed());
    // The killed server comes back as a replica: without one, no write to the new master is confirmed.
    tokio::task::block_in_place(|| cluster.come_back(master));
    let back = Instant::now();
    let mut asked = 0;
    let answer = loop {
        let answer = fixture.token("robot", &[("grant_type", "client_credentials")]).await;
        asked += 1;
        assert!(asked < 20, "no token any more");
        if answer.status() == 200 {
            break answer;
        }
    };
    println!("the first token {:?} after the cluster is whole again, asked {asked} times", back.elapsed());
    seen.tokens.lock().unwrap().push(answer.access_token());
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::SeqCst);
    for task in traffic {
        task.await.unwrap();
    }

    let tokens = std::mem::take(&mut *seen.tokens.lock().unwrap());
    let refused = seen.refused.load(Ordering::SeqCst);
    println!("{} tokens, {before} before; {refused} requests refused", tokens.len());
    assert!(before > 0 && tokens.len() > before && refused > 0);
    let mut lost = 0;
    for token in &tokens {
        lost += usize::from(!said(&fixture, token).await);
    }
    assert_eq!(lost, 0, "of {}", tokens.len());

    let (mut page, mut listed) = (Page::first(1000), 0);
    loop {
        let listing = store.list(&Filter::client(ClientId::new("robot")), page).await.unwrap();
        listed += listing.records.len();
        let Some(last) = listing.next else { break };
        page = page.after(last);
    }
    assert!(listed >= tokens.len(), "{listed} of {} are in the client's index", tokens.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_master_is_left_for_its_successor() {
    let cluster = RedisCluster::start();
    // The successor has what was written before the master freezes.
    let store = RedisStore::options().wait_replicas(1, Duration::from_secs(10));
    let store = store.response_timeout(Duration::from_millis(300));
    let store = store.connect(&cluster.url()).await.unwrap();
    let fixture = Fixture::on(MemoryStore::new().into(), store.clone(), |builder| builder);
    let token = fixture.tokens("conf", "read").await.access_token();
    let record = store.list(&Filter::default(), Page::first(1)).await.unwrap().records.remove(0);
    let id = record.grant().id();
    let master = cluster.master_of(&format!("grantor::g:{{{id}}}"));

    cluster.nodes[master].freeze(true);
    let frozen = Instant::now();
    let mut refused = 0;
    while store.load(id).await.is_err() {
        refused += 1;
        assert!(refused < 100, "nobody took over");
    }
    println!("served by the successor after {:?}", frozen.elapsed());
    assert!(said(&fixture, &token).await);
    cluster.nodes[master].freeze(false);
}

/// Whether it is live, as soon as the store can say.
async fn said(fixture: &Fixture, token: &str) -> bool {
    for _ in 0..100 {
        if let Some(said) = fixture.says_live(token).await {
            return said;
        }
    }
    panic!("nobody says whether a token is live");
}
