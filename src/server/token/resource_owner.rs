//! The part of the host that knows the users.

use std::sync::Arc;

use async_trait::async_trait;

use crate::base::SecretText;
use crate::client::Client;
use crate::flow::AccountStatus;
use crate::grant::Subject;
use crate::store::BackendError;

/// Authenticates the host's users, and says whether their accounts are active.
#[async_trait]
pub trait ResourceOwner: Send + Sync {
    /// Authenticates a user (RFC 6749 section 4.3); `None` if the credentials are wrong.
    ///
    /// Both are untrusted. Guesses are limited by address ([`Policy`](crate::Policy)); limit them by user,
    /// too, and take the same time for an unknown user as for a wrong password. A wrong `Some` hands over
    /// that user's account.
    ///
    /// # Errors
    /// The users cannot be read: 503 or 500 ([`BackendError`]), and never `invalid_grant`.
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretText,
        client: &Client,
    ) -> Result<Option<Subject>, BackendError>;

    /// Whether this account is still active. Asked before a code, a device code or a refresh token is redeemed
    /// and before a token is exchanged, for an assertion or a grant type of the host, by UserInfo, and when a
    /// user approves a request whose response has tokens; not when they approve any other request, nor when a
    /// guard checks a token. A wrong `Active` keeps the applications of a disabled user working until their
    /// grants are revoked.
    ///
    /// # Errors
    /// The users cannot be read: 503 or 500 ([`BackendError`]), and no code or token is used up.
    async fn account_status(&self, subject: &Subject) -> Result<AccountStatus, BackendError> {
        let _ = subject;
        Ok(AccountStatus::Active)
    }
}

#[async_trait]
impl<T: ResourceOwner + ?Sized> ResourceOwner for Arc<T> {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretText,
        client: &Client,
    ) -> Result<Option<Subject>, BackendError> {
        (**self).authenticate(username, password, client).await
    }

    async fn account_status(&self, subject: &Subject) -> Result<AccountStatus, BackendError> {
        (**self).account_status(subject).await
    }
}
