//! Races for one pushed request: RFC 9126.

use std::sync::Arc;

use grantor::MemoryStore;
use grantor::store::SqliteStore;
use grantor::store::contract::NaiveStore;

use crate::support::Fixture;
use crate::support::folder::Folder;
use crate::support::pushing::{approvals, one_has_a_code};
use crate::support::racing::far_away;

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
