//! The URL of a metadata document: whatever names itself a client, nothing is fetched but an https URL that
//! says plainly where it leads.
#![no_main]

use std::sync::OnceLock;

use grantor::outbound::OutboundResponse;
use grantor::outbound::address::{Allowed, Host};
use grantor::{AuthorizationServer, MetadataDocuments, Request};
use grantor_fuzz::provider::{CALLBACK, provider};
use grantor_fuzz::{Canned, Ticking, authorize, escaped};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (server, web) = world();
    let query = format!("response_type=code&client_id={}&redirect_uri={CALLBACK}", escaped(text));
    let asked = authorize(server, &Request::get(query));
    let is_known = asked.is_ok_and(|asked| ["app", "web"].contains(&asked.client().id().as_str()));
    assert!(!is_known || ["app", "web"].contains(&text));
    for url in web.asked() {
        assert_eq!(url, text, "another URL than that of the client");
        let rest = url.strip_prefix("https://").expect("https");
        let (authority, path) = rest.split_once('/').expect("a path");
        assert!(!path.is_empty() && url.bytes().all(|b| b.is_ascii_graphic()));
        assert!(!url.contains(['#', '\\']) && !authority.contains(['@', '?']));
        assert!(
            path.split(['?', '#']).next().is_some_and(|path| !path.split('/').any(|s| s == "." || s == ".."))
        );
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                assert!(port.parse::<u16>().is_ok_and(|port| port > 0));
                host
            }
            _ => authority,
        };
        let host = Host::parse(host).expect("a host");
        // The `Outbound` decides about addresses; it can because they are written plainly.
        assert!(!host.is_loopback() || !matches!(host, Host::Address(it) if Allowed::default().permits(it)));
    }
});

fn world() -> &'static (AuthorizationServer, Canned) {
    static WORLD: OnceLock<(AuthorizationServer, Canned)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let web = Canned::new(|_| Some(OutboundResponse::new(404, "")));
        let documents = MetadataDocuments::over(web.clone());
        (provider(|builder| builder.client_id_metadata_documents(documents).clock(Ticking(3600))), web)
    })
}
