//! A guard that checks tokens with the server in the same process.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::AuthorizationServer;
use crate::base::{Algorithm, ResourceId};
use crate::error::{Reason, Refusal};
use crate::resource::{GuardBuilder, LocalServer, TokenVerifier};
use crate::token::Access;

impl GuardBuilder {
    /// Accepts the tokens of the server in this process; a revocation takes effect at once. The resource must
    /// be the server's audience or one of its resources.
    pub fn local(self, server: AuthorizationServer) -> Self {
        let issuer = server.rules().issuer.to_string();
        let scopes = self.resource().and_then(|resource| server.scopes_at(&resource));
        let requires_bound_tokens = server.rules().requires_bound_tokens;
        let binds_to_certificates = server.rules().certificates.binds;
        let known = LocalServer {
            issuer,
            scopes,
            proofs: server.proofs(),
            requires_bound_tokens,
            binds_to_certificates,
        };
        self.known(known).verifier(Local(server))
    }
}

/// Verifies tokens against the server's store.
#[derive(Clone, Debug)]
struct Local(AuthorizationServer);

impl Local {
    /// The access of a token, if it is for this resource.
    fn at(&self, resource: &ResourceId, checked: Result<Access, Refusal>) -> Result<Access, Refusal> {
        let access = checked?;
        match self.0.rules().audience_of(access.audience()) == resource.as_str() {
            true => Ok(access),
            false => Err(Reason::TokenAudienceWrong.into()),
        }
    }
}

#[async_trait]
impl TokenVerifier for Local {
    /// Uses the server's own clock, not the guard's.
    async fn verify(&self, token: &str, resource: &ResourceId, _: DateTime<Utc>) -> Result<Access, Refusal> {
        self.at(resource, self.0.check(token).await)
    }

    fn try_verify(
        &self,
        token: &str,
        resource: &ResourceId,
        _: DateTime<Utc>,
    ) -> Option<Result<Access, Refusal>> {
        Some(self.at(resource, self.0.try_check(token)?))
    }

    async fn check_proof_algorithm(&self, access: &Access, algorithm: Algorithm) -> Result<(), Refusal> {
        self.0.check_proof_algorithm(access, algorithm).await
    }

    fn issuer(&self) -> Option<&str> {
        Some(&self.0.rules().issuer)
    }
}

impl AuthorizationServer {
    /// The scopes of this resource; `None` if the server never issues a token for it.
    fn scopes_at(&self, resource: &ResourceId) -> Option<Vec<String>> {
        let rules = self.rules();
        let scope = match rules.own_scope(Some(resource)) {
            Some(own) => rules.scope.intersection(own),
            None => rules.scope.clone(),
        };
        rules.knows_target(resource).then(|| scope.iter().map(str::to_owned).collect())
    }
}
