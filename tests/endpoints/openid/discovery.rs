//! What a provider says of itself (OpenID Connect Discovery 1.0), and what clients say to it (Registration
//! 1.0).

use grantor::Registration;
use grantor::keys::JwtSigner;
use serde_json::{Value, json};

use crate::support::http::{bare, send};
use crate::support::provider::{ALGORITHMS, People, Provider, SCOPES, keys};
use crate::support::registering::{Registering, app_with};
use crate::support::{Answer, ISSUER};

const PATHS: [&str; 3] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/tenant/.well-known/openid-configuration",
];

#[tokio::test]
async fn oi_76_the_document_says_what_a_client_needs_and_what_defaults_would_get_wrong() {
    let provider = Provider::new();
    let reply = send(&provider.fixture.server, bare("GET", PATHS[0])).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let document = reply.json();
    assert_eq!(document["issuer"], ISSUER);
    for (name, path) in [
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("userinfo_endpoint", "/userinfo"),
        ("jwks_uri", "/jwks"),
    ] {
        assert_eq!(document[name], format!("{ISSUER}{path}"));
    }
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    let algorithms = document["id_token_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.contains(&json!("RS256")) && !algorithms.contains(&json!("none")));
    assert_eq!(algorithms.len(), ALGORITHMS.len());
    assert!(document["scopes_supported"].as_array().unwrap().contains(&json!("openid")));
    assert!(document["grant_types_supported"].is_array() && document["response_modes_supported"].is_array());
    for name in ["request_parameter_supported", "request_uri_parameter_supported"] {
        assert_eq!(document[name], false, "{name}");
    }
    assert_eq!(document["claims_parameter_supported"], true);
    for absent in
        ["claim_types_supported", "end_session_endpoint", "check_session_iframe", "acr_values_supported"]
    {
        assert_eq!(document.get(absent), None, "{absent}");
    }
    let claims = document["claims_supported"].as_array().unwrap();
    for claim in ["sub", "auth_time", "acr", "amr", "name", "email", "phone_number", "address"] {
        assert!(claims.contains(&json!(claim)), "{claim}");
    }
}

#[tokio::test]
async fn oi_77_it_is_one_document_at_three_paths() {
    let people = People::default();
    let server = grantor::AuthorizationServer::builder("https://as.example/tenant")
        .clients(grantor::MemoryRegistry::default())
        .store(grantor::MemoryStore::new())
        .authorization_endpoint("/authorize")
        .token_signer(JwtSigner::new(keys()).unwrap())
        .openid(people)
        .build()
        .unwrap();
    let mut bodies = Vec::new();
    for path in [
        PATHS[2],
        "/.well-known/openid-configuration/tenant",
        "/.well-known/oauth-authorization-server/tenant",
    ] {
        let reply = send(&server, bare("GET", path)).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.json()["code_challenge_methods_supported"], json!(["S256"]));
        bodies.push(reply.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn oi_77_a_server_of_plain_oauth_is_not_found_as_a_provider() {
    let fixture = crate::support::Fixture::new();
    assert_eq!(send(&fixture.server, bare("GET", PATHS[0])).await.status, 404);
    let document = Answer(fixture.server.metadata()).json();
    for absent in [
        "userinfo_endpoint",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
        "claims_supported",
    ] {
        assert_eq!(document.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn oi_79_the_key_set_has_a_key_for_rs256() {
    let provider = Provider::new();
    let set: Value = serde_json::from_slice(&provider.fixture.server.jwks().await.body).unwrap();
    let rsa = set["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "RS256").expect("a key");
    assert_eq!((&rsa["kty"], &rsa["use"]), (&json!("RSA"), &json!("sig")));
    assert!(rsa["kid"].is_string());
}

fn registering() -> Registering {
    Registering::configured(Registration::open(), |builder| {
        builder.scopes(SCOPES).token_signer(JwtSigner::new(keys()).unwrap()).openid(People::default())
    })
}

#[tokio::test]
async fn a_client_registers_the_algorithm_of_its_id_tokens() {
    let server = registering();
    for algorithm in ["RS256", "ES256", "PS256", "EdDSA"] {
        let own = server.registered(&app_with(json!({ "id_token_signed_response_alg": algorithm }))).await;
        assert_eq!(own.0["id_token_signed_response_alg"], algorithm);
        assert_eq!(server.get(&own).await.json()["id_token_signed_response_alg"], algorithm);
    }
    let own = server.registered(&app_with(json!({}))).await;
    assert_eq!(own.0["id_token_signed_response_alg"], "RS256", "written out");
}

#[tokio::test]
async fn oi_08_an_algorithm_that_cannot_be_had_is_not_registered() {
    let server = registering();
    for algorithm in ["HS999", "none", "HS256", ""] {
        let answer = server.refusal(json!({ "id_token_signed_response_alg": algorithm })).await;
        assert_eq!(answer, (400, "invalid_client_metadata".to_owned()), "{algorithm}");
    }
}

#[tokio::test]
async fn oi_19_encryption_is_refused_and_never_left_out_silently() {
    let server = registering();
    for name in [
        "id_token_encrypted_response_alg",
        "userinfo_encrypted_response_alg",
        "userinfo_encrypted_response_enc",
    ] {
        let answer = server.refusal(json!({ name: "RSA-OAEP" })).await;
        assert_eq!(answer, (400, "invalid_client_metadata".to_owned()), "{name}");
    }
    let document = Answer(server.fixture.server.metadata()).json();
    assert!(!document.as_object().unwrap().keys().any(|name| name.contains("encryption")));
}

#[tokio::test]
async fn oi_69_subjects_are_public_and_no_client_registers_others() {
    let server = registering();
    let answer = server.refusal(json!({ "subject_type": "pairwise" })).await;
    assert_eq!(answer, (400, "invalid_client_metadata".to_owned()));
    server.registered(&app_with(json!({ "subject_type": "public" }))).await;
    let document = Answer(server.fixture.server.metadata()).json();
    assert_eq!(document["subject_types_supported"], json!(["public"]));
}
