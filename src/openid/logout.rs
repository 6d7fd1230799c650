//! Logout notices for clients (OpenID Connect Back-Channel Logout 1.0), and the queue for them.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::base::ClientId;
use crate::error::BackendError;

/// A notice to one client that a session has ended. It holds no secret: keep it in a queue as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogoutNotice {
    pub(crate) client: ClientId,
    /// The user's `sub` for the client.
    pub(crate) sub: Box<str>,
    /// The `sid` for the client; `None` means all sessions of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<Box<str>>,
}

impl LogoutNotice {
    /// The client to notify.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        &self.client
    }
}

/// Keeps logout notices until they are delivered, for hosts with a durable queue.
///
/// Take a notice from the queue, pass it to [`deliver`](crate::AuthorizationServer::deliver), and check the
/// outcome: if that is [`Delivery::Later`], put the notice back, with growing pauses.
#[async_trait]
pub trait LogoutQueue: Send + Sync {
    /// Keeps a notice. A lost notice leaves a user signed in at a client that should have been notified.
    ///
    /// # Errors
    /// The queue cannot take it now. The grants have ended, but
    /// [`end_session`](crate::AuthorizationServer::end_session) fails: call it again, and it pushes the
    /// notices of this session once more, also those that the queue took.
    async fn push(&self, notice: LogoutNotice) -> Result<(), BackendError>;
}

#[async_trait]
impl<T: LogoutQueue + ?Sized> LogoutQueue for Arc<T> {
    async fn push(&self, notice: LogoutNotice) -> Result<(), BackendError> {
        (**self).push(notice).await
    }
}

/// The outcome of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The client confirmed it.
    Done,
    /// The client is gone or rejects it, and a retry would not change that.
    Refused,
    /// A temporary failure of the client or of this server. Try again.
    Later,
}
