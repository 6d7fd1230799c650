//! Clients that a program upserts at each start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use grantor::client::{ClientListing, ClientPage, RegistryError, SealedSecrets};
use grantor::{
    AuthMethod, BackendError, Client, ClientId, ClientRegistry, ClientState, MemoryRegistry, Registrar,
    Replacement, SecretText, async_trait,
};

fn app(callback: &str) -> Client {
    Client::builder("app").redirect_uri(callback).auth_method(AuthMethod::None).build().unwrap()
}

const ONE: &str = "https://app.example/one";
const TWO: &str = "https://app.example/two";

#[tokio::test]
async fn a_client_is_added_then_changed_then_left_alone() {
    let registry = MemoryRegistry::default();
    let stored = async || registry.client(&ClientId::new("app")).await.unwrap().unwrap();
    registry.upsert(app(ONE)).await.unwrap();
    assert_eq!(*stored().await, app(ONE));
    registry.upsert(app(ONE)).await.unwrap();
    assert_eq!(stored().await.revision(), 0, "nothing changed, and nothing was written");
    registry.upsert(app(TWO)).await.unwrap();
    let changed = stored().await;
    assert_eq!((changed.revision(), changed.redirect_uris()), (1, app(TWO).redirect_uris()));
}

#[tokio::test]
async fn what_the_host_disabled_stays_disabled() {
    let registry = Arc::new(MemoryRegistry::new([app(ONE)]));
    let server = grantor::AuthorizationServer::builder("https://as.example")
        .clients(registry.clone())
        .registrar(registry.clone())
        .store(grantor::MemoryStore::new())
        .build()
        .unwrap();
    assert!(server.set_client_state(&ClientId::new("app"), ClientState::Disabled).await.unwrap());
    registry.upsert(app(TWO)).await.unwrap();
    let stored = registry.client(&ClientId::new("app")).await.unwrap().unwrap();
    assert_eq!((stored.state(), stored.redirect_uris()), (ClientState::Disabled, app(TWO).redirect_uris()));
    let registry = MemoryRegistry::new([app(ONE)]);
    let disabled =
        Client::builder("app").redirect_uri(ONE).auth_method(AuthMethod::None).state(ClientState::Disabled);
    registry.upsert(disabled.build().unwrap()).await.unwrap();
    let stored = registry.client(&ClientId::new("app")).await.unwrap().unwrap();
    assert_eq!(stored.state(), ClientState::Disabled, "a program may disable its own client, too");
}

/// Seals as authenticated encryption does: never the same text twice.
#[derive(Debug, Default)]
struct Nonces(AtomicU32);

impl SealedSecrets for Nonces {
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError> {
        Ok(format!("{} {}", self.0.fetch_add(1, Ordering::SeqCst), secret.reveal()))
    }

    fn open(&self, _: &str) -> Result<SecretText, BackendError> {
        Err(BackendError::permanent("not asked for"))
    }
}

#[tokio::test]
async fn a_secret_that_was_sealed_again_is_stored_because_its_key_may_differ() {
    let (registry, nonces) = (MemoryRegistry::default(), Nonces::default());
    let sealed = || {
        let client = Client::builder("app").redirect_uri(ONE).auth_method(AuthMethod::ClientSecretJwt);
        let client = client.sealed_secret("a secret of the client, of 40 characters", &nonces).unwrap();
        client.build().unwrap()
    };
    let (first, second) = (sealed(), sealed());
    for (client, revision) in [(&first, 0), (&first, 0), (&second, 1)] {
        registry.upsert(client.clone()).await.unwrap();
        let stored = registry.client(&ClientId::new("app")).await.unwrap().unwrap();
        assert_eq!(stored.revision(), revision);
    }
}

/// A registry where another writer is always faster, for the first `rivals` writes.
struct Contended {
    inner: MemoryRegistry,
    rivals: AtomicU32,
}

impl Contended {
    async fn rival(&self) {
        let left = self.rivals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match (left, self.inner.client(&ClientId::new("app")).await.unwrap()) {
            (Err(_), _) => {}
            (Ok(_), None) => self.inner.insert(app(ONE)).await.unwrap(),
            (Ok(_), Some(current)) => self.inner.replace(Replacement::of(&current, app(ONE))).await.unwrap(),
        }
    }
}

#[async_trait]
impl ClientRegistry for Contended {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        self.inner.client(id).await
    }
}

#[async_trait]
impl Registrar for Contended {
    async fn insert(&self, client: Client) -> Result<(), RegistryError> {
        self.rival().await;
        self.inner.insert(client).await
    }

    async fn replace(&self, change: Replacement) -> Result<(), RegistryError> {
        self.rival().await;
        self.inner.replace(change).await
    }

    async fn remove(&self, id: &ClientId) -> Result<(), RegistryError> {
        self.inner.remove(id).await
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        self.inner.clients(page).await
    }
}

/// A registry with an upsert of its own.
#[derive(Default)]
struct OneStatement(AtomicU32);

#[async_trait]
impl ClientRegistry for OneStatement {
    async fn client(&self, _: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        Ok(None)
    }
}

#[async_trait]
impl Registrar for OneStatement {
    async fn insert(&self, _: Client) -> Result<(), RegistryError> {
        Err(RegistryError::Exists)
    }

    async fn replace(&self, _: Replacement) -> Result<(), RegistryError> {
        Err(RegistryError::Changed)
    }

    async fn upsert(&self, _: Client) -> Result<(), RegistryError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn remove(&self, _: &ClientId) -> Result<(), RegistryError> {
        Ok(())
    }

    async fn clients(&self, page: &ClientPage) -> Result<ClientListing, BackendError> {
        MemoryRegistry::default().clients(page).await
    }
}

#[tokio::test]
async fn a_shared_registry_upserts_in_its_own_way() {
    async fn upsert(registry: impl Registrar) -> Result<(), RegistryError> {
        registry.upsert(app(ONE)).await
    }
    let registry = Arc::new(OneStatement::default());
    upsert(Arc::clone(&registry)).await.unwrap();
    assert_eq!(registry.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_lost_race_is_decided_again_and_an_endless_one_is_not() {
    let contended = |rivals: u32| Contended { inner: MemoryRegistry::default(), rivals: rivals.into() };
    let registry = contended(3);
    registry.upsert(app(TWO)).await.unwrap();
    let stored = registry.client(&ClientId::new("app")).await.unwrap().unwrap();
    assert_eq!(stored.redirect_uris(), app(TWO).redirect_uris());
    assert!(matches!(contended(u32::MAX).upsert(app(TWO)).await, Err(RegistryError::Changed)));
}
