//! Many concurrent requests on a store with network latency: all of them read before any of them writes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{BackendError, GrantId, MemoryStore, TokenStore, async_trait};
use tokio::task::{JoinSet, yield_now};

use super::Fixture;

/// A server whose store has network latency, with a page for user codes.
pub fn far_away() -> Fixture {
    let store = Arc::new(MemoryStore::new());
    Fixture::on(store.clone(), FarAway(store), |builder| builder.device_verification("/device"))
}

/// Within one process, requests with the same code take turns, so a race for a code needs several nodes.
const NODES: usize = 16;

/// Nodes that share a store, with a page for user codes.
pub fn nodes(store: impl TokenStore + 'static) -> Vec<Fixture> {
    let (store, unused) = (Arc::new(store), Arc::new(MemoryStore::new()));
    let node =
        |_| Fixture::on(unused.clone(), store.clone(), |builder| builder.device_verification("/device"));
    (0..NODES).map(node).collect()
}

/// Nodes whose store has network latency.
pub fn far_away_nodes() -> Vec<Fixture> {
    nodes(FarAway(Arc::new(MemoryStore::new())))
}

/// The outcomes of this many concurrent tasks.
pub async fn at_once<T, F>(fixture: &Fixture, tasks: usize, task: impl Fn(Fixture, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    at_once_on(std::slice::from_ref(fixture), tasks, task).await
}

/// The same, spread over these nodes.
pub async fn at_once_on<T, F>(nodes: &[Fixture], tasks: usize, task: impl Fn(Fixture, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: JoinSet<T> = (0..tasks).map(|n| task(nodes[n % nodes.len()].clone(), n)).collect();
    tasks.join_all().await
}

struct FarAway(Arc<MemoryStore>);

#[async_trait]
impl TokenStore for FarAway {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        let found = self.0.load(id).await;
        yield_now().await;
        found
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        yield_now().await;
        self.0.commit(write).await
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        yield_now().await;
        self.0.end(tombstone).await
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        let found = self.0.find_by_user_code(code).await;
        yield_now().await;
        found
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        self.0.list(filter, page).await
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        self.0.purge(before, limit).await
    }
}
