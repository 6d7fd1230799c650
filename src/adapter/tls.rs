//! TLS by rustls (feature `tls`): how a server requests client certificates, and reads that of a connection.
//! Independent of frameworks.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ServerConnection, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CipherSuite, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme, SupportedCipherSuite,
};

use crate::http::Certificate;

/// How a TLS server requests client certificates (`CertificateRequest` in RFC 8446 section 4.3.2).
///
/// The handshake proves only that the client has the private key of its certificate: self-signed, expired and
/// unknown certificates pass. The chain is verified afterwards, and the [`Certificate`] has the result. So
/// one port serves clients with a certificate from an authority (`tls_client_auth`), with a self-signed one
/// (`self_signed_tls_client_auth`), and without one.
///
/// A certificate must be one of X.509 v3, without critical extensions that rustls does not know; with any
/// other, the handshake fails.
///
/// **The valid chains decide who can use `tls_client_auth`.** List only authorities that issue certificates
/// for your clients, never those of the public web: anyone can get a certificate from them.
/// [`authorities`](Self::authorities) checks signatures and dates, but no revocation list;
/// [`chains`](Self::chains) takes your own verifier, which can.
#[derive(Clone, Debug)]
pub struct CertificateRequest(Arc<Asked>);

#[derive(Clone, Debug)]
struct Asked {
    is_required: bool,
    provider: Arc<CryptoProvider>,
    chains: Option<Arc<dyn ClientCertVerifier>>,
}

impl CertificateRequest {
    /// Requests a certificate, but accepts connections without one.
    #[must_use]
    pub fn optional() -> Self {
        Self(Arc::new(Asked { is_required: false, provider: provider(), chains: None }))
    }

    /// Requires a certificate. Browsers without one cannot reach the authorization endpoint then, so use this
    /// only on a separate host name or port (RFC 8705 section 5).
    #[must_use]
    pub fn required() -> Self {
        Self(Arc::new(Asked { is_required: true, provider: provider(), chains: None }))
    }

    /// Accepts chains to one of these authorities, while their certificates are valid. Revocation is not
    /// checked.
    ///
    /// # Errors
    /// There is no authority.
    pub fn authorities(self, roots: RootCertStore) -> Result<Self, VerifierBuilderError> {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.0.provider));
        Ok(self.chains(builder.build()?))
    }

    /// Accepts chains that this verifier accepts, such as a [`WebPkiClientVerifier`] with revocation lists.
    /// It is called for each connection, after the handshake.
    #[must_use]
    pub fn chains(self, verifier: Arc<dyn ClientCertVerifier>) -> Self {
        Self(Arc::new(Asked { chains: Some(verifier), ..Asked::clone(&self.0) }))
    }

    /// A configuration with this certificate chain and key: TLS 1.3, and TLS 1.2 with the cipher suites that
    /// RFC 9325 section 4.2 recommends.
    ///
    /// # Errors
    /// The key does not match the certificate, or cannot be read.
    pub fn server_config(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<ServerConfig, Error> {
        server_config(chain, key, Some(self))
    }

    /// The client certificate of this connection, if there is one.
    #[must_use]
    pub fn of(&self, connection: &ServerConnection, now: DateTime<Utc>) -> Option<Certificate> {
        let (certificate, intermediates) = connection.peer_certificates()?.split_first()?;
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let read = Certificate::from_der(certificate.as_ref());
        let is_good = |chains: &Arc<dyn ClientCertVerifier>| {
            chains.verify_client_cert(certificate, intermediates, now).is_ok()
        };
        Some(if self.0.chains.as_ref().is_some_and(is_good) { read.with_verified_chain() } else { read })
    }
}

/// A configuration with this certificate chain and key, as by [`CertificateRequest::server_config`]; without
/// `clients`, no certificate is requested.
///
/// # Errors
/// The key does not match the certificate, or cannot be read.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<&CertificateRequest>,
) -> Result<ServerConfig, Error> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::new(AnyCertificate(Arc::clone(&clients.0)))),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// RFC 9325 section 4.2 recommends these for TLS 1.2; for TLS 1.3 it allows every suite.
fn is_recommended(suite: &SupportedCipherSuite) -> bool {
    let is_listed = matches!(
        suite.suite(),
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    );
    is_listed || suite.tls13().is_some()
}

fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(is_recommended);
    Arc::new(provider)
}

/// Accepts every certificate whose private key the client proves.
#[derive(Debug)]
struct AnyCertificate(Arc<Asked>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.0.is_required
    }

    /// No hints, so that a client chooses its certificate itself.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_tls_1_2_there_are_the_recommended_suites_alone() {
        let suites = provider().cipher_suites.clone();
        let old = suites.iter().filter(|suite| suite.tls13().is_none());
        assert_eq!(old.count(), 4);
        assert_eq!(suites.len(), 7);
    }
}
