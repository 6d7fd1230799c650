//! Client secrets as MAC keys: for responses (`HS256`, OpenID Connect Core section 10.1) and for client
//! assertions.

use chrono::{DateTime, Utc};

use crate::base::{ResponseAlgorithm, SecretText};
use crate::client::{Client, ClientId, Sealed};
use crate::error::{BackendError, Fault, Reason, Refusal};
use crate::flow::logout::HintClaims;
use crate::openid::ClientMacs;
use crate::server::AuthorizationServer;
use crate::signing::Unsigned;

impl AuthorizationServer {
    /// Signs content for this client, with a key of the server or with the client's secret.
    pub(in crate::server) async fn sign_for(
        &self,
        client: &Client,
        what: &Unsigned,
        algorithm: ResponseAlgorithm,
    ) -> Result<String, Refusal> {
        match algorithm {
            ResponseAlgorithm::Key(_) => self.sign(what).await,
            ResponseAlgorithm::Hs256 => self.sign_with_secret(what, &self.newest_secret(client)?),
        }
    }

    pub(in crate::server) fn sign_with_secret(
        &self,
        what: &Unsigned,
        secret: &SecretText,
    ) -> Result<String, Refusal> {
        let macs = self.client_macs().ok_or(Reason::NotConfigured)?;
        Ok(macs.sign(what, secret).map_err(Fault::from)?)
    }

    /// The newest sealed secret of a client, opened.
    pub(in crate::server) fn newest_secret(&self, client: &Client) -> Result<SecretText, Refusal> {
        let now = self.now();
        let sealed = client.sealed_secrets(now);
        self.open_secret(sealed.last().ok_or(Reason::IdTokenAlgorithm)?, client, now)
    }

    /// The claims of an `id_token_hint` with a MAC by an unexpired secret of the client that it names. That
    /// client could have made it, so it proves only what the client claims. As with a signature, the
    /// algorithm that the client has now does not matter: it may have changed since.
    pub(in crate::server) async fn hint_with_mac(&self, hint: &str) -> Result<Option<String>, Refusal> {
        let Some(macs) = self.client_macs() else { return Ok(None) };
        let Some(id) = macs.claimed_client(hint, HintClaims::TYPE) else { return Ok(None) };
        // Looked up only in the registry: a client with a metadata document has no secret, and a hint must
        // not cause a fetch.
        let Some(client) = self.find_any_client(&ClientId::new(id)).await? else { return Ok(None) };
        Ok(macs.verify(hint, HintClaims::TYPE, &self.open_secrets(&client)?))
    }

    /// The unexpired sealed secrets of this client. If the host cannot open one of them, the request fails.
    pub(in crate::server) fn open_secrets(&self, client: &Client) -> Result<Vec<SecretText>, Refusal> {
        let now = self.now();
        client.sealed_secrets(now).iter().map(|own| self.open_secret(own, client, now)).collect()
    }

    /// Opens a secret, and checks that it belongs to this client. If the host mixed two clients up, the owner
    /// of the secret could impersonate this client, and this client could verify nothing.
    fn open_secret(
        &self,
        Sealed(text): &Sealed,
        client: &Client,
        now: DateTime<Utc>,
    ) -> Result<SecretText, Refusal> {
        let host = self.inner.sealed_secrets.as_ref().ok_or(Reason::NotConfigured)?;
        let secret = host.open(text).map_err(Fault::from)?;
        let wrong = || Fault::from(BackendError::permanent("the opened secret is not one of its client"));
        Ok(client.has_secret(&secret, now).then_some(secret).ok_or_else(wrong)?)
    }

    fn client_macs(&self) -> Option<&'static dyn ClientMacs> {
        self.rules().openid.as_ref()?.macs
    }
}
