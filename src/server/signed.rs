//! Signs the parts of a response and anything else, and verifies the access tokens that this server signed.

use super::{AuthorizationServer, EventSubject};
use crate::audit::{Endpoint, HostCall};
use crate::error::{Fault, Reason, Refusal};
use crate::flow::token::{Part, Reply, TokenReply};
use crate::signing::{Claims, DroppedClaims, Unsigned};

/// The name of the part of the host that signs.
pub(super) const SIGNER: &str = "TokenSigner";

impl AuthorizationServer {
    /// Signs every part of a response that needs a signature.
    pub(super) async fn sign_reply(&self, mut reply: Reply) -> Result<TokenReply, Refusal> {
        loop {
            match reply {
                Reply::Ready(reply) => return Ok(reply),
                Reply::Sign(waiting) => {
                    let token = Box::pin(self.sign_part(waiting.part())).await?;
                    reply = waiting.with_token(token);
                }
            }
        }
    }

    /// Adds the host's own claims to an access token that will be signed. Call it before the write, so that
    /// nothing is used up for a token that nobody could use.
    pub(super) fn prepare_access_token(
        &self,
        claims: Option<&mut Claims>,
        endpoint: Endpoint,
        about: EventSubject<'_>,
    ) -> Result<(), Refusal> {
        if let Some(dropped) = self.add_host_claims(claims)? {
            self.note_dropped(&dropped, endpoint, about);
        }
        Ok(())
    }

    /// Adds the host's own claims; returns those that it may not set.
    pub(super) fn add_host_claims(
        &self,
        claims: Option<&mut Claims>,
    ) -> Result<Option<DroppedClaims>, Refusal> {
        let Some(claims) = claims else { return Ok(None) };
        let dropped = self.inner.access_token_claims.as_ref().map(|host| {
            let extra = host.claims(claims);
            claims.add(extra)
        });
        match claims.fit() {
            true => Ok(dropped),
            false => Err(Reason::AccessTokenTooLong.into()),
        }
    }

    pub(super) async fn sign_part(&self, part: &Part) -> Result<String, Refusal> {
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
        let signed = signed.ok_or(Fault::Deadline).and_then(|signed| signed.map_err(Fault::from));
        Ok(signed.map_err(|fault| fault.of(SIGNER))?)
    }

    /// The claims of a token, if this server signed it.
    pub(super) async fn own_claims(&self, token: Option<&str>) -> Result<Option<Claims>, Refusal> {
        let (Some(token), Some(signer)) = (token, &self.inner.signer) else {
            return Ok(None);
        };
        let claims = self.ask_part(SIGNER, signer.verify(token, self.now())).await?;
        Ok(claims.filter(|claims| *claims.iss == *self.rules().issuer))
    }
}
