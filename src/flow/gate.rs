//! The one gate that every way to tokens passes.
//!
//! The field's commonest hole is a check that stands in four grants and is missing in the fifth. Here a
//! token is minted from an [`Issuance`] and from nothing else, and only [`Gate::pass`] makes one.

use std::sync::Arc;

use crate::client::{Client, GrantType};
use crate::error::Reason;
use crate::grant::Subject;
use crate::policy::{OmittedScope, Rules};
use crate::scope::Scope;

/// Whether a user may go on, by the host's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Standing {
    /// Yes.
    #[default]
    Active,
    /// No: disabled, deleted, password changed since. Nothing is issued; the grant stays as it is.
    Blocked,
}

/// All that a decision to issue depends on, but for the grant itself.
#[derive(Debug)]
pub struct Gate<'a> {
    pub(crate) client: &'a Arc<Client>,
    pub(crate) grant_type: GrantType,
    pub(crate) asked: Option<&'a Scope>,
    pub(crate) standing: Standing,
    pub(crate) rules: &'a Rules,
}

/// Permission to mint: for this client, in this name, with this scope.
#[derive(Debug)]
pub struct Issuance {
    pub(crate) client: Arc<Client>,
    pub(crate) subject: Subject,
    pub(crate) scope: Scope,
    /// Whether a refresh token goes with it.
    pub(crate) refreshable: bool,
}

impl<'a> Gate<'a> {
    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &'a Arc<Client> {
        self.client
    }

    /// The scope that the request names, if it names one.
    #[must_use]
    pub fn asked_scope(&self) -> Option<&'a Scope> {
        self.asked
    }

    /// Every check that stands before a token, in one place.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn pass(&self, subject: &Subject, granted: &Scope) -> Result<Issuance, Reason> {
        let client = self.client;
        let wants_client = self.grant_type == GrantType::ClientCredentials;
        if !self.rules.profile.knows(self.grant_type) {
            return Err(Reason::GrantTypeUnsupported);
        }
        if !client.allows(self.grant_type) {
            return Err(Reason::GrantTypeNotAllowed);
        }
        if wants_client && !client.is_confidential() {
            return Err(Reason::ClientNotConfidential);
        }
        if wants_client != matches!(subject, Subject::Client(_)) {
            return Err(Reason::GrantTypeNotAllowed);
        }
        if self.standing == Standing::Blocked {
            return Err(Reason::SubjectBlocked);
        }
        let asked = self.asked.unwrap_or(granted);
        if !asked.is_subset(granted) {
            return Err(Reason::ScopeExceeded);
        }
        Ok(Issuance {
            client: Arc::clone(client),
            subject: subject.clone(),
            scope: asked.intersection(&self.rules.ceiling(client)),
            refreshable: self.is_refreshable(),
        })
    }

    /// The gate of a new grant: the ceiling is what the client may ever have.
    pub(crate) fn pass_new(&self, subject: &Subject) -> Result<Issuance, Reason> {
        if self.asked.is_none() && self.rules.policy.omitted_scope == OmittedScope::Refused {
            return Err(Reason::ScopeMissing);
        }
        let ceiling = self.rules.ceiling(self.client);
        self.pass(subject, &ceiling)
    }

    /// RFC 6749 sections 4.2.2 and 4.4.3: neither implicit nor client credentials come with a refresh token.
    fn is_refreshable(&self) -> bool {
        let user_is_away = match self.grant_type {
            GrantType::AuthorizationCode | GrantType::Password | GrantType::RefreshToken => true,
            GrantType::Implicit | GrantType::ClientCredentials => false,
        };
        user_is_away && self.client.allows(GrantType::RefreshToken)
    }
}
