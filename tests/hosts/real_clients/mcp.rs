//! The official Rust MCP SDK, which no one here wrote, against `examples/mcp_server`. Those of other
//! languages are in `tests/clients`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationCallback, AuthorizationRequest, OAuthState};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ServiceExt as _, object};
use serde_json::json;

use super::program::Server;
use super::user::User;
use crate::support::remote::{Remote, Says};

const DOCUMENT: &str = "https://client.example/oauth/rust.json";
const REDIRECT: &str = "http://localhost:54550/callback";

type Session = RunningService<RoleClient, ()>;

async fn started() -> (Server, Remote) {
    let document = json!({
        "client_id": DOCUMENT,
        "client_name": "A Rust agent",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let documents = Remote::saying(Says::json(document)).await;
    let mapped = format!("https://client.example={}", documents.address);
    (Server::of("grantor-mcp-server", &["127.0.0.1:0", &mapped]), documents)
}

/// The callback that alice's browser is sent to.
fn answered(server: &Server, url: &str) -> String {
    let callback = User::with_password(&server.issuer, "wonderland").authorize(url, "approve");
    assert_eq!(callback.base, REDIRECT);
    let parameters = ["code", "state", "iss"].map(|name| (name, callback.one(name)));
    format!("{REDIRECT}?{}", serde_urlencoded::to_string(parameters).unwrap())
}

async fn logged_in(
    server: &Server,
    request: AuthorizationRequest,
) -> (Session, AuthClient<reqwest::Client>, String) {
    let endpoint = format!("{}/mcp", server.issuer);
    let mut state = OAuthState::new(endpoint.as_str(), None).await.unwrap();
    state.start_authorization(request).await.unwrap();
    let url = state.get_authorization_url().await.unwrap();
    state.handle_callback_url(&answered(server, &url)).await.unwrap();
    let client = AuthClient::new(reqwest::Client::new(), state.into_authorization_manager().unwrap());
    let config = StreamableHttpClientTransportConfig::with_uri(endpoint);
    let session = ().serve(StreamableHttpClientTransport::with_client(client.clone(), config)).await.unwrap();
    (session, client, url)
}

fn parameter(url: &str, name: &str) -> String {
    let pairs = oauth2::url::Url::parse(url).unwrap();
    pairs.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn text(result: &CallToolResult) -> String {
    serde_json::to_value(result).unwrap()["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_sdk_logs_in_by_its_document_and_steps_up() {
    let (server, documents) = started().await;
    let request = AuthorizationRequest::new(REDIRECT).with_scopes(["notes:read"]);
    let (session, client, url) = logged_in(&server, request.with_client_metadata_url(DOCUMENT)).await;
    assert_eq!(parameter(&url, "client_id"), DOCUMENT);
    assert_eq!(parameter(&url, "resource"), format!("{}/mcp", server.issuer));
    assert_eq!(documents.calls(), 1, "one document for both requests");

    let add = || CallToolRequestParams::new("add_note").with_arguments(object!({ "text": "by rmcp" }));
    let refused = session.call_tool(add()).await.unwrap_err();
    let challenge = refused.auth_challenge().expect("a challenge").to_owned();
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("scope=\"notes:write\""),
        "{challenge}"
    );

    let manager = client.auth_manager.lock().await;
    let url = manager.request_scope_upgrade("notes:write").await.unwrap();
    assert_eq!(parameter(&url, "scope"), "notes:read notes:write");
    let callback = AuthorizationCallback::from_redirect_url(&answered(&server, &url)).unwrap();
    let AuthorizationCallback { code, csrf_token, issuer, .. } = callback;
    manager.exchange_code_for_token_with_issuer(&code, &csrf_token, issuer.as_deref()).await.unwrap();
    drop(manager);
    assert_eq!(text(&session.call_tool(add()).await.unwrap()), "added");
    let notes = session.call_tool(CallToolRequestParams::new("list_notes")).await.unwrap();
    assert_eq!(text(&notes), "by rmcp");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_sdk_registers_itself() {
    let (server, documents) = started().await;
    let request = AuthorizationRequest::new(REDIRECT).with_client_name("A Rust agent");
    let (session, _, url) = logged_in(&server, request).await;
    assert!(!parameter(&url, "client_id").starts_with("https://"));
    let tools = session.list_all_tools().await.unwrap();
    let mut names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["add_note", "list_notes"]);
    assert_eq!(documents.calls(), 0);
}

#[test]
fn a_stranger_is_refused_before_the_body_is_read() {
    let server = Server::of("grantor-mcp-server", &["127.0.0.1:0"]);
    let mut connection = TcpStream::connect(server.address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!("POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-length: 1048576\r\n\r\n", server.address);
    connection.write_all(head.as_bytes()).unwrap();
    let mut status = String::new();
    BufReader::new(connection).read_line(&mut status).unwrap();
    assert!(status.starts_with("HTTP/1.1 401 "), "{status}");
}
