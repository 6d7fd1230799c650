//! A layer refuses a request before its body is read; the client still gets the answer (RFC 9112 section 9.6).

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use grantor::Resource;
use grantor::adapter::http::{CrossOriginLayer, EndpointService, GuardLayer};
use grantor::http::MAX_BODY;
use grantor::resource::{Guard, Requirement};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::Fixture;
use crate::support::guarded::API;

/// The endpoints of a server, and an API whose guard refuses every request, because none has a token.
async fn api() -> SocketAddr {
    let server = Fixture::with(|builder| builder.resource(Resource::new(API))).server;
    let guard = Guard::builder(API).local(server.clone()).build().unwrap();
    let rule = guard.cross_origin().allow("https://app.example").unwrap();
    let app = Router::new()
        .route("/notes", post(async || "notes"))
        .layer(GuardLayer::new(guard, Requirement::any()))
        .layer(CrossOriginLayer::new(rule))
        .fallback_service(EndpointService::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}

/// Sends the head of a request with this much of a body, and then that body, a little later; returns the head
/// of the response, if there is one.
async fn answer(stream: &mut TcpStream, fields: &str, announced: usize, sent: usize) -> String {
    answer_at(stream, "/notes", fields, announced, sent).await
}

async fn answer_at(
    stream: &mut TcpStream,
    path: &str,
    fields: &str,
    announced: usize,
    sent: usize,
) -> String {
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: api.example\r\n{fields}content-length: {announced}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stream.write_all(&vec![b'a'; sent]).await.unwrap();
    let mut read = Vec::new();
    while !is_whole(&read) {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "cut off: {read:?}");
    }
    String::from_utf8(read).unwrap()
}

/// Whether a response has its end.
fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()) == Some(body.len())
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_open_where_the_body_is_short() {
    let stream = &mut TcpStream::connect(api().await).await.unwrap();
    for (fields, status) in [("", "401"), ("origin: https://evil.example\r\n", "403"), ("", "401")] {
        let answer = answer(stream, fields, 2_000, 2_000).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_refusal_says_that_it_ends_the_connection_where_the_body_is_not_read_to_its_end() {
    let api = api().await;
    let expects = "expect: 100-continue\r\n";
    for (fields, announced, sent) in
        [("", MAX_BODY + 1, MAX_BODY + 1), ("", 2_000, 1_000), (expects, 2_000, 0)]
    {
        let stream = &mut TcpStream::connect(api).await.unwrap();
        let answer = answer(stream, fields, announced, sent).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{announced}, {sent}: {answer}");
        assert!(answer.contains("connection: close"), "{announced}, {sent}: {answer}");
    }
}

#[tokio::test]
async fn a_service_says_too_that_it_ends_the_connection() {
    let api = api().await;
    for (path, length, status, ends) in [
        ("/token", MAX_BODY + 1, "413", true),
        ("/token", 2_000, "400", false),
        ("/elsewhere", MAX_BODY + 1, "404", true),
        ("/elsewhere", 2_000, "404", false),
    ] {
        let stream = &mut TcpStream::connect(api).await.unwrap();
        let answer = answer_at(stream, path, "", length, length).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}, {length}: {answer}");
        assert_eq!(answer.contains("connection: close"), ends, "{path}, {length}: {answer}");
    }
}
