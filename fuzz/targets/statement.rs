//! Software statements (RFC 7591 section 2.3): one counts if its issuer signed it, and what it says comes
//! before what the client says.
#![no_main]

use std::sync::OnceLock;

use grantor::http::Method;
use grantor::registration::TrustedIssuers;
use grantor::{AuthorizationServer, Endpoint, Registration, Request};
use grantor_fuzz::client::{needs_its_signature, passed_header};
use grantor_fuzz::provider::{CALLBACK, manage, registering};
use grantor_fuzz::{NOW, handle, json, public_keys, signed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const VOUCHER: &str = "https://voucher.example";
const HEADER: &str = r#"{"alg":"EdDSA"}"#;
const CLAIMS: &str = r#"{"iss":"https://voucher.example","software_id":"1"}"#;

fuzz_target!(|text: &str| {
    assert!(text.is_empty() || register(text).is_none(), "no one but the key can sign");
    // The same text as claims, and as a header before valid claims, both with a valid signature.
    if let Some(registered) = register(&signed(HEADER, text)) {
        let claims: Value = serde_json::from_str(text).expect("claims");
        assert_eq!(claims["iss"], VOUCHER);
        assert!(claims["exp"].is_null() || claims["exp"].as_f64().expect("a time") > NOW as f64 - 1.0);
        assert!(
            claims["client_name"].is_null() || registered["client_name"] != "Mine",
            "the client's own name"
        );
        for uri in registered["redirect_uris"].as_array().into_iter().flatten() {
            let said = claims["redirect_uris"].as_array().is_some_and(|all| all.contains(uri));
            assert!(said || claims["redirect_uris"].is_null() && uri == CALLBACK, "{uri}");
        }
    }
    if register(&signed(text, CLAIMS)).is_some() {
        passed_header(text);
    }
});

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let issuers = TrustedIssuers::new().issuer(VOUCHER, &public_keys());
        let server = registering(Registration::open().software_statements(issuers));
        needs_its_signature(HEADER, CLAIMS, |statement| register_at(&server, statement).is_some());
        server
    })
}

fn register(statement: &str) -> Option<Value> {
    register_at(server(), statement)
}

fn register_at(server: &AuthorizationServer, statement: &str) -> Option<Value> {
    let body = serde_json::json!({
        "client_name": "Mine", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        "software_statement": statement,
    });
    let response = handle(server, Endpoint::Registration, &Request::json(Method::Post, body.to_string()));
    if response.status != 201 {
        return None;
    }
    let registered = json(&response);
    assert_eq!(manage(server, &registered, Method::Delete).status, 204);
    Some(registered)
}
