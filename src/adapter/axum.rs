//! The adapter for axum 0.8 (feature `axum`).
//!
//! [`router`] serves the machine endpoints; [`Authorization`] is an extractor for your own `/authorize`. In front of an
//! API stand [`Authorized`], an extractor, or [`GuardLayer`], a layer, and outside of them a [`CrossOriginLayer`];
//! [`guard_routes`] serves its metadata. For several
//! issuers there are [`tenant_router`] and [`Tenant`]. Behind proxies, [`PeerLayer`] finds whom a request comes from, and
//! [`Peer`] tells your own pages.

mod cross_origin;
mod guard;
mod peer;
mod tenants;

use ::axum::body::{Body, Bytes, to_bytes};
use ::axum::extract::{FromRef, FromRequest, OriginalUri};
use ::axum::http::request::Parts;
use ::axum::http::{HeaderMap, HeaderName, HeaderValue, Request as HttpRequest, StatusCode};
use ::axum::response::{IntoResponse, Response as HttpResponse};
use ::axum::{Router, routing};

pub use cross_origin::{CrossOriginLayer, CrossOriginService};
pub use guard::{AnyToken, Authorized, GuardLayer, Guarded, Required, guard_routes};
pub use peer::{Peer, PeerLayer, WithPeer};
pub use tenants::{Tenant, tenant_router};

use crate::audit::Endpoint;
use crate::http::{Certificate, Headers, MAX_BODY, Method, Request, Response};
use crate::server::{Authorization, AuthorizationServer, ErrorPage};

/// The machine endpoints at their full paths, the issuer's own path included: merge it at the root of your
/// app, do not nest it.
///
/// Serve with `into_make_service_with_connect_info::<SocketAddr>()`, or nothing is limited by address. Behind a proxy, put a
/// [`PeerLayer`] around your app, or every client has the address of the proxy and uses up the limits of all others.
pub fn router<S: Clone + Send + Sync + 'static>(server: AuthorizationServer) -> Router<S> {
    server.routes().into_iter().fold(Router::new(), |router, (endpoint, path)| {
        let server = server.clone();
        router.route(&path, routing::any(move |request| serve(server, endpoint, request)))
    })
}

async fn serve(server: AuthorizationServer, endpoint: Endpoint, request: HttpRequest<Body>) -> Response {
    let request = read(request).await;
    server.handle(endpoint, &request).await
}

/// Copies out of an axum request what the protocol reads. A body that is too long is cut just behind the limit,
/// for the core to refuse; one that breaks off is empty.
pub async fn read(request: HttpRequest<Body>) -> Request {
    let (parts, body) = request.into_parts();
    let mut read = read_parts(&parts);
    read.body = match to_bytes(body, MAX_BODY).await {
        Ok(bytes) => Bytes::into(bytes),
        Err(error) if is_too_long(&error) => vec![0; MAX_BODY + 1],
        Err(_) => Vec::new(),
    };
    read
}

/// The same without the body. A [`Certificate`] among the request's extensions is handed on: see
/// [`Request::certificate`](crate::http::Request::certificate) for who may put it there.
pub fn read_parts(parts: &Parts) -> Request {
    let mut read = Request::new(Method::from(parts.method.as_str()));
    read.query = parts.uri.query().map(str::to_owned);
    copy(&parts.headers, Headers::READ, &mut read.headers);
    if read.method == Method::Options {
        copy(&parts.headers, Headers::READ_OF_A_PREFLIGHT, &mut read.headers);
    }
    if parts.headers.contains_key("dpop") {
        // A router that is nested sees a part of it.
        let whole = parts.extensions.get().map_or(&parts.uri, |OriginalUri(uri)| uri);
        read.path = Some(whole.path().to_owned());
    }
    read.certificate = parts.extensions.get::<Certificate>().cloned();
    read.peer = Peer::of(&parts.extensions);
    read
}

fn is_too_long(error: &::axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    std::iter::from_fn(|| {
        let this = cause?;
        cause = this.source();
        Some(this.to_string())
    })
    .any(|text| text.contains("length limit"))
}

/// A field that is not text stays there as an empty one, so that it is malformed and not absent.
fn copy(sent: &HeaderMap, names: &[&'static str], read: &mut Headers) {
    for name in names {
        for value in sent.get_all(*name) {
            read.push(*name, value.to_str().unwrap_or_default());
        }
    }
}

impl IntoResponse for Response {
    fn into_response(self) -> HttpResponse {
        respond(self)
    }
}

/// The response with any kind of body.
fn respond<B: From<Vec<u8>>>(answer: Response) -> ::axum::http::Response<B> {
    let mut response = ::axum::http::Response::new(B::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().reserve(answer.headers.len() + 2);
    for (name, value) in answer.headers {
        let value = match value {
            std::borrow::Cow::Borrowed(text) => Ok(HeaderValue::from_static(text)),
            std::borrow::Cow::Owned(text) => HeaderValue::try_from(text),
        };
        if let Ok(value) = value {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> HttpResponse {
        IntoResponse::into_response(ErrorPage::into_response(self))
    }
}

/// Reads the authorization request of your own handler. To show an [`ErrorPage`] of your own, take
/// `Result<Authorization, ErrorPage>`.
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
