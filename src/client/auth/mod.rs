//! Client authentication (RFC 6749 section 2.3): one table of methods, one entry, one exit. An unknown client
//! costs as much as wrong credentials, except that a slow hash is computed only for a client that has one.
//!
//! A method is a file that fills a row of [`METHODS`]. [`READERS`] read the credentials of a request, and at
//! most one may find any; the row of the client's registered method then checks them.

mod client_secret_jwt;
mod none;
mod private_key_jwt;
mod secret;
mod slow_hash;
mod tls;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::keys::ClientKeys;
use super::{AuthMethod, CertificateSubject, Client, ClientId, ExpectedCertificate, ShownCertificate};
use crate::base::{ReplayKey, SecretText};
use crate::error::{AssertionFlaw, CertificateFlaw, Reason};
use crate::http::form::Form;
use crate::http::{Certificate, Request};
use crate::outbound::ChosenBy;

pub(crate) use private_key_jwt::{ASSERTION_TYPES, AssertionRules};
pub use slow_hash::SlowHash;
pub(crate) use tls::CertificateRules;

/// A client authentication method.
pub(crate) struct Method {
    pub(crate) name: AuthMethod,
    /// The registered credentials of a client with this method.
    pub(crate) credentials: Credentials,
    /// Where its credentials are in a request.
    carried: Carried,
    /// Checks the credentials, apart from a slow hash. Without a client it takes the same time, and the
    /// result is ignored.
    check: fn(&SecretText, Option<&Client>, DateTime<Utc>) -> Check,
}

/// All methods, in the order in which the metadata list them.
pub(crate) const METHODS: &[Method] = &[
    none::METHOD,
    secret::BASIC,
    secret::POST,
    private_key_jwt::METHOD,
    client_secret_jwt::METHOD,
    tls::PKI,
    tls::SELF_SIGNED,
];

/// What a client authenticates with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nothing: it is public.
    Nothing,
    /// A secret that it shares with the server.
    Secret,
    /// A shared secret that the server can open.
    SealedSecret,
    /// A signing key, of which the server has the public key.
    Keys,
    /// A name in its certificate.
    Certificate,
    /// The key of its certificate, of which the server has the public key.
    CertifiedKeys,
}

impl Credentials {
    /// Whether the connection proves these credentials, rather than the request.
    pub(crate) fn are_of_connection(self) -> bool {
        match self {
            Self::Certificate | Self::CertifiedKeys => true,
            Self::Nothing | Self::Secret | Self::SealedSecret | Self::Keys => false,
        }
    }

    /// Whether a client registers keys for these credentials.
    pub(crate) fn are_keys(self) -> bool {
        match self {
            Self::Keys | Self::CertifiedKeys => true,
            Self::Nothing | Self::Secret | Self::SealedSecret | Self::Certificate => false,
        }
    }
}

/// Where credentials are in a request. At most one of these may find any.
struct Reader {
    find: for<'r> fn(&'r Request, &'r Form<'_>) -> Result<Option<&'r str>, Reason>,
    read: fn(&str, &Form<'_>) -> Result<Presented, Reason>,
}

const READERS: &[Reader] = &[secret::IN_HEADER, secret::IN_BODY, private_key_jwt::IN_BODY];

/// The kind of credentials in a request, as far as the limits on guesses need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    Nothing,
    /// A secret so short that a person may have chosen it, and an attacker may guess it.
    Short,
    /// A secret as long as a generated one.
    Long,
    /// A signature or a certificate, which cannot be guessed, and which a browser would not ask its user for.
    Proof,
}

/// 128 bits in base64url. A generated secret has 256 bits.
const SHORTEST_GENERATED: usize = 22;

/// The claimed client of a request, and its credentials.
#[derive(Debug)]
pub(crate) struct Presented {
    id: ClientId,
    carried: Carried,
    /// The secret or the assertion; empty where there is none.
    evidence: SecretText,
    /// What the connection proved. It counts only for a client that authenticates by it.
    certificate: Option<Certificate>,
}

/// The credentials of a request besides the client's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    Nothing,
    /// A secret in the `Authorization` header.
    Header,
    /// A secret in the body.
    Body,
    /// A signed assertion in the body.
    Assertion,
}

/// The result of checking credentials.
enum Check {
    Right,
    Wrong(Reason),
    /// The secret has to be compared with these PHC strings.
    SlowHash(Vec<String>),
    /// The signature of the assertion has to be verified.
    Signature,
    /// The certificate of the connection has to be read.
    Certificate,
}

/// An authenticated client, or a public one that named itself. Only [`Presented::authenticate`] makes one,
/// and a grant can be requested only with one.
#[derive(Clone, Debug)]
pub struct AuthenticatedClient(Arc<Client>);

/// The state of an authentication.
#[derive(Debug)]
pub(crate) enum AuthenticationStep {
    Done(AuthenticatedClient),
    Failed(Reason),
    /// The client has a slow hash, which is computed off the async threads.
    SlowHash(AwaitHash),
    /// The client signs what it sends.
    Signature(AwaitClaims),
    /// The client showed a certificate.
    Certificate(AwaitCertificate),
}

impl AuthMethod {
    /// The registered credentials of a client with this method.
    pub(crate) fn credentials(self) -> Credentials {
        let row = METHODS.iter().find(|method| method.name == self);
        row.map_or(Credentials::Nothing, |method| method.credentials)
    }
}

impl Presented {
    /// Reads credentials from the `Authorization` header or from the body, never from the URI.
    pub(crate) fn parse(request: &Request, form: &Form<'_>) -> Result<Self, Reason> {
        let in_query = |query: &str| query.contains("client_secret") || query.contains("client_assertion");
        if request.query.as_deref().is_some_and(in_query) {
            return Err(Reason::ClientSecretInQuery);
        }
        let mut found = None;
        for reader in READERS {
            let Some(text) = (reader.find)(request, form)? else { continue };
            if found.replace((reader, text)).is_some() {
                return Err(Reason::ClientMethodsMixed);
            }
        }
        let presented = match found {
            Some((reader, text)) => (reader.read)(text, form)?,
            None => none::read(request, form)?,
        };
        Ok(Self { certificate: request.certificate.clone(), ..presented })
    }

    /// The client that has to be looked up.
    pub(crate) fn client_id(&self) -> &ClientId {
        &self.id
    }

    /// The secret that was presented, if it is one that the server has seen before; it proves nothing yet.
    pub(crate) fn shared_secret(&self) -> Option<SecretText> {
        match self.carried {
            Carried::Header | Carried::Body => Some(SecretText::new(self.evidence.reveal())),
            Carried::Nothing | Carried::Assertion => None,
        }
    }

    /// The kind of credentials that were presented, before they are checked.
    pub(crate) fn evidence(&self) -> Evidence {
        match self.carried {
            Carried::Nothing if self.certificate.is_some() => Evidence::Proof,
            Carried::Nothing => Evidence::Nothing,
            Carried::Header | Carried::Body if self.evidence.reveal().len() < SHORTEST_GENERATED => {
                Evidence::Short
            }
            Carried::Header | Carried::Body => Evidence::Long,
            Carried::Assertion => Evidence::Proof,
        }
    }

    /// The one exit. For an unknown client, and for one with another method, checking costs the same as for
    /// wrong credentials.
    pub(crate) fn authenticate(self, found: Option<Arc<Client>>, now: DateTime<Utc>) -> AuthenticationStep {
        let Self { carried, evidence, certificate, .. } = self;
        let registered = |client: &Arc<Client>| METHODS.iter().find(|own| own.name == client.auth_method);
        let own = found.as_ref().and_then(registered).filter(|own| own.carried == carried);
        let client = match (found, own) {
            (Some(client), Some(_)) => Ok(client),
            (Some(client), None) => Err(other_method(&client, certificate.is_some())),
            (None, _) => Err(Reason::ClientUnknown),
        };
        // The certificate of an unknown client is read, and the result ignored.
        let alike = |method: &&Method| {
            let by_connection = certificate.is_some() && client == Err(Reason::ClientUnknown);
            method.carried == carried
                && (carried != Carried::Nothing || method.credentials.are_of_connection() == by_connection)
        };
        let Some(method) = own.or_else(|| METHODS.iter().find(alike)) else {
            return AuthenticationStep::Failed(Reason::ClientMethodNotRegistered);
        };
        match ((method.check)(&evidence, client.as_deref().ok(), now), client) {
            (Check::Signature, client) => {
                AuthenticationStep::Signature(AwaitClaims { client, assertion: evidence })
            }
            (Check::Certificate, client) => AwaitCertificate::new(client, certificate)
                .map_or_else(AuthenticationStep::Failed, AuthenticationStep::Certificate),
            (_, Err(reason)) | (Check::Wrong(reason), Ok(_)) => AuthenticationStep::Failed(reason),
            (Check::Right, Ok(client)) => AuthenticationStep::Done(AuthenticatedClient(client)),
            (Check::SlowHash(slow), Ok(client)) => {
                AuthenticationStep::SlowHash(AwaitHash { client, slow, secret: evidence })
            }
        }
    }
}

/// The reason if a client used another method than it registered. A certificate together with other
/// credentials is two methods.
fn other_method(client: &Client, shows_certificate: bool) -> Reason {
    match shows_certificate && client.auth_method.credentials().are_of_connection() {
        true => Reason::ClientMethodsMixed,
        false => Reason::ClientMethodNotRegistered,
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

    /// Continues with the answer.
    pub(crate) fn with_answer(self, right: bool) -> Result<AuthenticatedClient, Reason> {
        match right {
            true => Ok(AuthenticatedClient(self.client)),
            false => Err(Reason::ClientSecretWrong),
        }
    }
}

/// Waits for the claims of an assertion that the client signed.
#[derive(Debug)]
pub(crate) struct AwaitClaims {
    /// Why it cannot be this client, if that is known.
    client: Result<Arc<Client>, Reason>,
    assertion: SecretText,
}

impl AwaitClaims {
    /// The expected client, if there is one.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.as_deref().ok()
    }

    /// The keys that may have signed; without any, verify nevertheless, so it costs the same.
    pub(crate) fn keys(&self) -> Option<&ClientKeys> {
        self.client.as_ref().ok().and_then(|client| client.keys.as_deref())
    }

    /// The client, if its assertion has a MAC by its secret (`client_secret_jwt`) instead of a signature.
    pub(crate) fn client_with_mac(&self) -> Option<&Client> {
        self.client().filter(|client| client.auth_method.credentials() == Credentials::SealedSecret)
    }

    /// The one algorithm that the client registered, if it did.
    pub(crate) fn algorithm(&self) -> Option<&str> {
        let client = self.client.as_ref().ok()?;
        client.metadata.token_endpoint_auth_signing_alg.as_deref()
    }

    pub(crate) fn assertion(&self) -> &str {
        self.assertion.reveal()
    }

    /// Takes the claims. Whether this is their first use is still open.
    pub(crate) fn with_claims(
        self,
        claims: Result<Map<String, Value>, Reason>,
        now: DateTime<Utc>,
        issuer: &str,
        rules: Option<&AssertionRules>,
    ) -> Result<(AuthenticatedClient, ReplayKey, DateTime<Utc>), Reason> {
        let client = self.client?;
        let (key, until) =
            private_key_jwt::check(claims?, &client, now, issuer, rules).map_err(Reason::ClientAssertion)?;
        Ok((AuthenticatedClient(client), key, until))
    }
}

/// Waits for the result of reading the client certificate.
#[derive(Debug)]
pub(crate) struct AwaitCertificate {
    /// Why it cannot be this client, if that is known.
    client: Result<Arc<Client>, Reason>,
    certificate: Certificate,
    /// The expected name, if there is one.
    subject: Option<CertificateSubject>,
}

impl AwaitCertificate {
    fn new(client: Result<Arc<Client>, Reason>, certificate: Option<Certificate>) -> Result<Self, Reason> {
        if let Ok(client) = &client {
            tls::precheck(client, certificate.as_ref())?;
        }
        let certificate = certificate.ok_or(CertificateFlaw::Missing)?;
        let by_name = |client: &&Arc<Client>| client.auth_method.credentials() == Credentials::Certificate;
        let subject = client.as_ref().ok().filter(by_name).and_then(|client| client.certificate_subject());
        Ok(Self { client, certificate, subject })
    }

    /// What has to be read; without an expectation it is read nevertheless, so it costs the same.
    pub(crate) fn question(&self) -> ShownCertificate<'_> {
        let client = self.client.as_deref().ok();
        let by_key = |client: &&Client| client.auth_method.credentials() == Credentials::CertifiedKeys;
        let keys = client.filter(by_key).and_then(Client::keys);
        let named = self.subject.as_ref().map(ExpectedCertificate::Named);
        let expected = named.or(keys.map(ExpectedCertificate::OfKey));
        ShownCertificate::new(
            &self.certificate,
            expected,
            client.map_or(ChosenBy::Client, Client::urls_chosen_by),
        )
    }

    /// Continues with the answer.
    pub(crate) fn with_answer(
        self,
        answer: Result<(), CertificateFlaw>,
    ) -> Result<AuthenticatedClient, Reason> {
        let client = self.client?;
        answer?;
        Ok(AuthenticatedClient(client))
    }
}

/// The refusal of an assertion that was used before.
pub(crate) const REPLAYED: Reason = Reason::ClientAssertion(AssertionFlaw::Replayed);

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
