//! Client ID metadata documents: a document speaks for its own URL alone, and leads nowhere but to an address
//! that is in it.
//!
//! An input is the `Cache-Control` field and the document.
#![no_main]

use std::sync::OnceLock;

use grantor::outbound::OutboundResponse;
use grantor::{Authorization, AuthorizationServer, Login, MetadataDocuments, Request};
use grantor_fuzz::provider::{CHALLENGE, SCOPES, provider};
use grantor_fuzz::{Canned, Ticking, approve_as, authorize, escaped, login, redirect};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const URL: &str = "https://client.example/id.json";

fuzz_target!(|text: &str| {
    let (server, web) = world();
    let Some((sent, first, asked)) = ask(server, web, text) else { return };
    let client = asked.client().clone();
    assert!(sent["client_id"] == URL && client.id().as_str() == URL);
    assert!(sent.get("client_secret").is_none_or(Value::is_null), "a secret that everybody can read");
    let said: Vec<&str> =
        sent["redirect_uris"].as_array().expect("addresses").iter().filter_map(Value::as_str).collect();
    assert!(client.redirect_uris().iter().all(|uri| said.contains(&uri.as_str())));
    assert!(client.metadata().scope.iter().flat_map(|scope| scope.iter()).all(|own| SCOPES.contains(&own)));
    let to = redirect(&approve_as(asked, user())).expect("an address");
    assert!(to.starts_with(&first), "{to}");
});

/// A request of the client of this document: the document, the address that the answer is to go to, and the
/// request, if it is no error page.
fn ask(server: &AuthorizationServer, web: &Canned, text: &str) -> Option<(Value, String, Authorization)> {
    let (cache, document) = text.split_once('\n').unwrap_or(("", text));
    let answer = OutboundResponse::new(200, document).header("content-type", "application/json");
    let answer = answer.header("cache-control", cache);
    assert!(!answer.is_no_store() || answer.fresh_for() == Some(0));
    web.set(move |_| Some(answer.clone()));
    // A string in a member that is ignored may be malformed.
    let sent: Value = serde_json::from_str(document).ok()?;
    let first = sent["redirect_uris"][0].as_str().unwrap_or("https://client.example/cb").to_owned();
    let query = format!(
        "response_type=code&client_id={URL}&redirect_uri={}&code_challenge={CHALLENGE}&code_challenge_method=S256",
        escaped(&first)
    );
    let asked = authorize(server, &Request::get(query));
    assert!(web.asked().iter().all(|url| url == URL));
    Some((sent, first, asked.ok()?))
}

fn user() -> Login {
    login("alice", grantor_fuzz::NOW)
}

/// Each request comes an hour after the last, so that nothing is kept from it.
fn world() -> &'static (AuthorizationServer, Canned) {
    static WORLD: OnceLock<(AuthorizationServer, Canned)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let web = Canned::new(|_| None);
        let documents =
            MetadataDocuments::over(web.clone()).kept_between(Default::default(), Default::default());
        let documents = documents.bridge(Default::default());
        let server = provider(|builder| builder.client_id_metadata_documents(documents).clock(Ticking(3600)));
        let good = include_str!("../seeds/document/public");
        assert!(ask(&server, &web, good).is_some(), "a document in order");
        (server, web)
    })
}
