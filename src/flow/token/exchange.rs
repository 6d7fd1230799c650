//! Token exchange (RFC 8693): an access token in exchange for one with fewer rights or another target, for
//! the same subject.
//!
//! ```text
//! Authenticated ─▶ AwaitTokens ─▶ AwaitPermission ─▶ AwaitSecrets ─▶ NewGrantDecision
//! ```

use std::sync::Arc;

use super::new_grant::{AwaitSecrets, Bounds, Parent};
use crate::base::{AccessRights, Confirmation, ResourceId, ResourceIndicators, Scope, SecretText};
use crate::client::auth::AuthenticatedClient;
use crate::client::{Client, GrantType};
use crate::error::{ProofFlaw, Reason, Refusal};
use crate::flow::{AccountStatus, Facts, RequestedAccess};
use crate::grant::{Actor, MAX_ACTORS};
use crate::http::Certificate;
use crate::http::form::Form;
use crate::token::Access;

pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The tokens of a request, unverified.
#[derive(Debug)]
pub(super) struct Exchanged {
    subject: SecretText,
    actor: Option<SecretText>,
    /// `audience`: the names of resources, which need not be URIs.
    audiences: ResourceIndicators,
}

impl Exchanged {
    /// RFC 8693 section 2.1. This server accepts only its own access tokens.
    pub(super) fn parse(form: &Form<'_>) -> Result<Self, Reason> {
        let need = |name| form.one(name)?.ok_or(Reason::ParameterMissing);
        let subject = need("subject_token")?;
        check_type(need("subject_token_type")?, subject)?;
        let actor = match (form.one("actor_token")?, form.one("actor_token_type")?) {
            (Some(token), Some(kind)) => {
                check_type(kind, token)?;
                Some(SecretText::new(token))
            }
            (None, None) => None,
            (Some(_), None) => return Err(Reason::ParameterMissing),
            (None, Some(_)) => return Err(Reason::ActorTokenMissing),
        };
        match form.one("requested_token_type")? {
            None | Some(ACCESS_TOKEN) => {}
            Some(_) => return Err(Reason::TokenTypeUnsupported),
        }
        let subject = SecretText::new(subject);
        let audiences = ResourceIndicators::of(form.all("audience").map(ResourceId::of_audience));
        let audiences = audiences.map_err(|_| Reason::AudienceUnknown)?;
        Ok(Self { subject, actor, audiences })
    }
}

/// An opaque access token is not a JWT (RFC 8693 section 3).
fn check_type(kind: &str, token: &str) -> Result<(), Reason> {
    match kind {
        ACCESS_TOKEN => Ok(()),
        JWT if token.split('.').count() == 3 => Ok(()),
        JWT => Err(Reason::TokenTypeWrong),
        _ => Err(Reason::TokenTypeUnsupported),
    }
}

/// Waits for the checked access of the presented tokens.
#[derive(Debug)]
pub struct AwaitTokens {
    client: AuthenticatedClient,
    exchanged: Exchanged,
    asked: RequestedAccess,
    /// The client certificate of the connection.
    certificate: Option<Certificate>,
}

impl AwaitTokens {
    pub(super) fn new(
        client: AuthenticatedClient,
        exchanged: Exchanged,
        asked: RequestedAccess,
        certificate: Option<Certificate>,
    ) -> Result<Self, Refusal> {
        client.confidential()?;
        Ok(Self { client, exchanged, asked, certificate })
    }

    /// The requesting client.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.client.client()
    }

    /// The subject token: the new token acts for the same subject.
    #[must_use]
    pub fn subject_token(&self) -> &SecretText {
        &self.exchanged.subject
    }

    /// The token of the party that will act, if it is not the client itself.
    #[must_use]
    pub fn actor_token(&self) -> Option<&SecretText> {
        self.exchanged.actor.as_ref()
    }

    /// Takes the checked access of each presented token, `None` for one that is not a live access token of
    /// this server.
    ///
    /// # Errors
    /// A token is not valid, a target is unknown, or the scope is more than the token has.
    pub fn with_tokens(
        self,
        subject: Option<Access>,
        actor: Option<Access>,
        facts: &Facts<'_>,
    ) -> Result<AwaitPermission, Refusal> {
        let Facts { rules, .. } = *facts;
        let subject = subject.ok_or(Reason::SubjectTokenInvalid)?;
        if self.exchanged.actor.is_some() && actor.is_none() {
            return Err(Reason::ActorTokenInvalid.into());
        }
        if subject.actor().is_some_and(|actor| actor.links() >= MAX_ACTORS) {
            return Err(Reason::ActorsTooMany.into());
        }
        let audiences = self.exchanged.audiences.as_slice().iter().map(|name| rules.known_target(name));
        let audiences: Option<ResourceIndicators> = audiences.collect();
        let named = self.asked.resources.and(&audiences.ok_or(Reason::AudienceUnknown)?)?;
        let named = match (named.as_slice(), subject.audience()) {
            ([], Some(same)) => ResourceIndicators::one(same.clone()),
            _ => named,
        };
        if !named.as_slice().iter().all(|id| rules.knows_target(id)) {
            return Err(Reason::TargetUnknown.into());
        }
        let asked = self.asked.scope;
        let scope = match rules.profile.switches().unknown_scopes {
            true => asked.as_ref().map(|asked| asked.intersection(&rules.scope)),
            false => asked.clone(),
        };
        let is_nothing_known = scope.as_ref().is_some_and(Scope::is_empty) && scope != asked;
        let exceeds = |asked: &Scope| !asked.is_subset(subject.scope());
        if is_nothing_known || scope.as_ref().is_some_and(exceeds) {
            return Err(Reason::ScopeExceeded.into());
        }
        // The certificate counts if a presented token is bound to one, whatever the client registered.
        let is_bound = |access: &Access| access.confirmation().is_some_and(|key| key.x5t_s256().is_some());
        let is_needed = is_bound(&subject) || actor.as_ref().is_some_and(is_bound);
        let shown = self.certificate.filter(|_| is_needed);
        let confirmation = match shown {
            Some(shown) => {
                let jkt = self.asked.confirmation.as_ref().and_then(Confirmation::jkt).copied();
                Confirmation::of(jkt, Some(shown.thumbprint()))
            }
            None => self.asked.confirmation,
        };
        let asked = RequestedAccess { resources: named, scope, confirmation, ..self.asked };
        Ok(AwaitPermission { client: self.client, subject, actor, asked })
    }
}

/// Waits for the host's decision on the exchange.
#[derive(Debug)]
pub struct AwaitPermission {
    client: AuthenticatedClient,
    subject: Access,
    actor: Option<Access>,
    asked: RequestedAccess,
}

/// The host's decision on an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exchange {
    /// The exchange is refused.
    #[default]
    Denied,
    /// Impersonation: the new token has the subject's identity and adds no `act` of its own.
    Impersonation,
    /// Delegation: the new token names the party that acts for its subject (`act`): the subject of the actor
    /// token, or else the client.
    Delegation,
}

/// The question to the host.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ExchangeAsk<'a> {
    /// The client; it is authenticated, and the grant type is registered for it.
    pub client: &'a Client,
    /// The access of the subject token. You decide whether the client may use it: it may be for a resource of
    /// another party.
    pub subject: &'a Access,
    /// The access of the actor token, if there is one.
    pub actor: Option<&'a Access>,
    /// The requested resources, all of them known; empty is the server's default audience.
    pub resources: &'a ResourceIndicators,
    /// The requested scope, within that of the subject token; `None` is all of it.
    pub scope: Option<&'a Scope>,
}

impl AwaitPermission {
    /// What the host has to decide.
    #[must_use]
    pub fn question(&self) -> ExchangeAsk<'_> {
        ExchangeAsk {
            client: self.client.client(),
            subject: &self.subject,
            actor: self.actor.as_ref(),
            resources: &self.asked.resources,
            scope: self.asked.scope.as_ref(),
        }
    }

    /// Takes the host's decision on the exchange, and the status of the user's account.
    ///
    /// # Errors
    /// The exchange is denied.
    pub fn with_permission(
        self,
        exchange: Exchange,
        account_status: AccountStatus,
    ) -> Result<AwaitSecrets, Refusal> {
        let Self { client, subject, actor, asked } = self;
        let actor_key = actor.as_ref().and_then(Access::confirmation).cloned();
        let actor = match exchange {
            Exchange::Denied => return Err(Reason::ExchangeDenied.into()),
            Exchange::Impersonation => subject.actor().cloned(),
            Exchange::Delegation => {
                let acting = actor.as_ref().map_or(client.client().subject(), Access::subject);
                Some(Actor::taking_over(acting, subject.actor()))
            }
        };
        // The gate checks the subject token's key again, but would answer as for a code that is bound to a key.
        for key in [subject.confirmation(), actor_key.as_ref()].into_iter().flatten() {
            ProofFlaw::check(key, asked.confirmation.as_ref()).map_err(|flaw| match flaw {
                ProofFlaw::OtherKey => Reason::ExchangedTokenOfOtherKey,
                flaw => flaw.into(),
            })?;
        }
        if account_status == AccountStatus::Blocked {
            return Err(Reason::ExchangedSubjectBlocked.into());
        }
        let (scope, confirmation) = (subject.scope().clone(), subject.confirmation().cloned());
        let rights = AccessRights { scope, confirmation, ..AccessRights::default() };
        let parent = Parent { name: subject.token_name(), rights, expires: subject.expires(), actor };
        Ok(AwaitSecrets {
            client,
            subject: Some(subject.subject().clone()),
            authentication: subject.authentication(),
            grant_type: GrantType::TokenExchange,
            asked,
            bounds: Bounds::Token(Box::new(parent)),
        })
    }
}
