//! Races against a whole server: 64 requests at a time, and the negative control.

use std::collections::HashSet;
use std::sync::Arc;

use grantor::store::contract::NaiveStore;
use grantor::{EventKind, MemoryStore};

use crate::support::racing::{at_once, at_once_on, far_away, far_away_nodes, nodes};
use crate::support::{Answer, Fixture};

const TASKS: usize = 64;
const ROUNDS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_redemptions_of_one_code_one_wins() {
    let nodes = far_away_nodes();
    let fixture = &nodes[0];
    for round in 0..ROUNDS {
        let code = fixture.code("conf", "read").await;
        let answers = at_once_on(&nodes, TASKS, |fixture, _| {
            let code = code.clone();
            async move { fixture.redeem("conf", &code).await }
        })
        .await;
        let (won, lost) = split(answers);
        assert_eq!(won.len(), 1, "round {round}");
        assert!(lost.iter().all(|answer| answer.error() == (400, "invalid_grant".into())), "round {round}");
        assert!(!fixture.is_live(&won[0].access_token()).await, "63 replays ended the grant");
    }
    let issued = |node| count(node, |what| matches!(what, EventKind::TokensIssued));
    assert_eq!(nodes.iter().map(issued).sum::<usize>(), ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_uses_of_one_refresh_token_one_makes_the_successor_that_all_get() {
    let fixture = far_away();
    for round in 0..ROUNDS {
        let first = fixture.tokens("pub", "read").await.refresh_token();
        let answers = at_once(&fixture, TASKS, |fixture, _| {
            let token = first.clone();
            async move { fixture.refresh("pub", &token).await }
        })
        .await;
        let (won, lost) = split(answers);
        assert_eq!((won.len(), lost.len()), (TASKS, 0), "round {round}");
        let sets = token_sets(&won);
        assert_eq!(sets.len(), 1, "round {round}");
        let (access, refresh) = sets.into_iter().next().unwrap();
        assert!(fixture.is_live(&access).await);
        assert_ne!(refresh, first);
        assert_eq!(fixture.refresh("pub", &refresh).await.status(), 200);
    }
    // One for the race, and one for the use of its successor.
    assert_eq!(count(&fixture, |what| matches!(what, EventKind::Refreshed)), 2 * ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_a_refresh_issued_outlives_a_revocation_at_the_same_time() {
    let fixture = far_away();
    for round in 0..200 {
        let tokens = fixture.tokens("pub", "read").await;
        let (access, first) = (tokens.access_token(), tokens.refresh_token());
        let answers = at_once(&fixture, TASKS, |fixture, n| {
            let token = first.clone();
            async move {
                if n % 4 == 3 {
                    fixture.revoke("pub", &token).await
                } else {
                    fixture.refresh("pub", &token).await
                }
            }
        })
        .await;
        let (answered, lost) = split(answers);
        assert!(lost.iter().all(|answer| answer.error() == (400, "invalid_grant".into())), "round {round}");
        assert!(!fixture.is_live(&access).await, "round {round}");
        for answer in answered.iter().filter(|answer| answer.json()["access_token"].is_string()) {
            assert!(!fixture.is_live(&answer.access_token()).await, "round {round}");
            let again = fixture.refresh("pub", &answer.refresh_token()).await;
            assert_eq!(again.error(), (400, "invalid_grant".into()), "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_naive_store_many_redemptions_win() {
    let nodes = nodes(NaiveStore::new());
    let mut most = 0;
    for _ in 0..20 {
        let code = nodes[0].code("conf", "read").await;
        let answers = at_once_on(&nodes, TASKS, |fixture, _| {
            let code = code.clone();
            async move { fixture.redeem("conf", &code).await }
        })
        .await;
        most = most.max(split(answers).0.len());
    }
    assert!(most > 1, "the races above could not fail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_naive_store_one_refresh_token_has_many_successors() {
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), NaiveStore::new(), |builder| builder);
    let mut most = 0;
    for _ in 0..20 {
        let first = fixture.tokens("pub", "read").await.refresh_token();
        let answers = at_once(&fixture, TASKS, |fixture, _| {
            let token = first.clone();
            async move { fixture.refresh("pub", &token).await }
        })
        .await;
        most = most.max(token_sets(&split(answers).0).len());
    }
    assert!(most > 1, "the races above could not fail");
}

/// The answers of status 200, and the others.
fn split(answers: Vec<Answer>) -> (Vec<Answer>, Vec<Answer>) {
    answers.into_iter().partition(|answer| answer.status() == 200)
}

fn token_sets(answers: &[Answer]) -> HashSet<(String, String)> {
    answers.iter().map(|answer| (answer.access_token(), answer.refresh_token())).collect()
}

fn count(fixture: &Fixture, wanted: impl Fn(&EventKind) -> bool) -> usize {
    fixture.log.whats().iter().filter(|what| wanted(what)).count()
}
