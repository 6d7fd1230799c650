//! `request_uri`: a reference opens the request that was pushed under it, and has one spelling.
//!
//! An input is the reference; `$U` is one that was pushed, and `$P` is what each of them begins with.
#![no_main]

use std::sync::OnceLock;

use grantor::{AuthorizationServer, Endpoint, Request};
use grantor_fuzz::provider::{CALLBACK, LOOPBACK, of_web, provider};
use grantor_fuzz::{NOW, Still, answer_as, authorize, escaped, handle, json, login, own_parameter, redirect};
use libfuzzer_sys::fuzz_target;

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

fuzz_target!(|text: &str| {
    let (server, genuine) = world();
    let reference = text.replace("$U", genuine).replace("$P", PREFIX);
    for client in ["web", "app"] {
        let query = format!("client_id={client}&response_type=code&request_uri={}", escaped(&reference));
        let request = Request::get(query);
        if reference.starts_with(PREFIX) {
            let is_opened = authorize(server, &request).is_ok();
            assert_eq!(is_opened, client == "web" && reference == *genuine, "{reference}");
        } else if !reference.is_empty() {
            let answer = answer_as(server, &request, login("alice", NOW), &[CALLBACK, LOOPBACK]);
            let to = answer.and_then(|answer| redirect(&answer));
            assert!(to.is_none_or(|to| own_parameter(&to, "error").is_some()), "{reference}");
        }
    }
    let form = format!("request_uri={}", escaped(&reference));
    let pushed = handle(server, Endpoint::PushedAuthorizationRequest, &of_web(form));
    assert!(matches!(pushed.status, 400 | 413), "a reference is not pushed, and nothing is no request");
});

fn world() -> &'static (AuthorizationServer, String) {
    static WORLD: OnceLock<(AuthorizationServer, String)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let server = provider(|builder| builder.clock(Still));
        let form = format!("response_type=code&redirect_uri={CALLBACK}");
        let pushed = json(&handle(&server, Endpoint::PushedAuthorizationRequest, &of_web(form)));
        let reference = pushed["request_uri"].as_str().expect("a request_uri").to_owned();
        (server, reference)
    })
}
