//! A server on actix-web, as a newcomer writes it. The argument is its port.

use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use grantor::adapter::actix::{Authorized, Required, guard_routes, routes};
use grantor::{AuthMethod, Authorization, AuthorizationServer, Client, GrantType, Guard, Login};
use grantor::{MemoryRegistry, MemoryStore, Requirement, Response, SignedIn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = format!("127.0.0.1:{}", std::env::args().nth(1).ok_or("which port?")?);
    let url = format!("http://{address}");
    let app = Client::builder("app").redirect_uri("http://127.0.0.1/callback").auth_method(AuthMethod::None);
    let app = app.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).build()?;
    let server = AuthorizationServer::builder(&url).allow_http_loopback();
    let server = server.clients(MemoryRegistry::new([app])).store(MemoryStore::new()).scopes(["read"]);
    let server = server.authorization_endpoint("/authorize").build()?;
    let guard = Guard::builder(&url).allow_http_loopback().local(server.clone()).build()?;
    let pages = move || {
        App::new()
            .app_data(Data::new(server.clone()))
            .app_data(Data::new(guard.clone()))
            .configure(routes(server.clone()))
            .configure(guard_routes([guard.clone()]))
            .route("/authorize", web::to(authorize))
            .route("/hello", web::get().to(hello))
    };
    let listening = HttpServer::new(pages).workers(1).bind(&address)?;
    println!("listening on {url}");
    Ok(listening.run().await?)
}

/// Here alice is signed in, and always says yes.
async fn authorize(ask: Authorization) -> Response {
    match ask.signed_in(Login::new("alice", std::time::SystemTime::now().into())).await {
        SignedIn::Consent(consent) => consent.approve().await,
        SignedIn::Reauthenticate(login) => login.cannot().await,
        SignedIn::Answered(response) => response,
    }
}

struct Read;

impl Required for Read {
    fn requirement() -> Requirement {
        Requirement::scopes(["read"])
    }
}

async fn hello(access: Authorized<Read>) -> String {
    format!("hello, {}\n", access.user().unwrap_or("program"))
}
