//! [`TokenVerifier`]: says what an access token permits.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Access;
use crate::base::ResourceId;
use crate::error::{Reason, Refusal};
use crate::server::AuthorizationServer;

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
    /// [`Reason::TokenInactive`] or another reason of a token for one that is not good;
    /// [`Reason::IssuerUnavailable`], [`Reason::StoreUnavailable`] or [`Reason::StoreBroken`] if it could not be known, never
    /// one of the former.
    async fn verify(&self, token: &str, resource: &ResourceId, now: DateTime<Utc>)
    -> Result<Access, Refusal>;

    /// Whose tokens it knows: stands in the metadata as an authorization server.
    fn issuer(&self) -> Option<&str> {
        None
    }
}

/// The server in this process: its store knows at once what is revoked.
#[derive(Clone, Debug)]
pub(super) struct Local(pub(super) AuthorizationServer);

#[async_trait]
impl TokenVerifier for Local {
    /// By the server's own clock.
    async fn verify(&self, token: &str, resource: &ResourceId, _: DateTime<Utc>) -> Result<Access, Refusal> {
        let access = self.0.check(token).await?;
        let default = self.0.rules().audience.as_str();
        let audience = access.audience().map_or(default, ResourceId::as_str);
        match audience == resource.as_str() {
            true => Ok(access),
            false => Err(Reason::TokenAudienceWrong.into()),
        }
    }

    fn issuer(&self) -> Option<&str> {
        Some(&self.0.rules().issuer)
    }
}

impl AuthorizationServer {
    /// Whether it could ever issue a token for this resource, and with which scopes.
    pub(super) fn scopes_at(&self, resource: &ResourceId) -> Option<Vec<String>> {
        let rules = self.rules();
        let is_known = rules.audience == resource.as_str() || rules.resource(resource.as_str()).is_some();
        let scope = rules.scope_for(Some(resource), rules.scope.clone());
        is_known.then(|| scope.iter().map(str::to_owned).collect())
    }
}
