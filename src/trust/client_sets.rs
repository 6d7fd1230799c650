//! [`ClientSets`]: the key sets at the `jwks_uri` of clients.

use std::sync::Arc;

use super::few::Few;
use super::recent::Recent;
use crate::outbound::{ChosenBy, Outbound};

/// The most sets that are cached for each kind of client; the least used are evicted first.
const KEPT: usize = 1000;

/// The key sets at the `jwks_uri` of clients, fetched and cached.
///
/// Anyone can register any number of clients whose host never answers. So each kind of client has its own
/// fetches and its own cache, even at a URL that a client of another kind also has.
pub(crate) struct ClientSets<S> {
    of_host: Pool<S>,
    of_developers: Pool<S>,
    of_strangers: Pool<S>,
}

struct Pool<S> {
    outbound: Arc<dyn Outbound>,
    kept: Recent<Arc<str>, Arc<S>>,
}

impl<S> ClientSets<S> {
    pub(crate) fn over(outbound: impl Outbound + 'static) -> Self {
        let outbound = Arc::new(outbound);
        let pool = || Pool { outbound: Arc::new(Few::of(Arc::clone(&outbound))), kept: Recent::new(KEPT) };
        Self { of_host: pool(), of_developers: pool(), of_strangers: pool() }
    }

    /// The cached set at this URL, or the one that `new` makes of the `Outbound` for it.
    pub(crate) fn at(
        &self,
        url: &Arc<str>,
        chosen_by: ChosenBy,
        new: impl FnOnce(Arc<dyn Outbound>) -> S,
    ) -> Arc<S> {
        let pool = match chosen_by {
            ChosenBy::Host => &self.of_host,
            ChosenBy::Developer => &self.of_developers,
            ChosenBy::Client => &self.of_strangers,
        };
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
    fn the_sets_of_strangers_push_out_none_of_another_client() {
        let url = |n: usize| -> Arc<str> { format!("https://app{n}.example/keys").into() };
        let sets = ClientSets::<&str>::over(Nowhere);
        let set = |n, chosen_by, new: &'static str| *sets.at(&url(n), chosen_by, |_| new);
        assert_eq!(set(0, ChosenBy::Host, "first"), "first");
        assert_eq!(set(0, ChosenBy::Developer, "second"), "second");
        for n in 0..3 * KEPT {
            assert_eq!(set(n, ChosenBy::Client, "stranger"), "stranger");
        }
        assert_eq!(set(0, ChosenBy::Host, "again"), "first");
        assert_eq!(set(0, ChosenBy::Developer, "again"), "second");
    }
}
