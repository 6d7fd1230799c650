//! Clients that have every member that a client can have: a registry must not lose any of them.

use chrono::DateTime;
use serde_json::{Map, Value};

use super::fixture::Fixture;
use super::report::Stop;
use crate::base::secret::Masked;
use crate::base::{Digest, FreshSecrets};
use crate::client::{Client, ClientSecret, ClientState, Sealed, SecretHash, SelfRegistration};
use crate::error::BackendError;

/// Members that can be together.
const METADATA: &str = r#"{
    "client_name": "żółw \"🐢\" \\ it's",
    "redirect_uris": ["https://app.example/it's?a=100%25", "https://app.example/second", "cursor:/cb"],
    "grant_types": [
        "authorization_code", "refresh_token", "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code", "urn:example:own"
    ],
    "response_types": ["code"],
    "response_modes": ["query", "form_post", "jwt"],
    "scope": "read it's 100%_ {a:[b]}",
    "authorization_details_types": ["payment", "it's"],
    "token_endpoint_auth_method": "client_secret_jwt",
    "token_endpoint_auth_signing_alg": "HS256",
    "jwks": { "keys": [{ "kty": "EC", "crv": "P-256", "x": "AQ", "y": "Ag", "kid": "it's" }], "extra": [1] },
    "tls_client_auth_san_dns": "app.example",
    "tls_client_certificate_bound_access_tokens": true,
    "use_mtls_endpoint_aliases": true,
    "id_token_signed_response_alg": "HS256",
    "userinfo_signed_response_alg": "HS256",
    "subject_type": "pairwise",
    "sector_identifier_uri": "https://sector.example/list.json",
    "initiate_login_uri": "https://app.example/login",
    "default_max_age": 4294967295,
    "require_auth_time": true,
    "default_acr_values": ["urn:example:strong", "1"],
    "post_logout_redirect_uris": ["https://app.example/bye", "https://app.example/bye?it's"],
    "backchannel_logout_uri": "https://app.example/back",
    "backchannel_logout_session_required": true,
    "frontchannel_logout_uri": "https://app.example/front",
    "frontchannel_logout_session_required": true,
    "application_type": "web",
    "client_uri": "https://app.example/",
    "logo_uri": "https://app.example/logo.png",
    "contacts": ["it's@app.example", "żółw"],
    "tos_uri": "https://app.example/tos",
    "policy_uri": "https://app.example/policy",
    "software_id": "4NRB1-0XZABZI9E6-5SM3R",
    "software_version": "1.0 \"beta\"",
    "require_pushed_authorization_requests": true,
    "request_object_signing_alg": "ES256",
    "require_signed_request_object": true,
    "authorization_signed_response_alg": "ES256",
    "introspection_signed_response_alg": "PS256",
    "dpop_bound_access_tokens": true,
    "access_tokens": "jwt",
    "id_token_claims_from_scope": true,
    "logout_token_type_jwt": true,
    "require_pkce": true,
    "localhost_any_port": true,
    "redirect_schemes": ["cursor"],
    "unregistered_redirect_uris": true,
    "rotate_refresh_tokens": true
}"#;

/// In place of those members, for members that exclude them; `null` is none.
const WITH_CERTIFICATE: &str = r#"{
    "token_endpoint_auth_method": "tls_client_auth", "token_endpoint_auth_signing_alg": "ES256",
    "jwks": null, "jwks_uri": "https://app.example/jwks.json",
    "tls_client_auth_san_dns": null, "tls_client_auth_subject_dn": "CN=app,O=it\\27s",
    "id_token_signed_response_alg": "EdDSA", "userinfo_signed_response_alg": "PS256"
}"#;
const OF_A_PROFILE: &str = r#"{
    "profile": "fapi2", "redirect_uris": ["https://app.example/cb"],
    "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "PS256",
    "tls_client_auth_san_dns": null, "tls_client_auth_san_ip": "2001:db8::1",
    "id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": null,
    "rotate_refresh_tokens": null
}"#;
const PUBLIC: &str = r#"{
    "token_endpoint_auth_method": "none", "token_endpoint_auth_signing_alg": null,
    "tls_client_auth_san_dns": null, "tls_client_auth_san_email": "it's@app.example",
    "tls_client_certificate_bound_access_tokens": null, "application_type": "native",
    "grant_types": ["authorization_code", "refresh_token", "implicit"],
    "response_types": ["code", "token", "code id_token token"],
    "id_token_signed_response_alg": null, "userinfo_signed_response_alg": null,
    "subject_type": "public", "sector_identifier_uri": null, "unregistered_redirect_uris": null
}"#;
const WITH_SECRETS: &str = r#"{
    "token_endpoint_auth_method": "client_secret_post", "token_endpoint_auth_signing_alg": null,
    "tls_client_auth_san_dns": null, "tls_client_auth_san_uri": "https://app.example/it's"
}"#;

/// One client for each group of members that can be together, and for each state.
pub(super) fn full_clients(fixture: &Fixture) -> Result<Vec<Client>, Stop> {
    use ClientState::{Active, Disabled, Ending};
    let secrets = || secrets(fixture);
    Ok(vec![
        full(fixture, "{}", secrets(), Active)?,
        full(fixture, WITH_CERTIFICATE, Vec::new(), Disabled)?,
        full(fixture, OF_A_PROFILE, Vec::new(), Ending)?,
        full(fixture, PUBLIC, Vec::new(), Disabled)?,
        full_of(fixture, all_false(metadata(WITH_SECRETS)?), secrets(), Active)?,
    ])
}

/// Two clients that together lack every member that a client can lack.
pub(super) fn bare_clients() -> Result<[Client; 2], Stop> {
    let bare = || Client::builder("bare").secret("a secret of at least 22 characters");
    let without_uris = bare().grant_types([]).build().map_err(BackendError::permanent)?;
    let without_grant_types = bare().redirect_uri("https://app.example/bare").build();
    Ok([without_uris, without_grant_types.map_err(BackendError::permanent)?])
}

/// What the builder accepts, because a registry applies its checks when it reads the client back.
fn full(
    fixture: &Fixture,
    changes: &str,
    secrets: Vec<ClientSecret>,
    state: ClientState,
) -> Result<Client, Stop> {
    full_of(fixture, metadata(changes)?, secrets, state)
}

fn full_of(
    fixture: &Fixture,
    metadata: Map<String, Value>,
    secrets: Vec<ClientSecret>,
    state: ClientState,
) -> Result<Client, Stop> {
    let metadata = serde_json::from_value(Value::Object(metadata)).map_err(BackendError::permanent)?;
    let builder = Client::builder(fixture.text("full-client")).metadata(metadata).secrets(secrets);
    let builder = builder.owner(fixture.text("o'wner")).state(state);
    let builder = builder.issued(DateTime::from_timestamp(fixture.now.timestamp(), 0));
    let builder = builder.self_registration(Some(Box::new(self_registration(fixture))));
    Ok(builder.build().map_err(BackendError::permanent)?)
}

fn metadata(changes: &str) -> Result<Map<String, Value>, Stop> {
    let read = |text| serde_json::from_str::<Map<String, Value>>(text).map_err(BackendError::permanent);
    let mut all = read(METADATA)?;
    for (member, value) in read(changes)? {
        match value {
            Value::Null => all.remove(&member),
            value => all.insert(member, value),
        };
    }
    Ok(all)
}

/// A `false` is not the same as no member.
fn all_false(metadata: Map<String, Value>) -> Map<String, Value> {
    let off = |value| if value == Value::Bool(true) { Value::Bool(false) } else { value };
    metadata.into_iter().map(|(member, value)| (member, off(value))).collect()
}

/// A generated secret without an end, and one that a person chose, with an end.
fn secrets(fixture: &Fixture) -> Vec<ClientSecret> {
    let digest = fixture.fresh_secrets().first.digest("grantor:contract");
    let phc = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA".to_owned();
    let sealed = Some(Sealed("sealed \"it's\" 🔑".to_owned()));
    let expires = DateTime::from_timestamp(fixture.now.timestamp() + 3600, 0);
    vec![
        ClientSecret { hash: SecretHash::Sha256(digest), sealed, expires: None },
        ClientSecret { hash: SecretHash::Phc(phc), sealed: None, expires },
    ]
}

fn self_registration(fixture: &Fixture) -> SelfRegistration {
    let FreshSecrets { first, second, .. } = fixture.fresh_secrets();
    SelfRegistration {
        token: Some(Digest::of("grantor:contract", b"token")),
        secret: Some(Masked::hide(&first, &second, "grantor:contract")),
        expires: DateTime::from_timestamp(fixture.now.timestamp() + 7200, 0),
        software_statement: Some("eyJ.it's.é".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::lost_members::members;
    use super::*;
    use crate::client::Replacement;

    /// The names that the reader of a stored client accepts where it finds the name `nosuch`.
    fn known_where(body: &Value) -> Vec<String> {
        let error = Client::decode(body).expect_err("a body with an unknown name").to_string();
        let (unknown, known) = error.split_once(", expected ").expect(&error);
        assert!(unknown.ends_with("`nosuch`"), "{error}");
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// Every member that `Client::encode` can write, as a path; of an enum, every variant.
    fn every_member() -> BTreeSet<String> {
        let body = |member: &str, value: Value| {
            let mut body = json!({ "v": 1, "client_id": "a", "metadata": {} });
            body[member] = value;
            body
        };
        let unknown = json!({ "nosuch": 1 });
        let places = [
            ("", body("nosuch", json!(1))),
            ("metadata.", body("metadata", unknown.clone())),
            ("self_registration.", body("self_registration", unknown.clone())),
            ("secrets[].", body("secrets", json!([unknown]))),
            ("secrets[].hash.", body("secrets", json!([{ "hash": unknown }]))),
            ("state=", body("state", json!("nosuch"))),
        ];
        let known = places.iter().flat_map(|(place, body)| {
            known_where(body).into_iter().map(move |name| format!("{place}{name}"))
        });
        known.collect()
    }

    #[test]
    fn some_client_of_the_suite_has_each_member_that_a_client_can_have() {
        let all = every_member();
        assert!(all.len() > 70 && all.contains("metadata.jwks_uri"), "{all:?}");
        let mut had = BTreeSet::new();
        for client in full_clients(&Fixture::new(1)).unwrap() {
            let state = client.encode()["state"].as_str().unwrap_or("active").to_owned();
            had.insert(format!("state={state}"));
            let changed = Replacement::of(&client, client.clone()).into_client();
            for path in members(&changed.encode()).into_keys() {
                let path = path.replace("[0]", "[]").replace("[1]", "[]");
                let places = path.match_indices('.').map(|(at, _)| path[..at].trim_end_matches("[]"));
                had.extend(places.map(str::to_owned));
                had.insert(path);
            }
        }
        had.insert("state".to_owned());
        let forgotten: Vec<_> = all.difference(&had).collect();
        assert!(forgotten.is_empty(), "add to the clients of this file: {forgotten:?}");
    }
}
