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
        if let Some(checked) = self.try_check(token) {
            return checked;
        }
        match self.access_handle(token) {
            Some(handle) => self.check_handle(handle).await,
            None => self.check_signed(token).await,
        }
    }

    /// Like [`check`](Self::check), if no part of the host has to be waited for.
    pub(super) fn try_check(&self, token: &str) -> Option<Result<Access, Refusal>> {
        let handle = self.access_handle(token)?;
        let found = self.inner.store.try_load(handle.grant)?;
        if found.as_ref().is_some_and(|record| record.grant().parent().is_some()) {
            return None; // whether its ancestors live is another question to the store
        }
        let access = found.and_then(|record| Access::of(record, &handle.secret, self.now()));
        Some(access.ok_or_else(|| Reason::TokenInactive.into()))
    }

    fn access_handle(&self, token: &str) -> Option<Handle> {
        Handle::parse(token, Kind::Access, &self.rules().policy.prefixes)
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
