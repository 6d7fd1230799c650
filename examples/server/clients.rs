//! The clients of the configuration file, and those that developers registered.

use std::sync::Arc;

use grantor::{Client, ClientId, ClientRegistry, MemoryRegistry, Registrar, StoreError, async_trait};

/// Asks the file first: it is there even while the store is down.
pub(crate) struct Clients {
    file: MemoryRegistry,
    pub(crate) registered: Arc<dyn Registrar>,
}

impl Clients {
    pub(crate) fn new(file: Vec<Client>, registered: Arc<dyn Registrar>) -> Self {
        Self { file: MemoryRegistry::new(file), registered }
    }
}

#[async_trait]
impl ClientRegistry for Clients {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        match self.file.client(id).await? {
            Some(client) => Ok(Some(client)),
            None => self.registered.client(id).await,
        }
    }

    fn client_now(&self, id: &ClientId) -> Option<Option<Arc<Client>>> {
        match self.file.client_now(id) {
            Some(Some(client)) => Some(Some(client)),
            Some(None) | None => self.registered.client_now(id),
        }
    }
}
