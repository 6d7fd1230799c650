//! The revocation request (RFC 7009).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::inquiry::{Inquiry, Known, Token};
use super::{Checked, authenticate};
use crate::client::auth::Evidence;
use crate::client::{Client, ClientId};
use crate::error::{Reason, Refusal};
use crate::grant::GrantId;
use crate::http::Request;
use crate::policy::{ForeignToken, Rules};
use crate::signing::{Claims, TokenName};
use crate::store::{Record, Tombstone, Write};

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

    pub(crate) fn evidence(&self) -> Evidence {
        self.0.presented.evidence()
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
    /// Write, then 200: an access token goes, and its grant stays.
    Commit(Write),
    /// End the grant, then 200.
    End(Tombstone),
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

    /// The text whose signature has to be checked, if it may be a signed access token.
    #[must_use]
    pub fn unverified(&self) -> Option<&str> {
        self.0.unverified()
    }

    /// Takes the claims of that text, if this server signed it.
    #[must_use]
    pub fn with_claims(self, claims: Option<Claims>) -> Self {
        Self(self.0.with_claims(claims))
    }

    /// The answer to a token of which nothing is recorded: there is nothing to revoke.
    ///
    /// # Errors
    /// A signed access token that lives until it expires (`unsupported_token_type`).
    pub fn answer_unrecorded(&self) -> Result<(), Refusal> {
        match &self.0.token {
            Token::Signed(claims) if claims.client_id == self.client().id().as_str() => {
                Err(Reason::TokenNotRevocable.into())
            }
            Token::Signed(_) | Token::Handle(..) | Token::Unverified(_) | Token::Nothing => Ok(()),
        }
    }

    /// Decides. Borrows: whoever lost a race loads again and asks again.
    pub fn decide(&self, found: Option<Record>, now: DateTime<Utc>, rules: &Rules) -> Decision {
        let Some(record) = found else {
            return Decision::Nothing;
        };
        let mine = self.0.owns(record.grant());
        let version = record.version();
        let grant = record.into_grant();
        let next = match &self.0.token {
            Token::Handle(kind, handle) => grant.revoke_token(*kind, &handle.secret, now),
            Token::Signed(claims) => match TokenName::parse(&claims.jti) {
                Some(TokenName::Recorded { fingerprint, .. }) => grant.without_access(fingerprint, now),
                Some(TokenName::Unrecorded(_)) | None => None,
            },
            Token::Unverified(_) | Token::Nothing => None,
        };
        match (next, mine) {
            (Some(next), true) if next.is_ended() => Decision::End(Tombstone::of(next, now)),
            (Some(next), true) => Decision::Commit(Write::replace(version, next, now)),
            (Some(_), false) if rules.policy.foreign_token == ForeignToken::Refused => {
                Decision::Refuse(Reason::TokenForAnotherClient.into())
            }
            (Some(_) | None, _) => Decision::Nothing,
        }
    }
}
