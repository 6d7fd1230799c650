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
    /// Only this subject's.
    pub subject: Option<Subject>,
    /// Only this client's.
    pub client: Option<ClientId>,
    /// Only those that began in this session, which has not ended since.
    pub session: Option<SessionId>,
}

impl Filter {
    /// The grants in the name of this subject.
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

    /// The grants that began in this session of the host. No user has many: a store that has no index of
    /// sessions has to look at every grant for each logout.
    #[must_use]
    pub fn session(session: SessionId) -> Self {
        Self { session: Some(session), ..Self::default() }
    }

    /// Whether a grant is one of them.
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
    /// Behind this id; `None` is from the beginning.
    pub after: Option<GrantId>,
    /// The most records of a page; at least one.
    pub limit: u32,
}

impl Page {
    /// The first `limit` records.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit: limit.max(1) }
    }

    /// The records behind this one.
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
    /// Where the next page begins, if there is one. A page may be empty and not the last.
    pub next: Option<GrantId>,
}

/// A record whose body cannot be read: damaged, or written by a later version. This is what the columns
/// beside it say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damaged {
    /// The primary key.
    pub id: GrantId,
    /// Whose grant it is; the empty text where the store cannot tell.
    pub client: ClientId,
    /// In whose name it acts; a user with the empty name where the store cannot tell.
    pub subject: Subject,
    /// From when on the record can be purged.
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
        Self { id, client, subject, expires, why: why.to_string() }
    }
}

impl Listing {
    /// A page from at most `limit + 1` records in the order of their ids: the last one only tells that
    /// another page follows.
    #[must_use]
    pub fn of(records: Vec<Record>, page: Page) -> Self {
        Self::of_rows(records.into_iter().map(Ok), page)
    }

    /// The same, where the bodies of some cannot be read.
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

    /// Without the records that an index found and the filter does not want: some are no longer what the
    /// index says.
    #[must_use]
    pub fn matching(mut self, filter: &Filter) -> Self {
        self.records.retain(|record| filter.matches(record.grant()));
        self
    }

    /// Whether there is nothing on the page. Another one may follow all the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.damaged.is_empty()
    }
}
