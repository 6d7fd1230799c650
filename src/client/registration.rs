//! A new application gets its id and its secret.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::{Client, ClientBuilder, ClientErrors, ClientId};
use crate::base::{FreshSecrets, SecretText};

/// A client that was just made. The secret is shown now or never: only its digest is kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct Registered {
    /// The client, with its new id.
    pub client: Arc<Client>,
    /// Its secret, unless it is public.
    pub secret: Option<SecretText>,
}

impl ClientBuilder {
    /// Makes an id of 128 random bits and, for a confidential client, a secret of 256. Both are base64url, so
    /// that clients which encode Basic credentials and clients which do not agree on them.
    pub(crate) fn register(
        self,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
    ) -> Result<Registered, ClientErrors> {
        let builder = self.id(ClientId::new(fresh.grant.to_string())).issued(Some(now));
        let secret = builder.wants_secret().then(|| URL_SAFE_NO_PAD.encode(fresh.first.bytes()));
        let builder = match &secret {
            Some(secret) => builder.secret(secret.clone()),
            None => builder,
        };
        Ok(Registered { client: Arc::new(builder.build()?), secret: secret.map(SecretText::new) })
    }
}
