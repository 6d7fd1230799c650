//! Certificates and their keys, and a TLS client that presents them.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantor::http::Certificate;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use serde_json::{Value, json};

/// A certificate and its private key.
pub struct Identity {
    pub certificate: rcgen::Certificate,
    pub key: KeyPair,
}

impl Identity {
    /// A self-signed certificate.
    pub fn self_signed(name: &str) -> Self {
        Self::signing_itself(&named(name))
    }

    pub fn signing_itself(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    /// Another certificate for the same key.
    pub fn renewed(&self, name: &str) -> rcgen::Certificate {
        named(name).self_signed(&self.key).unwrap()
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// As a host passes it on without having verified its chain.
    pub fn shown(&self) -> Certificate {
        Certificate::from_der(self.der().as_ref())
    }

    /// A key set whose only key is in this certificate.
    pub fn x5c(&self) -> Value {
        json!({ "keys": [{ "kty": "EC", "x5c": [STANDARD.encode(self.der())] }] })
    }

    /// As a host passes it on after having verified its chain.
    pub fn verified(&self) -> Certificate {
        self.shown().with_verified_chain()
    }
}

/// A certificate authority for clients.
pub struct Authority {
    pub certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub fn issue(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        Identity { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        roots
    }
}

/// A certificate for `C=DE, O=Example, CN=name`, in this order.
pub fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "DE");
    subject.push(DnType::OrganizationName, "Example");
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params
}

/// The same, expired years ago.
pub fn expired(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    params
}

/// A TLS client that trusts this server, presents this certificate, and offers these versions.
pub fn client(
    server: &CertificateDer<'static>,
    shows: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(server.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match shows {
        Some(own) => builder.with_client_auth_cert(vec![own.der()], own.private_key()).unwrap(),
        None => builder.with_no_client_auth(),
    })
}

/// Sends one request over a new connection. Returns the text of the response and the cipher suite.
pub fn talk(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    request: &str,
) -> io::Result<(String, rustls::CipherSuite)> {
    let name = ServerName::try_from("localhost").unwrap();
    let tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
    let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, tcp);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        // A server may close the connection without `close_notify` once it has sent its response.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        Err(error) => return Err(error),
    }
    let suite = stream.conn.negotiated_cipher_suite().expect("a suite").suite();
    Ok((String::from_utf8(answer).expect("text"), suite))
}

/// A `GET` request that asks the server to close the connection.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}
