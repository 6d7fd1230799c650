//! The negative control, on the database of the true store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use grantor::client::{ClientListing, ClientPage, RegistryError, Replacement};
use grantor::grant::Grant;
use grantor::store::{
    CommitError, Committed, Filter, Listing, Page, Record, ReplayKey, Tombstone, UserCodeDigest, Write,
};
use grantor::{
    BackendError, Client, ClientId, ClientRegistry, GrantId, Registrar, ReplayGuard, TokenStore, async_trait,
};

use crate::places::AnyStore;

/// Reads the version, compares, and then writes whatever is there by now. Remembers one-time identifiers in
/// the same way, and clients for as long as it lives.
pub struct Naive {
    inner: AnyStore,
    clients: Mutex<HashMap<ClientId, Arc<Client>>>,
}

/// The grant that stands for a one-time identifier: only its id matters.
const SEEN: &str = include_str!("../../golden/v1/refreshed.json");

impl Naive {
    pub fn new(inner: AnyStore) -> Self {
        Self { inner, clients: Mutex::default() }
    }

    async fn overwrite(&self, grant: &Grant, at: DateTime<Utc>) -> Result<(), BackendError> {
        loop {
            let write = match self.inner.load(grant.id()).await? {
                None => Write::insert(grant.clone(), at),
                Some(found) => Write::replace(found.version(), grant.clone(), at),
            };
            match self.inner.commit(&write).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Store(error)) => return Err(error),
                Err(_) => {}
            }
        }
    }
}

#[async_trait]
impl TokenStore for Naive {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        self.inner.load(id).await
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        let found = self.inner.load(write.id()).await?;
        if found.map(|record| record.version()) != write.expect() {
            return Err(CommitError::Conflict);
        }
        self.overwrite(write.next().grant(), write.at()).await?;
        Ok(write.committed())
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        if let Some(found) = self.inner.load(tombstone.id()).await? {
            let ended = tombstone.record(found.version());
            self.overwrite(ended.grant(), tombstone.at()).await?;
        }
        Ok(tombstone.committed())
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

#[async_trait]
impl ReplayGuard for Naive {
    async fn first_use(
        &self,
        key: &ReplayKey,
        _until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        let id = GrantId::new(key.as_bytes()[..GrantId::BYTES].try_into().unwrap());
        if self.inner.load(id).await?.is_some() {
            return Ok(false);
        }
        self.overwrite(&Grant::decode(id, SEEN).unwrap(), now).await?;
        Ok(true)
    }
}

#[async_trait]
impl ClientRegistry for Naive {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        let known = self.clients.lock().unwrap().get(id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let found = self.inner.client(id).await?;
        self.clients.lock().unwrap().extend(found.clone().map(|client| (id.clone(), client)));
        Ok(found)
    }
}

#[async_trait]
impl Registrar for Naive {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.inner.insert(client).await
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.inner.replace(change).await
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        self.clients.lock().unwrap().remove(id);
        self.inner.remove(id).await
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        self.inner.clients(page).await
    }
}
