//! An authorization server in one screen: `cargo run -p grantor --example quickstart`, and open its page.
use axum::{Router, extract::Request, extract::State, response::IntoResponse, routing::get};
use grantor::adapter::axum::{read, router};
use grantor::{AuthMethod, Authorization, AuthorizationServer, Client, GrantType, Login};
use grantor::{MemoryRegistry, MemoryStore, SignedIn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = format!("127.0.0.1:{}", std::env::args().nth(1).as_deref().unwrap_or("9400"));
    let taken = |e| format!("{address}: {e}; add another port to the end of the command, such as 9500");
    let listener = tokio::net::TcpListener::bind(&address).await.map_err(taken)?;
    let url = format!("http://{address}");
    let app = Client::builder("app").redirect_uri(format!("{url}/callback")).auth_method(AuthMethod::None);
    let app = app.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).build()?;
    let server = AuthorizationServer::builder(&url).allow_http_loopback();
    let server = server.clients(MemoryRegistry::new([app])).store(MemoryStore::new()).scopes(["read"]);
    let server = server.authorization_endpoint("/authorize").build()?;
    let page = || get(async || axum::response::Html(include_str!("quickstart.html"))); // an application in a browser
    let routes = Router::new().route("/", page()).route("/callback", page());
    let routes = routes.route("/authorize", get(authorize)).route("/hello", get(hello));
    let routes = routes.with_state(server.clone()).merge(router(server));
    println!("{}", CURL.replace("http://127.0.0.1:9400", &url));
    let routes = routes.into_make_service_with_connect_info::<std::net::SocketAddr>(); // limits are counted by address
    Ok(axum::serve(listener, routes).await?)
}

/// Your login and consent pages go here. In this demonstration alice is always signed in and always approves.
async fn authorize(ask: Authorization) -> grantor::Response {
    match ask.signed_in(Login::new("alice", std::time::SystemTime::now().into())).await {
        SignedIn::Consent(consent) => consent.approve().await,
        SignedIn::Reauthenticate(login) => login.cannot().await, // your login page, once more
        SignedIn::Answered(response) => response,
    }
}

/// A protected resource.
async fn hello(State(server): State<AuthorizationServer>, request: Request) -> axum::response::Response {
    match server.protect(&read(request).await, &["read"]).await {
        Ok(access) => format!("hello, {}\n", access.user().unwrap_or("program")).into_response(),
        Err(challenge) => challenge.into_response(),
    }
}
const CURL: &str = include_str!("quickstart.txt");
