//! Signed request objects by value: RFC 9101.

use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::client::{ClaimsMissing, ClientSignatures, RequestObjects, SignedText};
use grantor::error::AssertionFlaw as Flaw;
use grantor::issuance::Fields;
use grantor::jose::{Algorithm, SigningKey};
use grantor::{Policy, Reason, Resource, async_trait};
use serde_json::{Map, Value, json};

use crate::support::asserting::{KEYS_AT, claims, set_of};
use crate::support::guarded::forged;
use crate::support::objects::{HEADER, Signing, asking};
use crate::support::{Answer, CALLBACK, ISSUER, TestClock, code_query};

const INVALID: &str = "invalid_request_object";

#[tokio::test]
async fn a_request_that_is_signed_is_answered_as_a_plain_one() {
    let signing = Signing::new();
    for changes in [json!({}), json!({ "iss": null, "aud": null, "nbf": null, "exp": null })] {
        let answer = signing.send(&signing.object(changes)).await.unwrap();
        assert!(answer.location().starts_with(CALLBACK));
        assert_eq!(answer.location_parameter("state").as_deref(), Some("the state"));
        assert!(answer.location_parameter("code").is_some());
    }
}

#[tokio::test]
async fn d_17_what_is_beside_a_request_object_does_not_count() {
    let signing = Signing::new();
    let object = signing.object(json!({ "state": null }));
    let query =
        [("client_id", "pkj"), ("request", object.as_str()), ("state", "outside"), ("nonce", "outside")];
    let answer = signing.visit(&query).await.unwrap();
    assert!(answer.location_parameter("code").is_some());
    assert_eq!(answer.location_parameter("state"), None);
}

#[tokio::test]
async fn jr_05_no_parameter_outside_is_merged_or_compared() {
    let signing = Signing::new();
    let object = signing.object(json!({}));
    let query = [
        ("client_id", "pkj"),
        ("request", object.as_str()),
        ("redirect_uri", "https://evil.example"),
        ("response_type", "token"),
        ("scope", "admin"),
        ("prompt", "none login"),
        ("state", "a"),
        ("state", "b"),
    ];
    let answer = signing.visit(&query).await.unwrap();
    assert!(answer.location().starts_with(CALLBACK));
    assert_eq!(answer.location_parameter("state").as_deref(), Some("the state"));
    let lacking = signing.object(json!({ "scope": "read", "response_type": null }));
    let query = [("client_id", "pkj"), ("request", lacking.as_str()), ("response_type", "code")];
    let answer = signing.visit(&query).await.unwrap();
    assert_eq!(
        answer.location_parameter("error").as_deref(),
        Some("invalid_request"),
        "it is lacking inside"
    );
}

#[tokio::test]
async fn d_18_an_audience_is_one_string_or_an_array_that_has_the_issuer() {
    let signing = Signing::new();
    for good in [json!(ISSUER), json!([ISSUER]), json!(["https://other.example", ISSUER])] {
        assert!(signing.send(&signing.object(json!({ "aud": good }))).await.is_ok());
    }
    for bad in
        [json!("https://other.example"), json!([]), json!(["https://as.example/"]), json!({}), json!(7)]
    {
        let refused = signing.refusal(&signing.object(json!({ "aud": bad }))).await;
        assert_eq!(refused, (INVALID.to_owned(), Reason::RequestObject(Flaw::AudienceWrong)), "{bad}");
    }
}

#[tokio::test]
async fn d_19_an_object_without_a_signature_never_counts() {
    let signing = Signing::new();
    let object = signing.object(json!({}));
    let payload = object.split('.').nth(1).unwrap();
    let none = crate::support::guarded::b64(r#"{"alg":"none"}"#);
    assert_eq!(signing.refusal(&format!("{none}.{payload}.")).await.0, INVALID);
    let metadata = Answer(signing.server.fixture.server.metadata()).json();
    let listed = metadata["request_object_signing_alg_values_supported"].as_array().unwrap();
    assert!(!listed.contains(&json!("none")) && listed.contains(&json!("ES256")));
}

#[tokio::test]
async fn jr_01_the_client_is_named_outside_and_inside_and_there_is_one_source() {
    let signing = Signing::new();
    for changes in [json!({ "client_id": "rival" }), json!({ "client_id": null }), json!({ "iss": "rival" })]
    {
        assert_eq!(signing.refusal(&signing.object(changes.clone())).await.0, INVALID, "{changes}");
    }
    let object = signing.object(json!({}));
    let unnamed = signing.visit(&[("request", object.as_str())]).await.err().expect("a page");
    assert_eq!(unnamed.code(), "invalid_request");
    for uri in ["https://app.example/object", "urn:ietf:params:oauth:request_uri:x"] {
        let query = [("client_id", "pkj"), ("request", object.as_str()), ("request_uri", uri)];
        let page = signing.visit(&query).await.err().expect("a page");
        assert_eq!((page.code(), page.reason()), ("invalid_request", Reason::RequestSourcesMixed), "{uri}");
    }
}

#[tokio::test]
async fn jr_02_an_object_names_no_other_one() {
    let signing = Signing::new();
    let inner = signing.object(json!({}));
    for changes in [json!({ "request": inner }), json!({ "request_uri": "https://app.example/object" })] {
        assert_eq!(signing.refusal(&signing.object(changes)).await.0, INVALID);
    }
}

#[tokio::test]
async fn jr_07_a_request_uri_of_a_client_is_not_fetched() {
    let signing = Signing::new();
    for uri in ["https://app.example/object", KEYS_AT, "http://127.0.0.1/", "urn:example:object"] {
        let mut query = code_query("pkj", "read");
        query.push(("request_uri", uri));
        let answer = signing.visit(&query).await.unwrap();
        assert_eq!(answer.location_parameter("error").as_deref(), Some("request_uri_not_supported"), "{uri}");
    }
    assert_eq!(signing.server.remote.asked(), 0);
}

#[tokio::test]
async fn the_first_visit_of_an_object_has_to_be_in_time_and_then_the_user_has_time() {
    let visit = |signing: &Signing, object: &str| {
        let query = crate::support::encode(&[("client_id", "pkj"), ("request", object)]);
        let server = signing.server.fixture.server.clone();
        async move { server.authorize(&grantor::Request::get(query)).await }
    };
    for (first, then, approved) in [(0, 120, true), (69, 1800, true), (69, 1801, false), (70, 0, false)] {
        let signing = Signing::new();
        let fixture = &signing.server.fixture;
        let object = signing.object(json!({ "exp": TestClock::START + 60, "jti": "a" }));
        fixture.after(first);
        let since = visit(&signing, &object).await.unwrap().since();
        fixture.after(then);
        let code = match visit(&signing, &object).await {
            Ok(asked) => match asked.seen(since).signed_in(fixture.alice()).await {
                grantor::SignedIn::Consent(consent) => {
                    Answer(consent.approve().await).location_parameter("code")
                }
                grantor::SignedIn::Answered(_) | grantor::SignedIn::Reauthenticate(_) => None,
            },
            Err(page) => {
                assert_eq!(page.code(), INVALID);
                None
            }
        };
        assert_eq!(code.is_some(), approved, "{first} {then}");
        if approved {
            let again = visit(&signing, &object).await.unwrap().seen(since);
            let grantor::SignedIn::Consent(consent) = again.signed_in(fixture.alice()).await else {
                panic!("a consent page: {first} {then}");
            };
            assert_eq!(consent.approve().await.status, 400, "its jti is remembered for as long");
        }
    }
}

/// Changes of a good object, and whether the strict form and the plain one take it.
fn times() -> Vec<(Value, bool, bool)> {
    let now = TestClock::START;
    vec![
        (json!({}), true, true),
        (json!({ "nbf": now + 8 }), true, true),
        (json!({ "nbf": now + 10, "iat": now + 10 }), true, true),
        (json!({ "nbf": now + 61 }), false, false),
        (json!({ "iat": now + 61 }), false, false),
        (json!({ "exp": now - 11 }), false, false),
        (json!({ "exp": now + 3600 }), true, true),
        (json!({ "exp": now + 4200 }), false, false),
        (json!({ "nbf": now - 3600, "exp": now - 1 }), true, true),
        (json!({ "nbf": now - 3601, "exp": now - 1 }), true, true),
        (json!({ "nbf": now - 3611, "exp": now - 9 }), false, true),
        (json!({ "nbf": now - 60, "exp": now + 3560 }), false, true),
        (json!({ "nbf": null }), false, true),
        (json!({ "exp": null }), false, true),
        (json!({ "aud": null }), false, true),
        (json!({ "exp": "soon" }), false, false),
        (json!({ "nbf": [] }), false, false),
        (json!({ "nbf": now + 5, "exp": now + 5 }), false, false),
    ]
}

#[tokio::test]
async fn jr_08_an_object_is_for_this_server_and_for_an_hour_at_most() {
    let plain = Signing::new();
    let strict = Signing::with(|builder| builder.request_objects(RequestObjects::accepted().dated()));
    for (changes, by_fapi, otherwise) in times() {
        for (signing, taken) in [(&strict, by_fapi), (&plain, otherwise)] {
            match signing.send(&signing.object(changes.clone())).await {
                Ok(answer) if taken => assert!(answer.location_parameter("code").is_some(), "{changes}"),
                Ok(answer) => {
                    assert_eq!(answer.location_parameter("error").as_deref(), Some(INVALID), "{changes}");
                }
                Err(page) => assert!(!taken && page.code() == INVALID, "{changes}: {:?}", page.reason()),
            }
        }
    }
}

#[tokio::test]
async fn jr_09_a_jwt_of_another_kind_is_no_request() {
    let signing = Signing::new();
    for good in [r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","typ":"JWT"}"#, HEADER] {
        assert!(signing.send(&signing.under(good, &asking("pkj", json!({})))).await.is_ok(), "{good}");
    }
    for bad in ["at+jwt", "client-authentication+jwt", "dpop+jwt", "logout+jwt", ""] {
        let header = json!({ "alg": "ES256", "typ": bad }).to_string();
        let refused = signing.refusal(&signing.under(&header, &asking("pkj", json!({})))).await;
        assert_eq!(refused, (INVALID.to_owned(), Reason::RequestObject(Flaw::TypeWrong)), "{bad}");
    }
    let assertion = claims("pkj", json!({ "client_id": "pkj", "response_type": "code" }));
    assert_eq!(signing.refusal(&signing.under(r#"{"alg":"ES256"}"#, &assertion)).await.0, INVALID);
    let object = signing.object(json!({ "sub": "pkj", "jti": "1" }));
    assert_eq!(
        signing.server.asks(&object).await.error().1,
        "invalid_client",
        "nor is a request an assertion"
    );
}

#[tokio::test]
async fn jr_13_claims_keep_their_json_type() {
    let resource = "https://rs1.example";
    let signing = Signing::with(|builder| {
        builder
            .request_objects(RequestObjects::accepted())
            .resource(Resource::new(resource))
            .authorization_details_type("payment", Fields::<Value>::new())
    });
    let details = json!([{ "type": "payment" }]);
    for good in [
        json!({ "max_age": 60 }),
        json!({ "max_age": "60" }),
        json!({ "authorization_details": details }),
        json!({ "authorization_details": details.to_string() }),
        json!({ "resource": resource }),
        json!({ "resource": [resource] }),
        json!({ "prompt": "" }),
        json!({ "unknown": { "a": [1] }, "another": null }),
    ] {
        let answer = signing.send(&signing.object(good.clone())).await.unwrap();
        assert!(answer.location_parameter("code").is_some(), "{good}: {}", answer.location());
    }
    for bad in [
        json!({ "max_age": {} }),
        json!({ "max_age": 60.5 }),
        json!({ "max_age": -1 }),
        json!({ "scope": 5 }),
        json!({ "scope": ["read"] }),
        json!({ "state": true }),
        json!({ "nonce": {} }),
        json!({ "claims": 1 }),
        json!({ "resource": {} }),
        json!({ "resource": [1] }),
        json!({ "authorization_details": 1 }),
    ] {
        assert_eq!(signing.error(&signing.object(bad.clone())).await, "invalid_request", "{bad}");
    }
    let raw = |members: &str| {
        let claims = asking("pkj", json!({})).to_string();
        forged(&signing.server.key, HEADER, &claims.replacen('{', &format!("{{{members},"), 1))
    };
    assert_eq!(signing.error(&raw(r#""nonce":null"#)).await, "invalid_request");
    assert_eq!(signing.refusal(&raw(r#""state":"twice""#)).await.0, INVALID, "a claim that is there twice");
    for amount in ["9007199254740993.0", "12345678901234567.25", "18446744073709551617"] {
        let rounded = format!(r#""authorization_details":[{{"type":"payment","amount":{amount}}}]"#);
        assert_eq!(signing.error(&raw(&rounded)).await, "invalid_authorization_details", "{amount}");
    }
    let exact = r#""authorization_details":[{"type":"payment","amount":18446744073709551615}]"#;
    assert!(signing.send(&raw(exact)).await.unwrap().location_parameter("code").is_some());
    let elsewhere = signing.object(json!({ "redirect_uri": ["https://evil.example"] }));
    let answer = signing.send(&elsewhere).await.unwrap();
    assert!(
        answer.location().starts_with(&format!("{CALLBACK}?error=invalid_request")),
        "the only registered one"
    );
}

#[tokio::test]
async fn jr_14_an_object_that_cannot_be_trusted_leads_nowhere() {
    let signing = Signing::new();
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let object = forged(&stranger, HEADER, &asking("pkj", json!({})).to_string());
    let mut query = code_query("pkj", "read");
    query.push(("request", &object));
    let page = signing.visit(&query).await.err().expect("a page, whatever address is outside");
    assert_eq!((page.code(), page.status()), (INVALID, 400));
    let page = signing.refusal(&signing.object(json!({ "redirect_uri": "https://evil.example" }))).await;
    assert_eq!(page.1, Reason::RedirectUriUnregistered);
    let page = signing.visit(&[("client_id", "nobody"), ("request", &object)]).await.err().expect("a page");
    assert_eq!(page.code(), "invalid_client");
    let page = signing.visit(&[("client_id", "conf"), ("request", &object)]).await.err().expect("a page");
    assert_eq!(page.code(), INVALID, "a client without keys");
}

#[tokio::test]
async fn jr_15_an_object_with_a_jti_is_approved_once() {
    let signing = Signing::new();
    let object = signing.object(json!({ "jti": "a" }));
    let query = [("client_id", "pkj"), ("request", object.as_str())];
    let request = grantor::Request::get(crate::support::encode(&query));
    for _ in 0..3 {
        assert!(signing.server.fixture.server.authorize(&request).await.is_ok(), "a visit spends nothing");
    }
    assert!(signing.send(&object).await.unwrap().location_parameter("code").is_some());
    let again = signing.send(&object).await.unwrap();
    assert_eq!((again.status(), again.0.header("location")), (400, None));
    assert!(String::from_utf8_lossy(&again.0.body).contains(INVALID));
    assert_eq!(signing.server.fixture.log.last_reason(), Some(Reason::RequestObject(Flaw::Replayed)));
    assert_eq!(signing.server.fixture.count().await, 1);
    for other in ["b".to_owned(), "x".repeat(512)] {
        let other = signing.send(&signing.object(json!({ "jti": other }))).await.unwrap();
        assert!(other.location_parameter("code").is_some());
    }
    let endless = signing.refusal(&signing.object(json!({ "jti": "c", "exp": null }))).await;
    assert_eq!(endless.1, Reason::RequestObject(Flaw::ClaimMissing), "nothing is remembered for ever");
}

#[tokio::test]
async fn jr_12_encryption_is_not_there_and_five_parts_are_no_object() {
    let signing = Signing::new();
    let metadata = Answer(signing.server.fixture.server.metadata()).json();
    assert!(metadata.as_object().unwrap().keys().all(|name| !name.contains("encryption")));
    let object = signing.object(json!({}));
    let [header, payload, signature] = [0, 1, 2].map(|at| object.split('.').nth(at).unwrap());
    let five = format!("{header}.{payload}.{signature}.{payload}.{signature}");
    assert_eq!(signing.refusal(&five).await, (INVALID.to_owned(), Reason::RequestObject(Flaw::Unreadable)));
    let jwe = crate::support::guarded::b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    assert_eq!(signing.refusal(&format!("{jwe}.a.b.c.d")).await.0, INVALID);
}

#[tokio::test]
async fn pr_09_a_pushed_object_is_the_authenticated_clients_and_nothing_beside_it_counts() {
    let signing = Signing::new();
    let object = signing.object(json!({ "state": "inside", "max_age": 60, "jti": "once" }));
    let form =
        [("request", object.as_str()), ("state", "outside"), ("scope", "admin"), ("response_type", "x")];
    for jti in ["a", "b"] {
        let pushed = signing.push(jti, &form).await;
        assert_eq!(pushed.status(), 201, "{}", pushed.json());
        let uri = pushed.text("request_uri");
        let answer = signing.visit(&[("client_id", "pkj"), ("request_uri", &uri)]).await.unwrap();
        assert_eq!(answer.location_parameter("state").as_deref(), Some("inside"));
        assert!(answer.location_parameter("code").is_some(), "a push proves its client by itself");
    }
    for (jti, changes) in [
        ("1", json!({ "client_id": "rival", "iss": "rival" })),
        ("2", json!({ "request_uri": "urn:ietf:params:oauth:request_uri:x" })),
        ("3", json!({ "exp": TestClock::START - 60 })),
    ] {
        let refused = signing.push(jti, &[("request", &signing.object(changes))]).await;
        assert_eq!(refused.error(), (400, INVALID.to_owned()));
    }
    let rivals = forged(&signing.server.rivals, HEADER, &asking("pkj", json!({})).to_string());
    assert_eq!(signing.push("4", &[("request", &rivals)]).await.error(), (400, INVALID.to_owned()));
    let types = signing.push("5", &[("request", &signing.object(json!({ "scope": 1 })))]).await;
    assert_eq!(types.error(), (400, "invalid_request".to_owned()));
    let scope = signing.push("6", &[("request", &signing.object(json!({ "scope": "unknown" })))]).await;
    assert_eq!(scope.error(), (400, "invalid_scope".to_owned()));
    let both = [("request", object.as_str()), ("request_uri", "https://app.example/object")];
    assert_eq!(signing.push("7", &both).await.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_no_verdict_on_an_object() {
    let signing = Signing::new();
    signing.server.remote.go_down();
    let object = signing.under(HEADER, &asking("far", json!({})));
    let page = signing.visit(&[("client_id", "far"), ("request", &object)]).await.err().expect("a page");
    assert_eq!((page.status(), page.code()), (503, "temporarily_unavailable"));
    assert_eq!(page.into_response().header("retry-after"), Some("1"));
    signing.server.remote.publish(&set_of(&signing.server.key));
    signing.server.fixture.after(60);
    assert!(signing.visit(&[("client_id", "far"), ("request", &object)]).await.is_ok());
}

/// Never answers.
struct Hanging;

#[async_trait]
impl ClientSignatures for Hanging {
    async fn verify(
        &self,
        _: &SignedText<'_>,
        _: DateTime<Utc>,
    ) -> Result<Map<String, Value>, ClaimsMissing> {
        std::future::pending().await
    }

    fn algorithms(&self) -> Vec<&'static str> {
        vec!["ES256"]
    }

    fn fetches(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_check_of_a_signature_that_hangs_is_503() {
    let mut policy = Policy::default();
    policy.store_deadline = Duration::from_millis(20);
    let signing = Signing::with(|builder| {
        let builder = builder.request_objects(RequestObjects::accepted());
        builder.client_signatures(Hanging).policy(policy)
    });
    let (assertion, object) = (signing.server.assertion(json!({})), signing.object(json!({})));
    let (answer, page) = tokio::join!(signing.server.asks(&assertion), signing.refusal(&object));
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(answer.0.header("retry-after"), Some("1"));
    assert_eq!(page, ("temporarily_unavailable".to_owned(), Reason::StoreUnavailable));
}
