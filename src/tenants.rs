//! Several issuers in one program: selects the server for a request.
//!
//! Each tenant is a separate [`AuthorizationServer`] with its own issuer, keys, policy, clients and store, so
//! nothing leaks from one to another: they share only what the host gives to both. Give each its own store,
//! or its own [`space`](crate::store) of a shared store: in one store, a code or token of one tenant is valid
//! at the other. The manual's chapter `recipes` has the routes for axum.
//!
//! ```
//! use grantor::tenants::{Destination, TenantMap, Tenants as _};
//! use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let tenants = TenantMap::by_path();
//! for name in ["acme", "globex"] {
//!     let server = AuthorizationServer::builder(format!("https://as.example/{name}"))
//!         .clients(MemoryRegistry::default())
//!         .store(MemoryStore::small())
//!         .build()?;
//!     tenants.insert(server)?;
//! }
//! let acme = tenants.find(&Destination::new("as.example", "/acme/token")).await?;
//! assert_eq!(&*acme.unwrap().rules().issuer, "https://as.example/acme");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use async_trait::async_trait;
use fluent_uri::Uri;

use crate::audit::{Audit, Endpoint, Event, EventKind, StandardError};
use crate::error::{Fault, Refusal};
use crate::http::Response;
use crate::server::AuthorizationServer;
use crate::store::{BackendError, StoreIdentity};

/// The parts of a request's URL that distinguish issuers. The sender controls both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination<'a> {
    /// The host, and the port if there is one: the `Host` header, or `:authority` of HTTP/2. Behind a proxy
    /// it is what the proxy sends.
    pub authority: &'a str,
    /// The path as it was sent, not decoded.
    pub path: &'a str,
}

const WELL_KNOWN: &str = "/.well-known/";

impl<'a> Destination<'a> {
    /// Where a request went.
    #[must_use]
    pub fn new(authority: &'a str, path: &'a str) -> Self {
        Self { authority, path }
    }

    /// The path from where the issuer's own path begins: without the well-known name that goes before it (RFC
    /// 8414 section 3.1, RFC 9728 section 3.1).
    #[must_use]
    pub fn issuer_path(&self) -> &'a str {
        match self.path.strip_prefix(WELL_KNOWN) {
            Some(name) => name.find('/').map_or("", |slash| &name[slash..]),
            None => self.path,
        }
    }

    /// The first segment of the issuer's path, empty if there is none.
    #[must_use]
    pub fn first_segment(&self) -> &'a str {
        let path = self.issuer_path();
        path.strip_prefix('/').unwrap_or(path).split('/').next().unwrap_or_default()
    }
}

/// Finds the tenant that a request is for.
///
/// Both parts of the destination are untrusted. A wrong result answers for another issuer, with its keys and
/// its users' grants.
///
/// A [`TenantMap`] refuses tenants that share a store. An implementation of your own has to take care itself
/// that each server has its own store, or its own space: otherwise a code or token of one tenant is valid at
/// another.
#[async_trait]
pub trait Tenants: Send + Sync {
    /// The server of this issuer; `None` is a 404. No deadline cuts it, because it may have to build the
    /// server first: limit your own queries.
    ///
    /// # Errors
    /// The lookup failed; the response is 503, or 500 if the error is permanent.
    async fn find(&self, to: &Destination<'_>) -> Result<Option<AuthorizationServer>, BackendError>;

    /// Where failed lookups are reported, as [`EventKind::Failed`] at [`Endpoint::Host`]: no server is known
    /// then, and so no audit of one. By default there is none, and a debug build writes the first of each
    /// kind to standard error.
    fn audit(&self) -> Option<&dyn Audit> {
        None
    }

    /// The server for a request.
    ///
    /// # Errors
    /// The response to send: 404 if there is no such tenant, 503 or 500 if the lookup failed.
    async fn server(&self, to: &Destination<'_>) -> Result<AuthorizationServer, Response> {
        match self.find(to).await {
            Ok(found) => found.ok_or_else(|| Response::empty(404)),
            Err(error) => {
                let fault = Fault::from(error);
                let what = EventKind::Failed(fault.reason());
                let event = Event { cause: Some(&fault), ..Event::new(what, Endpoint::Host) };
                if let Some(audit) = self.audit().or(STANDARD_ERROR.as_deref()) {
                    audit.record(&event);
                }
                Err(Refusal::from(fault).into_response())
            }
        }
    }

    /// The server for a request, and the endpoint that the request is for.
    ///
    /// # Errors
    /// The response to send: as for [`server`](Self::server), and 404 if the tenant has no such endpoint.
    async fn endpoint(&self, to: &Destination<'_>) -> Result<(AuthorizationServer, Endpoint), Response> {
        let server = self.server(to).await?;
        let endpoint = server.endpoint_at(to.path).ok_or_else(|| Response::empty(404))?;
        Ok((server, endpoint))
    }
}

/// For tenants without an audit.
static STANDARD_ERROR: LazyLock<Option<Arc<dyn Audit>>> = LazyLock::new(StandardError::of_debug_builds);

#[async_trait]
impl<T: Tenants + ?Sized> Tenants for Arc<T> {
    fn audit(&self) -> Option<&dyn Audit> {
        (**self).audit()
    }

    async fn find(&self, to: &Destination<'_>) -> Result<Option<AuthorizationServer>, BackendError> {
        (**self).find(to).await
    }

    async fn server(&self, to: &Destination<'_>) -> Result<AuthorizationServer, Response> {
        (**self).server(to).await
    }

    async fn endpoint(&self, to: &Destination<'_>) -> Result<(AuthorizationServer, Endpoint), Response> {
        (**self).endpoint(to).await
    }
}

/// Tenants in a map, by the host or the first path segment of their issuer: one hash lookup per request.
/// Tenants can be added and removed while the program runs.
pub struct TenantMap {
    by: By,
    entries: RwLock<Entries>,
}

#[derive(Default)]
struct Entries {
    servers: HashMap<Box<str>, AuthorizationServer>,
    /// The hashes of the identities of their stores: eight bytes for each tenant.
    stores: HashSet<u64>,
}

impl Entries {
    fn insert(
        &mut self,
        key: Box<str>,
        server: AuthorizationServer,
    ) -> Result<Option<AuthorizationServer>, TenantError> {
        let store = server.store_identity();
        let hash = store.as_ref().map(hash_of);
        if hash.is_some_and(|hash| self.stores.contains(&hash)) {
            let mut others = self.servers.iter().filter(|(own, _)| **own != key);
            if let Some((_, other)) = others.find(|(_, other)| other.store_identity() == store) {
                return Err(TenantError::StoreShared(Arc::clone(&other.rules().issuer)));
            }
        }
        let replaced = self.remove(&key);
        self.stores.extend(hash);
        self.servers.insert(key, server);
        Ok(replaced)
    }

    fn remove(&mut self, key: &str) -> Option<AuthorizationServer> {
        let server = self.servers.remove(key)?;
        server.store_identity().map(|store| self.stores.remove(&hash_of(&store)));
        Some(server)
    }
}

fn hash_of(store: &StoreIdentity) -> u64 {
    let mut hasher = DefaultHasher::new();
    store.hash(&mut hasher);
    hasher.finish()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Host,
    Path,
}

impl TenantMap {
    /// Issuers such as `https://acme.example`, without a path.
    #[must_use]
    pub fn by_host() -> Self {
        Self { by: By::Host, entries: RwLock::default() }
    }

    /// Issuers such as `https://as.example/acme`, with a path of one segment. The host is ignored.
    #[must_use]
    pub fn by_path() -> Self {
        Self { by: By::Path, entries: RwLock::default() }
    }

    /// Adds a tenant, or replaces and returns the one with the same key. Requests in progress continue with
    /// the old one.
    ///
    /// # Errors
    /// The issuer does not have the form that this map uses, or another tenant has the same store, as
    /// [`TokenStore::identity`](crate::TokenStore::identity) says. A store that does not say is not compared.
    pub fn insert(&self, server: AuthorizationServer) -> Result<Option<AuthorizationServer>, TenantError> {
        let key = self.key_of(&server.rules().issuer).ok_or(TenantError::Issuer)?;
        self.entries.write().unwrap_or_else(PoisonError::into_inner).insert(key, server)
    }

    /// Removes a tenant by its issuer. Its grants stay in its store.
    pub fn remove(&self, issuer: &str) -> Option<AuthorizationServer> {
        let key = self.key_of(issuer)?;
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(&key)
    }

    /// The number of tenants.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).servers.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get(&self, to: &Destination<'_>) -> Option<AuthorizationServer> {
        let key = match self.by {
            By::Host => host(to.authority),
            By::Path => Cow::Borrowed(to.first_segment()),
        };
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.servers.get(&*key).cloned()
    }

    fn key_of(&self, issuer: &str) -> Option<Box<str>> {
        let uri = Uri::parse(issuer).ok()?;
        let path = uri.path().as_str().trim_end_matches('/');
        match self.by {
            By::Host => path
                .is_empty()
                .then(|| uri.authority())?
                .map(|host_and_port| host(host_and_port.as_str()).into()),
            By::Path => {
                path.strip_prefix('/').filter(|path| !path.is_empty() && !path.contains('/')).map(Into::into)
            }
        }
    }
}

/// The form for comparison: in lower case, without a default port.
fn host(authority: &str) -> Cow<'_, str> {
    let host = authority.strip_suffix(":443").or_else(|| authority.strip_suffix(":80")).unwrap_or(authority);
    match host.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    }
}

#[async_trait]
impl Tenants for TenantMap {
    async fn find(&self, to: &Destination<'_>) -> Result<Option<AuthorizationServer>, BackendError> {
        Ok(self.get(to))
    }
}

impl fmt::Debug for TenantMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMap").field("by", &self.by).field("tenants", &self.len()).finish()
    }
}

/// Why a [`TenantMap`] does not take a tenant, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// The issuer does not have the form that this map uses.
    #[error(
        "a tenant by host needs an issuer without a path; a tenant by path, an issuer with one path segment"
    )]
    Issuer,
    /// The tenant with this issuer has the same store.
    #[error(
        "its store is that of {0}, so codes and tokens of one would be valid at the other: give each its own, \
         with `store.space(name)` in one database"
    )]
    StoreShared(Arc<str>),
}
