//! Adapters for web frameworks: each is two conversions and a router, without OAuth rules. [`TrustedProxies`]
//! finds the address of the client behind proxies.
//!
//! [`Request`](crate::Request) and [`Response`](crate::Response) fit any framework. `http` is for everything
//! that uses the types of the crate `http` (hyper; poem by its `tower-compat`); `axum` is built on it, and
//! `actix` is separate. [`Authorized`] is the extractor that guards an API, for every framework, and
//! [`Required`] names what it requires.
//!
//! # An adapter in 40 lines
//!
//! For any other framework you need two conversions, the machine endpoints, your own `/authorize`, and the
//! guard. `theirs` represents the types of the framework.
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use grantor::http::{Headers, MAX_BODY, Method, Request, Response};
//! use grantor::resource::{Guard, Requirement};
//! use grantor::{Access, AuthorizationServer, LoginRequired};
//!
//! # mod theirs {
//! #     pub struct Request { pub method: String, pub path: String, pub query: Option<String>, pub fields: Vec<(String, Vec<u8>)>, pub body: Vec<u8> }
//! #     pub struct Response { pub status: u16, pub fields: Vec<(String, String)>, pub body: Vec<u8> }
//! # }
//! /// `peer` is the address of the connection, or whom `TrustedProxies` find.
//! fn read(request: theirs::Request, peer: SocketAddr) -> Request {
//!     let mut read = Request::new(Method::from(request.method.as_str())).from_peer(peer.ip());
//!     read.query = request.query;
//!     for (name, value) in request.fields {
//!         let name = name.to_ascii_lowercase();
//!         let lists = [
//!             Headers::READ,
//!             Headers::READ_OF_SIGNED_ANSWERS,
//!             Headers::READ_OF_A_PREFLIGHT,
//!             Headers::READ_OF_A_PAGE,
//!         ];
//!         if lists.iter().any(|list| list.contains(&&*name)) {
//!             // What is not text is kept as an empty field: malformed, and not absent.
//!             read.headers.push(name, String::from_utf8(value).unwrap_or_default());
//!         }
//!     }
//!     read.path = Some(request.path);
//!     read.body = request.body;
//!     read.body.truncate(MAX_BODY + 1); // better: read no more than that from the connection
//!     read
//! }
//!
//! fn respond(answer: Response) -> theirs::Response {
//!     let fields = answer.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned()));
//!     theirs::Response { status: answer.status, fields: fields.collect(), body: answer.body }
//! }
//!
//! async fn serve(server: &AuthorizationServer, request: theirs::Request, peer: SocketAddr) -> Option<theirs::Response> {
//!     let endpoint = server.endpoint_at(&request.path)?; // none: a page of yours, or a 404
//!     Some(respond(server.handle(endpoint, &read(request, peer)).await))
//! }
//!
//! async fn authorize(server: &AuthorizationServer, request: theirs::Request, peer: SocketAddr) -> theirs::Response {
//!     match server.authorize(&read(request, peer)).await {
//!         Ok(ask) => match ask.login_required().await {
//!             LoginRequired::ShowLogin(login) => respond(login.cannot().await), // your login page
//!             LoginRequired::Answered(answer) => respond(answer),
//!         },
//!         Err(page) => respond(page.into_response()),
//!     }
//! }
//!
//! async fn api(guard: &Guard, request: theirs::Request, peer: SocketAddr) -> Result<Access, theirs::Response> {
//!     guard.check(&read(request, peer), &Requirement::scopes(["read"])).await.map_err(respond)
//! }
//! ```

#[cfg(feature = "actix")]
pub mod actix;
mod authorized;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(any(feature = "actix", feature = "http"))]
mod certificate_rule;
mod forwarded_certificate;
#[cfg(any(feature = "actix", feature = "http"))]
mod header_fields;
#[cfg(feature = "http")]
pub mod http;
mod proxy;
#[cfg(feature = "tls")]
mod tls;

#[cfg(any(feature = "actix", feature = "http"))]
use std::time::Duration;

pub use authorized::{AnyToken, Authorized, Required};
pub use forwarded_certificate::{ForwardedCertificateError, ForwardedCertificates};
pub use proxy::{ProxyError, TrustedProxies};
#[cfg(feature = "tls")]
pub use tls::{CertificateRequest, server_config};

/// How long to wait for the body of a request: its sender may never end it.
#[cfg(any(feature = "actix", feature = "http"))]
const BODY_DEADLINE: Duration = Duration::from_secs(10);
