//! Resolves names, and checks the addresses before connecting to any of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::outbound::OutboundError;
use crate::outbound::address::{Allowed, LOCALHOST};

/// Resolves a name; by default the system does. The result is untrusted: the owner of a name chooses its
/// addresses, and may change them at any moment. It is called once for each connection, which uses only the
/// returned addresses, after a check.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a name.
    ///
    /// # Errors
    /// There are none, or the lookup failed.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

#[async_trait]
impl<T: Lookup + ?Sized> Lookup for Arc<T> {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        (**self).addresses(name).await
    }
}

/// Asks the system. `getaddrinfo` has no timeout and cannot be cancelled, so it continues in its thread after
/// its caller is gone. A lookup keeps its permit until that thread is done, so there are never more such
/// threads than permits.
pub(super) struct SystemLookup {
    turns: Arc<Semaphore>,
    ask: fn(&str) -> io::Result<Vec<IpAddr>>,
}

/// The most concurrent system lookups for one kind of URL. tokio has 512 threads for all blocking work.
const LOOKUPS: usize = 32;

impl SystemLookup {
    pub(super) fn new() -> Self {
        let ask = |name: &str| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect());
        Self { turns: Arc::new(Semaphore::new(LOOKUPS)), ask }
    }
}

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(io::Error::other)?;
        let (name, ask) = (name.to_owned(), self.ask);
        let asked = spawn_blocking(move || {
            let _turn = turn;
            ask(&name)
        });
        asked.await.map_err(io::Error::other)?
    }
}

/// Refuses a name if any of its addresses is not allowed: an honest name does not mix them.
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
            // Port 0 means the port of the URL.
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};
    use std::task::{Context, Waker};

    use super::*;

    static ANSWER: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    /// A lookup that blocks until the test releases it.
    fn slow(_: &str) -> io::Result<Vec<IpAddr>> {
        let (told, wakes) = &ANSWER;
        let guard = told.lock().unwrap();
        drop(wakes.wait_while(guard, |told| !*told).unwrap());
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ft_17_a_lookup_that_nobody_waits_for_keeps_its_turn_until_its_thread_is_done() {
        let lookup = Arc::new(SystemLookup { turns: Arc::new(Semaphore::new(2)), ask: slow });
        for left in [1, 0] {
            let asking = tokio::spawn({
                let lookup = Arc::clone(&lookup);
                async move { lookup.addresses("slow.example").await }
            });
            while lookup.turns.available_permits() > left {
                tokio::task::yield_now().await;
            }
            asking.abort();
            assert!(asking.await.unwrap_err().is_cancelled());
        }
        assert_eq!(lookup.turns.available_permits(), 0, "two threads still ask");
        let mut third = lookup.addresses("third.example");
        let mut context = Context::from_waker(Waker::noop());
        assert!(third.as_mut().poll(&mut context).is_pending(), "and there is no third one");
        *ANSWER.0.lock().unwrap() = true;
        ANSWER.1.notify_all();
        assert_eq!(third.await.unwrap(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    }
}
