//! [`GuardBuilder`]: configures a guard and reports every mistake at once, at start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::guard::{Guard, Inner};
use super::key_check::KeyCheck;
use super::metadata;
use super::requirement::Implied;
use super::verifier::TokenVerifier;
use crate::audit::{Audit, StandardError};
use crate::base::system::{self, Clock, SystemClock};
use crate::base::{HttpsUrl, HttpsUrlError, ResourceId, Scope};
use crate::error::Mistakes;
use crate::openid::OFFLINE_ACCESS;
use crate::store::ReplayGuard;
use crate::trust::Dpop;

/// Configures a [`Guard`].
#[must_use]
pub struct GuardBuilder {
    resource: String,
    loopback: bool,
    realm: String,
    verifiers: Vec<Arc<dyn TokenVerifier>>,
    local: Vec<LocalServer>,
    authorization_servers: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    implied: Vec<(String, Vec<String>)>,
    audit: Option<Arc<dyn Audit>>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    refuses_in_doubt: bool,
    endpoint_of: Option<String>,
    alias: Option<String>,
    proofs: Option<(Dpop, Arc<dyn ReplayGuard>)>,
    requires_bound_tokens: bool,
    takes_certificates: bool,
}

/// What a guard needs to know about a server in this process.
pub(crate) struct LocalServer {
    pub(crate) issuer: String,
    /// The scopes of the resource; `None` if the server issues no tokens for it.
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) proofs: Option<(Dpop, Arc<dyn ReplayGuard>)>,
    pub(crate) requires_bound_tokens: bool,
    pub(crate) binds_to_certificates: bool,
}

impl GuardBuilder {
    pub(super) fn new(resource: String) -> Self {
        Self {
            resource,
            loopback: false,
            realm: "api".to_owned(),
            verifiers: Vec::new(),
            local: Vec::new(),
            authorization_servers: None,
            scopes: None,
            implied: Vec::new(),
            audit: None,
            clock: Arc::new(SystemClock),
            deadline: Duration::from_secs(5),
            refuses_in_doubt: false,
            endpoint_of: None,
            alias: None,
            proofs: None,
            requires_bound_tokens: false,
            takes_certificates: false,
        }
    }

    /// The identifier of the resource, if it is valid.
    pub(crate) fn resource(&self) -> Option<ResourceId> {
        ResourceId::parse(&self.resource).ok()
    }

    /// Adds a server of this process; its verifier is added separately.
    pub(crate) fn known(mut self, server: LocalServer) -> Self {
        self.local.push(server);
        self
    }

    /// Adds a verifier. Several are asked in order until one accepts the token.
    pub fn verifier(mut self, verifier: impl TokenVerifier + 'static) -> Self {
        self.verifiers.push(Arc::new(verifier));
        self
    }

    /// Makes a scope include these others, and whatever those imply. Call it once for each scope that implies
    /// others.
    pub fn scope_implies<S: Into<String>>(
        mut self,
        scope: impl Into<String>,
        implied: impl IntoIterator<Item = S>,
    ) -> Self {
        self.implied.push((scope.into(), implied.into_iter().map(Into::into).collect()));
        self
    }

    /// The scopes that the metadata name; by default those that a local server knows for this resource.
    /// `offline_access` is left out: it permits nothing at a resource, and a client that needs a refresh
    /// token requests it by itself.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// The issuers that the metadata name, where clients get tokens; by default those of the verifiers.
    pub fn authorization_servers<S: Into<String>>(mut self, issuers: impl IntoIterator<Item = S>) -> Self {
        self.authorization_servers = Some(issuers.into_iter().map(Into::into).collect());
        self
    }

    /// The `realm` of the challenges; by default `api`.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Lets the resource and its issuers be `http://` on a loopback address, for development.
    pub fn allow_http_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Receives every refused request, and why. Without an audit, a debug build writes the first fault of
    /// each kind to standard error.
    pub fn audit(mut self, audit: impl Audit + 'static) -> Self {
        self.audit = Some(Arc::new(audit));
        self
    }

    /// A clock instead of the system's, for tests. A local server uses its own.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long one verifier may take; by default 5 s. After that the response is 503.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Answers 401 `invalid_token` instead of 503 and 500 if a token could not be checked. A client discards
    /// a valid token on that; the audit still has the true reason.
    pub fn refuse_in_doubt(mut self) -> Self {
        self.refuses_in_doubt = true;
        self
    }

    /// For an endpoint of the server with this issuer: omits the metadata document and its URL in challenges,
    /// and uses the nonces of the server.
    pub(crate) fn endpoint_of(mut self, issuer: &str, alias: Option<String>) -> Self {
        self.endpoint_of = Some(issuer.to_owned());
        self.alias = alias;
        self
    }

    /// Accepts tokens that are bound to a key, from requests with a DPoP proof (RFC 9449 section 7). Each
    /// proof works once, which the replay guard remembers: all nodes of the resource must share it. Without
    /// this call, proofs are accepted as a [`local`](Self::local) server accepts them; without such a server,
    /// bound tokens are refused.
    ///
    /// A proof must be for the origin of the resource and the [`path`](crate::Request::path) of the request,
    /// as the client sent it: behind a proxy that changes paths, set the client's path there.
    pub fn dpop(mut self, dpop: Dpop, replays: impl ReplayGuard + 'static) -> Self {
        self.proofs = Some((dpop, Arc::new(replays)));
        self
    }

    /// Refuses tokens that are not bound to a key. The guard of a [`local`](Self::local) server that issues
    /// only bound tokens always does so.
    pub fn require_bound_tokens(mut self) -> Self {
        self.requires_bound_tokens = true;
        self
    }

    /// A server's own settings for bound tokens.
    pub(crate) fn keys(
        mut self,
        proofs: Option<(Dpop, Arc<dyn ReplayGuard>)>,
        are_required: bool,
        may_be_certificates: bool,
    ) -> Self {
        self.proofs = proofs;
        self.requires_bound_tokens = are_required;
        self.takes_certificates = may_be_certificates;
        self
    }

    /// Checks the whole configuration.
    ///
    /// # Errors
    /// Every mistake, not only the first.
    pub fn build(self) -> Result<Guard, GuardErrors> {
        let mut errors = Vec::new();
        let mut note = |error| errors.push(error);
        let own = HttpsUrl::parse_identifier(&self.resource, self.loopback);
        let own = own.map_err(|error| note(mistake_in_resource(error))).ok();
        let resource = self.resource();
        if !system::is_there() {
            note(GuardError::HostMissing);
        }
        if self.verifiers.is_empty() {
            note(GuardError::VerifierMissing);
        }
        if !self.realm.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)) {
            note(GuardError::Realm);
        }
        if self.deadline.is_zero() {
            note(GuardError::Deadline);
        }
        let mut known = self.scopes;
        for LocalServer { issuer, scopes, .. } in &self.local {
            match scopes {
                Some(scopes) => known = known.or_else(|| Some(scopes.clone())),
                None if resource.is_some() => note(GuardError::ResourceUnknown(issuer.clone())),
                None => {}
            }
        }
        let mut scopes = known.unwrap_or_default();
        scopes.retain(|scope| scope != OFFLINE_ACCESS);
        let implied = self.implied.iter().flat_map(|(scope, implied)| implied.iter().chain([scope]));
        for scope in scopes.iter().chain(implied).filter(|scope| !Scope::is_token(scope)) {
            note(GuardError::Scope(scope.clone()));
        }
        let of_verifiers = || self.verifiers.iter().filter_map(|v| v.issuer().map(str::to_owned)).collect();
        let issuers: Vec<String> = self.authorization_servers.unwrap_or_else(of_verifiers);
        // A local server's builder has checked its issuer, including whether http on loopback is allowed.
        let vouched = |issuer: &String| self.local.iter().any(|server| server.issuer == *issuer);
        let is_bad = |issuer: &String| HttpsUrl::parse_identifier(issuer, self.loopback).is_err();
        for issuer in issuers.iter().filter(|i| !vouched(i) && is_bad(i)) {
            note(GuardError::AuthorizationServer(issuer.clone()));
        }
        let (Some(HttpsUrl { origin, path, .. }), Some(resource), true) = (own, resource, errors.is_empty())
        else {
            return Err(Mistakes(errors));
        };
        // RFC 9728 section 3.1: the slash directly after the host is removed.
        let path = if path == "/" { "" } else { path };
        let binds = self.local.iter().any(|server| server.requires_bound_tokens);
        let of_local = self.local.iter().any(|server| server.binds_to_certificates);
        let takes_certificates = self.takes_certificates || of_local;
        let of_server = || self.local.into_iter().find_map(|server| server.proofs);
        let is_required = self.requires_bound_tokens || binds;
        let keys = KeyCheck::new(self.proofs.or_else(of_server), is_required, takes_certificates);
        let inner = Inner {
            endpoint_of: self.endpoint_of,
            alias: self.alias,
            metadata: metadata::document(&resource, &issuers, &scopes, &keys),
            algorithms: keys.algorithms().join(" "),
            keys,
            origin: origin.to_owned(),
            metadata_url: format!("{origin}{}{path}", metadata::WELL_KNOWN),
            path: path.to_owned(),
            resource,
            realm: self.realm,
            verifiers: self.verifiers,
            implied: Implied::of(&self.implied),
            audit: self.audit.or_else(StandardError::of_debug_builds),
            clock: self.clock,
            deadline: self.deadline,
            refuses_in_doubt: self.refuses_in_doubt,
        };
        Ok(Guard { inner: Arc::new(inner) })
    }
}

fn mistake_in_resource(error: HttpsUrlError) -> GuardError {
    match error {
        HttpsUrlError::NotAUrl => GuardError::ResourceNotAUrl,
        HttpsUrlError::NotHttps => GuardError::ResourceNotHttps,
        HttpsUrlError::Query => GuardError::ResourceQuery,
        HttpsUrlError::Path => GuardError::ResourcePath,
        HttpsUrlError::DotSegment => GuardError::ResourceDotSegment,
    }
}

impl fmt::Debug for GuardBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardBuilder").field("resource", &self.resource).finish_non_exhaustive()
    }
}

/// One mistake in the configuration of a guard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// On `wasm32-unknown-unknown`, where a module has neither a clock nor a random source of its own.
    #[error("no host provides the time and random numbers: call base::host::install")]
    HostMissing,
    /// RFC 9728 section 1.2. Also a URL whose port does not exist.
    #[error("the resource is not an absolute URL with a host and without user information")]
    ResourceNotAUrl,
    /// RFC 9728 section 1.2.
    #[error("the resource must be https (allow_http_loopback permits http on a loopback address)")]
    ResourceNotHttps,
    /// RFC 9728 section 1.2.
    #[error("the resource must not have a query or a fragment")]
    ResourceQuery,
    /// A router would read a segment of the path as a pattern.
    #[error("no segment of the resource's path may begin with a colon or an asterisk")]
    ResourcePath,
    /// RFC 3986 section 6.2.2.3: clients would name another resource, or look for its metadata elsewhere.
    #[error("no segment of the resource's path may be . or .. (also as %2e), because clients remove them")]
    ResourceDotSegment,
    /// No token would ever pass.
    #[error(
        "the local server {0:?} issues no tokens for this resource: name it on the server, with resource or audience"
    )]
    ResourceUnknown(String),
    /// RFC 8414 section 2.
    #[error(
        "the authorization server {0:?} must be an https URL without a query, a fragment or dot segments"
    )]
    AuthorizationServer(String),
    /// RFC 6749 section 3.3.
    #[error("{0:?} is not one scope")]
    Scope(String),
    /// RFC 9110 section 5.6.4.
    #[error("the realm must be printable ASCII without quotes and backslashes")]
    Realm,
    /// A deadline of zero.
    #[error("the deadline must not be zero")]
    Deadline,
    /// No verifier.
    #[error("no verifier for tokens: call local, issuer, jwks or verifier")]
    VerifierMissing,
}

/// Every mistake that was found in the configuration of a guard.
pub type GuardErrors = Mistakes<GuardError>;
