//! The revocation request (RFC 7009).

use super::token_query::{AuthenticatedQuery, Token, TokenQuery};
use crate::base::TokenName;
use crate::error::{Reason, Refusal};
use crate::http::Request;
use crate::issuance::{Facts, ForeignToken};
use crate::store::{Record, Tombstone, Write};

/// A parsed request; its client is unverified.
pub type AwaitClient = super::AwaitClient<TokenQuery>;

/// Reads a revocation request. A public client only names itself (RFC 7009 section 2.1).
///
/// # Errors
/// The form cannot be read, or has no `token`.
pub fn parse(request: &Request, facts: &Facts<'_>) -> Result<AwaitClient, Refusal> {
    AwaitClient::parse_query(request, true, facts)
}

/// What the driver does next.
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// 200, and nothing changes (RFC 7009 section 2.2).
    Nothing,
    /// Refuse; nothing changes.
    Refuse(Refusal),
    /// Write, then 200: an access token is removed, and its grant stays.
    Commit(Write),
    /// End the grant, then 200.
    End(Tombstone),
}

impl AuthenticatedQuery {
    /// The response to a token without a record: there is nothing to revoke.
    ///
    /// # Errors
    /// A signed access token that cannot be revoked before it expires (`unsupported_token_type`).
    pub fn answer_unrecorded(&self) -> Result<(), Refusal> {
        match &self.token {
            Token::Signed(claims) if claims.client_id == self.client().id().as_str() => {
                Err(Reason::TokenNotRevocable.into())
            }
            Token::Signed(_) | Token::Handle(..) | Token::Unverified(_) | Token::Unrecognized => Ok(()),
        }
    }

    /// Decides. Borrows, because the driver loads the record and decides again after a lost race.
    pub fn revoke(&self, found: Option<Record>, facts: &Facts<'_>) -> Decision {
        let Facts { now, rules, .. } = *facts;
        let Some(record) = found else {
            return Decision::Nothing;
        };
        let mine = self.owns(record.grant());
        let version = record.version();
        let grant = record.into_grant();
        let next = match &self.token {
            Token::Handle(kind, handle) => grant.revoke_token(*kind, &handle.secret, now),
            Token::Signed(claims) => match TokenName::parse(&claims.jti) {
                Some(TokenName::Recorded { fingerprint, .. }) => grant.without_access(fingerprint, now),
                Some(TokenName::Unrecorded(_)) | None => None,
            },
            Token::Unverified(_) | Token::Unrecognized => None,
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
