//! Paths and scopes with which no server is built.

use grantor::server::ConfigError;
use grantor::{AuthorizationServer, AuthorizationServerBuilder, MemoryRegistry, MemoryStore};
use grantor::{Registration, Resource};

fn builder(issuer: &str) -> AuthorizationServerBuilder {
    AuthorizationServer::builder(issuer).clients(MemoryRegistry::default()).store(MemoryStore::new())
}

#[test]
fn a_path_that_repeats_the_path_of_the_issuer_is_refused() {
    let at = |issuer: &str, path: &str| builder(issuer).authorization_endpoint(path).build();
    for (issuer, path) in [
        ("https://x.example/auth", "/auth/authorize"),
        ("https://x.example/auth/", "/auth/authorize"),
        ("https://x.example/a/b", "/a/b/c/d"),
    ] {
        let errors = at(issuer, path).unwrap_err();
        assert_eq!(errors.all(), [ConfigError::EndpointRepeatsIssuer(path.to_owned())], "{issuer}");
        assert!(errors.to_string().contains("relative to the issuer"), "{errors}");
    }
    for (issuer, path) in [
        ("https://x.example/auth", "/auth"),
        ("https://x.example/auth", "/authorize"),
        ("https://x.example/auth", "/authority/page"),
        ("https://x.example/a/b", "/a/c"),
        ("https://x.example", "/auth/authorize"),
        ("https://x.example/", "/auth/authorize"),
    ] {
        assert!(at(issuer, path).is_ok(), "{path} below {issuer}");
    }
    let pages = builder("https://x.example/auth").device_verification("/auth/device");
    let errors = pages.token_endpoint("/auth/token").build().unwrap_err();
    let expected = ["/auth/token", "/auth/device"].map(str::to_owned).map(ConfigError::EndpointRepeatsIssuer);
    assert!(expected.iter().all(|error| errors.all().contains(error)), "{errors}");
    assert_eq!(errors.all().len(), 2, "{errors}");
}

#[test]
fn each_scope_of_a_list_is_one_token() {
    let server = || builder("https://as.example").scopes(["read", "write"]);
    for bad in ["read write", "", " ", "read ", "wri\"te", "é"] {
        let scopes = builder("https://as.example").scopes(["read", bad]).build().unwrap_err();
        assert_eq!(scopes.all(), [ConfigError::Scopes], "{bad:?}");
        let api = "https://api.example";
        let of_resource = server().resource(Resource::new(api).scopes([bad])).build().unwrap_err();
        assert_eq!(of_resource.all(), [ConfigError::Resource(api.to_owned())], "{bad:?}");
        let terms = Registration::open().scopes([bad]);
        let of_terms = server().registrar(MemoryRegistry::default()).registration(terms).build().unwrap_err();
        assert_eq!(of_terms.all(), [ConfigError::RegistrationScope], "{bad:?}");
    }
    let twice = builder("https://as.example").scopes(["read", "read", "write"]).build();
    assert!(twice.is_ok(), "a scope is a set");
}
