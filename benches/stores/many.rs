//! A million rows: written quickly, ended by the thousand, and purged while requests come in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use grantor::grant::Grant;
use grantor::store::Write;
use grantor::{GrantId, Subject, TokenStore};

use crate::Figures;
use crate::bare::Bare;
use crate::flows::{Flow, Server};

const AT_ONCE: usize = 1_000;

/// Writes this many live grants of as many users.
pub async fn seed(store: &dyn TokenStore, bare: &Bare, count: usize) {
    let begun = Instant::now();
    fill(store, bare, count, Utc::now().timestamp() + 86_400).await;
    if count > 0 {
        println!("{:>10}  rows written in {:.1?}", count, begun.elapsed());
    }
}

/// Ends all grants of one subject, and purges under load.
pub async fn report(server: &Arc<Server>, bare: &Bare, (grants, expired): (usize, usize)) {
    write(&*server.store, grants, |_| "busy".to_owned(), Utc::now().timestamp() + 86_400).await;
    let begun = Instant::now();
    let ended = server.server.revoke_subject(&Subject::user("busy")).await.unwrap();
    println!("revoke-all: {ended} grants of one subject in {:.2?}", begun.elapsed());
    assert_eq!(ended as usize, grants);

    fill(&*server.store, bare, expired, Utc::now().timestamp() - 3_600).await;
    purge(server, expired).await;
}

/// Seconds with and without a purge alternate, so that noise on the machine affects both.
async fn purge(server: &Arc<Server>, expired: usize) {
    let (mut idle, mut busy, mut took) = (Vec::new(), Vec::new(), Duration::ZERO);
    let mut last = None;
    while last.is_none() {
        idle.extend(traffic(server).await);
        let sweeping = {
            let server = server.clone();
            tokio::spawn(async move {
                let begun = Instant::now();
                let swept = tokio::time::timeout(WINDOW, server.server.sweep()).await;
                (swept.ok().map(Result::unwrap), begun.elapsed())
            })
        };
        busy.extend(traffic(server).await);
        let (swept, spent) = sweeping.await.unwrap();
        (last, took) = (swept, took + spent);
    }
    let (idle, busy) = (Figures::of(idle), Figures::of(busy));
    println!(
        "purge: {expired} rows in {took:.1?}; client_credentials meanwhile {}, idle {}: p99 {:.2} times idle",
        busy.text(),
        idle.text(),
        busy.late / idle.late
    );
}

const WINDOW: Duration = Duration::from_secs(1);

/// One request after the other, two milliseconds apart.
async fn traffic(server: &Server) -> Vec<Duration> {
    let (begun, mut samples) = (Instant::now(), Vec::new());
    while begun.elapsed() < WINDOW {
        let form = Flow::ClientCredentials.prepare(server).await;
        let asked = Instant::now();
        Flow::ClientCredentials.run(server, &form).await;
        samples.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    samples
}

/// Writes grants of as many users, which expire at this second.
async fn fill(store: &dyn TokenStore, bare: &Bare, count: usize, ends: i64) {
    if count > 0 && !bare.fill(count, &BODY.replace("1899999999", &ends.to_string()), ends).await {
        write(store, count, |number| format!("user-{number}"), ends).await;
    }
}

/// Writes live grants that expire at this second.
async fn write(store: &dyn TokenStore, count: usize, user: impl Fn(usize) -> String, ends: i64) {
    // Each was live when it was written.
    let at = Utc::now().min(DateTime::from_timestamp(ends - 100, 0).unwrap());
    for first in (0..count).step_by(AT_ONCE) {
        let grant = |number| {
            let body = BODY.replace("USER", &user(number)).replace("1899999999", &ends.to_string());
            Grant::decode(GrantId::new(rand::random()), &body).unwrap()
        };
        let writes: Vec<Write> =
            (first..count.min(first + AT_ONCE)).map(|number| Write::insert(grant(number), at)).collect();
        let commits = join_all(writes.iter().map(|write| store.commit(write))).await;
        assert!(commits.iter().all(Result::is_ok));
    }
}

/// A grant with one access token, as this crate writes it.
pub const BODY: &str = r#"{"v":1,"client":"bench-client","subject":{"user":"USER"},"scope":"read write","created":1700000000,"ends":1899999999,"stage":{"live":{"access":[{"digest":"ND-YLIvyr69RRbw_5DgPmMorHpFZsG2NQy1WnrSe9WM","issued":1700000000,"expires":1899999999}]}}}"#;
