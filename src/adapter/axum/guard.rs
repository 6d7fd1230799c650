//! The guard in axum: an extractor, a layer for any tower service, and the route of the metadata.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::axum::body::Body;
use ::axum::extract::{FromRef, FromRequestParts};
use ::axum::http::header::AUTHORIZATION;
use ::axum::http::request::Parts;
use ::axum::http::{HeaderValue, Request as HttpRequest, Response as HttpResponse};
use ::axum::{Router, routing};
use tower_layer::Layer;
use tower_service::Service;

use super::read_parts;
use crate::http::Response;
use crate::resource::{Access, Guard, Requirement};

/// What an [`Authorized`] request has to bring along, as a type.
///
/// ```
/// use grantor::adapter::axum::{Authorized, Required};
/// use grantor::resource::Requirement;
///
/// struct Write;
/// impl Required for Write {
///     fn requirement() -> Requirement {
///         Requirement::scopes(["write"])
///     }
/// }
///
/// async fn rename(access: Authorized<Write>) -> String {
///     format!("renamed for {:?}", access.user())
/// }
/// ```
pub trait Required: 'static {
    /// The requirement.
    fn requirement() -> Requirement;
}

/// Any live token.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AnyToken {}

impl Required for AnyToken {
    fn requirement() -> Requirement {
        Requirement::any()
    }
}

/// An extractor: the access of a request that has what `R` requires, by the guard in the app's state. Any other
/// request gets its challenge before the handler runs.
pub struct Authorized<R = AnyToken> {
    access: Access,
    required: PhantomData<fn() -> R>,
}

impl<R> Authorized<R> {
    /// The access.
    #[must_use]
    pub fn into_access(self) -> Access {
        self.access
    }
}

impl<R> Deref for Authorized<R> {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl<R> fmt::Debug for Authorized<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.access).finish()
    }
}

impl<S: Send + Sync, R: Required> FromRequestParts<S> for Authorized<R>
where
    Guard: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let access = Guard::from_ref(state).check(&read_parts(parts), &R::requirement()).await?;
        Ok(Self { access, required: PhantomData })
    }
}

/// A `tower` layer that guards a whole router, or any service over HTTP. Who passes leaves an [`Access`] in the
/// request's extensions.
///
/// The `Authorization` header is marked as sensitive, so that layers inside which log headers do not show it. A browser
/// sends its preflights without a token: put a [`CrossOriginLayer`](super::CrossOriginLayer), which answers them, outside of this one.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
    requirement: Arc<Requirement>,
}

impl GuardLayer {
    /// Requires the same of every request.
    #[must_use]
    pub fn new(guard: Guard, requirement: Requirement) -> Self {
        Self { guard, requirement: Arc::new(requirement) }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, layer: self.clone() }
    }
}

/// A service behind a [`GuardLayer`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    layer: GuardLayer,
}

impl<S, B, C> Service<HttpRequest<B>> for Guarded<S>
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
        let GuardLayer { guard, requirement } = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match guard.check(&read_parts(&parts), &requirement).await {
                Ok(access) => {
                    if let Some(token) = parts.headers.get_mut(AUTHORIZATION) {
                        HeaderValue::set_sensitive(token, true);
                    }
                    parts.extensions.insert(access);
                    inner.call(HttpRequest::from_parts(parts, body)).await
                }
                Err(response) => Ok(super::respond(response)),
            }
        })
    }
}

/// The metadata of these guards at their well-known paths ([`Guard::routes`]): merge it at the root of your app, do not
/// nest it.
pub fn guard_routes<S: Clone + Send + Sync + 'static>(guards: impl IntoIterator<Item = Guard>) -> Router<S> {
    Guard::routes(guards).into_iter().fold(Router::new(), |router, (path, guard)| {
        let serve = move |request: HttpRequest<Body>| {
            let (parts, _) = request.into_parts();
            let response = guard.serve_metadata(&read_parts(&parts));
            async move { response }
        };
        router.route(&path, routing::any(serve))
    })
}
