//! A grant that begins at the token endpoint, and its limits.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decision::NewGrantDecision;
use super::reply::Reply;
use crate::base::fresh_secrets::FreshSecrets;
use crate::base::{AccessRights, TokenName};
use crate::client::auth::AuthenticatedClient;
use crate::client::{Client, GrantType};
use crate::error::{Reason, Refusal};
use crate::grant::{Actor, Authentication, Grant, Subject};
use crate::issuance::{AccountStatus, Facts, Gate, Issuance, Limits, RequestedAccess, Rules};
use crate::store::{ReplayKey, Write};

/// Waits for randomness only.
#[derive(Debug)]
pub struct AwaitSecrets {
    pub(super) client: AuthenticatedClient,
    /// `None` is the client itself.
    pub(super) subject: Option<Subject>,
    pub(super) authentication: Option<Authentication>,
    pub(super) grant_type: GrantType,
    pub(super) asked: RequestedAccess,
    pub(super) bounds: Bounds,
}

/// The limits of a new grant.
#[derive(Debug)]
pub(super) enum Bounds {
    /// Only what the client may have.
    Client,
    /// In addition, the scope, the lifetime and the key of the token that it is exchanged for.
    Token(Box<Parent>),
    /// In addition, what the host allows.
    Host(Box<Entitled>),
}

/// The subject token of an exchange.
#[derive(Debug)]
pub(super) struct Parent {
    /// `None` for a signed token without a record.
    pub(super) name: Option<TokenName>,
    pub(super) rights: AccessRights,
    pub(super) expires: DateTime<Utc>,
    pub(super) actor: Option<Actor>,
}

/// What the host allows for a grant.
#[derive(Debug)]
pub(super) struct Entitled {
    pub(super) limits: Limits,
    pub(super) account_status: AccountStatus,
    /// The key of a single-use credential, and when the credential expires.
    pub(super) once: Option<(ReplayKey, DateTime<Utc>)>,
}

impl AwaitSecrets {
    /// The requesting client.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.client.client()
    }

    /// The key of the single-use credential that has to be marked as used before the response, and when the
    /// credential expires.
    #[must_use]
    pub fn single_use(&self) -> Option<(ReplayKey, DateTime<Utc>)> {
        match &self.bounds {
            Bounds::Host(entitled) => entitled.once,
            Bounds::Client | Bounds::Token(_) => None,
        }
    }

    /// Checks that the request will be accepted, before it uses anything up.
    pub(crate) fn check(&self, facts: &Facts<'_>) -> Result<(), Refusal> {
        self.issuance(facts.rules).map(drop).map_err(Refusal::from)
    }

    fn issuance(&self, rules: &Rules) -> Result<Issuance, Reason> {
        let gate = Gate {
            client: self.client.client(),
            grant_type: self.grant_type.clone(),
            asked: &self.asked,
            account_status: match &self.bounds {
                // Of a token, it was checked before.
                Bounds::Client | Bounds::Token(_) => AccountStatus::Active,
                Bounds::Host(entitled) => entitled.account_status,
            },
            rules,
        };
        let subject = self.subject.as_ref().unwrap_or_else(|| self.client().subject());
        match &self.bounds {
            Bounds::Client => gate.pass_new(subject),
            Bounds::Token(parent) => {
                let Parent { rights, expires, actor, name } = &**parent;
                gate.pass_on(subject, rights.as_ref(), *expires, actor.as_ref(), *name)
            }
            Bounds::Host(entitled) => gate.pass_entitled(subject, &entitled.limits),
        }
    }

    /// Decides. Borrows, because the driver tries again with new secrets if the grant id is taken.
    pub fn decide(&self, fresh: FreshSecrets, facts: &Facts<'_>) -> NewGrantDecision {
        let Facts { now, rules, .. } = *facts;
        match self.issuance(rules) {
            Ok(issuance) => {
                let authentication = self.authentication.clone();
                let (grant, tokens) = Grant::issue(issuance, authentication, fresh, now, &rules.policy);
                let unrecorded = tokens.is_unrecorded();
                let reply = Reply::new(&grant, tokens, facts).for_grant_type(&self.grant_type);
                match unrecorded {
                    true => NewGrantDecision::Issue(reply),
                    false => NewGrantDecision::commit(Write::insert(grant, now), reply),
                }
            }
            Err(reason) => NewGrantDecision::Refuse(reason.into()),
        }
    }
}
