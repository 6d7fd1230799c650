//! Checks access tokens in the process that issues them.

use super::AuthorizationServer;
use crate::base::TokenName;
use crate::error::{Reason, Refusal};
use crate::grant::{Handle, Kind};
use crate::token::Access;

impl AuthorizationServer {
    /// What an access token permits, for any audience.
    ///
    /// # Errors
    /// [`Reason::TokenInactive`] for anything but a live access token of this server; a reason of status 503
    /// if the store could not say.
    pub async fn check(&self, token: &str) -> Result<Access, Refusal> {
        match Handle::parse(token, Kind::Access, &self.rules().policy.prefixes) {
            Some(handle) => self.check_handle(handle).await,
            None => self.check_signed(token).await,
        }
    }

    async fn check_handle(&self, handle: Handle) -> Result<Access, Refusal> {
        let record = self.load_living(handle.grant).await?;
        let access = record.and_then(|record| Access::of(record, &handle.secret, self.now()));
        Ok(access.ok_or(Reason::TokenInactive)?)
    }

    /// A recorded signed token is active only while its grant record says so.
    async fn check_signed(&self, token: &str) -> Result<Access, Refusal> {
        let claims = self.own_claims(Some(token)).await?.ok_or(Reason::TokenInactive)?;
        let now = self.now();
        if claims.expires() <= now {
            return Err(Reason::TokenInactive.into());
        }
        match TokenName::parse(&claims.jti) {
            Some(TokenName::Recorded { grant, fingerprint }) => {
                let record = self.load_living(grant).await?;
                let live = record.filter(|record| record.grant().access_by_name(fingerprint, now).is_some());
                let record = live.ok_or(Reason::TokenInactive)?;
                Ok(Access::recorded(claims, record, self.rules()))
            }
            Some(TokenName::Unrecorded(_)) => Ok(Access::claimed(claims, self.rules())),
            None => Err(Reason::TokenInactive.into()),
        }
    }
}
