//! What a host does itself: register applications, list grants.

mod applications;
mod cursor;
mod pages;
mod revoke_all;
mod sweep;

use super::{AuthorizationServer, EventSubject, HostError};
use crate::audit::{Endpoint, EventKind, HostCall};
use crate::client::{Client, ClientBuilder, ClientId, ClientState, Registered};
use crate::error::{BackendError, Fault, Reason};
use crate::grant::Subject;
use crate::store::{Damaged, Filter, Listing, Page, Record};
pub use applications::Application;
pub use cursor::Cursor;

/// A page of grants for the host.
#[derive(Debug)]
#[non_exhaustive]
pub struct Grants {
    /// The grants, including those that have ended or expired but were not purged yet.
    pub records: Vec<Record>,
    /// Grants whose stored bodies cannot be read; they can be revoked like any other.
    pub damaged: Vec<Damaged>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// How many grants are read at a time.
pub(super) const SLICE: u32 = 200;

impl AuthorizationServer {
    /// Registers an application: generates its id and, unless it is public, its secret, which is only in the
    /// return value.
    ///
    /// # Errors
    /// The metadata are inconsistent, the secret could not be sealed, or the registry failed.
    pub async fn register(&self, application: ClientBuilder) -> Result<Registered, HostError> {
        let registrar = self.registrar()?;
        let registered = self.new_client(application)?;
        let insert = registrar.insert(Client::clone(&registered.client));
        self.call(HostCall::ChangeClient, insert).await.ok_or(HostError::Deadline)??;
        self.audit(EventKind::ClientRegistered, Endpoint::Host, EventSubject::client(registered.client.id()));
        Ok(registered)
    }

    /// Checks what [`register`](Self::register) checks, and registers nothing. Call it for each of several
    /// applications first, so that a mistake in one leaves none of them registered. A secret that has to be
    /// sealed is sealed, and dropped.
    ///
    /// # Errors
    /// The metadata are inconsistent, the secret could not be sealed, or the server was built without a
    /// registrar.
    pub fn check_registration(&self, application: ClientBuilder) -> Result<(), HostError> {
        self.registrar()?;
        self.new_client(application).map(drop)
    }

    fn new_client(&self, application: ClientBuilder) -> Result<Registered, HostError> {
        let host = self.inner.sealed_secrets.as_deref();
        let registered = application.register::<HostError>(self.fresh_secrets(), host, self.now())?;
        self.rules().check_client(&registered.client)?;
        Ok(registered)
    }

    /// Stops serving a client, or serves it again; `false` if there is none. Its grants and its access tokens
    /// stay as they are: [`revoke_client`](Self::revoke_client) ends them. A client cannot undo this, and a
    /// client whose deletion has begun stays as it is.
    ///
    /// # Errors
    /// The registry failed, or the server was built without a registrar.
    pub async fn set_client_state(&self, id: &ClientId, state: ClientState) -> Result<bool, HostError> {
        self.put_state(id, state).await
    }

    /// Deletes a client: first it is no longer served, then its grants end, then its record is removed. After
    /// an error, call again: the deletion continues, and the client does not come back. `false` if there is
    /// none. A client that cannot be read is deleted as well.
    ///
    /// # Errors
    /// The registry or the store failed midway.
    pub async fn delete_client(&self, id: &ClientId) -> Result<bool, HostError> {
        match self.find_any_client(id).await {
            Ok(Some(_)) => self.end_client(id, Endpoint::Host).await.map(|()| true),
            Ok(None) => Ok(false),
            // An unreadable client is not served.
            Err(Fault::Backend(error)) if error.is_permanent() => {
                self.remove_client(id, Endpoint::Host).await.map(|()| true)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// A page of at most `limit` grants, from the beginning or from a [`Cursor`].
    ///
    /// # Errors
    /// The store failed.
    pub async fn grants(
        &self,
        filter: &Filter,
        from: Option<&Cursor>,
        limit: u32,
    ) -> Result<Grants, HostError> {
        let first = Page::first(limit);
        let page = from.map_or(first, |cursor| first.after(cursor.after()));
        let Listing { records, damaged, next } = self.page(filter, page).await?;
        let next = next.map(|after| Cursor::new(after, filter, &self.inner.cursor_key));
        Ok(Grants { records, damaged, next })
    }

    /// Reads a cursor for the listing of this filter. `None` if it was written for another filter, by a
    /// server with another [`cursor_key`](super::AuthorizationServerBuilder::cursor_key), or if it is forged.
    #[must_use]
    pub fn cursor(&self, filter: &Filter, text: &str) -> Option<Cursor> {
        Cursor::parse(text, filter, &self.inner.cursor_key)
    }

    /// All live grants that this user gave.
    ///
    /// # Errors
    /// The store failed.
    pub async fn grants_of(&self, subject: &Subject) -> Result<Vec<Record>, HostError> {
        let filter = Filter::subject(subject.clone());
        let (mut pages, mut live) = (self.pages(&filter, SLICE), Vec::new());
        while let Some(listing) = pages.next().await? {
            let now = self.now();
            for record in listing.records {
                if record.grant().is_redeemed(now) && self.is_listed(&record).await? {
                    live.push(record);
                }
            }
        }
        Ok(live)
    }

    /// Whether the ancestors of a live grant are live, too. One that cannot be read is an audit event, and does
    /// not hide the other grants.
    async fn is_listed(&self, record: &Record) -> Result<bool, Fault> {
        match self.is_of_the_living(record).await {
            Err(Fault::Backend(error)) if error.is_permanent() => {
                let about = EventSubject::of(record.grant()).cause(Some(&error));
                self.audit(EventKind::Failed(Reason::StoreBroken), Endpoint::Host, about);
                Ok(false)
            }
            outcome => outcome,
        }
    }

    /// A page of the store. A record that cannot be read is an audit event, and does not hide the others. A
    /// store that returns to an earlier page would never come to an end.
    pub(super) async fn page(&self, filter: &Filter, page: Page) -> Result<Listing, Fault> {
        let listing = self
            .call(HostCall::ListGrants, self.inner.store.list(filter, page))
            .await
            .ok_or(Fault::Deadline)??;
        if let (Some(after), Some(next)) = (page.after, listing.next)
            && next <= after
        {
            return Err(BackendError::permanent("the listing of grants does not advance").into());
        }
        for Damaged { id, client, subject, .. } in &listing.damaged {
            let about = EventSubject { subject: Some(subject), ..EventSubject::client(client).grant(*id) };
            self.audit(EventKind::Failed(Reason::StoreBroken), Endpoint::Host, about);
        }
        Ok(listing)
    }
}
