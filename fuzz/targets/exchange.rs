//! Token exchange (RFC 8693): the new token allows no more than the one that it was exchanged for.
//!
//! An input is the form; `$S` is a token of alice, and `$A` one of the client.
#![no_main]

use std::sync::OnceLock;

use grantor::{AccessTokens, AuthorizationServer};
use grantor_fuzz::provider::{API, ORDERS, claims, is_within, provider, redeemed, token};
use grantor_fuzz::{ISSUER, NOW, Still};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (server, subject, actor) = world();
    let form = text.replace("$S", subject).replace("$A", actor);
    let form = format!("grant_type=urn:ietf:params:oauth:grant-type:token-exchange&{form}");
    let Some(issued) = token(server, form) else { return };
    assert_eq!(issued["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    assert!(issued.get("refresh_token").is_none());
    let (new, old) = (claims(issued["access_token"].as_str().expect("a token")), claims(subject));
    let by_client = claims(actor);
    let parent = if new["sub"] == old["sub"] { &old } else { &by_client };
    assert_eq!((&new["sub"], &new["sub_type"]), (&parent["sub"], &parent["sub_type"]));
    assert!(is_within(&new["scope"], parent["scope"].as_str().expect("a scope")), "more than there was");
    assert!(new["exp"].as_i64() <= parent["exp"].as_i64(), "longer than there was");
    assert!([API, ORDERS, ISSUER].iter().any(|known| new["aud"] == *known));
    assert!(new["aud"] != ORDERS || is_within(&new["scope"], "read"));
    assert!(new["authorization_details"].is_null());
});

/// The server, a token of alice and one of the client.
fn world() -> &'static (AuthorizationServer, String, String) {
    static WORLD: OnceLock<(AuthorizationServer, String, String)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = provider(|builder| builder.access_tokens(AccessTokens::Jwt).clock(Still));
        let text = |issued: Option<serde_json::Value>| {
            issued.expect("tokens")["access_token"].as_str().expect("a token").to_owned()
        };
        let of_alice = redeemed(&server, &format!("scope=read+write&resource={API}"), NOW);
        let of_client = token(&server, format!("grant_type=client_credentials&scope=read&resource={API}"));
        let (subject, actor) = (text(of_alice), text(of_client));
        (server, subject, actor)
    })
}
