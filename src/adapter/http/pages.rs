//! [`PagesLayer`]: keeps other sites away from the host's own pages.

use std::sync::Arc;

use ::http::HeaderValue;
use ::http::request::Parts;
use tower_layer::Layer;

use super::screen::{Screen, Screened};
use crate::adapter::header_fields::copy_these;
use crate::http::{AddedHeaders, Method, Request, Response};
use crate::server::OwnPages;

/// A `tower` layer that protects your own pages, such as those for sign-in and consent: it applies the rule
/// [`OwnPages`].
///
/// ```
/// use axum::{Router, routing::get};
/// use grantor::AuthorizationServer;
/// use grantor::adapter::http::PagesLayer;
///
/// async fn sign_in() {}
/// async fn sign_in_page() -> &'static str { "…" }
///
/// fn pages(server: &AuthorizationServer) -> Router {
///     Router::new()
///         .route("/sign-in", get(sign_in_page).post(sign_in))
///         .layer(PagesLayer::new(server.own_pages()))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct PagesLayer {
    rule: Arc<OwnPages>,
}

impl PagesLayer {
    /// Enforces this rule.
    #[must_use]
    pub fn new(rule: OwnPages) -> Self {
        Self { rule: Arc::new(rule) }
    }
}

impl<S> Layer<S> for PagesLayer {
    type Service = Screened<S, Self>;

    fn layer(&self, inner: S) -> Screened<S, Self> {
        Screened::new(inner, self.clone())
    }
}

impl Screen for PagesLayer {
    async fn screen(self, parts: &mut Parts) -> Result<AddedHeaders, Response> {
        let mut read = Request::new(Method::from(parts.method.as_str()));
        let values = |name| parts.headers.get_all(name).iter().map(HeaderValue::as_bytes);
        copy_these(OwnPages::READ, &mut read, values);
        self.rule.check(&read)
    }
}
