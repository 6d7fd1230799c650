//! A host on hyper.

use grantor::AuthorizationServer;
use grantor::adapter::Required as _;
use grantor::adapter::http::{EndpointService, GuardLayer, Peer};
use grantor::resource::Guard;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{Read, authorize, notes_of, proxies};

/// hyper and nothing else. Without pages and an API of one's own, it is the three lines that name
/// `endpoints`.
pub async fn serve(listener: TcpListener, server: AuthorizationServer, guard: Guard) {
    let endpoints = EndpointService::new(server.clone()).with_guards([guard.clone()]);
    let api = GuardLayer::new(guard, Read::requirement()).layer(service_fn(notes_of));
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        let (server, endpoints, api) = (server.clone(), endpoints.clone(), api.clone());
        let app = service_fn(move |request: hyper::Request<Incoming>| {
            let (server, endpoints, api) = (server.clone(), endpoints.clone(), api.clone());
            async move {
                match request.uri().path() {
                    "/authorize" => authorize(server, request).await,
                    "/notes" => api.oneshot(request).await,
                    _ => endpoints.oneshot(request).await,
                }
            }
        });
        let app = proxies().layer(app);
        let app = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(Some(peer.ip())));
            app.clone().oneshot(request)
        });
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
        tokio::spawn(connection);
    }
}
