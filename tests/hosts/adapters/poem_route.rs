//! A host on poem, whose `tower-compat` takes the services of the adapter for `http`.

use std::io;

use bytes::Bytes;
use grantor::AuthorizationServer;
use grantor::adapter::Required as _;
use grantor::adapter::http::{EndpointService, GuardLayer, Peer};
use grantor::resource::Guard;
use http_body_util::combinators::BoxBody;
use hyper::Request;
use poem::endpoint::{EndpointExt as _, TowerCompatExt as _};
use poem::listener::TcpAcceptor;
use poem::{Route, Server};
use tokio::net::TcpListener;
use tower::{Layer as _, service_fn};

use super::{Read, authorize, notes_of, proxies};

/// Without pages and an API of your own, it is the three lines that name `endpoints`, `app` and `Server`.
pub async fn serve(listener: TcpListener, server: AuthorizationServer, guard: Guard) {
    let endpoints = EndpointService::new(server.clone()).with_guards([guard.clone()]);
    let page =
        service_fn(move |request: Request<BoxBody<Bytes, io::Error>>| authorize(server.clone(), request));
    let api = GuardLayer::new(guard, Read::requirement()).layer(service_fn(notes_of));
    let app = Route::new()
        .at("/authorize", proxies().layer(page).compat())
        .at("/notes", proxies().layer(api).compat())
        .nest_no_strip("/", proxies().layer(endpoints).compat())
        .before(with_peer);
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(app).await.unwrap();
}

/// poem keeps the address of the connection elsewhere.
async fn with_peer(mut request: poem::Request) -> poem::Result<poem::Request> {
    let peer = request.remote_addr().as_socket_addr().map(|address| address.ip());
    request.extensions_mut().insert(Peer(peer));
    Ok(request)
}
