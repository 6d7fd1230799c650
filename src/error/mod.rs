//! A reason is private, and the public error is derived from it.
//!
//! [`Reason`] says why, for the host's log. [`Refusal`] carries it to the response; one exhaustive table
//! derives the public error code. [`Fault`] is a failure of a part of the host, about which the client only
//! learns whether it should try again.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::whole_seconds;

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
mod remote;
mod value;

pub use assertion::AssertionFlaw;
pub(crate) use backend::MAX_CONFLICT_RETRIES;
pub use backend::{BackendError, CommitError};
pub use certificate::CertificateFlaw;
pub use code::ErrorCode;
pub use extension::ExtensionRefusal;
pub use metadata::MetadataFlaw;
pub use mistakes::Mistakes;
pub use proof::ProofFlaw;
pub use reason::Reason;
pub use remote::RemoteError;
pub(crate) use remote::shown;

/// A refused request, and why. Two with the same reason and wait are equal.
#[derive(Clone, Debug, thiserror::Error)]
#[error("refused: {reason}")]
pub struct Refusal {
    reason: Reason,
    /// The seconds until a limit lets the next request through.
    wait: Option<NonZeroU32>,
    /// Behind a pointer, so it costs little if nothing failed.
    cause: Option<Arc<Fault>>,
}

impl Refusal {
    /// The refusal of a limit that lets a request through again after this time.
    pub(crate) fn throttled(reason: Reason, wait: Duration) -> Self {
        Self { wait: Some(whole_seconds(wait)), ..reason.into() }
    }

    /// If a part of the host failed, it was this one.
    pub(crate) fn of(self, part: &'static str) -> Self {
        let cause = self.cause.map(|fault| Arc::new(Fault::Part { part, fault }));
        Self { cause, ..self }
    }

    /// Why; for the host's log.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The failure of the server or of a part of the host, if there was one; for the host's log.
    #[must_use]
    pub fn cause(&self) -> Option<&Fault> {
        self.cause.as_deref()
    }

    /// The public error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.reason.code()
    }

    /// The seconds after which the same request can succeed, for `Retry-After` (RFC 9110 section 10.2.3). A
    /// limit says when it has room again; any other 429 or 503 can be retried soon.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self.reason.status() {
            429 | 503 => Some(self.wait.map_or(1, NonZeroU32::get)),
            _ => None,
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, wait: None, cause: None }
    }
}

impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        (self.reason, self.wait) == (other.reason, other.wait)
    }
}

impl Eq for Refusal {}

/// A failure of a part of the host (its store, its registry, its signer, its source of claims), of another
/// server, or of concurrent writes. Nothing is wrong with the request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A part of the host that is not a store failed.
    #[error("{part}: {fault}")]
    Part {
        /// The name of its trait, such as `ResourceOwner`.
        part: &'static str,
        /// Its failure.
        #[source]
        fault: Arc<Fault>,
    },
    /// A store or another part of the host failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A part of the host did not answer in time; the operation may have taken effect.
    #[error("a part of the host did not answer in time")]
    Deadline,
    /// Concurrent requests kept changing the grant.
    #[error("the grant kept changing")]
    Contended,
    /// Another server did not respond, or its response is of no use.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The host's own source of an issuer's keys failed.
    #[error("the source of keys: {0}")]
    KeySource(#[source] BackendError),
}

impl Fault {
    /// The reason for the audit and the response.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Backend(error) if error.is_permanent() => Reason::StoreBroken,
            Self::Backend(_) | Self::Deadline => Reason::StoreUnavailable,
            Self::Contended => Reason::Contended,
            Self::Part { fault, .. } => fault.reason(),
            Self::Remote(error) => error.reason(),
            Self::KeySource(_) => Reason::IssuerUnavailable,
        }
    }

    /// As the failure of this part of the host.
    pub(crate) fn of(self, part: &'static str) -> Self {
        Self::Part { part, fault: Arc::new(self) }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { reason: fault.reason(), wait: None, cause: Some(Arc::new(fault)) }
    }
}
