//! The token, revocation and introspection endpoints, and the check of a bearer token.

use super::calls::Outcome;
use super::{About, AuthorizationServer};
use crate::audit::{Endpoint, What};
use crate::error::{Fault, Reason, Refusal};
use crate::flow::token::{Authenticated, AwaitGrant, AwaitMint, Decision, TokenReply};
use crate::flow::{introspect, revoke, token};
use crate::grant::{Handle, Kind};
use crate::http::Request;
use crate::http::Response;
use crate::resource::Access;
use crate::store::Record;

/// How often a request is decided anew because somebody else changed its grant meanwhile.
const RACES: usize = 16;

impl AuthorizationServer {
    /// Answers a token request (RFC 6749 section 3.2).
    pub async fn token(&self, request: &Request) -> Response {
        let flow = match token::AwaitClient::parse(request, &self.inner.rules) {
            Ok(flow) => flow,
            Err(refusal) => return self.refuse(refusal, Endpoint::Token, About::default()),
        };
        let client = flow.client_id().clone();
        match self.issue(flow, request).await {
            Ok(reply) => reply.into_response(&self.inner.rules.policy.prefixes),
            Err(refusal) => self.refuse(refusal, Endpoint::Token, About::client(&client)),
        }
    }

    async fn issue(&self, flow: token::AwaitClient, request: &Request) -> Result<TokenReply, Refusal> {
        let id = flow.client_id().clone();
        let state = self.authenticate(request, &id, |found, now| flow.with_client(found, now)).await?;
        match state {
            Authenticated::Grant(flow) => self.redeem(flow).await,
            Authenticated::Mint(flow) => self.grant(flow).await,
            Authenticated::Owner(flow) => {
                let attempt = self.inner.throttle.check(request.peer, self.now())?;
                let owner = self.authenticate_owner(flow.question()).await?;
                self.grant(attempt.note(flow.with_owner(owner, self.now()))?).await
            }
        }
    }

    /// A code or a refresh token: load, decide, write; after a lost race, once more.
    async fn redeem(&self, flow: AwaitGrant) -> Result<TokenReply, Refusal> {
        let about = About::client(flow.client().id()).grant(flow.grant_id());
        let lost = flow.is_code().then(|| self.inner.unanswered.watch(flow.grant_id(), self.now()));
        let unanswered = lost.as_ref().is_some_and(|watch| watch.was_unanswered());
        for _ in 0..RACES {
            let record = self.load(flow.grant_id()).await?;
            let state = flow.with_record(record)?;
            let standing = self.standing(state.subject()).await?;
            let (write, sealed) =
                match state.decide(standing, unanswered, self.mint(), self.now(), self.rules()) {
                    Decision::Refuse(refusal) => return Err(refusal),
                    Decision::Repeat(reply) => {
                        lost.into_iter().for_each(|watch| watch.answered());
                        self.audit(What::AnswerRepeated, Endpoint::Token, about);
                        return Ok(reply);
                    }
                    Decision::Commit(write, sealed) => (write, sealed),
                };
            lost.iter().for_each(|watch| watch.writes());
            match self.commit(&write).await {
                Outcome::Committed(proof) => {
                    lost.into_iter().for_each(|watch| watch.answered());
                    let answer = sealed.open(proof);
                    let what = match &answer {
                        Ok(_) if flow.is_code() => What::TokensIssued,
                        Ok(_) => What::Refreshed,
                        Err(refusal) => What::Ended(refusal.reason()),
                    };
                    let subject = Some(write.next().grant().subject());
                    self.audit(what, Endpoint::Token, About { subject, ..about });
                    return answer;
                }
                Outcome::Conflict => lost.iter().for_each(|watch| watch.wrote_nothing()),
                Outcome::Failed(fault) => {
                    lost.iter().for_each(|watch| watch.wrote_nothing());
                    return Err(fault.into());
                }
                Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }

    /// A new grant that issues at once.
    async fn grant(&self, flow: AwaitMint) -> Result<TokenReply, Refusal> {
        for _ in 0..RACES {
            let (write, sealed) = match flow.decide(self.mint(), self.now(), self.rules()) {
                Decision::Refuse(refusal) => return Err(refusal),
                Decision::Repeat(reply) => return Ok(reply),
                Decision::Commit(write, sealed) => (write, sealed),
            };
            match self.commit(&write).await {
                Outcome::Committed(proof) => {
                    let grant = write.next().grant();
                    let about = About {
                        client: Some(grant.client()),
                        grant: Some(grant.id()),
                        subject: Some(grant.subject()),
                    };
                    self.audit(What::TokensIssued, Endpoint::Token, about);
                    return sealed.open(proof);
                }
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }

    /// Answers a revocation request (RFC 7009).
    pub async fn revoke(&self, request: &Request) -> Response {
        let flow = match revoke::AwaitClient::parse(request, &self.inner.rules) {
            Ok(flow) => flow,
            Err(refusal) => return self.refuse(refusal, Endpoint::Revocation, About::default()),
        };
        let client = flow.client_id().clone();
        match self.end(flow, request).await {
            Ok(()) => Response::secret_json(200, b"{}".to_vec()),
            Err(refusal) => self.refuse(refusal, Endpoint::Revocation, About::client(&client)),
        }
    }

    async fn end(&self, flow: revoke::AwaitClient, request: &Request) -> Result<(), Refusal> {
        let id = flow.client_id().clone();
        let flow = self.authenticate(request, &id, |found, now| flow.with_client(found, now)).await?;
        let Some(id) = flow.grant_id() else { return Ok(()) };
        for _ in 0..RACES {
            let record = self.load(id).await?;
            let write = match flow.decide(record, self.now(), self.rules()) {
                revoke::Decision::Nothing => return Ok(()),
                revoke::Decision::Refuse(refusal) => return Err(refusal),
                revoke::Decision::Commit(write) => write,
            };
            match self.commit(&write).await {
                Outcome::Committed(_) => {
                    let about = About::client(flow.client().id()).grant(id);
                    self.audit(What::Revoked, Endpoint::Revocation, about);
                    return Ok(());
                }
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }

    /// Answers an introspection request (RFC 7662).
    pub async fn introspect(&self, request: &Request) -> Response {
        let flow = match introspect::AwaitClient::parse(request, &self.inner.rules) {
            Ok(flow) => flow,
            Err(refusal) => return self.refuse(refusal, Endpoint::Introspection, About::default()),
        };
        let client = flow.client_id().clone();
        match self.look(flow, request).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(refusal, Endpoint::Introspection, About::client(&client)),
        }
    }

    async fn look(&self, flow: introspect::AwaitClient, request: &Request) -> Result<Response, Refusal> {
        let id = flow.client_id().clone();
        let flow = self.authenticate(request, &id, |found, now| flow.with_client(found, now)).await?;
        let record = match flow.grant_id() {
            Some(id) => self.load(id).await?,
            None => None,
        };
        Ok(flow.answer(record.as_ref(), self.now(), self.rules()))
    }

    /// What an access token is good for.
    ///
    /// # Errors
    /// [`Reason::TokenInactive`] for anything but a live access token of this server; a reason of status 503
    /// if the store could not say.
    pub async fn check(&self, token: &str) -> Result<Access, Refusal> {
        let prefixes = &self.inner.rules.policy.prefixes;
        let handle = Handle::parse(token, Kind::Access, prefixes).ok_or(Reason::TokenInactive)?;
        let record: Option<Record> =
            self.load(handle.grant).await.map_err(|fault: Fault| Refusal::from(fault))?;
        let access = record.and_then(|record| Access::of(record, &handle.secret, self.now()));
        Ok(access.ok_or(Reason::TokenInactive)?)
    }
}
