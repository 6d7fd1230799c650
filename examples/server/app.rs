//! The parts of the server, and its routes.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use grantor::AuthorizationServer;
use grantor::adapter::axum::{ForwardedCertificateLayer, PeerLayer};
use grantor::adapter::{ForwardedCertificates, TrustedProxies};
use grantor::audit::TracingAudit;
use grantor::keys::Keys;
use grantor::server::RateLimiter;

use crate::capabilities::Capabilities;
use crate::clients::Clients;
use crate::cookies::Cookie;
use crate::details::DetailEntry;
use crate::pages::Pages;
use crate::playground::{self, Playground};
use crate::scopes::Scopes;
use crate::session::Sessions;
use crate::site::Site;
use crate::stores::Connections;
use crate::users::Users;
use crate::{account, api, applications, authorize, device, health, key_page, login, logout, pages, step_up};

/// The state that every handler can use.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// See [`App`].
pub(crate) struct Parts {
    pub(crate) server: AuthorizationServer,
    /// The keys that sign access tokens, if they are signed.
    pub(crate) keys: Option<Keys>,
    pub(crate) registry: Arc<Clients>,
    pub(crate) capabilities: Capabilities,
    pub(crate) connections: Connections,
    /// Whether another process can open the client secrets that are sealed here.
    pub(crate) keeps_sealed_secrets: bool,
    pub(crate) users: Arc<Users>,
    pub(crate) sessions: Sessions,
    /// Names the browser in which the code of a device is entered.
    pub(crate) device_cookie: Cookie,
    /// Limits wrong passwords, per address and user name.
    pub(crate) logins: RateLimiter,
    pub(crate) proxies: TrustedProxies,
    /// How those proxies pass on client certificates.
    pub(crate) certificates: Option<ForwardedCertificates>,
    pub(crate) scopes: Scopes,
    pub(crate) details: Vec<DetailEntry>,
    pub(crate) pages: Pages,
    pub(crate) site: Site,
    pub(crate) demo: bool,
    /// Only in the demonstration.
    pub(crate) playground: Option<Playground>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Every path: the machine endpoints, which grantor answers, and the pages, which are ours.
    pub(crate) fn router(self) -> Router {
        let machine = grantor::adapter::axum::router(self.server.clone());
        let peers = PeerLayer::new(self.proxies.clone());
        let certificates = self.certificates.clone();
        let hosts = middleware::from_fn_with_state(self.clone(), one_host);
        let at = |page| self.site.path(page);
        let pages = Router::new()
            .route(&at("/"), get(login::home))
            .route(&at("/login"), get(login::login).post(login::sign_in))
            .route(&at(step_up::PATH), get(step_up::ask).post(step_up::prove))
            .route(&at("/logout"), get(logout::ask).post(logout::answer))
            .route(&at("/authorize"), get(authorize::authorize).post(authorize::authorize))
            .route(&at("/consent"), get(authorize::ask).post(authorize::decide))
            .route(&at("/device"), get(device::form).post(device::enter))
            .route(&at("/device/consent"), get(device::ask).post(device::decide))
            .route(&at("/applications"), get(applications::list).post(applications::register))
            .route(&at("/applications/delete"), post(applications::delete))
            .route(&at("/account/grants"), get(account::list))
            .route(&at("/account/grants/revoke"), post(account::revoke))
            .route(&at("/keys"), get(key_page::list))
            .route(&at("/api/me"), get(api::me))
            .route(&at("/healthz"), get(health::ready))
            .route(&at("/openapi.json"), get(openapi))
            .route(&at("/playground"), get(playground::show).post(playground::start))
            .route(&at("/playground/next"), post(playground::next))
            .route(&at("/playground/callback"), get(playground::callback).post(playground::callback))
            .route(&at("/assets/style.css"), get(pages::style))
            .route(&at("/assets/icon.svg"), get(pages::icon))
            .method_not_allowed_fallback(not_allowed)
            .layer(DefaultBodyLimit::max(grantor::http::MAX_BODY))
            .fallback(not_found)
            .layer(middleware::from_fn_with_state(self.clone(), page_headers))
            .with_state(self);
        let app = pages.merge(machine).layer(peers).layer(hosts);
        match certificates {
            Some(rule) => app.layer(ForwardedCertificateLayer::new(rule).audit(TracingAudit::default())),
            None => app,
        }
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Describes the machine endpoints, for tools that read OpenAPI.
async fn openapi(State(app): State<App>) -> Json<serde_json::Value> {
    Json(app.server.openapi())
}

pub(crate) async fn not_found(State(app): State<App>) -> Response {
    app.pages.problem(StatusCode::NOT_FOUND, "There is no page at this address.")
}

async fn not_allowed(State(app): State<App>) -> Response {
    app.pages.problem(StatusCode::METHOD_NOT_ALLOWED, "This page does not take such a request.")
}

/// A request of HTTP/1.1 names its host once (RFC 9112 section 3.2).
async fn one_host(State(app): State<App>, request: axum::extract::Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    match request.version() {
        Version::HTTP_11 if hosts != 1 => {
            let mut page =
                app.pages.problem(StatusCode::BAD_REQUEST, "The request names no host, or several.");
            pages::add_headers(page.headers_mut(), app.site.secure);
            page
        }
        _ => next.run(request).await,
    }
}

async fn page_headers(State(app): State<App>, request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    pages::add_headers(response.headers_mut(), app.site.secure);
    response
}
