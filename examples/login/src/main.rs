//! A login of your own: sign-up, sign-in, consent, connected apps and a guarded API, on SQLite. It is the
//! program to copy.
//!
//! `cargo run -p grantor-login -- FOLDER PORT`, and open http://127.0.0.1:9500. The databases are in the
//! folder, by default here; the port is 9500 unless you name another one.

mod account;
mod accounts;
mod authorize;
#[cfg(test)]
mod tests;
mod web;

use std::error::Error;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};
use grantor::adapter::axum::{Authorized, Required, guard_routes, router};
use grantor::client::RegistryError;
use grantor::resource::{Guard, Requirement};
use grantor::store::SqliteStore;
use grantor::{AuthMethod, AuthorizationServer, Client, GrantType, Registrar as _, Resource};

use accounts::Accounts;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let port = std::env::args().nth(2).unwrap_or_else(|| "9500".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
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
            .route("/", get(account::home))
            .route("/sign-in", get(account::sign_in_page).post(account::sign_in))
            .route("/sign-out", post(account::sign_out))
            .route("/apps", get(account::apps).post(account::disconnect))
            .route("/authorize", get(authorize::authorize))
            .route("/consent", post(authorize::decide))
            .route("/api/notes", get(notes));
        pages.with_state(self).merge(machine)
    }
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
