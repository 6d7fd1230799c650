//! Listings: which grants, and a page of them.

use std::fmt::Display;

use chrono::{DateTime, Utc};

use super::Record;
use crate::client::ClientId;
use crate::grant::{Grant, GrantId, SessionId, Subject};

/// Which grants to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only the grants of this subject.
    pub subject: Option<Subject>,
    /// Only the grants of this client.
    pub client: Option<ClientId>,
    /// Only the grants that began in this session, unless it has ended since.
    pub session: Option<SessionId>,
}

impl Filter {
    /// The grants of this subject.
    #[must_use]
    pub fn subject(subject: Subject) -> Self {
        Self { subject: Some(subject), ..Self::default() }
    }

    /// The grants of this client.
    #[must_use]
    pub fn client(client: ClientId) -> Self {
        Self { client: Some(client), ..Self::default() }
    }

    /// The grants that this subject gave to this client.
    #[must_use]
    pub fn pair(subject: Subject, client: ClientId) -> Self {
        Self { subject: Some(subject), client: Some(client), session: None }
    }

    /// The grants that began in this session of the host. There are only a few, but a store without an index
    /// of sessions has to read every grant for each logout.
    #[must_use]
    pub fn session(session: SessionId) -> Self {
        Self { session: Some(session), ..Self::default() }
    }

    /// Whether a grant matches the filter.
    #[must_use]
    pub fn matches(&self, grant: &Grant) -> bool {
        self.subject.as_ref().is_none_or(|s| s == grant.subject())
            && self.client.as_ref().is_none_or(|c| c == grant.client())
            && self.session.is_none_or(|session| grant.session() == Some(session))
    }
}

/// Which part of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// Only ids after this one; `None` is from the beginning.
    pub after: Option<GrantId>,
    /// The maximum number of records on a page; at least one.
    pub limit: u32,
}

impl Page {
    /// The first `limit` records.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit: limit.max(1) }
    }

    /// The records after this one.
    #[must_use]
    pub fn after(self, id: GrantId) -> Self {
        Self { after: Some(id), ..self }
    }
}

/// A page of records.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// In the order of their ids.
    pub records: Vec<Record>,
    /// Records of the page whose bodies cannot be read. They still end and expire like any other.
    pub damaged: Vec<Damaged>,
    /// Where the next page begins, if there is one. An empty page is not necessarily the last one.
    pub next: Option<GrantId>,
}

/// A record whose body cannot be read: damaged, or written by a later version. The fields are those of the
/// columns beside the body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damaged {
    /// The primary key.
    pub id: GrantId,
    /// The client of the grant; empty if the store does not know.
    pub client: ClientId,
    /// The subject of the grant; a user with an empty name if the store does not know.
    pub subject: Subject,
    /// The session in which the grant began; `None` if it began in none, or if the store does not know.
    pub session: Option<SessionId>,
    /// When the record can be purged.
    pub expires: DateTime<Utc>,
    /// What is wrong with the body, for the host's log.
    pub why: String,
}

impl Damaged {
    /// A record from its columns, and why its body could not be read.
    #[must_use]
    pub fn new(
        id: GrantId,
        client: ClientId,
        subject: Subject,
        expires: DateTime<Utc>,
        why: impl Display,
    ) -> Self {
        Self { id, client, subject, session: None, expires, why: why.to_string() }
    }

    /// Sets the session, from its column. A record without one stays when all sessions of its user end.
    #[must_use]
    pub fn in_session(self, session: Option<SessionId>) -> Self {
        Self { session, ..self }
    }
}

impl Listing {
    /// A page from at most `limit + 1` records in the order of their ids: the last one only shows that
    /// another page follows.
    #[must_use]
    pub fn of(records: Vec<Record>, page: Page) -> Self {
        Self::of_rows(records.into_iter().map(Ok), page)
    }

    /// Like [`of`](Self::of), for rows of which some bodies cannot be read.
    #[must_use]
    pub fn of_rows(rows: impl IntoIterator<Item = Result<Record, Damaged>>, page: Page) -> Self {
        let mut listing = Self::default();
        let (mut left, mut last) = (page.limit, None);
        for row in rows {
            if left == 0 {
                listing.next = last;
                break;
            }
            left -= 1;
            last = Some(match &row {
                Ok(record) => record.grant().id(),
                Err(damaged) => damaged.id,
            });
            match row {
                Ok(record) => listing.records.push(record),
                Err(damaged) => listing.damaged.push(damaged),
            }
        }
        listing
    }

    /// Removes the records that an index found but the filter does not match: an index may be out of date.
    #[must_use]
    pub fn matching(mut self, filter: &Filter) -> Self {
        self.records.retain(|record| filter.matches(record.grant()));
        self
    }

    /// Whether the page is empty. Another page may still follow.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.damaged.is_empty()
    }
}
