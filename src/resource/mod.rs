//! The other half: a request for a protected resource, and what its access token is good for (RFC 6750).

mod bearer;

use chrono::{DateTime, Utc};

use crate::client::ClientId;
use crate::grant::{AccessRecord, Grant, GrantId, Subject};
use crate::scope::Scope;
use crate::secret::Secret;
use crate::store::Record;
use crate::target::ResourceId;

/// A live access token, and the grant that it belongs to.
#[derive(Clone, Debug)]
pub struct Access {
    record: Record,
    token: AccessRecord,
}

impl Access {
    pub(crate) fn of(record: Record, secret: &Secret, now: DateTime<Utc>) -> Option<Self> {
        let token = record.grant().access(secret, now)?.clone();
        Some(Self { record, token })
    }

    /// In whose name the request acts: a user, or the client itself.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        self.record.grant().subject()
    }

    /// The user, if the request acts for one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.subject().as_user()
    }

    /// The client that sent the request.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        self.record.grant().client()
    }

    /// What the token is good for.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        self.token.scope(self.record.grant())
    }

    /// The resource that the token is for; none is the server's default audience.
    #[must_use]
    pub fn audience(&self) -> Option<&ResourceId> {
        self.token.audience()
    }

    /// When the token expires.
    #[must_use]
    pub fn expires(&self) -> DateTime<Utc> {
        self.token.expires()
    }

    /// The grant's name.
    #[must_use]
    pub fn grant_id(&self) -> GrantId {
        self.record.grant().id()
    }

    /// The grant.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        self.record.grant()
    }
}
