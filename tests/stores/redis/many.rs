//! Subjects with many grants, and what is left when all have ended.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use grantor::store::{Filter, Page, RedisStore};
use grantor::{Clock as _, GrantId, MemoryStore, Subject, TokenStore};

use crate::servers::redis::RedisServer;
use crate::support::Fixture;

const MANY: usize = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_twenty_thousand_grants_are_listed_and_ended() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let fixture = Fixture::on(MemoryStore::new().into(), store.clone(), |builder| builder);
    let tasks = (0..100).map(|_| {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            for _ in 0..MANY / 100 {
                fixture.code("conf", "read").await;
            }
        })
    });
    try_join_all(tasks).await.unwrap();

    let filter = Filter::subject(Subject::user("alice"));
    let mut page = Page::first(u32::MAX);
    let mut found: Vec<GrantId> = Vec::new();
    loop {
        let listing = store.list(&filter, page).await.unwrap();
        assert!(listing.records.len() <= 1000, "no page is larger, whatever is asked for");
        found.extend(listing.records.iter().map(|record| record.grant().id()));
        match listing.next {
            Some(last) => page = page.after(last),
            None => break,
        }
    }
    assert!(found.is_sorted());
    assert_eq!(found.iter().collect::<HashSet<_>>().len(), MANY);

    let begun = Instant::now();
    let ended = fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap();
    println!("{ended} grants ended in {:?}", begun.elapsed());
    assert_eq!(fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap(), 0);

    // What has ended leaves nothing behind, in no index.
    fixture.clock.advance(Duration::from_secs(3600));
    while store.purge(fixture.clock.now(), 1000).await.unwrap() > 0 {}
    assert_eq!(server.cli(&["KEYS", "*"]), "grantor:format");
}

#[tokio::test]
async fn an_index_stays_as_small_as_what_lives_though_nobody_purges() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let fixture = Fixture::on(MemoryStore::new().into(), store.clone(), |builder| builder);
    let entries = || -> usize {
        let count = |key: String| server.cli(&["ZCARD", &key]).parse::<usize>().unwrap();
        (0..16).map(|part| count(format!("grantor::a:{{{part:x}}}"))).sum()
    };
    // Each hour 200 tokens, which live for ten minutes.
    let mut largest = 0;
    for _ in 0..10 {
        for _ in 0..200 {
            fixture.token("robot", &[("grant_type", "client_credentials")]).await;
        }
        fixture.clock.advance(Duration::from_secs(3600));
        largest = largest.max(entries());
    }
    assert!((200..500).contains(&largest), "{largest} entries, and 200 live");
}
