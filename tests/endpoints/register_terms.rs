//! The terms on which a host lets clients register themselves: RFC 7591 section 5.

use std::time::Duration;

use grantor::client::Replacement;
use grantor::http::Method;
use grantor::registration::{Allowance, Applicant, RegistrationPolicy, Review};
use grantor::server::ConfigError;
use grantor::{
    AuthorizationServer, BackendError, Client, GrantType, MemoryRegistry, MemoryStore, Profile, Reason,
    Registrar, Registration, Request, Scope, SignedIn, async_trait,
};
use serde_json::json;

use crate::support::registering::{Registering, app, app_with};
use crate::support::{code_query, encode};

#[tokio::test]
async fn rg_07_scopes_and_grants_are_limited_by_the_terms() {
    let server = Registering::on(Registration::open().scopes(["read", "write"]));
    let own = server
        .registered(&app_with(json!({
            "scope": "read admin openid",
            "grant_types": ["authorization_code", "client_credentials", "password", "refresh_token"],
        })))
        .await;
    assert_eq!(own.text("scope"), "read", "what may not be had is dropped");
    assert_eq!(own.0["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(server.fixture.approve(&code_query(own.id(), "read")).await.status(), 303);
    let asked = server.fixture.approve(&code_query(own.id(), "admin")).await;
    assert_eq!(asked.location_parameter("error").as_deref(), Some("invalid_scope"), "and is not had");
    let robot = server.token(&own, &[("grant_type", "client_credentials")]).await;
    assert_eq!(robot.error(), (400, "unauthorized_client".to_owned()));
    assert_eq!(
        server.refusal(json!({ "scope": "admin" })).await,
        (400, "invalid_client_metadata".to_owned())
    );
    let silent = server.registered(&app_with(json!({ "scope": null }))).await;
    assert_eq!(silent.text("scope"), "read write");

    let robots = [GrantType::ClientCredentials];
    let server = Registering::on(Registration::open().grant_types(robots).scopes(["read"]));
    let own = server.registered(&json!({ "grant_types": ["client_credentials"] })).await;
    let tokens = server.token(&own, &[("grant_type", "client_credentials")]).await;
    assert_eq!(tokens.text("scope"), "read");
    let public = json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" });
    assert_eq!(server.post(&public).await.error(), (400, "invalid_client_metadata".to_owned()));
}

/// Lets `partner` register readers, until tomorrow.
struct Partners;

#[async_trait]
impl RegistrationPolicy for Partners {
    async fn review(&self, applicant: &Applicant<'_>) -> Result<Review, BackendError> {
        if applicant.metadata.client_name.as_deref() == Some("Store") {
            return Err(BackendError::transient("down"));
        }
        let known = applicant.token.is_some_and(|token| token.reveal() == "partner");
        if !known && applicant.current.is_none() {
            return Ok(Review::RefuseToken);
        }
        if applicant.metadata.client_name.as_deref() == Some("Evil") {
            return Ok(Review::Refuse);
        }
        let tomorrow = chrono::DateTime::from_timestamp(crate::support::TestClock::START + 86400, 0).unwrap();
        Ok(Review::Allow(
            Allowance::all().scope(Scope::parse("read admin").unwrap()).expires(tomorrow).owner("partner"),
        ))
    }
}

/// Lets a new client in until tomorrow, and says nothing about time when it changes itself.
struct OnlyAtFirst;

#[async_trait]
impl RegistrationPolicy for OnlyAtFirst {
    async fn review(&self, applicant: &Applicant<'_>) -> Result<Review, BackendError> {
        let tomorrow = chrono::DateTime::from_timestamp(crate::support::TestClock::START + 86400, 0).unwrap();
        Ok(Review::Allow(match applicant.current {
            None => Allowance::all().expires(tomorrow),
            Some(_) => Allowance::all(),
        }))
    }
}

#[tokio::test]
async fn a_client_that_changes_itself_keeps_its_expiry() {
    let server = Registering::on(Registration::by_policy(OnlyAtFirst));
    let own = server.registered(&app()).await;
    assert_eq!(server.put(&own, &app_with(json!({ "client_name": "Renamed" }))).await.status(), 200);
    server.fixture.clock.advance(Duration::from_secs(86400));
    assert_eq!(server.get(&own).await.status(), 401, "what has run out is gone");
}

#[tokio::test]
async fn a_client_that_changes_itself_keeps_the_terms_that_the_host_set() {
    let terms = [
        ("access_tokens", json!("jwt")),
        ("id_token_claims_from_scope", json!(true)),
        ("logout_token_type_jwt", json!(true)),
        ("require_pkce", json!(false)),
        ("localhost_any_port", json!(true)),
        ("redirect_schemes", json!(["app"])),
        ("rotate_refresh_tokens", json!(true)),
        ("unregistered_redirect_uris", json!(true)),
    ];
    let server = Registering::on(Registration::open());
    let own =
        server.registered(&app_with(json!({ "token_endpoint_auth_method": "client_secret_basic" }))).await;
    let stored = server.stored(own.id()).await.unwrap();
    let mut body = stored.encode();
    body["metadata"].as_object_mut().unwrap().extend(terms.map(|(name, value)| (name.to_owned(), value)));
    let next = Client::decode(&body).unwrap();
    server.registry.replace(Replacement::of(&stored, next.clone())).await.unwrap();

    let seen = server.get(&own).await.json();
    assert_eq!(seen.get("rotate_refresh_tokens"), None, "they are not the client's");
    let renamed = app_with(json!({
        "token_endpoint_auth_method": "client_secret_basic", "client_name": "Renamed", "require_pkce": true,
    }));
    assert_eq!(server.put(&own, &renamed).await.status(), 200);
    let kept = server.stored(own.id()).await.unwrap();
    assert_eq!(kept.name(), Some("Renamed"));
    let mut expected = next.metadata().clone();
    expected.client_name = kept.metadata().client_name.clone();
    assert_eq!(kept.metadata(), &expected);

    let public = app_with(json!({ "token_endpoint_auth_method": "none" }));
    assert_eq!(server.put(&own, &public).await.status(), 200, "a public one cannot have all of them");
    assert_eq!(server.stored(own.id()).await.unwrap().metadata().require_pkce, None);
}

#[tokio::test]
async fn rg_07_a_host_decides_about_each_registration() {
    let server = Registering::on(Registration::by_policy(Partners).scopes(["read", "write"]));
    let with = |name: &str| {
        Request::json(Method::Post, app_with(json!({ "client_name": name })).to_string())
            .header("authorization", "Bearer partner")
    };
    let wrong = Request::json(Method::Post, app().to_string()).header("authorization", "Bearer stranger");
    for (request, reason) in [
        (Request::json(Method::Post, app().to_string()), Reason::InitialTokenMissing),
        (wrong, Reason::InitialTokenWrong),
    ] {
        assert_eq!(server.send(request).await.error(), (401, "invalid_token".to_owned()));
        assert_eq!(server.fixture.log.last_reason(), Some(reason));
    }
    assert_eq!(server.send(with("Evil")).await.error(), (403, "access_denied".to_owned()));
    assert_eq!(server.send(with("Store")).await.error(), (503, "temporarily_unavailable".to_owned()));
    let own = crate::support::registering::Own(server.send(with("App")).await.json());
    assert_eq!(own.text("scope"), "read", "a policy narrows the terms and never widens them");
    let tokens = server.tokens(&own, "read").await;
    let renamed = server.put(&own, &app_with(json!({ "client_name": "Renamed" }))).await;
    let stored = server.stored(own.id()).await.unwrap();
    assert_eq!(
        (stored.name(), stored.owner()),
        (Some("Renamed"), Some("partner")),
        "a change keeps the owner"
    );
    let mut own = own;
    own.0["registration_access_token"] = renamed.json()["registration_access_token"].clone();

    let evil = server.put(&own, &app_with(json!({ "client_name": "Evil" }))).await;
    assert_eq!(evil.error(), (403, "access_denied".to_owned()), "a change is judged like a registration");
    server.fixture.clock.advance(Duration::from_secs(86400));
    assert_eq!(
        server.refresh(&own, &tokens.refresh_token()).await.error(),
        (401, "invalid_client".to_owned())
    );
    assert_eq!(server.get(&own).await.status(), 401, "what has run out is gone");
    assert_eq!(server.delete(&own).await.status(), 204);
}

#[tokio::test]
async fn rg_07_what_is_kept_of_a_client_has_a_limit() {
    let server = Registering::on(Registration::open());
    let with = |uris: usize| {
        let uri = |n: usize| format!("https://app.example/{n}/{}", "a".repeat(2000));
        let uris: Vec<String> = (0..uris).map(uri).collect();
        app_with(json!({ "redirect_uris": uris, "scope": format!("read {}", "x".repeat(20_000)) }))
    };
    let own = server.registered(&with(7)).await;
    assert_eq!(own.text("scope"), "read", "what is dropped does not count");
    for answer in [server.post(&with(9)).await, server.put(&own, &with(9)).await] {
        assert_eq!(answer.error(), (400, "invalid_client_metadata".to_owned()));
    }
    assert_eq!(server.fixture.log.last_reason(), Some(Reason::RegistrationTooLarge));
    assert_eq!(server.get(&own).await.json()["redirect_uris"], own.0["redirect_uris"]);
}

#[tokio::test]
async fn registrations_are_limited_by_address() {
    let server = Registering::on(Registration::open().per_minute(2));
    let from = |peer: &str| Request::json(Method::Post, app().to_string()).from_peer(peer.parse().unwrap());
    assert_eq!(server.send(from("192.0.2.1")).await.status(), 201);
    let mut bad = from("192.0.2.1");
    bad.body = b"{".to_vec();
    assert_eq!(server.send(bad).await.status(), 400);
    let third = server.send(from("192.0.2.1")).await;
    assert_eq!((third.status(), third.0.header("retry-after")), (429, Some("30")));
    assert_eq!(server.send(from("192.0.2.2")).await.status(), 201);
    server.fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(server.send(from("192.0.2.1")).await.status(), 201);
}

#[tokio::test]
async fn localhost_stands_for_every_port_where_the_host_says_so() {
    let native =
        json!({ "redirect_uris": ["http://localhost/callback"], "token_endpoint_auth_method": "none" });
    for (terms, proven) in [(Registration::open(), false), (Registration::open().localhost_any_port(), true)]
    {
        let server = Registering::on(terms);
        let own = server.registered(&native).await;
        assert_eq!(own.0.get("localhost_any_port"), None, "the host's terms are no metadata");
        let mut query = code_query(own.id(), "read");
        query[2].1 = "http://localhost:50123/callback";
        let request = Request::get(encode(&query));
        assert_eq!(server.fixture.server.authorize(&request).await.is_ok(), proven);
    }
}

#[test]
fn terms_that_cannot_be_kept_are_a_mistake() {
    let build = |terms: Registration, profile: Profile| {
        let builder = AuthorizationServer::builder("https://as.example").scopes(["read"]).profile(profile);
        let builder = builder.clients(MemoryRegistry::default()).store(MemoryStore::new());
        builder.registration(terms).build().unwrap_err().all().to_vec()
    };
    let terms = Registration::open().scopes(["admin"]).grant_types([GrantType::Password]);
    let mistakes =
        [ConfigError::RegistrarMissing, ConfigError::RegistrationScope, ConfigError::RegistrationGrantType];
    assert_eq!(build(terms, Profile::OAuth21), mistakes);
    let terms = Registration::open().grant_types([GrantType::Password]);
    assert_eq!(build(terms, Profile::Rfc6749), [ConfigError::RegistrarMissing]);
}

#[tokio::test]
async fn confidential_clients_that_register_themselves_may_do_without_pkce_if_the_host_says_so() {
    let secret = app_with(json!({ "token_endpoint_auth_method": "client_secret_basic" }));
    let public = app_with(json!({ "token_endpoint_auth_method": "none" }));
    for (terms, metadata, may_omit) in [
        (Registration::open(), &secret, false),
        (Registration::open().pkce_optional(), &secret, true),
        (Registration::open().pkce_optional(), &public, false),
    ] {
        let server = Registering::on(terms);
        let own = server.registered(metadata).await;
        assert_eq!(own.0.get("require_pkce"), None, "a term of the host");
        assert_eq!(server.put(&own, metadata).await.status(), 200, "it survives a change");
        let mut query = code_query(own.id(), "read");
        query.retain(|(name, _)| !name.starts_with("code_challenge"));
        let asked = server.fixture.server.authorize(&Request::get(encode(&query))).await;
        let alice = server.fixture.alice();
        let passes = match asked {
            Ok(asked) => matches!(asked.signed_in(alice).await, SignedIn::Consent(_)),
            Err(page) => {
                assert_eq!(page.reason(), Reason::ChallengeMissing);
                false
            }
        };
        assert_eq!(passes, may_omit, "{metadata}");
    }
}
