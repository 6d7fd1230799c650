//! `GET /api/me`: a protected resource, as an API in the same process would be.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use grantor::adapter::axum::read;
use serde_json::json;

use crate::app::App;

/// Whom the token speaks for. A client's own token speaks for no user, so there is no user in the answer.
pub(crate) async fn me(State(app): State<App>, request: Request) -> Response {
    let access = match app.server.protect(&read(request).await, &[]).await {
        Ok(access) => access,
        Err(challenge) => return challenge.into_response(),
    };
    let mut answer = json!({
        "sub": access.subject().id(),
        "client_id": access.client(),
        "scope": access.scope().as_str(),
        "exp": access.expires().timestamp(),
    });
    if let Some(sub) = access.user() {
        answer["username"] = json!(app.users.by_sub(sub).map(|user| &user.username));
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}
