//! Listings of clients, for the host's own pages.

use std::sync::Arc;

use super::{Client, ClientId};

/// Which clients to list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct ClientPage {
    /// Only the clients of this owner; `None` is every client, including those without an owner.
    pub owner: Option<String>,
    /// After this id; `None` is from the beginning.
    pub after: Option<ClientId>,
    /// The most clients of a page; at least one.
    pub limit: u32,
}

impl ClientPage {
    /// The first `limit` clients.
    pub fn first(limit: u32) -> Self {
        Self { owner: None, after: None, limit: limit.max(1) }
    }

    /// Only the clients that were registered with this [`owner`](super::ClientBuilder::owner).
    pub fn owned_by(self, owner: impl Into<String>) -> Self {
        Self { owner: Some(owner.into()), ..self }
    }

    /// The clients after this one.
    pub fn after(self, id: ClientId) -> Self {
        Self { after: Some(id), ..self }
    }

    /// Whether a client belongs to the listing, regardless of the limit.
    #[must_use]
    pub fn wants(&self, client: &Client) -> bool {
        self.owner.as_deref().is_none_or(|owner| client.owner() == Some(owner))
            && self.after.as_ref().is_none_or(|after| after < client.id())
    }
}

/// A page of clients.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientListing {
    /// In the order of their ids.
    pub clients: Vec<Arc<Client>>,
    /// Clients of the page that cannot be read. They can be
    /// [deleted](crate::AuthorizationServer::delete_client).
    pub damaged: Vec<ClientId>,
    /// Where the next page begins, if there is one.
    pub next: Option<ClientId>,
}

impl ClientListing {
    /// A page from at most `limit + 1` clients in the order of their ids: the last one only shows that
    /// another page follows.
    #[must_use]
    pub fn of(clients: Vec<Arc<Client>>, page: &ClientPage) -> Self {
        Self::of_rows(clients.into_iter().map(Ok), page)
    }

    /// Like [`of`](Self::of), for rows of which some cannot be read: those are only the id.
    #[must_use]
    pub fn of_rows(rows: impl IntoIterator<Item = Result<Arc<Client>, ClientId>>, page: &ClientPage) -> Self {
        let mut listing = Self::default();
        let (mut left, mut last) = (page.limit, None);
        for row in rows {
            if left == 0 {
                listing.next = last;
                break;
            }
            left -= 1;
            last = Some(row.as_ref().map_or_else(Clone::clone, |client| client.id().clone()));
            match row {
                Ok(client) => listing.clients.push(client),
                Err(id) => listing.damaged.push(id),
            }
        }
        listing
    }
}
