//! Races of a device, its polls, its user and the clock: RFC 8628.

use std::sync::Arc;

use grantor::store::SqliteStore;
use grantor::{DeviceConsent, MemoryStore, Reason};
use tokio::task::{JoinSet, yield_now};

use crate::support::device::Codes;
use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::folder::Folder;
use crate::support::gate::Gate;
use crate::support::racing::{at_once_on, far_away, far_away_nodes, nodes};
use crate::support::{Answer, Fixture};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dg_10_of_64_polls_one_has_the_tokens() {
    of_64_polls_one_has_the_tokens(&far_away_nodes(), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dg_10_of_64_polls_one_has_the_tokens_on_a_sql_store_too() {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.file("polls.db").to_str().unwrap()).await.unwrap();
    of_64_polls_one_has_the_tokens(&nodes(store), 5).await;
}

async fn of_64_polls_one_has_the_tokens(nodes: &[Fixture], rounds: usize) {
    let fixture = &nodes[0];
    for round in 0..rounds {
        let codes = Arc::new(fixture.waits().await);
        fixture.says_yes(&codes).await;
        let polls = polls_at_once(nodes, 64, &codes).await;
        let (won, lost): (Vec<_>, Vec<_>) = polls.into_iter().partition(|a| a.status() == 200);
        assert_eq!(won.len(), 1, "round {round}");
        assert!(lost.iter().all(|answer| answer.error() == (400, "invalid_grant".into())), "round {round}");
        assert!(fixture.is_live(&won[0].access_token()).await, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dg_10_of_approval_and_denial_at_once_a_denial_sticks() {
    let fixture = far_away();
    for round in 0..200 {
        let codes = fixture.waits().await;
        let consents = consents(&fixture, &codes).await;
        let answers = consents.into_iter().enumerate().map(|(n, consent)| answer(n % 2 == 0, consent));
        let answers: JoinSet<Option<bool>> = answers.collect();
        let said: Vec<bool> = answers.join_all().await.into_iter().flatten().collect();
        let poll = fixture.poll("tv", &codes.device).await;
        // One yes at most is told that it was first; a no ends the grant whatever was said before (RFC 8628
        // section 3.3).
        assert!(said.iter().filter(|yes| **yes).count() <= 1, "round {round}");
        assert!(!said.is_empty(), "round {round}");
        assert_eq!(poll.status() == 200, !said.contains(&false), "round {round}: {}", poll.json());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dg_10_of_approval_and_expiry_at_once_one_sticks() {
    let fixture = far_away();
    for round in 0..200 {
        let codes = Arc::new(fixture.waits().await);
        let consents = consents(&fixture, &codes).await;
        let answers = consents.into_iter().map(|consent| answer(true, consent));
        let answers: JoinSet<Option<bool>> = answers.collect();
        let polls = tokio::spawn({
            let (fixture, codes) = (fixture.clone(), codes.clone());
            async move { polls_at_once(std::slice::from_ref(&fixture), 8, &codes).await }
        });
        for _ in 0..round % 16 {
            yield_now().await;
        }
        fixture.after(600);
        let approved = answers.join_all().await.into_iter().flatten().count();
        let won = polls.await.unwrap().iter().filter(|answer| answer.status() == 200).count();
        assert!(won <= approved && approved <= 1, "round {round}: {won} of {approved}");
        let last = fixture.poll("tv", &codes.device).await.error().1;
        assert_eq!(last, if won == 1 { "invalid_grant" } else { "expired_token" }, "round {round}");
        assert!(fixture.enter(&codes.user, "one").await.is_err(), "round {round}");
    }
}

#[tokio::test]
async fn dg_10_whoever_approves_in_the_second_of_the_expiry_is_too_late() {
    for (wait, approved, told) in [(599, true, 200), (600, false, 400)] {
        let fixture = far_away();
        let codes = fixture.waits().await;
        let consent = fixture.enter(&codes.user, "one").await.unwrap();
        fixture.after(wait);
        assert_eq!(consent.approve().await.is_ok(), approved);
        assert_eq!(fixture.poll("tv", &codes.device).await.status(), told);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dg_10_an_approval_finds_its_way_between_polls() {
    let fixture = far_away();
    for round in 0..100 {
        let codes = Arc::new(fixture.waits().await);
        let consent = fixture.enter(&codes.user, "one").await.unwrap();
        let polls = tokio::spawn({
            let (fixture, codes) = (fixture.clone(), codes.clone());
            async move { polls_at_once(std::slice::from_ref(&fixture), 8, &codes).await }
        });
        consent.approve().await.unwrap();
        let won = polls.await.unwrap().iter().filter(|answer| answer.status() == 200).count();
        let last = fixture.poll("tv", &codes.device).await;
        assert_eq!(won + usize::from(last.status() == 200), 1, "round {round}");
    }
}

async fn polls_at_once(nodes: &[Fixture], tasks: usize, codes: &Arc<Codes>) -> Vec<Answer> {
    at_once_on(nodes, tasks, |fixture, _| {
        let codes = codes.clone();
        async move { fixture.poll("tv", &codes.device).await }
    })
    .await
}

/// The pages of 16 tabs of one browser.
async fn consents(fixture: &Fixture, codes: &Codes) -> Vec<DeviceConsent> {
    let mut consents = Vec::new();
    for _ in 0..16 {
        consents.push(fixture.enter(&codes.user, "one").await.unwrap());
    }
    consents
}

/// Says yes or no; which, if it was the first answer.
async fn answer(approves: bool, consent: DeviceConsent) -> Option<bool> {
    let said = if approves { consent.approve().await } else { consent.deny().await };
    said.ok().map(|()| approves)
}

#[tokio::test]
async fn a_poll_without_an_answer_is_no_lost_answer_when_another_node_gives_the_tokens() {
    let (store, plan) = (Arc::new(MemoryStore::new()), Plan::default());
    let faulty = Faulty::new(store.clone(), &plan);
    let here = Fixture::on(store.clone(), faulty, |builder| builder.device_verification("/device"));
    let there = Fixture::on(store.clone(), store, |builder| builder.device_verification("/device"));
    let codes = there.waits().await;
    plan.arm(1, Fault::UnknownAfter);
    assert_eq!(here.poll("tv", &codes.device).await.status(), 503);
    assert!(plan.recover());
    there.says_yes(&codes).await;
    assert_eq!(there.poll("tv", &codes.device).await.status(), 200);
    assert_eq!(here.poll("tv", &codes.device).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(here.log.last_reason(), Some(Reason::DeviceCodeSpent));
}

#[tokio::test]
async fn a_user_whose_answer_is_lost_is_told_what_the_device_was_told_meanwhile() {
    let inner = Arc::new(MemoryStore::new());
    let gate = Gate::before(inner.clone());
    let fixture = Fixture::on(inner.clone(), inner.clone(), |builder| builder.device_verification("/device"));
    let late = Fixture::on(inner, gate.clone(), |builder| builder.device_verification("/device"));
    for says_yes in [true, false] {
        let codes = fixture.waits().await;
        drop(fixture.enter(&codes.user, "browser").await.unwrap());
        let consent = late.enter(&codes.user, "browser").await.unwrap();
        gate.close();
        let meanwhile = async {
            gate.reached().await;
            fixture.says_yes(&codes).await;
            assert_eq!(fixture.poll("tv", &codes.device).await.status(), 200);
            gate.lose();
        };
        let answer = async { if says_yes { consent.approve().await } else { consent.deny().await } };
        let (told, ()) = tokio::join!(answer, meanwhile);
        assert_eq!(told.is_ok(), says_yes, "the user said yes in another window");
    }
}
