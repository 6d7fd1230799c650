//! The address that a request comes from, in axum.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use ::axum::extract::{ConnectInfo, FromRequestParts};
use ::axum::http::request::Parts;
use ::axum::http::{Extensions, HeaderMap, Request as HttpRequest};
use tower_layer::Layer;
use tower_service::Service;

use crate::adapter::TrustedProxies;

/// The address that a request comes from, as an extractor for your own pages: whom [`PeerLayer`] found, else the peer of the
/// connection; `None` where the app is served without `into_make_service_with_connect_info::<SocketAddr>()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // taken apart in the arguments of a handler
pub struct Peer(pub Option<IpAddr>);

impl Peer {
    pub(super) fn of(extensions: &Extensions) -> Option<IpAddr> {
        match extensions.get::<Found>() {
            Some(Found(address)) => Some(*address),
            None => extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()),
        }
    }
}

/// What the layer leaves for the handlers inside. Nothing outside of this crate can make one.
#[derive(Clone, Copy)]
struct Found(IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(Self::of(&parts.extensions)))
    }
}

/// A `tower` layer for a server behind proxies of your own: for the endpoints and extractors of this adapter, a request comes from
/// whom the proxies name. Put it around your whole app.
///
/// ```
/// use grantor::adapter::TrustedProxies;
/// use grantor::adapter::axum::PeerLayer;
///
/// let proxies = TrustedProxies::networks(["127.0.0.1", "10.0.0.0/8"])?;
/// let app: axum::Router = axum::Router::new().layer(PeerLayer::new(proxies));
/// # Ok::<(), grantor::adapter::ProxyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PeerLayer(Arc<TrustedProxies>);

impl PeerLayer {
    /// Believes these proxies.
    #[must_use]
    pub fn new(proxies: TrustedProxies) -> Self {
        Self(Arc::new(proxies))
    }
}

impl<S> Layer<S> for PeerLayer {
    type Service = WithPeer<S>;

    fn layer(&self, inner: S) -> WithPeer<S> {
        WithPeer { inner, proxies: Arc::clone(&self.0) }
    }
}

/// A service inside a [`PeerLayer`].
#[derive(Clone, Debug)]
pub struct WithPeer<S> {
    inner: S,
    proxies: Arc<TrustedProxies>,
}

impl<S: Service<HttpRequest<B>>, B> Service<HttpRequest<B>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: HttpRequest<B>) -> S::Future {
        if let Some(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()) {
            let fields = |name| values(request.headers(), name);
            let client = self.proxies.client(peer, &fields("forwarded"), &fields("x-forwarded-for"));
            request.extensions_mut().insert(Found(client));
        }
        self.inner.call(request)
    }
}

/// What is not text cannot be read, and is not left out.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect()
}
