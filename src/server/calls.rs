//! Calls to the host's parts, each under the deadline.

use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::AuthorizationServer;
use crate::audit::{CallOutcome, CallOutput, Called, HostCall};
use crate::base::system::stopwatch;
use crate::base::time::{InTime, in_time};
use crate::base::{FreshSecrets, SecretText};
use crate::client::{Client, ClientId, DocumentUrl};
use crate::documents::Requester;
pub(super) use crate::error::MAX_CONFLICT_RETRIES;
use crate::error::{Fault, Reason, Refusal};
use crate::flow::{AccountStatus, Facts};
use crate::grant::{Grant, GrantId, Subject};
use crate::outbound::OutboundRequest;
use crate::store::{BackendError, CommitError, Committed, Record, UserCodeDigest, Write};

/// The outcome of a conditional write.
pub(super) enum Outcome {
    Committed(Committed),
    /// Another write came first: load and decide again.
    Conflict,
    /// Nothing was written.
    Failed(Fault),
    /// The write may have happened.
    Unknown(Fault),
}

impl AuthorizationServer {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    /// The current time with sub-second precision, to measure the age of a sign-in.
    pub(crate) fn precise_now(&self) -> DateTime<Utc> {
        self.inner.clock.precise_now()
    }

    /// The facts for a step of a flow.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts::new(self.now(), self.rules())
    }

    /// The facts for a step that compares sign-in times, which need sub-second precision.
    pub(super) fn precise_facts(&self) -> Facts<'_> {
        Facts::new(self.precise_now(), self.rules())
    }

    pub(super) fn fresh_secrets(&self) -> FreshSecrets {
        FreshSecrets::draw(&*self.inner.entropy)
    }

    /// The client with this id, if it is served. All endpoints look clients up here, so a disabled client is
    /// unknown to all of them, and one that does not fit the profile is refused. A client in the registry
    /// takes precedence over a metadata document.
    pub(super) async fn find_client(
        &self,
        id: &ClientId,
        requester: Requester,
    ) -> Result<Option<Arc<Client>>, Refusal> {
        let found = match (self.find_any_client(id).await?, &self.inner.documents) {
            (None, Some(documents)) if DocumentUrl::is_claimed_by(id) => {
                Some(Box::pin(documents.client(id, requester, self.now(), self.rules())).await?)
            }
            (found, _) => found,
        };
        match found.filter(|client| client.is_served_at(|| self.now())) {
            Some(client) if !self.rules().fits(&client) => Err(Reason::ClientUnfit.into()),
            found => Ok(found),
        }
    }

    /// If a request from a client with a metadata document names a live grant of a user, marks the client as
    /// known. This is how a client becomes known again after a restart, for example.
    pub(super) async fn recognise(&self, id: &ClientId, named: GrantId) {
        let Some(documents) = &self.inner.documents else { return };
        if !DocumentUrl::is_claimed_by(id) || !documents.is_unknown(id, self.now()) {
            return;
        }
        // If the store fails, the request itself will report it.
        let Ok(Some(record)) = self.load(named).await else { return };
        let grant = record.grant();
        if grant.client() == id && grant.authentication().is_some() && grant.is_live(self.now()) {
            documents.led_to_grant(id, self.now());
        }
    }

    /// The client with this id, served or not.
    pub(super) async fn find_any_client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Fault> {
        match self.inner.clients.try_client(id) {
            Some(found) => Ok(found),
            None => {
                let found = self.call(HostCall::FindClient, self.inner.clients.client(id));
                Ok(Box::pin(found).await.ok_or(Fault::Deadline)??)
            }
        }
    }

    pub(super) async fn load(&self, id: GrantId) -> Result<Option<Record>, Fault> {
        match self.inner.store.try_load(id) {
            Some(found) => Ok(found),
            None => {
                let found = self.call(HostCall::LoadGrant, self.inner.store.load(id));
                Ok(Box::pin(found).await.ok_or(Fault::Deadline)??)
            }
        }
    }

    /// The waiting grant with this user code.
    pub(super) async fn find_waiting(&self, code: &UserCodeDigest) -> Result<Option<Record>, Fault> {
        let found = self.call(HostCall::FindUserCode, self.inner.store.find_by_user_code(code)).await;
        Ok(found.ok_or(Fault::Deadline)??)
    }

    /// A conditional write. A record that could not be read back is never written.
    pub(super) async fn commit(&self, write: &Write) -> Outcome {
        if !write.can_be_read() {
            return Outcome::Failed(BackendError::permanent("the grant could not be read back").into());
        }
        match self.call(HostCall::CommitGrant, self.inner.store.commit(write)).await {
            Some(Ok(proof)) => {
                self.note_known(write.next().grant());
                Outcome::Committed(proof)
            }
            Some(Err(CommitError::Conflict)) => Outcome::Conflict,
            Some(Err(CommitError::Store(error))) if error.is_unknown_outcome() => {
                Outcome::Unknown(error.into())
            }
            Some(Err(CommitError::Store(error))) => Outcome::Failed(error.into()),
            None => Outcome::Unknown(Fault::Deadline),
        }
    }

    fn note_known(&self, grant: &Grant) {
        let Some(documents) = &self.inner.documents else { return };
        if DocumentUrl::is_claimed_by(grant.client()) && grant.authentication().is_some() && !grant.is_ended()
        {
            documents.led_to_grant(grant.client(), self.now());
        }
    }

    pub(super) async fn account_status(&self, subject: &Subject) -> Result<AccountStatus, Fault> {
        match (&self.inner.owner, subject) {
            (Some(owner), Subject::User(_)) => {
                self.ask_part("ResourceOwner", owner.account_status(subject)).await
            }
            (None, _) | (_, Subject::Client(_)) => Ok(AccountStatus::Active),
        }
    }

    pub(super) async fn authenticate_owner(
        &self,
        (username, password, client): (&str, &SecretText, &Client),
    ) -> Result<Option<Subject>, Refusal> {
        let owner = self.inner.owner.as_ref().ok_or(Reason::GrantTypeUnsupported)?;
        Ok(self.ask_part("ResourceOwner", owner.authenticate(username, password, client)).await?)
    }

    /// The answer of a part of the host other than its store; the failure has the name of its trait.
    pub(super) async fn ask_part<T>(
        &self,
        part: &'static str,
        answer: impl Future<Output = Result<T, BackendError>> + Unpin,
    ) -> Result<T, Fault> {
        match self.in_time(answer).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(Fault::from(error).of(part)),
            None => Err(Fault::Deadline.of(part)),
        }
    }

    /// The output of a call to a part of the host, unless the deadline passes first. If there is an audit,
    /// the call is timed for it.
    pub(super) async fn call<T: CallOutput>(
        &self,
        call: HostCall,
        future: impl Future<Output = T> + Unpin,
    ) -> Option<T> {
        let begun = self.inner.audit.as_ref().map(|audit| (audit, stopwatch()));
        let output = self.in_time(future).await;
        if let Some((audit, begun)) = begun {
            let outcome = output.as_ref().map_or(CallOutcome::Late, CallOutput::outcome);
            audit.called(&Called { call, took: begun.elapsed(), outcome });
        }
        output
    }

    /// Like [`in_time`](Self::in_time), for a call that may fetch the keys of a client, which takes its own
    /// time.
    pub(super) fn in_time_with_keys<F: Future + Unpin>(&self, future: F) -> InTime<F> {
        let fetch = OutboundRequest::DEADLINE;
        in_time(future, self.inner.rules.policy.store_deadline.saturating_add(fetch))
    }

    /// The output of a future, unless the deadline passes first.
    pub(super) fn in_time<F: Future + Unpin>(&self, future: F) -> InTime<F> {
        in_time(future, self.inner.rules.policy.store_deadline)
    }
}
