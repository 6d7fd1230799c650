//! Assertions of clients: a client is who signed for this server, in time, and nobody else.
#![no_main]

mod signing;

use std::sync::OnceLock;

use grantor::client::ClientJwts;
use grantor::jose::Signer as _;
use grantor::{AuthMethod, AuthorizationServer, Client, MemoryRegistry, MemoryStore, Request};
use libfuzzer_sys::fuzz_target;
use signing::{Forgetful, ISSUER, NOW, Still, base64url, key, now_or_never, signed};

fuzz_target!(|text: &str| {
    assert!(!passes(text), "no one but the key can sign");
    // The same text as claims under a right header, and as a header before right claims, both with a right signature.
    if passes(&signed(HEADER, text)) {
        let claims: serde_json::Value = serde_json::from_str(text).expect("claims");
        assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
        assert_eq!(claims["aud"], ISSUER);
        let exp = claims["exp"].as_f64().expect("a time");
        assert!((NOW as f64 - 11.0..NOW as f64 + 4000.0).contains(&exp));
        let jti = claims["jti"].as_str().expect("an identifier");
        assert!((1..=512).contains(&jti.len()));
    }
    if passes(&signed(text, &claims())) {
        let header: serde_json::Value = serde_json::from_str(text).expect("a header");
        assert!(["EdDSA", "Ed25519"].contains(&header["alg"].as_str().expect("an algorithm")));
        assert!(header.get("crit").is_none() && header.get("jwk").is_none() && header.get("b64").is_none());
        let typ = header["typ"].as_str().unwrap_or("JWT").to_ascii_lowercase();
        assert!(typ.ends_with("jwt"), "{typ}");
    }
});

const HEADER: &str = r#"{"alg":"EdDSA"}"#;

fn claims() -> String {
    serde_json::json!({ "iss": "app", "sub": "app", "aud": ISSUER, "jti": "1", "exp": NOW + 60 }).to_string()
}

/// A server that knows the client by its key.
fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let jwk = serde_json::to_value(key().key()).expect("a key");
        let client = Client::builder("app").auth_method(AuthMethod::PrivateKeyJwt).grant_types([]);
        let client = client.jwks(serde_json::json!({ "keys": [jwk] })).build().expect("a client");
        let server = AuthorizationServer::builder(ISSUER)
            .clients(MemoryRegistry::new([client]))
            .store(MemoryStore::new())
            .replay_guard(Forgetful)
            .client_signatures(ClientJwts::new())
            .clock(Still)
            .build()
            .expect("a server");
        assert!(is_taken(&server, &signed(HEADER, &claims())), "an assertion that is in order passes");
        let stripped = format!("{}.{}.", base64url(HEADER.as_bytes()), base64url(claims().as_bytes()));
        assert!(!is_taken(&server, &stripped));
        server
    })
}

fn passes(assertion: &str) -> bool {
    is_taken(server(), assertion)
}

/// Introspection authenticates its client, and stores nothing.
fn is_taken(server: &AuthorizationServer, assertion: &str) -> bool {
    let form = [
        ("token", "nothing"),
        ("client_id", "app"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let response = now_or_never(server.introspect(&Request::post_form(form.join("&"))));
    assert!(matches!(response.status, 200 | 400 | 401), "{}", response.status);
    response.status == 200
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
