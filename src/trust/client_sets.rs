//! [`ClientSets`]: the key sets at the `jwks_uri` of clients.

use std::sync::Arc;

use super::few::Few;
use super::recent::Recent;
use crate::outbound::Outbound;

/// The most sets that are cached for each kind of client; the least used are evicted first.
const KEPT: usize = 1000;

/// The key sets at the `jwks_uri` of clients, fetched and cached.
///
/// Anyone can register any number of clients whose host never answers. So the sets of strangers have their
/// own fetches and their own cache, even at a URL that a client of the host also has.
pub(crate) struct ClientSets<S> {
    registered: Pool<S>,
    strangers: Pool<S>,
}

struct Pool<S> {
    outbound: Arc<dyn Outbound>,
    kept: Recent<Arc<str>, Arc<S>>,
}

impl<S> ClientSets<S> {
    pub(crate) fn over(outbound: impl Outbound + 'static) -> Self {
        let outbound = Arc::new(outbound);
        let pool = || Pool { outbound: Arc::new(Few::of(Arc::clone(&outbound))), kept: Recent::new(KEPT) };
        Self { registered: pool(), strangers: pool() }
    }

    /// The cached set at this URL, or the one that `new` makes of the `Outbound` for it.
    pub(crate) fn at(
        &self,
        url: &Arc<str>,
        by_stranger: bool,
        new: impl FnOnce(Arc<dyn Outbound>) -> S,
    ) -> Arc<S> {
        let pool = if by_stranger { &self.strangers } else { &self.registered };
        pool.kept.get_or_insert(Arc::clone(url), || Arc::new(new(Arc::clone(&pool.outbound))))
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::outbound::{OutboundError, OutboundRequest, OutboundResponse};

    struct Nowhere;

    #[async_trait]
    impl Outbound for Nowhere {
        async fn send(&self, _: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
            Err(OutboundError::Unreachable)
        }
    }

    #[test]
    fn the_sets_of_strangers_push_out_none_of_a_client_of_the_host() {
        let url = |n: usize| -> Arc<str> { format!("https://app{n}.example/keys").into() };
        let sets = ClientSets::<&str>::over(Nowhere);
        let set = |n, by_stranger, new: &'static str| *sets.at(&url(n), by_stranger, |_| new);
        assert_eq!(set(0, false, "first"), "first");
        for n in 0..3 * KEPT {
            assert_eq!(set(n, true, "stranger"), "stranger");
        }
        assert_eq!(set(0, false, "again"), "first");
    }
}
