//! A proof and a certificate at once: RFC 9449 and RFC 8705 in one request.

use grantor::http::Request;
use grantor::{Client, GrantType, MemoryRegistry};
use serde_json::Value;

use crate::support::certificates::Identity;
use crate::support::guarded::call;
use crate::support::proving::{Prover, configured};
use crate::support::{Answer, Fixture, SECRET, basic, encode};

/// The client that registered these bindings.
fn name(dpop: bool, certificate: bool) -> String {
    format!("client {dpop} {certificate}")
}

fn fixture() -> Fixture {
    let client = |dpop, certificate| {
        let client = Client::builder(name(dpop, certificate)).secret(SECRET);
        let client = client.grant_types([GrantType::ClientCredentials]).dpop_bound_access_tokens(dpop);
        client.certificate_bound_access_tokens(certificate).build().unwrap()
    };
    let all = [(false, false), (true, false), (false, true), (true, true)].map(|(d, c)| client(d, c));
    configured(|builder| builder.clients(MemoryRegistry::new(all)).certificate_bound_access_tokens())
}

fn with(request: Request, proof: Option<String>, shown: Option<&Identity>) -> Request {
    let request = proof.into_iter().fold(request, |request, proof| request.header("dpop", proof));
    shown.into_iter().fold(request, |request, shown| request.with_certificate(shown.shown()))
}

async fn asks(fixture: &Fixture, client: &str, prover: Option<&Prover>, shown: Option<&Identity>) -> Answer {
    let request = Request::post_form(encode(&[("grant_type", "client_credentials")]));
    let request = request.header("authorization", basic(client, SECRET));
    Answer(fixture.server.token(&with(request, prover.map(Prover::for_token), shown)).await)
}

#[tokio::test]
async fn dp_20_what_is_registered_is_required_and_each_proven_key_binds() {
    let (fixture, prover, own) = (fixture(), Prover::new(), Identity::self_signed("own"));
    // What is registered, what the request proves, and the keys of the token; none of a refusal.
    for (registered, proves, bound) in [
        ((false, false), (false, false), Some((false, false))),
        ((false, false), (true, false), Some((true, false))),
        ((false, false), (false, true), Some((false, false))),
        ((false, false), (true, true), Some((true, false))),
        ((true, false), (false, false), None),
        ((true, false), (true, false), Some((true, false))),
        ((true, false), (false, true), None),
        ((true, false), (true, true), Some((true, false))),
        ((false, true), (false, false), None),
        ((false, true), (true, false), None),
        ((false, true), (false, true), Some((false, true))),
        ((false, true), (true, true), Some((true, true))),
        ((true, true), (false, false), None),
        ((true, true), (true, false), None),
        ((true, true), (false, true), None),
        ((true, true), (true, true), Some((true, true))),
    ] {
        let client = name(registered.0, registered.1);
        let answer = asks(&fixture, &client, proves.0.then_some(&prover), proves.1.then_some(&own)).await;
        let what = format!("registered {registered:?}, proves {proves:?}");
        let Some((jkt, x5t)) = bound else {
            assert_eq!(answer.status(), 400, "{what}");
            continue;
        };
        assert_eq!(answer.status(), 200, "{what}: {}", answer.json());
        assert_eq!(answer.text("token_type"), if jkt { "DPoP" } else { "Bearer" }, "{what}");
        let asked = Request::post_form(encode(&[("token", &answer.access_token())]));
        let asked = asked.header("authorization", basic(&client, SECRET));
        let seen: Value = Answer(fixture.server.introspect(&asked).await).json();
        let keys = &seen["cnf"];
        assert_eq!((keys.get("jkt").is_some(), keys.get("x5t#S256").is_some()), (jkt, x5t), "{what}");
        assert_checks(&fixture, &answer.access_token(), (jkt, x5t), &prover, &own, &what).await;
    }
}

/// A token passes with all of its keys, and not without one of them.
async fn assert_checks(
    fixture: &Fixture,
    token: &str,
    bound: (bool, bool),
    prover: &Prover,
    own: &Identity,
    what: &str,
) {
    let other = (Prover::new(), Identity::self_signed("own"));
    for (by_proof, by_certificate) in [(true, true), (true, false), (false, true), (false, false)] {
        let (key, shown) =
            (if by_proof { prover } else { &other.0 }, if by_certificate { own } else { &other.1 });
        let request = match bound.0 {
            true => key.call(token, "https://as.example", "/me"),
            false => call(token),
        };
        let passes = (by_proof || !bound.0) && (by_certificate || !bound.1);
        let passed = fixture.server.protect(&request.with_certificate(shown.shown()), &[]).await;
        assert_eq!(passed.is_ok(), passes, "{what}: proof {by_proof}, certificate {by_certificate}");
    }
}
