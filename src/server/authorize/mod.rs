//! What a host's own `/authorize` handler is given.

mod answer;
mod approval;
mod pushed;
mod remembered_consent;
mod request_objects;
mod undelivered;

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::{AuthorizationServer, ErrorPage, EventSubject, HostError};
use crate::audit::Endpoint;
use crate::base::{AuthorizationDetails, ResourceIndicators, Scope};
use crate::client::{Client, ResponseType};
use crate::documents::Requester;
use crate::error::{Reason, Refusal};
use crate::flow::authorize::{
    self, AuthenticationRequest, AwaitClient, AwaitConsent, AwaitLogin, AwaitSignIn, Resolved,
};
use crate::flow::authorize::{LoginReason, Prompt, Remembered};
use crate::grant::Login;
use crate::http::{Request, Response};
pub use remembered_consent::Unasked;
pub(super) use undelivered::UndeliveredAnswers;

impl AuthorizationServer {
    /// Reads an authorization request (RFC 6749 section 3.1) and verifies where its response goes.
    ///
    /// # Errors
    /// An [`ErrorPage`]: there is no verified redirect URI to respond to.
    pub async fn authorize(&self, request: &Request) -> Result<Authorization, ErrorPage> {
        let page = |refusal: Refusal, about: EventSubject<'_>| {
            self.refuse_page(refusal, Endpoint::Authorization, about.peer(request.peer))
        };
        if self.inner.endpoints.path(Endpoint::Authorization).is_none() {
            return Err(page(Reason::NotConfigured.into(), EventSubject::default()));
        }
        let facts = self.precise_facts();
        let flow = match AwaitClient::parse(request, &facts) {
            Ok(flow) => flow,
            Err(refusal) => return Err(page(refusal, EventSubject::default())),
        };
        let id = flow.client_id().clone();
        let found = self.find_client(&id, Requester::beginning(request.peer)).await;
        let resolved = found.and_then(|found| flow.with_client(found, &facts));
        let state = match resolved {
            Ok(Resolved::Direct(state)) => Ok(state),
            Ok(Resolved::Pushed(flow)) => Box::pin(self.visit(&flow)).await,
            Ok(Resolved::Signed(flow)) => Box::pin(self.open_request_object(flow)).await,
            Err(refusal) => Err(refusal),
        };
        let state = match state {
            Ok(state) if state.hint(self.rules()).is_some() => Box::pin(self.with_hint(state)).await,
            state => state,
        };
        match state {
            Ok(state) => Ok(Authorization { server: self.clone(), state, peer: request.peer }),
            Err(refusal) => Err(page(refusal, EventSubject::client(&id))),
        }
    }
}

/// An authorization request with a verified redirect URI. Nothing else has been checked: first say who is
/// signed in.
///
/// A signed-out visitor is the normal case. Send them to your login page, keep the query string, and come
/// back with it; the request is then checked again. Keep [`since`](Self::since) with the query string in your
/// own session, and give it back by [`seen`](Self::seen): a login is fresh if it is not older. Without it, a
/// request with `prompt=login` or `max_age=0` asks for a login at every visit.
#[derive(Debug)]
#[must_use]
pub struct Authorization {
    server: AuthorizationServer,
    state: AwaitLogin,
    peer: Option<IpAddr>,
}

/// The next step for a signed-in user.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum SignedIn {
    /// The request is in order: ask the user, or approve what they granted before.
    Consent(Consent),
    /// The user has to sign in again, or in another way: show the login page.
    Reauthenticate(ShowLogin),
    /// The request is refused; send this to the browser.
    Answered(Response),
}

/// The next step for a visitor who is not signed in.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum LoginRequired {
    /// Show the login page: the normal case.
    ShowLogin(ShowLogin),
    /// The request forbids every page (`prompt=none`); send this to the browser.
    Answered(Response),
}

impl Authorization {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.state.client()
    }

    /// What the request says about how the user signs in, and about your pages. All of it is untrusted.
    #[must_use]
    pub fn requested(&self) -> &AuthenticationRequest {
        self.state.requested()
    }

    /// Whether no page may be shown (`prompt=none`).
    #[must_use]
    pub fn prompt_none(&self) -> bool {
        self.requested().has_prompt(Prompt::None)
    }

    /// When this request was first seen: now, or the time given to [`seen`](Self::seen). Keep it in your own
    /// session with the query string, until the request is answered.
    #[must_use]
    pub fn since(&self) -> DateTime<Utc> {
        self.state.since()
    }

    /// This request was first seen at this time, which your own session remembers. A login is fresh if it is
    /// not older than that.
    ///
    /// Store it and `auth_time` with fractional seconds: a login that is rounded down can count as older than
    /// the request, and the user then signs in once more.
    ///
    /// It is trusted: a time that is too early lets an old login pass for a fresh one. Never take it from the
    /// request. If you lost it, leave this out; the user then signs in once more.
    pub fn seen(mut self, since: DateTime<Utc>) -> Self {
        self.state.seen(since);
        self
    }

    /// The user has chosen the account on your page, for this request. This satisfies
    /// `prompt=select_account`, as does a fresh login.
    pub fn account_chosen(mut self) -> Self {
        self.state.account_chosen();
        self
    }

    /// No user is signed in. Most requests let you show a login page; one with `prompt=none` is answered with
    /// `login_required`.
    pub async fn login_required(self) -> LoginRequired {
        self.without_user(AwaitLogin::without_login).await
    }

    /// Several users are signed in at once, and none of them was chosen for this request. Most requests let
    /// you show a page to choose one, or to sign in as another; one with `prompt=none` is answered with
    /// `account_selection_required`.
    pub async fn account_selection_required(self) -> LoginRequired {
        self.without_user(AwaitLogin::without_choice).await
    }

    async fn without_user(self, state_of: fn(AwaitLogin) -> authorize::LoginRequired) -> LoginRequired {
        let Self { server, state, peer } = self;
        let client = state.client().id().clone();
        match state_of(state) {
            authorize::LoginRequired::ShowLogin(state) => {
                LoginRequired::ShowLogin(ShowLogin { server, state, peer })
            }
            authorize::LoginRequired::Refused(error) => {
                LoginRequired::Answered(Box::pin(server.answer_error(*error, &client, peer)).await)
            }
        }
    }

    /// This user is signed in. Checks the request.
    pub async fn signed_in(self, login: Login) -> SignedIn {
        let Self { server, state, peer } = self;
        let client = state.client().id().clone();
        match state.with_login(login, &server.precise_facts()) {
            authorize::SignedIn::Consent(state) => {
                SignedIn::Consent(Consent { server, state, remembered: Remembered::No, peer })
            }
            authorize::SignedIn::Reauthenticate(state) => {
                SignedIn::Reauthenticate(ShowLogin { server, state, peer })
            }
            authorize::SignedIn::Refused(error) => {
                SignedIn::Answered(Box::pin(server.answer_error(*error, &client, peer)).await)
            }
        }
    }
}

impl SignedIn {
    /// The consent, if the request is in order and the login is enough.
    pub fn consent(self) -> Option<Consent> {
        match self {
            Self::Consent(consent) => Some(consent),
            Self::Reauthenticate(_) | Self::Answered(_) => None,
        }
    }
}

/// The user has to sign in, or sign in again. Show your login page and come back with the same query string,
/// or give up with [`cannot`](Self::cannot).
#[derive(Debug)]
#[must_use]
pub struct ShowLogin {
    server: AuthorizationServer,
    state: Box<AwaitSignIn>,
    peer: Option<IpAddr>,
}

impl ShowLogin {
    /// The client that asks. Its name is what its developer claims.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.state.client()
    }

    /// Why.
    #[must_use]
    pub fn because(&self) -> LoginReason {
        self.state.because()
    }

    /// What the request says about the login: the requested classes, a hint who the user is, the language of
    /// the page. All of it is untrusted.
    #[must_use]
    pub fn requested(&self) -> &AuthenticationRequest {
        self.state.requested()
    }

    /// The requested authentication context classes in order of preference
    /// ([`AuthenticationRequest::acr_values`]). All of them are untrusted.
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        self.state.acr_values()
    }

    /// When this request was first seen, see [`Authorization::since`].
    #[must_use]
    pub fn since(&self) -> DateTime<Utc> {
        self.state.since()
    }

    /// You cannot do what [`because`](Self::because) asks for. The client gets an error: `login_required`,
    /// `unmet_authentication_requirements` (RFC 9470 section 5), `account_selection_required` or
    /// `interaction_required`.
    pub async fn cannot(self) -> Response {
        let client = self.client().id().clone();
        self.server.answer_error(self.state.cannot(), &client, self.peer).await
    }
}

/// Everything is checked except the user's consent: show a page, and answer with what the user chose.
///
/// It cannot be stored. If the choice comes with a later request, keep the query string and the
/// [`fingerprint`](Self::fingerprint), check the query again, and answer the new `Consent` if it has the same
/// fingerprint.
#[derive(Debug)]
#[must_use]
pub struct Consent {
    pub(super) server: AuthorizationServer,
    pub(super) state: Box<AwaitConsent>,
    /// The earlier consent that the host has on record.
    pub(super) remembered: Remembered,
    /// Where the request came from.
    pub(super) peer: Option<IpAddr>,
}

impl Consent {
    /// The client that asks. Its name is what its developer claims.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.state.client()
    }

    /// Where the response goes.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        self.state.redirect_uri().as_str()
    }

    /// The host that the response goes to, or the scheme if it is a private-use one: the part that a user can
    /// judge.
    #[must_use]
    pub fn redirect_host(&self) -> &str {
        self.state.redirect_uri().host()
    }

    /// Whether the response goes to a program on the user's own device, which other programs there can
    /// impersonate: never approve such a request without asking (RFC 8252 section 8.6).
    #[must_use]
    pub fn redirect_is_local(&self) -> bool {
        self.state.redirect_uri().is_local()
    }

    /// What the client gets. Without a code, no grant remains in which
    /// [`approve_remembered`](Self::approve_remembered) could find this consent later.
    #[must_use]
    pub fn response_type(&self) -> ResponseType {
        self.state.response_type()
    }

    /// What the user is asked to grant.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        self.state.scope()
    }

    /// The resources that the client can reach; none is the server's default audience. Under
    /// [`Profile::Mcp`](crate::Profile::Mcp), a request that names none gets all that a later token request
    /// may name.
    #[must_use]
    pub fn resources(&self) -> &ResourceIndicators {
        self.state.resources()
    }

    /// The authorization details that the user is asked to grant (RFC 9396): show them with the scope. Their
    /// texts come from the client.
    #[must_use]
    pub fn details(&self) -> &AuthorizationDetails {
        self.state.details()
    }

    /// What the request says about your pages, such as their language. All of it is untrusted.
    #[must_use]
    pub fn requested(&self) -> &AuthenticationRequest {
        self.state.requested()
    }

    /// The individual claims that the client asks for beyond those of its scopes (the parameter `claims` of
    /// OpenID Connect): show their names with the scope. The names come from the client. A consent that you
    /// remember without them does not cover them.
    #[must_use]
    pub fn claims(&self) -> Vec<&str> {
        self.state.claims()
    }

    /// Keeps only the individual claims that the user grants; claims that were not requested are not granted.
    pub fn narrow_claims(&mut self, keep: &[&str]) {
        self.state.narrow_claims(keep);
    }

    /// Sets the details that the user grants, before [`approve`](Self::approve): fewer, narrower, or enriched
    /// by a choice such as an account (RFC 9396 section 7.1). What the host adds is trusted.
    ///
    /// # Errors
    /// A detail has a type that was not requested, or is not valid for its type. Nothing changes.
    pub fn set_details(&mut self, details: AuthorizationDetails) -> Result<(), HostError> {
        self.state.set_details(details, &self.server.facts()).map_err(HostError::Details)
    }

    /// A digest of what the user is shown and asked to grant, as 43 characters of base64url: the client with
    /// all its metadata, the user, where the response goes, the response type, the scope, the resources, the
    /// details and the individual claims.
    ///
    /// A client can change its registration (RFC 7592) while your page is open, and the user approves only
    /// what the page presented (OpenID Connect Core section 3.1.2.4). So put the fingerprint into a hidden
    /// field of the page, compare it when the user says yes, and show the page again if it differs or is
    /// missing. Take it before you narrow anything.
    ///
    /// It is no secret. A hidden field is as trustworthy as the form: protect that against CSRF. One
    /// fingerprint for each request in your session is not enough: the same request in a second window would
    /// replace it. Do not keep it for longer than a page: another version of this crate may compute another
    /// one, and the user then sees the page once more.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.state.fingerprint()
    }

    /// Whether no page may be shown (`prompt=none`): [`approve`](Self::approve) what the user approved
    /// before, or answer with [`consent_required`](Self::consent_required).
    #[must_use]
    pub fn prompt_none(&self) -> bool {
        self.state.prompt_none()
    }

    /// Whether the user has to be asked even if they granted all of this before: because the client says so
    /// (`prompt=consent`), because any program on the user's device could have sent the request (RFC 8252
    /// section 8.6), or because it has authorization details, which need consent each time.
    /// [`approve_remembered`](Self::approve_remembered) and
    /// [`approve_first_party`](Self::approve_first_party) take this into account. With
    /// [`prompt_none`](Self::prompt_none), answer with [`consent_required`](Self::consent_required).
    #[must_use]
    pub fn must_ask(&self) -> bool {
        self.state.must_ask()
    }

    /// The user granted everything. An empty grant is a denial.
    pub async fn approve(self) -> Response {
        match self.state.is_nothing(self.server.rules()) {
            true => Box::pin(self.deny()).await,
            false => self.say_yes().await,
        }
    }

    /// The user granted a part of the scope; a scope that was not requested is not granted. An empty grant is
    /// a denial.
    pub async fn approve_scope(mut self, part: &Scope) -> Response {
        self.state.narrow_scope(part);
        self.approve().await
    }

    /// The user denied the request. A pushed request is then used up, unless the store fails at that moment.
    pub async fn deny(self) -> Response {
        let client = self.client().id().clone();
        if let Some(write) = self.state.use_up(self.server.now()) {
            // The client gets the denial in any case: it is the user's answer.
            let _ = Box::pin(self.server.commit(&write)).await;
        }
        self.server.answer_error(self.state.deny(), &client, self.peer).await
    }

    /// The user would have to be asked, and the request forbids that (`consent_required`).
    pub async fn consent_required(self) -> Response {
        let client = self.client().id().clone();
        self.server.answer_error(self.state.consent_required(), &client, self.peer).await
    }

    /// The user would have to see another page of yours, and the request forbids that
    /// (`interaction_required`).
    pub async fn interaction_required(self) -> Response {
        let client = self.client().id().clone();
        self.server.answer_error(self.state.interaction_required(), &client, self.peer).await
    }
}

impl AuthorizationServer {
    /// The page for a request that gets no response at its client's redirect URI.
    pub(super) fn error_page(&self, refusal: Refusal, about: EventSubject<'_>) -> Response {
        self.refuse_page(refusal, Endpoint::Authorization, about).into_response()
    }

    /// Verifies an `id_token_hint`.
    async fn with_hint(&self, state: AwaitLogin) -> Result<AwaitLogin, Refusal> {
        let claims = self.hint(state.hint(self.rules())).await?;
        Ok(state.with_hint(claims))
    }
}
