//! Stores and registries that break their contract: the server says so, and neither hangs nor reports a
//! success.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use grantor::client::{ClientListing, ClientPage, RegistryError};
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{
    BackendError, Client, ClientId, ClientRegistry, GrantId, HostError, MemoryRegistry, MemoryStore,
    Registrar, Replacement, Subject, TokenStore, async_trait,
};

use crate::support::{Fixture, clients};

/// What is wrong with a store or a registry.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slip {
    /// Every page is the first one.
    ListsTheFirstPage,
}

struct Careless<T>(T, Slip);

#[async_trait]
impl TokenStore for Careless<Arc<MemoryStore>> {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.0.load(id).await
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        self.0.commit(write).await
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        self.0.end(tombstone).await
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        self.0.find_by_user_code(code).await
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let mut listing = self.0.list(filter, Page::first(1)).await?;
        if self.1 != Slip::ListsTheFirstPage {
            return self.0.list(filter, page).await;
        }
        listing.next = listing.records.last().map(|record| record.grant().id());
        Ok(listing)
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        self.0.purge(before, limit).await
    }
}

#[async_trait]
impl ClientRegistry for Careless<MemoryRegistry> {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        self.0.client(id).await
    }
}

#[async_trait]
impl Registrar for Careless<MemoryRegistry> {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.0.insert(client).await
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.0.replace(change).await
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        self.0.remove(id).await
    }

    async fn clients(&self, _: &ClientPage) -> Result<ClientListing, BackendError> {
        self.0.clients(&ClientPage::first(1)).await
    }
}

fn on(slip: Slip) -> Fixture {
    let store = Arc::new(MemoryStore::new());
    Fixture::on(store.clone(), Careless(store, slip), |builder| {
        builder.registrar(Careless(MemoryRegistry::new(clients()), slip))
    })
}

#[track_caller]
fn is_broken<T: std::fmt::Debug>(outcome: Result<T, HostError>) {
    match outcome {
        Err(HostError::Backend(error)) => assert!(error.is_permanent(), "{error}"),
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_listing_that_does_not_advance_is_an_error_and_no_endless_loop() {
    let fixture = on(Slip::ListsTheFirstPage);
    for _ in 0..2 {
        fixture.tokens("conf", "read").await;
    }
    let (server, alice) = (&fixture.server, Subject::user("alice"));
    is_broken(server.revoke_subject(&alice).await);
    is_broken(server.revoke_client(&ClientId::new("conf")).await);
    is_broken(server.grants_of(&alice).await);
    is_broken(server.applications_of(&alice).await);
    is_broken(server.sweep().await);
    is_broken(server.sweep_clients().await);
}
