//! Clients that authenticate by a MAC: `client_secret_jwt` of OpenID Connect Core sections 9 and 10.1.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use grantor::client::{ClientError, ClientJwts, SealedSecretError};
use grantor::error::AssertionFlaw;
use grantor::jose::{Algorithm, SigningKey};
use grantor::server::{AuthorizationServerBuilder, ConfigError};
use grantor::{
    ApplicationType, AuthMethod, AuthorizationServer, Client, ClientBuilder, GrantType, MemoryRegistry,
    MemoryStore, Profile, Reason, Registration, Request,
};
use serde_json::{Value, json};

use crate::support::asserting::{Asserting, by_assertion, claims, set_of};
use crate::support::guarded::{b64, forged};
use crate::support::registering::{Registering, app_with};
use crate::support::sealing::{Chest, HS256, Mistaken, OF_ANOTHER, maced};
use crate::support::{Answer, CALLBACK, Fixture, ISSUER, TestClock, basic, encode};

const ROBOT: [(&str, &str); 1] = [("grant_type", "client_credentials")];
const SECRET: &str = "a secret of the client, of 40 characters";
const SECOND: &str = "another one, which lives for a minute or so";

fn client(id: &str) -> ClientBuilder {
    Client::builder(id)
        .auth_method(AuthMethod::ClientSecretJwt)
        .redirect_uri(CALLBACK)
        .grant_types([GrantType::AuthorizationCode, GrantType::ClientCredentials])
}

/// A server with `mac`, of two secrets, of which one lives for a minute.
fn server() -> (Asserting, Chest) {
    let chest = Chest::default();
    let until = DateTime::from_timestamp(TestClock::START + 60, 0).unwrap();
    let mac = client("mac").sealed_secret(SECRET, &chest).unwrap();
    let mac = mac.sealed_secret(SECOND, &chest).unwrap().last_secret_until(until);
    let opens = chest.clone();
    (Asserting::with(|_| vec![mac], |builder| builder.sealed_secrets(opens)), chest)
}

fn assertion(secret: &str, changes: Value) -> String {
    maced(secret.as_bytes(), HS256, &claims("mac", changes).to_string())
}

fn refused() -> (u16, String) {
    (401, "invalid_client".to_owned())
}

#[test]
fn the_mac_is_that_of_rfc_7515() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
    let payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    let text = maced(&URL_SAFE_NO_PAD.decode(key).unwrap(), header, payload);
    assert!(text.ends_with(".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "{text}");
}

#[tokio::test]
async fn ca_37_a_mac_by_the_octets_of_the_secret_authenticates() {
    let (server, _) = server();
    for (jti, secret) in [("1", SECRET), ("2", SECOND)] {
        let answer = server.asks(&assertion(secret, json!({ "jti": jti }))).await;
        assert_eq!(answer.status(), 200, "{secret}: {}", answer.json());
        assert_eq!(
            server.asks(&assertion(secret, json!({ "jti": jti }))).await.error(),
            refused(),
            "it works once"
        );
    }
    server.fixture.after(60);
    let at = server.fixture.clock_seconds();
    let late = json!({ "jti": "3", "iat": at, "exp": at + 60 });
    assert_eq!(server.asks(&assertion(SECOND, late.clone())).await.error(), refused(), "it has expired");
    assert_eq!(server.asks(&assertion(SECRET, late)).await.status(), 200);
    let own = &server.fixture.server;
    let by = |jti: &str, form: &[(&str, &str)]| {
        let own = assertion(SECRET, json!({ "jti": jti, "iat": at, "exp": at + 60 }));
        by_assertion(&own, form)
    };
    assert_eq!(own.introspect(&by("4", &[("token", "nothing")])).await.status, 200);
    assert_eq!(own.revoke(&by("5", &[("token", "nothing")])).await.status, 200);
    let form = crate::support::code_query("mac", "read");
    assert_eq!(own.pushed_authorization_request(&by("6", &form)).await.status, 201);
}

#[tokio::test]
async fn ca_37_what_is_wrong_with_a_mac_refuses_it() {
    let (server, _) = server();
    let good = claims("mac", json!({})).to_string();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let under = |header: &str| maced(SECRET.as_bytes(), header, &good);
    let jwk = set_of(&server.key).to_string();
    let flipped = assertion(SECRET, json!({})).replace(&b64(&good), &b64(&good.replace("mac", "pkj")));
    for (name, bad) in [
        ("another secret", assertion("another secret, and long enough, too", json!({}))),
        ("no claims", maced(SECRET.as_bytes(), HS256, "{}")),
        ("a secret that is a bit longer", assertion(&format!("{SECRET} "), json!({}))),
        ("no alg", under("{}")),
        ("alg none", under(r#"{"alg":"none"}"#)),
        ("another hash", under(r#"{"alg":"HS512"}"#)),
        ("lower case", under(r#"{"alg":"hs256"}"#)),
        ("a signature's alg", under(r#"{"alg":"ES256"}"#)),
        ("a signature", forged(&key, r#"{"alg":"ES256"}"#, &good)),
        ("another kind of token", under(r#"{"alg":"HS256","typ":"at+jwt"}"#)),
        ("alg twice", under(r#"{"alg":"HS256","alg":"HS256"}"#)),
        ("crit", under(r#"{"alg":"HS256","crit":["exp"]}"#)),
        ("a key in the header", under(&format!(r#"{{"alg":"HS256","jwk":{jwk}}}"#))),
        ("another payload", flipped),
        ("no MAC", format!("{}.{}.", b64(HS256), b64(&good))),
        ("another audience", assertion(SECRET, json!({ "aud": format!("{ISSUER}/token") }))),
        ("no jti", assertion(SECRET, json!({ "jti": null }))),
        ("expired", assertion(SECRET, json!({ "exp": TestClock::START - 60 }))),
        ("of another", maced(SECRET.as_bytes(), HS256, &claims("pkj", json!({})).to_string())),
    ] {
        let form = [ROBOT[0], ("client_id", "mac")];
        assert_eq!(server.asks_with(&bad, &form).await.error(), refused(), "{name}");
    }
    assert_eq!(server.asks(&assertion(SECRET, json!({}))).await.status(), 200, "none of them spent it");
    let secret = Request::post_form(encode(&ROBOT)).header("authorization", basic("mac", SECRET));
    assert_eq!(Answer(server.fixture.server.token(&secret).await).error(), refused(), "not by Basic");
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let (server, _) = server();
    let payload = claims("pkj", json!({})).to_string();
    let jwk = serde_json::to_string(grantor::jose::Signer::key(&server.key)).unwrap();
    for secret in [jwk.as_bytes(), set_of(&server.key).to_string().as_bytes(), b""] {
        let answer = server.asks(&maced(secret, HS256, &payload)).await;
        assert_eq!(answer.error(), refused());
        assert_eq!(
            server.fixture.log.last_reason(),
            Some(Reason::ClientAssertion(AssertionFlaw::Unreadable))
        );
    }
}

#[test]
fn ca_37_only_a_sealed_secret_that_is_long_enough_can_be_registered() {
    let chest = Chest::default();
    for (length, is_taken) in [(0, false), (31, false), (32, true), (64, true)] {
        let sealed = client("mac").sealed_secret("x".repeat(length), &chest);
        match sealed {
            Ok(_) => assert!(is_taken, "{length}"),
            Err(error) => assert!(!is_taken && matches!(error, SealedSecretError::TooShort), "{length}"),
        }
    }
    // 16 characters of two bytes each.
    assert!(client("mac").sealed_secret("\u{e9}".repeat(16), &chest).is_ok());
    for digest in [client("mac"), client("mac").secret(SECRET)] {
        assert_eq!(digest.build().unwrap_err().all(), [ClientError::SecretNotSealed]);
    }
    let native =
        client("mac").sealed_secret(SECRET, &chest).unwrap().application_type(ApplicationType::Native);
    let errors = native.grant_types([GrantType::AuthorizationCode]).build().unwrap_err();
    assert_eq!(errors.all(), [ClientError::PublicWithMac]);
    let public = client("mac").sealed_secret(SECRET, &chest).unwrap().auth_method(AuthMethod::None);
    assert!(public.build().unwrap_err().all().contains(&ClientError::PublicWithSecret));
    let sealed = || client("mac").sealed_secret(SECRET, &chest).unwrap();
    for (algorithm, is_taken) in [("HS256", true), ("HS512", false), ("ES256", false)] {
        assert_eq!(sealed().auth_signing_alg(algorithm).build().is_ok(), is_taken, "{algorithm}");
    }
    let built = sealed().build().unwrap();
    assert_eq!(Client::decode(&built.encode()).unwrap(), built);
    let (debug, backwards) = (format!("{built:?}"), SECRET.chars().rev().collect::<String>());
    assert!(!debug.contains(SECRET) && !debug.contains(&backwards), "{debug}");
}

#[tokio::test]
async fn d_23_without_a_host_that_opens_secrets_there_is_no_mac() {
    let (on, chest) = server();
    let metadata = |server: &AuthorizationServer| Answer(server.metadata()).json();
    let listed = metadata(&on.fixture.server);
    for endpoint in ["token", "revocation", "introspection"] {
        let methods = &listed[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert!(methods.as_array().unwrap().contains(&json!("client_secret_jwt")), "{endpoint}");
        let algorithms = &listed[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        assert!(algorithms.as_array().unwrap().contains(&json!("HS256")), "{endpoint}");
    }
    let mac = client("mac").sealed_secret(SECRET, &chest).unwrap();
    let off = Asserting::with(|_| vec![mac], |builder| builder);
    let listed = metadata(&off.fixture.server).to_string();
    assert!(!listed.contains("HS256") && !listed.contains("client_secret_jwt"));
    assert_eq!(off.asks(&assertion(SECRET, json!({}))).await.error(), refused());
    assert_eq!(off.fixture.log.last_reason(), Some(Reason::ClientMethodNotRegistered));

    let registering = Registering::configured(Registration::open(), |builder| {
        let store = Arc::new(MemoryStore::new());
        builder.replay_guard(store).client_signatures(ClientJwts::new()).sealed_secrets(Chest::default())
    });
    let refused =
        registering.post(&app_with(json!({ "token_endpoint_auth_method": "client_secret_jwt" }))).await;
    assert_eq!(refused.error(), (400, "invalid_client_metadata".to_owned()), "no stranger registers for it");
    let told = refused.text("error_description");
    assert!(told.ends_with("client_secret_jwt is not for clients that register themselves"), "{told}");
}

#[tokio::test]
async fn a_host_that_cannot_open_a_secret_is_no_verdict_on_the_client() {
    let (server, chest) = server();
    let own = assertion(SECRET, json!({}));
    chest.lock(true);
    let answer = server.asks(&own).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert!(answer.0.header("retry-after").is_some());
    chest.lock(false);
    assert_eq!(server.asks(&own).await.status(), 200, "nothing was spent");
}

#[tokio::test]
async fn ca_37_the_secret_of_another_client_is_not_believed() {
    let mac = client("mac").sealed_secret(SECRET, &Mistaken).unwrap();
    let server = Asserting::with(|_| vec![mac], |builder| builder.sealed_secrets(Mistaken));
    for secret in [OF_ANOTHER, SECRET] {
        let answer = server.asks(&assertion(secret, json!({}))).await;
        assert_eq!(answer.error(), (500, "server_error".to_owned()), "{secret}");
        assert_eq!(server.fixture.log.last_reason(), Some(Reason::StoreBroken), "{secret}");
    }
}

#[test]
fn what_opens_secrets_needs_what_verifies_macs_and_no_profile_of_fapi() {
    let found = |configure: fn(AuthorizationServerBuilder) -> AuthorizationServerBuilder| {
        let store = Arc::new(MemoryStore::new());
        let builder =
            AuthorizationServer::builder(ISSUER).clients(MemoryRegistry::default()).store(store.clone());
        let builder = configure(builder.replay_guard(store).sealed_secrets(Chest::default()));
        builder.build().unwrap_err().all().to_vec()
    };
    assert_eq!(found(|builder| builder), [ConfigError::MacsUnverified]);
    let of_fapi = found(|builder| {
        let dpop = crate::support::proving::dpop();
        builder.client_signatures(ClientJwts::new()).dpop(dpop).profile(Profile::Fapi2Security)
    });
    assert_eq!(of_fapi, [ConfigError::ProfileSecrets]);
}

#[tokio::test]
async fn a_sealed_secret_authenticates_by_basic_where_that_is_registered() {
    let chest = Chest::default();
    let own = client("own").auth_method(AuthMethod::ClientSecretBasic).sealed_secret(SECRET, &chest).unwrap();
    let fixture = Fixture::with(|builder| builder.clients(MemoryRegistry::new([own.build().unwrap()])));
    let request = Request::post_form(encode(&ROBOT)).header("authorization", basic("own", SECRET));
    assert_eq!(fixture.server.token(&request).await.status, 200);
}
