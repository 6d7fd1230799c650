//! The checks before the first request, so that an unsuitable server is a clear error at startup.

use std::sync::Arc;
use std::time::Duration;

use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{Client, Cmd, ConnectionInfo, ErrorKind, RedisError, Value};

use super::answer::text;
use super::link::{Node, Target};
use super::names::Names;
use super::options::RedisOptions;
use super::scripts::command;
use super::server::Server;
use crate::store::BackendError;

/// The format version of all records under one prefix.
const FORMAT: u32 = 1;

/// The oldest supported server: older ones report errors in scripts differently.
const OLDEST: (u32, u32) = (7, 0);

/// Why a Redis server cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisOpenError {
    /// The URL is malformed.
    #[error(
        "the Redis URL is wrong ({0}): write redis://[user:password@]host[:port][/database], rediss://… for TLS, or \
         redis-cluster://[user:password@]host:port,host:port"
    )]
    Url(String),
    /// No server answers.
    #[error("no Redis server answers at {address} ({why}): start it, or correct the URL")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What happened instead.
        why: String,
    },
    /// The user or the password is wrong or missing, or the user lacks a required permission.
    #[error(
        "the Redis server at {address} rejects the login ({why}): correct the user name and the password in the URL"
    )]
    Denied {
        /// Host and port.
        address: String,
        /// The server's words.
        why: String,
    },
    /// The server belongs to a cluster, but the URL is for a single server.
    #[error("the Redis server at {0} is part of a cluster: write redis-cluster://{0}")]
    IsCluster(String),
    /// It is a single server, but the URL is for a cluster.
    #[error("the Redis server at {0} is not part of a cluster: write redis://{0}")]
    NotCluster(String),
    /// The server is a replica, which accepts no writes.
    #[error("the Redis server at {0} is a replica, which takes no writes: name its master")]
    Replica(String),
    /// A server that is too old.
    #[error("the Redis server at {address} has version {version}: 7.0 or later is needed")]
    TooOld {
        /// Host and port.
        address: String,
        /// Its version.
        version: String,
    },
    /// The server evicts keys when its memory is full.
    #[error(
        "the Redis server at {address} has maxmemory-policy {policy}: an evicted record signs a user out, or lets a \
         proof be used twice; set maxmemory-policy noeviction"
    )]
    Evicts {
        /// Host and port.
        address: String,
        /// Its policy.
        policy: String,
    },
    /// Writes would never be confirmed.
    #[error(
        "writes are to wait for {wanted} replicas, and the Redis server at {address} has {found}: add replicas, or wait for fewer"
    )]
    TooFewReplicas {
        /// Host and port.
        address: String,
        /// By [`RedisOptions::wait_replicas`].
        wanted: u32,
        /// What it has now.
        found: u32,
    },
    /// A master would accept writes that no replica has.
    #[error("min-replicas-to-write of the Redis server at {address} is {found}: set it to {wanted}")]
    MinReplicas {
        /// Host and port.
        address: String,
        /// By [`RedisOptions::min_replicas_to_write`].
        wanted: u32,
        /// What it is.
        found: u32,
    },
    /// Written by a later version of this crate.
    #[error(
        "the records have format {found}, and this version of grantor knows format {FORMAT}: upgrade grantor"
    )]
    Format {
        /// The value of the format key.
        found: String,
    },
    /// The server failed during the checks.
    #[error(transparent)]
    Store(#[from] BackendError),
}

/// A connection to a server that can be used.
pub(super) async fn check(
    target: &Target,
    nodes: &[ConnectionInfo],
    options: &RedisOptions,
    limit: Duration,
) -> Result<Node, RedisOpenError> {
    let (address, first) = first_answer(nodes, limit).await?;
    let is_cluster = first.field("redis_mode") == Some("cluster");
    let node = match target {
        Target::Single(_) if is_cluster => return Err(RedisOpenError::IsCluster(address)),
        Target::Cluster(_) if !is_cluster => return Err(RedisOpenError::NotCluster(address)),
        Target::Single(_) if first.field("role") == Some("slave") => {
            return Err(RedisOpenError::Replica(address));
        }
        Target::Single(_) | Target::Cluster(_) => target.connect(limit).await,
    };
    let mut node = node.map_err(|error| unreachable(nodes, &error))?;
    for (address, about) in everywhere(&mut node, &address, redis::cmd("INFO")).await? {
        about.check(&address, options)?;
    }
    if options.min_replicas_to_write > 0 {
        let mut ask = redis::cmd("CONFIG");
        ask.arg("GET").arg("min-replicas-to-write");
        for (address, about) in everywhere(&mut node, &address, ask).await? {
            about.check_min_replicas(address, options.min_replicas_to_write)?;
        }
    }
    Ok(node)
}

/// Writes the format version if there is none yet, and refuses a different one.
pub(super) async fn check_format(server: &Server, names: &Names) -> Result<(), RedisOpenError> {
    let key = names.format();
    server.settle(command("SET", (&key, FORMAT, "NX"))).await?;
    let found = server.read(command("GET", &key)).await?;
    match text(&found)? {
        format if format.parse() == Ok(FORMAT) => Ok(()),
        format => Err(RedisOpenError::Format { found: format.to_owned() }),
    }
}

pub(super) fn unreachable(nodes: &[ConnectionInfo], error: &RedisError) -> RedisOpenError {
    let addresses: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
    failed(addresses.join(", "), error)
}

fn failed(address: String, error: &RedisError) -> RedisOpenError {
    let why = error.to_string();
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
            RedisOpenError::Denied { address, why }
        }
        _ => RedisOpenError::Unreachable { address, why },
    }
}

/// The `INFO` of the first node that answers.
async fn first_answer(nodes: &[ConnectionInfo], limit: Duration) -> Result<(String, About), RedisOpenError> {
    let mut failure = RedisOpenError::Url("it names no node".to_owned());
    for node in nodes {
        let address = node.addr().to_string();
        let asked = async {
            let target = Target::Single(Arc::new(Client::open(node.clone())?));
            redis::cmd("INFO").query_async::<Value>(&mut target.connect(limit).await?).await
        };
        match asked.await {
            Ok(answer) => return Ok((address, About(answer))),
            Err(error) => failure = failed(address, &error),
        }
    }
    Err(failure)
}

/// The replies of all masters, by address.
async fn everywhere(
    node: &mut Node,
    address: &str,
    ask: Cmd,
) -> Result<Vec<(String, About)>, RedisOpenError> {
    let failed = |error| failed(address.to_owned(), &error);
    let Node::Cluster(cluster) = node else {
        let answer = ask.query_async::<Value>(node).await.map_err(failed)?;
        return Ok(vec![(address.to_owned(), About(answer))]);
    };
    let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    let answers = cluster.route_command(ask, masters).await.map_err(failed)?;
    let Value::Map(answers) = answers.extract_error().map_err(failed)? else { return Ok(Vec::new()) };
    let named = answers.into_iter().map(|(address, answer)| Ok((text(&address)?.to_owned(), About(answer))));
    named.collect()
}

/// What a server reports about itself.
struct About(Value);

impl About {
    /// A field of `INFO`.
    fn field(&self, name: &str) -> Option<&str> {
        let text = match &self.0 {
            Value::VerbatimString { text, .. } => text,
            other => text(other).ok()?,
        };
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }

    fn check(&self, address: &str, options: &RedisOptions) -> Result<(), RedisOpenError> {
        let address = address.to_owned();
        let version = self.field("redis_version").unwrap_or("unknown");
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
            return Err(RedisOpenError::TooOld { address, version: version.to_owned() });
        }
        let policy = self.field("maxmemory_policy").unwrap_or("unknown");
        if policy != "noeviction" {
            return Err(RedisOpenError::Evicts { address, policy: policy.to_owned() });
        }
        let found = self.field("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
        match options.wait {
            Some(wait) if found < wait.replicas => {
                Err(RedisOpenError::TooFewReplicas { address, wanted: wait.replicas, found })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The answer of `CONFIG GET`, a name and a value.
    fn check_min_replicas(&self, address: String, wanted: u32) -> Result<(), RedisOpenError> {
        let pair: Vec<String> = redis::from_redis_value(self.0.clone()).unwrap_or_default();
        let found = pair.get(1).and_then(|count| count.parse().ok()).unwrap_or(0);
        match found < wanted {
            true => Err(RedisOpenError::MinReplicas { address, wanted, found }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_server_is_refused_and_a_newer_one_is_not() {
        for (version, is_new_enough) in [
            ("6.2.14", false),
            ("7.0.0", true),
            ("7.2.1", true),
            ("8.0.0", true),
            ("10.1", true),
            ("", false),
        ] {
            let info = format!("# Server\r\nredis_version:{version}\r\nmaxmemory_policy:noeviction\r\n");
            let about = About(Value::BulkString(info.into_bytes()));
            let checked = about.check("a:1", &RedisOptions::default());
            assert_eq!(checked.is_ok(), is_new_enough, "{version}: {checked:?}");
        }
    }
}
