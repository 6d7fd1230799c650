//! A reason is private, an error is derived.
//!
//! [`Reason`] says why, for the host's log. [`Refusal`] carries it to the answer; the public error code
//! follows by one exhaustive table. [`Fault`] is the host's own failure, of which the other side only
//! learns that it should try again.

use std::sync::Arc;

mod assertion;
mod backend;
mod certificate;
mod code;
mod extension;
mod metadata;
mod mistakes;
mod proof;
mod public;
mod reason;
mod value;

pub use assertion::AssertionFlaw;
pub use backend::{BackendError, CommitError};
pub use certificate::CertificateFlaw;
pub use code::ErrorCode;
pub use extension::ExtensionRefusal;
pub use metadata::MetadataFlaw;
pub use mistakes::Mistakes;
pub use proof::ProofFlaw;
pub use reason::Reason;

/// A request that is refused, and why. Two with one reason are equal.
#[derive(Clone, Debug, thiserror::Error)]
#[error("refused: {reason}")]
pub struct Refusal {
    reason: Reason,
    /// Behind a pointer, so that it costs nothing where nothing failed.
    cause: Option<Arc<Fault>>,
}

impl Refusal {
    /// Why; for the host's log.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What failed, where the server or a part of the host did; for the host's log.
    #[must_use]
    pub fn cause(&self) -> Option<&Fault> {
        self.cause.as_deref()
    }

    /// What the other side is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.reason.code()
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, cause: None }
    }
}

impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        self.reason == other.reason
    }
}

impl Eq for Refusal {}

/// The host's own failure, for calls that the host makes itself (listing grants, revoking a subject).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] BackendError),
    /// The store did not answer in time; what it was asked for may have happened.
    #[error("the store did not answer in time")]
    Deadline,
    /// Others changed the grant again and again.
    #[error("the grant kept changing")]
    Contended,
}

impl Fault {
    /// The reason under which the fault is audited and answered.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Store(error) if error.is_permanent() => Reason::StoreBroken,
            Self::Store(_) | Self::Deadline => Reason::StoreUnavailable,
            Self::Contended => Reason::Contended,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { reason: fault.reason(), cause: Some(Arc::new(fault)) }
    }
}
