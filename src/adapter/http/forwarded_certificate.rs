//! The client certificate that a proxy names.

use std::sync::Arc;

use ::http::request::Parts;
use ::http::{Extensions, HeaderValue};
use tower_layer::Layer;

use super::screen::{Screen, Screened};
use super::{connection, peer};
use crate::adapter::ForwardedCertificates;
use crate::adapter::certificate_rule::{CertificateRule, Forwarded};
use crate::adapter::header_fields::texts;
use crate::audit::Audit;
use crate::http::{AddedHeaders, Certificate, Response};

/// A `tower` layer for a server behind proxies that end TLS: for the endpoints, extractors and guards of this
/// adapter, it takes the client certificate from them. Put it around your whole app.
///
/// A field from a peer that is not a listed proxy is ignored and audited
/// ([`CertificateIgnored`](crate::EventKind::CertificateIgnored)). A malformed field is answered with 400. If
/// the address of the peer is unknown, nothing is read.
///
/// ```
/// use grantor::adapter::http::ForwardedCertificateLayer;
/// use grantor::adapter::{ForwardedCertificates, TrustedProxies};
///
/// let certificates = ForwardedCertificates::rfc9440(TrustedProxies::networks(["127.0.0.1"])?);
/// let app: axum::Router = axum::Router::new().layer(ForwardedCertificateLayer::new(certificates));
/// # Ok::<(), grantor::adapter::ProxyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ForwardedCertificateLayer(Arc<CertificateRule>);

/// A service inside a [`ForwardedCertificateLayer`].
pub type WithForwardedCertificate<S> = Screened<S, ForwardedCertificateLayer>;

impl ForwardedCertificateLayer {
    /// Reads certificates by this rule.
    #[must_use]
    pub fn new(certificates: ForwardedCertificates) -> Self {
        Self(Arc::new(CertificateRule::new(certificates)))
    }

    /// Audits fields that no proxy sent, and malformed ones.
    #[must_use]
    pub fn audit(self, audit: impl Audit + 'static) -> Self {
        Self(Arc::new(self.0.audit(audit)))
    }
}

impl<S> Layer<S> for ForwardedCertificateLayer {
    type Service = WithForwardedCertificate<S>;

    fn layer(&self, inner: S) -> WithForwardedCertificate<S> {
        Screened::new(inner, self.clone())
    }
}

impl Screen for ForwardedCertificateLayer {
    async fn screen(self, parts: &mut Parts) -> Result<AddedHeaders, Response> {
        let Some(peer) = peer::of_connection(&parts.extensions) else {
            return Ok(AddedHeaders::default());
        };
        let fields = |name: &str| texts(parts.headers.get_all(name).iter().map(HeaderValue::as_bytes));
        if let Some(forwarded) = self.0.judge(peer, fields)? {
            parts.extensions.insert(forwarded);
        }
        Ok(AddedHeaders::default())
    }
}

/// The client certificate of a request: from a trusted proxy, else from the host, else from the connection.
pub(super) fn of(extensions: &Extensions) -> Option<Certificate> {
    match extensions.get() {
        Some(Forwarded(certificate)) => certificate.clone(),
        None => extensions.get::<Certificate>().cloned().or_else(|| connection::certificate(extensions)),
    }
}
