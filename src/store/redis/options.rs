//! [`RedisOptions`]: which server, and how much it has to promise.

use std::time::Duration;

use super::link::Wait;

/// How to connect to Redis, and what the server has to promise.
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
    /// What every key begins with; `grantor`. Two programs that share a server need two prefixes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long one answer may take; a second. A write that is not answered by then has an unknown outcome,
    /// and its connection is replaced. What the server refuses for now is tried again for twice as long, so
    /// keep [`Policy::store_deadline`](crate::Policy::store_deadline) above that.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.response_timeout = limit;
        self
    }

    /// Confirms a write only when this many replicas have it (`WAIT`), and reports an unknown outcome if they
    /// do not within `limit`. By default none is waited for. What this promises, and what not, is in
    /// [`manual::storage_redis`](crate::manual::storage_redis).
    pub fn wait_replicas(mut self, replicas: u32, limit: Duration) -> Self {
        self.wait = (replicas > 0).then_some(Wait { replicas, limit });
        self
    }

    /// Refuses a server whose `min-replicas-to-write` is less; 0 by default, which asks nothing. The server
    /// has to allow `CONFIG GET`.
    pub fn min_replicas_to_write(mut self, replicas: u32) -> Self {
        self.min_replicas_to_write = replicas;
        self
    }
}
