//! A host on axum.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::any;
use grantor::AuthorizationServer;
use grantor::adapter::axum::{Authorized, guard_routes, router};
use grantor::resource::Guard;
use tokio::net::TcpListener;

use super::{Read, alice_says_yes, notes, proxies};

pub async fn serve(listener: TcpListener, server: AuthorizationServer, guard: Guard) {
    #[derive(Clone)]
    struct Parts(AuthorizationServer, Guard);
    impl FromRef<Parts> for AuthorizationServer {
        fn from_ref(parts: &Parts) -> Self {
            parts.0.clone()
        }
    }
    impl FromRef<Parts> for Guard {
        fn from_ref(parts: &Parts) -> Self {
            parts.1.clone()
        }
    }
    let app = Router::new()
        .route("/authorize", any(alice_says_yes))
        .route("/notes", any(async |access: Authorized<Read>| notes(&access)))
        .merge(router(server.clone()))
        .merge(guard_routes([guard.clone()]))
        .layer(proxies())
        .with_state(Parts(server, guard));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await.unwrap();
}
