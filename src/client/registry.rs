//! Where clients are looked up, and where new ones are written.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use super::copies::Edition;
use super::{Client, ClientId, ClientListing, ClientPage, ClientState};
use crate::error::{BackendError, MAX_CONFLICT_RETRIES};

/// Finds clients.
///
/// The id is untrusted. The returned client is fully trusted: its redirect URIs say where codes go, its
/// secrets authenticate it. A wrong client gives users' codes and tokens to an attacker; a stale one keeps a
/// deleted application working until it is read again.
///
/// A table of your own can keep clients as the JSON of [`Client::encode`], which [`Client::decode`] checks
/// again, or in columns from which [`Client::builder`] makes them. Only the first is enough for a
/// [`Registrar`]: the builder cannot set the revision, or what a client registered itself with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` finds no clients: it is no `ClientRegistry`",
    note = "if it still has to be opened or connected, like `SqliteStore::open(…)`, add `.await?`"
)]
#[async_trait]
pub trait ClientRegistry: Send + Sync {
    /// The client with exactly this id.
    ///
    /// # Errors
    /// The clients cannot be read: the request gets 503 or 500 ([`BackendError`]), never `invalid_client`.
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError>;

    /// Like [`client`](Self::client), if the answer is available without waiting. The outer `None`, the
    /// default, makes the caller use [`client`](Self::client).
    fn try_client(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        let _ = id;
        None
    }
}

/// A registry whose clients the server may add, change and remove.
///
/// It returns each client as it was written, with every member of [`Client::encode`]: one that loses the
/// state serves a disabled client again, one that loses `require_pushed_authorization_requests` accepts what
/// the client forbids. [`check_registrar`](crate::store::contract::Suite::check_registrar) tests that.
#[diagnostic::on_unimplemented(
    message = "`{Self}` takes no new clients: it is no `Registrar`",
    note = "if it still has to be opened or connected, like `SqliteStore::open(…)`, add `.await?`"
)]
#[async_trait]
pub trait Registrar: ClientRegistry {
    /// Adds a client whose id must be vacant.
    ///
    /// # Errors
    /// [`RegistryError::Exists`] if the id is taken; nothing is written then.
    async fn insert(&self, client: Client) -> Result<(), RegistryError>;
    /// Replaces a client, as a whole, if the stored one still has the revision
    /// [`change.expect()`](Replacement::expect); in one step, like every conditional write.
    ///
    /// An unconditional replace would undo a concurrent change, for example enable a client that was just
    /// disabled.
    ///
    /// # Errors
    /// [`RegistryError::Missing`] if there is no client with this id, [`RegistryError::Changed`] if it has
    /// another revision; nothing is written then.
    async fn replace(&self, change: Replacement) -> Result<(), RegistryError>;
    /// Adds a client, or replaces the one with its id: at each startup, for clients in a program's own
    /// configuration. A client that the host disabled stays disabled, and keeps its owner if the new one has
    /// none. Nothing is written if the stored client is equal; secrets are compared in their stored form, so
    /// one that [`SealedSecrets`](super::SealedSecrets) seals with a fresh nonce, or that is hashed with a
    /// fresh salt, is written each time.
    ///
    /// # Errors
    /// [`RegistryError::Changed`] if others change the client all the time, and those of the store.
    async fn upsert(&self, client: Client) -> Result<(), RegistryError> {
        let mut last = RegistryError::Changed;
        for _ in 0..MAX_CONFLICT_RETRIES {
            let outcome = match self.client(client.id()).await? {
                None => self.insert(client.clone()).await,
                Some(current) => {
                    let is_kept = client.state == ClientState::Active || current.state == ClientState::Ending;
                    let state = if is_kept { current.state } else { client.state };
                    let change = Replacement::of(&current, client.clone().in_state(state));
                    match change.client().is_the_same_as(&current) {
                        true => Ok(()),
                        false => self.replace(change).await,
                    }
                }
            };
            match outcome {
                Err(error @ (RegistryError::Exists | RegistryError::Missing | RegistryError::Changed)) => {
                    last = error
                }
                outcome => return outcome,
            }
        }
        Err(last)
    }

    /// Removes a client. This does not end its grants: see
    /// [`revoke_client`](crate::AuthorizationServer::revoke_client).
    ///
    /// # Errors
    /// [`RegistryError::Missing`] if there is no client with this id.
    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError>;
    /// The clients in the order of their ids, a page at a time, for the host's own pages. A client that
    /// exists from the first page to the last is on one of them. A listing that does not advance is an error.
    ///
    /// # Errors
    /// The clients cannot be read. One that cannot be decoded is in the listing by its id, and does not hide
    /// the others.
    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError>;
}

/// A change of a client, on condition that it has not changed in the meantime.
#[derive(Clone, Debug)]
#[must_use]
pub struct Replacement {
    expect: u64,
    client: Client,
}

impl Replacement {
    /// Replaces `current` by `next`, which gets its id, and its owner unless it names another one.
    pub fn of(current: &Client, next: Client) -> Self {
        let owner = next.owner.clone().or_else(|| current.owner.clone());
        let client =
            Client { identity: current.identity.clone(), revision: current.revision + 1, owner, ..next };
        Self { expect: current.revision, client }
    }

    /// The [`revision`](Client::revision) that the stored client must have.
    #[must_use]
    pub fn expect(&self) -> u64 {
        self.expect
    }

    /// The client to store, with a new revision.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Like [`client`](Self::client), by value.
    #[must_use]
    pub fn into_client(self) -> Client {
        self.client
    }
}

/// Why a registry did not change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Another client has this id.
    #[error("a client with this id already exists")]
    Exists,
    /// No client has this id.
    #[error("no client has this id")]
    Missing,
    /// The client was changed in the meantime: load it again, decide again.
    #[error("the client was changed in the meantime")]
    Changed,
    /// The registry failed.
    #[error(transparent)]
    Store(#[from] BackendError),
}

impl Client {
    /// Whether two clients are equal, apart from their revision.
    fn is_the_same_as(&self, other: &Self) -> bool {
        Self { revision: other.revision, ..self.clone() } == *other
    }
}

#[async_trait]
impl<T: ClientRegistry + ?Sized> ClientRegistry for Arc<T> {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        (**self).client(id).await
    }

    fn try_client(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        (**self).try_client(id)
    }
}

#[async_trait]
impl<T: Registrar + ?Sized> Registrar for Arc<T> {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        (**self).insert(client).await
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        (**self).replace(change).await
    }

    async fn upsert(&self, client: Client) -> Result<(), RegistryError> {
        (**self).upsert(client).await
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        (**self).remove(id).await
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        (**self).clients(page).await
    }
}

/// Clients in memory, lost when the process ends.
#[derive(Default)]
pub struct MemoryRegistry {
    clients: RwLock<HashSet<Row>>,
    edition: Edition,
}

/// A client that is found by its id; the id is kept once, within it.
struct Row(Arc<Client>);

impl Row {
    fn of(client: Client) -> Self {
        Self(Arc::new(client))
    }
}

impl Borrow<ClientId> for Row {
    fn borrow(&self) -> &ClientId {
        self.0.id()
    }
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, to: &mut H) {
        self.0.id().hash(to);
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}
impl Eq for Row {}

impl MemoryRegistry {
    /// A registry of these clients; of two with the same id, the later one is kept.
    #[must_use]
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        let mut rows = HashSet::new();
        for client in clients {
            rows.replace(Row::of(client));
        }
        Self { clients: RwLock::new(rows), edition: Edition::default() }
    }

    /// Every client, in the order of their ids.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Client>> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = clients.iter().map(|row| Arc::clone(&row.0)).collect();
        all.sort_by(|a, b| a.id().cmp(b.id()));
        all
    }

    pub(super) fn page(&self, page: &ClientPage) -> ClientListing {
        let wanted = self.all().into_iter().filter(|client| page.wants(client));
        ClientListing::of(wanted.take(page.limit as usize + 1).collect(), page)
    }

    pub(super) fn find(&self, id: &ClientId) -> Option<Arc<Client>> {
        self.edition.find(id, || {
            let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
            clients.get(id).map(|row| (Arc::clone(&row.0), self.edition.current()))
        })
    }

    /// Makes a change, if the stored client allows it.
    pub(super) fn change(&self, change: Change) -> Result<(), RegistryError> {
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        change.check(clients.get(change.id()).map(|row| &*row.0))?;
        match change {
            Change::Insert(client) | Change::Replace(Replacement { client, .. }) => {
                clients.replace(Row::of(client));
            }
            Change::Remove(id) => {
                clients.remove(&id);
            }
        }
        self.edition.end();
        Ok(())
    }
}

/// A change that a registrar is asked to make.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Insert(Client),
    Replace(Replacement),
    Remove(ClientId),
}

impl Change {
    fn id(&self) -> &ClientId {
        match self {
            Self::Insert(client) | Self::Replace(Replacement { client, .. }) => client.id(),
            Self::Remove(id) => id,
        }
    }

    /// Whether the change is possible with the stored client.
    fn check(&self, stored: Option<&Client>) -> Result<(), RegistryError> {
        match (self, stored) {
            (Self::Insert(_), Some(_)) => Err(RegistryError::Exists),
            (Self::Replace(_) | Self::Remove(_), None) => Err(RegistryError::Missing),
            (Self::Replace(change), Some(stored)) if stored.revision != change.expect => {
                Err(RegistryError::Changed)
            }
            (Self::Insert(_), None) | (Self::Replace(_) | Self::Remove(_), Some(_)) => Ok(()),
        }
    }
}

#[async_trait]
impl ClientRegistry for MemoryRegistry {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        Ok(self.find(id))
    }

    fn try_client(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        Some(self.find(id))
    }
}

#[async_trait]
impl Registrar for MemoryRegistry {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.change(Change::Insert(client))
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.change(Change::Replace(change))
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        self.change(Change::Remove(id.clone()))
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        Ok(self.page(page))
    }
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.clients.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("MemoryRegistry").field("clients", &count).finish()
    }
}
