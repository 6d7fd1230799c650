//! A host's own pages behind the `PagesLayer` of both kinds of adapter.

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use grantor::adapter::axum::read;
use grantor::adapter::{actix, http};
use tower::ServiceExt as _;

use crate::support::Fixture;

/// The site that a form comes from, and the status of its response.
const FORMS: [(&str, u16); 3] = [("same-origin", 200), ("same-site", 403), ("cross-site", 403)];

/// The policy of the page itself.
const OWN_POLICY: &str = "default-src 'none'";

/// The policies of a page, its frame options and its cache control.
type Protection = (Vec<String>, String, String);

fn protection() -> Protection {
    let policies = [OWN_POLICY, "frame-ancestors 'none'; base-uri 'none'"];
    (policies.map(str::to_owned).to_vec(), "DENY".to_owned(), "no-store".to_owned())
}

fn read_protection<'a, V>(values: impl Fn(&'static str) -> V) -> Protection
where
    V: Iterator<Item = &'a [u8]>,
{
    let texts =
        |name| values(name).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect::<Vec<_>>();
    (texts("content-security-policy"), texts("x-frame-options").concat(), texts("cache-control").concat())
}

#[tokio::test]
async fn on_axum_no_other_site_sends_their_forms_or_shows_them() {
    let rule = Fixture::new().server.own_pages();
    let page = async || [("content-security-policy", OWN_POLICY), ("cache-control", "max-age=9")];
    let site: Router = Router::new()
        .route("/authorize", get(page).put(page))
        .layer(http::PagesLayer::new(rule))
        .route("/authorize", post(async |request| read(request).await.as_get("/authorize")));
    let send = async |method: &str, from: &str, body: &str| {
        let request = axum::http::Request::builder().method(method).uri("/authorize");
        let request = request.header("sec-fetch-site", from).body(Body::from(body.to_owned())).unwrap();
        site.clone().oneshot(request).await.unwrap()
    };
    for (from, status) in FORMS {
        assert_eq!(send("PUT", from, "").await.status(), status, "{from}");
        let shown = send("GET", from, "").await;
        assert_eq!(shown.status(), 200, "{from}");
        let values = |name| shown.headers().get_all(name).into_iter().map(|value| value.as_bytes());
        assert_eq!(read_protection(values), protection(), "{from}");
        let posted = send("POST", from, "client_id=a&scope=b").await;
        assert_eq!(posted.status(), 303, "a client's request: {from}");
        assert_eq!(posted.headers()["location"], "/authorize?client_id=a&scope=b");
    }
}

#[tokio::test]
async fn on_actix_no_other_site_sends_their_forms_or_shows_them() {
    let rule = Fixture::new().server.own_pages();
    let page = async || HttpResponse::Ok().insert_header(("content-security-policy", OWN_POLICY)).finish();
    let site = App::new().route("/", web::to(page)).wrap(actix::PagesLayer::new(rule));
    let site = init_service(site).await;
    for (from, status) in FORMS {
        let send = |request: TestRequest| {
            call_service(&site, request.insert_header(("sec-fetch-site", from)).to_request())
        };
        assert_eq!(send(TestRequest::post()).await.status(), status, "{from}");
        let shown = send(TestRequest::get()).await;
        assert_eq!(shown.status(), 200, "{from}");
        assert_eq!(
            read_protection(|name| shown.headers().get_all(name).map(|value| value.as_bytes())),
            protection(),
            "{from}"
        );
    }
}
