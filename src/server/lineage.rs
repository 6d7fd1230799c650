//! A token by an exchange ends with the token that it was exchanged for (RFC 8693), and with all before that one.
//!
//! Its grant remembers the name of that token, and whenever the new token is used, the old one is looked up: one more read
//! by primary key for each exchange in the chain, and none for a grant without a parent. Nothing has to be found and written when a
//! token ends, so an end reaches every descendant at once, on every node.

use super::AuthorizationServer;
use crate::base::TokenName;
use crate::error::{Fault, Reason, Refusal};
use crate::grant::GrantId;
use crate::store::Record;

/// A token may come from this many exchanges, each of which costs a read whenever it is used.
const MAX_EXCHANGES: usize = 8;

impl AuthorizationServer {
    /// The grant with this id, unless a token that it came from has ended.
    pub(super) async fn load_living(&self, id: GrantId) -> Result<Option<Record>, Fault> {
        let record = self.load(id).await?;
        let Some(parent) = record.as_ref().and_then(|record| record.grant().parent()) else {
            return Ok(record);
        };
        let is_living = self.generation(Some(parent)).await?.is_some();
        Ok(record.filter(|_| is_living))
    }

    /// Whether one more token may come from this one.
    pub(super) async fn check_generation(&self, subject: Option<TokenName>) -> Result<(), Refusal> {
        match self.generation(subject).await? {
            Some(generation) if generation <= MAX_EXCHANGES => Ok(()),
            Some(_) => Err(Reason::ActorsTooMany.into()),
            None => Err(Reason::SubjectTokenInvalid.into()),
        }
    }

    /// How many exchanges a token came from, counted with the next one; `None` if it, or one before it, is not live.
    async fn generation(&self, mut token: Option<TokenName>) -> Result<Option<usize>, Fault> {
        // One more than there may be, to tell a chain that is too long from one that has ended.
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
