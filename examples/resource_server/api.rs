//! The API: notes, which belong to the user or client that the token stands for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{DefaultBodyLimit, FromRef, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use grantor::adapter::axum::{Authorized, Required, guard_routes};
use grantor::resource::{Guard, Requirement};
use grantor::{Access, Subject};
use serde_json::{Value, json};

/// The largest size of a note in bytes, and the most notes of a user; the oldest is removed.
const MAX_NOTE: usize = 1024;
const MAX_NOTES: usize = 20;

#[derive(Clone)]
struct Api {
    guard: Guard,
    notes: Arc<Mutex<HashMap<Subject, Vec<String>>>>,
}

impl FromRef<Api> for Guard {
    fn from_ref(api: &Api) -> Guard {
        api.guard.clone()
    }
}

/// Access to list notes.
struct Read;

impl Required for Read {
    fn requirement() -> Requirement {
        Requirement::scopes(["read"])
    }
}

/// Access to add a note.
struct Write;

impl Required for Write {
    fn requirement() -> Requirement {
        Requirement::scopes(["write"])
    }
}

/// Access to delete all notes: needs a user who signed in within the last five minutes (RFC 9470).
struct Clear;

impl Required for Clear {
    fn requirement() -> Requirement {
        Requirement::scopes(["write"]).max_age(300)
    }
}

/// The API, and the metadata that name its authorization server.
pub(crate) fn router(guard: Guard) -> Router {
    let metadata = guard_routes([guard.clone()]);
    let api = Api { guard, notes: Arc::default() };
    let notes = get(list).post(add).delete(clear).layer(DefaultBodyLimit::max(MAX_NOTE));
    Router::new().route("/api/notes", notes).with_state(api).merge(metadata)
}

async fn list(State(api): State<Api>, access: Authorized<Read>) -> Json<Value> {
    Json(told(&access, api.with(&access, |notes| notes.clone())))
}

async fn add(State(api): State<Api>, access: Authorized<Write>, note: String) -> (StatusCode, Json<Value>) {
    let notes = api.with(&access, |notes| {
        notes.push(note);
        let surplus = notes.len().saturating_sub(MAX_NOTES);
        notes.drain(..surplus);
        notes.clone()
    });
    (StatusCode::CREATED, Json(told(&access, notes)))
}

async fn clear(State(api): State<Api>, access: Authorized<Clear>) -> StatusCode {
    api.with(&access, Vec::clear);
    StatusCode::NO_CONTENT
}

impl Api {
    /// The notes of the token's user or client. A client never gets the notes of a user with the same name.
    fn with<T>(&self, access: &Access, change: impl FnOnce(&mut Vec<String>) -> T) -> T {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        change(notes.entry(access.subject().clone()).or_default())
    }
}

fn told(access: &Access, notes: Vec<String>) -> Value {
    json!({
        "subject": access.subject().id(),
        "subject_type": access.subject().kind(),
        "client_id": access.client(),
        "notes": notes,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use grantor::testing::{TestServer, Tokens};
    use tower::ServiceExt as _;

    use super::*;

    async fn call(app: &Router, method: &str, tokens: &Tokens) -> StatusCode {
        let call = Request::builder()
            .method(method)
            .uri("/api/notes")
            .header("authorization", tokens.authorization());
        app.clone().oneshot(call.body(Body::from("a note")).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn who_may_read_does_not_write() {
        let server = TestServer::new();
        let app = router(server.guard());
        let reader = server.token("alice", "app", "read").await;
        assert_eq!(call(&app, "GET", &reader).await, StatusCode::OK);
        assert_eq!(call(&app, "POST", &reader).await, StatusCode::FORBIDDEN);
        let writer = server.token("alice", "app", "write").await;
        assert_eq!(call(&app, "POST", &writer).await, StatusCode::CREATED);
    }

    #[tokio::test]
    async fn all_is_thrown_away_by_a_user_who_signed_in_just_now() {
        let server = TestServer::new();
        let app = router(server.guard());
        let writer = server.token("alice", "app", "write").await;
        assert_eq!(call(&app, "DELETE", &writer).await, StatusCode::NO_CONTENT);
        server.clock().advance(Duration::from_secs(301));
        assert_eq!(call(&app, "DELETE", &writer).await, StatusCode::UNAUTHORIZED);
        let robot = server.client_token("robot", "write").await;
        assert_eq!(call(&app, "DELETE", &robot).await, StatusCode::UNAUTHORIZED);
    }
}
