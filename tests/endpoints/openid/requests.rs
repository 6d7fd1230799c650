//! Authorization requests with the scope `openid` (OpenID Connect Core section 3.1.2).

use grantor::{Reason, Request};
use serde_json::json;

use crate::support::provider::{Provider, client};
use crate::support::{Fixture, code_query, encode};

#[tokio::test]
async fn d_14_acr_values_are_a_wish_with_openid_and_a_condition_without() {
    let provider = Provider::new();
    let wish = [("acr_values", "1 2")];
    let answer = provider.ask("other", "openid", &wish, provider.fixture.alice().with_acr("0")).await;
    let code = answer.location_parameter("code").expect("a wish");
    assert_eq!(provider.id_token(&provider.fixture.redeem("other", &code).await).await["acr"], "0");
    let answer = provider.ask("other", "read", &wish, provider.fixture.alice().with_acr("0")).await;
    let error = answer.location_parameter("error");
    assert_eq!(error.as_deref(), Some("unmet_authentication_requirements"));
}

#[tokio::test]
async fn oi_29_acr_values_are_told_to_the_host_and_not_demanded() {
    let provider = Provider::new();
    let mut query = code_query("other", "openid");
    query.push(("acr_values", "1 2"));
    let ask = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    assert_eq!(ask.requested().acr_values().collect::<Vec<_>>(), ["1", "2"]);
    let consent = ask.signed_in(provider.fixture.alice()).await.consent().expect("it goes on");
    assert_eq!(consent.requested().acr_values().next(), Some("1"));
    let answer = provider
        .ask("other", "openid", &[("acr_values", "1 2")], provider.fixture.alice().with_acr("2"))
        .await;
    let code = answer.location_parameter("code").unwrap();
    assert_eq!(provider.id_token(&provider.fixture.redeem("other", &code).await).await["acr"], "2");
}

#[tokio::test]
async fn oi_30_an_essential_acr_is_reached_or_the_request_fails() {
    let provider = Provider::new();
    for terms in [r#"{"essential":true,"values":["2","3"]}"#, r#"{"essential":true,"value":"2"}"#] {
        let claims = format!(r#"{{"id_token":{{"acr":{terms}}}}}"#);
        for prompt in ["login", "none"] {
            let more = [("claims", claims.as_str()), ("prompt", prompt)];
            let answer = provider.ask("other", "openid", &more, provider.fixture.alice().with_acr("1")).await;
            let error = answer.location_parameter("error");
            assert_eq!(error.as_deref(), Some("unmet_authentication_requirements"), "{terms}");
            let answer = provider.ask("other", "openid", &more, provider.fixture.alice().with_acr("2")).await;
            assert!(answer.location_parameter("code").is_some(), "{terms}");
        }
    }
    let wish = r#"{"id_token":{"acr":{"values":["2"]}}}"#;
    let answer = provider.ask("other", "openid", &[("claims", wish)], provider.fixture.alice()).await;
    assert!(answer.location_parameter("code").is_some(), "not essential");
}

#[tokio::test]
async fn oi_34_an_answer_is_for_the_user_that_the_claims_name_or_for_nobody() {
    let provider = Provider::new();
    for (user, good) in [("alice", true), ("bob", false)] {
        let claims = format!(r#"{{"id_token":{{"sub":{{"value":"{user}"}}}}}}"#);
        let answer = provider.ask("other", "openid", &[("claims", &claims)], provider.fixture.alice()).await;
        assert_eq!(answer.location_parameter("code").is_some(), good);
        let error = answer.location_parameter("error");
        assert_eq!(error.as_deref(), Some("login_required").filter(|_| !good));
    }
}

#[tokio::test]
async fn oi_37_the_redirect_uri_is_required() {
    let provider = Provider::new();
    let query = |scope: &'static str| {
        let mut query = code_query("other", scope);
        query.retain(|(name, _)| *name != "redirect_uri");
        Request::get(encode(&query))
    };
    let page = provider.fixture.server.authorize(&query("openid")).await.unwrap_err();
    assert_eq!(page.reason(), Reason::RedirectUriMissing);
    assert!(provider.fixture.server.authorize(&query("read")).await.is_ok(), "plain OAuth may leave it out");
}

#[tokio::test]
async fn oi_38_neither_nonce_nor_pkce_is_needed_of_a_confidential_client_that_opts_out() {
    let own = client("app", json!({ "require_pkce": false }));
    let provider = Provider::with(vec![own], |builder| builder);
    let mut query = code_query("app", "openid");
    query.retain(|(name, _)| !name.starts_with("code_challenge"));
    let answer = provider.fixture.approve(&query).await;
    let code = answer.location_parameter("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", crate::support::CALLBACK),
    ];
    let answer = provider.fixture.token("app", &form).await;
    assert_eq!(provider.id_token(&answer).await["sub"], "alice");
}

#[tokio::test]
async fn d_21_a_scope_that_nobody_knows_is_left_out_with_openid_and_refused_without() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid read unheard_of", &[]).await;
    assert_eq!(answer.text("scope"), "openid read");
    let narrow = client("narrow", json!({ "scope": "openid" }));
    let provider = Provider::with(vec![narrow], |builder| builder);
    for (client, scope) in [("other", "read unheard_of"), ("narrow", "openid read"), ("conf", "openid read")]
    {
        let answer = provider.ask(client, scope, &[], provider.fixture.alice()).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"), "{client} {scope}");
    }
    let off = Fixture::with(|builder| builder.scopes(["openid", "read"]));
    let answer = off.approve(&code_query("other", "openid unheard_of")).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"));
}
