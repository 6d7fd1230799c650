//! [`FileRegistry`]: clients in one JSON file.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::registry::Change;
use super::{Client, ClientDecodeError, ClientId, ClientListing, ClientPage, ClientRegistry, MemoryRegistry};
use super::{Registrar, RegistryError, Replacement};
use crate::base::private_file::{replace, sync_directory};
use crate::error::BackendError;

/// Clients in one JSON file, which is read once and replaced as a whole at each change: the file on disk is
/// always the old one or the new one. For one process and some thousands of clients.
///
/// **The file holds digests of secrets, password hashes and sealed secrets.** At the first change, only its
/// owner may read it (mode 0600 on Unix).
///
/// A change writes and syncs the file on the calling thread, which takes some milliseconds; lookups only read
/// memory.
#[derive(Debug)]
pub struct FileRegistry {
    path: PathBuf,
    clients: MemoryRegistry,
    writing: Mutex<()>,
}

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileRegistryError {
    /// It could not be read.
    #[error("cannot read the client file: {0}")]
    Io(#[from] io::Error),
    /// It is not a JSON array.
    #[error("the client file is not a JSON array: {0}")]
    Json(#[from] serde_json::Error),
    /// One of its clients cannot be used.
    #[error("client number {number} of the client file: {why}")]
    Client {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        why: ClientDecodeError,
    },
}

impl FileRegistry {
    /// Opens the file; a missing file is an empty registry.
    ///
    /// # Errors
    /// The file cannot be read, or is not a list of valid clients.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, FileRegistryError> {
        let path = path.into();
        let bodies: Vec<Value> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut clients = Vec::with_capacity(bodies.len());
        for (at, body) in bodies.iter().enumerate() {
            let client = Client::decode(body);
            clients.push(client.map_err(|why| FileRegistryError::Client { number: at + 1, why })?);
        }
        Ok(Self { path, clients: MemoryRegistry::new(clients), writing: Mutex::new(()) })
    }

    /// Every client, in the order of their ids.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.clients.all()
    }

    /// Writes the new state, then publishes it: memory has what the disk has. A failed write changes nothing.
    fn change(&self, change: Change) -> Result<(), RegistryError> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let next = MemoryRegistry::new(self.clients.all().iter().map(|c| Client::clone(c)));
        next.change(change.clone())?;
        let bodies: Vec<Value> = next.all().iter().map(|c| c.encode()).collect();
        let json = serde_json::to_vec_pretty(&bodies).map_err(BackendError::permanent)?;
        replace(&self.path, &json).map_err(BackendError::transient)?;
        self.clients.change(change)?;
        // The new file is already visible, but it may not survive a power cut.
        Ok(sync_directory(&self.path).map_err(BackendError::unknown_outcome)?)
    }
}

#[async_trait]
impl ClientRegistry for FileRegistry {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        Ok(self.clients.find(id))
    }

    fn try_client(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        Some(self.clients.find(id))
    }
}

#[async_trait]
impl Registrar for FileRegistry {
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
        Ok(self.clients.page(page))
    }
}
