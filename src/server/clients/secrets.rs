//! The host gives a client a new secret.

use std::time::Duration;

use super::changes::HOST_RACES;
use crate::audit::{Endpoint, EventKind};
use crate::base::SecretText;
use crate::client::auth::Credentials;
use crate::client::{Client, ClientError, ClientId, ClientSecret, RegistryError, Replacement};
use crate::error::Mistakes;
use crate::flow::client_configuration::secret_text;
use crate::server::{AuthorizationServer, EventSubject, HostError};

impl AuthorizationServer {
    /// Generates a new secret for a client; the old ones keep working for `overlap`, so that the client can
    /// be reconfigured without an interruption. An overlap of zero ends them at once, for a secret that
    /// leaked. The new secret is only in the return value. `None` if there is no such client.
    ///
    /// Tokens with HS256 are signed with the new secret from then on, so such a client must know it at once.
    ///
    /// # Errors
    /// The client has no secret that the host may change, the new secret could not be sealed, the registry
    /// failed, or there is no registrar. After an error call again: the new secret may already be in force.
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
            let made = self.new_secret_of(&current, &secret)?;
            let next = Client::clone(&current).with_new_secret(made, self.now(), overlap);
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

    fn new_secret_of(&self, client: &Client, secret: &SecretText) -> Result<ClientSecret, HostError> {
        let host = self.inner.sealed_secrets.as_deref();
        match client.metadata().needs_sealed_secret() {
            true if host.is_none() => Err(Mistakes(vec![ClientError::SecretNotSealed]).into()),
            true => Ok(ClientSecret::new(secret, host)?),
            false => Ok(ClientSecret::new(secret, None)?),
        }
    }
}
