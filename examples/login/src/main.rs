//! A login of your own: an OpenID Provider with sign-up, sign-in, consent, connected apps, logout and a
//! guarded API, on SQLite. Copy it to start your own.
//!
//! `cargo run -p grantor-login -- FOLDER PORT`, and open http://127.0.0.1:9500. The database is the file
//! `login.db` in the folder, by default in the current one; the port is 9500 unless you name another one. The
//! pages are in `templates`.

mod account;
mod authorize;
mod pages;
mod sessions;
#[cfg(test)]
mod tests;
mod users;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Extension, Router};
use grantor::adapter::axum::{GuardLayer, PagesLayer, guard_routes, read, router};
use grantor::client::RegistryError;
use grantor::keys::{JwtSigner, KeySchedule, Keys};
use grantor::resource::{Access, Guard, Requirement};
use grantor::server::{RateLimiter, Sessions};
use grantor::store::SqliteStore;
use grantor::{Algorithm, AuthMethod, AuthorizationServer, Client, GrantType, Registrar as _, Resource};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use users::Profiles;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let port = std::env::args().nth(2).unwrap_or_else(|| "9500".to_owned());
    let address = format!("127.0.0.1:{port}");
    let listener = TcpListener::bind(&address).await.map_err(|error| format!("{address}: {error}"))?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let (site, app) = site(&issuer, &folder).await?;
    println!("listening on {issuer}");
    // Without the peer's address, there would be no limits per address.
    let site = site.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, site).with_graceful_shutdown(asked_to_stop());
    tokio::select! {
        served = serving.into_future() => served?,
        () = app.server.clone().keep_sweeping(MINUTE) => {} // removes what has expired
        () = app.keep_ending_sessions() => {}
    }
    app.pool.close().await;
    app.clients.close().await;
    Ok(())
}

const MINUTE: Duration = Duration::from_secs(60);

/// Ctrl+C, or SIGTERM.
#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}

/// The state that every page can use.
struct App {
    issuer: String,
    server: AuthorizationServer,
    clients: SqliteStore,
    /// The tables of users and sessions.
    pool: SqlitePool,
    /// Limits wrong passwords, per address and name.
    guesses: RateLimiter,
    /// Limits new accounts per address.
    sign_ups: RateLimiter,
    /// Limits concurrent password hashes: each takes 19 MB and a core for tens of milliseconds.
    hashes: Semaphore,
}

async fn site(issuer: &str, folder: &str) -> Result<(Router, Arc<App>), Box<dyn Error>> {
    // The file has the tables of the grants and, below, our own. Only its owner may read it.
    let file = format!("{folder}/login.db");
    let clients = SqliteStore::open(&file).await?;
    // The applications that may request access. This one is a program on the user's device, which may use any
    // port.
    let demo = Client::builder("demo").name("Demo").redirect_uri("http://127.0.0.1/callback");
    let demo = demo.post_logout_redirect_uri("http://127.0.0.1/signed-out").auth_method(AuthMethod::None);
    let demo = demo.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).build()?;
    match clients.insert(demo).await {
        Ok(()) | Err(RegistryError::Exists) => {}
        Err(error) => return Err(error.into()),
    }

    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&file)).await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&pool).await?;
    let sessions = Sessions::new(secret(&pool, "sessions").await?);
    let keys = Keys::rotating(clients.clone(), KeySchedule::default(), &[Algorithm::Rs256])?;

    let api = format!("{issuer}/api");
    let server = AuthorizationServer::builder(issuer).allow_http_loopback(); // in production the issuer is https
    let server = server.backend(clients.clone()).scopes(["notes", "profile"]).resource(Resource::new(&api));
    let server = server.openid(Profiles).token_signer(JwtSigner::new(keys)?).sessions(sessions);
    let server =
        server.authorization_endpoint("/authorize").logout_endpoint("/logout").sign_up_page().build()?;
    let guard = Guard::builder(&api).allow_http_loopback().local(server.clone()).build()?;
    let guarded = GuardLayer::new(guard.clone(), Requirement::scopes(["notes"]));
    let machine = router(server.clone()).merge(guard_routes([guard]));
    let machine = machine.route("/api/notes", get(notes).layer(guarded));

    let (guesses, sign_ups) = (RateLimiter::per_minute(10), RateLimiter::per_minute(5));
    let (issuer, hashes) = (issuer.to_owned(), Semaphore::new(4));
    let app = Arc::new(App { issuer, server, clients, pool, guesses, sign_ups, hashes });
    let pages = Router::new()
        .route("/", get(account::home))
        .route("/sign-in", get(account::sign_in_page).post(account::sign_in))
        .route("/sign-out", post(account::sign_out))
        .route("/apps", get(account::apps).post(account::disconnect))
        .route("/authorize", get(authorize::authorize))
        .route("/consent", post(authorize::decide))
        .route("/logout", get(account::logout))
        .layer(PagesLayer::new(app.server.own_pages()))
        // Applications, on other sites, may post their requests.
        .route("/authorize", post(async |form| read(form).await.as_get("/authorize")))
        .route("/logout", post(async |form| read(form).await.as_get("/logout")))
        .fallback(pages::not_found);
    Ok((pages.with_state(Arc::clone(&app)).merge(machine), app))
}

/// A secret that is made once and kept.
async fn secret(pool: &SqlitePool, name: &str) -> sqlx::Result<Vec<u8>> {
    let fresh = rand::random::<[u8; 32]>().to_vec();
    let insert = "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING";
    sqlx::query(insert).bind(name).bind(fresh).execute(pool).await?;
    sqlx::query_scalar("SELECT value FROM secrets WHERE name = ?").bind(name).fetch_one(pool).await
}

async fn notes(Extension(access): Extension<Access>) -> String {
    format!("notes of {}\n", access.user().unwrap_or("a program"))
}
