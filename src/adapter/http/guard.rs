//! [`GuardLayer`]: the guard in front of any service over HTTP.

use std::sync::Arc;

use ::http::HeaderValue;
use ::http::header::AUTHORIZATION;
use ::http::request::Parts;
use tower_layer::Layer;

use super::read_parts;
use super::screen::{Screen, Screened};
use crate::http::AddedHeaders;
use crate::http::Response;
use crate::resource::{Guard, Requirement};

/// A `tower` layer that guards a whole router, or any service over HTTP. An accepted request has an
/// [`Access`](crate::Access) in its extensions.
///
/// The body of the responses must be `From<Vec<u8>>`, as `Full<Bytes>` and axum's `Body` are, for the guard to
/// refuse with.
///
/// The `Authorization` header is marked as sensitive, so inner layers that log headers do not show it. A
/// browser sends its preflights without a token: put a [`CrossOriginLayer`](super::CrossOriginLayer), which
/// answers them, around this one.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
    requirement: Arc<Requirement>,
}

impl GuardLayer {
    /// Applies the same requirement to every request.
    #[must_use]
    pub fn new(guard: Guard, requirement: Requirement) -> Self {
        Self { guard, requirement: Arc::new(requirement) }
    }
}

/// A service behind a [`GuardLayer`].
pub type Guarded<S> = Screened<S, GuardLayer>;

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Screened::new(inner, self.clone())
    }
}

impl Screen for GuardLayer {
    async fn screen(self, parts: &mut Parts) -> Result<AddedHeaders, Response> {
        let read = read_parts(parts);
        let access = self.guard.check(&read, &self.requirement).await?;
        if let Some(token) = parts.headers.get_mut(AUTHORIZATION) {
            HeaderValue::set_sensitive(token, true);
        }
        parts.extensions.insert(access);
        Ok(self.guard.next_nonce(&read))
    }
}
