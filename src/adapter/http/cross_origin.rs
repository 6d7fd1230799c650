//! [`CrossOriginLayer`]: answers preflights in front of a guarded route, and enforces origins.

use std::sync::Arc;

use ::http::HeaderValue;
use ::http::request::Parts;
use tower_layer::Layer;

use super::screen::{Screen, Screened};
use crate::adapter::header_fields::copy_these;
use crate::http::{AddedHeaders, Method, Request, Response};
use crate::resource::CrossOrigin;

/// A `tower` layer that applies a [`CrossOrigin`] rule: put it around the guard, so it answers preflights,
/// which have no token, and rejects other origins before anything else is checked.
///
/// ```
/// use axum::{Router, routing::get};
/// use grantor::adapter::http::{CrossOriginLayer, GuardLayer};
/// use grantor::resource::{Guard, Requirement};
///
/// fn api(guard: Guard) -> Router {
///     Router::new()
///         .route("/notes", get(|| async { "notes" }))
///         .layer(GuardLayer::new(guard.clone(), Requirement::any()))
///         .layer(CrossOriginLayer::new(guard.cross_origin())) // the outer one
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CrossOriginLayer {
    rule: Arc<CrossOrigin>,
}

impl CrossOriginLayer {
    /// Enforces this rule.
    #[must_use]
    pub fn new(rule: CrossOrigin) -> Self {
        Self { rule: Arc::new(rule) }
    }
}

/// A service behind a [`CrossOriginLayer`].
pub type CrossOriginService<S> = Screened<S, CrossOriginLayer>;

impl<S> Layer<S> for CrossOriginLayer {
    type Service = CrossOriginService<S>;

    fn layer(&self, inner: S) -> CrossOriginService<S> {
        Screened::new(inner, self.clone())
    }
}

impl Screen for CrossOriginLayer {
    async fn screen(self, parts: &mut Parts) -> Result<AddedHeaders, Response> {
        let mut read = Request::new(Method::from(parts.method.as_str()));
        let values = |name| parts.headers.get_all(name).iter().map(HeaderValue::as_bytes);
        copy_these(CrossOrigin::READ, &mut read, values);
        self.rule.check(&read)
    }
}
