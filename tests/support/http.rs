//! The server behind its axum router, called without a socket.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::routing::any;
use chrono::{DateTime, Utc};
use grantor::adapter::axum::router;
use grantor::{Authorization, AuthorizationServer, Login, Response, SignedIn};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{SECRET, TestClock, basic, encode};

pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether the response has any CORS header.
    pub fn speaks_of_origins(&self) -> bool {
        self.headers.keys().any(|name| name.as_str().starts_with("access-control-"))
    }
}

/// Sends one request to a host with the machine endpoints and an `/authorize` where alice approves
/// everything.
pub async fn send(server: &AuthorizationServer, request: Request<Body>) -> Reply {
    let app = Router::new()
        .route("/authorize", any(alice_says_yes))
        .merge(router(server.clone()))
        .with_state(server.clone());
    let response = app.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Reply { status: parts.status.as_u16(), headers: parts.headers, body }
}

async fn alice_says_yes(authorization: Authorization) -> Response {
    let start: DateTime<Utc> = DateTime::from_timestamp(TestClock::START, 0).unwrap();
    match authorization.signed_in(Login::new("alice", start)).await {
        SignedIn::Consent(consent) => consent.approve().await,
        SignedIn::Answered(response) => response,
        SignedIn::Reauthenticate(login) => login.cannot().await,
    }
}

/// A request without a body.
pub fn bare(method: &str, uri: &str) -> Request<Body> {
    Request::builder().method(method).uri(uri).body(Body::empty()).unwrap()
}

/// A form, posted by the client `conf`.
pub fn post(uri: &str, form: &[(&str, &str)]) -> Request<Body> {
    post_as(uri, &basic("conf", SECRET), encode(form))
}

/// A form, posted with this `Authorization` header.
pub fn post_as(uri: &str, authorization: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(uri)
        .header("authorization", authorization)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.into())
        .unwrap()
}
