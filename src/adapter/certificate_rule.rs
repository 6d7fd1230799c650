//! How the layers of all frameworks treat the certificate field of a request.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::{ForwardedCertificateError, ForwardedCertificates};
use crate::audit::{Audit, Endpoint, Event, EventKind};
use crate::error::{Reason, Refusal};
use crate::http::{Certificate, Response};

#[derive(Clone)]
pub(super) struct CertificateRule {
    certificates: ForwardedCertificates,
    audit: Option<Arc<dyn Audit>>,
}

impl CertificateRule {
    pub(super) fn new(certificates: ForwardedCertificates) -> Self {
        Self { certificates, audit: None }
    }

    /// Sets the audit for fields that no proxy sent, and for malformed ones.
    pub(super) fn audit(&self, audit: impl Audit + 'static) -> Self {
        Self { certificates: self.certificates.clone(), audit: Some(Arc::new(audit)) }
    }

    /// What the layer adds to a request: nothing if its peer is not a proxy. `Err` is the response to a
    /// malformed field.
    pub(super) fn judge<'a>(
        &self,
        peer: IpAddr,
        fields: impl Fn(&str) -> Vec<&'a str>,
    ) -> Result<Option<Forwarded>, Response> {
        match self.certificates.read(peer, fields) {
            Ok(certificate) if self.certificates.is_proxy(peer) => Ok(Some(Forwarded(certificate))),
            Ok(_) => Ok(None),
            Err(ForwardedCertificateError::NotFromProxy) => {
                self.note(EventKind::CertificateIgnored, peer);
                Ok(None)
            }
            Err(ForwardedCertificateError::Repeated | ForwardedCertificateError::Malformed) => {
                let reason = Reason::CertificateMalformed;
                self.note(EventKind::Refused(reason), peer);
                Err(Refusal::from(reason).into_response())
            }
        }
    }

    fn note(&self, what: EventKind, peer: IpAddr) {
        let Some(audit) = &self.audit else { return };
        audit.record(&Event { peer: Some(peer), ..Event::new(what, Endpoint::Host) });
    }
}

impl fmt::Debug for CertificateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CertificateRule").field(&self.certificates).finish()
    }
}

/// The certificate from a proxy, which replaces that of the proxy's own connection. Only this crate can make
/// one.
#[derive(Clone)]
pub(super) struct Forwarded(pub(super) Option<Certificate>);
