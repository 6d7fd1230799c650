//! Client authentication (RFC 6749 section 2.3): one table of methods, one way in, one exit, and the same cost for every
//! failure.
//!
//! A method is a file that fills a row of [`METHODS`]. What a request carries is read by [`READERS`], of which at most one
//! may find something; the row of the client's registered method then judges it.

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
use super::{
    AuthMethod, CertificateSubject, Client, ClientId, ExpectedCertificate, Sealed, ShownCertificate,
};
use crate::base::{ReplayKey, SecretText};
use crate::error::{AssertionFlaw, CertificateFlaw, Reason};
use crate::http::form::Form;
use crate::http::{Certificate, Request};

pub(crate) use private_key_jwt::{ASSERTION_TYPES, AssertionRules};
pub use slow_hash::SlowHash;
pub(crate) use tls::CertificateRules;

/// A way for clients to prove who they are.
pub(crate) struct Method {
    pub(crate) name: AuthMethod,
    /// What a client of this method has registered.
    pub(crate) credentials: Credentials,
    /// Where its evidence stands in a request.
    carried: Carried,
    /// Judges the evidence. Without a client it takes the same time, and what comes out counts for nothing.
    check: fn(&SecretText, Option<&Client>, DateTime<Utc>) -> Check,
}

/// All of them, in the order in which metadata list them.
pub(crate) const METHODS: &[Method] = &[
    none::METHOD,
    secret::BASIC,
    secret::POST,
    private_key_jwt::METHOD,
    client_secret_jwt::METHOD,
    tls::PKI,
    tls::SELF_SIGNED,
];

/// What a client has to prove itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nothing: it is public.
    Nothing,
    /// A secret that it shares with the server.
    Secret,
    /// The same, which the server can open again.
    SealedSecret,
    /// A key by which it signs, and of which the server has the public half.
    Keys,
    /// A name in its certificate.
    Certificate,
    /// A key of its certificate, of which the server has the public half.
    CertifiedKeys,
}

impl Credentials {
    /// Whether the connection proves them, and not the request.
    pub(crate) fn are_of_connection(self) -> bool {
        match self {
            Self::Certificate | Self::CertifiedKeys => true,
            Self::Nothing | Self::Secret | Self::SealedSecret | Self::Keys => false,
        }
    }

    /// Whether a client registers keys for them.
    pub(crate) fn are_keys(self) -> bool {
        match self {
            Self::Keys | Self::CertifiedKeys => true,
            Self::Nothing | Self::Secret | Self::SealedSecret | Self::Certificate => false,
        }
    }
}

/// Where evidence stands in a request. At most one of these may find something.
struct Reader {
    find: for<'r> fn(&'r Request, &'r Form<'_>) -> Result<Option<&'r str>, Reason>,
    read: fn(&str, &Form<'_>) -> Result<Presented, Reason>,
}

const READERS: &[Reader] = &[secret::IN_HEADER, secret::IN_BODY, private_key_jwt::IN_BODY];

/// What a request brings along to prove its client, as far as a limit on guesses has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    Nothing,
    /// So short that a person may have chosen it, and another one may guess it.
    Short,
    /// As long as what is generated.
    Long,
    /// A signature, or a certificate: there is nothing to guess, and nothing that a browser could ask for.
    Proof,
}

/// 128 bits in base64url. A generated secret has 256 bits.
const SHORTEST_GENERATED: usize = 22;

/// Who a request says it comes from, and by what it would prove that.
#[derive(Debug)]
pub(crate) struct Presented {
    id: ClientId,
    carried: Carried,
    /// The secret or the assertion; empty where there is none.
    evidence: SecretText,
    /// What the connection proved. It counts for a client that authenticates by it, and for no other.
    certificate: Option<Certificate>,
}

/// What a request carries besides the client's name.
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

/// What becomes of evidence.
enum Check {
    Right,
    Wrong(Reason),
    /// It has to be compared with these PHC strings.
    SlowHash(Vec<String>),
    /// Its signature has to be verified.
    Signature,
    /// The certificate of the connection has to be read.
    Certificate,
}

/// A client that proved who it is, or a public one that named itself. Only [`Presented::authenticate`]
/// makes one, and only from one can a grant be asked for.
#[derive(Clone, Debug)]
pub struct AuthenticatedClient(Arc<Client>);

/// What becomes of an authentication.
#[derive(Debug)]
pub(crate) enum Authentication {
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
    /// What a client of this method has registered.
    pub(crate) fn credentials(self) -> Credentials {
        let row = METHODS.iter().find(|method| method.name == self);
        row.map_or(Credentials::Nothing, |method| method.credentials)
    }
}

impl Presented {
    /// Reads evidence from the `Authorization` header or from the body, never from the URI.
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

    /// What it brings along, before anybody looks whether it is right.
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

    /// The one exit. Of an unknown client, and of one that has another method, the evidence costs what wrong evidence costs.
    pub(crate) fn authenticate(self, found: Option<Arc<Client>>, now: DateTime<Utc>) -> Authentication {
        let Self { carried, evidence, certificate, .. } = self;
        let registered = |client: &Arc<Client>| METHODS.iter().find(|own| own.name == client.auth_method);
        let own = found.as_ref().and_then(registered).filter(|own| own.carried == carried);
        let client = match (found, own) {
            (Some(client), Some(_)) => Ok(client),
            (Some(client), None) => Err(other_method(&client, certificate.is_some())),
            (None, _) => Err(Reason::ClientUnknown),
        };
        // An unknown client that shows a certificate has it read in vain.
        let alike = |method: &&Method| {
            let by_connection = certificate.is_some() && client == Err(Reason::ClientUnknown);
            method.carried == carried
                && (carried != Carried::Nothing || method.credentials.are_of_connection() == by_connection)
        };
        let Some(method) = own.or_else(|| METHODS.iter().find(alike)) else {
            return Authentication::Failed(Reason::ClientMethodNotRegistered);
        };
        match ((method.check)(&evidence, client.as_deref().ok(), now), client) {
            (Check::Signature, client) => {
                let by_mac = own.is_some_and(|own| own.credentials == Credentials::SealedSecret);
                let sealed = client.as_ref().ok().filter(|_| by_mac).map(|client| client.sealed_secrets(now));
                Authentication::Signature(AwaitClaims { client, sealed, assertion: evidence })
            }
            (Check::Certificate, client) => AwaitCertificate::new(client, certificate)
                .map_or_else(Authentication::Failed, Authentication::Certificate),
            (_, Err(reason)) | (Check::Wrong(reason), Ok(_)) => Authentication::Failed(reason),
            (Check::Right, Ok(client)) => Authentication::Done(AuthenticatedClient(client)),
            (Check::SlowHash(slow), Ok(client)) => {
                Authentication::SlowHash(AwaitHash { client, slow, secret: evidence })
            }
        }
    }
}

/// Why a client of one method failed by another. One that has to show a certificate and did, and sent something else as well, used two.
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

    /// Takes the answer.
    pub(crate) fn with_answer(self, right: bool) -> Result<AuthenticatedClient, Reason> {
        match right {
            true => Ok(AuthenticatedClient(self.client)),
            false => Err(Reason::ClientSecretWrong),
        }
    }
}

/// Waits for what an assertion says under a signature of its client.
#[derive(Debug)]
pub(crate) struct AwaitClaims {
    /// Of a client that cannot be the one, why.
    client: Result<Arc<Client>, Reason>,
    /// The secrets of a client whose assertion has a MAC in the place of a signature.
    sealed: Option<Vec<Sealed>>,
    assertion: SecretText,
}

impl AwaitClaims {
    /// The client whose assertion it has to be, if there is one.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.as_deref().ok()
    }

    /// The keys that may have signed; none is a question all the same, so that it costs what it costs with one.
    pub(crate) fn keys(&self) -> Option<&ClientKeys> {
        self.client.as_ref().ok().and_then(|client| client.keys.as_deref())
    }

    /// The sealed secrets of a client that goes by them; none of one that signs by a key.
    pub(crate) fn sealed(&self) -> Option<&[Sealed]> {
        self.sealed.as_deref()
    }

    /// The one algorithm that the client registered, if it did.
    pub(crate) fn algorithm(&self) -> Option<&str> {
        let client = self.client.as_ref().ok()?;
        client.metadata.token_endpoint_auth_signing_alg.as_deref()
    }

    pub(crate) fn assertion(&self) -> &str {
        self.assertion.reveal()
    }

    /// Takes the claims. What is still open is whether they are used for the first time.
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

/// Waits for what the certificate of the connection says.
#[derive(Debug)]
pub(crate) struct AwaitCertificate {
    /// Of a client that cannot be the one, why.
    client: Result<Arc<Client>, Reason>,
    certificate: Certificate,
    /// The name that it has to have, if it is to have one.
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

    /// What has to be read; without an expectation it is a question all the same, so that it costs what it costs with one.
    pub(crate) fn question(&self) -> ShownCertificate<'_> {
        let client = self.client.as_deref().ok();
        let by_key = |client: &&Client| client.auth_method.credentials() == Credentials::CertifiedKeys;
        let keys = client.filter(by_key).and_then(Client::keys);
        let named = self.subject.as_ref().map(ExpectedCertificate::Named);
        let expected = named.or(keys.map(ExpectedCertificate::OfKey));
        ShownCertificate::new(&self.certificate, expected)
    }

    /// Takes the answer.
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
