//! Measurements of responses, and of calls to the host's parts.

use std::net::IpAddr;
use std::time::Duration;

use super::Endpoint;
use crate::client::RegistryError;
use crate::error::{BackendError, CommitError};

/// A request that [`AuthorizationServer::handle`](crate::AuthorizationServer::handle) answered; adapters call
/// it for each request at one of the server's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The endpoint that answered.
    pub endpoint: Endpoint,
    /// The HTTP status of the answer.
    pub status: u16,
    /// How long the response took.
    pub took: Duration,
    /// The address of the peer ([`Request::peer`](crate::Request::peer)).
    pub peer: Option<IpAddr>,
}

/// A call to one of the host's parts. What a part answers directly from memory
/// ([`try_load`](crate::TokenStore::try_load), [`try_client`](crate::client::ClientRegistry::try_client)) is
/// not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Called {
    /// What was called.
    pub call: HostCall,
    /// How long it took, at most as long as [`Policy::store_deadline`](crate::Policy::store_deadline).
    pub took: Duration,
    /// Its outcome.
    pub outcome: CallOutcome,
}

/// A call of one of the host's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostCall {
    /// [`TokenStore::load`](crate::TokenStore::load)
    LoadGrant,
    /// [`TokenStore::commit`](crate::TokenStore::commit)
    CommitGrant,
    /// [`TokenStore::end`](crate::TokenStore::end) and [`TokenStore::end_all`](crate::TokenStore::end_all)
    EndGrants,
    /// [`TokenStore::list`](crate::TokenStore::list)
    ListGrants,
    /// [`TokenStore::purge`](crate::TokenStore::purge)
    PurgeGrants,
    /// [`TokenStore::find_by_user_code`](crate::TokenStore::find_by_user_code)
    FindUserCode,
    /// [`ClientRegistry::client`](crate::client::ClientRegistry::client)
    FindClient,
    /// What a [`Registrar`](crate::client::Registrar) writes.
    ChangeClient,
    /// [`Registrar::clients`](crate::client::Registrar::clients)
    ListClients,
    /// [`ReplayGuard::first_use`](crate::store::ReplayGuard::first_use)
    FirstUse,
    /// [`TokenSigner::sign`](crate::signing::TokenSigner::sign)
    Sign,
}

impl HostCall {
    /// A word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoadGrant => "load_grant",
            Self::CommitGrant => "commit_grant",
            Self::EndGrants => "end_grants",
            Self::ListGrants => "list_grants",
            Self::PurgeGrants => "purge_grants",
            Self::FindUserCode => "find_user_code",
            Self::FindClient => "find_client",
            Self::ChangeClient => "change_client",
            Self::ListClients => "list_clients",
            Self::FirstUse => "first_use",
            Self::Sign => "sign",
        }
    }
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallOutcome {
    /// It was answered.
    Done,
    /// A conditional write found another version, because of a concurrent request.
    Conflict,
    /// The part failed.
    Failed,
    /// The part did not answer before the deadline.
    Late,
}

impl CallOutcome {
    /// A word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Late => "late",
        }
    }
}

/// The output of a call, from which its outcome follows.
pub(crate) trait CallOutput {
    fn outcome(&self) -> CallOutcome;
}

impl<T> CallOutput for Result<T, BackendError> {
    fn outcome(&self) -> CallOutcome {
        if self.is_ok() { CallOutcome::Done } else { CallOutcome::Failed }
    }
}

impl<T> CallOutput for Result<T, CommitError> {
    fn outcome(&self) -> CallOutcome {
        match self {
            Ok(_) => CallOutcome::Done,
            Err(CommitError::Conflict) => CallOutcome::Conflict,
            Err(CommitError::Store(_)) => CallOutcome::Failed,
        }
    }
}

impl<T> CallOutput for Result<T, RegistryError> {
    fn outcome(&self) -> CallOutcome {
        match self {
            Ok(_) => CallOutcome::Done,
            Err(RegistryError::Exists | RegistryError::Missing | RegistryError::Changed) => {
                CallOutcome::Conflict
            }
            Err(RegistryError::Store(_)) => CallOutcome::Failed,
        }
    }
}

impl<T, E> CallOutput for Vec<Result<T, E>> {
    fn outcome(&self) -> CallOutcome {
        if self.iter().all(Result::is_ok) { CallOutcome::Done } else { CallOutcome::Failed }
    }
}
