//! What of OpenID Connect is not built.

use grantor::flow::token::{Exchange, ExchangeAsk};
use grantor::server::ExchangePolicy;
use grantor::{BackendError, Client, EventKind, GrantType, Reason, async_trait};
use serde_json::json;

use crate::support::provider::{Provider, client};
use crate::support::{Answer, CALLBACK, SECRET};

struct Generous;

#[async_trait]
impl ExchangePolicy for Generous {
    async fn exchange(&self, _: &ExchangeAsk<'_>) -> Result<Exchange, BackendError> {
        Ok(Exchange::Impersonation)
    }
}

#[tokio::test]
async fn oi_88_native_sso_is_not_built() {
    let app = Client::builder("app")
        .redirect_uri(CALLBACK)
        .grant_types([GrantType::AuthorizationCode, GrantType::TokenExchange])
        .secret(SECRET)
        .build()
        .unwrap();
    let provider = Provider::with(vec![app], |builder| builder.token_exchange(Generous));
    let answer = provider.tokens("app", "openid device_sso", &[]).await;
    assert_eq!(answer.text("scope"), "openid", "the scope is left out");
    assert_eq!(answer.json().get("device_secret"), None);
    assert_eq!(provider.id_token(&answer).await.get("ds_hash"), None);
    let id_token = answer.text("id_token");
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", id_token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("actor_token", "a device secret"),
        ("actor_token_type", "urn:openid:params:token-type:device-secret"),
    ];
    let refused = provider.fixture.token("app", &exchange).await;
    assert_eq!(refused.error(), (400, "invalid_request".to_owned()));
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::TokenTypeUnsupported));
    let document = Answer(provider.fixture.server.metadata()).json();
    assert!(!document.to_string().contains("native_sso"));
}

#[tokio::test]
async fn oi_89_self_issued_providers_and_claims_of_others_are_not_built() {
    let all = client("all", json!({ "id_token_claims_from_scope": true }));
    let provider = Provider::with(vec![all], |builder| builder);
    let document = Answer(provider.fixture.server.metadata()).json();
    for absent in ["claim_types_supported", "subject_syntax_types_supported", "id_token_types_supported"] {
        assert_eq!(document.get(absent), None, "{absent}");
    }
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    let more = [("registration", r#"{"client_name":"me"}"#)];
    let refused = provider.ask("all", "openid", &more, provider.fixture.alice()).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("registration_not_supported"));
    // A host cannot bring them in either.
    provider.people.set(json!({
        "_claim_names": { "email": "other" }, "_claim_sources": { "other": { "endpoint": "https://x.example" } },
        "sub_jwk": { "kty": "EC" },
    }));
    let answer = provider.tokens("all", "openid profile", &[]).await;
    let seen = [provider.id_token(&answer).await, provider.claims(&answer.access_token()).await];
    for name in ["_claim_names", "_claim_sources", "sub_jwk"] {
        assert!(seen.iter().all(|claims| claims.get(name).is_none()), "{name}");
    }
    assert!(provider.fixture.log.whats().contains(&EventKind::ClaimsDropped));
}
