//! TLS by rustls (feature `tls`): how a server asks its clients for certificates, and which certificate a connection proved. No
//! framework is named here.

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

/// How a TLS server asks its clients for certificates (`CertificateRequest` in RFC 8446 section 4.3.2).
///
/// The handshake proves that the client has the private key of its certificate, and nothing else: a self-signed one, an expired one
/// and one of an unknown authority get through. Whether the chain is valid is asked afterwards, and the [`Certificate`] says it. So
/// one port serves clients that show certificates of an authority (`tls_client_auth`), clients that made their own
/// (`self_signed_tls_client_auth`), and those that show none.
///
/// **Which chains are valid decides who is a client of `tls_client_auth`.** List only authorities that issue certificates for your
/// clients, never the ones of the public web: anyone can get a certificate from those. [`authorities`](Self::authorities) checks
/// signatures and dates and reads no revocation list; [`chains`](Self::chains) takes a verifier of your own that does.
#[derive(Clone, Debug)]
pub struct CertificateRequest(Arc<Asked>);

#[derive(Clone, Debug)]
struct Asked {
    is_required: bool,
    provider: Arc<CryptoProvider>,
    chains: Option<Arc<dyn ClientCertVerifier>>,
}

impl CertificateRequest {
    /// Asks for a certificate, and goes on without one.
    #[must_use]
    pub fn optional() -> Self {
        Self(Arc::new(Asked { is_required: false, provider: provider(), chains: None }))
    }

    /// Ends the handshake of a client without one. No browser without a certificate gets to the authorization endpoint then, so this
    /// is for a host name or port of its own (RFC 8705 section 5).
    #[must_use]
    pub fn required() -> Self {
        Self(Arc::new(Asked { is_required: true, provider: provider(), chains: None }))
    }

    /// The chains that end at one of these authorities are valid, while their certificates are valid. Nothing is revoked.
    ///
    /// # Errors
    /// There is no authority.
    pub fn authorities(self, roots: RootCertStore) -> Result<Self, VerifierBuilderError> {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.0.provider));
        Ok(self.chains(builder.build()?))
    }

    /// The chains that this verifier takes are valid: a [`WebPkiClientVerifier`] with revocation lists, say. It is asked for each
    /// connection, after the handshake.
    #[must_use]
    pub fn chains(self, verifier: Arc<dyn ClientCertVerifier>) -> Self {
        Self(Arc::new(Asked { chains: Some(verifier), ..Asked::clone(&self.0) }))
    }

    /// A configuration with this certificate chain and key: TLS 1.3, and TLS 1.2 with the cipher suites that RFC 9325 section 4.2
    /// recommends.
    ///
    /// # Errors
    /// The key does not go with the certificate, or cannot be read.
    pub fn server_config(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<ServerConfig, Error> {
        server_config(chain, key, Some(self))
    }

    /// The certificate that the client of this connection proved, if it did.
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

/// A configuration with this certificate chain and key, as by [`CertificateRequest::server_config`]; without `clients`, no client is
/// asked for a certificate.
///
/// # Errors
/// The key does not go with the certificate, or cannot be read.
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

/// RFC 9325 section 4.2 recommends these of TLS 1.2; of TLS 1.3 it takes every suite.
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

/// Takes every certificate whose private key the client proves.
#[derive(Debug)]
struct AnyCertificate(Arc<Asked>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.0.is_required
    }

    /// None: a client chooses its certificate itself.
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
