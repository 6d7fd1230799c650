//! Every grant that a filter finds, a page at a time.

use crate::error::Fault;
use crate::server::AuthorizationServer;
use crate::store::{Filter, Listing, Page};

/// The pages of a listing from its beginning to its end.
pub(in crate::server) struct Pages<'a> {
    server: &'a AuthorizationServer,
    filter: &'a Filter,
    /// The page to read next; `None` after the last one.
    page: Option<Page>,
}

impl AuthorizationServer {
    /// The grants that the filter finds, in pages of at most `limit`.
    pub(in crate::server) fn pages<'a>(&'a self, filter: &'a Filter, limit: u32) -> Pages<'a> {
        Pages { server: self, filter, page: Some(Page::first(limit)) }
    }
}

impl Pages<'_> {
    /// The next page; `None` after the last one. A page may be empty.
    pub(in crate::server) async fn next(&mut self) -> Result<Option<Listing>, Fault> {
        let Some(page) = self.page else { return Ok(None) };
        let listing = self.server.page(self.filter, page).await?;
        self.page = listing.next.map(|last| page.after(last));
        Ok(Some(listing))
    }
}
