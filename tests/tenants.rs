//! Several issuers in one server: each artefact of one tenant is worthless at every other, and tenants come and go.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode};
use axum::routing::get;
use grantor::adapter::axum::{Tenant, tenant_router};
use grantor::jose::Algorithm;
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::server::Builder;
use grantor::store::Filter;
use grantor::tenants::{Destination, TenantMap, Tenants};
use grantor::{
    AccessTokens, AuthorizationServer, Clock as _, Login, MemoryRegistry, MemoryStore, Request, StoreError,
    Subject, SystemClock, async_trait,
};
use tower::ServiceExt as _;

use crate::support::{Answer, clients, code_query, encode, redemption, request};

/// Three tenants with the same clients, secrets, users and scopes; what differs is the issuer, the store and the keys.
fn tenants() -> Vec<AuthorizationServer> {
    ["acme", "globex", "initech"].map(|name| tenant(name, |builder| builder)).into()
}

fn tenant(name: &str, configure: impl FnOnce(Builder) -> Builder) -> AuthorizationServer {
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
    let builder = AuthorizationServer::builder(format!("https://as.example/{name}"))
        .clients(MemoryRegistry::new(clients()))
        .store(MemoryStore::small())
        .scopes(["read", "write", "admin"])
        .authorization_endpoint("/authorize")
        .token_signer(JwtSigner::new(keys).unwrap());
    configure(builder).build().unwrap()
}

/// All that a tenant hands out.
struct Artefacts {
    code: String,
    access: String,
    refresh: String,
    signed: String,
    cursor: String,
}

async fn artefacts(server: &AuthorizationServer, signing: &AuthorizationServer) -> Artefacts {
    let tokens = redeem(server, &code(server).await).await;
    for _ in 0..2 {
        redeem(server, &code(server).await).await;
    }
    let robot = request("robot", &[("grant_type", "client_credentials")]);
    Artefacts {
        code: code(server).await,
        access: tokens.access_token(),
        refresh: tokens.refresh_token(),
        signed: Answer(signing.token(&robot).await).access_token(),
        cursor: server.grants(&alices(), None, 1).await.unwrap().next.unwrap().to_string(),
    }
}

fn alices() -> Filter {
    Filter::subject(Subject::user("alice"))
}

async fn code(server: &AuthorizationServer) -> String {
    let request = Request::get(encode(&code_query("conf", "read")));
    let login = Login::new("alice", SystemClock::default().now());
    let consent = server.authorize(&request).await.unwrap().signed_in(login).unwrap();
    Answer(consent.approve().await).location_parameter("code").unwrap()
}

async fn redeem(server: &AuthorizationServer, code: &str) -> Answer {
    Answer(server.token(&request("conf", &redemption(code))).await)
}

/// What this server takes of what another one handed out.
async fn taken(server: &AuthorizationServer, of: &Artefacts) -> Vec<&'static str> {
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", of.refresh.as_str())];
    let is_active = async |token: &str| {
        Answer(server.introspect(&request("conf", &[("token", token)])).await).json()["active"] == true
    };
    let mut taken = Vec::new();
    let mut note = |name, good| taken.extend(Some(name).filter(|_| good));
    note("an access token", server.check(&of.access).await.is_ok());
    note("a signed access token", server.check(&of.signed).await.is_ok());
    note("introspection of an access token", is_active(&of.access).await);
    note("introspection of a signed one", is_active(&of.signed).await);
    note("introspection of a refresh token", is_active(&of.refresh).await);
    note("a cursor", server.cursor(&alices(), &of.cursor).is_some());
    note("a refresh token", server.token(&request("conf", &refresh)).await.status == 200);
    note("a code", redeem(server, &of.code).await.status() == 200);
    taken
}

#[tokio::test]
async fn no_tenant_takes_anything_of_another() {
    let signed = |builder: Builder| builder.access_tokens(AccessTokens::Jwt);
    let opaque = tenants();
    let signing = ["acme", "globex", "initech"].map(|name| tenant(name, signed));
    for (at, of) in (0..3).flat_map(|at| (0..3).map(move |of| (at, of))).filter(|(at, of)| at != of) {
        let artefacts = artefacts(&opaque[of], &signing[of]).await;
        assert!(taken(&opaque[at], &artefacts).await.is_empty(), "{of} at {at}");
        assert!(signing[at].check(&artefacts.signed).await.is_err());

        // A revocation elsewhere ends nothing; at home, all of it is good.
        for token in [&artefacts.access, &artefacts.refresh, &artefacts.code] {
            let revoked = opaque[at].revoke(&request("conf", &[("token", token)])).await;
            assert_eq!(revoked.status, 200);
        }
        opaque[at].revoke_subject(&Subject::user("alice")).await.unwrap();
        assert!(signing[of].check(&artefacts.signed).await.is_ok());
        let at_home = taken(&opaque[of], &artefacts).await;
        assert_eq!(
            at_home,
            [
                "an access token",
                "introspection of an access token",
                "introspection of a refresh token",
                "a cursor",
                "a refresh token",
                "a code"
            ]
        );
    }
}

#[tokio::test]
async fn tenants_are_found_by_path_or_by_host() {
    let by_path = TenantMap::by_path();
    for server in tenants() {
        by_path.insert(server).unwrap();
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
    assert!(by_host.insert(tenant("acme", |builder| builder)).is_err());
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

    tenants.insert(tenant("acme", |builder| builder)).unwrap();
    let metadata = "/.well-known/oauth-authorization-server/acme";
    assert!(body(&app, metadata).await.1.contains(r#""issuer":"https://as.example/acme""#));
    assert_eq!(body(&app, "/acme/authorize").await.1, "https://as.example/acme");
    assert_eq!(body(&app, "/acme/token").await.0, StatusCode::METHOD_NOT_ALLOWED);
    for path in ["/acme/elsewhere", "/globex/token", "/globex/authorize", "/token", "/"] {
        assert_eq!(body(&app, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }

    tenants.insert(tenant("globex", |builder| builder)).unwrap();
    assert_eq!(body(&app, "/globex/token").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert!(tenants.remove("https://as.example/acme").is_some());
    assert_eq!(body(&app, "/acme/token").await.0, StatusCode::NOT_FOUND);
    assert_eq!(tenants.len(), 1);
}

#[tokio::test]
async fn a_resolver_that_fails_is_asked_again_later() {
    struct Down;
    #[async_trait]
    impl Tenants for Down {
        async fn find(&self, _: &Destination<'_>) -> Result<Option<AuthorizationServer>, StoreError> {
            Err(StoreError::transient("no directory"))
        }
    }
    let app: Router = tenant_router(Down);
    let request = HttpRequest::get("/acme/token").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
}

async fn body(app: &Router, path: &str) -> (StatusCode, String) {
    let request = HttpRequest::get(path).header("host", "as.example").body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.into()).unwrap())
}
