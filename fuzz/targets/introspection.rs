//! The answers of an introspection endpoint: a guard lets in what its server calls active, for this resource
//! and now, with no more than it says.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use grantor::outbound::OutboundResponse;
use grantor::resource::{Credentials, Guard, Introspection, Requirement};
use grantor::{Access, Request};
use grantor_fuzz::{Canned, ISSUER, NOW, Still, guard};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const API: &str = "https://api.example";

fuzz_target!(|input: &[u8]| {
    let (own, web) = world();
    let Some(access) = ask(own, web, input) else { return };
    let said: Value = serde_json::from_slice(input).expect("JSON");
    assert_eq!(said["active"], true);
    assert!(said["iss"].is_null() || said["iss"] == ISSUER);
    assert!(said["aud"] == API || said["aud"].as_array().is_some_and(|all| all.iter().any(|aud| aud == API)));
    assert_eq!(
        (&said["sub"], &said["sub_type"]),
        (&access.subject().id().into(), &access.subject().kind().into())
    );
    assert_eq!(said["client_id"], access.client().as_str());
    assert!(said["exp"].is_null() || said["exp"].as_f64().expect("a time") > NOW as f64);
    assert!(
        access.scope().iter().all(|own| said["scope"]
            .as_str()
            .expect("a scope")
            .split(' ')
            .any(|s| s == own))
    );
    assert!(said["cnf"].is_null(), "a key that nobody proved");
    assert_eq!(
        said["authorization_details"].as_array().map_or(0, Vec::len),
        access.details().as_slice().len()
    );
});

/// What a guard makes of this answer.
fn ask(own: &Guard, web: &Canned, answer: &[u8]) -> Option<Access> {
    let body = answer.to_vec();
    web.set(move |_| {
        Some(OutboundResponse::new(200, body.clone()).header("content-type", "application/json"))
    });
    let request = Request::get("").header("authorization", "Bearer abc");
    guard(own, &request, &Requirement::any()).ok()
}

fn world() -> &'static (Guard, Canned) {
    static WORLD: OnceLock<(Guard, Canned)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let web = Canned::new(|_| None);
        let credentials = Credentials::secret("api", "s");
        let verifier = Introspection::at("https://as.example/introspect", web.clone(), credentials);
        let verifier = verifier.issuer(ISSUER).max_age(Duration::ZERO);
        let own = Guard::builder(API).verifier(verifier).clock(Still).build().expect("a guard");
        let good = include_bytes!("../seeds/introspection/active");
        assert!(ask(&own, &web, good).is_some(), "an answer in order");
        (own, web)
    })
}
