//! The device authorization endpoint, and the API for a host's own page for user codes (RFC 8628).

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::calls::{MAX_CONFLICT_RETRIES, Outcome};
use super::{AuthorizationServer, ErrorPage, EventSubject, HostError};
use crate::audit::{Endpoint, EventKind};
use crate::base::{AuthorizationDetails, ResourceIndicators, Scope};
use crate::client::{Client, GrantType};
use crate::documents::Requester;
use crate::error::{Reason, Refusal};
use crate::flow::consent::Terms;
use crate::flow::device;
use crate::grant::{BrowserSession, Grant, GrantId, Login, UserCode};
use crate::http::{Request, Response};
use crate::openid::{OPENID, can_be_subject};
use crate::store::{Record, Tombstone, Write};

impl AuthorizationServer {
    /// Answers a device authorization request (RFC 8628 section 3.1).
    pub async fn device_authorization(&self, request: &Request) -> Response {
        const ENDPOINT: Endpoint = Endpoint::DeviceAuthorization;
        let Some(verification_uri) = self.verification_uri() else {
            let about = EventSubject::default().peer(request.peer);
            return self.refuse(Reason::NotConfigured.into(), ENDPOINT, about);
        };
        let flow = match device::AwaitClient::parse(request, &self.facts()) {
            Ok(flow) => flow,
            Err(refusal) => return self.refuse_unread(refusal, ENDPOINT, request),
        };
        let (client, evidence) = (flow.client_id().clone(), flow.evidence());
        match self.wait_for_user(flow, request).await {
            Ok(codes) => codes.into_response(&verification_uri, &self.rules().policy),
            Err(refusal) => self.refuse_client(refusal, ENDPOINT, request, (&client, evidence)),
        }
    }

    async fn wait_for_user(
        &self,
        flow: device::AwaitClient,
        request: &Request,
    ) -> Result<device::Codes, Refusal> {
        let id = flow.client_id().clone();
        let (flow, assertion) = self.judge_client(request, flow).await?.split();
        // Counted only after authentication, so others cannot use up the limit of a confidential client.
        let admitted = self.process().devices.begin(request.peer, &id, self.now());
        admitted.map_err(|full| Refusal::throttled(Reason::DeviceRequestThrottled, full.wait()))?.keep();
        self.use_assertion(assertion).await?;
        for _ in 0..MAX_CONFLICT_RETRIES {
            let (write, sealed) = flow.decide(self.fresh_secrets(), &self.facts());
            match self.commit(&write).await {
                Outcome::Committed(proof) => {
                    let about = EventSubject::client(&id).grant(write.id()).peer(request.peer);
                    self.audit(EventKind::DeviceCodeIssued, Endpoint::DeviceAuthorization, about);
                    return sealed.open(proof);
                }
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }

    fn verification_uri(&self) -> Option<String> {
        self.url_of(Endpoint::DeviceVerification)
    }

    /// The waiting device with a user code that a user submitted on your page: from now on only this browser
    /// session can answer. Call it only for a posted form, never for a link: otherwise an attacker's link
    /// enters the code. The manual's chapter `devices` has a complete page.
    ///
    /// The code is untrusted, and can be guessed: wrong ones are limited by session
    /// ([`Policy::user_code_failures`](crate::Policy::user_code_failures)) and by address
    /// ([`Policy::user_code_failures_per_address`](crate::Policy::user_code_failures_per_address)), so `peer`
    /// must be the browser's and not a proxy's.
    ///
    /// # Errors
    /// An [`ErrorPage`]: with [`Reason::UserCodeUnknown`], show your form again; 429 after too many wrong
    /// codes.
    pub async fn device(
        &self,
        user_code: &str,
        claimant: &BrowserSession,
        peer: Option<IpAddr>,
    ) -> Result<DeviceRequest, ErrorPage> {
        match self.claim(user_code, claimant, peer).await {
            Ok(request) => Ok(request),
            Err(refusal) => Err(self.device_page(refusal, EventSubject::default().peer(peer))),
        }
    }

    async fn claim(
        &self,
        typed: &str,
        claimant: &BrowserSession,
        peer: Option<IpAddr>,
    ) -> Result<DeviceRequest, Refusal> {
        if self.inner.endpoints.path(Endpoint::DeviceVerification).is_none() {
            return Err(Reason::NotConfigured.into());
        }
        // A text that cannot be a code does not count as a guess.
        let code = UserCode::parse(typed).ok_or(Reason::UserCodeUnknown)?;
        let attempt = self.process().user_codes.begin(peer, claimant, self.now())?;
        let claimed = self.claim_waiting(code, claimant, peer).await;
        let wrong = [Reason::UserCodeUnknown, Reason::UserCodeClaimed];
        match claimed.as_ref().is_err_and(|refusal| wrong.contains(&refusal.reason())) {
            true => attempt.keep(),
            false => attempt.give_back(),
        }
        claimed
    }

    async fn claim_waiting(
        &self,
        code: UserCode,
        claimant: &BrowserSession,
        peer: Option<IpAddr>,
    ) -> Result<DeviceRequest, Refusal> {
        let digest = code.digest();
        for _ in 0..MAX_CONFLICT_RETRIES {
            let record = self.find_waiting(&digest).await?.ok_or(Reason::UserCodeUnknown)?;
            let now = self.now();
            let next = record.grant().claim(&digest, claimant, now)?;
            let client = self.find_client(record.grant().client(), Requester::default()).await?;
            let client = client.ok_or(Reason::ClientUnregistered)?;
            if !client.allows(&GrantType::DeviceCode) {
                return Err(Reason::GrantTypeNotAllowed.into());
            }
            let request = |grant: &Grant| {
                let (scope, resources, details) = (grant.scope(), grant.resources(), grant.details());
                let client = Arc::clone(&client);
                DeviceRequest(Waiting {
                    server: self.clone(),
                    grant: grant.id(),
                    terms: Terms::new(client, scope.clone(), resources.clone(), details.clone()),
                    code,
                    claimant: *claimant,
                    peer,
                })
            };
            let Some(next) = next else { return Ok(request(record.grant())) };
            let write = Write::replace(record.version(), next, now);
            match self.commit(&write).await {
                Outcome::Committed(_) => {
                    let about = EventSubject::client(client.id()).grant(write.id()).peer(peer);
                    self.audit(EventKind::DeviceClaimed, Endpoint::DeviceVerification, about);
                    return Ok(request(write.next().grant()));
                }
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault.into()),
            }
        }
        Err(Reason::Contended.into())
    }

    fn device_page(&self, refusal: Refusal, about: EventSubject<'_>) -> ErrorPage {
        self.refuse_page(refusal, Endpoint::DeviceVerification, about)
    }
}

/// What a page needs to know about a waiting device.
#[derive(Debug)]
struct Waiting {
    server: AuthorizationServer,
    grant: GrantId,
    terms: Terms,
    code: UserCode,
    claimant: BrowserSession,
    peer: Option<IpAddr>,
}

/// A device that waits for its user, claimed by one browser session. Next, say who is signed in there.
///
/// A signed-out visitor is the normal case: send them to your login page, keep the user code, and enter it
/// again for them afterwards, in the same session.
#[derive(Debug)]
#[must_use]
pub struct DeviceRequest(Waiting);

impl DeviceRequest {
    /// The client that runs on the device.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.0.terms.client()
    }

    /// This user is signed in.
    pub fn signed_in(self, login: Login) -> DeviceConsent {
        DeviceConsent { waiting: self.0, login }
    }
}

/// Only the user's decision is missing. Show a page with the client, the scope and the user code, and ask
/// whether the user's own device shows that code: a user who is tricked into entering an attacker's code
/// gives the attacker's device access to their account (RFC 8628 section 5.4). Never approve without asking.
///
/// It cannot be stored. If the choice comes with a later request, keep the user code, and ask
/// [`device`](AuthorizationServer::device) again.
#[derive(Debug)]
#[must_use]
pub struct DeviceConsent {
    waiting: Waiting,
    login: Login,
}

impl DeviceConsent {
    /// The client that runs on the device. Its name is what its developer claims.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.waiting.terms.client()
    }

    /// What the user is asked to grant.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        self.waiting.terms.scope()
    }

    /// The resources that the device will reach; none is the server's default audience.
    #[must_use]
    pub fn resources(&self) -> &ResourceIndicators {
        self.waiting.terms.resources()
    }

    /// The authorization details that the user is asked to grant (RFC 9396): show them with the scope. Their
    /// texts come from the client.
    #[must_use]
    pub fn details(&self) -> &AuthorizationDetails {
        self.waiting.terms.details()
    }

    /// The code that the device shows, for the user to compare.
    #[must_use]
    pub fn user_code(&self) -> UserCode {
        self.waiting.code
    }

    /// A digest of what the page shows: the client with all its metadata, the scope, the resources, the
    /// details, the user and the user code. Put it into a hidden field of the form. If the answer comes with
    /// another one, what the page showed has changed since: show the page again. Call it before
    /// [`set_details`](Self::set_details).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.waiting.terms.fingerprint((self.login.subject(), self.waiting.code.to_string()))
    }

    /// Sets the details that the user grants, before [`approve`](Self::approve): see
    /// [`Consent::set_details`](super::Consent::set_details).
    ///
    /// # Errors
    /// A detail has a type that was not requested, or is not valid for its type. Nothing changes.
    pub fn set_details(&mut self, details: AuthorizationDetails) -> Result<(), HostError> {
        let Waiting { server, terms, .. } = &mut self.waiting;
        terms.set_details(details, server.rules()).map_err(HostError::Details)
    }

    /// The user granted everything. An empty grant is a denial.
    ///
    /// # Errors
    /// The device no longer waits, or the answer could not be stored.
    pub async fn approve(self) -> Result<(), ErrorPage> {
        match self.waiting.terms.is_nothing(self.waiting.server.rules()) {
            true => self.deny().await,
            false => self.say_yes().await,
        }
    }

    /// The user granted a part; a scope that was not requested is not granted. An empty grant is a denial.
    ///
    /// # Errors
    /// As those of [`approve`](Self::approve).
    pub async fn approve_scope(mut self, part: &Scope) -> Result<(), ErrorPage> {
        self.waiting.terms.narrow_scope(part);
        self.approve().await
    }

    /// The user denied the request.
    ///
    /// # Errors
    /// As those of [`approve`](Self::approve).
    pub async fn deny(self) -> Result<(), ErrorPage> {
        let claimant = self.waiting.claimant;
        self.answer(false, |grant, now| grant.deny(&claimant, now)).await
    }

    async fn say_yes(self) -> Result<(), ErrorPage> {
        let Waiting { server, terms, claimant, .. } = &self.waiting;
        let (login, claimant, policy) = (self.login.clone(), *claimant, server.rules().policy.clone());
        let (scope, details) = (terms.scope().clone(), terms.details().clone());
        let is_of_openid = server.rules().openid.is_some() && scope.contains(OPENID);
        let sub = server.rules().sub_of(login.subject(), terms.client());
        let approve = |grant: Grant, now| {
            let sub = sub.as_ref().map_err(|reason| *reason)?.as_deref().unwrap_or(login.subject().id());
            if !can_be_subject(sub, is_of_openid) {
                return Err(Reason::SubjectUnfit);
            }
            let granted = Some((&scope, &details));
            grant.approve(&claimant, &login, granted, now, &policy)
        };
        self.answer(true, approve).await
    }

    async fn answer(
        self,
        says_yes: bool,
        answered: impl Fn(Grant, DateTime<Utc>) -> Result<Grant, Reason>,
    ) -> Result<(), ErrorPage> {
        let Waiting { server, grant, terms, claimant, peer, .. } = &self.waiting;
        let subject = Some(self.login.subject());
        let about = EventSubject::client(terms.client().id()).grant(*grant).peer(*peer);
        let about = EventSubject { subject, ..about };
        let stands = |grant: &Grant| grant.was_answered(claimant, says_yes);
        match server.write_answer(*grant, says_yes, answered, stands).await {
            Ok(()) => {
                let what = if says_yes { EventKind::DeviceApproved } else { EventKind::DeviceDenied };
                server.audit(what, Endpoint::DeviceVerification, about);
                Ok(())
            }
            Err(refusal) => Err(server.device_page(refusal, about)),
        }
    }
}

impl AuthorizationServer {
    /// Writes the user's answer to the current version of the grant, which the device's polls change. If the
    /// outcome of the write is unknown, reads the grant again: an answered user code no longer resolves, so a
    /// retry of the page could not find out.
    async fn write_answer(
        &self,
        id: GrantId,
        says_yes: bool,
        answered: impl Fn(Grant, DateTime<Utc>) -> Result<Grant, Reason>,
        stands: impl Fn(&Grant) -> bool,
    ) -> Result<(), Refusal> {
        for _ in 0..MAX_CONFLICT_RETRIES {
            let record: Record = self.load(id).await?.ok_or(Reason::UserCodeExpired)?;
            let (version, now) = (record.version(), self.now());
            let next = answered(record.into_grant(), now)?;
            let outcome = match says_yes {
                true => self.commit(&Write::reindex(version, next, now)).await,
                // A denial ends the grant, and no poll of the device may delay that.
                false => match self.end(&Tombstone::denial(next, now)).await {
                    Ok(proof) => Outcome::Committed(proof),
                    Err(fault) => Outcome::Unknown(fault),
                },
            };
            match outcome {
                Outcome::Committed(_) => return Ok(()),
                Outcome::Conflict => {}
                Outcome::Failed(fault) => return Err(fault.into()),
                Outcome::Unknown(fault) => {
                    let record = self.load(id).await?;
                    let stands = record.is_some_and(|record| stands(record.grant()));
                    return if stands { Ok(()) } else { Err(fault.into()) };
                }
            }
        }
        Err(Reason::Contended.into())
    }
}
