//! The client certificate that a proxy names.

use std::fmt;
use std::sync::Arc;

use ::http::{Extensions, HeaderMap, Request as HttpRequest};
use tower_layer::Layer;

use super::screen::{Screen, Screened};
use super::{connection, peer};
use crate::adapter::{ForwardedCertificateError, ForwardedCertificates};
use crate::audit::{Audit, Endpoint, Event, EventKind};
use crate::error::{Reason, Refusal};
use crate::http::{Certificate, Response};
use crate::resource::Shared;

/// A `tower` layer for a server behind proxies that end TLS: for the endpoints, extractors and guards of this adapter, a request has
/// the client certificate that the proxy names. Put it around your whole app.
///
/// The field of a peer that is no proxy is ignored, and the audit hears of it
/// ([`CertificateIgnored`](EventKind::CertificateIgnored)). A field that cannot be read is answered with 400. Where the address of the
/// peer is not known, nothing is read.
///
/// ```
/// use grantor::adapter::http::ForwardedCertificateLayer;
/// use grantor::adapter::{ForwardedCertificates, TrustedProxies};
///
/// let certificates = ForwardedCertificates::rfc9440(TrustedProxies::networks(["127.0.0.1"])?);
/// let app: axum::Router = axum::Router::new().layer(ForwardedCertificateLayer::new(certificates));
/// # Ok::<(), grantor::adapter::ProxyError>(())
/// ```
#[derive(Clone)]
pub struct ForwardedCertificateLayer(Arc<Rule>);

struct Rule {
    certificates: ForwardedCertificates,
    audit: Option<Arc<dyn Audit>>,
}

/// A service inside a [`ForwardedCertificateLayer`].
pub type WithForwardedCertificate<S> = Screened<S, ForwardedCertificateLayer>;

impl ForwardedCertificateLayer {
    /// Reads certificates by this rule.
    #[must_use]
    pub fn new(certificates: ForwardedCertificates) -> Self {
        Self(Arc::new(Rule { certificates, audit: None }))
    }

    /// Tells this audit of fields that no proxy sent, and of those that cannot be read.
    #[must_use]
    pub fn audit(self, audit: impl Audit + 'static) -> Self {
        Self(Arc::new(Rule { certificates: self.0.certificates.clone(), audit: Some(Arc::new(audit)) }))
    }
}

impl fmt::Debug for ForwardedCertificateLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForwardedCertificateLayer").field(&self.0.certificates).finish()
    }
}

impl<S> Layer<S> for ForwardedCertificateLayer {
    type Service = WithForwardedCertificate<S>;

    fn layer(&self, inner: S) -> WithForwardedCertificate<S> {
        Screened::new(inner, self.clone())
    }
}

impl Screen for ForwardedCertificateLayer {
    async fn screen<B: Send>(
        self,
        mut request: HttpRequest<B>,
    ) -> Result<(HttpRequest<B>, Shared), Response> {
        let Some(peer) = peer::of_connection(request.extensions()) else {
            return Ok((request, Shared::default()));
        };
        let Rule { certificates, audit } = &*self.0;
        let note = |what| {
            let Some(audit) = audit else { return };
            audit.record(&Event { peer: Some(peer), ..Event::new(what, Endpoint::Host) });
        };
        match certificates.read(peer, |name| values(request.headers(), name)) {
            Ok(certificate) if certificates.is_proxy(peer) => {
                request.extensions_mut().insert(Forwarded(certificate));
            }
            Ok(_) => {}
            Err(ForwardedCertificateError::NotFromProxy) => note(EventKind::CertificateIgnored),
            Err(ForwardedCertificateError::Repeated | ForwardedCertificateError::Malformed) => {
                let reason = Reason::CertificateMalformed;
                note(EventKind::Refused(reason));
                return Err(Refusal::from(reason).into_response());
            }
        }
        Ok((request, Shared::default()))
    }
}

/// What a proxy said of the certificate, which counts instead of that of the proxy's own connection. Nothing outside of this crate can
/// make one.
#[derive(Clone)]
struct Forwarded(Option<Certificate>);

/// The client certificate of a request: what a trusted proxy says, else what the host says, else that of the connection.
pub(super) fn of(extensions: &Extensions) -> Option<Certificate> {
    match extensions.get() {
        Some(Forwarded(certificate)) => certificate.clone(),
        None => extensions.get::<Certificate>().cloned().or_else(|| connection::certificate(extensions)),
    }
}

/// What is not text cannot be read, and is not left out.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect()
}
