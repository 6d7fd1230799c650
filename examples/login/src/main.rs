//! A login of your own: sign-up, sign-in, consent, connected apps and a guarded API, on SQLite. Copy it and make it yours.
//!
//! `cargo run -p grantor-login -- FOLDER`, and open http://127.0.0.1:9500. The databases are in the folder, by default here.

mod accounts;
#[cfg(test)]
mod tests;
mod web;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use grantor::adapter::axum::{Authorized, Peer, Required, guard_routes, router};
use grantor::client::RegistryError;
use grantor::resource::{Guard, Requirement};
use grantor::store::{Filter, SqliteStore};
use grantor::{
    AuthMethod, AuthorizationServer, Client, ClientId, ClientRegistry as _, Consent, GrantType, Login,
    LoginReason, LoginRequired, Registrar as _, Request, Resource, SignedIn, Subject, Unasked,
};
use serde::Deserialize;

use accounts::{Accounts, Refused, Session};
use web::{Csrf, Posted, escape, failed, form, graphic, page, problem, see_other, set_cookie};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:9500").await?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let app = App::open(&issuer, &folder).await?;
    tokio::spawn(app.server.clone().keep_sweeping(Duration::from_secs(60))); // what has expired goes
    println!("listening on {issuer}");
    // With the peer's address, or nothing is limited by it.
    Ok(axum::serve(listener, app.router().into_make_service_with_connect_info::<SocketAddr>()).await?)
}

/// What every handler can reach.
#[derive(Clone)]
struct App(Arc<Parts>);

struct Parts {
    issuer: String,
    server: AuthorizationServer,
    guard: Guard,
    clients: SqliteStore,
    accounts: Accounts,
}

impl App {
    async fn open(issuer: &str, folder: &str) -> Result<Self, Box<dyn Error>> {
        let store = SqliteStore::open(&format!("{folder}/grants.db")).await?;
        let accounts = Accounts::open(&format!("{folder}/accounts.db")).await?;
        let api = format!("{issuer}/api");
        // The applications that may ask. This one is a program on the user's device; any port of it will do.
        let demo = Client::builder("demo").name("Demo").redirect_uri("http://127.0.0.1/callback");
        let demo = demo
            .auth_method(AuthMethod::None)
            .grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]);
        match store.insert(demo.build()?).await {
            Ok(()) | Err(RegistryError::Exists) => {}
            Err(error) => return Err(error.into()),
        }
        let server = AuthorizationServer::builder(issuer)
            .allow_http_loopback() // in production the issuer is https
            .backend(store.clone())
            .scopes(["notes"])
            .resource(Resource::new(&api))
            .authorization_endpoint("/authorize")
            .sign_up_page()
            .build()?;
        let guard = Guard::builder(&api).allow_http_loopback().local(server.clone()).build()?;
        Ok(Self(Arc::new(Parts { issuer: issuer.to_owned(), server, guard, clients: store, accounts })))
    }

    fn router(self) -> Router {
        let machine = router(self.server.clone()).merge(guard_routes([self.guard.clone()]));
        let pages = Router::new()
            .route("/", get(home))
            .route("/sign-up", get(sign_up_page).post(sign_up))
            .route("/sign-in", get(sign_in_page).post(sign_in))
            .route("/sign-out", post(sign_out))
            .route("/authorize", get(authorize))
            .route("/consent", post(decide))
            .route("/apps", get(apps).post(disconnect))
            .route("/api/notes", get(notes));
        pages.with_state(self).merge(machine)
    }
}

/// `GET /authorize`: the sign-in page, and after it the consent page.
async fn authorize(
    State(app): State<App>,
    Peer(peer): Peer,
    session: Option<Session>,
    csrf: Csrf,
    RawQuery(query): RawQuery,
) -> Response {
    let query = graphic(&query.unwrap_or_default());
    match ask(&app, session, peer, &query).await {
        // Without a page, if the user allowed all of it before; for a program on the user's device, never.
        Ok((consent, session)) => match consent.approve_remembered().await {
            Unasked::Answered(answer) => answer.into_response(),
            Unasked::Ask(consent) => match app.accounts.show(&session, &query).await {
                Ok(()) => consent_page(&app, &csrf, &consent, &query),
                Err(error) => failed(error),
            },
        },
        Err(response) => response,
    }
}

/// The request as far as it can be judged: `Err` is what the browser gets in the place of a consent page.
async fn ask(
    app: &App,
    session: Option<Session>,
    peer: Option<IpAddr>,
    query: &str,
) -> Result<(Consent, Session), Response> {
    let request = Request::get(query);
    let request = match peer {
        Some(peer) => request.from_peer(peer),
        None => request,
    };
    let asked = app.server.authorize(&request).await.map_err(IntoResponse::into_response)?;
    let to = |page: &str| see_other(&format!("{page}?{query}"));
    let Some(session) = session else {
        return Err(match asked.login_required().await {
            LoginRequired::ShowLogin(login) if login.because() == LoginReason::SignUp => to("/sign-up"),
            LoginRequired::ShowLogin(_) => to("/sign-in"),
            LoginRequired::Answered(answer) => answer.into_response(),
        });
    };
    // Who signed in for this very request did so after it was first seen (`prompt=login`, `max_age`).
    let asked = match session.signed_in_for.as_deref() == Some(query) {
        true => asked.seen(session.since),
        false => asked,
    };
    match asked.signed_in(Login::new(session.user.as_str(), session.since)).await {
        SignedIn::Consent(consent) => Ok((consent, session)),
        SignedIn::Reauthenticate(login) => Err(match login.because() {
            LoginReason::StepUp => login.cannot().await.into_response(), // there is no second factor here
            LoginReason::SignUp => to("/sign-up"),
            _ => to("/sign-in"),
        }),
        SignedIn::Answered(answer) => Err(answer.into_response()),
    }
}

fn consent_page(app: &App, csrf: &Csrf, consent: &Consent, query: &str) -> Response {
    let name = escape(consent.client().name().unwrap_or("An application without a name"));
    let scopes: String = consent.scope().iter().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    let buttons = "<button name=\"decision\" value=\"approve\">Allow</button> \
                   <button name=\"decision\" value=\"deny\">Deny</button>";
    let form = form(csrf, "/consent", &[("request", query)], buttons);
    let place = escape(consent.redirect_host());
    page(
        app,
        csrf,
        "Allow access?",
        &format!("<p><b>{name}</b> asks for</p><ul>{scopes}</ul><p>You go on to <b>{place}</b>.</p>{form}"),
    )
}

#[derive(Deserialize)]
struct Decision {
    request: String,
    decision: String,
}

/// `POST /consent`: the request is checked once more, so nothing of it was kept and nothing can be forged. One decision a page: a
/// second press of its buttons leads where the first one did.
async fn decide(
    State(app): State<App>,
    Peer(peer): Peer,
    session: Option<Session>,
    Posted(Decision { request, decision }): Posted<Decision>,
) -> Response {
    let (consent, session) = match ask(&app, session.clone(), peer, &request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    match app.accounts.is_first(&session, &request).await {
        Ok(true) => {}
        Ok(false) => {
            return match app.accounts.answered(&session, &request).await {
                Ok(Some(location)) => see_other(&location),
                Ok(None) => problem(StatusCode::CONFLICT, "This page was answered already."),
                Err(error) => failed(error),
            };
        }
        Err(error) => return failed(error),
    }
    let answer = match decision.as_str() {
        "approve" => consent.approve().await,
        _ => consent.deny().await,
    };
    if let Some(location) = answer.header("location")
        && let Err(error) = app.accounts.answer(&session, location).await
    {
        eprintln!("a second press will not find its answer: {error}");
    }
    answer.into_response()
}

async fn home(State(app): State<App>, session: Option<Session>, csrf: Csrf) -> Response {
    let body = match session {
        Some(session) => format!(
            "<p>You are signed in as <b>{}</b>.</p><p><a href=\"/apps\">Connected apps</a></p>{}",
            escape(&session.user),
            form(&csrf, "/sign-out", &[], "<button>Sign out</button>")
        ),
        None => "<p><a href=\"/sign-in\">Sign in</a> or <a href=\"/sign-up\">sign up</a></p>".to_owned(),
    };
    page(&app, &csrf, "Your account", &body)
}

async fn sign_in_page(State(app): State<App>, csrf: Csrf, RawQuery(query): RawQuery) -> Response {
    let request = graphic(&query.unwrap_or_default());
    credentials(&app, &csrf, SIGN_IN, &request, "")
}

async fn sign_up_page(State(app): State<App>, csrf: Csrf, RawQuery(query): RawQuery) -> Response {
    let request = graphic(&query.unwrap_or_default());
    credentials(&app, &csrf, SIGN_UP, &request, "")
}

const SIGN_IN: (&str, &str) = ("/sign-in", "Sign in");
const SIGN_UP: (&str, &str) = ("/sign-up", "Sign up");

fn credentials(
    app: &App,
    csrf: &Csrf,
    (action, title): (&str, &str),
    request: &str,
    message: &str,
) -> Response {
    let inside = format!(
        "<p role=\"alert\">{message}</p><p><label>Name <input name=\"name\" autocomplete=\"username\" required></label></p>\
         <p><label>Password <input name=\"password\" type=\"password\" required></label></p><button>{title}</button>"
    );
    page(app, csrf, title, &form(csrf, action, &[("request", request)], &inside))
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
    /// The query of the authorization request that waits, or nothing.
    request: String,
}

async fn sign_up(
    State(app): State<App>,
    Peer(peer): Peer,
    csrf: Csrf,
    Posted(new): Posted<Credentials>,
) -> Response {
    match app.accounts.sign_up(&new.name, &new.password).await {
        Ok(()) => enter(&app, peer, &csrf, SIGN_UP, new).await,
        Err(refused) => again(&app, &csrf, SIGN_UP, &new.request, &refused),
    }
}

async fn sign_in(
    State(app): State<App>,
    Peer(peer): Peer,
    csrf: Csrf,
    Posted(known): Posted<Credentials>,
) -> Response {
    enter(&app, peer, &csrf, SIGN_IN, known).await
}

/// Begins a session, and goes back to where the user came from. Who has just signed up has answered `prompt=create` by that.
async fn enter(
    app: &App,
    peer: Option<IpAddr>,
    csrf: &Csrf,
    at: (&str, &str),
    known: Credentials,
) -> Response {
    let Credentials { name, password, request } = known;
    let waiting = Some(graphic(&request)).filter(|request| !request.is_empty());
    match app.accounts.sign_in((&name, &password), waiting.as_deref(), peer).await {
        Ok(cookie) => {
            let back = waiting.map_or_else(|| "/".to_owned(), |request| format!("/authorize?{request}"));
            (set_cookie(app, "session", &cookie), see_other(&back)).into_response()
        }
        Err(refused) => again(app, csrf, at, &request, &refused),
    }
}

fn again(app: &App, csrf: &Csrf, at: (&str, &str), request: &str, refused: &Refused) -> Response {
    match refused {
        Refused::Wrong(message) => credentials(app, csrf, at, request, message),
        Refused::TooManyGuesses(wait) => {
            let page = problem(StatusCode::TOO_MANY_REQUESTS, "Too many wrong passwords. Wait a minute.");
            ([(header::RETRY_AFTER, wait.as_secs() + 1)], page).into_response()
        }
        Refused::Failed => failed("the accounts are not there"),
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn sign_out(State(app): State<App>, session: Option<Session>, _: Posted<Nothing>) -> Response {
    match session {
        Some(session) => app.accounts.sign_out(&session).await.map_or_else(failed, |()| see_other("/")),
        None => see_other("/"),
    }
}

/// `GET /apps`: who may act for the user.
async fn apps(State(app): State<App>, session: Option<Session>, csrf: Csrf) -> Response {
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
struct Chosen {
    client: String,
}

/// `POST /apps`: everything that the user ever allowed this application.
async fn disconnect(
    State(app): State<App>,
    session: Option<Session>,
    Posted(chosen): Posted<Chosen>,
) -> Response {
    let Some(session) = session else { return see_other("/sign-in") };
    let pair = Filter::pair(Subject::user(session.user.as_str()), ClientId::new(chosen.client));
    app.server.revoke_all(&pair).await.map_or_else(failed, |_| see_other("/apps"))
}

/// What the API asks of a token.
struct ReadNotes;

impl Required for ReadNotes {
    fn requirement() -> Requirement {
        Requirement::scopes(["notes"])
    }
}

async fn notes(access: Authorized<ReadNotes>) -> String {
    format!("notes of {}\n", access.user().unwrap_or("a program"))
}

impl FromRef<App> for Guard {
    fn from_ref(app: &App) -> Self {
        app.guard.clone()
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
