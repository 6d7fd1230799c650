//! What a client is told when a session ends (OpenID Connect Back-Channel Logout 1.0), and who keeps it until then.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::base::ClientId;
use crate::error::BackendError;

/// One client that is to be told of the end of one session. It holds no secret: keep it in a queue as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogoutNotice {
    pub(crate) client: ClientId,
    /// As the client knows the user.
    pub(crate) sub: Box<str>,
    /// As the client knows the session; none tells of all sessions of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<Box<str>>,
}

impl LogoutNotice {
    /// Who is to be told.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        &self.client
    }
}

/// Keeps the notices of logouts until they are delivered, for hosts that have a queue which outlives the process.
///
/// Take a notice from the queue, give it to [`deliver`](crate::AuthorizationServer::deliver), and look at the outcome: put
/// it back, with a pause that grows, if it is [`Delivery::Later`].
#[async_trait]
pub trait LogoutQueue: Send + Sync {
    /// Keeps a notice. What is lost here leaves a user signed in at a client that wanted to hear of the logout.
    ///
    /// # Errors
    /// The queue cannot take it now. The logout itself has happened, and an audit event tells of the notice.
    async fn push(&self, notice: LogoutNotice) -> Result<(), BackendError>;
}

#[async_trait]
impl<T: LogoutQueue + ?Sized> LogoutQueue for Arc<T> {
    async fn push(&self, notice: LogoutNotice) -> Result<(), BackendError> {
        (**self).push(notice).await
    }
}

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The client knows.
    Done,
    /// The client is gone or does not want it, and trying again would not change that.
    Refused,
    /// The client, or this server, cannot now. Try again.
    Later,
}
