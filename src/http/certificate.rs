//! [`Certificate`]: the client certificate of a connection, from the host.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::base::Thumbprint;

/// The end-entity certificate with which the client of a TLS connection authenticated itself (RFC 8705).
///
/// **Trusted.** The host vouches that the connection proved possession of the certificate's private key: the
/// TLS server of this process says so, or your own proxy does, in a field that no client can send. Whether
/// its chain is valid is a separate fact: [`with_verified_chain`](Self::with_verified_chain).
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Arc<[u8]>,
    has_verified_chain: bool,
}

impl Certificate {
    /// The longest certificate that is read, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// The certificate in DER.
    #[must_use]
    pub fn from_der(der: impl Into<Arc<[u8]>>) -> Self {
        Self { der: der.into(), has_verified_chain: false }
    }

    /// The bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Says that the host verified the chain: up to an authority that it accepts for its clients, including
    /// dates and revocation. **A wrong claim lets anyone impersonate a client with `tls_client_auth`** (RFC
    /// 8705 section 2.1).
    #[must_use]
    pub fn with_verified_chain(self) -> Self {
        Self { has_verified_chain: true, ..self }
    }

    /// Whether the host verified the chain.
    #[must_use]
    pub fn has_verified_chain(&self) -> bool {
        self.has_verified_chain
    }

    /// SHA-256 of the DER, as in tokens (`x5t#S256`, RFC 8705 section 3.1).
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::new(Sha256::digest(&self.der).into())
    }
}

/// Only the thumbprint: the names in a certificate may be personal data.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.thumbprint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_named_by_the_hash_of_its_der() {
        let certificate = Certificate::from_der(*b"abc");
        assert_eq!(certificate.thumbprint().to_string(), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert!(!format!("{certificate:?}").contains("97"));
    }
}
