//! The password grant (RFC 6749 section 4.3).

use super::new_grant::{AwaitSecrets, Bounds};
use crate::base::secret::SecretText;
use crate::client::auth::AuthenticatedClient;
use crate::client::{Client, GrantType};
use crate::error::{Reason, Refusal};
use crate::grant::{Authentication, Subject};
use crate::issuance::{Facts, RequestedAccess};
use crate::openid::can_be_subject;

/// Waits for the host to check a user name and a password.
#[derive(Debug)]
pub struct AwaitOwner {
    client: AuthenticatedClient,
    username: SecretText,
    password: SecretText,
    asked: RequestedAccess,
}

impl AwaitOwner {
    pub(super) fn new(
        client: AuthenticatedClient,
        username: SecretText,
        password: SecretText,
        asked: RequestedAccess,
    ) -> Self {
        Self { client, username, password, asked }
    }

    /// The user name and the password to check, and the client that presents them.
    #[must_use]
    pub fn question(&self) -> (&str, &SecretText, &Client) {
        (self.username.reveal(), &self.password, self.client.client())
    }

    /// Takes the user, if the password was right.
    ///
    /// # Errors
    /// The password was wrong.
    pub fn with_owner(self, found: Option<Subject>, facts: &Facts<'_>) -> Result<AwaitSecrets, Refusal> {
        let subject = found.ok_or(Reason::OwnerCredentialsWrong)?;
        if !can_be_subject(subject.id(), false) {
            return Err(Reason::SubjectUnfit.into());
        }
        Ok(AwaitSecrets {
            client: self.client,
            subject: Some(subject),
            authentication: Some(Authentication { auth_time: facts.now, acr: None }),
            grant_type: GrantType::Password,
            asked: self.asked,
            bounds: Bounds::Client,
        })
    }
}
