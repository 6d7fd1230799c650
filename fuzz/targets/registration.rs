//! Registration (RFC 7591): a client gets no more than it asked for and the terms allow, and can read and
//! delete what it got (RFC 7592).
#![no_main]

use std::sync::OnceLock;

use grantor::client::is_readable_name;
use grantor::http::Method;
use grantor::{AuthorizationServer, Endpoint, Registration, Request};
use grantor_fuzz::provider::{SCOPES, is_within, manage, registering};
use grantor_fuzz::{handle, json};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let response = handle(server(), Endpoint::Registration, &Request::json(Method::Post, input));
    if response.status != 201 {
        assert_eq!(response.status, 400);
        return;
    }
    let registered = json(&response);
    can_be_managed(&registered);
    // A string in a member that is ignored may be malformed.
    let Ok(sent) = serde_json::from_slice::<Value>(input) else { return };
    let sent_uris = sent["redirect_uris"].as_array().map_or(&[][..], Vec::as_slice);
    for uri in registered["redirect_uris"].as_array().into_iter().flatten() {
        let scheme = uri.as_str().expect("a text").split(':').next().unwrap_or_default().to_ascii_lowercase();
        assert!(
            sent_uris.contains(uri) && !["javascript", "data", "file", "blob"].contains(&&*scheme),
            "{uri}"
        );
    }
    for grant in registered["grant_types"].as_array().expect("grant types") {
        assert!(grant == "authorization_code" || grant == "refresh_token", "{grant} is not for strangers");
    }
    assert!(is_within(&registered["scope"], &SCOPES.join(" ")));
    assert!(
        sent["scope"].is_null()
            || is_within(&registered["scope"], sent["scope"].as_str().unwrap_or_default())
    );
    assert!(registered["client_id"] != sent["client_id"], "a client chose its id");
    assert!(
        registered["client_name"].is_null()
            || registered["client_name"].as_str().is_some_and(is_readable_name)
    );
    let is_public = registered["token_endpoint_auth_method"] == "none";
    assert!(!is_public || registered.get("client_secret").is_none());
});

fn can_be_managed(registered: &Value) {
    let read = json(&manage(server(), registered, Method::Get));
    for (name, value) in registered.as_object().expect("an object") {
        assert!(read[name] == *value || name.contains("token") || name.contains("secret"), "{name}");
    }
    assert_eq!(manage(server(), registered, Method::Delete).status, 204);
    assert_eq!(manage(server(), registered, Method::Get).status, 401, "it is gone");
}

fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| registering(Registration::open()))
}
