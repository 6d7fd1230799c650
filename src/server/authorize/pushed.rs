//! The pushed authorization request endpoint (RFC 9126), and the authorization requests that refer to a
//! pushed one.

use crate::audit::{Endpoint, EventKind};
use crate::error::{Reason, Refusal};
use crate::flow::authorize::{AwaitLogin, AwaitPushed, Visited};
use crate::flow::pushed;
use crate::http::{Request, Response};
use crate::server::calls::{MAX_CONFLICT_RETRIES, Outcome};
use crate::server::{AuthorizationServer, EventSubject};

impl AuthorizationServer {
    /// Answers a pushed authorization request (RFC 9126 section 2).
    pub async fn pushed_authorization_request(&self, request: &Request) -> Response {
        const ENDPOINT: Endpoint = Endpoint::PushedAuthorizationRequest;
        if self.inner.endpoints.path(Endpoint::Authorization).is_none() {
            return self.refuse(
                Reason::NotConfigured.into(),
                ENDPOINT,
                EventSubject::default().peer(request.peer),
            );
        }
        let response = self.answer_push(request).await;
        self.with_nonce(request, response)
    }

    async fn answer_push(&self, request: &Request) -> Response {
        const ENDPOINT: Endpoint = Endpoint::PushedAuthorizationRequest;
        let flow = match pushed::AwaitClient::parse(request, &self.facts()) {
            Ok(flow) => flow,
            Err(refusal) => return self.refuse_unread(refusal, ENDPOINT, request),
        };
        let (client, evidence) = (flow.client_id().clone(), flow.evidence());
        match self.push(flow, request).await {
            Ok(request_uri) => request_uri.into_response(&self.rules().policy),
            Err(refusal) => self.refuse_client(refusal, ENDPOINT, request, (&client, evidence)),
        }
    }

    async fn push(
        &self,
        flow: pushed::AwaitClient,
        request: &Request,
    ) -> Result<pushed::RequestUri, Refusal> {
        let id = flow.client_id().clone();
        // The client repeats a request whose proof lacks a nonce, so the proof is checked before the
        // single-use assertion.
        let proven = self.check_proof(request, Endpoint::PushedAuthorizationRequest)?;
        let flow = flow.proving(proven.as_ref());
        let (next, assertion) = self.judge_client(request, flow).await?.split();
        let flow = match next {
            pushed::Pushed::Plain(flow) => flow,
            pushed::Pushed::Signed(flow) => {
                let claims = self.client_claims(&flow.question()).await?;
                flow.with_claims(claims, &self.facts())?
            }
        };
        // Anyone can name a public client and fill the store.
        if !flow.client().is_confidential() {
            let admitted = self.process().pushes.begin(request.peer, &id, self.now());
            admitted.map_err(|full| Refusal::throttled(Reason::PushThrottled, full.wait()))?.keep();
        }
        if let Some(hint) = flow.hint() {
            flow.with_hint(self.hint(Some(hint)).await?, &self.facts())?;
        }
        self.use_assertion(assertion).await?;
        self.use_proof(proven.as_ref()).await?;
        for _ in 0..MAX_CONFLICT_RETRIES {
            let (write, sealed) = flow.decide(self.fresh_secrets(), &self.facts());
            match self.commit(&write).await {
                Outcome::Committed(proof) => {
                    let about = EventSubject::client(&id).grant(write.id()).peer(request.peer);
                    self.audit(EventKind::RequestPushed, Endpoint::PushedAuthorizationRequest, about);
                    return sealed.open(proof);
                }
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }

    /// Finds the pushed request of a `request_uri`, and records the first visit.
    pub(in crate::server) async fn visit(&self, flow: &AwaitPushed) -> Result<AwaitLogin, Refusal> {
        for _ in 0..MAX_CONFLICT_RETRIES {
            let found = self.load(flow.grant_id()).await?;
            let first = match flow.with_record(found, &self.precise_facts())? {
                Visited::Again(request) => return Ok(*request),
                Visited::First(first) => first,
            };
            match self.commit(first.write()).await {
                Outcome::Committed(proof) => return first.with_proof(proof),
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }
}
