//! A grant that begins at the token endpoint, and what it may not exceed.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decision::Decision;
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
    pub(super) subject: Subject,
    pub(super) authentication: Option<Authentication>,
    pub(super) grant_type: GrantType,
    pub(super) asked: RequestedAccess,
    pub(super) bounds: Bounds,
}

/// What a new grant may not exceed.
#[derive(Debug)]
pub(super) enum Bounds {
    /// The ceiling of its client alone.
    Client,
    /// Nor the token that it comes from.
    Token(Box<Parent>),
    /// Nor what the host says.
    Host(Box<Entitled>),
}

/// A token that another one is exchanged for.
#[derive(Debug)]
pub(super) struct Parent {
    /// None of a signed token of which nothing is recorded.
    pub(super) name: Option<TokenName>,
    pub(super) rights: AccessRights,
    pub(super) expires: DateTime<Utc>,
    pub(super) actor: Option<Actor>,
    pub(super) account_status: AccountStatus,
}

/// What the host says of a grant.
#[derive(Debug)]
pub(super) struct Entitled {
    pub(super) limits: Limits,
    pub(super) account_status: AccountStatus,
    /// What works once, and until when it would.
    pub(super) once: Option<(ReplayKey, DateTime<Utc>)>,
}

impl AwaitSecrets {
    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.client.client()
    }

    /// What has to be used up before the answer leaves, and until when it would be valid.
    #[must_use]
    pub fn one_time(&self) -> Option<(ReplayKey, DateTime<Utc>)> {
        match &self.bounds {
            Bounds::Host(entitled) => entitled.once,
            Bounds::Client | Bounds::Token(_) => None,
        }
    }

    /// That nothing refuses the request, before anything of it is used up.
    pub(crate) fn check(&self, facts: &Facts<'_>) -> Result<(), Refusal> {
        self.issuance(facts.rules).map(drop).map_err(Refusal::from)
    }

    fn issuance(&self, rules: &Rules) -> Result<Issuance, Reason> {
        let gate = Gate {
            client: self.client.client(),
            grant_type: self.grant_type.clone(),
            asked: &self.asked,
            account_status: match &self.bounds {
                Bounds::Client => AccountStatus::Active,
                Bounds::Token(parent) => parent.account_status,
                Bounds::Host(entitled) => entitled.account_status,
            },
            rules,
        };
        match &self.bounds {
            Bounds::Client => gate.pass_new(&self.subject),
            Bounds::Token(parent) => {
                let Parent { rights, expires, actor, name, .. } = &**parent;
                gate.pass_on(&self.subject, rights.as_ref(), *expires, actor.as_ref(), *name)
            }
            Bounds::Host(entitled) => gate.pass_entitled(&self.subject, &entitled.limits),
        }
    }

    /// Decides. Borrows: should the name of the grant be taken, the driver asks again with another.
    pub fn decide(&self, fresh: FreshSecrets, facts: &Facts<'_>) -> Decision {
        let Facts { now, rules, .. } = *facts;
        match self.issuance(rules) {
            Ok(issuance) => {
                let authentication = self.authentication.clone();
                let (grant, tokens) = Grant::issue(issuance, authentication, fresh, now, &rules.policy);
                let unrecorded = tokens.is_unrecorded();
                let reply = Reply::new(&grant, tokens, facts).for_grant_type(&self.grant_type);
                match unrecorded {
                    true => Decision::Issue(reply),
                    false => Decision::commit(Write::insert(grant, now), Ok(reply)),
                }
            }
            Err(reason) => Decision::Refuse(reason.into()),
        }
    }
}
