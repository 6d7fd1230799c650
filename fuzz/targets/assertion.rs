//! Assertions of clients: only a text that the client signed for this server, and in time, authenticates it.
#![no_main]

use std::sync::OnceLock;

use grantor::{AuthorizationServer, Endpoint, Request};
use grantor_fuzz::client::{needs_its_signature, passed_header, server_with};
use grantor_fuzz::{ISSUER, NOW, escaped, handle, signed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(!passes(text), "no one but the key can sign");
    // The same text as claims under a valid header, and as a header before valid claims, both with a valid
    // signature.
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
        let header = passed_header(text);
        let typ = header["typ"].as_str().unwrap_or("JWT").to_ascii_lowercase();
        assert!(typ.ends_with("jwt"), "{typ}");
    }
});

const HEADER: &str = r#"{"alg":"EdDSA"}"#;

fn claims() -> String {
    serde_json::json!({ "iss": "app", "sub": "app", "aud": ISSUER, "jti": "1", "exp": NOW + 60 }).to_string()
}

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = server_with(|client| client.grant_types([]), |builder| builder);
        needs_its_signature(HEADER, &claims(), |assertion| is_taken(&server, assertion));
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
    let response = handle(server, Endpoint::Introspection, &Request::post_form(form.join("&")));
    assert!(matches!(response.status, 200 | 400 | 401), "{}", response.status);
    response.status == 200
}
