//! What a host's own `/authorize` handler is given.

use super::calls::Outcome;
use super::{About, AuthorizationServer};
use crate::audit::{Endpoint, What};
use crate::client::{Client, ResponseType};
use crate::details::AuthorizationDetails;
use crate::error::{Reason, Refusal};
use crate::flow::Redirect;
use crate::flow::authorize::{AwaitClient, AwaitConsent, AwaitLogin, SignedIn};
use crate::grant::Login;
use crate::http::{Request, Response, escape_html};
use crate::scope::Scope;
use crate::target::Targets;

impl AuthorizationServer {
    /// Reads an authorization request (RFC 6749 section 3.1) and proves where its answer goes.
    ///
    /// # Errors
    /// An [`ErrorPage`]: the answer has nowhere to go.
    pub async fn authorize(&self, request: &Request) -> Result<Authorization, ErrorPage> {
        let page = |refusal: Refusal, about: About<'_>| {
            let reason = refusal.reason();
            let _ = self.refuse(refusal, Endpoint::Authorization, about);
            ErrorPage { reason }
        };
        if self.inner.endpoints.path(Endpoint::Authorization).is_none() {
            return Err(page(Reason::NotConfigured.into(), About::default()));
        }
        let flow = match AwaitClient::parse(request) {
            Ok(flow) => flow,
            Err(refusal) => return Err(page(refusal, About::default())),
        };
        let id = flow.client_id().clone();
        let found = self.find_client(&id).await;
        let state = found.and_then(|found| flow.with_client(found, self.rules()));
        match state {
            Ok(state) => Ok(Authorization { server: self.clone(), state: Box::new(state) }),
            Err(refusal) => Err(page(refusal, About::client(&id))),
        }
    }
}

/// An authorization request whose answer has a proven address. Nothing else of it has been judged: say first
/// who is signed in.
///
/// A signed-out visitor is the normal case. Send them to your login page, keep the query string, and come
/// back with it; the request is then checked anew.
#[derive(Debug)]
#[must_use]
pub struct Authorization {
    server: AuthorizationServer,
    state: Box<AwaitLogin>,
}

/// Why a signed-in user is not asked for consent.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Detour {
    /// The request wants a more recent login: show the login page again.
    LoginAgain(Authorization),
    /// The request is refused; send this to the browser, which takes it to the client.
    Answer(Response),
}

impl Authorization {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.state.client()
    }

    /// Nobody is signed in. Most requests come back, for you to show a login page; one with `prompt=none` is
    /// answered with `login_required`.
    ///
    /// # Errors
    /// The request itself, which lets the user sign in.
    pub fn signed_out(self) -> Result<Response, Self> {
        let Self { server, state } = self;
        match state.without_login() {
            Ok(redirect) => Ok(server.refused(redirect, None)),
            Err(state) => Err(Self { server, state }),
        }
    }

    /// This user is signed in. Judges the request.
    ///
    /// # Errors
    /// A [`Detour`]: the login is too old, or the request is refused.
    pub fn signed_in(self, login: Login) -> Result<Consent, Detour> {
        let Self { server, state } = self;
        let client = state.client().id().clone();
        match state.with_login(login, server.now(), server.rules()) {
            SignedIn::Ask(state) => Ok(Consent { server, state }),
            SignedIn::Stale(state) => Err(Detour::LoginAgain(Self { server, state })),
            SignedIn::Refused(redirect) => Err(Detour::Answer(server.refused(redirect, Some(&client)))),
        }
    }
}

/// Everything is checked but the human: show a page, and answer with what the user chose.
///
/// It cannot be stored. If the choice comes with a later request, keep the query string, check it again, and
/// answer the new `Consent`.
#[derive(Debug)]
#[must_use]
pub struct Consent {
    server: AuthorizationServer,
    state: Box<AwaitConsent>,
}

impl Consent {
    /// The client that asks. Its name is what its developer claims.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.state.client()
    }

    /// Where the answer goes.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        self.state.redirect_uri().as_str()
    }

    /// The host that the answer goes to, which is the part that a user can judge.
    #[must_use]
    pub fn redirect_host(&self) -> &str {
        self.state.redirect_uri().host()
    }

    /// Whether the answer goes to a program on the user's own device, which others there can imitate: never
    /// approve such a request without asking (RFC 8252 section 8.6).
    #[must_use]
    pub fn redirect_is_local(&self) -> bool {
        self.state.redirect_uri().is_local()
    }

    /// What the user is asked to grant.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        self.state.scope()
    }

    /// The resources that the client will reach; none is the server's default audience.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        self.state.targets()
    }

    /// What the user is asked to grant that a scope cannot say (RFC 9396): show it beside the scope. Its texts are the
    /// client's own.
    #[must_use]
    pub fn details(&self) -> &AuthorizationDetails {
        self.state.details()
    }

    /// Takes what the user makes of the details before [`approve`](Self::approve): fewer, narrower, or enriched by a choice
    /// such as an account (RFC 9396 section 7.1). The host is trusted with what it adds.
    ///
    /// # Errors
    /// A detail is of a type that was not asked for, or not of its type's form. Nothing changes.
    pub fn set_details(&mut self, details: AuthorizationDetails) -> Result<(), Reason> {
        self.state.set_details(details, self.server.rules())
    }

    /// Whether no page may be shown (`prompt=none`): [`approve`](Self::approve) what the user approved before, or
    /// answer [`cannot_ask`](Self::cannot_ask).
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.state.is_silent()
    }

    /// The user said yes to all of it.
    pub async fn approve(self) -> Response {
        self.answer(None).await
    }

    /// The user said yes to a part of it; what was not asked for is not granted. Yes to nothing is no.
    pub async fn approve_scope(self, part: &Scope) -> Response {
        let asked = self.state.scope();
        let grants_nothing = asked.intersection(part).is_empty() && self.state.details().is_empty();
        match !asked.is_empty() && grants_nothing {
            true => self.deny(),
            false => self.answer(Some(part)).await,
        }
    }

    /// The user said no.
    pub fn deny(self) -> Response {
        let client = self.state.client().id().clone();
        self.server.refused(self.state.deny(), Some(&client))
    }

    /// The user would have to be asked, and the request forbids that (`consent_required`).
    pub fn cannot_ask(self) -> Response {
        let client = self.state.client().id().clone();
        self.server.refused(self.state.cannot_ask(), Some(&client))
    }

    async fn answer(self, part: Option<&Scope>) -> Response {
        let Self { server, state } = self;
        let what = match state.response_type() {
            ResponseType::Code => What::CodeIssued,
            ResponseType::Token => What::TokensIssued,
        };
        let is_self_registered = state.client().is_self_registered();
        let (write, sealed) = state.approve(part, server.mint(), server.now(), server.rules());
        let grant = write.next().grant();
        let about =
            About { client: Some(grant.client()), grant: Some(grant.id()), subject: Some(grant.subject()) };
        let reason = match server.commit(&write).await {
            Outcome::Committed(proof) => {
                server.audit(what, Endpoint::Authorization, about);
                let confirmed = server.confirm_client(is_self_registered, grant).await;
                let opened = sealed.open(proof, &server.rules().policy.prefixes);
                let redirect = match confirmed {
                    Ok(()) => server.finish_redirect(opened).await,
                    Err(refusal) => Err(refusal),
                };
                match redirect {
                    Ok(redirect) => return redirect.into_response(),
                    Err(refusal) => refusal.reason(),
                }
            }
            Outcome::Conflict => Reason::Contended,
            Outcome::Failed(fault) | Outcome::Unknown(fault) => fault.reason(),
        };
        let _ = server.refuse(reason.into(), Endpoint::Authorization, about);
        ErrorPage { reason }.into_response()
    }
}

impl AuthorizationServer {
    fn refused(&self, redirect: Redirect, client: Option<&crate::client::ClientId>) -> Response {
        if let Some(reason) = redirect.reason() {
            let about = About { client, ..About::default() };
            self.audit(What::Refused(reason), Endpoint::Authorization, about);
        }
        redirect.into_response()
    }
}

/// An authorization request that cannot be answered to its client, for nobody knows that the address is the client's; or
/// a user code that leads to no device. Show it to the user; never redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct ErrorPage {
    pub(super) reason: Reason,
}

impl ErrorPage {
    /// Why; for the host's log.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The error code, such as `invalid_request`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reason.code().as_str()
    }

    /// A sentence for the client's developer.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.reason.description()
    }

    /// The HTTP status: 400, or what tells of too many tries or the server's own failure.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.reason.status() {
            status @ (413 | 429 | 500 | 503) => status,
            _ => 400,
        }
    }

    /// A plain page, for hosts without one of their own.
    pub fn into_response(self) -> Response {
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Request refused</title>\
             <h1>This request cannot be answered</h1><p><code id=\"oauth-error\">{}</code></p><p>{}</p></html>",
            escape_html(self.code()),
            escape_html(self.description()),
        );
        const CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        let page = Response::page(self.status(), CSP, html);
        match self.status() {
            429 => page.with("retry-after", "60"),
            503 => page.with("retry-after", "1"),
            _ => page,
        }
    }
}
