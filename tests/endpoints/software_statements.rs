//! How the claims of a software statement and the client's own metadata go together (RFC 7591 section 2.3).

use chrono::{DateTime, Utc};
use grantor::client::{ClientJwts, X509Certificates};
use grantor::keys::JwtSigner;
use grantor::registration::{StatementError, StatementVerifier};
use grantor::{MemoryStore, Registration, async_trait};
use serde_json::{Map, Value, json};

use crate::support::provider::{People, SCOPES, keys};
use crate::support::registering::{Registering, app_with};
use crate::support::scripted::Scripted;

/// Believes every statement, which is plain JSON.
struct Credulous;

#[async_trait]
impl StatementVerifier for Credulous {
    async fn verify(&self, statement: &str, _: DateTime<Utc>) -> Result<Map<String, Value>, StatementError> {
        serde_json::from_str(statement).map_err(|_| StatementError::Invalid)
    }
}

#[tokio::test]
async fn rg_03_a_statement_is_refused_for_what_a_client_is_refused_for_and_replaces_what_excludes_it() {
    let store = MemoryStore::new();
    let server = Registering::configured(Registration::open().software_statements(Credulous), |builder| {
        let builder = builder.token_signer(JwtSigner::new(keys()).unwrap()).scopes(SCOPES);
        let builder = builder.openid(People::default()).replay_guard(store);
        let builder = builder.client_certificates(X509Certificates::new());
        builder.client_signatures(ClientJwts::over(Scripted::saying(&json!({ "keys": [] }))))
    });
    for name in [
        "id_token_encrypted_response_alg",
        "id_token_encrypted_response_enc",
        "userinfo_encrypted_response_alg",
        "userinfo_encrypted_response_enc",
        "request_object_encryption_alg",
        "request_object_encryption_enc",
        "authorization_encrypted_response_alg",
        "authorization_encrypted_response_enc",
        "introspection_encrypted_response_alg",
        "introspection_encrypted_response_enc",
    ] {
        let demand = json!({ name: "RSA-OAEP-256" });
        let stated = server.refusal(json!({ "software_statement": demand.to_string() })).await;
        assert_eq!(stated, server.refusal(demand).await, "{name}");
        assert_eq!(stated, (400, "invalid_client_metadata".to_owned()), "{name}");
    }

    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] });
    let stated = |metadata: Value, claims: Value| {
        let mut metadata = app_with(metadata);
        metadata["software_statement"] = claims.to_string().into();
        metadata
    };
    let method = "token_endpoint_auth_method";
    let own_keys = json!({ method: "private_key_jwt", "jwks": set });
    let by_url = stated(own_keys, json!({ "jwks_uri": "https://app.example/jwks" }));
    let by_url = server.registered(&by_url).await;
    assert_eq!((by_url.0.get("jwks"), by_url.text("jwks_uri")), (None, "https://app.example/jwks"));
    let own_url = json!({ method: "private_key_jwt", "jwks_uri": "https://app.example/jwks" });
    let by_value = server.registered(&stated(own_url, json!({ "jwks": set }))).await;
    assert_eq!((&by_value.0["jwks"], by_value.0.get("jwks_uri")), (&set, None));

    let own_name = json!({ method: "tls_client_auth", "tls_client_auth_subject_dn": "CN=app" });
    let named = server.registered(&stated(own_name, json!({ "tls_client_auth_san_dns": "a.example" }))).await;
    assert_eq!(named.0.get("tls_client_auth_subject_dn"), None);
    assert_eq!(named.text("tls_client_auth_san_dns"), "a.example");
}
