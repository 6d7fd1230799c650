//! Generates the id and the secret of a new application.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::{Client, ClientBuilder, ClientErrors, ClientId, ClientSecret, SealedSecrets};
use crate::base::{FreshSecrets, SecretText};
use crate::error::BackendError;

/// A new client. Its secret is available only now: the server keeps a digest and, if the client needs it, the
/// sealed secret.
#[derive(Debug)]
#[non_exhaustive]
pub struct Registered {
    /// The client, with its new id.
    pub client: Arc<Client>,
    /// Its secret, unless it is public.
    pub secret: Option<SecretText>,
}

impl ClientBuilder {
    /// Generates an id of 128 random bits and, for a confidential client, a secret of 256. Both are
    /// base64url, so it does not matter whether a client form-encodes its Basic credentials.
    pub(crate) fn register<E: From<ClientErrors> + From<BackendError>>(
        self,
        fresh: FreshSecrets,
        host: Option<&dyn SealedSecrets>,
        now: DateTime<Utc>,
    ) -> Result<Registered, E> {
        let builder = self.id(ClientId::new(fresh.grant.to_string())).issued(Some(now));
        let secret = builder.wants_secret().then(|| URL_SAFE_NO_PAD.encode(fresh.first.bytes()));
        let secret = secret.map(SecretText::new);
        let builder = match &secret {
            Some(secret) => builder.generated_secret(secret, host)?,
            None => builder,
        };
        Ok(Registered { client: Arc::new(builder.build()?), secret })
    }

    /// Makes this generated secret the client's only one. The host seals it if the client needs that.
    pub(crate) fn generated_secret(
        self,
        secret: &SecretText,
        host: Option<&dyn SealedSecrets>,
    ) -> Result<Self, BackendError> {
        let host = host.filter(|_| self.metadata.needs_sealed_secret());
        let secret = ClientSecret::new(secret, host)?;
        Ok(self.secrets(vec![secret]))
    }
}
