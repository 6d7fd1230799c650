//! `tls_client_auth` and `self_signed_tls_client_auth`: a client certificate whose key the TLS connection
//! proved (RFC 8705 section 2).
//!
//! Certificates are read outside the core, by a [`ClientCertificates`](crate::client::ClientCertificates).
//! This file says what has to be checked.

use super::{Carried, Check, Credentials, Method};
use crate::client::{AuthMethod, Client};
use crate::error::{CertificateFlaw as Flaw, Reason};
use crate::http::Certificate;

/// A certificate from a certificate authority, with the one name that the client registered.
pub(super) const PKI: Method = Method {
    name: AuthMethod::TlsClientAuth,
    credentials: Credentials::Certificate,
    carried: Carried::Nothing,
    check: |_, _, _| Check::Certificate,
};

/// A certificate with a key that the client registered.
pub(super) const SELF_SIGNED: Method = Method {
    name: AuthMethod::SelfSignedTlsClientAuth,
    credentials: Credentials::CertifiedKeys,
    carried: Carried::Nothing,
    check: |_, _, _| Check::Certificate,
};

/// How a server accepts client certificates.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CertificateRules {
    /// Whether clients can authenticate with certificates.
    pub(crate) reads: bool,
    /// Whether they can with a name in them: somebody verifies their chains.
    pub(crate) reads_names: bool,
    /// Whether keys may be at a `jwks_uri`.
    pub(crate) fetches: bool,
    /// Whether tokens can be bound to certificates.
    pub(crate) binds: bool,
}

/// The checks that need no parsing of the certificate.
pub(super) fn precheck(client: &Client, certificate: Option<&Certificate>) -> Result<(), Reason> {
    let certificate = certificate.ok_or(Flaw::Missing)?;
    let wants_chain = client.auth_method.credentials() == Credentials::Certificate;
    if certificate.der().len() > Certificate::MAX_BYTES {
        return Err(Flaw::Unreadable.into());
    }
    match wants_chain && !certificate.has_verified_chain() {
        true => Err(Flaw::ChainUnverified.into()),
        false => Ok(()),
    }
}
