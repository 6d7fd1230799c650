//! The adapter for the types of the crate `http` (feature `http`): hyper, poem by its `tower-compat`, and
//! everything else that uses `tower`. Hyper and poem are tested; lambda_http, salvo and warp have not been
//! tried.
//!
//! [`EndpointService`] answers at all machine endpoints. For your own `/authorize`, [`read`] copies a request
//! and `http::Response::from` converts the response. To protect an API, use a [`GuardLayer`], with a
//! [`CrossOriginLayer`] around it; the layer puts an [`Access`](crate::Access) into the request's extensions.
//! Behind proxies, [`PeerLayer`] finds the address of the client, and [`ForwardedCertificateLayer`] its
//! certificate.
//!
//! ```
//! use bytes::Bytes;
//! use grantor::adapter::http::{EndpointService, read};
//! use grantor::{AuthorizationServer, Login, Response, SignedIn};
//! use http_body_util::Full;
//! use tower_service::Service as _;
//!
//! // One request to a server with its own pages. `Full<Bytes>` represents the body of your framework.
//! async fn answer(
//!     server: AuthorizationServer,
//!     request: http::Request<Full<Bytes>>,
//! ) -> Result<http::Response<Full<Bytes>>, std::convert::Infallible> {
//!     match request.uri().path() {
//!         "/authorize" => Ok(authorize(&server, request).await.into()),
//!         _ => EndpointService::new(server).call(request).await,
//!     }
//! }
//!
//! async fn authorize(server: &AuthorizationServer, request: http::Request<Full<Bytes>>) -> Response {
//!     let ask = match server.authorize(&read(request).await).await {
//!         Ok(ask) => ask,
//!         Err(page) => return page.into_response(),
//!     };
//!     // Your session says who it is.
//!     match ask.signed_in(Login::new("alice", std::time::SystemTime::now().into())).await {
//!         SignedIn::Consent(consent) => consent.approve().await,
//!         SignedIn::Reauthenticate(login) => login.cannot().await,
//!         SignedIn::Answered(response) => response,
//!     }
//! }
//! ```

#[cfg(not(feature = "axum"))]
mod connection;
mod cross_origin;
mod forwarded_certificate;
mod guard;
mod pages;
mod peer;
mod screen;
mod service;
mod unread;

use std::borrow::Cow;
use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use ::http::header::HOST;
use ::http::request::Parts;
use ::http::{HeaderName, HeaderValue, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

pub use cross_origin::{CrossOriginLayer, CrossOriginService};
pub use forwarded_certificate::{ForwardedCertificateLayer, WithForwardedCertificate};
pub use guard::{GuardLayer, Guarded};
pub use pages::PagesLayer;
pub use peer::{Peer, PeerLayer, WithPeer};
pub use screen::Screened;
pub use service::EndpointService;

use self::unread::Connection;
use super::BODY_DEADLINE;
#[cfg(feature = "axum")]
use super::axum::connection;
use super::header_fields::copy_header_fields;
use crate::audit::Endpoint;
use crate::base::time::in_time;
use crate::http::{MAX_BODY, Method, Request, Response};
use crate::server::AuthorizationServer;
use crate::tenants::Destination;

/// An error of a body.
type BodyError = Box<dyn Error + Send + Sync>;

/// Copies the parts of a request that the protocol reads. A body that is too long is cut just after the
/// limit, so the core refuses it; an incomplete body is empty, and so is one that takes longer than 10 s.
pub async fn read<B>(request: ::http::Request<B>) -> Request
where
    B: Body,
    B::Error: Into<BodyError>,
{
    let (parts, body) = request.into_parts();
    let mut read = read_parts(&parts);
    read.body = read_body(body, BODY_DEADLINE).await.unwrap_or_default();
    read
}

/// The answer of an endpoint; 408 to a body that takes too long.
pub(super) async fn serve<B>(
    server: AuthorizationServer,
    endpoint: Endpoint,
    request: ::http::Request<B>,
    deadline: Duration,
) -> Response
where
    B: Body,
    B::Error: Into<BodyError>,
{
    let (parts, body) = request.into_parts();
    let (connection, mut read) = (Connection::of(&parts), read_parts(&parts));
    match read_body(body, deadline).await {
        Some(body) => read.body = body,
        None => return connection.end_with(server.refuse_slow_body(endpoint, read.peer)),
    }
    let is_cut = read.body.len() > MAX_BODY;
    let answer = server.handle(endpoint, &read).await;
    if is_cut { connection.end_with(answer) } else { answer }
}

/// `None` if it takes too long.
async fn read_body<B>(body: B, deadline: Duration) -> Option<Vec<u8>>
where
    B: Body,
    B::Error: Into<BodyError>,
{
    Some(match in_time(pin!(Limited::new(body, MAX_BODY).collect()), deadline).await? {
        Ok(collected) => collected.to_bytes().into(),
        Err(error) if is_too_long(&*error) => vec![0; MAX_BODY + 1],
        Err(_) => Vec::new(),
    })
}

/// Like [`read`], without the body. The client certificate is the one that a [`ForwardedCertificateLayer`]
/// found; else a [`Certificate`](crate::http::Certificate) among the request's extensions, which your own
/// layer may put there; else that of the framework's connection. See
/// [`Request::certificate`](crate::http::Request::certificate).
pub fn read_parts(parts: &Parts) -> Request {
    let mut read = Request::new(Method::from(parts.method.as_str()));
    read.query = parts.uri.query().map(str::to_owned);
    copy_header_fields(&mut read, |name| parts.headers.get_all(name).iter().map(HeaderValue::as_bytes));
    if parts.headers.contains_key("dpop") {
        read.path = Some(connection::whole_uri(parts).path().to_owned());
    }
    read.certificate = forwarded_certificate::of(&parts.extensions);
    read.peer = Peer::of(&parts.extensions).0;
    read
}

/// The destination of a request, for several issuers in one server: its `:authority` or `Host`, which the
/// sender controls.
#[must_use]
pub fn destination(parts: &Parts) -> Destination<'_> {
    let header = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = parts.uri.authority().map(|authority| authority.as_str()).or_else(header);
    Destination::new(authority.unwrap_or_default(), parts.uri.path())
}

/// Whether a limit ended the body: that of this adapter, or one of an outer layer.
fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_long)
}

/// Converts a response to one with any type of body.
impl<B: From<Vec<u8>>> From<Response> for ::http::Response<B> {
    fn from(answer: Response) -> Self {
        let mut response = Self::new(B::from(answer.body));
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().reserve(answer.headers.len() + 2);
        for (name, value) in answer.headers {
            let value = match value {
                Cow::Borrowed(text) => Ok(HeaderValue::from_static(text)),
                Cow::Owned(text) => HeaderValue::try_from(text),
            };
            if let Ok(value) = value {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
