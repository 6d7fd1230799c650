//! Mutual TLS (RFC 8705): the host's configuration, and the URL of the endpoints that request certificates.

use std::sync::Arc;

use super::AuthorizationServerBuilder;
use super::builder::ConfigError;
use crate::base::HttpsUrl;
use crate::client::ClientCertificates;
use crate::client::auth::CertificateRules;

/// What the host configured for mutual TLS.
#[derive(Default)]
pub(super) struct MutualTls {
    /// Reads client certificates.
    pub(super) certificates: Option<Arc<dyn ClientCertificates>>,
    /// The base URL of the endpoints that request certificates, without a trailing slash.
    pub(super) aliases: Option<String>,
    /// Whether the host says that nobody verifies the chains of certificates.
    leaves_chains: bool,
    /// Whether tokens can be bound to certificates, if the host says so; by default, if the server gets any.
    binds: Option<bool>,
}

impl MutualTls {
    /// Keeps the part that requests need; `None` if they need nothing.
    pub(super) fn into_used(self) -> Option<Box<Self>> {
        (self.certificates.is_some() || self.aliases.is_some()).then(|| Box::new(self))
    }

    pub(super) fn rules(&self) -> CertificateRules {
        let reads = self.certificates.is_some();
        let fetches = self.certificates.as_ref().is_some_and(|certificates| certificates.fetches());
        let binds = self.binds.unwrap_or(reads || self.aliases.is_some());
        CertificateRules { reads, reads_names: reads && !self.leaves_chains, fetches, binds }
    }

    pub(super) fn mistake(&self) -> Option<ConfigError> {
        let is_base = |base: &String| HttpsUrl::parse_identifier(base, false).is_ok();
        self.aliases.as_ref().is_some_and(|base| !is_base(base)).then_some(ConfigError::MtlsAliases)
    }
}

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Reads client certificates: with it, clients may authenticate by `tls_client_auth` and
    /// `self_signed_tls_client_auth` (RFC 8705 section 2). Your TLS server, or your proxy, provides the
    /// certificates: see [`Request::certificate`](crate::http::Request::certificate).
    pub fn client_certificates(mut self, certificates: impl ClientCertificates + 'static) -> Self {
        self.options.mutual_tls.certificates = Some(Arc::new(certificates));
        self
    }

    /// Says that nobody verifies the chains of the certificates, so no client can authenticate by
    /// `tls_client_auth`: the metadata do not list it, and no client registers for it.
    /// `self_signed_tls_client_auth` needs no chain.
    pub fn without_verified_chains(mut self) -> Self {
        self.options.mutual_tls.leaves_chains = true;
        self
    }

    /// Says that the host provides the client's own certificate of each connection, and never that of a
    /// proxy. Clients may have their tokens bound to it (RFC 8705 section 3). If every token must be bound to
    /// a key, a token request without a DPoP proof gets tokens that are bound to its certificate.
    /// [`client_certificates`](Self::client_certificates) and
    /// [`mtls_endpoint_aliases`](Self::mtls_endpoint_aliases) imply it.
    pub fn certificate_bound_access_tokens(mut self) -> Self {
        self.options.mutual_tls.binds = Some(true);
        self
    }

    /// A certificate is not accepted as the key of a token, even if clients authenticate by one: where every
    /// token must have a key, a DPoP proof is required. Clients cannot register themselves for
    /// certificate-bound tokens; one that you registered for them keeps them.
    pub fn without_certificate_bound_access_tokens(mut self) -> Self {
        self.options.mutual_tls.binds = Some(false);
        self
    }

    /// The https URL that replaces the issuer for clients with certificates (`mtls_endpoint_aliases`, RFC
    /// 8705 section 5): another host name or port of this server, so that browsers at the issuer are not
    /// asked for a certificate. The paths below it are the same.
    pub fn mtls_endpoint_aliases(mut self, base: impl Into<String>) -> Self {
        let base: String = base.into();
        self.options.mutual_tls.aliases = Some(base.trim_end_matches('/').to_owned());
        self
    }
}
