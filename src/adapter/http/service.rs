//! [`EndpointService`]: the machine endpoints as one `tower` service.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::{Request as HttpRequest, Response as HttpResponse};
use bytes::Bytes;
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use super::unread::Connection;
use super::{BODY_DEADLINE, BodyError, Peer, destination, read_parts, serve};
use crate::http::Response;
use crate::resource::Guard;
use crate::server::AuthorizationServer;
use crate::tenants::Tenants;

/// All machine endpoints, by the paths of the server's table, as one `tower` service; at every other path the
/// response is 404. Cheap to clone. Use it as the fallback of your own pages.
///
/// The limits by address need the peer of the connection: make one service for each connection with
/// [`from_peer`](Self::from_peer), or leave a [`Peer`] in each request's extensions. Without either, nothing
/// is limited by address.
///
/// ```
/// use bytes::Bytes;
/// use grantor::AuthorizationServer;
/// use grantor::adapter::http::EndpointService;
/// use http_body_util::Full;
/// use tower_service::Service as _;
///
/// # async fn metadata(server: AuthorizationServer) {
/// let request = http::Request::get("/.well-known/oauth-authorization-server").body(Full::<Bytes>::default()).unwrap();
/// let response = EndpointService::new(server).call(request).await.unwrap();
/// assert_eq!(response.status(), 200);
/// # }
/// ```
#[derive(Clone)]
pub struct EndpointService {
    of: Issuers,
    guards: Arc<HashMap<String, Guard>>,
    peer: Option<IpAddr>,
}

#[derive(Clone)]
enum Issuers {
    One(AuthorizationServer),
    Several(Arc<dyn Tenants>),
}

impl EndpointService {
    /// The endpoints of one server.
    #[must_use]
    pub fn new(server: AuthorizationServer) -> Self {
        Self { of: Issuers::One(server), guards: Arc::default(), peer: None }
    }

    /// The endpoints of every tenant.
    #[must_use]
    pub fn tenants(tenants: impl Tenants + 'static) -> Self {
        Self { of: Issuers::Several(Arc::new(tenants)), guards: Arc::default(), peer: None }
    }

    /// Serves the metadata of these guards, too, at their well-known paths (RFC 9728).
    #[must_use]
    pub fn with_guards(self, guards: impl IntoIterator<Item = Guard>) -> Self {
        Self { guards: Arc::new(Guard::routes(guards).into_iter().collect()), ..self }
    }

    /// The service for one connection: every request without its own [`Peer`] comes from this address.
    /// Trusted: pass the address of the connection.
    #[must_use]
    pub fn from_peer(self, peer: IpAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }

    async fn answer<B>(self, mut request: HttpRequest<B>, deadline: Duration) -> Response
    where
        B: Body,
        B::Error: Into<BodyError>,
    {
        if let (Peer(None), Some(peer)) = (Peer::of(request.extensions()), self.peer) {
            request.extensions_mut().insert(Peer(Some(peer)));
        }
        let (parts, body) = request.into_parts();
        if let Some(guard) = self.guards.get(parts.uri.path()) {
            return guard.serve_metadata(&read_parts(&parts));
        }
        let found = match &self.of {
            Issuers::One(server) => {
                let endpoint = server.endpoint_at(parts.uri.path()).ok_or_else(|| Response::empty(404));
                endpoint.map(|endpoint| (server.clone(), endpoint))
            }
            Issuers::Several(tenants) => tenants.endpoint(&destination(&parts)).await,
        };
        match found {
            Ok((server, endpoint)) => {
                serve(server, endpoint, HttpRequest::from_parts(parts, body), deadline).await
            }
            Err(answer) => Connection::of(&parts).refuse(answer, body).await,
        }
    }
}

impl<B> Service<HttpRequest<B>> for EndpointService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BodyError>,
{
    type Response = HttpResponse<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse<Full<Bytes>>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.answer(request, BODY_DEADLINE).await.into()) })
    }
}

impl fmt::Debug for EndpointService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointService").field("peer", &self.peer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::pending;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::{MemoryRegistry, MemoryStore};

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let server = AuthorizationServer::builder("https://as.example")
            .clients(MemoryRegistry::default())
            .store(MemoryStore::new())
            .authorization_endpoint("/authorize")
            .build()
            .unwrap();
        let endless = StreamBody::new(pending::<Result<Frame<Bytes>, Infallible>>());
        let request = HttpRequest::post("/token").body(endless).unwrap();
        let answer = EndpointService::new(server).answer(request, Duration::from_millis(1)).await;
        assert_eq!((answer.status, answer.header("cache-control")), (408, Some("no-store")));
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(String::from_utf8_lossy(&answer.body).contains(r#""error":"invalid_request""#));
    }
}
