//! Protected resource metadata: RFC 9728.

use axum::Router;
use axum::body::Body;
use axum::http::Request as HttpRequest;
use grantor::Resource;
use grantor::adapter::axum::guard_routes;
use grantor::http::{Method, Request};
use grantor::resource::{Guard, GuardBuilder, StaticKeys};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::guarded::{API, key, set};
use crate::support::{Answer, Fixture, ISSUER};

fn guard(resource: &str, configure: impl FnOnce(GuardBuilder) -> GuardBuilder) -> Guard {
    let keys = StaticKeys::new(&set([&key()]));
    configure(Guard::builder(resource).allow_http_loopback()).jwks(ISSUER, keys).build().unwrap()
}

fn document(guard: &Guard) -> Value {
    Answer(guard.metadata()).json()
}

#[test]
fn rs_15_the_document_names_the_resource_and_has_no_empty_members() {
    let expected = json!({
        "resource": API,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(document(&guard(API, |b| b)), expected);
    let full = guard(API, |b| b.scopes(["read", "write"]).authorization_servers(["https://a.example/t"]));
    assert_eq!(document(&full)["scopes_supported"], json!(["read", "write"]));
    assert_eq!(document(&full)["authorization_servers"], json!(["https://a.example/t"]));
    let bare = guard(API, |b| b.authorization_servers([""; 0]));
    assert_eq!(document(&bare).get("authorization_servers"), None);
}

#[test]
fn rs_15_the_well_known_name_goes_before_the_path() {
    for (resource, path, url) in [
        ("https://api.example", "", "https://api.example"),
        ("https://api.example/", "", "https://api.example"),
        ("https://api.example/v1", "/v1", "https://api.example"),
        ("https://api.example/a/b/", "/a/b/", "https://api.example"),
        ("https://api.example:8443/v1", "/v1", "https://api.example:8443"),
        ("http://127.0.0.1:9401", "", "http://127.0.0.1:9401"),
        ("http://[::1]:9401/v1", "/v1", "http://[::1]:9401"),
    ] {
        let guard = guard(resource, |b| b);
        let expected = format!("/.well-known/oauth-protected-resource{path}");
        assert_eq!(guard.metadata_path(), expected);
        assert_eq!(guard.metadata_url(), format!("{url}{expected}"));
        assert_eq!(document(&guard)["resource"], resource, "identical, slash and all");
    }
}

#[test]
fn rs_15_a_local_server_tells_what_it_knows() {
    let fixture = Fixture::with(|b| b.resource(Resource::new(API).scopes(["read"])).audience(ISSUER));
    let of =
        |resource: &str| document(&Guard::builder(resource).local(fixture.server.clone()).build().unwrap());
    assert_eq!(of(API)["scopes_supported"], json!(["read"]));
    assert_eq!(of(API)["authorization_servers"], json!([ISSUER]));
    assert_eq!(of(ISSUER)["scopes_supported"], json!(["read", "write", "admin"]));
}

#[test]
fn rs_15_it_is_read_from_any_origin_and_kept_for_a_while() {
    let guard = guard(API, |b| b);
    let got = guard.serve_metadata(&Request::new(Method::Get));
    assert_eq!(got.status, 200);
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(got.header("access-control-allow-origin"), Some("*"));
    let preflight = guard.serve_metadata(&Request::new(Method::Options));
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
    let wrong = guard.serve_metadata(&Request::new(Method::Post));
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
}

async fn fetch(app: &Router, path: &str) -> (u16, Value) {
    let request = HttpRequest::get(path).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice::<Value>(&body).unwrap_or_default()["resource"].clone())
}

#[tokio::test]
async fn rs_15_axum_serves_it_at_the_root_and_at_its_own_path() {
    const ROOT: &str = "/.well-known/oauth-protected-resource";
    let app: Router = guard_routes([guard(API, |b| b)]);
    assert_eq!(fetch(&app, &format!("{ROOT}/v1")).await, (200, json!(API)));
    assert_eq!(fetch(&app, ROOT).await, (200, json!(API)));
    assert_eq!(fetch(&app, &format!("{ROOT}/v2")).await.0, 404);

    let (one, two) = (guard(API, |b| b), guard("https://api.example", |b| b));
    let app: Router = guard_routes([one.clone(), one, two]);
    assert_eq!(fetch(&app, &format!("{ROOT}/v1")).await, (200, json!(API)));
    assert_eq!(fetch(&app, ROOT).await, (200, json!("https://api.example")));
}
