//! The parameter `claims` (OpenID Connect Core sections 5.2 and 5.5).

use grantor::{Reason, Request};
use serde_json::{Value, json};

use crate::support::provider::Provider;
use crate::support::{Fixture, code_query, encode};

async fn refusal(provider: &Provider, claims: &str) -> Option<String> {
    let answer = provider.ask("other", "openid", &[("claims", claims)], provider.fixture.alice()).await;
    answer.location_parameter("error")
}

#[tokio::test]
async fn oi_62_it_is_an_object_of_objects_and_not_too_large() {
    let provider = Provider::new();
    let many: serde_json::Map<_, _> = (0..101).map(|n| (format!("c{n}"), Value::Null)).collect();
    let bad = [
        "x",
        "[]",
        r#"{"id_token":1}"#,
        r#"{"userinfo":[]}"#,
        r#"{"userinfo":{"name":5}}"#,
        r#"{"userinfo":{"name":{"essential":1}}}"#,
        r#"{"userinfo":{"name":{"values":"a"}}}"#,
        r#"{"id_token":{},"id_token":{}}"#,
        r#"{"userinfo":{"name":null,"n\u0061me":null}}"#,
        r#"{"userinfo":{"name":{"value":"a","value":"b"}}}"#,
        r#"{"userinfo":{"name":{"value":{"a":1,"a":2}}}}"#,
        r#"{"x":{"a":1,"a":2}}"#,
    ];
    for claims in bad.into_iter().chain([json!({ "userinfo": many }).to_string().as_str()]) {
        assert_eq!(refusal(&provider, claims).await.as_deref(), Some("invalid_request"), "{claims}");
        assert_eq!(provider.fixture.log.last_reason(), Some(Reason::ClaimsMalformed));
    }
    assert!(grantor::openid::ClaimsRequest::parse(&format!("{{\"x\":\"{}\"}}", "y".repeat(8192))).is_err());
    for claims in
        ["{}", r#"{"x":1}"#, r#"{"userinfo":null,"id_token":{}}"#, r#"{"userinfo":{"name":{"x":1}}}"#]
    {
        assert_eq!(refusal(&provider, claims).await, None, "{claims}");
    }
}

#[tokio::test]
async fn oi_63_a_claim_that_is_missing_is_no_error() {
    let provider = Provider::new();
    provider.people.forget("phone_number");
    let asked = r#"{"userinfo":{"phone_number":{"essential":true}}}"#;
    let token = provider.tokens("other", "openid", &[("claims", asked)]).await.access_token();
    assert_eq!(provider.claims(&token).await, json!({}));
}

#[tokio::test]
async fn oi_64_a_value_that_is_of_no_use_is_left_out() {
    let provider = Provider::new();
    let email = async |terms: &str| {
        let asked = format!(r#"{{"userinfo":{{"email":{terms}}}}}"#);
        let token = provider.tokens("other", "openid", &[("claims", &asked)]).await.access_token();
        provider.claims(&token).await.get("email").is_some()
    };
    assert!(email(r#"{"value":"alice@example.com"}"#).await);
    assert!(email(r#"{"values":["x","alice@example.com"]}"#).await);
    assert!(!email(r#"{"value":"other"}"#).await);
    assert!(!email(r#"{"values":["x","y"]}"#).await);
}

#[tokio::test]
async fn oi_65_single_claims_are_on_the_page_and_in_every_id_token() {
    let provider = Provider::new();
    let asked = r#"{"id_token":{"email":null,"auth_time":{"essential":true}},"userinfo":{"name":null}}"#;
    let mut query = code_query("other", "openid");
    query.push(("claims", asked));
    let ask = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let consent = ask.signed_in(provider.fixture.alice()).await.consent().unwrap();
    assert_eq!(consent.claims(), ["email", "name"]);
    drop(consent);
    let answer = provider.tokens("other", "openid", &[("claims", asked)]).await;
    let claims = provider.id_token(&answer).await;
    assert_eq!((&claims["email"], claims.get("name")), (&json!("alice@example.com"), None));
    let answer = provider.fixture.refresh("other", &answer.refresh_token()).await;
    assert_eq!(provider.id_token(&answer).await["email"], "alice@example.com");
}

/// The page would show them, and so say what the client likes.
#[tokio::test]
async fn oi_65_names_that_are_no_words_are_ignored() {
    let provider = Provider::new();
    let long = "l".repeat(129);
    let names = [
        "nickname",
        "https://app.example/size#de",
        "was checked; choose Allow.",
        "\u{202e}gnp",
        "\0",
        "",
        &long,
    ];
    let asked: serde_json::Map<_, _> = names.map(|name| (name.to_owned(), Value::Null)).into_iter().collect();
    let claims = json!({ "userinfo": asked, "id_token": asked }).to_string();
    let mut query = code_query("other", "openid");
    query.push(("claims", &claims));
    let ask = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let consent = ask.signed_in(provider.fixture.alice()).await.consent().unwrap();
    assert_eq!(consent.claims(), ["https://app.example/size#de", "nickname"]);
}

#[tokio::test]
async fn oi_65_what_the_user_strikes_out_is_in_neither_place() {
    let provider = Provider::new();
    let asked = r#"{"id_token":{"email":null},"userinfo":{"name":null,"email":null}}"#;
    let mut query = code_query("other", "openid");
    query.push(("claims", asked));
    let ask = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let mut consent = ask.signed_in(provider.fixture.alice()).await.consent().unwrap();
    consent.narrow_claims(&["name", "shoe_size"]);
    assert_eq!(consent.claims(), ["name"]);
    let code = crate::support::Answer(consent.approve().await).location_parameter("code").unwrap();
    let answer = provider.fixture.redeem("other", &code).await;
    assert_eq!(provider.id_token(&answer).await.get("email"), None);
    assert_eq!(provider.claims(&answer.access_token()).await, json!({ "name": "Alice Liddell" }));
}

#[tokio::test]
async fn oi_66_a_refresh_narrows_the_scopes_share_and_widens_nothing() {
    let provider = Provider::new();
    let asked = r#"{"userinfo":{"name":null}}"#;
    let answer = provider.tokens("other", "openid email", &[("claims", asked)]).await;
    let both = json!({ "name": "Alice Liddell", "email": "alice@example.com", "email_verified": true });
    assert_eq!(provider.claims(&answer.access_token()).await, both);
    let token = answer.refresh_token();
    let wider = r#"{"userinfo":{"phone_number":null}}"#;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("scope", "openid"),
        ("claims", wider),
    ];
    let answer = provider.fixture.token("other", &form).await;
    assert_eq!(provider.claims(&answer.access_token()).await, json!({ "name": "Alice Liddell" }));
}

#[tokio::test]
async fn oi_67_a_name_in_a_language_goes_to_the_host_and_comes_back_as_it_is() {
    let provider = Provider::new();
    provider.people.set(json!({ "name#de": "Alice auf Deutsch", "sub#de": "forged" }));
    let asked = r#"{"userinfo":{"name#de":null,"sub#de":null}}"#;
    let token = provider.tokens("other", "openid", &[("claims", asked)]).await.access_token();
    assert_eq!(provider.claims(&token).await, json!({ "name#de": "Alice auf Deutsch" }));
    let (_, names) = provider.people.asked().pop().unwrap();
    assert_eq!(names, ["name#de"]);
}

#[tokio::test]
async fn oi_68_without_openid_it_is_ignored() {
    let provider = Provider::new();
    let answer = provider.ask("other", "read", &[("claims", "x")], provider.fixture.alice()).await;
    assert!(answer.location_parameter("code").is_some());
    let off = Fixture::new();
    let mut query = code_query("other", "read");
    query.push(("claims", "x"));
    assert!(off.approve(&query).await.location_parameter("code").is_some());
    let metadata = crate::support::Answer(off.server.metadata()).json();
    assert_eq!(metadata.get("claims_parameter_supported"), None);
}
