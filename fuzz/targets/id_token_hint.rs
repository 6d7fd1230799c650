//! `id_token_hint`: a text that this server did not issue as an `id_token` proves nothing, and one that it
//! did proves its own client.
#![no_main]

use std::sync::OnceLock;

use grantor::jose::Signer as _;
use grantor::{AuthorizationServer, Request};
use grantor_fuzz::client::{needs_its_signature, passed_header};
use grantor_fuzz::provider::{SIGNED_OUT, claims, provider, redeemed};
use grantor_fuzz::{ISSUER, NOW, Still, escaped, key, log_out, login, signed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let (_, genuine) = world();
    assert!(!counts(text), "no one but the key can sign");
    // The same text as claims under a valid header, and as a header before valid claims, both with a valid
    // signature.
    if counts(&signed(&header(), text)) {
        let said: Value = serde_json::from_str(text).expect("claims");
        assert_eq!(
            (&said["iss"], &said["aud"], &said["sub"]),
            (&ISSUER.into(), &"web".into(), &"alice".into())
        );
        assert!(said["sid"] == genuine["sid"] && said["events"].is_null());
    }
    if counts(&signed(text, &genuine.to_string())) {
        let header = passed_header(text);
        assert!(
            header["typ"].is_null()
                || header["typ"].as_str().expect("a type").to_ascii_lowercase().ends_with("jwt")
        );
    }
});

fn header() -> String {
    serde_json::json!({ "typ": "JWT", "alg": "EdDSA", "kid": key().key().kid() }).to_string()
}

fn counts(hint: &str) -> bool {
    is_taken(&world().0, hint)
}

/// Whether alice is signed out without a question, and sent to the client of the hint.
fn is_taken(server: &AuthorizationServer, hint: &str) -> bool {
    let query = format!("post_logout_redirect_uri={SIGNED_OUT}&id_token_hint={}", escaped(hint));
    let left = log_out(server, &Request::get(query), Some(&login("alice", NOW)));
    left.is_some_and(|(is_asked, to)| {
        assert!(!is_asked || to.is_none());
        to.is_some_and(|to| to == SIGNED_OUT)
    })
}

/// The server, and the claims of an `id_token` of alice.
fn world() -> &'static (AuthorizationServer, Value) {
    static WORLD: OnceLock<(AuthorizationServer, Value)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = provider(|builder| builder.clock(Still));
        let tokens = redeemed(&server, "scope=openid", NOW).expect("tokens");
        let claims = claims(tokens["id_token"].as_str().expect("an id_token"));
        needs_its_signature(&header(), &claims.to_string(), |hint| is_taken(&server, hint));
        (server, claims)
    })
}
