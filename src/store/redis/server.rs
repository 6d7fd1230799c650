//! [`Server`]: makes calls, and retries them if that is safe.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use redis::Value;
use tokio::time::sleep;

use super::failure::Failure;
use super::link::{Link, Wait};
use super::scripts::Call;
use crate::base::system::stopwatch;
use crate::store::BackendError;

/// The first pause between two attempts, which doubles each time; the next line is the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// One server or one cluster.
pub(super) struct Server {
    /// Whether it is a single server, where one script can use every key.
    pub(super) is_single: bool,
    /// The link for reads, so that they do not queue behind writes that wait for replicas.
    pub(super) reads: Link,
    /// The links for writes that wait for replicas. Empty if writes do not wait: they then use the link for
    /// reads.
    pub(super) writes: Vec<Link>,
    pub(super) wait: Option<Wait>,
    /// How long a call is retried.
    pub(super) patience: Duration,
    pub(super) turn: AtomicUsize,
    /// Which server and database, or which nodes of a cluster: two addresses of one server count as two.
    pub(super) place: Box<[Box<str>]>,
}

/// The effect of a second attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Read,
    /// A write that changes nothing the second time.
    Repeatable,
    /// A write that could mistake its own first attempt for a concurrent write.
    Once,
}

impl Server {
    /// Runs a read.
    pub(super) async fn read(&self, call: Call) -> Result<Value, BackendError> {
        self.call(Manner::Read, call).await
    }

    /// Runs an idempotent write. After an error, it may have taken effect.
    pub(super) async fn settle(&self, call: Call) -> Result<Value, BackendError> {
        self.call(Manner::Repeatable, call).await
    }

    /// Runs a write that is never sent again once it may have arrived.
    pub(super) async fn write(&self, call: Call) -> Result<Value, BackendError> {
        self.call(Manner::Once, call).await
    }

    /// Closes the links, after the calls on them have finished.
    pub(super) async fn close(&self) {
        join_all([&self.reads].into_iter().chain(&self.writes).map(Link::close)).await;
    }

    async fn call(&self, manner: Manner, call: Call) -> Result<Value, BackendError> {
        let give_up = stopwatch() + self.patience;
        let mut pause = FIRST_PAUSE;
        let mut lost = false;
        loop {
            let failure = match self.attempt(manner, &call).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let again = match &failure {
                Failure::NotDone(_) | Failure::UnknownScript => true,
                Failure::Lost(_) => manner != Manner::Once,
                Failure::Refused(_) | Failure::Closed => false,
            };
            if !again || stopwatch() + pause > give_up {
                return Err(match manner {
                    Manner::Read => failure.of_read(),
                    Manner::Repeatable | Manner::Once => failure.of_write(lost),
                });
            }
            lost |= matches!(failure, Failure::Lost(_));
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, manner: Manner, call: &Call) -> Result<Value, Failure> {
        let (link, wait) = match manner {
            Manner::Read => (&self.reads, None),
            Manner::Repeatable | Manner::Once => (self.next_writer(), self.wait),
        };
        match call {
            Call::Command(command) => link.send(command, wait).await,
            Call::Script { by_hash, script } => match link.send(by_hash, wait).await {
                Err(Failure::UnknownScript) => link.send(&script.whole(by_hash), wait).await,
                answer => answer,
            },
        }
    }

    fn next_writer(&self) -> &Link {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.writes.get(turn % self.writes.len().max(1)).unwrap_or(&self.reads)
    }
}
