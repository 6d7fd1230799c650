//! Each consent page takes one decision: a second press of its buttons repeats the first response.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::expiring::Expiring;
use crate::session::lock;

const KEPT: Duration = Duration::from_secs(60 * 60);
const PAGES: usize = 16;

/// The responses to the latest consent pages of a session, by request.
pub(crate) struct Decisions(Mutex<Expiring<[u8; 32], Arc<Decision>>>);

/// The latest consent page of a request.
#[derive(Default)]
pub(crate) struct Decision {
    /// The fingerprint of what it showed; empty if there was no page.
    pub(crate) fingerprint: String,
    /// The response, once there is one.
    pub(crate) answer: OnceCell<Answered>,
}

impl Default for Decisions {
    fn default() -> Self {
        Self(Mutex::new(Expiring::new(KEPT, PAGES)))
    }
}

impl Decisions {
    /// Records that a page is shown, whose request has no response yet.
    pub(crate) fn show(&self, request: &str, fingerprint: String) {
        let page = Decision { fingerprint, answer: OnceCell::new() };
        lock(&self.0).insert(key(request), Arc::new(page), Instant::now());
    }

    /// The latest page of this request.
    pub(crate) fn of(&self, request: &str) -> Arc<Decision> {
        let (key, now) = (key(request), Instant::now());
        let mut pages = lock(&self.0);
        if let Some(decision) = pages.get(&key, now) {
            return Arc::clone(decision);
        }
        let decision = Arc::default();
        pages.insert(key, Arc::clone(&decision), now);
        decision
    }
}

/// A response that can be repeated.
#[derive(Clone)]
pub(crate) struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answered {
    /// Keeps a response, unless it is a server error (`Err`): then the next press tries again.
    pub(crate) fn keep(answer: grantor::Response) -> Result<Self, Response> {
        if answer.status >= 500 {
            return Err(answer.into_response());
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &answer.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Ok(Self { status, headers, body: answer.body })
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

fn key(request: &str) -> [u8; 32] {
    Sha256::digest(request).into()
}
