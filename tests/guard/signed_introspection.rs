//! A guard that asks for signed answers (RFC 9701), and answers that do not count.

use std::time::Duration;

use grantor::jose::{self, Algorithm, SigningKey};
use grantor::keys::JwtSigner;
use grantor::outbound::OutboundResponse;
use grantor::resource::{Credentials, Discovery, FetchedKeys, Introspection, Requirement, StaticKeys};
use grantor::{Reason, Resource, Subject};
use serde_json::{Value, json};

use crate::support::guarded::{API, Api, b64, changed, forged, set};
use crate::support::provider::keys;
use crate::support::scripted::{Behind, Scripted};
use crate::support::{Fixture, ISSUER, SECRET, TestClock, code_query};

const TYPE: &str = "token-introspection+jwt";

fn credentials() -> Credentials {
    Credentials::secret("robot", SECRET)
}

/// A valid answer, with these changes at its top.
fn answer(changes: Value) -> Value {
    let seen = json!({
        "active": true, "iss": ISSUER, "sub": "alice", "sub_type": "user", "aud": API, "client_id": "conf",
        "token_type": "Bearer", "scope": "read", "iat": TestClock::START, "exp": TestClock::START + 600,
    });
    let answer =
        json!({ "iss": ISSUER, "aud": "robot", "iat": TestClock::START, "token_introspection": seen });
    changed(answer, changes)
}

fn asking(issuer: &Scripted, key: &SigningKey) -> Api {
    let asking = Introspection::at("https://as.example/introspect", issuer.clone(), credentials());
    let asking = asking.issuer(ISSUER).max_age(Duration::ZERO);
    Api::with(|builder| builder.verifier(asking.signed("robot", StaticKeys::new(&set([key])))))
}

fn signed(key: &SigningKey, typ: &str, claims: Value) -> String {
    jose::encode_now(typ, &claims, key).unwrap().unwrap()
}

#[tokio::test]
async fn a_token_of_a_real_server_is_known_by_its_signed_answer() {
    let fixture = Fixture::with(|builder| {
        builder
            .token_signer(JwtSigner::new(keys()).unwrap())
            .sign_introspection_answers()
            .resource(Resource::new(API).introspection_clients(["robot"]))
    });
    let mut query = code_query("conf", "read");
    query.push(("resource", API));
    let code = fixture.approve(&query).await.location_parameter("code").unwrap();
    let token = fixture.redeem("conf", &code).await.access_token();
    let behind = || Behind(fixture.server.clone());
    let keys = FetchedKeys::new(format!("{ISSUER}/jwks"), std::sync::Arc::new(behind()));
    let asking = Introspection::of(Discovery::new(ISSUER, behind()), credentials());
    let api = Api::with(|builder| builder.verifier(asking.signed("robot", keys)));
    let access = api.check(&token, &Requirement::scopes(["read"])).await.unwrap();
    assert_eq!(access.subject(), &Subject::user("alice"));
    fixture.revoke("conf", &token).await;
    api.clock.advance(Duration::from_secs(30));
    fixture.clock.advance(Duration::from_secs(30));
    assert_eq!(api.outcome(&token).await, (401, Some(Reason::TokenInactive)));
}

#[tokio::test]
async fn ji_10_an_answer_that_is_forged_old_or_for_another_is_no_answer() {
    let [key, stranger] = [(); 2].map(|()| SigningKey::generate(Algorithm::Es256).unwrap());
    let issuer = Scripted::saying(&json!({}));
    let api = asking(&issuer, &key);
    let says = |text: String| issuer.says(OutboundResponse::new(200, text));
    let now = TestClock::START;
    for good in
        [json!({}), json!({ "aud": ["robot", "b"] }), json!({ "iat": now - 60 }), json!({ "iat": now + 30 })]
    {
        says(signed(&key, TYPE, answer(good.clone())));
        assert_eq!(api.outcome("token").await, (200, None), "{good}");
    }
    says(signed(&key, TYPE, answer(json!({ "token_introspection": { "active": false } }))));
    assert_eq!(api.outcome("token").await, (401, Some(Reason::TokenInactive)));

    let good = answer(json!({}));
    let payload = b64(&good.to_string());
    let right = signed(&key, TYPE, good.clone());
    let signature = right.rsplit('.').next().unwrap();
    let header = |alg: &str| b64(&json!({ "alg": alg, "typ": TYPE }).to_string());
    for (what, text) in [
        ("an unsigned answer", good["token_introspection"].to_string()),
        ("claims without a signature", good.to_string()),
        ("another key", signed(&stranger, TYPE, good.clone())),
        ("no algorithm", format!("{}.{payload}.", header("none"))),
        ("a symmetric algorithm", format!("{}.{payload}.{signature}", header("HS256"))),
        ("another type", signed(&key, "JWT", good.clone())),
        ("an access token's type", signed(&key, "at+jwt", good.clone())),
        ("no type", forged(&key, r#"{"alg":"ES256"}"#, &good.to_string())),
        ("another issuer", signed(&key, TYPE, answer(json!({ "iss": "https://other.example" })))),
        ("no issuer", signed(&key, TYPE, answer(json!({ "iss": null })))),
        ("another reader", signed(&key, TYPE, answer(json!({ "aud": "b" })))),
        ("the resource as its reader", signed(&key, TYPE, answer(json!({ "aud": API })))),
        ("no reader", signed(&key, TYPE, answer(json!({ "aud": null })))),
        ("an old one", signed(&key, TYPE, answer(json!({ "iat": now - 61 })))),
        ("one of the future", signed(&key, TYPE, answer(json!({ "iat": now + 31 })))),
        ("no time", signed(&key, TYPE, answer(json!({ "iat": null })))),
        ("no answer in it", signed(&key, TYPE, answer(json!({ "token_introspection": null })))),
        (
            "an answer of another shape",
            signed(&key, TYPE, answer(json!({ "token_introspection": { "active": "yes" } }))),
        ),
        ("nothing", String::new()),
    ] {
        says(text);
        assert_eq!(api.outcome("token").await, (503, Some(Reason::IssuerUnavailable)), "{what}");
    }
}
