//! What the axum router costs on top of a bare axum handler that does the floor's work.
//!
//! Measured twice: in process, through `tower::Service`, and over HTTP on loopback, where only the CPU time
//! of the server's thread is counted. See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::panic)] // a failing bench should stop

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, Request, StatusCode, header};
use axum::routing::post;
use cpu_time::ThreadTime;
use support::floor::Floor;
use support::{CLIENT_CREDENTIALS, ready};
use tower::ServiceExt as _;

const TARGET: f64 = 1.2;
const CONNECTIONS: usize = 8;

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let (turns, requests) = if full { (31, 8_000) } else { (1, 80) };
    let contenders = [("bare axum", bare()), ("grantor", support::grantor::router())];
    println!("\nclient_credentials through axum: median of {turns} interleaved turns (least)");
    report("in process, CPU ns", &in_process(&contenders, turns, requests / 8));
    report("loopback HTTP, CPU ns", &over_http(&contenders, turns, requests));
    println!("target for the CPU over HTTP: at most {TARGET}");
}

/// The least that an axum program has to do to answer this request.
fn bare() -> Router {
    async fn token(
        State(floor): State<Arc<Floor>>,
        body: Bytes,
    ) -> ([(HeaderName, &'static str); 3], Vec<u8>) {
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
            (header::PRAGMA, "no-cache"),
        ];
        (headers, floor.client_credentials(&body))
    }
    Router::new().route("/token", post(token)).with_state(Arc::new(Floor::new()))
}

type Samples = Vec<f64>;

fn in_process(contenders: &[(&str, Router)], turns: usize, requests: usize) -> Vec<Samples> {
    in_turns(contenders, turns, |(_, router)| {
        let batch: Vec<_> = (0..requests).map(|_| request()).collect();
        let start = ThreadTime::now();
        for request in batch {
            let response = ready(router.clone().oneshot(request)).unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        }
        per_request(start.elapsed(), requests)
    })
}

fn request() -> Request<Body> {
    Request::post("/token")
        .header(header::HOST, "as.example.com")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::CONTENT_LENGTH, CLIENT_CREDENTIALS.len())
        .body(Body::from(CLIENT_CREDENTIALS))
        .unwrap()
}

fn over_http(contenders: &[(&str, Router)], turns: usize, requests: usize) -> Vec<Samples> {
    let mut servers: Vec<_> = contenders.iter().map(|(_, router)| Server::start(router.clone())).collect();
    let mut samples = vec![Vec::new(); servers.len()];
    for turn in 0..=turns {
        for (server, samples) in servers.iter_mut().zip(&mut samples) {
            let spent = server.serve(requests);
            if turn > 0 {
                samples.push(per_request(spent, requests));
            }
        }
    }
    samples
}

/// An axum server on a thread of its own, and keep-alive connections to it.
struct Server {
    /// `/proc/self/task/<thread>/schedstat`, whose first number is nanoseconds on a CPU.
    schedstat: String,
    connections: Vec<TcpStream>,
    answer_length: usize,
}

impl Server {
    fn start(router: Router) -> Self {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let thread = fs::read_link("/proc/thread-self").unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address: SocketAddr = listener.local_addr().unwrap();
                tell.send((format!("/proc/{}/schedstat", thread.display()), address)).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        let (schedstat, address) = told.recv().unwrap();
        let mut connections: Vec<_> =
            (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        for connection in &connections {
            connection.set_nodelay(true).unwrap();
        }
        let answer_length = first_answer(&mut connections[0]);
        Self { schedstat, connections, answer_length }
    }

    /// CPU time of the server's thread, kernel and user, for `requests` requests.
    fn serve(&mut self, requests: usize) -> Duration {
        let wire = wire();
        let mut answer = vec![0; self.answer_length];
        let before = self.cpu();
        for _ in 0..requests / CONNECTIONS {
            for connection in &mut self.connections {
                connection.write_all(wire.as_bytes()).unwrap();
            }
            for connection in &mut self.connections {
                connection.read_exact(&mut answer).unwrap();
                assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"\"}"));
            }
        }
        self.cpu() - before
    }

    fn cpu(&self) -> Duration {
        thread::sleep(Duration::from_millis(5)); // an idle thread's counter is up to date
        let line = fs::read_to_string(&self.schedstat).unwrap();
        let (nanoseconds, _) = line.split_once(' ').unwrap();
        Duration::from_nanos(nanoseconds.parse().unwrap())
    }
}

fn wire() -> String {
    format!(
        "POST /token HTTP/1.1\r\nhost: as.example.com\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{}",
        CLIENT_CREDENTIALS.len(),
        CLIENT_CREDENTIALS,
    )
}

/// All responses of one server have the same length: they differ only in random text of fixed length.
fn first_answer(connection: &mut TcpStream) -> usize {
    connection.write_all(wire().as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    while !answer.ends_with(b"\"}") {
        let length = connection.read(&mut piece).unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..length]);
    }
    answer.len()
}

fn in_turns<C>(contenders: &[C], turns: usize, mut one: impl FnMut(&C) -> f64) -> Vec<Samples> {
    let mut samples = vec![Vec::new(); contenders.len()];
    for turn in 0..=turns {
        for (contender, samples) in contenders.iter().zip(&mut samples) {
            let sample = one(contender);
            if turn > 0 {
                samples.push(sample); // the first turn warms the caches
            }
        }
    }
    samples
}

fn per_request(spent: Duration, requests: usize) -> f64 {
    spent.as_nanos() as f64 / requests as f64
}

fn report(what: &str, samples: &[Samples]) {
    let [bare, ours] = samples else { unreachable!("two contenders") };
    let [bare, ours] = [bare, ours].map(|samples| {
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        (sorted[sorted.len() / 2], sorted[0])
    });
    println!(
        "{what:24} bare {:>7.0} ({:>6.0})   grantor {:>7.0} ({:>6.0})   ratio {:.2} ({:.2})",
        bare.0,
        bare.1,
        ours.0,
        ours.1,
        ours.0 / bare.0,
        ours.1 / bare.1,
    );
}
