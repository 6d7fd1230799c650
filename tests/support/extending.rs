//! A server with an extension grant type whose decisions are set by the test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use grantor::flow::token::{Denial, Entitlement, ExtensionAsk, ExtensionTerms};
use grantor::server::{AuthorizationServerBuilder, ExtensionGrant};
use grantor::{
    AuthMethod, Client, GrantType, MemoryRegistry, MemoryStore, Resource, Scope, TokenStore, async_trait,
};

use super::{Answer, Fixture, SECRET, clients};

pub const VOUCHER: &str = "urn:example:voucher";
pub const API: &str = "https://api.example";
pub const OTHER_API: &str = "https://other.example";

type Judge = dyn Fn(&ExtensionAsk<'_>) -> Result<Entitlement, Denial> + Send + Sync;

/// Decides as the test told it to.
#[derive(Clone)]
pub struct Host {
    judge: Arc<Mutex<Arc<Judge>>>,
    terms: ExtensionTerms,
    asked: Arc<AtomicUsize>,
}

impl Host {
    pub fn new(terms: ExtensionTerms) -> Self {
        let host = Self {
            judge: Arc::new(Mutex::new(Arc::new(|_| Err(Denial::invalid_grant())))),
            terms,
            asked: Arc::default(),
        };
        host.answers(|_| Ok(Entitlement::user("alice", scope("read write admin"))));
        host
    }

    /// From now on, it decides this way.
    pub fn answers(
        &self,
        judge: impl Fn(&ExtensionAsk<'_>) -> Result<Entitlement, Denial> + Send + Sync + 'static,
    ) {
        *self.judge.lock().unwrap() = Arc::new(judge);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ExtensionGrant for Host {
    async fn entitle(&self, ask: &ExtensionAsk<'_>) -> Result<Entitlement, Denial> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let judge = Arc::clone(&self.judge.lock().unwrap());
        judge(ask)
    }

    fn terms(&self) -> ExtensionTerms {
        self.terms.clone()
    }
}

pub struct Extending {
    pub fixture: Fixture,
    pub host: Host,
}

impl Extending {
    pub fn new() -> Self {
        Self::on_terms(ExtensionTerms::default())
    }

    pub fn on_terms(terms: ExtensionTerms) -> Self {
        Self::with(terms, |builder| builder)
    }

    pub fn with(
        terms: ExtensionTerms,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::on(store.clone(), store, terms, configure)
    }

    /// In addition to the usual clients: `shop` (confidential, `read write`, no refresh tokens), `desk` (with
    /// refresh tokens), `kiosk` (public).
    pub fn on(
        store: Arc<MemoryStore>,
        used: impl TokenStore + 'static,
        terms: ExtensionTerms,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let host = Host::new(terms);
        let voucher = GrantType::parse(VOUCHER).unwrap();
        let shop = Client::builder("shop").scope("read write").grant_types([voucher.clone()]).secret(SECRET);
        let desk =
            Client::builder("desk").grant_types([voucher.clone(), GrantType::RefreshToken]).secret(SECRET);
        let kiosk = Client::builder("kiosk").grant_types([voucher]).auth_method(AuthMethod::None);
        let own = [shop, desk, kiosk].map(|client| client.build().unwrap());
        let registry = MemoryRegistry::new(clients().into_iter().chain(own));
        let fixture = Fixture::on(store, used, |builder| {
            let builder = builder
                .clients(registry)
                .resource(Resource::new(API))
                .resource(Resource::new(OTHER_API))
                .extension_grant(VOUCHER, host.clone());
            configure(builder)
        });
        Self { fixture, host }
    }

    /// A token request with the grant type and these additional parameters.
    pub async fn redeem(&self, client: &str, more: &[(&str, &str)]) -> Answer {
        let form = [&[("grant_type", VOUCHER)], more].concat();
        self.fixture.token(client, &form).await
    }
}

pub fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}
