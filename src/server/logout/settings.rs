//! [`Sessions`]: what the server knows about the host's sessions.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::openid::{LogoutQueue, SessionRules};
use crate::outbound::Outbound;

/// What the server has to know about the host's sessions, for OpenID Connect logout.
///
/// ```
/// use std::time::Duration;
/// use grantor::server::Sessions;
///
/// # fn example(outbound: impl grantor::outbound::Outbound + 'static) {
/// let secret = b"32 bytes or more, from a secret store";
/// let sessions = Sessions::new(secret)
///     .longest(Duration::from_secs(7 * 24 * 60 * 60))
///     .back_channel(outbound, |delivery| drop(tokio::spawn(delivery)));
/// # let _ = sessions;
/// # }
/// ```
#[must_use]
pub struct Sessions {
    secret: Vec<u8>,
    longest: Duration,
    channels: SessionChannels,
    front_channel: bool,
}

/// Runs the delivery of logout tokens.
type Spawn = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// How clients are notified.
#[derive(Clone)]
pub(in crate::server) struct SessionChannels {
    pub(super) outbound: Option<Arc<dyn Outbound>>,
    pub(super) spawn: Option<Spawn>,
    pub(super) queue: Option<Arc<dyn LogoutQueue>>,
    /// The pauses after failed attempts; there is one more attempt than pauses.
    pub(super) pauses: Cow<'static, [Duration]>,
}

/// Five attempts within five minutes.
const PAUSES: &[Duration] =
    &[Duration::from_secs(5), Duration::from_secs(25), Duration::from_secs(60), Duration::from_secs(150)];

impl Default for SessionChannels {
    fn default() -> Self {
        Self { outbound: None, spawn: None, queue: None, pauses: Cow::Borrowed(PAUSES) }
    }
}

impl Sessions {
    /// The minimum length of the secret in bytes.
    pub const MIN_SECRET: usize = 32;

    /// The secret derives the `sid` of an `id_token` from [your session](crate::SessionId), a different one
    /// for each client, and authenticates the user's confirmation of a logout. Give all nodes the same
    /// secret, of at least 32 bytes. If it changes, clients no longer recognise their sessions.
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self {
            secret: secret.as_ref().to_vec(),
            longest: Duration::from_secs(30 * 24 * 60 * 60),
            channels: SessionChannels::default(),
            front_channel: false,
        }
    }

    /// How long a session of yours can last; 30 days. During that time, even after its tokens have expired,
    /// the server remembers which clients to notify of its end: a client that has a logout URI costs one
    /// small record for each sign-in, and two or three for all silent renewals in one session.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Notifies clients directly (Back-Channel Logout 1.0), through this `Outbound`. The response to the
    /// browser waits for two seconds at most; `spawn` runs each delivery on your runtime: `|delivery|
    /// drop(tokio::spawn(delivery))`. At most 64 clients are contacted at once, for all sessions together. A
    /// client that cannot be reached is tried five times within five minutes
    /// ([`retry_pauses`](Self::retry_pauses)), as long as the process lives.
    ///
    /// A URL that a client or its developer registered is untrusted
    /// ([`ChosenBy`](crate::outbound::ChosenBy)); that of the host's own client counts as the host's.
    pub fn back_channel(
        mut self,
        outbound: impl Outbound + 'static,
        spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    ) -> Self {
        self.channels.outbound = Some(Arc::new(outbound));
        self.channels.spawn = Some(Arc::new(spawn));
        self
    }

    /// How long to wait after each attempt that failed temporarily; by default 5, 25, 60 and 150 seconds.
    /// There is one more attempt than pauses; after the last one the server gives up.
    pub fn retry_pauses(mut self, pauses: impl IntoIterator<Item = Duration>) -> Self {
        self.channels.pauses = pauses.into_iter().collect();
        self
    }

    /// Passes the notices to your own durable queue instead of delivering them at once. Needs
    /// [`back_channel`](Self::back_channel), which delivers what you take from the queue.
    pub fn queue(mut self, queue: impl LogoutQueue + 'static) -> Self {
        self.channels.queue = Some(Arc::new(queue));
        self
    }

    /// Your page also signs the user out at clients, by hidden frames (Front-Channel Logout 1.0).
    pub fn front_channel(mut self) -> Self {
        self.front_channel = true;
        self
    }

    pub(in crate::server) fn is_weak(&self) -> bool {
        self.secret.len() < Self::MIN_SECRET
    }

    /// Whether there is a queue, and no way to deliver what is in it.
    pub(in crate::server) fn cannot_deliver(&self) -> bool {
        self.channels.queue.is_some() && self.channels.outbound.is_none()
    }

    pub(in crate::server) fn rules(&self) -> SessionRules {
        let mut rules = SessionRules::new(&self.secret, self.longest);
        rules.back_channel = self.channels.outbound.is_some();
        rules.front_channel = self.front_channel;
        rules
    }

    pub(in crate::server) fn into_channels(self) -> SessionChannels {
        self.channels
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("longest", &self.longest).finish_non_exhaustive()
    }
}
