//! Identifiers that work once, such as the `jti` of an assertion: marked as used after every check, and
//! released if the server knows that no response was sent.
//!
//! The order is: every check, the mark, the write, the response. If the mark came before the checks, a
//! refused request would use the identifier up; if it came after the write, two requests at once would both
//! get tokens. When the write fails after the mark, the client tries again with a marked identifier. This
//! process remembers that no response was sent, and accepts that retry. Like the memory of lost codes
//! (`undelivered.rs`), this is not shared: on another node the retry counts as a replay, and the client needs
//! a new identifier.
//!
//! A retry may also arrive before the first request is known to be gone. So requests with the same identifier
//! take turns, and each knows the outcome of those before it.
//!
//! If the guard fails, it may or may not have marked the identifier. The server then does not accept it,
//! because another request may have used it first: the response is 503, and a retry succeeds if the guard
//! says that it is the first use.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::bounded::Bounded;
use super::turns::{Turn, Turns};
use crate::audit::HostCall;
use crate::base::after;
use crate::error::{ExtensionRefusal, Fault, Reason, Refusal};
use crate::flow::token::{AwaitSecrets, NewGrantDecision, TokenReply};
use crate::server::AuthorizationServer;
use crate::store::{ReplayGuard, ReplayKey};
use crate::trust::Proven;
use crate::trust::times::KEPT_FOR_NODES;

pub(in crate::server) struct SingleUse {
    guard: Option<Arc<dyn ReplayGuard>>,
    /// Identifiers that were marked although no response was sent, each with the end of its validity.
    given_back: Mutex<Bounded<ReplayKey>>,
    turns: Turns<ReplayKey>,
}

impl SingleUse {
    pub(in crate::server) fn new(guard: Option<Arc<dyn ReplayGuard>>) -> Self {
        Self { guard, given_back: Mutex::default(), turns: Turns::default() }
    }

    pub(in crate::server) fn guard(&self) -> Option<Arc<dyn ReplayGuard>> {
        self.guard.clone()
    }

    /// Takes back a released identifier; `true` if it was released and is still valid. Only one of several
    /// callers gets it.
    fn takes_back(&self, key: ReplayKey, now: DateTime<Utc>) -> bool {
        self.given_back().remove(&key).is_some_and(|until| now < until)
    }

    fn give_back(&self, key: ReplayKey, until: DateTime<Utc>, now: DateTime<Utc>) {
        // When this is full, a retry counts as a replay.
        self.given_back().insert(key, until, now);
    }

    fn given_back(&self) -> MutexGuard<'_, Bounded<ReplayKey>> {
        self.given_back.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The single use of an identifier. Dropping it before the response is sent releases the identifier.
pub(in crate::server) struct Reservation<'a> {
    all: &'a SingleUse,
    key: ReplayKey,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
    is_answered: bool,
    /// Dropped last, after the outcome is recorded.
    _turn: Turn<'a, ReplayKey>,
}

impl Reservation<'_> {
    /// The response is about to be sent.
    pub(in crate::server) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.all.give_back(self.key, self.until, self.now);
        }
    }
}

impl AuthorizationServer {
    /// A new grant from a single-use identifier.
    pub(in crate::server) async fn grant_once(
        &self,
        flow: &AwaitSecrets,
        (key, until): (ReplayKey, DateTime<Utc>),
        peer: Option<IpAddr>,
        proof: Option<&Proven>,
    ) -> Result<TokenReply, Refusal> {
        // Dry run, so that a request which will be refused does not consume the identifier.
        let mut decision = flow.decide(self.fresh_secrets(), &self.facts());
        self.add_host_claims(decision.access_claims_mut())?;
        if let NewGrantDecision::Refuse(refusal) = decision {
            return Err(refusal);
        }
        self.use_proof(proof).await?;
        let replayed = Reason::Extension(ExtensionRefusal::Replayed);
        let only_use = self.use_once(key.within(&self.rules().issuer), until, replayed).await?;
        let reply = self.issue_new_grant(flow, peer, None).await?;
        only_use.answered();
        Ok(reply)
    }

    /// Reserves an identifier for its single use; refuses with `replayed` if it was used before.
    pub(in crate::server) async fn use_once(
        &self,
        key: ReplayKey,
        until: DateTime<Utc>,
        replayed: Reason,
    ) -> Result<Reservation<'_>, Refusal> {
        let all = &self.inner.single_use;
        let turn = self.in_time(pin!(all.turns.take(key))).await.ok_or(Fault::Deadline)?;
        let turn = turn.ok_or(Reason::Overloaded)?;
        let now = self.now();
        if all.takes_back(key, now) {
            return Ok(Reservation { all, key, until, now, is_answered: false, _turn: turn });
        }
        match self.is_first_use(&key, until).await? {
            true => Ok(Reservation { all, key, until, now, is_answered: false, _turn: turn }),
            false => Err(replayed.into()),
        }
    }

    /// Marks an identifier as used; `true` if this is the first use.
    pub(in crate::server) async fn is_first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
    ) -> Result<bool, Refusal> {
        let guard = self.inner.single_use.guard.as_ref().ok_or(Reason::NotConfigured)?;
        // Remembered until no node accepts the identifier, not even one whose clock is behind.
        let kept = after(until, KEPT_FOR_NODES);
        let first = self.call(HostCall::FirstUse, guard.first_use(key, kept, self.now())).await;
        Ok(first.ok_or(Fault::Deadline)?.map_err(Fault::from)?)
    }
}
