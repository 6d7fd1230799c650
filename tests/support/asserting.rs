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
/// The `jwks_uri` of `far`.
pub const KEYS_AT: &str = "https://far.example/jwks.json";

/// A server with the clients `pkj` and `rival`, whose keys are inline, and `far`, whose key is at
/// [`KEYS_AT`].
pub struct Asserting {
    pub fixture: Fixture,
    pub key: SigningKey,
    pub rivals: SigningKey,
    pub remote: KeyServer,
}

/// The key set published at [`KEYS_AT`], and how often it was requested.
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

    /// From now on, requests fail.
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
        assert_eq!(request.chosen_by(), grantor::outbound::ChosenBy::Host);
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let body = self.0.body.lock().unwrap().clone();
        let body = body.filter(|_| request.url() == KEYS_AT).ok_or(OutboundError::Unreachable)?;
        Ok(OutboundResponse::new(200, body).header("cache-control", "max-age=300"))
    }
}

/// A client with this id that may use every grant type; its keys are not set yet.
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

    /// With additional clients, which are made from the key of `pkj`.
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

    /// A valid assertion of `pkj` with these changes of its claims; `null` removes one.
    pub fn assertion(&self, changes: Value) -> String {
        self.under(r#"{"alg":"ES256"}"#, changes)
    }

    /// The same with this header.
    pub fn under(&self, header: &str, changes: Value) -> String {
        forged(&self.key, header, &claims("pkj", changes).to_string())
    }

    /// The response to a `client_credentials` request with this assertion.
    pub async fn asks(&self, assertion: &str) -> Answer {
        self.asks_with(assertion, &[("grant_type", "client_credentials")]).await
    }

    pub async fn asks_with(&self, assertion: &str, form: &[(&str, &str)]) -> Answer {
        Answer(self.fixture.server.token(&by_assertion(assertion, form)).await)
    }
}

/// A form that is authenticated with this assertion only.
pub fn by_assertion(assertion: &str, form: &[(&str, &str)]) -> Request {
    let own = [("client_assertion_type", URN), ("client_assertion", assertion)];
    Request::post_form(encode(&[form, &own[..]].concat()))
}

/// The claims of a valid assertion of this client, with these changes; `null` removes one.
pub fn claims(client: &str, changes: Value) -> Value {
    let claims = json!({
        "iss": client, "sub": client, "aud": ISSUER, "jti": "1",
        "iat": TestClock::START, "exp": TestClock::START + 60,
    });
    changed(claims, changes)
}
