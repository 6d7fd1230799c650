//! What a host does with the grants of its users: list them a page at a time, end them, sweep.

use std::sync::Arc;
use std::time::Duration;

use grantor::base::Secret;
use grantor::server::Cursor;
use grantor::store::Filter;
use grantor::{ClientId, Clock as _, EventKind, GrantId, HostError, MemoryStore, Subject};

use crate::support::Fixture;
use crate::support::faulty::{self, Faulty, Plan};

async fn with_grants(fixture: &Fixture, count: usize) -> Vec<(String, String)> {
    let mut tokens = Vec::new();
    for _ in 0..count {
        let answer = fixture.tokens("pub", "read").await;
        tokens.push((answer.access_token(), answer.refresh_token()));
    }
    tokens
}

fn alices() -> Filter {
    Filter::subject(Subject::user("alice"))
}

async fn pages(fixture: &Fixture, filter: &Filter, limit: u32) -> Vec<GrantId> {
    let (mut ids, mut from): (Vec<GrantId>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let page = fixture.server.grants(filter, from.as_ref(), limit).await.unwrap();
        assert!(page.records.len() <= limit as usize);
        ids.extend(page.records.iter().map(|record| record.grant().id()));
        // Out to a browser, and back.
        let Some(text) = page.next.map(|cursor| cursor.to_string()) else { return ids };
        from = Some(fixture.server.cursor(filter, &text).expect("our own cursor"));
    }
}

#[tokio::test]
async fn pages_by_cursor_hold_every_grant_once() {
    let fixture = Fixture::new();
    with_grants(&fixture, 7).await;
    let all = pages(&fixture, &alices(), 100).await;
    assert_eq!(all.len(), 7);
    for limit in [1, 2, 3, 7] {
        assert_eq!(pages(&fixture, &alices(), limit).await, all);
    }
}

#[tokio::test]
async fn a_cursor_is_opaque_and_good_for_its_own_listing() {
    let fixture = Fixture::new();
    with_grants(&fixture, 2).await;
    let cursor = fixture.server.grants(&alices(), None, 1).await.unwrap().next.unwrap();
    let text = cursor.to_string();
    assert_eq!(fixture.server.cursor(&alices(), &text), Some(cursor));

    let others = [
        Filter::default(),
        Filter::subject(Subject::user("bob")),
        Filter::subject(Subject::Client(ClientId::new("alice"))),
        Filter::client(ClientId::new("alice")),
        Filter::pair(Subject::user("alice"), ClientId::new("pub")),
    ];
    for filter in others {
        assert_eq!(fixture.server.cursor(&filter, &text), None, "{filter:?}");
    }
    for at in 0..text.len() {
        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        let forged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        assert_eq!(fixture.server.cursor(&alices(), &forged), None, "{forged}");
    }
    for hostile in ["", "AAAA", &text[1..], &format!("{text}A"), "ż", &"A".repeat(1000)] {
        assert_eq!(fixture.server.cursor(&alices(), hostile), None, "{hostile}");
    }
}

#[tokio::test]
async fn nodes_with_one_key_read_each_others_cursors_and_no_others() {
    let keyed = |byte| Fixture::with(move |builder| builder.cursor_key(Secret::new([byte; 32])));
    let (one, two, stranger, keyless) = (keyed(1), keyed(1), keyed(2), Fixture::new());
    with_grants(&one, 2).await;
    let text = one.server.grants(&alices(), None, 1).await.unwrap().next.unwrap().to_string();
    assert!(two.server.cursor(&alices(), &text).is_some());
    assert!(stranger.server.cursor(&alices(), &text).is_none());
    assert!(keyless.server.cursor(&alices(), &text).is_none());
}

#[tokio::test]
async fn everything_of_a_user_ends_and_nothing_of_another() {
    let fixture = Fixture::new();
    let held = with_grants(&fixture, 5).await;
    let robot = fixture.token("robot", &[("grant_type", "client_credentials")]).await.access_token();
    assert_eq!(fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap(), 5);
    for (access, refresh) in held {
        assert!(!fixture.is_live(&access).await);
        assert_eq!(fixture.refresh("pub", &refresh).await.error().1, "invalid_grant");
    }
    assert!(fixture.is_live(&robot).await);
    assert_eq!(fixture.log.whats().iter().filter(|what| **what == EventKind::Revoked).count(), 5);
    assert_eq!(fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_revocation_of_all_that_the_store_interrupts_can_be_resumed_at_each_call() {
    for fault in [faulty::Fault::Transient, faulty::Fault::UnknownBefore, faulty::Fault::UnknownAfter] {
        for at in 0.. {
            let (plan, store) = (Plan::default(), Arc::new(MemoryStore::new()));
            let faulty = Faulty::new(store.clone(), &plan);
            let fixture = Fixture::on(store, faulty, |builder| builder);
            let held = with_grants(&fixture, 4).await;
            plan.arm(at, fault);
            let outcome = fixture.server.revoke_subject(&Subject::user("alice")).await;
            if !plan.recover() {
                assert_eq!(outcome.unwrap(), 4);
                break;
            }
            assert!(matches!(outcome, Err(HostError::Backend(_))), "{outcome:?}");
            fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap();
            for (access, _) in &held {
                assert!(!fixture.is_live(access).await, "{fault:?} at call {at}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_of_all_wins_against_refreshes_that_race_it() {
    for _ in 0..50 {
        let fixture = Fixture::new();
        let held = with_grants(&fixture, 8).await;
        let mut racing = Vec::new();
        for (_, refresh) in held {
            let fixture = fixture.clone();
            racing.push(tokio::spawn(async move { fixture.refresh("pub", &refresh).await.json() }));
        }
        fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap();
        for answer in racing {
            let answer = answer.await.unwrap();
            if let Some(access) = answer["access_token"].as_str() {
                assert!(!fixture.is_live(access).await, "a refresh outlived the revocation");
            }
        }
    }
}

#[tokio::test]
async fn the_last_use_of_a_grant_is_its_last_token() {
    let fixture = Fixture::new();
    let answer = fixture.tokens("pub", "read").await;
    let approved = fixture.clock.now();
    fixture.clock.advance(Duration::from_secs(300));
    let last_used = async || {
        let grants = fixture.server.grants_of(&Subject::user("alice")).await.unwrap();
        (grants[0].grant().created(), grants[0].grant().last_used())
    };
    assert_eq!(last_used().await, (approved, approved));
    fixture.refresh("pub", &answer.refresh_token()).await;
    assert_eq!(last_used().await, (approved, fixture.clock.now()));
}

#[tokio::test]
async fn a_sweeper_removes_what_has_expired_and_goes_on_after_a_fault() {
    let (plan, store) = (Plan::default(), Arc::new(MemoryStore::new()));
    let faulty = Faulty::new(store.clone(), &plan);
    let fixture = Fixture::on(store, faulty, |builder| builder);
    fixture.token("robot", &[("grant_type", "client_credentials")]).await;
    fixture.clock.advance(Duration::from_secs(3600));
    plan.arm(0, faulty::Fault::Transient);
    let sweeper = tokio::spawn(fixture.server.clone().keep_sweeping(Duration::from_millis(5)));
    while !fixture.store.is_empty() {
        std::thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    assert!(plan.recover());
    assert!(fixture.log.whats().iter().any(|what| matches!(what, EventKind::Failed(_))));
    sweeper.abort();
}

#[tokio::test]
async fn ft_11_what_has_expired_is_kept_until_it_has_on_every_node() {
    let fixture = Fixture::new();
    let lifetime =
        fixture.token("robot", &[("grant_type", "client_credentials")]).await.json()["expires_in"].as_u64();
    // A node whose clock is 30 seconds ahead sweeps, and one whose clock is 30 seconds behind still serves
    // the token.
    fixture.clock.advance(Duration::from_secs(lifetime.unwrap() + 60));
    assert_eq!(fixture.server.sweep().await.unwrap(), 0);
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.server.sweep().await.unwrap(), 1);
}
