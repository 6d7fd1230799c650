//! A server with clients that sign their assertions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use grantor::client::ClientJwts;
use grantor::jose::{Algorithm, Jwk, SigningKey};
use grantor::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::server::AuthorizationServerBuilder;
use grantor::{
    AuthMethod, Client, ClientBuilder, GrantType, MemoryRegistry, MemoryStore, Request, TokenStore,
    async_trait,
};
use serde_json::{Value, json};

use super::guarded::{changed, forged};
use super::{Answer, CALLBACK, Fixture, ISSUER, TestClock, clients, encode};

pub const URN: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Where the keys of `far` are.
pub const KEYS_AT: &str = "https://far.example/jwks.json";

/// The clients `pkj` and `rival` with a key by value each, and `far` with one at [`KEYS_AT`].
pub struct Asserting {
    pub fixture: Fixture,
    pub key: SigningKey,
    pub rivals: SigningKey,
    pub remote: KeyServer,
}

/// What is published at [`KEYS_AT`], and how often it was asked for.
#[derive(Clone, Default)]
pub struct KeyServer(Arc<Published>);

#[derive(Default)]
struct Published {
    body: Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl KeyServer {
    pub fn publish(&self, keys: &Value) {
        *self.0.body.lock().unwrap() = Some(keys.to_string());
    }

    /// From now on nothing answers.
    pub fn go_down(&self) {
        *self.0.body.lock().unwrap() = None;
    }

    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Outbound for KeyServer {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        assert_eq!(request.chosen_by(), grantor::outbound::ChosenBy::Client);
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let body = self.0.body.lock().unwrap().clone();
        let body = body.filter(|_| request.url() == KEYS_AT).ok_or(OutboundError::Unreachable)?;
        Ok(OutboundResponse::new(200, body).header("cache-control", "max-age=300"))
    }
}

/// A client of this name that may do everything, without keys yet.
pub fn signing(id: &str) -> ClientBuilder {
    Client::builder(id).auth_method(AuthMethod::PrivateKeyJwt).redirect_uri(CALLBACK).grant_types([
        GrantType::AuthorizationCode,
        GrantType::DeviceCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
    ])
}

/// A JWK set of these public keys.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a Jwk>) -> Value {
    json!({ "keys": keys.into_iter().map(|key| serde_json::to_value(key).unwrap()).collect::<Vec<_>>() })
}

pub fn set_of(key: &SigningKey) -> Value {
    use grantor::jose::Signer as _;
    jwks([key.key()])
}

impl Asserting {
    pub fn new() -> Self {
        Self::with(|_| Vec::new(), |builder| builder)
    }

    /// With more clients, made from the key of `pkj`.
    pub fn with(
        more: impl FnOnce(&SigningKey) -> Vec<ClientBuilder>,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::on(store.clone(), store, more, configure)
    }

    pub fn on(
        store: Arc<MemoryStore>,
        used: impl TokenStore + 'static,
        more: impl FnOnce(&SigningKey) -> Vec<ClientBuilder>,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let [key, rivals] = [(); 2].map(|()| SigningKey::generate(Algorithm::Es256).unwrap());
        let remote = KeyServer::default();
        remote.publish(&set_of(&key));
        let own = [
            signing("pkj").jwks(set_of(&key)),
            signing("rival").jwks(set_of(&rivals)),
            signing("far").jwks_uri(KEYS_AT),
        ];
        let own = own.into_iter().chain(more(&key)).map(|client| client.build().unwrap());
        let registry = MemoryRegistry::new(clients().into_iter().chain(own));
        let jwts = ClientJwts::over(remote.clone());
        let fixture = Fixture::on(store.clone(), used, |builder| {
            let builder = builder.clients(registry).replay_guard(store).client_signatures(jwts);
            configure(builder.device_verification("/device"))
        });
        Self { fixture, key, rivals, remote }
    }

    /// An assertion of `pkj` that is in order, with these changes of its claims; `null` takes one away.
    pub fn assertion(&self, changes: Value) -> String {
        self.under(r#"{"alg":"ES256"}"#, changes)
    }

    /// The same under this header.
    pub fn under(&self, header: &str, changes: Value) -> String {
        forged(&self.key, header, &claims("pkj", changes).to_string())
    }

    /// The answer to `client_credentials` by this assertion.
    pub async fn asks(&self, assertion: &str) -> Answer {
        self.asks_with(assertion, &[("grant_type", "client_credentials")]).await
    }

    pub async fn asks_with(&self, assertion: &str, form: &[(&str, &str)]) -> Answer {
        Answer(self.fixture.server.token(&by_assertion(assertion, form)).await)
    }
}

/// A form that is authenticated by this assertion alone.
pub fn by_assertion(assertion: &str, form: &[(&str, &str)]) -> Request {
    let own = [("client_assertion_type", URN), ("client_assertion", assertion)];
    Request::post_form(encode(&[form, &own[..]].concat()))
}

/// The claims of an assertion of this client that is in order, with these changes; `null` takes one away.
pub fn claims(client: &str, changes: Value) -> Value {
    let claims = json!({
        "iss": client, "sub": client, "aud": ISSUER, "jti": "1",
        "iat": TestClock::START, "exp": TestClock::START + 60,
    });
    changed(claims, changes)
}
