//! Stores and registries that break their contract: the server says so, and neither hangs nor reports a
//! success.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::client::{ClientListing, ClientPage, RegistryError};
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, Tombstone, UserCodeDigest, Write,
};
use grantor::{
    BackendError, Client, ClientId, ClientRegistry, ClientState, EventKind, GrantId, HostError,
    MemoryRegistry, MemoryStore, Reason, Registrar, Replacement, Subject, TokenStore, async_trait,
};

use crate::support::{Fixture, clients};

/// What is wrong with a store or a registry.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slip {
    /// Every page is the first one.
    ListsTheFirstPage,
    /// Ends all, and says so of the first only.
    SaysTooLittle,
    /// Confirms the end of another grant.
    ConfirmsAnother,
    /// Says that a purge removed more than there can be.
    CountsTooMany,
    /// One client cannot be removed.
    KeepsOneClient,
}

struct Careless<T>(T, Slip);

impl Careless<Arc<MemoryStore>> {
    /// The end of a grant that nobody asked for.
    fn another() -> Tombstone {
        let body = r#"{"v":1,"client":"c","subject":{"user":"u"},"created":0,"ends":1,
            "stage":{"ended":{"at":0,"until":0}}}"#;
        let record = Record::decode(GrantId::new([7; 16]), 0, body).unwrap();
        Tombstone::of(record.into_grant(), DateTime::UNIX_EPOCH)
    }
}

#[async_trait]
impl TokenStore for Careless<Arc<MemoryStore>> {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.0.load(id).await
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        self.0.commit(write).await
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        match self.1 {
            Slip::ConfirmsAnother => Ok(Self::another().committed()),
            _ => self.0.end(tombstone).await,
        }
    }

    async fn end_all(&self, tombstones: &[Tombstone]) -> Vec<Result<Committed, BackendError>> {
        let mut outcomes = self.0.end_all(tombstones).await;
        match self.1 {
            Slip::SaysTooLittle => outcomes.truncate(1),
            Slip::ConfirmsAnother => outcomes[0] = Ok(Self::another().committed()),
            _ => {}
        }
        outcomes
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        self.0.find_by_user_code(code).await
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        if self.1 != Slip::ListsTheFirstPage {
            return self.0.list(filter, page).await;
        }
        let mut listing = self.0.list(filter, Page::first(1)).await?;
        listing.next = listing.records.last().map(|record| record.grant().id());
        Ok(listing)
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        match self.1 {
            Slip::CountsTooMany => Ok(u64::MAX),
            _ => self.0.purge(before, limit).await,
        }
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
        match self.1 {
            Slip::KeepsOneClient if id.as_str() == "pub" => {
                Err(BackendError::permanent("it is referred to").into())
            }
            _ => self.0.remove(id).await,
        }
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        match self.1 {
            Slip::ListsTheFirstPage => self.0.clients(&ClientPage::first(1)).await,
            _ => self.0.clients(page).await,
        }
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

#[tokio::test]
async fn an_end_that_the_store_does_not_confirm_is_an_error() {
    for slip in [Slip::SaysTooLittle, Slip::ConfirmsAnother] {
        let fixture = on(slip);
        for _ in 0..3 {
            fixture.tokens("conf", "read").await;
        }
        let alice = Subject::user("alice");
        is_broken(fixture.server.revoke_subject(&alice).await);
        let ended = fixture.log.whats().into_iter().filter(|what| *what == EventKind::Revoked).count();
        assert_eq!(ended, if slip == Slip::SaysTooLittle { 1 } else { 2 }, "those that were confirmed");
    }
    let fixture = on(Slip::ConfirmsAnother);
    fixture.tokens("conf", "read").await;
    let grants = fixture.server.grants(&Filter::default(), None, 1).await.unwrap();
    is_broken(fixture.server.revoke_grant(grants.records[0].grant().id()).await);
}

#[tokio::test]
async fn a_purge_that_removes_more_than_it_may_is_an_error() {
    is_broken(on(Slip::CountsTooMany).server.sweep().await);
}

#[tokio::test]
async fn a_client_that_cannot_be_removed_keeps_no_other() {
    let ending = clients().into_iter().map(|client| client.in_state(ClientState::Ending));
    let registry = Arc::new(Careless(MemoryRegistry::new(ending), Slip::KeepsOneClient));
    let fixture = Fixture::with(|builder| builder.clients(registry.clone()).registrar(registry.clone()));
    is_broken(fixture.server.sweep_clients().await);
    let left = registry.0.all();
    assert_eq!(left.iter().map(|client| client.id().as_str()).collect::<Vec<_>>(), ["pub"]);
    let whats = fixture.log.whats();
    assert!(whats.contains(&EventKind::Failed(Reason::StoreBroken)));
    assert!(whats.contains(&EventKind::ClientsSwept(clients().len() as u64 - 1)));
}

#[tokio::test]
async fn a_deletion_that_broke_off_is_finished_without_registration_over_http() {
    let ending = Client::clone(&clients()[0]).in_state(ClientState::Ending);
    let registry = Arc::new(MemoryRegistry::new([ending]));
    let fixture = Fixture::with(|builder| builder.clients(registry.clone()).registrar(registry.clone()));
    let sweeping = tokio::spawn(fixture.server.clone().keep_sweeping(Duration::from_secs(60)));
    for _ in 0..10_000 {
        if registry.all().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(registry.all().is_empty());
    sweeping.abort();
}
