//! A client that manages its own registration (RFC 7592): its authentication, and the response.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::base::secret::Masked;
use crate::base::{Digest, SECRET_BYTES, Secret, SecretText};
use crate::client::{Client, ClientId, ClientMetadata, ClientState};
use crate::error::{Reason, Refusal};
use crate::http::bearer::presented;
use crate::http::form::Form;
use crate::http::{Request, Response};
use crate::issuance::Facts;

/// A registration access token: a prefix for secret scanners, and 256 bits.
#[derive(Debug)]
pub struct RegistrationToken(Secret);

const PREFIX: &str = "grg_";

impl RegistrationToken {
    pub(crate) fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Accepts only the canonical spelling of a token.
    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; SECRET_BYTES] = bytes.try_into().ok()?;
        Some(Self(Secret::new(bytes)))
    }

    /// The digest that the client's record stores.
    pub(crate) fn digest(&self) -> Digest {
        self.0.digest("grantor:registration:v1")
    }

    fn reveal(&self) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0.bytes()))
    }

    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    /// Masks a client secret for storage: it cannot be read without this token.
    pub(super) fn hide(&self, secret: &Secret) -> Masked {
        Masked::hide(secret, &self.0, SECRET_PAD)
    }

    /// The client's secret, if this token can reveal it and it has not expired.
    pub(super) fn secret_of(&self, client: &Client, now: DateTime<Utc>) -> Option<SecretText> {
        let hidden = client.self_registration.as_ref()?.secret?;
        let secret = secret_text(&hidden.reveal(&self.0, SECRET_PAD));
        client.has_secret(&secret, now).then_some(secret)
    }
}

const SECRET_PAD: &str = "grantor:registered-secret:v1";

/// A client secret as it is sent.
pub(crate) fn secret_text(secret: &Secret) -> SecretText {
    SecretText::new(URL_SAFE_NO_PAD.encode(secret.bytes()))
}

/// A parsed request; its client is unverified.
#[derive(Debug)]
pub struct AwaitClient {
    id: ClientId,
    token: RegistrationToken,
}

impl AwaitClient {
    /// Reads the `client_id` of the configuration URI, and the registration access token.
    ///
    /// # Errors
    /// One of them is missing or malformed; the response is the same as for a wrong token, unless there is no
    /// token at all.
    pub fn parse(request: &Request) -> Result<Self, Refusal> {
        let query = Form::parse(request.query.as_deref().unwrap_or_default().as_bytes())?;
        let token = match presented(request) {
            Ok(token) => RegistrationToken::parse(token),
            Err(Reason::TokenMissing) => return Err(Reason::RegistrationTokenMissing.into()),
            Err(_) => None,
        };
        let id = query.one("client_id")?.ok_or(Reason::RegistrationTokenWrong)?;
        Ok(Self { id: ClientId::new(id), token: token.ok_or(Reason::RegistrationTokenWrong)? })
    }

    /// The client that has to be looked up, served or not.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.id
    }

    /// Takes the client. The response is the same for an unknown client, for a client with another token, and
    /// for one that the host registered.
    ///
    /// # Errors
    /// The token is not this client's, or the host disabled the client.
    pub fn with_client(
        &self,
        found: Option<Arc<Client>>,
        facts: &Facts<'_>,
    ) -> Result<ConfiguredClient, Refusal> {
        let kept = found.as_deref().and_then(|client| client.self_registration.as_ref()?.token);
        let right = kept.unwrap_or(Digest::DECOY).matches(&self.token.digest());
        let client = found.filter(|_| right && kept.is_some()).ok_or(Reason::RegistrationTokenWrong)?;
        match client.state() {
            ClientState::Disabled => Err(Reason::ClientDisabled.into()),
            ClientState::Ending => Ok(ConfiguredClient { client, is_served: false }),
            ClientState::Active => Ok(ConfiguredClient { is_served: client.is_served(facts.now), client }),
        }
    }
}

/// A client that authenticated with its registration access token.
#[derive(Debug)]
pub struct ConfiguredClient {
    client: Arc<Client>,
    is_served: bool,
}

impl ConfiguredClient {
    /// The client, to be read or changed.
    ///
    /// # Errors
    /// Its deletion has begun, or its registration has expired: it can only be deleted.
    pub fn served(&self) -> Result<&Arc<Client>, Refusal> {
        match self.is_served {
            true => Ok(&self.client),
            false => Err(Reason::RegistrationTokenWrong.into()),
        }
    }

    /// The client, to be deleted. This includes a client whose deletion was interrupted.
    #[must_use]
    pub fn any(&self) -> &Arc<Client> {
        &self.client
    }
}

impl AwaitClient {
    /// The response to a client that reads its registration. It contains the token that was presented, and
    /// the secret that this token unmasks.
    pub fn read(self, client: &Client, facts: &Facts<'_>) -> ClientInformation {
        let Facts { now, .. } = *facts;
        let secret = self.token.secret_of(client, now);
        ClientInformation::new(client, secret, Some(self.token), now)
    }

    /// The registration access token that was presented.
    #[must_use]
    pub fn token(&self) -> &RegistrationToken {
        &self.token
    }
}

/// The registration response (RFC 7591 section 3.2.1, RFC 7592 section 3).
#[derive(Debug)]
#[must_use]
pub struct ClientInformation {
    id: ClientId,
    issued: Option<DateTime<Utc>>,
    secret: Option<SecretText>,
    /// In seconds since 1970; 0 is never, and `None` is a client without a secret.
    secret_expires: Option<i64>,
    token: Option<RegistrationToken>,
    statement: Option<String>,
    metadata: ClientMetadata,
}

impl ClientInformation {
    pub(super) fn new(
        client: &Client,
        secret: Option<SecretText>,
        token: Option<RegistrationToken>,
        now: DateTime<Utc>,
    ) -> Self {
        let secrets = client.live_secrets(now);
        let newest = secrets.last().or(client.secrets.last());
        let mut metadata = client.metadata().clone().with_host_terms_of(&ClientMetadata::default());
        metadata.scope = metadata.scope.filter(|scope| !scope.is_empty());
        Self {
            id: client.id().clone(),
            issued: client.issued(),
            secret,
            secret_expires: newest.map(|newest| newest.expires.map_or(0, |until| until.timestamp())),
            token,
            statement: client.self_registration.as_ref().and_then(|own| own.software_statement.clone()),
            metadata,
        }
    }

    /// The response; `endpoint` is the URL of the registration endpoint.
    pub fn into_response(self, status: u16, endpoint: &str) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            client_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_id_issued_at: Option<i64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_secret: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_secret_expires_at: Option<i64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            registration_access_token: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            registration_client_uri: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            software_statement: Option<&'a str>,
            #[serde(flatten)]
            metadata: &'a ClientMetadata,
        }
        let id = self.id.as_str();
        let body = Body {
            client_id: id,
            client_id_issued_at: self.issued.map(|at| at.timestamp()),
            client_secret: self.secret.as_ref().map(SecretText::reveal),
            client_secret_expires_at: self.secret_expires,
            registration_client_uri: self.token.as_ref().map(|_| format!("{endpoint}?client_id={id}")),
            registration_access_token: self.token.as_ref().map(RegistrationToken::reveal),
            software_statement: self.statement.as_deref(),
            metadata: &self.metadata,
        };
        Response::secret_json_of(status, &body)
    }
}
