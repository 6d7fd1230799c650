//! The servers in Rust, each in a process of its own: `figures serve CONTENDER PORT URL`.

use std::time::SystemTime;

use axum::Router;
use axum::http::header::LOCATION;
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use grantor::store::{PostgresStore, RedisStore, SqliteStore};
use grantor::{AuthorizationServer, Login, MemoryStore, Request};

use crate::support::grantor::server_over;
use crate::support::{SUBJECT, oauth_as, oxide_auth};

/// All on one thread, as Node.js is; SQLite has its own in addition.
#[tokio::main(flavor = "current_thread")]
pub async fn serve(contender: &str, port: u16, url: &str) {
    let router = match contender {
        "memory" => approving(server_over(MemoryStore::new())),
        "sqlite" => approving(server_over(SqliteStore::open(url).await.unwrap())),
        "postgres" => approving(server_over(PostgresStore::connect(url).await.unwrap())),
        "redis" => approving(server_over(RedisStore::connect(url).await.unwrap())),
        "oauth-as" => oauth_as::router(),
        "oxide-auth" => oxide_auth::router(),
        other => panic!("{other} is no contender in Rust"),
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}

/// The router of the crate, and a user who approves everything.
fn approving(server: AuthorizationServer) -> Router {
    let own = server.clone();
    let authorize = get(async move |uri: Uri| {
        let asked = own.authorize(&Request::get(uri.query().unwrap())).await.unwrap();
        let alice = Login::new(SUBJECT, SystemTime::now().into());
        let response = asked.signed_in(alice).await.consent().unwrap().approve().await;
        (StatusCode::SEE_OTHER, [(LOCATION, response.header("location").unwrap().to_owned())])
    });
    grantor::adapter::axum::router(server).route("/authorize", authorize)
}
