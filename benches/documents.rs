//! What an authorization request costs when the client is identified by a cached metadata document, compared
//! with the same request of the same clients when they are registered.
//!
//! See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::panic)] // a failing bench should stop

mod support;

use grantor::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::{AuthMethod, AuthorizationServer, Client, MemoryRegistry, MemoryStore, Request, async_trait};

use support::{CHALLENGE, ISSUER, REDIRECT_URI, ready, table, timed};

/// As many documents as the cache holds.
const CLIENTS: usize = 1_000;

/// Requests per clock reading.
const CHUNK: usize = 256;

/// In nanoseconds.
const TARGET: f64 = 1_000.0;

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let servers = [server(ids().map(registered).collect(), None), server(Vec::new(), Some(Documents))];
    let mut turn = 0;
    let figures = table::in_turns(servers.len(), if full { table::turns() } else { 1 }, |at| {
        turn += CHUNK;
        let requests: Vec<Request> = (turn..turn + CHUNK).map(|n| request(n * 397 % CLIENTS)).collect();
        let work = |request: &Request| ready(servers[at].authorize(request)).is_ok();
        let (spent, served) = timed(&requests, work);
        assert!(served);
        Some(spent.as_nanos() as f64 / CHUNK as f64)
    });
    println!(
        "\nCPU ns per authorization request, checked up to the login: median of interleaved turns (least)"
    );
    for (name, figures) in ["registered", "document"].iter().zip(&figures) {
        print!("{name:12}");
        table::print(figures.as_ref());
        println!();
    }
    let least = |at: usize| figures[at].as_ref().map_or(f64::NAN, |figures| figures.least);
    let more = least(1) - least(0);
    println!("a kept document costs {more:.0} ns{}", if more > TARGET { " ! more than 1 µs" } else { "" });
}

fn ids() -> impl Iterator<Item = String> {
    (0..CLIENTS).map(id)
}

fn id(n: usize) -> String {
    format!("https://client{n}.example/oauth/client-metadata.json")
}

fn registered(id: String) -> Client {
    Client::builder(id).redirect_uri(REDIRECT_URI).auth_method(AuthMethod::None).build().unwrap()
}

fn server(clients: Vec<Client>, documents: Option<Documents>) -> AuthorizationServer {
    let builder = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::new(clients))
        .store(MemoryStore::new())
        .scopes(["read", "write"])
        .authorization_endpoint("/authorize");
    let builder = match documents {
        Some(documents) => builder.client_id_metadata_documents(documents),
        None => builder,
    };
    let server = builder.build().unwrap();
    (0..CLIENTS).for_each(|n| assert!(ready(server.authorize(&request(n))).is_ok(), "{n} is known"));
    server
}

fn request(n: usize) -> Request {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &id(n))
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("state", "af0ifjsldkj")
        .append_pair("code_challenge", CHALLENGE)
        .append_pair("code_challenge_method", "S256");
    Request::get(query.finish())
}

/// Has a document for every URL.
struct Documents;

#[async_trait]
impl Outbound for Documents {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let document = format!(
            "{{\"client_id\":\"{}\",\"client_name\":\"An agent\",\"redirect_uris\":[\"{REDIRECT_URI}\"]}}",
            request.url()
        );
        let response = OutboundResponse::new(200, document).header("content-type", "application/json");
        Ok(response.header("cache-control", "max-age=86400"))
    }
}
