//! `GET /api/me`: a protected resource, as an API in the same process would be.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use grantor::adapter::axum::read;
use grantor::{Access, ClientRegistry};
use serde_json::json;

use crate::app::App;

/// The id by which a client finds its request in the log of an API (FAPI). It is returned unchanged.
const INTERACTION: HeaderName = HeaderName::from_static("x-fapi-interaction-id");

/// The nonce for the next proof (RFC 9449 section 9).
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Describes the token and its user, in JSON whatever `Accept` says.
pub(crate) async fn me(State(app): State<App>, request: Request) -> Response {
    let interaction = request.headers().get(&INTERACTION).cloned();
    let has_proof = request.headers().contains_key("dpop");
    let mut response = answer(&app, request).await;
    if let Some(interaction) = interaction {
        response.headers_mut().insert(INTERACTION, interaction);
    }
    let nonce = app.server.dpop_nonce().filter(|_| has_proof);
    if let Some(Ok(nonce)) = nonce.map(HeaderValue::try_from) {
        response.headers_mut().insert(NONCE, nonce);
    }
    response
}

/// A client's own token stands for no user, so the response has no user. It also has none for a client with
/// pairwise identifiers: an API in the same process only has the server's own identifier of the user, which
/// such a client must not learn.
async fn answer(app: &App, request: Request) -> Response {
    let access = match app.server.protect(&read(request).await, &[]).await {
        Ok(access) => access,
        Err(challenge) => return challenge.into_response(),
    };
    let mut answer = json!({
        "client_id": access.client(),
        "scope": access.scope().as_str(),
        "exp": access.expires().timestamp(),
    });
    let user = access.user();
    if user.is_none() || !is_pairwise(app, &access).await {
        answer["sub"] = json!(access.subject().id());
        if let Some(sub) = user {
            answer["username"] = json!(app.users.by_sub(sub).map(|user| &user.username));
        }
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// Whether the token's client has pairwise identifiers, or may have them because the registry failed.
async fn is_pairwise(app: &App, access: &Access) -> bool {
    let client = app.registry.client(access.client()).await;
    client.map_or(true, |client| client.is_some_and(|client| client.is_pairwise()))
}
