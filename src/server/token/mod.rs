//! The token endpoint (RFC 6749 section 3.2).

mod exchange;
mod extension;
mod lineage;
mod new_grant;
mod redeem;
mod resource_owner;

use std::net::IpAddr;

use super::AuthorizationServer;
use super::clients::judge;
use super::limit::Attempt;
use crate::audit::Endpoint;
use crate::error::Refusal;
use crate::flow::token::{Authenticated, AwaitOwner, TokenReply};
use crate::flow::{Judged, token};
use crate::http::Request;
use crate::http::Response;
use crate::trust::Proven;
pub use exchange::ExchangePolicy;
pub use extension::ExtensionGrant;
pub(super) use extension::Extensions;
pub use resource_owner::ResourceOwner;

impl AuthorizationServer {
    /// Answers a token request (RFC 6749 section 3.2).
    pub async fn token(&self, request: &Request) -> Response {
        let response = self.answer_token(request).await;
        self.with_nonce(request, response)
    }

    async fn answer_token(&self, request: &Request) -> Response {
        let flow = match token::AwaitClient::parse(request, &self.facts()) {
            Ok(flow) => flow,
            Err(refusal) => return self.refuse_unread(refusal, Endpoint::Token, request),
        };
        let (client, evidence) = (flow.client_id().clone(), flow.evidence());
        match self.drive_token(flow, request).await {
            Ok(reply) => reply.into_response(&self.rules().policy.prefixes),
            Err(refusal) => self.refuse_client(refusal, Endpoint::Token, request, (&client, evidence)),
        }
    }

    /// The futures of rare cases are boxed, here and in the functions that this calls: otherwise every
    /// request would carry the size of the largest one.
    async fn drive_token(&self, flow: token::AwaitClient, request: &Request) -> Result<TokenReply, Refusal> {
        // The client repeats a request whose proof lacks a nonce, so the proof is checked before the
        // single-use assertion.
        let proven = self.check_proof(request, Endpoint::Token)?;
        let flow = flow.proving(proven.as_ref());
        if let Some(named) = flow.named_grant() {
            self.recognise(flow.client_id(), named).await;
        }
        let (state, assertion) = self.judge_client(request, flow).await?.split();
        if let (Authenticated::FreshSecrets(flow), Judged::FirstUse(_)) = (&state, &assertion) {
            flow.check(&self.facts())?;
        }
        // Nothing is used up by a request that its limit refuses.
        let counted = match &state {
            Authenticated::Owner(flow) => {
                let (username, _, client) = flow.question();
                Some(self.guess(request.peer, ("owner", client.id(), username))?)
            }
            Authenticated::Extension(flow) => {
                let what = ("extension", flow.client().id(), flow.grant_type().as_str());
                Some(self.guess(request.peer, what)?)
            }
            Authenticated::Grant(_) | Authenticated::FreshSecrets(_) | Authenticated::Exchange(_) => None,
        };
        if let Err(refusal) = self.use_assertion(assertion).await {
            return judge(counted, Err(refusal));
        }
        let (peer, proof) = (request.peer, proven.as_ref());
        match state {
            Authenticated::Grant(flow) => self.redeem(&flow, peer, proof).await,
            Authenticated::FreshSecrets(flow) => self.issue_new_grant(&flow, peer, proof).await,
            Authenticated::Exchange(flow) => Box::pin(self.exchange(*flow, peer, proof)).await,
            Authenticated::Extension(flow) => Box::pin(self.extension(*flow, request, counted, proof)).await,
            Authenticated::Owner(flow) => Box::pin(self.password(*flow, peer, counted, proof)).await,
        }
    }

    /// Exchanges a user's password for tokens.
    async fn password(
        &self,
        flow: AwaitOwner,
        peer: Option<IpAddr>,
        counted: Option<Attempt<'_>>,
        proof: Option<&Proven>,
    ) -> Result<TokenReply, Refusal> {
        let owner = self.authenticate_owner(flow.question()).await;
        let flow = owner.and_then(|owner| flow.with_owner(owner, &self.facts()));
        self.issue_new_grant(&judge(counted, flow)?, peer, proof).await
    }
}
