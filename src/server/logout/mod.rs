//! Ends sessions: at the request of a client (OpenID Connect RP-Initiated Logout 1.0), or when the host
//! calls.

mod back_channel;
mod end;
mod settings;

use std::net::IpAddr;

use crate::audit::Endpoint;
use crate::base::origin;
use crate::client::Client;
use crate::documents::Requester;
use crate::error::{Reason, Refusal};
use crate::flow::logout::{self, AwaitHint, AwaitSession, HintClaims, LogoutDecision, Question};
use crate::grant::{Login, SessionId};
use crate::http::{Request, Response, escape_html};

use super::signed::SIGNER;
use super::{AuthorizationServer, ErrorPage, EventSubject, is_own_failure};
pub(super) use back_channel::Lanes;
pub use end::EndedSession;
pub(super) use settings::SessionChannels;
pub use settings::Sessions;

impl AuthorizationServer {
    /// Reads a logout request (RP-Initiated Logout section 2), by `GET` or by `POST`. Then say who is signed
    /// in.
    ///
    /// # Errors
    /// An [`ErrorPage`]: the hint is not from this server, the address is not one that its client registered,
    /// or the client could not be looked up. Nothing has ended.
    pub async fn logout(&self, request: &Request) -> Result<Logout, ErrorPage> {
        let page = |refusal: Refusal, about: EventSubject<'_>| {
            self.refuse_page(refusal, Endpoint::EndSession, about.peer(request.peer))
        };
        if self.sessions().is_none() || self.inner.endpoints.path(Endpoint::EndSession).is_none() {
            return Err(page(Reason::NotConfigured.into(), EventSubject::default()));
        }
        let flow = match AwaitHint::parse(request) {
            Ok(flow) => flow,
            Err(refusal) => return Err(page(refusal, EventSubject::default())),
        };
        let hint = match self.hint(flow.hint()).await {
            Ok(hint) => hint,
            Err(refusal) => return Err(page(refusal, EventSubject::default())),
        };
        let flow = flow.with_hint(hint).map_err(|reason| page(reason.into(), EventSubject::default()))?;
        let Some(id) = flow.client_id().cloned() else {
            let state = flow.with_client(None, self.rules());
            let state = state.map_err(|reason| page(reason.into(), EventSubject::default()))?;
            return Ok(Logout { server: self.clone(), state, peer: request.peer });
        };
        let found = match self.find_client(&id, Requester::beginning(request.peer)).await {
            Err(refusal) if is_own_failure(refusal.reason()) => {
                return Err(page(refusal, EventSubject::client(&id)));
            }
            // A metadata document that cannot be fetched must not keep a user from signing out.
            found => found.unwrap_or(None),
        };
        match flow.with_client(found, self.rules()) {
            Ok(state) => Ok(Logout { server: self.clone(), state, peer: request.peer }),
            Err(reason) => Err(page(reason.into(), EventSubject::client(&id))),
        }
    }

    /// The claims of an `id_token_hint`, if this server issued it.
    pub(super) async fn hint(&self, hint: Option<&str>) -> Result<Option<HintClaims>, Refusal> {
        let (Some(hint), Some(signer)) = (hint, &self.inner.signer) else { return Ok(None) };
        let claims = match self.ask_part(SIGNER, signer.recognize(hint, HintClaims::TYPE, self.now())).await?
        {
            Some(claims) => Some(claims),
            None => self.hint_with_mac(hint).await?,
        };
        Ok(claims.and_then(|claims| HintClaims::read(&claims, self.rules(), self.now())))
    }
}

/// A logout request. Nothing has ended: say first who is signed in, by [`session`](Self::session).
#[derive(Debug)]
#[must_use]
pub struct Logout {
    server: AuthorizationServer,
    state: AwaitSession,
    peer: Option<IpAddr>,
}

/// What follows a logout request.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum LogoutStep {
    /// Ask the user, on your own page.
    Ask(LogoutQuestion),
    /// Remove your own session, then [`finish`](LogoutEnd::finish).
    Go(LogoutEnd),
}

impl Logout {
    /// The requesting client, if the request names a known one. Its name is what its developer claims.
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        self.state.client()
    }

    /// Takes who is signed in, with [the session](Login::with_session); `None` if no one is.
    ///
    /// The user is asked unless the request proves by an `id_token` that it comes from a client of this very
    /// session: anyone can make a browser send a logout request. The user's confirmation is the same request
    /// with one more field, and is valid only for this session, or only for this user if `login` names no
    /// session.
    pub fn session(self, login: Option<&Login>) -> LogoutStep {
        let Self { server, state, peer } = self;
        match state.with_login(login, server.now(), server.rules()) {
            LogoutDecision::Ask(question) => LogoutStep::Ask(LogoutQuestion { question }),
            LogoutDecision::Go(granted) => {
                let login = login.cloned();
                LogoutStep::Go(LogoutEnd { server, granted, login, peer })
            }
        }
    }
}

/// The question whether the user wants to sign out. Show a form that posts [`fields`](Self::fields) to the
/// logout endpoint, and a way back.
#[derive(Debug)]
#[must_use]
pub struct LogoutQuestion {
    question: Box<Question>,
}

impl LogoutQuestion {
    /// The client that asks, if it is known. Its name is what its developer claims.
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        self.question.client()
    }

    /// `client_name` of the requesting client, or else its id.
    #[must_use]
    pub fn client_name(&self) -> Option<&str> {
        self.client().map(|client| client.name().unwrap_or(client.id().as_str()))
    }

    /// The proof of the user's confirmation: bound to the session, the client and the redirect, for ten
    /// minutes. The confirmation ends the session, so it cannot be reused. A [`Login`] without a session
    /// binds it to the user, in any browser: it can be used again until the ten minutes are over.
    #[must_use]
    pub fn token(&self) -> &str {
        self.question.token()
    }

    /// The names and values of the form's hidden fields: what the redirect depends on, and the
    /// [`token`](Self::token). [`logout_hint`](Self::logout_hint) and [`ui_locales`](Self::ui_locales), which
    /// are for this page, are not among them.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        self.question.fields()
    }

    /// `logout_hint`: the user that the client means. Untrusted.
    #[must_use]
    pub fn logout_hint(&self) -> Option<&str> {
        self.question.said().logout_hint.as_deref()
    }

    /// `ui_locales`: the languages that the user reads, the preferred one first, between spaces. Untrusted.
    #[must_use]
    pub fn ui_locales(&self) -> Option<&str> {
        self.question.said().ui_locales.as_deref()
    }
}

/// The session may end: first remove your own session and its cookie, and then call [`finish`](Self::finish).
/// In the other order, a notified client could come back and find the session alive.
#[derive(Debug)]
#[must_use]
pub struct LogoutEnd {
    server: AuthorizationServer,
    granted: logout::Granted,
    login: Option<Login>,
    peer: Option<IpAddr>,
}

impl LogoutEnd {
    /// The session that ends; `None` if no one was signed in, or your login did not name one.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.login.as_ref().and_then(|login| login.session)
    }

    /// Ends the session's grants, notifies the clients, and answers the browser: with a redirect to the
    /// requesting client, if its redirect URI is verified, or else with a page. If the store, the
    /// client registry or your queue fails, the answer is an error page. Your session is gone by then, so the
    /// user cannot try again: call [`end_session`](AuthorizationServer::end_session) with
    /// [`session`](Self::session) until it succeeds.
    pub async fn finish(self) -> Response {
        match self.end().await {
            Ok(left) => left.into_response(),
            Err(page) => page.into_response(),
        }
    }

    /// The same for hosts with their own page.
    ///
    /// # Errors
    /// The store, the client registry or your queue failed. What has ended stays ended.
    pub async fn end(self) -> Result<SignedOut, ErrorPage> {
        let Self { server, granted, login, peer } = self;
        let ended = match login.as_ref().and_then(|login| login.session) {
            None => EndedSession::default(),
            Some(session) => match server.end_session(&session).await {
                Ok(ended) => ended,
                Err(error) => {
                    let subject = login.as_ref().map(Login::subject);
                    let about = EventSubject { subject, peer, ..EventSubject::default() };
                    return Err(server.refuse_page(error.into(), Endpoint::EndSession, about));
                }
            },
        };
        let client = granted.client.as_ref().map(|client| client.id());
        let subject = login.as_ref().map(Login::subject);
        let about = EventSubject { client, subject, peer, ..EventSubject::default() };
        server.audit(crate::audit::EventKind::SignedOut, Endpoint::EndSession, about);
        Ok(SignedOut { to: granted.to, frames: ended.frames })
    }
}

/// The user is signed out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct SignedOut {
    to: Option<String>,
    frames: Vec<String>,
}

impl SignedOut {
    /// Where the browser goes: to the requesting client, if its redirect URI is verified.
    #[must_use]
    pub fn redirect(&self) -> Option<&str> {
        self.to.as_deref()
    }

    /// URLs to load in hidden frames, each of which signs the user out at a client (Front-Channel Logout
    /// 1.0). None unless [`Sessions::front_channel`] is on. Browsers that block cookies in frames make it
    /// unreliable: show your page for a limited time, regardless of the frames.
    #[must_use]
    pub fn frames(&self) -> &[String] {
        &self.frames
    }

    /// A `Content-Security-Policy` for a page that allows these frames and no other foreign content.
    #[must_use]
    pub fn content_security_policy(&self) -> String {
        let mut origins: Vec<&str> = self.frames.iter().map(|url| origin::written(url)).collect();
        origins.sort_unstable();
        origins.dedup();
        let frames = if origins.is_empty() { "'none'".to_owned() } else { origins.join(" ") };
        format!(
            "default-src 'none'; frame-src {frames}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
    }

    /// A redirect, or a plain page for hosts without their own. With frames, the page moves on after three
    /// seconds.
    pub fn into_response(self) -> Response {
        if let (Some(to), true) = (&self.to, self.frames.is_empty()) {
            let redirect = Response::empty(303).with("location", to.clone());
            return redirect.with("cache-control", "no-store").with("referrer-policy", "no-referrer");
        }
        let policy = self.content_security_policy();
        let frames: String = self
            .frames
            .iter()
            .map(|url| format!("<iframe src=\"{}\" hidden></iframe>", escape_html(url)))
            .collect();
        let (head, link) = match &self.to {
            None => (String::new(), String::new()),
            Some(to) => {
                let to = escape_html(to);
                let head = format!("<meta http-equiv=\"refresh\" content=\"3; url={to}\">");
                (head, format!("<p><a id=\"logout-continue\" href=\"{to}\">Continue</a></p>"))
            }
        };
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">{head}<title>Signed out</title>\
             <h1 id=\"signed-out\">You are signed out</h1>{link}{frames}</html>"
        );
        Response::page(200, policy, html)
    }
}
