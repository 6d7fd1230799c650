//! What the authorization part of the Model Context Protocol asks for (revision 2026-07-28), and what other
//! tests do not have.

use std::sync::Arc;

use grantor::http::{Method, Response};
use grantor::resource::{Guard, Requirement};
use grantor::server::ConfigError;
use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore, Profile, Reason, Request, Resource};
use serde_json::{Value, json};

use crate::support::guarded::{call, parameter};
use crate::support::site::{DOCUMENT, Site, changed};
use crate::support::{Answer, CALLBACK, Fixture, VERIFIER, clients, code_query, encode};

const MCP: &str = "https://mcp.example/mcp";
const OTHER: &str = "https://other.example/mcp";

fn served(site: &Site) -> Fixture {
    let registry = Arc::new(MemoryRegistry::new(clients()));
    Fixture::with(|builder| {
        builder
            .profile(Profile::Mcp)
            .clients(registry.clone())
            .registrar(registry)
            .client_id_metadata_documents(site.clone())
            .resource(Resource::new(MCP))
            .resource(Resource::new(OTHER))
    })
}

fn guard(fixture: &Fixture) -> Guard {
    Guard::builder(MCP).local(fixture.server.clone()).clock(fixture.clock.clone()).build().unwrap()
}

async fn tokens(fixture: &Fixture, scope: &str, resource: &str) -> Answer {
    let query = [code_query(DOCUMENT, scope), vec![("resource", resource)]].concat();
    let code = fixture.approve(&query).await.location_parameter("code").expect("a code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("client_id", DOCUMENT),
        ("code_verifier", VERIFIER),
    ];
    Answer(fixture.server.token(&Request::post_form(encode(&form))).await)
}

async fn refused(guard: &Guard, request: Request, needed: &Requirement) -> Response {
    guard.check(&request, needed).await.unwrap_err()
}

#[tokio::test]
async fn mc_01_every_answer_says_whose_it_is() {
    let fixture = served(&Site::with_document());
    let issuer = fixture.server.rules().issuer.to_string();
    let metadata = Answer(fixture.server.metadata()).json();
    assert_eq!(metadata["issuer"], issuer);
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let good = fixture.approve(&code_query(DOCUMENT, "read")).await;
    assert!(good.location_parameter("code").is_some());
    let bad =
        fixture.approve(&[code_query(DOCUMENT, "read"), vec![("resource", "urn:other")]].concat()).await;
    assert_eq!(bad.location_parameter("error").as_deref(), Some("invalid_target"));
    for answer in [good, bad] {
        assert_eq!(answer.location_parameter("iss"), Some(issuer.clone()), "the very string of the metadata");
    }
}

async fn discovered(issuer: &str) -> Vec<(String, Value)> {
    let registry = Arc::new(MemoryRegistry::default());
    let server = AuthorizationServer::builder(issuer)
        .profile(Profile::Mcp)
        .clients(registry.clone())
        .registrar(registry)
        .client_id_metadata_documents(Site::new())
        .store(MemoryStore::new())
        .authorization_endpoint("/authorize")
        .build()
        .unwrap();
    let routes = server.routes().into_iter().filter(|(_, path)| path.contains(".well-known"));
    let mut found = Vec::new();
    for (endpoint, path) in routes {
        found.push((path, Answer(server.handle(endpoint, &Request::get("")).await).json()));
    }
    assert!(server.endpoint_at("/.well-known/oauth-authorization-server/another").is_none());
    found
}

#[tokio::test]
async fn mc_02_the_issuer_of_a_document_is_the_one_of_its_url() {
    for issuer in ["https://as.example", "https://as.example/tenant"] {
        let path = issuer.strip_prefix("https://as.example").unwrap();
        let found = discovered(issuer).await;
        for well_known in ["oauth-authorization-server", "openid-configuration"] {
            let at = format!("/.well-known/{well_known}{path}");
            assert!(found.iter().any(|(place, _)| *place == at), "{at}");
        }
        let behind = format!("{path}/.well-known/openid-configuration");
        assert!(found.iter().any(|(place, _)| *place == behind), "{behind}");
        assert!(found.iter().all(|(_, json)| json["issuer"] == issuer));
    }
}

#[tokio::test]
async fn mc_03_every_discovery_document_says_s256() {
    for (place, json) in discovered("https://as.example/tenant").await {
        assert_eq!(json["code_challenge_methods_supported"], json!(["S256"]), "{place}");
    }
}

#[tokio::test]
async fn mc_06_a_consent_page_knows_the_host_and_when_to_warn() {
    for (redirect_uris, asked, host, is_local, is_local_only) in [
        (json!([CALLBACK]), CALLBACK, "app.example", false, false),
        (json!([CALLBACK, "http://127.0.0.1/cb"]), "http://127.0.0.1:4711/cb", "127.0.0.1:4711", true, false),
        (
            json!(["http://localhost/cb", "http://[::1]/cb"]),
            "http://localhost:1/cb",
            "localhost:1",
            true,
            true,
        ),
        (json!(["https://localhost/cb"]), "https://localhost/cb", "localhost", true, true),
        (json!(["cursor://accounts.google.com/cb"]), "cursor://accounts.google.com/cb", "cursor", true, true),
    ] {
        let site = Site::new();
        site.put(DOCUMENT, changed(&[("redirect_uris", redirect_uris)]));
        let fixture = served(&site);
        let mut query = code_query(DOCUMENT, "read");
        query[2] = ("redirect_uri", asked);
        let asks = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        assert_eq!(asks.client().is_local_only(), is_local_only, "{asked}");
        let grantor::SignedIn::Consent(consent) = asks.signed_in(fixture.alice()).await else {
            panic!("{asked}")
        };
        assert_eq!((consent.redirect_host(), consent.redirect_is_local()), (host, is_local), "{asked}");
    }
}

#[tokio::test]
async fn mc_08_a_token_for_another_resource_does_not_pass() {
    let fixture = served(&Site::with_document());
    let guard = guard(&fixture);
    let own = tokens(&fixture, "read", MCP).await.access_token();
    assert!(guard.check(&call(&own), &Requirement::scopes(["read"])).await.is_ok());
    let other = tokens(&fixture, "read", OTHER).await.access_token();
    let answer = refused(&guard, call(&other), &Requirement::scopes(["read"])).await;
    assert_eq!((answer.status, parameter(&answer, "error").as_deref()), (401, Some("invalid_token")));
}

#[tokio::test]
async fn mc_09_the_first_challenge_says_which_scope_and_never_offline_access() {
    let site = Site::with_document();
    let fixture = Fixture::with(|builder| {
        let builder = builder.profile(Profile::Mcp).scopes(["read", "offline_access"]);
        builder.client_id_metadata_documents(site).resource(Resource::new(MCP))
    });
    let guard = guard(&fixture);
    let answer = refused(&guard, Request::get(""), &Requirement::scopes(["read"])).await;
    assert_eq!((answer.status, parameter(&answer, "scope").as_deref()), (401, Some("read")));
    let metadata = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
    assert_eq!(parameter(&answer, "resource_metadata").as_deref(), Some(metadata));
    assert_eq!(Answer(guard.metadata()).json()["scopes_supported"], json!(["read"]));
    let mistake = Requirement::scopes(["read", "offline_access"]);
    assert_eq!(refused(&guard, Request::get(""), &mistake).await.status, 500, "the fault is the host's");
}

#[tokio::test]
async fn mc_10_a_403_names_all_that_the_operation_needs() {
    let fixture = served(&Site::with_document());
    let guard = guard(&fixture);
    let token = tokens(&fixture, "read", MCP).await.access_token();
    let answer = refused(&guard, call(&token), &Requirement::scopes(["read", "write", "admin"])).await;
    assert_eq!((answer.status, parameter(&answer, "error").as_deref()), (403, Some("insufficient_scope")));
    assert_eq!(parameter(&answer, "scope").as_deref(), Some("read write admin"));
    assert!(parameter(&answer, "resource_metadata").is_some());
}

#[tokio::test]
async fn mc_12_a_refresh_token_is_for_clients_that_ask_for_the_grant_type() {
    for (grant_types, has_one) in
        [(json!(["authorization_code", "refresh_token"]), true), (json!(["authorization_code"]), false)]
    {
        let site = Site::new();
        site.put(DOCUMENT, changed(&[("grant_types", grant_types)]));
        let fixture = served(&site);
        let first = tokens(&fixture, "read offline_access", MCP).await;
        assert_eq!(first.text("scope"), "read", "offline_access is not in our list");
        assert_eq!(first.json().get("refresh_token").is_some(), has_one);
        if has_one {
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", &first.refresh_token()),
                ("client_id", DOCUMENT),
            ];
            let next = Answer(fixture.server.token(&Request::post_form(encode(&form))).await);
            assert_ne!(next.refresh_token(), first.refresh_token(), "a public client's rotates");
        }
    }
}

#[tokio::test]
async fn mc_13_a_client_that_registered_elsewhere_is_told_to_register_again() {
    let fixture = served(&Site::with_document());
    let page =
        fixture.server.authorize(&Request::get(encode(&code_query("of-another-server", "read")))).await;
    let page = page.unwrap_err();
    assert_eq!((page.code(), page.status()), ("invalid_client", 400));
    assert!(page.description().ends_with("register again"), "{}", page.description());
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "of-another-server")];
    let answer = Answer(fixture.server.token(&Request::post_form(encode(&form))).await);
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn mc_16_each_failure_at_a_resource_has_its_status() {
    let fixture = served(&Site::with_document());
    let guard = guard(&fixture);
    let token = tokens(&fixture, "read", MCP).await.access_token();
    let twice = call(&format!("{token} {token}"));
    for (request, status) in
        [(Request::get(""), 401), (call("unknown"), 401), (call(&token), 403), (twice, 400), (call(""), 400)]
    {
        assert_eq!(refused(&guard, request, &Requirement::scopes(["write"])).await.status, status);
    }
    fixture.clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(refused(&guard, call(&token), &Requirement::scopes(["read"])).await.status, 401, "expired");
}

#[tokio::test]
async fn mc_17_endpoints_are_https_and_redirects_https_or_loopback() {
    let built = AuthorizationServer::builder("http://as.example")
        .profile(Profile::Mcp)
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .allow_http_loopback()
        .build();
    assert_eq!(built.unwrap_err().all(), [ConfigError::IssuerNotHttps]);
    let fixture = served(&Site::with_document());
    let metadata = Answer(fixture.server.metadata()).json();
    let endpoints = metadata.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint"));
    assert!(endpoints.clone().count() >= 5);
    for (name, url) in endpoints {
        assert!(url.as_str().unwrap().starts_with("https://"), "{name}");
    }
    let metadata =
        json!({ "redirect_uris": ["http://app.example/cb"], "token_endpoint_auth_method": "none" });
    let request = Request::json(Method::Post, metadata.to_string());
    let answer = Answer(fixture.server.registration(&request).await);
    assert_eq!(answer.error(), (400, "invalid_redirect_uri".to_owned()));
    let site = Site::new();
    site.put(DOCUMENT, changed(&[("redirect_uris", json!(["http://app.example/cb"]))]));
    let page = served(&site).server.authorize(&Request::get(encode(&code_query(DOCUMENT, "read")))).await;
    assert_eq!(page.unwrap_err().reason(), Reason::DocumentRedirectUri);
}
