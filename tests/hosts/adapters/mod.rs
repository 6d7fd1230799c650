//! The same cases for every adapter, over a socket: what it copies in, what it copies out, and whom it thinks
//! a request comes from.

mod actix_app;
mod axum_router;
mod hyper_only;
mod own_pages;
mod poem_route;
mod unread_bodies;

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use grantor::adapter::http::{EndpointService, PeerLayer, read};
use grantor::adapter::{Required, TrustedProxies};
use grantor::http::MAX_BODY;
use grantor::resource::{Guard, Requirement};
use grantor::{
    Access, Authorization, AuthorizationServer, Client, Endpoint, GrantType, Login, MemoryRegistry, Policy,
    Resource, Response, SignedIn,
};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::support::guarded::API;
use crate::support::{Fixture, SECRET, TestClock, basic, clients, code_query, encode};

/// Every adapter. Each serves the endpoints, `/authorize` where alice always says yes, and `/notes` for
/// tokens with the scope `read`.
const ADAPTERS: &[Adapter] = &[Adapter::Axum, Adapter::Hyper, Adapter::Poem, Adapter::Actix];

#[derive(Clone, Copy, Debug)]
enum Adapter {
    Axum,
    Hyper,
    Poem,
    Actix,
}

struct Host {
    fixture: Fixture,
    guard: Guard,
    address: SocketAddr,
}

impl Host {
    async fn start(adapter: Adapter) -> Self {
        let short = Client::builder("short").grant_types([GrantType::ClientCredentials]).secret("sesame");
        let registry = MemoryRegistry::new(clients().into_iter().chain([short.build().unwrap()]));
        let mut policy = Policy::default();
        policy.secret_failures_per_minute = 3;
        let fixture = Fixture::with(|builder| {
            let builder = builder.resource(Resource::new(API)).device_verification("/device");
            builder.clients(registry).policy(policy)
        });
        let server = fixture.server.clone();
        let guard = Guard::builder(API).local(server.clone()).clock(fixture.clock.clone()).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        match adapter {
            Adapter::Axum => drop(tokio::spawn(axum_router::serve(listener, server, guard.clone()))),
            Adapter::Hyper => drop(tokio::spawn(hyper_only::serve(listener, server, guard.clone()))),
            Adapter::Poem => drop(tokio::spawn(poem_route::serve(listener, server, guard.clone()))),
            Adapter::Actix => actix_app::serve(listener.into_std().unwrap(), server, guard.clone()),
        }
        Self { fixture, guard, address }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut sent =
            format!("{method} {path} HTTP/1.1\r\nhost: as.example\r\nconnection: close\r\n").into_bytes();
        for (name, value) in headers {
            sent.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        sent.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
        sent.extend(body);
        stream.write_all(&sent).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        Reply::parse(&received)
    }

    async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"").await
    }

    async fn post(
        &self,
        path: &str,
        authorization: &str,
        form: &[(&str, &str)],
        more: &[(&str, &[u8])],
    ) -> Reply {
        let mut headers = vec![("authorization", authorization.as_bytes()), ("content-type", FORM)];
        headers.extend(more);
        self.send("POST", path, &headers, encode(form).as_bytes()).await
    }

    async fn token(&self, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope), ("resource", API)];
        let reply = self.post("/token", &basic("conf", SECRET), &form, &[]).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
        let json: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        json["access_token"].as_str().unwrap().to_owned()
    }
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Reply {
    fn parse(received: &[u8]) -> Self {
        let text = String::from_utf8(received.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let reply = Self { status, headers, body: body.to_owned() };
        match reply.header("transfer-encoding") {
            Some("chunked") => Self { body: joined(body), ..reply },
            _ => reply,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The chunks of a body as one text.
fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((length, rest)) = chunks.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        body += &rest[..length];
        chunks = rest[length..].strip_prefix("\r\n").unwrap_or_default();
    }
    body
}

/// The proxies of every host: the test's own machine.
fn proxies() -> PeerLayer {
    PeerLayer::new(TrustedProxies::networks(["127.0.0.1"]).unwrap())
}

async fn alice_says_yes(ask: Authorization) -> Response {
    let now = chrono::DateTime::from_timestamp(TestClock::START, 0).unwrap();
    match ask.signed_in(Login::new("alice", now)).await {
        SignedIn::Consent(consent) => consent.approve().await,
        SignedIn::Answered(response) => response,
        SignedIn::Reauthenticate(login) => login.cannot().await,
    }
}

/// What `/notes` says.
fn notes(access: &Access) -> String {
    format!("notes of {}", access.client())
}

/// What `/notes` asks of a token.
struct Read;

impl Required for Read {
    fn requirement() -> Requirement {
        Requirement::scopes(["read"])
    }
}

/// `/notes` behind a layer.
async fn notes_of<B>(request: hyper::Request<B>) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let access = request.extensions().get::<Access>().expect("the guard lets nothing else pass");
    Ok(hyper::Response::new(notes(access).into()))
}

/// `/authorize` as a service.
async fn authorize<B>(
    server: AuthorizationServer,
    request: hyper::Request<B>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible>
where
    B: hyper::body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let answer = match server.authorize(&read(request).await).await {
        Ok(ask) => alice_says_yes(ask).await,
        Err(page) => page.into_response(),
    };
    Ok(answer.into())
}

#[tokio::test]
async fn every_endpoint_of_the_table_is_at_its_path() {
    for adapter in ADAPTERS {
        let host = Host::start(*adapter).await;
        for (endpoint, path) in host.fixture.server.routes() {
            let reply = host.send("PATCH", &path, &[], b"").await;
            assert_eq!(reply.status, 405, "{adapter:?}: {endpoint:?}");
            assert_eq!(reply.header("allow"), Some(endpoint.allowed_methods().as_str()), "{adapter:?}");
        }
        let metadata = host.get("/.well-known/oauth-authorization-server").await;
        assert!(metadata.body.starts_with(r#"{"issuer":"https://as.example""#), "{adapter:?}");
        assert_eq!(metadata.header("content-type"), Some("application/json"));
        assert_eq!(host.get("/elsewhere").await.status, 404, "{adapter:?}");
    }
}

#[tokio::test]
async fn a_program_gets_a_token_and_the_guard_lets_it_pass() {
    for adapter in ADAPTERS {
        let host = Host::start(*adapter).await;
        let call = async |token: &str| {
            host.send("GET", "/notes", &[("authorization", format!("Bearer {token}").as_bytes())], b"").await
        };
        let passed = call(&host.token("read").await).await;
        assert_eq!((passed.status, passed.body.as_str()), (200, "notes of conf"), "{adapter:?}");
        let refused = call(&host.token("write").await).await;
        assert_eq!(refused.status, 403, "{adapter:?}");
        assert!(refused.header("www-authenticate").unwrap().contains(r#"error="insufficient_scope""#));
        let nothing = host.get("/notes").await;
        assert_eq!(nothing.status, 401, "{adapter:?}");
        let challenge = nothing.header("www-authenticate").unwrap();
        let metadata = "/.well-known/oauth-protected-resource/v1";
        assert!(challenge.contains(metadata) && !challenge.contains("error="), "{adapter:?}: {challenge}");
        let metadata = host.get(metadata).await;
        assert!(metadata.body.contains(r#""resource":"https://api.example/v1""#), "{adapter:?}");
    }
}

#[tokio::test]
async fn a_user_gets_a_code_or_a_page() {
    for adapter in ADAPTERS {
        let host = Host::start(*adapter).await;
        let ask =
            async |client| host.get(&format!("/authorize?{}", encode(&code_query(client, "read")))).await;
        let answer = ask("pub").await;
        assert_eq!(answer.status, 303, "{adapter:?}");
        assert!(answer.header("location").unwrap().contains("code="), "{adapter:?}");
        let refused = ask("nobody").await;
        assert_eq!(refused.status, 400, "{adapter:?}");
        assert!(refused.header("content-security-policy").is_some(), "{adapter:?}");
        let form = encode(&code_query("pub", "read"));
        let posted = host.send("POST", "/authorize", &[("content-type", FORM)], form.as_bytes()).await;
        assert_eq!(posted.status, 303, "{adapter:?}: the body is read");
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound() {
    for adapter in ADAPTERS {
        let host = Host::start(*adapter).await;
        for (length, is_too_long) in [(1_000, false), (MAX_BODY + 1, true)] {
            let reply = host.send("POST", "/token", &[("content-type", FORM)], &vec![b'a'; length]).await;
            assert_eq!(reply.status == 413, is_too_long, "{adapter:?}: {length}: {}", reply.status);
            assert!((400..500).contains(&reply.status), "{adapter:?}: {length}: {}", reply.status);
        }
    }
}

#[tokio::test]
async fn a_header_that_is_no_text_or_stands_there_twice_is_malformed() {
    for adapter in ADAPTERS {
        let host = Host::start(*adapter).await;
        let reply = host.send("GET", "/notes", &[("authorization", b"Bearer \xff")], b"").await;
        assert_eq!(reply.status, 400, "{adapter:?}");
        let twice = [("content-type", FORM), ("content-type", FORM)];
        let reply = host.send("POST", "/token", &twice, b"grant_type=client_credentials").await;
        assert_eq!(reply.status, 400, "{adapter:?}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered() {
    for adapter in ADAPTERS {
        let host = Host::start(*adapter).await;
        let asked: [(&str, &[u8]); 3] = [
            ("origin", b"https://app.example"),
            ("access-control-request-method", b"POST"),
            ("access-control-request-headers", b"authorization, x-own"),
        ];
        let reply = host.send("OPTIONS", "/token", &asked, b"").await;
        assert_eq!(reply.status, 204, "{adapter:?}");
        assert_eq!(reply.header("access-control-allow-methods"), Some(&*Endpoint::Token.allowed_methods()));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{adapter:?}");
    }
}

#[tokio::test]
async fn guesses_are_counted_by_the_address_that_a_trusted_proxy_names() {
    for adapter in ADAPTERS {
        let host = Host::start(*adapter).await;
        let guess = async |from: &str| {
            let form = [("grant_type", "client_credentials")];
            let via = [("x-forwarded-for", from.as_bytes())];
            host.post("/token", &basic("short", "wrong"), &form, &via).await.status
        };
        for _ in 0..3 {
            assert_eq!(guess("203.0.113.1").await, 401, "{adapter:?}");
        }
        assert_eq!(guess("203.0.113.1").await, 429, "{adapter:?}");
        assert_eq!(guess("203.0.113.2").await, 401, "{adapter:?}");
        assert_eq!(
            guess("198.51.100.1, 203.0.113.1").await,
            429,
            "{adapter:?}: what the client wrote counts for nothing"
        );
    }
}

#[tokio::test]
async fn one_service_answers_for_every_tenant() {
    let tenants = grantor::tenants::TenantMap::by_host();
    for issuer in ["https://acme.example", "https://globex.example"] {
        let server = AuthorizationServer::builder(issuer)
            .clients(MemoryRegistry::default())
            .store(grantor::MemoryStore::small());
        tenants.insert(server.build().unwrap()).unwrap();
    }
    let service = EndpointService::tenants(tenants);
    let ask = async |host: &str| {
        let request = hyper::Request::get("/.well-known/oauth-authorization-server").header("host", host);
        let response =
            service.clone().oneshot(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    assert!(ask("globex.example").await.1.contains(r#""issuer":"https://globex.example""#));
    assert_eq!(ask("initech.example").await.0, 404);
}
