//! A store whose next write waits until a test has done something else meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{BackendError, GrantId, MemoryStore, TokenStore, async_trait};
use tokio::sync::Notify;

/// Clones are one gate.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<MemoryStore>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_closed: AtomicBool,
    loses: AtomicBool,
    reached: Notify,
    open: Notify,
}

impl Gate {
    pub fn before(inner: Arc<MemoryStore>) -> Self {
        Self { inner, state: Arc::default() }
    }

    /// The next write waits, before it does anything.
    pub fn close(&self) {
        self.state.is_closed.store(true, Ordering::SeqCst);
    }

    /// Returns when a write waits.
    pub async fn reached(&self) {
        self.state.reached.notified().await;
    }

    /// The write that waits happens now.
    pub fn open(&self) {
        self.state.open.notify_one();
    }

    /// The write that waits never happens, and its outcome is unknown.
    pub fn lose(&self) {
        self.state.loses.store(true, Ordering::SeqCst);
        self.open();
    }

    async fn pass(&self) -> Result<(), BackendError> {
        if self.state.is_closed.swap(false, Ordering::SeqCst) {
            self.state.reached.notify_one();
            self.state.open.notified().await;
        }
        match self.state.loses.swap(false, Ordering::SeqCst) {
            true => Err(BackendError::unknown_outcome("lost")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl TokenStore for Gate {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.inner.load(id).await
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        self.pass().await?;
        self.inner.commit(write).await
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        self.pass().await?;
        self.inner.end(tombstone).await
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        self.inner.find_by_user_code(code).await
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        self.inner.list(filter, page).await
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        self.inner.purge(before, limit).await
    }
}
