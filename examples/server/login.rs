//! The start page, signing in and signing out.

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use grantor::adapter::axum::Peer;
use grantor::server::Throttled;
use grantor::{LoginReason, ShowLogin};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::ended_sessions::end_session;
use crate::forms::{Posted, local_path, see_other};
use crate::pages::{Page, leads_to_an_application};
use crate::playground;
use crate::session::{Session, SignedIn, Visitor};

/// `GET /`
pub(crate) async fn home(State(app): State<App>, Peer(peer): Peer, visitor: Visitor) -> Response {
    let page = HomePage {
        demo: app.demo,
        playground: if app.playground.is_some() { playground::buttons() } else { Vec::new() },
        metadata_path: format!("/.well-known/oauth-authorization-server{}", app.site.base),
        endpoints: ENDPOINTS,
        scopes: &app.scopes.names,
        signs: app.keys.is_some(),
    };
    match visitor.session() {
        // Its buttons need a session.
        None if app.playground.is_some() => {
            let (session, cookie) = app.sessions.visit(peer);
            let page = leads_to_an_application(app.pages.show(Some(&session), &page));
            ([(header::SET_COOKIE, cookie)], page).into_response()
        }
        session if app.playground.is_some() => leads_to_an_application(app.pages.show(session, &page)),
        session => app.pages.show(session, &page),
    }
}

#[derive(Serialize)]
struct HomePage<'a> {
    demo: bool,
    /// The applications of the demonstration.
    playground: Vec<playground::Button>,
    metadata_path: String,
    endpoints: &'a [Endpoint],
    scopes: &'a [String],
    /// Whether there are signing keys to show.
    signs: bool,
}

impl Page for HomePage<'_> {
    const TEMPLATE: &'static str = "home.html";
}

#[derive(Serialize)]
struct Endpoint {
    name: &'static str,
    path: &'static str,
}

const ENDPOINTS: &[Endpoint] = &[
    Endpoint { name: "Authorization", path: "/authorize" },
    Endpoint { name: "Device authorization", path: "/device_authorization" },
    Endpoint { name: "Token", path: "/token" },
    Endpoint { name: "Revocation", path: "/revoke" },
    Endpoint { name: "Introspection", path: "/introspect" },
    Endpoint { name: "Protected resource", path: "/api/me" },
];

/// `GET /login?return_to=…`; with `again`, also for a user who is already signed in.
pub(crate) async fn login(
    State(app): State<App>,
    Peer(peer): Peer,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.as_deref().and_then(|query| serde_urlencoded::from_str::<Wish>(query).ok());
    let Wish { return_to, again, because, login_hint } = query.unwrap_or_default();
    let return_to = return_to.page(&app);
    if visitor.signed_in().is_some() && again.is_none() {
        return see_other(&return_to);
    }
    let reason = REASONS.iter().find(|(name, _)| Some(*name) == because.as_deref());
    let hint: String = login_hint.unwrap_or_default().chars().take(LONGEST_HINT).collect();
    let page = LoginPage {
        reason: reason.map(|(_, sentence)| *sentence),
        hint: &hint,
        name: &hint,
        ..LoginPage::new(&app, &return_to)
    };
    match visitor.session() {
        Some(session) => page.show(&app, session),
        None => {
            let (session, cookie) = app.sessions.visit(peer);
            ([(header::SET_COOKIE, cookie)], page.show(&app, &session)).into_response()
        }
    }
}

/// `POST /login`: 303 to where the user wanted to go, or the form again.
///
/// Wrong credentials get a 200: a 401 has to name an HTTP authentication scheme (RFC 9110 section 15.5.2),
/// and a form is not one.
pub(crate) async fn sign_in(
    State(app): State<App>,
    Peer(peer): Peer,
    Posted { session, fields }: Posted<Credentials>,
) -> Response {
    let attempt = match app.logins.begin(peer, &fields.username, Utc::now()) {
        Ok(attempt) => attempt,
        Err(throttled) => return too_many_attempts(&app, throttled),
    };
    let return_to = fields.return_to.page(&app);
    match app.users.authenticate(&fields.username, &fields.password).await {
        Some(user) => {
            attempt.give_back();
            tracing::info!(sub = user.sub, "signed in");
            let before = session.signed_in().filter(|before| before.user.sub != user.sub);
            let before = before.map(SignedIn::session_id);
            let cookie = app.sessions.sign_in(&session, user);
            let mut response = ([(header::SET_COOKIE, cookie)], see_other(&return_to)).into_response();
            if let Some(before) = before {
                end_session(&app, before).await;
                // The code of a device that the other user entered is not this one's to answer.
                response.headers_mut().append(header::SET_COOKIE, app.device_cookie.forget());
            }
            response
        }
        None => {
            attempt.keep();
            tracing::info!(?peer, "sign-in failed");
            let message = Some("The user name or the password is wrong.");
            LoginPage { name: &fields.username, message, ..LoginPage::new(&app, &return_to) }
                .show(&app, &session)
        }
    }
}

pub(crate) fn too_many_attempts(app: &App, throttled: Throttled) -> Response {
    let sentence = "Too many sign-ins failed from your network. Wait a minute, then try again.";
    let page = app.pages.problem(StatusCode::TOO_MANY_REQUESTS, sentence);
    ([(header::RETRY_AFTER, throttled.retry_after())], page).into_response()
}

/// Redirects to the sign-in page, which leads back to `path`.
pub(crate) fn sign_in_first(app: &App, path: &str) -> Response {
    to_login(app, &[("return_to", path)])
}

/// The same for a user whose session ended because of wrong PINs.
pub(crate) fn sign_in_after_wrong_pins(app: &App, path: &str) -> Response {
    to_login(app, &[("return_to", path), ("because", "pin")])
}

/// The same for the user of an application: the page says why to sign in, and fills in the application's
/// login hint.
pub(crate) fn sign_in_for(app: &App, path: &str, login: &ShowLogin) -> Response {
    let because = match login.because() {
        LoginReason::Stale => Some("stale"),
        LoginReason::PromptLogin => Some("prompt"),
        LoginReason::SelectAccount => Some("account"),
        LoginReason::OtherUser => Some("other"),
        _ => None,
    };
    let mut query = vec![("return_to", path)];
    if login.because() != LoginReason::NoUser {
        query.push(("again", "yes"));
    }
    query.extend(because.map(|because| ("because", because)));
    query.extend(login.requested().login_hint().map(|hint| ("login_hint", hint)));
    to_login(app, &query)
}

/// Why a user who was signed in has to sign in again.
const REASONS: [(&str, &str); 5] = [
    ("stale", "You signed in too long ago for this application."),
    ("prompt", "This application wants you to sign in again."),
    ("other", "This application knows you by another account. Sign in with that one."),
    ("account", "Sign in with the account that you want to use."),
    ("pin", "The PIN was wrong too often, so you are signed out."),
];

/// In characters.
const LONGEST_HINT: usize = 256;

fn to_login(app: &App, query: &[(&str, &str)]) -> Response {
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    see_other(&format!("{}?{query}", app.site.path("/login")))
}

/// The query of the sign-in page.
#[derive(Default, Deserialize)]
struct Wish {
    #[serde(flatten)]
    return_to: ReturnTo,
    /// Set if a signed-in user has to sign in again.
    again: Option<String>,
    /// One of [`REASONS`].
    because: Option<String>,
    /// The hint of the application.
    login_hint: Option<String>,
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    username: String,
    password: String,
    #[serde(flatten)]
    return_to: ReturnTo,
}

/// Where the user wants to go afterwards. It comes from the browser, so it may be anything.
#[derive(Default, Deserialize)]
pub(crate) struct ReturnTo {
    #[serde(default)]
    return_to: String,
}

impl ReturnTo {
    pub(crate) fn page(&self, app: &App) -> String {
        local_path(&self.return_to).map_or_else(|| app.site.path("/"), str::to_owned)
    }
}

#[derive(Serialize)]
struct LoginPage<'a> {
    return_to: &'a str,
    to_application: bool,
    reason: Option<&'a str>,
    hint: &'a str,
    name: &'a str,
    message: Option<&'a str>,
    demo: bool,
}

impl Page for LoginPage<'_> {
    const TEMPLATE: &'static str = "login.html";
}

impl<'a> LoginPage<'a> {
    fn new(app: &App, return_to: &'a str) -> Self {
        let to_application = return_to.starts_with(&app.site.path("/authorize"));
        Self { return_to, to_application, reason: None, hint: "", name: "", message: None, demo: app.demo }
    }

    fn show(&self, app: &App, session: &Session) -> Response {
        leads_to_an_application(app.pages.show(Some(session), self))
    }
}
