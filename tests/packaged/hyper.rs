//! A server on hyper, as a newcomer writes it. The argument is its port.

use std::convert::Infallible;

use bytes::Bytes;
use grantor::adapter::http::{EndpointService, Peer, read};
use grantor::{
    AuthMethod, AuthorizationServer, Client, GrantType, Login, MemoryRegistry, MemoryStore, SignedIn,
};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tower_service::Service as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = format!("127.0.0.1:{}", std::env::args().nth(1).ok_or("which port?")?);
    let url = format!("http://{address}");
    let app = Client::builder("app").redirect_uri("http://127.0.0.1/callback").auth_method(AuthMethod::None);
    let app = app.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).build()?;
    let server = AuthorizationServer::builder(&url).allow_http_loopback();
    let server = server.clients(MemoryRegistry::new([app])).store(MemoryStore::new()).scopes(["read"]);
    let server = server.authorization_endpoint("/authorize").build()?;
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on {url}");
    loop {
        let (stream, peer) = listener.accept().await?;
        let server = server.clone();
        let serve = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(Some(peer.ip()))); // limits are counted by address
            answer(server.clone(), request)
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
    }
}

async fn answer(
    server: AuthorizationServer,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    match request.uri().path() {
        "/authorize" => Ok(authorize(&server, request).await.into()),
        "/hello" => Ok(match server.protect(&read(request).await, &["read"]).await {
            Ok(access) => Response::new(format!("hello, {}\n", access.user().unwrap_or("program")).into()),
            Err(challenge) => challenge.into(),
        }),
        _ => EndpointService::new(server).call(request).await,
    }
}

/// Here alice is signed in, and always says yes.
async fn authorize(server: &AuthorizationServer, request: Request<Incoming>) -> grantor::Response {
    let ask = match server.authorize(&read(request).await).await {
        Ok(ask) => ask,
        Err(page) => return page.into_response(),
    };
    match ask.signed_in(Login::new("alice", std::time::SystemTime::now().into())).await {
        SignedIn::Consent(consent) => consent.approve().await,
        SignedIn::Reauthenticate(login) => login.cannot().await,
        SignedIn::Answered(response) => response,
    }
}
