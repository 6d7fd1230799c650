//! The adapter for axum 0.8 (feature `axum`), built on the one for [`http`](super::http).
//!
//! [`router`] serves the machine endpoints; [`Authorization`] is an extractor for your own `/authorize`. To
//! protect an API, use [`Authorized`], an extractor, or [`GuardLayer`], a layer, with a [`CrossOriginLayer`]
//! around them; [`guard_routes`] serves its metadata. [`PagesLayer`] keeps other sites away from your own
//! pages. For several issuers there are [`tenant_router`] and [`Tenant`]. Behind proxies, [`PeerLayer`] finds
//! the address of the client, and [`Peer`] passes it to your own pages; [`ForwardedCertificateLayer`] finds
//! the client certificate. `TlsListener` (feature `axum-tls`) serves TLS by itself.

pub(super) mod connection;
mod guard;
mod tenants;
#[cfg(feature = "axum-tls")]
mod tls;

use std::convert::Infallible;

use ::axum::body::Body;
use ::axum::extract::{FromRef, FromRequest, FromRequestParts};
use ::axum::http::Request as HttpRequest;
use ::axum::http::request::Parts;
use ::axum::response::{IntoResponse, Response as HttpResponse};
use ::axum::{Router, routing};

pub use connection::Connection;
pub use guard::guard_routes;
pub use tenants::{Tenant, tenant_router};
#[cfg(feature = "axum-tls")]
pub use tls::TlsListener;

use super::BODY_DEADLINE;
use super::http::serve;
pub use super::http::{
    CrossOriginLayer, CrossOriginService, GuardLayer, Guarded, PagesLayer, Peer, PeerLayer, WithPeer,
};
pub use super::http::{ForwardedCertificateLayer, WithForwardedCertificate};
pub use super::http::{read, read_parts};
pub use super::{AnyToken, Authorized, Required};
use crate::http::Response;
use crate::server::{Authorization, AuthorizationServer, ErrorPage, Logout};

/// The machine endpoints at their full paths, the issuer's own path included: merge it at the root of your
/// app, do not nest it.
///
/// Serve with `into_make_service_with_connect_info::<SocketAddr>()`, or nothing is limited by address. Behind
/// a proxy, put a [`PeerLayer`] around your app, or every client has the address of the proxy and uses up the
/// limits of all others.
pub fn router<S: Clone + Send + Sync + 'static>(server: AuthorizationServer) -> Router<S> {
    server.routes().into_iter().fold(Router::new(), |router, (endpoint, path)| {
        let server = server.clone();
        router.route(
            &path,
            routing::any(move |request: HttpRequest<Body>| serve(server, endpoint, request, BODY_DEADLINE)),
        )
    })
}

impl IntoResponse for Response {
    fn into_response(self) -> HttpResponse {
        self.into()
    }
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> HttpResponse {
        IntoResponse::into_response(ErrorPage::into_response(self))
    }
}

/// Reads the authorization request of your own handler. To show your own [`ErrorPage`], take
/// `Result<Authorization, ErrorPage>`.
///
/// It takes the body of the request, so it must be the last argument of a handler.
impl<S: Send + Sync> FromRequest<S> for Authorization
where
    AuthorizationServer: FromRef<S>,
{
    type Rejection = ErrorPage;

    async fn from_request(request: HttpRequest<Body>, state: &S) -> Result<Self, Self::Rejection> {
        let request = read(request).await;
        AuthorizationServer::from_ref(state).authorize(&request).await
    }
}

/// Reads the logout request of your own handler, by `GET` or `POST`. It takes the body of the request, so it
/// must be the last argument of a handler.
impl<S: Send + Sync> FromRequest<S> for Logout
where
    AuthorizationServer: FromRef<S>,
{
    type Rejection = ErrorPage;

    async fn from_request(request: HttpRequest<Body>, state: &S) -> Result<Self, Self::Rejection> {
        let request = read(request).await;
        AuthorizationServer::from_ref(state).logout(&request).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}
