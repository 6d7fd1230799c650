//! Extractors for handlers: authorization and logout requests, the client's address, and the access behind a
//! guard.

use std::future::{Future, Ready, ready};
use std::net::IpAddr;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::web::{self, Data};
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, HttpResponse};

use super::{Authorized, Required, read, read_head};
use crate::audit::tell_developer;
use crate::http::Request;
use crate::resource::Guard;
use crate::server::{Authorization, AuthorizationServer, Logout};

pub(super) type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

/// Reads the authorization request of your own handler, with the `Data<AuthorizationServer>` of the app. To
/// show your own [`ErrorPage`](crate::ErrorPage), call [`authorize`](AuthorizationServer::authorize) with
/// what [`read`] gives you.
impl FromRequest for Authorization {
    type Error = Error;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (server, request) = (of_app::<AuthorizationServer>(request), whole(request, payload));
        Box::pin(async move { Ok(server?.authorize(&request.await?).await?) })
    }
}

/// Reads the logout request of your own handler, by `GET` or `POST`, with the `Data<AuthorizationServer>` of
/// the app.
impl FromRequest for Logout {
    type Error = Error;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (server, request) = (of_app::<AuthorizationServer>(request), whole(request, payload));
        Box::pin(async move { Ok(server?.logout(&request.await?).await?) })
    }
}

/// Uses the `Data<Guard>` of the app, or the `Data` of a guard with its own type.
impl<R: Required, G: AsRef<Guard> + Clone + 'static> FromRequest for Authorized<R, G> {
    type Error = Error;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (guard, request) = (of_app::<G>(request), read_head(request));
        Box::pin(async move { Ok(Self::check(guard?.as_ref(), &request).await?) })
    }
}

/// The address of the client, for your own pages: the one that a [`PeerLayer`](super::PeerLayer) found, else
/// the peer of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // taken apart in the arguments of a handler
pub struct Peer(pub Option<IpAddr>);

impl Peer {
    /// The address of the client of this request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        let found = request.extensions().get::<Found>().map(|Found(address)| *address);
        Self(found.or_else(|| request.peer_addr().map(|peer| peer.ip())))
    }
}

/// The layer inserts it for inner handlers. Only this crate can make one.
#[derive(Clone, Copy)]
pub(super) struct Found(pub(super) IpAddr);

impl FromRequest for Peer {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// Copies a request with its body.
fn whole(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<Request, Error>> + 'static {
    let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
    async move { Ok(read(&request, payload.await?).await) }
}

/// What the host gave its app by [`app_data`](actix_web::App::app_data). The visitor only sees a 500; the
/// message is for the log, and for the developer.
pub(super) fn of_app<T: Clone + 'static>(request: &HttpRequest) -> Result<T, Error> {
    match request.app_data::<Data<T>>() {
        Some(data) => Ok(T::clone(data)),
        None => Err(missing(std::any::type_name::<T>())),
    }
}

pub(super) fn missing(name: &str) -> Error {
    let cause = format!("the app has no Data<{name}>: add .app_data(web::Data::new(…)) with it to your App");
    tell_developer(&cause);
    InternalError::from_response(cause, HttpResponse::InternalServerError().finish()).into()
}
