//! The clients of the configuration file, and those that developers registered.

use std::sync::Arc;

use grantor::{BackendError, Client, ClientId, ClientRegistry, MemoryRegistry, Registrar, async_trait};

/// Looks in the file first, which works even while the store is down.
pub(crate) struct Clients {
    file: MemoryRegistry,
    pub(crate) registered: Arc<dyn Registrar>,
}

impl Clients {
    /// The clients of the file, sorted by id.
    pub(crate) fn of_file(&self) -> Vec<Arc<Client>> {
        self.file.all()
    }

    pub(crate) fn new(file: Vec<Client>, registered: Arc<dyn Registrar>) -> Self {
        Self { file: MemoryRegistry::new(file), registered }
    }
}

#[async_trait]
impl ClientRegistry for Clients {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        match self.file.client(id).await? {
            Some(client) => Ok(Some(client)),
            None => self.registered.client(id).await,
        }
    }

    fn try_client(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        match self.file.try_client(id) {
            Some(Some(client)) => Some(Some(client)),
            Some(None) | None => self.registered.try_client(id),
        }
    }
}
