//! The URLs and paths that a host gives its server.

use grantor::server::ConfigError;
use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore};

#[test]
fn a_path_that_clients_would_send_otherwise_is_refused() {
    let build = |issuer: &str, page: &str| {
        let server = AuthorizationServer::builder(issuer).device_verification(page);
        let server = server.clients(MemoryRegistry::default()).store(MemoryStore::new());
        server.build().map(drop).map_err(|errors| errors.all().to_vec())
    };
    for (issuer, mistake) in [
        ("https://as.example/a/../b", ConfigError::IssuerDotSegment),
        ("https://as.example/.", ConfigError::IssuerDotSegment),
        ("https://as.example/a/%2e%2E", ConfigError::IssuerDotSegment),
        ("https://as.example//x", ConfigError::IssuerEmptySegment),
        ("https://as.example/a//b", ConfigError::IssuerEmptySegment),
        ("https://as.example//", ConfigError::IssuerEmptySegment),
    ] {
        assert_eq!(build(issuer, "/device"), Err(vec![mistake]), "{issuer}");
    }
    for page in ["/a/../device", "/./device", "/device/.."] {
        let mistake = ConfigError::EndpointPath(page.to_owned());
        assert_eq!(build("https://as.example", page), Err(vec![mistake]), "{page}");
    }
    assert_eq!(build("https://as.example/.a/b../...", "/.device"), Ok(()));
    assert_eq!(build("https://as.example/a/", "/device/"), Ok(()));
}
