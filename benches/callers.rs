//! Throughput with concurrent callers: client_credentials on SQLite by many callers at once, compared with a
//! bare program that inserts the same rows in transactions of as many rows; and again while expired grants
//! are purged.
//!
//! See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing bench should stop

#[path = "support/closed_loop.rs"]
mod closed_loop;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::Utc;
use grantor::store::{Filter, Page, SqliteStore};
use grantor::{AuthMethod, AuthorizationServer, Client, GrantType, MemoryRegistry, TokenStore};
use rusqlite::{Connection, params};

use closed_loop::{ask, closed_loop, median, percentile};

const CALLERS: [usize; 4] = [1, 8, 64, 256];
const FORM: &str = "grant_type=client_credentials&client_id=bench-client&client_secret=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWo\
     &scope=read+write";

/// How long each contender runs at a time, and how many turns it gets.
#[derive(Clone, Copy)]
struct Scale {
    window: Duration,
    turns: usize,
    expired: i64,
}

fn main() {
    let scale = match std::env::args().any(|argument| argument == "--bench") {
        true => Scale { window: Duration::from_millis(500), turns: 7, expired: 50_000 },
        // Under `cargo test --benches`, only check that everything runs.
        false => Scale { window: Duration::from_millis(20), turns: 1, expired: 200 },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = Folder::new();
    runtime.block_on(rates(&folder.0, scale));
    runtime.block_on(purging(&folder.0, scale));
}

/// The contenders take turns, so that noise on the machine affects both.
async fn rates(folder: &Path, scale: Scale) {
    let store = SqliteStore::open(folder.join("grants.db").to_str().unwrap()).await.unwrap();
    let server = server(store.clone());
    ask(&server, FORM).await;
    let listing = store.list(&Filter::default(), Page::first(1)).await.unwrap();
    let body = listing.records[0].grant().encode();
    // A separate file with the same tables and the same settings.
    let floor_path = folder.join("floor.db");
    SqliteStore::open(floor_path.to_str().unwrap()).await.unwrap().close().await;
    let floor = Connection::open(&floor_path).unwrap();
    floor.pragma_update(None, "synchronous", "FULL").unwrap();

    let mut rows = CALLERS.map(|_| (Vec::new(), Vec::new(), Vec::new()));
    for _ in 0..scale.turns {
        for (callers, (ours, bare, samples)) in CALLERS.into_iter().zip(&mut rows) {
            let begun = Instant::now();
            let turn = latencies(&server, callers, scale.window).await;
            ours.push(turn.len() as f64 / begun.elapsed().as_secs_f64());
            samples.extend(turn);
            bare.push(tokio::task::block_in_place(|| inserted(&floor, &body, callers, scale.window)));
        }
    }
    println!("\nsqlite (WAL, synchronous=FULL): client_credentials, median of {} turns", scale.turns);
    println!(
        "{:>8}{:>12}{:>10}{:>12}{:>10}{:>10}{:>10}{:>10}",
        "callers", "a second", "to one", "bare", "to bare", "p50 ms", "p99 ms", "p99/p50"
    );
    let one = median(&mut rows[0].0);
    for (callers, (mut ours, mut bare, mut samples)) in CALLERS.into_iter().zip(rows) {
        let (rate, floor) = (median(&mut ours), median(&mut bare));
        let (p50, p99) = (percentile(&mut samples, 50), percentile(&mut samples, 99));
        println!(
            "{callers:>8}{rate:>12.0}{:>10.1}{floor:>12.0}{:>10.2}{p50:>10.2}{p99:>10.2}{:>10.1}",
            rate / one,
            rate / floor,
            p99 / p50
        );
    }
}

/// How long callers wait while expired grants are purged and while none are, in turns.
async fn purging(folder: &Path, scale: Scale) {
    let path = folder.join("purged.db");
    let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
    let server = server(store);
    let fill = Connection::open(&path).unwrap();
    let ended = Utc::now().timestamp() - 3_600;
    fill.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
         INSERT INTO grantor_grants (space, id, version, body, expires, client, subject) \
         SELECT '', randomblob(16), 0, printf('%.*c', 600, 'x'), $2, 'bench-client', 'user:user-' || i FROM n",
        params![scale.expired, ended],
    )
    .unwrap();
    drop(fill);
    for callers in [1, 64] {
        let (mut idle, mut busy, mut purged) = (Vec::new(), Vec::new(), 0);
        for _ in 0..scale.turns {
            idle.extend(latencies(&server, callers, scale.window).await);
            let sweep = {
                let server = server.clone();
                tokio::spawn(async move {
                    let begun = Instant::now();
                    let _ = tokio::time::timeout(scale.window, server.sweep()).await;
                    begun.elapsed()
                })
            };
            busy.extend(latencies(&server, callers, scale.window).await);
            purged += usize::from(sweep.await.unwrap() >= scale.window);
        }
        let (idle_99, busy_99) = (percentile(&mut idle, 99), percentile(&mut busy, 99));
        println!(
            "purge, {callers} callers: p99 {busy_99:.2} ms, idle {idle_99:.2} ms: {:.2} times idle ({purged} of {} turns purged to their end)",
            busy_99 / idle_99,
            scale.turns
        );
    }
}

/// The time of each request of this many callers, in milliseconds.
async fn latencies(server: &AuthorizationServer, callers: usize, window: Duration) -> Vec<f64> {
    let samples = closed_loop(server, FORM, callers, window).await;
    samples.into_iter().map(|sample| sample.as_secs_f64() * 1e3).collect()
}

/// The floor: rows per second inserted by one thread, with this many in each transaction.
fn inserted(connection: &Connection, body: &str, at_once: usize, window: Duration) -> f64 {
    let begun = Instant::now();
    let mut rows = 0;
    while begun.elapsed() < window {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut insert = connection
            .prepare_cached(
                "INSERT INTO grantor_grants (space, id, version, body, expires, client, subject) \
                 VALUES ('', $1, 0, $2, 2000000000, 'bench-client', 'client:bench-client') ON CONFLICT DO NOTHING",
            )
            .unwrap();
        for _ in 0..at_once {
            let id = rand::random::<[u8; 16]>();
            rows += insert.execute(params![&id[..], body]).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
    }
    rows as f64 / begun.elapsed().as_secs_f64()
}

fn server(store: impl TokenStore + 'static) -> AuthorizationServer {
    let client = Client::builder("bench-client")
        .secret("Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWo")
        .auth_method(AuthMethod::ClientSecretPost)
        .grant_types([GrantType::ClientCredentials])
        .scope("read write");
    let clients = MemoryRegistry::new([client.build().unwrap()]);
    let server = AuthorizationServer::builder("https://as.example.com")
        .clients(clients)
        .store(store)
        .scopes(["read", "write"]);
    server.build().unwrap()
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("grantor-callers-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
