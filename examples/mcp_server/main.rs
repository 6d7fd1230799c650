//! An MCP server that Claude, ChatGPT, VS Code and every other MCP client can log in to: its tools and their
//! authorization server in one process. `cargo run -p grantor-mcp-server`, and give a client
//! `http://127.0.0.1:9480/mcp`.

mod pages;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use grantor::adapter::axum::{CrossOriginLayer, GuardLayer, guard_routes, read_parts, router};
use grantor::outbound::HttpOutbound;
use grantor::resource::{Access, Guard, Requirement};
use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore, Profile, Resource};
use rmcp::handler::server::{common::Extension, wrapper::Parameters};
use rmcp::transport::streamable_http_server::{StreamableHttpService, session::local::LocalSessionManager};
use rmcp::{schemars, tool, tool_router};
use serde_json::Value;
use tokio::time::timeout;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9480".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await;
    let listener = listener.map_err(|error| format!("{address}: {error}"))?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let resource = format!("{issuer}/mcp");

    // Clients are identified by the URL of their metadata document, or register themselves: no manual
    // registration.
    let registry = Arc::new(MemoryRegistry::default());
    let server = AuthorizationServer::builder(&issuer)
        .allow_http_loopback() // in production the issuer is https
        .profile(Profile::Mcp)
        .clients(registry.clone())
        .registrar(registry)
        .client_id_metadata_documents(outbound(arguments)?)
        .store(MemoryStore::new())
        .scopes(["notes:read", "notes:write"])
        .resource(Resource::new(&resource))
        .authorization_endpoint("/authorize")
        .build()?;
    let guard = Guard::builder(&resource)
        .allow_http_loopback()
        .local(server.clone())
        .scopes(["notes:read"]) // what a client asks for first; the challenge of a tool names the rest
        .scope_implies("notes:write", ["notes:read"])
        .build()?;

    let sweeper = server.clone().keep_sweeping(Duration::from_secs(60));

    let notes = Notes::default();
    let tools = move || Ok(notes.clone());
    let tools =
        StreamableHttpService::new(tools, Arc::new(LocalSessionManager::default()), Default::default());
    let app = Router::new()
        .route_service("/mcp", tools)
        .layer(from_fn_with_state(guard.clone(), step_up))
        // checks the token before anything keeps the body, so strangers cannot fill the memory
        .layer(GuardLayer::new(guard.clone(), Requirement::scopes(["notes:read"])))
        .layer(CrossOriginLayer::new(guard.cross_origin())) // preflight requests, and pages of other origins
        .merge(pages::routes(server.clone())) // your login and your consent page
        .merge(guard_routes([guard])) // RFC 9728
        .merge(router(server)); // token, revocation, registration, metadata
    tokio::spawn(sweeper); // removes expired grants, and registered clients that no one uses
    println!("grantor example MCP server listening on {issuer}/mcp");
    Ok(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

/// The tool that writes needs an additional scope: the challenge names it, and the client retries with it.
async fn step_up(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match permitted(&guard, request).await {
        Ok(request) => next.run(request).await,
        Err(answer) => answer,
    }
}

/// The service gets the call as it was parsed here, so it cannot parse the body as a different call.
async fn permitted(guard: &Guard, request: Request) -> Result<Request, Response> {
    let (mut parts, body) = request.into_parts();
    let body = read_body(body, BODY_DEADLINE).await.map_err(IntoResponse::into_response)?;
    let call: Option<Value> = serde_json::from_slice(&body).ok();
    let writes = call.as_ref().is_some_and(|call| call.is_array() || call["params"]["name"] == "add_note");
    let may_write = |access: &Access| guard.permits(access, "notes:write");
    if writes && !parts.extensions.get().is_some_and(may_write) {
        let needed = Requirement::scopes(["notes:write"]);
        let checked = guard.check(&read_parts(&parts), &needed).await;
        parts.extensions.insert(checked.map_err(IntoResponse::into_response)?);
    }
    parts.headers.remove("content-length");
    let body = call.map_or_else(Body::empty, |call| Body::from(call.to_string()));
    Ok(Request::from_parts(parts, body))
}

const BODY_DEADLINE: Duration = Duration::from_secs(10);

async fn read_body(body: Body, deadline: Duration) -> Result<Bytes, StatusCode> {
    let read = timeout(deadline, to_bytes(body, 1 << 20)).await;
    read.map_err(|_| StatusCode::REQUEST_TIMEOUT)?.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

/// The tools: each user has their own notes.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(String, String)>>>);

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Note {
    text: String,
}

#[tool_router(server_handler)]
impl Notes {
    #[tool(description = "Lists the user's notes.")]
    fn list_notes(&self, Extension(request): Extension<axum::http::request::Parts>) -> String {
        let notes = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let own = notes.iter().filter(|(of, _)| *of == user(&request));
        own.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n")
    }

    #[tool(description = "Adds a note.")]
    fn add_note(
        &self,
        Parameters(Note { text }): Parameters<Note>,
        Extension(request): Extension<axum::http::request::Parts>,
    ) -> String {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((user(&request), text));
        "added".to_owned()
    }
}

/// The subject of the token.
fn user(request: &axum::http::request::Parts) -> String {
    let access = request.extensions.get::<Access>();
    access.and_then(Access::user).unwrap_or_default().to_owned()
}

/// Fetches client ID metadata documents. For tests, arguments of the form
/// `https://client.example=127.0.0.1:8080` replace an origin by a server on this machine.
fn outbound(mapped: impl Iterator<Item = String>) -> Result<HttpOutbound, Box<dyn Error>> {
    let mut outbound = HttpOutbound::builder();
    for argument in mapped {
        let (origin, address) = argument.split_once('=').ok_or("expected ORIGIN=ADDRESS")?;
        outbound = outbound.map(origin, address.parse::<SocketAddr>()?);
    }
    Ok(outbound.build()?)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
        let read = read_body(endless, Duration::from_millis(1)).await;
        assert_eq!(read, Err(StatusCode::REQUEST_TIMEOUT));
        let long = read_body(Body::from(vec![0_u8; (1 << 20) + 1]), BODY_DEADLINE).await;
        assert_eq!(long, Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(read_body(Body::from("{}"), BODY_DEADLINE).await.unwrap(), "{}");
    }
}
