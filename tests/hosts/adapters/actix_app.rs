//! A host on actix-web, and what only its adapter has.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::ServiceResponse;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{self, Data, ReqData};
use actix_web::{App, HttpRequest, HttpServer};
use grantor::adapter::actix::{
    Authorized, CrossOriginLayer, ForwardedCertificateLayer, GuardLayer, PeerLayer,
};
use grantor::adapter::actix::{Tenant, guard_routes, read_head, routes, tenant_routes};
use grantor::adapter::{ForwardedCertificates, Required as _, TrustedProxies};
use grantor::http::Certificate;
use grantor::resource::Guard;
use grantor::tenants::{TenantMap, Tenants};
use grantor::{Access, AuthorizationServer, EventKind, MemoryRegistry, MemoryStore};

use super::{Adapter, Host, Read, alice_says_yes, notes};
use crate::support::Log;
use crate::support::certificates::Identity;

/// On a thread of its own, because actix has a runtime of its own.
pub fn serve(listener: TcpListener, server: AuthorizationServer, guard: Guard) {
    let app = move || {
        App::new()
            .app_data(Data::new(server.clone()))
            .app_data(Data::new(guard.clone()))
            .configure(routes(server.clone()))
            .configure(guard_routes([guard.clone()]))
            .route("/authorize", web::to(alice_says_yes))
            .route("/notes", web::to(async |access: Authorized<Read>| notes(&access)))
            .wrap(PeerLayer::new(TrustedProxies::networks(["127.0.0.1"]).unwrap()))
    };
    std::thread::spawn(move || {
        let run = async { HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run().await };
        actix_web::rt::System::new().block_on(run).unwrap();
    });
}

async fn body<B: actix_web::body::MessageBody>(response: ServiceResponse<B>) -> (u16, String) {
    let status = response.status().as_u16();
    (status, String::from_utf8(read_body(response).await.to_vec()).unwrap())
}

#[tokio::test]
async fn a_layer_of_actix_guards_a_scope_and_another_one_answers_its_preflights() {
    let host = Host::start(Adapter::Actix).await;
    let token = host.token("read").await;
    let guard = host.guard.clone();
    let cross_origin = guard.cross_origin().allow("https://app.example").unwrap();
    let app = App::new().service(
        web::scope("/api")
            .route("/notes", web::to(async |access: ReqData<Access>| notes(&access)))
            .wrap(GuardLayer::new(guard, Read::requirement()))
            .wrap(CrossOriginLayer::new(cross_origin)),
    );
    let app = init_service(app).await;
    let ask =
        |origin: &str| TestRequest::get().uri("/api/notes").insert_header(("origin", origin.to_owned()));
    let bearer = ("authorization", format!("Bearer {token}"));

    let passed =
        call_service(&app, ask("https://app.example").insert_header(bearer.clone()).to_request()).await;
    assert_eq!(passed.headers().get("access-control-allow-origin").unwrap(), "https://app.example");
    assert_eq!(body(passed).await, (200, "notes of conf".to_owned()));
    let nothing = call_service(&app, ask("https://app.example").to_request()).await;
    assert!(nothing.headers().contains_key("www-authenticate"));
    assert_eq!(nothing.status(), 401);
    let foreign = call_service(&app, ask("https://evil.example").insert_header(bearer).to_request()).await;
    assert_eq!(foreign.status(), 403);
    let preflight = TestRequest::with_uri("/api/notes").method(actix_web::http::Method::OPTIONS);
    let preflight = preflight.insert_header(("origin", "https://app.example"));
    let preflight = preflight.insert_header(("access-control-request-method", "GET"));
    assert_eq!(call_service(&app, preflight.to_request()).await.status(), 204);
}

#[tokio::test]
async fn rs_18_actix_believes_a_proxy_alone_about_a_certificate() {
    use base64::Engine as _;
    let (log, own, victim) = (Log::default(), Identity::self_signed("own"), Identity::self_signed("victim"));
    let proxies = TrustedProxies::networks(["10.0.0.1"]).unwrap();
    let rule = ForwardedCertificates::rfc9440(proxies);
    let shown = async |request: HttpRequest| {
        let shown = read_head(&request).certificate;
        shown.map_or("none".to_owned(), |shown: Certificate| shown.thumbprint().to_string())
    };
    let layer = ForwardedCertificateLayer::new(rule).audit(log.clone());
    let app = init_service(App::new().route("/", web::to(shown)).wrap(layer)).await;
    let ask = async |peer: &str, field: &str| {
        let request = TestRequest::get().peer_addr(format!("{peer}:1").parse().unwrap());
        body(call_service(&app, request.insert_header(("client-cert", field)).to_request()).await).await
    };
    let field = |identity: &Identity| {
        format!(":{}:", base64::engine::general_purpose::STANDARD.encode(identity.der()))
    };
    assert_eq!(ask("10.0.0.1", &field(&own)).await, (200, own.shown().thumbprint().to_string()));
    assert_eq!(ask("192.0.2.1", &field(&victim)).await, (200, "none".to_owned()));
    assert_eq!(ask("10.0.0.1", "nonsense").await.0, 400);
    assert_eq!(log.whats()[0], EventKind::CertificateIgnored);
}

#[tokio::test]
async fn actix_answers_for_every_tenant() {
    let tenants = TenantMap::by_host();
    for issuer in ["https://acme.example", "https://globex.example"] {
        let server = AuthorizationServer::builder(issuer).clients(MemoryRegistry::default());
        tenants.insert(server.store(MemoryStore::small()).build().unwrap()).unwrap();
    }
    let tenants: Arc<dyn Tenants> = Arc::new(tenants);
    let page = async |Tenant(server): Tenant| server.rules().issuer.to_string();
    let app = App::new()
        .app_data(Data::from(tenants.clone()))
        .route("/page", web::to(page))
        .configure(tenant_routes(tenants));
    let app = init_service(app).await;
    let ask = async |host: &str, path: &str| {
        let request = TestRequest::get().uri(path).insert_header(("host", host));
        body(call_service(&app, request.to_request()).await).await
    };
    let metadata = "/.well-known/oauth-authorization-server";
    assert!(ask("globex.example", metadata).await.1.contains(r#""issuer":"https://globex.example""#));
    assert_eq!(ask("acme.example", "/page").await, (200, "https://acme.example".to_owned()));
    for path in [metadata, "/page"] {
        assert_eq!(ask("initech.example", path).await, (404, String::new()), "{path}");
    }
    assert_eq!(ask("acme.example", "/elsewhere").await.0, 404);
}

#[tokio::test]
async fn an_actix_app_without_its_guard_answers_500_and_tells_the_log_why() {
    let app = init_service(App::new().route("/notes", web::to(async |_: Authorized| "notes"))).await;
    let response = call_service(&app, TestRequest::get().uri("/notes").to_request()).await;
    let cause = response.response().error().expect("a cause").to_string();
    assert!(cause.contains("Guard") && cause.contains(".app_data(web::Data::new(…))"), "{cause}");
    assert_eq!(body(response).await, (500, String::new()));
}
