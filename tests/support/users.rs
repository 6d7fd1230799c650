//! The users.

use std::sync::{Arc, Mutex};

use grantor::{AccountStatus, BackendError, Client, ResourceOwner, SecretText, Subject, async_trait};

/// alice's password is wonderland, bob's is builder. The users in `blocked` are refused.
#[derive(Clone, Default)]
pub struct Users {
    pub blocked: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl ResourceOwner for Users {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretText,
        _client: &Client,
    ) -> Result<Option<Subject>, BackendError> {
        let right = matches!((username, password.reveal()), ("alice", "wonderland") | ("bob", "builder"));
        Ok(right.then(|| Subject::user(username)))
    }

    async fn account_status(&self, subject: &Subject) -> Result<AccountStatus, BackendError> {
        let blocked = self.blocked.lock().unwrap();
        Ok(if blocked.iter().any(|b| b == subject.id()) {
            AccountStatus::Blocked
        } else {
            AccountStatus::Active
        })
    }
}
