//! The login and the consent page, and their sessions: what every app already has. The user is alice, the
//! password wonderland.
//!
//! A consent form carries a token of its session, so no other site can press its buttons. Each page takes one
//! decision: a second press repeats the first response. If the page showed something other than what would be
//! granted, it is shown again.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::extract::{ConnectInfo, Form, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use grantor::server::{RateLimiter, Throttled};
use grantor::{
    AuthorizationServer, Client, Consent, Entropy, Login, LoginReason, LoginRequired, Request, ShowLogin,
    SignedIn, SystemEntropy,
};
use serde::Deserialize;

#[derive(Clone)]
struct App {
    server: AuthorizationServer,
    /// Browsers send a cookie to every port of a host, so its name contains the port.
    cookie: Arc<str>,
    /// The sessions of the browsers where alice is signed in, by cookie.
    sessions: Arc<Mutex<HashMap<String, Arc<Session>>>>,
    /// Wrong passwords.
    guesses: Arc<RateLimiter>,
}

struct Session {
    since: SystemTime,
    /// The token in the consent forms of this session.
    csrf: String,
    /// The request that alice signed in for. She signed in after it was first seen, so for this request her
    /// login is fresh (`prompt=login`, `max_age=0`).
    request: Mutex<Option<String>>,
    /// The response to the latest consent page, with its request.
    answered: tokio::sync::Mutex<Option<(String, grantor::Response)>>,
}

pub(crate) fn routes(server: AuthorizationServer) -> Router {
    let routes = Router::new().route("/authorize", get(ask)).route("/login", post(login));
    let issuer = server.rules().issuer.to_string();
    let port = issuer.rsplit_once(':').map(|(_, port)| port.trim_end_matches('/'));
    let port = port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or("443");
    let cookie = format!("notes-session-{port}").into();
    let guesses = Arc::new(RateLimiter::per_minute(10));
    let app = App { server, cookie, sessions: Arc::default(), guesses };
    routes.route("/consent", post(decide)).with_state(app)
}

/// `GET /authorize`: the login page, and after it the consent page.
async fn ask(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    match app.check(&headers, peer, &query).await {
        Ok((consent, _)) if consent.prompt_none() => consent.consent_required().await.into_response(),
        Ok((consent, session)) => {
            *session.answered.lock().await = None; // a new page, and a new decision
            page(&consent_page(&consent, &query, &session.csrf).await)
        }
        Err(response) => response,
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
    query: String,
}

/// `POST /login`: redirects back to where the user came from.
async fn login(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Form(form): Form<Credentials>,
) -> Response {
    let attempt = match app.guesses.begin(Some(peer.ip()), &form.username, SystemTime::now().into()) {
        Ok(attempt) => attempt,
        Err(throttled) => return too_many(throttled),
    };
    // A header cannot contain other characters; a query that is changed by this gets an error page.
    let query: String = form.query.chars().filter(char::is_ascii_graphic).collect();
    let back = Redirect::to(&format!("/authorize?{query}"));
    if (form.username.as_str(), form.password.as_str()) != ("alice", "wonderland") {
        attempt.keep();
        return back.into_response();
    }
    attempt.give_back();
    let id = random();
    let session = Session {
        since: SystemTime::now(),
        csrf: random(),
        request: Mutex::new(Some(query)),
        answered: tokio::sync::Mutex::default(),
    };
    app.sessions
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .insert(id.clone(), Arc::new(session));
    // Lax keeps the cookie from forms on other sites; behind https add `Secure`.
    let cookie = format!("{}={id}; HttpOnly; SameSite=Lax; Path=/", app.cookie);
    ([(header::SET_COOKIE, cookie)], back).into_response()
}

fn too_many(throttled: Throttled) -> Response {
    let seconds = throttled.retry_after();
    let page = page(&format!("<h1>Too many attempts. Try again in {seconds} seconds.</h1>"));
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds)], page).into_response()
}

/// 128 secret random bits, in hexadecimal.
fn random() -> String {
    let mut random = [0; 16];
    SystemEntropy::default().fill(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Deserialize)]
struct Decision {
    csrf: String,
    /// The fingerprint of the consent that the page showed.
    shown: Option<String>,
    decision: String,
    query: String,
}

/// `POST /consent`: the request is checked again, so it does not have to be stored and cannot be forged.
async fn decide(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<Decision>,
) -> Response {
    let Some(session) = app.signed_in(&headers).filter(|session| session.csrf == form.csrf) else {
        return (
            StatusCode::FORBIDDEN,
            page("<h1>This form did not come from this site, or it has expired.</h1>"),
        )
            .into_response();
    };
    let mut answered = session.answered.lock().await; // a second press of a button waits for the first
    if let Some((_, answer)) = answered.as_ref().filter(|(query, _)| *query == form.query) {
        return answer.clone().into_response();
    }
    let consent = match app.check(&headers, peer, &form.query).await {
        Ok((consent, _)) => consent,
        Err(response) => return response,
    };
    let answer = match form.decision.as_str() {
        // The consent is not the one that the user saw: the client may have changed its registration since.
        "approve" if form.shown.is_some_and(|shown| shown != consent.fingerprint()) => {
            return page(&consent_page(&consent, &form.query, &session.csrf).await);
        }
        "approve" => consent.approve().await,
        _ => consent.deny().await,
    };
    if answer.status >= 500 {
        return answer.into_response(); // the next press tries again
    }
    *answered = Some((form.query, answer.clone()));
    // From now on, the same request counts as a new one.
    *session.request.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    answer.into_response()
}

impl App {
    /// The consent to ask for, if alice is signed in and the request is valid; otherwise the response for the
    /// browser.
    async fn check(
        &self,
        headers: &HeaderMap,
        peer: SocketAddr,
        query: &str,
    ) -> Result<(Consent, Arc<Session>), Response> {
        // The address limits how many client documents one visitor can cause to be fetched.
        let request = Request::get(query).from_peer(peer.ip());
        let asked = self.server.authorize(&request).await.map_err(IntoResponse::into_response)?;
        let Some(session) = self.signed_in(headers) else {
            return Err(match asked.login_required().await {
                LoginRequired::ShowLogin(login) => page(&login_page(&login, query)),
                LoginRequired::Answered(answer) => answer.into_response(),
            });
        };
        let since = session.since;
        let seen = session.request.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let asked = match seen.as_deref() == Some(query) {
            true => asked.seen(since.into()),
            false => asked,
        };
        match asked.signed_in(Login::new("alice", since.into())).await {
            SignedIn::Consent(consent) => Ok((consent, session)),
            // This example has no second factor and no sign-up page.
            SignedIn::Reauthenticate(login)
                if matches!(login.because(), LoginReason::StepUp | LoginReason::SignUp) =>
            {
                Err(login.cannot().await.into_response())
            }
            SignedIn::Reauthenticate(login) => Err(page(&login_page(&login, query))),
            SignedIn::Answered(answer) => Err(answer.into_response()),
        }
    }

    fn signed_in(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let cookies = headers.get(header::COOKIE)?.to_str().ok()?.split("; ");
        let mut own =
            cookies.filter_map(|cookie| cookie.split_once('=')).filter(|(name, _)| *name == &*self.cookie);
        let (_, id) = own.next()?;
        let sessions = self.sessions.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        sessions.get(id).cloned()
    }
}

fn login_page(login: &ShowLogin, query: &str) -> String {
    format!(
        "<h1>Sign in</h1><p>to continue to {}</p><form method=\"post\" action=\"/login\">{}\
         <p><input name=\"username\" placeholder=\"User name\" autofocus>\
         <p><input name=\"password\" type=\"password\" placeholder=\"Password\">\
         <p><button id=\"login-submit\">Sign in</button></form>",
        who(login.client()),
        hidden(query)
    )
}

async fn consent_page(consent: &Consent, query: &str, csrf: &str) -> String {
    // After a step-up, a client asks for what it has and for more.
    let before = consent.scope_granted_before().await;
    let is_new = |scope: &str| !before.is_empty() && !before.contains(scope);
    let mark = |scope: &str| if is_new(scope) { " <em>new</em>" } else { "" };
    let scopes = consent.scope().iter().map(|scope| format!("<li>{}{}</li>", escape(scope), mark(scope)));
    let scopes: String = scopes.collect();
    let resources = consent.resources().as_slice().iter();
    let resources: String = resources.map(|id| format!("<li>{}</li>", escape(id.as_str()))).collect();
    let warning = match consent.client().is_local_only() || consent.redirect_is_local() {
        true => {
            "<p><b>The answer goes to a program on this device, and any program here can claim this name. Allow it \
                 only if you just started it.</b>"
        }
        false => "",
    };
    format!(
        "<h1>Allow {}?</h1><p>It asks for</p><ul>{scopes}</ul><p>at</p><ul>{resources}</ul><p>Afterwards you go to <b id=\"consent-redirect-host\">{}</b>{warning}\
         <form method=\"post\" action=\"/consent\">{}<input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\
         <input type=\"hidden\" name=\"shown\" value=\"{}\">\
         <button id=\"consent-approve\" name=\"decision\" value=\"approve\">Allow</button>\
         <button id=\"consent-deny\" name=\"decision\" value=\"deny\">Deny</button></form>",
        who(consent.client()),
        escape(consent.redirect_host()),
        hidden(query),
        consent.fingerprint()
    )
}

/// The name is only the client's claim; the host of its document is verified.
fn who(client: &Client) -> String {
    let name = escape(client.name().unwrap_or("an application without a name"));
    match client.document_host() {
        Some(host) => format!("<bdi>{name}</bdi> of <b id=\"consent-client-host\">{}</b>", escape(host)),
        None => format!("<bdi>{name}</bdi>, whose name is not verified"),
    }
}

fn hidden(query: &str) -> String {
    format!("<input type=\"hidden\" name=\"query\" value=\"{}\">", escape(query))
}

fn page(body: &str) -> Response {
    let html =
        format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Notes</title>{body}</html>");
    ([("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")], Html(html))
        .into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
