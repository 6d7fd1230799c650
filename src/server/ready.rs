//! Whether the server can serve: for health checks.

use super::signed::SIGNER;
use super::{AuthorizationServer, HostError};
use crate::audit::HostCall;
use crate::client::ClientId;
use crate::error::Fault;
use crate::grant::GrantId;

impl AuthorizationServer {
    /// Whether requests can be served now: the store of grants and the registry of clients answer, and the
    /// signing keys can be loaded, each within [`Policy::store_deadline`](crate::Policy::store_deadline). It
    /// only reads, so a store that can be read but not written counts as ready; call it as often as your load
    /// balancer needs. A server that is not ready still serves its metadata, so take it out of rotation, and do
    /// not restart it.
    ///
    /// # Errors
    /// The first part that failed, with its own text: for your log, not for strangers.
    pub async fn ready(&self) -> Result<(), HostError> {
        self.call(HostCall::LoadGrant, self.inner.store.load(GrantId::new([0; 16])))
            .await
            .ok_or(Fault::Deadline)??;
        let unknown = ClientId::new("grantor-ready");
        self.call(HostCall::FindClient, self.inner.clients.client(&unknown))
            .await
            .ok_or(Fault::Deadline)??;
        if let Some(signer) = &self.inner.signer {
            self.ask_part(SIGNER, signer.jwks(self.now())).await?;
        }
        Ok(())
    }
}
