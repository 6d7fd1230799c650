//! Redeems a code, a device code or a refresh token.

use std::net::IpAddr;
use std::pin::pin;

use chrono::{DateTime, Utc};

use crate::audit::{Endpoint, EventKind};
use crate::error::{Fault, Reason, Refusal};
use crate::flow::Facts;
use crate::flow::token::{AwaitGrant, RedemptionDecision, Sealed, TokenReply};
use crate::server::calls::{MAX_CONFLICT_RETRIES, Outcome};
use crate::server::{AuthorizationServer, EventSubject};
use crate::store::Tombstone;
use crate::trust::Proven;

impl AuthorizationServer {
    /// Redeems a code, a device code or a refresh token: load, decide, write. After a lost race it starts
    /// again.
    ///
    /// A public client only names itself, and a proof can be of any key: so the proof is marked as used once
    /// the code or token turned out right, and nobody fills the replay guard with made-up ones.
    pub(super) async fn redeem(
        &self,
        flow: &AwaitGrant,
        peer: Option<IpAddr>,
        proof: Option<&Proven>,
    ) -> Result<TokenReply, Refusal> {
        let about = EventSubject::client(flow.client().id()).grant(flow.grant_id()).peer(peer);
        let mut delivery = match flow.is_code() {
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
            let unanswered = delivery.as_ref().is_some_and(|delivery| delivery.was_unanswered(now));
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
                    delivery.into_iter().for_each(|delivery| delivery.answered());
                    self.audit(
                        self.repeat_of(flow, now),
                        Endpoint::Token,
                        EventSubject { first_peer, ..about },
                    );
                    return Ok(reply);
                }
                RedemptionDecision::Commit(write, sealed) => (write, sealed),
                RedemptionDecision::End(tombstone, sealed) => {
                    return Box::pin(self.end_redeemed(&tombstone, sealed, about)).await;
                }
            };
            if sealed.issues() {
                delivery.iter_mut().for_each(|delivery| delivery.writes(now));
            }
            match self.commit(&write).await {
                Outcome::Committed(proof) => {
                    let grant = write.next().grant();
                    self.confirm_client(flow.client().is_self_registered(), grant).await?;
                    // `Err`: a device polled too early, and the write only changed the time of its next poll.
                    let reply = match sealed.open(proof) {
                        Ok(reply) => {
                            let what =
                                if flow.is_code() { EventKind::TokensIssued } else { EventKind::Refreshed };
                            let about = EventSubject { subject: Some(grant.subject()), ..about };
                            self.audit(what, Endpoint::Token, about);
                            Ok(self.sign_reply(reply).await?)
                        }
                        Err(refusal) => Err(refusal),
                    };
                    delivery.into_iter().for_each(|delivery| delivery.answered());
                    return reply;
                }
                Outcome::Conflict => delivery.iter_mut().for_each(|delivery| delivery.wrote_nothing()),
                Outcome::Failed(fault) => {
                    delivery.iter_mut().for_each(|delivery| delivery.wrote_nothing());
                    return Err(fault.into());
                }
                Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }

    /// Ends the grant of a code or token that was spent before.
    async fn end_redeemed(
        &self,
        tombstone: &Tombstone,
        sealed: Sealed,
        about: EventSubject<'_>,
    ) -> Result<TokenReply, Refusal> {
        let opened = sealed.open(self.end(tombstone).await?);
        if let Err(refusal) = &opened {
            let about = EventSubject { subject: Some(tombstone.grant().subject()), ..about };
            self.audit(EventKind::Ended(refusal.reason()), Endpoint::Token, about);
        }
        self.sign_reply(opened?).await
    }

    fn repeat_of(&self, flow: &AwaitGrant, now: DateTime<Utc>) -> EventKind {
        match self.process().repeats.is_first(&flow.digest(), now) {
            true => EventKind::AnswerRepeated,
            false => EventKind::AnswerRepeatedAgain,
        }
    }
}
