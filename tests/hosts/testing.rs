//! `grantor::testing`: what it issues is what a real server issues, and its guard tells good tokens from bad
//! ones.

use std::time::Duration;

use grantor::Resource;
use grantor::adapter::axum::{Authorized, guard_routes};
use grantor::outbound::Outbound;
use grantor::resource::{Credentials, Discovery, Guard, Introspection, Requirement};
use grantor::testing::{TestServer, Tokens, UserClaims};
use serde_json::json;
use tower::ServiceExt as _;

async fn status(guard: &Guard, tokens: &Tokens, scope: &str) -> u16 {
    guard
        .check(&tokens.request(), &Requirement::scopes([scope]))
        .await
        .map_or_else(|answer| answer.status, |_| 200)
}

#[tokio::test]
async fn a_token_for_a_user_and_a_client_is_one_line_and_its_guard_accepts_it() {
    for server in [
        TestServer::new(),
        TestServer::builder()
            .users(["alice"])
            .scopes(["read", "write"])
            .public_client("app", "https://app.test/callback")
            .signed()
            .build(),
    ] {
        let tokens = server.token("alice", "app", "read").await;
        let guard = server.guard();
        let access = guard.check(&tokens.request(), &Requirement::scopes(["read"])).await.unwrap();
        assert_eq!((access.user(), access.client().as_str()), (Some("alice"), "app"));
        assert_eq!(status(&guard, &tokens, "write").await, 403);
        assert!(tokens.refresh_token().is_some() && tokens.id_token().is_none());
    }
}

#[tokio::test]
async fn time_passes_when_it_is_told_to() {
    let server = TestServer::new();
    let (guard, first) = (server.guard(), server.token("bob", "web", "read write").await);
    assert_eq!(status(&guard, &first, "write").await, 200);
    server.clock().advance(Duration::from_secs(3600));
    assert_eq!(status(&guard, &first, "write").await, 401);
    let second = server.refresh("web", &first).await;
    assert_eq!(status(&guard, &second, "write").await, 200);
    server.revoke("web", second.access_token()).await;
    assert_eq!(status(&guard, &second, "write").await, 401);
}

#[tokio::test]
async fn an_openid_provider_has_claims_of_its_users_and_gives_each_scope_its_own() {
    let claims = UserClaims::new()
        .with("alice", json!({ "email": "alice@example.com", "name": "Alice" }))
        .with("bob", json!({ "name": "Bob" }));
    let server = TestServer::builder().users(["alice", "bob", "carol"]).openid(claims);
    let server = server.public_client("app", "https://app.test/callback").build();
    assert!(server.token("alice", "app", "openid").await.id_token().is_some());
    assert!(server.token("alice", "app", "email").await.id_token().is_none());
    for (user, scope, claims) in [
        ("alice", "openid", json!({ "sub": "alice" })),
        ("alice", "openid email", json!({ "sub": "alice", "email": "alice@example.com" })),
        ("bob", "openid email profile", json!({ "sub": "bob", "name": "Bob" })),
        ("carol", "openid email profile", json!({ "sub": "carol" })),
    ] {
        assert_eq!(server.userinfo(user, "app", scope).await, claims);
    }
}

#[tokio::test]
async fn a_program_has_no_user() {
    let server = TestServer::new();
    let tokens = server.client_token("robot", "read").await;
    let access = server.guard().check(&tokens.request(), &Requirement::any()).await.unwrap();
    assert_eq!((access.user(), access.client().as_str()), (None, "robot"));
}

#[tokio::test]
async fn it_is_an_issuer_for_a_guard_that_believes_its_keys() {
    let server = TestServer::builder().users(["alice"]).scopes(["read"]).signed();
    let server = server.confidential_client("web", "https://web.test/callback").build();
    let tokens = server.token("alice", "web", "read").await;
    let by_keys = Guard::builder(server.resource()).issuer(TestServer::ISSUER, server.clone());
    let by_keys = by_keys.clock(server.clock().clone()).build().unwrap();
    assert_eq!(status(&by_keys, &tokens, "read").await, 200);
    // Another server's tokens are signed by other keys.
    let other = TestServer::builder().users(["alice"]).scopes(["read"]).signed();
    let other = other.confidential_client("web", "https://web.test/callback").build();
    assert_eq!(status(&by_keys, &other.token("alice", "web", "read").await, "read").await, 401);
}

/// As a program builds its guard, which knows nothing of tests.
fn guard_of_a_program(audience: &str, issuer: &str, outbound: impl Outbound + 'static) -> Guard {
    Guard::builder(audience).issuer(issuer, outbound).build().unwrap()
}

fn issuer(url: &str) -> TestServer {
    let server = TestServer::builder().issuer(url).users(["alice"]).scopes(["read"]);
    server.public_client("app", "https://app.test/callback").signed().starts_now().build()
}

#[tokio::test]
async fn a_guard_with_the_clock_of_the_machine_takes_the_tokens_of_a_server_that_starts_now() {
    let server = issuer(TestServer::ISSUER);
    let guard = guard_of_a_program(server.resource(), server.issuer(), server.clone());
    let first = server.token("alice", "app", "read").await;
    assert_eq!(status(&guard, &first, "read").await, 200);
    server.clock().advance(Duration::from_secs(3600));
    let later = server.token("alice", "app", "read").await;
    assert_eq!(status(&guard, &later, "read").await, 401, "the server's clock is set, the guard's is not");
}

#[tokio::test]
async fn a_guard_that_trusts_one_issuer_refuses_the_tokens_of_another() {
    for (a, b) in [("https://a.test", "https://b.test"), ("https://as.test/a", "https://as.test/b")] {
        let (trusted, other) = (issuer(a), issuer(b));
        assert_eq!((trusted.issuer(), other.issuer()), (a, b));
        let guard = guard_of_a_program(trusted.resource(), a, trusted.clone());
        let (good, bad) =
            (trusted.token("alice", "app", "read").await, other.token("alice", "app", "read").await);
        assert_eq!(status(&guard, &good, "read").await, 200, "{a}");
        assert_eq!(status(&guard, &bad, "read").await, 401, "{b}");
        // No server answers in the name of another.
        let misled = guard_of_a_program(trusted.resource(), a, other.clone());
        assert_eq!(status(&misled, &good, "read").await, 503, "{a}");
    }
}

#[tokio::test]
async fn a_guard_that_introspects_is_tested_without_a_socket() {
    let resource = Resource::new(TestServer::RESOURCE).introspection_clients(["api"]);
    let server = TestServer::builder().users(["alice"]).scopes(["read"]).resource(resource);
    let server = server.public_client("app", "https://app.test/callback").program("api").build();
    assert_eq!(server.resource(), TestServer::RESOURCE);
    let discovery = Discovery::new(server.issuer(), server.clone());
    let asks = Introspection::of(discovery, Credentials::secret("api", TestServer::SECRET));
    let asks = asks.max_age(Duration::ZERO);
    let guard = Guard::builder(server.resource()).verifier(asks).clock(server.clock().clone());
    let guard = guard.build().unwrap();
    let tokens = server.token("alice", "app", "read").await;
    assert_eq!(status(&guard, &tokens, "read").await, 200);
    server.revoke("app", tokens.access_token()).await;
    assert_eq!(status(&guard, &tokens, "read").await, 401);
}

#[tokio::test]
async fn its_guard_stands_in_front_of_a_router() {
    let server = TestServer::new();
    let guard = server.guard();
    let app = axum::Router::new()
        .route(
            "/notes",
            axum::routing::get(async |access: Authorized| access.user().unwrap_or("nobody").to_owned()),
        )
        .with_state(guard.clone())
        .merge(guard_routes([guard]));
    let call = axum::http::Request::get("/notes");
    let call = call.header("authorization", server.token("alice", "app", "read").await.authorization());
    let answer = app.oneshot(call.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
#[should_panic(expected = "there is no user \"carol\"")]
async fn a_user_that_nobody_added_is_named() {
    TestServer::new().token("carol", "app", "read").await;
}

#[tokio::test]
#[should_panic(expected = "; add \"admin\" to the builder with `scopes`")]
async fn a_scope_that_the_server_does_not_know_comes_with_what_to_call() {
    TestServer::new().token("alice", "app", "admin").await;
}

#[tokio::test]
#[should_panic(expected = "; add \"admin\" to the builder with `scopes`")]
async fn a_program_hears_it_too() {
    TestServer::new().client_token("robot", "read admin").await;
}

#[tokio::test]
#[should_panic(expected = "call `openid` on the builder")]
async fn the_scope_openid_without_openid_says_to_call_it() {
    TestServer::new().token("alice", "app", "openid").await;
}
