//! [`Link`]: a connection that is replaced when it breaks.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::SingleNodeRoutingInfo;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult};
use redis::{ServerErrorKind, Value};
use tokio::sync::{RwLock, watch};
use tokio::time::{sleep, timeout};

use super::failure::Failure;

/// The pause between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// The server or cluster to connect to.
#[derive(Clone)]
pub(super) enum Target {
    Single(Arc<Client>),
    Cluster(Arc<ClusterClient>),
}

/// A connection that concurrent calls share.
#[derive(Clone)]
pub(super) enum Node {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// How many replicas must have a write before it is confirmed, and their time limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) replicas: u32,
    pub(super) limit: Duration,
}

impl Target {
    pub(super) async fn connect(&self, limit: Duration) -> RedisResult<Node> {
        match self {
            Self::Single(client) => {
                // Without a response timeout: the link has its own.
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(limit))
                    .set_response_timeout(None);
                Ok(Node::Single(client.get_multiplexed_async_connection_with_config(&config).await?))
            }
            Self::Cluster(client) => Ok(Node::Cluster(client.get_async_connection().await?)),
        }
    }
}

/// The connection to one server or cluster; a broken one is replaced.
pub(super) struct Link(Arc<Shared>);

struct Shared {
    target: Target,
    /// The time limit for a reply.
    limit: Duration,
    state: watch::Sender<State>,
    /// Each call holds a read lock, so that closing can wait for all calls.
    calls: RwLock<()>,
}

struct State {
    /// `None` while the connection is being replaced.
    node: Option<Node>,
    generation: u64,
    replacing: bool,
    closed: bool,
}

impl Link {
    pub(super) fn new(target: Target, node: Node, limit: Duration) -> Self {
        let state = State { node: Some(node), generation: 0, replacing: false, closed: false };
        Self(Arc::new(Shared { target, limit, state: watch::Sender::new(state), calls: RwLock::default() }))
    }

    /// Refuses new calls, and waits for those that have begun. The connection is closed with the last of
    /// them.
    pub(super) async fn close(&self) {
        self.0.state.send_modify(|state| {
            state.closed = true;
            state.node = None;
        });
        let _none = self.0.calls.write().await;
    }

    /// Sends a command once. With `wait`, the command must also reach that many replicas.
    pub(super) async fn send(&self, command: &Cmd, wait: Option<Wait>) -> Result<Value, Failure> {
        let _call = self.0.calls.read().await;
        let (mut node, generation) = self.node().await?;
        let limit = self.0.limit + wait.map_or(Duration::ZERO, |wait| wait.limit);
        let answer = timeout(limit, node.send(command, wait)).await;
        let failed = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(NotConfirmed::Failed(error))) => Some(error),
            Ok(Err(NotConfirmed::TooFew(text))) => return Err(Failure::Lost(text)),
            Err(_) => None,
        };
        if node.is_broken(failed.as_ref()) {
            self.0.replace(generation, matches!(node, Node::Cluster(_)));
        }
        Err(match failed {
            Some(error) => Failure::of(&error),
            None => Failure::Lost(format!("no answer within {} ms", limit.as_millis())),
        })
    }

    /// The connection, as soon as there is one.
    async fn node(&self) -> Result<(Node, u64), Failure> {
        if let State { node: Some(node), generation, .. } = &*self.0.state.borrow() {
            return Ok((node.clone(), *generation));
        }
        let mut states = self.0.state.subscribe();
        let decided = timeout(self.0.limit, states.wait_for(|state| state.node.is_some() || state.closed));
        match decided.await.ok().and_then(Result::ok).as_deref() {
            Some(State { node: Some(node), generation, .. }) => Ok((node.clone(), *generation)),
            Some(State { closed: true, .. }) => Err(Failure::Closed),
            _ => Err(Failure::NotDone("there is no connection to the server".to_owned())),
        }
    }
}

impl Shared {
    /// Replaces the connection. With `keep`, calls to the other nodes of a cluster continue meanwhile.
    fn replace(self: &Arc<Self>, broken: u64, keep: bool) {
        let begun = self.state.send_if_modified(|state| {
            let first = state.generation == broken && !state.replacing && !state.closed;
            if first {
                state.replacing = true;
                state.node = state.node.take().filter(|_| keep);
            }
            first
        });
        if begun {
            tokio::spawn(Self::reconnect(Arc::downgrade(self)));
        }
    }

    async fn reconnect(link: Weak<Self>) {
        while let Some(shared) = link.upgrade() {
            if let Ok(node) = shared.target.connect(shared.limit).await {
                shared.state.send_modify(|state| {
                    state.node = Some(node).filter(|_| !state.closed);
                    state.generation += 1;
                    state.replacing = false;
                });
                return;
            }
            if shared.state.borrow().closed {
                return;
            }
            drop(shared);
            sleep(PAUSE).await;
        }
    }
}

/// Why a command is not confirmed.
enum NotConfirmed {
    Failed(RedisError),
    /// It took effect, but did not reach enough replicas.
    TooFew(String),
}

impl From<RedisError> for NotConfirmed {
    fn from(error: RedisError) -> Self {
        Self::Failed(error)
    }
}

impl Node {
    async fn send(&mut self, command: &Cmd, wait: Option<Wait>) -> Result<Value, NotConfirmed> {
        let sent = match wait {
            None => command.query_async(self).await.map(|value| vec![value]),
            Some(_) => pipeline(&[command], wait).query_async(self).await,
        };
        let values: Vec<Value> = match sent {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Ask) => {
                self.ask(command, wait, error).await?
            }
            answered => answered?,
        };
        let mut values = values.into_iter();
        let value = values.next().unwrap_or_default();
        match (wait, values.next()) {
            (Some(wait), Some(Value::Int(reached))) if reached < i64::from(wait.replicas) => {
                let Wait { replicas, limit } = wait;
                let limit = limit.as_millis();
                let text =
                    format!("the write reached {reached} of {replicas} replicas within {limit} ms (WAIT)");
                Err(NotConfirmed::TooFew(text))
            }
            _ => Ok(value),
        }
    }

    /// While a slot is moving, its new node serves the moved keys only after `ASKING`.
    async fn ask(
        &mut self,
        command: &Cmd,
        wait: Option<Wait>,
        moving: RedisError,
    ) -> RedisResult<Vec<Value>> {
        let node = moving.redirect_node().and_then(|(address, _)| address.rsplit_once(':'));
        let (Self::Cluster(cluster), Some((host, port))) = (self, node) else {
            return Err(moving);
        };
        let (host, port) = (host.to_owned(), port.parse().unwrap_or_default());
        let calls = pipeline(&[&redis::cmd("ASKING"), command], wait);
        let length = calls.len();
        let to = SingleNodeRoutingInfo::ByAddress { host, port };
        let answers = cluster.route_pipeline(calls, 0, length, to).await?;
        answers.into_iter().skip(1).map(Value::extract_error).collect()
    }

    /// Whether the connection must be replaced. `None` means that the reply did not arrive in time.
    fn is_broken(&self, error: Option<&RedisError>) -> bool {
        let Some(error) = error else { return true };
        match (self, error.kind()) {
            // The master became a replica; its host name may already resolve to the new master.
            (Self::Single(_), ErrorKind::Server(kind)) => kind == ServerErrorKind::ReadOnly,
            (Self::Single(_), kind) => matches!(kind, ErrorKind::Io | ErrorKind::Parse),
            // The cluster client replaces broken connections to single nodes itself, but it never gives up on
            // a silent node.
            (Self::Cluster(_), kind) => kind == ErrorKind::ClusterConnectionNotFound || error.is_timeout(),
        }
    }
}

/// The commands in sequence on one connection, followed by `WAIT` for the replicas.
fn pipeline(commands: &[&Cmd], wait: Option<Wait>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for command in commands {
        pipeline.add_command((*command).clone());
    }
    if let Some(wait) = wait {
        pipeline.cmd("WAIT").arg(wait.replicas).arg(wait.limit.as_millis() as u64);
    }
    pipeline
}

impl ConnectionLike for Node {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
