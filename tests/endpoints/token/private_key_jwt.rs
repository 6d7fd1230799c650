//! Clients that authenticate by a key: RFC 7521, RFC 7523, OpenID Connect Core section 9.

use std::sync::Arc;
use std::time::Duration;

use grantor::client::ClientJwts;
use grantor::error::AssertionFlaw;
use grantor::jose::{Algorithm, SigningKey};
use grantor::server::ConfigError;
use grantor::store::ReplayKey;
use grantor::{
    AuthorizationServer, GrantType, MemoryRegistry, MemoryStore, Policy, Profile, Reason, ReplayGuard as _,
    Request, Resource,
};
use serde_json::{Value, json};

use crate::support::asserting::{Asserting, URN, by_assertion, claims, set_of, signing};
use crate::support::guarded::forged;
use crate::support::{Answer, Fixture, ISSUER, SECRET, TestClock, basic, code_query, encode, redemption};

const ROBOT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn refused() -> (u16, String) {
    (401, "invalid_client".to_owned())
}

fn flaw(server: &Asserting) -> Option<Reason> {
    server.fixture.log.last_reason()
}

#[tokio::test]
async fn ca_30_an_assertion_alone_names_its_client() {
    let server = Asserting::new();
    let answer = server.asks(&server.assertion(json!({}))).await;
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let token = answer.access_token();
    assert_eq!(server.fixture.server.check(&token).await.unwrap().client().as_str(), "pkj");
}

#[tokio::test]
async fn ca_10_a_client_id_beside_an_assertion_names_the_same_client() {
    let server = Asserting::new();
    for (id, status) in [("other", 401), ("rival", 401), ("nobody", 401), ("pkj", 200)] {
        let form = [("grant_type", "client_credentials"), ("client_id", id)];
        let answer = server.asks_with(&server.assertion(json!({})), &form).await;
        assert_eq!(answer.status(), status, "{id}");
    }
}

#[tokio::test]
async fn ca_11_issuer_and_subject_are_the_client() {
    let server = Asserting::new();
    for changes in [
        json!({ "iss": null }),
        json!({ "iss": "rival" }),
        json!({ "iss": ISSUER }),
        json!({ "iss": "PKJ" }),
        json!({ "iss": ["pkj"] }),
        json!({ "sub": "rival" }),
        json!({ "sub": 1 }),
    ] {
        let form = [("grant_type", "client_credentials"), ("client_id", "pkj")];
        let answer = server.asks_with(&server.assertion(changes.clone()), &form).await;
        assert_eq!(answer.error(), refused(), "{changes}");
    }
    let form = [("grant_type", "client_credentials"), ("client_id", "pkj")];
    let answer = server.asks_with(&server.assertion(json!({ "sub": null })), &form).await;
    assert_eq!(answer.error(), refused());
    assert_eq!(server.asks(&server.assertion(json!({ "sub": null }))).await.error(), refused());
}

#[tokio::test]
async fn a_request_that_is_refused_for_its_scope_or_resource_spends_no_assertion() {
    let resource = Resource::new("https://api.example");
    let server = Asserting::with(|_| Vec::new(), |builder| builder.resource(resource));
    let assertion = server.assertion(json!({}));
    for (name, value, error) in
        [("scope", "unknown", "invalid_scope"), ("resource", "https://x.example", "invalid_target")]
    {
        let form = [("grant_type", "client_credentials"), (name, value)];
        assert_eq!(server.asks_with(&assertion, &form).await.error(), (400, error.to_owned()));
    }
    assert_eq!(server.asks(&assertion).await.status(), 200);
    assert_eq!(server.asks(&assertion).await.error(), refused());
}

/// Audiences that are this server's in one way or another, and not its issuer alone.
fn near_misses() -> Vec<Value> {
    vec![
        json!(null),
        json!([ISSUER]),
        json!([ISSUER, "https://evil.example"]),
        json!([]),
        json!(format!("{ISSUER}/")),
        json!(format!("{ISSUER}/token")),
        json!(format!("{ISSUER}/par")),
        json!(ISSUER.to_uppercase()),
        json!("https://evil.example"),
        json!(7),
        json!({ "iss": ISSUER }),
        json!(""),
    ]
}

#[tokio::test]
async fn ca_12_the_audience_is_the_issuer_as_a_string() {
    let server = Asserting::new();
    for audience in near_misses() {
        let answer = server.asks(&server.assertion(json!({ "aud": audience }))).await;
        assert_eq!(answer.error(), refused(), "{audience}");
    }
    assert_eq!(server.asks(&server.assertion(json!({}))).await.status(), 200);
}

#[tokio::test]
async fn d_03_the_token_endpoint_is_an_audience_where_the_host_says_so() {
    let server = Asserting::with(|_| Vec::new(), |builder| builder.legacy_assertion_audience());
    let token_endpoint = format!("{ISSUER}/token");
    let good =
        [json!(token_endpoint), json!([ISSUER, token_endpoint]), json!([token_endpoint]), json!(ISSUER)];
    for (n, audience) in good.into_iter().enumerate() {
        let assertion = server.assertion(json!({ "aud": audience, "jti": n.to_string() }));
        assert_eq!(server.asks(&assertion).await.status(), 200, "{audience}");
    }
    for audience in
        [json!([token_endpoint, "https://evil.example"]), json!(format!("{token_endpoint}/")), json!([])]
    {
        let answer = server.asks(&server.assertion(json!({ "aud": audience, "jti": "x" }))).await;
        assert_eq!(answer.error(), refused(), "{audience}");
    }
}

#[tokio::test]
async fn d_31_the_switch_counts_at_every_endpoint() {
    let server = Asserting::with(|_| Vec::new(), |builder| builder.legacy_assertion_audience());
    let strict = Asserting::new();
    for endpoint in ["token", "revocation", "introspection", "device", "par"] {
        for (server, status) in [(&server, if endpoint == "par" { 201 } else { 200 }), (&strict, 401)] {
            let changes = json!({ "aud": format!("{ISSUER}/token"), "jti": endpoint });
            let assertion = server.assertion(changes);
            let own = &server.fixture.server;
            let answer = match endpoint {
                "token" => own.token(&by_assertion(&assertion, &ROBOT)).await,
                "revocation" => own.revoke(&by_assertion(&assertion, &[("token", "nothing")])).await,
                "introspection" => own.introspect(&by_assertion(&assertion, &[("token", "nothing")])).await,
                "device" => own.device_authorization(&by_assertion(&assertion, &[])).await,
                _ => {
                    let pushed = by_assertion(&assertion, &code_query("pkj", "read"));
                    own.pushed_authorization_request(&pushed).await
                }
            };
            assert_eq!(answer.status, status, "{endpoint}");
        }
    }
}

#[tokio::test]
async fn d_04_an_untyped_assertion_passes_and_one_of_another_type_does_not() {
    let server = Asserting::new();
    let typed = |typ: &str| json!({ "alg": "ES256", "typ": typ }).to_string();
    for (n, typ) in ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt"]
        .into_iter()
        .enumerate()
    {
        let assertion = server.under(&typed(typ), json!({ "jti": n.to_string() }));
        assert_eq!(server.asks(&assertion).await.status(), 200, "{typ}");
    }
    for typ in ["at+jwt", "dpop+jwt", "oauth-authz-req+jwt", "logout+jwt", "secevent+jwt", "JOSE", ""] {
        assert_eq!(server.asks(&server.under(&typed(typ), json!({}))).await.error(), refused(), "{typ}");
    }
    assert_eq!(server.asks(&server.under(r#"{"alg":"ES256","typ":7}"#, json!({}))).await.error(), refused());
}

#[tokio::test]
async fn ca_13_an_assertion_expires_and_is_good_for_an_hour_at_most() {
    let server = Asserting::new();
    let now = TestClock::START;
    for changes in [
        json!({ "exp": null }),
        json!({ "exp": now - 60 }),
        json!({ "exp": now - 10 }),
        json!({ "exp": (now + 60).to_string() }),
        json!({ "exp": now + 10 * 365 * 86_400 }),
        json!({ "exp": 1e300 }),
        json!({ "exp": -1 }),
        json!({ "iat": now - 2 * 3600, "exp": now + 3000 }),
        json!({ "nbf": now + 20, "exp": now + 20 }),
        json!({ "iat": "now" }),
    ] {
        let answer = server.asks(&server.assertion(changes.clone())).await;
        assert_eq!(answer.error(), refused(), "{changes}");
    }
    for (n, changes) in
        [json!({ "exp": now - 9 }), json!({ "iat": null, "exp": now + 3600 })].into_iter().enumerate()
    {
        let mut changes = changes;
        changes["jti"] = json!(n.to_string());
        assert_eq!(server.asks(&server.assertion(changes.clone())).await.status(), 200, "{changes}");
    }
}

#[tokio::test]
async fn ca_14_an_assertion_may_lie_a_little_ahead() {
    let server = Asserting::new();
    for (n, (ahead, status)) in [(8, 200), (30, 200), (31, 401), (61, 401)].into_iter().enumerate() {
        let at = TestClock::START + ahead;
        let assertion = server.assertion(json!({ "nbf": at, "exp": at + 60, "jti": n.to_string() }));
        assert_eq!(server.asks(&assertion).await.status(), status, "{ahead}");
    }
}

#[tokio::test]
async fn d_12_the_clock_of_the_issue_may_be_ten_seconds_ahead_and_not_sixty() {
    let server = Asserting::new();
    for (n, (ahead, status)) in [(10, 200), (61, 401)].into_iter().enumerate() {
        let assertion = server.assertion(json!({ "iat": TestClock::START + ahead, "jti": n.to_string() }));
        assert_eq!(server.asks(&assertion).await.status(), status, "{ahead}");
    }
}

#[tokio::test]
async fn ca_15_an_assertion_works_once_for_its_client() {
    let server = Asserting::new();
    let assertion = server.assertion(json!({}));
    assert_eq!(server.asks(&assertion).await.status(), 200);
    assert_eq!(server.asks(&assertion).await.error(), refused());
    assert_eq!(flaw(&server), Some(Reason::ClientAssertion(AssertionFlaw::Replayed)));
    // Another signature over the same identifier is the same assertion.
    assert_eq!(
        server.asks(&server.assertion(json!({ "exp": TestClock::START + 90 }))).await.error(),
        refused()
    );
    let rivals = forged(&server.rivals, r#"{"alg":"ES256"}"#, &claims("rival", json!({})).to_string());
    assert_eq!(server.asks(&rivals).await.status(), 200, "the same jti of another client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ca_15_of_64_uses_of_one_assertion_one_works() {
    let server = Arc::new(Asserting::new());
    let assertion = server.assertion(json!({}));
    let uses: Vec<_> = (0..64)
        .map(|_| {
            let (server, assertion) = (Arc::clone(&server), assertion.clone());
            tokio::spawn(async move { server.asks(&assertion).await.status() })
        })
        .collect();
    let mut won = 0;
    for one in uses {
        match one.await.unwrap() {
            200 => won += 1,
            status => assert_eq!(status, 401),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn ca_36_a_replay_is_known_for_longer_than_any_node_accepts_it() {
    let store = Arc::new(MemoryStore::new());
    let here = Asserting::on(store.clone(), store.clone(), |_| Vec::new(), |builder| builder);
    let assertion = here.assertion(json!({}));
    assert_eq!(here.asks(&assertion).await.status(), 200);
    // Another node, on the same store, with the same client.
    let registry = MemoryRegistry::new([signing("pkj").jwks(set_of(&here.key)).build().unwrap()]);
    let there = Fixture::on(store.clone(), store.clone(), |builder| {
        builder.clients(registry).replay_guard(store.clone()).client_signatures(ClientJwts::new())
    });
    let again = || async { Answer(there.server.token(&by_assertion(&assertion, &ROBOT)).await) };
    assert_eq!(again().await.error(), refused());
    there.clock.advance(Duration::from_secs(69));
    assert_eq!(again().await.error(), refused(), "nine seconds past its end");
    // A third node is sixty seconds ahead, and forgets.
    let ahead = TestClock::START + 69 + 60;
    let ahead = chrono::DateTime::from_timestamp(ahead, 0).unwrap();
    for n in 0..2_000 {
        let other = ReplayKey::new("another client", &n.to_string());
        assert!(store.first_use(&other, ahead + Duration::from_secs(60), ahead).await.unwrap());
    }
    assert_eq!(again().await.error(), refused());
    assert_eq!(there.log.last_reason(), Some(Reason::ClientAssertion(AssertionFlaw::Replayed)));
}

#[tokio::test]
async fn ca_36_an_identifier_is_needed_and_of_bounded_length() {
    let server = Asserting::new();
    for jti in [json!(null), json!(""), json!("x".repeat(513)), json!(7)] {
        assert_eq!(server.asks(&server.assertion(json!({ "jti": jti }))).await.error(), refused());
    }
    assert_eq!(server.asks(&server.assertion(json!({ "jti": "x".repeat(512) }))).await.status(), 200);
}

#[tokio::test]
async fn ca_31_assertions_work_at_every_endpoint_and_once_in_all() {
    let server = Asserting::new();
    let own = &server.fixture.server;
    let token = [("token", "nothing")];
    for (n, endpoint) in ["token", "revocation", "introspection", "device"].into_iter().enumerate() {
        let assertion = server.assertion(json!({ "jti": n.to_string() }));
        let first = match endpoint {
            "token" => own.token(&by_assertion(&assertion, &ROBOT)).await,
            "revocation" => own.revoke(&by_assertion(&assertion, &token)).await,
            "introspection" => own.introspect(&by_assertion(&assertion, &token)).await,
            _ => own.device_authorization(&by_assertion(&assertion, &[])).await,
        };
        assert_eq!(first.status, 200, "{endpoint}");
        let elsewhere = [
            own.token(&by_assertion(&assertion, &ROBOT)).await,
            own.revoke(&by_assertion(&assertion, &token)).await,
            own.introspect(&by_assertion(&assertion, &token)).await,
            own.device_authorization(&by_assertion(&assertion, &[])).await,
        ];
        for second in elsewhere {
            assert_eq!(Answer(second).error(), refused(), "{endpoint}");
        }
    }
}

#[tokio::test]
async fn a_code_and_its_refresh_tokens_are_redeemed_by_assertions() {
    let server = Asserting::new();
    let code = server.fixture.code("pkj", "read").await;
    let tokens = server.asks_with(&server.assertion(json!({})), &redemption(&code)).await;
    assert_eq!(tokens.status(), 200, "{}", tokens.json());
    let refresh = tokens.refresh_token();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(server.asks_with(&server.assertion(json!({})), &form).await.error(), refused(), "spent");
    let renewed = server.asks_with(&server.assertion(json!({ "jti": "2" })), &form).await;
    assert_eq!(renewed.status(), 200, "{}", renewed.json());
}

#[tokio::test]
async fn ca_04_only_the_registered_method_is_taken_of_a_client_with_keys() {
    let server = Asserting::new();
    let header = Request::post_form(encode(&ROBOT)).header("authorization", basic("pkj", SECRET));
    assert_eq!(Answer(server.fixture.server.token(&header).await).error(), refused());
    let named = Request::post_form(encode(&[&ROBOT[..], &[("client_id", "pkj")]].concat()));
    assert_eq!(Answer(server.fixture.server.token(&named).await).error(), refused());
    let assertion = forged(&server.key, r#"{"alg":"ES256"}"#, &claims("conf", json!({})).to_string());
    assert_eq!(server.asks(&assertion).await.error(), refused(), "a client with a secret");
}

#[tokio::test]
async fn ca_29_type_and_assertion_come_together() {
    let server = Asserting::new();
    let good = server.assertion(json!({}));
    let forms: [&[(&str, &str)]; 4] = [
        &[("client_assertion", &good)],
        &[("client_assertion_type", URN)],
        &[
            ("client_assertion", &good),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
        ],
        &[("client_assertion_type", URN), ("client_id", "pub")],
    ];
    for form in forms {
        let form = encode(&[&ROBOT[..], form].concat());
        let answer = Answer(server.fixture.server.token(&Request::post_form(form)).await);
        assert_eq!(answer.error(), refused());
    }
    assert_eq!(server.asks(&good).await.status(), 200, "and it was not spent");
}

#[tokio::test]
async fn what_is_refused_behind_the_authentication_spends_no_assertion() {
    let server = Asserting::new();
    let assertion = server.assertion(json!({}));
    let password =
        [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", "nothing")];
    assert_eq!(server.asks_with(&assertion, &password).await.text("error"), "invalid_grant");
    assert_eq!(server.asks(&assertion).await.status(), 200);

    let own = &server.fixture.server;
    for jti in ["push", "device"] {
        let assertion = server.assertion(json!({ "jti": jti }));
        let ask = async |scope: &str| match jti {
            "push" => {
                let pushed = by_assertion(&assertion, &code_query("pkj", scope));
                Answer(own.pushed_authorization_request(&pushed).await)
            }
            _ => Answer(own.device_authorization(&by_assertion(&assertion, &[("scope", scope)])).await),
        };
        assert_eq!(ask("unknown").await.error(), (400, "invalid_scope".to_owned()), "{jti}");
        assert!(ask("read").await.status() < 300, "{jti}: the refusal spent nothing");
        assert_eq!(ask("read").await.error(), refused(), "{jti}: the answer did");
    }
}

#[tokio::test]
async fn what_a_limit_refuses_spends_no_assertion() {
    let mut policy = Policy::default();
    (policy.device_requests_per_minute, policy.secret_failures_per_minute) = (1, 1);
    let owned =
        |key: &SigningKey| vec![signing("owned").jwks(set_of(key)).grant_types([GrantType::Password])];
    let server = Asserting::with(owned, |builder| builder.policy(policy).profile(Profile::Rfc6749));
    let peer = [192, 0, 2, 1].into();
    let begin = async |jti: &str| {
        let assertion = server.assertion(json!({ "jti": jti, "exp": TestClock::START + 300 }));
        Answer(
            server.fixture.server.device_authorization(&by_assertion(&assertion, &[]).from_peer(peer)).await,
        )
    };
    assert_eq!((begin("1").await.status(), begin("2").await.status()), (200, 429));
    let log_in = async |jti: &str, password: &str| {
        let own = claims("owned", json!({ "jti": jti, "exp": TestClock::START + 300 }));
        let assertion = forged(&server.key, r#"{"alg":"ES256"}"#, &own.to_string());
        let form = [("grant_type", "password"), ("username", "alice"), ("password", password)];
        Answer(server.fixture.server.token(&by_assertion(&assertion, &form).from_peer(peer)).await)
    };
    assert_eq!((log_in("1", "wrong").await.status(), log_in("2", "wonderland").await.status()), (400, 429));
    server.fixture.after(60);
    assert_eq!((begin("2").await.status(), log_in("2", "wonderland").await.status()), (200, 200));
    for _ in 0..3 {
        assert_eq!(log_in("2", "wonderland").await.error(), refused(), "a replay is no guess");
    }
    assert_eq!(log_in("3", "wonderland").await.status(), 200);
}

#[test]
fn assertions_that_nothing_remembers_are_found_at_start() {
    let builder = AuthorizationServer::builder(ISSUER).clients(MemoryRegistry::default());
    let built = builder.store(MemoryStore::new()).client_signatures(ClientJwts::new()).build();
    assert_eq!(built.unwrap_err().all(), [ConfigError::AssertionsUnremembered]);
}

#[tokio::test]
async fn ca_39_the_metadata_list_the_method_and_its_algorithms_only_where_it_works() {
    let with: Value = serde_json::from_slice(&Asserting::new().fixture.server.metadata().body).unwrap();
    let without: Value = serde_json::from_slice(&Fixture::new().server.metadata().body).unwrap();
    for endpoint in ["token", "revocation", "introspection"] {
        let methods = format!("{endpoint}_endpoint_auth_methods_supported");
        let algorithms = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
        assert!(with[&methods].as_array().unwrap().contains(&json!("private_key_jwt")));
        assert_eq!(with[&algorithms], json!(["EdDSA", "Ed25519", "ES256", "PS256", "RS256"]));
        assert!(!without[&methods].as_array().unwrap().contains(&json!("private_key_jwt")));
        assert_eq!(without[&algorithms], Value::Null);
    }
}

#[tokio::test]
async fn a_server_that_verifies_nothing_refuses_assertions() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let client = signing("pkj").jwks(set_of(&key)).build().unwrap();
    let fixture = Fixture::with(|builder| builder.clients(MemoryRegistry::new([client])));
    let assertion = forged(&key, r#"{"alg":"ES256"}"#, &claims("pkj", json!({})).to_string());
    let answer = Answer(fixture.server.token(&by_assertion(&assertion, &ROBOT)).await);
    assert_eq!(answer.error(), refused());
    assert!(fixture.approve(&code_query("pkj", "read")).await.location_parameter("code").is_some());
}
