//! Request objects: a request counts if its client signed it for this server, and its answer goes only
//! to a registered address.
#![no_main]

use std::sync::OnceLock;

use grantor::client::RequestObjects;
use grantor::{AuthorizationServer, Request};
use grantor_fuzz::client::{needs_its_signature, passed_header, server_with};
use grantor_fuzz::{ISSUER, NOW, authorize, escaped, signed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // A parameter without a value counts as absent.
    assert!(text.is_empty() || !counts(text), "no one but the key can sign");
    // The same text as claims under a valid header, and as a header before valid claims, both with a valid
    // signature.
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
        passed_header(text);
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

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = server_with(
            |client| client.redirect_uri(CALLBACK),
            |builder| {
                builder.request_objects(RequestObjects::accepted()).authorization_endpoint("/authorize")
            },
        );
        needs_its_signature(HEADER, &claims(), |object| is_taken(&server, object));
        server
    })
}

fn counts(object: &str) -> bool {
    is_taken(server(), object)
}

/// Whether the object leads anywhere but to an error page.
fn is_taken(server: &AuthorizationServer, object: &str) -> bool {
    authorize(server, &Request::get(format!("client_id=app&request={}", escaped(object)))).is_ok()
}
