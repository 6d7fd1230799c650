//! Changes of a registered client: its state, its end, and the writes to its record.

use crate::audit::{Endpoint, EventKind, HostCall};
use crate::client::{Client, ClientId, ClientState, Registrar, RegistryError, Replacement};
use crate::documents::Requester;
use crate::error::{BackendError, Fault, Reason, Refusal};
use crate::grant::Grant;
use crate::server::{AuthorizationServer, EventSubject, HostError};

/// How often the host's write to a client is retried: a client that changes itself in a loop must not be able
/// to block it.
pub(in crate::server) const HOST_RACES: usize = 1000;

impl AuthorizationServer {
    /// Deletes a client: first it is no longer served, then its grants end, then its record is removed. If a
    /// step fails, the earlier ones hold, and a repeated call continues.
    pub(in crate::server) async fn end_client(
        &self,
        id: &ClientId,
        endpoint: Endpoint,
    ) -> Result<(), HostError> {
        self.put_state(id, ClientState::Ending).await?;
        self.remove_client(id, endpoint).await
    }

    /// Ends the grants of a client that is no longer served, and removes its record.
    pub(in crate::server) async fn remove_client(
        &self,
        id: &ClientId,
        endpoint: Endpoint,
    ) -> Result<(), HostError> {
        self.revoke_client(id).await?;
        let removed = self
            .call(HostCall::ChangeClient, self.registrar()?.remove(id))
            .await
            .ok_or(HostError::Deadline)?;
        match removed {
            Ok(()) | Err(RegistryError::Missing) => {
                self.audit(EventKind::ClientRemoved, endpoint, EventSubject::client(id));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Changes the state of a client, unless its deletion has begun; `false` if there is no such client.
    pub(in crate::server) async fn put_state(
        &self,
        id: &ClientId,
        state: ClientState,
    ) -> Result<bool, HostError> {
        self.registrar()?;
        for _ in 0..HOST_RACES {
            let Some(current) = self.find_any_client(id).await? else { return Ok(false) };
            if current.state() == state || current.state() == ClientState::Ending {
                return Ok(true);
            }
            let next = Client::clone(&current).in_state(state);
            match self.replace_client(Replacement::of(&current, next)).await {
                Ok(()) => return Ok(true),
                Err(RegistryError::Changed | RegistryError::Missing) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(HostError::Contended)
    }

    /// Whether the client that this grant was just written for is still served. A self-registered client may
    /// have deleted itself meanwhile: all its grants may have ended between its lookup and this write, so
    /// this grant ends here, and its tokens are not sent.
    pub(in crate::server) async fn confirm_client(
        &self,
        is_self_registered: bool,
        written: &Grant,
    ) -> Result<(), Refusal> {
        match is_self_registered {
            true => Box::pin(self.confirm_registration(written)).await,
            false => Ok(()),
        }
    }

    async fn confirm_registration(&self, written: &Grant) -> Result<(), Refusal> {
        if self.find_client(written.client(), Requester::default()).await?.is_some() {
            return Ok(());
        }
        self.revoke_grant(written.id()).await?;
        Err(Reason::ClientUnknown.into())
    }

    pub(in crate::server) async fn replace_client(&self, change: Replacement) -> Result<(), RegistryError> {
        let registrar = self.inner.registrar.as_ref().ok_or(RegistryError::Missing)?;
        let deadline = || RegistryError::Store(BackendError::unknown_outcome(Fault::Deadline));
        self.call(HostCall::ChangeClient, registrar.replace(change)).await.unwrap_or_else(|| Err(deadline()))
    }

    pub(in crate::server) fn registrar(&self) -> Result<&dyn Registrar, HostError> {
        self.inner.registrar.as_deref().ok_or(HostError::NoRegistrar)
    }
}
