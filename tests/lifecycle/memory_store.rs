//! The memory store beyond its contract: bounded, purging as it goes, and never long under a lock.

use chrono::{DateTime, Utc};
use grantor::store::contract::Suite;
use grantor::store::{CommitError, Filter, Page, Record, ReplayKey, Write};
use grantor::{ClientId, GrantId, MemoryStore, ReplayGuard, TokenStore};

#[test]
fn a_small_store_keeps_the_contract() {
    Suite::new(MemoryStore::small()).tasks(8).rounds(5).run_blocking().unwrap();
}

#[tokio::test]
async fn a_small_store_is_an_honest_replay_guard() {
    Suite::new(MemoryStore::small()).tasks(8).rounds(5).check_replay_guard().await.unwrap();
}

#[tokio::test]
async fn a_full_replay_guard_refuses_new_keys_until_the_old_ones_have_expired() {
    const PLACES: u32 = 16 * 1024;
    let store = MemoryStore::small();
    let key = |number: u32| ReplayKey::new("jti", &number.to_string());
    for number in 0..PLACES {
        assert!(store.first_use(&key(number), at(60), at(0)).await.unwrap());
    }
    let full = store.first_use(&key(PLACES), at(120), at(59)).await.unwrap_err();
    assert!(!full.is_permanent());
    assert!(!store.first_use(&key(0), at(120), at(59)).await.unwrap(), "it still knows the old ones");
    assert!(store.first_use(&key(PLACES), at(120), at(60)).await.unwrap());
    assert!(!store.first_use(&key(PLACES), at(120), at(60)).await.unwrap());
}

#[tokio::test]
async fn a_full_store_refuses_new_grants_and_takes_changes() {
    let store = MemoryStore::with_limit(256);
    insert(&store, 1, at(60), at(0)).await.unwrap();
    let full = insert(&store, 2, at(60), at(0)).await;
    assert!(matches!(full, Err(CommitError::Store(error)) if !error.is_permanent()));
    assert!(store.try_load(id(2)).unwrap().is_none());
    let _ = store.commit(&Write::replace(0, grant(1, at(90)), at(0))).await.unwrap();
    assert_eq!(version(&store, 1), Some(1));
}

#[tokio::test]
async fn a_full_store_has_room_again_when_something_expired() {
    let store = MemoryStore::with_limit(256);
    insert(&store, 1, at(60), at(0)).await.unwrap();
    assert!(insert(&store, 2, at(120), at(59)).await.is_err());
    insert(&store, 2, at(120), at(60)).await.unwrap();
    assert_eq!((version(&store, 1), version(&store, 2)), (None, Some(0)));
}

#[tokio::test]
async fn a_grant_that_was_ended_early_makes_room_early() {
    let store = MemoryStore::with_limit(256);
    insert(&store, 1, at(1000), at(0)).await.unwrap();
    assert!(insert(&store, 2, at(1000), at(10)).await.is_err());
    let _ = store.commit(&Write::replace(0, grant(1, at(20)), at(10))).await.unwrap();
    insert(&store, 2, at(1000), at(20)).await.unwrap();
}

#[tokio::test]
async fn memory_follows_the_live_grants_and_no_live_one_goes() {
    let store = MemoryStore::new();
    let (per_second, lifetime) = (20, 60);
    for n in 0..40_000_u128 {
        let now = (n / per_second) as i64;
        insert(&store, spread(n), at(now + lifetime), at(now)).await.unwrap();
    }
    let live = per_second as usize * lifetime as usize;
    assert!(store.len() < live + 256 * 64, "{} grants for {live} live ones", store.len());
    for n in 40_000 - live as u128..40_000 {
        assert_eq!(version(&store, spread(n)), Some(0), "{n}");
    }
}

#[tokio::test]
async fn a_purge_goes_on_where_the_last_one_stopped() {
    let store = MemoryStore::new();
    for n in 0..5_500_u128 {
        let expires = if n % 11 == 0 { at(1000) } else { at(10) };
        insert(&store, spread(n), expires, at(0)).await.unwrap();
    }
    let mut gone = Vec::new();
    for _ in 0..7 {
        gone.push(store.purge(at(11), 1000).await.unwrap());
    }
    assert_eq!(gone, [1000, 1000, 1000, 1000, 1000, 0, 0]);
    assert_eq!(store.len(), 500);
    assert_eq!(store.purge(at(1001), 1000).await.unwrap(), 500);
    assert!(store.is_empty());

    // Two in one shard, and one in the last.
    for n in [0, 1, u128::MAX] {
        insert(&store, n, at(10), at(0)).await.unwrap();
    }
    assert_eq!(store.purge(at(11), 3).await.unwrap(), 3);
    for n in [0, 1, u128::MAX] {
        insert(&store, n, at(10), at(0)).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(store.purge(at(11), 1).await.unwrap(), 1);
    }
    assert_eq!(version(&store, u128::MAX), Some(0), "the shard that was not finished comes first");
}

#[tokio::test]
async fn pages_go_through_all_grants_in_the_order_of_their_ids() {
    let store = MemoryStore::new();
    let mut ids: Vec<GrantId> = (0..2_000).map(|n| id(spread(n))).collect();
    for n in 0..2_000 {
        insert(&store, spread(n), at(60), at(0)).await.unwrap();
    }
    ids.sort();
    let (mut page, mut listed) = (Page::first(300), Vec::new());
    loop {
        let listing = store.list(&Filter::client(ClientId::new("c")), page).await.unwrap();
        listed.extend(listing.records.iter().map(|record| record.grant().id()));
        match listing.next {
            Some(last) => page = page.after(last),
            None => break,
        }
    }
    assert_eq!(listed, ids);
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// Small numbers share a shard.
fn id(n: u128) -> GrantId {
    GrantId::new(n.to_be_bytes())
}

/// As different from its neighbours as random ids are.
fn spread(n: u128) -> u128 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

fn grant(n: u128, expires: DateTime<Utc>) -> grantor::grant::Grant {
    let body = format!(
        r#"{{"v":1,"client":"c","subject":{{"user":"u"}},"created":0,"ends":0,
            "stage":{{"ended":{{"at":0,"until":{}}}}}}}"#,
        expires.timestamp()
    );
    Record::decode(id(n), 0, &body).unwrap().into_grant()
}

async fn insert(
    store: &MemoryStore,
    n: u128,
    expires: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), CommitError> {
    store.commit(&Write::insert(grant(n, expires), now)).await.map(drop)
}

fn version(store: &MemoryStore, n: u128) -> Option<u64> {
    store.try_load(id(n)).flatten().map(|record| record.version())
}
