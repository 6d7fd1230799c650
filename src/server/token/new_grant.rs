//! Issues the tokens of a new grant.

use std::net::IpAddr;

use crate::audit::{Endpoint, EventKind};
use crate::error::{Reason, Refusal};
use crate::flow::token::{AwaitSecrets, NewGrantDecision, TokenReply};
use crate::server::calls::{MAX_CONFLICT_RETRIES, Outcome};
use crate::server::{AuthorizationServer, EventSubject};
use crate::trust::Proven;

impl AuthorizationServer {
    /// A new grant whose tokens are issued at once. Everything else is checked, so the proof is marked as
    /// used here.
    pub(in crate::server) async fn issue_new_grant(
        &self,
        flow: &AwaitSecrets,
        peer: Option<IpAddr>,
        proof: Option<&Proven>,
    ) -> Result<TokenReply, Refusal> {
        let mut unused_proof = proof;
        for _ in 0..MAX_CONFLICT_RETRIES {
            let mut decision = flow.decide(self.fresh_secrets(), &self.facts());
            let about = EventSubject::client(flow.client().id()).peer(peer);
            self.prepare_access_token(decision.access_claims_mut(), Endpoint::Token, about)?;
            if !matches!(decision, NewGrantDecision::Refuse(_)) {
                self.use_proof(unused_proof.take()).await?;
            }
            let (write, sealed) = match decision {
                NewGrantDecision::Refuse(refusal) => return Err(refusal),
                NewGrantDecision::Issue(reply) => {
                    let reply = self.sign_reply(reply).await?;
                    let about = EventSubject::client(flow.client().id()).peer(peer);
                    self.audit(EventKind::TokensIssued, Endpoint::Token, about);
                    return Ok(reply);
                }
                NewGrantDecision::Commit(write, sealed) => (write, sealed),
            };
            match self.commit(&write).await {
                Outcome::Committed(proof) => {
                    let grant = write.next().grant();
                    self.confirm_client(flow.client().is_self_registered(), grant).await?;
                    let reply = sealed.open(proof)?;
                    self.audit(EventKind::TokensIssued, Endpoint::Token, EventSubject::of(grant).peer(peer));
                    return self.sign_reply(reply).await;
                }
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }
}
