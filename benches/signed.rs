//! Signed access tokens, issued and checked: the floor, this crate and two peers.
//!
//! See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::panic)] // a failing bench should stop

mod support;

use std::hint::black_box;
use std::iter::{repeat_n, repeat_with};
use std::sync::Arc;
use std::time::Duration;

use grantor::jose::{Algorithm, JwkSet};
use grantor::resource::{Guard, JwtVerifier, Requirement, StaticKeys};
use grantor::signing::Claims;
use grantor::{MemoryStore, Request};

use support::bare::{Bare, Published, split};
use support::table::{self, Work};
use support::{CLIENT_CREDENTIALS, Contender, ISSUER, Job, Population};
use support::{floor, grantor as ours, member, oauth_as, ready, timed};

/// Signed tokens presented to a guard.
const MET: usize = 1_024;

/// The floor, this crate, and the peers that can do it.
struct Row {
    target: f64,
    floor: Work,
    grantor: Work,
    oauth_as: Option<Work>,
    jsonwebtoken: Option<Work>,
}

/// The rows of the table with their names; a command-line argument selects those whose names contain it.
fn rows() -> Vec<(String, Box<dyn FnOnce() -> Row>)> {
    let mut rows: Vec<(String, Box<dyn FnOnce() -> Row>)> =
        vec![("opaque checked".to_owned(), Box::new(check_opaque))];
    for algorithm in Algorithm::ALL.iter().copied() {
        rows.push((format!("{algorithm} issued"), Box::new(move || issue(algorithm, true))));
        rows.push((format!("{algorithm} issued, unrecorded"), Box::new(move || issue(algorithm, false))));
        rows.push((format!("{algorithm} checked"), Box::new(move || check(algorithm))));
        rows.push((format!("{algorithm} checked again"), Box::new(move || check_again(algorithm))));
    }
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    rows.retain(|(name, _)| name.contains(&named));
    rows
}

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let turns = if full { table::turns() } else { 1 };
    println!("\nCPU ns per operation: median of {turns} interleaved turns (least)");
    print!("{:25}", "");
    ["floor", "grantor", "oauth-as", "jsonwebtoken"].iter().for_each(|name| print!("{name:>19}"));
    println!("{:>13}", "ours/floor");
    let mut all_met = true;
    for (name, row) in rows() {
        print!("{name:25}");
        all_met &= row().measure(turns);
    }
    println!("{}", if all_met { "every target is met" } else { "! marks a missed target" });
}

/// `client_credentials` with a signed token, compared with the response with an opaque one plus the bare
/// signature.
fn issue(algorithm: Algorithm, recorded: bool) -> Row {
    let mut floor = floor::Contestant::new();
    floor.reset();
    let bare = Bare::new(algorithm);
    let store = Arc::new(MemoryStore::new());
    ours::Contestant::over(Arc::clone(&store)).populate();
    let server = ours::signing_server(store, algorithm, recorded);
    let request = Request::post_form(CLIENT_CREDENTIALS);
    let token = member(&ready(server.token(&request)).body, "access_token");
    let (message, _) = split(&token);
    Row {
        target: 1.15,
        floor: Box::new(move |times| {
            let answers = floor.chunk(Job::ClientCredentials, times);
            answers + timed(repeat_n(&message, times), |message| bare.sign(message)).0
        }),
        grantor: Box::new(move |times| {
            let answered = |request| assert_eq!(ready(server.token(request)).status, 200);
            timed(repeat_n(&request, times), answered).0
        }),
        oauth_as: oauth_as::Contestant::signing(algorithm)
            .filter(|_| recorded)
            .map(|mut peer| Box::new(move |times| peer.chunk(Job::ClientCredentials, times)) as Work),
        jsonwebtoken: None,
    }
}

/// A guard in the server's own process, compared with one SHA-256 hash and one map read.
fn check_opaque() -> Row {
    let mut floor = floor::Contestant::new();
    let mut own = ours::Contestant::new();
    let mut peer = oauth_as::Contestant::new();
    floor.reset();
    own.reset();
    peer.reset();
    let guard = Guard::builder(ISSUER).local(own.server().clone()).build().unwrap();
    Row {
        target: 1.5,
        floor: Box::new(move |times| floor.chunk(Job::Bearer, times)),
        grantor: Box::new(move |times| checked(&guard, &calls(&own.sample(times)))),
        oauth_as: Some(Box::new(move |times| peer.chunk(Job::Bearer, times))),
        jsonwebtoken: None,
    }
}

/// A guard that has the published keys, compared with the bare verification with a parsed key.
fn check(algorithm: Algorithm) -> Row {
    let Issued { tokens, jwks } = Issued::new(algorithm);
    let guard = guard(&jwks, 0);
    let (verify, decode) = (verification(algorithm, &jwks), jsonwebtoken(algorithm, &jwks));
    let [floors, owns, peers] = [&tokens; 3].map(|tokens| Population::of(tokens.clone()));
    Row {
        target: 1.2,
        floor: Box::new(move |times| verify(&floors.sample(times))),
        grantor: Box::new(move |times| checked(&guard, &calls(&owns.sample(times)))),
        oauth_as: None,
        jsonwebtoken: Some(Box::new(move |times| decode(&peers.sample(times)))),
    }
}

/// The same for tokens that the guard has seen before; oauth-as looks them up by their text.
fn check_again(algorithm: Algorithm) -> Row {
    let Issued { tokens, jwks } = Issued::new(algorithm);
    let guard = guard(&jwks, 10_000);
    checked(&guard, &calls(&tokens));
    let verify = verification(algorithm, &jwks);
    let [floors, owns] = [&tokens; 2].map(|tokens| Population::of(tokens.clone()));
    Row {
        target: 1.2,
        floor: Box::new(move |times| verify(&floors.sample(times))),
        grantor: Box::new(move |times| checked(&guard, &calls(&owns.sample(times)))),
        oauth_as: oauth_as::Contestant::signing(algorithm).map(|mut peer| {
            peer.populate(MET);
            Box::new(move |times| peer.chunk(Job::Bearer, times)) as Work
        }),
        jsonwebtoken: None,
    }
}

/// What a server has signed, and its key set.
struct Issued {
    tokens: Vec<String>,
    jwks: Vec<u8>,
}

impl Issued {
    fn new(algorithm: Algorithm) -> Self {
        let server = ours::signing_server(MemoryStore::new(), algorithm, false);
        let request = Request::post_form(CLIENT_CREDENTIALS);
        let token = || member(&ready(server.token(&request)).body, "access_token");
        let met = if cfg!(debug_assertions) { 4 } else { MET };
        Self { tokens: repeat_with(token).take(met).collect(), jwks: ready(server.jwks()).body }
    }
}

fn guard(jwks: &[u8], remember: usize) -> Guard {
    let keys = JwkSet::parse(std::str::from_utf8(jwks).unwrap()).unwrap();
    let verifier = JwtVerifier::new(ISSUER, StaticKeys::new(&keys)).remember(remember);
    Guard::builder(ISSUER).verifier(verifier).build().unwrap()
}

fn calls(tokens: &[String]) -> Vec<Request> {
    let call = |token| Request::get("").header("authorization", format!("Bearer {token}"));
    tokens.iter().map(call).collect()
}

fn checked(guard: &Guard, calls: &[Request]) -> Duration {
    let needed = Requirement::scopes(["read"]);
    timed(calls, |call| ready(guard.check(call, &needed)).unwrap()).0
}

fn verification(algorithm: Algorithm, jwks: &[u8]) -> impl Fn(&[String]) -> Duration + use<> {
    let published = Published::parse(jwks, algorithm);
    move |tokens| {
        let split: Vec<_> = tokens.iter().map(|token| split(token)).collect();
        timed(&split, |(message, signature)| published.verify(message, signature)).0
    }
}

fn jsonwebtoken(algorithm: Algorithm, jwks: &[u8]) -> impl Fn(&[String]) -> Duration + use<> {
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(jwks).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&set.keys[0]).unwrap();
    let mut validation = jsonwebtoken::Validation::new(algorithm.as_str().parse().unwrap());
    validation.set_audience(&[ISSUER]);
    validation.set_issuer(&[ISSUER]);
    move |tokens| {
        let decode = |token: &String| {
            black_box(jsonwebtoken::decode::<Claims>(token, &key, &validation).unwrap());
        };
        timed(tokens, decode).0
    }
}

impl Row {
    fn measure(self, turns: usize) -> bool {
        let Self { target, floor, grantor, oauth_as, jsonwebtoken } = self;
        let mut works = [Some(floor), Some(grantor), oauth_as, jsonwebtoken];
        let figures = table::in_turns(works.len(), turns, |at| {
            let spent = works[at].as_mut()?(table::FEW);
            Some(spent.as_nanos() as f64 / table::FEW as f64)
        });
        figures.iter().for_each(|figures| table::print(figures.as_ref()));
        let [Some(floor), Some(own), ..] = &figures[..] else { unreachable!("both always take part") };
        let ratio = own.least / floor.least;
        println!("{ratio:>12.2}{}", if ratio <= target { ' ' } else { '!' });
        ratio <= target
    }
}
