//! Races of a device, its polls and its user: RFC 8628.

use std::sync::Arc;

use grantor::store::{CommitError, Committed, Filter, Listing, Page, Record, UserCodeDigest, Write};
use grantor::{DeviceConsent, GrantId, MemoryStore, StoreError, TokenStore, async_trait};
use tokio::task::{JoinSet, yield_now};

use crate::support::{Answer, Fixture};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dg_10_of_64_polls_one_has_the_tokens() {
    let fixture = far_away();
    for round in 0..200 {
        let codes = Arc::new(fixture.waits().await);
        fixture.says_yes(&codes).await;
        let polls: JoinSet<Answer> = (0..64)
            .map(|_| {
                let (fixture, codes) = (fixture.clone(), codes.clone());
                async move { fixture.poll("tv", &codes.device).await }
            })
            .collect();
        let (won, lost): (Vec<_>, Vec<_>) =
            polls.join_all().await.into_iter().partition(|a| a.status() == 200);
        assert_eq!(won.len(), 1, "round {round}");
        assert!(lost.iter().all(|answer| answer.error() == (400, "invalid_grant".into())), "round {round}");
        assert!(fixture.is_live(&won[0].access_token()).await, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dg_10_of_approval_and_denial_at_once_one_sticks() {
    let fixture = far_away();
    for round in 0..200 {
        let codes = fixture.waits().await;
        let mut consents = Vec::new();
        for _ in 0..16 {
            consents.push(fixture.enter(&codes.user, "one").await.unwrap());
        }
        let answers = consents.into_iter().enumerate().map(|(n, consent)| answer(n % 2 == 0, consent));
        let answers: JoinSet<Option<bool>> = answers.collect();
        let said: Vec<bool> = answers.join_all().await.into_iter().flatten().collect();
        let poll = fixture.poll("tv", &codes.device).await;
        assert_eq!(said, [poll.status() == 200], "round {round}: {}", poll.json());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dg_10_an_approval_finds_its_way_between_polls() {
    let fixture = far_away();
    for round in 0..100 {
        let codes = Arc::new(fixture.waits().await);
        let consent = fixture.enter(&codes.user, "one").await.unwrap();
        let polls: JoinSet<Answer> = (0..8)
            .map(|_| {
                let (fixture, codes) = (fixture.clone(), codes.clone());
                async move { fixture.poll("tv", &codes.device).await }
            })
            .collect();
        consent.approve().await.unwrap();
        let won = polls.join_all().await.iter().filter(|answer| answer.status() == 200).count();
        let last = fixture.poll("tv", &codes.device).await;
        assert_eq!(won + usize::from(last.status() == 200), 1, "round {round}");
    }
}

/// Says yes or no; which, if it was the first answer.
async fn answer(approves: bool, consent: DeviceConsent) -> Option<bool> {
    let said = if approves { consent.approve().await } else { consent.deny().await };
    said.ok().map(|()| approves)
}

/// A server whose store is a network away, so that all tasks have read before one of them writes.
fn far_away() -> Fixture {
    let store = Arc::new(MemoryStore::new());
    Fixture::on(store.clone(), FarAway(store), |builder| builder.device_verification("/device"))
}

struct FarAway(Arc<MemoryStore>);

#[async_trait]
impl TokenStore for FarAway {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, StoreError> {
        let found = self.0.load(id).await;
        yield_now().await;
        found
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        yield_now().await;
        self.0.commit(write).await
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, StoreError> {
        let found = self.0.find_by_user_code(code).await;
        yield_now().await;
        found
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, StoreError> {
        self.0.list(filter, page).await
    }

    async fn purge(&self, before: chrono::DateTime<chrono::Utc>, limit: u32) -> Result<u64, StoreError> {
        self.0.purge(before, limit).await
    }
}
