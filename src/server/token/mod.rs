//! The token endpoint (RFC 6749 section 3.2).

mod exchange;
mod extension;
mod lineage;
mod resource_owner;

use std::net::IpAddr;
use std::pin::pin;

use super::calls::{MAX_CONFLICT_RETRIES, Outcome};
use super::clients::judge;
use super::limit::Attempt;
use super::{AuthorizationServer, EventSubject};
use crate::audit::{Endpoint, EventKind};
use crate::error::{Fault, Reason, Refusal};
use crate::flow::token::{
    Authenticated, AwaitGrant, AwaitOwner, AwaitSecrets, NewGrantDecision, RedemptionDecision, TokenReply,
};
use crate::flow::{Facts, Judged, token};
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

    /// Redeems a code, a device code or a refresh token: load, decide, write. After a lost race it starts
    /// again.
    ///
    /// A public client only names itself, and a proof can be of any key: so the proof is marked as used once
    /// the code or token turned out right, and nobody fills the replay guard with made-up ones.
    async fn redeem(
        &self,
        flow: &AwaitGrant,
        peer: Option<IpAddr>,
        proof: Option<&Proven>,
    ) -> Result<TokenReply, Refusal> {
        let about = EventSubject::client(flow.client().id()).grant(flow.grant_id()).peer(peer);
        let mut lost = match flow.is_code() {
            true => {
                let watch = self.process().undelivered.watch(flow.grant_id(), self.now());
                Some(self.in_time(pin!(watch)).await.ok_or(Fault::Deadline)?.ok_or(Reason::Overloaded)?)
            }
            false => None,
        };
        let mut unused_proof = proof;
        for _ in 0..MAX_CONFLICT_RETRIES {
            let record = self.load(flow.grant_id()).await?;
            let state = flow.with_record(record)?;
            let account_status = self.account_status(state.subject()).await?;
            let (now, first_peer) = (self.now(), state.answered_peer());
            let unanswered = lost.as_ref().is_some_and(|watch| watch.was_unanswered(now));
            let facts = Facts::new(now, self.rules()).unanswered(unanswered);
            let mut decision = state.decide(account_status, self.fresh_secrets(), &facts);
            self.prepare_access_token(decision.access_claims_mut(), Endpoint::Token, about)?;
            if let Some(id_token) = decision.id_token_mut() {
                Box::pin(self.prepare_id_token(id_token, Endpoint::Token, about)).await?;
            }
            if !matches!(decision, RedemptionDecision::Refuse(_)) {
                self.use_proof(unused_proof.take()).await?;
            }
            let (write, sealed) = match decision {
                RedemptionDecision::Refuse(refusal) => return Err(refusal),
                RedemptionDecision::Repeat(reply) => {
                    let reply = self.sign_reply(reply).await?;
                    lost.into_iter().for_each(|watch| watch.answered());
                    let what = match self.process().repeats.is_first(&flow.digest(), now) {
                        true => EventKind::AnswerRepeated,
                        false => EventKind::AnswerRepeatedAgain,
                    };
                    self.audit(what, Endpoint::Token, EventSubject { first_peer, ..about });
                    return Ok(reply);
                }
                RedemptionDecision::Commit(write, sealed) => (write, sealed),
                RedemptionDecision::End(tombstone, sealed) => {
                    let opened = sealed.open(Box::pin(self.end(&tombstone)).await?);
                    let about = EventSubject { subject: Some(tombstone.grant().subject()), ..about };
                    if let Err(refusal) = &opened {
                        self.audit(EventKind::Ended(refusal.reason()), Endpoint::Token, about);
                    }
                    return self.sign_reply(opened?).await;
                }
            };
            if sealed.issues() {
                lost.iter_mut().for_each(|watch| watch.writes(now));
            }
            match self.commit(&write).await {
                Outcome::Committed(proof) => {
                    self.confirm_client(flow.client().is_self_registered(), write.next().grant()).await?;
                    let opened = sealed.open(proof);
                    let next = write.next().grant();
                    let what = match &opened {
                        Ok(_) if flow.is_code() => Some(EventKind::TokensIssued),
                        Ok(_) => Some(EventKind::Refreshed),
                        // A device polled too early; the write only changed the time of its next poll.
                        Err(_) => None,
                    };
                    let about = EventSubject { subject: Some(next.subject()), ..about };
                    what.into_iter().for_each(|what| self.audit(what, Endpoint::Token, about));
                    let reply = match opened {
                        Ok(reply) => Ok(self.sign_reply(reply).await?),
                        Err(refusal) => Err(refusal),
                    };
                    lost.into_iter().for_each(|watch| watch.answered());
                    return reply;
                }
                Outcome::Conflict => lost.iter_mut().for_each(|watch| watch.wrote_nothing()),
                Outcome::Failed(fault) => {
                    lost.iter_mut().for_each(|watch| watch.wrote_nothing());
                    return Err(fault.into());
                }
                Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }

    /// A new grant whose tokens are issued at once. Everything else is checked, so the proof is marked as
    /// used here.
    pub(super) async fn issue_new_grant(
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
