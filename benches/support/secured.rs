//! A server for clients that prove possession of keys, and the requests of such a client.

use std::cell::Cell;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use grantor::client::ClientJwts;
use grantor::dpop::{Dpop, DpopProofs};
use grantor::jose::{self, Algorithm, Signer as _, SigningKey};
use grantor::{
    AuthMethod, AuthorizationServer, Client, ClientMetadata, GrantType, MemoryRegistry, MemoryStore,
    ReplayGuard, Request,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::bare::Published;
use super::grantor::client;

/// A client of [`server`] that authenticates with its key.
const KEYED: &str = "keyed-client";
/// The path that a guard protects.
pub const NOTES: &str = "/notes";

/// A client's key. Each JWT that it signs has a new `jti`.
pub struct Prover {
    key: SigningKey,
    algorithm: Algorithm,
    made: Cell<u64>,
}

impl Prover {
    pub fn new(algorithm: Algorithm) -> Self {
        Self { key: SigningKey::generate(algorithm).unwrap(), algorithm, made: Cell::new(0) }
    }

    /// The client that is registered with this key.
    fn client(&self) -> Client {
        Client::builder(KEYED)
            .auth_method(AuthMethod::PrivateKeyJwt)
            .jwks(json!({ "keys": [self.key.key()] }))
            .scope(super::SCOPE)
            .grant_types([GrantType::ClientCredentials])
            .build()
            .unwrap()
    }

    /// The key, for the bare verification.
    pub fn published(&self) -> Published {
        Published::parse(json!({ "keys": [self.key.key()] }).to_string().as_bytes(), self.algorithm)
    }

    fn jti(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("{:032x}", self.made.get())
    }

    /// A fresh assertion (RFC 7523).
    pub fn assertion(&self) -> String {
        let now = now();
        let claims = json!({
            "iss": KEYED, "sub": KEYED, "aud": super::ISSUER, "iat": now, "exp": now + 60, "jti": self.jti(),
        });
        jose::encode_now("JWT", &claims, &self.key).unwrap().unwrap()
    }

    /// A new proof (RFC 9449), for a call with this token if there is one.
    pub fn proof(&self, method: &str, path: &str, token: Option<&str>) -> String {
        let mut jwk = serde_json::to_value(self.key.key()).unwrap();
        let members = jwk.as_object_mut().unwrap();
        members.retain(|name, _| !["kid", "use", "alg"].contains(&name.as_str()));
        let header = json!({ "typ": "dpop+jwt", "alg": self.algorithm.as_str(), "jwk": jwk });
        let htu = format!("{}{path}", super::ISSUER);
        let mut claims = json!({ "jti": self.jti(), "htm": method, "htu": htu, "iat": now() });
        if let Some(token) = token {
            claims["ath"] = BASE64URL.encode(Sha256::digest(token)).into();
        }
        let part = |value: &Value| BASE64URL.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign_now(message.as_bytes()).unwrap().unwrap();
        format!("{message}.{}", BASE64URL.encode(signature))
    }

    /// A `client_credentials` request with an assertion.
    pub fn by_assertion(&self) -> Request {
        Request::post_form(format!(
            "grant_type=client_credentials&scope=read+write&client_assertion={}&client_assertion_type=\
             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
            self.assertion()
        ))
    }

    /// A `client_credentials` request for a token that is bound to the key.
    pub fn bound(&self) -> Request {
        Request::post_form(super::CLIENT_CREDENTIALS).header("dpop", self.proof("POST", "/token", None))
    }

    /// A call with a bound token.
    pub fn call(&self, token: &str) -> Request {
        let proof = self.proof("GET", NOTES, Some(token));
        Request::get("").header("authorization", format!("DPoP {token}")).header("dpop", proof).at_path(NOTES)
    }
}

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// A server that accepts assertions, proofs and pushed requests.
pub fn server(prover: &Prover, replays: impl ReplayGuard + 'static) -> AuthorizationServer {
    let by_secret = client(ClientMetadata::default()).build().unwrap();
    AuthorizationServer::builder(super::ISSUER)
        .clients(MemoryRegistry::new([by_secret, prover.client()]))
        .store(Arc::new(MemoryStore::new()))
        .replay_guard(replays)
        .client_signatures(ClientJwts::new())
        .dpop(Dpop::new(DpopProofs::new()))
        .scopes(super::SCOPE.split(' '))
        .authorization_endpoint("/authorize")
        .build()
        .unwrap()
}

/// Pushes an authorization request.
pub fn push() -> Request {
    Request::post_form(format!("{}&client_secret={}", super::AUTHORIZE, super::CLIENT_SECRET))
}

/// The `/authorize` query for a pushed request.
pub fn visit(pushed: &[u8]) -> String {
    format!("client_id={}&request_uri={}", super::CLIENT_ID, super::member(pushed, "request_uri"))
}
