//! The middlewares: guard, origins, pages, proxies, client certificates. Each works like its namesake in the
//! adapter for `http`.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::HeaderValue;
use actix_web::{Error, HttpMessage as _, HttpRequest};

use super::extract::Found;
use super::read_head;
use super::screen::{Screen, Screened};
use crate::adapter::certificate_rule::{CertificateRule, Forwarded};
use crate::adapter::header_fields::{copy_these, texts};
use crate::adapter::{ForwardedCertificates, TrustedProxies};
use crate::audit::Audit;
use crate::http::{AddedHeaders, Certificate, Method, Request, Response};
use crate::resource::{CrossOrigin, Guard, Requirement};
use crate::server::OwnPages;

/// Guards an app or a scope. An accepted request has an [`Access`](crate::Access) in its extensions: use
/// `ReqData<Access>`.
///
/// Unlike its namesake it does not mark the `Authorization` header as sensitive, because actix cannot change
/// a request that an outer middleware still holds: leave that header out of your logs.
///
/// A browser sends its preflights without a token: put a [`CrossOriginLayer`], which answers them, around
/// this one, in a later `wrap`.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
    requirement: Arc<Requirement>,
}

impl GuardLayer {
    /// Applies the same requirement to every request.
    #[must_use]
    pub fn new(guard: Guard, requirement: Requirement) -> Self {
        Self { guard, requirement: Arc::new(requirement) }
    }
}

impl Screen for GuardLayer {
    async fn screen(&self, request: &ServiceRequest) -> Result<AddedHeaders, Response> {
        let read = read_head(request.request());
        let access = self.guard.check(&read, &self.requirement).await?;
        request.extensions_mut().insert(access);
        Ok(self.guard.next_nonce(&read))
    }
}

/// Applies a [`CrossOrigin`] rule: wrap it around the guard, so it answers preflights, which have no token,
/// and rejects other origins before anything else is read.
#[derive(Clone, Debug)]
pub struct CrossOriginLayer {
    rule: Arc<CrossOrigin>,
}

impl CrossOriginLayer {
    /// Enforces this rule.
    #[must_use]
    pub fn new(rule: CrossOrigin) -> Self {
        Self { rule: Arc::new(rule) }
    }
}

impl Screen for CrossOriginLayer {
    async fn screen(&self, request: &ServiceRequest) -> Result<AddedHeaders, Response> {
        let mut read = Request::new(Method::from(request.method().as_str()));
        let fields = request.headers();
        copy_these(CrossOrigin::READ, &mut read, |name| fields.get_all(name).map(HeaderValue::as_bytes));
        self.rule.check(&read)
    }
}

/// Protects your own pages, such as those for sign-in and consent: applies the rule [`OwnPages`].
#[derive(Clone, Debug)]
pub struct PagesLayer {
    rule: Arc<OwnPages>,
}

impl PagesLayer {
    /// Enforces this rule.
    #[must_use]
    pub fn new(rule: OwnPages) -> Self {
        Self { rule: Arc::new(rule) }
    }
}

impl Screen for PagesLayer {
    async fn screen(&self, request: &ServiceRequest) -> Result<AddedHeaders, Response> {
        let mut read = Request::new(Method::from(request.method().as_str()));
        let fields = request.headers();
        copy_these(OwnPages::READ, &mut read, |name| fields.get_all(name).map(HeaderValue::as_bytes));
        self.rule.check(&read)
    }
}

/// For a server behind your own proxies: takes the client's address from them. Wrap your whole app in it.
///
/// ```
/// use grantor::adapter::TrustedProxies;
/// use grantor::adapter::actix::PeerLayer;
///
/// let proxies = TrustedProxies::networks(["127.0.0.1", "10.0.0.0/8"])?;
/// let app = actix_web::App::new().wrap(PeerLayer::new(proxies));
/// # let _ = app;
/// # Ok::<(), grantor::adapter::ProxyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PeerLayer(Arc<TrustedProxies>);

impl PeerLayer {
    /// Trusts these proxies.
    #[must_use]
    pub fn new(proxies: TrustedProxies) -> Self {
        Self(Arc::new(proxies))
    }
}

impl Screen for PeerLayer {
    async fn screen(&self, request: &ServiceRequest) -> Result<AddedHeaders, Response> {
        let client = request.peer_addr().map(|peer| {
            let fields = |name| texts(request.headers().get_all(name).map(HeaderValue::as_bytes));
            self.0.client(peer.ip(), &fields("forwarded"), &fields("x-forwarded-for"))
        });
        if let Some(client) = client {
            request.extensions_mut().insert(Found(client));
        }
        Ok(AddedHeaders::default())
    }
}

/// For a server behind proxies that end TLS: takes the client certificate from them. Wrap your whole app in
/// it.
///
/// A field from a peer that is not a listed proxy is ignored and audited
/// ([`CertificateIgnored`](crate::EventKind::CertificateIgnored)). A malformed field is answered with 400. If
/// the address of the peer is unknown, nothing is read.
#[derive(Clone, Debug)]
pub struct ForwardedCertificateLayer(Arc<CertificateRule>);

impl ForwardedCertificateLayer {
    /// Applies this rule.
    #[must_use]
    pub fn new(certificates: ForwardedCertificates) -> Self {
        Self(Arc::new(CertificateRule::new(certificates)))
    }

    /// Audits fields that no proxy sent, and malformed ones.
    #[must_use]
    pub fn audit(self, audit: impl Audit + 'static) -> Self {
        Self(Arc::new(self.0.audit(audit)))
    }
}

impl Screen for ForwardedCertificateLayer {
    async fn screen(&self, request: &ServiceRequest) -> Result<AddedHeaders, Response> {
        let Some(peer) = request.peer_addr().map(|peer| peer.ip()) else {
            return Ok(AddedHeaders::default());
        };
        let fields = |name: &str| texts(request.headers().get_all(name).map(HeaderValue::as_bytes));
        if let Some(forwarded) = self.0.judge(peer, fields)? {
            request.extensions_mut().insert(forwarded);
        }
        Ok(AddedHeaders::default())
    }
}

/// The client certificate of a request: from a trusted proxy, else from the host, else from the connection.
pub(super) fn certificate(request: &HttpRequest) -> Option<Certificate> {
    let extensions = request.extensions();
    match extensions.get() {
        Some(Forwarded(certificate)) => certificate.clone(),
        None => extensions.get::<Certificate>().or_else(|| request.conn_data()).cloned(),
    }
}

/// actix requires a factory for each layer.
macro_rules! transform {
    ($($layer:ty),*) => {$(
        impl<S, B> Transform<S, ServiceRequest> for $layer
        where
            S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
            B: MessageBody,
        {
            type Response = ServiceResponse<EitherBody<B>>;
            type Error = Error;
            type Transform = Screened<S, Self>;
            type InitError = ();
            type Future = Ready<Result<Self::Transform, ()>>;

            fn new_transform(&self, inner: S) -> Self::Future {
                ready(Ok(Screened::new(inner, self.clone())))
            }
        }
    )*};
}

transform!(GuardLayer, CrossOriginLayer, PagesLayer, PeerLayer, ForwardedCertificateLayer);
