//! Pushed authorization requests (RFC 9126): what was pushed is judged like any other request, counts for the
//! client that pushed it, and leads to no address that is not registered.
#![no_main]

use std::sync::OnceLock;

use grantor::{AuthorizationServer, Clock as _, Endpoint, Request};
use grantor_fuzz::provider::{CALLBACK, of_web, provider};
use grantor_fuzz::{Ticking, answer_as, authorize, escaped, handle, json, login, own_parameter, redirect};
use libfuzzer_sys::fuzz_target;

const CLOCK: Ticking = Ticking(1);
/// A state that no pushed request has by chance.
const OTHER: &str = "of-the-browser-7d2f41c09be6";

fuzz_target!(|form: &[u8]| {
    let response = handle(server(), Endpoint::PushedAuthorizationRequest, &of_web(form));
    if response.status != 201 {
        assert!(matches!(response.status, 400 | 401 | 413), "{}", response.status);
        return;
    }
    let pushed = json(&response);
    let request_uri = escaped(pushed["request_uri"].as_str().expect("a request_uri"));
    let query = |client: &str| format!("client_id={client}&request_uri={request_uri}");
    assert!(authorize(server(), &Request::get(query("app"))).is_err(), "the request of another client");
    // Whatever else is in the request of the browser does not count.
    let query = format!("{}&redirect_uri=https%3A%2F%2Fevil.example&state={OTHER}&scope=admin", query("web"));
    let answer =
        answer_as(server(), &Request::get(query), login("alice", CLOCK.now().timestamp()), &[CALLBACK]);
    let to = answer.and_then(|answer| redirect(&answer)).expect("what was pushed can be asked for");
    assert!(!to.contains(OTHER), "{to}");
    if let Some(code) = own_parameter(&to, "code") {
        let form =
            format!("grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Fevil.example");
        assert!(handle(server(), Endpoint::Token, &of_web(form)).status >= 400);
    }
});

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| provider(|builder| builder.clock(CLOCK)))
}
