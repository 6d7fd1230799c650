//! Signed tokens of one kind at the places of another (RFC 8725 section 3.11), and what is not built.

use grantor::client::ClientJwts;
use grantor::flow::token::{Exchange, ExchangeAsk};
use grantor::server::ExchangePolicy;
use grantor::{
    AccessTokens, AuthMethod, BackendError, Client, GrantType, MemoryStore, Reason, Request, async_trait,
};
use serde_json::{Value, json};

use crate::support::asserting::by_assertion;
use crate::support::provider::{Provider, client, keys};
use crate::support::{Answer, CALLBACK, SECRET};

/// A client whose keys are the server's own: only what a token says can keep it from passing as an assertion.
async fn twin_of_the_server() -> Client {
    let provider = Provider::new();
    let jwks: Value = serde_json::from_slice(&provider.fixture.server.jwks().await.body).unwrap();
    Client::builder("twin")
        .auth_method(AuthMethod::PrivateKeyJwt)
        .redirect_uri(CALLBACK)
        .grant_types([GrantType::ClientCredentials, GrantType::AuthorizationCode])
        .jwks(jwks)
        .build()
        .unwrap()
}

#[tokio::test]
async fn each_kind_of_signed_token_is_refused_at_the_places_of_the_others() {
    assert!(keys().algorithms().len() > 1);
    let twin = twin_of_the_server().await;
    let signed = client("signed", json!({ "userinfo_signed_response_alg": "RS256" }));
    let provider = Provider::with(vec![twin, signed], |builder| {
        let jwts = builder.access_tokens(AccessTokens::Jwt).client_signatures(ClientJwts::new());
        jwts.replay_guard(MemoryStore::new())
    });
    let answer = provider.tokens("signed", "openid", &[]).await;
    let access_token = answer.access_token();
    let userinfo = provider.userinfo(&access_token).await;
    let userinfo = String::from_utf8(userinfo.0.body).unwrap();
    let server = &provider.fixture.server;
    for (kind, token, is_access_token) in [
        ("id_token", answer.text("id_token"), false),
        ("UserInfo answer", userinfo, false),
        ("access token", access_token.clone(), true),
    ] {
        assert_eq!(server.check(&token).await.is_ok(), is_access_token, "{kind} at a guard");
        let status = provider.userinfo(&token).await.status();
        assert_eq!(status, if is_access_token { 200 } else { 401 }, "{kind} at UserInfo");
        let seen = provider.fixture.introspect("signed", &token).await.json();
        assert_eq!(seen["active"], is_access_token, "{kind} at introspection");
        let form = [("grant_type", "client_credentials"), ("client_id", "twin")];
        let asserted = Answer(server.token(&by_assertion(&token, &form)).await);
        assert_eq!(asserted.error(), (401, "invalid_client".to_owned()), "{kind} as a client assertion");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let refreshed = provider.fixture.token("signed", &form).await;
        assert_eq!(refreshed.error(), (400, "invalid_grant".to_owned()), "{kind} as a refresh token");
        let form =
            [("grant_type", "authorization_code"), ("code", token.as_str()), ("redirect_uri", CALLBACK)];
        let redeemed = provider.fixture.token("signed", &form).await;
        assert_eq!(redeemed.error(), (400, "invalid_grant".to_owned()), "{kind} as a code");
        if !is_access_token {
            assert_eq!(provider.fixture.revoke("signed", &token).await.status(), 200, "{kind} at revocation");
            assert!(server.check(&access_token).await.is_ok(), "{kind} revokes nothing");
        }
    }
}

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
    let get = Request::get("");
    assert_eq!(Answer(provider.fixture.server.userinfo(&get).await).status(), 401);
}
