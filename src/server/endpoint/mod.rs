//! THE TABLE: one row for each endpoint. Routes, methods, CORS, metadata members and path checks are derived
//! from it.
//!
//! To add an endpoint, write its handler in a file of its own, and add a variant of [`Endpoint`] and its
//! name, a row and an arm of `dispatch`. If its path can be chosen, add a setter to the builder.

mod metadata;
mod openapi;
mod openid;
mod paths;

use std::net::IpAddr;

pub use paths::Endpoints;

use super::{AuthorizationServer, EventSubject, Inner};
use crate::audit::{Answered, Endpoint, in_span};
use crate::base::system::stopwatch;
use crate::client::auth::{self, Credentials, METHODS};
use crate::error::{Reason, Refusal};
use crate::http::{MAX_BODY, Method, Request, Response, cors};
use metadata::Members;

/// The facts about an endpoint.
struct Row {
    endpoint: Endpoint,
    path: Path,
    /// Empty if this server does not answer requests there itself.
    methods: &'static [Method],
    origins: Origins,
    /// The member of the metadata (RFC 8414 section 2) that has its URL.
    member: Option<&'static str>,
    alias: MtlsAlias,
    clients: Clients,
    /// Whether a server with this configuration has the endpoint.
    on: fn(&Inner) -> bool,
}

/// Where an endpoint is.
#[derive(Clone, Copy)]
enum Path {
    /// Below the issuer, by default at this path.
    Default(&'static str),
    /// Below the issuer, at the path of the host's own page.
    OfHost,
    /// At a well-known path.
    WellKnown(fn(&Inner) -> Vec<String>),
    /// It has none.
    None,
}

/// Which origins may read the responses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origins {
    /// Any origin: no response depends on a cookie.
    Any,
    /// Only the server's own origin, as the authorization endpoint requires (RFC 9700 section 2.6).
    Own,
}

/// Whether `mtls_endpoint_aliases` (RFC 8705 section 5) lists it: clients call it directly, and may have to
/// present a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MtlsAlias {
    Aliased,
    Unaliased,
}

/// Which clients may call it; their methods are in `<member>_auth_methods_supported`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    /// The endpoint does not authenticate clients, or the metadata have no member for their methods.
    Unlisted,
    Any,
    /// Those that have a secret or a key.
    Confidential,
}

use Clients::{Any as AnyClient, Confidential, Unlisted};
use Endpoint as E;
use MtlsAlias::{Aliased, Unaliased};
use Origins::{Any, Own};
use Path::{Default, OfHost, WellKnown};

const HOST: &[Method] = &[];
const POST: &[Method] = &[Method::Post];
const GET: &[Method] = &[Method::Get, Method::Head];
const READ: &[Method] = &[Method::Get, Method::Head, Method::Post];
const CRUD: &[Method] = &[Method::Post, Method::Get, Method::Head, Method::Put, Method::Delete];

/// In the order of the variants of [`Endpoint`].
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(E::Authorization,       OfHost,                           HOST, Own, Some("authorization_endpoint"),        Unaliased, Unlisted,     always),
    row(E::PushedAuthorizationRequest, Default("/par"), POST, Any, Some("pushed_authorization_request_endpoint"), Aliased, Unlisted, has_users),
    row(E::Token,               Default("/token"),                POST, Any, Some("token_endpoint"),                Aliased,   AnyClient,    always),
    row(E::DeviceAuthorization, Default("/device_authorization"), POST, Any, Some("device_authorization_endpoint"), Aliased,   Unlisted,     has_devices),
    row(E::DeviceVerification,  OfHost,                           HOST, Own, None,                                  Unaliased, Unlisted,     always),
    row(E::Revocation,          Default("/revoke"),               POST, Any, Some("revocation_endpoint"),           Aliased,   AnyClient,    always),
    row(E::Introspection,       Default("/introspect"),           POST, Own, Some("introspection_endpoint"),        Aliased,   Confidential, always),
    row(E::Metadata,            WellKnown(metadata::paths),       GET,  Any, None,                                  Unaliased, Unlisted,     always),
    row(E::Jwks,                Default("/jwks"),                 GET,  Any, Some("jwks_uri"),                      Unaliased, Unlisted,     |s| s.signer.is_some()),
    row(E::Registration,        Default("/register"),             CRUD, Any, Some("registration_endpoint"),         Unaliased, Unlisted,     |s| s.registration.is_some()),
    row(E::UserInfo,            Default("/userinfo"),             READ, Any, Some("userinfo_endpoint"),             Aliased,   Unlisted,     |s| s.claims.is_some()),
    row(E::EndSession,          OfHost,                           HOST, Own, Some("end_session_endpoint"),          Unaliased, Unlisted,     |s| s.has_sessions()),
    row(E::Resource,            Path::None,                       HOST, Own, None,                                  Unaliased, Unlisted,     always),
    row(E::Host,                Path::None,                       HOST, Own, None,                                  Unaliased, Unlisted,     always),
];

#[allow(clippy::too_many_arguments)] // the columns of the table
const fn row(
    endpoint: Endpoint,
    path: Path,
    methods: &'static [Method],
    origins: Origins,
    member: Option<&'static str>,
    alias: MtlsAlias,
    clients: Clients,
    on: fn(&Inner) -> bool,
) -> Row {
    Row { endpoint, path, methods, origins, member, alias, clients, on }
}

fn always(_: &Inner) -> bool {
    true
}

fn has_users(server: &Inner) -> bool {
    server.endpoints.path(E::Authorization).is_some()
}

fn has_devices(server: &Inner) -> bool {
    server.endpoints.path(E::DeviceVerification).is_some()
}

/// Every variant, in the order of the table. A variant without a row does not compile.
const ALL: [Endpoint; Endpoint::Host as usize + 1] = {
    let mut all = [Endpoint::Host; Endpoint::Host as usize + 1];
    assert!(ROWS.len() == all.len(), "a variant of Endpoint has no row, or Host is no longer the last");
    let mut at = 0;
    while at < all.len() {
        assert!(ROWS[at].endpoint as usize == at, "a row is not where its variant is");
        all[at] = ROWS[at].endpoint;
        at += 1;
    }
    all
};

impl Endpoint {
    /// Every endpoint, including those of the host and of resources.
    pub const ALL: &'static [Self] = &ALL;

    /// The methods that a server answers there, as `Allow` names them; empty for an endpoint of the host.
    /// [`Registration::without_management`](crate::Registration::without_management) leaves only `POST`.
    #[must_use]
    pub fn allowed_methods(self) -> String {
        list(self.row().methods)
    }

    /// Whether any origin may read the responses.
    #[must_use]
    pub fn is_shared_with_any_origin(self) -> bool {
        self.row().origins == Origins::Any
    }

    const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

/// As `Allow` names them.
fn list(methods: &[Method]) -> String {
    let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    names.join(", ")
}

impl Row {
    /// The methods that this server answers there.
    fn methods(&self, server: &Inner) -> &'static [Method] {
        let is_managed = server.registration.as_ref().is_none_or(|terms| terms.is_managed);
        match self.endpoint {
            E::Registration if !is_managed => POST,
            _ => self.methods,
        }
    }

    /// Whether this server answers requests there.
    fn is_served(&self, server: &Inner) -> bool {
        !self.methods.is_empty() && (self.on)(server)
    }

    /// From the root of the host.
    fn paths(&self, server: &Inner) -> Vec<String> {
        match self.path {
            Path::Default(_) | Path::OfHost => {
                let own = server.endpoints.path(self.endpoint);
                own.map(|own| format!("{}{own}", server.issuer_path)).into_iter().collect()
            }
            Path::WellKnown(paths) => paths(server),
            Path::None => Vec::new(),
        }
    }

    /// Whether the endpoint is at this path.
    fn is_at(&self, path: &str, server: &Inner) -> bool {
        match self.path {
            Path::Default(_) | Path::OfHost => {
                let below = path.strip_prefix(&*server.issuer_path);
                below.is_some() && below == server.endpoints.path(self.endpoint)
            }
            // The list is only made for a path that can be in it.
            Path::WellKnown(paths) => {
                path.contains("/.well-known/") && paths(server).iter().any(|own| own == path)
            }
            Path::None => false,
        }
    }

    fn share(&self, response: Response) -> Response {
        match self.origins {
            Origins::Any => cors::share(response, "*"),
            Origins::Own => response,
        }
    }
}

impl Clients {
    /// The authentication methods that a registered client could use here.
    fn methods(self, server: &Inner) -> impl Iterator<Item = &'static str> {
        let verifies = server.rules.assertions.is_some();
        let macs = server.rules.assertions.as_ref().is_some_and(|assertions| assertions.macs);
        let certificates = server.rules.certificates;
        let strong = server.rules.profile.switches().strong_clients;
        let fits = move |method: &&auth::Method| match (self, method.credentials) {
            (Self::Unlisted, _) | (Self::Confidential, Credentials::Nothing) => false,
            (Self::Any | Self::Confidential, Credentials::Keys) => verifies,
            (Self::Any | Self::Confidential, Credentials::SealedSecret) => macs && !strong,
            (Self::Any | Self::Confidential, Credentials::Certificate) => certificates.reads_names,
            (Self::Any | Self::Confidential, Credentials::CertifiedKeys) => certificates.reads,
            (Self::Any, Credentials::Nothing) | (Self::Any | Self::Confidential, Credentials::Secret) => {
                !strong
            }
        };
        METHODS.iter().filter(fits).map(|method| method.name.as_str())
    }

    /// The signing algorithms of client assertions, if one of the methods uses them.
    fn algorithms(self, server: &Inner) -> impl Iterator<Item = &'static str> {
        let assertions = server.rules.assertions.as_deref().filter(|_| self != Self::Unlisted);
        let macs = assertions.filter(|assertions| assertions.macs).map(|_| "HS256");
        assertions.into_iter().flat_map(|assertions| assertions.algorithms.iter().copied()).chain(macs)
    }
}

/// The URLs of the endpoints that this server has, and how clients authenticate there.
fn members(server: &Inner, members: &mut Members) {
    for row in ROWS.iter().filter(|row| (row.on)(server)) {
        let path = server.endpoints.path(row.endpoint);
        if let (Some(member), Some(path)) = (row.member, path) {
            members.text(member, server.url(path));
            members.list(format!("{member}_auth_methods_supported"), row.clients.methods(server));
            let algorithms = row.clients.algorithms(server);
            members.list(format!("{member}_auth_signing_alg_values_supported"), algorithms);
        }
    }
}

/// `mtls_endpoint_aliases` (RFC 8705 section 5): the aliased endpoints, with the same paths.
fn mtls_aliases(server: &Inner, members: &mut Members) {
    members.switch("tls_client_certificate_bound_access_tokens", server.rules.certificates.binds);
    let Some(base) = server.mutual_tls.as_ref().and_then(|own| own.aliases.as_ref()) else { return };
    let rows = ROWS.iter().filter(|row| row.alias == Aliased && (row.on)(server));
    members.object(
        "mtls_endpoint_aliases",
        rows.filter_map(|row| Some((row.member?, format!("{base}{}", server.endpoints.path(row.endpoint)?)))),
    );
}

impl Inner {
    /// Whether the host names its sessions.
    fn has_sessions(&self) -> bool {
        self.rules.openid.as_ref().is_some_and(|openid| openid.sessions.is_some())
    }

    /// A path below the issuer as a URL.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.rules.issuer.trim_end_matches('/'))
    }
}

impl AuthorizationServer {
    /// The endpoints that an adapter routes to [`handle`](Self::handle), with their paths. The host's own
    /// `/authorize` is not one of them.
    #[must_use]
    pub fn routes(&self) -> Vec<(Endpoint, String)> {
        let served = ROWS.iter().filter(|row| row.is_served(&self.inner));
        let routes = served.map(|row| (row.endpoint, row.paths(&self.inner)));
        routes.flat_map(|(endpoint, paths)| paths.into_iter().map(move |path| (endpoint, path))).collect()
    }

    /// The machine endpoint at this path, if there is one.
    #[must_use]
    pub fn endpoint_at(&self, path: &str) -> Option<Endpoint> {
        let mut served = ROWS.iter().filter(|row| row.is_served(&self.inner));
        served.find(|row| row.is_at(path, &self.inner)).map(|row| row.endpoint)
    }

    /// The URL of an endpoint, if it has a path.
    pub(super) fn url_of(&self, endpoint: Endpoint) -> Option<String> {
        self.inner.endpoints.path(endpoint).map(|path| self.inner.url(path))
    }

    /// Its URL for connections with a certificate (RFC 8705 section 5).
    pub(super) fn mtls_alias_of(&self, endpoint: Endpoint) -> Option<String> {
        let base = self.inner.mutual_tls.as_ref()?.aliases.as_ref()?;
        self.inner.endpoints.path(endpoint).map(|path| format!("{base}{path}"))
    }

    /// Answers any request at a machine endpoint: checks the method and the size of the body, answers
    /// preflights, and applies the rules for other origins.
    pub async fn handle(&self, endpoint: Endpoint, request: &Request) -> Response {
        let begun = self.inner.audit.as_ref().map(|audit| (audit, stopwatch()));
        let response = in_span(endpoint, self.answer(endpoint, request)).await;
        if let Some((audit, begun)) = begun {
            let (status, took, peer) = (response.status, begun.elapsed(), request.peer);
            audit.answered(&Answered { endpoint, status, took, peer });
        }
        response
    }

    /// The response, 408, to a request from this address whose body takes too long. For an adapter of your
    /// own; those of this crate wait for 10 s.
    pub fn refuse_slow_body(&self, endpoint: Endpoint, peer: Option<IpAddr>) -> Response {
        let about = EventSubject::default().peer(peer);
        endpoint.row().share(self.refuse(Reason::BodyTooSlow.into(), endpoint, about))
    }

    async fn answer(&self, endpoint: Endpoint, request: &Request) -> Response {
        let row = endpoint.row();
        let methods = row.methods(&self.inner);
        if request.method == Method::Options && row.origins == Origins::Any {
            return cors::preflight(&request.headers, list(methods), "*");
        }
        let response = if request.body.len() > MAX_BODY {
            self.refuse(Reason::FormTooLarge.into(), endpoint, EventSubject::default().peer(request.peer))
        } else if methods.contains(&request.method) {
            self.dispatch(endpoint, request).await
        } else {
            Refusal::from(Reason::MethodWrong).into_response().with("allow", list(methods))
        };
        row.share(response)
    }

    /// The futures of the less frequent endpoints are boxed, so that a token request does not carry the size of
    /// the largest one.
    async fn dispatch(&self, endpoint: Endpoint, request: &Request) -> Response {
        match endpoint {
            Endpoint::Token => self.token(request).await,
            Endpoint::PushedAuthorizationRequest => {
                Box::pin(self.pushed_authorization_request(request)).await
            }
            Endpoint::DeviceAuthorization => Box::pin(self.device_authorization(request)).await,
            Endpoint::Revocation => Box::pin(self.revoke(request)).await,
            Endpoint::Introspection => self.introspect(request).await,
            Endpoint::Metadata => Box::pin(self.served_metadata()).await,
            Endpoint::Jwks => self.jwks().await,
            Endpoint::Registration => Box::pin(self.registration(request)).await,
            Endpoint::UserInfo => Box::pin(self.userinfo(request)).await,
            // The table has no methods for these, so such a request was refused above.
            Endpoint::Authorization
            | Endpoint::DeviceVerification
            | Endpoint::EndSession
            | Endpoint::Resource
            | Endpoint::Host => Refusal::from(Reason::MethodWrong).into_response(),
        }
    }
}
