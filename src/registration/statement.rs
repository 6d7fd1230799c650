//! Software statements: metadata that a third party vouches for (RFC 7591 section 2.3).

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::store::BackendError;

/// Checks software statements.
///
/// The statement is untrusted. The returned claims override the client's own metadata: wrong ones let anyone
/// register in the name of that software.
#[async_trait]
pub trait StatementVerifier: Send + Sync {
    /// The claims of the statement, if its signature, its issuer and its dates are right.
    ///
    /// # Errors
    /// [`StatementError`]: the statement is bad, its issuer is not approved, or it could not be checked.
    async fn verify(&self, statement: &str, now: DateTime<Utc>)
    -> Result<Map<String, Value>, StatementError>;
}

#[async_trait]
impl<T: StatementVerifier + ?Sized> StatementVerifier for Arc<T> {
    async fn verify(
        &self,
        statement: &str,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, StatementError> {
        (**self).verify(statement, now).await
    }
}

/// Why a software statement is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// It is malformed, forged or expired (`invalid_software_statement`).
    #[error("the software statement is not valid")]
    Invalid,
    /// Its signer is not trusted to vouch for software (`unapproved_software_statement`).
    #[error("the issuer of the software statement is not trusted")]
    Unapproved,
    /// The keys could not be fetched.
    #[error(transparent)]
    Store(#[from] BackendError),
}
