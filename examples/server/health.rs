//! `GET /healthz`: whether a load balancer should send requests here.

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;

pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.server.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    }
}
