//! The document of a sector (OpenID Connect Registration section 5): a client with pairwise identifiers is of
//! the sector that lists all its addresses, or of none.
#![no_main]

use std::sync::OnceLock;

use grantor::http::Method;
use grantor::outbound::OutboundResponse;
use grantor::{AuthorizationServer, Endpoint, Registration, Request};
use grantor_fuzz::provider::{CALLBACK, manage, registering};
use grantor_fuzz::{Canned, handle, json};
use libfuzzer_sys::fuzz_target;

const SECTOR: &str = "https://sector.example/list.json";
const OTHER: &str = "https://other.example/cb";

fuzz_target!(|document: &[u8]| {
    let (server, web) = world();
    let answer = OutboundResponse::new(200, document).header("content-type", "application/json");
    web.set(move |_| Some(answer.clone()));
    let body = serde_json::json!({
        "redirect_uris": [CALLBACK, OTHER], "subject_type": "pairwise", "sector_identifier_uri": SECTOR,
        "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "EdDSA",
    });
    let response = handle(server, Endpoint::Registration, &Request::json(Method::Post, body.to_string()));
    assert_eq!(web.asked(), [SECTOR]);
    let listed: Vec<String> = serde_json::from_slice(document).unwrap_or_default();
    let lists = |uri: &str| listed.iter().any(|own| own == uri);
    assert_eq!(response.status == 201, lists(CALLBACK) && lists(OTHER), "{}", json(&response));
    if response.status == 201 {
        assert_eq!(manage(server, &json(&response), Method::Delete).status, 204);
    }
});

fn world() -> &'static (AuthorizationServer, Canned) {
    static WORLD: OnceLock<(AuthorizationServer, Canned)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let web = Canned::new(|_| None);
        (registering(Registration::open().sector_identifiers(web.clone())), web)
    })
}
