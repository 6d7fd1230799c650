//! Several issuers in axum: the machine endpoints of all of them, and an extractor for pages.

use std::sync::Arc;

use ::axum::Router;
use ::axum::extract::{FromRef, FromRequestParts};
use ::axum::http::request::Parts;

use crate::adapter::http::{EndpointService, destination};
use crate::http::Response;
use crate::server::AuthorizationServer;
use crate::tenants::Tenants;

/// The machine endpoints of every tenant, as the fallback of a router: merge it at the root of your app. Your
/// own routes go first; anything that is not an endpoint of a tenant is a 404.
pub fn tenant_router<S: Clone + Send + Sync + 'static>(tenants: impl Tenants + 'static) -> Router<S> {
    Router::new().fallback_service(EndpointService::tenants(tenants))
}

/// An extractor for your own pages: the server of the tenant for a request, with the `Arc<dyn Tenants>` in
/// the app's state. If there is none, the response is 404.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // taken apart in the arguments of a handler
pub struct Tenant(pub AuthorizationServer);

impl<S: Send + Sync> FromRequestParts<S> for Tenant
where
    Arc<dyn Tenants>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        Arc::<dyn Tenants>::from_ref(state).server(&destination(parts)).await.map(Self)
    }
}
