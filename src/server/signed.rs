//! Signed access tokens: signing them for a response, and verifying them when they come back.

use super::{AuthorizationServer, EventSubject};
use crate::audit::{Endpoint, HostCall};
use crate::error::{Fault, Reason, Refusal};
use crate::flow::token::{Part, Reply, TokenReply};
use crate::flow::{Finished, OpenedRedirect, Redirect};
use crate::http::Response;
use crate::signing::{Claims, Unsigned};

impl AuthorizationServer {
    /// The public keys (RFC 7517), for verifiers of signed access tokens.
    pub async fn jwks(&self) -> Response {
        let Some(signer) = &self.inner.signer else {
            return Refusal::from(Reason::NotConfigured).into_response();
        };
        match self.in_time(signer.jwks(self.now())).await {
            Some(Ok(json)) => Response::public_json(json, 300),
            Some(Err(error)) => {
                self.refuse(Fault::from(error).into(), Endpoint::Jwks, EventSubject::default())
            }
            None => self.refuse(Fault::Deadline.into(), Endpoint::Jwks, EventSubject::default()),
        }
    }

    /// Signs every part of a response that needs a signature.
    pub(super) async fn sign_reply(&self, mut reply: Reply) -> Result<TokenReply, Refusal> {
        loop {
            match reply {
                Reply::Ready(reply) => return Ok(reply),
                Reply::Sign(mut waiting) => {
                    let token = Box::pin(self.sign_part(waiting.part_mut())).await?;
                    reply = waiting.with_token(token);
                }
            }
        }
    }

    pub(super) async fn finish_redirect(&self, mut opened: OpenedRedirect) -> Result<Redirect, Refusal> {
        loop {
            match opened {
                OpenedRedirect::Ready(redirect) => return Ok(redirect),
                OpenedRedirect::Sign(mut redirect) => {
                    let token = Box::pin(self.sign_part(redirect.part_mut())).await?;
                    opened = redirect.with_token(token);
                }
            }
        }
    }

    /// The response to the browser, signed as a whole if its response mode requires it.
    pub(super) async fn send_redirect(&self, redirect: Redirect) -> Result<Response, Refusal> {
        match redirect.finish(|| self.now()) {
            Finished::Ready(response) => Ok(response),
            Finished::Sign(waiting) => {
                let unsigned = waiting.unsigned().map_err(Fault::from)?;
                let text = Box::pin(self.sign(&unsigned)).await?;
                Ok(waiting.with_signature(&text))
            }
        }
    }

    async fn sign_part(&self, part: &mut Part) -> Result<String, Refusal> {
        if let (Part::AccessToken { claims, .. }, Some(host)) = (&mut *part, &self.inner.access_token_claims)
        {
            let extra = host.claims(claims);
            claims.add(extra);
        }
        let unsigned = part.unsigned().map_err(Fault::from)?;
        match part.secret() {
            Some(secret) => self.sign_with_secret(&unsigned, secret),
            None => self.sign(&unsigned).await,
        }
    }

    /// Signs any content of this server.
    pub(super) async fn sign(&self, what: &Unsigned) -> Result<String, Refusal> {
        let signer = self.inner.signer.as_ref().ok_or(Reason::NotConfigured)?;
        let signed = self.call(HostCall::Sign, signer.sign(what, self.now())).await;
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
