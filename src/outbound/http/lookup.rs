//! The addresses of a name, checked before any of them is connected to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use async_trait::async_trait;

use crate::outbound::OutboundError;
use crate::outbound::address::{Allowed, LOCALHOST};

/// Finds the addresses of a name; by default the system does. What it answers is hostile: whoever owns a name
/// chooses its addresses, and may choose others a moment later. It is asked once for each connection, which goes nowhere
/// but to what was answered and then checked.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a name.
    ///
    /// # Errors
    /// There are none, or nobody could say.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

#[async_trait]
impl<T: Lookup + ?Sized> Lookup for Arc<T> {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        (**self).addresses(name).await
    }
}

/// Asks the system.
pub(super) struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Refuses a name of which one address may not be reached: whoever mixes them is up to something.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) allowed: Allowed,
}

impl Checked {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, OutboundError> {
        let found = match name.eq_ignore_ascii_case(LOCALHOST) {
            true => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            false => self.lookup.addresses(name).await.map_err(|_| OutboundError::NameUnknown)?,
        };
        match found.iter().all(|address| self.allowed.permits(*address)) {
            true if found.is_empty() => Err(OutboundError::NameUnknown),
            true => Ok(found),
            false => Err(OutboundError::AddressRefused),
        }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let checked = self.clone();
        Box::pin(async move {
            let found = checked.addresses(name.as_str()).await?;
            // Port 0 stands for that of the URL.
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
