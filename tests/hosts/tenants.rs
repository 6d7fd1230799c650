//! Several issuers in one server: how they are found, and that they come and go. What one hands out is
//! worthless at every other one: see `tenants_matrix`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode};
use axum::routing::get;
use grantor::adapter::axum::{Tenant, tenant_router};
use grantor::tenants::{Destination, TenantError, TenantMap, Tenants};
use grantor::{
    Audit, AuthorizationServer, BackendError, EventKind, MemoryRegistry, MemoryStore, Reason, TokenStore,
    async_trait,
};
use tower::ServiceExt as _;

use crate::support::Log;

fn tenant(name: &str) -> AuthorizationServer {
    tenant_on(name, MemoryStore::small())
}

fn tenant_on(name: &str, store: impl TokenStore + 'static) -> AuthorizationServer {
    AuthorizationServer::builder(format!("https://as.example/{name}"))
        .clients(MemoryRegistry::default())
        .store(store)
        .authorization_endpoint("/authorize")
        .build()
        .unwrap()
}

#[tokio::test]
async fn tenants_are_found_by_path_or_by_host() {
    let by_path = TenantMap::by_path();
    for name in ["acme", "globex", "initech"] {
        by_path.insert(tenant(name)).unwrap();
    }
    let found = async |authority, path| {
        let found = by_path.find(&Destination::new(authority, path)).await.unwrap();
        found.map(|server| server.rules().issuer.to_string())
    };
    let acme = Some("https://as.example/acme".to_owned());
    for path in [
        "/acme",
        "/acme/",
        "/acme/token",
        "/.well-known/oauth-authorization-server/acme",
        "/.well-known/openid-configuration/acme",
    ] {
        assert_eq!(found("as.example", path).await, acme, "{path}");
    }
    for path in
        ["", "/", "/token", "/ACME/token", "/acme%2f/token", "//acme/token", "/.well-known/", "/.well-known"]
    {
        assert_eq!(found("as.example", path).await, None, "{path}");
    }

    let by_host = TenantMap::by_host();
    let acme = AuthorizationServer::builder("https://acme.example")
        .clients(MemoryRegistry::default())
        .store(MemoryStore::small())
        .build()
        .unwrap();
    by_host.insert(acme.clone()).unwrap();
    for (authority, is_there) in [
        ("acme.example", true),
        ("ACME.example", true),
        ("acme.example:443", true),
        ("acme.example:8443", false),
        ("acme.example.evil.example", false),
        ("", false),
    ] {
        let to = Destination::new(authority, "/token");
        assert_eq!(by_host.find(&to).await.unwrap().is_some(), is_there, "{authority}");
    }
    assert!(by_path.insert(acme).is_err());
    assert!(by_host.insert(tenant("acme")).is_err());
}

#[test]
fn two_tenants_with_one_store_are_refused_and_the_error_names_the_space() {
    let (tenants, store) = (TenantMap::by_path(), Arc::new(MemoryStore::small()));
    tenants.insert(tenant_on("acme", store.clone())).unwrap();
    let error = tenants.insert(tenant_on("globex", store.clone())).unwrap_err();
    assert_eq!(error, TenantError::StoreShared("https://as.example/acme".into()));
    assert!(error.to_string().contains("`store.space(name)`"), "{error}");
    assert_eq!(tenants.len(), 1);
    // A tenant is replaced by another server of itself, on the same store or on a new one.
    assert!(tenants.insert(tenant_on("acme", store.clone())).unwrap().is_some());
    tenants.insert(tenant_on("globex", MemoryStore::small())).unwrap();
    tenants.insert(tenant_on("globex", store.clone())).unwrap_err();
    assert_eq!(tenants.len(), 2, "the refused server replaces nothing");
    tenants.insert(tenant("acme")).unwrap();
    tenants.insert(tenant_on("globex", store.clone())).unwrap();
    // The store of a tenant that was removed is free.
    tenants.remove("https://as.example/globex").unwrap();
    tenants.insert(tenant_on("initech", store)).unwrap();
}

#[tokio::test]
async fn a_router_serves_each_tenant_and_tenants_come_and_go() {
    let tenants = Arc::new(TenantMap::by_path());
    let state: Arc<dyn Tenants> = tenants.clone();
    let page = get(|Tenant(server): Tenant| async move { server.rules().issuer.to_string() });
    let app = Router::new()
        .route("/{tenant}/authorize", page)
        .merge(tenant_router(state.clone()))
        .with_state(state);

    tenants.insert(tenant("acme")).unwrap();
    let metadata = "/.well-known/oauth-authorization-server/acme";
    assert!(body(&app, metadata).await.1.contains(r#""issuer":"https://as.example/acme""#));
    assert_eq!(body(&app, "/acme/authorize").await.1, "https://as.example/acme");
    assert_eq!(body(&app, "/acme/token").await.0, StatusCode::METHOD_NOT_ALLOWED);
    for path in ["/acme/elsewhere", "/globex/token", "/globex/authorize", "/token", "/"] {
        assert_eq!(body(&app, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }

    tenants.insert(tenant("globex")).unwrap();
    assert_eq!(body(&app, "/globex/token").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert!(tenants.remove("https://as.example/acme").is_some());
    assert_eq!(body(&app, "/acme/token").await.0, StatusCode::NOT_FOUND);
    assert_eq!(tenants.len(), 1);
}

/// Tenants that cannot be looked up.
struct Down {
    error: fn(&'static str) -> BackendError,
    log: Log,
}

#[async_trait]
impl Tenants for Down {
    async fn find(&self, _: &Destination<'_>) -> Result<Option<AuthorizationServer>, BackendError> {
        Err((self.error)("no directory"))
    }

    fn audit(&self) -> Option<&dyn Audit> {
        Some(&self.log)
    }
}

#[tokio::test]
async fn a_lookup_that_fails_is_audited_with_its_cause() {
    let transient = |why: &'static str| BackendError::transient(why);
    let permanent = |why: &'static str| BackendError::permanent(why);
    for (error, status, reason) in [
        (transient as fn(&'static str) -> BackendError, 503, Reason::StoreUnavailable),
        (permanent, 500, Reason::StoreBroken),
    ] {
        let log = Log::default();
        let app: Router = tenant_router(Arc::new(Down { error, log: log.clone() }));
        let request = HttpRequest::get("/acme/token").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().contains_key("retry-after"), status == 503);
        assert_eq!(log.whats(), [EventKind::Failed(reason)]);
        assert!(log.texts()[0].contains("no directory"), "{:?}", log.texts());
    }
}

async fn body(app: &Router, path: &str) -> (StatusCode, String) {
    let request = HttpRequest::get(path).header("host", "as.example").body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.into()).unwrap())
}
