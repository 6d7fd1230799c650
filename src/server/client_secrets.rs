//! A new secret for a client, by the host.

use std::time::Duration;

use super::registration::HOST_RACES;
use super::{AuthorizationServer, EventSubject, HostError};
use crate::audit::{Endpoint, EventKind};
use crate::base::SecretText;
use crate::client::auth::Credentials;
use crate::client::{Client, ClientId, RegistryError, Replacement};
use crate::flow::client_configuration::secret_text;

impl AuthorizationServer {
    /// Makes a new secret for a client; the former ones work for `overlap` more, so that the client can be changed without an
    /// interruption. Zero ends them at once: for one that leaked. It is in the answer and nowhere else. `None` if there is no such client.
    ///
    /// # Errors
    /// The client has no secret that the host may change, the registry failed, or there is none to write to. After an error call
    /// again: the new secret may be in force already.
    pub async fn rotate_client_secret(
        &self,
        id: &ClientId,
        overlap: Duration,
    ) -> Result<Option<SecretText>, HostError> {
        self.registrar()?;
        let secret = secret_text(&self.fresh_secrets().first);
        for _ in 0..HOST_RACES {
            let Some(current) = self.find_any_client(id).await? else { return Ok(None) };
            let by_secret = current.auth_method().credentials() == Credentials::Secret;
            if !by_secret || current.is_self_registered() {
                return Err(HostError::NoSecret);
            }
            let next = Client::clone(&current).with_new_secret(&secret, self.now(), overlap);
            match self.replace_client(Replacement::of(&current, next)).await {
                Ok(()) => {
                    self.audit(EventKind::ClientChanged, Endpoint::Host, EventSubject::client(id));
                    return Ok(Some(secret));
                }
                Err(RegistryError::Changed | RegistryError::Missing) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(HostError::Contended)
    }
}
