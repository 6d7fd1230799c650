//! [`RedisStore`]: grants, replay guard, clients and signing keys in Redis, on one server or in a Cluster
//! (feature `redis`).
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use grantor::AuthorizationServer;
//! use grantor::store::RedisStore;
//!
//! let store = RedisStore::connect("redis://127.0.0.1").await?;
//! let server = AuthorizationServer::builder("https://as.example").backend(store).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! A grant is one key, and every change of it is one script on that key. What Redis guarantees and what it
//! does not is in [`manual::storage_redis`](crate::manual::storage_redis); read it before you choose.

mod answer;
mod clients;
mod connect;
mod failure;
mod grants;
mod index;
#[cfg(feature = "jwt")]
mod keys;
mod link;
mod names;
mod options;
mod replay;
mod scripts;
mod server;
mod setup;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

pub use options::RedisOptions;
pub use setup::RedisOpenError;

use names::Names;
use server::Server;

/// How much longer the server keeps a key than the caller's clock says: the two clocks may differ by this
/// much.
const MARGIN: TimeDelta = TimeDelta::minutes(10);

/// The maximum number of records on a page, even if more are requested.
const LONGEST_PAGE: u32 = 1000;

/// Grants, replay guard, clients and signing keys in Redis. Cheap to clone: clones share their connections.
///
/// It needs a tokio runtime. Redis deletes every record some minutes after it has expired, so a host that
/// never purges only wastes memory for that long; a purge frees it at once.
#[derive(Clone)]
pub struct RedisStore {
    server: Arc<Server>,
    names: Names,
}

impl RedisStore {
    /// Connects by [`RedisOptions::connect`] with the default options.
    ///
    /// # Errors
    /// What is wrong with the URL or the server, and what to do about it.
    pub async fn connect(url: &str) -> Result<Self, RedisOpenError> {
        Self::options().connect(url).await
    }

    /// Connects to a cluster by the URLs of some of its nodes, with the default options.
    ///
    /// # Errors
    /// What is wrong with a URL or a server, and what to do about it.
    pub async fn cluster<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Self, RedisOpenError> {
        Self::options().cluster(urls).await
    }

    /// Starts with the default options: prefix, timeouts, replicas.
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }

    /// Waits for the calls that have begun, and closes the connections. Later calls fail, those of clones and
    /// other spaces of this store too. Nothing is lost without it.
    pub async fn close(&self) {
        self.server.close().await;
    }

    /// The same server for another issuer: what is in one space does not exist in another. The first one is
    /// `""`.
    #[must_use]
    pub fn space(&self, name: &str) -> Self {
        Self { server: Arc::clone(&self.server), names: self.names.space(name) }
    }
}

/// The time to live for the server, in ms: until `until`, plus the margin.
fn time_to_live(until: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let left = until.signed_duration_since(now).max(TimeDelta::zero());
    left.checked_add(&MARGIN).unwrap_or(left).num_milliseconds().to_string()
}
