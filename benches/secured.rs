//! High security: an assertion, a DPoP proof at a guard and a pushed request, each compared with the least
//! work that it needs.
//!
//! See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::panic)] // a failing bench should stop

mod support;

use std::hint::black_box;
use std::iter::repeat_n;

use grantor::jose::Algorithm;
use grantor::resource::{Guard, Requirement};
use grantor::{AuthorizationServer, Login, MemoryStore, Request};
use sha2::{Digest as _, Sha256};

use support::bare::split;
use support::secured::{NOTES, Prover, push, server, visit};
use support::table::{self, Pair, Work};
use support::{member, ready, timed, timed_keeping};

fn main() {
    let mut rows: Vec<Pair> = Vec::new();
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        rows.push((format!("{algorithm} assertion"), 1.2, Box::new(move || assertion(algorithm))));
        rows.push((format!("{algorithm} proof"), 1.25, Box::new(move || proof(algorithm))));
    }
    rows.push(("pushed".to_owned(), 2.2, Box::new(pushed)));
    table::measure_pairs(rows);
}

/// `client_credentials` with an assertion, compared with the same with a secret plus the bare verification.
fn assertion(algorithm: Algorithm) -> [Work; 2] {
    let prover = Prover::new(algorithm);
    let server = server(&prover, MemoryStore::new());
    let (message, signature) = split(&prover.assertion());
    let (by_secret, published) = (server.clone(), prover.published());
    let answered = |server: &AuthorizationServer, request: &Request| {
        assert_eq!(ready(server.token(request)).status, 200);
    };
    [
        Box::new(move |times| {
            let request = Request::post_form(support::CLIENT_CREDENTIALS);
            let answers = timed(repeat_n(&request, times), |request| answered(&by_secret, request)).0;
            answers + timed(0..times, |_| published.verify(&message, &signature)).0
        }),
        Box::new(move |times| {
            let requests: Vec<_> = (0..times).map(|_| prover.by_assertion()).collect();
            timed(&requests, |request| answered(&server, request)).0
        }),
    ]
}

/// A guard that checks a bound token and its proof, compared with the bare verification plus two SHA-256
/// hashes.
fn proof(algorithm: Algorithm) -> [Work; 2] {
    let prover = Prover::new(algorithm);
    let server = server(&prover, MemoryStore::new());
    let token = member(&ready(server.token(&prover.bound())).body, "access_token");
    let guard = Guard::builder(support::ISSUER).local(server).build().unwrap();
    let published = prover.published();
    let (message, signature) = split(&prover.proof("GET", NOTES, Some(&token)));
    let (hashed, thumbprint) = (token.clone(), vec![b'k'; 128]);
    let needed = Requirement::scopes(["read"]);
    [
        Box::new(move |times| {
            let verify = |_| {
                published.verify(&message, &signature);
                black_box([Sha256::digest(&hashed), Sha256::digest(&thumbprint)]);
            };
            timed(0..times, verify).0
        }),
        Box::new(move |times| {
            let calls: Vec<_> = (0..times).map(|_| prover.call(&token)).collect();
            timed(&calls, |call| ready(guard.check(call, &needed)).unwrap()).0
        }),
    ]
}

/// A pushed request and the code for it, compared with the code for a plain request.
fn pushed() -> [Work; 2] {
    let server = server(&Prover::new(Algorithm::Es256), MemoryStore::new());
    let plain = server.clone();
    let approved = |server: &AuthorizationServer, query: &str| {
        let login = Login::new(support::SUBJECT, std::time::SystemTime::now().into());
        let authorization = ready(server.authorize(&Request::get(query))).unwrap();
        let consent = ready(authorization.signed_in(login)).consent().unwrap();
        assert_eq!(ready(consent.approve()).status, 303);
    };
    [
        Box::new(move |times| timed(0..times, |_| approved(&plain, support::AUTHORIZE)).0),
        Box::new(move |times| {
            let request = push();
            let pushed = |request: &Request| {
                let answer = ready(server.pushed_authorization_request(request));
                assert_eq!(answer.status, 201);
                answer.body
            };
            let (pushes, answers) = timed_keeping(repeat_n(&request, times), pushed);
            // The client reads the request_uri, so this is not measured.
            let queries: Vec<String> = answers.iter().map(|body| visit(body)).collect();
            pushes + timed(&queries, |query| approved(&server, query)).0
        }),
    ]
}
