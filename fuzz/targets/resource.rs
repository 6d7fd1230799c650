//! Resource indicators (RFC 8707): a token is for what was asked for, and for nothing that the server does
//! not know.
//!
//! An input is a `resource` on each line, and a last line that is the scope.
#![no_main]

use std::sync::OnceLock;

use grantor::{AuthorizationServer, ResourceId};
use grantor_fuzz::escaped;
use grantor_fuzz::provider::{API, ORDERS, claims, is_within, provider, token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let scope = lines.pop().unwrap_or_default();
    let mut form = format!("grant_type=client_credentials&scope={}", escaped(scope));
    for line in &lines {
        let _ = ResourceId::parse(line).inspect(|id| assert!(id.as_str() == *line && !line.contains('#')));
        form.push_str(&format!("&resource={}", escaped(line)));
    }
    let Some(issued) = token(server(), form) else { return };
    let mut named = lines.into_iter().filter(|line| !line.is_empty());
    let claims = claims(issued["access_token"].as_str().expect("a token"));
    let first = named.next();
    assert!(named.all(|other| Some(other) == first), "one token for two resources");
    let most = match first {
        Some(API) => "read write",
        Some(ORDERS) => "read",
        None => "read write openid profile",
        Some(other) => panic!("a token for {other}"),
    };
    assert!(first.is_none_or(|resource| claims["aud"] == resource));
    let has = &claims["scope"];
    // `openid` is never cut.
    assert!(is_within(has, &format!("openid {most}")), "{has}");
    assert!(scope.trim().is_empty() || is_within(has, scope), "{has}");
});

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| provider(|builder| builder.access_tokens(grantor::AccessTokens::Jwt)))
}
