//! A token from an exchange ends with its subject token (RFC 8693), and with all tokens before that one.
//!
//! Its grant stores the id of that token, and each use of the new token looks the old one up: one more read
//! by primary key for each exchange in the chain, and none for a grant without a parent. When a token ends,
//! its descendants need no search and no write: the end takes effect for all of them at once, on every node.

use crate::base::TokenName;
use crate::error::{Fault, Reason, Refusal};
use crate::grant::GrantId;
use crate::server::AuthorizationServer;
use crate::store::Record;

/// The longest chain of exchanges; each link costs a read at every use.
const MAX_EXCHANGES: usize = 8;

impl AuthorizationServer {
    /// The grant with this id, unless one of its ancestors has ended.
    pub(in crate::server) async fn load_living(&self, id: GrantId) -> Result<Option<Record>, Fault> {
        match self.load(id).await? {
            Some(record) if self.is_of_the_living(&record).await? => Ok(Some(record)),
            Some(_) | None => Ok(None),
        }
    }

    /// Whether none of the ancestors of a grant has ended.
    pub(in crate::server) async fn is_of_the_living(&self, record: &Record) -> Result<bool, Fault> {
        match record.grant().parent() {
            None => Ok(true),
            parent @ Some(_) => Ok(self.generation(parent).await?.is_some()),
        }
    }

    /// Refuses an exchange whose chain would be too long, or whose subject token has ended.
    pub(in crate::server) async fn check_generation(
        &self,
        subject: Option<TokenName>,
    ) -> Result<(), Refusal> {
        match self.generation(subject).await? {
            Some(generation) if generation <= MAX_EXCHANGES => Ok(()),
            Some(_) => Err(Reason::ActorsTooMany.into()),
            None => Err(Reason::SubjectTokenInvalid.into()),
        }
    }

    /// The length of a token's chain of exchanges, including the next one; `None` if it, or one of its
    /// ancestors, is not live.
    async fn generation(&self, mut token: Option<TokenName>) -> Result<Option<usize>, Fault> {
        // Looks one link further than allowed, to distinguish a chain that is too long from one that has
        // ended.
        for generation in 0..=MAX_EXCHANGES + 1 {
            let Some(TokenName::Recorded { grant, fingerprint }) = token else { return Ok(Some(generation)) };
            let Some(record) = self.load(grant).await? else { return Ok(None) };
            if record.grant().access_by_name(fingerprint, self.now()).is_none() {
                return Ok(None);
            }
            token = record.grant().parent();
        }
        Ok(None)
    }
}
