//! The registration endpoint: dynamic client registration (RFC 7591) and its management (RFC 7592).

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::audit::{Endpoint, EventKind, HostCall};
use crate::client::{Client, ClientId, RegistryError};
use crate::error::{Fault, Reason, Refusal};
use crate::flow::client_configuration::AwaitClient;
use crate::flow::register::{Approved, AwaitClaims};
use crate::http::{Method, Request, Response};
use crate::outbound::{ChosenBy, Outbound, OutboundError, OutboundRequest, ask};
use crate::registration::{Allowance, Registration, Review, StatementError};
use crate::server::calls::MAX_CONFLICT_RETRIES;
use crate::server::{Attempt, AuthorizationServer, EventSubject, HostError};

impl AuthorizationServer {
    /// Answers a request at the registration endpoint: a `POST` registers a client; with its registration
    /// access token a client reads (`GET` or `HEAD`), replaces (`PUT`) or deletes (`DELETE`) itself.
    pub async fn registration(&self, request: &Request) -> Response {
        let answer = match request.method {
            Method::Post => self.register_itself(request).await,
            Method::Get | Method::Head => self.read_itself(request).await,
            Method::Put => self.change_itself(request).await,
            Method::Delete => self.delete_itself(request).await,
            Method::Options | Method::Other(_) => Err(Reason::MethodWrong.into()),
        };
        answer.unwrap_or_else(|refusal| {
            let id = claimed_id(request);
            let about = EventSubject { client: id.as_ref(), peer: request.peer, ..EventSubject::default() };
            self.refuse(refusal, Endpoint::Registration, about)
        })
    }

    async fn register_itself(&self, request: &Request) -> Result<Response, Refusal> {
        let terms = self.terms()?;
        let limits = &self.process().registrations;
        let token = AwaitClaims::admitted_token(request, terms);
        limits.asks(request.peer, token, self.now())?;
        let approved = self.approve_metadata(AwaitClaims::parse(request, terms)?, None).await?;
        let host = self.inner.sealed_secrets.as_deref();
        let (client, information) = approved.create(self.fresh_secrets(), host, terms, &self.facts())?;
        let id = client.id().clone();
        let share = token.is_none().then(|| limits.registers(request.peer, self.now())).transpose()?;
        let inserted = self.call(HostCall::ChangeClient, self.registrar()?.insert(client)).await;
        if matches!(inserted, Some(Err(_))) {
            share.into_iter().flatten().for_each(Attempt::give_back);
        }
        inserted.ok_or(Fault::Deadline)?.map_err(HostError::from)?;
        let about = EventSubject::client(&id).peer(request.peer);
        self.audit(EventKind::ClientRegistered, Endpoint::Registration, about);
        Ok(information.into_response(201, &self.registration_url()))
    }

    async fn read_itself(&self, request: &Request) -> Result<Response, Refusal> {
        self.managed_terms()?;
        let flow = AwaitClient::parse(request)?;
        let managed = flow.with_client(self.find_any_client(flow.client_id()).await?, &self.facts())?;
        let information = flow.read(managed.served()?, &self.facts());
        Ok(information.into_response(200, &self.registration_url()))
    }

    /// Load, decide, write. After a lost race it starts again.
    async fn change_itself(&self, request: &Request) -> Result<Response, Refusal> {
        let terms = self.managed_terms()?;
        let flow = AwaitClient::parse(request)?;
        for attempt in 0..MAX_CONFLICT_RETRIES {
            let managed = flow.with_client(self.find_any_client(flow.client_id()).await?, &self.facts())?;
            let current = managed.served()?;
            if attempt == 0 {
                self.process().registrations.changes(request.peer, current.id(), self.now())?;
            }
            let claims = AwaitClaims::parse_change(request, current, &self.facts())?;
            let approved = self.approve_metadata(claims, Some(current)).await?;
            let (fresh, host) = (self.fresh_secrets(), self.inner.sealed_secrets.as_deref());
            let (change, information) =
                approved.change(current, flow.token(), fresh, host, terms, &self.facts())?;
            match self.replace_client(change).await {
                Ok(()) => {
                    let about = EventSubject::client(current.id()).peer(request.peer);
                    self.audit(EventKind::ClientChanged, Endpoint::Registration, about);
                    return Ok(information.into_response(200, &self.registration_url()));
                }
                Err(RegistryError::Changed | RegistryError::Missing) => {}
                Err(error) => return Err(HostError::from(error).into()),
            }
        }
        Err(Reason::Contended.into())
    }

    async fn delete_itself(&self, request: &Request) -> Result<Response, Refusal> {
        self.managed_terms()?;
        let flow = AwaitClient::parse(request)?;
        let managed = flow.with_client(self.find_any_client(flow.client_id()).await?, &self.facts())?;
        self.end_client(managed.any().id(), Endpoint::Registration).await?;
        Ok(Response::empty(204).with("cache-control", "no-store"))
    }

    /// Decides what may be registered: applies the software statement, the host's policy and the terms.
    async fn approve_metadata(
        &self,
        flow: AwaitClaims,
        current: Option<&Client>,
    ) -> Result<Approved, Refusal> {
        let terms = self.terms()?;
        let claims = match flow.statement() {
            Some(statement) => self.statement_claims(statement, terms, self.now()).await?,
            None => None,
        };
        let flow = flow.with_claims(claims, terms, &self.facts())?;
        let list = match (flow.sector_identifier_uri(), &terms.sectors) {
            (Some(uri), Some(outbound)) => fetch_list(uri, &**outbound).await?,
            (Some(_), None) | (None, _) => None,
        };
        let flow = flow.with_list(list.as_deref())?;
        let review = match &terms.policy {
            Some(policy) => {
                self.ask_part("RegistrationPolicy", policy.review(&flow.applicant(current))).await?
            }
            None => Review::Allow(Allowance::all()),
        };
        flow.with_review(review, terms, &self.facts())
    }

    async fn statement_claims(
        &self,
        statement: &str,
        terms: &Registration,
        now: DateTime<Utc>,
    ) -> Result<Option<Map<String, Value>>, Refusal> {
        let Some(verifier) = &terms.statements else { return Ok(None) };
        let part = "StatementVerifier";
        match self.in_time(verifier.verify(statement, now)).await.ok_or_else(|| Fault::Deadline.of(part))? {
            Ok(claims) => Ok(Some(claims)),
            Err(StatementError::Invalid) => Err(Reason::SoftwareStatementInvalid.into()),
            Err(StatementError::Unapproved) => Err(Reason::SoftwareStatementUnapproved.into()),
            Err(StatementError::Store(error)) => Err(Fault::from(error).of(part).into()),
        }
    }

    fn terms(&self) -> Result<&Registration, Refusal> {
        self.inner.registration.as_deref().ok_or(Reason::NotConfigured.into())
    }

    fn managed_terms(&self) -> Result<&Registration, Refusal> {
        match self.terms()? {
            terms if terms.is_managed => Ok(terms),
            _ => Err(Reason::MethodWrong.into()),
        }
    }

    fn registration_url(&self) -> String {
        self.url_of(Endpoint::Registration).unwrap_or_default()
    }
}

/// For the log: the client that a request names.
fn claimed_id(request: &Request) -> Option<ClientId> {
    AwaitClient::parse(request).ok().map(|flow| flow.client_id().clone())
}

/// The size limit of a sector identifier document, in bytes.
const MAX_LIST: usize = 64 * 1024;

/// The time in which it has to arrive.
const LIST_DEADLINE: Duration = Duration::from_secs(5);

/// The document of a `sector_identifier_uri`. The reason for a failure is not revealed.
///
/// # Errors
/// Too many are being fetched.
async fn fetch_list(uri: &str, outbound: &dyn Outbound) -> Result<Option<Vec<u8>>, Reason> {
    let request = OutboundRequest::get(uri, ChosenBy::Client)
        .header("accept", "application/json")
        .limits(MAX_LIST, LIST_DEADLINE);
    match ask(outbound, &request).await {
        Ok(answer) => Ok((answer.status() == 200).then(|| answer.body().to_vec())),
        Err(OutboundError::Busy) => Err(Reason::Overloaded),
        Err(_) => Ok(None),
    }
}
