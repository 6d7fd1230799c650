//! The failures of a store or another part of the host, and what they mean for a request.

use std::error::Error;
use std::fmt;

type Source = Box<dyn Error + Send + Sync>;

/// The failure of a store or another part of the host. Never `invalid_grant`: clients discard valid tokens on
/// that.
#[derive(Debug)]
pub struct BackendError {
    kind: Kind,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transient,
    Permanent,
    UnknownOutcome,
}

impl BackendError {
    /// Nothing happened, and a retry may work: a lost connection before the write, a full pool.
    pub fn transient(source: impl Into<Source>) -> Self {
        Self { kind: Kind::Transient, source: source.into() }
    }

    /// Nothing happened, and no retry will help: a missing table, a body that cannot be read.
    pub fn permanent(source: impl Into<Source>) -> Self {
        Self { kind: Kind::Permanent, source: source.into() }
    }

    /// The write may have happened: a connection that was lost before the acknowledgement.
    pub fn unknown_outcome(source: impl Into<Source>) -> Self {
        Self { kind: Kind::UnknownOutcome, source: source.into() }
    }

    /// Whether no retry will help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.kind == Kind::Permanent
    }

    /// Whether the write may have happened.
    #[must_use]
    pub fn is_unknown_outcome(&self) -> bool {
        self.kind == Kind::UnknownOutcome
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Transient => "a part of the host failed temporarily",
            Kind::Permanent => "a part of the host is broken",
            Kind::UnknownOutcome => "a part of the host did not report whether its write took effect",
        };
        write!(f, "{kind}: {}", self.source)
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// How often a decision is repeated because another write came first.
pub(crate) const MAX_CONFLICT_RETRIES: usize = 16;

/// Why a conditional write did not take effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The version has changed, or the id was not vacant.
    #[error("the record has another version, or its id is taken")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] BackendError),
}
