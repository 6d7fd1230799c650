//! The host's implementations, with faults where a test wants them.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use grantor::client::{ClientListing, ClientPage, RegistryError};
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{
    AccountStatus, BackendError, Client, ClientId, ClientRegistry, GrantId, Registrar, Replacement,
    ResourceOwner, SecretText, Subject, TokenStore, async_trait,
};

/// How a call to the host fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Transient,
    Permanent,
    /// Never returns, and does nothing.
    Hang,
    /// Never returns, but does its work.
    HangAfter,
    /// Reports an unknown outcome, and has done nothing.
    UnknownBefore,
    /// Reports an unknown outcome, and has done its work.
    UnknownAfter,
}

impl Fault {
    pub const ALL: [Self; 6] = [
        Self::Transient,
        Self::Permanent,
        Self::Hang,
        Self::HangAfter,
        Self::UnknownBefore,
        Self::UnknownAfter,
    ];
}

/// Which of the calls fails, and how. Clones share the plan.
#[derive(Clone, Default)]
pub struct Plan(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: usize,
    fault: Option<(usize, Fault)>,
    pauses: bool,
}

impl Plan {
    /// From now on, call number `at` fails, once.
    pub fn arm(&self, at: usize, fault: Fault) {
        *self.0.lock().unwrap() = State { calls: 0, fault: Some((at, fault)), pauses: false };
    }

    /// From now on, every call is pending once before its work and once after it.
    pub fn pause(&self) {
        *self.0.lock().unwrap() = State { pauses: true, ..State::default() };
    }

    /// From now on, nothing fails. Returns whether the planned fault has happened.
    pub fn recover(&self) -> bool {
        let before = std::mem::take(&mut *self.0.lock().unwrap());
        before.fault.is_some_and(|(at, _)| at < before.calls)
    }

    fn next(&self) -> (Option<Fault>, bool) {
        let mut state = self.0.lock().unwrap();
        let fault = state.fault.filter(|(at, _)| *at == state.calls).map(|(_, fault)| fault);
        state.calls += 1;
        (fault, state.pauses)
    }

    pub async fn call<T, E: From<BackendError>>(
        &self,
        inner: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (fault, pauses) = self.next();
        match fault {
            None if pauses => {
                tokio::task::yield_now().await;
                let output = inner.await;
                tokio::task::yield_now().await;
                output
            }
            None => inner.await,
            Some(Fault::Transient) => Err(BackendError::transient("injected").into()),
            Some(Fault::Permanent) => Err(BackendError::permanent("injected").into()),
            Some(Fault::UnknownBefore) => Err(BackendError::unknown_outcome("injected").into()),
            Some(Fault::UnknownAfter) => {
                let _ = inner.await;
                Err(BackendError::unknown_outcome("injected").into())
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::HangAfter) => {
                let _ = inner.await;
                std::future::pending().await
            }
        }
    }
}

/// A part of the host that fails as planned.
pub struct Faulty<T> {
    inner: T,
    plan: Plan,
}

impl<T> Faulty<T> {
    pub fn new(inner: T, plan: &Plan) -> Self {
        Self { inner, plan: plan.clone() }
    }
}

#[async_trait]
impl<T: TokenStore> TokenStore for Faulty<T> {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.plan.call(self.inner.load(id)).await
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        self.plan.call(self.inner.commit(write)).await
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        self.plan.call(self.inner.end(tombstone)).await
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        self.plan.call(self.inner.find_by_user_code(code)).await
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        self.plan.call(self.inner.list(filter, page)).await
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        self.plan.call(self.inner.purge(before, limit)).await
    }
}

#[async_trait]
impl<T: ClientRegistry> ClientRegistry for Faulty<T> {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        self.plan.call(self.inner.client(id)).await
    }
}

#[async_trait]
impl<T: Registrar> Registrar for Faulty<T> {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.plan.call(self.inner.insert(client)).await
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.plan.call(self.inner.replace(change)).await
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        self.plan.call(self.inner.remove(id)).await
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        self.plan.call(self.inner.clients(page)).await
    }
}

#[async_trait]
impl<T: ResourceOwner> ResourceOwner for Faulty<T> {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretText,
        client: &Client,
    ) -> Result<Option<Subject>, BackendError> {
        self.plan.call(self.inner.authenticate(username, password, client)).await
    }

    async fn account_status(&self, subject: &Subject) -> Result<AccountStatus, BackendError> {
        self.plan.call(self.inner.account_status(subject)).await
    }
}
