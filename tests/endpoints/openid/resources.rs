//! Logins by requests that name a resource: it narrows the access token, and not the `id_token`.

use grantor::server::AuthorizationServerBuilder;
use grantor::{Profile, RefreshTokens, Resource};
use serde_json::json;

use crate::support::device::Codes;
use crate::support::hybrid::{NONCE, error, field, hybrid};
use crate::support::provider::{Provider, client};
use crate::support::{Fixture, ISSUER};

const API: &str = "https://api.example";

/// With a resource that knows the scope `read` alone.
fn with_api(builder: AuthorizationServerBuilder) -> AuthorizationServerBuilder {
    builder.resource(Resource::new(API).scopes(["read"]))
}

#[tokio::test]
async fn oi_01_a_resource_that_does_not_know_openid_takes_no_id_token_away() {
    let named = Provider::with(Vec::new(), |builder| with_api(builder).audience(ISSUER));
    let only = Provider::with(Vec::new(), with_api);
    for (provider, more) in [(&named, vec![("resource", API)]), (&only, Vec::new())] {
        let answer = provider.tokens("other", "openid read write", &more).await;
        assert_eq!(answer.text("scope"), "openid read");
        assert_eq!(provider.id_token(&answer).await["sub"], "alice");
        let again = provider.fixture.refresh("other", &answer.refresh_token()).await;
        assert_eq!(provider.id_token(&again).await["sub"], "alice");
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", &again.refresh_token()), ("scope", "read")];
        let narrow = provider.fixture.token("other", &form).await;
        assert_eq!((narrow.text("scope").as_str(), narrow.json().get("id_token")), ("read", None));
    }
    let answer = named.tokens("other", "openid email read", &[("resource", API)]).await;
    assert_eq!(answer.text("scope"), "openid read", "UserInfo does not take the token");
}

#[tokio::test]
async fn userinfo_reads_the_scopes_of_a_login_where_the_only_resource_lists_others() {
    let provider = Provider::with(Vec::new(), with_api);
    let answer = provider.tokens("other", "openid email read write", &[]).await;
    assert_eq!(answer.text("scope"), "openid email read");
    assert_eq!(provider.claims(&answer.access_token()).await["email"], "alice@example.com");
    let again = provider.fixture.refresh("other", &answer.refresh_token()).await;
    assert_eq!(provider.claims(&again.access_token()).await["email"], "alice@example.com");
    let answer = provider.tokens("other", "email read", &[]).await;
    assert_eq!(answer.text("scope"), "read", "without a login, UserInfo does not take the token");
    let plain = Fixture::with(|builder| with_api(builder.scopes(["read", "email"])));
    let answer = plain.tokens("other", "read email").await;
    assert_eq!(answer.text("scope"), "read", "without OpenID Connect, it is a scope like any other");
}

#[tokio::test]
async fn a_login_alone_needs_no_scope_of_the_resource() {
    let provider = Provider::with(Vec::new(), with_api);
    let answer = provider.tokens("other", "openid", &[("resource", API)]).await;
    assert_eq!(answer.text("scope"), "openid");
    assert_eq!(provider.id_token(&answer).await["sub"], "alice");
}

#[tokio::test]
async fn a_device_logs_in_whatever_its_resource_knows() {
    let provider = Provider::with(Vec::new(), with_api);
    let fixture = &provider.fixture;
    let answer = fixture.begin("other", &[("scope", "openid read"), ("resource", API)]).await;
    let codes = Codes { device: answer.text("device_code"), user: answer.text("user_code") };
    fixture.says_yes(&codes).await;
    let answer = fixture.poll("other", &codes.device).await;
    assert_eq!(provider.id_token(&answer).await["sub"], "alice");
}

#[tokio::test]
async fn the_claims_of_a_scope_do_not_depend_on_the_resource() {
    let eager = client("eager", json!({ "id_token_claims_from_scope": true }));
    let provider = Provider::with(vec![eager], with_api);
    let answer = provider.tokens("eager", "openid email read", &[("resource", API)]).await;
    assert_eq!(answer.text("scope"), "openid email read");
    assert_eq!(provider.id_token(&answer).await["email"], "alice@example.com");
}

#[tokio::test]
async fn an_id_token_through_the_browser_does_not_depend_on_the_resource() {
    let clients = vec![hybrid("app", json!({}))];
    let provider = Provider::with(clients, |builder| with_api(builder).profile(Profile::Rfc6749));
    for response_type in ["id_token", "id_token token", "code id_token", "code id_token token"] {
        let more = [NONCE, ("resource", API)];
        let answer = provider.answer("app", response_type, "openid read", &more).await;
        assert_eq!(error(&answer), None, "{response_type}");
        assert_eq!(provider.says(&field(&answer, "id_token")).await["sub"], "alice", "{response_type}");
    }
}

#[tokio::test]
async fn offline_access_is_no_scope_of_a_resource() {
    let mut policy = grantor::Policy::default();
    policy.refresh_tokens = RefreshTokens::OfflineOnly;
    let provider = Provider::with(Vec::new(), |builder| {
        with_api(builder).scopes(["openid", "read", "offline_access"]).policy(policy)
    });
    let answer = provider.tokens("other", "read offline_access", &[("resource", API)]).await;
    assert_eq!(answer.text("scope"), "read offline_access");
    let again = provider.fixture.refresh("other", &answer.refresh_token()).await;
    assert_eq!(again.text("scope"), "read offline_access");
}

#[tokio::test]
async fn a_guard_lists_the_scopes_of_its_resource_alone() {
    let provider = Provider::with(Vec::new(), with_api);
    let metadata = crate::support::Answer(provider.fixture.guard(API).metadata()).json();
    assert_eq!(metadata["scopes_supported"], json!(["read"]));
}
