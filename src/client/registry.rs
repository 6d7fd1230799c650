//! Where clients are looked up, and where new ones are written.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use super::{Client, ClientId};
use crate::store::StoreError;

/// Finds clients.
///
/// The id is hostile input. The client that is returned is trusted without limit: its redirect URIs say
/// where codes go, its secrets say who it is. A wrong client hands over other people's accounts; a stale
/// one keeps a deleted application alive for as long as it is stale.
#[async_trait]
pub trait ClientRegistry: Send + Sync {
    /// The client with exactly this id.
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError>;

    /// The same at once, where no waiting is needed. The outer `None`, which is the default, sends the
    /// caller to [`client`](Self::client).
    fn client_now(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        let _ = id;
        None
    }
}

/// A registry that takes new clients.
#[async_trait]
pub trait Registrar: ClientRegistry {
    /// Adds a client whose id must be vacant.
    async fn insert(&self, client: Client) -> Result<(), RegistryError>;
    /// Replaces a client, as a whole.
    async fn replace(&self, client: Client) -> Result<(), RegistryError>;
    /// Removes a client. What was issued to it ends by
    /// [`revoke_client`](crate::AuthorizationServer::revoke_client), not by this.
    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError>;
}

/// Why a registry did not change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Another client has this id.
    #[error("a client with this id exists")]
    Exists,
    /// No client has this id.
    #[error("no client has this id")]
    Missing,
    /// The registry failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[async_trait]
impl<T: ClientRegistry + ?Sized> ClientRegistry for Arc<T> {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        (**self).client(id).await
    }

    fn client_now(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        (**self).client_now(id)
    }
}

#[async_trait]
impl<T: Registrar + ?Sized> Registrar for Arc<T> {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        (**self).insert(client).await
    }

    async fn replace(&self, client: Client) -> Result<(), RegistryError> {
        (**self).replace(client).await
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        (**self).remove(id).await
    }
}

/// Clients in memory, gone with the process.
#[derive(Default)]
pub struct MemoryRegistry {
    clients: RwLock<HashMap<ClientId, Arc<Client>>>,
}

impl MemoryRegistry {
    /// A registry of these clients; of two with one id, the later stays.
    #[must_use]
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        let clients = clients.into_iter().map(|c| (c.id.clone(), Arc::new(c)));
        Self { clients: RwLock::new(clients.collect()) }
    }

    /// Every client, in the order of their ids.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Client>> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = clients.values().cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    pub(super) fn find(&self, id: &ClientId) -> Option<Arc<Client>> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        clients.get(id).cloned()
    }

    /// Changes the map by `change` if `allowed` says so of the client that is there.
    pub(super) fn change(
        &self,
        id: ClientId,
        client: Option<Client>,
        must_exist: bool,
    ) -> Result<(), RegistryError> {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        match (clients.contains_key(&id), must_exist) {
            (true, false) => return Err(RegistryError::Exists),
            (false, true) => return Err(RegistryError::Missing),
            (true, true) | (false, false) => {}
        }
        match client {
            Some(client) => clients.insert(id, Arc::new(client)),
            None => clients.remove(&id),
        };
        Ok(())
    }
}

#[async_trait]
impl ClientRegistry for MemoryRegistry {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(self.find(id))
    }

    fn client_now(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        Some(self.find(id))
    }
}

#[async_trait]
impl Registrar for MemoryRegistry {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.change(client.id.clone(), Some(client), false)
    }

    async fn replace(&self, client: Client) -> Result<(), RegistryError> {
        self.change(client.id.clone(), Some(client), true)
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        self.change(id.clone(), None, true)
    }
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.clients.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("MemoryRegistry").field("clients", &count).finish()
    }
}
