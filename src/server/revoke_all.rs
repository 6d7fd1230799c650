//! The end of grants by the host: one, or all that a filter finds.

use super::calls::Outcome;
use super::manage::SLICE;
use super::{About, AuthorizationServer};
use crate::audit::{Endpoint, What};
use crate::client::ClientId;
use crate::error::Fault;
use crate::grant::{Grant, GrantId, Subject};
use crate::store::{CommitError, Filter, Page, Record, Write};

/// How often a grant is loaded anew because somebody else changed it meanwhile.
const RACES: usize = 16;

impl AuthorizationServer {
    /// Ends a grant and all that it issued. `false` if there is none, or it had ended.
    ///
    /// # Errors
    /// The store failed; ask again.
    pub async fn revoke_grant(&self, id: GrantId) -> Result<bool, Fault> {
        for _ in 0..RACES {
            let Some(record) = self.load(id).await?.filter(|r| !r.grant().is_ended()) else {
                return Ok(false);
            };
            let write = self.end_of(record);
            match self.commit(&write).await {
                Outcome::Committed(_) => {
                    self.audit_end(write.next().grant());
                    return Ok(true);
                }
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault),
            }
        }
        Err(Fault::Contended)
    }

    /// Ends every grant of a subject; how many. After an error, ask again: what has ended stays so.
    ///
    /// # Errors
    /// The store failed midway.
    pub async fn revoke_subject(&self, subject: &Subject) -> Result<u64, Fault> {
        self.revoke_all(&Filter::subject(subject.clone())).await
    }

    /// Ends every grant of a client; how many. After an error, ask again: what has ended stays so.
    ///
    /// # Errors
    /// The store failed midway.
    pub async fn revoke_client(&self, client: &ClientId) -> Result<u64, Fault> {
        self.revoke_all(&Filter::client(client.clone())).await
    }

    /// Ends every grant that the filter finds, a slice at a time; how many. After an error, ask again: what has ended
    /// stays so. A grant that is approved meanwhile may stay: whoever locks a user out does that first.
    ///
    /// # Errors
    /// The store failed midway.
    pub async fn revoke_all(&self, filter: &Filter) -> Result<u64, Fault> {
        let mut page = Page::first(SLICE);
        let mut ended = 0;
        loop {
            let listing = self.page(filter, page).await?;
            ended += self.end_all(listing.records).await?;
            match listing.next {
                Some(last) => page = page.after(last),
                None => return Ok(ended),
            }
        }
    }

    async fn end_all(&self, records: Vec<Record>) -> Result<u64, Fault> {
        let open = records.into_iter().filter(|record| !record.grant().is_ended());
        let writes: Vec<Write> = open.map(|record| self.end_of(record)).collect();
        let outcomes = self.in_time(self.inner.store.commit_all(&writes)).await.ok_or(Fault::Deadline)?;
        let mut ended = 0;
        let mut failed = None;
        for (write, outcome) in writes.iter().zip(outcomes) {
            match outcome {
                Ok(_) => {
                    self.audit_end(write.next().grant());
                    ended += 1;
                }
                Err(CommitError::Conflict) => ended += u64::from(self.revoke_grant(write.id()).await?),
                Err(CommitError::Store(error)) => failed = Some(error),
            }
        }
        failed.map_or(Ok(ended), |error| Err(error.into()))
    }

    fn end_of(&self, record: Record) -> Write {
        let now = self.now();
        let (version, waited) = (record.version(), record.index().user_code.is_some());
        Write::end(version, waited, record.into_grant().revoke(now), now)
    }

    fn audit_end(&self, grant: &Grant) {
        let about =
            About { client: Some(grant.client()), grant: Some(grant.id()), subject: Some(grant.subject()) };
        self.audit(What::Revoked, Endpoint::Host, about);
    }
}
