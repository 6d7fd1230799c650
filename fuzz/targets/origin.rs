//! Browser programs of other origins: an answer is shared with an origin that is allowed, and echoes nothing
//! that could be more than a list of names.
//!
//! An input is an origin to allow, the `Origin` field, a method and a list of field names, each on its line.
#![no_main]

use std::sync::OnceLock;

use grantor::http::Method;
use grantor::resource::Guard;
use grantor::resource::StaticKeys;
use grantor::{AuthorizationServer, Endpoint, Request, Response};
use grantor_fuzz::provider::provider;
use grantor_fuzz::{ISSUER, handle, public_keys, sound};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let [allowed, origin, method, names] = [(); 4].map(|()| lines.next().unwrap_or_default());
    let mut request = Request::new(Method::Options).header("origin", origin);
    request = request.header("access-control-request-method", method);
    request = request.header("access-control-request-headers", names);
    let (guard, server) = world();
    let own = guard.cross_origin();
    let is_allowed = own.clone().allow(allowed).is_ok();
    let rule = own.clone().allow(allowed).unwrap_or(own);
    match rule.check(&request) {
        Ok(_) => panic!("a preflight reached the resource"),
        Err(response) if response.status == 204 => {
            let shown = response.header("access-control-allow-origin").expect("an origin").to_owned();
            assert!(shown == origin && (origin == "https://api.example" || is_allowed));
            assert!(
                ["https://api.example", allowed].iter().any(|own| plain(own) == plain(&shown)),
                "{shown}"
            );
            preflight(&response);
        }
        Err(response) => {
            assert!(response.status == 403 && response.header("access-control-allow-origin").is_none())
        }
    }
    let (response, token) =
        (handle(server, Endpoint::Token, &request), Endpoint::Token.is_shared_with_any_origin());
    assert_eq!(response.header("access-control-allow-origin").is_some(), token);
    preflight(&response);
});

fn preflight(response: &Response) {
    sound(response);
    for name in ["access-control-allow-headers", "access-control-allow-methods"] {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, \t".contains(&b);
        assert!(response.header(name).is_none_or(|list| list.bytes().all(is_name)), "{name}");
    }
    assert!(response.header("access-control-allow-credentials").is_none());
}

fn world() -> &'static (Guard, AuthorizationServer) {
    static WORLD: OnceLock<(Guard, AuthorizationServer)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let guard = Guard::builder("https://api.example").jwks(ISSUER, StaticKeys::new(&public_keys()));
        (guard.build().expect("a guard"), provider(|builder| builder))
    })
}

/// An origin without the port that its scheme has anyway.
fn plain(text: &str) -> String {
    let text = text.trim_end_matches('/').to_ascii_lowercase();
    let default = if text.starts_with("https:") { ":443" } else { ":80" };
    text.strip_suffix(default).unwrap_or(&text).trim_end_matches(':').to_owned()
}
