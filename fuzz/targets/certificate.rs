//! Certificates: the fields of proxies, what is in a certificate, and the names that clients register. The
//! first byte chooses.
#![no_main]

use std::net::IpAddr;

use grantor::adapter::{ForwardedCertificates, TrustedProxies};
use grantor::http::{Certificate, Request};
use grantor::{
    AuthMethod, AuthorizationServer, Client, ClientMetadata, Endpoint, GrantType, MemoryRegistry, MemoryStore,
};
use libfuzzer_sys::fuzz_target;

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    match (choice % 6, std::str::from_utf8(input)) {
        (0, Ok(field)) => read(ForwardedCertificates::rfc9440(proxies()), field),
        (1, Ok(field)) => read(ForwardedCertificates::nginx(proxies(), "x"), field),
        (2, Ok(field)) => read(ForwardedCertificates::haproxy(proxies(), "x"), field),
        (3, Ok(field)) => read(ForwardedCertificates::envoy(proxies()), field),
        (4, Ok(name)) => drop(named(name)),
        _ => shown(input),
    }
});

fn proxies() -> TrustedProxies {
    TrustedProxies::networks(["127.0.0.1"]).expect("an address")
}

/// A field is one certificate, or it is not read; nobody but the proxy has one.
fn read(rule: ForwardedCertificates, field: &str) {
    if let Ok(Some(certificate)) = rule.read(PROXY, |_| vec![field]) {
        assert!(certificate.der().starts_with(b"\x30") && certificate.der().len() <= Certificate::MAX_BYTES);
        assert!(!certificate.has_verified_chain());
    }
    assert!(rule.read(IpAddr::from([192, 0, 2, 1]), |_| vec![field]).is_err());
}

fn named(name: &str) -> Option<Client> {
    let metadata = serde_json::json!({
        "token_endpoint_auth_method": "tls_client_auth", "grant_types": ["client_credentials"], "tls_client_auth_subject_dn": name,
    });
    let metadata: ClientMetadata = serde_json::from_value(metadata).ok()?;
    Client::builder("named").metadata(metadata).build().ok()
}

/// Whatever it is, it is not the certificate of a key that nobody has, and has no name that nobody gives.
fn shown(der: &[u8]) {
    let key = serde_json::json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] });
    let keyed = Client::builder("keyed")
        .auth_method(AuthMethod::SelfSignedTlsClientAuth)
        .jwks(key)
        .grant_types([GrantType::ClientCredentials]);
    let named = named("CN=a name that nobody gives a certificate").expect("a client");
    let server = AuthorizationServer::builder("https://as.example")
        .clients(MemoryRegistry::new([keyed.build().expect("a client"), named]))
        .store(MemoryStore::new())
        .client_certificates(grantor::client::X509Certificates::new())
        .build()
        .expect("a server");
    for id in ["keyed", "named"] {
        let request = Request::post_form(format!("grant_type=client_credentials&client_id={id}"));
        let request = request.with_certificate(Certificate::from_der(der).with_verified_chain());
        let response = grantor_fuzz::handle(&server, Endpoint::Token, &request);
        assert_eq!(response.status, 401);
    }
}
