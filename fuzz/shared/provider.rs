//! An OpenID Provider that has everything switched on, and its clients: `web` with the secret `s`, and `app`,
//! which is public.

use std::sync::Arc;

use grantor::client::X509Certificates;
use grantor::flow::token::{Exchange, ExchangeAsk};
use grantor::http::Method;
use grantor::issuance::Fields;
use grantor::jose::{Algorithm, Signer, SigningKey};
use grantor::keys::{JwtSigner, Keys};
use grantor::openid::{ClaimsAsked, ClaimsSource};
use grantor::server::{AuthorizationServerBuilder, ExchangePolicy, Sessions};
use grantor::{
    AuthMethod, AuthorizationServer, BackendError, Client, ClientMetadata, Endpoint, GrantType,
    MemoryRegistry, MemoryStore, Registration, Request, Resource, Response, ResponseType, async_trait,
};
use serde_json::{Map, Value, json};

use crate::{Forgetful, ISSUER, Still, Ticking, answer_as, handle, key, login, own_parameter, redirect};

pub const API: &str = "https://api.example";
pub const ORDERS: &str = "https://orders.example";
pub const CALLBACK: &str = "https://app.example/cb";
pub const LOOPBACK: &str = "http://127.0.0.1";
pub const SIGNED_OUT: &str = "https://app.example/out";
/// The scopes of the server; `web` may have all but `admin`.
pub const SCOPES: [&str; 5] = ["openid", "profile", "read", "write", "admin"];
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Knows much of everybody.
struct People;

#[async_trait]
impl ClaimsSource for People {
    async fn claims(&self, _: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
        let claims =
            json!({ "name": "Alice", "email": "alice@example.com", "sub": "mallory", "acr": "high" });
        Ok(claims.as_object().expect("an object").clone())
    }
}

/// Lets `web` act for everybody.
struct Anything;

#[async_trait]
impl ExchangePolicy for Anything {
    async fn exchange(&self, ask: &ExchangeAsk<'_>) -> Result<Exchange, BackendError> {
        Ok(if ask.actor.is_some() { Exchange::Delegation } else { Exchange::Impersonation })
    }
}

/// The server; `configure` changes it, and has the last word.
pub fn provider(
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> AuthorizationServer {
    // Every provider has a key for RS256; everything else is signed by the other one.
    let rsa = SigningKey::generate(Algorithm::Rs256).expect("a key");
    let keys: Vec<Arc<dyn Signer>> = vec![Arc::<SigningKey>::clone(key()), Arc::new(rsa)];
    let keys = Keys::from_signers(keys).expect("keys");
    let builder = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::new([web(), app()]))
        .store(MemoryStore::new())
        .replay_guard(Forgetful)
        .scopes(SCOPES)
        .resource(Resource::new(API).scopes(["read", "write", "admin"]))
        .resource(Resource::new(ORDERS).scopes(["read"]))
        .authorization_details_type("payment", Fields::<Value>::new())
        .authorization_endpoint("/authorize")
        .device_verification("/device")
        .logout_endpoint("/logout")
        .token_signer(JwtSigner::with_algorithm(keys, Algorithm::EdDsa).expect("a signer"))
        .openid(People)
        .sessions(Sessions::new([7; 32]))
        .pairwise_secret([7; 32])
        .token_exchange(Anything)
        .sign_authorization_responses()
        .clock(Ticking(1));
    configure(builder).build().expect("a server")
}

fn web() -> Client {
    let metadata = metadata(json!({
        "id_token_signed_response_alg": "EdDSA", "authorization_signed_response_alg": "EdDSA",
        "post_logout_redirect_uris": [SIGNED_OUT],
    }));
    let grants = [
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
        GrantType::DeviceCode,
        GrantType::TokenExchange,
    ];
    let client = Client::builder("web").metadata(metadata).secret("s").redirect_uri(CALLBACK);
    let client = client.grant_types(grants).response_types([ResponseType::Code]).require_pkce(false);
    client.scope("openid profile read write").build().expect("a client")
}

fn app() -> Client {
    let metadata = metadata(json!({
        "id_token_signed_response_alg": "EdDSA", "authorization_signed_response_alg": "EdDSA",
    }));
    let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];
    let client = Client::builder("app").metadata(metadata).redirect_uri("http://127.0.0.1/cb");
    client.grant_types(grants).auth_method(AuthMethod::None).build().expect("a client")
}

fn metadata(json: Value) -> ClientMetadata {
    serde_json::from_value(json).expect("metadata")
}

/// A form that `web` sends.
pub fn of_web(form: impl Into<Vec<u8>>) -> Request {
    Request::post_form(form).header("authorization", "Basic d2ViOnM=")
}

/// What the token endpoint answers to a form of `web`, if it gives a token.
pub fn token(server: &AuthorizationServer, form: impl Into<Vec<u8>>) -> Option<Value> {
    let response = handle(server, Endpoint::Token, &of_web(form));
    (response.status == 200).then(|| crate::json(&response))
}

/// What `web` gets once alice approved a request with this query.
pub fn redeemed(server: &AuthorizationServer, query: &str, at: i64) -> Option<Value> {
    let query = format!("response_type=code&client_id=web&redirect_uri={CALLBACK}&{query}");
    let response = answer_as(server, &Request::get(query), login("alice", at), &[CALLBACK])?;
    let code = own_parameter(&redirect(&response)?, "code")?;
    token(server, format!("grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}"))
}

/// The claims of a JWT that the server signed.
pub fn claims(jwt: &str) -> Value {
    let keys = crate::public_keys().verifying_keys();
    let unverified = grantor::jose::Jws::parse(jwt).expect("a JWS");
    unverified.verify(&keys).expect("a right signature").claims().expect("claims")
}

/// Whether each token of this scope is in that one.
pub fn is_within(scope: &Value, all: &str) -> bool {
    scope
        .as_str()
        .unwrap_or_default()
        .split(' ')
        .all(|token| token.is_empty() || all.split(' ').any(|own| own == token))
}

/// A server at which strangers register on these terms, as often as they like.
pub fn registering(terms: Registration) -> AuthorizationServer {
    let registry = Arc::new(MemoryRegistry::new([]));
    provider(|builder| {
        let builder = builder.clients(Arc::clone(&registry)).registrar(registry).clock(Still);
        builder.client_certificates(X509Certificates::new()).registration(terms.per_day(0))
    })
}

/// What a client does with its own registration (RFC 7592).
pub fn manage(server: &AuthorizationServer, registered: &Value, method: Method) -> Response {
    let [uri, token] = ["registration_client_uri", "registration_access_token"]
        .map(|name| registered[name].as_str().expect("a text"));
    let mut request = Request::new(method).header("authorization", format!("Bearer {token}"));
    request.query = uri.split_once('?').map(|(_, query)| query.to_owned());
    handle(server, Endpoint::Registration, &request)
}
