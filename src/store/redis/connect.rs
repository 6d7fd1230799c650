//! Connects a [`RedisStore`] by its options, and checks the server.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use redis::cluster::ClusterClient;
use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, RedisResult};

use super::RedisStore;
use super::link::{Link, Target};
use super::names::Names;
use super::options::RedisOptions;
use super::server::Server;
use super::setup::{self, RedisOpenError};

/// The number of connections for writes that wait for replicas: each such write blocks its connection.
const WAITING_LINKS: usize = 4;

impl RedisOptions {
    /// Connects and checks the server. The URL is `redis://[user:password@]host[:port][/database]`,
    /// `rediss://…` for TLS, or `redis-cluster://[user:password@]host:port,host:port…` (`rediss-cluster://…`)
    /// with some nodes of a cluster.
    ///
    /// # Errors
    /// The one thing that is wrong with the URL or the server, and what to do about it.
    pub async fn connect(self, url: &str) -> Result<RedisStore, RedisOpenError> {
        match cluster_nodes(url) {
            Some(nodes) => self.cluster(nodes).await,
            None => {
                let info = self.server(url)?;
                let client = Client::open(info.clone()).map_err(url_error)?;
                self.open(Target::Single(Arc::new(client)), &[info]).await
            }
        }
    }

    /// Checks a URL of [`connect`](Self::connect), without connecting.
    ///
    /// # Errors
    /// [`RedisOpenError::Url`]
    pub fn check(&self, url: &str) -> Result<(), RedisOpenError> {
        match cluster_nodes(url) {
            Some(nodes) if nodes.is_empty() => Err(no_node()),
            Some(nodes) => nodes.iter().try_for_each(|node| self.server(node).map(drop)),
            None => self.server(url).map(drop),
        }
    }

    /// Connects to a cluster by the URLs of some of its nodes, and checks every master.
    ///
    /// # Errors
    /// The one thing that is wrong with a URL or a server, and what to do about it.
    pub async fn cluster<U: AsRef<str>>(
        self,
        urls: impl IntoIterator<Item = U>,
    ) -> Result<RedisStore, RedisOpenError> {
        let nodes = urls.into_iter().map(|url| self.server(url.as_ref()));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        if nodes.is_empty() {
            return Err(no_node());
        }
        // No retries here: the client would resend a write whose reply was lost, and take its own success for
        // a conflict. `server.rs` decides what may be sent again.
        let client = ClusterClient::builder(nodes.clone())
            .retries(0)
            .connection_timeout(self.response_timeout)
            .response_timeout(self.response_timeout)
            .tcp_settings(tcp())
            .build()
            .map_err(url_error)?;
        self.open(Target::Cluster(Arc::new(client)), &nodes).await
    }

    fn server(&self, url: &str) -> Result<ConnectionInfo, RedisOpenError> {
        let parse = || -> RedisResult<_> { Ok(url.into_connection_info()?.set_tcp_settings(tcp())) };
        parse().map_err(url_error)
    }

    async fn open(self, target: Target, nodes: &[ConnectionInfo]) -> Result<RedisStore, RedisOpenError> {
        choose_cryptography();
        let limit = self.response_timeout;
        let node = setup::check(&target, nodes, &self, limit).await?;
        let mut writes = Vec::new();
        if self.wait.is_some() {
            for _ in 0..WAITING_LINKS {
                let node = target.connect(limit).await.map_err(|error| setup::unreachable(nodes, &error))?;
                writes.push(Link::new(target.clone(), node, limit));
            }
        }
        let is_single = matches!(target, Target::Single(_));
        let reads = Link::new(target, node, limit);
        let (wait, patience, turn) = (self.wait, limit * 2, AtomicUsize::new(0));
        let place = place(nodes);
        let server = Arc::new(Server { is_single, reads, writes, wait, patience, turn, place });
        let names = Names::new(&self.prefix);
        setup::check_format(&server, &names).await?;
        Ok(RedisStore { server, names })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("names", &self.names).finish_non_exhaustive()
    }
}

/// The URLs of the nodes in a `redis-cluster` URL.
fn cluster_nodes(url: &str) -> Option<Vec<String>> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "redis-cluster" => "redis",
        "rediss-cluster" => "rediss",
        _ => return None,
    };
    let (user, nodes) = match rest.rsplit_once('@') {
        Some((user, nodes)) => (format!("{user}@"), nodes),
        None => (String::new(), rest),
    };
    let nodes = nodes.split(',').filter(|node| !node.is_empty());
    Some(nodes.map(|node| format!("{scheme}://{user}{node}")).collect())
}

/// The addresses and the database, in an order that does not depend on the URL.
fn place(nodes: &[ConnectionInfo]) -> Box<[Box<str>]> {
    let name = |node: &ConnectionInfo| format!("{}/{}", node.addr(), node.redis_settings().db());
    let names: BTreeSet<String> = nodes.iter().map(name).collect();
    names.into_iter().map(Into::into).collect()
}

fn no_node() -> RedisOpenError {
    RedisOpenError::Url("it names no node".to_owned())
}

/// No Nagle delay: a small command must not wait for a larger packet.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// The error text of the client contains no part of the URL, which may include a password.
fn url_error(error: redis::RedisError) -> RedisOpenError {
    RedisOpenError::Url(error.to_string())
}

/// Sets the cryptographic provider of rustls, unless the process has already chosen one.
fn choose_cryptography() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::{RedisOptions, cluster_nodes};

    #[test]
    fn what_is_wrong_with_a_url_is_known_without_connecting() {
        let check = |url| RedisOptions::default().check(url);
        for good in [
            "redis://me:hunter2@a:1/2",
            "rediss://a",
            "redis-cluster://a:1",
            "rediss-cluster://me:hunter2@a:1,b:2",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for (bad, expected) in [
            ("redis-cluster://", "it names no node"),
            ("redis-cluster://me:hunter2@", "it names no node"),
            ("redis-cluster://me:hunter2@a:1,b:port", "the Redis URL is wrong"),
            ("redis://me:hunter2@a:port", "the Redis URL is wrong"),
            ("http://a:1", "the Redis URL is wrong"),
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{bad}: {error}");
        }
    }

    #[test]
    fn the_nodes_of_a_cluster_share_user_and_password() {
        assert_eq!(
            cluster_nodes("rediss-cluster://me:p%40ss@a:1,b:2").unwrap(),
            ["rediss://me:p%40ss@a:1", "rediss://me:p%40ss@b:2"]
        );
        assert_eq!(cluster_nodes("redis-cluster://a:1").unwrap(), ["redis://a:1"]);
        assert_eq!(cluster_nodes("redis-cluster://").unwrap(), [""; 0]);
        assert_eq!(cluster_nodes("redis://a:1,b:2"), None);
    }
}
