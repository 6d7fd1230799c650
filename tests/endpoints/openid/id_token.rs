//! The `id_token` (OpenID Connect Core sections 2, 3.1.3.6 and 12.2).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::audit::EventKind;
use grantor::jose::{Algorithm, Jws};
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::openid::ClaimsTo;
use grantor::server::ConfigError;
use grantor::store::Filter;
use grantor::{
    AccessTokens, AuthorizationServer, Client, GrantType, Login, MemoryRegistry, MemoryStore, Policy, Reason,
    Request, SignedIn,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use crate::support::provider::{ALGORITHMS, People, Provider, client};
use crate::support::{Answer, ISSUER, SECRET, code_query, encode, request};

fn header(token: &str) -> Value {
    let (header, _) = token.split_once('.').unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

#[tokio::test]
async fn oi_01_an_id_token_says_who_for_whom_and_for_how_long() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid", &[]).await;
    let claims = provider.id_token(&answer).await;
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!(ISSUER), &json!("alice")));
    assert_eq!(claims["aud"], "other");
    assert_eq!(claims["iat"], provider.fixture.clock_seconds());
    assert!(claims["exp"].is_i64());
}

#[tokio::test]
async fn oi_02_a_user_who_cannot_be_a_sub_is_not_asked() {
    let provider = Provider::new();
    let fixture = &provider.fixture;
    let login = |user: &str| Login::new(user, fixture.alice().authentication().auth_time);
    let request = |scope| Request::get(encode(&code_query("other", scope)));
    let unfit = ["a".repeat(256), "ålice".to_owned(), String::new()];
    for (scope, user) in unfit.iter().map(|user| ("openid", user.as_str())).chain([("read", "")]) {
        let ask = fixture.server.authorize(&request(scope)).await.unwrap();
        let SignedIn::Answered(answer) = ask.signed_in(login(user)).await else { panic!("{user} is asked") };
        let error = Answer(answer).location_parameter("error");
        assert_eq!(error.as_deref(), Some("server_error"), "{user}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::SubjectUnfit));
    }
    assert_eq!(fixture.count().await, 0);
    assert!(provider.ask("other", "read", &[], login("ålice")).await.location_parameter("code").is_some());
    for user in &unfit {
        let begun = fixture.begin("other", &[("scope", "openid")]).await;
        let consent = fixture.enter_as(&begun.text("user_code"), login(user)).await;
        assert_eq!(consent.approve().await.unwrap_err().reason(), Reason::SubjectUnfit);
    }
    let login = Login::new("A".repeat(255), provider.fixture.alice().authentication().auth_time);
    let code = provider.ask("other", "openid", &[], login).await.location_parameter("code").unwrap();
    let answer = provider.fixture.redeem("other", &code).await;
    assert_eq!(provider.id_token(&answer).await["sub"], "A".repeat(255));
}

#[tokio::test]
async fn oi_03_a_nonce_comes_back_as_it_was_sent() {
    let provider = Provider::new();
    for nonce in ["n", &"n".repeat(64), &"é".repeat(512), "a \"b\" \\ %2B + <ü>"] {
        let answer = provider.tokens("other", "openid", &[("nonce", nonce)]).await;
        assert_eq!(provider.id_token(&answer).await["nonce"], nonce);
    }
    let answer = provider.tokens("other", "openid", &[]).await;
    assert_eq!(provider.id_token(&answer).await.get("nonce"), None);
    let long = "n".repeat(513);
    let refused = provider.ask("other", "openid", &[("nonce", &long)], provider.fixture.alice()).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn oi_04_auth_time_is_when_the_user_signed_in() {
    let provider = Provider::new();
    let login = provider.fixture.alice();
    let signed_in = provider.fixture.clock_seconds();
    provider.fixture.clock.advance(Duration::from_secs(300));
    let code = provider.ask("other", "openid", &[], login).await.location_parameter("code").unwrap();
    let answer = provider.fixture.redeem("other", &code).await;
    assert_eq!(provider.id_token(&answer).await["auth_time"], signed_in);
    provider.fixture.clock.advance(Duration::from_secs(300));
    let answer = provider.fixture.refresh("other", &answer.refresh_token()).await;
    assert_eq!(provider.id_token(&answer).await["auth_time"], signed_in);
}

#[tokio::test]
async fn oi_05_acr_and_amr_are_the_hosts_or_absent() {
    let provider = Provider::new();
    let login = provider.fixture.alice().with_acr("urn:example:silver").with_amr(["pwd", "otp"]);
    let code = provider.ask("other", "openid", &[], login).await.location_parameter("code").unwrap();
    let claims = provider.id_token(&provider.fixture.redeem("other", &code).await).await;
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:example:silver"), &json!(["pwd", "otp"])));
    let claims = provider.id_token(&provider.tokens("other", "openid", &[]).await).await;
    assert_eq!((claims.get("acr"), claims.get("amr")), (None, None));
}

#[tokio::test]
async fn oi_06_there_is_one_audience_and_no_azp() {
    let provider = Provider::new();
    let claims = provider.id_token(&provider.tokens("other", "openid", &[]).await).await;
    assert!(claims["aud"].is_string());
    assert_eq!(claims.get("azp"), None);
}

#[tokio::test]
async fn d_30_azp_is_never_sent() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid profile", &[]).await;
    let answer = provider.fixture.refresh("other", &answer.refresh_token()).await;
    assert_eq!(provider.id_token(&answer).await.get("azp"), None);
}

/// The hash of an access token, as its client computes it.
fn expected_hash(algorithm: Algorithm, token: &str) -> String {
    match algorithm {
        Algorithm::EdDsa => URL_SAFE_NO_PAD.encode(&Sha512::digest(token)[..32]),
        _ => URL_SAFE_NO_PAD.encode(&Sha256::digest(token)[..16]),
    }
}

/// A client for each algorithm, by its name.
fn of_each_algorithm() -> Vec<grantor::Client> {
    let with = |algorithm: Algorithm| {
        client(algorithm.as_str(), json!({ "id_token_signed_response_alg": algorithm.as_str() }))
    };
    ALGORITHMS.into_iter().map(with).collect()
}

#[tokio::test]
async fn oi_07_at_hash_goes_with_the_algorithm_of_the_id_token() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let provider = Provider::with(of_each_algorithm(), |builder| builder.access_tokens(format));
        for algorithm in ALGORITHMS {
            let answer = provider.tokens(algorithm.as_str(), "openid", &[]).await;
            let claims = provider.id_token(&answer).await;
            assert_eq!(claims["at_hash"], expected_hash(algorithm, &answer.access_token()), "{algorithm}");
        }
    }
}

#[tokio::test]
async fn oi_08_each_client_has_its_own_algorithm_and_rs256_is_the_default() {
    let provider = Provider::with(of_each_algorithm(), |builder| builder);
    for algorithm in ALGORITHMS {
        let answer = provider.tokens(algorithm.as_str(), "openid", &[]).await;
        assert_eq!(Jws::parse(&answer.text("id_token")).unwrap().algorithm(), algorithm);
    }
    let answer = provider.tokens("other", "openid", &[]).await;
    assert_eq!(Jws::parse(&answer.text("id_token")).unwrap().algorithm(), Algorithm::Rs256);
}

#[test]
fn oi_09_a_provider_without_rs256_does_not_start() {
    let build = |algorithms: Option<&[Algorithm]>| {
        let builder = AuthorizationServer::builder(ISSUER)
            .clients(MemoryRegistry::default())
            .store(MemoryStore::new())
            .openid(People::default());
        let builder = match algorithms {
            Some(algorithms) => {
                let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), algorithms).unwrap();
                builder.token_signer(JwtSigner::new(keys).unwrap())
            }
            None => builder,
        };
        builder.build().map(drop).map_err(|errors| errors.all().to_vec())
    };
    assert_eq!(build(None), Err(vec![ConfigError::OpenIdSigner]));
    assert_eq!(build(Some(&[Algorithm::Es256])), Err(vec![ConfigError::OpenIdSigner]));
    assert_eq!(build(Some(&[Algorithm::Es256, Algorithm::Rs256])), Ok(()));
}

#[tokio::test]
async fn oi_10_its_header_has_the_name_of_a_published_key_and_nothing_to_follow() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid", &[]).await;
    let header = header(&answer.text("id_token"));
    let mut members: Vec<&String> = header.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["alg", "kid", "typ"]);
    assert_eq!(header["typ"], "JWT");
    let jwks: Value = serde_json::from_slice(&provider.fixture.server.jwks().await.body).unwrap();
    assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"]));
}

#[tokio::test]
async fn oi_12_there_is_one_for_grants_that_began_with_openid_and_no_other() {
    let provider = Provider::new();
    let plain = provider.tokens("other", "read", &[("nonce", "n")]).await;
    assert_eq!(plain.json().get("id_token"), None);
    let form = |token: &str, scope: &'static str| {
        vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.to_owned()),
            ("scope", scope.to_owned()),
        ]
    };
    let refresh = async |token: String, scope| {
        let form = form(&token, scope);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        provider.fixture.token("other", &form).await
    };
    assert_eq!(refresh(plain.refresh_token(), "openid").await.error(), (400, "invalid_scope".to_owned()));
    let answer = provider.tokens("other", "openid read", &[]).await;
    let narrowed = refresh(answer.refresh_token(), "read").await;
    assert_eq!((narrowed.status(), narrowed.json().get("id_token")), (200, None));
    let whole = provider.fixture.refresh("other", &answer.refresh_token()).await;
    assert_eq!(provider.id_token(&whole).await["sub"], "alice");
    let robot =
        provider.fixture.token("other", &[("grant_type", "client_credentials"), ("scope", "openid")]).await;
    assert_eq!((robot.status(), robot.json().get("id_token")), (200, None));
}

#[tokio::test]
async fn oi_12_what_the_user_denies_is_not_there() {
    let provider = Provider::new();
    let request = grantor::Request::get(crate::support::encode(&code_query("other", "openid read")));
    let ask = provider.fixture.server.authorize(&request).await.unwrap();
    let consent = ask.signed_in(provider.fixture.alice()).await.consent().unwrap();
    let answer = crate::support::Answer(consent.approve_scope(&grantor::Scope::parse("read").unwrap()).await);
    let code = answer.location_parameter("code").unwrap();
    assert_eq!(provider.fixture.redeem("other", &code).await.json().get("id_token"), None);
}

#[tokio::test]
async fn oi_13_its_life_is_its_own() {
    let mut policy = Policy::default();
    policy.access_token_lifetime = Duration::from_secs(3600);
    let provider = Provider::with(Vec::new(), |builder| builder.policy(policy));
    let answer = provider.tokens("other", "openid", &[]).await;
    let claims = provider.id_token(&answer).await;
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    assert_eq!(answer.json()["expires_in"], 3600);
}

#[tokio::test]
async fn oi_14_what_is_not_known_is_absent() {
    let all = client("all", json!({ "id_token_claims_from_scope": true }));
    let provider = Provider::with(vec![all], |builder| builder);
    provider.people.set(json!({ "name": "", "nickname": null }));
    let answer = provider.tokens("all", "openid profile", &[]).await;
    let claims = provider.id_token(&answer).await;
    assert_eq!((claims.get("name"), claims.get("nickname")), (None, None));
    assert_eq!(claims["given_name"], "Alice");
    assert!(claims.as_object().unwrap().values().all(|value| !value.is_null() && *value != json!("")));
    assert_eq!(provider.claims(&answer.access_token()).await.get("name"), None);
}

#[tokio::test]
async fn oi_15_a_host_does_not_override_what_the_protocol_says() {
    let all = client("all", json!({ "id_token_claims_from_scope": true }));
    let provider = Provider::with(vec![all], |builder| builder);
    for name in ["iss", "aud", "sub", "nonce", "exp", "acr", "at_hash", "sid", "sub#de"] {
        provider.people.set(json!({ name: "forged" }));
        let answer = provider.tokens("all", "openid profile", &[("nonce", "n")]).await;
        let claims = provider.id_token(&answer).await;
        assert_ne!(claims.get(name), Some(&json!("forged")), "{name}");
        assert_eq!((&claims["sub"], &claims["name"]), (&json!("alice"), &json!("Alice Liddell")));
        let dropped =
            provider.fixture.log.whats().into_iter().filter(|what| *what == EventKind::ClaimsDropped).count();
        assert_eq!(provider.claims(&answer.access_token()).await.get(name), None);
        let after =
            provider.fixture.log.whats().into_iter().filter(|what| *what == EventKind::ClaimsDropped).count();
        assert_eq!(after, dropped + 1, "{name}");
        assert!(dropped > 0);
        provider.people.forget(name);
    }
}

#[tokio::test]
async fn oi_16_it_stands_beside_the_access_token_in_json_that_no_cache_keeps() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid read", &[]).await;
    assert_eq!(answer.0.header("cache-control"), Some("no-store"));
    assert_eq!(answer.0.header("content-type"), Some("application/json"));
    let json = answer.json();
    assert!(json["access_token"].is_string() && json["id_token"].is_string());
    assert_eq!((&json["token_type"], &json["scope"]), (&json!("Bearer"), &json!("openid read")));
}

#[tokio::test]
async fn oi_17_a_lost_answer_has_the_same_claims_again() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid", &[("nonce", "n")]).await;
    // A public client's refresh tokens rotate, so the answer to one can be repeated.
    let own = client("app", json!({ "rotate_refresh_tokens": true }));
    let rotating = Provider::with(vec![own], |builder| builder);
    let begun = rotating.tokens("app", "openid", &[]).await;
    let first = rotating.fixture.refresh("app", &begun.refresh_token()).await;
    rotating.fixture.clock.advance(Duration::from_secs(30));
    let second = rotating.fixture.refresh("app", &begun.refresh_token()).await;
    assert_eq!(first.access_token(), second.access_token());
    assert_eq!(rotating.id_token(&first).await, rotating.id_token(&second).await);
    assert_eq!(provider.id_token(&answer).await["nonce"], "n");
}

#[tokio::test]
async fn oi_83_a_refreshed_one_is_of_the_same_login_and_has_no_nonce() {
    let provider = Provider::new();
    let login = provider.fixture.alice().with_acr("silver").with_amr(["pwd"]);
    let answer = provider.ask("other", "openid", &[("nonce", "n")], login).await;
    let code = answer.location_parameter("code").unwrap();
    let begun = provider.fixture.redeem("other", &code).await;
    let first = provider.id_token(&begun).await;
    provider.fixture.clock.advance(Duration::from_secs(60));
    let answer = provider.fixture.refresh("other", &begun.refresh_token()).await;
    let second = provider.id_token(&answer).await;
    for same in ["iss", "sub", "aud", "auth_time", "acr", "amr"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_eq!(second["iat"].as_i64().unwrap() - first["iat"].as_i64().unwrap(), 60);
    assert_eq!((&first["nonce"], second.get("nonce")), (&json!("n"), None));
    assert_eq!(second["at_hash"], expected_hash(Algorithm::Rs256, &answer.access_token()));
}

#[tokio::test]
async fn oi_87_a_device_gets_one_without_a_nonce() {
    let provider = Provider::new();
    let form = [("scope", "openid read unheard_of"), ("nonce", "n")];
    let began = provider.fixture.begin("tv", &form).await;
    let entered =
        provider.fixture.enter_as(&began.text("user_code"), provider.fixture.alice().with_amr(["pwd"])).await;
    entered.approve().await.unwrap();
    let answer = provider.fixture.poll("tv", &began.text("device_code")).await;
    let claims = provider.id_token(&answer).await;
    assert_eq!(
        (&claims["sub"], &claims["aud"], &claims["amr"]),
        (&json!("alice"), &json!("tv"), &json!(["pwd"]))
    );
    assert_eq!(claims["auth_time"], provider.fixture.clock_seconds());
    assert_eq!(claims.get("nonce"), None);
    assert_eq!(answer.text("scope"), "openid read");
}

#[tokio::test]
async fn d_20_claims_of_scopes_are_in_the_id_token_of_a_client_that_wants_them_there() {
    let all = client("all", json!({ "id_token_claims_from_scope": true }));
    let provider = Provider::with(vec![all], |builder| builder);
    let claims = provider.id_token(&provider.tokens("other", "openid email", &[]).await).await;
    assert_eq!(claims.get("email"), None);
    assert_eq!(provider.people.asked(), [], "nobody asks for what is not used");
    let claims = provider.id_token(&provider.tokens("all", "openid email", &[]).await).await;
    assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("alice@example.com"), &json!(true)));
    assert_eq!(claims.get("name"), None, "only of the scopes that were granted");
    let names = vec!["email".to_owned(), "email_verified".to_owned()];
    assert_eq!(provider.people.asked(), [(ClaimsTo::IdToken, names)], "once an answer");
}

#[tokio::test]
async fn users_who_cannot_be_asked_burn_no_code() {
    let all = client("all", json!({ "id_token_claims_from_scope": true }));
    let provider = Provider::with(vec![all], |builder| builder);
    let code = provider.code("all", "openid email", &[]).await;
    provider.people.goes_down(true);
    let answer = provider.fixture.redeem("all", &code).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert!(answer.0.header("retry-after").is_some());
    provider.people.goes_down(false);
    let answer = provider.fixture.redeem("all", &code).await;
    assert_eq!(provider.id_token(&answer).await["email"], "alice@example.com");
    provider.people.goes_down(true);
    assert_eq!(provider.fixture.refresh("all", &answer.refresh_token()).await.status(), 503);
    provider.people.goes_down(false);
    assert_eq!(provider.fixture.refresh("all", &answer.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn an_algorithm_without_a_key_is_refused_before_the_user_is_asked() {
    let metadata = json!({ "id_token_signed_response_alg": "ES256" });
    let kiosk = Client::builder("kiosk").metadata(serde_json::from_value(metadata.clone()).unwrap());
    let kiosk = kiosk.grant_types([GrantType::DeviceCode]).secret(SECRET).build().unwrap();
    let provider = Provider::with(vec![client("odd", metadata), kiosk], |builder| {
        let keys =
            Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::Rs256]).unwrap();
        builder.token_signer(JwtSigner::new(keys).unwrap())
    });
    let answer = provider.ask("odd", "openid", &[], provider.fixture.alice()).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("server_error"));
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::IdTokenAlgorithm));
    assert_eq!(provider.tokens("odd", "read", &[]).await.status(), 200, "without an id_token");
    let device = async |scope: &str| {
        let asked = request("kiosk", &[("scope", scope)]);
        Answer(provider.fixture.server.device_authorization(&asked).await)
    };
    assert_eq!(device("openid").await.error(), (500, "server_error".to_owned()));
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::IdTokenAlgorithm));
    assert_eq!(device("read").await.status(), 200);
}

#[tokio::test]
async fn a_grant_of_plain_oauth_keeps_nothing_of_openid_connect() {
    let body = async |scope: &str| {
        let provider = Provider::new();
        provider
            .tokens("other", scope, &[("nonce", "n"), ("claims", r#"{"userinfo":{"email":null}}"#)])
            .await;
        let page = provider.fixture.server.grants(&Filter::default(), None, 10).await.unwrap();
        page.records[0].grant().encode()
    };
    assert!(!body("read").await.contains("openid"));
    assert!(body("openid").await.contains("\"nonce\":\"n\""));
    let off = crate::support::Fixture::with(|builder| builder.scopes(["openid", "read"]));
    let code = off.code("other", "openid read").await;
    assert_eq!(off.redeem("other", &code).await.json().get("id_token"), None);
}
