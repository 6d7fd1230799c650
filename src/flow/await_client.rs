//! The first state at every endpoint with client authentication: the request is parsed, and the client is
//! unverified.
//!
//! ```text
//! AwaitClient ──with_client──▶ Ready
//!                        ├───▶ SlowHash ──with_answer──▶ Ready
//!                        ├───▶ Signature ──with_claims──▶ FirstUse ──with_answer──▶ Ready
//!                        └───▶ Certificate ──with_answer──▶ Ready
//! ```

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::base::{Algorithm, SecretText};
use crate::client::auth::{
    self, ASSERTION_TYPES, AuthenticatedClient, AuthenticationStep, AwaitClaims, AwaitHash, Evidence,
    Presented, REPLAYED,
};
use crate::client::{ClaimsMissing, Client, ClientId, ShownCertificate, SignedText};
use crate::error::{CertificateFlaw, Reason, Refusal};
use crate::issuance::Facts;
use crate::store::ReplayKey;

/// The content of a request whose client is not authenticated yet. The requests of this crate implement it.
pub trait AwaitsClient: Debug + Send {
    /// The next state, once the client is known.
    type Next: Debug + Send;

    /// Takes the client, and makes every check that needs no further fact: a request that is refused here has
    /// not used up its assertion or its proof.
    ///
    /// # Errors
    /// The client may not request this.
    fn with_client(self, client: AuthenticatedClient, facts: &Facts<'_>) -> Result<Self::Next, Refusal>;
}

/// A parsed request; its client is unverified.
#[derive(Debug)]
pub struct AwaitClient<R> {
    pub(super) presented: Presented,
    pub(super) request: R,
}

impl<R: AwaitsClient> AwaitClient<R> {
    /// The client that has to be looked up.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        self.presented.client_id()
    }

    pub(crate) fn evidence(&self) -> Evidence {
        self.presented.evidence()
    }

    /// Takes the client. An unknown client is a normal input, and costs the same time as wrong credentials
    /// that are not compared by a slow hash.
    ///
    /// # Errors
    /// Client authentication failed, or the client may not request this.
    pub fn with_client(self, found: Option<Arc<Client>>, facts: &Facts<'_>) -> Result<Checked<R>, Refusal> {
        let Self { presented, request } = self;
        match presented.authenticate(found, facts.now) {
            AuthenticationStep::Done(client) => request.with_client(client, facts).map(Checked::Ready),
            AuthenticationStep::Failed(reason) => Err(reason.into()),
            AuthenticationStep::SlowHash(hash) => Ok(Checked::SlowHash(AwaitSlowHash { hash, request })),
            AuthenticationStep::Signature(claims) => {
                let switches = claims.client().map(|client| facts.rules.switches_for(client));
                let algorithms = switches.map_or(Algorithm::ALL, |switches| switches.algorithms);
                Ok(Checked::Signature(AwaitSignature { claims, algorithms, request }))
            }
            AuthenticationStep::Certificate(shown) => {
                Ok(Checked::Certificate(AwaitCertificate { shown, request }))
            }
        }
    }
}

/// A state after the client was looked up: its authentication is decided, or lacks one more fact.
#[derive(Debug)]
#[non_exhaustive]
pub enum Checked<R: AwaitsClient> {
    /// The next state.
    Ready(R::Next),
    /// Compute [`AwaitSlowHash::question`], then continue.
    SlowHash(AwaitSlowHash<R>),
    /// Verify [`AwaitSignature::question`], then continue.
    Signature(AwaitSignature<R>),
    /// Read the certificate of [`AwaitCertificate`], then continue.
    Certificate(AwaitCertificate<R>),
}

/// Waits for the result of a slow hash.
#[derive(Debug)]
pub struct AwaitSlowHash<R> {
    hash: AwaitHash,
    request: R,
}

impl<R: AwaitsClient> AwaitSlowHash<R> {
    /// The stored PHC strings, at least one, and the presented secret.
    #[must_use]
    pub fn question(&self) -> (&[String], &SecretText) {
        self.hash.question()
    }

    /// Takes the answer: whether the secret is that of one of the PHC strings.
    ///
    /// # Errors
    /// The refusal, if it is not.
    pub fn with_answer(self, right: bool, facts: &Facts<'_>) -> Result<R::Next, Refusal> {
        let client = self.hash.with_answer(right)?;
        self.request.with_client(client, facts)
    }
}

/// Waits for the claims of an assertion that its client signed.
#[derive(Debug)]
pub struct AwaitSignature<R> {
    claims: AwaitClaims,
    /// The algorithms that this client may use.
    algorithms: &'static [Algorithm],
    request: R,
}

impl<R: AwaitsClient> AwaitSignature<R> {
    /// What has to be verified. Without keys the client is unknown; verify nevertheless, so that the response
    /// takes the same time.
    #[must_use]
    pub fn question(&self) -> SignedText<'_> {
        let Self { claims, algorithms, .. } = self;
        let signed = SignedText::new(claims.assertion(), claims.keys(), claims.algorithm(), ASSERTION_TYPES);
        signed.within(algorithms).by(claims.client())
    }

    /// The client, if its assertion has a MAC instead of a signature: open its secrets, and verify with them.
    #[must_use]
    pub(crate) fn client_with_mac(&self) -> Option<&Client> {
        self.claims.client_with_mac()
    }

    /// Takes the claims, and checks them and the request: a request that is refused here has not used up the
    /// assertion.
    ///
    /// # Errors
    /// The assertion is invalid, its keys could not be fetched, or the client may not request this.
    pub fn with_claims(
        self,
        claims: Result<Map<String, Value>, ClaimsMissing>,
        facts: &Facts<'_>,
    ) -> Result<AwaitFirstUse<R::Next>, Refusal> {
        let Facts { now, rules, .. } = *facts;
        let claims = claims.map_err(|missing| missing.reason(Reason::ClientAssertion));
        let strict = self.claims.client().is_some_and(|client| rules.switches_for(client).strong_clients);
        let legacy = rules.assertions.as_deref().filter(|_| !strict);
        let (client, key, until) = self.claims.with_claims(claims, now, &rules.issuer, legacy)?;
        Ok(AwaitFirstUse { key, until, next: self.request.with_client(client, facts)? })
    }
}

/// Waits for the check of the connection's certificate.
#[derive(Debug)]
pub struct AwaitCertificate<R> {
    shown: auth::AwaitCertificate,
    request: R,
}

impl<R: AwaitsClient> AwaitCertificate<R> {
    /// What has to be read. Without an expectation the client is unknown; read the certificate nevertheless,
    /// so that the response takes the same time.
    #[must_use]
    pub fn question(&self) -> ShownCertificate<'_> {
        self.shown.question()
    }

    /// Takes the result of the check.
    ///
    /// # Errors
    /// The certificate is not the client's, its keys could not be fetched, or the client may not request
    /// this.
    pub fn with_answer(
        self,
        answer: Result<(), CertificateFlaw>,
        facts: &Facts<'_>,
    ) -> Result<R::Next, Refusal> {
        let client = self.shown.with_answer(answer)?;
        self.request.with_client(client, facts)
    }
}

/// Waits for the [`ReplayGuard`](crate::ReplayGuard): everything else is checked.
#[derive(Debug)]
pub struct AwaitFirstUse<S> {
    key: ReplayKey,
    until: DateTime<Utc>,
    next: S,
}

impl<S> AwaitFirstUse<S> {
    /// The key of the assertion, and until when its use has to be remembered.
    #[must_use]
    pub fn question(&self) -> (ReplayKey, DateTime<Utc>) {
        (self.key, self.until)
    }

    /// Takes the answer: whether this is its first use.
    ///
    /// # Errors
    /// The refusal, if it is not.
    pub fn with_answer(self, first: bool) -> Result<S, Refusal> {
        match first {
            true => Ok(self.next),
            false => Err(REPLAYED.into()),
        }
    }
}

/// The client is authenticated, and its request is checked; an assertion is not marked as used yet.
#[derive(Debug)]
#[must_use]
pub(crate) enum Judged<S> {
    /// The credentials are not single-use.
    Ready(S),
    /// The client authenticated with a single-use assertion.
    FirstUse(AwaitFirstUse<S>),
}

impl<S> Judged<S> {
    /// Separates the next state from the assertion, which is marked as used once nothing else can be refused.
    pub(crate) fn split(self) -> (S, Judged<()>) {
        match self {
            Self::Ready(next) => (next, Judged::Ready(())),
            Self::FirstUse(AwaitFirstUse { key, until, next }) => {
                (next, Judged::FirstUse(AwaitFirstUse { key, until, next: () }))
            }
        }
    }
}
