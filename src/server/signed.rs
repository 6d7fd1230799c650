//! Signed access tokens: the last step of an answer, and the first of a question about one.

use super::AuthorizationServer;
use crate::error::{Fault, Reason, Refusal};
use crate::flow::token::{AwaitSignature, Reply, TokenReply};
use crate::flow::{OpenedRedirect, Redirect};
use crate::http::Response;
use crate::signing::Claims;

impl AuthorizationServer {
    /// The public keys (RFC 7517), for whoever reads signed access tokens.
    pub async fn jwks(&self) -> Response {
        let Some(signer) = &self.inner.signer else {
            return Refusal::from(Reason::NotConfigured).into_response();
        };
        match self.in_time(signer.jwks(self.now())).await {
            Some(Ok(json)) => Response::public_json(json, 300),
            Some(Err(error)) => Refusal::from(Fault::from(error)).into_response(),
            None => Refusal::from(Fault::Deadline).into_response(),
        }
    }

    /// Signs the access token of an answer, if it wants a signature.
    pub(super) async fn finish(&self, reply: Reply) -> Result<TokenReply, Refusal> {
        match reply {
            Reply::Ready(reply) => Ok(reply),
            Reply::Sign(mut signature) => {
                let token = self.sign(&mut signature).await?;
                Ok(signature.with_token(token))
            }
        }
    }

    pub(super) async fn finish_redirect(&self, opened: OpenedRedirect) -> Result<Redirect, Refusal> {
        match opened {
            OpenedRedirect::Ready(redirect) => Ok(redirect),
            OpenedRedirect::Sign(mut redirect) => {
                let token = self.sign(redirect.signature()).await?;
                Ok(redirect.with_token(token, &self.rules().policy.prefixes))
            }
        }
    }

    async fn sign(&self, signature: &mut AwaitSignature) -> Result<String, Refusal> {
        let signer = self.inner.signer.as_ref().ok_or(Reason::NotConfigured)?;
        if let Some(host) = &self.inner.access_token_claims {
            let extra = host.claims(signature.claims());
            signature.claims_mut().add(extra);
        }
        let signed = self.in_time(signer.sign(signature.claims(), self.now())).await;
        Ok(signed.ok_or(Fault::Deadline)?.map_err(Fault::from)?)
    }

    /// The claims of a token, if this server signed it.
    pub(super) async fn own_claims(&self, token: Option<&str>) -> Result<Option<Claims>, Refusal> {
        let (Some(token), Some(signer)) = (token, &self.inner.signer) else {
            return Ok(None);
        };
        let claims = self.in_time(signer.verify(token, self.now())).await;
        let claims = claims.ok_or(Fault::Deadline)?.map_err(Fault::from)?;
        Ok(claims.filter(|claims| *claims.iss == *self.rules().issuer))
    }
}
