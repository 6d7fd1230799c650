//! Authorization server metadata: RFC 8414, RFC 9207 section 3.

use std::sync::atomic::Ordering;

use grantor::keys::JwtSigner;
use grantor::server::{AuthorizationServerBuilder, ConfigError};
use grantor::{AuthorizationServer, Endpoint, MemoryRegistry, MemoryStore, Profile};
use serde_json::{Value, json};

use crate::support::http::{Reply, bare, post, post_as, send};
use crate::support::moody::Moody;
use crate::support::provider::keys;
use crate::support::{
    Answer, CALLBACK, CHALLENGE, Fixture, ISSUER, SECRET, TestClock, Users, basic, clients, code_query,
    encode, redemption,
};

fn builder(issuer: &str) -> AuthorizationServerBuilder {
    AuthorizationServer::builder(issuer)
        .clients(MemoryRegistry::new(clients()))
        .store(MemoryStore::new())
        .scopes(["read", "write"])
}

async fn get(server: &AuthorizationServer, path: &str) -> Reply {
    send(server, bare("GET", path)).await
}

#[tokio::test]
async fn md_01_the_well_known_name_goes_before_the_issuers_path() {
    for (issuer, path) in [
        ("https://as.example", ""),
        ("https://as.example:8443", ""),
        ("https://as.example/tenant/one", "/tenant/one"),
        ("https://as.example/tenant/one-2/a~b", "/tenant/one-2/a~b"),
    ] {
        let server = builder(issuer).authorization_endpoint("/authorize").build().unwrap();
        let found = get(&server, &format!("/.well-known/oauth-authorization-server{path}")).await;
        assert_eq!(found.status, 200, "{issuer}");
        assert_eq!(found.json()["issuer"], issuer);
        assert_eq!(found.json()["token_endpoint"], format!("{issuer}/token"));
        let token = post(&format!("{path}/token"), &[("grant_type", "client_credentials")]);
        assert_eq!(send(&server, token).await.status, 200, "an endpoint is where the metadata say");
        if !path.is_empty() {
            let behind = format!("{path}/.well-known/oauth-authorization-server");
            assert_eq!(get(&server, &behind).await.json(), found.json(), "where other clients look");
            assert_eq!(get(&server, "/.well-known/oauth-authorization-server").await.status, 404);
            assert_eq!(get(&server, "/token").await.status, 404);
        }
    }
}

/// Some clients put the name behind the path, as OpenID Connect Discovery does.
#[tokio::test]
async fn ft_36_an_issuer_with_a_path_is_found_behind_its_path_too() {
    let server =
        builder("https://as.example/tenant/one").authorization_endpoint("/authorize").build().unwrap();
    for path in [
        "/.well-known/oauth-authorization-server/tenant/one",
        "/tenant/one/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(get(&server, path).await.json()["issuer"], "https://as.example/tenant/one", "{path}");
        assert_eq!(server.endpoint_at(path), Some(Endpoint::Metadata), "{path}");
    }
    for nothing in
        ["/.well-known/oauth-authorization-server", "/tenant/.well-known/oauth-authorization-server"]
    {
        assert_eq!(get(&server, nothing).await.status, 404, "{nothing}");
    }
    let root = builder("https://as.example").build().unwrap();
    let routes = root.routes().into_iter().filter(|(endpoint, _)| *endpoint == Endpoint::Metadata);
    assert_eq!(routes.count(), 1, "one place, where there is no path");
}

#[tokio::test]
async fn md_01_an_issuer_stays_as_it_is_spelt() {
    for (issuer, token) in [
        ("https://as.example/", "https://as.example/token"),
        ("https://as.example/t/", "https://as.example/t/token"),
        ("https://AS.example", "https://AS.example/token"),
    ] {
        let server = builder(issuer).build().unwrap();
        let json = Answer(server.metadata()).json();
        assert_eq!((json["issuer"].as_str(), json["token_endpoint"].as_str()), (Some(issuer), Some(token)));
    }
    for bad in [
        "https://as.example?a",
        "https://as.example#",
        "http://as.example",
        "https://",
        "https://u:p@as.example",
        "https://@as.example",
        "https://as.example/:a",
        "https://as.example/*a",
    ] {
        assert!(builder(bad).build().is_err(), "{bad}");
    }
}

#[tokio::test]
async fn md_02_the_document_has_what_rfc_8414_requires() {
    let fixture = Fixture::new();
    let reply = get(&fixture.server, "/.well-known/oauth-authorization-server").await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(
        reply.json(),
        json!({
            "issuer": "https://as.example",
            "authorization_endpoint": "https://as.example/authorize",
            "token_endpoint": "https://as.example/token",
            "scopes_supported": ["read", "write", "admin"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "revocation_endpoint": "https://as.example/revoke",
            "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "introspection_endpoint": "https://as.example/introspect",
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "pushed_authorization_request_endpoint": "https://as.example/par",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    );
    let head = send(&fixture.server, bare("HEAD", "/.well-known/oauth-authorization-server")).await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/json")));
}

#[test]
fn md_02_empty_members_are_left_out() {
    let server = AuthorizationServer::builder("https://as.example")
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .build()
        .unwrap();
    let json = Answer(server.metadata()).json();
    let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    for absent in ["scopes_supported", "authorization_endpoint", "response_modes_supported"] {
        assert!(!names.contains(&absent), "{absent}");
    }
    assert_eq!(json["response_types_supported"], json!([]), "required, so it is there");
    let listed = json.as_object().unwrap().iter().filter(|(name, _)| *name != "response_types_supported");
    assert!(listed.into_iter().all(|(_, value)| value.as_array().is_none_or(|list| !list.is_empty())));
}

#[test]
fn md_03_pkce_can_be_detected() {
    let with_users = builder("https://as.example").authorization_endpoint("/authorize").build().unwrap();
    let without = builder("https://as.example").build().unwrap();
    assert_eq!(Answer(with_users.metadata()).json()["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(Answer(without.metadata()).json().get("code_challenge_methods_supported"), None);
}

/// The servers that can be configured: the profile, whether there are users, whether there are passwords.
fn every_server() -> Vec<AuthorizationServer> {
    let mut servers = Vec::new();
    for profile in [Profile::OAuth21, Profile::Rfc6749] {
        for users in [false, true] {
            for passwords in [false, true] {
                let server = builder("https://as.example").profile(profile);
                let server = if users { server.authorization_endpoint("/authorize") } else { server };
                let server = if passwords { server.resource_owner(Users::default()) } else { server };
                servers.push(server.build().unwrap());
            }
        }
    }
    servers
}

fn lists(metadata: &Value, member: &str, value: &str) -> bool {
    metadata[member].as_array().is_some_and(|list| list.contains(&value.into()))
}

/// The reply to a code, by way of an authorization by alice.
async fn code_reply(server: &AuthorizationServer, response_type: &str, mode: &str) -> Reply {
    let mut query = code_query("legacy", "read");
    query[0].1 = response_type;
    query.push(("response_mode", mode));
    if response_type == "token" {
        query.retain(|(name, _)| !name.starts_with("code_challenge"));
    }
    get(server, &format!("/authorize?{}", encode(&query))).await
}

async fn token_as_legacy(server: &AuthorizationServer, form: &[(&str, &str)]) -> Reply {
    send(server, post_as("/token", &basic("legacy", SECRET), encode(form))).await
}

fn code_of(reply: &Reply) -> Option<String> {
    let location = reply.header("location")?;
    let (_, rest) = location.split_once("?code=")?;
    rest.split('&').next().map(str::to_owned)
}

#[tokio::test]
async fn md_04_devices_are_advertised_where_they_are_served() {
    for served in [false, true] {
        let builder = builder("https://as.example/tenant").device_authorization_endpoint("/devices");
        let server = if served { builder.device_verification("/tv") } else { builder }.build().unwrap();
        let metadata = Answer(server.metadata()).json();
        let endpoint = served.then(|| json!("https://as.example/tenant/devices"));
        assert_eq!(metadata.get("device_authorization_endpoint"), endpoint.as_ref());
        for grant_type in ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"] {
            assert_eq!(lists(&metadata, "grant_types_supported", grant_type), served, "{grant_type}");
        }
        let begun = send(&server, post_as("/tenant/devices", &basic("conf", SECRET), String::new())).await;
        assert_eq!(begun.status, if served { 200 } else { 404 });
    }
}

#[tokio::test]
async fn md_04_what_is_advertised_works_and_nothing_else_does() {
    for server in every_server() {
        let metadata = Answer(server.metadata()).json();
        let supports = |grant| lists(&metadata, "grant_types_supported", grant);
        let what = metadata["grant_types_supported"].to_string();

        let robot = send(&server, post("/token", &[("grant_type", "client_credentials")])).await;
        assert_eq!(supports("client_credentials"), robot.status == 200, "{what}");

        let code = code_of(&code_reply(&server, "code", "query").await);
        assert_eq!(supports("authorization_code"), code.is_some(), "{what}");
        assert_eq!(lists(&metadata, "response_types_supported", "code"), code.is_some());
        assert_eq!(metadata.get("authorization_endpoint").is_some(), code.is_some());
        assert_eq!(metadata.get("authorization_response_iss_parameter_supported").is_some(), code.is_some());

        let implicit = code_reply(&server, "token", "fragment").await;
        let has_token = implicit.header("location").is_some_and(|to| to.contains("#access_token="));
        assert_eq!(supports("implicit"), has_token, "{what}");
        assert_eq!(lists(&metadata, "response_types_supported", "token"), has_token);

        let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
        let password = token_as_legacy(&server, &password).await;
        assert_eq!(supports("password"), password.status == 200, "{what}: {}", password.json());

        let tokens = match &code {
            Some(code) => Some(token_as_legacy(&server, &redemption(code)).await),
            None => Some(password).filter(|reply| reply.status == 200),
        };
        let refresh = tokens.as_ref().map(|reply| reply.json()["refresh_token"].clone());
        assert_eq!(supports("refresh_token"), refresh.is_some(), "{what}");
        if let Some(Value::String(refresh)) = refresh {
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
            assert_eq!(token_as_legacy(&server, &form).await.status, 200, "{what}");
        }
    }
}

#[tokio::test]
async fn md_04_advertised_modes_and_methods_work_and_unknown_ones_are_absent() {
    let fixture = Fixture::legacy();
    let metadata = Answer(fixture.server.metadata()).json();
    for mode in metadata["response_modes_supported"].as_array().unwrap() {
        let reply = code_reply(&fixture.server, "code", mode.as_str().unwrap()).await;
        assert!(matches!(reply.status, 200 | 303), "{mode}");
        let said = [reply.header("location").unwrap_or_default().as_bytes(), &reply.body].concat();
        assert!(String::from_utf8(said).unwrap().contains("gac_"), "{mode}");
    }
    for (client, method) in [("pub", "none"), ("conf", "client_secret_basic"), ("post", "client_secret_post")]
    {
        let access = fixture.tokens(client, "read").await.access_token();
        assert!(lists(&metadata, "token_endpoint_auth_methods_supported", method));
        let sees = lists(&metadata, "introspection_endpoint_auth_methods_supported", method);
        assert_eq!(fixture.introspect(client, &access).await.status() == 200, sees, "{method}");
        let revokes = lists(&metadata, "revocation_endpoint_auth_methods_supported", method);
        assert_eq!(fixture.revoke(client, &access).await.status() == 200, revokes, "{method}");
    }
    assert_eq!(metadata["token_endpoint_auth_methods_supported"].as_array().unwrap().len(), 3);
    for absent in [
        "device_authorization_endpoint",
        "registration_endpoint",
        "jwks_uri",
        "dpop_signing_alg_values_supported",
        "tls_client_certificate_bound_access_tokens",
        "authorization_details_types_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "client_id_metadata_document_supported",
    ] {
        assert_eq!(metadata.get(absent), None, "{absent}");
    }
    let mut query = code_query("conf", "read");
    query.push(("request", "a.b.c"));
    let refused = fixture.approve(&query).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("request_not_supported"));
    assert!(refused.location().starts_with(CALLBACK) && !refused.location().contains(CHALLENGE));
}

#[tokio::test]
async fn md_04_endpoints_are_where_the_configuration_puts_them() {
    let server = builder("https://as.example/base")
        .token_endpoint("/oauth2/token")
        .revocation_endpoint("/oauth2/revoke")
        .introspection_endpoint("/oauth2/introspect")
        .build()
        .unwrap();
    let metadata = Answer(server.metadata()).json();
    for (name, path) in [
        ("token_endpoint", "/base/oauth2/token"),
        ("revocation_endpoint", "/base/oauth2/revoke"),
        ("introspection_endpoint", "/base/oauth2/introspect"),
    ] {
        assert_eq!(metadata[name], format!("https://as.example{path}"));
        let form = [("grant_type", "client_credentials"), ("token", "x")];
        assert_eq!(send(&server, post(path, &form)).await.status, 200, "{path}");
    }
    assert_eq!(get(&server, "/base/token").await.status, 404);
}

#[tokio::test]
async fn ji_11_signed_metadata_has_the_same_members_and_the_servers_signature() {
    let (moody, fails) = Moody::new(JwtSigner::new(keys()).unwrap());
    let fixture = Fixture::with(|builder| builder.token_signer(moody).sign_metadata());
    let found = get(&fixture.server, "/.well-known/oauth-authorization-server").await;
    let mut plain = found.json();
    let jwt = plain.as_object_mut().unwrap().remove("signed_metadata").unwrap();
    assert_eq!(plain, Answer(fixture.server.metadata()).json(), "nothing else is added");

    let (header, mut claims) = fixture.opened(jwt.as_str().unwrap()).await;
    assert_eq!(header["typ"], "signed-metadata+jwt");
    let members = claims.as_object_mut().unwrap();
    assert_eq!(members.remove("iss").unwrap(), ISSUER);
    assert_eq!(members.remove("iat").unwrap(), TestClock::START);
    assert_eq!(claims, plain, "and it is not nested");

    fails.store(true, Ordering::SeqCst);
    let refused = get(&fixture.server, "/.well-known/oauth-authorization-server").await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (503, Some("temporarily_unavailable")));
}

#[tokio::test]
async fn ji_11_metadata_are_unsigned_by_default_and_need_a_signer() {
    let fixture = Fixture::with(|builder| builder.token_signer(JwtSigner::new(keys()).unwrap()));
    let plain = get(&fixture.server, "/.well-known/oauth-authorization-server").await;
    assert_eq!(plain.json().get("signed_metadata"), None);
    let built = builder(ISSUER).authorization_endpoint("/authorize").sign_metadata().build();
    assert_eq!(built.unwrap_err().all(), [ConfigError::AnswersUnsigned]);
}
