//! The address that a request comes from.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{Extensions, HeaderValue, Request as HttpRequest};
use tower_layer::Layer;
use tower_service::Service;

use super::connection;
use crate::adapter::TrustedProxies;
use crate::adapter::header_fields::texts;

/// The address of the client: the one that [`PeerLayer`] found, else the peer of the connection; `None` if
/// neither is known.
///
/// In a request's extensions it is the peer of its connection; the host inserts it if its framework provides
/// nothing that this adapter knows. In axum it is an extractor for your own pages, and the peer is known if
/// the app is served with `into_make_service_with_connect_info::<SocketAddr>()`, or over a `TlsListener` with
/// that of a `Connection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // taken apart in the arguments of a handler
pub struct Peer(pub Option<IpAddr>);

impl Peer {
    /// The address of the client of a request with these extensions.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        match extensions.get::<Found>() {
            Some(Found(address)) => Self(Some(*address)),
            None => Self(of_connection(extensions)),
        }
    }
}

pub(super) fn of_connection(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().and_then(|peer| peer.0).or_else(|| connection::peer(extensions))
}

/// The layer inserts it for inner handlers. Only this crate can make one.
#[derive(Clone, Copy)]
struct Found(IpAddr);

/// A `tower` layer for a server behind your own proxies: for the endpoints and extractors of this adapter, it
/// takes the client's address from them. Put it around your whole app.
///
/// ```
/// use grantor::adapter::TrustedProxies;
/// use grantor::adapter::http::PeerLayer;
///
/// let proxies = TrustedProxies::networks(["127.0.0.1", "10.0.0.0/8"])?;
/// let app: axum::Router = axum::Router::new().layer(PeerLayer::new(proxies));
/// # Ok::<(), grantor::adapter::ProxyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PeerLayer(Arc<TrustedProxies>);

impl PeerLayer {
    /// Trusts these proxies.
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
        if let Some(peer) = of_connection(request.extensions()) {
            let fields = |name| texts(request.headers().get_all(name).iter().map(HeaderValue::as_bytes));
            let client = self.proxies.client(peer, &fields("forwarded"), &fields("x-forwarded-for"));
            request.extensions_mut().insert(Found(client));
        }
        self.inner.call(request)
    }
}
