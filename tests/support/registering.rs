//! A server where clients register themselves.

use std::sync::Arc;

use grantor::http::Method;
use grantor::server::AuthorizationServerBuilder;
use grantor::{
    Client, ClientId, ClientRegistry, MemoryRegistry, MemoryStore, Registration, Request, TokenStore,
};
use serde_json::{Value, json};

use super::{Answer, CALLBACK, Fixture, basic, clients, code_query, encode, redemption};

pub struct Registering {
    pub fixture: Fixture,
    pub registry: Arc<MemoryRegistry>,
}

/// A client that registered itself: the registration response.
pub struct Own(pub Value);

impl Registering {
    pub fn on(terms: Registration) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::with_store(terms, store.clone(), store)
    }

    /// A server with further settings.
    pub fn configured(
        terms: Registration,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::build(terms, store.clone(), store, configure)
    }

    pub fn with_store(terms: Registration, store: Arc<MemoryStore>, used: impl TokenStore + 'static) -> Self {
        Self::build(terms, store, used, |builder| builder)
    }

    fn build(
        terms: Registration,
        store: Arc<MemoryStore>,
        used: impl TokenStore + 'static,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let registry = Arc::new(MemoryRegistry::new(clients()));
        let fixture = Fixture::on(store, used, |builder| {
            let builder = builder.clients(registry.clone()).registrar(registry.clone()).registration(terms);
            configure(builder)
        });
        Self { fixture, registry }
    }

    pub async fn send(&self, request: Request) -> Answer {
        Answer(self.fixture.server.registration(&request).await)
    }

    /// `POST /register` with this JSON.
    pub async fn post(&self, metadata: &Value) -> Answer {
        self.send(Request::json(Method::Post, metadata.to_string())).await
    }

    /// The registered client; the metadata must be accepted.
    pub async fn registered(&self, metadata: &Value) -> Own {
        let answer = self.post(metadata).await;
        assert_eq!(answer.status(), 201, "{}", answer.json());
        Own(answer.json())
    }

    /// The error for the usual metadata with these changes.
    pub async fn refusal(&self, changes: Value) -> (u16, String) {
        let before = self.registry.all().len();
        let answer = self.post(&app_with(changes)).await;
        assert_eq!(self.registry.all().len(), before, "what is refused is not kept");
        answer.error()
    }

    /// `PUT` of this JSON by the client; its `client_id` is added unless the JSON has one.
    pub async fn put(&self, own: &Own, metadata: &Value) -> Answer {
        let mut body = metadata.clone();
        body.as_object_mut().unwrap().entry("client_id").or_insert(own.id().into());
        self.send(own.asks(Request::json(Method::Put, body.to_string()))).await
    }

    pub async fn get(&self, own: &Own) -> Answer {
        self.send(own.asks(Request::new(Method::Get))).await
    }

    pub async fn delete(&self, own: &Own) -> Answer {
        self.send(own.asks(Request::new(Method::Delete))).await
    }

    pub async fn stored(&self, id: &str) -> Option<Arc<Client>> {
        self.registry.client(&ClientId::new(id)).await.unwrap()
    }

    /// A form from this client at the token endpoint.
    pub async fn token(&self, own: &Own, form: &[(&str, &str)]) -> Answer {
        Answer(self.fixture.server.token(&own.signs(form)).await)
    }

    pub async fn code(&self, own: &Own, scope: &str) -> String {
        let answer = self.fixture.approve(&code_query(own.id(), scope)).await;
        answer.location_parameter("code").expect("a code")
    }

    pub async fn tokens(&self, own: &Own, scope: &str) -> Answer {
        let answer = self.token(own, &redemption(&self.code(own, scope).await)).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer
    }

    pub async fn refresh(&self, own: &Own, token: &str) -> Answer {
        self.token(own, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

impl Own {
    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    pub fn id(&self) -> &str {
        self.text("client_id")
    }

    /// A request to its configuration URI, with its registration access token.
    pub fn asks(&self, request: Request) -> Request {
        self.asks_with(request, self.text("registration_access_token"))
    }

    pub fn asks_with(&self, mut request: Request, token: &str) -> Request {
        let (_, query) = self.text("registration_client_uri").split_once('?').unwrap();
        request.query = Some(query.to_owned());
        request.header("authorization", format!("Bearer {token}"))
    }

    /// A form, authenticated with the client's registered method.
    pub fn signs(&self, form: &[(&str, &str)]) -> Request {
        let mut form = form.to_vec();
        match self.text("token_endpoint_auth_method") {
            "none" => form.push(("client_id", self.id())),
            _ => {
                let header = basic(self.id(), self.text("client_secret"));
                return Request::post_form(encode(&form)).header("authorization", header);
            }
        }
        Request::post_form(encode(&form))
    }
}

/// Valid metadata.
pub fn app() -> Value {
    json!({
        "client_name": "App",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "read write",
    })
}

/// The same with these changes; `null` unsets a member.
pub fn app_with(changes: Value) -> Value {
    let mut metadata = app();
    for (name, value) in changes.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    metadata
}
