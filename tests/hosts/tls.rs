//! Certificates of clients, from the handshake or from a proxy to the request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::routing::get as route;
use grantor::EventKind;
use grantor::adapter::axum::{Connection, ForwardedCertificateLayer, TlsListener, read};
use grantor::adapter::{CertificateRequest, ForwardedCertificates, TrustedProxies, server_config};
use grantor::error::Reason;
use grantor::http::Certificate;
use rustls::CipherSuite;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use tower::ServiceExt as _;

use crate::support::Log;
use crate::support::browser::Server;
use crate::support::certificates::{Authority, Identity, client, expired, get, named, talk};
use crate::support::folder::Folder;

/// What a request carries, as text: the thumbprint of its certificate and whether its chain counts.
async fn shown(request: Request) -> String {
    let read = read(request).await;
    let text = |shown: Certificate| format!("{} {}", shown.thumbprint(), shown.has_verified_chain());
    read.certificate.map_or("none".to_owned(), text)
        + &read.peer.map_or(String::new(), |_| " peer".to_owned())
}

fn said(identity: &Identity, verified: bool) -> String {
    format!("{} {verified} peer", identity.shown().thumbprint())
}

/// A server that says what it was shown.
async fn serve(clients: Option<CertificateRequest>) -> (SocketAddr, CertificateDer<'static>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let own = Identity { certificate: own.cert, key: own.signing_key };
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let config = server_config(vec![own.der()], own.private_key(), clients.as_ref()).unwrap();
    let listener = TlsListener::new(tcp, Arc::new(config));
    let listener = match clients {
        Some(clients) => listener.client_certificates(clients),
        None => listener,
    };
    let service = Router::new().route("/", route(shown)).into_make_service_with_connect_info::<Connection>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    (address, own.der())
}

/// What the server says to a client that shows this, by either version of TLS.
async fn heard(
    (address, server): &(SocketAddr, CertificateDer<'static>),
    shows: Option<&Identity>,
) -> Option<String> {
    let mut answers = Vec::new();
    for version in [&TLS12, &TLS13] {
        let (config, address) = (client(server, shows, &[version]), *address);
        let answer = tokio::task::spawn_blocking(move || talk(address, &config, &get("/"))).await.unwrap();
        answers.push(answer.ok().map(|(text, _)| text.rsplit("\r\n").next().unwrap().to_owned()));
    }
    assert_eq!(answers[0], answers[1]);
    answers.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_is_no_failure_of_the_handshake() {
    let authority = Authority::new("clients");
    let asked = CertificateRequest::optional().authorities(authority.roots()).unwrap();
    let server = serve(Some(asked)).await;
    let (own, issued) = (Identity::self_signed("app"), authority.issue(&named("app")));
    let (old, strange) = (authority.issue(&expired("app")), Authority::new("clients").issue(&named("app")));
    assert_eq!(heard(&server, None).await.as_deref(), Some("none peer"));
    assert_eq!(heard(&server, Some(&issued)).await, Some(said(&issued, true)));
    for unverified in [&own, &old, &strange] {
        assert_eq!(heard(&server, Some(unverified)).await, Some(said(unverified, false)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_authorities_no_chain_counts_and_without_a_question_nothing_is_shown() {
    let own = Identity::self_signed("app");
    let asked = serve(Some(CertificateRequest::optional())).await;
    assert_eq!(heard(&asked, Some(&own)).await, Some(said(&own, false)));
    assert_eq!(heard(&serve(None).await, Some(&own)).await.as_deref(), Some("none peer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_certificate_ends_the_connection_of_who_has_none() {
    let server = serve(Some(CertificateRequest::required())).await;
    let own = Identity::self_signed("app");
    assert_eq!(heard(&server, None).await, None);
    assert_eq!(heard(&server, Some(&own)).await, Some(said(&own, false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_handshake_keeps_nobody_waiting() {
    let server = serve(None).await;
    let silent: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(server.0).unwrap()).collect();
    assert_eq!(heard(&server, None).await.as_deref(), Some("none peer"));
    assert_eq!(silent.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_has_the_recommended_suites_alone() {
    let (address, server) = serve(None).await;
    let with = |suites: &[CipherSuite]| {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|suite| suites.contains(&suite.suite()));
        let mut roots = rustls::RootCertStore::empty();
        roots.add(server.clone()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&[&TLS12]).unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    };
    let chacha = with(&[CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]);
    let gcm = with(&[CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]);
    let ask = |config| tokio::task::spawn_blocking(move || talk(address, &config, &get("/")));
    assert!(ask(chacha).await.unwrap().is_err());
    let (_, suite) = ask(gcm).await.unwrap().unwrap();
    assert_eq!(suite, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
}

/// What a request says that comes from this peer with these fields, through the layer of a proxy.
async fn forwarded(
    log: &Log,
    connection: Option<Connection>,
    fields: &[(&'static str, &str)],
) -> (u16, String) {
    let proxies = TrustedProxies::networks(["10.0.0.1"]).unwrap();
    let rule = ForwardedCertificates::rfc9440(proxies);
    let app =
        Router::new().route("/", route(shown)).layer(ForwardedCertificateLayer::new(rule).audit(log.clone()));
    let request = fields
        .iter()
        .fold(Request::builder().uri("/"), |request, (name, value)| request.header(*name, *value));
    let mut request = request.body(Body::empty()).unwrap();
    if let Some(connection) = connection {
        request.extensions_mut().insert(ConnectInfo(connection));
    }
    let response = app.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn over(peer: &str, certificate: Option<Certificate>) -> Option<Connection> {
    Some(Connection::new(SocketAddr::new(peer.parse().unwrap(), 4711), certificate))
}

fn field(identity: &Identity) -> String {
    use base64::Engine as _;
    format!(":{}:", base64::engine::general_purpose::STANDARD.encode(identity.der()))
}

#[tokio::test]
async fn rs_18_a_forged_certificate_field_is_ignored_and_audited() {
    let (log, victim, own) = (Log::default(), Identity::self_signed("victim"), Identity::self_signed("own"));
    let forged = [("client-cert", field(&victim))];
    let forged = forged.each_ref().map(|(name, value)| (*name, value.as_str()));
    for peer in ["192.0.2.1", "10.0.0.2", "::1"] {
        let (status, body) = forwarded(&log, over(peer, Some(own.shown())), &forged).await;
        assert_eq!((status, body), (200, said(&own, false)), "{peer}");
        assert_eq!(forwarded(&log, over(peer, None), &forged).await, (200, "none peer".to_owned()));
    }
    assert_eq!(log.whats(), [EventKind::CertificateIgnored; 6]);
    assert!(log.texts()[0].contains("peer=192.0.2.1"), "{}", log.texts()[0]);
    let unknown = forwarded(&log, None, &forged).await;
    assert_eq!(unknown, (200, "none".to_owned()), "who knows no address believes nobody");
}

#[tokio::test]
async fn mt_01_no_header_is_a_certificate_without_a_configured_proxy() {
    let victim = Identity::self_signed("victim");
    let app = Router::new().route("/", route(shown));
    for name in ["client-cert", "x-client-cert", "x-ssl-client-cert", "x-forwarded-client-cert"] {
        let mut request =
            Request::builder().uri("/").header(name, field(&victim)).body(Body::empty()).unwrap();
        let connection = over("127.0.0.1", None).unwrap();
        request.extensions_mut().insert(ConnectInfo(connection));
        let body = app.clone().oneshot(request).await.unwrap().into_body();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        assert_eq!(&body[..], b"none peer", "{name}");
    }
}

#[tokio::test]
async fn mt_02_a_proxy_names_the_certificate_of_its_client_and_never_its_own() {
    let (log, client, proxy) = (Log::default(), Identity::self_signed("app"), Identity::self_signed("proxy"));
    let own = || over("10.0.0.1", Some(proxy.verified()));
    let sent = field(&client);
    assert_eq!(forwarded(&log, own(), &[("client-cert", &sent)]).await, (200, said(&client, false)));
    assert_eq!(forwarded(&log, own(), &[]).await, (200, "none peer".to_owned()));
    assert!(log.whats().is_empty());
    for bad in
        [&[("client-cert", sent.as_str()), ("client-cert", sent.as_str())][..], &[("client-cert", "x")]]
    {
        let (status, body) = forwarded(&log, own(), bad).await;
        assert!(status == 400 && body.contains("invalid_request"), "{status} {body}");
        assert_eq!(log.last_reason(), Some(Reason::CertificateMalformed));
    }
}

#[test]
fn the_example_server_serves_an_https_issuer_by_itself() {
    let folder = Folder::new();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.file("server.pem"), own.cert.pem()).unwrap();
    std::fs::write(folder.file("server.key"), own.signing_key.serialize_pem()).unwrap();
    let tls = format!(
        "[tls]\ncertificate = {:?}\nkey = {:?}\nclient_certificates = \"optional\"",
        folder.file("server.pem"),
        folder.file("server.key"),
    );
    let server = Server::start_with("", &tls);
    let address = server.base.strip_prefix("https://").expect("https").parse().unwrap();
    let mine = Identity::self_signed("app");
    for shows in [None, Some(&mine)] {
        let config = client(own.cert.der(), shows, &[&TLS12, &TLS13]);
        let (answer, _) = talk(address, &config, &get("/.well-known/oauth-authorization-server")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(&format!("\"issuer\":\"{}\"", server.base)), "{answer}");
        assert!(answer.contains("\"self_signed_tls_client_auth\""), "{answer}");
        assert!(!answer.contains("\"tls_client_auth\""), "nobody verifies chains: {answer}");
    }
    let missing = tls.replace("server.key", "missing.key");
    let (code, error) = Server::refused("", &missing);
    assert_eq!(code, Some(2));
    assert!(error.contains("tls: ") && error.contains("missing.key"), "{error}");
}
