//! The guard's door and its challenges: RFC 6750, RFC 9470, and the adapter for axum.

use axum::body::Body;
use axum::http::Request as HttpRequest;
use axum::routing::get;
use axum::{Extension, Router};
use grantor::adapter::axum::{Authorized, GuardLayer, Required};
use grantor::http::{Request, Response};
use grantor::resource::{Guard, GuardError, Requirement};
use grantor::server::AuthorizationServerBuilder;
use grantor::{Access, AccessTokens, EventKind, Reason, Resource};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::guarded::{API, Api, call, key, parameter, token};
use crate::support::{Answer, Fixture, TestClock, code_query};

const METADATA: &str = "https://api.example/.well-known/oauth-protected-resource/v1";

/// A server with two resources, and a guard in its process for one of them.
fn local(
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> (Fixture, Guard) {
    let fixture = Fixture::with(|builder| {
        configure(builder.resource(Resource::new(API)).resource(Resource::new("https://rs2.example")))
    });
    let guard = Guard::builder(API).local(fixture.server.clone()).clock(fixture.clock.clone());
    let guard = guard.scope_implies("admin", ["write"]).scope_implies("write", ["read"]).build().unwrap();
    (fixture, guard)
}

async fn token_for(fixture: &Fixture, resource: &str, scope: &str) -> String {
    let mut query = code_query("pub", scope);
    query.push(("resource", resource));
    let code = fixture.approve(&query).await.location_parameter("code").expect("a code");
    fixture.redeem("pub", &code).await.access_token()
}

async fn refused(guard: &Guard, request: Request, needed: &Requirement) -> Response {
    guard.check(&request, needed).await.unwrap_err()
}

fn read() -> Requirement {
    Requirement::scopes(["read"])
}

#[tokio::test]
async fn rs_01_a_bearer_header_lets_a_request_pass() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let (fixture, guard) = local(|builder| {
            let store = grantor::keys::MemoryKeyStore::new();
            let algorithms = [grantor::jose::Algorithm::EdDsa];
            let keys =
                grantor::keys::Keys::rotating(store, grantor::keys::KeySchedule::default(), &algorithms);
            let signer = grantor::keys::JwtSigner::new(keys.unwrap()).unwrap();
            builder.token_signer(signer).access_tokens(format)
        });
        let token = token_for(&fixture, API, "read").await;
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let request = Request::get("").header("authorization", format!("{scheme} {token}"));
            let access = guard.check(&request, &read()).await.unwrap();
            assert_eq!((access.user(), access.client().as_str()), (Some("alice"), "pub"));
            assert_eq!(access.audience().unwrap().as_str(), API);
        }
    }
}

#[tokio::test]
async fn rs_04_a_challenge_says_what_it_says_once() {
    let (fixture, guard) = local(|b| b);
    let token = token_for(&fixture, API, "read").await;
    let admin = Requirement::scopes(["admin", "read", "admin"]).acr(["mfa"]).max_age(60);
    let requests = [Request::get(""), call("no"), call(&token), call(""), call("a b")];
    for request in requests {
        let response = refused(&guard, request, &admin).await;
        let challenge = response.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=\"api\", "), "{challenge}");
        let headers = response.headers.iter().filter(|(name, _)| *name == "www-authenticate");
        assert_eq!(headers.count(), 1);
        for name in ["realm", "scope", "error", "error_description", "acr_values", "max_age"] {
            assert!(challenge.matches(&format!(" {name}=\"")).count() <= 1, "{challenge}");
        }
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert!(Answer(response).json().is_object());
    }
}

#[tokio::test]
async fn rs_05_each_failure_has_its_status_and_its_code() {
    let (fixture, guard) = local(|b| b);
    let token = token_for(&fixture, API, "read").await;
    let both = Requirement::scopes(["read", "write", "admin"]);
    let nobody = Request::get("").header("authorization", "Basic YTpi");
    for (request, status, error, scope) in [
        (Request::get(""), 401, None, Some("read write admin")),
        (nobody, 401, None, Some("read write admin")),
        (call("unknown"), 401, Some("invalid_token"), Some("read write admin")),
        (call(&token), 403, Some("insufficient_scope"), Some("read write admin")),
        (Request::get("").header("authorization", ""), 400, Some("invalid_request"), None),
        (call("ä"), 400, Some("invalid_request"), None),
        (call(""), 400, Some("invalid_request"), None),
        (call(&format!("{token} {token}")), 400, Some("invalid_request"), None),
    ] {
        let response = refused(&guard, request, &both).await;
        assert_eq!(response.status, status);
        assert_eq!(parameter(&response, "error").as_deref(), error);
        assert_eq!(parameter(&response, "scope").as_deref(), scope);
        assert_eq!(Answer(response).json()["error"].as_str(), error, "the body says the same");
    }
}

#[tokio::test]
async fn rs_06_a_token_for_another_resource_does_not_pass() {
    let (fixture, guard) = local(|b| b);
    let foreign = token_for(&fixture, "https://rs2.example", "read").await;
    let default = fixture.tokens("pub", "read").await.access_token();
    for token in [foreign, default] {
        let response = refused(&guard, call(&token), &read()).await;
        assert_eq!((response.status, parameter(&response, "error").as_deref()), (401, Some("invalid_token")));
    }
    let token = token_for(&fixture, API, "read").await;
    fixture.clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(refused(&guard, call(&token), &read()).await.status, 401, "expired");
}

#[tokio::test]
async fn rs_22_a_scope_implies_others_all_the_way_down_and_never_up() {
    let (fixture, guard) = local(|b| b);
    for (held, needed, passes) in [
        ("admin", "read", true),
        ("admin", "write", true),
        ("admin", "read write admin", true),
        ("write", "read", true),
        ("write", "admin", false),
        ("read", "write", false),
        ("read", "read admin", false),
    ] {
        let token = token_for(&fixture, API, held).await;
        let outcome = guard.check(&call(&token), &Requirement::scopes([needed])).await;
        assert_eq!(outcome.is_ok(), passes, "{held} for {needed}");
        if let Ok(access) = outcome {
            assert_eq!(access.scope().as_str(), held, "the access says what was granted");
            assert!(guard.permits(&access, "read"));
        }
    }
    let circle = Guard::builder(API).local(fixture.server.clone());
    let circle = circle.scope_implies("read", ["write"]).scope_implies("write", ["read"]).build().unwrap();
    let token = token_for(&fixture, API, "read").await;
    assert!(circle.check(&call(&token), &Requirement::scopes(["write"])).await.is_ok());
    assert!(circle.check(&call(&token), &Requirement::scopes(["admin"])).await.is_err());
}

#[tokio::test]
async fn rs_22_a_403_names_all_that_the_operation_needs_at_once() {
    let (fixture, guard) = local(|b| b);
    let token = token_for(&fixture, API, "read").await;
    for needed in [["read", "write"], ["write", "admin"]] {
        let response = refused(&guard, call(&token), &Requirement::scopes(needed)).await;
        assert_eq!(response.status, 403);
        assert_eq!(parameter(&response, "error").as_deref(), Some("insufficient_scope"));
        assert_eq!(parameter(&response, "scope"), Some(needed.join(" ")), "what is held and what is not");
    }
}

#[tokio::test]
async fn rs_14_a_login_that_is_too_weak_or_too_old_is_asked_for_again() {
    let key = key();
    let api = Api::trusting(&key);
    let start = TestClock::START;
    let step_up = Requirement::scopes(["transfer"]).acr(["mfa", "hwk"]).max_age(300);
    let recent = json!({ "acr": "pwd", "auth_time": start });
    for changes in [
        json!({}),
        recent.clone(),
        json!({ "acr": "mfa" }),
        json!({ "acr": "mfa", "auth_time": start - 301 }),
        json!({ "acr": "mfa", "auth_time": start + 31 }),
        json!({ "acr": "MFA", "auth_time": start }),
    ] {
        let response = api.check(&token(&key, changes.clone()), &step_up).await.unwrap_err();
        assert_eq!(response.status, 401, "{changes}");
        let says = |name| parameter(&response, name);
        assert_eq!(says("error").as_deref(), Some("insufficient_user_authentication"));
        assert_eq!(says("acr_values").as_deref(), Some("mfa hwk"));
        assert_eq!(says("max_age").as_deref(), Some("300"));
        assert_eq!(says("scope").as_deref(), Some("transfer"), "one journey mends both");
    }
    let fit = json!({ "acr": "hwk", "auth_time": start - 300, "scope": "transfer" });
    assert!(api.check(&token(&key, fit), &step_up).await.is_ok());
    let response = api.check(&token(&key, recent), &Requirement::any().max_age(300)).await;
    assert!(response.is_ok(), "an old requirement asks for no class");
    let response = api.check(&token(&key, json!({})), &Requirement::any().max_age(0)).await.unwrap_err();
    assert_eq!(parameter(&response, "acr_values"), None);
    assert_eq!(parameter(&response, "max_age").as_deref(), Some("0"));
}

#[tokio::test]
async fn rs_14_a_local_guard_knows_how_the_user_signed_in() {
    let (fixture, guard) = local(|b| b);
    let token = token_for(&fixture, API, "read").await;
    let lately = Requirement::any().max_age(60);
    assert!(guard.check(&call(&token), &lately).await.is_ok());
    fixture.clock.advance(std::time::Duration::from_secs(61));
    let response = refused(&guard, call(&token), &lately).await;
    assert_eq!(parameter(&response, "error").as_deref(), Some("insufficient_user_authentication"));
}

#[tokio::test]
async fn rs_16_every_challenge_says_where_the_metadata_are() {
    let (fixture, guard) = local(|b| b);
    let token = token_for(&fixture, API, "read").await;
    let step_up = Requirement::any().acr(["mfa"]);
    let twice = call(&token).header("authorization", "Bearer x");
    for (request, needed, status) in [
        (Request::get(""), &read(), 401),
        (call("unknown"), &read(), 401),
        (call(&token), &step_up, 401),
        (call(&token), &Requirement::scopes(["admin"]), 403),
        (twice, &read(), 400),
    ] {
        let response = refused(&guard, request, needed).await;
        assert_eq!(response.status, status);
        assert_eq!(parameter(&response, "resource_metadata").as_deref(), Some(METADATA));
    }
}

#[tokio::test]
async fn a_store_that_fails_is_no_reason_to_let_in_or_to_call_a_token_bad() {
    let plan = Plan::default();
    let store = std::sync::Arc::new(grantor::MemoryStore::new());
    let faulty = Faulty::new(store.clone(), &plan);
    let fixture = Fixture::on(store, faulty, |builder| builder.resource(Resource::new(API)));
    let guard = Guard::builder(API).local(fixture.server.clone()).build().unwrap();
    let token = fixture.tokens("pub", "read").await.access_token();
    for (fault, status) in [(Fault::Transient, 503), (Fault::UnknownBefore, 503), (Fault::Permanent, 500)] {
        plan.arm(0, fault);
        let response = refused(&guard, call(&token), &read()).await;
        assert_eq!((response.status, response.header("www-authenticate")), (status, None), "{fault:?}");
        assert_eq!(response.header("retry-after").is_some(), status == 503);
        assert!(plan.recover());
        assert!(guard.check(&call(&token), &read()).await.is_ok());
    }
}

#[tokio::test]
async fn a_requirement_that_nobody_can_meet_is_the_hosts_fault() {
    let key = key();
    let api = Api::trusting(&key);
    let token = token(&key, json!({ "acr": "a b" }));
    for broken in [
        Requirement::scopes(["re\"ad"]),
        Requirement::scopes([""]),
        Requirement::scopes(["read", " "]),
        Requirement::any().acr(["a b"]),
        Requirement::any().acr(["x\", error=\"y"]),
        Requirement::any().acr([""]),
    ] {
        assert_eq!(api.check(&token, &broken).await.unwrap_err().status, 500, "{broken:?}");
        assert_eq!(api.log.whats().pop(), Some(EventKind::Failed(Reason::NotConfigured)));
    }
}

#[tokio::test]
async fn a_refusal_is_audited_with_its_reason_and_whose_it_is() {
    let key = key();
    let api = Api::trusting(&key);
    let _ = api.check(&token(&key, json!({})), &Requirement::scopes(["admin"])).await.unwrap_err();
    let text = api.log.texts().pop().unwrap();
    assert!(text.starts_with("resource: Refused(TokenScopeInsufficient) client=\"conf\""), "{text}");
    assert!(text.ends_with("subject=user(\"alice\")"), "{text}");
}

#[tokio::test]
async fn a_refusal_of_protect_is_audited_like_one_of_a_guard() {
    let fixture = Fixture::new();
    let token = fixture.tokens("pub", "read").await.access_token();
    let refused = fixture.server.protect(&call(&token), &["admin"]).await.unwrap_err();
    let text = fixture.log.texts().pop().unwrap();
    assert_eq!(refused.status, 403);
    assert!(text.starts_with("resource: Refused(TokenScopeInsufficient) client=\"pub\" grant="), "{text}");
    assert!(text.ends_with("subject=user(\"alice\")"), "{text}");
    for (request, scope, status, expected) in [
        (Request::get(""), "read", 401, "resource: Refused(TokenMissing)"),
        (call("made-up"), "read", 401, "resource: Refused(TokenInactive)"),
        (call(&token), "", 500, "resource: Failed(NotConfigured)"),
    ] {
        let refused = fixture.server.protect(&request, &[scope]).await.unwrap_err();
        assert_eq!((refused.status, fixture.log.texts().pop().as_deref()), (status, Some(expected)));
    }
}

#[test]
fn a_guard_reports_every_mistake_at_once() {
    let fixture = Fixture::new();
    let errors = Guard::builder("http://api.example")
        .local(fixture.server.clone())
        .authorization_servers(["as.example", "https://as.example"])
        .scopes(["read", "a b"])
        .scope_implies("", ["write"])
        .realm("my \"api\"")
        .deadline(std::time::Duration::ZERO)
        .build()
        .unwrap_err();
    let expected = [
        GuardError::ResourceNotHttps,
        GuardError::Realm,
        GuardError::Deadline,
        GuardError::ResourceUnknown("https://as.example".to_owned()),
        GuardError::Scope("a b".to_owned()),
        GuardError::Scope(String::new()),
        GuardError::AuthorizationServer("as.example".to_owned()),
    ];
    assert_eq!(errors.all(), expected);
    assert_eq!(errors.to_string().split("; ").count(), expected.len());
    assert_eq!(Guard::builder(API).build().unwrap_err().all(), [GuardError::VerifierMissing]);
    for (bad, error) in [
        ("api", GuardError::ResourceNotAUrl),
        ("urn:example:api", GuardError::ResourceNotAUrl),
        ("https://user@api.example", GuardError::ResourceNotAUrl),
        ("https://api.example:65536/v1", GuardError::ResourceNotAUrl),
        ("https://api.example?x=1", GuardError::ResourceQuery),
        ("https://api.example#x", GuardError::ResourceQuery),
        ("https://api.example/:id", GuardError::ResourcePath),
        ("https://api.example/a/%2E./b", GuardError::ResourceDotSegment),
    ] {
        assert!(Guard::builder(bad).build().unwrap_err().all().contains(&error), "{bad}");
    }
}

struct Write;

impl Required for Write {
    fn requirement() -> Requirement {
        Requirement::scopes(["write"])
    }
}

/// Status, challenge and body of a request with this token.
async fn over_http(app: Router, path: &str, token: Option<&str>) -> (u16, Option<String>, String) {
    let mut request = HttpRequest::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let challenge = response.headers().get("www-authenticate").map(|v| v.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
    (status, challenge, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn an_extractor_guards_a_handler() {
    let key = key();
    let guard = Api::trusting(&key).guard;
    let name = |access: &Access| access.user().unwrap_or_default().to_owned();
    let app = Router::new()
        .route("/any", get(move |access: Authorized| async move { name(&access) }))
        .route("/write", get(move |access: Authorized<Write>| async move { name(&access) }))
        .with_state(guard);
    let good = token(&key, json!({}));
    let weak = token(&key, json!({ "scope": "read" }));
    for (path, token, status, body) in [
        ("/any", Some(&good), 200, "alice"),
        ("/write", Some(&good), 200, "alice"),
        ("/any", Some(&weak), 200, "alice"),
        ("/write", Some(&weak), 403, ""),
        ("/any", None, 401, ""),
    ] {
        let answer = over_http(app.clone(), path, token.map(String::as_str)).await;
        assert_eq!(answer.0, status, "{path}");
        assert_eq!(answer.1.is_some(), status != 200);
        assert!(status != 200 || answer.2 == body);
    }
    let (_, challenge, _) = over_http(app, "/write", Some(&weak)).await;
    assert!(challenge.unwrap().contains("error=\"insufficient_scope\""));
}

#[tokio::test]
async fn a_layer_guards_a_whole_router() {
    let key = key();
    let guard = Api::trusting(&key).guard;
    let handler = |access: Extension<Access>, headers: axum::http::HeaderMap| async move {
        assert!(headers["authorization"].is_sensitive());
        access.user().unwrap_or_default().to_owned()
    };
    let app = Router::new()
        .route("/a", get(handler))
        .route("/b/c", get(handler))
        .layer(GuardLayer::new(guard, Requirement::scopes(["write"])));
    let good = token(&key, json!({}));
    let weak = token(&key, json!({ "scope": "read" }));
    for path in ["/a", "/b/c"] {
        assert_eq!(over_http(app.clone(), path, Some(&good)).await, (200, None, "alice".to_owned()));
        assert_eq!(over_http(app.clone(), path, Some(&weak)).await.0, 403);
        assert_eq!(over_http(app.clone(), path, None).await.0, 401);
    }
    assert_eq!(over_http(app.clone(), "/unknown", None).await.0, 401, "nothing is told to strangers");
}
