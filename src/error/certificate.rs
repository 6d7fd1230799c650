//! [`CertificateFlaw`]: why a client certificate proves nothing.

use super::{ErrorCode, Reason};

/// Why a client is not who it says by its certificate (RFC 8705 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CertificateFlaw {
    /// The connection has none.
    Missing,
    /// The host did not verify its chain.
    ChainUnverified,
    /// It is no X.509 certificate, or one beyond the limits.
    Unreadable,
    /// It has another name than the client registered.
    SubjectWrong,
    /// It has another key than those that the client registered.
    KeyWrong,
    /// The keys of the client could not be fetched; that says nothing of the client.
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
                (ErrorCode::TemporarilyUnavailable, "the keys of the client could not be fetched, try again")
            }
        }
    }
}

impl From<CertificateFlaw> for Reason {
    fn from(flaw: CertificateFlaw) -> Self {
        Self::ClientCertificate(flaw)
    }
}
