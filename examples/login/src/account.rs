//! The pages of an account: sign-in and sign-up, sign-out, connected apps.

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use grantor::adapter::axum::Peer;
use grantor::store::Filter;
use grantor::{Client, ClientId, ClientRegistry as _, Subject};
use serde::Deserialize;

use crate::App;
use crate::accounts::{Refused, Session};
use crate::web::{Csrf, Posted, escape, failed, form, graphic, page, problem, see_other, set_cookie};

pub(crate) async fn home(State(app): State<App>, session: Option<Session>, csrf: Csrf) -> Response {
    let body = match session {
        Some(session) => format!(
            "<p>You are signed in as <b>{}</b>.</p><p><a href=\"/apps\">Connected apps</a></p>{}",
            escape(&session.user),
            form(&csrf, "/sign-out", &[], "<button>Sign out</button>")
        ),
        None => "<p><a href=\"/sign-in\">Sign in or create an account</a></p>".to_owned(),
    };
    page(&app, &csrf, "Your account", &body)
}

pub(crate) async fn sign_in_page(State(app): State<App>, csrf: Csrf, RawQuery(query): RawQuery) -> Response {
    credentials(&app, &csrf, &graphic(&query.unwrap_or_default()), "")
}

/// One page for both: a visitor who has no account presses the other button.
fn credentials(app: &App, csrf: &Csrf, request: &str, message: &str) -> Response {
    let inside = format!(
        "<p role=\"alert\">{}</p><p><label>Name <input name=\"name\" autocomplete=\"username\" required></label></p>\
         <p><label>Password <input name=\"password\" type=\"password\" required></label></p>\
         <button name=\"account\" value=\"own\">Sign in</button> <button name=\"account\" value=\"new\">Create an account</button>",
        escape(message)
    );
    page(app, csrf, "Sign in", &form(csrf, "/sign-in", &[("request", request)], &inside))
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    account: Account,
    /// The query of the authorization request that waits, or nothing.
    request: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Account {
    Own,
    New,
}

/// Begins a session in the place of the one before, and goes back to where the user came from.
pub(crate) async fn sign_in(
    State(app): State<App>,
    Peer(peer): Peer,
    before: Option<Session>,
    csrf: Csrf,
    Posted(Credentials { name, password, account, request }): Posted<Credentials>,
) -> Response {
    let user = match account {
        Account::New => app.accounts.sign_up(&name, &password, peer).await,
        Account::Own => app.accounts.sign_in(&name, &password, peer).await,
    };
    let waiting = Some(graphic(&request)).filter(|request| !request.is_empty());
    let begun = match user {
        Ok(user) => app.accounts.begin_session(user, waiting.as_deref(), before).await,
        Err(refused) => Err(refused),
    };
    match begun {
        Ok(cookie) => {
            let back = waiting.map_or_else(|| "/".to_owned(), |request| format!("/authorize?{request}"));
            (set_cookie(&app, "session", &cookie), see_other(&back)).into_response()
        }
        Err(Refused::Wrong(message)) => credentials(&app, &csrf, &request, message),
        Err(Refused::TooMany(wait)) => {
            let page = problem(StatusCode::TOO_MANY_REQUESTS, "Too many attempts. Wait a minute.");
            // Rounded up: one second earlier, the request would be refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            ([(header::RETRY_AFTER, seconds)], page).into_response()
        }
        Err(Refused::Failed) => failed("the accounts cannot be reached"),
    }
}

#[derive(Deserialize)]
pub(crate) struct Nothing {}

pub(crate) async fn sign_out(
    State(app): State<App>,
    session: Option<Session>,
    _: Posted<Nothing>,
) -> Response {
    match session {
        Some(session) => app.accounts.sign_out(&session).await.map_or_else(failed, |()| see_other("/")),
        None => see_other("/"),
    }
}

/// `GET /apps`: who may act for the user.
pub(crate) async fn apps(State(app): State<App>, session: Option<Session>, csrf: Csrf) -> Response {
    let Some(session) = session else { return see_other("/sign-in") };
    let connected = match app.server.applications_of(&Subject::user(session.user.as_str())).await {
        Ok(connected) => connected,
        Err(fault) => return failed(fault),
    };
    let mut lines = String::new();
    for one in connected {
        let client = app.clients.client(&one.client).await.ok().flatten();
        let name = client.as_deref().and_then(Client::name).unwrap_or(one.client.as_str());
        let button = form(&csrf, "/apps", &[("client", one.client.as_str())], "<button>Disconnect</button>");
        let since = one.since.format("%-d %B %Y");
        lines += &format!("<li>{}: {}, since {since} {button}</li>", escape(name), escape(&one.scope));
    }
    page(&app, &csrf, "Connected apps", &format!("<ul>{lines}</ul><p><a href=\"/\">Your account</a></p>"))
}

#[derive(Deserialize)]
pub(crate) struct Chosen {
    client: String,
}

/// `POST /apps`: everything that the user ever allowed this application.
pub(crate) async fn disconnect(
    State(app): State<App>,
    session: Option<Session>,
    Posted(chosen): Posted<Chosen>,
) -> Response {
    let Some(session) = session else { return see_other("/sign-in") };
    let pair = Filter::pair(Subject::user(session.user.as_str()), ClientId::new(chosen.client));
    app.server.revoke_all(&pair).await.map_or_else(failed, |_| see_other("/apps"))
}
