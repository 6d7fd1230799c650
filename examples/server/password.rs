//! The password grant (RFC 6749 section 4.3): checks passwords against the users of the file.

use std::sync::Arc;

use chrono::Utc;
use grantor::server::RateLimiter;
use grantor::{AccountStatus, BackendError, Client, ResourceOwner, SecretText, Subject, async_trait};

use crate::users::Users;

/// Users whose passwords applications may present.
pub(crate) struct PasswordGrant {
    users: Arc<Users>,
    /// The address of the request is the application's and not the user's, so attempts are counted per user
    /// name.
    attempts: RateLimiter,
}

impl PasswordGrant {
    /// `per_minute` limits the wrong passwords per user name; 0 means no limit.
    pub(crate) fn new(users: Arc<Users>, per_minute: u32) -> Self {
        Self { users, attempts: RateLimiter::per_minute(per_minute) }
    }
}

#[async_trait]
impl ResourceOwner for PasswordGrant {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretText,
        _client: &Client,
    ) -> Result<Option<Subject>, BackendError> {
        let Ok(attempt) = self.attempts.begin_anywhere(username, Utc::now()) else {
            return Err(BackendError::transient(TooManyAttempts));
        };
        let user = self.users.authenticate(username, password.reveal()).await;
        match user {
            Some(_) => attempt.give_back(),
            None => attempt.keep(),
        }
        Ok(user.map(|user| Subject::user(user.sub.as_str())))
    }

    /// Applications can no longer act for a user who is no longer in the file.
    async fn account_status(&self, subject: &Subject) -> Result<AccountStatus, BackendError> {
        let known = subject.as_user().is_none_or(|sub| self.users.by_sub(sub).is_some());
        Ok(if known { AccountStatus::Active } else { AccountStatus::Blocked })
    }
}

/// Answered with 503: the right password will work in a minute.
#[derive(Debug, thiserror::Error)]
#[error("too many wrong passwords for this user name")]
struct TooManyAttempts;
