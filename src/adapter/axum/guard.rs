//! The guard in axum: an extractor, and the route of the metadata.

use ::axum::body::Body;
use ::axum::extract::{FromRef, FromRequestParts};
use ::axum::http::Request as HttpRequest;
use ::axum::http::request::Parts;
use ::axum::{Router, routing};

use super::{Authorized, Required, read_parts};
use crate::http::Response;
use crate::resource::Guard;

impl<S: Send + Sync, R: Required, G: AsRef<Guard>> FromRequestParts<S> for Authorized<R, G>
where
    G: FromRef<S> + Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        Self::check(G::from_ref(state).as_ref(), &read_parts(parts)).await
    }
}

/// The metadata of these guards at their well-known paths ([`Guard::routes`]): merge it at the root of your
/// app, do not nest it.
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
