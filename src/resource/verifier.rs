//! [`TokenVerifier`]: says what an access token permits.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Access;
use crate::base::ResourceId;
use crate::error::Refusal;

/// Tells what an access token allows: the server in this process, signatures, or a question to a remote server.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// What a token allows at this resource. The token is untrusted text.
    ///
    /// A wrong `Ok` lets strangers in: the signature or the record, issuer, *audience* and expiry are the verifier's to
    /// check; scope, authentication and the proof of the token's key are the guard's. A key of the token that gets lost on the way
    /// ([`Access::confirmation`]) lets a thief use it.
    ///
    /// # Errors
    /// [`Reason::TokenInactive`](crate::Reason::TokenInactive) or another reason of a token for one that is not valid;
    /// [`IssuerUnavailable`](crate::Reason::IssuerUnavailable), [`StoreUnavailable`](crate::Reason::StoreUnavailable) or
    /// [`StoreBroken`](crate::Reason::StoreBroken) if it could not be known, never
    /// one of the former.
    async fn verify(&self, token: &str, resource: &ResourceId, now: DateTime<Utc>)
    -> Result<Access, Refusal>;

    /// The issuer of the tokens that it knows; the metadata name it as an authorization server.
    fn issuer(&self) -> Option<&str> {
        None
    }
}
