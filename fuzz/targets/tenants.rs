//! Several issuers in one server: a request is for the issuer whose host or path it names, or for none.
//!
//! An input is the `Host` field and the path.
#![no_main]

use std::sync::OnceLock;

use grantor::tenants::{Destination, TenantMap};
use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore};
use grantor_fuzz::tenant;
use libfuzzer_sys::fuzz_target;

const HOSTS: [&str; 2] = ["https://one.example", "https://two.example:8443"];
const PATHS: [&str; 2] = ["https://as.example/one", "https://as.example/two"];

fuzz_target!(|text: &str| {
    let (authority, path) = text.split_once('\n').unwrap_or((text, ""));
    let (by_host, by_path) = world();
    let to = Destination::new(authority, path);
    if let Some(server) = tenant(by_host, &to) {
        let host = server.rules().issuer.trim_start_matches("https://").to_owned();
        let named = authority.to_ascii_lowercase();
        assert!(named == host || named == format!("{host}:443") || named == format!("{host}:80"), "{named}");
    }
    let Some(server) = tenant(by_path, &to) else { return };
    let own = server.rules().issuer.trim_start_matches("https://as.example/").to_owned();
    assert_eq!(to.first_segment(), own);
    assert!(path.split('/').any(|segment| segment == own));
    if let Some(endpoint) = server.endpoint_at(path) {
        assert!(server.routes().iter().any(|(known, route)| *known == endpoint && route == path), "{path}");
    }
});

fn world() -> &'static (TenantMap, TenantMap) {
    static WORLD: OnceLock<(TenantMap, TenantMap)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let (by_host, by_path) = (TenantMap::by_host(), TenantMap::by_path());
        for (map, issuers) in [(&by_host, HOSTS), (&by_path, PATHS)] {
            for issuer in issuers {
                let builder = AuthorizationServer::builder(issuer).clients(MemoryRegistry::new([]));
                let server = builder.store(MemoryStore::new()).build().expect("a server");
                assert!(map.insert(server).expect("an issuer of this form").is_none());
            }
        }
        (by_host, by_path)
    })
}
