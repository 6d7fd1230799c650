//! Keep-alive connections over HTTP/1.1 on loopback, each with one request after the other.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A whole answer, as it came over the wire, and how long it took.
pub struct Answer {
    pub wire: Vec<u8>,
    pub took: Duration,
}

/// A request as it goes over the wire: a form, or a `GET` where there is none.
pub fn request(target: &str, form: Option<&str>, authorization: Option<&str>) -> Vec<u8> {
    let method = if form.is_some() { "POST" } else { "GET" };
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: as.example.com\r\n");
    if let Some(authorization) = authorization {
        text += &format!("authorization: {authorization}\r\n");
    }
    if let Some(form) = form {
        let length = form.len();
        text += &format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n");
    }
    text += "\r\n";
    text += form.unwrap_or_default();
    text.into_bytes()
}

/// A server may close one that is idle, so each round has new ones.
pub async fn connect(port: u16, count: usize) -> Vec<TcpStream> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        connection.set_nodelay(true).unwrap();
        connections.push(connection);
    }
    connections
}

/// Sends every request, each on the first connection that is free.
pub async fn closed_loop(connections: &mut [TcpStream], requests: &[Vec<u8>]) -> Vec<Answer> {
    let next = std::cell::RefCell::new(requests.iter());
    let callers: FuturesUnordered<_> = connections
        .iter_mut()
        .map(|connection| async {
            let mut answers = Vec::with_capacity(requests.len());
            loop {
                let Some(request) = next.borrow_mut().next() else { return answers };
                answers.push(ask(connection, request).await);
            }
        })
        .collect();
    callers.collect::<Vec<_>>().await.into_iter().flatten().collect()
}

async fn ask(connection: &mut TcpStream, request: &[u8]) -> Answer {
    let asked = Instant::now();
    connection.write_all(request).await.unwrap();
    let mut wire = Vec::with_capacity(1_024);
    while !is_whole(&wire) {
        let length = connection.read_buf(&mut wire).await.unwrap();
        assert_ne!(length, 0, "closed after {}", String::from_utf8_lossy(&wire));
    }
    Answer { wire, took: asked.elapsed() }
}

/// Every contender sends the length of its body.
fn is_whole(wire: &[u8]) -> bool {
    let Some(end) = wire.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = std::str::from_utf8(&wire[..end]).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    wire.len() == end + 4 + length.unwrap_or_else(|| panic!("no content-length: {head}"))
}
