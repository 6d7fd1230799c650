//! Removes unused clients, and clients whose deletion was interrupted.

use chrono::TimeDelta;

use crate::audit::{Endpoint, EventKind, HostCall};
use crate::client::{Client, ClientPage, ClientState};
use crate::error::{BackendError, Fault, Reason};
use crate::server::grants::SLICE;
use crate::server::{AuthorizationServer, EventSubject, HostError};
use crate::store::Filter;

impl AuthorizationServer {
    /// Removes clients whose deletion was interrupted, and self-registered clients that have expired or are
    /// [unused](crate::Registration::unused_after), and returns how many. It reads every client, so once an
    /// hour is often enough; [`keep_sweeping`](Self::keep_sweeping) does that.
    ///
    /// A client that a user is just connecting for the first time may be removed, too; the user then connects
    /// it again. An unreadable client stays, and is audited.
    ///
    /// # Errors
    /// The registry or the store failed; what was removed stays removed. A client that cannot be removed is
    /// audited, and does not keep the others.
    pub async fn sweep_clients(&self) -> Result<u64, HostError> {
        let mut gone = 0;
        let swept = self.sweep_all_clients(&mut gone).await;
        self.audit_swept(EventKind::ClientsSwept, gone);
        swept.map(|()| gone)
    }

    async fn sweep_all_clients(&self, gone: &mut u64) -> Result<(), HostError> {
        let registrar = self.registrar()?;
        let (mut page, mut failed) = (ClientPage::first(SLICE), None);
        loop {
            let listing = self.call(HostCall::ListClients, registrar.clients(&page)).await;
            let listing = listing.ok_or(HostError::Deadline)??;
            for id in &listing.damaged {
                self.audit(EventKind::Failed(Reason::StoreBroken), Endpoint::Host, EventSubject::client(id));
            }
            for client in &listing.clients {
                match self.sweep_client(client).await {
                    Ok(is_gone) => *gone += u64::from(is_gone),
                    Err(error) if is_of_one_client(&error) => {
                        let about = EventSubject::client(client.id()).cause(Some(&error));
                        self.audit(EventKind::Failed(error.reason()), Endpoint::Host, about);
                        failed = Some(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            match listing.next {
                Some(last) if page.after.as_ref().is_some_and(|after| last <= *after) => {
                    return Err(BackendError::permanent("the listing of clients does not advance").into());
                }
                Some(last) => page = page.after(last),
                None => return failed.map_or(Ok(()), Err),
            }
        }
    }

    /// Removes a client that is over; `false` if it stays.
    async fn sweep_client(&self, client: &Client) -> Result<bool, HostError> {
        let is_over = self.is_over(client).await?;
        if is_over {
            self.end_client(client.id(), Endpoint::Host).await?;
        }
        Ok(is_over)
    }

    async fn is_over(&self, client: &Client) -> Result<bool, HostError> {
        match client.state() {
            ClientState::Ending => return Ok(true),
            // The host disabled the client, and that decision stays on record.
            ClientState::Disabled => return Ok(false),
            ClientState::Active if !client.is_self_registered() => return Ok(false),
            ClientState::Active if !client.is_served(self.now()) => return Ok(true),
            ClientState::Active => {}
        }
        let profile = self.rules().profile;
        let idle = self.inner.registration.as_ref().and_then(|terms| terms.unused_for(profile));
        let idle = idle.and_then(|idle| TimeDelta::from_std(idle).ok());
        let due = idle.zip(client.issued()).and_then(|(idle, issued)| issued.checked_add_signed(idle));
        if due.is_none_or(|due| self.now() < due) {
            return Ok(false);
        }
        Ok(!self.has_grants(client).await?)
    }

    /// Whether there is a grant of this client, ended or not. An empty page is not necessarily the last one.
    async fn has_grants(&self, client: &Client) -> Result<bool, Fault> {
        let filter = Filter::client(client.id().clone());
        let mut pages = self.pages(&filter, 1);
        while let Some(listing) = pages.next().await? {
            if !listing.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether other clients can be removed nevertheless.
fn is_of_one_client(error: &HostError) -> bool {
    match error {
        HostError::Backend(error) => error.is_permanent(),
        HostError::Contended => true,
        HostError::Deadline
        | HostError::Client(_)
        | HostError::ClientExists
        | HostError::NoSecret
        | HostError::Details(_)
        | HostError::NoRegistrar => false,
    }
}
