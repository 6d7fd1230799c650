//! Races for one pushed request: RFC 9126.

use std::sync::Arc;

use grantor::MemoryStore;
use grantor::store::SqliteStore;
use grantor::store::contract::NaiveStore;

use crate::support::folder::Folder;
use crate::support::racing::{at_once, far_away};
use crate::support::{Answer, Fixture, code_query, encode, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pr_18_of_64_approvals_of_one_request_one_has_a_code() {
    one_has_a_code(&far_away(), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d_05_of_64_approvals_of_one_request_one_has_a_code_on_a_sql_store_too() {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.file("pushed.db").to_str().unwrap()).await.unwrap();
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), store, |builder| builder);
    one_has_a_code(&fixture, 5).await;
}

async fn one_has_a_code(fixture: &Fixture, rounds: usize) {
    for round in 0..rounds {
        let answers = approvals(fixture, 64).await;
        let codes: Vec<String> = answers
            .iter()
            .filter(|a| a.status() == 303)
            .filter_map(|a| a.location_parameter("code"))
            .collect();
        assert_eq!(codes.len(), 1, "round {round}");
        let pages = answers.iter().filter(|answer| answer.status() == 400);
        assert_eq!(pages.filter(|page| says(page, "invalid_request_uri")).count(), 63, "round {round}");
        assert_eq!(fixture.redeem("conf", &codes[0]).await.status(), 200, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_naive_store_one_request_has_many_codes() {
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), NaiveStore::new(), |builder| builder);
    let mut most = 0;
    for _ in 0..20 {
        let codes = approvals(&fixture, 64).await.into_iter().filter(|answer| answer.status() == 303);
        most = most.max(codes.count());
    }
    assert!(most > 1, "the races above could not fail");
}

/// So many users say yes to one request at a time.
async fn approvals(fixture: &Fixture, tasks: usize) -> Vec<Answer> {
    let mut form = code_query("conf", "read");
    form.retain(|(name, _)| *name != "client_id");
    let pushed = fixture.server.pushed_authorization_request(&request("conf", &form)).await;
    let query = encode(&[("client_id", "conf"), ("request_uri", &Answer(pushed).text("request_uri"))]);
    at_once(fixture, tasks, |fixture, _| {
        let visit = grantor::Request::get(query.clone());
        async move {
            let visited = match fixture.server.authorize(&visit).await {
                Ok(visited) => visited,
                Err(page) => return Answer(page.into_response()),
            };
            let consent = visited.signed_in(fixture.alice()).await.consent().expect("a page");
            Answer(consent.approve().await)
        }
    })
    .await
}

fn says(page: &Answer, code: &str) -> bool {
    String::from_utf8_lossy(&page.0.body).contains(code)
}
