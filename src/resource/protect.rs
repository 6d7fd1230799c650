//! [`AuthorizationServer::protect`]: the guard of the server's own default audience, in one call.

use super::bearer::presented;
use super::challenge::Challenge;
use super::requirement::Implied;
use super::{Access, Requirement};
use crate::error::{Reason, Refusal};
use crate::http::{Request, Response};
use crate::server::AuthorizationServer;

impl AuthorizationServer {
    /// Lets a request pass that carries a live access token for the server's default audience, with all of these
    /// scopes. A [`Guard`](super::Guard) does the same for any resource, and says where its metadata are.
    ///
    /// # Errors
    /// The answer to send: 401 without an error code where no token was sent, 401 `invalid_token`, 403
    /// `insufficient_scope` with every scope that is needed, 400 for two tokens, 503 if the store could not say.
    pub async fn protect(&self, request: &Request, scopes: &[&str]) -> Result<Access, Response> {
        let needed = Requirement::scopes(scopes);
        let passed = self.pass(request, &needed).await;
        passed.map_err(|refusal| CHALLENGE.answer(refusal.reason(), &needed))
    }

    async fn pass(&self, request: &Request, needed: &Requirement) -> Result<Access, Refusal> {
        needed.check_itself()?;
        let access = self.check(presented(request)?).await?;
        if access.audience().is_some() {
            return Err(Reason::TokenAudienceWrong.into());
        }
        if access.confirmation().is_some() {
            return Err(Reason::TokenBound.into());
        }
        needed.check(&access, &Implied::default(), self.now())?;
        Ok(access)
    }
}

const CHALLENGE: Challenge<'_> = Challenge { realm: "api", metadata: None };
