//! [`HttpOutboundBuilder`]: which addresses may be reached, and how many requests may run at once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::reqwest::redirect::Policy;
use ::reqwest::{Certificate, Client, Url};
use tokio::sync::Semaphore;

use super::destination::Destination;
use super::lookup::{Checked, Lookup, SystemLookup};
use super::{HttpOutbound, Inner, Told, Way};
use crate::outbound::OutboundError;
use crate::outbound::address::Allowed;

/// Configures an [`HttpOutbound`].
#[must_use]
pub struct HttpOutboundBuilder {
    allowed: Allowed,
    at_once: usize,
    lookup: Option<Arc<dyn Lookup>>,
    roots: Vec<Vec<u8>>,
    mapped: Vec<(String, SocketAddr)>,
    told: Option<Told>,
}

impl HttpOutboundBuilder {
    pub(super) fn new() -> Self {
        Self {
            allowed: Allowed::default(),
            at_once: 64,
            lookup: None,
            roots: Vec::new(),
            mapped: Vec::new(),
            told: None,
        }
    }

    /// Lets the host's own URLs ([`ChosenBy::Host`](crate::outbound::ChosenBy)) reach this machine, also by
    /// `http`. All others still cannot.
    pub fn allow_loopback(mut self) -> Self {
        self.allowed.loopback = true;
        self
    }

    /// Lets the host's own URLs ([`ChosenBy::Host`](crate::outbound::ChosenBy)) reach private addresses (RFC
    /// 1918, RFC 4193, RFC 6598), by https. All others still cannot.
    pub fn allow_private(mut self) -> Self {
        self.allowed.private = true;
        self
    }

    /// Replaces an https origin by a server on this machine, over plain HTTP: for tests and development.
    /// `map("https://client.example", ([127, 0, 0, 1], 8080))`. Anything but a loopback address is a mistake.
    pub fn map(mut self, origin: impl Into<String>, to: impl Into<SocketAddr>) -> Self {
        self.mapped.push((origin.into(), to.into()));
        self
    }

    /// The most concurrent requests, separately for each [`ChosenBy`](crate::outbound::ChosenBy); by default
    /// 64 each. Others wait, within their deadline.
    pub fn at_once(mut self, requests: usize) -> Self {
        self.at_once = requests;
        self
    }

    /// Trusts these authorities, too (PEM): the host's own.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Replaces the system's name resolution.
    pub fn lookup(mut self, lookup: impl Lookup + 'static) -> Self {
        self.lookup = Some(Arc::new(lookup));
        self
    }

    /// Receives every failed request: the host of its URL and the cause, both safe to log. The client whose
    /// request needed it does not learn the cause; the audit of a guard does.
    pub fn on_failure(mut self, told: impl Fn(&str, OutboundError) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }

    /// Checks the configuration.
    ///
    /// # Errors
    /// The first mistake.
    pub fn build(self) -> Result<HttpOutbound, OutboundSetupError> {
        if self.at_once == 0 || self.at_once > Semaphore::MAX_PERMITS {
            return Err(OutboundSetupError::AtOnce);
        }
        let mapped = self.mapped.iter().map(|(origin, to)| mapping(origin, *to));
        let mapped: BTreeMap<String, SocketAddr> = mapped.collect::<Result<_, _>>()?;
        let way = |allowed: Allowed| {
            let turns = Semaphore::new(self.at_once);
            Ok(Way { http: self.client(allowed)?, allowed, turns })
        };
        let (host, developer, client) =
            (way(self.allowed)?, way(Allowed::default())?, way(Allowed::default())?);
        Ok(HttpOutbound(Arc::new(Inner { host, developer, client, mapped, told: self.told })))
    }

    fn client(&self, allowed: Allowed) -> Result<Client, OutboundSetupError> {
        let mut roots = Vec::new();
        for pem in &self.roots {
            let bundle = Certificate::from_pem_bundle(pem).ok().filter(|bundle| !bundle.is_empty());
            roots.extend(bundle.ok_or(OutboundSetupError::Certificate)?);
        }
        // Separate pools: slow DNS for clients' URLs does not delay the host's own.
        let lookup = self.lookup.clone().unwrap_or_else(|| Arc::new(SystemLookup::new()));
        let resolver = Checked { lookup, allowed };
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("grantor/", env!("CARGO_PKG_VERSION")))
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(4)
            .dns_resolver(resolver)
            .tls_certs_merge(roots);
        client.build().map_err(|_| OutboundSetupError::Tls)
    }
}

fn mapping(origin: &str, to: SocketAddr) -> Result<(String, SocketAddr), OutboundSetupError> {
    let mistake = || OutboundSetupError::Origin(origin.to_owned());
    let is_https = Destination::parse(origin).map_err(|_| mistake())?.is_https;
    let url = Url::parse(origin).map_err(|_| mistake())?;
    if !is_https || url.path() != "/" || url.query().is_some() {
        return Err(mistake());
    }
    match to.ip().is_loopback() && to.port() != 0 {
        true => Ok((url.origin().ascii_serialization(), to)),
        false => Err(OutboundSetupError::MappedAddress(to)),
    }
}

impl fmt::Debug for HttpOutboundBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOutboundBuilder").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// A mistake in the configuration of an [`HttpOutbound`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundSetupError {
    /// Nothing could ever be sent.
    #[error(
        "the number of concurrent requests must be positive, and at most the permits of a tokio semaphore"
    )]
    AtOnce,
    /// Not a certificate.
    #[error("the root certificates are not PEM")]
    Certificate,
    /// Only an origin, without a path, can be mapped.
    #[error("{0:?} is not an https origin")]
    Origin(String),
    /// Origins can be mapped only to this machine.
    #[error("{0} is not a loopback address with a port")]
    MappedAddress(SocketAddr),
    /// The system's certificates could not be read, or TLS not be set up.
    #[error("TLS could not be set up: are there root certificates on this machine?")]
    Tls,
}
