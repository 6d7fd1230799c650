//! Software statements: metadata that somebody else vouches for (RFC 7591 section 2.3).

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::store::BackendError;

/// Checks software statements.
///
/// The statement is hostile text. The claims that are returned override what the client says of itself: wrong ones let
/// anybody register in the name of that software.
#[async_trait]
pub trait StatementVerifier: Send + Sync {
    /// The claims of the statement, if its signature, its issuer and its dates are right.
    async fn verify(&self, statement: &str, now: DateTime<Utc>)
    -> Result<Map<String, Value>, StatementError>;
}

/// Why a software statement does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// It is no statement: malformed, forged, expired (`invalid_software_statement`).
    #[error("the software statement is not valid")]
    Invalid,
    /// Its signer is not trusted to vouch for software (`unapproved_software_statement`).
    #[error("the issuer of the software statement is not trusted")]
    Unapproved,
    /// The keys could not be fetched.
    #[error(transparent)]
    Store(#[from] BackendError),
}
