//! Answers with a MAC by the client's own secret (OpenID Connect Core sections 10.1 and 16.19).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use grantor::{AccessTokens, Client, ClientBuilder, GrantType, Profile, Reason, ResponseType};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::hybrid::{NONCE, field};
use crate::support::provider::{Provider, client};
use crate::support::sealing::{Chest, Mistaken, unmaced};
use crate::support::{Answer, CALLBACK, ISSUER, SECRET, TestClock};

/// What signs for the clients here; they authenticate with [`SECRET`].
pub const OWN: &str = "a secret of the client, of 40 characters";
const NEXT: &str = "another one, which lives for a minute or so";

/// A client with a sealed secret and this metadata.
pub fn sealed(id: &str, metadata: Value) -> ClientBuilder {
    let grants = [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::RefreshToken];
    Client::builder(id)
        .metadata(serde_json::from_value(metadata).unwrap())
        .redirect_uri(CALLBACK)
        .grant_types(grants)
        .secret(SECRET)
        .sealed_secret(OWN, &Chest::default())
        .unwrap()
}

fn app(more: Value) -> ClientBuilder {
    let mut metadata = json!({ "id_token_signed_response_alg": "HS256", "rotate_refresh_tokens": true });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    sealed("app", metadata)
}

/// A provider with this client, and what opens its secret.
fn provider(app: ClientBuilder) -> (Provider, Chest) {
    let chest = Chest::default();
    let opens = chest.clone();
    let app = app.build().unwrap();
    (Provider::with(vec![app], |builder| builder.profile(Profile::Rfc6749).sealed_secrets(opens)), chest)
}

fn half(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16])
}

#[tokio::test]
async fn oi_11_every_answer_has_a_mac_by_the_octets_of_the_secret() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let app = app(json!({ "access_tokens": format }));
        let (provider, _) = provider(app);
        let fixture = &provider.fixture;
        let first = provider.tokens("app", "openid", &[("nonce", "n")]).await;
        let renewed = fixture.refresh("app", &first.refresh_token()).await;
        let repeated = fixture.refresh("app", &first.refresh_token()).await;
        assert_eq!(renewed.refresh_token(), repeated.refresh_token());
        let began = fixture.begin("app", &[("scope", "openid")]).await;
        fixture.enter_as(&began.text("user_code"), fixture.alice()).await.approve().await.unwrap();
        let polled = fixture.poll("app", &began.text("device_code")).await;
        for (name, answer) in
            [("code", &first), ("refresh", &renewed), ("repeat", &repeated), ("device", &polled)]
        {
            let (header, claims) = unmaced(OWN, &answer.text("id_token"));
            assert_eq!(header, json!({ "alg": "HS256", "typ": "JWT" }), "{name}: no key is named");
            let who = (&claims["iss"], &claims["aud"], &claims["sub"]);
            assert_eq!(who, (&json!(ISSUER), &json!("app"), &json!("alice")), "{name}");
            assert_eq!(claims["at_hash"], half(&answer.access_token()), "{name}");
        }
        assert_eq!(unmaced(OWN, &first.text("id_token")).1["nonce"], "n");
        let other = provider.tokens("other", "openid", &[]).await;
        assert_eq!(provider.id_token(&other).await["aud"], "other", "the others have a key of the server");
    }
}

#[tokio::test]
async fn oi_11_an_answer_by_the_browser_is_bound_by_the_hash_of_the_mac() {
    let grants = [GrantType::AuthorizationCode, GrantType::Implicit];
    let app = app(json!({})).grant_types(grants).response_types(ResponseType::ALL.iter().copied());
    let (provider, _) = provider(app);
    for response_type in ResponseType::ALL.iter().filter(|known| known.has_id_token()) {
        let name = response_type.as_str();
        let answer = provider.answer("app", name, "openid", &[NONCE]).await;
        let (_, claims) = unmaced(OWN, &field(&answer, "id_token"));
        let hash = |name: &str| answer.location_parameter(name).map(|text| json!(half(&text)));
        assert_eq!(claims.get("at_hash"), hash("access_token").as_ref(), "{name}");
        assert_eq!(claims.get("c_hash"), hash("code").as_ref(), "{name}");
        assert_eq!(claims.get("s_hash"), hash("state").as_ref(), "{name}");
    }
}

#[tokio::test]
async fn oi_11_a_userinfo_answer_can_have_a_mac_beside_an_id_token_with_a_signature() {
    let (provider, chest) = provider(sealed("app", json!({ "userinfo_signed_response_alg": "HS256" })));
    let tokens = provider.tokens("app", "openid email", &[]).await;
    assert_eq!(provider.id_token(&tokens).await["aud"], "app");
    let answer = provider.userinfo(&tokens.access_token()).await;
    assert_eq!((answer.status(), answer.0.header("content-type")), (200, Some("application/jwt")));
    let (_, claims) = unmaced(OWN, std::str::from_utf8(&answer.0.body).unwrap());
    let expected = json!({
        "iss": ISSUER, "aud": "app", "sub": "alice", "email": "alice@example.com", "email_verified": true,
    });
    assert_eq!(claims, expected);
    chest.lock(true);
    assert_eq!(provider.userinfo(&tokens.access_token()).await.status(), 503);
}

#[tokio::test]
async fn oi_11_a_secret_that_cannot_be_opened_loses_nothing() {
    let grants = [GrantType::AuthorizationCode, GrantType::Implicit, GrantType::RefreshToken];
    let app = app(json!({})).grant_types(grants).response_types(ResponseType::ALL.iter().copied());
    let (provider, chest) = provider(app);
    let code = provider.code("app", "openid", &[]).await;
    let locked = |answer: Answer| {
        assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
        assert!(answer.0.header("retry-after").is_some());
    };
    chest.lock(true);
    locked(provider.fixture.redeem("app", &code).await);
    chest.lock(false);
    let tokens = provider.fixture.redeem("app", &code).await;
    unmaced(OWN, &tokens.text("id_token"));
    chest.lock(true);
    locked(provider.fixture.refresh("app", &tokens.refresh_token()).await);
    let before = provider.fixture.count().await;
    let page = provider.answer("app", "code id_token", "openid", &[NONCE]).await;
    assert_eq!((page.status(), page.0.header("location")), (503, None));
    assert_eq!(provider.fixture.count().await, before, "no grant is left");
    chest.lock(false);
    let renewed = provider.fixture.refresh("app", &tokens.refresh_token()).await;
    unmaced(OWN, &renewed.text("id_token"));
}

#[tokio::test]
async fn oi_11_nothing_is_signed_with_the_secret_of_another() {
    let app = app(json!({})).build().unwrap();
    let provider = Provider::with(vec![app], |builder| builder.sealed_secrets(Mistaken));
    let code = provider.code("app", "openid", &[]).await;
    for _ in 0..2 {
        let answer = provider.fixture.redeem("app", &code).await;
        assert_eq!(answer.error(), (500, "server_error".to_owned()), "and no code is burned");
        assert_eq!(provider.fixture.log.last_reason(), Some(Reason::StoreBroken));
    }
}

#[tokio::test]
async fn oi_11_the_newest_live_secret_signs() {
    let until = |seconds| DateTime::from_timestamp(TestClock::START + seconds, 0).unwrap();
    let app = app(json!({})).last_secret_until(until(120));
    let app = app.sealed_secret(NEXT, &Chest::default()).unwrap().last_secret_until(until(60));
    let (provider, _) = provider(app);
    for secret in [NEXT, OWN] {
        let tokens = provider.tokens("app", "openid", &[]).await;
        assert_eq!(unmaced(secret, &tokens.text("id_token")).1["sub"], "alice");
        provider.fixture.clock.advance(Duration::from_secs(60));
    }
    let code = provider.code("app", "openid", &[]).await;
    for _ in 0..2 {
        let answer = provider.fixture.redeem("app", &code).await;
        assert_eq!(answer.error(), (500, "server_error".to_owned()));
        assert_eq!(provider.fixture.log.last_reason(), Some(Reason::IdTokenAlgorithm), "all have expired");
    }
}

#[tokio::test]
async fn d_23_hs256_is_there_only_where_the_host_opens_secrets() {
    const OF_OPENID: [&str; 2] =
        ["id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"];
    let listed = |provider: &Provider, name: &str| {
        let document = Answer(provider.fixture.server.metadata()).json();
        document[name].as_array().unwrap().contains(&json!("HS256"))
    };
    let on = Provider::with(Vec::new(), |builder| {
        let builder = builder.sign_authorization_responses().sign_introspection_answers();
        builder.sealed_secrets(Chest::default())
    });
    let with_digests = client("digests", json!({}));
    let off = Provider::with(vec![app(json!({})).build().unwrap(), with_digests], |builder| builder);
    for name in OF_OPENID {
        assert!(listed(&on, name) && !listed(&off, name), "{name}");
    }
    for name in ["authorization_signing_alg_values_supported", "introspection_signing_alg_values_supported"] {
        assert!(!listed(&on, name), "{name}");
    }
    let answer = off.ask("app", "openid", &[], off.fixture.alice()).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("server_error"));
    assert_eq!(off.fixture.log.last_reason(), Some(Reason::IdTokenAlgorithm));
    assert_eq!(off.id_token(&off.tokens("digests", "openid", &[]).await).await["aud"], "digests");
}
