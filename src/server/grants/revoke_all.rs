//! The host ends grants: one, or all that a filter finds.

use super::SLICE;
use crate::audit::{Endpoint, EventKind, HostCall};
use crate::client::ClientId;
use crate::error::{BackendError, Fault};
use crate::grant::{Grant, GrantId, Subject};
use crate::server::{AuthorizationServer, EventSubject, HostError};
use crate::store::{Committed, Damaged, Filter, Listing, Page, Tombstone};

impl AuthorizationServer {
    /// Ends a grant and all its tokens. `false` if there is none, or it had ended. Concurrent requests that
    /// use the grant cannot delay it, and an unreadable record ends as well.
    ///
    /// # Errors
    /// The store failed; call again.
    pub async fn revoke_grant(&self, id: GrantId) -> Result<bool, HostError> {
        let tombstone = match self.load(id).await {
            Ok(found) => match found.filter(|record| !record.grant().is_ended()) {
                Some(record) => Tombstone::of(record.into_grant(), self.now()),
                None => return Ok(false),
            },
            Err(Fault::Backend(error)) if error.is_permanent() => match self.damaged(id).await? {
                Some(damaged) => Tombstone::of_damaged(&damaged, self.now()),
                None => return Err(error.into()),
            },
            Err(fault) => return Err(fault.into()),
        };
        let _ended = self.end(&tombstone).await?;
        self.audit_end(tombstone.grant());
        Ok(true)
    }

    /// Every end of a grant is written here, unconditionally, so no concurrent write can win over it. Only
    /// the denial of a pushed request is a conditional write (`Consent::deny`).
    pub(in crate::server) async fn end(&self, tombstone: &Tombstone) -> Result<Committed, Fault> {
        let end = self.call(HostCall::EndGrants, self.inner.store.end(tombstone));
        Ok(proven(tombstone, end.await.ok_or(Fault::Deadline)?)?)
    }

    /// The columns of this grant's record, if its body cannot be read.
    async fn damaged(&self, id: GrantId) -> Result<Option<Damaged>, Fault> {
        let before = u128::from_be_bytes(*id.as_bytes()).checked_sub(1);
        let first = Page::first(1);
        let page = before.map_or(first, |before| first.after(GrantId::new(before.to_be_bytes())));
        let found = self.page(&Filter::default(), page).await?.damaged;
        Ok(found.into_iter().find(|damaged| damaged.id == id))
    }

    /// Ends every grant of a subject, and returns how many ended. After an error, call again: what has ended
    /// stays ended.
    ///
    /// # Errors
    /// The store failed midway.
    pub async fn revoke_subject(&self, subject: &Subject) -> Result<u64, HostError> {
        self.revoke_all(&Filter::subject(subject.clone())).await
    }

    /// Ends every grant of a client, and returns how many ended. After an error, call again: what has ended
    /// stays ended.
    ///
    /// # Errors
    /// The store failed midway.
    pub async fn revoke_client(&self, client: &ClientId) -> Result<u64, HostError> {
        self.revoke_all(&Filter::client(client.clone())).await
    }

    /// Ends every grant that the filter finds, a slice at a time, and returns how many ended. After an error,
    /// call again: what has ended stays ended. A grant that is approved concurrently may remain, so lock a
    /// user out first. Records that cannot be read end, too.
    ///
    /// # Errors
    /// The store failed midway.
    pub async fn revoke_all(&self, filter: &Filter) -> Result<u64, HostError> {
        let (mut pages, mut ended) = (self.pages(filter, SLICE), 0);
        while let Some(listing) = pages.next().await? {
            ended += self.end_all(listing).await?;
        }
        Ok(ended)
    }

    async fn end_all(&self, listing: Listing) -> Result<u64, Fault> {
        let now = self.now();
        let open = listing.records.into_iter().filter(|record| !record.grant().is_ended());
        let readable = open.map(|record| Tombstone::of(record.into_grant(), now));
        let damaged = listing.damaged.iter().map(|damaged| Tombstone::of_damaged(damaged, now));
        let tombstones: Vec<Tombstone> = readable.chain(damaged).collect();
        self.end_each(&tombstones, tombstones.len()).await
    }

    /// Ends grants: the first `open` of them are live, the others had ended before. Returns how many it
    /// ended.
    pub(in crate::server) async fn end_each(
        &self,
        tombstones: &[Tombstone],
        open: usize,
    ) -> Result<u64, Fault> {
        if tombstones.is_empty() {
            return Ok(0);
        }
        let outcomes = self
            .call(HostCall::EndGrants, self.inner.store.end_all(tombstones))
            .await
            .ok_or(Fault::Deadline)?;
        let mut outcomes = outcomes.into_iter();
        let (mut count, mut failed) = (0, None);
        for (at, tombstone) in tombstones.iter().enumerate() {
            let missing =
                || Err(BackendError::permanent("the store did not report whether a grant has ended"));
            match proven(tombstone, outcomes.next().unwrap_or_else(missing)) {
                Ok(_) if at < open => {
                    self.audit_end(tombstone.grant());
                    count += 1;
                }
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(count), |error| Err(error.into()))
    }

    fn audit_end(&self, grant: &Grant) {
        self.audit(EventKind::Revoked, Endpoint::Host, EventSubject::of(grant));
    }
}

/// The proof, if it is of this end.
fn proven(
    tombstone: &Tombstone,
    outcome: Result<Committed, BackendError>,
) -> Result<Committed, BackendError> {
    let proof = outcome?;
    match tombstone.is_proven_by(&proof) {
        true => Ok(proof),
        false => Err(BackendError::permanent("the store confirmed the end of another grant")),
    }
}
