//! The authorization request (RFC 6749 section 3.1).
//!
//! ```text
//! Request ─▶ AwaitClient ─▶ AwaitLogin ─▶ AwaitConsent ─▶ approve | deny ─▶ Redirect
//!                  │           ▲  │    ▲
//!                  ▼           │  ▼    │ the same request, later
//!             AwaitPushed ─────┤  AwaitSignIn ─▶ cannot ─▶ Redirect
//!             AwaitRequestObject
//! ```
//!
//! Until the redirect URI has matched a registration, a failure is a page. Nothing else is checked before a
//! user is signed in, so this server is not an open redirector (RFC 9700 section 4.11.2).

mod consent;
mod openid;
mod parameters;
mod remembered;
mod request_object;
mod requested;
mod sign_in;
mod source;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use consent::AwaitConsent;
pub(in crate::flow) use parameters::DPOP_JKT;
pub(crate) use remembered::Remembered;
pub use request_object::AwaitRequestObject;
pub(in crate::flow) use request_object::REQUEST;
pub use requested::{AuthenticationRequest, MAX_HINT, MAX_HINTS, Prompt};
pub use sign_in::{AwaitSignIn, LoginReason};
pub use source::{AwaitPushed, AwaitVisit, Resolved, Visited};
pub(in crate::flow) use source::{REQUEST_URI, pushed};

use super::ResponseMode;
use super::consent::Terms;
use super::logout::HintClaims;
use super::redirect::{ErrorAnswer, Return};
use crate::base::pkce::CodeChallenge;
use crate::base::{AccessRights, Confirmation};
use crate::client::{Client, ClientId, GrantType, ResponseType};
use crate::error::{AssertionFlaw, Reason, Refusal};
use crate::grant::{Login, Subject};
use crate::http::form::Form;
use crate::http::{Method, Request};
use crate::issuance::{self as gate, AccountStatus, Facts, Gate, Issuance, Rules};
use crate::openid::{OPENID, can_be_subject};
use crate::store::Record;
use parameters::AuthorizationParameters;
use source::{SignedRequest, Source};

/// A parsed request. The redirect URI is unverified, so every failure here is shown on a page and never
/// redirected.
#[derive(Debug)]
pub struct AwaitClient {
    client: ClientId,
    source: Source,
}

impl AwaitClient {
    /// Reads an authorization request from a query (`GET`) or a form (`POST`).
    ///
    /// # Errors
    /// The request cannot be read, or its client or redirect URI is missing or repeated.
    pub fn parse(request: &Request, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let Facts { .. } = facts; // No fact affects how a form is read.
        let parameters = match request.method {
            Method::Post => request.posted_form()?,
            Method::Get
            | Method::Head
            | Method::Put
            | Method::Delete
            | Method::Options
            | Method::Other(_) => request.query.as_deref().unwrap_or_default().as_bytes(),
        };
        let form = Form::parse(parameters)?;
        let client = form.one("client_id")?.ok_or(Reason::ParameterMissing)?;
        Ok(Self { client: ClientId::new(client), source: Source::parse(&form)? })
    }

    /// The client that has to be looked up.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client
    }

    /// Takes the client. If the request itself has the parameters, its redirect URI is verified against the
    /// client's registration.
    ///
    /// # Errors
    /// An error page: there is no client, or no redirect URI that the response may go to.
    pub fn with_client(self, found: Option<Arc<Client>>, facts: &Facts<'_>) -> Result<Resolved, Refusal> {
        let client = found.ok_or(Reason::ClientUnregistered)?;
        match self.source {
            Source::Direct(request) => Ok(Resolved::Direct(request.prove(client, None, facts)?)),
            Source::Signed(_, claimed) if facts.rules.request_objects.is_none() => {
                Ok(Resolved::Direct(claimed?.prove(client, None, facts)?))
            }
            Source::Signed(_, Ok(claimed)) if claimed.names_request_uri() => {
                Err(Reason::RequestSourcesMixed.into())
            }
            Source::Signed(object, _) => Ok(Resolved::Signed(AwaitRequestObject::new(client, object, facts))),
            Source::Pushed(uri) => Ok(Resolved::Pushed(AwaitPushed::parse(client, &uri, facts.rules)?)),
        }
    }
}

/// Whether an error may be redirected to the client at once. The host chose its own clients. A client that
/// registered itself or has a metadata document chose its own redirect URI, and could provoke an error to
/// lead users there (RFC 9700 section 4.11.2). In a hidden frame of OpenID Connect (`prompt=none`) no page
/// can be shown, so there errors are redirected.
fn redirects_errors(client: &Client, asked: &AuthorizationParameters, rules: &Rules) -> bool {
    let is_hidden =
        asked.requested.has_prompt(Prompt::None) && rules.scope.contains(OPENID) && asked.names_scope(OPENID);
    !client.is_stranger() || is_hidden
}

/// The redirect URI is verified. Waits for the host to say who is signed in.
#[derive(Debug)]
pub struct AwaitLogin {
    client: Arc<Client>,
    to: Return,
    /// Whether the request names the redirect URI; then the token request must, too.
    named: bool,
    redirects_errors: bool,
    asked: Box<AuthorizationParameters>,
    /// The record of the request, if it was pushed; the answer replaces it.
    pushed: Option<Record>,
    /// The data of the request object, if the request was signed.
    signed: Option<Box<SignedRequest>>,
    /// When this request was first seen.
    since: DateTime<Utc>,
    account_chosen: bool,
    /// The claims of the `id_token_hint`, or why the hint is refused.
    hint: Result<Option<Box<HintClaims>>, Reason>,
}

/// The next step for a signed-in user.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum SignedIn {
    /// Everything is checked except the user's consent.
    Consent(Box<AwaitConsent>),
    /// The login is not enough: the user has to sign in again, or in another way.
    Reauthenticate(Box<AwaitSignIn>),
    /// The request is refused; the error goes to the client.
    Refused(Box<ErrorAnswer>),
}

/// The next step for a visitor who is not signed in.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum LoginRequired {
    /// The login page.
    ShowLogin(Box<AwaitSignIn>),
    /// The request forbids every page; the error goes to the client.
    Refused(Box<ErrorAnswer>),
}

impl AwaitLogin {
    /// The requesting client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the request says about how the user signs in.
    #[must_use]
    pub fn requested(&self) -> &AuthenticationRequest {
        &self.asked.requested
    }

    /// When this request was first seen; by default now.
    #[must_use]
    pub fn since(&self) -> DateTime<Utc> {
        self.since
    }

    /// The request was first seen at this time; a later time is ignored.
    pub fn seen(&mut self, since: DateTime<Utc>) {
        self.since = self.since.min(since);
    }

    /// The user chose the signed-in account for this request.
    pub fn account_chosen(&mut self) {
        self.account_chosen = true;
    }

    /// No user is signed in. The next step is the login page, or an error if the request forbids every page
    /// (`prompt=none`).
    pub fn without_login(self) -> LoginRequired {
        let because = match self.asked.requested.has_prompt(Prompt::Create) {
            true => LoginReason::SignUp,
            false => LoginReason::NoUser,
        };
        self.without(because, Reason::LoginRequired)
    }

    /// Several users are signed in, and none of them was chosen. The next step is a page to choose one, or an
    /// error.
    pub fn without_choice(self) -> LoginRequired {
        self.without(LoginReason::SelectAccount, Reason::AccountSelectionRequired)
    }

    fn without(self, because: LoginReason, if_silent: Reason) -> LoginRequired {
        if self.asked.requested.has_prompt(Prompt::None) {
            let reason = self.asked.authentication.err().unwrap_or(if_silent);
            return LoginRequired::Refused(Box::new(self.refuse(reason, None)));
        }
        LoginRequired::ShowLogin(Box::new(AwaitSignIn { request: self, because, subject: None }))
    }

    /// Takes the signed-in user, and checks the request.
    pub fn with_login(self, login: Login, facts: &Facts<'_>) -> SignedIn {
        let Facts { now, rules, .. } = *facts;
        let checked = match self.may_come(rules).and_then(|()| self.check(login.subject(), rules)) {
            Ok(checked) => checked,
            Err(reason) => return SignedIn::Refused(Box::new(self.refuse(reason, Some(login.subject)))),
        };
        let sub = checked.issuance.sub.as_deref().unwrap_or(login.subject().id());
        if !can_be_subject(sub, checked.issuance.openid.is_some()) {
            return SignedIn::Refused(Box::new(self.refuse(Reason::SubjectUnfit, Some(login.subject))));
        }
        let because = self.because(&login, &checked.issuance, now, rules);
        if because == Some(LoginReason::OtherUser) && login.authentication().auth_time >= self.since {
            // The user was sent to sign in as another user, and came back as the same one.
            return SignedIn::Refused(Box::new(self.refuse(Reason::LoginRequired, Some(login.subject))));
        }
        match because {
            None => SignedIn::Consent(Box::new(self.asks(checked, login, now, rules))),
            Some(because) if self.asked.requested.has_prompt(Prompt::None) => {
                SignedIn::Refused(Box::new(self.refuse(because.reason(), Some(login.subject))))
            }
            Some(because) => {
                let subject = Some(login.subject);
                let waiting = AwaitSignIn { request: self, because, subject };
                SignedIn::Reauthenticate(Box::new(waiting))
            }
        }
    }

    fn refuse(self, reason: Reason, subject: Option<Subject>) -> ErrorAnswer {
        let Self { client, to, redirects_errors, .. } = self;
        to.refuse(reason, redirects_errors, client.id(), subject)
    }

    /// Whether the client may send a request in this way: pushed, signed or plain.
    fn may_come(&self, rules: &Rules) -> Result<(), Reason> {
        let must_be_pushed = rules.requires_push(&self.client);
        // A pushed request was checked when it was pushed.
        match (&self.pushed, &self.signed) {
            (Some(_), _) => Ok(()),
            (None, _) if must_be_pushed => Err(Reason::RequestNotPushed),
            (None, None) if rules.requires_signed_requests(&self.client) => Err(Reason::RequestNotSigned),
            (None, Some(signed)) if signed.expires.is_some_and(|end| end <= self.since) => {
                Err(Reason::RequestObject(AssertionFlaw::Expired))
            }
            (None, _) => Ok(()),
        }
    }

    /// Every check, in the order of RFC 6749 section 4.1.1, RFC 7636 section 4.4.1 and OpenID Connect Core
    /// section 3.1.2.1.
    #[rustfmt::skip]
    fn check(&self, subject: &Subject, rules: &Rules) -> Result<CheckedRequest, Reason> {
        let Self { client, asked, .. } = self;
        asked.repeats?;
        if asked.request     { return Err(Reason::RequestObjectUnsupported) }
        if asked.request_uri { return Err(Reason::RequestUriUnsupported) }
        if asked.registration && asked.is_of_openid(rules) { return Err(Reason::RegistrationParameter) }
        let response_type = asked.response_type.ok_or(Reason::ResponseTypeMissing)??;
        may_answer(response_type, client, rules)?;
        let mode          = asked.mode_for(response_type, client, rules)?;
        let challenge     = asked.challenge_for(response_type, client)?;
        let scope         = asked.scope.clone().transpose()?;
        let resources     = asked.resources.clone()?;
        let details       = asked.details.clone()?;
        asked.authentication?;
        asked.check_prompts(rules)?;
        self.hint.as_ref().map_err(|reason| *reason)?;
        let confirmation = asked.code_key(response_type, rules)?.map(Confirmation::Jkt);
        let access        = &gate::RequestedAccess { scope, resources, details, confirmation };
        let gate          = |grant_type| Gate { client, grant_type, asked: access, account_status: AccountStatus::Active, rules };
        let begins        = if response_type.has_code() { GrantType::AuthorizationCode } else { GrantType::Implicit };
        let has_access    = response_type.has_code() || response_type.has_token();
        let issuance      = if has_access { gate(begins).pass_new(subject)? } else { gate(begins).pass_identity(subject)? };
        let openid        = asked.openid(response_type, &issuance.rights.scope, client, rules)?;
        self.check_users(openid.as_deref())?;
        let is_beside     = response_type.has_code() && response_type.has_token();
        let beside        = is_beside.then(|| gate(GrantType::Implicit).pass(issuance.granted())).transpose()?.map(Box::new);
        Ok(CheckedRequest { response_type, mode, challenge, issuance: issuance.with_openid(openid), beside })
    }

    fn asks(self, checked: CheckedRequest, login: Login, now: DateTime<Utc>, rules: &Rules) -> AwaitConsent {
        let CheckedRequest { response_type, mode, challenge, mut issuance, beside } = checked;
        let Login { authentication, amr, session, .. } = login;
        let client = Arc::clone(&issuance.client);
        if let Some(openid) = issuance.openid_mut() {
            openid.amr = amr;
            let sessions = rules.openid.as_ref().and_then(|openid| openid.sessions.as_ref());
            openid.session = sessions.zip(session).map(|(own, id)| own.begin(id, &client, now));
        }
        let AccessRights { scope, details, resources, .. } = &issuance.rights;
        AwaitConsent {
            to: Return { mode, ..self.to },
            named: self.named,
            redirects_errors: self.redirects_errors,
            pushed: self.pushed,
            signed: self.signed,
            requested: self.asked.requested,
            response_type,
            challenge,
            authentication,
            terms: Terms::new(client, scope.clone(), resources.clone(), details.clone()),
            issuance,
            beside,
        }
    }
}

struct CheckedRequest {
    response_type: ResponseType,
    mode: ResponseMode,
    challenge: Option<CodeChallenge>,
    issuance: Issuance,
    /// The issuance of the access token beside the code.
    beside: Option<Box<Issuance>>,
}

fn may_answer(asked: ResponseType, client: &Client, rules: &Rules) -> Result<(), Reason> {
    let can_be_had = rules.profile.answers(asked) && (!asked.has_id_token() || rules.openid.is_some());
    match (can_be_had, client.response_types().contains(&asked)) {
        (true, true) => Ok(()),
        (true, false) => Err(Reason::ResponseTypeNotAllowed),
        (false, _) => Err(Reason::ResponseTypeUnsupported),
    }
}
