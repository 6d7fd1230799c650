//! The login and the consent page, and the sessions behind them: what every app has already. The user is alice, the
//! password wonderland.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::extract::{ConnectInfo, Form, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use grantor::{
    AuthorizationServer, Client, Consent, Entropy, Login, LoginReason, LoginRequired, Request, ShowLogin,
    SignedIn, SystemEntropy,
};
use serde::Deserialize;

#[derive(Clone)]
struct App {
    server: AuthorizationServer,
    /// The browsers in which alice is signed in, by their cookies.
    sessions: Arc<Mutex<HashMap<String, Session>>>,
}

#[derive(Clone)]
struct Session {
    since: SystemTime,
    /// The request that alice signed in for: she did so after it was first seen, so for it her login is fresh
    /// (`prompt=login`, `max_age=0`).
    request: Option<String>,
}

pub(crate) fn routes(server: AuthorizationServer) -> Router {
    let routes = Router::new().route("/authorize", get(ask)).route("/login", post(login));
    routes.route("/consent", post(decide)).with_state(App { server, sessions: Arc::default() })
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
        Ok(consent) if consent.prompt_none() => consent.consent_required().await.into_response(),
        Ok(consent) => page(&consent_page(&consent, &query)),
        Err(response) => response,
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
    query: String,
}

/// `POST /login`, and back to where the user came from.
async fn login(State(app): State<App>, Form(form): Form<Credentials>) -> Response {
    // A header holds no other characters; whoever changed the query gets an error page.
    let query: String = form.query.chars().filter(char::is_ascii_graphic).collect();
    let back = Redirect::to(&format!("/authorize?{query}"));
    if (form.username.as_str(), form.password.as_str()) != ("alice", "wonderland") {
        return back.into_response();
    }
    let mut random = [0; 16];
    SystemEntropy::default().fill(&mut random);
    let session: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut sessions = app.sessions.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    sessions.insert(session.clone(), Session { since: SystemTime::now(), request: Some(query) });
    // Lax keeps the cookie from forms on other sites; behind https add `Secure`.
    let cookie = format!("notes-session={session}; HttpOnly; SameSite=Lax; Path=/");
    ([(header::SET_COOKIE, cookie)], back).into_response()
}

#[derive(Deserialize)]
struct Decision {
    decision: String,
    query: String,
}

/// `POST /consent`: the request is checked once more, so nothing of it was kept and nothing can be forged.
async fn decide(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<Decision>,
) -> Response {
    match app.check(&headers, peer, &form.query).await {
        Ok(consent) => {
            app.answered(&headers);
            match form.decision.as_str() {
                "approve" => consent.approve().await.into_response(),
                _ => consent.deny().await.into_response(),
            }
        }
        Err(response) => response,
    }
}

impl App {
    /// The request, if alice is signed in and it is in order; else what the browser gets instead.
    async fn check(&self, headers: &HeaderMap, peer: SocketAddr, query: &str) -> Result<Consent, Response> {
        // The address limits how many documents of clients one visitor can name.
        let request = Request::get(query).from_peer(peer.ip());
        let asked = self.server.authorize(&request).await.map_err(IntoResponse::into_response)?;
        let Some(Session { since, request: seen }) = self.signed_in(headers) else {
            return Err(match asked.login_required().await {
                LoginRequired::ShowLogin(login) => page(&login_page(&login, query)),
                LoginRequired::Answered(answer) => answer.into_response(),
            });
        };
        let asked = match seen.as_deref() == Some(query) {
            true => asked.seen(since.into()),
            false => asked,
        };
        match asked.signed_in(Login::new("alice", since.into())).await {
            SignedIn::Consent(consent) => Ok(consent),
            // There is no second factor here, and no page to sign up.
            SignedIn::Reauthenticate(login)
                if matches!(login.because(), LoginReason::StepUp | LoginReason::SignUp) =>
            {
                Err(login.cannot().await.into_response())
            }
            SignedIn::Reauthenticate(login) => Err(page(&login_page(&login, query))),
            SignedIn::Answered(answer) => Err(answer.into_response()),
        }
    }

    fn signed_in(&self, headers: &HeaderMap) -> Option<Session> {
        let sessions = self.sessions.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        sessions.get(cookie(headers)?).cloned()
    }

    /// The same request is a new one from now on.
    fn answered(&self, headers: &HeaderMap) {
        let mut sessions = self.sessions.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(session) = cookie(headers).and_then(|cookie| sessions.get_mut(cookie)) {
            session.request = None;
        }
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("notes-session="))
}

fn login_page(login: &ShowLogin, query: &str) -> String {
    format!(
        "<h1>Sign in</h1><p>and go on to {}</p><form method=\"post\" action=\"/login\">{}\
         <p><input name=\"username\" placeholder=\"User name\" autofocus>\
         <p><input name=\"password\" type=\"password\" placeholder=\"Password\">\
         <p><button id=\"login-submit\">Sign in</button></form>",
        who(login.client()),
        hidden(query)
    )
}

fn consent_page(consent: &Consent, query: &str) -> String {
    let scopes: String = consent.scope().iter().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
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
        "<h1>Allow {}?</h1><p>It asks for</p><ul>{scopes}</ul><p>at</p><ul>{resources}</ul><p>and you go on to <b id=\"consent-redirect-host\">{}</b>{warning}\
         <form method=\"post\" action=\"/consent\">{}\
         <button id=\"consent-approve\" name=\"decision\" value=\"approve\">Allow</button>\
         <button id=\"consent-deny\" name=\"decision\" value=\"deny\">Deny</button></form>",
        who(consent.client()),
        escape(consent.redirect_host()),
        hidden(query)
    )
}

/// The name is what the client claims; the host of its document is proven.
fn who(client: &Client) -> String {
    let name = escape(client.name().unwrap_or("an application without a name"));
    match client.document_host() {
        Some(host) => format!("<bdi>{name}</bdi> of <b id=\"consent-client-host\">{}</b>", escape(host)),
        None => format!("<bdi>{name}</bdi>, whose name nobody has checked"),
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
