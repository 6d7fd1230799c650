//! Client authentication: looks the client up, counts guesses, and provides what its method needs.

use std::hash::Hash;
use std::net::IpAddr;

use crate::client::auth::Evidence;
use crate::documents::Requester;
use crate::error::{ExtensionRefusal, Fault, Reason, Refusal};
use crate::flow::{
    AwaitCertificate, AwaitClient, AwaitFirstUse, AwaitSignature, AwaitSlowHash, AwaitsClient, Checked,
    Judged,
};
use crate::http::Request;
use crate::server::AuthorizationServer;
use crate::server::limit::Attempt;

impl AuthorizationServer {
    /// Looks up the client that a request claims to come from, and lets the flow check its credentials.
    ///
    /// Credentials that cannot be guessed are checked first, so the guesses of others block neither a correct
    /// secret nor a public client. A secret that a person may have chosen is counted before it is compared:
    /// one with a slow hash, and a short one.
    pub(in crate::server) async fn authenticate<R: AwaitsClient>(
        &self,
        request: &Request,
        flow: AwaitClient<R>,
    ) -> Result<R::Next, Refusal> {
        let judged = self.judge_client(request, flow).await?;
        self.use_assertion(judged).await
    }

    /// Like [`authenticate`](Self::authenticate), but does not mark an assertion as used yet: call
    /// [`use_assertion`](Self::use_assertion) once nothing else can be refused.
    pub(in crate::server) async fn judge_client<R: AwaitsClient>(
        &self,
        request: &Request,
        flow: AwaitClient<R>,
    ) -> Result<Judged<R::Next>, Refusal> {
        let (id, evidence) = (flow.client_id().clone(), flow.evidence());
        let found = self.find_client(&id, Requester::continuing(request.peer)).await?;
        let guess = || self.guess(request.peer, ("client", &id));
        let counted = match evidence {
            Evidence::Short => Some(guess()?),
            Evidence::Nothing | Evidence::Long | Evidence::Proof => None,
        };
        match (flow.with_client(found, &self.facts()), counted) {
            (Ok(Checked::Ready(next)), counted) => judge(counted, Ok(Judged::Ready(next))),
            (Ok(Checked::SlowHash(waiting)), counted) => {
                let counted = counted.map_or_else(guess, Ok)?;
                judge(Some(counted), Box::pin(self.compare(waiting)).await).map(Judged::Ready)
            }
            // A signature cannot be guessed, so nothing is counted.
            (Ok(Checked::Signature(waiting)), _) => {
                Box::pin(self.verify(waiting)).await.map(Judged::FirstUse)
            }
            (Ok(Checked::Certificate(waiting)), _) => {
                Box::pin(self.read_certificate(waiting)).await.map(Judged::Ready)
            }
            (Err(refusal), Some(counted)) => judge(Some(counted), Err(refusal)),
            (Err(refusal), None) if is_a_wrong_guess(&refusal) => {
                guess()?.keep();
                Err(refusal)
            }
            (Err(refusal), None) => Err(refusal),
        }
    }

    /// Counts a guess at a secret before its outcome is known. Give the outcome to [`judge`].
    pub(in crate::server) fn guess(
        &self,
        peer: Option<IpAddr>,
        at: impl Hash,
    ) -> Result<Attempt<'_>, Refusal> {
        let counted = self.process().guesses.begin(peer, at, self.now());
        counted.map_err(|full| Refusal::throttled(Reason::ClientThrottled, full.wait()))
    }

    /// Verifies an assertion.
    async fn verify<R: AwaitsClient>(
        &self,
        waiting: AwaitSignature<R>,
    ) -> Result<AwaitFirstUse<R::Next>, Refusal> {
        let signatures = self.inner.client_signatures.as_ref().ok_or(Reason::ClientMethodNotRegistered)?;
        let claims = match waiting.client_with_mac() {
            Some(_) if self.inner.sealed_secrets.is_none() => {
                return Err(Reason::ClientMethodNotRegistered.into());
            }
            Some(client) => signatures.verify_mac(&waiting.question(), &self.open_secrets(client)?),
            None => {
                let question = waiting.question();
                let claims = self.in_time_with_keys(signatures.verify(&question, self.now())).await;
                claims.ok_or_else(|| Fault::Deadline.of("ClientSignatures"))?
            }
        };
        waiting.with_claims(claims, &self.facts())
    }

    /// Marks an assertion as used, if there is one.
    pub(in crate::server) async fn use_assertion<S>(&self, judged: Judged<S>) -> Result<S, Refusal> {
        match judged {
            Judged::Ready(next) => Ok(next),
            Judged::FirstUse(waiting) => {
                let (key, until) = waiting.question();
                let first = Box::pin(self.is_first_use(&key, until)).await?;
                waiting.with_answer(first)
            }
        }
    }

    /// Reads the certificate of the connection.
    async fn read_certificate<R: AwaitsClient>(
        &self,
        waiting: AwaitCertificate<R>,
    ) -> Result<R::Next, Refusal> {
        let answer = match self.inner.mutual_tls.as_ref().and_then(|own| own.certificates.as_ref()) {
            Some(certificates) => {
                let question = waiting.question();
                let answer = self.in_time_with_keys(certificates.check(&question, self.now())).await;
                answer.ok_or_else(|| Fault::Deadline.of("ClientCertificates"))?
            }
            None => return Err(Reason::ClientMethodNotRegistered.into()),
        };
        waiting.with_answer(answer, &self.facts())
    }

    /// Computes a slow hash.
    async fn compare<R: AwaitsClient>(&self, waiting: AwaitSlowHash<R>) -> Result<R::Next, Refusal> {
        let hash = self.inner.slow_hash.as_ref().ok_or(Reason::ClientSecretUnverifiable)?;
        let (stored, presented) = waiting.question();
        let mut right = false;
        for phc in stored {
            if !right {
                let verified = self.in_time(hash.verify(phc, presented)).await;
                let verified = verified.ok_or_else(|| Fault::Deadline.of("SlowHash"))?;
                right = verified.ok_or(Reason::Overloaded)?;
            }
        }
        waiting.with_answer(right, &self.facts())
    }
}

/// Gives a counted guess back, unless it was wrong.
pub(in crate::server) fn judge<T>(
    counted: Option<Attempt<'_>>,
    outcome: Result<T, Refusal>,
) -> Result<T, Refusal> {
    if !outcome.as_ref().err().is_some_and(is_a_wrong_guess) {
        counted.into_iter().for_each(Attempt::give_back);
    }
    outcome
}

/// Whether a guess was checked and found wrong.
fn is_a_wrong_guess(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason(),
        Reason::ClientSecretWrong
            | Reason::ClientUnknown
            | Reason::OwnerCredentialsWrong
            | Reason::Extension(ExtensionRefusal::SecretWrong)
    )
}
