//! Client authentication (RFC 6749 section 2.3): one way in, one exit, the same cost for every failure.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::{AuthMethod, Client, ClientId, SecretHash};
use crate::error::Reason;
use crate::form::{self, Form};
use crate::http::Request;
use crate::secret::{Digest, SecretText};

/// Who a request says it comes from, and by what it would prove that.
#[derive(Debug)]
pub(crate) struct Presented {
    id: ClientId,
    secret: SecretText,
    method: AuthMethod,
}

/// What a request brings along to prove its client, as far as a limit on guesses has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    Nothing,
    /// So short that a person may have chosen it, and another one may guess it.
    Short,
    /// As long as what is generated.
    Long,
}

/// 128 bits in base64url. A generated secret has 256 bits.
const SHORTEST_GENERATED: usize = 22;

/// A client that proved who it is, or a public one that named itself. Only [`Presented::authenticate`]
/// makes one, and only from one can a grant be asked for.
#[derive(Clone, Debug)]
pub(crate) struct AuthenticatedClient(Arc<Client>);

/// What becomes of an authentication.
#[derive(Debug)]
pub(crate) enum Authentication {
    Done(AuthenticatedClient),
    Failed(Reason),
    /// The client has a slow hash, which is computed off the async threads.
    Hash(AwaitHash),
}

impl Presented {
    /// Reads credentials from the `Authorization` header or from the body, never from the URI.
    pub(crate) fn parse(request: &Request, form: &Form<'_>) -> Result<Self, Reason> {
        let in_query = |query: &str| query.contains("client_secret") || query.contains("client_assertion");
        if request.query.as_deref().is_some_and(in_query) {
            return Err(Reason::ClientSecretInQuery);
        }
        let (id, secret) = (form.one("client_id")?, form.one("client_secret")?);
        let assertion = form.one("client_assertion")?.or(form.one("client_assertion_type")?);
        let header = request.headers.one("authorization")?;
        if [header, secret, assertion].iter().flatten().count() > 1 {
            return Err(Reason::ClientMethodsMixed);
        }
        if assertion.is_some() {
            return Err(Reason::ClientMethodNotRegistered);
        }
        if let Some(header) = header {
            let presented = Self::basic(header).ok_or(Reason::ClientCredentialsMalformed)?;
            return match id {
                Some(id) if id != presented.id.as_str() => Err(Reason::ClientMethodsMixed),
                _ => Ok(presented),
            };
        }
        let method = match secret {
            Some(_) => AuthMethod::ClientSecretPost,
            None => AuthMethod::None,
        };
        Ok(Self {
            id: ClientId::new(id.ok_or(Reason::ClientMissing)?),
            secret: SecretText::new(secret.unwrap_or_default()),
            method,
        })
    }

    /// `Basic base64(form(id):form(secret))`, RFC 6749 section 2.3.1.
    fn basic(header: &str) -> Option<Self> {
        let (scheme, rest) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = STANDARD.decode(rest.trim()).ok()?;
        let colon = decoded.iter().position(|b| *b == b':')?;
        let id = form::decode(&decoded[..colon]).ok()?;
        let secret = form::decode(&decoded[colon + 1..]).ok()?;
        Some(Self {
            id: ClientId::new(id.as_ref()),
            secret: SecretText::new(secret),
            method: AuthMethod::ClientSecretBasic,
        })
    }

    /// The client that has to be looked up.
    pub(crate) fn client_id(&self) -> &ClientId {
        &self.id
    }

    /// The secret that was presented, if it is one that the server has seen before; it proves nothing yet.
    pub(crate) fn shared_secret(&self) -> Option<SecretText> {
        match self.method {
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => {
                Some(SecretText::new(self.secret.reveal()))
            }
            AuthMethod::None => None,
        }
    }

    /// What it brings along, before anybody looks whether it is right.
    pub(crate) fn evidence(&self) -> Evidence {
        match self.method {
            AuthMethod::None => Evidence::Nothing,
            _ if self.secret.reveal().len() < SHORTEST_GENERATED => Evidence::Short,
            _ => Evidence::Long,
        }
    }

    /// The one exit. An unknown client costs what a wrong secret costs: one digest, one comparison.
    pub(crate) fn authenticate(self, found: Option<Arc<Client>>, now: DateTime<Utc>) -> Authentication {
        let presented = self.secret.digest();
        let secrets = found.as_deref().map_or(&[][..], |c| &c.secrets);
        let live = secrets.iter().filter(|secret| secret.is_live(now));
        let right =
            live.clone().fold(Digest::DECOY.matches(&presented), |right, secret| match &secret.hash {
                SecretHash::Sha256(digest) => digest.matches(&presented) | right,
                SecretHash::Phc(_) => right,
            });
        let slow = live.filter_map(|secret| match &secret.hash {
            SecretHash::Phc(phc) => Some(phc.clone()),
            SecretHash::Sha256(_) => None,
        });
        let slow: Vec<String> = slow.collect();

        let Some(client) = found else {
            return Authentication::Failed(Reason::ClientUnknown);
        };
        if client.auth_method != self.method {
            return Authentication::Failed(Reason::ClientMethodNotRegistered);
        }
        if right || self.method == AuthMethod::None {
            return Authentication::Done(AuthenticatedClient(client));
        }
        match slow.is_empty() {
            false => Authentication::Hash(AwaitHash { client, slow, secret: self.secret }),
            true => Authentication::Failed(Reason::ClientSecretWrong),
        }
    }
}

/// Waits for a slow hash to be computed.
#[derive(Debug)]
pub(crate) struct AwaitHash {
    client: Arc<Client>,
    slow: Vec<String>,
    secret: SecretText,
}

impl AwaitHash {
    /// What has to be compared: the stored PHC strings, any of which will do, and the presented secret.
    pub(crate) fn question(&self) -> (&[String], &SecretText) {
        (&self.slow, &self.secret)
    }

    /// Takes the answer.
    pub(crate) fn with_answer(self, right: bool) -> Result<AuthenticatedClient, Reason> {
        match right {
            true => Ok(AuthenticatedClient(self.client)),
            false => Err(Reason::ClientSecretWrong),
        }
    }
}

impl AuthenticatedClient {
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.0
    }

    /// The client, if its authentication proves who it is.
    pub(crate) fn confidential(&self) -> Result<&Arc<Client>, Reason> {
        match self.0.is_confidential() {
            true => Ok(&self.0),
            false => Err(Reason::ClientNotConfidential),
        }
    }
}

/// Checks secrets that people chose, slowly and off the async threads. The feature `argon2` has one.
#[async_trait]
pub trait SlowHash: Send + Sync + fmt::Debug {
    /// Whether `presented` is the secret of this PHC string; `None` if too many are being checked already.
    ///
    /// `presented` is hostile, `phc` comes from your registry. A false `true` lets anybody be this client.
    async fn verify(&self, phc: &str, presented: &SecretText) -> Option<bool>;
}
