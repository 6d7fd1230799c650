//! Request objects: a request counts if its client signed it for this server, and its answer goes to a registered address alone.
#![no_main]

mod signing;

use std::sync::OnceLock;

use grantor::client::{ClientJwts, RequestObjects};
use grantor::jose::Signer as _;
use grantor::{AuthMethod, AuthorizationServer, Client, MemoryRegistry, MemoryStore, Request};
use libfuzzer_sys::fuzz_target;
use signing::{Forgetful, ISSUER, NOW, Still, base64url, key, now_or_never, signed};

fuzz_target!(|text: &str| {
    // A parameter without a value counts as absent.
    assert!(text.is_empty() || !counts(text), "no one but the key can sign");
    // The same text as claims under a right header, and as a header before right claims, both with a right signature.
    if counts(&signed(HEADER, text)) {
        let claims: serde_json::Value = serde_json::from_str(text).expect("claims");
        assert_eq!(claims["client_id"], "app");
        assert!(claims["redirect_uri"].is_null() || claims["redirect_uri"] == CALLBACK);
        assert!(claims["request"].is_null() && claims["request_uri"].is_null());
        let names = |one: &serde_json::Value| *one == ISSUER;
        let audience = &claims["aud"];
        assert!(
            audience.is_null() || names(audience) || audience.as_array().expect("names").iter().any(names)
        );
    }
    if counts(&signed(text, &claims())) {
        let header: serde_json::Value = serde_json::from_str(text).expect("a header");
        assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().expect("an algorithm")));
        assert!(header.get("crit").is_none() && header.get("jwk").is_none() && header.get("b64").is_none());
    }
});

const HEADER: &str = r#"{"alg":"EdDSA","typ":"oauth-authz-req+jwt"}"#;
const CALLBACK: &str = "https://app.example/cb";

fn claims() -> String {
    serde_json::json!({
        "client_id": "app", "aud": ISSUER, "nbf": NOW, "exp": NOW + 60, "response_type": "code", "redirect_uri": CALLBACK,
    })
    .to_string()
}

/// A server that knows the client by its key.
fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let jwk = serde_json::to_value(key().key()).expect("a key");
        let client = Client::builder("app").auth_method(AuthMethod::PrivateKeyJwt).redirect_uri(CALLBACK);
        let client = client.jwks(serde_json::json!({ "keys": [jwk] })).build().expect("a client");
        let server = AuthorizationServer::builder(ISSUER)
            .clients(MemoryRegistry::new([client]))
            .store(MemoryStore::new())
            .replay_guard(Forgetful)
            .client_signatures(ClientJwts::new())
            .request_objects(RequestObjects::accepted())
            .authorization_endpoint("/authorize")
            .clock(Still)
            .build()
            .expect("a server");
        assert!(is_taken(&server, &signed(HEADER, &claims())), "an object that is in order counts");
        let stripped = format!("{}.{}.", base64url(HEADER.as_bytes()), base64url(claims().as_bytes()));
        assert!(!is_taken(&server, &stripped));
        server
    })
}

fn counts(object: &str) -> bool {
    is_taken(server(), object)
}

/// Whether the object leads anywhere but to an error page.
fn is_taken(server: &AuthorizationServer, object: &str) -> bool {
    let escaped: String = object.bytes().map(|byte| format!("%{byte:02X}")).collect();
    now_or_never(server.authorize(&Request::get(format!("client_id=app&request={escaped}")))).is_ok()
}
