//! On what terms a server takes request objects, and what a client registers of its own: RFC 9101.

use grantor::client::RequestObjects;
use grantor::error::AssertionFlaw as Flaw;
use grantor::jose::{Algorithm, SigningKey};
use grantor::keys::JwtSigner;
use grantor::server::ConfigError;
use grantor::{GrantType, Reason, Registration};
use serde_json::json;

use crate::support::asserting::{set_of, signing};
use crate::support::http::{bare, send};
use crate::support::objects::{HEADER, Signing, asking};
use crate::support::provider::{People, SCOPES, keys};
use crate::support::registering::{Registering, app_with};
use crate::support::{Answer, Fixture, ISSUER, code_query};

const INVALID: &str = "invalid_request_object";

#[tokio::test]
async fn jr_06_a_client_may_require_that_its_requests_are_signed() {
    let signing = Signing::with_signer();
    let plain = signing.visit(&code_query("signer", "read")).await.unwrap();
    assert_eq!(plain.location_parameter("error").as_deref(), Some("invalid_request"));
    assert_eq!(signing.server.fixture.log.last_reason(), Some(Reason::RequestNotSigned));
    let object = signing.under(HEADER, &asking("signer", json!({})));
    let signed = signing.visit(&[("client_id", "signer"), ("request", &object)]).await.unwrap();
    assert!(signed.location_parameter("code").is_some());
    assert!(signing.visit(&code_query("pkj", "read")).await.unwrap().location_parameter("code").is_some());
}

#[tokio::test]
async fn jr_10_the_registered_algorithm_is_the_only_one() {
    let own = |key: &SigningKey| vec![signing("picky").jwks(set_of(key)).request_object_signing_alg("PS256")];
    let signing = Signing::among(own, |builder| builder.request_objects(RequestObjects::accepted()));
    let object = signing.under(HEADER, &asking("picky", json!({})));
    let page = signing.visit(&[("client_id", "picky"), ("request", &object)]).await.err().expect("a page");
    assert_eq!((page.code(), page.reason()), (INVALID, Reason::RequestObject(Flaw::AlgorithmRefused)));
    let metadata = Answer(signing.server.fixture.server.metadata()).json();
    assert_eq!(
        metadata["request_object_signing_alg_values_supported"],
        metadata["token_endpoint_auth_signing_alg_values_supported"]
    );
}

#[tokio::test]
async fn jr_11_a_server_may_require_signed_requests_of_everyone() {
    let signing = Signing::with(|builder| builder.request_objects(RequestObjects::required()));
    let plain = signing.visit(&code_query("pkj", "read")).await.unwrap();
    assert_eq!(plain.location_parameter("error").as_deref(), Some("invalid_request"));
    let mut form = code_query("pkj", "read");
    form.retain(|(name, _)| *name != "client_id");
    assert_eq!(signing.push("a", &form).await.error(), (400, "invalid_request".to_owned()));
    assert_eq!(signing.server.fixture.count().await, 0);
    let pushed = signing.push("b", &[("request", &signing.object(json!({})))]).await;
    assert_eq!(pushed.status(), 201, "{}", pushed.json());
    assert!(signing.send(&signing.object(json!({}))).await.unwrap().location_parameter("code").is_some());
    let metadata = Answer(signing.server.fixture.server.metadata()).json();
    assert_eq!(metadata["require_signed_request_object"], true);
    assert_eq!(
        Answer(Signing::new().server.fixture.server.metadata()).json().get("require_signed_request_object"),
        None
    );
}

#[tokio::test]
async fn jr_16_what_is_switched_off_is_refused_by_its_name() {
    let provider = Signing::with(|builder| {
        let builder = builder.scopes(SCOPES).token_signer(JwtSigner::new(keys()).unwrap());
        builder.openid(People::default())
    });
    let object = provider.object(json!({}));
    for (name, value, error) in [
        ("request", object.as_str(), "request_not_supported"),
        ("request_uri", "https://app.example/object", "request_uri_not_supported"),
        ("registration", "{}", "registration_not_supported"),
    ] {
        let mut query = code_query("pkj", "openid");
        query.push((name, value));
        let answer = provider.visit(&query).await.unwrap();
        assert_eq!(answer.location_parameter("error").as_deref(), Some(error));
    }
    let metadata = Answer(provider.server.fixture.server.metadata()).json();
    assert_eq!(metadata["request_parameter_supported"], false);
    assert_eq!(metadata["request_uri_parameter_supported"], false, "its default is true");
    let push = provider.push("p", &[("request", &object)]).await;
    assert_eq!(push.error(), (400, "request_not_supported".to_owned()));
}

#[test]
fn a_server_that_verifies_nothing_takes_no_objects() {
    let built = grantor::AuthorizationServer::builder(ISSUER)
        .clients(grantor::MemoryRegistry::default())
        .store(grantor::MemoryStore::new())
        .request_objects(RequestObjects::accepted())
        .build();
    assert_eq!(built.unwrap_err().all(), [ConfigError::RequestObjectsUnverified]);
}

fn registering() -> Registering {
    let store = std::sync::Arc::new(grantor::MemoryStore::new());
    Registering::configured(Registration::open(), |builder| {
        builder
            .replay_guard(store)
            .client_signatures(grantor::client::ClientJwts::new())
            .request_objects(RequestObjects::accepted())
    })
}

#[tokio::test]
async fn a_client_registers_how_it_signs_its_requests() {
    let server = registering();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let members = json!({
        "jwks": set_of(&key), "request_object_signing_alg": "ES256", "require_signed_request_object": true,
    });
    let own = server.registered(&app_with(members)).await;
    let read = server.get(&own).await.json();
    for told in [&own.0, &read] {
        assert_eq!(told["request_object_signing_alg"], "ES256");
        assert_eq!(told["require_signed_request_object"], true);
        assert!(told["jwks"]["keys"].is_array(), "a client with a secret has keys for its requests");
    }
    for bad in [
        json!({ "request_object_signing_alg": "ES256" }),
        json!({ "require_signed_request_object": true }),
        json!({ "jwks": set_of(&key), "request_object_signing_alg": "none" }),
        json!({ "jwks": set_of(&key), "request_object_signing_alg": "HS256" }),
        json!({ "jwks": set_of(&key), "request_object_signing_alg": 7 }),
        json!({ "require_signed_request_object": "yes" }),
        json!({ "request_object_encryption_alg": "RSA-OAEP" }),
        json!({ "request_object_encryption_enc": "A256GCM" }),
    ] {
        assert_eq!(server.refusal(bad.clone()).await, (400, "invalid_client_metadata".to_owned()), "{bad}");
    }
    let off = Registering::on(Registration::open());
    let refused = off.refusal(json!({ "jwks": set_of(&key), "require_signed_request_object": true })).await;
    assert_eq!(refused, (400, "invalid_client_metadata".to_owned()), "it would not be in force");
    let ignored = off.registered(&app_with(json!({ "request_object_signing_alg": "ES256" }))).await;
    assert_eq!(ignored.0.get("request_object_signing_alg"), None);
}

#[tokio::test]
async fn where_all_requests_have_to_be_signed_a_client_registers_keys() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let own = GrantType::ClientCredentials;
    let terms = Registration::open().grant_types([GrantType::AuthorizationCode, own]);
    let server = Registering::configured(terms, |builder| {
        let builder = builder.replay_guard(std::sync::Arc::new(grantor::MemoryStore::new()));
        let builder = builder.client_signatures(grantor::client::ClientJwts::new());
        builder.request_objects(RequestObjects::required())
    });
    for keyless in [json!({}), json!({ "token_endpoint_auth_method": "none" })] {
        assert_eq!(server.refusal(keyless).await, (400, "invalid_client_metadata".to_owned()));
    }
    let signer = server.registered(&app_with(json!({ "jwks": set_of(&key) }))).await;
    let refused = server.put(&signer, &app_with(json!({}))).await;
    assert_eq!(refused.error(), (400, "invalid_client_metadata".to_owned()), "nor does it drop them");
    let job = json!({ "grant_types": ["client_credentials"], "redirect_uris": null });
    server.registered(&app_with(job)).await;
}

#[tokio::test]
async fn a_server_without_request_objects_says_nothing_of_them() {
    let fixture = Fixture::new();
    let reply = send(&fixture.server, bare("GET", "/.well-known/oauth-authorization-server")).await;
    assert!(reply.json().as_object().unwrap().keys().all(|name| !name.contains("request_object")));
    assert!(reply.json().get("request_parameter_supported").is_none());
}

#[tokio::test]
async fn a_push_whose_object_is_refused_spends_no_assertion() {
    let signing = Signing::new();
    let good = signing.object(json!({}));
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
    let bad = [
        unsigned,
        signing.object(json!({ "aud": "https://other.example" })),
        signing.object(json!({ "scope": 7 })),
        signing.object(json!({ "response_type": "foo" })),
    ];
    for (at, bad) in bad.iter().enumerate() {
        let jti = format!("assertion {at}");
        assert_eq!(signing.push(&jti, &[("request", bad)]).await.status(), 400, "{jti}");
        assert_eq!(signing.push(&jti, &[("request", &good)]).await.status(), 201, "{jti}: nothing was spent");
        let again = signing.push(&jti, &[("request", &good)]).await;
        assert_eq!(again.error(), (401, "invalid_client".to_owned()), "{jti}: now it is");
    }
}
