//! What a host does itself: register applications, list and end grants, sweep.

use std::time::Duration;

use super::calls::Outcome;
use super::{About, AuthorizationServer};
use crate::audit::{Endpoint, What};
use crate::client::{Client, ClientBuilder, ClientId, RegisterError, Registered};
use crate::error::Fault;
use crate::grant::{GrantId, Subject};
use crate::store::{Filter, Listing, Page, Write};

/// How often a grant is loaded anew because somebody else changed it meanwhile.
const RACES: usize = 16;

/// So many grants are read at a time.
const SLICE: u32 = 200;

impl AuthorizationServer {
    /// Registers an application: makes its id and, unless it is public, its secret, which is in the answer and
    /// nowhere else.
    ///
    /// # Errors
    /// The metadata do not fit together, or the registry did not take it.
    pub async fn register(&self, application: ClientBuilder) -> Result<Registered, RegisterError> {
        let registrar = self.inner.registrar.as_ref().ok_or(RegisterError::NotConfigured)?;
        let registered = application.register(self.mint(), self.now())?;
        let insert = registrar.insert(Client::clone(&registered.client));
        self.in_time(insert).await.ok_or(Fault::Deadline)??;
        self.audit(What::ClientRegistered, Endpoint::Host, About::client(registered.client.id()));
        Ok(registered)
    }

    /// A page of grants, those that have ended or expired but were not purged yet among them.
    ///
    /// # Errors
    /// The store failed.
    pub async fn grants(&self, filter: &Filter, page: Page) -> Result<Listing, Fault> {
        Ok(self.in_time(self.inner.store.list(filter, page)).await.ok_or(Fault::Deadline)??)
    }

    /// The live grants that this user gave, all pages of them.
    ///
    /// # Errors
    /// The store failed.
    pub async fn grants_of(&self, subject: &Subject) -> Result<Vec<crate::store::Record>, Fault> {
        let filter = Filter::subject(subject.clone());
        let mut page = Page::first(SLICE);
        let mut live = Vec::new();
        loop {
            let listing = self.grants(&filter, page).await?;
            let now = self.now();
            live.extend(listing.records.into_iter().filter(|r| r.grant().is_redeemed(now)));
            match listing.next {
                Some(last) => page = page.after(last),
                None => return Ok(live),
            }
        }
    }

    /// Ends a grant and all that it issued. `false` if there is none, or it had ended.
    ///
    /// # Errors
    /// The store failed; ask again.
    pub async fn revoke_grant(&self, id: GrantId) -> Result<bool, Fault> {
        for _ in 0..RACES {
            let Some(record) = self.load(id).await?.filter(|r| !r.grant().is_ended()) else {
                return Ok(false);
            };
            let (version, grant) = (record.version(), record.into_grant());
            let now = self.now();
            let write = Write::replace(version, grant.revoke(now), now);
            match self.commit(&write).await {
                Outcome::Committed(_) => {
                    let grant = write.next().grant();
                    let about = About {
                        client: Some(grant.client()),
                        grant: Some(id),
                        subject: Some(grant.subject()),
                    };
                    self.audit(What::Revoked, Endpoint::Host, about);
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

    /// Ends every grant that the filter finds; how many.
    ///
    /// # Errors
    /// The store failed midway.
    pub async fn revoke_all(&self, filter: &Filter) -> Result<u64, Fault> {
        let mut page = Page::first(SLICE);
        let mut ended = 0;
        loop {
            let listing = self.grants(filter, page).await?;
            for record in &listing.records {
                ended += u64::from(self.revoke_grant(record.grant().id()).await?);
            }
            match listing.next {
                Some(last) => page = page.after(last),
                None => return Ok(ended),
            }
        }
    }

    /// Removes what can no longer be used or replayed, in slices; how many records went. Call it from a task of
    /// your own, every minute or so.
    ///
    /// # Errors
    /// The store failed; what went is gone.
    pub async fn sweep(&self) -> Result<u64, Fault> {
        const MAX_SLICE: u32 = 1000;
        let mut gone = 0;
        loop {
            let purge = self.inner.store.purge(self.now() - Duration::from_secs(1), MAX_SLICE);
            let slice = self.in_time(purge).await.ok_or(Fault::Deadline)??;
            gone += slice;
            if slice < u64::from(MAX_SLICE) {
                return Ok(gone);
            }
        }
    }
}
