//! What a sweep removes, on a single server and in a cluster, and what a listing walks over.

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use grantor::grant::Grant;
use grantor::store::{Filter, Page, RedisStore, Write};
use grantor::{ClientId, GrantId, Subject, TokenStore};

use crate::servers::redis::{RedisCluster, RedisServer};

async fn on_both(test: impl AsyncFn(&RedisStore)) {
    let (single, cluster) = (RedisServer::start(), RedisCluster::without_replicas());
    for url in [single.url(), cluster.url()] {
        test(&RedisStore::connect(&url).await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_purge_removes_all_that_it_may_and_no_more() {
    on_both(async |store| {
        let few = (0..2).map(|number| id(0, number));
        let many = (0..150).map(|number| id(1, number));
        insert(store, few.chain(many).map(|id| grant(id, "app", 10)), 0).await;
        assert_eq!(store.purge(at(11), 3).await.unwrap(), 3);
        assert_eq!(store.purge(at(11), 1_000).await.unwrap(), 149);
        assert_eq!(store.purge(at(11), 1_000).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_lives_longer_than_it_seemed_is_not_looked_at_for_ever() {
    on_both(async |store| {
        // As many as a sweep looks at together.
        let ids: Vec<_> = (0..100).map(|number| id(0, number)).collect();
        insert(store, ids.iter().map(|id| grant(*id, "app", 10)), 0).await;
        let longer: Vec<_> = ids.iter().map(|id| Write::replace(0, grant(*id, "app", 100), at(5))).collect();
        try_join_all(longer.iter().map(|write| store.commit(write))).await.unwrap();
        assert_eq!(store.purge(at(11), 1_000).await.unwrap(), 0);
        assert_eq!(store.purge(at(101), 1_000).await.unwrap(), 100);
    })
    .await;
}

#[tokio::test]
async fn a_new_grant_removes_some_that_nobody_purged() {
    on_both(async |store| {
        let ids = [0, 1, 2].map(|number| id(0, number));
        insert(store, ids.iter().map(|id| grant(*id, "app", 10)), 0).await;
        // One id in four looks for others.
        let (tidies, later) = (GrantId::new([0; 16]), 2 * 24 * 60 * 60);
        insert(store, [grant(tidies, "app", later + 10)], later).await;
        for id in ids {
            assert!(store.load(id).await.unwrap().is_none());
        }
        assert!(store.load(tidies).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_page_without_a_match_is_not_the_last_one() {
    on_both(async |store| {
        let others = (0..100).map(|number| grant(id(0, number), "other", 10));
        insert(store, others.chain([grant(id(1, 0), "app", 10)]), 0).await;
        let filter = Filter::pair(Subject::user("u"), ClientId::new("app"));
        let (mut page, mut found) = (Page::first(1), Vec::new());
        for turn in 0.. {
            let listing = store.list(&filter, page).await.unwrap();
            assert!(turn > 0 || listing.is_empty(), "the first pages have none");
            found.extend(listing.records.iter().map(|record| record.grant().id()));
            let Some(last) = listing.next else { break };
            page = page.after(last);
        }
        assert_eq!(found, [id(1, 0)]);
    })
    .await;
}

#[tokio::test]
async fn grants_with_two_entries_in_an_index_hide_no_others() {
    on_both(async |store| {
        let ids: Vec<_> = (0..10).map(|number| id(0, number)).collect();
        insert(store, ids.iter().map(|id| grant(*id, "app", 10)), 0).await;
        // An entry says when the grant expires, and the old one stays.
        for id in &ids[..8] {
            drop(store.commit(&Write::reindex(0, grant(*id, "app", 100), at(5))).await.unwrap());
        }
        let (mut page, mut found) = (Page::first(3), Vec::new());
        loop {
            let listing = store.list(&Filter::client(ClientId::new("app")), page).await.unwrap();
            found.extend(listing.records.iter().map(|record| record.grant().id()));
            let Some(last) = listing.next else { break };
            page = page.after(last);
        }
        assert_eq!(found, ids);
    })
    .await;
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// The indexes have a part for each first half of a byte.
fn id(part: u8, number: u8) -> GrantId {
    GrantId::new([part << 4, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
}

/// An ended grant that expires at this time, in seconds.
fn grant(id: GrantId, client: &str, until: i64) -> Grant {
    let body = format!(
        r#"{{"v":1,"client":"{client}","subject":{{"user":"u"}},"created":0,"ends":0,
            "stage":{{"ended":{{"at":0,"until":{}}}}}}}"#,
        at(until).timestamp()
    );
    Grant::decode(id, &body).unwrap()
}

async fn insert(store: &RedisStore, grants: impl IntoIterator<Item = Grant>, now: i64) {
    let writes: Vec<_> = grants.into_iter().map(|grant| Write::insert(grant, at(now))).collect();
    try_join_all(writes.iter().map(|write| store.commit(write))).await.unwrap();
}
