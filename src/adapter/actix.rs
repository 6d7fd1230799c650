//! The adapter for actix-web 4 (feature `actix`).
//!
//! [`routes`] serves the machine endpoints; [`Authorization`](crate::Authorization) is an extractor for your
//! own `/authorize`. To protect an API, use [`Authorized`], an extractor, or [`GuardLayer`], a middleware,
//! with a [`CrossOriginLayer`] around them; [`guard_routes`] serves its metadata. [`PagesLayer`] keeps other
//! sites away from your own pages. For several issuers there are [`tenant_routes`] and [`Tenant`]. Behind
//! proxies, [`PeerLayer`] finds the address of the client, and [`Peer`] passes it to your own pages;
//! [`ForwardedCertificateLayer`] finds the client certificate.
//!
//! ```
//! use actix_web::{App, HttpServer, web};
//! use grantor::adapter::actix::{Authorized, guard_routes, routes};
//! use grantor::resource::Guard;
//! use grantor::{Authorization, AuthorizationServer, Login, Response, SignedIn};
//!
//! /// Your login and your consent page go here.
//! async fn authorize(ask: Authorization) -> Response {
//!     match ask.signed_in(Login::new("alice", std::time::SystemTime::now().into())).await {
//!         SignedIn::Consent(consent) => consent.approve().await,
//!         SignedIn::Reauthenticate(login) => login.cannot().await,
//!         SignedIn::Answered(response) => response,
//!     }
//! }
//!
//! async fn notes(access: Authorized) -> String {
//!     format!("notes of {:?}", access.user())
//! }
//!
//! async fn serve(server: AuthorizationServer, guard: Guard) -> std::io::Result<()> {
//!     let app = move || {
//!         App::new()
//!             .app_data(web::Data::new(server.clone())) // for `Authorization`
//!             .app_data(web::Data::new(guard.clone())) // for `Authorized`
//!             .configure(routes(server.clone()))
//!             .configure(guard_routes([guard.clone()]))
//!             .route("/authorize", web::to(authorize))
//!             .route("/notes", web::get().to(notes))
//!     };
//!     HttpServer::new(app).bind("127.0.0.1:9400")?.run().await
//! }
//! ```

mod extract;
mod layers;
mod screen;
mod tenants;

use std::pin::pin;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse, Responder};

pub use extract::Peer;
pub use layers::{CrossOriginLayer, ForwardedCertificateLayer, GuardLayer, PagesLayer, PeerLayer};
pub use screen::Screened;
pub use tenants::{Tenant, tenant_routes};

use super::BODY_DEADLINE;
use super::header_fields::copy_header_fields;
pub use super::{AnyToken, Authorized, Required};
use crate::audit::Endpoint;
use crate::base::time::in_time;
use crate::http::{MAX_BODY, Method, Request, Response};
use crate::resource::Guard;
use crate::server::{AuthorizationServer, ErrorPage};

/// The machine endpoints at their full paths, the issuer's own path included: give it to
/// [`App::configure`](actix_web::App::configure) at the root of your app, not within a scope.
///
/// Behind a proxy, wrap your app in a [`PeerLayer`], or every client has the address of the proxy and uses up
/// the limits of all others.
pub fn routes(server: AuthorizationServer) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        for (endpoint, path) in server.routes() {
            let server = server.clone();
            let answer = move |request: HttpRequest, payload: web::Payload| {
                serve(server.clone(), endpoint, request, payload)
            };
            config.route(&path, web::to(answer));
        }
    }
}

async fn serve(
    server: AuthorizationServer,
    endpoint: Endpoint,
    request: HttpRequest,
    payload: web::Payload,
) -> Response {
    serve_in_time(server, endpoint, request, payload, BODY_DEADLINE).await
}

/// 408 to a body that takes too long.
async fn serve_in_time(
    server: AuthorizationServer,
    endpoint: Endpoint,
    request: HttpRequest,
    payload: web::Payload,
    deadline: Duration,
) -> Response {
    let mut read = read_head(&request);
    match read_body(payload, deadline).await {
        Some(body) => read.body = body,
        None => return server.refuse_slow_body(endpoint, read.peer),
    }
    server.handle(endpoint, &read).await
}

/// The metadata of these guards at their well-known paths ([`Guard::routes`]): give it to
/// [`App::configure`](actix_web::App::configure) at the root of your app.
pub fn guard_routes(guards: impl IntoIterator<Item = Guard>) -> impl FnOnce(&mut ServiceConfig) {
    let routes = Guard::routes(guards);
    move |config| {
        for (path, guard) in routes {
            let serve = move |request: HttpRequest| {
                let answer = guard.serve_metadata(&read_head(&request));
                async move { answer }
            };
            config.route(&path, web::to(serve));
        }
    }
}

/// Copies the parts of a request that the protocol reads. A body that is too long is cut just after the
/// limit, so the core refuses it; an incomplete body is empty, and so is one that takes longer than 10 s.
pub async fn read(request: &HttpRequest, payload: web::Payload) -> Request {
    let mut read = read_head(request);
    read.body = read_body(payload, BODY_DEADLINE).await.unwrap_or_default();
    read
}

/// `None` if it takes too long.
async fn read_body(payload: web::Payload, deadline: Duration) -> Option<Vec<u8>> {
    Some(match in_time(pin!(payload.to_bytes_limited(MAX_BODY)), deadline).await? {
        Ok(Ok(body)) => body.into(),
        Ok(Err(_)) => Vec::new(),
        Err(_) => vec![0; MAX_BODY + 1],
    })
}

/// Like [`read`], without the body. The client certificate is the one that a [`ForwardedCertificateLayer`]
/// found; else a [`Certificate`](crate::http::Certificate) among the extensions of the request or the data of
/// its connection, which you may put there. See [`Request::certificate`](crate::http::Request::certificate).
pub fn read_head(request: &HttpRequest) -> Request {
    let mut read = Request::new(Method::from(request.method().as_str()));
    let fields = request.headers();
    read.query = request.uri().query().map(str::to_owned);
    copy_header_fields(&mut read, |name| fields.get_all(name).map(HeaderValue::as_bytes));
    if fields.contains_key("dpop") {
        read.path = Some(request.uri().path().to_owned());
    }
    read.certificate = layers::certificate(request);
    read.peer = Peer::of(request).0;
    read
}

impl From<Response> for HttpResponse {
    fn from(answer: Response) -> Self {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::with_body(status, BoxBody::new(answer.body));
        for (name, value) in answer.headers {
            if let Ok(value) = HeaderValue::try_from(&*value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

impl Responder for Response {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.into()
    }
}

impl Responder for ErrorPage {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.into_response().into()
    }
}

/// For `?` in your own handlers.
impl From<Response> for Error {
    fn from(answer: Response) -> Self {
        InternalError::from_response("refused by grantor", answer.into()).into()
    }
}

/// For `?` in your own handlers.
impl From<ErrorPage> for Error {
    fn from(page: ErrorPage) -> Self {
        page.into_response().into()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest as _;
    use actix_web::dev::Payload;
    use actix_web::error::PayloadError;
    use actix_web::test::TestRequest;
    use futures_util::stream::pending;

    use super::*;
    use crate::{MemoryRegistry, MemoryStore};

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let request = TestRequest::post().uri("/token").to_http_request();
        let endless = pending::<Result<web::Bytes, PayloadError>>();
        let mut endless: Payload = Payload::Stream { payload: Box::pin(endless) };
        let payload = web::Payload::from_request(&request, &mut endless).await.unwrap();
        let server = AuthorizationServer::builder("https://as.example")
            .clients(MemoryRegistry::default())
            .store(MemoryStore::new())
            .build()
            .unwrap();
        let deadline = Duration::from_millis(1);
        let answer = serve_in_time(server, Endpoint::Token, request, payload, deadline).await;
        assert_eq!((answer.status, answer.header("cache-control")), (408, Some("no-store")));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(String::from_utf8_lossy(&answer.body).contains(r#""error":"invalid_request""#));
    }
}
