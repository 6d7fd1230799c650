//! `/authorize` and `/consent`: asking the user, which only a host can do.
//!
//! Nothing that the browser sends back is trusted: each page passes on the query of the application's
//! request, and grantor checks all of it again at every step. The session remembers when the request was
//! first seen, for a sign-in that has to be newer, and the responses to consent pages. A fingerprint of what
//! the page showed is in the URL of its form: if the consent has changed since, the page is shown again.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::body::HttpBody as _;
use axum::extract::{RawQuery, Request as HttpRequest, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use grantor::adapter::axum::{Peer, read};
use grantor::http::{MAX_BODY, Method, Request};
use grantor::{Consent, LoginReason, LoginRequired, Scope, ShowLogin, Unasked};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::asking::Asking;
use crate::decisions::Answered;
use crate::forms::{
    PostedBy, graphic, is_form, lead_to, local_path, see_other, too_large, too_long, too_slow,
};
use crate::login::sign_in_for;
use crate::pages::{Page, leads_to_an_application};
use crate::session::{BY_PIN, Session, Visitor};
use crate::step_up::{self, Pin};

/// `GET /authorize`, and `POST` for the same request as a form (RFC 6749 section 3.1), which is sent on as a
/// `GET`: browsers send our cookie with that, and not with a form of another site.
pub(crate) async fn authorize(State(app): State<App>, visitor: Visitor, request: HttpRequest) -> Response {
    let (is_form, has_body) = (is_form(request.headers()), !request.body().is_end_stream());
    let request = read(request).await;
    if has_body && request.body.is_empty() {
        return too_slow(&app);
    }
    if request.body.len() > MAX_BODY {
        return too_large(&app);
    }
    if request.method == Method::Post && is_form {
        return lead_to(&app, &in_a_path(&app, "/authorize", &request));
    }
    match check(&app, visitor.session(), &request).await {
        Ok(_) => lead_to(&app, &in_a_path(&app, "/consent", &request)),
        Err(response) => response,
    }
}

/// `GET /consent`: shows the page every time, whatever was allowed before. Remembered consent is only used
/// for a request that forbids pages (`prompt=none`).
pub(crate) async fn ask(
    State(app): State<App>,
    Peer(peer): Peer,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let request = from(peer, query.unwrap_or_default());
    match (check(&app, visitor.session(), &request).await, visitor.session()) {
        (Ok(_), _) if local_path(&in_a_path(&app, "/authorize", &request)).is_none() => too_long(&app),
        (Ok(consent), Some(session)) => show(&app, session, &consent, &request).await,
        (Ok(_), None) => see_other(&in_a_path(&app, "/authorize", &request)),
        (Err(response), _) => response,
    }
}

/// The consent page.
async fn show(app: &App, session: &Session, consent: &Consent, request: &Request) -> Response {
    let before = consent.scope_granted_before().await;
    session.decisions.show(&graphic(&query_of(request)), consent.fingerprint());
    leads_to_an_application(app.pages.show(Some(session), &ConsentPage::new(app, consent, &before, request)))
}

/// `POST /consent`: each page takes one decision. A second press of its buttons repeats the first response.
///
/// The query is the fingerprint of what the page showed. A program that omits it answers the latest page.
pub(crate) async fn decide(
    State(app): State<App>,
    Peer(peer): Peer,
    RawQuery(shown): RawQuery,
    posted: PostedBy<Answer>,
) -> Response {
    let PostedBy { session, fields: Answer { request, decision }, .. } = posted;
    let key = graphic(&request);
    let page = session.decisions.of(&key);
    let answer = page.answer.get_or_try_init(|| async {
        let request = from(peer, request);
        let consent = check(&app, Some(&session), &request).await?;
        let answer = match decision {
            // The consent is not the one that the user saw: the application may have changed its registration
            // since.
            Decision::Approve if consent.fingerprint() != shown.as_deref().unwrap_or(&page.fingerprint) => {
                return Err(show(&app, &session, &consent, &request).await);
            }
            Decision::Approve => {
                session.browser().remembered.keep(&consent);
                consent.approve().await
            }
            Decision::Deny => consent.deny().await,
        };
        let answered = Answered::keep(answer)?;
        session.forget_first_seen(&key);
        Ok(answered)
    });
    match answer.await {
        Ok(answered) => answered.clone().into_response(),
        Err(response) => response,
    }
}

/// What the consent form sends.
#[derive(Deserialize)]
pub(crate) struct Answer {
    request: String,
    decision: Decision,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Approve,
    Deny,
}

/// The request of one of our pages, with the address that it came from, which the limits need.
fn from(peer: Option<IpAddr>, query: String) -> Request {
    let request = Request::get(query);
    match peer {
        Some(peer) => request.from_peer(peer),
        None => request,
    }
}

/// Checks the request. `Err` is the page or the redirect that it gets instead of a consent page.
///
/// A visitor who is not signed in always goes to the sign-in page first: a link alone never redirects anyone
/// to a client (RFC 9700 section 4.11.2).
async fn check(app: &App, session: Option<&Session>, request: &Request) -> Result<Consent, Response> {
    let ask = app.server.authorize(request).await.map_err(|page| app.pages.refused(&page))?;
    let key = graphic(&query_of(request));
    let ask = match session.and_then(|session| session.first_seen(&key)) {
        Some(since) => ask.seen(since),
        None => ask,
    };
    let since = ask.since();
    let signed_in = session.and_then(Session::signed_in);
    let Some(by) = signed_in else {
        return Err(match ask.login_required().await {
            LoginRequired::ShowLogin(login) => to_login(app, session, request, &login),
            LoginRequired::Answered(answer) => answer.into_response(),
        });
    };
    let login = by.login_for(ask.requested().acr_values());
    match ask.signed_in(login).await {
        grantor::SignedIn::Consent(consent) if consent.prompt_none() => {
            let consent = match session {
                Some(session) => session.browser().remembered.add_to(consent),
                None => consent,
            };
            match consent.approve_remembered().await {
                Unasked::Answered(answer) => Err(answer.into_response()),
                Unasked::Ask(consent) => Err(consent.consent_required().await.into_response()),
            }
        }
        grantor::SignedIn::Consent(consent) => {
            let wished = by.user.has_pin() && wishes_for_pin(&consent, by.acr);
            match wished && session.is_some_and(|session| session.offer_pin(&key, since)) {
                true => Err(to_pin(app, session, request, since, Pin::Optional)),
                false => Ok(consent),
            }
        }
        grantor::SignedIn::Reauthenticate(login) => Err(match login.because() {
            LoginReason::Stale
            | LoginReason::PromptLogin
            | LoginReason::SelectAccount
            | LoginReason::OtherUser => to_login(app, session, request, &login),
            LoginReason::StepUp if by.user.has_pin() && login.acr_values().any(|acr| acr == BY_PIN) => {
                to_pin(app, session, request, since, Pin::Required)
            }
            // This server has no page for it.
            _ => login.cannot().await.into_response(),
        }),
        grantor::SignedIn::Answered(answer) => Err(answer.into_response()),
    }
}

/// Whether the request prefers a sign-in with a PIN. In OpenID Connect `acr_values` is voluntary, so the page
/// is offered once per request.
fn wishes_for_pin(consent: &Consent, acr: &str) -> bool {
    let wishes = |class: &str| consent.requested().acr_values().any(|wanted| wanted == class);
    wishes(BY_PIN) && !wishes(acr)
}

/// Redirects to the sign-in page. The session remembers when the request was first seen.
fn to_login(app: &App, session: Option<&Session>, request: &Request, login: &ShowLogin) -> Response {
    go(app, session, request, login.since(), |back| sign_in_for(app, back, login))
}

/// Redirects to the second page of the sign-in.
fn to_pin(
    app: &App,
    session: Option<&Session>,
    request: &Request,
    since: DateTime<Utc>,
    pin: Pin,
) -> Response {
    go(app, session, request, since, |back| step_up::to_pin(app, back, pin))
}

fn go(
    app: &App,
    session: Option<&Session>,
    request: &Request,
    since: DateTime<Utc>,
    to: impl FnOnce(&str) -> Response,
) -> Response {
    let back = in_a_path(app, "/authorize", request);
    let Some(back) = local_path(&back) else {
        return app.pages.oauth_error(StatusCode::BAD_REQUEST, "invalid_request", TOO_LONG);
    };
    let keep = |session: &Session| session.keep_first_seen(&graphic(&query_of(request)), since);
    match session {
        Some(session) => {
            keep(session);
            to(back)
        }
        None => {
            let (session, cookie) = app.sessions.visit(request.peer);
            keep(&session);
            ([(header::SET_COOKIE, cookie)], to(back)).into_response()
        }
    }
}

const TOO_LONG: &str = "The request is too long to be kept while you sign in.";

/// The request's parameters, from its query or its form.
fn query_of(request: &Request) -> Cow<'_, str> {
    match request.method {
        Method::Post => String::from_utf8_lossy(&request.body),
        _ => Cow::Borrowed(request.query.as_deref().unwrap_or_default()),
    }
}

/// The path of one of our pages, with the request's parameters.
fn in_a_path(app: &App, page: &str, request: &Request) -> String {
    format!("{}?{}", app.site.path(page), graphic(&query_of(request)))
}

#[derive(Serialize)]
struct ConsentPage<'a> {
    asking: Asking<'a>,
    redirect_host: &'a str,
    request: Cow<'a, str>,
    /// The fingerprint of the consent.
    shown: String,
    return_to: String,
}

impl Page for ConsentPage<'_> {
    const TEMPLATE: &'static str = "consent.html";
}

impl<'a> ConsentPage<'a> {
    fn new(app: &App, consent: &'a Consent, before: &Scope, request: &'a Request) -> Self {
        let asking =
            Asking::new(app, consent.client(), consent.scope(), consent.details(), consent.resources());
        let program = match (consent.redirect_is_local(), consent.client().is_confidential()) {
            (true, _) => Some(LOCAL),
            (false, false) => Some(PUBLIC),
            (false, true) => None,
        };
        Self {
            asking: asking.since(before).claims(consent.claims()).warn(program),
            redirect_host: consent.redirect_host(),
            request: query_of(request),
            shown: consent.fingerprint(),
            return_to: in_a_path(app, "/authorize", request),
        }
    }
}

const LOCAL: &str = "A program on this device gets the answer, and any program here can claim this name. Allow it only if you just started it.";
const PUBLIC: &str = "It has no secret to prove its name with. Allow it only if you came from it just now.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_in_a_path_stays_the_same_query() {
        assert_eq!(graphic("state=a%2Fb&scope=read+write"), "state=a%2Fb&scope=read+write");
        assert_eq!(graphic("state=\\\u{e9} #\r\n"), "state=%5C%C3%A9%20%23%0D%0A");
        let path = format!("/authorize?{}", graphic("state=\\\t\u{202e}"));
        assert_eq!(local_path(&path), Some(path.as_str()));
    }
}
