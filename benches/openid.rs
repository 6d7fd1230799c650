//! OpenID Connect: a response with an `id_token` and a UserInfo response, each compared with the least work
//! that it needs.
//!
//! See `benches/README.md`.

#![allow(missing_docs, unreachable_pub, missing_debug_implementations)] // benches have no API
#![allow(clippy::unwrap_used, clippy::panic)] // a failing bench should stop

mod support;

use grantor::jose::Algorithm;
use grantor::resource::{Guard, Requirement};
use grantor::{AuthorizationServer, Request};

use support::bare::{Bare, split};
use support::grantor::{OpenId, claims_of_alice, openid_server};
use support::table::{self, Pair, Work};
use support::{Population, member, ready, redeem_body, timed};

/// Access tokens presented to UserInfo.
const MET: usize = 1_024;

fn main() {
    let row = |algorithm: Algorithm| -> Pair {
        (format!("{algorithm} id_token"), 1.15, Box::new(move || id_token(algorithm)))
    };
    let mut rows: Vec<Pair> = Algorithm::ALL.iter().copied().map(row).collect();
    rows.push(("UserInfo".to_owned(), 1.5, Box::new(userinfo)));
    table::measure_pairs(rows);
}

/// The response to a code, compared with a response without an `id_token` plus the bare signature.
fn id_token(algorithm: Algorithm) -> [Work; 2] {
    let bare = Bare::new(algorithm);
    let server = openid_server(algorithm);
    let answer = ready(server.token(&redemptions(&server, OpenId::Asked, 1)[0]));
    let (message, _) = split(&member(&answer.body, "id_token"));
    let plain = server.clone();
    let redeem = |server: &AuthorizationServer, requests: &[Request]| {
        timed(requests, |request| assert_eq!(ready(server.token(request)).status, 200)).0
    };
    [
        Box::new(move |times| {
            let answers = redeem(&plain, &redemptions(&plain, OpenId::Plain, times));
            answers + timed(0..times, |_| bare.sign(&message)).0
        }),
        Box::new(move |times| redeem(&server, &redemptions(&server, OpenId::Asked, times))),
    ]
}

/// UserInfo, compared with a guard that checks the same token plus the JSON of the same claims, which the host
/// makes for both.
fn userinfo() -> [Work; 2] {
    let server = openid_server(Algorithm::Es256);
    let met = if cfg!(debug_assertions) { 4 } else { MET };
    let answers = redemptions(&server, OpenId::Asked, met);
    let tokens = answers.iter().map(|request| member(&ready(server.token(request)).body, "access_token"));
    let tokens: Vec<String> = tokens.collect();
    let [floors, owns] = [&tokens; 2].map(|tokens| Population::of(tokens.clone()));
    let guard = Guard::builder(support::ISSUER).local(server.clone()).build().unwrap();
    let needed = Requirement::scopes(["openid"]);
    [
        Box::new(move |times| {
            let check = |call: &Request| {
                ready(guard.check(call, &needed)).unwrap();
                let mut claims = claims_of_alice();
                claims.insert("sub".to_owned(), support::SUBJECT.into());
                serde_json::to_vec(&claims).unwrap()
            };
            timed(&calls(&floors.sample(times)), check).0
        }),
        Box::new(move |times| {
            let answered = |call: &Request| assert_eq!(ready(server.userinfo(call)).status, 200);
            timed(&calls(&owns.sample(times)), answered).0
        }),
    ]
}

/// Requests that each redeem a fresh code.
fn redemptions(server: &AuthorizationServer, openid: OpenId, times: usize) -> Vec<Request> {
    let codes = (0..times).map(|_| support::grantor::code_of_request(server, openid.query()));
    codes.map(|code| Request::post_form(redeem_body(&code))).collect()
}

fn calls(tokens: &[String]) -> Vec<Request> {
    let call = |token| Request::get("").header("authorization", format!("Bearer {token}"));
    tokens.iter().map(call).collect()
}
