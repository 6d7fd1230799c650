//! [`RedisOptions`]: how to connect, and the required durability.

use std::time::Duration;

use super::link::Wait;

/// How to connect to Redis, and the durability that the server must provide.
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisOptions {
    pub(super) prefix: String,
    pub(super) response_timeout: Duration,
    pub(super) wait: Option<Wait>,
    pub(super) min_replicas_to_write: u32,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "grantor".to_owned(),
            response_timeout: Duration::from_secs(1),
            wait: None,
            min_replicas_to_write: 0,
        }
    }
}

impl RedisOptions {
    /// The beginning of every key; `grantor`. Programs that share a server need different prefixes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long one reply may take; a second. A write without a reply by then has an unknown outcome, and its
    /// connection is replaced. Temporary refusals are retried for twice as long, so keep
    /// [`Policy::store_deadline`](crate::Policy::store_deadline) above that.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.response_timeout = limit.min(LONGEST);
        self
    }

    /// Confirms a write only when this many replicas have it (`WAIT`), and reports an unknown outcome if they
    /// do not within `limit`. By default it does not wait. What this guarantees, and what it does not, is in
    /// [`manual::storage_redis`](crate::manual::storage_redis).
    pub fn wait_replicas(mut self, replicas: u32, limit: Duration) -> Self {
        self.wait = (replicas > 0).then_some(Wait { replicas, limit: limit.min(LONGEST) });
        self
    }

    /// Refuses a server with a smaller `min-replicas-to-write`; by default 0, which skips the check. The
    /// server has to allow `CONFIG GET`.
    pub fn min_replicas_to_write(mut self, replicas: u32) -> Self {
        self.min_replicas_to_write = replicas;
        self
    }
}

/// Longer timeouts would overflow the clock, and make no difference.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
