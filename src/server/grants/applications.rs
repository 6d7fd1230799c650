//! The applications that a user has connected: one entry for each client, for a page of "connected apps".

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::base::Scope;
use crate::client::ClientId;
use crate::grant::{Grant, Subject};
use crate::openid::OpenId;
use crate::server::{AuthorizationServer, HostError};

/// A client that acts for a user, with all of its live grants combined.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Application {
    /// Its id; its name is in the registry.
    pub client: ClientId,
    /// The scopes of all its grants together.
    pub scope: Scope,
    /// The individual claims that were granted by name (OpenID Connect Core section 5.5).
    pub claims: Vec<String>,
    /// Whether it may act while the user is away (`offline_access`).
    pub is_offline: bool,
    /// When the user granted the first of them.
    pub since: DateTime<Utc>,
    /// When it last got a token.
    pub last_used: DateTime<Utc>,
    /// How many grants there are: one for each time that the user connected it.
    pub grants: usize,
}

impl Application {
    fn of(grant: &Grant) -> Self {
        let mut application = Self {
            client: grant.client().clone(),
            scope: Scope::empty(),
            claims: Vec::new(),
            is_offline: false,
            since: grant.created(),
            last_used: grant.last_used(),
            grants: 0,
        };
        application.add(grant);
        application
    }

    fn add(&mut self, grant: &Grant) {
        let names = grant.openid().map(OpenId::claim_names).unwrap_or_default();
        let new = names.into_iter().filter(|name| !self.claims.iter().any(|own| own == name));
        let new: Vec<String> = new.map(str::to_owned).collect();
        self.claims.extend(new);
        self.scope = self.scope.union(grant.scope());
        self.is_offline |= grant.is_offline();
        self.since = self.since.min(grant.created());
        self.last_used = self.last_used.max(grant.last_used());
        self.grants += 1;
    }
}

impl AuthorizationServer {
    /// The clients that have live tokens of this user, one entry each, in the order of their ids. To
    /// disconnect one, end its grants: [`revoke_all`](Self::revoke_all) with
    /// [`Filter::pair`](crate::store::Filter::pair).
    ///
    /// # Errors
    /// The store failed.
    pub async fn applications_of(&self, subject: &Subject) -> Result<Vec<Application>, HostError> {
        let mut found: BTreeMap<ClientId, Application> = BTreeMap::new();
        for record in self.grants_of(subject).await? {
            let grant = record.grant();
            match found.get_mut(grant.client()) {
                Some(application) => application.add(grant),
                None => drop(found.insert(grant.client().clone(), Application::of(grant))),
            }
        }
        Ok(found.into_values().collect())
    }
}
