//! [`CertificateFlaw`]: why a client certificate proves nothing.

use super::{ErrorCode, Reason};

/// Why a client certificate does not authenticate its client (RFC 8705 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CertificateFlaw {
    /// The connection has none.
    Missing,
    /// The host did not verify its chain.
    ChainUnverified,
    /// It is not an X.509 certificate, or exceeds the limits.
    Unreadable,
    /// Its name is not the registered one.
    SubjectWrong,
    /// Its key is not a registered one.
    KeyWrong,
    /// The keys of the client could not be fetched; that says nothing about the client.
    KeysUnavailable,
}

impl CertificateFlaw {
    pub(super) const fn public(self) -> (ErrorCode, &'static str) {
        match self {
            Self::Missing
            | Self::ChainUnverified
            | Self::Unreadable
            | Self::SubjectWrong
            | Self::KeyWrong => (ErrorCode::InvalidClient, "client authentication failed"),
            Self::KeysUnavailable => {
                (ErrorCode::TemporarilyUnavailable, "the keys of the client could not be fetched: try again")
            }
        }
    }
}

impl From<CertificateFlaw> for Reason {
    fn from(flaw: CertificateFlaw) -> Self {
        Self::ClientCertificate(flaw)
    }
}
