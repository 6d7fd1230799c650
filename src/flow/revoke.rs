//! The revocation request (RFC 7009).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::inquiry::{Inquiry, Known};
use super::{Checked, authenticate};
use crate::client::{Client, ClientId};
use crate::error::{Reason, Refusal};
use crate::grant::GrantId;
use crate::http::Request;
use crate::policy::{ForeignToken, Rules};
use crate::store::{Record, Write};

/// Parsed; the client is only claimed.
#[derive(Debug)]
pub struct AwaitClient(Inquiry);

impl AwaitClient {
    /// Reads a revocation request.
    ///
    /// # Errors
    /// Whatever is wrong with its form.
    pub fn parse(request: &Request, rules: &Rules) -> Result<Self, Refusal> {
        Inquiry::parse(request, rules).map(Self)
    }

    /// The client that has to be looked up.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        self.0.client_id()
    }

    /// Takes the client. Public clients revoke by their id alone (RFC 7009 section 2.1).
    ///
    /// # Errors
    /// The client is not who it says.
    pub fn with_client(
        self,
        found: Option<Arc<Client>>,
        now: DateTime<Utc>,
    ) -> Result<Checked<AwaitGrant>, Refusal> {
        let Inquiry { presented, token } = self.0;
        authenticate(presented, found, now, move |client| Ok(AwaitGrant(Known { client, token })))
    }
}

/// Waits for the grant that the token names, if it names one.
#[derive(Debug)]
pub struct AwaitGrant(Known);

/// What the driver does next.
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// 200, and nothing changes (RFC 7009 section 2.2).
    Nothing,
    /// Refuse; nothing changes.
    Refuse(Refusal),
    /// Write, then 200.
    Commit(Write),
}

impl AwaitGrant {
    /// The grant that has to be loaded; none for what is no token.
    #[must_use]
    pub fn grant_id(&self) -> Option<GrantId> {
        self.0.grant_id()
    }

    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.0.client.client()
    }

    /// Decides. Borrows: whoever lost a race loads again and asks again.
    pub fn decide(&self, found: Option<Record>, now: DateTime<Utc>, rules: &Rules) -> Decision {
        let (Some((kind, handle)), Some(record)) = (&self.0.token, found) else {
            return Decision::Nothing;
        };
        let mine = self.0.owns(record.grant());
        let (version, grant) = (record.version(), record.into_grant());
        match (grant.revoke_token(*kind, &handle.secret, now), mine) {
            (Some(next), true) => Decision::Commit(Write::replace(version, next, now)),
            (Some(_), false) if rules.policy.foreign_token == ForeignToken::Refused => {
                Decision::Refuse(Reason::TokenForAnotherClient.into())
            }
            (Some(_) | None, _) => Decision::Nothing,
        }
    }
}
