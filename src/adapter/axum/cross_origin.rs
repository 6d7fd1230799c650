//! [`CrossOriginLayer`]: answers preflights in front of a guarded route, and enforces origins.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::axum::http::header::VARY;
use ::axum::http::{HeaderName, HeaderValue, Request as HttpRequest, Response as HttpResponse};
use tower_layer::Layer;
use tower_service::Service;

use super::{copy, respond};
use crate::http::{Method, Request};
use crate::resource::CrossOrigin;

/// A `tower` layer that does what a [`CrossOrigin`] says: put it outside of the guard, so that it answers preflights,
/// which have no token, and turns other origins away before anything is looked at.
///
/// ```
/// use axum::{Router, routing::get};
/// use grantor::adapter::axum::{CrossOriginLayer, GuardLayer};
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

impl<S> Layer<S> for CrossOriginLayer {
    type Service = CrossOriginService<S>;

    fn layer(&self, inner: S) -> CrossOriginService<S> {
        CrossOriginService { inner, rule: Arc::clone(&self.rule) }
    }
}

/// A service behind a [`CrossOriginLayer`].
#[derive(Clone, Debug)]
pub struct CrossOriginService<S> {
    inner: S,
    rule: Arc<CrossOrigin>,
}

impl<S, B, C> Service<HttpRequest<B>> for CrossOriginService<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse<C>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    C: From<Vec<u8>>,
{
    type Response = HttpResponse<C>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse<C>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        // The one that is ready goes; its clone stays and is asked again.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let mut read = Request::new(Method::from(request.method().as_str()));
        copy(request.headers(), CrossOrigin::READ, &mut read.headers);
        let judged = self.rule.check(&read);
        Box::pin(async move {
            let shared = match judged {
                Ok(shared) => shared,
                Err(answer) => return Ok(respond(answer)),
            };
            let mut response = inner.call(request).await?;
            for (name, value) in shared.into_headers() {
                let (name, value) = (HeaderName::from_static(name), HeaderValue::try_from(&*value));
                match value {
                    Ok(value) if name == VARY => drop(response.headers_mut().append(name, value)),
                    Ok(value) => drop(response.headers_mut().insert(name, value)),
                    Err(_) => {}
                }
            }
            Ok(response)
        })
    }
}
