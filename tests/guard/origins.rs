//! Browser programs in front of a guarded route: preflights, what they may read, and whose they are.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::routing::any;
use grantor::Reason;
use grantor::adapter::axum::{CrossOriginLayer, GuardLayer};
use grantor::resource::{CrossOrigin, Requirement};
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::guarded::{Api, key, token};

const OWN: &str = "https://api.example";
const APP: &str = "https://app.example";

fn app(api: &Api, rule: CrossOrigin) -> Router {
    Router::new()
        .route("/v1", any(|| async { "notes" }))
        .layer(GuardLayer::new(api.guard.clone(), Requirement::any()))
        .layer(CrossOriginLayer::new(rule))
}

async fn send(app: &Router, method: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap) {
    let request = Request::builder().method(method).uri("/v1");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    (response.status().as_u16(), response.headers().clone())
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn ft_34_a_preflight_of_a_guarded_route_is_answered_without_a_token() {
    let api = Api::trusting(&key());
    let app = app(&api, api.guard.cross_origin().allow(APP).unwrap());
    let asked = "authorization, traceparent, mcp-protocol-version";
    let preflight = [
        ("origin", APP),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", asked),
    ];
    let (status, headers) = send(&app, "OPTIONS", &preflight).await;
    assert_eq!(status, 204);
    assert_eq!(all(&headers, "access-control-allow-origin"), [APP]);
    assert_eq!(all(&headers, "access-control-allow-methods"), ["POST"]);
    assert_eq!(all(&headers, "access-control-allow-headers"), [asked]);
    assert_eq!(all(&headers, "access-control-allow-credentials"), [""; 0]);
    assert!(all(&headers, "vary").contains(&"origin"));
    // What is no preflight needs a token, as ever.
    for headers in [&[("origin", APP)][..], &[]] {
        assert_eq!(send(&app, "OPTIONS", headers).await.0, 401);
    }
}

#[tokio::test]
async fn ft_34_a_browser_program_reads_the_challenge() {
    let key = key();
    let api = Api::trusting(&key);
    let app = app(&api, api.guard.cross_origin().allow(APP).unwrap().expose("x-notes"));
    let (status, headers) = send(&app, "GET", &[("origin", APP)]).await;
    assert_eq!((status, all(&headers, "access-control-allow-origin")), (401, vec![APP]));
    let exposed = all(&headers, "access-control-expose-headers").join(", ");
    for name in ["www-authenticate", "retry-after", "dpop-nonce", "mcp-session-id", "x-notes"] {
        assert!(exposed.split(", ").any(|own| own == name), "{name}: {exposed}");
    }
    assert!(headers.contains_key("www-authenticate"));
    let bearer = format!("Bearer {}", token(&key, json!({})));
    let (status, headers) = send(&app, "GET", &[("origin", APP), ("authorization", &bearer)]).await;
    assert_eq!((status, all(&headers, "access-control-allow-origin")), (200, vec![APP]));
    assert_eq!(all(&headers, "vary"), ["origin"]);
    // Or a cache would answer this origin with the response to a program without one.
    for other in [&[("authorization", &*bearer)][..], &[("origin", "https://evil.example")]] {
        let (_, headers) = send(&app, "GET", other).await;
        assert_eq!(all(&headers, "vary"), ["origin"]);
        assert_eq!(all(&headers, "access-control-allow-origin"), [""; 0]);
    }
}

#[tokio::test]
async fn ft_34_other_origins_are_turned_away_before_the_guard() {
    let key = key();
    let api = Api::trusting(&key);
    let bearer = format!("Bearer {}", token(&key, json!({})));
    let authorized = ("authorization", bearer.as_str());
    let strict = app(&api, api.guard.cross_origin());
    assert_eq!(send(&strict, "GET", &[authorized]).await.0, 200, "no browser");
    assert_eq!(send(&strict, "GET", &[authorized, ("origin", OWN)]).await.0, 200);
    let preflight = ("access-control-request-method", "GET");
    for origin in
        [APP, "null", "", "http://api.example", "https://api.example:8443", "https://api.example/", "*"]
    {
        for (method, sent) in [("GET", authorized), ("OPTIONS", preflight)] {
            let (status, headers) = send(&strict, method, &[sent, ("origin", origin)]).await;
            assert_eq!(status, 403, "{method} of {origin:?}");
            assert!(!headers.contains_key("access-control-allow-origin"), "{origin:?}");
            assert_eq!(api.log.last_reason(), Some(Reason::OriginNotAllowed));
        }
    }
    let twice = send(&strict, "GET", &[authorized, ("origin", OWN), ("origin", OWN)]).await;
    assert_eq!(twice.0, 403);

    let open = app(&api, api.guard.cross_origin().allow_any());
    for origin in [APP, "null"] {
        let (status, headers) = send(&open, "GET", &[authorized, ("origin", origin)]).await;
        assert_eq!((status, all(&headers, "access-control-allow-origin")), (200, vec!["*"]), "{origin}");
    }
}

#[test]
fn what_is_no_origin_is_not_allowed_by_mistake() {
    let api = Api::trusting(&key());
    for bad in ["app.example", "https://app.example/path", "https://app.example?x", "null", "*", ""] {
        assert!(api.guard.cross_origin().allow(bad).is_err(), "{bad:?}");
    }
    for good in ["https://app.example", "https://app.example/", "http://localhost:6274"] {
        assert!(api.guard.cross_origin().allow(good).is_ok(), "{good:?}");
    }
}
